//! Servers that are killed and told to end, while jobs go on.

use expect_test::expect;

use super::{LONG, jobs};
use crate::harness::{Said, living, wait_until};
use crate::serving::Serving;

/// Killed in the middle of a run, with a push that comes while nobody serves: its job goes on alone.
#[test]
fn a_killed_server_goes_on_where_it_was() {
    let mut serving = Serving::of(LONG);
    serving.push();
    wait_until("the long job", || serving.mark("long") == "x\n");
    serving.kill();
    serving.place.write("other.txt", "x");
    serving.place.commit();
    let alone = serving.push();
    assert!(alone.stderr.contains("no server runs; it takes this push when"), "{}", alone.stderr);
    serving.restart();
    wait_until("the long job of the next run", || serving.mark("long") == "x\nx\n");
    serving.leave("go");
    let (one, two) = (serving.ended("1"), serving.ended("2"));
    expect![[r#"
        completed success
        first: success null
        long: success null
        after: success null
    "#]]
    .assert_eq(&jobs(&one));
    assert_eq!(two["conclusion"], "success");
    // Nothing is run again, and each push is one run.
    for job in ["first", "long", "after"] {
        assert_eq!(serving.mark(job), "x\nx\n", "{job}");
    }
    let runs = serving.get("/api/v1/runs").json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2));
    assert!(std::fs::read_dir(serving.place.path("data/inbox")).unwrap().next().is_none());
    serving.end();
}

/// A service manager ends it: jobs go on, to their end where nobody comes, and nothing is lost.
#[test]
fn a_job_outlives_the_server_that_is_told_to_end() {
    let mut serving = Serving::of(LONG);
    serving.push();
    wait_until("the long job", || serving.mark("long") == "x\n");
    serving.stop();
    let said = std::fs::read_to_string(serving.place.path("said")).expect("what it said");
    assert!(said.contains("1 job goes on without a server"), "{said}");
    serving.leave("go");
    wait_until("the worker's own end", || living(&serving.place).is_empty());
    serving.restart();
    let run = serving.ended("1");
    expect![[r#"
        completed success
        first: success null
        long: success null
        after: success null
    "#]]
    .assert_eq(&jobs(&run));
    assert_eq!(serving.mark("long"), "x\n");
    let raw = serving.get("/api/v1/runs/1/jobs/long/log").text;
    assert!(raw.contains("it holds on\n"), "{raw}");
    let jobs = serving.place.path("data/jobs");
    wait_until("its folder to be gone", || {
        let attempts = std::fs::read_dir(&jobs).into_iter().flatten().flatten();
        attempts.filter_map(|it| std::fs::read_dir(it.path()).ok()).flatten().next().is_none()
    });
    serving.end();
}

/// Somebody gives a run up while its server is away: its worker ends, and is not heard any more.
#[test]
fn a_run_without_its_server_is_cancelled_with_what_runs_of_it() {
    let mut serving = Serving::of(LONG);
    serving.push();
    wait_until("the long job", || serving.mark("long") == "x\n");
    serving.kill();
    let here = |args: &[&str]| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        let command = command.args(args).arg("--state").arg(serving.place.path("data"));
        Said::from(command.output().expect("it starts"))
    };
    let resumed = here(&["runs", "resume", "1"]);
    assert_eq!(resumed.exit, 4, "{}", resumed.stderr);
    assert!(resumed.stderr.contains("jobs of it go on, and wait for their server"));
    assert_eq!(here(&["runs", "cancel", "1"]).exit, 0);
    wait_until("the end of all processes", || living(&serving.place).is_empty());
    serving.restart();
    assert_eq!(serving.ended("1")["conclusion"], "cancelled");
    assert_eq!((serving.mark("long"), serving.mark("after")), ("x\n".into(), String::new()));
    serving.end();
}

const COUNTS: &str = "
on: push
permissions: {}
jobs:
  counts:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo x >> $MARKS/begun.$GITHUB_RUN_NUMBER
          for line in $(seq 30); do
            echo \"line $line of $GITHUB_RUN_NUMBER\" | tee -a $MARKS/copy.$GITHUB_RUN_NUMBER
            sleep 0.02
          done
      - run: echo x >> $MARKS/ended.$GITHUB_RUN_NUMBER
";

/// Whenever the server is killed: each push is one run, each step one deed, each line in the log once.
#[test]
fn twelve_kills_during_twelve_pushes_lose_nothing_and_double_nothing() {
    const PUSHES: usize = 12;
    let mut serving = Serving::of(COUNTS);
    for push in 0..PUSHES {
        serving.place.write("other.txt", &push.to_string());
        serving.place.commit();
        assert_eq!(serving.push().exit, 0);
        serving.kill();
        serving.restart();
    }
    for run in 1..=PUSHES {
        let ended = serving.ended(&run.to_string());
        assert_eq!(ended["conclusion"], "success", "{run}: {ended}");
        let (begun, copy) = (serving.mark(&format!("begun.{run}")), format!("copy.{run}"));
        assert_eq!((begun, serving.mark(&format!("ended.{run}"))), ("x\n".into(), "x\n".into()));
        let raw = serving.get(&format!("/api/v1/runs/{run}/jobs/counts/log")).text;
        let lines: Vec<&str> = raw.lines().filter(|line| line.starts_with("line ")).collect();
        assert_eq!(lines, serving.mark(&copy).lines().collect::<Vec<_>>(), "{run}");
    }
    let runs = serving.get("/api/v1/runs").json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(PUSHES));
    serving.end();
}
