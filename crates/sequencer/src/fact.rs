//! What was decided. The worker shows and reports it, [`crate::evolve`] writes it down.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{AnnotationLevel, Conclusion, StepKey};
use indexmap::IndexMap;

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
    /// Something to say, in the log of the step that began last and as an annotation.
    Noted {
        /// How bad.
        level: AnnotationLevel,
        /// What; may hold secrets.
        message: String,
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
    /// The job's environment is known and its pre stages are listed, first one last; and what is
    /// owed after everything else.
    Opened {
        env: IndexMap<String, String>,
        pre: Vec<Task>,
        post: Vec<Task>,
        scopes: BTreeMap<Arc<str>, Scope>,
    },
    /// The next stage of the job.
    Phase(Phase),
    /// Actions of the workspace were read.
    ActionsRead(BTreeMap<Arc<str>, Action>),
    /// A step began. Its post stage is owed from now on, where it has one.
    Began { task: Task, key: StepKey, name: String, post: Option<Task> },
    /// This is to be done for it.
    Owed { task: Task, deed: Arc<Deed>, continue_on_error: bool },
    /// Its steps come next.
    Entered {
        key: StepKey,
        prefix: Arc<str>,
        scope: Box<Scope>,
        shown: Shown,
        timeout_minutes: Option<f64>,
    },
    /// It ended, or was never to run.
    Ended { task: Task, ended: Ended, id: Option<Arc<str>>, effects: Effects },
    /// Words.
    Noted { level: AnnotationLevel, message: String },
    /// It is to stop.
    Cancelled,
    /// The job ended.
    Completed(JobEnd),
}

impl Fact {
    /// What is to be shown and reported of it; none where it is the machine's own business.
    pub fn step(&self) -> Option<StepNews> {
        match &self.0 {
            Decided::Began { key, name, .. } => {
                Some(StepNews::Began { key: key.clone(), name: name.clone() })
            }
            Decided::Entered { key, shown, timeout_minutes, .. } => Some(StepNews::Entered {
                key: key.clone(),
                shown: shown.clone(),
                timeout_minutes: *timeout_minutes,
            }),
            Decided::Ended { ended, .. } => Some(StepNews::Ended(ended.clone())),
            Decided::Noted { level, message } => {
                Some(StepNews::Noted { level: *level, message: message.clone() })
            }
            _ => None,
        }
    }
}
