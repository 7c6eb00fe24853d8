//! What this machine cannot run, found before anything runs, by name and place.

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::{Diagnostic, Source, Span};
use workflow::{Job, JobBody, Step, StepBody, StepsJob, Template, TemplateKind, Uses, Workflow};

/// Labels that mean "a Linux machine", which this is.
const LINUX_LABELS: &[&str] = &["self-hosted", "linux", "x64", "x86_64", "arm64"];

/// Everything in the wanted jobs that needs what is not here. `labels` are those the person mapped
/// to this host; `wanted` says whether a job is to run.
pub(crate) fn refusals(
    source: &Arc<Source>,
    workflow: &Workflow,
    labels: &BTreeMap<String, String>,
    wanted: &dyn Fn(&Job) -> bool,
) -> Vec<Diagnostic> {
    let mut found = Refusals { source, found: Vec::new() };
    for job in workflow.jobs.iter().filter(|job| wanted(job)) {
        if let JobBody::Steps(body) = &job.body {
            found.look_at_job(&job.id.value, body, labels);
        }
    }
    found.found
}

struct Refusals<'a> {
    source: &'a Arc<Source>,
    found: Vec<Diagnostic>,
}

impl Refusals<'_> {
    fn refuse(&mut self, rule: &'static str, span: Span, message: String, hint: &str) {
        self.found.push(Diagnostic::error(rule, self.source, span, message).hint(hint));
    }

    fn look_at_job(&mut self, id: &str, job: &StepsJob, labels: &BTreeMap<String, String>) {
        if let Some(container) = job.container.as_ref().filter(|it| !is_empty(it)) {
            let message =
                format!("the job '{id}' runs in a container, and there is no Docker here");
            let hint = "run its steps on this machine instead: remove `container`, or give it an expression that is empty here";
            self.refuse("needs-docker", container.span(), message, hint);
        }
        if let Some(snapshot) = job.snapshot {
            let message = format!("the job '{id}' makes a snapshot of GitHub's own machine");
            self.refuse("snapshot", snapshot, message, "only GitHub's hosted runners can do that");
        }
        if let Some(services) = &job.services {
            self.look_at_services(id, services);
        }
        self.look_at_labels(id, &job.runs_on, labels);
        self.look_at_steps(id, &job.steps);
    }

    fn look_at_services(&mut self, job: &str, services: &Template) {
        let TemplateKind::Mapping(entries) = services.kind() else { return };
        for (_, service) in entries {
            let image = service.get("image").unwrap_or(service);
            let Some(text) = image.literal_text() else { continue };
            let plan = services::plan("service", &serde_json::json!({ "image": &*text }));
            if plan.is_err() {
                let message =
                    format!("the job '{job}' wants the service {text}, which needs Docker");
                let hint = "without Docker postgres, redis, valkey, mysql and mariadb can be had, as local programs";
                self.refuse("needs-docker", image.span(), message, hint);
            }
        }
    }

    fn look_at_labels(&mut self, job: &str, runs_on: &Template, labels: &BTreeMap<String, String>) {
        let written = match runs_on.kind() {
            TemplateKind::Sequence(items) => items.iter().collect(),
            TemplateKind::Mapping(_) => runs_on.get("labels").into_iter().collect(),
            _ => vec![runs_on],
        };
        for label in written {
            let Some(text) = label.literal_text() else { continue };
            if !is_known(&text, labels) {
                let message =
                    format!("no runner here has the label '{text}' that the job '{job}' asks for");
                let hint = format!("if this machine will do: --label {text}=host");
                self.refuse("unknown-label", label.span(), message, &hint);
            }
        }
    }

    fn look_at_steps(&mut self, job: &str, steps: &[Step]) {
        for step in steps {
            match &step.body {
                StepBody::Uses { uses: Uses::Docker { image }, .. } => {
                    let message = format!(
                        "a step of the job '{job}' runs the image {image}, and there is no Docker here"
                    );
                    self.refuse(
                        "needs-docker",
                        step.span,
                        message,
                        "run where Docker is, or replace the step",
                    );
                }
                StepBody::Parallel(steps) => self.look_at_steps(job, steps),
                _ => {}
            }
        }
    }
}

/// Whether a label means this machine: `ubuntu-*`, the usual words of self-hosted Linux runners, and
/// what the person mapped.
pub(crate) fn is_known(label: &str, labels: &BTreeMap<String, String>) -> bool {
    let label = label.to_lowercase();
    label.starts_with("ubuntu-") || LINUX_LABELS.contains(&&*label) || labels.contains_key(&label)
}

fn is_empty(template: &Template) -> bool {
    template.literal_text().is_some_and(|text| text.is_empty())
}
