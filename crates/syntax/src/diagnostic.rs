//! One mistake, as plain data; the terminal, JSON and GitHub annotations are faces of the same one.

use std::fmt;
use std::sync::Arc;

use crate::source::{Source, Span};
use crate::yaml::DIAGNOSTICS_MAX;

/// The name of the rule that found it, in kebab-case; also the name of its file and docs page.
pub type RuleId = &'static str;

/// How bad it is. Only an error refuses the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Works, but surely not as meant.
    Warning,
    /// GitHub would refuse it, or it must fail when it runs.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// A piece of the user's text and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text it lies in.
    pub source: Arc<Source>,
    /// Where.
    pub span: Span,
    /// Said under the text; may be empty.
    pub text: String,
}

/// One finding. The first label is its primary place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule.
    pub rule: RuleId,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, a fragment in lower case without full stop (GitHub's own wording where it has one).
    pub message: String,
    /// Where; the first is the primary place. Empty only where there is no text to point at.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A finding at one place.
    pub fn new(
        rule: RuleId,
        severity: Severity,
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
    ) -> Diagnostic {
        let label = Label { source: Arc::clone(source), span, text: String::new() };
        Diagnostic { rule, severity, message: message.into(), labels: vec![label], hint: None }
    }

    /// An error at one place.
    pub fn error(
        rule: RuleId,
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(rule, Severity::Error, source, span, message)
    }

    /// A warning at one place.
    pub fn warning(
        rule: RuleId,
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(rule, Severity::Warning, source, span, message)
    }

    /// Adds the remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a second place, with what is to be seen there.
    #[must_use]
    pub fn label(
        mut self,
        source: &Arc<Source>,
        span: Span,
        text: impl Into<String>,
    ) -> Diagnostic {
        self.labels.push(Label { source: Arc::clone(source), span, text: text.into() });
        self
    }

    /// Adds it to what was found in a file. Where the list is full an error takes the place of what
    /// is none: a file that is refused must say so, however many warnings stand before it.
    pub fn keep(self, found: &mut Vec<Diagnostic>) {
        if found.len() < DIAGNOSTICS_MAX {
            found.push(self);
        } else if self.severity == Severity::Error
            && let Some(less) = found.iter_mut().find(|it| it.severity < Severity::Error)
        {
            *less = self;
        }
    }
}
