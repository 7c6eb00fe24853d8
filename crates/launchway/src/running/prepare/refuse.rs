//! What this machine cannot run: found before anything runs, by name and place, as far as it can be
//! told then; the rest when the job is about to start. Of the machine nothing is asked but whether Docker
//! answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{JobDefinition, RunRequest, Terms};
use expr::Value;
use syntax::{Diagnostic, Source, Span};
use workflow::{JobBody, Step, StepBody, StepsJob, Template, TemplateKey, TemplateKind, Uses};

use super::foreseen::{ForeseenJob, Known};

/// The machine that jobs are to run on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine<'a> {
    /// Its processor, as `std::env::consts::ARCH` has it.
    pub(crate) processor: &'a str,
    /// Labels and groups that a person says it has (`--label`).
    pub(crate) mapped: &'a [String],
    /// Docker answers here.
    pub(crate) has_docker: bool,
}

impl<'a> Machine<'a> {
    /// The one that this program was made for.
    pub(crate) fn here(mapped: &'a [String]) -> Machine<'a> {
        Machine { processor: std::env::consts::ARCH, mapped, has_docker: false }
    }

    /// The same, Docker included where it answers.
    pub(crate) fn with_docker(mapped: &'a [String]) -> Machine<'a> {
        let has_docker = docker::Engine::of(None).is_ok_and(|engine| engine.look().is_ok());
        Machine { has_docker, ..Machine::here(mapped) }
    }

    /// Whether a label means this machine: `ubuntu-*`, the usual words of self-hosted Linux runners
    /// with this processor, and what the person mapped.
    pub(crate) fn has(&self, label: &str) -> bool {
        self.is_mapped(label) || scheduler::is_linux_label(label, self.processor)
    }

    fn is_mapped(&self, name: &str) -> bool {
        self.mapped.iter().any(|it| it.eq_ignore_ascii_case(name))
    }
}

/// The rule of a label that this machine has not. A server has such a job wait.
pub(crate) const UNKNOWN_LABEL: &str = "unknown-label";

/// Everything in the jobs that needs what is not here.
pub(crate) fn refusals(jobs: &[ForeseenJob<'_>], machine: Machine<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for job in jobs {
        if let JobBody::Steps(body) = &job.job.body {
            let mut refusals = Refusals { job, machine, found: &mut found };
            refusals.look_at_job(body);
        }
    }
    found
}

/// A port of this machine that a service of a job asks for by its number.
#[derive(Clone, Debug)]
pub(crate) struct WantedPort {
    pub(crate) port: u16,
    job: String,
    source: Arc<Source>,
    span: Span,
}

impl WantedPort {
    /// Somebody has it.
    pub(crate) fn taken_by(&self, owner: &str) -> Diagnostic {
        let WantedPort { port, job, source, span } = self;
        let message = format!(
            "a service of the job '{job}' wants port {port} of this machine, which {owner} has"
        );
        let hint = format!(
            "stop it, or let the runner choose: `ports: [CONTAINER]` and `job.services.ID.ports` instead of {port}"
        );
        Diagnostic::error("port-taken", source, *span, message).hint(hint)
    }
}

/// The ports of this machine that services ask for, each once.
pub(crate) fn host_ports(jobs: &[ForeseenJob<'_>]) -> Vec<WantedPort> {
    let mut wanted: Vec<WantedPort> = Vec::new();
    for job in jobs {
        let JobBody::Steps(body) = &job.job.body else { continue };
        let Some(TemplateKind::Mapping(entries)) = body.services.as_ref().map(Template::kind)
        else {
            continue;
        };
        for ports in entries.iter().filter_map(|(_, service)| service.get("ports")) {
            let values = job.legs.iter().filter_map(|leg| leg.value(ports));
            let found = values.flat_map(|value| words(&value));
            for port in found.filter_map(|mapping| scheduler::host_port(&mapping)) {
                if wanted.iter().all(|it| it.port != port) {
                    wanted.push(WantedPort {
                        port,
                        job: job.job.id.value.to_string(),
                        source: Arc::clone(&job.workflow.source),
                        span: ports.span(),
                    });
                }
            }
        }
    }
    wanted
}

/// What keeps a job from starting that was not seen before: a label or group that an expression gave,
/// an environment that nobody agreed to.
///
/// # Errors
/// The reason, with what to do, as it is shown on the job.
pub(crate) fn at_start(
    request: &RunRequest,
    definition: &JobDefinition,
    terms: &Terms,
) -> Result<(), String> {
    let name = definition.name.as_str();
    let Some(environment) = &definition.environment else { return Ok(()) };
    let environment = environment.as_str();
    // Whoever is gated passed the gate.
    let is_agreed = || terms.environments.iter().any(|it| it.eq_ignore_ascii_case(environment));
    if !terms.gated && !is_agreed() {
        return Err(format!(
            "the job '{name}' runs in the environment {environment}, and nobody agreed to that; agree: --environment '{environment}'"
        ));
    }
    match request.change.uncommitted {
        0 => Ok(()),
        files => Err(format!(
            "the job '{name}' runs in the environment {environment}, and {} not committed; commit, or run what is committed: --committed",
            count_files(files)
        )),
    }
}

/// What `runs-on` of a job asks for and this machine is not. A server decides that when it places the
/// job.
pub(crate) fn elsewhere(definition: &JobDefinition, machine: Machine<'_>) -> Result<(), String> {
    let Some(runner) = &definition.runner else { return Ok(()) };
    let group = runner.group.as_ref().map(|group| ("group", group));
    let labels = runner.labels.iter().map(|label| ("label", label));
    for (kind, wanted) in labels.chain(group) {
        let wanted = wanted.as_str();
        let is_here = match kind {
            "label" => machine.has(wanted),
            _ => machine.is_mapped(wanted),
        };
        if !is_here {
            let what = not_here(machine, kind, wanted, definition.name.as_str());
            return Err(format!("{what}; {}", remedy(wanted)));
        }
    }
    Ok(())
}

/// "1 file is", "3 files are".
pub(crate) fn count_files(files: u64) -> String {
    if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") }
}

/// A label that no machine here has, in words.
fn not_here(machine: Machine<'_>, kind: &str, label: &str, job: &str) -> String {
    let lower = label.to_lowercase();
    let system = if lower.starts_with("windows") {
        "a machine with Windows"
    } else if lower.starts_with("macos") {
        "a machine with macOS"
    } else if lower.starts_with("ubuntu-") {
        "a machine with an ARM processor"
    } else {
        return format!("no runner here has the {kind} '{label}' that the job '{job}' asks for");
    };
    let processor = if machine.processor == "aarch64" { "ARM" } else { "x86-64" };
    format!("the job '{job}' asks for {system} ('{label}'), and this one runs Linux on {processor}")
}

fn remedy(label: &str) -> String {
    format!("if this machine will do: --label {label}=host; else leave it out: -j or --matrix")
}

struct Refusals<'a, 'f> {
    job: &'a ForeseenJob<'f>,
    machine: Machine<'a>,
    found: &'a mut Vec<Diagnostic>,
}

impl Refusals<'_, '_> {
    /// Legs say the same thing again; it is told once.
    fn refuse(&mut self, rule: &'static str, span: Span, message: String, hint: &str) {
        let source = &self.job.workflow.source;
        let finding = Diagnostic::error(rule, source, span, message).hint(hint);
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    fn id(&self) -> &str {
        &self.job.job.id.value
    }

    fn look_at_job(&mut self, job: &StepsJob) {
        let legs = &self.job.legs;
        // An expression is refused too: what it gives is known when it is too late.
        let container = job.container.as_ref().filter(|it| !is_empty(it));
        let contained = container.is_some() && self.machine.has_docker;
        if let Some(container) = container.filter(|_| !self.machine.has_docker) {
            let id = self.id();
            let message =
                format!("the job '{id}' runs in a container, and there is no Docker here");
            let hint = "run its steps on this machine instead: remove `container`; or leave the job out: -j OTHER";
            self.refuse("needs-docker", container.span(), message, hint);
        }
        if let Some(snapshot) = job.snapshot {
            let message =
                format!("the job '{}' makes a snapshot of GitHub's own machine", self.id());
            self.refuse("snapshot", snapshot, message, "only GitHub's hosted runners can do that");
        }
        for leg in legs {
            // Beside a container services are containers.
            if let Some(services) = job.services.as_ref().filter(|_| !contained) {
                self.look_at_services(services, leg);
            }
            self.look_at_runner(&job.runs_on, leg);
        }
        self.look_at_steps(&job.steps);
    }

    fn look_at_services(&mut self, services: &Template, leg: &Known) {
        let TemplateKind::Mapping(entries) = services.kind() else { return };
        for (key, service) in entries {
            if matches!(key, TemplateKey::Insert(_)) {
                continue;
            }
            let image = service.get("image").unwrap_or(service);
            let Some(text) = leg.text(image) else { continue };
            let plan = services::plan("service", &serde_json::json!({ "image": &*text }));
            if plan.is_err() {
                let message =
                    format!("the job '{}' wants the service {text}, which needs Docker", self.id());
                let hint = "without Docker postgres, redis, valkey, mysql and mariadb can be had, as local programs";
                self.refuse("needs-docker", image.span(), message, hint);
            }
        }
    }

    fn look_at_runner(&mut self, runs_on: &Template, leg: &Known) {
        let (labels, group) = match runs_on.kind() {
            TemplateKind::Mapping(_) => (runs_on.get("labels"), runs_on.get("group")),
            _ => (Some(runs_on), None),
        };
        let mut wanted: Vec<(&str, Span, String)> = Vec::new();
        let written = labels.into_iter().flat_map(|labels| match labels.kind() {
            TemplateKind::Sequence(items) => items.iter().collect(),
            _ => vec![labels],
        });
        for label in written {
            let Some(value) = leg.value(label) else { continue };
            wanted.extend(labels_in(&value).map(|(kind, text)| (kind, label.span(), text)));
        }
        if let Some(group) = group
            && let Some(text) = leg.text(group).filter(|text| !text.is_empty())
        {
            wanted.push(("group", group.span(), text.to_string()));
        }
        let mut seen = BTreeSet::new();
        for (kind, span, text) in wanted {
            let is_here = match kind {
                "label" => self.machine.has(&text),
                _ => self.machine.is_mapped(&text),
            };
            if !is_here && seen.insert(text.to_lowercase()) {
                let message = not_here(self.machine, kind, &text, self.id());
                self.refuse(UNKNOWN_LABEL, span, message, &remedy(&text));
            }
        }
    }

    fn look_at_steps(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.body {
                StepBody::Uses { uses: Uses::Docker { image }, .. } => {
                    let message = format!(
                        "a step of the job '{}' runs the image {image}, and there is no Docker here",
                        self.id()
                    );
                    self.refuse(
                        "needs-docker",
                        step.span,
                        message,
                        "run where Docker is, or replace the step",
                    );
                }
                StepBody::Parallel(steps) => self.look_at_steps(steps),
                _ => {}
            }
        }
    }
}

/// Labels and groups in a value that an expression gave for `runs-on` or a part of it.
fn labels_in(value: &Value) -> impl Iterator<Item = (&'static str, String)> {
    let (labels, group) = match value {
        Value::Object(object) => {
            let of = |key: &str| object.get(key).map(words).unwrap_or_default();
            (of("labels"), of("group"))
        }
        other => (words(other), Vec::new()),
    };
    let labels = labels.into_iter().map(|text| ("label", text));
    labels.chain(group.into_iter().map(|text| ("group", text)))
}

fn words(value: &Value) -> Vec<String> {
    let texts: Vec<_> = match value {
        Value::Array(items) => items.iter().map(Value::to_text).collect(),
        scalar => vec![scalar.to_text()],
    };
    texts.into_iter().filter(|text| !text.trim().is_empty()).map(|text| text.to_string()).collect()
}

fn is_empty(container: &Template) -> bool {
    container.literal_text().is_some_and(|text| text.is_empty())
}
