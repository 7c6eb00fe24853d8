//! What a line of a step's output asks for.

use std::borrow::Cow;
use std::fmt;

use super::annotation::Annotation;
use super::state::Echo;

/// What to do about one line: show `echo` if there is one, pass on the notes, carry out the effect.
#[derive(PartialEq, Eq, Debug)]
pub struct Handled<'a> {
    /// What the line asks for.
    pub effect: Effect<'a>,
    /// What the log shows of the command: nothing, unless echo is on (conformance 175).
    pub echo: Option<Cow<'a, [u8]>>,
    /// Said beside it.
    pub notes: Vec<Note>,
}

/// Said beside an effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// For logs of a step that is being debugged.
    Debug(String),
    /// A warning that this command is deprecated, once for each command in a job (conformance 223).
    Deprecated(String),
}

/// What a line asks for. Texts are as the step wrote them: they may hold secrets.
#[derive(PartialEq, Eq, Debug)]
pub enum Effect<'a> {
    /// No command: show it, after the problem matchers looked at it.
    Text(Cow<'a, [u8]>),
    /// `error`, `warning`, `notice`.
    Annotation(Annotation),
    /// `debug`: for logs of a step that is being debugged.
    Debug(String),
    /// `group`: the lines that follow fold under this title.
    Group(String),
    /// `endgroup`.
    EndGroup,
    /// `set-output`.
    SetOutput {
        /// The output.
        name: String,
        /// Its value.
        value: String,
    },
    /// `save-state`: for the action's later stages.
    SaveState {
        /// The state.
        name: String,
        /// Its value.
        value: String,
    },
    /// `set-env`, where it is allowed.
    SetEnv {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// `add-path`, where it is allowed.
    AddPath(String),
    /// `add-mask`.
    AddMask(Hidden),
    /// `add-matcher`: the file's path as the step sees it.
    AddMatcher(String),
    /// `remove-matcher`.
    RemoveMatcher(MatcherRef),
    /// `echo`: from the next command on.
    Echo(Echo),
    /// `stop-commands`: lines are text until the token comes. A long token becomes a mask for the
    /// rest of the job (conformance 172), before `echo` is shown.
    Stopped(Option<Hidden>),
    /// The token came.
    Resumed,
    /// The command does nothing, and a warning says why.
    Warning(String),
    /// The command does nothing, and an error says why; the step goes on.
    Error(String),
    /// The command is wrong: the step fails (conformance 174). One error for each line.
    Failure {
        /// Which command; never shows what is to be masked.
        message: String,
        /// Why.
        reason: String,
    },
}

/// Which matchers to remove.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MatcherRef {
    /// The one of this owner.
    Owner(String),
    /// Those whose owners this file names; its path as the step sees it.
    File(String),
}

/// A value that is to be masked: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub(super) String);

impl Hidden {
    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
