//! The files of reusable workflows, found before the run, as deep as they call (conformance 117, 118).

use std::collections::BTreeMap;
use std::sync::Arc;

use event::WorkflowFile;
use repository::Repository;
use syntax::{Diagnostic, Severity, Source, Span};
use workflow::{JobBody, Uses, Workflow};

use crate::exit::Failure;
use crate::files;

/// Different files that one run may call.
const FILES_MAX: usize = 50;
/// Calls within calls, the run's own file counted.
const DEPTH_MAX: usize = 10;

/// Where files of other repositories come from.
pub(crate) type FetchRemote<'a> = dyn Fn(&Uses) -> Result<WorkflowFile, Failure> + 'a;

/// What was found: files by their key, and what is wrong with them or with the calls.
#[derive(Default)]
pub(crate) struct Called {
    pub(crate) files: BTreeMap<String, WorkflowFile>,
    pub(crate) findings: Vec<Diagnostic>,
}

/// A place where a workflow is called.
struct Call {
    key: String,
    uses: Uses,
    depth: usize,
    source: Arc<Source>,
    span: Span,
}

/// Finds every file that `workflow` calls, directly or through others.
pub(crate) fn find(
    repository: &Repository,
    workflow: &Workflow,
    committed: bool,
    fetch: &FetchRemote<'_>,
) -> Result<Called, Failure> {
    let mut called = Called::default();
    let mut waiting = calls(workflow, None, 1);
    while let Some(call) = waiting.pop() {
        if called.files.contains_key(&call.key) {
            continue;
        }
        if call.depth >= DEPTH_MAX || called.files.len() >= FILES_MAX {
            let message = format!(
                "workflows call each other at most {DEPTH_MAX} deep and {FILES_MAX} files in all"
            );
            called.findings.push(Diagnostic::error("call-depth", &call.source, call.span, message));
            break;
        }
        let file = match local_path(&call) {
            Some(path) => match read_local(repository, path, committed)? {
                Some(text) => WorkflowFile { path: path.into(), text: text.into() },
                None => {
                    called.findings.push(missing(&call, path));
                    continue;
                }
            },
            None => fetch(&call.uses)?,
        };
        let source = Source::new(&*file.path, &*file.text);
        let (workflow, findings) = workflow::read(&source);
        called.findings.extend(findings.into_iter().filter(|it| it.severity == Severity::Error));
        if let Some(workflow) = workflow {
            called.findings.extend(not_callable(&call, &workflow));
            waiting.extend(calls(&workflow, Some(&call.key), call.depth + 1));
        }
        called.files.insert(call.key, file);
    }
    Ok(called)
}

fn calls(workflow: &Workflow, file: Option<&str>, depth: usize) -> Vec<Call> {
    let calls = workflow.jobs.iter().filter_map(|job| match &job.body {
        JobBody::Call(call) => Some((call, job.id.span)),
        JobBody::Steps(_) => None,
    });
    calls
        .map(|(call, span)| Call {
            key: scheduler::called_key(file, &call.uses),
            uses: call.uses.clone(),
            depth,
            source: Arc::clone(&workflow.source),
            span,
        })
        .collect()
}

fn local_path(call: &Call) -> Option<&str> {
    call.key.strip_prefix("./")
}

fn read_local(
    repository: &Repository,
    path: &str,
    committed: bool,
) -> Result<Option<String>, Failure> {
    if committed {
        let found = repository
            .committed_files(files::WORKFLOWS)?
            .into_iter()
            .find(|(name, _)| name == path);
        return Ok(found.map(|(_, text)| text));
    }
    let full = repository.root.join(path);
    if !full.is_file() {
        return Ok(None);
    }
    Ok(Some(files::read(&full, path)?.text().to_owned()))
}

fn missing(call: &Call, path: &str) -> Diagnostic {
    let message = format!("the called workflow {path} is not in this repository");
    Diagnostic::error("called-workflow", &call.source, call.span, message)
        .hint("a reusable workflow lies in .github/workflows of the same commit")
}

fn not_callable(call: &Call, workflow: &Workflow) -> Option<Diagnostic> {
    if workflow.on.get("workflow_call").is_some() {
        return None;
    }
    let message =
        format!("{} cannot be called: it has no workflow_call trigger", workflow.source.name());
    let hint = "add `workflow_call:` under `on:` there";
    Some(Diagnostic::error("called-workflow", &call.source, call.span, message).hint(hint))
}
