//! The keys: files that only their owner reads, and a list that says since when each is there.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mask::Secret;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::claims::{Claims, LIVES_SECONDS};
use crate::{public, token};

/// A key signs from so long after it was published: who trusts us may keep the old list for a while.
const PUBLISHED_FIRST_SECONDS: u64 = 24 * 3600;
/// A key stays published so long after it signed last.
const PUBLISHED_AFTER_SECONDS: u64 = 86_400 + LIVES_SECONDS;
/// The list of the keys.
const LIST: &str = "keys.json";

/// Why there is no token, or no key.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A file of the keys' folder.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not what we wrote.
    #[error("{} is not what was written there", .0.display())]
    Broken(PathBuf),
    /// A private key that others can read.
    #[error("{} can be read by others than its owner: chmod 600, and rotate the key", .0.display())]
    Open(PathBuf),
    /// The library of cryptography refuses.
    #[error("no key could be made, or none could sign")]
    Cryptography,
}

/// A key of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Its name in tokens and in the key set.
    id: String,
    /// Since when it is published, in seconds since 1970.
    since: u64,
}

/// The keys of an issuer, in a folder of their own.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// Those of this folder. The first key is made where there is none; it signs at once.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open(folder: &Path, now: u64) -> Result<Keys, IssuerError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| at(folder, source))?;
        let keys = Keys { folder: folder.to_owned() };
        let _lock = keys.lock()?;
        if keys.list()?.is_empty() {
            keys.add(now)?;
        }
        Ok(keys)
    }

    /// Adds a key. It is published from now on and signs in a day; older ones go when nobody can
    /// have a token of theirs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rotate(&self, now: u64) -> Result<(), IssuerError> {
        let _lock = self.lock()?;
        self.add(now)?;
        let keys = self.list()?;
        let (stay, go): (Vec<_>, Vec<_>) =
            keys.iter().cloned().partition(|it| is_published(&keys, it, now));
        self.write_list(&stay)?;
        for key in go {
            let path = self.path(&key.id);
            std::fs::remove_file(&path).map_err(|source| at(&path, source))?;
        }
        Ok(())
    }

    /// Adds a key that signs at once, and withdraws every other: whatever they signed proves nothing to who reads
    /// the key set from now on. Gives the names of those that went.
    ///
    /// # Errors
    /// When it cannot be written. What is not said to be gone may be there still: it is done again.
    pub fn replace(&self, now: u64) -> Result<Vec<String>, IssuerError> {
        let _lock = self.lock()?;
        self.add(now)?;
        let mut gone = self.list()?;
        let newest = gone.pop().ok_or_else(|| IssuerError::Broken(self.folder.join(LIST)))?;
        self.write_list(&[newest])?;
        for key in &gone {
            let path = self.path(&key.id);
            std::fs::remove_file(&path).map_err(|source| at(&path, source))?;
        }
        Ok(gone.into_iter().map(|it| it.id).collect())
    }

    /// Adds a key where the newest is older than so many seconds. Says whether one was added.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn rotate_older(&self, now: u64, seconds: u64) -> Result<bool, IssuerError> {
        let newest = self.list()?.last().map_or(0, |it| it.since);
        // Where two look at once, two keys are added: both are published before they sign.
        if now.saturating_sub(newest) < seconds {
            return Ok(false);
        }
        self.rotate(now).map(|()| true)
    }

    /// The names of the published keys, oldest first, and whether each is the one that signs.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn published(&self, now: u64) -> Result<Vec<(String, bool)>, IssuerError> {
        let keys = self.list()?;
        let signs = signing(&keys, now).map(|it| it.id.clone());
        let published = keys.iter().filter(|it| is_published(&keys, it, now));
        Ok(published.map(|it| (it.id.clone(), Some(&it.id) == signs.as_ref())).collect())
    }

    /// The key set that is published now.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn key_set(&self, now: u64) -> Result<Json, IssuerError> {
        let keys = self.published(now)?;
        let each = keys.iter().map(|(id, _)| {
            let key = self.read(id)?;
            public::key(id, key.public_key().as_ref())
                .ok_or_else(|| IssuerError::Broken(self.path(id)))
        });
        Ok(serde_json::json!({ "keys": each.collect::<Result<Vec<_>, _>>()? }))
    }

    /// A token with these claims, good for five minutes.
    ///
    /// # Errors
    /// When there is no key that signs.
    pub fn token(&self, claims: &Claims, now: u64) -> Result<Secret, IssuerError> {
        self.issue(claims, now).map(|(token, _)| token)
    }

    /// The same, with the token's own id (`jti`), by which it can be named without being shown.
    ///
    /// # Errors
    /// As [`Keys::token`].
    pub fn issue(&self, claims: &Claims, now: u64) -> Result<(Secret, String), IssuerError> {
        let keys = self.list()?;
        let key = signing(&keys, now).ok_or_else(|| IssuerError::Broken(self.folder.join(LIST)))?;
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| IssuerError::Cryptography)?;
        let id = URL_SAFE_NO_PAD.encode(bytes);
        let said = claims.json(&id, now);
        Ok((token::signed(&said, &key.id, &self.read(&key.id)?)?, id))
    }

    fn add(&self, now: u64) -> Result<(), IssuerError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| IssuerError::Cryptography)?;
        let hash = Sha256::digest(pair.public_key().as_ref());
        let id = URL_SAFE_NO_PAD.encode(&hash[..12]);
        let written: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| IssuerError::Cryptography)?;
        let path = self.path(&id);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(|source| at(&path, source))?;
        file.write_all(written.as_ref()).map_err(|source| at(&path, source))?;
        file.sync_all().map_err(|source| at(&path, source))?;
        let mut keys = self.list()?;
        keys.push(Listed { id, since: now });
        self.write_list(&keys)
    }

    fn read(&self, id: &str) -> Result<KeyPair, IssuerError> {
        let path = self.path(id);
        let about = std::fs::metadata(&path).map_err(|source| at(&path, source))?;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(IssuerError::Open(path));
        }
        let bytes = std::fs::read(&path).map_err(|source| at(&path, source))?;
        KeyPair::from_pkcs8(&bytes).map_err(|_| IssuerError::Broken(path))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.key"))
    }

    fn list(&self) -> Result<Vec<Listed>, IssuerError> {
        let path = self.folder.join(LIST);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| IssuerError::Broken(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(at(&path, source)),
        }
    }

    fn write_list(&self, keys: &[Listed]) -> Result<(), IssuerError> {
        let path = self.folder.join(LIST);
        let text = serde_json::to_string_pretty(keys).expect("it has text keys only");
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)
            .map_err(|source| at(&self.folder, source))?;
        file.write_all(text.as_bytes()).map_err(|source| at(&path, source))?;
        file.as_file().sync_all().map_err(|source| at(&path, source))?;
        file.persist(&path).map_err(|error| at(&path, error.error))?;
        Ok(())
    }

    /// One at a time adds keys.
    fn lock(&self) -> Result<File, IssuerError> {
        let path = self.folder.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| at(&path, source))?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| at(&path, error.into()))?;
        Ok(file)
    }
}

pub(crate) fn at(path: &Path, source: std::io::Error) -> IssuerError {
    IssuerError::File { path: path.to_owned(), source }
}

/// When a key begins to sign: the first at once.
fn signs_from(keys: &[Listed], index: usize) -> u64 {
    if index == 0 { 0 } else { keys[index].since + PUBLISHED_FIRST_SECONDS }
}

fn signing(keys: &[Listed], now: u64) -> Option<&Listed> {
    let last = (0..keys.len()).rev().find(|index| signs_from(keys, *index) <= now)?;
    keys.get(last)
}

/// Until a day after the next one has begun to sign.
fn is_published(keys: &[Listed], key: &Listed, now: u64) -> bool {
    let index = keys.iter().position(|it| it == key);
    let next = index.map(|it| it + 1).filter(|it| *it < keys.len());
    next.is_none_or(|next| now < signs_from(keys, next) + PUBLISHED_AFTER_SECONDS)
}
