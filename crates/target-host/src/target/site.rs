//! A service as one call finds it, and the small deeds that every step is made of. Each looks first:
//! what is so already is not done again.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use event::{Cause, CauseCode, EvidenceKind};
use mask::{MaskedText, Masker};
use ports::Order;
use proxy::{Backend, Draining, Front, Route, Status};
use serde_json::Value as Json;

use super::steps::Former;
use super::{HostTarget, evidence};
use crate::bundle;
use crate::config::HostConfig;
use crate::fence::{self, Held, Refused};
use crate::folder::{self, Folder};
use crate::wanted::{InstanceName, InstanceState, Set, State, Wanted};

/// So often an instance may end after it was healthy until it is given up.
const RESTARTS_MAX: u32 = 3;
/// What the proxy gets beyond the drain deadline to close WebSockets.
const CLOSE_MS: u64 = 3_000;

/// How far a step is.
pub(super) enum Move {
    /// Something must happen first.
    Wait(String),
    /// There.
    Done(Json),
    /// There, and nothing runs.
    Vacuous(Json),
}

impl Move {
    pub(super) fn done() -> Move {
        Move::Done(Json::Null)
    }
}

/// Why a step does not go on.
pub(super) enum Halt {
    Failed(Cause),
    Unreachable(Cause),
    Superseded(Cause),
}

impl Halt {
    pub(super) fn failed(code: CauseCode, what: impl Into<String>) -> Halt {
        Halt::Failed(cause(code, what))
    }

    pub(super) fn fault(what: impl Into<String>) -> Halt {
        Halt::failed(CauseCode::Fault, what)
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        let what = format!("the target's folder cannot be used: {error}");
        Halt::Unreachable(cause(CauseCode::Unavailable, what))
    }
}

pub(super) fn cause(code: CauseCode, what: impl Into<String>) -> Cause {
    Cause::new(code, MaskedText::without_secrets(what.into()))
}

/// Whether instances are as they should be.
enum Readiness {
    All,
    Waiting(String),
}

pub(super) struct Site<'a> {
    pub(super) folder: Folder,
    masker: &'a Masker,
    pub(super) service: String,
    pub(super) now_ms: u64,
    pub(super) wanted: Wanted,
    pub(super) route: Route,
    state: State,
    status: Option<Status>,
    _held: Held,
}

impl<'a> Site<'a> {
    /// Takes the service's fence and looks at everything.
    pub(super) fn open(host: &'a mut HostTarget, order: &Order<'_>) -> Result<Site<'a>, Halt> {
        host.folder.make()?;
        let service = order.service.service.to_string();
        let held = fence::enter(&host.folder, &service, order.deployment, order.fence)
            .map_err(|refused| halt(refused, &host.folder, &service))?;
        host.ensure_supervisor()?;
        let folder = host.folder.clone();
        let wanted = folder::read(&folder.wanted_of(&service))?.unwrap_or_default();
        let route = proxy::read(folder.path(), &service).map_err(io::Error::other)?;
        let route = route.unwrap_or_else(|| Route {
            service: service.clone(),
            generation: 0,
            fronts: Vec::new(),
            draining: Vec::new(),
        });
        let state = folder::read(&folder.state())?.unwrap_or_default();
        let status = proxy::ask(folder.path()).ok();
        let masker = &host.masker;
        let now_ms = order.now.0;
        Ok(Site { folder, masker, service, now_ms, wanted, route, state, status, _held: held })
    }

    pub(super) fn state(&self, name: &InstanceName) -> Option<&InstanceState> {
        self.state.instance(&self.service, name)
    }

    fn save_wanted(&self) -> io::Result<()> {
        folder::replace(&self.folder.wanted_of(&self.service), &self.wanted)
    }

    /// These instances shall live, and no other ends by this.
    pub(super) fn want(
        &mut self,
        key: &str,
        set: &Set,
        names: &[InstanceName],
    ) -> Result<(), Halt> {
        let before = self.wanted.clone();
        self.wanted.sets.insert(key.to_owned(), set.clone());
        self.wanted.instances.extend(names.iter().cloned());
        if self.wanted != before {
            self.save_wanted()?;
        }
        Ok(())
    }

    /// Nobody but these shall live; whether all others are gone.
    pub(super) fn want_only(&mut self, names: &[InstanceName]) -> Result<Option<Move>, Halt> {
        let keep: BTreeSet<InstanceName> = names.iter().cloned().collect();
        if self.wanted.instances != keep {
            self.wanted.instances = keep;
            self.save_wanted()?;
        }
        let living = self.state.services.get(&self.service);
        let mut others = living.into_iter().flatten().filter(|(name, _)| !names.contains(name));
        Ok(others.next().map(|(name, state)| {
            let waits = state.waits.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            Move::Wait(format!("instance {name} ends{waits}"))
        }))
    }

    /// Forgets a set that nobody goes back to.
    pub(super) fn forget(&mut self, key: &str) -> Result<(), Halt> {
        if self.wanted.sets.remove(key).is_some() {
            self.save_wanted()?;
        }
        match std::fs::remove_file(self.folder.private(&self.service, key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The service is not here any more.
    pub(super) fn remove(&mut self) -> Result<(), Halt> {
        proxy::remove(self.folder.path(), &self.service).map_err(io::Error::other)?;
        match std::fs::remove_file(self.folder.wanted_of(&self.service)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Waits until instances are ready.
    ///
    /// # Errors
    /// When one never will be, with what shows why.
    pub(super) fn ready(&self, set: &Set, names: &[InstanceName]) -> Result<Option<Move>, Halt> {
        match self.readiness(set, names)? {
            Readiness::All => Ok(None),
            Readiness::Waiting(seen) => Ok(Some(Move::Wait(seen))),
        }
    }

    fn readiness(&self, set: &Set, names: &[InstanceName]) -> Result<Readiness, Halt> {
        let mut ready = 0;
        let mut seen = None;
        for name in names {
            let Some(state) = self.state(name).filter(|state| !state.is_ending) else { continue };
            if state.was_ready && state.healthy_since_ms.is_some() {
                ready += 1;
                continue;
            }
            if let Some(cause) = self.failure(set, name, state) {
                return Err(Halt::Failed(cause));
            }
            seen = seen.or_else(|| state.waits.clone().or_else(|| state.probe.clone()));
        }
        if ready == names.len() {
            return Ok(Readiness::All);
        }
        let seen = seen.map(|seen| format!(": {seen}")).unwrap_or_default();
        Ok(Readiness::Waiting(format!("{ready} of {} instances healthy{seen}", names.len())))
    }

    /// Why an instance that is not ready never will be; none while it may.
    fn failure(&self, set: &Set, name: &InstanceName, state: &InstanceState) -> Option<Cause> {
        let version = &set.release.version;
        if state.was_ready {
            let ended = state.ended.filter(|_| state.restarts >= RESTARTS_MAX)?;
            let what = format!(
                "instance {name} of {version} was healthy and ended {} times, last with {ended}",
                state.restarts
            );
            return Some(self.told(cause(CauseCode::Exited, what), name, state));
        }
        if let Some(problem) = &state.problem {
            let what = format!("instance {name} of {version} could not be started: {problem}");
            return Some(self.told(cause(CauseCode::NotStarted, what), name, state));
        }
        if let Some(ended) = state.ended {
            let what =
                format!("instance {name} of {version} ended with {ended} before it was healthy");
            let cause = cause(CauseCode::Exited, what);
            return Some(self.told(cause, name, state));
        }
        let within = u64::try_from(set.config.within().as_millis()).unwrap_or(u64::MAX);
        let is_late = self.now_ms.saturating_sub(state.started_ms) > within;
        if let Some(waits) = state.waits.as_ref().filter(|_| is_late) {
            let what = format!(
                "instance {name} of {version} was not healthy after {} s: {waits}",
                within / 1000
            );
            return Some(self.told(cause(CauseCode::Unavailable, what), name, state));
        }
        if state.runs() && state.healthy_since_ms.is_none() && is_late {
            let seen = state.probe.as_deref().unwrap_or("no answer");
            let what = format!(
                "instance {name} of {version} was not healthy after {} s: {seen}",
                within / 1000
            );
            return Some(self.told(cause(CauseCode::NeverHealthy, what), name, state));
        }
        None
    }

    /// An instance that ended since it was healthy, or is not healthy now.
    pub(super) fn unsteady(&self, set: &Set, names: &[InstanceName]) -> Option<Cause> {
        names.iter().find_map(|name| {
            let state = self.state(name)?;
            let ended = state.ended.map(|ended| ended.to_string()).unwrap_or_default();
            (state.restarts > 0).then(|| {
                let version = &set.release.version;
                let what =
                    format!("instance {name} of {version} ended after it was healthy {ended}");
                self.told(cause(CauseCode::Exited, what.trim_end()), name, state)
            })
        })
    }

    /// With what shows it.
    fn told(&self, cause: Cause, name: &InstanceName, state: &InstanceState) -> Cause {
        let private = self.folder.private(&self.service, &name.set);
        let masker = evidence::masker(self.masker, &private);
        // The message itself may quote what a program was called with.
        let mut cause = Cause { message: masker.mask(cause.message.as_str()), ..cause };
        if let Some(ended) = state.ended {
            cause = cause.with_evidence(EvidenceKind::Exit, masker.mask(&ended.to_string()));
        }
        if let Some(probe) = &state.probe {
            cause = cause.with_evidence(EvidenceKind::Probe, masker.mask(probe));
        }
        let log = self.folder.log(&self.service, &name.to_string());
        evidence::with_log(cause, &log, &masker)
    }

    /// Who gets requests now.
    pub(super) fn live(&self) -> Vec<InstanceName> {
        let first = self.route.fronts.first();
        let names = first.into_iter().flat_map(|front| &front.backends);
        names.filter_map(|backend| backend.instance.parse().ok()).collect()
    }

    fn backend(&self, name: &InstanceName) -> Option<Backend> {
        let port = self.state(name)?.port;
        let release = self.wanted.sets.get(&name.set)?.release.version.to_string();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Some(Backend { address, instance: name.to_string(), release })
    }

    /// Requests go to `live`; whoever else lives gets nothing new, and those in `leaving` finish
    /// what they have. Done when the proxy has taken it.
    pub(super) fn point(&mut self, to: &Pointing<'_>) -> Result<Option<Move>, Halt> {
        let wanted = self.routed(to);
        let Some((fronts, draining)) = wanted else {
            return Ok(Some(Move::Wait("instances start".to_owned())));
        };
        if self.route.generation == 0 && to.live.is_empty() && to.test.is_empty() {
            return Ok(None);
        }
        if fronts != self.route.fronts || draining != self.route.draining {
            self.route.fronts = fronts;
            self.route.draining = draining;
            self.route.generation += 1;
            proxy::write(self.folder.path(), &self.route).map_err(io::Error::other)?;
            return Ok(Some(Move::Wait("the proxy takes the new route".to_owned())));
        }
        let Some(status) = &self.status else {
            return Ok(Some(Move::Wait("the proxy starts".to_owned())));
        };
        let taken = status.services.get(&self.service);
        let Some(taken) = taken.filter(|taken| taken.generation >= self.route.generation) else {
            return Ok(Some(Move::Wait("the proxy takes the new route".to_owned())));
        };
        if let Some(problem) = taken.problems.first() {
            return Err(Halt::failed(CauseCode::TargetRefused, format!("the proxy: {problem}")));
        }
        // From here on callers wait even while no proxy lives.
        if self.route.fronts.iter().any(|front| !self.state.held.contains(&front.listen)) {
            return Ok(Some(Move::Wait("the supervisor takes a copy of the listener".to_owned())));
        }
        Ok(None)
    }

    fn routed(&self, to: &Pointing<'_>) -> Option<(Vec<Front>, Vec<Draining>)> {
        let backends = |names: &[InstanceName]| -> Option<Vec<Backend>> {
            names.iter().map(|name| self.backend(name)).collect()
        };
        let mut fronts = vec![Front { listen: to.config.listen, backends: backends(to.live)? }];
        if let Some(listen) = to.config.test_listen
            && !to.test.is_empty()
        {
            fronts.push(Front { listen, backends: backends(to.test)? });
        }
        let is_live = |backend: &Backend| fronts.iter().any(|it| it.backends.contains(backend));
        let lives = |backend: &Backend| {
            backend.instance.parse().is_ok_and(|name| self.wanted.instances.contains(&name))
        };
        let mut draining: Vec<Draining> = self
            .route
            .draining
            .iter()
            .filter(|it| !is_live(&it.backend) && lives(&it.backend))
            .cloned()
            .collect();
        for backend in to.leaving.iter().filter_map(|name| self.backend(name)) {
            if !is_live(&backend) && draining.iter().all(|it| it.backend != backend) {
                let until_ms = self.now_ms.saturating_add(to.config.drain_ms);
                draining.push(Draining { backend, until_ms });
            }
        }
        Some((fronts, draining))
    }

    /// Waits until who is draining has nothing more to do, or no more time.
    pub(super) fn drained(&self) -> Option<Move> {
        let status = self.status.as_ref()?;
        self.route.draining.iter().find_map(|draining| {
            let backend = &draining.backend;
            let busy = status.backends.iter().find(|it| it.address == backend.address)?;
            let over = self.now_ms >= draining.until_ms;
            let closed = self.now_ms >= draining.until_ms.saturating_add(CLOSE_MS);
            let (requests, sockets) = (busy.in_flight, busy.upgraded);
            let waits = requests > 0 && !over || sockets > 0 && !closed;
            waits.then(|| {
                let name = &backend.instance;
                Move::Wait(format!("{} under way at instance {name}", requests + sockets))
            })
        })
    }

    /// Which release a set of instances is, for the next steps and for people.
    pub(super) fn effect(key: &str, set: &Set) -> Json {
        serde_json::json!({ "set": key, "release": &*set.release.digest })
    }
}

/// Who gets requests.
pub(super) struct Pointing<'a> {
    pub(super) config: &'a HostConfig,
    pub(super) live: &'a [InstanceName],
    pub(super) leaving: &'a [InstanceName],
    pub(super) test: &'a [InstanceName],
}

fn halt(refused: Refused, folder: &Folder, service: &str) -> Halt {
    match refused {
        Refused::Busy => Halt::Unreachable(cause(
            CauseCode::Unavailable,
            format!("another process changes {service} right now"),
        )),
        Refused::Stale { deployment, fence } => Halt::Superseded(cause(
            CauseCode::Superseded,
            format!(
                "{service} belongs to deployment {deployment} (owner {fence}) now; if the journal \
                 was begun anew, remove {}",
                folder.fence(service).display()
            ),
        )),
        Refused::System(error) => error.into(),
    }
}

/// The set that gets requests; of several that with the most instances.
pub(super) fn running(wanted: &Wanted, route: Option<&Route>) -> Option<Former> {
    let front = route?.fronts.first()?;
    let names = front.backends.iter().filter_map(|it| it.instance.parse::<InstanceName>().ok());
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name.set).or_default() += 1;
    }
    let (key, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let set = wanted.sets.get(&key)?.clone();
    Some(Former { key, set })
}

/// The release of a set lies unpacked and whole, where it is a bundle.
pub(super) fn unpacked(folder: &Folder, set: &Set) -> Result<(), Halt> {
    if set.location().is_some() {
        // An image is the engine's to keep.
        return Ok(());
    }
    let digest = &set.release.digest;
    let version = &set.release.version;
    let refused = |error: &dyn std::error::Error| {
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        let what = format!("release {version} cannot be unpacked: {error}{source}");
        Halt::failed(CauseCode::TargetRefused, what)
    };
    let Some(hex) = bundle::hex(digest) else {
        let what = format!("`{digest}` is no digest of a bundle");
        return Err(Halt::failed(CauseCode::TargetRefused, what));
    };
    let bundle = folder.bundles().join(format!("{hex}.tar"));
    let release = folder.releases().join(hex);
    if release.is_dir() {
        return bundle::verify(&bundle, digest, &release).map_err(|error| refused(&error));
    }
    bundle::unpack(&bundle, digest, &release).map(drop).map_err(|error| refused(&error))
}
