//! A text with its secrets covered, every place unchanged.

use std::ops::Range;

/// The text with everything but these ranges (in order) and line ends covered. Each character gives
/// way to one of as many bytes, so that offsets and columns stay what they are.
pub(super) fn cover(text: &str, shown: &[Range<usize>]) -> String {
    let mut covered = String::with_capacity(text.len());
    let mut shown = shown.iter().peekable();
    for (at, character) in text.char_indices() {
        while shown.next_if(|range| range.end <= at).is_some() {}
        let is_shown = shown.peek().is_some_and(|range| range.contains(&at));
        covered.push(match character {
            _ if is_shown => character,
            '\n' | '\r' | ' ' | '\t' => character,
            _ => match character.len_utf8() {
                1 => '*',
                2 => '·',
                3 => '•',
                _ => '🞄',
            },
        });
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_places_stay() {
        let text = "A=b€ 🎉é\n# c\nD = e";
        let covered = cover(text, &[0..2, 18..21]);
        assert_eq!(covered, "A=*• 🞄·\n* *\nD =\u{20}*");
        assert_eq!(covered.len(), text.len());
    }
}
