//! Mutants of the deployment machine and its loop: what would be a wrong verdict, a deed done twice,
//! or a gate that lets somebody through. They are numbered, not by conformance: GitHub has none.

use super::table::{Mutant, mutant};

/// One for each promise.
pub(super) const DEPLOYMENT: &[Mutant] = &[
    // Steps begin though a gate is shut.
    mutant(
        1,
        "deployment",
        "crates/deployment/src/pending.rs",
        "if state.gates.values().any(|gate| !gate.open) {",
        "if state.gates.is_empty() && state.turned.is_some() {",
    ),
    // Drift is passed over.
    mutant(
        2,
        "deployment",
        "crates/deployment/src/decide/plan.rs",
        "planned.is_some_and(|it| it.seen != looked.seen)",
        "planned.is_none_or(|it| it.service != looked.service)",
    ),
    // The way back goes forward.
    mutant(
        3,
        "sim",
        "crates/deployment/src/state.rs",
        "self.forward.iter().rev().map(|deed| &deed.step).filter(|key| {",
        "self.forward.iter().map(|deed| &deed.step).filter(|key| {",
    ),
    // A step that hangs is waited for without end.
    mutant(
        4,
        "deployment",
        "crates/deployment/src/decide/heard.rs",
        "let is_late = at >= state.until(deed);",
        "let is_late = at < deed.since;",
    ),
    // The requester agrees to his own plan.
    mutant(
        5,
        "deployment",
        "crates/deployment/src/decide/gates.rs",
        "if requester == Some(&by.name) {\n        return refuse(",
        "if requester.is_none() {\n        return refuse(",
    ),
    // Who agrees to one plan opens the gate of another.
    mutant(
        6,
        "deployment",
        "crates/deployment/src/decide/gates.rs",
        "Some((_, found)) if *found == given => Ok(()),",
        "Some((_, found)) if *found == given || *found != given => Ok(()),",
    ),
    // A migration under way is left to itself.
    mutant(
        7,
        "deployment",
        "crates/deployment/src/pending.rs",
        "let is_let_go = !matches!(undo, Some(Undo::Never { .. }));",
        "let is_let_go = undo.is_some();",
    ),
    // The time of a step runs while nobody looks.
    mutant(
        8,
        "deployment",
        "crates/deployment/src/state.rs",
        "Timestamp(deed.since.0.max(self.owned_at.0).saturating_add(within))",
        "Timestamp(deed.since.0.saturating_add(within))",
    ),
    // An owner of long ago is heard.
    mutant(
        9,
        "deployment",
        "crates/deployment/src/decide.rs",
        "if fence != state.fence {",
        "if fence > state.fence {",
    ),
    // Who comes after a crash intends the step anew, and it is done twice.
    mutant(
        10,
        "sim",
        "crates/driver/src/deployment.rs",
        "            since: deed.since,\n",
        "            since: now,\n",
    ),
    // A deployment that was cancelled behind its first change says that it changed nothing.
    mutant(
        11,
        "deployment",
        "crates/deployment/src/decide/verdict.rs",
        "_ if state.is_changed() => Verdict::RolledBack,",
        "_ if state.turned.is_none() => Verdict::RolledBack,",
    ),
    // What a deployment was superseded at is undone under the other's feet.
    mutant(
        12,
        "sim",
        "crates/deployment/src/state.rs",
        "self.service_of(key).is_some_and(|service| !self.is_superseded(service))",
        "self.service_of(key).is_some()",
    ),
];
