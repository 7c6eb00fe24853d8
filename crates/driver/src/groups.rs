//! Concurrency groups between processes: a locked file for each group that this process has.
//!
//! The scheduler keeps the order of a group among the runs of one process; between processes there
//! is none, but never are there two holders. Who finds a group taken looks again and again, and may
//! leave word that the holder is to end (`cancel-in-progress`). A holder that dies frees its groups.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{CancelReason, Digest, StreamId};
use ports::{Jobs, Journal};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::inputs::Input;
use crate::owner::is_still_there;
use crate::round::{DriverError, Loop, Observer};
use crate::surroundings::Home;

/// What the loop knows of the groups of other processes.
#[derive(Debug)]
pub enum Groups<'a> {
    /// There are no other processes.
    Free,
    /// Nothing is to go ahead, whoever has them.
    Taken,
    /// They lock files.
    Locked(&'a mut GroupLocks),
}

impl Groups<'_> {
    /// Takes a group, or says which run of another process has it. One that this process has is taken
    /// again; one that cannot be locked is nobody's to go ahead in, and who waits is told why.
    fn take(self, group: &str, who: StreamId) -> Option<Arc<str>> {
        match self {
            Groups::Free => None,
            Groups::Taken => Some("".into()),
            Groups::Locked(locks) => locks
                .take(group, who)
                .unwrap_or_else(|error| Some(format!("nobody knows who ({error})").into())),
        }
    }

    fn leave(self, group: &str) {
        if let Groups::Locked(locks) = self {
            locks.leave(group);
        }
    }

    fn want(self, group: &str) {
        if let Groups::Locked(locks) = self {
            // It is asked for again and again; the holder ends by itself at last.
            let _ = locks.want(group);
        }
    }

    fn is_wanted(&self, group: &str) -> bool {
        matches!(self, Groups::Locked(locks) if locks.is_wanted(group))
    }
}

/// The groups that this process has. Their names say of which repository they are.
#[derive(Debug)]
pub struct GroupLocks {
    folder: PathBuf,
    held: BTreeMap<String, File>,
}

impl GroupLocks {
    /// None yet.
    pub fn new(folder: PathBuf) -> GroupLocks {
        GroupLocks { folder, held: BTreeMap::new() }
    }

    /// Takes a group for this process, or says who has it.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or locked.
    pub fn take(&mut self, group: &str, who: StreamId) -> io::Result<Option<Arc<str>>> {
        if self.held.contains_key(group) {
            return Ok(None);
        }
        std::fs::create_dir_all(&self.folder)?;
        let path = self.path(group, "group");
        loop {
            let mut options = OpenOptions::new();
            let mut file =
                options.create(true).truncate(false).read(true).write(true).open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_still_there(&file, &path) => {
                    write(&file, who)?;
                    // Word that was left for the holder before.
                    remove(&self.path(group, "wanted"))?;
                    self.held.insert(group.to_owned(), file);
                    return Ok(None);
                }
                // A holder removed the file between our open and our lock.
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let mut holder = String::new();
                    file.read_to_string(&mut holder)?;
                    return Ok(Some(holder.trim().into()));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Leaves a group to whoever comes next.
    pub fn leave(&mut self, group: &str) {
        if let Some(file) = self.held.remove(group) {
            // While the lock is held, so that nobody can have taken it in between. Where it cannot
            // be removed the lock ends all the same.
            let _ = remove(&self.path(group, "wanted"));
            let _ = remove(&self.path(group, "group"));
            drop(file);
        }
    }

    /// Leaves word that the holder is to end.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn want(&self, group: &str) -> io::Result<()> {
        let path = self.path(group, "wanted");
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map(drop)
    }

    /// Whether somebody left such word for a group that this process has.
    pub fn is_wanted(&self, group: &str) -> bool {
        self.held.contains_key(group) && self.path(group, "wanted").exists()
    }

    /// A group's name may hold anything, its file's name may not.
    fn path(&self, group: &str, kind: &str) -> PathBuf {
        let name = Digest::of(group.as_bytes());
        self.folder.join(format!("{name}.{kind}"))
    }
}

impl Drop for GroupLocks {
    fn drop(&mut self) {
        for group in self.held.keys().cloned().collect::<Vec<_>>() {
            self.leave(&group);
        }
    }
}

fn write(file: &File, who: StreamId) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    file.set_len(0)?;
    file.write_all_at(format!("{who}\n").as_bytes(), 0)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl<J: Journal, W: Jobs, H: Home, O: Observer> Loop<J, W, H, O> {
    /// Takes the groups that adopted runs have according to the journal.
    ///
    /// # Errors
    /// When another process has one by now.
    pub fn hold_groups(&mut self) -> Result<(), DriverError> {
        for held in self.state.groups_held() {
            if let Some(holder) = self.home.groups().take(&held.group, held.stream) {
                return Err(DriverError::GroupHeld { group: held.written, holder });
            }
            self.groups.insert(held.group);
        }
        Ok(())
    }

    /// Takes the groups whose turn has come, and notes those that another process has.
    pub(crate) fn take_groups(&mut self) {
        let mut elsewhere = BTreeMap::new();
        for turn in self.state.group_turns() {
            if self.groups.contains(&turn.group) {
                continue;
            }
            match self.home.groups().take(&turn.group, turn.stream) {
                None => {
                    self.groups.insert(turn.group);
                }
                Some(holder) => {
                    if turn.ends_holder {
                        self.home.groups().want(&turn.group);
                    }
                    elsewhere.insert(turn.group, holder);
                }
            }
        }
        self.definitions.set_elsewhere(elsewhere);
    }

    /// Leaves the groups that nobody here has any more. Called after the append: the journal says so
    /// before another process can go ahead.
    pub(crate) fn leave_groups(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let held: Vec<String> = self.state.groups_held().into_iter().map(|it| it.group).collect();
        let home = &mut self.home;
        self.groups.retain(|group| {
            let stays = held.contains(group);
            if !stays {
                home.groups().leave(group);
            }
            stays
        });
    }

    /// Ends for the holders that another process wants to end.
    pub(crate) fn wanted_groups(&mut self) -> Vec<Input> {
        if self.groups.is_empty() {
            return Vec::new();
        }
        let wanted = self.state.groups_held().into_iter().filter(|it| {
            self.groups.contains(&it.group) && self.home.groups().is_wanted(&it.group)
        });
        let cancel = |held: scheduler::HeldGroup| Input::Cancel {
            stream: Some(held.stream),
            job: held.job,
            reason: CancelReason::Concurrency { group: held.written },
        };
        wanted.map(cancel).collect()
    }

    /// Whether groups have to be looked at again soon: other processes give no sign.
    pub fn watches_groups(&self) -> bool {
        !self.groups.is_empty() || !self.definitions.elsewhere().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use event::{Attempt, RunId};

    use super::*;

    #[test]
    fn a_group_has_one_holder_among_processes() {
        let folder = std::env::temp_dir().join(format!("groups-{}", std::process::id()));
        let locks = || GroupLocks::new(folder.clone());
        let run = |run| StreamId::Run(RunId(run), Attempt(1));
        let (mut one, mut two) = (locks(), locks());
        assert_eq!(one.take("deploy/é", run(1)).unwrap(), None);
        assert_eq!(one.take("deploy/é", run(1)).unwrap(), None);
        assert_eq!(one.take("other/é", run(3)).unwrap(), None);
        assert_eq!(two.take("deploy/é", run(2)).unwrap().as_deref(), Some("run/1/1"));
        assert!(!one.is_wanted("deploy/é"));
        two.want("deploy/é").unwrap();
        assert!(one.is_wanted("deploy/é") && !one.is_wanted("other/é"));
        one.leave("deploy/é");
        assert_eq!(two.take("deploy/é", run(2)).unwrap(), None);
        assert!(!two.is_wanted("deploy/é"));
        drop((one, two));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
