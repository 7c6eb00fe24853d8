//! What an earlier server left: its runs are folded, and its workers found again.
//!
//! A worker goes on while nobody serves. Whoever comes next says how much of it the journal knows,
//! and hears the rest. Only a lease whose worker is gone is lost. A run that cannot be taken up keeps its
//! workers, here and on runners: they wait for a server that can.

use std::collections::BTreeSet;
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
    let open = waiting(store, || {
        let open = Journal::<event::RunEvent>::open_streams(store);
        open.map_err(|error| Failure::caused(Exit::Missing, error))
    })?;
    let mut left = BTreeSet::new();
    let count = open.len();
    for stream in open {
        let taken = waiting(store, || take(handle, store, round, stream));
        match taken {
            Ok(true) => {}
            Ok(false) => drop(left.insert(stream)),
            Err(failure) if store::is_away(failure.error.as_ref()) => return Err(failure),
            Err(failure) => {
                talk(&format!("warning: {stream} is left alone: {:#}", failure.error));
                left.insert(stream);
            }
        }
    }
    let taken = count - left.len();
    if taken > 0 {
        talk(&format!("going on with {}", plural(taken, "run")));
    }
    take_over(handle, store, round);
    dismiss(handle, store, round, &left);
    handle.fleet().leave_alone(left);
    // What they wait for may have come while nobody looked.
    handle.send(Input::LookAtGates(Looked::All));
    Ok(())
}

/// Goes on with a run, unless another process drives it.
fn take<H: Home, O: Observer>(
    handle: &Handle,
    store: &Arc<Store>,
    round: &mut ServerLoop<H, O>,
    stream: StreamId,
) -> Result<bool, Failure> {
    let state = &handle.data().state;
    let owner = Owner::claim(&state.owners(), stream);
    let owner = owner.map_err(|error| Failure::caused(Exit::Missing, error))?;
    let Some(owner) = owner else { return Ok(false) };
    let request = again::request(store, stream)?;
    let held = again::hold_store(state, &request)?;
    round.adopt(stream).map_err(|error| Failure::caused(Exit::Missing, error))?;
    handle.takes_up(owner, held);
    Ok(true)
}

/// Reads the journal; once more where its database went away meanwhile and came back.
fn waiting<T>(store: &Store, mut read: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    loop {
        match read() {
            Err(failure) if store::is_away(failure.error.as_ref()) => {
                store.wait_for_it().map_err(|error| Failure::caused(Exit::Missing, error))?;
            }
            known => return known,
        }
    }
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

/// Workers of leases that are over end, and what is left of them goes. What runs have that are left alone, stays.
fn dismiss<H: Home, O: Observer>(
    handle: &Handle,
    store: &Store,
    round: &mut ServerLoop<H, O>,
    left: &BTreeSet<StreamId>,
) {
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
    let left: BTreeSet<_> = left.iter().map(|stream| state.attempt(*stream)).collect();
    let attempts = folders(&state.jobs()).into_iter().filter(|attempt| !left.contains(attempt));
    for attempt in attempts {
        for folder in folders(&attempt) {
            if folder.join(protocol::REPORTS_FILE).exists() && !kept.contains(&folder) {
                round.jobs().here.dismiss(folder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{Database, StoreError};

    use super::*;

    #[test]
    fn a_database_that_goes_away_meanwhile_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        // Nobody listens there.
        let database = Database::parse("postgres://launchway@127.0.0.1:1/nobody").unwrap();
        let attached = folder.path().join("attached");
        std::fs::create_dir(&attached).unwrap();
        let away: StoreError = store::attach(&attached, &database, None)
            .and_then(|()| Store::open(&attached).map(drop))
            .unwrap_err();
        let store = Store::open(&folder.path().join("own")).unwrap();
        let mut tried = 0;
        let read = waiting(&store, || {
            tried += 1;
            if tried < 3 { Err(Failure::caused(Exit::Missing, away.clone())) } else { Ok(tried) }
        });
        assert_eq!(read.map_err(|failure| failure.error).unwrap(), 3);
        // What else is wrong is not asked for again.
        let refused = waiting(&store, || Err::<(), _>(Failure::new(Exit::Refused, "no")));
        assert_eq!(refused.unwrap_err().error.to_string(), "no");
    }
}
