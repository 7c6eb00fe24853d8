//! The live picture: every job with its state, time and last line, drawn over itself.
//!
//! What is drawn is a pure function of the views ([`frame`]); [`LiveReporter`] only keeps the views
//! up to date and puts the frame on the screen. Lines that must stay (a failing step's last lines)
//! are printed above it once.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use event::{Conclusion, JobKey, RunEvent, RunId, Status, StepKey, Timestamp};
use views::{JobView, RunView};

use super::screen::{self, Screen};
use super::{Reporter, lines, mark};
use crate::terminal::style::Style;
use crate::terminal::time::{duration, now};

/// Often enough to look alive, seldom enough to cost nothing.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);
/// Last lines of a failing step that stay on the screen.
const LINES_KEPT: usize = 20;

/// Draws runs while they happen. A thread of its own draws, so that times go on while nothing
/// happens, and a flood of events costs one frame.
pub(crate) struct LiveReporter {
    picture: Arc<Mutex<Picture>>,
    stop: Sender<()>,
    painter: Option<JoinHandle<()>>,
}

/// What the next frame is made from.
struct Picture {
    views: BTreeMap<RunId, RunView>,
    lines: BTreeMap<(RunId, JobKey), Vec<(StepKey, String)>>,
    above: Vec<String>,
    screen: Screen,
    style: Style,
}

impl LiveReporter {
    pub(crate) fn new() -> LiveReporter {
        let picture = Arc::new(Mutex::new(Picture {
            views: BTreeMap::new(),
            lines: BTreeMap::new(),
            above: Vec::new(),
            screen: Screen::default(),
            style: Style::stderr(),
        }));
        let (stop, stopped) = channel();
        let shared = Arc::clone(&picture);
        let painter = std::thread::spawn(move || {
            while stopped.recv_timeout(FRAME_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                locked(&shared).draw();
            }
        });
        LiveReporter { picture, stop, painter: Some(painter) }
    }
}

fn locked(picture: &Mutex<Picture>) -> MutexGuard<'_, Picture> {
    picture.lock().expect("nobody panics while drawing")
}

impl Picture {
    fn draw(&mut self) {
        let last_line = |run: RunId, job: &JobKey| {
            let (_, line) = self.lines.get(&(run, job.clone()))?.last()?;
            Some(line.clone())
        };
        let block = frame(&self.views, &last_line, screen::size(), now(), self.style);
        let above = std::mem::take(&mut self.above);
        self.screen.draw(&above, &block);
    }

    fn take(&mut self, run: RunId, event: &RunEvent) {
        match (event, self.views.get_mut(&run)) {
            (RunEvent::RunCreated(request), _) => {
                self.views.insert(run, RunView::new(request));
            }
            (_, Some(view)) => view.apply(event),
            (_, None) => return,
        }
        if let RunEvent::StepCompleted { job, step, conclusion: Conclusion::Failure, .. } = event {
            self.keep_failure(run, job, step);
        }
        if let RunEvent::JobCompleted { job, .. } = event {
            self.lines.remove(&(run, job.clone()));
        }
    }

    /// The last lines of a step that failed, and its name, to stay above the picture.
    fn keep_failure(&mut self, run: RunId, job: &JobKey, step: &StepKey) {
        let Some(view) = self.views.get(&run).and_then(|view| view.job(job)) else { return };
        let found = view.steps.iter().find(|it| it.key == *step);
        let name = found.map_or(step.as_str(), |it| it.name.as_str());
        let style = self.style;
        let sign = mark(Conclusion::Failure, style);
        self.above.push(format!("{sign} {} › {name}", style.bold(view.name.as_str())));
        let lines = self.lines.get(&(run, job.clone()));
        let own = lines.into_iter().flatten().filter(|(from, _)| from == step);
        self.above.extend(own.map(|(_, line)| format!("  {line}")));
    }

    fn keep_lines(&mut self, run: RunId, job: &JobKey, step: &StepKey, block: &str) {
        let kept = self.lines.entry((run, job.clone())).or_default();
        // The last ones are found from the end: the others are never looked at.
        let last: Vec<&str> = lines(block).rev().take(LINES_KEPT).collect();
        kept.extend(last.into_iter().rev().map(|line| (step.clone(), line.to_owned())));
        kept.drain(..kept.len().saturating_sub(LINES_KEPT));
    }
}

impl Reporter for LiveReporter {
    fn event(&mut self, run: RunId, event: &RunEvent) {
        locked(&self.picture).take(run, event);
    }

    fn log(&mut self, run: RunId, job: &JobKey, step: &StepKey, block: &str) {
        locked(&self.picture).keep_lines(run, job, step, block);
    }

    fn end(&mut self) {
        // The painter stops at the next look, which this message is.
        let _ = self.stop.send(());
        if let Some(painter) = self.painter.take() {
            let _ = painter.join();
        }
        let mut picture = locked(&self.picture);
        picture.draw();
        picture.screen.clear();
    }
}

/// The lines of the picture: a heading for each run, a line for each job. Where there are more jobs
/// than rows, those that need no look (ended well, skipped, not begun) give way first.
pub(crate) fn frame(
    views: &BTreeMap<RunId, RunView>,
    last_line: &dyn Fn(RunId, &JobKey) -> Option<String>,
    (columns, rows): (usize, usize),
    now: Timestamp,
    style: Style,
) -> Vec<String> {
    let mut lines = Vec::new();
    let rows_for_jobs = rows.saturating_sub(2 + 2 * views.len()) / views.len().max(1);
    for (run, view) in views {
        lines.push(heading(view, now, style));
        let jobs: Vec<&JobView> = view.jobs.iter().filter(|job| job.children.is_empty()).collect();
        let shown = most_interesting(&jobs, rows_for_jobs.max(1));
        let width = shown.iter().map(|job| job.name.as_str().chars().count()).max().unwrap_or(0);
        for job in &shown {
            lines.push(job_line(
                job,
                width.min(columns / 3),
                last_line(*run, &job.key),
                now,
                style,
            ));
        }
        if shown.len() < jobs.len() {
            lines.push(style.dim(&format!("  … and {} more jobs", jobs.len() - shown.len())));
        }
    }
    lines
}

fn heading(view: &RunView, now: Timestamp, style: Style) -> String {
    let header = &view.header;
    let time =
        view.duration_ms(now).map(|ms| duration(Timestamp(0), Timestamp(ms))).unwrap_or_default();
    let branch = header.git_ref.strip_prefix("refs/heads/").unwrap_or(&header.git_ref);
    let about = format!("run {}, {} {branch}, {time}", header.run, header.event);
    format!("{} {}", style.bold(&header.workflow_path), style.dim(&about))
}

/// At most `room` jobs, in the order of the file: first those that run or failed, then those that
/// wait, then the rest.
fn most_interesting<'v>(jobs: &[&'v JobView], room: usize) -> Vec<&'v JobView> {
    let rank = |job: &JobView| match (job.status, job.conclusion) {
        (Status::InProgress, _) => 0,
        (_, Some(Conclusion::Failure | Conclusion::TimedOut)) => 1,
        (Status::Queued | Status::Waiting, _) => 2,
        _ => 3,
    };
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|at| rank(jobs[*at]));
    order.truncate(room);
    order.sort_unstable();
    order.into_iter().map(|at| jobs[at]).collect()
}

fn job_line(
    job: &JobView,
    width: usize,
    last_line: Option<String>,
    now: Timestamp,
    style: Style,
) -> String {
    let sign = match (job.conclusion, job.status) {
        (Some(conclusion), _) => mark(conclusion, style),
        (None, Status::InProgress) => style.cyan("●"),
        (None, Status::Queued) => style.yellow("○"),
        (None, _) => style.dim("·"),
    };
    let name = job.name.as_str();
    let padding = " ".repeat(width.saturating_sub(name.chars().count()));
    let time =
        job.duration_ms(now).map(|ms| duration(Timestamp(0), Timestamp(ms))).unwrap_or_default();
    let more = match (job.conclusion, job.status) {
        (Some(conclusion), _) => conclusion.as_str().to_owned(),
        (None, Status::InProgress) => running(job, last_line),
        (None, _) => waiting(job),
    };
    format!("  {sign} {name}{padding}  {time:>9}  {}", style.dim(&more))
}

/// The step that runs, and the last thing it said.
fn running(job: &JobView, last_line: Option<String>) -> String {
    let step = job.steps.iter().rev().find(|step| step.status == Status::InProgress);
    match (step, last_line) {
        (Some(step), Some(line)) => format!("{} │ {line}", step.name),
        (Some(step), None) => step.name.to_string(),
        (None, _) => "setting up".to_owned(),
    }
}

fn waiting(job: &JobView) -> String {
    if job.needs.is_empty() {
        return job.status.as_str().to_owned();
    }
    let needs: Vec<&str> = job.needs.iter().map(JobKey::as_str).collect();
    format!("needs {}", needs.join(", "))
}
