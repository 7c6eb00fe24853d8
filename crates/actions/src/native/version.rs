//! Versions and ranges as npm writes them, which setup actions share.

use std::fmt;

/// A released or, with `pre`, an unreleased version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: u32,
    /// Released sorts behind its own pre-releases.
    released: bool,
}

impl Version {
    /// Reads `1.2.3`, `v1.2.3`, `3.13.0rc1`; what is missing is 0.
    pub(super) fn parse(text: &str) -> Option<Version> {
        let text = text.trim().trim_start_matches(['v', 'V', '=']);
        let plain = text.split(['-', '+']).next()?;
        let mut released = !text.contains('-');
        let mut numbers = [0; 3];
        for (index, part) in plain.split('.').enumerate() {
            let digits = part.trim_end_matches(|it: char| !it.is_ascii_digit());
            // `0rc1`: what stands in front of the letter.
            let digits = digits.split(|it: char| !it.is_ascii_digit()).next()?;
            released &= digits.len() == part.len();
            *numbers.get_mut(index)? = part_of_version(digits)?;
        }
        let [major, minor, patch] = numbers;
        Some(Version { major, minor, patch, released })
    }

    /// Whether it is a release.
    pub(super) fn is_release(self) -> bool {
        self.released
    }

    fn new(major: u32, minor: u32, patch: u32) -> Version {
        Version { major, minor, patch, released: true }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What versions fit: any of the alternatives, each a span from (included) to (excluded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    alternatives: Vec<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: Version,
    before: Option<Version>,
}

/// The largest part of a version: the version behind it is a number too.
const PART_MAX: u32 = u32::MAX - 1;

fn part_of_version(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|part| *part <= PART_MAX)
}

const ZERO: Version = Version { major: 0, minor: 0, patch: 0, released: false };

impl Range {
    /// Reads a range: `3`, `3.11`, `3.x`, `>=3.9 <3.12`, `^20.1`, `~1.5.2`, `1.2 - 1.4`, `a || b`.
    pub(super) fn parse(text: &str) -> Option<Range> {
        let alternatives = text.split("||").map(span).collect::<Option<Vec<_>>>()?;
        Some(Range { alternatives })
    }

    /// Whether a version fits.
    pub(super) fn fits(&self, version: Version) -> bool {
        self.alternatives
            .iter()
            .any(|span| version >= span.from && span.before.is_none_or(|before| version < before))
    }
}

fn span(text: &str) -> Option<Span> {
    let mut all = Span { from: ZERO, before: None };
    let text = text.trim();
    if let Some((low, high)) = text.split_once(" - ") {
        return Some(Span { from: partial(low)?.from, before: partial(high)?.before });
    }
    // An operator may stand apart from its version.
    let mut glued = text.replace(',', " ");
    for operator in [">=", "<=", ">", "<", "^", "~", "="] {
        while glued.contains(&format!("{operator} ")) {
            glued = glued.replace(&format!("{operator} "), operator);
        }
    }
    for part in glued.split_whitespace() {
        let one = comparator(part)?;
        all.from = all.from.max(one.from);
        all.before = match (all.before, one.before) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Some(all)
}

fn comparator(text: &str) -> Option<Span> {
    let any = Span { from: ZERO, before: None };
    if let Some(rest) = text.strip_prefix(">=") {
        return Some(Span { before: None, ..partial(rest)? });
    }
    if let Some(rest) = text.strip_prefix("<=") {
        return Some(Span { from: ZERO, ..partial(rest)? });
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Some(Span { from: partial(rest)?.before?, before: None });
    }
    if let Some(rest) = text.strip_prefix('<') {
        return Some(Span { before: Some(partial(rest)?.from), ..any });
    }
    if let Some(rest) = text.strip_prefix('^') {
        let from = partial(rest)?.from;
        let before = match (from.major, from.minor) {
            (0, 0) => Version::new(0, 0, from.patch + 1),
            (0, minor) => Version::new(0, minor + 1, 0),
            (major, _) => Version::new(major + 1, 0, 0),
        };
        return Some(Span { from, before: Some(before) });
    }
    if let Some(rest) = text.strip_prefix('~') {
        let rest = rest.trim_start_matches('>');
        let from = partial(rest)?.from;
        let before = if rest.contains('.') {
            Version::new(from.major, from.minor + 1, 0)
        } else {
            Version::new(from.major + 1, 0, 0)
        };
        return Some(Span { from, before: Some(before) });
    }
    partial(text)
}

/// A version with parts left out: from its first to before the next that is different.
fn partial(text: &str) -> Option<Span> {
    let text = text.trim().trim_start_matches(['=', 'v', 'V']);
    if text.contains('-') {
        let from = Version::parse(text)?;
        return Some(Span {
            from,
            before: Some(Version::new(from.major, from.minor, from.patch + 1)),
        });
    }
    let parts = text
        .split('.')
        .take_while(|part| !matches!(*part, "x" | "X" | "*" | ""))
        .map(part_of_version)
        .collect::<Option<Vec<_>>>()?;
    Some(match parts.as_slice() {
        [] => Span { from: ZERO, before: None },
        [major] => {
            Span { from: Version::new(*major, 0, 0), before: Some(Version::new(major + 1, 0, 0)) }
        }
        [major, minor] => Span {
            from: Version::new(*major, *minor, 0),
            before: Some(Version::new(*major, minor + 1, 0)),
        },
        [major, minor, patch] => Span {
            from: Version::new(*major, *minor, *patch),
            before: Some(Version::new(*major, *minor, patch + 1)),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_what_npm_takes() {
        for (range, fits, misses) in [
            ("3", "3.0.0 3.13.1", "2.7.18 4.0.0"),
            ("3.11", "3.11.0 3.11.9", "3.12.0 3.10.9 3.11.0rc1"),
            ("3.x", "3.8.1", "4.0.0"),
            ("3.11.7", "3.11.7", "3.11.8"),
            (">=3.9 <3.12", "3.9.0 3.11.9", "3.12.0 3.8.9"),
            (">= 3.9 < 3.12", "3.9.0", "3.12.0"),
            ("^20.1", "20.1.0 20.9.9", "20.0.9 21.0.0"),
            ("~1.5.2", "1.5.9", "1.6.0 1.5.1"),
            ("~> 1.5.0", "1.5.9", "1.6.0"),
            ("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0"),
            ("18 || 20", "18.1.0 20.0.0", "19.0.0"),
            (">18", "19.0.0", "18.9.9"),
            ("<=18", "18.9.9", "19.0.0"),
            ("*", "1.0.0", ""),
        ] {
            let parsed = Range::parse(range).expect(range);
            for (versions, expected) in [(fits, true), (misses, false)] {
                for version in versions.split_whitespace() {
                    let version = Version::parse(version).expect(version);
                    assert_eq!(parsed.fits(version), expected, "{range} {version}");
                }
            }
        }
        for none in ["pypy3.9", "^4294967295", "4294967295", "1.4294967295.1-rc"] {
            assert_eq!(Range::parse(none), None, "{none}");
        }
    }
}
