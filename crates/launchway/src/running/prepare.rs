//! From an event and a workflow file to the request of a run: everything its decisions rest on.
//!
//! ```text
//!   inputs.rs    what was given for workflow_dispatch, typed as the workflow declares
//!   called.rs    the files of reusable workflows, as deep as they call
//!   foreseen.rs  which jobs will run, and what their expressions will say, as far as it can be told
//!   refuse.rs    what this machine cannot run, by name and place
//! ```

pub(crate) mod called;
pub(crate) mod foreseen;
pub(crate) mod inputs;
pub(crate) mod refuse;

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Attempt, Change, EventRef, RunId, RunRequest, Selection, Terms, Timestamp, WorkflowFile,
};
use expr::{Contexts, Value};
use mask::MaskedText;
use repository::{Repository, TriggeringEvent};
use serde_json::Value as Json;
use syntax::{Diagnostic, Source};
use workflow::{JobBody, Template, TemplateError, Workflow};

use crate::exit::{Exit, Failure};

/// What all runs of one command share.
pub(crate) struct Situation<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) event: &'a TriggeringEvent,
    /// Where commits lie that were made for the event.
    pub(crate) store: Option<&'a str>,
    pub(crate) terms: Terms,
    pub(crate) vars: &'a BTreeMap<String, String>,
    pub(crate) secret_names: &'a [String],
    pub(crate) selection: &'a Selection,
    pub(crate) now: Timestamp,
}

/// One workflow that is to run.
#[derive(Clone)]
pub(crate) struct Chosen<'a> {
    pub(crate) path: &'a str,
    pub(crate) source: &'a Arc<Source>,
    pub(crate) workflow: &'a Workflow,
    pub(crate) called: BTreeMap<String, WorkflowFile>,
    pub(crate) inputs: Json,
}

/// The numbers of a run, as the journal gave them.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) run: RunId,
    pub(crate) attempt: Attempt,
    pub(crate) run_number: u64,
}

/// Builds the request. What cannot be evaluated is shown under the user's text and refused.
pub(crate) fn request(
    situation: &Situation<'_>,
    chosen: Chosen<'_>,
    numbers: Numbers,
) -> Result<RunRequest, Box<Diagnostic>> {
    let Situation { repository, event, .. } = situation;
    let commit = repository.commit(&event.commit).ok().flatten();
    let commit = commit.as_ref().unwrap_or(&repository.head);
    let actor: Arc<str> =
        event.payload.pointer("/sender/login").and_then(Json::as_str).unwrap_or("local").into();
    let mut request = RunRequest {
        run: numbers.run,
        attempt: numbers.attempt,
        run_number: numbers.run_number,
        carried: Vec::new(),
        repository: repository.full_name().into(),
        repository_path: repository.root.display().to_string().into(),
        workflow: WorkflowFile { path: chosen.path.into(), text: chosen.source.text().into() },
        called: chosen.called,
        title: MaskedText::without_secrets(default_title(event, chosen.workflow, commit.subject())),
        event: EventRef {
            name: event.name.as_str().into(),
            git_ref: event.git_ref.as_str().into(),
            payload: inputs::in_payload(&event.payload, &chosen.inputs),
        },
        change: Change {
            commit: event.commit.as_str().into(),
            authored_at: commit.authored_at,
            committed_at: commit.committed_at,
            uncommitted: if situation.terms.committed {
                0
            } else {
                repository.uncommitted.len() as u64
            },
            snapshot: event.snapshot.as_deref().map(Arc::from),
            store: situation.store.map(Arc::from),
            // What git cannot say is not known; the run does not hang on it.
            branched_at: may_ship(chosen.workflow)
                .then(|| repository.branched_at(&event.git_ref, &event.commit).ok().flatten())
                .flatten()
                .map(Arc::from),
        },
        concurrency: None,
        selection: selection_in(situation.selection, chosen.workflow),
        terms: situation.terms.clone(),
        inputs: chosen.inputs,
        vars: serde_json::to_value(situation.vars).expect("text to text"),
        secret_names: situation.secret_names.to_vec(),
        actor: Arc::clone(&actor),
        triggering_actor: actor,
        asked: None,
        at: situation.now,
    };
    evaluate_title(&mut request, chosen.source, chosen.workflow)?;
    Ok(request)
}

/// Whether a job names an environment, or may do so in a file that it calls.
fn may_ship(workflow: &Workflow) -> bool {
    workflow.jobs.iter().any(|job| match &job.body {
        JobBody::Steps(steps) => steps.environment.is_some(),
        JobBody::Call(_) => true,
    })
}

/// `run-name` (conformance 39). The concurrency group is the scheduler's.
fn evaluate_title(
    request: &mut RunRequest,
    source: &Arc<Source>,
    workflow: &Workflow,
) -> Result<(), Box<Diagnostic>> {
    let contexts = RunContexts {
        github: scheduler::github_context(request, workflow),
        inputs: Value::from_json(&request.inputs),
        vars: Value::from_json(&request.vars),
    };
    if let Some(template) = &workflow.run_name {
        let title = template
            .evaluate(&contexts)
            .map_err(|error| broken(source, template, &error))?
            .to_text();
        if !title.trim().is_empty() {
            request.title = MaskedText::without_secrets(title.trim());
        }
    }
    Ok(())
}

fn broken(source: &Arc<Source>, template: &Template, error: &TemplateError) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("expression", source, template.span(), error.to_string()))
}

/// What GitHub shows where `run-name` says nothing: the commit's or pull request's title; for events
/// without one the workflow's name.
fn default_title(event: &TriggeringEvent, workflow: &Workflow, subject: &str) -> String {
    let text = |pointer: &str| event.payload.pointer(pointer).and_then(Json::as_str);
    let title = match event.name.as_str() {
        "push" => text("/head_commit/message")
            .and_then(|message| message.lines().next())
            .or(Some(subject)),
        "pull_request" | "pull_request_target" => text("/pull_request/title"),
        _ => None,
    };
    let name = workflow.name.as_ref().map_or_else(|| workflow.source.name(), |name| &name.value);
    title.unwrap_or(name).to_owned()
}

/// What `run-name` sees (conformance 45).
struct RunContexts {
    github: Value,
    inputs: Value,
    vars: Value,
}

impl Contexts for RunContexts {
    fn context(&self, name: &str) -> Option<Value> {
        match name {
            "github" => Some(self.github.clone()),
            "inputs" => Some(self.inputs.clone()),
            "vars" => Some(self.vars.clone()),
            _ => None,
        }
    }
}

/// Of the wanted jobs those that this workflow has: `-j` may mean jobs of several.
fn selection_in(selection: &Selection, workflow: &Workflow) -> Selection {
    let is_here = |id: &&String| workflow.jobs.iter().any(|job| *job.id.value == **id);
    let jobs = selection.jobs.iter().filter(is_here).cloned().collect();
    Selection { jobs, matrix: selection.matrix.clone() }
}

/// `-j` and `--matrix` as they are kept with the run.
pub(crate) fn selection(jobs: &[String], matrix: &[String]) -> Result<Selection, Failure> {
    let mut selection = Selection { jobs: jobs.to_vec(), ..Selection::default() };
    for flag in matrix {
        let Some((key, value)) = flag.split_once(':').filter(|(key, _)| !key.is_empty()) else {
            return Err(Failure::new(
                Exit::Usage,
                format!("--matrix takes KEY:VALUE, not `{flag}`"),
            ));
        };
        selection.matrix.insert(key.to_owned(), value.trim().to_owned());
    }
    Ok(selection)
}
