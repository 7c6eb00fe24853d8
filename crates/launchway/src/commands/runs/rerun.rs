//! `launchway runs rerun`: the same run once more, as its next attempt.

use std::path::Path;
use std::sync::Arc;

use driver::Input;
use event::StreamId;
use repository::Repository;
use scheduler::Rerun;
use server::Reason;
use store::Store;

use crate::cli::{AgainArgs, RunRef};
use crate::commands::run::{look_ahead, refuse_findings};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::levels::Levels;
use crate::running::{again, agree};
use crate::state::StateFolder;
use crate::terminal::closing;
use crate::terminal::report::reporter;
use crate::terminal::style::talk;
use crate::terminal::time::now;

pub(crate) fn run(
    store: Arc<Store>,
    state: &StateFolder,
    run: &RunRef,
    (failed, reason): (bool, &Reason),
    args: &AgainArgs,
) -> Outcome {
    let before = journal::find(&store, run)?;
    let mut request = again::request(&store, before)?;
    let engine = again::engine(state, store, &request, args)?;
    // While it is held, nobody prunes what the new attempt takes over.
    let _taken_from = engine.claim(before)?;
    let rerun = if failed { Rerun::Failed } else { Rerun::All };
    let carried = carried(&engine.store, before, &rerun)?;
    let _held = again::hold_store(state, &request)?;
    say_moved(&request);
    agree_again(&mut request, args)?;
    // Last, for an attempt that is allocated counts.
    let attempt = engine
        .store
        .allocate_attempt(request.run)
        .map_err(|error| Failure::caused(Exit::Missing, error))?;
    request.attempt = attempt;
    request.asked = Some(crate::deploying::here_because(reason));
    request.at = now();
    let mut names: Vec<String> = engine.secrets.keys().cloned().collect();
    names.sort();
    request.secret_names = names;
    let stream = StreamId::Run(request.run, attempt);
    let owner = engine.claim(stream)?;
    let input = Input::CreateRun { request: Box::new(request), carried };
    let owners = [owner];
    engine.drive(&owners, vec![input], &mut *reporter(args.format))?;
    closing::show(&engine.store, &[stream], args.format)?;
    closing::ended((&engine.store, state), &[stream], args.format)
}

/// What the attempt before gives to the new one.
pub(crate) fn carried(
    store: &Store,
    before: StreamId,
    rerun: &Rerun,
) -> Result<Vec<event::RunEvent>, Failure> {
    let mut machine = scheduler::State::new();
    for event in journal::events(store, before)? {
        scheduler::evolve(&mut machine, before, &event)
            .map_err(|error| Failure::caused(Exit::Fault, error))?;
    }
    let run = machine
        .run(before)
        .ok_or_else(|| Failure::new(Exit::Fault, format!("{before} is empty")))?;
    scheduler::carry(run, rerun, now()).map_err(|error| {
        let open = run.conclusion().is_none();
        let failure = Failure::caused(Exit::Usage, error);
        if open {
            failure.hint("launchway runs resume goes on with it, launchway runs cancel ends it")
        } else {
            failure
        }
    })
}

/// What was agreed to for the run holds for its attempts: it is the same commit. What has changed
/// since is asked as for a new run: the machine.
fn agree_again(request: &mut event::RunRequest, args: &AgainArgs) -> Result<(), Failure> {
    request.terms = request.terms.and(&again::terms(args)?);
    let mut findings = Vec::new();
    let drafts = std::slice::from_ref(request);
    let matters = look_ahead(drafts, &request.terms, &mut findings).concat();
    refuse_findings(&findings, args.format)?;
    agree::on_work_tree(&matters, request)?;
    let levels = Levels::of(Path::new(&*request.repository_path));
    agree::on_environments(&matters, &mut request.terms, &levels)
}

/// A re-run is of the same state: that of the work tree was kept when the run began.
fn say_moved(request: &event::RunRequest) {
    let Ok(repository) = Repository::discover(std::path::Path::new(&*request.repository_path))
    else {
        return;
    };
    let change = &request.change;
    // A test merge is never what is checked out.
    if change.store.is_some() && change.snapshot.is_none() {
        return;
    }
    if *repository.head.id != *change.commit && change.snapshot.is_none() {
        talk(&format!(
            "note: this runs the commit {} again, not what is checked out",
            &change.commit[..7.min(change.commit.len())]
        ));
    } else if change.snapshot.is_some() {
        talk("note: this runs the work tree as it was when the run began");
    }
}
