//! Code of forks that waits to be let in.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, named, number, object, text};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::engine::HeldPush;
use crate::guard::Who;
use crate::pages;
use crate::problem::Problem;
use crate::reason::Because;

/// Operations about code of forks.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/held",
        id: "listHeld",
        summary: "Code of forks that nobody let in yet",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "HeldList"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/held/{id}/let-in",
        id: "letIn",
        summary: "Let in what waits under an id, for that push alone; it is written down who did",
        scope: Scope::Operate,
        query: &[],
        body: Some("Because"),
        answer: (200, "LetIn"),
        route: || post(let_in),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let held = object(
        &[
            ("id", text()),
            ("repository", text()),
            ("ref", text()),
            ("commit", text()),
            ("by", text()),
            ("workflows", many(text())),
        ],
        &[],
    );
    let let_in = object(&[("runs", number()), ("switched_off", many(text()))], &[]);
    let list = object(&[("held", many(named("Held")))], &[]);
    vec![("Held", held), ("HeldList", list), ("LetIn", let_in)]
}

fn line(it: &HeldPush) -> JsonValue {
    json!({
        "id": it.id, "repository": it.repository, "ref": it.git_ref, "commit": it.commit,
        "by": it.by, "workflows": it.workflows,
    })
}

async fn list(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let all: Vec<JsonValue> = who.seen(&app).held()?.iter().map(line).collect();
        Ok(Json(json!({ "held": all })))
    })
    .await
}

async fn let_in(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    let it = blocking(move || pages::admit(&app, &who, &id, &reason)).await?;
    Ok(Json(json!({ "runs": it.runs, "switched_off": it.switched_off })))
}
