//! What was decided. The worker shows and reports it, [`crate::evolve`] writes it down.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{AnnotationLevel, Conclusion, StepKey};
use indexmap::IndexMap;

use crate::background::{Control, Waiting};
use crate::deed::{Deed, Shown};
use crate::outcome::Effects;
use crate::plan::Action;
use crate::state::{Phase, Scope, Task};

/// One decision.
#[derive(Clone, Debug)]
pub struct Fact(pub(crate) Decided);

/// What the worker makes of a fact.
#[derive(Clone, Debug)]
pub enum StepNews {
    /// A step began: its key and its name, which may hold secrets.
    Began {
        /// Which.
        key: StepKey,
        /// Its display name.
        name: String,
        /// Whether it runs beside the steps behind it. The keys of all that is inside of it begin
        /// with its own and `/`.
        is_background: bool,
    },
    /// A composite action began; its steps follow.
    Entered {
        /// Which step.
        key: StepKey,
        /// What its log begins with.
        shown: Shown,
        /// The limit of all its steps together.
        timeout_minutes: Option<f64>,
    },
    /// A step ended.
    Ended(Ended),
    /// Something to say, in a step's log and as an annotation.
    Noted {
        /// By which step; none where it is about the job.
        key: Option<StepKey>,
        /// How bad.
        level: AnnotationLevel,
        /// What; may hold secrets.
        message: String,
    },
    /// A line for a step's log.
    Said {
        /// Which step's.
        key: StepKey,
        /// The line; may hold secrets.
        line: String,
    },
}

/// How a step ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Which.
    pub key: StepKey,
    /// Before `continue-on-error`.
    pub outcome: Conclusion,
    /// After `continue-on-error`.
    pub conclusion: Conclusion,
}

/// How the job ended.
#[derive(Clone, Debug)]
pub struct JobEnd {
    /// How.
    pub conclusion: Conclusion,
    /// Its outputs; the worker drops those that hold a secret (conformance 104).
    pub outputs: BTreeMap<String, String>,
    /// `environment.url`, evaluated.
    pub environment_url: Option<String>,
}

/// The machine's own vocabulary.
#[derive(Clone, Debug)]
pub(crate) enum Decided {
    /// The job's environment and defaults are known, and its pre stages are listed, first one last;
    /// and what is owed after everything else.
    Opened {
        env: IndexMap<String, String>,
        run_defaults: IndexMap<String, String>,
        pre: Vec<Task>,
        post: Vec<Task>,
        scopes: BTreeMap<Arc<str>, Scope>,
    },
    /// The next stage of the job.
    Phase(Phase),
    /// Actions of the workspace were read.
    ActionsRead { task: Task, actions: BTreeMap<Arc<str>, Action> },
    /// A step began. Its post stage is owed from now on, where it has one.
    Began { task: Task, key: StepKey, name: String, post: Option<Task>, is_background: bool },
    /// It goes into the background, and this is how it begins there.
    WentAside { task: Task, name: String, begin: Vec<Decided> },
    /// It has one of the slots of the background now.
    Started(Arc<str>),
    /// A control step waits for others.
    Waits(Waiting),
    /// What a background step wrote, and how it ended, is known from here on.
    Seen { key: Arc<str>, control: Control },
    /// This is to be done for it.
    Owed { task: Task, deed: Arc<Deed>, continue_on_error: bool },
    /// Its steps come next.
    Entered {
        task: Task,
        key: StepKey,
        prefix: Arc<str>,
        scope: Box<Scope>,
        shown: Shown,
        timeout_minutes: Option<f64>,
    },
    /// It ended, or was never to run.
    Ended { task: Task, ended: Ended, id: Option<Arc<str>>, effects: Effects },
    /// Words.
    Noted { key: Option<StepKey>, level: AnnotationLevel, message: String },
    /// Words that are no annotation.
    Said { key: StepKey, line: String },
    /// It is to stop.
    Cancelled,
    /// The job ended.
    Completed(JobEnd),
}

impl Fact {
    /// What is to be shown and reported of it; none where it is the machine's own business.
    pub fn step(&self) -> Option<StepNews> {
        match &self.0 {
            Decided::Began { key, name, is_background, .. } => Some(StepNews::Began {
                key: key.clone(),
                name: name.clone(),
                is_background: *is_background,
            }),
            Decided::Entered { key, shown, timeout_minutes, .. } => Some(StepNews::Entered {
                key: key.clone(),
                shown: shown.clone(),
                timeout_minutes: *timeout_minutes,
            }),
            Decided::Ended { ended, .. } => Some(StepNews::Ended(ended.clone())),
            Decided::Noted { key, level, message } => {
                Some(StepNews::Noted { key: key.clone(), level: *level, message: message.clone() })
            }
            Decided::Said { key, line } => {
                Some(StepNews::Said { key: key.clone(), line: line.clone() })
            }
            _ => None,
        }
    }
}
