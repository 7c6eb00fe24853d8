//! What must open before the first step: people who agree to exactly this plan, a word, the clock.

use approval::{Counts, Voice, counts, group_of, is_one, may_reject};
use event::{
    Actor, By, Cause, CauseCode, DeploymentEvent, Digest, GateDemand, GateKey, SshProof, Timestamp,
    Verdict,
};
use mask::MaskedText;

use super::{Refusal, misplaced, verdict};
use crate::limits::LOOK_WITHIN_MS;
use crate::pending::{Next, next};
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
        GateDemand::Approval { group, count, members } => {
            format!("{count} of {group} ({}) agree to the plan", members.join(", "))
        }
        GateDemand::Wait { milliseconds } => {
            format!("{} s have passed since it was requested", milliseconds.div_ceil(1000))
        }
        GateDemand::Confirm { word } => format!("the person who started it types {word}"),
        // Of a server's jobs alone; whoever deploys has started it.
        GateDemand::Start => "a person starts it".to_owned(),
    }
}

pub(super) fn clock(state: &State, at: Timestamp) -> Vec<DeploymentEvent> {
    let requested_at = state.request.as_ref().map_or(at, |request| request.at);
    let due = state.gates.iter().filter(|(_, gate)| match gate.demand {
        GateDemand::Wait { milliseconds } => {
            !gate.open && requested_at.0.saturating_add(milliseconds) <= at.0
        }
        GateDemand::Approval { .. } | GateDemand::Confirm { .. } | GateDemand::Start => false,
    });
    due.map(|(key, _)| DeploymentEvent::GateOpened { gate: key.clone(), by: None, at }).collect()
}

/// Somebody agrees.
pub(super) struct Signature {
    pub(super) gate: GateKey,
    pub(super) by: Actor,
    pub(super) plan: Digest,
    pub(super) proof: Option<Box<SshProof>>,
    pub(super) until: Option<Timestamp>,
}

pub(super) fn sign(state: &State, signature: Signature, at: Timestamp) -> Decided {
    let Signature { gate: key, by, plan, proof, until } = signature;
    is_of_plan(state, plan)?;
    let gate = shut(state, &key)?;
    if !matches!(gate.demand, GateDemand::Approval { .. }) {
        return Err(Refusal::NoGate(key));
    }
    let requester = state.request.as_ref().map(|request| &request.by.name);
    let refuse = |why| Refusal::MayNot { name: by.name.clone(), why };
    let voice = Voice {
        name: by.name.as_str(),
        is_requester: requester == Some(&by.name),
        has_agreed_elsewhere: has_approved(state, &by),
    };
    let counted = counts(&gate.demand, &gate.signed, voice);
    let counted = counted.map_err(|why| refuse(why.words("deployment", &gate.demand)))?;
    if until.is_some_and(|until| until <= at) {
        return Err(refuse("what they signed has expired".to_owned()));
    }
    let opens = counted == Counts::Full;
    let opened = DeploymentEvent::GateOpened { gate: key.clone(), by: Some(by.clone()), at };
    let signed = DeploymentEvent::GateSigned { gate: key, by, plan, proof, until, at };
    Ok([signed].into_iter().chain(opens.then_some(opened)).collect())
}

fn has_approved(state: &State, by: &Actor) -> bool {
    let approvals =
        state.gates.values().filter(|gate| matches!(gate.demand, GateDemand::Approval { .. }));
    approvals.flat_map(|gate| &gate.signed).any(|it| is_one(it.name.as_str(), by.name.as_str()))
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
        _ => return Err(Refusal::NoGate(key)),
    }
    let requester = state.request.as_ref().map(|request| &request.by.name);
    if requester != Some(&by.name) {
        let why = "another person started it".to_owned();
        return Err(Refusal::MayNot { name: by.name, why });
    }
    let signed = DeploymentEvent::GateSigned {
        gate: key.clone(),
        by: by.clone(),
        plan,
        proof: None,
        until: None,
        at,
    };
    Ok(vec![signed, DeploymentEvent::GateOpened { gate: key, by: Some(by), at }])
}

pub(super) fn reject(
    state: &State,
    key: GateKey,
    by: Actor,
    reason: Option<MaskedText>,
    proof: Option<Box<SshProof>>,
    at: Timestamp,
) -> Decided {
    let gate = shut(state, &key)?;
    if !may_reject(&gate.demand, by.name.as_str()) {
        let why = format!("they are not of {}", group_of(&gate.demand));
        return Err(Refusal::MayNot { name: by.name, why });
    }
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let said = MaskedText::without_secrets(format!("{} said no to the plan{why}", by.name));
    let cause = Cause::new(CauseCode::GateShut, said);
    Ok(vec![
        DeploymentEvent::GateRejected { gate: key, by, reason, proof, at },
        verdict::over(Verdict::Refused, Some(cause), By::Person, at),
    ])
}

/// Rules that whoever requested it passes, each an event: somebody will ask why.
pub(super) fn passed(state: &State, at: Timestamp) -> Vec<DeploymentEvent> {
    let Some(request) = &state.request else { return Vec::new() };
    let passed = request.protection.iter().flat_map(|it| &it.passed);
    let event = |it: &event::PassedRule| DeploymentEvent::RulePassed {
        rule: it.rule.clone(),
        what: it.what.clone(),
        by: request.by.clone(),
        reason: request.reason.clone(),
        at,
    };
    passed.map(event).collect()
}

/// The rules are what they were. What people signed must still count: a gate that opened yesterday
/// opens nothing today.
pub(super) fn rules_hold(state: &State, commit: std::sync::Arc<str>, at: Timestamp) -> Decided {
    if next(state) != Next::ReadRules {
        return Err(misplaced(state, "the rules"));
    }
    let expired = state.gates.iter().find(|(_, gate)| gate.until.is_some_and(|it| it <= at));
    Ok(match expired {
        None => vec![DeploymentEvent::RulesConfirmed { commit, at }],
        Some((key, _)) => {
            let said = format!("what was signed at {key} expired before anything could begin");
            let cause = Cause::new(CauseCode::GateShut, MaskedText::without_secrets(said));
            vec![verdict::over(Verdict::Refused, Some(cause), By::Launchway, at)]
        }
    })
}

pub(super) fn rules_forbid(state: &State, cause: Cause, at: Timestamp) -> Decided {
    // Behind the first step it goes on or goes back, by its plan.
    if !state.forward.is_empty() {
        return Err(misplaced(state, "a rule"));
    }
    Ok(vec![verdict::over(Verdict::Refused, Some(cause), By::Launchway, at)])
}

/// Rules that cannot be read are asked for again for a while.
pub(super) fn rules_unread(state: &State, cause: Cause, at: Timestamp) -> Decided {
    if next(state) != Next::ReadRules {
        return Err(misplaced(state, "the rules"));
    }
    let since = state.moved_at.0.max(state.owned_at.0);
    if at.0 < since.saturating_add(LOOK_WITHIN_MS) {
        return Ok(Vec::new());
    }
    let said = MaskedText::without_secrets("the rules cannot be read once more");
    let cause = Cause::new(CauseCode::Unavailable, said).because(cause);
    Ok(vec![verdict::over(Verdict::Failed, Some(cause), By::Launchway, at)])
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
