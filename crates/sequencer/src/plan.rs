//! What is fixed before a job's first step.

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::Value;
use workflow::{ActionManifest, Step, StepBody, StepsJob, Template};

/// The job and all that its expressions can see.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The job as read back from its definition.
    pub job: StepsJob,
    /// The workflow's `env`.
    pub workflow_env: Option<Template>,
    /// The workflow's `defaults.run`.
    pub workflow_defaults: Option<Template>,
    /// Contexts that do not change: `github` (with what the runner knows), `inputs`, `vars`,
    /// `needs`, `strategy`, `matrix`, `secrets`, `runner`, and what never changes of `job`.
    pub contexts: BTreeMap<String, Value>,
    /// `job.services`
    pub services: Value,
    /// `job.container`; not empty where the steps run in one.
    pub container: Value,
    /// Steps around all others.
    pub hooks: Hooks,
    /// The actions that were resolved at set-up, by the text behind `uses`.
    pub actions: BTreeMap<Arc<str>, Action>,
    /// The folder that file commands are written in.
    pub file_commands: String,
}

/// Steps of the machine's owner around all steps of the job: they run whatever happens, and fail the
/// job where they fail (conformance 115).
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Before everything else.
    pub started: Option<Step>,
    /// After everything else.
    pub completed: Option<Step>,
}

/// An action that is there.
#[derive(Clone, Debug)]
pub struct Action {
    /// What its action.yml says.
    pub manifest: Arc<ActionManifest>,
    /// Where it is.
    pub home: ActionHome,
    /// `owner/repo`, for an action of another repository.
    pub repository: Option<Arc<str>>,
    /// Its ref, for an action of another repository.
    pub reference: Option<Arc<str>>,
}

/// Where an action is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionHome {
    /// In a folder, as an absolute path.
    Folder(Arc<str>),
    /// In our own table of natives, under this name.
    Native(Arc<str>),
}

/// The job holds a step that this engine cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A Docker action.
    #[error("step '{step}' uses a Docker action ({uses}), which is not supported yet")]
    Docker {
        /// Its key.
        step: String,
        /// As written.
        uses: String,
    },
}

impl Plan {
    /// Whether the steps run in a container of their own.
    pub fn is_contained(&self) -> bool {
        matches!(&self.container, Value::Object(object) if object.get("id").is_some())
    }

    /// Refuses the steps that cannot be run before the first one is.
    pub fn check(&self) -> Result<(), PlanError> {
        check_steps(&self.job.steps)
    }
}

fn check_steps(steps: &[Step]) -> Result<(), PlanError> {
    steps.iter().try_for_each(|step| match &step.body {
        StepBody::Uses { uses: uses @ workflow::Uses::Docker { .. }, .. } => {
            Err(PlanError::Docker { step: step.key.to_string(), uses: uses.to_string() })
        }
        StepBody::Parallel(steps) => check_steps(steps),
        StepBody::Run { .. }
        | StepBody::Uses { .. }
        | StepBody::Wait(_)
        | StepBody::WaitAll
        | StepBody::Cancel(_) => Ok(()),
    })
}
