//! A runner's folder.
//!
//! ```text
//! lock                 held by the runner
//! leases/KEY/          of a lease: lease.json, log/job.log, blobs/, actions.lock
//! jobs/KEY/            the job's own folder, which its worker's reader removes
//! repositories/        commits, one bare repository each
//! actions/ caches/ tools/
//! users/               what is another user's, whose the jobs are: tools, downloads
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use event::Digest;
use protocol::{HeldLease, JobUser, shared_folders};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::StationError;

/// Hex digits of a folder's name: a lease's digest.
const KEY_DIGITS: usize = 24;

/// The folder, which is this process's as long as this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    _lock: File,
}

/// What is kept of a lease for the next runner. No secret is: the worker has them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) lease: HeldLease,
    pub(super) tracking_id: Arc<str>,
    pub(super) is_cancelled: bool,
    /// Its folders' name.
    pub(super) key: String,
}

/// Where the parts of a job are.
#[derive(Clone, Debug)]
pub(super) struct JobFolders {
    pub(super) job: PathBuf,
    pub(super) log: PathBuf,
    pub(super) blobs: PathBuf,
    pub(super) lock_file: PathBuf,
    pub(super) actions: PathBuf,
    pub(super) caches: PathBuf,
    pub(super) tools: PathBuf,
    pub(super) downloads: PathBuf,
}

impl Folder {
    pub(super) fn take(root: &Path) -> Result<Folder, StationError> {
        let failed = |source| StationError::Folder { path: root.to_owned(), source };
        let root = std::path::absolute(root).map_err(failed)?;
        make_private(&root).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(root.join("lock"));
        let lock = lock.map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Folder { root, _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StationError::Taken(root)),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    fn lease(&self, key: &str) -> PathBuf {
        self.root.join("leases").join(key)
    }

    pub(super) fn job(&self, key: &str) -> PathBuf {
        self.root.join("jobs").join(key)
    }

    pub(super) fn log(&self, key: &str) -> PathBuf {
        self.lease(key).join("log/job.log")
    }

    pub(super) fn blobs(&self, key: &str) -> PathBuf {
        self.lease(key).join("blobs")
    }

    /// `caches` is the server's word for the part that a job sees; it may not lead elsewhere.
    pub(super) fn of_job(&self, key: &str, caches: &str, user: Option<&JobUser>) -> JobFolders {
        let parts = Path::new(caches).components();
        let below: PathBuf = parts.filter(|it| matches!(it, Component::Normal(_))).collect();
        let (tools, downloads) = shared_folders(&self.root, &below, user);
        JobFolders {
            job: self.job(key),
            log: self.log(key),
            blobs: self.blobs(key),
            lock_file: self.lease(key).join("actions.lock"),
            actions: self.root.join("actions"),
            caches: self.root.join("caches").iter().chain(below.iter()).collect(),
            tools,
            downloads,
        }
    }

    /// The leases that an earlier runner held.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let entries = fs::read_dir(self.root.join("leases")).into_iter().flatten().flatten();
        let read = |entry: fs::DirEntry| {
            let text = fs::read(entry.path().join("lease.json")).ok()?;
            let kept: Kept = serde_json::from_slice(&text).ok()?;
            (kept.key == entry.file_name().to_str()?).then_some(kept)
        };
        entries.filter_map(read).collect()
    }

    /// Folders of jobs whose leases are over: their runner was killed before they went.
    pub(super) fn jobs_without_lease(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.join("jobs")).into_iter().flatten().flatten();
        let is_over = |entry: &fs::DirEntry| {
            !self.root.join("leases").join(entry.file_name()).join("lease.json").exists()
        };
        entries.filter(is_over).map(|entry| entry.path()).collect()
    }

    /// Removes the folder of a job that never had a worker.
    pub(super) fn remove_job(&self, key: &str) {
        // What cannot be removed goes when the next runner starts.
        let _ = fs::remove_dir_all(self.job(key));
    }

    /// Makes the folders of a lease. Written down before anything is done under it.
    pub(super) fn begin(&self, lease: HeldLease, tracking_id: Arc<str>) -> io::Result<Kept> {
        let name = serde_json::to_string(&lease)?;
        let mut key = Digest::of(name.as_bytes()).to_string();
        key.truncate(KEY_DIGITS);
        let kept = Kept { lease, tracking_id, is_cancelled: false, key };
        // What is left of another time is not gone on with.
        self.forget(&kept.key);
        fs::create_dir_all(self.lease(&kept.key).join("log"))?;
        self.write(&kept)?;
        Ok(kept)
    }

    pub(super) fn keep(&self, kept: &Kept) {
        // Then the next runner says "cancel" twice, which ends the job sooner.
        let _ = self.write(kept);
    }

    fn write(&self, kept: &Kept) -> io::Result<()> {
        let path = self.lease(&kept.key).join("lease.json");
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(kept)?)?;
        fs::rename(beside, path)
    }

    /// The lease is over. Its job's folder is removed by whoever waits for its worker.
    pub(super) fn forget(&self, key: &str) {
        // What cannot be removed is tried again when the next runner starts.
        let _ = fs::remove_dir_all(self.lease(key));
    }
}

/// What a job left is nobody else's to read.
fn make_private(root: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(root)
}
