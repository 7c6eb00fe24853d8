//! A deployment as people look at it: what was wanted, the plan, every step both ways, the verdict.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Actor, By, Cause, DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentId, DeploymentKind,
    DeploymentPlan, DeploymentRequest, Digest, Fence, GateDemand, GateKey, KnownRelease, SshProof,
    Timestamp, Verdict, Way,
};
use mask::MaskedText;
use serde_json::Value as Json;

/// One deployment, everything.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentView {
    /// Which.
    pub id: DeploymentId,
    /// What was asked for.
    pub request: DeploymentRequest,
    /// Who had it, in turn.
    pub owners: Vec<OwnerView>,
    /// The plan and its hash, once there is one.
    pub plan: Option<(DeploymentPlan, Digest)>,
    /// The gates that were waited for.
    pub gates: Vec<GateView>,
    /// Every step of the plan, in order; before the plan none.
    pub steps: Vec<DeployStepView>,
    /// What people should know.
    pub notes: Vec<MaskedText>,
    /// Rules that it passed, with what each would have asked for.
    pub passed: Vec<(Arc<str>, MaskedText)>,
    /// Who tried to agree or to say no, and did not count.
    pub refused: Vec<RefusedApproval>,
    /// Why it went back, and when it turned.
    pub turned: Option<(Cause, Timestamp)>,
    /// Who wanted it to end.
    pub cancelled_by: Option<Actor>,
    /// How it ended; none while it is open.
    pub ended: Option<EndView>,
}

/// Who had a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerView {
    /// Which ownership.
    pub fence: Fence,
    /// Who: a host and a process.
    pub owner: MaskedText,
    /// From when on.
    pub at: Timestamp,
}

/// Somebody's word at a gate.
#[derive(Clone, Debug, PartialEq)]
pub struct SignatureView {
    /// Whose.
    pub by: Actor,
    /// What proves it.
    pub proof: Option<SshProof>,
    /// Until when it counts, where that has an end.
    pub until: Option<Timestamp>,
    /// When it was given.
    pub at: Timestamp,
}

/// Somebody's try that did not count.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedApproval {
    /// At which gate.
    pub gate: Option<GateKey>,
    /// Who it was said to be.
    pub by: Option<MaskedText>,
    /// The fingerprint of the key.
    pub key: Option<Arc<str>>,
    /// Of what was handed in.
    pub handed: Option<Digest>,
    /// Why not.
    pub why: MaskedText,
    /// When.
    pub at: Timestamp,
}

/// A gate.
#[derive(Clone, Debug, PartialEq)]
pub struct GateView {
    /// Which.
    pub gate: GateKey,
    /// What opens it.
    pub what: MaskedText,
    /// Who agreed.
    pub signed: Vec<SignatureView>,
    /// Who said no.
    pub rejected: Option<SignatureView>,
    /// When it began to be waited for.
    pub waiting_at: Timestamp,
    /// When it opened.
    pub opened_at: Option<Timestamp>,
}

/// A step, both ways.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployStepView {
    /// Which.
    pub key: DeployStepKey,
    /// The service.
    pub service: Arc<str>,
    /// Of which kind.
    pub kind: DeployStepKind,
    /// What it does.
    pub what: MaskedText,
    /// Doing it.
    pub forward: Option<DeedView>,
    /// Undoing it.
    pub back: Option<DeedView>,
}

/// One way of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct DeedView {
    /// When it was intended.
    pub since: Timestamp,
    /// When it was over; none while it is under way.
    pub over_at: Option<Timestamp>,
    /// Why it failed, if it did.
    pub cause: Option<Cause>,
    /// What whoever did it says of it, where it is done.
    pub effect: Json,
}

impl DeedView {
    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        self.over_at.is_some() && self.cause.is_none()
    }
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndView {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub cause: Option<Cause>,
    /// Who brought it to this end.
    pub by: By,
    /// Nothing runs of it.
    pub vacuous: bool,
    /// It changed nothing.
    pub unchanged: bool,
    /// What runs now, after success.
    pub runs: BTreeMap<Arc<str>, KnownRelease>,
    /// When.
    pub at: Timestamp,
}

impl DeploymentView {
    /// The fold of a stream; none where it does not begin with a request.
    pub fn of(id: DeploymentId, events: &[DeploymentEvent]) -> Option<DeploymentView> {
        let (first, rest) = events.split_first()?;
        let DeploymentEvent::DeploymentRequested(request) = first else { return None };
        let mut view = DeploymentView {
            id,
            request: (**request).clone(),
            owners: Vec::new(),
            plan: None,
            gates: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            passed: Vec::new(),
            refused: Vec::new(),
            turned: None,
            cancelled_by: None,
            ended: None,
        };
        rest.iter().for_each(|event| view.take(event));
        Some(view)
    }

    /// One event more.
    pub fn take(&mut self, event: &DeploymentEvent) {
        use DeploymentEvent as E;
        match event {
            E::DeploymentRequested(_) => {}
            E::DeploymentOwned { fence, owner, at } => {
                self.owners.push(OwnerView { fence: *fence, owner: owner.clone(), at: *at });
            }
            E::DeploymentPlanned { plan, hash, .. } => {
                self.steps = steps(plan);
                self.plan = Some(((**plan).clone(), *hash));
            }
            E::GateWaiting { .. }
            | E::GateSigned { .. }
            | E::GateRejected { .. }
            | E::GateOpened { .. }
            | E::ApprovalRefused { .. }
            | E::RulePassed { .. }
            | E::RulesConfirmed { .. } => self.take_at_gates(event),
            E::StepIntended { step, way, at } => {
                let deed = DeedView { since: *at, over_at: None, cause: None, effect: Json::Null };
                if let Some(step) = self.steps.iter_mut().find(|it| it.key == *step) {
                    *step.way(*way) = Some(deed);
                }
            }
            E::StepDone { step, way, effect, at, .. } => {
                if let Some(deed) = self.deed(step, *way) {
                    (deed.over_at, deed.effect) = (Some(*at), effect.clone());
                }
            }
            E::StepFailed { step, way, cause, at } => {
                if let Some(deed) = self.deed(step, *way) {
                    (deed.over_at, deed.cause) = (Some(*at), Some(cause.clone()));
                }
            }
            E::DeploymentNoted { text, .. } => self.notes.push(text.clone()),
            E::TurnedBack { cause, at } => self.turned = Some((cause.clone(), *at)),
            E::CancelWanted { by, .. } => self.cancelled_by = Some(by.clone()),
            E::DeploymentCompleted { verdict, cause, by, vacuous, unchanged, runs, at } => {
                self.ended = Some(EndView {
                    verdict: *verdict,
                    cause: cause.clone(),
                    by: *by,
                    vacuous: *vacuous,
                    unchanged: *unchanged,
                    runs: runs.clone(),
                    at: *at,
                });
            }
        }
    }

    /// What people and the clock say before the first step.
    fn take_at_gates(&mut self, event: &DeploymentEvent) {
        use DeploymentEvent as E;
        match event {
            E::GateWaiting { gate, what, at } => self.gates.push(GateView {
                gate: gate.clone(),
                what: what.clone(),
                signed: Vec::new(),
                rejected: None,
                waiting_at: *at,
                opened_at: None,
            }),
            E::GateSigned { gate, by, proof, until, at, .. } => {
                let proof = proof.as_deref().cloned();
                let signature = SignatureView { by: by.clone(), proof, until: *until, at: *at };
                self.gate(gate).into_iter().for_each(|gate| gate.signed.push(signature.clone()));
            }
            E::GateRejected { gate, by, proof, at, .. } => {
                let proof = proof.as_deref().cloned();
                let signature = SignatureView { by: by.clone(), proof, until: None, at: *at };
                let gate = self.gate(gate);
                gate.into_iter().for_each(|gate| gate.rejected = Some(signature.clone()));
            }
            E::ApprovalRefused { gate, by, key, handed, why, at } => {
                self.refused.push(RefusedApproval {
                    gate: gate.clone(),
                    by: by.clone(),
                    key: key.clone(),
                    handed: *handed,
                    why: why.clone(),
                    at: *at,
                });
            }
            E::RulePassed { rule, what, .. } => self.passed.push((rule.clone(), what.clone())),
            E::RulesConfirmed { .. } => {}
            E::GateOpened { gate, at, .. } => {
                self.gate(gate).into_iter().for_each(|gate| gate.opened_at = Some(*at));
            }
            _ => {}
        }
    }

    /// The step under way, with its way.
    pub fn under_way(&self) -> Option<(&DeployStepView, Way)> {
        let open = |deed: &Option<DeedView>| deed.as_ref().is_some_and(|it| it.over_at.is_none());
        if self.ended.is_some() {
            return None;
        }
        let back = self.steps.iter().find(|step| open(&step.back)).map(|step| (step, Way::Back));
        let forward = || self.steps.iter().find(|step| open(&step.forward));
        if self.turned.is_some() { back } else { forward().map(|step| (step, Way::Forward)) }
    }

    /// Where it stands, in a word: the verdict, or what it does.
    pub fn standing(&self) -> &'static str {
        match &self.ended {
            Some(end) => end.verdict.as_str(),
            None if self.turned.is_some() => "going back",
            None if self.steps.iter().any(|step| step.forward.is_some()) => "in progress",
            None if self.gates.iter().any(|gate| gate.opened_at.is_none()) => "waiting",
            None => "planning",
        }
    }

    /// Gates at which people of a group still have to agree, with what each wants; none once it is over.
    pub fn open_approvals(&self) -> impl Iterator<Item = (&GateDemand, &GateView)> {
        let open =
            self.gates.iter().filter(|gate| self.ended.is_none() && gate.opened_at.is_none());
        open.filter_map(|gate| {
            let demand = self.request.gates.iter().find(|demand| demand.key() == gate.gate)?;
            matches!(demand, GateDemand::Approval { .. }).then_some((demand, gate))
        })
    }

    /// Whether somebody's agreement is still wanted.
    pub fn waits_for_people(&self) -> bool {
        self.open_approvals().next().is_some()
    }

    fn gate(&mut self, key: &GateKey) -> Option<&mut GateView> {
        self.gates.iter_mut().find(|gate| gate.gate == *key)
    }

    fn deed(&mut self, key: &DeployStepKey, way: Way) -> Option<&mut DeedView> {
        let step = self.steps.iter_mut().find(|step| step.key == *key)?;
        step.way(way).as_mut()
    }
}

impl DeployStepView {
    fn way(&mut self, way: Way) -> &mut Option<DeedView> {
        match way {
            Way::Forward => &mut self.forward,
            Way::Back => &mut self.back,
        }
    }
}

fn steps(plan: &DeploymentPlan) -> Vec<DeployStepView> {
    let view = |step: &event::PlannedStep| {
        let service = plan.service_of(&step.key)?;
        Some(DeployStepView {
            key: step.key.clone(),
            service: Arc::clone(&service.service),
            kind: step.kind,
            what: step.what.clone(),
            forward: None,
            back: None,
        })
    };
    plan.steps().filter_map(view).collect()
}

/// A deployment's line in a list: one for each of its services.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentRow {
    /// Which.
    pub id: DeploymentId,
    /// `project` of the settings.
    pub project: Arc<str>,
    /// Where to.
    pub environment: Arc<str>,
    /// The services with the versions that were wanted.
    pub services: Vec<(Arc<str>, Arc<str>)>,
    /// Of which kind.
    pub kind: DeploymentKind,
    /// Who wanted it.
    pub by: MaskedText,
    /// Why, in their words.
    pub reason: Option<MaskedText>,
    /// Where it stands, or the verdict.
    pub standing: Cow<'static, str>,
    /// Why it did not simply end well.
    pub cause: Option<MaskedText>,
    /// When it was wanted.
    pub requested_at: Timestamp,
    /// How long it took; none before its end.
    pub duration_ms: Option<u64>,
}

impl From<&DeploymentView> for DeploymentRow {
    fn from(view: &DeploymentView) -> DeploymentRow {
        let request = &view.request;
        let services = request.services.iter();
        let ended = view.ended.as_ref();
        DeploymentRow {
            id: view.id,
            project: Arc::clone(&request.project),
            environment: Arc::clone(&request.environment),
            services: services
                .map(|it| (Arc::clone(&it.service), Arc::clone(&it.release.version)))
                .collect(),
            kind: request.kind,
            by: request.by.name.clone(),
            reason: request.reason.clone(),
            standing: view.standing().into(),
            cause: ended.and_then(|end| end.cause.as_ref()).map(|cause| cause.message.clone()),
            requested_at: request.at,
            duration_ms: ended.map(|end| end.at.0.saturating_sub(request.at.0)),
        }
    }
}
