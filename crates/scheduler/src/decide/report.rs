//! Workers: what they report, that they are gone, and who may start their job again.

use std::collections::BTreeMap;

use event::{
    Asked, BlobId, CancelReason, Conclusion, ExitKind, Fence, JobKey, RunEvent, StreamId,
    Timestamp, WaitReason,
};
use mask::MaskedText;
use protocol::Report;

use super::cancel::error;
use super::{Decided, Refusal};
use crate::evolve::outputs_bytes;
use crate::limits::{LOSSES_MAX, RUN_OUTPUTS_BYTES_MAX};
use crate::state::{Node, Phase, Run, State};

/// What a worker speaks under.
pub(super) struct Leased {
    pub(super) stream: StreamId,
    pub(super) job: JobKey,
    pub(super) fence: Fence,
}

impl Leased {
    fn node<'s>(&self, state: &'s State) -> Result<&'s Node, Refusal> {
        let run = state.run(self.stream).ok_or(Refusal::UnknownRun(self.stream))?;
        let unknown = || Refusal::UnknownJob { stream: self.stream, job: self.job.clone() };
        let node = run.node(*run.index.get(&self.job).ok_or_else(unknown)?);
        match node.phase.lease() {
            Some(lease) if lease.fence == self.fence => Ok(node),
            _ => Err(Refusal::StaleFence { job: self.job.clone(), fence: self.fence }),
        }
    }
}

/// Whether a numbered report is in the journal already: a worker that is attached to anew may say it
/// again.
pub(super) fn is_known(
    state: &State,
    lease: &Leased,
    number: Option<u64>,
) -> Result<bool, Refusal> {
    let node = lease.node(state)?;
    let heard = node.phase.lease().map_or(0, |lease| lease.heard);
    match number {
        Some(number) if number > heard => {
            Err(Refusal::Gap { job: lease.job.clone(), number, heard })
        }
        number => Ok(number.is_some_and(|number| number < heard)),
    }
}

pub(super) fn report(
    state: &State,
    lease: &Leased,
    report: Report,
    runner: &std::sync::Arc<str>,
    log: Option<BlobId>,
) -> Result<Decided, Refusal> {
    let node = lease.node(state)?;
    let job = lease.job.clone();
    let started = matches!(node.phase, Phase::Running(_));
    let without_start = matches!(
        report,
        Report::Started { .. }
            | Report::Completed { .. }
            | Report::AnnotationAdded { .. }
            | Report::NotEnforced { .. }
    );
    if !started && !without_start || started && matches!(report, Report::Started { .. }) {
        let (state, report) = (node.phase.name(), kind(&report));
        return Err(Refusal::Misplaced { job, state, report });
    }
    let mut said = None;
    let event = match report {
        Report::Started { pid, at } => {
            RunEvent::JobStarted { job, fence: lease.fence, pid, runner: runner.clone(), at }
        }
        Report::StepStarted { step, name, background, at } => {
            RunEvent::StepStarted { job, step, name, background, at }
        }
        Report::LogGrew { .. } => return Ok(Vec::new()),
        Report::StepCompleted { step, outcome, conclusion, log, own_log, at } => {
            RunEvent::StepCompleted { job, step, outcome, conclusion, log, own_log, at }
        }
        Report::AnnotationAdded { step, annotation } => {
            RunEvent::AnnotationAdded { job, step, annotation }
        }
        Report::SummaryWritten { step, blob } => RunEvent::SummaryWritten { job, step, blob },
        Report::ArtifactUploaded { name, blob, size_bytes, expires_at } => {
            RunEvent::ArtifactUploaded { job, name, blob, size_bytes, expires_at }
        }
        Report::ImageBuilt { step, image } => RunEvent::ImageBuilt { job, step, image },
        Report::NotEnforced { note } => RunEvent::NotEnforced { job: Some(job), note },
        Report::Completed { conclusion, exit, mut outputs, environment_url, at } => {
            let (mut conclusion, mut exit) = ended(node, conclusion, exit);
            said = too_much(&state.runs[&lease.stream], &job, &outputs);
            if said.is_some() {
                outputs.clear();
            }
            if said.is_some() && conclusion == Conclusion::Success {
                (conclusion, exit) = (Conclusion::Failure, ExitKind::UserFailure);
            }
            let fence = Some(lease.fence);
            RunEvent::JobCompleted {
                job,
                fence,
                conclusion,
                exit,
                outputs,
                log,
                environment_url,
                at,
            }
        }
    };
    Ok(said.into_iter().chain([event]).map(|event| (lease.stream, event)).collect())
}

/// What is said about outputs that are too much for the run (conformance 235).
fn too_much(run: &Run, job: &JobKey, outputs: &BTreeMap<String, MaskedText>) -> Option<RunEvent> {
    if run.outputs_bytes + outputs_bytes(outputs) <= RUN_OUTPUTS_BYTES_MAX {
        return None;
    }
    let annotation = error("the outputs of the run's jobs are larger than 50 MB together");
    Some(RunEvent::AnnotationAdded { job: job.clone(), step: None, annotation })
}

fn kind(report: &Report) -> &'static str {
    match report {
        Report::Started { .. } => "started",
        Report::StepStarted { .. } => "step started",
        Report::LogGrew { .. } => "log grew",
        Report::StepCompleted { .. } => "step completed",
        Report::AnnotationAdded { .. } => "annotation",
        Report::SummaryWritten { .. } => "summary",
        Report::ArtifactUploaded { .. } => "artifact",
        Report::ImageBuilt { .. } => "image",
        Report::NotEnforced { .. } => "not enforced",
        Report::Completed { .. } => "completed",
    }
}

/// A worker keeps the time limit itself and says so; one that was told to stop because of it knows
/// only that it was told.
fn ended(node: &Node, conclusion: Conclusion, exit: ExitKind) -> (Conclusion, ExitKind) {
    match (&node.cancel, conclusion, exit) {
        (Some(CancelReason::Timeout { .. }), Conclusion::Cancelled, _)
        | (None, Conclusion::Cancelled, ExitKind::Timeout) => {
            (Conclusion::TimedOut, ExitKind::Timeout)
        }
        _ => (conclusion, exit),
    }
}

pub(super) fn gone(
    state: &State,
    lease: &Leased,
    reason: MaskedText,
    at: Timestamp,
) -> Result<Decided, Refusal> {
    lease.node(state)?;
    let (job, fence) = (lease.job.clone(), lease.fence);
    Ok(vec![(lease.stream, RunEvent::JobLost { job, fence, reason, at })])
}

/// What follows from a loss (`design` 8.2).
pub(super) fn after_loss(node: &Node, at: Timestamp) -> RunEvent {
    let job = node.key.clone();
    let wait = |why: String| {
        let reason = WaitReason::Person { reason: MaskedText::without_secrets(why) };
        RunEvent::JobWaiting { job: job.clone(), reason, at }
    };
    let definition = node.planned();
    if let Some(environment) = &definition.environment {
        return wait(format!("it names the environment `{environment}`"));
    }
    let writes = definition.permissions.iter().find(|(_, access)| *access == "write");
    if let Some((scope, _)) = writes {
        return wait(format!("it may write to `{scope}`"));
    }
    if definition.runner.as_ref().is_some_and(|runner| runner.reads_secrets) {
        return wait("it reads secrets".to_owned());
    }
    if node.losses > LOSSES_MAX {
        return wait(format!("its worker was lost {} times", node.losses));
    }
    RunEvent::JobRequeued { job, by: None, asked: None, at }
}

pub(super) fn resume(
    state: &State,
    (stream, job): (StreamId, Option<&JobKey>),
    (by, asked): (&MaskedText, Option<&Asked>),
    at: Timestamp,
) -> Result<Decided, Refusal> {
    let run = state.run(stream).ok_or(Refusal::UnknownRun(stream))?;
    let waits = |node: &&Node| node.phase == Phase::AwaitingPerson && node.cancel.is_none();
    let requeued = |node: &Node| {
        let (job, by, asked) = (node.key.clone(), Some(by.clone()), asked.cloned());
        (stream, RunEvent::JobRequeued { job, by, asked, at })
    };
    let events: Decided = match job {
        None => run.nodes.iter().filter(waits).map(requeued).collect(),
        Some(key) => {
            let unknown = || Refusal::UnknownJob { stream, job: key.clone() };
            let id = run.index.get(key).ok_or_else(unknown)?;
            Some(run.node(*id)).filter(waits).map(requeued).into_iter().collect()
        }
    };
    if events.is_empty() { Err(Refusal::NothingToResume(stream)) } else { Ok(events) }
}
