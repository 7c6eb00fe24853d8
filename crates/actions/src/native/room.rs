//! What the caches of a repository may weigh and how long they may lie unused: GitHub's rules
//! (conformance 203), kept after every save and by whoever looks after the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::unused::{Unused, folders, halves};

/// What one repository's caches may weigh before the least used go (conformance 203).
const REPOSITORY_BYTES_MAX: u64 = 10 << 30;
/// How long an entry may lie unused (conformance 203).
const UNUSED_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Beside the repositories' folders: what package managers downloaded.
const DOWNLOADS: &str = "downloads";

/// What package managers downloaded, a folder for each of them.
pub fn downloads(caches: &Path) -> PathBuf {
    caches.join(DOWNLOADS)
}

/// Caches that GitHub would have removed, of every repository below the folder.
pub fn unused_caches(caches: &Path, now: SystemTime) -> Vec<Unused> {
    let mut unused = Vec::new();
    for owner in folders(caches) {
        if owner.file_name().is_some_and(|name| name == DOWNLOADS) {
            continue;
        }
        for repository in folders(&owner) {
            unused.extend(overdue(entries(&repository), now));
            unused.extend(half_made(&repository, now));
        }
    }
    unused
}

/// Removes what nobody used for a week, then the least used until the rest fits.
pub(super) fn make(repository: &Path, fresh: &Path) {
    let mut entries = entries(repository);
    // It counts, and stays.
    if let Some(fresh) = entries.iter_mut().find(|entry| entry.path == fresh) {
        fresh.last_used = SystemTime::now();
    }
    for entry in overdue(entries, SystemTime::now()) {
        if entry.path != fresh {
            // What cannot be removed costs space, and is tried again after the next save.
            drop(entry.remove());
        }
    }
}

/// Those that are unused for too long, and the least used of those that do not fit.
fn overdue(mut entries: Vec<Unused>, now: SystemTime) -> Vec<Unused> {
    entries.sort_by(|one, other| (one.last_used, &one.path).cmp(&(other.last_used, &other.path)));
    let mut total = entries.iter().map(|entry| entry.size_bytes).sum::<u64>();
    let mut goes = |entry: &Unused| {
        let is_old = now.duration_since(entry.last_used).is_ok_and(|age| age > UNUSED_MAX);
        let goes = is_old || total > REPOSITORY_BYTES_MAX;
        total -= if goes { entry.size_bytes } else { 0 };
        goes
    };
    entries.retain(|entry| goes(entry));
    entries
}

fn entries(repository: &Path) -> Vec<Unused> {
    let mut entries = Vec::new();
    for scope in folders(repository) {
        for version in folders(&scope) {
            entries.extend(folders(&version).into_iter().filter_map(|entry| {
                let mark = entry.join("used");
                let used = fs::metadata(&mark).ok()?.modified().ok()?;
                let size_bytes = fs::metadata(entry.join("entry.tar.zst")).ok()?.len();
                Some(Unused { path: entry, size_bytes, last_used: used, mark, shelf: None })
            }));
        }
    }
    entries
}

/// What a job that was killed did not finish.
fn half_made(repository: &Path, now: SystemTime) -> Vec<Unused> {
    let mut found = Vec::new();
    for scope in folders(repository) {
        for version in folders(&scope) {
            found.extend(halves(&version, now));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn entry(name: &str, days_unused: u32, size_bytes: u64, now: SystemTime) -> Unused {
        let path = PathBuf::from(name);
        let last_used = now - DAY * days_unused;
        Unused { mark: path.clone(), path, size_bytes, last_used, shelf: None }
    }

    // proves: conformance 203
    #[test]
    fn what_is_old_goes_then_the_least_used_until_the_rest_fits() {
        let now = SystemTime::UNIX_EPOCH + DAY * 20_000;
        let entries = vec![
            entry("fresh", 0, 4 << 30, now),
            entry("old", 8, 1, now),
            entry("used yesterday", 1, 4 << 30, now),
            entry("used before", 3, 3 << 30, now),
        ];
        let gone: Vec<_> = overdue(entries, now).into_iter().map(|it| it.path).collect();
        assert_eq!(gone, [Path::new("old"), Path::new("used before")]);
    }

    #[test]
    fn what_was_used_since_stays_and_what_is_removed_goes_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::now();
        let version = folder.path().join("owner/repo/scope/version");
        for name in ["one", "two"] {
            let entry = version.join(name);
            fs::create_dir_all(&entry).expect("a folder");
            for file in ["key", "used", "entry.tar.zst"] {
                fs::write(entry.join(file), "x").expect("a file");
            }
            let used = fs::File::options().write(true).open(entry.join("used")).expect("ours");
            used.set_modified(now - DAY * 9).expect("ours");
        }
        let mut unused = unused_caches(folder.path(), now);
        unused.sort_by(|one, other| one.path.cmp(&other.path));
        assert_eq!(unused.len(), 2);
        fs::write(version.join("two/used"), "").expect("used again");
        let gone: Vec<bool> = unused.iter().map(|it| it.remove().expect("ours")).collect();
        assert_eq!(gone, [true, false]);
        let left = fs::read_dir(&version).expect("ours").flatten();
        assert_eq!(left.map(|it| it.file_name()).collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn what_was_half_made_goes_after_a_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let half = folder.path().join("owner/repo/scope/version/.half-abc");
        fs::create_dir_all(&half).expect("a folder");
        fs::write(half.join("entry.tar.zst"), "12345").expect("a file");
        let now = SystemTime::now();
        assert_eq!(unused_caches(folder.path(), now), []);
        let unused = unused_caches(folder.path(), now + DAY * 2);
        assert_eq!(unused.iter().map(|it| it.size_bytes).collect::<Vec<_>>(), [5]);
        assert!(unused[0].remove().expect("ours") && !half.exists());
    }
}
