//! What can be wrong with an expression, before and while it is evaluated.

use thiserror::Error;

/// A text that is no expression, or that uses what its place does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ParseError {
    /// Byte offset in the expression's text where the trouble begins.
    pub offset: usize,
    /// GitHub's own sentence (conformance 66), so that a search for it finds answers.
    pub message: String,
    /// What to do about it, if that is known.
    pub hint: Option<String>,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvalError {
    /// A brace in `format`'s text does not follow the rules.
    #[error("format: the following format string is invalid: {0}")]
    InvalidFormat(String),
    /// A `{N}` beyond the arguments.
    #[error(
        "format: the following format string references more arguments than were supplied: {0}"
    )]
    MissingFormatArgument(String),
    /// `{0:x}`: no kind of value has such specifiers.
    #[error(
        "format: the format specifiers '{specifiers}' are not valid for objects of type '{kind}'"
    )]
    InvalidFormatSpecifiers {
        /// What stood behind the colon.
        specifiers: String,
        /// The kind of the argument.
        kind: crate::Kind,
    },
    /// The text given to `fromJSON` is no JSON.
    #[error("fromJSON: {reason} at character {position}")]
    InvalidJson {
        /// What was found or missing.
        reason: String,
        /// Place in the text, counted from 1.
        position: usize,
    },
    /// Only `true` and `false` choose a branch (conformance 84).
    #[error("case: case predicate must evaluate to a boolean value, not {0}")]
    CasePredicate(crate::Kind),
    /// A first argument that begins with `--` but is no option (conformance 86).
    #[error("hashFiles: invalid glob option {0}, available option: '--follow-symbolic-links'")]
    HashFilesOption(String),
    /// The one who evaluates could not answer a status function or `hashFiles`.
    #[error("{function}: {reason}")]
    Refused {
        /// The function asked.
        function: &'static str,
        /// Why there is no answer.
        reason: String,
    },
    /// A value grew beyond [`crate::MEMORY_BYTES_MAX`].
    #[error(
        "the maximum allowed memory size was exceeded while evaluating the following expression: {0}"
    )]
    Memory(String),
}
