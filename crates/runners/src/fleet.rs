//! The server's side: who is there, which lease is whose, and what has to be said.
//!
//! ```text
//!   start ──▶ held, its job ready ──▶ told when the runner is there ──▶ its first report ──▶ begun
//!   cut ──▶ the runner is away ──▶ back: the rest is heard
//!                    └──▶ too long ──▶ its leases are lost, whatever it says later
//! ```

mod offer;
mod receiving;
mod session;

pub(crate) use receiving::files as log_files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use driver::Input;
use event::{StreamId, Timestamp};
use mask::MaskedText;
use ports::{Jobs, Lease};
use protocol::{Greeting, HeldLease, JobSpec, Order, RunnerJob, ToRunner, write_frame};
use scheduler::{Place, Site, Takes};
use serde::{Deserialize, Serialize};
use store::Store;

/// One connection of a runner, as its transport keeps it.
pub trait Link: Send + Sync {
    /// The next frame; none when the connection is over. Whoever is silent too long
    /// (`protocol::SILENT_SECONDS_MAX`) is over.
    fn receive(&self) -> Option<Vec<u8>>;
    /// Sends without waiting. What a connection that is over is given is nobody's.
    fn order(&self, frame: Vec<u8>);
    /// Sends a piece of something long, when there is room; says whether anybody is there.
    fn bulk(&self, frame: Vec<u8>) -> bool;
    /// Ends it.
    fn close(&self);
}

/// What is remembered of a runner while it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRunner {
    /// What tells its machine and folder from others.
    pub machine: String,
    /// Its processor.
    pub processor: String,
    /// Labels besides those of any Linux machine.
    pub labels: Vec<String>,
    /// Jobs at a time.
    pub jobs: usize,
    /// Of its program.
    pub version: String,
    /// How jobs are kept in there, as it says; nothing where it did not.
    #[serde(default)]
    pub kept_in: String,
    /// The only repositories whose jobs it is given, as its token says; none: those of every one.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// When it was heard last.
    pub heard_at: Timestamp,
}

/// A runner that was away for longer is forgotten.
const FORGOTTEN_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Where what is known of runners is kept, and who hears that it changed.
pub trait Book: Send + Sync {
    /// Who was known to an earlier server.
    fn known(&self) -> BTreeMap<String, KnownRunner>;
    /// Keeps what is known of one.
    fn keep(&self, name: &str, known: &KnownRunner);
    /// Keeps nothing of these any more.
    fn forget(&self, names: &[String]);
    /// Runners came or went.
    fn changed(&self, fleet: &Fleet);
    /// Says something to whoever looks after the server.
    fn say(&self, text: &str);
    /// The time.
    fn now(&self) -> Timestamp;
}

/// A runner, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerState {
    /// What it is called.
    pub name: String,
    /// What it said of itself.
    pub known: KnownRunner,
    /// Whether it is there now.
    pub is_there: bool,
}

/// What a fleet needs.
pub struct FleetOptions {
    /// Journal, blobs, logs.
    pub store: Arc<Store>,
    /// Where blobs grow that are on their way.
    pub incoming: PathBuf,
    /// Where reports go.
    pub inputs: Sender<Input>,
    /// What is remembered.
    pub book: Box<dyn Book>,
    /// How long a runner that is away is waited for.
    pub away: Duration,
}

/// The runners of a server.
pub struct Fleet {
    store: Arc<Store>,
    incoming: PathBuf,
    inputs: Sender<Input>,
    book: Box<dyn Book>,
    away: Duration,
    inner: Mutex<Inner>,
    /// Whoever waits for the fleet to know its leases.
    knows: Condvar,
}

#[derive(Default)]
struct Inner {
    runners: BTreeMap<String, Runner>,
    leases: BTreeMap<HeldLease, Held>,
    sessions: u64,
    /// Every lease of the journal was said.
    knows_leases: bool,
    /// Runs whose leases nobody here knows.
    left: BTreeSet<StreamId>,
}

struct Runner {
    known: KnownRunner,
    /// The connection it has, and which one that is.
    link: Option<(u64, Arc<dyn Link>)>,
    /// Since when it has none.
    away_since: Instant,
    /// Held while something that it sent is done: an older connection never works beside a newer.
    deeds: Arc<Mutex<()>>,
}

/// A lease that a runner has, or is to have.
struct Held {
    runner: String,
    heard: u64,
    /// Until its first report is remembered.
    job: Option<Arc<RunnerJob>>,
    is_cancelled: bool,
    is_killed: bool,
}

impl Inner {
    /// Whether it is a lease of a run that nobody took up here.
    fn leaves_alone(&self, lease: &HeldLease) -> bool {
        !self.left.is_empty() && self.left.contains(&lease_of(lease).stream)
    }

    /// Why a runner is not given a job of a repository: its token may be bound to others since the job was
    /// meant for it.
    fn bound(&self, runner: &str, repository: &str) -> Option<String> {
        let known = self.runners.get(runner).map(|it| &it.known.repositories)?;
        let takes = known.is_empty() || known.iter().any(|it| it == repository);
        (!takes).then(|| format!("the runner {runner} takes no jobs of {repository} any more"))
    }

    fn say(&self, runner: &str, message: &ToRunner) {
        let link = self.runners.get(runner).and_then(|it| it.link.as_ref());
        if let Some((_, link)) = link {
            link.order(write_frame(message, b""));
        }
    }

    /// Says it to whoever has the lease.
    fn order(&self, lease: &HeldLease, order: Order) {
        if let Some(held) = self.leases.get(lease) {
            self.say(&held.runner, &ToRunner::Order { lease: lease.clone(), order });
        }
    }
}

/// As both sides name it.
pub(crate) fn named(lease: &Lease) -> HeldLease {
    let (run, attempt) = lease.stream.as_run().expect("the stream of a run");
    HeldLease { run, attempt, job: lease.job.clone(), fence: lease.fence }
}

/// As the loop names it.
pub(crate) fn lease_of(held: &HeldLease) -> Lease {
    let stream = StreamId::Run(held.run, held.attempt);
    Lease { stream, job: held.job.clone(), fence: held.fence }
}

impl Fleet {
    /// Runners of an earlier server are away until they come.
    pub fn new(options: FleetOptions) -> Arc<Fleet> {
        let FleetOptions { store, incoming, inputs, book, away } = options;
        let runner = |(name, known)| {
            let away_since = Instant::now();
            (name, Runner { known, link: None, away_since, deeds: Arc::default() })
        };
        let runners = book.known().into_iter().map(runner).collect();
        let inner = Mutex::new(Inner { runners, ..Inner::default() });
        let knows = Condvar::new();
        let fleet = Fleet { store, incoming, inputs, book, away, inner, knows };
        fleet.forget_old();
        Arc::new(fleet)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics while holding the runners")
    }

    /// A lease of the journal that a runner has.
    pub fn adopt(&self, lease: &Lease, runner: &str, heard: u64) {
        let held = Held {
            runner: runner.to_owned(),
            heard,
            job: None,
            is_cancelled: false,
            is_killed: false,
        };
        self.inner().leases.insert(named(lease), held);
    }

    /// Runs that are open and were not taken up here: what runners have of them is kept there, unheard, for whoever
    /// takes them up.
    pub fn leave_alone(&self, left: BTreeSet<StreamId>) {
        self.inner().left = left;
    }

    /// Every lease of the journal was adopted: runners are let in from now on. One that came earlier
    /// would hear that its leases are over, because nobody knew them yet.
    pub fn open(&self) {
        self.inner().knows_leases = true;
        self.knows.notify_all();
    }

    /// Waits for [`Fleet::open`].
    fn wait_for_leases(&self) {
        let waited = self.knows.wait_while(self.inner(), |inner| !inner.knows_leases);
        drop(waited.expect("nobody panics while holding the runners"));
    }

    /// The runners that there are, as the scheduler knows them; `drained` take nothing.
    pub fn places(&self, is_drained: impl Fn(&str) -> bool) -> Vec<Place> {
        let inner = self.inner();
        let place = |(name, runner): (&String, &Runner)| Place {
            name: name.as_str().into(),
            site: Site::Elsewhere,
            processor: runner.known.processor.as_str().into(),
            labels: runner.known.labels.clone(),
            repositories: runner.known.repositories.clone(),
            capacity: runner.known.jobs,
            takes: match (is_drained(name), &runner.link) {
                (true, _) => Takes::Nothing,
                (false, Some(_)) => Takes::Jobs,
                (false, None) => Takes::Away,
            },
        };
        inner.runners.iter().map(place).collect()
    }

    /// The same for people.
    pub fn states(&self) -> Vec<RunnerState> {
        let inner = self.inner();
        let state = |(name, runner): (&String, &Runner)| RunnerState {
            name: name.clone(),
            known: runner.known.clone(),
            is_there: runner.link.is_some(),
        };
        inner.runners.iter().map(state).collect()
    }

    /// Gives up the leases of runners that are away too long, and forgets those that do not come back. Asked now
    /// and again.
    pub fn give_up(&self) {
        let mut inner = self.inner();
        let gone: Vec<String> = inner
            .runners
            .iter()
            .filter(|(_, it)| it.link.is_none() && it.away_since.elapsed() >= self.away)
            .map(|(name, _)| name.clone())
            .collect();
        // One that nobody remembers does not come back either.
        let is_lost =
            |held: &Held| gone.contains(&held.runner) || !inner.runners.contains_key(&held.runner);
        let lost: Vec<(HeldLease, String)> = inner
            .leases
            .iter()
            .filter(|(_, held)| is_lost(held))
            .map(|(lease, held)| (lease.clone(), held.runner.clone()))
            .collect();
        for (lease, runner) in lost {
            let seconds = self.away.as_secs();
            let reason = format!("nothing was heard of the runner {runner} for {seconds} seconds");
            self.lose(&mut inner, &lease, reason);
        }
        drop(inner);
        self.forget_old();
    }

    /// Machines that are made for a day have a new name each: they would be remembered for ever.
    fn forget_old(&self) {
        let now = self.book.now().0;
        let mut inner = self.inner();
        let is_old = |it: &Runner| {
            it.link.is_none() && now.saturating_sub(it.known.heard_at.0) >= FORGOTTEN_MS
        };
        let has_leases = |name: &String| inner.leases.values().any(|held| held.runner == *name);
        let old = inner.runners.iter().filter(|(name, it)| is_old(it) && !has_leases(name));
        let old: Vec<String> = old.map(|(name, _)| name.clone()).collect();
        if old.is_empty() {
            return;
        }
        inner.runners.retain(|name, _| !old.contains(name));
        // Before one of them can come: it is kept anew then.
        self.book.forget(&old);
        drop(inner);
        self.book.changed(self);
    }

    /// A lease is over before its end. Whatever is said under it from now on is refused.
    fn lose(&self, inner: &mut Inner, lease: &HeldLease, reason: String) {
        inner.leases.remove(lease);
        let reason = MaskedText::without_secrets(reason);
        // Nobody listens only while everything ends.
        let _ = self.inputs.send(Input::WorkerGone { lease: lease_of(lease), reason });
    }

    /// The loop's words for a job of a runner.
    fn offer(self: &Arc<Fleet>, runner: &str, spec: JobSpec) {
        let stream = StreamId::Run(spec.run, spec.attempt);
        let lease = Lease { stream, job: spec.job.clone(), fence: spec.fence };
        if !self.inner().leases.contains_key(&named(&lease)) {
            self.adopt(&lease, runner, 0);
        }
        let fleet = Arc::clone(self);
        let name = named(&lease);
        let made = std::thread::Builder::new().spawn(move || {
            let name = named(&lease);
            match offer::job(spec) {
                Ok(job) => fleet.offered(&name, job),
                Err(reason) => fleet.lose(&mut fleet.inner(), &name, reason),
            }
        });
        // Nobody else makes the job: its runner would wait for it for ever.
        if let Err(error) = made {
            self.lose(&mut self.inner(), &name, format!("the job cannot be offered: {error}"));
        }
    }

    fn offered(&self, lease: &HeldLease, job: RunnerJob) {
        let mut inner = self.inner();
        let Some(held) = inner.leases.get(lease) else { return };
        let runner = held.runner.clone();
        if let Some(reason) = inner.bound(&runner, &job.repository) {
            return self.lose(&mut inner, lease, reason);
        }
        let job = Arc::new(job);
        if let Some(held) = inner.leases.get_mut(lease) {
            held.job = Some(Arc::clone(&job));
        }
        inner.say(&runner, &ToRunner::Start(Box::new((*job).clone())));
    }
}

/// A greeting, as it is remembered, and which repositories its token is bound to.
fn known(greeting: &Greeting, repositories: &[String], heard_at: Timestamp) -> KnownRunner {
    KnownRunner {
        machine: greeting.machine.clone(),
        processor: greeting.processor.clone(),
        labels: greeting.labels.clone(),
        jobs: greeting.jobs,
        version: greeting.version.clone(),
        kept_in: greeting.kept_in.clone(),
        repositories: repositories.to_vec(),
        heard_at,
    }
}

/// The door of the loop to the workers of all machines: those here, and those of runners.
pub struct AllWorkers<W> {
    /// Here.
    pub here: W,
    /// Elsewhere.
    pub fleet: Arc<Fleet>,
}

impl<W> AllWorkers<W> {
    fn is_elsewhere(&self, lease: &Lease) -> bool {
        self.fleet.inner().leases.contains_key(&named(lease))
    }
}

impl<W: Jobs> Jobs for AllWorkers<W> {
    fn start(&mut self, spec: JobSpec) {
        match spec.runner.clone() {
            Some(runner) => self.fleet.offer(&runner, spec),
            None => self.here.start(spec),
        }
    }

    fn cancel(&mut self, lease: &Lease) {
        if !self.is_elsewhere(lease) {
            return self.here.cancel(lease);
        }
        let (mut inner, name) = (self.fleet.inner(), named(lease));
        inner.leases.entry(name.clone()).and_modify(|it| it.is_cancelled = true);
        inner.order(&name, Order::Cancel);
    }

    fn kill(&mut self, lease: &Lease) {
        if !self.is_elsewhere(lease) {
            return self.here.kill(lease);
        }
        let (mut inner, name) = (self.fleet.inner(), named(lease));
        inner.leases.entry(name.clone()).and_modify(|it| it.is_killed = true);
        inner.order(&name, Order::Kill);
    }

    fn heard(&mut self, lease: &Lease, reports: u64) {
        if !self.is_elsewhere(lease) {
            return self.here.heard(lease, reports);
        }
        let (mut inner, name) = (self.fleet.inner(), named(lease));
        inner.leases.entry(name.clone()).and_modify(|it| {
            it.heard = reports;
            if reports > 0 {
                it.job = None;
            }
        });
        inner.order(&name, Order::Heard(reports));
    }

    fn closed(&mut self, lease: &Lease) {
        if !self.is_elsewhere(lease) {
            return self.here.closed(lease);
        }
        let (mut inner, name) = (self.fleet.inner(), named(lease));
        inner.order(&name, Order::Over);
        inner.leases.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    /// What is kept, on which day.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<(BTreeMap<String, KnownRunner>, u64)>>);

    impl Book for Kept {
        fn known(&self) -> BTreeMap<String, KnownRunner> {
            self.0.lock().unwrap().0.clone()
        }

        fn keep(&self, name: &str, known: &KnownRunner) {
            self.0.lock().unwrap().0.insert(name.to_owned(), known.clone());
        }

        fn forget(&self, names: &[String]) {
            self.0.lock().unwrap().0.retain(|name, _| !names.contains(name));
        }

        fn changed(&self, _: &Fleet) {}

        fn say(&self, _: &str) {}

        fn now(&self) -> Timestamp {
            Timestamp(self.0.lock().unwrap().1 * DAY_MS)
        }
    }

    #[test]
    fn a_runner_that_does_not_come_back_is_forgotten() {
        let (folder, kept) = (tempfile::tempdir().unwrap(), Kept::default());
        for (name, day) in [("a-build-of-long-ago", 1), ("gone", 8), ("has-a-job", 8), ("new", 12)]
        {
            let known = KnownRunner {
                machine: name.to_owned(),
                processor: "x86_64".to_owned(),
                labels: Vec::new(),
                jobs: 1,
                version: "1".to_owned(),
                kept_in: String::new(),
                repositories: Vec::new(),
                heard_at: Timestamp(day * DAY_MS),
            };
            kept.keep(name, &known);
        }
        let day = |day: u64| kept.0.lock().unwrap().1 = day;
        day(10);
        let (inputs, _heard) = std::sync::mpsc::channel();
        let fleet = Fleet::new(FleetOptions {
            store: Arc::new(Store::open(folder.path()).unwrap()),
            incoming: folder.path().join("incoming"),
            inputs,
            book: Box::new(kept.clone()),
            away: Duration::from_secs(3600),
        });
        let names = || {
            let known = kept.known().into_keys().collect::<Vec<_>>();
            assert_eq!(known, fleet.states().into_iter().map(|it| it.name).collect::<Vec<_>>());
            known.join(" ")
        };
        assert_eq!(names(), "gone has-a-job new");
        let stream = StreamId::Run(event::RunId(1), event::Attempt(1));
        let lease = Lease { stream, job: event::JobKey::new("a"), fence: event::Fence(1) };
        fleet.adopt(&lease, "has-a-job", 0);
        day(16);
        fleet.give_up();
        assert_eq!(names(), "has-a-job new");
    }
}
