//! What happens next, and what an end means. Evaluates; changes nothing.

mod aside;

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{AnnotationLevel, Conclusion};
use expr::Value;
use indexmap::IndexMap;
use workflow::{ActionRuns, Step, StepBody, Uses};

use crate::background::{Turn, in_line};
use crate::deed::{ActionStage, DeedBody, Shown};
use crate::evaluate::{Sight, Wrong, texts_as_value};
use crate::fact::{Decided, Ended, Fact, JobEnd};
use crate::limits::{COMPOSITE_DEPTH_MAX, JOB_OUTPUTS_BYTES_MAX};
use crate::outcome::{Effects, Exit};
use crate::plan::{Action, Plan};
use crate::state::{Caller, Line, Phase, Running, Scope, State, Task};
use crate::step::{Stand, called_action, main_key, name_as_written, stage_key};

/// The questions that need a look outside.
pub trait World {
    /// `hashFiles` (conformance 86): the digest of the files of the workspace that match.
    ///
    /// # Errors
    /// Why they could not be hashed.
    fn hash_files(&self, patterns: &[String]) -> Result<String, String>;
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The job is set up.
    Begin,
    /// Nothing; go on.
    Advance,
    /// A deed that was owed is over.
    Ended {
        /// Its number.
        deed: u64,
        /// How.
        exit: Exit,
        /// What it changed.
        effects: Box<Effects>,
    },
    /// An action that was to be read was, or cannot be.
    ActionRead {
        /// The number of the deed.
        deed: u64,
        /// The action with those that it uses, by the text behind `uses`; or why not.
        read: Result<BTreeMap<Arc<str>, Action>, String>,
    },
    /// The job is to stop.
    Cancelled,
}

/// What is decided about `input`. An input that does not fit the state decides nothing: a deed may
/// end while its cancellation is under way.
pub fn decide(state: &State, plan: &Plan, world: &dyn World, input: Input) -> Vec<Fact> {
    let mut decision = Decision { state, plan, world, facts: Vec::new() };
    match (input, state.phase) {
        (Input::Cancelled, phase) if phase != Phase::Completed && !state.is_cancelled => {
            decision.decide(Decided::Cancelled);
        }
        (Input::Begin, Phase::New) => decision.begin(),
        (Input::Advance, _) => decision.advance(),
        (Input::Ended { deed, exit, effects }, _) => {
            if let Some(running) = running(state, deed) {
                decision.deed_ended(running, &exit, *effects);
            }
        }
        (Input::ActionRead { deed, read }, _) => {
            if let Some(running) = running(state, deed) {
                decision.action_read(running, read);
            }
        }
        _ => {}
    }
    decision.facts
}

/// The step that this deed is owed for.
fn running(state: &State, deed: u64) -> Option<&Running> {
    let aside = state.background.values().map(|it| &it.line);
    let mut lines = [&state.foreground].into_iter().chain(aside);
    lines.find_map(|line| line.running.as_ref().filter(|it| it.deed.number == deed))
}

/// Whether a deed goes on although the job was cancelled: the `if` of its step, and that of every
/// step around it, still holds (conformance 138).
pub fn survives_cancel(state: &State, plan: &Plan, world: &dyn World, deed: u64) -> bool {
    running(state, deed).is_some_and(|it| still_holds(state, plan, world, &it.task))
}

/// Whether the `if` of a step, and that of every step around it, holds now.
fn still_holds(state: &State, plan: &Plan, world: &dyn World, task: &Task) -> bool {
    let mut task = task.clone();
    loop {
        let holds = Stand::new(state, plan, world, &task).and_then(|stand| {
            let env = stand.env_within()?;
            stand.condition(&env)
        });
        if !holds.unwrap_or(false) {
            return false;
        }
        match &state.scopes[&task.scope].caller {
            Some(caller) => task = Task { stage: task.stage, ..caller.task.clone() },
            None => return true,
        }
    }
}

/// The job's `services`, each evaluated, as JSON (conformance 53). They are started before the
/// first step, so `steps` is empty.
///
/// # Errors
/// Why they cannot be evaluated.
pub fn services(
    plan: &Plan,
    world: &dyn World,
) -> Result<Vec<(String, serde_json::Value)>, String> {
    let state = State::new();
    let decision = Decision { state: &state, plan, world, facts: Vec::new() };
    let evaluate = || {
        let env = decision.job_env()?;
        let template = plan.job.services.as_ref();
        template.map(|template| decision.job_sight(&env).value(template)).transpose()
    };
    match evaluate().map_err(|Wrong(message)| message)? {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(services)) => {
            Ok(services.iter().map(|(id, service)| (id.to_owned(), service.to_json())).collect())
        }
        Some(_) => Err("`services` must be a mapping".to_owned()),
    }
}

/// The job's `container`, evaluated, as JSON (conformance 49, 53); null where it has none.
///
/// # Errors
/// Why it cannot be evaluated.
pub fn container(plan: &Plan, world: &dyn World) -> Result<serde_json::Value, String> {
    let state = State::new();
    let decision = Decision { state: &state, plan, world, facts: Vec::new() };
    let evaluate = || {
        let env = decision.job_env()?;
        let template = plan.job.container.as_ref();
        template.map(|template| decision.job_sight(&env).value(template)).transpose()
    };
    let value = evaluate().map_err(|Wrong(message)| message)?;
    Ok(value.map_or(serde_json::Value::Null, |value| value.to_json()))
}

/// The scope of the machine's own steps: no step of a workflow may be called so.
pub const HOOKS: &str = "__hooks/";

struct Decision<'a> {
    state: &'a State,
    plan: &'a Plan,
    world: &'a dyn World,
    facts: Vec<Fact>,
}

impl<'a> Decision<'a> {
    fn decide(&mut self, decided: Decided) {
        self.facts.push(Fact(decided));
    }

    /// Something to say by a step, or about the job.
    fn note(&mut self, task: Option<&Task>, level: AnnotationLevel, message: impl Into<String>) {
        let key = task.map(|task| stage_key(self.state, task));
        self.decide(Decided::Noted { key, level, message: message.into() });
    }

    fn begin(&mut self) {
        let set_up = || {
            let env = self.job_env()?;
            let run_defaults = self.run_defaults(&env)?;
            Ok((env, run_defaults))
        };
        match set_up() {
            Ok((env, run_defaults)) => {
                let (mut pre, post, mut scopes) = self.hooks();
                let steps: Arc<[Step]> = Arc::from(in_line(&self.plan.job.steps));
                let root: Arc<str> = Arc::from("");
                self.collect_pre(&root, &steps, None, &mut pre, &mut scopes);
                scopes.insert(root, Scope::new(steps, None));
                pre.reverse();
                self.decide(Decided::Opened { env, run_defaults, pre, post, scopes });
            }
            Err(Wrong(message)) => {
                self.note(None, AnnotationLevel::Error, message);
                self.decide(Decided::Completed(JobEnd {
                    conclusion: Conclusion::Failure,
                    outputs: BTreeMap::new(),
                    environment_url: None,
                }));
            }
        }
    }

    /// What is owed before and after everything else, in a scope of its own (conformance 115).
    fn hooks(&self) -> (Vec<Task>, Vec<Task>, BTreeMap<Arc<str>, Scope>) {
        let name: Arc<str> = Arc::from(HOOKS);
        let (mut pre, mut post, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        let hooks = &self.plan.hooks;
        for (step, stage, owed) in [
            (&hooks.started, ActionStage::Pre, &mut pre),
            (&hooks.completed, ActionStage::Post, &mut post),
        ] {
            if let Some(step) = step {
                owed.push(Task { scope: name.clone(), step: steps.len(), stage });
                steps.push(step.clone());
            }
        }
        let scopes = (!steps.is_empty()).then(|| (name, Scope::new(steps.into(), None)));
        (pre, post, scopes.into_iter().collect())
    }

    /// The workflow's `env`, then the job's (conformance 108).
    fn job_env(&self) -> Result<IndexMap<String, String>, Wrong> {
        let nothing = IndexMap::new();
        let sight = self.job_sight(&nothing);
        let mut env = IndexMap::new();
        for template in self.plan.workflow_env.iter().chain(&self.plan.job.env) {
            env.extend(sight.texts(template)?);
        }
        Ok(env)
    }

    /// The workflow's `defaults.run`, then the job's, which sees the job's environment. Evaluated
    /// once, before the first step (conformance 105, 109).
    fn run_defaults(
        &self,
        env: &IndexMap<String, String>,
    ) -> Result<IndexMap<String, String>, Wrong> {
        let sight = self.job_sight(env);
        let mut defaults = IndexMap::new();
        for template in self.plan.workflow_defaults.iter().chain(&self.plan.job.defaults) {
            let texts = sight.texts(template).map_err(|it| it.at("defaults.run"))?;
            defaults.extend(texts.into_iter().filter(|(_, text)| !text.is_empty()));
        }
        Ok(defaults)
    }

    fn job_sight<'s>(&'s self, env: &'s IndexMap<String, String>) -> Sight<'s> {
        Sight {
            state: self.state,
            plan: self.plan,
            world: self.world,
            scope: self.state.scopes.get(""),
            stage: ActionStage::Post,
            inputs: None,
            env,
            action_key: Arc::from(""),
            action: None,
            files: None,
        }
    }

    /// Lists the pre stages in the order of the steps, those inside composite actions in their
    /// place (conformance 147). Actions of the workspace have none: nobody has read them yet.
    fn collect_pre(
        &self,
        prefix: &Arc<str>,
        steps: &Arc<[Step]>,
        within: Option<&Scope>,
        pre: &mut Vec<Task>,
        scopes: &mut BTreeMap<Arc<str>, Scope>,
    ) {
        let here = Scope::new(Arc::clone(steps), within.and_then(|scope| scope.caller.clone()));
        for (index, step) in steps.iter().enumerate() {
            let StepBody::Uses { uses, .. } = &step.body else { continue };
            let action = called_action(self.state, self.plan, &here, step);
            let Some(action) = action.filter(|_| !matches!(uses, Uses::Local { .. })) else {
                continue;
            };
            let task = Task { scope: Arc::clone(prefix), step: index, stage: ActionStage::Pre };
            match &action.manifest.runs {
                ActionRuns::Node { pre: Some(_), .. } => pre.push(task),
                ActionRuns::Composite { steps } => {
                    let inner: Arc<str> = Arc::from(format!("{prefix}{}/", step.key));
                    let steps: Arc<[Step]> = Arc::from(steps.as_slice());
                    let caller = Caller {
                        task: Task { stage: ActionStage::Main, ..task },
                        action: action.clone(),
                        inputs: Value::Null,
                        env: IndexMap::new(),
                        continue_on_error: false,
                    };
                    let scope = Scope::new(Arc::clone(&steps), Some(caller));
                    if inner.matches('/').count() <= COMPOSITE_DEPTH_MAX {
                        self.collect_pre(&inner, &steps, Some(&scope), pre, scopes);
                        scopes.insert(inner, scope);
                    }
                }
                _ => {}
            }
        }
    }

    fn advance(&mut self) {
        match self.state.turn() {
            Some(Turn::Start(key)) => self.start(&key),
            Some(Turn::Inside(key)) => self.advance_line(&self.state.background[&key].line),
            Some(Turn::Foreground) => match &self.state.waiting {
                Some(waiting) => self.finish_waiting(waiting),
                None => self.advance_foreground(),
            },
            None => {}
        }
    }

    /// The next step of a line, or the end of the composite action that it is in.
    fn advance_line(&mut self, line: &Line) {
        let prefix = line.stack.last().expect("a line without a deed is inside of something");
        let scope = &self.state.scopes[prefix];
        if scope.next < scope.steps.len() {
            let task = Task { scope: prefix.clone(), step: scope.next, stage: ActionStage::Main };
            self.take_up(&task);
        } else if let Some(caller) = &scope.caller {
            self.composite_ended(scope, caller);
        } else {
            self.decide(Decided::Phase(Phase::Post));
        }
    }

    fn advance_foreground(&mut self) {
        match self.state.phase {
            Phase::Pre => match self.state.pre.last() {
                Some(task) => self.take_up(&task.clone()),
                None => self.decide(Decided::Phase(Phase::Main)),
            },
            Phase::Main => self.advance_line(&self.state.foreground),
            Phase::Post => match self.state.post.last() {
                Some(task) => self.take_up(&task.clone()),
                None => self.complete(),
            },
            Phase::New | Phase::Completed => {}
        }
    }

    /// The beginning of one step. What goes into the background is decided now, and begins when a
    /// slot is free.
    fn take_up(&mut self, task: &Task) {
        self.evaluate(task);
        self.put_aside(task);
    }

    /// In the order of conformance 126.
    fn evaluate(&mut self, task: &Task) {
        let stand = match Stand::new(self.state, self.plan, self.world, task) {
            Ok(stand) => stand,
            Err(wrong) => return self.fails_to_begin(task, None, wrong),
        };
        if let Some((control, targets)) = self.control(stand.step) {
            return self.wait(&stand, control, targets);
        }
        let around = stand.env_around();
        let within = stand.env_within();
        // A mistake in the env of a step that does not run counts for nothing (conformance 253).
        let holds = stand.condition(within.as_ref().unwrap_or(&around));
        let env = match (holds, within) {
            (Ok(false), _) => {
                let name = stand.name(&around).unwrap_or_else(|_| stand.fallback_name());
                self.decide(Decided::Began {
                    task: task.clone(),
                    key: stage_key(self.state, task),
                    name,
                    post: None,
                    is_background: false,
                });
                return self.ended(
                    task,
                    Conclusion::Skipped,
                    Conclusion::Skipped,
                    Effects::default(),
                );
            }
            (Ok(true), Ok(env)) => env,
            (Err(wrong), _) | (_, Err(wrong)) => {
                return self.fails_to_begin(task, Some(&stand), wrong);
            }
        };
        if let Err(wrong) = self.begin_step(&stand, &env) {
            self.fails_to_begin(task, Some(&stand), wrong);
        }
    }

    /// A step whose condition holds: what it is, and what it is owed.
    fn begin_step(
        &mut self,
        stand: &Stand<'a>,
        env: &IndexMap<String, String>,
    ) -> Result<(), Wrong> {
        let name = stand.name(env)?;
        let continue_on_error = stand.continue_on_error(env)?;
        let timeout_minutes = stand.timeout_minutes(env)?;
        let inputs = stand.inputs(env)?;
        let task = &stand.task;
        let body = match (&stand.step.body, stand.action) {
            (StepBody::Run { .. }, _) => stand.script(env)?,
            (StepBody::Uses { uses: Uses::Local { path }, .. }, None) => {
                DeedBody::ReadAction { uses: path.clone() }
            }
            (StepBody::Uses { uses, .. }, None) => {
                return Err(Wrong(format!("the action {uses} was not found at set-up")));
            }
            (StepBody::Uses { uses, .. }, Some(action)) => match &action.manifest.runs {
                ActionRuns::Node { .. } => match stand.program() {
                    Some(program) => DeedBody::Action { stage: task.stage, program },
                    None => {
                        return Err(Wrong(format!("{uses} has no {} stage", task.stage.as_str())));
                    }
                },
                ActionRuns::Composite { steps } => {
                    let steps: Arc<[Step]> = Arc::from(steps.as_slice());
                    return self.enter(
                        stand,
                        env,
                        action,
                        steps,
                        (name, timeout_minutes, continue_on_error),
                    );
                }
                ActionRuns::Docker(_) => {
                    return Err(Wrong(format!("{uses} is a Docker action, which cannot run here")));
                }
            },
            (StepBody::Wait(_) | StepBody::WaitAll | StepBody::Cancel(_), _) => {
                return Err(Wrong("a control step does nothing of its own".to_owned()));
            }
            (StepBody::Parallel(_), _) => {
                return Err(Wrong("`parallel` stands in the list of a job only".to_owned()));
            }
        };
        let is_reading = matches!(body, DeedBody::ReadAction { .. });
        let deed = stand.deed(env, body, &inputs, timeout_minutes)?;
        if !is_reading {
            self.began(stand, name);
            if task.stage == ActionStage::Main {
                inputs
                    .warnings
                    .iter()
                    .for_each(|it| self.note(Some(task), AnnotationLevel::Warning, it));
            }
        }
        self.decide(Decided::Owed { task: task.clone(), deed: Arc::new(deed), continue_on_error });
        Ok(())
    }

    fn began(&mut self, stand: &Stand<'a>, name: String) {
        let task = &stand.task;
        let has_post = stand.action.is_some_and(|action| match &action.manifest.runs {
            ActionRuns::Node { post, .. } => post.is_some(),
            ActionRuns::Composite { .. } | ActionRuns::Docker(_) => false,
        });
        let post = (has_post && task.stage != ActionStage::Post)
            .then(|| Task { stage: ActionStage::Post, ..task.clone() });
        let key = stage_key(self.state, task);
        let is_background = self.state.goes_aside(task);
        self.decide(Decided::Began { task: task.clone(), key, name, post, is_background });
    }

    /// A composite action begins (conformance 148).
    fn enter(
        &mut self,
        stand: &Stand<'a>,
        env: &IndexMap<String, String>,
        action: &Action,
        steps: Arc<[Step]>,
        (name, timeout_minutes, continue_on_error): (String, Option<f64>, bool),
    ) -> Result<(), Wrong> {
        if stand.task.scope.matches('/').count() >= COMPOSITE_DEPTH_MAX {
            return Err(Wrong(format!(
                "composite actions may be nested {COMPOSITE_DEPTH_MAX} deep at most"
            )));
        }
        let inputs = stand.inputs(env)?;
        let key = main_key(self.state, &stand.task);
        let shown =
            Shown { title: stand.title(env)?, with: inputs.texts.clone(), env: env.clone() };
        self.began(stand, name);
        let task = &stand.task;
        inputs.warnings.iter().for_each(|it| self.note(Some(task), AnnotationLevel::Warning, it));
        // What the calling steps set goes over the job's; what an inner step writes to GITHUB_ENV
        // must not be hidden by a copy of the job's.
        let mut own = env.clone();
        let job = self.state.env_of(task);
        own.retain(|name, text| job.get(name) != Some(&*text));
        let caller = Caller {
            task: task.clone(),
            action: action.clone(),
            inputs: texts_as_value(&inputs.texts),
            env: own,
            continue_on_error,
        };
        self.decide(Decided::Entered {
            task: task.clone(),
            prefix: Arc::from(format!("{key}/")),
            key,
            scope: Box::new(Scope::new(steps, Some(caller))),
            shown,
            timeout_minutes,
        });
        Ok(())
    }

    /// All steps of a composite action are over; its outputs count even if one failed.
    fn composite_ended(&mut self, scope: &Scope, caller: &Caller) {
        let mut outcome = match (scope.was_cancelled, scope.has_failed) {
            (true, _) => Conclusion::Cancelled,
            (false, true) => Conclusion::Failure,
            (false, false) => Conclusion::Success,
        };
        let outputs = match self.composite_outputs(scope, caller) {
            Ok(outputs) => outputs,
            Err(Wrong(message)) => {
                self.note(Some(&caller.task), AnnotationLevel::Error, message);
                outcome = Conclusion::Failure;
                IndexMap::new()
            }
        };
        let conclusion = forgiven(outcome, caller.continue_on_error);
        let effects = Effects { outputs, ..Effects::default() };
        self.ended(&caller.task, outcome, conclusion, effects);
    }

    fn composite_outputs(
        &self,
        scope: &Scope,
        caller: &Caller,
    ) -> Result<IndexMap<String, String>, Wrong> {
        let mut env = self.state.env_of(&caller.task).clone();
        env.extend(caller.env.clone());
        let sight = Sight {
            scope: Some(scope),
            stage: ActionStage::Main,
            inputs: Some(caller.inputs.clone()),
            action: Some(&caller.action),
            ..self.job_sight(&env)
        };
        let mut outputs = IndexMap::new();
        for output in &caller.action.manifest.outputs {
            if let Some(value) = &output.value {
                let name = &output.name.value;
                let text = sight.text(value).map_err(|it| it.of_output(name))?;
                outputs.insert(name.to_string(), text);
            }
        }
        Ok(outputs)
    }

    fn deed_ended(&mut self, running: &Running, exit: &Exit, effects: Effects) {
        let outcome = match exit {
            Exit::Code(0) => Conclusion::Success,
            Exit::Code(_) | Exit::TimedOut | Exit::Failed => Conclusion::Failure,
            Exit::Cancelled => Conclusion::Cancelled,
        };
        let conclusion = forgiven(outcome, running.continue_on_error);
        self.ended(&running.task, outcome, conclusion, effects);
    }

    fn action_read(&mut self, running: &Running, read: Result<BTreeMap<Arc<str>, Action>, String>) {
        match read {
            // The step is taken up again, and this time its action is there.
            Ok(actions) => {
                self.decide(Decided::ActionsRead { task: running.task.clone(), actions });
            }
            Err(message) => {
                let stand = Stand::new(self.state, self.plan, self.world, &running.task).ok();
                self.fails_to_begin(&running.task, stand.as_ref(), Wrong(message));
                self.put_aside(&running.task);
            }
        }
    }

    /// A mistake in what a step says fails it before it did anything (conformance 90).
    fn fails_to_begin(&mut self, task: &Task, stand: Option<&Stand<'a>>, Wrong(message): Wrong) {
        let key = stage_key(self.state, task);
        let step = &self.state.scopes[&task.scope].steps[task.step];
        let name = stand.map_or_else(|| name_as_written(step, task.stage), Stand::fallback_name);
        // It may have begun already in this very decision.
        let has_begun = self.facts.iter().any(|fact| matches!(fact.0, Decided::Began { .. }));
        if !has_begun {
            let is_background = self.state.goes_aside(task);
            let task = task.clone();
            self.decide(Decided::Began { task, key, name, post: None, is_background });
        }
        self.note(Some(task), AnnotationLevel::Error, message);
        let forgives = stand
            .is_some_and(|stand| stand.continue_on_error(&stand.env_around()).unwrap_or(false));
        let conclusion = forgiven(Conclusion::Failure, forgives);
        self.ended(task, Conclusion::Failure, conclusion, Effects::default());
    }

    fn ended(
        &mut self,
        task: &Task,
        outcome: Conclusion,
        conclusion: Conclusion,
        effects: Effects,
    ) {
        let step = &self.state.scopes[&task.scope].steps[task.step];
        // Generated ids never show (conformance 13).
        let id = step.id.as_ref().map(|id| Arc::clone(&id.value));
        let ended = Ended { key: stage_key(self.state, task), outcome, conclusion };
        self.decide(Decided::Ended { task: task.clone(), ended, id, effects });
    }

    /// Nothing is owed any more: outputs and the environment's address (conformance 54, 104).
    fn complete(&mut self) {
        let mut conclusion = self.state.status();
        let mut outputs = BTreeMap::new();
        let mut environment_url = None;
        let evaluated = (|| {
            let sight = self.job_sight(&self.state.env);
            let mut size = 0;
            let mut largest = (0, "");
            for (name, template) in &self.plan.job.outputs {
                let text = sight.text(template).map_err(|it| it.of_output(&name.value))?;
                let added = 2 * (name.value.encode_utf16().count() + text.encode_utf16().count());
                size += added;
                largest = largest.max((added, &*name.value));
                if size > JOB_OUTPUTS_BYTES_MAX {
                    return Err(Wrong(format!(
                        "the job's outputs are larger than 1 MB together; the largest of them is '{}'",
                        largest.1
                    )));
                }
                if !text.is_empty() {
                    outputs.insert(name.value.to_string(), text);
                }
            }
            let url = self.plan.job.environment.as_ref().and_then(|it| it.url.as_ref());
            environment_url = url.map(|url| sight.text(url)).transpose()?;
            Ok(())
        })();
        if let Err(Wrong(message)) = evaluated {
            self.note(None, AnnotationLevel::Error, message);
            if conclusion == Conclusion::Success {
                conclusion = Conclusion::Failure;
            }
        }
        self.decide(Decided::Completed(JobEnd { conclusion, outputs, environment_url }));
    }
}

/// A failure that counts for nobody else (conformance 128).
fn forgiven(outcome: Conclusion, continue_on_error: bool) -> Conclusion {
    match outcome {
        Conclusion::Failure if continue_on_error => Conclusion::Success,
        outcome => outcome,
    }
}
