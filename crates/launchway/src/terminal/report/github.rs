//! For use inside GitHub Actions: a job's log as a group when it ends, annotations as commands.

use std::collections::BTreeMap;

use event::{Annotation, AnnotationLevel, JobKey, RunEvent, RunId, StepKey};

use super::{Reporter, lines};
use crate::terminal::github::{escape, inert, property};
use crate::terminal::style::out;

/// Lines of one job that are kept until it ends. A longer log is in the journal, whole.
const LINES_KEPT_MAX: usize = 10_000;

/// Groups of log lines, one for each job: jobs run side by side, and groups cannot nest.
#[derive(Default)]
pub(crate) struct GithubReporter {
    names: BTreeMap<(RunId, JobKey), String>,
    logs: BTreeMap<(RunId, JobKey), Vec<String>>,
}

impl Reporter for GithubReporter {
    fn event(&mut self, run: RunId, event: &RunEvent) {
        match event {
            RunEvent::JobPlanned(job) => {
                self.names.insert((run, job.key.clone()), job.name.to_string());
            }
            RunEvent::AnnotationAdded { annotation, .. } => out(&command(annotation)),
            RunEvent::NotEnforced { note, .. } => {
                out(&format!("::notice::not enforced: {}", escape(note.as_str())));
            }
            RunEvent::JobSkipped { job, .. } => out(&format!("{}: skipped", self.name(run, job))),
            RunEvent::JobCompleted { job, conclusion, .. } => {
                out(&format!("::group::{}: {conclusion}", self.name(run, job)));
                for line in self.logs.remove(&(run, job.clone())).unwrap_or_default() {
                    // What the job said to its own runner is not said again to this one.
                    out(&inert(&line));
                }
                out("::endgroup::");
            }
            _ => {}
        }
    }

    fn log(&mut self, run: RunId, job: &JobKey, _step: &StepKey, block: &str) {
        let kept = self.logs.entry((run, job.clone())).or_default();
        let room = LINES_KEPT_MAX.saturating_sub(kept.len());
        kept.extend(lines(block).take(room).map(str::to_owned));
    }
}

impl GithubReporter {
    fn name(&self, run: RunId, job: &JobKey) -> String {
        let name = self.names.get(&(run, job.clone()));
        name.cloned().unwrap_or_else(|| job.to_string())
    }
}

fn command(annotation: &Annotation) -> String {
    let level = match annotation.level {
        AnnotationLevel::Notice => "notice",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Error => "error",
    };
    let mut properties = Vec::new();
    if let Some(file) = &annotation.file {
        properties.push(format!("file={}", property(file.as_str())));
    }
    if let Some(line) = annotation.line {
        properties.push(format!("line={line}"));
    }
    if let Some(title) = &annotation.title {
        properties.push(format!("title={}", property(title.as_str())));
    }
    format!("::{level} {}::{}", properties.join(","), escape(annotation.message.as_str()))
}
