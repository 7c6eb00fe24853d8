//! Templates at the door: what they evaluate to, and where it fails.

mod door;

use std::sync::Arc;

use expect_test::{Expect, expect};
use expr::{Contexts, Object, Scope, StatusFunction, Value};
use syntax::{Source, yaml};
use workflow::Template;

struct World(Value);

impl Contexts for World {
    fn context(&self, name: &str) -> Option<Value> {
        match &self.0 {
            Value::Object(object) => object.get(name).cloned(),
            _ => None,
        }
    }

    fn status(&self, function: StatusFunction, _: &[String]) -> Result<bool, String> {
        Ok(matches!(function, StatusFunction::Always | StatusFunction::Success))
    }
}

#[track_caller]
fn evaluate(text: &str, expected: Expect) {
    let source = Source::new("t", text);
    let (node, _) = yaml::read(&source);
    let (template, diagnostics) =
        Template::read(&source, &node.expect("the table holds YAML"), &Scope::JOB);
    let world = World(Value::from_json(&serde_json::json!({
        "github": {"ref": "main", "list": [1, 2], "big": "x".repeat(600_000)},
        "inputs": {"map": {"B": 2, "C": 3}, "on": true, "n": 3.10, "key": "K"},
    })));
    let mut out = door::say_all(&source, &diagnostics);
    if diagnostics.is_empty() {
        out = match template.evaluate(&world) {
            Ok(value) => format!("{}\n", value.to_json()),
            Err(error) => format!("{error} at `{}`\n", source.slice(error.span())),
        };
    }
    expected.assert_eq(&out);
}

// proves: conformance 16
#[test]
fn c16_whole_expressions_keep_their_type() {
    evaluate(
        "${{ github.list }}",
        expect![[r#"
        [1,2]
    "#]],
    );
    evaluate(
        "${{ inputs.on }}",
        expect![[r#"
        true
    "#]],
    );
    evaluate(
        "'${{ inputs.n }}'",
        expect![[r#"
        3.1
    "#]],
    );
    evaluate(
        "' ${{ inputs.n }}'",
        expect![[r#"
        " 3.1"
    "#]],
    );
    evaluate(
        "a ${{ inputs.on }}-${{ inputs.n }} {b} ${{ github.list }}",
        expect![[r#"
        "a true-3.1 {b} Array"
    "#]],
    );
    evaluate(
        "${{ 'it''s {0}' }} and ${{ '}}' }}",
        expect![[r#"
        "it's {0} and }}"
    "#]],
    );
    evaluate(
        "[1, 2.50, ~, true, '${{ inputs.map }}']",
        expect![[r#"
        [1,2.5,null,true,{"B":2,"C":3}]
    "#]],
    );
    evaluate(
        "${{ github.nothing }}",
        expect![[r#"
        null
    "#]],
    );
}

// proves: conformance 17
#[test]
fn c17_keys() {
    evaluate(
        "{A: 1, '${{ insert }}': '${{ inputs.map }}', D: x}",
        expect![[r#"
        {"A":1,"B":2,"C":3,"D":"x"}
    "#]],
    );
    evaluate(
        "{'${{ inputs.key }}-${{ github.ref }}': 1}",
        expect![[r#"
        {"K-main":1}
    "#]],
    );
    evaluate(
        "{k: 1, '${{ inputs.key }}': 2}",
        expect![[r#"
        'K' is already defined at `'${{ inputs.key }}'`
    "#]],
    );
    evaluate(
        "{'${{ insert }}': '${{ github.ref }}'}",
        expect![[r#"
        `insert` takes in a mapping, and this is none at `'${{ github.ref }}'`
    "#]],
    );
    evaluate(
        "{'${{ github.list }}': 1}",
        expect![[r#"
        a key must be text at `'${{ github.list }}'`
    "#]],
    );
}

#[test]
fn failures_say_where() {
    evaluate(
        "a: [x, '${{ fromJSON(github.ref) }}']",
        expect![[r#"
        the expression could not be evaluated at `fromJSON(github.ref)`
    "#]],
    );
    evaluate(
        "a: ${{ nope }} ${{ inputs.a",
        expect![[r#"
        1:16 `${{` error[expression] The expression is not closed. An unescaped ${{ sequence was found, but the closing }} sequence was not found. | close it with `}}`
    "#]],
    );
    evaluate(
        "a: ${{ nope }} ${{ nopes }}",
        expect![[r#"
            1:8 `nope` error[expression] Unrecognized named-value: 'nope'. Located at position 1 within expression: nope | text takes single quotes: 'nope'; the contexts here are: github, inputs, vars, needs, strategy, matrix
            1:20 `nopes` error[expression] Unrecognized named-value: 'nopes'. Located at position 1 within expression: nopes | text takes single quotes: 'nopes'; the contexts here are: github, inputs, vars, needs, strategy, matrix
        "#]],
    );
}

// proves: conformance 87
#[test]
fn c87_results_are_bounded() {
    let items = vec!["'${{ github.big }}'"; 20].join(", ");
    evaluate(
        &format!("[{items}]"),
        expect![[r#"
        the result is larger than 10485760 bytes at `'${{ github.big }}'`
    "#]],
    );
}

#[test]
fn expressions_are_listed_with_their_places() {
    let text =
        "{a: 'x ${{ github.a }} y ${{ github.b }}', '${{ github.c }}': [1, '${{ github.d }}']}";
    let source = Source::new("t", text);
    let (node, _) = yaml::read(&source);
    let (template, _) = Template::read(&source, &node.unwrap(), &Scope::JOB);
    let listed: Vec<String> = template
        .expressions()
        .iter()
        .map(|it| format!("{} = {}", it.expr.text(), source.slice(it.span)))
        .collect();
    expect![[r#"
        github.a = github.a
        github.b = github.b
        github.c = github.c
        github.d = github.d"#]]
    .assert_eq(&listed.join("\n"));
    assert_eq!(source.slice(template.span()), text);
}

#[test]
fn templates_come_from_json_as_well() {
    let json = serde_json::json!({"a": "${{ github.ref }}", "b": [1.5, null]});
    let (template, diagnostics) = Template::from_json(&json, &Scope::JOB);
    assert!(diagnostics.is_empty());
    let mut github = Object::new();
    github.insert("ref", Value::String(Arc::from("main")));
    let mut all = Object::new();
    all.insert("github", Value::Object(Arc::new(github)));
    let value = template.evaluate(&World(Value::Object(Arc::new(all)))).unwrap();
    expect![[r#"{"a":"main","b":[1.5,null]}"#]].assert_eq(&value.to_json().to_string());
    let (_, diagnostics) = Template::from_json(&serde_json::json!("${{ nope }}"), &Scope::JOB);
    assert_eq!(diagnostics.len(), 1);
}
