//! The lock file: which commit each `uses` stood for, a line each, sorted.
//!
//! ```text
//! # what each `uses` stood for; commit this file and the same code runs everywhere
//! version 1
//! actions/checkout@v4 native
//! octo/tool@v1 fetched commit=<40 hex> tree=<40 hex>
//! ```
//!
//! Actions that actions use stand in it like any other. Where the file is committed, it wins: the
//! commit written there runs, whatever the tag says today. A file nobody committed only records.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::git::Git;

const HEADER: &str = "# What each `uses` stood for. Commit this file, and the same code runs everywhere.\nversion 1\n";

/// The most that is read: 200 bytes a line, and no repository uses a hundred thousand actions.
const FILE_BYTES_MAX: u64 = 20 << 20;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locked {
    /// Launchway's own version ran.
    Native,
    /// This commit ran.
    Fetched {
        /// The commit.
        commit: String,
        /// Its tree, so that a forged commit of the same name would be seen.
        tree: String,
    },
}

/// A lock file.
#[derive(Clone, Debug)]
pub struct Lock {
    path: PathBuf,
    committed: bool,
    entries: BTreeMap<String, Locked>,
}

/// Why a lock file is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It could not be read or written.
    #[error("the lock file {path} could not be {verb}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line nobody understands.
    #[error("line {line} of the lock file {path} is not understood: {text}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

impl Lock {
    /// Reads it; a file that is not there is an empty lock.
    pub fn read(path: &Path) -> Result<Lock, LockError> {
        let entries = match read_text(path)? {
            Some(text) => parse(path, &text)?,
            None => BTreeMap::new(),
        };
        let committed = !entries.is_empty() && is_committed(path);
        Ok(Lock { path: path.to_owned(), committed, entries })
    }

    /// A lock file of this text.
    #[cfg(feature = "testing")]
    pub(crate) fn of_text(path: &Path, text: &str) -> Result<Lock, LockError> {
        Ok(Lock { path: path.to_owned(), committed: false, entries: parse(path, text)? })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether git knows the file: then it wins over what tags say today.
    pub fn committed(&self) -> bool {
        self.committed
    }

    /// What it says about a `uses`.
    pub fn get(&self, uses: &str) -> Option<&Locked> {
        self.entries.get(uses)
    }

    /// Records one entry. Two processes at once both get theirs in: each reads again under a lock.
    /// Gives whether the file changed.
    pub fn record(&mut self, uses: &str, locked: Locked) -> Result<bool, LockError> {
        if self.entries.get(uses) == Some(&locked) {
            return Ok(false);
        }
        let failed = |source| LockError::File { path: self.path.clone(), verb: "written", source };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        // The folder is what is locked: the file itself is replaced.
        let guard = File::open(folder).map_err(failed)?;
        rustix::fs::flock(&guard, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|errno| failed(errno.into()))?;
        if let Some(text) = read_text(&self.path)? {
            self.entries = parse(&self.path, &text)?;
        }
        self.entries.insert(uses.to_owned(), locked);
        let mut fresh = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        io::Write::write_all(&mut fresh, self.render().as_bytes()).map_err(failed)?;
        readable_by_all(fresh.as_file()).map_err(failed)?;
        fresh.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(true)
    }

    pub(crate) fn render(&self) -> String {
        let mut text = HEADER.to_owned();
        for (uses, locked) in &self.entries {
            match locked {
                Locked::Native => writeln!(text, "{uses} native"),
                Locked::Fetched { commit, tree } => {
                    writeln!(text, "{uses} fetched commit={commit} tree={tree}")
                }
            }
            .expect("writing to a string does not fail");
        }
        text
    }
}

/// A temporary file is born readable by its owner only; a file of the repository is not secret.
fn readable_by_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn read_text(path: &Path) -> Result<Option<String>, LockError> {
    let failed = |source| LockError::File { path: path.to_owned(), verb: "read", source };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            return Err(failed(io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes"))));
        }
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Locked>, LockError> {
    let mut entries = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "version 1" {
            continue;
        }
        let (uses, locked) = parse_line(line).ok_or_else(|| LockError::Line {
            path: path.to_owned(),
            line: index + 1,
            text: line.to_owned(),
        })?;
        entries.insert(uses.to_owned(), locked);
    }
    Ok(entries)
}

fn parse_line(line: &str) -> Option<(&str, Locked)> {
    // A ref may hold no blank (git refuses it), so the first one ends the `uses`; a sub-path may.
    if let Some(uses) = line.strip_suffix(" native") {
        return Some((uses.trim_end(), Locked::Native));
    }
    let (uses, rest) = line.rsplit_once(" fetched ")?;
    let (commit, tree) = rest.split_once(' ')?;
    let commit = commit.strip_prefix("commit=").filter(|id| is_object_id(id))?;
    let tree = tree.trim().strip_prefix("tree=").filter(|id| is_object_id(id))?;
    Some((uses, Locked::Fetched { commit: commit.to_owned(), tree: tree.to_owned() }))
}

/// Forty hex digits, or sixty-four in a repository of SHA-256.
pub(crate) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether git tracks the file.
fn is_committed(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let answer = Git::new(folder, "ls-tree").args(["--name-only", "HEAD", "--"]).arg(name).ask();
    matches!(answer, Ok(Some(found)) if !found.is_empty())
}
