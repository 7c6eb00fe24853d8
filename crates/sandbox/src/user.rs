//! Whose processes are, where they are another user's than ours.
//!
//! To Linux a user is each thread's own: a thread becomes another one between its begin and what it starts, so
//! nothing has to run between fork and exec. That takes rights, of which such a thread has none afterwards.

use std::io;
use std::thread;

use rustix::process::{Gid, Uid};
use rustix::thread::{capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::rights::{NEEDED, give_up_rights};

/// A user of the machine who is neither root nor of root's group, and in no group but his own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    id: u32,
    group: u32,
}

impl User {
    /// The one with these numbers; none for root, for root's group, and for the number that means nobody to the
    /// kernel's calls.
    pub fn new(id: u32, group: u32) -> Option<User> {
        let is_one = |number: u32| number != 0 && number != u32::MAX;
        (is_one(id) && is_one(group)).then_some(User { id, group })
    }

    /// His number.
    pub fn id(self) -> u32 {
        self.id
    }

    /// His group's.
    pub fn group(self) -> u32 {
        self.group
    }

    /// The rights that this process lacks to start processes of another user, look after their files, and end them.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn lacking() -> io::Result<Vec<&'static str>> {
        let ours = capabilities(None)?.effective;
        Ok(NEEDED
            .iter()
            .filter(|(right, _)| !ours.contains(*right))
            .map(|(_, name)| *name)
            .collect())
    }

    /// Does something as he could, without walls, on a thread of its own. What it starts is his.
    ///
    /// # Errors
    /// Where this process may not become him: then nothing was done.
    ///
    /// # Panics
    /// When the deed does.
    pub fn does<T: Send>(self, deed: impl FnOnce() -> T + Send) -> io::Result<T> {
        let become_and_do = move || {
            self.become_wholly()?;
            give_up_rights(&[])?;
            Ok(deed())
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("user".to_owned());
            let running = thread.spawn_scoped(scope, become_and_do)?;
            running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// For a thread that starts something: no way leads back.
    pub(crate) fn become_wholly(self) -> io::Result<()> {
        let (user, group) = self.numbers();
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        Ok(set_thread_res_uid(user, user, user)?)
    }

    /// For a thread that stays, and starts nothing: files are touched as his, but nobody of his may signal it,
    /// which would end its process.
    pub(crate) fn become_for_files(self) -> io::Result<()> {
        let (user, group) = self.numbers();
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        Ok(set_thread_res_uid(None, user, None)?)
    }

    fn numbers(self) -> (Uid, Gid) {
        (Uid::from_raw(self.id), Gid::from_raw(self.group))
    }
}
