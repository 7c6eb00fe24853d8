//! A target with memory: what runs there, what was ever done to it, and what goes wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use driver::Doors;
use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentRequest, FieldChange, GoingBack,
    PlannedStep, ServiceRequest, Timestamp, Undo, Way,
};
use mask::MaskedText;
use ports::{Observation, Order, Performer, Progress, Proposal, StepRan, Target};
use serde_json::json;

use super::play::Point;
use super::script::{Reread, SERVICES, Script, Trouble, known, step, undone};

/// Calls that a deed takes.
const CALLS: u32 = 2;
/// Between them.
const AGAIN: Duration = Duration::from_secs(5);

/// What stands at a service's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What runs: a version.
    pub running: Option<String>,
    /// Where requests go.
    pub traffic: Option<String>,
    /// What was put there, to run or to be gone back to.
    pub staged: Vec<String>,
}

/// A deed that was begun. Told apart by when it was intended: the same deed intended twice is two.
type Token = (DeployStepKey, Way, Timestamp);

#[derive(Clone, Debug)]
struct Deed {
    calls: u32,
    /// What stood there before it.
    before: Standing,
}

/// The whole world outside the process.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) script: Script,
    pub(crate) services: BTreeMap<String, Standing>,
    /// How often each deed was done.
    pub(crate) deeds: BTreeMap<(DeployStepKey, Way), u32>,
    begun: BTreeMap<Token, Deed>,
    unanswered: BTreeMap<(DeployStepKey, Way), u32>,
    unseen: u32,
    unread: u32,
    /// Calls of any door so far.
    pub(crate) calls: u64,
    /// The process dies at this call.
    pub(crate) kill: Option<(u64, Point)>,
    pub(crate) dead: Arc<AtomicBool>,
}

impl World {
    pub(crate) fn new(script: &Script, dead: Arc<AtomicBool>) -> World {
        let version = (!script.first).then(|| "1.0".to_owned());
        let standing = Standing {
            running: version.clone(),
            traffic: version.clone(),
            staged: version.into_iter().collect(),
        };
        let services = SERVICES.map(|name| (name.to_owned(), standing.clone())).into();
        World {
            script: script.clone(),
            services,
            deeds: BTreeMap::new(),
            begun: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            unseen: 0,
            unread: 0,
            calls: 0,
            kill: None,
            dead,
        }
    }

    fn trouble(&self, key: &DeployStepKey, way: Way) -> Option<Trouble> {
        let mut troubles = self.script.troubles.iter();
        troubles.find(|(it, on, _)| it == key && *on == way).map(|(.., trouble)| *trouble)
    }

    /// Does the deed to the world: at its first call.
    fn begin(&mut self, order: &Order<'_>) {
        let token = (order.step.key.clone(), order.way, order.since);
        if self.begun.contains_key(&token) {
            return;
        }
        let service = order.service.service.to_string();
        let before = self.services[&service].clone();
        self.begun.insert(token, Deed { calls: 0, before });
        *self.deeds.entry((order.step.key.clone(), order.way)).or_default() += 1;
        let wanted = order.service.release.version.to_string();
        // What a step does when it is undone: what stood before its forward deed stands again.
        let was = self.begun.iter().find(|((key, way, _), _)| {
            *key == order.step.key && *way == Way::Forward && order.way == Way::Back
        });
        let was = was.map(|(_, deed)| deed.before.clone());
        let standing = self.services.get_mut(&service).expect("a service of the story");
        match (order.step.kind, order.way, was) {
            (DeployStepKind::Prepare, Way::Forward, _) => standing.staged.push(wanted),
            (DeployStepKind::Prepare, Way::Back, Some(was)) => standing.staged = was.staged,
            (DeployStepKind::Apply, Way::Forward, _) => standing.running = Some(wanted),
            (DeployStepKind::Apply, Way::Back, Some(was)) => standing.running = was.running,
            (DeployStepKind::Switch, Way::Forward, _) => standing.traffic = Some(wanted),
            (DeployStepKind::Switch, Way::Back, Some(was)) => standing.traffic = was.traffic,
            (DeployStepKind::Retire, Way::Forward, _) => {
                standing.staged.retain(|version| *version == wanted);
            }
            _ => {}
        }
    }

    /// The rules, once they could not be read so often.
    fn read_rules(&mut self, times: u32) -> Result<Arc<str>, Cause> {
        self.unread += 1;
        if self.unread <= times {
            return Err(cause(CauseCode::Unavailable, "the remote does not answer"));
        }
        Ok("c0ffee".into())
    }

    fn advance(&mut self, order: &Order<'_>) -> Progress {
        let key = order.step.key.clone();
        let trouble = self.trouble(&key, order.way);
        if let Some(Trouble::Unreachable(times)) = trouble {
            let so_far = self.unanswered.entry((key.clone(), order.way)).or_default();
            *so_far += 1;
            if *so_far <= times {
                let cause = cause(CauseCode::Unavailable, "no answer");
                return Progress::Unreachable { cause, again_in: AGAIN };
            }
        }
        if trouble == Some(Trouble::Fails) {
            return Progress::Failed(cause(CauseCode::TargetRefused, "it says no"));
        }
        self.begin(order);
        let deed = self.begun.get_mut(&(key, order.way, order.since)).expect("begun just now");
        deed.calls += 1;
        let is_first = deed.calls < CALLS;
        let before = deed.before.clone();
        match trouble {
            Some(Trouble::Hangs) => underway("nothing moves"),
            _ if is_first => underway("1 of 2"),
            Some(Trouble::FailsDone) => Progress::Failed(cause(CauseCode::Exited, "it fell over")),
            Some(Trouble::Superseded) => {
                // The other one's version runs there.
                let service = order.service.service.to_string();
                let standing = self.services.get_mut(&service).expect("a service");
                standing.running = Some("9.9".to_owned());
                Progress::Superseded(cause(CauseCode::Superseded, "9.9 took its place"))
            }
            Some(Trouble::WentBack) => {
                if order.way == Way::Forward {
                    let service = order.service.service.to_string();
                    self.services.insert(service, before);
                }
                Progress::WentBack(cause(CauseCode::PlatformRolledBack, "the breaker opened"))
            }
            Some(Trouble::Vacuous) => Progress::Vacuous { effect: json!({ "ran": 0 }) },
            _ => Progress::Done { effect: json!({ "done": order.step.key.as_str() }) },
        }
    }

    /// Somebody else changes a service.
    pub(crate) fn drift(&mut self, service: &str) {
        let standing = self.services.get_mut(service).expect("a service of the story");
        standing.running = Some("drifted".to_owned());
    }
}

fn underway(seen: &str) -> Progress {
    Progress::Underway { seen: MaskedText::without_secrets(seen), again_in: AGAIN }
}

fn cause(code: CauseCode, message: &str) -> Cause {
    Cause::new(code, MaskedText::without_secrets(message))
}

/// The doors to it.
#[derive(Clone, Debug)]
pub(crate) struct FakeDoors(pub(crate) Rc<RefCell<World>>);

impl FakeDoors {
    /// A call, before or after which the process may die. What a dead process would have got, nobody
    /// gets.
    fn call<T>(&self, lost: T, call: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.0.borrow_mut();
        if world.dead.load(Ordering::Relaxed) {
            return lost;
        }
        world.calls += 1;
        let kill = world.kill.filter(|(at, _)| *at == world.calls).map(|(_, point)| point);
        if kill == Some(Point::Before) {
            world.dead.store(true, Ordering::Relaxed);
            return lost;
        }
        let answer = call(&mut world);
        if kill == Some(Point::After) {
            world.dead.store(true, Ordering::Relaxed);
            return lost;
        }
        answer
    }
}

impl Doors for FakeDoors {
    fn target(&mut self, _: &ServiceRequest) -> Result<&mut dyn Target, Cause> {
        Ok(self)
    }

    fn rules(&mut self, _: &DeploymentRequest) -> Result<Arc<str>, Cause> {
        let lost = Err(cause(CauseCode::Unavailable, "lost"));
        self.call(lost, |world| match world.script.rules {
            Reread::Same => Ok("c0ffee".into()),
            Reread::Other => Err(cause(CauseCode::GateShut, "the rules are others by now")),
            Reread::Late => world.read_rules(3),
            Reread::Unread(times) => world.read_rules(times),
        })
    }

    fn performer(
        &mut self,
        _: &ServiceRequest,
        _: &PlannedStep,
    ) -> Result<&mut dyn Performer, Cause> {
        Ok(self)
    }
}

impl Performer for FakeDoors {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        assert!(order.since <= order.now, "a step is intended before it is done");
        self.call(underway("lost"), |world| world.advance(order))
    }
}

impl Target for FakeDoors {
    fn report(&mut self, _: &ServiceRequest) -> Result<Vec<MaskedText>, Cause> {
        Ok(Vec::new())
    }

    fn printed(&mut self, _: &StepRan<'_>) -> Result<Vec<MaskedText>, Cause> {
        Ok(Vec::new())
    }

    fn observe(&mut self, wanted: &ServiceRequest) -> Result<Observation, Cause> {
        let lost = Err(cause(CauseCode::Unavailable, "lost"));
        self.call(lost, |world| {
            world.unseen += 1;
            if world.unseen <= world.script.unseen {
                return Err(cause(CauseCode::Unavailable, "cannot be looked at"));
            }
            let standing = &world.services[&*wanted.service];
            let seen = json!({ "running": standing.running, "traffic": standing.traffic });
            Ok(Observation { seen, running: standing.running.as_deref().map(known) })
        })
    }

    fn propose(&self, wanted: &ServiceRequest, seen: &Observation) -> Result<Proposal, Cause> {
        use DeployStepKind::{Apply, Prepare, Retire, Stabilise, Switch};
        let never = || Undo::Never { why: MaskedText::without_secrets("it is gone") };
        let impossible = wanted.config["no_way_back"] == json!(true);
        let applied = if impossible { never() } else { undone() };
        let name = &*wanted.service;
        let steps = vec![
            step(name, "prepare", Prepare, undone()),
            step(name, "apply", Apply, applied),
            step(name, "stabilise", Stabilise, Undo::Nothing),
            step(name, "switch", Switch, undone()),
            step(name, "retire", Retire, never()),
        ];
        let before = seen.running.as_ref().map(|it| it.release.version.to_string());
        let differs = before.as_deref() != Some(&*wanted.release.version);
        let change = FieldChange {
            field: "version".into(),
            before: before.map(MaskedText::without_secrets),
            after: Some(MaskedText::without_secrets(&*wanted.release.version)),
        };
        let going_back = match &seen.running {
            _ if impossible => GoingBack::Impossible {
                reasons: vec![MaskedText::without_secrets("its image is gone")],
            },
            Some(running) => GoingBack::Possible { to: Box::new(running.clone()) },
            None => GoingBack::FirstDeployment,
        };
        Ok(Proposal {
            changes: differs.then_some(change).into_iter().collect(),
            steps,
            going_back,
            notes: Vec::new(),
        })
    }
}
