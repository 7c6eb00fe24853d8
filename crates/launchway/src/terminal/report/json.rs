//! One JSON object a line, as documented in `docs/json.md`.

use std::collections::BTreeMap;

use event::{JobKey, RunEvent, RunId, StepKey};
use serde_json::{Value as Json, json};

use super::{Reporter, lines};
use crate::terminal::style::{out, out_block};

/// Prints events that others may rely on.
#[derive(Default)]
pub(crate) struct JsonReporter {
    names: BTreeMap<(RunId, JobKey), String>,
    /// Name, and whether it runs in the background.
    steps: BTreeMap<(RunId, JobKey, StepKey), (String, bool)>,
    workflows: BTreeMap<RunId, String>,
}

impl Reporter for JsonReporter {
    fn event(&mut self, run: RunId, event: &RunEvent) {
        if let Some(line) = self.line(run, event) {
            out(&line.to_string());
        }
    }

    fn log(&mut self, run: RunId, job: &JobKey, step: &StepKey, block: &str) {
        let mut text = String::with_capacity(2 * block.len());
        for line in lines(block) {
            let line = json!({ "type": "log", "run": run, "job": job, "step": step, "text": line });
            text += &line.to_string();
            text.push('\n');
        }
        out_block(&text);
    }
}

impl JsonReporter {
    fn line(&mut self, run: RunId, event: &RunEvent) -> Option<Json> {
        match event {
            RunEvent::RunCreated(request) => {
                self.workflows.insert(run, request.workflow.path.to_string());
                Some(json!({
                    "type": "run_created", "run": run, "attempt": request.attempt,
                    "workflow": request.workflow.path, "title": request.title,
                    "event": request.event.name, "ref": request.event.git_ref,
                    "commit": request.change.commit, "uncommitted": request.change.uncommitted,
                }))
            }
            RunEvent::JobPlanned(job) => {
                self.names.insert((run, job.key.clone()), job.name.to_string());
                None
            }
            RunEvent::JobStarted { job, .. } => Some(json!({
                "type": "job_started", "run": run, "job": job, "name": self.name(run, job),
            })),
            RunEvent::JobSkipped { job, .. } => Some(json!({
                "type": "job_completed", "run": run, "job": job, "name": self.name(run, job),
                "conclusion": "skipped", "outputs": {},
            })),
            RunEvent::JobCompleted { job, conclusion, outputs, .. } => Some(json!({
                "type": "job_completed", "run": run, "job": job, "name": self.name(run, job),
                "conclusion": conclusion, "outputs": outputs,
            })),
            RunEvent::JobLost { job, reason, .. } => Some(json!({
                "type": "job_lost", "run": run, "job": job, "name": self.name(run, job), "reason": reason,
            })),
            RunEvent::StepStarted { job, step, name, background, .. } => {
                let key = (run, job.clone(), step.clone());
                self.steps.insert(key, (name.to_string(), *background));
                None
            }
            RunEvent::StepCompleted { job, step, outcome, conclusion, .. } => {
                let begun = self.steps.remove(&(run, job.clone(), step.clone()));
                let (name, background) = begun.unzip();
                Some(json!({
                    "type": "step_completed", "run": run, "job": job, "step": step, "name": name,
                    "background": background.unwrap_or_default(),
                    "outcome": outcome, "conclusion": conclusion,
                }))
            }
            RunEvent::AnnotationAdded { job, step, annotation } => Some(json!({
                "type": "annotation", "run": run, "job": job, "step": step, "level": annotation.level,
                "message": annotation.message, "title": annotation.title,
                "file": annotation.file, "line": annotation.line,
            })),
            RunEvent::NotEnforced { job, note } => {
                Some(json!({ "type": "not_enforced", "run": run, "job": job, "note": note }))
            }
            RunEvent::RunCompleted { conclusion, .. } => Some(json!({
                "type": "run_completed", "run": run, "workflow": self.workflows.get(&run),
                "conclusion": conclusion,
            })),
            _ => None,
        }
    }

    fn name(&self, run: RunId, job: &JobKey) -> String {
        let name = self.names.get(&(run, job.clone()));
        name.cloned().unwrap_or_else(|| job.to_string())
    }
}
