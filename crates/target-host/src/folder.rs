//! The target's folder: what lies where, and how it is written.
//!
//! ```text
//!   bundles/DIGEST.tar      releases as they came             releases/DIGEST/   the same, unpacked
//!   wanted/SERVICE.json     what shall run                    fences/SERVICE     who may change that
//!   routes/SERVICE.json     who gets requests (proxy)         private/           variables nobody else may read
//!   state.json              what runs, as the supervisor sees it
//!   logs/SERVICE/           what instances print              tasks/             one-off commands
//!   images/                 which images we brought
//! ```
//!
//! Every file is replaced as a whole: whoever is killed leaves the old or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where releases of an environment live on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at this path. Nothing is made.
    pub fn new(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where bundles are put to be found by their digest.
    pub fn bundles(&self) -> PathBuf {
        self.root.join("bundles")
    }

    pub(crate) fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    pub(crate) fn wanted(&self) -> PathBuf {
        self.root.join("wanted")
    }

    pub(crate) fn wanted_of(&self, service: &str) -> PathBuf {
        self.wanted().join(format!("{service}.json"))
    }

    pub(crate) fn fence(&self, service: &str) -> PathBuf {
        self.root.join("fences").join(service)
    }

    pub(crate) fn private(&self, service: &str, set: &str) -> PathBuf {
        self.root.join("private").join(format!("{service}.{set}.json"))
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state.json")
    }

    /// What an instance prints.
    pub fn log(&self, service: &str, instance: &str) -> PathBuf {
        self.logs_of(service).join(format!("{instance}.log"))
    }

    pub(crate) fn logs_of(&self, service: &str) -> PathBuf {
        self.root.join("logs").join(service)
    }

    pub(crate) fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub(crate) fn supervisor_lock(&self) -> PathBuf {
        self.root.join("supervisor.lock")
    }

    /// Makes what is not there. Others may pass through to the releases, and read nothing else.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::create_dir_all(&self.root)?;
        for open in ["bundles", "releases"] {
            fs::create_dir_all(self.root.join(open))?;
        }
        for closed in ["wanted", "routes", "fences", "private", "logs", "tasks", "images"] {
            let path = self.root.join(closed);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        Ok(())
    }
}

/// Replaces a file that only its owner may read.
pub(crate) fn replace(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let parent = path.parent().expect("a file of ours lies in a folder");
    fs::create_dir_all(parent)?;
    let name = path.file_name().expect("a file of ours has a name").to_string_lossy();
    // Hidden, so that nobody takes it for the file. One writer at a time, by lock or by design.
    let beside = parent.join(format!(".{name}.new"));
    let mut text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
    text.push(b'\n');
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&text)?;
    // A machine that loses power must not be left with an empty file under the name.
    file.sync_data()?;
    fs::rename(&beside, path)
}

/// Reads a file; none where there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file's lock, held until this is dropped. It is let go by name: a process that another thread is
/// just about to start has the file too, until it is what it shall be.
#[derive(Debug)]
pub(crate) struct Lock(pub(crate) File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing does it too, only later.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Takes the lock of a file; none where somebody has it.
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<Lock>> {
    let file = lock_file(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes the lock of a file, when whoever has it is gone.
pub(crate) fn wait_for_lock(path: &Path) -> io::Result<Lock> {
    let file = lock_file(path)?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(Lock(file)),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether somebody holds the lock of a file.
pub(crate) fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let is_free = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
    if is_free {
        drop(Lock(file));
    }
    !is_free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_lock_gets_it_when_it_is_let_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let held = try_lock(&path).expect("ours").expect("it is free");
        assert!(try_lock(&path).expect("ours").is_none());
        let (sender, got) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || {
                let lock = wait_for_lock(&path).expect("ours");
                sender.send(()).expect("somebody listens");
                drop(lock);
            }
        });
        assert!(got.try_recv().is_err());
        drop(held);
        got.recv().expect("it came");
        waiting.join().expect("it ends");
    }
}
