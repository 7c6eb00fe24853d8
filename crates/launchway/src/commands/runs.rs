//! `launchway runs`: look at runs, and do something about them.

mod cancel;
mod diff;
mod distant;
mod download;
mod list;
mod logs;
mod rerun;
mod resume;
mod show;
mod watch;

pub(crate) use distant::followed;
pub(crate) use rerun::carried;
pub(crate) use show::summary;

use std::sync::Arc;

use crate::cli::RunsCommand;
use crate::exit::Outcome;
use crate::journal;
use crate::state::StateFolder;

pub(crate) fn run(command: RunsCommand, state: &StateFolder) -> Outcome {
    if let Some(outcome) = distant::run(&command) {
        return outcome;
    }
    let store = Arc::new(journal::open_there(state)?);
    match command {
        RunsCommand::List { limit, all, which, format, .. } => {
            list::run(&store, state, (limit, all, &which.filter()), format)
        }
        RunsCommand::Show { run, format, .. } => show::run(&store, state, &run, format),
        RunsCommand::Watch { run, .. } => watch::run(&store, state, &run),
        RunsCommand::Logs(args) => logs::run(&store, &args),
        RunsCommand::Download { run, names, folder, .. } => {
            download::run(&store, &run, &names, &folder)
        }
        RunsCommand::Diff(args) => diff::run(&store, &args),
        RunsCommand::Cancel { run, reason, .. } => cancel::run(store, state, &run, reason.said()),
        RunsCommand::Resume { run, yes, again, reason, .. } => {
            resume::run(store, state, &run, (yes, reason.said()), &again)
        }
        RunsCommand::Rerun { run, failed, again, reason, .. } => {
            rerun::run(store, state, &run, (failed, reason.said()), &again)
        }
    }
}
