//! How a job ends: cancelled, swept after, reported.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use event::{AnnotationLevel, Conclusion, ExitKind, StepKey};
use mask::MaskedText;
use protocol::Report;
use sequencer::{Ended, Input, JobEnd, Plan};

use super::{Job, MINUTES_MAX, Stop};
use crate::control::{self, Control};
use crate::orphans::{self, Detached};

/// Clean-up after a cancel gets at least a minute (conformance 103) ...
const CANCEL_TIMEOUT_MIN: Duration = Duration::from_secs(60);

/// ... and this much less than was said, so that there is time left to report.
const CANCEL_TIMEOUT_RESERVE: Duration = Duration::from_secs(15);

/// The step that clean-up speaks under.
const CLEAN_UP: &str = "__cleanup";

/// Without a log, or a place for reports, there is no job: the driver hears why.
pub(super) fn lost(control: &mut Control, path: &str, error: &io::Error) {
    let message = format!("'{path}' cannot be written: {error}");
    control.report(Report::AnnotationAdded {
        step: None,
        annotation: event::Annotation {
            level: AnnotationLevel::Error,
            message: MaskedText::without_secrets(message),
            title: None,
            file: None,
            line: None,
            end_line: None,
            column: None,
            end_column: None,
        },
    });
    control.report(Report::Completed {
        conclusion: Conclusion::Failure,
        exit: ExitKind::InfraFailure,
        outputs: BTreeMap::new(),
        environment_url: None,
        at: control::now(),
    });
    control.finish();
}

impl Job<'_> {
    pub(super) fn cancel(&mut self, plan: &Plan) {
        if self.stop > Stop::No {
            return;
        }
        self.stop = Stop::Cancelled;
        let minutes = self.bench.spec.cancel_timeout_minutes.clamp(0.0, MINUTES_MAX);
        let patience = Duration::from_secs_f64(minutes * 60.0)
            .max(CANCEL_TIMEOUT_MIN)
            .saturating_sub(CANCEL_TIMEOUT_RESERVE);
        self.cancel_deadline = Some(Instant::now() + patience);
        self.tell(plan, Input::Cancelled);
        self.output.turn_to(None);
        self.output.note(AnnotationLevel::Error, "The operation was canceled.");
    }

    /// Ends what the job left running; where its container left something, that is said, too.
    pub(super) fn sweep(&mut self, left: Option<String>) {
        let detached = match self.bench.walls {
            Some(_) => Detached::End,
            None => Detached::Stay,
        };
        let swept = orphans::sweep(&self.bench.spec.tracking_id, detached);
        if swept.is_empty() && left.is_none() {
            return;
        }
        self.begin(StepKey::new(CLEAN_UP), "Complete job");
        left.iter().for_each(|text| self.output.show(text.as_bytes()));
        if !swept.is_empty() {
            self.output.show(b"Cleaning up orphan processes");
        }
        for orphan in swept {
            let text = format!(
                "Terminate orphan process: pid ({}) ({})",
                orphan.pid.as_raw_nonzero(),
                orphan.name
            );
            self.output.show(text.as_bytes());
        }
        let (key, success) = (StepKey::new(CLEAN_UP), Conclusion::Success);
        self.end(&Ended { key, outcome: success, conclusion: success });
    }

    pub(super) fn complete(&mut self, end: Option<JobEnd>, exit: Option<ExitKind>) {
        // Steps that were not let finish.
        while let Some(open) = self.open.last() {
            let key = open.key.clone();
            let cancelled = Conclusion::Cancelled;
            self.end(&Ended { key, outcome: cancelled, conclusion: cancelled });
        }
        let (conclusion, outputs, url) = match end {
            Some(end) => (end.conclusion, end.outputs, end.environment_url),
            None if exit.is_some() => (Conclusion::Failure, BTreeMap::new(), None),
            None => (Conclusion::Cancelled, BTreeMap::new(), None),
        };
        let outputs = self.mask_outputs(outputs);
        let environment_url = url.map(|url| self.output.masker.mask(&url));
        self.flush();
        self.report_output();
        let exit = exit.unwrap_or(match conclusion {
            Conclusion::Success | Conclusion::Skipped => ExitKind::None,
            Conclusion::Failure | Conclusion::TimedOut => ExitKind::UserFailure,
            Conclusion::Cancelled if self.has_timed_out => ExitKind::Timeout,
            Conclusion::Cancelled => ExitKind::Cancelled,
        });
        let at = control::now();
        self.control.report(Report::Completed { conclusion, exit, outputs, environment_url, at });
        self.control.finish();
    }

    /// An output in which a secret shows is dropped, with a word about it (conformance 104).
    pub(super) fn mask_outputs(
        &mut self,
        outputs: BTreeMap<String, String>,
    ) -> BTreeMap<String, MaskedText> {
        let mut kept = BTreeMap::new();
        for (name, value) in outputs {
            if self.output.masker.hides(&value) {
                let text = format!("Skip output '{name}' since it may contain secret.");
                self.output.note(AnnotationLevel::Warning, &text);
            } else {
                kept.insert(name, MaskedText::without_secrets(value));
            }
        }
        kept
    }
}
