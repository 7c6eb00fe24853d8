//! What a worker is given: everything about a job that scheduling knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{JobKey, StreamId};
use expr::{Contexts, Object, Value};
use protocol::{JobOptions, JobPaths, JobSpec};
use workflow::{JobBody, job_to_json};

use crate::contexts::JobContexts;
use crate::definitions::Definitions;
use crate::secrets;
use crate::state::State;

/// What is put around a job from outside.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The run's secrets by name, GITHUB_TOKEN among them; calls narrow them (conformance 120).
    pub secrets: BTreeMap<String, String>,
    /// The job's folders.
    pub paths: JobPaths,
    /// How jobs are run.
    pub options: JobOptions,
}

/// Why a job cannot be handed to a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It has no lease, or no files.
    #[error("`{0}` is not there to be started")]
    NotLeased(JobKey),
    /// The secrets that its caller passes on have no value.
    #[error("secrets of the calling job: {0}")]
    Secrets(String),
}

/// The first message to the worker of a leased job.
///
/// # Errors
/// When the job is not leased, or the secrets of a call cannot be evaluated.
pub fn job_spec(
    state: &State,
    definitions: &Definitions,
    stream: StreamId,
    job: &JobKey,
    surroundings: Surroundings,
) -> Result<JobSpec, SpecError> {
    let missing = || SpecError::NotLeased(job.clone());
    let run = state.run(stream).ok_or_else(missing)?;
    let files = definitions.get(stream).ok_or_else(missing)?;
    let id = *run.index.get(job).ok_or_else(missing)?;
    let node = run.node(id);
    let lease = node.phase.lease().ok_or_else(missing)?;
    let definition = node.planned();
    let key = run.scope(node.scope).file.as_deref();
    let file = files.file(key).ok_or_else(missing)?;
    let text = file.job(&node.id).ok_or_else(missing)?;
    let (JobBody::Steps(steps), Some(runner)) = (&text.body, &definition.runner) else {
        return Err(missing());
    };
    let source = &file.workflow.source;
    let step_lines = steps.steps.iter().map(|step| source.place(step.span.start).line).collect();
    let mut contexts = JobContexts::of_job(run, files, id);
    contexts.with_definition(definition);
    let secrets = secrets::of_scope(run, files, node.scope, &surroundings.secrets)
        .map_err(|fault| SpecError::Secrets(fault.message))?;
    Ok(JobSpec {
        run: run.request.run,
        attempt: run.request.attempt,
        job: job.clone(),
        fence: lease.fence,
        tracking_id: Arc::clone(&lease.tracking_id),
        name: definition.name.clone(),
        workflow_path: Arc::from(source.name()),
        definition: job_to_json(text),
        step_lines,
        workflow_env: file.env.clone(),
        workflow_defaults: file.defaults.clone(),
        contexts: settled(&contexts, &node.id),
        secrets,
        payload: run.request.event.payload.clone(),
        permissions: definition.permissions.clone(),
        paths: surroundings.paths,
        timeout_minutes: runner.timeout_minutes,
        cancel_timeout_minutes: runner.cancel_timeout_minutes,
        options: surroundings.options,
    })
}

/// The contexts that are settled before a job, as JSON.
fn settled(contexts: &JobContexts<'_>, id: &Arc<str>) -> BTreeMap<String, serde_json::Value> {
    let names = ["github", "inputs", "vars", "needs", "strategy", "matrix"];
    let value = |name: &str| match (name, contexts.context(name)) {
        ("github", Some(Value::Object(github))) => {
            let mut github: Object = github.as_ref().clone();
            github.insert("job", Arc::clone(id));
            Value::from(github)
        }
        (_, value) => value.unwrap_or(Value::Null),
    };
    names.iter().map(|name| ((*name).to_owned(), value(name).to_json())).collect()
}
