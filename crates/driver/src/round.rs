//! One round of the loop: inputs in, events on disk, deeds done.

mod gates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{
    Annotation, AnnotationLevel, Conclusion, ExitKind, JobKey, RunEvent, Seq, StepKey, StreamId,
    Timestamp,
};
use mask::MaskedText;
use ports::{Jobs, Journal, JournalError, Lease};
use protocol::Report;
use scheduler::{
    Command, Definitions, Files, IllegalMove, Refusal, State, decide, evolve, job_spec, pending,
};
use syntax::Diagnostic;

use self::gates::looking_once;
use crate::inputs::Input;
use crate::surroundings::Home;

/// Jobs up to which debug builds check the invariants, which walk over all of them.
const CHECKED_JOBS_MAX: usize = 200;

/// How the loop runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Jobs at a time.
    pub width: usize,
    /// What tracking ids begin with; unlike that of any other process ever.
    pub tracking: Arc<str>,
}

/// Why the loop cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The journal did not take or give events.
    #[error("the journal failed")]
    Journal(#[source] JournalError),
    /// The journal holds what cannot be, or a fault of ours.
    #[error("the run {stream} cannot be folded")]
    Illegal {
        /// Which.
        stream: StreamId,
        /// What cannot be.
        #[source]
        source: IllegalMove,
    },
    /// The workflow text of a run cannot be read any more.
    #[error("the workflow of the run {stream} cannot be read")]
    Workflow {
        /// Which.
        stream: StreamId,
        /// What is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
    /// The input was refused.
    #[error("refused")]
    Refused(#[source] Refusal),
    /// A run that is gone on with has a concurrency group that another process has by now.
    #[error("{holder} has the concurrency group `{group}`")]
    GroupHeld {
        /// Which.
        group: MaskedText,
        /// The run that has it.
        holder: Arc<str>,
    },
    /// An append failed before: the state is ahead of the journal.
    #[error("the loop failed before and cannot go on")]
    Poisoned,
}

/// Somebody who watches. Called after the append: what it hears is remembered.
pub trait Observer {
    /// An event is in the journal.
    fn on_event(&mut self, stream: StreamId, event: &RunEvent);
    /// A log of a job grew.
    fn on_log(&mut self, lease: &Lease, grown: &Grown);
    /// A run stands again after a restart: its events so far.
    fn on_adopted(&mut self, stream: StreamId, events: &[RunEvent]) {
        let _ = (stream, events);
    }
}

impl Observer for () {
    fn on_event(&mut self, _: StreamId, _: &RunEvent) {}
    fn on_log(&mut self, _: &Lease, _: &Grown) {}
}

/// How far a log of a job has grown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The step that writes.
    pub step: StepKey,
    /// The file of a background step (`protocol::own_log`); none is the job's log.
    pub own: Option<u32>,
    /// Its length.
    pub bytes: u64,
}

/// Why nothing more will happen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Something is still to happen.
    No,
    /// Every run is over.
    Done,
    /// Only a person can go on: lost jobs wait.
    AwaitingPerson,
}

/// The open runs of this process, and the doors.
pub struct Loop<J, W, H, O> {
    pub(crate) state: State,
    pub(crate) definitions: Definitions,
    seqs: BTreeMap<StreamId, Seq>,
    settings: Settings,
    journal: J,
    jobs: W,
    pub(crate) home: H,
    /// Concurrency groups that this process has (`groups.rs`).
    pub(crate) groups: BTreeSet<String>,
    observer: O,
    /// Gates whose rules could not be read, with when that was.
    unread: BTreeMap<(StreamId, JobKey), Timestamp>,
    /// Deeds done for leases that are still open.
    done: BTreeSet<Command>,
    poisoned: bool,
}

/// What a round decided, folded but not yet on disk.
#[derive(Default)]
struct Round {
    events: Vec<(StreamId, RunEvent)>,
    /// Each behind as many of the events as it says: a step's lines come after its beginning.
    grown: Vec<(usize, Lease, Grown)>,
    /// Leases that somebody spoke under, or that were said to be over.
    spoken: BTreeSet<Lease>,
}

impl<J: Journal, W: Jobs, H: Home, O: Observer> Loop<J, W, H, O> {
    /// A loop without runs.
    pub fn new(settings: Settings, journal: J, jobs: W, home: H, observer: O) -> Loop<J, W, H, O> {
        Loop {
            state: State::new(),
            definitions: Definitions::new(),
            seqs: BTreeMap::new(),
            settings,
            journal,
            jobs,
            home,
            groups: BTreeSet::new(),
            observer,
            unread: BTreeMap::new(),
            done: BTreeSet::new(),
            poisoned: false,
        }
    }

    /// What is known.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The parsed files.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Which machines take jobs: before the first round, which leases what is ready.
    pub fn set_places(&mut self, places: Vec<scheduler::Place>) {
        self.definitions.set_places(places);
    }

    /// Which labels run without walls, and whose jobs may have them: before the first round.
    pub fn set_trusted(&mut self, labels: Vec<scheduler::TrustedLabel>) {
        self.definitions.set_trusted(labels);
    }

    /// The one who watches.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// The one who watches, for asking it to do something.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// The workers.
    pub fn jobs(&mut self) -> &mut W {
        &mut self.jobs
    }

    /// Folds an open run of the journal. The next round does what it owes.
    ///
    /// # Errors
    /// When the journal cannot give it, or it cannot be.
    pub fn adopt(&mut self, stream: StreamId) -> Result<(), DriverError> {
        let envelopes = self.journal.read(stream, Seq(0)).map_err(DriverError::Journal)?;
        let illegal = |source| DriverError::Illegal { stream, source };
        // In a state of its own first: a stream that cannot be folded must not spoil the others.
        let mut alone = State::new();
        for envelope in &envelopes {
            evolve(&mut alone, stream, &envelope.event).map_err(illegal)?;
        }
        let mut events = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            if let RunEvent::RunCreated(request) = &envelope.event {
                let (files, diagnostics) = Files::read(request);
                let files = files.ok_or(DriverError::Workflow { stream, diagnostics })?;
                self.definitions.insert(stream, files);
            }
            evolve(&mut self.state, stream, &envelope.event).map_err(illegal)?;
            self.seqs.insert(stream, envelope.seq);
            events.push(envelope.event);
        }
        self.observer.on_adopted(stream, &events);
        Ok(())
    }

    /// One round. What a stale worker says is passed over; what a person asks for in vain is
    /// refused, and the rest of the round holds.
    ///
    /// # Errors
    /// When the journal fails, which ends the loop, or the last refusal of the round.
    pub fn round(&mut self, inputs: Vec<Input>, at: Timestamp) -> Result<(), DriverError> {
        if self.poisoned {
            return Err(DriverError::Poisoned);
        }
        let mut round = Round::default();
        let mut refused = None;
        self.poisoned = true;
        let wanted = self.wanted_groups();
        for input in looking_once(inputs).chain(wanted) {
            if let Err(refusal) = self.take(input, at, &mut round)? {
                refused = Some(refusal);
            }
        }
        self.settle(at, &mut round)?;
        if cfg!(debug_assertions) {
            self.assert_invariants();
        }
        self.append(&round, at)?;
        self.leave_groups();
        self.poisoned = false;
        self.answer(std::mem::take(&mut round.spoken));
        self.tell(round);
        self.act(at)?;
        refused.map_or(Ok(()), |refusal| Err(DriverError::Refused(refusal)))
    }

    /// In debug builds: a fault of ours is found where it happens, not where it shows.
    fn assert_invariants(&self) {
        let jobs: usize = self.state.runs().map(|(_, run)| run.jobs().count()).sum();
        if jobs <= CHECKED_JOBS_MAX {
            scheduler::check(&self.state, &self.definitions).expect("the invariants hold");
        }
    }

    /// Decides and folds what one input says.
    fn take(
        &mut self,
        input: Input,
        at: Timestamp,
        round: &mut Round,
    ) -> Result<Result<(), Refusal>, DriverError> {
        let spoken = match &input {
            Input::Report { lease, number: Some(_), .. } | Input::WorkerGone { lease, .. } => {
                round.spoken.insert(lease.clone());
                Some(lease.clone())
            }
            _ => None,
        };
        let inputs = self.translate(input, at, round);
        let mut answer = Ok(());
        for input in inputs {
            let heard = matches!(
                input,
                scheduler::Input::Report { .. } | scheduler::Input::WorkerGone { .. }
            );
            match decide(&self.state, &self.definitions, input) {
                Ok(events) => self.fold(events, round)?,
                // One that skips a report, or says what cannot be, is not to be trusted with more.
                Err(Refusal::Gap { .. } | Refusal::Misplaced { .. }) if spoken.is_some() => {
                    spoken.iter().for_each(|lease| self.jobs.kill(lease));
                }
                // A worker that is too late is no mistake of anybody.
                Err(_) if heard => {}
                Err(refusal) => answer = Err(refusal),
            }
        }
        Ok(answer)
    }

    /// The scheduler's words for an input; what needs no decision is kept aside.
    fn translate(
        &mut self,
        input: Input,
        at: Timestamp,
        round: &mut Round,
    ) -> Vec<scheduler::Input> {
        match input {
            Input::CreateRun { request, carried } => {
                let stream = StreamId::Run(request.run, request.attempt);
                if let (Some(files), _) = Files::read(&request) {
                    self.definitions.insert(stream, files);
                }
                vec![scheduler::Input::CreateRun { request, carried }]
            }
            Input::Report { lease, report: Report::LogGrew { bytes, step, own }, .. } => {
                round.grown.push((round.events.len(), lease, Grown { step, own, bytes }));
                Vec::new()
            }
            Input::Report { lease, number, report } => {
                if !self.is_leased(&lease) {
                    return Vec::new();
                }
                let ends = matches!(report, Report::Completed { .. });
                let log = if ends { self.home.keep_log(&lease) } else { None };
                let runner = self.runner(&lease);
                let Lease { stream, job, fence } = lease;
                vec![scheduler::Input::Report { stream, job, fence, number, report, runner, log }]
            }
            Input::WorkerGone { lease: Lease { stream, job, fence }, reason } => {
                vec![scheduler::Input::WorkerGone { stream, job, fence, reason, at }]
            }
            Input::Tick => vec![scheduler::Input::Clock { at }],
            Input::Cancel { stream: Some(stream), job, reason } => {
                vec![scheduler::Input::Cancel { stream, job, reason, at }]
            }
            Input::Cancel { stream: None, reason, .. } => {
                let open = self.state.runs().filter(|(_, run)| run.conclusion().is_none());
                let cancel = |stream| {
                    let reason = reason.clone();
                    scheduler::Input::Cancel { stream, job: None, reason, at }
                };
                open.map(|(stream, _)| cancel(stream)).collect()
            }
            Input::Resume { stream, job, by, asked } => {
                vec![scheduler::Input::Resume { stream, job, by, asked, at }]
            }
            Input::Answer { stream, job, answer } => {
                // What they agree to has to be what the rules say now.
                let read = self.gate(stream, &job, at);
                let answer = scheduler::Input::Answer { stream, job, answer, at };
                read.into_iter().chain([answer]).collect()
            }
            Input::LookAtGates(which) => self.look(which, at),
            Input::Places(places) => {
                self.set_places(places);
                Vec::new()
            }
            Input::Detach | Input::Leave => Vec::new(),
        }
    }

    fn is_leased(&self, lease: &Lease) -> bool {
        let run = self.state.run(lease.stream);
        let job = run.and_then(|run| run.job(&lease.job));
        job.and_then(|job| job.lease).is_some_and(|(fence, _)| fence == lease.fence)
    }

    /// What the machine is called that has a lease.
    fn runner(&self, lease: &Lease) -> Arc<str> {
        let job = self.state.run(lease.stream).and_then(|run| run.job(&lease.job));
        let elsewhere = job.and_then(|job| job.runner.cloned());
        elsewhere.unwrap_or_else(|| self.home.runner(lease.stream, &lease.job))
    }

    /// After the append: whoever spoke is told how far he was heard, or that he has no lease.
    fn answer(&mut self, spoken: BTreeSet<Lease>) {
        for lease in spoken {
            let run = self.state.run(lease.stream);
            let job = run.and_then(|run| run.job(&lease.job));
            match job.filter(|job| job.lease.is_some_and(|(fence, _)| fence == lease.fence)) {
                Some(job) => self.jobs.heard(&lease, job.heard),
                None => self.jobs.closed(&lease),
            }
        }
    }

    /// Everything that follows by itself, until nothing does.
    fn settle(&mut self, at: Timestamp, round: &mut Round) -> Result<(), DriverError> {
        loop {
            self.take_groups();
            let advance = scheduler::Input::Advance { at };
            let mut events = self.due(advance)?;
            if events.is_empty() {
                events = self.gates(at)?;
            }
            if events.is_empty() {
                let (width, tracking) = (self.settings.width, Arc::clone(&self.settings.tracking));
                events = self.due(scheduler::Input::Lease { width, tracking, at })?;
            }
            if events.is_empty() {
                return Ok(());
            }
            self.fold(events, round)?;
        }
    }

    fn due(&self, input: scheduler::Input) -> Result<Vec<(StreamId, RunEvent)>, DriverError> {
        decide(&self.state, &self.definitions, input).map_err(DriverError::Refused)
    }

    fn fold(
        &mut self,
        events: Vec<(StreamId, RunEvent)>,
        round: &mut Round,
    ) -> Result<(), DriverError> {
        for (stream, event) in events {
            evolve(&mut self.state, stream, &event)
                .map_err(|source| DriverError::Illegal { stream, source })?;
            round.events.push((stream, event));
        }
        Ok(())
    }

    /// One append for each stretch of one stream, in the order decided: whatever a crash leaves is a
    /// beginning of the story. Were the stretches of a stream put together, a job could hold a group
    /// on disk whose last holder, in another stream, has not left it.
    fn append(&mut self, round: &Round, at: Timestamp) -> Result<(), DriverError> {
        for stretch in round.events.chunk_by(|(one, _), (next, _)| one == next) {
            let stream = stretch[0].0;
            let events: Vec<RunEvent> = stretch.iter().map(|(_, event)| event.clone()).collect();
            let expected = self.seqs.get(&stream).copied().unwrap_or_default();
            let appended = self.journal.append(stream, expected, at, &events);
            self.seqs.insert(stream, appended.map_err(DriverError::Journal)?);
        }
        Ok(())
    }

    fn tell(&mut self, round: Round) {
        let mut grown = round.grown.iter().peekable();
        for (at, (stream, event)) in round.events.iter().enumerate() {
            while let Some((_, lease, grown)) = grown.next_if(|(behind, _, _)| *behind <= at) {
                self.observer.on_log(lease, grown);
            }
            self.observer.on_event(*stream, event);
            if matches!(event, RunEvent::RunCompleted { .. }) {
                self.definitions.remove(*stream);
            }
        }
        for (_, lease, grown) in grown {
            self.observer.on_log(lease, grown);
        }
    }

    /// Does what is owed and was not done for this lease yet.
    fn act(&mut self, at: Timestamp) -> Result<(), DriverError> {
        let owed: BTreeSet<Command> = pending(&self.state).into_iter().collect();
        // A deed leaves the list when an event says that it was done; its key never comes back.
        self.done.retain(|command| owed.contains(command));
        let mut failures = Vec::new();
        for command in owed {
            if !self.done.insert(command.clone()) {
                continue;
            }
            match command {
                Command::StartJob { stream, job, fence } => {
                    let lease = Lease { stream, job, fence };
                    if let Err(message) = self.start(&lease) {
                        failures.extend(could_not_start(&lease, message, at));
                    }
                }
                Command::CancelJob { stream, job, fence } => {
                    self.jobs.cancel(&Lease { stream, job, fence });
                }
                Command::KillJob { stream, job, fence } => {
                    self.jobs.kill(&Lease { stream, job, fence });
                }
            }
        }
        if failures.is_empty() { Ok(()) } else { self.round(failures, at) }
    }

    fn start(&mut self, lease: &Lease) -> Result<(), String> {
        let (stream, job) = (lease.stream, &lease.job);
        let run = self.state.run(stream).expect("what is owed belongs to a known run");
        let definition = run.job(job).and_then(|job| job.definition);
        let definition = definition.expect("a leased job was planned");
        scheduler::may_begin(&self.state, &self.definitions, stream, job).map_err(|kept| {
            format!(
                "the label `{}` is not for this job any more: serve --trusted-label",
                kept.label
            )
        })?;
        let surroundings = self
            .home
            .surroundings(lease, run.request(), definition)
            .map_err(|error| error.to_string())?;
        let spec = job_spec(&self.state, &self.definitions, stream, job, surroundings)
            .map_err(|error| error.to_string())?;
        self.jobs.start(spec);
        Ok(())
    }

    /// From now on no job begins. What runs goes on.
    pub fn begin_nothing(&mut self) {
        self.settings.width = 0;
    }

    /// Drops the runs that are over: nothing is owed for them, and a loop that lives long would
    /// remember all of them.
    pub fn forget_completed(&mut self) {
        let over = |(stream, run): (StreamId, &scheduler::Run)| {
            run.conclusion().is_some().then_some(stream)
        };
        for stream in self.state.runs().filter_map(over).collect::<Vec<_>>() {
            self.state.forget(stream);
            self.seqs.remove(&stream);
            self.unread.retain(|(it, _), _| *it != stream);
        }
    }

    /// When the clock has to be looked at next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.next_deadline()
    }

    /// Whether anything will still happen by itself.
    pub fn quiet(&self) -> Quiet {
        let mut open = self.state.runs().filter(|(_, run)| run.conclusion().is_none()).peekable();
        if open.peek().is_none() {
            return Quiet::Done;
        }
        let works = self.state.leases_open() > 0
            || self.state.jobs_ready() > 0
            || !self.definitions.elsewhere().is_empty();
        if works { Quiet::No } else { Quiet::AwaitingPerson }
    }

    /// The jobs that wait for a person, with what for.
    pub fn awaiting_person(&self) -> Vec<(StreamId, JobKey, MaskedText)> {
        let waits = |(stream, run): (StreamId, &scheduler::Run)| {
            let jobs = run.jobs().filter_map(|job| match job.waiting {
                Some(event::WaitReason::Person { reason }) => {
                    Some((stream, job.key.clone(), reason.clone()))
                }
                _ => None,
            });
            jobs.collect::<Vec<_>>()
        };
        self.state.runs().flat_map(waits).collect()
    }
}

/// What stands in the journal for a job that could not even be given to a worker.
fn could_not_start(lease: &Lease, message: String, at: Timestamp) -> [Input; 2] {
    let annotation = Annotation {
        level: AnnotationLevel::Error,
        message: MaskedText::without_secrets(message),
        title: None,
        file: None,
        line: None,
        end_line: None,
        column: None,
        end_column: None,
    };
    let said = Report::AnnotationAdded { step: None, annotation };
    let ended = Report::Completed {
        conclusion: Conclusion::Failure,
        exit: ExitKind::InfraFailure,
        outputs: BTreeMap::new(),
        environment_url: None,
        at,
    };
    [said, ended].map(|report| Input::Report { lease: lease.clone(), number: None, report })
}
