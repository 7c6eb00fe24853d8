//! The coverage that a run is held to: of an attempt, and of those before it whose jobs it did not run again.

use std::collections::{BTreeMap, BTreeSet};

use event::{Attempt, StreamId};
use rusqlite::{Connection, OptionalExtension as _};
use store::Store;

use crate::database::Figures;
use crate::error::FiguresError;

/// Lines that ran, of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoverageKept {
    /// Of all files; none where no report says so.
    pub whole: Option<(u64, u64)>,
    /// By flag.
    pub flags: BTreeMap<String, (u64, u64)>,
}

impl Figures {
    /// What reports of an attempt say of its lines, together with those of the attempts in which its other jobs ran:
    /// all are of one commit, so what ran in one of them ran. What was not taken in yet is, now.
    ///
    /// # Errors
    /// When the journal or the file does not answer.
    pub fn coverage_kept(
        &self,
        store: &Store,
        stream: StreamId,
        carried_from: &BTreeSet<Attempt>,
    ) -> Result<CoverageKept, FiguresError> {
        let Some((run, attempt)) = stream.as_run() else { return Ok(CoverageKept::default()) };
        let mut attempts = carried_from.clone();
        attempts.insert(attempt);
        for attempt in &attempts {
            self.take_if_new(store, StreamId::Run(run, *attempt))?;
        }
        let attempts: Vec<u64> = attempts.into_iter().map(|it| it.0).collect();
        let attempts = serde_json::Value::from(attempts).to_string();
        let kept = kept(&self.reader(), run.0.cast_signed(), &attempts);
        kept.map_err(|source| self.failed(source))
    }

    /// Takes in an attempt that is over and was not taken in yet.
    pub(crate) fn take_if_new(&self, store: &Store, stream: StreamId) -> Result<(), FiguresError> {
        let Some((run, attempt)) = stream.as_run() else { return Ok(()) };
        let known = "SELECT 1 FROM attempt WHERE run = ?1 AND attempt = ?2";
        let key = [run.0.cast_signed(), attempt.0.cast_signed()];
        let found = self.reader().query_row(known, key, |_| Ok(())).optional();
        match found.map_err(|source| self.failed(source))? {
            Some(()) => Ok(()),
            None => self.take_now(store, stream),
        }
    }
}

fn kept(rows: &Connection, run: i64, attempts: &str) -> rusqlite::Result<CoverageKept> {
    let mut files = rows.prepare_cached(
        "SELECT sum(covered), sum(lines) FROM (
           SELECT max(covered) AS covered, max(lines) AS lines FROM coverage
           WHERE run = ?1 AND attempt IN (SELECT value FROM json_each(?2)) GROUP BY file)",
    )?;
    let whole = files.query_row((run, attempts), |row| {
        let (covered, lines): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(covered.zip(lines).map(|(one, two)| (one.cast_unsigned(), two.cast_unsigned())))
    })?;
    let mut flags = rows.prepare_cached(
        "SELECT flag, max(covered), max(lines) FROM flag_coverage
         WHERE run = ?1 AND attempt IN (SELECT value FROM json_each(?2)) GROUP BY flag",
    )?;
    let flags = flags.query_map((run, attempts), |row| {
        let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok((row.get(0)?, (number(1)?, number(2)?)))
    })?;
    Ok(CoverageKept { whole, flags: flags.collect::<Result<_, _>>()? })
}
