//! Jobs that call a reusable workflow (conformance 117 to 125).

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{DeclaredJob, JobKey, RunEvent, WorkflowCall};
use expr::{Object, Value};
use syntax::Span;
use workflow::{
    CallJob, CallSecrets, Input, InputKind, Job, Template, TemplateKey, TemplateKind, Trigger,
};

use super::{Fault, Planning, fields};
use crate::contexts::JobContexts;
use crate::definitions::{File, called_key};
use crate::limits::{CALL_DEPTH_MAX, RUN_JOBS_MAX};

impl Planning<'_> {
    /// The called file and the evaluated inputs.
    pub(super) fn call(
        &self,
        call: &CallJob,
        job: &Job,
        contexts: &JobContexts<'_>,
    ) -> Result<WorkflowCall, Fault> {
        let span = call.with.as_ref().map_or(job.id.span, workflow::Template::span);
        let scope = self.run.node(self.id).scope;
        let file = called_key(self.file_key(), &call.uses);
        let files: Vec<_> =
            self.run.callers(scope).map(|it| self.run.node(it).planned().call.as_ref()).collect();
        if files.iter().flatten().any(|above| above.file == file) {
            let message = format!("the workflow `{file}` calls itself");
            return Err(Fault::at(job.id.span, message));
        }
        // The run's own file, one for each caller above, and this one.
        if files.len() + 2 > CALL_DEPTH_MAX {
            let message = format!("workflows are nested deeper than {CALL_DEPTH_MAX}");
            return Err(Fault::at(job.id.span, message));
        }
        let called = self.files.file(Some(&file)).ok_or_else(|| {
            let uses = &call.uses;
            Fault::at(job.id.span, format!("the called workflow `{uses}` could not be read"))
        })?;
        let trigger = called.workflow.on.get("workflow_call").ok_or_else(|| {
            let message = format!("`{file}` cannot be called: it has no `workflow_call` trigger");
            Fault::at(job.id.span, message)
        })?;
        let given = fields::optional(call.with.as_ref(), contexts)?;
        let given = match given {
            None => Object::new(),
            Some(Value::Object(object)) => object.as_ref().clone(),
            Some(_) => return Err(Fault::at(span, "with: a mapping was expected")),
        };
        let inputs = self.inputs(trigger, &given, contexts, span)?;
        check_secrets(call, trigger, job.id.span)?;
        Ok(WorkflowCall { file, inputs: Value::from(inputs).to_json() })
    }

    /// Conformance 119: missing, extra and wrongly typed inputs are errors.
    fn inputs(
        &self,
        trigger: &Trigger,
        given: &Object,
        contexts: &JobContexts<'_>,
        span: Span,
    ) -> Result<Object, Fault> {
        let declared = |name: &str| {
            trigger.inputs.iter().any(|input| input.name.value.eq_ignore_ascii_case(name))
        };
        if let Some((name, _)) = given.iter().find(|(name, _)| !declared(name)) {
            return Err(Fault::at(span, format!("with: the workflow has no input `{name}`")));
        }
        let mut inputs = Object::new();
        for input in &trigger.inputs {
            let name = &input.name.value;
            let value = match given.get(name) {
                Some(value) => typed(input, value)
                    .ok_or_else(|| Fault::at(span, format!("with: `{name}` has the wrong type")))?,
                None if input.required => {
                    return Err(Fault::at(span, format!("with: the input `{name}` is required")));
                }
                None => self.default_of(input, contexts)?,
            };
            inputs.insert(name.clone(), value);
        }
        Ok(inputs)
    }

    /// The default, evaluated where it stands (conformance 60), else that of the type.
    fn default_of(&self, input: &Input, contexts: &JobContexts<'_>) -> Result<Value, Fault> {
        let Some(default) = &input.default else { return Ok(empty(input)) };
        // The span is one of the called file: the message names the input instead.
        let name = &input.name.value;
        let wrong =
            |why: String| Fault { message: format!("default of `{name}`: {why}"), span: None };
        let value = default.evaluate(contexts).map_err(|error| wrong(error.to_string()))?;
        typed(input, &value).ok_or_else(|| wrong("it has the wrong type".to_owned()))
    }
}

/// What a call gives to the workflow it calls, as far as it can be told before anything runs.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    /// Declared inputs with the values they will have; none where only the run tells.
    pub inputs: Vec<(Arc<str>, Option<Value>)>,
    /// What the called workflow will not take.
    pub faults: Vec<Fault>,
}

/// Compares a call with what the called workflow declares (conformance 119, 120). `known` evaluates
/// what can be evaluated already; `place` is where a call without `with` is blamed.
pub fn foresee_call(
    call: &CallJob,
    trigger: &Trigger,
    place: Span,
    known: &dyn Fn(&Template) -> Option<Value>,
) -> Foreseen {
    let mut foreseen = Foreseen::default();
    let given = Given::foresee(call.with.as_ref(), place, known);
    for (name, at, _) in &given.entries {
        if !trigger.inputs.iter().any(|input| input.name.value.eq_ignore_ascii_case(name)) {
            let message = format!("with: the workflow has no input `{name}`");
            foreseen.faults.push(Fault::at(*at, message));
        }
    }
    for input in &trigger.inputs {
        let name = &input.name.value;
        let entry = given.entries.iter().find(|(it, ..)| it.eq_ignore_ascii_case(name));
        let value = match entry {
            Some((_, at, value)) => {
                let typed = value.as_ref().map(|value| typed(input, value));
                if matches!(typed, Some(None)) {
                    let message = format!("with: `{name}` has the wrong type");
                    foreseen.faults.push(Fault::at(*at, message));
                }
                typed.flatten()
            }
            None if !given.is_whole => None,
            None if input.required => {
                let message = format!("with: the input `{name}` is required");
                foreseen.faults.push(Fault::at(given.place, message));
                None
            }
            None => match &input.default {
                None => Some(empty(input)),
                Some(default) => known(default).and_then(|value| typed(input, &value)),
            },
        };
        foreseen.inputs.push((Arc::clone(name), value));
    }
    foreseen.faults.extend(check_secrets(call, trigger, place).err());
    foreseen
}

/// The entries of a `with`.
struct Given {
    entries: Vec<(Arc<str>, Span, Option<Value>)>,
    /// Whether there can be no others.
    is_whole: bool,
    place: Span,
}

impl Given {
    fn foresee(
        with: Option<&Template>,
        place: Span,
        known: &dyn Fn(&Template) -> Option<Value>,
    ) -> Given {
        let Some(with) = with else {
            return Given { entries: Vec::new(), is_whole: true, place };
        };
        let place = with.span();
        if let TemplateKind::Mapping(entries) = with.kind() {
            let named = |(key, value): &(TemplateKey, Template)| match key {
                TemplateKey::Text(name) => Some((name.value.clone(), name.span, known(value))),
                _ => None,
            };
            let named: Vec<_> = entries.iter().filter_map(named).collect();
            if named.len() == entries.len() {
                return Given { entries: named, is_whole: true, place };
            }
        }
        match known(with) {
            Some(Value::Object(object)) => {
                let entry =
                    |(name, value): (&str, &Value)| (Arc::from(name), place, Some(value.clone()));
                Given { entries: object.iter().map(entry).collect(), is_whole: true, place }
            }
            _ => Given { entries: Vec::new(), is_whole: false, place },
        }
    }
}

/// The value of an input that nobody gives and that has no default (conformance 119).
fn empty(input: &Input) -> Value {
    match &input.kind {
        InputKind::Boolean => Value::Bool(false),
        InputKind::Number => Value::Number(0.0),
        _ => Value::from(""),
    }
}

/// Conformance 120: only declared secrets are passed, and all that are required. Which values they
/// have is not asked here; with `inherit` the called workflow takes what there is.
fn check_secrets(call: &CallJob, trigger: &Trigger, span: Span) -> Result<(), Fault> {
    let template = match &call.secrets {
        Some(CallSecrets::Inherit) => return Ok(()),
        Some(CallSecrets::Map(template)) => Some(template),
        None => None,
    };
    let entries = match template.map(workflow::Template::kind) {
        Some(TemplateKind::Mapping(entries)) => entries.as_slice(),
        _ => &[],
    };
    let mut given = Vec::with_capacity(entries.len());
    for (key, _) in entries {
        let TemplateKey::Text(name) = key else {
            // Names that only expressions over secrets give are not known before the job.
            return Ok(());
        };
        let is_declared =
            trigger.secrets.iter().any(|it| it.name.value.eq_ignore_ascii_case(&name.value));
        if !is_declared {
            let message = format!("secrets: the workflow has no secret `{}`", name.value);
            return Err(Fault::at(name.span, message));
        }
        given.push(&name.value);
    }
    let is_missing = |name: &str| !given.iter().any(|it| it.eq_ignore_ascii_case(name));
    let missing = trigger.secrets.iter().find(|it| it.required && is_missing(&it.name.value));
    match missing {
        None => Ok(()),
        Some(secret) => {
            let message = format!("secrets: the secret `{}` is required", secret.name.value);
            Err(Fault::at(template.map_or(span, workflow::Template::span), message))
        }
    }
}

/// The value in the input's type; text is read as one (conformance 119).
fn typed(input: &Input, value: &Value) -> Option<Value> {
    match (&input.kind, value) {
        (_, Value::Array(_) | Value::Object(_)) => None,
        (InputKind::Boolean, Value::Bool(_)) | (InputKind::Number, Value::Number(_)) => {
            Some(value.clone())
        }
        (InputKind::Boolean, Value::String(text)) => match &**text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        (InputKind::Number, Value::String(_)) => {
            let number = value.to_number();
            (!number.is_nan()).then_some(Value::Number(number))
        }
        (InputKind::Boolean | InputKind::Number, _) => None,
        _ => Some(Value::String(value.to_text())),
    }
}

/// The jobs of a file as they stand there: those that are wanted, and what they need.
pub(crate) fn declare(
    file: &File,
    key: Option<String>,
    parent: Option<&JobKey>,
    wanted: &[String],
    room: usize,
) -> Result<RunEvent, Fault> {
    let job_key = |id: &str| match parent {
        None => JobKey::new(id),
        Some(parent) => JobKey::new(format!("{parent}/{id}")),
    };
    let chosen = chosen(file, wanted)?;
    let is_chosen = |id: &str| chosen.as_ref().is_none_or(|chosen| chosen.contains(id));
    let mut jobs = Vec::new();
    for job in file.workflow.jobs.iter().filter(|job| is_chosen(&job.id.value)) {
        jobs.push(DeclaredJob {
            key: job_key(&job.id.value),
            id: job.id.value.clone(),
            needs: needs(file, job)?.iter().map(|id| job_key(id)).collect(),
        });
    }
    if jobs.len() > room {
        let message = format!("the run has more than {RUN_JOBS_MAX} jobs");
        return Err(Fault { message, span: None });
    }
    Ok(RunEvent::JobsDeclared { parent: parent.cloned(), file: key, jobs })
}

/// Ids of the needed jobs, each once.
fn needs<'f>(file: &'f File, job: &Job) -> Result<BTreeSet<&'f str>, Fault> {
    let known = |need: &workflow::Text| {
        let found = file.job(&need.value).map(|job| &*job.id.value);
        found.ok_or_else(|| Fault::at(need.span, format!("there is no job `{}`", need.value)))
    };
    job.needs.iter().map(known).collect()
}

fn chosen(file: &File, wanted: &[String]) -> Result<Option<BTreeSet<String>>, Fault> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut chosen = BTreeSet::new();
    let mut open: Vec<String> = wanted.to_vec();
    while let Some(id) = open.pop() {
        let Some(job) = file.job(&id) else {
            let message = format!("there is no job `{id}` in the workflow");
            return Err(Fault { message, span: None });
        };
        if chosen.insert(id) {
            open.extend(needs(file, job)?.into_iter().map(str::to_owned));
        }
    }
    Ok(Some(chosen))
}
