//! How long it is kept what scans found: each is compared with the one of its tool before it, so of each workflow the
//! newest few are enough, however many there were. That a tool looked is kept as every run is.

use rusqlite::{Connection, Row, params};
use views::AttemptFacts;

/// Scans of a tool in a workflow whose findings are kept. Whoever tells of runs may be some behind; of an older one
/// nothing is told as new.
const KEPT_MAX: usize = 20;

/// Whether anybody is told of what scans of such an attempt found.
pub(crate) fn are_told_of(facts: &AttemptFacts) -> bool {
    facts.is_default_branch && !facts.is_partial
}

/// Forgets what older scans found than the newest few, of the tools that looked in this attempt.
pub(crate) fn forget_old(rows: &Connection, facts: &AttemptFacts) -> rusqlite::Result<()> {
    let mut statement = rows.prepare_cached(
        "SELECT run, attempt, tool FROM (
           SELECT scan.run, scan.attempt, tool, row_number() OVER (
             PARTITION BY tool ORDER BY completed_at DESC, scan.run DESC, scan.attempt DESC) AS place
           FROM scan JOIN attempt ON attempt.run = scan.run AND attempt.attempt = scan.attempt
           WHERE repository = ?1 AND workflow = ?2 AND is_kept = 1
             AND tool IN (SELECT tool FROM scan WHERE run = ?3 AND attempt = ?4))
         WHERE place > ?5",
    )?;
    let (run, attempt) = (facts.run.0.cast_signed(), facts.attempt.0.cast_signed());
    let wanted = params![facts.repository, facts.workflow, run, attempt, KEPT_MAX as i64];
    let scan = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let old: Vec<(i64, i64, String)> =
        statement.query_map(wanted, scan)?.collect::<Result<_, _>>()?;
    for scan in old {
        rows.prepare_cached("DELETE FROM finding WHERE (run, attempt, tool) = (?1, ?2, ?3)")?
            .execute((scan.0, scan.1, &scan.2))?;
        rows.prepare_cached(
            "UPDATE scan SET is_kept = 0 WHERE (run, attempt, tool) = (?1, ?2, ?3)",
        )?
        .execute((scan.0, scan.1, &scan.2))?;
    }
    Ok(())
}
