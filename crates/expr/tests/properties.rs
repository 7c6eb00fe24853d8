//! What holds for every text.

use expr::{Contexts, Expr, LENGTH_MAX, Node, Scope, Value, find_close};
use proptest::prelude::*;

struct Empty;

impl Contexts for Empty {
    fn context(&self, _: &str) -> Option<Value> {
        None
    }
}

/// Texts made of the language's own pieces: random letters would hardly ever parse.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "github",
        "env",
        "'a'",
        "''",
        "1",
        "-.5",
        "0x1F",
        "NaN",
        "null",
        "true",
        ".",
        ".x",
        ".*",
        "[",
        "]",
        "[0]",
        "[*]",
        "(",
        ")",
        "!",
        "==",
        "<=",
        "&&",
        "||",
        ",",
        " ",
        "contains(",
        "format(",
        "'{0}'",
        "case(",
        "fromJSON(",
        "toJSON(",
        "always()",
        "ü",
        "\"",
        "'",
        "😀",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|it| it.concat())
}

fn spans_are_nested(node: &Node) -> bool {
    node.children().all(|child| {
        node.span.start <= child.span.start
            && child.span.end <= node.span.end
            && spans_are_nested(child)
    })
}

proptest! {
    // proves: conformance 87
    #[test]
    fn no_text_can_do_harm(text in prop_oneof![pieces(), any::<String>()]) {
        match Expr::parse(&text, &Scope::everything()) {
            Ok(parsed) => {
                prop_assert!(parsed.tree().is_none_or(spans_are_nested));
                for reference in parsed.references() {
                    prop_assert!(text.get(reference.span).is_some());
                }
                let _ = parsed.evaluate(&Empty);
            }
            Err(error) => prop_assert!(text.is_char_boundary(error.offset)),
        }
    }

    // proves: conformance 16
    #[test]
    fn the_close_is_behind_what_parses(text in pieces()) {
        if Expr::parse(&text, &Scope::everything()).is_ok() {
            prop_assert_eq!(find_close(&format!("{text}}}}}"), 0), Some(text.len()));
        }
    }

    // proves: conformance 77
    #[test]
    fn numbers_survive_their_text_to_fifteen_digits(number in any::<f64>()) {
        prop_assume!(number.is_finite());
        let again = Value::from(Value::from(number).to_text()).to_number();
        prop_assert!((again - number).abs() <= number.abs() * 1e-14);
    }

    // proves: conformance 83, 85
    #[test]
    fn json_comes_back_as_it_went(text in any::<String>(), number in -1_000_000_000..1_000_000_000) {
        struct Given(Value);
        impl Contexts for Given {
            fn context(&self, _: &str) -> Option<Value> {
                Some(self.0.clone())
            }
        }
        let json = serde_json::json!({"k": [text, number, null, true, {"x": {}}]});
        let parsed = Expr::parse("fromJSON(toJSON(env))", &Scope::everything()).expect("it parses");
        let value = parsed.evaluate(&Given(Value::from_json(&json))).expect("it has a value");
        prop_assert_eq!(value.to_json(), json);
    }
}

#[test]
fn the_longest_nestings_end_no_process() {
    for piece in ["(", "!", "[", "github[", "contains(", "case(1,", "1||(", "a.", "''"] {
        let text = piece.repeat(LENGTH_MAX / piece.len());
        let _ = Expr::parse(&text, &Scope::everything());
    }
}
