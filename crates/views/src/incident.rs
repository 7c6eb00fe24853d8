//! One incident: what it is, when users met it, what was shipped that has to do with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{
    Actor, Envelope, IncidentEvent, IncidentId, IncidentRecord, IncidentRole, IncidentSource, Seq,
    Severity, ShippedBy, StreamId, Timestamp,
};
use mask::MaskedText;

/// One incident, folded.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentView {
    /// Which.
    pub id: IncidentId,
    /// As it was opened.
    pub record: IncidentRecord,
    /// What brought it, as it is known now: a deployment, or jobs of a run.
    pub caused_by: Option<ShippedBy>,
    /// What was made to end it.
    pub fixed_by: BTreeSet<ShippedBy>,
    /// When users met it: the last one has no end while it is open. Never empty.
    pub spans: Vec<IncidentSpan>,
    /// Its last event.
    pub last_seq: Seq,
}

/// From when users met it until they did not.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentSpan {
    /// Its begin.
    pub since: Timestamp,
    /// Who said so.
    pub by: Actor,
    /// Why, in their words.
    pub reason: Option<MaskedText>,
    /// Its end.
    pub end: Option<IncidentEnd>,
}

/// How a span ended.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentEnd {
    /// When.
    pub at: Timestamp,
    /// Who said so.
    pub by: Actor,
    /// Why, or by what, in their words.
    pub reason: Option<MaskedText>,
}

impl IncidentView {
    /// The incident of these events; none where they do not begin with one.
    pub fn of(id: IncidentId, events: &[Envelope<IncidentEvent>]) -> Option<IncidentView> {
        let (first, rest) = events.split_first()?;
        let IncidentEvent::IncidentOpened(record) = &first.event else { return None };
        let mut view = IncidentView {
            id,
            record: (**record).clone(),
            caused_by: record.caused_by,
            fixed_by: BTreeSet::new(),
            spans: vec![IncidentSpan {
                since: record.opened_at,
                by: record.by.clone(),
                reason: None,
                end: None,
            }],
            last_seq: first.seq,
        };
        for envelope in rest {
            view.apply(&envelope.event);
            view.last_seq = envelope.seq;
        }
        Some(view)
    }

    /// What happens next.
    pub fn apply(&mut self, event: &IncidentEvent) {
        match event {
            // It is opened once.
            IncidentEvent::IncidentOpened(_) => {}
            IncidentEvent::IncidentResolved { by, reason, resolved_at, .. } => {
                let end = IncidentEnd { at: *resolved_at, by: by.clone(), reason: reason.clone() };
                if let Some(span) = self.spans.last_mut().filter(|it| it.end.is_none()) {
                    span.end = Some(end);
                }
            }
            IncidentEvent::IncidentReopened { by, reason, reopened_at, .. } => {
                if !self.is_open() {
                    self.spans.push(IncidentSpan {
                        since: *reopened_at,
                        by: by.clone(),
                        reason: reason.clone(),
                        end: None,
                    });
                }
            }
            IncidentEvent::IncidentLinked { deployment, role, .. } => match role {
                IncidentRole::Cause => self.caused_by = Some(*deployment),
                IncidentRole::Fix => drop(self.fixed_by.insert(*deployment)),
            },
            IncidentEvent::IncidentUnlinked { deployment, role, .. } => match role {
                IncidentRole::Cause => {
                    self.caused_by = self.caused_by.filter(|it| it != deployment);
                }
                IncidentRole::Fix => drop(self.fixed_by.remove(deployment)),
            },
        }
    }

    /// Whether users meet it now.
    pub fn is_open(&self) -> bool {
        self.resolved_at().is_none()
    }

    /// Since when it is over; none while it is open.
    pub fn resolved_at(&self) -> Option<Timestamp> {
        self.spans.last().and_then(|it| it.end.as_ref()).map(|it| it.at)
    }

    /// When the last of its changes happened, as whoever told it says.
    pub fn changed_at(&self) -> Timestamp {
        let last = self.spans.last();
        let end = last.and_then(|it| it.end.as_ref()).map(|it| it.at);
        end.or(last.map(|it| it.since)).unwrap_or(self.record.opened_at)
    }

    /// How long users met it, all of its spans together, until `now` where it is open.
    pub fn length_ms(&self, now: Timestamp) -> u64 {
        let span = |it: &IncidentSpan| {
            it.end.as_ref().map_or(now, |end| end.at).0.saturating_sub(it.since.0)
        };
        self.spans.iter().map(span).sum()
    }

    /// What the figures need of it.
    pub fn line(&self) -> IncidentLine {
        IncidentLine {
            incident: self.id,
            project: Arc::clone(&self.record.project),
            environment: Arc::clone(&self.record.environment),
            service: self.record.service.clone(),
            title: self.record.title.as_str().into(),
            source: self.record.source,
            severity: self.record.severity,
            caused_by: self.caused_by,
            fixed_by: self.fixed_by.clone(),
            opened_at: self.record.opened_at,
            resolved_at: self.resolved_at(),
            last_seq: self.last_seq,
        }
    }
}

/// An incident, as the figures count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentLine {
    /// Which.
    pub incident: IncidentId,
    /// `project` of the settings, or a repository whose jobs ship.
    pub project: Arc<str>,
    /// The environment.
    pub environment: Arc<str>,
    /// The service; none where it is of all that its deployments shipped.
    pub service: Option<Arc<str>>,
    /// What is wrong.
    pub title: Arc<str>,
    /// Who told of it.
    pub source: IncidentSource,
    /// How bad it is.
    pub severity: Severity,
    /// What brought it.
    pub caused_by: Option<ShippedBy>,
    /// What was made to end it.
    pub fixed_by: BTreeSet<ShippedBy>,
    /// Since when users met it.
    pub opened_at: Timestamp,
    /// Since when they do not; none while it is open.
    pub resolved_at: Option<Timestamp>,
    /// Its last event.
    pub last_seq: Seq,
}

impl IncidentLine {
    /// The stream that tells it.
    pub fn stream(&self) -> StreamId {
        StreamId::Incident(self.incident)
    }

    /// Whether it is about this service.
    pub fn is_of(&self, service: &str) -> bool {
        self.service.as_deref().is_none_or(|it| it == service)
    }
}
