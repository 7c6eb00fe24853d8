//! Text that holds no secret.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Text proven free of secrets: a masker looked at it, or it never saw one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskedText(Arc<str>);

impl MaskedText {
    /// Our own words, or text that was written down where secrets cannot be (a workflow file, a
    /// branch name). Never what a process printed.
    pub fn without_secrets(text: impl Into<Arc<str>>) -> MaskedText {
        MaskedText(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
