//! What the worker tells about a deed that is over.

use indexmap::IndexMap;

/// How its process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself.
    Code(i32),
    /// It ran into its `timeout-minutes`.
    TimedOut,
    /// It was ended because the job was cancelled.
    Cancelled,
    /// It could not be started, or its file commands were wrong; the reason was said in its log.
    Failed,
}

/// What a deed changed for those behind it: its file commands, and their older forms on
/// standard output (conformance 168, 177 to 183).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// `GITHUB_OUTPUT`, `set-output`
    pub outputs: IndexMap<String, String>,
    /// `GITHUB_ENV`, `set-env`
    pub env: IndexMap<String, String>,
    /// `GITHUB_PATH`, `add-path`, in the order written: the last one will be looked at first.
    pub path: Vec<String>,
    /// `GITHUB_STATE`, `save-state`
    pub state: IndexMap<String, String>,
}
