//! What a process may touch: folders and files, to read or to change.

use std::collections::BTreeSet;
use std::fs::{DirEntry, File};
use std::path::{Path, PathBuf};

/// What programs of every kind read: themselves, their libraries, how the machine is set up.
const READ: [&str; 13] = [
    "/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/proc", "/run", "/sbin",
    "/sys", "/usr",
];
/// What lies in these is as a rule the system's own; whatever is hidden is left out.
const READ_AROUND: [&str; 1] = ["/var"];
/// Where programs write that name no other place. `TMPDIR` should lead elsewhere: these are shared.
const CHANGE: [&str; 2] = ["/tmp", "/var/tmp"];
/// Devices that are no door to anything.
const DEVICES: [&str; 9] = [
    "/dev/full",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/shm",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
];
/// Where service managers and containers put what a service was given in confidence, and what is one user's own.
const CONFIDENTIAL: [&str; 3] = ["/run/credentials", "/run/secrets", "/run/user"];
/// Of root and nobody else; a process that may read them is root's.
const OF_ROOT: [&str; 9] = [
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh/ssh_host_dsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssl/private",
];
/// Links from one name to the next that are followed; the kernel follows no more.
const LINKS_MAX: usize = 40;
/// Entries of a folder that are looked at one by one to leave a hidden one out. A folder that has more is left
/// out as a whole.
const ENTRIES_MAX: usize = 4096;

/// What a process may touch. What is named here and not there is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub(crate) read: BTreeSet<PathBuf>,
    pub(crate) change: BTreeSet<PathBuf>,
    hidden: Vec<PathBuf>,
    secret: Vec<PathBuf>,
}

impl Reach {
    /// What programs need of a machine, without what is `hidden`, and whatever it holds, and without what is
    /// `secret`, which stays out of reach in what is given, too.
    ///
    /// The kernel knows no exceptions below a folder: of a folder around a hidden name, the other entries are named
    /// as they are now. So what is made there later, or takes a hidden name, is out of reach; so is the list of its
    /// entries, and nothing new can be made in it. The same bytes under another name (a hard link, a bind mount, a
    /// copy) are another file.
    pub fn of_machine(hidden: &[PathBuf], secret: &[PathBuf]) -> Reach {
        let of_root = OF_ROOT.iter().filter(|it| File::open(it).is_ok());
        let always = CONFIDENTIAL.iter().chain(of_root).map(Path::new);
        let secret = secret.iter().map(PathBuf::as_path).chain(always);
        let mut reach = Reach::default().without(hidden.iter().map(PathBuf::as_path), secret);
        for folder in READ.iter().chain(&READ_AROUND) {
            reach = reach.and_read(folder);
        }
        for path in CHANGE.iter().chain(&DEVICES) {
            reach = reach.and_change(path);
        }
        reach
    }

    /// This and nothing else: what [`Reach::read`] and [`Reach::change`] said of another.
    pub fn exactly(
        read: impl IntoIterator<Item = PathBuf>,
        change: impl IntoIterator<Item = PathBuf>,
    ) -> Reach {
        let (read, change) = (read.into_iter().collect(), change.into_iter().collect());
        Reach { read, change, ..Reach::default() }
    }

    /// What may be read, and run.
    pub fn read(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(PathBuf::as_path)
    }

    /// What may be changed.
    pub fn change(&self) -> impl Iterator<Item = &Path> {
        self.change.iter().map(PathBuf::as_path)
    }

    /// Nothing yet, and never what is hidden or secret.
    fn without<'p>(
        self,
        hidden: impl Iterator<Item = &'p Path>,
        secret: impl Iterator<Item = &'p Path>,
    ) -> Reach {
        let secret: Vec<PathBuf> = secret.flat_map(names).collect();
        let hidden = hidden.flat_map(names).chain(secret.iter().cloned()).collect();
        Reach { hidden, secret, ..self }
    }

    /// And what lies in `path` may be read, and run.
    #[must_use]
    pub fn and_read(mut self, path: impl AsRef<Path>) -> Reach {
        self.read.extend(around(path.as_ref(), &self.hidden));
        self
    }

    /// And what lies in `path` may be changed: written, made, removed. A folder around a hidden one may not.
    #[must_use]
    pub fn and_change(mut self, path: impl AsRef<Path>) -> Reach {
        let Ok(path) = path.as_ref().canonicalize() else { return self };
        if !touches(&path, &self.hidden) {
            self.change.insert(path);
        }
        self
    }

    /// And this may be changed although it lies in something hidden: it is given, not found.
    #[must_use]
    pub fn and_own(mut self, path: impl AsRef<Path>) -> Reach {
        self.change.extend(around(path.as_ref(), &self.secret));
        self
    }

    /// And this may be read although it lies in something hidden: it is given, not found.
    #[must_use]
    pub fn and_given(mut self, path: impl AsRef<Path>) -> Reach {
        self.read.extend(around(path.as_ref(), &self.secret));
        self
    }

    /// And this may be changed, whatever lay there before: in a namespace it is one's own ([`Place`](crate::Place)).
    #[must_use]
    pub fn and_laid(mut self, place: &Path) -> Reach {
        self.change.insert(place.to_owned());
        self
    }

    /// And the programs on a `PATH` may be run, with what they bring along: `v20` of `v20/bin`, and the whole
    /// folder of managers that have `shims`. Of a folder that begins with a point, such as `~/.cargo`, `bin` alone:
    /// people keep other things there. A folder around something hidden is left out.
    #[must_use]
    pub fn and_programs(mut self, path: &str) -> Reach {
        for folder in path.split(':').map(Path::new).filter(|it| it.is_absolute()) {
            let around = folder.parent().filter(|around| brings_along(folder, around));
            for path in [Some(folder), around].into_iter().flatten() {
                let Ok(path) = path.canonicalize() else { continue };
                if !self.hidden.iter().any(|hidden| hidden.starts_with(&path)) {
                    self.read.insert(path);
                }
            }
        }
        self
    }

    /// Whether what lies in `path` may be changed.
    pub fn may_change(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| self.change.iter().any(|it| path.starts_with(it)))
    }
}

/// Every name by which a path is found: itself, and where its links lead, one after the other. A file may take
/// the place of each of them, and a link must not lead around a wall. What is not there yet is named, too.
fn names(path: &Path) -> Vec<PathBuf> {
    let mut names = Vec::new();
    let mut next = path.to_owned();
    for _ in 0..=LINKS_MAX {
        // The folder as it is, the last part as it is said.
        let Some((folder, name)) = next.parent().zip(next.file_name()) else {
            names.push(next);
            break;
        };
        let name = real(folder).join(name);
        let target = name.read_link();
        next = name.parent().expect("it lies in a folder").join(target.as_deref().unwrap_or(&name));
        names.push(name);
        if target.is_err() {
            break;
        }
    }
    names.extend(path.canonicalize());
    names
}

/// A folder without links, as far as it is there.
fn real(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find_map(|it| it.canonicalize().ok().map(|real| (it, real)));
    let Some((said, real)) = there else { return folder.to_owned() };
    real.join(folder.strip_prefix(said).expect("an ancestor begins it"))
}

fn touches(path: &Path, hidden: &[PathBuf]) -> bool {
    hidden.iter().any(|hidden| hidden.starts_with(path) || path.starts_with(hidden))
}

/// The path, or the entries in it that hold nothing hidden.
fn around(path: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    path.canonicalize().map_or_else(|_| Vec::new(), |path| entries_around(path, hidden))
}

fn entries_around(path: PathBuf, hidden: &[PathBuf]) -> Vec<PathBuf> {
    if !touches(&path, hidden) {
        return vec![path];
    }
    if hidden.iter().any(|hidden| path.starts_with(hidden)) {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir(&path) else { return Vec::new() };
    let entries: Vec<_> = entries.flatten().take(ENTRIES_MAX + 1).collect();
    if entries.len() > ENTRIES_MAX {
        return Vec::new();
    }
    // Links are passed over: where they lead is named by itself, if it may be.
    let is_link = |entry: &DirEntry| entry.file_type().is_ok_and(|it| it.is_symlink());
    let entries = entries.iter().filter(|entry| !is_link(entry));
    entries.flat_map(|entry| entries_around(entry.path(), hidden)).collect()
}

/// Whether what lies around a folder of programs belongs to them.
fn brings_along(folder: &Path, around: &Path) -> bool {
    let is_named = |path: &Path, name: &str| path.file_name().is_some_and(|it| it == name);
    let begins_with_point =
        around.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
    is_named(folder, "shims") || is_named(folder, "bin") && !begins_with_point
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(hidden: &[PathBuf]) -> Reach {
        Reach::default().without(hidden.iter().map(PathBuf::as_path), std::iter::empty())
    }

    /// Of a folder with `entries`, with `hidden` ones: what may be read when the folder is named.
    fn check(entries: &[&str], hidden: &[&str], expect: &[&str]) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = folder.path().canonicalize().expect("it is there");
        for entry in entries {
            std::fs::create_dir_all(root.join(entry)).expect("made");
        }
        let hidden: Vec<PathBuf> = hidden.iter().map(|it| root.join(it)).collect();
        let reach = hiding(&hidden).and_read(&root).and_change(&root);
        let inside = |path: &PathBuf| {
            let inside = path.strip_prefix(&root).expect("it lies there");
            inside.to_str().expect("text").to_owned()
        };
        assert_eq!(reach.read.iter().map(inside).collect::<Vec<_>>(), expect, "{entries:?}");
        // What is changed is changed as a whole, or not at all.
        assert_eq!(
            reach.change.iter().map(inside).collect::<Vec<_>>(),
            [""; 1][usize::from(!reach.hidden.is_empty())..]
        );
    }

    #[test]
    fn what_is_hidden_is_left_out() {
        check(&["a", "b"], &[], &[""]);
        check(&["a", "b"], &["b"], &["a"]);
        check(&["a/x", "a/y", "b"], &["a/x"], &["a/y", "b"]);
        check(&["a/x/deep", "b"], &["a/x/deep", "b"], &[]);
        // Hidden and not there yet: the folder that it would lie in is around it all the same.
        check(&["a"], &["later"], &["a"]);
    }

    #[test]
    fn programs_bring_their_own_along() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let home = folder.path().canonicalize().expect("it is there");
        for it in [".cargo/bin", ".nvm/v20/bin", ".pyenv/shims", "go/bin", "bin", ".ssh"] {
            std::fs::create_dir_all(home.join(it)).expect("made");
        }
        let path = |it: &str| home.join(it).display().to_string();
        let all = [".cargo/bin", ".nvm/v20/bin", ".pyenv/shims", "go/bin", "bin", "", "gone/bin"];
        let all: Vec<String> = all.iter().map(|it| path(it)).chain(["bin".to_owned()]).collect();
        let reach = hiding(std::slice::from_ref(&home));
        let reach = reach.and_programs(&all.join(":"));
        let expect = [
            ".cargo/bin",
            ".nvm/v20",
            ".nvm/v20/bin",
            ".pyenv",
            ".pyenv/shims",
            "bin",
            "go",
            "go/bin",
        ];
        assert_eq!(reach.read, expect.iter().map(|it| home.join(it)).collect());
    }

    #[test]
    fn what_is_given_is_reached_inside_of_what_is_hidden() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = folder.path().canonicalize().expect("it is there");
        let own = root.join("jobs/1/work");
        std::fs::create_dir_all(&own).expect("made");
        let reach = hiding(std::slice::from_ref(&root));
        let reach = reach.and_read(&root).and_change(root.join("jobs")).and_own(&own);
        assert!(reach.read.is_empty());
        assert!(reach.may_change(&own) && !reach.may_change(&root.join("jobs")));
    }

    /// Of a folder of links (`name -> target`) and files, one of which is named as secret: what may be read
    /// when the folder is given.
    fn secret(entries: &[&str], secret: &str, expect: &[&str]) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = folder.path().canonicalize().expect("it is there");
        for entry in entries {
            let (name, target) = entry.split_once(" -> ").unwrap_or((entry, ""));
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            match target {
                "" => std::fs::write(path, "").expect("written"),
                target => std::os::unix::fs::symlink(target, path).expect("linked"),
            }
        }
        let path = root.join(secret);
        let reach = Reach::default().without(std::iter::empty(), std::iter::once(path.as_path()));
        let found = |paths: &BTreeSet<PathBuf>| -> Vec<String> {
            let inside =
                |it: &PathBuf| it.strip_prefix(&root).expect("inside").display().to_string();
            paths.iter().map(inside).collect()
        };
        for reach in [reach.clone().and_read(&root), reach.clone().and_given(&root)] {
            assert_eq!(found(&reach.read), expect, "{entries:?} {secret}");
        }
        assert_eq!(found(&reach.and_own(&root).change), expect, "{entries:?} {secret}");
    }

    #[test]
    fn what_is_secret_is_left_out_of_what_is_given_by_every_name() {
        secret(&["a", "key"], "key", &["a"]);
        secret(&["a/b", "etc/app/key", "etc/app/conf"], "etc/app/key", &["a", "etc/app/conf"]);
        // The link's place is nobody's, either: a file may take it.
        secret(
            &["a/b", "etc/x", "etc/key -> ../keys/1", "keys/1", "keys/2"],
            "etc/key",
            &["a", "etc/x", "keys/2"],
        );
        // As volumes of secrets are laid out, whose inner folder changes.
        secret(
            &["s/..1/key", "s/..1/other", "s/..data -> ..1", "s/key -> ..data/key", "t/x"],
            "s/key",
            &["s/..1/other", "t"],
        );
        // Links that go round in a circle lead nowhere.
        secret(&["a", "one -> two", "two -> one"], "one", &["a"]);
        // Nothing lies there yet, nor its folder.
        secret(&["a", "b/c"], "later/on/key", &["a", "b"]);
        secret(&["a", "b/c"], "b/key", &["a", "b/c"]);
    }
}
