//! What follows from how far a step is. Its time is judged here, when somebody has just looked: an
//! owner who comes back late finds what is done, done.

use event::{Cause, CauseCode, DeployStepKey, DeploymentEvent, Timestamp, Way};
use mask::MaskedText;

use super::{News, Refusal, misplaced};
use crate::state::State;

pub(super) fn heard(
    state: &State,
    step: DeployStepKey,
    way: Way,
    news: News,
    at: Timestamp,
) -> Result<Vec<DeploymentEvent>, Refusal> {
    let under_way = state.under_way().filter(|(deed, it)| deed.step == step && *it == way);
    let Some((deed, _)) = under_way else { return Err(misplaced(state, "news of a step")) };
    let is_late = at >= state.until(deed);
    let failed =
        |cause: Cause| vec![DeploymentEvent::StepFailed { step: step.clone(), way, cause, at }];
    let done = |effect, vacuous| {
        let step = step.clone();
        vec![DeploymentEvent::StepDone { step, way, effect, vacuous, at }]
    };
    Ok(match (news, way) {
        (News::Done { effect, vacuous }, _) => done(effect, vacuous),
        (News::Failed(cause), _) => failed(cause),
        (News::Superseded(cause), Way::Forward) => failed(coded(cause, CauseCode::Superseded)),
        (News::WentBack(cause), Way::Forward) => {
            failed(coded(cause, CauseCode::PlatformRolledBack))
        }
        // There is nothing left of us to undo.
        (News::Superseded(cause) | News::WentBack(cause), Way::Back) => {
            let text = cause.message;
            let noted = DeploymentEvent::DeploymentNoted { step: Some(step.clone()), text, at };
            [noted].into_iter().chain(done(serde_json::Value::Null, false)).collect()
        }
        (News::Underway | News::Unreachable(_), _) if !is_late => Vec::new(),
        (News::Underway, _) => failed(timed_out(state, &step)),
        (News::Unreachable(cause), _) => failed(timed_out(state, &step).because(cause)),
    })
}

fn timed_out(state: &State, step: &DeployStepKey) -> Cause {
    let within = state.step(step).map_or(0, |step| step.within_ms);
    let said = format!("{step} was not over within {}", words(within));
    Cause::new(CauseCode::TimedOut, MaskedText::without_secrets(said))
}

fn words(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..120_000 => format!("{} s", ms / 1000),
        _ => format!("{} min", ms / 60_000),
    }
}

/// The code that the verdict rests on, whatever the target called it.
fn coded(cause: Cause, code: CauseCode) -> Cause {
    if cause.code == code { cause } else { Cause::new(code, cause.message.clone()).because(cause) }
}
