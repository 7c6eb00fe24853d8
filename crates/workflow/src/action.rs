//! `action.yml`: what an action is and takes (conformance 143 to 150).
//!
//! Read as the runner reads it: unknown keys of the file and of its inputs are let through (authors
//! keep notes there), those under `runs` are not.

use std::sync::Arc;

use expr::Expr;
use syntax::{Diagnostic, Entry, Mapping, Node, NodeKind, RuleId, Source, Span, yaml};

use crate::model::{Condition, Step, Text};
use crate::reader::{Reader, Want, scalar_text};
use crate::scope;
use crate::step;
use crate::template::Template;

const RULE: RuleId = "action";
const DOCKER_KEYS: &[&str] = &[
    "using",
    "image",
    "entrypoint",
    "args",
    "env",
    "pre-entrypoint",
    "pre-if",
    "post-entrypoint",
    "post-if",
];
const NODE_KEYS: &[&str] = &["using", "main", "pre", "pre-if", "post", "post-if"];
/// The oldest and newest Node that actions were ever written for.
const NODE_VERSIONS: &[u32] = &[12, 16, 20, 24];

/// An `action.yml`.
#[derive(Clone, Debug)]
pub struct ActionManifest {
    /// The file.
    pub source: Arc<Source>,
    /// `name`
    pub name: Option<Text>,
    /// `description`
    pub description: Option<Text>,
    /// `inputs`, in the order written.
    pub inputs: Vec<ActionInput>,
    /// `outputs`, in the order written.
    pub outputs: Vec<ActionOutput>,
    /// `runs`
    pub runs: ActionRuns,
}

/// One input.
#[derive(Clone, Debug)]
pub struct ActionInput {
    /// Its name as written.
    pub name: Text,
    /// `description`
    pub description: Option<Text>,
    /// `required`, which the runner does not enforce (conformance 145).
    pub required: bool,
    /// `default`
    pub default: Option<Template>,
    /// `deprecationMessage`
    pub deprecation_message: Option<Text>,
}

/// One output.
#[derive(Clone, Debug)]
pub struct ActionOutput {
    /// Its name.
    pub name: Text,
    /// `description`
    pub description: Option<Text>,
    /// `value`, which composite actions have.
    pub value: Option<Template>,
}

/// The kinds of action.
#[derive(Clone, Debug)]
pub enum ActionRuns {
    /// `using: composite`
    Composite {
        /// Its steps.
        steps: Vec<Step>,
    },
    /// `using: nodeNN`
    Node {
        /// NN.
        version: u32,
        /// The script.
        main: Text,
        /// What runs before all steps.
        pre: Option<Text>,
        /// Whether it does; `always()` where absent.
        pre_if: Option<Condition>,
        /// What runs after all steps.
        post: Option<Text>,
        /// Whether it does; `always()` where absent.
        post_if: Option<Condition>,
    },
    /// `using: docker`
    Docker(Box<DockerRuns>),
}

/// What a Docker action runs.
#[derive(Clone, Debug)]
pub struct DockerRuns {
    /// `Dockerfile`, a path to one, or `docker://image`.
    pub image: Text,
    /// `entrypoint`
    pub entrypoint: Option<Text>,
    /// `args`
    pub args: Vec<Template>,
    /// `env`
    pub env: Option<Template>,
    /// `pre-entrypoint`
    pub pre_entrypoint: Option<Text>,
    /// `pre-if`
    pub pre_if: Option<Condition>,
    /// `post-entrypoint`
    pub post_entrypoint: Option<Text>,
    /// `post-if`
    pub post_if: Option<Condition>,
}

/// Reads an `action.yml`. The manifest is absent where it does not say what to run.
pub fn read_action(source: &Arc<Source>) -> (Option<ActionManifest>, Vec<Diagnostic>) {
    let (node, diagnostics) = yaml::read(source);
    let mut reader = Reader { source, diagnostics };
    let manifest = match &node {
        Some(node) => reader.action(node),
        None if reader.diagnostics.is_empty() => {
            reader.error(RULE, Span::new(0, 0), "the file is empty");
            None
        }
        None => None,
    };
    reader.diagnostics.sort_by_key(|it| it.labels.first().map(|label| label.span));
    (manifest, reader.diagnostics)
}

impl Reader<'_> {
    fn action(&mut self, node: &Node) -> Option<ActionManifest> {
        let root = self.mapping(node)?;
        let text = |reader: &mut Self, key: &str| {
            root.get(key).and_then(|node| reader.text(node, Want::String))
        };
        let name = text(self, "name");
        let description = text(self, "description");
        let inputs = self.entries(root.get("inputs"));
        let inputs = inputs.iter().filter_map(|entry| self.action_input(entry)).collect();
        let runs = root.get("runs");
        if runs.is_none() {
            let message = "Required property is missing: runs";
            self.error_with_hint("missing-key", node.span, message, "add `runs:` with `using:`");
        }
        let outputs = self.entries(root.get("outputs"));
        let outputs = outputs.iter().filter_map(|entry| self.action_output(entry)).collect();
        let runs = self.action_runs(runs?)?;
        Some(ActionManifest {
            source: Arc::clone(self.source),
            name,
            description,
            inputs,
            outputs,
            runs,
        })
    }

    fn entries<'n>(&mut self, node: Option<&'n Node>) -> &'n [Entry] {
        match node {
            None => &[],
            Some(node) if matches!(node.kind, NodeKind::Null) => &[],
            Some(node) => self.mapping(node).map_or(&[], |mapping| &mapping.entries),
        }
    }

    fn action_input(&mut self, entry: &Entry) -> Option<ActionInput> {
        let name = Text { value: Arc::clone(&entry.key.text), span: entry.key.span };
        if matches!(entry.value.kind, NodeKind::Null) {
            return Some(ActionInput {
                name,
                description: None,
                required: false,
                default: None,
                deprecation_message: None,
            });
        }
        let mapping = self.mapping(&entry.value)?;
        let description = mapping.get("description").and_then(|it| self.text(it, Want::String));
        // Authors write `required: 'true'` as well, and nothing but warnings hangs on it.
        let required = mapping.get("required").and_then(scalar_text);
        let required = required.is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let default = mapping.get("default");
        let default = default.and_then(|it| self.scalar(it, &scope::ACTION_INPUT, Want::String));
        let deprecation = mapping.get("deprecationMessage");
        let deprecation_message = deprecation.and_then(|it| self.text(it, Want::String));
        Some(ActionInput { name, description, required, default, deprecation_message })
    }

    fn action_output(&mut self, entry: &Entry) -> Option<ActionOutput> {
        let name = Text { value: Arc::clone(&entry.key.text), span: entry.key.span };
        let mapping = self.mapping(&entry.value)?;
        self.keys(mapping, entry.key.span, &["description", "value"], &[]);
        let description = mapping.get("description").and_then(|it| self.text(it, Want::String));
        let value = mapping.get("value");
        let value = value.and_then(|it| self.scalar(it, &scope::COMPOSITE_OUTPUT, Want::String));
        Some(ActionOutput { name, description, value })
    }

    fn action_runs(&mut self, node: &Node) -> Option<ActionRuns> {
        let mapping = self.mapping(node)?;
        let Some(using) = mapping.get("using") else {
            let known: Vec<&str> =
                DOCKER_KEYS.iter().chain(NODE_KEYS).chain(&["steps"]).copied().collect();
            self.keys(mapping, node.span, &known, &["using"]);
            return None;
        };
        let using = self.text(using, Want::NonEmpty)?;
        let word = using.value.to_ascii_lowercase();
        match word.as_str() {
            "composite" => {
                self.keys(mapping, node.span, &["using", "steps"], &["steps"]);
                let steps = self.steps(mapping.get("steps")?, &step::COMPOSITE);
                Some(ActionRuns::Composite { steps })
            }
            "docker" => self.docker_runs(mapping, node.span),
            _ => match word.strip_prefix("node").and_then(|it| it.parse().ok()) {
                Some(version) if NODE_VERSIONS.contains(&version) => {
                    self.node_runs(mapping, node.span, version)
                }
                _ => {
                    let message = format!("'using: {}' is not supported", using.value);
                    let hint = "write `composite`, `docker`, `node20` or `node24`";
                    self.error_with_hint(RULE, using.span, message, hint);
                    None
                }
            },
        }
    }

    fn runs_text(&mut self, mapping: &Mapping, key: &str) -> Option<Text> {
        mapping.get(key).and_then(|node| self.text(node, Want::NonEmpty))
    }

    fn stage_condition(&mut self, mapping: &Mapping, key: &str) -> Option<Condition> {
        mapping.get(key).and_then(|node| self.plain_condition(node, &scope::ACTION_IF))
    }

    fn node_runs(&mut self, mapping: &Mapping, span: Span, version: u32) -> Option<ActionRuns> {
        self.keys(mapping, span, NODE_KEYS, &["main"]);
        Some(ActionRuns::Node {
            version,
            pre: self.runs_text(mapping, "pre"),
            pre_if: self.stage_condition(mapping, "pre-if"),
            post: self.runs_text(mapping, "post"),
            post_if: self.stage_condition(mapping, "post-if"),
            main: self.runs_text(mapping, "main")?,
        })
    }

    fn docker_runs(&mut self, mapping: &Mapping, span: Span) -> Option<ActionRuns> {
        self.keys(mapping, span, DOCKER_KEYS, &["image"]);
        let args = mapping.get("args").and_then(|node| self.sequence(node)).unwrap_or(&[]);
        let args = args
            .iter()
            .filter_map(|node| self.scalar(node, &scope::DOCKER_ARGS, Want::String))
            .collect();
        let env = mapping.get("env");
        let env = env.and_then(|node| self.scalars(node, &scope::DOCKER_ARGS, Want::String));
        Some(ActionRuns::Docker(Box::new(DockerRuns {
            entrypoint: self.runs_text(mapping, "entrypoint"),
            args,
            env,
            pre_entrypoint: self.runs_text(mapping, "pre-entrypoint"),
            pre_if: self.stage_condition(mapping, "pre-if"),
            post_entrypoint: self.runs_text(mapping, "post-entrypoint"),
            post_if: self.stage_condition(mapping, "post-if"),
            image: self.runs_text(mapping, "image")?,
        })))
    }

    /// An `if` that is taken as it stands: nothing is put before it.
    pub(crate) fn plain_condition(
        &mut self,
        node: &Node,
        scope: &expr::Scope,
    ) -> Option<Condition> {
        let Some(text) = scalar_text(node) else {
            self.unexpected(node, "an expression is expected here");
            return None;
        };
        let expr: Expr = self.condition_expression(&text, node, scope)?;
        Some(Condition { expr, text: Text { value: text, span: node.span } })
    }
}
