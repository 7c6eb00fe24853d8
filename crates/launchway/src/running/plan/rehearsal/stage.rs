//! A run played through without a worker: the machine decides as it would, every job is answered
//! with success, and what hangs on answers that nobody has yet is marked.
//!
//! ```text
//!   what is due ──decide, as written──────────────▶ events ─┐
//!       │                                                    ├─▶ what is noted, and folded on
//!       └─────decide, every condition `always()`─▶ events ─┘
//!                 (only for jobs whose condition is known later: what they would be)
//! ```
//!
//! The state is one of memory. Nothing is written, nothing is started.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Conclusion, ExitKind, JobDefinition, JobKey, RunEvent, RunRequest, StreamId};
use expr::{Expr, Scope};
use scheduler::{Decided, Definitions, Files, Input, State};
use workflow::{Condition, Job, JobBody, Strategy, Template, TemplateKey, TemplateKind, Workflow};

use super::seen::{Seen, without_leg};
use super::{Fate, Later, Rehearsed, read, slice};
use crate::exit::{Exit, Failure};
use crate::running::plan::foresight::{Foresight, Outlook};

/// The state of a rehearsal.
pub(super) struct Stage {
    stream: StreamId,
    pub(super) state: State,
    pub(super) written: Definitions,
    /// The same files with every condition true.
    always: Definitions,
    pub(super) jobs: Vec<Rehearsed>,
    /// Where each stands in `jobs`.
    pub(super) index: BTreeMap<JobKey, usize>,
}

impl Stage {
    pub(super) fn of(request: &RunRequest, stream: StreamId) -> Result<Stage, Failure> {
        let mut written = Definitions::new();
        written.insert(stream, read(request)?);
        let mut always = Definitions::new();
        let parse = |path: &str, text: &str| {
            let (workflow, _) = workflow::read(&syntax::Source::new(path, text));
            workflow.map(unconditional)
        };
        let main = parse(&request.workflow.path, &request.workflow.text)
            .ok_or_else(|| Failure::new(Exit::Fault, "the workflow cannot be read again"))?;
        let called = request.called.iter();
        let called = called
            .filter_map(|(key, file)| Some((key.clone(), parse(&file.path, &file.text)?)))
            .collect();
        always.insert(stream, Files::new(request, main, called));
        let (jobs, index) = (Vec::new(), BTreeMap::new());
        Ok(Stage { stream, state: State::new(), written, always, jobs, index })
    }

    /// Until nothing is due and nobody waits for a worker.
    pub(super) fn play(&mut self) {
        let at = self.state.run(self.stream).expect("it was created").request().at;
        loop {
            while self.state.is_advance_due() {
                let decided = self.decide(&self.written, Input::Advance { at });
                let assumed = self.assume(decided);
                assert!(!assumed.is_empty(), "what is due is decided");
                self.fold(assumed);
            }
            let lease = Input::Lease { width: usize::MAX, tracking: "rehearsal".into(), at };
            let leased = self.decide(&self.written, lease);
            if leased.is_empty() {
                return;
            }
            self.fold(leased.clone());
            for (stream, event) in leased {
                let RunEvent::JobLeased { job, fence, .. } = event else { continue };
                let ended = success(&job, Some(fence), at);
                self.fold(vec![(stream, ended)]);
            }
        }
    }

    fn decide(&self, definitions: &Definitions, input: Input) -> Decided {
        let decided = scheduler::decide(&self.state, definitions, input);
        decided.expect("time and workers are never refused")
    }

    /// Takes what was decided where it is certain, else what would be if conditions were true and
    /// what is known later were well.
    fn assume(&mut self, decided: Decided) -> Decided {
        if decided.iter().any(|(_, event)| matches!(event, RunEvent::CallCompleted { .. })) {
            return self.without_outputs(decided);
        }
        let judged: BTreeSet<JobKey> =
            decided.iter().filter_map(|(_, event)| self.planned(event)).collect();
        let mut open = BTreeSet::new();
        for key in &judged {
            let (outlook, later) = self.judge(key);
            let job = self.job_mut(key);
            job.later = later;
            if let Outlook::Later(after) = outlook {
                job.fate = Fate::Later(after);
                open.insert(key.clone());
            }
        }
        let mut assumed: Decided = Vec::new();
        let is_open = |stage: &Stage, event: &RunEvent| {
            stage.planned(event).is_some_and(|key| open.contains(&key))
        };
        assumed.extend(decided.into_iter().filter(|(_, event)| !is_open(self, event)));
        if !open.is_empty() {
            let at = self.state.run(self.stream).expect("it was created").request().at;
            let would = self.decide(&self.always, Input::Advance { at });
            assumed.extend(would.into_iter().filter(|(_, event)| is_open(self, event)));
        }
        assumed.into_iter().map(|(stream, event)| (stream, self.kindly(event))).collect()
    }

    /// The outputs of a called workflow are known later, and so is whether they can be evaluated.
    fn without_outputs(&self, decided: Decided) -> Decided {
        let fails = |call: &JobKey| {
            let inner = |job: &Rehearsed| job.parent.as_ref() == Some(call);
            self.jobs.iter().any(|job| inner(job) && matches!(job.fate, Fate::Fails(_)))
        };
        let mut kept = Vec::new();
        for (stream, event) in decided {
            match event {
                RunEvent::AnnotationAdded { .. } => {}
                RunEvent::CallCompleted { job, conclusion: Conclusion::Failure, at, .. }
                    if !fails(&job) =>
                {
                    let (conclusion, outputs) = (Conclusion::Success, BTreeMap::new());
                    kept.push((stream, RunEvent::CallCompleted { job, conclusion, outputs, at }));
                }
                event => kept.push((stream, event)),
            }
        }
        kept
    }

    /// Jobs wait for each other in a group rather than end each other, and a mistake that comes
    /// from what is known later is none.
    fn kindly(&mut self, event: RunEvent) -> RunEvent {
        match event {
            RunEvent::JobPlanned(definition) => {
                self.note_definition(&definition);
                let mut definition = definition;
                if let Some(claim) = &mut definition.concurrency {
                    claim.cancel_in_progress = false;
                    claim.queue_max = true;
                }
                RunEvent::JobPlanned(definition)
            }
            RunEvent::JobCompleted {
                job,
                fence: None,
                conclusion: Conclusion::Failure,
                at,
                ..
            } if self.find(&job).is_some_and(|job| !job.later.is_empty()) => {
                success(&job, None, at)
            }
            event => event,
        }
    }

    /// The declared job that an event plans, skips or fails before it began.
    fn planned(&self, event: &RunEvent) -> Option<JobKey> {
        let key = match event {
            RunEvent::JobPlanned(definition) => self.declared_of(definition),
            RunEvent::JobWaiting { job, .. } => JobKey::new(without_leg(job.as_str())),
            RunEvent::JobExpanded { job, .. }
            | RunEvent::JobSkipped { job, .. }
            | RunEvent::AnnotationAdded { job, .. }
            | RunEvent::JobCompleted { job, fence: None, .. } => job.clone(),
            _ => return None,
        };
        self.find(&key).map(|job| job.key.clone())
    }

    fn declared_of(&self, definition: &JobDefinition) -> JobKey {
        match &definition.parent {
            None => JobKey::new(Arc::clone(&definition.id)),
            Some(parent) => JobKey::new(format!("{parent}/{}", definition.id)),
        }
    }

    fn find(&self, key: &JobKey) -> Option<&Rehearsed> {
        self.index.get(key).map(|at| &self.jobs[*at])
    }

    fn job_mut(&mut self, key: &JobKey) -> &mut Rehearsed {
        &mut self.jobs[self.index[key]]
    }

    fn note_definition(&mut self, definition: &JobDefinition) {
        let key = self.declared_of(definition);
        let job = self.job_mut(&key);
        job.is_matrix = definition.key != key;
        job.legs.push(definition.clone());
    }

    pub(super) fn fold(&mut self, events: Decided) {
        for (stream, event) in events {
            self.note(&event);
            scheduler::evolve(&mut self.state, stream, &event)
                .expect("what was decided, or kindly put, can follow");
        }
    }

    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::JobsDeclared { parent, file, jobs } => {
                let keys = jobs.iter().map(|job| job.key.clone());
                self.index.extend(keys.zip(self.jobs.len()..));
                self.jobs.extend(jobs.iter().map(|job| Rehearsed {
                    key: job.key.clone(),
                    id: Arc::clone(&job.id),
                    parent: parent.clone(),
                    file: file.clone(),
                    needs: job.needs.clone(),
                    fate: Fate::Runs,
                    legs: Vec::new(),
                    is_matrix: false,
                    later: Vec::new(),
                }));
            }
            RunEvent::JobSkipped { job, reason, .. } => {
                self.job_mut(job).fate = Fate::Skipped(reason.clone());
            }
            RunEvent::AnnotationAdded { job, annotation, .. } => {
                let message = annotation.message.to_string();
                if let Some(at) = self.index.get(job).copied()
                    && let job = &mut self.jobs[at]
                    && job.later.is_empty()
                {
                    job.fate = Fate::Fails(message);
                }
            }
            _ => {}
        }
    }

    /// What a job's condition will say, and which of its fields are known later.
    fn judge(&self, key: &JobKey) -> (Outlook, Vec<Later>) {
        let job = self.find(key).expect("it was declared");
        let files = self.written.get(self.stream).expect("they were read");
        let (workflow, text) = files.job(job.file.as_deref(), &job.id).expect("it was declared");
        let request = self.state.run(self.stream).expect("it was created").request();
        let seen =
            Seen { request, jobs: &self.jobs, index: &self.index, workflow: files.workflow() };
        let mut foresight = seen.of(job, None);
        let outlook = foresight.condition(text.condition.as_ref().map(|it| &it.expr));
        let mut later = Vec::new();
        for (field, template) in fields(text) {
            let Some(after) = foresight.later(template) else { continue };
            let written = slice(workflow, template);
            if field == "strategy" {
                foresight.matrix_later.get_or_insert_default().extend(after.clone());
            }
            later.push(Later { field, written, after });
        }
        (outlook, later)
    }

    pub(super) fn foresight_of_run(&self) -> Foresight {
        let files = self.written.get(self.stream).expect("they were read");
        let request = self.state.run(self.stream).expect("it was created").request();
        Seen { request, jobs: &self.jobs, index: &self.index, workflow: files.workflow() }.of_run()
    }
}

/// A file in which every job runs.
fn unconditional(mut workflow: Workflow) -> Workflow {
    for job in &mut workflow.jobs {
        let text = workflow::Text { value: "always()".into(), span: job.id.span };
        let expr = Expr::parse("always()", &Scope::everything()).expect("an expression of ours");
        job.condition = Some(Condition { expr, text });
    }
    workflow
}

/// A job's templates that decide about it before it starts, the matrix first: others hang on it.
fn fields(job: &Job) -> Vec<(String, &Template)> {
    let mut fields: Vec<(&str, &Template)> = Vec::new();
    match &job.strategy {
        None => {}
        Some(Strategy::Expression(template)) => fields.push(("strategy", template)),
        Some(Strategy::Written { matrix, fail_fast, max_parallel, .. }) => {
            let written = [matrix, fail_fast, max_parallel];
            fields.extend(written.into_iter().flatten().map(|it| ("strategy", it)));
        }
    }
    fields.extend(job.name.iter().map(|it| ("name", it)));
    fields.extend(job.concurrency.iter().map(|it| ("concurrency", &it.group)));
    match &job.body {
        JobBody::Steps(steps) => {
            fields.push(("runs-on", &steps.runs_on));
            fields.extend(steps.environment.iter().map(|it| ("environment", &it.name)));
            fields.extend(steps.timeout_minutes.iter().map(|it| ("timeout-minutes", it)));
            fields.extend(steps.continue_on_error.iter().map(|it| ("continue-on-error", it)));
            fields.extend(steps.container.iter().map(|it| ("container", it)));
            fields.extend(steps.services.iter().map(|it| ("services", it)));
        }
        JobBody::Call(call) => {
            let named = fields.into_iter().map(|(field, it)| (field.to_owned(), it));
            let inputs = call.with.iter().flat_map(inputs_of);
            return named.chain(inputs.map(|(name, it)| (format!("with.{name}"), it))).collect();
        }
    }
    fields.into_iter().map(|(field, it)| (field.to_owned(), it)).collect()
}

fn success(job: &JobKey, fence: Option<event::Fence>, at: event::Timestamp) -> RunEvent {
    RunEvent::JobCompleted {
        job: job.clone(),
        fence,
        conclusion: Conclusion::Success,
        exit: ExitKind::None,
        outputs: BTreeMap::new(),
        log: None,
        environment_url: None,
        at,
    }
}

/// The entries of `with`, by the names of their inputs.
fn inputs_of(template: &Template) -> Vec<(&str, &Template)> {
    let TemplateKind::Mapping(entries) = template.kind() else { return Vec::new() };
    let named = entries.iter().filter_map(|(key, value)| match key {
        TemplateKey::Text(name) => Some((&*name.value, value)),
        TemplateKey::Insert(_) | TemplateKey::Template(_) => None,
    });
    named.collect()
}
