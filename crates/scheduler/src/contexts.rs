//! What expressions of jobs can see (conformance 45 to 49, 60, 61, 67 to 69).

use std::sync::Arc;

use event::{Conclusion, JobDefinition, RunRequest};
use expr::{Contexts, Object, StatusFunction, Value};
use serde_json::Value as Json;
use workflow::{Leg, Workflow};

use crate::definitions::Files;
use crate::state::{NodeId, Run, ScopeId};

/// The contexts of one evaluation.
pub(crate) struct JobContexts<'r> {
    run: &'r Run,
    files: &'r Files,
    /// The job that is looked at; its needs are the `needs`.
    node: Option<NodeId>,
    inputs: Value,
    needs: Value,
    jobs: Value,
    strategy: Value,
    matrix: Value,
    /// A person who does not wait: even `always()` is over.
    cancelled: bool,
}

impl<'r> JobContexts<'r> {
    /// For a job, before its matrix is known.
    pub(crate) fn of_job(run: &'r Run, files: &'r Files, id: NodeId) -> JobContexts<'r> {
        let id = run.declared(id);
        let scope = run.node(id).scope;
        JobContexts {
            run,
            files,
            node: Some(id),
            inputs: inputs(run, files, scope),
            needs: results(run, &run.node(id).needs),
            jobs: Value::Null,
            strategy: Value::Null,
            matrix: Value::Null,
            cancelled: run.is_cancelled_in(scope),
        }
    }

    /// For the outputs of a called workflow: its jobs are the `jobs` (conformance 61).
    pub(crate) fn of_call(run: &'r Run, files: &'r Files, scope: ScopeId) -> JobContexts<'r> {
        JobContexts {
            run,
            files,
            node: None,
            inputs: inputs(run, files, scope),
            needs: Value::Null,
            jobs: results(run, &run.scope(scope).nodes),
            strategy: Value::Null,
            matrix: Value::Null,
            cancelled: false,
        }
    }

    /// As if the run were to end: for asking who would go on.
    pub(crate) fn set_cancelled(&mut self) {
        self.cancelled = true;
    }

    /// The same for one leg.
    pub(crate) fn with_leg(&mut self, leg: &Leg, fail_fast: bool, max_parallel: Option<u32>) {
        self.matrix = leg.matrix.clone();
        self.strategy = strategy(leg, fail_fast, max_parallel);
    }

    /// The same for a job that was planned.
    pub(crate) fn with_definition(&mut self, definition: &JobDefinition) {
        let leg = Leg {
            matrix: Value::from_json(&definition.matrix),
            index: definition.index as usize,
            total: definition.total as usize,
            labels: Vec::new(),
        };
        self.with_leg(&leg, definition.fail_fast, definition.max_parallel);
    }

    fn succeeded(&self) -> bool {
        let Some(id) = self.node else { return true };
        let before = self.run.node(id).ancestry;
        !self.cancelled && !before.failed && !before.cancelled && !before.skipped
    }

    /// Whether those named ended so; a name that is no need is false.
    fn named(&self, names: &[String], wanted: Conclusion, all: bool) -> bool {
        let Some(id) = self.node else { return false };
        let ended_so = |name: &String| {
            self.run.node(id).needs.iter().any(|need| {
                let need = self.run.node(*need);
                need.id.eq_ignore_ascii_case(name)
                    && need.ended.as_ref().is_some_and(|ended| ended.result == wanted)
            })
        };
        if all { names.iter().all(ended_so) } else { names.iter().any(ended_so) }
    }
}

impl Contexts for JobContexts<'_> {
    fn context(&self, name: &str) -> Option<Value> {
        let value = match name {
            "github" => &self.files.github,
            "vars" => &self.files.vars,
            "inputs" => &self.inputs,
            "needs" => &self.needs,
            "jobs" => &self.jobs,
            "strategy" => &self.strategy,
            "matrix" => &self.matrix,
            _ => return None,
        };
        (!matches!(value, Value::Null)).then(|| value.clone())
    }

    /// Conformance 88: a job's status functions look at all that lies before it.
    fn status(&self, function: StatusFunction, names: &[String]) -> Result<bool, String> {
        let before = self.node.map(|id| self.run.node(id).ancestry).unwrap_or_default();
        Ok(match function {
            StatusFunction::Always => true,
            StatusFunction::Cancelled => self.cancelled,
            StatusFunction::Success if names.is_empty() => self.succeeded(),
            StatusFunction::Failure if names.is_empty() => !self.cancelled && before.failed,
            StatusFunction::Success => {
                !self.cancelled && self.named(names, Conclusion::Success, true)
            }
            StatusFunction::Failure => {
                !self.cancelled && self.named(names, Conclusion::Failure, false)
            }
        })
    }
}

/// The contexts of a run before it exists: `run-name` and its `concurrency` (conformance 45).
pub(crate) struct RunContexts<'r> {
    files: &'r Files,
}

impl<'r> RunContexts<'r> {
    pub(crate) fn new(files: &'r Files) -> RunContexts<'r> {
        RunContexts { files }
    }
}

impl Contexts for RunContexts<'_> {
    fn context(&self, name: &str) -> Option<Value> {
        let value = match name {
            "github" => &self.files.github,
            "vars" => &self.files.vars,
            "inputs" => &self.files.inputs,
            _ => return None,
        };
        (!matches!(value, Value::Null)).then(|| value.clone())
    }
}

/// `needs` or `jobs`: result and outputs of each by id (conformance 69).
fn results(run: &Run, nodes: &[NodeId]) -> Value {
    let mut object = Object::new();
    for id in nodes {
        let node = run.node(*id);
        let Some(ended) = &node.ended else { continue };
        let outputs: Object = ended
            .outputs
            .iter()
            .map(|(name, value)| (name.as_str(), Value::from(value.as_str())))
            .collect();
        let mut entry = Object::new();
        entry.insert("result", ended.result.as_str());
        entry.insert("outputs", outputs);
        object.insert(Arc::clone(&node.id), entry);
    }
    object.into()
}

/// `inputs`: of the run, or of the call that opened the scope (conformance 121).
fn inputs(run: &Run, files: &Files, scope: ScopeId) -> Value {
    let Some(caller) = run.scope(scope).caller else { return files.inputs.clone() };
    let call = run.node(caller).planned().call.as_ref();
    Value::from_json(&call.expect("who opened a scope calls").inputs)
}

/// `strategy` (conformance 68, 96).
fn strategy(leg: &Leg, fail_fast: bool, max_parallel: Option<u32>) -> Value {
    let count = |number: usize| Value::Number(number as f64);
    let mut object = Object::new();
    object.insert("fail-fast", fail_fast);
    object.insert("job-index", count(leg.index));
    object.insert("job-total", count(leg.total));
    object.insert("max-parallel", max_parallel.map_or(leg.total, |max| max as usize) as f64);
    object.into()
}

/// `github`, without what only a runner knows (conformance 67).
pub fn github(request: &RunRequest, workflow: &Workflow) -> Value {
    let payload = &request.event.payload;
    let text = |path: &str| match payload.pointer(path) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let repository = &*request.repository;
    let owner = repository.split('/').next().unwrap_or(repository);
    let git_ref = &*request.event.git_ref;
    let path = &*request.workflow.path;
    let name = workflow.name.as_ref().map_or(path, |name| &*name.value);
    let commit = &*request.change.commit;
    let mut object = Object::new();
    object.insert("repository", repository);
    object.insert("repository_id", text("/repository/id"));
    object.insert("repository_owner", owner);
    object.insert("repository_owner_id", text("/repository/owner/id"));
    object.insert("repositoryUrl", format!("git://github.com/{repository}.git"));
    object.insert("event_name", &*request.event.name);
    object.insert("ref", git_ref);
    object.insert("ref_name", ref_name(git_ref));
    object.insert("ref_type", if git_ref.starts_with("refs/tags/") { "tag" } else { "branch" });
    object.insert("ref_protected", false);
    object.insert("head_ref", text("/pull_request/head/ref"));
    object.insert("base_ref", text("/pull_request/base/ref"));
    object.insert("sha", commit);
    object.insert("actor", &*request.actor);
    object.insert("actor_id", text("/sender/id"));
    object.insert("triggering_actor", &*request.triggering_actor);
    object.insert("run_id", request.run.to_string());
    object.insert("run_number", request.run_number.to_string());
    object.insert("run_attempt", request.attempt.to_string());
    object.insert("workflow", name);
    object.insert("workflow_ref", format!("{repository}/{path}@{git_ref}"));
    object.insert("workflow_sha", commit);
    object.insert("server_url", "https://github.com");
    object.insert("api_url", "https://api.github.com");
    object.insert("graphql_url", "https://api.github.com/graphql");
    object.insert("retention_days", "90");
    object.insert("secret_source", "Actions");
    object.insert("event", Value::from_json(payload));
    object.into()
}

/// A ref without what says its kind: `main`, `v1`, `7/merge`.
fn ref_name(git_ref: &str) -> &str {
    ["refs/heads/", "refs/tags/", "refs/pull/"]
        .iter()
        .find_map(|prefix| git_ref.strip_prefix(prefix))
        .unwrap_or(git_ref)
}
