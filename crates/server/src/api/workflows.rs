//! The workflows of a repository: which there are, and switching them off and on.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::engine::Switched;
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::{Because, Reason};

/// Operations about them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/repositories/{owner}/{name}/workflow-files",
        id: "listWorkflows",
        summary: "Workflows at the tip of the default branch, and those that are switched off",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "WorkflowList"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/repositories/{owner}/{name}/workflow-files/{file}/disable",
        id: "disableWorkflow",
        summary: "Have a workflow run on no event, without touching its file; what runs goes on",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
        answer: (200, "SwitchedWorkflow"),
        route: || post(disable),
    },
    Operation {
        method: "post",
        path: "/api/v1/repositories/{owner}/{name}/workflow-files/{file}/enable",
        id: "enableWorkflow",
        summary: "Have a workflow run on its events again",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
        answer: (200, "SwitchedWorkflow"),
        route: || post(enable),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let workflow = [
        ("path", text()),
        ("name", or_null("string")),
        ("events", many(text())),
        ("state", json!({ "enum": ["on", "off", "broken"] })),
    ];
    let state = json!({ "enum": ["on", "off"] });
    let switched = [("path", text()), ("state", state), ("at_tip", yes_no())];
    vec![
        ("WorkflowList", object(&[("workflows", many(object(&workflow, &[])))], &[])),
        ("SwitchedWorkflow", object(&switched, &[])),
    ]
}

async fn list(
    State(app): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let workflows = app.engine.workflows(&format!("{owner}/{name}"))?;
        Ok(Json(json!({ "workflows": workflows })))
    })
    .await
}

type Address = Path<(String, String, String)>;

async fn disable(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    address: Address,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || switched(&app, &who, address, (false, &reason))).await
}

async fn enable(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    address: Address,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || switched(&app, &who, address, (true, &reason))).await
}

fn switched(
    app: &App,
    who: &Who,
    Path((owner, name, file)): Address,
    (is_on, reason): (bool, &Reason),
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    let repository = format!("{owner}/{name}");
    let (action, state) =
        if is_on { ("workflow.enable", "on") } else { ("workflow.disable", "off") };
    let record = audit::recorder(app, who, (action, reason), |path| format!("{repository} {path}"));
    let switched = app.engine.switch_workflow(&repository, &file, is_on, &record)?;
    let Switched { path, is_at_tip } = switched;
    Ok(Json(json!({ "path": path, "state": state, "at_tip": is_at_tip })))
}
