//! What scans of a run found.

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::get;
use figures::RunScans;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::numbers;
use crate::problem::Problem;

pub(super) const OPERATION: Operation = Operation {
    method: "get",
    path: "/api/v1/runs/{run}/scans",
    id: "readScans",
    summary: "What scans of a run found, by tool, and what of it is new",
    scope: Scope::Read,
    query: &[],
    body: None,
    answer: (200, "RunScans"),
    route: || get(read),
};

async fn read(
    State(app): State<Shared>,
    Path(run): Path<String>,
) -> Result<Json<RunScans>, Problem> {
    blocking(move || {
        let view = app.view(app.stream(&run)?)?;
        // What it is compared with may have ended just now.
        numbers::behind(&app)?;
        Ok(Json(app.figures.run_scans(&app.store, &view)?))
    })
    .await
}

/// The form of [`RunScans`].
pub(super) fn schema() -> JsonValue {
    let finding = [&named()[..], &[("new", or_null("integer"))]].concat();
    let run = json!({ "type": ["array", "null"], "items": number(), "minItems": 2, "maxItems": 2 });
    let scan = [
        ("tool", text()),
        ("is_cut", yes_no()),
        ("is_kept", yes_no()),
        ("compared_with", run),
        ("counts", counts()),
        ("findings", many(object(&finding, &[]))),
        ("more", number()),
    ];
    object(&[("scans", many(object(&scan, &[])))], &[])
}

/// How much a scan found, by how bad it is.
pub(super) fn counts() -> JsonValue {
    let count = [("level", text()), ("count", number()), ("new", or_null("integer"))];
    many(object(&count, &[]))
}

/// What every finding says.
pub(super) fn named() -> [(&'static str, JsonValue); 4] {
    [("level", text()), ("rule", text()), ("file", text()), ("count", number())]
}
