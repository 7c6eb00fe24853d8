//! Steps in the background (conformance 141): where each stands, and what of it is seen.
//!
//! ```text
//!             a slot is free            its last deed is over       `wait`, `wait-all`, `cancel`
//!   queued ───────────────────▶ running ──────────────────────▶ over ──────────────────────────▶ seen
//!      │                                                         ▲
//!      └───────────── `cancel`, or the job is cancelled ─────────┘
//! ```
//!
//! All that a step means is decided when its turn comes in the foreground: how long it stands in
//! line changes nothing but the time. What it writes stays with it until it is seen.

use std::sync::Arc;

use event::Conclusion;
use indexmap::IndexMap;
use workflow::{Step, StepBody, Template, Text};

use crate::deed::ActionStage;
use crate::fact::{Decided, Ended};
use crate::limits::BACKGROUND_MAX;
use crate::outcome::Effects;
use crate::state::{Line, Phase, State, Task};

/// A step that went into the background.
#[derive(Clone, Debug)]
pub(crate) struct Background {
    pub(crate) task: Task,
    /// Its display name.
    pub(crate) name: String,
    pub(crate) course: Course,
    pub(crate) line: Line,
    /// `cancel` named it before it was over.
    pub(crate) is_unwanted: bool,
    /// The environment that its steps see: the job's as it was at its turn, and what they wrote.
    pub(crate) env: IndexMap<String, String>,
    /// The same of `GITHUB_PATH`.
    pub(crate) path: Vec<String>,
    /// What it wrote, for everybody else.
    pub(crate) kept: Effects,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(crate) enum Course {
    /// As many as may run at a time do. Its beginning was decided and is written down later.
    Queued(Vec<Decided>),
    /// It has a slot.
    Running,
    /// It ended; nobody knows.
    Over(Ended),
    /// It ended, and all the steps behind it know.
    Seen(Ended),
}

impl Background {
    /// How it ended, seen or not.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        match &self.course {
            Course::Over(ended) | Course::Seen(ended) => Some(ended),
            Course::Queued(_) | Course::Running => None,
        }
    }
}

/// A control step, while the steps it names are not over.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) task: Task,
    pub(crate) control: Control,
    /// The keys of the steps that it waits for.
    pub(crate) targets: Vec<Arc<str>>,
    pub(crate) continue_on_error: bool,
    /// Its own name or `continue-on-error` was wrong. It waits all the same, and fails.
    pub(crate) is_wrong: bool,
}

/// What a control step does to the steps it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// `wait`, `wait-all`
    Wait,
    /// `cancel`
    Cancel,
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This background step leaves the line.
    Start(Arc<str>),
    /// The next step inside this background step.
    Inside(Arc<str>),
    /// The next step of the job's own, or the end of the one that waits.
    Foreground,
}

impl State {
    /// Whose turn it is; none while everybody has something to do.
    pub(crate) fn turn(&self) -> Option<Turn> {
        let running =
            self.background.values().filter(|it| matches!(it.course, Course::Running)).count();
        for (key, it) in &self.background {
            match &it.course {
                Course::Queued(_) if running < BACKGROUND_MAX || it.is_unwanted => {
                    return Some(Turn::Start(Arc::clone(key)));
                }
                Course::Running if it.line.running.is_none() => {
                    return Some(Turn::Inside(Arc::clone(key)));
                }
                _ => {}
            }
        }
        let is_held = match &self.waiting {
            Some(waiting) => {
                waiting.targets.iter().any(|key| self.background[key].ended().is_none())
            }
            None => self.foreground.running.is_some(),
        };
        let is_open = matches!(self.phase, Phase::Pre | Phase::Main | Phase::Post);
        (is_open && !is_held).then_some(Turn::Foreground)
    }

    /// The background step that this is, or is inside of.
    pub(crate) fn background_of(&self, task: &Task) -> Option<&Background> {
        // Nearly every job: nothing is looked up for it.
        if self.background.is_empty() || task.stage != ActionStage::Main {
            return None;
        }
        self.background.get(self.root_key(task))
    }

    pub(crate) fn background_of_mut(&mut self, task: &Task) -> Option<&mut Background> {
        if self.background.is_empty() || task.stage != ActionStage::Main {
            return None;
        }
        let key = Arc::<str>::from(self.root_key(task));
        self.background.get_mut(&key)
    }

    /// The line in which it goes.
    pub(crate) fn line_of_mut(&mut self, task: &Task) -> &mut Line {
        if self.background_of(task).is_none() {
            return &mut self.foreground;
        }
        &mut self.background_of_mut(task).expect("it was found").line
    }

    /// The environment around it: the job's, unless it runs in the background.
    pub(crate) fn env_of(&self, task: &Task) -> &IndexMap<String, String> {
        self.background_of(task).map_or(&self.env, |it| &it.env)
    }

    /// The same of `GITHUB_PATH`.
    pub(crate) fn path_of(&self, task: &Task) -> &[String] {
        self.background_of(task).map_or(&self.path, |it| &it.path)
    }

    /// Whether it is inside of a step that `cancel` named.
    pub(crate) fn is_unwanted(&self, task: &Task) -> bool {
        self.background_of(task).is_some_and(|it| it.is_unwanted)
    }

    /// Whether it runs beside the steps behind it.
    pub(crate) fn goes_aside(&self, task: &Task) -> bool {
        task.stage == ActionStage::Main && self.scopes[&task.scope].steps[task.step].background
    }

    /// The key of the job's own step that this is, or is inside of.
    fn root_key<'s>(&'s self, task: &'s Task) -> &'s str {
        match task.scope.split_once('/') {
            Some((root, _)) => root,
            None => &self.scopes[&task.scope].steps[task.step].key,
        }
    }
}

/// The worst of several ends: what a `wait` makes of the steps it waited for. One that was ended
/// because `cancel` named it counts as well.
pub(crate) fn worst<'b>(steps: impl Iterator<Item = &'b Background>) -> Conclusion {
    steps.fold(Conclusion::Success, |worst, it| {
        match (worst, it.ended().map(|ended| ended.conclusion)) {
            (_, Some(Conclusion::Failure)) => Conclusion::Failure,
            (Conclusion::Success, Some(Conclusion::Cancelled)) if !it.is_unwanted => {
                Conclusion::Cancelled
            }
            (worst, _) => worst,
        }
    })
}

/// The steps in a line: those of `parallel` go aside and a `wait` stands behind them. At the end
/// stands a `wait-all` where somebody would be left over.
pub(crate) fn in_line(steps: &[Step]) -> Vec<Step> {
    let mut line = Vec::with_capacity(steps.len());
    for step in steps {
        let StepBody::Parallel(inner) = &step.body else {
            line.push(step.clone());
            continue;
        };
        line.extend(inner.iter().cloned().map(|inner| Step { background: true, ..inner }));
        let keys = inner.iter().map(|it| Text { value: Arc::clone(&it.key), span: it.span });
        let name = format!("Wait for {} parallel steps", inner.len());
        let wait = Step {
            name: Some(Template::text(Arc::from(name), step.span)),
            body: StepBody::Wait(keys.collect()),
            ..step.clone()
        };
        line.push(wait);
    }
    let implicit = line.last().filter(|_| is_left_over(&line)).map(|last| Step {
        id: None,
        key: unused_key(&line),
        name: None,
        condition: None,
        env: None,
        continue_on_error: None,
        timeout_minutes: None,
        background: false,
        body: StepBody::WaitAll,
        span: last.span,
    });
    line.extend(implicit);
    line
}

/// Whether a background step has no control step behind it that names it.
fn is_left_over(line: &[Step]) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for step in line {
        match &step.body {
            StepBody::WaitAll => open.clear(),
            StepBody::Wait(keys) => {
                open.retain(|it| !keys.iter().any(|key| key.value.eq_ignore_ascii_case(it)));
            }
            StepBody::Cancel(key) => open.retain(|it| !key.value.eq_ignore_ascii_case(it)),
            _ if step.background => open.push(&step.key),
            _ => {}
        }
    }
    !open.is_empty()
}

/// The runner's name for it, unless a step has that already.
fn unused_key(line: &[Step]) -> Arc<str> {
    let mut key = "__implicit_wait_all".to_owned();
    while line.iter().any(|step| step.key.eq_ignore_ascii_case(&key)) {
        key.push('_');
    }
    Arc::from(key)
}
