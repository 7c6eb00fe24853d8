//! Secrets and variables that GitHub keeps for the jobs that it runs: what is there, and what is put there.
//!
//! Of a secret GitHub says its name and since when it has its value, and never the value.

use std::fmt;

use event::Timestamp;
use mask::Secret;
use serde_json::{Value as Json, json};
use views::moment_of;

use crate::api::{Answered, ForgeError, GitHub, Method};
use crate::seal::SealingKey;

/// Entries of a page of variables: GitHub gives no more at once.
const VARIABLES_PAGE: usize = 30;
/// And of secrets.
const SECRETS_PAGE: usize = 100;

/// What is kept of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    /// Nobody is shown it.
    Secret,
    /// Everybody is.
    Variable,
}

impl ValueKind {
    /// `secret`
    pub fn word(self) -> &'static str {
        match self {
            ValueKind::Secret => "secret",
            ValueKind::Variable => "variable",
        }
    }
}

/// Which value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId {
    /// For jobs of this environment; none for all of the repository.
    pub environment: Option<String>,
    /// What is kept of it.
    pub kind: ValueKind,
    /// Its name, in capitals.
    pub name: String,
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)?;
        match &self.environment {
            Some(environment) => write!(f, " ({environment})"),
            None => Ok(()),
        }
    }
}

/// A value that GitHub has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThereValue {
    /// Which.
    pub id: ValueId,
    /// Since when it is the value that it is.
    pub since: Timestamp,
    /// A variable's value.
    pub variable: Option<String>,
}

impl GitHub {
    /// What GitHub keeps for a repository, or for one of its environments; none where it has no such environment.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn values(
        &self,
        repository: &str,
        environment: Option<&str>,
        kind: ValueKind,
    ) -> Result<Option<Vec<ThereValue>>, ForgeError> {
        let path = path(environment, kind);
        let (list, page) = match kind {
            ValueKind::Secret => ("secrets", SECRETS_PAGE),
            ValueKind::Variable => ("variables", VARIABLES_PAGE),
        };
        let all = match self.pages(repository, &path, Some(list), page) {
            Err(ForgeError::Absent { .. }) if environment.is_some() => return Ok(None),
            all => all?,
        };
        let read = |it: &Json| {
            let name = it["name"].as_str()?.to_uppercase();
            let id = ValueId { environment: environment.map(str::to_owned), kind, name };
            let variable = it["value"].as_str().map(str::to_owned);
            Some(ThereValue { id, since: moment_of(&it["updated_at"])?, variable })
        };
        let read: Option<Vec<ThereValue>> = all.iter().map(read).collect();
        let what = format!("GET {repository}{path}");
        read.map(Some).ok_or_else(|| self.unreadable(&what))
    }

    /// The key that values for a repository are sealed with, or for one of its environments.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn sealing_key(
        &self,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<SealingKey, ForgeError> {
        let path = format!("{}/public-key", path(environment, ValueKind::Secret));
        let Answered { json, .. } = self.ask(Method::Get, repository, &path, None)?;
        SealingKey::read(&json).ok_or_else(|| self.unreadable(&format!("GET {repository}{path}")))
    }

    /// Puts a secret there, in the place of the one before.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn put_secret(
        &self,
        repository: &str,
        (environment, name): (Option<&str>, &str),
        value: &Secret,
        key: &SealingKey,
    ) -> Result<(), ForgeError> {
        let path = format!("{}/{name}", path(environment, ValueKind::Secret));
        let body = json!({ "encrypted_value": key.seal(value)?, "key_id": key.id });
        self.ask(Method::Put, repository, &path, Some(&body)).map(drop)
    }

    /// Puts a variable there that is new; where somebody was faster, in the place of theirs.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn add_variable(
        &self,
        repository: &str,
        id: (Option<&str>, &str),
        value: &str,
    ) -> Result<(), ForgeError> {
        match self.say_variable(Method::Post, repository, id, value) {
            Err(ForgeError::Refused { status: 409, .. }) => {
                self.say_variable(Method::Patch, repository, id, value)
            }
            added => added,
        }
    }

    /// Puts a variable there in the place of the one before; where somebody took that away, as a new one.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn change_variable(
        &self,
        repository: &str,
        id: (Option<&str>, &str),
        value: &str,
    ) -> Result<(), ForgeError> {
        match self.say_variable(Method::Patch, repository, id, value) {
            Err(ForgeError::Absent { .. }) => {
                self.say_variable(Method::Post, repository, id, value)
            }
            changed => changed,
        }
    }

    fn say_variable(
        &self,
        method: Method,
        repository: &str,
        (environment, name): (Option<&str>, &str),
        value: &str,
    ) -> Result<(), ForgeError> {
        let path = path(environment, ValueKind::Variable);
        let path = if method == Method::Patch { format!("{path}/{name}") } else { path };
        let body = json!({ "name": name, "value": value });
        self.ask(method, repository, &path, Some(&body)).map(drop)
    }

    /// Makes an environment, without any rule. It must not be there: this would take its rules away.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn make_environment(&self, repository: &str, name: &str) -> Result<(), ForgeError> {
        let path = format!("/environments/{}", escaped(name));
        self.ask(Method::Put, repository, &path, Some(&json!({}))).map(drop)
    }
}

fn path(environment: Option<&str>, kind: ValueKind) -> String {
    let kind = match kind {
        ValueKind::Secret => "secrets",
        ValueKind::Variable => "variables",
    };
    match environment {
        Some(environment) => format!("/environments/{}/{kind}", escaped(environment)),
        None => format!("/actions/{kind}"),
    }
}

/// A name as a part of a path: those of environments may have blanks and slashes.
fn escaped(name: &str) -> String {
    let one = |it: u8| match it {
        it if it.is_ascii_alphanumeric() || b"-_~".contains(&it) => char::from(it).to_string(),
        it => format!("%{it:02X}"),
    };
    name.bytes().map(one).collect()
}
