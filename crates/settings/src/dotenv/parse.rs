//! From text to variables, line by line; a quoted value may go on over several.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use syntax::{Diagnostic, RuleId, Severity, Source, Span};

use super::cover::cover;
use super::{BYTES_MAX, EnvFile, EnvValue, EnvVariable, VALUE_BYTES_MAX, VARIABLES_MAX};
use crate::view::{Origin, Spanned};

const SYNTAX: RuleId = "env-syntax";
const LIMIT: RuleId = "env-limit";
const DUPLICATE: RuleId = "env-duplicate";
const INTERPOLATION: RuleId = "env-interpolation";

/// Bytes of a name; nobody writes a longer one, and it is printed.
const NAME_BYTES_MAX: usize = 256;
/// How the first line of a key or certificate begins, which is often pasted without quotes.
const PEM: &str = "-----BEGIN ";

/// What is wrong, before there is a covered text to point into.
struct Wrong {
    rule: RuleId,
    severity: Severity,
    span: Span,
    message: String,
    hint: &'static str,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    shown: Vec<Range<usize>>,
    wrong: Vec<Wrong>,
    variables: Vec<EnvVariable>,
    by_name: BTreeMap<Arc<str>, usize>,
}

pub(super) fn parse(name: &str, text: &str) -> (EnvFile, Vec<Diagnostic>) {
    let mut parser = Parser {
        text,
        at: 0,
        shown: Vec::new(),
        wrong: Vec::new(),
        variables: Vec::new(),
        by_name: BTreeMap::new(),
    };
    if text.len() > BYTES_MAX {
        let message = format!("the file has more than {BYTES_MAX} bytes, and is not read");
        parser.say(LIMIT, Span::new(0, 0), message, "is it the right file?");
    } else {
        parser.file();
    }
    let source = Source::new(name, cover(text, &parser.shown));
    let mut found = Vec::new();
    for it in parser.wrong {
        let finding = Diagnostic::new(it.rule, it.severity, &source, it.span, it.message);
        finding.hint(it.hint).keep(&mut found);
    }
    (EnvFile { source, variables: parser.variables }, found)
}

impl Parser<'_> {
    fn say(&mut self, rule: RuleId, span: Span, message: impl Into<String>, hint: &'static str) {
        let message = message.into();
        self.wrong.push(Wrong { rule, severity: Severity::Error, span, message, hint });
    }

    fn file(&mut self) {
        // Editors of another system write it.
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
        }
        while self.at < self.text.len() {
            self.blanks();
            match self.peek() {
                None => {}
                Some('\n' | '\r') => self.at += 1,
                Some('#') => self.skip_line(),
                Some(_) => self.assignment(),
            }
            if self.variables.len() > VARIABLES_MAX {
                let span = Span::new(self.at, self.at);
                let message = format!("more than {VARIABLES_MAX} variables");
                self.variables.truncate(VARIABLES_MAX);
                return self.say(LIMIT, span, message, "is it the right file?");
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
    }

    /// Where the line ends on which `at` stands; a `\r` before the `\n` belongs to the end.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |found| at + found);
        if self.text[at..end].ends_with('\r') { end - 1 } else { end }
    }

    fn skip_line(&mut self) {
        self.at = self.line_end(self.at);
    }

    fn assignment(&mut self) {
        let start = self.at;
        let line = Span::new(start, self.line_end(start));
        let Some(name) = self.name() else {
            let message = "this line is neither a comment nor `NAME=value`";
            let hint = "a name has letters, digits and `_`, and `=` behind it; a value of several \
                        lines stands in quotes";
            self.say(SYNTAX, line, message, hint);
            return self.skip_line();
        };
        if name.len() > NAME_BYTES_MAX {
            let message = format!("a name of more than {NAME_BYTES_MAX} bytes");
            self.say(LIMIT, line, message, "choose a shorter one");
            return self.skip_line();
        }
        self.shown.push(start..self.at);
        self.blanks();
        let Some((text, span)) = self.value() else { return };
        if text.len() > VALUE_BYTES_MAX {
            let message = format!("a value of more than {VALUE_BYTES_MAX} bytes");
            self.say(LIMIT, span, message, "no program can be started with it; keep it in a file");
            return;
        }
        if text.contains('\0') {
            let hint = "no program can be started with it";
            return self.say(SYNTAX, span, "a value that holds a NUL character", hint);
        }
        let value: Arc<str> = Arc::from(&self.text[name.clone()]);
        let name = Span::new(name.start, name.end);
        let value_of = EnvValue { text: Arc::from(text), span };
        let variable = EnvVariable {
            name: Spanned { value: Arc::clone(&value), span: name, origin: Origin::Written },
            value: value_of,
        };
        match self.by_name.get(&value) {
            Some(at) => {
                let message = format!("`{value}` stands here a second time");
                let (rule, severity) = (DUPLICATE, Severity::Warning);
                let hint = "leave one of them; this one counts";
                self.wrong.push(Wrong { rule, severity, span: name, message, hint });
                self.variables[*at] = variable;
            }
            None => {
                self.by_name.insert(value, self.variables.len());
                self.variables.push(variable);
            }
        }
    }

    /// The name, with `export` before and `=` behind it; the cursor stands behind the `=`.
    fn name(&mut self) -> Option<Range<usize>> {
        let before = self.at;
        let mut name = self.word();
        self.blanks();
        if &self.text[name.clone()] == "export" && self.peek() != Some('=') {
            name = self.word();
            self.blanks();
        }
        let text = &self.text[name.clone()];
        let is_name = !text.is_empty() && !text.starts_with(|it: char| it.is_ascii_digit());
        if is_name && self.peek() == Some('=') {
            self.at += 1;
            return Some(name);
        }
        self.at = before;
        None
    }

    fn word(&mut self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let length = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let start = self.at;
        self.at += length.unwrap_or(rest.len());
        start..self.at
    }

    fn value(&mut self) -> Option<(String, Span)> {
        match self.peek() {
            Some('\'') => self.single_quoted(),
            Some('"') => self.double_quoted(),
            _ => self.bare(),
        }
    }

    /// Up to the end of the line, or a comment behind a blank.
    fn bare(&mut self) -> Option<(String, Span)> {
        let start = self.at;
        let end = self.line_end(start);
        let line = &self.text[start..end];
        let text = line.split(" #").next().unwrap_or_default().trim_end_matches([' ', '\t']);
        let span = Span::new(start, start + text.len());
        self.at = end;
        if text.starts_with(PEM) {
            self.skip_pem();
            let span = Span::new(start, self.at);
            let hint = "put quotes around all of it: NAME=\"-----BEGIN ..";
            self.say(SYNTAX, span, "a value of several lines without quotes", hint);
            return None;
        }
        if text.starts_with('#') || text.contains("\t#") {
            let message =
                "a value and a comment in one, which readers of such files part differently";
            let hint = "put the value in quotes, or the comment on a line of its own";
            self.say(SYNTAX, span, message, hint);
            return None;
        }
        if let Some(at) = text.find('$') {
            self.interpolated(start + at);
            return None;
        }
        Some((text.to_owned(), span))
    }

    /// Reads over a key or certificate that was pasted without quotes: none of it is a name.
    fn skip_pem(&mut self) {
        let end = self.text[self.at..].find("-----END ").map_or(self.text.len(), |it| self.at + it);
        self.at = self.line_end(end);
    }

    /// As it is, up to the next quote.
    fn single_quoted(&mut self) -> Option<(String, Span)> {
        let start = self.at;
        let Some(length) = self.text[start + 1..].find('\'') else { return self.open(start) };
        let end = start + 1 + length;
        self.at = end + 1;
        let text = &self.text[start + 1..end];
        let span = Span::new(start, end + 1);
        if let Some(at) = text.find("\\\\").or_else(|| text.ends_with('\\').then(|| text.len() - 1))
        {
            let span = Span::new(start + 1 + at, start + 2 + at);
            let message = "a backslash that is an escape to some readers and not to others";
            let hint = "write the value in double quotes, where a backslash is \\\\ and a single quote is \
                        itself";
            self.say(SYNTAX, span, message, hint);
            self.skip_line();
            return None;
        }
        if let Some(at) = text.find("${") {
            let span = Span::new(start + 1 + at, start + 2 + at);
            let message = "a `${` in single quotes, which some readers fill in and others do not";
            let hint = "no way of writing it is read alike by all: say it under `env` or `secrets` of \
                        launchway.yml instead";
            self.say(INTERPOLATION, span, message, hint);
            self.skip_line();
            return None;
        }
        self.behind_quote(start).then(|| (text.to_owned(), span))
    }

    /// With escapes, up to the quote that is none.
    fn double_quoted(&mut self) -> Option<(String, Span)> {
        let start = self.at;
        let mut text = String::new();
        let mut good = true;
        let mut characters = self.text[start + 1..].char_indices().peekable();
        let end = loop {
            let Some((at, character)) = characters.next() else { return self.open(start) };
            let place = start + 1 + at;
            match character {
                '"' => break place,
                '\\' => match characters.next() {
                    None => return self.open(start),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, it @ ('\\' | '"'))) => text.push(it),
                    Some((_, other)) => {
                        let span = Span::new(place, place + 1 + other.len_utf8());
                        let hint = "escapes are \\n \\r \\t \\\\ \\\"; a backslash is \\\\";
                        let message = "this is an escape to some readers and not to others";
                        self.say(SYNTAX, span, message, hint);
                        good = false;
                    }
                },
                '$' => {
                    self.interpolated(place);
                    good = false;
                }
                _ => text.push(character),
            }
        };
        self.at = end + 1;
        let whole = self.behind_quote(start) && good;
        whole.then(|| (text, Span::new(start, end + 1)))
    }

    fn interpolated(&mut self, at: usize) {
        let message =
            "a `$` outside of single quotes, which some readers fill in and others do not";
        let hint = "put the value in single quotes if it is meant as it is; else write it out";
        self.say(INTERPOLATION, Span::new(at, at + 1), message, hint);
    }

    /// Behind the closing quote nothing but a comment.
    fn behind_quote(&mut self, start: usize) -> bool {
        let quote_end = self.at;
        self.blanks();
        let end = self.line_end(self.at);
        let rest = self.at..end;
        let comment = self.text[rest.clone()].starts_with('#') && self.at > quote_end;
        self.at = end;
        if rest.is_empty() || comment {
            return true;
        }
        let hint = "end the value with its quote; inside double quotes a quote is written \\\"";
        let span = Span::new(start, end);
        self.say(SYNTAX, span, "something stands behind the closing quote", hint);
        false
    }

    /// A quote that is never closed swallows the rest: nothing behind it can be trusted to be a name.
    fn open(&mut self, start: usize) -> Option<(String, Span)> {
        let span = Span::new(start, self.line_end(start));
        self.say(SYNTAX, span, "this quote is never closed", "close it, or leave it out");
        self.at = self.text.len();
        None
    }
}
