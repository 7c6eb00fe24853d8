//! `launchway runs`: look at runs, and do something about them.

mod list;
mod logs;
mod show;

pub(crate) use show::summary;

use crate::cli::RunsCommand;
use crate::exit::Outcome;
use crate::journal;
use crate::state::StateFolder;

pub(crate) fn run(command: RunsCommand, state: &StateFolder) -> Outcome {
    let store = journal::open(state)?;
    match command {
        RunsCommand::List { limit, all, format } => list::run(&store, limit, all, format),
        RunsCommand::Show { run, format } => show::run(&store, &run, format),
        RunsCommand::Logs { run, job, failed } => logs::run(&store, &run, job.as_deref(), failed),
    }
}
