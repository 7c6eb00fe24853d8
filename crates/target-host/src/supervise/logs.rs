//! Logs of instances: appended to by the processes themselves, so that they need nobody to live;
//! kept within a limit by moving what is old into a second file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, FlockOperation, flock};

use crate::folder::Lock;

/// Bytes of one log. Twice that is kept: this one and the one before.
const LOG_BYTES_MAX: u64 = 10 << 20;
/// File systems take out whole blocks.
const BLOCK_BYTES: u64 = 4096;

/// Moves what is old out of a log that is too large.
pub(super) fn limit(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|it| it.len() > LOG_BYTES_MAX) {
        // A disk that refuses will be asked again; the instance writes on either way.
        let _ = rotate(path);
    }
}

fn rotate(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    // Somebody reads it: it is looked at again soon.
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let file = Lock(file);
    let file = &file.0;
    let length = file.metadata()?.len() / BLOCK_BYTES * BLOCK_BYTES;
    let before = path.with_extension("log.1");
    let mut options = OpenOptions::new();
    let mut old = options.write(true).create(true).truncate(true).mode(0o600).open(before)?;
    io::copy(&mut File::open(path)?.take(length), &mut old)?;
    // The blocks go in one step, and what is written meanwhile stays: no line is lost. Where the
    // file system cannot, all of it is kept before it is emptied, and lines of that very moment may
    // be lost.
    match rustix::fs::fallocate(file, FallocateFlags::COLLAPSE_RANGE, 0, length) {
        Ok(()) => Ok(()),
        Err(_) => {
            let mut rest = File::open(path)?;
            rest.seek(SeekFrom::Start(length))?;
            io::copy(&mut rest, &mut old)?;
            file.set_len(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_log_that_is_too_large_goes_into_the_one_before() {
        let scratch = tempfile::tempdir().expect("a folder");
        let path = scratch.path().join("7.0.log");
        let (mut file, _) = crate::processes::output(&path).expect("a log");
        let line = [b'x'; 1023].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        for _ in 0..=LOG_BYTES_MAX / 1024 {
            file.write_all(&line).expect("room");
        }
        limit(&path);
        file.write_all(b"after\n").expect("room");
        let now = std::fs::read(&path).expect("a log");
        assert!(now.ends_with(b"after\n") && now.len() < 8192, "{} bytes", now.len());
        let before = std::fs::metadata(path.with_extension("log.1")).expect("the one before").len();
        assert!(before >= LOG_BYTES_MAX - BLOCK_BYTES);
    }
}
