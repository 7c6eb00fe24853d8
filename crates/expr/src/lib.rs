//! The `${{ }}` expression language (conformance F): parse with spans, evaluate over contexts.
//!
//! Pure: what an expression can see comes in through [`Contexts`]; `hashFiles`, the one function
//! that looks at a disk, is a question asked through that door.

mod value;

pub use value::{Object, Value};
