//! What shall run, and what does: the two files between a deployment and the supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use event::Release;
use serde::{Deserialize, Serialize};

use crate::config::HostConfig;

/// What shall run of one service. Written by deployments, read by the supervisor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// By its key: the deployment that brought it.
    pub(crate) sets: BTreeMap<String, Set>,
    /// Those that shall live.
    pub(crate) instances: BTreeSet<InstanceName>,
}

/// Instances of one release, started alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Set {
    /// The release.
    pub(crate) release: Release,
    /// How it is run.
    pub(crate) config: HostConfig,
}

impl Set {
    /// Where its image comes from; none where it is a bundle.
    pub(crate) fn location(&self) -> Option<&str> {
        self.release.location.as_deref()
    }

    /// The instances that it has under a key.
    pub(crate) fn instances(&self, key: &str) -> Vec<InstanceName> {
        let name = |index| InstanceName { set: key.to_owned(), index };
        (0..self.config.instances).map(name).collect()
    }
}

/// One instance of a service: its set and its number there, `7.0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct InstanceName {
    pub(crate) set: String,
    pub(crate) index: u32,
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.set, self.index)
    }
}

impl From<InstanceName> for String {
    fn from(name: InstanceName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for InstanceName {
    type Error = NoInstanceName;

    fn try_from(text: String) -> Result<InstanceName, NoInstanceName> {
        text.parse()
    }
}

impl FromStr for InstanceName {
    type Err = NoInstanceName;

    fn from_str(text: &str) -> Result<InstanceName, NoInstanceName> {
        let (set, index) = text.rsplit_once('.').ok_or(NoInstanceName)?;
        let index = index.parse().map_err(|_| NoInstanceName)?;
        Ok(InstanceName { set: set.to_owned(), index })
    }
}

/// A text that names no instance.
#[derive(Debug, thiserror::Error)]
#[error("no name of an instance")]
pub(crate) struct NoInstanceName;

/// What runs. Written by the supervisor alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Which start of the machine this is about: process ids of another one mean nobody.
    pub(crate) boot: String,
    /// Listeners that the supervisor holds a copy of: they outlive the proxy.
    #[serde(default)]
    pub(crate) held: BTreeSet<SocketAddr>,
    /// By service and instance.
    pub(crate) services: BTreeMap<String, BTreeMap<InstanceName, InstanceState>>,
}

impl State {
    pub(crate) fn instance(&self, service: &str, name: &InstanceName) -> Option<&InstanceState> {
        self.services.get(service)?.get(name)
    }
}

/// One instance, as it is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct InstanceState {
    /// Where it listens; kept over restarts, so that routes stay true.
    pub(crate) port: u16,
    /// Its process; none before it started and after it ended.
    #[serde(default)]
    pub(crate) process: Option<ProcessId>,
    /// When it was started last, in milliseconds since 1970.
    pub(crate) started_ms: u64,
    /// Since when every answer to a probe was good.
    #[serde(default)]
    pub(crate) healthy_since_ms: Option<u64>,
    /// What the last probe saw, where that was not good.
    #[serde(default)]
    pub(crate) probe: Option<String>,
    /// It was healthy for as long as it must be, once. Only then it is started again when it ends.
    #[serde(default)]
    pub(crate) was_ready: bool,
    /// How it ended last.
    #[serde(default)]
    pub(crate) ended: Option<Ended>,
    /// How often it was started again since it last ran well for a while.
    #[serde(default)]
    pub(crate) restarts: u32,
    /// Why it could not be started.
    #[serde(default)]
    pub(crate) problem: Option<String>,
    /// It is on its way out.
    #[serde(default)]
    pub(crate) is_ending: bool,
    /// Its container; none of an instance that is a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<ContainerState>,
    /// What its engine does not do yet, for what it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<String>,
}

/// A container, the one that runs or ran last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainerState {
    /// Where its engine listens.
    pub(crate) socket: PathBuf,
    /// As the engine knows it.
    pub(crate) id: String,
    /// Its first process; 0 while it does not run.
    #[serde(default)]
    pub(crate) pid: i32,
    pub(crate) runs: bool,
}

impl InstanceState {
    /// Whether something of it runs.
    pub(crate) fn runs(&self) -> bool {
        self.process.is_some() || self.container.as_ref().is_some_and(|it| it.runs)
    }
}

/// A process that cannot be mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    /// When it was started, in the kernel's ticks since the machine was.
    pub(crate) start: u64,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Its exit code.
    #[serde(default)]
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    #[serde(default)]
    pub(crate) signal: Option<i32>,
    /// When.
    pub(crate) at_ms: u64,
    /// It wanted more memory than it may have.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) out_of_memory: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// 128 and the number of SIGKILL.
const KILLED: i32 = 137;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) if self.out_of_memory => {
                write!(f, "exit code {code}: out of memory, ended by the kernel")
            }
            // As a shell and an engine tell of a signal.
            (Some(KILLED), _) => write!(f, "exit code {KILLED}: SIGKILL"),
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            // A supervisor that adopted it is not its parent, and is not told.
            (None, None) => f.write_str("an exit code that nobody was left to hear"),
        }
    }
}
