//! What would be done: decided from what was seen, and from nothing else.

use std::sync::Arc;

use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, FieldChange, GoingBack, KnownRelease,
    PlannedStep, ServiceRequest, Undo,
};
use ports::{Observation, Proposal};
use serde::Deserialize as _;
use serde_json::json;

use crate::calls;
use crate::config::EcsConfig;
use crate::look::{Seen, SeenContainer, SeenService, Variable, handle};
use crate::register::Register;
use crate::target::Deed;
use crate::update::Update;
use crate::words::{short, text};

/// Registering is one call; the rest of its time is for those that fail.
const REGISTER_WITHIN_MS: u64 = 300_000;

fn refused(said: String) -> Cause {
    Cause::new(CauseCode::TargetRefused, text(said))
}

pub(crate) fn propose(wanted: &ServiceRequest, seen: &Observation) -> Result<Proposal, Cause> {
    let config = EcsConfig::of(wanted)?;
    let looked = Seen::deserialize(&seen.seen).map_err(|error| {
        Cause::new(CauseCode::Fault, text(format!("what was seen cannot be read: {error}")))
    })?;
    let service = match looked {
        Seen::Service(service) => service,
        Seen::Barred { why } => return Err(refused(why)),
        Seen::Missing { status } => {
            let EcsConfig { cluster, service, region, .. } = &config;
            return Err(refused(format!(
                "there is no active service {service} in the cluster {cluster} of {region} \
                 ({status}): make it first, or correct `targets.ecs`"
            )));
        }
    };
    feasible(&config, &service)?;
    let container = container(&config, &service)?;
    let image = image(wanted, container);
    let changes = changes(&config, &service, container, &image);
    let going_back = going_back(wanted, &service, seen.running.as_ref());
    let steps = steps(wanted, &config, &service, &container.name, &image, &going_back);
    Ok(Proposal { changes, steps, going_back })
}

/// What stands against any deployment there.
fn feasible(config: &EcsConfig, service: &SeenService) -> Result<(), Cause> {
    let name = &config.service;
    if service.controller != "ECS" {
        return Err(refused(format!(
            "deployments of {name} are done by {}, which Launchway does not drive yet: make a service \
             with the deployment controller ECS",
            service.controller
        )));
    }
    if service.strategy != "ROLLING" {
        return Err(refused(format!(
            "deployments of {name} are {}, which Launchway does not drive yet: set the strategy of the \
             service to ROLLING",
            service.strategy
        )));
    }
    if service.is_busy {
        return Err(refused(format!(
            "another deployment of {name} is under way ({} of {}): wait until it is over, or end it",
            service.deployment.as_deref().unwrap_or("unnamed"),
            short(&service.task_definition)
        )));
    }
    if let Some(restored) = service.restored.as_ref().filter(|it| !it.is_there) {
        return Err(refused(format!(
            "{}, which is to be restored, was deleted: deploy its version instead",
            short(&restored.task_definition)
        )));
    }
    let secret = service.environment.iter().find(|(_, how)| **how == Variable::Secret);
    if let Some((variable, _)) = secret {
        return Err(refused(format!(
            "{variable} comes from a secret in {}, and the settings have a value for it: take it out \
             of one of them",
            short(&service.task_definition)
        )));
    }
    Ok(())
}

fn container<'a>(config: &EcsConfig, service: &'a SeenService) -> Result<&'a SeenContainer, Cause> {
    let named = config.container.as_deref();
    let mut found = service.containers.iter().filter(|it| named.is_none_or(|name| name == it.name));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (first, _) => {
            let names: Vec<&str> = service.containers.iter().map(|it| it.name.as_str()).collect();
            let what = match (first, named) {
                (None, Some(named)) => format!("has no container {named}"),
                _ => "has several containers".to_owned(),
            };
            Err(refused(format!(
                "{} {what}: set `targets.ecs.container` to one of {}",
                short(&service.task_definition),
                names.join(", ")
            )))
        }
    }
}

/// The image by its digest, from where the release is, else from where the one that runs is.
fn image(wanted: &ServiceRequest, container: &SeenContainer) -> String {
    let name = container.image.split('@').next().unwrap_or_default();
    let untagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let here = untagged.map_or(name, |(location, _)| location);
    let location = wanted.release.location.as_deref().unwrap_or(here);
    format!("{location}@{}", wanted.release.digest)
}

fn changes(
    config: &EcsConfig,
    service: &SeenService,
    container: &SeenContainer,
    image: &str,
) -> Vec<FieldChange> {
    let of = |field: &str| -> Arc<str> {
        format!("containerDefinitions[{}].{field}", container.name).into()
    };
    let mut changes = Vec::new();
    let restored = service.restored.as_ref().map_or(&[][..], |it| &it.differences);
    for it in restored.iter().filter(|it| *it.field != *of("image")) {
        let word = |it: &Option<String>| it.as_ref().map(|it| text(it.as_str()));
        changes.push(FieldChange {
            field: it.field.as_str().into(),
            before: word(&it.before),
            after: word(&it.after),
        });
    }
    if container.image != image {
        changes.push(FieldChange {
            field: of("image"),
            before: Some(text(container.image.as_str())),
            after: Some(text(image)),
        });
    }
    for (name, how) in &service.environment {
        // What it was is not shown: it may be a secret of somebody.
        let before = match how {
            Variable::Same => continue,
            Variable::Absent => None,
            Variable::Other | Variable::Secret => Some(text("another value")),
        };
        let field = of(&format!("environment[{name}]"));
        changes.retain(|it| it.field != field);
        let after = config.environment.get(name).map(|it| text(it.as_str()));
        changes.push(FieldChange { field, before, after });
    }
    if changes.is_empty() && service.rollout.as_deref() == Some("FAILED") {
        // It is what is wanted, and it does not run: there is something to do.
        changes.push(FieldChange {
            field: "deployments[PRIMARY].rolloutState".into(),
            before: Some(text("FAILED")),
            after: Some(text("COMPLETED")),
        });
    }
    changes
}

fn going_back(
    wanted: &ServiceRequest,
    service: &SeenService,
    running: Option<&KnownRelease>,
) -> GoingBack {
    let back = &service.way_back;
    let name = short(&back.task_definition);
    if !back.is_active {
        let said = format!(
            "{name}, which would be gone back to, is deregistered: register it again as it is and \
             let the service run that revision"
        );
        return GoingBack::Impossible { reasons: vec![text(said)] };
    }
    let own = handle(&back.task_definition);
    let known = [running, wanted.last_good.as_ref()].into_iter().flatten();
    match known.into_iter().find(|it| it.handle == own) {
        Some(to) => GoingBack::Possible { to: Box::new(to.clone()) },
        None => GoingBack::Impossible {
            reasons: vec![text(format!("nobody knows which release {name} is"))],
        },
    }
}

fn steps(
    wanted: &ServiceRequest,
    config: &EcsConfig,
    service: &SeenService,
    container: &str,
    image: &str,
    going_back: &GoingBack,
) -> Vec<PlannedStep> {
    let key = |step: &str| DeployStepKey::new(&wanted.service, step);
    let family = short(&service.task_definition).split(':').next().unwrap_or_default();
    let before = short(&service.way_back.task_definition);
    let update = Update {
        account: service.account.clone(),
        register: key("register").as_str().to_owned(),
        update: key("update").as_str().to_owned(),
        running: service.task_definition.clone(),
        back_to: service.way_back.task_definition.clone(),
        ecs_can_go_back: service.rollout.as_deref() == Some("COMPLETED")
            && service.task_definition == service.way_back.task_definition,
        breaker: service.breaker,
    };
    let undo = match going_back {
        GoingBack::Impossible { reasons } => {
            let reasons: Vec<&str> = reasons.iter().map(mask::MaskedText::as_str).collect();
            Undo::Never { why: text(reasons.join("; ")) }
        }
        _ => Undo::Step { what: text(format!("lets {} run {before} again", config.service)) },
    };
    let restored = service.restored.as_ref();
    let register = Register {
        account: service.account.clone(),
        base: restored.map_or(&service.task_definition, |it| &it.task_definition).clone(),
        container: container.to_owned(),
        image: image.to_owned(),
        version: wanted.release.version.to_string(),
        environment: config.environment.clone(),
    };
    vec![
        PlannedStep {
            key: key("register"),
            kind: DeployStepKind::Prepare,
            what: text(format!("registers a revision of {family} with {image} as {container}")),
            calls: calls::of_register(),
            undo: Undo::Nothing,
            within_ms: REGISTER_WITHIN_MS,
            body: json!(Deed::Register(register)),
        },
        PlannedStep {
            key: key("update"),
            kind: DeployStepKind::Apply,
            what: text(format!("lets {} of {} run it", config.service, config.cluster)),
            calls: calls::of_update(),
            undo,
            within_ms: config.within_ms,
            body: json!(Deed::Update(update.clone())),
        },
        PlannedStep {
            key: key("stabilise"),
            kind: DeployStepKind::Stabilise,
            what: text("waits until ECS has completed the deployment, or given it up"),
            calls: calls::of_stabilise(),
            undo: Undo::Nothing,
            within_ms: config.within_ms,
            body: json!(Deed::Stabilise(update)),
        },
    ]
}
