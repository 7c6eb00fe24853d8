//! YAML, whatever the file is.

use syntax::yaml::{BYTES_MAX, DEPTH_MAX, DIAGNOSTICS_MAX, EVENTS_MAX, NODES_MAX, locate, read};
use syntax::{Node, NodeKind, ScalarStyle, Source};

use crate::{places, tree};

/// Places looked up in one text: each lookup walks it from its beginning.
const LOOKUPS_MAX: usize = 8;

/// An input is a file.
pub fn check(input: &[u8]) {
    let source = Source::new("input.yml", String::from_utf8_lossy(input).into_owned());
    let (node, found) = read(&source);
    places::diagnostics_in(&source, &found);
    assert!(found.len() <= DIAGNOSTICS_MAX, "nobody reads more findings");
    let Some(node) = node else { return };
    assert!(source.text().len() <= BYTES_MAX, "a file that is too large has no tree");
    let mut nodes = 0;
    check_node(&source, &node, 0, &mut nodes);
    assert!(nodes <= NODES_MAX.min(EVENTS_MAX), "{nodes} nodes");
    check_written_again(&node);
    check_sent(&node);
}

fn check_node(source: &Source, node: &Node, depth: usize, nodes: &mut usize) {
    *nodes += 1;
    places::span_in(source, node.span);
    match &node.kind {
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => {}
        NodeKind::String(value, style) => check_located(source, node, value, *style),
        NodeKind::Sequence(items) => {
            assert!(depth < DEPTH_MAX, "too deep");
            items.iter().for_each(|item| check_node(source, item, depth + 1, nodes));
        }
        NodeKind::Mapping(mapping) => {
            assert!(depth < DEPTH_MAX, "too deep");
            for entry in &mapping.entries {
                *nodes += 1;
                places::span_in(source, entry.key.span);
                check_node(source, &entry.value, depth + 1, nodes);
            }
        }
    }
}

/// A character of a value is found where it stands, or the whole scalar is named.
fn check_located(source: &Source, node: &Node, value: &str, style: ScalarStyle) {
    let step = value.chars().count() / LOOKUPS_MAX + 1;
    for (at, character) in value.char_indices().step_by(step) {
        let place = locate(source, node.place(), value, at..at + character.len_utf8());
        places::span_in(source, place);
        assert!(node.span.start <= place.start && place.end <= node.span.end, "inside the scalar");
        // Blanks are folded, and an escape is written in another way than its character.
        let is_exact = style != ScalarStyle::DoubleQuoted && !character.is_whitespace();
        if is_exact && place != node.span {
            let found = source.slice(place);
            let doubled = character == '\'' && found == "''";
            assert!(doubled || found.chars().eq([character]), "{character:?} is not {found:?}");
        }
    }
    let whole = locate(source, node.place(), value, 0..value.len());
    places::span_in(source, whole);
}

/// The tree, written plainly, reads the same.
fn check_written_again(node: &Node) {
    let Some(text) = tree::write(node).filter(|text| text.len() <= BYTES_MAX) else { return };
    let again = Source::new("again.yml", text);
    let (read_again, found) = read(&again);
    assert!(found.is_empty(), "{:?} in {}", found[0].message, again.text());
    let read_again = read_again.expect("a tree that was written");
    assert!(tree::same(node, &read_again), "{} is another tree", again.text());
}

/// The tree as JSON is a tree again, and stays what it is.
fn check_sent(node: &Node) {
    let sent = node.to_json();
    let arrived = Node::from_json(&sent, node.span).to_json();
    assert_eq!(sent, arrived);
}
