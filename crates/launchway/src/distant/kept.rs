//! Secrets and variables of a server's repositories: what a server tells of them, and what it is told.

use event::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use server::{KeptKind, NamedValue, Reason, SyncDone, SyncOrder, SyncPlan, SyncWish};

use super::deeds::add;
use super::{Client, percent};
use crate::exit::{Exit, Failure};
use crate::serving::repositories::checked_name;

/// What a server keeps for a repository, and what is read there.
#[derive(Debug, Deserialize)]
pub(crate) struct KeptThere {
    pub(crate) kept: Vec<KeptLine>,
    /// Nothing from a server of an earlier version.
    #[serde(default)]
    pub(crate) named: Vec<NamedLine>,
    /// Why it is not known what messages read.
    #[serde(default)]
    pub(crate) messages_not_known: Option<String>,
}

/// A secret or a variable that is kept there.
#[derive(Debug, Deserialize)]
pub(crate) struct KeptLine {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) environment: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) set_at_ms: Timestamp,
    pub(crate) rotate_by_ms: Option<Timestamp>,
}

/// A name that its workflows or messages read, and whether anybody set it.
#[derive(Debug, Deserialize)]
pub(crate) struct NamedLine {
    kind: String,
    name: String,
    environment: Option<String>,
    used_at: String,
    /// None from a server of an earlier version, which leaves that to whoever asks.
    is_missing: Option<bool>,
}

impl NamedLine {
    /// None of a kind that only a later version knows.
    pub(crate) fn read(self, kept: &[KeptLine]) -> Option<NamedValue> {
        let NamedLine { kind, name, environment, used_at, is_missing } = self;
        let is_kept = || kept.iter().any(|it| it.kind == kind && it.name == name);
        let is_missing = is_missing.unwrap_or_else(|| !is_kept());
        Some(NamedValue { kind: KeptKind::of(&kind)?, name, environment, used_at, is_missing })
    }
}

/// One of them, as addresses name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptKey<'k> {
    /// `secrets` or `variables`
    pub(crate) kind: &'static str,
    pub(crate) name: &'k str,
    /// Only for jobs of this environment.
    pub(crate) environment: Option<&'k str>,
}

impl Client {
    /// What is kept for a repository.
    pub(crate) fn kept(&self, repository: &str) -> Result<KeptThere, Failure> {
        self.get(&format!("{}/kept", of(repository)?))
    }

    /// Keeps a value.
    pub(crate) fn keep(
        &self,
        repository: &str,
        key: KeptKey<'_>,
        value: &str,
        (rotate_by, reason): (Option<&str>, &Reason),
    ) -> Result<(), Failure> {
        let mut body =
            json!({ "value": value, "environment": key.environment, "rotate_by": rotate_by });
        add(&mut body, reason);
        self.put(&key.path(repository)?, &body).map(drop)
    }

    /// What the server would put into GitHub's secrets and variables.
    pub(crate) fn plan_sync(&self, repository: &str, wish: &SyncWish) -> Result<SyncPlan, Failure> {
        read(self.post(&format!("{}/kept/github/plan", of(repository)?), None, &json!(wish))?)
    }

    /// Has it put some of them there.
    pub(crate) fn sync(&self, repository: &str, order: &SyncOrder) -> Result<SyncDone, Failure> {
        read(self.post(&format!("{}/kept/github", of(repository)?), None, &json!(order))?)
    }

    /// Forgets one.
    pub(crate) fn forget(
        &self,
        repository: &str,
        key: KeptKey<'_>,
        reason: &Reason,
    ) -> Result<(), Failure> {
        let only = key.environment.map(|it| format!("?environment={}", percent(it)));
        let path = format!("{}{}", key.path(repository)?, only.unwrap_or_default());
        self.delete(&path, reason).map(drop)
    }
}

impl KeptKey<'_> {
    fn path(&self, repository: &str) -> Result<String, Failure> {
        Ok(format!("{}/kept/{}/{}", of(repository)?, self.kind, percent(self.name)))
    }
}

fn read<T: for<'d> Deserialize<'d>>(answer: Json) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| Failure::caused(Exit::Missing, error))
}

/// Where a repository is found: what could not stand there is no name of one.
pub(super) fn of(repository: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/repositories/{}", checked_name(repository)?))
}
