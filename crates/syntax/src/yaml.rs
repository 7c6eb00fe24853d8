//! YAML as GitHub reads it (conformance 2 to 5, 8): a tree in which every node knows its place.
//!
//! Aliases are replayed, so the tree has none; merge keys do not exist; keys are text.

mod build;
mod granit;
mod json;
mod place;
mod scalar;

use std::sync::Arc;

use crate::{Diagnostic, RuleId, Source, Span};

pub use place::locate;
pub use scalar::number_text;

/// Bytes in one file; GitHub's own guard (conformance 8).
pub const BYTES_MAX: usize = 1024 * 1024;
/// Levels of nesting; GitHub's own guard (conformance 8).
pub const DEPTH_MAX: usize = 50;
/// Nodes in the tree with every alias replayed; GitHub's own guard (conformance 4, 8).
pub const NODES_MAX: usize = 50_000;
/// Events of the parser; GitHub's own guard (conformance 8).
pub const EVENTS_MAX: usize = 1_000_000;
/// Findings kept for one file: nobody reads more, and a hostile file must not fill the memory.
pub const DIAGNOSTICS_MAX: usize = 1_000;

/// The rule that everything wrong with the YAML itself belongs to.
const RULE: RuleId = "yaml";

/// Reads one document. The tree is absent where the text is not YAML, or a limit was passed; what
/// could be stepped over (a duplicate key, an unknown tag) is reported, and the tree stands.
/// An empty file gives no tree and no finding.
pub fn read(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    build::build(source)
}

/// One value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where its text stands. Behind an alias: where the alias stands.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// The kinds of the YAML 1.2 core schema as GitHub reads them.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Empty, `~`, `null`, `Null`, `NULL`.
    Null,
    /// `true`, `false` and their two other spellings.
    Bool(bool),
    /// Every number is a double. The text as written stands in the source under the span.
    Number(f64),
    /// A string and how it was written.
    String(Arc<str>, ScalarStyle),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the order written.
    Mapping(Mapping),
}

/// How a string was written: decides how offsets in its value map to the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    /// Without quotes.
    Plain,
    /// `'..'`
    SingleQuoted,
    /// `".."`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// Where a scalar stands and how it was written: what it takes to find a part of its value again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalarPlace {
    /// Where its text stands, quotes included. A block's begins behind its `|` or `>`.
    pub span: Span,
    /// How it was written; plain where it is no string.
    pub style: ScalarStyle,
}

/// A mapping; keys are unique ignoring case (conformance 5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The entries in the order written.
    pub entries: Vec<Entry>,
}

/// One entry of a [`Mapping`].
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// A key: text, and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Where it stands.
    pub span: Span,
    /// Its text; numbers and booleans are turned to text.
    pub text: Arc<str>,
    /// How it was written.
    pub style: ScalarStyle,
}

impl Key {
    /// Its place, for looking up a part of it.
    pub fn place(&self) -> ScalarPlace {
        ScalarPlace { span: self.span, style: self.style }
    }
}

impl Mapping {
    /// The value under `key`, compared exactly.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|entry| &*entry.key.text == key).map(|entry| &entry.value)
    }
}

impl Node {
    /// Its place, for looking up a part of it.
    pub fn place(&self) -> ScalarPlace {
        let style = match &self.kind {
            NodeKind::String(_, style) => *style,
            _ => ScalarStyle::Plain,
        };
        ScalarPlace { span: self.span, style }
    }

    /// The string, where this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::String(text, _) => Some(text),
            _ => None,
        }
    }

    /// The mapping, where this is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.kind {
            NodeKind::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The items, where this is a list.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::Sequence(items) => Some(items),
            _ => None,
        }
    }
}
