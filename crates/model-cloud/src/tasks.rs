//! Tasks: how one lives, and what is asked of them.
//!
//! ```text
//!   PROVISIONING ─▶ PENDING ─▶ RUNNING ─▶ DEACTIVATING ─▶ STOPPING ─▶ DEPROVISIONING ─▶ STOPPED
//!                      └── (cannot be pulled) ──────────────────────▶
//! ```

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, page, put, text, texts, time};
use crate::cloud::{Cloud, Cluster};
use crate::definitions::Definition;
use crate::image::Image;
use crate::logs::Line;
use crate::names::short;
use crate::secrets;

/// An elastic network interface.
const PROVISIONING_MS: u64 = 2000;
/// Pulling and starting.
const PENDING_MS: u64 = 3000;
/// A container that hears SIGTERM.
const STOPPING_MS: u64 = 1000;
/// One that does not: `stopTimeout` of the platform.
const DEAF_STOPPING_MS: u64 = 30_000;
const DEPROVISIONING_MS: u64 = 2000;
/// Two checks of a load balancer, thirty seconds apart.
const ASKED_AFTER_MS: u64 = 60_000;
/// Three checks, thirty seconds apart, the defaults of a container's health check.
const UNHEALTHY_AFTER_MS: u64 = 90_000;
/// How long a stopped task can be looked at.
const REMEMBERED_MS: u64 = 3_600_000;
/// The most tasks of one DescribeTasks.
const DESCRIBED_MAX: usize = 100;
/// The most tasks of one RunTask.
const RUN_MAX: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Provisioning,
    Pending,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Phase::Provisioning => "PROVISIONING",
            Phase::Pending => "PENDING",
            Phase::Running => "RUNNING",
            Phase::Deactivating => "DEACTIVATING",
            Phase::Stopping => "STOPPING",
            Phase::Deprovisioning => "DEPROVISIONING",
            Phase::Stopped => "STOPPED",
        }
    }
}

/// How a task's health is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskHealth {
    /// Nobody asks.
    Unknown,
    Healthy,
    Unhealthy,
}

/// How a task's health is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nobody,
    Container,
    LoadBalancer { grace_ms: u64 },
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: String,
    arn: String,
    cluster_arn: String,
    pub(crate) definition: String,
    pub(crate) group: String,
    started_by: String,
    /// The deployment that counts it as its own.
    pub(crate) owner: String,
    pub(crate) phase: Phase,
    since: u64,
    created_at: u64,
    started_at: Option<u64>,
    stopping_at: Option<u64>,
    pub(crate) stopped_at: Option<u64>,
    pub(crate) stop_code: Option<&'static str>,
    pub(crate) stopped_reason: Option<String>,
    containers: Vec<Container>,
    pub(crate) asked: Asked,
    /// Its health as of the last tick.
    pub(crate) health: TaskHealth,
    /// It was healthy (or ran, where nobody asks) once.
    pub(crate) was_well: bool,
    /// The service's scheduler took note of its end.
    pub(crate) is_counted: bool,
    /// How long its target takes to let go of it.
    drain_ms: u64,
    visible_from: u64,
    platform: Json,
    overrides: Json,
    tags: Json,
}

#[derive(Clone, Debug)]
struct Container {
    name: String,
    image: String,
    is_essential: bool,
    has_check: bool,
    behaviour: Image,
    exit_code: Option<i64>,
    reason: Option<String>,
    has_ended: bool,
    /// Where it prints: group and prefix.
    log: Option<(String, String)>,
}

/// What a new task is made of.
pub(crate) struct Making<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) group: String,
    pub(crate) started_by: String,
    pub(crate) asked: Asked,
    pub(crate) drain_ms: u64,
    pub(crate) platform: Json,
    pub(crate) overrides: Json,
    pub(crate) tags: Json,
}

pub(crate) fn make(cloud: &mut Cloud, cluster: &Cluster, making: Making<'_>) -> Task {
    let id = cloud.names.hex();
    let commands = making.overrides["containerOverrides"].as_array().cloned().unwrap_or_default();
    let containers = making.definition.containers().iter().map(|it| {
        let name = text(it, "name").unwrap_or_default().to_owned();
        let image = text(it, "image").unwrap_or_default().to_owned();
        let command = commands.iter().find(|over| text(over, "name") == Some(&name));
        let command = command.map(|over| texts(over, "command")).filter(|it| !it.is_empty());
        let options = &it["logConfiguration"]["options"];
        let log = text(options, "awslogs-group").zip(text(options, "awslogs-stream-prefix"));
        Container {
            behaviour: cloud.behaviour(&image, command.map(|it| it.join(" ")).as_deref()),
            is_essential: it["essential"].as_bool() != Some(false),
            has_check: it.get("healthCheck").is_some(),
            exit_code: None,
            reason: None,
            has_ended: false,
            log: log.map(|(group, prefix)| (group.to_owned(), prefix.to_owned())),
            name,
            image,
        }
    });
    Task {
        arn: cloud.names.arn(&format!("task/{}/{id}", cluster.name)),
        cluster_arn: cluster.arn.clone(),
        definition: making.definition.arn.clone(),
        group: making.group,
        owner: making.started_by.clone(),
        started_by: making.started_by,
        phase: Phase::Provisioning,
        since: cloud.now,
        created_at: cloud.now,
        started_at: None,
        stopping_at: None,
        stopped_at: None,
        stop_code: None,
        stopped_reason: None,
        containers: containers.collect(),
        asked: making.asked,
        health: TaskHealth::Unknown,
        was_well: false,
        is_counted: false,
        drain_ms: making.drain_ms,
        visible_from: cloud.now + cloud.lag_ms,
        platform: making.platform,
        overrides: making.overrides,
        tags: making.tags,
        id,
    }
}

/// A second passes for a task.
pub(crate) fn tick(cloud: &mut Cloud, task: &mut Task) {
    let elapsed = cloud.now - task.since;
    match task.phase {
        Phase::Provisioning if elapsed >= PROVISIONING_MS => task.go(Phase::Pending, cloud.now),
        Phase::Pending if elapsed >= PENDING_MS => start(cloud, task),
        Phase::Running => run_on(cloud, task),
        Phase::Deactivating if elapsed >= task.drain_ms => task.go(Phase::Stopping, cloud.now),
        Phase::Stopping if elapsed >= task.stopping_ms() => {
            task.end_containers();
            task.go(Phase::Deprovisioning, cloud.now);
        }
        Phase::Deprovisioning if elapsed >= DEPROVISIONING_MS => {
            task.stopped_at = Some(cloud.now);
            task.go(Phase::Stopped, cloud.now);
        }
        _ => {}
    }
}

fn start(cloud: &mut Cloud, task: &mut Task) {
    if let Some(said) = without_secrets(cloud, task) {
        task.stop_code = Some("TaskFailedToStart");
        task.stopped_reason = Some(said);
        task.stopping_at = Some(cloud.now);
        task.go(Phase::Deprovisioning, cloud.now);
        return;
    }
    let unpullable = task.containers.iter_mut().find(|it| it.behaviour.pull_error.is_some());
    if let Some(container) = unpullable {
        let said = container.behaviour.pull_error.clone().unwrap_or_default();
        container.reason = Some(said.clone());
        task.stop_code = Some("TaskFailedToStart");
        task.stopped_reason = Some(said);
        task.stopping_at = Some(cloud.now);
        task.go(Phase::Deprovisioning, cloud.now);
        return;
    }
    task.started_at = Some(cloud.now);
    task.go(Phase::Running, cloud.now);
    for container in &task.containers {
        let Some((group, prefix)) = &container.log else { continue };
        let stream = format!("{prefix}/{}/{}", container.name, task.id);
        let lines = cloud.logs.entry((group.clone(), stream)).or_default();
        let printed = container.behaviour.prints.iter();
        lines.extend(printed.map(|text| Line { at: cloud.now, text: text.clone() }));
    }
    run_on(cloud, task);
}

/// Why a task does not get its role, its log or the secrets of its containers: they come before its
/// images.
fn without_secrets(cloud: &Cloud, task: &Task) -> Option<String> {
    let definition = cloud.definition(&task.definition)?;
    let roles = ["executionRoleArn", "taskRoleArn"].map(|it| definition.body[it].as_str());
    if let Some(role) = roles.into_iter().flatten().find(|it| cloud.gone.contains(*it)) {
        return Some(format!(
            "ECS was unable to assume the role '{role}' that was provided for this task."
        ));
    }
    let options = definition.containers().iter().map(|it| &it["logConfiguration"]["options"]);
    let mut groups = options.filter_map(|it| it["awslogs-group"].as_str());
    if let Some(group) = groups.find(|it| cloud.gone.contains(*it)) {
        return Some(format!(
            "ResourceInitializationError: failed to validate logger args: the log group {group} does \
             not exist"
        ));
    }
    let wanted = definition.containers().iter().flat_map(|it| {
        let secrets = it.get("secrets").and_then(Json::as_array).into_iter().flatten();
        secrets.filter_map(|it| it["valueFrom"].as_str())
    });
    wanted.into_iter().find_map(|it| secrets::unreadable(cloud, it))
}

fn run_on(cloud: &Cloud, task: &mut Task) {
    let elapsed = cloud.now - task.since;
    for container in &mut task.containers {
        if let Some((after, code)) = container.behaviour.exits
            && !container.has_ended
            && elapsed >= after
        {
            container.has_ended = true;
            container.exit_code = Some(code);
            if container.is_essential && task.stop_code.is_none() {
                task.stop_code = Some("EssentialContainerExited");
                task.stopped_reason = Some("Essential container in task exited".to_owned());
            }
        }
    }
    if task.stop_code.is_some() {
        task.stopping_at = Some(cloud.now);
        task.go(Phase::Stopping, cloud.now);
        return;
    }
    task.health = task.health_after(elapsed);
    task.was_well |= task.is_well();
}

impl Task {
    fn go(&mut self, phase: Phase, now: u64) {
        self.phase = phase;
        self.since = now;
    }

    fn stopping_ms(&self) -> u64 {
        let deaf = self.containers.iter().any(|it| it.behaviour.deaf && !it.has_ended);
        if deaf { DEAF_STOPPING_MS } else { STOPPING_MS }
    }

    /// Those that still run hear SIGTERM, and SIGKILL where they do not.
    fn end_containers(&mut self) {
        for container in self.containers.iter_mut().filter(|it| !it.has_ended) {
            container.has_ended = true;
            container.exit_code = Some(if container.behaviour.deaf { 137 } else { 143 });
        }
    }

    fn health_after(&self, elapsed: u64) -> TaskHealth {
        let (checked, patience): (Vec<&Container>, u64) = match self.asked {
            Asked::Nobody => return TaskHealth::Unknown,
            Asked::Container => {
                let checked = self.containers.iter().filter(|it| it.has_check);
                (checked.collect(), UNHEALTHY_AFTER_MS)
            }
            Asked::LoadBalancer { grace_ms } => {
                let checked = self.containers.iter().filter(|it| it.is_essential);
                (checked.collect(), UNHEALTHY_AFTER_MS + grace_ms)
            }
        };
        if checked.iter().any(|it| it.behaviour.is_past_health(elapsed)) {
            return TaskHealth::Unhealthy;
        }
        let healthy = checked.iter().all(|it| it.behaviour.is_healthy(elapsed));
        match healthy {
            true => TaskHealth::Healthy,
            false if elapsed >= patience => TaskHealth::Unhealthy,
            false => TaskHealth::Unknown,
        }
    }

    /// Its address in the network of the account.
    pub(crate) fn address(&self) -> String {
        let mut parts = self.id.bytes().rev();
        let (low, high) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        format!("10.0.{high}.{low}")
    }

    /// A load balancer asked it twice: enough to call it unhealthy.
    pub(crate) fn was_asked(&self, now: u64) -> bool {
        self.started_at.is_some_and(|at| now >= at + ASKED_AFTER_MS)
    }

    /// It runs, and is healthy where somebody asks.
    pub(crate) fn is_well(&self) -> bool {
        let asked = self.asked != Asked::Nobody;
        self.phase == Phase::Running && (!asked || self.health == TaskHealth::Healthy)
    }

    /// It is to run, as far as ECS wants.
    pub(crate) fn is_wanted(&self) -> bool {
        self.phase <= Phase::Running
    }

    pub(crate) fn order_stop(&mut self, now: u64, code: &'static str, reason: &str) {
        if !self.is_wanted() {
            return;
        }
        self.stop_code = Some(code);
        self.stopped_reason = Some(reason.to_owned());
        self.stopping_at = Some(now);
        match self.phase {
            Phase::Running if self.drain_ms > 0 => self.go(Phase::Deactivating, now),
            Phase::Running => self.go(Phase::Stopping, now),
            _ => self.go(Phase::Deprovisioning, now),
        }
    }

    fn json(&self, cloud: &Cloud) -> Json {
        let wanted = if self.is_wanted() { "RUNNING" } else { "STOPPED" };
        let containers: Vec<Json> =
            self.containers.iter().map(|it| self.container_json(cloud, it)).collect();
        let mut json = json!({
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition,
            "group": self.group,
            "startedBy": self.started_by,
            "lastStatus": self.phase.as_str(),
            "desiredStatus": wanted,
            "healthStatus": self.health_word(self.asked != Asked::Nobody),
            "createdAt": time(self.created_at),
            "containers": containers,
            "overrides": self.overrides,
            "tags": self.tags,
            "attachments": [],
            "attributes": [],
            "version": 1,
        });
        for (key, value) in self.platform.as_object().into_iter().flatten() {
            json[key] = value.clone();
        }
        put(&mut json, "startedAt", self.started_at.map(time));
        put(&mut json, "stoppingAt", self.stopping_at.map(time));
        put(&mut json, "stoppedAt", self.stopped_at.map(time));
        put(&mut json, "stopCode", self.stop_code.map(|it| json!(it)));
        put(&mut json, "stoppedReason", self.stopped_reason.as_ref().map(|it| json!(it)));
        json
    }

    fn container_json(&self, cloud: &Cloud, container: &Container) -> Json {
        let status = match self.phase {
            _ if container.has_ended => "STOPPED",
            Phase::Provisioning | Phase::Pending => "PENDING",
            Phase::Running | Phase::Deactivating | Phase::Stopping => "RUNNING",
            Phase::Deprovisioning | Phase::Stopped => "STOPPED",
        };
        let mut json = json!({
            "containerArn": format!("{}/{}", self.arn.replace(":task/", ":container/"), container.name),
            "taskArn": self.arn,
            "name": container.name,
            "image": container.image,
            "lastStatus": status,
            "healthStatus": self.health_word(container.has_check),
            "networkBindings": [],
            "networkInterfaces": [],
        });
        let digest = container.image.split_once('@').map(|(_, digest)| digest);
        let digest = digest.or_else(|| cloud.tags.get(&container.image).map(String::as_str));
        if self.started_at.is_some() {
            put(&mut json, "imageDigest", digest.map(|it| json!(it)));
        }
        put(&mut json, "exitCode", container.exit_code.map(|it| json!(it)));
        put(&mut json, "reason", container.reason.as_ref().map(|it| json!(it)));
        json
    }

    fn health_word(&self, asked: bool) -> &'static str {
        match self.health {
            _ if !asked => "UNKNOWN",
            TaskHealth::Unknown => "UNKNOWN",
            TaskHealth::Healthy => "HEALTHY",
            TaskHealth::Unhealthy => "UNHEALTHY",
        }
    }
}

/// Stopped tasks are forgotten after an hour.
pub(crate) fn forget(now: u64, cluster: &mut Cluster) {
    let is_old = |it: &Task| it.stopped_at.is_some_and(|at| at + REMEMBERED_MS < now);
    cluster
        .tasks
        .retain(|_, task| !(task.is_counted || task.group.starts_with("family:")) || !is_old(task));
}

/// What a RunTask may ask for.
fn runnable(cloud: &Cloud, body: &Json) -> Result<Definition, Refused> {
    let name = needed(body, "taskDefinition")?;
    if body.get("launchType").is_some() && body.get("capacityProviderStrategy").is_some() {
        let said = "Specifying both a launch type and capacity provider strategy is not supported. \
                    Remove one and try again.";
        return Err(Refused::parameter(said));
    }
    if !(1..=RUN_MAX).contains(&count(body)) {
        return Err(Refused::parameter("count must be between 1 and 10"));
    }
    if text(body, "startedBy").is_some_and(|it| it.len() > 128) {
        return Err(Refused::parameter("startedBy is longer than 128 characters"));
    }
    let definition = cloud.definition(name).cloned();
    let definition = definition.ok_or_else(|| Refused::client("TaskDefinition not found."))?;
    if !definition.is_active {
        return Err(Refused::client("TaskDefinition is inactive"));
    }
    let awsvpc = definition.body["networkMode"] == "awsvpc";
    if awsvpc && body.get("networkConfiguration").is_none() {
        let said = "Network Configuration must be provided when networkMode 'awsvpc' is specified.";
        return Err(Refused::parameter(said));
    }
    for over in body["overrides"]["containerOverrides"].as_array().into_iter().flatten() {
        let name = needed(over, "name")?;
        if !definition.containers().iter().any(|it| text(it, "name") == Some(name)) {
            let said = format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            );
            return Err(Refused::parameter(said));
        }
    }
    Ok(definition)
}

fn count(body: &Json) -> u64 {
    body.get("count").and_then(Json::as_u64).unwrap_or(1)
}

pub(crate) fn run(cloud: &mut Cloud, body: &Json) -> Given {
    let definition = runnable(cloud, body)?;
    cloud.within(body, |cloud, cluster| {
        let token = text(body, "clientToken").map(str::to_owned);
        if let Some((asked, ids)) = token.as_ref().and_then(|it| cluster.tokens.get(it)) {
            let found = ids.iter().filter_map(|id| cluster.tasks.get(id));
            if asked != body {
                let said = "The clientToken is already in use with other parameters.";
                let arns: Vec<&str> = found.map(|it| it.arn.as_str()).collect();
                let refused = Refused::new("ConflictException", said);
                return Err(refused.with("resourceIds", json!(arns)));
            }
            let tasks: Vec<Json> = found.map(|it| it.json(cloud)).collect();
            return Ok(json!({"tasks": tasks, "failures": []}));
        }
        if cluster.is_full {
            let failure = json!({"arn": cluster.arn, "reason": "RESOURCE:MEMORY"});
            return Ok(json!({"tasks": [], "failures": [failure]}));
        }
        let mut tasks = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..count(body) {
            let family = definition.body["family"].as_str().unwrap_or_default();
            let group = text(body, "group").map_or(format!("family:{family}"), str::to_owned);
            let making = Making {
                definition: &definition,
                group,
                started_by: text(body, "startedBy").unwrap_or_default().to_owned(),
                asked: Asked::Nobody,
                drain_ms: 0,
                platform: platform(body),
                overrides: body.get("overrides").cloned().unwrap_or_else(|| json!({})),
                tags: body.get("tags").cloned().unwrap_or_else(|| json!([])),
            };
            let task = make(cloud, cluster, making);
            tasks.push(task.json(cloud));
            ids.push(task.id.clone());
            cluster.tasks.insert(task.id.clone(), task);
        }
        if let Some(token) = token {
            cluster.tokens.insert(token, (body.clone(), ids));
        }
        Ok(json!({"tasks": tasks, "failures": []}))
    })
}

/// What a task says of where it runs.
pub(crate) fn platform(body: &Json) -> Json {
    let mut platform = json!({});
    for key in ["launchType", "platformVersion"] {
        put(&mut platform, key, body.get(key).cloned());
    }
    platform
}

pub(crate) fn stop(cloud: &mut Cloud, body: &Json) -> Given {
    let id = short(needed(body, "task")?).to_owned();
    let reason = text(body, "reason").unwrap_or("Task stopped by user").to_owned();
    cloud.within(body, |cloud, cluster| {
        let found = cluster.tasks.get_mut(&id);
        let found =
            found.ok_or_else(|| Refused::parameter("The referenced task was not found."))?;
        found.order_stop(cloud.now, "UserInitiated", &reason);
        Ok(json!({"task": found.json(cloud)}))
    })
}

pub(crate) fn list(cloud: &Cloud, body: &Json) -> Given {
    let cluster = cloud.cluster(body)?;
    let (started_by, family) = (text(body, "startedBy"), text(body, "family"));
    let service = text(body, "serviceName").map(short);
    let stopped = text(body, "desiredStatus") == Some("STOPPED");
    if started_by.is_some() && (family.is_some() || service.is_some()) {
        return Err(Refused::parameter("When startedBy is specified, it must be the only filter."));
    }
    if let Some(service) = service
        && !cluster.services.contains_key(service)
    {
        return Err(Refused::new("ServiceNotFoundException", "Service not found."));
    }
    let is_asked_for = |task: &&Task| {
        let definition = short(&task.definition);
        task.visible_from <= cloud.now
            && task.is_wanted() != stopped
            && started_by.is_none_or(|it| it == task.started_by)
            && family.is_none_or(|it| definition.split_once(':').is_some_and(|(of, _)| of == it))
            && service.is_none_or(|it| task.group.strip_prefix("service:") == Some(it))
    };
    let arns: Vec<String> =
        cluster.tasks.values().filter(is_asked_for).map(|it| it.arn.clone()).collect();
    let (arns, next) = page(body, &arns)?;
    let mut answer = json!({"taskArns": arns});
    put(&mut answer, "nextToken", next);
    Ok(answer)
}

pub(crate) fn describe(cloud: &Cloud, body: &Json) -> Given {
    let cluster = cloud.cluster(body)?;
    let names = texts(body, "tasks");
    if names.is_empty() {
        return Err(Refused::parameter("Tasks cannot be empty."));
    }
    if names.len() > DESCRIBED_MAX {
        return Err(Refused::parameter("Tasks can have at most 100 items."));
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let found = cluster.tasks.get(short(&name)).filter(|it| it.visible_from <= cloud.now);
        match found {
            Some(task) => tasks.push(task.json(cloud)),
            None => {
                let arn = cloud.names.arn(&format!("task/{}/{}", cluster.name, short(&name)));
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
    }
    Ok(json!({"tasks": tasks, "failures": failures}))
}
