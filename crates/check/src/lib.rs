//! Mistakes found before the push: one file for each rule.
//!
//! What GitHub refuses when it reads a file is found by the reader. The rules here find what it shows
//! only at run time, or never: a token without its permission, a service that cannot be reached, an
//! output that nobody sets. They look at the file as it is written ([`syntax::Node`]), because a rule
//! has to see what the user sees (`3.10` before it becomes 3.1), and they keep quiet where another
//! meaning is possible: a rule that cries wolf is switched off by its second week.
//!
//! A rule is one file in `rules/`, one line in its registration list, and one page in `docs/rules`
//! whose bad and good example are its test. A comment `# launchway: ignore[rule] reason` switches one
//! finding off.

mod findings;
mod ignores;
mod known_actions;
mod mend;
mod references;
mod rules;
mod shell;
mod subject;

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::{Diagnostic, Node, RuleId, Source};

pub use mend::{Mended, mend};

use crate::findings::Findings;
use crate::ignores::Ignores;
use crate::rules::RULES;
use crate::subject::Subject;

/// Findings of one rule in one file, the last of which says that there are more: nobody reads them
/// all, and placing each costs time.
pub const OF_RULE_MAX: usize = 200;

/// What the rules may know besides the file itself.
#[derive(Clone, Debug, Default)]
pub struct CheckContext<'a> {
    /// Workflow files of the same repository, by path from its root (`.github/workflows/x.yml`):
    /// what a call of a reusable workflow is checked against.
    pub workflows: BTreeMap<Arc<str>, &'a Node>,
}

/// The names of all rules, in the order of the docs' index.
pub fn rule_ids() -> impl Iterator<Item = RuleId> {
    RULES.iter().map(|rule| rule.id)
}

/// Looks at one workflow file with every rule. `root` is the tree that [`syntax::yaml::read`] gave for
/// `source`. The findings come in the order of their places.
pub fn check_node(
    source: &Arc<Source>,
    root: &Node,
    context: &CheckContext<'_>,
) -> Vec<Diagnostic> {
    let Some(mapping) = root.as_mapping() else { return Vec::new() };
    let subject = Subject::new(source, mapping, context);
    let mut findings = Findings::new(source);
    for rule in RULES {
        findings.begin(rule.id);
        (rule.look)(&subject, &mut findings);
    }
    let ignores = Ignores::read(source);
    let mut found = ignores.apply(findings.into_list());
    found.sort_by_key(|finding| finding.labels.first().map_or(0, |label| label.span.start));
    found
}

/// Takes away what comments in `source` switch off. For warnings that the reader gives under a
/// rule's name (`condition-always-true`); what [`check_node`] gives has been through it.
pub fn without_ignored(source: &Arc<Source>, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let ignores = Ignores::read(source);
    found.into_iter().filter(|finding| !ignores.covers(finding)).collect()
}
