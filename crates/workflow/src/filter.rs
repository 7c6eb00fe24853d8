//! Filter patterns: `branches`, `tags`, `paths` (conformance 29 to 31, 34).
//!
//! Not shell globbing: `?` and `+` repeat the character before them, and `**` crosses slashes
//! anywhere. Each pattern becomes a regular expression over the whole text, which is linear in time.
//! It is compiled when it is first asked: that costs more than reading the rest of a small file, and
//! `check` never asks.

use std::sync::OnceLock;

use regex::Regex;
use syntax::Span;

/// One pattern of a filter list.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    span: Span,
    negative: bool,
    expression: String,
    compiled: OnceLock<Regex>,
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing in it, or only `!`.
    #[error("the pattern is empty")]
    Empty,
    /// `?` or `+` without anything before it.
    #[error("`{0}` repeats the character before it, but there is none")]
    NothingToRepeat(char),
    /// A `[` without `]`.
    #[error("`[` is not closed")]
    Unclosed,
    /// `[]`
    #[error("`[]` holds no character")]
    EmptySet,
    /// A range such as `[a-Z]`.
    #[error("the range `{0}` does not run inside a-z, A-Z or 0-9")]
    Range(String),
    /// A backslash that ends the pattern.
    #[error("nothing follows the last `\\`")]
    TrailingEscape,
    /// Larger than the engine takes.
    #[error("the pattern is too large")]
    TooLarge,
}

/// Bytes of a compiled pattern; a filter is a line that a person wrote.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// Patterns up to here never compile to more than that, whatever they hold, so that nothing is lost
/// by waiting.
const BODY_BYTES_SURE: usize = 256;

impl Pattern {
    /// Reads a pattern of a list; a leading `!` takes away what earlier ones took in.
    pub fn parse(text: &str, span: Span) -> Result<Pattern, PatternError> {
        let (negative, body) = match text.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let expression = translate(body)?;
        let compiled = match body.len() {
            0..=BODY_BYTES_SURE => OnceLock::new(),
            _ => OnceLock::from(compile(&expression)?),
        };
        Ok(Pattern { text: text.to_owned(), span, negative, expression, compiled })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Whether it begins with `!`.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether it fits the whole text, a leading `!` left aside.
    pub fn fits(&self, text: &str) -> bool {
        let compile = || compile(&self.expression).expect("a short pattern is never too large");
        self.compiled.get_or_init(compile).is_match(text)
    }
}

/// Whether a list takes the text: the last pattern that fits decides (conformance 30).
pub fn takes(patterns: &[Pattern], text: &str) -> bool {
    let last = patterns.iter().rev().find(|pattern| pattern.fits(text));
    last.is_some_and(|pattern| !pattern.is_negative())
}

/// The pattern as a regular expression.
fn translate(body: &str) -> Result<String, PatternError> {
    if body.is_empty() {
        return Err(PatternError::Empty);
    }
    let mut regex = String::from(r"(?s)\A");
    let mut rest = body;
    // `**/x` also takes `x` at the root, and `a/**/b` takes `a/b`.
    let mut repeatable = false;
    while let Some(character) = rest.chars().next() {
        let at_segment = rest.len() == body.len() || body[..body.len() - rest.len()].ends_with('/');
        if at_segment && rest.starts_with("**/") {
            regex.push_str("(?:.*/)?");
            rest = &rest[3..];
            repeatable = false;
            continue;
        }
        let next = &rest[character.len_utf8()..];
        let repeated = matches!(character, '?' | '+');
        if repeated && !repeatable {
            return Err(PatternError::NothingToRepeat(character));
        }
        rest = match character {
            '*' if next.starts_with('*') => {
                regex.push_str(".*");
                next.trim_start_matches('*')
            }
            '*' => {
                regex.push_str("[^/]*");
                next
            }
            '?' | '+' => {
                regex.push(character);
                next
            }
            '[' => push_set(&mut regex, next)?,
            '\\' => {
                let escaped = next.chars().next().ok_or(PatternError::TrailingEscape)?;
                push_literal(&mut regex, escaped);
                &next[escaped.len_utf8()..]
            }
            other => {
                push_literal(&mut regex, other);
                next
            }
        };
        repeatable = !repeated && character != '*';
    }
    regex.push_str(r"\z");
    Ok(regex)
}

fn compile(expression: &str) -> Result<Regex, PatternError> {
    regex::RegexBuilder::new(expression)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|_| PatternError::TooLarge)
}

/// As it is, also inside of a set: what is escaped covers both.
fn push_literal(regex: &mut String, character: char) {
    regex.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
}

/// `[..]`: characters and ranges; gives what follows the `]`.
fn push_set<'p>(regex: &mut String, text: &'p str) -> Result<&'p str, PatternError> {
    let end = text.find(']').ok_or(PatternError::Unclosed)?;
    let characters: Vec<char> = text[..end].chars().collect();
    if characters.is_empty() {
        return Err(PatternError::EmptySet);
    }
    regex.push('[');
    let mut at = 0;
    while at < characters.len() {
        let first = characters[at];
        if let (Some('-'), Some(last)) = (characters.get(at + 1), characters.get(at + 2)) {
            if !range_fits(first, *last) {
                return Err(PatternError::Range(format!("{first}-{last}")));
            }
            regex.push(first);
            regex.push('-');
            regex.push(*last);
            at += 3;
        } else {
            push_literal(regex, first);
            at += 1;
        }
    }
    regex.push(']');
    Ok(&text[end + 1..])
}

fn range_fits(first: char, last: char) -> bool {
    let kind = |it: char| match it {
        'a'..='z' => 1,
        'A'..='Z' => 2,
        '0'..='9' => 3,
        _ => 0,
    };
    kind(first) != 0 && kind(first) == kind(last) && first <= last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_late_always_compiles() {
        for piece in [
            "*",
            "**",
            "**/",
            "a**/",
            "?",
            "a?",
            "é+",
            "[a-zA-Z0-9]",
            "[é-]",
            "[<>&~^]",
            "[ß]*",
            "\\\\",
            "/*",
            "漢",
        ] {
            let body = "x".to_owned() + &piece.repeat((BODY_BYTES_SURE - 1) / piece.len());
            if let Ok(pattern) = Pattern::parse(&body, Span::default()) {
                assert!(pattern.compiled.get().is_none());
                assert!(!pattern.fits("\n"), "{body}");
            }
        }
    }

    #[test]
    fn what_is_too_large_is_refused_when_it_is_read() {
        let body = "*".to_owned() + &"a*".repeat(100_000);
        assert_eq!(Pattern::parse(&body, Span::default()).unwrap_err(), PatternError::TooLarge);
    }
}
