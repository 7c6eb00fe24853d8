//! What differs between two runs: what they were made from, and what became of each job and step.
//!
//! For "it fails there and passes here": first the causes (commit, inputs, variables, secrets that
//! were set), then the effects. What is equal is not said. Jobs are matched by their keys, which are
//! the same for the same leg of the same matrix.

use std::collections::{BTreeMap, BTreeSet};

use event::{JobKey, RunRequest, StepKey};
use serde_json::Value as Json;

use crate::{JobView, RunView, StepView};

/// A time that is this many times another is worth a look ...
const SLOWER_TIMES: u64 = 2;
/// ... where it is longer by this much: short times vary by themselves.
const SLOWER_MS: u64 = 1000;

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: nothing for the run as a whole.
    pub job: Option<JobKey>,
    /// Where in the job.
    pub step: Option<StepKey>,
    /// What: `commit`, `input NAME`, `conclusion`, ...
    pub what: String,
    /// In the first run; none where it has no such thing.
    pub first: Option<String>,
    /// In the second run.
    pub second: Option<String>,
}

/// A run with what it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'r> {
    /// What it was made from.
    pub request: &'r RunRequest,
    /// What became of it.
    pub view: &'r RunView,
}

/// What jobs that were carried over did, and artifacts of attempts before, are told by those attempts: taken from
/// `earlier`, the oldest first. What none of them tells stays as it is.
pub fn take_in(view: &mut RunView, earlier: &[RunView]) {
    for job in &mut view.jobs {
        let Some(from) = job.carried_from else { continue };
        let attempt = earlier.iter().find(|it| it.header.attempt == from);
        if let Some(done) = attempt.and_then(|it| it.job(&job.key)) {
            *job = done.clone();
            job.carried_from = Some(from);
        }
    }
    view.take_artifacts(earlier);
}

/// Everything that differs: causes, then jobs in the order of the first run, then artifacts.
pub fn compare(first: Compared<'_>, second: Compared<'_>) -> Vec<Difference> {
    let mut found = Found::default();
    found.causes(first.request, second.request);
    found.differ("conclusion", Some(first.view.state()), Some(second.view.state()));
    let jobs = first.view.in_order().into_iter().map(|(_, job)| job);
    let only_second = second.view.in_order().into_iter().map(|(_, job)| job);
    for job in jobs {
        found.at(Some(&job.key), None);
        match second.view.job(&job.key) {
            Some(other) => found.jobs(job, other),
            None => found.differ("job", Some(job.state()), None),
        }
    }
    for job in only_second.filter(|job| first.view.job(&job.key).is_none()) {
        found.at(Some(&job.key), None);
        found.differ("job", None, Some(job.state()));
    }
    found.at(None, None);
    found.artifacts(first.view, second.view);
    found.found
}

#[derive(Default)]
struct Found {
    job: Option<JobKey>,
    step: Option<StepKey>,
    found: Vec<Difference>,
}

impl Found {
    /// What follows is about this.
    fn at(&mut self, job: Option<&JobKey>, step: Option<&StepKey>) {
        self.job = job.cloned();
        self.step = step.cloned();
    }

    fn differ(&mut self, what: &str, first: Option<&str>, second: Option<&str>) {
        if first == second {
            return;
        }
        self.found.push(Difference {
            job: self.job.clone(),
            step: self.step.clone(),
            what: what.to_owned(),
            first: first.map(str::to_owned),
            second: second.map(str::to_owned),
        });
    }

    fn causes(&mut self, first: &RunRequest, second: &RunRequest) {
        let mut differ = |what: &str, of: &dyn Fn(&RunRequest) -> String| {
            self.differ(what, Some(&of(first)), Some(&of(second)));
        };
        differ("repository", &|it| it.repository.to_string());
        differ("commit", &|it| it.change.commit.to_string());
        differ("uncommitted files", &|it| it.change.uncommitted.to_string());
        differ("event", &|it| it.event.name.to_string());
        differ("ref", &|it| it.event.git_ref.to_string());
        differ("actor", &|it| it.actor.to_string());
        differ("workflow", &|it| it.workflow.path.to_string());
        differ("selected jobs", &|it| it.selection.jobs.join(", "));
        if first.workflow.path == second.workflow.path
            && first.workflow.text != second.workflow.text
        {
            let lines = first_different_line(&first.workflow.text, &second.workflow.text);
            self.differ(&format!("workflow file, line {}", lines.0), lines.1, lines.2);
        }
        self.values("input", &first.inputs, &second.inputs);
        self.values("variable", &first.vars, &second.vars);
        let secrets = first.secret_names.iter().chain(&second.secret_names);
        for name in secrets.collect::<BTreeSet<_>>() {
            let word =
                |it: &RunRequest| if it.secret_names.contains(name) { "set" } else { "not set" };
            self.differ(&format!("secret {name}"), Some(word(first)), Some(word(second)));
        }
    }

    /// Members of two JSON objects.
    fn values(&mut self, what: &str, first: &Json, second: &Json) {
        let names = [first, second].into_iter().filter_map(Json::as_object);
        let names: BTreeSet<&String> = names.flat_map(serde_json::Map::keys).collect();
        for name in names {
            let text = |object: &Json| {
                object.get(name).map(|value| match value {
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                })
            };
            let (first, second) = (text(first), text(second));
            self.differ(&format!("{what} {name}"), first.as_deref(), second.as_deref());
        }
    }

    fn jobs(&mut self, first: &JobView, second: &JobView) {
        self.differ("conclusion", Some(first.state()), Some(second.state()));
        let labels = |job: &JobView| {
            let labels: Vec<&str> = job.labels.iter().map(mask::MaskedText::as_str).collect();
            labels.join(", ")
        };
        self.differ("runs-on", Some(&labels(first)), Some(&labels(second)));
        self.differ("runner", first.runner.as_deref(), second.runner.as_deref());
        let outputs = |job: &JobView| -> BTreeMap<String, String> {
            job.outputs.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
        };
        let (ours, theirs) = (outputs(first), outputs(second));
        for name in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            let value = |of: &'_ BTreeMap<String, String>| of.get(name).cloned();
            let (one, other) = (value(&ours), value(&theirs));
            self.differ(&format!("output {name}"), one.as_deref(), other.as_deref());
        }
        let whole = |job: &JobView| {
            job.started_at.zip(job.completed_at).map(|(from, to)| to.0.saturating_sub(from.0))
        };
        self.times(whole(first), whole(second));
        self.steps(first, second);
        self.annotations(first, second);
    }

    fn steps(&mut self, first: &JobView, second: &JobView) {
        let by_key = |job: &JobView| -> BTreeMap<StepKey, usize> {
            job.steps.iter().enumerate().map(|(at, step)| (step.key.clone(), at)).collect()
        };
        let (ours, theirs) = (by_key(first), by_key(second));
        let job = Some(first.key.clone());
        for step in &first.steps {
            self.at(job.as_ref(), Some(&step.key));
            match theirs.get(&step.key).map(|at| &second.steps[*at]) {
                Some(other) => {
                    self.differ("name", Some(step.name.as_str()), Some(other.name.as_str()));
                    self.differ("outcome", outcome(step), outcome(other));
                    self.times(time(step), time(other));
                }
                None => self.differ("step", Some(outcome(step).unwrap_or("not ended")), None),
            }
        }
        for step in second.steps.iter().filter(|step| !ours.contains_key(&step.key)) {
            self.at(job.as_ref(), Some(&step.key));
            self.differ("step", None, Some(outcome(step).unwrap_or("not ended")));
        }
        self.at(job.as_ref(), None);
    }

    fn annotations(&mut self, first: &JobView, second: &JobView) {
        let messages = |job: &JobView| -> BTreeSet<String> {
            job.annotations.iter().map(|it| it.annotation.message.to_string()).collect()
        };
        let (ours, theirs) = (messages(first), messages(second));
        for message in ours.difference(&theirs) {
            self.differ("annotation", Some(message), None);
        }
        for message in theirs.difference(&ours) {
            self.differ("annotation", None, Some(message));
        }
    }

    fn times(&mut self, first: Option<u64>, second: Option<u64>) {
        let (Some(first), Some(second)) = (first, second) else { return };
        let (short, long) = (first.min(second), first.max(second));
        if long - short >= SLOWER_MS && long >= short.saturating_mul(SLOWER_TIMES) {
            let text = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
            self.differ("time", Some(&text(first)), Some(&text(second)));
        }
    }

    fn artifacts(&mut self, first: &RunView, second: &RunView) {
        let names = first.artifacts.keys().chain(second.artifacts.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let digest = |view: &RunView| view.artifacts.get(name).map(|it| it.blob.to_string());
            let (one, other) = (digest(first), digest(second));
            self.differ(&format!("artifact {name}"), one.as_deref(), other.as_deref());
        }
    }
}

fn outcome(step: &StepView) -> Option<&str> {
    step.outcome.map(event::Conclusion::as_str)
}

fn time(step: &StepView) -> Option<u64> {
    step.started_at.zip(step.completed_at).map(|(from, to)| to.0.saturating_sub(from.0))
}

/// Number of the first line that is not the same, with both; a text that ended before has none.
fn first_different_line<'t>(
    first: &'t str,
    second: &'t str,
) -> (usize, Option<&'t str>, Option<&'t str>) {
    let (mut ours, mut theirs) = (first.lines(), second.lines());
    let mut number = 1;
    loop {
        match (ours.next(), theirs.next()) {
            (one, other) if one == other && one.is_some() => number += 1,
            (one, other) => return (number, one, other),
        }
    }
}
