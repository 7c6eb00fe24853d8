//! Who takes jobs, and why a job that is ready has nobody yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{JobKey, RunnerDemand, StreamId, Terms};
use mask::MaskedText;

use crate::definitions::Definitions;
use crate::state::State;

/// Labels that mean "a Linux machine", whatever its processor.
const LINUX_LABELS: &[&str] = &["self-hosted", "linux"];
/// Labels of processors, by the names that Rust gives them.
const PROCESSOR_LABELS: &[(&str, &[&str])] =
    &[("x86_64", &["x64", "x86_64"]), ("aarch64", &["arm64", "aarch64"])];

/// Whether a label means a Linux machine with this processor by itself: `ubuntu-*` and the usual words
/// of self-hosted runners.
pub fn is_linux_label(label: &str, processor: &str) -> bool {
    let label = label.to_lowercase();
    let own = PROCESSOR_LABELS.iter().find(|(name, _)| *name == processor);
    LINUX_LABELS.contains(&&*label)
        || own.is_some_and(|(_, labels)| labels.contains(&&*label))
        // `ubuntu-24.04-arm` says what it is; `ubuntu-latest` is taken for "a Linux machine".
        || label.starts_with("ubuntu-") && (!label.contains("-arm") || processor == "aarch64")
}

/// A machine that takes jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub name: Arc<str>,
    /// Its processor, as `std::env::consts::ARCH` has it; it runs Linux.
    pub processor: Arc<str>,
    /// Labels and groups that it has besides.
    pub labels: Vec<String>,
    /// Whether it takes no job any more. What runs there goes on.
    pub is_drained: bool,
}

impl Place {
    /// The first thing that a job asks for and this machine is not. `terms` may say that a label means
    /// the machine that the run was asked for on.
    fn lacks<'d>(&self, demand: &'d RunnerDemand, terms: &Terms) -> Option<&'d str> {
        let has = |wanted: &str| {
            let mut all = self.labels.iter().chain(&terms.labels);
            all.any(|it| it.eq_ignore_ascii_case(wanted))
        };
        let label = demand
            .labels
            .iter()
            .map(MaskedText::as_str)
            .find(|label| !has(label) && !is_linux_label(label, &self.processor));
        label.or_else(|| demand.group.as_ref().map(MaskedText::as_str).filter(|group| !has(group)))
    }
}

/// Why a job that is ready has no worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// No machine has this label.
    Label(String),
    /// The machines that would take it take nothing any more.
    Drained(Vec<Arc<str>>),
    /// Another job has a port of the machine that it wants.
    Port(u16),
    /// All are busy, and so many jobs come before it.
    Busy {
        /// Jobs that come first.
        ahead: usize,
    },
}

impl Definitions {
    /// Whether a machine takes such a job now. Where none is known, anybody takes any.
    pub(crate) fn is_served(&self, demand: Option<&RunnerDemand>, terms: &Terms) -> bool {
        let places = self.places();
        let Some(demand) = demand.filter(|_| !places.is_empty()) else { return true };
        places.iter().any(|place| !place.is_drained && place.lacks(demand, terms).is_none())
    }

    fn unserved(&self, demand: &RunnerDemand, terms: &Terms) -> Option<Unserved> {
        let places = self.places();
        if places.is_empty() || self.is_served(Some(demand), terms) {
            return None;
        }
        let fit = places.iter().filter(|place| place.lacks(demand, terms).is_none());
        let drained: Vec<Arc<str>> = fit.map(|place| Arc::clone(&place.name)).collect();
        if !drained.is_empty() {
            return Some(Unserved::Drained(drained));
        }
        // The machine that has most of what is asked for names what is missing.
        let lacking = places.iter().filter_map(|place| place.lacks(demand, terms));
        let label = lacking.max_by_key(|label| {
            demand.labels.iter().position(|it| it.as_str() == *label).unwrap_or(usize::MAX)
        });
        label.map(|label| Unserved::Label(label.to_owned()))
    }
}

/// The jobs that are ready and have no worker, in the order of their turn, each with the reason.
pub fn unserved(state: &State, definitions: &Definitions) -> Vec<(StreamId, JobKey, Unserved)> {
    let taken: BTreeSet<u16> = state.ports.keys().copied().collect();
    let mut ahead = 0;
    let mut waiting = Vec::new();
    for (_, stream, id) in &state.owed.ready {
        let run = &state.runs[stream];
        let node = run.node(*id);
        let demand = node.definition.as_ref().and_then(|it| it.runner.as_ref());
        let served = demand.and_then(|it| definitions.unserved(it, &run.request().terms));
        let port = node.host_ports().iter().find(|port| taken.contains(port));
        let why = match (served, port) {
            (Some(why), _) => why,
            (None, Some(port)) => Unserved::Port(*port),
            (None, None) => {
                ahead += 1;
                Unserved::Busy { ahead: ahead - 1 }
            }
        };
        waiting.push((*stream, node.key.clone(), why));
    }
    waiting
}
