//! Needs, conditions and results.

use expect_test::{Expect, expect};

use crate::harness::play;

fn check(jobs: &str, script: &str, expect: Expect) {
    let runs_on = "\n    runs-on: ubuntu-latest\n    steps: [{ run: make }]\n";
    let workflow = format!("on: push\njobs:\n{}", jobs.replace("@", runs_on));
    expect.assert_eq(&play(&workflow, &[], script));
}

// proves: conformance 69, 100, 222
#[test]
fn c100_a_line_of_jobs_runs_one_after_the_other() {
    check(
        "
  lint:
    outputs: { version: x } @
  test:
    needs: lint
    name: Test ${{ needs.lint.outputs.version }} @
",
        "
lint success version=1.2
test success
",
        expect![[r#"
            RunCreated
            JobsDeclared: lint, test
            RunStarted
            JobPlanned lint
            JobReady lint
            JobLeased lint
            > lint success version=1.2
            JobStarted lint
            JobCompleted lint success version=1.2
            JobPlanned test as `Test 1.2`
            JobReady test
            JobLeased test
            > test success
            JobStarted test
            JobCompleted test success
            RunCompleted success
        "#]],
    );
}

// proves: conformance 47, 88, 252, 254
#[test]
fn c88_status_functions_look_at_all_that_lies_before() {
    check(
        "
  a:
    name: a @
  b:
    needs: a @
  c:
    needs: b
    if: always() @
  after-always:
    needs: c @
  on-failure:
    needs: c
    if: failure() @
  by-name:
    needs: [a, c]
    if: ${{ !cancelled() && needs.b.outputs.x == '' && needs.a.result == 'failure' }} @
",
        "
a failure
c success
on-failure success
by-name success
",
        expect![[r#"
            RunCreated
            JobsDeclared: a, b, c, after-always, on-failure, by-name
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            > a failure
            JobStarted a
            JobCompleted a failure
            JobSkipped b: Needs { job: JobKey("a") }
            JobPlanned c
            JobReady c
            JobLeased c
            > c success
            JobStarted c
            JobCompleted c success
            JobSkipped after-always: Needs { job: JobKey("c") }
            JobPlanned on-failure
            JobPlanned by-name
            JobReady on-failure
            JobReady by-name
            JobLeased on-failure
            JobLeased by-name
            > on-failure success
            JobStarted on-failure
            JobCompleted on-failure success
            > by-name success
            JobStarted by-name
            JobCompleted by-name success
            RunCompleted failure
        "#]],
    );
}

// proves: conformance 37, 88, 222
#[test]
fn c88_a_skipped_need_skips_and_a_run_of_skipped_jobs_is_skipped() {
    check(
        "
  a:
    if: github.event.missing @
  b:
    needs: a @
",
        "",
        expect![[r#"
            RunCreated
            JobsDeclared: a, b
            RunStarted
            JobSkipped a: Condition { expression: "github.event.missing" }
            JobSkipped b: Needs { job: JobKey("a") }
            RunCompleted skipped
        "#]],
    );
}

// proves: conformance 97
#[test]
fn c97_continue_on_error_fails_nobody_else() {
    check(
        "
  a:
    continue-on-error: true @
  b:
    needs: a
    name: saw ${{ needs.a.result }} @
",
        "
a failure
b success
",
        expect![[r#"
            RunCreated
            JobsDeclared: a, b
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            > a failure
            JobStarted a
            JobCompleted a failure
            JobPlanned b as `saw success`
            JobReady b
            JobLeased b
            > b success
            JobStarted b
            JobCompleted b success
            RunCompleted success
        "#]],
    );
}

// proves: conformance 49, 90
#[test]
fn a_mistake_fails_its_job_with_the_place_and_others_go_on() {
    check(
        "
  a:
    if: fromJSON('{') @
  b:
    timeout-minutes: ${{ github.event.missing || 'ten' }} @
  c:
    strategy: { matrix: { v: \"${{ fromJSON('[]') }}\" } } @
  d:
    concurrency: ${{ github.event.missing }} @
  e:
    name: e @
",
        "e success",
        expect![[r#"
            RunCreated
            JobsDeclared: a, b, c, d, e
            RunStarted
            AnnotationAdded a: if: fromJSON: the text ends where a name should stand at character 2 (line 5)
            JobCompleted a failure
            AnnotationAdded b: timeout-minutes: a number was expected, not String 'ten' (line 10)
            JobCompleted b failure
            AnnotationAdded c: matrix: Matrix vector 'v' does not contain any values (line 15)
            JobCompleted c failure
            AnnotationAdded d: concurrency: the group is empty (line 20)
            JobCompleted d failure
            JobPlanned e
            JobReady e
            JobLeased e
            > e success
            JobStarted e
            JobCompleted e success
            RunCompleted failure
        "#]],
    );
}

// proves: conformance 102
#[test]
fn c102_the_time_limit_cancels_and_the_end_says_so() {
    check(
        "
  a:
    timeout-minutes: 5 @
",
        "
take a
clock 4
clock 2
a cancelled
",
        expect![[r#"
            RunCreated
            JobsDeclared: a
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            > take a
            JobStarted a
            > clock 4

            > clock 2
            AnnotationAdded a: The job has exceeded the maximum execution time of 5m
            CancelRequested a: Timeout { minutes: 5.0 }
            > a cancelled
            JobCompleted a timed_out
            RunCompleted timed_out
        "#]],
    );
}

/// Nobody cancelled the run, so it is not called so; for jobs and conditions it is as on GitHub.
// proves: conformance 102, 222
#[test]
fn c222_a_run_whose_job_timed_out_has_timed_out() {
    let jobs = "
  a:
    timeout-minutes: 5 @
  cancelled:
    name: cancelled ${{ needs.a.result }}
    needs: a
    if: cancelled() || needs.a.result == 'cancelled' @
  failed:
    needs: a
    if: failure() @
";
    let script = |last: &str| format!("take a\nclock 6\n{last}a cancelled\ncancelled success\n");
    let ends = |script: &str| {
        let runs_on = "\n    runs-on: ubuntu-latest\n    steps: [{ run: make }]\n";
        let told = play(&format!("on: push\njobs:\n{}", jobs.replace("@", runs_on)), &[], script);
        let ends = ["JobPlanned cancelled", "JobCompleted", "JobSkipped", "RunCompleted"];
        let is_end = |line: &&str| ends.iter().any(|end| line.starts_with(end));
        told.lines().filter(is_end).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        JobCompleted a timed_out
        JobPlanned cancelled as `cancelled cancelled`
        JobSkipped failed: Condition { expression: "failure()" }
        JobCompleted cancelled success
        RunCompleted timed_out"#]]
    .assert_eq(&ends(&script("")));
    expect![[r#"
        JobCompleted a timed_out
        JobPlanned cancelled as `cancelled cancelled`
        JobSkipped failed: Condition { expression: "failure()" }
        JobCompleted cancelled success
        RunCompleted cancelled"#]]
    .assert_eq(&ends(&script("cancel\n")));
}

// proves: conformance 103
#[test]
fn c103_a_worker_that_cleans_up_for_too_long_is_told_once_more() {
    check(
        "
  a:
    timeout-minutes: 5
    cancel-timeout-minutes: 1 @
",
        "
take a
clock 6
clock 2
lost a
",
        expect![[r#"
            RunCreated
            JobsDeclared: a
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            > take a
            JobStarted a
            > clock 6
            AnnotationAdded a: The job has exceeded the maximum execution time of 5m
            CancelRequested a: Timeout { minutes: 5.0 }
            > clock 2
            CancelRequested a: CleanUp { minutes: 1.0 }
            > lost a
            JobLost a
            JobCompleted a timed_out
            RunCompleted timed_out
        "#]],
    );
}

#[test]
fn a_lost_job_starts_again_only_if_nothing_outside_can_have_changed() {
    check(
        "
  plain:
    name: plain @
  writes:
    permissions: { packages: write } @
  reads:
    env: { KEY: \"${{ secrets.KEY }}\" } @
  ships:
    environment: production @
",
        "
take plain
lost plain
lost writes
lost reads
lost ships
resume
plain success
",
        expect![[r#"
            RunCreated
            JobsDeclared: plain, writes, reads, ships
            RunStarted
            JobPlanned plain
            JobPlanned writes
            JobPlanned reads
            JobPlanned ships
            JobReady plain
            JobReady writes
            JobReady reads
            JobReady ships
            JobLeased plain
            JobLeased writes
            JobLeased reads
            JobLeased ships
            > take plain
            JobStarted plain
            > lost plain
            JobLost plain
            JobRequeued plain
            JobLeased plain
            > lost writes
            JobLost writes
            JobWaiting writes: Person { reason: "it may write to `packages`" }
            > lost reads
            JobLost reads
            JobWaiting reads: Person { reason: "it reads secrets" }
            > lost ships
            JobLost ships
            JobWaiting ships: Person { reason: "it names the environment `production`" }
            > resume
            JobRequeued writes
            JobRequeued reads
            JobRequeued ships
            JobLeased writes
            JobLeased reads
            JobLeased ships
            > plain success
            JobStarted plain
            JobCompleted plain success
        "#]],
    );
}
