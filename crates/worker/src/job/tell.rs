//! What the sequencer decided about steps, shown in their logs and reported.

use std::io;
use std::path::Path;

use event::{AnnotationLevel, BlobId, StepKey};
use protocol::Report;
use sequencer::{Ended, Fact, Shown, StepNews};
use store::{Blobs, Durability};

use super::{Job, Open, Stop, deadline};
use crate::control;
use crate::gather::with_sources;
use crate::header;
use crate::log::Log;

impl Job<'_> {
    pub(super) fn show_fact(&mut self, fact: &Fact) {
        match fact.step() {
            Some(StepNews::Began { key, name, is_background: true }) => {
                self.begin_aside(&key);
                self.begin(key, &name);
            }
            Some(StepNews::Began { key, name, is_background: false }) => self.begin(key, &name),
            Some(StepNews::Entered { key, shown, timeout_minutes }) => {
                self.turn_to(&key);
                self.show_header(&shown, None, None);
                if let (Some(minutes), Some(open)) =
                    (timeout_minutes, self.open.iter_mut().rfind(|open| open.key == key))
                {
                    open.deadline = deadline(minutes).map(|at| (at, minutes));
                }
            }
            Some(StepNews::Ended(ended)) => self.end(&ended),
            Some(StepNews::Noted { key, level, message }) => {
                self.output.turn_to(key.and_then(|key| self.output.speaker_of(&key)));
                self.output.note(level, &message);
            }
            Some(StepNews::Said { key, line }) => {
                self.turn_to(&key);
                self.output.show(line.as_bytes());
            }
            None => {}
        }
    }

    /// What is said from now on is said by this step.
    pub(super) fn turn_to(&mut self, step: &StepKey) {
        self.output.turn_to(self.output.speaker_of(step));
    }

    /// A background step gets a log of its own: what steps print side by side must not mix.
    pub(super) fn begin_aside(&mut self, key: &StepKey) {
        self.own_logs += 1;
        let path = protocol::own_log(Path::new(&*self.bench.spec.paths.log), self.own_logs);
        match Log::create(&path) {
            Ok(log) => self.output.open(key, log, self.own_logs),
            Err(error) => self.fail_to_log(&error),
        }
    }

    /// Bytes that cannot be kept are a fault of the set-up, not of a step.
    pub(super) fn fail_to_log(&mut self, error: &io::Error) {
        self.stop = Stop::Killed;
        let text = format!("the log cannot be written: {error}");
        self.output.note(AnnotationLevel::Error, &text);
    }

    pub(super) fn begin(&mut self, key: StepKey, name: &str) {
        let name = self.output.masker.mask(name);
        self.turn_to(&key);
        self.output.begin_step(key.clone());
        let begin = self.output.voice.log.begin();
        self.open.push(Open { key: key.clone(), begin, deadline: None });
        let background = self.output.speaker() == Some(&key);
        self.control.report(Report::StepStarted {
            step: key,
            name,
            background,
            at: control::now(),
        });
    }

    pub(super) fn end(&mut self, ended: &Ended) {
        let found = self.open.iter().rposition(|open| open.key == ended.key);
        self.turn_to(&ended.key);
        let begin = found.map(|it| self.open[it].begin);
        let log = begin.map(|begin| self.output.voice.log.range(begin)).unwrap_or_default();
        if log.start_bytes != log.end_bytes {
            self.flush();
        }
        if let Some(found) = found {
            self.open.remove(found);
        }
        let voice = self.output.close(&ended.key);
        let own_log = voice.and_then(|voice| self.keep_own_log(&ended.key, voice.own?));
        self.report_output();
        self.control.report(Report::StepCompleted {
            step: ended.key.clone(),
            outcome: ended.outcome,
            conclusion: ended.conclusion,
            log,
            own_log,
            at: control::now(),
        });
    }

    /// The log of a background step, as a blob.
    pub(super) fn keep_own_log(&mut self, step: &StepKey, number: u32) -> Option<BlobId> {
        let path = protocol::own_log(Path::new(&*self.bench.spec.paths.log), number);
        let folder = Path::new(&*self.bench.spec.paths.blobs);
        let kept =
            Blobs::open(folder, Durability::ProcessDeath).and_then(|blobs| blobs.adopt(&path));
        let kept = kept.map(|(blob, _)| blob).inspect_err(|error| {
            let text = format!("the log of {step} was not kept: {}", with_sources(error));
            self.output.note(AnnotationLevel::Error, &text);
        });
        kept.ok()
    }

    /// Writes what the one who speaks said.
    pub(super) fn flush(&mut self) {
        if self.output.voice.log.flush().is_err() {
            self.stop = Stop::Killed;
        }
        self.report_output();
        let speaker = self.output.speaker();
        let is_own = |open: &&Open| self.output.speaker_of(&open.key).as_ref() == speaker;
        if let Some(open) = self.open.iter().rfind(is_own) {
            let step = open.key.clone();
            let (bytes, own) = (self.output.voice.log.length(), self.output.voice.own);
            self.control.report(Report::LogGrew { bytes, step, own });
        }
    }

    pub(super) fn report_output(&mut self) {
        for report in self.output.take_reports() {
            self.control.report(report);
        }
    }

    pub(super) fn show_header(&mut self, shown: &Shown, script: Option<&str>, shell: Option<&str>) {
        for line in header::text(shown, script, shell).lines() {
            self.output.show(line.as_bytes());
        }
    }
}
