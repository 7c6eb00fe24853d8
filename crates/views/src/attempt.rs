//! What the numbers need of an attempt of a run that is over: its own line, and one for each of its
//! jobs and of its longer steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Attempt, BuiltImage, CancelReason, Conclusion, Envelope, ExitKind, JobKey, RunEvent, RunId,
    Seq, StepKey, StreamId, Timestamp,
};
use mask::MaskedText;

use crate::happened::happened_at;

/// Shorter steps are not looked at one by one: there are many, and nobody wins anything there.
const STEP_MS_MIN: u64 = 1_000;

/// An attempt of a run that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptFacts {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// `owner/name`
    pub repository: Arc<str>,
    /// The workflow file.
    pub workflow: Arc<str>,
    /// The event's name.
    pub event: Arc<str>,
    /// `github.ref`
    pub git_ref: Arc<str>,
    /// It ran what was pushed to the default branch, all of it.
    pub is_default_branch: bool,
    /// It ran files that are in no commit, or only a part of the jobs.
    pub is_partial: bool,
    /// The commit.
    pub commit: Arc<str>,
    /// When its event happened, as the forge's payload says; of later attempts nobody says it.
    pub happened_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When nothing stood before its jobs any more.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Timestamp,
    /// How it ended.
    pub conclusion: Conclusion,
    /// A newer run took its place.
    pub is_superseded: bool,
    /// One of its jobs failed for what is around it: a lost worker, the set-up, the disk.
    pub is_infra: bool,
    /// What failed of it is nothing but jobs that a gate let nobody run: somebody said no, or a rule did.
    pub is_refused: bool,
    /// Its jobs that had a worker, in the order in which they came to an end.
    pub jobs: Vec<JobFacts>,
    /// Artifacts that it kept, newest last.
    pub artifacts: Vec<KeptArtifact>,
    /// Images that its jobs built.
    pub images: Vec<ImageFacts>,
    /// The event that says how it ended.
    pub last_seq: Seq,
}

/// An image that was built.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFacts {
    /// By which job.
    pub job: JobKey,
    /// The image.
    pub image: BuiltImage,
}

/// A job of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct JobFacts {
    /// Which.
    pub job: JobKey,
    /// Its name.
    pub name: MaskedText,
    /// What it asked of its runner.
    pub labels: String,
    /// When it could have begun.
    pub ready_at: Timestamp,
    /// When a worker was to have it.
    pub leased_at: Timestamp,
    /// When the worker began.
    pub started_at: Option<Timestamp>,
    /// When its first step began: the first process of its own a moment later.
    pub first_step_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Timestamp,
    /// How it ended.
    pub conclusion: Conclusion,
    /// Whose fault that was.
    pub exit: ExitKind,
    /// The event of its lease.
    pub leased_seq: Seq,
    /// The event of its end.
    pub last_seq: Seq,
    /// Its longer steps.
    pub steps: Vec<StepFacts>,
}

/// A step that took a while.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFacts {
    /// Its name.
    pub name: MaskedText,
    /// How long it took.
    pub time_ms: u64,
}

/// An artifact that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptArtifact {
    /// By which job.
    pub job: JobKey,
    /// Its name.
    pub name: MaskedText,
    /// The archive.
    pub blob: event::BlobId,
    /// Its size.
    pub size_bytes: u64,
}

impl AttemptFacts {
    /// The fold of a stream; none where it is not over, or does not begin with a run.
    pub fn of(events: &[Envelope]) -> Option<AttemptFacts> {
        let (first, last) = (events.first()?, events.last()?);
        let RunEvent::RunCreated(request) = &first.event else { return None };
        let end = events.iter().find_map(|it| match &it.event {
            RunEvent::RunCompleted { conclusion, at } => Some((*conclusion, *at)),
            _ => None,
        });
        let (conclusion, completed_at) = end?;
        let mut jobs = Jobs::default();
        let (mut started_at, mut is_superseded) = (None, false);
        let (mut artifacts, mut images) = (Vec::new(), Vec::new());
        for envelope in events {
            match &envelope.event {
                RunEvent::RunStarted { at } => started_at = Some(*at),
                RunEvent::CancelRequested { job: None, reason, .. } => {
                    is_superseded |= matches!(reason, CancelReason::Concurrency { .. });
                }
                RunEvent::ArtifactUploaded { job, name, blob, size_bytes, .. } => {
                    artifacts.retain(|it: &KeptArtifact| it.name != *name);
                    artifacts.push(KeptArtifact {
                        job: job.clone(),
                        name: name.clone(),
                        blob: blob.clone(),
                        size_bytes: *size_bytes,
                    });
                }
                RunEvent::ImageBuilt { job, image, .. } => {
                    images.push(ImageFacts { job: job.clone(), image: image.clone() });
                }
                event => {
                    if let RunEvent::JobRequeued { job, .. } = event {
                        // It builds them anew.
                        images.retain(|it| it.job != *job);
                    }
                    jobs.take(envelope.seq, event);
                }
            }
        }
        let is_partial = request.change.uncommitted > 0 || !request.selection.is_everything();
        let is_infra = jobs
            .over
            .iter()
            .any(|it| matches!(it.exit, ExitKind::InfraFailure | ExitKind::LostRunner));
        Some(AttemptFacts {
            run: request.run,
            attempt: request.attempt,
            repository: Arc::clone(&request.repository),
            workflow: Arc::clone(&request.workflow.path),
            event: Arc::clone(&request.event.name),
            git_ref: Arc::clone(&request.event.git_ref),
            is_default_branch: is_default_branch(request),
            is_partial,
            commit: Arc::clone(&request.change.commit),
            happened_at: Some(request)
                .filter(|it| it.attempt == Attempt(1))
                .and_then(|it| happened_at(&it.event.name, &it.event.payload)),
            created_at: request.at,
            started_at,
            completed_at,
            conclusion,
            is_superseded,
            is_infra,
            is_refused: conclusion != Conclusion::Success && jobs.are_only_refused(),
            jobs: jobs.over,
            artifacts,
            images,
            last_seq: last.seq,
        })
    }

    /// The stream that it was told by.
    pub fn stream(&self) -> StreamId {
        StreamId::Run(self.run, self.attempt)
    }

    /// How long it ran.
    pub fn time_ms(&self) -> Option<u64> {
        Some(self.completed_at.0.saturating_sub(self.started_at?.0))
    }
}

/// GitHub's payload names the default branch; where it does not, its usual names count.
fn is_default_branch(request: &event::RunRequest) -> bool {
    let Some(branch) = request.event.git_ref.strip_prefix("refs/heads/") else { return false };
    let is_it = match request.event.default_branch() {
        Some(name) => name == branch,
        None => matches!(branch, "main" | "master"),
    };
    is_it && !request.event.name.starts_with("pull_request")
}

#[derive(Default)]
struct Jobs {
    open: BTreeMap<JobKey, Open>,
    over: Vec<JobFacts>,
    /// Jobs that failed at their gates, and all others that did and were not to be passed over.
    refused: usize,
    failed: usize,
}

#[derive(Clone, Default)]
struct Open {
    name: Option<MaskedText>,
    labels: String,
    ready_at: Option<Timestamp>,
    leased: Option<(Timestamp, Seq)>,
    started_at: Option<Timestamp>,
    first_step_at: Option<Timestamp>,
    began: BTreeMap<StepKey, (MaskedText, Timestamp)>,
    steps: Vec<StepFacts>,
    is_passed_over: bool,
}

impl Jobs {
    fn take(&mut self, seq: Seq, event: &RunEvent) {
        let Some(key) = event.job() else { return };
        let job = self.open.entry(key.clone()).or_default();
        match event {
            RunEvent::JobPlanned(definition) => {
                job.name = Some(definition.name.clone());
                job.is_passed_over = definition.continue_on_error;
                let labels = definition.runner.iter().flat_map(|it| &it.labels);
                job.labels = labels.map(MaskedText::as_str).collect::<Vec<_>>().join(", ");
            }
            // One that was lost waits anew: what it ran until then is no queue.
            RunEvent::JobReady { at, .. } | RunEvent::JobRequeued { at, .. } => {
                job.ready_at = Some(*at);
            }
            RunEvent::JobLeased { at, .. } => {
                // What an earlier worker did of it was in vain.
                (job.leased, job.started_at) = (Some((*at, seq)), None);
                job.first_step_at = None;
                (job.began, job.steps) = (BTreeMap::new(), Vec::new());
            }
            RunEvent::JobStarted { at, .. } => job.started_at = Some(*at),
            RunEvent::StepStarted { step, name, at, .. } => {
                job.first_step_at = job.first_step_at.or(Some(*at));
                job.began.insert(step.clone(), (name.clone(), *at));
            }
            RunEvent::StepCompleted { step, at, .. } => {
                if let Some((name, since)) = job.began.remove(step) {
                    let time_ms = at.0.saturating_sub(since.0);
                    if time_ms >= STEP_MS_MIN {
                        job.steps.push(StepFacts { name, time_ms });
                    }
                }
            }
            RunEvent::JobCompleted { conclusion, exit, at, .. } => {
                let job = std::mem::take(job);
                if is_failure(*conclusion) && !job.is_passed_over {
                    // A gate ends a job before a worker has it.
                    let is_refused = job.leased.is_none() && *exit == ExitKind::Cancelled;
                    self.refused += usize::from(is_refused);
                    self.failed += usize::from(!is_refused);
                }
                // One that never had a worker says nothing about workers.
                if let (Some(ready_at), Some((leased_at, leased_seq))) = (job.ready_at, job.leased)
                {
                    self.over.push(JobFacts {
                        job: key.clone(),
                        name: job.name.unwrap_or_else(|| MaskedText::without_secrets(key.as_str())),
                        labels: job.labels,
                        ready_at,
                        leased_at,
                        started_at: job.started_at,
                        first_step_at: job.first_step_at,
                        completed_at: *at,
                        conclusion: *conclusion,
                        exit: *exit,
                        leased_seq,
                        last_seq: seq,
                        steps: job.steps,
                    });
                }
            }
            RunEvent::JobCarried { conclusion, .. } if is_failure(*conclusion) => self.failed += 1,
            _ => {}
        }
    }

    fn are_only_refused(&self) -> bool {
        self.refused > 0 && self.failed == 0
    }
}

fn is_failure(conclusion: Conclusion) -> bool {
    matches!(conclusion, Conclusion::Failure | Conclusion::TimedOut)
}
