//! The branch that rules come from is pinned when a repository is connected: no push chooses it, and where
//! nobody can read the rules whoever asks for an environment waits.

use serde_json::{Value as Json, json};

use crate::harness::{Said, wait_until};
use crate::serving::Serving;

/// An environment that people guard.
pub(crate) const SETTINGS: &str = "
version: 1
project: app
groups: { devops: [kim] }
services: { web: {} }
environments:
  production:
    level: 4
    protect: { reviewers: { devops: 1 } }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
";

const SHIP: &str = "
name: Ship
on: push
jobs:
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: echo shipped >> $MARKS/shipped }]
";

/// Pushes what is committed to a branch of a bare repository.
fn push(serving: &Serving, bare: &str, branch: &str) -> Said {
    let mut git = serving.place.program("git");
    let to = format!("HEAD:refs/heads/{branch}");
    Said::from(git.args(["push", "--quiet", bare, &to]).output().expect("git starts"))
}

fn why_waiting(serving: &Serving, run: &str, expect: &str) {
    let mut shown = Json::Null;
    wait_until("what it waits for", || {
        shown =
            serving.get(&format!("/api/v1/runs/{run}")).json()["jobs"][0]["why_waiting"].clone();
        shown.as_str().is_some_and(|why| why.contains(expect))
    });
}

/// Any word of a person has the rules read again.
fn look_again(serving: &Serving, run: &str) {
    let made =
        serving.command(&["tokens", "create", "kim", "--scope", "approve", "--person", "kim"]);
    let bearer = format!("Bearer {}", made.stdout.trim());
    let headers = [("authorization", bearer.as_str())];
    let what = "00".repeat(32);
    let body = json!({ "decision": "approve", "gate": "approval/devops", "what": what });
    let path = format!("/api/v1/runs/{run}/jobs/ship/approval");
    let got = serving.ask("POST", &path, &headers, &body.to_string());
    assert_eq!(got.status, 403, "{}", got.text);
}

#[test]
fn no_push_chooses_the_branch_that_rules_come_from() {
    let serving = Serving::of(SHIP);
    serving.place.write("launchway.yml", SETTINGS);
    serving.place.commit();
    let bare = serving.place.path("pin.git").display().to_string();
    serving.place.git(&["init", "--quiet", "--bare", "--initial-branch", "master", &bare]);
    let add = |more: &[&str]| {
        serving.command(&[&["repositories", "add", bare.as_str()][..], more].concat())
    };
    let added = add(&["--name", "octo/pin", "--environment", "production"]);
    assert!(
        added.stderr.contains("rules are read from master, which is not there yet"),
        "{}",
        added.stderr
    );

    // Nobody said that jobs of a repository whose rules are not there ask nobody.
    let pushed = push(&serving, &bare, "main");
    let not_there = "the default branch master of octo/pin is not there";
    assert!(pushed.stderr.contains(not_there), "{}", pushed.stderr);
    why_waiting(&serving, "1", &format!("its rules cannot be read: {not_there}"));
    let list = serving.command(&["repositories", "list"]);
    assert!(list.stdout.contains(not_there), "{}", list.stdout);

    // Nobody makes the branch that rules come from by pushing it.
    let loose = SETTINGS.replace("reviewers: { devops: 1 }", "wait: 0s");
    serving.place.write("launchway.yml", &loose);
    serving.place.commit();
    let refused = push(&serving, &bare, "master");
    assert!(refused.stderr.contains("the push is refused: it makes master"), "{}", refused.stderr);

    let added = add(&["--default-branch", "main"]);
    assert_eq!(added.exit, 0, "{}", added.stderr);
    look_again(&serving, "1");
    why_waiting(&serving, "1", "for 1 of devops (kim)");
    let mut git = serving.place.program("git");
    let deleted = Said::from(git.args(["push", &bare, ":main"]).output().expect("git starts"));
    assert!(deleted.stderr.contains("it takes away main"), "{}", deleted.stderr);
    assert_eq!(serving.mark("shipped"), "");

    // Called again it keeps what was said before, its name above all.
    assert_eq!(add(&["--label", "gpu=host"]).exit, 0);
    let list = serving.command(&["repositories", "list", "--format", "json"]);
    let line = list.stdout.lines().find(|line| line.contains("pin.git")).expect("it is listed");
    let kept: Json = serde_json::from_str(line).expect("JSON");
    assert_eq!(kept["name"], "octo/pin");
    assert_eq!(kept["default_branch"], "main");
    assert_eq!(kept["environments"], json!(["production"]));
    assert_eq!(kept["labels"], json!(["gpu"]));
    let renamed = add(&["--name", "audit/pin"]);
    assert_eq!(renamed.exit, 2);
    assert!(renamed.stderr.contains("is called octo/pin already"), "{}", renamed.stderr);
}

#[test]
fn rules_with_mistakes_are_refused_and_waited_for() {
    let serving = Serving::of(SHIP);
    serving.place.write("launchway.yml", SETTINGS);
    serving.place.commit();
    let bare = serving.place.path("app.git").display().to_string();
    assert_eq!(serving.push().exit, 0);
    why_waiting(&serving, "1", "for 1 of devops (kim)");

    serving.place.write("launchway.yml", &SETTINGS.replace("level: 4", "level: many"));
    serving.place.commit();
    let refused = serving.push();
    assert_ne!(refused.exit, 0);
    assert!(refused.stderr.contains("launchway.yml:8:12"), "{}", refused.stderr);
    assert!(refused.stderr.contains("its files have mistakes"), "{}", refused.stderr);

    // Past the hook: the job is not lost, and does not run.
    let work = serving.place.repository().display().to_string();
    let fetch = ["--git-dir", &bare, "fetch", "--quiet", &work, "+HEAD:refs/heads/main"];
    serving.place.git(&fetch);
    look_again(&serving, "1");
    why_waiting(&serving, "1", "launchway.yml has mistakes at the tip of main");
    serving.place.write("launchway.yml", SETTINGS);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    look_again(&serving, "1");
    why_waiting(&serving, "1", "for 1 of devops (kim)");
    assert_eq!(serving.mark("shipped"), "");
}
