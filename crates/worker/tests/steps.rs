//! Jobs of plain steps, run by a real worker with real shells: what it reports and what it logs.

mod harness;

use expect_test::{Expect, expect};

/// Runs the steps of one job; `reports` and `log` are all that came of it.
fn check(steps: &str, reports: Expect, log: Expect) {
    let told =
        harness::run(&format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n{steps}"));
    reports.assert_eq(&told.told());
    log.assert_eq(&told.text());
}

// proves: conformance 126, 133, 137, 140
#[test]
fn c137_a_failing_step_fails_the_job_and_skips_the_rest() {
    check(
        "
    env:
      A: job
    steps:
      - run: echo \"hello $A\"
      - run: exit 3
        name: breaks
      - run: echo never
      - run: echo always
        if: always()
",
        expect![[r#"
            __run: success -> success
            Error  Process completed with exit code 3.
            __run_2: failure -> failure
            __run_3: skipped -> skipped
            __run_4: success -> success
            job: failure UserFailure
        "#]],
        expect![[r###"
            ##[group]Run echo "hello $A"
            ^[36;1mecho "hello $A"^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            hello job
            ##[group]Run exit 3
            ^[36;1mexit 3^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            ##[error]Process completed with exit code 3.
            ##[group]Run echo always
            ^[36;1mecho always^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            always
        "###]],
    );
}
