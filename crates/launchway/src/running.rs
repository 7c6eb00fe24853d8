//! A run, from what was typed or pushed to its end: what the commands `run`, `plan`, `check` and `runs resume` share
//! with the server.
//!
//! | When | Rooms |
//! |---|---|
//! | which workflows, with what | `files`, `select`, `remote`, `given`, `names`, `prepare` |
//! | what a person is shown and agrees to before | `plan`, `agree`, `levels` |
//! | while it runs | `engine`, `walls`, `artifacts` |
//! | afterwards, or once more | `standing`, `again` |

pub(crate) mod again;
pub(crate) mod agree;
pub(crate) mod artifacts;
pub(crate) mod engine;
pub(crate) mod files;
pub(crate) mod given;
pub(crate) mod levels;
pub(crate) mod names;
pub(crate) mod plan;
pub(crate) mod prepare;
pub(crate) mod remote;
pub(crate) mod select;
pub(crate) mod standing;
pub(crate) mod walls;
