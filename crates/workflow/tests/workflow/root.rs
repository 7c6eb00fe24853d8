//! A file's own keys, its scalars, and which expression may stand where.

use expect_test::expect;

use super::*;

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
