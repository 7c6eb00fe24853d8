//! Jobs that name an environment, of attempts that are not over: rows, one event at a time.

use std::sync::Arc;

use event::{Attempt, JobKey, RunEvent, RunId, Seq, StreamId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use views::{JobOver, ShippingJob, ShippingRun};

use crate::jobs::ran_command;
use crate::query::{at, maybe_at, text, word};

/// Notes what an event says of a job that names an environment; says which environment that is, where the job is
/// over, was skipped or carried over.
pub(crate) fn note(
    rows: &Connection,
    (run, attempt): (RunId, Attempt),
    (seq, position): (Seq, u64),
    event: &RunEvent,
) -> rusqlite::Result<Option<Arc<str>>> {
    let Some(key) = event.job() else { return Ok(None) };
    let stream = StreamId::Run(run, attempt).to_string();
    let (run, attempt) = (run.0.cast_signed(), attempt.0.cast_signed());
    if let RunEvent::JobLeased { tracking_id, at, .. } = event {
        rows.prepare_cached(
            "INSERT OR IGNORE INTO worker (tracking_id, run, attempt, leased_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![tracking_id, run, attempt, at.0.cast_signed()])?;
    }
    let known = one(rows, (run, attempt), key)?;
    let was_in = known.as_ref().map(|it| it.environment.clone());
    let worker_before = known.as_ref().and_then(|it| it.tracking_id.clone());
    let Some(mut it) = ShippingJob::after(known, (seq, position), event) else {
        if was_in.is_none() {
            return Ok(None);
        }
        let delete = "DELETE FROM shipping WHERE run = ?1 AND attempt = ?2 AND job = ?3";
        rows.prepare_cached(delete)?.execute(params![run, attempt, key.as_str()])?;
        return Ok(was_in);
    };
    // A worker that was lost may have run the command, and the next one may not come to it.
    if let (RunEvent::JobLeased { .. }, Some(before)) = (event, worker_before)
        && ran_command(rows, &before, &it.environment)?
    {
        it.tracking_id = Some(before);
    }
    let mut statement = rows.prepare_cached(
        "INSERT OR REPLACE INTO shipping (run, attempt, job, environment, tracking_id, began_at,
           conclusion, completed_at, last_seq, position, gated_at, ready_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute(params![
        run,
        attempt,
        key.as_str(),
        it.environment,
        it.tracking_id,
        it.began_at.map(|it| it.0.cast_signed()),
        it.over.map(|it| it.conclusion.as_str()),
        it.over.map(|it| it.at.0.cast_signed()),
        it.over.map(|it| it.seq.0.cast_signed()),
        it.over.map(|it| it.position.cast_signed()),
        it.gated_at.map(|it| it.0.cast_signed()),
        it.ready_at.map(|it| it.0.cast_signed()),
    ])?;
    if it.over.is_some() {
        return Ok(Some(it.environment));
    }
    // What its run did there until now is not all that it does.
    rows.prepare_cached(
        "UPDATE shipment SET is_open = 1 WHERE stream = ?1 AND environment = ?2 AND is_by_jobs = 1",
    )?
    .execute(params![stream, it.environment])?;
    Ok(None)
}

const COLUMNS: &str = "environment, tracking_id, began_at, conclusion, completed_at, last_seq, coalesce(position, 0), gated_at, ready_at";

fn job(row: &Row<'_>) -> rusqlite::Result<ShippingJob> {
    let over = |seq: i64| {
        let (conclusion, at) = (word(row, 3)?, at(row, 4)?);
        let position = row.get::<_, i64>(6)?.cast_unsigned();
        let seq = Seq(seq.cast_unsigned());
        Ok::<_, rusqlite::Error>(JobOver { conclusion, at, seq, position })
    };
    Ok(ShippingJob {
        environment: text(row, 0)?,
        tracking_id: row.get::<_, Option<String>>(1)?.map(Into::into),
        gated_at: maybe_at(row, 7)?,
        ready_at: maybe_at(row, 8)?,
        began_at: maybe_at(row, 2)?,
        over: row.get::<_, Option<i64>>(5)?.map(over).transpose()?,
    })
}

fn one(
    rows: &Connection,
    (run, attempt): (i64, i64),
    key: &JobKey,
) -> rusqlite::Result<Option<ShippingJob>> {
    let query =
        format!("SELECT {COLUMNS} FROM shipping WHERE run = ?1 AND attempt = ?2 AND job = ?3");
    let wanted = params![run, attempt, key.as_str()];
    rows.prepare_cached(&query)?.query_row(wanted, job).optional()
}

/// The jobs of an attempt that name an environment, as far as they came.
pub(crate) fn jobs(
    rows: &Connection,
    run: &ShippingRun,
    environment: &str,
) -> rusqlite::Result<Vec<ShippingJob>> {
    let query = format!(
        "SELECT {COLUMNS} FROM shipping WHERE run = ?1 AND attempt = ?2 AND environment = ?3"
    );
    let wanted = params![run.run.0.cast_signed(), run.attempt.0.cast_signed(), environment];
    rows.prepare_cached(&query)?.query_map(wanted, job)?.collect()
}

/// Forgets the jobs of an attempt that never came to an end; says of which environments the others are.
pub(crate) fn give_up(rows: &Connection, run: &ShippingRun) -> rusqlite::Result<Vec<String>> {
    let (run, attempt) = (run.run.0.cast_signed(), run.attempt.0.cast_signed());
    rows.prepare_cached(
        "DELETE FROM shipping WHERE run = ?1 AND attempt = ?2 AND last_seq IS NULL",
    )?
    .execute([run, attempt])?;
    let mut statement = rows.prepare_cached(
        "SELECT DISTINCT environment FROM shipping WHERE run = ?1 AND attempt = ?2",
    )?;
    statement.query_map([run, attempt], |row| row.get(0))?.collect()
}

/// Forgets the jobs of an attempt that is over: all of it is counted.
pub(crate) fn forget(rows: &Connection, run: &ShippingRun) -> rusqlite::Result<()> {
    rows.prepare_cached("DELETE FROM shipping WHERE run = ?1 AND attempt = ?2")?
        .execute([run.run.0.cast_signed(), run.attempt.0.cast_signed()])
        .map(drop)
}
