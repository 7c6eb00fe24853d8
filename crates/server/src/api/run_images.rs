//! The images that a run built.

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::get;
use figures::RunImages;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::numbers;
use crate::problem::Problem;

pub(super) const OPERATION: Operation = Operation {
    method: "get",
    path: "/api/v1/runs/{run}/images",
    id: "readImages",
    summary: "The images that the jobs of a run built: how large, how long it took, and what that was before",
    scope: Scope::Read,
    query: &[],
    body: None,
    answer: (200, "RunImages"),
    route: || get(read),
};

async fn read(
    State(app): State<Shared>,
    Path(run): Path<String>,
) -> Result<Json<RunImages>, Problem> {
    blocking(move || {
        let view = app.view(app.stream(&run)?)?;
        // What it is compared with may have ended just now.
        numbers::behind(&app)?;
        Ok(Json(app.figures.run_images(&app.store, &view)?))
    })
    .await
}

/// The form of [`RunImages`].
pub(super) fn schema() -> JsonValue {
    let image = [
        ("job", text()),
        ("step", text()),
        ("names", many(text())),
        ("id", or_null("string")),
        ("digest", or_null("string")),
        ("platform", or_null("string")),
        ("size_bytes", or_null("integer")),
        ("size_of", or_null("string")),
        ("build_ms", or_null("integer")),
        ("size_before_bytes", or_null("integer")),
        ("build_before_ms", or_null("integer")),
    ];
    let run = json!({ "type": ["array", "null"], "items": number(), "minItems": 2, "maxItems": 2 });
    object(&[("compared_with", run), ("images", many(object(&image, &[])))], &[])
}
