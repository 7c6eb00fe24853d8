//! What a deployment will do, all of it, before anything is done.

use std::fmt;
use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::request::KnownRelease;
use crate::digest::Digest;

/// A step of a deployment, unique in it: `api/migrate`, `api/switch`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeployStepKey(Arc<str>);

impl DeployStepKey {
    /// The step of a service.
    pub fn new(service: &str, step: &str) -> DeployStepKey {
        DeployStepKey(format!("{service}/{step}").into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeployStepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The whole plan. Its hash is over its JSON: what people agreed to is exactly this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentPlan {
    /// Service by service, in order.
    pub services: Vec<ServicePlan>,
    /// Every step, in the order in which they are done over all services.
    pub order: Vec<DeployStepKey>,
}

impl DeploymentPlan {
    /// Its hash: over the JSON as the journal keeps it.
    pub fn hash(&self) -> Digest {
        let json = serde_json::to_string(self).expect("a plan has text keys only");
        Digest::of(json.as_bytes())
    }

    /// Every step, in the order in which they are done.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &PlannedStep> {
        self.order.iter().filter_map(|key| self.step(key))
    }

    /// The step with this key.
    pub fn step(&self, key: &DeployStepKey) -> Option<&PlannedStep> {
        self.services.iter().flat_map(|service| &service.steps).find(|step| step.key == *key)
    }

    /// The service that a step belongs to.
    pub fn service_of(&self, key: &DeployStepKey) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.steps.iter().any(|step| step.key == *key))
    }
}

/// What is done for one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// Which.
    pub service: Arc<str>,
    /// What stood at the target when the plan was made, as the target tells it; before the first
    /// change it is looked at again, and must still be this.
    pub seen: Json,
    /// What runs there now; none where nothing does.
    pub running: Option<KnownRelease>,
    /// What differs, field by field; empty where what is wanted runs already.
    pub changes: Vec<FieldChange>,
    /// What is done; none where nothing is to be done. [`DeploymentPlan::order`] has the order.
    pub steps: Vec<PlannedStep>,
    /// Whether going back would be possible.
    pub going_back: GoingBack,
    /// What people should know who agree to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<MaskedText>,
}

/// A field that will be another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its path, as the platform names it: `containerDefinitions[app].image`.
    pub field: Arc<str>,
    /// What it is; none where it is not there.
    pub before: Option<MaskedText>,
    /// What it will be; none where it goes away.
    pub after: Option<MaskedText>,
}

/// Whether what ran before could run again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GoingBack {
    /// To this.
    Possible {
        /// What would run again.
        to: Box<KnownRelease>,
    },
    /// Nothing ran before: undoing takes away what was put there.
    FirstDeployment,
    /// It would not be.
    Impossible {
        /// Each thing that stands against it, and its remedy.
        reasons: Vec<MaskedText>,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Which.
    pub key: DeployStepKey,
    /// Of which kind.
    pub kind: DeployStepKind,
    /// What it does, in a sentence for people, without a full stop.
    pub what: MaskedText,
    /// The calls it may make, as the platform names them (`ecs:UpdateService`); nothing else is called.
    pub calls: Vec<Arc<str>>,
    /// How it is undone.
    pub undo: Undo,
    /// How long it may take, forward or back, in milliseconds.
    pub within_ms: u64,
    /// What whoever does it needs to know, for both ways; read by them alone. Nothing secret.
    pub body: Json,
}

/// Of which kind a step is: when it is done, who does it, and what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployStepKind {
    /// Data is put aside.
    Backup,
    /// The schema of data is changed; never undone by itself.
    Migrate,
    /// A command is run beside what runs, because a person wants it; never undone.
    Task,
    /// The target prepares without changing what runs: registers, unpacks.
    Prepare,
    /// The target changes what runs.
    Apply,
    /// The target is watched until it stands or falls.
    Stabilise,
    /// Requests go to the new.
    Switch,
    /// It is asked whether it does what it should.
    Verify,
    /// It is watched for a while.
    Bake,
    /// What is not needed any more is taken away; never undone. Done when every service was
    /// verified; that it fails is noted, and is no reason to go back.
    Retire,
}

impl DeployStepKind {
    /// Whether it changes what runs, or its data. Before the first of these a deployment can be
    /// cancelled or refused.
    pub fn changes(self) -> bool {
        use DeployStepKind::{Apply, Migrate, Retire, Switch, Task};
        matches!(self, Migrate | Task | Apply | Switch | Retire)
    }

    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            DeployStepKind::Backup => "backup",
            DeployStepKind::Migrate => "migrate",
            DeployStepKind::Task => "task",
            DeployStepKind::Prepare => "prepare",
            DeployStepKind::Apply => "apply",
            DeployStepKind::Stabilise => "stabilise",
            DeployStepKind::Switch => "switch",
            DeployStepKind::Verify => "verify",
            DeployStepKind::Bake => "bake",
            DeployStepKind::Retire => "retire",
        }
    }
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Undo {
    /// There is nothing to undo: it changes nothing that lasts.
    Nothing,
    /// There is nothing to undo, and once everything is undone it is asked once more, with
    /// [`Way::Back`](super::Way::Back), of what ran before: whether that does what it should.
    AskAgain {
        /// What that asks, in a sentence for people.
        what: MaskedText,
    },
    /// By whoever did it.
    Step {
        /// What that does, in a sentence for people.
        what: MaskedText,
    },
    /// It cannot be, and it is left as it is.
    Never {
        /// Why.
        why: MaskedText,
    },
}
