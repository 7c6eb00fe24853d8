//! From an offset in a scalar's value back to the text that the user wrote.

use std::ops::Range;

use crate::yaml::{ScalarPlace, ScalarStyle};
use crate::{Source, Span};

/// Where `range` of a scalar's `value` stands in the source, given the scalar's own place.
///
/// Blanks and line breaks may be folded, indentation is taken away and quotes have escapes, so the
/// value and its text are walked side by side. All other characters stand in both in the same order,
/// which makes their places exact. Where the two do not fit (the node came through an alias or from
/// JSON) the answer is the whole scalar.
pub fn locate(source: &Source, place: ScalarPlace, value: &str, range: Range<usize>) -> Span {
    let scalar = place.span;
    let text = source.slice(scalar);
    let quote = match place.style {
        ScalarStyle::SingleQuoted => Some('\''),
        ScalarStyle::DoubleQuoted => Some('"'),
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => None,
    };
    let body = match quote {
        Some(quote) if text.starts_with(quote) => 1,
        None if !text.is_empty() => 0,
        _ => return scalar,
    };
    let base = scalar.start as usize;
    let mut walk = Walk { text, at: body, quote };
    let Some(start) = walk.advance(value, 0..range.start) else { return scalar };
    let start = walk.skip_to(value[range.start..].chars().next()).unwrap_or(start);
    if range.is_empty() {
        return Span::new(base + start, base + start);
    }
    match walk.advance(value, range) {
        Some(end) => Span::new(base + start, base + end),
        None => scalar,
    }
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    quote: Option<char>,
}

impl Walk<'_> {
    /// Walks over `range` of the value; gives the offset in the text behind it.
    fn advance(&mut self, value: &str, range: Range<usize>) -> Option<usize> {
        for wanted in value.get(range)?.chars() {
            self.step(wanted)?;
        }
        Some(self.at)
    }

    /// Passes over blanks that have no counterpart in the value before a character that is not blank.
    fn skip_to(&mut self, wanted: Option<char>) -> Option<usize> {
        if wanted.is_none_or(char::is_whitespace) {
            return None;
        }
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        Some(self.at)
    }

    fn step(&mut self, wanted: char) -> Option<()> {
        loop {
            let Some(found) = self.text[self.at..].chars().next() else {
                return wanted.is_whitespace().then_some(());
            };
            if found == '\\' && self.quote == Some('"') {
                return self.escape();
            }
            if found == wanted {
                let doubled = found == '\'' && self.quote == Some('\'');
                self.at += found.len_utf8() * if doubled { 2 } else { 1 };
                return Some(());
            }
            if found.is_whitespace() {
                self.at += found.len_utf8();
            } else {
                // A line break that was folded to a blank is passed already.
                return wanted.is_whitespace().then_some(());
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let rest = &self.text[self.at + 1..];
        let kind = rest.chars().next()?;
        let length = match kind {
            'x' => 3,
            'u' => 5,
            'U' => 9,
            // An escaped line break has no counterpart in the value.
            '\n' | '\r' => return None,
            other => other.len_utf8(),
        };
        self.at = (self.at + 1 + length).min(self.text.len());
        self.text.is_char_boundary(self.at).then_some(())
    }
}
