//! What happened on GitHub, as a proven webhook tells it: only what decides where something runs.
//!
//! Names and commits go to git, so they are looked at here: a commit is a whole hash, a ref one that
//! git would make. Whether it is true is asked of the repository afterwards.

use serde_json::Value as Json;

use crate::issue::{Issue, issue};
use crate::webhook::Proven;

/// git takes no longer one.
const REF_CHARACTERS_MAX: usize = 255;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A branch or a tag is at another commit.
    Push {
        /// `refs/heads/main`
        git_ref: String,
        /// Zeros where it is new.
        before: String,
        /// Zeros where it is gone.
        after: String,
    },
    /// Something about a pull request.
    PullRequest(Box<PullRequest>),
    /// A person wants one workflow.
    Dispatch {
        /// `.github/workflows/deploy.yml`
        workflow: String,
        /// The branch or tag, in full or not.
        git_ref: String,
    },
    /// A program wants something of the default branch.
    RepositoryDispatch,
    /// A release, and what was done to it.
    Release {
        /// Its tag.
        tag: String,
    },
    /// Something about an issue.
    Issue(Box<Issue>),
    /// Nothing that runs anything here.
    Nothing {
        /// Why, for people.
        why: String,
    },
}

/// A pull request, as far as it decides what runs and what that may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// The newest commit of the branch that is to be merged.
    pub head: String,
    /// That branch.
    pub head_ref: String,
    /// The branch that it is to be merged into.
    pub base_ref: String,
    /// Whether the branch lies in another repository, or in one that is gone.
    pub is_fork: bool,
    /// Who opened it.
    pub author: String,
    /// What GitHub calls the author here: `CONTRIBUTOR`, `FIRST_TIME_CONTRIBUTOR`, ...
    pub association: String,
    /// Whether it was merged.
    pub is_merged: bool,
}

impl PullRequest {
    /// Whether nothing of its author was ever merged here, as far as GitHub says.
    pub fn is_first(&self) -> bool {
        !matches!(&*self.association, "OWNER" | "MEMBER" | "COLLABORATOR" | "CONTRIBUTOR")
    }
}

/// The repository that a webhook is about, `owner/name`; none where it names none.
pub(crate) fn repository(payload: &Json) -> Option<String> {
    let name = payload.pointer("/repository/full_name")?.as_str()?;
    let is_part = |part: &str| {
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(is_letter)
    };
    let (owner, short) = name.split_once('/')?;
    (is_part(owner) && is_part(short)).then(|| name.to_owned())
}

/// The repository and what happened there; none where the webhook is about no repository, or says
/// something that GitHub does not say.
pub fn read(proven: &Proven) -> Option<(String, Said)> {
    let payload = &proven.payload;
    let said = match proven.event.as_str() {
        "push" => push(payload)?,
        "pull_request" => Said::PullRequest(Box::new(pull_request(payload)?)),
        "workflow_dispatch" => Said::Dispatch {
            workflow: text(payload, "/workflow")?,
            git_ref: text(payload, "/ref").filter(|it| is_ref(it))?,
        },
        "repository_dispatch" => Said::RepositoryDispatch,
        "release" => {
            let tag = text(payload, "/release/tag_name")?;
            if !is_ref(&format!("refs/tags/{tag}")) {
                return None;
            }
            Said::Release { tag }
        }
        "issues" => match issue(payload)? {
            Some(issue) => Said::Issue(Box::new(issue)),
            None => Said::Nothing { why: "that says nothing about an incident".to_owned() },
        },
        other => Said::Nothing { why: format!("{other} starts nothing here") },
    };
    Some((repository(payload)?, said))
}

fn push(payload: &Json) -> Option<Said> {
    let git_ref = text(payload, "/ref").filter(|it| is_ref(it))?;
    let id = |pointer: &str| text(payload, pointer).filter(|it| is_commit(it));
    let (before, after) = (id("/before")?, id("/after")?);
    if !git_ref.starts_with("refs/heads/") && !git_ref.starts_with("refs/tags/") {
        return Some(Said::Nothing { why: format!("{git_ref} is neither branch nor tag") });
    }
    if after.bytes().all(|it| it == b'0') {
        return Some(Said::Nothing { why: format!("{git_ref} is gone; nothing runs for that") });
    }
    Some(Said::Push { git_ref, before, after })
}

fn pull_request(payload: &Json) -> Option<PullRequest> {
    let branch =
        |pointer: &str| text(payload, pointer).filter(|it| is_ref(&format!("refs/heads/{it}")));
    let id = |side: &str| payload.pointer(&format!("/pull_request/{side}/repo/id"))?.as_u64();
    let number = payload.pointer("/pull_request/number")?.as_u64()?;
    Some(PullRequest {
        number,
        head: text(payload, "/pull_request/head/sha").filter(|it| is_commit(it))?,
        head_ref: branch("/pull_request/head/ref")?,
        base_ref: branch("/pull_request/base/ref")?,
        // A repository that is gone, or that nothing is said of, is not this one.
        is_fork: id("head").is_none() || id("head") != id("base"),
        author: text(payload, "/pull_request/user/login").unwrap_or_default(),
        association: text(payload, "/pull_request/author_association").unwrap_or_default(),
        is_merged: payload.pointer("/pull_request/merged") == Some(&Json::Bool(true)),
    })
}

pub(crate) fn text(payload: &Json, pointer: &str) -> Option<String> {
    payload.pointer(pointer)?.as_str().map(str::to_owned)
}

/// A whole hash, SHA-1's or SHA-256's.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// What `git check-ref-format` takes, as far as it matters on a command line and in a path.
fn is_ref(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with(".lock")
            && !part.ends_with('.')
    };
    let is_letter = |it: char| !it.is_control() && !" ~^:?*[\\\u{7f}".contains(it);
    text.len() <= REF_CHARACTERS_MAX
        && !text.starts_with('-')
        && !text.contains("..")
        && !text.contains("@{")
        && text.chars().all(is_letter)
        && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";
    const NONE: &str = "0000000000000000000000000000000000000000";

    fn check(event: &str, mut payload: Json, expect: Expect) {
        payload["repository"] = json!({ "full_name": "octo/app" });
        let proven = Proven { id: "1".into(), event: event.into(), digest: None, payload };
        expect.assert_eq(&format!("{:?}", read(&proven)));
    }

    #[test]
    fn a_push_is_a_ref_and_two_commits() {
        check(
            "push",
            json!({ "ref": "refs/heads/main", "before": A, "after": B }),
            expect![[
                r#"Some(("octo/app", Push { git_ref: "refs/heads/main", before: "1111111111111111111111111111111111111111", after: "2222222222222222222222222222222222222222" }))"#
            ]],
        );
        check(
            "push",
            json!({ "ref": "refs/tags/v1", "before": A, "after": NONE }),
            expect![[
                r#"Some(("octo/app", Nothing { why: "refs/tags/v1 is gone; nothing runs for that" }))"#
            ]],
        );
        for git_ref in
            ["--upload-pack=x", "refs/heads/a b", "refs/heads/../x", "refs/heads/a:b", ""]
        {
            check("push", json!({ "ref": git_ref, "before": A, "after": B }), expect!["None"]);
        }
        check(
            "push",
            json!({ "ref": "refs/heads/main", "before": A, "after": "HEAD" }),
            expect!["None"],
        );
    }

    #[test]
    fn a_fork_is_whatever_is_not_proven_to_be_this_repository() {
        let of = |head: Json| {
            json!({ "pull_request": {
                "number": 7, "merged": false, "user": { "login": "mona" },
                "author_association": "NONE",
                "head": { "sha": A, "ref": "fix", "repo": head },
                "base": { "ref": "main", "repo": { "id": 1 } },
            } })
        };
        let is_fork = |head: Json| pull_request(&of(head)).expect("it is one").is_fork;
        assert!(!is_fork(json!({ "id": 1 })));
        assert!(is_fork(json!({ "id": 2 })));
        assert!(is_fork(Json::Null));
        assert!(is_fork(json!({})));
        let neither = json!({ "pull_request": {
            "number": 7, "head": { "sha": A, "ref": "fix" }, "base": { "ref": "main" } } });
        assert!(pull_request(&neither).expect("it is one").is_fork);
        assert!(pull_request(&of(json!({ "id": 1 }))).expect("it is one").is_first());
    }

    #[test]
    fn what_starts_nothing_says_so() {
        check(
            "star",
            json!({}),
            expect![[r#"Some(("octo/app", Nothing { why: "star starts nothing here" }))"#]],
        );
        check(
            "release",
            json!({ "release": { "tag_name": "v1.0.0" } }),
            expect![[r#"Some(("octo/app", Release { tag: "v1.0.0" }))"#]],
        );
        check("release", json!({ "release": { "tag_name": "../v1" } }), expect!["None"]);
    }
}
