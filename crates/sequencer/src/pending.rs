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
    /// Nothing goes on before one of these has ended: start those that were not started, and tell
    /// the first end. Those of the background come first, in the order in which they began.
    Do(Vec<Owed>),
    /// The job is over.
    Done(JobEnd),
}

/// A deed that began and has not ended.
#[derive(Clone, Debug)]
pub struct Owed {
    /// What is to be done.
    pub deed: Arc<Deed>,
    /// Its step was named by `cancel`: it is to be ended in order.
    pub is_unwanted: bool,
}

/// What is owed in this state. The same deeds until their ends were told.
pub fn pending(state: &State) -> Next {
    match (&state.end, state.phase) {
        (Some(end), _) => return Next::Done(end.clone()),
        (None, Phase::New) => return Next::Begin,
        (None, _) if state.turn().is_some() => return Next::Advance,
        (None, _) => {}
    }
    let aside = state.background.values().map(|it| (&it.line, it.is_unwanted));
    let lines = aside.chain([(&state.foreground, false)]);
    let owed = lines.filter_map(|(line, is_unwanted)| {
        let running = line.running.as_ref()?;
        Some(Owed { deed: Arc::clone(&running.deed), is_unwanted })
    });
    Next::Do(owed.collect())
}
