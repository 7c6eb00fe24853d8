//! Where a job stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Conclusion, StepKey};
use expr::Value;
use indexmap::IndexMap;
use workflow::Step;

use crate::background::{Background, Waiting};
use crate::deed::{ActionStage, Deed};
use crate::fact::JobEnd;
use crate::plan::Action;

/// The state of one job. Changed by [`crate::evolve`] alone.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) phase: Phase,
    /// The job's environment as it is now: workflow, job, `GITHUB_ENV`.
    pub(crate) env: IndexMap<String, String>,
    /// `defaults.run`, the job's over the workflow's, as evaluated at the job's set-up.
    pub(crate) run_defaults: IndexMap<String, String>,
    /// `GITHUB_PATH`, the first entry first.
    pub(crate) path: Vec<String>,
    /// A step failed for the job.
    pub(crate) has_failed: bool,
    /// Somebody wants it stopped.
    pub(crate) is_cancelled: bool,
    /// The job's own steps under `""`, a composite action's under its step's key and `/`. They
    /// stay after their end: post stages look at them.
    pub(crate) scopes: BTreeMap<Arc<str>, Scope>,
    /// The job's own steps; those in the background have lines of their own.
    pub(crate) foreground: Line,
    /// The steps that went into the background, in that order, by their keys. They stay after their
    /// end: a later `wait` may name them again.
    pub(crate) background: IndexMap<Arc<str>, Background>,
    /// The control step that holds up the foreground.
    pub(crate) waiting: Option<Waiting>,
    /// A step failed before `cancel` came: nobody waits for it any more, and the job fails with its
    /// last step.
    pub(crate) fails_at_last: bool,
    /// Pre stages that are still to come, first one last.
    pub(crate) pre: Vec<Task>,
    /// Post stages that are owed, last in first out.
    pub(crate) post: Vec<Task>,
    /// Main steps whose post stage was pushed, so that pre and main push it once.
    pub(crate) begun: BTreeSet<StepKey>,
    /// What actions saved for their later stages.
    pub(crate) saved: BTreeMap<StepKey, IndexMap<String, String>>,
    /// Actions from the workspace that were read, and those they use.
    pub(crate) actions: BTreeMap<Arc<str>, Action>,
    /// Deeds so far.
    pub(crate) deeds: u64,
    /// Outputs with which the job ended.
    pub(crate) end: Option<JobEnd>,
}

/// Which stage of the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was evaluated.
    #[default]
    New,
    /// Pre stages.
    Pre,
    /// The steps.
    Main,
    /// Post stages.
    Post,
    /// It has a conclusion.
    Completed,
}

/// One stage of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// In which scope.
    pub(crate) scope: Arc<str>,
    /// Which of its steps.
    pub(crate) step: usize,
    /// Which stage.
    pub(crate) stage: ActionStage,
}

/// Steps that go one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// The scopes that are running now, outermost first.
    pub(crate) stack: Vec<Arc<str>>,
    /// What runs now.
    pub(crate) running: Option<Running>,
}

/// A list of steps that see each other's outputs.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) steps: Arc<[Step]>,
    /// The step that is next.
    pub(crate) next: usize,
    /// The `steps` context: ids that users gave.
    pub(crate) results: IndexMap<Arc<str>, StepResult>,
    /// Who called it; none for the job itself.
    pub(crate) caller: Option<Caller>,
    /// Whether a step of it failed, which is the job's status only at the top.
    pub(crate) has_failed: bool,
    /// Whether a step of it was stopped.
    pub(crate) was_cancelled: bool,
}

/// The step behind a composite scope, and what it was called with.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) task: Task,
    pub(crate) action: Action,
    /// `inputs`
    pub(crate) inputs: Value,
    /// The environment of the calling steps, over the job's.
    pub(crate) env: IndexMap<String, String>,
    /// Whether a failure counts for those around it.
    pub(crate) continue_on_error: bool,
}

impl Scope {
    pub(crate) fn new(steps: Arc<[Step]>, caller: Option<Caller>) -> Scope {
        Scope {
            steps,
            next: 0,
            results: IndexMap::new(),
            caller,
            has_failed: false,
            was_cancelled: false,
        }
    }
}

/// What `steps.<id>` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepResult {
    pub(crate) outcome: Conclusion,
    pub(crate) conclusion: Conclusion,
    pub(crate) outputs: IndexMap<String, String>,
}

/// The step whose deed is owed.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) task: Task,
    pub(crate) deed: Arc<Deed>,
    /// Whether a failure counts for the job.
    pub(crate) continue_on_error: bool,
}

impl State {
    /// A job of which nothing has happened.
    pub fn new() -> State {
        State::default()
    }

    /// Whether somebody wants it stopped.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }

    /// How the job would end now.
    pub(crate) fn status(&self) -> Conclusion {
        match (self.is_cancelled, self.has_failed) {
            (true, _) => Conclusion::Cancelled,
            (false, true) => Conclusion::Failure,
            (false, false) => Conclusion::Success,
        }
    }
}
