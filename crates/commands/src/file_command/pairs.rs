//! Names and values: `NAME=value`, or `NAME<<END`, lines, `END`.

use std::fmt;

/// What is wrong with a file of names and values. GitHub's wording, since people search for it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FileCommandReason {
    /// Neither `=` nor `<<`.
    #[error("Invalid format '{0}'")]
    Format(String),
    /// `=value`.
    #[error("Invalid format '{0}'. Name must not be empty")]
    EmptyName(String),
    /// `<<END` or `NAME<<`.
    #[error("Invalid format '{0}'. Name must not be empty and delimiter must not be empty")]
    EmptyNameOrDelimiter(String),
    /// The file ends inside a value.
    #[error("Invalid value. Matching delimiter not found '{0}'")]
    DelimiterNotFound(String),
    /// The file ends inside a value, in a line without an end.
    #[error("Invalid value. EOF marker missing new line.")]
    MissingNewLine,
}

/// A file that could not be read to its end: the step fails, but what came before the mistake
/// counts. `Debug` shows no value.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FileCommandError {
    reason: FileCommandReason,
    before: Vec<(String, String)>,
}

impl FileCommandError {
    /// What is wrong. Quotes a line of the file: mask it.
    pub fn reason(&self) -> &FileCommandReason {
        &self.reason
    }

    /// The names and values before the mistake.
    pub fn before(&self) -> &[(String, String)] {
        &self.before
    }
}

impl fmt::Debug for FileCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCommandError").finish_non_exhaustive()
    }
}

/// What a `GITHUB_ENV` file sets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EnvFile {
    /// In the order of the file; a later one of the same name wins.
    pub variables: Vec<(String, String)>,
    /// Names that are refused: an error for each, the step goes on (conformance 181).
    pub refused: Vec<String>,
    /// Set when the rest of the file was not read: the step fails.
    pub error: Option<FileCommandReason>,
}

impl EnvFile {
    /// What to say about a refused name.
    pub fn refusal(name: &str) -> String {
        format!("Can't store {name} output parameter using '$GITHUB_ENV' command.")
    }
}

/// Reads a `GITHUB_ENV` file.
pub fn parse_env(text: &str) -> EnvFile {
    let (pairs, error) = match parse_pairs(text) {
        Ok(pairs) => (pairs, None),
        Err(error) => (error.before, Some(error.reason)),
    };
    let (refused, variables): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(name, _)| super::is_refused_variable(name));
    let refused = refused.into_iter().map(|(name, _)| name).collect();
    EnvFile { variables, refused, error }
}

/// Reads a `GITHUB_OUTPUT` file.
pub fn parse_output(text: &str) -> Result<Vec<(String, String)>, FileCommandError> {
    parse_pairs(text)
}

/// Reads a `GITHUB_STATE` file.
pub fn parse_state(text: &str) -> Result<Vec<(String, String)>, FileCommandError> {
    parse_pairs(text)
}

fn parse_pairs(text: &str) -> Result<Vec<(String, String)>, FileCommandError> {
    let mut pairs = Vec::new();
    let mut lines = Lines { rest: text };
    while let Some(line) = lines.next() {
        if line.text.is_empty() {
            continue;
        }
        match parse_pair(line.text, &mut lines) {
            Ok((name, value)) => pairs.push((name.to_owned(), value.to_owned())),
            Err(reason) => return Err(FileCommandError { reason, before: pairs }),
        }
    }
    Ok(pairs)
}

fn parse_pair<'a>(
    line: &'a str,
    lines: &mut Lines<'a>,
) -> Result<(&'a str, &'a str), FileCommandReason> {
    let assignment = line.split_once('=');
    let heredoc = line.split_once("<<");
    match (assignment, heredoc) {
        // Whichever comes first decides (conformance 178).
        (Some((name, value)), other)
            if other.is_none_or(|(before, _)| name.len() < before.len()) =>
        {
            if name.is_empty() {
                return Err(FileCommandReason::EmptyName(line.to_owned()));
            }
            Ok((name, value))
        }
        (_, Some((name, delimiter))) => {
            if name.is_empty() || delimiter.is_empty() {
                return Err(FileCommandReason::EmptyNameOrDelimiter(line.to_owned()));
            }
            Ok((name, read_value(delimiter, lines)?))
        }
        _ => Err(FileCommandReason::Format(line.to_owned())),
    }
}

/// The lines up to the delimiter, without the line break before it (conformance 179).
fn read_value<'a>(delimiter: &str, lines: &mut Lines<'a>) -> Result<&'a str, FileCommandReason> {
    let text = lines.rest;
    let mut length: usize = 0;
    loop {
        let before = text.len() - lines.rest.len();
        let Some(line) = lines.next() else {
            return Err(FileCommandReason::DelimiterNotFound(delimiter.to_owned()));
        };
        if line.text == delimiter {
            return Ok(&text[..length]);
        }
        if !line.ended {
            return Err(FileCommandReason::MissingNewLine);
        }
        length = before + line.text.len();
    }
}

/// Lines that end at LF only: a CR stays in the value (conformance 179).
struct Lines<'a> {
    rest: &'a str,
}

struct Line<'a> {
    text: &'a str,
    ended: bool,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (text, rest, ended) = match self.rest.split_once('\n') {
            Some((text, rest)) => (text, rest, true),
            None => (self.rest, "", false),
        };
        self.rest = rest;
        Some(Line { text, ended })
    }
}
