//! How jobs are stopped, and that nothing of them is left: real processes, real signals.

use std::io::Read as _;
use std::net::TcpListener;

use expect_test::{Expect, expect};
use protocol::{GitHubDoor, IdTokenDoor, JobSpec, ToWorker};

use crate::harness::{Told, run, start, start_after};

/// Whether a process that wrote its id to this file of the workspace still runs.
pub(crate) fn is_alive(told: &Told, name: &str) -> bool {
    let path = told.folder.path().join("job/work/demo/demo").join(name);
    let pid = std::fs::read_to_string(path).expect("the step wrote its process id");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // A dead process whose parent has not looked yet is dead.
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

// proves: conformance 138
#[test]
fn c138_a_cancelled_step_is_interrupted_and_always_steps_run() {
    let mut running = start(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          trap 'echo cleaning; exit 9' INT
          sleep 300 &
          echo $! > sleeper
          echo waiting
          wait
      - run: echo plain
      - run: echo \"status ${{ job.status }}\"
        if: cancelled()
",
        |_| {},
    );
    running.wait_for("\nwaiting\n");
    running.send(&ToWorker::Cancel);
    let told = running.finish();
    expect![[r#"
        Error  The operation was canceled.
        __run: cancelled -> cancelled
        __run_2: skipped -> skipped
        __run_3: success -> success
        job: cancelled Cancelled
    "#]]
    .assert_eq(&told.told());
    assert!(told.log.contains("cleaning\n") && told.log.contains("status cancelled\n"));
    assert!(!is_alive(&told, "sleeper"));
}

// proves: conformance 138
#[test]
fn c138_a_second_cancel_kills_at_once() {
    let mut running = start(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          trap '' INT TERM
          echo $$ > stubborn
          echo deaf
          while true; do sleep 100; done
      - run: echo never
        if: always()
",
        |_| {},
    );
    running.wait_for("\ndeaf\n");
    running.send(&ToWorker::Cancel);
    running.wait_for("canceled");
    running.send(&ToWorker::Cancel);
    let told = running.finish();
    expect![[r#"
        __run: cancelled -> cancelled
        job: cancelled Cancelled
    "#]]
    .assert_eq(&told.told());
    assert!(!is_alive(&told, "stubborn"));
}

// proves: conformance 116
#[test]
fn the_driver_gone_ends_the_tree_and_starts_nothing() {
    let mut running = start(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          trap 'echo heard > heard; exit 1' INT
          setsid sleep 300 &
          echo $! > daemon
          until grep -q sleep /proc/$!/comm; do :; done
          echo $$ > leader
          echo ready
          while true; do sleep 0.05; done
      - run: touch started
        if: always()
",
        |_| {},
    );
    running.wait_for("\nready\n");
    let told = running.abandon();
    assert!(!is_alive(&told, "leader") && !is_alive(&told, "daemon"));
    let workspace = told.folder.path().join("job/work/demo/demo");
    assert!(workspace.join("heard").exists());
    assert!(!workspace.join("started").exists());
}

// proves: conformance 116, 135
#[test]
fn c116_what_a_job_leaves_behind_is_swept_unless_it_was_detached() {
    let told = run("
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          read line || echo no input
          setsid sleep 300 >/dev/null 2>&1 &
          echo $! > daemon
          RUNNER_TRACKING_ID= setsid sleep 5 >/dev/null 2>&1 &
          echo $! > detached
          for pid in $(cat daemon detached); do
            until grep -q sleep /proc/$pid/comm; do :; done
          done
      - run: grep -q sleep /proc/$(cat daemon)/comm && echo still there
");
    expect![[r#"
        __run: success -> success
        __run_2: success -> success
        __cleanup: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    assert!(told.log.contains("no input\n") && told.log.contains("still there\n"));
    assert!(told.log.contains("Cleaning up orphan processes\n"));
    assert!(!is_alive(&told, "daemon"));
    assert!(is_alive(&told, "detached"));
}

// proves: conformance 102
#[test]
fn c102_a_job_that_takes_too_long_is_cancelled() {
    let told = start(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: sleep 100
      - run: echo cleaning
        if: always()
",
        |spec| spec.timeout_minutes = 0.003,
    )
    .finish();
    expect![[r#"
        Error  The job running on runner launchway has exceeded the maximum execution time of 0.003 minutes.
        Error  The operation was canceled.
        __run: cancelled -> cancelled
        __run_2: success -> success
        job: cancelled Timeout
    "#]]
    .assert_eq(&told.told());
}

/// The driver keeps the limit as well, and its word may come when the job cleans up already. A
/// second word is the one that kills.
// proves: conformance 102, 138
#[test]
fn c102_the_drivers_word_does_not_kill_what_cleans_up_after_the_time_limit() {
    let workflow = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: sleep 100
      - run: echo cleaning; sleep 0.3; echo cleaned
        if: always()
";
    let told = |orders: usize| {
        let mut job = start(workflow, |spec| spec.timeout_minutes = 0.003);
        let mut reports = job.wait_for("\ncleaning\n");
        for _ in 0..orders {
            job.send(&ToWorker::Cancel);
        }
        let mut told = job.finish();
        reports.append(&mut told.reports);
        told.reports = reports;
        told
    };
    let once = told(1);
    expect![[r#"
        Error  The job running on runner launchway has exceeded the maximum execution time of 0.003 minutes.
        Error  The operation was canceled.
        __run: cancelled -> cancelled
        __run_2: success -> success
        job: cancelled Timeout
    "#]].assert_eq(&once.told());
    assert!(once.log.contains("\ncleaned\n"), "{}", once.log);
    let twice = told(2);
    expect![[r#"
        Error  The job running on runner launchway has exceeded the maximum execution time of 0.003 minutes.
        Error  The operation was canceled.
        __run: cancelled -> cancelled
        __run_2: cancelled -> cancelled
        job: cancelled Timeout
    "#]].assert_eq(&twice.told());
    assert!(!twice.log.contains("\ncleaned\n"), "{}", twice.log);
}

/// A shell starts what it puts behind `&` with SIGINT and SIGQUIT ignored, `nohup` with SIGHUP: steps
/// inherit nothing of it, and can be interrupted as ever.
// proves: conformance 138
#[test]
fn c138_no_step_inherits_an_ignored_signal() {
    let workflow = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: grep SigIgn /proc/self/status
      - run: |
          trap 'echo cleaning; exit 9' INT
          sleep 300 &
          echo waiting
          wait
";
    let mut running = start_after("trap '' INT QUIT HUP TERM PIPE USR1 CHLD TSTP", workflow);
    running.wait_for("\nwaiting\n");
    running.send(&ToWorker::Cancel);
    let told = running.finish();
    expect![[r#"
        Error  The operation was canceled.
        __run_2: cancelled -> cancelled
        job: cancelled Cancelled
    "#]]
    .assert_eq(&told.told());
    let mask = told.log.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
    let mask = u64::from_str_radix(mask.expect("the kernel says it"), 16).expect("a mask");
    // Those from 32 on are the C library's own.
    assert_eq!(mask & 0x7fff_ffff, 0, "{mask:x}");
    assert!(told.log.contains("cleaning\n"), "{}", told.log);
}

/// A job whose server is asked for its token and says nothing.
fn unanswered(change: impl FnOnce(&mut JobSpec), tell: &[ToWorker], expect: &Expect) {
    let workflow = "on: push\njobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'echo ${{ github.token }}' }] } }";
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("its port"));
    let mut running = start(workflow, |spec| {
        change(spec);
        let token = Some(IdTokenDoor { url: url.as_str().into(), bearer: "lwjob_word".to_owned() });
        let place = url.as_str().into();
        spec.options.github = Some(GitHubDoor { server_url: place, api_url: "x".into(), token });
    });
    let (mut asks, _) = silent.accept().expect("the worker asks");
    asks.read_exact(&mut [0]).expect("a request");
    tell.iter().for_each(|message| running.send(message));
    expect.assert_eq(&running.finish().told());
    drop(asks);
}

#[test]
fn who_waits_for_its_token_hears_of_its_end() {
    let cancelled = expect![[r#"
        Warning  secrets.GITHUB_TOKEN is empty, the job was given none: the job was to end before the server answered
        Error  The operation was canceled.
        __run: skipped -> skipped
        job: cancelled Cancelled
    "#]];
    unanswered(|_| {}, &[ToWorker::Cancel], &cancelled);
    let timed_out = expect![[r#"
        Error  The job running on runner launchway has exceeded the maximum execution time of 0.02 minutes.
        Warning  secrets.GITHUB_TOKEN is empty, the job was given none: the job was to end before the server answered
        Error  The operation was canceled.
        __run: skipped -> skipped
        job: cancelled Timeout
    "#]];
    unanswered(|spec| spec.timeout_minutes = 0.02, &[], &timed_out);
}
