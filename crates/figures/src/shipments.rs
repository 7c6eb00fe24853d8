//! Shipments as rows: one for each service of a deployment that is over, or for what jobs of an attempt did
//! in one environment.

use event::{DeploymentEvent, DeploymentKind, Timestamp, Verdict};
use rusqlite::{Connection, params};
use views::Shipment;

use crate::tally::count_deployment;

/// Where the commits of a shipment were pushed; of jobs alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Its own commit, on the run's branch, else on one that came there before.
    pub(crate) own: Option<Place>,
    /// The commit at which that branch left the default branch, on the default branch.
    pub(crate) base: Option<Place>,
}

/// The place of a commit among those that were pushed to a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) branch: String,
    pub(crate) place: i64,
}

/// That a deployment was asked for, whatever comes of it. A task is none.
pub(crate) fn take_asked(
    rows: &Connection,
    stream: &str,
    begin: &DeploymentEvent,
) -> rusqlite::Result<()> {
    let DeploymentEvent::DeploymentRequested(request) = begin else { return Ok(()) };
    if request.kind == DeploymentKind::Task {
        return Ok(());
    }
    let mut statement = rows.prepare_cached(
        "INSERT OR IGNORE INTO asked (stream, environment, at, job) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let at = request.at.0.cast_signed();
    statement.execute(params![stream, request.environment, at, request.job]).map(drop)
}

/// What a deployment shipped.
pub(crate) fn take_deployment(rows: &Connection, shipments: &[Shipment]) -> rusqlite::Result<()> {
    let Some(first) = shipments.first() else { return Ok(()) };
    count_deployment(rows, first)?;
    for it in shipments {
        write(rows, it, &Places::default())?;
        for commit in it.commits.iter().filter(|_| is_brought(it)) {
            bring(rows, it, &commit.commit)?;
        }
    }
    Ok(())
}

/// Whether what came with it came to users.
pub(crate) fn is_brought(it: &Shipment) -> bool {
    it.verdict == Verdict::Succeeded && it.has_reached()
}

/// Puts a shipment in place of what stands there.
pub(crate) fn write(rows: &Connection, it: &Shipment, places: &Places) -> rusqlite::Result<()> {
    let mut statement = rows.prepare_cached(
        "INSERT OR REPLACE INTO shipment (stream, environment, service, project, is_by_jobs, kind,
           planned, verdict, version, digest, made_from, is_first, requested_at, began_at, reached_at,
           finished_at, last_seq, mends, branch, place, base_branch, base_place, position, asked_at, ready_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
           ?20, ?21, ?22, ?23, ?24, ?25)",
    )?;
    let stream = it.stream().to_string();
    let at = |at: Timestamp| at.0.cast_signed();
    statement.execute(params![
        stream,
        it.environment,
        it.service,
        it.project,
        it.is_by_jobs(),
        it.kind.as_str(),
        it.planned,
        it.verdict.as_str(),
        it.version,
        it.digest,
        it.commit,
        it.is_first,
        at(it.requested_at),
        it.began_at.map(at),
        it.reached_at.map(at),
        at(it.finished_at),
        it.last_seq.0.cast_signed(),
        it.mends.map(|it| it.stream().to_string()),
        places.own.as_ref().map(|it| &it.branch),
        places.own.as_ref().map(|it| it.place),
        places.base.as_ref().map(|it| &it.branch),
        places.base.as_ref().map(|it| it.place),
        it.position.cast_signed(),
        it.course.map(|it| at(it.asked_at)),
        it.course.map(|it| at(it.ready_at)),
    ])?;
    let mut shipped = rows.prepare_cached(
        "INSERT INTO shipped (stream, environment, service, commit_id, committed_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET committed_at = max(committed_at, excluded.committed_at)",
    )?;
    for commit in &it.commits {
        let committed_at = at(commit.committed_at);
        shipped.execute(params![
            stream,
            it.environment,
            it.service,
            commit.commit,
            committed_at
        ])?;
    }
    Ok(())
}

/// Notes that a shipment brought a commit, where none did before.
pub(crate) fn bring(rows: &Connection, it: &Shipment, commit: &str) -> rusqlite::Result<()> {
    let mut brought = rows.prepare_cached(
        "INSERT OR IGNORE INTO brought (project, environment, service, commit_id, stream)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let stream = it.stream().to_string();
    brought.execute(params![it.project, it.environment, it.service, commit, stream]).map(drop)
}
