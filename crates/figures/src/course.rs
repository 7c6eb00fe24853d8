//! How runs came to what was shipped, and when commits came to their branches: the parts of the lead time.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Attempt, RunId, ShippedBy, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use views::{Course, Known, Shipment};

use crate::query::at;

/// What is known of the commits of some shipments.
pub(crate) struct Commits {
    /// What brought each first.
    pub(crate) first: BTreeMap<Arc<str>, ShippedBy>,
    /// When each came to the branch that it was shipped from.
    pub(crate) pushed: BTreeMap<(ShippedBy, Arc<str>), Timestamp>,
}

impl Known for Commits {
    fn brought_before(&self, by: ShippedBy, commit: &str) -> bool {
        self.first.get(commit).is_some_and(|first| *first != by)
    }

    fn pushed_at(&self, shipment: &Shipment, commit: &str) -> Option<Timestamp> {
        self.pushed.get(&(shipment.by, commit.into())).copied()
    }
}

/// How a run came to it; none where no run did, the run goes on that ran the command, or the journal had no more of it.
pub(crate) fn course(rows: &Connection, it: &Shipment) -> rusqlite::Result<Option<Course>> {
    match it.by {
        ShippedBy::Jobs(run, attempt) => {
            let mut statement = rows.prepare_cached(
                "SELECT asked_at, ready_at FROM shipment
                 WHERE stream = ?1 AND environment = ?2 AND service = ?3 AND asked_at IS NOT NULL",
            )?;
            let wanted = params![it.stream().to_string(), it.environment, it.service];
            let known = |row: &Row<'_>| Ok((at(row, 0)?, at(row, 1)?));
            let Some((asked_at, ready_at)) = statement.query_row(wanted, known).optional()? else {
                return Ok(None);
            };
            let leased_at = leased_at(rows, run, attempt)?;
            Ok(leased_at.map(|leased_at| Course {
                made_at: it.requested_at,
                leased_at,
                asked_at,
                ready_at,
            }))
        }
        ShippedBy::Deployment(_) => {
            let mut statement = rows.prepare_cached(
                "SELECT run, attempt, created_at FROM asked
                 JOIN worker ON worker.tracking_id = asked.job JOIN attempt USING (run, attempt)
                 WHERE stream = ?1",
            )?;
            let known = |row: &Row<'_>| {
                let run = RunId(row.get::<_, i64>(0)?.cast_unsigned());
                let attempt = Attempt(row.get::<_, i64>(1)?.cast_unsigned());
                Ok((run, attempt, at(row, 2)?))
            };
            let found = statement.query_row([it.stream().to_string()], known).optional()?;
            let Some((run, attempt, made_at)) = found else { return Ok(None) };
            // The command's gates and queue are its own: nobody hands it to a worker once more.
            let ready_at = it.began_at.unwrap_or(it.requested_at);
            let leased_at = leased_at(rows, run, attempt)?;
            Ok(leased_at.map(|leased_at| Course {
                made_at,
                leased_at,
                asked_at: it.requested_at,
                ready_at,
            }))
        }
    }
}

/// When a worker was to have the first of a run's jobs.
fn leased_at(
    rows: &Connection,
    run: RunId,
    attempt: Attempt,
) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement =
        rows.prepare_cached("SELECT min(leased_at) FROM worker WHERE run = ?1 AND attempt = ?2")?;
    let key = [run.0.cast_signed(), attempt.0.cast_signed()];
    let first: Option<i64> = statement.query_row(key, |row| row.get(0))?;
    Ok(first.map(|it| Timestamp(it.cast_unsigned())))
}

/// When the commits of these came to the branch that each was shipped from: of jobs up to their run's commit there and
/// on the default branch, of a job that ran the command on its run's branch.
pub(crate) fn pushed(
    rows: &Connection,
    shipments: &[Shipment],
) -> rusqlite::Result<BTreeMap<(ShippedBy, Arc<str>), Timestamp>> {
    let mut of_jobs = rows.prepare_cached(
        "SELECT min(pushed_at) FROM pushed JOIN shipment
           ON stream = ?1 AND environment = ?2 AND service = ?3 AND repository = project
         WHERE commit_id = ?4 AND (pushed.branch = shipment.branch AND pushed.place <= shipment.place
                                   OR pushed.branch = base_branch AND pushed.place <= base_place)",
    )?;
    let mut of_command = rows.prepare_cached(
        "SELECT min(pushed_at) FROM asked
         JOIN worker ON worker.tracking_id = asked.job JOIN attempt USING (run, attempt)
         JOIN pushed ON pushed.repository = attempt.repository AND branch = git_ref
           AND pushed.commit_id = ?4
         WHERE stream = ?1 AND ?2 IS NOT NULL AND ?3 IS NOT NULL",
    )?;
    let mut found = BTreeMap::new();
    for it in shipments {
        let statement = if it.is_by_jobs() { &mut of_jobs } else { &mut of_command };
        for commit in &it.commits {
            let wanted =
                params![it.stream().to_string(), it.environment, it.service, commit.commit];
            let pushed_at: Option<i64> = statement.query_row(wanted, |row| row.get(0))?;
            if let Some(pushed_at) = pushed_at {
                let key = (it.by, Arc::clone(&commit.commit));
                found.insert(key, Timestamp(pushed_at.cast_unsigned()));
            }
        }
    }
    Ok(found)
}
