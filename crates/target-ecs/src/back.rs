//! Going back: the service runs what ran before, and is watched until it does.
//!
//! Where a deployment is under way ECS is told to go back, which it does at once; else, or where it
//! cannot, the service is told to run the earlier revision. Both can be said twice.

use aws::{EcsService, ServiceDeployment};
use event::{Cause, CauseCode};
use ports::{Order, Progress};
use serde_json::json;

use crate::config::EcsConfig;
use crate::evidence;
use crate::target::{Carried, EcsTarget, underway};
use crate::update::{self, Update, active, in_history, primary};
use crate::verdict::{Mine, Standing, judge};
use crate::words::{short, text};

/// An update whose answer got lost may show this much later: until then what ran before is not
/// trusted to be what is wanted.
const SHOWS_WITHIN_MS: u64 = 15_000;

pub(crate) fn back(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    update: &Update,
) -> Carried {
    let done = || json!({"task_definition": update.back_to});
    let Some(revision) = update.revision(order) else {
        // Nothing was registered: there is nothing that the service could have been told to run.
        return Ok(Progress::Done { effect: done() });
    };
    let service = active(target, config)?;
    let Some(first) = primary(&service) else {
        return Ok(underway(order, "ECS shows no deployment"));
    };
    if first.task_definition == revision {
        return turn(target, order, config, update, revision);
    }
    if first.task_definition != update.back_to {
        return Ok(Progress::Superseded(update::superseded(config, first)));
    }
    if may_yet_show(target, order, config, update, &service, revision)? {
        return Ok(underway(order, "waits whether ECS heard of the update"));
    }
    let before = Mine {
        id: Some(&first.id),
        created_at: Some(first.created_at),
        revision: &update.back_to,
        before: revision,
    };
    let name = short(&update.back_to);
    Ok(match judge(&service, &before) {
        Standing::Succeeded | Standing::Vacuous => Progress::Done { effect: done() },
        Standing::Failed(reason) => {
            let said = target.masked(&format!("{name}, which ran before, does not run: {reason}"));
            let cause = Cause::new(CauseCode::UndoFailed, said);
            let because = Cause::new(CauseCode::Exited, text(format!("tasks of {name} failed")));
            let because = evidence::collect(target, config, &service, &before, because);
            Progress::Failed(cause.because(because))
        }
        Standing::Underway { running, desired, .. } => {
            underway(order, format!("{running} of {desired} tasks of {name} run again"))
        }
        _ => underway(order, format!("{name} comes back")),
    })
}

/// Lets it go back.
fn turn(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    update: &Update,
    revision: &str,
) -> Carried {
    let name = short(&update.back_to);
    let history = in_history(target, config, revision)?;
    let mut otherwise = String::new();
    let status = |it: &ServiceDeployment| it.status.clone();
    match history.as_ref().map(status).as_deref() {
        Some("ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" | "STOP_REQUESTED") => {
            return Ok(underway(order, format!("ECS goes back to {name}")));
        }
        Some("PENDING" | "IN_PROGRESS") if update.ecs_can_go_back => {
            let arn = history.map(|it| it.service_deployment_arn).unwrap_or_default();
            match target.client.roll_service_back(&arn) {
                Ok(()) => return Ok(underway(order, format!("ECS goes back to {name}"))),
                Err(fault) if fault.may_pass() => return Err(fault.into()),
                // It is over by now, or cannot be told so: the update does it.
                Err(fault) => otherwise = format!(", by an update: {fault}"),
            }
        }
        _ => {}
    }
    let updated = target.client.update_service(&config.cluster, &config.service, &update.back_to);
    match updated {
        Ok(_) => {
            let said = format!("{} runs {name} again{otherwise}", config.service);
            Ok(underway(order, said))
        }
        Err(fault) if fault.may_pass() => Err(fault.into()),
        Err(fault) => {
            let said = format!("{} cannot run {name} again", config.service);
            let cause = Cause::new(CauseCode::UndoFailed, text(said)).because(fault.cause());
            Err(cause.into())
        }
    }
}

/// Whether an update may have been made that is not seen yet.
fn may_yet_show(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    update: &Update,
    service: &EcsService,
    revision: &str,
) -> Result<bool, aws::Fault> {
    if order.now.0 >= order.since.0 + SHOWS_WITHIN_MS {
        return Ok(false);
    }
    let (_, created_at) = update.deployment(order);
    let first = primary(service).map_or(0.0, |it| it.created_at);
    let is_listed = service.deployments.iter().any(|it| it.task_definition == revision);
    // What is younger than the update, or stands beside what it started, comes after it.
    if is_listed || created_at.is_some_and(|at| first > at) {
        return Ok(false);
    }
    // The earlier deployment itself may be PRIMARY again: then the history knows.
    let over = ["ROLLBACK_", "STOPPED", "SUCCESSFUL"];
    let history = in_history(target, config, revision)?;
    Ok(!history.is_some_and(|it| over.iter().any(|status| it.status.starts_with(status))))
}
