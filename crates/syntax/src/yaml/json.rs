//! The tree as JSON and back: how a part of a file travels to another process.

use std::sync::Arc;

use serde_json::Value;

use crate::Span;
use crate::yaml::{Entry, Key, Mapping, Node, NodeKind, ScalarStyle, number_text};

/// Above this every double is a whole number, but not every whole number a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Node {
    /// The tree as JSON. Places are lost; `.inf` and `.nan`, which JSON lacks, become their text.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Number(number) => number_to_json(*number),
            NodeKind::String(text, _) => Value::String(text.as_ref().to_owned()),
            NodeKind::Sequence(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            NodeKind::Mapping(mapping) => Value::Object(
                mapping
                    .entries
                    .iter()
                    .map(|entry| (entry.key.text.as_ref().to_owned(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// A tree from JSON. Every node stands at `span`.
    pub fn from_json(value: &Value, span: Span) -> Node {
        let kind = match value {
            Value::Null => NodeKind::Null,
            Value::Bool(value) => NodeKind::Bool(*value),
            Value::Number(number) => NodeKind::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => {
                NodeKind::String(Arc::from(text.as_str()), ScalarStyle::DoubleQuoted)
            }
            Value::Array(items) => {
                NodeKind::Sequence(items.iter().map(|item| Node::from_json(item, span)).collect())
            }
            Value::Object(object) => NodeKind::Mapping(Mapping {
                entries: object
                    .iter()
                    .map(|(key, value)| Entry {
                        key: Key {
                            span,
                            text: Arc::from(key.as_str()),
                            style: ScalarStyle::DoubleQuoted,
                        },
                        value: Node::from_json(value, span),
                    })
                    .collect(),
            }),
        };
        Node { span, kind }
    }
}

fn number_to_json(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        return Value::from(number as i64);
    }
    serde_json::Number::from_f64(number)
        .map_or_else(|| Value::String(number_text(number)), Value::Number)
}
