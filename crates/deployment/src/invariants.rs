//! What must hold after every event, whatever came before: said a second time, in other words than
//! the moves. The simulator checks all of it; each has a planted fault that it catches.

use event::{DeployStepKey, DeployStepKind, Fence, GateDemand, Timestamp, Undo, Verdict};

use crate::state::{Deed, Ended, Outcome, State};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Broken {
    /// Its name.
    pub invariant: &'static str,
    /// Where it does not hold.
    pub what: String,
}

/// A named rule over a state.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its name.
    pub name: &'static str,
    rule: fn(&State) -> Option<String>,
}

/// All of them.
pub const INVARIANTS: &[Invariant] = &[
    Invariant { name: "one step at a time", rule: one_at_a_time },
    Invariant { name: "steps are done in the plan's order", rule: in_order },
    Invariant { name: "nothing is begun before every gate is open", rule: gates_first },
    Invariant { name: "who agrees may, and agreed to this plan", rule: signatures },
    Invariant { name: "nobody counts at two gates", rule: once },
    Invariant { name: "what waited is begun under rules that were read again", rule: confirmed },
    Invariant { name: "what is undone was begun, and in reverse", rule: reverse },
    Invariant { name: "what cannot be undone is not undone", rule: never_undone },
    Invariant { name: "success means that everything was done", rule: success },
    Invariant { name: "rolled back means that everything was undone", rule: rolled_back },
    Invariant { name: "who cancelled or was refused changed nothing", rule: unchanged },
    Invariant { name: "a stuck rollback has a failed undo", rule: stuck },
    Invariant { name: "nothing happens without an owner", rule: owned },
    Invariant { name: "what somebody else replaced is left alone", rule: left_alone },
    Invariant { name: "what is taken away was replaced and verified", rule: retired_last },
];

/// Checks them all.
///
/// # Errors
/// The first that does not hold.
pub fn check(state: &State) -> Result<(), Broken> {
    for Invariant { name, rule } in INVARIANTS {
        if let Some(what) = rule(state) {
            return Err(Broken { invariant: name, what });
        }
    }
    Ok(())
}

fn keys(deeds: &[Deed]) -> Vec<&DeployStepKey> {
    deeds.iter().map(|deed| &deed.step).collect()
}

fn verdict(state: &State) -> Option<Verdict> {
    state.ended.as_ref().map(|ended| ended.verdict)
}

fn undo<'a>(state: &'a State, key: &DeployStepKey) -> Option<&'a Undo> {
    state.step(key).map(|step| &step.undo)
}

fn one_at_a_time(state: &State) -> Option<String> {
    let open =
        |deeds: &[Deed]| deeds.iter().filter(|deed| deed.outcome == Outcome::UnderWay).count();
    let (forward, back) = (open(&state.forward), open(&state.back));
    // What was under way when it turned back is never heard of again.
    let one = forward <= 1 && back <= 1 && (state.turned.is_some() || back == 0);
    (!one).then(|| format!("{forward} forward and {back} back are under way"))
}

fn in_order(state: &State) -> Option<String> {
    let (plan, _) = state.plan.as_ref()?;
    let planned: Vec<&DeployStepKey> = plan.order.iter().take(state.forward.len()).collect();
    if keys(&state.forward) != planned {
        return Some(format!("{:?} were begun", keys(&state.forward)));
    }
    // What follows a step that is not done, save that the old could not be taken away?
    let before = &state.forward[..state.forward.len().saturating_sub(1)];
    let open = before.iter().find(|deed| {
        let kind = state.step(&deed.step).map(|step| step.kind);
        deed.outcome != Outcome::Done && kind != Some(DeployStepKind::Retire)
    });
    open.map(|deed| format!("a step follows {}, which is not done", deed.step))
}

fn gates_first(state: &State) -> Option<String> {
    let shut = state.gates.iter().find(|(_, gate)| !gate.open)?;
    (!state.forward.is_empty()).then(|| format!("a step was begun, {} is shut", shut.0))
}

fn signatures(state: &State) -> Option<String> {
    let requester = state.request.as_ref().map(|request| &request.by.name)?;
    state.gates.iter().find_map(|(key, gate)| {
        let mut names: Vec<_> = gate.signed.iter().map(|actor| &actor.name).collect();
        match &gate.demand {
            GateDemand::Approval { count, members, .. } => {
                let stranger = names.iter().find(|name| {
                    *name == &requester || !members.iter().any(|it| **it == *name.as_str())
                });
                if let Some(name) = stranger {
                    return Some(format!("{name} may not agree at {key}"));
                }
                names.sort();
                names.dedup();
                let few = gate.open && (names.len() as u64) < u64::from(*count);
                few.then(|| format!("{key} is open with {} of {count}", names.len()))
            }
            GateDemand::Confirm { .. } => {
                let silent = gate.open && names != [requester];
                silent.then(|| format!("{key} is open, and nobody who may has typed the word"))
            }
            GateDemand::Wait { milliseconds } => {
                let opens = state.request.as_ref()?.at.0.saturating_add(*milliseconds);
                let early = gate.open && state.moved_at < Timestamp(opens);
                early.then(|| format!("{key} opened before its time"))
            }
            GateDemand::Start => gate.open.then(|| format!("{key} is of no deployment")),
        }
    })
}

fn once(state: &State) -> Option<String> {
    let approvals =
        state.gates.values().filter(|gate| matches!(gate.demand, GateDemand::Approval { .. }));
    let mut names: Vec<_> = approvals.flat_map(|gate| &gate.signed).map(|by| &by.name).collect();
    names.sort();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    twice.map(|pair| format!("{} agreed twice", pair[0]))
}

fn confirmed(state: &State) -> Option<String> {
    let unread = state.asks_for_rules() && state.confirmed.is_none();
    (unread && !state.forward.is_empty()).then(|| "a step was begun".to_owned())
}

fn reverse(state: &State) -> Option<String> {
    if state.turned.is_none() {
        return (!state.back.is_empty()).then(|| "it undoes while it goes forward".to_owned());
    }
    let undone: Vec<usize> = state
        .back
        .iter()
        .filter(|deed| matches!(undo(state, &deed.step), Some(Undo::Step { .. })))
        .map(|deed| {
            let begun = state.forward.iter().position(|it| it.step == deed.step);
            begun.unwrap_or(usize::MAX)
        })
        .collect();
    let is_reverse = undone.windows(2).all(|pair| pair[0] > pair[1]);
    (!is_reverse || undone.contains(&usize::MAX)).then(|| format!("{:?}", keys(&state.back)))
}

fn never_undone(state: &State) -> Option<String> {
    let wrong = state.back.iter().find(|deed| {
        matches!(undo(state, &deed.step), None | Some(Undo::Nothing | Undo::Never { .. }))
    });
    wrong.map(|deed| format!("{} was undone", deed.step))
}

fn success(state: &State) -> Option<String> {
    let Some(Ended { verdict: Verdict::Succeeded, unchanged, .. }) = &state.ended else {
        return None;
    };
    let (plan, _) = match &state.plan {
        Some(plan) => plan,
        None => return Some("it had no plan".to_owned()),
    };
    if *unchanged && !plan.order.is_empty() {
        return Some("it says that nothing differed".to_owned());
    }
    let done = state.forward.iter().filter(|deed| {
        let kind = state.step(&deed.step).map(|step| step.kind);
        deed.outcome == Outcome::Done || kind == Some(DeployStepKind::Retire)
    });
    let done = done.count();
    let all = done == plan.order.len() && state.turned.is_none();
    (!all).then(|| format!("{done} of {} steps are done", plan.order.len()))
}

fn rolled_back(state: &State) -> Option<String> {
    if verdict(state) != Some(Verdict::RolledBack) {
        return None;
    }
    let open = state.forward.iter().find(|deed| {
        let undone =
            state.back.iter().any(|it| it.step == deed.step && it.outcome == Outcome::Done);
        matches!(undo(state, &deed.step), Some(Undo::Step { .. })) && !undone
    });
    let kept = state.intended().find(|step| {
        let changes = matches!(step.kind, DeployStepKind::Apply | DeployStepKind::Switch);
        changes && matches!(step.undo, Undo::Never { .. })
    });
    let open = open.map(|deed| format!("{} was not undone", deed.step));
    open.or(kept.map(|step| format!("{} cannot be undone", step.key)))
}

fn unchanged(state: &State) -> Option<String> {
    let wrong = matches!(verdict(state)?, Verdict::Cancelled | Verdict::Refused);
    (wrong && state.is_changed()).then(|| format!("{:?} were begun", keys(&state.forward)))
}

fn stuck(state: &State) -> Option<String> {
    let failed = state.back.iter().any(|deed| matches!(deed.outcome, Outcome::Failed(_)));
    let is_stuck = verdict(state)? == Verdict::RollbackStuck;
    (failed != is_stuck).then(|| format!("an undo failed: {failed}"))
}

fn owned(state: &State) -> Option<String> {
    let nobody = state.fence == Fence(0) && (state.plan.is_some() || state.ended.is_some());
    nobody.then(|| "something happened to it".to_owned())
}

fn left_alone(state: &State) -> Option<String> {
    let touched = state.back.iter().find(|deed| {
        let service = state.service_of(&deed.step).unwrap_or_default();
        state.is_superseded(service)
    });
    touched.map(|deed| format!("{} was undone under another deployment", deed.step))
}

fn retired_last(state: &State) -> Option<String> {
    let first = state.forward.iter().position(|deed| {
        state.step(&deed.step).is_some_and(|step| step.kind == DeployStepKind::Retire)
    })?;
    let open = state.forward[..first].iter().find(|deed| deed.outcome != Outcome::Done);
    let later = state.forward[first..].iter().find(|deed| {
        state.step(&deed.step).is_some_and(|step| step.kind != DeployStepKind::Retire)
    });
    let wrong = open.or(later).map(|deed| deed.step.to_string());
    let back = (!state.back.is_empty()).then(|| "it goes back".to_owned());
    wrong.or(back)
}

#[cfg(test)]
mod tests;
