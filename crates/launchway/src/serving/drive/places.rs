//! Which machines take jobs: the server's own, with the labels it was given, and its runners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver::Input;
use event::Timestamp;
use runners::{Fleet, KnownRunner};
use scheduler::{Place, Site, Unserved, Untrusted};
use serde::{Deserialize, Serialize};
use server::{Elsewhere, Runner, RunnerLink, Takes};

use crate::exit::{Exit, Failure};
use crate::serving::data::{self, DataFolder, Record};
use crate::serving::drive::Handle;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// What the server's own machine is called.
pub(crate) const HERE: &str = "launchway";
/// Between two looks whether a runner is away too long.
const LOOK: Duration = Duration::from_secs(1);

/// The machines of a server.
#[derive(Clone)]
pub(crate) struct Machines {
    data: DataFolder,
    /// Of this machine.
    labels: Vec<String>,
    /// Jobs at a time on this machine.
    pub(crate) width: usize,
    /// How jobs are kept in on it.
    kept_in: String,
    /// One at a time changes what is kept.
    changing: Arc<Mutex<()>>,
}

/// What is kept of them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Those that take nothing.
    drained: BTreeSet<String>,
    /// Those elsewhere.
    runners: BTreeMap<String, KnownRunner>,
}

impl Machines {
    pub(crate) fn new(
        data: DataFolder,
        labels: Vec<String>,
        width: usize,
        kept_in: String,
    ) -> Machines {
        Machines { data, labels, width: width.max(1), kept_in, changing: Arc::default() }
    }

    fn kept(&self) -> Result<Kept, Failure> {
        Ok(data::read(&self.data.path("runners.json"))?.unwrap_or_default())
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), Failure> {
        let _one = self.changing.lock().expect("nobody panics while keeping them");
        let mut kept = self.kept()?;
        change(&mut kept);
        data::write(&self.data.path("runners.json"), &kept)
    }

    /// As the scheduler knows them.
    pub(crate) fn all(&self, fleet: &Fleet) -> Result<Vec<Place>, Failure> {
        let drained = self.kept()?.drained;
        let is_drained = |name: &str| drained.contains(name);
        let here = Place {
            name: HERE.into(),
            site: Site::Here,
            processor: std::env::consts::ARCH.into(),
            labels: self.labels.clone(),
            repositories: Vec::new(),
            capacity: self.width,
            takes: if is_drained(HERE) {
                scheduler::Takes::Nothing
            } else {
                scheduler::Takes::Jobs
            },
        };
        Ok(std::iter::once(here).chain(fleet.places(is_drained)).collect())
    }

    /// Keeps what one of them takes from now on.
    pub(crate) fn set(
        &self,
        fleet: &Fleet,
        name: &str,
        takes: Takes,
        record: Record<'_>,
    ) -> Result<(), Failure> {
        let names: Vec<String> = fleet.states().into_iter().map(|it| it.name).collect();
        if name != HERE && !names.iter().any(|it| it == name) {
            let there: Vec<&str> =
                std::iter::once(HERE).chain(names.iter().map(String::as_str)).collect();
            return Err(Failure::new(Exit::Usage, format!("there is no runner {name}"))
                .hint(format!("there is: {}", there.join(", "))));
        }
        record(name)?;
        self.change(|kept| {
            match takes {
                Takes::Nothing => kept.drained.insert(name.to_owned()),
                Takes::Jobs | Takes::Away => kept.drained.remove(name),
            };
        })
    }
}

/// What the fleet keeps, and whom it tells.
pub(crate) struct Book {
    pub(crate) machines: Machines,
    pub(crate) inputs: Sender<Input>,
}

impl runners::Book for Book {
    fn known(&self) -> BTreeMap<String, KnownRunner> {
        // What cannot be read is made anew when they come.
        self.machines.kept().unwrap_or_default().runners
    }

    fn keep(&self, name: &str, known: &KnownRunner) {
        let kept = self.machines.change(|kept| {
            kept.runners.insert(name.to_owned(), known.clone());
        });
        if let Err(failure) = kept {
            talk(&format!("warning: {:#}", failure.error));
        }
    }

    fn forget(&self, names: &[String]) {
        let kept = self.machines.change(|kept| {
            // That one is drained is somebody's word, and stands.
            kept.runners.retain(|name, _| !names.contains(name));
        });
        if let Err(failure) = kept {
            talk(&format!("warning: {:#}", failure.error));
        }
    }

    fn changed(&self, fleet: &Fleet) {
        match self.machines.all(fleet) {
            // Nobody listens only while everything ends.
            Ok(places) => drop(self.inputs.send(Input::Places(places))),
            Err(failure) => talk(&format!("warning: {:#}", failure.error)),
        }
    }

    fn say(&self, text: &str) {
        talk(text);
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

/// A connection, as the fleet wants it.
pub(crate) struct Link(pub(crate) RunnerLink);

impl runners::Link for Link {
    fn receive(&self) -> Option<Vec<u8>> {
        self.0.receive()
    }

    fn order(&self, frame: Vec<u8>) {
        self.0.order(frame);
    }

    fn bulk(&self, frame: Vec<u8>) -> bool {
        self.0.bulk(frame)
    }

    fn close(&self) {
        self.0.close();
    }
}

/// The machines, for people.
pub(crate) fn lines(handle: &Handle) -> Vec<Runner> {
    // Where it cannot be read what is drained, nothing is said to be.
    let places = handle.places().all(handle.fleet()).unwrap_or_default();
    let states = handle.fleet().states();
    let line = |place: Place| {
        let state =
            states.iter().find(|it| place.site == Site::Elsewhere && *it.name == *place.name);
        Runner {
            name: place.name.to_string(),
            labels: place.labels,
            repositories: (!place.repositories.is_empty()).then_some(place.repositories),
            capacity: place.capacity,
            busy: handle.busy_on(state.map(|it| it.name.as_str())),
            takes: match place.takes {
                scheduler::Takes::Jobs => Takes::Jobs,
                scheduler::Takes::Nothing => Takes::Nothing,
                scheduler::Takes::Away => Takes::Away,
            },
            kept_in: match state {
                Some(state) => state.known.kept_in.clone(),
                None => handle.places().kept_in.clone(),
            },
            elsewhere: state.map(|it| Elsewhere {
                version: it.known.version.clone(),
                processor: it.known.processor.clone(),
                heard_at: it.known.heard_at,
            }),
        }
    };
    places.into_iter().map(line).collect()
}

/// Gives up runners that are away too long, until `told` to end.
pub(crate) fn watch(handle: &Handle, told: &Receiver<()>) {
    while told.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        handle.fleet().give_up();
    }
}

/// Why a job waits, as a sentence about it.
pub(crate) fn sentence(why: &Unserved) -> String {
    let named = |names: &[Arc<str>]| {
        let names: Vec<&str> = names.iter().map(Arc::as_ref).collect();
        names.join(" or ")
    };
    match why {
        Unserved::Untrusted(Untrusted { label, is_fork: true, .. }) => format!(
            "waits for the trusted label `{label}`, which code of a fork is not given: its jobs run without walls"
        ),
        Unserved::Untrusted(Untrusted { label, given, .. }) if given.is_empty() => format!(
            "waits for the trusted label `{label}`, which is not given to this repository (serve --trusted-label)"
        ),
        Unserved::Untrusted(Untrusted { label, given, .. }) => format!(
            "waits for the trusted label `{label}`, which is given to {}, and this job is none of that (serve --trusted-label)",
            given.join(", or to ")
        ),
        Unserved::Repository(names) => format!(
            "waits for a runner that takes jobs of this repository: {} may not",
            named(names)
        ),
        Unserved::Label(label) => {
            format!("waits for a runner with the label `{label}`: none has it")
        }
        Unserved::Drained(names) => {
            format!("waits for the runner {}, which is drained", named(names))
        }
        Unserved::Away(names) => format!("waits for the runner {}, which is away", named(names)),
        Unserved::Port(port) => format!("waits for port {port}, which another job has"),
        Unserved::Busy { ahead: 0 } => "waits for a free runner: it is next".to_owned(),
        Unserved::Busy { ahead } => {
            format!("waits for a free runner: place {} in the queue", ahead + 1)
        }
    }
}
