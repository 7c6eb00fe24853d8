//! Wakes whoever follows: something in the data folder changed; a token or a session was removed.
//!
//! Nothing is handed on but that. Whoever wakes reads the journal from where they stopped, so nobody
//! who is slow misses anything, and nobody who is slow holds anybody up.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::watch;

/// A look without a sign of change.
const LOOK_SECONDS: i64 = 5;

/// The place where changes are made known.
#[derive(Clone)]
pub struct Hub {
    count: watch::Sender<u64>,
    /// Of tokens and sessions.
    removals: watch::Sender<u64>,
    told: Arc<Mutex<Vec<Told>>>,
}

type Told = Box<dyn Fn() + Send>;

impl Default for Hub {
    fn default() -> Hub {
        Hub { count: watch::Sender::new(0), removals: watch::Sender::new(0), told: Arc::default() }
    }
}

impl Hub {
    /// Something changed.
    pub fn changed(&self) {
        self.count.send_modify(|count| *count += 1);
        for tell in self.told.lock().expect("nobody panics while telling").iter() {
            tell();
        }
    }

    /// Has somebody told of each change who is no page. They may not wait in it.
    pub fn tell(&self, tell: impl Fn() + Send + 'static) {
        self.told.lock().expect("nobody panics while telling").push(Box::new(tell));
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// Wakes when a token or a session was removed.
    pub(crate) fn removals(&self) -> watch::Receiver<u64> {
        self.removals.subscribe()
    }

    /// Makes changes of the journal known that other processes make. Ends with the process.
    ///
    /// # Errors
    /// When the folder cannot be watched.
    pub fn watch(&self, folder: &Path) -> io::Result<()> {
        let hub = self.clone();
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE;
        look_at("journal watch", &[folder], flags, move || hub.changed())
    }

    /// Makes known what is removed from those folders, whoever does it. Ends with the process.
    ///
    /// # Errors
    /// When one cannot be watched.
    pub(crate) fn watch_removals(&self, folders: &[&Path]) -> io::Result<()> {
        let hub = self.clone();
        let flags = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
        look_at("sessions watch", folders, flags, move || {
            hub.removals.send_modify(|count| *count += 1);
        })
    }
}

/// A thread that tells whenever the kernel does.
fn look_at(
    name: &str,
    folders: &[&Path],
    flags: WatchFlags,
    tell: impl Fn() + Send + 'static,
) -> io::Result<()> {
    let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    for folder in folders {
        inotify::add_watch(&queue, *folder, flags)?;
    }
    let look = move || {
        loop {
            let patience = Timespec { tv_sec: LOOK_SECONDS, tv_nsec: 0 };
            let mut signs = [PollFd::new(&queue, PollFlags::IN)];
            if poll(&mut signs, Some(&patience)) != Ok(0) {
                let mut drained = [0; 4096];
                while rustix::io::read(&queue, &mut drained).is_ok_and(|read| read > 0) {}
                tell();
            }
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(look).map(drop)
}
