//! The door through which an expression sees the world.

use crate::Value;

/// What the values in an expression come from. The one who evaluates implements it.
pub trait Contexts {
    /// The context called `name`, in lower case. `None` is null: the place allows the context, but
    /// there is none just now (`needs` of a job without needs).
    fn context(&self, name: &str) -> Option<Value>;

    /// What a status function answers here. `names` are the jobs asked about; none means all.
    ///
    /// # Errors
    /// The reason why the question makes no sense here; unless overridden, always.
    fn status(&self, function: StatusFunction, names: &[String]) -> Result<bool, String> {
        let _ = names;
        Err(format!("'{}' has no meaning here", function.name()))
    }

    /// The digest of the workspace's files that match (conformance 86); empty when none does.
    ///
    /// # Errors
    /// The reason why the files could not be hashed; unless overridden, always.
    fn hash_files(&self, patterns: &[String]) -> Result<String, String> {
        let _ = patterns;
        Err("there are no files to look at here".to_owned())
    }
}

/// The functions that ask how things went (conformance 88).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFunction {
    /// `success()`
    Success,
    /// `failure()`
    Failure,
    /// `always()`
    Always,
    /// `cancelled()`
    Cancelled,
}

impl StatusFunction {
    /// The name as GitHub's documentation spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Always => "always",
            Self::Cancelled => "cancelled",
        }
    }
}
