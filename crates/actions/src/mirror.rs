//! Where a repository is fetched from: GitHub, unless a rule sends it to another host or a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where actions live when nothing else is said.
pub(crate) const DEFAULT_HOST: &str = "https://github.com";

/// Rules by prefix of `owner/repo`; the longest one that fits wins.
///
/// A prefix ends at a `/`: `octo` and `octo/` mean every repository of that owner, `octo/tool` that
/// one, and the empty prefix or `*` everything. The other side is an address or a folder; `{owner}`
/// and `{repo}` in it are filled in, without them `owner/repo` is put behind it.
#[derive(Clone, Debug, Default)]
pub struct Mirrors {
    rules: BTreeMap<String, String>,
    host: Option<String>,
}

/// Where a repository comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// What git is given.
    pub(crate) address: String,
    /// It lies on this machine: no network is needed.
    pub(crate) local: bool,
    /// The rule that sent us there.
    pub(crate) rule: Option<String>,
}

impl Mirrors {
    /// Rules as written in settings or on the command line.
    pub fn new(rules: BTreeMap<String, String>) -> Mirrors {
        Mirrors { rules, host: None }
    }

    /// Another host than GitHub for what no rule names.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Mirrors {
        self.host = Some(host.trim_end_matches('/').to_owned());
        self
    }

    /// Where `owner/repo` comes from.
    pub(crate) fn origin(&self, owner: &str, repo: &str) -> Origin {
        let name = format!("{owner}/{repo}").to_ascii_lowercase();
        let rule = self
            .rules
            .iter()
            .filter(|(prefix, _)| fits(prefix, &name))
            .max_by_key(|(prefix, _)| prefix.trim_matches(['*', '/']).len());
        let Some((prefix, target)) = rule else {
            let host = self.host.as_deref().unwrap_or(DEFAULT_HOST);
            return Origin { address: format!("{host}/{owner}/{repo}"), local: false, rule: None };
        };
        let rule = Some(format!("{prefix}={target}"));
        let folder = target.strip_prefix("file://").unwrap_or(target);
        if folder.contains("://") || (folder.contains('@') && folder.contains(':')) {
            return Origin { address: filled(folder, owner, repo), local: false, rule };
        }
        let exact = prefix.eq_ignore_ascii_case(&name);
        let address = in_folder(Path::new(folder), owner, repo, exact);
        Origin { address: address.display().to_string(), local: true, rule }
    }
}

/// Whether a prefix covers `owner/repo`, at a `/` or at the end.
fn fits(prefix: &str, name: &str) -> bool {
    let prefix = prefix.trim_matches(['*', '/']).to_ascii_lowercase();
    prefix.is_empty() || name == prefix || name.starts_with(&format!("{prefix}/"))
}

fn filled(target: &str, owner: &str, repo: &str) -> String {
    if target.contains("{repo}") || target.contains("{owner}") {
        return target.replace("{owner}", owner).replace("{repo}", repo);
    }
    format!("{}/{owner}/{repo}", target.trim_end_matches('/'))
}

/// The repository inside a folder of repositories: `owner/repo` or `repo`, bare or not; for a rule
/// that names one repository also the folder itself.
fn in_folder(folder: &Path, owner: &str, repo: &str, exact: bool) -> PathBuf {
    let text = folder.to_string_lossy();
    if text.contains("{repo}") || text.contains("{owner}") {
        return PathBuf::from(filled(&text, owner, repo));
    }
    if exact && is_repository(folder) {
        return folder.to_owned();
    }
    let (low_owner, low_repo) = (owner.to_ascii_lowercase(), repo.to_ascii_lowercase());
    // GitHub does not tell cases apart; a folder usually does.
    for (owner, repo) in [(owner, repo), (&low_owner, &low_repo)] {
        let nested = folder.join(owner);
        let bare = format!("{repo}.git");
        let found = [nested.join(repo), nested.join(&bare), folder.join(repo), folder.join(&bare)]
            .into_iter()
            .find(|candidate| is_repository(candidate));
        if let Some(found) = found {
            return found;
        }
    }
    folder.join(owner).join(repo)
}

fn is_repository(folder: &Path) -> bool {
    folder.join(".git").exists() || (folder.join("HEAD").exists() && folder.join("refs").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    // The longest rule wins, at the borders of owner and repository, ignoring case.
    #[test]
    fn the_longest_rule_wins() {
        let rules = [
            ("", "https://mirror.example/all"),
            ("octo", "https://octo.example"),
            ("octo/tool", "git@host.example:{owner}-{repo}.git"),
            ("folder/", "/srv/actions"),
        ];
        let rules =
            rules.into_iter().map(|(prefix, target)| (prefix.to_owned(), target.to_owned()));
        let mirrors = Mirrors::new(rules.collect());
        for (owner, repo, expected) in [
            ("octo", "other", "https://octo.example/octo/other"),
            ("Octo", "Tool", "git@host.example:Octo-Tool.git"),
            ("octopus", "tool", "https://mirror.example/all/octopus/tool"),
            ("folder", "a", "/srv/actions/folder/a"),
        ] {
            assert_eq!(mirrors.origin(owner, repo).address, expected);
        }
        let none = Mirrors::default().origin("o", "r");
        assert_eq!((none.address.as_str(), none.local), ("https://github.com/o/r", false));
    }
}
