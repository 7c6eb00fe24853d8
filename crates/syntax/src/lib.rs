//! Text, spans, the YAML tree and [`Diagnostic`]: the ground every reader stands on.
//!
//! Reading a user's file never fails: it gives what could be read and a list of diagnostics, each
//! with its place. Nothing here knows what a workflow is, and nothing here prints: a diagnostic is
//! plain data that the edge renders.

mod diagnostic;
mod nearest;
mod source;
pub mod yaml;

pub use diagnostic::{Diagnostic, Label, RuleId, Severity};
pub use nearest::nearest;
pub use source::{Place, Source, Span};
pub use yaml::{Entry, Key, Mapping, Node, NodeKind, ScalarPlace, ScalarStyle};
