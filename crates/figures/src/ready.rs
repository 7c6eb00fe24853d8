//! The job that waits longest for a worker now, by the journal alone.

use event::{Seq, Status, Timestamp};
use ports::{Journal as _, JournalError};
use store::Store;
use views::RunView;

use crate::error::FiguresError;
use crate::query::Asked;
use crate::report::{Load, OldestReady, Report};

/// The job that could have begun first of those without a worker, of these repositories; none: of all.
///
/// # Errors
/// When the journal does not answer.
pub fn oldest_ready(
    store: &Store,
    repositories: Option<&[String]>,
    now: Timestamp,
) -> Result<Option<OldestReady>, FiguresError> {
    let mut oldest: Option<OldestReady> = None;
    for stream in store.open_streams()? {
        let events = match store.read(stream, Seq(0)) {
            Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => continue,
            events => events?,
        };
        let Some(view) = RunView::of(events.iter().map(|it| &it.event)) else { continue };
        let header = &view.header;
        let is_asked = |all: &[String]| all.iter().any(|it| **it == *header.repository);
        if !repositories.is_none_or(is_asked) {
            continue;
        }
        let ready = view.jobs.iter().filter(|it| it.status == Status::Queued);
        let first = ready.filter_map(|it| Some((it.ready_at?, it))).min_by_key(|it| it.0);
        let Some((since_ms, job)) = first else { continue };
        if oldest.as_ref().is_none_or(|it| since_ms < it.since_ms) {
            oldest = Some(OldestReady {
                run: header.run,
                attempt: header.attempt,
                job: job.name.as_str().to_owned(),
                since_ms,
                age_ms: now.0.saturating_sub(since_ms.0),
            });
        }
    }
    Ok(oldest)
}

impl Report {
    /// Adds what is so now, where the time is not past: the job that waits longest.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub fn look_at_queue(&mut self, store: &Store, asked: &Asked) -> Result<(), FiguresError> {
        if asked.is_past {
            return Ok(());
        }
        self.oldest_ready = oldest_ready(store, asked.repositories.as_deref(), asked.window.until)?;
        Ok(())
    }
}

impl Load {
    /// Against so many places, which are there now: how many there were is in no journal.
    pub fn against(&mut self, places: usize) {
        self.places = Some(places);
        self.share = self.average.filter(|_| places > 0).map(|it| it / places as f64);
    }
}
