//! The list of runs.

use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use event::{Status, StreamId};
use views::{RunRow, RunState as Wished};

use super::{Frame, Page, shown, waited_and_took};
use crate::app::{STREAMS_SEARCHED_MAX, Shared, Suggested, Wanted, blocking};
use crate::asked::AskedRuns;
use crate::engine::{ConnectedRepository, Engine, Workers};
use crate::guard::Who;
use crate::words::{Moment, State as RunState, grouped, run_href};

/// Runs of one page.
const ROWS: usize = 30;

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    frame: Frame,
    workers: String,
    repositories: Vec<Filter>,
    asked: AskedRuns,
    fields: [Field; 4],
    states: Vec<(&'static str, String, bool)>,
    /// The same list, of all.
    unfiltered: String,
    is_filtered: bool,
    rows: Vec<Line>,
    /// What is said where enough was looked through.
    searched: Option<String>,
    newest: Option<String>,
    older: Option<String>,
}

struct Filter {
    name: String,
    href: String,
    is_here: bool,
}

/// A filter that one writes, with what may stand in it.
struct Field {
    name: &'static str,
    word: &'static str,
    value: String,
    suggested: BTreeSet<String>,
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

/// The list.
pub(crate) async fn runs(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<AskedRuns>,
) -> Page {
    let before = asked.before()?;
    let filter = asked.filter()?;
    let seen_by = who.token.is_bound().then(|| who.token.clone());
    let wanted = Wanted { before, filter, seen_by, limit: ROWS };
    let turn = app.turn_to_search(&wanted).await?;
    let page = blocking(move || {
        let found = app.rows(&wanted)?;
        drop(turn);
        let now = app.now();
        let line = |row: &RunRow| Line::of(row, now, &*app.engine);
        let query = asked.query();
        let unfiltered = AskedRuns { repository: asked.repository.clone(), ..AskedRuns::default() };
        let older = found.older.and_then(StreamId::as_run);
        let frame = Frame::new(Some(&who), "runs");
        let searched = found.is_search_over.then(|| {
            let runs = grouped(STREAMS_SEARCHED_MAX as u64);
            format!("{runs} runs were looked through; Older looks through those before them.")
        });
        Ok(RunsPage {
            // What is past does not change.
            frame: match before {
                None => frame.live_in("/live/runs".to_owned(), "#workers #list"),
                Some(_) => frame,
            },
            workers: said(app.engine.workers()),
            repositories: repositories(&who.seen(&app).repositories()?, &asked),
            fields: fields(&asked, app.suggested(&who.token)),
            states: states(&asked),
            is_filtered: query != unfiltered.query(),
            unfiltered: address(&unfiltered.query()),
            rows: found.rows.iter().map(line).collect(),
            searched,
            newest: before.map(|_| address(&query)),
            older: older.map(|(run, attempt)| format!("/runs?before={run}.{attempt}{query}")),
            asked,
        })
    });
    shown(&page.await?)
}

/// The list with what an address says.
fn address(query: &str) -> String {
    match query.strip_prefix('&') {
        Some(query) => format!("/runs?{query}"),
        None => "/runs".to_owned(),
    }
}

fn fields(asked: &AskedRuns, suggested: Suggested) -> [Field; 4] {
    let Suggested { workflows, branches, actors, events } = suggested;
    let field = |name, word, value: &String, suggested| Field {
        name,
        word,
        value: value.clone(),
        suggested,
    };
    [
        field("workflow", "Workflow", &asked.workflow, workflows),
        field("branch", "Branch", &asked.branch, branches),
        field("actor", "By", &asked.actor, actors),
        field("event", "Event", &asked.event, events),
    ]
}

fn states(asked: &AskedRuns) -> Vec<(&'static str, String, bool)> {
    let state =
        |it: Wished| (it.as_str(), it.as_str().replace('_', " "), it.as_str() == asked.status);
    Wished::ALL.into_iter().map(state).collect()
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

/// Links to the same runs of each repository.
fn repositories(known: &[ConnectedRepository], asked: &AskedRuns) -> Vec<Filter> {
    let filter = |name: &str, repository: &str| {
        let of = AskedRuns { repository: repository.to_owned(), ..asked.clone() };
        let is_here = asked.repository == repository;
        Filter { name: name.to_owned(), href: address(&of.query()), is_here }
    };
    let one = known.iter().map(|it| filter(&it.name, &it.name));
    [filter("All", "")].into_iter().chain(one).collect()
}

impl Line {
    fn of(row: &RunRow, now: event::Timestamp, engine: &dyn Engine) -> Line {
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
            actor: row.actor.to_string(),
            created: Moment::of(row.created_at),
            took: waited_and_took(row.created_at, row.started_at, row.duration_ms.or_else(so_far)),
        }
    }
}
