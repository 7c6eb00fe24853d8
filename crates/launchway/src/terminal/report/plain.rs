//! Plain lines, for pipes and files: what happens, as it happens, each line with its job.

use std::collections::BTreeMap;

use event::{Conclusion, JobKey, RunEvent, RunId, StepKey, Timestamp};

use super::{Reporter, mark};
use crate::terminal::style::{Style, as_wanted, out};
use crate::terminal::time::duration;

/// Prints log lines with the name of their job before them.
#[derive(Default)]
pub(crate) struct PlainReporter {
    names: BTreeMap<(RunId, JobKey), String>,
    started: BTreeMap<(RunId, JobKey), Timestamp>,
    steps: BTreeMap<(RunId, JobKey, StepKey), String>,
}

impl Reporter for PlainReporter {
    fn event(&mut self, run: RunId, event: &RunEvent) {
        if let Some(line) = self.line(run, event) {
            out(&line);
        }
    }

    fn log(&mut self, run: RunId, job: &JobKey, _step: &StepKey, line: &str) {
        let line = as_wanted(line, Style::stdout());
        out(&format!("{} | {line}", self.name(run, job)));
    }
}

impl PlainReporter {
    fn line(&mut self, run: RunId, event: &RunEvent) -> Option<String> {
        let style = Style::stdout();
        match event {
            RunEvent::JobPlanned(job) => {
                self.names.insert((run, job.key.clone()), job.name.to_string());
                None
            }
            RunEvent::JobStarted { job, at, .. } => {
                self.started.insert((run, job.clone()), *at);
                None
            }
            RunEvent::StepStarted { job, step, name, .. } => {
                self.steps.insert((run, job.clone(), step.clone()), name.to_string());
                None
            }
            RunEvent::StepCompleted { job, step, outcome, conclusion, .. } => {
                let name = self.steps.remove(&(run, job.clone(), step.clone()))?;
                if *outcome != Conclusion::Failure {
                    return None;
                }
                let tolerated = if conclusion == outcome { "" } else { " (continue-on-error)" };
                Some(format!(
                    "{} | {} {name}{tolerated}",
                    self.name(run, job),
                    mark(*outcome, style)
                ))
            }
            RunEvent::JobSkipped { job, .. } => Some(format!(
                "{} {} skipped",
                mark(Conclusion::Skipped, style),
                self.name(run, job)
            )),
            RunEvent::JobCompleted { job, conclusion, at, .. } => {
                let time = self.started.get(&(run, job.clone())).map(|from| duration(*from, *at));
                let time = time.map(|time| format!(" in {time}")).unwrap_or_default();
                Some(format!(
                    "{} {} {conclusion}{time}",
                    mark(*conclusion, style),
                    self.name(run, job)
                ))
            }
            RunEvent::JobLost { job, reason, .. } => {
                Some(format!("{} lost: {reason}", self.name(run, job)))
            }
            RunEvent::NotEnforced { note, .. } => Some(format!("not enforced: {note}")),
            _ => None,
        }
    }

    fn name(&self, run: RunId, job: &JobKey) -> String {
        let name = self.names.get(&(run, job.clone()));
        name.cloned().unwrap_or_else(|| job.to_string())
    }
}
