//! Repositories elsewhere that nobody tells us of: each is looked at every so often, and what came since
//! the last look is run as if it had been pushed here.
//!
//! ```text
//!   mirrors/OWNER/NAME.git     the repository, as it is there
//!   followed/OWNER/NAME.json   branches and tags at the last look, and what is owed of it
//!   look ─▶ fetched ─▶ what moved is written down as owed ─▶ inbox ─▶ nothing is owed
//! ```
//!
//! What is owed has its name before it goes to the inbox, so it runs once, whoever is killed when. Each
//! repository is looked at by a thread of its own: a host that says nothing keeps no other waiting. What is known
//! of one, and what lets us in there, is of its address: under another one it is nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use event::{Digest, Timestamp};
use mask::Secret;
use repository::{Access, Mirror, RefUpdate, Refs};
use serde::{Deserialize, Serialize};
use store::{Scope, Value};

use super::hook;
use super::moved::{MOVED_MAX, called, line, moved};
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::serving::data::{self, DataFolder};
use crate::serving::intake::Intake;
use crate::serving::repositories::{self, Connected, Followed};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// More often nobody is asked.
pub(crate) const EVERY_MIN: Duration = Duration::from_secs(1);
/// Less often it is hardly a push.
pub(crate) const EVERY_MAX: Duration = Duration::from_secs(24 * 3600);
/// As often as somebody who pushes would wait for.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
/// When a repository that was connected meanwhile is noticed.
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// No repository is called so: no job sees what stands under it.
const OWNER: &str = "launchway:followed:";
/// Digits of an address's digest.
const ADDRESS_DIGITS: usize = 16;
/// Of as many hosts that say nothing, others wait.
const AT_ONCE_MAX: usize = 16;
/// What is known of a repository elsewhere.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    /// Where that was,
    #[serde(default)]
    url: String,
    /// and since when it is followed.
    #[serde(default)]
    since: Timestamp,
    /// Branches and tags, by their whole names.
    refs: BTreeMap<String, String>,
    /// What moved and may not be in the inbox yet, by what it is called there: as git tells its hooks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    owed: BTreeMap<String, String>,
    /// Why it could not be looked at, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Seen {
    /// None where nobody looked there yet.
    fn read(data: &DataFolder, name: &str, followed: &Followed) -> Result<Option<Seen>, Failure> {
        let seen: Option<Seen> = data::read(&data.followed(name))?;
        Ok(seen.filter(|it| it.url == followed.url && it.since == followed.since))
    }

    fn write(&self, data: &DataFolder, name: &str) -> Result<(), Failure> {
        data::write(&data.followed(name), self)
    }
}

/// Follows from now on: what is there already is not run. Shows `header` there, or what was kept of before. One
/// that is not new is looked at, to see that it lets us in.
pub(crate) fn begin(
    data: &DataFolder,
    connected: &Connected,
    followed: &Followed,
    header: Option<&Secret>,
    is_new: bool,
) -> Result<(), Failure> {
    let kept = match header {
        Some(_) => None,
        None => kept_header(data, connected, followed)?,
    };
    let refs = fetched(connected, followed, header.or(kept.as_ref()))?;
    if !is_new {
        // What moved since the last look is run by the next.
        return Ok(());
    }
    let Followed { url, since, .. } = followed.clone();
    Seen { url, since, refs, ..Seen::default() }.write(data, &connected.name)
}

/// What a name and a password are as they are shown there.
pub(crate) fn header_of(user: &str, password: &Secret) -> Secret {
    use base64::Engine as _;
    let pair = format!("{user}:{}", password.expose());
    Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

/// Keeps what lets us in there, once it did.
pub(crate) fn seal(
    data: &DataFolder,
    name: &str,
    followed: &Followed,
    header: &Secret,
) -> Result<(), Failure> {
    let (scope, kept) = (scope(name), kept_as(followed));
    let set = kept::vault(&data.state).set(&scope, &kept, Value::Secret(header), (now(), None));
    set.map(drop).map_err(kept::failed)
}

/// Follows no more. What is not taken from the inbox yet, is.
pub(crate) fn end(data: &DataFolder, name: &str, followed: &Followed) -> Result<(), Failure> {
    data::remove(&data.followed(name))?;
    let removed = kept::vault(&data.state).remove(&scope(name), &kept_as(followed), true);
    removed.map(drop).map_err(kept::failed)
}

/// Why it could not be looked at the last time; none where it could, or nobody looked yet.
pub(crate) fn trouble(
    data: &DataFolder,
    name: &str,
    followed: &Followed,
) -> Result<Option<String>, Failure> {
    Ok(Seen::read(data, name, followed)?.and_then(|it| it.trouble))
}

fn scope(name: &str) -> Scope {
    Scope { repository: format!("{OWNER}{name}"), environment: None }
}

/// What it is kept as: another address is shown nothing of it.
fn kept_as(followed: &Followed) -> String {
    let digest = Digest::of(followed.url.as_bytes()).to_string();
    let end: String = digest.chars().rev().take(ADDRESS_DIGITS).collect();
    format!("HEADER_{}", end.to_uppercase())
}

fn kept_header(
    data: &DataFolder,
    connected: &Connected,
    followed: &Followed,
) -> Result<Option<Secret>, Failure> {
    let owner = scope(&connected.name).repository;
    let mut kept = kept::vault(&data.state).secrets(&owner, None).map_err(kept::failed)?;
    Ok(kept.remove(&kept_as(followed)))
}

fn fetched(
    connected: &Connected,
    followed: &Followed,
    header: Option<&Secret>,
) -> Result<Refs, Failure> {
    let mirror = Mirror::open(&connected.path, &followed.url)?;
    Ok(mirror.fetch(Access { header: header.map(Secret::expose) })?)
}

/// Looks at repositories elsewhere.
pub(crate) struct Following {
    pub(crate) intake: Arc<Intake>,
}

/// When somebody looked at a repository, and whether they still do.
#[derive(Clone)]
struct Looked {
    at: Instant,
    under_way: Arc<AtomicBool>,
}

impl Following {
    /// Looks until the other end of `stop` is dropped. Whoever is looking then is not waited for: what they
    /// find is found again.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut looked: BTreeMap<String, Looked> = BTreeMap::new();
        let mut told = None;
        loop {
            let due = self.look_at_those_due(&mut looked);
            // It is tried again and again, and said once.
            let trouble = due.as_ref().err().map(|failure| format!("{:#}", failure.error));
            if let Some(text) = trouble.as_ref().filter(|_| told != trouble) {
                talk(&format!("warning: repositories elsewhere: {text}; it is tried again"));
            }
            told = trouble;
            let next = due.unwrap_or(LOOK_AROUND);
            match stop.recv_timeout(next) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
    }

    /// Gives how long nothing is due.
    fn look_at_those_due(
        &self,
        looked: &mut BTreeMap<String, Looked>,
    ) -> Result<Duration, Failure> {
        let mut next = LOOK_AROUND;
        let all = repositories::all(&self.intake.data)?;
        looked.retain(|name, _| all.iter().any(|it| it.name == *name));
        for connected in all {
            let Some(followed) = &connected.followed else { continue };
            let every = Duration::from_secs(followed.every_seconds);
            let is_due = match looked.get(&connected.name) {
                Some(it) if it.under_way.load(Ordering::Relaxed) => continue,
                Some(it) => it.at.elapsed() >= every,
                None => true,
            };
            let are_busy = |it: &&Looked| it.under_way.load(Ordering::Relaxed);
            if is_due && looked.values().filter(are_busy).count() < AT_ONCE_MAX {
                looked.insert(connected.name.clone(), self.look(&connected.name)?);
            }
            let since = looked.get(&connected.name).map_or(every, |it| it.at.elapsed());
            next = next.min(every.saturating_sub(since).max(EVERY_MIN));
        }
        Ok(next)
    }

    /// Has one looked at.
    fn look(&self, name: &str) -> Result<Looked, Failure> {
        let (data, name) = (self.intake.data.clone(), name.to_owned());
        let context = format!("nobody can be sent to look at {name}");
        let looked = Looked::begin(move || {
            if let Err(failure) = look_and_say(&data, &name) {
                talk(&format!("warning: {name}: {:#}", failure.error));
            }
        });
        looked.map_err(|error| {
            Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context))
        })
    }
}

impl Looked {
    /// Somebody looks from now on, on a thread of its own, and looks no more however that ends.
    fn begin(look: impl FnOnce() + Send + 'static) -> std::io::Result<Looked> {
        let looked = Looked { at: Instant::now(), under_way: Arc::new(AtomicBool::new(true)) };
        let ends = Ends(Arc::clone(&looked.under_way));
        let thread = std::thread::Builder::new().name("look".to_owned());
        thread.spawn(move || {
            let _ends = ends;
            look();
        })?;
        Ok(looked)
    }
}

/// What is under way is no more when this goes.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Looks at one. What is wrong is said once, and so is that it is over.
fn look_and_say(data: &DataFolder, name: &str) -> Result<(), Failure> {
    // As it is connected now: somebody may have taken it away, or said another address.
    let Some(connected) = repositories::find(data, name)? else { return Ok(()) };
    let Some(followed) = &connected.followed else { return Ok(()) };
    let trouble = look(data, &connected, followed).err().map(|it| format!("{:#}", it.error));
    let Some(mut seen) = Seen::read(data, name, followed)? else {
        return trouble.into_iter().try_for_each(|why| Err(Failure::new(Exit::Missing, why)));
    };
    // git counts milliseconds in what it says.
    let words = |text: &Option<String>| text.as_ref().map(|it| it.replace(is_digit, ""));
    if words(&seen.trouble) == words(&trouble) {
        return Ok(());
    }
    match &trouble {
        Some(why) => talk(&format!("warning: {name} cannot be looked at: {why}")),
        None => talk(&format!("{name} can be looked at again")),
    }
    seen.trouble = trouble;
    seen.write(data, name)
}

fn is_digit(it: char) -> bool {
    it.is_ascii_digit()
}

fn look(data: &DataFolder, connected: &Connected, followed: &Followed) -> Result<(), Failure> {
    let name = &connected.name;
    let Some(mut seen) = Seen::read(data, name, followed)? else {
        return begin(data, connected, followed, None, true);
    };
    // What an earlier server was killed with.
    pay(data, connected, &mut seen)?;
    let header = kept_header(data, connected, followed)?;
    let refs = fetched(connected, followed, header.as_ref())?;
    let is_the_same = |it: &Connected| {
        it.followed
            .as_ref()
            .is_some_and(|it| (&it.url, it.since) == (&followed.url, followed.since))
    };
    if refs == seen.refs || !repositories::find(data, name)?.as_ref().is_some_and(is_the_same) {
        return Ok(());
    }
    let mut moved = moved(&seen.refs, &refs);
    if moved.len() > MOVED_MAX {
        talk(&format!(
            "warning: {name}: {} branches and tags moved at once; of these the default branch alone is run",
            moved.len()
        ));
        let default = connected.branch()?.map(|name| format!("refs/heads/{name}"));
        moved.retain(|it| Some(&it.git_ref) == default.as_ref());
    }
    seen.owed = moved.iter().map(|update| (called(name, update), line(update))).collect();
    seen.refs = refs;
    seen.write(data, name)?;
    pay(data, connected, &mut seen)
}

/// Puts what is owed into the inbox.
fn pay(data: &DataFolder, connected: &Connected, seen: &mut Seen) -> Result<(), Failure> {
    if seen.owed.is_empty() {
        return Ok(());
    }
    for (id, line) in &seen.owed {
        let Some(update) = RefUpdate::parse(line) else { continue };
        // What is told of it is written when it is taken, and then it is not in the inbox any more.
        if !data.told(id).exists() {
            hook::leave_as(data, id, &connected.path, update)?;
        }
    }
    seen.owed.clear();
    seen.write(data, &connected.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_it_was_connected_anew_is_not_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::of(Some(folder.path()), None).expect("a place");
        let url = "https://git.example.com/octo/app.git".to_owned();
        let seen = Seen { url: url.clone(), since: Timestamp(1), ..Seen::default() };
        seen.write(&data, "octo/app").expect("ours");
        let is_known = |since: u64| {
            let followed =
                Followed { url: url.clone(), every_seconds: 60, since: Timestamp(since) };
            Seen::read(&data, "octo/app", &followed).expect("ours").is_some()
        };
        assert_eq!([is_known(1), is_known(2)], [true, false]);
    }

    #[test]
    fn a_look_ends_however_it_ends() {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let looked = Looked::begin(move || {
            let _told = tell;
            panic!("a fault of ours, as this test wants it");
        });
        let looked = looked.expect("a thread can be had");
        assert!(told.recv().is_err());
        // What ends it goes behind that.
        let until = Instant::now() + Duration::from_secs(60);
        while looked.under_way.load(Ordering::Relaxed) {
            assert!(Instant::now() < until, "it is under way for good");
            std::thread::yield_now();
        }
    }
}
