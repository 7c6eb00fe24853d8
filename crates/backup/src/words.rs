//! Small words for people.

use mask::MaskedText;

/// Our own words, and AWS's descriptions of what has names only.
pub(crate) fn text(said: impl Into<String>) -> MaskedText {
    MaskedText::without_secrets(said.into())
}
