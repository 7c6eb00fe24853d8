//! A job's log, for pages and for the API: opened where it lies, read by the line.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use event::{Conclusion, Status};
use views::{JobView, RunView, StepView};

use crate::app::App;
use crate::folds::{Folds, Held, Row, StepLines, Wish};
use crate::lines::{Line, LineIndex, Tail};
use crate::search::{Finder, SEARCH_TIME_MAX};
use crate::times::Times;

/// Lines of one page.
pub(crate) const PAGE_LINES: u64 = 500;
/// Lines that one request may ask for.
pub(crate) const WINDOW_LINES_MAX: u64 = 2_000;
/// Rows before a line that was asked for, so that it does not stand at the very top.
const LEAD_ROWS: usize = 20;
/// Rows before the step that failed: the folded ones that ran before it.
const LEAD_STEPS: usize = 100;
/// Errors that a page knows the lines of.
const ERRORS_SHOWN_MAX: usize = 200;
/// Lines that a search shows at once; all are counted.
const HITS_MAX: usize = 200;

/// An open log.
pub(crate) struct JobLog {
    /// What its marks are remembered by.
    name: PathBuf,
    pub(crate) file: File,
    tail: Tail,
    /// When its lines were printed.
    times: Option<File>,
}

/// Which rows of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line, with some rows before it; what holds it is open.
    Line(u64),
    /// The same, and what holds it may be shut.
    Near(u64),
    /// From a line on.
    From(u64),
    /// Those that end with a line.
    To(u64),
    /// The last.
    Tail,
    /// Where one looks first: the end of what runs, what failed, else the beginning.
    First,
}

/// Rows of a log, with the texts of their lines.
pub(crate) struct Rows {
    pub(crate) rows: Vec<ShownRow>,
    /// The first line that they show or fold away, and the one behind the last.
    pub(crate) first: u64,
    pub(crate) next: u64,
}

/// One of them.
pub(crate) struct ShownRow {
    pub(crate) row: Row,
    /// None for a step's row.
    pub(crate) line: Option<Line>,
    /// When it was printed, in milliseconds since 1970.
    pub(crate) at_ms: Option<u64>,
}

/// What was found.
pub(crate) struct Hits {
    pub(crate) lines: Vec<Line>,
    pub(crate) count: u64,
    /// How many there are before those shown.
    pub(crate) passed: u64,
    /// The line that was looked at last, where the search took too long.
    pub(crate) stopped_at: Option<u64>,
}

/// The blob of what ended, the growing file of what runs; none where nothing was written, or it is
/// gone. `aside` is the number of a background step, which has a log of its own.
pub(crate) fn open(app: &App, view: &RunView, job: &JobView, aside: Option<u32>) -> Option<JobLog> {
    let step: Option<(u32, &StepView)> = match aside {
        Some(number) => {
            let mut steps = (1..).zip(job.steps.iter().filter(|step| step.background));
            Some(steps.find(|(it, _)| *it == number)?)
        }
        None => None,
    };
    let header = &view.header;
    let path = job.fence.map(|fence| {
        let path = app.store.logs().path(header.run, header.attempt, &job.key, fence);
        step.map_or(path.clone(), |(number, _)| protocol::own_log(&path, number))
    });
    let times = path.as_deref().and_then(|path| File::open(store::Logs::times(path)).ok());
    if let Some(blob) = step.map_or(job.log.as_ref(), |(_, step)| step.own_log.as_ref()) {
        let file = app.store.blobs().get(blob).ok()?;
        return Some(JobLog {
            name: PathBuf::from(blob.to_string()),
            file,
            tail: Tail::Counts,
            times,
        });
    }
    let path = path?;
    let file = File::open(&path).ok()?;
    let tail = if job.status == Status::InProgress { Tail::Waits } else { Tail::Counts };
    Some(JobLog { name: path, file, tail, times })
}

impl JobLog {
    /// How many lines there are.
    pub(crate) fn total(&self, app: &App) -> io::Result<u64> {
        app.indexes.of(&self.name, &self.file, |index| Ok(index.lines(self.tail)))
    }

    /// The line at a place in bytes.
    pub(crate) fn line_at(&self, app: &App, byte: u64) -> io::Result<u64> {
        app.indexes.of(&self.name, &self.file, |index| index.line_at(&self.file, byte))
    }

    fn look<T>(&self, app: &App, look: impl FnOnce(&LineIndex) -> io::Result<T>) -> io::Result<T> {
        app.indexes.of(&self.name, &self.file, look)
    }

    /// The lines of the job's steps; none for a log of a background step.
    pub(crate) fn steps(&self, app: &App, job: &JobView) -> io::Result<Vec<StepLines>> {
        let total = self.total(app)?;
        let mut steps = Vec::new();
        let mut end = 0;
        for (number, step) in (1..).zip(&job.steps).filter(|(_, step)| !step.background) {
            // Steps follow one another: one that runs begins where the one before ended.
            let from = self.line_at(app, step.log.map_or(end, |range| range.start_bytes))?;
            end = step.log.map_or(end, |range| range.end_bytes);
            let to = step.log.map_or(total, |range| (from + range.lines).saturating_sub(1));
            let to = to.min(total);
            if from <= to && steps.last().is_none_or(|it: &StepLines| it.to < from) {
                let is_shut = ended_well(step);
                steps.push(StepLines { step: number, from, to, is_shut });
            }
        }
        // What is alone, and what fits on a page with nothing wrong in it, is read and not looked for.
        let is_short = total <= PAGE_LINES && steps.iter().all(|it| it.is_shut);
        if steps.len() == 1 || is_short {
            steps.iter_mut().for_each(|it| it.is_shut = false);
        }
        Ok(steps)
    }

    /// Rows of the log.
    pub(crate) fn rows(
        &self,
        app: &App,
        (job, steps): (&JobView, &[StepLines]),
        (place, count): (Place, u64),
        wish: &Wish,
    ) -> io::Result<Rows> {
        let count = usize::try_from(count.min(WINDOW_LINES_MAX)).unwrap_or(usize::MAX);
        self.look(app, |index| {
            let total = index.lines(self.tail);
            let (groups, errors) = (index.groups(), index.errors());
            let folds = Folds { steps, groups, errors, wish, total };
            let rows = placed(&folds, place_of(job, steps, place, total), count);
            let numbers: Vec<u64> = rows.iter().filter_map(|row| row.line()).collect();
            let mut lines = index.pick(&self.file, numbers)?.into_iter().peekable();
            let mut times = self.times.as_ref().map(File::try_clone).transpose()?;
            let mut times = times.take().map(Times::of).transpose()?;
            let (mut first, mut next) = (None, 1);
            let mut shown = Vec::new();
            for row in rows {
                let (from, end) = match row {
                    Row::Step { lines, is_shut: true } => (lines.from, lines.to),
                    Row::Step { lines, is_shut: false } => (lines.from, lines.from - 1),
                    Row::Group { from, to: Some(to), is_shut: true, .. } => (from, to),
                    Row::Group { from, .. } | Row::Line(from) => (from, from),
                };
                first.get_or_insert(from);
                next = end + 1;
                let line = row.line().and_then(|it| lines.next_if(|line| line.number == it));
                if row.line().is_some() && line.is_none() {
                    break;
                }
                let at_ms = match (&line, &mut times) {
                    (Some(line), Some(times)) => times.at(line.at)?,
                    _ => None,
                };
                shown.push(ShownRow { row, line, at_ms });
            }
            // Nothing where nothing is: behind the end, or in an empty log.
            let first = first.unwrap_or(match place {
                Place::From(from) => from.max(1),
                _ => 1,
            });
            Ok(Rows { rows: shown, first, next: next.max(first) })
        })
    }

    /// The lines that are errors, the first of them.
    pub(crate) fn errors(&self, app: &App) -> io::Result<Vec<u64>> {
        self.look(app, |index| Ok(index.errors().iter().copied().take(ERRORS_SHOWN_MAX).collect()))
    }

    /// Whether somebody wrote down when its lines were printed.
    pub(crate) fn has_times(&self) -> bool {
        self.times.is_some()
    }

    /// The lines from a line on that have what is looked for, the first of them shown, all counted.
    pub(crate) fn search(&self, app: &App, finder: &Finder, from: u64) -> io::Result<Hits> {
        self.search_within(app, finder, (from, HITS_MAX), SEARCH_TIME_MAX)
    }

    /// The same with so many shown, within a time.
    pub(crate) fn search_within(
        &self,
        app: &App,
        finder: &Finder,
        (from, most): (u64, usize),
        time: Duration,
    ) -> io::Result<Hits> {
        let found = finder.lines(&self.file, time)?;
        let numbers = found.numbers;
        let passed = numbers.partition_point(|it| *it < from);
        let shown = numbers[passed..].iter().copied().take(most);
        let lines = self.look(app, |index| index.pick(&self.file, shown))?;
        let (count, passed) = (numbers.len() as u64, passed as u64);
        Ok(Hits { lines, count, passed, stopped_at: found.stopped_at })
    }
}

fn ended_well(step: &StepView) -> bool {
    let bad = |it: Conclusion| !matches!(it, Conclusion::Success | Conclusion::Skipped);
    let (conclusion, outcome) = (step.conclusion, step.outcome);
    conclusion.is_some() && !conclusion.is_some_and(bad) && !outcome.is_some_and(bad)
}

/// Where one looks first, as another place.
fn place_of(job: &JobView, steps: &[StepLines], place: Place, total: u64) -> Place {
    match place {
        Place::First if job.status == Status::InProgress => Place::Tail,
        Place::First => {
            let failed = |it: &&StepLines| {
                let step = job.steps.get(it.step - 1);
                step.is_some_and(|it| it.conclusion == Some(Conclusion::Failure))
            };
            let Some(step) = steps.iter().find(failed) else { return Place::From(1) };
            // The whole step where it fits, else its last lines: what broke stands there.
            let lead = PAGE_LINES.saturating_sub(PAGE_LINES / 5);
            let is_short = step.to - step.from < lead;
            let behind = if is_short { step.from } else { step.to - lead };
            // What ran before it, folded, stands above.
            if is_short { Place::Line(behind) } else { Place::From(behind) }
        }
        Place::Line(line) => Place::Line(line.clamp(1, total.max(1))),
        Place::Near(line) => Place::Near(line.clamp(1, total.max(1))),
        Place::From(_) | Place::To(_) | Place::Tail => place,
    }
}

fn placed(folds: &Folds<'_>, place: Place, count: usize) -> Vec<Row> {
    match place {
        Place::Tail | Place::First => folds.backward(folds.total, count, Held::Nothing),
        Place::From(from) => folds.forward(from, count, Held::Begin(from)),
        Place::To(to) => folds.backward(to, count, Held::End(to)),
        Place::Line(line) | Place::Near(line) => {
            let is_asked = matches!(place, Place::Line(_));
            let held = if is_asked { Held::Line(line) } else { Held::Begin(line) };
            let is_start = folds.steps.iter().any(|it| it.from == line);
            let lead = if is_start { LEAD_STEPS } else { LEAD_ROWS };
            let mut rows = folds.backward(line - 1, lead, held);
            let rest = folds.forward(line, count.saturating_sub(rows.len()).max(1), held);
            rows.extend(rest);
            rows
        }
    }
}
