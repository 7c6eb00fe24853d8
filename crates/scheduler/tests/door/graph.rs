//! Needs, conditions and results.

use expect_test::{Expect, expect};

use crate::harness::play;

fn check(workflow: &str, script: &str, expect: Expect) {
    expect.assert_eq(&play(workflow, &[], script));
}

// proves: conformance 100, 222
#[test]
fn c100_a_line_of_jobs_runs_one_after_the_other() {
    check(
        "
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    outputs: { version: x }
    steps: [{ run: make lint }]
  test:
    needs: lint
    name: Test ${{ needs.lint.outputs.version }}
    runs-on: ubuntu-latest
    steps: [{ run: make test }]
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
