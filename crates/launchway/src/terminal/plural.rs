//! Numbers of things, as people say them.

use std::fmt::Display;

/// `1 step`, `2 steps`; of words that take an `s`.
pub(crate) fn plural<N: Display + PartialEq + From<u8>>(count: N, word: &str) -> String {
    let s = if count == N::from(1) { "" } else { "s" };
    format!("{count} {word}{s}")
}
