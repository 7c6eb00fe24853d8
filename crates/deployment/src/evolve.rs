//! What an event does to the state, and which event may come when. Never changes for an event that
//! has shipped.

use event::{
    DeploymentEvent, DeploymentRequest, Fact as _, Fence, GateKey, OnCancel, Timestamp, Way,
};

use crate::state::{Deed, Ended, Gate, Outcome, State};

/// An event that cannot come where the deployment stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot come to a deployment that is {phase}: {why}")]
pub struct IllegalMove {
    /// Where it stands.
    pub phase: &'static str,
    /// The event's kind.
    pub event: &'static str,
    /// What does not fit.
    pub why: &'static str,
}

/// Folds an event.
///
/// # Errors
/// When it cannot come there; the state is as it was.
pub fn evolve(state: &mut State, event: &DeploymentEvent) -> Result<(), IllegalMove> {
    legal(state, event).map_err(|why| IllegalMove {
        phase: state.phase(),
        event: event.kind(),
        why,
    })?;
    state.moved_at = apply(state, event);
    Ok(())
}

fn must(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

/// Every legal move. What is not said here is illegal.
fn legal(state: &State, event: &DeploymentEvent) -> Result<(), &'static str> {
    use DeploymentEvent as E;
    let is_refusal = matches!(event, E::ApprovalRefused { .. });
    must(state.ended.is_none() || is_refusal, "it is over")?;
    if let E::DeploymentRequested(request) = event {
        must(state.request.is_none(), "it was requested already")?;
        return must(!request.services.is_empty(), "it is for no service");
    }
    must(state.request.is_some(), "nobody requested it")?;
    match event {
        E::DeploymentRequested(_) => Err("it was requested already"),
        // Who tries after the end is written down as well.
        E::ApprovalRefused { .. } => Ok(()),
        E::DeploymentOwned { fence, .. } => must(*fence > state.fence, "the fence does not grow"),
        // Somebody who only looks after the journal may end what nobody ever owned.
        E::CancelWanted { .. } => must(state.cancel.is_none(), "that was said already"),
        _ if state.fence == Fence(0) => Err("nobody owns it"),
        E::DeploymentPlanned { plan, hash, .. } => {
            must(state.plan.is_none(), "it has a plan")?;
            must(plan.hash() == *hash, "the hash is of another plan")
        }
        E::GateWaiting { .. }
        | E::GateSigned { .. }
        | E::GateOpened { .. }
        | E::GateRejected { .. }
        | E::RulePassed { .. }
        | E::RulesConfirmed { .. } => legal_at_gates(state, event),
        E::StepIntended { step, way, .. } => {
            must(state.gates.values().all(|gate| gate.open), "a gate is shut")?;
            must(state.under_way().is_none(), "another step is under way")?;
            match way {
                Way::Forward => {
                    must(state.turned.is_none(), "it goes back")?;
                    let (plan, _) = state.plan.as_ref().ok_or("it has no plan")?;
                    let is_next = plan.order.get(state.forward.len()) == Some(step);
                    must(is_next, "it is not the next step of the plan")
                }
                Way::Back => {
                    must(state.turned.is_some(), "it goes forward")?;
                    let is_next = state.owed_back().get(state.back.len()) == Some(step);
                    must(is_next, "it is not the next step of the way back")
                }
            }
        }
        E::StepDone { step, way, .. } | E::StepFailed { step, way, .. } => {
            let under_way = state.under_way();
            let is_it = under_way.is_some_and(|(deed, it)| deed.step == *step && it == *way);
            must(is_it, "it is not under way")
        }
        E::DeploymentNoted { .. } => Ok(()),
        E::TurnedBack { .. } => {
            must(!state.forward.is_empty(), "nothing was begun")?;
            must(state.turned.is_none(), "it goes back already")
        }
        E::DeploymentCompleted { .. } => Ok(()),
    }
}

/// What may come before the first step, where people and the clock are waited for.
fn legal_at_gates(state: &State, event: &DeploymentEvent) -> Result<(), &'static str> {
    use DeploymentEvent as E;
    match event {
        E::GateWaiting { gate, .. } => {
            must(state.plan.is_some(), "it has no plan")?;
            shut(state, gate).and_then(|gate| must(!gate.announced, "that was said already"))
        }
        E::GateSigned { gate, by, plan, .. } => {
            must(state.plan.as_ref().is_some_and(|(_, hash)| hash == plan), "of another plan")?;
            let gate = shut(state, gate)?;
            must(gate.signed.iter().all(|it| it.name != by.name), "they signed already")
        }
        E::GateOpened { gate, .. } => {
            must(state.plan.is_some(), "it has no plan")?;
            shut(state, gate).map(drop)
        }
        E::GateRejected { gate, .. } => {
            must(state.plan.is_some(), "it has no plan")?;
            shut(state, gate).map(drop)
        }
        E::RulePassed { .. } => must(state.plan.is_none(), "it has a plan"),
        E::RulesConfirmed { .. } => {
            must(state.plan.is_some(), "it has no plan")?;
            must(state.gates.values().all(|gate| gate.open), "a gate is shut")?;
            must(state.forward.is_empty(), "it has begun")
        }
        _ => Err("it is about no gate"),
    }
}

fn shut<'a>(state: &'a State, gate: &GateKey) -> Result<&'a Gate, &'static str> {
    let gate = state.gates.get(gate).ok_or("there is no such gate")?;
    if gate.open { Err("the gate is open") } else { Ok(gate) }
}

/// Does what the event says, and gives when it came.
fn apply(state: &mut State, event: &DeploymentEvent) -> Timestamp {
    use DeploymentEvent as E;
    match event {
        E::DeploymentRequested(request) => {
            state.gates = gates(request);
            state.request = Some(request.clone());
            request.at
        }
        E::DeploymentOwned { fence, at, .. } => {
            (state.fence, state.owned_at) = (*fence, *at);
            *at
        }
        E::DeploymentPlanned { plan, hash, at } => {
            state.plan = Some((plan.clone(), *hash));
            *at
        }
        E::GateWaiting { at, .. }
        | E::GateSigned { at, .. }
        | E::GateOpened { at, .. }
        | E::GateRejected { at, .. }
        | E::RulePassed { at, .. }
        | E::RulesConfirmed { at, .. } => {
            apply_at_gates(state, event);
            *at
        }
        E::ApprovalRefused { .. } => {
            state.refused += 1;
            // It moves nothing, the clock of what is waited for neither.
            state.moved_at
        }
        E::StepIntended { step, way, at } => {
            let deed = Deed { step: step.clone(), since: *at, outcome: Outcome::UnderWay };
            deeds(state, *way).push(deed);
            *at
        }
        E::StepDone { step, way, effect, vacuous, at } => {
            end_step(state, *way, Outcome::Done);
            if *way == Way::Forward {
                state.effects.insert(step.clone(), effect.clone());
                state.vacuous |= vacuous;
            }
            *at
        }
        E::StepFailed { way, cause, at, .. } => {
            end_step(state, *way, Outcome::Failed(cause.clone()));
            *at
        }
        E::DeploymentNoted { at, .. } => *at,
        E::TurnedBack { cause, at } => {
            state.turned = Some(cause.clone());
            *at
        }
        E::CancelWanted { by, reason, at } => {
            state.cancel = Some((by.clone(), reason.clone()));
            *at
        }
        E::DeploymentCompleted { verdict, cause, by, vacuous, unchanged, runs, at } => {
            state.ended = Some(Ended {
                verdict: *verdict,
                cause: cause.clone(),
                by: *by,
                vacuous: *vacuous,
                unchanged: *unchanged,
                runs: runs.clone(),
            });
            *at
        }
    }
}

fn apply_at_gates(state: &mut State, event: &DeploymentEvent) {
    use DeploymentEvent as E;
    match event {
        E::GateWaiting { gate, .. } => change(state, gate, |gate| gate.announced = true),
        E::GateSigned { gate, by, until, .. } => change(state, gate, |gate| {
            gate.signed.push(by.clone());
            gate.until = gate.until.into_iter().chain(*until).min();
        }),
        E::GateOpened { gate, .. } => change(state, gate, |gate| gate.open = true),
        E::RulesConfirmed { .. } => state.confirmed = Some(state.fence),
        _ => {}
    }
}

fn gates(request: &DeploymentRequest) -> std::collections::BTreeMap<GateKey, Gate> {
    let gate = |demand: &event::GateDemand| Gate {
        demand: demand.clone(),
        announced: false,
        signed: Vec::new(),
        until: None,
        open: false,
    };
    request.gates.iter().map(|demand| (demand.key(), gate(demand))).collect()
}

fn change(state: &mut State, gate: &GateKey, change: impl FnOnce(&mut Gate)) {
    change(state.gates.get_mut(gate).expect("a legal event names a gate"));
}

fn deeds(state: &mut State, way: Way) -> &mut Vec<Deed> {
    match way {
        Way::Forward => &mut state.forward,
        Way::Back => &mut state.back,
    }
}

fn end_step(state: &mut State, way: Way, outcome: Outcome) {
    let deed = deeds(state, way).last_mut().expect("a legal event ends a step under way");
    deed.outcome = outcome;
}

impl State {
    /// Whether a cancel that was wanted only lets it finish.
    pub fn finishes_after_cancel(&self) -> bool {
        let finish = self.request.as_ref().is_some_and(|it| it.on_cancel == OnCancel::Finish);
        finish && self.cancel.is_some() && self.is_changed()
    }
}
