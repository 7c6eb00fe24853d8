//! Wakes whoever follows: something in the data folder changed.
//!
//! Nothing is handed on but that. Whoever wakes reads the journal from where they stopped, so nobody
//! who is slow misses anything, and nobody who is slow holds anybody up.

use std::io;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::watch;

/// A look without a sign of change.
const LOOK_SECONDS: i64 = 5;

/// The place where changes are made known.
#[derive(Clone, Debug)]
pub struct Hub(watch::Sender<u64>);

impl Default for Hub {
    fn default() -> Hub {
        Hub(watch::Sender::new(0))
    }
}

impl Hub {
    /// Something changed.
    pub fn changed(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// Makes changes of the journal known that other processes make. Ends with the process.
    ///
    /// # Errors
    /// When the folder cannot be watched.
    pub fn watch(&self, folder: &Path) -> io::Result<()> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(&queue, folder, WatchFlags::MODIFY | WatchFlags::CREATE)?;
        let hub = self.clone();
        let look = move || {
            loop {
                let patience = Timespec { tv_sec: LOOK_SECONDS, tv_nsec: 0 };
                let mut signs = [PollFd::new(&queue, PollFlags::IN)];
                if poll(&mut signs, Some(&patience)) != Ok(0) {
                    let mut drained = [0; 4096];
                    while rustix::io::read(&queue, &mut drained).is_ok_and(|read| read > 0) {}
                    hub.changed();
                }
            }
        };
        std::thread::Builder::new().name("journal watch".to_owned()).spawn(look).map(drop)
    }
}
