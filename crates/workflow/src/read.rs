//! The workflow file: its root, what root and jobs share, and the graph of its jobs.

use std::sync::Arc;

use expr::Scope;
use syntax::{Diagnostic, Mapping, Node, NodeKind, RuleId, Source, Span, nearest, yaml};

use crate::graph;
use crate::model::{Access, Concurrency, Grants, Job, Permissions, Text, Workflow};
use crate::reader::{Reader, Want};
use crate::scope;
use crate::template::Template;
use crate::trigger::Triggers;

const ROOT_KEYS: &[&str] = &[
    "name",
    "description",
    "run-name",
    "on",
    "permissions",
    "env",
    "defaults",
    "concurrency",
    "jobs",
];
/// Characters of a concurrency group (conformance 40).
const GROUP_CHARACTERS_MAX: usize = 400;
const PERMISSION: RuleId = "permissions";

/// Scopes of a token, and what each may be given (conformance 110).
const PERMISSION_SCOPES: &[(&str, &[Access])] = &[
    ("actions", ANY),
    ("artifact-metadata", ANY),
    ("attestations", ANY),
    ("checks", ANY),
    ("code-quality", ANY),
    ("contents", ANY),
    ("copilot-requests", WRITE_OR_NONE),
    ("deployments", ANY),
    ("discussions", ANY),
    ("drives", ANY),
    ("id-token", WRITE_OR_NONE),
    ("issues", ANY),
    ("models", READ_OR_NONE),
    ("packages", ANY),
    ("pages", ANY),
    ("pull-requests", ANY),
    ("repository-projects", ANY),
    ("security-events", ANY),
    ("statuses", ANY),
    ("vulnerability-alerts", READ_OR_NONE),
];
const ANY: &[Access] = &[Access::Read, Access::Write, Access::None];
const WRITE_OR_NONE: &[Access] = &[Access::Write, Access::None];
const READ_OR_NONE: &[Access] = &[Access::Read, Access::None];

/// Reads a workflow file. What is wrong is in the list; the workflow is absent where too little is
/// left of it to go on (no triggers, or no job).
pub fn read(source: &Arc<Source>) -> (Option<Workflow>, Vec<Diagnostic>) {
    let (node, diagnostics) = yaml::read(source);
    read_node(source, node.as_ref(), diagnostics)
}

/// The same for whoever wants the tree for something else too: `node` and `diagnostics` are what
/// [`syntax::yaml::read`] gave for `source`.
pub fn read_node(
    source: &Arc<Source>,
    node: Option<&Node>,
    diagnostics: Vec<Diagnostic>,
) -> (Option<Workflow>, Vec<Diagnostic>) {
    let mut reader = Reader { source, diagnostics };
    let workflow = match node {
        Some(node) => reader.workflow(node),
        None if reader.diagnostics.is_empty() => {
            reader.error_with_hint(
                "missing-key",
                Span::new(0, 0),
                "the file is empty",
                "a workflow needs at least `on:` and `jobs:`",
            );
            None
        }
        None => None,
    };
    reader.diagnostics.sort_by_key(|it| it.labels.first().map(|label| label.span));
    (workflow, reader.diagnostics)
}

/// A job as the JSON of its YAML: how it travels to the worker that runs it.
pub fn job_to_json(job: &Job) -> serde_json::Value {
    job.node.to_json()
}

/// Reads a job that [`job_to_json`] wrote, by the very same rules. Places are lost on the way.
pub fn job_from_json(id: &str, job: &serde_json::Value) -> (Option<Job>, Vec<Diagnostic>) {
    let source = Source::new(id, "");
    let node = Node::from_json(job, Span::default());
    let mut reader = Reader::new(&source);
    let job = reader.job(Text { value: Arc::from(id), span: Span::default() }, &node);
    (job, reader.diagnostics)
}

impl Reader<'_> {
    fn workflow(&mut self, node: &Node) -> Option<Workflow> {
        let root = self.mapping(node)?;
        self.keys(root, node.span, ROOT_KEYS, &["on", "jobs"]);
        let name = root.get("name").and_then(|node| self.text(node, Want::String));
        if let Some(description) = root.get("description") {
            self.text(description, Want::String);
        }
        let run_name = root.get("run-name");
        let run_name = run_name.and_then(|node| self.scalar(node, &scope::RUN, Want::String));
        let on = root.get("on").map(|node| self.triggers(node));
        let permissions = root.get("permissions").and_then(|node| self.permissions(node));
        let env = root.get("env");
        let env = env.and_then(|node| self.scalars(node, &scope::WORKFLOW_ENV, Want::String));
        let defaults = root.get("defaults").and_then(|it| self.workflow_defaults(it));
        let concurrency =
            root.get("concurrency").and_then(|node| self.concurrency(node, &scope::RUN));
        let jobs = root.get("jobs").and_then(|node| self.jobs(node));
        Some(Workflow {
            source: Arc::clone(self.source),
            name: name.filter(|name| !name.value.is_empty()),
            run_name,
            on: on.unwrap_or(Triggers { span: node.span, events: Vec::new() }),
            permissions,
            env,
            defaults,
            concurrency,
            jobs: jobs?,
        })
        .filter(|workflow| root.get("on").is_some() && !workflow.jobs.is_empty())
    }

    fn jobs(&mut self, node: &Node) -> Option<Vec<Job>> {
        let mapping = self.mapping(node)?;
        let mut jobs = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            let id = Text { value: Arc::clone(&entry.key.text), span: entry.key.span };
            if let Some(message) = graph::invalid_id(&id.value) {
                self.error("job-id", id.span, message);
            }
            jobs.extend(self.job(id, &entry.value));
        }
        if mapping.entries.is_empty() {
            let message = "The workflow must contain at least one job";
            self.error("missing-key", node.span, message);
        }
        // A job that could not be read would make every `needs` of it look wrong.
        if jobs.len() == mapping.entries.len() && !jobs.is_empty() {
            for diagnostic in graph::check(self.source, &jobs, node.span) {
                self.report(diagnostic);
            }
        }
        Some(jobs)
    }

    /// `permissions` of a workflow or job (conformance 110).
    pub(crate) fn permissions(&mut self, node: &Node) -> Option<Permissions> {
        let span = node.span;
        if let Some(text) = node.as_str() {
            let grants = match text {
                "read-all" => Grants::ReadAll,
                "write-all" => Grants::WriteAll,
                _ => {
                    self.unexpected(node, "write `read-all`, `write-all`, `{}` or scope by scope");
                    return None;
                }
            };
            return Some(Permissions { span, grants });
        }
        let mapping = self.mapping(node)?;
        let mut scopes = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            let name = &entry.key.text;
            let known = PERMISSION_SCOPES.iter().find(|(scope, _)| *scope == &**name);
            let Some((_, allowed)) = known else {
                let names: Vec<&str> = PERMISSION_SCOPES.iter().map(|(name, _)| *name).collect();
                let hint = nearest(name, &names).map_or_else(
                    || format!("the scopes are: {}", names.join(", ")),
                    |meant| format!("did you mean `{meant}`?"),
                );
                let message = format!("Unexpected value '{name}'");
                self.error_with_hint(PERMISSION, entry.key.span, message, hint);
                continue;
            };
            let access = match entry.value.as_str() {
                Some("read") => Some(Access::Read),
                Some("write") => Some(Access::Write),
                Some("none") => Some(Access::None),
                _ => None,
            };
            match access.filter(|access| allowed.contains(access)) {
                Some(access) => scopes.push((Arc::clone(name), access)),
                None => {
                    let words: Vec<&str> = allowed.iter().map(|it| access_word(*it)).collect();
                    let hint = format!("`{name}` takes: {}", words.join(", "));
                    self.unexpected(&entry.value, &hint);
                }
            }
        }
        Some(Permissions { span, grants: Grants::Scopes(scopes) })
    }

    /// `defaults` of the workflow, of which there is only `run` (conformance 109).
    pub(crate) fn workflow_defaults(&mut self, node: &Node) -> Option<Template> {
        let run = self.run_of_defaults(node)?;
        let mapping = self.mapping(run)?;
        Some(self.run_defaults(mapping, run.span, &scope::LITERAL))
    }

    /// `defaults` of a job: `run` may be an expression as a whole (conformance 17, 51).
    pub(crate) fn job_defaults(&mut self, node: &Node) -> Option<Template> {
        let run = self.run_of_defaults(node)?;
        match &run.kind {
            NodeKind::Mapping(mapping) => {
                Some(self.run_defaults(mapping, run.span, &scope::JOB_DEFAULTS))
            }
            _ => self.expression_or_unexpected(
                run,
                &scope::JOB_DEFAULTS,
                "a mapping is expected here",
            ),
        }
    }

    fn run_of_defaults<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        if matches!(node.kind, NodeKind::Null) {
            self.unexpected(node, "a mapping is expected here");
            return None;
        }
        let mapping = self.mapping(node)?;
        self.keys(mapping, node.span, &["run"], &[]);
        mapping.get("run")
    }

    fn run_defaults(&mut self, mapping: &Mapping, span: Span, scope: &Scope) -> Template {
        const KEYS: &[&str] = &["shell", "working-directory"];
        self.keys(mapping, span, KEYS, &[]);
        let known = mapping.entries.iter().filter(|entry| KEYS.contains(&&*entry.key.text));
        let mut entries = Vec::new();
        for entry in known {
            let key = self.template_key(&entry.key, scope);
            let value = self.scalar(&entry.value, scope, Want::NonEmpty);
            entries.extend(value.map(|value| (key, value)));
        }
        Template::mapping(entries, span)
    }

    /// `concurrency` of a workflow or job (conformance 40 to 42).
    pub(crate) fn concurrency(&mut self, node: &Node, scope: &Scope) -> Option<Concurrency> {
        let span = node.span;
        let NodeKind::Mapping(mapping) = &node.kind else {
            let group = self.scalar(node, scope, Want::NonEmpty)?;
            self.group_length(&group);
            return Some(Concurrency { group, cancel_in_progress: None, queue_max: false, span });
        };
        self.keys(mapping, span, &["group", "cancel-in-progress", "queue"], &["group"]);
        let cancel = mapping.get("cancel-in-progress");
        let cancel_in_progress = cancel.and_then(|it| self.scalar(it, scope, Want::Boolean));
        let queue_max = self.queue(mapping, cancel);
        let group = self.scalar(mapping.get("group")?, scope, Want::NonEmpty)?;
        self.group_length(&group);
        Some(Concurrency { group, cancel_in_progress, queue_max, span })
    }

    fn group_length(&mut self, group: &crate::Template) {
        let too_long = |text: &Arc<str>| text.chars().count() > GROUP_CHARACTERS_MAX;
        if group.literal_text().as_ref().is_some_and(too_long) {
            let message =
                format!("a concurrency group has at most {GROUP_CHARACTERS_MAX} characters");
            self.error("concurrency", group.span(), message);
        }
    }

    fn queue(&mut self, mapping: &Mapping, cancel: Option<&Node>) -> bool {
        let Some(queue) = mapping.get("queue") else { return false };
        match queue.as_str() {
            Some("single") => false,
            Some("max") => {
                if cancel.is_some_and(|it| it.kind == NodeKind::Bool(true)) {
                    let message =
                        "'queue: max' may not be combined with 'cancel-in-progress: true'";
                    self.error_with_hint(
                        "concurrency",
                        queue.span,
                        message,
                        "keep one of them: wait in line, or cancel",
                    );
                }
                true
            }
            _ => {
                self.unexpected(queue, "write `single` or `max`");
                false
            }
        }
    }
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::None => "none",
        Access::Read => "read",
        Access::Write => "write",
    }
}
