//! Events and the files they change, item by item.

use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use repository::{ChangedFiles, EventRequest, PrivateStore, Repository, TriggeringEvent};

fn git(folder: &Path, line: &str) {
    let done = Command::new("git")
        .args(["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"])
        .args(line.split(' '))
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git starts");
    assert!(done.status.success(), "git {line}: {}", String::from_utf8_lossy(&done.stderr));
}

fn commit(folder: &Path, file: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, file).expect("a file");
    git(folder, "add .");
    git(folder, &format!("commit -q -m {file}"));
}

/// `main` with one commit, and `feature` with another, which is checked out.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    git(folder.path(), "init -q -b main");
    commit(folder.path(), "first");
    git(folder.path(), "checkout -q -b feature");
    commit(folder.path(), "second");
    folder
}

fn event(folder: &Path, request: &EventRequest) -> TriggeringEvent {
    let repository = Repository::discover(folder).expect("a repository");
    repository.event(request, false, &mut PrivateStore::passing()).expect("an event")
}

fn changed(event: &TriggeringEvent) -> String {
    match &event.changed {
        ChangedFiles::Files(files) => files.join(" "),
        ChangedFiles::All => "(all)".to_owned(),
    }
}

/// What a payload makes of the repository: the event's ref, activity and branches.
fn check(name: &str, payload: &str, expected: Expect) {
    let folder = sample();
    let path = folder.path().join("event.json");
    std::fs::write(&path, payload).expect("a file");
    let event = event(folder.path(), &EventRequest::Payload { name: name.to_owned(), path });
    let TriggeringEvent { git_ref, activity, base_ref, head_ref, .. } = &event;
    expected.assert_eq(&format!("{git_ref} {activity:?} {base_ref:?} {head_ref:?}"));
}

// proves: conformance 27
#[test]
fn c21_the_ref_of_each_event() {
    check("push", r#"{"ref": "refs/heads/dev"}"#, expect!["refs/heads/dev None None None"]);
    check("push", r#"{"ref": "refs/tags/v1"}"#, expect!["refs/tags/v1 None None None"]);
    check(
        "pull_request",
        r#"{"action": "closed", "pull_request": {"number": 7, "base": {"ref": "main"}, "head": {"ref": "fix"}}}"#,
        expect![[r#"refs/pull/7/merge Some("closed") Some("main") Some("fix")"#]],
    );
    check(
        "pull_request_target",
        r#"{"action": "opened", "pull_request": {"number": 7, "base": {"ref": "dev"}, "head": {"ref": "fix"}}}"#,
        expect![[r#"refs/heads/main Some("opened") Some("dev") Some("fix")"#]],
    );
    check(
        "release",
        r#"{"action": "published", "release": {"tag_name": "v2"}}"#,
        expect![[r#"refs/tags/v2 Some("published") None None"#]],
    );
    check("workflow_dispatch", r#"{"ref": "dev"}"#, expect!["refs/heads/dev None None None"]);
    check(
        "repository_dispatch",
        r#"{"action": "deploy", "client_payload": {"where": "here"}}"#,
        expect![[r#"refs/heads/main Some("deploy") None None"#]],
    );
    for name in ["issues", "issue_comment", "schedule", "workflow_run", "discussion", "fork"] {
        check(name, "{}", expect!["refs/heads/main None None None"]);
    }
    for name in ["watch", "label", "milestone", "gollum"] {
        check(name, "{}", expect!["refs/heads/main None None None"]);
    }
}

// proves: conformance 27
#[test]
fn c27_the_payload_reaches_the_event_whole() {
    let folder = sample();
    let path = folder.path().join("event.json");
    std::fs::write(&path, r#"{"action": "go", "client_payload": {"a": [1, {"b": null}]}}"#)
        .expect("a file");
    let request = EventRequest::Payload { name: "repository_dispatch".to_owned(), path };
    let payload = event(folder.path(), &request).payload;
    expect![[r#"{"a":[1,{"b":null}]}"#]].assert_eq(&payload["client_payload"].to_string());
}

// proves: conformance 35
#[test]
fn c35_which_files_changed() {
    let folder = sample();
    let at = folder.path();
    // A branch that was never pushed: since it left the default branch, three commits or one.
    commit(at, "third");
    assert_eq!(changed(&event(at, &EventRequest::Push)), "second third");
    // The default branch goes on meanwhile: two dots against three dots.
    git(at, "checkout -q main");
    commit(at, "elsewhere");
    git(at, "checkout -q feature");
    let pull_request = event(at, &EventRequest::PullRequest { base: None });
    assert_eq!(changed(&pull_request), "second third");
    // A rename touches both names.
    git(at, "mv third renamed");
    git(at, "commit -q -m renamed");
    assert_eq!(changed(&event(at, &EventRequest::Push)), "renamed second");
}

// proves: conformance 35
#[test]
fn c35_only_three_hundred_files_are_looked_at() {
    let folder = sample();
    let at = folder.path();
    for number in 0..301 {
        std::fs::write(at.join(format!("f{number:03}")), "").expect("a file");
    }
    git(at, "add .");
    git(at, "commit -q -m many");
    let ChangedFiles::Files(files) = event(at, &EventRequest::Push).changed else {
        panic!("the files are known");
    };
    assert_eq!((files.len(), files[299].as_str()), (300, "f299"));
}

// proves: conformance 1
#[test]
fn c1_committed_workflows_lie_directly_in_their_folder() {
    let folder = sample();
    let at = folder.path();
    for file in ["a.yml", "b.yaml", "deeper/c.yml", "d.txt"] {
        commit(at, &format!(".github/workflows/{file}"));
    }
    std::fs::write(at.join(".github/workflows/a.yml"), "not committed").expect("a file");
    let repository = Repository::discover(at).expect("a repository");
    let mut store = PrivateStore::passing();
    let event = repository.event(&EventRequest::Push, false, &mut store).expect("an event");
    let files = event.committed_files(&repository, &store, ".github/workflows");
    let files = files.expect("git answers").expect("those of the commit count");
    let files: Vec<String> =
        files.iter().map(|file| format!("{}: {}\n", file.path, file.text)).collect();
    expect![[r#"
        .github/workflows/a.yml: .github/workflows/a.yml
        .github/workflows/b.yaml: .github/workflows/b.yaml
        .github/workflows/d.txt: .github/workflows/d.txt
    "#]]
    .assert_eq(&files.concat());
}
