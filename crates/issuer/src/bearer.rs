//! Which job asks: a word that we sealed, and that only we can have made.
//!
//! Nothing is kept for each job. What a word is about stands in it, readable; the seal proves that it is
//! ours. Whether the job is still to have tokens is for the caller to know.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mask::Secret;

use crate::keys::{IssuerError, at};

/// The file of the key, beside those that sign tokens.
const FILE: &str = "bearers.key";
/// Of HMAC-SHA256.
const KEY_BYTES: usize = 32;
/// A word of ours is shorter: a stream, a job's key, a number.
const WORD_BYTES_MAX: usize = 4 << 10;
/// How words of ours begin, so that a leaked one is known for what it is.
const PREFIX: &str = "lwjob_";

/// Seals and opens words.
pub struct Bearers(hmac::Key);

impl Bearers {
    /// With the key of this folder, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(folder: &Path) -> Result<Bearers, IssuerError> {
        let path = folder.join(FILE);
        let failed = |source| at(&path, source);
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| IssuerError::Cryptography)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Ok(mut file) => {
                file.write_all(&bytes).map_err(failed)?;
                file.sync_all().map_err(failed)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let mut file = std::fs::File::open(&path).map_err(failed)?;
                file.read_exact(&mut bytes).map_err(|_| IssuerError::Broken(path.clone()))?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Bearers(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A word about this.
    pub fn seal(&self, about: &str) -> Secret {
        let tag = hmac::sign(&self.0, about.as_bytes());
        let encoded = |it: &[u8]| URL_SAFE_NO_PAD.encode(it);
        Secret::new(format!("{PREFIX}{}.{}", encoded(about.as_bytes()), encoded(tag.as_ref())))
    }

    /// What a word is about; none where it is not ours.
    pub fn open_word(&self, word: &str) -> Option<String> {
        if word.len() > WORD_BYTES_MAX {
            return None;
        }
        let (about, tag) = word.strip_prefix(PREFIX)?.split_once('.')?;
        let (about, tag) = (URL_SAFE_NO_PAD.decode(about).ok()?, URL_SAFE_NO_PAD.decode(tag).ok()?);
        hmac::verify(&self.0, &about, &tag).ok()?;
        String::from_utf8(about).ok()
    }
}
