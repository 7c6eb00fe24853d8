//! What the machine knows: a fold of events and nothing else.
//!
//! A run is an arena of nodes. A node is a job as declared in a file, or a leg of its matrix; the
//! jobs of one file stand in a scope; a calling job (or each of its legs) opens a scope below it.
//! What is owed is kept in index sets as events come, so that nobody ever walks over all jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{
    Attempt, CancelReason, Conclusion, Fence, JobDefinition, JobKey, RunRequest, Status, StreamId,
    Timestamp, WaitReason,
};
use mask::MaskedText;

use crate::gate::Gate;
use crate::group::{Group, GroupName, Groups, Member};
use crate::pending::Owed;

/// Number of a node in its run, in the order in which jobs became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// Number of a scope in its run; 0 is the run's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ScopeId(pub(crate) u32);

impl ScopeId {
    /// The run's own file.
    pub(crate) const ROOT: ScopeId = ScopeId(0);
}

/// The open runs of one process, and what they owe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(crate) runs: BTreeMap<StreamId, Run>,
    pub(crate) groups: Groups,
    pub(crate) owed: Owed,
    pub(crate) leases_open: usize,
    /// Ports of the machine that leased jobs have, with how many have each. One, but where streams
    /// of different processes were folded.
    pub(crate) ports: BTreeMap<MachinePort, usize>,
    /// Leases on each machine.
    pub(crate) busy: BTreeMap<Option<Arc<str>>, usize>,
}

/// A port of a machine: of whoever drives, or of a runner.
pub(crate) type MachinePort = (Option<Arc<str>>, u16);

/// One attempt of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub(crate) request: Arc<RunRequest>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) index: BTreeMap<JobKey, NodeId>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) started: bool,
    pub(crate) waiting: Option<WaitReason>,
    pub(crate) cancel: Option<CancelReason>,
    pub(crate) last_fence: Fence,
    /// Nodes that became legs: jobs of the file, but none that run.
    pub(crate) matrices: usize,
    /// Whether a job ran into its time limit.
    pub(crate) timed_out: bool,
    /// Bytes of outputs that its jobs gave (conformance 235).
    pub(crate) outputs_bytes: usize,
    pub(crate) conclusion: Option<Conclusion>,
}

/// The jobs of one file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scope {
    pub(crate) file: Option<String>,
    /// The node that calls it.
    pub(crate) caller: Option<NodeId>,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) open: usize,
    pub(crate) tally: Tally,
}

/// How the jobs of a scope or the legs of a matrix ended so far, as others see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) success: usize,
    pub(crate) failure: usize,
    pub(crate) cancelled: usize,
    pub(crate) skipped: usize,
}

/// What lies before a job in the graph, however far (conformance 88).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ancestry {
    pub(crate) failed: bool,
    pub(crate) cancelled: bool,
    pub(crate) skipped: bool,
}

/// A job as declared, or a leg of its matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) key: JobKey,
    pub(crate) id: Arc<str>,
    pub(crate) scope: ScopeId,
    /// The declared job, where this is a leg.
    pub(crate) matrix: Option<NodeId>,
    pub(crate) needs: Vec<NodeId>,
    pub(crate) dependents: Vec<NodeId>,
    pub(crate) needs_open: usize,
    pub(crate) ancestry: Ancestry,
    pub(crate) definition: Option<Arc<JobDefinition>>,
    pub(crate) legs: Option<Box<Legs>>,
    pub(crate) calls: Option<ScopeId>,
    pub(crate) phase: Phase,
    pub(crate) waiting: Option<WaitReason>,
    /// What it stands behind, once the rules of its environment were read.
    pub(crate) gate: Option<Box<Gate>>,
    /// People agreed to it there.
    pub(crate) agreed: bool,
    pub(crate) cancel: Option<CancelReason>,
    /// It took too long to clean up, or nobody wants to wait for that: its worker is to be killed.
    pub(crate) killed: bool,
    pub(crate) losses: u32,
    /// Since when it could run; kept over a loss, so that it does not lose its turn.
    pub(crate) ready_at: Timestamp,
    pub(crate) ended: Option<Ended>,
    /// The attempt it ran in, where it was carried over.
    pub(crate) carried_from: Option<Attempt>,
}

/// The legs of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Legs {
    pub(crate) all: Vec<NodeId>,
    pub(crate) open: usize,
    pub(crate) tally: Tally,
    /// Legs that count against `max-parallel`.
    pub(crate) out: BTreeSet<NodeId>,
    /// Legs that wait for one of those to end.
    pub(crate) parked: BTreeSet<NodeId>,
    pub(crate) max_parallel: Option<usize>,
    pub(crate) fail_fast: bool,
    /// The first leg that failed, where `fail-fast` holds.
    pub(crate) tripped: Option<NodeId>,
    /// Whether the others were told.
    pub(crate) told: bool,
}

/// Where a node is on its way; `lib.rs` has the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its needs have not ended.
    Blocked,
    /// Its needs have ended; its condition is to be looked at.
    Due,
    /// It became legs.
    Expanded,
    /// At the gate of its environment.
    Gated,
    /// Behind `max-parallel`.
    Parked,
    /// In its concurrency group.
    Queued,
    /// Nothing but the decision stands before it.
    Free,
    /// May have a worker.
    Ready,
    /// A worker is to have it.
    Leased(Lease),
    /// A worker has it.
    Running(Lease),
    /// Its workflow's jobs run.
    Calling,
    /// Its worker is gone, and nobody has decided what follows.
    Lost,
    /// Its worker is gone, and a person has to say what follows.
    AwaitingPerson,
    /// It has a conclusion.
    Ended,
}

/// A worker's right to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) fence: Fence,
    pub(crate) tracking_id: Arc<str>,
    /// The runner that has it; none is whoever drives.
    pub(crate) runner: Option<Arc<str>>,
    pub(crate) deadline: Option<Timestamp>,
    /// Reports of its worker that are in the journal: the next one has this number.
    pub(crate) heard: u64,
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) conclusion: Conclusion,
    /// What others see (conformance 97, 102).
    pub(crate) result: Conclusion,
    pub(crate) outputs: Arc<BTreeMap<String, MaskedText>>,
}

impl Phase {
    /// The word for messages and for counting what was visited.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Phase::Blocked => "blocked",
            Phase::Due => "due",
            Phase::Expanded => "expanded",
            Phase::Gated => "at its gate",
            Phase::Parked => "parked",
            Phase::Queued => "queued in its group",
            Phase::Free => "free",
            Phase::Ready => "ready",
            Phase::Leased(_) => "leased",
            Phase::Running(_) => "running",
            Phase::Calling => "calling",
            Phase::Lost => "lost",
            Phase::AwaitingPerson => "awaiting a person",
            Phase::Ended => "ended",
        }
    }

    /// The lease, where a worker has or is to have it.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        match self {
            Phase::Leased(lease) | Phase::Running(lease) => Some(lease),
            _ => None,
        }
    }

    fn lease_mut(&mut self) -> Option<&mut Lease> {
        match self {
            Phase::Leased(lease) | Phase::Running(lease) => Some(lease),
            _ => None,
        }
    }
}

impl Tally {
    pub(crate) fn count(&mut self, result: Conclusion) {
        let counter = match result {
            Conclusion::Success => &mut self.success,
            Conclusion::Failure => &mut self.failure,
            Conclusion::Cancelled | Conclusion::TimedOut => &mut self.cancelled,
            Conclusion::Skipped => &mut self.skipped,
        };
        *counter += 1;
    }

    /// Failure beats cancelled beats success; skipped only if all are (conformance 98, 222).
    pub(crate) fn conclusion(&self) -> Conclusion {
        if self.failure > 0 {
            Conclusion::Failure
        } else if self.cancelled > 0 {
            Conclusion::Cancelled
        } else if self.success > 0 || self.skipped == 0 {
            Conclusion::Success
        } else {
            Conclusion::Skipped
        }
    }
}

impl Ancestry {
    /// Takes in a job that is needed, and what lies before it.
    pub(crate) fn add(&mut self, before: Ancestry, result: Conclusion) {
        self.failed |= before.failed || result == Conclusion::Failure;
        self.cancelled |= before.cancelled || result == Conclusion::Cancelled;
        self.skipped |= before.skipped || result == Conclusion::Skipped;
    }
}

impl Node {
    pub(crate) fn is_open(&self) -> bool {
        self.phase != Phase::Ended
    }

    /// Its worker was heard once more. No index set depends on it.
    pub(crate) fn hear(&mut self) {
        if let Some(lease) = self.phase.lease_mut() {
            lease.heard += 1;
        }
    }

    /// What was last heard was not its worker: the loop itself said it.
    pub(crate) fn unhear(&mut self) {
        if let Some(lease) = self.phase.lease_mut() {
            lease.heard = lease.heard.saturating_sub(1);
        }
    }

    /// Its definition; what has passed planning has one.
    pub(crate) fn planned(&self) -> &Arc<JobDefinition> {
        self.definition.as_ref().expect("a job past its planning has a definition")
    }

    /// Ports of the machine that nobody else may have while it runs.
    pub(crate) fn host_ports(&self) -> &[u16] {
        let runner = self.definition.as_ref().and_then(|it| it.runner.as_ref());
        runner.map_or(&[], |runner| &runner.host_ports)
    }

    /// What others see of an end (conformance 97, 102).
    pub(crate) fn result_of(&self, conclusion: Conclusion) -> Conclusion {
        let forgiven = self.definition.as_ref().is_some_and(|it| it.continue_on_error);
        match conclusion {
            Conclusion::Failure if forgiven => Conclusion::Success,
            Conclusion::TimedOut => Conclusion::Cancelled,
            conclusion => conclusion,
        }
    }

    fn status(&self) -> Status {
        match self.phase {
            Phase::Blocked
            | Phase::Due
            | Phase::Gated
            | Phase::Parked
            | Phase::Queued
            | Phase::AwaitingPerson
            | Phase::Lost => Status::Waiting,
            Phase::Free | Phase::Ready | Phase::Leased(_) => Status::Queued,
            Phase::Expanded | Phase::Calling | Phase::Running(_) => Status::InProgress,
            Phase::Ended => Status::Completed,
        }
    }
}

impl State {
    /// A state without runs.
    pub fn new() -> State {
        State::default()
    }

    /// A run, where it is known.
    pub fn run(&self, stream: StreamId) -> Option<&Run> {
        self.runs.get(&stream)
    }

    /// Every run it knows.
    pub fn runs(&self) -> impl Iterator<Item = (StreamId, &Run)> {
        self.runs.iter().map(|(stream, run)| (*stream, run))
    }

    /// Drops a run that is completed. Nothing is owed for it any more.
    pub fn forget(&mut self, stream: StreamId) {
        if self.runs.get(&stream).is_some_and(|run| run.conclusion.is_some()) {
            self.runs.remove(&stream);
        }
    }

    /// Leases without an end: how many workers there are to be.
    pub fn leases_open(&self) -> usize {
        self.leases_open
    }

    /// Leases on each machine that has any; none is whoever drives.
    pub fn busy(&self) -> &BTreeMap<Option<Arc<str>>, usize> {
        &self.busy
    }

    /// Leases of a runner; none is whoever drives.
    pub fn leases_on(&self, runner: Option<&Arc<str>>) -> usize {
        self.busy.get(&runner.cloned()).copied().unwrap_or(0)
    }

    /// A job has a worker on a machine, and the ports of it that it wants.
    pub(crate) fn open_lease(&mut self, stream: StreamId, id: NodeId, on: Option<&Arc<str>>) {
        self.leases_open += 1;
        *self.busy.entry(on.cloned()).or_default() += 1;
        for port in self.node(stream, id).host_ports().to_vec() {
            *self.ports.entry((on.cloned(), port)).or_default() += 1;
        }
    }

    /// It has them no more.
    pub(crate) fn close_lease(&mut self, stream: StreamId, id: NodeId) {
        let node = self.node(stream, id);
        let on = node.phase.lease().and_then(|lease| lease.runner.clone());
        let ports = node.host_ports().to_vec();
        self.leases_open -= 1;
        count_down(&mut self.busy, on.clone());
        for port in ports {
            count_down(&mut self.ports, (on.clone(), port));
        }
    }

    pub(crate) fn node(&self, stream: StreamId, id: NodeId) -> &Node {
        self.runs.get(&stream).expect("what is owed belongs to a known run").node(id)
    }
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    let count = counts.get_mut(&key).expect("what a lease has is counted");
    *count -= 1;
    if *count == 0 {
        counts.remove(&key);
    }
}

/// A concurrency group whose turn has come for a run of this process, or for a job of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTurn {
    /// Its name in lower case.
    pub group: String,
    /// Whose turn it is.
    pub stream: StreamId,
    /// Whether somebody who waits wants the holder gone.
    pub ends_holder: bool,
}

/// A concurrency group that a run of this process has, or a job of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldGroup {
    /// Its name in lower case.
    pub group: String,
    /// The name as written.
    pub written: MaskedText,
    /// The run.
    pub stream: StreamId,
    /// The job; none where the run as a whole has it.
    pub job: Option<JobKey>,
}

impl State {
    /// Groups that nobody of this process has, and somebody is to have next.
    pub fn group_turns(&self) -> Vec<GroupTurn> {
        let turn = |(name, group): (&GroupName, &Group)| {
            let (group, ends_holder) = (group.next()?, group.ends_holder());
            Some(GroupTurn { group: name.as_str().to_owned(), stream: group.stream, ends_holder })
        };
        self.groups.due().filter_map(turn).collect()
    }

    /// Groups that somebody of this process has.
    pub fn groups_held(&self) -> Vec<HeldGroup> {
        let held = |(name, group): (&GroupName, &Group)| {
            let Member { stream, job, .. } = group.holder()?;
            let run = &self.runs[&stream];
            let claim = match job {
                None => run.request.concurrency.as_ref(),
                Some(id) => run.node(id).planned().concurrency.as_ref(),
            };
            let written = claim.expect("a member has a claim").group.clone();
            let job = job.map(|id| run.node(id).key.clone());
            Some(HeldGroup { group: name.as_str().to_owned(), written, stream, job })
        };
        self.groups.all().filter_map(held).collect()
    }
}

/// A job as others may see it.
#[derive(Clone, Copy, Debug)]
pub struct JobView<'s> {
    /// Which.
    pub key: &'s JobKey,
    /// Where it is on its way.
    pub status: Status,
    /// The same, as finely as the machine knows it (`lib.rs` has the diagram).
    pub phase: &'static str,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// What it waits for.
    pub waiting: Option<&'s WaitReason>,
    /// The declared job it is a leg of.
    pub leg_of: Option<&'s JobKey>,
    /// Everything about it that was decided.
    pub definition: Option<&'s JobDefinition>,
    /// Its lease, where a worker has or is to have it: fence and tracking id.
    pub lease: Option<(Fence, &'s Arc<str>)>,
    /// The runner that has it under its lease; none is whoever drives.
    pub runner: Option<&'s Arc<str>>,
    /// Reports that were heard under the lease.
    pub heard: u64,
}

impl Run {
    /// What it was made from.
    pub fn request(&self) -> &RunRequest {
        &self.request
    }

    /// How it ended.
    pub fn conclusion(&self) -> Option<Conclusion> {
        self.conclusion
    }

    /// What it waits for as a whole.
    pub fn waiting(&self) -> Option<&WaitReason> {
        self.waiting.as_ref()
    }

    /// Whether somebody asked for its end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_some()
    }

    /// One job.
    pub fn job(&self, key: &JobKey) -> Option<JobView<'_>> {
        self.index.get(key).map(|id| self.view(self.node(*id)))
    }

    /// Every job and leg, in the order in which they became known.
    pub fn jobs(&self) -> impl Iterator<Item = JobView<'_>> {
        self.nodes.iter().map(|node| self.view(node))
    }

    fn view<'s>(&'s self, node: &'s Node) -> JobView<'s> {
        JobView {
            key: &node.key,
            status: node.status(),
            phase: node.phase.name(),
            conclusion: node.ended.as_ref().map(|ended| ended.conclusion),
            waiting: node.waiting.as_ref(),
            leg_of: node.matrix.map(|it| &self.node(it).key),
            definition: node.definition.as_deref(),
            lease: node.phase.lease().map(|lease| (lease.fence, &lease.tracking_id)),
            runner: node.phase.lease().and_then(|lease| lease.runner.as_ref()),
            heard: node.phase.lease().map_or(0, |lease| lease.heard),
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// How many jobs it has, as GitHub counts them: each leg, and not what they are legs of.
    pub(crate) fn jobs_counted(&self) -> usize {
        self.nodes.len() - self.matrices
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    pub(crate) fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0 as usize]
    }

    /// The declared job of a leg; a declared job itself.
    pub(crate) fn declared(&self, id: NodeId) -> NodeId {
        self.node(id).matrix.unwrap_or(id)
    }

    /// Whether `cancelled()` holds in a scope: the run, or a calling job above it, is to end.
    pub(crate) fn is_cancelled_in(&self, scope: ScopeId) -> bool {
        self.cancel.is_some()
            || self.callers(scope).any(|caller| self.node(caller).cancel.is_some())
    }

    /// The calling nodes above a scope, innermost first.
    pub(crate) fn callers(&self, scope: ScopeId) -> impl Iterator<Item = NodeId> {
        let above = |caller: &NodeId| self.scope(self.node(*caller).scope).caller;
        std::iter::successors(self.scope(scope).caller, above)
    }
}
