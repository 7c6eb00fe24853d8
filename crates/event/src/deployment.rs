//! The events of one deployment: one release going to one environment.
//!
//! A deployment ships several services in order. What is owed to the world is a list of steps, fixed
//! when the plan is made; each is intended, then done, and where something fails what was done is
//! undone in reverse. The vocabulary holds what the numbers need later (control plane C.1): which
//! commits were shipped, of which kind it was, whether it was planned.

mod cause;
mod plan;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use cause::{Cause, CauseCode, Evidence, EvidenceKind};
pub use plan::{
    DeployStepKey, DeployStepKind, DeploymentPlan, FieldChange, GoingBack, PlannedStep,
    ServicePlan, Undo,
};
pub use request::{
    Actor, Asked, DeploymentKind, DeploymentRequest, GateDemand, GateKey, KnownRelease, OnCancel,
    PassedRule, Protection, Release, Rules, ServiceRequest, ShippedCommit, SshProof,
};

use crate::digest::Digest;
use crate::ids::{Fence, Timestamp};

/// What happened in a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum DeploymentEvent {
    /// Somebody wants it. Everything its decisions rest on is in the request.
    DeploymentRequested(Box<DeploymentRequest>),
    /// A process has it from now on; what comes with an older fence is refused.
    DeploymentOwned {
        /// Which ownership of it.
        fence: Fence,
        /// Who: a host and a process, for people.
        owner: MaskedText,
        /// When.
        at: Timestamp,
    },
    /// What stands at the targets was looked at, and what would be done was computed from it.
    DeploymentPlanned {
        /// All that will be done, and how each of it is undone.
        plan: Box<DeploymentPlan>,
        /// Of the plan as it stands in the journal; approvals hold for it.
        hash: Digest,
        /// When.
        at: Timestamp,
    },
    /// A gate is shut, and nothing goes on before it opens.
    GateWaiting {
        /// Which.
        gate: GateKey,
        /// What would open it, for people.
        what: MaskedText,
        /// When.
        at: Timestamp,
    },
    /// Somebody agrees to the plan: one of those that a gate needs.
    GateSigned {
        /// Which gate.
        gate: GateKey,
        /// Who.
        by: Actor,
        /// The plan that they agree to, and no other.
        plan: Digest,
        /// What proves it; none where they typed a word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<SshProof>>,
        /// Until when it counts: nothing may begin later. None: as long as the deployment is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// Somebody says no to the plan.
    GateRejected {
        /// At which gate.
        gate: GateKey,
        /// Who.
        by: Actor,
        /// Why, in their words.
        reason: Option<MaskedText>,
        /// What proves it.
        proof: Option<Box<SshProof>>,
        /// When.
        at: Timestamp,
    },
    /// Somebody tried to agree, or to say no, and may not, or nothing proves it. It changes nothing.
    ApprovalRefused {
        /// At which gate, where they said so.
        gate: Option<GateKey>,
        /// Who it was said to be.
        by: Option<MaskedText>,
        /// The fingerprint of the key that signed, where there was one.
        key: Option<Arc<str>>,
        /// Of what was handed in, text and signature.
        handed: Option<Digest>,
        /// Why not.
        why: MaskedText,
        /// When.
        at: Timestamp,
    },
    /// A rule was passed by whoever may: an urgent repair passes windows.
    RulePassed {
        /// Which.
        rule: Arc<str>,
        /// What it would have asked for.
        what: MaskedText,
        /// Who passed it.
        by: Actor,
        /// Why, in their words.
        reason: Option<MaskedText>,
        /// When.
        at: Timestamp,
    },
    /// Every gate is open, and the rules were read once more: they are what they were.
    RulesConfirmed {
        /// The tip that they were read from.
        commit: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// A gate opened.
    GateOpened {
        /// Which.
        gate: GateKey,
        /// Who opened it; none where the clock or a check did.
        by: Option<Actor>,
        /// When.
        at: Timestamp,
    },
    /// A step is to be done, or undone. Intent: this stands in the journal before the world hears of
    /// it. What its undo needs stands in the plan.
    StepIntended {
        /// Which.
        step: DeployStepKey,
        /// Forward or back.
        way: Way,
        /// When.
        at: Timestamp,
    },
    /// It is done, or undone.
    StepDone {
        /// Which.
        step: DeployStepKey,
        /// Forward or back.
        way: Way,
        /// What came out of it, for the steps behind it: ids, revisions, digests. Nothing secret.
        effect: Json,
        /// Nothing runs of it: the wanted number of instances is 0.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        vacuous: bool,
        /// When.
        at: Timestamp,
    },
    /// It failed, or could not be undone.
    StepFailed {
        /// Which.
        step: DeployStepKey,
        /// Forward or back.
        way: Way,
        /// Why.
        cause: Cause,
        /// When.
        at: Timestamp,
    },
    /// Something that people should know and that changes nothing.
    DeploymentNoted {
        /// About which step, where it is about one.
        step: Option<DeployStepKey>,
        /// What.
        text: MaskedText,
        /// When.
        at: Timestamp,
    },
    /// From here on what was done is undone.
    TurnedBack {
        /// Why.
        cause: Cause,
        /// When.
        at: Timestamp,
    },
    /// Somebody wants it to end.
    CancelWanted {
        /// Who.
        by: Actor,
        /// Why, in their words.
        reason: Option<MaskedText>,
        /// When.
        at: Timestamp,
    },
    /// It is over.
    DeploymentCompleted {
        /// How it ended.
        verdict: Verdict,
        /// Why, where it is not simply done.
        cause: Option<Cause>,
        /// Who brought it to this end.
        by: By,
        /// It succeeded without anything that runs: the wanted number of instances is 0.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        vacuous: bool,
        /// It changed nothing: what was wanted runs already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unchanged: bool,
        /// After success: what runs now, service by service, as the targets say. It is what a later
        /// deployment goes back to.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        runs: BTreeMap<Arc<str>, KnownRelease>,
        /// When.
        at: Timestamp,
    },
}

/// Forward or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Doing.
    Forward,
    /// Undoing.
    Back,
}

/// How a deployment ended (`design` 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// What was wanted runs, and every verification passed.
    Succeeded,
    /// It failed before anything that runs was changed, or what was changed cannot be gone back on.
    Failed,
    /// What ran before runs (again). A migration that was done stays, and the cause says so.
    RolledBack,
    /// Going back failed: a person is needed.
    RollbackStuck,
    /// Another deployment, of ours or of somebody else, took its place.
    Superseded,
    /// Somebody ended it before the first change.
    Cancelled,
    /// A rule said no before the first change.
    Refused,
}

impl Verdict {
    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Succeeded => "succeeded",
            Verdict::Failed => "failed",
            Verdict::RolledBack => "rolled_back",
            Verdict::RollbackStuck => "rollback_stuck",
            Verdict::Superseded => "superseded",
            Verdict::Cancelled => "cancelled",
            Verdict::Refused => "refused",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who brought a deployment to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// This product.
    Launchway,
    /// The platform that it went to, by itself (a circuit breaker).
    Platform,
    /// A person.
    Person,
}
