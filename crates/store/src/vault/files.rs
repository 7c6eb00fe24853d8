//! The vault's files: read within limits, and written so that a reader sees the one or the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::seal::{KEY_LEN, KEYS_MAX, Keys, NotSealed};
use super::{Contents, Entry, VERSION, Vault, VaultError};

/// Bytes of the values' file that are read: as many as are allowed, each the longest that GitHub takes, would be
/// more, and nobody has them.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// One more than the keys have: a longer file is none of ours.
const KEY_BYTES_MAX: u64 = (KEY_LEN * KEYS_MAX + 1) as u64;

/// That nobody changes the vault.
#[derive(Debug)]
pub struct VaultHeld(#[expect(dead_code, reason = "it is held, not read")] File);

/// What every version of the file says.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

impl Vault {
    /// Keeps others from changing it, as long as what comes back lives: whoever copies both files has a key that
    /// opens the values. None where nothing was ever kept.
    ///
    /// # Errors
    /// When it cannot be locked.
    pub fn hold(&self) -> Result<Option<VaultHeld>, VaultError> {
        if !self.folder.exists() {
            return Ok(None);
        }
        self.lock().map(Some)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("vault.json")
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.folder.join("vault.key")
    }

    /// Held while it is changed.
    pub(super) fn lock(&self) -> Result<VaultHeld, VaultError> {
        let path = self.folder.join("vault.lock");
        let open =
            OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(|error| io(&path, error))?;
        file.lock().map_err(|error| io(&path, error))?;
        Ok(VaultHeld(file))
    }

    /// What is kept.
    pub(super) fn read(&self) -> Result<Contents, VaultError> {
        self.parse(self.bytes()?.as_deref())
    }

    /// The file; none where nothing was kept yet.
    pub(super) fn bytes(&self) -> Result<Option<Vec<u8>>, VaultError> {
        let bytes = read(&self.file(), FILE_BYTES_MAX + 1)?;
        if bytes.as_ref().is_some_and(|it| it.len() as u64 > FILE_BYTES_MAX) {
            return Err(self.damaged(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(bytes)
    }

    /// What a file says.
    pub(super) fn parse(&self, bytes: Option<&[u8]>) -> Result<Contents, VaultError> {
        let Some(bytes) = bytes else {
            return Ok(Contents { version: VERSION, entries: Vec::new() });
        };
        if let Ok(Head { version }) = serde_json::from_slice(bytes)
            && version > VERSION
        {
            return Err(self.damaged(format!("a newer Launchway wrote it ({version})")));
        }
        // What serde says of a value could be the value.
        serde_json::from_slice(bytes).map_err(|error| {
            self.damaged(format!("line {}, column {}", error.line(), error.column()))
        })
    }

    /// The keys that open what is kept.
    pub(super) fn keys(&self) -> Result<Keys, VaultError> {
        let path = self.key_file();
        let bytes = read(&path, KEY_BYTES_MAX)?;
        let bytes = bytes.ok_or_else(|| io(&path, io::ErrorKind::NotFound.into()))?;
        Keys::read(&bytes).ok_or_else(|| {
            let why = format!("a key has {KEY_LEN} bytes, and there are {KEYS_MAX} at most");
            VaultError::Damaged { path, why }
        })
    }

    /// The same; a key is made where there is none.
    pub(super) fn keys_or_new(&self) -> Result<Keys, VaultError> {
        if !self.key_file().exists() {
            let keys = Keys::random().map_err(|why| self.not_sealed(why))?;
            self.replace(&self.key_file(), &keys.bytes())?;
        }
        self.keys()
    }

    pub(super) fn write(&self, contents: &Contents) -> Result<(), VaultError> {
        self.replace(&self.file(), &self.text(contents))
    }

    /// What the file is to be.
    pub(super) fn text(&self, contents: &Contents) -> Vec<u8> {
        let contents = Contents { version: VERSION, entries: contents.entries.clone() };
        serde_json::to_vec_pretty(&contents).expect("it has text keys only")
    }

    /// Written beside and renamed, for its owner alone from the beginning. It is on the disk before the next
    /// begins. Whoever was killed on the way left a file that the next one writes over: the lock is held.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
        let beside = path.with_added_extension("new");
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| io(path, error))
    }

    pub(super) fn damaged(&self, why: impl Into<String>) -> VaultError {
        VaultError::Damaged { path: self.file(), why: why.into() }
    }

    /// A value that no key opens.
    pub(super) fn sealed(&self, entry: &Entry) -> VaultError {
        let (name, scope) = (entry.name.clone(), entry.scope.clone());
        VaultError::Sealed { name, scope, key: self.key_file() }
    }

    pub(super) fn not_sealed(&self, NotSealed: NotSealed) -> VaultError {
        io(&self.key_file(), io::Error::other("the system gives no random numbers"))
    }
}

pub(super) fn io(path: &Path, source: io::Error) -> VaultError {
    VaultError::Io { path: path.to_owned(), source }
}

/// So many bytes of a file at most; none where there is no file.
fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, VaultError> {
    let file = match File::open(path) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        other => other.map_err(|error| io(path, error))?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| io(path, error))?;
    Ok(Some(bytes))
}
