//! `launchway runs cancel`: the process that drives the run is told, as Ctrl-C would tell it.

use std::sync::Arc;

use driver::{Input, Owner};
use event::CancelReason;
use mask::MaskedText;
use rustix::process::{Pid, Signal, kill_process};
use server::Reason;
use store::Store;

use crate::cli::{AgainArgs, Format, LimitArgs, RunRef};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::again;
use crate::running::engine::sweep;
use crate::serving::data::DataFolder;
use crate::state::StateFolder;
use crate::terminal::report::reporter;
use crate::terminal::style::talk;

pub(crate) fn run(
    store: Arc<Store>,
    state: &StateFolder,
    run: &RunRef,
    reason: &Reason,
) -> Outcome {
    let stream = journal::find(&store, run)?;
    let view = journal::view(&store, stream)?;
    if let Some(conclusion) = view.conclusion {
        return Err(Failure::new(
            Exit::Usage,
            format!("run {} is over: {conclusion}", view.header.run),
        ));
    }
    let holder = Owner::holder(&state.owners(), stream)
        .map_err(|error| Failure::caused(Exit::Missing, error))?;
    if let (Some(_), Some(url)) = (holder, DataFolder { state: state.clone() }.served_at()?) {
        // The process is the server: what ends it ends all of its runs.
        let run = view.header.run;
        return Err(Failure::new(Exit::Forbidden, format!("the server {url} drives run {run}"))
            .hint(format!("launchway runs cancel {run} --server {url}")));
    }
    if let Some(pid) = holder {
        // A signal says no reason, so that stands beside what its process writes down.
        if reason.as_str().is_some() {
            journal::record_because(state, ("run.cancel", stream.to_string()), reason)?;
        }
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let told = pid.map(|pid| kill_process(pid, Signal::INT));
        return match told {
            Some(Ok(())) => {
                talk(&format!(
                    "run {} is told to stop; launchway runs watch {} shows how",
                    view.header.run, view.header.run
                ));
                Ok(Exit::Done)
            }
            _ => {
                Err(Failure::new(Exit::Forbidden, "the process that drives the run cannot be told")
                    .hint(
                        "it belongs to somebody else, or just ended; look with launchway runs show",
                    ))
            }
        };
    }
    // Nobody drives it: what was left is swept, and its end is written here.
    drop(sweep(state, &store, Some(stream))?);
    let request = again::request(&store, stream)?;
    let nothing = AgainArgs {
        secrets: Vec::new(),
        secret_file: None,
        environments: Vec::new(),
        labels: Vec::new(),
        limits: LimitArgs::default(),
        offline: true,
        format: Format::Human,
    };
    let request_without_secrets = event::RunRequest { secret_names: Vec::new(), ..request };
    let engine = again::engine(state, store, &request_without_secrets, &nothing)?;
    let owner = engine.claim(stream)?;
    let by = MaskedText::without_secrets(&*request_without_secrets.actor);
    let asked = Some(crate::deploying::here_because(reason));
    let reason = CancelReason::Forced { by, asked };
    let cancel = Input::Cancel { stream: Some(stream), job: None, reason };
    engine.drive(&[owner], vec![cancel], &mut *reporter(Format::Human))?;
    Ok(Exit::Done)
}
