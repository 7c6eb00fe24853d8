//! A line that a job printed, for a person at a terminal.
//!
//! A job may print anything. On a person's terminal its colours are kept; nothing else that steers a
//! terminal is: a line could clear the screen, set the window's title, or draw over the line before.

use views::{number_of, steers};

use crate::terminal::style::Style;

/// The marks that the runner's own words begin with (conformance 189).
const MARK: &str = "##[";

/// The line as it is shown; nothing where it only ends a group.
pub(crate) fn shown(line: &str, style: Style) -> Option<String> {
    let Some((mark, rest)) = line.strip_prefix(MARK).and_then(|rest| rest.split_once(']')) else {
        return Some(steered_by_nobody(line, style));
    };
    let rest = steered_by_nobody(rest, style);
    Some(match mark {
        "endgroup" => return None,
        "group" => style.bold(&format!("▸ {rest}")),
        "error" => format!("{} {rest}", style.red("error:")),
        "warning" => format!("{} {rest}", style.yellow("warning:")),
        "notice" => format!("{} {rest}", style.cyan("notice:")),
        "command" => style.cyan(&rest),
        "debug" => style.dim(&format!("debug: {rest}")),
        _ => steered_by_nobody(line, style),
    })
}

/// The line without such a mark, as what is found is told.
pub(crate) fn unmarked(line: &str) -> &str {
    const MARKS: [&str; 7] =
        ["group", "endgroup", "error", "warning", "notice", "command", "debug"];
    match line.strip_prefix(MARK).and_then(|rest| rest.split_once(']')) {
        Some((mark, rest)) if MARKS.contains(&mark) => rest,
        _ => line,
    }
}

/// Colours where they are wanted, tabs, and letters. Of a line that was drawn over itself, as
/// progress bars are, what stood last.
pub(crate) fn steered_by_nobody(line: &str, style: Style) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or(line);
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    let mut is_coloured = false;
    while let Some(at) = rest.find(|it: char| it.is_control() && it != '\t' || steers(it)) {
        kept += &rest[..at];
        if let Some(letter) = rest[at..].chars().next().filter(|it| steers(*it)) {
            kept += &number_of(letter);
            rest = &rest[at + letter.len_utf8()..];
            continue;
        }
        let (colour, behind) = escape(&rest[at..]);
        if style.is_coloured() {
            is_coloured |= colour.is_some();
            kept += colour.unwrap_or_default();
        }
        rest = behind;
    }
    kept += rest;
    if is_coloured && !kept.ends_with("\x1b[0m") {
        // What the job switched on ends with its line.
        kept += "\x1b[0m";
    }
    kept
}

/// Takes one control character, with the sequence that it begins: the sequence where it sets a
/// colour, and what stands behind it.
fn escape(text: &str) -> (Option<&str>, &str) {
    let Some(sequence) = text.strip_prefix('\x1b') else {
        let mut rest = text.chars();
        rest.next();
        return (None, rest.as_str());
    };
    let behind = |end: Option<usize>, long: usize| end.map_or("", |end| &sequence[end + long..]);
    match sequence.chars().next() {
        // ECMA-48: parameters, then one letter that says what it does; `m` is colour.
        Some('[') => {
            let end = sequence[1..].find(|it: char| matches!(it, '@'..='~')).map(|end| end + 1);
            let is_colour = end.is_some_and(|end| {
                sequence[1..end].chars().all(|it| it.is_ascii_digit() || matches!(it, ';' | ':'))
                    && sequence[end..].starts_with('m')
            });
            let colour = end.filter(|_| is_colour).map(|end| &text[..end + 2]);
            (colour, behind(end, 1))
        }
        // Titles, links and strings for the terminal end with BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let bell = sequence.find('\x07').map(|end| (end, 1));
            let st = sequence.find("\x1b\\").map(|end| (end, 2));
            match bell.into_iter().chain(st).min() {
                Some((end, long)) => (None, behind(Some(end), long)),
                None => (None, ""),
            }
        }
        Some(one) => (None, &sequence[one.len_utf8()..]),
        None => (None, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_nothing_else_steers_the_terminal() {
        let check = |line: &str, coloured: &str, plain: &str| {
            assert_eq!(steered_by_nobody(line, Style::coloured()), coloured, "{line:?}");
            assert_eq!(steered_by_nobody(line, Style::plain()), plain, "{line:?}");
        };
        check("plain\tü", "plain\tü", "plain\tü");
        check("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", "red");
        check("a\u{202e}b", "aU+202Eb", "aU+202Eb");
        check("\x1b[38;5;9mred", "\x1b[38;5;9mred\x1b[0m", "red");
        check("a\x1b[2Jb\x1b[3Ac", "abc", "abc");
        check("a\x1b]0;title\x07b", "ab", "ab");
        check("a\x1b]8;;http://host\x1b\\link\x1b]8;;\x1b\\b", "alinkb", "alinkb");
        check("10 %\r50 %\r100 %\r", "100 %", "100 %");
        check("bell\x07 back\x08 c1\u{9b}2J", "bell back c12J", "bell back c12J");
        check("cut \x1b[3", "cut ", "cut ");
        check("cut \x1b", "cut ", "cut ");
        check("\x1bü", "", "");
    }

    #[test]
    fn the_runners_own_words_are_set_apart() {
        let check = |line: &str, expect: Option<&str>| {
            assert_eq!(shown(line, Style::plain()).as_deref(), expect);
        };
        check("##[group]Run make", Some("▸ Run make"));
        check("##[endgroup]", None);
        check("##[error]it broke", Some("error: it broke"));
        check("##[warning]it may", Some("warning: it may"));
        check("##[debug]why", Some("debug: why"));
        check("##[strange]thing", Some("##[strange]thing"));
        check("##[", Some("##["));
    }
}
