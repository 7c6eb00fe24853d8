//! The live picture: every job with its state, time and last line, drawn over itself.
//!
//! What is drawn is a pure function of the views (`frame.rs`); [`LiveReporter`] only keeps the views
//! up to date and puts the frame on the screen. Lines that must stay (a failing step's last lines)
//! are printed above it once.

mod frame;

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use event::{Conclusion, JobKey, RunEvent, RunId, StepKey};
use views::RunView;

use self::frame::frame;
use super::screen::{self, Screen};
use super::{Reporter, lines, mark};
use crate::terminal::log_line::shown;
use crate::terminal::style::Style;
use crate::terminal::time::now;

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
            let lines = self.lines.get(&(run, job.clone()))?;
            let said = lines.iter().rev().find(|(_, line)| !line.starts_with("##[endgroup]"))?;
            shown(&said.1, Style::plain())
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
        let own: Vec<&String> = own.map(|(_, line)| line).collect();
        // The step's own words stand behind its head, which repeats its script.
        let head = own.iter().rposition(|line| line.starts_with("##[endgroup]"));
        let said = own.iter().skip(head.map_or(0, |at| at + 1));
        self.above
            .extend(said.filter_map(|line| shown(line, style)).map(|line| format!("  {line}")));
    }

    fn keep_lines(&mut self, run: RunId, job: &JobKey, step: &StepKey, block: &str) {
        let kept = self.lines.entry((run, job.clone())).or_default();
        // The last ones are found from the end: the others are never looked at.
        let last: Vec<&str> = lines(block).rev().take(LINES_KEPT).collect();
        kept.extend(last.into_iter().rev().map(|line| (step.clone(), line.to_owned())));
        // Steps may print side by side: one that is loud must not take the place of the others.
        let own = kept.iter().filter(|(from, _)| from == step).count();
        let mut surplus = own.saturating_sub(LINES_KEPT);
        kept.retain(|(from, _)| {
            let goes = surplus > 0 && from == step;
            surplus -= usize::from(goes);
            !goes
        });
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
