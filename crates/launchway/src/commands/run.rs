//! `launchway run`: the workflows that an event starts, run here.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use actions::WriteLock;
use driver::Input;
use event::{Attempt, RunId, RunRequest, StreamId, Terms};
use protocol::{JobLimits, JobOptions};
use repository::{CommittedFile, EventRequest, PrivateStore, Repository, TriggeringEvent};
use store::Store;
use syntax::Diagnostic;

use super::dispatch;
use crate::cli::{EventArgs, Executor, Format, RunArgs};
use crate::exit::{Exit, Failure, Outcome, exit_of_findings};
use crate::running::engine::{Engine, Finish, LOCK_FILE, processors, sweep};
use crate::running::levels::Levels;
use crate::running::prepare::{self, Chosen, Numbers, Situation, called, foreseen, inputs, refuse};
use crate::running::remote::RemoteFiles;
use crate::running::select::{self, Candidate, Choice, SwitchedOff};
use crate::running::walls::{KeptIn, limits};
use crate::running::{agree, files, given};
use crate::state::StateFolder;
use crate::terminal::closing;
use crate::terminal::diagnostics;
use crate::terminal::report::reporter;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::now;
use crate::{journal, kept};

pub(crate) fn run(args: &RunArgs, state: &StateFolder) -> Outcome {
    if let Some(url) = &args.server {
        return dispatch::run(args, url);
    }
    executor(args.executor)?;
    let repository =
        Repository::discover(args.event.repository.as_deref().unwrap_or(Path::new(".")))?;
    let mut private = PrivateStore::in_folder(&state.snapshots());
    let wanted = event_request(&args.event)?;
    let event = repository.event(&wanted, !args.event.committed, &mut private)?;
    say_note(&event, args.format);
    let committed = event.committed_files(&repository, &private, files::WORKFLOWS)?;
    let committed = committed.as_deref();
    let mut selected = Selected::find(&repository, &event, committed, args, state)?;
    selected.say_what_does_not_run(args.format);
    let mut secrets = given::secrets(&args.secrets, args.secret_file.as_deref())?;
    let mut vars = given::vars(&args.event.vars)?;
    kept::add_secrets(state, &repository.identity, &mut secrets)?;
    kept::add_variables(state, &repository.identity, &mut vars)?;
    let mut engine = Engine {
        state: state.clone(),
        store: Arc::new(journal::open(state)?),
        secrets,
        options: options(args, committed.is_some())?,
        repository: repository.root.clone(),
        lock_file: repository.root.join(LOCK_FILE),
        identity: repository.identity.clone(),
        levels: Levels::of(&repository.root),
        kept_in: KeptIn {
            secret: args.secret_file.iter().cloned().collect(),
            limits: limits::claimed(
                &args.limits,
                !given::labels_of_machine(&args.labels)?.1.is_empty(),
            )?,
            ..KeptIn::default()
        },
        terms: Terms::default(),
        width: args.width.map_or_else(processors, NonZeroUsize::get),
    };
    say_swept(state, &engine.store)?;
    select::keep_those_with(&mut selected.to_run, &args.event.jobs)?;
    let selection = prepare::selection(&args.event.jobs, &args.event.matrix)?;
    select::check_matrix_keys(&selected.to_run, selection.matrix.keys())?;
    let names = kept::secret_names(state, &repository.identity)?;
    agree::on_secrets(&selected.to_run, &mut engine.secrets, (&vars, &names), args.format);
    let made_for = MadeFor { event: &event, committed, store: private.name() };
    let requests = selected.requests(&repository, &made_for, args, &engine, &vars)?;
    // Nobody clears it up before the journal says that a run needs it.
    let _held = if requests.is_empty() { None } else { private.keep()? };
    let mut owners = Vec::new();
    let mut streams = Vec::new();
    let mut made = Vec::new();
    for request in requests {
        let stream = StreamId::Run(request.run, request.attempt);
        owners.push(engine.claim(stream)?);
        streams.push(stream);
        made.push(Input::CreateRun { request: Box::new(request), carried: Vec::new() });
    }
    let finish = engine.drive(&owners, made, &mut *reporter(args.format))?;
    // The runs are held until the last word about them is said: `prune` could delete them before.
    closing::show(&engine.store, &streams, args.format)?;
    let ended = if finish == Finish::AwaitingPerson {
        Exit::Failed
    } else {
        closing::ended((&engine.store, state), &streams, args.format)?
    };
    Ok(if ended == Exit::Done && selected.any_broken { Exit::Refused } else { ended })
}

/// `--executor`: what is not here is refused, never replaced in silence.
fn executor(executor: Executor) -> Result<(), Failure> {
    let name = match executor {
        Executor::Auto | Executor::Host => return Ok(()),
        Executor::Sandbox if sandbox::support() == sandbox::Support::Nothing => {
            let message = "this kernel cannot keep jobs in: that needs landlock, as Linux 5.19 and newer have it";
            return Err(Failure::new(Exit::Missing, message)
                .hint("--executor host runs them on this machine as you"));
        }
        Executor::Sandbox => return Ok(()),
        Executor::Docker => "Docker",
        Executor::Kubernetes => "Kubernetes",
    };
    Err(Failure::new(Exit::Missing, format!("jobs cannot run in {name} yet"))
        .hint("--executor host runs them on this machine"))
}

/// The event a person asks for by its words.
pub(crate) fn event_request(args: &EventArgs) -> Result<EventRequest, Failure> {
    refuse_unused(args)?;
    if let Some(path) = &args.event_path {
        return Ok(EventRequest::Payload { name: args.event.clone(), path: path.clone() });
    }
    match (args.event.as_str(), &args.tag) {
        ("tag" | "push", Some(tag)) => Ok(EventRequest::Tag(tag.clone())),
        ("tag", None) => Err(Failure::new(Exit::Usage, "which tag was pushed?")
            .hint("launchway run tag --tag v1.0.0")),
        ("push", None) => Ok(EventRequest::Push),
        ("pull_request", None) => Ok(EventRequest::PullRequest { base: args.base.clone() }),
        ("workflow_dispatch", None) => {
            let pairs = args.inputs.iter().map(|flag| given::pair("--input", flag));
            let inputs =
                pairs.map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned())));
            Ok(EventRequest::WorkflowDispatch { inputs: inputs.collect::<Result<_, _>>()? })
        }
        (name, _) => Ok(EventRequest::Named(name.to_owned())),
    }
}

/// Flags about an event that is not this one are refused, never ignored.
fn refuse_unused(args: &EventArgs) -> Result<(), Failure> {
    let event = (&args.event_path, args.event.as_str());
    let takes = |flag: &str| match flag {
        "--tag" => matches!(event, (None, "push" | "tag")),
        "--base" => matches!(event, (None, "pull_request")),
        _ => matches!(event, (None, "workflow_dispatch")),
    };
    let given = [
        ("--tag", args.tag.is_some(), "tag"),
        ("--base", args.base.is_some(), "pull_request"),
        ("--input", !args.inputs.is_empty(), "workflow_dispatch"),
    ];
    match given.into_iter().find(|(flag, is_given, _)| *is_given && !takes(flag)) {
        None => Ok(()),
        Some((flag, _, _)) if args.event_path.is_some() => {
            let message = format!("{flag} does not go with --event-path");
            Err(Failure::new(Exit::Usage, message).hint("what it says stands in the payload"))
        }
        Some((flag, _, event)) => {
            let message = format!("{flag} does not go with the event {}", args.event);
            Err(Failure::new(Exit::Usage, message)
                .hint(format!("it goes with: launchway run {event}")))
        }
    }
}

/// `--mirror octo=https://host`
pub(crate) fn mirrors(flags: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pairs = flags.iter().map(|flag| given::pair("--mirror", flag));
    pairs.map(|pair| pair.map(|(prefix, place)| (prefix.to_owned(), place.to_owned()))).collect()
}

fn options(args: &RunArgs, committed: bool) -> Result<JobOptions, Failure> {
    Ok(JobOptions {
        offline: args.offline,
        no_native: args.no_native,
        committed,
        mirrors: mirrors(&args.mirrors)?,
        debug: args.debug,
        // Each run's own.
        snapshot: None,
        objects: None,
        id_token: None,
        github: None,
        // Those of a command end with it.
        outlives: false,
        walls: None,
        limits: JobLimits::default(),
        image: None,
        gated: false,
    })
}

/// Where the event runs, where that is not what one may take for granted.
fn say_note(event: &TriggeringEvent, format: Format) {
    match (&event.note, format) {
        (None, _) => {}
        (Some(note), Format::Json) => {
            out(&serde_json::json!({ "type": "note", "message": note }).to_string());
        }
        (Some(note), _) => talk(&format!("note: {note}")),
    }
}

/// What a launchway that was killed left behind is swept first, and said.
fn say_swept(state: &StateFolder, store: &Arc<Store>) -> Result<(), Failure> {
    let swept = sweep(state, store, None)?;
    for (stream, job) in &swept.lost {
        talk(&format!(
            "note: {stream}: the job {job} was running when launchway was killed; its processes were ended"
        ));
    }
    for owner in &swept.free {
        let (run, _) = owner.stream().as_run().expect("the stream of a run");
        talk(&format!(
            "hint: run {run} was not finished; launchway runs resume {run} goes on with it"
        ));
    }
    for (stream, error) in &swept.unreadable {
        talk(&format!("warning: {stream} cannot be read and is left as it is: {error}"));
    }
    for error in &swept.unknown {
        talk(&format!("warning: {error}"));
    }
    Ok(())
}

/// What the runs are made for.
struct MadeFor<'a> {
    event: &'a TriggeringEvent,
    /// The workflow files of its commit, where not those of the work tree count.
    committed: Option<&'a [CommittedFile]>,
    /// The store of the commits that were made for it.
    store: Option<&'a str>,
}

/// The files that are to run, and the reasons of the others.
pub(crate) struct Selected {
    pub(crate) to_run: Vec<Candidate>,
    pub(crate) not: Vec<(String, String)>,
    pub(crate) any_broken: bool,
    broken: Vec<Diagnostic>,
}

impl Selected {
    pub(crate) fn find(
        repository: &Repository,
        event: &TriggeringEvent,
        committed: Option<&[CommittedFile]>,
        args: &RunArgs,
        state: &StateFolder,
    ) -> Result<Selected, Failure> {
        let disabled = state.disabled(&repository.full_name())?;
        let off = SwitchedOff { paths: &disabled, at_server: None };
        let mut selected =
            Selected { to_run: Vec::new(), not: Vec::new(), any_broken: false, broken: Vec::new() };
        let is_named = args.event.workflows.as_ref().is_some_and(|path| path.is_file());
        for candidate in select::candidates(repository, committed, &args.event)? {
            match select::choose(&candidate, event, off, is_named) {
                Choice::Runs => selected.to_run.push(candidate),
                Choice::Not(reason) => selected.not.push((candidate.path.clone(), reason)),
                Choice::Broken => {
                    selected.any_broken = true;
                    selected.broken.extend(candidate.findings);
                }
            }
        }
        Ok(selected)
    }

    fn say_what_does_not_run(&self, format: Format) {
        for text in diagnostics::render(&self.broken, format, Style::stderr()) {
            talk(&text);
        }
        if self.to_run.is_empty() && !self.any_broken {
            talk("no workflow runs on this event:");
            for (path, reason) in &self.not {
                talk(&format!("  {path}: {reason}"));
            }
        }
    }

    /// The runs to make: what is wrong with them, or nobody agreed to, keeps all of them from
    /// starting, and nothing of them is in the journal.
    fn requests(
        &self,
        repository: &Repository,
        made_for: &MadeFor<'_>,
        args: &RunArgs,
        engine: &Engine,
        vars: &BTreeMap<String, String>,
    ) -> Result<Vec<RunRequest>, Failure> {
        let MadeFor { event, committed, store } = *made_for;
        let selection = prepare::selection(&args.event.jobs, &args.event.matrix)?;
        let secret_names: Vec<String> = engine.secrets.keys().cloned().collect();
        let mut terms = given::terms(&args.environments, &args.labels, committed.is_some())?;
        terms.sandboxed = args.executor == Executor::Sandbox;
        let mut situation = Situation {
            repository,
            event,
            store,
            terms: terms.clone(),
            vars,
            secret_names: &secret_names,
            selection: &selection,
            now: now(),
        };
        let mut findings = Vec::new();
        let chosen = self.chosen(repository, made_for, args, engine, &mut findings)?;
        let mut drafts = Vec::new();
        for chosen in &chosen {
            match prepare::request(&situation, chosen.clone(), NOT_NUMBERED) {
                Ok(draft) => drafts.push(draft),
                Err(finding) => findings.push(*finding),
            }
        }
        let matters = look_ahead(&drafts, &terms, &mut findings);
        refuse_findings(&findings, args.format)?;
        for (draft, matters) in drafts.iter().zip(&matters) {
            agree::on_work_tree(matters, draft)?;
        }
        for matters in &matters {
            agree::on_environments(matters, &mut terms, &engine.levels)?;
        }
        situation.terms = terms;
        let mut requests = Vec::new();
        for chosen in chosen {
            let (run, run_number) = engine
                .store
                .allocate_run(&repository.full_name(), chosen.path)
                .map_err(|error| Failure::caused(Exit::Missing, error))?;
            let numbers = Numbers { run, attempt: Attempt(1), run_number };
            match prepare::request(&situation, chosen, numbers) {
                Ok(request) => {
                    let asked = Some(crate::deploying::here());
                    requests.push(RunRequest { asked, ..request });
                }
                Err(finding) => refuse_findings(&[*finding], args.format)?,
            }
        }
        Ok(requests)
    }

    fn chosen<'s>(
        &'s self,
        repository: &Repository,
        made_for: &MadeFor<'_>,
        args: &RunArgs,
        engine: &Engine,
        findings: &mut Vec<Diagnostic>,
    ) -> Result<Vec<Chosen<'s>>, Failure> {
        let remote = RemoteFiles::new(
            &engine.state,
            &repository.root,
            &engine.options,
            WriteLock::WhereItsFolderIs,
        );
        let MadeFor { event, committed, .. } = made_for;
        let mut chosen = Vec::new();
        for candidate in &self.to_run {
            let workflow = candidate.workflow.as_ref().expect("broken files are not here");
            let fetch = |uses: &workflow::Uses| remote.file(uses);
            let called = called::find(repository, workflow, *committed, &fetch)?;
            findings.extend(called.findings);
            let inputs = inputs::of_event(workflow, event, &args.event)?;
            chosen.push(Chosen {
                path: &candidate.path,
                source: &candidate.source,
                workflow,
                called: called.files,
                inputs,
            });
        }
        Ok(chosen)
    }
}

/// Numbers of a run that is looked at before it is allowed to be one.
pub(crate) const NOT_NUMBERED: Numbers =
    Numbers { run: RunId(0), attempt: Attempt(1), run_number: 0 };

/// What this machine does not have for the runs, and what has to be agreed to in each.
pub(crate) fn look_ahead(
    requests: &[RunRequest],
    terms: &Terms,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Vec<agree::Matter>> {
    let machine = refuse::Machine::with_docker(&terms.labels);
    let mut matters = Vec::new();
    for request in requests {
        let files = foreseen::RunFiles::of(request);
        let foreseen = foreseen::foresee(&files, request);
        findings.extend(refuse::refusals(&foreseen.jobs, machine));
        findings.extend(refuse::host_ports(&foreseen.jobs).iter().filter_map(|wanted| {
            services::port_owner(wanted.port).map(|owner| wanted.taken_by(&owner))
        }));
        matters.push(agree::matters(&foreseen.jobs));
        findings.extend(foreseen.findings);
    }
    matters
}

/// Shows what keeps the runs from starting.
pub(crate) fn refuse_findings(findings: &[Diagnostic], format: Format) -> Result<(), Failure> {
    if findings.is_empty() {
        return Ok(());
    }
    for text in diagnostics::render(findings, format, Style::stderr()) {
        talk(&text);
    }
    let exit = exit_of_findings(findings.iter());
    Err(Failure::new(exit, "nothing was run"))
}
