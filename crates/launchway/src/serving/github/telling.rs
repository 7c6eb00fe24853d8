//! What GitHub is told of runs: checks, statuses, deployments, the comment of a pull request.
//!
//! What is owed is computed from the journal, run by run, whenever one changed; the crate `forge`
//! sends what is not there yet, and looks first where it does not know. All that is remembered is a
//! place in the journal, which moves on when everything before it was told: whoever is killed tells
//! the last few runs again, which changes nothing.
//!
//! It is no consumer of the crate `outbox`, although messages are. What is owed here is no message but a
//! state: whatever a run's events were, its checks are to stand as they are now, and the key that makes them
//! stand there once is on GitHub's side. A row for each event would hold a run's name and nothing else, at
//! three commits of the journal's writer each (owed, begun, settled), where now a round writes one small
//! file; and it would be given up after three days, where a check that nobody told stays wrong for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use event::{RunEvent, RunRequest, Seq, StreamId};
use figures::{Figures, RunImages, RunTests, TestResult};
use forge::{
    FailedTest, FailedTests, FlagCoverage, ForgeError, ImageSize, Judged, Limit, Reported, Subject,
    Told,
};
use ports::Journal as _;
use repository::Repository;
use serde::{Deserialize, Serialize};
use store::Store;
use views::RunView;

use super::{Link, Links};
use crate::exit::{Exit, Failure};
use crate::held::{self, Finding};
use crate::serving::data::{self, DataFolder};
use crate::serving::repositories;
use crate::terminal::scan_lines;
use crate::terminal::style::talk;

/// The journal is looked at so often: changes within it are told at once.
pub(super) const LOOK: Duration = Duration::from_millis(300);
/// Facts that are read at once.
const FEED_MAX: usize = 1_000;
/// Runs that are looked through for those of a pull request.
const RUNS_SEARCHED_MAX: usize = 200;
/// Requests that are remembered, in short.
const KNOWN_MAX: usize = 2_000;
/// What was said, and is not said again; then it is.
const SAID_MAX: usize = 1_000;
/// After GitHub did not answer.
const AGAIN: Duration = Duration::from_secs(2);
/// What changes nothing that GitHub is told.
const QUIET: &[&str] = &[
    "StepStarted",
    "StepCompleted",
    "AnnotationAdded",
    "SummaryWritten",
    "ArtifactUploaded",
    "ImageBuilt",
];

/// Whoever tells.
pub(crate) struct Telling {
    pub(crate) data: DataFolder,
    pub(crate) store: Arc<Store>,
    pub(crate) links: Arc<Links>,
    /// How people reach the server.
    pub(crate) url: String,
}

/// Where the journal was told up to.
#[derive(Serialize, Deserialize)]
struct Place {
    position: u64,
}

/// What a run is of.
#[derive(Clone)]
struct Of {
    repository: String,
    /// Where its commits are here.
    path: PathBuf,
    workflow: Arc<str>,
    subject: Subject,
}

/// Why something is not told.
pub(super) enum NotNow {
    /// It is tried again, after so long.
    Later(Duration, String),
    Failed(Failure),
}

impl From<Failure> for NotNow {
    fn from(failure: Failure) -> NotNow {
        NotNow::Failed(failure)
    }
}

impl Telling {
    /// Tells until the other end of `stop` is dropped.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut work = Work {
            telling: self,
            told: Told::default(),
            forks: BTreeMap::new(),
            known: BTreeMap::new(),
            said: BTreeSet::new(),
        };
        let mut wait = LOOK;
        let mut owed = BTreeSet::new();
        let mut read = None;
        loop {
            match stop.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
            wait = LOOK;
            match self.round(&mut work, &mut read, &mut owed) {
                Ok(()) => work.said.retain(|it| !it.starts_with("waits:")),
                Err(NotNow::Later(again, why)) => {
                    work.say(&format!("waits:{why}"), &format!("{why}; it is told later"));
                    wait = again;
                }
                Err(NotNow::Failed(failure)) if store::is_away(failure.error.as_ref()) => {
                    wait = AGAIN;
                }
                Err(NotNow::Failed(failure)) => {
                    let text = format!("{:#}", failure.error);
                    work.say(&text, &text);
                    wait = AGAIN;
                }
            }
        }
    }

    fn round(
        &self,
        work: &mut Work<'_>,
        read: &mut Option<u64>,
        owed: &mut BTreeSet<StreamId>,
    ) -> Result<(), NotNow> {
        let Some(link) = self.links.get()? else { return Ok(()) };
        let position = match *read {
            Some(position) => position,
            None => self.begin()?,
        };
        let mut position = position;
        loop {
            let happened = self.store.feed(position, FEED_MAX);
            let happened = happened.map_err(|error| Failure::caused(Exit::Missing, error))?;
            let Some(last) = happened.last() else { break };
            position = last.position;
            let loud = happened
                .iter()
                .filter(|it| it.kind.as_deref().is_some_and(|kind| !QUIET.contains(&kind)));
            let streams = loud.filter_map(|it| it.stream.parse::<StreamId>().ok());
            owed.extend(streams.filter(|it| it.as_run().is_some()));
            let over =
                happened.iter().filter(|it| it.kind.as_deref() == Some("DeploymentCompleted"));
            owed.extend(over.filter_map(|it| it.stream.parse::<StreamId>().ok()));
        }
        let is_new = *read != Some(position);
        *read = Some(position);
        let began = Instant::now();
        while let Some(stream) = owed.first().copied() {
            match stream.as_run() {
                Some(_) => work.run(&link, stream)?,
                None => work.deployment(&link, stream)?,
            }
            owed.remove(&stream);
            // What happened meanwhile is looked at before the rest, or it would be told late.
            if began.elapsed() > AGAIN {
                return Ok(());
            }
        }
        if is_new {
            data::write(&self.data.path("told.json"), &Place { position })?;
        }
        Ok(())
    }

    /// Where an earlier server ended; at first where the journal ends: nobody waits for what is past.
    fn begin(&self) -> Result<u64, Failure> {
        let path = self.data.path("told.json");
        if let Some(Place { position }) = data::read(&path)? {
            return Ok(position);
        }
        let mut position = 0;
        loop {
            let happened = self.store.feed(position, FEED_MAX);
            let happened = happened.map_err(|error| Failure::caused(Exit::Missing, error))?;
            let Some(last) = happened.last() else { break };
            position = last.position;
        }
        data::write(&path, &Place { position })?;
        Ok(position)
    }
}

pub(super) struct Work<'t> {
    pub(super) telling: &'t Telling,
    told: Told,
    /// Which repositories are forks of others.
    pub(super) forks: BTreeMap<String, bool>,
    known: BTreeMap<StreamId, Option<Of>>,
    said: BTreeSet<String>,
}

impl Work<'_> {
    /// Tells all that GitHub is owed of a run.
    fn run(&mut self, link: &Link, stream: StreamId) -> Result<(), NotNow> {
        let Some(of) = self.of(stream)? else { return Ok(()) };
        let Some(view) = self.view(stream)? else { return Ok(()) };
        let (github, repository) = (&link.github, &of.repository);
        if github.is_app() {
            let tests = self.failed_tests(&view, stream, &of);
            for check in forge::checks(&view, &of.subject, &tests) {
                let told = self.told.check(github, repository, &check);
                self.settled(told, repository, "checks")?;
            }
        } else {
            for status in forge::statuses(&view, &of.subject) {
                let told = self.told.status(github, repository, &status);
                self.settled(told, repository, "statuses")?;
            }
        }
        for judged in self.judged(&view, stream, repository) {
            if github.is_app() {
                let check = forge::limit_check(&view, &of.subject, &judged);
                let told = self.told.check(github, repository, &check);
                self.settled(told, repository, "checks")?;
            } else {
                let status = forge::limit_status(&view, &of.subject, &judged);
                let told = self.told.status(github, repository, &status);
                self.settled(told, repository, "statuses")?;
            }
        }
        for deployment in forge::deployments(&view, &of.subject) {
            let told = self.told.deployment(github, repository, &deployment);
            self.settled(told, repository, "deployments")?;
        }
        if view.conclusion.is_some() {
            self.releases(link, (repository, &of.path), &view.header.commit)?;
        }
        let Some(number) = of.subject.pull_request else { return Ok(()) };
        let runs = self.of_pull_request(&of)?;
        let marker = forge::comment_marker(repository, number);
        let mut commented = Vec::new();
        for (stream, view, subject) in &runs {
            commented.push((view, subject.clone(), self.reported(view, *stream)));
        }
        let text = forge::comment(&marker, &commented);
        let told = self.told.comment(github, repository, number, (&marker, &text));
        self.settled(told, repository, "comments")
    }

    /// The tests that failed, as the reports of a run that is over say; each where it stands in the commit.
    fn failed_tests(&mut self, view: &RunView, stream: StreamId, of: &Of) -> FailedTests {
        if view.conclusion.is_none() || view.artifacts.is_empty() {
            return FailedTests::default();
        }
        let telling = self.telling;
        let read = || -> anyhow::Result<FailedTests> {
            let figures = Figures::open(telling.data.state.root())?;
            let told = figures.run_tests(&telling.store, stream)?.unwrap_or_default();
            if told.failed.is_empty() {
                return Ok(FailedTests::default());
            }
            let files = Repository::names_at(&of.path, &view.header.commit)?.unwrap_or_default();
            let failed = |it: TestResult| FailedTest {
                place: it
                    .line
                    .filter(|line| *line > 0)
                    .and_then(|line| Some((forge::place(&files, &of.repository, &it.file)?, line))),
                name: it.full_name(),
                job: it.job,
            };
            let all = told.counts.failed + told.counts.errored;
            let unlisted = all.saturating_sub(told.failed.len() as u64);
            Ok(FailedTests { listed: told.failed.into_iter().map(failed).collect(), unlisted })
        };
        // How the jobs ended is told without them, rather than not at all.
        read().unwrap_or_else(|error| {
            self.say(
                &format!("tests:{stream}"),
                &format!("the tests of a run are not told: {error:#}"),
            );
            FailedTests::default()
        })
    }

    /// Whether a run that is over is as the settings of the default branch ask: nobody changes that by the change that
    /// is to be merged. Nothing where nothing is asked of it.
    fn judged(&mut self, view: &RunView, stream: StreamId, repository: &str) -> Vec<Judged> {
        if !held::is_judged(view.conclusion) {
            return Vec::new();
        }
        let telling = self.telling;
        let read = || -> anyhow::Result<Vec<Judged>> {
            let found = repositories::on_github(&telling.data, repository);
            let Some((connected, _)) = found.map_err(|it| it.error)? else { return Ok(Vec::new()) };
            let settings = repositories::settings_at_tip(&connected).map_err(|it| it.error)?;
            let Some(settings) = settings.filter(held::asks) else { return Ok(Vec::new()) };
            let figures = Figures::open(telling.data.state.root())?;
            let journal = (&figures, &*telling.store);
            let found = held::found(&settings, journal, (view, stream))?;
            Ok(found.into_iter().map(judged).collect())
        };
        read().unwrap_or_else(|error| {
            self.say(
                &format!("judged:{repository}:{error:#}"),
                &format!("whether a run is as the settings ask is not told: {error:#}"),
            );
            Vec::new()
        })
    }

    /// What the reports of a run that is over say; none where it kept none.
    fn reported(&mut self, view: &RunView, stream: StreamId) -> Option<Reported> {
        let has_images = view.images().next().is_some();
        if view.conclusion.is_none() || view.artifacts.is_empty() && !has_images {
            return None;
        }
        let telling = self.telling;
        let read = || -> anyhow::Result<Option<Reported>> {
            let figures = Figures::open(telling.data.state.root())?;
            let told = figures.run_tests(&telling.store, stream)?;
            let images = figures.run_images(&telling.store, view)?;
            let scans = scan_lines::found(&figures.run_scans(&telling.store, view)?);
            Ok(Some(Reported { scans, ..reported(told.unwrap_or_default(), images) }))
        };
        // How the jobs ended is told without them, rather than not at all.
        read().unwrap_or_else(|error| {
            self.say(
                &format!("tests:{stream}"),
                &format!("the tests of a run are not told: {error:#}"),
            );
            None
        })
    }

    /// What GitHub will not take is said, once, and left; what it may take later is tried again.
    pub(super) fn settled(
        &mut self,
        told: Result<bool, ForgeError>,
        repository: &str,
        what: &str,
    ) -> Result<(), NotNow> {
        match told {
            Ok(_) => Ok(()),
            Err(ForgeError::Limited { host, seconds }) => {
                let why = format!("{host} takes no more calls for {seconds} s");
                Err(NotNow::Later(Duration::from_secs(seconds), why))
            }
            Err(error) if error.is_passing() => Err(NotNow::Later(AGAIN, error.to_string())),
            Err(error) => {
                let hint = error.hint().map(|it| format!(" ({it})")).unwrap_or_default();
                self.say(&format!("{repository} {what}"), &format!("{error}{hint}"));
                Ok(())
            }
        }
    }

    pub(super) fn say(&mut self, once: &str, text: &str) {
        if self.said.len() >= SAID_MAX {
            self.said.clear();
        }
        if self.said.insert(once.to_owned()) {
            talk(&format!("warning: GitHub: {text}"));
        }
    }

    /// The newest run of each workflow for the newest commit of a pull request.
    fn of_pull_request(&mut self, of: &Of) -> Result<Vec<(StreamId, RunView, Subject)>, NotNow> {
        let streams = self.telling.store.newest_streams(RUNS_SEARCHED_MAX);
        let streams = streams.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let mut newest = BTreeMap::new();
        let mut head = None;
        for stream in streams {
            let Some(other) = self.of(stream)? else { continue };
            let is_same = other.repository == of.repository
                && other.subject.pull_request == of.subject.pull_request;
            // The newest run's commit is the newest commit.
            if is_same && *head.get_or_insert(other.subject.head.clone()) == other.subject.head {
                newest.entry(other.workflow.clone()).or_insert((stream, other));
            }
        }
        let mut runs = Vec::new();
        for (stream, of) in newest.into_values() {
            runs.extend(self.view(stream)?.map(|view| (stream, view, of.subject)));
        }
        Ok(runs)
    }

    fn view(&self, stream: StreamId) -> Result<Option<RunView>, Failure> {
        match self.telling.store.read(stream, Seq(0)) {
            Ok(events) => Ok(RunView::of(events.iter().map(|it| &it.event))),
            // It was pruned, or is of a newer version: nobody is told of it.
            Err(ports::JournalError::Forgotten { .. } | ports::JournalError::Unreadable(_)) => {
                Ok(None)
            }
            Err(error) => Err(Failure::caused(Exit::Missing, error)),
        }
    }

    /// What a run is of; none where it is of nothing on GitHub.
    fn of(&mut self, stream: StreamId) -> Result<Option<Of>, Failure> {
        if let Some(known) = self.known.get(&stream) {
            return Ok(known.clone());
        }
        if stream.as_run().is_none() {
            return Ok(None);
        }
        let events = match self.telling.store.read(stream, Seq(0)) {
            Ok(events) => events,
            Err(ports::JournalError::Storage { action, source }) => {
                return Err(Failure::new(Exit::Missing, format!("{action}: {source}")));
            }
            Err(_) => Vec::new(),
        };
        let of = match events.into_iter().next().map(|it| it.event) {
            Some(RunEvent::RunCreated(request)) => self.of_request(&request)?,
            _ => None,
        };
        if self.known.len() >= KNOWN_MAX {
            self.known.pop_first();
        }
        self.known.insert(stream, of.clone());
        Ok(of)
    }

    fn of_request(&self, request: &RunRequest) -> Result<Option<Of>, Failure> {
        let data = &self.telling.data;
        let Some((connected, _)) = repositories::on_github(data, &request.repository)? else {
            return Ok(None);
        };
        let payload = &request.event.payload;
        let head = payload.pointer("/pull_request/head/sha").and_then(|it| it.as_str());
        let is_pull = request.event.name.starts_with("pull_request");
        let number = payload.pointer("/pull_request/number").and_then(serde_json::Value::as_u64);
        let head = head.filter(|_| is_pull).unwrap_or(&request.change.commit).to_owned();
        Ok(Some(Of {
            repository: connected.name,
            path: connected.path,
            workflow: Arc::clone(&request.workflow.path),
            subject: Subject {
                head,
                pull_request: number.filter(|_| is_pull),
                url: self.telling.url.clone(),
            },
        }))
    }
}

/// What is wrong stands first, and in the title.
fn judged((limit, findings): (Limit, Vec<Finding>)) -> Judged {
    let (broken, rest): (Vec<_>, Vec<_>) = findings.into_iter().partition(|it| it.is_broken);
    let is_held = broken.is_empty();
    let lines = broken.into_iter().chain(rest).map(|it| it.line).collect();
    Judged { limit, is_held, lines }
}

/// What reports say, in short, and how large images are.
fn reported(
    RunTests { counts, coverage, flags, .. }: RunTests,
    RunImages { images, .. }: RunImages,
) -> Reported {
    let flag = |it: figures::FlagFigures| {
        let before = it.coverage_before;
        Some(FlagCoverage { flag: it.flag, coverage: it.coverage?, before })
    };
    Reported {
        passed: counts.passed,
        failed: counts.failed + counts.errored,
        skipped: counts.skipped,
        coverage: coverage.as_ref().map(|it| (it.covered, it.lines)),
        coverage_before: coverage.and_then(|it| it.before),
        flags: flags.into_iter().filter_map(flag).collect(),
        images: images.into_iter().filter_map(image_size).collect(),
        scans: None,
    }
}

fn image_size(it: figures::RunImage) -> Option<ImageSize> {
    let name = it.names.first().map(|name| event::repository(name).to_owned());
    // Many see it, and a registry of one's own is long.
    let name = name.map_or_else(|| "without a name".to_owned(), |name| short(&name).to_owned());
    Some(ImageSize { name, bytes: it.size_bytes?, before: it.size_before_bytes })
}

/// A name without the registry that keeps it: `octo/app` of `ghcr.io/octo/app`.
fn short(name: &str) -> &str {
    match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => name,
    }
}
