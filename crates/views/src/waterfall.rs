//! Where the time of a run went: what each job waited for and did, on one line, and which jobs made the run as
//! long as it was.
//!
//! ```text
//! planned ──gate──▶ ready ──queue──▶ leased ──set-up──▶ first step ──steps──▶ over
//!                    │ ▲
//!                    └─┴─lost: up to where it started again
//!                                               its worker is gone ──lost──▶ over
//! ```
//!
//! Legs of a matrix are one row, and a job that calls a workflow has one beside those of its inner jobs. Such a row
//! shows what the furthest of them did at each time, and counts what all of them took together: what waits between
//! them, or at a gate within, is no step of anybody. What it takes grows with the jobs of the run, and hardly faster.

use std::collections::{BTreeMap, BTreeSet};

use event::{JobKey, Timestamp};

use crate::job::JobView;
use crate::run::RunView;

/// Rows of one waterfall. Those on the critical path are among them; of the others those of
/// the run's own file first, as they began.
const ROWS_MAX: usize = 100;
/// Steps that are told of one job: those that took longest.
const STEPS_MAX: usize = 40;

/// The step in which the worker itself makes a job ready: containers, services, the workspace.
const SET_UP: &str = "__setup";

/// Where the time of a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waterfall {
    /// When the run was made.
    pub since: Timestamp,
    /// When it was over; now, where it goes on.
    pub until: Timestamp,
    /// What the run itself waited for before it began: agreement, or its concurrency group; none where it did not.
    pub waited: Option<Part>,
    /// Jobs that came so far that they were planned, in the order in which they were; inner jobs behind the one that
    /// calls them.
    pub rows: Vec<WaterfallRow>,
    /// How many more of them there are.
    pub left_out: usize,
    /// The job that ended last, before it the one of its needs that ended last, and so on; the first one first.
    /// A need that did not run stands for its own needs. What goes on ends now. It says nothing of what a job
    /// waited for besides: another job may have had its worker, or its group.
    pub critical: Vec<JobKey>,
    /// What needs what along that path: a need, and the job that needs it. Between two of the path stand the jobs that
    /// did not run, on whatever way leads from one to the other.
    pub critical_needs: BTreeSet<(JobKey, JobKey)>,
}

/// A job of a waterfall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaterfallRow {
    /// The job.
    pub job: JobKey,
    /// How many jobs it is within.
    pub depth: usize,
    /// Legs or inner jobs that have times; 0 of a job that is none but itself.
    pub legs: usize,
    /// Whether it is on the critical path.
    pub is_critical: bool,
    /// Its parts, each beginning where the one before it ends, or later where nothing was done between legs or inner
    /// jobs. Those that took no time are not there.
    pub parts: Vec<Part>,
    /// How long each kind of part took, of legs and inner jobs together.
    pub times_ms: BTreeMap<PartKind, u64>,
    /// Its longest steps, as they began; none of legs.
    pub steps: Vec<WaterfallStep>,
}

/// A part of a job's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it was.
    pub kind: PartKind,
    /// When it began.
    pub since: Timestamp,
    /// When it ended; now, where it goes on.
    pub until: Timestamp,
}

/// What a part of a job's time was. The greater is further: what is at work stands before what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// People, the clock, its concurrency group, the limit of its matrix.
    Gate,
    /// Workers had it that were lost: what they did was in vain. Or its worker is gone, and a person has not said yet
    /// what becomes of it.
    Lost,
    /// No worker was free.
    Queue,
    /// A worker had it, and none of its own steps began.
    SetUp,
    /// From its first step to its end.
    Steps,
}

/// A step of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaterfallStep {
    /// Its place among the job's steps.
    pub place: usize,
    /// When it began.
    pub since: Timestamp,
    /// When it ended; now, where it goes on.
    pub until: Timestamp,
}

impl Part {
    /// How long it took.
    pub fn time_ms(&self) -> u64 {
        self.until.0.saturating_sub(self.since.0)
    }
}

impl WaterfallRow {
    /// How long a kind of part took, of legs and inner jobs together; none where there is none.
    pub fn time_ms(&self, kind: PartKind) -> Option<u64> {
        self.times_ms.get(&kind).copied()
    }
}

/// When a job came how far.
#[derive(Clone, Copy)]
struct Course {
    begun: Timestamp,
    first_ready: Option<Timestamp>,
    ready: Option<Timestamp>,
    leased: Option<Timestamp>,
    first_step: Option<Timestamp>,
    lost: Option<Timestamp>,
    end: Timestamp,
}

impl RunView {
    /// Where its time went, up to `now` where it goes on.
    pub fn waterfall(&self, now: Timestamp) -> Waterfall {
        let courses = self.courses(now);
        let critical = self.critical(&courses);
        let is_critical: BTreeSet<&JobKey> = critical.iter().collect();
        let mut shown = self.shown(&courses);
        let all = shown.len();
        if all > ROWS_MAX {
            // Of a path of more jobs than there are rows the first ones stay.
            let mut worth: Vec<usize> = (0..all).collect();
            worth.sort_by_key(|at| {
                let (depth, job) = shown[*at];
                (!is_critical.contains(&job.key), depth, courses[&job.key].begun)
            });
            let kept: BTreeSet<usize> = worth.into_iter().take(ROWS_MAX).collect();
            shown = kept.into_iter().map(|at| shown[at]).collect();
        }
        let row = |(depth, job): &(usize, &JobView)| {
            let group = &courses[&job.key];
            WaterfallRow {
                job: job.key.clone(),
                depth: *depth,
                legs: if job.children.is_empty() { 0 } else { group.courses.len() },
                is_critical: is_critical.contains(&job.key),
                parts: group.parts(),
                times_ms: group.times_ms(),
                steps: steps(job, group.at_work_until()),
            }
        };
        let last = courses.values().map(|it| it.end).max();
        let until = self.completed_at.unwrap_or(now).max(last.unwrap_or_default());
        let since = self.header.created_at.min(until);
        let begun = self.started_at.unwrap_or(until).min(until);
        let waited = Part { kind: PartKind::Gate, since, until: begun };
        Waterfall {
            since,
            until,
            waited: (since < begun).then_some(waited),
            left_out: all - shown.len(),
            rows: shown.iter().map(row).collect(),
            critical_needs: self.needs_between(&critical, &courses),
            critical,
        }
    }

    /// How far each job came, with those that it became.
    fn courses(&self, now: Timestamp) -> BTreeMap<&JobKey, Courses> {
        let mut courses: BTreeMap<&JobKey, Courses> = BTreeMap::new();
        for job in self.jobs.iter().filter(|job| job.children.is_empty()) {
            let Some(course) = Course::of(job, now) else { continue };
            let mut within = Some(job);
            while let Some(job) = within {
                courses.entry(&job.key).or_insert_with(|| Courses::begin(&course)).add(course);
                within = job.within.as_ref().and_then(|key| self.job(key));
            }
        }
        courses
    }

    /// Jobs that have a row, with their depths: as they began, and each before those within it.
    fn shown(&self, courses: &BTreeMap<&JobKey, Courses>) -> Vec<(usize, &JobView)> {
        let has_row = |job: &&JobView| courses.contains_key(&job.key);
        let mut shown = Vec::new();
        let later_first = |jobs: &mut Vec<&JobView>| {
            jobs.sort_by_key(|job| courses[&job.key].begun);
            jobs.reverse();
        };
        let mut outer: Vec<&JobView> =
            self.jobs.iter().filter(|job| job.within.is_none()).filter(has_row).collect();
        later_first(&mut outer);
        // Last in, first out.
        let mut open: Vec<(usize, &JobView)> = outer.into_iter().map(|job| (0, job)).collect();
        while let Some((depth, job)) = open.pop() {
            shown.push((depth, job));
            let inner = job.children.iter().filter_map(|key| self.job(key)).filter(has_row);
            // Legs stand in the row of their matrix, but for those that call a workflow.
            let mut inner: Vec<&JobView> =
                inner.filter(|it| job.is_call || !it.children.is_empty()).collect();
            later_first(&mut inner);
            open.extend(inner.into_iter().map(|it| (depth + 1, it)));
        }
        shown
    }

    fn critical(&self, courses: &BTreeMap<&JobKey, Courses>) -> Vec<JobKey> {
        let ends_last = |keys: BTreeSet<&JobKey>| {
            let known = keys.into_iter().filter_map(|key| courses.get_key_value(key));
            // Of two that ended at once, the one that began later kept the run waiting.
            known.max_by_key(|(_, it)| (it.end, it.begun)).map(|(key, _)| *key)
        };
        let mut path = Vec::new();
        let mut seen = BTreeSet::new();
        let outer = self.jobs.iter().filter(|job| job.within.is_none()).map(|job| &job.key);
        let mut next = ends_last(outer.collect());
        // Needs never go in a circle; who reads a journal does not rely on that.
        while let Some(key) = next.filter(|key| seen.insert(*key)) {
            next = ends_last(self.needs_that_ran(key, courses));
            path.push(key.clone());
        }
        path.reverse();
        path
    }

    /// The needs of a job; those of a need that did not run, in its place.
    fn needs_that_ran<'v>(
        &'v self,
        job: &JobKey,
        courses: &BTreeMap<&JobKey, Courses>,
    ) -> BTreeSet<&'v JobKey> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&JobView> = self.job(job).into_iter().collect();
        while let Some(job) = open.pop() {
            let new = job.needs.iter().filter(|key| seen.insert(*key));
            open.extend(
                new.filter(|key| !courses.contains_key(*key)).filter_map(|key| self.job(key)),
            );
        }
        seen
    }
}

impl RunView {
    /// What leads from each job of a path to the next one, with the jobs between them that did not run.
    fn needs_between(
        &self,
        path: &[JobKey],
        courses: &BTreeMap<&JobKey, Courses>,
    ) -> BTreeSet<(JobKey, JobKey)> {
        let mut between = BTreeSet::new();
        for (from, to) in path.iter().zip(path.iter().skip(1)) {
            // Backwards from the later one, through what did not run; who needs what there is kept.
            let mut needed_by: BTreeMap<&JobKey, Vec<&JobKey>> = BTreeMap::new();
            let mut open: Vec<&JobView> = self.job(to).into_iter().collect();
            while let Some(job) = open.pop() {
                for need in &job.needs {
                    let is_new = !needed_by.contains_key(need);
                    needed_by.entry(need).or_default().push(&job.key);
                    let goes_on = is_new && need != from && !courses.contains_key(need);
                    open.extend(self.job(need).filter(|_| goes_on));
                }
            }
            // And forwards again: what does not come from the earlier one is on no way between them.
            let mut open = vec![from];
            while let Some(need) = open.pop() {
                for job in needed_by.get(need).into_iter().flatten() {
                    if between.insert((need.clone(), (*job).clone())) {
                        open.push(job);
                    }
                }
            }
        }
        between
    }
}

impl Course {
    /// None where it was never planned, was skipped, or was over in an attempt before.
    fn of(job: &JobView, now: Timestamp) -> Option<Course> {
        if job.skipped.is_some() || job.never_began || job.carried_from.is_some() {
            return None;
        }
        let begun = job.queued_at.or(job.ready_at)?;
        let lost_at = job.losses.last().filter(|_| job.lost).map(|loss| loss.at);
        let own = job.steps.iter().filter(|step| step.key.as_str() != SET_UP);
        let steps = own.filter_map(|step| step.started_at);
        Some(Course {
            begun,
            first_ready: job.first_ready_at,
            ready: job.ready_at,
            leased: job.leased_at,
            first_step: steps.min(),
            lost: lost_at,
            end: job.completed_at.unwrap_or(now).max(begun),
        })
    }

    fn parts(&self) -> Vec<Part> {
        let marks = [
            (PartKind::Gate, self.first_ready),
            (PartKind::Lost, self.ready),
            (PartKind::Queue, self.leased),
            (PartKind::SetUp, self.first_step),
            (PartKind::Steps, None),
        ];
        let mut parts = Vec::new();
        let mut since = self.begun;
        let mut put = |kind, until: Timestamp| {
            // A clock that was set back makes a part shorter, and none negative.
            let until = until.clamp(since, self.end.max(since));
            if since < until {
                parts.push(Part { kind, since, until });
            }
            since = until;
        };
        for (kind, until) in marks {
            put(kind, until.unwrap_or(self.lost.unwrap_or(self.end)));
            if until.is_none() {
                break;
            }
        }
        if self.lost.is_some() {
            put(PartKind::Lost, self.end);
        }
        parts
    }
}

/// Courses of a job, or of all that it became.
struct Courses {
    begun: Timestamp,
    end: Timestamp,
    courses: Vec<Course>,
}

impl Courses {
    fn begin(course: &Course) -> Courses {
        Courses { begun: course.begun, end: course.end, courses: Vec::new() }
    }

    fn add(&mut self, course: Course) {
        self.begun = self.begun.min(course.begun);
        self.end = self.end.max(course.end);
        self.courses.push(course);
    }

    /// Steps of a job whose worker is gone go on no longer than that.
    fn at_work_until(&self) -> Timestamp {
        let lost = self.courses.iter().filter_map(|it| it.lost).max();
        lost.unwrap_or(self.end)
    }

    fn times_ms(&self) -> BTreeMap<PartKind, u64> {
        let mut times = BTreeMap::new();
        for part in self.courses.iter().flat_map(Course::parts) {
            *times.entry(part.kind).or_default() += part.time_ms();
        }
        times
    }

    /// What the furthest of them did at each time.
    fn parts(&self) -> Vec<Part> {
        if let [course] = self.courses.as_slice() {
            return course.parts();
        }
        // What begins, and what ends, at each time.
        let mut turns: BTreeMap<Timestamp, Vec<(PartKind, bool)>> = BTreeMap::new();
        for part in self.courses.iter().flat_map(Course::parts) {
            turns.entry(part.since).or_default().push((part.kind, true));
            turns.entry(part.until).or_default().push((part.kind, false));
        }
        let mut open: BTreeMap<PartKind, i64> = BTreeMap::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut before: Option<(Timestamp, PartKind)> = None;
        for (at, turns) in turns {
            if let Some((since, kind)) = before {
                match parts.last_mut().filter(|it| it.kind == kind && it.until == since) {
                    Some(part) => part.until = at,
                    None => parts.push(Part { kind, since, until: at }),
                }
            }
            for (kind, begins) in turns {
                *open.entry(kind).or_default() += if begins { 1 } else { -1 };
            }
            let furthest = open.iter().filter(|(_, count)| **count > 0).map(|(kind, _)| *kind);
            before = furthest.max().map(|kind| (at, kind));
        }
        parts
    }
}

/// The longest steps of a job, without those inside of others and those beside others.
fn steps(job: &JobView, end: Timestamp) -> Vec<WaterfallStep> {
    let whole = job.steps.iter().enumerate();
    let whole = whole.filter(|(_, it)| !it.background && !it.key.as_str().contains('/'));
    let mut steps: Vec<WaterfallStep> = whole
        .filter_map(|(place, it)| {
            let since = it.started_at?.min(end);
            let until = it.completed_at.unwrap_or(end).clamp(since, end);
            (since < until).then_some(WaterfallStep { place, since, until })
        })
        .collect();
    steps.sort_by_key(|it| std::cmp::Reverse(it.until.0 - it.since.0));
    steps.truncate(STEPS_MAX);
    steps.sort_by_key(|it| it.place);
    steps
}
