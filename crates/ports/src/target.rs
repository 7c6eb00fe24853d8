//! The doors of a deployment: where releases go, and who does the steps.

use std::collections::BTreeMap;
use std::time::Duration;

use event::{
    Cause, DeployStepKey, DeploymentId, Fence, FieldChange, GoingBack, KnownRelease, PlannedStep,
    ServiceRequest, Timestamp, Way,
};
use mask::MaskedText;
use serde_json::Value as Json;

/// Somebody who does steps.
///
/// One method for doing, waiting and finding out after a crash: it is called again and again until
/// the order is over, by the same process or by one that knows nothing of the calls before. Whoever
/// implements it looks first and never does a thing twice; the order's deployment and key name what
/// is done, the same on every call.
pub trait Performer {
    /// Carries the order on, without waiting.
    ///
    /// Back: what the step did is taken back, be it whole, half or not at all; what it needs for that
    /// stands in the step's body, which was written before the deed. It is over when what ran before
    /// runs and is healthy. A step whose undo is `ask_again` is asked of what ran before.
    fn advance(&mut self, order: &Order<'_>) -> Progress;
}

/// A place that releases go to.
pub trait Target: Performer {
    /// Looks at what stands there and changes nothing.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn observe(&mut self, wanted: &ServiceRequest) -> Result<Observation, Cause>;

    /// What would be done to get from there to what is wanted: decides, calls nothing. The same
    /// observation gives the same proposal.
    ///
    /// # Errors
    /// When it cannot be done there, with what stands against it and the remedy.
    fn propose(&self, wanted: &ServiceRequest, seen: &Observation) -> Result<Proposal, Cause>;

    /// How what stands there is at this moment, a line each: how much of it runs, what of it is not
    /// well, what the platform said last. Changes nothing.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn report(&mut self, wanted: &ServiceRequest) -> Result<Vec<MaskedText>, Cause>;

    /// What the command of a step printed that is over: its last lines, for whoever wanted it run.
    /// None of it goes into the journal.
    ///
    /// # Errors
    /// When it cannot be read.
    fn printed(&mut self, ran: &StepRan<'_>) -> Result<Vec<MaskedText>, Cause>;
}

/// A step whose command is over.
#[derive(Clone, Copy, Debug)]
pub struct StepRan<'a> {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The step.
    pub step: &'a DeployStepKey,
    /// The service that it belongs to.
    pub service: &'a ServiceRequest,
    /// What came out of it; null where it failed.
    pub effect: &'a Json,
}

/// What stands at a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// All that a plan rests on, in the target's own words, without what changes by itself (times,
    /// counts of healthy instances) and without what `prepare` steps put there (a registered
    /// revision, an unpacked bundle). If it is another before the first change, that is drift.
    pub seen: Json,
    /// What runs there now; none where nothing does.
    pub running: Option<KnownRelease>,
}

/// What a target would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// What differs; empty where what is wanted runs already.
    pub changes: Vec<FieldChange>,
    /// The target's own steps, in order. Those of the settings are put around them. Where nothing
    /// differs they are those that would do it again: the machine drops them unless it is forced.
    pub steps: Vec<PlannedStep>,
    /// Whether going back would be possible.
    pub going_back: GoingBack,
    /// What people should know who agree to it: what could not be looked at.
    pub notes: Vec<MaskedText>,
}

/// A step that is to be done or undone.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Which ownership of it. A target that can refuse a stale owner does.
    pub fence: Fence,
    /// The step with its service's request.
    pub step: &'a PlannedStep,
    /// The service that it belongs to.
    pub service: &'a ServiceRequest,
    /// Forward or back.
    pub way: Way,
    /// Now: whoever does it has no clock of its own to ask.
    pub now: Timestamp,
    /// When the step was intended, this way. Stands in the journal: the same after a crash.
    pub since: Timestamp,
    /// When its time is over. Whoever runs something for it ends that by then; the machine turns to
    /// something else.
    pub until: Timestamp,
    /// What ran there when the plan was made; none where nothing did.
    pub before: Option<&'a KnownRelease>,
    /// What came out of the steps that were done so far.
    pub effects: &'a BTreeMap<DeployStepKey, Json>,
}

/// How far an order is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Not over.
    Underway {
        /// What is seen, for the live line: `2 of 3 instances healthy`.
        seen: MaskedText,
        /// When it is worth calling again.
        again_in: Duration,
    },
    /// Done, or undone.
    Done {
        /// What came out of it, for the steps behind it. Nothing secret.
        effect: Json,
    },
    /// Done, and nothing runs: the wanted number of instances is 0. What cannot be asked then
    /// (a health path) is no failure.
    Vacuous {
        /// What came out of it.
        effect: Json,
    },
    /// It cannot be done. Nothing more is tried.
    Failed(Cause),
    /// Something in between did not answer; calling again may help. Counts as failed when the step's
    /// time is over.
    Unreachable {
        /// What did not answer.
        cause: Cause,
        /// When it is worth calling again.
        again_in: Duration,
    },
    /// Another deployment, of ours or of somebody else, took this one's place.
    Superseded(Cause),
    /// The platform went back by itself: what ran before runs again. On the way back it is as good
    /// as done.
    WentBack(Cause),
}
