//! Secrets and variables that a person keeps on this machine, by repository and environment.
//!
//! ```text
//!   vault.key     32 random bytes, for their owner alone; while values go over to another key, both
//!   vault.json    names as they are; values of secrets in envelopes (`seal.rs`), bound to their names
//!   vault.lock    held while something is changed
//! ```
//!
//! At every moment the keys open every value (`rekey.rs`). Whoever reads holds no lock, so it looks at the
//! values again once it has the keys: where they are the same, the keys are theirs.
//!
//! Key and values lie in one folder, so this guards against what is read or copied by accident (an
//! editor, a log, a backup without the key), and not against somebody who may read all files of the
//! person. A sealed value moved to another name or environment does not open.

mod files;
mod rekey;
mod seal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use event::Timestamp;
use mask::Secret;
use serde::{Deserialize, Serialize};

pub use self::files::VaultHeld;
pub use self::rekey::Rekeyed;
use self::seal::{About, Envelope, Keys};

/// Entries of all repositories together: a person keeps some hundred.
const ENTRIES_MAX: usize = 10_000;
/// How the file is written: version 1 had no envelopes.
const VERSION: u32 = 2;
/// Changes during one look, after which what was read is used as it is: each took somebody two writes to the
/// disk, and the look takes none.
const CHANGES_MAX: u32 = 16;

/// Why the vault did not give or take something. No value stands in it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk.
    #[error("{path} cannot be used")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not one of ours.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key does not open what was sealed with another.
    #[error("the value of {name}, kept for {scope}, cannot be opened with {key}")]
    Sealed {
        /// Whose.
        name: String,
        /// For whom.
        scope: Scope,
        /// With which file.
        key: PathBuf,
    },
    /// Too many.
    #[error("{count} secrets and variables are more than {ENTRIES_MAX}")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl VaultError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            VaultError::Sealed { .. } => Some(
                "the key was replaced by hand, or the value altered: set it again, or take both files from one backup",
            ),
            VaultError::Damaged { .. } => {
                Some("take it from a backup, or remove it and set the values again")
            }
            VaultError::Io { .. } | VaultError::TooMany { .. } => None,
        }
    }
}

/// For whom a value is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// The repository: what a clone is known by, `github.com/octo/planner`; at a server the name that it is
    /// connected under, `octo/planner`.
    pub repository: String,
    /// Only jobs and deployments of this environment; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.environment {
            Some(environment) => write!(f, "{environment} of {}", self.repository),
            None => f.write_str(&self.repository),
        }
    }
}

/// What is kept of a name, but for a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// For whom.
    pub scope: Scope,
    /// Its name.
    pub name: String,
    /// The value of a variable; none of a secret's.
    pub variable: Option<String>,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom, where that was said.
    pub set_by: Option<String>,
    /// When it shall be another.
    pub rotate_by: Option<Timestamp>,
}

/// What is to be kept.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Sealed.
    Secret(&'a Secret),
    /// As it is.
    Variable(&'a str),
}

/// The secrets and variables of this machine.
#[derive(Clone, Debug)]
pub struct Vault {
    folder: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    scope: Scope,
    name: String,
    #[serde(flatten)]
    value: Stored,
    set_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotate_by: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set_by: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    /// A secret.
    Enveloped(Envelope),
    /// A secret as version 1 wrote it: nonce and bytes sealed by the machine's key itself, in hex.
    Sealed(String),
    /// A variable.
    Plain(String),
}

impl Stored {
    fn is_secret(&self) -> bool {
        !matches!(self, Stored::Plain(_))
    }
}

impl Entry {
    fn is(&self, scope: &Scope, name: &str, secret: bool) -> bool {
        self.scope == *scope && self.name == name && self.value.is_secret() == secret
    }

    fn about(&self) -> About<'_> {
        About { scope: &self.scope, name: &self.name }
    }

    fn kept(&self) -> Kept {
        Kept {
            scope: self.scope.clone(),
            name: self.name.clone(),
            variable: match &self.value {
                Stored::Plain(text) => Some(text.clone()),
                Stored::Enveloped(_) | Stored::Sealed(_) => None,
            },
            set_at: self.set_at,
            rotate_by: self.rotate_by,
            set_by: self.set_by.clone(),
        }
    }
}

impl Vault {
    /// The vault in a folder; nothing is made until something is set.
    pub fn in_folder(folder: &Path) -> Vault {
        Vault { folder: folder.to_owned() }
    }

    /// What is kept of a repository, by environment and name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self, repository: &str) -> Result<Vec<Kept>, VaultError> {
        let contents = self.read()?;
        let own = contents.entries.iter().filter(|it| it.scope.repository == repository);
        let mut kept: Vec<Kept> = own.map(Entry::kept).collect();
        kept.sort_by(|one, other| (&one.scope, &one.name).cmp(&(&other.scope, &other.name)));
        Ok(kept)
    }

    /// The secrets of a repository, those of an environment before those of all.
    ///
    /// # Errors
    /// When it cannot be read, or one does not open.
    pub fn secrets(
        &self,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<BTreeMap<String, Secret>, VaultError> {
        self.open_all(|all| of(all, repository, environment))
    }

    /// The secrets of an environment alone.
    ///
    /// # Errors
    /// When it cannot be read, or one does not open.
    pub fn secrets_of(
        &self,
        repository: &str,
        environment: &str,
    ) -> Result<BTreeMap<String, Secret>, VaultError> {
        self.open_all(|all| {
            let mut entries = of(all, repository, Some(environment));
            entries.retain(|it| it.scope.environment.is_some());
            entries
        })
    }

    /// The secrets among those that are chosen, the later ones in the place of the earlier.
    fn open_all(
        &self,
        choose: impl Fn(Vec<Entry>) -> Vec<Entry>,
    ) -> Result<BTreeMap<String, Secret>, VaultError> {
        let mut bytes = self.bytes()?;
        let mut changes = 0;
        loop {
            let mut entries = choose(self.parse(bytes.as_deref())?.entries);
            entries.retain(|it| it.value.is_secret());
            if entries.is_empty() {
                return Ok(BTreeMap::new());
            }
            let keys = self.keys()?;
            let again = self.bytes()?;
            if again == bytes || changes == CHANGES_MAX {
                let open = |it: Entry| Ok((it.name.clone(), self.open(&keys, &it)?));
                return entries.into_iter().map(open).collect();
            }
            bytes = again;
            changes += 1;
        }
    }

    fn open(&self, keys: &Keys, entry: &Entry) -> Result<Secret, VaultError> {
        let secret = match &entry.value {
            Stored::Enveloped(envelope) => keys.open(entry.about(), envelope),
            Stored::Sealed(sealed) => keys.open_bare(entry.about(), sealed),
            Stored::Plain(_) => unreachable!("only secrets are opened"),
        };
        secret.ok_or_else(|| self.sealed(entry))
    }

    /// The variables of a repository, those of an environment before those of all.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn variables(
        &self,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<BTreeMap<String, String>, VaultError> {
        let mut variables = BTreeMap::new();
        for entry in of(self.read()?.entries, repository, environment) {
            if let Stored::Plain(text) = entry.value {
                variables.insert(entry.name, text);
            }
        }
        Ok(variables)
    }

    /// Keeps a value, in the place of the one before. Back comes whether there was one.
    ///
    /// # Errors
    /// When it cannot be kept; what was there before is there still.
    pub fn set(
        &self,
        scope: &Scope,
        name: &str,
        value: Value<'_>,
        when: (Timestamp, Option<Timestamp>),
    ) -> Result<bool, VaultError> {
        self.set_by(scope, name, value, when, None)
    }

    /// The same, with who did it.
    ///
    /// # Errors
    /// When it cannot be kept; what was there before is there still.
    pub fn set_by(
        &self,
        scope: &Scope,
        name: &str,
        value: Value<'_>,
        (at, rotate_by): (Timestamp, Option<Timestamp>),
        by: Option<&str>,
    ) -> Result<bool, VaultError> {
        fs::create_dir_all(&self.folder).map_err(|error| files::io(&self.folder, error))?;
        let _alone = self.lock()?;
        let mut contents = self.read()?;
        let secret = matches!(value, Value::Secret(_));
        let before = contents.entries.len();
        contents.entries.retain(|it| !it.is(scope, name, secret));
        let was_there = contents.entries.len() < before;
        if contents.entries.len() >= ENTRIES_MAX {
            return Err(VaultError::TooMany { count: contents.entries.len() + 1 });
        }
        let value = match value {
            Value::Variable(text) => Stored::Plain(text.to_owned()),
            Value::Secret(secret) => {
                let sealed = self.keys_or_new()?.seal(About { scope, name }, secret);
                Stored::Enveloped(sealed.map_err(|why| self.not_sealed(why))?)
            }
        };
        let (scope, name) = (scope.clone(), name.to_owned());
        let set_by = by.map(str::to_owned);
        contents.entries.push(Entry { scope, name, value, set_at: at, rotate_by, set_by });
        self.write(&contents)?;
        Ok(was_there)
    }

    /// Forgets a secret, or a variable. Back comes whether there was one.
    ///
    /// # Errors
    /// When it cannot be forgotten.
    pub fn remove(&self, scope: &Scope, name: &str, secret: bool) -> Result<bool, VaultError> {
        if !self.folder.exists() {
            return Ok(false);
        }
        let _alone = self.lock()?;
        let mut contents = self.read()?;
        let before = contents.entries.len();
        contents.entries.retain(|it| !it.is(scope, name, secret));
        let was_there = contents.entries.len() < before;
        if was_there {
            self.write(&contents)?;
        }
        Ok(was_there)
    }

    /// Keeps for one repository what was kept for another. What the one has already stays as it is, and the
    /// other's of that name goes. Back comes what was taken over.
    ///
    /// # Errors
    /// When it cannot be kept, or a secret does not open; everything is as it was then.
    pub fn take_over(&self, from: &str, to: &str) -> Result<Vec<Kept>, VaultError> {
        if from == to || self.list(from)?.is_empty() {
            return Ok(Vec::new());
        }
        let _alone = self.lock()?;
        let mut contents = self.read()?;
        let is_old = |it: &Entry| it.scope.repository == from;
        let (old, mut entries): (Vec<Entry>, Vec<Entry>) =
            contents.entries.into_iter().partition(is_old);
        let mut taken = Vec::new();
        for entry in old {
            let environment = entry.scope.environment.clone();
            let scope = Scope { repository: to.to_owned(), environment };
            if entries.iter().any(|it| it.is(&scope, &entry.name, entry.value.is_secret())) {
                continue;
            }
            let value = match &entry.value {
                Stored::Plain(text) => Stored::Plain(text.clone()),
                Stored::Enveloped(_) | Stored::Sealed(_) => {
                    let keys = self.keys()?;
                    let secret = self.open(&keys, &entry)?;
                    let about = About { scope: &scope, name: &entry.name };
                    let sealed = keys.seal(about, &secret);
                    Stored::Enveloped(sealed.map_err(|why| self.not_sealed(why))?)
                }
            };
            let entry = Entry { scope, value, ..entry };
            taken.push(entry.kept());
            entries.push(entry);
        }
        contents.entries = entries;
        self.write(&contents)?;
        Ok(taken)
    }
}

/// Those of all environments first, so that the environment's own come over them.
fn of(mut entries: Vec<Entry>, repository: &str, environment: Option<&str>) -> Vec<Entry> {
    entries.retain(|it| {
        let own = it.scope.environment.as_deref();
        it.scope.repository == repository && (own.is_none() || is_same(own, environment))
    });
    entries.sort_by_key(|it| it.scope.environment.is_some());
    entries
}

/// Names of environments are the same in any case, as on GitHub.
fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}
