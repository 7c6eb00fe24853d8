//! Runners, and the jobs that wait for one.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, named, number, object, text};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::engine::{Runner, Takes, WaitingJob};
use crate::guard::Who;
use crate::problem::Problem;

/// Operations about runners.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/runners",
        id: "listRunners",
        summary: "Machines that take jobs, and the jobs that wait for one, in the order of their turn",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "RunnerList"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/runners/{name}/drain",
        id: "drainRunner",
        summary: "Have a runner take no job any more; what runs there goes on",
        scope: Scope::Admin,
        query: &[],
        body: None,
        answer: (200, "Runner"),
        route: || post(drain),
    },
    Operation {
        method: "post",
        path: "/api/v1/runners/{name}/resume",
        id: "resumeRunner",
        summary: "Have a drained runner take jobs again",
        scope: Scope::Admin,
        query: &[],
        body: None,
        answer: (200, "Runner"),
        route: || post(resume),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let takes = json!({ "enum": ["jobs", "nothing"] });
    let runner = object(
        &[
            ("name", text()),
            ("labels", many(text())),
            ("capacity", number()),
            ("busy", number()),
            ("takes", takes),
        ],
        &[],
    );
    let waiting = object(&[("run", text()), ("job", text()), ("why_waiting", text())], &[]);
    let list = [("runners", many(named("Runner"))), ("queue", many(waiting))];
    vec![("Runner", runner), ("RunnerList", object(&list, &[]))]
}

fn line(it: &Runner) -> JsonValue {
    let takes = if it.takes == Takes::Jobs { "jobs" } else { "nothing" };
    json!({
        "name": it.name, "labels": it.labels, "capacity": it.capacity, "busy": it.busy,
        "takes": takes,
    })
}

fn waiting(it: &WaitingJob) -> Option<JsonValue> {
    let (run, attempt) = it.stream.as_run()?;
    Some(json!({ "run": format!("{run}.{attempt}"), "job": it.job, "why_waiting": it.why }))
}

async fn list(State(app): State<Shared>) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let runners: Vec<JsonValue> = app.engine.runners().iter().map(line).collect();
        let queue: Vec<JsonValue> = app.engine.queue().iter().filter_map(waiting).collect();
        Ok(Json(json!({ "runners": runners, "queue": queue })))
    })
    .await
}

async fn drain(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    set(app, name, Takes::Nothing).await
}

async fn resume(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    set(app, name, Takes::Jobs).await
}

async fn set(app: Shared, name: String, takes: Takes) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        app.engine.set_runner(&name, takes)?;
        let runner = app.engine.runners().into_iter().find(|it| it.name == name);
        let runner = runner.ok_or_else(|| Problem::not_found("There is no such runner."))?;
        Ok(Json(line(&Runner { takes, ..runner })))
    })
    .await
}
