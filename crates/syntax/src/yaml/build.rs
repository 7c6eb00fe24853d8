//! From events to the tree: aliases replayed, keys checked, limits kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::yaml::granit::{Event, Events, Shape, TAG_HINT, Tag};
use crate::yaml::scalar;
use crate::yaml::{
    BYTES_MAX, DEPTH_MAX, DIAGNOSTICS_MAX, EVENTS_MAX, Entry, Key, Mapping, NODES_MAX, Node,
    NodeKind, RULE, ScalarStyle,
};
use crate::{Diagnostic, Source, Span};

/// From this many keys on a mapping remembers them in a set instead of looking through its entries.
const KEYS_SCANNED_MAX: usize = 16;

/// Reads a text; see [`super::read`].
pub(super) fn build(source: &Arc<Source>) -> (Option<Node>, Vec<Diagnostic>) {
    if source.text().len() > BYTES_MAX {
        let message = format!("the file is larger than {BYTES_MAX} bytes");
        return (None, vec![Diagnostic::error(RULE, source, Span::new(0, 0), message)]);
    }
    let mut builder = Builder {
        source,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        nodes: 0,
        documents: 0,
        root: None,
        diagnostics: Vec::new(),
    };
    let complete = builder.run();
    (if complete { builder.root } else { None }, builder.diagnostics)
}

/// A collection that is still open.
struct Open {
    start: Span,
    flow: bool,
    anchor: usize,
    /// Nodes seen before it, so that its size is known at its end.
    nodes_before: usize,
    /// How deep its content goes, itself included.
    height: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Node>),
    Mapping { mapping: Mapping, seen: BTreeSet<String>, pending: Pending },
}

/// What the next node of a mapping is.
enum Pending {
    Key,
    Value(Key),
    /// The key was refused: its value is read and dropped.
    Dropped,
}

/// A node with an anchor, and what replaying it costs.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

struct Builder<'t> {
    source: &'t Arc<Source>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    /// Whether the text was read to its end.
    fn run(&mut self) -> bool {
        let mut events = Events::new(self.source);
        let mut count = 0;
        while let Some(next) = events.next(self.innermost_bracket()) {
            count += 1;
            let outcome = match next {
                Ok(_) if count > EVENTS_MAX => {
                    Err(self.error(Span::new(0, 0), format!("more than {EVENTS_MAX} YAML events")))
                }
                Ok((event, span)) => self.accept(event, span),
                Err(diagnostic) => Err(diagnostic),
            };
            if let Err(diagnostic) = outcome {
                self.report(diagnostic);
                return false;
            }
        }
        true
    }

    fn innermost_bracket(&self) -> Option<Span> {
        self.open.iter().rev().find(|open| open.flow).map(|open| open.start)
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(RULE, self.source, span, message)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }

    /// An error ends the reading; what can be stepped over is reported instead.
    fn accept(&mut self, event: Event<'t>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar { text, style, tag, anchor } => {
                self.count(1, span)?;
                let node = self.scalar(text, style, tag, span);
                self.remember(anchor, &node, 1, 0);
                self.complete(node, 0);
            }
            Event::Start { shape, flow, tag, anchor } => {
                self.count(1, span)?;
                if let Some(tag) = tag {
                    self.unexpected_tag(&tag);
                }
                self.start(shape, flow, anchor, span)?;
            }
            Event::End => self.end(span),
            Event::Alias(anchor) => self.replay(anchor, span)?,
            Event::UnknownAlias(name) => {
                let diagnostic = self
                    .error(span, format!("unknown alias '*{name}'"))
                    .hint("a value that begins with `*` is a YAML alias; put quotes around text");
                self.report(diagnostic);
                self.complete(Node { span, kind: NodeKind::Null }, 0);
            }
            Event::Document => {
                self.documents += 1;
                if self.documents > 1 {
                    let diagnostic = self.error(span, "a second YAML document begins here");
                    return Err(diagnostic.hint("keep one document in a file: remove the `---`"));
                }
            }
            Event::Nothing => {}
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} YAML nodes, aliases counted in full");
            let hint = "say it in less: a matrix, a reusable workflow, several files";
            return Err(self.error(span, message).hint(hint));
        }
        Ok(())
    }

    fn start(
        &mut self,
        shape: Shape,
        flow: bool,
        anchor: usize,
        span: Span,
    ) -> Result<(), Diagnostic> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        let items = match shape {
            Shape::Sequence => Items::Sequence(Vec::new()),
            Shape::Mapping => Items::Mapping {
                mapping: Mapping::default(),
                seen: BTreeSet::new(),
                pending: Pending::Key,
            },
        };
        let nodes_before = self.nodes - 1;
        self.open.push(Open { start: span, flow, anchor, nodes_before, height: 1, items });
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Diagnostic {
        self.error(span, "too deeply nested").hint(format!("at most {DEPTH_MAX} levels are read"))
    }

    fn end(&mut self, span: Span) {
        let open = self.open.pop().expect("the parser pairs every end with a start");
        let (kind, last) = match open.items {
            Items::Sequence(items) => {
                let last = items.last().map(|item| item.span);
                (NodeKind::Sequence(items), last)
            }
            Items::Mapping { mapping, .. } => {
                let last = mapping.entries.last().map(|entry| entry.key.span.to(entry.value.span));
                (NodeKind::Mapping(mapping), last)
            }
        };
        // The end of a block is noticed at the next line that is not part of it.
        let whole = open.start.to(if open.flow { span } else { last.unwrap_or(open.start) });
        let node = Node { span: whole, kind };
        self.remember(open.anchor, &node, self.nodes - open.nodes_before, open.height);
        self.complete(node, open.height);
    }

    fn remember(&mut self, anchor: usize, node: &Node, nodes: usize, height: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
    }

    fn replay(&mut self, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            // The anchor is known to the parser, so its node is still open: it holds itself.
            return Err(self.error(span, "this alias stands inside the value that it names"));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        self.count(nodes, span)?;
        if self.open.len() + height > DEPTH_MAX {
            return Err(self.too_deep(span));
        }
        let mut node = self.anchors[&anchor].node.clone();
        node.span = span;
        self.complete(node, height);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn complete(&mut self, node: Node, height: usize) {
        let Some(mut parent) = self.open.pop() else {
            self.root = Some(node);
            return;
        };
        parent.height = parent.height.max(height + 1);
        match &mut parent.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping { mapping, seen, pending } => {
                match std::mem::replace(pending, Pending::Key) {
                    Pending::Key => *pending = self.key(node, mapping, seen),
                    Pending::Value(key) => mapping.entries.push(Entry { key, value: node }),
                    Pending::Dropped => {}
                }
            }
        }
        self.open.push(parent);
    }

    fn key(&mut self, node: Node, mapping: &Mapping, seen: &mut BTreeSet<String>) -> Pending {
        let style = node.place().style;
        let text: Arc<str> = match node.kind {
            NodeKind::String(text, _) => text,
            NodeKind::Null => Arc::from(""),
            NodeKind::Bool(value) => Arc::from(if value { "true" } else { "false" }),
            NodeKind::Number(number) => Arc::from(scalar::number_text(number)),
            NodeKind::Mapping(_) => {
                let hint = "`{{ .. }}` outside of quotes is YAML's mapping; an expression is \
                            `${{ .. }}`, other text with braces needs quotes";
                self.report(self.error(node.span, "a mapping may not be a key").hint(hint));
                return Pending::Dropped;
            }
            NodeKind::Sequence(_) => {
                let hint = "put quotes around text that begins with `[`";
                self.report(self.error(node.span, "a list may not be a key").hint(hint));
                return Pending::Dropped;
            }
        };
        // Expression keys are compared when they are evaluated.
        if let Some(first) = find_same(mapping, seen, &text).filter(|_| !text.contains("${{")) {
            let diagnostic = self
                .error(node.span, format!("'{text}' is already defined"))
                .label(self.source, first, "first defined here")
                .hint("keys are compared without regard to case; keep one of them");
            self.report(diagnostic);
            return Pending::Dropped;
        }
        Pending::Value(Key { span: node.span, text, style })
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<Tag>,
        span: Span,
    ) -> Node {
        if let Some(tag) = tag {
            return self.tagged(&text, style, &tag, span);
        }
        if style == ScalarStyle::Plain {
            match scalar::resolve(&text) {
                Ok(Some(kind)) => return Node { span, kind },
                Ok(None) => {}
                Err(scalar::OutOfRange) => self.out_of_range(&text, span),
            }
        }
        let text = self.without_invented_newline(&text, style, span);
        Node { span, kind: NodeKind::String(Arc::from(text), style) }
    }

    fn out_of_range(&mut self, text: &str, span: Span) {
        let diagnostic = self
            .error(span, format!("the number {text} does not fit 32 bits"))
            .hint("put quotes around it if it is text");
        self.report(diagnostic);
    }

    /// GitHub's reader gives a block scalar no line end that the file does not have.
    fn without_invented_newline<'a>(
        &self,
        text: &'a str,
        style: ScalarStyle,
        span: Span,
    ) -> &'a str {
        let file = self.source.text();
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let ends_file = span.end as usize >= file.len() && !file.ends_with(['\n', '\r', ' ', '\t']);
        if block && ends_file { text.strip_suffix('\n').unwrap_or(text) } else { text }
    }

    /// Conformance 3: five tags, and any other style than plain is text already.
    fn tagged(&mut self, text: &str, style: ScalarStyle, tag: &Tag, span: Span) -> Node {
        let plain = style == ScalarStyle::Plain;
        let kind = match tag.core.as_deref() {
            Some("str") => Some(NodeKind::String(Arc::from(text), style)),
            Some("null") if plain => scalar::is_null(text).then_some(NodeKind::Null),
            Some("bool") if plain => scalar::boolean(text).map(NodeKind::Bool),
            Some("int") if plain => scalar::integer(text).ok().flatten().map(NodeKind::Number),
            Some("float") if plain => scalar::number(text).ok().flatten().map(NodeKind::Number),
            _ => {
                self.unexpected_tag(tag);
                return Node { span, kind: NodeKind::String(Arc::from(text), style) };
            }
        };
        let Some(kind) = kind else {
            let message = format!("'{text}' does not fit the tag '{}'", tag.written);
            self.report(self.error(tag.span.to(span), message));
            return Node { span, kind: NodeKind::Null };
        };
        Node { span, kind }
    }

    fn unexpected_tag(&mut self, tag: &Tag) {
        let message = format!("unexpected tag '{}'", tag.written);
        self.report(self.error(tag.span, message).hint(TAG_HINT));
    }
}

/// Where the same key stands already, case ignored (conformance 5).
fn find_same(mapping: &Mapping, seen: &mut BTreeSet<String>, text: &str) -> Option<Span> {
    let scan = || mapping.entries.iter().find(|entry| same_key(&entry.key.text, text));
    if mapping.entries.len() < KEYS_SCANNED_MAX {
        return scan().map(|entry| entry.key.span);
    }
    if seen.is_empty() {
        seen.extend(mapping.entries.iter().map(|entry| entry.key.text.to_lowercase()));
    }
    if seen.insert(text.to_lowercase()) { None } else { scan().map(|entry| entry.key.span) }
}

fn same_key(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.to_lowercase() == other.to_lowercase()
}
