//! Whether the server lives, whether it can take work, and what it counts.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ports::Journal as _;

use crate::app::{Shared, blocking};
use crate::problem::Problem;

/// It lives: it answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// It can take work: its journal answers, and somebody drives runs.
pub(crate) async fn readyz(State(app): State<Shared>) -> Response {
    let asked = blocking(move || {
        app.store.open_streams()?;
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
        let open = app.store.open_streams()?.len() as u64;
        let owed = app.store.outbox_counts()?;
        let troubled = app.store.troubled_receivers()?.len() as u64;
        let workers = app.engine.workers();
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let mut text = String::new();
        let mut add = |name: &str, kind: &str, help: &str, value: u64| {
            let total = if kind == "counter" { "_total" } else { "" };
            let _ =
                writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}\n{name}{total} {value}");
        };
        add("launchway_runs_open", "gauge", "Runs that are not over.", open);
        add("launchway_workers", "gauge", "Jobs that may run at a time.", workers.width as u64);
        add("launchway_workers_busy", "gauge", "Jobs that run.", workers.busy as u64);
        add(
            "launchway_jobs_ready",
            "gauge",
            "Jobs that wait for a worker alone.",
            workers.ready as u64,
        );
        add(
            "launchway_followers",
            "gauge",
            "Pages and commands that follow live.",
            of(&app.counts.followers),
        );
        add("launchway_requests", "counter", "Requests.", of(&app.counts.requests));
        add(
            "launchway_requests_refused",
            "counter",
            "Requests without a right to be made.",
            of(&app.counts.refused),
        );
        add("launchway_messages_owed", "gauge", "Messages that are owed to others.", owed.owed);
        add(
            "launchway_messages_given_up",
            "gauge",
            "Messages of the last 30 days that nobody tries to send any more.",
            owed.given_up,
        );
        add(
            "launchway_messages_delivered",
            "gauge",
            "Messages of the last 30 days that their receivers have.",
            owed.delivered,
        );
        add(
            "launchway_receivers_troubled",
            "gauge",
            "Receivers of messages that did not answer the last time.",
            troubled,
        );
        let began = of(&app.counts.began_ms) / 1000;
        add("launchway_start_time_seconds", "gauge", "When the server began, since 1970.", began);
        text.push_str("# EOF\n");
        Ok(text)
    })
    .await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
