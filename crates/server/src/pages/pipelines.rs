//! How well the pipelines do: success, time, waiting, what is slow, and what broke.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use event::{Attempt, RunId};
use figures::{Duration, Goal, Pipeline, Queue, Rate, Report, ReportPart, Slow};
use views::length;

use super::delivery::share;
use super::insights::Insights;
use super::{Frame, Page, shown};
use crate::api::metrics::{Part, besides};
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::words::{Moment, run_href};

/// Runs that a figure opens into: the newest; the API has more.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "pipelines.html")]
struct PipelinesPage {
    frame: Frame,
    insights: Insights,
    behind: u64,
    samples_min: usize,
    pipelines: Vec<PipelineFigures>,
    goal_notes: Vec<String>,
    queues: Vec<[String; 7]>,
    load: Vec<(&'static str, String, String)>,
    slow: Vec<SlowTable>,
}

struct PipelineFigures {
    repository: String,
    workflow: String,
    success: Told,
    first_try: Told,
    pull_requests: Told,
    infra: Told,
    time: Told,
    trigger: Option<Told>,
    queue: Told,
    repair: Told,
    red: Option<Link>,
    red_since: Option<Moment>,
    failures: Vec<Link>,
    repairs: Vec<(Link, Link, String)>,
    left_out: String,
}

struct Told {
    value: String,
    of: String,
    is_untold: bool,
    goal: Option<GoalTold>,
}

/// Beside a figure.
struct GoalTold {
    class: &'static str,
    text: String,
}

struct Link {
    name: String,
    href: String,
}

struct SlowTable {
    title: &'static str,
    rows: Vec<[String; 5]>,
}

/// The page.
pub(crate) async fn pipelines(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
) -> Page {
    let page = blocking(move || {
        let asked = part.asked(&app, &who)?;
        let mut report = app.figures.report(&app.store, &asked, &[ReportPart::Pipelines])?;
        besides(&mut report, &app, &asked)?;
        let load = load(&report);
        let slow = [
            ("Jobs that take the most time", report.slow_jobs),
            ("Steps that take the most time", report.slow_steps),
        ];
        let slow = slow
            .into_iter()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(title, rows)| SlowTable { title, rows: rows.iter().map(slow_row).collect() });
        Ok(PipelinesPage {
            frame: Frame::new(Some(&who), "insights"),
            insights: Insights::of("/insights/pipelines", &app, &part, &asked),
            behind: report.behind_events,
            samples_min: report.samples_min,
            pipelines: report.pipelines.iter().map(PipelineFigures::of).collect(),
            goal_notes: report.goal_notes,
            load,
            queues: report.queues.iter().map(queue_row).collect(),
            slow: slow.collect(),
        })
    });
    shown(&page.await?)
}

fn rate(rate: &Rate) -> Told {
    let value = share(rate.rate);
    Told {
        is_untold: value.is_none(),
        value: value.unwrap_or_else(|| "too few".to_owned()),
        of: format!("{} of {}", rate.part, rate.whole),
        goal: None,
    }
}

/// How a goal stands.
fn goal(goal: &Goal) -> GoalTold {
    let wanted = match (goal.wanted_percent, goal.wanted_ms) {
        (Some(percent), _) => format!("{percent} %"),
        (None, ms) => length(ms.unwrap_or_default()),
    };
    let name = if goal.is_usual { "the usual goal" } else { "goal" };
    let by = goal.missed_by_percent.map(|points| format!("{points:.1} points"));
    let by = by.or_else(|| goal.missed_by_ms.map(length)).unwrap_or_default();
    GoalTold {
        class: match goal.is_met {
            Some(true) => "goal",
            Some(false) => "goal missed",
            None => "faint",
        },
        text: match goal.is_met {
            Some(true) => format!("\u{2713} {name}, {wanted}, is met"),
            Some(false) => format!("\u{2717} {name}, {wanted}, is missed by {by}"),
            None => format!("{name}: {wanted}"),
        },
    }
}

fn time(time: &Duration) -> Told {
    let value = time.median_ms.map(length);
    let p95 = time.p95_ms.map(|ms| format!("95 %: {}, ", length(ms))).unwrap_or_default();
    Told {
        is_untold: value.is_none(),
        value: value.unwrap_or_else(|| "too few".to_owned()),
        of: format!("{p95}of {}", time.count),
        goal: None,
    }
}

/// Of a wait the longer ones count: nineteen in twenty are not above it.
fn wait(time: &Duration) -> Told {
    let value = time.p95_ms.map(length);
    let median = time.median_ms.map(|ms| format!("median: {}, ", length(ms))).unwrap_or_default();
    Told {
        is_untold: value.is_none(),
        value: value.unwrap_or_else(|| "too few".to_owned()),
        of: format!("{median}of {}", time.count),
        goal: None,
    }
}

/// How busy workers are: what it is, how much, and of what.
fn load(report: &Report) -> Vec<(&'static str, String, String)> {
    let load = &report.load;
    let average = load.average.map(|it| format!("{it:.2}")).unwrap_or_default();
    let busy = match (load.share, load.places) {
        (Some(share), Some(places)) => {
            let of = format!("{average} of {places} at a time; there are so many places now");
            ("Busy workers", format!("{:.1} %", share * 100.0), of)
        }
        _ => ("Busy workers", average, "jobs at a time, on an average".to_owned()),
    };
    let took = format!("the most at a time: {}; {} in all", load.peak, length(load.busy_ms));
    let oldest = report.oldest_ready.as_ref();
    let oldest = match oldest {
        Some(it) => (length(it.age_ms), format!("{} of run {}.{}", it.job, it.run, it.attempt)),
        None => ("none".to_owned(), "no job waits for a worker alone".to_owned()),
    };
    let mut told = vec![(busy.0, busy.1, format!("{}; {took}", busy.2))];
    // What waited then is not known any more, and what waits now is no part of it.
    if !report.is_past {
        told.push(("Oldest job that waits", oldest.0, oldest.1));
    }
    told
}

fn link(run: RunId, attempt: Attempt) -> Link {
    let name = if attempt.0 > 1 { format!("run {run}.{attempt}") } else { format!("run {run}") };
    Link { name, href: run_href(run, attempt) }
}

fn queue_row(queue: &Queue) -> [String; 7] {
    let told = |ms: Option<u64>| ms.map_or_else(|| "too few".to_owned(), length);
    let wait = &queue.wait;
    [
        queue.labels.clone(),
        wait.count.to_string(),
        told(wait.median_ms),
        told(wait.p95_ms),
        told(wait.p99_ms),
        told(queue.start.median_ms),
        told(queue.start.p95_ms),
    ]
}

fn slow_row(slow: &Slow) -> [String; 5] {
    let told = |ms: Option<u64>| ms.map_or_else(|| "too few".to_owned(), length);
    let what = slow.step.as_ref().map_or(slow.job.clone(), |step| format!("{}: {step}", slow.job));
    [
        what,
        slow.workflow.clone(),
        length(slow.total_ms),
        told(slow.time.median_ms),
        slow.time.count.to_string(),
    ]
}

impl PipelineFigures {
    fn of(it: &Pipeline) -> PipelineFigures {
        let left_out = it.left_out.iter().map(|(why, count)| format!("{count} {why}"));
        let repair = |repair: &figures::PipelineRepair| {
            let (broken, mended) = (repair.broken_by, repair.mended_by);
            (link(broken.0, broken.1), link(mended.0, mended.1), length(repair.time_ms))
        };
        let with = |figure: &str, told: Told| {
            let of = it.goals.iter().find(|it| it.figure == figure);
            Told { goal: of.map(goal), ..told }
        };
        PipelineFigures {
            repository: it.repository.clone(),
            workflow: it.workflow.clone(),
            success: with("success", rate(&it.success)),
            first_try: rate(&it.first_try),
            pull_requests: rate(&it.pull_requests),
            infra: rate(&it.infra),
            time: with("time", time(&it.time)),
            trigger: Some(&it.trigger).filter(|it| it.count > 0).map(time),
            queue: with("queue", wait(&it.queue)),
            repair: with("repair", time(&it.repair)),
            red: it.red.as_ref().map(|it| link(it.run, it.attempt)),
            red_since: it.red.as_ref().map(|it| Moment::of(it.since_ms)),
            failures: it
                .failures
                .iter()
                .rev()
                .take(SHOWN)
                .map(|it| link(it.run, it.attempt))
                .collect(),
            repairs: it.repairs.iter().rev().take(SHOWN).map(repair).collect(),
            left_out: left_out.collect::<Vec<_>>().join(", "),
        }
    }
}
