//! Jobs that call workflows.

use expect_test::{Expect, expect};

use crate::harness::play;

const BUILD: &str = "
on:
  workflow_call:
    inputs:
      level: { type: number, required: true }
      region: { type: string, default: \"${{ vars.REGION }}\" }
    outputs:
      version: { value: \"${{ jobs.build.outputs.version }}-${{ inputs.region }}\" }
jobs:
  build:
    name: level ${{ inputs.level }}
    outputs: { version: x }
    runs-on: ubuntu-latest
    steps: [{ run: make }]
";

fn check(caller: &str, script: &str, expect: Expect) {
    let workflow = format!(
        "on: push
jobs:
  call:
    uses: ./.github/workflows/build.yml
{caller}
  after:
    needs: call
    name: after ${{{{ needs.call.outputs.version }}}}
    runs-on: ubuntu-latest
    steps: [{{ run: make }}]
"
    );
    expect.assert_eq(&play(&workflow, &[(".github/workflows/build.yml", BUILD)], script));
}

// proves: conformance 59, 60, 61, 119, 121, 123, 124
#[test]
fn c123_inputs_go_in_and_outputs_come_out() {
    check(
        "    with: { level: '3' }",
        "call/build success version=1.2\nafter success",
        expect![[r#"
        RunCreated
        JobsDeclared: call, after
        RunStarted
        JobPlanned call
        JobReady call
        JobsDeclared call: call/build
        JobPlanned call/build as `call / level 3`
        JobReady call/build
        JobLeased call/build
        > call/build success version=1.2
        JobStarted call/build
        JobCompleted call/build success version=1.2
        CallCompleted call success version=1.2-eu
        JobPlanned after as `after 1.2-eu`
        JobReady after
        JobLeased after
        > after success
        JobStarted after
        JobCompleted after success
        RunCompleted success
    "#]],
    );
}

// proves: conformance 119
#[test]
fn c119_a_missing_an_unknown_and_a_wrong_input_fail_the_caller() {
    check(
        "",
        "",
        expect![[r#"
        RunCreated
        JobsDeclared: call, after
        RunStarted
        AnnotationAdded call: with: the input `level` is required (line 3)
        JobCompleted call failure
        JobSkipped after: Needs { job: JobKey("call") }
        RunCompleted failure
    "#]],
    );
    check(
        "    with: { level: 3, colour: red }",
        "",
        expect![[r#"
        RunCreated
        JobsDeclared: call, after
        RunStarted
        AnnotationAdded call: with: the workflow has no input `colour` (line 5)
        JobCompleted call failure
        JobSkipped after: Needs { job: JobKey("call") }
        RunCompleted failure
    "#]],
    );
    check(
        "    with: { level: high }",
        "",
        expect![[r#"
        RunCreated
        JobsDeclared: call, after
        RunStarted
        AnnotationAdded call: with: `level` has the wrong type (line 5)
        JobCompleted call failure
        JobSkipped after: Needs { job: JobKey("call") }
        RunCompleted failure
    "#]],
    );
}

// proves: conformance 123
#[test]
fn c123_a_matrix_may_call() {
    check(
        "    with: { level: \"${{ matrix.v }}\" }\n    strategy: { matrix: { v: [1, 2] } }",
        "call (2)/build success version=2\ncall (1)/build success version=1",
        expect![[r#"
            RunCreated
            JobsDeclared: call, after
            RunStarted
            JobPlanned call (1)
            JobPlanned call (2)
            JobExpanded call
            JobReady call (1)
            JobReady call (2)
            JobsDeclared call (1): call (1)/build
            JobPlanned call (1)/build as `call (1) / level 1`
            JobReady call (1)/build
            JobsDeclared call (2): call (2)/build
            JobPlanned call (2)/build as `call (2) / level 2`
            JobReady call (2)/build
            JobLeased call (1)/build
            JobLeased call (2)/build
            > call (2)/build success version=2
            JobStarted call (2)/build
            JobCompleted call (2)/build success version=2
            CallCompleted call (2) success version=2-eu
            > call (1)/build success version=1
            JobStarted call (1)/build
            JobCompleted call (1)/build success version=1
            CallCompleted call (1) success version=1-eu
            MatrixCompleted call success version=2-eu
            JobPlanned after as `after 2-eu`
            JobReady after
            JobLeased after
        "#]],
    );
}

// proves: conformance 122
#[test]
fn c122_a_called_workflow_cannot_have_more_than_its_caller() {
    let called = BUILD.replace("jobs:", "permissions: { packages: write }\njobs:");
    let workflow = "
on: push
permissions: { contents: read }
jobs:
  call:
    uses: ./.github/workflows/build.yml
    with: { level: 1 }
";
    let told = play(workflow, &[(".github/workflows/build.yml", &called)], "");
    expect![[r#"
        RunCreated
        JobsDeclared: call
        RunStarted
        JobPlanned call
        JobReady call
        JobsDeclared call: call/build
        AnnotationAdded call/build: the called workflow asks for `packages: write`, its caller grants `none` (line 9)
        JobCompleted call/build failure
        CallCompleted call failure version=-eu
        RunCompleted failure
    "#]].assert_eq(&told);
}

// proves: conformance 118
#[test]
fn c118_a_workflow_that_calls_itself_is_refused() {
    let called = "
on: workflow_call
jobs:
  again:
    uses: ./.github/workflows/build.yml
";
    let workflow = "
on: push
jobs:
  call:
    uses: ./.github/workflows/build.yml
";
    let told = play(workflow, &[(".github/workflows/build.yml", called)], "");
    expect![[r#"
        RunCreated
        JobsDeclared: call
        RunStarted
        JobPlanned call
        JobReady call
        JobsDeclared call: call/again
        AnnotationAdded call/again: the workflow `./.github/workflows/build.yml` calls itself (line 4)
        JobCompleted call/again failure
        CallCompleted call failure
        RunCompleted failure
    "#]].assert_eq(&told);
}
