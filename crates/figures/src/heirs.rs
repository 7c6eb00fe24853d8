//! What came with jobs that failed after all, behind a time in which they had succeeded: who has it then.
//!
//! ```text
//! run 2 brings c2, and goes on  ->  run 3 succeeds, and brings c3  ->  run 2 fails: c2 came with run 3
//! run 2 brings c2, and goes on  ->  run 2 fails                    ->  c2 comes with the next one
//! ```

use rusqlite::{Connection, OptionalExtension as _, params};
use views::Shipment;

/// Gives each commit that came with a shipment to the next one behind it that succeeded and has it, too; one that
/// none has comes with the next one.
pub(crate) fn give_on(rows: &Connection, it: &Shipment) -> rusqlite::Result<()> {
    let stream = it.stream().to_string();
    let mut brought = rows.prepare_cached(
        "SELECT commit_id FROM brought
         WHERE project = ?1 AND environment = ?2 AND service = ?3 AND stream = ?4",
    )?;
    let place = params![it.project, it.environment, it.service, stream];
    let commits: Vec<String> =
        brought.query_map(place, |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for commit in commits {
        if let Some(heir) = heir(rows, it, &commit)? {
            give(rows, it, &commit, &heir)?;
        }
    }
    rows.prepare_cached(
        "DELETE FROM brought WHERE project = ?1 AND environment = ?2 AND service = ?3 AND stream = ?4",
    )?
    .execute(params![it.project, it.environment, it.service, stream])?;
    rows.prepare_cached(
        "DELETE FROM shipped WHERE stream = ?1 AND environment = ?2 AND service = ?3",
    )?
    .execute(params![stream, it.environment, it.service])
    .map(drop)
}

/// The next one behind it, as it was told until now, that succeeded and was at that commit or a later one of a
/// branch.
fn heir(rows: &Connection, it: &Shipment, commit: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = rows.prepare_cached(
        "SELECT heir.stream FROM shipment AS heir JOIN pushed
           ON pushed.repository = heir.project AND pushed.commit_id = ?5
             AND (pushed.branch = heir.branch AND pushed.place <= heir.place
               OR pushed.branch = heir.base_branch AND pushed.place <= heir.base_place)
         WHERE heir.is_by_jobs = 1 AND heir.project = ?1 AND heir.environment = ?2
           AND heir.service = ?3 AND heir.stream <> ?4 AND heir.verdict = 'succeeded'
           AND (heir.finished_at, heir.position) >= (
             SELECT finished_at, position FROM shipment
             WHERE stream = ?4 AND environment = ?2 AND service = ?3)
         ORDER BY heir.finished_at, heir.position, heir.stream LIMIT 1",
    )?;
    let stream = it.stream().to_string();
    let wanted = params![it.project, it.environment, it.service, stream, commit];
    statement.query_row(wanted, |row| row.get(0)).optional()
}

fn give(rows: &Connection, it: &Shipment, commit: &str, heir: &str) -> rusqlite::Result<()> {
    let stream = it.stream().to_string();
    rows.prepare_cached(
        "UPDATE brought SET stream = ?5
         WHERE project = ?1 AND environment = ?2 AND service = ?3 AND commit_id = ?4",
    )?
    .execute(params![it.project, it.environment, it.service, commit, heir])?;
    rows.prepare_cached(
        "UPDATE OR IGNORE shipped SET stream = ?5
         WHERE stream = ?1 AND environment = ?2 AND service = ?3 AND commit_id = ?4",
    )?
    .execute(params![stream, it.environment, it.service, commit, heir])?;
    // It was the same once more of what is not there now.
    rows.prepare_cached(
        "UPDATE shipment SET kind = 'release'
         WHERE stream = ?1 AND environment = ?2 AND service = ?3 AND kind = 'redeploy'",
    )?
    .execute(params![heir, it.environment, it.service])
    .map(drop)
}
