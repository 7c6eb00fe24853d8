//! One job: with steps of its own, or calling a reusable workflow (conformance 10, 11).

use std::sync::Arc;

use expr::Scope;
use syntax::{Diagnostic, Mapping, Node, NodeKind, Span};

use crate::model::{CallJob, CallSecrets, Environment, Job, JobBody, StepsJob, Strategy, Text};
use crate::reader::{Reader, Want};
use crate::scope;
use crate::template::{Template, TemplateKey};
use crate::uses::Uses;

const STEPS_JOB_KEYS: &[&str] = &[
    "name",
    "needs",
    "if",
    "runs-on",
    "environment",
    "concurrency",
    "permissions",
    "outputs",
    "env",
    "defaults",
    "strategy",
    "steps",
    "timeout-minutes",
    "cancel-timeout-minutes",
    "continue-on-error",
    "container",
    "services",
    "snapshot",
];
const CALL_JOB_KEYS: &[&str] =
    &["name", "uses", "with", "secrets", "needs", "if", "permissions", "concurrency", "strategy"];
/// What makes a job one with steps; beside `uses` it gets words of its own.
const STEPS_ONLY: &[&str] = &["runs-on", "steps"];
const CONTAINER_KEYS: &[&str] = &["image", "options", "env", "ports", "volumes", "credentials"];
const SERVICE_KEYS: &[&str] =
    &["image", "options", "env", "ports", "volumes", "credentials", "entrypoint", "command"];

impl Reader<'_> {
    pub(crate) fn job(&mut self, id: Text, node: &Node) -> Option<Job> {
        let mapping = self.mapping(node)?;
        let name = mapping.get("name");
        let name = name.and_then(|node| self.scalar(node, &scope::JOB, Want::String));
        let needs = mapping.get("needs").map(|node| self.texts(node)).unwrap_or_default();
        let condition = mapping.get("if").and_then(|it| self.condition(it, &scope::JOB_IF));
        let permissions = mapping.get("permissions").and_then(|node| self.permissions(node));
        let concurrency =
            mapping.get("concurrency").and_then(|node| self.concurrency(node, &scope::JOB));
        let strategy = mapping.get("strategy").and_then(|node| self.strategy(node));
        let body = match mapping.get("uses") {
            Some(uses) => self.call_job(mapping, uses, id.span)?,
            None => self.steps_job(mapping, id.span)?,
        };
        Some(Job {
            id,
            name,
            needs,
            condition,
            permissions,
            concurrency,
            strategy,
            body,
            node: node.clone(),
        })
    }

    fn call_job(&mut self, mapping: &Mapping, uses: &Node, place: Span) -> Option<JobBody> {
        for key in STEPS_ONLY {
            if let Some(entry) = mapping.entries.iter().find(|entry| &*entry.key.text == *key) {
                let message = format!("Unexpected value '{key}'");
                let diagnostic = Diagnostic::error(
                    "job-form",
                    self.source,
                    entry.key.span,
                    message,
                )
                .label(self.source, uses.span, "this job calls a workflow")
                .hint("the called workflow has its own runner and steps; use one or the other");
                self.report(diagnostic);
            }
        }
        let rest = mapping.entries.iter().filter(|it| !STEPS_ONLY.contains(&&*it.key.text));
        let rest = Mapping { entries: rest.cloned().collect() };
        self.keys(&rest, place, CALL_JOB_KEYS, &["uses"]);
        let with = mapping.get("with");
        let with = with.and_then(|it| self.written_scalars(it, &scope::CALL_WITH, Want::Scalar));
        let secrets = mapping.get("secrets").and_then(|node| self.call_secrets(node));
        let text = self.text(uses, Want::NonEmpty)?;
        match Uses::parse_workflow(&text.value) {
            Ok(uses) => Some(JobBody::Call(Box::new(CallJob { uses, with, secrets }))),
            Err(error) => {
                let hint = "write `owner/repo/.github/workflows/file.yml@ref`, or \
                            `./.github/workflows/file.yml` for the same repository";
                self.error_with_hint("uses", text.span, error.to_string(), hint);
                None
            }
        }
    }

    fn call_secrets(&mut self, node: &Node) -> Option<CallSecrets> {
        if node.as_str() == Some("inherit") {
            return Some(CallSecrets::Inherit);
        }
        if !matches!(node.kind, NodeKind::Mapping(_)) {
            self.unexpected(node, "write `inherit`, or a mapping of secrets");
            return None;
        }
        self.written_scalars(node, &scope::CALL_SECRETS, Want::Scalar).map(CallSecrets::Map)
    }

    fn steps_job(&mut self, mapping: &Mapping, place: Span) -> Option<JobBody> {
        self.keys(mapping, place, STEPS_JOB_KEYS, &["runs-on"]);
        let field = |reader: &mut Self, key: &str, want| {
            mapping.get(key).and_then(|node| reader.scalar(node, &scope::JOB, want))
        };
        let timeout_minutes = field(self, "timeout-minutes", Want::Number);
        let cancel_timeout_minutes = field(self, "cancel-timeout-minutes", Want::Number);
        let continue_on_error = field(self, "continue-on-error", Want::Boolean);
        let environment = mapping.get("environment").and_then(|node| self.environment(node));
        let outputs = mapping.get("outputs").map(|node| self.outputs(node)).unwrap_or_default();
        let env = mapping.get("env");
        let env = env.and_then(|node| self.scalars(node, &scope::JOB_ENV, Want::String));
        let defaults = mapping.get("defaults").and_then(|it| self.job_defaults(it));
        let container = mapping.get("container");
        let container = container.and_then(|it| self.container(it, CONTAINER_KEYS, Want::String));
        let services = mapping.get("services").and_then(|node| self.services(node));
        let snapshot = mapping.entries.iter().find(|entry| &*entry.key.text == "snapshot");
        let snapshot = snapshot.map(|entry| {
            self.snapshot(&entry.value);
            entry.key.span
        });
        let steps = mapping.get("steps");
        let steps = steps.map(|node| self.steps(node, &crate::step::WORKFLOW)).unwrap_or_default();
        let runs_on = mapping.get("runs-on").and_then(|node| self.runs_on(node))?;
        Some(JobBody::Steps(Box::new(StepsJob {
            runs_on,
            environment,
            outputs,
            env,
            defaults,
            steps,
            timeout_minutes,
            cancel_timeout_minutes,
            continue_on_error,
            container,
            services,
            snapshot,
        })))
    }

    /// `runs-on`: a label, labels, or a group with labels (conformance 101).
    fn runs_on(&mut self, node: &Node) -> Option<Template> {
        let NodeKind::Mapping(mapping) = &node.kind else {
            return self.one_or_list(node, &scope::JOB);
        };
        self.keys(mapping, node.span, &["group", "labels"], &[]);
        let mut entries = Vec::new();
        for entry in &mapping.entries {
            let value = match &*entry.key.text {
                "group" => self.scalar(&entry.value, &scope::JOB, Want::NonEmpty),
                "labels" => self.one_or_list(&entry.value, &scope::JOB),
                _ => None,
            };
            entries.extend(value.map(|value| (literal_key(entry), value)));
        }
        Some(Template::mapping(entries, node.span))
    }

    fn one_or_list(&mut self, node: &Node, scope: &Scope) -> Option<Template> {
        match &node.kind {
            NodeKind::Sequence(_) => self.list(node, scope),
            NodeKind::Mapping(_) => {
                self.unexpected(node, "one value or a list is expected here");
                None
            }
            _ => self.scalar(node, scope, Want::NonEmpty),
        }
    }

    /// A list of texts, or one expression that gives one.
    fn list(&mut self, node: &Node, scope: &Scope) -> Option<Template> {
        let NodeKind::Sequence(items) = &node.kind else {
            return self.expression_or_unexpected(node, scope, "a list is expected here");
        };
        let items = items.iter().filter_map(|it| self.scalar(it, scope, Want::NonEmpty)).collect();
        Some(Template::sequence(items, node.span))
    }

    fn environment(&mut self, node: &Node) -> Option<Environment> {
        let span = node.span;
        let NodeKind::Mapping(mapping) = &node.kind else {
            let name = self.scalar(node, &scope::JOB, Want::String)?;
            return Some(Environment { name, url: None, deployment: None, span });
        };
        self.keys(mapping, span, &["name", "url", "deployment"], &["name"]);
        let url = mapping.get("url");
        let url = url.and_then(|it| self.scalar(it, &scope::ENVIRONMENT_URL, Want::String));
        let deployment = mapping.get("deployment");
        let deployment = deployment.and_then(|it| self.scalar(it, &scope::JOB, Want::Boolean));
        let name = self.scalar(mapping.get("name")?, &scope::JOB, Want::String)?;
        Some(Environment { name, url, deployment, span })
    }

    fn outputs(&mut self, node: &Node) -> Vec<(Text, Template)> {
        let Some(mapping) = self.mapping(node) else { return Vec::new() };
        let mut outputs = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            let name = Text { value: Arc::clone(&entry.key.text), span: entry.key.span };
            let value = self.scalar(&entry.value, &scope::JOB_OUTPUTS, Want::String);
            outputs.extend(value.map(|value| (name, value)));
        }
        outputs
    }

    fn strategy(&mut self, node: &Node) -> Option<Strategy> {
        let NodeKind::Mapping(mapping) = &node.kind else {
            let hint = "a mapping is expected here";
            return self
                .expression_or_unexpected(node, &scope::STRATEGY, hint)
                .map(Strategy::Expression);
        };
        self.keys(mapping, node.span, &["matrix", "fail-fast", "max-parallel"], &[]);
        let field = |reader: &mut Self, key: &str, want| {
            mapping.get(key).and_then(|node| reader.scalar(node, &scope::STRATEGY, want))
        };
        let fail_fast = field(self, "fail-fast", Want::Boolean);
        let max_parallel = field(self, "max-parallel", Want::Number);
        let matrix = mapping.get("matrix").and_then(|node| self.matrix(node));
        Some(Strategy::Written { matrix, fail_fast, max_parallel, span: node.span })
    }

    /// `matrix`, whose form is checked here and whose values when it is expanded.
    fn matrix(&mut self, node: &Node) -> Option<Template> {
        let NodeKind::Mapping(mapping) = &node.kind else {
            let hint = "a mapping of lists is expected here";
            return self.expression_or_unexpected(node, &scope::STRATEGY, hint);
        };
        for entry in &mapping.entries {
            if entry.key.text.contains("${{") {
                continue;
            }
            let expression = entry.value.as_str().is_some_and(|text| text.contains("${{"));
            let filter = matches!(&*entry.key.text, "include" | "exclude");
            match &entry.value.kind {
                NodeKind::Sequence(items) if filter => {
                    for item in items {
                        let inserted = item.as_str().is_some_and(|text| text.contains("${{"));
                        if !inserted && item.as_mapping().is_none() {
                            self.unexpected(item, "a mapping is expected here");
                        }
                    }
                }
                NodeKind::Sequence(items) if items.is_empty() => {
                    let message =
                        format!("Matrix vector '{}' does not contain any values", entry.key.text);
                    self.error("matrix", entry.value.span, message);
                }
                NodeKind::Sequence(_) => {}
                // A quoted text in braces is that text, and no list.
                _ if expression && !self.folds(&entry.value) => {}
                _ => self.unexpected(&entry.value, "a list is expected here"),
            }
        }
        Some(self.template(node, &scope::STRATEGY))
    }

    /// Whether nothing is left to evaluate in a scalar with braces.
    fn folds(&self, node: &Node) -> bool {
        let (template, _) = Template::read(self.source, node, &scope::STRATEGY);
        node.as_str().is_some_and(|text| template.literal_text().is_some_and(|it| *it != *text))
    }

    /// `container` and each service (conformance 155, 159): its parts see different contexts.
    /// `short` is what the form without keys takes: `container: ''` is no container, and a service
    /// has nothing like it.
    fn container(&mut self, node: &Node, keys: &[&str], short: Want) -> Option<Template> {
        let NodeKind::Mapping(mapping) = &node.kind else {
            let template = self.scalar(node, &scope::JOB, short)?;
            self.image(&template);
            return Some(template);
        };
        self.keys(mapping, node.span, keys, &[]);
        let mut entries = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            let node = &entry.value;
            let value = match &*entry.key.text {
                "image" => {
                    let image = self.scalar(node, &scope::JOB, Want::NonEmpty);
                    if let Some(image) = &image {
                        self.image(image);
                    }
                    image
                }
                "options" | "entrypoint" | "command" => {
                    self.scalar(node, &scope::JOB, Want::String)
                }
                // The whole of it is evaluated with the container, its values on the runner.
                "env" if matches!(node.kind, NodeKind::Mapping(_)) => {
                    self.written_scalars(node, &scope::CONTAINER_ENV, Want::String)
                }
                "env" => {
                    let hint = "a mapping is expected here";
                    self.expression_or_unexpected(node, &scope::JOB, hint)
                }
                "ports" | "volumes" => self.list(node, &scope::JOB),
                "credentials" => self.credentials(node),
                _ => None,
            };
            entries.extend(value.map(|value| (literal_key(entry), value)));
        }
        let template = Template::mapping(entries, node.span);
        if mapping.get("image").is_none() && template.expressions().is_empty() {
            let message = "Container image cannot be empty";
            self.error_with_hint("container", node.span, message, "add `image:`");
        }
        Some(template)
    }

    fn image(&mut self, image: &Template) {
        if image.literal_text().as_deref() == Some("docker://") {
            let message = "an image is missing behind docker://";
            self.error("container", image.span(), message);
        }
    }

    fn credentials(&mut self, node: &Node) -> Option<Template> {
        if let NodeKind::Mapping(mapping) = &node.kind {
            self.keys(mapping, node.span, &["username", "password"], &[]);
        }
        self.scalars(node, &scope::CREDENTIALS, Want::NonEmpty)
    }

    fn services(&mut self, node: &Node) -> Option<Template> {
        let NodeKind::Mapping(mapping) = &node.kind else {
            let hint = "a mapping of services is expected here";
            return self.expression_or_unexpected(node, &scope::JOB, hint);
        };
        let mut entries = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            let key = self.template_key(&entry.key, &scope::JOB);
            let value = if key.is_text() {
                self.container(&entry.value, SERVICE_KEYS, Want::NonEmpty)
            } else {
                Some(self.template(&entry.value, &scope::JOB))
            };
            entries.extend(value.map(|value| (key, value)));
        }
        Some(Template::mapping(entries, node.span))
    }

    /// `snapshot` is read so that its mistakes are seen; planning refuses it (conformance 113).
    fn snapshot(&mut self, node: &Node) {
        let NodeKind::Mapping(mapping) = &node.kind else {
            self.text(node, Want::NonEmpty);
            return;
        };
        self.keys(mapping, node.span, &["image-name", "if", "version"], &["image-name"]);
        for key in ["image-name", "version"] {
            if let Some(node) = mapping.get(key) {
                self.text(node, Want::NonEmpty);
            }
        }
        if let Some(node) = mapping.get("if") {
            self.plain_condition(node, &scope::SNAPSHOT_IF);
        }
    }
}

fn literal_key(entry: &syntax::Entry) -> TemplateKey {
    TemplateKey::Text(Text { value: Arc::clone(&entry.key.text), span: entry.key.span })
}
