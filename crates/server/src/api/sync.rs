//! Secrets and variables of a repository, put into GitHub's: what would be done first, then that.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use serde_json::{Value as JsonValue, json};
use tokio::sync::OwnedSemaphorePermit;

use super::Operation;
use super::openapi::{many, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::engine::{Refused, Why};
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::Reason;
use crate::sync::{CHOSEN_MAX, SYNCED_MAX, SyncDone, SyncOrder, SyncPlan, SyncWish};

/// Operations about them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post",
        path: "/api/v1/repositories/{owner}/{name}/kept/github/plan",
        id: "planSync",
        summary: "What would be put into GitHub's secrets and variables, by name and time; nothing is done",
        scope: Scope::Admin,
        query: &[],
        body: Some("SyncWish"),
        answer: (200, "SyncPlan"),
        route: || post(plan),
    },
    Operation {
        method: "post",
        path: "/api/v1/repositories/{owner}/{name}/kept/github",
        id: "syncKept",
        summary: "Have the server put values that it keeps into GitHub's secrets and variables of the repository that this one is a mirror of: twenty at most, whatever is there",
        scope: Scope::Admin,
        query: &[],
        body: Some("SyncOrder"),
        answer: (200, "SyncDone"),
        route: || post(sync),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let kinds = json!({ "enum": ["secret", "variable"] });
    let value = || {
        object(
            &[
                ("kind", json!({ "enum": ["secret", "variable"] })),
                ("name", text()),
                ("environment", or_null("string")),
                ("state", text()),
                ("set_at_ms", or_null("integer")),
                ("there_since_ms", or_null("integer")),
                ("why", or_null("string")),
            ],
            &[],
        )
    };
    let wish = json!({
        "type": "object",
        "properties": {
            "names": { "type": "array", "items": text(), "maxItems": CHOSEN_MAX },
            "environments": { "type": "array", "items": text(), "maxItems": CHOSEN_MAX },
            "only": { "enum": ["secret", "variable", null] },
            "all": yes_no(),
            "make_environments": yes_no(),
        },
        "additionalProperties": false,
    });
    let id = json!({
        "type": "object",
        "required": ["kind", "name"],
        "properties": { "kind": kinds, "name": text(), "environment": or_null("string") },
        "additionalProperties": false,
    });
    let order = json!({
        "type": "object",
        "required": ["values"],
        "properties": {
            "values": { "type": "array", "items": id, "maxItems": SYNCED_MAX },
            "make_environments": yes_no(),
            "reason": crate::reason::field(),
        },
        "additionalProperties": false,
    });
    let plan =
        [("to", text()), ("url", text()), ("missing", many(text())), ("values", many(value()))];
    let done = [
        ("environments", many(text())),
        ("values", many(value())),
        ("stopped", or_null("string")),
        ("hint", or_null("string")),
    ];
    vec![
        ("SyncWish", wish),
        ("SyncPlan", object(&plan, &[])),
        ("SyncOrder", order),
        ("SyncDone", object(&done, &[])),
    ]
}

/// GitHub may take its time, and each who asks it has a thread meanwhile.
fn turn(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&app.syncing).try_acquire_owned().map_err(|_| {
        let detail = "Other values are put to GitHub now: try again in a moment.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}

fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad(format!("The body: {error}.")))
}

fn kind_of(kind: Option<&str>) -> Result<(), Problem> {
    match kind {
        None | Some("secret" | "variable") => Ok(()),
        Some(_) => Err(refused("A value is a secret or a variable.")),
    }
}

async fn plan(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<SyncPlan>, Problem> {
    who.may(Scope::Admin)?;
    let wish: SyncWish = read(&body)?;
    kind_of(wish.only.as_deref())?;
    if wish.names.len() > CHOSEN_MAX || wish.environments.len() > CHOSEN_MAX {
        let detail = format!("{CHOSEN_MAX} names or environments are chosen at most.");
        return Err(refused(detail));
    }
    let turn = turn(&app)?;
    blocking(move || {
        let plan = app.engine.plan_sync(&format!("{owner}/{name}"), &wish);
        drop(turn);
        Ok(Json(plan?))
    })
    .await
}

async fn sync(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<SyncDone>, Problem> {
    who.may(Scope::Admin)?;
    let order: SyncOrder = read(&body)?;
    order.values.iter().try_for_each(|it| kind_of(Some(&it.kind)))?;
    if order.values.is_empty() || order.values.len() > SYNCED_MAX {
        let detail = format!("One call puts one value there at least, and {SYNCED_MAX} at most.");
        return Err(refused(detail));
    }
    let reason = Reason::given(order.reason.clone())?;
    let turn = turn(&app)?;
    blocking(move || {
        let record = |action: &str, object: String| {
            let recorded = audit::record(&app, &who, (action, object), (&reason, None));
            recorded.map_err(|problem| Refused::new(Why::Missing, problem.detail))
        };
        let done = app.engine.sync(&format!("{owner}/{name}"), &order, &record);
        drop(turn);
        Ok(Json(done?))
    })
    .await
}
