//! Steps: their forms, ids and scripts.

use expect_test::expect;

use super::*;

// proves: conformance 12
#[test]
fn c12_forms_of_steps() {
    steps(
        "- name: x\n- ~\n- text\n- run: a\n  uses: b/c@d\n- {}",
        expect![[r#"
        6:9 `name` error[step-form] Expected one of uses, run, wait, wait-all, cancel, or parallel to be defined | a step runs a script (`run:`) or an action (`uses:`)
        7:9 `~` error[unexpected-value] Unexpected value '' | a mapping is expected here
        8:9 `text` error[unexpected-value] Unexpected value 'text' | a mapping is expected here
        10:9 `uses` error[step-form] Unexpected value 'uses' | make two steps of it
        11:9 `{}` error[step-form] Expected one of uses, run, wait, wait-all, cancel, or parallel to be defined | a step runs a script (`run:`) or an action (`uses:`)
    "#]],
    );
    steps(
        "- runs: a\n- run: a\n  with: {}\n- uses: a/b@c\n  shell: bash\n- uses: a/b",
        expect![[r#"
            6:9 `runs` error[step-form] Expected one of uses, run, wait, wait-all, cancel, or parallel to be defined | did you mean `run`?
            8:9 `with` error[unexpected-key] Unexpected value 'with' | the keys here are: id, name, if, run, shell, working-directory, env, continue-on-error, timeout-minutes, background
            10:9 `shell` error[unexpected-key] Unexpected value 'shell' | the keys here are: id, name, if, uses, with, env, continue-on-error, timeout-minutes, background
            11:15 `a/b` error[uses] Expected format {org}/{repo}[/path]@ref. Actual 'a/b' | such as `actions/checkout@v4`, `./path/in/the/workspace` or `docker://image`
        "#]],
    );
    steps(
        "- run: a\n  id: s\n  background: true\n- wait: s\n- wait-all:\n- cancel: s",
        expect![[""]],
    );
    steps(
        "- wait: nope\n- wait-all: false\n- id: s\n  cancel: s\n- wait: [__x]\n- run: a\n  id: t\n- wait: t",
        expect![[r#"
            6:15 `nope` error[step-form] Step references unknown step ID 'nope' | name a background step before this one
            7:19 `false` error[step-form] The value of 'wait-all' must be true or omitted
            9:17 `s` error[step-form] Step 's' cannot reference itself | name a background step before this one
            10:16 `__x` error[step-form] The identifier '__x' is invalid. IDs starting with '__' are reserved. | name a background step before this one
            13:15 `t` error[step-form] the step 't' does not run in the background | give it `background: true`
        "#]],
    );
    steps("- parallel:\n  - run: a\n  - uses: b/c@d", expect![[""]]);
    steps(
        "- parallel:\n  - wait-all:\n  - parallel: []\n  - run: a\n    background: true\n  if: x",
        expect![[r#"
            7:11 `wait-all` error[step-form] 'wait-all' is not allowed inside a parallel block.
            8:11 `parallel: []` error[step-form] Nested 'parallel' blocks are not allowed.
            9:11 `run: a\n          background: true` error[step-form] 'background' is not allowed inside a parallel block. Steps in a parallel block are automatically run as background steps.
            11:9 `if` error[unexpected-key] Unexpected value 'if' | the keys here are: parallel
        "#]],
    );
    job(
        "steps2: []",
        expect![[r#"
        6:5 `steps2` error[unexpected-key] Unexpected value 'steps2' | did you mean `steps`?
    "#]],
    );
}

// proves: conformance 13
#[test]
fn c13_ids() {
    file(
        "on: push\njobs:\n  1a: {runs-on: x}\n  a.b: {runs-on: x}\n  __a: {runs-on: x}\n  _a-1: {runs-on: x}",
        expect![[r#"
            3:3 `1a` error[job-id] The identifier '1a' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs must start with a letter or '_' and must be less than 100 characters.
            4:3 `a.b` error[job-id] The identifier 'a.b' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs must start with a letter or '_' and must be less than 100 characters.
            5:3 `__a` error[job-id] The identifier '__a' is invalid. IDs starting with '__' are reserved.
        "#]],
    );
    let long = "a".repeat(100);
    let source = Source::new("f", format!("on: push\njobs: {{{long}: {{runs-on: x}}}}"));
    assert_eq!(workflow::read(&source).1.len(), 1);
    steps(
        "- id: a\n  run: x\n- id: A\n  run: x\n- id: 'a b'\n  run: x\n- id: __r\n  run: x",
        expect![[r#"
            8:13 `A` error[step-id] The identifier 'A' may not be used more than once within the same scope. | ids are compared without case
            10:13 `\'a b\'` error[step-id] The identifier 'a b' is invalid. IDs may only contain alphanumeric characters, '_', and '-'. IDs must start with a letter or '_' and must be less than 100 characters.
            12:13 `__r` error[step-id] The identifier '__r' is invalid. IDs starting with '__' are reserved.
        "#]],
    );
}

// proves: conformance 13
#[test]
fn c13_steps_without_an_id_get_one() {
    let text = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - run: a\n    - run: b\n    \
                - uses: actions/checkout@v4\n    - uses: actions/checkout@v4\n    - uses: ./x\n    \
                - uses: $/x\n    - uses: docker://alpine:3\n    - wait-all:\n    \
                - id: mine\n      run: c\n    - uses: o/r/deep/path@v1\n    \
                - parallel: [{run: d}]\n";
    let (workflow, diagnostics) = workflow::read(&Source::new("f", text));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let workflow = workflow.unwrap();
    let workflow::JobBody::Steps(job) = &workflow.jobs[0].body else { panic!("a job with steps") };
    let keys: Vec<&str> = job.steps.iter().map(|step| &*step.key).collect();
    expect!["__run __run_2 __actions_checkout __actions_checkout_2 __self __self_2 __alpine_3 __wait-all mine __o_r __parallel"].assert_eq(&keys.join(" "));
}

// proves: conformance 15
#[test]
fn c15_long_scripts() {
    let text = |length: usize| {
        format!("on: push\njobs: {{a: {{runs-on: x, steps: [{{run: '{}'}}]}}}}", "x".repeat(length))
    };
    assert!(workflow::read(&Source::new("f", text(21_000))).1.is_empty());
    let (_, diagnostics) = workflow::read(&Source::new("f", text(21_001)));
    expect!["a script has at most 21000 characters"].assert_eq(&diagnostics[0].message);
}
