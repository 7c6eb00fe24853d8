//! What of a scan is new, and since when the rest stands: counted once, when it is taken in, and kept beside what it
//! found. Whoever looks reads a few rows then, however much was found.
//!
//! Attempts may come in out of their order: one that somebody looks at comes before its turn. Scans that ended behind
//! one that comes in late are counted again.

use reports::Level;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use views::AttemptFacts;

/// Findings of a scan that are named: those that are new, then the worst.
pub(crate) const NAMED_MAX: usize = 100;

/// A scan: an attempt, and the tool.
struct Scan {
    key: [i64; 2],
    tool: String,
    ended_at: i64,
    /// The default branch has it, whole: others are compared with it.
    is_base: bool,
}

/// One before it.
struct Past {
    key: [i64; 2],
    /// All is known that it found.
    is_whole: bool,
}

/// An attempt came in: what is compared with it is to be counted again, where it is there already.
pub(crate) fn note_late(rows: &Connection, facts: &AttemptFacts) -> rusqlite::Result<()> {
    if !facts.is_default_branch || facts.is_partial {
        return Ok(());
    }
    let mut statement = rows.prepare_cached(
        "UPDATE scan SET is_counted = 0
         WHERE is_kept = 1
           AND tool IN (SELECT tool FROM scan WHERE run = ?3 AND attempt = ?4 AND is_kept = 1)
           AND EXISTS (SELECT 1 FROM attempt
                       WHERE attempt.run = scan.run AND attempt.attempt = scan.attempt
                         AND repository = ?1 AND workflow = ?2
                         AND (completed_at, attempt.run, attempt.attempt) > (?5, ?3, ?4))",
    )?;
    let (run, attempt) = (facts.run.0.cast_signed(), facts.attempt.0.cast_signed());
    let ended_at = facts.completed_at.0.cast_signed();
    let wanted = params![facts.repository, facts.workflow, run, attempt, ended_at];
    statement.execute(wanted).map(drop)
}

/// Counts the scans that are not, each behind those that it is compared with.
pub(crate) fn count(rows: &Connection) -> rusqlite::Result<()> {
    let mut statement = rows.prepare_cached(
        "SELECT run, attempt, tool, completed_at, is_default_branch = 1 AND is_partial = 0
         FROM scan JOIN attempt USING (run, attempt)
         WHERE is_kept = 1 AND is_counted = 0 ORDER BY completed_at, run, attempt, tool",
    )?;
    let scan = |row: &Row<'_>| {
        Ok(Scan {
            key: [row.get(0)?, row.get(1)?],
            tool: row.get(2)?,
            ended_at: row.get(3)?,
            is_base: row.get(4)?,
        })
    };
    let found: Vec<Scan> = statement.query_map([], scan)?.collect::<Result<_, _>>()?;
    found.iter().try_for_each(|it| count_one(rows, it))
}

fn count_one(rows: &Connection, scan: &Scan) -> rusqlite::Result<()> {
    let [run, attempt] = scan.key;
    forget(rows, (scan.key, &scan.tool))?;
    if scan.is_base {
        stand(rows, scan)?;
    }
    // What was not read of it may all have been there.
    let base = newest_before(rows, scan, "past.run <> here.run")?.filter(|it| it.is_whole);
    let (base_run, base_attempt) = (base.as_ref().map(|it| it.key[0]), base.map(|it| it.key[1]));
    rows.prepare_cached(
        "UPDATE scan SET is_counted = 1, base_run = ?4, base_attempt = ?5
         WHERE run = ?1 AND attempt = ?2 AND tool = ?3",
    )?
    .execute(params![run, attempt, scan.tool, base_run, base_attempt])?;
    let both = params![run, attempt, scan.tool, base_run, base_attempt];
    rows.prepare_cached(&format!(
        "INSERT INTO scan_level (run, attempt, tool, level, count, new)
         SELECT ?1, ?2, ?3, level, sum(count), sum(more) FROM ({COMPARED}) GROUP BY level"
    ))?
    .execute(both)?;
    // Of findings that are shown as one, min() takes the columns beside it from the oldest.
    rows.prepare_cached(&format!(
        "INSERT INTO scan_named (run, attempt, tool, level, rule, file, count, new,
           since_run, since_attempt, since_at, or_earlier)
         SELECT ?1, ?2, ?3, level, rule, file, count, new, since_run, since_attempt, since_at, or_earlier
         FROM (SELECT *, row_number() OVER (ORDER BY {}) AS worst,
                 row_number() OVER (ORDER BY {}) AS newest
               FROM (SELECT level, rule, file, sum(count) AS count, sum(more) AS new,
                       min(since_at) AS since_at, since_run, since_attempt, or_earlier
                     FROM ({COMPARED}) GROUP BY level, rule, file))
         WHERE worst <= ?6 OR newest <= ?6",
        by_worst(),
        by_new()
    ))?
    .execute(params![run, attempt, scan.tool, base_run, base_attempt, NAMED_MAX as i64])?;
    Ok(())
}

/// How the database orders levels.
pub(crate) fn worst_first() -> String {
    format!("instr('{}', level)", Level::ALL.map(Level::as_str).join(" "))
}

/// Findings in the order in which they are shown, those that are shown as one taken together.
pub(crate) fn by_worst() -> String {
    format!("{}, rule, file", worst_first())
}

/// The same, those first of which some are new.
pub(crate) fn by_new() -> String {
    format!("coalesce(new, 0) = 0, {}", by_worst())
}

/// What is found, beside how much of it was there before; of nothing that it is compared with, nothing.
const COMPARED: &str = "SELECT here.level, here.rule, here.file, here.count,
       here.since_run, here.since_attempt, here.since_at, here.or_earlier,
       CASE WHEN ?4 IS NOT NULL THEN max(0, here.count - coalesce(before.count, 0)) END AS more
     FROM finding AS here LEFT JOIN finding AS before
       ON before.run = ?4 AND before.attempt = ?5 AND before.tool = here.tool
       AND before.rule = here.rule AND before.file = here.file
       AND before.fingerprint = here.fingerprint AND before.level = here.level
     WHERE here.run = ?1 AND here.attempt = ?2 AND here.tool = ?3";

/// The newest attempt of the default branch before this one in which the tool looked.
fn newest_before(
    rows: &Connection,
    scan: &Scan,
    condition: &'static str,
) -> rusqlite::Result<Option<Past>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT past.run, past.attempt, is_kept AND NOT is_cut
         FROM attempt AS here JOIN attempt AS past USING (repository, workflow)
         JOIN scan ON scan.run = past.run AND scan.attempt = past.attempt AND scan.tool = ?3
         WHERE here.run = ?1 AND here.attempt = ?2
           AND past.is_default_branch = 1 AND past.is_partial = 0
           AND past.completed_at <= here.completed_at
           AND (past.completed_at, past.run, past.attempt)
             < (here.completed_at, here.run, here.attempt) AND {condition}
         ORDER BY past.completed_at DESC, past.run DESC, past.attempt DESC LIMIT 1"
    ))?;
    let past = |row: &Row<'_>| Ok(Past { key: [row.get(0)?, row.get(1)?], is_whole: row.get(2)? });
    statement.query_row(params![scan.key[0], scan.key[1], scan.tool], past).optional()
}

/// Notes since when each finding of a scan of the default branch is there: as long as in the scan before it, where
/// that has it.
///
/// A tool's own mark of a finding tells it from others of its rule in its file. One that had none, or has none now,
/// is any of them: else all would be new on the day on which a tool begins to mark them.
fn stand(rows: &Connection, scan: &Scan) -> rusqlite::Result<()> {
    let [run, attempt] = scan.key;
    let before = newest_before(rows, scan, "TRUE")?;
    let (past_run, past_attempt) =
        (before.as_ref().map(|it| it.key[0]), before.as_ref().map(|it| it.key[1]));
    let inherit = |whose: &str, of_them: &str| {
        let mut statement = rows.prepare_cached(&format!(
            "UPDATE finding AS here SET (since_run, since_attempt, since_at, or_earlier) =
               (SELECT since_run, since_attempt, since_at, or_earlier FROM finding AS past
                WHERE past.run = ?4 AND past.attempt = ?5 AND past.tool = here.tool
                  AND past.rule = here.rule AND past.file = here.file
                  AND past.level = here.level AND {of_them}
                ORDER BY since_at, since_run, since_attempt LIMIT 1)
             WHERE here.run = ?1 AND here.attempt = ?2 AND here.tool = ?3 AND {whose}"
        ))?;
        statement.execute(params![run, attempt, scan.tool, past_run, past_attempt])
    };
    inherit("here.fingerprint <> ''", "past.fingerprint IN (here.fingerprint, '')")?;
    inherit("here.fingerprint = ''", "TRUE")?;
    // Of one that was not read to its end, or is not known any more, nobody knows that it was not there.
    let or_earlier = before.is_some_and(|it| !it.is_whole);
    rows.prepare_cached(
        "UPDATE finding SET since_run = ?1, since_attempt = ?2, since_at = ?4, or_earlier = ?5
         WHERE run = ?1 AND attempt = ?2 AND tool = ?3 AND since_run IS NULL",
    )?
    .execute(params![run, attempt, scan.tool, scan.ended_at, or_earlier])?;
    Ok(())
}

/// Forgets what was counted of a scan.
pub(crate) fn forget(rows: &Connection, (key, tool): ([i64; 2], &str)) -> rusqlite::Result<()> {
    for table in ["scan_level", "scan_named"] {
        let delete = format!("DELETE FROM {table} WHERE run = ?1 AND attempt = ?2 AND tool = ?3");
        rows.prepare_cached(&delete)?.execute(params![key[0], key[1], tool])?;
    }
    Ok(())
}
