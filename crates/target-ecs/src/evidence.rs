//! What shows why a deployment, or a task, did not do what it should.

use std::cmp::Ordering;

use aws::{EcsContainer, EcsService, EcsTask, Fault};
use event::{Cause, CauseCode, EvidenceKind};
use mask::MaskedText;

use crate::balancers::with_targets;
use crate::config::EcsConfig;
use crate::target::EcsTarget;
use crate::update::history_denied;
use crate::verdict::Mine;
use crate::words::text;

/// So many ways to end are shown.
const TASKS_MAX: usize = 3;
/// A look is made so often at the most.
const LOOKS_MAX: usize = 3;
/// So many events of the service.
const EVENTS_MAX: usize = 5;
/// So many lines of a container.
const LINES_MAX: u32 = 20;

/// How a container ends that hears it.
const SIGTERM: i64 = 143;

/// Adds it to a cause about a deployment, and lets the tasks say which kind of cause it is. What
/// cannot be had is said, and keeps nobody from a verdict.
pub(crate) fn collect(
    target: &mut EcsTarget,
    config: &EcsConfig,
    service: &EcsService,
    mine: &Mine<'_>,
    mut cause: Cause,
) -> Cause {
    let of = ("serviceName", config.service.as_str());
    match again(|| target.client.tasks(&config.cluster, of, "STOPPED")) {
        Err(fault) => cause = said(cause, format!("the stopped tasks were not shown: {fault}")),
        Ok(tasks) => {
            let is_mine =
                |it: &EcsTask| it.task_definition_arn == mine.revision && !was_scaled_in(it);
            let own = tasks.into_iter().filter(is_mine).collect();
            cause = of_tasks(target, cause, own);
        }
    }
    cause = with_targets(target, service, cause);
    if let Some(fault) = history_denied(target, config, mine.revision) {
        cause = said(cause, format!("what ECS remembers of the deployment was not shown: {fault}"));
    }
    let since = mine.created_at.unwrap_or(f64::MAX);
    let events = service.events.iter().filter(|it| it.created_at >= since);
    let telling = events.filter(|it| !it.message.contains("has started"));
    for event in telling.take(EVENTS_MAX) {
        let text = target.masked(&event.message);
        cause = cause.with_evidence(EvidenceKind::Platform, text);
    }
    cause
}

/// Looks are made again where one did not go well: it does no harm, and a cause is told once.
pub(crate) fn again<T>(mut look: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut looked = look();
    for _ in 1..LOOKS_MAX {
        match &looked {
            Err(fault) if fault.may_pass() => looked = look(),
            _ => break,
        }
    }
    looked
}

/// How the tasks of a deployment ended: those that ended alike are told once.
fn of_tasks(target: &mut EcsTarget, mut cause: Cause, mut own: Vec<EcsTask>) -> Cause {
    own.sort_by(|a, b| b.stopped_at.partial_cmp(&a.stopped_at).unwrap_or(Ordering::Equal));
    let Some(last) = own.first().cloned() else { return cause };
    if let Some(code) = code_of(&last)
        && cause.code != CauseCode::TimedOut
    {
        cause.code = code;
    }
    let mut told: Vec<(&EcsTask, usize)> = Vec::new();
    for task in &own {
        match told.iter_mut().find(|(it, _)| ended_alike(it, task)) {
            Some((_, times)) => *times += 1,
            None => told.push((task, 0)),
        }
    }
    for (task, others) in told.into_iter().take(TASKS_MAX) {
        cause = of_task(target, cause, task);
        if others > 0 {
            cause = said(cause, format!("{others} more ended like this one"));
        }
    }
    with_log(target, cause, &last)
}

fn ended_alike(one: &EcsTask, other: &EcsTask) -> bool {
    let codes = |it: &EcsTask| it.containers.iter().map(|it| it.exit_code).collect::<Vec<_>>();
    one.stop_code == other.stop_code
        && one.stopped_reason == other.stopped_reason
        && codes(one) == codes(other)
}

fn said(cause: Cause, said: String) -> Cause {
    cause.with_evidence(EvidenceKind::Platform, text(said))
}

/// ECS stopped it because it was not needed any more.
fn was_scaled_in(task: &EcsTask) -> bool {
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    task.stop_code.as_deref() == Some("ServiceSchedulerInitiated")
        && !reason.contains("health check")
}

/// What kind of cause the end of a task is.
fn code_of(task: &EcsTask) -> Option<CauseCode> {
    match task.stop_code.as_deref()? {
        "TaskFailedToStart" => Some(CauseCode::NotStarted),
        "EssentialContainerExited" => Some(CauseCode::Exited),
        "ServiceSchedulerInitiated" => Some(CauseCode::NeverHealthy),
        _ => None,
    }
}

/// How a task and its containers ended.
pub(crate) fn of_task(target: &EcsTarget, mut cause: Cause, task: &EcsTask) -> Cause {
    let code = task.stop_code.as_deref().unwrap_or("no stop code");
    let reason = task.stopped_reason.as_deref().unwrap_or("no reason given");
    let said = format!("task {}: {code}: {reason}", task.id());
    cause = cause.with_evidence(EvidenceKind::Platform, target.masked(&said));
    // SIGTERM is what ECS ends the others with.
    let is_telling = |it: &EcsContainer| it.exit_code.is_some_and(|it| it != 0 && it != SIGTERM);
    let hides = task.containers.iter().any(is_telling)
        || task.stop_code.as_deref() == Some("ServiceSchedulerInitiated");
    for container in &task.containers {
        let reason = container.reason.as_ref().map_or(String::new(), |it| format!(": {it}"));
        let said = match container.exit_code {
            Some(0) => continue,
            Some(SIGTERM) if hides => continue,
            Some(code) => {
                format!("container {} ended with {}{reason}", container.name, named(code))
            }
            None if reason.is_empty() => continue,
            None => format!("container {} never ran{reason}", container.name),
        };
        cause = cause.with_evidence(EvidenceKind::Exit, target.masked(&said));
    }
    cause
}

/// An exit code, with what it usually means.
pub(crate) fn named(code: i64) -> String {
    let meaning = match code {
        137 => " (killed: out of memory, or deaf to SIGTERM)",
        139 => " (segmentation fault)",
        SIGTERM => " (ended by SIGTERM)",
        _ => "",
    };
    format!("exit code {code}{meaning}")
}

/// The last lines of its containers, those that failed first.
pub(crate) fn with_log(target: &mut EcsTarget, mut cause: Cause, task: &EcsTask) -> Cause {
    let (lines, unshown) = log_of(target, task, LINES_MAX);
    for line in lines {
        cause = cause.with_evidence(EvidenceKind::Log, line);
    }
    unshown.into_iter().fold(cause, said)
}

/// The last lines that each container of a task printed, its name in front; and which logs were not
/// shown, with why.
pub(crate) fn log_of(
    target: &mut EcsTarget,
    task: &EcsTask,
    lines: u32,
) -> (Vec<MaskedText>, Vec<String>) {
    let arn = &task.task_definition_arn;
    let definition = match again(|| target.client.describe_task_definition(arn)) {
        Ok(definition) => definition,
        Err(fault) => return (Vec::new(), vec![format!("where it logs was not shown: {fault}")]),
    };
    let (mut found, mut unshown) = (Vec::new(), Vec::new());
    for container in definition.body["containerDefinitions"].as_array().into_iter().flatten() {
        let options = &container["logConfiguration"]["options"];
        let text_of = |key: &str| options[key].as_str();
        let Some((group, prefix)) = text_of("awslogs-group").zip(text_of("awslogs-stream-prefix"))
        else {
            continue;
        };
        let name = container["name"].as_str().unwrap_or_default();
        let stream = format!("{prefix}/{name}/{}", task.id());
        match again(|| target.client.last_lines(group, &stream, lines)) {
            // Without a stream it never got so far as to print something.
            Ok(printed) => found.extend(
                printed.into_iter().flatten().map(|line| target.masked(&format!("{name}: {line}"))),
            ),
            Err(fault) => unshown.push(format!("the log {stream} was not shown: {fault}")),
        }
    }
    (found, unshown)
}
