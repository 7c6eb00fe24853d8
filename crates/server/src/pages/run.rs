//! A run: its jobs as a graph and as a list, why each waits, what it said.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use event::{Annotation, Attempt, Conclusion, Status, StreamId, Timestamp};
use figures::TestResult;
use mask::MaskedText;
use serde::Deserialize;
use views::{ArtifactView, JobView, RunView, StepView, decimal_size};

use super::incidents::Brought;
use super::job::{href, why};
use super::run_images::ImageTable;
use super::run_scans::ScanTable;
use super::summaries::Summaries;
use super::{Frame, Page, shown, took};
use crate::access::Scope;
use crate::api::artifacts;
use crate::app::{App, Shared, blocking};
use crate::engine::Again;
use crate::graph;
use crate::guard::Who;
use crate::links::NamedPlace;
use crate::numbers;
use crate::problem::Problem;
use crate::reason::{Because, Reason};
use crate::waterfall::{self, Table};
use crate::words::{Moment, State as RunState, percent, run_href, stream_href};

/// Annotations that are shown; a linter can give thousands, and the log has them all.
const ANNOTATIONS_MAX: usize = 100;

/// Tests that failed, likewise; their own page has more.
const FAILED_TESTS_MAX: usize = 20;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    number: String,
    title: String,
    repository: String,
    workflow: String,
    href: String,
    /// Of the form that finds in its logs.
    query: &'static str,
    is_pattern: bool,
    actions: RunActions,
    said: Option<&'static str>,
    state: RunState,
    event: String,
    branch: String,
    commit: String,
    actor: String,
    created: Moment,
    took: String,
    attempts: Vec<AttemptLine>,
    why: Option<String>,
    graph: Option<String>,
    waterfall: Option<Table>,
    jobs: Vec<JobLine>,
    annotations: Vec<AnnotationLine>,
    failed_tests: Vec<AnnotationLine>,
    failed_tests_more: u64,
    summaries: Summaries,
    notes: Vec<String>,
    artifacts: Vec<ArtifactLine>,
    images: Option<ImageTable>,
    scans: Vec<ScanTable>,
    incidents: Option<Brought>,
}

/// What may be done with a run, by buttons.
pub(super) struct RunActions {
    pub(super) href: String,
    pub(super) can_cancel: bool,
    pub(super) can_rerun: bool,
    pub(super) can_rerun_failed: bool,
    pub(super) can_resume: bool,
}

impl RunActions {
    pub(super) fn of(who: &Who, view: &RunView) -> RunActions {
        let may = who.may(Scope::Operate).is_ok();
        let is_over = view.conclusion.is_some();
        let waits_for_person = view.jobs.iter().any(|job| job.lost);
        RunActions {
            href: run_href(view.header.run, view.header.attempt),
            can_cancel: may && !is_over,
            can_rerun: may && is_over,
            can_rerun_failed: view.conclusion.is_some_and(|it| it != Conclusion::Success),
            can_resume: may && !is_over && waits_for_person,
        }
    }
}

struct AttemptLine {
    name: String,
    href: String,
    is_here: bool,
}

struct JobLine {
    anchor: String,
    depth: usize,
    state: RunState,
    name: String,
    href: String,
    has_page: bool,
    place: Option<NamedPlace>,
    why: Option<String>,
    took: String,
    steps: Vec<StepLine>,
}

struct StepLine {
    state: RunState,
    name: String,
}

struct AnnotationLine {
    level: &'static str,
    text: String,
    place: String,
}

struct ArtifactLine {
    name: String,
    /// Where its archive is; none where it has expired.
    href: Option<String>,
    size: String,
    /// Which attempt kept it, where that is another one.
    attempt: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Said {
    said: Option<String>,
}

/// The page.
pub(crate) async fn run(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Query(Said { said }): Query<Said>,
) -> Page {
    let page = blocking(move || {
        let stream = app.stream(&run)?;
        let mut view = app.view(stream)?;
        artifacts::take_in(&app, &mut view);
        // A page says what it was sent with, of what it knows to say.
        let said = match said.as_deref() {
            Some("cancel") => Some("The run was told to stop."),
            Some("resume") => Some("The lost jobs were told to start again."),
            Some("oldest") => Some("No run of this workflow before this one is there."),
            Some("newest") => Some("No run of this workflow came after this one."),
            _ => None,
        };
        RunPage::of(&app, &who, stream, &view, said)
    });
    shown(&page.await?)
}

impl RunPage {
    fn of(
        app: &App,
        who: &Who,
        stream: StreamId,
        view: &RunView,
        said: Option<&'static str>,
    ) -> Result<RunPage, Problem> {
        let header = &view.header;
        let now = app.now();
        let is_attended = app.engine.is_attended(stream);
        let is_over = view.conclusion.is_some();
        let here = run_href(header.run, header.attempt);
        let git_ref = &*header.git_ref;
        let frame = Frame::new(Some(who), "runs");
        if is_over {
            // What its images and scans are compared with may have ended just now.
            numbers::behind(app)?;
        }
        let (failed_tests, failed_tests_more) = failed_tests(app, stream, view)?;
        let state = |job: &JobView| job_state(job, is_attended);
        let waterfall = view.waterfall(now);
        Ok(RunPage {
            frame: if is_over { frame } else { frame.live(format!("/live{here}")) },
            number: header.run.to_string(),
            title: header.title.as_str().to_owned(),
            repository: header.repository.to_string(),
            workflow: header.workflow_path.rsplit('/').next().unwrap_or_default().to_owned(),
            query: "",
            is_pattern: false,
            actions: RunActions::of(who, view),
            said,
            state: run_state(view, is_attended),
            event: header.event.to_string(),
            branch: branch(git_ref),
            commit: header.commit.chars().take(7).collect(),
            actor: header.triggering_actor.to_string(),
            created: Moment::of(header.created_at),
            took: took(view.duration_ms(now)),
            attempts: attempts(app, view)?,
            why: run_why(view, is_attended),
            graph: graph::svg(view, &waterfall.critical_needs, |job| href(view, job), state),
            waterfall: waterfall::table(view, &waterfall, |job| row_href(view, job), state),
            jobs: job_lines(view, is_attended, now),
            annotations: annotations(view),
            failed_tests,
            failed_tests_more,
            summaries: Summaries::of(app, view)?,
            notes: view.notes.iter().map(|note| note.note.as_str().to_owned()).collect(),
            artifacts: artifacts(view, now),
            images: ImageTable::of(&app.figures.run_images(&app.store, view)?),
            scans: ScanTable::all(&app.figures.run_scans(&app.store, view)?),
            incidents: Brought::of(app, who, view)?,
            href: here,
        })
    }
}

/// A branch or tag, as people call it.
pub(super) fn branch(git_ref: &str) -> String {
    let short = ["refs/heads/", "refs/tags/"].iter().find_map(|it| git_ref.strip_prefix(it));
    short.unwrap_or(git_ref).to_owned()
}

fn run_state(view: &RunView, is_attended: bool) -> RunState {
    if view.conclusion.is_none() && !is_attended {
        return RunState::UNATTENDED;
    }
    RunState::of(view.conclusion, view.status)
}

fn run_why(view: &RunView, is_attended: bool) -> Option<String> {
    if view.conclusion.is_none() && !is_attended {
        let run = view.header.run;
        return Some(format!("Nobody runs it. launchway runs resume {run} goes on with it."));
    }
    let reason = view.waiting.as_ref()?;
    match reason {
        event::WaitReason::Concurrency { group, holder } => {
            Some(format!("It waits for the concurrency group {group}, which {holder} has."))
        }
        _ => Some("It waits.".to_owned()),
    }
}

pub(super) fn job_state(job: &JobView, is_attended: bool) -> RunState {
    match job.conclusion {
        None if job.lost => RunState::LOST,
        None if !is_attended && job.status == Status::InProgress => RunState::INTERRUPTED,
        conclusion => RunState::of(conclusion, job.status),
    }
}

pub(super) fn step_state(step: &StepView) -> RunState {
    if step.interrupted {
        return RunState::INTERRUPTED;
    }
    RunState::of(step.conclusion, step.status)
}

fn attempts(app: &App, view: &RunView) -> Result<Vec<AttemptLine>, Problem> {
    let header = &view.header;
    let newest = app.store.run(header.run)?.map_or(header.attempt, |record| record.attempts);
    let line = |attempt: u64| AttemptLine {
        name: attempt.to_string(),
        href: run_href(header.run, Attempt(attempt)),
        is_here: attempt == header.attempt.0,
    };
    Ok((1..=newest.0).map(line).collect())
}

/// What the line of a job is called in an address.
fn anchor(job: &JobView) -> String {
    format!("job-{}", percent(job.key.as_str()))
}

/// Where a row of the waterfall leads: legs, and a job that calls a workflow, have no page but a line above theirs.
fn row_href(view: &RunView, job: &JobView) -> String {
    match job.children.is_empty() {
        true => href(view, job),
        false => format!("#{}", anchor(job)),
    }
}

fn job_lines(view: &RunView, is_attended: bool, now: Timestamp) -> Vec<JobLine> {
    let line = |(depth, job): (usize, &JobView)| {
        let worth = |step: &&StepView| {
            step.outcome == Some(Conclusion::Failure)
                || step.interrupted
                || step.status == Status::InProgress
        };
        let step = |step: &StepView| StepLine {
            state: step_state(step),
            name: step.name.as_str().to_owned(),
        };
        JobLine {
            anchor: anchor(job),
            depth: depth.min(4),
            state: job_state(job, is_attended),
            name: job.name.as_str().to_owned(),
            href: href(view, job),
            has_page: job.children.is_empty(),
            place: NamedPlace::of(view, job),
            why: why(view, job, is_attended),
            took: took(job.duration_ms(now)),
            steps: job.steps.iter().filter(worth).map(step).collect(),
        }
    };
    view.in_order().into_iter().map(line).collect()
}

fn annotations(view: &RunView) -> Vec<AnnotationLine> {
    let of_job = |job: &JobView| {
        let name = job.name.as_str().to_owned();
        let annotations = job.annotations.clone();
        annotations.into_iter().map(move |it| annotation(&it.annotation, &name))
    };
    view.jobs.iter().flat_map(of_job).take(ANNOTATIONS_MAX).collect()
}

/// The tests that failed, as the reports of a run that is over say, and how many more did.
fn failed_tests(
    app: &App,
    stream: StreamId,
    view: &RunView,
) -> Result<(Vec<AnnotationLine>, u64), Problem> {
    if view.conclusion.is_none() || view.artifacts.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let told = app.figures.run_tests(&app.store, stream)?.unwrap_or_default();
    let line = |it: &TestResult| {
        let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
        let place = [format!("{}{line}", it.file), it.job.clone()];
        let is_named = [!it.file.is_empty(), true];
        let place = place.into_iter().zip(is_named).filter(|it| it.1).map(|it| it.0);
        AnnotationLine {
            level: "error",
            text: it.full_name(),
            place: place.collect::<Vec<_>>().join(" · "),
        }
    };
    let shown: Vec<AnnotationLine> = told.failed.iter().take(FAILED_TESTS_MAX).map(line).collect();
    let all = told.counts.failed + told.counts.errored;
    Ok((shown, all.saturating_sub(FAILED_TESTS_MAX as u64)))
}

fn annotation(annotation: &Annotation, job: &str) -> AnnotationLine {
    let level = match annotation.level {
        event::AnnotationLevel::Error => "error",
        event::AnnotationLevel::Warning => "warning",
        event::AnnotationLevel::Notice => "notice",
    };
    let file = annotation.file.as_ref().map(|it| it.as_str().to_owned());
    let line = annotation.line.map(|line| format!(":{line}")).unwrap_or_default();
    let place = file.map(|file| format!("{file}{line} · ")).unwrap_or_default();
    AnnotationLine {
        level,
        text: annotation.message.as_str().to_owned(),
        place: format!("{place}{job}"),
    }
}

fn artifacts(view: &RunView, now: Timestamp) -> Vec<ArtifactLine> {
    let of = format!("/api/v1{}/artifacts", run_href(view.header.run, view.header.attempt));
    let line = |(name, it): (&MaskedText, &ArtifactView)| {
        let is_there = it.expires_at > now;
        ArtifactLine {
            name: name.as_str().to_owned(),
            href: is_there.then(|| format!("{of}/{}", percent(name.as_str()))),
            size: decimal_size(it.size_bytes),
            attempt: (it.attempt != view.header.attempt).then(|| it.attempt.to_string()),
        }
    };
    view.artifacts.iter().map(line).collect()
}

/// Ends the run.
pub(crate) async fn cancel(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Because(reason): Because,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let href = blocking(move || {
        let stream = app.stream(&run)?;
        app.engine.cancel(stream, &who.actor(), &reason)?;
        Ok(stream_href(stream).unwrap_or_default())
    });
    Ok(Redirect::to(&format!("{}?said=cancel", href.await?)).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Only {
    only: Option<String>,
    reason: Option<String>,
}

/// Runs it once more.
pub(crate) async fn rerun(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Form(Only { only, reason }): Form<Only>,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let which = if only.as_deref() == Some("failed") { Again::Failed } else { Again::All };
    let reason = Reason::given(reason)?;
    let href = blocking(move || {
        let stream = app.stream(&run)?;
        let stream = app.engine.rerun(stream, which, &who.actor(), &reason, None)?;
        Ok(stream_href(stream).unwrap_or_default())
    });
    Ok(Redirect::to(&href.await?).into_response())
}

/// Starts lost jobs again.
pub(crate) async fn resume(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Because(reason): Because,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let href = blocking(move || {
        let stream = app.stream(&run)?;
        app.engine.resume(stream, &who.actor(), &reason)?;
        Ok(stream_href(stream).unwrap_or_default())
    });
    Ok(Redirect::to(&format!("{}?said=resume", href.await?)).into_response())
}
