//! Which machines take jobs. Today there is one: the server's own, with the labels it was given.

use std::collections::BTreeSet;
use std::sync::Arc;

use scheduler::{Place, Unserved};
use serde::{Deserialize, Serialize};
use server::Takes;

use super::data::{self, DataFolder};
use crate::exit::{Exit, Failure};

/// What the server's own machine is called.
pub(crate) const HERE: &str = "launchway";

/// The machines of a server.
#[derive(Clone)]
pub(crate) struct Machines {
    data: DataFolder,
    /// Of this machine.
    pub(crate) labels: Vec<String>,
}

/// What is kept of them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// Those that take nothing.
    drained: BTreeSet<String>,
}

impl Machines {
    pub(crate) fn new(data: DataFolder, labels: Vec<String>) -> Machines {
        Machines { data, labels }
    }

    fn kept(&self) -> Result<Kept, Failure> {
        Ok(data::read(&self.data.path("runners.json"))?.unwrap_or_default())
    }

    /// As the scheduler knows them.
    pub(crate) fn all(&self) -> Result<Vec<Place>, Failure> {
        Ok(vec![Place {
            name: HERE.into(),
            processor: std::env::consts::ARCH.into(),
            labels: self.labels.clone(),
            is_drained: self.kept()?.drained.contains(HERE),
        }])
    }

    /// Keeps what one of them takes from now on.
    pub(crate) fn set(&self, name: &str, takes: Takes) -> Result<(), Failure> {
        if name != HERE {
            return Err(Failure::new(Exit::Usage, format!("there is no runner {name}"))
                .hint(format!("there is: {HERE}")));
        }
        let mut kept = self.kept()?;
        match takes {
            Takes::Nothing => kept.drained.insert(name.to_owned()),
            Takes::Jobs => kept.drained.remove(name),
        };
        data::write(&self.data.path("runners.json"), &kept)
    }
}

/// Why a job waits, as a sentence about it.
pub(crate) fn sentence(why: &Unserved) -> String {
    match why {
        Unserved::Label(label) => {
            format!("waits for a runner with the label `{label}`: none has it")
        }
        Unserved::Drained(names) => {
            let names: Vec<&str> = names.iter().map(Arc::as_ref).collect();
            format!("waits for the runner {}, which is drained", names.join(" or "))
        }
        Unserved::Port(port) => format!("waits for port {port}, which another job has"),
        Unserved::Busy { ahead: 0 } => "waits for a free runner: it is next".to_owned(),
        Unserved::Busy { ahead } => {
            format!("waits for a free runner: place {} in the queue", ahead + 1)
        }
    }
}
