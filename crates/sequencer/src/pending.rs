//! What is owed now.

use std::sync::Arc;

use crate::deed::Deed;
use crate::fact::JobEnd;
use crate::state::{Phase, State};

/// What whoever owns the machine does next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Tell it to begin.
    Begin,
    /// Tell it to go on: nothing is owed, and the job is not over.
    Advance,
    /// Do this, then tell how it ended.
    Do(Arc<Deed>),
    /// The job is over.
    Done(JobEnd),
}

/// What is owed in this state. The same deed until its end was told.
pub fn pending(state: &State) -> Next {
    if let Some(running) = &state.running {
        return Next::Do(Arc::clone(&running.deed));
    }
    match (&state.end, state.phase) {
        (Some(end), _) => Next::Done(end.clone()),
        (None, Phase::New) => Next::Begin,
        (None, _) => Next::Advance,
    }
}
