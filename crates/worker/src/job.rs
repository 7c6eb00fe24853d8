//! The life of one job: set up, step after step as the sequencer says, cleaned up, reported.
//!
//! ```text
//!   set_up.rs    before the first step: actions, services, notes
//!   attend.rs    processes while they run
//!   tell.rs      what was decided about steps, in their logs and reports
//!   heed.rs      what is heard before the first step
//!   ending.rs    cancelled, swept after, reported
//! ```

mod attend;
mod ending;
mod heed;
mod set_up;
mod tell;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::{AnnotationLevel, ExitKind, LogRange, StepKey};
use mask::Masker;
use protocol::{JobSpec, Report};
use sequencer::{Input, JobEnd, Next, Plan, State, decide, evolve, pending};
use store::{Blobs, Durability};

use self::attend::Work;
use self::ending::lost;
use self::heed::{Heard, Heed};
use crate::command_line::Workbench;
use crate::control::{self, Control};
use crate::environment;
use crate::files::Files;
use crate::gather::{Gathering, with_sources};
use crate::github_token::{self, Asked};
use crate::images::{self, Images, Watch};
use crate::log::Log;
use crate::native;
use crate::output::Output;
use crate::setup::{self, Folders};
use crate::spool::Spool;

/// One look at a pipe takes at most this much: what fits the processor's cache twice.
const READ_BYTES: usize = 64 << 10;

/// No deadline is farther away: a clock cannot count to `1e300` minutes.
const MINUTES_MAX: f64 = 60.0 * 24.0 * 365.0;

/// The step that set-up speaks under, where it has something to say.
const SET_UP: &str = "__setup";

/// Runs the job to its end, whatever that is, and reports it.
pub(crate) fn run(control: Control, spec: &JobSpec) {
    let folders = Folders::of(spec);
    let mut control = control;
    control.set_fence(spec.fence);
    if spec.options.outlives {
        match Spool::create(Path::new(&*spec.paths.job)) {
            Ok(spool) => control.outlive(spool),
            Err(error) => return lost(&mut control, &spec.paths.job, &error),
        }
    }
    control.report(Report::Started { pid: std::process::id(), at: control::now() });
    let log = match Log::create(Path::new(&*spec.paths.log)) {
        Ok(log) => log,
        Err(error) => return lost(&mut control, &spec.paths.log, &error),
    };
    let job_deadline = deadline(spec.timeout_minutes);
    let (asked, heard) = ask_for_token(&mut control, spec, job_deadline);
    let with_token = asked.as_ref().and_then(|it| it.given_to(spec));
    let spec = with_token.as_ref().unwrap_or(spec);
    let mut host = environment::host(&folders.home, Path::new(&*spec.paths.downloads));
    let mut masker = with_words(spec);
    if let Some(door) = &spec.options.id_token {
        host.insert("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), door.url.to_string());
        host.insert("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), door.bearer.clone());
    }
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
        bench: Workbench::new(spec, folders, host),
        state: State::new(),
        open: Vec::new(),
        stop: Stop::No,
        has_timed_out: false,
        is_told: false,
        job_deadline,
        cancel_deadline: None,
        artifacts: native::Artifacts::default(),
        images: Images::default(),
        services: None,
        works: Vec::new(),
        own_logs: 0,
        files: Files::default(),
        buffer: vec![0; READ_BYTES],
        not_enforced: Vec::new(),
    };
    job.take(heard);
    job.say_of_token(asked);
    for name in short {
        let text = format!(
            "the secret {name} is shorter than 6 characters: masking it hides ordinary words"
        );
        job.output.note(AnnotationLevel::Warning, &text);
    }
    job.live();
}

/// Masks the words that open doors of the server.
fn with_words(spec: &JobSpec) -> Masker {
    let mut masker = Masker::new();
    let github = spec.options.github.as_ref().and_then(|it| it.token.as_ref());
    for door in spec.options.id_token.iter().chain(github) {
        masker.add(&door.bearer);
    }
    masker
}

/// The job's own token, where it may have one, and what was heard while the server was asked for it.
fn ask_for_token(
    control: &mut Control,
    spec: &JobSpec,
    deadline: Option<Instant>,
) -> (Option<Asked>, Heard) {
    let heed = Heed::new(control, deadline);
    let Some(door) = github_token::door(spec) else { return (None, heed.heard) };
    let (answer, heard) =
        heed.meanwhile(github_token::AT_MOST, move || github_token::answer(&door));
    (Some(Asked::of(spec, answer)), heard)
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
    images: Images,
    services: Option<services::Running>,
    /// What runs now: a step of the job's own, and steps in the background.
    works: Vec<Work>,
    /// Background steps so far.
    own_logs: u32,
    files: Files,
    buffer: Vec<u8>,
    /// What is known of that before the set-up.
    not_enforced: Vec<String>,
}

impl Job<'_> {
    fn say_of_token(&mut self, asked: Option<Asked>) {
        let Some(asked) = asked else { return };
        self.not_enforced.extend(asked.left_out);
        if let Some(why) = asked.trouble {
            let text = format!("secrets.GITHUB_TOKEN is empty, the job was given none: {why}");
            self.output.note(AnnotationLevel::Warning, &text);
        }
    }

    fn live(mut self) {
        let (end, exit) = match self.set_up() {
            Some(plan) => (self.steps(&plan), None),
            None if self.stop > Stop::No => (None, None),
            None => (None, Some(ExitKind::InfraFailure)),
        };
        if let Some(services) = self.services.take() {
            services.stop();
        }
        let left = self.bench.container.take().and_then(|container| {
            let given = container.give_back(self.bench.user());
            container.end();
            given.err()
        });
        self.sweep(left);
        if let Some(bounds) = self.bench.bounds.take() {
            bounds.end(self.bench.walls.is_none());
        }
        self.complete(end, exit);
    }

    /// Does what the sequencer owes until it owes nothing; none where it was not let finish.
    fn steps(&mut self, plan: &Plan) -> Option<JobEnd> {
        if self.stop == Stop::Cancelled {
            // It was heard before there was anything to cancel.
            self.stop = Stop::No;
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

    fn read_action(&mut self, uses: &str) -> Result<BTreeMap<Arc<str>, sequencer::Action>, String> {
        let mut gathering = Gathering::new(self.bench.spec, &self.bench.folders.workspace);
        gathering.hands = self.bench.hands().clone();
        gathering.is_for_container(self.bench.container.is_some());
        let found = gathering.local(uses);
        let notes = std::mem::take(&mut gathering.notes);
        self.say_notes(&notes);
        let mut found = found.map_err(|error| with_sources(&error))?;
        self.bench.find_node(&found).map_err(|error| with_sources(&error))?;
        if let Some(container) = &self.bench.container {
            container.place(&mut found);
        }
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

    /// Does something with the files of file commands, where steps do what they like.
    fn with_files<T: Send + 'static>(
        &mut self,
        deed: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> T {
        let mut files = std::mem::take(&mut self.files);
        let (files, done) = self.bench.hands().have(move || {
            let done = deed(&mut files);
            (files, done)
        });
        self.files = files;
        done
    }

    /// Whether all that the step listed is kept.
    fn report_artifacts(&mut self) -> bool {
        let list = self.files.folder().read(native::ARTIFACTS_FILE).ok().flatten();
        let list = String::from_utf8_lossy(list.as_deref().unwrap_or_default()).into_owned();
        let (reports, wrong) = self.artifacts.read(&list, &self.output.masker);
        for report in reports {
            self.control.report(report);
        }
        for text in &wrong {
            self.output.note(AnnotationLevel::Error, text);
        }
        wrong.is_empty()
    }

    /// Images that a step built. What is not known of them fails nothing: they are there.
    fn report_images(&mut self, step: &StepKey, watch: Watch) {
        let found = if watch.is_of_script() {
            self.bench.hands().have(move || watch.found())
        } else {
            let list = self.files.folder().read(native::IMAGES_FILE).ok().flatten();
            let list = String::from_utf8_lossy(list.as_deref().unwrap_or_default()).into_owned();
            let listed = self.images.read(&list);
            if listed.is_empty() {
                return;
            }
            self.bench.hands().have(move || watch.measured(listed))
        };
        let found = found.unwrap_or_else(|error| {
            self.output.diagnose(&format!("images are not recorded: {error}"));
            Vec::new()
        });
        let (images, said) = images::recorded(found, &self.output.masker);
        for image in images {
            self.control.report(Report::ImageBuilt { step: step.clone(), image });
        }
        if let Some(said) = said {
            self.output.note(AnnotationLevel::Notice, &said);
        }
    }
}

fn deadline(minutes: f64) -> Option<Instant> {
    (minutes > 0.0)
        .then(|| Instant::now() + Duration::from_secs_f64(minutes.min(MINUTES_MAX) * 60.0))
}
