//! Incidents as rows: written when something happened in one, read by where users met it.

use std::collections::BTreeSet;

use event::{DeploymentId, IncidentId, Seq};
use rusqlite::{Connection, Row, params};
use views::{IncidentLine, IncidentView, Window};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::query::{Asked, at, maybe_at, text, word};

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
        it.caused_by.map(|it| it.0.cast_signed()),
        at(it.opened_at),
        it.resolved_at.map(at),
        it.last_seq.0.cast_signed(),
    ])?;
    rows.prepare_cached("DELETE FROM incident_fix WHERE incident = ?1")?.execute([id])?;
    let mut fix =
        rows.prepare_cached("INSERT INTO incident_fix (incident, deployment) VALUES (?1, ?2)")?;
    for deployment in &it.fixed_by {
        fix.execute([id, deployment.0.cast_signed()])?;
    }
    Ok(())
}

/// Those of a service in an environment that a deployment has to do with, in their order.
pub(crate) fn linked(
    rows: &Connection,
    (project, environment, service): (&str, &str, &str),
) -> rusqlite::Result<Vec<IncidentLine>> {
    let query = format!(
        "SELECT {COLUMNS} FROM incident
         WHERE project = ?1 AND environment = ?2 AND (service IS NULL OR service = ?3)
           AND (caused_by IS NOT NULL
                OR EXISTS (SELECT 1 FROM incident_fix AS fix
                           WHERE fix.incident = incident.incident))
         ORDER BY incident"
    );
    let mut statement = rows.prepare_cached(&query)?;
    let found = statement.query_map(params![project, environment, service], line)?;
    with_fixes(rows, found.collect::<rusqlite::Result<_>>()?)
}

/// Those that users met in a window, newest first.
pub(crate) fn within(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<IncidentLine>> {
    let query = format!(
        "SELECT {COLUMNS} FROM incident
         WHERE (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR environment = ?2)
           AND (?3 IS NULL OR service IS NULL OR service = ?3)
           AND opened_at < ?4 AND (resolved_at IS NULL OR resolved_at >= ?5)
         ORDER BY opened_at DESC, incident DESC LIMIT ?6"
    );
    let mut statement = rows.prepare_cached(&query)?;
    let Window { since, until } = asked.window;
    let found = statement.query_map(
        params![
            asked.project,
            asked.environment,
            asked.service,
            until.0.cast_signed(),
            since.0.cast_signed(),
            INCIDENTS_MAX as i64
        ],
        line,
    )?;
    with_fixes(rows, found.collect::<rusqlite::Result<_>>()?)
}

fn of_deployment(rows: &Connection, deployment: DeploymentId) -> rusqlite::Result<Vec<IncidentId>> {
    let mut statement = rows.prepare_cached(
        "SELECT incident FROM incident WHERE caused_by = ?1
         UNION SELECT incident FROM incident_fix WHERE deployment = ?1",
    )?;
    let id = |row: &Row<'_>| Ok(IncidentId(row.get::<_, i64>(0)?.cast_unsigned()));
    statement.query_map([deployment.0.cast_signed()], id)?.collect()
}

fn with_fixes(
    rows: &Connection,
    mut all: Vec<IncidentLine>,
) -> rusqlite::Result<Vec<IncidentLine>> {
    let mut statement = rows.prepare_cached(
        "SELECT deployment FROM incident_fix WHERE incident = ?1 ORDER BY deployment",
    )?;
    for it in &mut all {
        let id = |row: &Row<'_>| Ok(DeploymentId(row.get::<_, i64>(0)?.cast_unsigned()));
        let found = statement.query_map([it.incident.0.cast_signed()], id)?;
        it.fixed_by = found.collect::<rusqlite::Result<_>>()?;
    }
    Ok(all)
}

fn line(row: &Row<'_>) -> rusqlite::Result<IncidentLine> {
    let caused_by: Option<i64> = row.get(7)?;
    Ok(IncidentLine {
        incident: IncidentId(row.get::<_, i64>(0)?.cast_unsigned()),
        project: text(row, 1)?,
        environment: text(row, 2)?,
        service: row.get::<_, Option<String>>(3)?.map(Into::into),
        title: text(row, 4)?,
        source: word(row, 5)?,
        severity: word(row, 6)?,
        caused_by: caused_by.map(|it| DeploymentId(it.cast_unsigned())),
        fixed_by: BTreeSet::new(),
        opened_at: at(row, 8)?,
        resolved_at: maybe_at(row, 9)?,
        last_seq: Seq(row.get::<_, i64>(10)?.cast_unsigned()),
    })
}

impl Figures {
    /// Incidents that a deployment brought, or that it was made to end, as far as they are counted.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn incidents_of(&self, deployment: DeploymentId) -> Result<Vec<IncidentId>, FiguresError> {
        of_deployment(&self.reader(), deployment).map_err(|source| self.failed(source))
    }

    /// Incidents that users met in a window, newest first, linked to a deployment or not.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn incidents(&self, asked: &Asked) -> Result<Vec<IncidentLine>, FiguresError> {
        within(&self.reader(), asked).map_err(|source| self.failed(source))
    }
}
