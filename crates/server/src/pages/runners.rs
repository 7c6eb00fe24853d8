//! Machines that take jobs, and the jobs that wait for one, each with the reason.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Redirect;
use event::{Status, StreamId};
use views::{JobView, RunView};

use super::job::href as job_href;
use super::run::branch;
use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::api::runners::set_runner;
use crate::app::{App, Shared, blocking};
use crate::engine::{Runner, Takes, WaitingJob};
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::{Because, Reason};
use crate::words::{Moment, State as RunState, percent, run_href};

/// Waiting jobs that are shown; the API has all.
const WAITING: usize = 100;
/// Runs that go on, of which the newest are looked through for jobs that run.
const RUNS: usize = 100;
/// Jobs of one runner that are named.
const NAMED: usize = 20;
/// Places of a runner that are drawn one by one.
const DRAWN: usize = 32;

#[derive(Template)]
#[template(path = "runners.html")]
struct RunnersPage {
    frame: Frame,
    may_drain: bool,
    said: String,
    runners: Vec<RunnerLine>,
    waiting: Vec<WaitingLine>,
    more: usize,
    labels: Vec<LabelLine>,
}

struct RunnerLine {
    name: String,
    href: String,
    state: RunState,
    is_drained: bool,
    load: String,
    /// One for each place: whether a job has it; nothing where there are too many to be seen.
    places: Vec<bool>,
    labels: Vec<String>,
    /// Whose jobs alone it takes, where it is bound.
    bound: Option<String>,
    kept_in: String,
    elsewhere: Option<ElsewhereLine>,
    jobs: Vec<JobLine>,
}

struct ElsewhereLine {
    about: String,
    heard: Moment,
}

/// A job that has a runner.
struct JobLine {
    name: String,
    href: String,
    of: String,
    since: Option<Moment>,
}

/// A job that has none yet.
struct WaitingLine {
    job: String,
    href: String,
    run: String,
    title: String,
    repository: String,
    branch: String,
    labels: Vec<String>,
    why: String,
    since: Option<Moment>,
}

/// How many wait for the same labels, and since when.
struct LabelLine {
    labels: String,
    count: usize,
    oldest: Option<Moment>,
}

/// The page.
pub(crate) async fn runners(State(app): State<Shared>, Extension(who): Extension<Who>) -> Page {
    let page = blocking(move || {
        let runs = Runs { app: &app, known: RefCell::default() };
        let mut jobs = running(&who, &runs)?;
        let lines = who.seen(&app).runners().into_iter().map(|it| {
            let here = it.elsewhere.is_some().then(|| it.name.clone());
            RunnerLine::of(it, jobs.remove(&here).unwrap_or_default())
        });
        let runners: Vec<RunnerLine> = lines.collect();
        let queue = who.seen(&app).queue()?;
        let said = said(&runners, app.engine.workers().busy, queue.len());
        let more = queue.len().saturating_sub(WAITING);
        let waiting = queue.into_iter().take(WAITING).filter_map(|it| waiting(it, &runs));
        let waiting: Vec<WaitingLine> = waiting.collect();
        Ok(RunnersPage {
            frame: Frame::new(Some(&who), "runners").live("/live/runs".to_owned()),
            may_drain: who.may_with_server(Scope::Admin),
            said,
            labels: depth(&waiting),
            runners,
            more,
            waiting,
        })
    });
    shown(&page.await?)
}

/// Runs that are looked at more than once, folded once.
struct Runs<'a> {
    app: &'a App,
    known: RefCell<BTreeMap<StreamId, Option<Rc<RunView>>>>,
}

impl Runs<'_> {
    fn view(&self, stream: StreamId) -> Option<Rc<RunView>> {
        let mut known = self.known.borrow_mut();
        // One that cannot be read does not hide the others.
        let fold = || self.app.view(stream).ok().map(Rc::new);
        known.entry(stream).or_insert_with(fold).clone()
    }
}

/// The jobs that run, by the runner that has them; none is the server's own machine.
fn running(who: &Who, runs: &Runs<'_>) -> Result<BTreeMap<Option<String>, Vec<JobLine>>, Problem> {
    let mut jobs: BTreeMap<Option<String>, Vec<JobLine>> = BTreeMap::new();
    let mut driven = runs.app.engine.driven();
    driven.sort_unstable();
    for stream in driven.into_iter().rev().take(RUNS) {
        if !who.seen(runs.app).stream(stream)? {
            continue;
        }
        let Some(view) = runs.view(stream) else { continue };
        let is_there = |job: &&JobView| job.status == Status::InProgress && job.children.is_empty();
        for job in view.jobs.iter().filter(is_there) {
            let of = jobs.entry(job.runner.as_deref().map(str::to_owned)).or_default();
            if of.len() < NAMED {
                let (run, repository) = (view.header.run, &view.header.repository);
                of.push(JobLine {
                    name: job.name.as_str().to_owned(),
                    href: job_href(&view, job),
                    of: format!("run {run} of {repository}"),
                    since: job.started_at.or(job.leased_at).map(Moment::of),
                });
            }
        }
    }
    Ok(jobs)
}

impl RunnerLine {
    fn of(it: Runner, jobs: Vec<JobLine>) -> RunnerLine {
        let (sign, word, class) = match it.takes {
            Takes::Jobs => ("✓", "takes jobs", "good"),
            Takes::Nothing => ("⊘", "drained", "off"),
            Takes::Away => ("?", "away", "waits"),
        };
        let drawn = if it.capacity <= DRAWN { it.capacity.max(it.busy) } else { 0 };
        RunnerLine {
            href: format!("/runners/{}", percent(&it.name)),
            state: RunState { sign, word, class },
            is_drained: it.takes == Takes::Nothing,
            load: format!("{} of {} busy", it.busy, it.capacity),
            places: (0..drawn).map(|place| place < it.busy).collect(),
            labels: it.labels,
            bound: it.repositories.map(|it| bound(&it)),
            kept_in: it.kept_in,
            elsewhere: it.elsewhere.map(|it| ElsewhereLine {
                about: format!("{}, launchway {}", it.processor, it.version),
                heard: Moment::of(it.heard_at),
            }),
            name: it.name,
            jobs,
        }
    }
}

/// The repositories of a runner that is bound, as far as they are seen.
fn bound(repositories: &[String]) -> String {
    match repositories {
        [] => "takes jobs of other repositories alone".to_owned(),
        _ => format!("takes jobs of {} alone", repositories.join(", ")),
    }
}

/// All of it in a line.
fn said(runners: &[RunnerLine], busy: usize, waiting: usize) -> String {
    let runners = match runners.len() {
        1 => "1 runner".to_owned(),
        count => format!("{count} runners"),
    };
    let jobs = |count: usize, verb: &str| match count {
        1 => format!("1 job {verb}s"),
        count => format!("{count} jobs {verb}"),
    };
    format!("{runners}, {}, {} for one", jobs(busy, "run"), jobs(waiting, "wait"))
}

fn waiting(it: WaitingJob, runs: &Runs<'_>) -> Option<WaitingLine> {
    let (run, attempt) = it.stream.as_run()?;
    let view = runs.view(it.stream)?;
    let job = view.job(&it.job)?;
    let header = &view.header;
    Some(WaitingLine {
        job: job.name.as_str().to_owned(),
        href: run_href(run, attempt),
        run: format!("run {run}"),
        title: header.title.as_str().to_owned(),
        repository: header.repository.to_string(),
        branch: branch(&header.git_ref),
        labels: job.labels.iter().map(|it| it.as_str().to_owned()).collect(),
        why: it.why,
        since: job.ready_at.or(job.queued_at).map(Moment::of),
    })
}

/// What waits, by its labels; those first of which most do.
fn depth(waiting: &[WaitingLine]) -> Vec<LabelLine> {
    let mut all: BTreeMap<String, (usize, Option<&Moment>)> = BTreeMap::new();
    for it in waiting {
        let (count, oldest) = all.entry(it.labels.join(", ")).or_default();
        *count += 1;
        let since = it.since.as_ref();
        *oldest = match *oldest {
            Some(known) => Some(since.filter(|it| it.ms < known.ms).unwrap_or(known)),
            None => since,
        };
    }
    let line = |(labels, (count, oldest)): (String, (usize, Option<&Moment>))| LabelLine {
        labels,
        count,
        oldest: oldest.cloned(),
    };
    let mut lines: Vec<LabelLine> = all.into_iter().map(line).collect();
    lines.sort_by_key(|it| std::cmp::Reverse(it.count));
    lines
}

/// Have it take nothing any more.
pub(crate) async fn drain_runner(
    state: State<Shared>,
    who: Extension<Who>,
    name: Path<String>,
    Because(reason): Because,
) -> Result<Redirect, Problem> {
    set(state, who, name, (Takes::Nothing, reason)).await
}

/// Have it take jobs again.
pub(crate) async fn resume_runner(
    state: State<Shared>,
    who: Extension<Who>,
    name: Path<String>,
    Because(reason): Because,
) -> Result<Redirect, Problem> {
    set(state, who, name, (Takes::Jobs, reason)).await
}

async fn set(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    (takes, reason): (Takes, Reason),
) -> Result<Redirect, Problem> {
    blocking(move || set_runner(&app, &who, &name, (takes, &reason))).await?;
    Ok(Redirect::to("/runners"))
}
