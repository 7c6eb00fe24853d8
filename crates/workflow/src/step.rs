//! Steps: their forms, their fields, and the names they run under (conformance 12, 13, 126 to 133).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expr::Scope;
use syntax::{Mapping, Node, NodeKind, RuleId, Span};

use crate::graph;
use crate::model::{Step, StepBody, Text};
use crate::reader::{Reader, Want};
use crate::scope;
use crate::uses::Uses;

/// A generated name has at most as many characters as a written id.
const KEY_LENGTH_MAX: usize = 100;
/// The rule for steps that mix forms or have none.
const FORM: RuleId = "step-form";

/// Where steps stand decides which forms, keys and contexts they have.
pub(crate) struct Place {
    scope: Scope,
    condition: Scope,
    shell: Scope,
    run_keys: &'static [&'static str],
    run_required: &'static [&'static str],
    uses_keys: &'static [&'static str],
    /// What `shell` takes; a composite's is a text that may turn out empty.
    shell_want: Want,
    /// The forms besides `run` and `uses`.
    control: &'static [&'static str],
}

/// The steps of a job.
pub(crate) const WORKFLOW: Place = Place {
    scope: scope::STEP,
    condition: scope::STEP_IF,
    shell: scope::LITERAL,
    run_keys: &[
        "id",
        "name",
        "if",
        "run",
        "shell",
        "working-directory",
        "env",
        "continue-on-error",
        "timeout-minutes",
        "background",
    ],
    run_required: &[],
    uses_keys: &[
        "id",
        "name",
        "if",
        "uses",
        "with",
        "env",
        "continue-on-error",
        "timeout-minutes",
        "background",
    ],
    shell_want: Want::NonEmpty,
    control: &["wait", "wait-all", "cancel", "parallel"],
};

/// The steps of a composite action (conformance 148): no timeouts, nothing in the background, and
/// `run` must name its shell.
pub(crate) const COMPOSITE: Place = Place {
    scope: scope::COMPOSITE_STEP,
    condition: scope::COMPOSITE_IF,
    shell: scope::COMPOSITE_STEP,
    run_keys: &[
        "id",
        "name",
        "if",
        "run",
        "shell",
        "working-directory",
        "env",
        "continue-on-error",
    ],
    run_required: &["shell"],
    uses_keys: &["id", "name", "if", "uses", "with", "env", "continue-on-error"],
    shell_want: Want::String,
    control: &[],
};

/// The ids of one list of steps.
#[derive(Default)]
struct Ids {
    /// In lower case: ids ignore case.
    taken: BTreeSet<String>,
    /// Ids a later `wait` or `cancel` may name.
    background: BTreeSet<String>,
    /// How far the numbers behind each generated name have gone: a file may have thousands of
    /// steps, and each would try all numbers of those before it.
    numbers: BTreeMap<String, usize>,
}

impl Reader<'_> {
    /// Reads a list of steps.
    pub(crate) fn steps(&mut self, node: &Node, place: &Place) -> Vec<Step> {
        let mut ids = Ids::default();
        let mut steps = self.step_list(node, place, &mut ids);
        generate_keys(&mut steps, &mut ids);
        steps
    }

    fn step_list(&mut self, node: &Node, place: &Place, ids: &mut Ids) -> Vec<Step> {
        let Some(items) = self.sequence(node) else { return Vec::new() };
        items.iter().filter_map(|item| self.step(item, place, ids)).collect()
    }

    fn step(&mut self, node: &Node, place: &Place, ids: &mut Ids) -> Option<Step> {
        let mapping = self.mapping(node)?;
        let start = mapping.entries.first().map_or(node.span, |entry| entry.key.span);
        let id = mapping.get("id").and_then(|node| self.step_id(node, ids));
        let form = self.form(mapping, start, place)?;
        let keys = match form {
            "run" => place.run_keys,
            "uses" => place.uses_keys,
            "parallel" => &["parallel"],
            "wait" => &["id", "name", "continue-on-error", "wait"],
            "wait-all" => &["id", "name", "continue-on-error", "wait-all"],
            _ => &["id", "name", "continue-on-error", "cancel"],
        };
        let required = if form == "run" { place.run_required } else { &[] };
        self.keys(mapping, start, keys, required);
        let field = |key: &str| keys.contains(&key).then(|| mapping.get(key)).flatten();
        let scalar = |reader: &mut Self, key: &str, want| {
            field(key).and_then(|node| reader.scalar(node, &place.scope, want))
        };
        let name = scalar(self, "name", Want::String);
        let condition = field("if").and_then(|node| self.condition(node, &place.condition));
        let env = field("env").and_then(|it| self.scalars(it, &place.scope, Want::String));
        let continue_on_error = scalar(self, "continue-on-error", Want::Boolean);
        let timeout_minutes = scalar(self, "timeout-minutes", Want::Number);
        let background = field("background").and_then(|node| self.boolean(node)).unwrap_or(false);
        if let (true, Some(id)) = (background, &id) {
            ids.background.insert(id.value.to_lowercase());
        }
        let body = self.step_body(form, mapping, place, id.as_ref(), ids)?;
        Some(Step {
            span: node.span,
            key: id.as_ref().map_or_else(|| Arc::from(""), |id| Arc::clone(&id.value)),
            id,
            name,
            condition,
            env,
            continue_on_error,
            timeout_minutes,
            background,
            body,
        })
    }

    fn step_id(&mut self, node: &Node, ids: &mut Ids) -> Option<Text> {
        let id = self.text(node, Want::NonEmpty)?;
        if let Some(message) = graph::invalid_id(&id.value) {
            self.error("step-id", id.span, message);
        } else if !ids.taken.insert(id.value.to_lowercase()) {
            let message = format!(
                "The identifier '{}' may not be used more than once within the same scope.",
                id.value
            );
            self.error_with_hint("step-id", id.span, message, "ids are compared without case");
        }
        Some(id)
    }

    /// Which of the forms the step has.
    fn form(&mut self, mapping: &Mapping, start: Span, place: &Place) -> Option<&'static str> {
        let forms: Vec<(&'static str, Span)> = ["run", "uses"]
            .iter()
            .chain(place.control)
            .filter_map(|form| {
                let entry = mapping.entries.iter().find(|entry| &*entry.key.text == *form)?;
                Some((*form, entry.key.span))
            })
            .collect();
        match forms.as_slice() {
            [(form, _)] => Some(form),
            [] => {
                let message = if !place.control.is_empty() {
                    "Expected one of uses, run, wait, wait-all, cancel, or parallel to be defined"
                } else {
                    "Expected one of uses or run to be defined"
                };
                let keys: Vec<&str> = place
                    .run_keys
                    .iter()
                    .chain(place.uses_keys)
                    .chain(place.control)
                    .copied()
                    .collect();
                let typo = mapping.entries.iter().find(|it| !keys.contains(&&*it.key.text));
                let at = typo.map_or(start, |entry| entry.key.span);
                let meant = typo.and_then(|it| syntax::nearest(&it.key.text, &keys));
                let hint = meant.map_or_else(
                    || "a step runs a script (`run:`) or an action (`uses:`)".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                self.error_with_hint(FORM, at, message, hint);
                None
            }
            [(first, place), (second, at), ..] => {
                let message = format!("Unexpected value '{second}'");
                let diagnostic = syntax::Diagnostic::error(FORM, self.source, *at, message)
                    .label(self.source, *place, format!("the step has `{first}` already"))
                    .hint("make two steps of it");
                self.report(diagnostic);
                None
            }
        }
    }

    fn step_body(
        &mut self,
        form: &str,
        mapping: &Mapping,
        place: &Place,
        own: Option<&Text>,
        ids: &mut Ids,
    ) -> Option<StepBody> {
        let value = mapping.get(form).expect("the form was found by its key");
        match form {
            "run" => self.run(value, mapping, place),
            "uses" => {
                let with = mapping.get("with");
                let with = with.and_then(|it| self.scalars(it, &place.scope, Want::String));
                let text = self.text(value, Want::NonEmpty)?;
                let uses = self.step_uses(&text)?;
                Some(StepBody::Uses { uses, with })
            }
            "wait" => {
                let targets = self.texts(value);
                for target in &targets {
                    self.target(target, own, ids);
                }
                Some(StepBody::Wait(targets))
            }
            "wait-all" => {
                let fits = match value.kind {
                    NodeKind::Null => true,
                    _ => self.boolean(value)?,
                };
                if !fits {
                    let message = "The value of 'wait-all' must be true or omitted";
                    self.error(FORM, value.span, message);
                }
                Some(StepBody::WaitAll)
            }
            "cancel" => {
                let target = self.text(value, Want::NonEmpty)?;
                self.target(&target, own, ids);
                Some(StepBody::Cancel(target))
            }
            _ => Some(StepBody::Parallel(self.parallel(value, place, ids))),
        }
    }

    fn run(&mut self, script: &Node, mapping: &Mapping, place: &Place) -> Option<StepBody> {
        // A workflow's step sees no context here (conformance 58).
        let shell = mapping.get("shell");
        let shell = shell.and_then(|it| self.scalar(it, &place.shell, place.shell_want));
        let working_directory = mapping.get("working-directory");
        let working_directory =
            working_directory.and_then(|it| self.scalar(it, &place.scope, Want::String));
        let script = self.scalar(script, &place.scope, Want::String)?;
        if script.literal_text().is_some_and(|text| is_too_long(&text)) {
            let message =
                format!("a script has at most {} characters", crate::template::SCALAR_UNITS_MAX);
            self.error_with_hint(FORM, script.span(), message, "move it into a file and run that");
        }
        Some(StepBody::Run { script, shell, working_directory })
    }

    fn step_uses(&mut self, text: &Text) -> Option<Uses> {
        match Uses::parse_action(&text.value) {
            Ok(uses) => Some(uses),
            Err(error) => {
                let message = format!("{error}. Actual '{}'", text.value);
                let hint = "such as `actions/checkout@v4`, `./path/in/the/workspace` or \
                            `docker://image`";
                self.error_with_hint("uses", text.span, message, hint);
                None
            }
        }
    }

    /// The step that a `wait` or `cancel` names must stand before it.
    fn target(&mut self, target: &Text, own: Option<&Text>, ids: &Ids) {
        let name = &target.value;
        let message = if name.starts_with("__") {
            format!("The identifier '{name}' is invalid. IDs starting with '__' are reserved.")
        } else if own.is_some_and(|own| own.value.eq_ignore_ascii_case(name)) {
            format!("Step '{name}' cannot reference itself")
        } else if !ids.taken.contains(&name.to_lowercase()) {
            format!("Step references unknown step ID '{name}'")
        } else {
            if !ids.background.contains(&name.to_lowercase()) {
                let message = format!("the step '{name}' does not run in the background");
                self.error_with_hint(FORM, target.span, message, "give it `background: true`");
            }
            return;
        };
        self.error_with_hint(FORM, target.span, message, "name a background step before this one");
    }

    fn parallel(&mut self, node: &Node, place: &Place, ids: &mut Ids) -> Vec<Step> {
        let steps = self.step_list(node, place, ids);
        for step in &steps {
            let message = match &step.body {
                _ if step.background => {
                    "'background' is not allowed inside a parallel block. Steps in a parallel block \
                     are automatically run as background steps."
                }
                StepBody::Wait(_) => "'wait' is not allowed inside a parallel block.",
                StepBody::WaitAll => "'wait-all' is not allowed inside a parallel block.",
                StepBody::Cancel(_) => "'cancel' is not allowed inside a parallel block.",
                StepBody::Parallel(_) => "Nested 'parallel' blocks are not allowed.",
                StepBody::Run { .. } | StepBody::Uses { .. } => continue,
            };
            self.error(FORM, step.span, message);
        }
        steps
    }
}

fn is_too_long(text: &str) -> bool {
    let most = crate::template::SCALAR_UNITS_MAX;
    text.len() > most && text.encode_utf16().count() > most
}

/// Steps without an id get one that no expression can name (conformance 13).
fn generate_keys(steps: &mut [Step], ids: &mut Ids) {
    for step in steps {
        if step.id.is_none() {
            step.key = generate_key(&step.body, ids);
        }
        if let StepBody::Parallel(inner) = &mut step.body {
            generate_keys(inner, ids);
        }
    }
}

fn generate_key(body: &StepBody, ids: &mut Ids) -> Arc<str> {
    let base = match body {
        StepBody::Run { .. } => "run".to_owned(),
        StepBody::Wait(_) => "wait".to_owned(),
        StepBody::WaitAll => "wait-all".to_owned(),
        StepBody::Cancel(_) => "cancel".to_owned(),
        StepBody::Parallel(_) => "parallel".to_owned(),
        StepBody::Uses { uses, .. } => match uses {
            Uses::Local { .. } | Uses::SelfForm { .. } => "self".to_owned(),
            Uses::Docker { image } => image.clone(),
            Uses::Remote { owner, repo, .. } => format!("{owner}/{repo}"),
        },
    };
    let legal = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let name: String =
        format!("__{base}").chars().map(|it| if legal(it) { it } else { '_' }).collect();
    let number = ids.numbers.entry(name.to_lowercase()).or_insert(0);
    loop {
        *number += 1;
        let suffix = if *number == 1 { String::new() } else { format!("_{number}") };
        let head = &name[..name.len().min(KEY_LENGTH_MAX - suffix.len())];
        let candidate = format!("{head}{suffix}");
        if ids.taken.insert(candidate.to_lowercase()) {
            return Arc::from(candidate);
        }
    }
}
