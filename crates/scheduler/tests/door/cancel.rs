//! Cancelling, and running again.

use event::{Attempt, JobKey, StreamId};
use expect_test::{Expect, expect};
use scheduler::{Rerun, carry};

use crate::harness::{World, play, request};

const WORKFLOW: &str = "
on: push
jobs:
  build: { runs-on: ubuntu-latest, steps: [{ run: make }] }
  test:
    needs: build
    strategy: { matrix: { v: [x, y] }, fail-fast: false }
    runs-on: ubuntu-latest
    steps: [{ run: make }]
  report:
    needs: test
    if: always()
    runs-on: ubuntu-latest
    steps: [{ run: make }]
  ship:
    needs: test
    runs-on: ubuntu-latest
    steps: [{ run: make }]
";

fn check(script: &str, expect: Expect) {
    expect.assert_eq(&play(WORKFLOW, &[], script));
}

// proves: conformance 138
#[test]
fn c138_a_cancel_leaves_what_always_runs() {
    check(
        "
build success
take test (1)
cancel
test (1) cancelled
test (2) cancelled
report success
",
        expect![[r#"
            RunCreated
            JobsDeclared: build, test, report, ship
            RunStarted
            JobPlanned build
            JobReady build
            JobLeased build
            > build success
            JobStarted build
            JobCompleted build success
            JobPlanned test (1) as `test (x)`
            JobPlanned test (2) as `test (y)`
            JobExpanded test
            JobReady test (1)
            JobReady test (2)
            JobLeased test (1)
            JobLeased test (2)
            > take test (1)
            JobStarted test (1)
            > cancel
            CancelRequested: Person { by: "octocat", asked: None }
            CancelRequested test (1): Person { by: "octocat", asked: None }
            CancelRequested test (2): Person { by: "octocat", asked: None }
            > test (1) cancelled
            JobCompleted test (1) cancelled
            > test (2) cancelled
            JobStarted test (2)
            JobCompleted test (2) cancelled
            MatrixCompleted test cancelled
            JobPlanned report
            JobSkipped ship: Needs { job: JobKey("test") }
            JobReady report
            JobLeased report
            > report success
            JobStarted report
            JobCompleted report success
            RunCompleted cancelled
        "#]],
    );
}

// proves: conformance 229
#[test]
fn c229_a_run_ends_after_35_days_its_waiting_included() {
    const DAYS_35: u64 = 35 * 24 * 60;
    const WAITS: &str = "
on: push
concurrency: one
jobs:
  build: { runs-on: ubuntu-latest, timeout-minutes: 99999, steps: [{ run: make }] }
  report: { needs: build, if: always(), runs-on: ubuntu-latest, steps: [{ run: make }] }
  ship: { needs: build, runs-on: ubuntu-latest, steps: [{ run: make }] }
";
    // From its creation: the job began a day later, and may take as long.
    let script = format!(
        "clock 1440\ntake build\nclock {}\nclock 1\nbuild cancelled\nreport success\n",
        DAYS_35 - 1441
    );
    expect![[r#"
        RunCreated
        JobsDeclared: build, report, ship
        RunStarted
        JobPlanned build
        JobReady build
        JobLeased build
        > clock 1440

        > take build
        JobStarted build
        > clock 48959

        > clock 1
        CancelRequested: RunLimit { days: 35 }
        CancelRequested build: RunLimit { days: 35 }
        > build cancelled
        JobCompleted build cancelled
        JobPlanned report
        JobSkipped ship: Needs { job: JobKey("build") }
        JobReady report
        JobLeased report
        > report success
        JobStarted report
        JobCompleted report success
        RunCompleted cancelled
    "#]]
    .assert_eq(&play(WAITS, &[], &script));
    // One that still waits for another has not begun at all.
    let mut world = World::new();
    world.create(request(1, WAITS, &[]), Vec::new());
    world.act("clock 10");
    world.create(request(2, WAITS, &[]), Vec::new());
    world.told();
    assert_eq!(world.state.next_deadline(), Some(event::Timestamp(DAYS_35 * 60_000)));
    let mut told = String::new();
    for line in [format!("clock {}", DAYS_35 - 10), "clock 9".to_owned(), "clock 1".to_owned()] {
        world.act(&line);
        told.push_str(&format!("> {line}\n{}", world.told()));
    }
    expect![[r#"
        > clock 50390
        CancelRequested: RunLimit { days: 35 }
        CancelRequested build: RunLimit { days: 35 }
        > clock 9
        CancelRequested build: CleanUp { minutes: 5.0 }
        > clock 1
        [2] CancelRequested: RunLimit { days: 35 }
        [2] RunCompleted cancelled
    "#]]
    .assert_eq(&told);
    world.check_fold();
}

#[test]
fn a_forced_cancel_leaves_nothing() {
    check(
        "
build success
test (1) success
test (2) success
take report
force
report cancelled
ship cancelled
",
        expect![[r#"
            RunCreated
            JobsDeclared: build, test, report, ship
            RunStarted
            JobPlanned build
            JobReady build
            JobLeased build
            > build success
            JobStarted build
            JobCompleted build success
            JobPlanned test (1) as `test (x)`
            JobPlanned test (2) as `test (y)`
            JobExpanded test
            JobReady test (1)
            JobReady test (2)
            JobLeased test (1)
            JobLeased test (2)
            > test (1) success
            JobStarted test (1)
            JobCompleted test (1) success
            > test (2) success
            JobStarted test (2)
            JobCompleted test (2) success
            MatrixCompleted test success
            JobPlanned report
            JobPlanned ship
            JobReady report
            JobReady ship
            JobLeased report
            JobLeased ship
            > take report
            JobStarted report
            > force
            CancelRequested: Forced { by: "octocat", asked: None }
            CancelRequested report: Forced { by: "octocat", asked: None }
            CancelRequested ship: Forced { by: "octocat", asked: None }
            > report cancelled
            JobCompleted report cancelled
            > ship cancelled
            JobStarted ship
            JobCompleted ship cancelled
            RunCompleted cancelled
        "#]],
    );
}

#[test]
fn forced_after_a_cancel_no_worker_may_clean_up() {
    check(
        "
take build
cancel
force
lost build
",
        expect![[r#"
            RunCreated
            JobsDeclared: build, test, report, ship
            RunStarted
            JobPlanned build
            JobReady build
            JobLeased build
            > take build
            JobStarted build
            > cancel
            CancelRequested: Person { by: "octocat", asked: None }
            CancelRequested build: Person { by: "octocat", asked: None }
            > force
            CancelRequested: Forced { by: "octocat", asked: None }
            CancelRequested build: Forced { by: "octocat", asked: None }
            > lost build
            JobLost build
            JobCompleted build cancelled
            JobSkipped test: Forced
            JobSkipped report: Forced
            JobSkipped ship: Forced
            RunCompleted cancelled
        "#]],
    );
}

fn again(rerun: &Rerun, script: &str) -> String {
    let mut world = World::new();
    world.create(request(1, WORKFLOW, &[]), Vec::new());
    for line in ["build success k=v", "test (1) success", "test (2) failure", "report success"] {
        world.act(line);
    }
    world.told();
    let stream = StreamId::Run(event::RunId(1), Attempt(1));
    let before = world.state.run(stream).expect("it was made").clone();
    world.state.forget(stream);
    let mut request = request(1, WORKFLOW, &[]);
    request.attempt = Attempt(2);
    let carried = carry(&before, rerun, world.now).expect("it can run again");
    world.create(request, carried);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        world.act(line);
    }
    world.told()
}

// proves: conformance 38
#[test]
fn c38_failed_jobs_and_what_needs_them_run_again_the_rest_carries_over() {
    let told = again(&Rerun::Failed, "test (2) success\nreport success\nship success");
    expect![[r#"
        [1/2] RunCreated
        [1/2] JobsDeclared: build, test, report, ship
        [1/2] JobPlanned build
        [1/2] JobCarried build success k=v
        [1/2] JobPlanned test (1) as `test (x)`
        [1/2] JobPlanned test (2) as `test (y)`
        [1/2] JobExpanded test
        [1/2] JobCarried test (1) success
        [1/2] RunStarted
        [1/2] JobReady test (2)
        [1/2] JobLeased test (2)
        [1/2] JobStarted test (2)
        [1/2] JobCompleted test (2) success
        [1/2] MatrixCompleted test success
        [1/2] JobPlanned report
        [1/2] JobPlanned ship
        [1/2] JobReady report
        [1/2] JobReady ship
        [1/2] JobLeased report
        [1/2] JobLeased ship
        [1/2] JobStarted report
        [1/2] JobCompleted report success
        [1/2] JobStarted ship
        [1/2] JobCompleted ship success
        [1/2] RunCompleted success
    "#]]
    .assert_eq(&told);
}

// proves: conformance 38
#[test]
fn c38_one_job_runs_again_and_what_needs_it() {
    let told = again(&Rerun::Job(JobKey::new("report")), "report success");
    expect![[r#"
        [1/2] RunCreated
        [1/2] JobsDeclared: build, test, report, ship
        [1/2] JobPlanned build
        [1/2] JobCarried build success k=v
        [1/2] JobPlanned test (1) as `test (x)`
        [1/2] JobPlanned test (2) as `test (y)`
        [1/2] JobExpanded test
        [1/2] JobCarried test (1) success
        [1/2] JobCarried test (2) failure
        [1/2] JobCarried ship skipped
        [1/2] RunStarted
        [1/2] MatrixCompleted test failure
        [1/2] JobPlanned report
        [1/2] JobReady report
        [1/2] JobLeased report
        [1/2] JobStarted report
        [1/2] JobCompleted report success
        [1/2] RunCompleted failure
    "#]]
    .assert_eq(&told);
}
