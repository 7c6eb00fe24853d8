//! Looking at a service: what a plan rests on, and what runs there.

use aws::{EcsService, FaultKind, TaskDefinition};
use event::{CauseCode, KnownRelease, Release, ServiceRequest};
use ports::{Observation, Progress};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::config::EcsConfig;
use crate::prospect::{self, Prospect};
use crate::scale::{self, SeenScaling};
use crate::target::{EcsTarget, Stop};
use crate::way_back::{self, WayBack};
use crate::words::short;

/// What stands there. Values of variables are not in it but those that the settings show to
/// everybody: others may be secrets of somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Seen {
    /// There is no such service, or none that is active.
    Missing {
        /// In what words ECS says so.
        status: String,
    },
    /// AWS does not let us look, and will not, whoever asks how often: another account, no
    /// permission, no such cluster.
    Barred {
        /// Why, with the remedy.
        why: String,
    },
    /// A service.
    Service(Box<SeenService>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenService {
    pub(crate) account: String,
    pub(crate) service_arn: String,
    /// Who does deployments: `ECS`, `CODE_DEPLOY`, `EXTERNAL`.
    pub(crate) controller: String,
    /// `ROLLING`, `BLUE_GREEN`, `LINEAR`, `CANARY`.
    pub(crate) strategy: String,
    pub(crate) task_definition: String,
    /// What is copied, where it is not what runs: the revision that is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<Restored>,
    /// The deployment that is PRIMARY.
    pub(crate) deployment: Option<String>,
    /// Its state, unless it is under way.
    pub(crate) rollout: Option<String>,
    /// Another deployment is under way.
    pub(crate) is_busy: bool,
    pub(crate) containers: Vec<SeenContainer>,
    /// What would run; none where it is not known which container is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prospect: Option<Prospect>,
    /// ECS gives up, and goes back, by itself.
    pub(crate) breaker: bool,
    pub(crate) breaker_rolls_back: bool,
    /// What would be gone back to, and whether it can be deployed.
    pub(crate) way_back: WayBack,
    /// Whether something scales it was not asked: its number of tasks is never touched.
    pub(crate) autoscaling: String,
    /// Where the number of tasks is what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scaling: Option<SeenScaling>,
}

impl SeenService {
    /// Whether AWS asks an essential container whether it works.
    pub(crate) fn is_checked(&self) -> bool {
        self.containers.iter().any(|it| it.is_essential && it.has_health_check)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenContainer {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) is_essential: bool,
    pub(crate) has_health_check: bool,
}

/// A revision that is restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restored {
    pub(crate) task_definition: String,
    /// ECS still has it; deregistered it may be.
    pub(crate) is_there: bool,
}

pub(crate) fn observe(
    target: &mut EcsTarget,
    wanted: &ServiceRequest,
) -> Result<Observation, Stop> {
    let why = match look(target, wanted) {
        Err(Stop::Over(Progress::Failed(cause))) if cause.code == CauseCode::TargetRefused => {
            cause.message.to_string()
        }
        Err(Stop::Fault(fault)) if matches!(fault.kind, FaultKind::Denied | FaultKind::Refused) => {
            fault.cause().message.to_string()
        }
        other => return other,
    };
    Ok(Observation { seen: json!(Seen::Barred { why }), running: None })
}

fn look(target: &mut EcsTarget, wanted: &ServiceRequest) -> Result<Observation, Stop> {
    let config = EcsConfig::of(wanted)?;
    let account = target.guard(config.account.as_deref())?;
    let found = match target.client.describe_service(&config.cluster, &config.service) {
        Err(fault) if fault.is("ClusterNotFoundException") => {
            let status = "there is no such cluster".to_owned();
            return Ok(Observation { seen: json!(Seen::Missing { status }), running: None });
        }
        other => other?,
    };
    let service = match found {
        Some(service) if service.status == "ACTIVE" => service,
        other => {
            let status = other.map_or("MISSING".to_owned(), |it| it.status);
            return Ok(Observation { seen: json!(Seen::Missing { status }), running: None });
        }
    };
    let running = target.client.describe_task_definition(&service.task_definition)?;
    let container = container_of(&config, &running);
    let digest = digest_of(target, &config, &service, container.as_deref(), &running)?;
    let release = release_of(wanted, &running, container.as_deref(), digest);
    let way_back = way_back(target, &account, wanted, &service, &running)?;
    let mut seen = seen_service(account, &service, &running, way_back);
    let base = match restored(target, wanted, &running)? {
        None => Some(running.clone()),
        Some((restored, base)) => {
            seen.restored = Some(restored);
            base
        }
    };
    if config.instances.is_some() {
        seen.scaling = Some(scale::look(target, &config, &service)?);
    } else if let (Some(base), Some(container)) = (base, container) {
        let found = prospect::look(target, wanted, &config, &running, &base, &container)?;
        seen.prospect = Some(found);
    }
    Ok(Observation { seen: json!(Seen::Service(Box::new(seen))), running: Some(release) })
}

fn containers(definition: &TaskDefinition) -> &[Json] {
    definition.body["containerDefinitions"].as_array().map_or(&[], Vec::as_slice)
}

/// The container that is shipped: the named one, or the only one.
fn container_of(config: &EcsConfig, definition: &TaskDefinition) -> Option<String> {
    let names = containers(definition).iter().filter_map(|it| it["name"].as_str());
    let names: Vec<&str> = names.collect();
    match &config.container {
        Some(named) => names.contains(&named.as_str()).then(|| named.clone()),
        None => (names.len() == 1).then(|| names[0].to_owned()),
    }
}

fn image_of<'a>(definition: &'a TaskDefinition, container: Option<&str>) -> &'a str {
    let found = containers(definition).iter().find(|it| it["name"].as_str() == container);
    found.and_then(|it| it["image"].as_str()).unwrap_or_default()
}

/// The digest of what runs: the image's own, or that which its tasks pulled.
fn digest_of(
    target: &mut EcsTarget,
    config: &EcsConfig,
    service: &EcsService,
    container: Option<&str>,
    running: &TaskDefinition,
) -> Result<Option<String>, Stop> {
    if let Some((_, digest)) = image_of(running, container).split_once('@') {
        return Ok(Some(digest.to_owned()));
    }
    if service.running_count == 0 {
        return Ok(None);
    }
    let of = ("serviceName", config.service.as_str());
    let tasks = target.client.tasks(&config.cluster, of, "RUNNING")?;
    let own = tasks.iter().filter(|it| it.task_definition_arn == running.arn);
    let found = own.flat_map(|it| &it.containers).filter(|it| Some(it.name.as_str()) == container);
    let mut digests: Vec<&String> = found.filter_map(|it| it.image_digest.as_ref()).collect();
    digests.sort_unstable();
    digests.dedup();
    // Two digests behind one tag are no release that could be named.
    Ok(if let [only] = digests[..] { Some(only.clone()) } else { None })
}

/// The release that runs, by the name that it is known by.
fn release_of(
    wanted: &ServiceRequest,
    running: &TaskDefinition,
    container: Option<&str>,
    digest: Option<String>,
) -> KnownRelease {
    let handle = handle(&running.arn);
    if let Some(last) = wanted.last_good.as_ref().filter(|it| it.handle == handle) {
        return last.clone();
    }
    let image = image_of(running, container);
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    // A tag stands behind the last colon, unless that is a registry's port.
    let tagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let location = tagged.map_or(name, |(location, _)| location);
    let digest = digest.unwrap_or_else(|| "unknown".to_owned());
    let ours = running.tags.iter().any(|it| it["key"] == crate::register::DEPLOYMENT_TAG);
    let release = if *digest == *wanted.release.digest {
        wanted.release.clone()
    } else {
        let version = tagged.map_or(short(&running.arn), |(_, tag)| tag);
        Release {
            version: version.into(),
            digest: digest.into(),
            location: Some(location.into()),
            commit: None,
        }
    };
    KnownRelease { release, handle, adopted: !ours }
}

/// What brings a release back.
pub(crate) fn handle(task_definition: &str) -> Json {
    json!({"task_definition": task_definition})
}

/// What runs well is gone back to. Where it does not run well, that is what the journal knows to
/// have run well last.
fn way_back(
    target: &mut EcsTarget,
    account: &str,
    wanted: &ServiceRequest,
    service: &EcsService,
    running: &TaskDefinition,
) -> Result<WayBack, Stop> {
    let primary = service.deployments.iter().find(|it| it.status == "PRIMARY");
    let failed = primary.is_some_and(|it| it.rollout_state.as_deref() == Some("FAILED"));
    let last = wanted.last_good.as_ref().and_then(|it| it.handle["task_definition"].as_str());
    let Some(last) = last.filter(|it| failed && **it != *running.arn) else {
        return Ok(way_back::look(&mut target.client, account, running, service)?);
    };
    match target.client.describe_task_definition(last) {
        Ok(found) => Ok(way_back::look(&mut target.client, account, &found, service)?),
        // It was deleted.
        Err(fault) if fault.is("ClientException") => {
            Ok(WayBack { task_definition: last.to_owned(), ..WayBack::default() })
        }
        Err(fault) => Err(fault.into()),
    }
}

/// The revision that is restored, where that is not what runs.
fn restored(
    target: &mut EcsTarget,
    wanted: &ServiceRequest,
    running: &TaskDefinition,
) -> Result<Option<(Restored, Option<TaskDefinition>)>, Stop> {
    let arn = wanted.restores.as_ref().and_then(|it| it.handle["task_definition"].as_str());
    let Some(arn) = arn.filter(|it| **it != *running.arn) else { return Ok(None) };
    let found = match target.client.describe_task_definition(arn) {
        Ok(found) => Some(found),
        // It was deleted.
        Err(fault) if fault.is("ClientException") => None,
        Err(fault) => return Err(fault.into()),
    };
    let restored = Restored { task_definition: arn.to_owned(), is_there: found.is_some() };
    Ok(Some((restored, found)))
}

fn seen_service(
    account: String,
    service: &EcsService,
    running: &TaskDefinition,
    way_back: WayBack,
) -> SeenService {
    let primary = service.deployments.iter().find(|it| it.status == "PRIMARY");
    let state = primary.and_then(|it| it.rollout_state.clone());
    let is_busy = match state.as_deref() {
        Some(state) => state == "IN_PROGRESS",
        None => service.deployments.len() > 1,
    };
    let text = |value: &Json, default: &str| value.as_str().unwrap_or(default).to_owned();
    let controller = service.deployment_controller.as_ref().map_or(&Json::Null, |it| &it["type"]);
    let configuration = &service.deployment_configuration;
    let breaker = &configuration["deploymentCircuitBreaker"];
    let all = containers(running).iter().map(|it| SeenContainer {
        name: text(&it["name"], ""),
        image: text(&it["image"], ""),
        is_essential: it["essential"].as_bool() != Some(false),
        has_health_check: it.get("healthCheck").is_some_and(|it| !it.is_null())
            || !service.load_balancers.is_empty(),
    });
    SeenService {
        account,
        service_arn: service.service_arn.clone(),
        controller: text(controller, "ECS"),
        strategy: text(&configuration["strategy"], "ROLLING"),
        task_definition: service.task_definition.clone(),
        restored: None,
        deployment: primary.map(|it| it.id.clone()),
        rollout: state,
        is_busy,
        containers: all.collect(),
        prospect: None,
        breaker: breaker["enable"].as_bool() == Some(true),
        breaker_rolls_back: breaker["rollback"].as_bool() == Some(true),
        way_back,
        autoscaling: "unknown".to_owned(),
        scaling: None,
    }
}
