//! Another key for all values, while others read and set them.
//!
//! ```text
//!   vault.key   old ──▶ new old ────────────▶ new new old: two keys, the first seals
//!   vault.json  old ────────────▶ new ──────▶ new
//! ```
//!
//! Each arrow is one rename, and between any two of them the keys open every value: whoever is killed leaves what the
//! next rekey takes to its end before it begins. What is set meanwhile waits for the lock; what is set after
//! a kill is sealed by the new key. The old key goes last, once what lies on the disk opens without it.

use std::path::Path;

use super::seal::Keys;
use super::{Contents, Entry, Stored, VERSION, Vault, VaultError};

/// What a change of the key came upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// Secrets that the new key wraps.
    pub secrets: usize,
    /// Whether one that was cut short was taken to its end before.
    pub was_cut_short: bool,
}

/// What puts a file in the place of another, or is killed.
type Replace<'r> = dyn FnMut(&Path, &[u8]) -> Result<(), VaultError> + 'r;

impl Vault {
    /// Wraps every value's key with a new one of the machine; the old one goes. None where no secret was ever
    /// kept.
    ///
    /// # Errors
    /// When a value does not open: nothing is changed then. When the disk takes no more: then the keys
    /// that are there open every value, and the next one goes on.
    pub fn rekey(&self) -> Result<Option<Rekeyed>, VaultError> {
        self.rekey_by(&mut |path, bytes| self.replace(path, bytes))
    }

    pub(super) fn rekey_by(
        &self,
        replace: &mut Replace<'_>,
    ) -> Result<Option<Rekeyed>, VaultError> {
        let Some(_alone) = self.hold()? else { return Ok(None) };
        if !self.key_file().exists() && !self.read()?.entries.iter().any(is_secret) {
            return Ok(None);
        }
        let mut keys = self.keys()?;
        let was_cut_short = keys.are_several();
        if was_cut_short {
            self.go_over_to_first(&keys, replace)?;
            keys = keys.first();
        }
        self.prove(&keys)?;
        let keys = keys.before_them_another().map_err(|why| self.not_sealed(why))?;
        replace(&self.key_file(), &keys.bytes())?;
        let secrets = self.go_over_to_first(&keys, replace)?;
        Ok(Some(Rekeyed { secrets, was_cut_short }))
    }

    /// Wraps everything with the first key, and lets the others go. Back comes how many secrets there are.
    fn go_over_to_first(
        &self,
        keys: &Keys,
        replace: &mut Replace<'_>,
    ) -> Result<usize, VaultError> {
        self.prove(keys)?;
        let entries = self.read()?.entries.into_iter();
        let entries: Result<Vec<Entry>, VaultError> =
            entries.map(|it| self.rewrapped(keys, it)).collect();
        let contents = Contents { version: VERSION, entries: entries? };
        replace(&self.file(), &self.text(&contents))?;
        let first = keys.first();
        let secrets = self.prove(&first)?;
        replace(&self.key_file(), &first.bytes())?;
        Ok(secrets)
    }

    fn rewrapped(&self, keys: &Keys, entry: Entry) -> Result<Entry, VaultError> {
        let sealed = match &entry.value {
            Stored::Plain(_) => return Ok(entry),
            Stored::Enveloped(envelope) => {
                keys.rewrap(entry.about(), envelope).ok_or_else(|| self.sealed(&entry))?
            }
            Stored::Sealed(_) => keys.seal(entry.about(), &self.open(keys, &entry)?),
        };
        let value = Stored::Enveloped(sealed.map_err(|why| self.not_sealed(why))?);
        Ok(Entry { value, ..entry })
    }

    /// That these keys open everything that lies on the disk. Back comes how many secrets that are.
    fn prove(&self, keys: &Keys) -> Result<usize, VaultError> {
        let contents = self.read()?;
        let secrets = contents.entries.iter().filter(|it| is_secret(it));
        secrets.map(|it| self.open(keys, it)).try_fold(0, |count, it| it.map(|_| count + 1))
    }
}

fn is_secret(entry: &Entry) -> bool {
    entry.value.is_secret()
}
