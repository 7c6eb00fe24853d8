//! `toJSON` and `fromJSON`. Reading is as lenient as the runner's library (conformance 85).

mod reader;

use std::fmt::Write as _;

use crate::functions::{Text, TooBig};
use crate::value::Value;

pub(crate) use reader::read;

/// The value as JSON with two spaces of indent.
pub(crate) fn write(value: &Value) -> Result<Value, TooBig> {
    let mut text = Text::new();
    write_value(value, 0, &mut text)?;
    Ok(text.finish())
}

// Contexts come from JSON and from our own code: nothing in them is deep enough to end the stack.
fn write_value(value: &Value, level: usize, text: &mut Text) -> Result<(), TooBig> {
    match value {
        Value::Null => text.push("null"),
        Value::Bool(_) | Value::Number(_) => text.push(&value.to_text()),
        Value::String(content) => text.push(&quoted(content)),
        Value::Array(items) if items.is_empty() => text.push("[]"),
        Value::Object(object) if object.is_empty() => text.push("{}"),
        Value::Array(items) => {
            text.push("[")?;
            for (index, item) in items.iter().enumerate() {
                text.push(&line(index, level + 1))?;
                write_value(item, level + 1, text)?;
            }
            text.push(&format!("\n{}]", "  ".repeat(level)))
        }
        Value::Object(object) => {
            text.push("{")?;
            for (index, (key, item)) in object.iter().enumerate() {
                text.push(&format!("{}{}: ", line(index, level + 1), quoted(key)))?;
                write_value(item, level + 1, text)?;
            }
            text.push(&format!("\n{}}}", "  ".repeat(level)))
        }
    }
}

fn line(index: usize, level: usize) -> String {
    let comma = if index == 0 { "" } else { "," };
    format!("{comma}\n{}", "  ".repeat(level))
}

/// A text in double quotes, with the escapes of the runner's library: also for the three line ends
/// of Unicode, which JSON itself would leave alone.
fn quoted(content: &str) -> String {
    let mut text = String::with_capacity(content.len() + 2);
    text.push('"');
    for character in content.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                write!(text, "\\u{:04x}", u32::from(character)).expect("a String takes all");
            }
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}
