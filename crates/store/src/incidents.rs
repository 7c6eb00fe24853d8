//! Incidents of a journal: numbered once for each key, found again, appended to.

use std::sync::Arc;

use event::{Envelope, IncidentEvent, IncidentId, Seq, StreamId, Timestamp};
use ports::JournalError;

use crate::engine::{Fault, Session, values};
use crate::error::StoreError;
use crate::store::Store;
use crate::write::Refusal;
use crate::writer::{Answer, Request};

impl Store {
    /// The number of the incident that is known by this key elsewhere, a new one where none is; always
    /// a new one without a key. Whoever is killed before an event stands behind the number finds it
    /// again by its key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn allocate_incident(
        &self,
        project: &str,
        key: Option<&str>,
    ) -> Result<IncidentId, StoreError> {
        let (project, key) = (project.into(), key.unwrap_or_default().into());
        match self.ask(Request::AllocateIncident { project, key }) {
            Ok(Answer::Incident(id)) => Ok(id),
            Ok(_) => unreachable!("the answer to this request is an incident"),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// The newest incidents, of a project or of all, newest first. Behind a number there may be no event.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn incidents(
        &self,
        project: Option<&str>,
        limit: usize,
    ) -> Result<Vec<IncidentId>, StoreError> {
        self.look(|session| listed(session, project, limit))
    }

    /// The incident that is known by this key elsewhere.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn incident_with(&self, key: &str) -> Result<Option<IncidentId>, StoreError> {
        self.look(|session| with_key(session, key))
    }

    /// The number of the newest incident; 0 where there is none.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn newest_incident(&self) -> Result<u64, StoreError> {
        self.look(|session| session.only("SELECT coalesce(max(id), 0) FROM incident", &[]))
    }

    /// What happened in an incident; nothing where it is none, or where its events were deleted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn incident(&self, id: IncidentId) -> Result<Vec<Envelope<IncidentEvent>>, JournalError> {
        match self.read_any(StreamId::Incident(id), Seq(0)) {
            Err(JournalError::Forgotten { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Appends to an incident, behind the event that the caller saw last.
    ///
    /// # Errors
    /// When somebody else was faster, or it cannot be written.
    pub fn append_incident(
        &self,
        id: IncidentId,
        expected: Seq,
        at: Timestamp,
        events: &[IncidentEvent],
    ) -> Result<Seq, JournalError> {
        self.append_any(StreamId::Incident(id), expected, at, events)
    }
}

/// Whoever holds the lock that writes looks and counts: a key has one number.
pub(crate) fn allocate(
    session: &mut dyn Session,
    project: &Arc<str>,
    key: &Arc<str>,
) -> Result<Answer, Refusal> {
    if !key.is_empty()
        && let Some(known) = with_key(session, key)?
    {
        return Ok(Answer::Incident(known));
    }
    let id = session.only(
        "INSERT INTO incident (id, project, key)
         VALUES ((SELECT coalesce(max(id), 0) + 1 FROM incident), ?1, ?2) RETURNING id",
        values![&**project, &**key],
    )?;
    Ok(Answer::Incident(IncidentId(id)))
}

fn with_key(session: &mut dyn Session, key: &str) -> Result<Option<IncidentId>, Fault> {
    session.one("SELECT id FROM incident WHERE key = ?1 ORDER BY id LIMIT 1", values![key], |row| {
        row.get(0).map(IncidentId)
    })
}

fn listed(
    session: &mut dyn Session,
    project: Option<&str>,
    limit: usize,
) -> Result<Vec<IncidentId>, Fault> {
    session.all(
        "SELECT id FROM incident WHERE (CAST(?1 AS TEXT) IS NULL OR project = ?1)
         ORDER BY id DESC LIMIT ?2",
        values![project, limit],
        |row| row.get(0).map(IncidentId),
    )
}
