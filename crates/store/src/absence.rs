//! That a database is away, and is there again: said once, by whoever notices first.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::error::StoreError;

/// What keeps a database from answering.
#[derive(Clone, Debug)]
pub struct Absence(pub(crate) Arc<dyn Error + Send + Sync>);

impl fmt::Display for Absence {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

impl Error for Absence {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Whether all that is behind an error is that the journal's database is away. Where that is told of
/// ([`crate::Store::tell_of_absence`]), nobody else needs to say so.
pub fn is_away(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(it) = next {
        if it.is::<Absence>() {
            return true;
        }
        next = it.source();
    }
    false
}

/// What changed.
#[derive(Debug)]
pub enum Presence<'e> {
    /// The database does not answer any more.
    Away(&'e StoreError),
    /// It answers again.
    Back {
        /// After so long.
        after: Duration,
    },
}

/// What is told of it.
pub(crate) type Tell = Box<dyn Fn(Presence<'_>) + Send + Sync>;

/// What is known of it in this process.
#[derive(Default)]
pub(crate) struct Watch {
    tell: OnceLock<Tell>,
    away_since: Mutex<Option<Instant>>,
}

impl Watch {
    /// Who is told; the first stays.
    pub(crate) fn set(&self, tell: Tell) {
        // There is one server in a process.
        let _second = self.tell.set(tell);
    }

    /// Takes note of how it answered. Told under the lock: going and coming stay in order.
    pub(crate) fn note<T>(&self, answer: &Result<T, StoreError>) {
        let Some(tell) = self.tell.get() else { return };
        let mut away_since = self.away_since.lock().expect("nobody panics while telling");
        match answer {
            Ok(_) => {
                if let Some(since) = away_since.take() {
                    tell(Presence::Back { after: since.elapsed() });
                }
            }
            Err(error @ StoreError::Away { .. }) if away_since.is_none() => {
                *away_since = Some(Instant::now());
                tell(Presence::Away(error));
            }
            Err(_) => {}
        }
    }
}
