//! A job and its steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Annotation, Attempt, BlobId, BuiltImage, CancelReason, Conclusion, DeclaredJob, ExitKind,
    Fence, JobDefinition, JobKey, LogRange, RunEvent, SkipReason, Status, StepKey, Timestamp,
    WaitReason,
};
use mask::MaskedText;

use crate::gate::{self, JobGateView};

/// A job of a run, a leg of a matrix, or what one of them stands in the file as.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// The job.
    pub key: JobKey,
    /// The key under `jobs`.
    pub id: Arc<str>,
    /// Name with matrix values.
    pub name: MaskedText,
    /// The job that this is a leg or, in a called workflow, an inner job of.
    pub within: Option<JobKey>,
    /// What it became: legs or inner jobs. Such a job has no worker of its own.
    pub children: Vec<JobKey>,
    /// Whether those are inner jobs of a workflow that it calls, and no legs.
    pub is_call: bool,
    /// Jobs it needs.
    pub needs: Vec<JobKey>,
    /// `max-parallel` of its matrix.
    pub max_parallel: Option<u32>,
    /// `runs-on`
    pub labels: Vec<MaskedText>,
    /// Its time limit.
    pub timeout_minutes: Option<f64>,
    /// The environment it names.
    pub environment: Option<MaskedText>,
    /// The attempt that it ran in, where its end was carried over.
    pub carried_from: Option<Attempt>,
    /// Where it is on its way.
    pub status: Status,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Whose fault that was.
    pub exit: Option<ExitKind>,
    /// When it was planned.
    pub queued_at: Option<Timestamp>,
    /// Needs satisfied, gates passed; of one that started again, when it was to.
    pub ready_at: Option<Timestamp>,
    /// The same before its first worker was lost.
    pub first_ready_at: Option<Timestamp>,
    /// When a worker was to have it.
    pub leased_at: Option<Timestamp>,
    /// The same of every worker that was to have it, the first one first, and what its processes were known by.
    pub leases: Vec<(Timestamp, Arc<str>)>,
    /// When the worker reported.
    pub started_at: Option<Timestamp>,
    /// When it ended; none where that was carried over.
    pub completed_at: Option<Timestamp>,
    /// The newest lease.
    pub fence: Option<Fence>,
    /// What the newest worker's processes are known by.
    pub tracking_id: Option<Arc<str>>,
    /// The newest worker's process id.
    pub pid: Option<u32>,
    /// The newest worker's runner.
    pub runner: Option<Arc<str>>,
    /// What it waits for besides its needs.
    pub waiting: Option<WaitReason>,
    /// The gate of its environment, once it came there.
    pub gate: Option<JobGateView>,
    /// Why it did not run.
    pub skipped: Option<SkipReason>,
    /// Why it is stopped.
    pub cancel: Option<CancelReason>,
    /// Whether its run ended before anything was decided about it.
    pub never_began: bool,
    /// Whether its worker is gone and nothing was decided about that yet, or a person must.
    pub lost: bool,
    /// Every worker that it lost.
    pub losses: Vec<Loss>,
    /// Its steps, as they began. A job that starts again starts with none.
    pub steps: Vec<StepView>,
    /// Its annotations.
    pub annotations: Vec<AnnotationView>,
    /// Its summaries.
    pub summaries: Vec<SummaryView>,
    /// Images that its steps built.
    pub images: Vec<ImageView>,
    /// Its outputs.
    pub outputs: BTreeMap<String, MaskedText>,
    /// Its whole log, once it ended.
    pub log: Option<BlobId>,
    /// The environment's address.
    pub environment_url: Option<MaskedText>,
    /// Where each step stands in `steps`.
    step_places: BTreeMap<StepKey, usize>,
    /// Steps that began and did not end; nested ones make them more than one.
    steps_open: Vec<usize>,
}

/// A worker that was lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Its lease.
    pub fence: Fence,
    /// What is known.
    pub reason: MaskedText,
    /// When it was found out.
    pub at: Timestamp,
}

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    /// The step.
    pub key: StepKey,
    /// Its name.
    pub name: MaskedText,
    /// In progress or completed.
    pub status: Status,
    /// Before `continue-on-error`.
    pub outcome: Option<Conclusion>,
    /// After `continue-on-error`.
    pub conclusion: Option<Conclusion>,
    /// When it began; none where nobody said so.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Whether it ran beside the steps behind it.
    pub background: bool,
    /// Its lines in the job's log; those of a background step ([`JobView::background_of`]) in that
    /// step's own.
    pub log: Option<LogRange>,
    /// A background step's own log, once it ended.
    pub own_log: Option<BlobId>,
    /// The job ended or was lost before it did: nobody knows how far it came.
    pub interrupted: bool,
}

/// An annotation with the step it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationView {
    /// The step.
    pub step: Option<StepKey>,
    /// What it says.
    pub annotation: Annotation,
}

/// A summary with the step that wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryView {
    /// The step.
    pub step: StepKey,
    /// The Markdown.
    pub blob: BlobId,
}

/// An image with the step that built it.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageView {
    /// The step.
    pub step: StepKey,
    /// The image.
    pub image: BuiltImage,
}

impl JobView {
    /// A job of which nothing but its key is known.
    pub(crate) fn unplanned(key: &JobKey) -> JobView {
        JobView {
            key: key.clone(),
            id: key.as_str().into(),
            name: MaskedText::without_secrets(key.as_str()),
            within: None,
            children: Vec::new(),
            is_call: false,
            needs: Vec::new(),
            max_parallel: None,
            labels: Vec::new(),
            timeout_minutes: None,
            environment: None,
            carried_from: None,
            status: Status::Waiting,
            conclusion: None,
            exit: None,
            queued_at: None,
            ready_at: None,
            first_ready_at: None,
            leased_at: None,
            leases: Vec::new(),
            started_at: None,
            completed_at: None,
            fence: None,
            tracking_id: None,
            pid: None,
            runner: None,
            waiting: None,
            gate: None,
            skipped: None,
            cancel: None,
            never_began: false,
            lost: false,
            losses: Vec::new(),
            steps: Vec::new(),
            annotations: Vec::new(),
            summaries: Vec::new(),
            images: Vec::new(),
            outputs: BTreeMap::new(),
            log: None,
            environment_url: None,
            step_places: BTreeMap::new(),
            steps_open: Vec::new(),
        }
    }

    /// The environment that it names, as its rules call it where they were read.
    pub fn named_environment(&self) -> Option<Arc<str>> {
        let gate = self.gate.as_ref().map(|it| Arc::clone(&it.asked.environment));
        gate.or_else(|| self.environment.as_ref().map(|it| it.as_str().into()))
    }

    /// The word for people: the conclusion, else `lost`, else the status.
    pub fn state(&self) -> &'static str {
        match self.conclusion {
            Some(conclusion) => conclusion.as_str(),
            None if self.lost => "lost",
            None => self.status.as_str(),
        }
    }

    /// How long its worker had it, up to `now` where it still has. A job without a worker took no
    /// time. A clock that was set back gives 0.
    pub fn duration_ms(&self, now: Timestamp) -> Option<u64> {
        let from = self.started_at.or(self.leased_at)?;
        let lost_at = self.losses.last().filter(|_| self.lost).map(|loss| loss.at);
        Some(self.completed_at.or(lost_at).unwrap_or(now).0.saturating_sub(from.0))
    }

    /// The background step that a step is or is inside of, and the number of its own log
    /// (`protocol::own_log`).
    pub fn background_of(&self, step: &StepKey) -> Option<(u32, &StepView)> {
        let root = step.as_str().split('/').next()?;
        let aside = (1..).zip(self.steps.iter().filter(|it| it.background));
        aside.into_iter().find(|(_, it)| it.key.as_str() == root)
    }

    /// How long it was ready and no worker had it.
    pub fn queue_ms(&self, now: Timestamp) -> Option<u64> {
        let until = self.leased_at.or(self.completed_at).unwrap_or(now);
        Some(until.0.saturating_sub(self.ready_at?.0))
    }

    /// Whether something besides its needs must happen before it can go on.
    pub(crate) fn is_blocked(&self) -> bool {
        let is_gated = self.gate.as_ref().is_some_and(|gate| gate.opened_at.is_none());
        self.status == Status::Waiting && (self.waiting.is_some() || self.lost || is_gated)
    }

    /// Whether it is planned into an environment, and nothing is known of its rules.
    pub(crate) fn is_before_its_gate(&self) -> bool {
        self.environment.is_some() && self.queued_at.is_some() && self.gate.is_none()
    }

    pub(crate) fn declared(&mut self, declared: &DeclaredJob) {
        self.id = declared.id.clone();
        self.needs = declared.needs.clone();
    }

    fn planned(&mut self, definition: &JobDefinition) {
        self.id = definition.id.clone();
        self.name = definition.name.clone();
        self.needs = definition.needs.clone();
        self.environment = definition.environment.clone();
        self.labels = definition.runner.iter().flat_map(|it| it.labels.clone()).collect();
        self.timeout_minutes = definition.runner.as_ref().map(|it| it.timeout_minutes);
        self.max_parallel = definition.max_parallel;
        self.queued_at = Some(definition.queued_at);
    }

    /// The whole of what an event says about one job.
    pub(crate) fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::JobPlanned(definition) => self.planned(definition),
            RunEvent::JobSkipped { reason, at, .. } => {
                self.skipped = Some(reason.clone());
                self.end(Conclusion::Skipped, ExitKind::None, Some(*at));
            }
            RunEvent::JobWaiting { reason, .. } => {
                self.waiting = Some(reason.clone());
                self.status = Status::Waiting;
            }
            RunEvent::JobReady { at, .. } => {
                self.waiting = None;
                (self.ready_at, self.first_ready_at) = (Some(*at), Some(*at));
                self.status = Status::Queued;
            }
            RunEvent::JobLeased { fence, tracking_id, at, .. } => {
                self.waiting = None;
                self.leased_at = Some(*at);
                self.leases.push((*at, tracking_id.clone()));
                self.fence = Some(*fence);
                self.tracking_id = Some(tracking_id.clone());
                self.status = Status::InProgress;
            }
            RunEvent::JobStarted { fence, pid, runner, at, .. } => {
                self.started_at = Some(*at);
                self.fence = Some(*fence);
                self.pid = Some(*pid);
                self.runner = Some(runner.clone());
                self.status = Status::InProgress;
            }
            RunEvent::JobLost { fence, reason, at, .. } => {
                self.losses.push(Loss { fence: *fence, reason: reason.clone(), at: *at });
                self.lost = true;
                self.interrupt_steps();
                self.status = Status::Waiting;
            }
            RunEvent::JobRequeued { at, .. } => self.start_again(*at),
            RunEvent::JobGated { .. }
            | RunEvent::JobApproved { .. }
            | RunEvent::JobRejected { .. }
            | RunEvent::JobApprovalRefused { .. }
            | RunEvent::JobGateOpened { .. } => gate::apply(&mut self.gate, event),
            RunEvent::CancelRequested { reason, .. } => self.cancel = Some(reason.clone()),
            RunEvent::JobCompleted {
                conclusion, exit, outputs, log, environment_url, at, ..
            } => {
                self.outputs = outputs.clone();
                self.log = log.clone();
                self.environment_url = environment_url.clone();
                self.end(*conclusion, *exit, Some(*at));
            }
            RunEvent::MatrixCompleted { conclusion, outputs, at, .. }
            | RunEvent::CallCompleted { conclusion, outputs, at, .. } => {
                self.outputs = outputs.clone();
                self.end(*conclusion, ExitKind::None, Some(*at));
            }
            RunEvent::JobCarried { conclusion, outputs, from, .. } => {
                self.outputs = outputs.clone();
                self.carried_from = Some(*from);
                self.end(*conclusion, ExitKind::None, None);
            }
            _ => self.apply_step(event),
        }
    }

    fn apply_step(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { step, name, background, at, .. } => {
                let place = self.step_place(step);
                let view = &mut self.steps[place];
                view.name = name.clone();
                view.background = *background;
                view.started_at = Some(*at);
                self.steps_open.push(place);
            }
            RunEvent::StepCompleted { step, outcome, conclusion, log, own_log, at, .. } => {
                let place = self.step_place(step);
                let view = &mut self.steps[place];
                view.status = Status::Completed;
                view.outcome = Some(*outcome);
                view.conclusion = Some(*conclusion);
                view.log = Some(*log);
                view.own_log = own_log.clone();
                view.completed_at = Some(*at);
                self.steps_open.retain(|open| *open != place);
            }
            RunEvent::AnnotationAdded { step, annotation, .. } => {
                let (step, annotation) = (step.clone(), annotation.clone());
                self.annotations.push(AnnotationView { step, annotation });
            }
            RunEvent::SummaryWritten { step, blob, .. } => {
                self.summaries.push(SummaryView { step: step.clone(), blob: blob.clone() });
            }
            RunEvent::ImageBuilt { step, image, .. } => {
                self.images.push(ImageView { step: step.clone(), image: image.clone() });
            }
            _ => {}
        }
    }

    fn step_place(&mut self, key: &StepKey) -> usize {
        if let Some(place) = self.step_places.get(key) {
            return *place;
        }
        self.steps.push(StepView {
            key: key.clone(),
            name: MaskedText::without_secrets(key.as_str()),
            status: Status::InProgress,
            outcome: None,
            conclusion: None,
            started_at: None,
            completed_at: None,
            background: false,
            log: None,
            own_log: None,
            interrupted: false,
        });
        let place = self.steps.len() - 1;
        self.step_places.insert(key.clone(), place);
        place
    }

    fn end(&mut self, conclusion: Conclusion, exit: ExitKind, at: Option<Timestamp>) {
        self.status = Status::Completed;
        self.conclusion = Some(conclusion);
        self.exit = Some(exit);
        self.completed_at = at;
        self.waiting = None;
        self.lost = false;
        self.interrupt_steps();
    }

    /// Its run ended before it.
    pub(crate) fn never_began(&mut self, conclusion: Conclusion, at: Timestamp) {
        self.never_began = true;
        self.end(conclusion, ExitKind::None, Some(at));
    }

    fn interrupt_steps(&mut self) {
        for place in self.steps_open.drain(..) {
            self.steps[place].interrupted = true;
        }
    }

    /// From its beginning, in a fresh workspace: what the lost worker reported is not the result of
    /// the one that comes (`design` 8.2).
    fn start_again(&mut self, at: Timestamp) {
        self.status = Status::Queued;
        self.lost = false;
        self.waiting = None;
        // What it ran until its worker was lost is no queue.
        self.ready_at = Some(at);
        self.leased_at = None;
        self.started_at = None;
        self.pid = None;
        self.runner = None;
        self.steps.clear();
        self.step_places.clear();
        self.steps_open.clear();
        self.annotations.clear();
        self.summaries.clear();
        self.images.clear();
    }
}
