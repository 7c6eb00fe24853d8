//! A version by semver 2.0, in its order (semver.org).

use std::cmp::Ordering;

/// A version. What stands behind `+` says nothing about the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    numbers: [u64; 3],
    /// A version stands behind all that come before it.
    is_stable: bool,
    before: Vec<Part>,
}

/// Numbers stand before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Version {
    /// The version that a tag is, `v1.2.3` or `1.2.3`; none where it is none.
    pub fn of_tag(tag: &str) -> Option<Version> {
        Version::parse(tag.strip_prefix('v').unwrap_or(tag))
    }

    /// The version that a text is, without a `v`. A number above 2^64 is none here.
    pub fn parse(text: &str) -> Option<Version> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        if build.is_some_and(|it| !it.split('.').all(is_word)) {
            return None;
        }
        let (core, before) = match text.split_once('-') {
            Some((core, before)) => (core, Some(before)),
            None => (text, None),
        };
        let mut numbers = [0; 3];
        let mut parts = core.split('.');
        for number in &mut numbers {
            *number = whole(parts.next()?)?;
        }
        if parts.next().is_some() {
            return None;
        }
        let before = before.map(|it| it.split('.').map(Part::of).collect::<Option<Vec<_>>>());
        let before = match before {
            Some(parts) => parts?,
            None => Vec::new(),
        };
        Some(Version { numbers, is_stable: before.is_empty(), before })
    }

    /// Whether it is one that comes before a version: `1.2.3-rc.1`.
    pub fn is_prerelease(&self) -> bool {
        !self.is_stable
    }
}

impl Part {
    fn of(text: &str) -> Option<Part> {
        if !is_word(text) {
            None
        } else if text.bytes().all(|it| it.is_ascii_digit()) {
            whole(text).map(Part::Number)
        } else {
            Some(Part::Word(text.to_owned()))
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
}

/// Without leading zeros.
fn whole(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    if plain && text.bytes().all(|it| it.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The version that a tag came after, of the tags that lead to its commit or before it: the highest below it. Behind a
/// stable one a stable one: what was in `1.2.0-rc.1` is new in `1.2.0` for whoever has `1.1.0`.
pub fn previous<'t>(of: &Version, ancestors: impl IntoIterator<Item = &'t str>) -> Option<&'t str> {
    let below = ancestors.into_iter().filter_map(|tag| {
        let version = Version::of_tag(tag)?;
        let counts = version.cmp(of) == Ordering::Less && (version.is_stable || !of.is_stable);
        counts.then_some((version, tag))
    });
    below.max().map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_version_or_none() {
        // The order of semver.org, and ours: each is above the one before it.
        let ordered = [
            "0.0.0",
            "v0.0.1",
            "1.0.0-0",
            "1.0.0-2",
            "1.0.0-10",
            "1.0.0--",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "v1.0.0-rc.1",
            "1.0.0",
            "v1.0.1",
            "1.2.0",
            "1.10.0",
            "v18446744073709551615.0.0",
        ];
        for pair in ordered.windows(2) {
            assert!(
                Version::of_tag(pair[0]).unwrap() < Version::of_tag(pair[1]).unwrap(),
                "{pair:?}"
            );
        }
        assert_eq!(Version::of_tag("v1.2.3+5.a-b"), Version::of_tag("1.2.3"));
        assert!(Version::of_tag("v1.2.3-rc.1").unwrap().is_prerelease());
        assert!(!Version::of_tag("1.2.3+rc").unwrap().is_prerelease());
        for wrong in [
            "",
            "v",
            "vv1.2.3",
            "V1.2.3",
            "1",
            "v1.2",
            "1.2.3.4",
            "v1.02.0",
            "1.2.x",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+",
            "1.2.3+a+b",
            "1.2.3-ä",
            "-1.2.3",
            "1.2.-3",
            " 1.2.3",
            "18446744073709551616.0.0",
            "release/1.2.3",
            "nightly",
        ] {
            assert_eq!(Version::of_tag(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_came_before_is_the_highest_below() {
        let check = |tag: &str, ancestors: &[&str], expect: Option<&str>| {
            let version = Version::of_tag(tag).unwrap();
            assert_eq!(previous(&version, ancestors.iter().copied()), expect, "{tag}");
        };
        check("v1.0.0", &["v1.0.0", "nightly"], None);
        check("v1.10.0", &["v1.9.0", "v1.2.0", "v1.10.0", "v2.0.0"], Some("v1.9.0"));
        check("v1.2.0", &["v1.1.0", "v1.2.0-rc.1", "v1.2.0-rc.2"], Some("v1.1.0"));
        check("v1.2.0-rc.2", &["v1.1.0", "v1.2.0-rc.1"], Some("v1.2.0-rc.1"));
        check("v1.2.0-rc.1", &["v1.1.0"], Some("v1.1.0"));
        check("v1.0.0", &["v1.0.0-rc.1"], None);
        // The same version by another name came with it, and not before it.
        check("v1.2.0", &["1.2.0", "v1.2.0+5"], None);
    }
}
