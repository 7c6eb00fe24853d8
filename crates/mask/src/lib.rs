//! Secrets, and text proven free of them.
//!
//! A [`Secret`] cannot be printed. A [`Masker`] learns secrets with the forms in which programs
//! print them (base64, escaped, one line of many) and puts `***` in their place: in a text, in a
//! line of bytes, or, with a [`StreamMasker`], in a log that comes in pieces and never ends.
//!
//! [`MaskedText`] is the only text the journal takes. It comes out of a [`Masker`], or is our own
//! words.

mod forms;
mod masker;
mod needles;
mod ranges;
mod secret;
mod stream;
mod text;
mod windows;

pub use masker::{Added, Masker, SHORT_SECRET};
pub use secret::Secret;
pub use stream::StreamMasker;
pub use text::MaskedText;
