//! Values with expressions in them, whatever they hold.

use std::sync::Arc;

use expr::{Scope, Value};
use syntax::{Node, NodeKind, Source, yaml};
use workflow::{Template, TemplateKind};

use crate::world::World;
use crate::{places, tree};

const EVERYTHING: Scope = Scope::everything();

/// An input is a YAML value.
pub fn check(input: &[u8]) {
    let source = Source::new("value.yml", String::from_utf8_lossy(input).into_owned());
    let (Some(node), found) = yaml::read(&source) else { return };
    if !found.is_empty() {
        return;
    }
    let (template, found) = Template::read(&source, &node, &EVERYTHING);
    places::diagnostics_in(&source, &found);
    check_places(&source, &template);
    if !found.is_empty() {
        return;
    }
    let world = World::new();
    let value = template.evaluate(&world);
    if let Err(error) = &value {
        places::span_in(&source, error.span());
        assert!(!error.to_string().is_empty());
    }
    if template.expressions().is_empty() && !holds_insert(&node) {
        let value = value.as_ref().expect("what is literal has a value");
        assert!(is_literally(value, &node), "{value:?}");
    }
    // A value travels to another process as JSON, which has neither NaN nor the infinities.
    if !tree::holds_odd_number(&node) && !holds_same_keys(&node) {
        let (sent, found) = Template::from_json(&node.to_json(), &EVERYTHING);
        assert!(found.is_empty(), "{}", found[0].message);
        match (value, sent.evaluate(&world)) {
            (Ok(one), Ok(other)) => assert_eq!(one.to_json(), other.to_json()),
            (one, other) => assert_eq!(one.is_err(), other.is_err()),
        }
    }
}

fn check_places(source: &Arc<Source>, template: &Template) {
    places::span_in(source, template.span());
    for embedded in template.expressions() {
        places::span_in(source, embedded.span);
    }
    if let TemplateKind::Sequence(items) = template.kind() {
        items.iter().for_each(|item| check_places(source, item));
    }
}

fn holds_insert(node: &Node) -> bool {
    tree::any(node, &|it| {
        let mut entries = it.as_mapping().into_iter().flat_map(|mapping| &mapping.entries);
        entries.any(|entry| entry.key.text.contains("${{"))
            || it.as_str().is_some_and(|text| text.contains("${{"))
    })
}

/// Keys with expressions may be the same text twice; JSON keeps one of them.
fn holds_same_keys(node: &Node) -> bool {
    tree::any(node, &|it| {
        let entries = it.as_mapping().map_or(&[][..], |mapping| &mapping.entries);
        let key = |at: usize| &entries[at].key.text;
        (0..entries.len()).any(|at| key(at).contains("${{") && (0..at).any(|it| key(it) == key(at)))
    })
}

fn is_literally(value: &Value, node: &Node) -> bool {
    match (value, &node.kind) {
        (Value::Null, NodeKind::Null) => true,
        (Value::Bool(value), NodeKind::Bool(written)) => value == written,
        (Value::Number(value), NodeKind::Number(written)) => {
            value == written || (value.is_nan() && written.is_nan())
        }
        (Value::String(value), NodeKind::String(written, _)) => value == written,
        (Value::Array(values), NodeKind::Sequence(items)) => {
            values.len() == items.len()
                && values.iter().zip(items).all(|(value, item)| is_literally(value, item))
        }
        (Value::Object(object), NodeKind::Mapping(mapping)) => {
            object.len() == mapping.entries.len()
                && object.iter().zip(&mapping.entries).all(|((key, value), entry)| {
                    key == &*entry.key.text && is_literally(value, &entry.value)
                })
        }
        _ => false,
    }
}
