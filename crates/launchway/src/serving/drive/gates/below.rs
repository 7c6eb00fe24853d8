//! The environment below: a job runs where its very commit ended well in that one before, by jobs of its repository
//! or by `launchway deploy` in the server's journal. It is read from the journal each time, so that no kill makes it
//! forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Conclusion, RunRequest};
use settings::{Environment, Settings, Text};
use store::Store;
use views::RunView;

use super::level;
use crate::deploying::book::Book;
use crate::deploying::checks::Runs;
use crate::deploying::gates::LEVEL_BY_HAND;
use crate::exit::Failure;

/// What an environment takes, for people.
pub(super) fn sentence(environment: &Environment) -> Option<String> {
    let below = environment.below.as_ref()?;
    Some(format!("Only commits that ended well in {}.", below.value))
}

/// The environments below one, each once, as all say that name it.
pub(super) fn named<'e>(all: impl IntoIterator<Item = &'e Environment>) -> Vec<Arc<str>> {
    let mut found: Vec<Arc<str>> = Vec::new();
    for below in all.into_iter().filter_map(|it| it.below.as_ref()) {
        if !found.iter().any(|known| known.eq_ignore_ascii_case(&below.value)) {
            found.push(Arc::clone(&below.value));
        }
    }
    found
}

/// Why a run's commit is not let up from the environment `below`; none where it is. `rules` are all that say
/// something of that one.
///
/// # Errors
/// Where it never will be, for nothing is let into that one either.
pub(super) fn missing(
    runs: &Runs,
    request: &RunRequest,
    (name, below): (&str, &str),
    rules: &[&Settings],
) -> Result<Option<String>, Failure> {
    let commit = &*request.change.commit;
    let mut own = runs.of(commit)?;
    own.retain(|it| *it.view.header.repository == *request.repository);
    let there = by_jobs(own.iter().map(|it| &it.view), below);
    if there == There::Well {
        return Ok(None);
    }
    for settings in rules {
        if by_deployments(runs.store(), settings, below, commit)? {
            return Ok(None);
        }
    }
    let said = rules.iter().filter_map(|it| super::environment(it, below));
    if let Some(level) = level::holds(said).filter(|level| *level < LEVEL_BY_HAND) {
        return Err(super::forbidden(format!(
            "{name} takes only what ended well in {below}, and that has the level {level}: nothing is let in there"
        )));
    }
    let short: String = commit.chars().take(12).collect();
    let how = match there {
        There::Not(how) => how,
        There::Never | There::Well => "was not run there".to_owned(),
    };
    Ok(Some(format!("{name} takes only what ended well in {below}, and {short} {how}")))
}

/// What jobs of a commit came to in an environment.
#[derive(Debug, PartialEq, Eq)]
enum There {
    Never,
    Well,
    /// What became of them instead.
    Not(String),
}

/// From runs of the commit, newest first: of one workflow file the newest that came there counts, as for checks.
fn by_jobs<'v>(runs: impl Iterator<Item = &'v RunView>, below: &str) -> There {
    let mut files: BTreeMap<&str, There> = BTreeMap::new();
    for run in runs {
        let there = of_run(run, below);
        if there != There::Never {
            files.entry(&run.header.workflow_path).or_insert(there);
        }
    }
    let is_there = !files.is_empty();
    let not = files.into_values().find(|it| *it != There::Well);
    not.unwrap_or(if is_there { There::Well } else { There::Never })
}

/// Jobs that the run did not come to say nothing yet: one that begins behind the job which asks would wait for it
/// for ever. What was carried over ended well, or not, with the same commit.
fn of_run(run: &RunView, below: &str) -> There {
    let is_there = |name: &str| name.eq_ignore_ascii_case(below);
    let jobs = run.jobs.iter().filter(|job| {
        let is_leaf = job.children.is_empty();
        let is_skipped = job.skipped.is_some() || job.conclusion == Some(Conclusion::Skipped);
        is_leaf && !is_skipped && job.environment.as_ref().is_some_and(|it| is_there(it.as_str()))
    });
    let ends: Vec<Option<Conclusion>> = jobs.map(|job| job.conclusion).collect();
    let called = format!("run {}.{}", run.header.run, run.header.attempt);
    match ends.iter().flatten().find(|it| **it != Conclusion::Success) {
        Some(end) => There::Not(format!("ended there with {} ({called})", end.as_str())),
        None if ends.is_empty() => There::Never,
        None if ends.contains(&None) => There::Not(format!("is under way there ({called})")),
        None => There::Well,
    }
}

/// Whether every service that is deployed there ran well there, made from this commit.
fn by_deployments(
    store: &Arc<Store>,
    settings: &Settings,
    below: &str,
    commit: &str,
) -> Result<bool, Failure> {
    let Some(below) = super::environment(settings, below).map(|it| &*it.name.value) else {
        return Ok(false);
    };
    let is_deployed = |it: &&Text| settings.resolve(below, &it.value).is_ok();
    let mut services = settings.order.iter().filter(is_deployed).peekable();
    if services.peek().is_none() {
        return Ok(false);
    }
    let book = Book::of_server(Arc::clone(store), Arc::clone(&settings.project.value));
    let ledger = book.ledger(below)?;
    Ok(services.all(|it| {
        let releases = ledger.services.get(&*it.value).map(|it| &it.releases);
        releases.into_iter().flatten().any(|line| {
            line.is_good() && line.release.commit.as_deref().is_some_and(|it| it == commit)
        })
    }))
}

#[cfg(test)]
mod tests;
