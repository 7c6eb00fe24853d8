//! Commits that only this machine has: of the work tree as it stands, and of a pull request merged
//! into its base. The user's repository is not written.
//!
//! ```text
//!   <parent>/.half-<random>/        while they are made
//!   <parent>/<commit>/objects       kept: what the user's repository does not have; the rest is
//!                                   borrowed (`objects/info/alternates`)
//!   <parent>/<commit>/lfs           files that Git LFS keeps outside of objects
//! ```
//!
//! git itself decides what belongs to the work tree (`git add --all` in a private index, so that
//! ignored files stay out and unchanged ones are not read again). The same files on the same commit
//! give the same commit, so runs of the same state share a store.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::RepositoryError;
use crate::discover::{Commit, Repository};
use crate::git::{GitError, git, git_with};

/// Whoever makes them here.
const MAKER: (&str, &str) = ("Launchway", "launchway@localhost");

/// A place for commits on their way; nothing is in it, nor on the disk, before one is made.
#[derive(Debug, Default)]
pub struct PrivateStore {
    parent: Option<PathBuf>,
    folder: Option<TempDir>,
    newest: Option<String>,
    /// Locked, so that nobody takes for left behind what is being made.
    held: Option<File>,
}

/// Keeps whoever clears up from a store, for as long as the value lives.
#[derive(Debug)]
pub struct HeldStore {
    // Held for its lock, which goes with the process too.
    _folder: File,
}

/// A pull request merged into its base, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TestMerge {
    /// The merge commit.
    Commit(String),
    /// These files conflict.
    Conflicts(Vec<String>),
}

impl PrivateStore {
    /// One that goes away with this value.
    pub fn passing() -> PrivateStore {
        PrivateStore::default()
    }

    /// One whose commits can be kept in `parent`.
    pub fn in_folder(parent: &Path) -> PrivateStore {
        PrivateStore { parent: Some(parent.to_owned()), ..PrivateStore::default() }
    }

    /// The name of the store, which is that of its newest commit; none where none was made.
    pub fn name(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    /// The objects of the store `name` in `parent`.
    pub fn objects(parent: &Path, name: &str) -> PathBuf {
        parent.join(name).join("objects")
    }

    /// Its objects while they are made.
    pub(crate) fn unfinished_objects(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.path().join("objects"))
    }

    /// Keeps what was made, under its name, and holds it; nothing where nothing was made. It is used
    /// from now on, so it counts as young.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn keep(self) -> Result<Option<HeldStore>, RepositoryError> {
        let PrivateStore { parent: Some(parent), folder: Some(folder), newest: Some(name), held } =
            self
        else {
            return Ok(None);
        };
        let held = held.expect("it is held since it was made");
        let kept = parent.join(&name);
        let now = std::time::SystemTime::now();
        held.set_modified(now).map_err(|source| failed(folder.path(), source))?;
        loop {
            match fs::rename(folder.path(), &kept) {
                Ok(()) => {
                    drop(folder.keep());
                    return Ok(Some(HeldStore { _folder: held }));
                }
                // The same state was run before.
                Err(_) if kept.is_dir() => {}
                Err(source) => return Err(failed(&kept, source)),
            }
            if let Some(held) = PrivateStore::hold(&parent, &name)? {
                return Ok(Some(held));
            }
            // It was removed just now: ours has its place.
        }
    }

    /// Holds the store `name` in `parent`, which counts as young again; none where there is none.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn hold(parent: &Path, name: &str) -> Result<Option<HeldStore>, RepositoryError> {
        let path = parent.join(name);
        let folder = match File::open(&path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(&path, source)),
        };
        // Held alone only while it is removed.
        folder.lock_shared().map_err(|source| failed(&path, source))?;
        if !is_still_there(&folder, &path) {
            return Ok(None);
        }
        let now = std::time::SystemTime::now();
        folder.set_modified(now).map_err(|source| failed(&path, source))?;
        Ok(Some(HeldStore { _folder: folder }))
    }

    fn folder(&mut self, repository: &Repository) -> Result<&Path, RepositoryError> {
        if self.folder.is_none() {
            let mut builder = tempfile::Builder::new();
            let builder = builder.prefix(".half-");
            let folder = match &self.parent {
                Some(parent) => {
                    fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
                    builder.tempdir_in(parent)
                }
                None => builder.tempdir(),
            };
            let folder =
                folder.map_err(|source| failed(Path::new("a temporary folder"), source))?;
            let held = File::open(folder.path()).and_then(|it| it.lock_shared().map(|()| it));
            self.held = Some(held.map_err(|source| failed(folder.path(), source))?);
            let info = folder.path().join("objects/info");
            fs::create_dir_all(&info).map_err(|source| failed(&info, source))?;
            let borrowed = repository.git_path("objects")?;
            let file = info.join("alternates");
            fs::write(&file, format!("{}\n", borrowed.display()))
                .map_err(|source| failed(&file, source))?;
            self.folder = Some(folder);
        }
        Ok(self.folder.as_ref().expect("it was made just now").path())
    }
}

fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |found: io::Result<fs::Metadata>| found.map(|it| (it.dev(), it.ino())).ok();
    inode(file.metadata()).is_some_and(|held| inode(fs::metadata(path)) == Some(held))
}

fn failed(path: &Path, source: io::Error) -> RepositoryError {
    RepositoryError::Store { path: path.display().to_string(), source }
}

impl Repository {
    /// The work tree as a commit on top of HEAD; none where it has no changes.
    pub(crate) fn snapshot(
        &self,
        store: &mut PrivateStore,
    ) -> Result<Option<String>, RepositoryError> {
        let folder = store.folder(self)?.to_owned();
        let index = folder.join("index");
        copy_index(&self.git_path("index")?, &index)?;
        let tree = self.tree_of_work_tree(&folder, &index);
        // It holds nothing that the tree does not.
        drop(fs::remove_file(&index));
        let tree = tree?;
        if tree == self.head.tree {
            return Ok(None);
        }
        let message = "Work tree with uncommitted changes";
        let commit = self.make(&folder, &tree, &[&self.head.id], message)?;
        store.newest = Some(commit.clone());
        Ok(Some(commit))
    }

    fn tree_of_work_tree(&self, folder: &Path, index: &Path) -> Result<String, RepositoryError> {
        let storage = format!("lfs.storage={}", folder.join("lfs").display());
        let settings = [
            "-c",
            "core.splitIndex=false",
            "-c",
            "core.untrackedCache=false",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "advice.addEmbeddedRepo=false",
            "-c",
            &storage,
        ];
        let objects = folder.join("objects");
        let with: [(&str, &Path); 2] =
            [("GIT_INDEX_FILE", index), ("GIT_OBJECT_DIRECTORY", &objects)];
        let mut add = [&settings[..], &["add", "--all", "--", ":/"]].concat();
        let inside = folder.parent().and_then(|parent| parent.strip_prefix(&self.root).ok());
        let exclude = inside.filter(|path| !self.ignores(path));
        let exclude = exclude.map(|path| format!(":(exclude,top,literal){}", path.display()));
        add.extend(exclude.as_deref());
        git_with(&self.root, &add, &with)?.done()?;
        let tree = git_with(&self.root, &[&settings[..], &["write-tree"]].concat(), &with)?;
        Ok(tree.done()?.trim().to_owned())
    }

    /// Whether git leaves a path of the work tree out by itself. It takes naming such a one for a mistake, to exclude it, too.
    fn ignores(&self, path: &Path) -> bool {
        let path = format!("./{}", path.display());
        let asked = git_with(&self.root, &["check-ignore", "--quiet", "--", &path], &[]);
        asked.is_ok_and(|answer| answer.code == Some(0))
    }

    /// `head` merged into `base`, as GitHub tries it for every pull request (conformance 21).
    pub(crate) fn test_merge(
        &self,
        store: &mut PrivateStore,
        base: &Commit,
        head: &str,
    ) -> Result<TestMerge, RepositoryError> {
        let folder = store.folder(self)?.to_owned();
        let objects = folder.join("objects");
        let with: [(&str, &Path); 1] = [("GIT_OBJECT_DIRECTORY", &objects)];
        let merge =
            ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", &base.id, head];
        let answer = git_with(&self.root, &merge, &with)?;
        let mut parts = answer.printed.split('\0');
        let tree = parts.next().unwrap_or_default().trim().to_owned();
        match answer.code {
            Some(0) => {
                let message = format!("Merge {head} into {}", base.id);
                let commit = self.make(&folder, &tree, &[&base.id, head], &message)?;
                store.newest = Some(commit.clone());
                Ok(TestMerge::Commit(commit))
            }
            Some(1) if !tree.is_empty() => {
                let files = parts.take_while(|file| !file.is_empty());
                Ok(TestMerge::Conflicts(files.map(str::to_owned).collect()))
            }
            _ => Err(answer.failed().into()),
        }
    }

    /// A commit that is the same whenever it is made.
    fn make(
        &self,
        folder: &Path,
        tree: &str,
        parents: &[&str],
        message: &str,
    ) -> Result<String, GitError> {
        let mut args = vec!["commit-tree", "--no-gpg-sign", tree];
        for parent in parents {
            args.extend(["-p", parent]);
        }
        args.extend(["-m", message]);
        let objects = folder.join("objects");
        let date = format!("{} +0000", self.head.committed_at.0 / 1000);
        let (name, mail, date) = (Path::new(MAKER.0), Path::new(MAKER.1), Path::new(&date));
        let with = [
            ("GIT_OBJECT_DIRECTORY", &*objects),
            ("GIT_AUTHOR_NAME", name),
            ("GIT_AUTHOR_EMAIL", mail),
            ("GIT_AUTHOR_DATE", date),
            ("GIT_COMMITTER_NAME", name),
            ("GIT_COMMITTER_EMAIL", mail),
            ("GIT_COMMITTER_DATE", date),
        ];
        Ok(git_with(&self.root, &args, &with)?.done()?.trim().to_owned())
    }

    /// Where git keeps a part of this repository; a linked work tree has its own index.
    fn git_path(&self, part: &str) -> Result<PathBuf, GitError> {
        let args = ["rev-parse", "--path-format=absolute", "--git-path", part];
        Ok(PathBuf::from(git(&self.root, &args)?.trim_end_matches('\n')))
    }
}

/// Copies the user's index with its time: git reads a file again when it is as young as the index,
/// and a younger copy would hide a change made in that same second.
fn copy_index(from: &Path, to: &Path) -> Result<(), RepositoryError> {
    let Ok(found) = fs::metadata(from) else { return Ok(()) };
    fs::copy(from, to).map_err(|source| failed(from, source))?;
    let modified = found.modified().map_err(|source| failed(from, source))?;
    let file = File::options().write(true).open(to);
    file.and_then(|file| file.set_modified(modified)).map_err(|source| failed(to, source))
}
