//! What must open before the first step: people who agree to exactly this plan, a word, the clock.

use event::{
    Actor, By, Cause, CauseCode, DeploymentEvent, Digest, GateDemand, GateKey, Timestamp, Verdict,
};
use mask::MaskedText;

use super::{Refusal, misplaced, verdict};
use crate::state::{Gate, State};

type Decided = Result<Vec<DeploymentEvent>, Refusal>;

pub(super) fn announce(state: &State, at: Timestamp) -> Vec<DeploymentEvent> {
    let silent = state.gates.iter().filter(|(_, gate)| !gate.open && !gate.announced);
    let waiting = silent.map(|(key, gate)| {
        let what = MaskedText::without_secrets(words(&gate.demand));
        DeploymentEvent::GateWaiting { gate: key.clone(), what, at }
    });
    waiting.collect()
}

/// What would open a gate, for people.
fn words(demand: &GateDemand) -> String {
    match demand {
        GateDemand::Approval { group, count, .. } => {
            format!("{count} of {group} agree to the plan")
        }
        GateDemand::Wait { milliseconds } => {
            format!("{} s have passed since it was requested", milliseconds.div_ceil(1000))
        }
        GateDemand::Confirm { word } => format!("the person who started it types {word}"),
    }
}

pub(super) fn clock(state: &State, at: Timestamp) -> Vec<DeploymentEvent> {
    let requested_at = state.request.as_ref().map_or(at, |request| request.at);
    let due = state.gates.iter().filter(|(_, gate)| match gate.demand {
        GateDemand::Wait { milliseconds } => {
            !gate.open && requested_at.0.saturating_add(milliseconds) <= at.0
        }
        GateDemand::Approval { .. } | GateDemand::Confirm { .. } => false,
    });
    due.map(|(key, _)| DeploymentEvent::GateOpened { gate: key.clone(), by: None, at }).collect()
}

pub(super) fn sign(state: &State, key: GateKey, by: Actor, plan: Digest, at: Timestamp) -> Decided {
    is_of_plan(state, plan)?;
    let gate = shut(state, &key)?;
    let GateDemand::Approval { count, members, .. } = &gate.demand else {
        return Err(Refusal::NoGate(key));
    };
    let requester = state.request.as_ref().map(|request| &request.by.name);
    let refuse = |why| Err(Refusal::MayNot { name: by.name.clone(), why });
    if !members.iter().any(|member| **member == *by.name.as_str()) {
        return refuse("they are not of the group");
    }
    if requester == Some(&by.name) {
        return refuse("they requested the deployment");
    }
    if gate.signed.iter().any(|it| it.name == by.name) {
        return refuse("they agreed already");
    }
    let opens = gate.signed.len() as u64 + 1 >= u64::from(*count);
    let opened = DeploymentEvent::GateOpened { gate: key.clone(), by: Some(by.clone()), at };
    let signed = DeploymentEvent::GateSigned { gate: key, by, plan, at };
    Ok([signed].into_iter().chain(opens.then_some(opened)).collect())
}

pub(super) fn confirm(
    state: &State,
    typed: &str,
    by: Actor,
    plan: Digest,
    at: Timestamp,
) -> Decided {
    is_of_plan(state, plan)?;
    let key = GateKey::new("confirm");
    match &shut(state, &key)?.demand {
        GateDemand::Confirm { word } if **word == *typed => {}
        GateDemand::Confirm { word } => return Err(Refusal::OtherWord(word.clone())),
        GateDemand::Approval { .. } | GateDemand::Wait { .. } => return Err(Refusal::NoGate(key)),
    }
    let requester = state.request.as_ref().map(|request| &request.by.name);
    if requester != Some(&by.name) {
        return Err(Refusal::MayNot { name: by.name, why: "another person started it" });
    }
    let signed = DeploymentEvent::GateSigned { gate: key.clone(), by: by.clone(), plan, at };
    Ok(vec![signed, DeploymentEvent::GateOpened { gate: key, by: Some(by), at }])
}

pub(super) fn reject(
    state: &State,
    key: &GateKey,
    by: &Actor,
    reason: Option<MaskedText>,
    at: Timestamp,
) -> Decided {
    let gate = shut(state, key)?;
    if let GateDemand::Approval { members, .. } = &gate.demand
        && !members.iter().any(|member| **member == *by.name.as_str())
    {
        return Err(Refusal::MayNot { name: by.name.clone(), why: "they are not of the group" });
    }
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let said = MaskedText::without_secrets(format!("{} said no to the plan{why}", by.name));
    let cause = Cause::new(CauseCode::GateShut, said);
    Ok(vec![verdict::over(Verdict::Refused, Some(cause), By::Person, at)])
}

/// Who agrees, agrees to this plan and no other.
fn is_of_plan(state: &State, given: Digest) -> Result<(), Refusal> {
    match &state.plan {
        Some((_, found)) if *found == given => Ok(()),
        Some((_, found)) => Err(Refusal::OtherPlan { given, found: *found }),
        None => Err(misplaced(state, "an agreement")),
    }
}

fn shut<'a>(state: &'a State, key: &GateKey) -> Result<&'a Gate, Refusal> {
    let gate = state.gates.get(key).filter(|gate| !gate.open && state.plan.is_some());
    gate.ok_or_else(|| Refusal::NoGate(key.clone()))
}
