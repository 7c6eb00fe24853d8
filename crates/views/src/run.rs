//! One attempt of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Attempt, BlobId, CancelReason, Conclusion, Fact, JobKey, RunEvent, RunId, RunRequest, Status,
    Timestamp, WaitReason,
};
use mask::MaskedText;

use crate::job::{ImageView, JobView};

/// One attempt of a run, as its events say.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// What it is about.
    pub header: RunHeader,
    /// Where it is on its way.
    pub status: Status,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// What it waits for as a whole.
    pub waiting: Option<WaitReason>,
    /// When nothing stood before its jobs any more.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Why all of it is stopped.
    pub cancel: Option<CancelReason>,
    /// Its jobs, as they were planned.
    pub jobs: Vec<JobView>,
    /// How many of them are where; what stands for its legs or inner jobs does not count.
    pub counts: JobCounts,
    /// What is accepted and not enforced.
    pub notes: Vec<Note>,
    /// Artifacts by their name; the newest where one was overwritten. Those of attempts before are not among them
    /// until they are taken in.
    pub artifacts: BTreeMap<MaskedText, ArtifactView>,
    /// What whoever drives it says of jobs that are ready: the journal does not know why they wait.
    pub waits: BTreeMap<JobKey, String>,
    /// Where each job stands in `jobs`.
    places: BTreeMap<JobKey, usize>,
    /// Jobs that only a person or somebody's end can move.
    blocked: u64,
    /// Whether a worker ever was to have one of its jobs.
    begun: bool,
}

/// What a run is about, without its files and its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHeader {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// `github.run_number`
    pub run_number: u64,
    /// `owner/name`
    pub repository: Arc<str>,
    /// Where that is on this machine.
    pub repository_path: Arc<str>,
    /// The workflow file.
    pub workflow_path: Arc<str>,
    /// Display title.
    pub title: MaskedText,
    /// The event's name.
    pub event: Arc<str>,
    /// `github.ref`
    pub git_ref: Arc<str>,
    /// Full hash of the commit.
    pub commit: Arc<str>,
    /// Files of the work tree that differ from it.
    pub uncommitted: u64,
    /// Who.
    pub actor: Arc<str>,
    /// Who re-ran it.
    pub triggering_actor: Arc<str>,
    /// Jobs whose results came from the attempt before.
    pub carried: Vec<JobKey>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How many jobs are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Ready, without a worker.
    pub queued: u64,
    /// A worker has them.
    pub in_progress: u64,
    /// Needs, a gate, a slot, a person.
    pub waiting: u64,
    /// Ended.
    pub completed: u64,
}

/// Something that is accepted and not enforced.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The job, where it is one.
    pub job: Option<JobKey>,
    /// What.
    pub note: MaskedText,
}

/// An artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct ArtifactView {
    /// The attempt in which it was uploaded ...
    pub attempt: Attempt,
    /// ... by this job.
    pub job: JobKey,
    /// The archive.
    pub blob: BlobId,
    /// Its size.
    pub size_bytes: u64,
    /// Kept until.
    pub expires_at: Timestamp,
}

impl JobCounts {
    fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Queued => &mut self.queued,
            Status::InProgress => &mut self.in_progress,
            Status::Waiting => &mut self.waiting,
            Status::Completed => &mut self.completed,
        }
    }
}

impl RunView {
    /// A run that was just made.
    pub fn new(request: &RunRequest) -> RunView {
        RunView {
            header: RunHeader::new(request),
            status: Status::Queued,
            conclusion: None,
            waiting: None,
            started_at: None,
            completed_at: None,
            cancel: None,
            jobs: Vec::new(),
            counts: JobCounts::default(),
            notes: Vec::new(),
            artifacts: BTreeMap::new(),
            waits: BTreeMap::new(),
            places: BTreeMap::new(),
            blocked: 0,
            begun: false,
        }
    }

    /// The fold of a whole stream; none if it does not begin with `RunCreated`.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Option<RunView> {
        let mut events = events.into_iter();
        let Some(RunEvent::RunCreated(request)) = events.next() else { return None };
        let mut view = RunView::new(request);
        events.for_each(|event| view.apply(event));
        Some(view)
    }

    /// Takes in the artifacts of attempts before this one, the oldest first: they belong to the run, and the newest
    /// of a name counts.
    pub fn take_artifacts(&mut self, earlier: &[RunView]) {
        let own = std::mem::take(&mut self.artifacts);
        let all = earlier.iter().flat_map(|it| it.artifacts.clone()).chain(own);
        self.artifacts = all.collect();
    }

    /// A job by its key.
    pub fn job(&self, key: &JobKey) -> Option<&JobView> {
        self.places.get(key).map(|place| &self.jobs[*place])
    }

    /// Images that its jobs built.
    pub fn images(&self) -> impl Iterator<Item = (&JobView, &ImageView)> {
        self.jobs.iter().flat_map(|job| job.images.iter().map(move |image| (job, image)))
    }

    /// Its jobs as people want to see them: legs and inner jobs below the job that they are of, each
    /// with its depth.
    pub fn in_order(&self) -> Vec<(usize, &JobView)> {
        let mut order = Vec::with_capacity(self.jobs.len());
        // Last in, first out: children are put on in reverse, so the first comes off first.
        let outer = self.jobs.iter().rev().filter(|job| job.within.is_none());
        let mut waiting: Vec<(usize, &JobView)> = outer.map(|job| (0, job)).collect();
        while let Some((depth, job)) = waiting.pop() {
            order.push((depth, job));
            let children = job.children.iter().rev().filter_map(|child| self.job(child));
            waiting.extend(children.map(|child| (depth + 1, child)));
        }
        order
    }

    /// The word for people: the conclusion, else the status.
    pub fn state(&self) -> &'static str {
        self.conclusion.map_or(self.status.as_str(), Conclusion::as_str)
    }

    /// How long it took since its start, up to `now` where it goes on. A clock that was set
    /// back gives 0.
    pub fn duration_ms(&self, now: Timestamp) -> Option<u64> {
        Some(self.completed_at.unwrap_or(now).0.saturating_sub(self.started_at?.0))
    }

    /// Takes the next event.
    pub fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::RunCreated(request) => self.header = RunHeader::new(request),
            RunEvent::RunCompleted { conclusion, at } => {
                self.waiting = None;
                self.conclusion = Some(*conclusion);
                self.completed_at = Some(*at);
                self.end_what_never_began(*conclusion, *at);
            }
            RunEvent::CancelRequested { job: None, reason, .. } => {
                self.cancel = Some(reason.clone());
            }
            RunEvent::NotEnforced { job, note } => {
                self.notes.push(Note { job: job.clone(), note: note.clone() });
            }
            RunEvent::ArtifactUploaded { job, name, blob, size_bytes, expires_at } => {
                let artifact = ArtifactView {
                    attempt: self.header.attempt,
                    job: job.clone(),
                    blob: blob.clone(),
                    size_bytes: *size_bytes,
                    expires_at: *expires_at,
                };
                self.artifacts.insert(name.clone(), artifact);
            }
            RunEvent::RunWaiting { reason, .. } => self.waiting = Some(reason.clone()),
            RunEvent::RunStarted { at } => {
                self.waiting = None;
                self.started_at = Some(*at);
            }
            RunEvent::JobsDeclared { parent, jobs, .. } => {
                for declared in jobs {
                    let place = self.place(&declared.key);
                    self.jobs[place].declared(declared);
                }
                if let Some(parent) = parent {
                    self.expand(parent, jobs.iter().map(|job| job.key.clone()).collect());
                    let place = self.place(parent);
                    self.jobs[place].is_call = true;
                }
            }
            RunEvent::JobExpanded { job, children } => self.expand(job, children.clone()),
            // Everything else is about one job.
            _ => match event.job() {
                Some(job) => self.apply_to_job(job, event),
                None => debug_assert!(false, "{} is about the run", event.kind()),
            },
        }
        self.status = self.status_now();
    }

    fn apply_to_job(&mut self, key: &JobKey, event: &RunEvent) {
        let place = self.place(key);
        let job = &mut self.jobs[place];
        let (before, blocked) = (job.status, job.is_blocked());
        job.apply(event);
        self.begun |= matches!(event, RunEvent::JobLeased { .. });
        self.blocked -= u64::from(blocked);
        self.blocked += u64::from(job.is_blocked());
        self.moved(place, before);
    }

    /// A run that ended before its turn decided nothing about its jobs; neither does anybody any more.
    fn end_what_never_began(&mut self, run: Conclusion, at: Timestamp) {
        let conclusion = match run {
            Conclusion::Cancelled | Conclusion::TimedOut => Conclusion::Cancelled,
            _ => Conclusion::Skipped,
        };
        for place in 0..self.jobs.len() {
            let job = &mut self.jobs[place];
            if job.conclusion.is_some() {
                continue;
            }
            let (before, blocked) = (job.status, job.is_blocked());
            job.never_began(conclusion, at);
            self.blocked -= u64::from(blocked);
            self.moved(place, before);
        }
    }

    fn moved(&mut self, place: usize, before: Status) {
        let job = &self.jobs[place];
        if job.children.is_empty() && before != job.status {
            *self.counts.of(before) -= 1;
            *self.counts.of(job.status) += 1;
        }
    }

    /// A job became legs or inner jobs: it counts no more, they do.
    fn expand(&mut self, key: &JobKey, children: Vec<JobKey>) {
        for child in &children {
            let place = self.place(child);
            self.jobs[place].within = Some(key.clone());
        }
        let place = self.place(key);
        let job = &mut self.jobs[place];
        if job.children.is_empty() && !children.is_empty() {
            *self.counts.of(job.status) -= 1;
        }
        self.blocked -= u64::from(job.is_blocked());
        job.children = children;
        job.waiting = None;
        if job.conclusion.is_none() {
            job.status = Status::InProgress;
        }
    }

    fn place(&mut self, key: &JobKey) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let job = JobView::unplanned(key);
        *self.counts.of(job.status) += 1;
        self.jobs.push(job);
        self.places.insert(key.clone(), self.jobs.len() - 1);
        self.jobs.len() - 1
    }

    /// Waiting is a run of which nothing goes on and nothing could: a person or another run must act.
    fn status_now(&self) -> Status {
        let JobCounts { queued, in_progress, completed, .. } = self.counts;
        if self.conclusion.is_some() {
            Status::Completed
        } else if self.waiting.is_some() {
            Status::Waiting
        } else if in_progress > 0 || (queued > 0 && (self.begun || completed > 0)) {
            Status::InProgress
        } else if queued > 0 {
            Status::Queued
        } else if self.blocked > 0 {
            Status::Waiting
        } else if completed > 0 {
            Status::InProgress
        } else {
            Status::Queued
        }
    }
}

impl RunHeader {
    fn new(request: &RunRequest) -> RunHeader {
        RunHeader {
            run: request.run,
            attempt: request.attempt,
            run_number: request.run_number,
            repository: request.repository.clone(),
            repository_path: request.repository_path.clone(),
            workflow_path: request.workflow.path.clone(),
            title: request.title.clone(),
            event: request.event.name.clone(),
            git_ref: request.event.git_ref.clone(),
            commit: request.change.commit.clone(),
            uncommitted: request.change.uncommitted,
            actor: request.actor.clone(),
            triggering_actor: request.triggering_actor.clone(),
            carried: request.carried.clone(),
            created_at: request.at,
        }
    }
}
