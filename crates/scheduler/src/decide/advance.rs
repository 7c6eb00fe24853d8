//! Decisions that need nothing from outside: what the index sets say is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    CancelReason, Conclusion, ConcurrencyClaim, Fence, RunEvent, StreamId, Timestamp, WaitReason,
};
use mask::MaskedText;

use super::cancel::{self, Below};
use super::{Decided, report};
use crate::contexts::JobContexts;
use crate::definitions::{Definitions, Files};
use crate::group::{Group, GroupName, Member};
use crate::limits::{GROUP_PENDING_MAX, PLANS_AT_ONCE, RUN_JOBS_MAX};
use crate::pending::At;
use crate::place::Room;
use crate::plan::{self, Fault, Planning};
use crate::state::{Node, NodeId, Run, ScopeId, State};

/// The decisions of the first kind that has any due. Those of one kind touch different nodes and
/// groups, so they hold side by side.
pub(super) fn advance<'s>(
    state: &'s State,
    definitions: &'s Definitions,
    at: Timestamp,
) -> Decided {
    let due = Due { state, definitions, at };
    let kinds: [fn(&Due<'s>) -> Decided; 10] = [
        Due::starts,
        Due::losses,
        Due::stops,
        Due::settles,
        Due::trips,
        Due::plans,
        Due::unparks,
        Due::groups,
        Due::frees_and_calls,
        Due::ends,
    ];
    kinds.iter().map(|kind| kind(&due)).find(|events| !events.is_empty()).unwrap_or_default()
}

/// Gives ready jobs to workers, oldest first.
pub(super) fn lease(
    state: &State,
    definitions: &Definitions,
    (width, tracking): (usize, &str),
    at: Timestamp,
) -> Decided {
    let mut room = Room::of(state, definitions, width);
    let mut fences: BTreeMap<StreamId, Fence> = BTreeMap::new();
    let mut events = Vec::new();
    for (_, stream, id) in &state.owed.ready {
        if room.is_full() {
            break;
        }
        let run = &state.runs[stream];
        let Some(runner) = room.take(run.node(*id), run.request()) else { continue };
        let fence = fences.entry(*stream).or_insert(run.last_fence);
        fence.0 += 1;
        let request = run.request();
        let tracking_id =
            Arc::from(format!("{tracking}-{}-{}-{fence}", request.run, request.attempt));
        let job = run.node(*id).key.clone();
        events.push((*stream, RunEvent::JobLeased { job, fence: *fence, tracking_id, runner, at }));
    }
    events
}

struct Due<'s> {
    state: &'s State,
    definitions: &'s Definitions,
    at: Timestamp,
}

impl<'s> Due<'s> {
    fn node(&self, (stream, id): &At) -> &'s Node {
        self.state.node(*stream, *id)
    }

    fn starts(&self) -> Decided {
        let start = |stream: &StreamId| (*stream, RunEvent::RunStarted { at: self.at });
        self.state.owed.starts.iter().map(start).collect()
    }

    fn losses(&self) -> Decided {
        let after = |at: &At| (at.0, report::after_loss(self.node(at), self.at));
        self.state.owed.losses.iter().map(after).collect()
    }

    fn stops(&self) -> Decided {
        let stop = |at: &At| (at.0, cancel::stopped(self.node(at), self.at));
        self.state.owed.stops.iter().map(stop).collect()
    }

    fn trips(&self) -> Decided {
        let mut events = Vec::new();
        for (stream, id) in &self.state.owed.trips {
            let run = &self.state.runs[stream];
            let legs = run.node(*id).legs.as_ref().expect("what tripped has legs");
            let tripped = legs.tripped.expect("only what tripped is due");
            let Some(files) = self.definitions.get(*stream) else { continue };
            let reason = CancelReason::FailFast { job: run.node(tripped).key.clone() };
            let below = Below { run, files, stream: *stream, reason: &reason, at: self.at };
            below.node(*id, &mut events);
        }
        events
    }

    fn plans(&self) -> Decided {
        let mut events = Vec::new();
        let mut room: BTreeMap<StreamId, usize> = BTreeMap::new();
        for (stream, id) in self.state.owed.plans.iter().take(PLANS_AT_ONCE) {
            let Some(files) = self.definitions.get(*stream) else { continue };
            let run = &self.state.runs[stream];
            let room =
                room.entry(*stream).or_insert(RUN_JOBS_MAX.saturating_sub(run.jobs_counted()));
            let planning = Planning { run, files, id: *id, at: self.at };
            let mut planned = plan::plan(&planning);
            let legs = planned.iter().filter(|it| matches!(it, RunEvent::JobPlanned(_))).count();
            // The job itself was counted when it was declared; its first leg takes its place.
            let more = legs.saturating_sub(1);
            if more > *room {
                let message = format!("the run has more than {RUN_JOBS_MAX} jobs");
                let fault = Fault { message, span: None };
                planned = plan::failed(&planning, &run.node(*id).key, &fault);
            } else {
                *room -= more;
            }
            events.extend(planned.into_iter().map(|event| (*stream, event)));
        }
        events
    }

    /// Legs that `max-parallel` has room for, in their order.
    fn unparks(&self) -> Decided {
        let mut events = Vec::new();
        for (stream, id) in &self.state.owed.unparks {
            let run = &self.state.runs[stream];
            let legs = run.node(*id).legs.as_ref().expect("what is parked is a leg");
            let max = legs.max_parallel.unwrap_or(usize::MAX);
            let room = max.saturating_sub(legs.out.len());
            for leg in legs.parked.iter().take(room) {
                let leg = run.node(*leg);
                let job = leg.key.clone();
                let event = match &leg.planned().concurrency {
                    None => RunEvent::JobReady { job, at: self.at },
                    Some(claim) => {
                        let name = GroupName::new(&run.request.repository, claim.group.as_str());
                        let group = self.state.groups.get(&name);
                        let holder = group.and_then(Group::holder);
                        let reason = self.behind(&claim.group, holder);
                        RunEvent::JobWaiting { job, reason, at: self.at }
                    }
                };
                events.push((*stream, event));
            }
            // Those whose gate opened while there seemed to be room.
            let left = legs.parked.iter().skip(room).map(|leg| run.node(*leg));
            for leg in left.filter(|leg| leg.waiting.is_none()) {
                let (job, reason) = (leg.key.clone(), WaitReason::MaxParallel);
                events.push((*stream, RunEvent::JobWaiting { job, reason, at: self.at }));
            }
        }
        events
    }

    fn behind(&self, group: &MaskedText, holder: Option<Member>) -> WaitReason {
        let holder = match holder {
            None => "nobody yet".to_owned(),
            Some(Member { stream, job: None, .. }) => stream.to_string(),
            Some(Member { stream, job: Some(id), .. }) => {
                format!("`{}` of {stream}", self.state.node(stream, id).key)
            }
        };
        let holder = MaskedText::without_secrets(holder);
        WaitReason::Concurrency { group: group.clone(), holder }
    }

    fn groups(&self) -> Decided {
        let mut events = Vec::new();
        for (name, group) in self.state.groups.due() {
            match self.definitions.elsewhere().get(name.as_str()) {
                Some(_) => self.group_of_others(group, &mut events),
                None => self.group(group, &mut events),
            }
        }
        // What is decided above may end who waits.
        if events.is_empty() { self.behind_whom() } else { events }
    }

    /// Who waits, and does not say yet for whom.
    fn behind_whom(&self) -> Decided {
        let mut events = Vec::new();
        for (name, group) in self.state.groups.due() {
            let holder = group.holder();
            let elsewhere = self.definitions.elsewhere().get(name.as_str());
            let elsewhere = elsewhere.filter(|who| holder.is_none() && !who.is_empty());
            // Where nobody has it, the next one is about to.
            if holder.is_none() && elsewhere.is_none() {
                continue;
            }
            for member in &group.untold {
                let claim = self.claim(member);
                let reason = match elsewhere {
                    None => self.behind(&claim.group, holder),
                    Some(who) => WaitReason::Concurrency {
                        group: claim.group.clone(),
                        holder: MaskedText::without_secrets(Arc::clone(who)),
                    },
                };
                events.push((member.stream, self.waits(member, reason)));
            }
        }
        events
    }

    fn claim(&self, member: &Member) -> &'s ConcurrencyClaim {
        let run = &self.state.runs[&member.stream];
        let claim = match member.job {
            None => run.request.concurrency.as_ref(),
            Some(id) => run.node(id).planned().concurrency.as_ref(),
        };
        claim.expect("a member has a claim")
    }

    fn waits(&self, member: &Member, reason: WaitReason) -> RunEvent {
        match member.job {
            None => RunEvent::RunWaiting { reason, at: self.at },
            Some(id) => {
                let job = self.state.node(member.stream, id).key.clone();
                RunEvent::JobWaiting { job, reason, at: self.at }
            }
        }
    }

    /// Another process has it: nobody here goes ahead.
    fn group_of_others(&self, group: &Group, events: &mut Decided) {
        for member in group.superseded_behind_others(GROUP_PENDING_MAX) {
            self.make_way(member, events);
        }
    }

    /// Conformance 41, 42, 44.
    fn group(&self, group: &Group, events: &mut Decided) {
        if let Some(next) = group.next() {
            let event = match next.job {
                None => RunEvent::RunStarted { at: self.at },
                Some(id) => {
                    let job = self.state.node(next.stream, id).key.clone();
                    RunEvent::JobReady { job, at: self.at }
                }
            };
            events.push((next.stream, event));
            return;
        }
        for member in group.superseded(GROUP_PENDING_MAX).into_iter().chain(group.to_end()) {
            self.make_way(member, events);
        }
    }

    fn make_way(&self, member: Member, events: &mut Decided) {
        let Some(files) = self.definitions.get(member.stream) else { return };
        let run = &self.state.runs[&member.stream];
        let reason = CancelReason::Concurrency { group: self.claim(&member).group.clone() };
        let decided = match member.job {
            None => cancel::run(self.state, self.definitions, member.stream, &reason, self.at)
                .unwrap_or_default(),
            Some(id) => {
                let mut events = Vec::new();
                let (stream, at) = (member.stream, self.at);
                Below { run, files, stream, reason: &reason, at }.node(id, &mut events);
                events
            }
        };
        events.extend(decided);
    }

    fn frees_and_calls(&self) -> Decided {
        let ready = |at: &At| {
            let job = self.node(at).key.clone();
            (at.0, RunEvent::JobReady { job, at: self.at })
        };
        let mut events: Decided = self.state.owed.frees.iter().map(ready).collect();
        // One call at a time: how much room is left in the run depends on the one before.
        if let Some((stream, id)) = self.state.owed.calls.first() {
            let run = &self.state.runs[stream];
            if let Some(files) = self.definitions.get(*stream) {
                let declared = self.call(run, files, *id);
                events.extend(declared.into_iter().map(|event| (*stream, event)));
            }
        }
        events
    }

    fn call(&self, run: &Run, files: &Files, id: NodeId) -> Vec<RunEvent> {
        let node = run.node(id);
        let key = &node.planned().call.as_ref().expect("only calling jobs call").file;
        let room = RUN_JOBS_MAX.saturating_sub(run.jobs_counted());
        let declared = match files.file(Some(key)) {
            Some(file) => plan::declare(file, Some(key.clone()), Some(&node.key), &[], room),
            None => {
                let message = format!("the called workflow `{key}` could not be read");
                Err(Fault { message, span: None })
            }
        };
        let planning = Planning { run, files, id, at: self.at };
        declared.map_or_else(
            |fault| plan::failed(&planning, &node.key, &fault),
            |declared| vec![declared],
        )
    }

    fn settles(&self) -> Decided {
        let settle = |at: &At| {
            let run = &self.state.runs[&at.0];
            let files = self.definitions.get(at.0)?;
            let node = run.node(at.1);
            Some(match node.calls {
                None => vec![(at.0, matrix_completed(run, node, self.at))],
                Some(scope) => self.call_completed(*at, run, files, scope),
            })
        };
        self.state.owed.settles.iter().filter_map(settle).flatten().collect()
    }

    /// Outputs of a called workflow (conformance 61, 123). One that cannot be evaluated fails the
    /// calling job.
    fn call_completed(&self, at: At, run: &Run, files: &Files, scope: ScopeId) -> Decided {
        let (stream, id) = at;
        let node = run.node(id);
        let file = files.file(run.scope(scope).file.as_deref());
        let trigger = file.and_then(|file| file.workflow.on.get("workflow_call"));
        let contexts = JobContexts::of_call(run, files, scope);
        let mut conclusion = run.scope(scope).tally.conclusion();
        let (mut outputs, mut events) = (BTreeMap::new(), Vec::new());
        for output in trigger.into_iter().flat_map(|trigger| &trigger.outputs) {
            match output.value.evaluate(&contexts) {
                Ok(value) => {
                    let text = MaskedText::without_secrets(value.to_text());
                    outputs.insert(output.name.value.as_ref().to_owned(), text);
                }
                Err(error) => {
                    let mut fault = Fault::from(error);
                    fault.message = format!("output `{}`: {}", output.name.value, fault.message);
                    fault.span = None;
                    let planning = Planning { run, files, id, at: self.at };
                    let said = plan::failed(&planning, &node.key, &fault);
                    events.extend(said.into_iter().take(1).map(|event| (stream, event)));
                    conclusion = Conclusion::Failure;
                }
            }
        }
        let job = node.key.clone();
        let ended = RunEvent::CallCompleted { job, conclusion, outputs, at: self.at };
        events.push((stream, ended));
        events
    }

    fn ends(&self) -> Decided {
        let end = |stream: &StreamId| {
            let conclusion = conclusion(&self.state.runs[stream]);
            (*stream, RunEvent::RunCompleted { conclusion, at: self.at })
        };
        self.state.owed.ends.iter().map(end).collect()
    }
}

/// Conformance 98: results by precedence; outputs in the order of the legs, empty ones skipped.
fn matrix_completed(run: &Run, node: &Node, at: Timestamp) -> RunEvent {
    let legs = node.legs.as_ref().expect("a matrix has legs");
    let mut outputs = BTreeMap::new();
    for leg in &legs.all {
        let ended = run.node(*leg).ended.as_ref().expect("all legs have ended");
        let said = ended.outputs.iter().filter(|(_, value)| !value.as_str().is_empty());
        outputs.extend(said.map(|(name, value)| (name.clone(), value.clone())));
    }
    let conclusion = legs.tally.conclusion();
    RunEvent::MatrixCompleted { job: node.key.clone(), conclusion, outputs, at }
}

/// Conformance 222; a run that was told to end has been cancelled even if all jobs went on. A job that
/// ran into its time limit is cancelled for those that need it (conformance 102), but nobody cancelled
/// the run: it timed out.
fn conclusion(run: &Run) -> Conclusion {
    let jobs = run.scope(ScopeId::ROOT).tally.conclusion();
    match (&run.cancel, jobs) {
        (_, Conclusion::Failure) => Conclusion::Failure,
        (Some(_), _) => Conclusion::Cancelled,
        (None, Conclusion::Cancelled) if run.timed_out => Conclusion::TimedOut,
        (None, jobs) => jobs,
    }
}
