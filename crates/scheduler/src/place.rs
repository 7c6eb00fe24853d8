//! Who takes jobs, and why a job that is ready has nobody yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{JobKey, RunRequest, RunnerDemand, StreamId};
use mask::MaskedText;

use crate::definitions::Definitions;
use crate::state::{MachinePort, Node, State};
use crate::trust::{TrustedLabel, Untrusted, untrusted};

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
    /// Where it stands.
    pub site: Site,
    /// Its processor, as `std::env::consts::ARCH` has it; it runs Linux.
    pub processor: Arc<str>,
    /// Labels and groups that it has besides.
    pub labels: Vec<String>,
    /// The only repositories whose jobs it takes, as `owner/name`; none: those of every one.
    pub repositories: Vec<String>,
    /// Jobs at a time.
    pub capacity: usize,
    /// Whether it takes jobs.
    pub takes: Takes,
}

/// Where a machine that takes jobs stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// It is whoever drives the runs.
    Here,
    /// It is a runner that is spoken to over a connection.
    Elsewhere,
}

/// Whether a machine takes jobs. What runs there goes on in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It does.
    Jobs,
    /// Somebody said that it is not to.
    Nothing,
    /// Nobody hears of it.
    Away,
}

impl Place {
    /// As a lease names it.
    fn runner(&self) -> Option<Arc<str>> {
        (self.site == Site::Elsewhere).then(|| Arc::clone(&self.name))
    }

    /// Whether it takes jobs of a repository.
    pub fn takes_jobs_of(&self, repository: &str) -> bool {
        self.repositories.is_empty() || self.repositories.iter().any(|it| it == repository)
    }

    /// Whether it takes such a job, and is what the job asks for; one that asks for nothing runs anywhere.
    fn fits(&self, demand: Option<&RunnerDemand>, request: &RunRequest) -> bool {
        self.takes_jobs_of(&request.repository) && self.has(demand, request)
    }

    /// Whether it is what a job asks for, whosever that is.
    fn has(&self, demand: Option<&RunnerDemand>, request: &RunRequest) -> bool {
        demand.is_none_or(|demand| self.lacks(demand, request).is_none())
    }

    /// The first thing that a job asks for and this machine is not. The run's terms may say that a label
    /// means the machine that it was asked for on.
    fn lacks<'d>(&self, demand: &'d RunnerDemand, request: &RunRequest) -> Option<&'d str> {
        let has = |wanted: &str| {
            let own: &[String] = if self.site == Site::Here { &request.terms.labels } else { &[] };
            self.labels.iter().chain(own).any(|it| it.eq_ignore_ascii_case(wanted))
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
    /// It asks for a label that runs without walls, and may not have it.
    Untrusted(Untrusted),
    /// No machine has this label.
    Label(String),
    /// The machines that have its labels take jobs of other repositories alone.
    Repository(Vec<Arc<str>>),
    /// The machines that would take it take nothing any more.
    Drained(Vec<Arc<str>>),
    /// Of the machines that would take it nobody hears.
    Away(Vec<Arc<str>>),
    /// Another job has a port of the machine that it wants.
    Port(u16),
    /// All are busy, and so many jobs come before it.
    Busy {
        /// Jobs that come first.
        ahead: usize,
    },
}

/// The room that is left on all machines.
pub(crate) struct Room<'s> {
    places: Vec<(&'s Place, usize)>,
    /// Without places: whoever drives takes any job, so many more.
    unknown: usize,
    ports: BTreeSet<MachinePort>,
    trusted: &'s [TrustedLabel],
}

impl<'s> Room<'s> {
    pub(crate) fn of(state: &State, definitions: &'s Definitions, width: usize) -> Room<'s> {
        let places = definitions.places().iter().map(|place| {
            let open = width > 0 && place.takes == Takes::Jobs;
            let capacity = if open { place.capacity } else { 0 };
            (place, capacity.saturating_sub(state.leases_on(place.runner().as_ref())))
        });
        let places: Vec<_> = places.collect();
        let unknown = if places.is_empty() { width.saturating_sub(state.leases_open()) } else { 0 };
        let ports = state.ports.keys().cloned().collect();
        Room { places, unknown, ports, trusted: definitions.trusted() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.unknown == 0 && self.places.iter().all(|(_, free)| *free == 0)
    }

    /// Gives a job a machine, the one with most room: the runner's name, which whoever drives has
    /// not. None where the job has to wait.
    pub(crate) fn take(&mut self, node: &Node, request: &RunRequest) -> Option<Option<Arc<str>>> {
        if untrusted(self.trusted, request, node).is_some() {
            return None;
        }
        let demand = node.definition.as_ref().and_then(|it| it.runner.as_ref());
        // Jobs that want one port of a machine run in turn (`design` 8.11).
        let wanted = node.host_ports();
        let is_taken =
            |on: &Option<Arc<str>>| wanted.iter().any(|it| self.ports.contains(&(on.clone(), *it)));
        let runner = if self.places.is_empty() {
            if self.unknown == 0 || is_taken(&None) {
                return None;
            }
            self.unknown -= 1;
            None
        } else {
            let fits = |(place, free): &(&Place, usize)| {
                *free > 0 && place.fits(demand, request) && !is_taken(&place.runner())
            };
            let at = (0..self.places.len()).filter(|at| fits(&self.places[*at]));
            // The first of those with most: the order of the list is not the journal's business.
            let at = at.min_by_key(|at| std::cmp::Reverse(self.places[*at].1))?;
            self.places[at].1 -= 1;
            self.places[at].0.runner()
        };
        self.ports.extend(wanted.iter().map(|port| (runner.clone(), *port)));
        Some(runner)
    }
}

/// Why no machine takes such a job, whoever is busy.
fn unserved_by(places: &[Place], demand: &RunnerDemand, request: &RunRequest) -> Option<Unserved> {
    let fit: Vec<&Place> =
        places.iter().filter(|place| place.fits(Some(demand), request)).collect();
    if places.is_empty() || fit.iter().any(|place| place.takes == Takes::Jobs) {
        return None;
    }
    let named = |takes: Takes| {
        let names = fit.iter().filter(|place| place.takes == takes);
        names.map(|place| Arc::clone(&place.name)).collect::<Vec<_>>()
    };
    let (away, drained) = (named(Takes::Away), named(Takes::Nothing));
    if !away.is_empty() {
        return Some(Unserved::Away(away));
    }
    if !drained.is_empty() {
        return Some(Unserved::Drained(drained));
    }
    let others: Vec<Arc<str>> = places
        .iter()
        .filter(|place| place.has(Some(demand), request))
        .map(|place| Arc::clone(&place.name))
        .collect();
    if !others.is_empty() {
        return Some(Unserved::Repository(others));
    }
    // The machine that has most of what is asked for names what is missing.
    let lacking = places.iter().filter_map(|place| place.lacks(demand, request));
    let label = lacking.max_by_key(|label| {
        demand.labels.iter().position(|it| it.as_str() == *label).unwrap_or(usize::MAX)
    });
    label.map(|label| Unserved::Label(label.to_owned()))
}

/// Whether a job that has a lease may still begin: which labels are whose may have been said anew since.
pub fn may_begin(
    state: &State,
    definitions: &Definitions,
    stream: StreamId,
    job: &JobKey,
) -> Result<(), Untrusted> {
    let Some(run) = state.run(stream) else { return Ok(()) };
    let Some(id) = run.index.get(job) else { return Ok(()) };
    untrusted(definitions.trusted(), run.request(), run.node(*id)).map_or(Ok(()), Err)
}

/// The jobs that are ready and have no worker, in the order of their turn, each with the reason.
pub fn unserved(state: &State, definitions: &Definitions) -> Vec<(StreamId, JobKey, Unserved)> {
    let mut ahead = 0;
    let mut waiting = Vec::new();
    for (_, stream, id) in &state.owed.ready {
        let run = &state.runs[stream];
        let node = run.node(*id);
        let demand = node.definition.as_ref().and_then(|it| it.runner.as_ref());
        let request = run.request();
        let kept = untrusted(definitions.trusted(), request, node).map(Unserved::Untrusted);
        let served = demand.and_then(|it| unserved_by(definitions.places(), it, request));
        let why = match (kept.or(served), blocked_port(state, definitions, node, request)) {
            (Some(why), _) => why,
            (None, Some(port)) => Unserved::Port(port),
            (None, None) => {
                ahead += 1;
                Unserved::Busy { ahead: ahead - 1 }
            }
        };
        waiting.push((*stream, node.key.clone(), why));
    }
    waiting
}

/// The port that another job has on every machine that takes the job.
fn blocked_port(
    state: &State,
    definitions: &Definitions,
    node: &Node,
    request: &RunRequest,
) -> Option<u16> {
    let taken = |on: Option<Arc<str>>| {
        let mut wanted = node.host_ports().iter();
        wanted.find(|port| state.ports.contains_key(&(on.clone(), **port))).copied()
    };
    let demand = node.definition.as_ref().and_then(|it| it.runner.as_ref());
    let mut fit = definitions.places().iter().filter(|it| it.fits(demand, request)).peekable();
    if fit.peek().is_none() {
        return taken(None);
    }
    let all: Option<Vec<u16>> = fit.map(|place| taken(place.runner())).collect();
    all.and_then(|ports| ports.first().copied())
}
