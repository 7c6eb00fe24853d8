//! A line that a job printed, as HTML: escaped text, and colours as classes.
//!
//! A job may print anything. Of what steers a terminal only colour and weight are kept; links keep
//! their text and lose where they lead; characters that turn the direction of text around are made
//! visible. Of a line that was drawn over itself, as progress bars are, what stood last.

use std::fmt::Write as _;

use views::{number_of, steers};

/// What a step's line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Group,
    EndGroup,
    Command,
    Error,
    Warning,
    Notice,
    Debug,
}

impl Kind {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Kind::Plain => "",
            Kind::Group => "group",
            Kind::EndGroup => "endgroup",
            Kind::Command => "command",
            Kind::Error => "error",
            Kind::Warning => "warning",
            Kind::Notice => "notice",
            Kind::Debug => "debug",
        }
    }
}

/// The kind of a line, and its HTML.
pub(crate) fn line(text: &str) -> (Kind, String) {
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.rsplit('\r').next().unwrap_or(text);
    let (kind, rest) = marked(text);
    (kind, spans(rest))
}

/// What a line shows, without its marks and colours.
pub(crate) fn plain(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n']);
    let text = text.rsplit('\r').next().unwrap_or(text);
    let (_, mut rest) = marked(text);
    let mut plain = String::with_capacity(rest.len());
    while let Some(at) = rest.find(|it: char| it.is_control() && it != '\t') {
        plain.push_str(&rest[..at]);
        rest = sequence(&rest[at..]).1;
    }
    plain.push_str(rest);
    plain
}

/// The mark that a line begins with, and what stands behind it.
fn marked(text: &str) -> (Kind, &str) {
    // The marks that the runner's own words begin with (conformance 189).
    let marked = text.strip_prefix("##[").and_then(|rest| rest.split_once(']'));
    match marked {
        Some(("group", rest)) => (Kind::Group, rest),
        Some(("endgroup", rest)) => (Kind::EndGroup, rest),
        Some(("command", rest)) => (Kind::Command, rest),
        Some(("error", rest)) => (Kind::Error, rest),
        Some(("warning", rest)) => (Kind::Warning, rest),
        Some(("notice", rest)) => (Kind::Notice, rest),
        Some(("debug", rest)) => (Kind::Debug, rest),
        _ => (Kind::Plain, text),
    }
}

fn spans(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    let mut look = Look::default();
    let mut is_open = false;
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(|it: char| it.is_control() && it != '\t').unwrap_or(rest.len());
        if at > 0 {
            if look != Look::default() && !is_open {
                html.push_str("<span class=\"");
                look.classes(&mut html);
                html.push_str("\">");
                is_open = true;
            }
            escape(&rest[..at], &mut html);
        }
        let (parameters, behind) = sequence(&rest[at..]);
        if let Some(parameters) = parameters {
            let before = look;
            look.set(parameters);
            if is_open && look != before {
                html.push_str("</span>");
                is_open = false;
            }
        }
        rest = behind;
    }
    if is_open {
        html.push_str("</span>");
    }
    html
}

/// Text as it stands between tags.
pub(crate) fn escape(text: &str, html: &mut String) {
    for letter in text.chars() {
        if steers(letter) {
            let _ = write!(html, "<b class=\"bidi\">{}</b>", number_of(letter));
        } else {
            let _ = one(letter, html);
        }
    }
}

/// Text where no tag may stand: in a quoted attribute, or in a drawing, which one would end.
pub(crate) fn attribute(text: &str, html: &mut String) {
    for letter in text.chars() {
        let _ = one(letter, html);
    }
}

/// A letter between tags or in a quoted attribute.
fn one(letter: char, html: &mut impl std::fmt::Write) -> std::fmt::Result {
    match letter {
        '&' => html.write_str("&amp;"),
        '<' => html.write_str("&lt;"),
        '>' => html.write_str("&gt;"),
        '"' => html.write_str("&quot;"),
        '\'' => html.write_str("&#39;"),
        '\t' | '\n' | '\r' => html.write_char(letter),
        _ if letter.is_control() => Ok(()),
        _ if steers(letter) => html.write_str(&number_of(letter)),
        _ => html.write_char(letter),
    }
}

/// How templates write text (`askama.toml`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Text;

impl askama::filters::Escaper for Text {
    fn write_escaped_str<W: std::fmt::Write>(&self, mut to: W, text: &str) -> std::fmt::Result {
        text.chars().try_for_each(|letter| one(letter, &mut to))
    }
}

/// Takes one control character with the sequence that it begins: its parameters where it sets
/// colours, and what stands behind it.
fn sequence(text: &str) -> (Option<&str>, &str) {
    let Some(rest) = text.strip_prefix('\x1b') else {
        let mut rest = text.chars();
        rest.next();
        return (None, rest.as_str());
    };
    match rest.chars().next() {
        Some('[') => {
            let Some(end) = rest[1..].find(|it: char| matches!(it, '@'..='~')).map(|it| it + 1)
            else {
                return (None, "");
            };
            let (inside, behind) = (&rest[1..end], &rest[end + 1..]);
            let is_colour = rest[end..].starts_with('m')
                && inside.chars().all(|it| it.is_ascii_digit() || matches!(it, ';' | ':'));
            (is_colour.then_some(inside), behind)
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let bell = rest.find('\x07').map(|end| (end, 1));
            let st = rest.find("\x1b\\").map(|end| (end, 2));
            let end = bell.into_iter().chain(st).min();
            (None, end.map_or("", |(end, long)| &rest[end + long..]))
        }
        Some(one) => (None, &rest[one.len_utf8()..]),
        None => (None, ""),
    }
}

/// How letters look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    /// One of the 256 colours of terminals.
    front: Option<u8>,
    back: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
}

impl Look {
    fn set(&mut self, parameters: &str) {
        let numbers = parameters.split([';', ':']).map(|it| it.parse::<u16>().unwrap_or(0));
        let mut numbers = numbers;
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Look::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                30..=37 => self.front = Some((number - 30) as u8),
                90..=97 => self.front = Some((number - 90 + 8) as u8),
                40..=47 => self.back = Some((number - 40) as u8),
                100..=107 => self.back = Some((number - 100 + 8) as u8),
                38 => self.front = colour(&mut numbers),
                48 => self.back = colour(&mut numbers),
                39 => self.front = None,
                49 => self.back = None,
                _ => {}
            }
        }
    }

    fn classes(self, html: &mut String) {
        let mut first = true;
        let mut add = |class: String| {
            if !std::mem::take(&mut first) {
                html.push(' ');
            }
            html.push_str(&class);
        };
        if let Some(front) = self.front {
            add(format!("f{front}"));
        }
        if let Some(back) = self.back {
            add(format!("k{back}"));
        }
        let words =
            [("ab", self.bold), ("ad", self.dim), ("ai", self.italic), ("au", self.underline)];
        for (class, _) in words.into_iter().filter(|(_, is_set)| *is_set) {
            add(class.to_owned());
        }
    }
}

/// `5;N`, or `2;R;G;B` as the nearest of the 256.
fn colour(numbers: &mut impl Iterator<Item = u16>) -> Option<u8> {
    let mut part = || numbers.next().map(|it| it.min(255) as u8);
    match part()? {
        5 => part(),
        2 => {
            let (red, green, blue) = (part()?, part()?, part()?);
            let step = |it: u8| match it {
                0..=47 => 0_u8,
                48..=114 => 1,
                _ => (it - 35) / 40,
            };
            Some(16 + 36 * step(red) + 6 * step(green) + step(blue))
        }
        _ => None,
    }
}

/// The rules for the colours above 15, which are the same in both themes.
pub(crate) fn palette() -> String {
    let mut css = String::new();
    for number in 16..=255_u16 {
        let (red, green, blue) = if number >= 232 {
            let grey = (number - 232) * 10 + 8;
            (grey, grey, grey)
        } else {
            let level = |it: u16| if it == 0 { 0 } else { 55 + 40 * it };
            let it = number - 16;
            (level(it / 36), level(it / 6 % 6), level(it % 6))
        };
        let colour = format!("#{red:02x}{green:02x}{blue:02x}");
        let _ = writeln!(css, ".f{number}{{color:{colour}}}.k{number}{{background:{colour}}}");
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_escaped_text_with_classes() {
        let check = |text: &str, kind: Kind, html: &str| {
            assert_eq!(line(text), (kind, html.to_owned()), "{text:?}");
        };
        check("plain\tü", Kind::Plain, "plain\tü");
        check("<b onclick='x'>&\"", Kind::Plain, "&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;");
        check("\x1b[31mred\x1b[0m.", Kind::Plain, "<span class=\"f1\">red</span>.");
        check("\x1b[1;38;5;9mhot", Kind::Plain, "<span class=\"f9 ab\">hot</span>");
        check("\x1b[48;2;255;0;0mx", Kind::Plain, "<span class=\"k196\">x</span>");
        check("\x1b[31m\x1b[39mnone", Kind::Plain, "none");
        check("a\x1b[2Jb\x1b[3Ac", Kind::Plain, "abc");
        check("\x1b]8;;javascript:x\x1b\\link\x1b]8;;\x1b\\", Kind::Plain, "link");
        check("10 %\r50 %\r100 %\r", Kind::Plain, "100 %");
        check("a\u{202e}b", Kind::Plain, "a<b class=\"bidi\">U+202E</b>b");
        check("##[group]Run <make>", Kind::Group, "Run &lt;make&gt;");
        check("##[endgroup]", Kind::EndGroup, "");
        check("##[error]it \x1b[1mbroke", Kind::Error, "it <span class=\"ab\">broke</span>");
        check("##[strange]thing", Kind::Plain, "##[strange]thing");
        check("cut \x1b[3", Kind::Plain, "cut ");
        check("\x1b[31;", Kind::Plain, "");
    }

    #[test]
    fn every_colour_has_a_rule() {
        let css = palette();
        assert_eq!(css.lines().count(), 240);
        assert!(css.contains(".f196{color:#ff0000}") && css.contains(".f255{color:#eeeeee}"));
    }
}
