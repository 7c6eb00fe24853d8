//! What only grows, for whoever scrapes: counts and histograms, kept as they grow, so that a scrape
//! costs the same however much is past.

use std::collections::BTreeMap;

use event::Timestamp;
use rusqlite::{Connection, Row, params};
use views::{AttemptFacts, Shipment};

use crate::database::Figures;
use crate::error::FiguresError;

/// Upper edges of the buckets, in milliseconds: from a moment to six hours.
const EDGES_MS: &[u64] = &[
    100, 500, 1_000, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000,
    2_700_000, 7_200_000, 21_600_000,
];
/// The bucket of what is longer.
const LONGER: u64 = i64::MAX as u64;
const SUM: i64 = -1;

/// A histogram of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Upper edge in milliseconds, and how many are not above it; the last is all of them.
    pub buckets: Vec<(Option<u64>, u64)>,
    /// Their sum in milliseconds.
    pub sum_ms: u64,
}

/// All that only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts of runs that are over, by conclusion.
    pub runs: BTreeMap<String, u64>,
    /// Jobs that had a worker, by conclusion.
    pub jobs: BTreeMap<String, u64>,
    /// Deployments that are over, by environment and verdict.
    pub deployments: BTreeMap<(String, String), u64>,
    /// How long attempts ran.
    pub run_times: Histogram,
    /// How long jobs ran.
    pub job_times: Histogram,
    /// How long jobs waited for a worker.
    pub waits: Histogram,
    /// From when a job could begin until its first step did.
    pub starts: Histogram,
    /// From when an event happened, as the forge says, until its run was made.
    pub triggers: Histogram,
}

pub(crate) fn count_attempt(rows: &Connection, it: &AttemptFacts) -> rusqlite::Result<()> {
    let known = rows
        .prepare_cached("SELECT 1 FROM attempt WHERE run = ?1 AND attempt = ?2")?
        .exists([it.run.0.cast_signed(), it.attempt.0.cast_signed()])?;
    if known {
        return Ok(());
    }
    add(rows, ("runs", it.conclusion.as_str(), 0), 1)?;
    if let Some(time) = it.time_ms() {
        measure(rows, "run_ms", time)?;
    }
    if let Some(happened_at) = it.happened_at {
        measure(rows, "trigger_ms", it.created_at.0.saturating_sub(happened_at.0))?;
    }
    for job in &it.jobs {
        add(rows, ("jobs", job.conclusion.as_str(), 0), 1)?;
        let between = |from: Timestamp, to: Timestamp| to.0.saturating_sub(from.0);
        measure(rows, "wait_ms", between(job.ready_at, job.leased_at))?;
        if let Some(first_step_at) = job.first_step_at {
            measure(rows, "start_ms", between(job.ready_at, first_step_at))?;
        }
        if let Some(started_at) = job.started_at {
            measure(rows, "job_ms", between(started_at, job.completed_at))?;
        }
    }
    Ok(())
}

/// A deployment of several services is one.
pub(crate) fn count_deployment(rows: &Connection, it: &Shipment) -> rusqlite::Result<()> {
    let known = rows
        .prepare_cached("SELECT 1 FROM shipment WHERE stream = ?1")?
        .exists([it.stream().to_string()])?;
    if known {
        return Ok(());
    }
    let label = format!("{} {}", it.verdict.as_str(), it.environment);
    add(rows, ("deployments", &label, 0), 1)
}

fn measure(rows: &Connection, name: &str, time_ms: u64) -> rusqlite::Result<()> {
    let edge = EDGES_MS.iter().find(|edge| time_ms <= **edge).copied().unwrap_or(LONGER);
    add(rows, (name, "", edge.cast_signed()), 1)?;
    add(rows, (name, "", SUM), time_ms.cast_signed())
}

fn add(
    rows: &Connection,
    (name, label, bucket): (&str, &str, i64),
    value: i64,
) -> rusqlite::Result<()> {
    let mut statement = rows.prepare_cached(
        "INSERT INTO tally (name, label, bucket, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET value = value + excluded.value",
    )?;
    statement.execute(params![name, label, bucket, value]).map(drop)
}

impl Figures {
    /// What only grows.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn tally(&self) -> Result<Tally, FiguresError> {
        read(&self.reader()).map_err(|source| self.failed(source))
    }
}

fn read(rows: &Connection) -> rusqlite::Result<Tally> {
    let mut statement = rows.prepare_cached("SELECT name, label, bucket, value FROM tally")?;
    let line = |row: &Row<'_>| -> rusqlite::Result<(String, String, i64, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let mut tally = Tally::default();
    let mut times: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    for line in statement.query_map([], line)? {
        let (name, label, bucket, value) = line?;
        let value = value.cast_unsigned();
        match name.as_str() {
            "runs" => drop(tally.runs.insert(label, value)),
            "jobs" => drop(tally.jobs.insert(label, value)),
            "deployments" => {
                if let Some((verdict, environment)) = label.split_once(' ') {
                    tally.deployments.insert((environment.to_owned(), verdict.to_owned()), value);
                }
            }
            _ => drop(times.entry(name).or_default().insert(bucket, value)),
        }
    }
    let mut histogram = |name: &str| Histogram::of(&times.remove(name).unwrap_or_default());
    tally.run_times = histogram("run_ms");
    tally.job_times = histogram("job_ms");
    tally.waits = histogram("wait_ms");
    tally.starts = histogram("start_ms");
    tally.triggers = histogram("trigger_ms");
    Ok(tally)
}

impl Histogram {
    fn of(counts: &BTreeMap<i64, u64>) -> Histogram {
        let of = |bucket: u64| counts.get(&bucket.cast_signed()).copied().unwrap_or_default();
        let mut all = 0;
        let mut buckets = Vec::with_capacity(EDGES_MS.len() + 1);
        for edge in EDGES_MS {
            all += of(*edge);
            buckets.push((Some(*edge), all));
        }
        buckets.push((None, all + of(LONGER)));
        Histogram { buckets, sum_ms: counts.get(&SUM).copied().unwrap_or_default() }
    }
}
