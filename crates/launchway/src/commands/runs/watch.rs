//! `launchway runs watch`: follows a run that another process drives.

use std::path::Path;

use event::{RunEvent, Seq};
use ports::Journal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use store::Store;

use crate::cli::{Format, RunRef};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::engine::exit_of;
use crate::running::standing::Standing;
use crate::state::StateFolder;
use crate::terminal::closing;
use crate::terminal::report::reporter;

/// A look without a sign of change: the journal may have been changed in a way that gives none.
const LOOK_SECONDS: i64 = 2;

pub(crate) fn run(store: &Store, state: &StateFolder, run: &RunRef) -> Outcome {
    let stream = journal::find(store, run)?;
    let (number, _) = stream.as_run().expect("the stream of a run");
    let changes = Changes::of(state.root())?;
    let mut reporter = reporter(Format::Human);
    let mut seen = Seq(0);
    let mut is_attended = true;
    loop {
        let new =
            store.read(stream, seen).map_err(|error| Failure::caused(Exit::Missing, error))?;
        let mut is_over = false;
        for envelope in new {
            seen = envelope.seq;
            is_over |= matches!(envelope.event, RunEvent::RunCompleted { .. });
            reporter.event(number, &envelope.event);
        }
        if is_over || !is_attended {
            break;
        }
        // Where nothing happens, nobody may be left to make it happen. What was written before that
        // was found out is read once more.
        is_attended = changes.wait()
            || Standing::of(state, &journal::view(store, stream)?)? != Standing::Unattended;
    }
    reporter.end();
    closing::show(store, &[stream], Format::Human)?;
    exit_of(store, &[stream])
}

/// Wakes when a file of the journal changes.
struct Changes {
    queue: std::os::fd::OwnedFd,
}

impl Changes {
    fn of(folder: &Path) -> Result<Changes, Failure> {
        let watch = || -> rustix::io::Result<Changes> {
            let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            inotify::add_watch(&queue, folder, WatchFlags::MODIFY | WatchFlags::CREATE)?;
            Ok(Changes { queue })
        };
        watch().map_err(|error| Failure::caused(Exit::Missing, std::io::Error::from(error)))
    }

    /// Whether something changed; not after [`LOOK_SECONDS`] without.
    fn wait(&self) -> bool {
        let patience = Timespec { tv_sec: LOOK_SECONDS, tv_nsec: 0 };
        let mut queue = [PollFd::new(&self.queue, PollFlags::IN)];
        // Interrupted: the next look tells.
        let changed = poll(&mut queue, Some(&patience)) != Ok(0);
        let mut signs = [0; 4096];
        while rustix::io::read(&self.queue, &mut signs).is_ok_and(|read| read > 0) {}
        changed
    }
}
