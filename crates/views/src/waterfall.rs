//! Where the time of a run went: what each job waited for and did, on one line, and which jobs made the run as
//! long as it was.
//!
//! ```text
//! planned ──gate──▶ ready ──queue──▶ leased ──set-up──▶ first step ──steps──▶ over
//!                    │ ▲
//!                    └─┴─lost: up to where it started again
//! ```
//!
//! Legs of a matrix and jobs of a called workflow are one row with whatever stands for them in the file, as
//! in the graph: from the first one's beginning of each part to the last one's end. What it takes grows
//! with the jobs of the run, and no faster.

use std::collections::{BTreeMap, BTreeSet};

use event::{JobKey, Timestamp};

use crate::job::JobView;
use crate::run::RunView;

/// Rows of one waterfall. Those on the critical path are among them; of the others the first that began.
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
    /// Jobs that came so far that they were planned, in the order in which they were.
    pub rows: Vec<WaterfallRow>,
    /// How many more of them there are.
    pub left_out: usize,
    /// The job that ended last, before it the one of its needs that ended last, and so on; the first one first.
    /// A need that did not run stands for its own needs. What goes on ends now. It says nothing of what a job
    /// waited for besides: another job may have had its worker, or its group.
    pub critical: Vec<JobKey>,
}

/// A job of a waterfall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaterfallRow {
    /// The job.
    pub job: JobKey,
    /// Legs or inner jobs that have times; 0 of a job that is none but itself.
    pub legs: usize,
    /// Whether it is on the critical path.
    pub is_critical: bool,
    /// Its parts, each beginning where the one before it ends. Those that took no time are not there.
    pub parts: Vec<Part>,
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

/// What a part of a job's time was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// People, the clock, its concurrency group, the limit of its matrix.
    Gate,
    /// Workers had it that were lost: what they did was in vain.
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
    /// How long a part took; none where there is none.
    pub fn time_ms(&self, kind: PartKind) -> Option<u64> {
        self.parts.iter().find(|it| it.kind == kind).map(Part::time_ms)
    }

    /// All of it.
    pub fn whole_ms(&self) -> u64 {
        self.parts.iter().map(Part::time_ms).sum()
    }
}

/// When a job came how far.
#[derive(Clone, Copy)]
struct Course {
    legs: usize,
    begun: Timestamp,
    first_ready: Option<Timestamp>,
    ready: Option<Timestamp>,
    leased: Option<Timestamp>,
    first_step: Option<Timestamp>,
    end: Timestamp,
}

impl RunView {
    /// Where its time went, up to `now` where it goes on.
    pub fn waterfall(&self, now: Timestamp) -> Waterfall {
        let courses = self.courses(now);
        let critical = self.critical(&courses);
        let is_critical: BTreeSet<&JobKey> = critical.iter().collect();
        let mut jobs: Vec<(&JobView, Course)> = self
            .jobs
            .iter()
            .filter_map(|job| courses.get(&job.key).map(|course| (job, *course)))
            .collect();
        jobs.sort_by_key(|(_, course)| course.begun);
        let mut free = ROWS_MAX.saturating_sub(is_critical.len());
        let all = jobs.len();
        jobs.retain(|(job, _)| {
            let is_kept = is_critical.contains(&job.key) || free > 0;
            free -= usize::from(is_kept && !is_critical.contains(&job.key));
            is_kept
        });
        // A path of more jobs than there are rows is cut, too.
        jobs.truncate(ROWS_MAX);
        let row = |(job, course): &(&JobView, Course)| WaterfallRow {
            job: job.key.clone(),
            legs: if job.children.is_empty() { 0 } else { course.legs },
            is_critical: is_critical.contains(&job.key),
            parts: course.parts(),
            steps: steps(job, course.end),
        };
        let last = courses.values().map(|it| it.end).max();
        let until = self.completed_at.unwrap_or(now).max(last.unwrap_or_default());
        Waterfall {
            since: self.header.created_at.min(until),
            until,
            left_out: all - jobs.len(),
            rows: jobs.iter().map(row).collect(),
            critical,
        }
    }

    /// How far each job came that stands in the run's own file.
    fn courses(&self, now: Timestamp) -> BTreeMap<&JobKey, Course> {
        let mut courses: BTreeMap<&JobKey, Course> = BTreeMap::new();
        for job in self.jobs.iter().filter(|job| job.children.is_empty()) {
            let Some(course) = Course::of(job, now) else { continue };
            let mut top = job;
            while let Some(above) = top.within.as_ref().and_then(|key| self.job(key)) {
                top = above;
            }
            courses.entry(&top.key).and_modify(|it| *it = it.with(course)).or_insert(course);
        }
        courses
    }

    fn critical(&self, courses: &BTreeMap<&JobKey, Course>) -> Vec<JobKey> {
        let ends_last = |keys: BTreeSet<&JobKey>| {
            let known = keys.into_iter().filter_map(|key| courses.get_key_value(key));
            // Of two that ended at once, the one that began later kept the run waiting.
            known.max_by_key(|(_, it)| (it.end, it.begun)).map(|(key, _)| *key)
        };
        let mut path = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next = ends_last(courses.keys().copied().collect());
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
        courses: &BTreeMap<&JobKey, Course>,
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
            legs: 1,
            begun,
            first_ready: job.first_ready_at,
            ready: job.ready_at,
            leased: job.leased_at,
            first_step: steps.min(),
            end: job.completed_at.or(lost_at).unwrap_or(now).max(begun),
        })
    }

    /// Of two legs.
    fn with(self, other: Course) -> Course {
        let first = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Course {
            legs: self.legs + other.legs,
            begun: self.begun.min(other.begun),
            first_ready: first(self.first_ready, other.first_ready),
            ready: first(self.ready, other.ready),
            leased: first(self.leased, other.leased),
            first_step: first(self.first_step, other.first_step),
            end: self.end.max(other.end),
        }
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
        for (kind, until) in marks {
            let is_last = until.is_none();
            // A clock that was set back makes a part shorter, and none negative.
            let until = until.unwrap_or(self.end).clamp(since, self.end.max(since));
            if since < until {
                parts.push(Part { kind, since, until });
            }
            since = until;
            if is_last {
                break;
            }
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
