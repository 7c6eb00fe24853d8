//! The payloads of webhooks, as far as workflows read them: pure shapes, no git.
//!
//! Field names are those of GitHub's webhook documentation. What a local repository cannot know
//! (numeric ids, addresses of avatars) is left out rather than invented; ids are 0.

use event::Timestamp;
use serde_json::{Value as Json, json};

use crate::discover::{Commit, Repository};

/// The hash of "no commit": a push that creates a branch has it as `before`.
pub(crate) const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// A push payload lists this many commits at most; the head commit stands apart.
pub(crate) const COMMITS_LISTED_MAX: usize = 20;

/// What every payload has.
pub(crate) fn common(repository: &Repository) -> Json {
    let full_name = repository.full_name();
    let owner =
        json!({ "login": repository.owner, "name": repository.owner, "id": 0, "type": "User" });
    json!({
        "repository": {
            "id": 0,
            "name": repository.name,
            "full_name": full_name,
            "owner": owner,
            "private": true,
            "fork": false,
            "default_branch": repository.default_branch,
            "html_url": format!("https://github.com/{full_name}"),
            "clone_url": format!("https://github.com/{full_name}.git"),
            "url": format!("https://github.com/{full_name}"),
        },
        "sender": sender(repository),
    })
}

/// The person, as payloads name them. A login has no blanks.
pub(crate) fn sender(repository: &Repository) -> Json {
    json!({ "login": login(&repository.user.0), "id": 0, "type": "User" })
}

/// A name as a login: lower case, blanks to dashes.
pub(crate) fn login(name: &str) -> String {
    let login = name.trim().to_lowercase().replace(char::is_whitespace, "-");
    if login.is_empty() { "local".to_owned() } else { login }
}

/// One commit of a push.
pub(crate) fn commit(repository: &Repository, commit: &Commit) -> Json {
    json!({
        "id": commit.id,
        "tree_id": commit.tree,
        "distinct": true,
        "message": commit.message,
        "timestamp": iso(commit.committed_at),
        "url": format!("https://github.com/{}/commit/{}", repository.full_name(), commit.id),
        "author": { "name": commit.author.0, "email": commit.author.1, "username": login(&commit.author.0) },
        "committer": { "name": commit.committer.0, "email": commit.committer.1, "username": login(&commit.committer.0) },
    })
}

/// `2026-03-01T12:00:00Z`
pub(crate) fn iso(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// Puts `more`'s fields into `base`.
pub(crate) fn merged(mut base: Json, more: Json) -> Json {
    if let (Json::Object(base), Json::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_github_writes_them() {
        let check = |ms: u64, expect: &str| assert_eq!(iso(Timestamp(ms)), expect);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_400_000, "2000-02-29T00:00:00Z");
        check(1_772_366_399_000, "2026-03-01T11:59:59Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_login_has_no_blanks() {
        assert_eq!(login("Ada Lovelace"), "ada-lovelace");
        assert_eq!(login("  "), "local");
    }
}
