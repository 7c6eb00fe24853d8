//! The list of runs.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use event::{Status, StreamId};
use serde::Deserialize;

use super::{Frame, Page, shown, waited_and_took};
use crate::app::{Row, Shared, Wanted, blocking};
use crate::engine::Workers;
use crate::guard::Who;
use crate::problem::Problem;
use crate::words::{Moment, State as RunState, parse_run, percent, run_href};

/// Runs of one page.
const ROWS: usize = 30;

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    workers: String,
    filters: Vec<Filter>,
    rows: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
}

struct Filter {
    name: String,
    href: String,
    is_here: bool,
}

struct Line {
    state: RunState,
    title: String,
    href: String,
    number: String,
    workflow: String,
    repository: String,
    branch: String,
    commit: String,
    event: String,
    actor: String,
    created: Moment,
    took: String,
}

#[derive(Deserialize)]
pub(crate) struct Part {
    before: Option<String>,
    repository: Option<String>,
}

/// `12.1` as a stream.
pub(crate) fn before(text: Option<&str>) -> Result<Option<StreamId>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match parse_run(text) {
        Some((run, Some(attempt))) => Ok(Some(StreamId::Run(run, attempt))),
        _ => Err(Problem::bad("`before` is a run with its attempt, such as 12.1.")),
    }
}

/// The list.
pub(crate) async fn runs(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
) -> Page {
    let before = before(part.before.as_deref())?;
    let page = blocking(move || {
        let wanted = Wanted {
            before,
            repository: part.repository.clone(),
            seen_by: who.token.is_bound().then(|| who.token.clone()),
            limit: ROWS,
            ..Wanted::default()
        };
        let found = app.rows(&wanted)?;
        let now = app.now();
        let line = |row: &Row| Line::of(row, now, &*app.engine);
        let filter = part.repository.as_deref();
        let query = filter.map(|it| format!("&repository={}", percent(it))).unwrap_or_default();
        let older = found.older.and_then(StreamId::as_run);
        let frame = Frame::new(Some(&who), "runs");
        Ok(RunsPage {
            // What is past does not change.
            frame: if before.is_none() { frame.live("/live/runs".to_owned()) } else { frame },
            workers: said(app.engine.workers()),
            filters: filters(&who.seen(&app).repositories()?, filter),
            rows: found.rows.iter().map(line).collect(),
            newest: before.map(|_| format!("/runs?{}", query.trim_start_matches('&'))),
            older: older.map(|(run, attempt)| format!("/runs?before={run}.{attempt}{query}")),
        })
    });
    shown(&page.await?)
}

fn said(workers: Workers) -> String {
    let Workers { width, busy, ready } = workers;
    let jobs = if width == 1 { "job at a time" } else { "jobs at a time" };
    let waiting = match ready {
        0 => String::new(),
        1 => ", 1 waits for that alone".to_owned(),
        ready => format!(", {ready} wait for that alone"),
    };
    format!("{width} {jobs}, {busy} now{waiting}")
}

fn filters(known: &[crate::engine::ConnectedRepository], here: Option<&str>) -> Vec<Filter> {
    let all = Filter { name: "All".to_owned(), href: "/runs".to_owned(), is_here: here.is_none() };
    let one = known.iter().map(|repository| Filter {
        name: repository.name.clone(),
        href: format!("/runs?repository={}", percent(&repository.name)),
        is_here: here == Some(repository.name.as_str()),
    });
    [all].into_iter().chain(one).collect()
}

impl Line {
    fn of(row: &Row, now: event::Timestamp, engine: &dyn crate::engine::Engine) -> Line {
        let Row { row, actor } = row;
        let stream = StreamId::Run(row.run, row.attempt);
        let state = match row.conclusion {
            None if row.lost => RunState::LOST,
            None if !engine.is_attended(stream) => RunState::UNATTENDED,
            conclusion => RunState::of(conclusion, row.status),
        };
        let so_far = || {
            let goes_on = row.status == Status::InProgress;
            row.started_at.filter(|_| goes_on).map(|at| now.0.saturating_sub(at.0))
        };
        let attempt = row.attempt.0;
        let again = if attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
        Line {
            state,
            title: row.title.as_str().to_owned(),
            href: run_href(row.run, row.attempt),
            number: format!("{}{again}", row.run),
            workflow: row.workflow.clone(),
            repository: row.repository.to_string(),
            branch: row.branch.clone(),
            commit: row.commit.clone(),
            event: row.event.to_string(),
            actor: actor.to_string(),
            created: Moment::of(row.created_at),
            took: waited_and_took(row.created_at, row.started_at, row.duration_ms.or_else(so_far)),
        }
    }
}
