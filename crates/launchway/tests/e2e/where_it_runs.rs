//! Events of commits that are not checked out, of the default branch, and of nothing any more.

use expect_test::expect;
use serde_json::json;

use crate::harness::{Place, Said};

/// Says at what it runs, and which file it stands in.
const SAYS: &str = "
on: [push, release, issues, pull_request, delete, deployment]
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo = NAME: $(cat code.txt) $GITHUB_REF
          echo = $([ $GITHUB_SHA = $(git rev-parse HEAD) ] && echo at that commit)
  called:
    uses: ./.github/workflows/called.yml
";

const CALLED: &str = "
on: workflow_call
jobs:
  job: { runs-on: ubuntu-latest, steps: [{ run: 'echo = called as NAME' }] }
";

/// Commits on `main` and on `feature`, which is checked out, and what is not committed.
fn place() -> Place {
    let place = Place::with(&[]);
    let write = |name: &str| {
        place.write("code.txt", &format!("code of {name}\n"));
        place.write(".github/workflows/ci.yml", &SAYS.replace("NAME", name));
        place.write(".github/workflows/called.yml", &CALLED.replace("NAME", name));
    };
    write("main");
    place.commit();
    place.git(&["tag", "v1"]);
    place.git(&["checkout", "--quiet", "-b", "feature"]);
    write("feature");
    place.commit();
    write("work tree");
    place
}

impl Place {
    /// Runs an event of a payload with machine-readable lines.
    fn event(&self, event: &str, payload: &serde_json::Value, more: &[&str]) -> Said {
        let path = self.path("event.json");
        std::fs::write(&path, payload.to_string()).expect("a file of ours");
        let path = path.display().to_string();
        self.json(&[&["run", event, "--event-path", &path], more].concat())
    }

    fn id(&self, name: &str) -> String {
        let output = self.program("git").args(["rev-parse", name]).output().expect("git starts");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// The notes, without what differs from run to run, and the story.
fn told(said: &Said) -> String {
    let mut notes: String = said
        .of("note")
        .iter()
        .map(|line| format!("note: {}\n", line["message"].as_str().unwrap_or_default()))
        .collect();
    if let Some(at) = notes.find("(").filter(|_| notes.contains(')')) {
        notes.replace_range(at + 1..notes.find(')').expect("it closes"), "...");
    }
    format!("{notes}{}{}", said.story(), said.stderr)
}

// proves: conformance 1, 21
#[test]
fn c21_a_payload_runs_at_its_commit_with_the_files_there() {
    let place = place();
    let push = |after: &str| json!({ "ref": "refs/heads/main", "after": after });
    expect![[r#"
        note: this runs the commit of the payload (...), not what is checked out
        called/job = called as main
        job = main: code of main refs/heads/main
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("push", &push(&place.id("main")), &[])));
    let rerun = place.json(&["runs", "rerun"]);
    expect![[r#"
        called/job = called as main
        job = main: code of main refs/heads/main
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
        note: this runs the commit ... again, not what is checked out
    "#]]
    .assert_eq(&told(&rerun).replace(&place.id("main")[..7], "..."));
    let release = json!({ "action": "published", "release": { "tag_name": "v1" } });
    expect![[r#"
        note: this runs the tag v1 (...), not what is checked out
        called/job = called as main
        job = main: code of main refs/tags/v1
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("release", &release, &[])));
    let deployment = json!({ "deployment": { "sha": place.id("main"), "ref": place.id("main") } });
    expect![[r#"
        note: this runs the commit of the payload (...), not what is checked out
        called/job = called as main
        job = main: code of main
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("deployment", &deployment, &[])));
    let pull = json!({ "action": "opened", "pull_request": { "number": 7,
        "base": { "ref": "main", "sha": place.id("main") },
        "head": { "ref": "feature", "sha": place.id("feature") } } });
    expect![[r#"
        note: this runs the commit of the payload (...); what is not committed is left out
        called/job = called as feature
        job = feature: code of feature refs/pull/7/merge
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("pull_request", &pull, &[])));
    // What is not here is tried all the same.
    expect![[r#"
        note: the commit 1111111 of the payload is not in this repository: this runs what is checked out
        called/job = called as work tree
        job = work tree: code of work tree refs/heads/main
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]].assert_eq(&told(&place.event("push", &push(&"1".repeat(40)), &[])));
}

// proves: conformance 21
#[test]
fn c21_an_event_of_the_default_branch_says_where_github_runs_it() {
    let place = place();
    let issues = json!({ "action": "opened" });
    expect![[r#"
        note: GitHub runs issues at the last commit of main, with the workflow files there; this runs what is checked out
        called/job = called as work tree
        job = work tree: code of work tree refs/heads/main
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]].assert_eq(&told(&place.event("issues", &issues, &[])));
    expect![[r#"
        note: this runs the last commit of main (...), not what is checked out
        called/job = called as main
        job = main: code of main refs/heads/main
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("issues", &issues, &["--committed"])));
    place.git(&["checkout", "--quiet", "--force", "main"]);
    place.write("code.txt", "changed\n");
    expect![[r#"
        called/job = called as main
        job = main: changed refs/heads/main
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("issues", &issues, &[])));
}

// proves: conformance 21
#[test]
fn c21_a_push_that_deletes_runs_nothing() {
    let place = place();
    let gone = json!({ "ref": "refs/heads/gone", "after": "0".repeat(40), "deleted": true });
    expect![[r#"
        exit 0
        no workflow runs on this event:
          .github/workflows/called.yml: The push deletes the branch gone, and GitHub runs nothing for that.
          .github/workflows/ci.yml: The push deletes the branch gone, and GitHub runs nothing for that.
    "#]].assert_eq(&told(&place.event("push", &gone, &[])));
    let delete = json!({ "ref": "gone", "ref_type": "branch" });
    expect![[r#"
        note: this runs the last commit of main (...), not what is checked out
        called/job = called as main
        job = main: code of main refs/heads/main
        job = at that commit
        called / job: success
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&told(&place.event("delete", &delete, &["--committed"])));
}

// proves: conformance 21
#[test]
fn c21_people_and_plans_are_told_too() {
    let place = place();
    let path = place.path("event.json");
    std::fs::write(&path, r#"{ "release": { "tag_name": "v1" } }"#).expect("a file of ours");
    let path = path.display().to_string();
    let id = place.id("main");
    let args = |command| [command, "release", "--event-path", &path, "-j", "job"];
    for said in [place.run(&args("run")), place.run(&args("plan"))] {
        let first = said.stderr.lines().next().unwrap_or_default();
        let expected = "note: this runs the tag v1 (...), not what is checked out";
        assert_eq!(first.replace(&id[..7], "..."), expected);
    }
    let plan = place.json(&args("plan"));
    let lines = plan.lines().into_iter().take(2).map(|line| format!("{line}\n"));
    let lines: String = lines.collect();
    expect![[r#"
        {"type":"plan","repository":"local/repository","event":"release","ref":"refs/tags/v1","commit":"ID","uncommitted":0}
        {"type":"note","message":"this runs the tag v1 (...), not what is checked out"}
    "#]].assert_eq(&lines.replace(&id, "ID").replace(&id[..7], "..."));
}
