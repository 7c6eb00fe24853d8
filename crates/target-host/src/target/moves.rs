//! The steps: each is a way from what is to what shall be, found anew on every call. None remembers
//! anything, so none can be surprised by a crash.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use event::{Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentId, EvidenceKind};
use mask::Masker;
use ports::Order;
use serde_json::json;

use super::site::{Halt, Move, Pointing, Site, cause, unpacked};
use super::steps::{Former, StepBody, TaskBody};
use super::{HostTarget, evidence};
use crate::bundle;
use crate::config::{HostConfig, Strategy};
use crate::folder::{self, Folder};
use crate::images;
use crate::processes;
use crate::task::{self, Standing, Task, TaskEnd};
use crate::wanted::{InstanceName, Set, Wanted};

/// Sets of instances that are kept to go back to, the running one among them.
const SETS_KEPT: usize = 5;
/// What was unpacked later than this may belong to a deployment that is about to start it.
const RELEASE_AGE_MIN: Duration = Duration::from_secs(24 * 3600);
/// What a command printed is kept so long. Nothing runs for longer than a day.
const TASK_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Goes on only where there is nothing to wait for.
macro_rules! after {
    ($waiting:expr) => {
        if let Some(wait) = $waiting {
            return Ok(wait);
        }
    };
}

impl Site<'_> {
    pub(super) fn apply(&mut self, key: &str, body: &StepBody) -> Result<Move, Halt> {
        let names = body.to.instances(key);
        match body.to.config.strategy {
            Strategy::Rolling => self.roll(key, &body.to),
            Strategy::BlueGreen { .. } => {
                self.want(key, &body.to, &names)?;
                if names.iter().any(|name| self.state(name).is_none()) {
                    return Ok(Move::Wait("instances start".to_owned()));
                }
                Ok(Move::Done(Site::effect(key, &body.to)))
            }
        }
    }

    pub(super) fn apply_back(&mut self, key: &str, body: &StepBody) -> Result<Move, Halt> {
        let over = match &body.from {
            Some(Former { key, set }) => {
                unpacked(&self.folder, set)?;
                self.roll(key, set)?
            }
            None => {
                let over = self.only(&body.to.config, &[])?;
                if matches!(over, Move::Done(_)) {
                    self.remove()?;
                }
                over
            }
        };
        // What ran before can be the same set: a second attempt of the same deployment.
        let is_former = body.from.as_ref().is_some_and(|former| former.key == key);
        if matches!(over, Move::Done(_)) && !is_former {
            if body.from.is_some() {
                self.forget(key)?;
            }
            return Ok(Move::done());
        }
        Ok(over)
    }

    /// One instance after the other: a new one is started, gets requests once it is ready, and an
    /// old one drains and ends.
    fn roll(&mut self, key: &str, set: &Set) -> Result<Move, Halt> {
        let all = set.instances(key);
        let new: Vec<InstanceName> =
            all.iter().filter(|name| self.wanted.instances.contains(name)).cloned().collect();
        after!(self.ready(set, &new)?);
        let mut old: Vec<InstanceName> = self.live();
        old.retain(|name| !all.contains(name) && self.wanted.instances.contains(name));
        let stay = if new.len() == all.len() { 0 } else { old.len().min(all.len() - new.len()) };
        let staying = old.split_off(old.len() - stay);
        let live = [new.as_slice(), staying.as_slice()].concat();
        if new.len() == all.len() {
            let over = self.only(&set.config, &live)?;
            return Ok(match over {
                Move::Done(_) if all.is_empty() => Move::Vacuous(Site::effect(key, set)),
                Move::Done(_) => Move::Done(Site::effect(key, set)),
                over => over,
            });
        }
        if !new.is_empty() {
            after!(self.reduce(&set.config, &live)?);
        }
        let next: Vec<InstanceName> =
            all.into_iter().filter(|name| !new.contains(name)).take(1).collect();
        self.want(key, set, &next)?;
        Ok(Move::Wait(format!("{} of {} instances replaced", new.len(), set.config.instances)))
    }

    /// Requests go to these and nobody else lives, once everything under way elsewhere is over.
    fn only(&mut self, config: &HostConfig, live: &[InstanceName]) -> Result<Move, Halt> {
        after!(self.reduce(config, live)?);
        // Nobody drains any more, and the route says so.
        after!(self.point(&Pointing { config, live, leaving: &[], test: &[] })?);
        Ok(Move::done())
    }

    fn reduce(&mut self, config: &HostConfig, live: &[InstanceName]) -> Result<Option<Move>, Halt> {
        let leaving: Vec<InstanceName> =
            self.wanted.instances.iter().filter(|name| !live.contains(name)).cloned().collect();
        if let Some(wait) = self.point(&Pointing { config, live, leaving: &leaving, test: &[] })? {
            return Ok(Some(wait));
        }
        if let Some(wait) = self.drained() {
            return Ok(Some(wait));
        }
        self.want_only(live)
    }

    pub(super) fn stabilise(&mut self, key: &str, body: &StepBody) -> Result<Move, Halt> {
        let names = body.to.instances(key);
        if names.is_empty() {
            return Ok(Move::Vacuous(Site::effect(key, &body.to)));
        }
        after!(self.ready(&body.to, &names)?);
        if let Some(cause) = self.unsteady(&body.to, &names) {
            return Err(Halt::Failed(cause));
        }
        let is_beside = matches!(body.to.config.strategy, Strategy::BlueGreen { .. });
        if is_beside && body.to.config.test_listen.is_some() {
            // Where what is not switched to yet can be asked already.
            let config = HostConfig { listen: self.listen(body), ..body.to.config.clone() };
            let live = self.live();
            let to = Pointing { config: &config, live: &live, leaving: &[], test: &names };
            after!(self.point(&to)?);
        }
        Ok(Move::Done(json!({ "healthy": names.len() })))
    }

    /// Where requests arrive until the switch.
    fn listen(&self, body: &StepBody) -> std::net::SocketAddr {
        let now = self.route.fronts.first().map(|front| front.listen);
        now.unwrap_or(body.to.config.listen)
    }

    pub(super) fn switch(&mut self, key: &str, body: &StepBody) -> Result<Move, Halt> {
        let live = body.to.instances(key);
        after!(self.ready(&body.to, &live)?);
        let config = &body.to.config;
        after!(self.point(&Pointing { config, live: &live, leaving: &[], test: &[] })?);
        Ok(Move::Done(Site::effect(key, &body.to)))
    }

    pub(super) fn switch_back(&mut self, body: &StepBody) -> Result<Move, Halt> {
        let Some(Former { key, set }) = &body.from else {
            let config = &body.to.config;
            after!(self.point(&Pointing { config, live: &[], leaving: &[], test: &[] })?);
            return Ok(Move::done());
        };
        unpacked(&self.folder, set)?;
        let live = set.instances(key);
        self.want(key, set, &live)?;
        after!(self.ready(set, &live)?);
        let config = &set.config;
        after!(self.point(&Pointing { config, live: &live, leaving: &[], test: &[] })?);
        Ok(Move::Done(Site::effect(key, set)))
    }

    pub(super) fn bake(&mut self, key: &str, body: &StepBody, until_ms: u64) -> Result<Move, Halt> {
        let names = body.to.instances(key);
        if let Some(cause) = self.unsteady(&body.to, &names) {
            return Err(Halt::Failed(cause));
        }
        let waiting = self.ready(&body.to, &names)?;
        let left = until_ms.saturating_sub(self.now_ms);
        if left > 0 {
            return Ok(Move::Wait(format!("{} s left", left.div_ceil(1000))));
        }
        after!(waiting);
        Ok(Move::done())
    }

    pub(super) fn retire(&mut self, key: &str, body: &StepBody) -> Result<Move, Halt> {
        let live = body.to.instances(key);
        let over = self.only(&body.to.config, &live)?;
        if matches!(over, Move::Done(_)) {
            self.prune(key)?;
        }
        Ok(over)
    }

    /// Removes what nobody goes back to.
    fn prune(&mut self, key: &str) -> Result<(), Halt> {
        let mut keys: Vec<String> =
            self.wanted.sets.keys().filter(|it| *it != key).cloned().collect();
        // Deployments are counted: the longer number is the later one.
        keys.sort_by_key(|key| (key.len(), key.clone()));
        let surplus = (keys.len() + 1).saturating_sub(SETS_KEPT);
        for key in &keys[..surplus] {
            self.forget(key)?;
            let logs = self.folder.log(&self.service, "x");
            let prefix = format!("{key}.");
            for entry in
                logs.parent().and_then(|it| fs::read_dir(it).ok()).into_iter().flatten().flatten()
            {
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        self.forget_strangers(key)?;
        let mut used: BTreeSet<String> = BTreeSet::new();
        for entry in fs::read_dir(self.folder.wanted())?.flatten() {
            // One that cannot be read names nothing that could be spared: then nothing goes.
            let wanted: Wanted = folder::read(&entry.path())?.unwrap_or_default();
            used.extend(wanted.sets.values().map(|set| set.release.digest.to_string()));
        }
        for entry in fs::read_dir(self.folder.releases())?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !used.contains(&format!("sha256:{name}")) && is_old(&entry) {
                bundle::remove(&entry.path())?;
                fs::remove_file(self.folder.bundles().join(format!("{name}.tar")))?;
            }
        }
        images::prune(&self.folder, |digest| used.contains(digest), RELEASE_AGE_MIN)?;
        Ok(())
    }
}

impl Site<'_> {
    /// Private values that were put aside for no set of instances: for a command, or a deployment
    /// that came no further. And what commands left that were run long ago.
    fn forget_strangers(&mut self, key: &str) -> Result<(), Halt> {
        let private = self.folder.private(&self.service, key);
        let strangers = private.parent().and_then(|it| fs::read_dir(it).ok());
        for entry in strangers.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let set = name.strip_prefix(&format!("{}.", self.service));
            let set = set.and_then(|it| it.strip_suffix(".json"));
            // A set's name is a deployment's number: other names are of other services.
            let set = set.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
            if set.is_some_and(|set| set != key && !self.wanted.sets.contains_key(set)) {
                fs::remove_file(entry.path())?;
            }
        }
        for entry in fs::read_dir(self.folder.tasks()).into_iter().flatten().flatten() {
            if is_older(&entry, TASK_AGE_MAX) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    is_older(entry, RELEASE_AGE_MIN)
}

fn is_older(entry: &fs::DirEntry, than: Duration) -> bool {
    let changed = entry.metadata().and_then(|it| it.modified()).unwrap_or(SystemTime::now());
    changed.elapsed().is_ok_and(|age| age > than)
}

/// Where a command of a deployment keeps how far it is, and what it prints.
pub(super) fn task_folder(folder: &Folder, of: DeploymentId, step: &DeployStepKey) -> PathBuf {
    folder.tasks().join(format!("{of}-{}", step.as_str().replace('/', "-")))
}

impl HostTarget {
    /// A command that is run once for this deployment, with the new release.
    pub(super) fn run_once(&mut self, order: &Order<'_>) -> Result<Move, Halt> {
        let body: TaskBody = serde_json::from_value(order.step.body.clone())
            .map_err(|error| Halt::fault(format!("the step's body: {error}")))?;
        let config = HostConfig::of(order.service)
            .map_err(|what| Halt::failed(CauseCode::TargetRefused, what))?;
        let set = Set { release: order.service.release.clone(), config };
        // Held for this call: two owners must not begin it both.
        let site = Site::open(self, order)?;
        let key = order.deployment.to_string();
        drop(site);
        if let Some(waits) = self.prepare(order, &key, &set)? {
            return Ok(waits);
        }
        let folder = task_folder(&self.folder, order.deployment, &order.step.key);
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let private = self.folder.private(&order.service.service, &key);
        let log = task::log(&folder);
        let masker = evidence::masker(&self.masker, &private);
        let code = match order.step.kind {
            DeployStepKind::Task => CauseCode::Exited,
            _ => CauseCode::MigrationFailed,
        };
        let failed = |what: String| {
            let cause = cause(code, what);
            evidence::with_log(cause, &log, &masker)
        };
        match task::standing(&folder)? {
            Standing::Runs => Ok(Move::Wait("the command runs".to_owned())),
            Standing::Fresh => {
                let mark = processes::mark(self.folder.path(), &format!("task {name}"));
                let hex = bundle::hex(&set.release.digest).unwrap_or_default();
                let wanted = Task {
                    folder: self.folder.path().to_owned(),
                    name,
                    run: body.run,
                    release: self.folder.releases().join(hex),
                    private,
                    mark,
                    service: order.service.service.to_string(),
                    until_ms: order.until.0,
                    set,
                };
                task::prepare(&folder, &wanted)?;
                let words: [&OsStr; 3] = ["supervise".as_ref(), "--task".as_ref(), folder.as_ref()];
                self.start_once(&words, &folder.join("runner.log"))?;
                Ok(Move::Wait("the command starts".to_owned()))
            }
            Standing::Unknown => Err(Halt::Failed(failed(
                "nobody knows how the command ended: who waited for it was killed; it is not run \
                 again by itself"
                    .to_owned(),
            ))),
            Standing::Over(end) => over(end, &masker, &failed),
        }
    }
}

/// What a command's end means.
fn over(end: TaskEnd, masker: &Masker, failed: &dyn Fn(String) -> Cause) -> Result<Move, Halt> {
    match (end.ended, end.problem) {
        (Some(ended), _) if ended.code == Some(0) && !end.timed_out => {
            Ok(Move::Done(json!({ "exit_code": 0 })))
        }
        (Some(ended), _) => {
            let late = if end.timed_out { "was ended when its time was over" } else { "ended" };
            let cause = failed(format!("the command {late} with {ended}"));
            let text = masker.mask(&ended.to_string());
            Err(Halt::Failed(cause.with_evidence(EvidenceKind::Exit, text)))
        }
        (None, problem) => {
            let problem = problem.unwrap_or_default();
            let what = format!("the command could not be started: {problem}");
            Err(Halt::Failed(failed(masker.mask(&what).as_str().to_owned())))
        }
    }
}
