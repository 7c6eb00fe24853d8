//! An instance that is a container: a thread asks the engine for everything that takes time, and
//! tells the supervisor what became of it.
//!
//! ```text
//!   is there one of this name? ──no──▶ made ──▶ started ──┐
//!              │ yes: it is ours, from before             ├─▶ runs ──▶ over
//!              └──────────────────────────────────────────┘    └─ its log is copied meanwhile
//! ```
//!
//! The name is the instance's, so there are never two. A container that is over stays until its
//! instance is started again or not wanted any more: whoever comes after a crash still learns how it
//! ended. An engine that does not answer is asked again; what it ran goes on or is found ended.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::output;
use super::{Heard, Key, instance};
use crate::containers::{self, Made};
use docker::{Container, Engine, EngineError, Over, Standing};

/// Between asking a container to end and making it. The proxy has drained it by then.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// Between two questions to an engine that does not answer.
const AGAIN: Duration = Duration::from_millis(500);

/// What became of a container.
#[derive(Debug)]
pub(super) struct News {
    pub(super) key: Key,
    /// Of which of the instance's threads: one that was let go says nothing about the next.
    pub(super) run: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// It runs, at this port.
    Runs { container: Container, port: Option<u16> },
    /// The engine does not do it yet.
    Waits(String),
    /// It cannot be started.
    Failed(String),
    /// It ended.
    Over { id: String, over: Over },
    /// Somebody took it away.
    Lost,
    /// Nothing is left of it.
    Gone,
}

/// Where news go.
#[derive(Clone)]
pub(super) struct Ears {
    pub(super) heard: Sender<Heard>,
    pub(super) wake: Arc<OwnedFd>,
}

impl Ears {
    pub(super) fn tell(&self, heard: Heard) {
        // Nobody listens: the supervisor ends.
        let _ = self.heard.send(heard);
        // A full pipe wakes as well as one byte does.
        let _ = rustix::io::write(&self.wake, b".");
    }
}

/// What the threads of an instance share.
#[derive(Default)]
struct Life {
    /// Nobody wants it any more. Held while a container is made and started: none is made after it.
    ended: Mutex<bool>,
    end: Condvar,
    /// Held while its log is copied.
    copies: Mutex<()>,
}

impl Life {
    fn pause(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            drop(self.end.wait_timeout(ended, AGAIN));
        }
    }

    fn is_ended(&self) -> bool {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A container that is looked after.
pub(super) struct Kept {
    key: Key,
    pub(super) run: u64,
    engine: Engine,
    name: String,
    log: PathBuf,
    life: Arc<Life>,
    is_ending: bool,
}

/// What is to be started.
pub(super) struct Wanted {
    pub(super) made: Made,
    /// How this one ended is known.
    pub(super) over: Option<String>,
    /// One that is not there any more is made; else it was taken away.
    pub(super) makes: bool,
    pub(super) port: u16,
}

impl Kept {
    pub(super) fn new(key: &Key, run: u64, engine: Engine, name: String, log: PathBuf) -> Kept {
        let life = Arc::new(Life::default());
        Kept { key: key.clone(), run, engine, name, log, life, is_ending: false }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn thread(&self, ears: &Ears) -> Thread {
        Thread {
            key: self.key.clone(),
            run: self.run,
            engine: self.engine.clone(),
            name: self.name.clone(),
            log: self.log.clone(),
            life: Arc::clone(&self.life),
            ears: ears.clone(),
        }
    }

    /// Sees to it that it runs, and tells how it ends.
    pub(super) fn keep(&self, wanted: Wanted, ears: &Ears) {
        let thread = self.thread(ears);
        std::thread::spawn(move || thread.keep(wanted));
    }

    /// Ends it, and takes it away.
    pub(super) fn end(&mut self, ears: &Ears) {
        if std::mem::replace(&mut self.is_ending, true) {
            return;
        }
        let thread = self.thread(ears);
        std::thread::spawn(move || thread.end());
    }
}

struct Thread {
    key: Key,
    run: u64,
    engine: Engine,
    name: String,
    log: PathBuf,
    life: Arc<Life>,
    ears: Ears,
}

impl Thread {
    fn tell(&self, what: What) {
        self.ears.tell(Heard::Container(News { key: self.key.clone(), run: self.run, what }));
    }

    fn keep(&self, mut wanted: Wanted) {
        while !self.life.is_ended() {
            match self.step(&mut wanted) {
                Ok(None) => {}
                Ok(Some(end)) => return self.tell(end),
                Err(error) if error.is_passing() => {
                    self.tell(What::Waits(error.to_string()));
                    self.life.pause();
                }
                Err(error) => return self.tell(What::Failed(error.to_string())),
            }
        }
    }

    /// One look, and what follows from it; its end, where it came.
    fn step(&self, wanted: &mut Wanted) -> Result<Option<What>, EngineError> {
        let Some(found) = self.engine.container(&self.name)? else {
            if !wanted.makes {
                return Ok(Some(What::Lost));
            }
            return self.make(wanted);
        };
        match &found.standing {
            Standing::Over(_) if wanted.over.as_ref() == Some(&found.id) => {
                self.engine.remove(&self.name)?;
                wanted.over = None;
                wanted.makes = true;
                Ok(None)
            }
            Standing::Over(over) => {
                self.copy(&found.id);
                Ok(Some(What::Over { id: found.id.clone(), over: over.clone() }))
            }
            Standing::Made => self.start(),
            Standing::Runs => {
                wanted.makes = false;
                let since = Instant::now();
                self.attend(found)?;
                if since.elapsed() < AGAIN {
                    // One that is just being taken away is neither there nor gone.
                    self.life.pause();
                }
                Ok(None)
            }
        }
    }

    fn make(&self, wanted: &mut Wanted) -> Result<Option<What>, EngineError> {
        let ended = self.life.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return Ok(None);
        }
        if !instance::is_free(wanted.port) {
            return Ok(Some(What::Failed(format!("port {} is taken", wanted.port))));
        }
        match self.engine.make(&self.name, &wanted.made.body) {
            // Somebody made it: it is looked at again.
            Err(EngineError::Said { status: 409, .. }) | Ok(_) => {}
            Err(error) if error.is_absent() => {
                let image = wanted.made.body["Image"].as_str().unwrap_or_default();
                let what = format!("the image {image} is not here any more: somebody removed it");
                return Ok(Some(What::Failed(what)));
            }
            Err(error) => return Err(error),
        }
        wanted.makes = false;
        match self.start_held() {
            Ok(failed) => Ok(failed),
            Err(error) if error.is_passing() => {
                // Whether it was made is found out by looking.
                wanted.makes = true;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn start(&self) -> Result<Option<What>, EngineError> {
        let ended = self.life.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended { Ok(None) } else { self.start_held() }
    }

    /// One that cannot be started is taken away: it never was anything.
    fn start_held(&self) -> Result<Option<What>, EngineError> {
        match self.engine.start(&self.name) {
            Err(EngineError::Said { message, .. }) => {
                self.engine.remove(&self.name)?;
                Ok(Some(What::Failed(format!("docker says: {message}"))))
            }
            other => other.map(|()| None),
        }
    }

    /// Until it does not run any more, or the engine is away.
    fn attend(&self, found: Container) -> Result<(), EngineError> {
        let id = found.id.clone();
        let port = containers::instance_of(&found.labels).map(|(_, port)| port);
        self.tell(What::Runs { container: found, port });
        let copier = self.thread_of_the_same();
        let of = id.clone();
        std::thread::spawn(move || copier.copy(&of));
        self.engine.wait(&id)
    }

    fn thread_of_the_same(&self) -> Thread {
        Thread {
            key: self.key.clone(),
            run: self.run,
            engine: self.engine.clone(),
            name: self.name.clone(),
            log: self.log.clone(),
            life: Arc::clone(&self.life),
            ears: self.ears.clone(),
        }
    }

    /// What it printed and is not in our log yet, until it ends.
    fn copy(&self, id: &str) {
        let _copies = self.life.copies.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(mut output) = output::Output::open(&self.log, id) else { return };
        let Ok(mut printed) = self.engine.printed(id, &output.since()) else { return };
        let mut piece = vec![0; output::PIECE_BYTES];
        // What is cut off by the end of an engine is asked for again.
        while let Ok(1..) = printed.read(&mut piece).map(|count| {
            let is_kept = output.take(&piece[..count]).is_ok();
            if is_kept { count } else { 0 }
        }) {}
    }

    fn end(&self) {
        *self.life.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.life.end.notify_all();
        loop {
            match self.try_end() {
                Ok(()) => return self.tell(What::Gone),
                Err(error) => self.tell(What::Waits(error.to_string())),
            }
            std::thread::sleep(AGAIN);
        }
    }

    fn try_end(&self) -> Result<(), EngineError> {
        if let Some(found) = self.engine.container(&self.name)? {
            if found.standing == Standing::Runs {
                self.engine.stop(&self.name, STOP_TIME_MAX)?;
            }
            if found.standing != Standing::Made {
                self.copy(&found.id);
            }
        }
        self.engine.remove(&self.name)
    }
}

/// Looks for containers of a folder that somebody left.
pub(super) fn find(engine: Engine, folder: PathBuf, ears: Ears) {
    std::thread::spawn(move || {
        loop {
            match engine.labelled(containers::FOLDER, &folder.display().to_string()) {
                Ok(found) => {
                    for (id, labels) in &found {
                        let task = containers::task_of(labels);
                        let task = task.map(|name| folder.join("tasks").join(name));
                        // Its end is written down, and whoever wrote it came no further.
                        if task.is_some_and(|it| it.join("ended.json").exists()) {
                            let _ = engine.remove(id);
                        }
                    }
                    let all = found.iter().filter_map(|(_, it)| containers::instance_of(it));
                    let keys = all.map(|(key, port)| (key, port, engine.clone())).collect();
                    return ears.tell(Heard::Found(keys));
                }
                // There is none, or it is not for us: nor is what it runs.
                Err(EngineError::Closed(_) | EngineError::Said { .. } | EngineError::Stopped) => {
                    return;
                }
                Err(EngineError::Unanswered { .. }) if !engine.socket().exists() => return,
                Err(EngineError::Unanswered { .. }) => std::thread::sleep(AGAIN),
            }
        }
    });
}
