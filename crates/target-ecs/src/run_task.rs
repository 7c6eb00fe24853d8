//! A task that runs once: a migration in the new revision, or a person's command in what runs.

use std::time::Duration;

use aws::EcsTask;
use event::{Cause, CauseCode, DeployStepKey, DeployStepKind, PlannedStep, Undo};
use mask::MaskedText;
use ports::{Order, Progress};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::calls;
use crate::config::EcsConfig;
use crate::evidence::{log_of, named, of_task, with_log};
use crate::target::{Carried, EcsTarget, Stop, is_last_look, underway};
use crate::update::active;
use crate::words::{revision, text};

/// ECS forgets stopped tasks after about an hour. Later nobody can say whether one ran.
const FORGOTTEN_MS: u64 = 50 * 60 * 1000;

/// Lines of each container that are shown to whoever ran a command: a page of CloudWatch's.
const PRINTED_LINES_MAX: u32 = 2_000;

/// The body of the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunTask {
    /// The key of the step that registers the revision.
    pub(crate) register: String,
    /// The command.
    pub(crate) run: Vec<String>,
}

/// A migration as a step around a service's change: the command in a task of the new revision,
/// once, before anything that runs is changed.
pub fn migration(service: &str, run: &[String], within: Duration) -> PlannedStep {
    use crate::target::Deed;
    let register = DeployStepKey::new(service, "register").as_str().to_owned();
    PlannedStep {
        key: DeployStepKey::new(service, "migrate"),
        kind: DeployStepKind::Migrate,
        what: text(format!("runs `{}` in a task of the new revision", run.join(" "))),
        calls: calls::of_run_task(),
        undo: Undo::Never { why: text("what a migration did to the data stays") },
        within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        body: json!(Deed::RunTask(RunTask { register, run: run.to_vec() })),
    }
}

/// A command that a person wants to run beside the service, in a task of the revision that runs.
pub fn task(service: &str, run: &[String], within: Duration) -> PlannedStep {
    PlannedStep {
        key: DeployStepKey::new(service, "task"),
        kind: DeployStepKind::Task,
        what: text(format!("runs `{}` in a task", run.join(" "))),
        undo: Undo::Never { why: text("what a command did stays") },
        ..migration(service, run, within)
    }
}

/// What the task of a step printed.
pub(crate) fn printed(
    target: &mut EcsTarget,
    config: &EcsConfig,
    effect: &Json,
) -> Result<Vec<MaskedText>, String> {
    let Some(arn) = effect["task"].as_str() else { return Ok(Vec::new()) };
    let task = target.client.describe_task(&config.cluster, arn);
    let task = task.map_err(|fault| format!("the task was not shown: {fault}"))?;
    // ECS forgets tasks after an hour.
    let Some(task) = task else { return Ok(Vec::new()) };
    match log_of(target, &task, PRINTED_LINES_MAX) {
        (lines, unshown) if unshown.is_empty() => Ok(lines),
        (_, unshown) => Err(unshown.join("; ")),
    }
}

pub(crate) fn forward(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    wanted: &RunTask,
) -> Carried {
    let effect = order.effects.iter().find(|(key, _)| key.as_str() == wanted.register);
    let arn = effect.and_then(|(_, effect)| effect["task_definition"].as_str());
    let Some((arn, (family, _))) = arn.and_then(|it| Some((it, revision(it)?))) else {
        let said = "nothing was registered that a task could run";
        return Err(Cause::new(CauseCode::Fault, text(said)).into());
    };
    let started_by = format!("launchway/{}/{}", order.deployment, order.since.0);
    let found = find(target, config, family, &started_by)?;
    if let Some(task) = found {
        return judge(target, order, config, &task);
    }
    if order.now.0 > order.since.0 + FORGOTTEN_MS {
        let said =
            "nobody can say any more whether the command ran: ECS forgets tasks after an hour";
        let cause = Cause::new(CauseCode::Unavailable, text(said));
        return Err(failed(order, cause).into());
    }
    let body = request(target, order, config, wanted, arn, &started_by)?;
    let launched = match target.client.run_task(&body) {
        // It runs, and the service is another since.
        Err(fault) if fault.is("ConflictException") => {
            let first = fault.resources.first().cloned().unwrap_or_default();
            let task = target.client.describe_task(&config.cluster, &first)?;
            return Ok(match task {
                Some(task) => judge(target, order, config, &task)?,
                None => underway(order, "ECS does not show the task yet"),
            });
        }
        other => other?,
    };
    if launched.task.is_none() {
        let said = format!("no task was started: {}", launched.failures.join(", "));
        let cause = Cause::new(CauseCode::NotStarted, target.masked(&said));
        return Err(failed(order, cause).into());
    }
    Ok(underway(order, "the task starts"))
}

/// The task of this order, wanted or stopped.
fn find(
    target: &mut EcsTarget,
    config: &EcsConfig,
    family: &str,
    started_by: &str,
) -> Result<Option<EcsTask>, Stop> {
    for status in ["RUNNING", "STOPPED"] {
        let tasks = target.client.tasks(&config.cluster, ("family", family), status)?;
        let mine = tasks.into_iter().find(|it| it.started_by.as_deref() == Some(started_by));
        if mine.is_some() {
            return Ok(mine);
        }
    }
    Ok(None)
}

fn request(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    wanted: &RunTask,
    arn: &str,
    started_by: &str,
) -> Result<Json, Stop> {
    let service = active(target, config)?;
    let container = match &config.container {
        Some(named) => named.clone(),
        None => {
            let definition = target.client.describe_task_definition(arn)?;
            let first = definition.body["containerDefinitions"][0]["name"].as_str();
            first.unwrap_or_default().to_owned()
        }
    };
    let mut body = json!({
        "cluster": config.cluster,
        "taskDefinition": arn,
        "count": 1,
        "startedBy": started_by,
        "clientToken": token(order),
        "overrides": {"containerOverrides": [{"name": container, "command": wanted.run}]},
    });
    // It runs where the service runs. Never both: ECS refuses that.
    match (service.capacity_provider_strategy, service.launch_type) {
        (Some(strategy), _) if strategy.as_array().is_some_and(|it| !it.is_empty()) => {
            body["capacityProviderStrategy"] = strategy;
        }
        (_, Some(launch_type)) => body["launchType"] = json!(launch_type),
        _ => {}
    }
    if let Some(network) = service.network_configuration {
        body["networkConfiguration"] = network;
    }
    if let Some(version) = service.platform_version {
        body["platformVersion"] = json!(version);
    }
    Ok(body)
}

/// The same for the same order, whoever carries it on: at most 64 letters.
fn token(order: &Order<'_>) -> String {
    let service = &order.service.service;
    let said = format!("{service}/{}/{}/{}", order.deployment, order.step.key, order.since.0);
    let hash = Sha256::digest(said.as_bytes());
    hash.iter().take(24).fold("lw-".to_owned(), |token, byte| format!("{token}{byte:02x}"))
}

fn judge(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    task: &EcsTask,
) -> Result<Progress, Stop> {
    if task.last_status != "STOPPED" {
        if !is_last_look(order) {
            return Ok(underway(order, format!("the task is {}", task.last_status)));
        }
        // Whoever runs something for an order ends that before its time is over.
        target.client.stop_task(&config.cluster, &task.task_arn, "its time was over")?;
        let said =
            Cause::new(CauseCode::TimedOut, text("the task still ran when its time was over"));
        return Ok(Progress::Failed(failed(order, with_log(target, said, task))));
    }
    let container = task.containers.iter().find(|it| match &config.container {
        Some(named) => *named == it.name,
        None => true,
    });
    let code = container.and_then(|it| it.exit_code);
    let exited = task.stop_code.as_deref() == Some("EssentialContainerExited");
    let others = task.containers.iter().filter(|it| {
        Some(&it.name) != container.map(|it| &it.name) && it.exit_code.is_some_and(is_failure)
    });
    if exited && code == Some(0) && others.count() == 0 {
        return Ok(Progress::Done { effect: json!({"task": task.task_arn, "exit_code": 0}) });
    }
    let cause = match code {
        Some(code) => Cause::new(CauseCode::Exited, text(format!("it ended with {}", named(code)))),
        None => Cause::new(CauseCode::NotStarted, text("it never ran")),
    };
    let cause = of_task(target, cause, task);
    Ok(Progress::Failed(failed(order, with_log(target, cause, task))))
}

/// A container beside the migration's that failed by itself: SIGTERM and SIGKILL come from ECS when
/// the migration is over.
fn is_failure(code: i64) -> bool {
    ![0, 137, 143].contains(&code)
}

fn failed(order: &Order<'_>, because: Cause) -> Cause {
    if order.step.kind == DeployStepKind::Task {
        return because;
    }
    Cause::new(CauseCode::MigrationFailed, text("the migration failed")).because(because)
}
