//! Whose the files are that root makes in a folder of somebody else.
//!
//! What a command of root's writes there, its owner cannot read any more: a list that is written anew, a lock, what
//! git keeps of a mirror. So root does it as that user, for whom such files are no others, and keeps the right to
//! read any file: what it was given lies where only root may look. It keeps none to write where he may not: a link
//! that he lays in the place of a file would have root make him one anywhere.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::rights::keep_reading;

/// Somebody else, whose a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    user: Uid,
    group: Gid,
}

impl Owner {
    /// Whose the folder is, where root asks and it is another user's; none where there is no such folder, and for
    /// whoever is not root: what they make is theirs.
    ///
    /// # Errors
    /// When the folder cannot be looked at.
    pub fn of(folder: &Path) -> io::Result<Option<Owner>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let found = match fs::metadata(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (user, group) = (Uid::from_raw(found.uid()), Gid::from_raw(found.gid()));
        Ok((!user.is_root()).then_some(Owner { user, group }))
    }

    /// His number.
    pub fn id(self) -> u32 {
        self.user.as_raw()
    }

    /// From now on this thread, and whatever it begins, is him. It may read any file, and what it starts may not. No
    /// way leads back.
    ///
    /// # Errors
    /// Where this process may not become him.
    pub fn act(self) -> io::Result<()> {
        let Owner { user, group } = self;
        // Or the rights would go with root's number.
        set_keep_capabilities(true)?;
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        keep_reading()
    }

    /// Does something as him, on a thread of its own.
    ///
    /// # Errors
    /// Where this process may not become him: then nothing was done.
    ///
    /// # Panics
    /// When the deed does.
    pub fn does<T: Send>(self, deed: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("owner".to_owned());
            let running = thread.spawn_scoped(scope, move || self.act().map(|()| deed()))?;
            running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
