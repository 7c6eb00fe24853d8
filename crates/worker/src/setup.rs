//! From a job's specification to a plan: folders, contexts, and every action it uses (conformance
//! 105, 106).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use docker::{EngineError, Wanted, WantedError};
use expr::{Object, Value};
use protocol::JobSpec;
use sandbox::{BoundsError, SandboxError};
use sequencer::{Plan, World};
use serde_json::Value as Json;
use workflow::{JobBody, StepsJob, Template};

use crate::gather::{Gathering, with_sources};
use crate::hooks;

/// The runner's name in contexts and environment.
const RUNNER_NAME: &str = "launchway";

/// Why a job cannot begin. Nothing of it has run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The driver sent what it should have refused.
    #[error("the job's definition cannot be read: {0}")]
    Definition(String),
    /// The disk.
    #[error("{action} '{path}': {source}")]
    Folder {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Something the job needs is not supported yet, or not on this machine.
    #[error("{0}")]
    Refused(String),
    /// The job is to be kept in, and cannot be.
    #[error("this job may run here only where it can be kept in (docs/sandbox.md)")]
    Walls(#[source] SandboxError),
    /// What it takes is to be limited, and cannot be.
    #[error("this job may run here only where what it takes can be limited (docs/runners.md)")]
    Bounds(#[source] BoundsError),
    /// The engine of containers.
    #[error("{action}")]
    Container {
        action: String,
        #[source]
        source: EngineError,
    },
}

/// The folders of a job, as the steps see them.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// `GITHUB_WORKSPACE`
    pub(crate) workspace: PathBuf,
    /// `RUNNER_WORKSPACE`
    pub(crate) runner_workspace: PathBuf,
    /// `RUNNER_TEMP`
    pub(crate) temp: PathBuf,
    /// `HOME`
    pub(crate) home: PathBuf,
    /// `GITHUB_EVENT_PATH`
    pub(crate) event: PathBuf,
    /// The folder of file commands.
    pub(crate) file_commands: PathBuf,
    /// `RUNNER_TOOL_CACHE`, which jobs share.
    pub(crate) tools: PathBuf,
}

impl Folders {
    /// Names them; `<work>/<repo>/<repo>` as on GitHub (conformance 219).
    pub(crate) fn of(spec: &JobSpec) -> Folders {
        let job = Path::new(&*spec.paths.job);
        let repository = spec.contexts.get("github").and_then(|it| it["repository"].as_str());
        let name = repository.and_then(|it| it.rsplit('/').next()).unwrap_or("repository");
        let temp = job.join("temp");
        let runner_workspace = job.join("work").join(name);
        Folders {
            workspace: runner_workspace.join(name),
            runner_workspace,
            home: job.join("home"),
            event: temp.join("_github_workflow").join("event.json"),
            file_commands: temp.join("_runner_file_commands"),
            tools: PathBuf::from(&*spec.paths.tools),
            temp,
        }
    }

    /// Makes them, and writes the event (conformance 217).
    pub(crate) fn create(&self, payload: &Json) -> Result<(), SetupError> {
        let event_folder = self.event.parent().expect("it lies in a folder of ours");
        for folder in [&*self.workspace, &*self.home, event_folder, &*self.file_commands] {
            fs::create_dir_all(folder).map_err(|source| SetupError::Folder {
                action: "cannot make the folder",
                path: folder.to_owned(),
                source,
            })?;
        }
        let event = serde_json::to_vec(payload).expect("JSON that was read can be written");
        fs::write(&self.event, event).map_err(|source| SetupError::Folder {
            action: "cannot write the event",
            path: self.event.clone(),
            source,
        })
    }
}

/// Reads the job and resolves what it uses; beside it, the container that its steps want to run in.
pub(crate) fn plan(
    spec: &JobSpec,
    folders: &Folders,
    world: &dyn World,
    gathering: &mut Gathering<'_>,
) -> Result<(Plan, Option<Wanted>), SetupError> {
    let mut plan = Plan {
        workflow_env: read_template(&spec.workflow_env, &expr::Scope::WORKFLOW_ENV)?,
        workflow_defaults: read_template(&spec.workflow_defaults, &expr::Scope::NOTHING)?,
        contexts: contexts(spec, folders),
        services: Value::from(Object::new()),
        container: Value::from(Object::new()),
        hooks: hooks::read(&|name| std::env::var(name).ok())?,
        actions: BTreeMap::new(),
        file_commands: text(&folders.file_commands),
        job: read_job(spec)?,
    };
    plan.check().map_err(|error| SetupError::Refused(error.to_string()))?;
    let container = container(spec, &plan, world)?;
    gathering.is_for_container(container.is_some());
    plan.actions = gathering.all(&plan.job.steps)?;
    Ok((plan, container))
}

/// The job's container, evaluated (conformance 155); where it names none, that of its label.
fn container(spec: &JobSpec, plan: &Plan, world: &dyn World) -> Result<Option<Wanted>, SetupError> {
    let refused =
        |error: WantedError| SetupError::Refused(format!("container: {}", with_sources(&error)));
    let written = sequencer::container(plan, world).map_err(SetupError::Refused)?;
    let wanted = docker::wanted(&written).map_err(refused)?;
    let of_label = || spec.options.image.as_deref().map(Json::from);
    match (wanted, of_label()) {
        (None, Some(image)) => docker::wanted(&image).map_err(refused),
        (wanted, _) => Ok(wanted),
    }
}

/// The job's services, evaluated (conformance 53, 159): by id, as JSON.
pub(crate) fn services(plan: &Plan, world: &dyn World) -> Result<Vec<(String, Json)>, SetupError> {
    sequencer::services(plan, world).map_err(SetupError::Refused)
}

/// Services as programs of this machine.
pub(crate) fn local_services(
    entries: &[(String, Json)],
) -> Result<Vec<services::ServicePlan>, SetupError> {
    let mut plans = Vec::new();
    for (id, service) in entries {
        let planned = services::plan(id, service)
            .map_err(|error| SetupError::Refused(with_sources(&error)))?;
        plans.extend(planned);
    }
    Ok(plans)
}

fn read_job(spec: &JobSpec) -> Result<StepsJob, SetupError> {
    let (job, diagnostics) = workflow::job_from_json(&job_id(spec), &spec.definition);
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == syntax::Severity::Error)
        .map(|diagnostic| diagnostic.message.clone())
        .collect();
    match job.map(|job| job.body) {
        Some(JobBody::Steps(job)) if errors.is_empty() => Ok(*job),
        Some(JobBody::Call(_)) => {
            Err(SetupError::Definition("a job that calls a workflow has no steps".to_owned()))
        }
        _ => Err(SetupError::Definition(errors.join("; "))),
    }
}

/// The key under `jobs`: a job's key without the calling jobs and the matrix leg.
fn job_id(spec: &JobSpec) -> String {
    let key = spec.job.as_str();
    let key = key.rsplit('/').next().unwrap_or(key);
    key.split(" (").next().unwrap_or(key).to_owned()
}

fn read_template(json: &Json, scope: &expr::Scope) -> Result<Option<Template>, SetupError> {
    if json.is_null() {
        return Ok(None);
    }
    let (template, diagnostics) = Template::from_json(json, scope);
    match diagnostics.into_iter().find(|it| it.severity == syntax::Severity::Error) {
        Some(error) => Err(SetupError::Definition(error.message)),
        None => Ok(Some(template)),
    }
}

/// The contexts that stay the same for the whole job.
pub(crate) fn contexts(spec: &JobSpec, folders: &Folders) -> BTreeMap<String, Value> {
    let mut contexts: BTreeMap<String, Value> =
        spec.contexts.iter().map(|(name, json)| (name.clone(), Value::from_json(json))).collect();
    let mut github = match contexts.remove("github") {
        Some(Value::Object(object)) => Object::clone(&object),
        _ => Object::new(),
    };
    github.insert("workspace", text(&folders.workspace));
    github.insert("event_path", text(&folders.event));
    github.insert("token", spec.secrets.get("GITHUB_TOKEN").cloned().unwrap_or_default());
    if let Some(door) = &spec.options.github {
        // A GitHub of one's own has its other API beside the one.
        let api = &*door.api_url;
        let graphql = match api.strip_suffix("/v3") {
            Some(own) => format!("{own}/graphql"),
            None => format!("{api}/graphql"),
        };
        github.insert("server_url", &*door.server_url);
        github.insert("api_url", api);
        github.insert("graphql_url", graphql);
    }
    if github.get("event").is_none() {
        github.insert("event", Value::from_json(&spec.payload));
    }
    if github.get("job").is_none() {
        github.insert("job", job_id(spec));
    }
    contexts.insert("github".to_owned(), Value::from(github));
    let secrets: Object =
        spec.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    contexts.insert("secrets".to_owned(), Value::from(secrets));
    contexts.insert("runner".to_owned(), runner(spec, folders));
    contexts
}

/// Whether debug lines are kept: asked for by option, secret or variable; a secret wins over a
/// variable (conformance 114).
pub(crate) fn is_debugged(spec: &JobSpec) -> bool {
    spec.options.debug || is_on(spec, "ACTIONS_STEP_DEBUG")
}

/// Whether the worker says how it came to what it does (conformance 114).
pub(crate) fn is_diagnosed(spec: &JobSpec) -> bool {
    is_on(spec, "ACTIONS_RUNNER_DEBUG")
}

fn is_on(spec: &JobSpec, name: &str) -> bool {
    let variable = || spec.contexts.get("vars")?.get(name)?.as_str();
    let said = spec.secrets.get(name).map(String::as_str).or_else(variable);
    said.is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn runner(spec: &JobSpec, folders: &Folders) -> Value {
    let mut runner = Object::new();
    runner.insert("os", if cfg!(target_os = "macos") { "macOS" } else { "Linux" });
    runner.insert("arch", if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" });
    runner.insert("name", RUNNER_NAME);
    runner.insert("environment", "self-hosted");
    runner.insert("temp", text(&folders.temp));
    runner.insert("tool_cache", text(&folders.tools));
    runner.insert("workspace", text(&folders.runner_workspace));
    if is_debugged(spec) {
        runner.insert("debug", "1");
    }
    Value::from(runner)
}

/// A path as text. The driver's folders are UTF-8: they came here as JSON.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// An action as a step's context knows it: shared, so that calling it twice costs nothing.
pub(crate) type Actions = BTreeMap<Arc<str>, sequencer::Action>;
