//! `launchway runs resume`: go on with a run whose command was killed.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

use driver::Input;
use event::{JobKey, RunEvent, StreamId, WaitReason};
use mask::MaskedText;
use server::Reason;
use store::Store;

use crate::cli::{AgainArgs, RunRef};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::again;
use crate::running::engine::{Finish, sweep};
use crate::state::StateFolder;
use crate::terminal::closing;
use crate::terminal::report::reporter;
use crate::terminal::style::talk;

pub(crate) fn run(
    store: Arc<Store>,
    state: &StateFolder,
    run: &RunRef,
    (yes, reason): (bool, &Reason),
    args: &AgainArgs,
) -> Outcome {
    let stream = journal::find(&store, run)?;
    // Runs of other repositories are swept as well; what is known of this one comes from the journal.
    let swept = sweep(state, &store, None)?;
    if swept.spared.contains(&stream) {
        let message = "jobs of it go on, and wait for their server";
        return Err(Failure::new(Exit::Forbidden, message)
            .hint("launchway serve takes them up; launchway runs cancel ends them"));
    }
    drop(swept);
    let view = journal::view(&store, stream)?;
    if let Some(conclusion) = view.conclusion {
        return Err(Failure::new(
            Exit::Usage,
            format!("run {} is over: {conclusion}", view.header.run),
        )
        .hint(format!("once more: launchway runs rerun {}", view.header.run)));
    }
    let request = again::request(&store, stream)?;
    let _held = again::hold_store(state, &request)?;
    let engine = again::engine(state, store, &request, args)?;
    let owner = engine.claim(stream)?;
    let waiting = waiting_for_a_person(&engine.store, stream)?;
    let mut inputs = Vec::new();
    if !waiting.is_empty() {
        agree(&waiting, yes)?;
        let by = MaskedText::without_secrets(&*request.actor);
        let asked = Some(crate::deploying::here_because(reason));
        inputs.push(Input::Resume { stream, job: None, by, asked });
    } else if reason.as_str().is_some() {
        talk("note: no lost job starts again because somebody says so: the reason is not kept");
    }
    let owners = [owner];
    let finish = engine.drive(&owners, inputs, &mut *reporter(args.format))?;
    closing::show(&engine.store, &[stream], args.format)?;
    if finish == Finish::AwaitingPerson {
        Ok(Exit::Failed)
    } else {
        closing::ended((&engine.store, state), &[stream], args.format)
    }
}

/// Lost jobs that may have had an effect outside, each with the reason.
fn waiting_for_a_person(
    store: &Store,
    stream: StreamId,
) -> Result<Vec<(JobKey, MaskedText)>, Failure> {
    let mut waiting = std::collections::BTreeMap::new();
    for event in journal::events(store, stream)? {
        match event {
            RunEvent::JobWaiting { job, reason: WaitReason::Person { reason }, .. } => {
                waiting.insert(job, reason);
            }
            RunEvent::JobRequeued { job, .. } | RunEvent::JobCompleted { job, .. } => {
                waiting.remove(&job);
            }
            _ => {}
        }
    }
    Ok(waiting.into_iter().collect())
}

fn agree(waiting: &[(JobKey, MaskedText)], yes: bool) -> Result<(), Failure> {
    for (job, reason) in waiting {
        talk(&format!("{job} was lost while it ran, and {reason}"));
    }
    if yes {
        return Ok(());
    }
    let refused = || {
        Failure::new(
            Exit::Forbidden,
            "nobody said that these jobs may start again from their beginning",
        )
        .hint("if what they did so far may be done twice: launchway runs resume --yes")
    };
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    talk("They start again from their beginning. Type yes if what they did may be done twice:");
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::caused(Exit::Usage, error))?;
    if line.trim() == "yes" { Ok(()) } else { Err(refused()) }
}
