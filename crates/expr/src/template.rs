//! Where a `${{ }}` ends.

/// The byte offset of the `}}` that closes an expression whose text begins at `from` (just behind
/// its `${{`). `}}` inside a quoted string does not close (conformance 16). `None`: never closed.
#[must_use]
pub fn find_close(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            // A doubled quote leaves the string and enters it again at once.
            b'\'' => quoted = !quoted,
            b'}' if !quoted && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: conformance 16
    #[test]
    fn c16_braces_inside_a_string_do_not_close() {
        for (text, from, expected) in [
            ("${{ a }} b", 3, Some(6)),
            ("${{ '}}' }}", 3, Some(9)),
            ("${{ 'it''s }}' }}", 3, Some(15)),
            ("${{ '}}", 3, None),
            ("${{ a }", 3, None),
            ("${{ a", 3, None),
            ("${{}}", 3, Some(3)),
            ("${{ a }}}", 3, Some(6)),
            ("${{ 'ü' }}", 3, Some(9)),
            ("", 0, None),
            ("a", 9, None),
        ] {
            assert_eq!(find_close(text, from), expected, "{text}");
        }
    }
}
