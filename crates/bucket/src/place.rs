//! The right to deploy to an environment, over machines: an object for each taking, with its fence in
//! its name.
//!
//! Taking is writing the next number, where the last one was let go or has expired. Whoever has it
//! writes its own object over and over, so that the bucket's own time of writing says how fresh it
//! is: no clock of a machine decides anything. Who was too slow finds a higher number beside its own,
//! and, before that, an entry of the log that no append of it gets past.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aws::Stored;
use event::{StreamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::entry::{self, FORMAT, PlaceForm};
use crate::error::BucketError;
use crate::journal::Shared;
use crate::objects::OnlyAbsent;

/// How often somebody may be faster before it is given up.
const FASTER_MAX: usize = 5;
/// It is renewed three times before it would expire.
const RENEWALS: u32 = 3;
/// How long a renewal that is under way is waited for before the place is left to expire.
const STILL_WITHIN: Duration = Duration::from_secs(3);
/// The bucket tells whole seconds: what expires is given one more.
const SECOND_MS: u64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PlaceObject {
    format: u32,
    fence: u64,
    /// Another for each taking.
    id: String,
    owner: String,
    machine: String,
    /// By the bucket's clock.
    since: u64,
    /// How long it is good for behind each writing.
    for_ms: u64,
    /// Let go.
    ended: bool,
}

/// Who may deploy to an environment now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `ana on laptop, process 12`
    pub owner: String,
    /// Whether it is a process of this machine.
    pub is_here: bool,
    /// Since when, by the bucket's clock.
    pub since: Timestamp,
    /// Until when, unless it is renewed; by the bucket's clock.
    pub until: Timestamp,
    /// When that was asked, by the bucket's clock.
    pub asked_at: Timestamp,
}

/// What a try to take a place gives.
pub enum Taking {
    /// It is the caller's.
    Ours(Hold),
    /// Somebody has it who may live.
    By(Holder),
}

/// The right to deploy to an environment, for as long as the value lives.
pub struct Hold {
    shared: Arc<Shared>,
    stop: Option<Sender<()>>,
    stopped: Receiver<()>,
    object: PlaceObject,
    name: String,
}

/// What this process has.
#[derive(Default)]
pub(crate) struct Held(Mutex<Option<OnHold>>);

#[derive(Clone)]
struct OnHold {
    place: PlaceForm,
    /// When it ends by this machine's own clock, should no renewal get through.
    until: Instant,
    lost_to: Option<String>,
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, Option<OnHold>> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Under which right something is appended to a stream.
    pub(crate) fn place(&self, stream: StreamId) -> Option<PlaceForm> {
        let held = self.lock();
        let is_deployment = matches!(stream, StreamId::Deployment(_));
        held.as_ref().filter(|_| is_deployment).map(|it| it.place.clone())
    }

    pub(crate) fn place_of(&self, project: &str, environment: &str) -> Option<PlaceForm> {
        let held = self.lock();
        let is_it =
            |it: &&OnHold| *it.place.project == *project && *it.place.environment == *environment;
        held.as_ref().filter(is_it).map(|it| it.place.clone())
    }
}

impl Shared {
    /// Takes the right to deploy to an environment, unless somebody has it who may live. The caller
    /// has that of this machine: whoever else of this machine is written there is dead.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub fn take(
        self: &Arc<Shared>,
        project: &Arc<str>,
        environment: &Arc<str>,
        good_for: Duration,
    ) -> Result<Taking, BucketError> {
        self.must_heed()?;
        self.refresh()?;
        let folder = folder(project, environment);
        for _ in 0..FASTER_MAX {
            let (last, now) = self.last(&folder)?;
            if let Some((object, until)) = &last {
                let is_dead = object.machine == self.who.machine;
                if !object.ended && !is_dead && now.0 < until.0 {
                    return Ok(Taking::By(self.holder_of(object, *until, now)));
                }
            }
            // Objects may have been removed by hand: the log knows the last fence, too.
            let known = self.copy.shared_place(project, environment);
            let known = known.map_err(BucketError::copy)?.map_or(0, |it| it.fence);
            let fence = last.map_or(0, |(it, _)| it.fence).max(known) + 1;
            let object = PlaceObject {
                format: FORMAT,
                fence,
                id: entry::unique(),
                owner: self.who.owner.clone(),
                machine: self.who.machine.clone(),
                since: now.0,
                for_ms: u64::try_from(good_for.as_millis()).unwrap_or(u64::MAX),
                ended: false,
            };
            let name = entry::name(&folder, fence);
            let begun = Instant::now();
            if self.write_first(&name, &object)? {
                let place = PlaceForm {
                    project: Arc::clone(project),
                    environment: Arc::clone(environment),
                    fence,
                    owner: self.who.owner.as_str().into(),
                };
                return self.begin(object, name, place, begun + good_for).map(Taking::Ours);
            }
        }
        Err(BucketError::Crowded { place: self.place_text() })
    }

    /// Who may deploy to an environment now; nobody where it is free.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub fn holder(&self, project: &str, environment: &str) -> Result<Option<Holder>, BucketError> {
        let (last, now) = self.last(&folder(project, environment))?;
        let held = last.filter(|(object, until)| !object.ended && now.0 < until.0);
        Ok(held.map(|(object, until)| self.holder_of(&object, until, now)))
    }

    /// Whether this process may still do something to what it deploys. Without a place it holds none.
    ///
    /// # Errors
    /// In words, why not.
    pub fn must_hold(&self) -> Result<(), String> {
        match &*self.held.lock() {
            Some(OnHold { place, lost_to: Some(owner), .. }) => {
                Err(format!("{owner} has taken over the deployments to {}", place.environment))
            }
            Some(OnHold { place, until, .. }) if *until <= Instant::now() => Err(format!(
                "the right to deploy to {} has expired: {} does not answer",
                place.environment,
                self.place_text()
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// An append under this right is not behind somebody else's.
    pub(crate) fn must_be_ours(&self, place: &PlaceForm) -> Result<(), BucketError> {
        let last = self.copy.shared_place(&place.project, &place.environment);
        match last.map_err(BucketError::copy)? {
            Some(last) if last.fence > place.fence => Err(BucketError::TakenOver {
                environment: place.environment.to_string(),
                owner: last.owner.to_string(),
            }),
            _ => Ok(()),
        }
    }

    fn holder_of(&self, object: &PlaceObject, until: Timestamp, now: Timestamp) -> Holder {
        Holder {
            owner: object.owner.clone(),
            is_here: object.machine == self.who.machine,
            since: Timestamp(object.since),
            until,
            asked_at: now,
        }
    }

    /// The last taking with when it expires, and the time; all by the bucket's clock.
    fn last(
        &self,
        folder: &str,
    ) -> Result<(Option<(PlaceObject, Timestamp)>, Timestamp), BucketError> {
        let mut last = None;
        let mut after = String::new();
        let asked_at = loop {
            let page = self.objects.list(&format!("{folder}/"), &after)?;
            let mut ours = page.objects.iter().filter(|it| entry::number(&it.key).is_some());
            last = ours.next_back().map(|it| it.key.clone()).or(last);
            match page.objects.last() {
                Some(it) if page.is_cut => after.clone_from(&it.key),
                _ => break page.asked_at,
            }
        };
        let told = |at: Option<u64>| {
            at.map(Timestamp).ok_or_else(|| BucketError::Damaged {
                place: self.place_text(),
                what: "its server does not tell the time (`Date`, `Last-Modified`)".to_owned(),
            })
        };
        let Some(name) = last else { return Ok((None, told(asked_at)?)) };
        // Whoever let it go may have removed it in between.
        let Some(object) = self.objects.get(&name)? else { return Ok((None, told(asked_at)?)) };
        let read: PlaceObject = serde_json::from_slice(&object.bytes).map_err(|error| {
            BucketError::Damaged { place: self.place_text(), what: format!("{name}: {error}") }
        })?;
        if read.format > FORMAT {
            return Err(BucketError::Newer { place: self.place_text(), what: name });
        }
        let written_at = told(object.head.written_at)?;
        let until = Timestamp(written_at.0.saturating_add(read.for_ms).saturating_add(SECOND_MS));
        Ok((Some((read, until)), told(object.head.asked_at)?))
    }

    /// Writes a taking; not where somebody was faster.
    fn write_first(&self, name: &str, object: &PlaceObject) -> Result<bool, BucketError> {
        let bytes = write(object);
        match self.objects.put(name, &bytes, OnlyAbsent::Yes)? {
            Stored::Done(_) => Ok(true),
            // Its answer may have been lost.
            Stored::NotSo | Stored::Busy => {
                Ok(self.objects.get(name)?.is_some_and(|it| it.bytes == bytes))
            }
        }
    }

    fn begin(
        self: &Arc<Shared>,
        object: PlaceObject,
        name: String,
        place: PlaceForm,
        until: Instant,
    ) -> Result<Hold, BucketError> {
        let written = self.write_place(&place);
        let let_go = |object: &PlaceObject| {
            let ended = PlaceObject { ended: true, ..object.clone() };
            let _ = self.objects.put(&name, &write(&ended), OnlyAbsent::No);
        };
        if let Err(error) = written {
            // It expires by itself where that does not get through.
            let_go(&object);
            return Err(error);
        }
        *self.held.lock() = Some(OnHold { place, until, lost_to: None });
        let (stop, told) = channel();
        let (ending, stopped) = channel();
        let (shared, own, path) = (Arc::clone(self), object.clone(), name.clone());
        std::thread::spawn(move || {
            // Dropped when this ends, however it does.
            let _ending: Sender<()> = ending;
            let good_for = Duration::from_millis(own.for_ms);
            loop {
                match told.recv_timeout(good_for / RENEWALS) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                if shared.renew(&path, &own) == Renewed::Lost {
                    return;
                }
            }
        });
        Ok(Hold { shared: Arc::clone(self), stop: Some(stop), stopped, object, name })
    }

    fn renew(&self, name: &str, object: &PlaceObject) -> Renewed {
        let begun = Instant::now();
        // First looked, then written: whoever took it in between is found by the next look.
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let higher = match self.objects.list(&format!("{folder}/"), name) {
            Ok(page) => page.objects.into_iter().rfind(|it| entry::number(&it.key).is_some()),
            Err(_) => return Renewed::NotNow,
        };
        if let Some(higher) = higher {
            let owner = match self.objects.get(&higher.key) {
                Ok(Some(it)) => serde_json::from_slice::<PlaceObject>(&it.bytes).ok(),
                _ => None,
            };
            let owner = owner.map_or_else(|| "somebody".to_owned(), |it| it.owner);
            if let Some(held) = &mut *self.held.lock() {
                held.lost_to = Some(owner);
            }
            return Renewed::Lost;
        }
        match self.objects.put(name, &write(object), OnlyAbsent::No) {
            Ok(_) => {
                if let Some(held) = &mut *self.held.lock() {
                    held.until = begun + Duration::from_millis(object.for_ms);
                }
                Renewed::Done
            }
            Err(_) => Renewed::NotNow,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewed {
    Done,
    NotNow,
    Lost,
}

impl Hold {
    /// The fence of all that is appended under it.
    pub fn fence(&self) -> u64 {
        self.object.fence
    }

    /// Looks whether somebody else has it, and renews it.
    pub fn renew(&self) {
        self.shared.renew(&self.name, &self.object);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.stop = None;
        // A renewal that is under way would be written over what is written here.
        let is_still =
            matches!(self.stopped.recv_timeout(STILL_WITHIN), Err(RecvTimeoutError::Disconnected));
        let held = self.shared.held.lock().take();
        let is_ours = held.is_some_and(|it| it.lost_to.is_none());
        if is_ours && is_still {
            let ended = PlaceObject { ended: true, ..self.object.clone() };
            let objects = &self.shared.objects;
            // Where that does not get through it expires.
            if objects.put(&self.name, &write(&ended), OnlyAbsent::No).is_ok()
                && let Some(before) = self.object.fence.checked_sub(1)
            {
                let folder = self.name.rsplit_once('/').map_or("", |(folder, _)| folder);
                // Only the last one says anything.
                let _ = objects.remove(&entry::name(folder, before));
            }
        }
    }
}

fn folder(project: &str, environment: &str) -> String {
    format!("places/{}/{}", entry::plain(project), entry::plain(environment))
}

fn write(object: &PlaceObject) -> Vec<u8> {
    serde_json::to_vec_pretty(object).expect("it has text keys only and no other fault")
}
