//! What reaches an environment with a job that waits at its gate: the commits since the one that ran well there last.
//! It is asked for again by every page that looks at the job, so what git said once is kept: commits do not change.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use repository::{Repository, Said};
use server::{Change, Changes};

use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::serving::drive::stood;
use crate::serving::repositories::Connected;

/// Commits that are told; of more, how many they are.
const CHANGES_MAX: usize = 50;
/// Letters of a subject and of a name that are told.
const LETTERS_MAX: usize = 500;
/// Answers that are kept.
const KEPT_MAX: usize = 64;

/// Where two commits are, the older where one is known to compare with, and the newer.
type Pair = (PathBuf, Option<String>, String);

/// What git said, by the commits that it was asked about. A branch that is forced elsewhere has others. What could
/// not be told is asked for again.
#[derive(Default)]
pub(super) struct Brought(Mutex<BTreeMap<Pair, Changes>>);

impl Brought {
    /// From what ran well there last, as far as jobs tell, to `commit`.
    ///
    /// # Errors
    /// When the repository cannot be asked, or does not have the commit any more.
    pub(super) fn of(
        &self,
        data: &DataFolder,
        connected: &Connected,
        (environment, commit): (&str, &str),
    ) -> Result<Changes, Failure> {
        if let Some(since) = stood::commit(data, &connected.name, environment)? {
            let pair = (connected.path.clone(), Some(since.clone()), commit.to_owned());
            if let Some(changes) = self.known(pair, || apart(connected, &since, commit))? {
                return Ok(changes);
            }
        }
        // One that was forced away cannot be counted from.
        let pair = (connected.path.clone(), None, commit.to_owned());
        self.known(pair, || alone(connected, commit))?.ok_or_else(|| {
            let message = format!("{} does not have {commit} any more", connected.name);
            Failure::new(Exit::Missing, message)
        })
    }

    /// What is kept, or what is found now.
    fn known(
        &self,
        pair: Pair,
        find: impl FnOnce() -> Result<Option<Changes>, Failure>,
    ) -> Result<Option<Changes>, Failure> {
        let kept = || self.0.lock().expect("nobody panics while holding it");
        if let Some(changes) = kept().get(&pair) {
            return Ok(Some(changes.clone()));
        }
        // Nobody waits for the git of somebody else.
        let found = find()?;
        if let Some(changes) = &found {
            let mut kept = kept();
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(pair, changes.clone());
        }
        Ok(found)
    }
}

/// None where the repository has not both.
fn apart(connected: &Connected, since: &str, commit: &str) -> Result<Option<Changes>, Failure> {
    let apart = Repository::apart(&connected.path, (since, commit), CHANGES_MAX)?;
    Ok(apart.map(|it| {
        let (count, lost) = (it.only_other, it.only_one);
        Changes { since: Some(since.to_owned()), commits: lines(it.said), count, lost }
    }))
}

/// The commit's own, where it is not known what ran there.
fn alone(connected: &Connected, commit: &str) -> Result<Option<Changes>, Failure> {
    let own = Repository::said_by(&connected.path, commit)?;
    Ok(own.map(|it| Changes { count: 1, commits: lines(vec![it]), ..Changes::default() }))
}

fn lines(said: Vec<Said>) -> Vec<Change> {
    let line = |it: Said| Change {
        subject: shortened(it.message.lines().next().unwrap_or_default()),
        commit: it.id,
        by: shortened(&it.author),
    };
    said.into_iter().map(line).collect()
}

/// Whoever pushes could write a book, and every page that looks would have it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// A repository in which each of these is a commit, and the commits.
    fn repository(path: &Path, subjects: &[&str]) -> Vec<String> {
        let git = |args: &[&str]| {
            let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
            let said = Command::new("git").current_dir(path).args(who).args(args).output();
            let said = said.expect("git runs");
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            String::from_utf8(said.stdout).expect("text").trim().to_owned()
        };
        fs::create_dir(path).expect("a folder");
        git(&["init", "--quiet", "--bare", "--initial-branch=main"]);
        let tree = git(&["mktree", "--missing"]);
        let mut commits: Vec<String> = Vec::new();
        for subject in subjects {
            let parent = commits.last().map(|it| ["-p".to_owned(), it.clone()]);
            let parent = parent.iter().flatten().map(String::as_str);
            let args = ["commit-tree", "-m", subject].into_iter().chain(parent).chain([&*tree]);
            commits.push(git(&args.collect::<Vec<_>>()));
        }
        commits
    }

    #[test]
    fn what_was_found_of_two_commits_is_not_looked_for_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::of(Some(&folder.path().join("data")), None).expect("a folder");
        let path = folder.path().join("app.git");
        let book = "x".repeat(LETTERS_MAX + 1);
        let commits = repository(&path, &["one", "two", &book]);
        let connected = Connected { name: "octo/app".to_owned(), path, ..Connected::default() };
        let brought = Brought::default();
        let told = |commit: &str| {
            let found = brought.of(&data, &connected, ("production", commit));
            let found = found.map_err(|it| format!("{:#}", it.error))?;
            let lines = found.commits.into_iter().map(|it| format!("{} by {}", it.subject, it.by));
            Ok::<_, String>((found.count, found.lost, lines.collect::<Vec<_>>()))
        };
        let stands = |commit: &str| {
            stood::remember(&data, "octo/app", "production", commit).expect("it is written");
        };
        let (first, both) = (
            (1, 0, vec!["one by Mona".to_owned()]),
            (2, 0, vec![format!("{}… by Mona", "x".repeat(LETTERS_MAX)), "two by Mona".to_owned()]),
        );
        // What cannot be told is not kept.
        let aside = folder.path().join("aside");
        fs::rename(&connected.path, &aside).expect("it goes");
        told(&commits[0]).expect_err("it is not there");
        fs::rename(&aside, &connected.path).expect("it comes back");
        assert_eq!(told(&commits[0]), Ok(first.clone()));
        stands(&commits[0]);
        assert_eq!(told(&commits[2]), Ok(both.clone()));
        fs::rename(&connected.path, &aside).expect("it goes");
        assert_eq!(told(&commits[2]), Ok(both));
        // Another commit ran there meanwhile.
        stands(&commits[1]);
        told(&commits[2]).expect_err("it is not known of these");
        fs::rename(&aside, &connected.path).expect("it comes back");
        assert_eq!(told(&commits[2]).expect("it is there").0, 1);
        // One that is gone cannot be counted from.
        stands(&"0".repeat(40));
        assert_eq!(told(&commits[0]), Ok(first));
    }

    #[test]
    fn so_many_answers_are_kept_and_no_more() {
        let brought = Brought::default();
        for number in 0..=KEPT_MAX {
            let pair = (PathBuf::new(), None, number.to_string());
            brought.known(pair, || Ok(Some(Changes::default()))).map_err(|it| it.error).unwrap();
            assert!(brought.0.lock().unwrap().len() <= KEPT_MAX);
        }
    }
}
