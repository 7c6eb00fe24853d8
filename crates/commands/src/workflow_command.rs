//! Commands in what a step prints (conformance M).
//!
//! [`parse`] reads one line; a [`CommandState`] knows whether commands are stopped or echoed and
//! turns each line into an [`Effect`], which the worker carries out.

mod annotation;
mod effect;
mod parse;
mod state;

pub use annotation::{Annotation, AnnotationLimits, Level, MESSAGE_LIMIT, PER_LEVEL_LIMIT};
pub use effect::{Effect, Handled, Hidden, MatcherRef, Note};
pub use parse::{Command, may_be_command, may_hold_command, parse};
pub use state::{CommandState, Echo, Trust};
