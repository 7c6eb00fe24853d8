//! What a step says to its runner.
//!
//! Three ways, three modules, none of which reads or writes anything itself:
//!
//! - [`workflow_command`]: lines like `::error file=a.c::broken` in what a step prints. Most lines
//!   are no command; [`workflow_command::may_hold_command`] says so for a whole block of bytes.
//! - [`file_command`]: the files behind `GITHUB_ENV`, `GITHUB_OUTPUT` and their like.
//! - [`matcher`]: problem matchers, which find annotations in lines that are no command.

pub mod file_command;
pub mod matcher;
pub mod workflow_command;
