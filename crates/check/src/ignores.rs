//! `# launchway: ignore[rule] reason`: findings that a person has judged.
//!
//! Comments are not in the YAML tree, so they are looked for in the text: a `#` at the start of a line
//! or behind a blank, followed by the marker. The same text inside a script's comment counts as well:
//! a finding in a script is best switched off where it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::{Diagnostic, Source, Span};

use crate::findings::Findings;
use crate::rules::{self, IGNORE_WITHOUT_REASON};

const MARKER: &str = "launchway: ignore[";

/// The ignores of one file.
#[derive(Debug)]
pub(crate) struct Ignores<'a> {
    /// Line (from 1) to the rules that a comment on it switches off.
    by_line: BTreeMap<u32, Vec<String>>,
    mistakes: Findings<'a>,
}

impl<'a> Ignores<'a> {
    pub(crate) fn read(source: &'a Arc<Source>) -> Ignores<'a> {
        let mut ignores = Ignores { by_line: BTreeMap::new(), mistakes: Findings::new(source) };
        ignores.mistakes.begin(IGNORE_WITHOUT_REASON);
        let text = source.text();
        for (at, _) in text.match_indices(MARKER) {
            let before = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let comment = text[before..at].trim_end_matches(' ');
            let is_comment = comment.ends_with('#')
                && comment[..comment.len() - 1].chars().next_back().is_none_or(char::is_whitespace);
            if is_comment {
                ignores.take(source, at);
            }
        }
        ignores
    }

    fn take(&mut self, source: &Arc<Source>, at: usize) {
        let text = source.text();
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let span = Span::new(at, end);
        let rest = &text[at + MARKER.len()..end];
        let Some((names, reason)) = rest.split_once(']') else {
            let hint = "write `# launchway: ignore[rule] reason`";
            let message = "the rule's name is not closed by `]`";
            self.mistakes.warning(span, message.to_owned(), hint);
            return;
        };
        let names = names.split(',').map(str::trim);
        let (known, unknown): (Vec<&str>, Vec<&str>) = names.partition(|name| rules::exists(name));
        for name in unknown {
            let hint = "the rules stand in docs/rules";
            self.mistakes.warning(span, format!("there is no rule '{name}'"), hint);
        }
        if known.is_empty() {
            return;
        }
        if reason.trim().is_empty() {
            let hint = "say behind the bracket why the finding does not matter here";
            let message = format!("'{}' is switched off without a reason", known.join(", "));
            self.mistakes.warning(span, message, hint);
            return;
        }
        let line = source.place(span.start).line;
        self.by_line.entry(line).or_default().extend(known.into_iter().map(String::from));
    }

    /// Takes away what is switched off and adds what is wrong with the comments themselves.
    pub(crate) fn apply(self, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if !self.by_line.is_empty() {
            found.retain(|finding| !self.covers(finding));
        }
        found.extend(self.mistakes.into_list());
        found
    }

    /// Whether a comment on its line, or on the line above, switches it off.
    pub(crate) fn covers(&self, finding: &Diagnostic) -> bool {
        let Some(label) = finding.labels.first() else { return false };
        let line = label.source.place(label.span.start).line;
        let named = |line: u32| {
            self.by_line.get(&line).is_some_and(|rules| rules.iter().any(|r| r == finding.rule))
        };
        named(line) || named(line.saturating_sub(1))
    }
}
