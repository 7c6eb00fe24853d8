//! Gates of environments: what the rules ask of a job, and what people say.
//!
//! Rules are read outside, by whoever has the repository, when a job comes to its gate, with each word
//! of a person, and once more before it opens. Whatever is said changes something or is written down
//! as refused: nobody tries in silence.

use std::collections::BTreeMap;

use approval::{Counts, Voice, counts, is_one, may_reject};
use event::{
    Actor, Annotation, AnnotationLevel, Conclusion, Digest, ExitKind, GateDemand, GateKey, JobGate,
    JobKey, RunEvent, StreamId, Timestamp, WaitReason,
};
use mask::MaskedText;
use std::sync::Arc;

use super::{Decided, Refusal};
use crate::gate::Gate;
use crate::state::{Node, Phase, Run, State};

/// What the rules say of a job at its gate.
#[derive(Clone, Debug, PartialEq)]
pub enum GateRead {
    /// This has to open.
    Ask(Box<JobGate>),
    /// Nobody can read them now. It stands before what it stood before, shut as this one says; where it
    /// stood before nothing yet, before this.
    Unreadable(Box<JobGate>),
    /// It may not run there.
    Forbid(MaskedText),
}

impl GateRead {
    /// What is asked now of a job that stands behind `gate`; an error says why it may not run.
    fn asked(self, gate: Option<&Gate>) -> Result<JobGate, MaskedText> {
        match (self, gate) {
            (GateRead::Forbid(why), _) => Err(why),
            // What was agreed to holds: it is the same until the rules say something else.
            (GateRead::Unreadable(now), Some(gate)) => {
                let JobGate { opens_at, shut, waits_for_runs, .. } = *now;
                Ok(JobGate { opens_at, shut, waits_for_runs, ..gate.asked.clone() })
            }
            (GateRead::Ask(asked) | GateRead::Unreadable(asked), _) => Ok(*asked),
        }
    }
}

/// What a person says at a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of this answer alone: whoever gave it is told what came of it.
    pub id: Arc<str>,
    /// Which gate.
    pub gate: GateKey,
    /// Who.
    pub by: Actor,
    /// What they were shown: [`JobGate::what`].
    pub what: Digest,
    /// Yes, no, or the word.
    pub said: Said,
    /// Why, in their words.
    pub reason: Option<MaskedText>,
}

/// Yes, no, or the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// They agree.
    Yes,
    /// They do not.
    No,
    /// The word that whoever started it types.
    Word(Arc<str>),
}

/// The rules were read.
pub(super) fn read(
    state: &State,
    stream: StreamId,
    job: &JobKey,
    read: GateRead,
    at: Timestamp,
) -> Result<Decided, Refusal> {
    let Some(node) = gated(state, stream, job)? else { return Ok(Vec::new()) };
    let asked = match read.asked(node.gate.as_deref()) {
        Ok(asked) => asked,
        Err(why) => {
            let events = forbidden(&node.key, why, at).into_iter();
            return Ok(events.map(|event| (stream, event)).collect());
        }
    };
    let asked = match &node.gate {
        Some(gate) => as_known(asked, gate, at),
        None => asked,
    };
    let is_new = node.gate.as_ref().is_none_or(|gate| gate.asked != asked);
    let gate = match node.gate.clone() {
        Some(gate) => gate.again(asked),
        None => Gate::new(asked),
    };
    let mut events = Vec::new();
    if is_new {
        let gate = Box::new(gate.asked.clone());
        events.push(RunEvent::JobGated { job: job.clone(), gate, at });
    }
    if gate.is_agreed() && gate.opens_at() <= at {
        let commit = Arc::clone(&gate.asked.rules.commit);
        events.push(RunEvent::JobGateOpened { job: job.clone(), commit, at });
        if is_behind_legs(&state.runs[&stream], node) {
            let reason = WaitReason::MaxParallel;
            events.push(RunEvent::JobWaiting { job: job.clone(), reason, at });
        }
    }
    Ok(events.into_iter().map(|event| (stream, event)).collect())
}

/// That the same is to be looked at later than it will be is no news: who looks often would fill the journal.
fn as_known(asked: JobGate, gate: &Gate, at: Timestamp) -> JobGate {
    let known = JobGate { opens_at: gate.asked.opens_at, ..asked };
    let is_later = at < gate.opens_at() && gate.asked.opens_at < asked.opens_at;
    if is_later && known == gate.asked {
        known
    } else {
        JobGate { opens_at: asked.opens_at, ..known }
    }
}

/// Whether other legs of its matrix have all the room there is.
fn is_behind_legs(run: &Run, node: &Node) -> bool {
    let matrix = node.matrix.map(|matrix| run.node(matrix));
    let legs = matrix.and_then(|matrix| matrix.legs.as_ref());
    legs.is_some_and(|legs| legs.max_parallel.is_some_and(|max| legs.out.len() >= max))
}

/// The job, where it stands behind its gate.
fn gated<'s>(
    state: &'s State,
    stream: StreamId,
    job: &JobKey,
) -> Result<Option<&'s Node>, Refusal> {
    let run = state.runs.get(&stream).ok_or(Refusal::UnknownRun(stream))?;
    let id = run.index.get(job);
    let id = id.ok_or_else(|| Refusal::UnknownJob { stream, job: job.clone() })?;
    let node = run.node(*id);
    Ok((node.phase == Phase::Gated && run.conclusion.is_none()).then_some(node))
}

fn forbidden(job: &JobKey, why: MaskedText, at: Timestamp) -> Vec<RunEvent> {
    let annotation = Annotation {
        level: AnnotationLevel::Error,
        message: why,
        title: None,
        file: None,
        line: None,
        end_line: None,
        column: None,
        end_column: None,
    };
    let said = RunEvent::AnnotationAdded { job: job.clone(), step: None, annotation };
    vec![said, failed(job, at)]
}

fn failed(job: &JobKey, at: Timestamp) -> RunEvent {
    RunEvent::JobCompleted {
        job: job.clone(),
        fence: None,
        conclusion: Conclusion::Failure,
        exit: ExitKind::Cancelled,
        outputs: BTreeMap::new(),
        log: None,
        environment_url: None,
        at,
    }
}

/// Somebody says something.
pub(super) fn answer(
    state: &State,
    stream: StreamId,
    job: &JobKey,
    answer: Answer,
    at: Timestamp,
) -> Result<Decided, Refusal> {
    let node = gated(state, stream, job)?;
    if state.runs[&stream].conclusion.is_some() {
        return Err(Refusal::Ended);
    }
    let judged = match node.and_then(|node| node.gate.as_ref()) {
        Some(gate) => judge(gate, &answer).map(|()| gate),
        None => Err("the job does not wait for anybody".to_owned()),
    };
    let Answer { id, gate: key, by, what, said, reason } = answer;
    let job = job.clone();
    let events = match (judged, said) {
        (Err(why), _) => {
            let why = MaskedText::without_secrets(why);
            vec![RunEvent::JobApprovalRefused { job, gate: Some(key), by, why, id, at }]
        }
        (Ok(_), Said::No) => {
            let ended = failed(&job, at);
            vec![RunEvent::JobRejected { job, gate: key, by, what, reason, id, at }, ended]
        }
        (Ok(_), Said::Yes | Said::Word(_)) => {
            vec![RunEvent::JobApproved { job, gate: key, by, what, reason, id, at }]
        }
    };
    Ok(events.into_iter().map(|event| (stream, event)).collect())
}

/// Why it does not count.
fn judge(gate: &Gate, answer: &Answer) -> Result<(), String> {
    let name = answer.by.name.as_str();
    let may_not = |why: String| Err(format!("{name} may not: {why}"));
    if answer.what != gate.asked.what {
        return Err("what they were shown is not what waits: it changed since".to_owned());
    }
    let Some(demand) = gate.asked.demand(&answer.gate) else {
        return Err(format!("there is no gate {}", answer.gate));
    };
    let is_requester = gate.asked.asked_by.iter().any(|it| it.eq_ignore_ascii_case(name));
    match (demand, &answer.said) {
        (GateDemand::Approval { .. }, Said::Yes) => {
            let elsewhere = gate.agreed.iter().filter(|(key, _)| **key != answer.gate);
            let mut elsewhere = elsewhere.filter(|(key, _)| key.as_str() != "confirm");
            let has_agreed_elsewhere =
                elsewhere.any(|(_, by)| by.iter().any(|it| is_one(it.name.as_str(), name)));
            let voice = Voice { name, is_requester, has_agreed_elsewhere };
            match counts(demand, gate.at(&answer.gate), voice) {
                Ok(Counts::More | Counts::Full) => Ok(()),
                Err(why) => may_not(why.words("run", demand)),
            }
        }
        (GateDemand::Approval { .. }, Said::No) if may_reject(demand, name) => Ok(()),
        (GateDemand::Approval { group, .. }, Said::No) => {
            may_not(format!("they are not of {group}"))
        }
        (GateDemand::Confirm { .. }, Said::Word(_)) if !is_requester => {
            may_not("another person started it".to_owned())
        }
        (GateDemand::Confirm { .. }, Said::Word(_)) if !gate.at(&answer.gate).is_empty() => {
            may_not("the word was typed already".to_owned())
        }
        (GateDemand::Confirm { word }, Said::Word(typed)) if word == typed => Ok(()),
        // Who may is for whoever let them speak to say.
        (GateDemand::Start, Said::Yes) if !gate.at(&answer.gate).is_empty() => {
            may_not("it was started already".to_owned())
        }
        (GateDemand::Start, Said::Yes | Said::No) => Ok(()),
        (GateDemand::Confirm { .. }, Said::Word(_)) => Err("it is another word".to_owned()),
        _ => Err(format!("that does not fit the gate {}", answer.gate)),
    }
}
