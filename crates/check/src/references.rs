//! What expressions read: `steps.build.outputs.tag` as its parts, with its place.
//!
//! This is a look at the text, not a parser: the reader has parsed every expression already and has
//! refused what cannot be. Literals are skipped, calls are told from names, an index that is not a
//! literal is `*`.

use std::ops::Range;

/// One chain of names in an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    /// The names from the context on.
    pub(crate) parts: Vec<&'a str>,
    /// Its bytes in the text that was searched.
    pub(crate) range: Range<usize>,
}

impl Path<'_> {
    /// Whether it begins with these names, ignoring case (conformance 79); `*` there fits anything.
    pub(crate) fn begins(&self, names: &[&str]) -> bool {
        self.parts.len() >= names.len()
            && names
                .iter()
                .zip(&self.parts)
                .all(|(name, part)| *name == "*" || name.eq_ignore_ascii_case(part))
    }
}

/// The bytes between `${{` and `}}`, for each expression of a text.
pub(crate) fn expressions(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("${{") {
        let start = from + open + 3;
        let end = close(text, start);
        found.push(start..end);
        from = end;
    }
    found
}

/// Where the expression that begins at `start` ends: `}}` in a quoted text does not count.
fn close(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && bytes.get(at + 1) == Some(&b'}') => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The paths in one expression; ranges count from the start of `text`, of which `range` is searched.
pub(crate) fn paths(text: &str, range: Range<usize>) -> Vec<Path<'_>> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let byte = text.as_bytes()[at];
        if byte == b'\'' {
            at = literal_end(text, at, range.end);
        } else if byte.is_ascii_digit() {
            at = word_end(text, at, range.end);
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            let (path, end) = path(text, at, range.end);
            at = end;
            let called = text[at..range.end].trim_start().starts_with('(');
            let literal = path.parts.len() == 1
                && matches!(path.parts[0], "true" | "false" | "null" | "NaN" | "Infinity");
            if !called && !literal {
                found.push(path);
            }
        } else {
            at += 1;
        }
    }
    found
}

fn literal_end(text: &str, open: usize, limit: usize) -> usize {
    text[open + 1..limit].find('\'').map_or(limit, |length| open + 1 + length + 1)
}

fn word_end(text: &str, start: usize, limit: usize) -> usize {
    let part_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let length = text.as_bytes()[start..limit].iter().take_while(|byte| part_of_word(byte)).count();
    start + length
}

fn path(text: &str, start: usize, limit: usize) -> (Path<'_>, usize) {
    let mut end = word_end(text, start, limit);
    let mut parts = vec![&text[start..end]];
    while end < limit {
        let rest = &text[end..limit];
        if let Some(name) = rest.strip_prefix('.') {
            if name.starts_with('*') {
                parts.push("*");
                end += 2;
                continue;
            }
            let name_end = word_end(text, end + 1, limit);
            if name_end == end + 1 {
                break;
            }
            parts.push(&text[end + 1..name_end]);
            end = name_end;
        } else if rest.starts_with("['") {
            let close = literal_end(text, end + 1, limit);
            if !text[close..limit].starts_with(']') {
                break;
            }
            parts.push(&text[end + 2..close - 1]);
            end = close + 1;
        } else if rest.starts_with('[') {
            // What stands inside is searched on its own.
            parts.push("*");
            end += 1;
            break;
        } else {
            break;
        }
    }
    (Path { parts, range: start..end }, end)
}

#[cfg(test)]
mod tests {
    use super::{expressions, paths};
    use expect_test::{Expect, expect};

    #[expect(clippy::needless_pass_by_value, reason = "the macro makes the value at the call")]
    fn check(text: &str, expect: Expect) {
        let mut seen = String::new();
        for range in expressions(text) {
            for path in paths(text, range) {
                seen += &format!("{} <- {}\n", path.parts.join(" / "), &text[path.range.clone()]);
            }
        }
        expect.assert_eq(&seen);
    }

    #[test]
    fn paths_are_told_from_calls_and_literals() {
        check(
            "a ${{ contains(github.event.pull_request.labels.*.name, 'x.y') && true }} b",
            expect![[r#"
                github / event / pull_request / labels / * / name <- github.event.pull_request.labels.*.name
            "#]],
        );
        check(
            "${{ steps['a-b'].outputs.c }} ${{ fromJSON(needs.x.outputs[env.NAME]) || 'it''s }}' }}",
            expect![[r#"
                steps / a-b / outputs / c <- steps['a-b'].outputs.c
                needs / x / outputs / * <- needs.x.outputs[
                env / NAME <- env.NAME
            "#]],
        );
        check(
            "${{ 1.5e3 == x }} ${{ open",
            expect![[r#"
            x <- x
            open <- open
        "#]],
        );
    }
}
