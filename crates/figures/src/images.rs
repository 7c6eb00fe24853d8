//! Images that runs built: how large, how long it took, and what that was before.
//!
//! An image is known from run to run by its job, its name without a tag, its platform, and what its size is of; of
//! several that have all the same, by which one of them it is. Tags say which commit it is, and are new each time.

use std::collections::{BTreeMap, BTreeSet};

use event::{Attempt, BuiltImage, ImageSize, JobKey, RunId, SizeOf, StreamId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use store::Store;
use views::{AttemptFacts, RunView, Window};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::query::{Asked, at};

/// Images of one attempt that are counted.
const IMAGES_MAX: usize = 200;
/// Images of one answer: those that were built last.
const SERIES_MAX: usize = 50;
/// Runs of one of them: the newest.
const RUNS_MAX: usize = 30;

/// The images of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImages {
    /// The newest run of the default branch before it that built an image.
    pub compared_with: Option<(RunId, Attempt)>,
    /// In the order in which they were built.
    pub images: Vec<RunImage>,
}

/// An image of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunImage {
    /// The job that built it.
    pub job: String,
    /// In which step.
    pub step: String,
    /// Its names with their tags.
    pub names: Vec<String>,
    /// What the engine knows it by.
    pub id: Option<String>,
    /// What a registry knows it by.
    pub digest: Option<String>,
    /// `linux/amd64`
    pub platform: Option<String>,
    /// How large it is; none where nobody knows.
    pub size_bytes: Option<u64>,
    /// Of what that is: `unpacked` or `compressed`.
    pub size_of: Option<String>,
    /// How long it took to build.
    pub build_ms: Option<u64>,
    /// How large it was in the run that this one is compared with.
    pub size_before_bytes: Option<u64>,
    /// How long it took there.
    pub build_before_ms: Option<u64>,
}

/// An image that a run is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptImage {
    /// Its names with their tags.
    pub names: Vec<String>,
    /// How large it is; none where nobody knows.
    pub size: Option<ImageSize>,
}

/// An image of the default branch's newest runs, 30 at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSeries {
    /// `owner/name`
    pub repository: String,
    /// The workflow file.
    pub workflow: String,
    /// The job.
    pub job: String,
    /// Its name without a tag; empty where it has none.
    pub image: String,
    /// Which of several that are otherwise the same, from 1.
    pub nth: u64,
    /// `linux/amd64`; empty where nobody says.
    pub platform: String,
    /// Of what its size is: `unpacked` or `compressed`; empty where nobody knows it.
    pub size_of: String,
    /// In the order in which they ended.
    pub runs: Vec<ImageRun>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRun {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// What it ran.
    pub commit: String,
    /// When it ended.
    pub completed_at_ms: Timestamp,
    /// How large the image is.
    pub size_bytes: Option<u64>,
    /// How long it took to build.
    pub build_ms: Option<u64>,
}

impl ImageSeries {
    /// `octo/app #2 (linux/amd64), compressed`
    pub fn title(&self) -> String {
        let name = if self.image.is_empty() { "an image without a name" } else { &self.image };
        let nth = if self.nth > 1 { format!(" #{}", self.nth) } else { String::new() };
        let platform = match &*self.platform {
            "" => String::new(),
            platform => format!(" ({platform})"),
        };
        let size_of = match &*self.size_of {
            "" => String::new(),
            size_of => format!(", {size_of}"),
        };
        format!("{name}{nth}{platform}{size_of}")
    }

    /// `job build of ci.yml, octo/app`
    pub fn place(&self) -> String {
        format!("job {} of {}, {}", self.job, self.workflow, self.repository)
    }
}

/// By what an image is known from run to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    job: String,
    repository: String,
    platform: String,
    size_of: String,
    nth: i64,
}

/// Counts what there is more than once.
#[derive(Default)]
struct Counter(BTreeMap<[String; 4], i64>);

impl Counter {
    fn known(&mut self, job: &str, it: &BuiltImage) -> Known {
        let job = job.to_owned();
        let repository = it.repository().unwrap_or_default().to_owned();
        let platform = it.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        let size_of = it.size.map_or("", |size| size.of.as_str()).to_owned();
        let parts = [job.clone(), repository.clone(), platform.clone(), size_of.clone()];
        let nth = self.0.entry(parts).and_modify(|nth| *nth += 1).or_insert(1);
        Known { job, repository, platform, size_of, nth: *nth }
    }
}

/// Puts the images of an attempt into rows, in place of what stands there.
pub(crate) fn take(rows: &Connection, facts: &AttemptFacts) -> rusqlite::Result<()> {
    let (run, attempt) = (facts.run.0.cast_signed(), facts.attempt.0.cast_signed());
    rows.prepare_cached("DELETE FROM image WHERE run = ?1 AND attempt = ?2")?
        .execute([run, attempt])?;
    let mut statement = rows.prepare_cached(
        "INSERT INTO image (run, attempt, number, job, repository, platform, size_of, nth, names,
           bytes, build_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let mut counter = Counter::default();
    for (number, it) in facts.images.iter().take(IMAGES_MAX).enumerate() {
        let known = counter.known(it.job.as_str(), &it.image);
        let names = serde_json::to_string(&it.image.names).expect("names are plain text");
        statement.execute(params![
            run,
            attempt,
            number as i64,
            known.job,
            known.repository,
            known.platform,
            known.size_of,
            known.nth,
            names,
            it.image.size.and_then(|it| i64::try_from(it.bytes).ok()),
            it.image.build_ms.map(u64::cast_signed),
        ])?;
    }
    Ok(())
}

impl Figures {
    /// The images that a run built, with what they were in the run that it is compared with, once it is over.
    ///
    /// # Errors
    /// When the journal or the file does not answer.
    pub fn run_images(&self, store: &Store, view: &RunView) -> Result<RunImages, FiguresError> {
        let mut told = RunImages::default();
        let mut counter = Counter::default();
        let mut known = Vec::new();
        for (job, it) in view.images() {
            known.push(counter.known(job.key.as_str(), &it.image));
            told.images.push(RunImage::of(job.key.as_str(), it));
        }
        if told.images.is_empty() || view.conclusion.is_none() {
            return Ok(told);
        }
        let (run, attempt) = (view.header.run, view.header.attempt);
        self.take_if_new(store, StreamId::Run(run, attempt))?;
        let rows = self.reader();
        let mut compare = || {
            let Some(base) = base(&rows, [run.0.cast_signed(), attempt.0.cast_signed()])? else {
                return Ok(());
            };
            told.compared_with =
                Some((RunId(base[0].cast_unsigned()), Attempt(base[1].cast_unsigned())));
            let before = of_attempt(&rows, base)?;
            for (it, known) in told.images.iter_mut().zip(&known) {
                let before = before.get(known).copied().unwrap_or_default();
                (it.size_before_bytes, it.build_before_ms) = before;
            }
            Ok(())
        };
        compare().map_err(|source| self.failed(source))?;
        Ok(told)
    }

    /// The images of an attempt, and of the attempts in which its other jobs ran: all are of one commit. What was
    /// not taken in yet is, now.
    ///
    /// # Errors
    /// When the journal or the file does not answer.
    pub fn images_kept(
        &self,
        store: &Store,
        view: &RunView,
    ) -> Result<Vec<KeptImage>, FiguresError> {
        let run = view.header.run;
        let carried = view.jobs.iter().filter_map(|job| Some((job.carried_from?, &job.key)));
        let carried: BTreeSet<(Attempt, &JobKey)> = carried.collect();
        let before: BTreeSet<Attempt> = carried.iter().map(|(attempt, _)| *attempt).collect();
        let mut kept = Vec::new();
        for attempt in before.into_iter().chain([view.header.attempt]) {
            self.take_if_new(store, StreamId::Run(run, attempt))?;
            let counts =
                |job: &JobKey| attempt == view.header.attempt || carried.contains(&(attempt, job));
            let key = [run.0.cast_signed(), attempt.0.cast_signed()];
            let found = kept_by(&self.reader(), key).map_err(|source| self.failed(source))?;
            kept.extend(found.into_iter().filter(|(job, _)| counts(job)).map(|(_, it)| it));
        }
        Ok(kept)
    }

    /// Whether the run that an attempt is compared with built an image.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn had_images(&self, stream: StreamId) -> Result<bool, FiguresError> {
        let Some((run, attempt)) = stream.as_run() else { return Ok(false) };
        let found = base(&self.reader(), [run.0.cast_signed(), attempt.0.cast_signed()]);
        found.map(|it| it.is_some()).map_err(|source| self.failed(source))
    }

    /// How large the images of the default branch's newest runs are, and how long each took, image by image.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn image_series(&self, asked: &Asked) -> Result<Vec<ImageSeries>, FiguresError> {
        series(&self.reader(), asked).map_err(|source| self.failed(source))
    }
}

impl RunImage {
    fn of(job: &str, it: &views::ImageView) -> RunImage {
        let image = &it.image;
        let text = |it: &std::sync::Arc<str>| it.to_string();
        RunImage {
            job: job.to_owned(),
            step: it.step.to_string(),
            names: image.names.iter().map(ToString::to_string).collect(),
            id: image.id.as_ref().map(text),
            digest: image.digest.as_ref().map(text),
            platform: image.platform.as_ref().map(ToString::to_string),
            size_bytes: image.size.map(|it| it.bytes),
            size_of: image.size.map(|it| it.of.as_str().to_owned()),
            build_ms: image.build_ms,
            size_before_bytes: None,
            build_before_ms: None,
        }
    }
}

fn kept_by(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Vec<(JobKey, KeptImage)>> {
    let mut statement = rows.prepare_cached(
        "SELECT job, names, bytes, size_of FROM image WHERE run = ?1 AND attempt = ?2
         ORDER BY number",
    )?;
    let found = statement.query_map(key, |row| {
        let names: String = row.get(1)?;
        let bytes: Option<i64> = row.get(2)?;
        let of = match row.get_ref(3)?.as_str()? {
            "unpacked" => Some(SizeOf::Unpacked),
            "compressed" => Some(SizeOf::Compressed),
            _ => None,
        };
        let size = bytes.zip(of).map(|(bytes, of)| ImageSize { bytes: bytes.cast_unsigned(), of });
        // Ours, and written as such.
        let names = serde_json::from_str(&names).unwrap_or_default();
        Ok((JobKey::new(row.get::<_, String>(0)?), KeptImage { names, size }))
    })?;
    found.collect()
}

/// The newest attempt of the default branch before this one that built an image.
fn base(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Option<[i64; 2]>> {
    let mut statement = rows.prepare_cached(
        "SELECT base.run, base.attempt FROM attempt AS base
         JOIN attempt AS here ON here.run = ?1 AND here.attempt = ?2
         WHERE base.repository = here.repository AND base.workflow = here.workflow
           AND base.is_default_branch = 1 AND base.is_partial = 0 AND base.run <> here.run
           AND base.completed_at <= here.completed_at
           AND EXISTS (SELECT 1 FROM image
                       WHERE image.run = base.run AND image.attempt = base.attempt)
         ORDER BY base.completed_at DESC, base.run DESC, base.attempt DESC LIMIT 1",
    )?;
    statement.query_row(key, |row| Ok([row.get(0)?, row.get(1)?])).optional()
}

/// How large, and how long it took to build.
type Measures = (Option<u64>, Option<u64>);

fn of_attempt(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<BTreeMap<Known, Measures>> {
    let mut statement = rows.prepare_cached(
        "SELECT job, repository, platform, size_of, nth, bytes, build_ms FROM image
         WHERE run = ?1 AND attempt = ?2",
    )?;
    let found = statement.query_map(key, |row| Ok((known(row)?, measures(row, 5)?)))?;
    found.collect()
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        job: row.get(0)?,
        repository: row.get(1)?,
        platform: row.get(2)?,
        size_of: row.get(3)?,
        nth: row.get(4)?,
    })
}

fn measures(row: &Row<'_>, first: usize) -> rusqlite::Result<Measures> {
    let number =
        |column: usize| row.get::<_, Option<i64>>(column).map(|it| it.map(i64::cast_unsigned));
    Ok((number(first)?, number(first + 1)?))
}

/// Those that were built in the window. Of several attempts of a run the newest counts that built the image.
fn series(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<ImageSeries>> {
    let Window { since, until } = asked.window;
    let mut statement = rows.prepare_cached(
        "WITH built AS (
           SELECT image.*, attempt.repository AS of, workflow, commit_id, completed_at,
             row_number() OVER (
               PARTITION BY attempt.repository, workflow, job, image.repository, platform, size_of, nth
               ORDER BY completed_at DESC, image.run DESC) AS age
           FROM image JOIN attempt USING (run, attempt)
           WHERE is_default_branch = 1 AND is_partial = 0
             AND completed_at >= ?1 AND completed_at < ?2
             AND (?3 IS NULL OR attempt.repository IN (SELECT value FROM json_each(?3)))
             AND NOT EXISTS (SELECT 1 FROM image AS later
                             WHERE later.run = image.run AND later.attempt > image.attempt
                               AND later.job = image.job AND later.repository = image.repository
                               AND later.platform = image.platform
                               AND later.size_of = image.size_of AND later.nth = image.nth))
         SELECT job, repository, platform, size_of, nth, bytes, build_ms, of, workflow, run, attempt,
           commit_id, completed_at
         FROM built WHERE age <= ?4 ORDER BY completed_at DESC, run DESC, number",
    )?;
    let (since, until) = (since.0.cast_signed(), until.0.cast_signed());
    let wanted = params![since, until, asked.repositories(), RUNS_MAX as i64];
    let mut found = statement.query(wanted)?;
    let mut all: BTreeMap<(String, String, Known), Vec<ImageRun>> = BTreeMap::new();
    while let Some(row) = found.next()? {
        let key = (row.get(7)?, row.get(8)?, known(row)?);
        // Whatever is new here was built longer ago than all that is known.
        if all.len() < SERIES_MAX || all.contains_key(&key) {
            all.entry(key).or_default().push(image_run(row)?);
        }
    }
    let of = |((repository, workflow, known), mut runs): ((String, String, Known), Vec<_>)| {
        runs.reverse();
        ImageSeries {
            repository,
            workflow,
            job: known.job,
            image: known.repository,
            nth: known.nth.cast_unsigned(),
            platform: known.platform,
            size_of: known.size_of,
            runs,
        }
    };
    Ok(all.into_iter().map(of).collect())
}

fn image_run(row: &Row<'_>) -> rusqlite::Result<ImageRun> {
    let (size_bytes, build_ms) = measures(row, 5)?;
    Ok(ImageRun {
        run: RunId(row.get::<_, i64>(9)?.cast_unsigned()),
        attempt: Attempt(row.get::<_, i64>(10)?.cast_unsigned()),
        commit: row.get(11)?,
        completed_at_ms: at(row, 12)?,
        size_bytes,
        build_ms,
    })
}
