//! One story: a seed, what happens, and what must be true of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use driver::{DriverError, Input, Looked, Loop, Quiet, Settings};
use event::{
    Attempt, CancelReason, Change, Conclusion, EventRef, ExitKind, Fact as _, Fence, JobKey,
    LogRange, RunEvent, RunId, RunRequest, Selection, Seq, StepKey, StreamId, Terms, Timestamp,
    WorkflowFile,
};
use mask::MaskedText;
use ports::{Fault, Journal as _, Lease, MemoryJournal};
use protocol::Report;
use serde_json::json;

use crate::generate;
use crate::random::Random;
use crate::visits::Visits;
use crate::watcher::Watcher;
use crate::workers::{Crew, FakeHome, FakeJobs, words};

/// Actions of the first act.
const ACTIONS: usize = 120;
/// Rounds in which the second act must come to its end.
const HEALING_ROUNDS_MAX: usize = 3_000;
/// Runs of one story.
const RUNS_MAX: u64 = 4;

/// A story that went wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[error("seed {seed}: {what}\nreplay it: LAUNCHWAY_SIM_SEED={seed} cargo test -p sim\n{told}")]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What must not be.
    pub what: String,
    /// The story so far.
    pub told: String,
}

/// A story that went well.
#[derive(Clone, Debug)]
pub struct Story {
    /// What it visited.
    pub visits: Visits,
    /// Crashes it lived through.
    pub crashes: u64,
    /// Events it wrote.
    pub events: usize,
}

/// The journal outlives the loop.
type Shared = Arc<MemoryJournal>;

type Driven = Loop<Shared, FakeJobs, FakeHome, Watcher>;

struct World {
    random: Random,
    journal: Shared,
    crew: Rc<RefCell<Crew>>,
    home: FakeHome,
    driven: Driven,
    now: Timestamp,
    runs: u64,
    crashes: u64,
    told: Vec<String>,
    visits: Visits,
    starts: u64,
    /// Whether workers outlive their driver.
    outlives: bool,
}

#[derive(Clone, Copy)]
enum Action {
    CreateRun,
    WorkerStarts,
    WorkerSays,
    WorkerEnds,
    WorkerDies,
    SaidAgain,
    OldFence,
    Clock,
    CancelRun,
    CancelJob,
    Force,
    Resume,
    Answer,
    RulesChange,
    CommitMoves,
    PlanFault,
    Several,
}

/// Plays the story of a seed.
///
/// # Errors
/// When something happened that must not, with how to see it again.
pub fn run_seed(seed: u64) -> Result<Story, Failure> {
    let mut world = World::new(seed);
    let ended = world.first_act().and_then(|()| world.second_act());
    let events = world.driven.observer().log.len();
    match ended {
        Ok(()) => {
            let mut visits = world.visits.clone();
            visits.add(&world.driven.observer().visits);
            Ok(Story { visits, crashes: world.crashes, events })
        }
        Err(what) => {
            let log = &world.driven.observer().log;
            let events = log[log.len().saturating_sub(60)..].join("\n");
            let told = format!("{}\n-- events --\n{events}", world.told.join("\n"));
            Err(Failure { seed, what, told })
        }
    }
}

fn text(text: impl Into<Arc<str>>) -> MaskedText {
    MaskedText::without_secrets(text)
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let journal = Shared::default();
        let crew = Rc::new(RefCell::new(Crew::default()));
        let broken_every = random.percent(20).then(|| 5 + random.below(5) as u64);
        let outlives = random.percent(60);
        let home = FakeHome { broken_every, ..FakeHome::default() };
        let jobs = FakeJobs(Rc::clone(&crew));
        let driven = driven(0, journal.clone(), jobs, home.clone());
        World {
            random,
            journal,
            crew,
            home,
            driven,
            now: Timestamp(1_000_000),
            runs: 0,
            crashes: 0,
            told: Vec::new(),
            visits: Visits::default(),
            starts: 0,
            outlives,
        }
    }

    fn first_act(&mut self) -> Result<(), String> {
        for _ in 0..ACTIONS {
            let inputs = self.act();
            self.round(inputs)?;
        }
        Ok(())
    }

    /// Nothing fails any more: every run must come to its end.
    fn second_act(&mut self) -> Result<(), String> {
        self.told.push("-- second act --".to_owned());
        self.home.broken_every = None;
        self.home.rules_gone.set(false);
        self.home.is_well.set(true);
        self.crash()?;
        for _ in 0..HEALING_ROUNDS_MAX {
            if self.driven.quiet() == Quiet::Done {
                return self.once();
            }
            let input = self.heal();
            self.round(input.into_iter().collect())?;
        }
        let open = self.driven.state().runs().filter(|(_, run)| run.conclusion().is_none());
        let stuck = open.flat_map(|(stream, run)| {
            let jobs = run.jobs().filter(|job| job.conclusion.is_none());
            jobs.map(move |job| format!("{stream} {} {}", job.key, job.phase))
        });
        Err(format!("no end comes: {}", stuck.collect::<Vec<_>>().join(", ")))
    }

    fn heal(&mut self) -> Option<Input> {
        let first = self.crew.borrow().living.keys().next().cloned();
        if let Some(lease) = first {
            let worker = self.crew.borrow().living[&lease].clone();
            return if worker.killed {
                self.gone(lease)
            } else if worker.started {
                self.ends(lease, Conclusion::Success)
            } else {
                self.starts(lease)
            };
        }
        self.now.0 += 60_000;
        let gates = self.gated();
        if !gates.is_empty() && self.random.percent(50) {
            let (stream, job) = self.random.pick(&gates).clone();
            return Some(self.answer(stream, job, "mona", true));
        }
        match self.driven.awaiting_person().into_iter().next() {
            Some((stream, job, _)) => {
                Some(Input::Resume { stream, job: Some(job), by: text("octocat"), asked: None })
            }
            None => Some(Input::Tick),
        }
    }

    fn round(&mut self, inputs: Vec<Input>) -> Result<(), String> {
        self.now.0 += self.random.below(2_000) as u64;
        for input in &inputs {
            self.told.push(words(input));
        }
        match self.driven.round(inputs, self.now) {
            Ok(()) | Err(DriverError::Refused(_)) => {}
            Err(DriverError::Journal(_)) => {
                self.told.push("-- the journal fails --".to_owned());
                self.crash()?;
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                return Err(format!("{error}: {}", source.unwrap_or_default()));
            }
        }
        let twice = self.crew.borrow().started.iter().find(|(_, times)| **times > 1).is_some();
        if twice {
            return Err("a lease was started twice".to_owned());
        }
        let broken = self.driven.observer().broken.clone();
        if let Some(broken) = broken.or_else(|| self.crew.borrow().broken.clone()) {
            return Err(broken);
        }
        self.driven.observer().at_rest()?;
        let folded = self.driven.observer().state() == self.driven.state();
        if folded { Ok(()) } else { Err("the fold of the events is not the state".to_owned()) }
    }

    /// What workers said stands in the journal, each report once and in its order; and whoever said
    /// that its job is over was heard.
    fn once(&self) -> Result<(), String> {
        let crew = self.crew.borrow();
        let heard = self.heard()?;
        for (lease, spool) in &crew.spools {
            let kinds: Vec<&str> = spool.iter().map(event_kind).collect();
            let told = heard.get(lease).cloned().unwrap_or_default();
            if !kinds.starts_with(&told) {
                return Err(format!("{lease:?} said {kinds:?}, the journal has {told:?}"));
            }
            if kinds.last() == Some(&"JobCompleted") && told != kinds {
                return Err(format!("{lease:?} was over, and the journal has {told:?}"));
            }
        }
        Ok(())
    }

    /// What the journal has of each lease's worker: the kinds of its events, in order.
    fn heard(&self) -> Result<BTreeMap<Lease, Vec<&'static str>>, String> {
        let mut heard: BTreeMap<Lease, Vec<&str>> = BTreeMap::new();
        for run in 1..=self.runs {
            let stream = StreamId::Run(RunId(run), Attempt(1));
            let mut leases = BTreeMap::new();
            for envelope in self.journal.read(stream, Seq(0)).map_err(|it| it.to_string())? {
                let event: RunEvent = envelope.event;
                let is_report = match &event {
                    RunEvent::JobLeased { job, fence, .. } => {
                        leases.insert(job.clone(), *fence);
                        false
                    }
                    RunEvent::JobStarted { .. }
                    | RunEvent::StepStarted { .. }
                    | RunEvent::StepCompleted { .. } => true,
                    RunEvent::NotEnforced { job, .. } => job.is_some(),
                    // One that could not be given to a worker at all fails without one.
                    RunEvent::JobCompleted { fence, exit, .. } => {
                        fence.is_some() && *exit != ExitKind::InfraFailure
                    }
                    _ => false,
                };
                let lease = event.job().and_then(|job| Some((job.clone(), *leases.get(job)?)));
                if let (true, Some((job, fence))) = (is_report, lease) {
                    heard.entry(Lease { stream, job, fence }).or_default().push(event.kind());
                }
            }
        }
        Ok(heard)
    }

    /// The process dies. Workers end with it, or go on and are found again.
    fn crash(&mut self) -> Result<(), String> {
        self.crashes += 1;
        self.journal.restart();
        self.visits.add(&self.driven.observer().visits);
        if self.outlives {
            self.crew.borrow_mut().living.values_mut().for_each(|it| it.attached = false);
            for _ in 0..self.random.below(6) {
                // Nobody hears any of it.
                let action = *self.random.pick(&[
                    Action::WorkerStarts,
                    Action::WorkerSays,
                    Action::WorkerEnds,
                    Action::WorkerDies,
                ]);
                if self.runs > 0 && self.one(action).is_some() {
                    return Err("a driver that is dead was told something".to_owned());
                }
            }
        } else {
            self.crew.borrow_mut().living.clear();
        }
        let jobs = FakeJobs(Rc::clone(&self.crew));
        let log = std::mem::take(&mut self.driven.observer_mut().log);
        self.starts += 1;
        self.driven = driven(self.starts, self.journal.clone(), jobs, self.home.clone());
        self.driven.observer_mut().log = log;
        let streams = self.journal.open_streams().map_err(|error| error.to_string())?;
        let mut inputs = Vec::new();
        for stream in streams {
            self.driven.adopt(stream).map_err(|error| format!("{error:?}"))?;
            let run = self.driven.state().run(stream).expect("adopted just now");
            for job in run.jobs() {
                if let Some((fence, _)) = job.lease {
                    let lease = Lease { stream, job: job.key.clone(), fence };
                    if self.outlives {
                        inputs.extend(take_over(&mut self.crew.borrow_mut(), lease, job.heard));
                    } else {
                        inputs.push(Input::WorkerGone { lease, reason: text("the driver died") });
                    }
                }
            }
        }
        self.dismiss();
        self.round(inputs)
    }

    /// Workers of leases that are over are told so.
    fn dismiss(&mut self) {
        let state = self.driven.state();
        let holds = |lease: &Lease| {
            let job = state.run(lease.stream).and_then(|run| run.job(&lease.job));
            job.and_then(|job| job.lease).is_some_and(|(fence, _)| fence == lease.fence)
        };
        let mut crew = self.crew.borrow_mut();
        crew.living.retain(|lease, _| holds(lease));
        crew.ended.retain(|lease, _| holds(lease));
    }

    fn act(&mut self) -> Vec<Input> {
        let action = self.random.weighted(&[
            (3, Action::CreateRun),
            (30, Action::WorkerStarts),
            (10, Action::WorkerSays),
            (30, Action::WorkerEnds),
            (4, Action::WorkerDies),
            (4, Action::SaidAgain),
            (3, Action::OldFence),
            (8, Action::Clock),
            (1, Action::CancelRun),
            (1, Action::CancelJob),
            (1, Action::Force),
            (4, Action::Resume),
            (12, Action::Answer),
            (1, Action::RulesChange),
            (6, Action::CommitMoves),
            (3, Action::PlanFault),
            (8, Action::Several),
        ]);
        match action {
            Action::Several => {
                let some = 2 + self.random.below(3);
                (0..some).flat_map(|_| self.act()).collect()
            }
            Action::PlanFault => {
                let fault =
                    *self.random.pick(&[Fault::CrashBefore, Fault::CrashAfter, Fault::DiskFull]);
                let soon = 1 + self.random.below(4) as u64;
                self.journal.fault_at(self.journal.appends() + soon, fault);
                Vec::new()
            }
            action => self.one(action).into_iter().collect(),
        }
    }

    fn one(&mut self, action: Action) -> Option<Input> {
        if self.runs == 0 {
            return self.create();
        }
        match action {
            Action::CreateRun => self.create(),
            Action::WorkerStarts => {
                self.worker(|it| !it.started).and_then(|lease| self.starts(lease))
            }
            Action::WorkerSays => self.worker(|it| it.started).and_then(|lease| self.says(lease)),
            Action::WorkerEnds => {
                let lease = self.worker(|it| it.started || it.cancelled)?;
                let cancelled = self.crew.borrow().living[&lease].cancelled;
                let conclusion = match self.random.below(10) {
                    _ if cancelled && self.random.percent(80) => Conclusion::Cancelled,
                    0..3 => Conclusion::Failure,
                    _ => Conclusion::Success,
                };
                self.ends(lease, conclusion)
            }
            Action::WorkerDies => self.worker(|_| true).and_then(|lease| self.gone(lease)),
            Action::SaidAgain => {
                let said = self.crew.borrow().said.clone();
                let (lease, number, report) =
                    if said.is_empty() { return None } else { self.random.pick(&said).clone() };
                Some(Input::Report { lease, number, report })
            }
            Action::OldFence => {
                let lease = self.worker(|_| true)?;
                let lease = Lease { fence: Fence(lease.fence.0.saturating_sub(1)), ..lease };
                let number = self.outlives.then_some(0);
                let report = completed(Conclusion::Success, self.now);
                Some(Input::Report { lease, number, report })
            }
            Action::Clock => {
                self.now.0 += self.random.below(30 * 60_000) as u64;
                Some(Input::Tick)
            }
            Action::CancelRun => {
                let reason = CancelReason::Person { by: text("octocat"), asked: None };
                Some(Input::Cancel { stream: Some(self.stream()), job: None, reason })
            }
            Action::Force => {
                let reason = CancelReason::Forced { by: text("octocat"), asked: None };
                Some(Input::Cancel { stream: Some(self.stream()), job: None, reason })
            }
            Action::CancelJob => {
                let stream = self.stream();
                let job = self.job(stream)?;
                let reason = CancelReason::Person { by: text("octocat"), asked: None };
                Some(Input::Cancel { stream: Some(stream), job: Some(job), reason })
            }
            Action::Resume => {
                let stream = self.stream();
                Some(Input::Resume { stream, job: None, by: text("octocat"), asked: None })
            }
            Action::Answer => self.answers(),
            Action::RulesChange => {
                self.home.rules.set(self.home.rules.get().wrapping_add(1));
                self.home.rules_gone.set(self.random.percent(30));
                Some(Input::LookAtGates(Looked::All))
            }
            Action::CommitMoves => self.commit_moves(),
            Action::PlanFault | Action::Several => None,
        }
    }

    /// Something of a run's commit begins or ends, and whoever looks at the gates behind it says where it matters.
    fn commit_moves(&mut self) -> Option<Input> {
        let seen = self.home.aside.borrow_mut().pop_first();
        if let Some((stream, job)) = seen {
            return Some(Input::LookAtGates(Looked::Of(stream, job)));
        }
        self.home.is_well.set(self.random.percent(50));
        let stream = self.stream();
        let commit = &self.driven.state().run(stream)?.request().change.commit;
        Some(Input::LookAtGates(Looked::Behind(Arc::clone(commit))))
    }

    fn stream(&mut self) -> StreamId {
        StreamId::Run(RunId(1 + self.random.below(self.runs as usize) as u64), Attempt(1))
    }

    fn job(&mut self, stream: StreamId) -> Option<JobKey> {
        let run = self.driven.state().run(stream)?;
        let keys: Vec<JobKey> = run.jobs().map(|job| job.key.clone()).collect();
        (!keys.is_empty()).then(|| self.random.pick(&keys).clone())
    }

    fn worker(&mut self, which: impl Fn(&crate::workers::Worker) -> bool) -> Option<Lease> {
        let crew = self.crew.borrow();
        let found: Vec<&Lease> =
            crew.living.iter().filter(|(_, it)| which(it)).map(|(lease, _)| lease).collect();
        (!found.is_empty()).then(|| (*self.random.pick(&found)).clone())
    }

    /// Jobs at their gates.
    fn gated(&self) -> Vec<(StreamId, JobKey)> {
        let open = self.driven.state().runs().filter(|(_, run)| run.conclusion().is_none());
        let jobs = open.flat_map(|(stream, run)| {
            let jobs = run.jobs().filter(|job| job.phase == "at its gate");
            jobs.map(move |job| (stream, job.key.clone()))
        });
        jobs.collect()
    }

    /// Somebody says something, who may or may not, of what is or was asked.
    fn answers(&mut self) -> Option<Input> {
        let stream = self.stream();
        let gates = self.gated();
        let (stream, job) = match gates.is_empty() || self.random.percent(10) {
            true => (stream, self.job(stream)?),
            false => self.random.pick(&gates).clone(),
        };
        let who = *self.random.pick(&["mona", "hubot", "octocat", "stranger"]);
        let yes = self.random.percent(85);
        Some(self.answer(stream, job, who, yes))
    }

    fn answer(&mut self, stream: StreamId, job: JobKey, who: &str, yes: bool) -> Input {
        let answer = scheduler::Answer {
            id: "an answer".into(),
            gate: event::GateKey::new("approval/devops"),
            by: event::Actor {
                name: text(who),
                proof: "token".into(),
                source: None,
                address: None,
            },
            what: event::Digest::of(&[self.home.rules.get()]),
            said: if yes { scheduler::Said::Yes } else { scheduler::Said::No },
            reason: None,
        };
        Input::Answer { stream, job, answer }
    }

    /// What a worker says, and keeps where it outlives its driver; none where nobody listens.
    fn report(&mut self, lease: Lease, report: Report) -> Option<Input> {
        let mut crew = self.crew.borrow_mut();
        let mut number = None;
        let mut is_heard = true;
        if self.outlives {
            let spool = crew.spools.entry(lease.clone()).or_default();
            if !matches!(report, Report::LogGrew { .. }) {
                number = Some(spool.len() as u64);
                spool.push(report.clone());
            }
            let kept = spool.clone();
            let worker = crew.living.get_mut(&lease)?;
            worker.spool = kept;
            is_heard = worker.attached;
        }
        crew.said.push((lease.clone(), number, report.clone()));
        is_heard.then_some(Input::Report { lease, number, report })
    }

    fn starts(&mut self, lease: Lease) -> Option<Input> {
        if let Some(worker) = self.crew.borrow_mut().living.get_mut(&lease) {
            worker.started = true;
        }
        let at = self.now;
        self.report(lease, Report::Started { pid: 7, at })
    }

    fn says(&mut self, lease: Lease) -> Option<Input> {
        let (step, at) = (StepKey::new("build"), self.now);
        let (outcome, conclusion) = (Conclusion::Failure, Conclusion::Success);
        let report = match self.random.below(4) {
            0 => {
                let background = self.random.percent(30);
                Report::StepStarted { step, name: text("Run make"), background, at }
            }
            1 => {
                let log = LogRange::default();
                let own_log = None;
                Report::StepCompleted { step, outcome, conclusion, log, own_log, at }
            }
            2 => Report::NotEnforced { note: text("a note") },
            _ => Report::LogGrew { bytes: 7, step, own: None },
        };
        self.report(lease, report)
    }

    fn ends(&mut self, lease: Lease, conclusion: Conclusion) -> Option<Input> {
        let at = self.now;
        let said = self.report(lease.clone(), completed(conclusion, at));
        self.leaves(&lease);
        said
    }

    fn gone(&mut self, lease: Lease) -> Option<Input> {
        let is_heard = self.crew.borrow().living.get(&lease).is_some_and(|it| it.attached);
        self.leaves(&lease);
        is_heard.then(|| Input::WorkerGone { lease, reason: text("its worker is gone") })
    }

    fn leaves(&mut self, lease: &Lease) {
        let mut crew = self.crew.borrow_mut();
        if let Some(worker) = crew.living.remove(lease)
            && self.outlives
        {
            crew.ended.insert(lease.clone(), worker);
        }
    }

    fn create(&mut self) -> Option<Input> {
        if self.runs == RUNS_MAX {
            return None;
        }
        self.runs += 1;
        let generated = generate::workflow(&mut self.random);
        self.told.push(generated.main.clone());
        self.told.extend(generated.called.iter().map(|(path, text)| format!("# {path}\n{text}")));
        let file = |path: &str, text: String| WorkflowFile { path: path.into(), text: text.into() };
        let called = generated.called.into_iter();
        let request = RunRequest {
            run: RunId(self.runs),
            attempt: Attempt(1),
            run_number: self.runs,
            carried: Vec::new(),
            repository: "octo/planner".into(),
            repository_path: "".into(),
            workflow: file(".github/workflows/main.yml", generated.main),
            called: called.map(|(path, text)| (format!("./{path}"), file(&path, text))).collect(),
            title: text("a story"),
            event: EventRef {
                name: "push".into(),
                git_ref: "refs/heads/main".into(),
                payload: json!({"flag": true}),
            },
            change: Change {
                commit: "0123456789abcdef0123456789abcdef01234567".into(),
                authored_at: Timestamp(0),
                committed_at: Timestamp(0),
                uncommitted: 0,
                snapshot: None,
                store: None,
                branched_at: None,
            },
            concurrency: None,
            selection: Selection::default(),
            terms: Terms { gated: true, ..Terms::default() },
            inputs: json!(null),
            vars: json!({}),
            secret_names: Vec::new(),
            actor: "octocat".into(),
            triggering_actor: "octocat".into(),
            asked: None,
            at: self.now,
        };
        Some(Input::CreateRun { request: Box::new(request), carried: Vec::new() })
    }
}

/// What is found of a lease by the next driver (`driver::Workers::take_over`).
fn take_over(crew: &mut Crew, lease: Lease, heard: u64) -> Vec<Input> {
    let rest = |spool: &[Report]| {
        let numbered = spool.iter().enumerate().skip(heard as usize);
        let input = |(number, report): (usize, &Report)| Input::Report {
            lease: lease.clone(),
            number: Some(number as u64),
            report: report.clone(),
        };
        numbered.map(input).collect::<Vec<_>>()
    };
    let gone = |reason| Input::WorkerGone { lease: lease.clone(), reason: text(reason) };
    if let Some(worker) = crew.living.get_mut(&lease).filter(|it| !it.spool.is_empty()) {
        worker.attached = true;
        return rest(&worker.spool);
    }
    if let Some(worker) = crew.ended.get(&lease).filter(|it| !it.spool.is_empty()) {
        return rest(&worker.spool).into_iter().chain([gone("it ended meanwhile")]).collect();
    }
    // It never began: what there is of it ends, and it may start now.
    crew.living.remove(&lease);
    crew.ended.remove(&lease);
    crew.started.remove(&lease);
    if heard > 0 { vec![gone("nothing is left of it")] } else { Vec::new() }
}

/// The event that a report becomes.
fn event_kind(report: &Report) -> &'static str {
    match report {
        Report::Started { .. } => "JobStarted",
        Report::StepStarted { .. } => "StepStarted",
        Report::StepCompleted { .. } => "StepCompleted",
        Report::NotEnforced { .. } => "NotEnforced",
        Report::Completed { .. } => "JobCompleted",
        _ => "none that a worker of a story says",
    }
}

fn driven(start: u64, journal: Shared, jobs: FakeJobs, home: FakeHome) -> Driven {
    let tracking = format!("t{start}").into();
    Loop::new(Settings { width: 3, tracking }, journal, jobs, home, Watcher::default())
}

fn completed(conclusion: Conclusion, at: Timestamp) -> Report {
    let exit = match conclusion {
        Conclusion::Success => ExitKind::None,
        Conclusion::Cancelled => ExitKind::Cancelled,
        _ => ExitKind::UserFailure,
    };
    let outputs = BTreeMap::from([("out".to_owned(), text("[1,2]"))]);
    Report::Completed { conclusion, exit, outputs, environment_url: None, at }
}
