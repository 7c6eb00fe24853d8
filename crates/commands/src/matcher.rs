//! Problem matchers: annotations found in what programs print (conformance 194, 195).
//!
//! A [`MatcherFile`] is read and checked once; a job's [`Matchers`] see every line that is no
//! command. The file that a match names comes out as the program printed it: whether it exists and
//! belongs to the repository (conformance 196) is for whoever has the disk.
//!
//! GitHub gives a match one second and removes a matcher after three timeouts. There is no clock
//! here, and the engine cannot be interrupted. Instead a line longer than [`LINE_LIMIT`] is not
//! matched, and a line that cannot match is turned away by an engine whose time is bounded.

mod config;
mod guard;
mod running;

pub use config::{MatcherConfig, MatcherFile, MatcherFileError};
pub use running::{LINE_LIMIT, MatchOutcome, Matchers};
