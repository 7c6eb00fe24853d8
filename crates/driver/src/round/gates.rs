//! The gates of jobs that name an environment: their rules are read by whoever has the repository.

use std::collections::BTreeSet;

use event::{JobKey, RunEvent, StreamId, Timestamp};
use ports::{Jobs, Journal};

use super::{DriverError, Loop, Observer};
use crate::inputs::{Input, Looked};
use crate::surroundings::{Home, Kept};

/// Rules that could not be read are asked for again after this long.
const GATE_LOOK_MS: u64 = 5_000;

/// Nothing reaches the journal within a round: who looks at the same gates twice sees the same, at twice the cost.
pub(super) fn looking_once(inputs: Vec<Input>) -> impl Iterator<Item = Input> {
    let mut looked = BTreeSet::new();
    inputs.into_iter().filter(move |input| match input {
        Input::LookAtGates(which) => looked.insert(which.clone()),
        _ => true,
    })
}

impl<J: Journal, W: Jobs, H: Home, O: Observer> Loop<J, W, H, O> {
    /// What the rules say of a job at its gate, as an input; none where it stands at none, or they
    /// cannot be read.
    pub(super) fn gate(
        &mut self,
        stream: StreamId,
        job: &JobKey,
        at: Timestamp,
    ) -> Option<scheduler::Input> {
        if !self.state.is_gated(stream, job) {
            return None;
        }
        let run = self.state.run(stream)?;
        let definition = run.job(job).and_then(|job| job.definition)?;
        let job = job.clone();
        match self.home.gate(run.request(), definition, at) {
            Ok(read) => {
                self.unread.remove(&(stream, job.clone()));
                Some(scheduler::Input::GateRead { stream, job, read, at })
            }
            Err(_) => {
                self.unread.insert((stream, job), at);
                None
            }
        }
    }

    /// Looks at what is shut by something that no person opens. Gives what is known at once.
    pub(super) fn look(&mut self, which: Looked, at: Timestamp) -> Vec<scheduler::Input> {
        let shut = match which {
            Looked::All => self.state.gates_shut(),
            Looked::Of(stream, job) => vec![(stream, job)],
            Looked::Behind(commit) => {
                self.look_aside(&commit);
                return Vec::new();
            }
        };
        shut.into_iter().filter_map(|(stream, job)| self.gate(stream, &job, at)).collect()
    }

    fn look_aside(&mut self, commit: &str) {
        for (stream, job, shut) in self.state.gates_behind(commit) {
            let job = self.state.run(stream).and_then(|run| run.job(&job));
            if let Some(definition) = job.and_then(|job| job.definition) {
                self.home.look_aside(Kept { stream, definition, shut: &shut });
            }
        }
    }

    /// Reads the rules of gates that are due.
    pub(super) fn gates(
        &mut self,
        at: Timestamp,
    ) -> Result<Vec<(StreamId, RunEvent)>, DriverError> {
        let mut events = Vec::new();
        for (stream, job) in self.state.gates_due(at) {
            let tried = self.unread.get(&(stream, job.clone()));
            if tried.is_some_and(|tried| at.0 < tried.0.saturating_add(GATE_LOOK_MS)) {
                continue;
            }
            if let Some(read) = self.gate(stream, &job, at) {
                events.extend(self.due(read)?);
            }
        }
        Ok(events)
    }
}
