//! What was deployed, what runs where, and what guards each environment.

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Extension, Json};
use event::{DeploymentId, Seq};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use store::WantedDeployments;

use super::openapi::{many, number, object, or_null, text, yes_no};
use super::{AFTER, EVENTS_MAX, Operation, streams};
use crate::access::Scope;
use crate::app::{App, Shared, blocking, turn};
use crate::deployed;
use crate::engine::GuardedEnvironment;
use crate::environments::{KnownEnvironment, Surveyed, surveyed};
use crate::guard::Who;
use crate::problem::Problem;
use crate::wire::{
    DeploymentEvents, DeploymentList, EnvironmentLine, EnvironmentList, ReleaseList, ShippedByJobs,
    StatusList, StoredEvent,
};

/// Deployments of one answer where nobody says how many.
const DEPLOYMENTS: usize = 20;

const PROJECT: (&str, &str, &str) = ("project", "string", "Only of this project");

/// Operations about them. A deployment is a project's, and no repository's: whoever is bound to repositories hears
/// of environments alone, and not what runs there.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/deployments",
        id: "listDeployments",
        summary: "Deployments, newest first",
        scope: Scope::Read,
        query: &[
            ("before", "integer", "Only deployments before this one"),
            PROJECT,
            ("environment", "string", "Only to this environment"),
            ("limit", "integer", "How many, 200 at most"),
        ],
        body: None,
        answer: (200, "DeploymentList"),
        route: || get(list),
    },
    Operation {
        method: "get",
        path: "/api/v1/deployments/{id}/events",
        id: "listDeploymentEvents",
        summary: "A deployment's events, as the journal has them",
        scope: Scope::Read,
        query: &[AFTER],
        body: None,
        answer: (200, "DeploymentEvents"),
        route: || get(events),
    },
    Operation {
        method: "get",
        path: "/api/v1/deployments/{id}/events/stream",
        id: "followDeployment",
        summary: "A deployment's events as they happen; Last-Event-ID goes on",
        scope: Scope::Read,
        query: &[AFTER],
        body: None,
        answer: (200, "text/event-stream"),
        route: || get(streams::of_deployment),
    },
    Operation {
        method: "get",
        path: "/api/v1/status",
        id: "showStatus",
        summary: "What runs where, as the journal knows it: no target is asked",
        scope: Scope::Read,
        query: &[PROJECT, ("environment", "string", "Only in this environment")],
        body: None,
        answer: (200, "StatusList"),
        route: || get(status),
    },
    Operation {
        method: "get",
        path: "/api/v1/releases",
        id: "listReleases",
        summary: "What came to environments and which of it ran well, and the images that there are for them",
        scope: Scope::Read,
        query: &[PROJECT, ("environment", "string", "Only of this environment")],
        body: None,
        answer: (200, "ReleaseList"),
        route: || get(releases),
    },
    Operation {
        method: "get",
        path: "/api/v1/environments",
        id: "listEnvironments",
        summary: "Environments of the repositories, with what guards each and what runs there",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "EnvironmentList"),
        route: || get(environments),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let service = object(&[("service", text()), ("version", text())], &[]);
    let line = [
        ("deployment", number()),
        ("project", text()),
        ("environment", text()),
        ("services", many(service)),
        ("kind", text()),
        ("by", text()),
        ("reason", or_null("string")),
        ("standing", text()),
        ("cause", or_null("string")),
        ("requested_at_ms", number()),
        ("duration_ms", or_null("integer")),
        ("console", many(console_page())),
    ];
    let list = [("deployments", many(object(&line, &[]))), ("older", or_null("integer"))];
    let event = json!({ "type": "object", "required": ["type"], "properties": { "type": text() } });
    let event = object(&[("seq", number()), ("at_ms", number()), ("event", event)], &[]);
    let by_jobs = [
        ("run", text()),
        ("workflow", text()),
        ("version", text()),
        ("verdict", text()),
        ("finished_at_ms", number()),
    ];
    let by_jobs = json!({ "anyOf": [object(&by_jobs, &[]), { "type": "null" }] });
    let environment = [
        ("repository", text()),
        ("project", or_null("string")),
        ("environment", text()),
        ("level", or_null("integer")),
        ("url", or_null("string")),
        ("guards", many(text())),
        ("runs", json!({ "type": ["object", "null"], "additionalProperties": text() })),
        ("by_jobs", by_jobs),
        ("console", many(console_page())),
    ];
    let environments = [
        ("environments", many(object(&environment, &[]))),
        ("problems", many(text())),
        ("behind_events", number()),
    ];
    vec![
        ("DeploymentList", object(&list, &[])),
        ("DeploymentEvents", object(&[("deployment", number()), ("events", many(event))], &[])),
        ("StatusList", object(&[("environments", many(place()))], &[])),
        ("ReleaseList", object(&[("environments", many(place_releases()))], &[])),
        ("EnvironmentList", object(&environments, &[])),
    ]
}

/// A page of the console of a cloud.
fn console_page() -> JsonValue {
    let what = json!({ "enum": ["ecs_service", "log_group"] });
    object(&[("service", text()), ("what", what), ("name", text()), ("url", text())], &[])
}

/// What runs in an environment.
fn place() -> JsonValue {
    let runs = [
        ("version", text()),
        ("digest", text()),
        ("deployment", number()),
        ("since_ms", number()),
        ("unsure", yes_no()),
        ("adopted", yes_no()),
    ];
    let runs = json!({ "anyOf": [object(&runs, &[]), { "type": "null" }] });
    let service = [("service", text()), ("runs", runs), ("emptied_by", or_null("integer"))];
    let open = [("deployment", number()), ("standing", text())];
    let place = [
        ("project", text()),
        ("environment", text()),
        ("services", many(object(&service, &[]))),
        ("open", many(object(&open, &[]))),
    ];
    object(&place, &[])
}

/// What came to an environment, and which images there are.
fn place_releases() -> JsonValue {
    let both = [
        ("service", text()),
        ("version", text()),
        ("digest", text()),
        ("commit", or_null("string")),
        ("at_ms", number()),
    ];
    let came =
        [("good", yes_no()), ("running", yes_no()), ("deployment", number()), ("verdict", text())];
    let origin = [("kind", json!({ "enum": ["built", "found", "copied"] }))];
    let image = [
        ("repository", or_null("string")),
        ("tags", many(text())),
        ("origin", object(&origin, &[("from", text())])),
        ("size_bytes", number()),
    ];
    let place = [
        ("project", text()),
        ("environment", text()),
        ("releases", many(object(&[&both[..], &came].concat(), &[]))),
        ("images", many(object(&[&both[..], &image].concat(), &[]))),
    ];
    object(&place, &[])
}

#[derive(Deserialize)]
struct Part {
    before: Option<u64>,
    project: Option<String>,
    environment: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(app): State<Shared>,
    Query(part): Query<Part>,
) -> Result<Json<DeploymentList>, Problem> {
    blocking(move || {
        let wanted = WantedDeployments {
            project: part.project.as_deref(),
            environment: part.environment.as_deref(),
            in_any_case: false,
            before: part.before.map(DeploymentId),
            limit: part.limit.unwrap_or(DEPLOYMENTS),
        };
        Ok(Json(deployed::list(&app, wanted)?))
    })
    .await
}

#[derive(Deserialize)]
struct Behind {
    #[serde(default)]
    after: u64,
}

async fn events(
    State(app): State<Shared>,
    Path(id): Path<u64>,
    Query(Behind { after }): Query<Behind>,
) -> Result<Json<DeploymentEvents>, Problem> {
    blocking(move || {
        let deployment = DeploymentId(id);
        let events = deployed::events(&app, deployment, Seq(after))?;
        if events.is_empty() && after == 0 {
            return Err(Problem::not_found(format!("there is no deployment {id}")));
        }
        let stored = events.into_iter().take(EVENTS_MAX);
        let events =
            stored.map(|it| StoredEvent { seq: it.seq, at_ms: it.at, event: it.event }).collect();
        Ok(Json(DeploymentEvents { deployment, events }))
    })
    .await
}

#[derive(Deserialize)]
struct Of {
    project: Option<String>,
    environment: Option<String>,
}

async fn status(
    State(app): State<Shared>,
    Query(Of { project, environment }): Query<Of>,
) -> Result<Json<StatusList>, Problem> {
    let turn = turn(&app.surveying).await?;
    blocking(move || {
        let _turn = turn;
        let environments = deployed::status(&app, project.as_deref(), environment.as_deref())?;
        Ok(Json(StatusList { environments }))
    })
    .await
}

async fn releases(
    State(app): State<Shared>,
    Query(Of { project, environment }): Query<Of>,
) -> Result<Json<ReleaseList>, Problem> {
    let turn = turn(&app.surveying).await?;
    blocking(move || {
        let _turn = turn;
        let environments = deployed::releases(&app, project.as_deref(), environment.as_deref())?;
        Ok(Json(ReleaseList { environments }))
    })
    .await
}

async fn environments(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<EnvironmentList>, Problem> {
    let turn = turn(&app.surveying).await?;
    blocking(move || {
        let _turn = turn;
        let Surveyed { known, problems, behind } = surveyed(&app, &who)?;
        let mut list =
            EnvironmentList { environments: Vec::new(), problems, behind_events: behind };
        for (repository, it) in known {
            list.environments.push(line(&app, &who, &repository, it)?);
        }
        Ok(Json(list))
    })
    .await
}

fn line(
    app: &App,
    who: &Who,
    repository: &str,
    KnownEnvironment { environment, jobs }: KnownEnvironment,
) -> Result<EnvironmentLine, Problem> {
    let GuardedEnvironment { name, project, level, url, rules, .. } = environment;
    // A deployment is a project's: whoever is bound to repositories hears of none.
    let own = project.as_deref().filter(|_| !who.token.is_bound());
    let newest = own.map(|it| deployed::newest(app, it, &name)).transpose()?;
    let newest = newest.and_then(|(newest, _)| newest);
    let runs = match &project {
        _ if who.token.is_bound() => None,
        None => Some(Default::default()),
        Some(project) => {
            let services = deployed::ledger(app, project, &name)?.services.into_iter();
            let runs = services.filter_map(|(service, it)| Some((service, it.runs?)));
            Some(runs.map(|(service, it)| (service, it.release.release.version)).collect())
        }
    };
    Ok(EnvironmentLine {
        repository: repository.to_owned(),
        project,
        environment: name,
        level,
        url,
        guards: rules,
        runs,
        by_jobs: jobs.map(ShippedByJobs::from),
        console: newest.map(|it| app.engine.console(&it)).unwrap_or_default(),
    })
}
