//! `.env` files, in the dialect on which docker compose and python-dotenv agree.
//!
//! ```text
//!   # a comment            whole lines, and behind a value or a closing quote, after a blank
//!   export NAME=value      `export` is read over; blanks around name, `=` and value too
//!   NAME=it's {"as": "is"} without quotes at its beginning a value is what stands there
//!   NAME='as it is'        in single quotes too, over several lines if need be
//!   NAME="a\nb"            in double quotes \n \r \t \\ \" are escapes; several lines are allowed
//!   NAME=                  empty, not absent
//!   NAME twice             the last one wins; that is a warning
//! ```
//!
//! Where the two read a text differently it is refused, with the remedy: a value must not depend on
//! who reads it. So nothing is filled in. A `$` outside of single quotes is refused: compose fills in
//! `$NAME` from its own environment first and stumbles over other `$`, python-dotenv fills in
//! `${NAME}` only (even in single quotes, where compose does not), `docker --env-file` nothing.
//! Refused for the same reason: other escapes, `\\` and `\'` in single quotes, a value that begins
//! with `#`, a comment right behind a tab or a closing quote, a name without `=`.
//!
//! What a file holds may be secret. Values cannot be printed ([`EnvValue`]), and findings point into a
//! copy of the text in which everything but names is covered.

mod compare;
mod cover;
mod parse;
mod private;

use std::fmt;
use std::sync::Arc;

use syntax::{Diagnostic, Source, Span};

pub use compare::{compare, examples_of};

use crate::view::Text;

/// Bytes of one file. Linux takes 128 KiB for one variable, and 2 MiB for all of them.
pub const BYTES_MAX: usize = 1 << 20;
/// Variables of one file.
pub const VARIABLES_MAX: usize = 4096;
/// Bytes of one value: Linux starts no program with a longer one.
pub const VALUE_BYTES_MAX: usize = 128 << 10;

/// One file, and what it holds.
#[derive(Clone, Debug)]
pub struct EnvFile {
    /// The text with everything but names covered; findings and places are about it.
    pub source: Arc<Source>,
    /// The variables, in the order of the file; each name once.
    pub variables: Vec<EnvVariable>,
}

/// One variable.
#[derive(Clone, Debug)]
pub struct EnvVariable {
    /// Its name.
    pub name: Text,
    /// Its value.
    pub value: EnvValue,
}

/// A value that cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue {
    text: Arc<str>,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl EnvValue {
    /// The value, for whoever hands it to the service.
    pub fn expose(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvValue(***)")
    }
}

impl EnvVariable {
    /// Whether it looks like a secret: by its name, or by what stands in it.
    pub fn looks_private(&self) -> bool {
        private::looks_private(&self.name.value, &self.value.text)
    }
}

impl EnvFile {
    /// A variable by its name.
    pub fn get(&self, name: &str) -> Option<&EnvVariable> {
        self.variables.iter().find(|it| &*it.name.value == name)
    }
}

/// Reads a file. What is wrong is in the list; what could be read is there all the same.
pub fn read(name: &str, text: &str) -> (EnvFile, Vec<Diagnostic>) {
    parse::parse(name, text)
}
