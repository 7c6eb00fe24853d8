//! Incidents: what people ask for about them, and how they are described to programs.

use event::{Actor, IncidentId, IncidentRole, Seq, Severity, ShippedBy, StreamId, Timestamp};
use serde_json::{Value as Json, json};
use views::IncidentView;

use crate::app::App;
use crate::problem::Problem;

/// Incidents that one answer gives: the newest.
pub(crate) const LISTED_MAX: usize = 200;
/// The newest ones that are looked at besides those that are counted, which may be behind.
const NEWEST: usize = 20;

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentAsk {
    /// What.
    pub deed: IncidentDeed,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When it was so; none for now.
    pub at: Option<Timestamp>,
    /// Who.
    pub by: Actor,
}

/// Something done about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentDeed {
    /// It is opened.
    Open(IncidentWish),
    /// It is over.
    Resolve(IncidentId),
    /// It is not over after all.
    Reopen(IncidentId),
    /// A deployment, or what jobs of a run shipped, has to do with it.
    Link(IncidentId, ShippedBy, IncidentRole),
    /// It has not.
    Unlink(IncidentId, ShippedBy, IncidentRole),
}

/// An incident that is to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentWish {
    /// What is wrong, in a line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// `project` of the settings; that of what brought it where nobody says: of jobs their repository.
    pub project: Option<String>,
    /// Where; that of what brought it where nobody says.
    pub environment: Option<String>,
    /// The service; none for all.
    pub service: Option<String>,
    /// What brought it.
    pub caused_by: Option<ShippedBy>,
    /// The same is opened once.
    pub key: Option<String>,
}

/// An incident as the API gives it and `launchway incidents --format json` prints it.
pub fn incident_details(view: &IncidentView) -> Json {
    let record = &view.record;
    let who = |by: &Actor| json!({ "name": by.name, "proof": by.proof });
    let span = |it: &views::IncidentSpan| {
        json!({
            "since_ms": it.since, "by": who(&it.by), "reason": it.reason,
            "resolved_at_ms": it.end.as_ref().map(|end| end.at),
            "resolved_by": it.end.as_ref().map(|end| who(&end.by)),
            "resolved_because": it.end.as_ref().and_then(|end| end.reason.clone()),
        })
    };
    json!({
        "incident": view.id,
        "state": if view.is_open() { "open" } else { "resolved" },
        "title": record.title,
        "severity": record.severity,
        "project": record.project,
        "environment": record.environment,
        "service": record.service,
        "source": record.source,
        "link": record.link,
        "caused_by": view.caused_by,
        "fixed_by": view.fixed_by,
        "opened_at_ms": record.opened_at,
        "resolved_at_ms": view.resolved_at(),
        "spans": view.spans.iter().map(span).collect::<Vec<_>>(),
        "stream": StreamId::Incident(view.id),
        "first_seq": Seq(1),
        "last_seq": view.last_seq,
    })
}

/// Which incidents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) project: Option<String>,
    /// As on GitHub: in any case.
    pub(crate) environment: Option<String>,
    /// Only those that are open, or only those that are not.
    pub(crate) open: Option<bool>,
}

impl Wanted {
    fn has(&self, view: &IncidentView) -> bool {
        let record = &view.record;
        self.project.as_deref().is_none_or(|it| it == &*record.project)
            && self
                .environment
                .as_deref()
                .is_none_or(|it| record.environment.eq_ignore_ascii_case(it))
            && self.open.is_none_or(|it| it == view.is_open())
    }
}

/// One incident.
pub(crate) fn find(app: &App, id: IncidentId) -> Result<IncidentView, Problem> {
    let found = IncidentView::of(id, &app.store.incident(id)?);
    found.ok_or_else(|| Problem::not_found("There is no such incident."))
}

/// The newest incidents, newest first.
pub(crate) fn newest(app: &App, wanted: &Wanted) -> Result<Vec<IncidentView>, Problem> {
    let mut views = folded(app, app.store.incidents(wanted.project.as_deref(), LISTED_MAX)?)?;
    views.retain(|it| wanted.has(it));
    Ok(views)
}

/// Those that something shipped has to do with, newest first.
pub(crate) fn of_shipped(app: &App, by: ShippedBy) -> Result<Vec<IncidentView>, Problem> {
    let mut ids = app.figures.incidents_of(by)?;
    ids.extend(app.store.incidents(None, NEWEST)?);
    ids.sort_unstable_by(|one, two| two.cmp(one));
    ids.dedup();
    let mut views = folded(app, ids)?;
    views.retain(|it| it.caused_by == Some(by) || it.fixed_by.contains(&by));
    Ok(views)
}

/// One that cannot be read, as a newer version wrote it, does not hide the others.
fn folded(app: &App, ids: Vec<IncidentId>) -> Result<Vec<IncidentView>, Problem> {
    let views = ids.into_iter().filter_map(|id| {
        let events = app.store.incident(id).ok()?;
        IncidentView::of(id, &events)
    });
    Ok(views.collect())
}
