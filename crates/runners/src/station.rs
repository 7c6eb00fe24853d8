//! The runner's side: jobs that its server gives it, in workers that need neither of the two.
//!
//! ```text
//!   Start ──▶ a folder, lease.json ──▶ prepared: commits, artifacts ──▶ worker
//!   cut ──▶ workers go on, their spools keep ──▶ Hello says what is held ──▶ the rest is sent
//!   killed ──▶ the next one finds the folders, and the workers in them
//!   Over ──▶ whoever works there ends, and the folder goes
//! ```
//!
//! One loop over one channel. A lease has a thread that sends ([`carrier`]), and one that prepares while
//! that lasts; the connection has one; a worker's reader has one, as on a server.

mod carrier;
mod folder;
mod prepare;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use driver::{Found, Input, Workers};
use mask::{MaskedText, Secret};
use ports::{Jobs as _, Lease};
use protocol::{
    AWAY_SECONDS_MAX, FromRunner, Greeting, HeldLease, JobSpec, JobUser, MachineLimits, Order,
    RUNNER_PROTOCOL, RunnerJob, Standing, ToRunner, Walls, read_frame,
};

use self::carrier::{Carrier, ToCarrier};
use self::folder::{Folder, Kept};
use self::prepare::{Fetched, Preparing};
use crate::connection::{self, Address, ConnectError, Outgoing};
use crate::fleet::{lease_of, named};
use crate::sources::{Coming, Mirrors, Refs};

/// Between two tries to reach the server: first, and at most.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// What a runner needs.
pub struct StationOptions {
    /// Its folder.
    pub data: PathBuf,
    /// This very program.
    pub program: PathBuf,
    /// Where the server is.
    pub url: String,
    /// A token of the scope `runner`.
    pub token: Secret,
    /// Labels besides those of any Linux machine.
    pub labels: Vec<String>,
    /// Labels, in lower case, whose jobs run in a container of this image.
    pub images: BTreeMap<String, String>,
    /// Jobs at a time.
    pub jobs: usize,
    /// What jobs that are kept in may read there besides the machine's programs ...
    pub readable: Vec<PathBuf>,
    /// ... and what they may change.
    pub changeable: Vec<PathBuf>,
    /// ... and what they never read, wherever it lies.
    pub secret: Vec<PathBuf>,
    /// Whose they are, where they are not this process's own user's.
    pub user: Option<JobUser>,
    /// What they may take.
    pub limits: MachineLimits,
    /// How jobs are kept in, for people.
    pub kept_in: String,
    /// Of the program.
    pub version: String,
    /// What tells machine and folder from others.
    pub machine: String,
    /// Says something to whoever looks after the runner.
    pub say: fn(&str),
    /// Is called when the server has let it in for the first time.
    pub let_in: Box<dyn FnOnce() + Send>,
}

/// Why a runner ends, or does not begin.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// The address or the token.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server does not want it.
    #[error("the server refuses this runner: {0}")]
    Refused(String),
    /// Another process runs jobs in the folder.
    #[error("a runner runs on {0} already")]
    Taken(PathBuf),
    /// Its folder.
    #[error("cannot use {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A thread, or the right to adopt orphans.
    #[error("cannot start: {0}")]
    Start(String),
}

/// Has a runner end. Its jobs go on, and the next one finds them.
#[derive(Clone, Debug)]
pub struct Stop(Sender<Event>);

impl Stop {
    /// It ends.
    pub fn now(&self) {
        // It has ended.
        let _ = self.0.send(Event::Stop);
    }
}

/// What can happen to a runner.
#[derive(Debug)]
enum Event {
    Worker(Input),
    Opened(Outgoing),
    Frame(Vec<u8>),
    Closed(String),
    Failed(ConnectError),
    Prepared(HeldLease, Result<Box<JobSpec>, String>),
    Stop,
}

/// A runner.
pub struct Station {
    options: StationOptions,
    let_in: Option<Box<dyn FnOnce() + Send>>,
    folder: Folder,
    mirrors: Arc<Mirrors>,
    workers: Workers,
    events: Receiver<Event>,
    sender: Sender<Event>,
    leases: BTreeMap<HeldLease, Tended>,
    outgoing: Option<Outgoing>,
    is_welcome: bool,
}

/// A lease that the runner holds.
struct Tended {
    kept: Kept,
    carrier: Sender<ToCarrier>,
    state: State,
    is_killed: bool,
}

enum State {
    /// What it needs is fetched; what comes goes to its thread.
    Preparing(Box<RunnerJob>, Option<Sender<Fetched>>),
    Begun,
}

impl Station {
    /// Takes the folder, and finds the workers that an earlier runner left in it.
    ///
    /// # Errors
    /// When the address, the folder or the machine does not serve.
    pub fn open(mut options: StationOptions) -> Result<Station, StationError> {
        let let_in = std::mem::replace(&mut options.let_in, Box::new(|| {}));
        let address = Address::of(&options.url)?;
        let folder = Folder::take(&options.data)?;
        driver::become_subreaper().map_err(|error| StationError::Start(error.to_string()))?;
        let (sender, events) = channel();
        let (inputs, reports) = channel();
        let forward = sender.clone();
        let begun = std::thread::Builder::new().spawn(move || {
            for input in reports {
                if forward.send(Event::Worker(input)).is_err() {
                    return;
                }
            }
        });
        begun.map_err(|error| StationError::Start(error.to_string()))?;
        let workers = Workers::outliving(options.program.clone(), inputs);
        let mirrors = Arc::new(Mirrors::in_folder(folder.repositories()));
        let mut station = Station {
            options,
            let_in: Some(let_in),
            folder,
            mirrors,
            workers,
            events,
            sender,
            leases: BTreeMap::new(),
            outgoing: None,
            is_welcome: false,
        };
        station.take_over();
        station.connect(address)?;
        Ok(station)
    }

    /// What ends it.
    pub fn stop(&self) -> Stop {
        Stop(self.sender.clone())
    }

    /// Takes jobs until it is told to end.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub fn run(mut self) -> Result<(), StationError> {
        while let Ok(event) = self.events.recv() {
            match event {
                Event::Stop => break,
                Event::Worker(input) => self.worker_said(input),
                Event::Opened(outgoing) => self.greet(outgoing),
                Event::Frame(frame) => self.hear(&frame)?,
                Event::Closed(reason) => self.cut(&reason),
                Event::Failed(error) => {
                    // A token that was revoked ends a runner that has nothing to do.
                    if matches!(error, ConnectError::Token(_)) && self.leases.is_empty() {
                        return Err(error.into());
                    }
                    (self.options.say)(&format!("cannot reach the server: {error}"));
                }
                Event::Prepared(lease, made) => self.prepared(&lease, made),
            }
        }
        Ok(())
    }

    /// Workers of an earlier runner: those that live report here, those that ended are read.
    fn take_over(&mut self) {
        for folder in self.folder.jobs_without_lease() {
            self.workers.dismiss(folder);
        }
        for kept in self.folder.kept() {
            let job = self.folder.job(&kept.key);
            let lease = lease_of(&kept.lease);
            match self.workers.take_over(&lease, &kept.tracking_id, &job, 0) {
                // The server gives it again.
                Found::Nothing => self.folder.forget(&kept.key),
                Found::Living | Found::Ended => {
                    (self.options.say)(&format!("going on with {}", told(&kept.lease)));
                    self.tend(kept, State::Begun);
                }
            }
        }
    }

    fn tend(&mut self, kept: Kept, state: State) {
        let (carrier, inbox) = channel();
        let paths = (self.folder.log(&kept.key), self.folder.blobs(&kept.key));
        let lease = kept.lease.clone();
        let carrying = Carrier::new(lease.clone(), paths, inbox);
        // Without a thread nothing is sent, and the lease is lost on the server's side.
        drop(std::thread::Builder::new().spawn(move || carrying.run()));
        self.leases.insert(lease, Tended { kept, carrier, state, is_killed: false });
    }

    fn connect(&self, address: Address) -> Result<(), StationError> {
        let (events, token) = (self.sender.clone(), self.options.token.clone());
        let begun = std::thread::Builder::new().spawn(move || {
            let mut pause = PAUSE;
            loop {
                let sent = match connection::open(&address, token.expose()) {
                    Err(error) => events.send(Event::Failed(error)),
                    Ok(open) => {
                        pause = PAUSE;
                        if events.send(Event::Opened(open.outgoing())).is_err() {
                            return;
                        }
                        // Nobody hears it only while everything ends.
                        let mut heard = |frame| drop(events.send(Event::Frame(frame)));
                        let reason = open.run(&mut heard);
                        events.send(Event::Closed(reason))
                    }
                };
                if sent.is_err() {
                    return;
                }
                std::thread::sleep(jittered(pause));
                pause = (pause * 2).min(PAUSE_MAX);
            }
        });
        begun.map(drop).map_err(|error| StationError::Start(error.to_string()))
    }

    fn greet(&mut self, outgoing: Outgoing) {
        let greeting = Greeting {
            protocol: RUNNER_PROTOCOL,
            version: self.options.version.clone(),
            machine: self.options.machine.clone(),
            processor: std::env::consts::ARCH.to_owned(),
            labels: self.options.labels.clone(),
            jobs: self.options.jobs,
            kept_in: self.options.kept_in.clone(),
            holds: self.leases.keys().cloned().collect(),
        };
        // One that is cut is told of by its thread.
        let _ = outgoing.send(&FromRunner::Hello(greeting), b"");
        self.outgoing = Some(outgoing);
    }

    fn cut(&mut self, reason: &str) {
        if std::mem::take(&mut self.is_welcome) {
            (self.options.say)(&format!("the connection is cut ({reason}); jobs go on"));
        }
        self.outgoing = None;
        for tended in self.leases.values_mut() {
            let _ = tended.carrier.send(ToCarrier::Cut);
            if let State::Preparing(_, thread) = &mut tended.state {
                *thread = None;
            }
        }
    }

    fn worker_said(&mut self, input: Input) {
        let (lease, message) = match input {
            Input::Report { lease, number, report } => (lease, ToCarrier::Report(number, report)),
            Input::WorkerGone { lease, reason } => (lease, ToCarrier::Gone(reason)),
            _ => return,
        };
        if let Some(tended) = self.leases.get(&named(&lease)) {
            let _ = tended.carrier.send(message);
        }
    }

    fn hear(&mut self, frame: &[u8]) -> Result<(), StationError> {
        let (message, bytes) = match read_frame::<ToRunner>(frame) {
            Ok(read) => read,
            Err(error) => return Err(StationError::Refused(error.to_string())),
        };
        match message {
            ToRunner::Welcome { name, away_seconds, leases } => {
                self.welcome(&name, away_seconds, leases);
            }
            ToRunner::Refused { reason } => return Err(StationError::Refused(reason)),
            ToRunner::Renewed => {}
            ToRunner::Start(job) => self.begin(*job),
            ToRunner::Order { lease, order } => self.order(&lease, order),
            ToRunner::Refs { lease, head, refs } => {
                self.fetched(&lease, Fetched::Commits(Coming::Refs(Refs { head, refs })));
            }
            ToRunner::Pack { lease, last } => {
                let coming = if last { Coming::Last } else { Coming::Pack(bytes.to_vec()) };
                self.fetched(&lease, Fetched::Commits(coming));
            }
            ToRunner::Blob { lease, blob, piece } => {
                self.fetched(&lease, Fetched::Blob(blob, piece, bytes.to_vec()));
            }
            ToRunner::Missing { lease, reason } => {
                self.fetched(&lease, Fetched::Missing(reason));
            }
        }
        Ok(())
    }

    fn welcome(&mut self, name: &str, away_seconds: u64, standing: Vec<Standing>) {
        let Some(outgoing) = self.outgoing.clone() else { return };
        self.is_welcome = true;
        let held = self.leases.len();
        let jobs = if held == 0 { String::new() } else { format!(" with {held} of its jobs") };
        (self.options.say)(&format!("the server knows this runner as {name}{jobs}"));
        if let Some(let_in) = self.let_in.take() {
            let_in();
        }
        if away_seconds > AWAY_SECONDS_MAX {
            (self.options.say)(&format!("it waits {away_seconds} seconds for this runner"));
        }
        let known: BTreeMap<HeldLease, Standing> =
            standing.into_iter().map(|it| (it.lease.clone(), it)).collect();
        let over: Vec<HeldLease> =
            self.leases.keys().filter(|lease| !known.contains_key(lease)).cloned().collect();
        for lease in over {
            self.over(&lease);
        }
        let mut waiting = Vec::new();
        for (lease, Standing { heard, logs, .. }) in known {
            let Some(tended) = self.leases.get(&lease) else { continue };
            self.workers.heard(&lease_of(&lease), heard);
            let outgoing = outgoing.clone();
            let _ = tended.carrier.send(ToCarrier::Resume { outgoing, heard, logs });
            if let State::Preparing(job, None) = &tended.state {
                waiting.push((**job).clone());
            }
        }
        for job in waiting {
            self.prepare(job);
        }
    }

    /// A job that is given. One that is here already goes on.
    fn begin(&mut self, job: RunnerJob) {
        let JobSpec { run, attempt, fence, .. } = job.spec;
        let lease = HeldLease { run, attempt, job: job.spec.job.clone(), fence };
        if self.leases.contains_key(&lease) {
            return;
        }
        let tracking_id = Arc::clone(&job.spec.tracking_id);
        let kept = match self.folder.begin(lease.clone(), tracking_id) {
            Ok(kept) => kept,
            Err(error) => {
                let reason = format!("the runner cannot make its folder: {error}");
                return self.say_gone(&lease, reason);
            }
        };
        (self.options.say)(&format!("{} begins", told(&lease)));
        self.tend(kept, State::Preparing(Box::new(job.clone()), None));
        if let (Some(outgoing), Some(tended)) = (self.outgoing.clone(), self.leases.get(&lease)) {
            let resume = ToCarrier::Resume { outgoing, heard: 0, logs: Vec::new() };
            let _ = tended.carrier.send(resume);
        }
        self.prepare(job);
    }

    fn prepare(&mut self, job: RunnerJob) {
        let Some(outgoing) = self.outgoing.clone() else { return };
        let JobSpec { run, attempt, fence, .. } = job.spec;
        let lease = HeldLease { run, attempt, job: job.spec.job.clone(), fence };
        let Some(tended) = self.leases.get_mut(&lease) else { return };
        let (sender, inbox) = channel();
        if let State::Preparing(_, thread) = &mut tended.state {
            *thread = Some(sender);
        }
        // Whoever is kept in is that one; no other's folders are his to change.
        let user = self.options.user.as_ref().filter(|_| job.spec.options.walls.is_some());
        let preparing = Preparing {
            lease: lease.clone(),
            folder: self.folder.of_job(&tended.kept.key, &job.caches, user),
            mirrors: Arc::clone(&self.mirrors),
            server: self.options.url.clone(),
            walls: self.walls(),
            limits: self.options.limits.clone(),
            images: self.options.images.clone(),
            outgoing,
            inbox,
        };
        let events = self.sender.clone();
        let begun = std::thread::Builder::new().spawn(move || {
            // Cut off: it is begun anew with the next connection.
            if let Some(made) = preparing.run(job) {
                let _ = events.send(Event::Prepared(lease, made));
            }
        });
        // Without a thread it waits for the next connection.
        drop(begun);
    }

    /// What keeps a job in on this machine, where its server says that it is.
    fn walls(&self) -> Walls {
        let text = |path: &Path| Arc::<str>::from(path.to_string_lossy());
        let texts = |paths: &[PathBuf]| paths.iter().map(|path| text(path)).collect();
        Walls {
            hidden: vec![text(self.folder.root())],
            readable: texts(&self.options.readable),
            changeable: texts(&self.options.changeable),
            secret: texts(&self.options.secret),
            outside: false,
            user: self.options.user.clone(),
        }
    }

    fn fetched(&mut self, lease: &HeldLease, fetched: Fetched) {
        if let Some(Tended { state: State::Preparing(_, Some(thread)), .. }) =
            self.leases.get(lease)
        {
            let _ = thread.send(fetched);
        }
    }

    fn prepared(&mut self, lease: &HeldLease, made: Result<Box<JobSpec>, String>) {
        let Some(tended) = self.leases.get_mut(lease) else { return };
        let spec = match made {
            Ok(spec) => spec,
            Err(reason) => return self.say_gone(lease, reason),
        };
        tended.state = State::Begun;
        self.workers.start(*spec);
        let of = lease_of(lease);
        let (is_cancelled, is_killed) = (tended.kept.is_cancelled, tended.is_killed);
        if is_cancelled {
            self.workers.cancel(&of);
        }
        if is_killed {
            self.workers.kill(&of);
        }
    }

    fn say_gone(&mut self, lease: &HeldLease, reason: String) {
        let reason = MaskedText::without_secrets(reason);
        match (self.leases.get(lease), &self.outgoing) {
            (Some(tended), _) => drop(tended.carrier.send(ToCarrier::Gone(reason))),
            (None, Some(outgoing)) => {
                let _ = outgoing.send(&FromRunner::Gone { lease: lease.clone(), reason }, b"");
            }
            (None, None) => {}
        }
    }

    fn order(&mut self, lease: &HeldLease, order: Order) {
        let of: Lease = lease_of(lease);
        let Some(tended) = self.leases.get_mut(lease) else { return };
        let is_begun = matches!(tended.state, State::Begun);
        match order {
            Order::Cancel => {
                // A second one would end it at once.
                if !std::mem::replace(&mut tended.kept.is_cancelled, true) {
                    self.folder.keep(&tended.kept);
                    if is_begun {
                        self.workers.cancel(&of);
                    }
                }
            }
            Order::Kill => {
                tended.is_killed = true;
                if is_begun {
                    self.workers.kill(&of);
                }
            }
            Order::Heard(reports) => {
                let _ = tended.carrier.send(ToCarrier::Heard(reports));
                self.workers.heard(&of, reports);
            }
            Order::Over => self.over(lease),
        }
    }

    /// Whoever works under a lease that is over ends, and what is left of it goes.
    fn over(&mut self, lease: &HeldLease) {
        let Some(tended) = self.leases.remove(lease) else { return };
        (self.options.say)(&format!("{} is over", told(lease)));
        self.workers.closed(&lease_of(lease));
        if matches!(tended.state, State::Preparing(..)) {
            // No worker's reader removes it.
            self.folder.remove_job(&tended.kept.key);
        }
        self.folder.forget(&tended.kept.key);
    }
}

/// A lease, for people.
fn told(lease: &HeldLease) -> String {
    format!("run {}.{}, job {}", lease.run, lease.attempt, lease.job)
}

/// Runners that were cut off together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0; 1];
    // Without randomness they do.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(0.5 + f64::from(byte[0]) / 512.0)
}
