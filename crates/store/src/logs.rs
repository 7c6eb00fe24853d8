//! Logs that grow: a file for each lease of a job, until the blobs adopt it. The times of its lines
//! stand beside it, and stay.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use event::{Attempt, Digest, Fence, JobKey, RunId};

use crate::blobs::create_folder;
use crate::error::StoreError;

/// Longest part of a job's key in a file's name. File systems take 255 bytes; a key may be longer
/// (ten nested callers, each with a matrix).
const NAME_BYTES_MAX: usize = 150;

/// The folder of growing logs.
#[derive(Clone, Debug)]
pub struct Logs {
    folder: PathBuf,
}

impl Logs {
    pub(crate) fn open(folder: &Path) -> Result<Logs, StoreError> {
        create_folder(folder)?;
        Ok(Logs { folder: folder.to_owned() })
    }

    /// Where the log of this lease grows. Makes the folder, not the file.
    pub fn create(
        &self,
        run: RunId,
        attempt: Attempt,
        job: &JobKey,
        fence: Fence,
    ) -> Result<PathBuf, StoreError> {
        let path = self.path(run, attempt, job, fence);
        create_folder(path.parent().expect("a log lies two levels deep"))?;
        Ok(path)
    }

    /// Where the log of this lease grows or grew.
    pub fn path(&self, run: RunId, attempt: Attempt, job: &JobKey, fence: Fence) -> PathBuf {
        let folder = self.folder.join(run.to_string()).join(attempt.to_string());
        folder.join(format!("{}.{fence}.log", file_name(job)))
    }

    /// Where the times of a log's lines stand: `worker` writes them beside it.
    pub fn times(path: &Path) -> PathBuf {
        let mut times = path.as_os_str().to_owned();
        times.push(".times");
        PathBuf::from(times)
    }

    /// Removes a log that was adopted; the times of its lines stay, until the run is pruned. One that
    /// is gone already is as good. The folder stays: another job of the run may be about to write
    /// into it.
    pub fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::from_io("remove", path, source))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes what is empty of the folders of an attempt that is over.
    pub fn close(&self, run: RunId, attempt: Attempt) {
        let run = self.folder.join(run.to_string());
        for folder in [run.join(attempt.to_string()), run] {
            // Logs of lost jobs are still in it, and times of lines; they go with the run.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A job's key as a file's name: what is not a letter, a digit or one of `-_` becomes `%XX`, so that
/// two keys never share a name and none leaves the folder.
fn file_name(job: &JobKey) -> String {
    let mut name = String::new();
    for byte in job.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => write!(name, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    if name.len() > NAME_BYTES_MAX {
        let digest = Digest::of(job.as_str().as_bytes()).to_string();
        name.truncate(NAME_BYTES_MAX);
        // `+` stands in no shorter name.
        name.push('+');
        name.push_str(&digest[..16]);
    }
    name
}
