//! The end before the end: by a person, a time limit, a group, another leg (conformance 41, 96, 102,
//! 103, 138).

use event::{
    Annotation, AnnotationLevel, CancelReason, Conclusion, ExitKind, JobKey, RunEvent, StreamId,
    Timestamp,
};
use mask::MaskedText;

use super::{Decided, Refusal};
use crate::contexts::JobContexts;
use crate::definitions::{Definitions, Files};
use crate::limits::RUN_DAYS_MAX;
use crate::plan::wants_to_run;
use crate::state::{Node, NodeId, Phase, Run, ScopeId, State};

pub(super) fn run(
    state: &State,
    definitions: &Definitions,
    stream: StreamId,
    reason: &CancelReason,
    at: Timestamp,
) -> Result<Decided, Refusal> {
    let run = state.run(stream).ok_or(Refusal::UnknownRun(stream))?;
    if run.conclusion.is_some() {
        return Err(Refusal::Ended);
    }
    let forced = matches!(reason, CancelReason::Forced { .. });
    if run.cancel.is_some() && !forced {
        return Ok(Vec::new());
    }
    let of_run = RunEvent::CancelRequested { job: None, reason: reason.clone(), at };
    let mut events = vec![(stream, of_run)];
    if run.started {
        let files = definitions.get(stream).ok_or(Refusal::NoFiles(stream))?;
        let below = Below { run, files, stream, reason, at };
        below.scope(ScopeId::ROOT, &mut events);
    }
    Ok(events)
}

pub(super) fn job(
    state: &State,
    definitions: &Definitions,
    stream: StreamId,
    job: &JobKey,
    reason: &CancelReason,
    at: Timestamp,
) -> Result<Decided, Refusal> {
    let run = state.run(stream).ok_or(Refusal::UnknownRun(stream))?;
    let unknown = || Refusal::UnknownJob { stream, job: job.clone() };
    let id = *run.index.get(job).ok_or_else(unknown)?;
    if !run.node(id).is_open() {
        return Err(Refusal::Ended);
    }
    let files = definitions.get(stream).ok_or(Refusal::NoFiles(stream))?;
    let mut events = Vec::new();
    Below { run, files, stream, reason, at }.node(id, &mut events);
    Ok(events)
}

/// Everything below a run or a node that is to end.
pub(super) struct Below<'s> {
    pub(super) run: &'s Run,
    pub(super) files: &'s Files,
    pub(super) stream: StreamId,
    pub(super) reason: &'s CancelReason,
    pub(super) at: Timestamp,
}

impl Below<'_> {
    /// The node itself, its legs, the jobs of its workflow.
    pub(super) fn node(&self, id: NodeId, events: &mut Decided) {
        let node = self.run.node(id);
        if !node.is_open() {
            return;
        }
        match &node.legs {
            Some(legs) if node.phase == Phase::Expanded => {
                legs.all.iter().for_each(|leg| self.node(*leg, events));
            }
            _ => {
                self.ask(node, events);
                if let Some(scope) = node.calls {
                    self.scope(scope, events);
                }
            }
        }
    }

    /// The jobs of a scope whose condition does not want them to go on (conformance 138). What is
    /// not planned yet is asked when its needs have ended.
    fn scope(&self, scope: ScopeId, events: &mut Decided) {
        for id in &self.run.scope(scope).nodes {
            let node = self.run.node(*id);
            let planned = node.is_open() && !matches!(node.phase, Phase::Blocked | Phase::Due);
            if planned && !self.goes_on(*id) {
                self.node(*id, events);
            } else if planned {
                self.inside(*id, events);
            }
        }
    }

    /// A job that goes on: the jobs of the workflows that it or its legs call are asked one by one.
    fn inside(&self, id: NodeId, events: &mut Decided) {
        let node = self.run.node(id);
        for leg in node.legs.iter().flat_map(|legs| &legs.all) {
            self.inside(*leg, events);
        }
        if let Some(scope) = node.calls.filter(|_| node.is_open()) {
            self.scope(scope, events);
        }
    }

    fn goes_on(&self, id: NodeId) -> bool {
        if matches!(self.reason, CancelReason::Forced { .. }) {
            return false;
        }
        let node = self.run.node(id);
        let file = self.run.scope(node.scope).file.as_deref();
        let Some((_, job)) = self.files.job(file, &node.id) else { return false };
        let mut contexts = JobContexts::of_job(self.run, self.files, id);
        contexts.set_cancelled();
        wants_to_run(job, &contexts).unwrap_or(false)
    }

    fn ask(&self, node: &Node, events: &mut Decided) {
        let forced = matches!(self.reason, CancelReason::Forced { .. });
        if node.cancel.is_none() || forced {
            let (job, reason) = (Some(node.key.clone()), self.reason.clone());
            let event = RunEvent::CancelRequested { job, reason, at: self.at };
            events.push((self.stream, event));
        }
    }
}

/// Runs that are too old, jobs that ran into their time limit, and workers that clean up for too long.
pub(super) fn overdue(state: &State, definitions: &Definitions, now: Timestamp) -> Decided {
    let runs = too_old(state, definitions, now);
    // What ends with its run is not asked twice.
    if runs.is_empty() { overdue_jobs(state, now) } else { runs }
}

fn too_old(state: &State, definitions: &Definitions, now: Timestamp) -> Decided {
    let due = state.owed.run_limits.iter().take_while(|(limit, _)| *limit <= now);
    let reason = CancelReason::RunLimit { days: RUN_DAYS_MAX };
    // One whose files nobody has cannot be driven here at all.
    due.flat_map(|(_, it)| run(state, definitions, *it, &reason, now).unwrap_or_default()).collect()
}

fn overdue_jobs(state: &State, now: Timestamp) -> Decided {
    let mut events = Vec::new();
    let due = state.owed.deadlines.iter().take_while(|(deadline, ..)| *deadline <= now);
    for (_, stream, id) in due {
        let node = state.node(*stream, *id);
        let Some(runner) = &node.planned().runner else { continue };
        let job = Some(node.key.clone());
        let reason = if node.cancel.is_some() {
            CancelReason::CleanUp { minutes: runner.cancel_timeout_minutes }
        } else {
            let minutes = runner.timeout_minutes;
            let message = format!("The job has exceeded the maximum execution time of {minutes}m");
            let annotation = error(message);
            let job = node.key.clone();
            events.push((*stream, RunEvent::AnnotationAdded { job, step: None, annotation }));
            CancelReason::Timeout { minutes }
        };
        events.push((*stream, RunEvent::CancelRequested { job, reason, at: now }));
    }
    events
}

/// Ends a node that never had a worker, or has none any more.
pub(super) fn stopped(node: &Node, at: Timestamp) -> RunEvent {
    let (conclusion, exit) = match &node.cancel {
        Some(CancelReason::Timeout { .. }) => (Conclusion::TimedOut, ExitKind::Timeout),
        _ => (Conclusion::Cancelled, ExitKind::Cancelled),
    };
    RunEvent::JobCompleted {
        job: node.key.clone(),
        fence: None,
        conclusion,
        exit,
        outputs: Default::default(),
        log: None,
        environment_url: None,
        at,
    }
}

pub(super) fn error(message: impl Into<std::sync::Arc<str>>) -> Annotation {
    Annotation {
        level: AnnotationLevel::Error,
        message: MaskedText::without_secrets(message),
        title: None,
        file: None,
        line: None,
        end_line: None,
        column: None,
        end_column: None,
    }
}
