//! What follows from looking at targets: the plan, drift, the last look.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    By, Cause, CauseCode, DeploymentEvent, GoingBack, KnownRelease, ServicePlan, Timestamp,
    Verdict, Way,
};
use mask::MaskedText;

use super::{Looked, Refusal, misplaced, verdict};
use crate::compose::compose;
use crate::limits::LOOK_WITHIN_MS;
use crate::pending::{Next, next};
use crate::state::State;

type Decided = Result<Vec<DeploymentEvent>, Refusal>;

pub(super) fn proposed(state: &State, services: Vec<ServicePlan>, at: Timestamp) -> Decided {
    if next(state) != Next::Propose {
        return Err(misplaced(state, "a proposal"));
    }
    let request = state.request.as_ref().expect("what is planned was requested");
    let plan = match compose(request, services) {
        Ok(plan) => plan,
        Err(fault) => {
            let cause = Cause::new(CauseCode::Fault, text(format!("no plan can be made: {fault}")));
            return Ok(vec![verdict::over(Verdict::Failed, Some(cause), By::Launchway, at)]);
        }
    };
    let no_way_back = plan.services.iter().filter(|it| !it.steps.is_empty()).find_map(|service| {
        match &service.going_back {
            GoingBack::Impossible { reasons } => Some(no_way_back(&service.service, reasons)),
            GoingBack::Possible { .. } | GoingBack::FirstDeployment => None,
        }
    });
    let hash = plan.hash();
    let planned = DeploymentEvent::DeploymentPlanned { plan: Box::new(plan), hash, at };
    // What is forced is done all the same: the plan says that there is no way back.
    let refused = no_way_back.filter(|_| !request.force);
    let refused =
        refused.map(|cause| verdict::over(Verdict::Refused, Some(cause), By::Launchway, at));
    Ok([planned].into_iter().chain(refused).collect())
}

fn no_way_back(service: &str, reasons: &[MaskedText]) -> Cause {
    let said = format!("if {service} failed, what runs there now could not be brought back");
    let cause = Cause::new(CauseCode::NoWayBack, text(said));
    reasons.iter().fold(cause, |cause, reason| {
        cause.because(Cause::new(CauseCode::NoWayBack, reason.clone()))
    })
}

pub(super) fn infeasible(state: &State, service: &str, cause: Cause, at: Timestamp) -> Decided {
    if next(state) != Next::Propose {
        return Err(misplaced(state, "a proposal"));
    }
    let said = text(format!("{service} cannot be deployed there"));
    let cause = Cause::new(cause.code, said).because(cause);
    Ok(vec![verdict::over(Verdict::Refused, Some(cause), By::Launchway, at)])
}

/// A target that cannot be looked at is asked again for a while.
pub(super) fn unseen(state: &State, service: &str, cause: Cause, at: Timestamp) -> Decided {
    let next = next(state);
    if !matches!(next, Next::Propose | Next::Look(..) | Next::LastLook(_)) {
        return Err(misplaced(state, "a failed look"));
    }
    let since = state.moved_at.0.max(state.owned_at.0);
    if at.0 < since.saturating_add(LOOK_WITHIN_MS) {
        return Ok(Vec::new());
    }
    let said = text(format!("the target of {service} cannot be looked at"));
    let cause = Cause::new(CauseCode::Unavailable, said).because(cause);
    if let Next::LastLook(_) = next {
        // Everything was verified. What cannot be told is what a later one would go back to.
        let told = format!("{}; a later deployment goes back to what ran before", cause.message);
        let noted = DeploymentEvent::DeploymentNoted { step: None, text: text(told), at };
        return Ok(vec![noted, verdict::succeeded(state, BTreeMap::new(), at)]);
    }
    Ok(end_or_turn(state, Verdict::Failed, cause, at))
}

/// Before the first step it is simply over; behind it goes back.
fn end_or_turn(
    state: &State,
    verdict: Verdict,
    cause: Cause,
    at: Timestamp,
) -> Vec<DeploymentEvent> {
    if state.forward.is_empty() {
        vec![verdict::over(verdict, Some(cause), By::Launchway, at)]
    } else {
        verdict::turn_back(state, cause, at)
    }
}

pub(super) fn looked(state: &State, looked: &[Looked], at: Timestamp) -> Decided {
    match next(state) {
        Next::Look(services, step) => {
            if let Some(service) = drifted(state, &services, looked)? {
                return Ok(end_or_turn(state, Verdict::Refused, drift(&service), at));
            }
            Ok(vec![DeploymentEvent::StepIntended { step, way: Way::Forward, at }])
        }
        Next::LastLook(services) => last_look(state, &services, looked, at),
        _ => Err(misplaced(state, "a look")),
    }
}

fn of<'a>(state: &State, looked: &'a [Looked], service: &str) -> Result<&'a Looked, Refusal> {
    let found = looked.iter().find(|it| *it.service == *service);
    found.ok_or_else(|| misplaced(state, "half a look"))
}

/// The first service that is not as the plan saw it.
fn drifted(
    state: &State,
    services: &[Arc<str>],
    looked: &[Looked],
) -> Result<Option<Arc<str>>, Refusal> {
    let (plan, _) = state.plan.as_ref().expect("before a step there is a plan");
    for service in services {
        let looked = of(state, looked, service)?;
        let planned = plan.services.iter().find(|it| it.service == *service);
        if planned.is_some_and(|it| it.seen != looked.seen) {
            return Ok(Some(Arc::clone(service)));
        }
    }
    Ok(None)
}

/// Everything was done and verified. It is a success if what was shipped is what runs.
fn last_look(state: &State, services: &[Arc<str>], looked: &[Looked], at: Timestamp) -> Decided {
    let (plan, _) = state.plan.as_ref().expect("what was done was planned");
    let mut runs = BTreeMap::new();
    for service in services {
        match &of(state, looked, service)?.running {
            Some(running) if is_wanted(state, service, running) => {
                runs.insert(Arc::clone(service), running.clone());
            }
            None if state.vacuous => {}
            other => {
                let cause = Some(taken_over(service, other.as_ref()));
                return Ok(vec![verdict::over(Verdict::Superseded, cause, By::Launchway, at)]);
            }
        }
    }
    let untouched = plan.services.iter().filter(|it| it.steps.is_empty());
    let untouched = untouched.filter_map(|it| Some((&it.service, it.running.as_ref()?)));
    runs.extend(untouched.map(|(service, it)| (Arc::clone(service), it.clone())));
    Ok(vec![verdict::succeeded(state, runs, at)])
}

fn is_wanted(state: &State, service: &str, running: &KnownRelease) -> bool {
    let request = state.request.as_ref().expect("what is under way was requested");
    let wanted = request.services.iter().find(|it| *it.service == *service);
    wanted.is_some_and(|it| it.release.digest == running.release.digest)
}

fn drift(service: &str) -> Cause {
    let said = format!("{service} was changed by somebody since the plan was made");
    Cause::new(CauseCode::Drift, text(said))
}

fn taken_over(service: &str, running: Option<&KnownRelease>) -> Cause {
    let said = match running {
        Some(running) => {
            format!("{service} was verified, and then {} took its place", running.release.version)
        }
        None => format!("{service} was verified, and then taken away"),
    };
    Cause::new(CauseCode::Superseded, text(said))
}

fn text(text: String) -> MaskedText {
    MaskedText::without_secrets(text)
}
