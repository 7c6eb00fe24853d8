//! Expressions, whatever their text is.

use std::fmt::Write as _;

use expr::{
    Comparison, DEPTH_MAX, EvalError, Expr, LENGTH_MAX, Logical, MEMORY_BYTES_MAX, Node, NodeKind,
    Scope, Selector, Value,
};

use crate::places;
use crate::world::World;

const EVERYTHING: Scope = Scope::everything();

/// An input is an expression without its braces.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let expr = match Expr::parse(&text, &EVERYTHING) {
        Ok(expr) => expr,
        Err(error) => {
            assert!(text.is_char_boundary(error.offset), "the trouble begins in the text");
            assert!(!error.message.is_empty());
            assert!(Expr::parse(&text, &Scope::NOTHING).is_err(), "less scope takes no more");
            return;
        }
    };
    assert_eq!(expr.text(), text);
    assert!(text.encode_utf16().count() <= LENGTH_MAX, "an expression that is too long");
    check_named(&expr);
    let world = World::new();
    let value = expr.evaluate(&world);
    check_value(&value);
    let Some(tree) = expr.tree() else {
        assert!(text.trim().is_empty() && matches!(value, Ok(Value::Null)));
        return;
    };
    assert!(height(tree, &text, 0..text.len()) <= DEPTH_MAX, "too deep");
    check_written_again(tree, &value, &world);
}

/// Levels of the tree. Pieces lie in their text, one behind the other.
fn height(node: &Node, text: &str, within: std::ops::Range<usize>) -> usize {
    places::range_in(text, node.span.clone());
    assert!(within.start <= node.span.start && node.span.end <= within.end, "inside its parent");
    let mut at = node.span.start;
    let mut below = 0;
    for child in node.children() {
        assert!(at <= child.span.start, "pieces do not overlap");
        at = child.span.end;
        below = below.max(height(child, text, node.span.clone()));
    }
    below + 1
}

/// What an expression names stands in its text.
fn check_named(expr: &Expr) {
    for reference in expr.references() {
        places::range_in(expr.text(), reference.span.clone());
        let written = expr.text()[reference.span.clone()].to_ascii_lowercase();
        assert!(written.contains(&reference.context), "{} in {written}", reference.path());
    }
    let mut status = false;
    for call in expr.calls() {
        places::range_in(expr.text(), call.span.clone());
        let written = expr.text()[call.span].to_ascii_lowercase();
        assert!(written.contains(&call.function.name().to_ascii_lowercase()));
        status |= call.function.is_status();
    }
    assert_eq!(status, expr.uses_status_function());
}

/// A value keeps the limits, and its JSON is read back as what it was.
fn check_value(value: &Result<Value, EvalError>) {
    let value = match value {
        Ok(value) => value,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    if let Value::String(text) = value {
        assert!(text.encode_utf16().count() * 2 <= MEMORY_BYTES_MAX, "a text that is too large");
    }
    let is_number = matches!(value, Value::Number(number) if number.is_nan());
    assert!(is_number || value.loosely_equals(value), "a value equals itself");
    let written = on_answer("toJSON(vars)", value.clone());
    let Ok(Value::String(json)) = &written else {
        assert!(matches!(written, Err(EvalError::Memory(_))), "every value has a JSON text");
        return;
    };
    // The largest doubles, rounded to fifteen digits, are beyond all doubles.
    if json.contains("E+308") {
        return;
    }
    match on_answer("toJSON(fromJSON(vars))", Value::String(json.clone())) {
        Ok(again) => assert_eq!(again.to_text(), *json, "JSON of JSON"),
        Err(error) => assert!(matches!(error, EvalError::Memory(_)), "{error}: {json}"),
    }
}

fn on_answer(text: &str, answer: Value) -> Result<Value, EvalError> {
    let expr = Expr::parse(text, &EVERYTHING).expect("an expression of ours");
    expr.evaluate(&World::answering(answer))
}

/// The tree, written with every bracket, is the same tree and has the same value.
fn check_written_again(tree: &Node, value: &Result<Value, EvalError>, world: &World) {
    let text = written(tree);
    if text.encode_utf16().count() > LENGTH_MAX {
        return;
    }
    let again = Expr::parse(&text, &EVERYTHING).expect("a tree that was written");
    let tree_again = again.tree().expect("a tree that was written");
    assert_eq!(text, written(tree_again), "brackets change nothing");
    match (value, again.evaluate(world)) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.kind(), other.kind());
            assert_eq!(one.to_json(), other.to_json(), "{text}");
        }
        // Its message quotes the text.
        (Err(EvalError::Memory(_)), Err(EvalError::Memory(_))) => {}
        (Err(one), Err(other)) => assert_eq!(*one, other),
        (one, other) => panic!("{one:?} became {other:?}: {text}"),
    }
}

fn written(node: &Node) -> String {
    match &node.kind {
        NodeKind::Literal(value) => literal(value),
        NodeKind::Context(name) => name.clone(),
        NodeKind::Index { base, selector } => {
            let base = written(base);
            match selector {
                Selector::Property(name) => format!("({base}).{name}"),
                Selector::Wildcard => format!("({base})[*]"),
                Selector::Index(index) => format!("({base})[{}]", written(index)),
            }
        }
        NodeKind::Call { function, arguments } => {
            let arguments: Vec<String> = arguments.iter().map(written).collect();
            format!("{}({})", function.name(), arguments.join(","))
        }
        NodeKind::Not(operand) => format!("!({})", written(operand)),
        NodeKind::Compare { comparison, left, right } => {
            format!("({}){}({})", written(left), sign(*comparison), written(right))
        }
        NodeKind::Logical { operator, operands } => {
            let sign = if *operator == Logical::And { "&&" } else { "||" };
            let mut text = String::new();
            for (at, operand) in operands.iter().enumerate() {
                let sign = if at == 0 { "" } else { sign };
                write!(text, "{sign}({})", written(operand)).expect("a String takes all");
            }
            text
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) if number.is_nan() => "NaN".to_owned(),
        Value::Number(number) if number.is_infinite() => {
            if *number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        // As many digits as it takes to read the same double again.
        Value::Number(number) => format!("{number:?}"),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Array(_) | Value::Object(_) => unreachable!("the language has no such literal"),
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}
