//! What is owed now, kept as index sets.
//!
//! A node owes at most one decision at a time; which one follows from the node alone ([`duty`]).
//! [`State::change`] takes a node out of its set, lets it be changed and puts it where it belongs:
//! no other way leads to a node's phase, so the sets cannot go stale. Deeds for the world (start
//! this worker, stop that one) are computed from the same sets by [`pending`].

use std::collections::BTreeSet;

use event::{Fence, JobKey, StreamId, Timestamp};
use mask::MaskedText;

use crate::limits::RUN_DAYS_MAX;
use crate::state::{Node, NodeId, Phase, Run, State};

/// A node among all runs.
pub(crate) type At = (StreamId, NodeId);

/// Everything owed, by kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Owed {
    /// Runs that stand behind no group and have not begun.
    pub(crate) starts: BTreeSet<StreamId>,
    /// Runs that are over but for saying so.
    pub(crate) ends: BTreeSet<StreamId>,
    pub(crate) losses: BTreeSet<At>,
    pub(crate) stops: BTreeSet<At>,
    pub(crate) settles: BTreeSet<At>,
    pub(crate) trips: BTreeSet<At>,
    pub(crate) plans: BTreeSet<At>,
    /// Jobs at a gate whose rules are to be read now, whatever the clock says.
    pub(crate) gates: BTreeSet<At>,
    /// Jobs at a gate to which everybody agreed, with when the clock lets them through.
    pub(crate) gate_times: BTreeSet<(Timestamp, StreamId, NodeId)>,
    pub(crate) unparks: BTreeSet<At>,
    pub(crate) frees: BTreeSet<At>,
    pub(crate) calls: BTreeSet<At>,
    /// Oldest first: FIFO over all runs (conformance 44).
    pub(crate) ready: BTreeSet<(Timestamp, StreamId, NodeId)>,
    pub(crate) leased: BTreeSet<At>,
    pub(crate) cancels: BTreeSet<At>,
    pub(crate) deadlines: BTreeSet<(Timestamp, StreamId, NodeId)>,
    /// When runs that nobody told to end have to.
    pub(crate) run_limits: BTreeSet<(Timestamp, StreamId)>,
}

/// When a run has to end, its waiting included (conformance 229).
pub(crate) fn run_limit(run: &Run) -> Timestamp {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    Timestamp(run.request().at.0.saturating_add(RUN_DAYS_MAX * DAY_MS))
}

/// The one decision that a node is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing, or something else has to happen first.
    None,
    /// Decide what follows from a lost worker.
    Loss,
    /// End it without a worker.
    Stop,
    /// All its legs, or all jobs of its workflow, have ended.
    Settle,
    /// A leg failed: the others are to end.
    Trip,
    /// Its needs have ended: look at its condition.
    Plan,
    /// The rules of its environment are to be read.
    ReadGate,
    /// Everybody agreed: the rules are to be read once more, then, and it opens.
    OpenGate(Timestamp),
    /// `max-parallel` has room.
    Unpark,
    /// Nothing stands before it.
    Free,
    /// Its workflow's jobs are to be declared.
    Call,
    /// It may have a worker.
    Ready(Timestamp),
}

/// What a node owes, from the node alone.
pub(crate) fn duty(run: &Run, node: &Node) -> Duty {
    if !run.started || run.conclusion.is_some() {
        return Duty::None;
    }
    let cancelled = node.cancel.is_some();
    match &node.phase {
        Phase::Ended | Phase::Leased(_) | Phase::Running(_) => Duty::None,
        Phase::Expanded => {
            let legs = node.legs.as_ref().expect("what is expanded has legs");
            let room = legs.max_parallel.is_none_or(|max| legs.out.len() < max);
            match () {
                () if legs.open == 0 => Duty::Settle,
                () if legs.tripped.is_some() && !legs.told => Duty::Trip,
                () if room && !legs.parked.is_empty() => Duty::Unpark,
                () => Duty::None,
            }
        }
        Phase::Calling => match node.calls {
            Some(scope) if run.scope(scope).open == 0 => Duty::Settle,
            Some(_) => Duty::None,
            None if cancelled => Duty::Stop,
            None => Duty::Call,
        },
        _ if cancelled => Duty::Stop,
        Phase::Lost => Duty::Loss,
        Phase::Due => Duty::Plan,
        Phase::Gated => match &node.gate {
            None => Duty::ReadGate,
            // Why it is shut is looked at again for whoever is asked, too.
            Some(gate) if gate.is_agreed() || gate.asked.shut.is_some() => {
                Duty::OpenGate(gate.opens_at())
            }
            Some(_) => Duty::None,
        },
        Phase::Free => Duty::Free,
        Phase::Ready => Duty::Ready(node.ready_at),
        Phase::Blocked | Phase::Parked | Phase::Queued | Phase::AwaitingPerson => Duty::None,
    }
}

impl State {
    /// The only way to change a node: its place in the index sets follows.
    pub(crate) fn change<R>(
        &mut self,
        stream: StreamId,
        id: NodeId,
        change: impl FnOnce(&mut Node) -> R,
    ) -> R {
        self.delist(stream, id);
        let run = self.runs.get_mut(&stream).expect("a node belongs to a known run");
        let answer = change(run.node_mut(id));
        self.enlist(stream, id);
        answer
    }

    /// Takes a node out of every set it stands in.
    pub(crate) fn delist(&mut self, stream: StreamId, id: NodeId) {
        let run = &self.runs[&stream];
        let node = run.node(id);
        let at = (stream, id);
        match duty(run, node) {
            Duty::None => false,
            Duty::Loss => self.owed.losses.remove(&at),
            Duty::Stop => self.owed.stops.remove(&at),
            Duty::Settle => self.owed.settles.remove(&at),
            Duty::Trip => self.owed.trips.remove(&at),
            Duty::Plan => self.owed.plans.remove(&at),
            Duty::ReadGate => self.owed.gates.remove(&at),
            Duty::OpenGate(then) => self.owed.gate_times.remove(&(then, stream, id)),
            Duty::Unpark => self.owed.unparks.remove(&at),
            Duty::Free => self.owed.frees.remove(&at),
            Duty::Call => self.owed.calls.remove(&at),
            Duty::Ready(since) => self.owed.ready.remove(&(since, stream, id)),
        };
        if let Some(lease) = node.phase.lease() {
            self.owed.leased.remove(&at);
            self.owed.cancels.remove(&at);
            if let Some(deadline) = lease.deadline {
                self.owed.deadlines.remove(&(deadline, stream, id));
            }
        }
    }

    /// Puts a node into the sets it belongs to.
    pub(crate) fn enlist(&mut self, stream: StreamId, id: NodeId) {
        let run = &self.runs[&stream];
        let node = run.node(id);
        let at = (stream, id);
        match duty(run, node) {
            Duty::None => false,
            Duty::Loss => self.owed.losses.insert(at),
            Duty::Stop => self.owed.stops.insert(at),
            Duty::Settle => self.owed.settles.insert(at),
            Duty::Trip => self.owed.trips.insert(at),
            Duty::Plan => self.owed.plans.insert(at),
            Duty::ReadGate => self.owed.gates.insert(at),
            Duty::OpenGate(then) => self.owed.gate_times.insert((then, stream, id)),
            Duty::Unpark => self.owed.unparks.insert(at),
            Duty::Free => self.owed.frees.insert(at),
            Duty::Call => self.owed.calls.insert(at),
            Duty::Ready(since) => self.owed.ready.insert((since, stream, id)),
        };
        if let Some(lease) = node.phase.lease() {
            if matches!(node.phase, Phase::Leased(_)) {
                self.owed.leased.insert(at);
            }
            if node.cancel.is_some() {
                self.owed.cancels.insert(at);
            }
            if let Some(deadline) = lease.deadline {
                self.owed.deadlines.insert((deadline, stream, id));
            }
        }
    }
}

/// A deed that the world is owed. Its lease is its key: the same on every retry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// A worker is to have this job.
    StartJob {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// Its lease.
        fence: Fence,
    },
    /// The job's worker is to end it in the order of conformance 138.
    CancelJob {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// Its lease.
        fence: Fence,
    },
    /// The job's worker had its time to clean up (conformance 103), or nobody wants to wait for it.
    KillJob {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// Its lease.
        fence: Fence,
    },
}

/// The deeds owed now. A deed stays here until an event says that it was done, so it is handed out
/// again and again: whoever does it looks at the key whether it did it before.
pub fn pending(state: &State) -> Vec<Command> {
    let lease = |(stream, id): &At| {
        let node = state.node(*stream, *id);
        let fence = node.phase.lease().expect("only what has a lease is listed").fence;
        (*stream, node.key.clone(), fence)
    };
    let starts = state.owed.leased.iter().map(|at| {
        let (stream, job, fence) = lease(at);
        Command::StartJob { stream, job, fence }
    });
    let cancels = state.owed.cancels.iter().map(|at| {
        let (stream, job, fence) = lease(at);
        if state.node(at.0, at.1).killed {
            Command::KillJob { stream, job, fence }
        } else {
            Command::CancelJob { stream, job, fence }
        }
    });
    starts.chain(cancels).collect()
}

impl State {
    /// When the clock has to be looked at next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let of_job = self.owed.deadlines.first().map(|(at, ..)| *at);
        let of_run = self.owed.run_limits.first().map(|(at, _)| *at);
        let of_gate = self.owed.gate_times.first().map(|(at, ..)| *at);
        of_job.into_iter().chain(of_run).chain(of_gate).min()
    }

    /// Whether a decision is due that needs nothing from outside. A group that others have
    /// ([`Definitions::elsewhere`](crate::Definitions::elsewhere)) counts as due: the state does not
    /// know of them.
    pub fn is_advance_due(&self) -> bool {
        let owed = &self.owed;
        !(owed.starts.is_empty() && owed.ends.is_empty())
            || self.groups.is_due()
            || [
                &owed.losses,
                &owed.stops,
                &owed.settles,
                &owed.trips,
                &owed.plans,
                &owed.unparks,
                &owed.frees,
                &owed.calls,
            ]
            .iter()
            .any(|set| !set.is_empty())
    }

    /// Jobs whose environment's rules are to be read now.
    pub fn gates_due(&self, at: Timestamp) -> Vec<(StreamId, JobKey)> {
        let ripe = self.owed.gate_times.iter().take_while(|(then, ..)| *then <= at);
        let ripe = ripe.map(|(_, stream, id)| (stream, id));
        let unread = self.owed.gates.iter().map(|(stream, id)| (stream, id));
        let key =
            |(stream, id): (&StreamId, &NodeId)| (*stream, self.node(*stream, *id).key.clone());
        unread.chain(ripe).map(key).collect()
    }

    /// Jobs whose gate is shut by something that no person opens: a check, a window, rules that nobody can read.
    pub fn gates_shut(&self) -> Vec<(StreamId, JobKey)> {
        let shut = self.owed.gate_times.iter().filter_map(|(_, stream, id)| {
            let node = self.node(*stream, *id);
            let is_shut = node.gate.as_ref().is_some_and(|gate| gate.asked.shut.is_some());
            is_shut.then(|| (*stream, node.key.clone()))
        });
        shut.collect()
    }

    /// Jobs whose gate may open by what becomes of runs of a commit, with what is said of why it is shut.
    pub fn gates_behind(&self, commit: &str) -> Vec<(StreamId, JobKey, MaskedText)> {
        let behind = self.owed.gate_times.iter().filter_map(|(_, stream, id)| {
            let asked = &self.node(*stream, *id).gate.as_ref()?.asked;
            let is_of = |it: &StreamId| *self.runs[it].request.change.commit == *commit;
            let shut = asked.shut.clone().filter(|_| asked.waits_for_runs && is_of(stream))?;
            Some((*stream, self.node(*stream, *id).key.clone(), shut))
        });
        behind.collect()
    }

    /// Whether a job stands at its gate.
    pub fn is_gated(&self, stream: StreamId, job: &JobKey) -> bool {
        let run = self.runs.get(&stream);
        let node = run.and_then(|run| Some(run.node(*run.index.get(job)?)));
        node.is_some_and(|node| node.phase == Phase::Gated)
    }

    /// How many jobs wait for a worker.
    pub fn jobs_ready(&self) -> usize {
        self.owed.ready.len()
    }
}
