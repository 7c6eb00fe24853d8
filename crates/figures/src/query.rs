//! From rows to figures, over a window.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Attempt, RunId, Seq, ShippedBy, ShippedCommit, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use store::Store;
use views::{Finished, Shipment, Spread, Waited, Window, busy, dora, health, queues};

use crate::course::{Commits, course, pushed};
use crate::database::Figures;
use crate::error::FiguresError;
use crate::incidents;
use crate::jobs::by;
use crate::report::{Deliveries, Delivery, Load, Pipeline, Queue, Report, Slow};
use crate::report_part::ReportPart;

/// Services in environments of one report; of more, so many are said to be left out.
const PLACES_MAX: usize = 200;
/// Attempts of one report: the newest of the window. It bounds what a report takes, and a team of
/// 200 does not come near it in a quarter.
const ATTEMPTS_MAX: usize = 200_000;
/// Jobs, and steps, of one report: the newest of the window.
const JOBS_MAX: usize = 400_000;
/// Jobs, and steps, that are named for what they take.
const SLOW_MAX: usize = 10;

/// What is asked about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Only this project's deployments; of jobs that deploy, those of a repository of that name, where
    /// `repositories` is none.
    pub project: Option<String>,
    /// Only this environment's; none for those of production, or all of a project that has none named so.
    pub environment: Option<String>,
    /// Only this service's.
    pub service: Option<String>,
    /// Only these repositories' runs, and what their jobs deployed; none: all.
    pub repositories: Option<Vec<String>>,
    /// Nothing that is a project's: no deployments, only what jobs deployed; of a project's incidents that those
    /// brought or ended, nothing but that there are such, by their number.
    pub only_jobs: bool,
    /// Nothing of these environments: they are counted elsewhere.
    pub besides: Vec<String>,
    /// Only environments of production, even of a project that has none named so.
    pub only_production: bool,
    /// When.
    pub window: Window,
    /// It ended before now: what is so now is no part of it.
    pub is_past: bool,
}

impl Asked {
    /// Whatever there is of that time, which ends now.
    pub fn everything(window: Window) -> Asked {
        Asked {
            project: None,
            environment: None,
            service: None,
            repositories: None,
            only_jobs: false,
            besides: Vec::new(),
            only_production: false,
            window,
            is_past: false,
        }
    }

    /// The repositories, as the database takes a list.
    pub(crate) fn repositories(&self) -> Option<String> {
        let names = self.repositories.as_ref()?;
        Some(serde_json::to_string(names).expect("names are plain text"))
    }
}

/// Whether an environment is production, by its name.
pub fn is_production(environment: &str) -> bool {
    let mut words = environment.split(['-', '_', '/', '.']);
    words.any(|word| ["production", "prod", "live"].iter().any(|it| word.eq_ignore_ascii_case(it)))
}

impl Figures {
    /// What the rows say now of these parts; the others are empty.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn report(
        &self,
        store: &Store,
        asked: &Asked,
        parts: &[ReportPart],
    ) -> Result<Report, FiguresError> {
        let caught = self.caught(store)?;
        let mut report = Report::of(asked, caught.newest - caught.position);
        for part in parts {
            match part {
                ReportPart::Delivery => {
                    let found = self.delivery(asked)?;
                    (report.delivery, report.delivery_left_out) = (found.told, found.left_out);
                }
                ReportPart::Pipelines => self.pipelines(asked, &mut report)?,
                ReportPart::SlowTests => report.slow_tests = self.slow_tests(asked)?,
                ReportPart::Flaky => report.flaky = self.flaky(asked)?,
                ReportPart::Tests => report.tests = self.series(asked)?,
                ReportPart::Images => report.images = self.image_series(asked)?,
                ReportPart::Scans => report.scans = self.last_scans(asked)?,
            }
        }
        Ok(report)
    }

    /// The part of a report that is about deployments.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn delivery(&self, asked: &Asked) -> Result<Deliveries, FiguresError> {
        let reader = self.reader();
        deliveries(&reader, asked).map_err(|source| self.failed(source))
    }

    fn pipelines(&self, asked: &Asked, report: &mut Report) -> Result<(), FiguresError> {
        let reader = self.reader();
        pipelines(&reader, asked, report).map_err(|source| self.failed(source))
    }
}

fn pipelines(rows: &Connection, asked: &Asked, report: &mut Report) -> rusqlite::Result<()> {
    let waited = waited(rows, asked)?;
    let of_workflows = queues(waited.iter().map(|(of, it)| (of, it.wait_ms)));
    let nothing = Spread::default();
    let health_of = |(of, attempts): ((String, String), Vec<Finished>)| {
        let queue = of_workflows.get(&of).unwrap_or(&nothing);
        Pipeline::of(of, &health(&attempts, asked.window), queue)
    };
    report.pipelines = finished(rows, asked)?.into_iter().map(health_of).collect();
    let waits = queues(waited.iter().map(|(_, it)| (&it.labels, it.wait_ms)));
    let started = waited.iter().filter_map(|(_, it)| Some((&it.labels, it.start_ms?)));
    let starts = queues(started);
    let queue = |(labels, spread): (&&Arc<str>, &Spread)| Queue {
        labels: labels.to_string(),
        wait: spread.into(),
        start: starts.get(labels).unwrap_or(&nothing).into(),
    };
    report.queues = waits.iter().map(queue).collect();
    report.load = load(rows, asked)?;
    report.slow_jobs = slow(rows, asked, SLOW_JOBS)?;
    report.slow_steps = slow(rows, asked, SLOW_STEPS)?;
    Ok(())
}

/// Where something was shipped to.
pub(crate) struct Shipped {
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) service: String,
    pub(crate) is_by_jobs: bool,
}

impl Shipped {
    pub(crate) fn place(&self) -> (&str, &str, &str) {
        (&self.project, &self.environment, &self.service)
    }
}

fn deliveries(rows: &Connection, asked: &Asked) -> rusqlite::Result<Deliveries> {
    let mut statement = rows.prepare_cached(
        "SELECT DISTINCT is_by_jobs, project, environment, service FROM shipment
         WHERE is_open = 0 AND (is_by_jobs = 1 OR NOT ?5) AND (?2 IS NULL OR environment = ?2 COLLATE NOCASE) AND (?3 IS NULL OR service = ?3)
           AND CASE is_by_jobs
                 WHEN 0 THEN ?1 IS NULL OR project = ?1
                 ELSE CASE WHEN ?4 IS NULL THEN ?1 IS NULL OR project = ?1
                        ELSE project IN (SELECT value FROM json_each(?4)) END
               END
         ORDER BY is_by_jobs, project, environment, service",
    )?;
    let wanted = params![
        asked.project,
        asked.environment,
        asked.service,
        asked.repositories(),
        asked.only_jobs
    ];
    let place = |row: &Row<'_>| {
        Ok(Shipped {
            is_by_jobs: row.get(0)?,
            project: row.get(1)?,
            environment: row.get(2)?,
            service: row.get(3)?,
        })
    };
    let places: Vec<Shipped> =
        statement.query_map(wanted, place)?.collect::<rusqlite::Result<_>>()?;
    // What one project calls production says nothing of how another calls it.
    let of = |it: &Shipped| (it.is_by_jobs, it.project.clone());
    let with_production: BTreeSet<_> =
        places.iter().filter(|it| is_production(&it.environment)).map(of).collect();
    let is_wanted = |it: &Shipped| {
        let is_asked = asked.environment.is_some() || is_production(&it.environment);
        let has_none = !asked.only_production && !with_production.contains(&of(it));
        let is_elsewhere =
            asked.besides.iter().any(|name| name.eq_ignore_ascii_case(&it.environment));
        (is_asked || has_none) && !is_elsewhere
    };
    let wanted: Vec<&Shipped> = places.iter().filter(|it| is_wanted(it)).collect();
    let mut found =
        Deliveries { left_out: wanted.len().saturating_sub(PLACES_MAX), ..Deliveries::default() };
    for at in wanted.into_iter().take(PLACES_MAX) {
        let shipments = shipments(rows, at, asked.window)?;
        let known = Commits {
            first: first_brought(rows, at.place(), &shipments)?,
            pushed: pushed(rows, &shipments)?,
        };
        let incidents = incidents::linked(rows, at)?;
        let met = incidents::within(rows, at, asked)?;
        let dora = dora(&shipments, &incidents, asked.window, &known);
        found.told.push(Delivery::of(at.place(), at.is_by_jobs, &dora, &met));
    }
    Ok(found)
}

/// What ended in the window or behind it, in that order.
fn shipments(rows: &Connection, of: &Shipped, window: Window) -> rusqlite::Result<Vec<Shipment>> {
    let mut statement = rows.prepare_cached(
        "SELECT stream, project, environment, service, kind, planned, verdict, version, digest,
           made_from, is_first, requested_at, began_at, reached_at, finished_at, last_seq, mends, position
         FROM shipment
         WHERE is_by_jobs = ?1 AND project = ?2 AND environment = ?3 AND service = ?4
           AND finished_at >= ?5 AND is_open = 0",
    )?;
    let (project, environment, service) = of.place();
    let since = window.since.0.cast_signed();
    let wanted = params![of.is_by_jobs, project, environment, service, since];
    let found = statement.query_map(wanted, shipment)?;
    let mut found: Vec<Shipment> = found.collect::<rusqlite::Result<_>>()?;
    found.sort_by_key(|it| (it.finished_at, it.position, it.by));
    let mut statement = rows.prepare_cached(
        "SELECT commit_id, committed_at FROM shipped
         WHERE stream = ?1 AND environment = ?2 AND service = ?3
         ORDER BY committed_at, commit_id",
    )?;
    for it in found.iter_mut().filter(|it| window.has(it.finished_at)) {
        let commit =
            |row: &Row<'_>| Ok(ShippedCommit { commit: text(row, 0)?, committed_at: at(row, 1)? });
        let wanted = params![it.stream().to_string(), it.environment, it.service];
        it.commits = statement.query_map(wanted, commit)?.collect::<rusqlite::Result<_>>()?;
        it.course = course(rows, it)?;
    }
    Ok(found)
}

fn shipment(row: &Row<'_>) -> rusqlite::Result<Shipment> {
    let mends: Option<String> = row.get(16)?;
    Ok(Shipment {
        by: by(row, 0)?,
        project: text(row, 1)?,
        environment: text(row, 2)?,
        service: text(row, 3)?,
        kind: word(row, 4)?,
        planned: row.get(5)?,
        verdict: word(row, 6)?,
        version: text(row, 7)?,
        digest: text(row, 8)?,
        commit: row.get::<_, Option<String>>(9)?.map(Into::into),
        commits: Vec::new(),
        is_first: row.get(10)?,
        requested_at: at(row, 11)?,
        began_at: maybe_at(row, 12)?,
        reached_at: maybe_at(row, 13)?,
        finished_at: at(row, 14)?,
        last_seq: Seq(row.get::<_, i64>(15)?.cast_unsigned()),
        mends: mends.map(|_| by(row, 16)).transpose()?,
        position: row.get::<_, i64>(17)?.cast_unsigned(),
        course: None,
        jobs: Vec::new(),
    })
}

/// What brought the commits of these first, in the window or before it.
fn first_brought(
    rows: &Connection,
    (project, environment, service): (&str, &str, &str),
    shipments: &[Shipment],
) -> rusqlite::Result<BTreeMap<Arc<str>, ShippedBy>> {
    let mut statement = rows.prepare_cached(
        "SELECT stream FROM brought
         WHERE project = ?1 AND environment = ?2 AND service = ?3 AND commit_id = ?4",
    )?;
    let commits: BTreeSet<&Arc<str>> =
        shipments.iter().flat_map(|it| &it.commits).map(|it| &it.commit).collect();
    let mut first = BTreeMap::new();
    for commit in commits {
        let mut found = statement.query(params![project, environment, service, commit])?;
        if let Some(row) = found.next()? {
            first.insert(Arc::clone(commit), by(row, 0)?);
        }
    }
    Ok(first)
}

type OfWorkflow = BTreeMap<(String, String), Vec<Finished>>;

fn finished(rows: &Connection, asked: &Asked) -> rusqlite::Result<OfWorkflow> {
    let mut statement = rows.prepare_cached(
        "SELECT repository, workflow, run, attempt, event, is_default_branch, is_partial,
           is_superseded, is_infra, conclusion, started_at, completed_at, last_seq, is_refused,
           max(created_at - happened_at, 0),
           NOT EXISTS (SELECT 1 FROM attempt later
                       WHERE later.run = attempt.run AND later.attempt > attempt.attempt)
         FROM attempt
         WHERE completed_at >= ?1 AND completed_at < ?2 AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
         ORDER BY completed_at DESC, run DESC, attempt DESC LIMIT ?4",
    )?;
    let Window { since, until } = asked.window;
    let mut found = statement.query(params![
        since.0.cast_signed(),
        until.0.cast_signed(),
        asked.repositories(),
        ATTEMPTS_MAX as i64
    ])?;
    let mut all = OfWorkflow::new();
    while let Some(row) = found.next()? {
        let event: String = row.get(4)?;
        let completed_at = at(row, 11)?;
        let started_at = maybe_at(row, 10)?;
        let of = all.entry((row.get(0)?, row.get(1)?)).or_default();
        of.push(Finished {
            run: RunId(row.get::<_, i64>(2)?.cast_unsigned()),
            attempt: Attempt(row.get::<_, i64>(3)?.cast_unsigned()),
            is_final: row.get(15)?,
            is_default_branch: row.get(5)?,
            is_pull_request: event.starts_with("pull_request"),
            is_partial: row.get(6)?,
            is_superseded: row.get(7)?,
            is_infra: row.get(8)?,
            is_refused: row.get(13)?,
            trigger_ms: row.get::<_, Option<i64>>(14)?.map(i64::cast_unsigned),
            conclusion: word(row, 9)?,
            time_ms: started_at.map(|since| completed_at.0.saturating_sub(since.0)),
            completed_at,
            last_seq: Seq(row.get::<_, i64>(12)?.cast_unsigned()),
        });
    }
    all.values_mut().for_each(|of| of.reverse());
    Ok(all)
}

/// Jobs that had a worker, with their repository and workflow.
fn waited(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<((String, String), Waited)>> {
    let mut statement = rows.prepare_cached(
        "SELECT job.labels, max(job.leased_at - job.ready_at, 0), repository, workflow,
           max(job.first_step_at - job.ready_at, 0)
         FROM job JOIN attempt USING (run, attempt)
         WHERE job.completed_at >= ?1 AND job.completed_at < ?2 AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
         ORDER BY job.completed_at DESC LIMIT ?4",
    )?;
    let Window { since, until } = asked.window;
    let mut found = statement.query(params![
        since.0.cast_signed(),
        until.0.cast_signed(),
        asked.repositories(),
        JOBS_MAX as i64
    ])?;
    let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let name = row.get_ref(0)?.as_str()?;
        let labels = match known.get(name) {
            Some(labels) => Arc::clone(labels),
            None => {
                let labels: Arc<str> = name.into();
                known.insert(Arc::clone(&labels));
                labels
            }
        };
        let waited = Waited {
            labels,
            wait_ms: row.get::<_, i64>(1)?.cast_unsigned(),
            start_ms: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        };
        all.push(((row.get(2)?, row.get(3)?), waited));
    }
    Ok(all)
}

/// How busy workers were with jobs of runs that are over.
fn load(rows: &Connection, asked: &Asked) -> rusqlite::Result<Load> {
    let mut statement = rows.prepare_cached(
        "SELECT job.leased_at, job.completed_at FROM job JOIN attempt USING (run, attempt)
         WHERE job.completed_at >= ?1 AND job.leased_at < ?2
           AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
         ORDER BY job.completed_at DESC LIMIT ?4",
    )?;
    let Window { since, until } = asked.window;
    let wanted = params![
        since.0.cast_signed(),
        until.0.cast_signed(),
        asked.repositories(),
        JOBS_MAX as i64
    ];
    let jobs = statement.query_map(wanted, |row| Ok((at(row, 0)?, at(row, 1)?)))?;
    let jobs: Vec<(Timestamp, Timestamp)> = jobs.collect::<rusqlite::Result<_>>()?;
    let found = busy(&jobs, asked.window);
    let span_ms = asked.window.length_ms();
    Ok(Load {
        span_ms,
        busy_ms: found.time_ms,
        average: (span_ms > 0).then(|| found.time_ms as f64 / span_ms as f64),
        peak: found.peak,
        places: None,
        share: None,
    })
}

const SLOW_JOBS: &str = "
    SELECT repository, workflow, job.name, NULL, max(job.completed_at - job.started_at, 0)
    FROM job JOIN attempt USING (run, attempt)
    WHERE job.completed_at >= ?1 AND job.completed_at < ?2 AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
      AND job.started_at IS NOT NULL AND job.conclusion = 'success' AND is_partial = 0
    ORDER BY job.completed_at DESC LIMIT ?4";
const SLOW_STEPS: &str = "
    SELECT repository, workflow, job.name, step.name, step.time_ms
    FROM step JOIN job USING (run, attempt, job) JOIN attempt USING (run, attempt)
    WHERE step.completed_at >= ?1 AND step.completed_at < ?2 AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
      AND job.conclusion = 'success' AND is_partial = 0
    ORDER BY step.completed_at DESC LIMIT ?4";

fn slow(rows: &Connection, asked: &Asked, query: &str) -> rusqlite::Result<Vec<Slow>> {
    type Key = (String, String, String, Option<String>);
    let mut statement = rows.prepare_cached(query)?;
    let Window { since, until } = asked.window;
    let mut found = statement.query(params![
        since.0.cast_signed(),
        until.0.cast_signed(),
        asked.repositories(),
        JOBS_MAX as i64
    ])?;
    let mut times: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let key = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        times.entry(key).or_default().push(row.get::<_, i64>(4)?.cast_unsigned());
    }
    let mut all: Vec<Slow> = times
        .into_iter()
        .map(|((repository, workflow, job, step), times)| {
            let spread = Spread::of(times);
            let total_ms = spread.sum();
            Slow { repository, workflow, job, step, total_ms, time: (&spread).into() }
        })
        .collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.total_ms));
    all.truncate(SLOW_MAX);
    Ok(all)
}

pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<str>> {
    Ok(row.get_ref(column)?.as_str()?.into())
}

pub(crate) fn at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp(row.get::<_, i64>(column)?.cast_unsigned()))
}

pub(crate) fn maybe_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|it| Timestamp(it.cast_unsigned())))
}

/// A word of the vocabulary, as it stands in JSON.
pub(crate) fn word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_value(Json::String(text)).map_err(|source| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(source),
        )
    })
}
