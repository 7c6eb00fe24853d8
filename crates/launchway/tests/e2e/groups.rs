//! Concurrency groups between commands: never two holders, and who wants the holder gone gets it gone.

use std::process::{Child, Command};

use expect_test::expect;

use rustix::process::Signal;

use crate::harness::{Place, Said, living, wait_for_line, wait_until};
use crate::kill::signal;

/// A job in a group that says that it began and ends when it may; what runs beside it is seen.
const DEPLOY: &str = "
on: push
concurrency: { group: 'Deploy-${{ github.ref_name }}', cancel-in-progress: CANCELS }
env: { MARKS: '${{ vars.MARKS }}', NAME: '${{ vars.NAME }}' }
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - run: |
          if ! mkdir $MARKS/alone; then echo = not alone; exit 1; fi
          echo here > $MARKS/$NAME
          while ! test -e $MARKS/go; do sleep 0.02; done
      - { if: always(), run: rmdir $MARKS/alone }
";

/// A command that runs the workflow under a name, beside others.
fn start(place: &Place, name: &str) -> Child {
    std::fs::create_dir_all(place.path("marks")).expect("a folder of ours");
    let marks = format!("MARKS={}", place.path("marks").display());
    let name_is = format!("NAME={name}");
    let file = |kind: &str| std::fs::File::create(place.path(&format!("{name}.{kind}")));
    let mut command: Command =
        place.launchway(&["run", "--format", "json", "--var", &marks, "--var", &name_is]);
    command
        .stdout(file("out").expect("a file of ours"))
        .stderr(file("err").expect("a file of ours"));
    command.spawn().expect("the binary starts")
}

fn end(place: &Place, name: &str, mut command: Child) -> Said {
    let status = command.wait().expect("it was started");
    let read = |kind: &str| std::fs::read_to_string(place.path(&format!("{name}.{kind}")));
    Said {
        exit: status.code().unwrap_or(-1),
        stdout: read("out").expect("it was written"),
        stderr: read("err").expect("it was written"),
    }
}

// proves: conformance 41
#[test]
fn a_group_is_held_by_one_run_whichever_command_it_belongs_to() {
    let place = Place::workflow(&DEPLOY.replace("CANCELS", "false"));
    let first = start(&place, "first");
    wait_for_line(&place.path("marks/first"));
    let second = start(&place, "second");
    wait_until("the second in the journal", || place.shown()["run"] == 2);
    wait_until("the second waits", || place.shown().to_string().contains("which run/1/1 has"));
    assert!(!place.path("marks/second").exists());
    std::fs::write(place.path("marks/go"), "").expect("a file of ours");
    let ends = [end(&place, "first", first), end(&place, "second", second)];
    expect![[r#"
        deploy: success
        .github/workflows/ci.yml success
        exit 0
        deploy: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&ends.map(|said| said.story() + &said.stderr).concat());
}

// proves: conformance 41
#[test]
fn a_newer_run_ends_the_holder_in_another_command() {
    let place = Place::workflow(&DEPLOY.replace("CANCELS", "true"));
    let first = start(&place, "first");
    wait_for_line(&place.path("marks/first"));
    let second = start(&place, "second");
    let first = end(&place, "first", first);
    wait_for_line(&place.path("marks/second"));
    std::fs::write(place.path("marks/go"), "").expect("a file of ours");
    let second = end(&place, "second", second);
    expect![[r#"
        deploy: cancelled
          Run if ! mkdir $MARKS/alone; then echo = not alone; exit 1; fi: cancelled, cancelled
        .github/workflows/ci.yml cancelled
        exit 130
        deploy: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&[first, second].map(|said| said.story() + &said.stderr).concat());
}

/// A run whose command was killed, and another one that has its group by now.
fn overtaken() -> (Place, Child) {
    let place = Place::workflow(&DEPLOY.replace("CANCELS", "false"));
    let mut first = start(&place, "first");
    wait_for_line(&place.path("marks/first"));
    signal(first.id(), Signal::KILL);
    first.wait().expect("it was started");
    wait_until("the end of all processes", || living(&place).is_empty());
    std::fs::remove_dir(place.path("marks/alone")).expect("the killed job's");
    let second = start(&place, "second");
    wait_for_line(&place.path("marks/second"));
    (place, second)
}

/// The dead hold nothing; who comes back to life finds out that another run goes ahead.
#[test]
fn a_killed_holder_gets_its_group_back_when_it_is_free() {
    let (place, second) = overtaken();
    let resumed = place.run(&["runs", "resume", "1"]);
    expect![[r#"
        error: run/2/1 has the concurrency group `Deploy-main`
        hint: go on when that run has ended, or end it: launchway runs cancel
        exit 4
    "#]]
    .assert_eq(&format!("{}exit {}\n", resumed.stderr, resumed.exit));
    std::fs::write(place.path("marks/go"), "").expect("a file of ours");
    assert_eq!(end(&place, "second", second).exit, 0);
    assert_eq!(place.run(&["runs", "resume", "1"]).exit, 0);
}

#[test]
fn a_killed_holder_can_be_cancelled_whoever_has_its_group() {
    let (place, second) = overtaken();
    assert_eq!(place.run(&["runs", "cancel", "1"]).exit, 0);
    std::fs::write(place.path("marks/go"), "").expect("a file of ours");
    assert_eq!(end(&place, "second", second).exit, 0);
    let list = place.run(&["runs", "list", "--format", "json"]);
    let ends: Vec<String> =
        list.lines().iter().map(|run| format!("{} {}", run["run"], run["conclusion"])).collect();
    expect![[r#"2 "success", 1 "cancelled""#]].assert_eq(&ends.join(", "));
}
