//! Which ref and commit each event runs at, and what is said where that is not what is checked out.

use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use repository::{EventRequest, PrivateStore, Repository};
use serde_json::{Value as Json, json};

fn git(folder: &Path, line: &str) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"])
        .args(line.split(' '))
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-03-01T12:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-03-01T12:00:00Z")
        .output()
        .expect("git starts");
    assert!(done.status.success(), "git {line}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn commit(folder: &Path, name: &str) {
    std::fs::create_dir_all(folder.join(".github/workflows")).expect("a folder");
    std::fs::write(folder.join(".github/workflows").join(format!("{name}.yml")), name)
        .expect("a file");
    git(folder, "add .");
    git(folder, &format!("commit -q -m {name}"));
}

/// `main`, `dev` and `feature` with a workflow file each beside the first one's; `v1` and the annotated
/// `v2` are tags of `dev`. What is checked out is `feature`, with a file that is not committed.
struct Sample {
    folder: tempfile::TempDir,
}

impl Sample {
    fn new() -> Sample {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let at = folder.path();
        git(at, "init -q -b main");
        commit(at, "first");
        git(at, "checkout -q -b dev");
        commit(at, "dev");
        git(at, "tag v1");
        git(at, "tag -a -m two v2");
        git(at, "checkout -q -b feature main");
        commit(at, "feature");
        git(at, "checkout -q main");
        commit(at, "main");
        git(at, "checkout -q feature");
        std::fs::write(at.join(".github/workflows/draft.yml"), "draft").expect("a file");
        Sample { folder }
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn id(&self, name: &str) -> String {
        git(self.at(), &format!("rev-parse {name}"))
    }

    /// Ref, commit by its subject, the workflow files that count, and what is said.
    fn stand(&self, request: &EventRequest, with_work_tree: bool) -> String {
        let repository = Repository::discover(self.at()).expect("a repository");
        let mut store = PrivateStore::passing();
        let event = match repository.event(request, with_work_tree, &mut store) {
            Ok(event) => event,
            Err(error) => return format!("error: {error}\n"),
        };
        let files = event.committed_files(&repository, &store, ".github/workflows");
        let files = match files.expect("git answers") {
            Some(files) => {
                let names = files.iter().map(|file| file.path.rsplit('/').next());
                names.flatten().collect::<Vec<_>>().join(" ")
            }
            None => "(work tree)".to_owned(),
        };
        let of = repository.commit(&event.commit).expect("git answers");
        let of = of.map_or_else(|| "(made)".to_owned(), |commit| commit.message);
        let changes = if event.snapshot.is_some() { " with changes" } else { "" };
        let note = event.note.map(|note| format!("  {note}\n")).unwrap_or_default();
        let nothing = event.starts_nothing.map(|it| format!("  {it}\n")).unwrap_or_default();
        let git_ref = if event.git_ref.is_empty() { "(no ref)" } else { &event.git_ref };
        format!("{git_ref} {of}{changes}: {files}\n{note}{nothing}")
    }

    fn payload(&self, name: &str, payload: &Json, with_work_tree: bool) -> String {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let path = scratch.path().join("event.json");
        std::fs::write(&path, payload.to_string()).expect("a file");
        self.stand(&EventRequest::Payload { name: name.to_owned(), path }, with_work_tree)
    }

    /// With the work tree.
    fn check(&self, name: &str, payload: Json, expected: Expect) {
        expected.assert_eq(&self.payload(name, &payload, true));
    }
}

const NOBODY: &str = "1111111111111111111111111111111111111111";

// proves: conformance 21
#[test]
fn c21_a_push_runs_at_the_commit_that_was_pushed() {
    let sample = Sample::new();
    let push = |git_ref: &str, after: &str| json!({ "ref": git_ref, "after": after });
    sample.check(
        "push",
        push("refs/heads/dev", &sample.id("dev")),
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "push",
        push("refs/heads/dev", &sample.id("dev~1")),
        expect![[r#"
        refs/heads/dev first: first.yml
          this runs the commit of the payload (34eccbd), not what is checked out
    "#]],
    );
    sample.check(
        "push",
        push("refs/heads/feature", &sample.id("feature")),
        expect![[r#"
        refs/heads/feature feature: feature.yml first.yml
          this runs the commit of the payload (00c9c57); what is not committed is left out
    "#]],
    );
    sample.check(
        "push",
        push("refs/tags/v2", &sample.id("v2")),
        expect![[r#"
        refs/tags/v2 dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "push",
        push("refs/heads/dev", NOBODY),
        expect![[r#"
        refs/heads/dev feature with changes: (work tree)
          the commit 1111111 of the payload is not in this repository: this runs what is checked out
    "#]],
    );
    sample.check(
        "push",
        push("refs/heads/dev", "--output=x"),
        expect![[r#"
        refs/heads/dev feature with changes: (work tree)
          the commit --outpu of the payload is not in this repository: this runs what is checked out
    "#]],
    );
    let head = json!({ "ref": "refs/heads/dev", "head_commit": { "id": sample.id("dev") } });
    sample.check(
        "push",
        head,
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    // Without a commit the ref tells; the branch that is checked out is meant as it stands.
    sample.check(
        "push",
        json!({ "ref": "refs/heads/dev" }),
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the branch dev (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "push",
        json!({ "ref": "refs/heads/feature" }),
        expect![[r#"
        refs/heads/feature feature with changes: (work tree)
    "#]],
    );
    sample.check(
        "push",
        json!({ "ref": "refs/heads/gone" }),
        expect![[r#"
        refs/heads/gone feature with changes: (work tree)
          the branch gone is not in this repository: this runs what is checked out
    "#]],
    );
    sample.check(
        "push",
        json!({}),
        expect![[r#"
        refs/heads/feature feature with changes: (work tree)
    "#]],
    );
}

// proves: conformance 21
#[test]
fn c21_a_push_that_deletes_starts_nothing() {
    let sample = Sample::new();
    let zeros = "0".repeat(40);
    let gone = json!({ "ref": "refs/heads/gone", "after": zeros, "deleted": true });
    sample.check(
        "push",
        gone,
        expect![[r#"
        refs/heads/gone feature with changes: (work tree)
          The push deletes the branch gone, and GitHub runs nothing for that.
    "#]],
    );
    sample.check(
        "push",
        json!({ "ref": "refs/tags/v0", "deleted": true }),
        expect![[r#"
        refs/tags/v0 feature with changes: (work tree)
          The push deletes the tag v0, and GitHub runs nothing for that.
    "#]],
    );
    sample.check(
        "push",
        json!({ "ref": "refs/heads/gone", "after": zeros }),
        expect![[r#"
        refs/heads/gone feature with changes: (work tree)
          The push deletes the branch gone, and GitHub runs nothing for that.
    "#]],
    );
    // The event for that is another one.
    sample.check("delete", json!({ "ref": "gone", "ref_type": "branch" }), expect![[r#"
        refs/heads/main feature with changes: (work tree)
          GitHub runs delete at the last commit of main, with the workflow files there; this runs what is checked out
    "#]]);
}

// proves: conformance 21
#[test]
fn c21_releases_and_new_refs_run_where_they_stand() {
    let sample = Sample::new();
    let release = |tag: &str| json!({ "action": "published", "release": { "tag_name": tag } });
    sample.check(
        "release",
        release("v1"),
        expect![[r#"
        refs/tags/v1 dev: dev.yml first.yml
          this runs the tag v1 (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "release",
        release("v2"),
        expect![[r#"
        refs/tags/v2 dev: dev.yml first.yml
          this runs the tag v2 (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "release",
        release("v9"),
        expect![[r#"
        refs/tags/v9 feature with changes: (work tree)
          the tag v9 is not in this repository: this runs what is checked out
    "#]],
    );
    sample.check(
        "create",
        json!({ "ref": "v1", "ref_type": "tag" }),
        expect![[r#"
        refs/tags/v1 dev: dev.yml first.yml
          this runs the tag v1 (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "create",
        json!({ "ref": "dev", "ref_type": "branch" }),
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the branch dev (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "workflow_dispatch",
        json!({ "ref": "refs/heads/dev" }),
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the branch dev (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "workflow_dispatch",
        json!({ "ref": "v1" }),
        expect![[r#"
        refs/tags/v1 dev: dev.yml first.yml
          this runs the tag v1 (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "workflow_dispatch",
        json!({ "ref": "feature" }),
        expect![[r#"
        refs/heads/feature feature with changes: (work tree)
    "#]],
    );
    sample.check(
        "workflow_dispatch",
        json!({ "inputs": {} }),
        expect![[r#"
        refs/heads/feature feature with changes: (work tree)
    "#]],
    );
}

// proves: conformance 21
#[test]
fn c21_deployments_groups_and_packages_name_their_commit() {
    let sample = Sample::new();
    let dev = sample.id("dev");
    let deployment = |name: &str| json!({ "deployment": { "sha": dev, "ref": name } });
    sample.check(
        "deployment",
        deployment("dev"),
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "deployment_status",
        deployment("v1"),
        expect![[r#"
        refs/tags/v1 dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    // A commit alone has no ref.
    sample.check(
        "deployment",
        deployment(&dev),
        expect![[r#"
            (no ref) dev: dev.yml first.yml
              this runs the commit of the payload (445d8f2), not what is checked out
        "#]],
    );
    let group = json!({ "action": "checks_requested", "merge_group": {
        "head_ref": "refs/heads/gh-readonly-queue/main/pr-7", "head_sha": dev,
        "base_ref": "refs/heads/main",
    } });
    sample.check(
        "merge_group",
        group,
        expect![[r#"
        refs/heads/gh-readonly-queue/main/pr-7 dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    let version = json!({ "target_oid": dev, "target_commitish": "dev" });
    let package = json!({ "registry_package": { "package_version": version } });
    sample.check(
        "registry_package",
        package,
        expect![[r#"
        refs/heads/dev dev: dev.yml first.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
}

// proves: conformance 21
#[test]
fn c21_a_pull_request_of_a_payload_runs_merged_and_a_merged_one_where_it_was_merged() {
    let sample = Sample::new();
    let (main, dev) = (sample.id("main"), sample.id("dev"));
    let pull = |head: &str, more: Json| {
        let mut pull = json!({ "number": 7, "base": { "ref": "main", "sha": main },
            "head": { "ref": "x", "sha": head } });
        pull.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        json!({ "action": "synchronize", "pull_request": pull })
    };
    sample.check(
        "pull_request",
        pull(&dev, json!({})),
        expect![[r#"
        refs/pull/7/merge (made): dev.yml first.yml main.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "pull_request",
        pull(&sample.id("feature"), json!({})),
        expect![[r#"
        refs/pull/7/merge (made): feature.yml first.yml main.yml
          this runs the commit of the payload (00c9c57); what is not committed is left out
    "#]],
    );
    sample.check(
        "pull_request",
        pull(NOBODY, json!({})),
        expect![[r#"
        refs/pull/7/merge (made) with changes: (work tree)
          the commit 1111111 of the payload is not in this repository: this runs what is checked out
    "#]],
    );
    sample.check(
        "pull_request_review",
        pull(&dev, json!({})),
        expect![[r#"
        refs/pull/7/merge (made): dev.yml first.yml main.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    sample.check(
        "pull_request",
        pull(&dev, json!({ "state": "closed" })),
        expect![[r#"
        refs/pull/7/merge (made): dev.yml first.yml main.yml
          this runs the commit of the payload (445d8f2), not what is checked out
    "#]],
    );
    let merged = json!({ "state": "closed", "merged": true, "merge_commit_sha": main });
    sample.check(
        "pull_request",
        pull(&dev, merged),
        expect![[r#"
        refs/heads/main main: first.yml main.yml
          this runs the commit of the payload (eac0d81), not what is checked out
    "#]],
    );
    sample.check("pull_request_target", pull(&dev, json!({})), expect![[r#"
        refs/heads/main feature with changes: (work tree)
          GitHub runs pull_request_target at the last commit of main, with the workflow files there; this runs what is checked out
    "#]]);
}

// proves: conformance 21
#[test]
fn c21_all_else_runs_at_the_default_branch_or_what_is_tried_instead() {
    let sample = Sample::new();
    let names = "branch_protection_rule check_run check_suite delete discussion \
        discussion_comment fork gollum image_version issue_comment issues label milestone \
        page_build project public pull_request_target repository_dispatch schedule status \
        watch workflow_run";
    // What it carries about other commits changes nothing.
    let dev = sample.id("dev");
    let payload = json!({ "sha": dev, "check_run": { "head_sha": dev },
        "check_suite": { "head_sha": dev }, "workflow_run": { "head_sha": dev } });
    let mut tried = Vec::new();
    let mut committed = Vec::new();
    for name in names.split_whitespace() {
        tried.push(sample.payload(name, &payload, true).replace(name, "EVENT"));
        committed.push(sample.payload(name, &payload, false));
    }
    tried.dedup();
    committed.dedup();
    expect![[r#"
        refs/heads/main feature with changes: (work tree)
          GitHub runs EVENT at the last commit of main, with the workflow files there; this runs what is checked out
    "#]].assert_eq(&tried.concat());
    expect![[r#"
        refs/heads/main main: first.yml main.yml
          this runs the last commit of main (eac0d81), not what is checked out
    "#]]
    .assert_eq(&committed.concat());
    let schedule = EventRequest::Named("schedule".to_owned());
    expect![[r#"
        refs/heads/main feature with changes: (work tree)
          GitHub runs schedule at the last commit of main, with the workflow files there; this runs what is checked out
    "#]].assert_eq(&sample.stand(&schedule, true));
    expect![[r#"
        refs/heads/main main: first.yml main.yml
          this runs the last commit of main (eac0d81), not what is checked out
    "#]]
    .assert_eq(&sample.stand(&schedule, false));
    // What is checked out is that commit: nothing is said.
    git(sample.at(), "checkout -q main");
    expect![[r#"
        refs/heads/main main with changes: (work tree)
    "#]]
    .assert_eq(&sample.stand(&schedule, true));
    expect![[r#"
        refs/heads/main main: first.yml main.yml
    "#]]
    .assert_eq(&sample.stand(&schedule, false));
    git(sample.at(), "checkout -q --detach main");
    expect![[r#"
        refs/heads/main main with changes: (work tree)
    "#]]
    .assert_eq(&sample.stand(&schedule, true));
}

// proves: conformance 21
#[test]
fn c21_the_default_branch_is_as_the_remote_is_known_to_have_it() {
    let sample = Sample::new();
    let at = sample.at();
    let schedule = EventRequest::Named("schedule".to_owned());
    git(at, &format!("update-ref refs/remotes/origin/trunk {}", sample.id("dev")));
    git(at, "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk");
    expect![[r#"
        refs/heads/trunk feature with changes: (work tree)
          GitHub runs schedule at the last commit of trunk, with the workflow files there; this runs what is checked out
    "#]].assert_eq(&sample.stand(&schedule, true));
    expect![[r#"
        refs/heads/trunk dev: dev.yml first.yml
          this runs the last commit of trunk (445d8f2), not what is checked out
    "#]]
    .assert_eq(&sample.stand(&schedule, false));
    // Without any branch the usual name is all that is known.
    git(at, "update-ref -d refs/remotes/origin/trunk");
    git(at, "checkout -q --detach");
    git(at, "branch -q -D main dev feature");
    expect![[r#"
        refs/heads/main feature with changes: (work tree)
          the branch main is not in this repository: this runs what is checked out
    "#]]
    .assert_eq(&sample.stand(&schedule, true));
    expect![[r#"
        refs/heads/main feature: feature.yml first.yml
          the branch main is not in this repository: this runs what is checked out
    "#]]
    .assert_eq(&sample.stand(&schedule, false));
}

// proves: conformance 21
#[test]
fn c21_events_made_here_run_what_is_checked_out() {
    let sample = Sample::new();
    let tag = |name: &str| EventRequest::Tag(name.to_owned());
    let pull_request = EventRequest::PullRequest { base: None };
    expect![[r#"
        refs/heads/feature feature with changes: (work tree)
    "#]]
    .assert_eq(&sample.stand(&EventRequest::Push, true));
    expect![[r#"
        refs/heads/feature feature: feature.yml first.yml
    "#]]
    .assert_eq(&sample.stand(&EventRequest::Push, false));
    expect![[r#"
        refs/pull/1/merge (made) with changes: (work tree)
    "#]]
    .assert_eq(&sample.stand(&pull_request, true));
    // The workflow files of the test merge: the base's are there too.
    expect![[r#"
        refs/pull/1/merge (made): feature.yml first.yml main.yml
    "#]]
    .assert_eq(&sample.stand(&pull_request, false));
    expect![[r#"
        refs/tags/v1 dev: dev.yml first.yml
          this runs the tag v1 (445d8f2), not what is checked out
    "#]]
    .assert_eq(&sample.stand(&tag("v1"), true));
    git(sample.at(), "tag v3");
    expect![[r#"
        refs/tags/v3 feature with changes: (work tree)
    "#]]
    .assert_eq(&sample.stand(&tag("v3"), true));
    expect![[r#"
        refs/tags/v3 feature: feature.yml first.yml
    "#]]
    .assert_eq(&sample.stand(&tag("v3"), false));
}
