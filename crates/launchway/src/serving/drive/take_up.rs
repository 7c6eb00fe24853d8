//! What an earlier server left: its runs are folded, and its workers found again.
//!
//! A worker goes on while nobody serves. Whoever comes next says how much of it the journal knows,
//! and hears the rest. Only a lease whose worker is gone is lost.

use std::sync::Arc;

use driver::{Found, Home, Input, Looked, Loop, Observer, Owner, Workers};
use event::StreamId;
use mask::MaskedText;
use ports::{Journal, Lease};
use runners::AllWorkers;
use store::Store;

use crate::exit::{Exit, Failure};
use crate::running::again;
use crate::running::engine::job_folder;
use crate::serving::drive::Handle;
use crate::terminal::plural::plural;
use crate::terminal::style::talk;

/// The server's loop: its workers are here and on runners.
pub(crate) type ServerLoop<H, O> = Loop<Arc<Store>, AllWorkers<Workers>, H, O>;

/// Goes on with every run that nobody drives.
pub(crate) fn take_up<H: Home, O: Observer>(
    handle: &Handle,
    store: &Arc<Store>,
    round: &mut ServerLoop<H, O>,
) -> Result<(), Failure> {
    let state = &handle.data().state;
    let missing = |error| Failure::caused(Exit::Missing, error);
    let mut taken = 0_usize;
    for stream in Journal::<event::RunEvent>::open_streams(store).map_err(missing)? {
        let owner = match Owner::claim(&state.owners(), stream) {
            Ok(Some(owner)) => owner,
            Ok(None) => continue,
            Err(error) => {
                talk(&format!("warning: {error}"));
                continue;
            }
        };
        let held =
            again::request(store, stream).and_then(|request| again::hold_store(state, &request));
        match held {
            Ok(held) => handle.takes_up(owner, held),
            Err(failure) => {
                talk(&format!("warning: {stream} is left alone: {:#}", failure.error));
                continue;
            }
        }
        match round.adopt(stream) {
            Ok(()) => taken += 1,
            Err(error) => {
                handle.lets_go(stream);
                talk(&format!("warning: {stream} cannot be read and is left as it is: {error}"));
            }
        }
    }
    if taken > 0 {
        talk(&format!("going on with {}", plural(taken, "run")));
    }
    take_over(handle, store, round);
    dismiss(handle, store, round);
    // What they wait for may have come while nobody looked.
    handle.send(Input::LookAtGates(Looked::All));
    Ok(())
}

/// Finds the worker of each lease.
fn take_over<H: Home, O: Observer>(handle: &Handle, store: &Store, round: &mut ServerLoop<H, O>) {
    let mut leases = Vec::new();
    for (stream, run) in round.state().runs() {
        for job in run.jobs() {
            let Some((fence, tracking)) = job.lease else { continue };
            let lease = Lease { stream, job: job.key.clone(), fence };
            leases.push((lease, Arc::clone(tracking), job.heard, job.runner.cloned()));
        }
    }
    for (lease, tracking, heard, runner) in leases {
        if let Some(runner) = runner {
            // It says what it has when it comes.
            handle.fleet().adopt(&lease, &runner, heard);
            continue;
        }
        let folder = job_folder(&handle.data().state, store.logs(), &lease);
        let found = round.jobs().here.take_over(&lease, &tracking, &folder, heard);
        let (stream, job) = (lease.stream, &lease.job);
        match found {
            Found::Living => talk(&format!("{stream}: the job {job} went on meanwhile")),
            Found::Ended => talk(&format!("{stream}: the worker of the job {job} ended meanwhile")),
            // Its intent is written, and nothing was done: it is done now.
            Found::Nothing if heard == 0 => {}
            Found::Nothing => {
                talk(&format!("{stream}: nothing is left of the job {job}; it was lost"));
                let reason = MaskedText::without_secrets("nothing was left of its worker");
                handle.send(Input::WorkerGone { lease, reason });
            }
        }
    }
}

/// Workers of leases that are over end, and what is left of them goes.
fn dismiss<H: Home, O: Observer>(handle: &Handle, store: &Store, round: &mut ServerLoop<H, O>) {
    let state = &handle.data().state;
    let held = |stream: StreamId| {
        let run = round.state().run(stream);
        let leases = run.into_iter().flat_map(scheduler::Run::jobs).filter_map(|job| {
            let (fence, _) = job.lease?;
            Some(Lease { stream, job: job.key.clone(), fence })
        });
        leases.map(|lease| job_folder(state, store.logs(), &lease)).collect::<Vec<_>>()
    };
    let folders = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let streams: Vec<StreamId> = round.state().runs().map(|(stream, _)| stream).collect();
    let kept: Vec<_> = streams.into_iter().flat_map(held).collect();
    for attempt in folders(&state.jobs()) {
        for folder in folders(&attempt) {
            if folder.join(protocol::REPORTS_FILE).exists() && !kept.contains(&folder) {
                round.jobs().here.dismiss(folder);
            }
        }
    }
}
