//! From what waits in the inbox to runs: each thing is taken once, whoever is killed when.
//!
//! ```text
//! inbox/ID.push      what git said                                  (arriving/hook.rs)
//! inbox/ID.order     the requests it became, numbered               written before any run is made (intake/orders.rs)
//! pushes/ID.json     what is told of it
//! ```
//!
//! The order is the intent: a run is made from it if the journal does not have that run yet. Both
//! files go when all are made, the push first, so that nothing is planned twice.
//!
//! What is wrong with a push is an answer, and the push is over. What is wrong with the moment (`intake/moment.rs`)
//! is none: the push stays where it is, before all later ones of its repository, and is tried again.

pub(super) mod answers;
pub(super) mod moment;
pub(super) mod numbers;
pub(super) mod orders;
pub(super) mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use actions::WriteLock;
use driver::Input;
use event::{Asked, Attempt, RunRequest, Seq, StreamId, Terms};
use ports::{Journal as _, JournalError};
use protocol::JobOptions;
use repository::{
    CommittedFile, PrivateStore, RefUpdate, Repository, RepositoryError, TriggeringEvent,
};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use server::Places;
use store::Store;
use syntax::Diagnostic;

use self::orders::{Order, Ordered, Orders};
use super::arriving::hook::{Answer, Pushed};
use super::arriving::unheard;
use super::data::{self, DataFolder};
use super::drive::Handle;
use super::drive::gates;
use super::repositories::switches;
use super::repositories::{self, Connected};
use crate::cli::{EventArgs, Format};
use crate::commands::look_ahead;
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::running::again::Known;
use crate::running::agree::MatterKind;
use crate::running::files;
use crate::running::prepare::refuse::UNKNOWN_LABEL;
use crate::running::prepare::{self, Chosen, Numbers, Situation, called, inputs};
use crate::running::remote::RemoteFiles;
use crate::running::select::{self, Candidate, Choice, SwitchedOff};
use crate::telling;
use crate::terminal::diagnostics;
use crate::terminal::style::{Style, talk};
use crate::terminal::time::now;

/// A look at the inbox without a sign of something new, in seconds: what failed is tried again.
const LOOK_SECONDS: i64 = 5;

/// Takes what waits in the inbox.
pub(crate) struct Intake {
    pub(crate) data: DataFolder,
    pub(crate) store: Arc<Store>,
    pub(crate) handle: Handle,
    pub(super) orders: Orders,
    /// One order at a time: whoever asks for a re-run carries out theirs at once.
    turn: Mutex<()>,
}

impl Intake {
    pub(crate) fn new(data: DataFolder, store: Arc<Store>, handle: Handle) -> Intake {
        let orders = Orders::of(data.clone());
        Intake { data, store, handle, orders, turn: Mutex::default() }
    }

    /// Takes until the other end of the pipe `stop` is closed.
    pub(crate) fn run(&self, stop: &OwnedFd) {
        let mut told = None;
        // Before the first look, so that what comes after it is heard of.
        let watch = self.watch();
        if let Err(error) = &watch {
            let every = format!("looked at every {LOOK_SECONDS} s");
            talk(&format!("warning: the inbox cannot be watched and is {every}: {error}"));
        }
        loop {
            match self.take_all() {
                // Said by whoever waits for the database.
                Err(failure) if store::is_away(failure.error.as_ref()) => {}
                taken => {
                    // It is tried again and again; said once, and that it is over.
                    let trouble = taken.err().map(|failure| format!("{:#}", failure.error));
                    match &trouble {
                        Some(text) if told != trouble => talk(&format!(
                            "warning: {text}; what was pushed waits in the inbox, and is tried again"
                        )),
                        None if told.is_some() => talk("what waited in the inbox is taken"),
                        _ => {}
                    }
                    told = trouble;
                }
            }
            if is_stopped(stop, watch.as_ref().ok()) {
                return;
            }
        }
    }

    /// Hears of files that are put into the inbox.
    fn watch(&self) -> std::io::Result<OwnedFd> {
        std::fs::create_dir_all(self.data.inbox())?;
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(&queue, self.data.inbox(), WatchFlags::MOVED_TO)?;
        Ok(queue)
    }

    /// Back comes what keeps something waiting.
    fn take_all(&self) -> Result<(), Failure> {
        let pushes = data::list(&self.data.inbox(), ".push")?;
        let orders = data::list(&self.data.inbox(), ".order")?;
        let (mut waiting, mut trouble) = (BTreeSet::new(), Ok(()));
        for id in &pushes {
            if let Err(failure) = self.take(id, &mut waiting) {
                trouble = Err(failure);
            }
        }
        for id in orders.iter().filter(|id| !pushes.contains(id)) {
            // One that cannot be carried out now keeps no other waiting.
            if let Err(failure) = self.carry_out(id) {
                trouble = Err(failure);
            }
        }
        trouble
    }

    /// Takes one, where nothing of its repository waits before it.
    fn take(&self, id: &str, waiting: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
        let path = self.data.inbox().join(format!("{id}.push"));
        let order = self.data.inbox().join(format!("{id}.order"));
        let push: Pushed = match data::read(&path) {
            Ok(Some(push)) => push,
            Ok(None) => return Ok(()),
            Err(failure) if !data::is_damaged(&failure) => return Err(failure),
            Err(failure) => {
                // What is none of ours stays, under another name, and keeps nobody waiting.
                let aside = data::put_aside(&path)?;
                let shown = aside.display();
                talk(&format!("warning: {:#}; it is put aside as {shown}", failure.error));
                return Ok(());
            }
        };
        if waiting.contains(&push.repository) {
            return Ok(());
        }
        let repository = push.repository.clone();
        let taken = || {
            match (order.exists(), self.data.told(id).exists()) {
                // What is told is written behind the order: who has told, and has no order any more, has made
                // its runs. Somebody left word twice.
                (false, true) => return data::remove(&path),
                (false, false) => {
                    let (runs, answer) = self.planned(id, &push)?;
                    self.orders.write(id, &Order { runs, answer: Some(answer) })?;
                }
                // Somebody was killed in between: whoever owes this word asks whether it was told.
                (true, _) => {}
            }
            let planned = self.orders.read(id, Some(&push))?;
            let Order { runs, answer } = planned.unwrap_or_default();
            if let Some(answer) = answer.filter(|_| !self.data.told(id).exists()) {
                self.say(id, &answer)?;
            }
            self.make(runs)?;
            unheard::took(&self.data, &push)?;
            data::remove(&path)?;
            data::remove(&order)
        };
        let taken = taken();
        if taken.is_err() {
            waiting.insert(repository);
        }
        taken
    }

    fn planned(&self, id: &str, push: &Pushed) -> Result<(Vec<Ordered>, Answer), Failure> {
        if !unheard::was_found(&self.data, id, push)? {
            return self.plan(id, push.clone());
        }
        let said = vec!["taken already, when the server started and nobody had told it".to_owned()];
        let (name, runs) = (String::new(), Vec::new());
        let answer = Answer { push: push.clone(), name, runs, said, is_held: false };
        Ok((Vec::new(), answer))
    }

    /// Takes an event that somebody else keeps until this comes back: what it becomes is written
    /// down once, whoever is killed when.
    pub(crate) fn take_event(&self, id: &str, event: Event<'_>) -> Result<(), Failure> {
        let plan = || {
            let (push, is_held) = (event.push.clone(), event.is_held);
            let name = event.connected.name.clone();
            let mut answer = Answer { push, name, runs: Vec::new(), said: Vec::new(), is_held };
            let (only, said) = (event.only.clone(), event.said.clone());
            let planned = Planning::told(self, event).and_then(|mut planning| {
                planning.kept_as = Some(id.to_owned());
                planning.plan(only.as_deref())
            });
            let runs = told_of(planned, &mut answer)?;
            answer.said.splice(..0, said);
            answer.is_held &= !runs.is_empty();
            Ok(Order { runs, answer: Some(answer) })
        };
        self.orders.once(id, plan, |runs| self.make(runs))
    }

    /// Says why nothing runs for an event.
    pub(crate) fn say(&self, id: &str, answer: &Answer) -> Result<(), Failure> {
        self.orders.tell(id, answer)
    }

    /// Makes the runs of an order that stands in the inbox, and takes it out.
    pub(crate) fn carry_out(&self, id: &str) -> Result<(), Failure> {
        self.orders.carry_out(id, |runs| self.make(runs))
    }

    /// Makes those that the journal does not have yet.
    fn make(&self, runs: Vec<Ordered>) -> Result<(), Failure> {
        let _turn = self.turn.lock().expect("nobody panics while having the turn");
        for Ordered { request, carried } in runs {
            let stream = StreamId::Run(request.run, request.attempt);
            if is_made(&self.store, stream)? {
                continue;
            }
            // Ordered by an earlier version, which took what this one refuses: it would be refused at every look.
            if let Some(why) = refused(&request) {
                talk(&format!("warning: run {stream} was ordered and is not made: {why}"));
                continue;
            }
            self.handle.create(Input::CreateRun { request: Box::new(request), carried }, stream)?;
        }
        Ok(())
    }

    /// What a push becomes. What is wrong with it is said, and keeps no other push waiting; what is wrong with
    /// the moment is an error.
    fn plan(&self, id: &str, push: Pushed) -> Result<(Vec<Ordered>, Answer), Failure> {
        let mut answer = Answer {
            push: push.clone(),
            name: String::new(),
            runs: Vec::new(),
            said: Vec::new(),
            is_held: false,
        };
        let planned = repositories::all(&self.data).and_then(|known| {
            let connected = known.into_iter().find(|it| it.path == push.repository);
            let connected = connected.ok_or_else(|| {
                let path = push.repository.display();
                Failure::new(Exit::Usage, format!("{path} is not connected any more"))
            })?;
            answer.name.clone_from(&connected.name);
            let mut planning = Planning::of(self, &push, &connected)?;
            planning.kept_as = Some(id.to_owned());
            planning.plan(None)
        });
        let runs = told_of(planned, &mut answer)?;
        Ok((runs, answer))
    }
}

/// Whether a run that was ordered is there.
fn is_made(store: &Store, stream: StreamId) -> Result<bool, Failure> {
    match store.read(stream, Seq(0)) {
        Ok(events) => Ok(!events.is_empty()),
        // One that was made, and pruned since, was made.
        Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => Ok(true),
        // Nobody knows whether it was.
        Err(error) => Err(Failure::caused(Exit::Missing, error)),
    }
}

/// Waits for something new in the inbox, for a while at most; says whether it is to end.
fn is_stopped(stop: &OwnedFd, watch: Option<&OwnedFd>) -> bool {
    let mut fds = vec![PollFd::new(stop, PollFlags::IN)];
    fds.extend(watch.map(|watch| PollFd::new(watch, PollFlags::IN)));
    let patience = Timespec { tv_sec: LOOK_SECONDS, tv_nsec: 0 };
    // Interrupted or not: the next look tells.
    let _ = rustix::event::poll(&mut fds, Some(&patience));
    let is_stopped = !fds[0].revents().is_empty();
    if let Some(watch) = watch {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watch, &mut space);
        // All that lies there is looked at, whatever each says.
        while reader.next().is_ok() {}
    }
    is_stopped
}

/// An event of elsewhere, whose repository stands at the commit that is to run.
pub(crate) struct Event<'e> {
    pub(crate) connected: &'e Connected,
    pub(crate) repository: Repository,
    pub(crate) event: TriggeringEvent,
    pub(crate) push: Pushed,
    /// The one workflow file that is meant.
    pub(crate) only: Option<String>,
    /// Whether it is code of somebody who may not write there.
    pub(crate) outside: bool,
    /// Whether somebody has to let it in.
    pub(crate) is_held: bool,
    /// How it came here, where that is not as events of its repository do.
    pub(crate) asked: Option<Asked>,
    /// What is told of it besides what becomes of it.
    pub(crate) said: Option<String>,
}

/// The runs, and in the answer what is told.
///
/// # Errors
/// When nothing is told: what went wrong says nothing of what was pushed.
fn told_of(
    planned: Result<Planned, Failure>,
    answer: &mut Answer,
) -> Result<Vec<Ordered>, Failure> {
    match planned {
        Ok(Planned { runs, said }) => {
            let line = |it: &Ordered| {
                let stream = StreamId::Run(it.request.run, it.request.attempt);
                (stream, it.request.workflow.path.to_string())
            };
            answer.runs = runs.iter().map(line).collect();
            answer.said = said;
            Ok(runs)
        }
        Err(failure) if moment::is_to_blame(&failure, answer.push.at, now()) => Err(failure),
        Err(failure) => {
            answer.said.push(format!("nothing runs: {:#}", failure.error));
            answer.said.extend(failure.hints.iter().map(|hint| format!("hint: {hint}")));
            Ok(Vec::new())
        }
    }
}

/// An event of a repository on its way to requests.
pub(crate) struct Planning<'i> {
    intake: &'i Intake,
    connected: Connected,
    repository: Repository,
    event: TriggeringEvent,
    committed: Vec<CommittedFile>,
    known: Known,
    terms: Terms,
    args: EventArgs,
    /// What it is called in the inbox, where whoever keeps it tries again.
    kept_as: Option<String>,
    /// The environments of which whoever wants it may run jobs; what is pushed may in all.
    pub(crate) environments: Places,
    /// How whoever wants it asked for it.
    pub(crate) asked: Asked,
}

#[derive(Default)]
struct Planned {
    runs: Vec<Ordered>,
    said: Vec<String>,
}

impl<'i> Planning<'i> {
    fn of(
        intake: &'i Intake,
        push: &Pushed,
        connected: &Connected,
    ) -> Result<Planning<'i>, Failure> {
        let Pushed { old, new, git_ref, pusher, .. } = push.clone();
        let repository = connected.at(&new, pusher)?;
        let event = repository.pushed(&RefUpdate { old, new, git_ref })?;
        Planning::at(intake, connected, repository, event, false)
    }

    /// An event that is known already.
    pub(crate) fn about(
        intake: &'i Intake,
        repository: Repository,
        event: TriggeringEvent,
        connected: &Connected,
    ) -> Result<Planning<'i>, Failure> {
        Planning::at(intake, connected, repository, event, false)
    }

    /// An event whose payload and place are known.
    fn told(intake: &'i Intake, event: Event<'_>) -> Result<Planning<'i>, Failure> {
        let Event { connected, repository, event, outside, asked, .. } = event;
        let mut planning = Planning::at(intake, connected, repository, event, outside)?;
        planning.asked = asked.unwrap_or(planning.asked);
        planning.args.event.clone_from(&planning.event.name);
        planning.args.event_path = Some(std::path::PathBuf::from("the webhook"));
        Ok(planning)
    }

    fn at(
        intake: &'i Intake,
        connected: &Connected,
        repository: Repository,
        event: TriggeringEvent,
        outside: bool,
    ) -> Result<Planning<'i>, Failure> {
        let committed =
            event.committed_files(&repository, &PrivateStore::passing(), files::WORKFLOWS)?;
        let state = &intake.data.state;
        // Who pushes to a bare repository is who committed: git shows no more.
        let (proof, source) = match &*event.name {
            "schedule" => ("", "clock"),
            _ if connected.github.is_some() => ("github", "github"),
            _ => ("", "git"),
        };
        let asked = Asked { proof: proof.into(), source: source.into(), ..Asked::default() };
        Ok(Planning {
            known: Known::of(state, &repository.root, &repository.head.id)?,
            intake,
            connected: connected.clone(),
            repository,
            event,
            committed: committed.unwrap_or_default(),
            terms: Terms {
                environments: if outside { Vec::new() } else { connected.environments.clone() },
                labels: connected.labels.clone(),
                images: BTreeMap::new(),
                committed: true,
                // No gate opens for code from outside: it runs in no environment.
                gated: !outside,
                outside,
                // Whoever starts the jobs says so, when they start.
                sandboxed: false,
                let_in_by: None,
            },
            args: EventArgs::default(),
            kept_as: None,
            environments: Places::Everywhere,
            asked,
        })
    }

    /// The workflow files of its commit; none where it has none.
    pub(crate) fn candidates(&self) -> Result<Vec<Candidate>, Failure> {
        let is_yaml = |file: &CommittedFile| files::is_yaml(file.path.as_ref());
        if !self.committed.iter().any(is_yaml) {
            return Ok(Vec::new());
        }
        select::candidates(&self.repository, Some(&self.committed), &self.args)
    }

    /// What the event means for one of them.
    pub(crate) fn choose(&self, candidate: &Candidate) -> Result<Choice, Failure> {
        let name = self.repository.full_name();
        let off = switches::off(&self.intake.data, &name)?;
        let off = SwitchedOff { paths: &off, at_server: Some(&name) };
        Ok(select::choose(candidate, &self.event, off, self.not_skipped().is_some()))
    }

    /// Why words that skip runs are not heard; none where nothing is to be skipped, or it may be. What counts stands
    /// on the default branch; where nobody can read that, nothing is skipped.
    fn not_skipped(&self) -> Option<String> {
        let word = select::skip_word(&self.event)?;
        let into = self.event.base_ref.as_deref();
        let branch = into.or_else(|| self.event.git_ref.strip_prefix("refs/heads/"))?;
        let says = format!("the commit's message says {word}, and it runs all the same:");
        match repositories::settings_at_tip(&self.connected) {
            Err(failure) => Some(format!(
                "{says} whether {branch} may be skipped is not known: {:#}",
                failure.error
            )),
            Ok(settings) => {
                let patterns = settings.map(|it| it.never_skip).unwrap_or_default();
                let found = patterns.iter().find(|it| telling::fits(&it.value, branch))?;
                Some(format!("{says} `never_skip` of {} names {}", settings::FILE, found.value))
            }
        }
    }

    /// Each file by itself: what is wrong with one keeps no other from running.
    fn plan(&self, only: Option<&str>) -> Result<Planned, Failure> {
        let mut planned = Planned::default();
        let candidates = self.candidates()?;
        if candidates.is_empty() {
            let commit: String = self.repository.head.id.chars().take(7).collect();
            planned.said.push(format!("{commit} has no workflow file in {}", files::WORKFLOWS));
            return Ok(planned);
        }
        planned.said.extend(self.not_skipped());
        for candidate in candidates {
            let path = &candidate.path;
            if only.is_some_and(|only| only != path) {
                continue;
            }
            match self.choose(&candidate)? {
                Choice::Not(reason) => planned.said.push(format!("{path} does not run: {reason}")),
                Choice::Broken => {
                    let found = rendered(&candidate.findings).join("\n");
                    planned.said.push(format!("{path} does not run: it has mistakes\n{found}"));
                }
                Choice::Runs => match self.run(&candidate)? {
                    Ok(run) => planned.runs.push(run),
                    Err(said) => {
                        planned.said.push(format!("{path} does not run: {}", said.join("\n")));
                    }
                },
            }
        }
        Ok(planned)
    }

    /// Environments that the settings close, and those that nobody agreed to: one that rules guard asks
    /// people when a job comes to its gate.
    fn not_agreed(
        &self,
        matters: &[crate::running::agree::Matter],
    ) -> Result<Vec<String>, Failure> {
        let mut said = Vec::new();
        for matter in matters {
            let MatterKind::Environment(name) = &matter.kind else { continue };
            let job = &matter.job;
            let is_agreed = self.terms.environments.iter().any(|it| it.eq_ignore_ascii_case(name));
            if self.terms.outside {
                said.push(format!(
                    "the job {job} runs in the environment {name}, and code of a fork runs in none"
                ));
            // Where nobody can read the rules it waits at its gate.
            } else if let Some(why) = self.known.levels.closed(name) {
                said.push(format!("the job {job} cannot run: {why}"));
            } else if !is_agreed && !gates::is_guarded(&self.connected, name)? {
                said.push(format!(
                    "the job {job} runs in the environment {name}, and nobody agreed to that; launchway repositories add PATH --environment '{name}' agrees"
                ));
            }
        }
        Ok(said)
    }

    /// Who may not deploy runs nothing by hand that names an environment, whatever its gate would ask.
    fn refuse_environments(
        &self,
        matters: &[crate::running::agree::Matter],
    ) -> Result<(), Failure> {
        let everywhere = self.environments == Places::Everywhere;
        let refused = matters.iter().find_map(|matter| match &matter.kind {
            MatterKind::Environment(name) if self.environments.have(name) => None,
            MatterKind::Environment(name) => Some((&matter.job, name)),
            // Which one that is shows while it runs: who may not everywhere may not there.
            MatterKind::LaterEnvironment { .. } if everywhere => None,
            MatterKind::LaterEnvironment { written } => Some((&matter.job, written)),
            MatterKind::Push(_) => None,
        });
        let Some((job, name)) = refused else { return Ok(()) };
        if let Places::Only(names) = &self.environments
            && !names.is_empty()
        {
            let message = format!(
                "the job {job} runs in {name}, and you may deploy in {} alone",
                names.join(", ")
            );
            return Err(Failure::new(Exit::Forbidden, message));
        }
        let message = format!("the job {job} runs in {name}, and this token may not deploy");
        Err(Failure::new(Exit::Forbidden, message)
            .hint("launchway tokens create NAME --scope deploy --person LOGIN --data DIR, where the server runs, makes one that may"))
    }

    /// A run of a file, or why there is none.
    pub(crate) fn run(
        &self,
        candidate: &Candidate,
    ) -> Result<Result<Ordered, Vec<String>>, Failure> {
        let state = &self.intake.data.state;
        let workflow = candidate.workflow.as_ref().expect("a file that runs can be read");
        let root = self.known.lock_file.ancestors().nth(2).unwrap_or(&self.repository.root);
        let options = JobOptions::default();
        let remote = RemoteFiles::new(state, root, &options, WriteLock::WhereItsFolderIs);
        let fetch = |uses: &workflow::Uses| remote.file(uses);
        let called = called::find(&self.repository, workflow, Some(&self.committed), &fetch)?;
        let mut findings = called.findings;
        let chosen = Chosen {
            path: &candidate.path,
            source: &candidate.source,
            workflow,
            called: called.files,
            inputs: inputs::unasked(workflow, &self.event)?,
        };
        let identity = &self.repository.identity;
        let (mut vars, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        if !self.terms.outside {
            kept::add_variables(state, identity, &mut vars)?;
            kept::add_secrets(state, identity, &mut secrets)?;
        }
        let secret_names: Vec<String> = secrets.keys().cloned().collect();
        let selection = event::Selection::default();
        let situation = Situation {
            repository: &self.repository,
            event: &self.event,
            store: None,
            terms: self.terms.clone(),
            vars: &vars,
            secret_names: &secret_names,
            selection: &selection,
            now: now(),
        };
        let mut said = Vec::new();
        match prepare::request(&situation, chosen.clone(), crate::commands::NOT_NUMBERED) {
            Ok(draft) => {
                let drafts = std::slice::from_ref(&draft);
                let matters = look_ahead(drafts, &self.terms, &mut findings);
                let matters = matters.concat();
                self.refuse_environments(&matters)?;
                said.extend(self.not_agreed(&matters)?);
                said.extend(refused(&draft));
            }
            Err(finding) => findings.push(*finding),
        }
        // A label that no machine has today may have one tomorrow: the job waits, and says for what.
        findings.retain(|it| it.rule != UNKNOWN_LABEL);
        said.extend(rendered(&findings));
        if !said.is_empty() {
            return Ok(Err(said));
        }
        let (run, run_number) = self.numbers(&candidate.path)?;
        let numbers = Numbers { run, attempt: Attempt(1), run_number };
        Ok(match prepare::request(&situation, chosen, numbers) {
            Ok(request) => {
                let request = RunRequest { asked: Some(self.asked.clone()), ..request };
                Ok(Ordered { request, carried: Vec::new() })
            }
            Err(finding) => Err(rendered(&[*finding])),
        })
    }
}

impl Planning<'_> {
    fn numbers(&self, path: &str) -> Result<(event::RunId, u64), Failure> {
        let (Intake { store, orders, .. }, name) = (self.intake, self.repository.full_name());
        let give = || {
            let given = store.allocate_run(&name, path);
            given.map_err(|error| Failure::caused(Exit::Missing, error))
        };
        match &self.kept_as {
            Some(id) => orders.numbers.of((id, &name, path), give),
            None => give(),
        }
    }
}

pub(crate) fn rendered(findings: &[Diagnostic]) -> Vec<String> {
    diagnostics::render(findings, Format::Human, Style::plain())
}

/// What the scheduler itself would refuse, asked before the run has a number.
pub(super) fn refused(request: &RunRequest) -> Option<String> {
    let stream = StreamId::Run(request.run, request.attempt);
    let mut definitions = scheduler::Definitions::new();
    if let (Some(files), _) = scheduler::Files::read(request) {
        definitions.insert(stream, files);
    }
    let input =
        scheduler::Input::CreateRun { request: Box::new(request.clone()), carried: Vec::new() };
    let decided = scheduler::decide(&scheduler::State::new(), &definitions, input);
    decided.err().map(|refusal| refusal.to_string())
}

/// That a repository cannot be used says so by itself.
pub(crate) fn usable(path: &std::path::Path) -> Result<std::path::PathBuf, Failure> {
    let path = std::fs::canonicalize(path)
        .map_err(|_| Failure::new(Exit::Usage, format!("there is no folder {}", path.display())))?;
    match Repository::bare(&path, "HEAD", (String::new(), String::new())) {
        // One without a commit yet is there to be pushed to.
        Ok(_) | Err(RepositoryError::NoCommit { .. }) => Ok(path),
        Err(RepositoryError::NotARepository { .. }) => {
            let message = format!("{} is no bare repository", path.display());
            Err(Failure::new(Exit::Usage, message).hint(
                "make one: git clone --bare WORKTREE /srv/git/NAME.git, and push to that from then on",
            ))
        }
        Err(error) => Err(error.into()),
    }
}
