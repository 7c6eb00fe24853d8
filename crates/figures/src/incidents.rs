//! Incidents as rows: written when something happened in one, read by where users met it.

use std::collections::BTreeSet;

use event::{IncidentId, Seq, ShippedBy};
use rusqlite::{Connection, Row, params};
use views::{IncidentLine, IncidentView, Window};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::jobs::by;
use crate::query::{Shipped, at, maybe_at, text, word};

/// Incidents of one report: the newest. A team has a few in a week.
const INCIDENTS_MAX: usize = 2_000;

const COLUMNS: &str = "incident, project, environment, service, title, source, severity, caused_by,
    opened_at, resolved_at, last_seq";

/// Puts an incident as it is now in place of what stands there.
pub(crate) fn take(rows: &Connection, view: &IncidentView) -> rusqlite::Result<()> {
    let it = view.line();
    let id = it.incident.0.cast_signed();
    let at = |at: event::Timestamp| at.0.cast_signed();
    let mut statement = rows.prepare_cached(
        "INSERT OR REPLACE INTO incident (incident, project, environment, service, title, source,
           severity, caused_by, opened_at, resolved_at, last_seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute(params![
        id,
        it.project,
        it.environment,
        it.service,
        it.title,
        it.source.as_str(),
        it.severity.as_str(),
        it.caused_by.map(|it| it.stream().to_string()),
        at(it.opened_at),
        it.resolved_at.map(at),
        it.last_seq.0.cast_signed(),
    ])?;
    rows.prepare_cached("DELETE FROM incident_fix WHERE incident = ?1")?.execute([id])?;
    let mut fix =
        rows.prepare_cached("INSERT INTO incident_fix (incident, fix) VALUES (?1, ?2)")?;
    for by in &it.fixed_by {
        fix.execute(params![id, by.stream().to_string()])?;
    }
    Ok(())
}

/// What a deployment shipped, or jobs of a run, to this place and no other: by the stream that an incident names.
const SHIPPED_THERE: &str = "SELECT 1 FROM shipment AS it
    WHERE it.is_by_jobs = 1 AND it.project = ?1 AND it.environment = ?2 AND it.service = ?3 AND it.stream =";

/// Whether an incident has to do with a place, by its project, or by what is linked: jobs of a repository may
/// have brought what a project of the settings tells of.
fn is_linked(at: &Shipped) -> String {
    let has_fix = |more: &str| {
        format!(
            "EXISTS (SELECT 1 FROM incident_fix AS fix WHERE fix.incident = incident.incident {more})"
        )
    };
    if at.is_by_jobs {
        let fix = has_fix(&format!("AND EXISTS ({SHIPPED_THERE} fix.fix)"));
        format!("(EXISTS ({SHIPPED_THERE} incident.caused_by) OR {fix})")
    } else {
        format!("(project = ?1 AND (caused_by IS NOT NULL OR {}))", has_fix(""))
    }
}

/// Those of a service in an environment that something shipped has to do with, in their order.
pub(crate) fn linked(rows: &Connection, at: &Shipped) -> rusqlite::Result<Vec<IncidentLine>> {
    let query = format!(
        "SELECT {COLUMNS} FROM incident
         WHERE environment = ?2 AND (service IS NULL OR service = ?3) AND {}
         ORDER BY incident",
        is_linked(at)
    );
    let (project, environment, service) = at.place();
    let mut statement = rows.prepare_cached(&query)?;
    let found = statement.query_map(params![project, environment, service], line)?;
    with_fixes(rows, found.collect::<rusqlite::Result<_>>()?)
}

/// Those of a service in an environment that users met in a window, newest first, linked or not.
pub(crate) fn within(
    rows: &Connection,
    at: &Shipped,
    window: Window,
) -> rusqlite::Result<Vec<IncidentLine>> {
    let query = format!(
        "SELECT {COLUMNS} FROM incident
         WHERE environment = ?2 AND (service IS NULL OR service = ?3) AND (project = ?1 OR {})
           AND opened_at < ?4 AND (resolved_at IS NULL OR resolved_at >= ?5)
         ORDER BY opened_at DESC, incident DESC LIMIT ?6",
        is_linked(at)
    );
    let (project, environment, service) = at.place();
    let (since, until) = (window.since.0.cast_signed(), window.until.0.cast_signed());
    let mut statement = rows.prepare_cached(&query)?;
    let wanted = params![project, environment, service, until, since, INCIDENTS_MAX as i64];
    let found = statement.query_map(wanted, line)?;
    with_fixes(rows, found.collect::<rusqlite::Result<_>>()?)
}

fn of_shipped(rows: &Connection, by: ShippedBy) -> rusqlite::Result<Vec<IncidentId>> {
    let mut statement = rows.prepare_cached(
        "SELECT incident FROM incident WHERE caused_by = ?1
         UNION SELECT incident FROM incident_fix WHERE fix = ?1",
    )?;
    let id = |row: &Row<'_>| Ok(IncidentId(row.get::<_, i64>(0)?.cast_unsigned()));
    statement.query_map([by.stream().to_string()], id)?.collect()
}

fn with_fixes(
    rows: &Connection,
    mut all: Vec<IncidentLine>,
) -> rusqlite::Result<Vec<IncidentLine>> {
    let mut statement = rows.prepare_cached("SELECT fix FROM incident_fix WHERE incident = ?1")?;
    for it in &mut all {
        let found = statement.query_map([it.incident.0.cast_signed()], |row| by(row, 0))?;
        it.fixed_by = found.collect::<rusqlite::Result<_>>()?;
    }
    Ok(all)
}

fn line(row: &Row<'_>) -> rusqlite::Result<IncidentLine> {
    let caused_by: Option<String> = row.get(7)?;
    Ok(IncidentLine {
        incident: IncidentId(row.get::<_, i64>(0)?.cast_unsigned()),
        project: text(row, 1)?,
        environment: text(row, 2)?,
        service: row.get::<_, Option<String>>(3)?.map(Into::into),
        title: text(row, 4)?,
        source: word(row, 5)?,
        severity: word(row, 6)?,
        caused_by: caused_by.map(|_| by(row, 7)).transpose()?,
        fixed_by: BTreeSet::new(),
        opened_at: at(row, 8)?,
        resolved_at: maybe_at(row, 9)?,
        last_seq: Seq(row.get::<_, i64>(10)?.cast_unsigned()),
    })
}

impl Figures {
    /// Incidents that something shipped brought, or that it was made to end, as far as they are counted.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn incidents_of(&self, by: ShippedBy) -> Result<Vec<IncidentId>, FiguresError> {
        of_shipped(&self.reader(), by).map_err(|source| self.failed(source))
    }
}
