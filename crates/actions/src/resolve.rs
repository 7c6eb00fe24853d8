//! From `uses` to code on this machine: native, or the files of one commit.
//!
//! The order of the answers: the lock file where it is committed; then a native version; then the
//! commit that the tag or branch stands at now. What is on the shelf is not fetched again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use workflow::Uses;

use crate::git::{Git, Trouble};
use crate::lock::{Lock, Locked, is_object_id};
use crate::mirror::{Mirrors, Origin};
use crate::native;
use crate::refusal::ResolveError;
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

/// A workflow file of another repository.
#[derive(Clone, Debug)]
pub struct ResolvedWorkflow {
    /// `owner/repo`
    pub repository: String,
    /// The file inside it.
    pub path: String,
    /// The ref as written.
    pub reference: String,
    /// The commit.
    pub commit: String,
    /// What the file says.
    pub text: String,
    /// The files of the commit, for what the workflow names beside it.
    pub folder: PathBuf,
    /// What a person should read in the log.
    pub notes: Vec<Note>,
}

/// Finds the action that a step's `uses` names. `progress` hears what takes time.
pub fn resolve(
    uses: &Uses,
    options: &ResolveOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Resolved, ResolveError> {
    let native = match uses {
        Uses::Remote { owner, repo, path, reference } if !options.no_native => {
            native::lookup(owner, repo, path.as_deref(), reference)
        }
        _ => None,
    };
    with_search(uses, options, progress, |search, path, locked| {
        let resolved = match (locked, native) {
            (Some(Locked::Fetched { commit, tree }), _) => {
                let commit = search.locked(&commit, &tree)?;
                search.finish(path, &commit)?
            }
            (_, Some(native)) => search.native(path, &native),
            (_, None) => {
                let commit = search.by_reference()?;
                search.finish(path, &commit)?
            }
        };
        let commit = resolved.commit.clone();
        Ok((resolved, commit))
    })
}

/// Finds the workflow file that a job's `uses` names, when it lies in another repository.
pub fn resolve_workflow(
    uses: &Uses,
    options: &ResolveOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<ResolvedWorkflow, ResolveError> {
    with_search(uses, options, progress, |search, path, locked| {
        let commit = match locked {
            Some(Locked::Fetched { commit, tree }) => search.locked(&commit, &tree)?,
            _ => search.by_reference()?,
        };
        let folder = search.shelf.export(&commit).map_err(|error| search.shelf_failed(error))?;
        let path = path.unwrap_or_default().to_owned();
        let file = folder.join(&path);
        let text = read_limited(&file)?.ok_or_else(|| ResolveError::NoWorkflow {
            uses: search.uses.clone(),
            path: path.clone(),
            commit: commit.clone(),
        })?;
        let found = ResolvedWorkflow {
            repository: format!("{}/{}", search.owner, search.repo),
            path,
            reference: search.reference.to_owned(),
            commit: commit.clone(),
            text,
            folder,
            notes: std::mem::take(&mut search.notes),
        };
        Ok((found, Some(commit)))
    })
}

/// Checks the name, asks the lock file, lets `find` do its work, and records what it found.
fn with_search<T>(
    uses: &Uses,
    options: &ResolveOptions,
    progress: &mut dyn FnMut(&str),
    find: impl FnOnce(
        &mut Search<'_>,
        Option<&str>,
        Option<Locked>,
    ) -> Result<(T, Option<String>), ResolveError>,
) -> Result<T, ResolveError> {
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
    let wins = lock.as_ref().filter(|lock| lock.committed());
    let locked = wins.and_then(|lock| lock.get(&name)).cloned();
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
    let (found, commit) = find(&mut search, path.as_deref(), locked)?;
    if let Some(lock) = &mut lock {
        record(lock, &name, commit.as_deref(), options, &search.shelf)?;
    }
    Ok(found)
}

/// The metadata file in a folder (conformance 143); also for actions in the workspace.
pub fn manifest_in(folder: &Path) -> Result<ManifestFile, ResolveError> {
    for name in ["action.yml", "action.yaml"] {
        let path = folder.join(name);
        let Some(text) = read_limited(&path)? else { continue };
        return Ok(ManifestFile::Yaml { name, text });
    }
    ["Dockerfile", "dockerfile"]
        .into_iter()
        .find(|name| folder.join(name).is_file())
        .map(|name| ManifestFile::Dockerfile { name })
        .ok_or_else(|| ResolveError::NoManifest { place: folder.display().to_string() })
}

/// What a YAML file says; nothing where it is not there.
fn read_limited(path: &Path) -> Result<Option<String>, ResolveError> {
    if !path.is_file() {
        return Ok(None);
    }
    let failed = |source| ResolveError::Manifest { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MANIFEST_BYTES_MAX {
        let long = format!("longer than {MANIFEST_BYTES_MAX} bytes");
        return Err(failed(std::io::Error::other(long)));
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

fn record(
    lock: &mut Lock,
    uses: &str,
    commit: Option<&str>,
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
    let entry = match commit {
        None => Locked::Native,
        Some(commit) => match shelf.tree_id(commit) {
            Some(tree) => Locked::Fetched { commit: commit.to_owned(), tree },
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
    fn native(&mut self, path: Option<&str>, native: &native::NativeAction) -> Resolved {
        self.notes.push(Note::Info(format!(
            "{}: Launchway's native version (--no-native runs the original)",
            self.uses
        )));
        Resolved {
            repository: format!("{}/{}", self.owner, self.repo),
            path: path.map(str::to_owned),
            reference: self.reference.to_owned(),
            commit: None,
            source: ActionSource::Native(native.name),
            manifest: ManifestFile::Yaml { name: "action.yml", text: native.manifest.to_owned() },
            notes: std::mem::take(&mut self.notes),
        }
    }

    /// The lock file's commit, or nothing.
    fn locked(&mut self, commit: &str, tree: &str) -> Result<String, ResolveError> {
        if self.shelf.tree_id(commit).is_none() {
            self.fetch(commit, None).map_err(|error| match error {
                ResolveError::Unreachable { uses, address, source } => ResolveError::LockedCommit {
                    uses,
                    commit: commit.to_owned(),
                    address,
                    source: Some(source),
                },
                ResolveError::NoReference { uses, address, .. }
                | ResolveError::NoRepository { uses, address } => ResolveError::LockedCommit {
                    uses,
                    commit: commit.to_owned(),
                    address,
                    source: None,
                },
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
        Ok(commit.to_owned())
    }

    fn by_reference(&mut self) -> Result<String, ResolveError> {
        if is_object_id(self.reference) {
            let commit = self.reference.to_ascii_lowercase();
            if self.shelf.tree_id(&commit).is_none() {
                self.fetch(&commit, None)?;
            }
            return Ok(commit);
        }
        let Some((commit, full_ref)) = self.look_up()? else { return Err(self.no_reference()) };
        if self.shelf.tree_id(&commit).is_none() {
            self.fetch(&commit, full_ref.as_deref())?;
        }
        Ok(commit)
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
                Trouble::NoCommit => {
                    let reference = self.reference.to_owned();
                    return Err(ResolveError::NoReference { uses, address, reference });
                }
                _ => {
                    let source = Box::new(error);
                    return Err(ResolveError::Unreachable { uses, address, source });
                }
            }
        }
        unreachable!("the last try returns")
    }

    fn finish(&mut self, path: Option<&str>, commit: &str) -> Result<Resolved, ResolveError> {
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
            path: path.map(str::to_owned),
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
