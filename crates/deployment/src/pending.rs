//! What comes next, from the state alone; and which of it is a deed for the world.

use std::sync::Arc;

use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, Fence, GateDemand, OnCancel, Timestamp, Undo,
    Way,
};
use mask::MaskedText;

use crate::compose::busy;
use crate::state::{Deed, Outcome, State};

/// The one thing that comes next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// Nothing: it is over, or nobody owns it.
    Nothing,
    /// It ends before the first step: somebody wants that.
    Cancelled(Cause),
    /// Targets are to be looked at, and a plan to be made.
    Propose,
    /// It ends: nothing differs.
    Unchanged,
    /// It is to be said which gates are waited for.
    Announce,
    /// Gates are shut; the first that the clock opens, opens then.
    Gates(Option<Timestamp>),
    /// The gates are open: the rules are read once more.
    ReadRules,
    /// These services are looked at before this step.
    Look(Vec<Arc<str>>, DeployStepKey),
    /// A step is to be intended.
    Intend(DeployStepKey, Way),
    /// A step is under way.
    Carry(DeployStepKey, Way),
    /// From here on it goes back.
    TurnBack(Cause),
    /// All is done: these services are looked at once more.
    LastLook(Vec<Arc<str>>),
    /// The way back is at its end.
    Back,
    /// A step of the way back failed.
    Stuck(DeployStepKey, Cause),
}

pub(crate) fn next(state: &State) -> Next {
    let Some(request) = &state.request else { return Next::Nothing };
    if state.ended.is_some() || state.fence == Fence(0) {
        return Next::Nothing;
    }
    if state.turned.is_some() {
        return next_back(state);
    }
    let cancelled = state.cancel.as_ref().map(|(by, reason)| cancel_cause(by, reason.as_ref()));
    if let (Some(cause), true) = (&cancelled, state.forward.is_empty()) {
        return Next::Cancelled(cause.clone());
    }
    let Some((plan, _)) = &state.plan else { return Next::Propose };
    if plan.order.is_empty() {
        return Next::Unchanged;
    }
    if state.gates.values().any(|gate| !gate.open && !gate.announced) {
        return Next::Announce;
    }
    if state.gates.values().any(|gate| !gate.open) {
        return Next::Gates(state.clock_opens_at());
    }
    if state.forward.is_empty() && state.asks_for_rules() && state.confirmed != Some(state.fence) {
        return Next::ReadRules;
    }
    // What has changed nothing is not finished for its own sake.
    let goes_back = request.on_cancel == OnCancel::Back || !state.is_changed();
    let cancelled = cancelled.filter(|_| goes_back);
    let too_late = state.intended().any(|step| step.kind == DeployStepKind::Retire);
    if let Some((deed, way)) = state.under_way() {
        let undo = state.step(&deed.step).map(|step| &step.undo);
        // What can never be undone is not left half done: a migration is waited for.
        let is_let_go = !matches!(undo, Some(Undo::Never { .. }));
        return match cancelled {
            Some(cause) if is_let_go && !too_late => Next::TurnBack(cause),
            _ => Next::Carry(deed.step.clone(), way),
        };
    }
    if let Some(cause) = state.failure() {
        return Next::TurnBack(cause.clone());
    }
    if let (Some(cause), false) = (cancelled, too_late) {
        return Next::TurnBack(cause);
    }
    match plan.order.get(state.forward.len()) {
        None => Next::LastLook(busy(plan)),
        Some(key) => match looked_at_before(state, key) {
            services if services.is_empty() => Next::Intend(key.clone(), Way::Forward),
            services => Next::Look(services, key.clone()),
        },
    }
}

fn next_back(state: &State) -> Next {
    match state.back.last() {
        Some(Deed { outcome: Outcome::UnderWay, step, .. }) => {
            return Next::Carry(step.clone(), Way::Back);
        }
        Some(Deed { outcome: Outcome::Failed(cause), step, .. }) => {
            return Next::Stuck(step.clone(), cause.clone());
        }
        _ => {}
    }
    match state.owed_back().get(state.back.len()) {
        Some(key) => Next::Intend(key.clone(), Way::Back),
        None => Next::Back,
    }
}

/// Services whose target is looked at before a step: all before the first, and a service's own
/// before its first change.
fn looked_at_before(state: &State, key: &DeployStepKey) -> Vec<Arc<str>> {
    let Some((plan, _)) = &state.plan else { return Vec::new() };
    if state.forward.is_empty() {
        return busy(plan);
    }
    let Some(service) = plan.service_of(key) else { return Vec::new() };
    let changes = |key: &DeployStepKey| plan.step(key).is_some_and(|step| step.kind.changes());
    let is_first = !state
        .forward
        .iter()
        .any(|deed| changes(&deed.step) && service.steps.iter().any(|step| step.key == deed.step));
    if changes(key) && is_first { vec![Arc::clone(&service.service)] } else { Vec::new() }
}

fn cancel_cause(by: &event::Actor, reason: Option<&MaskedText>) -> Cause {
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let message = format!("{} wanted it to end{why}", by.name);
    Cause::new(CauseCode::CancelWanted, MaskedText::without_secrets(message))
}

impl State {
    /// The failure that it has to go back for. That the old could not be taken away is none.
    pub(crate) fn failure(&self) -> Option<&Cause> {
        let deed = self.forward.last()?;
        let kind = self.step(&deed.step).map(|step| step.kind);
        match &deed.outcome {
            Outcome::Failed(cause) if kind != Some(DeployStepKind::Retire) => Some(cause),
            _ => None,
        }
    }

    /// When the clock opens the first gate that it opens at all.
    pub(crate) fn clock_opens_at(&self) -> Option<Timestamp> {
        let requested_at = self.request.as_ref()?.at;
        let shut = self.gates.values().filter(|gate| !gate.open);
        let opens = shut.filter_map(|gate| match gate.demand {
            GateDemand::Wait { milliseconds } => {
                Some(Timestamp(requested_at.0.saturating_add(milliseconds)))
            }
            _ => None,
        });
        opens.min()
    }
}

/// A deed that the world is owed. The same on every retry.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Look at every service's target and say what would be done.
    Propose,
    /// Read the rules once more: what people agreed to rests on them.
    ReadRules,
    /// Look at the targets of these services.
    Look {
        /// Which.
        services: Vec<Arc<str>>,
    },
    /// Carry the step on.
    Carry {
        /// Which.
        step: DeployStepKey,
        /// Forward or back.
        way: Way,
    },
    /// Wait for people, and for the clock.
    Wait {
        /// When the clock has to be looked at.
        until: Option<Timestamp>,
    },
}

/// What is owed now; none where a decision is due ([`Input::Advance`](crate::Input::Advance)), or
/// nothing at all.
pub fn pending(state: &State) -> Option<Command> {
    match next(state) {
        Next::Propose => Some(Command::Propose),
        Next::ReadRules => Some(Command::ReadRules),
        Next::Look(services, _) | Next::LastLook(services) => Some(Command::Look { services }),
        Next::Carry(step, way) => Some(Command::Carry { step, way }),
        Next::Gates(until) => Some(Command::Wait { until }),
        _ => None,
    }
}
