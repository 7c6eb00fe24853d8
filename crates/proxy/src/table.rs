//! What the proxy knows: the routes it took, and what is under way. One lock over both, so that a
//! count can be trusted (lib.rs says why).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::control::{BackendStatus, ReleaseStatus, ServiceStatus, Status};
use crate::routes::{Backend, Route};

/// The table, shared by every connection.
#[derive(Clone)]
pub(crate) struct Table {
    inner: Arc<Mutex<Inner>>,
    /// Counts exchanges of the table: held requests and tunnels wait for it.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    routes: BTreeMap<String, Taken>,
    fronts: BTreeMap<SocketAddr, FrontEntry>,
    /// Listeners that could not be had.
    unheard: BTreeMap<SocketAddr, String>,
    backends: BTreeMap<SocketAddr, Counts>,
    releases: BTreeMap<(String, String), ReleaseStatus>,
    connections: u64,
    turn: usize,
}

struct Taken {
    route: Route,
    /// The generation whose listeners were opened, or tried to be.
    settled: u64,
    problem: Option<String>,
}

struct FrontEntry {
    service: String,
    backends: Vec<Backend>,
}

#[derive(Clone, Default)]
struct Counts {
    service: String,
    instance: String,
    release: String,
    in_flight: u64,
    upgraded: u64,
    requests: u64,
    failed: u64,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request and its response.
    Request,
    /// A connection that became something else.
    Upgraded,
}

/// A chosen instance. It counts as in flight until this is dropped.
pub(crate) struct Chosen {
    table: Table,
    kind: Kind,
    pub(crate) backend: Backend,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table { inner: Arc::default(), changed: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under this lock would be a fault in plain counting; counts stay usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of every exchange.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes the routes that were read. A file that cannot be read leaves what was taken before.
    pub(crate) fn exchange(&self, read: Vec<(String, Result<Route, String>)>) {
        let mut inner = self.lock();
        let mut before = std::mem::take(&mut inner.routes);
        for (service, route) in read {
            match route {
                Ok(route) => {
                    let settled = before.get(&service).map_or(0, |taken| taken.settled);
                    inner.routes.insert(service, Taken { route, settled, problem: None });
                }
                Err(problem) => {
                    if let Some(old) = before.remove(&service) {
                        let problem = Some(problem);
                        inner.routes.insert(service, Taken { problem, ..old });
                    }
                }
            }
        }
        inner.rebuild();
        drop(inner);
        self.changed.send_modify(|count| *count += 1);
    }

    /// The listeners of everything taken so far were opened, as far as they can be: from here on it
    /// is told as taken.
    pub(crate) fn settle(&self) {
        for taken in self.lock().routes.values_mut() {
            taken.settled = taken.route.generation;
        }
    }

    /// Every address that should be listened on.
    pub(crate) fn wanted(&self) -> Vec<SocketAddr> {
        self.lock().fronts.keys().copied().collect()
    }

    /// A listener was had, or not.
    pub(crate) fn heard(&self, listen: SocketAddr, problem: Option<String>) {
        let mut inner = self.lock();
        match problem {
            Some(problem) => inner.unheard.insert(listen, problem),
            None => inner.unheard.remove(&listen),
        };
    }

    /// The instances for a listener, the next in turn first. None: nothing is routed there.
    pub(crate) fn candidates(&self, listen: SocketAddr) -> Option<Vec<Backend>> {
        let mut inner = self.lock();
        inner.turn = inner.turn.wrapping_add(1);
        let turn = inner.turn;
        let front = inner.fronts.get(&listen)?;
        let mut backends = front.backends.clone();
        if !backends.is_empty() {
            let by = turn % backends.len();
            backends.rotate_left(by);
        }
        Some(backends)
    }

    /// Counts a request at an instance, if that is still routed on this listener.
    pub(crate) fn choose(&self, listen: SocketAddr, backend: &Backend) -> Option<Chosen> {
        let mut inner = self.lock();
        let front = inner.fronts.get(&listen)?;
        if !front.backends.contains(backend) {
            return None;
        }
        let service = front.service.clone();
        inner.count(backend, &service).in_flight += 1;
        Some(Chosen { table: self.clone(), kind: Kind::Request, backend: backend.clone() })
    }

    /// A request was sent.
    pub(crate) fn sent(&self, chosen: &Chosen) {
        let mut inner = self.lock();
        if let Some(counts) = inner.backends.get_mut(&chosen.backend.address) {
            counts.requests += 1;
        }
        if let Some(release) = inner.release(&chosen.backend) {
            release.requests += 1;
        }
    }

    /// An instance that took a request did not answer it.
    pub(crate) fn failed(&self, backend: &Backend) {
        let mut inner = self.lock();
        if let Some(counts) = inner.backends.get_mut(&backend.address) {
            counts.failed += 1;
        }
        if let Some(release) = inner.release(backend) {
            release.failed += 1;
        }
    }

    /// A request was answered by us, because nobody else could.
    pub(crate) fn unanswered(&self, listen: SocketAddr) {
        let mut inner = self.lock();
        let service = inner.fronts.get(&listen).map(|front| front.service.clone());
        let key = (service.unwrap_or_default(), String::new());
        let release = inner.releases.entry(key).or_default();
        release.requests += 1;
        release.failed += 1;
    }

    /// A client's connection began.
    pub(crate) fn connected(&self) -> Connected {
        self.lock().connections += 1;
        Connected(self.clone())
    }

    /// When the connections to an instance must end; none while it is not draining.
    pub(crate) fn deadline(&self, backend: &Backend) -> Option<u64> {
        let inner = self.lock();
        let mut draining = inner.routes.values().flat_map(|taken| &taken.route.draining);
        draining.find(|draining| draining.backend == *backend).map(|draining| draining.until_ms)
    }

    /// Everything, for whoever asks.
    pub(crate) fn status(&self) -> Status {
        let inner = self.lock();
        let services = inner.routes.iter().map(|(name, taken)| {
            let fronts = taken.route.fronts.iter();
            let unheard: Vec<String> = fronts
                .filter_map(|front| inner.unheard.get(&front.listen))
                .chain(taken.problem.iter())
                .cloned()
                .collect();
            let status = ServiceStatus { generation: taken.settled, problems: unheard };
            (name.clone(), status)
        });
        let backends = inner.backends.iter().map(|(address, counts)| BackendStatus {
            address: *address,
            service: counts.service.clone(),
            instance: counts.instance.clone(),
            release: counts.release.clone(),
            in_flight: counts.in_flight,
            upgraded: counts.upgraded,
            requests: counts.requests,
            failed: counts.failed,
        });
        let mut releases: BTreeMap<String, BTreeMap<String, ReleaseStatus>> = BTreeMap::new();
        for ((service, release), counts) in &inner.releases {
            releases.entry(service.clone()).or_default().insert(release.clone(), counts.clone());
        }
        for counts in inner.backends.values() {
            let of_service = releases.entry(counts.service.clone()).or_default();
            let release = of_service.entry(counts.release.clone()).or_default();
            release.in_flight += counts.in_flight + counts.upgraded;
        }
        Status {
            pid: std::process::id(),
            connections: inner.connections,
            services: services.collect(),
            backends: backends.collect(),
            releases,
        }
    }
}

impl Inner {
    /// Fronts from routes. The first service that names an address has it; another is told so.
    fn rebuild(&mut self) {
        let mut fronts: BTreeMap<SocketAddr, FrontEntry> = BTreeMap::new();
        for (service, taken) in &mut self.routes {
            for front in &taken.route.fronts {
                if let Some(holder) = fronts.get(&front.listen) {
                    let holder = &holder.service;
                    taken.problem = Some(format!("{} belongs to {holder}", front.listen));
                    continue;
                }
                let backends = front.backends.clone();
                fronts.insert(front.listen, FrontEntry { service: service.clone(), backends });
            }
        }
        self.fronts = fronts;
        // An instance that is routed nowhere and has nothing under way is forgotten; what it did
        // stays counted with its release.
        let routes = &self.routes;
        self.backends.retain(|address, counts| {
            let is_routed = routes.values().any(|taken| {
                let fronts = taken.route.fronts.iter().flat_map(|front| &front.backends);
                let draining = taken.route.draining.iter().map(|draining| &draining.backend);
                fronts.chain(draining).any(|backend| backend.address == *address)
            });
            is_routed || counts.in_flight + counts.upgraded > 0
        });
    }

    fn count(&mut self, backend: &Backend, service: &str) -> &mut Counts {
        let counts = self.backends.entry(backend.address).or_default();
        if counts.instance != backend.instance {
            // The port went from one instance to another; what is under way still is.
            *counts = Counts { in_flight: counts.in_flight, ..Counts::default() };
            service.clone_into(&mut counts.service);
            counts.instance.clone_from(&backend.instance);
            counts.release.clone_from(&backend.release);
        }
        counts
    }

    fn release(&mut self, backend: &Backend) -> Option<&mut ReleaseStatus> {
        let service = self.backends.get(&backend.address)?.service.clone();
        Some(self.releases.entry((service, backend.release.clone())).or_default())
    }
}

impl Chosen {
    /// A second hold on the same instance: it counts as in flight until both are gone.
    pub(crate) fn again(&self) -> Chosen {
        let mut inner = self.table.lock();
        if let Some(counts) = inner.backends.get_mut(&self.backend.address) {
            counts.in_flight += 1;
        }
        drop(inner);
        let backend = self.backend.clone();
        Chosen { table: self.table.clone(), kind: Kind::Request, backend }
    }

    /// From now on it is a tunnel.
    pub(crate) fn upgraded(mut self) -> Chosen {
        let mut inner = self.table.lock();
        if let Some(counts) = inner.backends.get_mut(&self.backend.address) {
            counts.in_flight = counts.in_flight.saturating_sub(1);
            counts.upgraded += 1;
        }
        drop(inner);
        self.kind = Kind::Upgraded;
        self
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        let mut inner = self.table.lock();
        if let Some(counts) = inner.backends.get_mut(&self.backend.address) {
            let count = match self.kind {
                Kind::Request => &mut counts.in_flight,
                Kind::Upgraded => &mut counts.upgraded,
            };
            *count = count.saturating_sub(1);
        }
    }
}

/// A client's connection, for as long as it lasts.
pub(crate) struct Connected(Table);

impl Drop for Connected {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.connections = inner.connections.saturating_sub(1);
    }
}
