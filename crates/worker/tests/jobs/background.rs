//! Steps in the background: real processes side by side (conformance 141).

use std::fmt::Write as _;
use std::io::Read as _;
use std::time::{Duration, Instant};

use expect_test::expect;
use protocol::{Report, ToWorker};
use store::{Blobs, Durability};

use crate::ending::is_alive;
use crate::harness::{Told, run, start};

fn job(steps: &str) -> String {
    format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n{steps}")
}

/// What a background step has in its own log.
fn own_log(told: &Told, key: &str) -> String {
    let blob = told.reports.iter().find_map(|report| match report {
        Report::StepCompleted { step, own_log, .. } if step.as_str() == key => own_log.clone(),
        _ => None,
    });
    let blob = blob.unwrap_or_else(|| panic!("{key} has no log of its own"));
    let folder = told.folder.path().join("blobs");
    let blobs = Blobs::open(&folder, Durability::ProcessDeath).expect("the blobs");
    let mut text = String::new();
    blobs.get(&blob).expect("it was kept").read_to_string(&mut text).expect("it is text");
    text
}

/// What was reported about steps, in that order.
fn course(told: &Told) -> String {
    let mut text = String::new();
    for report in &told.reports {
        let _ = match report {
            Report::StepStarted { step, name, background, .. } => {
                let aside = if *background { " (background)" } else { "" };
                writeln!(text, "{step} begins: {name}{aside}")
            }
            Report::StepCompleted { step, conclusion, own_log, .. } => {
                let log = if own_log.is_some() { ", has its own log" } else { "" };
                writeln!(text, "{step} ends: {conclusion}{log}")
            }
            _ => Ok(()),
        };
    }
    text
}

// proves: conformance 141
#[test]
fn c141_two_steps_that_wait_for_each_other_both_run() {
    let told = run(&job("
      - id: bg
        background: true
        run: |
          echo of the background ${{ secrets.TOKEN }}
          touch bg
          until test -e own; do sleep 0.01; done
          echo word=done >> $GITHUB_OUTPUT
          echo WORD=kept >> $GITHUB_ENV
          echo /somewhere >> $GITHUB_PATH
      - run: |
          until test -e bg; do sleep 0.01; done
          echo own step, $WORD ${{ steps.bg.outputs.word }}.
          touch own
      - wait: bg
      - run: echo after it, $WORD ${{ steps.bg.outputs.word }} ${PATH%%:*}.
"));
    let course = course(&told);
    let begins = "bg begins: Run echo of the background *** (background)\n__run begins: Run until ";
    assert!(course.starts_with(begins), "{course}");
    // Which of the two ends first is open; the wait knows both.
    let at = |text: &str| course.find(text).unwrap_or_else(|| panic!("{text}: {course}"));
    assert!(at("bg ends: success, has its own log\n") < at("__wait ends: success\n"));
    assert!(told.log.contains("\nown step, .\n"), "{}", told.log);
    assert!(told.log.contains("\nafter it, kept done /somewhere.\n"), "{}", told.log);
    // Its lines stand in its own log and nowhere else, masked.
    assert!(own_log(&told, "bg").contains("\nof the background ***\n"), "{}", own_log(&told, "bg"));
    assert!(!told.log.contains("\nof the background"), "{}", told.log);
}

// proves: conformance 141, 168, 172
#[test]
fn c141_commands_of_steps_side_by_side_do_not_meet() {
    let told = run(&job("
      - parallel:
        - id: quiet
          run: |
            echo '::stop-commands::token-of-the-step'
            touch quiet
            until test -e loud; do sleep 0.01; done
            echo '::error::no command'
            printf 'half of'
            touch half
            until test -e other; do sleep 0.01; done
            echo ' a line'
        - id: loud
          run: |
            until test -e quiet; do sleep 0.01; done
            echo '::add-mask::hidden-by-loud'
            touch loud
            until test -e half; do sleep 0.01; done
            echo '::warning::a command'
            echo 'loud=yes' >> $GITHUB_OUTPUT
            touch other
      - run: echo hidden-by-loud ${{ steps.loud.outputs.loud }}${{ steps.quiet.outputs.loud }}
"));
    let told_lines = told.told();
    let mut lines: Vec<&str> = told_lines.lines().collect();
    // Which of the two ends first is open.
    lines[..3].sort_unstable();
    expect![[r#"
        Warning  a command
        loud: success -> success
        quiet: success -> success
        __parallel: success -> success
        __run: success -> success
        job: success None"#]]
    .assert_eq(&lines.join("\n"));
    let quiet = own_log(&told, "quiet");
    assert!(quiet.contains("\n::error::no command\nhalf of a line\n"), "{quiet}");
    assert!(told.log.contains("\n*** yes\n"), "{}", told.log);
}

// proves: conformance 141
#[test]
fn c141_cancel_ends_the_whole_tree_of_a_step() {
    let told = run(&job("
      - id: server
        background: true
        run: |
          trap 'echo cleaning; exit 0' INT
          sleep 300 &
          echo $! > child
          echo $$ > server
          touch ready
          while true; do sleep 0.05; done
      - run: until test -e ready; do sleep 0.01; done
      - cancel: server
      - run: echo ${{ steps.server.outcome }}, ${{ job.status }}
"));
    expect![[r#"
        __run: success -> success
        server: cancelled -> cancelled
        __cancel: success -> success
        __run_2: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    assert!(!is_alive(&told, "server") && !is_alive(&told, "child"));
    assert!(own_log(&told, "server").ends_with("\ncleaning\n"));
    assert!(told.log.contains("\ncancelled, success\n"), "{}", told.log);
}

// proves: conformance 141
#[test]
fn c141_who_does_not_hear_is_killed_after_seven_and_a_half_seconds() {
    let began = Instant::now();
    let told = run(&job("
      - id: deaf
        background: true
        run: |
          trap '' INT
          trap 'touch asked-twice' TERM
          echo $$ > deaf
          while true; do sleep 100; done
      - run: until test -e deaf; do sleep 0.01; done
      - cancel: deaf
"));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(7_500), "it had only {took:?}");
    // SIGTERM with its 2.5 seconds does not come in between.
    assert!(!told.folder.path().join("job/work/demo/demo/asked-twice").exists());
    expect![[r#"
        __run: success -> success
        deaf: cancelled -> cancelled
        __cancel: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    assert!(!is_alive(&told, "deaf"));
}

// proves: conformance 129, 141
#[test]
fn c141_a_background_step_has_its_own_time_limit() {
    let told = run(&job("
      - { id: slow, run: sleep 300, background: true, timeout-minutes: 0.002 }
      - { id: fine, run: 'sleep 0.3; echo fine', background: true }
      - wait-all:
"));
    expect![[r#"
        Error  The action 'Run sleep 300' has timed out after 0.002 minutes.
        slow: failure -> failure
        fine: success -> success
        __wait-all: failure -> failure
        job: failure UserFailure
    "#]]
    .assert_eq(&told.told());
}

// proves: conformance 138, 141
#[test]
fn c141_a_cancelled_job_ends_its_background_too() {
    let mut running = start(
        &job("
      - { id: bg, background: true, run: 'echo $$ > bg; sleep 300' }
      - run: |
          until test -e bg; do sleep 0.01; done
          echo waiting
          sleep 300
"),
        |_| {},
    );
    running.wait_for("\nwaiting\n");
    running.send(&ToWorker::Cancel);
    let told = running.finish();
    assert!(!is_alive(&told, "bg"));
    let mut ends: Vec<String> = told.told().lines().map(str::to_owned).collect();
    // Both get the signal at once; who goes first is open.
    ends[1..3].sort();
    expect![[r#"
        [
            "Error  The operation was canceled.",
            "__run: cancelled -> cancelled",
            "bg: cancelled -> cancelled",
            "__implicit_wait_all: cancelled -> cancelled",
            "job: cancelled Cancelled",
        ]
    "#]]
    .assert_debug_eq(&ends);
}

// proves: conformance 116, 141
#[test]
fn c141_the_driver_gone_ends_the_background_too() {
    let mut running = start(
        &job("
      - { id: one, background: true, run: 'echo $$ > one; sleep 300' }
      - { id: two, background: true, run: 'echo $$ > two; sleep 300' }
      - run: |
          until test -e one -a -e two; do sleep 0.01; done
          echo $$ > own
          echo ready
          sleep 300
      - { run: touch started, if: always() }
"),
        |_| {},
    );
    running.wait_for("\nready\n");
    let told = running.abandon();
    for name in ["one", "two", "own"] {
        assert!(!is_alive(&told, name), "{name} runs on");
    }
    assert!(!told.folder.path().join("job/work/demo/demo/started").exists());
}

// proves: conformance 141, 148
#[test]
fn c141_a_composite_action_in_the_background_has_one_log() {
    let told = run(&job("
      - run: |
          mkdir -p act
          cat > act/action.yml <<END
          runs:
            using: composite
            steps:
              - { shell: bash, run: 'echo inner one; echo INNER=yes >> \\$GITHUB_ENV' }
              - { shell: bash, run: 'echo inner \\$INNER' }
          END
      - { id: act, uses: ./act, background: true }
      - run: echo own $INNER.
      - wait: act
      - run: echo then $INNER.
"));
    expect![[r#"
        __run begins: Run mkdir -p act
        __run ends: success
        act begins: Run ./act (background)
        act/__run begins: Run echo inner one; echo INNER=yes >> $GITHUB_ENV
        __run_2 begins: Run echo own $INNER.
    "#]]
    .assert_eq(&course(&told).lines().take(5).fold(String::new(), |text, it| text + it + "\n"));
    let log = own_log(&told, "act");
    assert!(log.contains("\ninner one\n") && log.contains("\ninner yes\n"), "{log}");
    assert!(told.log.contains("\nown .\n") && told.log.contains("\nthen yes.\n"), "{}", told.log);
    // The inner steps' lines are counted in the log of the step around them.
    let ranges = told.reports.iter().filter_map(|report| match report {
        Report::StepCompleted { step, log, .. } if step.as_str().starts_with("act") => Some(log),
        _ => None,
    });
    let size = log.len() as u64;
    for range in ranges {
        assert!(range.start_bytes < range.end_bytes && range.end_bytes <= size, "{range:?}");
    }
}
