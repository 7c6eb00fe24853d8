//! One story from the request to the verdict, through any number of deaths.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deployment::{Input, State};
use driver::{Deployment, DeploymentError, Standing as Due};
use event::{
    CauseCode, DeployStepKey, DeploymentEvent, DeploymentId, Envelope, GateKey, Seq, StreamId,
    Timestamp, Undo, Verdict, Way,
};
use mask::MaskedText;
use ports::{Fault, Journal, JournalError, MemoryJournal};

use super::script::{BEGIN, Gates, Reread, Script, person};
use super::target::{FakeDoors, Standing, World};
use super::watcher::Watcher;

/// Rounds of one story: the longest has some hundred, of steps that hang.
const ROUNDS_MAX: usize = 5_000;
const DEPLOYMENT: DeploymentId = DeploymentId(7);

/// On which side of a call or an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// It does not happen.
    Before,
    /// It happens, and the process does not hear of it.
    After,
}

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// At the nth append, counted from 1.
    Append(u64, Point),
    /// At the nth call at a door.
    Call(u64, Point),
}

/// How a story ended: what must not depend on deaths.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The verdict.
    pub verdict: Verdict,
    /// The cause's code.
    pub cause: Option<CauseCode>,
    /// What stands there.
    pub services: BTreeMap<String, Standing>,
    /// How often each deed was done.
    pub deeds: BTreeMap<(DeployStepKey, Way), u32>,
}

/// A story that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// How it ended.
    pub end: End,
    /// Appends of it.
    pub appends: u64,
    /// Calls of it.
    pub calls: u64,
    /// Kinds of events that came.
    pub kinds: BTreeSet<&'static str>,
    /// Its events.
    pub log: Vec<String>,
}

/// A journal that a dead process cannot write to.
#[derive(Clone, Debug)]
struct Mortal {
    journal: Arc<MemoryJournal<DeploymentEvent>>,
    dead: Arc<AtomicBool>,
}

impl Journal<DeploymentEvent> for Mortal {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[DeploymentEvent],
    ) -> Result<Seq, JournalError> {
        if self.dead.load(Ordering::Relaxed) {
            let action = "the process is dead".to_owned();
            return Err(JournalError::Storage { action, source: "killed".into() });
        }
        self.journal.append(stream, expected, at, events)
    }

    fn read(
        &self,
        stream: StreamId,
        after: Seq,
    ) -> Result<Vec<Envelope<DeploymentEvent>>, JournalError> {
        self.journal.read(stream, after)
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        self.journal.open_streams()
    }
}

type Driven = Deployment<Mortal, FakeDoors, Watcher>;

struct Story {
    world: Rc<RefCell<World>>,
    journal: Mortal,
    now: Timestamp,
    drifted: bool,
}

/// Plays a script, with a death or two.
///
/// # Errors
/// What went wrong, with the events.
pub fn play(script: &Script, kills: &[Kill]) -> Result<Played, String> {
    let dead = Arc::new(AtomicBool::new(false));
    let world = Rc::new(RefCell::new(World::new(script, Arc::clone(&dead))));
    let journal = Mortal { journal: Arc::new(MemoryJournal::new()), dead };
    let mut story = Story { world, journal, now: BEGIN, drifted: false };
    let mut kills = kills.iter();
    story.plan(kills.next());
    let mut driven = None;
    for _ in 0..ROUNDS_MAX {
        let Some(mut alive) = driven.take() else {
            match story.start(script) {
                Ok(started) => driven = Some(started),
                Err(_) => story.restart(kills.next()),
            }
            continue;
        };
        let standing = story.round(script, &mut alive);
        if story.journal.dead.load(Ordering::Relaxed) || standing.is_err() {
            if let Err(error @ (DeploymentError::Illegal { .. } | DeploymentError::Refused(_))) =
                standing
            {
                return Err(told(&format!("{error:?}"), &alive));
            }
            story.restart(kills.next());
            continue;
        }
        if let Some(broken) = alive.observer().broken.clone() {
            return Err(told(&broken, &alive));
        }
        if alive.observer().state != *alive.state() {
            return Err(told("the fold of the events is not the state", &alive));
        }
        match standing.expect("alive") {
            Due::Over => return story.finish(script, &alive),
            Due::Again(after) => story.wait(after),
            Due::Waiting(until) => {
                story.now = until.filter(|until| *until > story.now).unwrap_or(story.now);
                story.wait(Duration::from_secs(1));
            }
        }
        driven = Some(alive);
    }
    Err(format!("no end comes: {script:?}"))
}

fn told(what: &str, driven: &Driven) -> String {
    format!("{what}\n-- events --\n{}", driven.observer().log.join("\n"))
}

impl Story {
    fn plan(&mut self, kill: Option<&Kill>) {
        let mut world = self.world.borrow_mut();
        world.kill = None;
        match kill {
            Some(Kill::Append(at, Point::Before)) => {
                self.journal.journal.fault_at(*at, Fault::CrashBefore);
            }
            Some(Kill::Append(at, Point::After)) => {
                self.journal.journal.fault_at(*at, Fault::CrashAfter);
            }
            Some(Kill::Call(at, point)) => world.kill = Some((*at, *point)),
            None => {}
        }
    }

    fn restart(&mut self, next: Option<&Kill>) {
        self.journal.dead.store(false, Ordering::Relaxed);
        self.journal.journal.restart();
        self.now.0 += 1_000;
        self.plan(next);
    }

    fn start(&mut self, script: &Script) -> Result<Driven, DeploymentError> {
        let doors = FakeDoors(Rc::clone(&self.world));
        let owner = MaskedText::without_secrets("laptop");
        let all = (self.journal.clone(), doors, Watcher::default());
        let open = self.journal.open_streams().expect("alive");
        let stream = StreamId::Deployment(DEPLOYMENT);
        if open.is_empty() && self.journal.read(stream, Seq(0)).is_ok_and(|it| it.is_empty()) {
            Deployment::request(DEPLOYMENT, script.request(), owner, all)
        } else {
            Deployment::adopt(DEPLOYMENT, owner, self.now, all)
        }
    }

    fn wait(&mut self, after: Duration) {
        self.now.0 += u64::try_from(after.as_millis()).expect("short").max(1);
    }

    fn round(&mut self, script: &Script, driven: &mut Driven) -> Result<Due, DeploymentError> {
        let kinds = &driven.observer().kinds;
        let events = kinds.iter().filter(|kind| **kind != "DeploymentOwned").count();
        let is_open = driven.state().ended().is_none();
        let due = script.drift.filter(|drift| drift.events <= events && is_open);
        if let Some(drift) = due.filter(|_| !self.drifted) {
            self.drifted = true;
            self.world.borrow_mut().drift(drift.service);
        }
        let mut inputs = people(script, driven.state(), self.now);
        if script.cancel.is_some_and(|cancel| cancel.events <= events) {
            let reason = Some(MaskedText::without_secrets("wrong version"));
            inputs.push(Input::Cancel { by: person("octocat"), reason });
        }
        driven.round(inputs, self.now, &mut |_| {})
    }

    /// What must hold at every end.
    fn finish(&self, script: &Script, driven: &Driven) -> Result<Played, String> {
        let world = self.world.borrow();
        let ended = driven.state().ended().cloned().expect("it is over");
        let end = End {
            verdict: ended.verdict,
            cause: ended.cause.map(|cause| cause.code),
            services: world.services.clone(),
            deeds: world.deeds.clone(),
        };
        if let Some((deed, times)) = end.deeds.iter().find(|(_, times)| **times > 1) {
            return Err(told(&format!("{deed:?} was done {times} times"), driven));
        }
        let old = World::new(script, Arc::default()).services;
        // Somebody else's deeds are theirs.
        let alone = script.drift.is_none() && !is_overtaken(script);
        let is_old = end.services == old;
        if alone && !is_old && is_as_before(end.verdict) {
            let what = format!("{} and yet {:?} stands there", end.verdict, end.services);
            return Err(told(&what, driven));
        }
        let taken = script.troubles.iter().find(|(_, way, trouble)| {
            *way == Way::Forward && *trouble == super::script::Trouble::Superseded
        });
        if let Some((key, ..)) = taken.filter(|_| end.verdict == Verdict::Superseded) {
            let service = key.as_str().split('/').next().unwrap_or_default();
            if end.services[service].running.as_deref() != Some("9.9") {
                return Err(told(&format!("{key}: another's release was undone"), driven));
            }
        }
        if let Some(unplanned) = unplanned(driven.state(), &end.deeds) {
            return Err(told(&format!("{unplanned} is not in the plan"), driven));
        }
        let kinds = driven.observer().kinds.iter().copied().collect();
        let log = driven.observer().log.clone();
        let (appends, calls) = (self.journal.journal.appends(), world.calls);
        Ok(Played { end, appends, calls, kinds, log })
    }
}

fn is_as_before(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::RolledBack | Verdict::Cancelled | Verdict::Refused)
}

fn is_overtaken(script: &Script) -> bool {
    script.troubles.iter().any(|(.., trouble)| *trouble == super::script::Trouble::Superseded)
}

/// A deed that no plan has, or whose undo no plan has.
fn unplanned(state: &State, deeds: &BTreeMap<(DeployStepKey, Way), u32>) -> Option<DeployStepKey> {
    let is_planned = |(key, way): &&(DeployStepKey, Way)| {
        let step = state.plan().and_then(|(plan, _)| plan.step(key));
        step.is_some_and(|step| match way {
            Way::Forward => true,
            Way::Back => matches!(step.undo, Undo::Step { .. } | Undo::AskAgain { .. }),
        })
    };
    deeds.keys().find(|deed| !is_planned(deed)).map(|(key, _)| key.clone())
}

/// What people say, as long as it is not heard.
fn people(script: &Script, state: &State, now: Timestamp) -> Vec<Input> {
    let (Some((_, plan)), true) = (state.plan(), script.gates != Gates::None) else {
        return Vec::new();
    };
    let gate = GateKey::new("approval/devops");
    // Before the rules could be read, where they are late.
    let until = (script.rules == Reread::Late).then_some(Timestamp(now.0 + 1_500));
    let sign = |name: &str| {
        let (gate, by) = (gate.clone(), person(name));
        Input::Sign { gate, by, plan, proof: None, until }
    };
    if script.gates == Gates::Rejected {
        let by = person("mona");
        return vec![
            sign("hubot"),
            Input::Reject { gate: gate.clone(), by, reason: None, proof: None },
        ];
    }
    let confirm =
        |word: &str, plan| Input::Confirm { word: word.into(), by: person("octocat"), plan };
    vec![
        // Whom the gate must not hear: the requester, a stranger, the wrong word, another plan.
        sign("octocat"),
        sign("stranger"),
        confirm("deploy", plan),
        confirm("DEPLOY", event::Digest::of(b"another")),
        sign("hubot"),
        sign("hubot"),
        confirm("DEPLOY", plan),
        sign("mona"),
    ]
}

/// Plays a script with a kill at every point, and compares every end with the one without. Every
/// `stride`th point is played, from the `offset`th on; gives how many were.
///
/// # Errors
/// The first point where it went otherwise.
pub fn prove(script: &Script, stride: usize, offset: usize) -> Result<(usize, Played), String> {
    let clean = play(script, &[]).map_err(|what| format!("{script:?}\n{what}"))?;
    let appends = (1..=clean.appends).map(|at| (at, true));
    let calls = (1..=clean.calls).map(|at| (at, false));
    let points = appends.chain(calls).flat_map(|(at, append)| {
        [Point::Before, Point::After]
            .map(|point| if append { Kill::Append(at, point) } else { Kill::Call(at, point) })
    });
    let mut played = 0;
    for kill in points.skip(offset).step_by(stride) {
        let killed = play(script, &[kill])
            .map_err(|what| format!("{script:?}\nkilled at {kill:?}: {what}"))?;
        if killed.end != clean.end {
            return Err(format!(
                "{script:?}\nkilled at {kill:?} it ends otherwise\n{:?}\n{:?}\n-- events --\n{}",
                clean.end,
                killed.end,
                killed.log.join("\n")
            ));
        }
        played += 1;
    }
    Ok((played, clean))
}
