//! What would be done: decided from what was seen, and from nothing else.

use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, FieldChange, GoingBack, KnownRelease,
    PlannedStep, ServiceRequest, Undo,
};
use ports::{Observation, Proposal};
use serde::Deserialize as _;
use serde_json::json;

use crate::calls;
use crate::canonical::Difference;
use crate::config::EcsConfig;
use crate::look::{Seen, SeenContainer, SeenService, handle};
use crate::prospect::Prospect;
use crate::register::Register;
use crate::scale;
use crate::target::Deed;
use crate::update::Update;
use crate::watch;
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
    if let (Some(to), Some(scaling)) = (config.instances, &service.scaling) {
        let of = (seen.running.as_ref(), u64::from(to));
        return scale::propose(wanted, &config, (&service, scaling), of);
    }
    let container = container(&config, &service)?;
    let unseen = || Cause::new(CauseCode::Fault, text("it was not looked at what would run"));
    let prospect = service.prospect.as_ref().ok_or_else(unseen)?;
    if !prospect.troubles.is_empty() {
        return Err(refused(prospect.troubles.join("; ")));
    }
    let changes = changes(&service, prospect);
    let going_back = going_back(wanted, &config, &service, seen.running.as_ref());
    let steps = steps(wanted, &config, &service, (&container.name, prospect), &going_back);
    let unasked = (!is_asked(wanted, &service)).then(|| NOBODY_ASKS.to_owned());
    let notes = prospect.notes.iter().cloned().chain(service.way_back.note()).chain(unasked);
    Ok(Proposal { changes, steps, going_back, notes: notes.map(text).collect() })
}

/// What ECS calls completed then is no more than started: it may end a second later.
pub(crate) const NOBODY_ASKS: &str =
    "nobody asks whether it works: a task that started is taken for one that does";

/// Whether anybody asks: a health check, a load balancer, or a step of the settings behind the change.
fn is_asked(wanted: &ServiceRequest, service: &SeenService) -> bool {
    let asks = |kind| matches!(kind, DeployStepKind::Verify | DeployStepKind::Bake);
    service.is_checked() || wanted.around.iter().any(|step| asks(step.kind))
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

fn changes(service: &SeenService, prospect: &Prospect) -> Vec<FieldChange> {
    let word = |it: &Option<String>| it.as_ref().map(|it| text(it.as_str()));
    let of = |it: &Difference| FieldChange {
        field: it.field.as_str().into(),
        before: word(&it.before),
        after: word(&it.after),
    };
    let mut changes: Vec<FieldChange> = prospect.differences.iter().map(of).collect();
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
    config: &EcsConfig,
    service: &SeenService,
    running: Option<&KnownRelease>,
) -> GoingBack {
    let back = &service.way_back;
    let name = short(&back.task_definition);
    let mut reasons = back.reasons();
    reasons.extend(config.no_way_back.clone());
    if !reasons.is_empty() {
        return GoingBack::Impossible { reasons: reasons.into_iter().map(text).collect() };
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
    (container, prospect): (&str, &Prospect),
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
    let image = &prospect.image;
    let register = register(wanted, config, service, (container, prospect));
    let watch = watch::step(&wanted.service, config, &update);
    let steps = [
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
            calls: calls::of_stabilise(config.watches()),
            undo: Undo::Nothing,
            within_ms: config.within_ms,
            body: json!(Deed::Stabilise(update)),
        },
    ];
    steps.into_iter().chain(watch).collect()
}

fn register(
    wanted: &ServiceRequest,
    config: &EcsConfig,
    service: &SeenService,
    (container, prospect): (&str, &Prospect),
) -> Register {
    let restored = service.restored.as_ref();
    Register {
        account: service.account.clone(),
        base: restored.map_or(&service.task_definition, |it| &it.task_definition).clone(),
        container: container.to_owned(),
        image: prospect.image.clone(),
        version: wanted.release.version.to_string(),
        environment: config.environment.clone(),
        private: config.private.clone(),
        secrets: prospect.secrets.clone(),
        removed: prospect.removed.clone(),
        command: config.command.clone(),
    }
}
