//! What the rules have found so far.

use std::sync::Arc;

use syntax::{Diagnostic, RuleId, Severity, Source, Span};

use crate::OF_RULE_MAX;

/// Takes findings from one rule after the other.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    source: &'a Arc<Source>,
    rule: RuleId,
    of_rule: usize,
    list: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(source: &'a Arc<Source>) -> Findings<'a> {
        Findings { source, rule: "", of_rule: 0, list: Vec::new() }
    }

    /// The next findings are this rule's.
    pub(crate) fn begin(&mut self, rule: RuleId) {
        self.rule = rule;
        self.of_rule = 0;
    }

    /// This rule may as well stop looking.
    pub(crate) fn full(&self) -> bool {
        self.of_rule >= OF_RULE_MAX
    }

    pub(crate) fn error(&mut self, span: Span, message: String, hint: impl Into<String>) {
        self.add(Severity::Error, span, message, hint.into());
    }

    pub(crate) fn warning(&mut self, span: Span, message: String, hint: impl Into<String>) {
        self.add(Severity::Warning, span, message, hint.into());
    }

    pub(crate) fn note(&mut self, span: Span, message: String, hint: impl Into<String>) {
        self.add(Severity::Note, span, message, hint.into());
    }

    pub(crate) fn add(&mut self, severity: Severity, span: Span, message: String, hint: String) {
        if self.full() {
            return;
        }
        self.of_rule += 1;
        if self.of_rule == OF_RULE_MAX {
            let message = format!("this rule has found {OF_RULE_MAX} places and looks no further");
            let hint = "mend or switch off the others, then look again".to_owned();
            self.list
                .push(Diagnostic::new(self.rule, severity, self.source, span, message).hint(hint));
            return;
        }
        let finding = Diagnostic::new(self.rule, severity, self.source, span, message);
        self.list.push(finding.hint(hint));
    }

    pub(crate) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }
}
