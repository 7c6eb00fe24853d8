//! From YAML to [`Triggers`].

use std::sync::Arc;

use syntax::{Diagnostic, Entry, Key, Mapping, Node, NodeKind, nearest};

use super::events::{EVENTS, EventFacts};
use super::{
    CallOutput, FilterList, Input, InputKind, Schedule, SecretDeclaration, Sense, Trigger, Triggers,
};
use crate::cron;
use crate::filter::Pattern;
use crate::model::Text;
use crate::reader::{Reader, Want};
use crate::scope;
use crate::template::Template;

/// Inputs of one `workflow_dispatch` (conformance 26).
const DISPATCH_INPUTS_MAX: usize = 25;
const RULE: &str = "trigger";

impl Reader<'_> {
    /// Reads the value of `on`.
    pub(crate) fn triggers(&mut self, node: &Node) -> Triggers {
        let mut events = Vec::new();
        match &node.kind {
            NodeKind::Sequence(items) => {
                for item in items {
                    events.extend(self.event_name(item).map(|name| bare(&name)));
                }
            }
            NodeKind::Mapping(mapping) => {
                for entry in &mapping.entries {
                    events.extend(self.event_entry(entry));
                }
            }
            _ => events.extend(self.event_name(node).map(|name| bare(&name))),
        }
        self.schedule_needs_entries(&events, node);
        Triggers { span: node.span, events }
    }

    fn schedule_needs_entries(&mut self, events: &[Trigger], node: &Node) {
        if matches!(node.kind, NodeKind::Mapping(_)) {
            return;
        }
        for event in events.iter().filter(|event| &*event.name.value == "schedule") {
            let warning = Diagnostic::warning(
                RULE,
                self.source,
                event.name.span,
                "`schedule` without a `cron` never runs",
            );
            self.report(warning.hint("write `schedule:` with a list of `- cron: '..'`"));
        }
    }

    fn event_name(&mut self, node: &Node) -> Option<Text> {
        let text = self.text(node, Want::NonEmpty)?;
        self.event_facts(&text).map(|_| text)
    }

    fn event_facts(&mut self, name: &Text) -> Option<&'static EventFacts> {
        let facts = EVENTS.iter().find(|facts| facts.name == &*name.value);
        if facts.is_none() {
            let names: Vec<&str> = EVENTS.iter().map(|facts| facts.name).collect();
            let hint = match nearest(&name.value, &names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "this is not an event of GitHub".to_owned(),
            };
            let message = format!("Unexpected value '{}'", name.value);
            self.error_with_hint("unexpected-key", name.span, message, hint);
        }
        facts
    }

    fn event_entry(&mut self, entry: &Entry) -> Option<Trigger> {
        let name = text_of(&entry.key);
        let facts = self.event_facts(&name)?;
        let mut trigger = bare(&name);
        if facts.name == "schedule" {
            trigger.schedule = self.schedules(&entry.value);
            return Some(trigger);
        }
        if matches!(entry.value.kind, NodeKind::Null) {
            return Some(trigger);
        }
        if facts.keys.is_empty() {
            self.unexpected(&entry.value, "this event takes no further settings");
            return Some(trigger);
        }
        let mapping = self.mapping(&entry.value)?;
        self.keys(mapping, entry.value.span, facts.keys, &[]);
        if facts.keys.contains(&"inputs") {
            self.declarations(&mut trigger, mapping);
            return Some(trigger);
        }
        self.filters(&mut trigger, facts, mapping);
        Some(trigger)
    }

    fn filters(&mut self, trigger: &mut Trigger, facts: &EventFacts, mapping: &Mapping) {
        let list = |key: &str| facts.keys.contains(&key).then(|| mapping.get(key)).flatten();
        trigger.types = list("types").map(|node| self.types(node, facts));
        trigger.branches = self.filter_pair(mapping, facts, "branches", "branches-ignore");
        trigger.tags = self.filter_pair(mapping, facts, "tags", "tags-ignore");
        trigger.paths = self.filter_pair(mapping, facts, "paths", "paths-ignore");
        trigger.workflows = list("workflows").map(|node| self.texts(node));
        trigger.names = list("names").map(|node| self.texts(node));
        trigger.versions = list("versions").map(|node| self.texts(node));
        if facts.name == "workflow_run" && trigger.workflows.is_none() {
            self.error_with_hint(
                "missing-key",
                trigger.name.span,
                "Required property is missing: workflows",
                "name the workflows whose runs start this one, such as `workflows: [CI]`",
            );
        }
    }

    fn types(&mut self, node: &Node, facts: &EventFacts) -> Vec<Text> {
        let free = facts.types.is_empty();
        if free && !matches!(node.kind, NodeKind::Sequence(_)) {
            self.unexpected(node, "a list is expected here");
            return Vec::new();
        }
        let types = self.texts(node);
        for text in types.iter().filter(|text| !free && !facts.types.contains(&&*text.value)) {
            let hint = match nearest(&text.value, facts.types) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the types of {} are: {}", facts.name, facts.types.join(", ")),
            };
            let message = format!("Unexpected value '{}'", text.value);
            self.error_with_hint("unexpected-value", text.span, message, hint);
        }
        types
    }

    /// One text or a list of them.
    pub(crate) fn texts(&mut self, node: &Node) -> Vec<Text> {
        match &node.kind {
            NodeKind::Sequence(items) => {
                items.iter().filter_map(|item| self.text(item, Want::NonEmpty)).collect()
            }
            NodeKind::Mapping(_) => {
                self.unexpected(node, "one value or a list is expected here");
                Vec::new()
            }
            _ => self.text(node, Want::NonEmpty).into_iter().collect(),
        }
    }

    fn filter_pair(
        &mut self,
        mapping: &Mapping,
        facts: &EventFacts,
        only: &str,
        ignore: &str,
    ) -> Option<FilterList> {
        if !facts.keys.contains(&only) {
            return None;
        }
        match (mapping.get(only), mapping.get(ignore)) {
            (None, None) => None,
            (Some(node), None) => Some(self.filter_list(node, only, Sense::Only)),
            (None, Some(node)) => Some(self.filter_list(node, ignore, Sense::Ignore)),
            (Some(node), Some(other)) => {
                let message = format!("`{only}` and `{ignore}` may not be used together");
                let diagnostic = Diagnostic::error("filter", self.source, other.span, message)
                    .label(self.source, node.span, "")
                    .hint(format!("use `{only}` alone and begin what to leave out with `!`"));
                self.report(diagnostic);
                Some(self.filter_list(node, only, Sense::Only))
            }
        }
    }

    fn filter_list(&mut self, node: &Node, key: &str, sense: Sense) -> FilterList {
        let mut patterns = Vec::new();
        for text in self.texts(node) {
            match Pattern::parse(&text.value, text.span) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.error("filter", text.span, error.to_string()),
            }
        }
        let all_negative = !patterns.is_empty() && patterns.iter().all(Pattern::is_negative);
        if sense == Sense::Only && all_negative {
            let warning = Diagnostic::warning(
                "filter",
                self.source,
                node.span,
                format!("`{key}` holds only patterns with `!`, so it never lets anything through"),
            );
            self.report(warning.hint("put a pattern that takes in, such as '**', before them"));
        }
        FilterList { sense, key: Arc::from(key), span: node.span, patterns }
    }

    fn schedules(&mut self, node: &Node) -> Vec<Schedule> {
        let Some(items) = self.sequence(node) else { return Vec::new() };
        items.iter().filter_map(|item| self.schedule(item)).collect()
    }

    fn schedule(&mut self, node: &Node) -> Option<Schedule> {
        let mapping = self.mapping(node)?;
        self.keys(mapping, node.span, &["cron", "timezone"], &["cron"]);
        let timezone = mapping.get("timezone").and_then(|node| self.text(node, Want::NonEmpty));
        let cron = self.text(mapping.get("cron")?, Want::NonEmpty)?;
        match cron::check(&cron.value) {
            Ok(checked) => {
                if let Some(minutes) = checked.often {
                    let message = format!(
                        "this asks for a start every {minutes} min, and GitHub keeps 5 min apart"
                    );
                    self.report(Diagnostic::warning("cron", self.source, cron.span, message));
                }
            }
            Err(error) => {
                let hint = "minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'";
                let message = format!("Invalid cron expression: {error}");
                self.error_with_hint("cron", cron.span, message, hint);
            }
        }
        Some(Schedule { cron, timezone })
    }

    fn declarations(&mut self, trigger: &mut Trigger, mapping: &Mapping) {
        let call = &*trigger.name.value == "workflow_call";
        if let Some(inputs) = mapping.get("inputs").filter(|it| !matches!(it.kind, NodeKind::Null))
        {
            let entries = self.mapping(inputs).map_or(&[][..], |it| &it.entries);
            trigger.inputs = entries
                .iter()
                .filter_map(|entry| if call { self.call_input(entry) } else { self.input(entry) })
                .collect();
            if !call && trigger.inputs.len() > DISPATCH_INPUTS_MAX {
                let message = format!("more than {DISPATCH_INPUTS_MAX} inputs");
                self.error(RULE, inputs.span, message);
            }
        }
        if !call {
            return;
        }
        if let Some(secrets) = mapping.get("secrets") {
            let entries = self.optional_entries(secrets);
            trigger.secrets = entries.iter().filter_map(|entry| self.secret(entry)).collect();
        }
        if let Some(outputs) = mapping.get("outputs") {
            let entries = self.optional_entries(outputs);
            trigger.outputs = entries.iter().filter_map(|entry| self.call_output(entry)).collect();
        }
    }

    fn optional_entries<'n>(&mut self, node: &'n Node) -> &'n [Entry] {
        if matches!(node.kind, NodeKind::Null) {
            return &[];
        }
        self.mapping(node).map_or(&[], |mapping| &mapping.entries)
    }

    fn description(&mut self, mapping: &Mapping) -> Option<Text> {
        mapping.get("description").and_then(|node| self.text(node, Want::String))
    }

    fn required(&mut self, mapping: &Mapping) -> bool {
        mapping.get("required").and_then(|node| self.boolean(node)).unwrap_or(false)
    }

    /// An input of `workflow_dispatch` (conformance 26).
    fn input(&mut self, entry: &Entry) -> Option<Input> {
        let name = text_of(&entry.key);
        if matches!(entry.value.kind, NodeKind::Null) {
            let kind = InputKind::String;
            return Some(Input { name, description: None, kind, required: false, default: None });
        }
        let mapping = self.mapping(&entry.value)?;
        let allowed = ["description", "type", "required", "default", "options"];
        self.keys(mapping, entry.key.span, &allowed, &[]);
        let options = mapping.get("options").map(|node| self.options(node));
        let kind = match mapping.get("type").and_then(|node| self.text(node, Want::String)) {
            None => InputKind::String,
            Some(text) => match &*text.value {
                "string" => InputKind::String,
                "boolean" => InputKind::Boolean,
                "number" => InputKind::Number,
                "environment" => InputKind::Environment,
                "choice" => InputKind::Choice(options.clone().unwrap_or_default()),
                _ => {
                    self.unknown_type(
                        &text,
                        &["string", "boolean", "number", "choice", "environment"],
                    );
                    InputKind::String
                }
            },
        };
        if matches!(&kind, InputKind::Choice(options) if options.is_empty()) {
            let message = "Missing 'options' for choice input";
            self.error_with_hint(RULE, entry.key.span, message, "add `options:` with a list");
        }
        if let (Some(_), false) = (&options, matches!(kind, InputKind::Choice(_))) {
            let message = "Input type is not 'choice', but 'options' is defined";
            self.error_with_hint(RULE, entry.key.span, message, "add `type: choice`");
        }
        let default = mapping.get("default");
        let default = default.and_then(|node| self.input_default(node, &kind, &scope::LITERAL));
        let description = self.description(mapping);
        let required = self.required(mapping);
        Some(Input { name, description, kind, required, default })
    }

    fn options(&mut self, node: &Node) -> Vec<Text> {
        let Some(items) = self.sequence(node) else { return Vec::new() };
        items.iter().filter_map(|item| self.text(item, Want::String)).collect()
    }

    fn unknown_type(&mut self, text: &Text, types: &[&str]) {
        let hint = match nearest(&text.value, types) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the types are: {}", types.join(", ")),
        };
        let message = format!("Unexpected value '{}'", text.value);
        self.error_with_hint("unexpected-value", text.span, message, hint);
    }

    fn input_default(
        &mut self,
        node: &Node,
        kind: &InputKind,
        scope: &expr::Scope,
    ) -> Option<Template> {
        if matches!(node.kind, NodeKind::Null) {
            return None;
        }
        let want = match kind {
            InputKind::Boolean => Want::Boolean,
            InputKind::Number => Want::Number,
            _ => Want::String,
        };
        let template = if scope.contexts.is_empty() {
            // Reported as literal text first, so that an expression is refused in plain words.
            self.text(node, Want::String)?;
            self.scalar(node, scope, want)?
        } else {
            self.scalar(node, scope, want)?
        };
        if let (InputKind::Choice(options), Some(text)) = (kind, template.literal_text())
            && !options.iter().any(|option| option.value == text)
        {
            let message = format!("the default '{text}' is not one of the options");
            self.error(RULE, node.span, message);
        }
        Some(template)
    }

    /// An input of `workflow_call`, whose type must be written (conformance 119).
    fn call_input(&mut self, entry: &Entry) -> Option<Input> {
        let name = text_of(&entry.key);
        let mapping = self.mapping(&entry.value)?;
        let allowed = ["description", "type", "required", "default"];
        self.keys(mapping, entry.key.span, &allowed, &["type"]);
        let kind = match mapping.get("type").and_then(|node| self.text(node, Want::String)) {
            None => InputKind::String,
            Some(text) => match &*text.value {
                "string" => InputKind::String,
                "boolean" => InputKind::Boolean,
                "number" => InputKind::Number,
                _ => {
                    self.unknown_type(&text, &["string", "boolean", "number"]);
                    InputKind::String
                }
            },
        };
        let default = mapping.get("default");
        let default =
            default.and_then(|node| self.input_default(node, &kind, &scope::CALL_INPUT_DEFAULT));
        let description = self.description(mapping);
        let required = self.required(mapping);
        Some(Input { name, description, kind, required, default })
    }

    fn secret(&mut self, entry: &Entry) -> Option<SecretDeclaration> {
        let name = text_of(&entry.key);
        if name.value.eq_ignore_ascii_case("github_token") {
            let message = "The secret 'GITHUB_TOKEN' is always given and may not be declared";
            self.error_with_hint(RULE, name.span, message, "remove this entry");
        }
        if matches!(entry.value.kind, NodeKind::Null) {
            return Some(SecretDeclaration { name, description: None, required: false });
        }
        let mapping = self.mapping(&entry.value)?;
        self.keys(mapping, entry.key.span, &["description", "required"], &[]);
        let description = self.description(mapping);
        let required = self.required(mapping);
        Some(SecretDeclaration { name, description, required })
    }

    fn call_output(&mut self, entry: &Entry) -> Option<CallOutput> {
        let mapping = self.mapping(&entry.value)?;
        self.keys(mapping, entry.key.span, &["description", "value"], &["value"]);
        let description = self.description(mapping);
        let value = self.scalar(mapping.get("value")?, &scope::CALL_OUTPUT, Want::String)?;
        Some(CallOutput { name: text_of(&entry.key), description, value })
    }
}

fn text_of(key: &Key) -> Text {
    Text { value: Arc::clone(&key.text), span: key.span }
}

fn bare(name: &Text) -> Trigger {
    Trigger {
        name: name.clone(),
        types: None,
        branches: None,
        tags: None,
        paths: None,
        workflows: None,
        names: None,
        versions: None,
        schedule: Vec::new(),
        inputs: Vec::new(),
        secrets: Vec::new(),
        outputs: Vec::new(),
    }
}
