//! Blobs as the store keeps them: `ab/cd/abcd..`, under the SHA-256 of their bytes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

use super::step::{Failure, failed_at, hex};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// A blob that was stored.
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) size_bytes: u64,
}

/// The place of a file in the store that has no name there yet.
pub(super) struct Unnamed {
    file: TempPath,
    /// Nobody takes it for what a dead process left.
    _writing: File,
}

/// A file to be written, and its place.
pub(super) fn begin(blobs: &Path) -> Result<(File, Unnamed), Failure> {
    let writing = writing(blobs)?;
    let folder = blobs.join("temporary");
    let made = NamedTempFile::new_in(&folder).map_err(failed_at("made", &folder))?;
    let (file, path) = made.into_parts();
    Ok((file, Unnamed { file: path, _writing: writing }))
}

/// Gives it its name, once it is written.
pub(super) fn adopt(blobs: &Path, unnamed: Unnamed) -> Result<Stored, Failure> {
    let Unnamed { file, _writing } = unnamed;
    let (id, size_bytes) = digest(&file).map_err(failed_at("read", &file))?;
    let path = place(blobs, &id);
    let folder = path.parent().expect("a blob lies in a folder");
    fs::create_dir_all(folder).map_err(failed_at("made", folder))?;
    if path.exists() {
        // Nobody may take it for one that is not wanted any more.
        let renewed = File::open(&path).and_then(|it| it.set_modified(SystemTime::now()));
        renewed.map_err(failed_at("renewed", &path))?;
        return Ok(Stored { id, size_bytes });
    }
    // Under its name stands all of it or nothing.
    file.persist(&path).map_err(|error| failed_at("written", &path)(error.error))?;
    Ok(Stored { id, size_bytes })
}

/// The lock that the store's writers share; whoever removes blobs holds it alone.
fn writing(blobs: &Path) -> Result<File, Failure> {
    let folder = blobs.join("temporary");
    fs::create_dir_all(&folder).map_err(failed_at("made", &folder))?;
    let file = File::open(&folder).map_err(failed_at("opened", &folder))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockShared)
        .map_err(|errno| failed_at("locked", &folder)(errno.into()))?;
    Ok(file)
}

/// Where a blob lies. A name that is no digest names none.
pub(super) fn find(blobs: &Path, id: &str) -> Result<PathBuf, Failure> {
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(format!("`{id}` names no blob")));
    }
    let path = place(blobs, id);
    if path.is_file() { Ok(path) } else { Err(Failure::new(format!("blob {id} is gone"))) }
}

/// The SHA-256 and size of a file.
pub(super) fn digest(file: &Path) -> io::Result<(String, u64)> {
    let mut reader = File::open(file)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut size = 0;
    loop {
        let count = reader.read(&mut chunk)?;
        if count == 0 {
            return Ok((hex(&hasher.finalize()), size));
        }
        hasher.update(&chunk[..count]);
        size += count as u64;
    }
}

fn place(blobs: &Path, id: &str) -> PathBuf {
    blobs.join(&id[..2]).join(&id[2..4]).join(id)
}
