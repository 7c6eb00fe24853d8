//! What the parser refuses, in GitHub's words, with the place and what to do.

use expect_test::{Expect, expect};
use expr::{Expr, Scope};

#[expect(clippy::needless_pass_by_value, reason = "as expect-test hands its tables over")]
fn check(scope: &Scope, texts: &[&str], expected: Expect) {
    let lines: String = texts
        .iter()
        .map(|text| match Expr::parse(text, scope) {
            Ok(_) => format!("{text} -> fine\n"),
            Err(error) => {
                let hint = error.hint.map(|it| format!("\n  hint: {it}")).unwrap_or_default();
                format!("{} {}{hint}\n", error.offset, error.message)
            }
        })
        .collect();
    expected.assert_eq(&lines);
}

// proves: conformance 66
#[test]
fn c66_unknown_names() {
    check(
        &Scope::STEP_IF,
        &[
            "github.ref == main",
            "'ü😀' == x",
            "secrets.TOKEN",
            "True",
            "success",
            "unknown(1)",
            "github.ref == 'main' && nope()",
            "always",
            "GitHub.Ref",
        ],
        expect![[r#"
            14 Unrecognized named-value: 'main'. Located at position 15 within expression: github.ref == main
              hint: text stands in single quotes: 'main'
            12 Unrecognized named-value: 'x'. Located at position 10 within expression: 'ü😀' == x
              hint: text stands in single quotes: 'x'
            0 Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.TOKEN
              hint: 'secrets' is not available in this place; these are: github, inputs, vars, needs, strategy, matrix, steps, job, runner, env
            0 Unrecognized named-value: 'True'. Located at position 1 within expression: True
              hint: write true
            0 Unrecognized named-value: 'success'. Located at position 1 within expression: success
              hint: to call a function, write success()
            0 Unrecognized function: 'unknown'. Located at position 1 within expression: unknown(1)
            24 Unrecognized function: 'nope'. Located at position 25 within expression: github.ref == 'main' && nope()
            0 Unrecognized named-value: 'always'. Located at position 1 within expression: always
              hint: to call a function, write always()
            GitHub.Ref -> fine
        "#]],
    );
    check(
        &Scope::JOB,
        &["always()", "hashFiles('a')", "steps.x"],
        expect![[r#"
        0 Unrecognized function: 'always'. Located at position 1 within expression: always()
          hint: 'always' exists, but not in this place
        0 Unrecognized function: 'hashFiles'. Located at position 1 within expression: hashFiles('a')
          hint: 'hashFiles' exists, but not in this place
        0 Unrecognized named-value: 'steps'. Located at position 1 within expression: steps.x
          hint: 'steps' is not available in this place; these are: github, inputs, vars, needs, strategy, matrix
    "#]],
    );
    check(
        &Scope::NOTHING,
        &["matrix.x", "format('{0}', 1)"],
        expect![[r#"
        0 Unrecognized named-value: 'matrix'. Located at position 1 within expression: matrix.x
          hint: 'matrix' is not available in this place, which has no contexts at all
        format('{0}', 1) -> fine
    "#]],
    );
}

// proves: conformance 71, 72
#[test]
fn c71_text_that_is_no_expression() {
    check(
        &Scope::everything(),
        &[
            "github.",
            "github..ref",
            "github ref",
            "(1",
            "1)",
            "[1]",
            "github[1",
            "github[]",
            "1 +",
            "a = b",
            "github & 1",
            "github | 1",
            "1 == ",
            "!",
            "'a'.b",
            "1.b",
            "github.1",
            "github.*.",
            "github[* == 1]",
            "* == 1",
            "format('a',)",
            "format(,'a')",
            "(1, 2)",
            "()",
            "\"a\"",
            "it's",
            "github.a-b_c",
            "github.ünicode",
            "{}",
            "contains (1, 2)",
            "@",
            "format('a' 'b')",
            "true false",
            "github(1)",
        ],
        expect![[r#"
            6 Unexpected end of expression: '.'. Located at position 7 within expression: github.
            7 Unexpected symbol: '.'. Located at position 8 within expression: github..ref
            7 Unexpected symbol: 'ref'. Located at position 8 within expression: github ref
            1 Unexpected end of expression: '1'. Located at position 2 within expression: (1
              hint: '(' at position 1 is never closed
            1 Unexpected symbol: ')'. Located at position 2 within expression: 1)
            0 Unexpected symbol: '['. Located at position 1 within expression: [1]
            7 Unexpected end of expression: '1'. Located at position 8 within expression: github[1
              hint: '[' at position 7 is never closed
            7 Unexpected symbol: ']'. Located at position 8 within expression: github[]
            2 Unexpected symbol: '+'. Located at position 3 within expression: 1 +
            0 Unrecognized named-value: 'a'. Located at position 1 within expression: a = b
              hint: text stands in single quotes: 'a'
            7 Unexpected symbol: '&'. Located at position 8 within expression: github & 1
              hint: for 'and', write &&
            7 Unexpected symbol: '|'. Located at position 8 within expression: github | 1
              hint: for 'or', write ||
            2 Unexpected end of expression: '=='. Located at position 3 within expression: 1 == 
            0 Unexpected end of expression: '!'. Located at position 1 within expression: !
            3 Unexpected symbol: '.'. Located at position 4 within expression: 'a'.b
            0 Unexpected symbol: '1.b'. Located at position 1 within expression: 1.b
            7 Unexpected symbol: '1'. Located at position 8 within expression: github.1
            8 Unexpected end of expression: '.'. Located at position 9 within expression: github.*.
            9 Unexpected symbol: '=='. Located at position 10 within expression: github[* == 1]
            0 Unexpected symbol: '*'. Located at position 1 within expression: * == 1
            11 Unexpected symbol: ')'. Located at position 12 within expression: format('a',)
            7 Unexpected symbol: ','. Located at position 8 within expression: format(,'a')
            2 Unexpected symbol: ','. Located at position 3 within expression: (1, 2)
            1 Unexpected symbol: ')'. Located at position 2 within expression: ()
            0 Unexpected symbol: '"a"'. Located at position 1 within expression: "a"
              hint: strings stand in single quotes: 'text'
            0 Unexpected symbol: 'it's'. Located at position 1 within expression: it's
            github.a-b_c -> fine
            7 Unexpected symbol: 'ünicode'. Located at position 8 within expression: github.ünicode
            0 Unexpected symbol: '{}'. Located at position 1 within expression: {}
            contains (1, 2) -> fine
            0 Unexpected symbol: '@'. Located at position 1 within expression: @
            11 Unexpected symbol: ''b''. Located at position 12 within expression: format('a' 'b')
            5 Unexpected symbol: 'false'. Located at position 6 within expression: true false
            0 Unrecognized function: 'github'. Located at position 1 within expression: github(1)
        "#]],
    );
}

// proves: conformance 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65
#[test]
fn c45_c65_each_place_has_its_own_names() {
    let all = Scope::everything();
    let functions = ["always()", "success()", "success('a', 'b')", "hashFiles('a')"];
    let names = |scope: &Scope| {
        let mut found: Vec<&str> =
            all.contexts.iter().copied().filter(|it| Expr::parse(it, scope).is_ok()).collect();
        found.extend(functions.iter().filter(|it| Expr::parse(it, scope).is_ok()));
        found.join(" ")
    };
    let places = [
        ("45 60 run", Scope::RUN),
        ("46 workflow env", Scope::WORKFLOW_ENV),
        ("47 job if", Scope::JOB_IF),
        ("48 strategy", Scope::STRATEGY),
        ("49 59 job", Scope::JOB),
        ("50 59 job env", Scope::JOB_ENV),
        ("51 job defaults", Scope::JOB_DEFAULTS),
        ("52 credentials", Scope::CREDENTIALS),
        ("53 55 job outputs", Scope::JOB_OUTPUTS),
        ("54 environment url", Scope::ENVIRONMENT_URL),
        ("56 step if", Scope::STEP_IF),
        ("57 step", Scope::STEP),
        ("58 shell", Scope::NOTHING),
        ("61 call output", Scope::CALL_OUTPUT),
        ("62 composite step", Scope::COMPOSITE_STEP),
        ("62 composite if", Scope::COMPOSITE_IF),
        ("63 composite output", Scope::COMPOSITE_OUTPUT),
        ("64 action input", Scope::ACTION_INPUT),
        ("65 docker args", Scope::DOCKER_ARGS),
    ];
    let table: String =
        places.iter().map(|(place, scope)| format!("{place}: {}\n", names(scope))).collect();
    expect![[r#"
        45 60 run: github inputs vars
        46 workflow env: github inputs vars secrets
        47 job if: github inputs vars needs always() success() success('a', 'b')
        48 strategy: github inputs vars needs
        49 59 job: github inputs vars needs strategy matrix
        50 59 job env: github inputs vars needs strategy matrix secrets
        51 job defaults: github inputs vars needs strategy matrix env
        52 credentials: github inputs vars needs strategy matrix secrets env
        53 55 job outputs: github inputs vars needs strategy matrix secrets steps job runner env
        54 environment url: github inputs vars needs strategy matrix steps job runner env
        56 step if: github inputs vars needs strategy matrix steps job runner env always() success() hashFiles('a')
        57 step: github inputs vars needs strategy matrix secrets steps job runner env hashFiles('a')
        58 shell: 
        61 call output: github inputs vars jobs
        62 composite step: github inputs strategy matrix steps job runner env hashFiles('a')
        62 composite if: github inputs strategy matrix steps job runner env always() success() hashFiles('a')
        63 composite output: github inputs strategy matrix steps job runner env
        64 action input: github strategy matrix job runner hashFiles('a')
        65 docker args: inputs
    "#]].assert_eq(&table);
}

#[test]
fn references_and_calls_are_found_in_the_order_of_the_text() {
    let text = "contains(github.event.labels.*.name, matrix['os'][0]) && \
                GITHUB[env.KEY].x == (steps).a && (fromJSON(inputs.x).y || !failure())";
    let parsed = Expr::parse(text, &Scope::everything()).expect("it is an expression");
    let mut lines = String::new();
    for reference in parsed.references() {
        lines += &format!("{} = {}\n", reference.path(), &text[reference.span.clone()]);
    }
    for call in parsed.calls() {
        lines += &format!("{}/{} = {}\n", call.function.name(), call.arguments, &text[call.span]);
    }
    expect![[r#"
        github.event.labels.*.name = github.event.labels.*.name
        matrix.os.0 = matrix['os'][0]
        github.?.x = GITHUB[env.KEY].x
        env.KEY = env.KEY
        steps.a = (steps).a
        inputs.x = inputs.x
        contains/2 = contains(github.event.labels.*.name, matrix['os'][0])
        fromJSON/1 = fromJSON(inputs.x)
        failure/0 = failure()
    "#]]
    .assert_eq(&lines);
    assert!(parsed.uses_status_function());
    assert!(
        !Expr::parse("contains('always()', 'a')", &Scope::STEP_IF)
            .is_ok_and(|it| it.uses_status_function())
    );
}
