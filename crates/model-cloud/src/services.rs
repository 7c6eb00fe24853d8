//! Clusters and services: what they are, and how they are described.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, put, text, texts, time};
use crate::cloud::{Cloud, Cluster};
use crate::definitions::Definition;
use crate::history::{Revision, ServiceDeployment};
use crate::names::short;
use crate::tasks::{Asked, Phase, Task};

/// The most services of one DescribeServices.
const DESCRIBED_MAX: usize = 10;
/// The most events that a service tells.
const EVENTS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) cluster_arn: String,
    pub(crate) desired: u64,
    /// What was said of it when it was made or updated, and is given back as it is.
    pub(crate) settings: Json,
    pub(crate) definition: String,
    /// The first is PRIMARY.
    pub(crate) deployments: Vec<Deployment>,
    events: Vec<Json>,
    pub(crate) created_at: u64,
    pub(crate) history: Vec<ServiceDeployment>,
    pub(crate) revisions: Vec<Revision>,
    /// The revision of the latest deployment that was COMPLETED.
    pub(crate) last_completed: Option<String>,
    /// What reads see until then.
    stale: Option<(u64, Json)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) definition: String,
    pub(crate) revision: String,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
    pub(crate) failed: u64,
    pub(crate) state: Rollout,
    pub(crate) reason: String,
    /// No task is started before.
    pub(crate) next_start: u64,
    /// It is ECS's own way back.
    pub(crate) is_rollback: bool,
}

impl Deployment {
    pub(crate) fn new(id: String, definition: &str, revision: &str, now: u64) -> Deployment {
        Deployment {
            reason: format!("ECS deployment {id} in progress."),
            id,
            definition: definition.to_owned(),
            revision: revision.to_owned(),
            created_at: now,
            updated_at: now,
            failed: 0,
            state: Rollout::InProgress,
            next_start: now,
            is_rollback: false,
        }
    }
}

/// The circuit breaker of a service.
pub(crate) struct Breaker {
    pub(crate) rolls_back: bool,
    pub(crate) threshold: u64,
    pub(crate) resets: bool,
}

impl Service {
    pub(crate) fn new(name: &str, arn: String, cluster: &Cluster, now: u64) -> Service {
        Service {
            name: name.to_owned(),
            arn,
            cluster_arn: cluster.arn.clone(),
            desired: 0,
            settings: json!({}),
            definition: String::new(),
            deployments: Vec::new(),
            events: Vec::new(),
            created_at: now,
            history: Vec::new(),
            revisions: Vec::new(),
            last_completed: None,
            stale: None,
        }
    }

    pub(crate) fn group(&self) -> String {
        format!("service:{}", self.name)
    }

    pub(crate) fn say(&mut self, cloud: &mut Cloud, said: &str) {
        let message = format!("(service {}) {said}", self.name);
        let event =
            json!({"id": cloud.names.uuid(), "createdAt": time(cloud.now), "message": message});
        self.events.insert(0, event);
        self.events.truncate(EVENTS_MAX);
    }

    fn percent(&self, key: &str, default: u64) -> u64 {
        self.settings["deploymentConfiguration"][key].as_u64().unwrap_or(default)
    }

    /// At least so many tasks stay well.
    pub(crate) fn minimum(&self) -> u64 {
        (self.desired * self.percent("minimumHealthyPercent", 100)).div_ceil(100)
    }

    /// At most so many tasks run.
    pub(crate) fn maximum(&self) -> u64 {
        self.desired * self.percent("maximumPercent", 200) / 100
    }

    pub(crate) fn breaker(&self) -> Option<Breaker> {
        let breaker = &self.settings["deploymentConfiguration"]["deploymentCircuitBreaker"];
        if breaker["enable"].as_bool() != Some(true) {
            return None;
        }
        let threshold = &breaker["thresholdConfiguration"];
        let value = threshold["value"].as_u64();
        let share = |percent: u64| (self.desired * percent).div_ceil(100);
        let threshold = match (text(threshold, "type"), value) {
            (Some("COUNT"), Some(value)) => value.max(1),
            (Some("UNBOUNDED_PERCENT"), Some(value)) => share(value).max(1),
            // Half of the desired count, at least 3, at most 200.
            (_, value) => share(value.unwrap_or(50)).clamp(3, 200),
        };
        Some(Breaker {
            rolls_back: breaker["rollback"].as_bool() == Some(true),
            threshold,
            resets: breaker["resetOnHealthyTask"].as_bool() != Some(false),
        })
    }

    /// How the health of its tasks is asked.
    pub(crate) fn asks(&self, definition: &Definition) -> Asked {
        let balancers = self.settings["loadBalancers"].as_array().is_some_and(|it| !it.is_empty());
        let grace = self.settings["healthCheckGracePeriodSeconds"].as_u64().unwrap_or(0);
        match (balancers, definition.has_health_check()) {
            (true, _) => Asked::LoadBalancer { grace_ms: grace * 1000 },
            (false, true) => Asked::Container,
            (false, false) => Asked::Nobody,
        }
    }

    /// The port of its tasks behind a target group; none where it is not behind that.
    pub(crate) fn port_behind(&self, target_group: &str) -> Option<u64> {
        let balancers = self.settings["loadBalancers"].as_array()?;
        let of = balancers.iter().find(|it| it["targetGroupArn"] == target_group)?;
        of["containerPort"].as_u64()
    }

    pub(crate) fn has_load_balancer(&self) -> bool {
        self.settings["loadBalancers"].as_array().is_some_and(|it| !it.is_empty())
    }

    /// Reads go on to see it as it is now for as long as the cloud lags.
    pub(crate) fn keep_stale(&mut self, cloud: &Cloud, tasks: &BTreeMap<String, Task>) {
        if cloud.lag_ms > 0 {
            self.stale = Some((cloud.now + cloud.lag_ms, self.json(tasks)));
        }
    }

    fn seen(&self, now: u64, tasks: &BTreeMap<String, Task>) -> Json {
        match &self.stale {
            Some((until, json)) if now < *until => json.clone(),
            _ => self.json(tasks),
        }
    }

    fn json(&self, tasks: &BTreeMap<String, Task>) -> Json {
        let deployments: Vec<Json> = self
            .deployments
            .iter()
            .enumerate()
            .map(|(at, deployment)| self.deployment_json(at == 0, deployment, tasks))
            .collect();
        let sum = |key: &str| deployments.iter().filter_map(|it| it[key].as_u64()).sum::<u64>();
        let mut json = self.settings.clone();
        json["serviceArn"] = json!(self.arn);
        json["serviceName"] = json!(self.name);
        json["clusterArn"] = json!(self.cluster_arn);
        json["status"] = json!("ACTIVE");
        json["desiredCount"] = json!(self.desired);
        json["runningCount"] = json!(sum("runningCount"));
        json["pendingCount"] = json!(sum("pendingCount"));
        json["taskDefinition"] = json!(self.definition);
        json["deployments"] = json!(deployments);
        json["events"] = json!(self.events);
        json["createdAt"] = time(self.created_at);
        if let Some(current) = self.history.last() {
            json["currentServiceDeployment"] = json!(current.arn);
        }
        let current = self.deployments.iter().map(|it| {
            let (running, pending, requested) = self.counts(it, tasks);
            json!({"arn": it.revision, "runningTaskCount": running, "pendingTaskCount": pending,
                   "requestedTaskCount": requested})
        });
        json["currentServiceRevisions"] = current.collect();
        json
    }

    /// Running, pending and wanted tasks of a deployment.
    fn counts(&self, deployment: &Deployment, tasks: &BTreeMap<String, Task>) -> (u64, u64, u64) {
        let own = tasks.values().filter(|it| it.owner == deployment.id);
        let (mut running, mut pending, mut wanted) = (0, 0, 0);
        for task in own {
            running += u64::from(task.phase == Phase::Running);
            pending += u64::from(task.phase < Phase::Running);
            wanted += u64::from(task.is_wanted());
        }
        let is_primary = self.deployments.first().is_some_and(|it| it.id == deployment.id);
        (running, pending, if is_primary { self.desired } else { wanted })
    }

    fn deployment_json(
        &self,
        is_primary: bool,
        deployment: &Deployment,
        tasks: &BTreeMap<String, Task>,
    ) -> Json {
        let (running, pending, desired) = self.counts(deployment, tasks);
        let mut json = json!({
            "id": deployment.id,
            "status": if is_primary { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": deployment.definition,
            "desiredCount": desired,
            "pendingCount": pending,
            "runningCount": running,
            "failedTasks": deployment.failed,
            "createdAt": time(deployment.created_at),
            "updatedAt": time(deployment.updated_at),
        });
        for key in
            ["launchType", "platformVersion", "networkConfiguration", "capacityProviderStrategy"]
        {
            put(&mut json, key, self.settings.get(key).cloned());
        }
        // A rollout state is told of rolling updates only.
        if self.settings["deploymentController"]["type"] == "ECS" {
            json["rolloutState"] = json!(match deployment.state {
                Rollout::InProgress => "IN_PROGRESS",
                Rollout::Completed => "COMPLETED",
                Rollout::Failed => "FAILED",
            });
            json["rolloutStateReason"] = json!(deployment.reason);
        }
        json
    }
}

pub(crate) fn create_cluster(cloud: &mut Cloud, body: &Json) -> Given {
    let name = text(body, "clusterName").unwrap_or("default").to_owned();
    let arn = cloud.names.arn(&format!("cluster/{name}"));
    let cluster = cloud.clusters.entry(name.clone()).or_insert_with(|| Cluster {
        name: name.clone(),
        arn: arn.clone(),
        services: BTreeMap::new(),
        tasks: BTreeMap::new(),
        tokens: BTreeMap::new(),
        is_full: false,
    });
    Ok(json!({"cluster": {
        "clusterArn": arn, "clusterName": name, "status": "ACTIVE",
        "activeServicesCount": cluster.services.len(),
        "runningTasksCount": cluster.tasks.values().filter(|it| it.phase == Phase::Running).count(),
    }}))
}

pub(crate) fn describe(cloud: &Cloud, body: &Json) -> Given {
    let cluster = cloud.cluster(body)?;
    let names = texts(body, "services");
    if names.is_empty() {
        return Err(Refused::parameter("Services cannot be empty."));
    }
    if names.len() > DESCRIBED_MAX {
        return Err(Refused::parameter("Services can have at most 10 items."));
    }
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match cluster.services.get(short(&name)) {
            Some(service) => services.push(service.seen(cloud.now, &cluster.tasks)),
            None => {
                let arn = format!("service/{}/{}", cluster.name, short(&name));
                failures.push(json!({"arn": cloud.names.arn(&arn), "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"services": services, "failures": failures}))
}

/// As the answer to a write tells it: as it is now.
pub(crate) fn fresh(service: &Service, tasks: &BTreeMap<String, Task>) -> Json {
    json!({"service": service.json(tasks)})
}
