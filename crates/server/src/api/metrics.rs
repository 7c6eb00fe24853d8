//! The numbers, as `launchway metrics --format json` has them.

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Extension, Json};
use figures::{Asked, NoWindow, Report, ReportPart};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use super::run_scans;
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::guard::Who;
use crate::problem::Problem;

pub(super) const OPERATION: Operation = Operation {
    method: "get",
    path: "/api/v1/metrics",
    id: "readMetrics",
    summary: "DORA's five figures and the pipelines' health, each with the events it came from",
    scope: Scope::Read,
    query: &[
        (
            "since",
            "string",
            "90d, 12w, 48h, or a day such as 2026-03-01; without it 90 days before the end",
        ),
        ("until", "string", "Up to when: so long ago, or a day, which is counted; without it now"),
        (
            "project",
            "string",
            "Only this project's deployments; of jobs that deploy, the repository's",
        ),
        ("environment", "string", "Only this environment; without it those of production"),
        ("service", "string", "Only this service"),
        (
            "repository",
            "string",
            "Only runs of owner/name, and what their jobs deployed; without it of all that the token sees",
        ),
        (
            "parts",
            "string",
            "Only these, with commas between, the others stay empty: delivery, pipelines (with queues, load and what is slow), slow_tests, flaky, tests, images, scans; without it all",
        ),
    ],
    body: None,
    answer: (200, "Metrics"),
    route: || get(read),
};

/// What of a report a caller asks for.
#[derive(Debug, Deserialize)]
struct Wanted {
    parts: Option<String>,
}

impl Wanted {
    fn parts(self) -> Result<Vec<ReportPart>, Problem> {
        let Some(names) = self.parts.filter(|it| !it.is_empty()) else {
            return Ok(ReportPart::ALL.to_vec());
        };
        ReportPart::of_list(&names).ok_or_else(|| {
            let all: Vec<&str> = ReportPart::ALL.iter().map(|it| it.as_str()).collect();
            let all = all.join(", ");
            Problem::bad(format!("`parts` takes some of {all}, with commas between."))
        })
    }
}

/// What a caller asks about.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Part {
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) repository: Option<String>,
}

impl Part {
    /// What of it somebody sees: who is bound to repositories, the runs of those.
    pub(crate) fn asked(&self, app: &App, who: &Who) -> Result<Asked, Problem> {
        let now = app.now();
        // A form that was sent empty asks for nothing.
        let told = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
        let (since, until) = (told(&self.since), told(&self.until));
        let window = figures::window(since.as_deref(), until.as_deref(), now).map_err(refused)?;
        Ok(Asked {
            project: told(&self.project),
            environment: told(&self.environment),
            service: told(&self.service),
            repositories: who.seen(app).figures_of(told(&self.repository))?,
            // Deployments are a project's, and no repository's.
            only_jobs: who.token.is_bound(),
            is_past: window.until < now,
            ..Asked::everything(window)
        })
    }
}

fn refused(why: NoWindow) -> Problem {
    Problem::bad(match why {
        NoWindow::Since => {
            "`since` is a span such as 90d, 12w or 48h, or a day such as 2026-03-01, of the last ten years."
        }
        NoWindow::Until => {
            "`until` is a span such as 7d, 4w or 48h, or a day such as 2026-03-31, of the last ten years up to today."
        }
        NoWindow::Backwards => "`until` is not after `since`; name an earlier `since`, or none.",
    })
}

async fn read(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Report>, Problem> {
    blocking(move || {
        let asked = part.asked(&app, &who)?;
        let parts = wanted.parts()?;
        let mut report = app.figures.report(&app.store, &asked, &parts)?;
        if parts.contains(&ReportPart::Pipelines) {
            besides(&mut report, &app, &asked)?;
        }
        Ok(Json(report))
    })
    .await
}

/// What no rows say of pipelines: what is wanted, what waits now, and how many places there are now.
pub(crate) fn besides(report: &mut Report, app: &App, asked: &Asked) -> Result<(), Problem> {
    report.judge(&|repository| app.engine.goals(repository));
    report.look_at_queue(&app.store, asked)?;
    // The places are everybody's: what some repositories took of them is no share. How many there were is not known.
    if asked.repositories.is_none() && !asked.is_past {
        report.load.against(app.engine.workers().width);
    }
    Ok(())
}

/// The form of a [`Report`].
pub(super) fn schema() -> JsonValue {
    let queue = object(&[("labels", text()), ("wait", duration()), ("start", duration())], &[]);
    let oldest = [("run", number()), ("attempt", number()), ("job", text())];
    let oldest =
        object(&[&oldest[..], &[("since_ms", number()), ("age_ms", number())]].concat(), &[]);
    object(
        &[
            ("since_ms", number()),
            ("until_ms", number()),
            ("is_past", yes_no()),
            ("samples_min", number()),
            ("commits_per_deployment_max", number()),
            ("behind_events", number()),
            ("delivery", many(delivery())),
            ("delivery_left_out", number()),
            ("pipelines", many(pipeline())),
            ("goal_notes", many(text())),
            ("queues", many(queue)),
            ("load", load()),
            ("oldest_ready", json!({ "anyOf": [oldest, { "type": "null" }] })),
            ("slow_jobs", many(slow())),
            ("slow_steps", many(slow())),
            ("slow_tests", many(slow_test())),
            ("flaky", many(flaky())),
            ("tests", many(series())),
            ("images", many(images())),
            ("scans", many(scan())),
        ],
        &[],
    )
}

fn load() -> JsonValue {
    object(
        &[
            ("span_ms", number()),
            ("busy_ms", number()),
            ("average", or_null("number")),
            ("peak", number()),
            ("places", or_null("integer")),
            ("share", or_null("number")),
        ],
        &[],
    )
}

fn duration() -> JsonValue {
    let times = ["median_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms"];
    let fields = times.map(|name| (name, or_null("integer")));
    object(&[&[("count", number())][..], &fields].concat(), &[])
}

fn rate() -> [(&'static str, JsonValue); 3] {
    [("part", number()), ("whole", number()), ("rate", or_null("number"))]
}

fn share() -> JsonValue {
    object(&rate(), &[])
}

fn rate_of_deployments() -> JsonValue {
    object(&[&rate()[..], &[("deployments", many(shipped_by()))]].concat(), &[])
}

/// A deployment by its number, or the attempt of a run whose jobs it was, as `"12.1"`.
pub(super) fn shipped_by() -> JsonValue {
    json!({ "type": ["integer", "string"] })
}

pub(super) fn shipped_by_or_null() -> JsonValue {
    json!({ "type": ["integer", "string", "null"] })
}

/// Which comes first is said by words alone: programs that examine documents like this one stumble over
/// `prefixItems`.
fn pair(first: JsonValue, second: JsonValue) -> JsonValue {
    let item = json!({ "anyOf": [first, second] });
    json!({ "type": "array", "items": item, "minItems": 2, "maxItems": 2 })
}

fn delivery() -> JsonValue {
    let frequency = [
        ("count", number()),
        ("per_day", or_null("number")),
        ("between_median_ms", or_null("integer")),
        ("others", many(pair(text(), number()))),
        ("deployments", many(shipped_by())),
    ];
    let part = object(&[("part", text()), ("time", duration())], &[]);
    let commit = [("commit", text()), ("deployment", shipped_by())];
    let parts = ["pushing_ms", "waiting_ms", "queue_ms", "build_ms", "gates_ms", "deploying_ms"];
    let parts = parts.map(|part| (part, or_null("integer")));
    let of_led =
        [("committed_at_ms", number()), ("total_ms", number()), ("parts", object(&parts, &[]))];
    let led = object(&[&commit[..], &of_led].concat(), &[]);
    let left = object(&[&commit[..], &[("why", text())]].concat(), &[]);
    let lead_time = [
        ("total", duration()),
        ("parts", many(part)),
        ("commits", many(led)),
        ("left_out", many(left)),
        ("at_limit", many(shipped_by())),
    ];
    let recovered = [
        ("deployment", shipped_by()),
        ("by", shipped_by_or_null()),
        ("incident", or_null("integer")),
        ("time_ms", number()),
    ];
    let recovery = [
        ("time", duration()),
        ("recovered", many(object(&recovered, &[]))),
        ("open", many(shipped_by())),
    ];
    let week = [
        ("since_ms", number()),
        ("deployments", number()),
        ("failed", number()),
        ("lead_time_median_ms", or_null("integer")),
    ];
    object(
        &[
            ("project", text()),
            ("environment", text()),
            ("service", text()),
            ("by_jobs", yes_no()),
            ("frequency", object(&frequency, &[])),
            ("lead_time", object(&lead_time, &[])),
            ("change_failures", rate_of_deployments()),
            ("recovery", object(&recovery, &[])),
            ("rework", rate_of_deployments()),
            ("weeks", many(object(&week, &[]))),
            ("deployments", many(deployment())),
            ("in_doubt", many(deployment())),
            ("incidents", many(incident())),
        ],
        &[],
    )
}

fn deployment() -> JsonValue {
    let deployment = [
        ("deployment", shipped_by()),
        ("stream", text()),
        ("first_seq", number()),
        ("last_seq", number()),
        ("kind", text()),
        ("verdict", text()),
        ("planned", yes_no()),
        ("version", text()),
        ("requested_at_ms", number()),
        ("finished_at_ms", number()),
        ("failed", or_null("string")),
        ("mended_by", shipped_by_or_null()),
        ("incidents", many(number())),
    ];
    object(&deployment, &[])
}

fn incident() -> JsonValue {
    let incident = [
        ("incident", number()),
        ("stream", text()),
        ("first_seq", number()),
        ("last_seq", number()),
        ("title", text()),
        ("severity", text()),
        ("source", text()),
        ("service", or_null("string")),
        ("caused_by", shipped_by_or_null()),
        ("fixed_by", many(shipped_by())),
        ("opened_at_ms", number()),
        ("resolved_at_ms", or_null("integer")),
    ];
    object(&incident, &[])
}

fn pipeline() -> JsonValue {
    let red = json!({ "type": ["object", "null"] });
    let failure = [("run", number()), ("attempt", number()), ("stream", text()), ("seq", number())];
    let run = || pair(number(), number());
    let repair = [("broken_by", run()), ("mended_by", run()), ("time_ms", number())];
    object(
        &[
            ("repository", text()),
            ("workflow", text()),
            ("success", share()),
            ("first_try", share()),
            ("pull_requests", share()),
            ("infra", share()),
            ("time", duration()),
            ("trigger", duration()),
            ("queue", duration()),
            ("repair", duration()),
            ("red", red),
            ("failures", many(object(&failure, &[]))),
            ("repairs", many(object(&repair, &[]))),
            ("left_out", many(pair(text(), number()))),
            ("goals", many(goal())),
        ],
        &[],
    )
}

fn goal() -> JsonValue {
    object(
        &[
            ("figure", text()),
            ("wanted_percent", or_null("integer")),
            ("wanted_ms", or_null("integer")),
            ("is_usual", yes_no()),
            ("is_met", or_null("boolean")),
            ("missed_by_percent", or_null("number")),
            ("missed_by_ms", or_null("integer")),
        ],
        &[],
    )
}

fn slow_test() -> JsonValue {
    let texts = ["repository", "workflow", "job", "suite", "class", "name", "file"];
    let times = [("total_ms", number()), ("longest_ms", number()), ("time", duration())];
    object(&[&texts.map(|name| (name, text()))[..], &times].concat(), &[])
}

fn flaky() -> JsonValue {
    let texts = ["repository", "workflow", "job", "suite", "class", "name", "file", "state"];
    let run = || pair(number(), number());
    let differs = [("commit", text()), ("passed_in", many(run())), ("failed_in", many(run()))];
    let told = [
        ("runs", number()),
        ("failures", number()),
        ("retried_in", many(run())),
        ("differs_on", many(object(&differs, &[]))),
        ("flips", number()),
    ];
    object(&[&texts.map(|name| (name, text()))[..], &told].concat(), &[])
}

fn series() -> JsonValue {
    let counts = ["passed", "failed", "errored", "skipped", "retried", "time_ms"];
    let mut counts = object(&counts.map(|name| (name, number())), &[]);
    counts["type"] = json!(["object", "null"]);
    let flag = [("flag", text()), ("covered", number()), ("lines", number())];
    let mut covered = pair(number(), number());
    covered["type"] = json!(["array", "null"]);
    let run = [
        ("run", number()),
        ("attempt", number()),
        ("commit", text()),
        ("conclusion", text()),
        ("completed_at_ms", number()),
        ("time_ms", or_null("integer")),
        ("tests", counts),
        ("removed", number()),
        ("newly_skipped", number()),
        ("coverage", covered),
        ("flags", many(object(&flag, &[]))),
    ];
    let runs = many(object(&run, &[]));
    object(&[("repository", text()), ("workflow", text()), ("runs", runs)], &[])
}

fn images() -> JsonValue {
    let run = [
        ("run", number()),
        ("attempt", number()),
        ("commit", text()),
        ("completed_at_ms", number()),
        ("size_bytes", or_null("integer")),
        ("build_ms", or_null("integer")),
    ];
    let texts = ["repository", "workflow", "job", "image", "platform", "size_of"];
    let runs = [("nth", number()), ("runs", many(object(&run, &[])))];
    object(&[&texts.map(|name| (name, text()))[..], &runs].concat(), &[])
}

fn scan() -> JsonValue {
    let since = [
        ("since_run", number()),
        ("since_attempt", number()),
        ("since_ms", number()),
        ("or_earlier", yes_no()),
    ];
    let texts = ["repository", "workflow", "tool", "commit"];
    let scan = [
        ("run", number()),
        ("attempt", number()),
        ("completed_at_ms", number()),
        ("is_cut", yes_no()),
        ("is_kept", yes_no()),
        ("counts", run_scans::counts()),
        ("findings", many(object(&[&run_scans::named()[..], &since].concat(), &[]))),
        ("more", number()),
    ];
    object(&[&texts.map(|name| (name, text()))[..], &scan].concat(), &[])
}

fn slow() -> JsonValue {
    let slow = [
        ("repository", text()),
        ("workflow", text()),
        ("job", text()),
        ("step", or_null("string")),
        ("total_ms", number()),
        ("time", duration()),
    ];
    object(&slow, &[])
}
