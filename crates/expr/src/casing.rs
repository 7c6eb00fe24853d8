//! Texts compared without case, as .NET's ordinal-ignore-case does: one character at a time,
//! by simple mapping, with no culture.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The one form that all spellings of a text share.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Owned(text.chars().map(|it| upper(it).to_ascii_lowercase()).collect())
}

/// Whether two texts are equal but for case.
pub(crate) fn equal(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.chars().map(upper).eq(right.chars().map(upper))
}

/// Order by UTF-16 unit of the upper-case forms, which is what "ordinal" means to .NET.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    units(left).cmp(units(right))
}

/// Whether `text` has `part` somewhere.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    fold(text).contains(fold(part).as_ref())
}

/// Whether `text` begins with `part`.
pub(crate) fn starts_with(text: &str, part: &str) -> bool {
    fold(text).starts_with(fold(part).as_ref())
}

/// Whether `text` ends with `part`.
pub(crate) fn ends_with(text: &str, part: &str) -> bool {
    fold(text).ends_with(fold(part).as_ref())
}

fn units(text: &str) -> impl Iterator<Item = u16> + '_ {
    text.chars().flat_map(|it| {
        let mut buffer = [0; 2];
        let length = upper(it).encode_utf16(&mut buffer).len();
        buffer.into_iter().take(length)
    })
}

/// The simple upper-case mapping. Dotless i and long s keep to themselves, so that they never equal
/// an ASCII letter; a character whose upper case is several (`ß`) keeps to itself too.
fn upper(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_uppercase();
    }
    if matches!(character, '\u{131}' | '\u{17f}') {
        return character;
    }
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: conformance 74, 79
    #[test]
    fn c74_texts_are_equal_but_for_case_one_character_at_a_time() {
        for (left, right, expected) in [
            ("abc", "ABC", true),
            ("ÀÉ", "àé", true),
            ("straße", "STRASSE", false),
            ("\u{131}", "I", false),
            ("\u{17f}", "S", false),
            ("σς", "ΣΣ", true),
            ("a", "ab", false),
        ] {
            assert_eq!(equal(left, right), expected, "{left} {right}");
            assert_eq!(fold(left) == fold(right), expected, "{left} {right}");
            assert_eq!(compare(left, right) == Ordering::Equal, expected, "{left} {right}");
        }
    }

    // proves: conformance 75
    #[test]
    fn c75_order_is_that_of_upper_case_units() {
        // '_' stands after the upper-case letters and before the lower-case ones.
        assert_eq!(compare("a", "_"), Ordering::Less);
        assert_eq!(compare("B", "a"), Ordering::Greater);
        // A surrogate pair comes before U+FFxx, though its code point is higher.
        assert_eq!(compare("\u{1f600}", "\u{ff01}"), Ordering::Less);
    }
}
