//! Deployments by `launchway deploy` that wait for people. What somebody signed is judged by whoever drives the
//! deployment, as everywhere: here it is only handed on.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json};
use event::DeploymentId;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::deployed;
use crate::engine::HandedIn;
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::Because;

/// Operations about them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/deployments/waiting",
        id: "listWaitingDeployments",
        summary: "Deployments that wait for people, the newest first, once for each group",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "WaitingDeployments"),
        route: || get(list),
    },
    Operation {
        method: "get",
        path: "/api/v1/deployments/{id}/approval",
        id: "showDeploymentApproval",
        summary: "What is to be signed for a deployment: its plan, whole, and the rules it is held to",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "ApprovalRequest"),
        route: || get(show),
    },
    Operation {
        method: "post",
        path: "/api/v1/deployments/{id}/approval",
        id: "handInDeploymentApproval",
        summary: "Hand in what launchway approvals sign wrote; the signature says who agrees, the token does not",
        scope: Scope::Approve,
        query: &[],
        body: Some("Signed"),
        answer: (200, "HandedIn"),
        route: || post(hand_in),
    },
    Operation {
        method: "post",
        path: "/api/v1/deployments/{id}/cancel",
        id: "cancelDeployment",
        summary: "Have a deployment end, or go back: whoever drives it is told, once however often it is asked",
        scope: Scope::Operate,
        query: &[],
        body: Some("Because"),
        answer: (202, "DeploymentToStop"),
        route: || post(cancel),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let group =
        |name: &'static str| [("group", text()), ("wanted", number()), (name, many(text()))];
    let line = [
        ("deployment", text()),
        ("environment", text()),
        ("by", text()),
        ("signed", many(text())),
        ("waiting_at_ms", or_null("integer")),
        ("hash", or_null("string")),
    ];
    let line = object(&[&line[..], &group("may")].concat(), &[]);
    let request = [
        ("type", text()),
        ("project", text()),
        ("environment", text()),
        ("deployment", number()),
        ("by", text()),
        ("reason", or_null("string")),
        ("requested_at_ms", number()),
        ("rules", text()),
        ("rules_at", text()),
        ("groups", many(object(&group("may"), &[]))),
        ("hash", text()),
        ("plan", json!({ "type": "object" })),
    ];
    let signed = json!({
        "type": "object",
        "required": ["signed"],
        "properties": { "signed": text() },
        "additionalProperties": false,
    });
    let handed = [
        ("decision", json!({ "enum": ["approved", "rejected"] })),
        ("by", or_null("string")),
        ("is_open", yes_no()),
    ];
    vec![
        ("WaitingDeployments", object(&[("deployments", many(line))], &[])),
        ("ApprovalRequest", object(&request, &[])),
        ("Signed", signed),
        ("HandedIn", object(&handed, &[])),
        ("DeploymentToStop", object(&[("deployment", number()), ("driven", yes_no())], &[])),
    ]
}

/// What is handed in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    signed: String,
}

async fn list(State(app): State<Shared>) -> Result<Json<JsonValue>, Problem> {
    blocking(move || Ok(Json(json!({ "deployments": app.engine.waiting_deployments()? })))).await
}

async fn show(State(app): State<Shared>, Path(id): Path<u64>) -> Result<Json<JsonValue>, Problem> {
    blocking(move || Ok(Json(app.engine.approval_request(DeploymentId(id))?))).await
}

/// The right to wait for whoever drives a deployment.
fn turn(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(of).try_acquire_owned().map_err(|_| {
        let detail = "Others wait for deployments now: try again in a moment.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

async fn hand_in(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
    body: axum::body::Bytes,
) -> Result<Json<JsonValue>, Problem> {
    let Signed { signed } = serde_json::from_slice(&body).map_err(|_| {
        Problem::bad("The body is {\"signed\": TEXT}: what launchway approvals sign wrote.")
    })?;
    let turn = turn(&app.handing_in)?;
    let handed = blocking(move || {
        // The signature says who agrees; whoever hands it in may do that there.
        let asked = app.engine.approval_request(DeploymentId(id))?;
        who.may_in(Scope::Approve, asked["environment"].as_str().unwrap_or_default())?;
        let handed = app.engine.hand_in(DeploymentId(id), &signed);
        drop(turn);
        Ok(handed?)
    })
    .await?;
    Ok(Json(match handed {
        HandedIn::Agreed { by, is_open } => {
            json!({ "decision": "approved", "by": by, "is_open": is_open })
        }
        HandedIn::Rejected => json!({ "decision": "rejected", "by": null, "is_open": false }),
    }))
}

async fn cancel(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
    Because(reason): Because,
) -> Result<(StatusCode, Json<JsonValue>), Problem> {
    let turn = turn(&app.stopping)?;
    blocking(move || {
        let none = || Problem::not_found(format!("there is no deployment {id}"));
        let id = DeploymentId(id);
        let known = deployed::view(&app, id)?.ok_or_else(none)?;
        who.may_in(Scope::Operate, &known.request.environment)?;
        let is_driven = app.engine.cancel_deployment(id, &who.actor(), reason.as_str())?;
        drop(turn);
        Ok((StatusCode::ACCEPTED, Json(json!({ "deployment": id, "driven": is_driven }))))
    })
    .await
}
