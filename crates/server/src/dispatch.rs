//! What may be dispatched, and a wish to: shared by the page, the API and whoever makes the run.

use std::collections::BTreeMap;

use crate::access::Places;

/// What a repository offers at one of its branches or tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its branches and tags by their full names, the default branch first.
    pub refs: Vec<String>,
    /// The one that was looked at; empty where there is none yet.
    pub git_ref: String,
    /// Workflows that `workflow_dispatch` starts there.
    pub workflows: Vec<OfferedWorkflow>,
}

/// A workflow that may be dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedWorkflow {
    /// From the repository's root.
    pub path: String,
    /// `name`, else the path.
    pub name: String,
    /// What it asks for.
    pub inputs: Vec<OfferedInput>,
    /// Why it does not run all the same: mistakes, switched off.
    pub refused: Option<String>,
}

/// What a workflow asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedInput {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether something has to be given.
    pub required: bool,
    /// What it may be.
    pub kind: InputForm,
    /// What it is where nothing is given.
    pub default: Option<String>,
}

/// What an input may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputForm {
    /// Any text.
    Text,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// One of these.
    Choice(Vec<String>),
    /// An environment; these are known.
    Environment(Vec<String>),
}

impl InputForm {
    /// As workflows name it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            InputForm::Text => "string",
            InputForm::Boolean => "boolean",
            InputForm::Number => "number",
            InputForm::Choice(_) => "choice",
            InputForm::Environment(_) => "environment",
        }
    }

    /// What may be chosen from.
    pub(crate) fn options(&self) -> &[String] {
        match self {
            InputForm::Choice(options) | InputForm::Environment(options) => options,
            InputForm::Text | InputForm::Boolean | InputForm::Number => &[],
        }
    }
}

/// That somebody wants a workflow to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// `owner/name`
    pub repository: String,
    /// A branch or tag, by its full name or the short one; none: the default branch.
    pub git_ref: Option<String>,
    /// Its path, or its file's name.
    pub workflow: String,
    /// What is given.
    pub inputs: BTreeMap<String, String>,
    /// The environments of which whoever wants it may run jobs by hand.
    pub environments: Places,
}
