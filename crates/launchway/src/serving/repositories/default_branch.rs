//! The branch that the rules of a repository come from, its settings, schedules and messages too. It is
//! pinned by name when a bare repository is connected, so that no push decides which one it is. Of a
//! mirror it is what the other side says: there `HEAD` follows that with each fetch.

use std::path::Path;

use repository::Repository;

use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::serving::repositories::{self, Connected};
use crate::state::StateFolder;
use crate::terminal::style::talk;

impl Connected {
    /// The newest commit of its default branch; none where that branch is not there.
    pub(crate) fn tip(&self) -> Result<Option<String>, Failure> {
        Ok(Repository::default_commit(&self.path, self.default_branch.as_deref())?)
    }

    /// Its default branch, by name; none where nobody pinned one and `HEAD` points at none.
    pub(crate) fn branch(&self) -> Result<Option<String>, Failure> {
        match &self.default_branch {
            Some(name) => Ok(Some(name.clone())),
            None => Ok(Repository::head_branch(&self.path)?),
        }
    }

    /// That its default branch is not there, and what helps.
    pub(crate) fn no_tip(&self) -> String {
        let name = self.branch().ok().flatten().unwrap_or_else(|| "HEAD".to_owned());
        format!(
            "the default branch {name} of {} is not there, and rules are read from it; launchway repositories add PATH --default-branch NAME says another",
            self.name
        )
    }
}

/// The default branch of a repository, as it was pinned; none where `HEAD` says it.
pub(crate) fn pinned(state: &StateFolder, path: &Path) -> Result<Option<String>, Failure> {
    let known = repositories::all(&DataFolder { state: state.clone() })?;
    Ok(known.into_iter().find(|it| it.path == path).and_then(|it| it.default_branch))
}

/// Pins what was connected before branches were, where `HEAD` points at a branch that is there.
pub(crate) fn pin_all(data: &DataFolder) -> Result<(), Failure> {
    let mut pinned = Vec::new();
    for it in repositories::all(data)? {
        if it.is_mirror() || it.default_branch.is_some() {
            continue;
        }
        match (it.tip(), it.branch()) {
            (Ok(Some(_)), Ok(Some(name))) => pinned.push((it.path, name)),
            (Ok(None), _) => talk(&format!("warning: {}", it.no_tip())),
            (Err(failure), _) | (_, Err(failure)) => {
                talk(&format!("warning: {}: {:#}", it.name, failure.error));
            }
            (Ok(Some(_)), Ok(None)) => {}
        }
    }
    if pinned.is_empty() {
        return Ok(());
    }
    repositories::change(data, |known| {
        for (path, name) in pinned {
            if let Some(it) = known.iter_mut().find(|it| it.path == path) {
                it.default_branch.get_or_insert(name);
            }
        }
        Ok(())
    })
}

/// The branch to pin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) name: String,
    /// What whoever connects the repository is told of it.
    pub(crate) said: Option<String>,
}

/// What is known of a bare repository's branches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// Where `HEAD` points, whether or not that is there.
    pub(crate) head: Option<&'a str>,
    /// Those that are there, by their short names.
    pub(crate) there: &'a [&'a str],
    /// The one that was pinned before.
    pub(crate) before: Option<&'a str>,
}

impl Known<'_> {
    /// Which branch it is: the one that is wanted, the one before, where `HEAD` points, else `main`, or
    /// the only one.
    pub(crate) fn choose(self, wanted: Option<&str>) -> Result<Chosen, Failure> {
        let is_there = |name: &str| self.there.contains(&name);
        let of = |name: &str, said: Option<String>| Ok(Chosen { name: name.to_owned(), said });
        if let Some(name) = wanted.or(self.before) {
            let is_new = self.before != Some(name);
            return of(name, (is_new || !is_there(name)).then(|| self.first(name)));
        }
        let head = self.head.unwrap_or("main");
        match self.there {
            _ if is_there(head) => of(head, None),
            [] => of(head, Some(self.first(head))),
            [only] => of(only, Some(self.first(only))),
            _ if is_there("main") => of("main", Some(self.first("main"))),
            _ => Err(self.which(format!("HEAD points at {head}, which is not there"))),
        }
    }

    fn first(self, name: &str) -> String {
        if !self.there.contains(&name) {
            return format!(
                "rules are read from {name}, which is not there yet; --default-branch NAME says another"
            );
        }
        format!("rules are read from {name}, and HEAD points there from now on")
    }

    fn which(self, message: String) -> Failure {
        let there = self.there.join(", ");
        Failure::new(Exit::Usage, message)
            .hint(format!("--default-branch says where rules are read from; there are: {there}"))
    }
}

/// Chooses for the repository that lies at `path`.
pub(crate) fn of_bare(
    path: &Path,
    wanted: Option<&str>,
    before: Option<&str>,
) -> Result<Chosen, Failure> {
    let refs = Repository::refs(path, None)?;
    let there: Vec<&str> = refs.iter().filter_map(|it| it.strip_prefix("refs/heads/")).collect();
    let head = Repository::head_branch(path)?;
    Known { head: head.as_deref(), there: &there, before }.choose(wanted)
}

/// Lets its `HEAD` point there, too: last of all, when nothing else can refuse what was asked for.
pub(crate) fn point(path: &Path, name: &str) -> Result<(), Failure> {
    if Repository::head_branch(path)?.as_deref() != Some(name) {
        Repository::point_head(path, name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// What is refused behind the choice (a hook of somebody else, a name that another has) changed nothing.
    #[test]
    fn to_choose_moves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let args = ["init", "--quiet", "--bare", "--initial-branch=main"];
        let made = std::process::Command::new("git").args(args).arg(folder.path()).status();
        assert!(made.expect("git starts").success());
        let head = || Repository::head_branch(folder.path()).expect("it can be read");
        let chosen = of_bare(folder.path(), Some("trunk"), None).expect("it is named");
        assert_eq!((&*chosen.name, head().as_deref()), ("trunk", Some("main")));
        point(folder.path(), &chosen.name).expect("it can be written");
        assert_eq!(head().as_deref(), Some("trunk"));
    }

    #[test]
    fn the_branch_that_is_there_is_taken_and_said() {
        let check = |known: Known<'_>, wanted: Option<&str>, expect: Expect| {
            let text = match known.choose(wanted) {
                Ok(Chosen { name, said }) => format!("{name}: {}", said.unwrap_or_default()),
                Err(failure) => format!("{:#}: {}", failure.error, failure.hints.join(", ")),
            };
            expect.assert_eq(&text);
        };
        let of = |head: &'static str, there: &'static [&'static str]| Known {
            head: Some(head),
            there,
            before: None,
        };
        check(of("main", &["main", "work"]), None, expect!["main: "]);
        check(
            of("master", &["main", "work"]),
            None,
            expect!["main: rules are read from main, and HEAD points there from now on"],
        );
        check(
            of("master", &["trunk"]),
            None,
            expect!["trunk: rules are read from trunk, and HEAD points there from now on"],
        );
        check(
            of("master", &["one", "two"]),
            None,
            expect![
                "HEAD points at master, which is not there: --default-branch says where rules are read from; there are: one, two"
            ],
        );
        check(
            of("master", &[]),
            None,
            expect![
                "master: rules are read from master, which is not there yet; --default-branch NAME says another"
            ],
        );
        check(
            of("master", &[]),
            Some("main"),
            expect![
                "main: rules are read from main, which is not there yet; --default-branch NAME says another"
            ],
        );
        check(
            of("main", &["main"]),
            Some("trunk"),
            expect![
                "trunk: rules are read from trunk, which is not there yet; --default-branch NAME says another"
            ],
        );
        // Pinned once, it stays, wherever `HEAD` points by then.
        let before =
            |there: &'static [&'static str]| Known { before: Some("main"), ..of("work", there) };
        check(before(&["main", "work"]), None, expect!["main: "]);
        check(
            before(&["work"]),
            None,
            expect![
                "main: rules are read from main, which is not there yet; --default-branch NAME says another"
            ],
        );
    }
}
