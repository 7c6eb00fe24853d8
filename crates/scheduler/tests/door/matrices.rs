//! Matrices: legs, fail-fast, max-parallel, merged results.

use expect_test::{Expect, expect};

use crate::harness::play;

fn check(strategy: &str, script: &str, expect: Expect) {
    let workflow = format!(
        "on: push
jobs:
  test:
    {strategy}
    runs-on: ubuntu-latest
    steps: [{{ run: make }}]
  after:
    needs: test
    if: always()
    name: after ${{{{ needs.test.result }}}} ${{{{ toJSON(needs.test.outputs) }}}}
    runs-on: ubuntu-latest
    steps: [{{ run: make }}]
"
    );
    expect.assert_eq(&play(&workflow, &[], script));
}

// proves: conformance 91, 95, 98
#[test]
fn c98_results_and_outputs_of_legs_are_merged_in_their_order() {
    check(
        "strategy: { matrix: { v: [x, y] } }",
        "
test (2) success a=2 b=2
test (1) success a=1 b=
after success
",
        expect![[r#"
            RunCreated
            JobsDeclared: test, after
            RunStarted
            JobPlanned test (1) as `test (x)`
            JobPlanned test (2) as `test (y)`
            JobExpanded test
            JobReady test (1)
            JobReady test (2)
            JobLeased test (1)
            JobLeased test (2)
            > test (2) success a=2 b=2
            JobStarted test (2)
            JobCompleted test (2) success a=2 b=2
            > test (1) success a=1 b=
            JobStarted test (1)
            JobCompleted test (1) success a=1 b=
            MatrixCompleted test success a=2 b=2
            JobPlanned after as `after success {
              "a": "2",
              "b": "2"
            }`
            JobReady after
            JobLeased after
            > after success
            JobStarted after
            JobCompleted after success
            RunCompleted success
        "#]],
    );
}

// proves: conformance 96, 98
#[test]
fn c96_the_first_failure_ends_the_other_legs() {
    check(
        "strategy: { matrix: { v: [x, y, z] }, max-parallel: 2 }",
        "
take test (2)
test (1) failure
test (2) cancelled
",
        expect![[r#"
            RunCreated
            JobsDeclared: test, after
            RunStarted
            JobPlanned test (1) as `test (x)`
            JobPlanned test (2) as `test (y)`
            JobPlanned test (3) as `test (z)`
            JobExpanded test
            JobWaiting test (3): MaxParallel
            JobReady test (1)
            JobReady test (2)
            JobLeased test (1)
            JobLeased test (2)
            > take test (2)
            JobStarted test (2)
            > test (1) failure
            JobStarted test (1)
            JobCompleted test (1) failure
            CancelRequested test (2): FailFast { job: JobKey("test (1)") }
            CancelRequested test (3): FailFast { job: JobKey("test (1)") }
            JobCompleted test (3) cancelled
            > test (2) cancelled
            JobCompleted test (2) cancelled
            MatrixCompleted test failure
            JobPlanned after as `after failure {}`
            JobReady after
            JobLeased after
        "#]],
    );
}

// proves: conformance 96, 97
#[test]
fn c97_a_leg_that_may_fail_trips_nothing() {
    check(
        "strategy: { matrix: { v: [x, y] } }
    continue-on-error: ${{ matrix.v == 'x' }}",
        "
test (1) failure
test (2) success
",
        expect![[r#"
            RunCreated
            JobsDeclared: test, after
            RunStarted
            JobPlanned test (1) as `test (x)`
            JobPlanned test (2) as `test (y)`
            JobExpanded test
            JobReady test (1)
            JobReady test (2)
            JobLeased test (1)
            JobLeased test (2)
            > test (1) failure
            JobStarted test (1)
            JobCompleted test (1) failure
            > test (2) success
            JobStarted test (2)
            JobCompleted test (2) success
            MatrixCompleted test success
            JobPlanned after as `after success {}`
            JobReady after
            JobLeased after
        "#]],
    );
}

// proves: conformance 96
#[test]
fn c96_max_parallel_lets_out_one_leg_for_one() {
    check(
        "strategy: { matrix: { v: [x, y, z] }, max-parallel: 1, fail-fast: false }",
        "
test (1) failure
test (2) success
test (3) success
",
        expect![[r#"
            RunCreated
            JobsDeclared: test, after
            RunStarted
            JobPlanned test (1) as `test (x)`
            JobPlanned test (2) as `test (y)`
            JobPlanned test (3) as `test (z)`
            JobExpanded test
            JobWaiting test (2): MaxParallel
            JobWaiting test (3): MaxParallel
            JobReady test (1)
            JobLeased test (1)
            > test (1) failure
            JobStarted test (1)
            JobCompleted test (1) failure
            JobReady test (2)
            JobLeased test (2)
            > test (2) success
            JobStarted test (2)
            JobCompleted test (2) success
            JobReady test (3)
            JobLeased test (3)
            > test (3) success
            JobStarted test (3)
            JobCompleted test (3) success
            MatrixCompleted test failure
            JobPlanned after as `after failure {}`
            JobReady after
            JobLeased after
        "#]],
    );
}
