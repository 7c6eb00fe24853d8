//! Whether the server lives, whether it can take work, and what it counts.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use figures::{Histogram, Tally};
use ports::Journal as _;

use crate::app::{App, Counts, Shared, blocking};
use crate::problem::Problem;

/// It lives: it answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// It can take work: its journal answers, what comes can be kept, and somebody drives runs.
pub(crate) async fn readyz(State(app): State<Shared>) -> Response {
    let asked = blocking(move || {
        app.store.open_streams()?;
        if app.stands_by {
            return Ok(Some(crate::guard::STANDS_BY.to_owned()));
        }
        Ok(app.engine.is_unready())
    });
    match asked.await {
        Ok(None) => "ready\n".into_response(),
        Ok(Some(why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
        Err(problem) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", problem.detail)).into_response()
        }
    }
}

/// OpenMetrics.
pub(crate) async fn metrics(State(app): State<Shared>) -> Result<Response, Problem> {
    let text = blocking(move || {
        let mut text = String::new();
        work(&mut text, &app)?;
        requests(&mut text, &app.counts);
        messages(&mut text, &app)?;
        let began = app.counts.began_ms.load(Ordering::Relaxed) / 1000;
        let help = "When the server began, since 1970.";
        gauge(&mut text, "launchway_start_time_seconds", help, began);
        history(&mut text, &app.figures.tally()?);
        text.push_str("# EOF\n");
        Ok(text)
    })
    .await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// What runs, and what waits.
fn work(text: &mut String, app: &App) -> Result<(), Problem> {
    let open = app.store.open_streams()?.len() as u64;
    let workers = app.engine.workers();
    gauge(text, "launchway_runs_open", "Runs that are not over.", open);
    gauge(text, "launchway_workers", "Jobs that may run at a time.", workers.width as u64);
    gauge(text, "launchway_workers_busy", "Jobs that run.", workers.busy as u64);
    let help = "Jobs that wait for a worker alone.";
    gauge(text, "launchway_jobs_ready", help, workers.ready as u64);
    // Looked for where there is one: it takes a look at every open run.
    let oldest = match workers.ready {
        0 => None,
        _ => figures::oldest_ready(&app.store, None, app.now())?,
    };
    let age = oldest.map_or(0, |it| it.age_ms / 1000);
    let help =
        "How long the job that waits longest for a worker alone has done so; 0 where none does.";
    gauge(text, "launchway_job_oldest_ready_seconds", help, age);
    Ok(())
}

fn requests(text: &mut String, counts: &Counts) {
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let help = "Pages and commands that follow live.";
    gauge(text, "launchway_followers", help, of(&counts.followers));
    counted(text, "launchway_requests", "Requests.", of(&counts.requests));
    let help = "Requests without a right to be made.";
    counted(text, "launchway_requests_refused", help, of(&counts.refused));
}

/// What others are owed.
fn messages(text: &mut String, app: &App) -> Result<(), Problem> {
    let owed = app.store.outbox_counts()?;
    gauge(text, "launchway_messages_owed", "Messages that are owed to others.", owed.owed);
    let help = "Messages of the last 30 days that nobody tries to send any more.";
    gauge(text, "launchway_messages_given_up", help, owed.given_up);
    let help = "Messages of the last 30 days that their receivers have.";
    gauge(text, "launchway_messages_delivered", help, owed.delivered);
    let help = "Receivers of messages that did not answer the last time.";
    let troubled = app.store.troubled_receivers()?.len() as u64;
    gauge(text, "launchway_receivers_troubled", help, troubled);
    Ok(())
}

/// What was counted and measured of all that is over.
fn history(text: &mut String, tally: &Tally) {
    counter(text, "launchway_runs_completed", "Attempts of runs that are over.");
    for (conclusion, count) in &tally.runs {
        let _ =
            writeln!(text, "launchway_runs_completed_total{{conclusion=\"{conclusion}\"}} {count}");
    }
    counter(text, "launchway_jobs_completed", "Jobs that had a worker and are over.");
    for (conclusion, count) in &tally.jobs {
        let _ =
            writeln!(text, "launchway_jobs_completed_total{{conclusion=\"{conclusion}\"}} {count}");
    }
    counter(text, "launchway_deployments_completed", "Deployments that are over.");
    for ((environment, verdict), count) in &tally.deployments {
        let environment = label(environment);
        let _ = writeln!(
            text,
            "launchway_deployments_completed_total{{environment=\"{environment}\",verdict=\"{verdict}\"}} {count}"
        );
    }
    histogram(text, "launchway_run_duration_seconds", "How long runs ran.", &tally.run_times);
    histogram(text, "launchway_job_duration_seconds", "How long jobs ran.", &tally.job_times);
    let waits = "How long jobs waited for a worker alone.";
    histogram(text, "launchway_job_wait_seconds", waits, &tally.waits);
    let starts = "From when a job could begin until its first step did.";
    histogram(text, "launchway_job_start_seconds", starts, &tally.starts);
    let triggers = "From when an event happened, as the forge says, until its run was made.";
    histogram(text, "launchway_run_trigger_seconds", triggers, &tally.triggers);
}

fn gauge(text: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(text, "# TYPE {name} gauge\n# HELP {name} {help}\n{name} {value}");
}

fn counted(text: &mut String, name: &str, help: &str, value: u64) {
    counter(text, name, help);
    let _ = writeln!(text, "{name}_total {value}");
}

fn counter(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# TYPE {name} counter\n# HELP {name} {help}");
}

fn histogram(text: &mut String, name: &str, help: &str, of: &Histogram) {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let _ = writeln!(text, "# TYPE {name} histogram\n# UNIT {name} seconds\n# HELP {name} {help}");
    for (edge, count) in &of.buckets {
        let edge = edge.map_or_else(|| "+Inf".to_owned(), |edge| format!("{:?}", seconds(edge)));
        let _ = writeln!(text, "{name}_bucket{{le=\"{edge}\"}} {count}");
    }
    let all = of.buckets.last().map_or(0, |(_, count)| *count);
    let _ = writeln!(text, "{name}_sum {:?}\n{name}_count {all}", seconds(of.sum_ms));
}

/// Text as a label's value.
fn label(text: &str) -> String {
    let escape = |it: char| match it {
        '\\' => "\\\\".to_owned(),
        '"' => "\\\"".to_owned(),
        '\n' => "\\n".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_is_past_is_told_as_openmetrics_wants_it() {
        let tally = Tally {
            runs: [("success".to_owned(), 3)].into(),
            deployments: [(("eu \"one\"".to_owned(), "failed".to_owned()), 1)].into(),
            waits: Histogram { buckets: vec![(Some(500), 2), (None, 3)], sum_ms: 7_250 },
            ..Tally::default()
        };
        let mut text = String::new();
        history(&mut text, &tally);
        expect![[r##"
            # TYPE launchway_runs_completed counter
            # HELP launchway_runs_completed Attempts of runs that are over.
            launchway_runs_completed_total{conclusion="success"} 3
            # TYPE launchway_jobs_completed counter
            # HELP launchway_jobs_completed Jobs that had a worker and are over.
            # TYPE launchway_deployments_completed counter
            # HELP launchway_deployments_completed Deployments that are over.
            launchway_deployments_completed_total{environment="eu \"one\"",verdict="failed"} 1
            # TYPE launchway_run_duration_seconds histogram
            # UNIT launchway_run_duration_seconds seconds
            # HELP launchway_run_duration_seconds How long runs ran.
            launchway_run_duration_seconds_sum 0.0
            launchway_run_duration_seconds_count 0
            # TYPE launchway_job_duration_seconds histogram
            # UNIT launchway_job_duration_seconds seconds
            # HELP launchway_job_duration_seconds How long jobs ran.
            launchway_job_duration_seconds_sum 0.0
            launchway_job_duration_seconds_count 0
            # TYPE launchway_job_wait_seconds histogram
            # UNIT launchway_job_wait_seconds seconds
            # HELP launchway_job_wait_seconds How long jobs waited for a worker alone.
            launchway_job_wait_seconds_bucket{le="0.5"} 2
            launchway_job_wait_seconds_bucket{le="+Inf"} 3
            launchway_job_wait_seconds_sum 7.25
            launchway_job_wait_seconds_count 3
            # TYPE launchway_job_start_seconds histogram
            # UNIT launchway_job_start_seconds seconds
            # HELP launchway_job_start_seconds From when a job could begin until its first step did.
            launchway_job_start_seconds_sum 0.0
            launchway_job_start_seconds_count 0
            # TYPE launchway_run_trigger_seconds histogram
            # UNIT launchway_run_trigger_seconds seconds
            # HELP launchway_run_trigger_seconds From when an event happened, as the forge says, until its run was made.
            launchway_run_trigger_seconds_sum 0.0
            launchway_run_trigger_seconds_count 0
        "##]]
        .assert_eq(&text);
    }
}
