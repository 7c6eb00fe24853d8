//! Edits of a text by lines: what is put in takes the indentation of what it stands beside.

use syntax::{Entry, Mapping};

/// A text, and what becomes of it.
pub(super) struct Text<'a> {
    text: &'a str,
    edits: Vec<(usize, usize, String)>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Text<'a> {
        Text { text, edits: Vec::new() }
    }

    /// Where the line begins that this stands in.
    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |it| it + 1)
    }

    /// Where the next line begins.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |it| at + it + 1)
    }

    /// The line that this stands in.
    pub(super) fn line(&self, at: usize) -> &'a str {
        self.text[self.line_start(at)..self.line_end(at)].trim_end_matches('\n')
    }

    /// How far to the right it stands.
    pub(super) fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    /// Puts lines before the line of a key, at its column. Where the key is the first of a list's
    /// item, the dash goes to the new lines.
    pub(super) fn before_key(mut self, at: usize, lines: &str) -> Text<'a> {
        let (start, column) = (self.line_start(at), self.column(at));
        let before = &self.text[start..at];
        let indent = " ".repeat(column);
        let mut put = String::new();
        for (number, line) in lines.lines().enumerate() {
            let lead = if number == 0 { before } else { &indent };
            put += &format!("{lead}{line}\n");
        }
        self.edits.push((start, at, put + &indent));
        self
    }

    /// Puts lines behind an entry of one line, at the column of its key.
    pub(super) fn behind(mut self, entry: &Entry, lines: &str) -> Text<'a> {
        let at = entry.key.span.range().start;
        let end = self.line_end(entry.value.span.range().end.saturating_sub(1).max(at));
        let indent = " ".repeat(self.column(at));
        let put: String = lines.lines().map(|line| format!("{indent}{line}\n")).collect();
        let lead = if self.text[..end].ends_with('\n') { "" } else { "\n" };
        self.edits.push((end, end, format!("{lead}{put}")));
        self
    }

    /// Puts whole lines before the line that this stands in.
    pub(super) fn before_line(mut self, at: usize, lines: &str) -> Text<'a> {
        let start = self.line_start(at);
        self.edits.push((start, start, lines.to_owned()));
        self
    }

    /// Takes the line of a one-line entry away.
    pub(super) fn without(mut self, entry: &Entry) -> Text<'a> {
        let range = entry.key.span.range();
        let end = self.line_end(entry.value.span.range().end.max(range.end).saturating_sub(1));
        self.edits.push((self.line_start(range.start), end, String::new()));
        self
    }

    /// Puts something in the place of what stands there.
    pub(super) fn replace(mut self, from: usize, to: usize, with: &str) -> Text<'a> {
        self.edits.push((from, to, with.to_owned()));
        self
    }

    /// The text with all of it done.
    pub(super) fn done(mut self) -> String {
        self.edits.sort_by_key(|(from, to, _)| (*from, *to));
        let mut text = self.text.to_owned();
        for (from, to, with) in self.edits.into_iter().rev() {
            text.replace_range(from..to, &with);
        }
        text
    }
}

/// An entry by its key.
pub(super) fn entry<'m>(mapping: &'m Mapping, key: &str) -> Option<&'m Entry> {
    mapping.entries.iter().find(|it| &*it.key.text == key)
}

/// Where the first key of a mapping stands.
pub(super) fn first_key(mapping: &Mapping) -> Option<usize> {
    mapping.entries.first().map(|it| it.key.span.range().start)
}
