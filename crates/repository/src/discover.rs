//! What the repository is: root, commit, branch, remote, and what is not committed.
//!
//! Starting a run must cost milliseconds: few git processes, side by side where they can be.

use std::path::{Path, PathBuf};

use event::Timestamp;

use crate::RepositoryError;
use crate::bare::blob;
use crate::git::{ask, ask_with, git};
use crate::private::PrivateStore;

/// A commit, with what events and lead time need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Full hash.
    pub id: String,
    /// Hash of its tree.
    pub tree: String,
    /// Hashes of its parents.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author: (String, String),
    /// Who committed it.
    pub committer: (String, String),
    /// When it was written.
    pub authored_at: Timestamp,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The whole message.
    pub message: String,
}

impl Commit {
    /// The message's first line.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or("")
    }
}

/// A repository at one moment.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The top of the work tree.
    pub root: PathBuf,
    /// Owner, from the remote's address; `local` where there is none.
    pub owner: String,
    /// Name, from the remote's address, else the folder's.
    pub name: String,
    /// What it is known by among all others: host and path of its remote, `github.com/octo/planner`,
    /// without who signs in there; the folder, where there is no remote.
    pub identity: String,
    /// The branch that is checked out; none when detached.
    pub branch: Option<String>,
    /// The branch it is pushed to, as `origin/main`.
    pub upstream: Option<String>,
    /// The repository's default branch, as far as this clone knows.
    pub default_branch: String,
    /// The commit that is checked out.
    pub head: Commit,
    /// Files that differ from the commit, untracked ones that are not ignored among them.
    pub uncommitted: Vec<String>,
    /// The person, as git knows them.
    pub user: (String, String),
}

impl Repository {
    /// Reads the repository that `path` lies in.
    pub fn discover(path: &Path) -> Result<Repository, RepositoryError> {
        let shown = path.display().to_string();
        if !path.is_dir() {
            return Err(RepositoryError::NoFolder { path: shown });
        }
        let root = match ask(path, &["rev-parse", "--show-toplevel"])? {
            Some(root) if !root.is_empty() => PathBuf::from(root),
            _ => return Err(not_a_repository(path, shown)?),
        };
        let (head, config, status, refs) = std::thread::scope(|scope| {
            let head = scope.spawn(|| commit(&root, "HEAD"));
            let config = scope.spawn(|| Config::read(&root));
            let refs = scope.spawn(|| DefaultRefs::read(&root));
            let status = Status::read(&root);
            (joined(head), joined(config), status, joined(refs))
        });
        let Some(head) = head? else {
            return Err(RepositoryError::NoCommit { path: root.display().to_string() });
        };
        let (config, status) = (config?, status?);
        let (owner, name) = config.full_name(&root);
        let fallback = status.branch.as_deref().or(config.init_branch.as_deref());
        Ok(Repository {
            default_branch: refs?.default_branch(fallback),
            user: config.user(&head),
            branch: status.branch,
            upstream: status.upstream,
            uncommitted: status.changed,
            identity: config.identity(&root),
            owner,
            name,
            head,
            root,
        })
    }

    /// `owner/name`
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The commit that a name stands for.
    pub fn commit(&self, name: &str) -> Result<Option<Commit>, RepositoryError> {
        if name == self.head.id {
            return Ok(Some(self.head.clone()));
        }
        commit(&self.root, name)
    }

    /// The digest of all files of a commit; none where there is no such commit here.
    pub fn tree(&self, commit: &str) -> Result<Option<String>, RepositoryError> {
        let name = format!("{commit}^{{tree}}");
        let tree = ask(&self.root, &["rev-parse", "--verify", "--quiet", &name])?;
        Ok(tree.map(|it| it.trim().to_owned()))
    }

    /// The tags of the commit that is checked out.
    pub fn tags(&self) -> Result<Vec<String>, RepositoryError> {
        let tags = ask(&self.root, &["tag", "--points-at", "HEAD"])?.unwrap_or_default();
        Ok(tags.lines().map(str::to_owned).collect())
    }

    /// The tags of a commit.
    pub fn tags_at(&self, commit: &Commit) -> Result<Vec<String>, RepositoryError> {
        let tags = ask(&self.root, &["tag", "--points-at", &commit.id])?.unwrap_or_default();
        Ok(tags.lines().map(str::to_owned).collect())
    }

    /// Whether a commit is part of what is checked out.
    pub fn head_contains(&self, commit: &Commit) -> Result<bool, RepositoryError> {
        let base = ask(&self.root, &["merge-base", &commit.id, &self.head.id])?;
        Ok(base.is_some_and(|it| it.trim() == commit.id))
    }

    /// The files directly in `folder` at a commit, which may be one that only `store` has.
    pub(crate) fn files_of(
        &self,
        commit: &str,
        folder: &str,
        store: &PrivateStore,
    ) -> Result<Vec<CommittedFile>, RepositoryError> {
        let objects = store.unfinished_objects();
        // It borrows the user's own, so it stands for both.
        let with = objects.iter().map(|path| ("GIT_OBJECT_DIRECTORY", &**path)).collect::<Vec<_>>();
        let tree = format!("{commit}:{folder}");
        let Some(entries) = ask_with(&self.root, &["ls-tree", "-z", &tree], &with)? else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for entry in entries.split('\0') {
            // `<mode> <type> <object>\t<name>`
            let Some((about, name)) = entry.split_once('\t') else { continue };
            let mut about = about.split(' ');
            let (Some(mode), Some("blob"), Some(object)) =
                (about.next(), about.next(), about.next())
            else {
                continue;
            };
            if files.len() == FOLDER_FILES_MAX {
                let most = format!("{FOLDER_FILES_MAX} files");
                return Err(RepositoryError::TooLarge { path: folder.to_owned(), most });
            }
            let path = format!("{folder}/{name}");
            let text = blob(&self.root, object, &path, &with)?;
            files.push(CommittedFile { path, text, is_link: mode == LINK_MODE });
        }
        Ok(files)
    }
}

/// The most files of a folder of workflows that are read.
const FOLDER_FILES_MAX: usize = 1_000;
/// How git writes down that an entry is a symbolic link.
const LINK_MODE: &str = "120000";

/// A file as it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedFile {
    /// From the repository's root.
    pub path: String,
    /// What it says; a link says where it points.
    pub text: String,
    /// Whether it is a symbolic link.
    pub is_link: bool,
}

/// What a thread gave; a fault of ours in it is one here.
pub(crate) fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))
}

/// A folder that git refuses for another reason than "there is none" deserves git's own words.
fn not_a_repository(path: &Path, shown: String) -> Result<RepositoryError, RepositoryError> {
    if ask(path, &["rev-parse", "--is-inside-work-tree"])?.as_deref() == Some("false") {
        return Ok(RepositoryError::NoWorkTree { path: shown });
    }
    match git(path, &["rev-parse", "--show-toplevel"]) {
        Err(crate::GitError::Failed { message, .. })
            if message.contains("not a git repository") =>
        {
            Ok(RepositoryError::NotARepository { path: shown })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(RepositoryError::NotARepository { path: shown }),
    }
}

pub(crate) fn commit(root: &Path, name: &str) -> Result<Option<Commit>, RepositoryError> {
    // A name may come from a payload, and is never an option.
    let commits = commits(root, &["-1", "--end-of-options", name])?;
    Ok(commits.and_then(|commits| commits.into_iter().next()))
}

/// The commits that `git log` lists, in one process; none where it says no.
pub(crate) fn commits(root: &Path, which: &[&str]) -> Result<Option<Vec<Commit>>, RepositoryError> {
    // Neither field nor message can hold the NUL that stands behind each.
    let format = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B";
    let args = [&["log", "-z", "--no-show-signature", format], which, &["--"]].concat();
    let Some(answer) = ask(root, &args)? else { return Ok(None) };
    let fields: Vec<&str> = answer.split('\0').collect();
    Ok(Some(fields.chunks_exact(10).filter_map(Commit::of_fields).collect()))
}

impl Commit {
    fn of_fields(fields: &[&str]) -> Option<Commit> {
        let &[
            id,
            tree,
            parents,
            author,
            author_mail,
            authored,
            committer,
            committer_mail,
            committed,
            message,
        ] = fields
        else {
            return None;
        };
        Some(Commit {
            id: id.to_owned(),
            tree: tree.to_owned(),
            parents: parents.split_whitespace().map(str::to_owned).collect(),
            author: (author.to_owned(), author_mail.to_owned()),
            committer: (committer.to_owned(), committer_mail.to_owned()),
            authored_at: seconds(authored),
            committed_at: seconds(committed),
            message: message.trim_end().to_owned(),
        })
    }
}

fn seconds(text: &str) -> Timestamp {
    Timestamp(text.parse::<u64>().unwrap_or(0).saturating_mul(1000))
}

/// What `git status` says about branch and work tree.
#[derive(Default)]
struct Status {
    branch: Option<String>,
    upstream: Option<String>,
    changed: Vec<String>,
}

impl Status {
    fn read(root: &Path) -> Result<Status, RepositoryError> {
        let args = ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"];
        Ok(Status::parse(&git(root, &args)?))
    }

    fn parse(answer: &str) -> Status {
        let mut status = Status::default();
        let mut entries = answer.split('\0');
        while let Some(entry) = entries.next() {
            if let Some(head) = entry.strip_prefix("# branch.head ") {
                status.branch = (head != "(detached)").then(|| head.to_owned());
            } else if let Some(upstream) = entry.strip_prefix("# branch.upstream ") {
                status.upstream = Some(upstream.to_owned());
            } else if let Some(path) = entry.strip_prefix("? ") {
                status.changed.push(path.to_owned());
            } else if entry.starts_with("1 ") {
                status.changed.extend(entry.splitn(9, ' ').nth(8).map(str::to_owned));
            } else if entry.starts_with("2 ") {
                // A rename: the old path follows as an entry of its own, and both changed.
                status.changed.extend(entry.splitn(10, ' ').nth(9).map(str::to_owned));
                status.changed.extend(entries.next().map(str::to_owned));
            } else if entry.starts_with("u ") {
                status.changed.extend(entry.splitn(11, ' ').nth(10).map(str::to_owned));
            }
        }
        status
    }
}

/// The settings of git that matter here.
pub(crate) struct Config {
    origin: Option<String>,
    name: Option<String>,
    mail: Option<String>,
    init_branch: Option<String>,
}

impl Config {
    pub(crate) fn read(root: &Path) -> Result<Config, RepositoryError> {
        let keys = "^(remote\\.origin\\.url|user\\.(name|email)|init\\.defaultbranch)$";
        let answer = ask(root, &["config", "-z", "--get-regexp", keys])?.unwrap_or_default();
        let mut config = Config { origin: None, name: None, mail: None, init_branch: None };
        for entry in answer.split('\0') {
            let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
            let slot = match key {
                "remote.origin.url" => &mut config.origin,
                "user.name" => &mut config.name,
                "user.email" => &mut config.mail,
                "init.defaultbranch" => &mut config.init_branch,
                _ => continue,
            };
            *slot = Some(value.to_owned());
        }
        Ok(config)
    }

    pub(crate) fn full_name(&self, root: &Path) -> (String, String) {
        let folder = root.file_name().map_or("repository".into(), |name| name.to_string_lossy());
        self.origin
            .as_deref()
            .and_then(owner_and_name)
            .unwrap_or_else(|| ("local".to_owned(), folder.into_owned()))
    }

    pub(crate) fn identity(&self, root: &Path) -> String {
        let folder = || root.display().to_string();
        self.origin.as_deref().map_or_else(folder, |address| host_and_path(address, root))
    }

    fn user(&self, head: &Commit) -> (String, String) {
        let name = self.name.clone().unwrap_or_else(|| head.committer.0.clone());
        (name, self.mail.clone().unwrap_or_else(|| head.committer.1.clone()))
    }
}

/// The names under which a default branch is known.
struct DefaultRefs {
    answer: String,
}

impl DefaultRefs {
    fn read(root: &Path) -> Result<DefaultRefs, RepositoryError> {
        let args = ["for-each-ref", "--format=%(refname) %(symref:short)"];
        let refs = ["refs/remotes/origin/HEAD", "refs/heads/main", "refs/heads/master"];
        Ok(DefaultRefs { answer: git(root, &[&args[..], &refs[..]].concat())? })
    }

    /// `origin/HEAD` knows it in a clone; else the first of the usual names that exists; else the
    /// branch that is checked out.
    fn default_branch(&self, fallback: Option<&str>) -> String {
        let mut local = None;
        for line in self.answer.lines() {
            let (name, target) = line.split_once(' ').unwrap_or((line, ""));
            match name.strip_prefix("refs/heads/") {
                None => return target.strip_prefix("origin/").unwrap_or(target).to_owned(),
                Some(branch) => local = local.or(Some(branch.to_owned())),
            }
        }
        local.unwrap_or_else(|| fallback.unwrap_or("main").to_owned())
    }
}

/// `owner` and `name` from a remote's address: the last two parts of its path, for https, ssh, scp
/// form and plain paths.
fn owner_and_name(address: &str) -> Option<(String, String)> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => match address.split_once(':') {
            Some((host, path)) if !host.contains('/') => path,
            _ => address,
        },
    };
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    let name = parts.next()?;
    Some((parts.next()?.to_owned(), name.to_owned()))
}

/// Where a remote is, the same for every form of its address: `github.com/octo/app`. A path of this
/// machine is taken from the work tree, as git takes it.
fn host_and_path(address: &str, root: &Path) -> String {
    let (host, path) = match address.split_once("://") {
        // Behind `file://` stands a whole path.
        Some((_, rest)) if rest.starts_with('/') => ("", rest),
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => match address.split_once(':') {
            Some((host, path)) if !host.contains('/') => (host, path),
            _ => ("", address),
        },
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if host.is_empty() {
        return root.join(path).display().to_string();
    }
    let host = host.rsplit('@').next().unwrap_or(host).to_lowercase();
    format!("{host}/{}", path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_by_where_its_remote_is() {
        let check = |address: &str, expect: &str| {
            assert_eq!(host_and_path(address, Path::new("/home/mona/app")), expect, "{address}");
        };
        check("https://github.com/octo/app.git", "github.com/octo/app");
        check("https://mona:secret@GitHub.com/octo/app/", "github.com/octo/app");
        check("git@github.com:octo/app.git", "github.com/octo/app");
        check("ssh://git@example.com:2222/octo/app", "example.com:2222/octo/app");
        check("https://elsewhere.example.com/octo/app", "elsewhere.example.com/octo/app");
        check("/srv/git/octo/app.git", "/srv/git/octo/app");
        check("file:///srv/git/octo/app.git", "/srv/git/octo/app");
    }

    #[test]
    fn owner_and_name_come_from_every_form_of_address() {
        let check = |address: &str, expect: Option<(&str, &str)>| {
            let found = owner_and_name(address);
            let found = found.as_ref().map(|(owner, name)| (owner.as_str(), name.as_str()));
            assert_eq!(found, expect, "{address}");
        };
        check("https://github.com/octo/app.git", Some(("octo", "app")));
        check("https://github.com/octo/app", Some(("octo", "app")));
        check("git@github.com:octo/app.git", Some(("octo", "app")));
        check("ssh://git@example.com:2222/octo/app/", Some(("octo", "app")));
        check("/srv/git/octo/app.git", Some(("octo", "app")));
        check("app.git", None);
    }

    #[test]
    fn status_lists_every_kind_of_change() {
        let answer = "# branch.oid abc\0# branch.head main\0# branch.upstream origin/main\0\
            1 .M N... 100644 100644 100644 a b src/a b.rs\0\
            2 R. N... 100644 100644 100644 a b R100 new.rs\0old.rs\0\
            u UU N... 100644 100644 100644 100644 a b c both.rs\0? notes.txt\0";
        let status = Status::parse(answer);
        assert_eq!(status.branch.as_deref(), Some("main"));
        assert_eq!(status.upstream.as_deref(), Some("origin/main"));
        assert_eq!(status.changed, ["src/a b.rs", "new.rs", "old.rs", "both.rs", "notes.txt"]);
    }

    #[test]
    fn a_detached_head_has_no_branch() {
        assert_eq!(Status::parse("# branch.head (detached)\0").branch, None);
    }
}
