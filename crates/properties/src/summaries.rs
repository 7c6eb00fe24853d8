//! Summaries of steps as HTML, whatever they hold.

use markdown::{HTML_BYTES_MAX, html};

/// Bytes of an input that a page would render; more finds nothing more.
const INPUT_BYTES_MAX: usize = 128 << 10;
/// What a text may grow by, besides: one letter is written by six, one event between two checks of the length is as
/// long as the text.
const MORE_BYTES_MAX: usize = INPUT_BYTES_MAX * 8;

/// Tags that stand alone.
const ALONE: [&str; 3] = ["br", "hr", "wbr"];
/// What stands between the brackets of a tag that has attributes, in pieces that nobody chose.
const DIV: &str =
    "div class=\"wide compares\" tabindex=\"0\" role=\"group\" aria-label=\"A table\"";

/// An input is a summary.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(&input[..input.len().min(INPUT_BYTES_MAX)]);
    let made = html(&text);
    assert!(made.html.len() <= HTML_BYTES_MAX + MORE_BYTES_MAX, "it ends somewhere");
    let mut open = Vec::new();
    let mut rest = made.html.as_str();
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains(['>', '"', '\'']), "text is escaped");
        let (tag, behind) = rest[at + 1..].split_once('>').expect("a tag ends");
        rest = behind;
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "what is closed was opened last"),
            None if ALONE.contains(&tag) => {}
            None => open.push(name(tag)),
        }
    }
    assert!(!rest.contains(['>', '"', '\'']), "text is escaped");
    assert!(open.is_empty(), "everything is closed");
}

/// The name of a tag that is opened; its attributes are those that it may have.
fn name(tag: &str) -> &str {
    let Some((name, attributes)) = tag.split_once(' ') else {
        assert!(tag.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit()), "{tag}");
        assert!(!matches!(tag, "script" | "style" | "iframe" | "img" | "form" | "svg"), "{tag}");
        return tag;
    };
    let is_number = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let of = |before: &str| attributes.strip_prefix(before)?.strip_suffix('"');
    let is_known = match name {
        "a" => {
            of("href=\"").and_then(|it| it.split_once("\" rel=\"")).is_some_and(|(address, rel)| {
                let schemes = ["https://", "http://", "mailto:", "/"];
                let begins = |it: &&str| address.to_ascii_lowercase().starts_with(*it);
                let is_one = !address.contains('"') && !address.contains(char::is_control);
                is_one && schemes.iter().any(begins) && rel == "nofollow noopener noreferrer"
            })
        }
        "div" => tag == DIV,
        "pre" => attributes == "tabindex=\"0\"",
        "th" | "td" => attributes.split(' ').all(|it| {
            let value =
                it.split_once("=\"").and_then(|(name, it)| Some((name, it.strip_suffix('"')?)));
            value.is_some_and(|(name, value)| match name {
                "scope" => value == "col",
                "colspan" | "rowspan" => is_number(value),
                _ => false,
            })
        }),
        "ol" => of("start=\"").is_some_and(is_number),
        "details" => attributes == "open",
        _ => false,
    };
    assert!(is_known, "<{tag}> is none of ours");
    name
}
