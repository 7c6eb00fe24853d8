//! Plain lines, for pipes and files: what happens, as it happens, each line with its job.

use std::collections::BTreeMap;

use event::{Conclusion, JobKey, RunEvent, RunId, StepKey, Timestamp, WaitReason};

use super::{Reporter, lines, mark};
use crate::terminal::log_line::steered_by_nobody;
use crate::terminal::style::{Style, is_plain, out, out_block};
use crate::terminal::time::duration;

/// Prints log lines with the name of their job before them.
#[derive(Default)]
pub(crate) struct PlainReporter {
    names: BTreeMap<(RunId, JobKey), String>,
    started: BTreeMap<(RunId, JobKey), Timestamp>,
    steps: BTreeMap<(RunId, JobKey, StepKey), String>,
    /// The names of background steps, which stand before their lines too.
    aside: BTreeMap<(RunId, JobKey, StepKey), String>,
    /// What was printed last: its memory is used again.
    text: String,
}

impl Reporter for PlainReporter {
    fn event(&mut self, run: RunId, event: &RunEvent) {
        if let Some(line) = self.line(run, event) {
            out(&line);
        }
    }

    fn log(&mut self, run: RunId, job: &JobKey, step: &StepKey, block: &str) {
        let before = match self.background(run, job, step) {
            Some(step) => format!("{} › {step} | ", self.name(run, job)),
            None => format!("{} | ", self.name(run, job)),
        };
        self.text.clear();
        prefix(&before, block, Style::stdout(), &mut self.text);
        out_block(&self.text);
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
            RunEvent::StepStarted { job, step, name, background, .. } => {
                if *background {
                    self.aside.insert((run, job.clone(), step.clone()), name.to_string());
                }
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
            RunEvent::RunWaiting { reason: WaitReason::Concurrency { group, holder }, .. } => Some(
                format!("run {run} waits for the concurrency group `{group}`: {holder} has it"),
            ),
            RunEvent::JobWaiting {
                job, reason: WaitReason::Concurrency { group, holder }, ..
            } => Some(format!(
                "{} waits for the concurrency group `{group}`: {holder} has it",
                self.name(run, job)
            )),
            RunEvent::JobLost { job, reason, .. } => {
                Some(format!("{} lost: {reason}", self.name(run, job)))
            }
            RunEvent::NotEnforced { note, .. } => Some(format!("not enforced: {note}")),
            _ => None,
        }
    }

    /// The name of the background step that this is or is inside of.
    fn background(&self, run: RunId, job: &JobKey, step: &StepKey) -> Option<&str> {
        if self.aside.is_empty() {
            return None;
        }
        let root = StepKey::new(step.as_str().split('/').next()?);
        self.aside.get(&(run, job.clone(), root)).map(String::as_str)
    }

    fn name(&self, run: RunId, job: &JobKey) -> String {
        let name = self.names.get(&(run, job.clone()));
        name.cloned().unwrap_or_else(|| job.to_string())
    }
}

/// Appends the lines with `before` in front of each.
fn prefix(before: &str, block: &str, style: Style, text: &mut String) {
    if !is_plain(block) {
        for line in lines(block) {
            *text += before;
            *text += &steered_by_nobody(line, style);
            text.push('\n');
        }
        return;
    }
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', block.as_bytes()) {
        *text += before;
        *text += &block[start..=end];
        start = end + 1;
    }
    if start < block.len() {
        *text += before;
        *text += &block[start..];
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_block_has_its_job_and_no_colour() {
        let check = |block: &str, expect: &str| {
            let mut text = String::new();
            prefix("test | ", block, Style::plain(), &mut text);
            assert_eq!(text, expect);
        };
        check("one\n\ttwo\n\nfour\n", "test | one\ntest | \ttwo\ntest | \ntest | four\n");
        check("no end", "test | no end\n");
        check("dos\r\nunix\n", "test | dos\ntest | unix\n");
        check("\x1b[31mred\x1b[0m ü\nplain\n", "test | red ü\ntest | plain\n");
        check("a \x1b[3\nb\n", "test | a \ntest | b\n");
    }
}
