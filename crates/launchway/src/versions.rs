//! The versions of a repository: its tags as git has them, and what the journal says of each. Nothing is remembered:
//! runs, artifacts and deployments are read from the journal and its figures whenever somebody asks, notes are made
//! of the commits that git has.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use event::{Attempt, RunEvent, RunId, RunRequest, Seq, StreamId, Timestamp};
use figures::{Figures, TagRun};
use ports::{Journal as _, JournalError};
use repository::{Repository, Said, Tagged};
use store::Store;
use versions::{
    AtGitHub, Noted, Notes, RunOfVersion, Version, VersionArtifact, VersionDeployment, VersionLine,
    VersionList, VersionRecord, previous, standing,
};
use views::RunView;

use crate::exit::{Exit, Failure};

/// Versions of one list.
const LISTED_MAX: usize = 200;
/// Commits that notes are made of: the newest.
const COMMITS_MAX: usize = 1_000;
/// Artifacts that are named.
const ARTIFACTS_MAX: usize = 200;

/// What versions are known from.
pub(crate) struct Sources<'s> {
    /// The git repository, bare or not.
    pub(crate) path: &'s Path,
    /// What the journal calls it.
    pub(crate) name: &'s str,
    /// `project` of its settings.
    pub(crate) project: Option<&'s str>,
    pub(crate) store: &'s Store,
    pub(crate) figures: &'s Figures,
    /// What there is at GitHub, by tag.
    pub(crate) at_github: &'s BTreeMap<String, AtGitHub>,
}

/// A run of a tag's push, over or not.
struct Began {
    run: RunId,
    attempt: Attempt,
    commit: String,
    at: Timestamp,
    of: RunOfVersion,
}

/// A tag with the runs that its pushes began.
struct Known {
    version: Version,
    tag: Tagged,
    is_gone: bool,
    runs: Vec<Began>,
}

impl Sources<'_> {
    /// All of them, the highest first.
    pub(crate) fn list(&self) -> Result<VersionList, Failure> {
        let mut known = self.known(None)?;
        let left_out = known.len().saturating_sub(LISTED_MAX);
        known.truncate(LISTED_MAX);
        let versions = known.iter().map(|it| self.line(it)).collect::<Result<_, _>>()?;
        Ok(VersionList { versions, left_out, behind_events: self.behind()? })
    }

    /// One of them; none where there is no such version.
    pub(crate) fn show(&self, tag: &str) -> Result<Option<VersionRecord>, Failure> {
        let Some(known) = self.known(Some(tag))?.into_iter().next() else { return Ok(None) };
        let (previous, notes) = self.notes(&known)?;
        let (artifacts, more_artifacts) = self.artifacts(&known.runs)?;
        let of = (self.name, self.project);
        let shipped = self.figures.shipped_of(&known.tag.commit, of).map_err(failed)?;
        let deployment = |it: figures::CommitShipped| VersionDeployment {
            by: it.by,
            environment: it.environment,
            service: it.service,
            verdict: it.verdict,
            at_ms: it.at,
        };
        Ok(Some(VersionRecord {
            version: self.line(&known)?,
            previous,
            notes,
            artifacts,
            more_artifacts,
            deployments: shipped.into_iter().map(deployment).collect(),
            no_release: None,
            behind_events: self.behind()?,
            runs: known.runs.into_iter().map(|it| it.of).collect(),
        }))
    }

    fn behind(&self) -> Result<u64, Failure> {
        let caught = self.figures.caught(self.store).map_err(failed)?;
        Ok(caught.newest - caught.position)
    }

    /// Tags that are versions, the highest first; one of them, or all.
    fn known(&self, only: Option<&str>) -> Result<Vec<Known>, Failure> {
        let mut began = self.began(only)?;
        let mut all = Vec::new();
        let is_wanted = |tag: &str| only.is_none_or(|it| it == tag);
        let there = Repository::tagged(self.path)?;
        for tag in there.into_iter().filter(|it| is_wanted(&it.tag)) {
            let runs = began.remove(&tag.tag).unwrap_or_default();
            all.extend(Known::of(tag, false, runs));
        }
        // What the journal has and git has not: somebody took the tag away.
        for (tag, runs) in began {
            let Some((commit, at)) = runs.first().map(|it| (it.commit.clone(), it.at)) else {
                continue;
            };
            let tag = Tagged { tag, commit, by: None, at };
            all.extend(Known::of(tag, true, runs));
        }
        all.sort_by(|one, other| {
            (&other.version, &other.tag.tag).cmp(&(&one.version, &one.tag.tag))
        });
        Ok(all)
    }

    /// The runs that pushes of tags began, the newest first, by tag.
    fn began(&self, only: Option<&str>) -> Result<BTreeMap<String, Vec<Began>>, Failure> {
        // In this order: what ends between the two is among both, and in the other order among none, as if the rest
        // were all that its push began.
        let open = self.open(only)?;
        self.figures.catch_up(self.store, &mut |_| false).map_err(failed)?;
        let over = self.figures.tag_runs(self.name, only).map_err(failed)?;
        let mut all: BTreeMap<String, Vec<Began>> = BTreeMap::new();
        for (tag, it) in open {
            all.entry(tag).or_default().push(it);
        }
        for it in over {
            all.entry(it.tag.clone()).or_default().push(Began::over(it));
        }
        for runs in all.values_mut() {
            runs.sort_by_key(|it| Reverse((it.run, it.attempt)));
        }
        Ok(all)
    }

    /// Those that are not over.
    fn open(&self, only: Option<&str>) -> Result<Vec<(String, Began)>, Failure> {
        let streams = self.store.open_of::<RunEvent>();
        let streams = streams.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let mut all = Vec::new();
        for stream in streams {
            let Some(request) = self.request(stream)? else { continue };
            let tag = request.event.git_ref.strip_prefix("refs/tags/");
            let Some(tag) = tag.filter(|it| only.is_none_or(|only| only == *it)) else { continue };
            if *request.event.name == *"push" && *request.repository == *self.name {
                all.push((tag.to_owned(), Began::open(&request)));
            }
        }
        Ok(all)
    }

    /// What a run was made from; none where it was pruned, or a newer version wrote it.
    fn request(&self, stream: StreamId) -> Result<Option<RunRequest>, Failure> {
        match self.store.first::<RunEvent>(stream) {
            Ok(first) => Ok(first.and_then(|it| match it.event {
                RunEvent::RunCreated(request) => Some(*request),
                _ => None,
            })),
            Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => Ok(None),
            Err(error) => Err(Failure::caused(Exit::Missing, error)),
        }
    }

    fn line(&self, known: &Known) -> Result<VersionLine, Failure> {
        let first = known.runs.iter().min_by_key(|it| (it.run, it.attempt));
        let first = first.map(|it| StreamId::Run(it.run, Attempt(1)));
        let request = first.map(|it| self.request(it)).transpose()?.flatten();
        let pushed = request.map(|it| (it.actor.to_string(), it.at));
        let by = pushed.as_ref().map(|it| it.0.clone()).or_else(|| known.tag.by.clone());
        let runs: Vec<RunOfVersion> = known.runs.iter().map(|it| it.of.clone()).collect();
        Ok(VersionLine {
            repository: self.name.to_owned(),
            prerelease: known.version.is_prerelease(),
            commit: known.tag.commit.clone(),
            by,
            at_ms: pushed.map_or(known.tag.at, |it| it.1),
            gone: known.is_gone,
            standing: standing(&runs),
            github: self.at_github.get(&known.tag.tag).cloned(),
            tag: known.tag.tag.clone(),
        })
    }

    fn notes(&self, known: &Known) -> Result<(Option<String>, Notes), Failure> {
        let Known { version, tag, .. } = known;
        let before = Repository::tagged_before(self.path, &tag.commit)?;
        let found = previous(version, before.iter().map(|it| &*it.tag)).map(str::to_owned);
        let since = before.iter().find(|it| Some(&it.tag) == found.as_ref());
        let since = since.map(|it| &*it.commit);
        let (said, count) = Repository::said_between(self.path, since, &tag.commit, COMMITS_MAX)?;
        let said: Vec<Noted> = said.into_iter().map(noted).collect();
        Ok((found, Notes::of(&said, count)))
    }

    /// What the runs kept, of every attempt: artifacts belong to the run.
    fn artifacts(&self, runs: &[Began]) -> Result<(Vec<VersionArtifact>, usize), Failure> {
        let mut all = Vec::new();
        for it in runs {
            let mut known = BTreeSet::new();
            for attempt in (1..=it.attempt.0).rev() {
                let Some(view) = self.view(StreamId::Run(it.run, Attempt(attempt)))? else {
                    continue;
                };
                for (name, artifact) in view.artifacts {
                    let name = name.as_str().to_owned();
                    if known.insert(name.clone()) {
                        all.push(VersionArtifact {
                            run: format!("{}.{attempt}", it.run),
                            name,
                            size_bytes: artifact.size_bytes,
                            expires_at_ms: artifact.expires_at,
                        });
                    }
                }
            }
        }
        all.sort_by(|one, other| (&one.run, &one.name).cmp(&(&other.run, &other.name)));
        let more = all.len().saturating_sub(ARTIFACTS_MAX);
        all.truncate(ARTIFACTS_MAX);
        Ok((all, more))
    }

    fn view(&self, stream: StreamId) -> Result<Option<RunView>, Failure> {
        match self.store.read(stream, Seq(0)) {
            Ok(events) => Ok(RunView::of(events.iter().map(|it| &it.event))),
            Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => Ok(None),
            Err(error) => Err(Failure::caused(Exit::Missing, error)),
        }
    }
}

impl Known {
    /// None where the tag is no version. Of its runs those count that ran what it leads to now: of each workflow the
    /// newest, and of that the newest attempt.
    fn of(tag: Tagged, is_gone: bool, mut runs: Vec<Began>) -> Option<Known> {
        let version = Version::of_tag(&tag.tag)?;
        let mut seen = BTreeSet::new();
        runs.retain(|it| it.commit == tag.commit && seen.insert(it.of.workflow.clone()));
        Some(Known { version, tag, is_gone, runs })
    }
}

impl Began {
    fn over(it: TagRun) -> Began {
        let run = format!("{}.{}", it.run, it.attempt);
        let of = RunOfVersion { run, workflow: it.workflow, conclusion: Some(it.conclusion) };
        Began { run: it.run, attempt: it.attempt, commit: it.commit, at: it.created_at, of }
    }

    fn open(request: &RunRequest) -> Began {
        let run = format!("{}.{}", request.run, request.attempt);
        let workflow = request.workflow.path.to_string();
        Began {
            run: request.run,
            attempt: request.attempt,
            commit: request.change.commit.to_string(),
            at: request.at,
            of: RunOfVersion { run, workflow, conclusion: None },
        }
    }
}

/// GitHub signs what its buttons make by a name that it lets nobody have; whoever may push could write it all the
/// same, and would mislead readers of their own notes.
fn noted(it: Said) -> Noted {
    let (name, address) = &it.committer;
    let is_by_github = name.starts_with("GitHub") && address.starts_with("noreply@");
    Noted { id: it.id, parents: it.parents, is_by_github, message: it.message }
}

pub(crate) fn failed(error: figures::FiguresError) -> Failure {
    Failure::caused(Exit::Missing, error)
}

#[cfg(test)]
mod tests {
    use event::{Conclusion, Fact as _};
    use serde_json::json;

    use super::*;

    /// A run of a workflow that the push of v1.0.0 began.
    fn begin(store: &Store, run: u64, workflow: &str) {
        let created = json!({ "type": "RunCreated", "run": run, "attempt": 1, "run_number": run, "carried": [],
            "repository": "octo/app", "repository_path": "/srv/app.git", "workflow": { "path": workflow, "text": "" },
            "called": {}, "title": "Tidy", "event": { "name": "push", "git_ref": "refs/tags/v1.0.0", "payload": {} },
            "change": { "commit": "0123", "authored_at": 1, "committed_at": 2, "uncommitted": 0 }, "inputs": {},
            "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona", "at": 5 });
        append(store, run, 0, &created);
    }

    fn append(store: &Store, run: u64, seq: u64, event: &serde_json::Value) {
        let event = RunEvent::decode(event.to_string().as_bytes()).expect("an event");
        let stream = StreamId::Run(RunId(run), Attempt(1));
        store.append(stream, Seq(seq), Timestamp(6), &[event]).expect("a journal");
    }

    #[test]
    fn what_ends_while_somebody_looks_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a journal");
        begin(&store, 1, "ci.yml");
        begin(&store, 2, "release.yml");
        let figures = Figures::open(folder.path()).expect("figures");
        figures.catch_up(&store, &mut |_| true).expect("figures");
        append(&store, 2, 1, &json!({ "type": "RunCompleted", "conclusion": "failure", "at": 7 }));
        let sources = Sources {
            path: folder.path(),
            name: "octo/app",
            project: None,
            store: &store,
            figures: &figures,
            at_github: &BTreeMap::new(),
        };
        let runs = sources.began(None).expect("both answer").remove("v1.0.0").expect("its runs");
        let ends: Vec<_> = runs.iter().map(|it| (it.run.0, it.of.conclusion, it.at)).collect();
        let failed = (2, Some(Conclusion::Failure), Timestamp(5));
        assert_eq!(ends, [failed, (1, None, Timestamp(5))]);
    }
}
