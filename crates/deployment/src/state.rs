//! What is known of one deployment: the fold of its events.

use std::collections::BTreeMap;

use event::{
    Actor, By, Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentPlan, DeploymentRequest,
    Digest, Fence, GateDemand, GateKey, KnownRelease, PlannedStep, Timestamp, Undo, Verdict, Way,
};
use mask::MaskedText;
use serde_json::Value as Json;
use std::sync::Arc;

/// One deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(crate) request: Option<Box<DeploymentRequest>>,
    pub(crate) fence: Fence,
    pub(crate) owned_at: Timestamp,
    /// When the last event came.
    pub(crate) moved_at: Timestamp,
    pub(crate) plan: Option<(Box<DeploymentPlan>, Digest)>,
    pub(crate) gates: BTreeMap<GateKey, Gate>,
    /// Steps intended forward, in order.
    pub(crate) forward: Vec<Deed>,
    /// Steps intended back, in order.
    pub(crate) back: Vec<Deed>,
    pub(crate) effects: BTreeMap<DeployStepKey, Json>,
    pub(crate) turned: Option<Cause>,
    pub(crate) cancel: Option<(Actor, Option<MaskedText>)>,
    pub(crate) vacuous: bool,
    /// Under which ownership the rules were read once more, behind the gates.
    pub(crate) confirmed: Option<Fence>,
    /// How often somebody tried to agree who may not.
    pub(crate) refused: u32,
    pub(crate) ended: Option<Ended>,
}

/// A gate of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What it wants.
    pub demand: GateDemand,
    /// It was said that it is waited for.
    pub announced: bool,
    /// Who agreed to the plan so far.
    pub signed: Vec<Actor>,
    /// Until when the first of these agreements counts, where one has an end.
    pub until: Option<Timestamp>,
    /// It is open.
    pub open: bool,
}

/// A step that was intended.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// Which.
    pub step: DeployStepKey,
    /// When it was intended.
    pub since: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nobody knows yet.
    UnderWay,
    /// It is done.
    Done,
    /// It failed.
    Failed(Cause),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, where it is not simply done.
    pub cause: Option<Cause>,
    /// Who brought it to this end.
    pub by: By,
    /// Nothing runs of it: the wanted number is 0.
    pub vacuous: bool,
    /// It changed nothing.
    pub unchanged: bool,
    /// What runs now, where it succeeded.
    pub runs: BTreeMap<Arc<str>, KnownRelease>,
}

impl State {
    /// Before its first event.
    pub fn new() -> State {
        State::default()
    }

    /// What is wanted.
    pub fn request(&self) -> Option<&DeploymentRequest> {
        self.request.as_deref()
    }

    /// Which ownership of it holds.
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// The plan and its hash, once there is one.
    pub fn plan(&self) -> Option<(&DeploymentPlan, Digest)> {
        self.plan.as_ref().map(|(plan, hash)| (&**plan, *hash))
    }

    /// Its gates.
    pub fn gates(&self) -> &BTreeMap<GateKey, Gate> {
        &self.gates
    }

    /// What came out of the steps that are done.
    pub fn effects(&self) -> &BTreeMap<DeployStepKey, Json> {
        &self.effects
    }

    /// How it ended; none while it is open.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// Why it goes back; none while it goes forward.
    pub fn turned(&self) -> Option<&Cause> {
        self.turned.as_ref()
    }

    /// Whether the rules have to be read again before the first step: gates take time to open, and
    /// whoever goes on with it later has not read them.
    pub(crate) fn asks_for_rules(&self) -> bool {
        let takes_time = |gate: &Gate| {
            matches!(gate.demand, GateDemand::Approval { .. } | GateDemand::Wait { .. })
        };
        let has_rules = self.request.as_ref().is_some_and(|it| it.protection.is_some());
        has_rules && self.gates.values().any(takes_time)
    }

    /// Whether anything that runs, or its data, may have been changed.
    pub fn is_changed(&self) -> bool {
        self.intended().any(|step| step.kind.changes())
    }

    /// The step under way, with its way.
    pub fn under_way(&self) -> Option<(&Deed, Way)> {
        let open = |deed: &&Deed| deed.outcome == Outcome::UnderWay;
        let back = self.back.last().filter(open).map(|deed| (deed, Way::Back));
        let forward = || self.forward.last().filter(open).map(|deed| (deed, Way::Forward));
        // A step that was under way when it turned back is undone, not waited for.
        if self.turned.is_some() { back } else { forward() }
    }

    /// When the time of the step under way is over. It runs while somebody owns the deployment.
    pub fn until(&self, deed: &Deed) -> Timestamp {
        let within = self.step(&deed.step).map_or(0, |step| step.within_ms);
        Timestamp(deed.since.0.max(self.owned_at.0).saturating_add(within))
    }

    /// A step of the plan.
    pub fn step(&self, key: &DeployStepKey) -> Option<&PlannedStep> {
        self.plan.as_ref().and_then(|(plan, _)| plan.step(key))
    }

    /// Steps that were intended forward.
    pub(crate) fn intended(&self) -> impl Iterator<Item = &PlannedStep> {
        self.forward.iter().filter_map(|deed| self.step(&deed.step))
    }

    /// Where it stands, for refusals and faults.
    pub(crate) fn phase(&self) -> &'static str {
        match () {
            () if self.ended.is_some() => "over",
            () if self.request.is_none() => "new",
            () if self.turned.is_some() => "going back",
            () if !self.forward.is_empty() => "going forward",
            () if self.plan.is_some() => "planned",
            () if self.fence == Fence(0) => "requested",
            () => "planning",
        }
    }

    pub(crate) fn is_superseded(&self, service: &str) -> bool {
        let mut failed = self.forward.iter().filter(|deed| {
            matches!(&deed.outcome, Outcome::Failed(cause) if cause.code == CauseCode::Superseded)
        });
        failed.any(|deed| self.service_of(&deed.step) == Some(service))
    }

    pub(crate) fn service_of(&self, key: &DeployStepKey) -> Option<&str> {
        let (plan, _) = self.plan.as_ref()?;
        plan.service_of(key).map(|service| &*service.service)
    }

    /// All that is owed on the way back, in order: what was intended and can be undone, in reverse;
    /// then what is asked again of what runs then.
    pub(crate) fn owed_back(&self) -> Vec<DeployStepKey> {
        let Some((plan, _)) = &self.plan else { return Vec::new() };
        let is_ours = |key: &DeployStepKey| {
            self.service_of(key).is_some_and(|service| !self.is_superseded(service))
        };
        let undone = self.forward.iter().rev().map(|deed| &deed.step).filter(|key| {
            let undo = self.step(key).map(|step| &step.undo);
            matches!(undo, Some(Undo::Step { .. })) && is_ours(key)
        });
        let asked = plan.services.iter().filter(|service| {
            let changed = |step: &PlannedStep| {
                let touches = matches!(step.kind, DeployStepKind::Apply | DeployStepKind::Switch);
                touches && self.forward.iter().any(|deed| deed.step == step.key)
            };
            service.running.is_some()
                && service.steps.iter().any(changed)
                && !self.is_superseded(&service.service)
        });
        let asked = asked.flat_map(|service| &service.steps);
        let asked = asked.filter(|step| matches!(step.undo, Undo::AskAgain { .. }));
        undone.chain(asked.map(|step| &step.key)).cloned().collect()
    }
}
