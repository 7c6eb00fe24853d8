//! The file against the table: what is left is a tree in which everything is of the kind it should
//! be, short forms are written out, and every value still knows its place.

use std::sync::Arc;

use syntax::yaml::number_text;
use syntax::{
    Diagnostic, Entry, Key as WrittenKey, Mapping, Node, NodeKind, RuleId, ScalarStyle, Source,
    Span, nearest,
};

use crate::form::{Also, Form};
use crate::kind::{Key, Kind, Need, Shape};
use crate::quantity;

pub(crate) const KEY: RuleId = "settings-key";
pub(crate) const VALUE: RuleId = "settings-value";

/// One file while it is read, and what is wrong with it so far.
pub(crate) struct Reader<'s> {
    pub(crate) source: &'s Arc<Source>,
    pub(crate) found: Vec<Diagnostic>,
    /// The keys under which it is read now, from the outside in.
    under: Vec<Arc<str>>,
}

impl<'s> Reader<'s> {
    /// Reads a file of which some is known to be wrong already.
    pub(crate) fn of(source: &'s Arc<Source>, found: Vec<Diagnostic>) -> Reader<'s> {
        Reader { source, found, under: Vec::new() }
    }

    pub(crate) fn error(
        &mut self,
        rule: RuleId,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let diagnostic = Diagnostic::error(rule, self.source, span, message).hint(hint);
        diagnostic.keep(&mut self.found);
    }

    /// What is left of a value that should be of this kind.
    pub(crate) fn clean(&mut self, node: &Node, kind: &Kind) -> Option<Node> {
        match kind {
            Kind::Form(form) => self.form(node, form),
            Kind::Flag => match node.kind {
                NodeKind::Bool(_) => Some(node.clone()),
                _ => self.wrong(node, "write `true` or `false`, without quotes"),
            },
            Kind::Integer { min, max } => self.integer(node, *min, *max),
            Kind::Duration { min_ms, max_ms } => self.duration(node, *min_ms, *max_ms),
            Kind::Size { min_bytes, max_bytes } => self.size(node, *min_bytes, *max_bytes),
            Kind::Word(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.word(node, &words)
            }
            Kind::Reference(_) => self.form(node, &crate::form::NAME),
            Kind::List { of, min, max, one } => self.list(node, of, (*min, *max), *one),
            Kind::Map { names, of, min, max } => self.map(node, names.form(), of, (*min, *max)),
            Kind::Shape(shape) => self.shape(node, shape),
        }
    }

    /// Says that something else belongs here.
    fn wrong(&mut self, node: &Node, hint: &str) -> Option<Node> {
        let message = match &node.kind {
            NodeKind::Null => "nothing is written here".to_owned(),
            NodeKind::Mapping(_) => "a mapping does not belong here".to_owned(),
            NodeKind::Sequence(_) => "a list does not belong here".to_owned(),
            _ => format!("'{}' does not do here", shortened(&self.written(node))),
        };
        self.error(VALUE, first_place(node), message, hint);
        None
    }

    fn form(&mut self, node: &Node, form: &Form) -> Option<Node> {
        let text: Arc<str> = match (&node.kind, form.also) {
            (NodeKind::String(text, _), _) => Arc::clone(text),
            (NodeKind::Number(_), Also::Numbers | Also::Scalars)
            | (NodeKind::Bool(_) | NodeKind::Null, Also::Scalars) => Arc::from(self.written(node)),
            (_, Also::Hidden) => {
                let message = "this is no reference to a secret";
                self.error(VALUE, first_place(node), message, form.hint());
                return None;
            }
            _ => return self.wrong(node, &form.hint()),
        };
        if let Some(reason) = form.refuse(&text) {
            let message = match form.also {
                Also::Hidden => format!("this is no reference to a secret: {reason}"),
                _ => format!("'{}' is not {}: {reason}", shortened(&text), form.about),
            };
            self.error(VALUE, node.span, message, form.hint());
            return None;
        }
        Some(text_node(text, node))
    }

    /// A scalar as it stands in the file; behind an alias as YAML would write it.
    fn written(&self, node: &Node) -> String {
        let slice = self.source.slice(node.span);
        match &node.kind {
            NodeKind::String(text, _) => text.to_string(),
            NodeKind::Number(number) if slice.parse() == Ok(*number) => slice.to_owned(),
            NodeKind::Number(number) => number_text(*number),
            NodeKind::Bool(value) if slice.eq_ignore_ascii_case(&value.to_string()) => {
                slice.to_owned()
            }
            NodeKind::Bool(value) => value.to_string(),
            NodeKind::Null | NodeKind::Sequence(_) | NodeKind::Mapping(_) => String::new(),
        }
    }

    fn integer(&mut self, node: &Node, min: u32, max: u32) -> Option<Node> {
        let hint = if min == max {
            format!("write {min}")
        } else {
            format!("write a whole number from {min} to {max}")
        };
        match node.kind {
            NodeKind::Number(number)
                if number.fract() == 0.0
                    && number >= f64::from(min)
                    && number <= f64::from(max) =>
            {
                Some(node.clone())
            }
            _ => self.wrong(node, &hint),
        }
    }

    fn duration(&mut self, node: &Node, min_ms: u64, max_ms: u64) -> Option<Node> {
        let text = |ms| quantity::duration_text(std::time::Duration::from_millis(ms));
        let hint = format!(
            "write a length of time from {} to {} with its unit (ms, s, m, h, d), such as 30s or 1h30m",
            text(min_ms),
            text(max_ms)
        );
        let read = node.as_str().and_then(quantity::duration);
        match read.map(|it| it.as_millis()) {
            Some(ms) if ms >= u128::from(min_ms) && ms <= u128::from(max_ms) => Some(node.clone()),
            _ => self.wrong(node, &hint),
        }
    }

    fn size(&mut self, node: &Node, min_bytes: u64, max_bytes: u64) -> Option<Node> {
        let (min, max) = (quantity::size_text(min_bytes), quantity::size_text(max_bytes));
        match node.as_str().and_then(quantity::size) {
            Some(bytes) if (min_bytes..=max_bytes).contains(&bytes) => Some(node.clone()),
            _ => {
                let hint = format!(
                    "write a size from {min} to {max} with its unit (B, KB, MB, GB, KiB, MiB, GiB), \
                     such as 512MiB"
                );
                self.wrong(node, &hint)
            }
        }
    }

    fn word(&mut self, node: &Node, words: &[&str]) -> Option<Node> {
        match node.as_str() {
            Some(text) if words.contains(&text) => Some(node.clone()),
            Some(text) => {
                let hint = match nearest(text, words) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("write one of: {}", words.join(", ")),
                };
                self.wrong(node, &hint)
            }
            None => self.wrong(node, &format!("write one of: {}", words.join(", "))),
        }
    }

    fn list(&mut self, node: &Node, of: &Kind, size: (usize, usize), one: bool) -> Option<Node> {
        let (min, max) = size;
        let items = match &node.kind {
            NodeKind::Sequence(items) => items,
            NodeKind::Null | NodeKind::Mapping(_) => {
                return self.wrong(node, "a list is expected here");
            }
            _ if one => {
                let item = self.clean(node, of)?;
                return Some(Node { span: node.span, kind: NodeKind::Sequence(vec![item]) });
            }
            _ => {
                let hint = format!("write a list, such as [{}]", shortened(&as_items(node)));
                return self.wrong(node, &hint);
            }
        };
        if items.len() < min || items.len() > max {
            let message = format!("a list of {} does not do here", items.len());
            self.error(VALUE, node.span, message, format!("it has {min} to {max} items"));
            return None;
        }
        let cleaned = items.iter().filter_map(|item| self.clean(item, of)).collect();
        Some(Node { span: node.span, kind: NodeKind::Sequence(cleaned) })
    }

    fn map(&mut self, node: &Node, names: &Form, of: &Kind, size: (usize, usize)) -> Option<Node> {
        let (min, max) = size;
        let NodeKind::Mapping(mapping) = &node.kind else {
            if node.kind == NodeKind::Null && min == 0 {
                return Some(empty(node));
            }
            return self
                .wrong(node, &format!("a mapping is expected here, each key {}", names.about));
        };
        if mapping.entries.len() < min || mapping.entries.len() > max {
            let message = match mapping.entries.len() {
                0 => "nobody and nothing is named here".to_owned(),
                many => format!("{many} entries are too many"),
            };
            self.error(VALUE, node.span, message, format!("it has {min} to {max} entries"));
            return None;
        }
        let mut entries = Vec::with_capacity(mapping.entries.len());
        for entry in &mapping.entries {
            if let Some(reason) = names.refuse(&entry.key.text) {
                let name = shortened(&entry.key.text);
                let message = format!("'{name}' is not {}: {reason}", names.about);
                self.error(KEY, entry.key.span, message, names.hint());
                continue;
            }
            // What is wrong with it was said; its name is known all the same.
            let value = self.entry(entry, of).unwrap_or_else(|| empty(&entry.value));
            entries.push(Entry { key: entry.key.clone(), value });
        }
        let kind = NodeKind::Mapping(Mapping { entries });
        Some(Node { span: node.span, kind })
    }

    /// The value of an entry. What has no text of its own is looked for at its key.
    fn entry(&mut self, entry: &Entry, of: &Kind) -> Option<Node> {
        let mut value = entry.value.clone();
        if value.kind == NodeKind::Null || is_empty(&value) {
            value.span = entry.key.span;
        }
        self.under.push(Arc::clone(&entry.key.text));
        let cleaned = self.clean(&value, of);
        self.under.pop();
        cleaned
    }

    /// Where in the file that is which is read now, as people name it: `services.api.health`.
    fn place(&self) -> String {
        match &self.under[..] {
            [] => crate::FILE.to_owned(),
            keys => format!("`{}`", shortened(&keys.join("."))),
        }
    }

    fn shape(&mut self, node: &Node, shape: &'static Shape) -> Option<Node> {
        match &node.kind {
            NodeKind::Mapping(mapping) => self.keys(node, mapping, shape),
            NodeKind::String(text, _) if shape.bare().any(|key| key.name == &**text) => {
                let key = written_key(text, node.span);
                let entries = vec![Entry { key, value: empty(node) }];
                Some(Node { span: node.span, kind: NodeKind::Mapping(Mapping { entries }) })
            }
            NodeKind::Null => self.keys(node, &Mapping::default(), shape),
            _ => match shape.short.and_then(|name| shape.key(name)) {
                Some(key) => {
                    let value = self.clean(node, &key.kind)?;
                    let entries = vec![Entry { key: written_key(key.name, node.span), value }];
                    Some(Node { span: node.span, kind: NodeKind::Mapping(Mapping { entries }) })
                }
                None => self.wrong(node, &shape_hint(shape)),
            },
        }
    }

    fn keys(&mut self, node: &Node, mapping: &Mapping, shape: &'static Shape) -> Option<Node> {
        let mut entries = Vec::with_capacity(mapping.entries.len());
        let mut mistyped = Vec::new();
        for entry in &mapping.entries {
            let Some(key) = shape.key(&entry.key.text) else {
                mistyped.extend(self.unknown_key(entry, shape));
                continue;
            };
            let value = self.entry(entry, &key.kind);
            entries.extend(value.map(|value| Entry { key: entry.key.clone(), value }));
        }
        let missing = shape.keys.iter().filter(|key| key.need == Need::Required);
        let missing = missing.filter(|key| mapping.get(key.name).is_none());
        // What is there under a mistyped name was said already.
        for key in missing.filter(|key| !mistyped.contains(&key.name)) {
            let message = format!("`{}` is missing in {}", key.name, self.place());
            self.error(KEY, first_place(node), message, key_hint(key));
        }
        self.one_of(node, mapping, shape);
        Some(Node { span: node.span, kind: NodeKind::Mapping(Mapping { entries }) })
    }

    /// Reports a key that is none, and gives the one that was probably meant.
    fn unknown_key(&mut self, entry: &Entry, shape: &'static Shape) -> Option<&'static str> {
        let keys: Vec<&'static str> = shape.keys.iter().map(|key| key.name).collect();
        let name = shortened(&entry.key.text);
        let meant = nearest(&entry.key.text, &keys);
        let all = keys.join(", ");
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`? The keys here are: {all}"),
            None if keys.is_empty() => "it has no keys".to_owned(),
            None => format!("the keys here are: {all}"),
        };
        let message = format!("`{name}` is no key of {}", self.place());
        self.error(KEY, entry.key.span, message, hint);
        meant
    }

    /// Exactly one of the alternatives.
    fn one_of(&mut self, node: &Node, mapping: &Mapping, shape: &Shape) {
        if shape.one_of.is_empty() {
            return;
        }
        let chosen = mapping.entries.iter().filter(|it| shape.one_of.contains(&&*it.key.text));
        let hint = format!("write one of: {}", shape.one_of.join(", "));
        match chosen.collect::<Vec<_>>()[..] {
            [_] => {}
            [] => {
                // A name that is no key was said already.
                if mapping.entries.iter().all(|it| shape.key(&it.key.text).is_some()) {
                    let message = format!("this {} does not say what it is", shape.name);
                    self.error(KEY, first_place(node), message, hint);
                }
            }
            [first, second, ..] => {
                let (one, other) = (&first.key.text, &second.key.text);
                let message =
                    format!("`{one}` and `{other}` exclude one another in {}", self.place());
                self.error(KEY, second.key.span, message, hint);
            }
        }
    }
}

fn shape_hint(shape: &Shape) -> String {
    let bare: Vec<&str> = shape.bare().map(|key| key.name).collect();
    let keys: Vec<&str> = shape.keys.iter().map(|key| key.name).collect();
    match (&bare[..], &keys[..]) {
        ([], []) => "write nothing here, or `{}`".to_owned(),
        ([], _) => format!("a mapping is expected here, with the keys: {}", keys.join(", ")),
        _ => format!(
            "write one of {}; or a mapping with one of the keys: {}",
            bare.join(", "),
            keys.join(", ")
        ),
    }
}

fn key_hint(key: &Key) -> String {
    format!("add `{}:`. {}", key.name, key.doc)
}

/// Where a mapping begins: its first key. Its own span reaches to its end.
fn first_place(node: &Node) -> Span {
    match &node.kind {
        NodeKind::Mapping(mapping) if !mapping.entries.is_empty() => mapping.entries[0].key.span,
        _ => node.span,
    }
}

fn is_empty(node: &Node) -> bool {
    node.as_mapping().is_some_and(|mapping| mapping.entries.is_empty())
}

fn empty(node: &Node) -> Node {
    Node { span: node.span, kind: NodeKind::Mapping(Mapping::default()) }
}

pub(crate) fn written_key(name: &str, span: Span) -> WrittenKey {
    WrittenKey { span, text: Arc::from(name), style: ScalarStyle::Plain }
}

fn text_node(text: Arc<str>, node: &Node) -> Node {
    let style = node.place().style;
    Node { span: node.span, kind: NodeKind::String(text, style) }
}

/// A text that somebody wrote where a list belongs, as that list.
fn as_items(node: &Node) -> String {
    let text = node.as_str().unwrap_or("...");
    text.split_whitespace().collect::<Vec<_>>().join(", ")
}

/// A text for a message: of a long one only the beginning.
pub(crate) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let mut short: String = text.chars().take(CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.replace('\n', " ")
}
