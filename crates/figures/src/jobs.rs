//! What jobs shipped: of which kind it was, and which commits came with it, by what was there before.
//!
//! ```text
//! runs that a push made, when they begin  ->  pushed: the commits of each branch, in their order
//! attempts that are over                  ->  a shipment: how far its branch came there before,
//!                                             what ran there, what was tried since
//! ```
//!
//! With a release come all commits of its branch behind the last one that came there: those of a push whose
//! jobs failed, or never had a worker, come with the next one that succeeds. Whatever made its run (a
//! push, a tag, a schedule, a person), its commit is looked for among those that were pushed to a branch;
//! where it is not there, it comes alone.

use std::sync::Arc;

use event::{DeploymentKind, RunEvent, ShippedBy, ShippedCommit};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use views::{AttemptFacts, Before, Came, Pushed, Shipment};

use crate::query::{at, text};
use crate::shipments::{Place, bring, is_brought, write};

/// Commits that come with one shipment; of more, the newest.
const COMMITS_MAX: usize = 1_000;

/// Puts the commits of a push to where they came.
pub(crate) fn take_push(rows: &Connection, begin: &RunEvent) -> rusqlite::Result<()> {
    let RunEvent::RunCreated(request) = begin else { return Ok(()) };
    let Some(pushed) = Pushed::of(request) else { return Ok(()) };
    let mut statement = rows.prepare_cached(
        "INSERT OR IGNORE INTO pushed (repository, branch, commit_id, committed_at, pushed_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let pushed_at = request.at.0.cast_signed();
    for it in &pushed.commits {
        let (branch, committed_at) = (&pushed.git_ref, it.committed_at.0.cast_signed());
        statement.execute(params![
            pushed.repository,
            branch,
            it.commit,
            committed_at,
            pushed_at
        ])?;
    }
    Ok(())
}

/// Takes in what the jobs of an attempt shipped, once.
pub(crate) fn take(rows: &Connection, facts: &AttemptFacts) -> rusqlite::Result<()> {
    for it in Shipment::of_jobs(facts) {
        if !is_known(rows, &it)? && !is_deployed_by_command(rows, &it)? {
            take_one(rows, facts, it)?;
        }
    }
    Ok(())
}

fn take_one(rows: &Connection, facts: &AttemptFacts, it: Shipment) -> rusqlite::Result<()> {
    let place = place(rows, facts, &it)?;
    let far = place.as_ref().map(|place| far(rows, &it, &place.branch)).transpose()?.flatten();
    let runs = runs(rows, &it)?;
    let commit = match &runs {
        Some((_, runs)) => came(rows, &it, runs, (place.as_ref(), far))?,
        None => Came::Never,
    };
    let before = Before {
        runs: runs.as_ref().map(|(by, commit)| (*by, &**commit)),
        tried: tried(rows, &it, runs.as_ref().map(|(by, _)| *by))?,
        commit,
    };
    let mut it = it.judged(&before);
    let head = ShippedCommit { commit: facts.commit.clone(), committed_at: facts.committed_at };
    if is_brought(&it) && !it.is_first && it.kind == DeploymentKind::Release {
        it.commits = waiting(rows, &it, place.as_ref(), far)?;
        it.commits.retain(|it| it.commit != head.commit);
        it.commits.push(head);
    }
    write(rows, &it, place.as_ref())?;
    if is_brought(&it) {
        for commit in &it.commits {
            bring(rows, &it, &commit.commit)?;
        }
        bring(rows, &it, &facts.commit)?;
        // Of a work tree with changes another one.
        bring(rows, &it, &it.digest)?;
    }
    Ok(())
}

/// Whether it is in: what stands behind it by now says nothing of it.
fn is_known(rows: &Connection, it: &Shipment) -> rusqlite::Result<bool> {
    let mut statement = rows.prepare_cached(
        "SELECT 1 FROM shipment WHERE stream = ?1 AND environment = ?2 AND service = ?3",
    )?;
    statement.exists(params![it.stream().to_string(), it.environment, it.service])
}

/// Whether one of its jobs ran `launchway deploy` for that environment: then that is what counts, whatever came
/// of it. Deployments of before version 4 do not say which job began them: one that was asked for while these
/// jobs ran was theirs.
fn is_deployed_by_command(rows: &Connection, it: &Shipment) -> rusqlite::Result<bool> {
    let mut of_job =
        rows.prepare_cached("SELECT 1 FROM asked WHERE job = ?1 AND environment = ?2")?;
    for job in &it.jobs {
        if of_job.exists(params![job, it.environment])? {
            return Ok(true);
        }
    }
    let mut of_time = rows.prepare_cached(
        "SELECT 1 FROM asked, jobs_since
         WHERE job IS NULL AND environment = ?1 AND asked.at BETWEEN ?2 AND ?3 AND ?3 <= jobs_since.at",
    )?;
    let began_at = it.began_at.unwrap_or(it.requested_at).0.cast_signed();
    of_time.exists(params![it.environment, began_at, it.finished_at.0.cast_signed()])
}

/// Where its commit was pushed: on the run's own branch, else on one that came there before.
fn place(
    rows: &Connection,
    facts: &AttemptFacts,
    it: &Shipment,
) -> rusqlite::Result<Option<Place>> {
    let mut statement = rows.prepare_cached(
        "SELECT branch, place FROM pushed WHERE repository = ?1 AND commit_id = ?2
         ORDER BY branch = ?3 DESC,
           EXISTS (SELECT 1 FROM shipment
                   WHERE project = ?1 AND environment = ?4 AND service = ?5
                     AND shipment.branch = pushed.branch AND verdict = 'succeeded') DESC, place
         LIMIT 1",
    )?;
    let wanted = params![facts.repository, facts.commit, facts.git_ref, it.environment, it.service];
    let found = |row: &Row<'_>| Ok(Place { branch: row.get(0)?, place: row.get(1)? });
    statement.query_row(wanted, found).optional()
}

/// How far a branch came there before.
fn far(rows: &Connection, it: &Shipment, branch: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = rows.prepare_cached(
        "SELECT place FROM shipment
         WHERE project = ?1 AND environment = ?2 AND service = ?3 AND branch = ?4
           AND branch IS NOT NULL AND verdict = 'succeeded'
         ORDER BY place DESC LIMIT 1",
    )?;
    let wanted = params![it.project, it.environment, it.service, branch];
    statement.query_row(wanted, |row| row.get(0)).optional()
}

/// The newest before it that succeeded, with its commit.
fn runs(rows: &Connection, it: &Shipment) -> rusqlite::Result<Option<(ShippedBy, Arc<str>)>> {
    let mut statement = rows.prepare_cached(
        "SELECT stream, made_from FROM shipment
         WHERE is_by_jobs = 1 AND project = ?1 AND environment = ?2 AND service = ?3
           AND finished_at <= ?4 AND verdict = 'succeeded'
         ORDER BY finished_at DESC, stream DESC LIMIT 1",
    )?;
    let wanted = params![it.project, it.environment, it.service, it.finished_at.0.cast_signed()];
    statement.query_row(wanted, |row| Ok((by(row, 0)?, text(row, 1)?))).optional()
}

/// The newest since then that is in doubt and of another commit.
fn tried(
    rows: &Connection,
    it: &Shipment,
    runs: Option<ShippedBy>,
) -> rusqlite::Result<Option<ShippedBy>> {
    let Some(runs) = runs else { return Ok(None) };
    let mut statement = rows.prepare_cached(
        "SELECT stream FROM shipment
         WHERE is_by_jobs = 1 AND project = ?1 AND environment = ?2 AND service = ?3
           AND finished_at <= ?4 AND verdict <> 'succeeded' AND made_from <> ?5
           AND finished_at >= (SELECT finished_at FROM shipment
                               WHERE stream = ?6 AND environment = ?2 AND service = ?3)
         ORDER BY finished_at DESC, stream DESC LIMIT 1",
    )?;
    let finished_at = it.finished_at.0.cast_signed();
    let wanted = params![
        it.project,
        it.environment,
        it.service,
        finished_at,
        it.commit,
        runs.stream().to_string()
    ];
    statement.query_row(wanted, |row| by(row, 0)).optional()
}

fn came(
    rows: &Connection,
    it: &Shipment,
    runs: &str,
    (place, far): (Option<&Place>, Option<i64>),
) -> rusqlite::Result<Came> {
    let brought = |commit: &str| {
        let mut statement = rows.prepare_cached(
            "SELECT id FROM brought
             WHERE project = ?1 AND environment = ?2 AND service = ?3 AND commit_id = ?4",
        )?;
        let wanted = params![it.project, it.environment, it.service, commit];
        statement.query_row(wanted, |row| row.get::<_, i64>(0)).optional()
    };
    let own = brought(&it.digest)?;
    let is_passed = place.zip(far).is_some_and(|(place, far)| place.place <= far);
    if own.is_none() && !is_passed {
        return Ok(Came::Never);
    }
    let of_runs = match place {
        Some(place) => place_on(rows, it, (&place.branch, runs))?,
        None => None,
    };
    let is_before = match (place, of_runs) {
        (Some(place), Some(of_runs)) => place.place < of_runs,
        _ => own.zip(brought(runs)?).is_some_and(|(own, runs)| own < runs),
    };
    Ok(if is_before { Came::Before } else { Came::Since })
}

fn place_on(
    rows: &Connection,
    it: &Shipment,
    (branch, commit): (&str, &str),
) -> rusqlite::Result<Option<i64>> {
    let mut statement = rows.prepare_cached(
        "SELECT place FROM pushed WHERE repository = ?1 AND commit_id = ?2 AND branch = ?3",
    )?;
    statement.query_row(params![it.project, commit, branch], |row| row.get(0)).optional()
}

/// Commits of its branch behind the last one that came there, up to its own; oldest first.
fn waiting(
    rows: &Connection,
    it: &Shipment,
    place: Option<&Place>,
    far: Option<i64>,
) -> rusqlite::Result<Vec<ShippedCommit>> {
    let Some(place) = place else { return Ok(Vec::new()) };
    let mut statement = rows.prepare_cached(
        "SELECT commit_id, committed_at FROM pushed
         WHERE repository = ?1 AND branch = ?2 AND place > ?3 AND place <= ?4
         ORDER BY place DESC LIMIT ?5",
    )?;
    let far = match far {
        Some(far) => far,
        None => before(rows, it, &place.branch)?,
    };
    let wanted = params![it.project, place.branch, far, place.place, COMMITS_MAX as i64];
    let commit =
        |row: &Row<'_>| Ok(ShippedCommit { commit: text(row, 0)?, committed_at: at(row, 1)? });
    let mut found: Vec<_> =
        statement.query_map(wanted, commit)?.collect::<rusqlite::Result<_>>()?;
    found.reverse();
    Ok(found)
}

/// How far a branch was that never came there, when what runs there was asked for: what was on it then is not
/// what this shipment brought.
fn before(rows: &Connection, it: &Shipment, branch: &str) -> rusqlite::Result<i64> {
    let mut statement = rows.prepare_cached(
        "SELECT coalesce(max(place), 0) FROM pushed
         WHERE repository = ?1 AND branch = ?2 AND pushed_at <= (
           SELECT requested_at FROM shipment
           WHERE is_by_jobs = 1 AND project = ?1 AND environment = ?3 AND service = ?4
             AND finished_at <= ?5 AND verdict = 'succeeded'
           ORDER BY finished_at DESC, stream DESC LIMIT 1)",
    )?;
    let finished_at = it.finished_at.0.cast_signed();
    let wanted = params![it.project, branch, it.environment, it.service, finished_at];
    statement.query_row(wanted, |row| row.get(0))
}

/// What shipped something, by its stream.
pub(crate) fn by(row: &Row<'_>, column: usize) -> rusqlite::Result<ShippedBy> {
    let name: String = row.get(column)?;
    let found = name.parse().ok().and_then(ShippedBy::of);
    found.ok_or_else(|| {
        let why = format!("`{name}` ships nothing");
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, why.into())
    })
}
