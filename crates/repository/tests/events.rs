//! Events made from real repositories.

use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use repository::{ChangedFiles, EventRequest, PrivateStore, Repository, RepositoryError};

/// Runs git in `folder` as a person who does not depend on the machine's settings.
fn git(folder: &Path, line: &str) {
    let status = Command::new("git")
        .args(["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"])
        .args(line.split(' '))
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-03-01T12:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-03-01T12:00:00Z")
        .output()
        .expect("git starts");
    assert!(status.status.success(), "git {line}: {}", String::from_utf8_lossy(&status.stderr));
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
    std::fs::write(path, text).expect("file");
}

/// A repository with two commits on main and one on `feature`, which is checked out.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp folder");
    let at = folder.path();
    git(at, "init -q -b main");
    write(at, "README.md", "one\n");
    git(at, "add .");
    git(at, "commit -q -m first");
    write(at, "src/main.rs", "fn main() {}\n");
    git(at, "add .");
    git(at, "commit -q -m second");
    git(at, "tag v1.0.0");
    git(at, "remote add origin https://github.com/octo/app.git");
    git(at, "checkout -q -b feature");
    write(at, "src/extra.rs", "\n");
    git(at, "add .");
    git(at, "commit -q -m third");
    folder
}

fn check(request: &EventRequest, prepare: impl Fn(&Path), expect: Expect) {
    let folder = sample();
    prepare(folder.path());
    let found = Repository::discover(folder.path()).and_then(|repository| {
        let event = repository.event(request, true, &mut PrivateStore::passing())?;
        Ok((repository, event))
    });
    let shown = match found {
        Ok((repository, event)) => {
            let changed = match event.changed {
                ChangedFiles::Files(files) => files.join(" "),
                ChangedFiles::All => "(all)".to_owned(),
            };
            format!(
                "{} {:?} {} default={}\nref={} base={:?} head={:?} short={}\nchanged: {changed}\n",
                event.name,
                event.activity,
                repository.full_name(),
                repository.default_branch,
                event.git_ref,
                event.base_ref,
                event.head_ref,
                event.payload["head_commit"]["message"],
            )
        }
        Err(error) => format!("error: {error}\nhint: {}\n", error.hint().unwrap_or("")),
    };
    expect.assert_eq(&shown);
}

#[test]
fn a_new_branch_counts_from_where_it_left_the_default_branch() {
    check(
        &EventRequest::Push,
        |_| {},
        expect![[r#"
            push None octo/app default=main
            ref=refs/heads/feature base=None head=None short="third"
            changed: src/extra.rs
        "#]],
    );
}

#[test]
fn where_a_branch_left_the_default_branch_is_told() {
    let folder = sample();
    let repository = Repository::discover(folder.path()).expect("a repository");
    let commit = |name: &str| repository.commit(name).unwrap().map(|it| it.id);
    let of = |git_ref: &str, name: &str| {
        repository.branched_at(git_ref, &commit(name).expect("a commit")).unwrap()
    };
    assert_eq!(of("refs/heads/feature", "feature"), commit("main"));
    assert_eq!(of("refs/tags/v1.0.0", "v1.0.0"), commit("main"));
    assert_eq!(of("refs/heads/main", "main"), None);
    assert_eq!(of("refs/pull/1/merge", "feature"), None);
    git(folder.path(), "checkout -q --orphan alone");
    git(folder.path(), "commit -q -m alone");
    assert_eq!(of("refs/heads/alone", "alone"), None);
}

#[test]
fn what_is_not_committed_counts_as_changed() {
    check(
        &EventRequest::Push,
        |at| write(at, "docs/new page.md", "x"),
        expect![[r#"
            push None octo/app default=main
            ref=refs/heads/feature base=None head=None short="third"
            changed: docs/new page.md src/extra.rs
        "#]],
    );
}

#[test]
fn with_nothing_left_to_push_the_last_commit_counts() {
    check(
        &EventRequest::Push,
        |at| git(at, "checkout -q main"),
        expect![[r#"
            push None octo/app default=main
            ref=refs/heads/main base=None head=None short="second"
            changed: src/main.rs
        "#]],
    );
}

#[test]
fn a_tag_has_no_path_filters() {
    check(
        &EventRequest::Tag("v1.0.0".to_owned()),
        |_| {},
        expect![[r#"
            push None octo/app default=main
            ref=refs/tags/v1.0.0 base=None head=None short="second"
            changed: (all)
        "#]],
    );
}

#[test]
fn a_pull_request_is_against_the_merge_base() {
    check(
        &EventRequest::PullRequest { base: None },
        |_| {},
        expect![[r#"
            pull_request Some("opened") octo/app default=main
            ref=refs/pull/1/merge base=Some("main") head=Some("feature") short=null
            changed: src/extra.rs
        "#]],
    );
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    check(
        &EventRequest::Tag("v9".to_owned()),
        |_| {},
        expect![[r#"
            error: there is no tag v9 in this repository
            hint: make it first: git tag v9
        "#]],
    );
    check(
        &EventRequest::PullRequest { base: Some("nowhere".to_owned()) },
        |_| {},
        expect![[r#"
            error: there is no branch nowhere to open a pull request against
            hint: name one that exists: --base BRANCH (git branch --all lists them)
        "#]],
    );
    check(
        &EventRequest::Named("release".to_owned()),
        |_| {},
        expect![[r#"
            error: a release event cannot be made from a repository alone
            hint: give its payload: launchway run release --event-path FILE
        "#]],
    );
}

#[test]
fn a_payload_file_is_taken_as_it_is() {
    let folder = sample();
    let file = folder.path().join("event.json");
    std::fs::write(&file, r#"{"action":"published","release":{"tag_name":"v2.0.0"}}"#)
        .expect("file");
    let repository = Repository::discover(folder.path()).expect("a repository");
    let request = EventRequest::Payload { name: "release".to_owned(), path: file };
    let event = repository.event(&request, true, &mut PrivateStore::passing()).expect("an event");
    assert_eq!(event.git_ref, "refs/tags/v2.0.0");
    assert_eq!(event.activity.as_deref(), Some("published"));
    assert_eq!(event.payload["repository"]["full_name"], "octo/app");
}

#[test]
fn no_repository_and_no_commit_are_told_apart() {
    let folder = tempfile::tempdir().expect("temp folder");
    let error = Repository::discover(folder.path()).expect_err("nothing is there");
    assert!(matches!(error, RepositoryError::NotARepository { .. }), "{error:?}");
    git(folder.path(), "init -q");
    let error = Repository::discover(folder.path()).expect_err("no commit is there");
    assert!(matches!(error, RepositoryError::NoCommit { .. }), "{error:?}");
}
