//! What the tests of a run said, and what of its lines ran.

use axum::Json;
use axum::extract::{Path, State};
use axum::routing::get;
use figures::RunTests;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::numbers;
use crate::problem::Problem;

pub(super) const OPERATION: Operation = Operation {
    method: "get",
    path: "/api/v1/runs/{run}/tests",
    id: "readTests",
    summary: "Tests and coverage of a run that is over, from the reports among its artifacts; null where it has none",
    scope: Scope::Read,
    query: &[],
    body: None,
    answer: (200, "RunTests"),
    route: || get(read),
};

async fn read(
    State(app): State<Shared>,
    Path(run): Path<String>,
) -> Result<Json<Option<RunTests>>, Problem> {
    blocking(move || {
        let stream = app.stream(&run)?;
        // What it is compared with may have ended just now.
        numbers::behind(&app)?;
        Ok(Json(app.figures.run_tests(&app.store, stream)?))
    })
    .await
}

/// The form of [`RunTests`].
pub(super) fn schema() -> JsonValue {
    let counts = ["passed", "failed", "errored", "skipped", "retried", "time_ms"];
    let counts = object(&counts.map(|name| (name, number())), &[]);
    let mut flag_counts = counts.clone();
    flag_counts["type"] = json!(["object", "null"]);
    let test = || {
        let texts =
            ["job", "suite", "class", "name", "file", "outcome", "flag"].map(|it| (it, text()));
        let numbers = [("line", or_null("integer")), ("time_ms", or_null("integer"))];
        object(&[&texts[..], &numbers].concat(), &[])
    };
    let pair =
        || json!({ "type": ["array", "null"], "items": number(), "minItems": 2, "maxItems": 2 });
    let lines = || [("covered", number()), ("lines", number()), ("before", pair())];
    let file = object(&[&[("file", text())][..], &lines()].concat(), &[]);
    let mut coverage = object(&[&lines()[..], &[("files", many(file))]].concat(), &[]);
    coverage["type"] = json!(["object", "null"]);
    let flag = [
        ("flag", text()),
        ("tests", flag_counts),
        ("coverage", pair()),
        ("coverage_before", pair()),
    ];
    let report = [("artifact", text()), ("file", text()), ("kind", text()), ("is_cut", yes_no())];
    let mut tests = object(
        &[
            ("counts", counts),
            ("failed", many(test())),
            ("retried", many(test())),
            ("removed", many(test())),
            ("newly_skipped", many(test())),
            ("coverage", coverage),
            ("flags", many(object(&flag, &[]))),
            ("compared_with", pair()),
            ("reports", many(object(&report, &[]))),
        ],
        &[],
    );
    tests["type"] = json!(["object", "null"]);
    tests
}
