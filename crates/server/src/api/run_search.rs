//! What was looked for in all logs of a run.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use event::JobKey;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text};
use crate::access::Scope;
use crate::ansi;
use crate::app::{Shared, blocking, turn};
use crate::problem::Problem;
use crate::run_search::{self, LogHits};

pub(super) const OPERATION: Operation = Operation {
    method: "get",
    path: "/api/v1/runs/{run}/search",
    id: "searchLogs",
    summary: "Lines of a run's logs that have a text, by job; 20 of each log, all counted",
    scope: Scope::Read,
    query: &[
        ("q", "string", "The text, or the regular expression: 200 characters at most"),
        ("re", "string", "1: `q` is a regular expression"),
        ("job", "string", "Only this job's"),
    ],
    body: None,
    answer: (200, "LogSearch"),
    route: || get(search),
};

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Asked {
    q: String,
    re: Option<String>,
    job: Option<String>,
}

async fn search(
    State(app): State<Shared>,
    Path(run): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<JsonValue>, Problem> {
    if asked.q.is_empty() {
        return Err(Problem::bad("`q` says what is to be found."));
    }
    let turn = turn(&app.finding).await?;
    blocking(move || {
        let _turn = turn;
        let view = app.view(app.stream(&run)?)?;
        let is_pattern = asked.re.as_deref() == Some("1");
        let finder = run_search::Asked { query: &asked.q, is_pattern }.finder()?;
        let finder = finder.map_err(|wrong| {
            Problem::bad(format!("`q` is no regular expression that can be searched for: {wrong}"))
        })?;
        let job = asked.job.as_deref().map(JobKey::new);
        if job.as_ref().is_some_and(|job| view.job(job).is_none()) {
            return Err(Problem::not_found("There is no such job in this run."));
        }
        let found = run_search::find(&app, &view, job.as_ref(), &finder)?;
        let logs: Vec<JsonValue> = found.logs.iter().map(log).collect();
        Ok(Json(json!({
            "count": found.count, "logs": logs, "logs_not_shown": found.not_shown,
            "logs_not_searched": found.not_searched,
        })))
    })
    .await
}

fn log(found: &LogHits<'_>) -> JsonValue {
    let lines = found.hits.lines.iter();
    let lines = lines
        .map(|it| json!({ "line": it.number, "text": ansi::plain(&it.text), "cut_bytes": it.cut }));
    json!({
        "job": found.job.key, "name": found.job.name,
        "aside": found.aside.map(|(number, _)| number), "step": found.aside.map(|(_, step)| step),
        "count": found.hits.count, "lines": lines.collect::<Vec<_>>(),
    })
}

/// The shape that it speaks in.
pub(super) fn schema() -> JsonValue {
    let line = object(&[("line", number()), ("text", text()), ("cut_bytes", number())], &[]);
    let log = [
        ("job", text()),
        ("name", text()),
        ("aside", or_null("integer")),
        ("step", or_null("string")),
        ("count", number()),
        ("lines", many(line)),
    ];
    let all = [
        ("count", number()),
        ("logs", many(object(&log, &[]))),
        ("logs_not_shown", number()),
        ("logs_not_searched", number()),
    ];
    object(&all, &[])
}
