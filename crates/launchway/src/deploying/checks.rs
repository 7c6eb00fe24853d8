//! Checks that must be green for the very commit that ships: runs and jobs of Launchway's own journal.
//! What was run from a work tree with changes was not that commit; what was run in part was not all.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Conclusion, RunEvent, StreamId};
use ports::Journal;
use store::Store;
use views::RunView;

use crate::exit::{Exit, Failure};
use crate::journal;

/// How many runs are looked through, newest first: more than a day of a busy repository.
const RUNS_MAX: usize = 2_000;

/// The runs of a journal, by their commits. Of which one a run is never changes: it is read once.
pub(crate) struct Runs {
    store: Arc<Store>,
    /// None of those that tell nothing of a commit.
    commits: RefCell<BTreeMap<StreamId, Option<Arc<str>>>>,
}

/// Refuses what is not green.
pub(crate) fn must_be_green(
    runs: &Runs,
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
    let runs = runs.of(commit)?;
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

pub(crate) struct Run {
    pub(crate) view: RunView,
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

impl Runs {
    pub(crate) fn new(store: Arc<Store>) -> Runs {
        Runs { store, commits: RefCell::default() }
    }

    /// Where they stand.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Those of a commit as it was committed, newest first. Runs of a part of a matrix are not among them.
    pub(crate) fn of(&self, commit: &str) -> Result<Vec<Run>, Failure> {
        let streams = self.streams(RUNS_MAX)?;
        let mut known = self.commits.borrow_mut();
        let mut commits = BTreeMap::new();
        for stream in &streams {
            let of = match known.get(stream) {
                Some(of) => of.clone(),
                None => self.commit(*stream)?,
            };
            commits.insert(*stream, of);
        }
        *known = commits;
        let is_it = |stream: &&StreamId| known[*stream].as_deref() == Some(commit);
        let mut runs = Vec::new();
        for stream in streams.iter().filter(is_it) {
            let events = journal::events(&self.store, *stream)?;
            let Some(RunEvent::RunCreated(request)) = events.first() else { continue };
            let is_whole = request.selection.is_everything();
            runs.extend(RunView::of(&events).map(|view| Run { view, is_whole }));
        }
        Ok(runs)
    }

    /// The newest, and those that are open however old: a job that waits for days does not forget its own run.
    fn streams(&self, most: usize) -> Result<Vec<StreamId>, Failure> {
        let newest = self.store.newest_streams(most);
        let mut streams = newest.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let open = Journal::<RunEvent>::open_streams(&*self.store);
        let open = open.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let known: BTreeSet<StreamId> = streams.iter().copied().collect();
        let is_old = |it: &StreamId| it.as_run().is_some() && !known.contains(it);
        streams.extend(open.into_iter().rev().filter(is_old));
        Ok(streams)
    }

    fn commit(&self, stream: StreamId) -> Result<Option<Arc<str>>, Failure> {
        let first = self.store.first::<RunEvent>(stream);
        let first = first.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let Some(RunEvent::RunCreated(request)) = first.map(|it| it.event) else { return Ok(None) };
        let is_committed = request.change.uncommitted == 0 && request.selection.matrix.is_empty();
        Ok(is_committed.then(|| Arc::clone(&request.change.commit)))
    }
}

#[cfg(test)]
mod tests {
    use event::{Attempt, Fact as _, RunId, Seq, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_is_open_is_looked_at_however_many_came_since() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let stream = |run: u64| StreamId::Run(RunId(run), Attempt(1));
        for run in 1..=4 {
            let mut events = vec![json!({ "type": "RunCreated", "run": run, "attempt": 1,
                "run_number": run, "carried": [], "repository": "octo/app",
                "repository_path": "/srv/app.git",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "Tidy",
                "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
                "change": { "commit": "0123", "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
                "triggering_actor": "mona", "at": 0 })];
            // The second and the newest are over.
            events.extend((run % 2 == 0).then(
                || json!({ "type": "RunCompleted", "conclusion": "success", "outputs": {}, "at": 1 }),
            ));
            let decode = |it: &serde_json::Value| RunEvent::decode(it.to_string().as_bytes());
            let events: Vec<RunEvent> = events.iter().map(|it| decode(it).unwrap()).collect();
            store.append(stream(run), Seq(0), Timestamp(run), &events).unwrap();
        }
        let looked = Runs::new(store).streams(1).unwrap();
        assert_eq!(looked, [4, 3, 1].map(stream));
    }
}
