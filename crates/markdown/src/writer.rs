//! Writes HTML, and knows what is open in it.

use pulldown_cmark::{BlockQuoteKind, Event, HeadingLevel, Tag};

use crate::address;
use crate::tags::{self, Kind, Written};
use crate::{HTML_BYTES_MAX, Html};

/// What is deeper in is shown without its tags: browsers go no deeper than some hundreds.
const DEPTH_MAX: usize = 64;
/// A cell over more columns or rows is none that a person draws.
const SPAN_MAX: u32 = 100;

/// The longest name of a letter has as many bytes.
const ENTITY_BYTES_MAX: usize = 32;

/// Names of letters that turn text around; the others have none.
const STEERING: &[&str] = &["lrm", "rlm"];

/// A table may be wider than the page: it scrolls by itself, also by keyboard.
const TABLE: (&str, &str) = (
    "<div class=\"wide compares\" tabindex=\"0\" role=\"group\" aria-label=\"A table\"><table>",
    "</table></div>",
);

/// Something that is open.
struct Open {
    /// Empty where it is open in the text alone.
    tag: &'static str,
    /// How it is closed; none: as HTML says.
    closes: Option<&'static str>,
    /// Markdown opened it, and closes it itself.
    is_markdown: bool,
}

#[derive(Default)]
pub(crate) struct Writer {
    html: String,
    open: Vec<Open>,
    /// How many of them are links.
    links: usize,
    is_cut: bool,
    /// Cells of the row stand in the head of a table of Markdown.
    is_head: bool,
}

impl Writer {
    /// Whether nothing more is taken.
    pub(crate) fn is_full(&mut self) -> bool {
        self.is_cut |= self.html.len() > HTML_BYTES_MAX;
        self.is_cut
    }

    /// Closes what is open.
    pub(crate) fn finish(mut self) -> Html {
        self.close_some(self.open.len());
        Html { html: self.html, is_cut: self.is_cut }
    }

    /// What Markdown says.
    pub(crate) fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(_) => self.end(),
            Event::Text(text) => escape(&text, &mut self.html),
            Event::Code(text) => {
                self.html.push_str("<code>");
                escape(&text, &mut self.html);
                self.html.push_str("</code>");
            }
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::SoftBreak => self.html.push('\n'),
            Event::HardBreak => self.html.push_str("<br>\n"),
            Event::Rule => self.html.push_str("<hr>\n"),
            Event::TaskListMarker(is_done) => {
                self.html.push_str(if is_done { "☑ " } else { "☐ " });
            }
            // Not turned on.
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                escape(&text, &mut self.html);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        while self.top().is_some_and(|it| !it.is_markdown && tags::is_frame(it.tag)) {
            self.close_some(1);
        }
        match tag {
            Tag::Paragraph => self.push("p", "<p>", "</p>\n"),
            Tag::Heading { level, .. } => {
                let (tag, opens, closes) = match level {
                    HeadingLevel::H1 => ("h4", "<h4>", "</h4>\n"),
                    HeadingLevel::H2 => ("h5", "<h5>", "</h5>\n"),
                    _ => ("h6", "<h6>", "</h6>\n"),
                };
                self.push(tag, opens, closes);
            }
            Tag::BlockQuote(kind) => {
                self.push("blockquote", "<blockquote>\n", "</blockquote>\n");
                self.html.push_str(kind.map(alert).unwrap_or_default());
            }
            Tag::CodeBlock(_) => {
                self.push("pre", "<pre tabindex=\"0\"><code>", "</code></pre>\n");
            }
            Tag::List(None) => self.push("ul", "<ul>\n", "</ul>\n"),
            Tag::List(Some(1)) => self.push("ol", "<ol>\n", "</ol>\n"),
            Tag::List(Some(first)) => {
                self.push("ol", &format!("<ol start=\"{first}\">\n"), "</ol>\n");
            }
            Tag::Item => self.push("li", "<li>", "</li>\n"),
            Tag::Table(_) => self.push("table", TABLE.0, TABLE.1),
            Tag::TableHead => {
                self.is_head = true;
                self.push("thead", "<thead><tr>", "</tr></thead>\n");
            }
            Tag::TableRow => {
                self.is_head = false;
                self.push("tr", "<tr>", "</tr>\n");
            }
            Tag::TableCell if self.is_head => self.push("th", "<th scope=\"col\">", "</th>"),
            Tag::TableCell => self.push("td", "<td>", "</td>"),
            Tag::Emphasis => self.push("em", "<em>", "</em>"),
            Tag::Strong => self.push("strong", "<strong>", "</strong>"),
            Tag::Strikethrough => self.push("del", "<del>", "</del>"),
            Tag::Link { dest_url, .. } => self.link(&dest_url, true),
            Tag::Image { dest_url, .. } => {
                self.link(&dest_url, true);
                self.html.push_str("image: ");
            }
            // Not turned on, or nothing that is seen.
            _ => self.push("", "", ""),
        }
    }

    /// Opens something that Markdown says.
    fn push(&mut self, tag: &'static str, opens: &str, closes: &'static str) {
        self.open_as(opens, Open { tag, closes: Some(closes), is_markdown: true });
    }

    /// What HTML opens beyond the depth is passed over: what is open is gone through with each of its tags.
    fn open_as(&mut self, opens: &str, mut open: Open) {
        if self.open.len() >= DEPTH_MAX {
            if !open.is_markdown {
                return;
            }
            open.tag = "";
        }
        if !open.tag.is_empty() {
            self.html.push_str(opens);
        }
        self.links += usize::from(open.tag == "a");
        self.open.push(open);
    }

    fn top(&self) -> Option<&Open> {
        self.open.last()
    }

    /// Ends what Markdown began last, with all that HTML began in it.
    fn end(&mut self) {
        let own = self.open.iter().rev().take_while(|it| !it.is_markdown).count();
        self.close_some((own + 1).min(self.open.len()));
    }

    /// Opens a link, where it leads somewhere and stands in no other.
    fn link(&mut self, address: &str, is_markdown: bool) {
        if self.links > 0 || !address::is_harmless(address) {
            return self.open_as("", Open { tag: "", closes: None, is_markdown });
        }
        let mut opens = "<a href=\"".to_owned();
        escape(address, &mut opens);
        opens.push_str("\" rel=\"nofollow noopener noreferrer\">");
        self.open_as(&opens, Open { tag: "a", closes: None, is_markdown });
    }

    /// HTML, as somebody wrote it.
    pub(crate) fn html(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            escape_but_entities(&rest[..at], &mut self.html);
            rest = &rest[at..];
            let length = match tags::read(rest) {
                Some((Some(tag), length)) => {
                    if !self.tag(&tag) {
                        escape(&rest[..length], &mut self.html);
                    }
                    length
                }
                Some((None, length)) => length,
                None => {
                    self.html.push_str("&lt;");
                    1
                }
            };
            rest = &rest[length..];
            if self.is_full() {
                return;
            }
        }
        escape_but_entities(rest, &mut self.html);
    }

    /// Says whether a tag means something here.
    fn tag(&mut self, tag: &Written<'_>) -> bool {
        match tag.known {
            None => false,
            Some((_, Kind::Nothing)) => true,
            Some((_, Kind::Alone)) if !self.may_begin() => false,
            Some((name, Kind::Alone)) => {
                match name {
                    "img" => self.image(tag),
                    "br" => self.html.push_str("<br>"),
                    "wbr" => self.html.push_str("<wbr>"),
                    _ => self.html.push_str("<hr>"),
                }
                true
            }
            Some((name, Kind::Pair)) if tag.is_closing => {
                self.close(name);
                true
            }
            Some((name, Kind::Pair)) => self.opened(name, tag),
        }
    }

    fn image(&mut self, tag: &Written<'_>) {
        let text = tag.attribute("alt").unwrap_or_default();
        let known = self.open.len();
        self.link(&tag.attribute("src").unwrap_or_default(), false);
        self.html.push_str("image");
        if !text.is_empty() {
            self.html.push_str(": ");
            escape(&text, &mut self.html);
        }
        self.close_some(self.open.len() - known);
    }

    /// Closes what HTML opened under that name, with all in it; nothing of Markdown's, and nothing that is not open.
    fn close(&mut self, name: &str) {
        let own = self.open.iter().rev().take_while(|it| !it.is_markdown);
        let Some(above) = own.into_iter().position(|it| it.tag == name) else { return };
        self.close_some(above + 1);
    }

    fn close_some(&mut self, count: usize) {
        let left = self.open.len() - count;
        for open in self.open.drain(left..).rev().filter(|it| !it.tag.is_empty()) {
            self.links -= usize::from(open.tag == "a");
            match open.closes {
                Some(closes) => self.html.push_str(closes),
                None => {
                    self.html.push_str("</");
                    self.html.push_str(open.tag);
                    self.html.push('>');
                }
            }
        }
    }

    /// Opens a tag of HTML, where it may stand here.
    fn opened(&mut self, name: &'static str, tag: &Written<'_>) -> bool {
        let Some(above) = self.above(name) else { return false };
        // An item ends the one before it, whether somebody wrote that or not.
        self.close_some(above);
        let plain = |opens: &str, closes| {
            (opens.to_owned(), Open { tag: name, closes, is_markdown: false })
        };
        let (opens, open) = match name {
            "a" => {
                self.link(&tag.attribute("href").unwrap_or_default(), false);
                return true;
            }
            "table" => plain(TABLE.0, Some(TABLE.1)),
            "pre" => plain("<pre tabindex=\"0\">", None),
            "details" if tag.attribute("open").is_some() => plain("<details open>", None),
            "td" | "th" => plain(&format!("<{name}{}>", spans(tag)), None),
            _ => plain(&format!("<{name}>"), None),
        };
        self.open_as(&opens, open);
        true
    }

    /// How much of what is open ends where such a tag begins; none where it may not begin here.
    fn above(&self, name: &str) -> Option<usize> {
        let within = tags::within(name);
        if within.is_empty() {
            return self.may_begin().then_some(0);
        }
        for (above, open) in self.open.iter().rev().enumerate() {
            if open.is_markdown {
                return None;
            }
            if within.contains(&open.tag) {
                return Some(above);
            }
            if tags::is_wall(open.tag) {
                return None;
            }
        }
        None
    }

    /// Whether something else than a part of a table may begin here.
    fn may_begin(&self) -> bool {
        self.top().is_none_or(|it| !tags::is_frame(it.tag))
    }
}

/// Over how many columns and rows a cell goes.
fn spans(tag: &Written<'_>) -> String {
    let span = |name: &str| {
        let count: u32 = tag.attribute(name)?.trim().parse().ok()?;
        (2..=SPAN_MAX).contains(&count).then(|| format!(" {name}=\"{count}\""))
    };
    ["colspan", "rowspan"].into_iter().filter_map(span).collect()
}

/// What a quotation says at its top that GitHub shows as a box.
fn alert(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "<p><strong>Note</strong></p>\n",
        BlockQuoteKind::Tip => "<p><strong>Tip</strong></p>\n",
        BlockQuoteKind::Important => "<p><strong>Important</strong></p>\n",
        BlockQuoteKind::Warning => "<p><strong>Warning</strong></p>\n",
        BlockQuoteKind::Caution => "<p><strong>Caution</strong></p>\n",
    }
}

/// Text as HTML, also within quotes.
fn escape(text: &str, html: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter if steers(letter) => html.push('\u{fffd}'),
            letter => html.push(letter),
        }
    }
}

/// What steers a terminal, or turns text around.
fn steers(letter: char) -> bool {
    let is_of_text = matches!(letter, '\n' | '\t' | '\r');
    let turns = matches!(letter,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}'
        | '\u{2028}' | '\u{2029}');
    turns || (letter.is_control() && !is_of_text)
}

/// Text between tags of HTML: what it says by an entity is one letter.
fn escape_but_entities(text: &str, html: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        escape(&rest[..at], html);
        rest = &rest[at..];
        let length = entity(rest).unwrap_or(0);
        html.push_str(&rest[..length]);
        if length == 0 {
            html.push_str("&amp;");
        }
        rest = &rest[length.max(1)..];
    }
    escape(rest, html);
}

/// How long the entity is that a text begins with; none where it is none, or of a letter that steers.
fn entity(text: &str) -> Option<usize> {
    let inner = &text.as_bytes()[1..];
    let end = inner.iter().take(ENTITY_BYTES_MAX).position(|it| *it == b';')?;
    let name = str::from_utf8(&inner[..end]).ok()?;
    let is_harmless = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32).is_some_and(|letter| !steers(letter))
        }
        None => {
            let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic())
                && name.bytes().all(|it| it.is_ascii_alphanumeric());
            is_name && !STEERING.contains(&name)
        }
    };
    is_harmless.then_some(end + 2)
}
