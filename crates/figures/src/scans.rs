//! How long it is kept what scans found. Each is compared with one of its tool on the default branch, so of each
//! workflow the newest few there are enough, however many there were; of other branches those that people still look
//! at. That a tool looked is kept as every run is.

use rusqlite::{Connection, Row, params};
use views::AttemptFacts;

use crate::standing;

/// Scans of a tool in a workflow of the default branch whose findings are kept. Whoever tells of runs may be some
/// behind; of an older one nothing is told as new.
const KEPT_MAX: usize = 20;
/// The same of all other branches together, and of attempts that were a part of a workflow: as many pull requests as
/// are looked at on one day.
const KEPT_ELSEWHERE_MAX: usize = 50;

/// Forgets what older scans found than the newest few, of the tools that looked in this attempt.
pub(crate) fn forget_old(rows: &Connection, facts: &AttemptFacts) -> rusqlite::Result<()> {
    let mut statement = rows.prepare_cached(
        "SELECT run, attempt, tool FROM (
           SELECT scan.run, scan.attempt, tool, row_number() OVER (
             PARTITION BY tool ORDER BY completed_at DESC, scan.run DESC, scan.attempt DESC) AS place
           FROM scan JOIN attempt ON attempt.run = scan.run AND attempt.attempt = scan.attempt
           WHERE repository = ?1 AND workflow = ?2 AND is_kept = 1
             AND (is_default_branch = 1 AND is_partial = 0) = ?6
             AND tool IN (SELECT tool FROM scan WHERE run = ?3 AND attempt = ?4))
         WHERE place > ?5",
    )?;
    let (run, attempt) = (facts.run.0.cast_signed(), facts.attempt.0.cast_signed());
    let is_compared_with = facts.is_default_branch && !facts.is_partial;
    let most = if is_compared_with { KEPT_MAX } else { KEPT_ELSEWHERE_MAX };
    let wanted =
        params![facts.repository, facts.workflow, run, attempt, most as i64, is_compared_with];
    let scan = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let old: Vec<(i64, i64, String)> =
        statement.query_map(wanted, scan)?.collect::<Result<_, _>>()?;
    for scan in old {
        rows.prepare_cached("DELETE FROM finding WHERE (run, attempt, tool) = (?1, ?2, ?3)")?
            .execute((scan.0, scan.1, &scan.2))?;
        rows.prepare_cached(
            "UPDATE scan SET is_kept = 0, base_run = NULL, base_attempt = NULL
             WHERE (run, attempt, tool) = (?1, ?2, ?3)",
        )?
        .execute((scan.0, scan.1, &scan.2))?;
        standing::forget(rows, ([scan.0, scan.1], &scan.2))?;
    }
    Ok(())
}
