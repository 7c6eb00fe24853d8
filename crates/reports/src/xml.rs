//! Elements and their attributes, one after the other. Text between them is not looked at.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Elements inside of one another; deeper ones are no report.
const DEPTH_MAX: usize = 64;
/// Attributes of one element; what stands behind them is passed over.
const ATTRIBUTES_MAX: usize = 100;

/// Something that stands in the document.
pub(crate) enum Node {
    /// An element begins. One without an end of its own ends at once: its end comes next.
    Open(Element),
    /// The innermost element ends.
    Close(String),
}

/// An element, with its attributes.
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str()).filter(|it| !it.is_empty())
    }
}

/// Goes through a document.
pub(crate) struct Pull<'x> {
    reader: Reader<&'x [u8]>,
    /// An element without an end of its own, which is to come.
    closing: Option<String>,
    depth: usize,
    /// The document ended in the middle, or stopped being one.
    pub(crate) is_cut: bool,
}

impl<'x> Pull<'x> {
    pub(crate) fn new(text: &'x str) -> Pull<'x> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        Pull { reader, closing: None, depth: 0, is_cut: false }
    }

    pub(crate) fn next(&mut self) -> Option<Node> {
        if let Some(name) = self.closing.take() {
            return Some(Node::Close(name));
        }
        loop {
            match self.reader.read_event() {
                Ok(Event::Start(start)) => {
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        self.is_cut = true;
                        return None;
                    }
                    return Some(Node::Open(element(&start)));
                }
                Ok(Event::Empty(start)) => {
                    let element = element(&start);
                    self.closing = Some(element.name.clone());
                    return Some(Node::Open(element));
                }
                Ok(Event::End(end)) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Some(Node::Close(local(end.name().as_ref())));
                }
                Ok(Event::Eof) => {
                    self.is_cut = self.depth > 0;
                    return None;
                }
                // Text, comments, a document type: nobody asks for them, and nothing is expanded.
                Ok(_) => {}
                Err(_) => {
                    self.is_cut = true;
                    return None;
                }
            }
        }
    }
}

/// The first element's name.
pub(crate) fn root(text: &str) -> Option<String> {
    match Pull::new(text).next()? {
        Node::Open(element) => Some(element.name),
        Node::Close(_) => None,
    }
}

/// A name without the space that it is of.
fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

fn element(start: &BytesStart<'_>) -> Element {
    let mut found = start.attributes();
    let found = found.with_checks(false).take(ATTRIBUTES_MAX).flatten();
    let attributes = found.map(|it| {
        let raw = it.value;
        // An entity that the document made up stays as it is written.
        let value = match quick_xml::escape::unescape(&raw) {
            Ok(value) => value.into_owned(),
            Err(_) => raw.into_owned(),
        };
        (local(it.key.as_ref()), value)
    });
    Element { name: local(start.name().as_ref()), attributes: attributes.collect() }
}
