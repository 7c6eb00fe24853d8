//! Sealing values: AES-256-GCM under a key of this machine, each bound to what it is the value of.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use mask::Secret;

use super::{Scope, VaultError};

/// Bytes of the key.
pub(super) const KEY_LEN: usize = 32;

/// Whose value is sealed: it opens under these alone.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) scope: &'a Scope,
    pub(super) name: &'a str,
}

impl About<'_> {
    fn bytes(self) -> Aad<Vec<u8>> {
        let Scope { repository, environment } = self.scope;
        let about = serde_json::json!(["launchway vault", 1, repository, environment, self.name]);
        Aad::from(about.to_string().into_bytes())
    }
}

/// The file that the key lies in.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
}

impl KeyFile {
    /// Nonce and sealed bytes, in hex. The key is made where there is none.
    pub(super) fn seal(&self, about: About<'_>, secret: &Secret) -> Result<String, VaultError> {
        if !self.path.exists() {
            self.make()?;
        }
        let mut bytes = secret.expose().as_bytes().to_vec();
        let nonce = self.key()?.seal_in_place_append_tag(about.bytes(), &mut bytes);
        let nonce = nonce.map_err(|_| self.cannot(about))?;
        Ok(hex(nonce.as_ref()) + &hex(&bytes))
    }

    /// What was sealed.
    pub(super) fn open(&self, about: About<'_>, sealed: &str) -> Result<Secret, VaultError> {
        let cannot = || self.cannot(about);
        let mut bytes = unhex(sealed).ok_or_else(cannot)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(cannot)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| cannot())?;
        let open = self.key()?.open_in_place(nonce, about.bytes(), sealed).map_err(|_| cannot())?;
        let text = std::str::from_utf8(open).map_err(|_| cannot())?;
        Ok(Secret::new(text))
    }

    fn cannot(&self, about: About<'_>) -> VaultError {
        VaultError::Sealed { name: about.name.to_owned(), key: self.path.clone() }
    }

    fn io(&self, source: io::Error) -> VaultError {
        VaultError::Io { path: self.path.clone(), source }
    }

    fn key(&self) -> Result<RandomizedNonceKey, VaultError> {
        let mut bytes = [0; KEY_LEN];
        let read = File::open(&self.path).and_then(|mut file| file.read_exact(&mut bytes));
        read.map_err(|error| self.io(error))?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes);
        key.map_err(|_| self.io(io::Error::other("it is no key")))
    }

    /// For its owner alone from the beginning, and whole or not at all.
    fn make(&self) -> Result<(), VaultError> {
        let mut bytes = [0; KEY_LEN];
        let filled = aws_lc_rs::rand::fill(&mut bytes);
        filled.map_err(|_| self.io(io::Error::other("the system gives no random numbers")))?;
        let write = || -> io::Result<()> {
            let folder = self.path.parent().expect("it lies in a folder");
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist_noclobber(&self.path)?;
            Ok(())
        };
        write().map_err(|error| self.io(error))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_even = digits.len().is_multiple_of(2);
    is_even.then(|| digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>())?
}
