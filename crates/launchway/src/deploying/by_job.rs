//! Deployments that a job of a workflow asks for.

use std::path::Path;
use std::sync::Arc;

use settings::Journal;

use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;

const TRACKING_ID_MAX: usize = 200;
/// What jobs in containers have as `HOME`, on GitHub and here.
const HOME_IN_CONTAINER: &str = "/github/home";

/// The job that runs this command, where one does: what its processes are known by.
pub(super) fn own() -> Option<Arc<str>> {
    let told = std::env::var("RUNNER_TRACKING_ID").ok();
    told.filter(|it| !it.is_empty() && it.len() <= TRACKING_ID_MAX).map(Into::into)
}

/// Whether what is written down stays behind a job: a journal that goes with its home would have nobody know what was
/// deployed, and the next deployment take it for the first one.
pub(super) fn must_outlive(found: &Found, state: &StateFolder) -> Result<(), Failure> {
    let is_here = matches!(found.settings.journal.value, Journal::Local | Journal::Alone);
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let (home, temp) = (variable("HOME"), variable("RUNNER_TEMP"));
    if !is_here || own().is_none() || !goes(state.root(), Path::new(&home), Path::new(&temp)) {
        return Ok(());
    }
    let root = state.root().display();
    let message =
        format!("this deployment would be known to nobody: its journal goes with the job ({root})");
    Err(Failure::new(Exit::Missing, message)
        .hint("share it: `journal: s3://BUCKET/PREFIX`, docs/shared-journal.md")
        .hint("or name a folder that stays, where the job may write there: --state DIR"))
}

/// Whether a folder goes with the job: its home lies beside what it has as `RUNNER_TEMP`.
fn goes(root: &Path, home: &Path, temp: &Path) -> bool {
    let is_jobs = home == Path::new(HOME_IN_CONTAINER)
        || home.parent().is_some_and(|job| temp.parent() == Some(job));
    (is_jobs && root.starts_with(home)) || (temp.is_absolute() && root.starts_with(temp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_jobs_home_goes_with_it() {
        let check = |root: &str, home: &str, temp: &str, expect: bool| {
            assert_eq!(goes(Path::new(root), Path::new(home), Path::new(temp)), expect, "{root}");
        };
        let state = ".local/state/launchway";
        check(&format!("/lw/jobs/7/home/{state}"), "/lw/jobs/7/home", "/lw/jobs/7/temp", true);
        check("/lw/jobs/7/temp/state", "/lw/jobs/7/home", "/lw/jobs/7/temp", true);
        check(&format!("/github/home/{state}"), "/github/home", "/__w/_temp", true);
        check("/srv/state", "/lw/jobs/7/home", "/lw/jobs/7/temp", false);
        // GitHub's own machines, and a person's terminal.
        check(&format!("/home/runner/{state}"), "/home/runner", "/home/runner/work/_temp", false);
        check(&format!("/home/mona/{state}"), "/home/mona", "", false);
    }
}
