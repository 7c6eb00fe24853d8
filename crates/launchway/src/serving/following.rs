//! Repositories elsewhere that nobody tells us of: each is looked at every so often, and what came since
//! the last look is run as if it had been pushed here.
//!
//! ```text
//!   mirrors/OWNER/NAME.git     the repository, as it is there
//!   followed/OWNER/NAME.json   branches and tags at the last look, and what is owed of it
//!   look ─▶ fetched ─▶ what moved is written down as owed ─▶ inbox ─▶ nothing is owed
//! ```
//!
//! What is owed has its name before it goes to the inbox, so it runs once, whoever is killed when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use event::Digest;
use mask::Secret;
use repository::{Access, Mirror, RefUpdate};
use serde::{Deserialize, Serialize};
use store::{Scope, Value};

use super::data::{self, DataFolder};
use super::hook;
use super::intake::Intake;
use super::repositories::{self, Connected, Followed};
use crate::exit::Failure;
use crate::kept;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// More often nobody is asked.
pub(crate) const EVERY_MIN: Duration = Duration::from_secs(1);
/// Less often it is hardly a push.
pub(crate) const EVERY_MAX: Duration = Duration::from_secs(24 * 3600);
/// As often as somebody who pushes would wait for.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
/// Somebody who moves more branches and tags than that in one go has copied a repository.
pub(super) const MOVED_MAX: usize = 100;
/// When a repository that was connected meanwhile is noticed.
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// No repository is called so: no job sees what stands under it.
const OWNER: &str = "launchway:followed:";
const HEADER: &str = "HEADER";
/// What a branch or tag was that was not there.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// What is known of a repository elsewhere.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
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
    /// None where nobody looked yet.
    fn read(data: &DataFolder, name: &str) -> Result<Option<Seen>, Failure> {
        data::read(&data.followed(name))
    }

    fn write(&self, data: &DataFolder, name: &str) -> Result<(), Failure> {
        data::write(&data.followed(name), self)
    }
}

/// Follows from now on: what is there already is not run.
pub(crate) fn begin(
    data: &DataFolder,
    connected: &Connected,
    followed: &Followed,
) -> Result<(), Failure> {
    let mirror = fetched(data, connected, followed)?;
    if Seen::read(data, &connected.name)?.is_some() {
        // What moved since is looked at when it is due.
        return Ok(());
    }
    Seen { refs: mirror.refs()?, ..Seen::default() }.write(data, &connected.name)
}

/// Keeps what lets us in there: a name and a password, as they are shown to it.
pub(crate) fn sign_in(
    data: &DataFolder,
    name: &str,
    user: &str,
    password: &Secret,
) -> Result<(), Failure> {
    use base64::Engine as _;
    let pair = format!("{user}:{}", password.expose());
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let header = Secret::new(format!("Basic {pair}"));
    let set =
        kept::vault(&data.state).set(&scope(name), HEADER, Value::Secret(&header), (now(), None));
    set.map(drop).map_err(kept::failed)
}

/// Follows no more. What is not taken from the inbox yet, is.
pub(crate) fn end(data: &DataFolder, name: &str) -> Result<(), Failure> {
    data::remove(&data.followed(name))?;
    let removed = kept::vault(&data.state).remove(&scope(name), HEADER, true);
    removed.map(drop).map_err(kept::failed)
}

/// Why it could not be looked at the last time; none where it could, or nobody looked yet.
pub(crate) fn trouble(data: &DataFolder, name: &str) -> Result<Option<String>, Failure> {
    Ok(Seen::read(data, name)?.and_then(|it| it.trouble))
}

fn scope(name: &str) -> Scope {
    Scope { repository: format!("{OWNER}{name}"), environment: None }
}

fn fetched(
    data: &DataFolder,
    connected: &Connected,
    followed: &Followed,
) -> Result<Mirror, Failure> {
    let mirror = Mirror::open(&connected.path, &followed.url)?;
    let owner = scope(&connected.name).repository;
    let mut kept = kept::vault(&data.state).secrets(&owner, None).map_err(kept::failed)?;
    let header = kept.remove(HEADER);
    mirror.fetch(Access { header: header.as_ref().map(Secret::expose) })?;
    Ok(mirror)
}

/// Looks at repositories elsewhere.
pub(crate) struct Following {
    pub(crate) intake: Arc<Intake>,
}

impl Following {
    /// Looks until the other end of `stop` is dropped.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut looked: BTreeMap<String, Instant> = BTreeMap::new();
        loop {
            let next = self.look_at_those_due(&mut looked).unwrap_or_else(|failure| {
                talk(&format!("warning: repositories elsewhere: {:#}", failure.error));
                LOOK_AROUND
            });
            match stop.recv_timeout(next) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
    }

    /// Gives how long nothing is due.
    fn look_at_those_due(
        &self,
        looked: &mut BTreeMap<String, Instant>,
    ) -> Result<Duration, Failure> {
        let mut next = LOOK_AROUND;
        let all = repositories::all(&self.intake.data)?;
        looked.retain(|name, _| all.iter().any(|it| it.name == *name));
        for connected in all {
            let Some(followed) = &connected.followed else { continue };
            let every = Duration::from_secs(followed.every_seconds);
            let since = looked.get(&connected.name).map(Instant::elapsed);
            if since.is_none_or(|it| it >= every) {
                self.look(&connected, followed);
                looked.insert(connected.name.clone(), Instant::now());
            }
            let since = looked[&connected.name].elapsed();
            next = next.min(every.saturating_sub(since));
        }
        Ok(next)
    }

    /// Looks at one. What is wrong is said once, and so is that it is over.
    fn look(&self, connected: &Connected, followed: &Followed) {
        let (data, name) = (&self.intake.data, &connected.name);
        let found = look(data, connected, followed);
        if matches!(&found, Err(failure) if store::is_away(failure.error.as_ref())) {
            // Nothing is wrong with the repository.
            return;
        }
        let trouble = found.err().map(|failure| format!("{:#}", failure.error));
        let said = Seen::read(data, name).and_then(|seen| {
            let Some(mut seen) = seen.filter(|it| it.trouble != trouble) else { return Ok(()) };
            match &trouble {
                Some(why) => talk(&format!("warning: {name} cannot be looked at: {why}")),
                None => talk(&format!("{name} can be looked at again")),
            }
            seen.trouble = trouble;
            seen.write(data, name)
        });
        if let Err(failure) = said {
            talk(&format!("warning: {name}: {:#}", failure.error));
        }
    }
}

fn look(data: &DataFolder, connected: &Connected, followed: &Followed) -> Result<(), Failure> {
    let name = &connected.name;
    let Some(mut seen) = Seen::read(data, name)? else { return begin(data, connected, followed) };
    // What an earlier server was killed with.
    pay(data, connected, &mut seen)?;
    let refs = fetched(data, connected, followed)?.refs()?;
    if refs == seen.refs {
        return Ok(());
    }
    let moved = moved(&seen.refs, &refs);
    if moved.len() > MOVED_MAX {
        talk(&format!(
            "warning: {name}: {} branches and tags moved at once; none of that is run",
            moved.len()
        ));
    } else {
        seen.owed = moved.iter().map(|update| (called(name, update), line(update))).collect();
    }
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
        if !data.pushes().join(format!("{id}.json")).exists() {
            hook::leave_as(data, id, &connected.path, update)?;
        }
    }
    seen.owed.clear();
    seen.write(data, &connected.name)
}

/// What runs: branches and tags that are new or lead elsewhere. One that is gone runs nothing.
pub(super) fn moved(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<RefUpdate> {
    let update = |(git_ref, new): (&String, &String)| {
        let old = before.get(git_ref);
        (old != Some(new)).then(|| RefUpdate {
            old: old.cloned().unwrap_or_else(|| NOTHING.to_owned()),
            new: new.clone(),
            git_ref: git_ref.clone(),
        })
    };
    after.iter().filter_map(update).collect()
}

pub(super) fn line(RefUpdate { old, new, git_ref }: &RefUpdate) -> String {
    format!("{old} {new} {git_ref}")
}

pub(super) fn called(name: &str, update: &RefUpdate) -> String {
    let digest = Digest::of(format!("{name} {}", line(update)).as_bytes()).to_string();
    let end: String = digest.chars().rev().take(16).collect();
    format!("{:015}-{end}", now().0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn refs(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
        pairs.map(|(name, at)| (name.to_owned(), at.to_owned())).collect()
    }

    fn check(before: &str, after: &str, expected: &Expect) {
        let moved = moved(&refs(before), &refs(after));
        let lines = moved.iter().map(|it| {
            let old = if it.old == NOTHING { "-" } else { &it.old };
            format!("{} {old} {}\n", it.git_ref, it.new)
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn what_is_new_or_leads_elsewhere_runs() {
        check("main=1", "main=1", &expect![""]);
        check(
            "main=1",
            "main=2 v1=2",
            &expect![[r#"
            main 1 2
            v1 - 2
        "#]],
        );
        check(
            "main=2 old=1",
            "main=1",
            &expect![[r#"
            main 2 1
        "#]],
        );
        check(
            "",
            "main=1",
            &expect![[r#"
            main - 1
        "#]],
        );
    }
}
