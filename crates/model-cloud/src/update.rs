//! What makes a service, and what starts a deployment of it.

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, put, text};
use crate::cloud::{Cloud, Cluster};
use crate::history::{self, Outcome};
use crate::names::short;
use crate::services::{Deployment, Service, fresh};

/// A change of one of these starts a deployment.
const STARTS: &[&str] = &[
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];
/// A change of one of these starts none.
const KEPT: &[&str] = &[
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
];
/// What a service is made with beside these.
const MADE_WITH: &[&str] = &["deploymentController", "launchType", "role", "schedulingStrategy"];
/// What an update says of the service itself.
const OF_THE_CALL: &[&str] =
    &["cluster", "service", "desiredCount", "taskDefinition", "forceNewDeployment"];

fn active_definition(cloud: &Cloud, name: &str) -> Result<String, Refused> {
    let found = cloud.definition(name);
    let found = found.ok_or_else(|| Refused::client("TaskDefinition not found."))?;
    if !found.is_active {
        return Err(Refused::client("TaskDefinition is inactive"));
    }
    Ok(found.arn.clone())
}

fn known(body: &Json, keys: &[&[&str]]) -> Result<(), Refused> {
    let mut members = body.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match members.find(|key| !keys.iter().any(|it| it.contains(key))) {
        Some(key) => Err(Refused::parameter(format!("Unknown parameter in input: \"{key}\""))),
        None => Ok(()),
    }
}

pub(crate) fn create_service(cloud: &mut Cloud, body: &Json) -> Given {
    let own: &[&str] =
        &["cluster", "serviceName", "desiredCount", "taskDefinition", "clientToken", "tags"];
    known(body, &[own, STARTS, KEPT, MADE_WITH])?;
    let name = needed(body, "serviceName")?.to_owned();
    let definition = active_definition(cloud, needed(body, "taskDefinition")?)?;
    let controller = text(&body["deploymentController"], "type").unwrap_or("ECS").to_owned();
    if text(&body["deploymentConfiguration"], "strategy").is_some_and(|it| it != "ROLLING") {
        let said = "The model knows the ROLLING strategy only.";
        return Err(Refused::new("UnsupportedFeatureException", said));
    }
    cloud.within(body, |cloud, cluster| {
        if cluster.services.contains_key(&name) {
            return Err(Refused::parameter("Creation of service was not idempotent."));
        }
        let arn = cloud.names.arn(&format!("service/{}/{name}", cluster.name));
        let mut service = Service::new(&name, arn, cluster, cloud.now);
        service.desired = body.get("desiredCount").and_then(Json::as_u64).unwrap_or(1);
        for key in STARTS.iter().chain(KEPT).chain(MADE_WITH) {
            put(&mut service.settings, key, body.get(*key).cloned());
        }
        let settings = &mut service.settings;
        settings["deploymentController"] = json!({"type": controller});
        settings["schedulingStrategy"] = json!("REPLICA");
        if settings.get("launchType").is_none()
            && settings.get("capacityProviderStrategy").is_none()
        {
            settings["launchType"] = json!("EC2");
        }
        for (key, empty) in [
            ("loadBalancers", json!([])),
            ("serviceRegistries", json!([])),
            ("placementConstraints", json!([])),
            ("placementStrategy", json!([])),
        ] {
            if settings.get(key).is_none() {
                settings[key] = empty;
            }
        }
        with_deployment_defaults(settings);
        settings["enableExecuteCommand"] = json!(settings["enableExecuteCommand"] == true);
        settings["enableECSManagedTags"] = json!(settings["enableECSManagedTags"] == true);
        start(cloud, &mut service, definition);
        let answer = fresh(&service, &cluster.tasks);
        cluster.services.insert(name, service);
        Ok(answer)
    })
}

fn with_deployment_defaults(settings: &mut Json) {
    let configuration = &mut settings["deploymentConfiguration"];
    for (key, default) in [("maximumPercent", 200), ("minimumHealthyPercent", 100)] {
        if configuration.get(key).is_none() {
            configuration[key] = json!(default);
        }
    }
    if configuration.get("strategy").is_none() {
        configuration["strategy"] = json!("ROLLING");
    }
}

/// A deployment of what the service is now; the one before it makes room.
fn start(cloud: &mut Cloud, service: &mut Service, definition: String) {
    service.definition = definition;
    let revision = history::revise(cloud, service);
    history::replace(cloud, service, Outcome::Stopped);
    let source = service.deployments.first().map(|it| it.revision.clone());
    let id = format!("ecs-svc/{}", cloud.names.digits());
    let deployment = Deployment::new(id, &service.definition, &revision, cloud.now);
    history::begin(cloud, service, source, &deployment);
    service.deployments.insert(0, deployment);
}

pub(crate) fn update_service(cloud: &mut Cloud, body: &Json) -> Given {
    known(body, &[OF_THE_CALL, STARTS, KEPT])?;
    let name = short(needed(body, "service")?).to_owned();
    let definition = match text(body, "taskDefinition") {
        Some(it) => Some(active_definition(cloud, it)?),
        None => None,
    };
    cloud.within(body, |cloud, cluster| {
        let Cluster { services, tasks, .. } = cluster;
        let found = services.get_mut(&name);
        let service =
            found.ok_or_else(|| Refused::new("ServiceNotFoundException", "Service not found."))?;
        let rolling = service.settings["deploymentController"]["type"] == "ECS";
        if !rolling && (definition.is_some() || body["forceNewDeployment"] == true) {
            let said = "Unable to update task definition on services with a CODE_DEPLOY deployment \
                        controller. Use AWS CodeDeploy to trigger a new deployment.";
            return Err(Refused::parameter(said));
        }
        service.keep_stale(cloud, tasks);
        let mut starts = body["forceNewDeployment"] == true;
        if let Some(definition) = definition {
            starts |= definition != service.definition;
            service.definition = definition;
        }
        for key in STARTS {
            let Some(value) = body.get(*key) else { continue };
            starts |= service.settings.get(*key) != Some(value);
            service.settings[*key] = value.clone();
        }
        for key in KEPT {
            put(&mut service.settings, key, body.get(*key).cloned());
        }
        with_deployment_defaults(&mut service.settings);
        if let Some(desired) = body.get("desiredCount").and_then(Json::as_u64) {
            service.desired = desired;
        }
        if starts {
            let definition = service.definition.clone();
            start(cloud, service, definition);
        }
        Ok(fresh(service, tasks))
    })
}
