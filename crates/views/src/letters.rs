//! Letters that show a text as something else than what it says: those that steer what stands beside them, and
//! those that are written from right to left, which turn digits and signs around that are not theirs.
//!
//! People from outside choose titles, branches and names. Steering letters are shown by their numbers,
//! everywhere. What is honestly written from right to left stays so, and is kept to itself: on pages by
//! `<bdi>`, on a terminal by [`isolated`].

use std::borrow::Cow;

/// Begins what is isolated and goes from right to left; ends it.
const ISOLATE: [char; 2] = ['\u{2067}', '\u{2069}'];

/// Whether nobody sees a letter and it turns the text around it, or begins a paragraph.
pub fn steers(letter: char) -> bool {
    matches!(letter,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}'
        | '\u{2028}' | '\u{2029}')
}

/// `U+202E`: how a letter is shown that must not do what it does.
pub fn number_of(letter: char) -> String {
    format!("U+{:04X}", u32::from(letter))
}

/// What somebody wrote, as one line: letters that steer a terminal, or end a line of a table, part words.
pub fn one_line(text: &str) -> String {
    let words = text.split(|it: char| it.is_whitespace() || it.is_control());
    words.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A line in which whatever goes from right to left turns nothing around but itself. Between two such
/// letters all belongs to them that is no letter of another script; behind the last nothing does.
pub fn isolated(line: &str) -> Cow<'_, str> {
    if !line.chars().any(goes_left) {
        return line.into();
    }
    let [begin, end] = ISOLATE;
    let mut kept = String::with_capacity(line.len() + 16);
    let mut rest = line;
    while let Some(from) = rest.find(goes_left) {
        let (before, run) = rest.split_at(from);
        let other = run.find(|it: char| it.is_alphabetic() && !goes_left(it)).unwrap_or(run.len());
        let last = run[..other].char_indices().rfind(|(_, it)| goes_left(*it));
        let to = last.map_or(other, |(at, it)| at + it.len_utf8());
        kept.push_str(before);
        kept.push(begin);
        kept.push_str(&run[..to]);
        kept.push(end);
        rest = &run[to..];
    }
    kept.push_str(rest);
    kept.into()
}

/// Letters of Hebrew, Arabic and their neighbours: the blocks that the Unicode Character Database sets aside for
/// classes R and AL (DerivedBidiClass.txt), marks and digits in them included, which only isolates some more.
fn goes_left(letter: char) -> bool {
    matches!(letter,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_from_right_to_left_turns_nothing_around_but_itself() {
        let check = |line: &str, expected: &str| {
            let shown = isolated(line).replace('\u{2067}', "⟨").replace('\u{2069}', "⟩");
            assert_eq!(shown, expected, "{line:?}");
        };
        check("plain, naïve, 日本 #12", "plain, naïve, 日本 #12");
        check("#7 שלום 12 failed", "#7 ⟨שלום⟩ 12 failed");
        check("שלום 12 עולם #3 · main", "⟨שלום 12 עולם⟩ #3 · main");
        check("fix שלום and مرحبا!", "fix ⟨שלום⟩ and ⟨مرحبا⟩!");
        check("ש", "⟨ש⟩");
        check("\x1b[31mשלום\x1b[0m 1", "\x1b[31m⟨שלום⟩\x1b[0m 1");
    }

    #[test]
    fn letters_that_steer_are_known_by_their_numbers() {
        for letter in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}', '\u{2029}'] {
            assert!(steers(letter) && !goes_left(letter) || letter == '\u{61c}', "{letter:?}");
        }
        assert!(!steers('ש') && !steers('\u{200d}') && !steers('é'));
        assert_eq!(number_of('\u{202e}'), "U+202E");
    }
}
