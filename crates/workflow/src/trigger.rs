//! `on`: which events start a workflow (conformance 19, 20, 24 to 36).
//!
//! [`Triggers::decide`] is pure: what happened comes in as a [`TriggerEvent`], and a "no" names the
//! filter that said it.

mod decide;
mod events;
mod read;

use std::sync::Arc;

use syntax::Span;

use crate::filter::Pattern;
use crate::model::Text;
use crate::template::Template;

pub use decide::{ChangedFiles, TriggerEvent, Verdict};

/// Everything under `on`.
#[derive(Clone, Debug)]
pub struct Triggers {
    /// Where it stands.
    pub span: Span,
    /// The events, in the order written. Empty for `on: []`, which GitHub takes: it never runs.
    pub events: Vec<Trigger>,
}

/// One event and what is asked of it.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// The event's name.
    pub name: Text,
    /// `types`, where written.
    pub types: Option<Vec<Text>>,
    /// `branches` or `branches-ignore`
    pub branches: Option<FilterList>,
    /// `tags` or `tags-ignore`
    pub tags: Option<FilterList>,
    /// `paths` or `paths-ignore`
    pub paths: Option<FilterList>,
    /// `workflows` of `workflow_run`.
    pub workflows: Option<Vec<Text>>,
    /// `names` of `image_version`.
    pub names: Option<Vec<Text>>,
    /// `versions` of `image_version`.
    pub versions: Option<Vec<Text>>,
    /// The entries of `schedule`.
    pub schedule: Vec<Schedule>,
    /// `inputs` of `workflow_dispatch` and `workflow_call`.
    pub inputs: Vec<Input>,
    /// `secrets` of `workflow_call`.
    pub secrets: Vec<SecretDeclaration>,
    /// `outputs` of `workflow_call`.
    pub outputs: Vec<CallOutput>,
}

/// A filter list and its sense.
#[derive(Clone, Debug)]
pub struct FilterList {
    /// Whether it takes in or leaves out.
    pub sense: Sense,
    /// The key under which it stands, for messages.
    pub key: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// The patterns in the order written.
    pub patterns: Vec<Pattern>,
}

/// The two senses of a filter list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// `branches`, `tags`, `paths`
    Only,
    /// `branches-ignore`, `tags-ignore`, `paths-ignore`
    Ignore,
}

/// One entry of `schedule`.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Five fields.
    pub cron: Text,
    /// An IANA name; UTC where absent.
    pub timezone: Option<Text>,
}

/// A declared input.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: Text,
    /// `description`
    pub description: Option<Text>,
    /// `type`
    pub kind: InputKind,
    /// `required`
    pub required: bool,
    /// `default`
    pub default: Option<Template>,
}

/// The types of inputs.
#[derive(Clone, Debug)]
pub enum InputKind {
    /// `string`
    String,
    /// `boolean`
    Boolean,
    /// `number`
    Number,
    /// `choice` with its `options`.
    Choice(Vec<Text>),
    /// `environment`
    Environment,
}

/// A secret that `workflow_call` declares.
#[derive(Clone, Debug)]
pub struct SecretDeclaration {
    /// Its name.
    pub name: Text,
    /// `description`
    pub description: Option<Text>,
    /// `required`
    pub required: bool,
}

/// An output that `workflow_call` gives.
#[derive(Clone, Debug)]
pub struct CallOutput {
    /// Its name.
    pub name: Text,
    /// `description`
    pub description: Option<Text>,
    /// `value`
    pub value: Template,
}

impl Triggers {
    /// The trigger for an event.
    pub fn get(&self, event: &str) -> Option<&Trigger> {
        self.events.iter().find(|trigger| &*trigger.name.value == event)
    }
}
