//! What may go from the folders of caches and actions, and how it goes: at once or not at all, and
//! not under the hands of a job that began to use it meanwhile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

/// A name that nothing finished has: it is being made, or removed.
const HALF: &str = ".half-";
/// How long something is being made at most; after that its maker is dead.
const HALF_MADE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Something in a folder of ours that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Where.
    pub path: PathBuf,
    /// What it weighs.
    pub size_bytes: u64,
    pub(crate) last_used: SystemTime,
    /// The file or folder whose time says when it was last used.
    pub(crate) mark: PathBuf,
    /// For a fetched repository: it goes only after all that was taken out of it.
    pub(crate) shelf: Option<ShelfOf>,
}

/// What a fetched repository hangs together with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShelfOf {
    /// Held by whoever fetches.
    pub(crate) lock: PathBuf,
    /// Where its commits lie unpacked.
    pub(crate) trees: PathBuf,
}

impl Unused {
    pub(crate) fn new(path: PathBuf, mark: PathBuf, last_used: SystemTime) -> Unused {
        let size_bytes = weight(&path);
        Unused { path, size_bytes, last_used, mark, shelf: None }
    }

    /// Removes it, unless somebody used it since it was found. Says whether it is gone through this
    /// call.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn remove(&self) -> io::Result<bool> {
        let _fetching = match &self.shelf {
            Some(shelf) if !folders(&shelf.trees).is_empty() => return Ok(false),
            Some(shelf) => {
                let lock = fs::File::options().create(true).append(true).open(&shelf.lock)?;
                flock(&lock, FlockOperation::LockExclusive)?;
                Some(lock)
            }
            None => None,
        };
        match fs::metadata(&self.mark).and_then(|it| it.modified()) {
            Ok(used) if used > self.last_used => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        remove_at_once(&self.path).map(|()| true)
    }
}

/// Says that something is used, where its time can be set.
pub(crate) fn mark_used(path: &Path) {
    // Without the right to, it may go too early and is fetched again.
    drop(fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now())));
}

/// Commits of actions that no job used since `before`, and the repositories they were taken from.
pub fn unused_actions(actions: &Path, before: SystemTime, now: SystemTime) -> Vec<Unused> {
    let mut unused = Vec::new();
    for owner in folders(&actions.join("trees")) {
        for trees in folders(&owner) {
            let commits: Vec<Unused> = folders(&trees).into_iter().filter_map(tree).collect();
            let all = commits.len();
            let mut going: Vec<Unused> =
                commits.into_iter().filter(|commit| commit.last_used < before).collect();
            if going.len() == all {
                going.extend(bare(actions, &trees, before));
            }
            going.extend(halves(&trees, now));
            unused.append(&mut going);
        }
    }
    unused
}

fn tree(path: PathBuf) -> Option<Unused> {
    let used = fs::metadata(&path).and_then(|it| it.modified()).ok()?;
    Some(Unused::new(path.clone(), path, used))
}

/// The repository that these trees were taken from.
fn bare(actions: &Path, trees: &Path, before: SystemTime) -> Option<Unused> {
    let repo = trees.file_name()?.to_str()?;
    let owner = trees.parent()?.file_name()?;
    let path = actions.join("git").join(owner).join(format!("{repo}.git"));
    let fetched = path.join("FETCH_HEAD");
    let mark = if fetched.exists() { fetched } else { path.join("HEAD") };
    let used = fs::metadata(&mark).and_then(|it| it.modified()).ok()?;
    let lock = path.with_extension("lock");
    let shelf = Some(ShelfOf { lock, trees: trees.to_owned() });
    (used < before).then(|| Unused { shelf, ..Unused::new(path, mark, used) })
}

/// Entries of a folder that were begun, or begun to be removed, and are not worked on any more.
pub(crate) fn halves(folder: &Path, now: SystemTime) -> Vec<Unused> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let halves = entries.map(|entry| entry.path()).filter(|path| is_half(path));
    halves
        .filter_map(|path| {
            let made = fs::metadata(&path).ok()?.modified().ok()?;
            let is_dead = now.duration_since(made).is_ok_and(|age| age > HALF_MADE_MAX);
            is_dead.then(|| Unused::new(path.clone(), path, made))
        })
        .collect()
}

/// The folders in a folder; what is half made is none of them.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !is_half(path)).collect()
}

fn is_half(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(HALF.as_bytes()))
}

/// Removes a folder so that nobody ever sees half of it: it loses its name first.
pub(crate) fn remove_at_once(path: &Path) -> io::Result<()> {
    if is_half(path) {
        return fs::remove_dir_all(path);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let grave = tempfile::Builder::new().prefix(HALF).tempdir_in(folder)?;
    match fs::rename(path, grave.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        // A job that reads it just now has its file open.
        Ok(()) => grave.close(),
    }
}

/// The bytes of all files below; what cannot be looked at weighs nothing.
fn weight(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| weight(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn folder(path: &Path, days_unused: u32, now: SystemTime) {
        fs::create_dir_all(path).expect("a folder");
        fs::write(path.join("HEAD"), "12345").expect("a file");
        let used = now - DAY * days_unused;
        for marked in [path.join("HEAD"), path.to_owned()] {
            fs::File::open(marked).and_then(|it| it.set_modified(used)).expect("ours");
        }
    }

    /// What is left of a folder with these commits and their repository after `after` was done
    /// between looking and removing.
    fn left(commits: &[(&str, u32)], after: impl Fn(&Path)) -> Vec<String> {
        let actions = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        folder(&actions.path().join("git/o/r.git"), 200, now);
        let trees = actions.path().join("trees/o/r");
        for (commit, days_unused) in commits {
            folder(&trees.join(commit), *days_unused, now);
        }
        let unused = unused_actions(actions.path(), now - DAY * 90, now);
        assert!(unused.iter().all(|it| it.size_bytes == 5));
        after(&trees);
        for it in unused {
            it.remove().expect("ours");
        }
        let mut left = folders(&trees);
        left.extend(folders(&actions.path().join("git/o")));
        left.iter().map(|it| it.file_name().expect("it has one").display().to_string()).collect()
    }

    #[test]
    fn commits_that_nobody_uses_go_and_the_repository_with_the_last() {
        assert_eq!(left(&[("old", 91), ("new", 1)], |_| ()), ["new", "r.git"]);
        assert_eq!(left(&[("old", 91), ("older", 300)], |_| ()), [""; 0]);
        let used = |trees: &Path| mark_used(&trees.join("old"));
        assert_eq!(left(&[("old", 91)], used), ["old", "r.git"]);
    }
}
