//! Where processes of a machine meet, of a job's own: `/tmp` and its like, and `/run`.
//!
//! In `/run` lie the sockets of those who do for their caller what only root may (systemd, Docker); until Linux 7.1 walls
//! do not keep a job off a socket. A job finds there how names are resolved, and what it is given.
//!
//! What is laid over a place is the job's to change, with all that lies below: so a place below which something is to be
//! reached and changed (a server's folder in `/tmp`) stays as it is, and what is to be read below it is there for
//! reading alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::JobSpec;
use sandbox::{MEETING_PLACES, Place, Reach};

use crate::native;

/// The job's folder for what is laid there. Steps reach it by its places alone.
pub(crate) const FOLDER: &str = "private";
/// Where sockets lie, which is laid over but for these: how names are resolved, and where NixOS has its programs.
const SOCKETS: &str = "/run";
const NO_SOCKETS: [&str; 9] = [
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/NetworkManager/resolv.conf",
    "/run/booted-system",
    "/run/connman/resolv.conf",
    "/run/current-system",
    "/run/nscd",
    "/run/opengl-driver",
    "/run/resolvconf",
    "/run/systemd/resolve",
];
/// What is to be read below one place. Each is a mount; a place with more stays as it is, which the job's log says.
const KEPT_MAX: usize = 64;

/// What the job is to have of its own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) places: Vec<Place>,
    /// What lies below a place and may be read.
    pub(super) kept: Vec<PathBuf>,
    /// What the job's log says of places that it shares although nothing is changed there.
    pub(super) notes: Vec<String>,
}

/// Of the places that are there, those that the job can have of its own. `natives` reach all that `steps` do.
pub(super) fn places(
    spec: &JobSpec,
    wanted: &protocol::Walls,
    steps: &Reach,
    natives: &Reach,
) -> Own {
    let given = wanted.changeable.iter().chain(&wanted.readable);
    let given: Vec<PathBuf> = given.filter_map(|it| Path::new(&**it).canonicalize().ok()).collect();
    let folder = Path::new(&*spec.paths.job).join(FOLDER);
    let program = native::program();
    let mut own = Own::default();
    for place in MEETING_PLACES {
        // One may be a link to another.
        let Ok(at) = Path::new(place).canonicalize() else { continue };
        let is_shared = given.iter().any(|it| at.starts_with(it));
        if is_shared || own.places.iter().any(|it| it.at == at) {
            continue;
        }
        let kept = match place {
            SOCKETS => kept_of_sockets(&at, &given, natives),
            _ => kept(&at, steps, natives, &program),
        };
        let Some(kept) = kept else { continue };
        if kept.len() > KEPT_MAX {
            own.notes.push(shared(&at));
            continue;
        }
        own.kept.extend(kept);
        own.places.push(Place { folder: folder_for(place).map(|it| folder.join(it)), at });
    }
    own
}

/// What is laid over a place: a folder with this name, or memory.
fn folder_for(place: &str) -> Option<&'static str> {
    match place {
        "/tmp" => Some("tmp"),
        "/var/tmp" => Some("var-tmp"),
        _ => None,
    }
}

fn shared(at: &Path) -> String {
    format!(
        "a {at} of the job's own: it shares {at} with other jobs and this machine, because more than {KEPT_MAX} \
         files and folders in it are to be read (docs/sandbox.md)",
        at = at.display()
    )
}

/// What is there where sockets lie; none where it must stay as it is. What else lies there may be read by name,
/// and is not needed.
///
/// It is kept as it may be read: of a folder around a secret the other entries. Whoever is within may read whatever
/// is there, because the place is his.
fn kept_of_sockets(at: &Path, given: &[PathBuf], natives: &Reach) -> Option<Vec<PathBuf>> {
    let is_below = |path: &Path| path != at && path.starts_with(at);
    if natives.change().any(is_below) {
        return None;
    }
    let names = NO_SOCKETS.iter().map(PathBuf::from).chain(given.iter().cloned());
    let kept: BTreeSet<PathBuf> =
        names.filter(|name| is_below(name)).flat_map(|name| readable(name, natives)).collect();
    Some(kept.into_iter().collect())
}

/// What may be read of what a name stands for.
fn readable(name: PathBuf, natives: &Reach) -> Vec<PathBuf> {
    let Ok(path) = name.canonicalize() else { return Vec::new() };
    if natives.read().any(|it| path.starts_with(it)) {
        return vec![name];
    }
    natives.read().filter(|it| it.starts_with(&path)).map(Path::to_owned).collect()
}

/// What is to be read below a place; none where it must stay as it is.
fn kept(at: &Path, steps: &Reach, natives: &Reach, program: &Path) -> Option<Vec<PathBuf>> {
    let is_below = |path: &&Path| *path != at && path.starts_with(at);
    if natives.change().any(|path| is_below(&path)) {
        return None;
    }
    let below: Vec<&Path> = natives.read().filter(is_below).collect();
    let is_known = |path: &&Path| *path == program || steps.read().any(|it| it == *path);
    below.iter().all(is_known).then(|| below.into_iter().map(Path::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of what steps may read, natives besides, and both change: what is kept below `/tmp`.
    fn check(read: &[&str], besides: &[&str], change: &[&str], expect: Option<&[&str]>) {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let steps = Reach::exactly(paths(read), paths(change));
        let natives = Reach::exactly(paths(&[read, besides].concat()), paths(change));
        let kept = kept(Path::new("/tmp"), &steps, &natives, Path::new("/tmp/bin/launchway"));
        assert_eq!(kept, expect.map(paths), "{read:?} {besides:?} {change:?}");
    }

    #[test]
    fn a_place_is_laid_over_where_nothing_below_it_is_changed() {
        check(&["/usr", "/tmpfiles"], &["/srv/app"], &["/srv/jobs/1/work", "/tmp"], Some(&[]));
        check(
            &["/tmp/node/bin"],
            &["/tmp/bin/launchway"],
            &[],
            Some(&["/tmp/bin/launchway", "/tmp/node/bin"]),
        );
        // The server's folder.
        check(&[], &[], &["/tmp/data/jobs/1/work"], None);
        check(&[], &[], &["/tmp/data/blobs"], None);
        // The repository, with what was never committed: steps must not see it at its place.
        check(&["/tmp/app/.git"], &["/tmp/app"], &[], None);
    }

    /// Of what is to be read when a folder of a machine's `/run` is given in which one thing is secret: what is kept.
    fn check_of_sockets(entries: &[&str], secret: &[&str], given: &str, expect: &[&str]) {
        let run = tempfile::tempdir().unwrap();
        let run = run.path().canonicalize().unwrap();
        for entry in entries {
            std::fs::create_dir_all(run.join(entry).parent().unwrap()).unwrap();
            std::fs::write(run.join(entry), "").unwrap();
        }
        let secret: Vec<PathBuf> = secret.iter().map(|it| run.join(it)).collect();
        let given = run.join(given);
        let reach = Reach::of_machine(&[], &secret).and_given(&given);
        let kept = kept_of_sockets(&run, &[given], &reach).expect("nothing is changed");
        let kept = kept.iter().map(|it| it.strip_prefix(&run).unwrap().to_str().unwrap());
        assert_eq!(kept.collect::<Vec<_>>(), expect, "{entries:?} {secret:?}");
    }

    #[test]
    fn of_what_is_given_where_sockets_lie_what_is_secret_is_not_there() {
        let entries = ["ci/a", "ci/key", "ci/sub/b", "docker.sock"];
        check_of_sockets(&entries, &[], "ci", &["ci"]);
        check_of_sockets(&entries, &["ci/key"], "ci", &["ci/a", "ci/sub"]);
        check_of_sockets(&entries, &["ci/sub/b"], "ci", &["ci/a", "ci/key"]);
        // It is not there yet.
        check_of_sockets(&entries, &["ci/later"], "ci", &["ci/a", "ci/key", "ci/sub"]);
        // All of it is.
        check_of_sockets(&entries, &["ci"], "ci", &[]);
        check_of_sockets(&entries, &["ci"], "ci/sub", &[]);
    }
}
