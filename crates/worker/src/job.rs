//! The life of one job: set up, step after step as the sequencer says, cleaned up, reported.

mod attend;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::{AnnotationLevel, BlobId, Conclusion, ExitKind, LogRange, StepKey};
use expr::Value;
use mask::{MaskedText, Masker};
use protocol::{JobSpec, Report, ToWorker};
use sequencer::{
    Ended, Fact, Input, JobEnd, Next, Plan, Shown, State, StepNews, decide, evolve, pending,
};
use store::{Blobs, Durability};

use self::attend::Work;
use crate::command_line::Workbench;
use crate::control::{self, Control, Order};
use crate::diagnosis;
use crate::environment;
use crate::files::Files;
use crate::gather::{Gathering, with_sources};
use crate::hash::Workspace;
use crate::header;
use crate::log::Log;
use crate::native;
use crate::node::Nodes;
use crate::orphans;
use crate::output::Output;
use crate::setup::{self, Folders, SetupError};
use crate::unenforced;

/// One look at a pipe takes at most this much: what fits the processor's cache twice.
const READ_BYTES: usize = 64 << 10;

/// Clean-up after a cancel gets at least a minute (conformance 103) ...
const CANCEL_TIMEOUT_MIN: Duration = Duration::from_secs(60);

/// ... and this much less than was said, so that there is time left to report.
const CANCEL_TIMEOUT_RESERVE: Duration = Duration::from_secs(15);

/// No deadline is farther away: a clock cannot count to `1e300` minutes.
const MINUTES_MAX: f64 = 60.0 * 24.0 * 365.0;

/// The step that set-up speaks under, where it has something to say.
const SET_UP: &str = "__setup";

/// The step that clean-up speaks under.
const CLEAN_UP: &str = "__cleanup";

/// Runs the job to its end, whatever that is, and reports it.
pub(crate) fn run(control: Control, spec: &JobSpec) {
    let folders = Folders::of(spec);
    let mut control = control;
    control.set_fence(spec.fence);
    control.report(Report::Started { pid: std::process::id(), at: control::now() });
    let log = match Log::create(Path::new(&*spec.paths.log)) {
        Ok(log) => log,
        Err(error) => return lost(&mut control, spec, &error),
    };
    let caches = Path::new(&*spec.paths.caches);
    let host = environment::host(&folders.home, &caches.join("downloads"));
    let mut masker = Masker::new();
    let mut short = Vec::new();
    for password in environment::passwords(&host) {
        if masker.add(&password) == mask::Added::Short {
            short.push("in the address of a proxy or package index".to_owned());
        }
    }
    for (name, value) in &spec.secrets {
        if masker.add(value) == mask::Added::Short {
            short.push(name.clone());
        }
    }
    let output = Output::new(log, masker, folders.workspace.clone(), setup::is_debugged(spec));
    let mut output = output;
    output.is_diagnosed = setup::is_diagnosed(spec);
    let mut job = Job {
        control,
        output,
        bench: Workbench {
            spec,
            host,
            workspace: Workspace { root: folders.workspace.clone() },
            folders,
            nodes: Nodes::default(),
        },
        state: State::new(),
        open: Vec::new(),
        stop: Stop::No,
        has_timed_out: false,
        is_told: false,
        job_deadline: deadline(spec.timeout_minutes),
        cancel_deadline: None,
        artifacts: native::Artifacts::default(),
        services: None,
        works: Vec::new(),
        own_logs: 0,
        files: Files::default(),
        buffer: vec![0; READ_BYTES],
    };
    for name in short {
        let text = format!(
            "the secret {name} is shorter than 6 characters: masking it hides ordinary words"
        );
        job.output.note(AnnotationLevel::Warning, &text);
    }
    job.live();
}

/// Without a log there is no job: the driver hears why.
fn lost(control: &mut Control, spec: &JobSpec, error: &io::Error) {
    let message = format!("the log '{}' cannot be written: {error}", spec.paths.log);
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
}

/// How far the wish to stop has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    /// Nobody wishes it.
    No,
    /// Steps whose `if` holds still run.
    Cancelled,
    /// No further step runs, and what runs is ended in order: the driver is gone.
    Abandoned,
    /// No further step runs, and what runs is killed.
    Killed,
}

/// A step that began and has not ended.
#[derive(Debug)]
struct Open {
    key: StepKey,
    begin: LogRange,
    /// Of a composite action's steps together.
    deadline: Option<(Instant, f64)>,
}

struct Job<'a> {
    control: Control,
    output: Output,
    bench: Workbench<'a>,
    state: State,
    open: Vec<Open>,
    stop: Stop,
    has_timed_out: bool,
    /// Whether the driver has told it to end; its own time limit does not count.
    is_told: bool,
    job_deadline: Option<Instant>,
    cancel_deadline: Option<Instant>,
    artifacts: native::Artifacts,
    services: Option<services::Running>,
    /// What runs now: a step of the job's own, and steps in the background.
    works: Vec<Work>,
    /// Background steps so far.
    own_logs: u32,
    files: Files,
    buffer: Vec<u8>,
}

impl Job<'_> {
    fn live(mut self) {
        let (end, exit) = match self.set_up() {
            Some(plan) => (self.steps(&plan), None),
            None if self.stop > Stop::No => (None, None),
            None => (None, Some(ExitKind::InfraFailure)),
        };
        if let Some(services) = self.services.take() {
            services.stop();
        }
        self.sweep();
        self.complete(end, exit);
    }

    /// None where it failed, which its log says then. A set-up with nothing to say is no step.
    fn set_up(&mut self) -> Option<Plan> {
        let mut gathering = Gathering::new(self.bench.spec, &self.bench.folders.workspace);
        let plan = self.make_plan(&mut gathering);
        let mut notes = std::mem::take(&mut gathering.notes);
        if let Ok(plan) = &plan {
            for note in unenforced::of_job(self.bench.spec, &plan.job) {
                notes.push((false, format!("not enforced: {note}")));
                self.report_unenforced(&note);
            }
        }
        let diagnosis = match &plan {
            Ok(plan) if self.output.is_diagnosed => diagnosis::of_setup(&self.bench, plan),
            _ => Vec::new(),
        };
        let has_services = plan.as_ref().is_ok_and(|plan| plan.job.services.is_some());
        if plan.is_ok() && notes.is_empty() && diagnosis.is_empty() && !has_services {
            return plan.ok();
        }
        let key = StepKey::new(SET_UP);
        self.begin(key.clone(), "Set up job");
        diagnosis.iter().for_each(|line| self.output.diagnose(line));
        self.say_notes(&notes);
        let plan = plan.and_then(|plan| self.start_services(plan));
        let conclusion = match &plan {
            Ok(_) => Conclusion::Success,
            Err(error) => {
                self.output.note(AnnotationLevel::Error, &with_sources(error));
                Conclusion::Failure
            }
        };
        self.end(&Ended { key, outcome: conclusion, conclusion });
        plan.ok()
    }

    fn make_plan(&mut self, gathering: &mut Gathering<'_>) -> Result<Plan, SetupError> {
        self.bench.settle()?;
        let plan = setup::plan(self.bench.spec, &self.bench.folders, gathering)?;
        self.bench.find_node(&plan.actions)?;
        Ok(plan)
    }

    /// Starts what the job has under `services`; its steps see the ports (conformance 105, 159).
    fn start_services(&mut self, mut plan: Plan) -> Result<Plan, SetupError> {
        let plans = setup::services(&plan, &self.bench.workspace)?;
        if plans.is_empty() {
            return Ok(plan);
        }
        for note in plans.iter().flat_map(|plan| &plan.notes) {
            self.report_unenforced(note);
        }
        let tracking =
            [(orphans::TRACKING_VARIABLE.to_owned(), self.bench.spec.tracking_id.to_string())];
        let control = RefCell::new(&mut self.control);
        let heard = Cell::new(Stop::No);
        let is_cancelled = || {
            match control.borrow_mut().next() {
                Order::Message(ToWorker::Cancel) => heard.set(heard.get().max(Stop::Cancelled)),
                Order::Closed => heard.set(Stop::Abandoned),
                Order::Nothing | Order::Message(ToWorker::Start(_)) => {}
            }
            heard.get() > Stop::No
        };
        let output = &mut self.output;
        let mut say = |line: &str| output.show(line.as_bytes());
        let mut environment = services::Environment {
            tracking: &tracking,
            is_cancelled: &is_cancelled,
            say: &mut say,
        };
        let running = services::start(plans, &mut environment);
        self.stop = self.stop.max(heard.get());
        let running = running.map_err(|error| SetupError::Refused(with_sources(&error)))?;
        plan.services = Value::from_json(&running.context());
        self.services = Some(running);
        Ok(plan)
    }

    fn report_unenforced(&mut self, note: &str) {
        let note = self.output.masker.mask(note);
        self.control.report(Report::NotEnforced { note });
    }

    fn say_notes(&mut self, notes: &[(bool, String)]) {
        for (is_warning, text) in notes {
            if *is_warning {
                self.output.note(AnnotationLevel::Warning, text);
            } else {
                self.output.show(text.as_bytes());
            }
        }
    }

    /// Does what the sequencer owes until it owes nothing; none where it was not let finish.
    fn steps(&mut self, plan: &Plan) -> Option<JobEnd> {
        if self.stop == Stop::Cancelled {
            self.cancel(plan);
        }
        loop {
            self.hear(plan);
            let is_abandoned = self.stop >= Stop::Abandoned;
            if is_abandoned && self.works.is_empty() {
                return None;
            }
            let input = match pending(&self.state) {
                // What runs is being ended; nothing else is begun.
                _ if is_abandoned => self.attend(plan),
                Next::Begin => Input::Begin,
                Next::Advance => Input::Advance,
                Next::Do(owed) => self.perform(plan, &owed),
                Next::Done(end) => return Some(end),
            };
            self.tell(plan, input);
        }
    }

    /// Tells the sequencer, and shows and reports what it decided.
    fn tell(&mut self, plan: &Plan, input: Input) {
        let facts = decide(&self.state, plan, &self.bench.workspace, input);
        for fact in facts {
            self.show_fact(&fact);
            evolve(&mut self.state, fact);
        }
    }

    fn show_fact(&mut self, fact: &Fact) {
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
    fn turn_to(&mut self, step: &StepKey) {
        self.output.turn_to(self.output.speaker_of(step));
    }

    /// A background step gets a log of its own: what steps print side by side must not mix.
    fn begin_aside(&mut self, key: &StepKey) {
        self.own_logs += 1;
        let path = protocol::own_log(Path::new(&*self.bench.spec.paths.log), self.own_logs);
        match Log::create(&path) {
            Ok(log) => self.output.open(key, log, self.own_logs),
            Err(error) => self.fail_to_log(&error),
        }
    }

    /// Bytes that cannot be kept are a fault of the set-up, not of a step.
    fn fail_to_log(&mut self, error: &io::Error) {
        self.stop = Stop::Killed;
        let text = format!("the log cannot be written: {error}");
        self.output.note(AnnotationLevel::Error, &text);
    }

    fn begin(&mut self, key: StepKey, name: &str) {
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

    fn end(&mut self, ended: &Ended) {
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
    fn keep_own_log(&mut self, step: &StepKey, number: u32) -> Option<BlobId> {
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

    fn read_action(&mut self, uses: &str) -> Result<BTreeMap<Arc<str>, sequencer::Action>, String> {
        let mut gathering = Gathering::new(self.bench.spec, &self.bench.folders.workspace);
        let found = gathering.local(uses);
        let notes = std::mem::take(&mut gathering.notes);
        self.say_notes(&notes);
        let found = found.map_err(|error| with_sources(&error))?;
        self.bench.find_node(&found).map_err(|error| with_sources(&error))?;
        Ok(found)
    }

    /// Kept masked, as a blob (conformance 184).
    fn keep_summary(&mut self, step: &StepKey, summary: &[u8]) {
        let mut masked = Vec::with_capacity(summary.len());
        for line in summary.split_inclusive(|byte| *byte == b'\n') {
            self.output.masker.mask_bytes(line, &mut masked);
        }
        let folder = Path::new(&*self.bench.spec.paths.blobs);
        let kept = Blobs::open(folder, Durability::ProcessDeath)
            .and_then(|blobs| blobs.put_bytes(&masked));
        match kept {
            Ok(blob) => self.control.report(Report::SummaryWritten { step: step.clone(), blob }),
            Err(error) => {
                let text = format!("the step summary was not kept: {}", with_sources(&error));
                self.output.note(AnnotationLevel::Error, &text);
            }
        }
    }

    /// Whether all that the step listed is kept.
    fn report_artifacts(&mut self) -> bool {
        let file = native::artifacts_file(&self.bench.folders);
        let (reports, wrong) = self.artifacts.read(&file, &self.output.masker);
        for report in reports {
            self.control.report(report);
        }
        for text in &wrong {
            self.output.note(AnnotationLevel::Error, text);
        }
        wrong.is_empty()
    }

    fn cancel(&mut self, plan: &Plan) {
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

    fn sweep(&mut self) {
        let swept = orphans::sweep(&self.bench.spec.tracking_id);
        if swept.is_empty() {
            return;
        }
        self.begin(StepKey::new(CLEAN_UP), "Complete job");
        self.output.show(b"Cleaning up orphan processes");
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

    fn complete(&mut self, end: Option<JobEnd>, exit: Option<ExitKind>) {
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
    }

    /// An output in which a secret shows is dropped, with a word about it (conformance 104).
    fn mask_outputs(&mut self, outputs: BTreeMap<String, String>) -> BTreeMap<String, MaskedText> {
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

    /// Writes what the one who speaks said.
    fn flush(&mut self) {
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

    fn report_output(&mut self) {
        for report in self.output.take_reports() {
            self.control.report(report);
        }
    }

    fn show_header(&mut self, shown: &Shown, script: Option<&str>, shell: Option<&str>) {
        for line in header::text(shown, script, shell).lines() {
            self.output.show(line.as_bytes());
        }
    }
}

fn deadline(minutes: f64) -> Option<Instant> {
    (minutes > 0.0)
        .then(|| Instant::now() + Duration::from_secs_f64(minutes.min(MINUTES_MAX) * 60.0))
}
