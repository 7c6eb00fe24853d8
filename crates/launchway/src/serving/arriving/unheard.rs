//! Pushes here of which nobody left word: the hook was killed, or could not write. They are found when the
//! server starts, by what branches and tags lead to, and taken as if word had come.
//!
//! ```text
//!   taken/OWNER/NAME.json    what each branch and tag led to when it was last taken, and what is owed
//! ```
//!
//! Mirrors are looked at by `following.rs`, and told of by GitHub.

use std::collections::BTreeMap;
use std::path::Path;

use repository::{RefUpdate, Repository};
use serde::{Deserialize, Serialize};

use super::hook::{self, Pushed};
use super::moved::{MOVED_MAX, called, line, moved};
use crate::exit::Failure;
use crate::serving::data::{self, DataFolder};
use crate::serving::repositories::{self, Connected};
use crate::terminal::style::talk;

/// What was taken of a repository.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Taken {
    /// Branches and tags, by their whole names.
    refs: BTreeMap<String, String>,
    /// What was found and may not be in the inbox yet, by what it is called there, as git tells its hooks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    owed: BTreeMap<String, String>,
    /// What the newest start found: its own word may come late.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    found: BTreeMap<String, String>,
}

impl Taken {
    fn read(data: &DataFolder, name: &str) -> Result<Option<Taken>, Failure> {
        data::read(&data.taken(name))
    }

    fn write(&self, data: &DataFolder, name: &str) -> Result<(), Failure> {
        data::write(&data.taken(name), self)
    }
}

/// From now on what comes is taken; what is there already is not.
pub(crate) fn begin(data: &DataFolder, connected: &Connected) -> Result<(), Failure> {
    if connected.is_mirror() || Taken::read(data, &connected.name)?.is_some() {
        return Ok(());
    }
    let refs = Repository::commits_of_refs(&connected.path)?;
    Taken { refs, ..Taken::default() }.write(data, &connected.name)
}

/// Nothing of it is taken any more.
pub(crate) fn end(data: &DataFolder, name: &str) -> Result<(), Failure> {
    data::remove(&data.taken(name))
}

/// Finds what came without word, before what is in the inbox is taken. One repository that cannot be looked
/// at keeps no other waiting.
pub(crate) fn find(data: &DataFolder) {
    let all = match repositories::all(data) {
        Ok(all) => all,
        Err(failure) => return talk(&format!("warning: {:#}", failure.error)),
    };
    for connected in all.iter().filter(|it| !it.is_mirror()) {
        if let Err(failure) = find_in(data, connected) {
            let name = &connected.name;
            talk(&format!("warning: whether {name} moved cannot be told: {:#}", failure.error));
        }
    }
}

fn find_in(data: &DataFolder, connected: &Connected) -> Result<(), Failure> {
    let name = &connected.name;
    let Some(mut taken) = Taken::read(data, name)? else { return begin(data, connected) };
    // What an earlier server was killed with.
    pay(data, connected, &mut taken)?;
    let refs = Repository::commits_of_refs(&connected.path)?;
    // Behind the refs: of what moved before, word may be here by now. What is behind the newest word began there.
    let mut before = taken.refs.clone();
    before.extend(waiting(data, &connected.path)?);
    let moved = moved(&before, &refs);
    if moved.len() > MOVED_MAX {
        talk(&format!(
            "warning: {name}: {} branches and tags moved while nobody was told; none of that is run",
            moved.len()
        ));
    } else {
        taken.owed = moved.iter().map(|update| (called(name, update), line(update))).collect();
    }
    taken.refs = refs;
    taken.found.clear();
    taken.write(data, name)?;
    pay(data, connected, &mut taken)
}

/// Puts what is owed into the inbox.
fn pay(data: &DataFolder, connected: &Connected, taken: &mut Taken) -> Result<(), Failure> {
    if taken.owed.is_empty() {
        return Ok(());
    }
    let name = &connected.name;
    for (id, line) in &taken.owed {
        let Some(update) = RefUpdate::parse(line) else { continue };
        // What is told of it is written when it is taken, and then it is not in the inbox any more.
        if !data.told(id).exists() {
            let what = &update.git_ref;
            talk(&format!("{name}: {what} was pushed, and nobody was told; it is taken now"));
            hook::leave_as(data, id, &connected.path, update)?;
        }
    }
    taken.found = std::mem::take(&mut taken.owed);
    taken.write(data, name)
}

/// Where branches and tags lead of which word waits: as the newest says.
fn waiting(data: &DataFolder, path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut waiting = BTreeMap::new();
    for id in data::list(&data.inbox(), ".push")? {
        // What cannot be read is looked at when it is taken.
        let push = data::read::<Pushed>(&data.inbox().join(format!("{id}.push")));
        if let Ok(Some(push)) = push
            && push.repository == path
        {
            waiting.insert(push.git_ref, push.new);
        }
    }
    Ok(waiting)
}

/// Whether a push was found before its own word came. From where it came is not compared: while a server starts, what
/// is found may be several in one.
pub(crate) fn was_found(data: &DataFolder, id: &str, push: &Pushed) -> Result<bool, Failure> {
    let Some(name) = of(data, push)? else { return Ok(false) };
    let found = Taken::read(data, &name)?.map(|it| it.found).unwrap_or_default();
    Ok(found.iter().any(|(other, line)| leads_there(line, push) && other != id))
}

/// A push was taken.
pub(crate) fn took(data: &DataFolder, push: &Pushed) -> Result<(), Failure> {
    let Some(name) = of(data, push)? else { return Ok(()) };
    let mut taken = Taken::read(data, &name)?.unwrap_or_default();
    let before = taken.refs.insert(push.git_ref.clone(), push.new.clone());
    // With the next push of it what was found is past: the same may come again. What waits is none of that yet.
    let end = format!(" {}", push.git_ref);
    let count = taken.found.len();
    let waits = |id: &str| data.inbox().join(format!("{id}.push")).exists();
    taken.found.retain(|id, it| leads_there(it, push) || !it.ends_with(&end) || waits(id));
    if before.as_ref() == Some(&push.new) && taken.found.len() == count {
        return Ok(());
    }
    taken.write(data, &name)
}

/// Whether what was found led to where this push does.
fn leads_there(line: &str, push: &Pushed) -> bool {
    RefUpdate::parse(line).is_some_and(|it| (&it.new, &it.git_ref) == (&push.new, &push.git_ref))
}

/// The connected repository that was pushed to; none where nobody looks at it here.
fn of(data: &DataFolder, push: &Pushed) -> Result<Option<String>, Failure> {
    let known = repositories::all(data)?;
    let is_it = |it: &Connected| it.path == push.repository && !it.is_mirror();
    Ok(known.into_iter().find(is_it).map(|it| it.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serving::repositories::Connected;

    struct Place {
        folder: tempfile::TempDir,
        data: DataFolder,
        connected: Connected,
    }

    impl Place {
        /// A connected repository with one commit on `main`.
        fn new() -> Place {
            let folder = tempfile::tempdir().expect("a folder");
            let root = folder.path().canonicalize().expect("it is there");
            let data = DataFolder::locate(Some(&root.join("data")), None).expect("a place");
            let path = root.join("app.git");
            let json = serde_json::json!({ "name": "octo/app", "path": path });
            let connected = serde_json::from_value(json.clone()).expect("one of ours");
            data::write(&data.path("repositories.json"), &[json]).expect("a file");
            let place = Place { folder, data, connected };
            place.git(&["init", "--quiet", "--bare", "--initial-branch=main", "app.git"]);
            place.git(&["init", "--quiet", "--initial-branch=main", "work"]);
            place.push("main");
            place
        }

        fn git(&self, args: &[&str]) -> String {
            let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
            let mut git = std::process::Command::new("git");
            let output = git.current_dir(self.folder.path()).args(who).args(args).output();
            let output = output.expect("git starts");
            assert!(output.status.success(), "{args:?}: {output:?}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }

        /// Nobody hears of it. Gives the commit.
        fn push(&self, branch: &str) -> String {
            self.git(&["-C", "work", "commit", "--quiet", "--allow-empty", "--message=x"]);
            let to = format!("HEAD:refs/heads/{branch}");
            self.git(&["-C", "work", "push", "--quiet", "--force", "../app.git", &to]);
            self.git(&["-C", "work", "rev-parse", "HEAD"])
        }

        /// What waits in the inbox.
        fn waiting(&self) -> Vec<(String, Pushed)> {
            let ids = data::list(&self.data.inbox(), ".push").expect("it can be listed");
            let read = |id: &String| {
                data::read(&self.data.inbox().join(format!("{id}.push"))).expect("one of ours")
            };
            ids.iter().map(|id| (id.clone(), read(id).expect("it is there"))).collect()
        }

        fn take(&self) {
            for (id, push) in self.waiting() {
                took(&self.data, &push).expect("it is written down");
                data::remove(&self.data.inbox().join(format!("{id}.push"))).expect("it goes");
            }
        }
    }

    #[test]
    fn what_came_without_word_is_taken_at_the_next_start_and_once() {
        let place = Place::new();
        // The first start knows what is there.
        find(&place.data);
        assert_eq!(place.waiting().len(), 0);
        let new = place.push("main");
        find(&place.data);
        let waiting = place.waiting();
        assert_eq!(waiting.len(), 1);
        assert_eq!((&*waiting[0].1.git_ref, &*waiting[0].1.new), ("refs/heads/main", &*new));
        // Its own word comes late.
        let (id, push) = &waiting[0];
        assert!(was_found(&place.data, "another", push).expect("it is known"));
        assert!(!was_found(&place.data, id, push).expect("it is known"));
        // Whether it was taken or waits still, it is not found again.
        find(&place.data);
        assert_eq!(place.waiting().len(), 1);
        place.take();
        find(&place.data);
        assert_eq!(place.waiting().len(), 0);
        assert!(!was_found(&place.data, "another", push).expect("it is past"));
    }

    /// Whoever took it away was killed before that was forgotten.
    #[test]
    fn what_moved_while_it_was_not_connected_is_not_found() {
        let place = Place::new();
        begin(&place.data, &place.connected).expect("it can be read");
        let stale = Taken::read(&place.data, "octo/app").expect("ours").expect("it is there");
        repositories::remove(&place.data, &place.connected).expect("it goes");
        stale.write(&place.data, "octo/app").expect("ours");
        place.push("main");
        let (path, program) = (&place.connected.path, Path::new("/usr/bin/launchway"));
        let added = repositories::add(
            &place.data,
            path,
            program,
            |_| Ok(place.connected.clone()),
            |_| Ok(()),
        );
        added.expect("it is connected");
        // Nobody has our program there.
        std::fs::remove_dir_all(path.join("hooks")).expect("they are there");
        find(&place.data);
        assert_eq!(place.waiting().len(), 0);
        place.push("main");
        find(&place.data);
        assert_eq!(place.waiting().len(), 1);
    }

    /// Somebody pushes while a server starts, behind a push that waits: the branch is there, its word comes late.
    #[test]
    fn what_comes_behind_a_word_that_waits_is_taken_once() {
        let place = Place::new();
        begin(&place.data, &place.connected).expect("it can be read");
        let (path, git_ref) = (&place.connected.path, "refs/heads/main".to_owned());
        let update = |old: &str, new: &str| RefUpdate {
            old: old.to_owned(),
            new: new.to_owned(),
            git_ref: git_ref.clone(),
        };
        let a = place.git(&["-C", "work", "rev-parse", "HEAD"]);
        let b = place.push("main");
        hook::leave_as(&place.data, "000-1", path, update(&a, &b)).expect("it is left");
        let c = place.push("main");
        find(&place.data);
        let waiting = place.waiting();
        assert_eq!(waiting.len(), 2);
        assert_eq!((&waiting[1].1.old, &waiting[1].1.new), (&b, &c), "from where the word ends");
        place.take();
        let late = Pushed { old: b.clone(), new: c.clone(), ..waiting[1].1.clone() };
        assert!(was_found(&place.data, "000-3", &late).expect("it is known"));
        // Several in one, by a version that knew of no word that waits.
        assert!(was_found(&place.data, "000-3", &Pushed { old: a, ..late }).expect("it is known"));
        // Back, while nobody hears of it: word waits of what it was before.
        let d = place.push("main");
        hook::leave_as(&place.data, "000-4", path, update(&c, &d)).expect("it is left");
        place.git(&["-C", "app.git", "update-ref", "refs/heads/main", &c]);
        find(&place.data);
        let news: Vec<String> = place.waiting().into_iter().map(|(_, push)| push.new).collect();
        assert_eq!(news, [d, c]);
    }

    #[test]
    fn what_waits_with_word_is_not_found() {
        let place = Place::new();
        begin(&place.data, &place.connected).expect("it can be read");
        let old = place.git(&["-C", "work", "rev-parse", "HEAD"]);
        let new = place.push("main");
        let git_ref = "refs/heads/main".to_owned();
        let update = RefUpdate { old, new, git_ref };
        hook::leave_as(&place.data, "000-1", &place.connected.path, update).expect("it is left");
        find(&place.data);
        assert_eq!(place.waiting().len(), 1);
        place.take();
        place.push("other");
        find(&place.data);
        assert_eq!(place.waiting()[0].1.git_ref, "refs/heads/other");
    }
}
