//! Which files an event changed (conformance 35).

use crate::RepositoryError;
use crate::discover::Repository;
use crate::git::{ask, git, names};

/// GitHub looks at the first 300 changed files only.
pub(crate) const FILES_MAX: usize = 300;
/// With more commits than this GitHub runs the workflow whatever its path filters say.
const COMMITS_MAX: usize = 1000;

/// A commit and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitTime {
    /// Its hash.
    pub id: String,
    /// The committer's date, in seconds since 1970.
    pub committed_at_s: u64,
}

/// The answer to "which files changed?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedFiles {
    /// These; at most GitHub's 300.
    Files(Vec<String>),
    /// Not known, or too much to say: path filters let the event pass.
    All,
}

impl Repository {
    /// What differs between two commits, work tree included where asked: two dots for a push.
    pub(crate) fn changed_since(
        &self,
        before: Option<&str>,
        with_work_tree: bool,
    ) -> Result<ChangedFiles, RepositoryError> {
        let Some(before) = before else {
            let all = ["ls-tree", "-r", "--name-only", "-z", &self.head.id];
            return self.changed(&all, with_work_tree);
        };
        let range = format!("{before}..{}", self.head.id);
        if self.count(&range)? > COMMITS_MAX {
            return Ok(ChangedFiles::All);
        }
        self.changed(&["diff", "--name-only", "-z", "--no-renames", &range, "--"], with_work_tree)
    }

    /// What a branch changed since it left `base`: three dots for a pull request.
    pub(crate) fn changed_against(
        &self,
        base: &str,
        with_work_tree: bool,
    ) -> Result<ChangedFiles, RepositoryError> {
        let range = format!("{base}...{}", self.head.id);
        self.changed(&["diff", "--name-only", "-z", "--no-renames", &range, "--"], with_work_tree)
    }

    fn changed(&self, of: &[&str], with_work_tree: bool) -> Result<ChangedFiles, RepositoryError> {
        let Some(mut files) = names(&self.root, of, FILES_MAX)? else {
            return Ok(ChangedFiles::All);
        };
        if with_work_tree {
            files.extend(self.uncommitted.iter().cloned());
            files.sort();
            files.dedup();
        }
        files.truncate(FILES_MAX);
        Ok(ChangedFiles::Files(files))
    }

    /// The commits that this one has and another has not, newest first, at most `max`: what is shipped
    /// where that one runs. None where it is not known here.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn commits_since(
        &self,
        known: &str,
        max: usize,
    ) -> Result<Vec<CommitTime>, RepositoryError> {
        let range = format!("{known}..{}", self.head.id);
        let limit = format!("--max-count={max}");
        // Whoever gives a hash gives no option, whatever stands in the journal.
        if !known.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let listed = ask(&self.root, &["log", "--format=%H %ct", &limit, &range, "--"])?;
        let commit = |line: &str| {
            let (id, at_s) = line.split_once(' ')?;
            Some(CommitTime { id: id.to_owned(), committed_at_s: at_s.parse().ok()? })
        };
        Ok(listed.unwrap_or_default().lines().filter_map(commit).collect())
    }

    /// Every file that differs between a commit and this one; none where that commit is not known here.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn files_since(&self, known: &str) -> Result<Option<Vec<String>>, RepositoryError> {
        // Whoever gives a hash gives no option, whatever stands in the journal.
        if !known.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let args = ["diff", "--name-only", "-z", "--no-renames", known, &self.head.id, "--"];
        let listed = ask(&self.root, &args)?;
        Ok(listed.map(|it| it.split_terminator('\0').map(str::to_owned).collect()))
    }

    fn count(&self, range: &str) -> Result<usize, RepositoryError> {
        let limit = format!("--max-count={}", COMMITS_MAX + 1);
        let answer = git(&self.root, &["rev-list", "--count", &limit, range])?;
        Ok(answer.trim().parse().unwrap_or(usize::MAX))
    }

    /// The commit a push of the current branch starts from: what the upstream branch has; for a new
    /// branch, where it left the default branch; where nothing is left to push, the parent (the last
    /// commit counts as pushed just now). None for the very first commit.
    pub(crate) fn push_base(&self) -> Result<Option<String>, RepositoryError> {
        let default = format!("refs/remotes/origin/{}", self.default_branch);
        let local = format!("refs/heads/{}", self.default_branch);
        // The default branch itself has left itself nowhere.
        let is_default = self.branch.as_deref() == Some(&*self.default_branch);
        let local = (!is_default).then_some(&*local);
        let candidates = [self.upstream.as_deref(), Some(&*default), local];
        for name in candidates.into_iter().flatten() {
            let found = ask(&self.root, &["merge-base", name, &self.head.id])?;
            if let Some(base) = found.filter(|base| *base != self.head.id) {
                return Ok(Some(base));
            }
        }
        Ok(self.head.parents.first().cloned())
    }
}
