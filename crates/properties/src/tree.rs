//! A YAML tree searched, compared, and written anew: one line, brackets and quotes, nothing left to
//! interpretation.

use std::fmt::Write as _;

use syntax::{Mapping, Node, NodeKind};

/// YAML lets the key of a flow mapping be this long, unless a `?` stands before it.
const KEY_CHARACTERS_MAX: usize = 1024;
/// An escape of one character takes at most this much.
const ESCAPE_CHARACTERS_MAX: usize = 10;

/// The tree in flow style; none where a key is too long for that.
pub(crate) fn write(node: &Node) -> Option<String> {
    let mut text = String::new();
    write_node(node, &mut text).then_some(text)
}

fn write_node(node: &Node, text: &mut String) -> bool {
    match &node.kind {
        NodeKind::Null => text.push_str("null"),
        NodeKind::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        NodeKind::Number(number) => write_number(*number, text),
        NodeKind::String(value, _) => write_quoted(value, text),
        NodeKind::Sequence(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                if !write_node(item, text) {
                    return false;
                }
            }
            text.push(']');
        }
        NodeKind::Mapping(mapping) => return write_mapping(mapping, text),
    }
    true
}

fn write_mapping(mapping: &Mapping, text: &mut String) -> bool {
    text.push('{');
    for (at, entry) in mapping.entries.iter().enumerate() {
        if entry.key.text.chars().count() * ESCAPE_CHARACTERS_MAX > KEY_CHARACTERS_MAX {
            return false;
        }
        text.push_str(if at == 0 { "" } else { ", " });
        write_quoted(&entry.key.text, text);
        text.push_str(": ");
        if !write_node(&entry.value, text) {
            return false;
        }
    }
    text.push('}');
    true
}

fn write_number(number: f64, text: &mut String) {
    let special = if number.is_nan() {
        ".nan"
    } else if number == f64::INFINITY {
        ".inf"
    } else if number == f64::NEG_INFINITY {
        "-.inf"
    } else {
        // `{:?}` writes as many digits as it takes to read the same double again.
        write!(text, "{number:?}").expect("a String takes all");
        return;
    };
    text.push_str(special);
}

fn write_quoted(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            _ => write!(text, "\\U{:08X}", u32::from(character)).expect("a String takes all"),
        }
    }
    text.push('"');
}

/// Equal but for places and quotes; NaN is NaN.
pub(crate) fn same(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (NodeKind::Number(one), NodeKind::Number(other)) => {
            one == other || (one.is_nan() && other.is_nan())
        }
        (NodeKind::String(one, _), NodeKind::String(other, _)) => one == other,
        (NodeKind::Sequence(one), NodeKind::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (NodeKind::Mapping(one), NodeKind::Mapping(other)) => {
            let entries = || one.entries.iter().zip(&other.entries);
            one.entries.len() == other.entries.len()
                && entries().all(|(one, other)| {
                    one.key.text == other.key.text && same(&one.value, &other.value)
                })
        }
        (one, other) => one == other,
    }
}

/// Whether any node of the tree is one of these.
pub(crate) fn any(node: &Node, holds: &impl Fn(&Node) -> bool) -> bool {
    holds(node)
        || match &node.kind {
            NodeKind::Sequence(items) => items.iter().any(|item| any(item, holds)),
            NodeKind::Mapping(mapping) => mapping.entries.iter().any(|it| any(&it.value, holds)),
            _ => false,
        }
}

/// Whether the tree has a number that JSON has not.
pub(crate) fn holds_odd_number(node: &Node) -> bool {
    any(node, &|it| matches!(it.kind, NodeKind::Number(number) if !number.is_finite()))
}
