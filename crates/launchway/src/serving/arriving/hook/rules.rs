//! What a push does to the branch that rules come from: it may neither make that branch nor take it
//! away, and brings no rules that nobody can read.

use approval::Signers;
use repository::{RefUpdate, Repository};
use settings::FILE;
use syntax::{Diagnostic, Severity, Source};

use crate::deploying::rules::SIGNERS;
use crate::exit::{Exit, Failure};
use crate::serving::repositories::Connected;
use crate::terminal::style::talk;

/// Branches that are looked through for rules.
const BRANCHES_MAX: usize = 500;

/// What is wrong with the settings that a push brings to the default branch.
///
/// # Errors
/// That the push is refused for what it does to that branch, or that git cannot be asked.
pub(super) fn judge(
    connected: &Connected,
    updates: &[RefUpdate],
) -> Result<Vec<Diagnostic>, Failure> {
    let Some(branch) = connected.branch()? else { return Ok(Vec::new()) };
    let git_ref = format!("refs/heads/{branch}");
    let refs = Repository::refs(&connected.path, Some(&branch))?;
    let Some(update) = updates.iter().find(|it| it.git_ref == git_ref) else {
        if !refs.contains(&git_ref) {
            talk(&format!("launchway: {}", connected.no_tip()));
        }
        return Ok(Vec::new());
    };
    if update.deletes() {
        return Err(refused(format!("it takes away {branch}, and rules are read from that")));
    }
    if update.creates()
        && !connected.is_branch_named
        && let Some(other) = ruled(connected, &refs)?
    {
        return Err(refused(format!(
            "it makes {branch}, rules would be read from that, and {other} has a {FILE} already"
        )));
    }
    let now = connected.at(&update.new, Default::default())?;
    let before = match update.creates() {
        true => None,
        false => Some(connected.at(&update.old, Default::default())?),
    };
    let changed = |file: &str| -> Result<Option<String>, Failure> {
        let text = now.committed_file(file)?;
        let known = before.as_ref().map(|it| it.committed_file(file)).transpose()?.flatten();
        Ok(text.filter(|text| known.as_ref() != Some(text)))
    };
    if let Some(text) = changed(SIGNERS)?
        && let Err(errors) = Signers::read(&text)
    {
        return Err(Failure::new(
            Exit::Refused,
            format!("the push is refused: {SIGNERS}: {}", errors[0]),
        )
        .hint("one person a line: NAME ssh-ed25519 KEY; docs/approvals.md"));
    }
    let Some(text) = changed(FILE)? else { return Ok(Vec::new()) };
    let (_, mut found) = settings::read(&Source::new(FILE, text));
    found.retain(|it| it.severity == Severity::Error);
    Ok(found)
}

/// A branch that has rules, which whoever pushed them may take for those that hold.
fn ruled<'r>(connected: &Connected, refs: &'r [String]) -> Result<Option<&'r str>, Failure> {
    let branches = refs.iter().filter_map(|it| Some((it, it.strip_prefix("refs/heads/")?)));
    for (git_ref, name) in branches.take(BRANCHES_MAX) {
        if connected.at(git_ref, Default::default())?.committed_file(FILE)?.is_some() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn refused(why: String) -> Failure {
    Failure::new(Exit::Refused, format!("the push is refused: {why}")).hint(
        "on the server, launchway repositories add PATH --default-branch NAME says where rules are read from",
    )
}
