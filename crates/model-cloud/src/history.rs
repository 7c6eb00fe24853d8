//! Service deployments and service revisions: what ECS remembers of how a service came to be what
//! it is.

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, page, put, text, texts, time};
use crate::cloud::{Cloud, Cluster};
use crate::names::short;
use crate::rollout;
use crate::services::{Deployment, Rollout, Service};

/// The most that one Describe takes.
const DESCRIBED_MAX: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    InProgress,
    Successful,
    Stopped,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::InProgress => "IN_PROGRESS",
            Outcome::Successful => "SUCCESSFUL",
            Outcome::Stopped => "STOPPED",
            Outcome::RollbackRequested => "ROLLBACK_REQUESTED",
            Outcome::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Outcome::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Outcome::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    fn is_final(self) -> bool {
        use Outcome::{RollbackFailed, RollbackSuccessful, Stopped, Successful};
        matches!(self, Successful | Stopped | RollbackSuccessful | RollbackFailed)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ServiceDeployment {
    pub(crate) arn: String,
    /// The id in the service's own list.
    pub(crate) deployment: String,
    source: Option<String>,
    target: String,
    pub(crate) outcome: Outcome,
    reason: Option<String>,
    created_at: u64,
    finished_at: Option<u64>,
    rollback: Option<Json>,
    failures: u64,
    tripped: bool,
    visible_from: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) arn: String,
    pub(crate) definition: String,
    images: Vec<Json>,
    settings: Json,
    created_at: u64,
}

/// The service as it is now becomes a revision.
pub(crate) fn revise(cloud: &mut Cloud, service: &mut Service) -> String {
    let cluster = short(&service.cluster_arn);
    let digits = cloud.names.digits();
    let arn = cloud.names.arn(&format!("service-revision/{cluster}/{}/{digits}", service.name));
    let containers = cloud.definition(&service.definition).map(|it| it.containers().to_vec());
    let images = containers.unwrap_or_default().into_iter().map(|it| {
        let image = text(&it, "image").unwrap_or_default();
        let digest = image.split_once('@').map(|(_, digest)| digest);
        let digest = digest.or_else(|| cloud.tags.get(image).map(String::as_str));
        let mut json = json!({"containerName": it["name"], "image": image});
        put(&mut json, "imageDigest", digest.map(|it| json!(it)));
        json
    });
    let images = images.collect();
    let mut settings = json!({});
    for key in [
        "launchType",
        "platformVersion",
        "networkConfiguration",
        "loadBalancers",
        "capacityProviderStrategy",
    ] {
        put(&mut settings, key, service.settings.get(key).cloned());
    }
    let definition = service.definition.clone();
    let revision =
        Revision { arn: arn.clone(), definition, images, settings, created_at: cloud.now };
    service.revisions.push(revision);
    arn
}

/// A service deployment begins.
pub(crate) fn begin(
    cloud: &mut Cloud,
    service: &mut Service,
    source: Option<String>,
    deployment: &Deployment,
) {
    let cluster = short(&service.cluster_arn);
    let letters = cloud.names.letters();
    service.history.push(ServiceDeployment {
        arn: cloud.names.arn(&format!("service-deployment/{cluster}/{}/{letters}", service.name)),
        deployment: deployment.id.clone(),
        source,
        target: deployment.revision.clone(),
        outcome: Outcome::InProgress,
        reason: None,
        created_at: cloud.now,
        finished_at: None,
        rollback: None,
        failures: 0,
        tripped: false,
        visible_from: cloud.now + cloud.lag_ms,
    });
}

/// The one under way ends so, because another takes its place.
pub(crate) fn replace(cloud: &Cloud, service: &mut Service, outcome: Outcome) {
    if let Some(last) = service.history.last_mut().filter(|it| !it.outcome.is_final()) {
        last.end(cloud.now, outcome, "Service deployment stopped because of a new one.");
    }
}

impl ServiceDeployment {
    pub(crate) fn end(&mut self, now: u64, outcome: Outcome, reason: &str) {
        self.outcome = outcome;
        self.finished_at = Some(now);
        self.reason = Some(reason.to_owned());
    }

    pub(crate) fn roll_back(&mut self, now: u64, reason: &str, to: &str) {
        self.outcome = Outcome::RollbackInProgress;
        self.reason = Some(reason.to_owned());
        self.rollback =
            Some(json!({"reason": reason, "startedAt": time(now), "serviceRevisionArn": to}));
    }

    pub(crate) fn count(&mut self, failures: u64, tripped: bool) {
        self.failures = failures;
        self.tripped |= tripped;
    }

    fn brief(&self, service: &Service) -> Json {
        let mut json = json!({
            "serviceDeploymentArn": self.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster_arn,
            "createdAt": time(self.created_at),
            "startedAt": time(self.created_at),
            "targetServiceRevisionArn": self.target,
            "status": self.outcome.as_str(),
        });
        put(&mut json, "finishedAt", self.finished_at.map(time));
        put(&mut json, "statusReason", self.reason.as_ref().map(|it| json!(it)));
        json
    }

    fn json(&self, service: &Service) -> Json {
        let mut json = self.brief(service);
        if let Some(members) = json.as_object_mut() {
            members.shift_remove("targetServiceRevisionArn");
        }
        let sources: Vec<Json> = self.source.iter().map(|arn| json!({"arn": arn})).collect();
        json["sourceServiceRevisions"] = json!(sources);
        json["targetServiceRevision"] = json!({"arn": self.target});
        json["updatedAt"] = time(self.finished_at.unwrap_or(self.created_at));
        json["deploymentConfiguration"] = service.settings["deploymentConfiguration"].clone();
        put(&mut json, "rollback", self.rollback.clone());
        if let Some(breaker) = service.breaker() {
            let status = match (self.tripped, self.outcome.is_final()) {
                (true, _) => "TRIGGERED",
                (false, true) => "MONITORING_COMPLETE",
                (false, false) => "MONITORING",
            };
            json["deploymentCircuitBreaker"] = json!({
                "status": status, "failureCount": self.failures, "threshold": breaker.threshold,
            });
        }
        json
    }
}

pub(crate) fn list(cloud: &Cloud, body: &Json) -> Given {
    let cluster = cloud.cluster(body)?;
    let service = cluster.services.get(short(needed(body, "service")?));
    let service =
        service.ok_or_else(|| Refused::new("ServiceNotFoundException", "Service not found."))?;
    let statuses = texts(body, "status");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
    let bound = |key: &str| body["createdAt"][key].as_f64().map(|it| (it * 1000.0) as u64);
    let (before, after) = (bound("before"), bound("after"));
    let found: Vec<Json> = service
        .history
        .iter()
        .rev()
        .filter(|it| it.visible_from <= cloud.now)
        .filter(|it| statuses.is_empty() || statuses.iter().any(|s| s == it.outcome.as_str()))
        .filter(|it| before.is_none_or(|at| it.created_at < at))
        .filter(|it| after.is_none_or(|at| it.created_at > at))
        .map(|it| it.brief(service))
        .collect();
    let (found, next) = page(body, &found)?;
    let mut answer = json!({"serviceDeployments": found});
    put(&mut answer, "nextToken", next);
    Ok(answer)
}

/// Asks for things of services by their ARNs.
fn by_arn(
    cloud: &Cloud,
    body: &Json,
    key: &'static str,
    find: impl Fn(&Service, &str) -> Option<Json>,
) -> Result<(Vec<Json>, Vec<Json>), Refused> {
    let arns = texts(body, key);
    if arns.is_empty() || arns.len() > DESCRIBED_MAX {
        return Err(Refused::parameter(format!("{key} must have 1 to {DESCRIBED_MAX} items.")));
    }
    let services = || cloud.clusters.values().flat_map(|it| it.services.values());
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match services().find_map(|service| find(service, &arn)) {
            Some(json) => found.push(json),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok((found, failures))
}

pub(crate) fn describe(cloud: &Cloud, body: &Json) -> Given {
    let (found, failures) = by_arn(cloud, body, "serviceDeploymentArns", |service, arn| {
        service.history.iter().find(|it| it.arn == arn).map(|it| it.json(service))
    })?;
    Ok(json!({"serviceDeployments": found, "failures": failures}))
}

pub(crate) fn revisions(cloud: &Cloud, body: &Json) -> Given {
    let (found, failures) = by_arn(cloud, body, "serviceRevisionArns", |service, arn| {
        let revision = service.revisions.iter().find(|it| it.arn == arn)?;
        let mut json = revision.settings.clone();
        json["serviceRevisionArn"] = json!(revision.arn);
        json["serviceArn"] = json!(service.arn);
        json["clusterArn"] = json!(service.cluster_arn);
        json["taskDefinition"] = json!(revision.definition);
        json["containerImages"] = json!(revision.images);
        json["createdAt"] = time(revision.created_at);
        Some(json)
    })?;
    Ok(json!({"serviceRevisions": found, "failures": failures}))
}

pub(crate) fn stop(cloud: &mut Cloud, body: &Json) -> Given {
    let arn = needed(body, "serviceDeploymentArn")?.to_owned();
    if text(body, "stopType").unwrap_or("ROLLBACK") != "ROLLBACK" {
        return Err(Refused::parameter("The only valid value of stopType is ROLLBACK."));
    }
    let cluster = arn.split('/').nth(1).unwrap_or_default().to_owned();
    let missing = || {
        Refused::new("ServiceDeploymentNotFoundException", "The service deployment was not found.")
    };
    let inside = json!({"cluster": cluster});
    if cloud.cluster(&inside).is_err() {
        return Err(missing());
    }
    cloud.within(&inside, |cloud, cluster| {
        let Cluster { services, tasks, .. } = cluster;
        let owner = services.values_mut().find(|it| it.history.iter().any(|sd| sd.arn == arn));
        let service = owner.ok_or_else(missing)?;
        let index = service.history.iter().position(|it| it.arn == arn).ok_or_else(missing)?;
        let found = &service.history[index];
        match found.outcome {
            Outcome::RollbackRequested | Outcome::RollbackInProgress => {}
            it if it.is_final() => {
                let said = "The service deployment is not in a state that can be stopped.";
                return Err(
                    Refused::new("ConflictException", said).with("resourceIds", json!([arn]))
                );
            }
            _ if service.last_completed.is_none() => {
                let said = "There is no completed deployment to roll back to.";
                return Err(
                    Refused::new("ConflictException", said).with("resourceIds", json!([arn]))
                );
            }
            _ => {
                service.keep_stale(cloud, tasks);
                service.history[index].outcome = Outcome::RollbackRequested;
            }
        }
        Ok(json!({"serviceDeploymentArn": arn}))
    })
}

/// A rollback that was asked for begins.
pub(crate) fn follow_requests(cloud: &mut Cloud, service: &mut Service, cluster: &mut Cluster) {
    let requested =
        service.history.last().is_some_and(|it| it.outcome == Outcome::RollbackRequested);
    let failing = service.deployments.first().is_some_and(|it| it.state == Rollout::InProgress);
    if requested && failing {
        let said = "Service deployment rolled back because of StopServiceDeployment API call.";
        rollout::roll_back(cloud, service, cluster, said);
    }
}
