//! What an event is worth telling: pure, from the events of its stream up to it.

use std::sync::Arc;

use event::{
    Conclusion, DeploymentEvent, DeploymentId, GateDemand, RunEvent, StreamId, Verdict, WaitReason,
    Way,
};
use views::{
    DeploymentView, Failing, Found, JobGateView, JobView, News, RunHeader, RunView, length,
};

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
    /// What of the journal it is told for, once: an event, or the beginning of a series.
    pub(crate) of: Option<String>,
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
    let Place { header, branch, place, workflow, repository } = Place::of(&view);
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
    let message = Message {
        occasion,
        subject: format!("{repository} {workflow} {place}"),
        title: format!("{repository}: {} {word} on {place}", clean(workflow)),
        facts,
        link: Some(link(header)),
        at,
    };
    Some(Story { message, environments, branch, of: None })
}

/// Where a run is.
struct Place<'v> {
    header: &'v RunHeader,
    branch: Option<String>,
    place: String,
    workflow: &'v str,
    repository: String,
}

impl Place<'_> {
    fn of(view: &RunView) -> Place<'_> {
        let header = &view.header;
        let git_ref = &*header.git_ref;
        let branch = git_ref.strip_prefix("refs/heads/").map(str::to_owned);
        Place {
            header,
            place: clean(branch.as_deref().unwrap_or(git_ref)),
            branch,
            workflow: header.workflow_path.rsplit('/').next().unwrap_or(&header.workflow_path),
            repository: clean(&header.repository),
        }
    }
}

fn link(header: &RunHeader) -> String {
    format!("/runs/{}.{}", header.run, header.attempt)
}

/// What is news with a run that is over, by those before it.
pub(crate) fn of_news(events: &[RunEvent], news: &News) -> Vec<Story> {
    let Some(view) = RunView::of(events) else { return Vec::new() };
    let Some(at) = view.completed_at else { return Vec::new() };
    let place = Place::of(&view);
    let failing = news.failing.as_ref().map(|it| failing(&place, it));
    let found = news.found.as_ref().map(|it| found(&place, it));
    let story = |(occasion, of, what, title, facts): Told| Story {
        message: Message {
            occasion,
            subject: format!("{} {}{what} {}", place.repository, place.workflow, place.place),
            title: format!("{}: {title} on {}", place.repository, place.place),
            facts,
            link: Some(link(place.header)),
            at,
        },
        environments: Vec::new(),
        branch: place.branch.clone(),
        of,
    };
    failing.into_iter().chain(found).map(story).collect()
}

/// What of the journal, behind the workflow's name, the title without its place, facts.
type Told = (Occasion, Option<String>, &'static str, String, Vec<String>);

/// What goes wrong is what the run's end tells: one that succeeds ends it.
fn failing(place: &Place<'_>, it: &Failing) -> Told {
    let (workflow, times) = (clean(place.workflow), it.times);
    let title = match it.has_reports {
        true => format!("tests of {workflow} failed {times} times in a row"),
        false => format!("{workflow} failed {times} times in a row"),
    };
    let commit: String = place.header.commit.chars().take(7).collect();
    let (run, attempt) = it.since;
    let mut facts = vec![
        format!("commits: {}, now {commit}", it.commits),
        format!("since: run {run}.{attempt}"),
    ];
    if it.tests_count > 0 {
        let names: Vec<String> = it.tests.iter().map(|it| clean(it)).collect();
        facts.push(format!("each time: {}", with_more(&names, it.tests_count)));
    } else if it.has_reports {
        facts.push("each time: no test of its own, other ones by turns".to_owned());
    }
    if !it.has_reports {
        facts.push(
            "not all of them kept a report of tests: of those counts how they ended".to_owned(),
        );
    }
    let of = format!("{}/tests_failing", StreamId::Run(run, attempt));
    (Occasion::TestsFailing, Some(of), "", title, facts)
}

fn found(place: &Place<'_>, it: &Found) -> Told {
    let counts = |all: &[(String, u64)]| -> String {
        let each: Vec<String> =
            all.iter().map(|(level, count)| format!("{count} {level}")).collect();
        each.join(", ")
    };
    let tools: Vec<String> = it.tools.iter().map(|it| clean(it)).collect();
    let count: u64 = it.new.iter().map(|(_, count)| count).sum();
    let (workflow, tools) = (clean(place.workflow), few(&tools));
    let commit: String = place.header.commit.chars().take(7).collect();
    let title = match &*it.before {
        [] => format!("the first scan of {workflow} found {count}"),
        _ => format!("a scan of {workflow} found {count} more"),
    };
    let mut facts = vec![format!("by: {tools}"), format!("commit: {commit}")];
    if let [(run, attempt), ..] = &*it.before {
        facts.push(format!("new since run {run}.{attempt}: {}", counts(&it.new)));
    }
    facts.push(format!("in all: {}", counts(&it.all)));
    let names: Vec<String> = it.named.iter().map(|it| clean(it)).collect();
    facts.push(format!("the worst: {}", names.join("; ")));
    if it.is_cut {
        facts.push("not all that was found is counted: there is more than is read".to_owned());
    }
    (Occasion::VulnerabilityFound, None, " scans", title, facts)
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
    with_more(names, names.len())
}

/// The same of so many, of which these are the first.
fn with_more(names: &[String], count: usize) -> String {
    let shown = names.len().min(NAMED_MAX);
    let named = names[..shown].join(", ");
    match count.saturating_sub(shown) {
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
    Some(Story {
        message,
        environments: vec![Arc::clone(&request.environment)],
        branch: None,
        of: None,
    })
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
