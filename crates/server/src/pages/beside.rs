//! From a run to the one of the same workflow before or after it, and from a job to the same there.

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use event::{JobKey, RunId, StreamId};
use serde::Deserialize;

use crate::app::{App, Shared, blocking};
use crate::problem::Problem;
use crate::words::{percent, stream_href};

/// Runs of others that are passed by; further away nobody looks one by one.
const PASSED_MAX: u64 = 500;

#[derive(Deserialize)]
pub(crate) struct Of {
    job: Option<String>,
}

/// To the run before.
pub(crate) async fn older(
    State(app): State<Shared>,
    Path(run): Path<String>,
    Query(of): Query<Of>,
) -> Result<Redirect, Problem> {
    let numbers = |run: u64| (1..run).rev().take(PASSED_MAX as usize).collect();
    blocking(move || lead(&app, &run, &of, numbers, "oldest")).await
}

/// To the run after.
pub(crate) async fn newer(
    State(app): State<Shared>,
    Path(run): Path<String>,
    Query(of): Query<Of>,
) -> Result<Redirect, Problem> {
    let numbers = |run: u64| (run + 1..=run.saturating_add(PASSED_MAX)).collect();
    blocking(move || lead(&app, &run, &of, numbers, "newest")).await
}

fn lead(
    app: &App,
    run: &str,
    of: &Of,
    numbers: impl FnOnce(u64) -> Vec<u64>,
    none: &str,
) -> Result<Redirect, Problem> {
    let here = app.stream(run)?;
    let gone = || Problem::not_found("There is no such run.");
    let number = here.as_run().ok_or_else(gone)?.0;
    let known = app.store.run(number)?.ok_or_else(gone)?;
    for other in numbers(number.0) {
        let record = app.store.run(RunId(other))?;
        let is_same = record
            .is_some_and(|it| it.repository == known.repository && it.workflow == known.workflow);
        // What was pruned, or never began, is passed by, too.
        let there = || app.stream(&other.to_string()).ok().filter(|it| app.view(*it).is_ok());
        if is_same && let Some(stream) = there() {
            return Ok(Redirect::to(&page(app, stream, of)));
        }
    }
    Ok(Redirect::to(&format!("{}?said={none}", stream_href(here).unwrap_or_default())))
}

/// The page of the job there, where that run has it; else the run's.
fn page(app: &App, stream: StreamId, of: &Of) -> String {
    let run = stream_href(stream).unwrap_or_default();
    let has = |job: &&String| {
        app.view(stream).is_ok_and(|view| view.job(&JobKey::new(job.as_str())).is_some())
    };
    match of.job.as_ref().filter(has) {
        Some(job) => format!("{run}/jobs/{}", percent(job)),
        None => run,
    }
}
