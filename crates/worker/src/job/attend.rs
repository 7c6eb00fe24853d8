//! The processes of a job while they run: started, listened to, ended in order, looked at after
//! their end. Nearly always there is one; with steps in the background there are several.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use commands::workflow_command::Trust;
use event::AnnotationLevel;
use protocol::ToWorker;
use sequencer::{Deed, DeedBody, Exit, Input, Owed, Plan, Program, survives_cancel};

use super::heed::Heed;
use super::{Job, Open, Stop, deadline};
use crate::command_line::Prepared;
use crate::control::Order;
use crate::images::Watch;
use crate::node;
use crate::process::{Process, Stream};
use crate::wait::{ProcessReady, wait};
use crate::walls::Who;

/// A deed whose process runs.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) deed: Arc<Deed>,
    process: Process,
    /// The nearest limit of its step and those around it, with its minutes.
    limit: Option<(Instant, f64)>,
    has_timed_out: bool,
    /// Where to look for images that it built.
    images: Option<Watch>,
}

impl Work {
    /// When it needs a look although nothing happens.
    fn deadlines(&self) -> [Option<Instant>; 2] {
        [self.process.deadline(), self.limit.map(|(at, _)| at)]
    }

    /// How it ended, once it has.
    fn exit(&self) -> Exit {
        match (self.has_timed_out, self.process.is_ending(), self.process.exit_code()) {
            (true, _, _) => Exit::TimedOut,
            (false, true, _) => Exit::Cancelled,
            (false, false, code) => Exit::Code(code.unwrap_or(-1)),
        }
    }
}

impl Job<'_> {
    /// Starts what is owed and does not run yet, ends what is not wanted any more, and waits for the
    /// first end. What that says is the sequencer's next input.
    pub(super) fn perform(&mut self, plan: &Plan, owed: &[Owed]) -> Input {
        for it in owed {
            let deed = &it.deed;
            let at = self.works.iter().position(|work| work.deed.number == deed.number);
            match at {
                Some(at) if it.is_unwanted => {
                    let (process, now) = (&mut self.works[at].process, Instant::now());
                    if process.runs(now) {
                        process.dismiss(now);
                    }
                }
                Some(_) => {}
                None if self.comes_too_late(plan, it) => {
                    let (deed, exit) = (deed.number, Exit::Cancelled);
                    return Input::Ended { deed, exit, effects: Box::default() };
                }
                None => {
                    if let Some(input) = self.start(plan, it) {
                        return input;
                    }
                }
            }
        }
        self.attend(plan)
    }

    /// Whether the order to end came between the decision and the deed, and this does not run all the
    /// same (conformance 138). An action is read: its step is decided afterwards.
    fn comes_too_late(&self, plan: &Plan, Owed { deed, is_unwanted }: &Owed) -> bool {
        if matches!(deed.body, DeedBody::ReadAction { .. }) {
            return false;
        }
        let survives = || survives_cancel(&self.state, plan, &self.bench.workspace, deed.number);
        *is_unwanted || self.stop == Stop::Cancelled && !survives()
    }

    /// Starts a deed. What is over at once is the sequencer's next input.
    fn start(&mut self, plan: &Plan, owed: &Owed) -> Option<Input> {
        let deed = &owed.deed;
        self.turn_to(&deed.key);
        if let DeedBody::ReadAction { uses } = &deed.body {
            return Some(Input::ActionRead { deed: deed.number, read: self.read_action(uses) });
        }
        let failed = |job: &mut Self, message: &str| {
            job.output.note(AnnotationLevel::Error, message);
            let (deed, exit) = (deed.number, Exit::Failed);
            Some(Input::Ended { deed, exit, effects: Box::default() })
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
        if prepared.who == Who::Native {
            self.hand_over(plan);
            if self.stop >= Stop::Abandoned || self.comes_too_late(plan, owed) {
                let (deed, exit) = (deed.number, Exit::Cancelled);
                return Some(Input::Ended { deed, exit, effects: Box::default() });
            }
            self.turn_to(&deed.key);
        }
        let paths = deed.files.clone();
        if let Err(error) = self.with_files(move |files| files.create(&paths)) {
            return failed(self, &format!("the files of file commands cannot be made: {error}"));
        }
        self.output.begin_process(trust(&prepared));
        let process = match self.bench.start(&prepared) {
            Ok(process) => process,
            Err(error) => {
                let paths = deed.files.clone();
                self.with_files(move |files| files.remove(&paths));
                let user = self.bench.user().map(|user| &*user.name);
                return failed(self, &cannot_start(&prepared, &error, user));
            }
        };
        let program = prepared.line.program.display();
        self.output.diagnose(&format!("deed {} is {program}, {}", deed.number, process.id()));
        let own = deed.timeout_minutes.and_then(|minutes| Some((deadline(minutes)?, minutes)));
        let is_around = |open: &&Open| {
            let inside = deed.key.as_str().strip_prefix(open.key.as_str());
            inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let around = self.open.iter().filter(is_around).filter_map(|open| open.deadline);
        let limit = around.chain(own).min_by_key(|(at, _)| *at);
        // What steps in a container reach is the container's.
        let is_outside = self.bench.container.is_none() || prepared.who == Who::Native;
        let images = is_outside.then(|| Watch::of(deed, &prepared)).flatten();
        let deed = Arc::clone(deed);
        self.works.push(Work { deed, process, limit, has_timed_out: false, images });
        None
    }

    /// What the container's root made is not his yet, whose the code of native versions is. Who tells the job to stop is
    /// heard meanwhile.
    fn hand_over(&mut self, plan: &Plan) {
        let (Some(container), Some(user)) = (&self.bench.container, self.bench.user()) else {
            return;
        };
        let is_stopped = self.stop > Stop::No;
        let mut heed = Heed::new(&mut self.control, self.job_deadline.filter(|_| !is_stopped));
        let given = container.give_to(user, &mut |fd, silence| heed.wait(fd, silence));
        let heard = heed.heard;
        if let Err(text) = given {
            self.output.show(text.as_bytes());
        }
        if heard.stop > Stop::No {
            self.output.turn_to(None);
            self.take(heard);
        }
        if !is_stopped && self.stop == Stop::Cancelled {
            // Only what is told is on its way.
            self.stop = Stop::No;
            self.cancel(plan);
        }
    }

    /// Waits until one of the processes is over, and does what comes up meanwhile.
    pub(super) fn attend(&mut self, plan: &Plan) -> Input {
        loop {
            // A report may have found out that the driver is gone: then its socket wakes nobody.
            if self.control.is_closed() && self.stop < Stop::Abandoned {
                self.hear(plan);
            }
            let works = self.works.iter();
            let deadline = works.clone().flat_map(Work::deadlines).flatten().chain(
                [self.output.deadline(), self.job_deadline, self.cancel_deadline]
                    .into_iter()
                    .flatten(),
            );
            let processes = works.map(|work| &work.process);
            let ready = wait(&self.control, processes, deadline.min()).unwrap_or_default();
            for (at, ready) in ready.processes.iter().enumerate() {
                self.read(at, *ready);
            }
            let now = Instant::now();
            if ready.control || self.is_due(now) {
                self.hear(plan);
            }
            for (at, ready) in ready.processes.iter().enumerate() {
                self.look(at, ready.exit, now);
            }
            for speaker in self.output.due(now) {
                self.output.turn_to(speaker);
                self.flush();
            }
            // Nobody will read what a daemon still says after the driver is gone.
            let is_abandoned = self.stop >= Stop::Abandoned;
            let is_over =
                |work: &Work| work.process.is_over(now) || is_abandoned && work.process.is_gone();
            if let Some(at) = self.works.iter().position(is_over) {
                let work = self.works.remove(at);
                return self.after(&work);
            }
        }
    }

    /// What one process printed.
    fn read(&mut self, at: usize, ready: ProcessReady) {
        if !ready.stdout && !ready.stderr {
            return;
        }
        self.output.turn_to(self.output.speaker_of(&self.works[at].deed.key));
        for (stream, is_ready) in [(Stream::Stdout, ready.stdout), (Stream::Stderr, ready.stderr)] {
            if is_ready && let Ok(read) = self.works[at].process.read(stream, &mut self.buffer) {
                self.output.push(stream, &self.buffer[..read]);
            }
        }
        if let Some(error) = self.output.take_error() {
            let now = Instant::now();
            self.works.iter_mut().for_each(|work| work.process.kill(now));
            self.fail_to_log(&error);
        }
    }

    /// The time and the end of one process.
    fn look(&mut self, at: usize, has_ended: bool, now: Instant) {
        let work = &mut self.works[at];
        if let Some((_, minutes)) = work.limit.take_if(|(at, _)| *at <= now)
            && !work.process.is_ending()
        {
            work.has_timed_out = true;
            work.process.end(now);
            let title = &work.deed.shown.title;
            let text = format!("The action '{title}' has timed out after {minutes} minutes.");
            self.output.turn_to(self.output.speaker_of(&work.deed.key));
            self.output.note(AnnotationLevel::Error, &text);
        }
        let process = &mut self.works[at].process;
        if has_ended && process.collect(now).is_err() {
            process.kill(now);
        }
        process.tick(now);
    }

    /// What the process changed, and how it ended, once it has.
    fn after(&mut self, work: &Work) -> Input {
        let deed = &work.deed;
        let exit = work.exit();
        self.turn_to(&deed.key);
        self.output.diagnose(&format!("deed {} ended: {exit:?}", deed.number));
        let (mut effects, has_failed) = self.output.end_process();
        let (paths, workspace) = (deed.files.clone(), self.bench.folders.workspace.clone());
        let (mut read, declared) = self.with_files(move |files| {
            let (read, declared) = (files.read(&paths), files.declare(&paths, &workspace));
            files.remove(&paths);
            (read, declared)
        });
        match declared {
            Ok(said) => said.iter().for_each(|text| self.output.show(text.as_bytes())),
            Err(text) => read.failures.push(text),
        }
        effects.outputs.extend(read.effects.outputs);
        effects.env.extend(read.effects.env);
        effects.state.extend(read.effects.state);
        effects.path.extend(read.effects.path);
        if let Exit::Code(code) = exit
            && code != 0
        {
            let is_inside = self.bench.container.is_some();
            let exceeded = self.bench.bounds.as_mut().map(|it| it.exceeded(code, is_inside));
            for text in exceeded.unwrap_or_default() {
                self.output.note(AnnotationLevel::Error, &text);
            }
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
            matches!(&deed.body, DeedBody::Action { program: Program::Native { .. }, .. });
        if let Some(container) = self.bench.container.as_ref().filter(|_| is_native) {
            // What is ours runs here; what it says is for steps in the container.
            container.translate(&mut effects);
        }
        let has_failed = has_failed | (is_native && !self.report_artifacts());
        if let Some(watch) = work.images.clone().filter(|_| self.stop < Stop::Abandoned) {
            self.report_images(&deed.key, watch);
        }
        let exit = match exit {
            Exit::Code(0) if has_failed || !read.failures.is_empty() => Exit::Failed,
            exit => exit,
        };
        Input::Ended { deed: deed.number, exit, effects: Box::new(effects) }
    }

    /// Orders of the driver, and the job's own deadlines.
    pub(super) fn hear(&mut self, plan: &Plan) {
        loop {
            match self.control.next() {
                Order::Nothing => break,
                // How far the logs are is all that reports do not say.
                Order::Attached => self.flush(),
                Order::Message(ToWorker::Cancel) if self.is_told => self.stop = Stop::Killed,
                Order::Message(ToWorker::Cancel) => {
                    // The first order may meet a job that its time limit has ended already: that
                    // is no reason to kill what cleans up.
                    self.is_told = true;
                    self.cancel(plan);
                }
                Order::Message(_) => {}
                Order::Closed => {
                    self.stop = self.stop.max(Stop::Abandoned);
                    break;
                }
            }
        }
        let now = Instant::now();
        if self.job_deadline.take_if(|at| *at <= now).is_some() && self.stop == Stop::No {
            self.output.turn_to(None);
            self.time_out();
            self.cancel(plan);
        }
        if self.cancel_deadline.is_some_and(|at| at <= now) {
            self.cancel_deadline = None;
            self.stop = Stop::Killed;
        }
        for at in 0..self.works.len() {
            let goes_on = match self.stop {
                Stop::No => true,
                Stop::Cancelled => {
                    let number = self.works[at].deed.number;
                    survives_cancel(&self.state, plan, &self.bench.workspace, number)
                }
                Stop::Abandoned | Stop::Killed => false,
            };
            let process = &mut self.works[at].process;
            match self.stop {
                _ if goes_on => {}
                Stop::Killed => process.kill(now),
                _ => process.end(now),
            }
        }
    }

    /// Whether a deadline of the job has passed.
    fn is_due(&self, now: Instant) -> bool {
        [self.job_deadline, self.cancel_deadline].into_iter().flatten().any(|at| at <= now)
    }

    fn show_deed(&mut self, deed: &Deed, shell: Option<&str>) {
        let script = match &deed.body {
            DeedBody::Script { script, .. } => Some(script.as_str()),
            DeedBody::Action { .. } | DeedBody::ReadAction { .. } => None,
        };
        self.show_header(&deed.shown, script, shell);
        if let DeedBody::Action { program: Program::Node { file, .. }, .. } = &deed.body
            && node::may_call_services(&self.bench.here(file))
        {
            self.output.show(node::NO_SERVICES.as_bytes());
        }
    }
}

/// What the step's environment permits (conformance 168, 172).
fn trust(prepared: &Prepared) -> Trust {
    let value = |name: &str| prepared.line.env.get(name).map(String::as_str);
    Trust::from_values(
        value("ACTIONS_ALLOW_UNSECURE_COMMANDS"),
        value("ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS"),
    )
}

fn cannot_start(prepared: &Prepared, error: &io::Error, user: Option<&str>) -> String {
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
    if let (io::ErrorKind::PermissionDenied, Some(user)) = (error.kind(), user) {
        return format!(
            "'{program}' cannot be started: {error}; jobs run as the user {user} here, who may not run it, or not \
             pass a folder around it (docs/sandbox.md)"
        );
    }
    format!("'{program}' cannot be started: {error}")
}
