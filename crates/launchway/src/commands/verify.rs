//! `launchway verify`: what a deployment asks when it is done, asked of what runs now. Nothing is
//! changed, and nothing is written down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use event::{
    Cause, DeployStepKind, DeploymentId, Fence, PlannedStep, ServiceRequest, Timestamp, Way,
};
use mask::Masker;
use ports::{Order, Performer as _, Progress};
use probe::{Commands, Prober};
use serde_json::json;

use crate::cli::{Format, VerifyArgs};
use crate::deploying::book::Book;
use crate::deploying::live::Drawn;
use crate::deploying::request::{environment, services, verification};
use crate::deploying::show;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{duration, now};

/// It is no deployment: its commands have a folder that no other has.
const NO_DEPLOYMENT: DeploymentId = DeploymentId(0);

pub(crate) fn run(args: &VerifyArgs, state: &StateFolder) -> Outcome {
    let of = &args.of;
    let found = load(of.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let name = &*environment(&found, &of.environment)?.name.value;
    let missing = |error: std::io::Error| Failure::caused(Exit::Missing, anyhow::Error::new(error));
    let scratch = tempfile::tempdir().map_err(missing)?;
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stopped)).map_err(missing)?;
    }
    let mut round = Round {
        prober: Prober::new(Commands::new(scratch.path(), Masker::new())),
        format: of.settings.format,
        environment: name,
        stopped,
        asked: 0,
        failed: 0,
    };
    for service in services(&found, &of.services)? {
        let request = verification(&found, &book, state, (name, &service.value))?;
        let steps = request.around.iter().filter(|it| it.kind == DeployStepKind::Verify);
        for step in steps {
            if round.ask(&request, step) == Asked::Stopped {
                return Ok(Exit::Cancelled);
            }
        }
    }
    round.close()
}

struct Round<'a> {
    prober: Prober,
    format: Format,
    environment: &'a str,
    stopped: Arc<AtomicBool>,
    asked: u32,
    failed: u32,
}

#[derive(PartialEq)]
enum Asked {
    Over,
    Stopped,
}

impl Round<'_> {
    /// One step, to its end.
    fn ask(&mut self, service: &ServiceRequest, step: &PlannedStep) -> Asked {
        let since = now();
        let mut drawn = Drawn::new(self.format);
        let cause = loop {
            let order = Order {
                deployment: NO_DEPLOYMENT,
                fence: Fence(0),
                step,
                service,
                way: Way::Forward,
                now: now(),
                since,
                until: Timestamp(since.0.saturating_add(step.within_ms)),
                before: None,
                effects: &BTreeMap::new(),
            };
            let again_in = match self.prober.advance(&order) {
                Progress::Done { .. } | Progress::Vacuous { .. } => break None,
                Progress::Failed(cause)
                | Progress::Superseded(cause)
                | Progress::WentBack(cause) => break Some(cause),
                Progress::Underway { seen, again_in } => {
                    drawn.progress(&step.key, Way::Forward, &seen);
                    again_in
                }
                Progress::Unreachable { again_in, .. } => again_in,
            };
            if self.stopped.load(Ordering::Relaxed) {
                self.prober.abandon(&order);
                drawn.clear();
                talk("stopped");
                return Asked::Stopped;
            }
            sleep(again_in.min(Duration::from_secs(1)));
        };
        drawn.clear();
        self.tell(service, step, since, cause.as_ref());
        Asked::Over
    }

    fn tell(
        &mut self,
        service: &ServiceRequest,
        step: &PlannedStep,
        since: Timestamp,
        cause: Option<&Cause>,
    ) {
        self.asked += 1;
        self.failed += u32::from(cause.is_some());
        if self.format == Format::Json {
            let line = json!({
                "type": "verified", "environment": self.environment, "service": service.service,
                "version": service.release.version, "step": step.key,
                "outcome": if cause.is_none() { "done" } else { "failed" }, "cause": cause,
                "duration_ms": now().0.saturating_sub(since.0),
            });
            return out(&line.to_string());
        }
        let style = Style::stdout();
        let sign = if cause.is_none() { style.green("✓") } else { style.red("✗") };
        let took = duration(since, now());
        out(&format!(
            "{sign} {}  {}  {}",
            style.bold(step.key.as_str()),
            step.what,
            style.dim(&took)
        ));
        if let Some(cause) = cause {
            out(show::tree(cause, 1, style).trim_end());
        }
    }

    fn close(&self) -> Outcome {
        let verified = self.failed == 0;
        if self.format == Format::Json {
            let line = json!({
                "type": "verify_completed", "environment": self.environment,
                "asked": self.asked, "failed": self.failed,
            });
            out(&line.to_string());
        } else if self.asked == 0 {
            talk("the settings ask for nothing: `health` and `verify.smoke` of a service do");
        }
        Ok(if verified { Exit::Done } else { Exit::Failed })
    }
}
