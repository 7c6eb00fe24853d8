//! A journal in memory: the model that the real one is held against, with faults on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use event::{Digest, Envelope, Fact, RunEvent, Seq, StreamId, Timestamp, chain};

use crate::{Journal, JournalError};

/// What goes wrong at an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process dies before anything is written: the events are not there.
    CrashBefore,
    /// The process dies after the commit and before it hears of it: the events are there.
    CrashAfter,
    /// The disk is full: nothing is written, and the process lives.
    DiskFull,
}

/// A journal that forgets nothing as long as the value lives, through any number of crashes.
///
/// After a crash every call fails until [`MemoryJournal::restart`]: what the dead process would
/// have done does not happen.
#[derive(Debug)]
pub struct MemoryJournal<E = RunEvent> {
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    streams: BTreeMap<StreamId, Vec<Envelope<E>>>,
    /// Oldest first.
    order: Vec<StreamId>,
    ended: BTreeSet<StreamId>,
    faults: BTreeMap<u64, Fault>,
    appends: u64,
    crashed: bool,
}

impl<E> Default for MemoryJournal<E> {
    fn default() -> MemoryJournal<E> {
        MemoryJournal {
            state: Mutex::new(State {
                streams: BTreeMap::new(),
                order: Vec::new(),
                ended: BTreeSet::new(),
                faults: BTreeMap::new(),
                appends: 0,
                crashed: false,
            }),
        }
    }
}

impl<E> MemoryJournal<E> {
    /// Empty, without faults.
    pub fn new() -> MemoryJournal<E> {
        MemoryJournal::default()
    }

    /// Plans a fault for the `append`th append, counted from 1 over the journal's whole life.
    pub fn fault_at(&self, append: u64, fault: Fault) {
        self.lock().faults.insert(append, fault);
    }

    /// Appends that were tried so far, the failed ones too.
    pub fn appends(&self) -> u64 {
        self.lock().appends
    }

    /// Whether a crash happened since the last restart.
    pub fn crashed(&self) -> bool {
        self.lock().crashed
    }

    /// A new process opens the journal.
    pub fn restart(&self) {
        self.lock().crashed = false;
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().expect("nobody panics while holding the journal")
    }

    fn alive(&self) -> Result<MutexGuard<'_, State<E>>, JournalError> {
        let state = self.lock();
        if state.crashed { Err(storage("the process is dead")) } else { Ok(state) }
    }
}

impl<E: Fact> State<E> {
    fn append(&mut self, stream: StreamId, at: Timestamp, events: &[E]) {
        if !self.streams.contains_key(&stream) && !events.is_empty() {
            self.order.push(stream);
            self.streams.insert(stream, Vec::new());
        }
        for event in events {
            let envelopes = self.streams.get_mut(&stream).expect("inserted above");
            let previous = envelopes.last().map_or(Digest::ZERO, |last| last.digest);
            let seq = Seq(envelopes.len() as u64 + 1);
            let payload = Digest::of(event.encode().as_bytes());
            let digest = chain(&previous, stream, seq, at, &payload);
            if event.ends_stream() {
                self.ended.insert(stream);
            }
            envelopes.push(Envelope { stream, seq, at, digest, event: event.clone() });
        }
    }

    fn seq(&self, stream: StreamId) -> Seq {
        Seq(self.streams.get(&stream).map_or(0, |envelopes| envelopes.len() as u64))
    }
}

fn storage(action: &str) -> JournalError {
    JournalError::Storage { action: action.to_owned(), source: "a planned fault".into() }
}

impl<E: Fact + Send + Sync> Journal<E> for MemoryJournal<E> {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[E],
    ) -> Result<Seq, JournalError> {
        let mut state = self.alive()?;
        state.appends += 1;
        let append = state.appends;
        let fault = state.faults.remove(&append);
        match fault {
            Some(Fault::CrashBefore) => {
                state.crashed = true;
                return Err(storage("the process died before it appended"));
            }
            Some(Fault::DiskFull) => return Err(storage("the disk is full")),
            Some(Fault::CrashAfter) | None => {}
        }
        let found = state.seq(stream);
        if found == expected {
            state.append(stream, at, events);
        }
        if fault == Some(Fault::CrashAfter) {
            state.crashed = true;
            return Err(storage("the process died after it appended"));
        }
        if found != expected {
            return Err(JournalError::Conflict { stream, expected, found });
        }
        Ok(state.seq(stream))
    }

    fn read(&self, stream: StreamId, after: Seq) -> Result<Vec<Envelope<E>>, JournalError> {
        let state = self.alive()?;
        let envelopes = state.streams.get(&stream).map(Vec::as_slice).unwrap_or_default();
        Ok(envelopes.iter().filter(|envelope| envelope.seq > after).cloned().collect())
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        let state = self.alive()?;
        Ok(state.order.iter().copied().filter(|stream| !state.ended.contains(stream)).collect())
    }
}
