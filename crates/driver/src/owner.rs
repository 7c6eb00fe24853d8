//! Who drives a run: a locked file for each, freed by the kernel when its holder dies.
//!
//! A second launchway on the same state folder must not sweep a run whose owner lives. The lock is
//! not inherited by workers: a worker that outlives its owner does not own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use event::StreamId;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Between two looks at what others hold for an instant only: one of them may have been stopped in
/// it, and nobody should burn a processor until he goes on.
const INSTANT: Duration = Duration::from_micros(200);

/// Why ownership cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock {path}")]
pub struct OwnerError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// The right to drive one run, for as long as the value lives.
#[derive(Debug)]
pub struct Owner {
    stream: StreamId,
    path: PathBuf,
    // Held for its lock.
    _file: File,
}

/// `12-1.owner` for the first attempt of run 12, `deployment-3.owner`.
fn path(folder: &Path, stream: StreamId) -> PathBuf {
    folder.join(match stream {
        StreamId::Run(run, attempt) => format!("{run}-{attempt}.owner"),
        StreamId::Deployment(deployment) => format!("deployment-{deployment}.owner"),
        StreamId::Release(release) => format!("release-{release}.owner"),
        StreamId::Incident(incident) => format!("incident-{incident}.owner"),
        StreamId::Audit => "audit.owner".to_owned(),
    })
}

impl Owner {
    /// Takes the run, unless somebody who lives has it.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or locked.
    pub fn claim(folder: &Path, stream: StreamId) -> Result<Option<Owner>, OwnerError> {
        let path = path(folder, stream);
        let failed = |source: io::Error| OwnerError { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_still_there(&file, &path) => {
                    write_holder(&file).map_err(failed)?;
                    return Ok(Some(Owner { stream, path, _file: file }));
                }
                // An owner removed the file between our open and our lock.
                Ok(()) => {}
                // Owners hold it alone, and whoever finds that their file is gone for an instant
                // too: only a file that is still there afterwards is somebody's.
                Err(Errno::WOULDBLOCK) if is_owned(&file).map_err(failed)? => {
                    if is_still_there(&file, &path) {
                        return Ok(None);
                    }
                }
                // Whoever only looks holds it with others, for an instant.
                Err(Errno::WOULDBLOCK) => std::thread::sleep(INSTANT),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }

    /// The process that drives the run now, as it wrote itself down; none where nobody lives. Keeps
    /// nobody from taking the run.
    ///
    /// # Errors
    /// When the file cannot be read or locked.
    pub fn holder(folder: &Path, stream: StreamId) -> Result<Option<u32>, OwnerError> {
        let path = path(folder, stream);
        let failed = |source: io::Error| OwnerError { path: path.clone(), source };
        loop {
            let mut file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            if !is_owned(&file).map_err(failed)? {
                return Ok(None);
            }
            if !is_still_there(&file, &path) {
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(failed)?;
            if let Some(pid) = text.strip_suffix('\n').and_then(|pid| pid.parse().ok()) {
                return Ok(Some(pid));
            }
            // It has the lock, and is about to say who it is.
            std::thread::sleep(INSTANT);
        }
    }

    /// The run.
    pub fn stream(&self) -> StreamId {
        self.stream
    }
}

/// Whether somebody holds the lock alone.
fn is_owned(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock)?;
            Ok(false)
        }
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

fn write_holder(file: &File) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    file.set_len(0)?;
    file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)
}

pub(crate) fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |metadata: io::Result<std::fs::Metadata>| metadata.map(|it| (it.dev(), it.ino()));
    match (inode(file.metadata()), inode(std::fs::metadata(path))) {
        (Ok(held), Ok(named)) => held == named,
        _ => false,
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // While the lock is held, so that nobody can have taken it in between.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use event::{Attempt, RunId};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("owner-{name}-{}", std::process::id()))
    }

    /// Nobody who only looks is ever taken for an owner, and no two own it at once.
    #[test]
    fn lookers_keep_nobody_from_taking_a_run() {
        use std::sync::atomic::{AtomicBool, Ordering};
        const CLAIMS: usize = 500;
        let folder = &folder("lookers");
        let stream = StreamId::Run(RunId(1), Attempt(1));
        let is_done = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            let look = || {
                let mut seen = 0_usize;
                while !is_done.load(Ordering::Relaxed) {
                    match Owner::holder(folder, stream).unwrap() {
                        Some(holder) => assert_eq!(holder, std::process::id()),
                        None => seen += 1,
                    }
                }
                seen
            };
            let lookers = [scope.spawn(look), scope.spawn(look), scope.spawn(look)];
            let refused =
                (0..CLAIMS).filter(|_| Owner::claim(folder, stream).unwrap().is_none()).count();
            is_done.store(true, Ordering::Relaxed);
            for looker in lookers {
                looker.join().unwrap();
            }
            assert_eq!(refused, 0);
        });
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_run_has_one_owner_and_is_free_after_it() {
        let folder = folder("one");
        let stream = StreamId::Run(RunId(1), Attempt(1));
        let owner = Owner::claim(&folder, stream).unwrap().unwrap();
        assert!(Owner::claim(&folder, stream).unwrap().is_none());
        assert_eq!(Owner::holder(&folder, stream).unwrap(), Some(std::process::id()));
        drop(owner);
        assert_eq!(Owner::holder(&folder, stream).unwrap(), None);
        assert!(Owner::claim(&folder, stream).unwrap().is_some());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
