//! The files of reusable workflows, found before the run, as deep as they call (conformance 117, 118).
//!
//! First every file that can be reached is read, each once; then the calls are looked at as a graph.
//! So whether they go in a circle or too deep does not depend on which file was met first.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error as _;
use std::sync::Arc;

use actions::ResolveError;
use event::WorkflowFile;
use repository::{CommittedFile, Repository};
use syntax::{Diagnostic, Node, RuleId, Severity, Source, Span};
use workflow::{JobBody, Uses, Workflow};

use crate::exit::Failure;
use crate::running::files;

/// Different files that one run may call.
const FILES_MAX: usize = 50;
/// Calls within calls, the run's own file counted.
const DEPTH_MAX: usize = 10;

/// A called file is not on this machine, and could not be fetched.
pub(crate) const UNREACHABLE: RuleId = "called-workflow-unreachable";
/// A called file is not what the lock file wants.
pub(crate) const LOCKED: RuleId = "called-workflow-locked";

/// Where files of other repositories come from.
pub(crate) type FetchRemote<'a> = dyn Fn(&Uses) -> Result<WorkflowFile, ResolveError> + 'a;

/// What was found: files by their key, and what is wrong with them or with the calls.
#[derive(Default)]
pub(crate) struct Called {
    pub(crate) files: BTreeMap<String, WorkflowFile>,
    pub(crate) findings: Vec<Diagnostic>,
}

/// A place where a workflow is called.
#[derive(Clone)]
struct Call {
    key: String,
    source: Arc<Source>,
    span: Span,
}

impl Call {
    /// The text behind `uses`; the job's id where it is not found.
    fn uses(&self) -> Span {
        let job = self.source.slice(self.span);
        let (root, _) = syntax::yaml::read(&self.source);
        let under = |node: Option<Node>, key: &str| {
            node.as_ref().and_then(Node::as_mapping).and_then(|map| map.get(key)).cloned()
        };
        let uses = ["jobs", job, "uses"].into_iter().fold(root, under);
        uses.map_or(self.span, |node| node.span)
    }
}

/// Which files each file calls, by key.
type Graph = BTreeMap<String, Vec<Call>>;

/// Finds every file that `workflow` calls, directly or through others; those of this repository in
/// the work tree, or among the files that are committed where the run is of a commit.
pub(crate) fn find(
    repository: &Repository,
    workflow: &Workflow,
    committed: Option<&[CommittedFile]>,
    fetch: &FetchRemote<'_>,
) -> Result<Called, Failure> {
    let mut called = Called::default();
    let own = format!("./{}", workflow.source.name());
    let mut graph = Graph::from([(own.clone(), calls(workflow, None))]);
    let mut waiting: VecDeque<Call> = graph[&own].iter().cloned().collect();
    while let Some(call) = waiting.pop_front() {
        if graph.contains_key(&call.key) {
            continue;
        }
        if called.files.len() == FILES_MAX {
            let message = format!("a run calls at most {FILES_MAX} different workflow files");
            called.findings.push(Diagnostic::error("call-depth", &call.source, call.span, message));
            return Ok(called);
        }
        let file = match read(repository, &call, committed, fetch)? {
            Ok(file) => file,
            Err(finding) => {
                called.findings.push(*finding);
                graph.insert(call.key, Vec::new());
                continue;
            }
        };
        let source = Source::new(&*file.path, &*file.text);
        let (workflow, findings) = workflow::read(&source);
        let mut further = Vec::new();
        if let Some(workflow) = &workflow {
            called.findings.extend(workflow::empty_jobs(workflow, &findings));
            called.findings.extend(not_callable(&call, workflow));
            further = calls(workflow, Some(&call.key));
        }
        called.findings.extend(findings.into_iter().filter(|it| it.severity == Severity::Error));
        waiting.extend(further.iter().cloned());
        graph.insert(call.key.clone(), further);
        called.files.insert(call.key, file);
    }
    called.findings.extend(too_deep(&graph, &own));
    Ok(called)
}

fn calls(workflow: &Workflow, file: Option<&str>) -> Vec<Call> {
    let calls = workflow.jobs.iter().filter_map(|job| match &job.body {
        JobBody::Call(call) => Some((call, job.id.span)),
        JobBody::Steps(_) => None,
    });
    calls
        .map(|(call, span)| Call {
            key: scheduler::called_key(file, &call.uses),
            source: Arc::clone(&workflow.source),
            span,
        })
        .collect()
}

/// The text of a called file, or why it cannot be had.
fn read(
    repository: &Repository,
    call: &Call,
    committed: Option<&[CommittedFile]>,
    fetch: &FetchRemote<'_>,
) -> Result<Result<WorkflowFile, Box<Diagnostic>>, Failure> {
    let Some(path) = call.key.strip_prefix("./") else {
        // What a remote file calls beside itself has become its repository's address in the key.
        let uses = Uses::parse_workflow(&call.key).expect("a key of a remote file is its address");
        return Ok(fetch(&uses).map_err(|error| Box::new(not_had(call, &error))));
    };
    let text = if let Some(files) = committed {
        files.iter().find(|file| file.path == path).map(|file| file.text.clone())
    } else {
        let full = repository.root.join(path);
        if full.is_file() { Some(files::read(&full, path)?.text().to_owned()) } else { None }
    };
    let file = text.map(|text| WorkflowFile { path: path.into(), text: text.into() });
    Ok(file.ok_or_else(|| Box::new(missing(call))))
}

/// A file of another repository, in the caller's own text: there may be many calls.
fn not_had(call: &Call, error: &ResolveError) -> Diagnostic {
    let rule = match error.exit_code() {
        4 => LOCKED,
        5 => UNREACHABLE,
        _ => "called-workflow",
    };
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    Diagnostic::error(rule, &call.source, call.uses(), message).hint(error.hint())
}

fn missing(call: &Call) -> Diagnostic {
    let path = call.key.trim_start_matches("./");
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

/// The first circle, else the first chain that is too long; each named from the run's own file on.
fn too_deep(graph: &Graph, own: &str) -> Option<Diagnostic> {
    let mut walk = Walk { graph, chain: vec![own.to_owned()], below: BTreeMap::new() };
    if let Err(found) = walk.levels_from(own) {
        return Some(*found);
    }
    let chain = walk.longest_from(own);
    let beyond = chain.get(DEPTH_MAX)?;
    let caller = &graph[&chain[DEPTH_MAX - 1]];
    let call = caller.iter().find(|call| call.key == *beyond).expect("it is in the chain");
    let message = format!("workflows call each other more than {DEPTH_MAX} deep");
    Some(Diagnostic::error("call-depth", &call.source, call.span, message).hint(shown(&chain)))
}

/// A walk along the calls.
struct Walk<'g> {
    graph: &'g Graph,
    chain: Vec<String>,
    /// How many levels a file opens, itself counted; once for each file, so that many ways to it
    /// cost nothing.
    below: BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn levels_from(&mut self, key: &str) -> Result<usize, Box<Diagnostic>> {
        if let Some(levels) = self.below.get(key) {
            return Ok(*levels);
        }
        let mut levels = 1;
        for call in self.graph.get(key).into_iter().flatten() {
            self.chain.push(call.key.clone());
            if let Some(first) = self.chain.iter().position(|above| *above == call.key)
                && first + 1 < self.chain.len()
            {
                let message = "workflows call each other in a circle";
                let circle = shown(&self.chain[first..]);
                return Err(Box::new(
                    Diagnostic::error("call-depth", &call.source, call.span, message).hint(circle),
                ));
            }
            levels = levels.max(1 + self.levels_from(&call.key)?);
            self.chain.pop();
        }
        self.below.insert(key.to_owned(), levels);
        Ok(levels)
    }

    /// The longest way down; without circles it ends.
    fn longest_from(&self, key: &str) -> Vec<String> {
        let mut chain = vec![key.to_owned()];
        let levels = |call: &&Call| self.below.get(&call.key).copied().unwrap_or(1);
        while let Some(next) = chain.last().and_then(|last| {
            // Of several the first, as the file has them.
            self.graph.get(last)?.iter().rev().max_by_key(levels)
        }) {
            chain.push(next.key.clone());
        }
        chain
    }
}

/// `a.yml calls b.yml calls c.yml`: files of this repository by their names, others by address.
fn shown(chain: &[String]) -> String {
    let name = |key: &String| match key.strip_prefix("./") {
        Some(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
        None => key.clone(),
    };
    chain.iter().map(name).collect::<Vec<_>>().join(" calls ")
}

#[cfg(test)]
mod tests;
