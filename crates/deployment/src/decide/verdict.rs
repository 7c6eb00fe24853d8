//! How it ends, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    By, Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentKind,
    KnownRelease, Timestamp, Undo, Verdict,
};
use mask::MaskedText;

use crate::state::State;

pub(super) fn over(
    verdict: Verdict,
    cause: Option<Cause>,
    by: By,
    at: Timestamp,
) -> DeploymentEvent {
    let (vacuous, unchanged, runs) = (false, false, BTreeMap::new());
    DeploymentEvent::DeploymentCompleted { verdict, cause, by, vacuous, unchanged, runs, at }
}

pub(super) fn cancelled(cause: Cause, at: Timestamp) -> DeploymentEvent {
    over(Verdict::Cancelled, Some(cause), By::Person, at)
}

pub(super) fn unchanged(state: &State, at: Timestamp) -> DeploymentEvent {
    let (plan, _) = state.plan.as_ref().expect("what is unchanged was planned");
    let running = plan.services.iter();
    let running = running.filter_map(|it| Some((Arc::clone(&it.service), it.running.clone()?)));
    DeploymentEvent::DeploymentCompleted {
        verdict: Verdict::Succeeded,
        cause: None,
        by: By::Launchway,
        vacuous: false,
        unchanged: true,
        runs: running.collect(),
        at,
    }
}

pub(super) fn succeeded(
    state: &State,
    runs: BTreeMap<Arc<str>, KnownRelease>,
    at: Timestamp,
) -> DeploymentEvent {
    DeploymentEvent::DeploymentCompleted {
        verdict: Verdict::Succeeded,
        cause: None,
        by: By::Launchway,
        vacuous: state.vacuous,
        unchanged: false,
        runs,
        at,
    }
}

/// Goes back, and says of what was done for good that it stays.
pub(super) fn turn_back(state: &State, cause: Cause, at: Timestamp) -> Vec<DeploymentEvent> {
    let stays = state.intended().filter_map(|step| match &step.undo {
        Undo::Never { why } => {
            let text = MaskedText::without_secrets(format!("{} stays: {why}", step.key));
            let step = Some(step.key.clone());
            Some(DeploymentEvent::DeploymentNoted { step, text, at })
        }
        Undo::Nothing | Undo::AskAgain { .. } | Undo::Step { .. } => None,
    });
    [DeploymentEvent::TurnedBack { cause, at }].into_iter().chain(stays).collect()
}

pub(super) fn stuck(
    state: &State,
    step: &DeployStepKey,
    cause: Cause,
    at: Timestamp,
) -> DeploymentEvent {
    let said = MaskedText::without_secrets(format!("going back failed at {step}"));
    let first = state.turned.clone();
    let cause = Cause::new(CauseCode::UndoFailed, said).because(cause);
    let cause = first.into_iter().fold(cause, Cause::because);
    over(Verdict::RollbackStuck, Some(cause), By::Launchway, at)
}

/// The verdict at the end of the way back.
pub(super) fn back(state: &State, at: Timestamp) -> DeploymentEvent {
    let cause = state.turned.clone().expect("who comes back has turned");
    let by = match cause.code {
        CauseCode::CancelWanted => By::Person,
        CauseCode::PlatformRolledBack => By::Platform,
        _ => By::Launchway,
    };
    let left = state.intended().any(|step| {
        let changes = matches!(step.kind, DeployStepKind::Apply | DeployStepKind::Switch);
        changes && matches!(step.undo, Undo::Never { .. })
    });
    let is_task = state.request.as_ref().is_some_and(|it| it.kind == DeploymentKind::Task);
    let verdict = match cause.code {
        CauseCode::Superseded => Verdict::Superseded,
        // What a command did stays, and what runs was never another.
        _ if is_task && state.is_changed() => Verdict::Failed,
        _ if left => Verdict::Failed,
        _ if state.is_changed() => Verdict::RolledBack,
        CauseCode::CancelWanted => Verdict::Cancelled,
        CauseCode::Drift => Verdict::Refused,
        _ => Verdict::Failed,
    };
    over(verdict, Some(cause), by, at)
}
