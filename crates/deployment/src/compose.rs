//! The plan from what targets propose: whose steps, in which order.
//!
//! Everything that only prepares comes first, over all services, then all backups: while they can
//! fail nothing has changed. Then service by service migration, change, verification. What takes
//! away the old comes last of all, when every service was verified, so that going back stays
//! possible until then.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{
    DeployStepKey, DeployStepKind, DeploymentKind, DeploymentPlan, DeploymentRequest, PlannedStep,
    ServicePlan,
};

use crate::limits::{SERVICES_MAX, STEPS_MAX};

/// Why a plan cannot be made of what was proposed: a fault of a target or of the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// Other services than asked for.
    #[error("the proposal is for other services than the request")]
    OtherServices,
    /// Two steps have one key.
    #[error("two steps are called `{0}`")]
    TwoSteps(DeployStepKey),
    /// Too much.
    #[error("{count} {what} are more than {max}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A step without a time limit would hold the deployment for ever.
    #[error("the step `{0}` has no time")]
    NoTime(DeployStepKey),
}

/// Makes the plan. `proposed` holds each service with its target's own steps, in the order of the
/// request; a service where nothing differs gets no steps unless the deployment is forced.
///
/// # Errors
/// When the proposal does not fit the request.
pub fn compose(
    request: &DeploymentRequest,
    proposed: Vec<ServicePlan>,
) -> Result<DeploymentPlan, PlanFault> {
    let asked = request.services.iter().map(|service| &service.service);
    if !asked.eq(proposed.iter().map(|service| &service.service)) {
        return Err(PlanFault::OtherServices);
    }
    limit("services", proposed.len(), SERVICES_MAX)?;
    let mut services = Vec::with_capacity(proposed.len());
    for (wanted, mut service) in request.services.iter().zip(proposed) {
        let is_task = request.kind == DeploymentKind::Task;
        if is_task {
            // What runs stays: nothing of the target's change is done but what a command needs.
            // Data that is put aside or brought back needs nothing of it.
            let runs = wanted.around.iter().any(|step| step.kind != DeployStepKind::Backup);
            service.changes.clear();
            service.steps.retain(|step| runs && step.kind == DeployStepKind::Prepare);
        }
        if service.changes.is_empty() && !request.force && !is_task {
            service.steps.clear();
        } else {
            // What the settings ask for before anything comes before what the target prepares.
            service.steps.splice(0..0, wanted.around.iter().cloned());
            service.steps.sort_by_key(|step| place(step.kind));
        }
        services.push(service);
    }
    let order = order(&services);
    limit("steps", order.len(), STEPS_MAX)?;
    let mut keys = BTreeSet::new();
    if let Some(twice) = order.iter().find(|key| !keys.insert((*key).clone())) {
        return Err(PlanFault::TwoSteps(twice.clone()));
    }
    let timeless = services.iter().flat_map(|it| &it.steps).find(|step| step.within_ms == 0);
    if let Some(step) = timeless {
        return Err(PlanFault::NoTime(step.key.clone()));
    }
    Ok(DeploymentPlan { services, order })
}

fn limit(what: &'static str, count: usize, max: usize) -> Result<(), PlanFault> {
    if count > max { Err(PlanFault::TooMany { what, count, max }) } else { Ok(()) }
}

/// The place of a kind among a service's steps. Those of the target's own change (`apply`,
/// `stabilise`, `switch`) stay as it has them: blue/green stabilises before it switches.
fn place(kind: DeployStepKind) -> u8 {
    match kind {
        DeployStepKind::Prepare => 0,
        DeployStepKind::Backup => 1,
        DeployStepKind::Migrate | DeployStepKind::Task => 2,
        DeployStepKind::Apply | DeployStepKind::Stabilise | DeployStepKind::Switch => 3,
        DeployStepKind::Verify => 4,
        DeployStepKind::Bake => 5,
        DeployStepKind::Retire => 6,
    }
}

fn order(services: &[ServicePlan]) -> Vec<DeployStepKey> {
    let of = |wanted: fn(DeployStepKind) -> bool| {
        let steps = services.iter().flat_map(|service| &service.steps);
        steps.filter(move |step| wanted(step.kind)).map(|step: &PlannedStep| step.key.clone())
    };
    let early = [DeployStepKind::Prepare, DeployStepKind::Backup].map(place);
    let first = early.into_iter().flat_map(|at| {
        let steps = services.iter().flat_map(|service| &service.steps);
        steps.filter(move |step| place(step.kind) == at).map(|step| step.key.clone())
    });
    let middle = of(|kind| (2..6).contains(&place(kind)));
    let last = of(|kind| kind == DeployStepKind::Retire);
    first.chain(middle).chain(last).collect()
}

/// Services of a plan that something is done for.
pub(crate) fn busy(plan: &DeploymentPlan) -> Vec<Arc<str>> {
    let busy = plan.services.iter().filter(|service| !service.steps.is_empty());
    busy.map(|service| Arc::clone(&service.service)).collect()
}
