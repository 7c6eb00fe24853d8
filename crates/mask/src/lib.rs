//! Secrets, and text proven free of them.
//!
//! [`MaskedText`] is the only text the journal takes. It comes out of a [`Masker`], or is our own
//! words.

mod text;

pub use text::MaskedText;
