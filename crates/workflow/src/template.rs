//! Values that may hold expressions (conformance 16, 17): read once, evaluated when their time comes.
//!
//! A whole-scalar expression keeps its type; text around expressions makes text; a mapping may take
//! another one in with `${{ insert }}`.

use std::sync::Arc;

use expr::{Contexts, EvalError, Expr, Scope, Value};
use syntax::{Diagnostic, Key, Node, NodeKind, RuleId, ScalarPlace, Source, Span, nearest, yaml};

use crate::model::Text;
use crate::reader::Reader;

/// The rule for everything wrong with an expression.
const RULE: RuleId = "expression";
/// UTF-16 units in one scalar with expressions; GitHub's own guard (conformance 15, 16).
pub(crate) const SCALAR_UNITS_MAX: usize = 21_000;
/// Bytes of one evaluated template; GitHub's own guard (conformance 87).
const RESULT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// What a value costs besides its text.
const VALUE_BYTES: usize = 24;
/// Every context there is, for saying "not here" instead of "unknown".
const CONTEXTS: &[&str] = &[
    "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job", "runner",
    "env", "jobs",
];

/// A YAML value whose scalars and keys may hold expressions.
#[derive(Clone, Debug)]
pub struct Template {
    span: Span,
    kind: TemplateKind,
}

/// The kinds of [`Template`].
#[derive(Clone, Debug)]
pub enum TemplateKind {
    /// Nothing to evaluate: null, a boolean, a number or text.
    Literal(Value),
    /// One expression and nothing around it: it keeps its type.
    Expression(Embedded),
    /// Text with expressions in it.
    Format(Vec<Part>),
    /// A list.
    Sequence(Vec<Template>),
    /// A mapping in the order written.
    Mapping(Vec<(TemplateKey, Template)>),
}

/// One `${{ .. }}`.
#[derive(Clone, Debug)]
pub struct Embedded {
    /// The expression.
    pub expr: Expr,
    /// Where it stands, without the braces.
    pub span: Span,
}

/// A piece of mixed text.
#[derive(Clone, Debug)]
pub enum Part {
    /// As it is.
    Text(Arc<str>),
    /// Evaluated and turned to text.
    Expression(Embedded),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub enum TemplateKey {
    /// As it is.
    Text(Text),
    /// `${{ insert }}`: the value is a mapping whose entries are taken in.
    Insert(Span),
    /// Evaluated and turned to text.
    Template(Template),
}

/// Why a template has no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TemplateError {
    /// An expression failed.
    #[error("the expression could not be evaluated")]
    Expression {
        /// Which.
        span: Span,
        /// Why.
        #[source]
        source: EvalError,
    },
    /// `${{ insert }}` with something else than a mapping.
    #[error("`insert` takes in a mapping, and this is none")]
    NotAMapping {
        /// The value.
        span: Span,
    },
    /// A key that is a list or a mapping.
    #[error("a key must be text")]
    KeyNotText {
        /// The key.
        span: Span,
    },
    /// Two keys with one name.
    #[error("'{key}' is already defined")]
    DuplicateKey {
        /// The second.
        span: Span,
        /// Its text.
        key: String,
    },
    /// More than GitHub's guard lets through.
    #[error("the result is larger than {RESULT_BYTES_MAX} bytes")]
    TooLarge {
        /// Where it became too much.
        span: Span,
    },
}

impl TemplateError {
    /// The place of it.
    pub fn span(&self) -> Span {
        match self {
            TemplateError::Expression { span, .. }
            | TemplateError::NotAMapping { span }
            | TemplateError::KeyNotText { span }
            | TemplateError::DuplicateKey { span, .. }
            | TemplateError::TooLarge { span } => *span,
        }
    }
}

impl TemplateKey {
    /// Whether it is `${{ insert }}`.
    pub fn is_insert(&self) -> bool {
        matches!(self, TemplateKey::Insert(_))
    }

    /// Whether it is plain text.
    pub fn is_text(&self) -> bool {
        matches!(self, TemplateKey::Text(_))
    }
}

impl Template {
    /// Reads a value with expressions in the given scope.
    pub fn read(source: &Arc<Source>, node: &Node, scope: &Scope) -> (Template, Vec<Diagnostic>) {
        let mut reader = Reader::new(source);
        let template = reader.template(node, scope);
        (template, reader.diagnostics)
    }

    /// Reads a value with expressions from JSON, as [`Template::read`] would from YAML.
    pub fn from_json(value: &serde_json::Value, scope: &Scope) -> (Template, Vec<Diagnostic>) {
        let source = Source::new("json", "");
        Template::read(&source, &Node::from_json(value, Span::default()), scope)
    }

    /// Literal text.
    pub fn text(text: Arc<str>, span: Span) -> Template {
        Template { span, kind: TemplateKind::Literal(Value::String(text)) }
    }

    /// A mapping of templates that were read one by one.
    pub(crate) fn mapping(entries: Vec<(TemplateKey, Template)>, span: Span) -> Template {
        Template { span, kind: TemplateKind::Mapping(entries) }
    }

    /// A list of templates that were read one by one.
    pub(crate) fn sequence(items: Vec<Template>, span: Span) -> Template {
        Template { span, kind: TemplateKind::Sequence(items) }
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// What it is.
    pub fn kind(&self) -> &TemplateKind {
        &self.kind
    }

    /// The literal as text, where it is a scalar without expressions.
    pub fn literal_text(&self) -> Option<Arc<str>> {
        match &self.kind {
            TemplateKind::Literal(Value::String(text)) => Some(Arc::clone(text)),
            TemplateKind::Literal(value) => Some(Arc::from(&*value.to_text())),
            _ => None,
        }
    }

    /// The entry under a literal key, where it is a mapping.
    pub fn get(&self, key: &str) -> Option<&Template> {
        let TemplateKind::Mapping(entries) = &self.kind else { return None };
        let found = entries.iter().find(
            |(it, _)| matches!(it, TemplateKey::Text(text) if text.value.eq_ignore_ascii_case(key)),
        );
        found.map(|(_, value)| value)
    }

    /// Every expression in it, in the order written, keys before their values.
    pub fn expressions(&self) -> Vec<&Embedded> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'t>(&'t self, found: &mut Vec<&'t Embedded>) {
        match &self.kind {
            TemplateKind::Literal(_) => {}
            TemplateKind::Expression(embedded) => found.push(embedded),
            TemplateKind::Format(parts) => {
                found.extend(parts.iter().filter_map(|part| match part {
                    Part::Text(_) => None,
                    Part::Expression(embedded) => Some(embedded),
                }));
            }
            TemplateKind::Sequence(items) => items.iter().for_each(|item| item.collect(found)),
            TemplateKind::Mapping(entries) => {
                for (key, value) in entries {
                    if let TemplateKey::Template(key) = key {
                        key.collect(found);
                    }
                    value.collect(found);
                }
            }
        }
    }

    /// The value, given what the expressions can see.
    pub fn evaluate(&self, contexts: &dyn Contexts) -> Result<Value, TemplateError> {
        let mut evaluation = Evaluation { contexts, bytes: 0 };
        evaluation.template(self)
    }
}

struct Evaluation<'c> {
    contexts: &'c dyn Contexts,
    bytes: usize,
}

impl Evaluation<'_> {
    fn template(&mut self, template: &Template) -> Result<Value, TemplateError> {
        let value = match &template.kind {
            TemplateKind::Literal(value) => value.clone(),
            TemplateKind::Expression(embedded) => self.expression(embedded)?,
            TemplateKind::Format(parts) => self.format(parts)?,
            TemplateKind::Sequence(items) => {
                let items: Result<Vec<Value>, TemplateError> =
                    items.iter().map(|item| self.template(item)).collect();
                Value::Array(Arc::new(items?))
            }
            TemplateKind::Mapping(entries) => self.mapping(entries)?,
        };
        let text = if let Value::String(text) = &value { text.len() } else { 0 };
        self.bytes += VALUE_BYTES + text;
        if self.bytes > RESULT_BYTES_MAX {
            return Err(TemplateError::TooLarge { span: template.span });
        }
        Ok(value)
    }

    fn expression(&self, embedded: &Embedded) -> Result<Value, TemplateError> {
        embedded
            .expr
            .evaluate(self.contexts)
            .map_err(|source| TemplateError::Expression { span: embedded.span, source })
    }

    fn format(&self, parts: &[Part]) -> Result<Value, TemplateError> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Expression(embedded) => text.push_str(&self.expression(embedded)?.to_text()),
            }
        }
        Ok(Value::String(Arc::from(text)))
    }

    fn mapping(&mut self, entries: &[(TemplateKey, Template)]) -> Result<Value, TemplateError> {
        let mut object = expr::Object::new();
        for (key, value) in entries {
            let (span, name) = match key {
                TemplateKey::Insert(_) => {
                    let Value::Object(inserted) = self.template(value)? else {
                        return Err(TemplateError::NotAMapping { span: value.span });
                    };
                    for (name, value) in inserted.iter() {
                        object.insert(name, value.clone());
                    }
                    continue;
                }
                TemplateKey::Text(text) => (text.span, Arc::clone(&text.value)),
                TemplateKey::Template(key) => match self.template(key)? {
                    Value::Array(_) | Value::Object(_) => {
                        return Err(TemplateError::KeyNotText { span: key.span });
                    }
                    value => (key.span, Arc::from(&*value.to_text())),
                },
            };
            if object.get(&name).is_some() {
                return Err(TemplateError::DuplicateKey { span, key: name.as_ref().to_owned() });
            }
            let value = self.template(value)?;
            object.insert(name, value);
        }
        Ok(Value::Object(Arc::new(object)))
    }
}

/// One stretch of a scalar.
pub(crate) enum Piece<'t> {
    Text(&'t str),
    /// An expression and the offset of its text in the scalar.
    Expression(&'t str, usize),
}

impl Reader<'_> {
    /// Any value with expressions in it. What is wrong is reported; something is always given.
    pub(crate) fn template(&mut self, node: &Node, scope: &Scope) -> Template {
        let span = node.span;
        let kind = match &node.kind {
            NodeKind::Null => TemplateKind::Literal(Value::Null),
            NodeKind::Bool(value) => TemplateKind::Literal(Value::Bool(*value)),
            NodeKind::Number(number) => TemplateKind::Literal(Value::Number(*number)),
            NodeKind::String(text, _) => self.text_template(text, node.place(), scope),
            NodeKind::Sequence(items) => {
                TemplateKind::Sequence(items.iter().map(|it| self.template(it, scope)).collect())
            }
            NodeKind::Mapping(mapping) => TemplateKind::Mapping(
                mapping
                    .entries
                    .iter()
                    .map(|entry| {
                        let key = self.template_key(&entry.key, scope);
                        (key, self.template(&entry.value, scope))
                    })
                    .collect(),
            ),
        };
        Template { span, kind }
    }

    pub(crate) fn template_key(&mut self, key: &Key, scope: &Scope) -> TemplateKey {
        let plain = || TemplateKey::Text(Text { value: Arc::clone(&key.text), span: key.span });
        if !key.text.contains("${{") {
            return plain();
        }
        if let Some([Piece::Expression(text, _)]) = pieces(&key.text).as_deref()
            && text.trim() == "insert"
        {
            return TemplateKey::Insert(key.span);
        }
        let kind = self.text_template(&key.text, key.place(), scope);
        match kind {
            TemplateKind::Literal(value) => {
                TemplateKey::Text(Text { value: Arc::from(&*value.to_text()), span: key.span })
            }
            kind => TemplateKey::Template(Template { span: key.span, kind }),
        }
    }

    fn text_template(
        &mut self,
        text: &Arc<str>,
        scalar: ScalarPlace,
        scope: &Scope,
    ) -> TemplateKind {
        let as_is = || TemplateKind::Literal(Value::String(Arc::clone(text)));
        if !text.contains("${{") {
            return as_is();
        }
        if text.len() > SCALAR_UNITS_MAX && text.encode_utf16().count() > SCALAR_UNITS_MAX {
            let message = format!("Exceeded max expression length {SCALAR_UNITS_MAX}");
            let hint = "move long text out of the workflow, or its expressions into `env`";
            self.error_with_hint(RULE, scalar.span, message, hint);
            return as_is();
        }
        let Some(pieces) = pieces(text) else {
            self.unclosed(text, scalar);
            return as_is();
        };
        let mut parts: Vec<Part> = Vec::with_capacity(pieces.len());
        let mut failed = false;
        for piece in &pieces {
            let part = match piece {
                Piece::Text(piece) => Part::Text(Arc::from(*piece)),
                Piece::Expression(piece, at) => {
                    match self.embedded(text, scalar, piece, *at, scope) {
                        Some(part) => part,
                        None => {
                            failed = true;
                            continue;
                        }
                    }
                }
            };
            match (parts.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(more)) => {
                    *before = Arc::from(format!("{before}{more}"));
                }
                (_, part) => parts.push(part),
            }
        }
        if failed {
            return as_is();
        }
        match parts.len() {
            1 => match parts.remove(0) {
                Part::Text(text) => TemplateKind::Literal(Value::String(text)),
                Part::Expression(embedded) => TemplateKind::Expression(embedded),
            },
            _ => TemplateKind::Format(parts),
        }
    }

    fn unclosed(&mut self, text: &str, scalar: ScalarPlace) {
        let at = text.rfind("${{").unwrap_or(0);
        let place = yaml::locate(self.source, scalar, text, at..at + 3);
        let message = "The expression is not closed. An unescaped ${{ sequence was found, but the \
                       closing }} sequence was not found.";
        self.error_with_hint(RULE, place, message, "close it with `}}`");
    }

    /// One expression of a scalar; a quoted text alone is that text.
    fn embedded(
        &mut self,
        value: &str,
        scalar: ScalarPlace,
        inner: &str,
        at: usize,
        scope: &Scope,
    ) -> Option<Part> {
        let text = inner.trim();
        let start = at + (inner.len() - inner.trim_start().len());
        let place = |range| yaml::locate(self.source, scalar, value, range);
        if text.is_empty() {
            let place = place(at..at + inner.len());
            self.error_with_hint(
                RULE,
                place,
                "An expression was expected",
                "write it in the braces",
            );
            return None;
        }
        if text == "insert" {
            let place = place(start..start + text.len());
            let message = "The directive 'insert' is not allowed in this context";
            self.error_with_hint(RULE, place, message, "`${{ insert }}` is a key of a mapping");
            return None;
        }
        if let Some(literal) = string_literal(text) {
            return Some(Part::Text(Arc::from(literal)));
        }
        let span_of_text = place(start..start + text.len());
        let expr = self.expression(text, scope, |range| {
            (scalar, start + range.start..start + range.end, value)
        })?;
        Some(Part::Expression(Embedded { expr, span: span_of_text }))
    }

    /// Parses an expression; `place` says which scalar its text is part of, and where in it.
    pub(crate) fn expression<'t>(
        &mut self,
        text: &str,
        scope: &Scope,
        place: impl FnOnce(std::ops::Range<usize>) -> (ScalarPlace, std::ops::Range<usize>, &'t str),
    ) -> Option<Expr> {
        let error = match Expr::parse(text, scope) {
            Ok(expr) => return Some(expr),
            Err(error) => error,
        };
        let word = word_at(text, error.offset);
        let range = error.offset.min(text.len())..(error.offset + word.len()).min(text.len());
        let (scalar, range, value) = place(range);
        let place = yaml::locate(self.source, scalar, value, range);
        let mut diagnostic = Diagnostic::error(RULE, self.source, place, error.to_string());
        diagnostic.hint = if error.message.starts_with("Unrecognized function") {
            Some(function_remedy(word, scope))
        } else {
            remedy(word, scope).or(error.hint)
        };
        self.report(diagnostic);
        None
    }
}

/// Every function there is, besides those that depend on the place.
const FUNCTIONS: &[&str] =
    &["contains", "startsWith", "endsWith", "format", "join", "toJSON", "fromJSON", "case"];
/// The functions that depend on the place.
const PLACE_FUNCTIONS: &[&str] = &["always", "cancelled", "success", "failure", "hashFiles"];

/// What to do about a function that is not there.
fn function_remedy(word: &str, scope: &Scope) -> String {
    let bare = |entry: &&'static str| entry.split('(').next().unwrap_or("");
    let names: Vec<&str> = FUNCTIONS.iter().chain(scope.functions).map(bare).collect();
    if PLACE_FUNCTIONS.iter().any(|it| it.eq_ignore_ascii_case(word)) {
        return format!("`{word}` cannot be called in this place");
    }
    match nearest(word, &names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the functions here are: {}", names.join(", ")),
    }
}

/// What to do about a name that an expression may not use.
fn remedy(word: &str, scope: &Scope) -> Option<String> {
    let available = || match scope.contexts {
        [] => "no context can be used here".to_owned(),
        contexts => format!("the contexts here are: {}", contexts.join(", ")),
    };
    if word.is_empty()
        || !word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-')
    {
        return word
            .starts_with('"')
            .then(|| "text in an expression takes single quotes".to_owned());
    }
    if CONTEXTS.iter().any(|context| context.eq_ignore_ascii_case(word)) {
        return Some(format!("`{word}` is not available in this place; {}", available()));
    }
    let names: Vec<&str> = scope.contexts.iter().chain(scope.functions).copied().collect();
    match nearest(word, &names) {
        Some(meant) => Some(format!("did you mean `{meant}`?")),
        None => Some(format!("text takes single quotes: '{word}'; {}", available())),
    }
}

/// The name, or the one character, at an offset of an expression.
fn word_at(text: &str, offset: usize) -> &str {
    let rest = text.get(offset..).unwrap_or("");
    let name = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let end = rest.find(|it| !name(it)).unwrap_or(rest.len());
    let first = rest.chars().next().map_or(0, char::len_utf8);
    &rest[..end.max(first)]
}

/// Cuts a scalar into text and expressions; `None` where one is not closed.
pub(crate) fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("${{").map(|it| it + at) {
        if open > at {
            pieces.push(Piece::Text(&text[at..open]));
        }
        let inner = open + 3;
        let close = expr::find_close(text, inner)?;
        pieces.push(Piece::Expression(&text[inner..close], inner));
        at = close + 2;
    }
    if at < text.len() {
        pieces.push(Piece::Text(&text[at..]));
    }
    Some(pieces)
}

/// The text of an expression that is one quoted text and nothing else.
pub(crate) fn string_literal(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let unescaped = inner.replace("''", "\u{0}");
    (!unescaped.contains('\'') && !inner.contains('\u{0}')).then(|| unescaped.replace('\u{0}', "'"))
}
