//! Machines that take jobs, and the jobs that wait for one, each with the reason.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Redirect;

use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::api::runners::set_runner;
use crate::app::{Shared, blocking};
use crate::engine::{Takes, WaitingJob};
use crate::guard::Who;
use crate::problem::Problem;
use crate::words::{Moment, percent, run_href};

/// Waiting jobs that are shown; the API has all.
const WAITING: usize = 200;

#[derive(Template)]
#[template(path = "runners.html")]
struct RunnersPage {
    frame: Frame,
    may_drain: bool,
    runners: Vec<RunnerLine>,
    waiting: Vec<WaitingLine>,
    more: usize,
}

struct RunnerLine {
    name: String,
    href: String,
    labels: String,
    load: String,
    takes: Takes,
    elsewhere: Option<ElsewhereLine>,
}

struct ElsewhereLine {
    about: String,
    heard: Moment,
}

struct WaitingLine {
    job: String,
    href: String,
    run: String,
    why: String,
}

/// The page.
pub(crate) async fn runners(State(app): State<Shared>, Extension(who): Extension<Who>) -> Page {
    let page = blocking(move || {
        let runners = app.engine.runners().into_iter().map(|it| RunnerLine {
            href: format!("/runners/{}", percent(&it.name)),
            labels: it.labels.join(", "),
            load: format!("{} of {} busy", it.busy, it.capacity),
            takes: it.takes,
            elsewhere: it.elsewhere.map(|it| ElsewhereLine {
                about: format!("{}, launchway {}", it.processor, it.version),
                heard: Moment::of(it.heard_at),
            }),
            name: it.name,
        });
        let queue = who.seen(&app).queue()?;
        Ok(RunnersPage {
            frame: Frame::new(Some(&who), "runners").live("/live/runs".to_owned()),
            may_drain: who.may_with_server(Scope::Admin),
            runners: runners.collect(),
            more: queue.len().saturating_sub(WAITING),
            waiting: queue.into_iter().take(WAITING).filter_map(waiting).collect(),
        })
    });
    shown(&page.await?)
}

fn waiting(it: WaitingJob) -> Option<WaitingLine> {
    let (run, attempt) = it.stream.as_run()?;
    let href = run_href(run, attempt);
    let job = it.job.to_string();
    Some(WaitingLine { job, href, run: format!("run {run}"), why: it.why })
}

/// Have it take nothing any more.
pub(crate) async fn drain_runner(
    state: State<Shared>,
    who: Extension<Who>,
    name: Path<String>,
) -> Result<Redirect, Problem> {
    set(state, who, name, Takes::Nothing).await
}

/// Have it take jobs again.
pub(crate) async fn resume_runner(
    state: State<Shared>,
    who: Extension<Who>,
    name: Path<String>,
) -> Result<Redirect, Problem> {
    set(state, who, name, Takes::Jobs).await
}

async fn set(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    takes: Takes,
) -> Result<Redirect, Problem> {
    blocking(move || set_runner(&app, &who, &name, takes)).await?;
    Ok(Redirect::to("/runners"))
}
