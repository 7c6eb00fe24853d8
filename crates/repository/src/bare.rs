//! A bare repository that others push to: what was pushed is what git says it was, commit by commit.
//!
//! There is no work tree, so nothing stands for what is not committed, and nothing is guessed: a push
//! is an old commit, a new one, and a ref.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::RepositoryError;
use crate::changes::ChangedFiles;
use crate::discover::{CommittedFile, Config, Repository, commit, joined};
use crate::event::TriggeringEvent;
use crate::git::{GitError, ask, git, git_clean, git_up_to, names};
use crate::payload::NO_COMMIT;
use crate::private::PrivateStore;

/// The longest file of a commit that is read.
const FILE_BYTES_MAX: usize = 4 << 20;
/// The most names of a commit's files that are asked for.
const NAMES_MAX: usize = 200_000;

/// What git tells its hooks of a ref that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    /// The commit before; zeros where the ref is new.
    pub old: String,
    /// The commit now; zeros where the ref was deleted.
    pub new: String,
    /// `refs/heads/main`
    pub git_ref: String,
}

impl RefUpdate {
    /// A line of a hook's standard input; none where it is something else.
    pub fn parse(line: &str) -> Option<RefUpdate> {
        let mut parts = line.trim_end_matches('\n').splitn(3, ' ');
        let (old, new, git_ref) = (parts.next()?, parts.next()?, parts.next()?);
        let is_id =
            |it: &str| it.len() >= NO_COMMIT.len() && it.bytes().all(|it| it.is_ascii_hexdigit());
        let is_whole = is_id(old) && is_id(new) && git_ref.starts_with("refs/");
        is_whole.then(|| RefUpdate { old: old.into(), new: new.into(), git_ref: git_ref.into() })
    }

    /// Whether the ref is gone.
    pub fn deletes(&self) -> bool {
        self.new.bytes().all(|it| it == b'0')
    }

    /// Whether it was not there before.
    pub fn creates(&self) -> bool {
        self.old.bytes().all(|it| it == b'0')
    }
}

impl Repository {
    /// A bare repository at one of its commits, in the name of whoever pushed it.
    ///
    /// # Errors
    /// When there is none, or it does not have the commit.
    pub fn bare(
        path: &Path,
        at: &str,
        pusher: (String, String),
    ) -> Result<Repository, RepositoryError> {
        let shown = path.display().to_string();
        let Some(root) = bare_root(path)? else {
            return Err(RepositoryError::NotARepository { path: shown });
        };
        let (head, config, branch) = std::thread::scope(|scope| {
            let head = scope.spawn(|| commit(&root, at));
            let config = scope.spawn(|| Config::read(&root));
            // Where `HEAD` points is what a clone checks out, whether or not the branch is there yet.
            let branch = ask(&root, &["symbolic-ref", "--short", "HEAD"]);
            (joined(head), joined(config), branch)
        });
        let Some(head) = head? else {
            return Err(match kind(&root, at)? {
                Some(kind) => RepositoryError::NotACommit { name: at.to_owned(), kind },
                None => RepositoryError::NoCommit { path: shown },
            });
        };
        let (config, branch) = (config?, branch?);
        let (owner, name) = config.full_name(&root);
        Ok(Repository {
            owner,
            name: name.strip_suffix(".git").unwrap_or(&name).to_owned(),
            identity: config.identity(&root),
            branch: None,
            upstream: None,
            default_branch: branch.unwrap_or_else(|| "main".to_owned()),
            head,
            uncommitted: Vec::new(),
            user: pusher,
            root,
        })
    }

    /// The push of a ref to this bare repository, which is at the new commit.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn pushed(&self, update: &RefUpdate) -> Result<TriggeringEvent, RepositoryError> {
        let before = self.before(update)?;
        let commits = self.pushed_commits(before.as_deref())?;
        let is_tag = update.git_ref.starts_with("refs/tags/");
        // Path filters are not looked at for tags (conformance 33).
        let changed = match is_tag {
            true => ChangedFiles::All,
            false => self.changed_since(before.as_deref(), false)?,
        };
        let mut payload = self.push_payload(&update.git_ref, before.as_deref(), &commits);
        payload["before"] = update.old.as_str().into();
        payload["created"] = update.creates().into();
        let rewound = !update.creates() && before.as_deref() != Some(&*update.old);
        payload["forced"] = rewound.into();
        let event = self.triggering("push", update.git_ref.clone(), payload, changed);
        Ok(TriggeringEvent { files_at: Some(self.head.id.clone()), ..event })
    }

    /// A `workflow_dispatch` at a branch or tag of this bare repository, which is at its commit.
    pub fn dispatched(
        &self,
        git_ref: &str,
        workflow: &str,
        inputs: &[(String, String)],
    ) -> TriggeringEvent {
        let mut event = self.dispatch(inputs);
        event.payload["ref"] = git_ref.into();
        event.payload["workflow"] = workflow.into();
        let files_at = Some(self.head.id.clone());
        TriggeringEvent { git_ref: git_ref.to_owned(), files_at, ..event }
    }

    /// What a bare repository has: branches, then tags, by their full names, the default branch first.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn refs(path: &Path, default: Option<&str>) -> Result<Vec<String>, RepositoryError> {
        let format = "--format=%(refname)";
        let all = git(path, &["for-each-ref", format, "refs/heads", "refs/tags"])?;
        let mut names: Vec<String> = all.lines().map(str::to_owned).collect();
        let default = match default {
            Some(name) => Some(format!("refs/heads/{name}")),
            None => ask(path, &["symbolic-ref", "HEAD"])?,
        };
        names.sort_by_key(|name| (Some(name) != default.as_ref(), name.starts_with("refs/tags/")));
        Ok(names)
    }

    /// Branches and tags with what they lead to, by their whole names. A tag that is an object of its own is
    /// that object.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn commits_of_refs(path: &Path) -> Result<BTreeMap<String, String>, RepositoryError> {
        let format = "--format=%(refname) %(objectname)";
        let listed = git_clean(path, &["for-each-ref", format, "refs/heads/", "refs/tags/"], &[])?;
        let listed = listed.done()?;
        let pairs = listed.lines().filter_map(|line| line.split_once(' '));
        Ok(pairs.map(|(name, at)| (name.to_owned(), at.to_owned())).collect())
    }

    /// What a push adds to: the commit before; of a new branch where it left the default branch; of
    /// one that was rewritten, where the two parted.
    fn before(&self, update: &RefUpdate) -> Result<Option<String>, RepositoryError> {
        let default = format!("refs/heads/{}", self.default_branch);
        let known = if !update.creates() {
            update.old.as_str()
        } else if update.git_ref != default {
            default.as_str()
        } else {
            return Ok(None);
        };
        Ok(ask(&self.root, &["merge-base", known, &self.head.id])?.filter(|it| !it.is_empty()))
    }

    /// The files directly in `folder` as they were pushed, where the push changed any; none where it
    /// did not.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn workflow_files_changed(
        &self,
        update: &RefUpdate,
        folder: &str,
    ) -> Result<Option<Vec<CommittedFile>>, RepositoryError> {
        let tree = |commit: &str| {
            ask(&self.root, &["rev-parse", "--verify", "--quiet", &format!("{commit}:{folder}")])
        };
        let now = tree(&self.head.id)?;
        // A new branch that has the files of the default branch changes none.
        let default = format!("refs/heads/{}", self.default_branch);
        let before = tree(if update.creates() { &default } else { &update.old })?;
        if now.is_none() || now == before {
            return Ok(None);
        }
        self.files_of(&self.head.id, folder, &PrivateStore::passing()).map(Some)
    }

    /// A file at the commit that this repository is at; none where there is none.
    ///
    /// # Errors
    /// When git cannot be asked, the file cannot be read or is too large: rules that nobody can read are not
    /// none.
    pub fn committed_file(&self, path: &str) -> Result<Option<String>, RepositoryError> {
        let found = file_at(&self.root, &self.head.id, path)?;
        found.ok_or_else(|| RepositoryError::NoCommit { path: self.root.display().to_string() })
    }

    /// The files directly in `folder` at the commit that this repository is at.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn files_in(&self, folder: &str) -> Result<Vec<CommittedFile>, RepositoryError> {
        self.files_of(&self.head.id, folder, &PrivateStore::passing())
    }

    /// The names of the files of a commit, in order, the first of very many; none where there is no such
    /// commit, or git takes too long over it.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn names_at(path: &Path, commit: &str) -> Result<Option<Vec<String>>, RepositoryError> {
        // A name that git would read as an option is none of a commit.
        if !commit.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let of = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit];
        Ok(names(path, &of, NAMES_MAX)?)
    }

    /// The newest commits that changed a file, newest first, seen from the commit that this repository is
    /// at.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn commits_of(&self, file: &str, max: u32) -> Result<Vec<String>, RepositoryError> {
        let max = format!("--max-count={max}");
        let args = ["log", "--format=%H", &max, &self.head.id, "--", file];
        Ok(git(&self.root, &args)?.lines().map(str::to_owned).collect())
    }

    /// The last commit of the default branch, by its name; none where that branch is not there. It is
    /// the branch of this name, else where `HEAD` points.
    ///
    /// # Errors
    /// When the folder is gone, or git cannot be asked.
    pub fn default_commit(
        path: &Path,
        branch: Option<&str>,
    ) -> Result<Option<String>, RepositoryError> {
        // Where there is none git cannot even be started, which would be taken for a bad moment.
        if !path.is_dir() {
            return Err(RepositoryError::NoFolder { path: path.display().to_string() });
        }
        let name = format!("{}^{{commit}}", tip_name(branch));
        Ok(ask(path, &["rev-parse", "--verify", "--quiet", &name])?)
    }

    /// Where `HEAD` of a bare repository points, by the branch's short name, whether or not that is
    /// there; none where it points at a commit.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn head_branch(path: &Path) -> Result<Option<String>, RepositoryError> {
        Ok(ask(path, &["symbolic-ref", "--quiet", "--short", "HEAD"])?)
    }

    /// Lets `HEAD` of a bare repository point at this branch: clones begin there.
    ///
    /// # Errors
    /// When it is no name of a branch, or git cannot write it down.
    pub fn point_head(path: &Path, branch: &str) -> Result<(), RepositoryError> {
        let name = format!("refs/heads/{branch}");
        git(path, &["check-ref-format", &name])?;
        git(path, &["symbolic-ref", "HEAD", &name])?;
        Ok(())
    }
}

/// What a name leads to, where that is no commit: a tag may be one of a file.
fn kind(root: &Path, name: &str) -> Result<Option<String>, RepositoryError> {
    // A name that git would read as an option is none.
    if name.starts_with('-') {
        return Ok(None);
    }
    let kind = ask(root, &["cat-file", "-t", &format!("{name}^{{}}")])?;
    Ok(kind.filter(|it| it != "commit"))
}

/// What git calls the tip of the default branch.
fn tip_name(branch: Option<&str>) -> String {
    branch.map_or_else(|| "HEAD".to_owned(), |name| format!("refs/heads/{name}"))
}

/// Where a bare repository lies; none where `path` is something else.
///
/// # Errors
/// When there is no such folder, or git cannot be asked.
fn bare_root(path: &Path) -> Result<Option<PathBuf>, RepositoryError> {
    if !path.is_dir() {
        return Err(RepositoryError::NoFolder { path: path.display().to_string() });
    }
    let asked =
        ["rev-parse", "--is-bare-repository", "--path-format=absolute", "--absolute-git-dir"];
    let said = ask(path, &asked)?;
    Ok(said.and_then(|said| said.strip_prefix("true\n").map(PathBuf::from)))
}

/// Where a bare repository comes from: its remote, else its folder. Several may come from one place, so a
/// server knows them by the names that they are connected under. None where there is none.
///
/// # Errors
/// When git cannot be asked.
pub fn bare_identity(path: &Path) -> Result<Option<String>, RepositoryError> {
    let root = bare_root(path)?;
    root.map(|root| Ok(Config::read(&root)?.identity(&root))).transpose()
}

/// What a run of a bare repository is bound by, besides what it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A file of the run's own commit.
    pub of_commit: Option<String>,
    /// A file at the tip of the default branch; none, too, where that is not there yet.
    pub of_tip: Option<String>,
}

impl Bounds {
    /// Reads both files, each by its path from the root, and what `path` is, at once: a job that is ready waits
    /// for it. None where `path` is no bare repository. The default branch is the one of this name, else where
    /// `HEAD` points.
    ///
    /// # Errors
    /// When there is no such folder or commit, or git cannot be asked.
    pub fn of(
        path: &Path,
        (commit, of_commit): (&str, &str),
        (branch, of_tip): (Option<&str>, &str),
    ) -> Result<Option<Bounds>, RepositoryError> {
        let tip = tip_name(branch);
        let (root, of_commit, of_tip) = std::thread::scope(|scope| {
            let root = scope.spawn(|| bare_root(path));
            let of_commit = scope.spawn(|| file_at(path, commit, of_commit));
            let of_tip = file_at(path, &tip, of_tip);
            (joined(root), joined(of_commit), of_tip)
        });
        let Some(root) = root? else { return Ok(None) };
        let no_commit = || RepositoryError::NoCommit { path: path.display().to_string() };
        let of_commit = of_commit?.ok_or_else(no_commit)?;
        let of_tip = match of_tip? {
            Some(file) => file,
            // A tip that cannot be read is not one that says nothing.
            None if ask(&root, &["rev-parse", "--verify", "--quiet", &tip])?.is_some() => {
                return Err(no_commit());
            }
            None => None,
        };
        Ok(Some(Bounds { of_commit, of_tip }))
    }
}

/// A file of a commit, if it has one; none where there is no such commit.
fn file_at(
    root: &Path,
    commit: &str,
    path: &str,
) -> Result<Option<Option<String>>, RepositoryError> {
    // Unlike `cat-file`, it tells a commit that is not there from a file that is not.
    let args = ["ls-tree", "-z", "--full-tree", commit, "--", path];
    let Some(listed) = ask(root, &args)? else { return Ok(None) };
    let object = listed.split_once('\t').and_then(|(entry, _)| entry.split_once(" blob "));
    let Some((_, object)) = object else { return Ok(Some(None)) };
    blob(root, object, path, &[]).map(|text| Some(Some(text)))
}

/// The text of a file of a commit. A job that is ready waits for it, and whoever pushes says how long it is.
pub(crate) fn blob(
    root: &Path,
    object: &str,
    path: &str,
    variables: &[(&str, &Path)],
) -> Result<String, RepositoryError> {
    let read = git_up_to(root, &["cat-file", "blob", object], variables, FILE_BYTES_MAX);
    read.map_err(|error| match error {
        GitError::TooLong { .. } => RepositoryError::TooLarge {
            path: path.to_owned(),
            most: format!("{FILE_BYTES_MAX} bytes"),
        },
        error => error.into(),
    })
}

/// What a bare repository is called: by its remote, else by its folder.
///
/// # Errors
/// When git cannot be asked.
pub fn bare_name(path: &Path) -> Result<String, RepositoryError> {
    let (owner, name) = Config::read(path)?.full_name(path);
    Ok(format!("{owner}/{}", name.strip_suffix(".git").unwrap_or(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server goes on with its other repositories then; a git that cannot be started it waits for.
    #[test]
    fn a_folder_that_is_gone_is_told_as_that() {
        let gone = tempfile::tempdir().expect("a folder").path().join("gone.git");
        let said = Repository::default_commit(&gone, None);
        assert!(matches!(said, Err(RepositoryError::NoFolder { .. })), "{said:?}");
    }
}
