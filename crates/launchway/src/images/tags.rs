//! What an image is called: tags that name one image for good, and tags that move.

use versions::Version;

/// Digits of a commit that people read. The version of a release without a tag has as many.
pub(crate) const COMMIT_DIGITS: usize = 12;

/// The names of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    /// What the release is called: the highest version that the commit is tagged with, else the
    /// commit's first digits.
    pub(crate) version: String,
    /// The whole commit: what a deployment of the commit looks for.
    pub(crate) commit: String,
    /// Others that name this image for good.
    pub(crate) fixed: Vec<String>,
    /// Those that move to each new image.
    pub(crate) moving: Vec<String>,
    /// Tags of the commit that look like versions and are none.
    pub(crate) invalid: Vec<String>,
}

impl Tags {
    /// By the rule: the commit, long and short; its versions; `latest`, and that of the environment.
    pub(crate) fn of(commit: &str, git_tags: &[String], environment: Option<&str>) -> Tags {
        let looks_like = |tag: &&String| {
            let rest = tag.strip_prefix('v').unwrap_or_default();
            rest.split('.').count() >= 3 && rest.starts_with(|it: char| it.is_ascii_digit())
        };
        let candidates: Vec<&String> = git_tags.iter().filter(looks_like).collect();
        let parsed = |tag: &&String| version(tag);
        let mut versions: Vec<&String> =
            candidates.iter().copied().filter(|tag| parsed(tag).is_some()).collect();
        versions.sort_by_key(parsed);
        let invalid = candidates.iter().filter(|tag| parsed(tag).is_none());
        let invalid = invalid.map(|tag| (*tag).clone()).collect();
        let short: String = commit.chars().take(COMMIT_DIGITS).collect();
        let version = versions.last().map_or_else(|| short.clone(), |it| (*it).clone());
        let fixed = std::iter::once(short).chain(versions.into_iter().cloned()).collect();
        let own = environment.map(|it| format!("{it}-latest"));
        let moving = std::iter::once("latest".to_owned()).chain(own).collect();
        Tags { version, commit: commit.to_owned(), fixed, moving, invalid }
    }
}

/// A version by semver 2.0. Build metadata (`+...`) cannot stand in a tag of an image: a version with some is none here.
fn version(tag: &str) -> Option<Version> {
    Version::of_tag(tag).filter(|_| !tag.contains('+'))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(tags: &[&str], environment: Option<&str>, expect: &Expect) {
        let tags: Vec<String> = tags.iter().map(|it| (*it).to_owned()).collect();
        let of = Tags::of("0123456789abcdef0123456789abcdef01234567", &tags, environment);
        expect.assert_eq(&format!(
            "{}; {}; {}; not: {}",
            of.version,
            of.fixed.join(" "),
            of.moving.join(" "),
            of.invalid.join(" ")
        ));
    }

    #[test]
    fn a_release_is_called_after_its_highest_version() {
        check(&[], None, &expect!["0123456789ab; 0123456789ab; latest; not: "]);
        check(
            &["v1.10.0", "v1.9.0", "v1.10.0-rc.1", "nightly", "v1"],
            Some("staging"),
            &expect![
                "v1.10.0; 0123456789ab v1.9.0 v1.10.0-rc.1 v1.10.0; latest staging-latest; not: "
            ],
        );
        check(
            &["v1.2.0-rc.2", "v1.2.0-rc.10", "v1.2.0-alpha"],
            None,
            &expect![
                "v1.2.0-rc.10; 0123456789ab v1.2.0-alpha v1.2.0-rc.2 v1.2.0-rc.10; latest; not: "
            ],
        );
        check(
            &["v1.02.0", "v1.2.3.4", "v1.2.0+build", "v1.2.x"],
            None,
            &expect![
                "0123456789ab; 0123456789ab; latest; not: v1.02.0 v1.2.3.4 v1.2.0+build v1.2.x"
            ],
        );
    }
}
