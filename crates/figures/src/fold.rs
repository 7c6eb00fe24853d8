//! From the journal to rows: what ended behind the cursor, one stream at a time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use event::{Attempt, DeploymentEvent, ExitKind, Fact, RunEvent, Seq, StreamId};
use ports::JournalError;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use store::Store;
use views::{AttemptFacts, IncidentView, Shipment, ShippingJob, ShippingRun};

use crate::collect::collect;
use crate::database::Figures;
use crate::error::FiguresError;
use crate::images;
use crate::incidents;
use crate::jobs;
use crate::shipments::{take_asked, take_deployment};
use crate::shipping;
use crate::tally::count_attempt;

/// Events that are looked at in one transaction: bounds what another process waits for, and what a
/// kill costs.
const BATCH_EVENTS: u64 = 20_000;
/// So long the file is let go between two batches: who waits for it tries ten times a second, and a long journal is not to
/// keep a run's own tests from being looked at until its end.
const BREATH: Duration = Duration::from_millis(120);
/// Events among which those of jobs are looked for at once: bounds what is held in memory.
const TOLD_EVENTS: u64 = 1_000;

/// Attempts whose jobs shipped something in one batch; none where nothing is known of it.
type ShippingRuns = BTreeMap<StreamId, Option<ShippingRun>>;

/// How far the numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caught {
    /// The last event that was looked at.
    pub position: u64,
    /// The newest one.
    pub newest: u64,
}

impl Caught {
    /// Whether everything is in.
    pub fn is_up(self) -> bool {
        self.position >= self.newest
    }

    /// Of a hundred events, so many were looked at.
    pub fn percent(self) -> u64 {
        self.position.saturating_mul(100).checked_div(self.newest).unwrap_or(100).min(100)
    }
}

impl Figures {
    /// How far the numbers are behind the journal.
    ///
    /// # Errors
    /// When one of the two does not answer.
    pub fn caught(&self, store: &Store) -> Result<Caught, FiguresError> {
        let newest = store.newest_position()?;
        let position = cursor(&self.reader()).map_err(|source| self.failed(source))?;
        Ok(Caught { position: position.min(newest), newest })
    }

    /// Takes in everything that ended since. After each batch `goes_on` says whether to go on.
    ///
    /// # Errors
    /// When the journal or the file does not answer. What was taken in before stays.
    pub fn catch_up(
        &self,
        store: &Store,
        goes_on: &mut dyn FnMut(Caught) -> bool,
    ) -> Result<Caught, FiguresError> {
        loop {
            let caught = self.batch(store)?;
            if caught.is_up() || !goes_on(caught) {
                return Ok(caught);
            }
            std::thread::sleep(BREATH);
        }
    }

    fn batch(&self, store: &Store) -> Result<Caught, FiguresError> {
        let failed = |source| self.failed(source);
        let newest = store.newest_position()?;
        let mut writer = self.writer();
        // A look first: most of the time there is nothing to do, and nobody is to wait for that.
        if cursor(&writer).map_err(failed)? == newest {
            return Ok(Caught { position: newest, newest });
        }
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut position = cursor(&transaction).map_err(failed)?;
        if position > newest {
            // Another journal lies here now: one of an earlier day was brought back.
            forget_everything(&transaction).map_err(failed)?;
            position = 0;
        }
        if position == 0 {
            self.begin_anew(&transaction, store)?;
        }
        let until = newest.min(position + BATCH_EVENTS);
        for name in store.begun_between(position, until)? {
            self.take_begin(&transaction, store, &name)?;
        }
        self.take_jobs(&transaction, store, (position, until))?;
        for name in store.ended_between(position, until)? {
            self.take(&transaction, store, &name)?;
        }
        let update = "UPDATE cursor SET position = ?1";
        transaction.execute(update, [until.cast_signed()]).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Caught { position: until, newest })
    }

    /// Looks again at streams that an older version could not read.
    ///
    /// # Errors
    /// When the journal or the file does not answer.
    pub fn look_again(&self, store: &Store) -> Result<(), FiguresError> {
        let failed = |source| self.failed(source);
        let mut writer = self.writer();
        let names: Vec<String> = {
            let mut statement = writer.prepare("SELECT stream FROM unread").map_err(failed)?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(failed)?;
            rows.collect::<rusqlite::Result<_>>().map_err(failed)?
        };
        for name in names {
            let transaction =
                writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            transaction.execute("DELETE FROM unread WHERE stream = ?1", [&name]).map_err(failed)?;
            self.take_begin(&transaction, store, &name)?;
            self.take_jobs_of(&transaction, store, &name)?;
            self.take(&transaction, store, &name)?;
            transaction.commit().map_err(failed)?;
        }
        Ok(())
    }

    /// Takes an attempt in before its turn, save what it shipped: that has an order.
    pub(crate) fn take_now(&self, store: &Store, stream: StreamId) -> Result<(), FiguresError> {
        let failed = |source| self.failed(source);
        let mut writer = self.writer();
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let events = match store.events::<RunEvent>(stream, Seq(0)) {
            Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => return Ok(()),
            events => events?,
        };
        if let Some(facts) = AttemptFacts::of(&events) {
            take_attempt(&transaction, store, &facts).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// What jobs shipped has an order, in which it is counted: all of it anew that is read once more. What the journal
    /// has no more stays.
    fn begin_anew(&self, rows: &Connection, store: &Store) -> Result<(), FiguresError> {
        let failed = |source| self.failed(source);
        let mut known = Vec::new();
        for name in jobs::streams(rows).map_err(failed)? {
            if let Ok(stream) = name.parse()
                && begin::<RunEvent>(store, stream)?.is_some()
            {
                known.push(name);
            }
        }
        jobs::forget_all(rows, &known).map_err(failed)
    }

    /// What a run says of a push when it begins; that a deployment was asked for.
    fn take_begin(&self, rows: &Connection, store: &Store, name: &str) -> Result<(), FiguresError> {
        let failed = |source| self.failed(source);
        // Those that run it again say the same; one that a newer version wrote says nothing yet.
        match name.parse() {
            Ok(stream @ StreamId::Run(_, Attempt(1))) => match begin::<RunEvent>(store, stream)? {
                Some(event) => jobs::take_push(rows, &event).map_err(failed),
                None => Ok(()),
            },
            Ok(stream @ StreamId::Deployment(_)) => {
                match begin::<DeploymentEvent>(store, stream)? {
                    Some(event) => take_asked(rows, name, &event).map_err(failed),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// What jobs shipped that were over behind one place and not behind another.
    fn take_jobs(
        &self,
        rows: &Connection,
        store: &Store,
        (mut position, until): (u64, u64),
    ) -> Result<(), FiguresError> {
        let mut runs = ShippingRuns::default();
        while position < until {
            let next = until.min(position + TOLD_EVENTS);
            for told in store.told_between((position, next), ShippingJob::KINDS)? {
                let event = RunEvent::decode(told.payload.as_bytes());
                match (told.stream.parse::<StreamId>(), event) {
                    (Ok(stream), Ok(event)) => {
                        self.take_job(
                            rows,
                            store,
                            &mut runs,
                            (stream, told.seq, told.position),
                            &event,
                        )?;
                    }
                    _ => note_unread(rows, &told.stream).map_err(|source| self.failed(source))?,
                }
            }
            position = next;
        }
        Ok(())
    }

    /// The same of one stream from its beginning.
    fn take_jobs_of(
        &self,
        rows: &Connection,
        store: &Store,
        name: &str,
    ) -> Result<(), FiguresError> {
        let Ok(stream @ StreamId::Run(..)) = name.parse() else { return Ok(()) };
        let events = match store.events::<RunEvent>(stream, Seq(0)) {
            // That it cannot be read is said where it is over.
            Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => return Ok(()),
            events => events?,
        };
        let mut runs = ShippingRuns::default();
        for it in events {
            // Where in the journal that stands is not looked for: it is not among others here.
            self.take_job(rows, store, &mut runs, (stream, it.seq, 0), &it.event)?;
        }
        Ok(())
    }

    fn take_job(
        &self,
        rows: &Connection,
        store: &Store,
        runs: &mut ShippingRuns,
        (stream, seq, position): (StreamId, Seq, u64),
        event: &RunEvent,
    ) -> Result<(), FiguresError> {
        let failed = |source| self.failed(source);
        let StreamId::Run(run, attempt) = stream else { return Ok(()) };
        let over = shipping::note(rows, (run, attempt), (seq, position), event).map_err(failed)?;
        let Some(environment) = over else { return Ok(()) };
        let run = match runs.entry(stream) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(match begin(store, stream)? {
                Some(RunEvent::RunCreated(request)) => Some(ShippingRun::of(&request)),
                _ => None,
            }),
        };
        match run {
            Some(run) => jobs::take(rows, run, &environment).map_err(failed),
            None => Ok(()),
        }
    }

    fn take(&self, rows: &Connection, store: &Store, name: &str) -> Result<(), FiguresError> {
        let failed = |source| self.failed(source);
        let folded = match name.parse() {
            Ok(stream @ StreamId::Deployment(_)) => {
                let events = store.events::<DeploymentEvent>(stream, Seq(0));
                events.map(|events| take_deployment(rows, &Shipment::of(&events)))
            }
            Ok(stream @ StreamId::Run(..)) => {
                let events = store.events::<RunEvent>(stream, Seq(0));
                events.map(|events| match AttemptFacts::of(&events) {
                    Some(facts) => {
                        take_attempt(rows, store, &facts)?;
                        let first = events.first().map(|it| &it.event);
                        let Some(RunEvent::RunCreated(request)) = first else { return Ok(()) };
                        let run = ShippingRun::of(request);
                        jobs::take_rest(rows, &run)?;
                        shipping::forget(rows, &run)
                    }
                    None => Ok(()),
                })
            }
            Ok(StreamId::Incident(id)) => {
                let events = store.incident(id);
                events.map(|events| match IncidentView::of(id, &events) {
                    Some(view) => incidents::take(rows, &view),
                    None => Ok(()),
                })
            }
            // Nothing is counted of it.
            Ok(_) => return Ok(()),
            Err(_) => Ok(note_unread(rows, name)),
        };
        match folded {
            Ok(written) => written.map_err(failed),
            Err(JournalError::Forgotten { .. }) => Ok(()),
            Err(JournalError::Unreadable(_)) => note_unread(rows, name).map_err(failed),
            Err(error) => Err(error.into()),
        }
    }
}

/// The first event of a stream; none where it is gone, or a newer version wrote it.
fn begin<E: Fact>(store: &Store, stream: StreamId) -> Result<Option<E>, FiguresError> {
    match store.first::<E>(stream) {
        Ok(begin) => Ok(begin.map(|it| it.event)),
        Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn cursor(connection: &Connection) -> rusqlite::Result<u64> {
    let position: Option<i64> =
        connection.query_row("SELECT position FROM cursor", [], |row| row.get(0)).optional()?;
    Ok(position.unwrap_or_default().cast_unsigned())
}

fn forget_everything(rows: &Connection) -> rusqlite::Result<()> {
    rows.execute_batch(
        "DELETE FROM shipment; DELETE FROM shipped; DELETE FROM brought; DELETE FROM attempt;
         DELETE FROM job; DELETE FROM step; DELETE FROM unread; DELETE FROM report;
         DELETE FROM test; DELETE FROM result; DELETE FROM coverage; DELETE FROM tally;
         DELETE FROM scan; DELETE FROM finding; DELETE FROM scan_level;
         DELETE FROM scan_named; DELETE FROM worker;
         DELETE FROM incident; DELETE FROM incident_fix; DELETE FROM pushed;
         DELETE FROM asked; DELETE FROM shipping; DELETE FROM newest;
         DELETE FROM flag_coverage; DELETE FROM image;",
    )
}

fn note_unread(rows: &Connection, name: &str) -> rusqlite::Result<()> {
    rows.execute("INSERT OR IGNORE INTO unread (stream) VALUES (?1)", [name]).map(drop)
}

fn take_attempt(rows: &Connection, store: &Store, it: &AttemptFacts) -> rusqlite::Result<()> {
    // Read once more by a version that looks for more: what it kept may be gone, and stays counted.
    let is_known = rows
        .prepare_cached("SELECT 1 FROM attempt WHERE run = ?1 AND attempt = ?2 AND last_seq = ?3")?
        .exists([
            it.run.0.cast_signed(),
            it.attempt.0.cast_signed(),
            it.last_seq.0.cast_signed(),
        ])?;
    if is_known {
        return note_more(rows, it);
    }
    count_attempt(rows, it)?;
    write_attempt(rows, it)?;
    images::take(rows, it)?;
    collect(rows, store, it)
}

/// What a version of before did not look for, of an attempt whose artifacts may be gone.
fn note_more(rows: &Connection, it: &AttemptFacts) -> rusqlite::Result<()> {
    let key = (it.run.0.cast_signed(), it.attempt.0.cast_signed());
    let happened_at = it.happened_at.map(|it| it.0.cast_signed());
    rows.prepare_cached(
        "UPDATE attempt SET is_refused = ?3, happened_at = ?4 WHERE run = ?1 AND attempt = ?2",
    )?
    .execute(params![key.0, key.1, it.is_refused, happened_at])?;
    let mut jobs = rows.prepare_cached(
        "UPDATE job SET first_step_at = ?4 WHERE run = ?1 AND attempt = ?2 AND job = ?3",
    )?;
    for job in &it.jobs {
        let first_step_at = job.first_step_at.map(|it| it.0.cast_signed());
        jobs.execute(params![key.0, key.1, job.job.as_str(), first_step_at])?;
    }
    Ok(())
}

fn write_attempt(rows: &Connection, it: &AttemptFacts) -> rusqlite::Result<()> {
    let (run, attempt) = (it.run.0.cast_signed(), it.attempt.0.cast_signed());
    let at = |at: event::Timestamp| at.0.cast_signed();
    let mut statement = rows.prepare_cached(
        "INSERT OR REPLACE INTO attempt (run, attempt, repository, workflow, event, git_ref,
           commit_id, is_default_branch, is_partial, is_superseded, is_infra, created_at,
           started_at, completed_at, conclusion, last_seq, is_refused, happened_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?;
    statement.execute(params![
        run,
        attempt,
        it.repository,
        it.workflow,
        it.event,
        it.git_ref,
        it.commit,
        it.is_default_branch,
        it.is_partial,
        it.is_superseded,
        it.is_infra,
        at(it.created_at),
        it.started_at.map(at),
        at(it.completed_at),
        it.conclusion.as_str(),
        it.last_seq.0.cast_signed(),
        it.is_refused,
        it.happened_at.map(at),
    ])?;
    rows.prepare_cached("DELETE FROM step WHERE run = ?1 AND attempt = ?2")?
        .execute([run, attempt])?;
    let mut jobs = rows.prepare_cached(
        "INSERT OR REPLACE INTO job (run, attempt, job, name, labels, ready_at, leased_at,
           started_at, completed_at, conclusion, leased_seq, last_seq, first_step_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let mut steps = rows.prepare_cached(
        "INSERT INTO step (run, attempt, job, name, time_ms, completed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for job in &it.jobs {
        // A job that was stopped before its end says nothing about how long it takes.
        let is_whole = !matches!(job.exit, ExitKind::Cancelled | ExitKind::LostRunner);
        jobs.execute(params![
            run,
            attempt,
            job.job.as_str(),
            job.name.as_str(),
            job.labels,
            at(job.ready_at),
            at(job.leased_at),
            job.started_at.filter(|_| is_whole).map(at),
            at(job.completed_at),
            job.conclusion.as_str(),
            job.leased_seq.0.cast_signed(),
            job.last_seq.0.cast_signed(),
            job.first_step_at.map(at),
        ])?;
        for step in &job.steps {
            let time = step.time_ms.cast_signed();
            let (key, end) = (job.job.as_str(), at(job.completed_at));
            steps.execute(params![run, attempt, key, step.name.as_str(), time, end])?;
        }
    }
    Ok(())
}
