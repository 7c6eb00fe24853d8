//! What a rule found, mended in the user's own text, where there is one way to do it.
//!
//! ```text
//!   text ──▶ tree, findings ──▶ the first that has a mend ──▶ edits ──▶ text   and again, until none is left
//! ```
//!
//! A mend changes the lines that it is about and leaves all others as they are, comments and blanks
//! included. It counts only if it takes findings away and brings none: one that does not is left, and
//! told. What has several remedies, or needs something that stands in no file, has no mend.

mod edit;
mod remedies;

use std::sync::Arc;

use syntax::{Diagnostic, RuleId, Severity, Source, yaml};

use crate::subject::Subject;
use crate::{CheckContext, check_node};
use edit::Text;

/// Each round takes a finding away; a file with more is nobody's to mend by machine.
const ROUNDS_MAX: usize = 200;

/// A file with what could be mended in it.
#[derive(Clone, Debug)]
pub struct Mended {
    /// Its text.
    pub text: String,
    /// What was wrong and is not any more: the rule, and its message.
    pub mended: Vec<(RuleId, String)>,
    /// What is still to be said about it, notes left out.
    pub left: Vec<Diagnostic>,
}

/// Mends a workflow file. `shown` is its name in messages. A file that cannot be read stays as it is.
pub fn mend(shown: &str, text: &str) -> Mended {
    let mut text = text.to_owned();
    let mut mended = Vec::new();
    // Findings whose mend did not help, by what they say.
    let mut hopeless: Vec<(RuleId, String)> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let Some((finding, better)) = round(shown, &text, &hopeless) else { break };
        let key = (finding.rule, finding.message.clone());
        let before = findings(shown, &text).len();
        let after = findings(shown, &better);
        let parses = yaml::read(&Source::new(shown, better.clone())).1.is_empty();
        if parses && after.len() < before {
            text = better;
            mended.push(key);
        } else {
            hopeless.push(key);
        }
    }
    let left = findings(shown, &text);
    let left = left.into_iter().filter(|it| it.severity > Severity::Note).collect();
    Mended { text, mended, left }
}

/// All but what tells how a file could be better: tags instead of commits, limits of time.
fn findings(shown: &str, text: &str) -> Vec<Diagnostic> {
    let source = Source::new(shown, text);
    let (root, _) = yaml::read(&source);
    let found =
        root.map_or_else(Vec::new, |root| check_node(&source, &root, &CheckContext::default()));
    let counts = |it: &Diagnostic| it.severity > Severity::Note || remedies::has_mend(it.rule);
    found.into_iter().filter(counts).filter(|it| !is_advice(it)).collect()
}

fn is_advice(finding: &Diagnostic) -> bool {
    finding.severity == Severity::Note && finding.rule == "unpinned-action"
}

/// The first finding with a mend, and the text without it.
fn round(shown: &str, text: &str, hopeless: &[(RuleId, String)]) -> Option<(Diagnostic, String)> {
    let source: Arc<Source> = Source::new(shown, text);
    let root = yaml::read(&source).0?;
    let context = CheckContext::default();
    let subject = Subject::new(&source, root.as_mapping()?, &context);
    let known = |it: &Diagnostic| {
        hopeless.iter().any(|(rule, message)| *rule == it.rule && *message == it.message)
    };
    let found = findings(shown, text);
    found.into_iter().filter(|it| !known(it)).find_map(|finding| {
        let at = finding.labels.first()?.span;
        let better = remedies::apply(&subject, &finding, at, Text::new(text))?;
        (better != text).then_some((finding, better))
    })
}
