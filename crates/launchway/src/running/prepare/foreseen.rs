//! What can be told of a run's jobs before anything runs: which are wanted, what their expressions
//! will say, and whether the workflows they call take what they are given.
//!
//! A request in, jobs and findings out. An expression has a value here when it looks at nothing but
//! `github`, `vars`, `inputs` and a matrix that is written out or made of these; what only the run
//! tells (`needs`) has none, and whoever asks says so or looks again when the job starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{RunRequest, Selection};
use expr::{Contexts, Expr, Object, Segment, StatusFunction, Value};
use scheduler::called_key;
use syntax::{Diagnostic, Source};
use workflow::{CallJob, Job, JobBody, Strategy, Template, Text, Trigger, Workflow, matrix};

/// Jobs that are looked at: those of the largest run. What lies beyond is judged when it starts.
const LOOKS_MAX: usize = 10_000;
/// Calls within calls, the run's own file counted (conformance 118).
const DEPTH_MAX: usize = 10;

/// The files of a run, parsed: its own, and the called ones by their keys.
pub(crate) struct RunFiles {
    main: Option<Workflow>,
    called: BTreeMap<String, Workflow>,
}

impl RunFiles {
    pub(crate) fn of(request: &RunRequest) -> RunFiles {
        let read =
            |file: &event::WorkflowFile| workflow::read(&Source::new(&*file.path, &*file.text)).0;
        let called =
            request.called.iter().filter_map(|(key, file)| Some((key.clone(), read(file)?)));
        RunFiles { main: read(&request.workflow), called: called.collect() }
    }
}

/// A job that is to run, and what is known of each of its legs.
pub(crate) struct ForeseenJob<'f> {
    pub(crate) workflow: &'f Workflow,
    pub(crate) job: &'f Job,
    /// One for each leg; one in all where the matrix is not known.
    pub(crate) legs: Vec<Known>,
}

/// The jobs of a run as far as they can be told, those of called workflows among them.
#[derive(Default)]
pub(crate) struct Foreseen<'f> {
    pub(crate) jobs: Vec<ForeseenJob<'f>>,
    /// Calls that the called workflow will not take.
    pub(crate) findings: Vec<Diagnostic>,
}

/// Looks ahead.
pub(crate) fn foresee<'f>(files: &'f RunFiles, request: &RunRequest) -> Foreseen<'f> {
    let mut looking =
        Looking { files, selection: &request.selection, foreseen: Foreseen::default() };
    if let Some(main) = &files.main {
        let known = Known {
            github: scheduler::github_context(request, main),
            vars: Value::from_json(&request.vars),
            inputs: Inputs::whole(Value::from_json(&request.inputs)),
            leg: None,
        };
        let wanted = closure(main, &request.selection.jobs);
        let jobs = main.jobs.iter().filter(|job| wanted.contains(&*job.id.value));
        looking.file(main, None, jobs.collect(), &known, 1);
    }
    looking.foreseen
}

/// The named jobs with all that they need; all jobs where none is named.
pub(crate) fn closure<'w>(workflow: &'w Workflow, named: &[String]) -> BTreeSet<&'w str> {
    let job = |id: &str| workflow.jobs.iter().find(|job| job.id.value.eq_ignore_ascii_case(id));
    let mut open: Vec<&Job> = match named {
        [] => workflow.jobs.iter().collect(),
        named => named.iter().filter_map(|id| job(id)).collect(),
    };
    let mut wanted = BTreeSet::new();
    while let Some(next) = open.pop() {
        if wanted.insert(&*next.id.value) {
            open.extend(next.needs.iter().filter_map(|need| job(&need.value)));
        }
    }
    wanted
}

struct Looking<'f, 's> {
    files: &'f RunFiles,
    selection: &'s Selection,
    foreseen: Foreseen<'f>,
}

impl<'f> Looking<'f, '_> {
    fn file(
        &mut self,
        workflow: &'f Workflow,
        key: Option<&str>,
        jobs: Vec<&'f Job>,
        known: &Known,
        depth: usize,
    ) {
        let skipped = known.skipped(&jobs);
        for job in jobs.into_iter().filter(|job| !skipped.contains(&*job.id.value)) {
            if self.foreseen.jobs.len() >= LOOKS_MAX {
                return;
            }
            let legs = self.legs(job, known);
            if let JobBody::Call(call) = &job.body {
                self.call(workflow, key, (job, call), &legs, depth);
            }
            self.foreseen.jobs.push(ForeseenJob { workflow, job, legs });
        }
    }

    /// The called file, once for each set of inputs that the legs give.
    fn call(
        &mut self,
        workflow: &'f Workflow,
        key: Option<&str>,
        (job, call): (&'f Job, &'f CallJob),
        legs: &[Known],
        depth: usize,
    ) {
        let called_key = called_key(key, &call.uses);
        let files = self.files;
        let Some(called) = files.called.get(&called_key).filter(|_| depth < DEPTH_MAX) else {
            return;
        };
        let Some(trigger) = called.on.get("workflow_call") else { return };
        let mut seen = BTreeSet::new();
        for leg in legs {
            let inputs = self.inputs(workflow, (job, call), trigger, leg);
            if seen.insert(inputs.to_text()) {
                let known = Known { inputs, leg: None, ..leg.clone() };
                let jobs = called.jobs.iter().collect();
                self.file(called, Some(&called_key), jobs, &known, depth + 1);
            }
        }
    }

    fn inputs(
        &mut self,
        workflow: &Workflow,
        (job, call): (&Job, &CallJob),
        trigger: &Trigger,
        leg: &Known,
    ) -> Inputs {
        let place = job.id.span;
        let foreseen = scheduler::foresee_call(call, trigger, place, &|it| leg.value(it));
        for fault in foreseen.faults {
            let span = fault.span.unwrap_or(place);
            let finding =
                Diagnostic::error("called-workflow", &workflow.source, span, fault.message)
                    .hint(takes(trigger));
            if !self.foreseen.findings.contains(&finding) {
                self.foreseen.findings.push(finding);
            }
        }
        let mut inputs = Inputs { values: Object::new(), open: BTreeSet::new() };
        for (name, value) in foreseen.inputs {
            if let Some(value) = value {
                inputs.values.insert(name, value);
            } else {
                inputs.open.insert(name.to_lowercase());
            }
        }
        inputs
    }

    /// What is known of each leg that is wanted.
    fn legs(&self, job: &Job, known: &Known) -> Vec<Known> {
        let matrix = match &job.strategy {
            None => Some(Value::Null),
            Some(Strategy::Written { matrix, .. }) => {
                matrix.as_ref().map_or(Some(Value::Null), |matrix| known.value(matrix))
            }
            Some(Strategy::Expression(template)) => match known.value(template) {
                Some(Value::Object(strategy)) => {
                    Some(strategy.get("matrix").cloned().unwrap_or(Value::Null))
                }
                _ => None,
            },
        };
        let legs = matrix.and_then(|matrix| matrix::expand(&matrix).ok());
        let Some(legs) = legs else { return vec![known.clone()] };
        let wanted = legs.iter().filter(|leg| scheduler::is_wanted(leg, &self.selection.matrix));
        wanted.map(|leg| Known { leg: Some(leg.matrix.clone()), ..known.clone() }).collect()
    }
}

/// What a called workflow declares, for whoever called it wrongly.
fn takes(trigger: &Trigger) -> String {
    let list = |kind: &str, names: Vec<&str>| match names.as_slice() {
        [] => format!("no {kind}"),
        names => format!("the {kind} {}", names.join(", ")),
    };
    let inputs = trigger.inputs.iter().map(|input| &*input.name.value).collect();
    let secrets = trigger.secrets.iter().map(|secret| &*secret.name.value).collect();
    format!("it takes {} and {}", list("inputs", inputs), list("secrets", secrets))
}

/// What expressions of a job can see before anything runs.
#[derive(Clone)]
pub(crate) struct Known {
    github: Value,
    vars: Value,
    inputs: Inputs,
    /// `matrix`, where it is known; null without one.
    leg: Option<Value>,
}

/// `inputs`, some of which only the run tells.
#[derive(Clone)]
struct Inputs {
    values: Object,
    /// In lower case.
    open: BTreeSet<String>,
}

impl Inputs {
    fn whole(inputs: Value) -> Inputs {
        let values = match inputs {
            Value::Object(object) => object.as_ref().clone(),
            _ => Object::new(),
        };
        Inputs { values, open: BTreeSet::new() }
    }

    fn to_text(&self) -> String {
        format!("{} {:?}", Value::from(self.values.clone()).to_json(), self.open)
    }
}

impl Known {
    /// The value that a template will have, where that can be told.
    pub(crate) fn value(&self, template: &Template) -> Option<Value> {
        let is_known = template.expressions().iter().all(|it| self.knows(&it.expr));
        is_known.then(|| template.evaluate(self).ok()).flatten()
    }

    /// The same as text; nothing and null are empty.
    pub(crate) fn text(&self, template: &Template) -> Option<Arc<str>> {
        match self.value(template)? {
            Value::Array(_) | Value::Object(_) => None,
            value => Some(value.to_text()),
        }
    }

    fn knows(&self, expr: &Expr) -> bool {
        expr.references().iter().all(|reference| match reference.context.as_str() {
            "vars" => true,
            // The run's numbers are given when nothing is refused any more.
            "github" => match reference.segments.first() {
                Some(Segment::Name(name)) => !matches!(&**name, "run_id" | "run_number"),
                _ => false,
            },
            "matrix" => self.leg.is_some(),
            "inputs" => match reference.segments.first() {
                Some(Segment::Name(name)) => !self.inputs.open.contains(&name.to_lowercase()),
                _ => self.inputs.open.is_empty(),
            },
            _ => false,
        })
    }

    /// Ids of the jobs that will surely be skipped: by their condition, or because a job that they
    /// need is, and they do not ask how that went.
    fn skipped<'j>(&self, jobs: &[&'j Job]) -> BTreeSet<&'j str> {
        let mut skipped: BTreeSet<&str> = BTreeSet::new();
        loop {
            let before = skipped.len();
            for job in jobs {
                let needs_skipped = |need: &Text| skipped.contains(&*need.value);
                if self.never_runs(job) || !asks(job) && job.needs.iter().any(needs_skipped) {
                    skipped.insert(&job.id.value);
                }
            }
            if skipped.len() == before {
                return skipped;
            }
        }
    }

    /// Whether the job's condition is known to be false.
    fn never_runs(&self, job: &Job) -> bool {
        let Some(condition) = &job.condition else { return false };
        let expr = &condition.expr;
        let is_false =
            |contexts: &dyn Contexts| expr.evaluate(contexts).is_ok_and(|value| !value.is_truthy());
        self.knows(expr) && if asks(job) { is_false(self) } else { is_false(&IfAllGoesWell(self)) }
    }
}

/// Whether a job's condition asks how others went; by the words in it, wrong only to the safe side.
fn asks(job: &Job) -> bool {
    let Some(condition) = &job.condition else { return false };
    let written = condition.text.value.to_ascii_lowercase();
    ["success", "failure", "always", "cancelled"].iter().any(|it| written.contains(it))
}

/// For a condition that asks no status function: the `success()` that is meant before it can only
/// keep a job from running that the condition lets run.
struct IfAllGoesWell<'k>(&'k Known);

impl Contexts for IfAllGoesWell<'_> {
    fn context(&self, name: &str) -> Option<Value> {
        self.0.context(name)
    }

    fn status(&self, _: StatusFunction, _: &[String]) -> Result<bool, String> {
        Ok(true)
    }
}

impl Contexts for Known {
    fn context(&self, name: &str) -> Option<Value> {
        match name {
            "github" => Some(self.github.clone()),
            "vars" => Some(self.vars.clone()),
            "inputs" => Some(self.inputs.values.clone().into()),
            "matrix" => self.leg.clone().filter(|leg| !matches!(leg, Value::Null)),
            _ => None,
        }
    }
}
