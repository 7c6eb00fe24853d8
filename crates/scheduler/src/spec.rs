//! What a worker is given: everything about a job that scheduling knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{JobKey, RunRequest, StreamId};
use expr::{Contexts, Object, Value};
use protocol::{JobOptions, JobPaths, JobSpec};
use workflow::{JobBody, Uses, job_to_json};

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
    let mut settled = settled(&contexts, &node.id);
    settled.insert("job".to_owned(), origin(&run.request, source.name()));
    let secrets = secrets::of_scope(run, files, node.scope, &surroundings.secrets)
        .map_err(|fault| SpecError::Secrets(fault.message))?;
    Ok(JobSpec {
        run: run.request.run,
        attempt: run.request.attempt,
        job: job.clone(),
        fence: lease.fence,
        tracking_id: Arc::clone(&lease.tracking_id),
        runner: lease.runner.clone(),
        name: definition.name.clone(),
        labels: runner.labels.iter().map(|label| label.as_str().into()).collect(),
        workflow_path: Arc::from(source.name()),
        definition: job_to_json(text),
        step_lines,
        workflow_env: file.env.clone(),
        workflow_defaults: file.defaults.clone(),
        contexts: settled,
        secrets,
        payload: run.request.event.payload.clone(),
        permissions: definition.permissions.clone(),
        paths: surroundings.paths,
        timeout_minutes: runner.timeout_minutes,
        cancel_timeout_minutes: runner.cancel_timeout_minutes,
        options: surroundings.options,
    })
}

/// What `job` says of the file that the job stands in, which for a called one is not the run's
/// (conformance 68, 124). A file of another repository is named by its address: which commit its ref
/// meant is known where the ref is one. There is no check run, so `check_run_id` is null.
fn origin(request: &RunRequest, file: &str) -> serde_json::Value {
    let (repository, path, git_ref, commit) = match Uses::parse_workflow(file) {
        Ok(Uses::Remote { owner, repo, path, reference }) => {
            let is_commit =
                reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
            let commit = is_commit.then(|| reference.clone());
            (format!("{owner}/{repo}"), path.unwrap_or_default(), reference, commit)
        }
        _ => (
            request.repository.to_string(),
            file.to_owned(),
            request.event.git_ref.to_string(),
            Some(request.change.commit.to_string()),
        ),
    };
    serde_json::json!({
        "check_run_id": null,
        "workflow_ref": format!("{repository}/{path}@{git_ref}"),
        "workflow_sha": commit,
        "workflow_repository": repository,
        "workflow_file_path": path,
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
