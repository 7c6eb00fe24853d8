//! The life of one job: set up, step after step as the sequencer says, cleaned up, reported.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commands::workflow_command::Trust;
use event::{AnnotationLevel, Conclusion, ExitKind, LogRange, StepKey};
use expr::Value;
use mask::{MaskedText, Masker};
use protocol::{JobSpec, Report, ToWorker};
use sequencer::{
    Deed, DeedBody, Ended, Exit, Fact, Input, JobEnd, Next, Plan, Program, Shown, State, StepNews,
    decide, evolve, pending, survives_cancel,
};
use store::{Blobs, Durability};

use crate::command_line::{Prepared, Workbench};
use crate::control::{self, Control, Order};
use crate::diagnosis;
use crate::environment;
use crate::files::{self, Files};
use crate::gather::{Gathering, with_sources};
use crate::hash::Workspace;
use crate::header;
use crate::log::Log;
use crate::native;
use crate::node::{self, Nodes};
use crate::orphans;
use crate::output::Output;
use crate::process::{Process, Stream};
use crate::setup::{self, Folders, SetupError};
use crate::unenforced;
use crate::wait::wait;

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
            self.hear(plan, None);
            if self.stop >= Stop::Abandoned {
                return None;
            }
            let input = match pending(&self.state) {
                Next::Begin => Input::Begin,
                Next::Advance => Input::Advance,
                Next::Do(deed) => self.perform(plan, &deed),
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
            Some(StepNews::Began { key, name }) => self.begin(key, &name),
            Some(StepNews::Entered { key, shown, timeout_minutes }) => {
                self.show_header(&shown, None, None);
                if let (Some(minutes), Some(open)) =
                    (timeout_minutes, self.open.iter_mut().rfind(|open| open.key == key))
                {
                    open.deadline = deadline(minutes).map(|at| (at, minutes));
                }
            }
            Some(StepNews::Ended(ended)) => self.end(&ended),
            Some(StepNews::Noted { level, message }) => self.output.note(level, &message),
            None => {}
        }
    }

    fn begin(&mut self, key: StepKey, name: &str) {
        let name = self.output.masker.mask(name);
        self.output.begin_step(key.clone());
        self.open.push(Open { key: key.clone(), begin: self.output.log.begin(), deadline: None });
        self.control.report(Report::StepStarted { step: key, name, at: control::now() });
    }

    fn end(&mut self, ended: &Ended) {
        let found = self.open.iter().rposition(|open| open.key == ended.key);
        let begin = found.map(|it| self.open.remove(it).begin);
        let log = begin.map(|begin| self.output.log.range(begin)).unwrap_or_default();
        if log.start_bytes != log.end_bytes {
            self.flush();
        }
        self.report_output();
        self.control.report(Report::StepCompleted {
            step: ended.key.clone(),
            outcome: ended.outcome,
            conclusion: ended.conclusion,
            log,
            at: control::now(),
        });
    }

    /// Does one deed. What it says about its end is the sequencer's next input.
    fn perform(&mut self, plan: &Plan, deed: &Arc<Deed>) -> Input {
        if let DeedBody::ReadAction { uses } = &deed.body {
            return Input::ActionRead(self.read_action(uses));
        }
        let failed = |job: &mut Self, message: &str| {
            job.output.note(AnnotationLevel::Error, message);
            Input::Ended { exit: Exit::Failed, effects: Box::default() }
        };
        let prepared = match self.bench.prepare(deed) {
            Ok(prepared) => prepared,
            Err(message) => {
                self.show_deed(deed, None);
                return failed(self, &message);
            }
        };
        self.show_deed(deed, prepared.shell.as_deref());
        self.say_notes(&prepared.notes);
        if let Err(error) = self.files.create(&deed.files) {
            return failed(self, &format!("the files of file commands cannot be made: {error}"));
        }
        self.output.begin_process(trust(&prepared));
        let process = match Process::start(&prepared.line) {
            Ok(process) => process,
            Err(error) => {
                self.files.remove(&deed.files);
                return failed(self, &cannot_start(&prepared, &error));
            }
        };
        let program = prepared.line.program.display();
        self.output.diagnose(&format!("deed {} is {program}, {}", deed.number, process.id()));
        let exit = self.attend(plan, deed, process);
        self.output.diagnose(&format!("deed {} ended: {exit:?}", deed.number));
        self.after(deed, exit)
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

    /// Waits for the process, and does what comes up meanwhile.
    fn attend(&mut self, plan: &Plan, deed: &Deed, mut process: Process) -> Exit {
        let own = deed.timeout_minutes.and_then(|minutes| Some((deadline(minutes)?, minutes)));
        let around = self.open.iter().filter_map(|open| open.deadline);
        let mut limit = around.chain(own).min_by_key(|(at, _)| *at);
        let mut why = None;
        loop {
            let deadline = [
                process.deadline(),
                self.output.log.deadline(),
                limit.map(|(at, _)| at),
                self.job_deadline,
                self.cancel_deadline,
            ];
            let ready = wait(&self.control, &process, deadline.into_iter().flatten().min());
            let now = Instant::now();
            let ready = ready.unwrap_or_default();
            self.read(&mut process, ready.stdout, ready.stderr);
            if ready.control || self.is_due(now) {
                self.hear(plan, Some(&mut process));
            }
            if let Some((at, minutes)) = limit
                && at <= now
                && !process.is_ending()
            {
                limit = None;
                why = Some(Exit::TimedOut);
                let text = format!(
                    "The action '{}' has timed out after {minutes} minutes.",
                    deed.shown.title
                );
                self.output.note(AnnotationLevel::Error, &text);
                process.end(now);
            }
            if ready.exit && process.collect(now).is_err() {
                process.kill(now);
            }
            process.tick(now);
            if self.output.log.deadline().is_some_and(|at| at <= now) {
                self.flush();
            }
            // Nobody will read what a daemon still says after the driver is gone.
            if process.is_over(now) || self.stop >= Stop::Abandoned && process.is_gone() {
                break;
            }
        }
        match (why, process.is_ending(), process.exit_code()) {
            (Some(exit), _, _) => exit,
            (None, true, _) => Exit::Cancelled,
            (None, false, code) => Exit::Code(code.unwrap_or(-1)),
        }
    }

    fn read(&mut self, process: &mut Process, stdout: bool, stderr: bool) {
        for (stream, is_ready) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            if is_ready && let Ok(read) = process.read(stream, &mut self.buffer) {
                self.output.push(stream, &self.buffer[..read]);
            }
        }
        if let Some(error) = self.output.take_error() {
            // Bytes that cannot be kept are a fault of the set-up, not of the step.
            process.kill(Instant::now());
            self.stop = Stop::Killed;
            let text = format!("the log cannot be written: {error}");
            self.output.note(AnnotationLevel::Error, &text);
        }
    }

    /// What the process changed, and how it ended, once it has.
    fn after(&mut self, deed: &Deed, exit: Exit) -> Input {
        let (mut effects, has_failed) = self.output.end_process();
        let mut read = files::read(&deed.files);
        match self.files.declare(&deed.files, &self.bench.folders.workspace) {
            Ok(said) => said.iter().for_each(|text| self.output.show(text.as_bytes())),
            Err(text) => read.failures.push(text),
        }
        self.files.remove(&deed.files);
        effects.outputs.extend(read.effects.outputs);
        effects.env.extend(read.effects.env);
        effects.state.extend(read.effects.state);
        effects.path.extend(read.effects.path);
        if let Exit::Code(code) = exit
            && code != 0
        {
            let text = format!("Process completed with exit code {code}.");
            self.output.note(AnnotationLevel::Error, &text);
        }
        for text in read.errors.iter().chain(&read.failures) {
            self.output.note(AnnotationLevel::Error, text);
        }
        if let Some(summary) = read.summary {
            self.keep_summary(&deed.key, &summary);
        }
        let is_native =
            matches!(&deed.body, DeedBody::Action { program, .. } if is_native(program));
        let has_failed = has_failed | (is_native && !self.report_artifacts());
        let exit = match exit {
            Exit::Code(0) if has_failed || !read.failures.is_empty() => Exit::Failed,
            exit => exit,
        };
        Input::Ended { exit, effects: Box::new(effects) }
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

    /// Orders of the driver, and the job's own deadlines.
    fn hear(&mut self, plan: &Plan, mut process: Option<&mut Process>) {
        loop {
            match self.control.next() {
                Order::Nothing => break,
                Order::Message(ToWorker::Start(_)) => {}
                Order::Message(ToWorker::Cancel) if self.is_told => self.stop = Stop::Killed,
                Order::Message(ToWorker::Cancel) => {
                    // The first order may meet a job that its time limit has ended already: that
                    // is no reason to kill what cleans up.
                    self.is_told = true;
                    self.cancel(plan);
                }
                Order::Closed => {
                    self.stop = self.stop.max(Stop::Abandoned);
                    break;
                }
            }
        }
        let now = Instant::now();
        if self.job_deadline.take_if(|at| *at <= now).is_some() && self.stop == Stop::No {
            self.has_timed_out = true;
            let minutes = self.bench.spec.timeout_minutes;
            let text = format!(
                "The job running on runner launchway has exceeded the maximum execution time of \
                 {minutes} minutes."
            );
            self.output.note(AnnotationLevel::Error, &text);
            self.cancel(plan);
        }
        if self.cancel_deadline.is_some_and(|at| at <= now) {
            self.cancel_deadline = None;
            self.stop = Stop::Killed;
        }
        let Some(process) = process.as_mut() else { return };
        match self.stop {
            Stop::No => {}
            Stop::Cancelled => {
                if !survives_cancel(&self.state, plan, &self.bench.workspace) {
                    process.end(now);
                }
            }
            Stop::Abandoned => process.end(now),
            Stop::Killed => process.kill(now),
        }
    }

    /// Whether a deadline of the job has passed.
    fn is_due(&self, now: Instant) -> bool {
        [self.job_deadline, self.cancel_deadline].into_iter().flatten().any(|at| at <= now)
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

    fn flush(&mut self) {
        if self.output.log.flush().is_err() {
            self.stop = Stop::Killed;
        }
        self.report_output();
        if let Some(open) = self.open.last() {
            let (step, bytes) = (open.key.clone(), self.output.log.length());
            self.control.report(Report::LogGrew { bytes, step });
        }
    }

    fn report_output(&mut self) {
        for report in self.output.take_reports() {
            self.control.report(report);
        }
    }

    fn show_deed(&mut self, deed: &Deed, shell: Option<&str>) {
        let script = match &deed.body {
            DeedBody::Script { script, .. } => Some(script.as_str()),
            DeedBody::Action { .. } | DeedBody::ReadAction { .. } => None,
        };
        self.show_header(&deed.shown, script, shell);
        if let DeedBody::Action { program: Program::Node { file, .. }, .. } = &deed.body
            && node::may_call_services(Path::new(file))
        {
            self.output.show(node::NO_SERVICES.as_bytes());
        }
    }

    fn show_header(&mut self, shown: &Shown, script: Option<&str>, shell: Option<&str>) {
        for line in header::text(shown, script, shell).lines() {
            self.output.show(line.as_bytes());
        }
    }
}

fn is_native(program: &Program) -> bool {
    matches!(program, Program::Native { .. })
}

fn deadline(minutes: f64) -> Option<Instant> {
    (minutes > 0.0)
        .then(|| Instant::now() + Duration::from_secs_f64(minutes.min(MINUTES_MAX) * 60.0))
}

/// What the step's environment permits (conformance 168, 172).
fn trust(prepared: &Prepared) -> Trust {
    let value = |name: &str| prepared.line.env.get(name).map(String::as_str);
    Trust::from_values(
        value("ACTIONS_ALLOW_UNSECURE_COMMANDS"),
        value("ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS"),
    )
}

fn cannot_start(prepared: &Prepared, error: &io::Error) -> String {
    let program = prepared.line.program.display();
    if error.kind() == io::ErrorKind::ArgumentListTooLong {
        // Conformance 186.
        return format!(
            "'{program}' cannot be started: its environment is larger than this system allows; \
             set less with `env` and GITHUB_ENV"
        );
    }
    let has_nul = |(name, value): &(&String, &String)| format!("{name}{value}").contains('\0');
    if let Some((name, _)) = prepared.line.env.iter().find(has_nul) {
        return format!(
            "'{program}' cannot be started: the environment variable {name} holds a NUL byte"
        );
    }
    format!("'{program}' cannot be started: {error}")
}
