//! The tip of the default branch: where the rules stand that nobody changes alone.
//!
//! It is asked of the remote, now, into a repository of its own that is thrown away: what lies in the
//! user's clone (its idea of `origin/main`, replaced objects, a rewritten object store) is not asked.
//! Where there is no remote, the repository's own default branch is the best there is, and
//! [`Tip::is_remote`] says so.

use std::path::{Path, PathBuf};

use crate::discover::Repository;
use crate::git::{Answer, GitError, ask, git_clean};

/// Commits whose authors are looked at: more than that in one release is nobody's review.
const COMMITS_MAX: usize = 1_000;

/// Variables that would have git look elsewhere than it is told to.
pub(crate) const MISLEADING: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Why there is no tip.
#[derive(Debug, thiserror::Error)]
pub enum TipError {
    /// git itself.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A folder for what is fetched.
    #[error("cannot make a folder to fetch into")]
    Folder(#[source] std::io::Error),
    /// Several remotes, none of them the usual one.
    #[error("there are several remotes ({}), and none is called origin", .0.join(", "))]
    WhichRemote(Vec<String>),
    /// It cannot be reached, or says no.
    #[error("the remote {remote} cannot be asked: {said}")]
    Unreachable {
        /// Its address, without what is secret in it.
        remote: String,
        /// What git said.
        said: String,
    },
    /// It has no default branch.
    #[error("{remote} has no default branch")]
    NoBranch {
        /// Its address, or what stands for it.
        remote: String,
    },
}

impl TipError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            TipError::Git(GitError::Start(_)) => "install git (Debian: apt-get install git)",
            TipError::Git(_) => "does git fetch work here?",
            TipError::Folder(_) => "check the free disk and TMPDIR",
            TipError::WhichRemote(_) => "name the one that counts: git remote rename NAME origin",
            TipError::Unreachable { .. } => "does git ls-remote work here? try again when it does",
            TipError::NoBranch { .. } => "push a branch, or set the remote's HEAD to one",
        }
    }
}

/// The tip.
#[derive(Debug)]
pub struct Tip {
    /// The remote's address without what is secret in it, or `this repository`.
    pub source: String,
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// Whether a remote said so.
    pub is_remote: bool,
    repository: PathBuf,
    // Goes away with the value.
    _fetched: Option<tempfile::TempDir>,
}

impl Repository {
    /// The tip of the default branch, asked of the remote now.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn default_tip(&self) -> Result<Tip, TipError> {
        match self.remote()? {
            Some(remote) => self.remote_tip(&remote),
            None => self.own_tip(),
        }
    }

    /// The address that [`Tip::source`] would be, asking nobody; none where there is no remote.
    ///
    /// # Errors
    /// When git fails, or nobody knows which remote counts.
    pub fn tip_source(&self) -> Result<Option<String>, TipError> {
        let Some(remote) = self.remote()? else { return Ok(None) };
        Ok(Some(without_secrets(&self.address(&remote)?)))
    }

    /// The name of the remote that counts.
    fn remote(&self) -> Result<Option<String>, TipError> {
        let remotes = ask(&self.root, &["remote"])?.unwrap_or_default();
        let remotes: Vec<&str> = remotes.lines().collect();
        match remotes.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).to_owned())),
            many if many.contains(&"origin") => Ok(Some("origin".to_owned())),
            many => Err(TipError::WhichRemote(many.iter().map(|it| (*it).to_owned()).collect())),
        }
    }

    fn address(&self, remote: &str) -> Result<String, GitError> {
        let url = git_clean(&self.root, &["remote", "get-url", remote], &[])?.done()?;
        Ok(absolute(&self.root, url.trim()))
    }

    fn own_tip(&self) -> Result<Tip, TipError> {
        let source = "this repository".to_owned();
        let branch = self.default_branch.clone();
        let name = format!("refs/heads/{branch}^{{commit}}");
        let commit = git_clean(&self.root, &["rev-parse", "--verify", "--quiet", &name], &[])?;
        if commit.code != Some(0) {
            return Err(TipError::NoBranch { remote: source });
        }
        let commit = commit.done()?.trim().to_owned();
        let repository = self.root.clone();
        Ok(Tip { source, branch, commit, is_remote: false, repository, _fetched: None })
    }

    fn remote_tip(&self, remote: &str) -> Result<Tip, TipError> {
        let url = self.address(remote)?;
        let source = without_secrets(&url);
        let unreachable = |answer: Answer| TipError::Unreachable {
            remote: source.clone(),
            said: first_line(&answer.words().replace(&url, &source)),
        };
        let config = self.transport_config()?;
        let folder = tempfile::tempdir().map_err(TipError::Folder)?;
        let at = folder.path();
        git_clean(at, &["init", "--quiet", "--bare"], &[])?.done()?;
        git_clean(at, &["remote", "add", "origin", &url], &[])?.done()?;
        let heads = git_clean(at, &["ls-remote", "--symref", "origin", "HEAD"], &config)?;
        if heads.code != Some(0) {
            return Err(unreachable(heads));
        }
        let heads = heads.done()?;
        let branch = heads.lines().find_map(|line| {
            line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD").map(str::to_owned)
        });
        let Some(branch) = branch else { return Err(TipError::NoBranch { remote: source }) };
        let wanted = format!("+refs/heads/{branch}:refs/heads/tip");
        // Files are fetched when they are asked for, where the remote can do that.
        let filter = ["fetch", "--quiet", "--no-tags", "--depth=1", "--filter=blob:none"];
        let fetched = git_clean(at, &[&filter[..], &["origin", &wanted]].concat(), &config)?;
        if fetched.code != Some(0) {
            return Err(unreachable(fetched));
        }
        let commit = git_clean(at, &["rev-parse", "refs/heads/tip^{commit}"], &[])?.done()?;
        let (commit, repository) = (commit.trim().to_owned(), at.to_path_buf());
        Ok(Tip { source, branch, commit, is_remote: true, repository, _fetched: Some(folder) })
    }

    /// How this clone reaches its remotes: proxies, headers, helpers, the ssh command. Handed on as
    /// variables, because there are tokens among them.
    fn transport_config(&self) -> Result<Vec<(String, String)>, GitError> {
        const WANTED: &str =
            "^(http|https|credential|ssh)\\.|^core\\.(sshcommand|gitproxy|askpass)$";
        let args = ["config", "--local", "--null", "--get-regexp", WANTED];
        let found = git_clean(&self.root, &args, &[])?;
        if found.code != Some(0) {
            return Ok(Vec::new());
        }
        let pairs = found.done()?;
        let pairs = pairs.split('\0').filter_map(|pair| pair.split_once('\n'));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// Names and addresses of who wrote what lies between two commits, each once; of the later one
    /// alone where the earlier is not known.
    ///
    /// # Errors
    /// When git fails.
    pub fn authors(&self, from: Option<&str>, to: &str) -> Result<Vec<String>, GitError> {
        let known = match from {
            Some(from) => ask(&self.root, &["cat-file", "-e", from])?.map(|_| from),
            None => None,
        };
        let range = known.map(|from| format!("{from}..{to}"));
        let limit = match &range {
            Some(_) => format!("--max-count={COMMITS_MAX}"),
            None => "--max-count=1".to_owned(),
        };
        let range = range.as_deref().unwrap_or(to);
        let format = "--format=%an%x00%ae%x00%cn%x00%ce%x00%(trailers:key=Co-authored-by,valueonly,separator=%x00)";
        let found = git_clean(&self.root, &["log", &limit, format, range, "--"], &[])?.done()?;
        let mut names: Vec<String> = Vec::new();
        for name in found.split(['\0', '\n']).flat_map(both) {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// `Mona <mona@example.com>` is two names.
fn both(text: &str) -> Vec<String> {
    match text.split_once('<') {
        Some((name, rest)) => {
            vec![name.trim().to_owned(), rest.trim_end_matches('>').trim().to_owned()]
        }
        None => vec![text.trim().to_owned()],
    }
}

impl Tip {
    /// A file of it; none where it has none.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn file(&self, path: &str) -> Result<Option<String>, TipError> {
        let is_there = git_clean(&self.repository, &["ls-tree", &self.commit, "--", path], &[])?;
        if is_there.done()?.is_empty() {
            return Ok(None);
        }
        let object = format!("{}:{path}", self.commit);
        let found = git_clean(&self.repository, &["cat-file", "blob", &object], &[])?;
        if found.code != Some(0) {
            let (remote, said) = (self.source.clone(), first_line(found.words()));
            return Err(TipError::Unreachable { remote, said });
        }
        Ok(Some(found.done()?))
    }

    /// Paths of all files with this name.
    ///
    /// # Errors
    /// When git fails.
    pub fn called(&self, name: &str) -> Result<Vec<String>, TipError> {
        let args = ["ls-tree", "-r", "-z", "--name-only", &self.commit];
        let all = git_clean(&self.repository, &args, &[])?.done()?;
        let is_called = |path: &&str| path.rsplit('/').next() == Some(name);
        Ok(all.split('\0').filter(is_called).map(str::to_owned).collect())
    }
}

fn first_line(words: &str) -> String {
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let said = lines.find(|line| line.starts_with("fatal:")).or_else(|| words.lines().next());
    said.unwrap_or("git said nothing").trim_start_matches("fatal: ").to_owned()
}

/// A path is meant from the repository that names it.
fn absolute(root: &Path, url: &str) -> String {
    let is_relative = url.starts_with("./") || url.starts_with("../");
    if is_relative { root.join(url).display().to_string() } else { url.to_owned() }
}

/// Without a user's password or token.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_tokens() {
        assert_eq!(without_secrets("https://x:ghp_1@github.com/a/b"), "https://github.com/a/b");
        assert_eq!(without_secrets("ssh://git@forge:22/a/b"), "ssh://forge:22/a/b");
        assert_eq!(without_secrets("git@github.com:a/b.git"), "git@github.com:a/b.git");
        assert_eq!(without_secrets("/srv/planner.git"), "/srv/planner.git");
    }
}
