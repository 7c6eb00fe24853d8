//! The search for one action: on the shelf, in the lock file's words, at its host.

use std::path::Path;

use crate::git::{Git, Trouble};
use crate::lock::is_object_id;
use crate::mirror::Origin;
use crate::native;
use crate::refusal::ResolveError;
use crate::resolve::{ActionSource, ManifestFile, Note, ResolveOptions, Resolved, manifest_in};
use crate::shelf::{Shelf, ShelfError};

/// How often a host is asked before it counts as unreachable.
const TRIES_MAX: u32 = 3;

/// One action on its way.
pub(crate) struct Search<'s> {
    pub(crate) uses: String,
    pub(crate) owner: &'s str,
    pub(crate) repo: &'s str,
    pub(crate) reference: &'s str,
    pub(crate) options: &'s ResolveOptions,
    pub(crate) shelf: Shelf,
    pub(crate) origin: Origin,
    pub(crate) notes: Vec<Note>,
    pub(crate) progress: &'s mut dyn FnMut(&str),
}

impl Search<'_> {
    pub(crate) fn native(&mut self, path: Option<&str>, native: &native::NativeAction) -> Resolved {
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
    pub(crate) fn locked(&mut self, commit: &str, tree: &str) -> Result<String, ResolveError> {
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

    pub(crate) fn by_reference(&mut self) -> Result<String, ResolveError> {
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

    pub(crate) fn finish(
        &mut self,
        path: Option<&str>,
        commit: &str,
    ) -> Result<Resolved, ResolveError> {
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

    pub(crate) fn shelf_failed(&self, source: ShelfError) -> ResolveError {
        ResolveError::Shelf { uses: self.uses.clone(), source }
    }
}
