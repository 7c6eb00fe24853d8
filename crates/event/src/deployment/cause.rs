//! Why a deployment did not simply end well: a tree with evidence.

use mask::MaskedText;
use serde::{Deserialize, Serialize};

/// Why, and because of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The kind, for machines.
    pub code: CauseCode,
    /// What happened, in a sentence for people, without a full stop.
    pub message: MaskedText,
    /// What shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What it came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Cause>,
}

impl Cause {
    /// A cause without evidence so far.
    pub fn new(code: CauseCode, message: MaskedText) -> Cause {
        Cause { code, message, evidence: Vec::new(), because: Vec::new() }
    }

    /// With what it came from.
    pub fn because(mut self, cause: Cause) -> Cause {
        self.because.push(cause);
        self
    }

    /// With what shows it.
    pub fn with_evidence(mut self, kind: EvidenceKind, text: MaskedText) -> Cause {
        self.evidence.push(Evidence { kind, text });
        self
    }
}

/// The kind of a cause. The set grows; each has a page in the docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseCode {
    /// A process ended that should not.
    Exited,
    /// What should be started could not be.
    NotStarted,
    /// It ran and was never healthy within its time.
    NeverHealthy,
    /// A check after the change failed.
    VerificationFailed,
    /// A migration failed.
    MigrationFailed,
    /// A backup failed.
    BackupFailed,
    /// A step took longer than it may.
    TimedOut,
    /// What stands at the target is not what the plan was made from.
    Drift,
    /// A gate stayed shut, or was shut by somebody.
    GateShut,
    /// Another deployment took its place.
    Superseded,
    /// The platform went back by itself.
    PlatformRolledBack,
    /// Somebody wanted it to end.
    CancelWanted,
    /// Something that is needed is missing or cannot be reached.
    Unavailable,
    /// The target refused what was asked.
    TargetRefused,
    /// Going back failed.
    UndoFailed,
    /// There would be no way back.
    NoWayBack,
    /// A fault of ours.
    Fault,
}

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it was seen.
    pub kind: EvidenceKind,
    /// What was seen.
    pub text: MaskedText,
}

/// Where evidence was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// How a process or container ended.
    Exit,
    /// The last lines that it wrote.
    Log,
    /// What a probe got for an answer.
    Probe,
    /// What the platform says.
    Platform,
}
