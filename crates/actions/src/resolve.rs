//! From `uses` to code on this machine: native, or the files of one commit.
//!
//! The order of the answers: the lock file where it is committed; then a native version; then the
//! commit that the tag or branch stands at now. What is on the shelf is not fetched again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use workflow::Uses;

use crate::git::{Git, Trouble};
use crate::lock::{Lock, LockError, Locked, is_object_id};
use crate::mirror::{Mirrors, Origin};
use crate::native;
use crate::shelf::{Shelf, ShelfError};

/// How often a host is asked before it counts as unreachable.
const TRIES_MAX: u32 = 3;

/// The longest metadata file: GitHub refuses larger YAML files too.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// How actions are found.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// The folder that keeps fetched actions, shared by all runs.
    pub actions: PathBuf,
    /// Only what is on this machine: the shelf, and mirrors that are folders.
    pub offline: bool,
    /// Third-party code even where a native version exists.
    pub no_native: bool,
    /// Where repositories come from.
    pub mirrors: Mirrors,
    /// The lock file.
    pub lock_file: Option<PathBuf>,
    /// Write the lock file even where its folder is not there yet.
    pub write_lock: bool,
    /// How long to wait before an unreachable host is asked again; the second time thrice as long.
    pub retry_pause: Duration,
}

impl ResolveOptions {
    /// Online, native where possible, from GitHub, without a lock file.
    pub fn new(actions: impl Into<PathBuf>) -> ResolveOptions {
        ResolveOptions {
            actions: actions.into(),
            offline: false,
            no_native: false,
            mirrors: Mirrors::default(),
            lock_file: None,
            write_lock: false,
            retry_pause: Duration::from_millis(400),
        }
    }
}

/// An action, ready to run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// `owner/repo`
    pub repository: String,
    /// The folder inside it.
    pub path: Option<String>,
    /// The ref as written.
    pub reference: String,
    /// The commit; a native version has none.
    pub commit: Option<String>,
    /// Where it is.
    pub source: ActionSource,
    /// Its metadata.
    pub manifest: ManifestFile,
    /// What a person should read in the log.
    pub notes: Vec<Note>,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Worth knowing.
    Info(String),
    /// Worth a warning.
    Warning(String),
}

/// Where an action is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionSource {
    /// Our own version, by its name: `launchway native NAME STAGE`.
    Native(&'static str),
    /// Its folder: the one that holds the metadata file.
    Folder {
        /// `GITHUB_ACTION_PATH`
        action: PathBuf,
        /// The whole repository, for `$/` paths inside it.
        repository: PathBuf,
    },
}

/// An action's metadata file (conformance 143).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestFile {
    /// `action.yml` or `action.yaml`
    Yaml {
        /// The file's name.
        name: &'static str,
        /// What it says.
        text: String,
    },
    /// Only a `Dockerfile`.
    Dockerfile {
        /// The file's name.
        name: &'static str,
    },
}

/// Why an action cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Not something that is fetched.
    #[error("{uses} is not an action of a repository")]
    NotRemote {
        /// As written.
        uses: String,
    },
    /// A name that would leave its folder.
    #[error("{uses} is not the name of an action")]
    Name {
        /// As written.
        uses: String,
    },
    /// Nothing on this machine, and nothing may be fetched.
    #[error("{uses} is not on this machine, and --offline forbids fetching it")]
    Offline {
        /// As written.
        uses: String,
    },
    /// The host was not reached, or did not let us in.
    #[error("{uses} could not be fetched from {address}")]
    Unreachable {
        /// As written.
        uses: String,
        /// Where it was looked for.
        address: String,
        /// git's words.
        #[source]
        source: Box<ShelfError>,
    },
    /// No such repository there.
    #[error("unable to resolve action {uses}: no repository at {address}")]
    NoRepository {
        /// As written.
        uses: String,
        /// Where it was looked for.
        address: String,
    },
    /// No such ref.
    #[error("unable to resolve action {uses}: {address} has no tag, branch or commit {reference}")]
    NoReference {
        /// As written.
        uses: String,
        /// Where it was looked for.
        address: String,
        /// The ref.
        reference: String,
    },
    /// A shortened commit, which GitHub refuses too.
    #[error("unable to resolve action {uses}: {reference} is a shortened commit")]
    ShortCommit {
        /// As written.
        uses: String,
        /// The ref.
        reference: String,
        /// The whole name, where it is known.
        complete: Option<String>,
    },
    /// The lock file wants a commit that nobody has.
    #[error("{uses} is locked to commit {commit}, which {address} does not give")]
    LockedCommit {
        /// As written.
        uses: String,
        /// The commit.
        commit: String,
        /// Where it was looked for.
        address: String,
        /// git's words.
        #[source]
        source: Box<ShelfError>,
    },
    /// The lock file wants another tree.
    #[error("{uses} is locked to tree {expected} of commit {commit}, but that commit has {found}")]
    LockedTree {
        /// As written.
        uses: String,
        /// The commit.
        commit: String,
        /// What the lock file says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// No metadata file.
    #[error("no action.yml, action.yaml or Dockerfile in {place}")]
    NoManifest {
        /// Where it was looked for.
        place: String,
    },
    /// A metadata file that cannot be read.
    #[error("cannot read {path}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The shelf itself.
    #[error("{uses} could not be kept")]
    Shelf {
        /// As written.
        uses: String,
        /// Why.
        #[source]
        source: ShelfError,
    },
    /// The lock file itself.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl ResolveError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const ELSEWHERE: &str =
            "name another place that has it with a mirror (owner/repo=FOLDER or =https://host)";
        match self {
            ResolveError::NotRemote { .. } | ResolveError::Name { .. } => {
                "write owner/repo[/path]@ref".to_owned()
            }
            ResolveError::Offline { .. } => {
                format!("run once without --offline, or {ELSEWHERE}")
            }
            ResolveError::Unreachable { source, .. } => match source.as_ref() {
                ShelfError::Git(error) if error.trouble() == Trouble::Denied => {
                    "a private repository needs a credential helper of git (gh auth setup-git)"
                        .to_owned()
                }
                _ => format!("check the network, or {ELSEWHERE}"),
            },
            ResolveError::NoRepository { .. } => {
                format!("check the spelling; a private one needs git credentials; or {ELSEWHERE}")
            }
            ResolveError::NoReference { .. } => "check the tags of the action".to_owned(),
            ResolveError::ShortCommit { complete: Some(id), .. } => format!("write @{id}"),
            ResolveError::ShortCommit { .. } => {
                "GitHub refuses these: write all 40 digits of the commit".to_owned()
            }
            ResolveError::LockedCommit { .. } | ResolveError::LockedTree { .. } => format!(
                "if the change is wanted remove the line from the lock file and run again; or {ELSEWHERE}"
            ),
            ResolveError::NoManifest { .. } => "check the path in front of the @".to_owned(),
            ResolveError::Manifest { .. } | ResolveError::Shelf { .. } => {
                "check the folder's permissions and the free disk".to_owned()
            }
            ResolveError::Lock(_) => {
                "correct the line, or remove the file: the next run writes it again".to_owned()
            }
        }
    }

    /// The exit code: 5 where something is missing or unreachable, 3 where the input is wrong, 4
    /// where the lock file forbids it.
    pub fn exit_code(&self) -> u8 {
        match self {
            ResolveError::NotRemote { .. }
            | ResolveError::Name { .. }
            | ResolveError::NoReference { .. }
            | ResolveError::ShortCommit { .. }
            | ResolveError::NoManifest { .. }
            | ResolveError::Lock(LockError::Line { .. }) => 3,
            ResolveError::LockedTree { .. } => 4,
            ResolveError::Offline { .. }
            | ResolveError::Unreachable { .. }
            | ResolveError::NoRepository { .. }
            | ResolveError::LockedCommit { .. }
            | ResolveError::Manifest { .. }
            | ResolveError::Shelf { .. }
            | ResolveError::Lock(LockError::File { .. }) => 5,
        }
    }
}

/// Finds the action that a step's `uses` names. `progress` hears what takes time.
pub fn resolve(
    uses: &Uses,
    options: &ResolveOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Resolved, ResolveError> {
    let Uses::Remote { owner, repo, path, reference } = uses else {
        return Err(ResolveError::NotRemote { uses: uses.to_string() });
    };
    let name = uses.to_string();
    let harmless = |part: &str| part != "." && part != ".." && !part.starts_with('-');
    let parts = path.as_deref().unwrap_or("").split('/');
    if !parts.chain([owner.as_str(), repo.as_str(), reference.as_str()]).all(harmless) {
        return Err(ResolveError::Name { uses: name });
    }
    let mut lock = options.lock_file.as_deref().map(Lock::read).transpose()?;
    let locked = lock.as_ref().filter(|lock| lock.committed()).and_then(|lock| lock.get(&name));
    let mut search = Search {
        uses: name.clone(),
        owner,
        repo,
        reference,
        options,
        shelf: Shelf::new(&options.actions, owner, repo),
        origin: options.mirrors.origin(owner, repo),
        notes: Vec::new(),
        progress,
    };
    let native = native::lookup(owner, repo, path.as_deref(), reference);
    let resolved = match (locked.cloned(), native) {
        (Some(Locked::Fetched { commit, tree }), _) => search.locked(path, &commit, &tree)?,
        (_, Some(native)) if !options.no_native => search.native(path, &native),
        (_, _) => search.by_reference(path)?,
    };
    if let Some(lock) = &mut lock {
        record(lock, &name, &resolved, options, &search.shelf)?;
    }
    Ok(resolved)
}

/// The metadata file in a folder (conformance 143); also for actions in the workspace.
pub fn manifest_in(folder: &Path) -> Result<ManifestFile, ResolveError> {
    for name in ["action.yml", "action.yaml"] {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        let failed = |source| ResolveError::Manifest { path: path.clone(), source };
        if fs::metadata(&path).map_err(failed)?.len() > MANIFEST_BYTES_MAX {
            let long = format!("longer than {MANIFEST_BYTES_MAX} bytes");
            return Err(failed(std::io::Error::other(long)));
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        return Ok(ManifestFile::Yaml { name, text });
    }
    ["Dockerfile", "dockerfile"]
        .into_iter()
        .find(|name| folder.join(name).is_file())
        .map(|name| ManifestFile::Dockerfile { name })
        .ok_or_else(|| ResolveError::NoManifest { place: folder.display().to_string() })
}

fn record(
    lock: &mut Lock,
    uses: &str,
    resolved: &Resolved,
    options: &ResolveOptions,
    shelf: &Shelf,
) -> Result<(), ResolveError> {
    let folder_exists = lock.path().parent().is_some_and(Path::is_dir);
    if !folder_exists && !options.write_lock {
        return Ok(());
    }
    // `--no-native` is an experiment of one run, not news for a file that others share.
    if lock.committed() && lock.get(uses) == Some(&Locked::Native) {
        return Ok(());
    }
    let entry = match &resolved.commit {
        None => Locked::Native,
        Some(commit) => match shelf.tree_id(commit) {
            Some(tree) => Locked::Fetched { commit: commit.clone(), tree },
            None => return Ok(()),
        },
    };
    lock.record(uses, entry)?;
    Ok(())
}

/// One action on its way.
struct Search<'s> {
    uses: String,
    owner: &'s str,
    repo: &'s str,
    reference: &'s str,
    options: &'s ResolveOptions,
    shelf: Shelf,
    origin: Origin,
    notes: Vec<Note>,
    progress: &'s mut dyn FnMut(&str),
}

impl Search<'_> {
    fn native(&mut self, path: &Option<String>, native: &native::NativeAction) -> Resolved {
        self.notes.push(Note::Info(format!(
            "{}: Launchway's native version (--no-native runs the original)",
            self.uses
        )));
        Resolved {
            repository: format!("{}/{}", self.owner, self.repo),
            path: path.clone(),
            reference: self.reference.to_owned(),
            commit: None,
            source: ActionSource::Native(native.name),
            manifest: ManifestFile::Yaml { name: "action.yml", text: native.manifest.to_owned() },
            notes: std::mem::take(&mut self.notes),
        }
    }

    /// The lock file's commit, or nothing.
    fn locked(
        &mut self,
        path: &Option<String>,
        commit: &str,
        tree: &str,
    ) -> Result<Resolved, ResolveError> {
        if self.shelf.tree_id(commit).is_none() {
            self.fetch(commit, None).map_err(|error| match error {
                ResolveError::Unreachable { uses, address, source } => {
                    ResolveError::LockedCommit { uses, commit: commit.to_owned(), address, source }
                }
                other => other,
            })?;
        }
        let found = self.shelf.tree_id(commit).unwrap_or_default();
        if found != tree {
            return Err(ResolveError::LockedTree {
                uses: self.uses.clone(),
                commit: commit.to_owned(),
                expected: tree.to_owned(),
                found,
            });
        }
        // Where the tag stands today is only news: not reaching the host is none.
        if let Ok(Some((now, _))) = self.look_up()
            && now != commit
        {
            self.notes.push(Note::Warning(format!(
                "{} moved to {now}; the locked commit {commit} runs",
                self.uses
            )));
        }
        self.finish(path, commit)
    }

    fn by_reference(&mut self, path: &Option<String>) -> Result<Resolved, ResolveError> {
        if is_object_id(self.reference) {
            let commit = self.reference.to_ascii_lowercase();
            if self.shelf.tree_id(&commit).is_none() {
                self.fetch(&commit, None)?;
            }
            return self.finish(path, &commit);
        }
        let Some((commit, full_ref)) = self.look_up()? else { return Err(self.no_reference()) };
        if self.shelf.tree_id(&commit).is_none() {
            self.fetch(&commit, full_ref.as_deref())?;
        }
        self.finish(path, &commit)
    }

    /// Where the ref stands: its commit, and its full name where the host was asked.
    fn look_up(&mut self) -> Result<Option<(String, Option<String>)>, ResolveError> {
        if is_object_id(self.reference) {
            return Ok(Some((self.reference.to_ascii_lowercase(), None)));
        }
        let seen = self.shelf.seen(self.reference);
        if self.options.offline && !self.origin.local {
            let Some((commit, _)) = seen else {
                return Err(ResolveError::Offline { uses: self.uses.clone() });
            };
            return Ok(Some((commit, None)));
        }
        // A folder on this machine is asked every time: it costs nothing.
        if let Some((commit, true)) = &seen
            && !self.origin.local
        {
            return Ok(Some((commit.clone(), None)));
        }
        match self.ask_host() {
            Ok(Some((commit, full_ref))) => {
                self.shelf
                    .saw(self.reference, &commit)
                    .map_err(|error| self.shelf_failed(error))?;
                Ok(Some((commit, Some(full_ref))))
            }
            Ok(None) => Ok(None),
            Err(ResolveError::Unreachable { address, source, .. }) if seen.is_some() => {
                let (commit, _) = seen.expect("looked at in the guard");
                self.notes.push(Note::Warning(format!(
                    "{}: {address} was not reached ({source}); the stored commit {commit} runs",
                    self.uses
                )));
                Ok(Some((commit, None)))
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the host for a tag, else a branch, of that name.
    fn ask_host(&mut self) -> Result<Option<(String, String)>, ResolveError> {
        let (address, reference) = (self.origin.address.clone(), self.reference);
        let answer = self.with_retry(|| {
            Git::new(Path::new("/"), "ls-remote")
                .args(["--quiet", "--", &address])
                .args([
                    format!("refs/tags/{reference}"),
                    format!("refs/tags/{reference}^{{}}"),
                    format!("refs/heads/{reference}"),
                    reference.to_owned(),
                ])
                .text()
                .map_err(ShelfError::from)
        })?;
        let lines = answer.lines().filter_map(|line| line.split_once('\t')).collect::<Vec<_>>();
        let find = |wanted: &str| {
            lines.iter().find(|(_, name)| *name == wanted).map(|(id, _)| (*id).to_owned())
        };
        let tag = format!("refs/tags/{reference}");
        let branch = format!("refs/heads/{reference}");
        // An annotated tag is followed to its commit.
        let tagged = find(&format!("{tag}^{{}}")).or_else(|| find(&tag));
        let full = || reference.starts_with("refs/").then(|| find(reference)).flatten();
        Ok(tagged
            .map(|commit| (commit, tag))
            .or_else(|| find(&branch).map(|commit| (commit, branch)))
            .or_else(|| full().map(|commit| (commit, reference.to_owned()))))
    }

    fn fetch(&mut self, commit: &str, full_ref: Option<&str>) -> Result<(), ResolveError> {
        if self.options.offline && !self.origin.local {
            return Err(ResolveError::Offline { uses: self.uses.clone() });
        }
        let address = self.origin.address.clone();
        let through = match &self.origin.rule {
            Some(rule) => format!(" (mirror {rule})"),
            None => String::new(),
        };
        (self.progress)(&format!(
            "fetching {} (commit {commit}) from {address}{through}",
            self.uses
        ));
        let shelf = Shelf::new(&self.options.actions, self.owner, self.repo);
        self.with_retry(|| shelf.fetch(&address, commit, full_ref))
    }

    /// Tries again where the network was to blame, and only there.
    fn with_retry<T>(
        &mut self,
        mut attempt: impl FnMut() -> Result<T, ShelfError>,
    ) -> Result<T, ResolveError> {
        let mut pause = self.options.retry_pause;
        for tried in 1.. {
            let error = match attempt() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let trouble = match &error {
                ShelfError::Git(error) => error.trouble(),
                _ => return Err(self.shelf_failed(error)),
            };
            let address = self.origin.address.clone();
            let uses = self.uses.clone();
            match trouble {
                Trouble::Network if tried < TRIES_MAX => {
                    (self.progress)(&format!("{address} was not reached, trying again: {error}"));
                    std::thread::sleep(pause);
                    pause *= 3;
                }
                Trouble::Missing => return Err(ResolveError::NoRepository { uses, address }),
                _ => {
                    let source = Box::new(error);
                    return Err(ResolveError::Unreachable { uses, address, source });
                }
            }
        }
        unreachable!("the last try returns")
    }

    fn finish(&mut self, path: &Option<String>, commit: &str) -> Result<Resolved, ResolveError> {
        let repository = self.shelf.export(commit).map_err(|error| self.shelf_failed(error))?;
        let action = match path {
            Some(path) => repository.join(path),
            None => repository.clone(),
        };
        let manifest = manifest_in(&action).map_err(|error| match error {
            ResolveError::NoManifest { .. } => {
                ResolveError::NoManifest { place: format!("{} (commit {commit})", self.uses) }
            }
            other => other,
        })?;
        Ok(Resolved {
            repository: format!("{}/{}", self.owner, self.repo),
            path: path.clone(),
            reference: self.reference.to_owned(),
            commit: Some(commit.to_owned()),
            source: ActionSource::Folder { action, repository },
            manifest,
            notes: std::mem::take(&mut self.notes),
        })
    }

    fn no_reference(&self) -> ResolveError {
        let (uses, reference) = (self.uses.clone(), self.reference.to_owned());
        // GitHub takes a commit only whole (its message names the shortened form).
        let short = (7..40).contains(&reference.len())
            && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        if short {
            let complete = self.shelf.complete(&reference);
            return ResolveError::ShortCommit { uses, reference, complete };
        }
        ResolveError::NoReference { uses, address: self.origin.address.clone(), reference }
    }

    fn shelf_failed(&self, source: ShelfError) -> ResolveError {
        ResolveError::Shelf { uses: self.uses.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::GitError;

    #[test]
    fn every_failure_has_a_remedy_and_a_code() {
        let git =
            GitError::Failed { command: "fetch".to_owned(), message: "Connection".to_owned() };
        let error = ResolveError::Unreachable {
            uses: "o/r@v1".to_owned(),
            address: "https://h/o/r".to_owned(),
            source: Box::new(git.into()),
        };
        assert_eq!(error.exit_code(), 5);
        assert!(error.hint().contains("mirror"));
    }
}
