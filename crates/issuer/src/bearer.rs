//! Which job asks: a word that we sealed, and that only we can have made.
//!
//! Nothing is kept for each job. What a word is about stands in it, readable; the seal proves that it is
//! ours. Whether the job is still to have tokens is for the caller to know.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mask::Secret;
use tempfile::NamedTempFile;

use crate::keys::{IssuerError, at};

/// The file of the key, beside those that sign tokens.
const FILE: &str = "bearers.key";
/// Of HMAC-SHA256.
const KEY_BYTES: usize = 32;
/// A word of ours is shorter: a stream, a job's key, a number.
const WORD_BYTES_MAX: usize = 4 << 10;
/// How words of ours begin, so that a leaked one is known for what it is.
const PREFIX: &str = "lwjob_";

/// Seals and opens words. The key is read anew each time: it may be withdrawn while a server runs.
pub struct Bearers(PathBuf);

impl Bearers {
    /// With the key of this folder, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(folder: &Path) -> Result<Bearers, IssuerError> {
        let bearers = Bearers(folder.join(FILE));
        if let Err(error) = new_key(folder)?.persist_noclobber(&bearers.0)
            && error.error.kind() != ErrorKind::AlreadyExists
        {
            return Err(at(&bearers.0, error.error));
        }
        bearers.key()?;
        Ok(bearers)
    }

    /// Whether a folder has a key of theirs.
    ///
    /// # Errors
    /// When it cannot be looked for.
    pub fn are_in(folder: &Path) -> Result<bool, IssuerError> {
        let path = folder.join(FILE);
        path.try_exists().map_err(|source| at(&path, source))
    }

    /// Puts another key in the place of this folder's: whatever was sealed is no word of ours from then on. Says
    /// whether there was one.
    ///
    /// # Errors
    /// When it cannot be written: then the old one holds.
    pub fn replace(folder: &Path) -> Result<bool, IssuerError> {
        if !Bearers::are_in(folder)? {
            return Ok(false);
        }
        let path = folder.join(FILE);
        let new = new_key(folder)?.persist(&path);
        new.map(|_| true).map_err(|error| at(&path, error.error))
    }

    fn key(&self) -> Result<hmac::Key, IssuerError> {
        let bytes = std::fs::read(&self.0).map_err(|source| at(&self.0, source))?;
        if bytes.len() != KEY_BYTES {
            return Err(IssuerError::Broken(self.0.clone()));
        }
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    /// A word about this.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn seal(&self, about: &str) -> Result<Secret, IssuerError> {
        let tag = hmac::sign(&self.key()?, about.as_bytes());
        let encoded = |it: &[u8]| URL_SAFE_NO_PAD.encode(it);
        let word = format!("{PREFIX}{}.{}", encoded(about.as_bytes()), encoded(tag.as_ref()));
        Ok(Secret::new(word))
    }

    /// What a word is about; none where it is not ours.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn open_word(&self, word: &str) -> Result<Option<String>, IssuerError> {
        let Some((about, tag)) = parts(word) else { return Ok(None) };
        let is_ours = hmac::verify(&self.key()?, &about, &tag).is_ok();
        Ok(is_ours.then(|| String::from_utf8(about).ok()).flatten())
    }
}

/// What it is about, and its seal.
fn parts(word: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let (about, tag) = word.strip_prefix(PREFIX)?.split_once('.')?;
    URL_SAFE_NO_PAD.decode(about).ok().zip(URL_SAFE_NO_PAD.decode(tag).ok())
}

/// A new key on the disk, for its owner alone, under no name yet.
fn new_key(folder: &Path) -> Result<NamedTempFile, IssuerError> {
    let failed = |source| at(folder, source);
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| IssuerError::Cryptography)?;
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(file)
}
