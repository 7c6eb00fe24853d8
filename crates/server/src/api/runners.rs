//! Runners, and the jobs that wait for one.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json};
use protocol::FRAME_BYTES_MAX;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, named, number, object, text};
use crate::access::{Scope, is_runner_name};
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::engine::{Runner, Takes, WaitingJob};
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::{Because, Reason};
use crate::runner_link;
use crate::standing::Standing;

/// Where runners on other machines come in.
pub(crate) const RUNNER_DOOR: &str = "/api/v1/runners/connection";

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
        method: "get",
        path: RUNNER_DOOR,
        id: "connectRunner",
        summary: "The one connection of a runner on another machine: a WebSocket, version 1 of the runners' protocol",
        scope: Scope::Runner,
        query: &[],
        body: None,
        answer: (101, "application/octet-stream"),
        route: || get(connect),
    },
    Operation {
        method: "post",
        path: "/api/v1/runners/{name}/drain",
        id: "drainRunner",
        summary: "Have a runner take no job any more; what runs there goes on",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
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
        body: Some("Because"),
        answer: (200, "Runner"),
        route: || post(resume),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let takes = json!({ "enum": ["jobs", "nothing", "away"] });
    let runner = object(
        &[
            ("name", text()),
            ("labels", many(text())),
            ("capacity", number()),
            ("busy", number()),
            ("takes", takes),
        ],
        &[
            ("repositories", many(text())),
            ("kept_in", text()),
            ("version", text()),
            ("processor", text()),
            ("heard_at_ms", number()),
        ],
    );
    let waiting = object(&[("run", text()), ("job", text()), ("why_waiting", text())], &[]);
    let list = [("runners", many(named("Runner"))), ("queue", many(waiting))];
    vec![("Runner", runner), ("RunnerList", object(&list, &[]))]
}

fn line(it: &Runner) -> JsonValue {
    let takes = match it.takes {
        Takes::Jobs => "jobs",
        Takes::Nothing => "nothing",
        Takes::Away => "away",
    };
    let mut line = json!({
        "name": it.name, "labels": it.labels, "capacity": it.capacity, "busy": it.busy,
        "takes": takes,
    });
    if let Some(repositories) = &it.repositories {
        line["repositories"] = json!(repositories);
    }
    if !it.kept_in.is_empty() {
        line["kept_in"] = json!(it.kept_in);
    }
    if let Some(elsewhere) = &it.elsewhere {
        line["version"] = json!(elsewhere.version);
        line["processor"] = json!(elsewhere.processor);
        line["heard_at_ms"] = json!(elsewhere.heard_at);
    }
    line
}

fn waiting(it: &WaitingJob) -> Option<JsonValue> {
    let (run, attempt) = it.stream.as_run()?;
    Some(json!({ "run": format!("{run}.{attempt}"), "job": it.job, "why_waiting": it.why }))
}

async fn list(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let runners: Vec<JsonValue> = who.seen(&app).runners().iter().map(line).collect();
        let queue: Vec<JsonValue> = who.seen(&app).queue()?.iter().filter_map(waiting).collect();
        Ok(Json(json!({ "runners": runners, "queue": queue })))
    })
    .await
}

/// Lets a runner in. Nothing that a browser is made to ask comes this far: its token is no cookie's.
async fn connect(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    who.may(Scope::Runner)?;
    if who.is_session || !is_runner_name(&who.token.name) {
        return Err(Problem::of_scope("This token names no runner."));
    }
    if !app.place.is_private() {
        let detail = "Jobs' secrets go over this connection, and nothing encrypts it: \
                      put something in front that speaks TLS, and start the server with --url https://...";
        return Err(Problem::forbidden(detail));
    }
    let upgrade = upgrade.map_err(|_| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "This is a WebSocket, for launchway runner.")
    })?;
    let permit = Arc::clone(&app.runners).try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "No more runners can be connected.")
    })?;
    let (name, standing) = (who.token.name.clone(), Standing::of(&app, &who));
    let repositories = who.token.repositories.clone();
    let upgrade = upgrade.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let engine = Arc::clone(&app.engine);
        // Its jobs go on: they are waited for as those of any machine that is away.
        tokio::select! {
            () = runner_link::carry(socket, move |link| {
                engine.serve_runner(&name, &repositories, link);
            }) => {}
            () = standing.over() => {}
        }
        drop(permit);
    }))
}

async fn drain(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    set(app, who, name, (Takes::Nothing, reason)).await
}

async fn resume(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    set(app, who, name, (Takes::Jobs, reason)).await
}

/// Whether a runner takes jobs, for pages and for programs; written down either way.
pub(crate) fn set_runner(
    app: &App,
    who: &Who,
    name: &str,
    (takes, reason): (Takes, &Reason),
) -> Result<(), Problem> {
    who.may(Scope::Admin)?;
    let action = if takes == Takes::Nothing { "runner.drain" } else { "runner.resume" };
    let record = audit::recorder(app, who, (action, reason), str::to_owned);
    Ok(app.engine.set_runner(name, takes, &record)?)
}

async fn set(
    app: Shared,
    who: Who,
    name: String,
    (takes, reason): (Takes, Reason),
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        set_runner(&app, &who, &name, (takes, &reason))?;
        let runner = app.engine.runners().into_iter().find(|it| it.name == name);
        let runner = runner.ok_or_else(|| Problem::not_found("There is no such runner."))?;
        Ok(Json(line(&Runner { takes, ..runner })))
    })
    .await
}
