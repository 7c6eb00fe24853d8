//! Checks that must be green for the very commit that ships: runs and jobs of Launchway's own journal.
//! What was run from a work tree with changes was not that commit; what was run in part was not all.

use event::{Conclusion, RunEvent};
use store::Store;
use views::RunView;

use crate::exit::{Exit, Failure};
use crate::journal;

/// How many runs are looked through, newest first: more than a day of a busy repository.
const RUNS_MAX: usize = 2_000;

/// Refuses what is not green.
pub(crate) fn must_be_green(
    store: &Store,
    environment: &str,
    checks: &[&str],
    commit: Option<&str>,
) -> Result<(), Failure> {
    if checks.is_empty() {
        return Ok(());
    }
    let Some(commit) = commit else {
        let message = format!("{environment} wants checks, and nothing says which commit this is");
        return Err(Failure::new(Exit::Forbidden, message).hint("deploy from the repository"));
    };
    let runs = runs_of(store, commit)?;
    let short: String = commit.chars().take(12).collect();
    for check in checks {
        let said = runs.iter().filter_map(|run| run.says(check));
        // Newest first: of one workflow file the newest word counts.
        let mut files: Vec<(&str, Option<Conclusion>)> = Vec::new();
        for (file, conclusion) in said {
            if !files.iter().any(|(known, _)| *known == file) {
                files.push((file, conclusion));
            }
        }
        let red = files.iter().find(|(_, it)| *it != Some(Conclusion::Success));
        let what = match (files.is_empty(), red) {
            (false, None) => continue,
            (true, _) => "was not run at it".to_owned(),
            (false, Some((file, None))) => format!("is under way ({file})"),
            (false, Some((file, Some(conclusion)))) => {
                format!("ended with {} ({file})", conclusion.as_str())
            }
        };
        let message = format!("{environment} wants {check} green at {short}, and it {what}");
        return Err(Failure::new(Exit::Forbidden, message).hint(format!(
            "run it at that commit: launchway run --committed; {check} is the name of a job or of a workflow file"
        )));
    }
    Ok(())
}

struct Run {
    view: RunView,
    is_whole: bool,
}

impl Run {
    /// What it says about a check: its file, and how that ended.
    fn says(&self, check: &str) -> Option<(&str, Option<Conclusion>)> {
        let file = &*self.view.header.workflow_path;
        let name = file.rsplit('/').next().unwrap_or(file);
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        if self.is_whole && [file, name, stem].contains(&check) {
            return Some((file, self.view.conclusion));
        }
        let is_it = |job: &&views::JobView| {
            job.within.is_none() && (job.name.as_str() == check || job.key.as_str() == check)
        };
        let job = self.view.jobs.iter().find(is_it)?;
        Some((file, job.conclusion))
    }
}

fn runs_of(store: &Store, commit: &str) -> Result<Vec<Run>, Failure> {
    let streams = store.newest_streams(RUNS_MAX);
    let mut runs = Vec::new();
    for stream in streams.map_err(|error| Failure::caused(Exit::Missing, error))? {
        let events = journal::events(store, stream)?;
        let Some(RunEvent::RunCreated(request)) = events.first() else { continue };
        let is_it = *request.change.commit == *commit && request.change.uncommitted == 0;
        if !is_it || !request.selection.matrix.is_empty() {
            continue;
        }
        let is_whole = request.selection.is_everything();
        runs.extend(RunView::of(&events).map(|view| Run { view, is_whole }));
    }
    Ok(runs)
}
