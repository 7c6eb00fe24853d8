//! Reading typed values out of a tree that the table has accepted; what is not written is what the
//! table says.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use syntax::{Entry, Mapping, Node, NodeKind, ScalarStyle, Span};

use crate::kind::{Kind, Need, Shape};
use crate::quantity;

/// A value and where it comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What it is.
    pub value: T,
    /// Where it stands. Of a default: where it could be written.
    pub span: Span,
    /// Whether somebody wrote it.
    pub origin: Origin,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the file.
    Written,
    /// The table of keys says so where the file says nothing.
    Default,
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span, origin: self.origin }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Text with its place.
pub type Text = Spanned<Arc<str>>;

/// A mapping of a known shape.
#[derive(Clone, Copy)]
pub(crate) struct View<'n> {
    pub(crate) shape: &'static Shape,
    pub(crate) mapping: &'n Mapping,
    pub(crate) span: Span,
}

/// What stands under a key, or would.
pub(crate) struct Found {
    pub(crate) node: Node,
    pub(crate) origin: Origin,
}

impl<'n> View<'n> {
    /// The view of a node; of what is no mapping, an empty one.
    pub(crate) fn new(shape: &'static Shape, node: &'n Node) -> View<'n> {
        static NOTHING: Mapping = Mapping { entries: Vec::new() };
        View { shape, mapping: node.as_mapping().unwrap_or(&NOTHING), span: node.span }
    }

    /// The entry as it is written.
    pub(crate) fn entry(&self, name: &str) -> Option<&'n Entry> {
        debug_assert!(self.shape.key(name).is_some(), "{} has no key {name}", self.shape.name);
        self.mapping.entries.iter().find(|entry| &*entry.key.text == name)
    }

    /// The value as it is written.
    pub(crate) fn node(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// What is written, or else the default.
    pub(crate) fn found(&self, name: &str) -> Option<Found> {
        if let Some(node) = self.node(name) {
            return Some(Found { node: node.clone(), origin: Origin::Written });
        }
        let key = self.shape.key(name)?;
        let node = default_node(&key.kind, key.need, self.span)?;
        Some(Found { node, origin: Origin::Default })
    }

    fn spanned<T>(&self, name: &str, read: impl FnOnce(&Node) -> Option<T>) -> Option<Spanned<T>> {
        let found = self.found(name)?;
        let value = read(&found.node)?;
        Some(Spanned { value, span: found.node.span, origin: found.origin })
    }

    pub(crate) fn text(&self, name: &str) -> Option<Text> {
        self.spanned(name, |node| node_text(node).cloned())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<Spanned<bool>> {
        self.spanned(name, |node| match node.kind {
            NodeKind::Bool(value) => Some(value),
            _ => None,
        })
    }

    pub(crate) fn integer(&self, name: &str) -> Option<Spanned<u32>> {
        self.spanned(name, node_integer)
    }

    pub(crate) fn duration(&self, name: &str) -> Option<Spanned<Duration>> {
        self.spanned(name, |node| quantity::duration(node.as_str()?))
    }

    pub(crate) fn size(&self, name: &str) -> Option<Spanned<u64>> {
        self.spanned(name, |node| quantity::size(node.as_str()?))
    }

    /// The items of a list, each read; none where the list is absent.
    pub(crate) fn list<T>(&self, name: &str, read: impl Fn(&Node) -> Option<T>) -> Vec<Spanned<T>> {
        let Some(found) = self.found(name) else { return Vec::new() };
        let origin = found.origin;
        let items = found.node.as_sequence().unwrap_or_default();
        let item = |node: &Node| Some(Spanned { value: read(node)?, span: node.span, origin });
        items.iter().filter_map(item).collect()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<Text> {
        self.list(name, |node| node_text(node).cloned())
    }

    /// The entries of a mapping as it is written.
    pub(crate) fn entries(&self, name: &str) -> &'n [Entry] {
        self.node(name).and_then(Node::as_mapping).map_or(&[], |mapping| &mapping.entries)
    }

    /// The view of a shape under a key, where it is written.
    pub(crate) fn view(&self, name: &str) -> Option<View<'n>> {
        let Some(Kind::Shape(shape)) = self.shape.key(name).map(|key| &key.kind) else {
            return None;
        };
        self.node(name).map(|node| View::new(shape, node))
    }
}

/// The text of a scalar that was read as text.
pub(crate) fn node_text(node: &Node) -> Option<&Arc<str>> {
    match &node.kind {
        NodeKind::String(text, _) => Some(text),
        _ => None,
    }
}

pub(crate) fn node_integer(node: &Node) -> Option<u32> {
    match node.kind {
        // The reader has seen that it is whole and within bounds.
        NodeKind::Number(number) => Some(number as u32),
        _ => None,
    }
}

/// A key with its place.
pub(crate) fn key_text(entry: &Entry) -> Text {
    let value = Arc::clone(&entry.key.text);
    Spanned { value, span: entry.key.span, origin: Origin::Written }
}

/// A default as the node that would stand there.
pub(crate) fn default_node(kind: &Kind, need: Need, span: Span) -> Option<Node> {
    let kind = match need {
        Need::Required | Need::Optional => return None,
        Need::Default(text) => default_scalar(kind, text, span),
        Need::Items(items) => {
            let Kind::List { of, .. } = kind else { return None };
            let items = items.iter().map(|it| Node { span, kind: default_scalar(of, it, span) });
            NodeKind::Sequence(items.collect())
        }
    };
    Some(Node { span, kind })
}

fn default_scalar(kind: &Kind, text: &str, span: Span) -> NodeKind {
    match kind {
        Kind::Flag => NodeKind::Bool(text == "true"),
        Kind::Integer { .. } => NodeKind::Number(text.parse().expect("defaults are well written")),
        Kind::Shape(_) => {
            let key = crate::tree::written_key(text, span);
            let nothing = Node { span, kind: NodeKind::Mapping(Mapping::default()) };
            NodeKind::Mapping(Mapping { entries: vec![Entry { key, value: nothing }] })
        }
        _ => NodeKind::String(Arc::from(text), ScalarStyle::Plain),
    }
}
