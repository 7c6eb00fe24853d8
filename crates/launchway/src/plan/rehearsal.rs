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

use event::{
    Conclusion, ExitKind, JobDefinition, JobKey, RunEvent, RunRequest, SkipReason, StreamId,
};
use expr::{Expr, Scope, Value};
use scheduler::{Decided, Definitions, Files, Input, State};
use workflow::{Condition, Job, JobBody, Strategy, Template, TemplateKey, TemplateKind, Workflow};

use crate::exit::{Exit, Failure};
use crate::plan::foresight::{After, Foresight, Need, Outlook};

/// How a job will fare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// It runs when what it needs has ended well.
    Runs,
    /// Whether it runs is known later.
    Later(After),
    /// It does not run.
    Skipped(SkipReason),
    /// It fails before it begins: what is written cannot be evaluated.
    Fails(String),
}

/// A job as it stands in a file, with what was learned about it.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsed {
    pub(crate) key: JobKey,
    pub(crate) id: Arc<str>,
    pub(crate) parent: Option<JobKey>,
    pub(crate) file: Option<String>,
    pub(crate) needs: Vec<JobKey>,
    pub(crate) fate: Fate,
    /// The job itself, or its legs; none where that is known later, or never.
    pub(crate) legs: Vec<JobDefinition>,
    pub(crate) is_matrix: bool,
    /// What of it is known later: the key in the file, as written, and what it waits for.
    pub(crate) later: Vec<Later>,
}

/// A field that is known later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Later {
    /// Of `with` one input: `with.region`.
    pub(crate) field: String,
    pub(crate) written: String,
    pub(crate) after: After,
}

/// What a rehearsal showed.
pub(crate) struct Rehearsal {
    /// The request, with its concurrency group.
    pub(crate) request: RunRequest,
    /// The run's own group, where it is known later.
    pub(crate) group_later: Option<Later>,
    /// In the order in which they became known: a called file's jobs behind those of its caller.
    pub(crate) jobs: Vec<Rehearsed>,
    index: BTreeMap<JobKey, usize>,
    files: Files,
}

/// Plays the run of `request` through.
pub(crate) fn rehearse(request: RunRequest) -> Result<Rehearsal, Failure> {
    let stream = StreamId::Run(request.run, request.attempt);
    let mut stage = Stage::of(&request, stream)?;
    let create = Input::CreateRun { request: Box::new(request.clone()), carried: Vec::new() };
    let created = scheduler::decide(&stage.state, &stage.written, create)
        .map_err(|refusal| Failure::caused(Exit::Refused, refusal))?;
    stage.fold(created);
    stage.play();
    let request = stage.state.run(stream).expect("it was created").request().clone();
    let files = read(&request)?;
    let group_later = files.workflow().concurrency.as_ref().and_then(|concurrency| {
        let after = stage.foresight_of_run().later(&concurrency.group)?;
        let written = slice(files.workflow(), &concurrency.group);
        Some(Later { field: "concurrency".to_owned(), written, after })
    });
    Ok(Rehearsal { request, group_later, jobs: stage.jobs, index: stage.index, files })
}

impl Rehearsal {
    /// A job by its key.
    pub(crate) fn job(&self, key: &JobKey) -> Option<&Rehearsed> {
        self.index.get(key).map(|at| &self.jobs[*at])
    }

    /// A job's text.
    pub(crate) fn text(&self, job: &Rehearsed) -> (&Workflow, &Job) {
        self.files.job(job.file.as_deref(), &job.id).expect("its file declared it")
    }

    /// The run's own file.
    pub(crate) fn workflow(&self) -> &Workflow {
        self.files.workflow()
    }

    /// What the expressions of a job can be told now; of a leg with its matrix.
    pub(crate) fn foresight(&self, job: &Rehearsed, leg: Option<&JobDefinition>) -> Foresight {
        let (request, jobs) = (&self.request, self.jobs.as_slice());
        let seen = Seen { request, jobs, index: &self.index, workflow: self.workflow() };
        seen.of(job, leg)
    }
}

/// The files of a request; those of a candidate that runs have no mistakes.
fn read(request: &RunRequest) -> Result<Files, Failure> {
    let (files, _) = Files::read(request);
    files.ok_or_else(|| Failure::new(Exit::Fault, "a file that was read cannot be read again"))
}

/// The text of a template, as it stands in the file, without the quotes around it.
fn slice(workflow: &Workflow, template: &Template) -> String {
    let text = workflow.source.slice(template.span()).trim();
    let quoted = ['"', '\''].iter().find_map(|it| text.strip_prefix(*it)?.strip_suffix(*it));
    quoted.unwrap_or(text).to_owned()
}

/// The state of a rehearsal.
struct Stage {
    stream: StreamId,
    state: State,
    written: Definitions,
    /// The same files with every condition true.
    always: Definitions,
    jobs: Vec<Rehearsed>,
    /// Where each stands in `jobs`.
    index: BTreeMap<JobKey, usize>,
}

impl Stage {
    fn of(request: &RunRequest, stream: StreamId) -> Result<Stage, Failure> {
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
    fn play(&mut self) {
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

    fn fold(&mut self, events: Decided) {
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

    fn foresight_of_run(&self) -> Foresight {
        let files = self.written.get(self.stream).expect("they were read");
        let request = self.state.run(self.stream).expect("it was created").request();
        Seen { request, jobs: &self.jobs, index: &self.index, workflow: files.workflow() }.of_run()
    }
}

/// What is known of a run while it is played.
struct Seen<'s> {
    request: &'s RunRequest,
    jobs: &'s [Rehearsed],
    index: &'s BTreeMap<JobKey, usize>,
    workflow: &'s Workflow,
}

impl Seen<'_> {
    fn of_run(&self) -> Foresight {
        Foresight {
            github: scheduler::github_context(self.request, self.workflow),
            vars: Value::from_json(&self.request.vars),
            inputs: Value::from_json(&self.request.inputs),
            matrix: Value::Null,
            strategy: Value::Null,
            needs: Vec::new(),
            inputs_later: BTreeMap::new(),
            matrix_later: None,
            fails_before: false,
            skips_before: false,
            open_before: false,
        }
    }

    fn find(&self, key: &JobKey) -> Option<&Rehearsed> {
        self.index.get(key).map(|at| &self.jobs[*at])
    }

    fn of(&self, job: &Rehearsed, leg: Option<&JobDefinition>) -> Foresight {
        let mut foresight = self.of_run();
        if let Some(parent) = &job.parent {
            let (caller, call) = self.caller(parent);
            foresight.inputs = Value::from_json(&call.call.as_ref().expect("it calls").inputs);
            foresight.inputs_later = self.inputs_later(caller);
        }
        foresight.needs = job
            .needs
            .iter()
            .filter_map(|key| self.find(key))
            .map(|need| Need {
                id: need.id.to_string(),
                key: need.key.clone(),
                certain: certain(need),
            })
            .collect();
        let mut before: Vec<&JobKey> = job.needs.iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(key) = before.pop() {
            let Some(need) = self.find(key).filter(|_| seen.insert(key)) else { continue };
            foresight.fails_before |= certain(need) == Some(Conclusion::Failure);
            foresight.skips_before |= certain(need) == Some(Conclusion::Skipped);
            foresight.open_before |= certain(need).is_none();
            before.extend(&need.needs);
        }
        if let Some(leg) = leg {
            foresight.matrix = Value::from_json(&leg.matrix);
            foresight.strategy = Value::from_json(&serde_json::json!({
                "fail-fast": leg.fail_fast,
                "job-index": leg.index,
                "job-total": leg.total,
                "max-parallel": leg.max_parallel.unwrap_or(leg.total),
            }));
        } else if let Some(strategy) = job.later.iter().find(|it| it.field == "strategy") {
            foresight.matrix_later = Some(strategy.after.clone());
        }
        foresight
    }

    /// The job behind a key that opened a scope, and the leg of it that did.
    fn caller(&self, key: &JobKey) -> (&Rehearsed, &JobDefinition) {
        let plain = || JobKey::new(without_leg(key.as_str()));
        let job = self.find(key).or_else(|| self.find(&plain())).expect("a caller is declared");
        let leg = job.legs.iter().find(|leg| leg.key == *key);
        (job, leg.expect("who opened a scope was planned"))
    }

    /// The inputs whose values hang on what the caller is told later.
    fn inputs_later(&self, caller: &Rehearsed) -> BTreeMap<String, After> {
        let later = caller.later.iter().filter_map(|it| {
            let name = it.field.strip_prefix("with.")?;
            Some((name.to_lowercase(), it.after.clone()))
        });
        later.collect()
    }
}

/// How a job is certain to end; none where it runs, or may run.
fn certain(job: &Rehearsed) -> Option<Conclusion> {
    match job.fate {
        Fate::Skipped(_) => Some(Conclusion::Skipped),
        Fate::Fails(_) => Some(Conclusion::Failure),
        Fate::Runs | Fate::Later(_) => None,
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

/// `test (2)` is a leg of `test`.
fn without_leg(key: &str) -> &str {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match key.strip_suffix(')').and_then(|key| key.rsplit_once(" (")) {
        Some((job, number)) if is_number(number) => job,
        _ => key,
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
