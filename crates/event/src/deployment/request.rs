//! What is wanted of a deployment, and by whom.

use std::fmt;
use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::digest::Digest;
use crate::ids::Timestamp;

/// Everything that a deployment's decisions rest on. Settings are in it as they were read: what is
/// changed in the file later does not change a deployment on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRequest {
    /// `project` of the settings.
    pub project: Arc<str>,
    /// The environment.
    pub environment: Arc<str>,
    /// Of which kind it is.
    pub kind: DeploymentKind,
    /// Who wants it.
    pub by: Actor,
    /// Why, in their words.
    pub reason: Option<MaskedText>,
    /// The services, in the order in which they are shipped; never empty.
    pub services: Vec<ServiceRequest>,
    /// What must open before the first change.
    pub gates: Vec<GateDemand>,
    /// Done again though it runs already, and done though there would be no way back.
    pub force: bool,
    /// What it ships that was not here before, where the repository tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<ShippedCommit>,
    /// It was meant to happen: no answer to a fault that users saw.
    #[serde(default)]
    pub planned: bool,
    /// What a cancel means once something was changed.
    pub on_cancel: OnCancel,
    /// What it is held to by the people who own its environment, and what of that it passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Box<Protection>>,
    /// The job that ran the command, by what its processes are known by (`RUNNER_TRACKING_ID`): what it
    /// deploys is counted once, as this deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Arc<str>>,
    /// When it was wanted.
    pub at: Timestamp,
}

/// What a deployment is held to, and by whom it is known that it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// The rules, as they stood when it was requested.
    pub rules: Rules,
    /// The requester's signature, where the rules want people to agree: nobody agrees to their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<SshProof>,
    /// Rules that it passes, each with why it may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<PassedRule>,
}

/// Where rules were read, and what they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// A remote's address without what is secret in it, or what stands for it.
    pub source: MaskedText,
    /// The branch.
    pub branch: Arc<str>,
    /// Its tip when they were read.
    pub commit: Arc<str>,
    /// Of all of them that this deployment is held to. If it changes, what was agreed to is void.
    pub digest: Digest,
}

/// A rule that a deployment passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedRule {
    /// Which, as the settings name it: `wait`, `windows`, `freezes`, `reviewers`.
    pub rule: Arc<str>,
    /// What it would have asked for, and why it does not count here.
    pub what: MaskedText,
}

/// A signature by an SSH key (`ssh-keygen -Y sign`), with all that is needed to verify it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshProof {
    /// What was signed, byte for byte.
    pub text: Arc<str>,
    /// The signature, as ssh-keygen writes it.
    pub signature: Arc<str>,
    /// The public key, as `authorized_keys` has it, without a comment.
    pub key: Arc<str>,
}

/// One service of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceRequest {
    /// The service's name in the settings.
    pub service: Arc<str>,
    /// What it shall be.
    pub release: Release,
    /// Where it ran well here before: what the target needs to bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<KnownRelease>,
    /// What ran well here last, as the journal says: what is gone back to. None before anything did.
    pub last_good: Option<KnownRelease>,
    /// The kind of target: `host`, `ecs`.
    pub target: Arc<str>,
    /// What the target needs to know, from the settings; read by the target alone. Nothing secret.
    pub config: Json,
    /// Steps around the change that the settings ask for: backup and migrate before it, verify and
    /// bake behind it. Those of one kind stay in the order that they have here.
    pub around: Vec<super::PlannedStep>,
}

/// A commit that reaches an environment for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedCommit {
    /// Its hash.
    pub commit: Arc<str>,
    /// Its committer's date.
    pub committed_at: Timestamp,
}

/// A version with its digests. The same digest is the same release, whatever it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What people call it: a version, a tag, a short commit.
    pub version: Arc<str>,
    /// `sha256:...` of the image, or of the bundle for the host target.
    pub digest: Arc<str>,
    /// Where it can be had: an image's repository. None for a bundle, which its digest finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Arc<str>>,
    /// The commit that it was made from, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Arc<str>>,
}

/// A release that ran here once and was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRelease {
    /// The release.
    pub release: Release,
    /// What the target needs to bring it back, as it said then (a task definition's ARN).
    pub handle: Json,
    /// It was found running and taken over, not shipped by us (`design` 8.14).
    pub adopted: bool,
}

/// Of which kind a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentKind {
    /// A release that was not here before.
    Release,
    /// An earlier one, restored.
    Rollback,
    /// A release that may pass windows and timers.
    Hotfix,
    /// The same release again.
    Redeploy,
    /// The same release with other settings.
    Config,
    /// What runs stays; a command is run beside it, once.
    Task,
}

impl DeploymentKind {
    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            DeploymentKind::Release => "release",
            DeploymentKind::Rollback => "rollback",
            DeploymentKind::Hotfix => "hotfix",
            DeploymentKind::Redeploy => "redeploy",
            DeploymentKind::Config => "config",
            DeploymentKind::Task => "task",
        }
    }
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name that they are known by here.
    pub name: MaskedText,
    /// How that is known: `local` (the user of this machine), `ssh` (a signature).
    pub proof: Arc<str>,
    /// By which way they came, where that is known: `page`, `api`, `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<str>>,
    /// From which address, where they came over the network and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
}

impl Actor {
    /// How they asked for something that names them already.
    pub fn asked(&self) -> Asked {
        Asked {
            proof: self.proof.clone(),
            source: self.source.clone().unwrap_or_default(),
            address: self.address.clone(),
            reason: None,
        }
    }
}

/// How somebody asked for something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// How it is known who they are: `token`, `oidc`, `local`, `github`; empty where nothing shows it.
    pub proof: Arc<str>,
    /// By which way they came: `page`, `api`, `command`, `git`, `github`, `clock`.
    pub source: Arc<str>,
    /// From which address, where they came over the network and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<MaskedText>,
}

/// A gate's key, unique in its deployment: `approval/devops`, `wait`, `window`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GateKey(Arc<str>);

impl GateKey {
    /// Wraps the text.
    pub fn new(text: impl Into<Arc<str>>) -> GateKey {
        GateKey(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What must open before the first change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GateDemand {
    /// So many people of a group agree to the plan.
    Approval {
        /// The group, from the settings.
        group: Arc<str>,
        /// How many.
        count: u32,
        /// Who may; the requester is not among them.
        members: Vec<Arc<str>>,
    },
    /// So long after the request.
    Wait {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// The person who started it typed the word.
    Confirm {
        /// Which.
        word: Arc<str>,
    },
    /// A person starts it: any who may, whoever asked for the run among them. Of jobs of a server alone.
    Start,
}

impl GateDemand {
    /// The key of this gate.
    pub fn key(&self) -> GateKey {
        match self {
            GateDemand::Approval { group, .. } => GateKey::new(format!("approval/{group}")),
            GateDemand::Wait { .. } => GateKey::new("wait"),
            GateDemand::Confirm { .. } => GateKey::new("confirm"),
            GateDemand::Start => GateKey::new("start"),
        }
    }
}

/// What a cancel means once something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCancel {
    /// What was done is undone.
    Back,
    /// It is finished, and said so.
    Finish,
}
