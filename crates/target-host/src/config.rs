//! What the settings say about a service on this machine, as it stands in a request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use event::ServiceRequest;
use serde::{Deserialize, Serialize};

/// The key of a request's config that bars the way back, with why.
const NO_WAY_BACK: &str = "no_way_back";

/// `ServiceRequest::config` for the target `host`. Nothing secret: of private variables it has the
/// names only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// Where requests arrive.
    pub listen: SocketAddr,
    /// Where the new version of a blue/green deployment can be asked before it gets requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_listen: Option<SocketAddr>,
    /// How many processes serve side by side.
    #[serde(default = "one")]
    pub instances: u32,
    /// How long an old process may finish what it has, in milliseconds.
    #[serde(default = "default_drain")]
    pub drain_ms: u64,
    /// The program and its arguments; the program in the bundle, or on the PATH. An image needs none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Variables that everybody may read.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names of the variables that only the process may read; their values come with
    /// [`HostTarget::new`](crate::HostTarget::new).
    #[serde(default)]
    pub private: Vec<String>,
    /// When an instance is healthy. Without it: as soon as it takes connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How the new takes the place of the old.
    #[serde(default)]
    pub strategy: Strategy,
    /// Whose processes they are; root alone can make them another user's. Of a container: as which
    /// of the image's users it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The most bytes of memory that one container may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// How a release that is an image runs; without it: as [`ContainerConfig::default`] says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerConfig>,
}

/// How a release that is an image runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerConfig {
    /// Where it listens, inside.
    #[serde(default = "default_port")]
    pub port: u16,
    /// What it is started with instead of what the image says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Where the engine listens; without it: where `DOCKER_HOST` says, else the usual place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Labels beside our own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Default for ContainerConfig {
    fn default() -> ContainerConfig {
        let (command, labels) = (Vec::new(), BTreeMap::new());
        ContainerConfig { port: default_port(), command, socket: None, labels }
    }
}

/// When an instance is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Each must answer with a status from 200 to 299.
    pub paths: Vec<String>,
    /// How long it has to stay healthy before it counts.
    #[serde(default)]
    pub settle_ms: u64,
    /// When it is not healthy by then, it is given up.
    #[serde(default = "default_within")]
    pub within_ms: u64,
    /// How long one answer may take.
    #[serde(default = "default_timeout")]
    pub timeout_ms: u64,
    /// How often is asked.
    #[serde(default = "default_every")]
    pub every_ms: u64,
}

/// How the new takes the place of the old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Strategy {
    /// One instance after the other.
    #[default]
    Rolling,
    /// All of the new beside the old, then every request at once.
    BlueGreen {
        /// How long the old ones are kept beside, to go back at once.
        #[serde(default)]
        bake_ms: u64,
    },
}

fn one() -> u32 {
    1
}

fn default_port() -> u16 {
    8080
}

fn default_drain() -> u64 {
    30_000
}

fn default_within() -> u64 {
    300_000
}

fn default_timeout() -> u64 {
    5_000
}

fn default_every() -> u64 {
    1_000
}

/// Processes of one service side by side: what settings allow.
const INSTANCES_MAX: u32 = 64;
/// A name becomes a file's.
const NAME_BYTES_MAX: usize = 100;

impl HostConfig {
    /// Reads it from a request; what is wrong with it, in a sentence.
    /// Why the release before could not run any more behind this deployment: a migration that it does
    /// not work with.
    pub(crate) fn barred(request: &ServiceRequest) -> Option<String> {
        request.config[NO_WAY_BACK].as_str().map(str::to_owned)
    }

    pub(crate) fn of(request: &ServiceRequest) -> Result<HostConfig, String> {
        let name = &*request.service;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty()
            || name.len() > NAME_BYTES_MAX
            || name.starts_with('.')
            || !name.bytes().all(is_plain)
        {
            return Err(format!("`{name}` cannot be a service here: letters, digits, - _ and ."));
        }
        let mut config = request.config.clone();
        // It is about this deployment, and not about what runs afterwards: see `barred`.
        config.as_object_mut().and_then(|it| it.shift_remove(NO_WAY_BACK));
        let config: HostConfig = serde_json::from_value(config)
            .map_err(|error| format!("the settings of {name} for this machine: {error}"))?;
        let is_image = request.release.location.is_some();
        if !is_image && config.run.first().is_none_or(String::is_empty) {
            return Err(format!("{name} has no `run`: the program that is the service"));
        }
        if !is_image && config.memory_bytes.is_some() {
            return Err(format!(
                "{name} has `memory`, and nothing holds a process of this machine to it: ship an \
                 image of it (`as: container`), or take `memory` out"
            ));
        }
        if config.instances > INSTANCES_MAX {
            return Err(format!("{name} wants more than {INSTANCES_MAX} instances"));
        }
        if config.test_listen == Some(config.listen) {
            return Err(format!("{name} is tested where it listens: {}", config.listen));
        }
        Ok(config)
    }

    /// How an image of it runs.
    pub(crate) fn container(&self) -> ContainerConfig {
        self.container.clone().unwrap_or_default()
    }

    /// How long an instance must have been healthy.
    pub(crate) fn settle(&self) -> Duration {
        Duration::from_millis(self.health.as_ref().map_or(0, |health| health.settle_ms))
    }

    /// How long it may take until it is healthy, settling not counted.
    pub(crate) fn within(&self) -> Duration {
        let within = self.health.as_ref().map_or_else(default_within, |health| health.within_ms);
        Duration::from_millis(within)
    }

    pub(crate) fn timeout(&self) -> Duration {
        let timeout = self.health.as_ref().map_or_else(default_timeout, |health| health.timeout_ms);
        Duration::from_millis(timeout.max(1))
    }

    /// Between two probes. Where only connections are counted, they cost nothing.
    pub(crate) fn every(&self) -> Duration {
        let every = self.health.as_ref().map_or(100, |health| health.every_ms);
        Duration::from_millis(every.max(10))
    }
}
