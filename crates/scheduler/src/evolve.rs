//! The fold: what an event makes of the state. Never changes for an event that has shipped.
//!
//! The legal moves stand in the matches below; everything else is an [`IllegalMove`] that names the
//! state and the event. Nothing is evaluated and nothing is decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    CancelReason, Conclusion, DeclaredJob, Fact, Fence, JobDefinition, JobKey, RunEvent,
    RunRequest, StreamId, Timestamp, WaitReason,
};
use mask::MaskedText;

use crate::gate::{Gate, is_gated};
use crate::group::{GroupName, Member};
use crate::limits::{CLEAN_UP_SLACK_MS, TIMEOUT_SLACK_MS};
use crate::pending::{Duty, run_limit};
use crate::state::{
    Ancestry, Ended, Lease, Legs, Node, NodeId, Phase, Run, Scope, ScopeId, State, Tally,
};

/// An event that cannot follow what went before: a damaged journal, or a fault of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow: {subject} is {state}")]
pub struct IllegalMove {
    /// The kind of the event.
    pub event: &'static str,
    /// The run or job it is about.
    pub subject: String,
    /// Where that stands.
    pub state: String,
}

type Step = Result<(), IllegalMove>;

/// Folds one event of a stream into the state.
///
/// # Errors
/// When the event cannot follow. The state is then not to be used any more.
pub fn evolve(state: &mut State, stream: StreamId, event: &RunEvent) -> Step {
    let fold = Fold { state, stream, event };
    match event {
        RunEvent::RunCreated(request) => fold.run_created(request),
        RunEvent::RunStarted { .. }
        | RunEvent::RunWaiting { .. }
        | RunEvent::RunCompleted { .. }
        | RunEvent::NotEnforced { job: None, .. }
        | RunEvent::CancelRequested { job: None, .. }
        | RunEvent::JobsDeclared { .. }
        | RunEvent::JobPlanned(_) => fold.of_run(),
        _ => fold.of_job(),
    }
}

struct Fold<'s> {
    state: &'s mut State,
    stream: StreamId,
    event: &'s RunEvent,
}

impl Fold<'_> {
    fn illegal(&self, subject: &str, state: impl Into<String>) -> IllegalMove {
        IllegalMove {
            event: self.event.kind(),
            subject: format!("{subject} of {:?}", self.stream),
            state: state.into(),
        }
    }

    fn run(&self) -> &Run {
        &self.state.runs[&self.stream]
    }

    fn run_mut(&mut self) -> &mut Run {
        self.state.runs.get_mut(&self.stream).expect("looked up before")
    }

    fn node(&self, id: NodeId) -> &Node {
        self.run().node(id)
    }

    fn change<R>(&mut self, id: NodeId, change: impl FnOnce(&mut Node) -> R) -> R {
        self.state.change(self.stream, id, change)
    }

    fn run_created(self, request: &RunRequest) -> Step {
        if self.state.runs.contains_key(&self.stream) {
            return Err(self.illegal("the run", "there already"));
        }
        let run = Run {
            request: Arc::new(request.clone()),
            nodes: Vec::new(),
            index: BTreeMap::new(),
            scopes: Vec::new(),
            started: false,
            waiting: None,
            cancel: None,
            last_fence: Fence(0),
            matrices: 0,
            timed_out: false,
            outputs_bytes: 0,
            conclusion: None,
        };
        match run_member(self.stream, &run) {
            Some((group, member)) => self.state.groups.join(group, member),
            None => {
                self.state.owed.starts.insert(self.stream);
            }
        }
        self.state.owed.run_limits.insert((run_limit(&run), self.stream));
        self.state.runs.insert(self.stream, run);
        Ok(())
    }

    fn of_run(mut self) -> Step {
        let Some(run) = self.state.runs.get(&self.stream) else {
            return Err(self.illegal("the run", "not known"));
        };
        if run.conclusion.is_some() {
            return Err(self.illegal("the run", "completed"));
        }
        match self.event {
            RunEvent::RunStarted { .. } => self.run_started(),
            RunEvent::RunWaiting { reason, .. } if !run.started => {
                if let Some((group, member)) = run_member(self.stream, run) {
                    self.state.groups.told(group, member);
                }
                self.run_mut().waiting = Some(reason.clone());
                Ok(())
            }
            RunEvent::CancelRequested { reason, .. } => {
                self.run_cancelled(reason);
                Ok(())
            }
            RunEvent::JobsDeclared { parent, file, jobs } => {
                self.jobs_declared(parent.as_ref(), file.as_ref(), jobs)
            }
            RunEvent::JobPlanned(definition) => self.job_planned(definition),
            RunEvent::RunCompleted { conclusion, .. } => self.run_completed(*conclusion),
            RunEvent::NotEnforced { .. } => Ok(()),
            _ => Err(self.illegal("the run", "started")),
        }
    }

    fn run_started(mut self) -> Step {
        if self.run().started || self.run().scopes.is_empty() {
            return Err(self.illegal("the run", "started, or without its jobs"));
        }
        let run = self.run_mut();
        run.started = true;
        run.waiting = None;
        self.state.owed.starts.remove(&self.stream);
        if let Some((group, member)) = run_member(self.stream, &self.state.runs[&self.stream]) {
            self.state.groups.hold(group, member);
        }
        for number in 0..self.run().nodes.len() {
            self.state.enlist(self.stream, NodeId(number as u32));
        }
        self.end_if_done();
        Ok(())
    }

    /// It ends by itself, or was told to.
    fn forget_limit(&mut self) {
        let limit = run_limit(self.run());
        self.state.owed.run_limits.remove(&(limit, self.stream));
    }

    fn run_cancelled(&mut self, reason: &CancelReason) {
        self.forget_limit();
        let run = self.run_mut();
        run.cancel = Some(reason.clone());
        if !run.started {
            self.state.owed.starts.remove(&self.stream);
            self.state.owed.ends.insert(self.stream);
        }
        if let Some((group, member)) = run_member(self.stream, &self.state.runs[&self.stream]) {
            self.state.groups.told_to_end(group, member);
        }
    }

    fn run_completed(mut self, conclusion: Conclusion) -> Step {
        if !self.state.owed.ends.remove(&self.stream) {
            return Err(self.illegal("the run", "not at its end"));
        }
        self.forget_limit();
        if let Some((group, member)) = run_member(self.stream, self.run()) {
            self.state.groups.leave(group, member);
        }
        self.run_mut().conclusion = Some(conclusion);
        Ok(())
    }

    fn jobs_declared(
        mut self,
        parent: Option<&JobKey>,
        file: Option<&String>,
        jobs: &[DeclaredJob],
    ) -> Step {
        let caller = match parent {
            None if self.run().scopes.is_empty() => None,
            None => return Err(self.illegal("the run", "declared already")),
            Some(key) => {
                let id = self.known(key)?;
                let node = self.node(id);
                if node.phase != Phase::Calling || node.calls.is_some() {
                    return Err(self.illegal(key.as_str(), node.phase.name()));
                }
                Some(id)
            }
        };
        let run = self.run_mut();
        let scope = ScopeId(run.scopes.len() as u32);
        let first = run.nodes.len();
        let nodes = (first..first + jobs.len()).map(|it| NodeId(it as u32)).collect();
        let (open, tally) = (jobs.len(), Tally::default());
        run.scopes.push(Scope { file: file.cloned(), caller, nodes, open, tally });
        for job in jobs {
            let id = NodeId(run.nodes.len() as u32);
            run.nodes.push(Node::new(job.key.clone(), Arc::clone(&job.id), scope, None));
            if run.index.insert(job.key.clone(), id).is_some() {
                return Err(self.illegal(job.key.as_str(), "declared twice"));
            }
        }
        for (number, job) in jobs.iter().enumerate() {
            let id = NodeId((first + number) as u32);
            let mut needs = Vec::with_capacity(job.needs.len());
            for key in &job.needs {
                needs.push(self.known(key)?);
            }
            for need in &needs {
                self.run_mut().node_mut(*need).dependents.push(id);
            }
            let node = self.run_mut().node_mut(id);
            node.needs_open = needs.len();
            node.phase = if needs.is_empty() { Phase::Due } else { Phase::Blocked };
            node.needs = needs;
            self.state.enlist(self.stream, id);
        }
        if let Some(caller) = caller {
            self.change(caller, |node| node.calls = Some(scope));
        }
        Ok(())
    }

    fn known(&self, key: &JobKey) -> Result<NodeId, IllegalMove> {
        let found = self.run().index.get(key).copied();
        found.ok_or_else(|| self.illegal(key.as_str(), "not known"))
    }

    /// A plain job is planned in its own node; a leg gets one below it.
    fn job_planned(mut self, definition: &JobDefinition) -> Step {
        let id = match self.run().index.get(&definition.key) {
            Some(id) => *id,
            None => self.add_leg(definition)?,
        };
        let node = self.node(id);
        if !matches!(node.phase, Phase::Due | Phase::Blocked) || node.definition.is_some() {
            return Err(self.illegal(definition.key.as_str(), node.phase.name()));
        }
        let matrix = node.matrix;
        let gated = is_gated(self.run().request(), definition);
        self.change(id, |node| node.definition = Some(Arc::new(definition.clone())));
        if let Some(matrix) = matrix {
            self.change(matrix, |node| {
                let legs = node.legs.get_or_insert_default();
                legs.max_parallel = definition.max_parallel.map(|max| max as usize);
                legs.fail_fast = definition.fail_fast;
            });
        }
        if gated {
            self.change(id, |node| node.phase = Phase::Gated);
        } else {
            self.go_ahead(id);
        }
        Ok(())
    }

    /// Nothing of its environment stands before it: what is left is the matrix and the group.
    fn go_ahead(&mut self, id: NodeId) {
        let node = self.node(id);
        let definition = node.planned();
        let parked = definition.max_parallel.is_some() && node.matrix.is_some();
        let claims = definition.concurrency.is_some();
        let matrix = node.matrix;
        self.change(id, |node| {
            node.agreed = node.gate.take().is_some_and(|gate| gate.is_agreed_by_people());
            node.phase = match () {
                () if parked => Phase::Parked,
                () if claims => Phase::Queued,
                () => Phase::Free,
            };
        });
        if let Some(matrix) = matrix {
            self.change(matrix, |node| {
                let legs = node.legs.as_mut().expect("a matrix has legs");
                if parked {
                    legs.parked.insert(id);
                } else {
                    legs.out.insert(id);
                }
            });
        }
        if claims && !parked {
            self.join_group(id);
        }
    }

    /// What happens at its gate.
    fn at_gate(&mut self, id: NodeId) -> bool {
        match self.event {
            RunEvent::JobGated { gate, .. } => self.change(id, |node| {
                let asked = (**gate).clone();
                node.gate = Some(Box::new(match node.gate.take() {
                    Some(before) => before.again(asked),
                    None => Gate::new(asked),
                }));
            }),
            RunEvent::JobApproved { gate: key, by, .. } if self.node(id).gate.is_some() => {
                self.change(id, |node| {
                    let gate = node.gate.as_mut().expect("looked at before");
                    gate.agreed.entry(key.clone()).or_default().push(by.clone());
                });
            }
            RunEvent::JobRejected { .. } => {}
            RunEvent::JobGateOpened { .. } if self.node(id).gate.is_some() => self.go_ahead(id),
            _ => return false,
        }
        true
    }

    fn add_leg(&mut self, definition: &JobDefinition) -> Result<NodeId, IllegalMove> {
        let declared = match &definition.parent {
            None => JobKey::new(Arc::clone(&definition.id)),
            Some(parent) => JobKey::new(format!("{parent}/{}", definition.id)),
        };
        let matrix = self.known(&declared)?;
        let node = self.node(matrix);
        if !matches!(node.phase, Phase::Due | Phase::Blocked) {
            return Err(self.illegal(definition.key.as_str(), node.phase.name()));
        }
        let scope = node.scope;
        let run = self.run_mut();
        let id = NodeId(run.nodes.len() as u32);
        let mut leg =
            Node::new(definition.key.clone(), Arc::clone(&definition.id), scope, Some(matrix));
        leg.phase = Phase::Due;
        run.nodes.push(leg);
        run.index.insert(definition.key.clone(), id);
        self.state.enlist(self.stream, id);
        let is_first = self.change(matrix, |node| {
            let is_first = node.legs.is_none();
            let legs = node.legs.get_or_insert_default();
            legs.all.push(id);
            legs.open += 1;
            is_first
        });
        self.run_mut().matrices += usize::from(is_first);
        Ok(id)
    }

    fn join_group(&mut self, id: NodeId) {
        if let Some((group, member)) = job_member(self.stream, self.run(), id, self.node(id)) {
            self.state.groups.join(group, member);
        }
    }

    fn of_job(mut self) -> Step {
        let Some(run) = self.state.runs.get(&self.stream) else {
            return Err(self.illegal("the run", "not known"));
        };
        if run.conclusion.is_some() {
            return Err(self.illegal("the run", "completed"));
        }
        let key = self.event.job().expect("events of runs were taken out before");
        let id = self.known(key)?;
        let phase = self.node(id).phase.clone();
        if phase == Phase::Gated && self.at_gate(id) {
            return Ok(());
        }
        let bad = || Err(self.illegal(key.as_str(), phase.name()));
        match (&phase, self.event) {
            (Phase::Due | Phase::Blocked, RunEvent::JobExpanded { .. }) => {
                if self.node(id).legs.is_none() {
                    return bad();
                }
                self.change(id, |node| node.phase = Phase::Expanded);
            }
            (Phase::Due | Phase::Blocked, RunEvent::JobSkipped { .. }) => {
                self.finish(id, Conclusion::Skipped, &BTreeMap::new());
            }
            (_, RunEvent::JobWaiting { reason, .. }) => {
                if !self.job_waiting(id, &phase, reason) {
                    return Err(self.illegal(key.as_str(), phase.name()));
                }
            }
            (Phase::Free | Phase::Parked | Phase::Queued, RunEvent::JobReady { at, .. }) => {
                self.job_ready(id, *at);
            }
            (_, RunEvent::JobApprovalRefused { .. }) => {}
            (_, RunEvent::AnnotationAdded { .. } | RunEvent::NotEnforced { .. }) => self.heard(id),
            (_, RunEvent::JobCompleted { fence, conclusion, outputs, .. }) => {
                if !may_complete(&phase, *fence, self.node(id)) {
                    return Err(self.illegal(key.as_str(), phase.name()));
                }
                self.finish(id, *conclusion, outputs);
            }
            (Phase::Expanded, RunEvent::MatrixCompleted { conclusion, outputs, .. })
            | (Phase::Calling, RunEvent::CallCompleted { conclusion, outputs, .. }) => {
                if crate::pending::duty(self.run(), self.node(id)) != Duty::Settle {
                    return bad();
                }
                self.finish(id, *conclusion, outputs);
            }
            (
                Phase::Blocked
                | Phase::Due
                | Phase::Gated
                | Phase::Parked
                | Phase::Queued
                | Phase::Free,
                RunEvent::JobCarried { conclusion, outputs, from, .. },
            ) if !self.run().started => {
                self.change(id, |node| node.carried_from = Some(*from));
                self.finish(id, *conclusion, outputs);
            }
            (_, RunEvent::CancelRequested { reason, at, .. }) if phase != Phase::Ended => {
                // The annotation before it, of the same decision, is nobody's report.
                if matches!(reason, CancelReason::Timeout { .. }) {
                    self.run_mut().node_mut(id).unhear();
                }
                self.job_cancelled(id, reason, *at);
            }
            _ => return self.of_worker(key, id, &phase),
        }
        Ok(())
    }

    /// What a worker does, and what is done about it.
    fn of_worker(mut self, key: &JobKey, id: NodeId, phase: &Phase) -> Step {
        match (phase, self.event) {
            (Phase::Ready, RunEvent::JobLeased { fence, tracking_id, runner, .. }) => {
                if *fence <= self.run().last_fence {
                    return Err(self.illegal(key.as_str(), "leased under a newer fence"));
                }
                self.run_mut().last_fence = *fence;
                self.state.open_lease(self.stream, id, runner.as_ref());
                let (fence, tracking_id) = (*fence, Arc::clone(tracking_id));
                let runner = runner.clone();
                let lease = Lease { fence, tracking_id, runner, deadline: None, heard: 0 };
                self.change(id, |node| node.phase = Phase::Leased(lease));
            }
            (Phase::Leased(lease), RunEvent::JobStarted { fence, at, .. })
                if lease.fence == *fence =>
            {
                let lease = lease.clone();
                self.job_started(id, lease, *at);
            }
            (
                Phase::Leased(_) | Phase::Running(_),
                RunEvent::StepStarted { .. }
                | RunEvent::StepCompleted { .. }
                | RunEvent::SummaryWritten { .. }
                | RunEvent::ArtifactUploaded { .. }
                | RunEvent::ImageBuilt { .. },
            ) => self.heard(id),
            (Phase::Leased(lease) | Phase::Running(lease), RunEvent::JobLost { fence, .. })
                if lease.fence == *fence =>
            {
                self.state.close_lease(self.stream, id);
                self.change(id, |node| {
                    node.phase = Phase::Lost;
                    node.losses += 1;
                });
            }
            (Phase::Lost | Phase::AwaitingPerson, RunEvent::JobRequeued { .. }) => {
                self.change(id, |node| {
                    node.phase = Phase::Ready;
                    node.waiting = None;
                });
            }
            _ => return Err(self.illegal(key.as_str(), phase.name())),
        }
        Ok(())
    }

    fn job_waiting(&mut self, id: NodeId, phase: &Phase, reason: &WaitReason) -> bool {
        match (phase, reason) {
            // Let out from behind `max-parallel`, into its group.
            (Phase::Parked, WaitReason::Concurrency { .. }) => {
                self.unpark(id);
                self.change(id, |node| node.phase = Phase::Queued);
                self.join_group(id);
            }
            (Phase::Lost, WaitReason::Person { .. }) => {
                self.change(id, |node| node.phase = Phase::AwaitingPerson);
            }
            (Phase::Queued, WaitReason::Concurrency { .. })
            | (Phase::Parked, WaitReason::MaxParallel) => {}
            _ => return false,
        }
        if let (WaitReason::Concurrency { .. }, Some((group, member))) =
            (reason, job_member(self.stream, self.run(), id, self.node(id)))
        {
            self.state.groups.told(group, member);
        }
        self.change(id, |node| node.waiting = Some(reason.clone()));
        true
    }

    fn unpark(&mut self, id: NodeId) {
        if let Some(matrix) = self.node(id).matrix {
            self.change(matrix, |node| {
                let legs = node.legs.as_mut().expect("a matrix has legs");
                if legs.parked.remove(&id) {
                    legs.out.insert(id);
                }
            });
        }
    }

    fn job_ready(&mut self, id: NodeId, at: Timestamp) {
        self.unpark(id);
        self.change(id, |node| {
            let calls = node.planned().call.is_some();
            node.phase = if calls { Phase::Calling } else { Phase::Ready };
            node.ready_at = at;
            node.waiting = None;
        });
        if let Some((group, member)) = job_member(self.stream, self.run(), id, self.node(id)) {
            self.state.groups.hold(group, member);
        }
    }

    /// One event stands for one report of a worker, so the events say how many were heard.
    fn heard(&mut self, id: NodeId) {
        self.run_mut().node_mut(id).hear();
    }

    fn job_started(&mut self, id: NodeId, mut lease: Lease, at: Timestamp) {
        lease.heard += 1;
        self.change(id, |node| {
            // A cancel that came first has set its own deadline.
            if node.cancel.is_none() {
                let limit = node.planned().runner.as_ref().map(|it| it.timeout_minutes);
                lease.deadline = limit.map(|minutes| after(at, minutes, TIMEOUT_SLACK_MS));
            }
            node.phase = Phase::Running(lease);
        });
    }

    fn job_cancelled(&mut self, id: NodeId, reason: &CancelReason, at: Timestamp) {
        let fail_fast = matches!(reason, CancelReason::FailFast { .. });
        self.change(id, |node| {
            // Who was asked to end and is forced to does not clean up any further.
            let killed = match reason {
                CancelReason::CleanUp { .. } => true,
                CancelReason::Forced { .. } => node.cancel.is_some(),
                _ => false,
            };
            node.killed |= killed;
            // Why it was to end at first is how it ends.
            if !killed || node.cancel.is_none() {
                node.cancel = Some(reason.clone());
            }
            let limit = node.definition.as_ref().and_then(|it| it.runner.as_ref());
            let limit = limit.map(|it| it.cancel_timeout_minutes);
            if let Phase::Leased(lease) | Phase::Running(lease) = &mut node.phase {
                lease.deadline =
                    limit.filter(|_| !killed).map(|minutes| after(at, minutes, CLEAN_UP_SLACK_MS));
            }
        });
        if let (true, Some(matrix)) = (fail_fast, self.node(id).matrix) {
            self.change(matrix, |node| {
                node.legs.as_mut().expect("a matrix has legs").told = true;
            });
        }
        if let Some((group, member)) = job_member(self.stream, self.run(), id, self.node(id)) {
            self.state.groups.told_to_end(group, member);
        }
    }

    /// The end of a node, and what follows for those around it.
    fn finish(
        &mut self,
        id: NodeId,
        conclusion: Conclusion,
        outputs: &BTreeMap<String, MaskedText>,
    ) {
        if self.node(id).phase.lease().is_some() {
            self.state.close_lease(self.stream, id);
            self.run_mut().outputs_bytes += outputs_bytes(outputs);
        }
        self.run_mut().timed_out |= conclusion == Conclusion::TimedOut;
        if let Some((group, member)) = job_member(self.stream, self.run(), id, self.node(id)) {
            self.state.groups.leave(group, member);
        }
        let result = self.node(id).result_of(conclusion);
        let outputs = Arc::new(outputs.clone());
        self.change(id, |node| {
            node.phase = Phase::Ended;
            node.waiting = None;
            node.ended = Some(Ended { conclusion, result, outputs });
        });
        match self.node(id).matrix {
            Some(matrix) => self.leg_ended(matrix, id, result),
            None => self.declared_ended(id, result),
        }
    }

    fn leg_ended(&mut self, matrix: NodeId, leg: NodeId, result: Conclusion) {
        self.change(matrix, |node| {
            let legs: &mut Legs = node.legs.as_mut().expect("a matrix has legs");
            legs.open -= 1;
            legs.tally.count(result);
            legs.out.remove(&leg);
            legs.parked.remove(&leg);
            if legs.fail_fast && result == Conclusion::Failure && legs.tripped.is_none() {
                legs.tripped = Some(leg);
            }
        });
    }

    fn declared_ended(&mut self, id: NodeId, result: Conclusion) {
        let node = self.node(id);
        let (scope, ancestry) = (node.scope, node.ancestry);
        let dependents = node.dependents.clone();
        for dependent in dependents {
            self.change(dependent, |node| {
                node.ancestry.add(ancestry, result);
                node.needs_open -= 1;
                if node.needs_open == 0 && node.phase == Phase::Blocked {
                    node.phase = Phase::Due;
                }
            });
        }
        let caller = self.run().scope(scope).caller;
        if let Some(caller) = caller {
            self.state.delist(self.stream, caller);
        }
        let run = self.run_mut();
        let entry = &mut run.scopes[scope.0 as usize];
        entry.open -= 1;
        entry.tally.count(result);
        match caller {
            Some(caller) => self.state.enlist(self.stream, caller),
            None => self.end_if_done(),
        }
    }

    fn end_if_done(&mut self) {
        let run = self.run();
        if run.started && run.scope(ScopeId::ROOT).open == 0 {
            self.state.owed.ends.insert(self.stream);
        }
    }
}

/// Bytes of outputs as GitHub counts them: names and values in UTF-16 (conformance 104, 235).
pub(crate) fn outputs_bytes(outputs: &BTreeMap<String, MaskedText>) -> usize {
    let units = |text: &str| 2 * text.encode_utf16().count();
    outputs.iter().map(|(name, value)| units(name) + units(value.as_str())).sum()
}

/// A job may end with its worker's fence, or without one while it has no worker.
fn may_complete(phase: &Phase, fence: Option<Fence>, node: &Node) -> bool {
    match phase {
        Phase::Leased(lease) | Phase::Running(lease) => fence == Some(lease.fence),
        Phase::Ended | Phase::Expanded => false,
        Phase::Calling => fence.is_none() && node.calls.is_none(),
        _ => fence.is_none(),
    }
}

/// The run as a member of its own group.
pub(crate) fn run_member(stream: StreamId, run: &Run) -> Option<(GroupName, Member)> {
    let claim = run.request.concurrency.as_ref()?;
    let member = Member {
        since: run.request.at,
        stream,
        job: None,
        cancels_holder: claim.cancel_in_progress,
        lets_wait: claim.queue_max,
    };
    Some((GroupName::new(&run.request.repository, claim.group.as_str()), member))
}

/// A job as a member of its group.
pub(crate) fn job_member(
    stream: StreamId,
    run: &Run,
    id: NodeId,
    node: &Node,
) -> Option<(GroupName, Member)> {
    let definition = node.definition.as_ref()?;
    let claim = definition.concurrency.as_ref()?;
    let member = Member {
        since: definition.queued_at,
        stream,
        job: Some(id),
        cancels_holder: claim.cancel_in_progress,
        lets_wait: claim.queue_max,
    };
    Some((GroupName::new(&run.request.repository, claim.group.as_str()), member))
}

fn after(at: Timestamp, minutes: f64, slack_ms: u64) -> Timestamp {
    // Negative and NaN become 0, what is too large the largest: `as` saturates.
    Timestamp(at.0.saturating_add((minutes * 60_000.0) as u64).saturating_add(slack_ms))
}

impl Node {
    fn new(key: JobKey, id: Arc<str>, scope: ScopeId, matrix: Option<NodeId>) -> Node {
        Node {
            key,
            id,
            scope,
            matrix,
            needs: Vec::new(),
            dependents: Vec::new(),
            needs_open: 0,
            ancestry: Ancestry::default(),
            definition: None,
            legs: None,
            calls: None,
            phase: Phase::Blocked,
            waiting: None,
            gate: None,
            agreed: false,
            cancel: None,
            killed: false,
            losses: 0,
            ready_at: Timestamp::default(),
            ended: None,
            carried_from: None,
        }
    }
}
