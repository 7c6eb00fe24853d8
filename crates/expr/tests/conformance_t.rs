//! Behaviour that nobody documents and workflows rely on.

use expect_test::{Expect, expect};
use expr::{Contexts, Expr, Object, Scope, Value};
use serde_json::json;

struct World(Object);

impl Contexts for World {
    fn context(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as expect-test hands its tables over")]
fn check(texts: &[&str], expected: Expect) {
    let json = json!({
        "secrets": {"TOKEN": "t"},
        "runner": {"os": "Linux"},
        "matrix": {"os": "linux"},
        "steps": {"s": {"outputs": {"flag": "false", "none": ""}}},
        "needs": {"skipped": {"result": "skipped", "outputs": {}}},
    });
    let contexts = json.as_object().expect("an object").iter();
    let world = World(contexts.map(|(name, it)| (name.as_str(), Value::from_json(it))).collect());
    let lines: String = texts
        .iter()
        .map(|text| {
            let parsed = Expr::parse(text, &Scope::everything()).expect("an expression");
            format!("{text} -> {}\n", parsed.evaluate(&world).expect("a value").to_json())
        })
        .collect();
    expected.assert_eq(&lines);
}

// proves: conformance 251
#[test]
fn c251_outputs_are_text() {
    check(
        &[
            "steps.s.outputs.flag && true",
            "!steps.s.outputs.flag",
            "steps.s.outputs.flag == 'false'",
            "fromJSON(steps.s.outputs.flag) || 'no'",
            "steps.s.outputs.none || 'empty'",
        ],
        expect![[r#"
            steps.s.outputs.flag && true -> true
            !steps.s.outputs.flag -> false
            steps.s.outputs.flag == 'false' -> true
            fromJSON(steps.s.outputs.flag) || 'no' -> "no"
            steps.s.outputs.none || 'empty' -> "empty"
        "#]],
    );
}

// proves: conformance 252, 261
#[test]
fn c261_what_is_absent_is_an_empty_text() {
    check(
        &[
            "format('[{0}]', secrets.ABSENT)",
            "secrets.ABSENT == ''",
            "secrets.ABSENT != ''",
            "secrets.token",
            "format('[{0}]', needs.skipped.outputs.any)",
            "needs.skipped.outputs.any == ''",
            "needs.skipped.result",
        ],
        expect![[r#"
            format('[{0}]', secrets.ABSENT) -> "[]"
            secrets.ABSENT == '' -> true
            secrets.ABSENT != '' -> false
            secrets.token -> "t"
            format('[{0}]', needs.skipped.outputs.any) -> "[]"
            needs.skipped.outputs.any == '' -> true
            needs.skipped.result -> "skipped"
        "#]],
    );
}
