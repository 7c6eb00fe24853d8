//! Of which kind a deployment is: what it brings decides, not the command that was typed.

use event::{DeploymentKind, Release, ServiceRequest};
use repository::Repository;
use views::{Ledger, ServiceLedger};

use super::wish::What;
use crate::exit::{Exit, Failure};

/// Releases of one service whose files are compared, newest first: who reverts, reverts something
/// recent.
const COMPARED_MAX: usize = 50;

/// The kind.
pub(super) fn of(
    what: &What<'_>,
    ledger: &Ledger,
    requests: &[ServiceRequest],
    repository: Option<&Repository>,
) -> Result<DeploymentKind, Failure> {
    let of = |request: &ServiceRequest| ledger.services.get(&request.service);
    let is_running = |it: &ServiceRequest| of(it).is_some_and(|of| runs(of, &it.release));
    Ok(match what {
        What::Restore(_) => DeploymentKind::Rollback,
        What::Scale { .. } => DeploymentKind::Config,
        What::Task { .. } => DeploymentKind::Task,
        What::Ship { hotfix: true, .. } => DeploymentKind::Hotfix,
        What::Ship { .. } if requests.iter().all(is_running) => DeploymentKind::Redeploy,
        // What ran well here before is going back, whatever the command was: an older tag, an old run
        // that is run again, a commit that reverts. One that never did is tried once more.
        What::Ship { .. } => {
            for request in requests {
                let Some(of) = of(request) else { return Ok(DeploymentKind::Release) };
                if !was_here(of, &request.release, repository)? {
                    return Ok(DeploymentKind::Release);
                }
            }
            DeploymentKind::Rollback
        }
    })
}

fn runs(of: &ServiceLedger, release: &Release) -> bool {
    let runs = of.runs.as_ref().map(|it| &it.release);
    // What was scaled to nothing is the same release when it comes again.
    let emptied = of.emptied_by.and(of.last_good.as_ref());
    runs.or(emptied).is_some_and(|it| it.release.digest == release.digest)
}

/// Whether it ran well here: the same digest, or made of the same files, as a revert is. What runs
/// now does not count: built once more it is no way back.
fn was_here(
    of: &ServiceLedger,
    release: &Release,
    repository: Option<&Repository>,
) -> Result<bool, Failure> {
    let good = || of.releases.iter().filter(|it| it.is_good());
    if good().any(|line| line.release.digest == release.digest) {
        return Ok(true);
    }
    let Some((repository, commit)) = repository.zip(release.commit.as_deref()) else {
        return Ok(false);
    };
    let tree = |commit: &str| {
        repository.tree(commit).map_err(|error| Failure::caused(Exit::Missing, error))
    };
    let Some(own) = tree(commit)? else { return Ok(false) };
    for line in good().take(COMPARED_MAX) {
        let Some(commit) = line.release.commit.as_deref() else { continue };
        if tree(commit)?.as_ref() == Some(&own) {
            // The newest that is made of these files decides.
            return Ok(!runs(of, &line.release));
        }
    }
    Ok(false)
}
