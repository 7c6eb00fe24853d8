//! Finding in a log: every line that has a text, or that a pattern fits, in one pass over its bytes.
//!
//! A line is found by what it shows and by what was printed: colours between two letters hide nothing,
//! and `^` is where a line begins for whoever reads it. Patterns are those of the crate `regex`, which takes
//! time in proportion to pattern and text, whatever the pattern; a search ends when its time is up all the
//! same, and says where.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use memchr::memmem;
use regex::bytes::{Regex, RegexBuilder};

use crate::ansi;

/// A longer text or pattern is not searched for.
pub const QUERY_CHARS_MAX: usize = 200;
/// So long a log is searched: far more than a plain pattern takes for the largest.
pub(crate) const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);
/// What a search reads at once.
const READ_BYTES: usize = 1 << 20;
/// A line that is longer is searched in parts of this size, or nobody would look at the clock meanwhile.
const PART_BYTES: usize = 16 << 10;
/// A pattern that takes more than this is refused: `(a{100}){100}` would take gigabytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Parentheses within parentheses.
const PATTERN_DEPTH_MAX: u32 = 50;

/// What is looked for in a log.
pub enum Finder {
    /// A text, byte for byte.
    Text(Box<memmem::Finder<'static>>),
    /// A regular expression.
    Pattern(Regex),
}

/// The lines that were found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Their numbers, from 1, in order.
    pub numbers: Vec<u64>,
    /// The line at which the time was up, where that was before the end.
    pub stopped_at: Option<u64>,
}

impl Finder {
    /// Finds a text.
    pub fn text(text: &str) -> Finder {
        Finder::Text(Box::new(memmem::Finder::new(text.as_bytes()).into_owned()))
    }

    /// Finds what a regular expression fits.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn pattern(pattern: &str) -> Result<Finder, String> {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
        builder.nest_limit(PATTERN_DEPTH_MAX).build().map(Finder::Pattern).map_err(|error| {
            match error {
                regex::Error::CompiledTooBig(_) => {
                    "it grows too large: repetitions within repetitions multiply".to_owned()
                }
                other => other.to_string(),
            }
        })
    }

    fn find(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        match self {
            Finder::Text(text) => text.find(bytes).map(|from| (from, from + text.needle().len())),
            Finder::Pattern(pattern) => pattern.find(bytes).map(|it| (it.start(), it.end())),
        }
    }

    fn fits(&self, line: &[u8]) -> bool {
        if self.find(line).is_some() {
            return true;
        }
        match shown(line) {
            Cow::Borrowed(_) => false,
            Cow::Owned(shown) => self.find(&shown).is_some(),
        }
    }

    /// What of a line's text fits first, for whoever shows it.
    pub(crate) fn part(&self, text: &str) -> Option<String> {
        let shown = shown(text.as_bytes());
        let (from, to) = self.find(&shown)?;
        (from < to).then(|| String::from_utf8_lossy(&shown[from..to]).into_owned())
    }

    /// All lines of a log that have it, within a time.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn lines(&self, file: &File, time: Duration) -> io::Result<Found> {
        let ends = Instant::now() + time;
        let mut found = Found { numbers: Vec::new(), stopped_at: None };
        let (mut at, mut line) = (0_u64, 1_u64);
        let mut held: Vec<u8> = Vec::new();
        loop {
            let begin = held.len();
            held.resize(begin + READ_BYTES, 0);
            let read = file.read_at(&mut held[begin..], at)?;
            held.truncate(begin + read);
            at += read as u64;
            // Up to the last whole line; at the end, and in a line without one, all there is.
            let whole = match memchr::memrchr(b'\n', &held) {
                Some(end) if read > 0 => end + 1,
                None if read > 0 && held.len() < 4 * READ_BYTES => 0,
                _ => held.len(),
            };
            for text in held[..whole].split_inclusive(|it| *it == b'\n') {
                let is_whole = text.ends_with(b"\n");
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let is_known = found.numbers.last() == Some(&line);
                let mut parts = text.chunks(PART_BYTES).chain(text.is_empty().then_some(text));
                // A line may have hundreds of parts: the clock is looked at between them, too.
                let is_late = || Instant::now() >= ends;
                if !is_known && parts.any(|part| is_late() || self.fits(part)) && !is_late() {
                    found.numbers.push(line);
                }
                if is_late() {
                    found.stopped_at = Some(line);
                    return Ok(found);
                }
                line += u64::from(is_whole);
            }
            held.drain(..whole);
            if read == 0 {
                return Ok(found);
            }
        }
    }
}

/// A line as it is read: without colours and marks, of one that was drawn over itself what stood last.
fn shown(line: &[u8]) -> Cow<'_, [u8]> {
    if !line.starts_with(b"##[") && memchr::memchr2(b'\x1b', b'\r', line).is_none() {
        return line.into();
    }
    ansi::plain(&String::from_utf8_lossy(line)).into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn lines(file: &File, finder: &Finder) -> Vec<u64> {
        let found = finder.lines(file, LONG).unwrap();
        assert_eq!(found.stopped_at, None);
        found.numbers
    }

    #[test]
    fn a_search_finds_every_line_once() {
        let mut file = tempfile::tempfile().unwrap();
        let mut expected = Vec::new();
        for number in 1..=200_000_u64 {
            if number % 7919 == 0 {
                expected.push(number);
                writeln!(file, "needle and needle").unwrap();
            } else {
                writeln!(file, "some hay of line {number}").unwrap();
            }
        }
        write!(file, "the last needle").unwrap();
        expected.push(200_001);
        assert_eq!(lines(&file, &Finder::text("needle")), expected);
        assert_eq!(lines(&file, &Finder::pattern(r"n[e]{2}dle\b").unwrap()), expected);
        assert!(lines(&file, &Finder::text("nothing")).is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_searched_in_parts() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; 9 << 20]).unwrap();
        file.write_all(b"needle\nneedle\n").unwrap();
        assert_eq!(lines(&file, &Finder::text("needle")), [1, 2]);
        assert_eq!(lines(&file, &Finder::pattern("needle$").unwrap()), [1, 2]);
    }

    #[test]
    fn a_line_is_found_by_what_it_shows_and_by_what_was_printed() {
        let mut file = tempfile::tempfile().unwrap();
        let text = "42 passed\n\x1b[1m4\x1b[0m2 passed\n10 %\r42 %\r\n##[error]42 broke\n\nn\u{fc}tzlich 42\nfailed";
        file.write_all(text.as_bytes()).unwrap();
        let check = |finder: &Finder, expected: &[u64]| {
            assert_eq!(lines(&file, finder), expected);
        };
        check(&Finder::text("42"), &[1, 2, 3, 4, 6]);
        check(&Finder::text("42 passed"), &[1, 2]);
        check(&Finder::text("##[error]"), &[4]);
        let pattern = |text: &str| Finder::pattern(text).unwrap();
        check(&pattern("^42"), &[1, 2, 3, 4]);
        check(&pattern("(?i)PASS(ed)?$"), &[1, 2]);
        check(&pattern("^$"), &[5]);
        check(&pattern(r"n\wtz"), &[6]);
        check(&pattern(r"broke\s"), &[]);
        check(&pattern("f.*d$"), &[7]);
        assert_eq!(pattern(r"\d+").part("\x1b[1m4\x1b[0m2 of 7").as_deref(), Some("42"));
        assert_eq!(pattern("x*").part("abc"), None);
    }

    #[test]
    fn a_pattern_has_limits_and_says_what_is_wrong_with_it() {
        let check = |pattern: &str, expected: Expect| {
            expected.assert_eq(&Finder::pattern(pattern).err().unwrap_or_default());
        };
        check("fine (or|not)", expect![[""]]);
        check(
            "case (1",
            expect![[r#"
            regex parse error:
                case (1
                     ^
            error: unclosed group"#]],
        );
        check(
            "(a{100}){100}{100}",
            expect!["it grows too large: repetitions within repetitions multiply"],
        );
        assert!(Finder::pattern(&"(".repeat(60)).is_err());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\ntwo\n").unwrap();
        let found = Finder::text("one").lines(&file, Duration::ZERO).unwrap();
        assert_eq!(found, Found { numbers: Vec::new(), stopped_at: Some(1) });
        // Where other engines take for ever: as long as the text, twice.
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'a'; 200_000]).unwrap();
        assert!(lines(&file, &Finder::pattern("^(a+)+$|(a*)*b").unwrap()).len() < 2);
    }
}
