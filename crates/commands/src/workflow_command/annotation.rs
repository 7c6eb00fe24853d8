//! Annotations: what a command says about a place, and how many of them count.

use super::effect::Note;
use super::parse::Command;

/// GitHub keeps this many annotations of a level for a step (conformance 234).
pub const PER_LEVEL_LIMIT: u32 = 10;

/// GitHub keeps this many characters of an annotation's message (conformance 170).
pub const MESSAGE_LIMIT: usize = 4096;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Worth knowing.
    Notice,
    /// Worth looking at.
    Warning,
    /// Wrong.
    Error,
}

/// Something said about a place, from a command or from a problem matcher. The texts are as the
/// step wrote them: mask them before they are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Annotation {
    /// How bad it is.
    pub level: Level,
    /// What is said.
    pub message: String,
    /// A headline.
    pub title: Option<String>,
    /// The file as the step named it; making it relative to the repository needs a disk.
    pub file: Option<String>,
    /// What a matcher's `file` is relative to (a project file, say).
    pub from_path: Option<String>,
    /// The first line.
    pub line: Option<u32>,
    /// The last line.
    pub end_line: Option<u32>,
    /// The first column.
    pub column: Option<u32>,
    /// The last column.
    pub end_column: Option<u32>,
    /// A matcher's error code.
    pub code: Option<String>,
}

impl Annotation {
    /// An annotation without a place.
    pub fn new(level: Level, message: impl Into<String>) -> Annotation {
        Annotation {
            level,
            message: message.into(),
            title: None,
            file: None,
            from_path: None,
            line: None,
            end_line: None,
            column: None,
            end_column: None,
            code: None,
        }
    }

    /// Reads `error`, `warning` or `notice`; places that make no sense are dropped and said
    /// (conformance 170).
    pub(super) fn from_command(command: Command, level: Level) -> (Annotation, Vec<Note>) {
        let number = |name: &str| command.property(name).and_then(|text| text.trim().parse().ok());
        let mut place = Place {
            line: number("line"),
            end_line: number("endline"),
            column: number("col"),
            end_column: number("endcolumn"),
        };
        let notes = place.correct(&command.name);
        let text = |name: &str| command.property(name).map(str::to_owned);
        let annotation = Annotation {
            title: text("title"),
            file: text("file"),
            line: place.line,
            end_line: place.end_line,
            column: place.column,
            end_column: place.end_column,
            ..Annotation::new(level, "")
        };
        (Annotation { message: command.data, ..annotation }, notes)
    }
}

struct Place {
    line: Option<u32>,
    end_line: Option<u32>,
    column: Option<u32>,
    end_column: Option<u32>,
}

impl Place {
    fn correct(&mut self, command: &str) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut note = |said: &str| notes.push(Note::Debug(format!("::{command}::: {said}")));
        if self.line.is_none() && self.end_line.is_some() {
            note("'endLine' without 'line' counts as both");
            self.line = self.end_line;
        }
        if self.column.is_none() && self.end_column.is_some() {
            note("'endColumn' without 'col' counts as both");
            self.column = self.end_column;
        }
        if self.line.is_none() && self.column.is_some() {
            note("'col' and 'endColumn' need 'line'; dropped");
            self.drop_columns();
        }
        if self.end_line.is_some() && self.line != self.end_line && self.column.is_some() {
            note("'col' and 'endColumn' need 'line' and 'endLine' to be the same; dropped");
            self.drop_columns();
        }
        if self.end_line.is_some_and(|end| self.line.is_some_and(|line| end < line)) {
            note("'endLine' is before 'line'; both dropped");
            (self.line, self.end_line) = (None, None);
        }
        if self.end_column.is_some_and(|end| self.column.is_some_and(|column| end < column)) {
            note("'endColumn' is before 'col'; both dropped");
            self.drop_columns();
        }
        notes
    }

    fn drop_columns(&mut self) {
        (self.column, self.end_column) = (None, None);
    }
}

/// Counts a step's annotations.
#[derive(Clone, Default, Debug)]
pub struct AnnotationLimits {
    notices: u32,
    warnings: u32,
    errors: u32,
}

impl AnnotationLimits {
    /// A step's count, at zero.
    pub fn new() -> AnnotationLimits {
        AnnotationLimits::default()
    }

    /// Is one more of this level kept? What is not kept is still in the log.
    pub fn admit(&mut self, level: Level) -> bool {
        let count = match level {
            Level::Notice => &mut self.notices,
            Level::Warning => &mut self.warnings,
            Level::Error => &mut self.errors,
        };
        if *count == PER_LEVEL_LIMIT {
            return false;
        }
        *count += 1;
        true
    }

    /// The part of a message that is kept. Mask before clipping: half a secret is no longer one
    /// that a masker knows.
    pub fn clip(message: &str) -> &str {
        match message.char_indices().nth(MESSAGE_LIMIT) {
            Some((end, _)) => &message[..end],
            None => message,
        }
    }
}
