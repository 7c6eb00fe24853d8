//! A command that is run once in a container of its own. Whoever waited for it may be killed: the
//! container goes on, and the next one who asks hears from the engine how it ended.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::{STOP_TIME_MAX, Task, TaskEnd, log};
use crate::containers::{self, Image, Made};
use crate::now_ms;
use crate::processes;
use crate::supervise::output::{Output, PIECE_BYTES};
use crate::wanted::Ended;
use docker::{Engine, EngineError, Over, Standing};

/// Between two questions to an engine that does not answer.
const AGAIN: Duration = Duration::from_millis(500);

/// Whether somebody began it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// Nobody: a container that is not there is made.
    Not,
    /// Somebody: one that is not there may have run.
    Before,
}

/// Runs it, or hears how it ended.
pub(super) fn run(task: &Path, wanted: &Task, image: &Image, begun: Begun) -> io::Result<TaskEnd> {
    let private = processes::private_values(&wanted.private)?;
    let of = (wanted.service.as_str(), wanted.name.as_str());
    let made = containers::task(&wanted.folder, of, (&wanted.set, image), &private, &wanted.run);
    let mut may_make = begun == Begun::Not;
    let mut timed_out = false;
    loop {
        match step(task, wanted, (&image.engine, &made), &mut may_make, &mut timed_out) {
            Ok(None) => {}
            Ok(Some(end)) => return Ok(end),
            Err(error) if error.is_passing() && now_ms() < wanted.until_ms => {
                std::thread::sleep(AGAIN);
            }
            // It may have run, and it may run still.
            Err(error) if error.is_passing() => return Ok(TaskEnd::lost()),
            Err(error) => return Ok(TaskEnd::not_started(error.to_string())),
        }
    }
}

fn step(
    task: &Path,
    wanted: &Task,
    (engine, made): (&Engine, &Made),
    may_make: &mut bool,
    timed_out: &mut bool,
) -> Result<Option<TaskEnd>, EngineError> {
    let Some(found) = engine.container(&made.name)? else {
        if !std::mem::take(may_make) {
            return Ok(Some(TaskEnd::lost()));
        }
        return match engine.make(&made.name, &made.body) {
            Err(error) if error.is_passing() => {
                // Asked for and not heard of: it was not started, whatever became of it.
                *may_make = true;
                Err(error)
            }
            other => other.map(|_| None),
        };
    };
    match found.standing {
        Standing::Made => match engine.start(&made.name) {
            Err(EngineError::Said { message, .. }) => {
                engine.remove(&made.name)?;
                Ok(Some(TaskEnd::not_started(format!("docker says: {message}"))))
            }
            other => other.map(|()| None),
        },
        Standing::Runs => {
            if !ends_within(engine, &found.id, wanted.until_ms.saturating_sub(now_ms()))? {
                *timed_out = true;
                engine.stop(&found.id, STOP_TIME_MAX)?;
            }
            Ok(None)
        }
        Standing::Over(Over { code, out_of_memory, .. }) => {
            copy(engine, &found.id, task);
            let ended = Ended { code: Some(code), signal: None, at_ms: now_ms(), out_of_memory };
            Ok(Some(TaskEnd { ended: Some(ended), timed_out: *timed_out, ..TaskEnd::default() }))
        }
    }
}

/// Takes away what is left of it. Its end is written down.
pub(super) fn clear(wanted: &Task, image: &Image) {
    let of = (wanted.service.as_str(), wanted.name.as_str());
    let nothing = std::collections::BTreeMap::new();
    let made = containers::task(&wanted.folder, of, (&wanted.set, image), &nothing, &wanted.run);
    // One that stays does no harm: nobody asks for it again.
    let _ = image.engine.remove(&made.name);
}

fn ends_within(engine: &Engine, id: &str, milliseconds: u64) -> Result<bool, EngineError> {
    let (ended, end) = channel();
    let (waiting, of) = (engine.clone(), id.to_owned());
    std::thread::spawn(move || {
        // Nobody listens where the time was over before.
        let _ = ended.send(waiting.wait(&of));
    });
    match end.recv_timeout(Duration::from_millis(milliseconds)) {
        Ok(end) => end.map(|()| true),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(false),
    }
}

/// All that it printed.
fn copy(engine: &Engine, id: &str, task: &Path) {
    let Ok(mut output) = Output::open(&log(task), id) else { return };
    let Ok(mut printed) = engine.printed(id, &output.since()) else { return };
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = printed.read(&mut piece) {
        if output.take(&piece[..count]).is_err() {
            return;
        }
    }
}
