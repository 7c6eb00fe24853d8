//! The audit trail: decisions with who, why and from where.

use axum::Json;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::audit::{self, Decision, LINES_MAX, Wanted};
use crate::problem::Problem;

/// Operations about the audit trail.
pub(super) const OPERATIONS: &[Operation] = &[Operation {
    method: "get",
    path: "/api/v1/audit",
    id: "listDecisions",
    summary: "Decisions, newest first, or behind a place in their order: who, what, why, from where, and whether it was refused",
    scope: Scope::Read,
    query: &[
        ("before", "integer", "Only before this position"),
        ("after", "integer", "Only behind this position, the oldest first: `newer` goes on"),
        ("actor", "string", "Only by whom the name has this in it"),
        ("action", "string", "Only what begins so, as gate or secret.set"),
        ("object", "string", "Only about what has this in it"),
        ("limit", "integer", "How many, 200 at most"),
    ],
    body: None,
    answer: (200, "AuditList"),
    route: || get(list),
}];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let line = object(
        &[
            ("position", number()),
            ("stream", text()),
            ("at_ms", number()),
            ("actor", text()),
            ("proof", text()),
            ("action", text()),
            ("object", text()),
            ("reason", text()),
            ("source", text()),
            ("address", text()),
            ("refused", yes_no()),
        ],
        &[],
    );
    let next = [("older", or_null("integer")), ("newer", or_null("integer"))];
    let list = object(&[&[("decisions", many(line))][..], &next].concat(), &[]);
    vec![("AuditList", list)]
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    before: Option<u64>,
    after: Option<u64>,
    actor: String,
    action: String,
    object: String,
    limit: Option<usize>,
}

async fn list(
    State(app): State<Shared>,
    Query(asked): Query<Asked>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let Asked { before, after, actor, action, object, limit } = asked;
        if before.is_some() && after.is_some() {
            return Err(Problem::bad(
                "`before` gives the newest first, `after` the oldest: one of them.",
            ));
        }
        let wanted = Wanted { before, after, actor, action, object, refused: false };
        let found = audit::find(&app, &wanted, limit.unwrap_or(50).clamp(1, LINES_MAX))?;
        let line = |Decision { position, stream, line: it }: &Decision| {
            json!({
                "position": position, "stream": stream.to_string(), "at_ms": it.at,
                "actor": it.actor, "proof": it.proof, "action": it.action, "object": it.object,
                "reason": it.reason, "source": it.source, "address": it.address,
                "refused": it.is_refused,
            })
        };
        let decisions: Vec<JsonValue> = found.lines.iter().map(line).collect();
        let (older, newer) = if after.is_some() { (None, found.next) } else { (found.next, None) };
        Ok(Json(json!({ "decisions": decisions, "older": older, "newer": newer })))
    })
    .await
}
