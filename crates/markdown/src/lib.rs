//! What steps write into their summaries (`GITHUB_STEP_SUMMARY`), as HTML that does nothing: GitHub's Markdown, and
//! the tags that its toolkit for actions writes beside it.
//!
//! ```text
//!   text ──▶ pulldown-cmark ──▶ events ──▶ writer.rs ──▶ tags of ours, text escaped
//!                                 │           ▲
//!                                 └─ HTML ─▶ tags.rs: which tags, address.rs: which addresses
//! ```
//!
//! Whoever writes a workflow, or sends a pull request, chooses the text. So nothing of it reaches a page but as escaped
//! text, as a tag of a closed list without its attributes, or as an address of the web. What is in no list stands there
//! as it was written, for everybody to see. Every tag that is opened is closed, in order, and closes nothing that was
//! open before: no text reaches out of where it is put. Letters that turn text around are signs that they were there. There is no class, no id and no style, so no text looks or acts
//! like a part of the page. An image is a link to it: a page of ours asks nobody else for anything.
//!
//! Not read: footnotes, `:emoji:`, formulas, and addresses that are no link by CommonMark.

mod address;
mod tags;
#[cfg(test)]
mod tests;
mod writer;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use writer::Writer;

/// The HTML of one text ends there: what is small as Markdown may be large as a table.
pub const HTML_BYTES_MAX: usize = 2 << 20;

/// A text as HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Html {
    /// It may stand in a page as it is, within an element that is no paragraph and no item of a list.
    pub html: String,
    /// There was more than [`HTML_BYTES_MAX`]; the rest is left out.
    pub is_cut: bool,
}

/// Makes HTML of a text. It cannot fail: every text is Markdown.
pub fn html(text: &str) -> Html {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let mut writer = Writer::default();
    // A block of HTML comes line by line, and a tag may go over several.
    let mut block = None::<String>;
    for event in Parser::new_ext(text, options) {
        match (event, &mut block) {
            (Event::Start(Tag::HtmlBlock), _) => block = Some(String::new()),
            (Event::End(TagEnd::HtmlBlock), _) => writer.html(&block.take().unwrap_or_default()),
            (Event::Html(html), Some(block)) => block.push_str(&html),
            (event, _) => writer.event(event),
        }
        if writer.is_full() {
            break;
        }
    }
    writer.finish()
}
