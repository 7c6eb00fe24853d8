//! One deployment, driven: input, decide, append, evolve, do what is pending through its doors.
//!
//! ```text
//!   people ──┐                            ┌──▶ journal (append; intent before deed)
//!   clock ───┼──▶ Input ──▶ Deployment ───┼──▶ doors (a target looked at, a step carried on)
//!   doors ───┘             (the machine)  └──▶ observer (what happened, how far a step is)
//! ```
//!
//! As with runs there is no recovery code: [`Deployment::adopt`] folds an open deployment under a
//! fence of its own, and the next round does what is owed. A process that lost it cannot append any
//! more, because the stream has moved on; a target that knows of fences refuses its orders too.
//!
//! A round appends before it calls a door, and calls at most one: what the call says is decided,
//! folded and appended before the next. Who died between a deed and its append finds the same order
//! pending and gives it again; whoever does it looks first.

mod place;
mod shell;

use std::sync::Arc;
use std::time::Duration;

use ::deployment::{
    Command, IllegalMove, Input, Looked, News, Refusal, State, Told, decide, evolve, pending,
};
use event::{
    Actor, Cause, CauseCode, DeployStepKey, DeploymentEvent, DeploymentId, DeploymentRequest,
    Digest, Fence, GateKey, PlannedStep, Seq, ServicePlan, ServiceRequest, SshProof, StreamId,
    Timestamp, Way,
};
use mask::MaskedText;
use ports::{Journal, JournalError, Order, Performer, Progress, Target};

pub use place::{Place, PlaceError, Taken};
pub use shell::{DeploymentEnded, DeploymentInput, DeploymentShell};

/// How long until a target that could not be looked at is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Who does what a deployment owes the world. The binary chooses.
pub trait Doors {
    /// The target of a service.
    ///
    /// # Errors
    /// When there is none of that kind, or it cannot be reached.
    fn target(&mut self, service: &ServiceRequest) -> Result<&mut dyn Target, Cause>;

    /// The rules that a deployment is held to, read once more: the tip that they stand at. They
    /// could have changed while people were waited for.
    ///
    /// # Errors
    /// [`event::CauseCode::Unavailable`] where they cannot be read now; any other where they forbid
    /// it by now.
    fn rules(&mut self, request: &DeploymentRequest) -> Result<Arc<str>, Cause>;

    /// Who does a step: the service's target, or who does steps of that kind.
    ///
    /// # Errors
    /// When nobody does.
    fn performer(
        &mut self,
        service: &ServiceRequest,
        step: &PlannedStep,
    ) -> Result<&mut dyn Performer, Cause>;
}

/// Somebody who watches. Called after the append: what it hears is remembered.
pub trait DeploymentObserver {
    /// An event is in the journal.
    fn on_event(&mut self, deployment: DeploymentId, event: &DeploymentEvent);

    /// How far a step is. Not remembered.
    fn on_progress(&mut self, step: &DeployStepKey, way: Way, seen: &MaskedText) {
        let _ = (step, way, seen);
    }

    /// The deployment stands again after a restart: its events so far.
    fn on_adopted(&mut self, deployment: DeploymentId, events: &[DeploymentEvent]) {
        let _ = (deployment, events);
    }
}

/// Why the loop cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The journal did not take or give events.
    #[error("the journal failed")]
    Journal(#[source] JournalError),
    /// The journal holds what cannot be, or a fault of ours.
    #[error("deployment {deployment} cannot be folded")]
    Illegal {
        /// Which.
        deployment: DeploymentId,
        /// What cannot be.
        #[source]
        source: IllegalMove,
    },
    /// The machine refused what the loop itself told it.
    #[error("refused")]
    Refused(#[source] Refusal),
    /// An append failed before: the state is ahead of the journal.
    #[error("the loop failed before and cannot go on")]
    Poisoned,
}

/// When the loop wants its next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is over.
    Over,
    /// So soon.
    Again(Duration),
    /// When people say something, or at this time.
    Waiting(Option<Timestamp>),
}

/// One deployment and its doors.
pub struct Deployment<J, D, O> {
    id: DeploymentId,
    state: State,
    seq: Seq,
    fence: Fence,
    journal: J,
    doors: D,
    observer: O,
    poisoned: bool,
}

impl<J: Journal<DeploymentEvent>, D: Doors, O: DeploymentObserver> Deployment<J, D, O> {
    /// A new deployment, owned by the caller, who holds its [`Place`]. What was asked for is in the
    /// journal when this returns.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn request(
        id: DeploymentId,
        request: DeploymentRequest,
        owner: MaskedText,
        (journal, doors, observer): (J, D, O),
    ) -> Result<Deployment<J, D, O>, DeploymentError> {
        let at = request.at;
        let fence = Fence(1);
        let mut loops = Deployment::empty(id, fence, journal, doors, observer);
        let mut events = Vec::new();
        loops.take(Input::Request(Box::new(request)), at, &mut events)?;
        loops.take(Input::Own { owner }, at, &mut events)?;
        loops.keep(events, at)?;
        Ok(loops)
    }

    /// An open deployment of the journal, owned by the caller from now on. The next round does what
    /// it owes.
    ///
    /// # Errors
    /// When the journal cannot give it, or it cannot be.
    pub fn adopt(
        id: DeploymentId,
        owner: MaskedText,
        at: Timestamp,
        (journal, doors, observer): (J, D, O),
    ) -> Result<Deployment<J, D, O>, DeploymentError> {
        let mut loops = Deployment::empty(id, Fence(0), journal, doors, observer);
        let envelopes =
            loops.journal.read(loops.stream(), Seq(0)).map_err(DeploymentError::Journal)?;
        let mut past = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            loops.evolve(&envelope.event)?;
            loops.seq = envelope.seq;
            past.push(envelope.event);
        }
        loops.observer.on_adopted(id, &past);
        loops.fence = loops.state.fence();
        if loops.state.request().is_some() && loops.state.ended().is_none() {
            loops.fence = Fence(loops.state.fence().0 + 1);
            let mut events = Vec::new();
            loops.take(Input::Own { owner }, at, &mut events)?;
            loops.keep(events, at)?;
        }
        Ok(loops)
    }

    fn empty(
        id: DeploymentId,
        fence: Fence,
        journal: J,
        doors: D,
        observer: O,
    ) -> Deployment<J, D, O> {
        let (state, seq, poisoned) = (State::new(), Seq(0), false);
        Deployment { id, state, seq, fence, journal, doors, observer, poisoned }
    }

    /// Which.
    pub fn id(&self) -> DeploymentId {
        self.id
    }

    /// What is known.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The one who watches.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// The one who watches, for asking it to do something.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    fn stream(&self) -> StreamId {
        StreamId::Deployment(self.id)
    }

    /// One round: what people say, what follows, at most one call at a door, what follows from that.
    /// Refusals change nothing and are given to `refused`.
    ///
    /// # Errors
    /// When the journal fails, which ends the loop.
    pub fn round(
        &mut self,
        inputs: Vec<Input>,
        at: Timestamp,
        refused: &mut dyn FnMut(&Refusal),
    ) -> Result<Standing, DeploymentError> {
        if self.poisoned {
            return Err(DeploymentError::Poisoned);
        }
        // Until the round is through: the state may be ahead of the journal.
        self.poisoned = true;
        self.listen(inputs, at, refused)?;
        let again = match pending(&self.state) {
            Some(Command::Propose) => self.propose(at)?,
            Some(Command::ReadRules) => self.read_rules(at)?,
            Some(Command::Look { services }) => self.look(&services, at)?,
            Some(Command::Carry { step, way }) => self.carry(&step, way, at)?,
            Some(Command::Wait { .. }) | None => Duration::ZERO,
        };
        self.poisoned = false;
        Ok(match pending(&self.state) {
            Some(Command::Wait { until }) => Standing::Waiting(until),
            Some(_) => Standing::Again(again),
            None => Standing::Over,
        })
    }

    /// Only what people say, and what follows by itself: no door is called. For whoever hands
    /// something in and does not drive it.
    ///
    /// # Errors
    /// When the journal fails, which ends the loop.
    pub fn hear(
        &mut self,
        inputs: Vec<Input>,
        at: Timestamp,
        refused: &mut dyn FnMut(&Refusal),
    ) -> Result<(), DeploymentError> {
        if self.poisoned {
            return Err(DeploymentError::Poisoned);
        }
        self.poisoned = true;
        self.listen(inputs, at, refused)?;
        self.poisoned = false;
        Ok(())
    }

    fn listen(
        &mut self,
        inputs: Vec<Input>,
        at: Timestamp,
        refused: &mut dyn FnMut(&Refusal),
    ) -> Result<(), DeploymentError> {
        let mut events = Vec::new();
        for input in inputs {
            let tried = tried(&input);
            match self.take(input, at, &mut events) {
                Err(DeploymentError::Refused(refusal)) => {
                    refused(&refusal);
                    let input = tried.map(|tried| tried.refused(&refusal));
                    match input.map(|input| self.take(input, at, &mut events)) {
                        // So many are enough.
                        None | Some(Ok(()) | Err(DeploymentError::Refused(_))) => {}
                        Some(Err(error)) => return Err(error),
                    }
                }
                other => other?,
            }
        }
        self.settle(at, events)
    }

    /// Decides, folds and appends what follows by itself.
    fn settle(
        &mut self,
        at: Timestamp,
        mut events: Vec<DeploymentEvent>,
    ) -> Result<(), DeploymentError> {
        loop {
            let before = events.len();
            self.take(Input::Advance, at, &mut events)?;
            if events.len() == before {
                break;
            }
        }
        self.keep(events, at)
    }

    fn take(
        &mut self,
        input: Input,
        at: Timestamp,
        events: &mut Vec<DeploymentEvent>,
    ) -> Result<(), DeploymentError> {
        // Who tries to agree after the end is written down, and nothing else.
        if self.state.ended().is_some()
            && !matches!(input, Input::Refuse { .. } | Input::Sign { .. } | Input::Reject { .. })
        {
            return Ok(());
        }
        let told = Told { fence: self.fence, at, input };
        for event in decide(&self.state, told).map_err(DeploymentError::Refused)? {
            self.evolve(&event)?;
            events.push(event);
        }
        Ok(())
    }

    fn evolve(&mut self, event: &DeploymentEvent) -> Result<(), DeploymentError> {
        let deployment = self.id;
        evolve(&mut self.state, event)
            .map_err(|source| DeploymentError::Illegal { deployment, source })?;
        if cfg!(debug_assertions) {
            ::deployment::check(&self.state).expect("the invariants hold");
        }
        Ok(())
    }

    fn keep(&mut self, events: Vec<DeploymentEvent>, at: Timestamp) -> Result<(), DeploymentError> {
        if events.is_empty() {
            return Ok(());
        }
        let appended = self.journal.append(self.stream(), self.seq, at, &events);
        self.seq = appended.map_err(DeploymentError::Journal)?;
        for event in &events {
            self.observer.on_event(self.id, event);
        }
        Ok(())
    }

    fn tell(&mut self, input: Input, at: Timestamp) -> Result<(), DeploymentError> {
        let mut events = Vec::new();
        self.take(input, at, &mut events)?;
        self.settle(at, events)
    }

    fn services(&self) -> Vec<ServiceRequest> {
        self.state.request().map_or_else(Vec::new, |request| request.services.clone())
    }

    fn propose(&mut self, at: Timestamp) -> Result<Duration, DeploymentError> {
        let mut plans = Vec::new();
        for wanted in self.services() {
            let service = Arc::clone(&wanted.service);
            let target = match self.doors.target(&wanted) {
                Ok(target) => target,
                Err(cause) => {
                    self.tell(Input::Unseen { service, cause }, at)?;
                    return Ok(LOOK_AGAIN);
                }
            };
            let seen = match target.observe(&wanted) {
                Ok(seen) => seen,
                Err(cause) => {
                    self.tell(Input::Unseen { service, cause }, at)?;
                    return Ok(LOOK_AGAIN);
                }
            };
            let proposal = match target.propose(&wanted, &seen) {
                Ok(proposal) => proposal,
                Err(cause) => {
                    self.tell(Input::Infeasible { service, cause }, at)?;
                    return Ok(Duration::ZERO);
                }
            };
            plans.push(ServicePlan {
                service,
                seen: seen.seen,
                running: seen.running,
                changes: proposal.changes,
                steps: proposal.steps,
                going_back: proposal.going_back,
                notes: proposal.notes,
            });
        }
        self.tell(Input::Proposed { services: plans }, at)?;
        Ok(Duration::ZERO)
    }

    fn read_rules(&mut self, at: Timestamp) -> Result<Duration, DeploymentError> {
        let request = self.state.request().expect("what has rules was requested");
        let (input, again) = match self.doors.rules(request) {
            Ok(commit) => (Input::RulesHold { commit }, Duration::ZERO),
            Err(cause) if cause.code == CauseCode::Unavailable => {
                (Input::RulesUnread { cause }, LOOK_AGAIN)
            }
            Err(cause) => (Input::RulesForbid { cause }, Duration::ZERO),
        };
        self.tell(input, at)?;
        Ok(again)
    }

    fn look(&mut self, services: &[Arc<str>], at: Timestamp) -> Result<Duration, DeploymentError> {
        let mut looked = Vec::new();
        for wanted in self.services().into_iter().filter(|it| services.contains(&it.service)) {
            let service = Arc::clone(&wanted.service);
            let seen = self.doors.target(&wanted).and_then(|target| target.observe(&wanted));
            match seen {
                Ok(it) => looked.push(Looked { service, seen: it.seen, running: it.running }),
                Err(cause) => {
                    self.tell(Input::Unseen { service, cause }, at)?;
                    return Ok(LOOK_AGAIN);
                }
            }
        }
        self.tell(Input::Looked { services: looked }, at)?;
        Ok(Duration::ZERO)
    }

    fn carry(
        &mut self,
        key: &DeployStepKey,
        way: Way,
        at: Timestamp,
    ) -> Result<Duration, DeploymentError> {
        let progress = self.order(key, way, at);
        let (news, again) = match progress {
            Progress::Underway { seen, again_in } => {
                self.observer.on_progress(key, way, &seen);
                (News::Underway, again_in)
            }
            Progress::Unreachable { cause, again_in } => {
                self.observer.on_progress(key, way, &cause.message);
                (News::Unreachable(cause), again_in)
            }
            Progress::Done { effect } => (News::Done { effect, vacuous: false }, Duration::ZERO),
            Progress::Vacuous { effect } => (News::Done { effect, vacuous: true }, Duration::ZERO),
            Progress::Failed(cause) => (News::Failed(cause), Duration::ZERO),
            Progress::Superseded(cause) => (News::Superseded(cause), Duration::ZERO),
            Progress::WentBack(cause) => (News::WentBack(cause), Duration::ZERO),
        };
        self.tell(Input::Heard { step: key.clone(), way, news }, at)?;
        Ok(again)
    }

    /// Gives the order once.
    fn order(&mut self, key: &DeployStepKey, way: Way, now: Timestamp) -> Progress {
        let (deed, _) = self.state.under_way().expect("what is carried on is under way");
        let (plan, _) = self.state.plan().expect("what is under way was planned");
        let step = plan.step(key).expect("what is under way stands in the plan");
        let planned = plan.service_of(key).expect("a step belongs to a service of the plan");
        let request = self.state.request().expect("what is under way was requested");
        let service = request.services.iter().find(|it| it.service == planned.service);
        let service = service.expect("a step belongs to a service of the request");
        let order = Order {
            deployment: self.id,
            fence: self.fence,
            step,
            service,
            way,
            now,
            since: deed.since,
            until: self.state.until(deed),
            before: planned.running.as_ref(),
            effects: self.state.effects(),
        };
        match self.doors.performer(service, step) {
            Ok(performer) => performer.advance(&order),
            Err(cause) => Progress::Unreachable { cause, again_in: LOOK_AGAIN },
        }
    }
}

/// Somebody's try to agree or to say no, kept until it is known whether they may.
struct Tried {
    gate: GateKey,
    by: Actor,
    handed: Option<Digest>,
}

fn tried(input: &Input) -> Option<Tried> {
    let (Input::Sign { gate, by, proof, .. } | Input::Reject { gate, by, proof, .. }) = input
    else {
        return None;
    };
    let whole = |proof: &SshProof| format!("{}{}", proof.text, proof.signature);
    let handed = proof.as_ref().map(|proof| Digest::of(whole(proof).as_bytes()));
    Some(Tried { gate: gate.clone(), by: by.clone(), handed })
}

impl Tried {
    fn refused(self, refusal: &Refusal) -> Input {
        let why = MaskedText::without_secrets(refusal.to_string());
        let Tried { gate, by, handed } = self;
        Input::Refuse { gate: Some(gate), by: Some(by.name), key: None, handed, why }
    }
}
