//! The one loop of the server: all runs of all repositories, `--jobs` at a time.
//!
//! It is the loop that `launchway run` drives, on a thread of its own, and it never ends by itself.
//! Whoever wants something of it sends it an input through a [`Handle`].

pub(crate) mod gates;
mod looks;
pub(super) mod places;
pub(in crate::serving) mod stood;
pub(super) mod take_up;
pub(super) mod tokens;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use driver::{
    GroupLocks, Groups, Grown, Home, HomeError, Input, Kept, Looked, Loop, Observer, Owner,
    Settings, Shell, Workers,
};
use event::{BlobId, Conclusion, JobDefinition, JobKey, RunEvent, RunRequest, StreamId, Timestamp};
use mask::MaskedText;
use ports::Lease;
use repository::HeldStore;
use runners::{AllWorkers, Fleet, FleetOptions};
use scheduler::{Answer, GateRead, Surroundings, Unserved};
use server::Hub;
use store::{Store, Sums};

use self::looks::Looks;
use self::places::{Book, Machines};
use self::take_up::take_up;
use self::tokens::JobTokens;
use super::data::DataFolder;
use crate::cli::{AgainArgs, Format, LimitArgs};
use crate::deploying::checks::Runs;
use crate::exit::{Exit, Failure};
use crate::running::again;
use crate::running::artifacts::RunArtifacts;
use crate::running::engine::{Engine, keep_log, log_of, tracking};
use crate::running::walls::KeptIn;
use crate::terminal::style::talk;

/// A longer queue is not looked through after each round ...
const QUEUE_AT_ONCE: usize = 200;
/// ... but this often.
const QUEUE_LOOK: Duration = Duration::from_millis(200);

/// How long the loop may take to write down that a run exists.
const CREATE_PATIENCE: Duration = Duration::from_secs(30);
/// Answers that are kept for those who wait for them.
const HEARD_MAX: usize = 100;

/// Where the loop is asked for things, and what is known of it without asking.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Shared>);

struct Shared {
    inputs: Sender<Input>,
    /// Runs that this server drives, with the right to.
    driven: Mutex<BTreeMap<StreamId, Driven>>,
    created: Condvar,
    /// What came of answers at gates that somebody waits for: why one does not count.
    heard: Mutex<BTreeMap<Arc<str>, Option<MaskedText>>>,
    answered: Condvar,
    fleet: Arc<Fleet>,
    busy: AtomicUsize,
    /// Jobs that run on each machine; none is this one.
    busy_on: Mutex<BTreeMap<Option<Arc<str>>, usize>>,
    ready: AtomicUsize,
    /// Jobs that are ready and have no worker, as the loop saw them last.
    queue: Mutex<Vec<(StreamId, JobKey, Unserved)>>,
    places: Machines,
    data: DataFolder,
}

struct Driven {
    _owner: Owner,
    /// What its files come from stays while it runs.
    _held: Option<HeldStore>,
    is_created: bool,
}

impl Handle {
    /// A run of an earlier server is driven by this one.
    pub(super) fn takes_up(&self, owner: Owner, held: Option<HeldStore>) {
        let driven = Driven { _owner: owner, _held: held, is_created: true };
        self.driven().insert(driven._owner.stream(), driven);
    }

    pub(super) fn data(&self) -> &DataFolder {
        &self.0.data
    }

    fn driven(&self) -> MutexGuard<'_, BTreeMap<StreamId, Driven>> {
        self.0.driven.lock().expect("nobody panics while holding the list")
    }

    /// Whether this server drives it.
    pub(crate) fn drives(&self, stream: StreamId) -> bool {
        self.driven().contains_key(&stream)
    }

    /// The runs that this server drives.
    pub(super) fn driving(&self) -> Vec<StreamId> {
        self.driven().keys().copied().collect()
    }

    /// Sends an input; nobody takes it when the loop has ended.
    pub(crate) fn send(&self, input: Input) {
        let _ = self.0.inputs.send(input);
    }

    pub(crate) fn width(&self) -> usize {
        self.0.places.width
    }

    /// The machines that take jobs.
    pub(crate) fn places(&self) -> &Machines {
        &self.0.places
    }

    /// Those among them that are elsewhere.
    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.0.fleet
    }

    /// Jobs that run on a machine; none is this one.
    pub(crate) fn busy_on(&self, runner: Option<&str>) -> usize {
        let busy = self.0.busy_on.lock().expect("nobody panics while holding the counts");
        busy.get(&runner.map(Arc::from)).copied().unwrap_or(0)
    }

    /// Jobs that are ready and have no worker, in the order of their turn.
    pub(crate) fn queue(&self) -> Vec<(StreamId, JobKey, Unserved)> {
        self.0.queue.lock().expect("nobody panics while holding the queue").clone()
    }

    /// Those of one run.
    pub(crate) fn waits(&self, stream: StreamId) -> Vec<(JobKey, Unserved)> {
        let queue = self.0.queue.lock().expect("nobody panics while holding the queue");
        let own = queue.iter().filter(|(it, ..)| *it == stream);
        own.map(|(_, job, why)| (job.clone(), why.clone())).collect()
    }

    /// Jobs that run, and jobs that could.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.0.busy.load(Ordering::Relaxed), self.0.ready.load(Ordering::Relaxed))
    }

    /// Has a run made, and comes back when the journal has it.
    pub(crate) fn create(&self, input: Input, stream: StreamId) -> Result<(), Failure> {
        let Input::CreateRun { request, .. } = &input else { unreachable!("it makes a run") };
        let held = again::hold_store(&self.0.data.state, request)?;
        let owner = Owner::claim(&self.0.data.state.owners(), stream)
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        let Some(owner) = owner else {
            return Err(Failure::new(Exit::Forbidden, format!("{stream} is being made elsewhere")));
        };
        let mut driven = self.driven();
        driven.insert(stream, Driven { _owner: owner, _held: held, is_created: false });
        self.send(input);
        let is_waiting = |driven: &mut BTreeMap<StreamId, Driven>| {
            driven.get(&stream).is_some_and(|it| !it.is_created)
        };
        let waited = self.0.created.wait_timeout_while(driven, CREATE_PATIENCE, is_waiting);
        let (driven, time) = waited.expect("nobody panics while holding the list");
        drop(driven);
        if time.timed_out() {
            return Err(Failure::new(Exit::Missing, format!("{stream} was not made in time")));
        }
        Ok(())
    }

    /// Has somebody say something at a job's gate, and comes back when it is written down: with why it
    /// does not count, where it does not.
    pub(crate) fn answer(
        &self,
        stream: StreamId,
        job: JobKey,
        answer: Answer,
    ) -> Result<Option<MaskedText>, Failure> {
        let id = Arc::clone(&answer.id);
        self.send(Input::Answer { stream, job, answer });
        let heard = self.0.heard.lock().expect("nobody panics while holding the answers");
        let is_waiting = |heard: &mut BTreeMap<Arc<str>, _>| !heard.contains_key(&id);
        let waited = self.0.answered.wait_timeout_while(heard, CREATE_PATIENCE, is_waiting);
        let (mut heard, _) = waited.expect("nobody panics while holding the answers");
        heard.remove(&id).ok_or_else(|| {
            Failure::new(
                Exit::Missing,
                "nobody wrote down what was said; look before you say it again",
            )
        })
    }

    fn was_heard(&self, id: &Arc<str>, why: Option<&MaskedText>) {
        let mut heard = self.0.heard.lock().expect("nobody panics while holding the answers");
        heard.insert(Arc::clone(id), why.cloned());
        // Whoever gave up waiting takes none out.
        if heard.len() > HEARD_MAX {
            heard.pop_first();
        }
        drop(heard);
        self.0.answered.notify_all();
    }

    fn was_created(&self, stream: StreamId) {
        if let Some(driven) = self.driven().get_mut(&stream) {
            driven.is_created = true;
        }
        self.0.created.notify_all();
    }

    /// Waits until a run that the journal calls over is let go: a moment lies between the two.
    pub(crate) fn let_go(&self, stream: StreamId) {
        let is_held = |driven: &mut BTreeMap<StreamId, Driven>| driven.contains_key(&stream);
        let driven = self.driven();
        let _ = self.0.created.wait_timeout_while(driven, CREATE_PATIENCE, is_held);
    }

    fn is_over(&self, stream: StreamId) {
        self.driven().remove(&stream);
        self.0.created.notify_all();
    }
}

/// What the loop drives with.
pub(crate) struct Means {
    pub(crate) data: DataFolder,
    pub(crate) store: Arc<Store>,
    pub(crate) hub: Hub,
    pub(crate) tokens: Arc<JobTokens>,
    /// Which machines take jobs.
    pub(crate) places: Machines,
    /// Whose jobs are kept in.
    pub(crate) kept_in: KeptIn,
    /// How long jobs that run are waited for at the end.
    pub(crate) grace: Duration,
    /// How long a runner that nobody hears of is waited for.
    pub(crate) away: Duration,
}

/// The loop, before it runs.
pub(crate) struct Driving {
    pub(crate) store: Arc<Store>,
    pub(crate) hub: Hub,
    pub(crate) grace: Duration,
    tokens: Arc<JobTokens>,
    kept_in: KeptIn,
    handle: Handle,
    inputs: Receiver<Input>,
}

impl Driving {
    pub(crate) fn new(means: Means) -> Driving {
        let Means { data, store, hub, tokens, places, kept_in, grace, away } = means;
        let (sender, inputs) = channel();
        let fleet = Fleet::new(FleetOptions {
            store: Arc::clone(&store),
            incoming: data.path("incoming"),
            inputs: sender.clone(),
            book: Box::new(Book { machines: places.clone(), inputs: sender.clone() }),
            away,
        });
        let handle = Handle(Arc::new(Shared {
            inputs: sender,
            driven: Mutex::default(),
            created: Condvar::new(),
            heard: Mutex::default(),
            answered: Condvar::new(),
            fleet,
            busy: AtomicUsize::new(0),
            busy_on: Mutex::default(),
            ready: AtomicUsize::new(0),
            queue: Mutex::default(),
            places,
            data,
        }));
        Driving { store, hub, grace, tokens, kept_in, handle, inputs }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Does nothing until told to end: what is asked for is refused before it comes here.
    pub(crate) fn stand_by(self) -> Result<(), Failure> {
        let is_end = |input: &Input| matches!(input, Input::Detach | Input::Leave);
        let _end = self.inputs.iter().find(is_end);
        Ok(())
    }

    /// Goes on with what an earlier server left, then does what comes, until told to end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let missing = |error: driver::DriverError| Failure::caused(Exit::Missing, error);
        driver::become_subreaper().map_err(|error| Failure::caused(Exit::Missing, error))?;
        let Driving { store, hub, grace, tokens, kept_in, handle, inputs } = self;
        let program =
            std::env::current_exe().map_err(|error| Failure::caused(Exit::Missing, error))?;
        let here = Workers::outliving(program, handle.0.inputs.clone());
        let workers = AllWorkers { here, fleet: Arc::clone(handle.fleet()) };
        let state = handle.0.data.state.clone();
        let artifacts = RefCell::new(RunArtifacts::new(Arc::clone(&store)));
        let sums = Sums::default();
        let watcher = Watcher {
            artifacts: &artifacts,
            sums: &sums,
            store: &store,
            handle: &handle,
            hub: &hub,
            tokens: &tokens,
            aside: RefCell::default(),
            places: RefCell::default(),
        };
        let home = ServerHome {
            store: &store,
            handle: &handle,
            tokens: &tokens,
            kept_in: &kept_in,
            engines: BTreeMap::new(),
            artifacts: &artifacts,
            sums: &sums,
            runs: Runs::new(Arc::clone(&store)),
            looks: Looks::begin(&handle, &store),
            groups: GroupLocks::new(state.groups()),
        };
        let settings = Settings { width: handle.width(), tracking: tracking()? };
        let round = Loop::new(settings, Arc::clone(&store), workers, home, watcher);
        let mut shell = Shell::new(round, inputs);
        shell.inner().set_places(handle.places().all(handle.fleet())?);
        shell.inner().set_trusted(kept_in.trusted.clone());
        take_up(&handle, &store, shell.inner())?;
        handle.fleet().open();
        if let Err(error) = shell.inner().hold_groups() {
            talk(&format!("warning: {error}"));
        }
        let mut last_look: Option<Instant> = None;
        let mut looked = |round: &Loop<_, _, ServerHome<'_>, Watcher<'_>>| {
            let ready = round.state().jobs_ready();
            if ready <= QUEUE_AT_ONCE || last_look.is_none_or(|at| at.elapsed() > QUEUE_LOOK) {
                let queue = scheduler::unserved(round.state(), round.definitions());
                *handle.0.queue.lock().expect("nobody panics while holding the queue") = queue;
                last_look = Some(Instant::now());
            }
            let busy_on = round.state().busy().clone();
            *handle.0.busy_on.lock().expect("nobody panics while holding the counts") = busy_on;
            handle.0.busy.store(round.state().leases_open(), Ordering::Relaxed);
            handle.0.ready.store(round.state().jobs_ready(), Ordering::Relaxed);
        };
        let mut refused = |error: &driver::DriverError| {
            if !store::is_away(error) {
                talk(&format!("warning: {error}"));
            }
        };
        shell.serve(grace, &mut refused, &mut looked).map_err(missing)
    }
}

/// Folders, secrets and logs, of whichever repository a run is of.
struct ServerHome<'d> {
    store: &'d Arc<Store>,
    handle: &'d Handle,
    tokens: &'d JobTokens,
    kept_in: &'d KeptIn,
    engines: BTreeMap<StreamId, Engine>,
    artifacts: &'d RefCell<RunArtifacts>,
    sums: &'d Sums,
    runs: Runs,
    looks: Looks,
    groups: GroupLocks,
}

impl Home for ServerHome<'_> {
    fn surroundings(
        &mut self,
        lease: &Lease,
        request: &RunRequest,
        definition: &JobDefinition,
    ) -> Result<Surroundings, HomeError> {
        let failed = |failure: Failure| HomeError { message: format!("{:#}", failure.error) };
        let handle = self.handle;
        // What an environment allows is read for each job that names one: settings change meanwhile.
        let again = definition.environment.is_some().then_some(lease.stream);
        self.engines.retain(|stream, _| handle.drives(*stream) && Some(*stream) != again);
        if !self.engines.contains_key(&lease.stream) {
            let nothing = AgainArgs {
                secrets: Vec::new(),
                secret_file: None,
                environments: Vec::new(),
                // Where it runs was decided when it was placed.
                labels: Vec::new(),
                limits: LimitArgs::default(),
                offline: false,
                format: Format::Human,
            };
            let state = &self.handle.0.data.state;
            let engine = again::engine(state, Arc::clone(self.store), request, &nothing);
            let engine = engine.map_err(failed)?;
            let engine = Engine { kept_in: self.kept_in.clone(), ..engine };
            self.engines.insert(lease.stream, engine);
        }
        let engine = &self.engines[&lease.stream];
        let mut given =
            engine.surroundings(&self.artifacts.borrow(), lease, request, definition)?;
        given.options.id_token = self.tokens.door(lease, request, definition);
        let has_own = given.secrets.get("GITHUB_TOKEN").is_some_and(|it| !it.is_empty());
        given.options.github = self.tokens.github_door(lease, request, definition, has_own);
        Ok(given)
    }

    fn gate(
        &mut self,
        request: &RunRequest,
        definition: &JobDefinition,
        at: Timestamp,
    ) -> Result<GateRead, HomeError> {
        let data = &self.handle.0.data;
        gates::read(data, &self.runs, request, definition, at).map_err(|failure| {
            let message = format!("{:#}", failure.error);
            talk(&format!("warning: the gate of {}: {message}", definition.key));
            HomeError { message }
        })
    }

    fn look_aside(&mut self, kept: Kept<'_>) {
        self.looks.look(kept);
    }

    fn keep_log(&mut self, lease: &Lease) -> Option<BlobId> {
        keep_log(self.store, self.sums, lease)
    }

    fn groups(&mut self) -> Groups<'_> {
        Groups::Locked(&mut self.groups)
    }

    fn runner(&self, _stream: StreamId, _job: &JobKey) -> Arc<str> {
        "launchway".into()
    }
}

/// Hands on what happens, and clears up behind it.
struct Watcher<'d> {
    artifacts: &'d RefCell<RunArtifacts>,
    sums: &'d Sums,
    store: &'d Store,
    handle: &'d Handle,
    hub: &'d Hub,
    tokens: &'d JobTokens,
    /// Background steps of each job that runs: they number their logs.
    aside: RefCell<BTreeMap<(StreamId, JobKey), u32>>,
    /// Environments that jobs of open runs run in.
    places: RefCell<BTreeMap<StreamId, Places>>,
}

/// What is deployed by a run, and where its jobs run.
struct Places {
    repository: Arc<str>,
    commit: Arc<str>,
    jobs: BTreeMap<JobKey, Arc<str>>,
}

impl Watcher<'_> {
    /// Remembers what ran in an environment last.
    fn place(&self, stream: StreamId, event: &RunEvent) {
        let mut places = self.places.borrow_mut();
        match event {
            RunEvent::RunCreated(request) => {
                let (repository, commit) = (&request.repository, &request.change.commit);
                let (repository, commit) = (Arc::clone(repository), Arc::clone(commit));
                places.insert(stream, Places { repository, commit, jobs: BTreeMap::new() });
            }
            RunEvent::JobPlanned(definition) => {
                if let (Some(run), Some(name)) = (places.get_mut(&stream), &definition.environment)
                {
                    run.jobs.insert(definition.key.clone(), name.as_str().into());
                }
            }
            RunEvent::JobCompleted { job, conclusion: Conclusion::Success, .. } => {
                let Some(run) = places.get(&stream) else { return };
                let Some(name) = run.jobs.get(job) else { return };
                let data = &self.handle.0.data;
                if let Err(failure) = stood::remember(data, &run.repository, name, &run.commit) {
                    talk(&format!("warning: {:#}", failure.error));
                }
            }
            RunEvent::RunCompleted { .. } => drop(places.remove(&stream)),
            _ => {}
        }
    }
}

impl Watcher<'_> {
    /// What began or ended may be what a job waits for at its gate: a check, or the environment below.
    fn wake(&self, stream: StreamId, event: &RunEvent) {
        use RunEvent::{JobCompleted, JobStarted, RunCompleted};
        if matches!(event, JobStarted { .. } | JobCompleted { .. } | RunCompleted { .. }) {
            let commit = self.places.borrow().get(&stream).map(|it| Arc::clone(&it.commit));
            let Some(commit) = commit else { return };
            self.handle.send(Input::LookAtGates(Looked::Behind(commit)));
        }
    }

    fn count_aside(&self, stream: StreamId, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { job, background: true, .. } => {
                *self.aside.borrow_mut().entry((stream, job.clone())).or_default() += 1;
            }
            RunEvent::JobLost { job, .. } => {
                self.aside.borrow_mut().remove(&(stream, job.clone()));
            }
            _ => {}
        }
    }
}

impl Observer for Watcher<'_> {
    fn on_event(&mut self, stream: StreamId, event: &RunEvent) {
        self.artifacts.borrow_mut().take(stream, event);
        self.wake(stream, event);
        self.place(stream, event);
        self.count_aside(stream, event);
        match event {
            RunEvent::RunCreated(_) => self.handle.was_created(stream),
            RunEvent::JobApproved { id, .. } | RunEvent::JobRejected { id, .. } => {
                self.handle.was_heard(id, None);
            }
            RunEvent::JobApprovalRefused { id, why, .. } => self.handle.was_heard(id, Some(why)),
            RunEvent::JobLost { job, .. } => self.tokens.is_over(stream, job),
            RunEvent::JobCompleted { job, fence, log, .. } => {
                self.tokens.is_over(stream, job);
                let aside = self.aside.borrow_mut().remove(&(stream, job.clone())).unwrap_or(0);
                // The blobs have the bytes now; the growing files go.
                if let (Some(_), Some(fence)) = (log, fence) {
                    let lease = Lease { stream, job: job.clone(), fence: *fence };
                    let path = log_of(self.store.logs(), &lease);
                    for number in 1..=aside {
                        let _ = self.store.logs().remove(&protocol::own_log(&path, number));
                    }
                    let _ = self.store.logs().remove(&path);
                }
            }
            RunEvent::RunCompleted { .. } => {
                // Goes with its last job; what is left in it is the business of `prune`.
                let _ = std::fs::remove_dir(self.handle.0.data.state.attempt(stream));
                let (run, attempt) = stream.as_run().expect("the stream of a run");
                self.store.logs().close(run, attempt);
                self.handle.is_over(stream);
            }
            _ => {}
        }
        self.hub.changed();
    }

    fn on_log(&mut self, lease: &Lease, grown: &Grown) {
        if grown.own.is_none() {
            self.sums.grown(&log_of(self.store.logs(), lease), grown.bytes);
        }
        self.hub.changed();
    }

    fn on_adopted(&mut self, stream: StreamId, events: &[RunEvent]) {
        for event in events {
            self.place(stream, event);
            self.artifacts.borrow_mut().take(stream, event);
            self.count_aside(stream, event);
        }
    }
}
