//! What a process may touch: folders and files, to read or to change.

use std::collections::BTreeSet;
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
/// Entries of a folder that are looked at one by one to leave a hidden one out. A folder that has more is left
/// out as a whole.
const ENTRIES_MAX: usize = 4096;

/// What a process may touch. What is named here and not there is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub(crate) read: BTreeSet<PathBuf>,
    pub(crate) change: BTreeSet<PathBuf>,
    hidden: Vec<PathBuf>,
}

impl Reach {
    /// What programs need of a machine, without what is `hidden`, and whatever it holds. The kernel knows no
    /// exceptions below a folder: of a folder around a hidden one, the other entries are named as they are
    /// now, and nothing new can be made in it.
    pub fn of_machine(hidden: &[PathBuf]) -> Reach {
        // A link must not lead around a wall.
        let hidden =
            hidden.iter().map(|it| it.canonicalize().unwrap_or_else(|_| it.clone())).collect();
        let mut reach = Reach { hidden, ..Reach::default() };
        for folder in READ.iter().chain(&READ_AROUND) {
            reach = reach.and_read(folder);
        }
        for path in CHANGE.iter().chain(&DEVICES) {
            reach = reach.and_change(path);
        }
        reach
    }

    /// And what lies in `path` may be read, and run.
    #[must_use]
    pub fn and_read(mut self, path: impl AsRef<Path>) -> Reach {
        let found = self.around_hidden(path.as_ref());
        self.read.extend(found);
        self
    }

    /// And what lies in `path` may be changed: written, made, removed. A folder around a hidden one may not.
    #[must_use]
    pub fn and_change(mut self, path: impl AsRef<Path>) -> Reach {
        let Ok(path) = path.as_ref().canonicalize() else { return self };
        if !self.holds_hidden(&path) {
            self.change.insert(path);
        }
        self
    }

    /// And this may be changed although it lies in something hidden: it is given, not found.
    #[must_use]
    pub fn and_own(mut self, path: impl AsRef<Path>) -> Reach {
        self.change.extend(path.as_ref().canonicalize());
        self
    }

    /// And this may be read although it lies in something hidden: it is given, not found.
    #[must_use]
    pub fn and_given(mut self, path: impl AsRef<Path>) -> Reach {
        self.read.extend(path.as_ref().canonicalize());
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

    fn holds_hidden(&self, path: &Path) -> bool {
        self.hidden.iter().any(|hidden| hidden.starts_with(path) || path.starts_with(hidden))
    }

    /// The path, or the entries in it that hold nothing hidden.
    fn around_hidden(&self, path: &Path) -> Vec<PathBuf> {
        let Ok(path) = path.canonicalize() else { return Vec::new() };
        if !self.holds_hidden(&path) {
            return vec![path];
        }
        let is_around =
            self.hidden.iter().any(|hidden| hidden != &path && hidden.starts_with(&path));
        let Ok(entries) = std::fs::read_dir(&path) else { return Vec::new() };
        let entries: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).take(ENTRIES_MAX + 1).collect();
        if !is_around || entries.len() > ENTRIES_MAX {
            return Vec::new();
        }
        // Links are passed over: where they lead is named by itself, if it may be.
        entries
            .iter()
            .filter(|entry| !entry.is_symlink())
            .flat_map(|entry| self.around_hidden(entry))
            .collect()
    }
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

    /// Of a folder with `entries`, with `hidden` ones: what may be read when the folder is named.
    fn check(entries: &[&str], hidden: &[&str], expect: &[&str]) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = folder.path().canonicalize().expect("it is there");
        for entry in entries {
            std::fs::create_dir_all(root.join(entry)).expect("made");
        }
        let hidden = hidden.iter().map(|it| root.join(it)).collect();
        let reach = Reach { hidden, ..Reach::default() }.and_read(&root).and_change(&root);
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
        let reach = Reach { hidden: vec![home.clone()], ..Reach::default() };
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
        let reach = Reach { hidden: vec![root.clone()], ..Reach::default() };
        let reach = reach.and_read(&root).and_change(root.join("jobs")).and_own(&own);
        assert!(reach.read.is_empty());
        assert!(reach.may_change(&own) && !reach.may_change(&root.join("jobs")));
    }
}
