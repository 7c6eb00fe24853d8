//! Fetched actions on disk: one bare repository for each `owner/repo`, one folder for each commit.
//!
//! ```text
//! <actions>/git/<owner>/<repo>.git          what was fetched, one commit deep
//! <actions>/refs/<owner>/<repo>/<ref>       the commit a tag or branch was last seen at
//! <actions>/trees/<owner>/<repo>/<commit>   its files; there in full, or not there
//! ```
//!
//! Names are kept in lower case, as GitHub compares them. Two processes may work on the same
//! repository: fetching holds a lock, a tree appears by one rename.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::git::{Git, GitError};
use crate::unused::mark_used;

/// How long a tag that was just looked up is believed: the jobs of one run ask once.
const REF_FRESH: Duration = Duration::from_secs(60);
/// What everybody may do with a tree who comes to it.
const READABLE: u32 = 0o555;

/// The most that one action may weigh unpacked; GitHub's largest published ones have some 300 MB.
pub(crate) const TREE_BYTES_MAX: u64 = 2 << 30;
/// The most files of one action.
pub(crate) const TREE_FILES_MAX: usize = 200_000;

/// Why the shelf could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The disk.
    #[error("{path} could not be {verb}")]
    File {
        /// Where.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// More than an action may hold.
    #[error("the action holds more than {limit}")]
    TooLarge {
        /// Which limit.
        limit: String,
    },
}

/// The folder of one repository's actions.
pub(crate) struct Shelf {
    bare: PathBuf,
    refs: PathBuf,
    trees: PathBuf,
}

impl Shelf {
    /// Of `owner/repo`, under the shared folder.
    pub(crate) fn new(actions: &Path, owner: &str, repo: &str) -> Shelf {
        let (owner, repo) = (owner.to_ascii_lowercase(), repo.to_ascii_lowercase());
        Shelf {
            bare: actions.join("git").join(&owner).join(format!("{repo}.git")),
            refs: actions.join("refs").join(&owner).join(&repo),
            trees: actions.join("trees").join(owner).join(repo),
        }
    }

    /// The files of a commit, where they are here. Who asks uses them.
    pub(crate) fn tree(&self, commit: &str) -> Option<PathBuf> {
        let folder = self.trees.join(commit);
        let mode = fs::metadata(&folder).ok().filter(fs::Metadata::is_dir)?.permissions().mode();
        if mode & READABLE != READABLE {
            // Made before jobs could be another user's; then it is his own who cannot change that.
            drop(fs::set_permissions(&folder, fs::Permissions::from_mode(mode | READABLE)));
        }
        mark_used(&folder);
        Some(folder)
    }

    /// The name of a commit's tree, where the commit is here.
    pub(crate) fn tree_id(&self, commit: &str) -> Option<String> {
        if !self.bare.exists() {
            return None;
        }
        let name = format!("{commit}^{{tree}}");
        Git::new(&self.bare, "rev-parse").args(["--verify", "--quiet", &name]).ask().ok().flatten()
    }

    /// The whole name of a commit that somebody shortened, if it is here.
    pub(crate) fn complete(&self, short: &str) -> Option<String> {
        if !self.bare.exists() {
            return None;
        }
        let name = format!("{short}^{{commit}}");
        Git::new(&self.bare, "rev-parse").args(["--verify", "--quiet", &name]).ask().ok().flatten()
    }

    /// The commit a ref was last seen at, and whether that was just now.
    pub(crate) fn seen(&self, reference: &str) -> Option<(String, bool)> {
        let path = self.refs.join(file_name(reference));
        let commit = fs::read_to_string(&path).ok()?.trim().to_owned();
        let age = fs::metadata(&path).ok()?.modified().ok()?;
        let fresh = SystemTime::now().duration_since(age).is_ok_and(|age| age < REF_FRESH);
        Some((commit, fresh))
    }

    /// Remembers where a ref stands.
    pub(crate) fn saw(&self, reference: &str, commit: &str) -> Result<(), ShelfError> {
        replace(&self.refs.join(file_name(reference)), commit.as_bytes())
    }

    /// Fetches one commit. `full_ref` is asked for instead where a host gives no bare commits.
    pub(crate) fn fetch(
        &self,
        address: &str,
        commit: &str,
        full_ref: Option<&str>,
    ) -> Result<(), ShelfError> {
        let _one_at_a_time = self.lock()?;
        self.init()?;
        if self.tree_id(commit).is_some() {
            return Ok(());
        }
        let fetch = |depth: &str, what: &str| {
            Git::new(&self.bare, "fetch")
                .args(["--quiet", "--force", "--no-tags", depth, "--", address, what])
                .run()
        };
        let wanted = format!("+{commit}:refs/launchway/{commit}");
        let Err(refused) = fetch("--depth=1", &wanted) else { return Ok(()) };
        if refused.trouble() == crate::git::Trouble::Network {
            return Err(refused.into());
        }
        // An old host gives only what a ref points at; the last resort is all of them.
        if let Some(full_ref) = full_ref {
            fetch("--depth=1", &format!("+{full_ref}:refs/launchway/{commit}"))?;
        }
        if self.tree_id(commit).is_none() {
            Git::new(&self.bare, "fetch")
                .args(["--quiet", "--force", "--no-tags", "--depth=2147483647", "--", address])
                .args(["+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"])
                .run()?;
        }
        if self.tree_id(commit).is_none() { Err(refused.into()) } else { Ok(()) }
    }

    /// Writes a commit's files, as GitHub's archive of it has them (`export-ignore` included).
    pub(crate) fn export(&self, commit: &str) -> Result<PathBuf, ShelfError> {
        if let Some(folder) = self.tree(commit) {
            return Ok(folder);
        }
        fs::create_dir_all(&self.trees).map_err(|source| self.failed("made", source))?;
        let scratch = tempfile::Builder::new()
            .prefix(".half-")
            .tempdir_in(&self.trees)
            .map_err(|source| self.failed("made", source))?;
        let mut archive = Git::new(&self.bare, "archive")
            .unconfigured()
            .args(["--format=tar", commit])
            .into_command()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(GitError::Start)?;
        let stream = archive.stdout.take().expect("stdout was asked for as a pipe");
        let unpacked = self.unpack(stream, scratch.path());
        if unpacked.is_err() {
            // It may still be writing to a pipe that nobody reads any more; its death is enough.
            drop(archive.kill());
        }
        let status = archive.wait().map_err(GitError::Start)?;
        unpacked?;
        if !status.success() {
            let message = format!("commit {commit} could not be read");
            return Err(GitError::Failed { command: "archive".to_owned(), message }.into());
        }
        // Who asked may be another user than whose job it is.
        let readable = fs::Permissions::from_mode(READABLE | 0o200);
        fs::set_permissions(scratch.path(), readable).map_err(|it| self.failed("written", it))?;
        let folder = self.trees.join(commit);
        match fs::rename(scratch.path(), &folder) {
            Ok(()) => drop(scratch.keep()),
            // Somebody else was faster with the same files.
            Err(_) if folder.is_dir() => {}
            Err(source) => return Err(self.failed("written", source)),
        }
        Ok(folder)
    }

    fn unpack(&self, stream: impl io::Read, into: &Path) -> Result<(), ShelfError> {
        let failed = |source| ShelfError::File { path: into.to_owned(), verb: "written", source };
        let mut archive = tar::Archive::new(stream);
        archive.set_preserve_permissions(true);
        let mut bytes = 0;
        for (index, entry) in archive.entries().map_err(failed)?.enumerate() {
            let mut entry = entry.map_err(failed)?;
            bytes += entry.size();
            if index >= TREE_FILES_MAX {
                return Err(ShelfError::TooLarge { limit: format!("{TREE_FILES_MAX} files") });
            }
            if bytes > TREE_BYTES_MAX {
                return Err(ShelfError::TooLarge { limit: format!("{TREE_BYTES_MAX} bytes") });
            }
            // Leaves alone what would land outside the folder.
            entry.unpack_in(into).map_err(failed)?;
        }
        Ok(())
    }

    fn init(&self) -> Result<(), ShelfError> {
        if self.bare.join("HEAD").exists() {
            return Ok(());
        }
        let parent = self.bare.parent().expect("a repository lies in its owner's folder");
        Git::new(parent, "init")
            .args(["--quiet", "--bare", "--template="])
            .arg(&self.bare)
            .run()?;
        Ok(())
    }

    /// Held while the repository is made or fetched into: git's own locks refuse rather than wait.
    fn lock(&self) -> Result<File, ShelfError> {
        let parent = self.bare.parent().expect("a repository lies in its owner's folder");
        fs::create_dir_all(parent).map_err(|source| self.failed("made", source))?;
        let path = self.bare.with_extension("lock");
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|source| self.failed("locked", source))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|errno| self.failed("locked", errno.into()))?;
        Ok(file)
    }

    fn failed(&self, verb: &'static str, source: io::Error) -> ShelfError {
        ShelfError::File { path: self.bare.clone(), verb, source }
    }
}

/// A ref as one file name: `/` and `%` are written out.
fn file_name(reference: &str) -> String {
    reference.replace('%', "%25").replace('/', "%2F")
}

/// Writes a file in one step.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), ShelfError> {
    let failed = |source| ShelfError::File { path: path.to_owned(), verb: "written", source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    io::Write::write_all(&mut file, bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
