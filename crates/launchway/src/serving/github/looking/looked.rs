//! What was seen of each repository, as a file, and what webhooks and looks ask of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use event::Timestamp;

use super::seen::{Move, Seen};
use crate::exit::Failure;
use crate::serving::data::{self, DataFolder};
use crate::terminal::style::talk;

/// What was seen of repositories; of one writer at a time.
pub(crate) struct Looked {
    pub(super) data: DataFolder,
    turn: Mutex<()>,
}

impl Looked {
    pub(crate) fn of(data: DataFolder) -> Looked {
        Looked { data, turn: Mutex::default() }
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        // Files are written as a whole: whoever died while it was held left them so.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None where nothing is known. What cannot be read is put aside: webhooks are acted upon without it.
    pub(super) fn read(&self, name: &str) -> Result<Option<Seen>, Failure> {
        let path = self.data.looked(name);
        match data::read(&path) {
            Err(failure) if data::is_damaged(&failure) => {
                let aside = data::put_aside(&path)?;
                talk(&format!(
                    "warning: {name}: {:#}; it is {} now, and what is missed is looked for from now on",
                    failure.error,
                    aside.display()
                ));
                Ok(None)
            }
            read => read,
        }
    }

    /// What a branch or tag led to when it was last acted upon; zeros where it was not there.
    pub(crate) fn before(&self, name: &str, git_ref: &str) -> Result<String, Failure> {
        let seen = self.read(name)?.unwrap_or_default();
        Ok(seen.led_to(git_ref))
    }

    /// Whether a webhook tells of a push that was found before it came, or of one before that.
    pub(crate) fn is_past(
        &self,
        name: &str,
        git_ref: &str,
        pushed_at: Option<Timestamp>,
    ) -> Result<bool, Failure> {
        let seen = self.read(name)?.unwrap_or_default();
        Ok(pushed_at.is_some_and(|it| seen.is_past(git_ref, it)))
    }

    /// A push was acted upon.
    pub(crate) fn settle(&self, name: &str, push: &Move<'_>) -> Result<(), Failure> {
        let _turn = self.turn();
        let Some(before) = self.read(name)? else { return Ok(()) };
        let mut seen = before.clone();
        seen.take(push);
        if seen == before {
            return Ok(());
        }
        data::write(&self.data.looked(name), &seen)
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen::When;
    use super::*;
    use crate::serving::arriving::moved::NOTHING;
    use crate::terminal::time::now;

    #[test]
    fn a_webhook_that_comes_late_is_told_from_a_new_push() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::of(Some(folder.path()), None).expect("a place");
        let looked = Looked::of(data.clone());
        let (name, at) = ("octo/app", now());
        let past = |pushed_at: u64| {
            let pushed_at = Some(Timestamp(pushed_at));
            looked.is_past(name, "main", pushed_at).expect("it can be read")
        };
        data::write(&data.looked(name), &Seen::default()).expect("a file");
        let acted = |before: &str, after: &str, at: When| {
            let push = Move { git_ref: "main", before, after, at };
            looked.settle(name, &push).expect("it is written");
            looked.before(name, "main").expect("it can be read")
        };
        let pushed = |at: u64| When::Said(Some(Timestamp(at)));
        // The newest is what a look compares with, in whatever order they are told.
        assert_eq!(acted("b", "c", pushed(at.0 - 60_000)), "c");
        assert_eq!(acted("a", "b", pushed(at.0 - 60_000)), "c", "in one second");
        assert_eq!(acted("x", "a", pushed(at.0 - 90_000)), "c", "before it");
        assert_eq!(acted("c", "b", pushed(at.0 - 30_000)), "b", "forced back");
        assert!(!past(at.0 - 5_000), "it was told in time");
        assert_eq!(acted("b", "c", When::Looked(at)), "c");
        assert!(past(at.0 - 5_000) && past(at.0));
        assert!(!past(at.0 + 1_000));
        assert_eq!(looked.before(name, "main").expect("it can be read"), "c");
        assert_eq!(looked.before(name, "v1").expect("it can be read"), NOTHING);
    }
}
