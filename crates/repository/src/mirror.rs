//! A repository of ours that follows one elsewhere: branches, tags, and what pull requests are made of.
//!
//! Whoever fetches shows a header, which git gets in a variable: no process list, no file and no
//! message of git's has it. What is fetched is looked at by its commits; nothing of it is run here.
//!
//! Git's own locks refuse whoever comes second: a server that fetches a push would have a person's command
//! fail, or be failed by it. So whoever makes, sets or fetches into a mirror waits for a lock of ours, which the
//! kernel gives in turn and takes back from whoever is killed. Reading needs none.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::git::{Answer, GitError, UNATTENDED_WITHIN, ask, git_unattended};
use crate::{Repository, RepositoryError};

/// Slower than that is standing still,
const SLOWEST_BYTES_A_SECOND: &str = "1000";
/// and for so long it is waited for.
const STALLED_SECONDS: &str = "60";

/// What lets git in: the value of an `Authorization` header; none where nobody asks.
#[derive(Clone, Copy, Default)]
pub struct Access<'a> {
    /// `Basic ...`
    pub header: Option<&'a str>,
}

/// A mirror, in a folder of ours.
#[derive(Clone, Debug)]
pub struct Mirror {
    path: PathBuf,
    url: String,
}

/// Branches and tags, by their whole names. A tag that is an object of its own is that object.
pub type Refs = BTreeMap<String, String>;

/// What a pull request is made of, over there and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestMerge {
    /// The merge.
    pub commit: String,
    /// What was merged into: the base's newest commit then.
    pub base: String,
    /// What was merged: the pull request's newest commit then.
    pub head: String,
}

impl Mirror {
    /// The mirror in this folder, which follows `url`. It is made where there is none; one that
    /// follows another address follows this one from now on.
    ///
    /// # Errors
    /// When git says no.
    pub fn open(path: &Path, url: &str) -> Result<Mirror, RepositoryError> {
        let mirror = Mirror { path: path.to_owned(), url: url.to_owned() };
        std::fs::create_dir_all(path).map_err(|source| mirror.failed(source))?;
        let _turn = mirror.turn()?;
        mirror.clear_locks().map_err(|source| mirror.failed(source))?;
        // One that is not whole is none: git would look for one in the folders around.
        if !["HEAD", "config", "objects", "refs"].iter().all(|it| path.join(it).exists()) {
            mirror.run(&["init", "--quiet", "--bare"], &[])?.done()?;
        }
        mirror.point()?;
        Ok(mirror)
    }

    /// Has it follow its address: in a turn, since somebody else may have said another one before.
    fn point(&self) -> Result<(), RepositoryError> {
        // What runs go on with is not thrown away behind their back.
        for (key, value) in [("remote.origin.url", &*self.url), ("gc.auto", "0")] {
            if ask(&self.path, &["config", "--get", key])?.as_deref().map(str::trim) != Some(value)
            {
                self.run(&["config", key, value], &[])?.done()?;
            }
        }
        Ok(())
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings branches and tags here as they are over there, and the default branch's name. Gives them as
    /// they are here then.
    ///
    /// # Errors
    /// When it cannot be reached, or does not come to an end.
    pub fn fetch(&self, access: Access<'_>) -> Result<Refs, RepositoryError> {
        let _turn = self.turn()?;
        self.point()?;
        let refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        self.bring(&refs, access)?;
        let heads = self.transport(&["ls-remote", "--symref", "origin", "HEAD"], access)?;
        let branch = heads
            .lines()
            .find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD").map(str::to_owned));
        if let Some(branch) = branch {
            self.run(&["symbolic-ref", "HEAD", &branch], &[])?.done()?;
        }
        Repository::commits_of_refs(&self.path)
    }

    /// Branches and tags as they are over there, of which nothing is brought here.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn listed(&self, access: Access<'_>) -> Result<Refs, RepositoryError> {
        let _turn = self.turn()?;
        self.point()?;
        // What a tag leads to in the end is not asked for: it is known by the object that it is.
        let args = ["ls-remote", "--refs", "origin", "refs/heads/*", "refs/tags/*"];
        let there = self.transport(&args, access)?;
        let pairs = there.lines().filter_map(|line| line.split_once('\t'));
        Ok(pairs.map(|(at, name)| (name.to_owned(), at.to_owned())).collect())
    }

    /// Brings a pull request here, as it would be merged now; none where it cannot be merged, or
    /// nobody has tried yet.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn fetch_pull_request(
        &self,
        number: u64,
        access: Access<'_>,
    ) -> Result<Option<TestMerge>, RepositoryError> {
        let _turn = self.turn()?;
        self.point()?;
        let (head, merge) =
            (format!("refs/pull/{number}/head"), format!("refs/pull/{number}/merge"));
        let there = self.transport(&["ls-remote", "origin", &head, &merge], access)?;
        let has = |name: &String| there.lines().any(|line| line.ends_with(&format!("\t{name}")));
        let refs = [&head, &merge].into_iter().filter(|name| has(name));
        let refs: Vec<String> = refs.map(|name| format!("+{name}:{name}")).collect();
        if refs.is_empty() {
            return Ok(None);
        }
        self.bring(&refs.iter().map(String::as_str).collect::<Vec<_>>(), access)?;
        if !has(&merge) {
            return Ok(None);
        }
        let found =
            ask(&self.path, &["rev-parse", &merge, &format!("{merge}^1"), &format!("{merge}^2")])?;
        let found = found.unwrap_or_default();
        let [commit, base, head] = found.lines().collect::<Vec<_>>()[..] else { return Ok(None) };
        Ok(Some(TestMerge { commit: commit.into(), base: base.into(), head: head.into() }))
    }

    /// Waits until nobody else changes it, in this process or another; until it is dropped nobody else does.
    fn turn(&self) -> Result<File, RepositoryError> {
        let path = self.path.with_extension("lock");
        let file = File::options().create(true).append(true).open(&path);
        let held = file.and_then(|file| file.lock().map(|()| file));
        held.map_err(|source| RepositoryError::File { path: path.display().to_string(), source })
    }

    /// Takes away what a git that was killed left, which would stop every other: nobody holds one for longer
    /// than a fetch may take.
    fn clear_locks(&self) -> std::io::Result<()> {
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let (path, about) = (entry.path(), entry.metadata());
                // What is gone meanwhile held nobody up.
                let Ok(about) = about else { continue };
                let is_of_refs = path.starts_with(self.path.join("refs"));
                if about.is_dir() && is_of_refs {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "lock") {
                    let age = about.modified()?.elapsed().unwrap_or_default();
                    if age > UNATTENDED_WITHIN {
                        std::fs::remove_file(&path)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> RepositoryError {
        RepositoryError::File { path: self.path.display().to_string(), source }
    }

    fn bring(&self, refs: &[&str], access: Access<'_>) -> Result<(), RepositoryError> {
        let prune = if refs.iter().any(|it| it.contains('*')) { "--prune" } else { "--no-prune" };
        let args = ["fetch", "--quiet", "--no-tags", prune, "--no-write-fetch-head", "origin"];
        self.transport(&[&args[..], refs].concat(), access).map(drop)
    }

    fn transport(&self, args: &[&str], access: Access<'_>) -> Result<String, RepositoryError> {
        let mut config = vec![
            // Nobody is there to be asked, and a header goes where it is meant to go.
            ("credential.helper".to_owned(), String::new()),
            ("http.followRedirects".to_owned(), "false".to_owned()),
            // Who sends nothing for so long has gone away; others wait for their turn behind it.
            ("http.lowSpeedLimit".to_owned(), SLOWEST_BYTES_A_SECOND.to_owned()),
            ("http.lowSpeedTime".to_owned(), STALLED_SECONDS.to_owned()),
        ];
        if let Some(header) = access.header {
            config.push(("http.extraHeader".to_owned(), format!("Authorization: {header}")));
        }
        Ok(self.run(args, &config)?.done()?)
    }

    fn run(&self, args: &[&str], config: &[(String, String)]) -> Result<Answer, GitError> {
        git_unattended(&self.path, args, config)
    }
}
