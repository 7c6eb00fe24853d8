//! Workflow files at the door: what is accepted, what is refused, in which words and where.

mod door;

use expect_test::{Expect, expect};
use syntax::Source;

/// Findings for a whole file.
#[track_caller]
fn file(text: &str, expected: Expect) {
    let source = Source::new("file.yml", text);
    let (_, diagnostics) = workflow::read(&source);
    expected.assert_eq(&door::say_all(&source, &diagnostics));
}

/// Findings for what stands under a job with `runs-on` and one step.
#[track_caller]
fn job(lines: &str, expected: Expect) {
    let body: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    file(
        &format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{{run: a}}]\n{body}"),
        expected,
    );
}

/// Findings for a list of steps.
#[track_caller]
fn steps(lines: &str, expected: Expect) {
    let body: String = lines.lines().map(|line| format!("      {line}\n")).collect();
    file(&format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{body}"), expected);
}

/// Findings for keys at the root.
#[track_caller]
fn root(lines: &str, expected: Expect) {
    file(&format!("on: push\njobs: {{a: {{runs-on: x}}}}\n{lines}\n"), expected);
}

// proves: conformance 7, 9
#[test]
fn c9_root_keys() {
    file(
        "",
        expect![[r#"
        1:1 `` error[missing-key] the file is empty | a workflow needs at least `on:` and `jobs:`
    "#]],
    );
    file(
        "on: push",
        expect![[r#"
        1:1 `on` error[missing-key] Required property is missing: jobs | add `jobs:`
    "#]],
    );
    file(
        "[a]",
        expect![[r#"
        1:1 `[a]` error[unexpected-value] A sequence was not expected | a mapping is expected here
    "#]],
    );
    file(
        "x",
        expect![[r#"
        1:1 `x` error[unexpected-value] Unexpected value 'x' | a mapping is expected here
    "#]],
    );
    root("name: 5\ndescription: d\nrun-name: r\npermissions: {}\nenv: {A: 1}", expect![[""]]);
    root(
        "nmae: x\nzzz: 1\nname: [a]",
        expect![[r#"
        3:1 `nmae` error[unexpected-key] Unexpected value 'nmae' | did you mean `name`?
        4:1 `zzz` error[unexpected-key] Unexpected value 'zzz' | the keys here are: name, description, run-name, on, permissions, env, defaults, concurrency, jobs
        5:7 `[a]` error[unexpected-value] A sequence was not expected | one value is expected here
    "#]],
    );
    root(
        "name: ${{ github.ref }}",
        expect![[r#"
        3:11 `github` error[expression] Unrecognized named-value: 'github'. Located at position 1 within expression: github.ref | `github` is not available in this place; no context can be used here
    "#]],
    );
}

// proves: conformance 6
#[test]
fn c6_scalars_are_converted_to_text_but_not_from_it() {
    job(
        "timeout-minutes: '5'\ncontinue-on-error: 'yes'",
        expect![[r#"
        6:22 `\'5\'` error[unexpected-value] Unexpected value '5' | write a number without quotes, or an expression
        7:24 `\'yes\'` error[unexpected-value] Unexpected value 'yes' | write `true` or `false` without quotes, or an expression
    "#]],
    );
    job("timeout-minutes: ${{ 5 }}\ncontinue-on-error: ${{ true }}\nname: 3.10", expect![[""]]);
    job(
        "env: {A: 1.50, B: true, C: ~, D: [x], E: {}}",
        expect![[r#"
        6:38 `[x]` error[unexpected-value] A sequence was not expected | one value is expected here
        6:46 `{}` error[unexpected-value] A mapping was not expected | one value is expected here
    "#]],
    );
    job(
        "timeout-minutes: a${{ 5 }}",
        expect![[r#"
        6:22 `a${{ 5 }}` error[unexpected-value] Unexpected value 'a${{ 5 }}' | write one `${{ .. }}` and nothing around it
    "#]],
    );
}

// proves: conformance 10
#[test]
fn c10_job_keys() {
    file(
        "on: push\njobs:\n  a:\n    step: []\n",
        expect![[r#"
        4:5 `step` error[unexpected-key] Unexpected value 'step' | did you mean `steps`?
        4:5 `step` error[missing-key] Required property is missing: runs-on | add `runs-on:`
    "#]],
    );
    job(
        "timeout_minutes: 5\nwith: {}",
        expect![[r#"
        6:5 `timeout_minutes` error[unexpected-key] Unexpected value 'timeout_minutes' | did you mean `timeout-minutes`?
        7:5 `with` error[unexpected-key] Unexpected value 'with' | the keys here are: name, needs, if, runs-on, environment, concurrency, permissions, outputs, env, defaults, strategy, steps, timeout-minutes, cancel-timeout-minutes, continue-on-error, container, services, snapshot
    "#]],
    );
    job("cancel-timeout-minutes: 1\nsnapshot: image\nservices: {db: {image: pg}}", expect![[""]]);
    job(
        "snapshot: {if: always(), version: 1}",
        expect![[r#"
            6:16 `if` error[missing-key] Required property is missing: image-name | add `image-name:`
            6:20 `always` error[expression] Unrecognized function: 'always'. Located at position 1 within expression: always() | `always` cannot be called in this place
        "#]],
    );
    file(
        "on: push\njobs: []",
        expect![[r#"
        2:7 `[]` error[unexpected-value] A sequence was not expected | a mapping is expected here
    "#]],
    );
    file(
        "on: push\njobs: {}",
        expect![[r#"
        2:7 `{}` error[missing-key] The workflow must contain at least one job
    "#]],
    );
    file(
        "on: push\njobs: {a: x}",
        expect![[r#"
        2:11 `x` error[unexpected-value] Unexpected value 'x' | a mapping is expected here
    "#]],
    );
}

// proves: conformance 11, 117, 120
#[test]
fn c11_jobs_that_call_a_workflow() {
    let call = |lines: &str| format!("on: push\njobs:\n  a:\n{}", lines.replace("- ", "    "));
    file(
        &call("- uses: o/r/.github/workflows/x.yml@v1\n- with: {a: 1}\n- secrets: inherit"),
        expect![[""]],
    );
    file(
        &call("- uses: ./.github/workflows/x.yml\n- secrets: {A: '${{ secrets.B }}'}"),
        expect![[""]],
    );
    file(
        &call("- uses: $/.github/workflows/x.yml\n- secrets: all"),
        expect![[r#"
        5:14 `all` error[unexpected-value] Unexpected value 'all' | write `inherit`, or a mapping of secrets
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml@v1\n- runs-on: x\n- steps: []\n- env: {}"),
        expect![[r#"
            5:5 `runs-on` error[job-form] Unexpected value 'runs-on' | the called workflow has its own runner and steps; use one or the other
            6:5 `steps` error[job-form] Unexpected value 'steps' | the called workflow has its own runner and steps; use one or the other
            7:5 `env` error[unexpected-key] Unexpected value 'env' | the keys here are: name, uses, with, secrets, needs, if, permissions, concurrency, strategy
        "#]],
    );
    file(
        &call("- uses: o/r@v1"),
        expect![[r#"
        4:11 `o/r@v1` error[uses] a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml"),
        expect![[r#"
        4:11 `o/r/.github/workflows/x.yml` error[uses] Expected format {org}/{repo}[/path]@ref | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: ./.github/workflows/x.yml@v1"),
        expect![[r#"
        4:11 `./.github/workflows/x.yml@v1` error[uses] a workflow of the same repository is called without `@ref`: it is of the same commit | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: ./x.yml"),
        expect![[r#"
        4:11 `./x.yml` error[uses] a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: docker://x"),
        expect![[r#"
        4:11 `docker://x` error[uses] a job calls a workflow, not an image | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml@${{ github.ref }}"),
        expect![[r#"
        4:43 `github` error[expression] Unrecognized named-value: 'github'. Located at position 1 within expression: github.ref | `github` is not available in this place; no context can be used here
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml@v1\n- with: {a: '${{ secrets.B }}'}"),
        expect![[r#"
            5:20 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.B | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix
        "#]],
    );
}

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

// proves: conformance 14
#[test]
fn c14_needs() {
    file("on: push\njobs:\n  a: {runs-on: x, needs: B}\n  b: {runs-on: x}", expect![[""]]);
    file(
        "on: push\njobs:\n  a: {runs-on: x, needs: [bb, zzz]}\n  b: {runs-on: x}",
        expect![[r#"
        3:27 `bb` error[needs] Job 'a' depends on unknown job 'bb'. | the jobs are: a, b
        3:31 `zzz` error[needs] Job 'a' depends on unknown job 'zzz'. | the jobs are: a, b
    "#]],
    );
    file(
        "on: push\njobs:\n  a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: a}",
        expect![[r#"
            3:3 `a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: a}` error[needs] The workflow must contain at least one job with no dependencies.
            3:26 `b` error[needs] Job 'a' depends on job 'b' which creates a cycle in the dependency graph. | take one of the needs of the circle away
            4:26 `a` error[needs] Job 'b' depends on job 'a' which creates a cycle in the dependency graph. | take one of the needs of the circle away
        "#]],
    );
    file(
        "on: push\njobs:\n  a: {runs-on: x}\n  b: {runs-on: x, needs: [a, b]}\n  c: {runs-on: x, needs: b}",
        expect![[r#"
            4:30 `b` error[needs] Job 'b' depends on job 'b' which creates a cycle in the dependency graph. | take one of the needs of the circle away
            5:26 `b` error[needs] Job 'c' depends on job 'b' which creates a cycle in the dependency graph. | take one of the needs of the circle away
        "#]],
    );
    file(
        "on: push\njobs:\n  a: {runs-on: x, needs: {}}",
        expect![[r#"
        3:26 `{}` error[unexpected-value] A mapping was not expected | one value or a list is expected here
    "#]],
    );
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

// proves: conformance 16
#[test]
fn c16_expressions_in_scalars() {
    steps("- run: a ${{ github.ref }} b ${{ '}}' }} {c}", expect![[""]]);
    steps(
        "- run: a ${{ github.ref",
        expect![[r#"
        6:16 `${{` error[expression] The expression is not closed. An unescaped ${{ sequence was found, but the closing }} sequence was not found. | close it with `}}`
    "#]],
    );
    steps(
        "- run: ${{ }}",
        expect![[r#"
        6:17 ` ` error[expression] An expression was expected | write it in the braces
    "#]],
    );
    steps(
        "- run: |\n    one\n    two ${{ nope.x }}",
        expect![[r#"
        8:19 `nope` error[expression] Unrecognized named-value: 'nope'. Located at position 1 within expression: nope.x | text takes single quotes: 'nope'; the contexts here are: github, inputs, vars, needs, strategy, matrix, secrets, steps, job, runner, env
    "#]],
    );
    steps(
        "- run: >-\n    one\n    ${{ github.ref == \"x\" }}",
        expect![[r#"
        8:29 `\"` error[expression] Unexpected symbol: '"x"'. Located at position 15 within expression: github.ref == "x" | text in an expression takes single quotes
    "#]],
    );
    steps(
        "- run: ${{ insert }}",
        expect![[r#"
        6:18 `insert` error[expression] The directive 'insert' is not allowed in this context | `${{ insert }}` is a key of a mapping
    "#]],
    );
    steps(
        "- run: x\n  id: ${{ github.ref }}\n- run: x\n  id: ${{ 'ok' }}",
        expect![[r#"
            7:17 `github` error[expression] Unrecognized named-value: 'github'. Located at position 1 within expression: github.ref | `github` is not available in this place; no context can be used here
        "#]],
    );
}

// proves: conformance 17
#[test]
fn c17_expressions_in_the_place_of_more() {
    job(
        "env: ${{ fromJSON('{}') }}\nstrategy: ${{ fromJSON(inputs.s) }}\nservices: ${{ fromJSON('{}') }}",
        expect![[""]],
    );
    job(
        "env: {'${{ insert }}': '${{ fromJSON(vars.e) }}', B: 1}\nstrategy: {matrix: {'${{ vars.k }}': [1]}}",
        expect![[""]],
    );
    job(
        "outputs: ${{ needs }}\nenv: a${{ github.ref }}",
        expect![[r#"
        6:14 `${{ needs }}` error[unexpected-value] Unexpected value '${{ needs }}' | a mapping is expected here
        7:10 `a${{ github.ref }}` error[unexpected-value] Unexpected value 'a${{ github.ref }}' | a mapping is expected here
    "#]],
    );
}

// proves: conformance 18, 88
#[test]
fn c18_conditions() {
    let text =
        |condition: &str| format!("on: push\njobs:\n  a:\n    runs-on: x\n    if: {condition}\n");
    let mut out = String::new();
    for condition in [
        "github.ref == 'a'",
        "${{ github.ref }}",
        "always()",
        "${{ !cancelled() }}",
        "true",
        "''",
        "${{ github.ref }} == 'b'",
        "github.event.success",
        "${{ 'true' }}",
        "5",
        "\"contains('success()', 'a')\"",
    ] {
        let source = Source::new("f", text(condition));
        let (workflow, diagnostics) = workflow::read(&source);
        let meant = workflow.and_then(|it| it.jobs[0].condition.clone());
        let meant = meant.map_or("-".to_owned(), |it| it.expr.text().to_owned());
        out.push_str(&format!("{condition} => {meant}\n{}", door::say_all(&source, &diagnostics)));
    }
    expect![[r#"
        github.ref == 'a' => success() && (github.ref == 'a')
        ${{ github.ref }} => success() && (github.ref)
        always() => always()
        ${{ !cancelled() }} => !cancelled()
        true => success() && (true)
        '' => success()
        ${{ github.ref }} == 'b' => success() && (format('{0} == ''b''', github.ref))
        5:9 `${{ github.ref }} == \'b\'` warning[condition-always-true] this condition is always true: text stands around its expression | put the whole condition inside one `${{ .. }}`, or use none
        github.event.success => success() && (github.event.success)
        ${{ 'true' }} => success() && (true)
        5 => success() && (5)
        "contains('success()', 'a')" => success() && (contains('success()', 'a'))
    "#]].assert_eq(&out);
    file(
        &text("${{ }}"),
        expect![[r#"
        5:12 ` ` error[expression] An expression was expected | write it in the braces
    "#]],
    );
    file(
        &text("github.ref = 'a'"),
        expect![[r#"
        5:20 `=` error[expression] Unexpected symbol: '='. Located at position 12 within expression: github.ref = 'a' | to compare, write ==
    "#]],
    );
    file(
        &text("secrets.A != ''"),
        expect![[r#"
        5:9 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A != '' | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs
    "#]],
    );
    file(
        &text("[a]"),
        expect![[r#"
        5:9 `[a]` error[unexpected-value] A sequence was not expected | an expression is expected here
    "#]],
    );
}

// proves: conformance 39, 40, 42
#[test]
fn c40_run_name_and_concurrency() {
    root(
        "run-name: ${{ github.ref }} ${{ inputs.a }} ${{ vars.b }}\nconcurrency: x-${{ github.ref }}",
        expect![[""]],
    );
    root(
        "run-name: ${{ secrets.A }}\nconcurrency: {group: '${{ needs.a }}', cancel-in-progress: 'true'}",
        expect![[r#"
            3:15 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, vars
            4:27 `needs` error[expression] Unrecognized named-value: 'needs'. Located at position 1 within expression: needs.a | `needs` is not available in this place; the contexts here are: github, inputs, vars
            4:60 `\'true\'` error[unexpected-value] Unexpected value 'true' | write `true` or `false` without quotes, or an expression
        "#]],
    );
    root(
        "concurrency: {cancel-in-progress: true, queue: nope}",
        expect![[r#"
        3:15 `cancel-in-progress` error[missing-key] Required property is missing: group | add `group:`
        3:48 `nope` error[unexpected-value] Unexpected value 'nope' | write `single` or `max`
    "#]],
    );
    root(
        "concurrency: {group: a, cancel-in-progress: true, queue: max}",
        expect![[r#"
        3:58 `max` error[concurrency] 'queue: max' may not be combined with 'cancel-in-progress: true' | keep one of them: wait in line, or cancel
    "#]],
    );
    root(
        "concurrency: {group: a, cancel-in-progress: '${{ true }}', queue: single}",
        expect![[""]],
    );
    root(
        "concurrency: ''",
        expect![[r#"
        3:14 `\'\'` error[unexpected-value] Unexpected value '' | an empty value does not do here
    "#]],
    );
    root(
        &format!("concurrency: {}", "g".repeat(401)),
        expect![[r#"
        3:14 `ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg` error[concurrency] a concurrency group has at most 400 characters
    "#]],
    );
    job("concurrency: ${{ matrix.a }}-${{ needs.b }}-${{ strategy.job-index }}", expect![[""]]);
}

/// One good and one bad use for every place of the table.
// proves: conformance 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66
#[test]
fn c45_contexts_by_place() {
    let all = [
        "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job",
        "runner", "env", "jobs",
    ];
    let functions = ["always()", "success()", "success('a')", "hashFiles('a')"];
    let root = |key: &str| format!("on: push\njobs: {{a: {{runs-on: x}}}}\n{key}\n");
    let job = |key: &str| format!("on: push\njobs:\n  a:\n    runs-on: x\n    {key}\n");
    let step = |key: &str| {
        format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - run: x\n      {key}\n")
    };
    let call = |key: &str| {
        format!("on: push\njobs:\n  a:\n    uses: ./.github/workflows/x.yml\n    {key}\n")
    };
    let on = |key: &str| format!("on: {{workflow_call: {{{key}}}}}\njobs: {{a: {{runs-on: x}}}}\n");
    let places: Vec<(&str, String)> = vec![
        ("45 run-name", root("run-name: E")),
        ("45 concurrency", root("concurrency: E")),
        ("46 env", root("env: {A: E}")),
        ("47 job if", job("if: E")),
        ("48 strategy", job("strategy: {max-parallel: E}")),
        ("49 job name", job("name: E")),
        ("49 timeout", job("timeout-minutes: E")),
        ("49 environment", job("environment: E")),
        ("49 container", job("container: E")),
        ("50 job env", job("env: {A: E}")),
        ("51 job defaults", job("defaults: {run: {shell: E}}")),
        ("52 credentials", job("container: {image: a, credentials: {username: E, password: x}}")),
        ("53 container env", job("container: {image: a, env: {A: E}}")),
        ("54 environment url", job("environment: {name: a, url: E}")),
        ("55 outputs", job("outputs: {a: E}")),
        ("56 step if", step("if: E")),
        ("57 step env", step("env: {A: E}")),
        ("57 step name", step("name: E")),
        ("58 shell", step("shell: E")),
        ("58 defaults", root("defaults: {run: {working-directory: E}}")),
        ("59 with", call("with: {a: E}")),
        ("59 secrets", call("secrets: {a: E}")),
        ("60 input default", on("inputs: {a: {type: string, default: E}}")),
        ("61 output value", on("outputs: {a: {value: E}}")),
    ];
    let mut out = String::new();
    for (name, text) in places {
        let mut allowed = Vec::new();
        for expression in all.iter().chain(&functions) {
            let text = text.replace('E', &format!("\"${{{{ {expression} }}}}\""));
            let (_, diagnostics) = workflow::read(&Source::new("f", text));
            match diagnostics.as_slice() {
                [] => allowed.push(*expression),
                [only] => assert!(
                    only.message.contains("Unrecognized") || only.message.contains("parameters"),
                    "{only:?}"
                ),
                more => panic!("{more:?}"),
            }
        }
        out.push_str(&format!("{name}: {}\n", allowed.join(" ")));
    }
    expect![[r#"
        45 run-name: github inputs vars
        45 concurrency: github inputs vars
        46 env: github inputs vars secrets
        47 job if: github inputs vars needs always() success() success('a')
        48 strategy: github inputs vars needs
        49 job name: github inputs vars needs strategy matrix
        49 timeout: github inputs vars needs strategy matrix
        49 environment: github inputs vars needs strategy matrix
        49 container: github inputs vars needs strategy matrix
        50 job env: github inputs vars needs strategy matrix secrets
        51 job defaults: github inputs vars needs strategy matrix env
        52 credentials: github inputs vars needs strategy matrix secrets env
        53 container env: github inputs vars needs strategy matrix secrets steps job runner env
        54 environment url: github inputs vars needs strategy matrix steps job runner env
        55 outputs: github inputs vars needs strategy matrix secrets steps job runner env
        56 step if: github inputs vars needs strategy matrix steps job runner env always() success() hashFiles('a')
        57 step env: github inputs vars needs strategy matrix secrets steps job runner env hashFiles('a')
        57 step name: github inputs vars needs strategy matrix secrets steps job runner env hashFiles('a')
        58 shell: 
        58 defaults: 
        59 with: github inputs vars needs strategy matrix
        59 secrets: github inputs vars needs strategy matrix secrets
        60 input default: github inputs vars
        61 output value: github inputs vars jobs
    "#]].assert_eq(&out);
    step_messages();
}

fn step_messages() {
    steps(
        "- run: echo ${{ a.b && nope() }} ${{ secret.A }}\n  if: secrets.A\n  shell: ${{ matrix.s }}",
        expect![[r#"
            6:23 `a` error[expression] Unrecognized named-value: 'a'. Located at position 1 within expression: a.b && nope() | text takes single quotes: 'a'; the contexts here are: github, inputs, vars, needs, strategy, matrix, secrets, steps, job, runner, env
            6:44 `secret` error[expression] Unrecognized named-value: 'secret'. Located at position 1 within expression: secret.A | did you mean `secrets`?
            7:13 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix, steps, job, runner, env
            8:20 `matrix` error[expression] Unrecognized named-value: 'matrix'. Located at position 1 within expression: matrix.s | `matrix` is not available in this place; no context can be used here
        "#]],
    );
}

// proves: conformance 91, 94
#[test]
fn c91_strategy() {
    job(
        "strategy: {matrix: {a: \"${{ 'x' }}\"}}",
        expect![[r#"
        6:28 `\"${{ \'x\' }}\"` error[unexpected-value] Unexpected value '${{ 'x' }}' | a list is expected here
    "#]],
    );
    job(
        "strategy: {matrix: {os: [a, b], include: [{os: a, x: 1}], exclude: '${{ fromJSON(vars.x) }}'}, fail-fast: false, max-parallel: 2}",
        expect![[""]],
    );
    job(
        "strategy: {matrix: '${{ fromJSON(needs.a.outputs.m) }}', fail-fast: '${{ true }}'}",
        expect![[""]],
    );
    job(
        "strategy: {matrix: {os: a, v: [], include: [x], exclude: {}}, failfast: 1}",
        expect![[r#"
            6:29 `a` error[unexpected-value] Unexpected value 'a' | a list is expected here
            6:35 `[]` error[matrix] Matrix vector 'v' does not contain any values
            6:49 `x` error[unexpected-value] Unexpected value 'x' | a mapping is expected here
            6:62 `{}` error[unexpected-value] A mapping was not expected | a list is expected here
            6:67 `failfast` error[unexpected-key] Unexpected value 'failfast' | did you mean `fail-fast`?
        "#]],
    );
    job(
        "strategy: {matrix: [a]}",
        expect![[r#"
        6:24 `[a]` error[unexpected-value] A sequence was not expected | a mapping of lists is expected here
    "#]],
    );
    job(
        "strategy: {matrix: {a: '${{ matrix.b }}'}, fail-fast: 'no', max-parallel: two}",
        expect![[r#"
            6:33 `matrix` error[expression] Unrecognized named-value: 'matrix'. Located at position 1 within expression: matrix.b | `matrix` is not available in this place; the contexts here are: github, inputs, vars, needs
            6:59 `\'no\'` error[unexpected-value] Unexpected value 'no' | write `true` or `false` without quotes, or an expression
            6:79 `two` error[unexpected-value] Unexpected value 'two' | write a number without quotes, or an expression
        "#]],
    );
}

// proves: conformance 101
#[test]
fn c101_runs_on() {
    let runs_on = |value: &str| format!("on: push\njobs:\n  a:\n    runs-on: {value}\n");
    file(&runs_on("[self-hosted, '${{ matrix.os }}']"), expect![[""]]);
    file(&runs_on("{group: g, labels: [a, b]}"), expect![[""]]);
    file(
        &runs_on("{grup: g, labels: {}}"),
        expect![[r#"
        4:15 `grup` error[unexpected-key] Unexpected value 'grup' | did you mean `group`?
        4:32 `{}` error[unexpected-value] A mapping was not expected | one value or a list is expected here
    "#]],
    );
    file(
        &runs_on("''"),
        expect![[r#"
        4:14 `\'\'` error[unexpected-value] Unexpected value '' | an empty value does not do here
    "#]],
    );
    file(
        &runs_on("[[a]]"),
        expect![[r#"
        4:15 `[a]` error[unexpected-value] A sequence was not expected | one value is expected here
    "#]],
    );
    file(
        &runs_on("${{ secrets.A }}"),
        expect![[r#"
        4:18 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix
    "#]],
    );
}

// proves: conformance 109, 133
#[test]
fn c109_defaults() {
    root("defaults: {run: {shell: bash, working-directory: x}}", expect![[""]]);
    root(
        "defaults: {run: {shell: '${{ vars.S }}', cwd: x}}",
        expect![[r#"
        3:30 `vars` error[expression] Unrecognized named-value: 'vars'. Located at position 1 within expression: vars.S | `vars` is not available in this place; no context can be used here
        3:42 `cwd` error[unexpected-key] Unexpected value 'cwd' | the keys here are: shell, working-directory
    "#]],
    );
    root("defaults: {}", expect![[""]]);
    root(
        "defaults: {run: '${{ github.x }}'}",
        expect![[r#"
        3:17 `\'${{ github.x }}\'` error[unexpected-value] Unexpected value '${{ github.x }}' | a mapping is expected here
    "#]],
    );
    job("defaults: {run: '${{ fromJSON(vars.DEFAULTS) }}'}", expect![[""]]);
    job(
        "defaults: {run: bash}",
        expect![[r#"
        6:21 `bash` error[unexpected-value] Unexpected value 'bash' | a mapping is expected here
    "#]],
    );
    root(
        "defaults: {runs: {}}",
        expect![[r#"
        3:12 `runs` error[unexpected-key] Unexpected value 'runs' | did you mean `run`?
    "#]],
    );
    steps(
        "- run: a\n  shell: ''\n  working-directory: ${{ env.A }}",
        expect![[r#"
        7:16 `\'\'` error[unexpected-value] Unexpected value '' | an empty value does not do here
    "#]],
    );
}

// proves: conformance 110
#[test]
fn c110_permissions() {
    root("permissions: read-all", expect![[""]]);
    root("permissions: {contents: read, id-token: write, models: none}", expect![[""]]);
    root(
        "permissions: {content: read, id-token: read, issues: admin, pages: true}",
        expect![[r#"
        3:15 `content` error[permissions] Unexpected value 'content' | did you mean `contents`?
        3:40 `read` error[unexpected-value] Unexpected value 'read' | `id-token` takes: write, none
        3:54 `admin` error[unexpected-value] Unexpected value 'admin' | `issues` takes: read, write, none
        3:68 `true` error[unexpected-value] Unexpected value 'true' | `pages` takes: read, write, none
    "#]],
    );
    root(
        "permissions: write",
        expect![[r#"
        3:14 `write` error[unexpected-value] Unexpected value 'write' | write `read-all`, `write-all`, `{}` or scope by scope
    "#]],
    );
    root(
        "permissions: ~",
        expect![[r#"
        3:14 `~` error[unexpected-value] Unexpected value '' | a mapping is expected here
    "#]],
    );
}

// proves: conformance 112, 113
#[test]
fn c112_environment_and_snapshot() {
    job(
        "environment: {name: prod, url: '${{ steps.a.outputs.url }}', deployment: false}",
        expect![[""]],
    );
    job(
        "environment: {url: '${{ secrets.A }}', deployment: 'no'}",
        expect![[r#"
        6:19 `url` error[missing-key] Required property is missing: name | add `name:`
        6:29 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix, steps, job, runner, env
        6:56 `\'no\'` error[unexpected-value] Unexpected value 'no' | write `true` or `false` without quotes, or an expression
    "#]],
    );
    job("snapshot: {image-name: a, version: 1.*}", expect![[""]]);
}

// proves: conformance 155, 159
#[test]
fn c155_containers_and_services() {
    job(
        "container: {image: a, ports: [80, '90:90'], volumes: [a:b], options: --cpus 1, env: {A: 1}}",
        expect![[""]],
    );
    job(
        "container: docker://",
        expect![[r#"
        6:16 `docker://` error[container] an image is missing behind docker://
    "#]],
    );
    job(
        "container: {imagee: a, ports: 80, credentials: {username: a}}",
        expect![[r#"
            6:16 `{imagee: a, ports: 80, credentials: {username: a}}` error[container] Container image cannot be empty | add `image:`
            6:17 `imagee` error[unexpected-key] Unexpected value 'imagee' | did you mean `image`?
            6:35 `80` error[unexpected-value] Unexpected value '80' | a list is expected here
        "#]],
    );
    job(
        "services: {db: {image: pg, entrypoint: e, command: c}, cache: redis, bad: {cmd: x}}",
        expect![[r#"
            6:79 `{cmd: x}` error[container] Container image cannot be empty | add `image:`
            6:80 `cmd` error[unexpected-key] Unexpected value 'cmd' | the keys here are: image, options, env, ports, volumes, credentials, entrypoint, command
        "#]],
    );
}

#[test]
fn hostile_files() {
    for text in [
        "[".repeat(100_000),
        "- ".repeat(20_000),
        format!("on: push\njobs: {}", "{a: ".repeat(1_000)),
        "\u{0}".to_owned(),
        "on: push\r\njobs:\r\n  a:\r\n    runs-on: x\r\n    steps:\r\n    - run: ${{ nope }}\r\n"
            .to_owned(),
        format!("on: push\njobs: {{a: {{runs-on: '{}'}}}}", "${{".repeat(5_000)),
        format!("on: push\njobs: {{a: {{runs-on: x, if: '{}'}}}}", "(".repeat(20_000)),
        format!("on: push\njobs: {{a: {{runs-on: x, if: '{}1'}}}}", "!".repeat(20_000)),
    ] {
        let (_, diagnostics) = workflow::read(&Source::new("f", text));
        assert!(!diagnostics.is_empty());
    }
    let keys: String = (0..20_000).map(|it| format!("k{it}: 1\n")).collect();
    let (_, diagnostics) = workflow::read(&Source::new("f", keys));
    assert_eq!(diagnostics.len(), 1_000);
    let bom = "\u{feff}on: push\njobs: {a: {runs-on: x}}";
    assert!(workflow::read(&Source::new("f", bom)).1.is_empty());
}

#[test]
fn a_job_travels_as_json() {
    let text = "on: push\njobs:\n  build:\n    runs-on: [a, b]\n    timeout-minutes: 3.10\n    \
                env: {V: 3.10, W: '3.10'}\n    if: github.ref\n    steps:\n    - run: echo ${{ env.V }}\n    \
                - uses: a/b@c\n      with: {x: true}\n";
    let (workflow, _) = workflow::read(&Source::new("f", text));
    let job = &workflow.unwrap().jobs[0];
    let json = workflow::job_to_json(job);
    expect![[r#"{"runs-on":["a","b"],"timeout-minutes":3.1,"env":{"V":3.1,"W":"3.10"},"if":"github.ref","steps":[{"run":"echo ${{ env.V }}"},{"uses":"a/b@c","with":{"x":true}}]}"#]].assert_eq(&json.to_string());
    let (again, diagnostics) = workflow::job_from_json("build", &json);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let again = again.unwrap();
    assert_eq!(workflow::job_to_json(&again), json);
    let workflow::JobBody::Steps(body) = &again.body else { panic!("a job with steps") };
    assert_eq!(body.steps.len(), 2);
    assert_eq!(&*body.env.as_ref().unwrap().get("V").unwrap().literal_text().unwrap(), "3.1");
    let (none, diagnostics) = workflow::job_from_json("x", &serde_json::json!({"steps": []}));
    assert!(none.is_none() && diagnostics.len() == 1);
}
