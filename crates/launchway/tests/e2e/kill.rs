//! kill -9 and signals: of the command, of a worker, of both. What must be true afterwards: nothing
//! runs on, no further step was started, the journal has all that was shown, and whoever starts next
//! is told the truth.

use std::process::Child;

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Place, Said, living, wait_for_line, wait_until};

/// A command at work: it has written where its processes are.
struct AtWork {
    place: Place,
    command: Child,
    /// The worker of the job that holds on.
    worker: u32,
}

/// Starts the workflow and waits until its long step says who it is. Its script has `$MARK`, the
/// folder for markers.
fn at_work(workflow: &str, args: &[&str]) -> AtWork {
    let place = Place::workflow(workflow);
    let command = start(&place, args);
    let line = wait_for_line(&place.path("marks/long"));
    let worker = line.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a process id");
    // The step can be quicker than the journal.
    wait_until("the step in the journal", || place.shown().to_string().contains("holds on"));
    AtWork { place, command, worker }
}

fn start(place: &Place, args: &[&str]) -> Child {
    std::fs::create_dir_all(place.path("marks")).expect("a folder of ours");
    let marks = format!("MARKS={}", place.path("marks").display());
    let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
    let mut command =
        place.launchway(&[&["run", "--format", "json", "--var", &marks], args].concat());
    command.stdout(file("stdout")).stderr(file("stderr")).spawn().expect("the binary starts")
}

impl AtWork {
    /// Waits for the command's end.
    fn end(&mut self) -> Said {
        let status = self.command.wait().expect("it was started");
        let read = |name| std::fs::read_to_string(self.place.path(name)).expect("it was written");
        Said { exit: status.code().unwrap_or(-1), stdout: read("stdout"), stderr: read("stderr") }
    }

    /// Whether a step left this marker.
    fn has(&self, mark: &str) -> bool {
        self.place.path("marks").join(mark).exists()
    }

    /// The jobs of the newest run as `runs show` tells them, steps with how they ended.
    fn page(&self) -> String {
        let run = self.place.shown();
        let mut text = format!("run: {} {}", run["status"], run["conclusion"]);
        text.push_str(if run["unattended"] == true { " unattended\n" } else { "\n" });
        for job in run["jobs"].as_array().into_iter().flatten() {
            text.push_str(&format!(
                "{}: {} {} lost {} {}\n",
                job["name"], job["status"], job["conclusion"], job["lost"], job["why_waiting"]
            ));
            for step in job["steps"].as_array().into_iter().flatten() {
                text.push_str(&format!(
                    "  {}: {} interrupted {}\n",
                    step["name"], step["outcome"], step["interrupted"]
                ));
            }
        }
        text.replace('"', "")
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the process is there");
}

/// A job that ended, one that holds on beside a daemon, and one that waits for it.
const LONG: &str = "
on: push
env: { MARKS: '${{ vars.MARKS }}' }
jobs:
  first:
    runs-on: ubuntu-latest
    outputs: { kept: '${{ steps.it.outputs.kept }}' }
    steps: [{ id: it, run: 'echo kept=yes >> $GITHUB_OUTPUT' }]
  long:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - name: holds on
        run: |
          if test -e $MARKS/once; then echo = ${{ needs.first.outputs.kept }}; exit 0; fi
          touch $MARKS/once
          setsid sleep 600 &
          echo $PPID $! > $MARKS/long
          sleep 600
      - { name: next, run: touch $MARKS/next }
      - { name: cleans up, if: always(), run: touch $MARKS/always }
  after:
    needs: long
    runs-on: ubuntu-latest
    steps: [{ run: touch $MARKS/after }]
";

#[test]
fn a_killed_command_takes_its_jobs_along_and_the_next_start_says_so() {
    let mut at_work = at_work(LONG, &[]);
    let place = &at_work.place;
    signal(at_work.command.id(), Signal::KILL);
    wait_until("the end of all processes", || living(place).is_empty());
    at_work.end();
    for mark in ["next", "always", "after"] {
        assert!(!at_work.has(mark), "{mark} was started");
    }
    expect![[r#"
        run: in_progress null unattended
        first: completed success lost false null
          Run echo kept=yes >> $GITHUB_OUTPUT: success interrupted false
        long: in_progress null lost false was running when launchway ended
          holds on: null interrupted false
        after: waiting null lost false waits for long
    "#]]
    .assert_eq(&at_work.page());
    let page = at_work.place.run(&["runs", "show"]).stdout;
    let said: Vec<&str> = page.lines().filter(|line| line.contains("nobody runs it")).collect();
    expect!["? nobody runs it; launchway runs resume 1 goes on with it"]
        .assert_eq(&said.join("\n"));
    let list = at_work.place.run(&["runs", "list"]).stdout;
    assert!(list.contains("unattended"), "{list}");
    let watched = at_work.place.run(&["runs", "watch"]);
    assert_eq!(watched.exit, 1, "who watches is not kept waiting: {}", watched.stderr);
    assert!(watched.stdout.contains("nobody runs it"), "{}", watched.stdout);
    let next = at_work.place.run(&["run", "pull_request"]);
    expect![[r#"
        no workflow runs on this event:
          .github/workflows/ci.yml: It runs on push, not on pull_request.
        note: run/1/1: the job long was running when launchway was killed; its processes were ended
        hint: run 1 was not finished; launchway runs resume 1 goes on with it
    "#]]
    .assert_eq(&next.stderr);
    expect![[r#"
        run: in_progress null unattended
        first: completed success lost false null
          Run echo kept=yes >> $GITHUB_OUTPUT: success interrupted false
        long: queued null lost false is ready, and nobody runs it
        after: waiting null lost false waits for long
    "#]]
    .assert_eq(&at_work.page());
}

#[test]
fn a_killed_workers_job_is_lost_its_processes_end_and_it_starts_again() {
    let mut at_work = at_work(LONG, &[]);
    signal(at_work.worker, Signal::KILL);
    let said = at_work.end();
    let lost: Vec<String> = said.of("job_lost").iter().map(|it| it["reason"].to_string()).collect();
    expect![[r#"
        "its worker was ended by signal 9"
        long = yes
        after: success
        first: success {"kept":"yes"}
        long: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&format!("{}\n{}", lost.join("\n"), said.story()));
    assert!(living(&at_work.place).is_empty());
    expect![[r#"
        run: completed success
        first: completed success lost false null
          Run echo kept=yes >> $GITHUB_OUTPUT: success interrupted false
        long: completed success lost false null
          holds on: success interrupted false
          next: success interrupted false
          cleans up: success interrupted false
        after: completed success lost false null
          Run touch $MARKS/after: success interrupted false
    "#]]
    .assert_eq(&at_work.page());
}

// proves: conformance 141
#[test]
fn a_killed_worker_leaves_nothing_of_its_background_behind() {
    let background = "
      - { id: one, background: true, run: 'echo $$ > $MARKS/one; setsid sleep 600' }
      - { id: two, background: true, run: \"trap '' INT TERM; echo $$ > $MARKS/two; sleep 600\" }
      - name: holds on";
    let workflow = LONG.replace("\n      - name: holds on", background).replace(
        "touch $MARKS/once\n",
        "until test -e $MARKS/one -a -e $MARKS/two; do sleep 0.01; done; touch $MARKS/once\n",
    );
    let workflow = workflow
        .replace("setsid sleep 600'", "test -e $MARKS/once || setsid sleep 600'")
        .replace("two; sleep 600", "two; test -e $MARKS/once || sleep 600");
    let mut at_work = at_work(&workflow, &[]);
    signal(at_work.worker, Signal::KILL);
    let said = at_work.end();
    expect![[r#"
        long = yes
        after: success
        first: success {"kept":"yes"}
        long: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
    assert!(living(&at_work.place).is_empty());
}

#[test]
fn a_lost_job_that_reads_a_secret_waits_for_a_person() {
    let workflow = LONG.replace("touch $MARKS/once", "touch $MARKS/once # ${{ secrets.KEY }}");
    let mut at_work = at_work(&workflow, &["--secret", "KEY=0123456789"]);
    signal(at_work.worker, Signal::KILL);
    let said = at_work.end();
    expect![[r#"
        first: success {"kept":"yes"}
        exit 1
    "#]]
    .assert_eq(&format!("{}{}", said.story(), said.stderr));
    assert!(living(&at_work.place).is_empty() && !at_work.has("after"));
    expect![[r#"
        run: waiting null unattended
        first: completed success lost false null
          Run echo kept=yes >> $GITHUB_OUTPUT: success interrupted false
        long: waiting null lost true was lost (its worker was ended by signal 9) and waits for a person: it reads secrets
          holds on: null interrupted true
        after: waiting null lost false waits for long
    "#]].assert_eq(&at_work.page());
}

#[test]
fn where_both_are_killed_the_next_start_ends_what_they_left() {
    let mut at_work = at_work(LONG, &[]);
    // The worker cannot end its steps any more when it sees that the command is gone.
    signal(at_work.worker, Signal::STOP);
    signal(at_work.command.id(), Signal::KILL);
    signal(at_work.worker, Signal::KILL);
    at_work.end();
    assert!(!living(&at_work.place).is_empty(), "the step and its daemon are left");
    let next = at_work.place.run(&["run", "pull_request"]);
    expect![[r#"
        no workflow runs on this event:
          .github/workflows/ci.yml: It runs on push, not on pull_request.
        note: run/1/1: the job long was running when launchway was killed; its processes were ended
        hint: run 1 was not finished; launchway runs resume 1 goes on with it
    "#]]
    .assert_eq(&next.stderr);
    assert!(living(&at_work.place).is_empty());
    assert!(!at_work.has("next") && !at_work.has("always") && !at_work.has("after"));
    expect![[r#"
        run: in_progress null unattended
        first: completed success lost false null
          Run echo kept=yes >> $GITHUB_OUTPUT: success interrupted false
        long: queued null lost false is ready, and nobody runs it
        after: waiting null lost false waits for long
    "#]]
    .assert_eq(&at_work.page());
}

// proves: conformance 138
#[test]
fn an_interrupt_cancels_cleans_up_and_leaves_nothing() {
    let mut at_work = at_work(LONG, &[]);
    signal(at_work.command.id(), Signal::INT);
    let said = at_work.end();
    expect![[r#"
        after: skipped
        first: success {"kept":"yes"}
        long: cancelled
          holds on: cancelled, cancelled
          next: skipped, skipped
        .github/workflows/ci.yml cancelled
        exit 130
        cancelling; once more to end it without waiting
    "#]]
    .assert_eq(&format!("{}{}", said.story(), said.stderr));
    assert!(living(&at_work.place).is_empty());
    assert!(at_work.has("always") && !at_work.has("next") && !at_work.has("after"));
    expect![[r#"
        run: completed cancelled
        first: completed success lost false null
          Run echo kept=yes >> $GITHUB_OUTPUT: success interrupted false
        long: completed cancelled lost false null
          holds on: cancelled interrupted false
          next: skipped interrupted false
          cleans up: success interrupted false
          Complete job: success interrupted false
        after: completed skipped lost false null
    "#]]
    .assert_eq(&at_work.page());
}

#[test]
fn a_second_interrupt_waits_for_nobody() {
    let workflow = LONG.replace("touch $MARKS/always", "'echo > $MARKS/always; sleep 600'");
    let mut at_work = at_work(&workflow, &[]);
    signal(at_work.command.id(), Signal::TERM);
    wait_for_line(&at_work.place.path("marks/always"));
    signal(at_work.command.id(), Signal::INT);
    let said = at_work.end();
    expect![[r#"
        after: skipped
        first: success {"kept":"yes"}
        long: cancelled
          holds on: cancelled, cancelled
          next: skipped, skipped
        .github/workflows/ci.yml cancelled
        exit 130
        cancelling; once more to end it without waiting
    "#]]
    .assert_eq(&format!("{}{}", said.story(), said.stderr));
    assert!(living(&at_work.place).is_empty());
}

// proves: conformance 116
#[test]
fn a_daemon_does_not_outlive_its_job() {
    let place = Place::workflow(
        "
on: push
jobs:
  leaves:
    runs-on: ubuntu-latest
    steps:
      - run: setsid sleep 600 &
      - run: (setsid sleep 600 > /dev/null 2>&1 &)
  after:
    needs: leaves
    runs-on: ubuntu-latest
    steps: [{ run: 'echo = here' }]
",
    );
    let said = place.json(&["run"]);
    expect![[r#"
        after = here
        after: success
        leaves: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
    assert!(living(&place).is_empty());
    assert!(said.stdout.contains("Terminate orphan process"), "{}", said.stdout);
}
