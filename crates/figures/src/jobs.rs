//! What jobs shipped: of which kind it was, and which commits came with it, by what was there before.
//!
//! ```text
//! runs that a push made, when they begin  ->  pushed: the commits of each branch, in their order
//! jobs that name an environment, over     ->  a shipment: how far its branch came there before,
//!                                             what ran there, what was tried since
//! ```
//!
//! Jobs are taken in the order in which they ended, over all runs: what a run did in staging is there while it
//! waits for production, and stands before what another run did in staging meanwhile. A job of the same environment
//! that its run comes to later changes how the shipment ended, and when, and nothing else of it.
//!
//! With a release come all commits of its branch behind the last one that came there: those of a push whose
//! jobs failed, or never had a worker, come with the next one that succeeds. Of a branch that was cut from the
//! default branch, so do those of the default branch up to there. Whatever made its run (a
//! push, a tag, a schedule, a person), its commit is looked for among those that were pushed to a branch;
//! where it is not there, it comes alone.

use std::sync::Arc;

use event::{DeploymentKind, RunEvent, Seq, ShippedBy, ShippedCommit, Verdict};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use views::{Before, COMMITS_PER_SHIPMENT_MAX, Came, Pushed, Shipment, ShippingRun};

use crate::heirs::give_on;
use crate::newest::{renew, renew_all};
use crate::query::{at, text};
use crate::shipments::{Place, Places, bring, is_brought, write};
use crate::shipping;

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

/// Takes in what is left of an attempt that is over: jobs that never came to an end hold back no other one.
pub(crate) fn take_rest(rows: &Connection, run: &ShippingRun) -> rusqlite::Result<()> {
    shipping::give_up(rows, run)?.iter().try_for_each(|it| take(rows, run, it))
}

/// Attempts whose jobs shipped something.
pub(crate) fn streams(rows: &Connection) -> rusqlite::Result<Vec<String>> {
    let query = "SELECT DISTINCT stream FROM shipment WHERE is_by_jobs = 1";
    rows.prepare_cached(query)?.query_map([], |row| row.get(0))?.collect()
}

/// Forgets what the jobs of these attempts shipped, and all jobs on their way.
pub(crate) fn forget_all(rows: &Connection, streams: &[String]) -> rusqlite::Result<()> {
    let names = serde_json::to_string(streams).expect("names are plain text");
    for table in ["shipment", "shipped", "brought"] {
        let delete =
            format!("DELETE FROM {table} WHERE stream IN (SELECT value FROM json_each(?1))");
        rows.execute(&delete, [&names])?;
    }
    rows.execute("DELETE FROM shipping", [])?;
    renew_all(rows)
}

/// Takes in what the jobs of an attempt shipped to an environment, once all of them are over that are known.
pub(crate) fn take(
    rows: &Connection,
    run: &ShippingRun,
    environment: &str,
) -> rusqlite::Result<()> {
    let jobs = shipping::jobs(rows, run, environment)?;
    let Some(it) = Shipment::of_jobs(run, &jobs) else { return Ok(()) };
    let (project, environment) = (it.project.clone(), it.environment.clone());
    take_of(rows, run, it)?;
    renew(rows, &project, &environment)
}

fn take_of(rows: &Connection, run: &ShippingRun, it: Shipment) -> rusqlite::Result<()> {
    if is_deployed_by_command(rows, &it)? {
        return take_back(rows, &it);
    }
    match known(rows, &it)? {
        None => take_one(rows, run, it),
        Some(last_seq) if last_seq < it.last_seq => go_on(rows, &it),
        // The further job was skipped; or it is read once more, and what stands behind it by now says nothing of it.
        Some(_) => rows
            .prepare_cached(
                "UPDATE shipment SET is_open = 0
                 WHERE stream = ?1 AND environment = ?2 AND service = ?3",
            )?
            .execute(params![it.stream().to_string(), it.environment, it.service])
            .map(drop),
    }
}

/// Its run came to a further job: it ended later, and perhaps otherwise.
fn go_on(rows: &Connection, it: &Shipment) -> rusqlite::Result<()> {
    if it.verdict != Verdict::Succeeded {
        give_on(rows, it)?;
    }
    let mut statement = rows.prepare_cached(
        "UPDATE shipment SET verdict = ?4, reached_at = ?5, finished_at = ?6, last_seq = ?7, is_open = 0, position = ?8
         WHERE stream = ?1 AND environment = ?2 AND service = ?3",
    )?;
    statement.execute(params![
        it.stream().to_string(),
        it.environment,
        it.service,
        it.verdict.as_str(),
        it.reached_at.map(|at| at.0.cast_signed()),
        it.finished_at.0.cast_signed(),
        it.last_seq.0.cast_signed(),
        it.position.cast_signed(),
    ])?;
    Ok(())
}

/// It was none: what was told of it before is not so.
fn take_back(rows: &Connection, it: &Shipment) -> rusqlite::Result<()> {
    give_on(rows, it)?;
    rows.prepare_cached(
        "DELETE FROM shipment WHERE stream = ?1 AND environment = ?2 AND service = ?3",
    )?
    .execute(params![it.stream().to_string(), it.environment, it.service])
    .map(drop)
}

fn take_one(rows: &Connection, run: &ShippingRun, it: Shipment) -> rusqlite::Result<()> {
    let places = places(rows, run, &it)?;
    let far = places.own.as_ref().map(|place| far(rows, &it, &place.branch)).transpose()?.flatten();
    let runs = runs(rows, &it)?;
    let commit = match &runs {
        Some((_, runs)) => came(rows, &it, runs, (places.own.as_ref(), far))?,
        None => Came::Never,
    };
    let before = Before {
        runs: runs.as_ref().map(|(by, commit)| (*by, &**commit)),
        tried: tried(rows, &it, runs.as_ref().map(|(by, _)| *by))?,
        commit,
    };
    let mut it = it.judged(&before);
    if is_brought(&it) && !it.is_first && it.kind == DeploymentKind::Release {
        it.commits = waiting(rows, &it, &places)?;
        it.commits.retain(|it| it.commit != run.head.commit);
        it.commits.push(run.head.clone());
    }
    write(rows, &it, &places)?;
    if is_brought(&it) {
        for commit in &it.commits {
            bring(rows, &it, &commit.commit)?;
        }
        bring(rows, &it, &run.head.commit)?;
        // Of a work tree with changes another one.
        bring(rows, &it, &it.digest)?;
    }
    Ok(())
}

/// Up to which of its events it is counted; none where it is not.
fn known(rows: &Connection, it: &Shipment) -> rusqlite::Result<Option<Seq>> {
    let mut statement = rows.prepare_cached(
        "SELECT last_seq FROM shipment WHERE stream = ?1 AND environment = ?2 AND service = ?3",
    )?;
    let wanted = params![it.stream().to_string(), it.environment, it.service];
    let seq = |row: &Row<'_>| Ok(Seq(row.get::<_, i64>(0)?.cast_unsigned()));
    statement.query_row(wanted, seq).optional()
}

/// Whether one of its jobs ran `launchway deploy` for that environment: then that is what counts, whatever came
/// of it. Deployments of before version 4 do not say which job began them: one that was asked for while these
/// jobs ran was theirs.
fn is_deployed_by_command(rows: &Connection, it: &Shipment) -> rusqlite::Result<bool> {
    for job in &it.jobs {
        if ran_command(rows, job, &it.environment)? {
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

/// Whether a job ran `launchway deploy` for an environment, by what its processes are known by.
pub(crate) fn ran_command(
    rows: &Connection,
    job: &str,
    environment: &str,
) -> rusqlite::Result<bool> {
    rows.prepare_cached("SELECT 1 FROM asked WHERE job = ?1 AND environment = ?2")?
        .exists([job, environment])
}

/// Where its commit was pushed, and the one at which its branch left the default branch.
fn places(rows: &Connection, run: &ShippingRun, it: &Shipment) -> rusqlite::Result<Places> {
    let mut statement = rows.prepare_cached(
        "SELECT branch, place FROM pushed
         WHERE repository = ?1 AND commit_id = ?2 AND pushed_at <= ?6
         ORDER BY branch = ?3 DESC,
           EXISTS (SELECT 1 FROM shipment
                   WHERE project = ?1 AND environment = ?4 AND service = ?5
                     AND shipment.branch = pushed.branch AND verdict = 'succeeded') DESC, place
         LIMIT 1",
    )?;
    let wanted = params![
        run.repository,
        run.head.commit,
        run.git_ref,
        it.environment,
        it.service,
        it.finished_at.0.cast_signed()
    ];
    let found = |row: &Row<'_>| Ok(Place { branch: row.get(0)?, place: row.get(1)? });
    let own = statement.query_row(wanted, found).optional()?;
    let is_on_default = own.as_ref().is_some_and(|own| run.is_default_branch(&own.branch));
    let (Some(commit), false) = (&run.branched_at, is_on_default) else {
        return Ok(Places { own, base: None });
    };
    let base = place_on(rows, it, (&run.default_branch, commit))?;
    let base = base.map(|place| Place { branch: run.default_branch.to_string(), place });
    Ok(Places { own, base })
}

/// How far a branch came there before.
fn far(rows: &Connection, it: &Shipment, branch: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = rows.prepare_cached(
        "SELECT max(place) FROM (
           SELECT max(place) AS place FROM shipment
           WHERE project = ?1 AND environment = ?2 AND service = ?3 AND branch = ?4
             AND branch IS NOT NULL AND verdict = 'succeeded'
           UNION ALL
           SELECT max(base_place) FROM shipment
           WHERE project = ?1 AND environment = ?2 AND service = ?3 AND base_branch = ?4
             AND base_branch IS NOT NULL AND verdict = 'succeeded')",
    )?;
    let wanted = params![it.project, it.environment, it.service, branch];
    statement.query_row(wanted, |row| row.get(0))
}

/// The newest before it that succeeded, with its commit.
fn runs(rows: &Connection, it: &Shipment) -> rusqlite::Result<Option<(ShippedBy, Arc<str>)>> {
    let mut statement = rows.prepare_cached(
        "SELECT stream, made_from FROM shipment
         WHERE is_by_jobs = 1 AND project = ?1 AND environment = ?2 AND service = ?3
           AND finished_at <= ?4 AND verdict = 'succeeded'
         ORDER BY finished_at DESC, position DESC, stream DESC LIMIT 1",
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
           AND (finished_at, position) >= (SELECT finished_at, position FROM shipment
                                           WHERE stream = ?6 AND environment = ?2 AND service = ?3)
         ORDER BY finished_at DESC, position DESC, stream DESC LIMIT 1",
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
        _ => {
            let runs = brought(runs)?;
            let passed = place.map(|place| passed(rows, it, place)).transpose()?.flatten();
            let is_own_before = own.zip(runs).is_some_and(|(own, runs)| own < runs);
            is_own_before || passed.zip(runs).is_some_and(|(passed, runs)| passed <= runs)
        }
    };
    Ok(if is_before { Came::Before } else { Came::Since })
}

/// When a commit came that stands before others on its branch: with the first of those, by when that was brought.
/// What came with an environment's first shipment was not brought by itself.
fn passed(rows: &Connection, it: &Shipment, place: &Place) -> rusqlite::Result<Option<i64>> {
    let mut statement = rows.prepare_cached(
        "SELECT min(brought.id) FROM shipment AS past JOIN brought
           ON brought.project = past.project AND brought.environment = past.environment
             AND brought.service = past.service AND brought.commit_id = past.made_from
         WHERE is_by_jobs = 1 AND past.project = ?1 AND past.environment = ?2 AND past.service = ?3
           AND verdict = 'succeeded' AND (branch = ?4 AND place >= ?5
                                          OR base_branch = ?4 AND base_place >= ?5)",
    )?;
    let wanted = params![it.project, it.environment, it.service, place.branch, place.place];
    statement.query_row(wanted, |row| row.get(0))
}

/// The place of a commit on a branch. What was pushed behind the end of the shipment says nothing of it: the
/// journal may be read late.
fn place_on(
    rows: &Connection,
    it: &Shipment,
    (branch, commit): (&str, &str),
) -> rusqlite::Result<Option<i64>> {
    let mut statement = rows.prepare_cached(
        "SELECT place FROM pushed
         WHERE repository = ?1 AND commit_id = ?2 AND branch = ?3 AND pushed_at <= ?4",
    )?;
    let wanted = params![it.project, commit, branch, it.finished_at.0.cast_signed()];
    statement.query_row(wanted, |row| row.get(0)).optional()
}

/// Commits behind the last ones that came there, oldest first: of the default branch up to where its own branch
/// left it, then of its own branch up to its own.
fn waiting(
    rows: &Connection,
    it: &Shipment,
    places: &Places,
) -> rusqlite::Result<Vec<ShippedCommit>> {
    let mut statement = rows.prepare_cached(
        "SELECT commit_id, committed_at FROM pushed
         WHERE repository = ?1 AND branch = ?2 AND place > ?3 AND place <= ?4
         ORDER BY place DESC LIMIT ?5",
    )?;
    let commit =
        |row: &Row<'_>| Ok(ShippedCommit { commit: text(row, 0)?, committed_at: at(row, 1)? });
    let mut found: Vec<ShippedCommit> = Vec::new();
    for place in places.own.iter().chain(&places.base) {
        let far = match far(rows, it, &place.branch)? {
            Some(far) => far,
            None => before(rows, it, &place.branch)?,
        };
        let most = COMMITS_PER_SHIPMENT_MAX.saturating_sub(found.len()) as i64;
        let wanted = params![it.project, place.branch, far, place.place, most];
        for commit in statement.query_map(wanted, commit)? {
            found.push(commit?);
        }
    }
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
           ORDER BY finished_at DESC, position DESC, stream DESC LIMIT 1)",
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
