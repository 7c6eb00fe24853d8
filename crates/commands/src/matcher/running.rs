//! A job's problem matchers at work.

use std::borrow::Cow;

use regress::Match;

use super::config::{Groups, MatcherConfig, Pattern};
use crate::workflow_command::{Annotation, Level};

/// Lines of more bytes are not matched: the engine backtracks, and cannot be stopped.
pub const LINE_LIMIT: usize = 4096;

/// What a line was to the matchers.
#[derive(PartialEq, Eq, Debug)]
pub enum MatchOutcome {
    /// Text: show it.
    Text,
    /// A problem: annotate it. The log shows the line itself, without colours, as an error, a
    /// warning or a notice.
    Problem {
        /// The annotation.
        annotation: Annotation,
        /// The line without colours.
        line: String,
    },
}

/// A job's matchers, the newest first.
#[derive(Clone, Default)]
pub struct Matchers {
    matchers: Vec<Running>,
}

#[derive(Clone)]
struct Running {
    config: MatcherConfig,
    /// What the patterns before the last one found, each with what those before it found.
    found: Vec<Option<Found>>,
}

/// What a match, and the ones before it, captured.
#[derive(Clone, Default)]
struct Found {
    file: Option<String>,
    line: Option<String>,
    column: Option<String>,
    severity: Option<String>,
    code: Option<String>,
    message: Option<String>,
    from_path: Option<String>,
}

impl Matchers {
    /// A job without matchers.
    pub fn new() -> Matchers {
        Matchers::default()
    }

    /// Are there none? Then no line needs to be shown to them.
    pub fn is_empty(&self) -> bool {
        self.matchers.is_empty()
    }

    /// Adds a matcher in front; an older one of the same owner goes.
    pub fn add(&mut self, config: MatcherConfig) {
        self.remove(&config.owner);
        self.matchers.insert(0, Running::new(config));
    }

    /// Removes an owner's matcher, if there is one.
    pub fn remove(&mut self, owner: &str) {
        self.matchers.retain(|it| it.config.owner.to_lowercase() != owner.to_lowercase());
    }

    /// The owners, the newest first.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        self.matchers.iter().map(|it| it.config.owner.as_str())
    }

    /// Looks at a line that is no command.
    pub fn look(&mut self, line: &[u8]) -> MatchOutcome {
        if self.matchers.is_empty() || line.len() > LINE_LIMIT {
            return MatchOutcome::Text;
        }
        let line = String::from_utf8_lossy(line);
        let line = without_colours(&line);
        for index in 0..self.matchers.len() {
            let Some(found) = self.matchers[index].look(&line) else { continue };
            for (other, matcher) in self.matchers.iter_mut().enumerate() {
                if other != index {
                    matcher.reset();
                }
            }
            // A match without a message, or of an unknown severity, is none: the others look too.
            if let Some(annotation) = found.annotation() {
                return MatchOutcome::Problem { annotation, line: line.into_owned() };
            }
        }
        MatchOutcome::Text
    }
}

impl Running {
    fn new(config: MatcherConfig) -> Running {
        let found = vec![None; config.patterns.len() - 1];
        Running { config, found }
    }

    fn reset(&mut self) {
        self.found.fill(None);
    }

    /// Lets the line advance every pattern whose predecessor matched, the last one first, so that a
    /// line advances each only once (conformance 195).
    fn look(&mut self, line: &str) -> Option<Found> {
        let last = self.config.patterns.len() - 1;
        for index in (0..=last).rev() {
            let before = match index {
                0 => None,
                _ => match &self.found[index - 1] {
                    None => continue,
                    Some(found) => Some(found.clone()),
                },
            };
            let pattern = &self.config.patterns[index];
            let found = find(pattern, line)
                .map(|found| Found::new(before.as_ref(), line, &found, pattern.groups));
            if index < last {
                self.found[index] = found;
                continue;
            }
            let Some(mut found) = found else {
                if index > 0 {
                    self.found[index - 1] = None;
                }
                continue;
            };
            let repeats = pattern.repeats;
            self.reset();
            if repeats {
                self.found[index - 1] = before;
            }
            found.default_to(&self.config);
            return Some(found);
        }
        None
    }
}

fn find(pattern: &Pattern, line: &str) -> Option<Match> {
    if pattern.guard.as_ref().is_some_and(|it| !it.is_match(line)) {
        return None;
    }
    // The engine's ASCII mode is faster, and means the same for such a line.
    if line.is_ascii() { pattern.regex.find_ascii(line) } else { pattern.regex.find(line) }
}

impl Found {
    /// What an earlier pattern found stays.
    fn new(before: Option<&Found>, line: &str, found: &Match, groups: Groups) -> Found {
        let earlier = before.cloned().unwrap_or_default();
        // A group that took no part counts as empty.
        let text = |group: Option<usize>| {
            group.map(|it| found.group(it).map_or("", |range| &line[range]).to_owned())
        };
        Found {
            file: earlier.file.or_else(|| text(groups.file)),
            line: earlier.line.or_else(|| text(groups.line)),
            column: earlier.column.or_else(|| text(groups.column)),
            severity: earlier.severity.or_else(|| text(groups.severity)),
            code: earlier.code.or_else(|| text(groups.code)),
            message: earlier.message.or_else(|| text(groups.message)),
            from_path: earlier.from_path.or_else(|| text(groups.from_path)),
        }
    }

    fn default_to(&mut self, config: &MatcherConfig) {
        let empty = |it: &Option<String>| it.as_deref().unwrap_or_default().is_empty();
        if empty(&self.severity) {
            self.severity.clone_from(&config.severity);
        }
        if empty(&self.from_path) {
            self.from_path.clone_from(&config.from_path);
        }
    }

    fn annotation(self) -> Option<Annotation> {
        let filled = |it: Option<String>| it.filter(|text| !text.trim().is_empty());
        let number = |it: Option<String>| {
            it.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
        };
        let severity = self.severity.unwrap_or_default().to_ascii_lowercase();
        let level = match severity.as_str() {
            "" | "error" => Level::Error,
            "warning" => Level::Warning,
            "notice" => Level::Notice,
            _ => return None,
        };
        Some(Annotation {
            file: filled(self.file),
            from_path: filled(self.from_path),
            line: number(self.line),
            column: number(self.column),
            code: filled(self.code).map(|code| code.trim().to_owned()),
            ..Annotation::new(level, filled(self.message)?)
        })
    }
}

/// Takes out the escapes that colour text: `ESC [`, digits and semicolons, `m`.
fn without_colours(line: &str) -> Cow<'_, str> {
    const START: &str = "\u{1b}[";
    let Some((first, mut rest)) = line.split_once(START) else { return Cow::Borrowed(line) };
    let mut plain = first.to_owned();
    loop {
        let code = rest.trim_start_matches(|it: char| it.is_ascii_digit() || it == ';');
        rest = code.strip_prefix('m').unwrap_or(code);
        let Some((text, next)) = rest.split_once(START) else { break };
        plain.push_str(text);
        rest = next;
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
