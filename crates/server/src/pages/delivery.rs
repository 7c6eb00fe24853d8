//! How often is deployed, how long that takes, how often it fails: DORA's five figures, each of which
//! opens into the events that it was counted from.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use event::{DeploymentKind, ShippedBy};
use figures::{Delivery, Deployment};
use views::length_in_days as length;

use super::incidents::IncidentRow;
use super::insights::Insights;
use super::{Frame, Page, shown};
use crate::api::metrics::Part;
use crate::app::{Shared, blocking};
use crate::chart::{Bar, bars};
use crate::guard::Who;
use crate::words::{Moment, State as DeploymentState};

/// Deployments and commits that a figure opens into: the newest; the API has all.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    frame: Frame,
    insights: Insights,
    behind: u64,
    left_out: usize,
    samples_min: usize,
    services: Vec<ServiceFigures>,
}

struct ServiceFigures {
    service: String,
    environment: String,
    project: String,
    by_jobs: bool,
    figures: Vec<Figure>,
    deployed: Option<String>,
    lead_time: Option<String>,
    weeks: Vec<[String; 4]>,
    deployments: Vec<Line>,
    in_doubt: Vec<Line>,
    incidents: Vec<IncidentRow>,
}

/// One figure: its value, what it is of, and what it was counted from.
struct Figure {
    name: &'static str,
    /// What it means, for whoever does not know it.
    means: &'static str,
    value: String,
    /// Too few were measured.
    is_untold: bool,
    of: Vec<String>,
    evidence: Vec<Evidence>,
    more: usize,
}

/// What a figure was counted from.
struct Evidence {
    what: Shipped,
    told: String,
}

/// What shipped something, and where that is shown.
pub(super) struct Shipped {
    /// `#7`, `deployment 7`, `run 12.1`
    pub(super) number: String,
    pub(super) href: String,
}

struct Line {
    state: DeploymentState,
    what: Shipped,
    kind: &'static str,
    version: String,
    at: Moment,
    failed: String,
    events: String,
}

/// The page.
pub(crate) async fn delivery(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
) -> Page {
    let page = blocking(move || {
        let asked = part.asked(&app, &who)?;
        let caught = app.figures.caught(&app.store)?;
        let deliveries = app.figures.delivery(&asked)?;
        Ok(DeliveryPage {
            frame: Frame::new(Some(&who), "insights"),
            insights: Insights::of("/insights", &app, &part, &asked),
            behind: caught.newest - caught.position,
            samples_min: views::SAMPLES_MIN,
            left_out: deliveries.left_out,
            services: deliveries.told.iter().map(ServiceFigures::of).collect(),
        })
    });
    shown(&page.await?)
}

/// `37 %`; less than one in a thousand is not made nothing.
pub(super) fn share(rate: Option<f64>) -> Option<String> {
    rate.map(|rate| {
        let percent = rate * 100.0;
        if percent > 0.0 && percent < 10.0 {
            format!("{percent:.1} %")
        } else {
            format!("{percent:.0} %")
        }
    })
}

impl Figure {
    fn new(name: &'static str, means: &'static str, value: Option<String>) -> Figure {
        let is_untold = value.is_none();
        let value = value.unwrap_or_else(|| "too few".to_owned());
        Figure { name, means, value, is_untold, of: Vec::new(), evidence: Vec::new(), more: 0 }
    }

    fn of(mut self, line: String) -> Figure {
        if !line.is_empty() {
            self.of.push(line);
        }
        self
    }

    fn evidence(mut self, lines: Vec<Evidence>) -> Figure {
        self.more = lines.len().saturating_sub(SHOWN);
        self.evidence = lines.into_iter().rev().take(SHOWN).collect();
        self
    }
}

fn many(count: u64, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

impl Shipped {
    fn of(by: ShippedBy) -> Shipped {
        let named = Shipped::named(by);
        match by {
            ShippedBy::Deployment(id) => Shipped { number: format!("#{id}"), ..named },
            ShippedBy::Jobs(..) => named,
        }
    }

    /// With a word for what it is.
    pub(super) fn named(by: ShippedBy) -> Shipped {
        let href = match by {
            ShippedBy::Deployment(id) => format!("/deployments/{id}"),
            ShippedBy::Jobs(..) => format!("/runs/{by}"),
        };
        Shipped { number: by.named(), href }
    }
}

impl ServiceFigures {
    fn of(it: &Delivery) -> ServiceFigures {
        let told = |by: &ShippedBy| {
            let found = it.deployments.iter().find(|it| it.deployment == *by);
            Evidence { what: Shipped::of(*by), told: found.map_or_else(String::new, told) }
        };
        let figures = vec![
            frequency(it, &told),
            lead_time(it),
            failures(it, &told),
            recovery(it, &told),
            rework(it, &told),
        ];
        ServiceFigures {
            service: it.service.clone(),
            environment: it.environment.clone(),
            project: it.project.clone(),
            by_jobs: it.by_jobs,
            figures,
            deployed: bars("Releases and hotfixes, week by week", &deployed(it)),
            lead_time: bars("Median lead time, week by week", &lead_times(it)),
            weeks: it.weeks.iter().rev().map(week).collect(),
            deployments: it.deployments.iter().rev().take(SHOWN).map(Line::of).collect(),
            in_doubt: it.in_doubt.iter().rev().take(SHOWN).map(Line::of).collect(),
            incidents: it.incidents.iter().take(SHOWN).map(IncidentRow::counted).collect(),
        }
    }
}

/// A deployment with its events, and the incidents that it caused.
fn told(it: &Deployment) -> String {
    let incidents: String = it.incidents.iter().map(|id| format!(", incident {id}")).collect();
    format!(
        "{} {} {} {}, {} events {} to {}{incidents}",
        it.kind.as_str(),
        it.version,
        it.verdict.as_str().replace('_', " "),
        Moment::of(it.finished_at_ms).text,
        it.stream,
        it.first_seq,
        it.last_seq
    )
}

fn frequency(it: &Delivery, told: &dyn Fn(&ShippedBy) -> Evidence) -> Figure {
    let figure = &it.frequency;
    let per = figure.per_day.map(|per_day| {
        if per_day >= 1.0 {
            format!("{per_day:.1} a day")
        } else {
            format!("{:.1} a week", per_day * 7.0)
        }
    });
    let others = figure.others.iter().map(|(kind, count)| {
        let word = match kind {
            DeploymentKind::Config => "of settings",
            kind => kind.as_str(),
        };
        format!("{count} {word}")
    });
    let others: Vec<String> = others.collect();
    let beside =
        if others.is_empty() { String::new() } else { format!("beside: {}", others.join(", ")) };
    let between = figure.between_median_ms.map(|ms| format!("{} between two, median", length(ms)));
    Figure::new("Deployment frequency", "How often releases and hotfixes come to users", per)
        .of(many(figure.count as u64, "release or hotfix", "releases and hotfixes"))
        .of(between.unwrap_or_default())
        .of(beside)
        .evidence(figure.deployments.iter().map(told).collect())
}

fn lead_time(it: &Delivery) -> Figure {
    let figure = &it.lead_time;
    let total = &figure.total;
    let parts = figure.parts.iter().filter_map(|part| {
        let word = part_of_lead(&part.part);
        part.time.median_ms.map(|ms| format!("{} {word}", length(ms)))
    });
    let spread = total.p75_ms.zip(total.p90_ms);
    let spread = spread.map(|(p75, p90)| format!("75 %: {}, 90 %: {}", length(p75), length(p90)));
    let left = figure.left_out.len() as u64;
    let count = |why: &str| figure.left_out.iter().filter(|it| it.why == why).count();
    let left = match (left, count("clock_skew"), count("no_date")) {
        (0, ..) => String::new(),
        (left, 0, 0) => format!("{left} left out: brought before"),
        (left, skewed, 0) => format!("{left} left out, {skewed} younger than their deployment"),
        (left, 0, undated) => format!("{left} left out, {undated} without a date"),
        (left, skewed, undated) => format!(
            "{left} left out, {skewed} younger than their deployment, {undated} without a date"
        ),
    };
    let at_limit = figure.at_limit.iter().map(|it| Shipped::of(*it).number);
    let at_limit: Vec<String> = at_limit.collect();
    let cut = match at_limit.is_empty() {
        true => String::new(),
        false => format!(
            "came with {} commits, the most that are counted of one deployment: {}",
            views::COMMITS_PER_SHIPMENT_MAX,
            at_limit.join(", ")
        ),
    };
    let led = figure.commits.iter().map(|it| {
        let commit: String = it.commit.chars().take(7).collect();
        let (committed, took) = (Moment::of(it.committed_at_ms).text, length(it.total_ms));
        let parts =
            it.parts.known().map(|(part, ms)| format!("{} {}", length(ms), part_of_lead(part)));
        let parts = parts.collect::<Vec<_>>().join(", ");
        let told = format!("brought {commit} of {committed} after {took}: {parts}");
        Evidence { what: Shipped::of(it.deployment), told }
    });
    let figure_of = Figure::new(
        "Change lead time",
        "From a commit to the end of the deployment that brought it",
        total.median_ms.map(length),
    )
    .of(many(total.count as u64, "commit", "commits"))
    .of(spread.unwrap_or_default());
    parts.fold(figure_of, Figure::of).of(left).of(cut).evidence(led.collect())
}

fn part_of_lead(part: &str) -> &str {
    match part {
        "pushing" => "until it was on its branch",
        "waiting" => "until it was wanted",
        "queue" => "waiting for workers",
        "build" => "building and testing",
        "gates" => "at gates",
        part => part,
    }
}

fn failures(it: &Delivery, told: &dyn Fn(&ShippedBy) -> Evidence) -> Figure {
    let rate = &it.change_failures.rate;
    Figure::new(
        "Change fail rate",
        "Deployments that were taken back, broke, caused incidents, or had to be mended",
        share(rate.rate),
    )
    .of(format!("{} of {}", rate.part, many(rate.whole, "deployment", "deployments")))
    .evidence(it.change_failures.deployments.iter().map(told).collect())
}

fn recovery(it: &Delivery, told: &dyn Fn(&ShippedBy) -> Evidence) -> Figure {
    let figure = &it.recovery;
    let open = figure.open.len();
    let open = if open == 0 { String::new() } else { format!("{open} not mended yet") };
    let recovered = figure.recovered.iter().map(|it| {
        let by = match (it.by, it.incident) {
            (Some(by), _) if by == it.deployment => "it went back".to_owned(),
            (Some(by), _) => format!("mended by {}", Shipped::of(by).number),
            (None, Some(incident)) => format!("incident {incident} was over"),
            (None, None) => "mended".to_owned(),
        };
        let Evidence { what, told } = told(&it.deployment);
        Evidence { what, told: format!("{told}: {}, {by}", length(it.time_ms)) }
    });
    Figure::new(
        "Recovery time",
        "From a failed deployment until what runs was good again",
        figure.time.median_ms.map(length),
    )
    .of(many(figure.time.count as u64, "failure mended", "failures mended"))
    .of(open)
    .evidence(recovered.collect())
}

fn rework(it: &Delivery, told: &dyn Fn(&ShippedBy) -> Evidence) -> Figure {
    let rate = &it.rework.rate;
    Figure::new("Rework rate", "Unplanned deployments, to mend what users met", share(rate.rate))
        .of(format!("{} of {}", rate.part, many(rate.whole, "deployment", "deployments")))
        .evidence(it.rework.deployments.iter().map(told).collect())
}

/// `1 Mar`
fn day(at: event::Timestamp) -> String {
    Moment::of(at).text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn deployed(it: &Delivery) -> Vec<Bar> {
    let bar = |week: &figures::DeliveryWeek| {
        let deployments = many(week.deployments, "release or hotfix", "releases and hotfixes");
        let told = format!("Week of {}: {deployments}, {} failed", day(week.since_ms), week.failed);
        Bar { value: week.deployments, failed: week.failed, label: day(week.since_ms), told }
    };
    it.weeks.iter().map(bar).collect()
}

fn lead_times(it: &Delivery) -> Vec<Bar> {
    let bar = |week: &figures::DeliveryWeek| {
        let median = week.lead_time_median_ms;
        let median_told = median.map_or_else(|| "too few commits".to_owned(), length);
        let told = format!("Week of {}: {median_told}", day(week.since_ms));
        Bar { value: median.unwrap_or(0), failed: 0, label: day(week.since_ms), told }
    };
    it.weeks.iter().map(bar).collect()
}

fn week(it: &figures::DeliveryWeek) -> [String; 4] {
    [
        day(it.since_ms),
        it.deployments.to_string(),
        it.failed.to_string(),
        it.lead_time_median_ms.map_or_else(|| "too few".to_owned(), length),
    ]
}

impl Line {
    fn of(it: &Deployment) -> Line {
        let failed = match (it.failed.as_deref(), it.mended_by) {
            (_, Some(by)) => format!("failed: {} mends it", Shipped::of(by).number),
            (Some("went_back"), _) => "failed: it went back".to_owned(),
            (Some("stuck"), _) => "failed: going back stuck".to_owned(),
            (Some("incident"), _) => "failed: it caused an incident".to_owned(),
            (Some(_), _) => "failed".to_owned(),
            (None, _) => String::new(),
        };
        Line {
            state: DeploymentState::of_deployment(it.verdict.as_str()),
            what: Shipped::of(it.deployment),
            kind: it.kind.as_str(),
            version: it.version.clone(),
            at: Moment::of(it.finished_at_ms),
            failed,
            events: format!("{} events {} to {}", it.stream, it.first_seq, it.last_seq),
        }
    }
}
