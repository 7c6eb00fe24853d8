//! The driver, wired to this machine: the state folder, real workers, signals, and whoever watches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use driver::{
    Ended, GroupLocks, Groups, Grown, Home, HomeError, Input, Loop, Observer, Owner, Settings,
    Shell, Workers,
};
use event::{
    BlobId, CancelReason, JobDefinition, JobKey, RunEvent, RunId, RunRequest, StreamId, Terms,
};
use mask::{MaskedText, Secret};
use ports::Lease;
use protocol::{JobOptions, JobPaths};
use repository::PrivateStore;
use scheduler::Surroundings;
use store::{Logs, Store, Sums};

use crate::exit::{Exit, Failure};
use crate::kept;
use crate::random;
use crate::running::artifacts::RunArtifacts;
use crate::running::levels::Levels;
use crate::running::prepare::refuse;
use crate::running::walls::KeptIn;
use crate::state::StateFolder;
use crate::terminal::display::{Display, Shown};
use crate::terminal::report::Reporter;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// What runs need besides their requests.
pub(crate) struct Engine {
    pub(crate) state: StateFolder,
    pub(crate) store: Arc<Store>,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) options: JobOptions,
    /// What was settled on top of what the runs' requests say.
    pub(crate) terms: Terms,
    /// Root of the user's repository.
    pub(crate) repository: PathBuf,
    /// Where its actions are pinned.
    pub(crate) lock_file: PathBuf,
    /// Under which secrets are kept for it.
    pub(crate) identity: String,
    /// Which of its jobs are kept in.
    pub(crate) kept_in: KeptIn,
    /// What may happen in its environments.
    pub(crate) levels: Levels,
    /// Jobs at a time.
    pub(crate) width: usize,
}

/// How it ended, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// Every run is over.
    Over,
    /// Lost jobs wait for a person.
    AwaitingPerson,
}

impl Engine {
    /// Takes the inputs (runs to make, or to go on with), and drives until all is over.
    pub(crate) fn drive(
        &self,
        owners: &[Owner],
        inputs: Vec<Input>,
        reporter: &mut dyn Reporter,
    ) -> Result<Finish, Failure> {
        let (shown, display) = Display::new(Arc::clone(&self.store), &mut *reporter);
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| display.run());
            self.drive_shown(owners, inputs, shown)
        });
        reporter.end();
        for owner in owners {
            // Goes with its last job; what is left in it is the business of `prune`.
            let _ = std::fs::remove_dir(self.state.attempt(owner.stream()));
            let (run, attempt) = owner.stream().as_run().expect("the stream of a run");
            self.store.logs().close(run, attempt);
        }
        match ended? {
            Ended::AwaitingPerson => Ok(Finish::AwaitingPerson),
            Ended::Done | Ended::Detached => Ok(Finish::Over),
        }
    }

    /// What happens is in the journal when this ends, and all of it is handed in to be shown.
    fn drive_shown(
        &self,
        owners: &[Owner],
        inputs: Vec<Input>,
        shown: Shown,
    ) -> Result<Ended, Failure> {
        let fault = |error: driver::DriverError| match error {
            driver::DriverError::Refused(_) => Failure::caused(Exit::Refused, error),
            driver::DriverError::GroupHeld { .. } => Failure::caused(Exit::Forbidden, error)
                .hint("go on when that run has ended, or end it: launchway runs cancel"),
            _ => Failure::caused(Exit::Missing, error),
        };
        driver::become_subreaper().map_err(|error| Failure::caused(Exit::Missing, error))?;
        let (sender, receiver) = channel();
        let signals = Signals::listen(sender.clone())?;
        let program =
            std::env::current_exe().map_err(|error| Failure::caused(Exit::Missing, error))?;
        let workers = Workers::new(program, sender);
        let artifacts = RefCell::new(RunArtifacts::new(Arc::clone(&self.store)));
        let sums = Sums::default();
        let watcher =
            Watcher { artifacts: &artifacts, sums: &sums, logs: self.store.logs(), shown };
        let settings = Settings { width: self.width.max(1), tracking: tracking()? };
        let journal = Arc::clone(&self.store);
        let groups = GroupLocks::new(self.state.groups());
        let home = HomeFolders { engine: self, artifacts: &artifacts, sums: &sums, groups };
        let round = Loop::new(settings, journal, workers, home, watcher);
        let mut shell = Shell::new(round, receiver);
        for owner in owners.iter().filter(|owner| self.is_in_journal(owner.stream())) {
            shell.inner().adopt(owner.stream()).map_err(fault)?;
        }
        // What only ends starts nothing: it may end whoever has its groups by now.
        let only_ends = |input: &Input| matches!(input, Input::Cancel { .. });
        if inputs.is_empty() || !inputs.iter().all(only_ends) {
            shell.inner().hold_groups().map_err(fault)?;
        }
        for input in inputs {
            shell.take(input).map_err(fault)?;
        }
        let ended = shell.run(&mut |error| talk(&format!("warning: {error}"))).map_err(fault);
        signals.stop();
        ended
    }

    fn is_in_journal(&self, stream: StreamId) -> bool {
        use ports::Journal;
        self.store.read(stream, event::Seq(0)).is_ok_and(|events| !events.is_empty())
    }

    /// The right to drive a run.
    pub(crate) fn claim(&self, stream: StreamId) -> Result<Owner, Failure> {
        match Owner::claim(&self.state.owners(), stream) {
            Ok(Some(owner)) => Ok(owner),
            Ok(None) => Err(Failure::new(
                Exit::Forbidden,
                format!("{stream} is being run by another launchway"),
            )
            .hint("launchway runs watch shows it, launchway runs cancel stops it")),
            Err(error) => Err(Failure::caused(Exit::Missing, error)),
        }
    }
}

/// What tracking ids begin with: no other process ever had it.
pub(crate) fn tracking() -> Result<Arc<str>, Failure> {
    Ok(format!("github_{}", random::hex::<16>()?).into())
}

/// Folders, secrets and logs of jobs.
struct HomeFolders<'e> {
    engine: &'e Engine,
    artifacts: &'e RefCell<RunArtifacts>,
    sums: &'e Sums,
    groups: GroupLocks,
}

pub(crate) fn log_of(logs: &Logs, lease: &Lease) -> PathBuf {
    let (run, attempt) = lease.stream.as_run().expect("the stream of a run");
    logs.path(run, attempt, &lease.job, lease.fence)
}

/// The log that a job wrote, as a blob.
pub(crate) fn keep_log(store: &Store, sums: &Sums, lease: &Lease) -> Option<BlobId> {
    let log = log_of(store.logs(), lease);
    let (blob, _) = store.blobs().adopt_summed(&log, sums.finish(&log)).ok()?;
    Some(blob)
}

impl Engine {
    /// Where below the caches those of a run begin: what code from outside keeps is read by nobody else.
    fn caches(&self, request: &RunRequest, terms: &Terms) -> PathBuf {
        let outside = Path::new("outside");
        match request.event.payload.pointer("/pull_request/number") {
            Some(number) if terms.outside => outside.join(&self.identity).join(number.to_string()),
            _ if terms.outside => outside.join(request.run.to_string()),
            _ => PathBuf::new(),
        }
    }

    /// Secrets, folders and options for a lease.
    pub(crate) fn surroundings(
        &self,
        artifacts: &RunArtifacts,
        lease: &Lease,
        request: &RunRequest,
        definition: &JobDefinition,
    ) -> Result<Surroundings, HomeError> {
        let (run, attempt) = lease.stream.as_run().expect("the stream of a run");
        let terms = request.terms.and(&self.terms);
        refuse::at_start(request, definition, &terms).map_err(|message| HomeError { message })?;
        if let Some(environment) = &definition.environment
            && let Some(why) = self.levels.refusal(environment.as_str())
        {
            return Err(HomeError { message: why });
        }
        let Engine { state, store, secrets, options, repository, .. } = self;
        let caches = self.caches(request, &terms);
        let labels = definition.runner.as_ref().map_or(&[][..], |runner| &runner.labels);
        let walls = self.kept_in.around(state.root(), &terms, labels);
        let image = self.kept_in.image(&terms, labels);
        let limits = self.kept_in.limits(labels);
        let user = walls.as_ref().and_then(|walls| walls.user.as_ref());
        let (tools, downloads) = protocol::shared_folders(state.root(), &caches, user);
        let log = store
            .logs()
            .create(run, attempt, &lease.job, lease.fence)
            .map_err(|error| HomeError { message: error.to_string() })?;
        let job = state.attempt(lease.stream).join(log.file_stem().unwrap_or_default());
        artifacts.list(run, &job).map_err(|error| HomeError { message: format!("{error:#}") })?;
        let text = |path: PathBuf| Arc::from(path.to_string_lossy());
        let paths = JobPaths {
            repository: text(repository.clone()),
            job: text(job),
            log: text(log),
            blobs: text(state.blobs()),
            actions: text(state.actions()),
            caches: text(state.caches().iter().chain(caches.iter()).collect()),
            tools: text(tools),
            downloads: text(downloads),
            lock_file: text(self.lock_file.clone()),
        };
        let exposed = |(key, value): (&String, &Secret)| (key.clone(), value.expose().to_owned());
        let mut secrets: BTreeMap<String, String> = secrets.iter().map(exposed).collect();
        if terms.outside {
            secrets.clear();
        }
        // An environment's own are for its jobs alone, and come before everybody's.
        if let Some(environment) = &definition.environment
            && !terms.outside
        {
            let own = kept::vault(state)
                .secrets_of(&self.identity, environment.as_str())
                .map_err(|error| HomeError { message: error.to_string() })?;
            secrets.extend(own.iter().map(exposed));
        }
        let change = &request.change;
        let objects = change.store.as_ref().map(|name| {
            let objects = PrivateStore::objects(&state.snapshots(), name);
            Arc::from(objects.to_string_lossy())
        });
        let (snapshot, gated) = (change.snapshot.clone(), request.terms.gated);
        let options =
            JobOptions { snapshot, objects, walls, limits, image, gated, ..options.clone() };
        Ok(Surroundings { secrets, paths, options })
    }
}

impl Home for HomeFolders<'_> {
    fn surroundings(
        &mut self,
        lease: &Lease,
        request: &RunRequest,
        definition: &JobDefinition,
    ) -> Result<Surroundings, HomeError> {
        let terms = request.terms.and(&self.engine.terms);
        refuse::elsewhere(definition, refuse::Machine::here(&terms.labels))
            .map_err(|message| HomeError { message })?;
        self.engine.surroundings(&self.artifacts.borrow(), lease, request, definition)
    }

    fn keep_log(&mut self, lease: &Lease) -> Option<BlobId> {
        keep_log(&self.engine.store, self.sums, lease)
    }

    fn groups(&mut self) -> Groups<'_> {
        Groups::Locked(&mut self.groups)
    }

    fn runner(&self, _stream: StreamId, _job: &JobKey) -> Arc<str> {
        "launchway".into()
    }
}

/// Where the actions that workflows name are pinned, from the repository's root.
pub(crate) const LOCK_FILE: &str = ".launchway/actions.lock";

/// Hands on what happens.
struct Watcher<'a> {
    artifacts: &'a RefCell<RunArtifacts>,
    sums: &'a Sums,
    logs: &'a Logs,
    shown: Shown,
}

impl Observer for Watcher<'_> {
    fn on_event(&mut self, stream: StreamId, event: &RunEvent) {
        self.artifacts.borrow_mut().take(stream, event);
        self.shown.event(stream, event);
    }

    fn on_log(&mut self, lease: &Lease, grown: &Grown) {
        if grown.own.is_none() {
            self.sums.grown(&log_of(self.logs, lease), grown.bytes);
        }
        self.shown.log(lease, grown);
    }

    fn on_adopted(&mut self, stream: StreamId, events: &[RunEvent]) {
        for event in events {
            self.artifacts.borrow_mut().take(stream, event);
            self.shown.past(run_of(stream), event);
        }
    }
}

/// SIGINT, SIGTERM and SIGHUP as inputs: the first cancels, the second does not wait for jobs whose
/// condition wants them to go on.
struct Signals {
    handle: signal_hook::iterator::Handle,
}

impl Signals {
    fn listen(inputs: Sender<Input>) -> Result<Signals, Failure> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        let handle = signals.handle();
        std::thread::spawn(move || {
            for (count, _) in signals.forever().enumerate() {
                let by = MaskedText::without_secrets("the person at the terminal");
                let asked = Some(crate::deploying::here());
                let reason = if count == 0 {
                    talk("cancelling; once more to end it without waiting");
                    CancelReason::Person { by, asked }
                } else {
                    CancelReason::Forced { by, asked }
                };
                // The loop has ended when nobody takes it.
                let _ = inputs.send(Input::Cancel { stream: None, job: None, reason });
            }
        });
        Ok(Signals { handle })
    }

    fn stop(&self) {
        self.handle.close();
    }
}

/// How all runs ended: the exit code.
pub(crate) fn exit_of(store: &Store, runs: &[StreamId]) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for stream in runs {
        let view = crate::journal::view(store, *stream)?;
        exit = worse(exit, exit_of_run(view.conclusion));
    }
    Ok(exit)
}

pub(crate) fn exit_of_run(conclusion: Option<event::Conclusion>) -> Exit {
    use event::Conclusion::{Cancelled, Failure, Skipped, Success, TimedOut};
    match conclusion {
        Some(Success | Skipped) => Exit::Done,
        Some(Cancelled) => Exit::Cancelled,
        Some(Failure | TimedOut) | None => Exit::Failed,
    }
}

/// A failure counts more than a cancel, a cancel more than nothing.
fn worse(one: Exit, other: Exit) -> Exit {
    let weight = |exit: Exit| match exit {
        Exit::Done => 0,
        Exit::Cancelled => 1,
        _ => 2,
    };
    if weight(other) > weight(one) { other } else { one }
}

/// The run's number in a stream's name.
pub(crate) fn run_of(stream: StreamId) -> RunId {
    let (run, _) = stream.as_run().expect("the stream of a run");
    run
}

/// Jobs at a time where nobody says otherwise.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Ends what launchways that were killed left running, and writes what became of their jobs. Workers
/// of a server that is away go on, but for those of a run that is `wanted`.
pub(crate) fn sweep(
    state: &StateFolder,
    store: &Arc<Store>,
    wanted: Option<StreamId>,
) -> Result<driver::Swept, Failure> {
    let is_living = |lease: &Lease| driver::is_living(&job_folder(state, store.logs(), lease));
    // Of a runner on another machine only its server hears.
    let spared = |lease: &Lease, runner: Option<&str>| {
        Some(lease.stream) != wanted && (runner.is_some() || is_living(lease))
    };
    driver::sweep(Arc::clone(store), &state.owners(), now(), (), &spared)
        .map_err(|error| Failure::caused(Exit::Missing, error))
}

/// The folder that the job of a lease runs in.
pub(crate) fn job_folder(state: &StateFolder, logs: &Logs, lease: &Lease) -> PathBuf {
    state.attempt(lease.stream).join(log_of(logs, lease).file_stem().unwrap_or_default())
}
