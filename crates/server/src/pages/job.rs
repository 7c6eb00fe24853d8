//! A job: its steps, and its log by windows of lines.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use event::{Conclusion, JobKey, Status, Timestamp};
use serde::Deserialize;
use views::{JobView, RunView, StepView, length};

use super::run::{RunActions, job_state, step_state};
use super::summaries::anchor;
use super::{Frame, Page, shown, took};
use crate::app::{App, Shared, blocking, turn};
use crate::folds::{StepLines, Wish};
use crate::guard::Who;
use crate::links::NamedPlace;
use crate::log::{self, Hits, JobLog, PAGE_LINES, Place};
use crate::problem::Problem;
use crate::rows::{Clock, Look, StepShown};
use crate::search::{Finder, QUERY_CHARS_MAX, SEARCH_TIME_MAX};
use crate::sent;
use crate::standing::Standing;
use crate::words::{State as RunState, grouped, percent, run_href};

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    frame: Frame,
    number: String,
    title: String,
    name: String,
    run_href: String,
    /// The same job in the runs before and after.
    older: String,
    newer: String,
    actions: RunActions,
    /// Its page, and the same with a sign behind which a question may follow.
    base: String,
    ask: String,
    aside: Option<u32>,
    raw: String,
    fetched: String,
    /// Where its summaries are on the run's page; none where it has none.
    summary: Option<String>,
    state: RunState,
    place: Option<NamedPlace>,
    took: String,
    why: Option<String>,
    steps: Vec<StepLine>,
    query: String,
    is_pattern: bool,
    hits: Option<HitsShown>,
    extent: String,
    first: u64,
    earlier: u64,
    next: u64,
    total: u64,
    /// What is open and shut, as an address says it.
    wish: String,
    /// Lines that are errors, for a script, and the first for a link.
    errors: String,
    first_error: Option<u64>,
    folding: Folding,
    clocks: Vec<ClockLink>,
    began_ms: Option<u64>,
    follow: Option<String>,
    lines: Vec<String>,
    nothing: &'static str,
}

/// Lines that have what was looked for.
struct HitsShown {
    lines: Vec<String>,
    said: String,
    /// What is wrong with the pattern, in several lines.
    wrong: Option<String>,
    /// Where the others are.
    more: Option<String>,
}

/// A link that opens everything, or folds again what was folded at first.
struct Folding {
    href: String,
    word: &'static str,
}

/// A way to say when lines were printed.
struct ClockLink {
    word: &'static str,
    href: String,
    is_here: bool,
}

struct StepLine {
    state: RunState,
    name: String,
    took: String,
    /// Where it begins; none of what has a log of its own.
    line: Option<u64>,
    href: String,
    is_here: bool,
}

#[derive(Clone, Default, Deserialize)]
pub(crate) struct Where {
    line: Option<u64>,
    near: Option<u64>,
    from: Option<u64>,
    /// The last line: of those that somebody points at, or of a window.
    to: Option<u64>,
    count: Option<u64>,
    tail: Option<u64>,
    aside: Option<u32>,
    q: Option<String>,
    /// `q` is a regular expression.
    re: Option<String>,
    /// The first line that hits are shown of.
    hits: Option<u64>,
    folds: Option<String>,
    open: Option<String>,
    shut: Option<String>,
    times: Option<String>,
}

impl Where {
    /// What is looked for in the log.
    fn query(&self) -> Option<&str> {
        self.q.as_deref().filter(|it| !it.is_empty())
    }

    /// Whether no place in the log was asked for.
    fn is_plain(&self) -> bool {
        self.place() == Place::First && self.aside.is_none() && self.q.is_none()
    }

    fn place(&self) -> Place {
        let near = self.near.map(Place::Near);
        let from = self.from.map(Place::From);
        let to = self.to.map(Place::To);
        let tail = self.tail.map(|_| Place::Tail);
        self.line.map(Place::Line).or(near).or(from).or(to).or(tail).unwrap_or(Place::First)
    }

    fn wish(&self) -> Wish {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        Wish::parse(self.folds.as_deref() == Some("off"), &text(&self.open), &text(&self.shut))
    }

    fn picked(&self) -> Option<(u64, u64)> {
        let line = self.line?;
        let to = self.to.unwrap_or(line);
        Some((line.min(to), line.max(to)))
    }
}

/// A log with all that its rows are shown with.
pub(crate) struct ShownLog {
    href: String,
    ask: String,
    steps: Vec<StepShown>,
    pub(crate) lines: Vec<StepLines>,
    pub(crate) wish: Wish,
    clock: Clock,
    picked: Option<(u64, u64)>,
}

impl ShownLog {
    pub(crate) fn of(
        app: &App,
        (view, job): (&RunView, &JobView),
        aside: Option<u32>,
        log: Option<&JobLog>,
        wish: Wish,
    ) -> Result<ShownLog, Problem> {
        let lines = log.filter(|_| aside.is_none()).map(|log| log.steps(app, job)).transpose()?;
        let now = app.now();
        let steps = job.steps.iter().map(|step| StepShown {
            state: step_state(step),
            name: step.name.as_str().to_owned(),
            took: step_took(step, now),
        });
        Ok(ShownLog {
            href: job_href(view, job, aside),
            ask: ask(&href(view, job), aside),
            steps: steps.collect(),
            lines: lines.unwrap_or_default(),
            wish,
            clock: Clock::Silent,
            picked: None,
        })
    }

    fn asked(mut self, job: &JobView, asked: &Where) -> ShownLog {
        self.clock = Clock::parse(asked.times.as_deref(), job.started_at.map(|at| at.0));
        self.picked = asked.picked();
        self.ask.push_str(self.clock.query());
        self
    }

    pub(crate) fn look(&self) -> Look<'_> {
        Look {
            href: &self.href,
            ask: &self.ask,
            steps: &self.steps,
            wish: &self.wish,
            clock: self.clock,
            picked: self.picked,
        }
    }
}

/// An address that a question may follow.
fn ask(base: &str, aside: Option<u32>) -> String {
    let aside = aside.map(|it| format!("aside={it}&")).unwrap_or_default();
    format!("{base}?{aside}")
}

/// The page of a job.
pub(super) fn href(view: &RunView, job: &JobView) -> String {
    // A job that was carried over has its log in the attempt that it ran in.
    let attempt = job.carried_from.unwrap_or(view.header.attempt);
    format!("{}/jobs/{}", run_href(view.header.run, attempt), percent(job.key.as_str()))
}

/// Where the run is looked for that stands beside this one, with the same job.
fn beside(view: &RunView, job: &JobView, side: &str) -> String {
    let run = run_href(view.header.run, view.header.attempt);
    format!("{run}/{side}?job={}", percent(job.key.as_str()))
}

/// The page of a job's log, or of one of its background steps'.
fn job_href(view: &RunView, job: &JobView, aside: Option<u32>) -> String {
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
    let turn = match asked.query() {
        Some(_) => Some(turn(&app.finding).await?),
        None => None,
    };
    let page = blocking(move || {
        let _turn = turn;
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
        let shown = ShownLog::of(app, (view, job), asked.aside, log.as_ref(), asked.wish())?;
        let shown = shown.asked(job, asked);
        let total = log.as_ref().map_or(Ok(0), |log| log.total(app))?;
        let (mut first, mut next, mut lines, mut errors) = (1, 1, Vec::new(), Vec::new());
        if let Some(log) = &log {
            let place = (asked.place(), PAGE_LINES);
            let rows = log.rows(app, (job, &shown.lines), place, &shown.wish)?;
            (first, next) = (rows.first, rows.next);
            lines = shown.look().rows(&rows);
            errors = log.errors(app)?;
        }
        let goes_on = is_attended
            && matches!(job.status, Status::InProgress | Status::Queued | Status::Waiting);
        let has_times = log.as_ref().is_some_and(JobLog::has_times);
        let base = href(view, job);
        let wish = shown.wish.query();
        let (bare, fetched) = (ask(&base, asked.aside), ask(&format!("{base}/lines"), asked.aside));
        let follow = ask(&format!("/live{base}"), asked.aside);
        let told: Vec<String> = errors.iter().map(u64::to_string).collect();
        Ok(JobPage {
            frame: Frame::new(Some(who), "runs"),
            number: view.header.run.to_string(),
            title: view.header.title.as_str().to_owned(),
            name: job.name.as_str().to_owned(),
            run_href: run_href(view.header.run, view.header.attempt),
            older: beside(view, job, "older"),
            newer: beside(view, job, "newer"),
            actions: RunActions::of(who, view),
            summary: (!job.summaries.is_empty()).then(|| anchor(job)),
            state: job_state(job, is_attended),
            place: NamedPlace::of(view, job),
            took: took(job.duration_ms(now)),
            why: why(view, job, is_attended),
            steps: steps(app, log.as_ref(), (view, job), asked, now)?,
            query: asked.q.clone().unwrap_or_default(),
            is_pattern: asked.re.is_some(),
            hits: hits(app, log.as_ref(), asked, &shown)?,
            extent: extent(first, next, total),
            first,
            earlier: first - 1,
            next,
            total,
            errors: told.join(","),
            first_error: errors.first().copied(),
            folding: folding(&shown),
            clocks: if has_times { clocks(&bare, &wish, shown.clock) } else { Vec::new() },
            began_ms: job.started_at.map(|at| at.0),
            follow: goes_on.then(|| format!("{follow}after={total}")),
            ask: format!("{}{wish}", shown.ask),
            aside: asked.aside,
            raw: format!("{base}/log.txt{}", bare[base.len()..].trim_end_matches(['?', '&'])),
            fetched,
            wish,
            base,
            lines,
            nothing: nothing(job, log.is_some()),
        })
    }
}

/// Everything open, or folded as at first.
fn folding(shown: &ShownLog) -> Folding {
    if shown.wish.all_open {
        Folding { href: shown.ask.trim_end_matches(['?', '&']).to_owned(), word: "Fold" }
    } else {
        Folding { href: format!("{}folds=off", shown.ask), word: "Unfold all" }
    }
}

fn clocks(bare: &str, wish: &str, here: Clock) -> Vec<ClockLink> {
    let all = [("No times", Clock::Silent), ("UTC", Clock::Utc), ("Elapsed", Clock::Since(0))];
    let links = all.map(|(word, clock)| ClockLink {
        word,
        href: format!("{bare}{wish}{}", clock.query()).trim_end_matches(['?', '&']).to_owned(),
        is_here: clock.query() == here.query(),
    });
    links.into()
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

fn hits(
    app: &App,
    log: Option<&JobLog>,
    asked: &Where,
    shown: &ShownLog,
) -> Result<Option<HitsShown>, Problem> {
    let (Some(query), Some(log)) = (asked.query(), log) else { return Ok(None) };
    if query.chars().count() > QUERY_CHARS_MAX {
        return Err(Problem::bad("The text to find is too long."));
    }
    let finder = match asked.re {
        Some(_) => Finder::pattern(query),
        None => Ok(Finder::text(query)),
    };
    let finder = match finder {
        Ok(finder) => finder,
        Err(wrong) => {
            let said = "This is no regular expression that can be searched for.".to_owned();
            return Ok(Some(HitsShown { lines: Vec::new(), said, wrong: Some(wrong), more: None }));
        }
    };
    let found = log.search(app, &finder, asked.hits.unwrap_or(1))?;
    // Who goes to a line keeps what they looked for.
    let re = if asked.re.is_some() { "re=1&" } else { "" };
    let kept = format!("{}{}q={}&{re}", shown.ask, shown.wish.query(), percent(query));
    let (last, href) = (found.passed + found.lines.len() as u64, kept.trim_end_matches('&'));
    let more = found.lines.last().filter(|_| last < found.count);
    let more = more.map(|line| format!("{kept}hits={}", line.number + 1));
    let look = Look { href, ..shown.look() };
    let lines = found.lines.iter().map(|it| look.hit(it, finder.part(&it.text).as_deref()));
    let (lines, said) = (lines.collect(), found_said(&found));
    Ok(Some(HitsShown { lines, said, wrong: None, more }))
}

/// How many lines were found, in words.
fn found_said(found: &Hits) -> String {
    let (first, last) = (found.passed + 1, found.passed + found.lines.len() as u64);
    let said = match found.count {
        0 => "No line has that.".to_owned(),
        1 => "1 line has that.".to_owned(),
        count if (first, last) == (1, count) => format!("{} lines have that.", grouped(count)),
        count => {
            let (first, last) = (grouped(first), grouped(last));
            format!("{} lines have that; those from {first} to {last}:", grouped(count))
        }
    };
    match found.stopped_at {
        Some(line) => {
            let seconds = SEARCH_TIME_MAX.as_secs();
            let line = grouped(line);
            format!(
                "{said} The search ended at line {line}, after {seconds} s: a plainer one gets further."
            )
        }
        None => said,
    }
}

fn step_took(step: &StepView, now: Timestamp) -> String {
    let ended = step.completed_at.or_else(|| (!step.interrupted).then_some(now));
    let took = step.started_at.zip(ended).map(|(from, to)| length(to.0.saturating_sub(from.0)));
    took.unwrap_or_default()
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
        let took = step_took(step, now);
        let (href, line, is_here) = if step.background {
            aside += 1;
            (format!("{here}?aside={aside}"), None, asked.aside == Some(aside))
        } else {
            // Steps follow one another: one that runs begins where the one before ended.
            let start = step.log.map_or(end, |range| range.start_bytes);
            end = step.log.map_or(end, |range| range.end_bytes);
            let line = match log.filter(|_| asked.aside.is_none()) {
                Some(log) => log.line_at(app, start)?,
                None => 1,
            };
            let has_failed = step.conclusion == Some(Conclusion::Failure);
            let is_here = match asked.line.or(asked.near) {
                Some(asked) => line <= asked,
                None => asked.is_plain() && has_failed,
            };
            let is_here = is_here && asked.aside.is_none();
            (format!("{here}?line={line}#L{line}"), Some(line), is_here)
        };
        lines.push(StepLine { state: step_state(step), name, took, line, href, is_here });
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
        let shown = ShownLog::of(&app, (&view, job), asked.aside, Some(&log), asked.wish())?;
        let shown = shown.asked(job, &asked);
        let place = (asked.place(), asked.count.unwrap_or(PAGE_LINES));
        let rows = log.rows(&app, (job, &shown.lines), place, &shown.wish)?;
        Ok(shown.look().rows(&rows).concat())
    });
    html.await.map(Html)
}

/// The whole log, byte by byte, in pieces: it may be larger than memory.
pub(crate) async fn raw(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, key)): Path<(String, String)>,
    Query(asked): Query<Where>,
) -> Result<Response, Problem> {
    let standing = Standing::of(&app, &who);
    let log = blocking(move || {
        let view = app.view(app.stream(&run)?)?;
        let job = found(&view, &key)?;
        let missing = || Problem::not_found("There is no such log.");
        log::open(&app, &view, job, asked.aside).ok_or_else(missing)
    })
    .await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, sent::body(log.file, standing)).into_response())
}
