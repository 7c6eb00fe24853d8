//! Who deploys to an environment: a locked file for each, freed by the kernel when its holder dies.
//!
//! It is held from before the request until after the verdict, so that there is one deployment to an
//! environment at a time. Who gets it and finds an open deployment there knows that its owner is
//! gone, and finishes that one first.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Between two tries at what others hold for an instant only.
const INSTANT: std::time::Duration = std::time::Duration::from_micros(200);

/// Why nobody can tell who deploys.
#[derive(Debug, thiserror::Error)]
#[error("cannot lock {path}")]
pub struct PlaceError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// The right to deploy to an environment, for as long as the value lives.
#[derive(Debug)]
pub struct Place {
    // Held for its lock. The file stays: it is empty of meaning without it.
    _file: File,
}

/// What a try to take a place gives.
#[derive(Debug)]
pub enum Taken {
    /// It is the caller's.
    Ours(Place),
    /// Somebody who lives has it: a process id, where it says so.
    By(Option<u32>),
}

impl Place {
    /// Takes it, unless somebody who lives has it.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or locked.
    pub fn take(folder: &Path, project: &str, environment: &str) -> Result<Taken, PlaceError> {
        let path = path(folder, project, environment);
        let failed = |source: io::Error| PlaceError { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut open = OpenOptions::new();
        open.create(true).truncate(false).read(true).write(true);
        let mut file = open.open(&path).map_err(failed)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    file.set_len(0).map_err(failed)?;
                    let pid = format!("{}\n", std::process::id());
                    file.write_all_at(pid.as_bytes(), 0).map_err(failed)?;
                    return Ok(Taken::Ours(Place { _file: file }));
                }
                Err(Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
            // Who only looks holds it with others, for an instant.
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => {
                    flock(&file, FlockOperation::Unlock).map_err(|it| failed(it.into()))?;
                    std::thread::sleep(INSTANT);
                }
                Err(Errno::WOULDBLOCK) => {
                    let mut text = String::new();
                    file.read_to_string(&mut text).map_err(failed)?;
                    return Ok(Taken::By(text.trim_end().parse().ok()));
                }
                Err(errno) => return Err(failed(errno.into())),
            }
        }
    }

    /// The process that deploys there now, if one does.
    ///
    /// # Errors
    /// When the file cannot be read or locked.
    pub fn holder(
        folder: &Path,
        project: &str,
        environment: &str,
    ) -> Result<Option<u32>, PlaceError> {
        let path = path(folder, project, environment);
        let failed = |source: io::Error| PlaceError { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                Ok(text.trim_end().parse().ok())
            }
            Err(errno) => Err(failed(errno.into())),
        }
    }
}

/// `planner@staging.place`; what is no plain letter stands as its number.
fn path(folder: &Path, project: &str, environment: &str) -> PathBuf {
    let plain = |text: &str| -> String {
        let letter = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02x}"),
        };
        text.bytes().map(letter).collect()
    };
    folder.join(format!("{}@{}.place", plain(project), plain(environment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_has_one_deployer_at_a_time() {
        let folder = std::env::temp_dir().join(format!("place-{}", std::process::id()));
        let take = |environment| Place::take(&folder, "a/b", environment).unwrap();
        let Taken::Ours(place) = take("staging") else { panic!("it is free") };
        assert!(matches!(take("staging"), Taken::By(Some(pid)) if pid == std::process::id()));
        assert!(matches!(take("production"), Taken::Ours(_)));
        let holder = || Place::holder(&folder, "a/b", "staging").unwrap();
        assert_eq!(holder(), Some(std::process::id()));
        drop(place);
        assert_eq!(holder(), None);
        assert!(matches!(take("staging"), Taken::Ours(_)));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
