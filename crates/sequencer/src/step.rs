//! One step before it runs: what it is called with, its condition, its deed (conformance 126).

use std::sync::Arc;

use event::StepKey;
use expr::Value;
use indexmap::IndexMap;
use workflow::{ActionRuns, Condition, Step, StepBody, Template, Uses};

use crate::World;
use crate::deed::{ActionStage, Deed, DeedBody, FileCommandPaths, Program, Shown};
use crate::env;
use crate::evaluate::{Sight, Wrong, texts_as_value};
use crate::plan::{Action, ActionHome, Plan};
use crate::shell::Shell;
use crate::state::{Scope, State, Task};

/// The key of a step's main stage: what `pre` and `post` share with it.
pub(crate) fn main_key(state: &State, task: &Task) -> StepKey {
    let step = &state.scopes[&task.scope].steps[task.step];
    StepKey::new(format!("{}{}", task.scope, step.key))
}

/// The key that this stage is reported under.
pub(crate) fn stage_key(state: &State, task: &Task) -> StepKey {
    let main = main_key(state, task);
    match task.stage {
        ActionStage::Main => main,
        stage => StepKey::new(format!("{}:{main}", stage.as_str())),
    }
}

/// A step in its place, with all that surrounds it.
pub(crate) struct Stand<'a> {
    pub(crate) state: &'a State,
    pub(crate) plan: &'a Plan,
    pub(crate) world: &'a dyn World,
    pub(crate) task: Task,
    pub(crate) step: &'a Step,
    scope: &'a Scope,
    ground: Ground,
    /// The action it calls, where that is known by now.
    pub(crate) action: Option<&'a Action>,
    files: FileCommandPaths,
}

/// What a step inherits from the composite actions around it.
#[derive(Default)]
struct Ground {
    inputs: Option<Value>,
    env: IndexMap<String, String>,
}

/// The inputs of an action: texts as they reach it, and what there is to say about them.
pub(crate) struct Inputs {
    pub(crate) texts: IndexMap<String, String>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Stand<'a> {
    pub(crate) fn new(
        state: &'a State,
        plan: &'a Plan,
        world: &'a dyn World,
        task: &Task,
    ) -> Result<Stand<'a>, Wrong> {
        let scope = &state.scopes[&task.scope];
        let step = &scope.steps[task.step];
        let ground = ground(state, plan, world, scope, task.stage)?;
        let action = called_action(state, plan, scope, step);
        let files = FileCommandPaths::new(&plan.file_commands, state.deeds + 1);
        Ok(Stand { state, plan, world, task: task.clone(), step, scope, ground, action, files })
    }

    /// What is in force around the step: job, `GITHUB_ENV`, calling steps.
    pub(crate) fn env_around(&self) -> IndexMap<String, String> {
        let mut env = self.state.env_of(&self.task).clone();
        env.extend(self.ground.env.iter().map(|(name, text)| (name.clone(), text.clone())));
        env
    }

    /// With the step's own.
    pub(crate) fn env_within(&self) -> Result<IndexMap<String, String>, Wrong> {
        let mut env = self.env_around();
        if let Some(template) = &self.step.env {
            let own = self.sight(&env).texts(template)?;
            env.extend(own);
        }
        Ok(env)
    }

    pub(crate) fn sight<'s>(&'s self, env: &'s IndexMap<String, String>) -> Sight<'s> {
        Sight {
            state: self.state,
            plan: self.plan,
            world: self.world,
            scope: Some(self.scope),
            stage: self.task.stage,
            inputs: self.ground.inputs.clone(),
            env,
            action_key: Arc::clone(&self.step.key),
            action: self.scope.caller.as_ref().map(|caller| &caller.action),
            files: Some(&self.files),
        }
    }

    /// Whether it is to run. Without `if`: main steps while all is well, the others always
    /// (conformance 147).
    pub(crate) fn condition(&self, env: &IndexMap<String, String>) -> Result<bool, Wrong> {
        // `cancel` ends all of it: no step inside of it begins any more.
        if self.state.is_unwanted(&self.task) {
            return Ok(false);
        }
        let sight = self.sight(env);
        let condition: Option<&Condition> = match (self.task.stage, self.action) {
            (ActionStage::Main, _) => self.step.condition.as_ref(),
            (stage, Some(action)) => stage_condition(action, stage),
            (_, None) => None,
        };
        match (condition, self.task.stage) {
            (Some(condition), _) => sight.condition(condition),
            (None, ActionStage::Main) => Ok(sight.status() == event::Conclusion::Success),
            (None, _) => Ok(true),
        }
    }

    /// Its name (conformance 127). A name that cannot be evaluated fails the step; `fallback` is
    /// what it is called then.
    pub(crate) fn name(&self, env: &IndexMap<String, String>) -> Result<String, Wrong> {
        let name = match &self.step.name {
            Some(name) => self.sight(env).text(name)?,
            None => self.title(env)?,
        };
        Ok(with_stage(self.step, self.task.stage, name))
    }

    /// Its name where something that it says cannot be evaluated: the name itself may well be.
    pub(crate) fn fallback_name(&self) -> String {
        let env = self.env_within().unwrap_or_else(|_| self.env_around());
        self.name(&env).unwrap_or_else(|_| name_as_written(self.step, self.task.stage))
    }

    /// `Run <first line>` or `Run owner/action@ref`.
    pub(crate) fn title(&self, env: &IndexMap<String, String>) -> Result<String, Wrong> {
        match &self.step.body {
            StepBody::Run { script, .. } => Ok(title_of_script(&self.sight(env).text(script)?)),
            _ => Ok(title_as_written(self.step)),
        }
    }

    pub(crate) fn continue_on_error(&self, env: &IndexMap<String, String>) -> Result<bool, Wrong> {
        match (&self.step.continue_on_error, self.task.stage) {
            (Some(template), ActionStage::Main) => self.sight(env).boolean(template),
            _ => Ok(false),
        }
    }

    pub(crate) fn timeout_minutes(
        &self,
        env: &IndexMap<String, String>,
    ) -> Result<Option<f64>, Wrong> {
        let minutes = match (&self.step.timeout_minutes, self.task.stage) {
            (Some(template), ActionStage::Main) => self.sight(env).minutes(template)?,
            _ => return Ok(None),
        };
        // Nothing, or nothing sensible, is no limit.
        Ok((minutes > 0.0).then_some(minutes))
    }

    /// What the action it calls is given (conformance 145).
    pub(crate) fn inputs(&self, env: &IndexMap<String, String>) -> Result<Inputs, Wrong> {
        let StepBody::Uses { with, .. } = &self.step.body else {
            return Ok(Inputs { texts: IndexMap::new(), warnings: Vec::new() });
        };
        let sight = self.sight(env);
        let given = with.as_ref().map(|with| sight.texts(with)).transpose()?.unwrap_or_default();
        let mut inputs = Inputs { texts: IndexMap::new(), warnings: Vec::new() };
        if let Some(action) = self.action {
            inputs.warnings = warnings(action, &given);
            for input in &action.manifest.inputs {
                let is_given =
                    given.keys().any(|name| name.eq_ignore_ascii_case(&input.name.value));
                if let (false, Some(default)) = (is_given, &input.default) {
                    inputs.texts.insert(input.name.value.to_string(), sight.text(default)?);
                }
            }
        }
        inputs.texts.extend(given);
        Ok(inputs)
    }

    /// What is to be done for it. Not for composite actions.
    pub(crate) fn deed(
        &self,
        env: &IndexMap<String, String>,
        body: DeedBody,
        inputs: &Inputs,
        timeout_minutes: Option<f64>,
    ) -> Result<Deed, Wrong> {
        let mut process_env = env.clone();
        for (name, text) in &inputs.texts {
            process_env.insert(env::input_variable(name), text.clone());
        }
        if let Some(saved) = self.state.saved.get(&main_key(self.state, &self.task)) {
            for (name, text) in saved {
                process_env.insert(format!("STATE_{name}"), text.clone());
            }
        }
        let runner = self.plan.contexts.get("runner").cloned().unwrap_or(Value::Null);
        env::put_last(&mut process_env, &self.github(env), &runner);
        for (name, _, path) in self.files.each() {
            process_env.insert(name.to_owned(), path.to_owned());
        }
        Ok(Deed {
            number: self.state.deeds + 1,
            key: stage_key(self.state, &self.task),
            body,
            env: process_env,
            path: self.state.path_of(&self.task).to_vec(),
            files: self.files.clone(),
            timeout_minutes,
            shown: Shown { title: self.title(env)?, with: inputs.texts.clone(), env: env.clone() },
        })
    }

    /// `github` as the process of this step sees it: an action that it calls is in it.
    fn github(&self, env: &IndexMap<String, String>) -> Value {
        let mut sight = self.sight(env);
        sight.action = self.action.or(sight.action);
        sight.github()
    }

    /// A `run` step as a deed (conformance 109, 131, 133).
    pub(crate) fn script(&self, env: &IndexMap<String, String>) -> Result<DeedBody, Wrong> {
        let StepBody::Run { script, shell, working_directory } = &self.step.body else {
            return Err(Wrong("this step has no script".to_owned()));
        };
        let sight = self.sight(env);
        // Not applied inside composite actions, nor to the machine's own steps.
        let is_own = self.scope.caller.is_none() && self.task.stage == ActionStage::Main;
        let default = |key: &str| {
            self.state.run_defaults.get(key).filter(|_| is_own).map(|text| Ok(text.clone()))
        };
        // An empty text is as good as none.
        let pick = |own: &Option<Template>, key: &str| {
            let own = own.as_ref().map(|template| sight.text(template));
            let own = own.filter(|text| !matches!(text, Ok(text) if text.is_empty()));
            own.or_else(|| default(key)).transpose()
        };
        let shell = match pick(shell, "shell")? {
            Some(text) => Shell::named(&text).map_err(|error| Wrong(error.to_string()))?,
            None if self.plan.is_contained() => Shell::in_container(),
            None => Shell::unnamed(),
        };
        let directory = pick(working_directory, "working-directory")?;
        Ok(DeedBody::Script { shell, script: sight.text(script)?, directory })
    }

    /// The program of one stage of the action that it calls; none where that stage is nothing.
    pub(crate) fn program(&self) -> Option<Program> {
        let action = self.action?;
        let ActionRuns::Node { version, main, pre, post, .. } = &action.manifest.runs else {
            return None;
        };
        let file = match self.task.stage {
            ActionStage::Pre => pre.as_ref()?,
            ActionStage::Main => main,
            ActionStage::Post => post.as_ref()?,
        };
        Some(match &action.home {
            ActionHome::Native(name) => Program::Native { name: name.to_string() },
            ActionHome::Folder(folder) => {
                Program::Node { version: *version, file: format!("{folder}/{}", file.value) }
            }
        })
    }
}

/// What a step is called where nothing of it is evaluated (conformance 127). The key of a step
/// without an id is ours alone, and never shows (conformance 13).
pub(crate) fn name_as_written(step: &Step, stage: ActionStage) -> String {
    let name = step.name.as_ref().and_then(Template::literal_text);
    let name = name.map_or_else(|| title_as_written(step), |name| name.to_string());
    with_stage(step, stage, name)
}

fn title_as_written(step: &Step) -> String {
    match &step.body {
        StepBody::Run { script, .. } => match (script.literal_text(), &step.id) {
            (Some(script), _) => title_of_script(&script),
            (None, Some(id)) => format!("Run {}", id.value),
            (None, None) => "Run a script".to_owned(),
        },
        StepBody::Uses { uses, .. } => format!("Run {uses}"),
        StepBody::Wait(keys) => {
            let keys: Vec<&str> = keys.iter().map(|key| &*key.value).collect();
            format!("Wait for {}", keys.join(", "))
        }
        StepBody::WaitAll => "Wait for all background steps".to_owned(),
        StepBody::Cancel(key) => format!("Cancel {}", key.value),
        StepBody::Parallel(_) => "Run steps in parallel".to_owned(),
    }
}

fn title_of_script(script: &str) -> String {
    let first = script.lines().map(str::trim).find(|line| !line.is_empty());
    format!("Run {}", first.unwrap_or(""))
}

fn with_stage(step: &Step, stage: ActionStage, name: String) -> String {
    match stage {
        // A step of the machine's own: it is all there is of it.
        _ if matches!(step.body, StepBody::Run { .. }) => name,
        ActionStage::Pre => format!("Pre {name}"),
        ActionStage::Main => name,
        ActionStage::Post => format!("Post {name}"),
    }
}

/// The `inputs` and the environment that the steps of a scope inherit. Inside a running composite
/// action they were settled when it began; before and after it they are evaluated anew, as GitHub
/// does (which is why actions save what their post stage needs).
fn ground(
    state: &State,
    plan: &Plan,
    world: &dyn World,
    scope: &Scope,
    stage: ActionStage,
) -> Result<Ground, Wrong> {
    let Some(caller) = &scope.caller else { return Ok(Ground::default()) };
    if stage == ActionStage::Main {
        return Ok(Ground { inputs: Some(caller.inputs.clone()), env: caller.env.clone() });
    }
    let task = Task { stage, ..caller.task.clone() };
    let stand = Stand::new(state, plan, world, &task)?;
    let env = stand.env_within()?;
    let inputs = stand.inputs(&env)?;
    Ok(Ground { inputs: Some(texts_as_value(&inputs.texts)), env })
}

/// The action behind `uses`; none while a local one was not read, and for other steps.
pub(crate) fn called_action<'a>(
    state: &'a State,
    plan: &'a Plan,
    scope: &Scope,
    step: &Step,
) -> Option<&'a Action> {
    let StepBody::Uses { uses, .. } = &step.body else { return None };
    let key = action_key(scope.caller.as_ref().map(|caller| &caller.action), uses);
    state.actions.get(&*key).or_else(|| plan.actions.get(&*key))
}

/// The text an action is known by. `$/path` means the repository of the file it stands in.
pub fn action_key(within: Option<&Action>, uses: &Uses) -> String {
    match (uses, within) {
        (Uses::SelfForm { path }, Some(Action { repository: Some(repository), reference, .. })) => {
            format!("{repository}/{path}@{}", reference.as_deref().unwrap_or(""))
        }
        _ => uses.to_string(),
    }
}

fn stage_condition(action: &Action, stage: ActionStage) -> Option<&Condition> {
    let ActionRuns::Node { pre_if, post_if, .. } = &action.manifest.runs else { return None };
    match stage {
        ActionStage::Pre => pre_if.as_ref(),
        ActionStage::Main => None,
        ActionStage::Post => post_if.as_ref(),
    }
}

fn warnings(action: &Action, given: &IndexMap<String, String>) -> Vec<String> {
    let inputs = &action.manifest.inputs;
    let find = |name: &str| inputs.iter().find(|input| input.name.value.eq_ignore_ascii_case(name));
    let unexpected: Vec<String> = given
        .keys()
        // What a Docker action takes beside its inputs.
        .filter(|name| !matches!(name.as_str(), "entryPoint" | "args") && find(name).is_none())
        .map(|name| format!("'{name}'"))
        .collect();
    let mut warnings = Vec::new();
    if !unexpected.is_empty() {
        let valid: Vec<String> =
            inputs.iter().map(|input| format!("'{}'", input.name.value)).collect();
        warnings.push(format!(
            "Unexpected input(s) {}, valid inputs are [{}]",
            unexpected.join(", "),
            valid.join(", ")
        ));
    }
    for name in given.keys() {
        if let Some(message) = find(name).and_then(|input| input.deprecation_message.as_ref()) {
            warnings.push(format!(
                "Input '{name}' has been deprecated with message: {}",
                message.value
            ));
        }
    }
    warnings
}
