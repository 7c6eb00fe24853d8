//! The `${{ }}` expression language (conformance F): parse with spans, evaluate over contexts.
//!
//! ```text
//!   text --lexer--> tokens --parser--> tree --evaluate(Contexts)--> Value
//!                     ^                  |
//!                   Scope           references, calls (for lint rules)
//! ```
//!
//! A text becomes an [`Expr`] once, against the [`Scope`] of its place: an unknown context or
//! function is a [`ParseError`], never a surprise while running. An `Expr` is cheap to clone and is
//! evaluated as often as needed. Pure: what an expression can see comes in through [`Contexts`];
//! `hashFiles`, the one function that looks at a disk, and the status functions are questions asked
//! through that door. Where GitHub's C# and TypeScript differ, this follows C#: it runs steps.
//!
//! Absent on purpose: `${{ }}` inside longer texts belongs to the crate that reads workflow files;
//! [`find_close`] gives it the one rule it needs from here.

mod casing;
mod contexts;
mod error;
mod evaluator;
mod expression;
mod functions;
mod json;
mod lexer;
mod number;
mod object;
mod parser;
mod scope;
mod template;
mod tree;
mod value;
mod walk;

pub use contexts::{Contexts, StatusFunction};
pub use error::{EvalError, ParseError};
pub use expression::Expr;
pub use object::Object;
pub use scope::Scope;
pub use template::find_close;
pub use tree::{Comparison, Function, Logical, Node, NodeKind, Selector};
pub use value::{Kind, Value};
pub use walk::{Call, Reference, Segment};

/// Longest expression, in UTF-16 units as GitHub counts them (conformance 87).
pub const LENGTH_MAX: usize = 21_000;
/// Deepest syntax tree (conformance 87); a chain of `&&` or of `||` counts as one level.
pub const DEPTH_MAX: usize = 50;
/// Largest value one function may build, by the runner's own reckoning of .NET objects
/// (conformance 87).
pub const MEMORY_BYTES_MAX: usize = 1_048_576;
