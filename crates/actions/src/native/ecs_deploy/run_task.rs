//! One task, run before the service is touched: a migration, as a rule.

use std::time::Instant;

use aws::EcsTask;
use serde_json::{Value as Json, json};

use super::{Calls, deadline, is_true, look_every, parsed, volumes};
use crate::native::cloud;
use crate::native::step::{Failure, Step};

pub(super) fn run(
    step: &mut Step,
    calls: &mut Calls,
    cluster: &str,
    definition: &str,
) -> Result<(), Failure> {
    let body = body(step, cluster, definition)?;
    let launched =
        calls.call(step, "Failed to run a task in ECS", |client| client.run_task(&body))?;
    let arns: Vec<&str> = launched.task.iter().map(|task| &*task.task_arn).collect();
    step.output("run-task-arn", &json!(arns).to_string());
    if !launched.failures.is_empty() {
        return Err(Failure::new(format!("no task runs: {}", launched.failures.join("; "))));
    }
    let Some(task) = launched.task else {
        return Err(Failure::new("ECS ran no task and gave no reason"));
    };
    step.info(&format!("Task running: {}", task.task_arn));
    if !is_true(step, "wait-for-task-stopped") {
        return Ok(());
    }
    let stopped = wait(step, calls, cluster, &task.task_arn)?;
    judge(&stopped)
}

fn body(step: &Step, cluster: &str, definition: &str) -> Result<Json, Failure> {
    let list = |input: &str| match step.given(input) {
        Some(text) => parsed(input, &text),
        None => Ok(json!([])),
    };
    let names = |input: &str| -> Vec<String> {
        let text = step.input(input);
        text.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let mut body = json!({
        "cluster": cluster,
        "taskDefinition": definition,
        "startedBy": step.given("run-task-started-by").unwrap_or_else(|| "GitHub-Actions".to_owned()),
        "overrides": {"containerOverrides": list("run-task-container-overrides")?},
        "tags": list("run-task-tags")?,
    });
    let providers = list("run-task-capacity-provider-strategy")?;
    if providers.as_array().is_some_and(|it| !it.is_empty()) {
        body["capacityProviderStrategy"] = providers;
    } else {
        let launch = step.given("run-task-launch-type");
        body["launchType"] = json!(launch.unwrap_or_else(|| "FARGATE".to_owned()));
    }
    let (subnets, groups) = (names("run-task-subnets"), names("run-task-security-groups"));
    if !subnets.is_empty() || !groups.is_empty() {
        let public = step.given("run-task-assign-public-IP");
        let mut network =
            json!({"assignPublicIp": public.unwrap_or_else(|| "DISABLED".to_owned())});
        for (member, names) in [("subnets", subnets), ("securityGroups", groups)] {
            if !names.is_empty() {
                network[member] = json!(names);
            }
        }
        body["networkConfiguration"] = json!({ "awsvpcConfiguration": network });
    }
    if step.given("enable-ecs-managed-tags").is_some() {
        body["enableECSManagedTags"] = json!(is_true(step, "enable-ecs-managed-tags"));
    }
    let names = ("run-task-managed-ebs-volume-name", "run-task-managed-ebs-volume");
    if let Some(volumes) = volumes(step, names)? {
        body["volumeConfigurations"] = volumes;
    }
    Ok(body)
}

fn wait(step: &Step, calls: &mut Calls, cluster: &str, arn: &str) -> Result<EcsTask, Failure> {
    let (deadline, minutes) = deadline(step);
    step.info(&format!("Waiting for tasks to stop. Will wait for {minutes} minutes"));
    loop {
        match calls.client.describe_task(cluster, arn) {
            Ok(Some(task)) if task.last_status == "STOPPED" => return Ok(task),
            Ok(_) => {}
            Err(fault) if fault.may_pass() => step.info(&format!("{fault}; asking again")),
            Err(fault) => return Err(cloud::failed(&fault, "the task cannot be watched")),
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "Waiter has timed out: the task did not stop within {minutes} minutes"
            )));
        }
        std::thread::sleep(look_every(step));
    }
}

/// A container without an exit code never ran.
fn judge(task: &EcsTask) -> Result<(), Failure> {
    let failed: Vec<String> = task
        .containers
        .iter()
        .filter(|it| it.exit_code != Some(0))
        .map(|it| {
            let code =
                it.exit_code.map_or("no exit code".to_owned(), |it| format!("exit code {it}"));
            let reason = it.reason.as_ref().map_or(String::new(), |it| format!(", {it}"));
            format!("{}: {code}{reason}", it.name)
        })
        .collect();
    if failed.is_empty() && !task.containers.is_empty() {
        return Ok(());
    }
    let reason = task.stopped_reason.as_deref().unwrap_or("no reason was given");
    Err(Failure::new(format!("Run task failed: {} ({reason})", failed.join("; "))))
}
