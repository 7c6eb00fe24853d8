//! Incidents as rows: written when something happened in one, read by where users met it.

use std::collections::BTreeSet;

use event::{IncidentId, Seq, ShippedBy};
use rusqlite::{Connection, Row, params};
use views::{IncidentLine, IncidentView};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::jobs::by;
use crate::query::{Asked, Shipped, at, maybe_at, text, word};

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

/// The incidents that what jobs shipped to a place has to do with, whatever project they are of: jobs of a
/// repository may have brought what a project of the settings tells of. From the place's own streams on, by
/// index: there may be many incidents of others (a `+` keeps a query from beginning with all of an environment).
const OF_JOBS: &str = "
    SELECT of.incident FROM shipment AS it CROSS JOIN incident AS of ON of.caused_by = it.stream
    WHERE it.is_by_jobs = 1 AND it.project = ?1 AND it.environment = ?2 AND it.service = ?3
    UNION
    SELECT of.incident FROM shipment AS it CROSS JOIN incident_fix AS of ON of.fix = it.stream
    WHERE it.is_by_jobs = 1 AND it.project = ?1 AND it.environment = ?2 AND it.service = ?3";
/// The incidents of a project that are linked to anything: to its deployments.
const OF_DEPLOYMENTS: &str = "
    SELECT incident FROM incident AS it WHERE project = ?1 AND environment = ?2
      AND (caused_by IS NOT NULL OR EXISTS (SELECT 1 FROM incident_fix AS fix WHERE fix.incident = it.incident))";
/// Those of a project that users met in a window.
const MET: &str = "
    SELECT incident FROM incident WHERE project = ?1 AND environment = ?2
      AND opened_at < ?4 AND (resolved_at IS NULL OR resolved_at >= ?5)";

fn is_linked(at: &Shipped) -> &'static str {
    if at.is_by_jobs { OF_JOBS } else { OF_DEPLOYMENTS }
}

/// Those of a service in an environment that something shipped has to do with, in their order.
pub(crate) fn linked(rows: &Connection, at: &Shipped) -> rusqlite::Result<Vec<IncidentLine>> {
    let query = format!(
        "SELECT {COLUMNS} FROM incident
         WHERE incident IN ({}) AND +environment = ?2 AND (service IS NULL OR service = ?3)
         ORDER BY incident",
        is_linked(at)
    );
    let (project, environment, service) = at.place();
    let mut statement = rows.prepare_cached(&query)?;
    let found = statement.query_map(params![project, environment, service], line)?;
    with_fixes(rows, found.collect::<rusqlite::Result<_>>()?)
}

/// Those of a service in an environment that users met in a window, newest first, linked or not, as far as
/// whoever asks may read them.
pub(crate) fn within(
    rows: &Connection,
    at: &Shipped,
    asked: &Asked,
) -> rusqlite::Result<Vec<IncidentLine>> {
    let query = format!(
        "SELECT {COLUMNS} FROM incident
         WHERE incident IN ({MET} UNION {}) AND +environment = ?2 AND (service IS NULL OR service = ?3)
           AND +opened_at < ?4 AND (resolved_at IS NULL OR resolved_at >= ?5)
           AND (project = ?1 OR NOT ?7)
         ORDER BY opened_at DESC, incident DESC LIMIT ?6",
        is_linked(at)
    );
    let (project, environment, service) = at.place();
    let window = asked.window;
    let (since, until) = (window.since.0.cast_signed(), window.until.0.cast_signed());
    let mut statement = rows.prepare_cached(&query)?;
    // Who sees nothing of a project's reads no incident of one: what it says of the repository's jobs counts, and
    // its number stands beside them.
    let wanted =
        params![project, environment, service, until, since, INCIDENTS_MAX as i64, asked.only_jobs];
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
