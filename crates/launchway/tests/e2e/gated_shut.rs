//! What no person opens at a job's gate: the environment below, checks, freezes. Jobs go on by themselves when it is
//! over, whoever was killed meanwhile.

use expect_test::{Expect, expect};

use crate::deploy::{APP, Project};
use crate::harness::wait_until;
use crate::serving::Serving;

/// A job that ends as somebody says, and one that names production beside it.
const JOBS: &str = "
name: Ship
on: { push: {}, workflow_dispatch: {} }
jobs:
  first:
    runs-on: ubuntu-latest
    FIRST
    steps:
      - run: |
          echo first >> $MARKS/first
          while ! test -e $MARKS/go; do sleep 0.02; done
          test -e $MARKS/good
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: date +%s >> $MARKS/shipped }]
";

const SETTINGS: &str = "
version: 1
project: app
services: { web: {} }
environments:
  staging:
    level: 5
    protect: { branches: [main] }
    deploy: { on: main }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
  production:
    level: 5
    protect: { PROTECT }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
    MORE
";

/// The first job in an environment of its own, where it names one.
fn serving(first: &str, protect: &str, more: &str) -> Serving {
    let serving = Serving::of(&JOBS.replace("FIRST", first));
    let settings = SETTINGS.replace("PROTECT", protect).replace("MORE", more);
    serving.place.write("launchway.yml", &settings);
    serving.place.commit();
    serving
}

/// What the job `ship` of a run waits for, as soon as these words are in it; without the commit.
fn why(serving: &Serving, run: &str, words: &str) -> String {
    let mut said = String::new();
    wait_until(words, || {
        let run = serving.get(&format!("/api/v1/runs/{run}")).json();
        let commit = run["commit"].as_str().unwrap_or_default();
        let short: String = commit.chars().take(12).collect();
        let ship = run["jobs"].as_array().and_then(|all| all.iter().find(|it| it["job"] == "ship"));
        let why = ship.and_then(|it| it["why_waiting"].as_str()).unwrap_or_default();
        said = why.replace(&short, "COMMIT");
        said.contains(words)
    });
    said
}

fn check(serving: &Serving, run: &str, words: &str, expect: &Expect) {
    expect.assert_eq(&why(serving, run, words));
}

fn dispatch(serving: &Serving) {
    let path = "/api/v1/repositories/octo/app/dispatches";
    assert_eq!(serving.post(path, &[], r#"{"workflow":"ci.yml"}"#).status, 201);
}

fn shipped(serving: &Serving) -> usize {
    serving.mark("shipped").lines().count()
}

#[test]
fn a_job_waits_until_its_commit_ended_well_in_the_environment_below() {
    let mut serving = serving(
        "environment: staging",
        "branches: [main]",
        "deploy: { promote: staging }\n    scan: high",
    );
    assert_eq!(serving.push().exit, 0);
    check(
        &serving,
        "1",
        "is under way",
        &expect![
            "waits at the gate of production: production takes only what ended well in staging, and COMMIT is under way there (run 1.1)"
        ],
    );
    let gate = serving.get("/api/v1/runs/1/jobs/ship/approval").json();
    let shut = gate["shut"].as_str().expect("it says why");
    assert!(shut.contains("takes only what ended well in staging"), "{gate}");
    let page = serving.get("/approvals/1.1/ship").text;
    assert!(page.contains(shut), "{page}");
    let environments = serving.get("/environments").text;
    for said in [
        "Only commits that ended well in staging.",
        "Not asked of jobs, only by launchway deploy: `scan`.",
        "Not asked of jobs, only by launchway deploy: `deploy.on`.",
    ] {
        assert!(environments.contains(said), "{said}: {environments}");
    }

    // It fails there while nobody serves.
    serving.kill();
    serving.leave("go");
    serving.restart();
    check(
        &serving,
        "1",
        "ended there",
        &expect![
            "waits at the gate of production: production takes only what ended well in staging, and COMMIT ended there with failure (run 1.1)"
        ],
    );
    assert_eq!(shipped(&serving), 0);

    // The same commit once more: both go on that waited for it.
    serving.leave("good");
    dispatch(&serving);
    assert_eq!(serving.ended("2")["conclusion"], "success");
    assert_eq!(serving.ended("1")["conclusion"], "failure", "what failed in staging did");
    assert_eq!(shipped(&serving), 2);

    // Run again it is asked again, and it ended well there.
    assert_eq!(serving.post("/api/v1/runs/1/rerun", &[], "").status, 201);
    assert_eq!(serving.ended("1.2")["conclusion"], "success");
    assert_eq!(shipped(&serving), 3);
    serving.end();
}

#[test]
fn what_nothing_is_let_into_lets_nothing_up() {
    let mut serving = serving("", "branches: [main]", "below: staging");
    serving.leave("go");
    serving.leave("good");
    assert_eq!(serving.push().exit, 0);
    // No job of it ever names staging.
    check(
        &serving,
        "1",
        "was not run",
        &expect![
            "waits at the gate of production: production takes only what ended well in staging, and COMMIT was not run there"
        ],
    );
    serving.place.write(
        "launchway.yml",
        &SETTINGS
            .replacen("level: 5", "level: 3", 1)
            .replace("PROTECT", "branches: [main]")
            .replace("MORE", "below: staging"),
    );
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("2")["conclusion"], "failure");
    let page = serving.get("/runs/2.1").text;
    let said = "production takes only what ended well in staging, and that has the level 3: nothing is let in there";
    assert!(page.contains(said), "{page}");
    // What waited for it is told so, too, as soon as it is looked at.
    serving.kill();
    serving.restart();
    assert_eq!(serving.ended("1")["conclusion"], "failure");
    assert!(serving.get("/runs/1.1").text.contains(said));
    assert_eq!(shipped(&serving), 0);
    serving.end();
}

/// What `launchway deploy` brought there counts as what jobs did; rules that the server keeps ask for it, too.
#[test]
fn a_deployment_below_lets_the_job_go_on() {
    let mut serving = serving("", "branches: [main]", "");
    let kept = "version: 1\nproject: shop\nenvironments:\n  staging: { level: 5 }\n  production: { level: 5, below: staging }\n";
    let file = serving.place.path("kept.yml").display().to_string();
    std::fs::write(&file, kept).expect("a file of ours");
    let protect = serving.command(&["repositories", "protect", "octo/app", "--rules", &file]);
    expect![[r#"
        octo/app: production: Only commits that ended well in staging.
    "#]]
    .assert_eq(&protect.stderr);
    let settings = "version: 1\nproject: shop\nservices:\n  web:\n    run: [python3, app.py]\n    bundle: { path: app }\n    health: { paths: [/health], settle: 0s, within: 20s, every: 100ms }\nenvironments:\n  staging:\n    targets: { host: 127.0.0.1:PORT }\n  production:\n    level: 5\n    protect: { branches: [main] }\n    targets: { host: 127.0.0.1:PORT }\n";
    let project = Project::of(APP, settings);
    let workflow = serving.place.repository().join(".github/workflows/ci.yml");
    let workflow = std::fs::read_to_string(workflow);
    project.place.write(".github/workflows/ci.yml", &workflow.expect("a file of ours"));
    project.version("1.1");
    serving.leave("go");
    serving.leave("good");
    let bare = serving.place.path("app.git").display().to_string();
    project.place.git(&["push", "--quiet", &bare, "HEAD:refs/heads/main"]);
    check(
        &serving,
        "1",
        "was not run",
        &expect![
            "waits at the gate of production: production takes only what ended well in staging, and COMMIT was not run there"
        ],
    );
    let data = serving.place.path("data").display().to_string();
    let deployed = project.run(&["deploy", "staging", "--yes", "--state", &data]);
    assert_eq!(deployed.exit, 0, "{}", deployed.stderr);
    assert_eq!(shipped(&serving), 0);
    serving.kill();
    serving.restart();
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!(shipped(&serving), 1);
    drop(project);
    serving.end();
}

#[test]
fn a_check_that_turns_green_lets_the_job_go_on_after_a_kill() {
    let mut serving = serving("", "checks: [first]", "");
    assert_eq!(serving.push().exit, 0);
    check(
        &serving,
        "1",
        "is under way",
        &expect![
            "waits at the gate of production: production wants first green at COMMIT, and it is under way (.github/workflows/ci.yml)"
        ],
    );
    serving.kill();
    serving.leave("good");
    serving.leave("go");
    serving.restart();
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!(shipped(&serving), 1);

    // One that turns red does not; the same commit once more does.
    std::fs::remove_file(serving.place.path("marks/good")).expect("it was left");
    serving.place.write("text", "2");
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    check(
        &serving,
        "2",
        "ended with",
        &expect![
            "waits at the gate of production: production wants first green at COMMIT, and it ended with failure (.github/workflows/ci.yml)"
        ],
    );
    serving.leave("good");
    dispatch(&serving);
    assert_eq!(serving.ended("3")["conclusion"], "success");
    serving.ended("2");
    assert_eq!(shipped(&serving), 3);
    serving.end();
}

#[test]
fn a_freeze_that_ends_lets_the_job_go_on() {
    let mut serving = serving("", "branches: [main]", "");
    let file = serving.place.path("kept.yml").display().to_string();
    let frozen_until = |serving: &Serving, to: &str| {
        let freeze = format!("{{ from: 2026-01-01T00:00:00Z, to: '{to}', reason: the sale }}");
        let kept = format!(
            "version: 1\nproject: app\nenvironments:\n  production: {{ level: 5, protect: {{ freezes: [{freeze}] }} }}\n"
        );
        std::fs::write(&file, kept).expect("a file of ours");
        let protect = serving.command(&["repositories", "protect", "octo/app", "--rules", &file]);
        assert_eq!(protect.exit, 0, "{}", protect.stderr);
    };
    frozen_until(&serving, "2999-01-01T00:00:00Z");
    serving.leave("go");
    serving.leave("good");
    assert_eq!(serving.push().exit, 0);
    check(
        &serving,
        "1",
        "is frozen",
        &expect!["waits at the gate of production: production is frozen: the sale"],
    );
    let page = serving.get("/approvals/1.1/ship").text;
    let until =
        "<bdi>production is frozen: the sale</bdi>. Looked at again at 1 Jan 2999 00:00 UTC";
    assert!(page.contains(until), "{page}");

    // It is to end sooner; nobody serves in that moment, or somebody does again.
    let soon = jiff::Timestamp::now().as_second() + 3;
    let to = jiff::Timestamp::from_second(soon).expect("a moment").to_string();
    frozen_until(&serving, &to);
    serving.kill();
    serving.restart();
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let shipped = serving.mark("shipped");
    let at: i64 = shipped.trim().parse().expect("it was shipped once, at a second");
    assert!(at >= soon, "{at} and {soon}");
    serving.end();
}
