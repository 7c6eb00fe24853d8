//! How much of what somebody says is kept.

use views::one_line;

/// A title is a line; longer ones of elsewhere are cut.
pub const TITLE_CHARS_MAX: usize = 200;
/// A reason is a few sentences.
pub const REASON_CHARS_MAX: usize = 1_000;

/// What others wrote as one line of at most so many characters: it steers no terminal.
pub fn line(text: &str, chars_max: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(chars_max) {
        Some(_) => line.chars().take(chars_max - 1).chain(['\u{2026}']).collect(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_so_many_characters() {
        assert_eq!(line(" a\n\tb\u{1b}[31m ", 200), "a b [31m");
        assert_eq!(line("abcd", 4), "abcd");
        assert_eq!(line("abcde", 4), "abc\u{2026}");
        assert_eq!(line("ääää", 4), "ääää");
        assert_eq!(line("", 4), "");
    }
}
