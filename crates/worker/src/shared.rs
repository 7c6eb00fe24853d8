//! A folder that steps write into and the worker uses, too. The worker may do more than they may, so
//! nothing that lies there is followed, waited for, or written over: a link that a step puts in the place
//! of the next script would have the worker write where the step may not.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, Stat};

/// What one file of a step may hold: many times what anybody writes there, and no danger to the worker.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Opened before the first step: whatever is put in its place later is another folder.
#[derive(Debug)]
pub(crate) struct SharedFolder(OwnedFd);

impl SharedFolder {
    /// The folder at this path.
    pub(crate) fn open(path: &Path) -> io::Result<SharedFolder> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        Ok(SharedFolder(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// A new file; whatever had that name is gone.
    pub(crate) fn make(&self, name: &str) -> io::Result<File> {
        self.remove(name)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o644);
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, mode)?))
    }

    /// A file that is there, emptied.
    pub(crate) fn empty(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW;
        let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// What a file holds; none where there is none. What is no file is not read.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(io::Error::other("it is a link")),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(io::Error::other(format!(
                "it is larger than {} MiB",
                FILE_BYTES_MAX >> 20
            )));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// What bears the name, not what it may point to.
    pub(crate) fn stat(&self, name: &str) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Gives a file another name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Takes a name away; what is not there is gone.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            other => Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_followed_or_waited_for() {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let (own, other) = (scratch.path().join("own"), scratch.path().join("other"));
        std::fs::create_dir(&own).expect("a folder");
        std::fs::write(&other, "not yours").expect("a file");
        let folder = SharedFolder::open(&own).expect("it is there");
        symlink(&other, own.join("link")).expect("a link");
        assert_eq!(folder.read("link").expect_err("a link").to_string(), "it is a link");
        folder.make("link").and_then(|mut it| it.write_all(b"mine")).expect("a new file");
        assert_eq!(std::fs::read_to_string(&other).expect("it is there"), "not yours");
        assert_eq!(folder.read("link").expect("a file"), Some(b"mine".to_vec()));
        let pipe = rustix::fs::CWD;
        rustix::fs::mknodat(
            pipe,
            own.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
        assert_eq!(folder.read("pipe").expect_err("a pipe").to_string(), "it is no file");
        assert_eq!(folder.read("nothing").expect("no error"), None);
        // Another folder in its place is another folder.
        std::fs::rename(&own, scratch.path().join("moved")).expect("moved");
        symlink(scratch.path(), &own).expect("a link");
        assert_eq!(folder.read("other").expect("no error"), None);
    }
}
