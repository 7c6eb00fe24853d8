//! What every part of the reader uses: closed key sets, scalars, and the list of what is wrong.

use std::sync::Arc;

use expr::Scope;
use syntax::{Diagnostic, Mapping, Node, NodeKind, RuleId, Source, Span, nearest};

use crate::model::Text;
use crate::template::{Template, TemplateKind};

/// One file while it is read, and what is wrong with it so far.
pub(crate) struct Reader<'s> {
    pub(crate) source: &'s Arc<Source>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What a field takes when it is not an expression (conformance 6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// Text; numbers, booleans and nothing become text.
    String,
    /// Text with something in it.
    NonEmpty,
    Boolean,
    Number,
    /// Any scalar.
    Scalar,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s Arc<Source>) -> Reader<'s> {
        Reader { source, diagnostics: Vec::new() }
    }

    /// Keeps a finding, as long as there is room.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        diagnostic.keep(&mut self.diagnostics);
    }

    pub(crate) fn error(&mut self, rule: RuleId, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::error(rule, self.source, span, message);
        self.report(diagnostic);
    }

    pub(crate) fn error_with_hint(
        &mut self,
        rule: RuleId,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::error(rule, self.source, span, message).hint(hint);
        self.report(diagnostic);
    }

    /// The mapping, or a finding that says what else it is.
    pub(crate) fn mapping<'n>(&mut self, node: &'n Node) -> Option<&'n Mapping> {
        if let NodeKind::Mapping(mapping) = &node.kind {
            return Some(mapping);
        }
        self.unexpected(node, "a mapping is expected here");
        None
    }

    /// The list, or a finding that says what else it is.
    pub(crate) fn sequence<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        if let NodeKind::Sequence(items) = &node.kind {
            return Some(items);
        }
        self.unexpected(node, "a list is expected here");
        None
    }

    /// GitHub's words for a value of the wrong kind.
    pub(crate) fn unexpected(&mut self, node: &Node, hint: &str) {
        let message = match &node.kind {
            NodeKind::Mapping(_) => "A mapping was not expected".to_owned(),
            NodeKind::Sequence(_) => "A sequence was not expected".to_owned(),
            _ => format!("Unexpected value '{}'", scalar_text(node).unwrap_or_default()),
        };
        let span = match &node.kind {
            NodeKind::Mapping(mapping) if !mapping.entries.is_empty() => {
                mapping.entries[0].key.span
            }
            _ => node.span,
        };
        self.error_with_hint("unexpected-value", span, message, hint);
    }

    /// Reports keys outside of a closed set, and required ones that are missing.
    pub(crate) fn keys(
        &mut self,
        mapping: &Mapping,
        place: Span,
        allowed: &[&str],
        required: &[&str],
    ) {
        for entry in &mapping.entries {
            if !allowed.contains(&&*entry.key.text) {
                let message = format!("Unexpected value '{}'", entry.key.text);
                let hint = match nearest(&entry.key.text, allowed) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the keys here are: {}", allowed.join(", ")),
                };
                self.error_with_hint("unexpected-key", entry.key.span, message, hint);
            }
        }
        for key in required {
            if mapping.get(key).is_none() {
                let at = mapping.entries.first().map_or(place, |entry| entry.key.span);
                self.error_with_hint(
                    "missing-key",
                    at,
                    format!("Required property is missing: {key}"),
                    format!("add `{key}:`"),
                );
            }
        }
    }

    /// Literal text. An expression here is refused.
    pub(crate) fn text(&mut self, node: &Node, want: Want) -> Option<Text> {
        let before = self.diagnostics.len();
        let template = self.scalar(node, &crate::scope::LITERAL, want)?;
        if self.diagnostics.len() > before {
            return None;
        }
        match template.literal_text() {
            Some(value) => Some(Text { value, span: node.span }),
            None => {
                let message = "A template expression is not allowed in this context";
                self.error_with_hint("expression", node.span, message, "write plain text here");
                None
            }
        }
    }

    /// `true` or `false`, and nothing else.
    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        if let NodeKind::Bool(value) = node.kind {
            return Some(value);
        }
        self.unexpected(node, "write `true` or `false`, without quotes");
        None
    }

    /// A scalar that may be an expression.
    pub(crate) fn scalar(&mut self, node: &Node, scope: &Scope, want: Want) -> Option<Template> {
        if matches!(node.kind, NodeKind::Mapping(_) | NodeKind::Sequence(_)) {
            self.unexpected(node, "one value is expected here");
            return None;
        }
        let before = self.diagnostics.len();
        let template = self.template(node, scope);
        if self.diagnostics.len() > before {
            return Some(template);
        }
        if let TemplateKind::Literal(_) = template.kind() {
            return self.literal(node, template, want);
        }
        // An expression can be of any kind; a text around one is text.
        if matches!(template.kind(), TemplateKind::Format(_))
            && matches!(want, Want::Boolean | Want::Number)
        {
            self.unexpected(node, "write one `${{ .. }}` and nothing around it");
            return None;
        }
        Some(template)
    }

    fn literal(&mut self, node: &Node, template: Template, want: Want) -> Option<Template> {
        match (want, template.kind()) {
            (Want::Boolean, TemplateKind::Literal(expr::Value::Bool(_)))
            | (Want::Number, TemplateKind::Literal(expr::Value::Number(_)))
            | (Want::Scalar, _) => Some(template),
            (Want::Boolean, _) => {
                self.unexpected(node, "write `true` or `false` without quotes, or an expression");
                None
            }
            (Want::Number, _) => {
                self.unexpected(node, "write a number without quotes, or an expression");
                None
            }
            (Want::String | Want::NonEmpty, _) => {
                let text = template.literal_text().unwrap_or_default();
                if want == Want::NonEmpty && text.is_empty() {
                    self.error_with_hint(
                        "unexpected-value",
                        node.span,
                        "Unexpected value ''",
                        "an empty value does not do here",
                    );
                    return None;
                }
                Some(Template::text(text, template.span()))
            }
        }
    }

    /// A mapping from names to scalars, or one expression that gives one.
    pub(crate) fn scalars(&mut self, node: &Node, scope: &Scope, want: Want) -> Option<Template> {
        if matches!(node.kind, NodeKind::Mapping(_)) {
            return self.written_scalars(node, scope, want);
        }
        self.expression_or_unexpected(node, scope, "a mapping is expected here")
    }

    /// A mapping from names to scalars; one expression in its place is refused.
    pub(crate) fn written_scalars(
        &mut self,
        node: &Node,
        scope: &Scope,
        want: Want,
    ) -> Option<Template> {
        let mapping = self.mapping(node)?;
        let mut entries = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            let key = self.template_key(&entry.key, scope);
            let value = if key.is_insert() || !key.is_text() {
                Some(self.template(&entry.value, scope))
            } else {
                self.scalar(&entry.value, scope, want)
            };
            entries.extend(value.map(|value| (key, value)));
        }
        Some(Template::mapping(entries, node.span))
    }

    /// One whole expression in the place of something bigger; anything else is refused.
    pub(crate) fn expression_or_unexpected(
        &mut self,
        node: &Node,
        scope: &Scope,
        hint: &str,
    ) -> Option<Template> {
        if node.as_str().is_some_and(|text| text.contains("${{")) {
            let before = self.diagnostics.len();
            let template = self.template(node, scope);
            if matches!(template.kind(), TemplateKind::Expression(_))
                || self.diagnostics.len() > before
            {
                return Some(template);
            }
        }
        self.unexpected(node, hint);
        None
    }
}

/// What a scalar says as text; `None` for lists and mappings.
pub(crate) fn scalar_text(node: &Node) -> Option<Arc<str>> {
    match &node.kind {
        NodeKind::Null => Some(Arc::from("")),
        NodeKind::Bool(value) => Some(Arc::from(if *value { "true" } else { "false" })),
        NodeKind::Number(number) => Some(Arc::from(syntax::yaml::number_text(*number))),
        NodeKind::String(text, _) => Some(Arc::clone(text)),
        NodeKind::Sequence(_) | NodeKind::Mapping(_) => None,
    }
}
