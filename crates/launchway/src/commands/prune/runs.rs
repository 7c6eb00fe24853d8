//! Runs that ended long ago: their events are forgotten. A run goes as a whole, with all its attempts,
//! or not at all: a later attempt shows jobs and artifacts of those before it.

use std::collections::{BTreeMap, BTreeSet};

use driver::Owner;
use event::{RunId, StreamId, Timestamp};

use super::{Part, Pruned, Round};
use crate::exit::{Exit, Failure};

/// Forgets them. Gives their streams; where nothing is to be done, those that would be forgotten.
pub(super) fn prune(round: &Round<'_>, pruned: &mut Pruned) -> Result<BTreeSet<StreamId>, Failure> {
    let mut part = Part::new("runs", "with steps, annotations and outputs");
    let mut forgotten = BTreeSet::new();
    for (run, attempts) in past(round)? {
        if round.dry_run {
            part.add(0);
            forgotten.extend(attempts);
            continue;
        }
        match forget(round, run, &attempts) {
            Ok(true) => {
                part.add(0);
                forgotten.extend(attempts);
            }
            Ok(false) => {}
            Err(error) => pruned.failed(error),
        }
    }
    pruned.say(&part);
    Ok(forgotten)
}

/// Runs of which every attempt ended before the horizon, with the attempts' streams.
fn past(round: &Round<'_>) -> Result<BTreeMap<RunId, Vec<StreamId>>, Failure> {
    let ended = round.store.ended_streams();
    let mut runs: BTreeMap<RunId, (Timestamp, Vec<StreamId>)> = BTreeMap::new();
    for (stream, at) in ended.map_err(|error| Failure::caused(Exit::Missing, error))? {
        let (run, _) = stream.as_run().expect("the stream of a run");
        let (last, streams) = runs.entry(run).or_insert((at, Vec::new()));
        *last = at.max(*last);
        streams.push(stream);
    }
    let is_open = |run: &RunId| {
        round.open.iter().any(|open| open.as_run().is_some_and(|(open, _)| open == *run))
    };
    let past = runs.into_iter().filter(|(run, (last, _))| *last < round.horizon && !is_open(run));
    Ok(past.map(|(run, (_, streams))| (run, streams)).collect())
}

/// Forgets one run while nobody can begin a new attempt of it: that takes the attempt before.
fn forget(round: &Round<'_>, run: RunId, attempts: &[StreamId]) -> anyhow::Result<bool> {
    let mut owners = Vec::new();
    for attempt in attempts {
        match Owner::claim(&round.state.owners(), *attempt)? {
            Some(owner) => owners.push(owner),
            None => return Ok(false),
        }
    }
    let begun_since = |stream: &StreamId| {
        let (open, _) = stream.as_run().expect("the stream of a run");
        open == run && !attempts.contains(stream)
    };
    let open = ports::Journal::open_streams(round.store)?;
    let ended = round.store.ended_streams()?;
    if open.iter().chain(ended.iter().map(|(stream, _)| stream)).any(begun_since) {
        return Ok(false);
    }
    for attempt in attempts {
        round.store.forget(*attempt)?;
    }
    Ok(true)
}
