//! What an expression names, for those who look for mistakes and for what a text depends on.

use std::ops::Range;

use crate::tree::{Function, Node, NodeKind, Selector};
use crate::value::Value;

/// One path into a context: `github.event.pull_request.title`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The context, in lower case.
    pub context: String,
    /// The steps taken from there.
    pub segments: Vec<Segment>,
    /// Where the path stands in the expression's text, in bytes.
    pub span: Range<usize>,
}

impl Reference {
    /// The path with dots: `*` for a filter, `?` for what only evaluating can tell.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = self.context.clone();
        for segment in &self.segments {
            path.push('.');
            path.push_str(match segment {
                Segment::Name(name) => name,
                Segment::Wildcard => "*",
                Segment::Unknown => "?",
            });
        }
        path
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A property or a literal index, as written (a number by its text).
    Name(String),
    /// All of them: `.*`.
    Wildcard,
    /// An index that only evaluating can tell.
    Unknown,
}

/// One function call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub function: Function,
    /// How many arguments it was given.
    pub arguments: usize,
    /// Where the call stands in the expression's text, in bytes.
    pub span: Range<usize>,
}

pub(crate) fn references(tree: &Node) -> Vec<Reference> {
    let mut found = Vec::new();
    collect_references(tree, &mut found);
    found
}

pub(crate) fn calls(tree: &Node) -> Vec<Call> {
    let mut found = Vec::new();
    collect_calls(tree, &mut found);
    found
}

// The tree is at most DEPTH_MAX deep, so walking may recurse.

fn collect_references(node: &Node, found: &mut Vec<Reference>) {
    let at = found.len();
    if let Some(reference) = path(node, found) {
        // Its own place comes before what stands inside its brackets.
        found.insert(at, reference);
        return;
    }
    node.children().for_each(|child| collect_references(child, found));
}

/// The path that ends at `node`, if it begins with a context. What is named inside brackets on the
/// way goes to `found`.
fn path(node: &Node, found: &mut Vec<Reference>) -> Option<Reference> {
    match &node.kind {
        NodeKind::Context(name) => Some(Reference {
            context: name.to_ascii_lowercase(),
            segments: Vec::new(),
            span: node.span.clone(),
        }),
        NodeKind::Index { base, selector } => {
            let mut reference = path(base, found)?;
            reference.span = node.span.clone();
            reference.segments.push(match selector {
                Selector::Property(name) => Segment::Name(name.clone()),
                Selector::Wildcard => Segment::Wildcard,
                Selector::Index(index) => match &index.kind {
                    NodeKind::Literal(literal @ (Value::String(_) | Value::Number(_))) => {
                        Segment::Name(literal.to_text().as_ref().to_owned())
                    }
                    _ => {
                        collect_references(index, found);
                        Segment::Unknown
                    }
                },
            });
            Some(reference)
        }
        _ => None,
    }
}

fn collect_calls(node: &Node, found: &mut Vec<Call>) {
    if let NodeKind::Call { function, arguments } = &node.kind {
        let arguments = arguments.len();
        found.push(Call { function: *function, arguments, span: node.span.clone() });
    }
    node.children().for_each(|child| collect_calls(child, found));
}

impl Node {
    /// The pieces directly inside this one, in the order of the text.
    pub fn children(&self) -> impl Iterator<Item = &Node> {
        let (boxed, list): ([Option<&Node>; 2], &[Node]) = match &self.kind {
            NodeKind::Literal(_) | NodeKind::Context(_) => ([None, None], &[]),
            NodeKind::Index { base, selector: Selector::Index(index) } => {
                ([Some(base), Some(index)], &[])
            }
            NodeKind::Index { base, .. } => ([Some(base), None], &[]),
            NodeKind::Not(operand) => ([Some(operand), None], &[]),
            NodeKind::Compare { left, right, .. } => ([Some(left), Some(right)], &[]),
            NodeKind::Call { arguments: list, .. } | NodeKind::Logical { operands: list, .. } => {
                ([None, None], list)
            }
        };
        boxed.into_iter().flatten().chain(list)
    }
}
