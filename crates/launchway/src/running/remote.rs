//! Reusable workflows of other repositories: fetched by git, locked and kept by commit like actions.
//!
//! A ref is looked up once for a command: what the file of one call names beside itself (`./`,
//! conformance 117) is read at the commit that was found for the call, even where the tag moves
//! meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use actions::{Mirrors, Note, ResolveError, ResolveOptions, WriteLock};
use event::WorkflowFile;
use protocol::JobOptions;
use workflow::Uses;

use crate::running::engine::LOCK_FILE;
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// Where called files of other repositories come from.
pub(crate) struct RemoteFiles {
    options: ResolveOptions,
    /// The commit of each `owner/repo@ref` that was looked up.
    commits: RefCell<BTreeMap<String, String>>,
}

impl RemoteFiles {
    /// For the repository at `root`. `write_lock`: when what is found is recorded there.
    pub(crate) fn new(
        state: &StateFolder,
        root: &Path,
        options: &JobOptions,
        write_lock: WriteLock,
    ) -> RemoteFiles {
        let mut resolving = ResolveOptions::new(state.actions());
        resolving.offline = options.offline;
        resolving.mirrors = Mirrors::new(options.mirrors.clone());
        resolving.lock_file = Some(root.join(LOCK_FILE));
        resolving.write_lock = write_lock;
        RemoteFiles { options: resolving, commits: RefCell::default() }
    }

    /// The file that `uses` names, under the name it is called by.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn file(&self, uses: &Uses) -> Result<WorkflowFile, ResolveError> {
        let Uses::Remote { owner, repo, path, reference } = uses else {
            return Err(ResolveError::NotRemote { uses: uses.to_string() });
        };
        let repository = format!("{owner}/{repo}@{reference}").to_lowercase();
        let known = self.commits.borrow().get(&repository).cloned();
        let progress = &mut |text: &str| talk(text);
        let found = match known {
            None => actions::resolve_workflow(uses, &self.options, progress),
            Some(commit) => {
                let pinned = Uses::Remote {
                    owner: owner.clone(),
                    repo: repo.clone(),
                    path: path.clone(),
                    reference: commit,
                };
                // The lock file knows tags, and this commit came from it or from the host.
                let options = ResolveOptions { lock_file: None, ..self.options.clone() };
                actions::resolve_workflow(&pinned, &options, progress)
            }
        };
        let found = found?;
        for note in found.notes {
            match note {
                Note::Info(text) => talk(&format!("note: {text}")),
                Note::Warning(text) => talk(&format!("warning: {text}")),
            }
        }
        self.commits.borrow_mut().insert(repository, found.commit);
        Ok(WorkflowFile { path: uses.to_string().into(), text: found.text.into() })
    }
}
