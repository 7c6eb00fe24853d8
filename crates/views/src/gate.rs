//! A job's gate: what it asks, and everything that was said at it.

use event::{Actor, GateDemand, GateKey, JobGate, RunEvent, Timestamp};
use mask::MaskedText;

/// The gate of a job that names an environment of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct JobGateView {
    /// What it asks now.
    pub asked: JobGate,
    /// Since when the job stands there.
    pub since: Timestamp,
    /// Everything that was said, in order.
    pub answers: Vec<AnswerView>,
    /// When it opened.
    pub opened_at: Option<Timestamp>,
}

/// What somebody said at a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerView {
    /// What came of it.
    pub said: AnswerKind,
    /// At which gate, where they said so.
    pub gate: Option<GateKey>,
    /// Who.
    pub by: Actor,
    /// Why, in their words.
    pub reason: Option<MaskedText>,
    /// Why it does not count.
    pub why: Option<MaskedText>,
    /// What they agreed to has changed since.
    pub is_void: bool,
    /// When.
    pub at: Timestamp,
}

/// What came of what somebody said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// They agreed, or typed the word.
    Approved,
    /// They said no.
    Rejected,
    /// It does not count.
    Refused,
}

impl AnswerKind {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AnswerKind::Approved => "approved",
            AnswerKind::Rejected => "rejected",
            AnswerKind::Refused => "refused",
        }
    }
}

impl JobGateView {
    /// Who agreed at a gate, of those that count.
    pub fn agreed(&self, key: &GateKey) -> impl Iterator<Item = &AnswerView> {
        let counts = |it: &&AnswerView| it.said == AnswerKind::Approved && !it.is_void;
        self.answers.iter().filter(counts).filter(move |it| it.gate.as_ref() == Some(key))
    }

    /// What it still waits for, as the end of a sentence.
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        for demand in &self.asked.demands {
            let agreed = self.agreed(&demand.key()).count() as u64;
            match demand {
                GateDemand::Approval { group, count, members } if agreed < u64::from(*count) => {
                    let left = u64::from(*count) - agreed;
                    parts.push(format!("{left} of {group} ({})", members.join(", ")));
                }
                GateDemand::Confirm { word } if agreed == 0 => {
                    parts.push(format!("the word {word} from whoever started it"));
                }
                GateDemand::Start if agreed == 0 => parts.push("a person to start it".to_owned()),
                _ => {}
            }
        }
        match (parts.is_empty(), &self.asked.shut) {
            (true, Some(shut)) => {
                format!("waits at the gate of {}: {shut}", self.asked.environment)
            }
            (true, None) => format!("is about to pass the gate of {}", self.asked.environment),
            (false, shut) => {
                let besides = shut.as_ref().map(|shut| format!("; besides, {shut}"));
                format!(
                    "waits at the gate of {} for {}{}",
                    self.asked.environment,
                    parts.join(" and "),
                    besides.unwrap_or_default()
                )
            }
        }
    }
}

/// What an event makes of a job's gate.
pub(crate) fn apply(gate: &mut Option<JobGateView>, event: &RunEvent) {
    let (said, at) = match event {
        RunEvent::JobGated { gate: asked, at, .. } => {
            match gate {
                Some(known) => {
                    let is_void = known.asked.what != asked.what;
                    known.answers.iter_mut().for_each(|it| it.is_void |= is_void);
                    known.asked = (**asked).clone();
                }
                None => {
                    let (asked, answers) = ((**asked).clone(), Vec::new());
                    *gate = Some(JobGateView { asked, since: *at, answers, opened_at: None });
                }
            }
            return;
        }
        RunEvent::JobGateOpened { at, .. } => {
            if let Some(gate) = gate {
                gate.opened_at = Some(*at);
            }
            return;
        }
        RunEvent::JobApproved { at, .. } => (AnswerKind::Approved, at),
        RunEvent::JobRejected { at, .. } => (AnswerKind::Rejected, at),
        RunEvent::JobApprovalRefused { at, .. } => (AnswerKind::Refused, at),
        _ => return,
    };
    let (key, by, reason, why) = match event {
        RunEvent::JobApproved { gate, by, reason, .. }
        | RunEvent::JobRejected { gate, by, reason, .. } => {
            (Some(gate.clone()), by.clone(), reason.clone(), None)
        }
        RunEvent::JobApprovalRefused { gate, by, why, .. } => {
            (gate.clone(), by.clone(), None, Some(why.clone()))
        }
        _ => return,
    };
    if let Some(gate) = gate {
        let is_void = false;
        gate.answers.push(AnswerView { said, gate: key, by, reason, why, is_void, at: *at });
    }
}
