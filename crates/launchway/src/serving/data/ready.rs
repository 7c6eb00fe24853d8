//! Whether the server can keep what it is told: the journal and the data folder take a write.
//!
//! It is asked for by whoever looks, without a token: so it is proven now and then, by one at a time, and what
//! is said names no path.

use std::io::{ErrorKind, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use store::{Store, StoreError};

use crate::serving::data::DataFolder;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// What was proven holds for so long.
const EVERY: Duration = Duration::from_secs(10);
/// What is said of a database that is away.
const AWAY: &str = "the database does not answer";
/// As much as a word of a push.
const PROOF_BYTES: usize = 4 << 10;

/// What was proven last.
#[derive(Default)]
pub(crate) struct Readiness {
    known: Mutex<Option<(Instant, Option<String>)>>,
    /// One at a time: a journal that is locked is waited for.
    turn: Mutex<()>,
}

impl Readiness {
    /// Why nothing can be kept now; none where it can. Whoever asks while it is proven hears what was known
    /// before.
    pub(crate) fn trouble(&self, data: &DataFolder, store: &Store) -> Option<String> {
        let known = self.known.lock().expect("nobody panics while holding it").clone();
        let before = match known {
            Some((at, trouble)) if at.elapsed() < EVERY => return trouble,
            Some((_, trouble)) => trouble,
            None => None,
        };
        let Ok(_turn) = self.turn.try_lock() else { return before };
        let trouble = of_folder(data).or_else(|| of_journal(store));
        // Who waits for a database says so.
        let is_away = |it: &String| it.ends_with(AWAY);
        match &trouble {
            _ if trouble.iter().chain(&before).any(is_away) => {}
            Some(why) if before != trouble => talk(&format!("warning: not ready: {why}")),
            None if before.is_some() => talk("ready again: what comes is kept"),
            _ => {}
        }
        *self.known.lock().expect("nobody panics while holding it") =
            Some((Instant::now(), trouble.clone()));
        trouble
    }
}

fn of_folder(data: &DataFolder) -> Option<String> {
    let prove = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(data.state.root())?;
        file.write_all(&[b'\n'; PROOF_BYTES])?;
        file.as_file().sync_all()
    };
    let why = match prove().err()?.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "it may not be written to",
        ErrorKind::NotFound => "it is not there",
        _ => "the disk does not take it",
    };
    Some(format!("the data folder takes no write: {why}"))
}

fn of_journal(store: &Store) -> Option<String> {
    let why = match store.prove_write(now()).err()? {
        StoreError::Locked { .. } => "another process has locked it",
        StoreError::DiskFull { .. } => "the disk is full",
        StoreError::ReadOnly { .. } => "it may not be written to",
        StoreError::Away { .. } => AWAY,
        StoreError::TakenOver { .. } => "another server has it",
        _ => "it does not answer as it should",
    };
    Some(format!("the journal takes no write: {why}"))
}
