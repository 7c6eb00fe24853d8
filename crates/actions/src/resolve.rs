//! From `uses` to code on this machine: native, or the files of one commit.
//!
//! The order of the answers: the lock file where it is committed; then a native version; then the
//! commit that the tag or branch stands at now. What is on the shelf is not fetched again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use workflow::Uses;

use crate::lock::{Lock, Locked};
use crate::mirror::Mirrors;
use crate::native;
use crate::refusal::ResolveError;
use crate::search::Search;
use crate::shelf::Shelf;

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
    /// Steps run elsewhere, in a container: native versions that bring tools for this machine are of no
    /// use there.
    pub tools_elsewhere: bool,
    /// Where repositories come from.
    pub mirrors: Mirrors,
    /// The lock file.
    pub lock_file: Option<PathBuf>,
    /// When the lock file is written.
    pub write_lock: WriteLock,
    /// How long to wait before an unreachable host is asked again; the second time thrice as long.
    pub retry_pause: Duration,
}

/// When what was found is recorded in the lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteLock {
    /// It is only read.
    Never,
    /// Where its folder is there: that is how a repository says that it wants one.
    WhereItsFolderIs,
    /// Always; its folder is made.
    Always,
}

impl ResolveOptions {
    /// Online, native where possible, from GitHub, without a lock file.
    pub fn new(actions: impl Into<PathBuf>) -> ResolveOptions {
        ResolveOptions {
            actions: actions.into(),
            offline: false,
            no_native: false,
            tools_elsewhere: false,
            mirrors: Mirrors::default(),
            lock_file: None,
            write_lock: WriteLock::WhereItsFolderIs,
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
                .filter(|native| !(options.tools_elsewhere && native.brings_tools()))
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
    let is_wanted = match options.write_lock {
        WriteLock::Never => false,
        WriteLock::WhereItsFolderIs => lock.path().parent().is_some_and(Path::is_dir),
        WriteLock::Always => true,
    };
    if !is_wanted {
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
