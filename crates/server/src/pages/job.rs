//! A job: its steps, and its log by windows of lines.

use askama::Template;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use event::{Conclusion, JobKey, Status, Timestamp};
use serde::Deserialize;
use views::{JobView, RunView};

use super::run::{job_state, step_state};
use super::{Frame, Page, shown, took};
use crate::app::{App, Shared, blocking};
use crate::guard::Who;
use crate::log::{self, Asked, JobLog, PAGE_LINES};
use crate::problem::Problem;
use crate::words::{State as RunState, grouped, length, percent, run_href};

/// Bytes of a raw log that are on their way at once.
const RAW_BYTES: usize = 256 << 10;
/// Pieces of a raw log that wait for who reads it.
const RAW_PIECES_MAX: usize = 4;
/// A longer text is not searched for.
const QUERY_CHARS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    number: String,
    title: String,
    name: String,
    run_href: String,
    /// Its page, and the same with a sign behind which a question may follow.
    base: String,
    ask: String,
    aside: Option<u32>,
    raw: String,
    fetched: String,
    state: RunState,
    took: String,
    why: Option<String>,
    steps: Vec<StepLine>,
    query: String,
    hits: Option<Vec<String>>,
    hits_said: String,
    extent: String,
    first: u64,
    earlier: u64,
    next: u64,
    total: u64,
    follow: Option<String>,
    lines: Vec<String>,
    nothing: &'static str,
}

struct StepLine {
    state: RunState,
    name: String,
    took: String,
    href: String,
    is_here: bool,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Where {
    line: Option<u64>,
    from: Option<u64>,
    count: Option<u64>,
    tail: Option<u64>,
    aside: Option<u32>,
    q: Option<String>,
}

impl Where {
    /// Whether nothing was asked for but the job.
    fn is_plain(&self) -> bool {
        let Where { line, from, tail, aside, q, .. } = self;
        line.is_none() && from.is_none() && tail.is_none() && aside.is_none() && q.is_none()
    }
}

/// The page of a job.
pub(super) fn href(view: &RunView, job: &JobView) -> String {
    // A job that was carried over has its log in the attempt that it ran in.
    let attempt = job.carried_from.unwrap_or(view.header.attempt);
    format!("{}/jobs/{}", run_href(view.header.run, attempt), percent(job.key.as_str()))
}

/// The page of a job's log, or of one of its background steps'.
pub(crate) fn job_href(view: &RunView, job: &JobView, aside: Option<u32>) -> String {
    let aside = aside.map(|number| format!("?aside={number}")).unwrap_or_default();
    format!("{}{aside}", href(view, job))
}

/// Why a job does not go on, in a sentence.
pub(crate) fn why(view: &RunView, job: &JobView, is_attended: bool) -> Option<String> {
    if let Some(from) = job.carried_from {
        return Some(format!("ran in attempt {from}"));
    }
    let alone = !is_attended && job.children.is_empty() && !job.lost;
    match job.status {
        Status::InProgress if alone => Some("was running when launchway ended".to_owned()),
        Status::Queued if alone => Some("is ready, and nobody runs it".to_owned()),
        _ => view.why_waiting(&job.key),
    }
}

fn found<'v>(view: &'v RunView, key: &str) -> Result<&'v JobView, Problem> {
    let missing = || Problem::not_found("There is no such job in this run.");
    view.job(&JobKey::new(key)).ok_or_else(missing)
}

/// The page.
pub(crate) async fn job(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, key)): Path<(String, String)>,
    Query(asked): Query<Where>,
) -> Page {
    let page = blocking(move || {
        let stream = app.stream(&run)?;
        let view = app.view(stream)?;
        let job = found(&view, &key)?;
        let is_attended = app.engine.is_attended(stream);
        JobPage::of(&app, &who, (&view, job), &asked, is_attended)
    });
    shown(&page.await?)
}

impl JobPage {
    fn of(
        app: &App,
        who: &Who,
        (view, job): (&RunView, &JobView),
        asked: &Where,
        is_attended: bool,
    ) -> Result<JobPage, Problem> {
        let now = app.now();
        let log = log::open(app, view, job, asked.aside);
        let log_href = job_href(view, job, asked.aside);
        let total = log.as_ref().map_or(Ok(0), |log| log.total(app))?;
        let place = Asked { line: asked.line, from: asked.from, tail: asked.tail.is_some() };
        let mut first = 1;
        let mut lines = Vec::new();
        if let Some(log) = &log {
            first = log::first_line(app, log, job, &place, total)?;
            let window = log.window(app, first, PAGE_LINES)?;
            lines.extend(window.iter().map(|line| log::html(line, &log_href)));
        }
        let next = first + lines.len() as u64;
        let goes_on = is_attended
            && matches!(job.status, Status::InProgress | Status::Queued | Status::Waiting);
        let (hits, hits_said) = hits(app, log.as_ref(), asked.q.as_deref(), &log_href)?;
        let base = href(view, job);
        let aside = asked.aside.map(|it| format!("aside={it}")).unwrap_or_default();
        let sign = if aside.is_empty() { "" } else { "&" };
        let told = next - 1;
        Ok(JobPage {
            frame: Frame::new(Some(who), "runs"),
            number: view.header.run.to_string(),
            title: view.header.title.as_str().to_owned(),
            name: job.name.as_str().to_owned(),
            run_href: run_href(view.header.run, view.header.attempt),
            state: job_state(job, is_attended),
            took: took(job.duration_ms(now)),
            why: why(view, job, is_attended),
            steps: steps(app, log.as_ref(), (view, job), asked, now)?,
            query: asked.q.clone().unwrap_or_default(),
            hits,
            hits_said,
            extent: extent(first, next, total),
            first,
            earlier: first.saturating_sub(PAGE_LINES).max(1),
            next,
            total,
            // Who looks at the middle is not told what happens at the end.
            follow: (goes_on && next > total)
                .then(|| format!("/live{base}?{aside}{sign}after={told}")),
            ask: format!("{base}?{aside}{sign}"),
            aside: asked.aside,
            raw: format!("{base}/log.txt?{aside}").trim_end_matches('?').to_owned(),
            fetched: format!("{base}/lines?{aside}{sign}"),
            base,
            lines,
            nothing: nothing(job, log.is_some()),
        })
    }
}

fn nothing(job: &JobView, has_log: bool) -> &'static str {
    match (job.status, has_log) {
        (Status::Completed, true) => "It wrote nothing.",
        (Status::Completed, false) if job.log.is_some() => "Its log is gone from the data folder.",
        (Status::Completed, false) => "It has no log: no worker had it.",
        _ => "Nothing was written yet.",
    }
}

fn extent(first: u64, next: u64, total: u64) -> String {
    if total == 0 {
        return String::new();
    }
    if first == 1 && next > total {
        return format!("{} lines", grouped(total));
    }
    format!("lines {}–{} of {}", grouped(first), grouped(next - 1), grouped(total))
}

type Hits = (Option<Vec<String>>, String);

fn hits(app: &App, log: Option<&JobLog>, query: Option<&str>, href: &str) -> Result<Hits, Problem> {
    let query = query.filter(|it| !it.is_empty());
    let (Some(query), Some(log)) = (query, log) else { return Ok((None, String::new())) };
    if query.chars().count() > QUERY_CHARS_MAX {
        return Err(Problem::bad("The text to find is too long."));
    }
    let (lines, count) = log.search(app, query)?;
    let said = match (count, lines.len() as u64) {
        (0, _) => "No line has that.".to_owned(),
        (1, _) => "1 line has that.".to_owned(),
        (count, shown) if count == shown => format!("{} lines have that.", grouped(count)),
        (count, shown) => format!("{} lines have that; the first {shown}:", grouped(count)),
    };
    // The same line stands in the log below: its place is named once.
    let html = |line| log::html(line, href).replacen("<li id=", "<li data-line=", 1);
    Ok((Some(lines.iter().map(html).collect()), said))
}

/// The steps, each with where its lines begin.
fn steps(
    app: &App,
    log: Option<&JobLog>,
    (view, job): (&RunView, &JobView),
    asked: &Where,
    now: Timestamp,
) -> Result<Vec<StepLine>, Problem> {
    let here = href(view, job);
    let mut lines = Vec::new();
    let (mut aside, mut end) = (0, 0);
    for step in &job.steps {
        let name = step.name.as_str().to_owned();
        let from = step.started_at;
        let ended = step.completed_at.or_else(|| (!step.interrupted).then_some(now));
        let took = from.zip(ended).map(|(from, to)| length(to.0.saturating_sub(from.0)));
        let (href, is_here) = if step.background {
            aside += 1;
            (format!("{here}?aside={aside}"), asked.aside == Some(aside))
        } else {
            // Steps follow one another: one that runs begins where the one before ended.
            let start = step.log.map_or(end, |range| range.start_bytes);
            end = step.log.map_or(end, |range| range.end_bytes);
            let line = match log.filter(|_| asked.aside.is_none()) {
                Some(log) => log.line_at(app, start)?,
                None => 1,
            };
            let has_failed = step.conclusion == Some(Conclusion::Failure);
            let is_here = match asked.line {
                Some(asked) => line <= asked,
                None => asked.is_plain() && has_failed,
            };
            (format!("{here}?line={line}#L{line}"), is_here && asked.aside.is_none())
        };
        let (state, took) = (step_state(step), took.unwrap_or_default());
        lines.push(StepLine { state, name, took, href, is_here });
    }
    // Only the one that the page is about: the last that begins before the line that was asked for.
    let last = lines.iter().rposition(|it| it.is_here);
    for (at, line) in lines.iter_mut().enumerate() {
        line.is_here &= asked.aside.is_some() || Some(at) == last;
    }
    Ok(lines)
}

/// Some lines, for a page that shows others of the log.
pub(crate) async fn lines(
    State(app): State<Shared>,
    Path((run, key)): Path<(String, String)>,
    Query(asked): Query<Where>,
) -> Page {
    let html = blocking(move || {
        let view = app.view(app.stream(&run)?)?;
        let job = found(&view, &key)?;
        let missing = || Problem::not_found("There is no such log.");
        let log = log::open(&app, &view, job, asked.aside).ok_or_else(missing)?;
        let href = job_href(&view, job, asked.aside);
        let count = asked.count.unwrap_or(PAGE_LINES);
        let lines = log.window(&app, asked.from.unwrap_or(1), count)?;
        Ok(lines.iter().map(|line| log::html(line, &href)).collect::<String>())
    });
    html.await.map(Html)
}

/// The whole log, byte by byte, in pieces: it may be larger than memory.
pub(crate) async fn raw(
    State(app): State<Shared>,
    Path((run, key)): Path<(String, String)>,
    Query(asked): Query<Where>,
) -> Result<Response, Problem> {
    let log = blocking(move || {
        let view = app.view(app.stream(&run)?)?;
        let job = found(&view, &key)?;
        let missing = || Problem::not_found("There is no such log.");
        log::open(&app, &view, job, asked.aside).ok_or_else(missing)
    })
    .await?;
    let (mut sender, body) =
        http_body_util::channel::Channel::<axum::body::Bytes, std::io::Error>::new(RAW_PIECES_MAX);
    tokio::spawn(async move {
        let (mut file, mut at) = (log.file, 0_u64);
        loop {
            let piece = blocking(move || {
                use std::os::unix::fs::FileExt as _;
                let mut piece = vec![0; RAW_BYTES];
                let read = file.read_at(&mut piece, at)?;
                piece.truncate(read);
                Ok((file, piece))
            });
            let Ok((back, piece)) = piece.await else {
                sender.abort(std::io::Error::other("the log cannot be read"));
                return;
            };
            file = back;
            at += piece.len() as u64;
            if piece.is_empty() || sender.send_data(piece.into()).await.is_err() {
                return;
            }
        }
    });
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, Body::new(body)).into_response())
}
