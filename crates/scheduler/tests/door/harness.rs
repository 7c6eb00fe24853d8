//! The one place that knows the machine's functions. A script is a list of lines:
//!
//! `start` makes the run and leases what it can; `JOB success|failure|cancelled [key=value ..]` is
//! a worker's whole life; `take JOB` only its start; `lost JOB`; `cancel`, `cancel JOB`, `force`;
//! `resume`; `clock MINUTES`; `width N`.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Attempt, CancelReason, Change, Conclusion, EventRef, ExitKind, Fact, Fence, JobKey, RunEvent,
    RunId, RunRequest, Selection, StreamId, Terms, Timestamp, WorkflowFile,
};
use mask::MaskedText;
use protocol::Report;
use scheduler::{
    Command, Definitions, Files, Input, Refusal, State, check, decide, evolve, pending,
};
use serde_json::json;

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) definitions: Definitions,
    pub(crate) journal: Vec<(StreamId, RunEvent)>,
    pub(crate) now: Timestamp,
    pub(crate) width: usize,
    /// Whether invariants are looked at after every event.
    pub(crate) checks: bool,
    lines: Vec<String>,
}

pub(crate) fn text(text: impl Into<Arc<str>>) -> MaskedText {
    MaskedText::without_secrets(text)
}

pub(crate) fn request(run: u64, workflow: &str, called: &[(&str, &str)]) -> RunRequest {
    let file = |path: &str, text: &str| WorkflowFile { path: path.into(), text: text.into() };
    let called =
        called.iter().map(|(path, text)| (format!("./{path}"), file(path, text))).collect();
    RunRequest {
        run: RunId(run),
        attempt: Attempt(1),
        run_number: run,
        carried: Vec::new(),
        repository: "octo/planner".into(),
        repository_path: "/srv/planner".into(),
        workflow: file(".github/workflows/ci.yml", workflow),
        called,
        title: text("a title"),
        event: EventRef {
            name: "push".into(),
            git_ref: "refs/heads/main".into(),
            payload: json!({"flag": true}),
        },
        change: Change {
            commit: "0123456789abcdef0123456789abcdef01234567".into(),
            authored_at: Timestamp(0),
            committed_at: Timestamp(0),
            uncommitted: 0,
            snapshot: None,
            store: None,
            branched_at: None,
        },
        concurrency: None,
        selection: Selection::default(),
        terms: Terms::default(),
        inputs: json!(null),
        vars: json!({"REGION": "eu"}),
        secret_names: Vec::new(),
        actor: "octocat".into(),
        triggering_actor: "octocat".into(),
        asked: None,
        at: Timestamp(run),
    }
}

impl World {
    pub(crate) fn new() -> World {
        World {
            state: State::new(),
            definitions: Definitions::new(),
            journal: Vec::new(),
            now: Timestamp(0),
            width: 100,
            checks: true,
            lines: Vec::new(),
        }
    }

    pub(crate) fn create(&mut self, request: RunRequest, carried: Vec<RunEvent>) {
        let stream = StreamId::Run(request.run, request.attempt);
        let (files, diagnostics) = Files::read(&request);
        let errors: Vec<_> = diagnostics
            .iter()
            .filter(|it| it.severity == syntax::Severity::Error)
            .map(|it| &it.message)
            .collect();
        assert_eq!(errors, Vec::<&String>::new(), "the workflow of a test is right");
        self.definitions.insert(stream, files.expect("the workflow of a test is right"));
        let request = Box::new(RunRequest { at: self.now, ..request });
        self.input(Input::CreateRun { request, carried });
    }

    /// Decides, folds, and goes on until nothing is due.
    pub(crate) fn input(&mut self, input: Input) {
        match decide(&self.state, &self.definitions, input) {
            Ok(events) => self.fold(events),
            Err(refusal) => self.lines.push(format!("refused: {refusal}")),
        }
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let (at, width) = (self.now, self.width);
            let advance = Input::Advance { at };
            let mut events = decided(decide(&self.state, &self.definitions, advance));
            if events.is_empty() {
                let lease = Input::Lease { width, tracking: "t".into(), at };
                events = decided(decide(&self.state, &self.definitions, lease));
            }
            if events.is_empty() {
                let elsewhere = !self.definitions.elsewhere().is_empty();
                assert!(elsewhere || !self.state.is_advance_due());
                return;
            }
            self.fold(events);
        }
    }

    fn fold(&mut self, events: Vec<(StreamId, RunEvent)>) {
        for (stream, event) in events {
            evolve(&mut self.state, stream, &event).expect("what is decided can follow");
            if self.checks {
                check(&self.state, &self.definitions).expect("invariants hold after every event");
            }
            self.lines.push(line(stream, &event));
            self.journal.push((stream, event));
        }
    }

    /// A job that has a worker.
    pub(crate) fn leased(&self) -> Option<JobKey> {
        pending(&self.state).into_iter().find_map(|command| match command {
            Command::StartJob { job, .. } => Some(job),
            _ => None,
        })
    }

    fn lease(&self, job: &JobKey) -> (StreamId, Fence) {
        let found = self.state.runs().find_map(|(stream, run)| {
            run.job(job).and_then(|it| it.lease).map(|(fence, _)| (stream, fence))
        });
        found.unwrap_or((StreamId::Run(RunId(1), Attempt(1)), Fence(0)))
    }

    pub(crate) fn report(&mut self, job: &JobKey, report: Report) {
        let (stream, fence) = self.lease(job);
        let (job, runner, log) = (job.clone(), "laptop".into(), None);
        self.input(Input::Report { stream, job, fence, number: None, report, runner, log });
    }

    fn take(&mut self, job: &JobKey) {
        self.report(job, Report::Started { pid: 1, at: self.now });
    }

    fn end(&mut self, job: &JobKey, conclusion: Conclusion, outputs: BTreeMap<String, MaskedText>) {
        let exit = match conclusion {
            Conclusion::Success => ExitKind::None,
            Conclusion::Cancelled => ExitKind::Cancelled,
            _ => ExitKind::UserFailure,
        };
        let at = self.now;
        let environment_url = None;
        self.report(job, Report::Completed { conclusion, exit, outputs, environment_url, at });
    }

    /// Does one line of a script.
    pub(crate) fn act(&mut self, script: &str) {
        let at = self.now;
        let by = text("octocat");
        let (word, rest) = script.trim().split_once(' ').unwrap_or((script.trim(), ""));
        let key = JobKey::new(rest);
        let stream = self.state.runs().next().map(|(stream, _)| stream);
        let stream = stream.unwrap_or(StreamId::Run(RunId(1), Attempt(1)));
        let person = CancelReason::Person { by: by.clone(), asked: None };
        match word {
            "take" => self.take(&key),
            "lost" => {
                let (stream, fence) = self.lease(&key);
                let reason = text("its worker is gone");
                self.input(Input::WorkerGone { stream, job: key, fence, reason, at });
            }
            "cancel" if rest.is_empty() => {
                self.input(Input::Cancel { stream, job: None, reason: person, at });
            }
            "cancel" => self.input(Input::Cancel { stream, job: Some(key), reason: person, at }),
            "force" => {
                let reason = CancelReason::Forced { by, asked: None };
                self.input(Input::Cancel { stream, job: None, reason, at });
            }
            "resume" => self.input(Input::Resume { stream, job: None, by, asked: None, at }),
            "clock" => {
                let minutes: u64 = rest.parse().expect("minutes");
                self.now = Timestamp(self.now.0 + minutes * 60_000);
                self.input(Input::Clock { at: self.now });
            }
            _ => self.whole_life(script.trim()),
        }
    }

    /// `JOB CONCLUSION [KEY=VALUE ..]`; a job's key may hold blanks.
    fn whole_life(&mut self, script: &str) {
        const ENDS: [(&str, Conclusion); 3] = [
            (" success", Conclusion::Success),
            (" failure", Conclusion::Failure),
            (" cancelled", Conclusion::Cancelled),
        ];
        let found = ENDS.iter().find_map(|(word, it)| Some((script.find(word)?, word, *it)));
        let (at, word, conclusion) = found.expect("a script line is a known one");
        let job = JobKey::new(&script[..at]);
        let outputs = script[at + word.len()..].split_whitespace().map(|pair| {
            let (key, value) = pair.split_once('=').expect("outputs are KEY=VALUE");
            (key.to_owned(), text(value))
        });
        let outputs = outputs.collect();
        let running = self
            .state
            .runs()
            .any(|(_, run)| run.job(&job).is_some_and(|it| it.status == event::Status::InProgress));
        if !running {
            self.take(&job);
        }
        self.end(&job, conclusion, outputs);
    }

    /// The events since the last time, a line each.
    pub(crate) fn told(&mut self) -> String {
        let mut told = std::mem::take(&mut self.lines).join("\n");
        told.push('\n');
        told
    }

    /// Folding what was written gives the same state: nothing lives beside the events.
    pub(crate) fn check_fold(&self) {
        let mut again = State::new();
        for (stream, event) in &self.journal {
            evolve(&mut again, *stream, event).expect("what happened can happen again");
        }
        assert!(again == self.state, "the fold of the journal is the state");
    }
}

fn decided(decided: Result<Vec<(StreamId, RunEvent)>, Refusal>) -> Vec<(StreamId, RunEvent)> {
    decided.expect("what is due is never refused")
}

/// Runs a script and gives what happened behind each of its lines.
pub(crate) fn play(workflow: &str, called: &[(&str, &str)], script: &str) -> String {
    let mut world = World::new();
    world.create(request(1, workflow, called), Vec::new());
    let mut told = world.told();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        told.push_str(&format!("> {line}\n"));
        world.act(line);
        told.push_str(&world.told());
    }
    world.check_fold();
    told
}

fn line(stream: StreamId, event: &RunEvent) -> String {
    let (run, attempt) = stream.as_run().expect("the stream of a run");
    let place = match (run.0, attempt.0) {
        (1, 1) => String::new(),
        (run, 1) => format!("[{run}] "),
        (run, attempt) => format!("[{run}/{attempt}] "),
    };
    let job = event.job().map(|job| format!(" {job}")).unwrap_or_default();
    let outputs = |outputs: &BTreeMap<String, MaskedText>| -> String {
        outputs.iter().map(|(key, value)| format!(" {key}={value}")).collect()
    };
    let more = match event {
        RunEvent::JobsDeclared { jobs, .. } => {
            let names: Vec<String> = jobs.iter().map(|job| job.key.to_string()).collect();
            format!(": {}", names.join(", "))
        }
        RunEvent::JobPlanned(it) if *it.name.as_str() != *it.key.as_str() => {
            format!(" as `{}`", it.name)
        }
        RunEvent::JobSkipped { reason, .. } => format!(": {reason:?}"),
        RunEvent::JobWaiting { reason, .. } | RunEvent::RunWaiting { reason, .. } => {
            format!(": {reason:?}")
        }
        RunEvent::CancelRequested { reason, .. } => format!(": {reason:?}"),
        RunEvent::AnnotationAdded { annotation, .. } => {
            let line = annotation.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            format!(": {}{line}", annotation.message)
        }
        RunEvent::JobCompleted { conclusion, outputs: it, .. }
        | RunEvent::MatrixCompleted { conclusion, outputs: it, .. }
        | RunEvent::CallCompleted { conclusion, outputs: it, .. }
        | RunEvent::JobCarried { conclusion, outputs: it, .. } => {
            format!(" {conclusion}{}", outputs(it))
        }
        RunEvent::RunCompleted { conclusion, .. } => format!(" {conclusion}"),
        _ => String::new(),
    };
    format!("{place}{}{job}{more}", event.kind())
}
