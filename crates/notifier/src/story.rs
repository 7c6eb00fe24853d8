//! What an event is worth telling: pure, from the events of its stream up to it.

use std::sync::Arc;

use event::{
    Conclusion, DeploymentEvent, DeploymentId, GateDemand, RunEvent, Verdict, WaitReason, Way,
};
use views::{DeploymentView, JobGateView, JobView, RunView};

use crate::message::{Message, Occasion, clean};

/// Jobs, or environments, that are named; of more it is said how many.
const NAMED_MAX: usize = 5;

/// Kinds of events that may be worth telling; the others are not even read.
pub(crate) const KINDS: &[&str] = &[
    "RunCompleted",
    "JobWaiting",
    "JobGated",
    "DeploymentRequested",
    "GateWaiting",
    "StepIntended",
    "DeploymentCompleted",
];

/// What rules choose by, and where links lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Story {
    pub(crate) message: Message,
    /// Of a deployment the one that it goes to; of a run those of the jobs that it is about.
    pub(crate) environments: Vec<Arc<str>>,
    /// Of a run of a branch.
    pub(crate) branch: Option<String>,
}

/// The last of these events of a run.
pub(crate) fn of_run(events: &[RunEvent]) -> Option<Story> {
    let (occasion, at) = match events.last()? {
        RunEvent::RunCompleted { conclusion, at } => (of_conclusion(*conclusion)?, *at),
        RunEvent::JobWaiting { reason: WaitReason::Person { .. }, at, .. } => {
            (Occasion::RunWaiting, *at)
        }
        // The clock opens the others by itself.
        RunEvent::JobGated { gate, at, .. } if gate.demands.iter().any(asks_people) => {
            (Occasion::RunWaiting, *at)
        }
        _ => return None,
    };
    let view = RunView::of(events)?;
    let header = &view.header;
    let git_ref = &*header.git_ref;
    let branch = git_ref.strip_prefix("refs/heads/").map(str::to_owned);
    let place = clean(branch.as_deref().unwrap_or(git_ref));
    let workflow = header.workflow_path.rsplit('/').next().unwrap_or(&header.workflow_path);
    let word = match occasion {
        Occasion::RunSucceeded => "succeeded",
        Occasion::RunFailed => "failed",
        Occasion::RunCancelled => "was cancelled",
        _ => "waits for a person",
    };
    let waits = occasion == Occasion::RunWaiting;
    let commit: String = header.commit.chars().take(7).collect();
    let mut facts = vec![
        format!("title: {}", clean(header.title.as_str())),
        format!("commit: {commit}"),
        format!("by: {}", clean(&header.triggering_actor)),
    ];
    if let (Some(started), Some(ended)) = (view.started_at, view.completed_at) {
        facts.push(format!("took: {}", length(ended.0.saturating_sub(started.0))));
    }
    let about: Vec<&JobView> = about(&view, events.last()?);
    let environments = environments(&about);
    if !environments.is_empty() {
        facts.push(format!(
            "environment: {}",
            few(&environments.iter().map(|it| clean(it)).collect::<Vec<_>>())
        ));
    }
    facts.extend(jobs(&view, occasion));
    if let Some(gate) = about.iter().find_map(|it| it.gate.as_ref()).filter(|_| waits) {
        facts.push(format!("asks: {}", clean(&asked(gate))));
    }
    let environments = environments.into_iter().map(Into::into).collect();
    let repository = clean(&header.repository);
    let message = Message {
        occasion,
        subject: format!("{repository} {workflow} {place}"),
        title: format!("{repository}: {} {word} on {place}", clean(workflow)),
        facts,
        link: Some(format!("/runs/{}.{}", header.run, header.attempt)),
        at,
    };
    Some(Story { message, environments, branch })
}

fn asks_people(demand: &GateDemand) -> bool {
    !matches!(demand, GateDemand::Wait { .. })
}

fn of_conclusion(conclusion: Conclusion) -> Option<Occasion> {
    match conclusion {
        Conclusion::Success => Some(Occasion::RunSucceeded),
        Conclusion::Failure | Conclusion::TimedOut => Some(Occasion::RunFailed),
        Conclusion::Cancelled => Some(Occasion::RunCancelled),
        Conclusion::Skipped => None,
    }
}

/// The jobs that are why.
fn jobs(view: &RunView, occasion: Occasion) -> Option<String> {
    let is_why = |it: &&JobView| match occasion {
        Occasion::RunFailed => {
            matches!(it.conclusion, Some(Conclusion::Failure | Conclusion::TimedOut))
        }
        Occasion::RunWaiting => {
            let is_shut = it.gate.as_ref().is_some_and(|gate| gate.opened_at.is_none());
            let is_left = is_shut || matches!(it.waiting, Some(WaitReason::Person { .. }));
            is_left && it.conclusion.is_none()
        }
        _ => false,
    };
    let names: Vec<String> =
        view.jobs.iter().filter(is_why).map(|it| clean(it.name.as_str())).collect();
    if names.is_empty() {
        return None;
    }
    let word = if occasion == Occasion::RunFailed { "failed" } else { "waits" };
    Some(format!("{word}: {}", few(&names)))
}

/// The first ones by name, of the others how many.
fn few(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED_MAX)].join(", ");
    match names.len() - names.len().min(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The jobs that the last event of a run is about: the one that waits; those that ended as the run did, which is not
/// what was carried over from the attempt before.
fn about<'v>(view: &'v RunView, last: &RunEvent) -> Vec<&'v JobView> {
    let is_about = |it: &&JobView| match last {
        RunEvent::JobGated { job, .. } | RunEvent::JobWaiting { job, .. } => it.key == *job,
        RunEvent::RunCompleted { conclusion, .. } => {
            let failed = |it| matches!(it, Conclusion::Failure | Conclusion::TimedOut);
            let is_so = |it| it == *conclusion || failed(it) && failed(*conclusion);
            it.carried_from.is_none() && it.conclusion.is_some_and(is_so)
        }
        _ => false,
    };
    view.jobs.iter().filter(is_about).collect()
}

/// Which environments these jobs name, each once: their names are the same in any case.
fn environments(jobs: &[&JobView]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in jobs.iter().filter_map(|it| it.environment.as_ref()) {
        if !all.iter().any(|it| it.eq_ignore_ascii_case(name.as_str())) {
            all.push(name.as_str().to_owned());
        }
    }
    all
}

/// What a gate asks of people.
fn asked(gate: &JobGateView) -> String {
    let of_people = gate.asked.demands.iter().filter_map(|it| match it {
        GateDemand::Approval { group, count, members } => {
            Some(format!("{count} of {group} ({})", members.join(", ")))
        }
        GateDemand::Confirm { word } => Some(format!("whoever started it for the word {word}")),
        GateDemand::Start => Some("a person who may deploy there, to start it".to_owned()),
        GateDemand::Wait { .. } => None,
    });
    of_people.collect::<Vec<_>>().join(", ")
}

/// The last of these events of a deployment.
pub(crate) fn of_deployment(id: DeploymentId, events: &[DeploymentEvent]) -> Option<Story> {
    let (last, before) = events.split_last()?;
    let is_first_step = !before.iter().any(|it| matches!(it, DeploymentEvent::StepIntended { .. }));
    let (occasion, at) = match last {
        DeploymentEvent::DeploymentRequested(request) => (Occasion::Requested, request.at),
        DeploymentEvent::GateWaiting { at, .. } => (Occasion::Waiting, *at),
        DeploymentEvent::StepIntended { way: Way::Forward, at, .. } if is_first_step => {
            (Occasion::Started, *at)
        }
        DeploymentEvent::DeploymentCompleted { verdict, at, .. } => (of_verdict(*verdict), *at),
        _ => return None,
    };
    let view = DeploymentView::of(id, events)?;
    let request = &view.request;
    let environment = clean(&request.environment);
    let word = match occasion {
        Occasion::Requested => "is coming",
        Occasion::Waiting => "waits",
        Occasion::Started => "began",
        Occasion::RolledBack => "was rolled back",
        Occasion::RollbackStuck => "rollback stuck: a person is needed",
        Occasion::Refused => "was refused",
        Occasion::Cancelled => "was cancelled",
        Occasion::Superseded => "was superseded",
        Occasion::Failed => "failed",
        _ => "succeeded",
    };
    let kind = request.kind.as_str();
    let services =
        request.services.iter().map(|it| clean(&format!("{} {}", it.service, it.release.version)));
    let mut facts = vec![
        format!("services: {}", services.collect::<Vec<_>>().join(", ")),
        format!("by: {}", clean(request.by.name.as_str())),
    ];
    facts.extend(request.reason.as_ref().map(|it| format!("reason: {}", clean(it.as_str()))));
    if let DeploymentEvent::GateWaiting { what, .. } = last {
        facts.push(format!("waits for: {}", clean(what.as_str())));
    }
    if let Some(end) = &view.ended {
        facts.extend(end.cause.as_ref().map(|it| format!("cause: {}", clean(it.message.as_str()))));
        facts.push(format!("took: {}", length(end.at.0.saturating_sub(request.at.0))));
    }
    let project = clean(&request.project);
    let message = Message {
        occasion,
        subject: format!("{project} {environment}"),
        title: format!("{project} {environment}: {kind} {id} {word}"),
        facts,
        link: None,
        at,
    };
    Some(Story { message, environments: vec![Arc::clone(&request.environment)], branch: None })
}

fn of_verdict(verdict: Verdict) -> Occasion {
    match verdict {
        Verdict::Succeeded => Occasion::Succeeded,
        Verdict::Failed => Occasion::Failed,
        Verdict::RolledBack => Occasion::RolledBack,
        Verdict::RollbackStuck => Occasion::RollbackStuck,
        Verdict::Superseded => Occasion::Superseded,
        Verdict::Cancelled => Occasion::Cancelled,
        Verdict::Refused => Occasion::Refused,
    }
}

fn length(ms: u64) -> String {
    match ms / 1_000 {
        0 => format!("{ms} ms"),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}
