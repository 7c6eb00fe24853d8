//! Everything a masker looks for, ready for searching.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::forms::Origin;
use crate::ranges::Ranges;
use crate::windows::{SHORTEST, Windows};

/// One form of a secret.
pub(crate) struct Needle {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) origin: Origin,
}

impl Needle {
    /// A log is masked line by line, as GitHub does it: a needle with a line break would swallow the
    /// break, and each of its lines is a needle of its own.
    fn spans_lines(&self) -> bool {
        self.bytes.contains(&b'\n')
    }
}

/// Which needles count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    WithinLines,
    GitHubOnly,
}

impl Scope {
    fn takes(self, needle: &Needle) -> bool {
        match self {
            Scope::Everything => true,
            Scope::WithinLines => !needle.spans_lines(),
            Scope::GitHubOnly => needle.origin == Origin::GitHub,
        }
    }
}

/// The needles with their two searches: long ones by skipping, short ones by automaton.
pub(crate) struct Needles {
    /// Sorted by their bytes.
    needles: Vec<Needle>,
    windows: Option<Windows>,
    short: Option<AhoCorasick>,
    /// Which of `needles` the automaton's patterns are.
    short_needles: Vec<usize>,
    /// Which of `needles` stay within a line; sorted by their bytes.
    line_needles: Vec<usize>,
    longest_line: usize,
    first_bytes: [bool; 256],
}

impl Needles {
    /// Prepares the search, or `None` when there is nothing to look for.
    pub(crate) fn new(forms: &BTreeMap<Box<[u8]>, Origin>) -> Option<Needles> {
        if forms.is_empty() {
            return None;
        }
        let needles: Vec<Needle> =
            forms.iter().map(|(bytes, &origin)| Needle { bytes: bytes.clone(), origin }).collect();
        let indexes = |wanted: fn(&Needle) -> bool| -> Vec<usize> {
            (0..needles.len()).filter(|&index| wanted(&needles[index])).collect()
        };
        let short_needles = indexes(|it| it.bytes.len() < SHORTEST);
        let line_needles = indexes(|it| !it.spans_lines());
        let mut first_bytes = [false; 256];
        for &index in &line_needles {
            first_bytes[usize::from(needles[index].bytes[0])] = true;
        }
        Some(Needles {
            windows: Windows::new(&needles),
            short: short_automaton(&needles, &short_needles),
            longest_line: line_needles.iter().map(|&it| needles[it].bytes.len()).max().unwrap_or(0),
            short_needles,
            line_needles,
            first_bytes,
            needles,
        })
    }

    /// What to hide in a text.
    pub(crate) fn ranges(&self, haystack: &[u8], scope: Scope) -> Ranges {
        self.ranges_from(Ranges::default(), haystack, scope)
    }

    /// What to hide in a piece of a log whose first bytes are hidden already; that stretch then
    /// comes first, even when it is empty.
    pub(crate) fn ranges_after(&self, haystack: &[u8], covered: Option<usize>) -> Ranges {
        let mut ranges = Ranges::default();
        if let Some(covered) = covered {
            ranges.add(0, covered);
        }
        self.ranges_from(ranges, haystack, Scope::WithinLines)
    }

    /// The length of the longest needle within a line.
    pub(crate) fn longest_line(&self) -> usize {
        self.longest_line
    }

    fn ranges_from(&self, known: Ranges, haystack: &[u8], scope: Scope) -> Ranges {
        let mut long = known;
        if let Some(windows) = &self.windows {
            windows.scan(&self.needles, haystack, |start, needle| {
                if scope.takes(needle) {
                    long.add(start, start + needle.bytes.len());
                }
                true
            });
        }
        let mut short = Ranges::default();
        self.each_short(haystack, |start, needle| {
            if scope.takes(needle) {
                short.add(start, start + needle.bytes.len());
            }
            true
        });
        long.merge(short)
    }

    /// Does anything of this scope occur?
    pub(crate) fn occurs(&self, haystack: &[u8], scope: Scope) -> bool {
        let mut found = false;
        let mut look = |_: usize, needle: &Needle| {
            found |= scope.takes(needle);
            !found
        };
        if let Some(windows) = &self.windows {
            windows.scan(&self.needles, haystack, &mut look);
        }
        self.each_short(haystack, look);
        found
    }

    /// Where the longest end of a text starts that could be the beginning of a needle; the text's
    /// length when no end could.
    pub(crate) fn pending_from(&self, haystack: &[u8]) -> usize {
        let reach = haystack.len().min(self.longest_line.saturating_sub(1));
        let first = haystack.len() - reach;
        let line = haystack[first..].iter().rposition(|&byte| byte == b'\n');
        let first = line.map_or(first, |at| first + at + 1);
        (first..haystack.len())
            .find(|&start| self.begins_a_needle(&haystack[start..]))
            .unwrap_or(haystack.len())
    }

    fn begins_a_needle(&self, beginning: &[u8]) -> bool {
        if !self.first_bytes[usize::from(beginning[0])] {
            return false;
        }
        let bytes = |index: usize| &*self.needles[index].bytes;
        let at = self.line_needles.partition_point(|&index| bytes(index) <= beginning);
        self.line_needles.get(at).is_some_and(|&index| bytes(index).starts_with(beginning))
    }

    fn each_short(&self, haystack: &[u8], mut visit: impl FnMut(usize, &Needle) -> bool) {
        let Some(automaton) = &self.short else { return };
        for found in automaton.find_overlapping_iter(haystack) {
            let needle = &self.needles[self.short_needles[found.pattern().as_usize()]];
            if !visit(found.start(), needle) {
                return;
            }
        }
    }
}

fn short_automaton(needles: &[Needle], short: &[usize]) -> Option<AhoCorasick> {
    if short.is_empty() {
        return None;
    }
    let automaton = AhoCorasick::builder()
        // The only kind that finds all overlapping matches.
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(short.iter().map(|&index| &needles[index].bytes))
        .expect("needles of a few bytes fit any automaton");
    Some(automaton)
}
