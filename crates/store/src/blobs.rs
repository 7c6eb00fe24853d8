//! Blobs: bytes under the name of their SHA-256.
//!
//! A blob is written beside its place and renamed into it, so under its name stands all of it or
//! nothing. The same bytes are kept once. `blobs/ab/cd/abcd...`: two levels keep folders small.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use event::{BlobId, Digest};
use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::sqlite::Durability;
use crate::sums::Sum;

/// Bytes read at a time; hashing and writing cost more than the calls from here on.
const CHUNK_BYTES: usize = 64 << 10;

/// The blobs below one folder. Any number of processes may use it at once.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
    durability: Durability,
}

impl Blobs {
    /// Opens the folder, or makes it. What dead processes left half written is removed.
    pub fn open(folder: &Path, durability: Durability) -> Result<Blobs, StoreError> {
        let blobs = Blobs { folder: folder.to_owned(), durability };
        create_folder(&blobs.temporary())?;
        blobs.sweep()?;
        Ok(blobs)
    }

    /// Keeps everything the reader gives. Gives the name and the size.
    pub fn put(&self, reader: &mut dyn Read) -> Result<(BlobId, u64), StoreError> {
        let folder = self.temporary();
        let _writing = lock(&folder, FlockOperation::LockShared)?;
        let failed = |source| StoreError::from_io("write a blob in", &folder, source);
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        let (digest, size) = copy(reader, |chunk| file.write_all(chunk)).map_err(failed)?;
        if self.durability == Durability::PowerLoss {
            file.as_file().sync_all().map_err(failed)?;
        }
        let blob = BlobId::new(digest.to_string());
        let path = self.place(&blob)?;
        self.create_parent(&path)?;
        // Over an equal one: the bytes are the same, and replacing is atomic.
        file.persist(&path)
            .map_err(|error| StoreError::from_io("write the blob", &path, error.error))?;
        self.sync_parent(&path)?;
        Ok((blob, size))
    }

    /// Keeps these bytes.
    pub fn put_bytes(&self, mut bytes: &[u8]) -> Result<BlobId, StoreError> {
        self.put(&mut bytes).map(|(blob, _)| blob)
    }

    /// Keeps a file that nobody writes to any more, without copying where the file system can link.
    /// The file stays where it is too: it is removed after the event that names the blob, so that a
    /// crash between the two loses neither.
    pub fn adopt(&self, file: &Path) -> Result<(BlobId, u64), StoreError> {
        self.adopt_summed(file, None)
    }

    /// The same for a file whose sum was taken while it grew. A sum of fewer bytes than the file has
    /// is taken anew.
    pub fn adopt_summed(&self, file: &Path, sum: Option<Sum>) -> Result<(BlobId, u64), StoreError> {
        let _writing = lock(&self.temporary(), FlockOperation::LockShared)?;
        let failed = |source| StoreError::from_io("read", file, source);
        let mut reader = File::open(file).map_err(failed)?;
        let length = reader.metadata().map_err(failed)?.len();
        let (digest, size) = match sum {
            Some(sum) if sum.size_bytes == length => (sum.digest, sum.size_bytes),
            _ => copy(&mut reader, |_| Ok(())).map_err(failed)?,
        };
        let blob = BlobId::new(digest.to_string());
        let path = self.place(&blob)?;
        self.create_parent(&path)?;
        if self.durability == Durability::PowerLoss {
            reader.sync_all().map_err(failed)?;
        }
        match fs::hard_link(file, &path) {
            Ok(()) => self.sync_parent(&path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.renew(&path)?,
            // Another file system, or one without links.
            Err(_) => return self.put(&mut File::open(file).map_err(failed)?),
        }
        Ok((blob, size))
    }

    /// While it is held, no blob is removed: whoever copies what a journal names finds it.
    ///
    /// # Errors
    /// When the folder cannot be locked.
    pub fn hold(&self) -> Result<File, StoreError> {
        lock(&self.temporary(), FlockOperation::LockShared)
    }

    /// Opens a blob for reading.
    pub fn get(&self, blob: &BlobId) -> Result<File, StoreError> {
        let path = self.place(blob)?;
        File::open(&path).map_err(|source| self.missing(blob, "read the blob", &path, source))
    }

    /// Its size.
    pub fn size(&self, blob: &BlobId) -> Result<u64, StoreError> {
        let path = self.place(blob)?;
        let metadata = fs::metadata(&path)
            .map_err(|source| self.missing(blob, "look at the blob", &path, source))?;
        Ok(metadata.len())
    }

    /// Blobs that nobody names and nobody wrote since `before`, with their sizes.
    pub fn unused(
        &self,
        used: &BTreeSet<BlobId>,
        before: SystemTime,
    ) -> Result<Vec<(BlobId, u64)>, StoreError> {
        let mut unused = Vec::new();
        for first in entries(&self.folder)? {
            if first == self.temporary() {
                continue;
            }
            for second in entries(&first)? {
                for path in entries(&second)? {
                    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    let blob = BlobId::new(name);
                    let is_ours = self.place(&blob).is_ok_and(|place| place == path);
                    if is_ours
                        && !used.contains(&blob)
                        && let Some(size) = size_if_before(&path, before)?
                    {
                        unused.push((blob, size));
                    }
                }
            }
        }
        unused.sort();
        Ok(unused)
    }

    /// Removes a blob, unless somebody wrote it again since `before`: it has its reader soon. Says
    /// whether it is gone through this call.
    pub fn remove_unused(&self, blob: &BlobId, before: SystemTime) -> Result<bool, StoreError> {
        // Whoever writes, or finds that it needs not write, holds the lock with others.
        let _alone = lock(&self.temporary(), FlockOperation::LockExclusive)?;
        let path = self.place(blob)?;
        if size_if_before(&path, before)?.is_none() {
            return Ok(false);
        }
        fs::remove_file(&path).map_err(|source| StoreError::from_io("remove", &path, source))?;
        for folder in path.ancestors().skip(1).take(2) {
            // It goes with its last blob.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(true)
    }

    /// Says that somebody relies on a blob from now on, though it did not need to be written.
    fn renew(&self, path: &Path) -> Result<(), StoreError> {
        File::open(path)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(|source| StoreError::from_io("renew the blob", path, source))
    }

    /// Where it lies, or would lie. A name that is no SHA-256 names no blob, whatever path it spells.
    fn place(&self, blob: &BlobId) -> Result<PathBuf, StoreError> {
        let name = blob.as_str();
        if name.parse::<Digest>().is_err() {
            return Err(StoreError::NoBlob { blob: blob.clone(), path: self.folder.clone() });
        }
        Ok(self.folder.join(&name[..2]).join(&name[2..4]).join(name))
    }

    fn missing(
        &self,
        blob: &BlobId,
        action: &'static str,
        path: &Path,
        source: io::Error,
    ) -> StoreError {
        if source.kind() == io::ErrorKind::NotFound {
            return StoreError::NoBlob { blob: blob.clone(), path: self.folder.clone() };
        }
        StoreError::from_io(action, path, source)
    }

    fn temporary(&self) -> PathBuf {
        self.folder.join("temporary")
    }

    fn create_parent(&self, path: &Path) -> Result<(), StoreError> {
        create_folder(path.parent().expect("a blob lies two levels deep"))
    }

    fn sync_parent(&self, path: &Path) -> Result<(), StoreError> {
        if self.durability == Durability::ProcessDeath {
            return Ok(());
        }
        let parent = path.parent().expect("a blob lies two levels deep");
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| StoreError::from_io("sync", parent, source))
    }

    /// Whoever writes holds the folder's lock with others. If nobody does, what lies here was left by
    /// the dead.
    fn sweep(&self) -> Result<(), StoreError> {
        let folder = self.temporary();
        let Ok(_alone) = lock(&folder, FlockOperation::NonBlockingLockExclusive) else {
            return Ok(());
        };
        let failed = |source| StoreError::from_io("sweep", &folder, source);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
        }
        Ok(())
    }
}

/// What lies in a folder; nothing where it is gone.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::from_io("list", folder, source);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // Not ours.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

/// The size of a file that was last written before this; nothing where it is gone.
fn size_if_before(path: &Path, before: SystemTime) -> Result<Option<u64>, StoreError> {
    let failed = |source| StoreError::from_io("look at the blob", path, source);
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(failed)?,
    };
    let is_before = metadata.modified().map_err(failed)? < before;
    Ok(is_before.then_some(metadata.len()))
}

/// Makes a folder that only this user can look into, and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| {
        match source.kind() {
            io::ErrorKind::AlreadyExists => StoreError::NotAFolder { path: path.to_owned() },
            _ => StoreError::from_io("create", path, source),
        }
    })
}

/// Locks a folder until the file is dropped.
fn lock(folder: &Path, operation: FlockOperation) -> Result<File, StoreError> {
    let failed = |source| StoreError::from_io("lock", folder, source);
    let file = File::open(folder).map_err(failed)?;
    rustix::fs::flock(&file, operation).map_err(|source| failed(source.into()))?;
    Ok(file)
}

/// Gives everything that is read to `write`, in chunks. Gives digest and size.
fn copy(
    reader: &mut dyn Read,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok((Digest(hash.finalize().into()), size)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..read]);
        write(&buffer[..read])?;
        size += read as u64;
    }
}
