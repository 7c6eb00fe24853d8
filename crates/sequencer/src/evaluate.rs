//! What the expressions of a step see, and their values as the texts a step needs.

use std::fmt::Write as _;
use std::sync::Arc;

use event::Conclusion;
use expr::{Contexts, Object, StatusFunction, Value};
use indexmap::IndexMap;
use workflow::{ActionRuns, Condition, Template, TemplateError};

use crate::World;
use crate::deed::{ActionStage, FileCommandPaths};
use crate::plan::{Action, ActionHome, Plan};
use crate::state::{Scope, State, StepResult};

/// Where an expression stands: everything that its contexts are made from.
pub(crate) struct Sight<'a> {
    pub(crate) state: &'a State,
    pub(crate) plan: &'a Plan,
    pub(crate) world: &'a dyn World,
    /// The steps around it; none before the job has any.
    pub(crate) scope: Option<&'a Scope>,
    pub(crate) stage: ActionStage,
    /// `inputs` where it is a composite action's step.
    pub(crate) inputs: Option<Value>,
    /// `env`
    pub(crate) env: &'a IndexMap<String, String>,
    /// `github.action`
    pub(crate) action_key: Arc<str>,
    /// The action that the step is part of, or calls.
    pub(crate) action: Option<&'a Action>,
    /// `github.env`, `github.output` and the like.
    pub(crate) files: Option<&'a FileCommandPaths>,
}

/// An expression or what it stood for was wrong; fails its step (conformance 90).
#[derive(Clone, Debug)]
pub(crate) struct Wrong(pub(crate) String);

impl Wrong {
    /// Says which output of a job or of an action it is about: nothing else would tell.
    pub(crate) fn of_output(self, name: &str) -> Wrong {
        self.at(&format!("output '{name}'"))
    }

    /// Says where it stands.
    pub(crate) fn at(self, place: &str) -> Wrong {
        Wrong(format!("{place}: {}", self.0))
    }
}

impl From<TemplateError> for Wrong {
    fn from(error: TemplateError) -> Wrong {
        Wrong(with_sources(&error))
    }
}

/// An error and what caused it, in one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

impl Sight<'_> {
    pub(crate) fn value(&self, template: &Template) -> Result<Value, Wrong> {
        Ok(template.evaluate(self)?)
    }

    pub(crate) fn text(&self, template: &Template) -> Result<String, Wrong> {
        match self.value(template)? {
            Value::Array(_) | Value::Object(_) => {
                Err(Wrong("a text is expected, not a list or a mapping".to_owned()))
            }
            scalar => Ok(scalar.to_text().to_string()),
        }
    }

    /// A mapping from names to texts; nothing at all is an empty one.
    pub(crate) fn texts(&self, template: &Template) -> Result<IndexMap<String, String>, Wrong> {
        match self.value(template)? {
            Value::Null => Ok(IndexMap::new()),
            Value::Object(object) => object
                .iter()
                .map(|(name, value)| match value {
                    Value::Array(_) | Value::Object(_) => {
                        Err(Wrong(format!("'{name}' must be a text, not a list or a mapping")))
                    }
                    scalar => Ok((name.to_string(), scalar.to_text().to_string())),
                })
                .collect(),
            _ => Err(Wrong("a mapping is expected".to_owned())),
        }
    }

    pub(crate) fn boolean(&self, template: &Template) -> Result<bool, Wrong> {
        match self.value(template)? {
            Value::Bool(value) => Ok(value),
            Value::Null => Ok(false),
            other => match &*other.to_text() {
                "true" => Ok(true),
                "false" => Ok(false),
                text => Err(Wrong(format!("'{text}' is neither true nor false"))),
            },
        }
    }

    pub(crate) fn minutes(&self, template: &Template) -> Result<f64, Wrong> {
        let value = self.value(template)?;
        let number = value.to_number();
        if number.is_nan() {
            return Err(Wrong(format!("timeout-minutes: '{}' is not a number", value.to_text())));
        }
        Ok(number)
    }

    pub(crate) fn condition(&self, condition: &Condition) -> Result<bool, Wrong> {
        let value = condition.expr.evaluate(self).map_err(|error| Wrong(with_sources(&error)))?;
        Ok(value.is_truthy())
    }

    /// The status that `success()` and its kin ask for (conformance 89).
    pub(crate) fn status(&self) -> Conclusion {
        match (self.stage, self.scope) {
            (ActionStage::Main, Some(scope)) if scope.caller.is_some() => {
                match (self.state.is_cancelled, scope.has_failed) {
                    (true, _) => Conclusion::Cancelled,
                    (false, true) => Conclusion::Failure,
                    (false, false) => Conclusion::Success,
                }
            }
            _ => self.state.status(),
        }
    }

    /// `github`: what does not change, and what depends on the step.
    pub(crate) fn github(&self) -> Value {
        let mut github = match self.plan.contexts.get("github") {
            Some(Value::Object(object)) => Object::clone(object),
            _ => Object::new(),
        };
        let mut put = |name: &str, text: &str| drop(github.insert(name, text));
        put("action", &self.action_key);
        for (_, name, path) in self.files.iter().flat_map(|files| files.each()) {
            put(name, path);
        }
        if let Some(action) = self.action {
            put("action_repository", action.repository.as_deref().unwrap_or(""));
            put("action_ref", action.reference.as_deref().unwrap_or(""));
            // GitHub gives the path to composite actions only.
            if let (ActionHome::Folder(folder), ActionRuns::Composite { .. }) =
                (&action.home, &action.manifest.runs)
            {
                put("action_path", folder);
            }
        }
        if self.scope.is_some_and(|scope| scope.caller.is_some()) {
            put("action_status", self.status().as_str());
        }
        Value::Object(Arc::new(github))
    }

    /// `job` (conformance 68): what does not change, and what depends on the moment.
    fn job(&self) -> Value {
        let mut job = match self.plan.contexts.get("job") {
            Some(Value::Object(object)) => Object::clone(object),
            _ => Object::new(),
        };
        job.insert("status", Value::String(self.state.status().as_str().into()));
        job.insert("services", self.plan.services.clone());
        job.insert("container", self.plan.container.clone());
        Value::Object(Arc::new(job))
    }

    fn steps(&self) -> Value {
        let mut steps = Object::new();
        for (id, result) in self.scope.iter().flat_map(|scope| &scope.results) {
            steps.insert(Arc::clone(id), result.as_value());
        }
        Value::Object(Arc::new(steps))
    }
}

impl StepResult {
    fn as_value(&self) -> Value {
        let mut result = Object::new();
        result.insert("outputs", texts_as_value(&self.outputs));
        result.insert("outcome", Value::String(self.outcome.as_str().into()));
        result.insert("conclusion", Value::String(self.conclusion.as_str().into()));
        Value::Object(Arc::new(result))
    }
}

/// Texts as an object.
pub(crate) fn texts_as_value(texts: &IndexMap<String, String>) -> Value {
    let mut object = Object::new();
    for (name, text) in texts {
        object.insert(name.as_str(), text.as_str());
    }
    Value::Object(Arc::new(object))
}

/// The `env` context: on Linux names differ by case (conformance 79).
fn env_as_value(env: &IndexMap<String, String>) -> Value {
    let mut object = Object::case_sensitive();
    object.extend(env.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    Value::from(object)
}

impl Contexts for Sight<'_> {
    fn context(&self, name: &str) -> Option<Value> {
        Some(match name {
            "github" => self.github(),
            "env" => env_as_value(self.env),
            "job" => self.job(),
            "steps" => self.steps(),
            "inputs" if self.inputs.is_some() => self.inputs.clone()?,
            other => self.plan.contexts.get(other).cloned()?,
        })
    }

    fn status(&self, function: StatusFunction, _names: &[String]) -> Result<bool, String> {
        let status = Sight::status(self);
        Ok(match function {
            StatusFunction::Always => true,
            StatusFunction::Success => status == Conclusion::Success,
            StatusFunction::Failure => status == Conclusion::Failure,
            StatusFunction::Cancelled => self.state.is_cancelled,
        })
    }

    fn hash_files(&self, patterns: &[String]) -> Result<String, String> {
        self.world.hash_files(patterns)
    }
}
