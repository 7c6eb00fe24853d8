//! HTML within Markdown: which tags mean something, and how one is read.

use std::borrow::Cow;

/// A longer tag is text: whoever looks for its end looks no further.
const TAG_BYTES_MAX: usize = 4_000;

/// What a tag does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is opened and closed.
    Pair,
    /// It stands alone.
    Alone,
    /// It is passed over; what stands in it is not.
    Nothing,
}

/// Every tag that means something: its name, what it is on a page, what it does. Headings stand below those of a page.
const TAGS: &[(&str, &str, Kind)] = &[
    ("a", "a", Kind::Pair),
    ("b", "b", Kind::Pair),
    ("blockquote", "blockquote", Kind::Pair),
    ("br", "br", Kind::Alone),
    ("caption", "caption", Kind::Pair),
    ("center", "", Kind::Nothing),
    ("code", "code", Kind::Pair),
    ("dd", "dd", Kind::Pair),
    ("del", "del", Kind::Pair),
    ("details", "details", Kind::Pair),
    ("div", "div", Kind::Pair),
    ("dl", "dl", Kind::Pair),
    ("dt", "dt", Kind::Pair),
    ("em", "em", Kind::Pair),
    ("font", "", Kind::Nothing),
    ("h1", "h4", Kind::Pair),
    ("h2", "h5", Kind::Pair),
    ("h3", "h6", Kind::Pair),
    ("h4", "h6", Kind::Pair),
    ("h5", "h6", Kind::Pair),
    ("h6", "h6", Kind::Pair),
    ("hr", "hr", Kind::Alone),
    ("i", "i", Kind::Pair),
    ("img", "img", Kind::Alone),
    ("ins", "ins", Kind::Pair),
    ("kbd", "kbd", Kind::Pair),
    ("li", "li", Kind::Pair),
    ("mark", "mark", Kind::Pair),
    ("ol", "ol", Kind::Pair),
    ("p", "p", Kind::Pair),
    ("picture", "", Kind::Nothing),
    ("pre", "pre", Kind::Pair),
    ("q", "q", Kind::Pair),
    ("s", "s", Kind::Pair),
    ("samp", "samp", Kind::Pair),
    ("small", "small", Kind::Pair),
    ("source", "", Kind::Nothing),
    ("span", "", Kind::Nothing),
    ("strong", "strong", Kind::Pair),
    ("sub", "sub", Kind::Pair),
    ("summary", "summary", Kind::Pair),
    ("sup", "sup", Kind::Pair),
    ("table", "table", Kind::Pair),
    ("tbody", "tbody", Kind::Pair),
    ("td", "td", Kind::Pair),
    ("tfoot", "tfoot", Kind::Pair),
    ("th", "th", Kind::Pair),
    ("thead", "thead", Kind::Pair),
    ("tr", "tr", Kind::Pair),
    ("u", "u", Kind::Pair),
    ("ul", "ul", Kind::Pair),
    ("var", "var", Kind::Pair),
    ("wbr", "wbr", Kind::Alone),
];

/// Tags that mean something only within others; a browser would move them, or close something of the page's.
const WITHIN: &[(&str, &[&str])] = &[
    ("caption", &["table"]),
    ("dd", &["dl"]),
    ("dt", &["dl"]),
    ("li", &["ol", "ul"]),
    ("summary", &["details"]),
    ("tbody", &["table"]),
    ("td", &["tr"]),
    ("tfoot", &["table"]),
    ("th", &["tr"]),
    ("thead", &["table"]),
    ("tr", &["table", "tbody", "tfoot", "thead"]),
];

/// What a tag must stand in; nothing where it may stand anywhere.
pub(crate) fn within(tag: &str) -> &'static [&'static str] {
    WITHIN.iter().find(|it| it.0 == tag).map_or(&[], |it| it.1)
}

/// Tags in which nothing but their own parts may stand: a browser would put anything else before the table, and end
/// the table where another begins.
pub(crate) fn is_frame(tag: &str) -> bool {
    matches!(tag, "table" | "thead" | "tbody" | "tfoot" | "tr")
}

/// What ends a search outwards: a tag in one of those belongs to nothing around it.
pub(crate) fn is_wall(tag: &str) -> bool {
    matches!(tag, "table" | "ul" | "ol" | "dl" | "details" | "div" | "blockquote" | "pre")
}

/// A tag, as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written<'t> {
    /// What it is on a page, and what it does; none of what is in no list.
    pub(crate) known: Option<(&'static str, Kind)>,
    pub(crate) is_closing: bool,
    attributes: &'t str,
}

impl<'t> Written<'t> {
    /// The value of an attribute; empty where it has none.
    pub(crate) fn attribute(&self, wanted: &str) -> Option<Cow<'t, str>> {
        let mut rest = self.attributes;
        while let Some(read) = attribute(rest) {
            // The first one counts, as in browsers.
            if read.name.eq_ignore_ascii_case(wanted) {
                return Some(match read.value.contains("&amp;") {
                    true => Cow::Owned(read.value.replace("&amp;", "&")),
                    false => Cow::Borrowed(read.value),
                });
            }
            rest = read.rest;
        }
        None
    }
}

/// Reads the tag or comment that a text begins with: what it is (none of a comment), and how long it is. None where it
/// begins with neither.
pub(crate) fn read(text: &str) -> Option<(Option<Written<'_>>, usize)> {
    if let Some(comment) = text.strip_prefix("<!--") {
        // What nobody ended goes on to the end, as in browsers.
        let length = comment.find("-->").map_or(text.len(), |at| 4 + at + 3);
        return Some((None, length));
    }
    let inner = text.strip_prefix('<')?;
    let (is_closing, inner) = match inner.strip_prefix('/') {
        Some(inner) => (true, inner),
        None => (false, inner),
    };
    let name = inner.split(|it: char| !it.is_ascii_alphanumeric()).next().unwrap_or_default();
    if !name.starts_with(|it: char| it.is_ascii_alphabetic()) {
        return None;
    }
    let attributes = &inner[name.len()..];
    // `<a-b>` and `<a:b>` are other tags than `<a>`.
    if !attributes.starts_with(|it: char| it.is_ascii_whitespace() || it == '/' || it == '>') {
        return None;
    }
    let end = end(attributes)?;
    let known = TAGS.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| (it.1, it.2));
    let length = text.len() - attributes.len() + end + 1;
    Some((Some(Written { known, is_closing, attributes: &attributes[..end] }), length))
}

/// Where the `>` stands that ends a tag.
fn end(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in attributes.bytes().enumerate().take(TAG_BYTES_MAX) {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'<') => return None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

struct Attribute<'t> {
    name: &'t str,
    value: &'t str,
    rest: &'t str,
}

/// Reads the attribute that a text begins with.
fn attribute(text: &str) -> Option<Attribute<'_>> {
    let is_between = |it: char| it.is_ascii_whitespace() || it == '/';
    let text = text.trim_start_matches(is_between);
    if text.is_empty() {
        return None;
    }
    // A name has a letter at least, whatever that is.
    let first = text.chars().next().map_or(0, char::len_utf8);
    let is_end = |it: char| it.is_ascii_whitespace() || matches!(it, '=' | '/');
    let length = text[first..].find(is_end).map_or(text.len(), |at| first + at);
    let (name, behind) = text.split_at(length);
    let Some(value) = behind.trim_start().strip_prefix('=') else {
        return Some(Attribute { name, value: "", rest: behind });
    };
    let value = value.trim_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            let (value, rest) = quoted.split_once(quote).unwrap_or((quoted, ""));
            return Some(Attribute { name, value, rest });
        }
    }
    let length = value.find(|it: char| it.is_ascii_whitespace()).unwrap_or(value.len());
    let (value, rest) = value.split_at(length);
    Some(Attribute { name, value, rest })
}
