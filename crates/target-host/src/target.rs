//! The door: what stands here, what would be done, and the doing of it.

mod evidence;
mod moves;
mod site;
mod steps;
mod view;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use event::{Cause, CauseCode, DeployStepKind, KnownRelease, ServiceRequest, Way};
use mask::{MaskedText, Masker, Secret};
use ports::{Observation, Order, Performer, Progress, Proposal, StepRan, Target};

use crate::bundle;
use crate::config::HostConfig;
use crate::containers::Image;
use crate::folder::{self, Folder};
use crate::images::{self, Brought, NoRegistries, Registries};
use crate::printed::{Logs, LogsError};
use crate::processes;
use crate::task;
use crate::wanted::{Set, Wanted};
use site::{Halt, Move, Site};
use steps::{Former, Seen, StepBody};

pub use steps::TaskBody;
pub use view::{InstanceView, ServiceView, view};

/// Finds the values of a service's private variables ([`HostConfig::private`]), when they are
/// needed. They go into a file that only its owner may read, and to the processes.
pub type PrivateValues =
    Box<dyn FnMut(&ServiceRequest) -> Result<BTreeMap<String, Secret>, Cause> + Send>;

/// When it is worth calling again: files are looked at, which costs nothing.
const AGAIN: Duration = Duration::from_millis(50);
/// When the disk or a process did not do as it should.
const AGAIN_LATER: Duration = Duration::from_secs(1);
/// A program that was started is not started again before this: it needs a moment to take its lock.
const START_TIME_MAX: Duration = Duration::from_secs(2);

/// This machine as a target.
pub struct HostTarget {
    folder: Folder,
    program: Vec<OsString>,
    masker: Masker,
    private: PrivateValues,
    registries: Box<dyn Registries>,
    started: BTreeMap<OsString, Instant>,
}

impl HostTarget {
    /// The target in a folder. `program` starts the helpers: it gets the words `supervise` or
    /// `proxy` with what they need.
    pub fn new(
        folder: Folder,
        program: Vec<OsString>,
        masker: Masker,
        private: PrivateValues,
    ) -> HostTarget {
        let (registries, started) = (Box::new(NoRegistries), BTreeMap::new());
        HostTarget { folder, program, masker, private, registries, started }
    }

    /// The same, with somebody who knows the registries that images come from.
    #[must_use]
    pub fn with_registries(mut self, registries: Box<dyn Registries>) -> HostTarget {
        self.registries = registries;
        self
    }

    /// Starts a supervisor where none lives: whoever looks after services does this first.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn ensure_supervisor(&mut self) -> io::Result<bool> {
        self.folder.make()?;
        if folder::is_locked(&self.folder.supervisor_lock()) {
            return Ok(true);
        }
        let path = self.folder.path().as_os_str().to_owned();
        let log = self.folder.path().join("logs/supervisor.log");
        self.start_once(&["supervise".as_ref(), "--folder".as_ref(), &path], &log)?;
        Ok(false)
    }

    /// What instances of these services print; of one where it is named (`7.0`) or numbered (`0`).
    ///
    /// # Errors
    /// When nothing of it ever ran here, or may be shown.
    pub fn logs(&self, services: &[String], instance: Option<&str>) -> Result<Logs, LogsError> {
        Logs::open(self.folder.clone(), self.masker.clone(), services, instance)
    }

    /// Starts one of our programs, unless that was done a moment ago.
    fn start_once(&mut self, words: &[&OsStr], log: &std::path::Path) -> io::Result<()> {
        let what = words.join(OsStr::new(" "));
        if self.started.get(&what).is_some_and(|at| at.elapsed() < START_TIME_MAX) {
            return Ok(());
        }
        processes::start_detached(&self.program, words, log)?;
        self.started.insert(what, Instant::now());
        Ok(())
    }

    fn try_advance(&mut self, order: &Order<'_>) -> Result<Move, Halt> {
        if matches!(order.step.kind, DeployStepKind::Migrate | DeployStepKind::Task) {
            return match order.way {
                Way::Forward => self.run_once(order),
                Way::Back => Ok(Move::done()),
            };
        }
        let body: StepBody = serde_json::from_value(order.step.body.clone())
            .map_err(|error| Halt::fault(format!("the step's body: {error}")))?;
        let key = order.deployment.to_string();
        let site = Site::open(self, order)?;
        if order.step.kind == DeployStepKind::Prepare && order.way == Way::Forward {
            drop(site);
            let waits = self.prepare(order, &key, &body.to)?;
            return Ok(waits.unwrap_or_else(Move::done));
        }
        let undoes = matches!(order.step.kind, DeployStepKind::Apply | DeployStepKind::Switch)
            && order.way == Way::Back;
        let mut site =
            match body.from.as_ref().filter(|from| undoes && from.set.location().is_some()) {
                None => site,
                Some(from) => {
                    drop(site);
                    if let Some(waits) = self.bring(order, &from.set)? {
                        return Ok(waits);
                    }
                    Site::open(self, order)?
                }
            };
        match (order.step.kind, order.way) {
            (DeployStepKind::Apply, Way::Forward) => site.apply(&key, &body),
            (DeployStepKind::Apply, Way::Back) => site.apply_back(&key, &body),
            (DeployStepKind::Stabilise, Way::Forward) => site.stabilise(&key, &body),
            (DeployStepKind::Switch, Way::Forward) => site.switch(&key, &body),
            (DeployStepKind::Switch, Way::Back) => site.switch_back(&body),
            (DeployStepKind::Bake, Way::Forward) => {
                site.bake(&key, &body, order.since.0.saturating_add(body.bake_ms))
            }
            (DeployStepKind::Retire, Way::Forward) => site.retire(&key, &body),
            (
                DeployStepKind::Prepare
                | DeployStepKind::Stabilise
                | DeployStepKind::Bake
                | DeployStepKind::Retire,
                Way::Back,
            ) => Ok(Move::done()),
            (kind, _) => {
                Err(Halt::fault(format!("a step `{}` is not for this target", kind.as_str())))
            }
        }
    }

    /// Private variables that what runs has too, with another value.
    fn changed_values(
        &mut self,
        wanted: &ServiceRequest,
        config: &HostConfig,
        running: Option<&Former>,
    ) -> Result<Vec<String>, Cause> {
        if config.private.is_empty() {
            return Ok(Vec::new());
        }
        let values = (self.private)(wanted)?;
        let given = running.map(|it| self.folder.private(&wanted.service, &it.key));
        // What cannot be read was kept by an older version, or was taken away: all are given anew.
        let given = given.and_then(|path| processes::private_values(&path).ok());
        let given = given.unwrap_or_default();
        let had = running.map_or(&[][..], |it| &it.set.config.private);
        let mut changed = Vec::new();
        for name in &config.private {
            let Some(value) = values.get(name) else {
                let what = format!("the variable {name} of {} has no value", wanted.service);
                return Err(Cause::new(CauseCode::Unavailable, MaskedText::without_secrets(what)));
            };
            if had.contains(name) && given.get(name).map(String::as_str) != Some(value.expose()) {
                changed.push(name.clone());
            }
        }
        Ok(changed)
    }

    /// Brings the image of a set, where it is one and not here.
    fn bring(&mut self, order: &Order<'_>, set: &Set) -> Result<Option<Move>, Halt> {
        let image = Image::of(set).map_err(|what| Halt::failed(CauseCode::TargetRefused, what))?;
        let Some(image) = image else { return Ok(None) };
        let registries = &mut self.registries;
        let sign_in = || registries.sign_in(order.service, &image.location);
        match images::bring(&self.folder, &image, order.deployment, sign_in)? {
            Brought::Here => Ok(None),
            Brought::Underway(seen) => Ok(Some(Move::Wait(seen))),
            Brought::Failed(cause) => Err(Halt::Failed(cause)),
            Brought::Unreachable(cause) => Err(Halt::Unreachable(cause)),
        }
    }

    /// Unpacks or brings a release, and puts its private variables beside it.
    fn prepare(&mut self, order: &Order<'_>, key: &str, set: &Set) -> Result<Option<Move>, Halt> {
        let request = order.service;
        site::unpacked(&self.folder, set)?;
        if let Some(waits) = self.bring(order, set)? {
            return Ok(Some(waits));
        }
        let path = self.folder.private(&request.service, key);
        if set.config.private.is_empty() || path.exists() {
            return Ok(None);
        }
        let values = (self.private)(request).map_err(Halt::Failed)?;
        let mut kept: BTreeMap<&str, &str> = BTreeMap::new();
        for name in &set.config.private {
            let Some(value) = values.get(name) else {
                let what = format!("the variable {name} of {} has no value", request.service);
                return Err(Halt::failed(CauseCode::Unavailable, what));
            };
            kept.insert(name, value.expose());
        }
        folder::replace(&path, &kept)?;
        Ok(None)
    }

    /// What stands against starting a set; none where nothing does.
    fn problem(&mut self, wanted: &ServiceRequest, set: &Set) -> Result<Option<String>, Cause> {
        let image = match Image::of(set) {
            Ok(Some(image)) => image,
            Ok(None) => {
                let whole = bundle_problem(&self.folder, &set.release.digest);
                return Ok(whole.or_else(|| processes::user_problem(&set.config, &self.folder)));
            }
            Err(problem) => {
                let problem = MaskedText::without_secrets(problem);
                return Err(Cause::new(CauseCode::Unavailable, problem));
            }
        };
        if bundle::hex(&image.digest).is_none() {
            return Ok(Some(format!("`{}` is no digest of an image", image.digest)));
        }
        let here = image.engine.look().and_then(|()| image.engine.has_image(&image.reference()));
        if here.map_err(|error| images::cause(&error))?
            || self.registries.has(wanted, &image.location, &image.digest)?
        {
            return Ok(None);
        }
        Ok(Some(format!("{} is neither here nor in its registry", image.reference())))
    }
}

impl Performer for HostTarget {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        match self.try_advance(order) {
            Ok(Move::Wait(seen)) => {
                Progress::Underway { seen: self.masker.mask(&seen), again_in: AGAIN }
            }
            Ok(Move::Done(effect)) => Progress::Done { effect },
            Ok(Move::Vacuous(effect)) => Progress::Vacuous { effect },
            Err(Halt::Failed(cause)) => Progress::Failed(cause),
            Err(Halt::Superseded(cause)) => Progress::Superseded(cause),
            Err(Halt::Unreachable(cause)) => Progress::Unreachable { cause, again_in: AGAIN_LATER },
        }
    }
}

impl Target for HostTarget {
    fn observe(&mut self, wanted: &ServiceRequest) -> Result<Observation, Cause> {
        let config = HostConfig::of(wanted).map_err(|what| refused(&what))?;
        let failed = |error: io::Error, folder: &Folder| {
            let what = format!("the folder {} cannot be used: {error}", folder.path().display());
            Cause::new(CauseCode::Unavailable, MaskedText::without_secrets(what))
        };
        let stands = || -> io::Result<(Option<Former>, Option<io::Error>)> {
            self.folder.make()?;
            let stands: Wanted =
                folder::read(&self.folder.wanted_of(&wanted.service))?.unwrap_or_default();
            let route =
                proxy::read(self.folder.path(), &wanted.service).map_err(io::Error::other)?;
            let running = site::running(&stands, route.as_ref());
            let listens = route.iter().flat_map(|route| &route.fronts).map(|front| front.listen);
            let is_ours = listens.into_iter().any(|listen| listen == config.listen);
            let taken = (!is_ours).then(|| TcpListener::bind(config.listen).err()).flatten();
            Ok((running, taken))
        };
        let (running, taken) = stands().map_err(|error| failed(error, &self.folder))?;
        let set = Set { release: wanted.release.clone(), config: config.clone() };
        let release_problem = self.problem(wanted, &set)?;
        // What cannot be said of the way back is no reason to refuse the way forward: it is told.
        let way_back = running.as_ref().and_then(|former| {
            self.problem(wanted, &former.set)
                .unwrap_or_else(|cause| Some(cause.message.to_string()))
        });
        let (private, private_problem) =
            match self.changed_values(wanted, &config, running.as_ref()) {
                Ok(changed) => (changed, None),
                Err(cause) => (Vec::new(), Some(cause)),
            };
        let known = running.as_ref().map(|former| KnownRelease {
            release: former.set.release.clone(),
            handle: serde_json::json!({ "set": former.key }),
            adopted: false,
        });
        let seen = Seen {
            running,
            listen_problem: taken.map(|error| error.to_string()),
            bundle_problem: release_problem,
            way_back,
            private,
            private_problem,
        };
        let seen = serde_json::to_value(seen).expect("what was seen has text keys only");
        Ok(Observation { seen, running: known })
    }

    fn report(&mut self, wanted: &ServiceRequest) -> Result<Vec<MaskedText>, Cause> {
        let view = view::view(&self.folder, &wanted.service).map_err(|error| {
            let what = format!("how {} stands cannot be read: {error}", wanted.service);
            Cause::new(CauseCode::Unavailable, MaskedText::without_secrets(what))
        })?;
        let lines = view.map_or(Vec::new(), |view| view.lines());
        Ok(lines.iter().map(|line| self.masker.mask(line)).collect())
    }

    fn printed(&mut self, ran: &StepRan<'_>) -> Result<Vec<MaskedText>, Cause> {
        let task = moves::task_folder(&self.folder, ran.deployment, ran.step);
        let private = self.folder.private(&ran.service.service, &ran.deployment.to_string());
        let masker = evidence::masker(&self.masker, &private);
        Ok(evidence::printed(&task::log(&task), &masker))
    }

    fn propose(&self, wanted: &ServiceRequest, seen: &Observation) -> Result<Proposal, Cause> {
        let config = HostConfig::of(wanted).map_err(|what| refused(&what))?;
        let facts: Seen = serde_json::from_value(seen.seen.clone())
            .map_err(|error| refused(&format!("what was seen here cannot be read: {error}")))?;
        let set = Set { release: wanted.release.clone(), config };
        let barred = HostConfig::barred(wanted);
        steps::propose(&wanted.service, &set, facts, seen.running.as_ref(), barred)
    }
}

fn refused(what: &str) -> Cause {
    Cause::new(CauseCode::TargetRefused, MaskedText::without_secrets(what))
}

/// What stands against starting a release; none where its bundle is here and whole.
fn bundle_problem(folder: &Folder, digest: &str) -> Option<String> {
    let Some(hex) = bundle::hex(digest) else {
        return Some(format!("`{digest}` is no digest of a bundle"));
    };
    let path = folder.bundles().join(format!("{hex}.tar"));
    if !path.exists() {
        return Some(format!("the bundle {digest} is not in {}", folder.bundles().display()));
    }
    bundle::check_digest(&path, digest).err().map(|error| error.to_string())
}
