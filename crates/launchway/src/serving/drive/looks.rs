//! Whether what a job waits for at its gate has come, looked at beside the loop. Jobs begin and end by the hundred
//! while one waits for them, and a look takes git and the journal. What is found opens nothing: the loop reads the
//! rules itself before anything opens.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use driver::{Input, Kept, Looked};
use event::{JobDefinition, JobKey, RunEvent, StreamId};
use mask::MaskedText;
use scheduler::GateRead;
use store::Store;

use super::{Handle, gates};
use crate::deploying::checks::Runs;
use crate::terminal::time::now;

/// Behind a round of looks nobody looks for so many times as long as it took.
const REST_TIMES: u32 = 4;

/// Those who look.
pub(super) struct Looks {
    shared: Arc<Shared>,
    looking: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Default)]
struct Wanted {
    /// Each once, however much happened since the look before.
    gates: BTreeMap<(StreamId, JobKey), Gate>,
    is_over: bool,
}

/// A job at its gate.
struct Gate {
    definition: JobDefinition,
    /// What is said of why it is shut.
    shut: MaskedText,
}

impl Looks {
    /// Looks at what comes; where a job is not kept as it was, the loop is told.
    pub(super) fn begin(handle: &Handle, store: &Arc<Store>) -> Looks {
        let (handle, runs) = (handle.clone(), Runs::new(Arc::clone(store)));
        Looks::asking(move |stream, gate| {
            if is_other(&handle, &runs, stream, gate) {
                let job = gate.definition.key.clone();
                handle.send(Input::LookAtGates(Looked::Of(stream, job)));
            }
        })
    }

    fn asking(ask: impl Fn(StreamId, &Gate) + Send + 'static) -> Looks {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let looking = std::thread::spawn(move || theirs.serve(&ask));
        Looks { shared, looking: Some(looking) }
    }

    /// Has somebody look at a job's gate.
    pub(super) fn look(&self, Kept { stream, definition, shut }: Kept<'_>) {
        let gate = Gate { definition: definition.clone(), shut: shut.clone() };
        let mut wanted = self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.gates.insert((stream, definition.key.clone()), gate);
        self.shared.changed.notify_all();
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.shared.changed.notify_all();
        let _ = self.looking.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn serve(&self, ask: &dyn Fn(StreamId, &Gate)) {
        while let Some(gates) = self.next() {
            let began = Instant::now();
            for ((stream, _), gate) in &gates {
                ask(*stream, gate);
            }
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let rest = began.elapsed() * REST_TIMES;
            let _ = self.changed.wait_timeout_while(wanted, rest, |wanted| !wanted.is_over);
        }
    }

    /// What is wanted; none when nobody wants anything any more.
    fn next(&self) -> Option<BTreeMap<(StreamId, JobKey), Gate>> {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |wanted: &mut Wanted| wanted.gates.is_empty() && !wanted.is_over;
        let wanted = self.changed.wait_while(wanted, is_idle);
        let mut wanted = wanted.unwrap_or_else(PoisonError::into_inner);
        (!wanted.is_over).then(|| std::mem::take(&mut wanted.gates))
    }
}

/// Whether it is not kept as it was. Where nobody can tell now, it is looked at again by the clock.
fn is_other(handle: &Handle, runs: &Runs, stream: StreamId, gate: &Gate) -> bool {
    let Ok(Some(first)) = runs.store().first::<RunEvent>(stream) else { return false };
    let RunEvent::RunCreated(request) = first.event else { return false };
    match gates::read(handle.data(), runs, &request, &gate.definition, now()) {
        Ok(GateRead::Ask(asked)) => asked.shut.as_ref() != Some(&gate.shut),
        Ok(GateRead::Forbid(_)) => true,
        Ok(GateRead::Unreadable(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const STREAM: StreamId = StreamId::Run(event::RunId(1), event::Attempt(1));

    #[test]
    fn however_much_happens_during_a_look_there_is_one_more() {
        let (looked, looks) = channel();
        let (let_go, held) = channel::<()>();
        let looking = Looks::asking(move |_, gate| {
            looked.send(gate.shut.as_str().to_owned()).expect("somebody listens");
            let _ = held.recv();
        });
        let definition: JobDefinition = serde_json::from_value(serde_json::json!({
            "key": "ship", "id": "ship", "name": "ship", "parent": null, "file": null, "needs": [],
            "matrix": null, "index": 0, "total": 1, "fail_fast": true, "max_parallel": null, "queued_at": 0,
        }))
        .expect("a job");
        let happens = |shut: &str| {
            let shut = MaskedText::without_secrets(shut);
            looking.look(Kept { stream: STREAM, definition: &definition, shut: &shut });
        };
        happens("was not run");
        assert_eq!(looks.recv().expect("a look"), "was not run");
        for number in 0..100 {
            happens(&format!("is under way {number}"));
        }
        let_go.send(()).expect("it looks");
        assert_eq!(looks.recv().expect("a look"), "is under way 99");
        drop(let_go);
        drop(looking);
        assert!(looks.recv().is_err(), "nobody looks any more");
    }
}
