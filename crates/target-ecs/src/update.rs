//! Letting the service run the new revision, once.

use aws::{Client, EcsDeployment, EcsService, Fault, FaultKind, ServiceDeployment};
use event::{Cause, CauseCode};
use ports::{Order, Progress};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::config::EcsConfig;
use crate::target::{Carried, EcsTarget, Stop, underway};
use crate::words::{short, text};

/// The body of `update`, and of `stabilise`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Update {
    pub(crate) account: String,
    /// The key of the step that registered the revision.
    pub(crate) register: String,
    /// The key of the step that lets the service run it.
    pub(crate) update: String,
    /// What ran when the plan was made.
    pub(crate) running: String,
    /// What is gone back to.
    pub(crate) back_to: String,
    /// ECS goes back to that too when it is told to.
    pub(crate) ecs_can_go_back: bool,
    /// ECS gives up by itself.
    pub(crate) breaker: bool,
}

impl Update {
    /// The revision that this deployment registered.
    pub(crate) fn revision<'a>(&self, order: &Order<'a>) -> Option<&'a str> {
        let effect = order.effects.iter().find(|(key, _)| key.as_str() == self.register);
        effect.and_then(|(_, effect)| effect["task_definition"].as_str())
    }

    /// What the update found out of its deployment: its id, and when it began.
    pub(crate) fn deployment<'a>(&self, order: &Order<'a>) -> (Option<&'a str>, Option<f64>) {
        let effect = order.effects.iter().find(|(key, _)| key.as_str() == self.update);
        let Some((_, effect)) = effect else { return (None, None) };
        (effect["deployment"].as_str(), effect["created_at"].as_f64())
    }
}

pub(crate) fn forward(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    update: &Update,
) -> Carried {
    let Some(revision) = update.revision(order) else {
        let said = "nothing was registered that the service could run";
        return Err(Cause::new(CauseCode::Fault, text(said)).into());
    };
    let service = active(target, config)?;
    if let Some(mine) = service.deployments.iter().find(|it| it.task_definition == revision) {
        return Ok(done(revision, mine));
    }
    // It may be over already, and gone from the service's own list.
    if let Some(mine) = in_history(target, config, revision)? {
        let effect = json!({
            "task_definition": revision,
            "service_deployment": mine.service_deployment_arn,
            "created_at": mine.created_at,
        });
        return Ok(Progress::Done { effect });
    }
    if let Some(other) = primary(&service).filter(|it| it.task_definition != update.running) {
        return Ok(Progress::Superseded(superseded(config, other)));
    }
    let updated = target.client.update_service(&config.cluster, &config.service, revision)?;
    let mine = updated.deployments.iter().find(|it| it.task_definition == revision);
    Ok(match mine {
        Some(mine) => done(revision, mine),
        None => underway(order, "ECS has not said yet which deployment it is"),
    })
}

fn done(revision: &str, mine: &EcsDeployment) -> Progress {
    let effect: Json = json!({
        "task_definition": revision,
        "deployment": mine.id,
        "created_at": mine.created_at,
    });
    Progress::Done { effect }
}

/// The deployment that the service is to become.
pub(crate) fn primary(service: &EcsService) -> Option<&EcsDeployment> {
    service.deployments.iter().find(|it| it.status == "PRIMARY")
}

pub(crate) fn superseded(config: &EcsConfig, other: &EcsDeployment) -> Cause {
    let said = format!(
        "another deployment took the place of this one: {} lets {} run {}",
        other.id,
        config.service,
        short(&other.task_definition)
    );
    Cause::new(CauseCode::Superseded, text(said))
}

/// The service, if it is one that can be deployed to.
pub(crate) fn active(target: &mut EcsTarget, config: &EcsConfig) -> Result<EcsService, Stop> {
    let found = target.client.describe_service(&config.cluster, &config.service)?;
    let status = match found {
        Some(service) if service.status == "ACTIVE" => return Ok(service),
        Some(service) => service.status,
        None => "MISSING".to_owned(),
    };
    let said = format!("the service {} is gone ({status})", config.service);
    Err(Cause::new(CauseCode::TargetRefused, text(said)).into())
}

/// The service deployment that went to this revision, however it ended. None also where ECS, or
/// what stands in for it, does not tell: it may not be allowed, and not everything that speaks its
/// protocol knows it.
pub(crate) fn in_history(
    target: &mut EcsTarget,
    config: &EcsConfig,
    revision: &str,
) -> Result<Option<ServiceDeployment>, Fault> {
    match search(&mut target.client, config, revision) {
        Err(fault) if fault.may_pass() => Err(fault),
        Err(_) => Ok(None),
        Ok(found) => Ok(found),
    }
}

/// Why ECS does not tell what became of it, where it is that we may not ask.
pub(crate) fn history_denied(
    target: &mut EcsTarget,
    config: &EcsConfig,
    revision: &str,
) -> Option<Fault> {
    let found = search(&mut target.client, config, revision);
    found.err().filter(|fault| fault.kind == FaultKind::Denied)
}

fn search(
    client: &mut Client,
    config: &EcsConfig,
    revision: &str,
) -> Result<Option<ServiceDeployment>, Fault> {
    let all = client.service_deployments(&config.cluster, &config.service)?;
    let arns: Vec<&str> =
        all.iter().filter_map(|it| it.target_service_revision_arn.as_deref()).collect();
    let revisions = client.service_revisions(&arns)?;
    let mine = revisions.iter().filter(|it| it.task_definition == revision);
    let mine: Vec<&str> = mine.map(|it| it.service_revision_arn.as_str()).collect();
    let goes_there = |it: &ServiceDeployment| {
        it.target_service_revision_arn.as_deref().is_some_and(|it| mine.contains(&it))
    };
    Ok(all.into_iter().find(goes_there))
}
