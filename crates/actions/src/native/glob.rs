//! Paths as actions write them: one pattern a line, `!` takes away, `~` is the home folder, a
//! folder means all of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::step::{Failure, failed_at};

/// The most files that one step may name: beyond it somebody matched a whole disk.
const FILES_MAX: usize = 1_000_000;
/// The deepest folder that is looked into; a link that leads back up ends here.
const DEPTH_MAX: usize = 100;

/// Patterns, ready to search.
pub(super) struct Patterns {
    rules: Vec<Rule>,
    /// Where searching starts: the parts of the patterns that hold no wildcard.
    pub(super) roots: Vec<PathBuf>,
}

/// What a search is to give.
#[derive(Clone, Copy)]
pub(super) struct Search {
    /// A folder that matches means everything in it; without, the folder itself.
    pub(super) descend: bool,
    /// Leave out what starts with a dot, and everything below it.
    pub(super) skip_hidden: bool,
}

struct Rule {
    takes_away: bool,
    itself: GlobMatcher,
    below: GlobMatcher,
}

impl Patterns {
    /// Reads patterns; relative ones start at `base`.
    pub(super) fn read(lines: &[String], base: &Path, home: &Path) -> Result<Patterns, Failure> {
        let mut rules = Vec::new();
        let mut roots = BTreeSet::new();
        for line in lines.iter().filter(|line| !line.starts_with('#')) {
            let stripped = line.trim_start_matches('!');
            let takes_away = (line.len() - stripped.len()) % 2 == 1;
            let text = absolute(stripped.trim(), base, home);
            if !takes_away {
                roots.insert(root(&text));
            }
            let matcher = |text: &str| {
                GlobBuilder::new(text)
                    .literal_separator(true)
                    .backslash_escape(true)
                    .build()
                    .map(|glob| glob.compile_matcher())
                    .map_err(|error| {
                        Failure::new(format!("pattern `{line}` is not understood: {error}"))
                    })
            };
            let itself = matcher(&text)?;
            let below = matcher(&format!("{}/**", text.trim_end_matches('/')))?;
            rules.push(Rule { takes_away, itself, below });
        }
        // A root inside another is searched with it.
        let all = roots.iter().cloned().collect::<Vec<PathBuf>>();
        let inside = |path: &PathBuf| all.iter().any(|it| it != path && path.starts_with(it));
        let roots = all.iter().filter(|path| !inside(path)).cloned().collect();
        Ok(Patterns { rules, roots })
    }

    /// What is there, in order.
    pub(super) fn find(&self, search: Search) -> Result<Vec<PathBuf>, Failure> {
        let mut found = Vec::new();
        for root in &self.roots {
            if fs::symlink_metadata(root).is_ok() {
                self.walk(root, search, 0, &mut found)?;
            }
        }
        Ok(found)
    }

    fn walk(
        &self,
        path: &Path,
        search: Search,
        depth: usize,
        found: &mut Vec<PathBuf>,
    ) -> Result<(), Failure> {
        if found.len() > FILES_MAX {
            return Err(Failure::new(format!("more than {FILES_MAX} files match")));
        }
        // A link to nothing is left out, as the original does.
        let Ok(meta) = fs::metadata(path) else { return Ok(()) };
        let matched = self.matches(path, search);
        if matched && (!meta.is_dir() || !search.descend) {
            found.push(path.to_owned());
        }
        if !meta.is_dir() || depth >= DEPTH_MAX || (matched && !search.descend) {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)
            .and_then(|entries| {
                entries.map(|entry| entry.map(|it| it.path())).collect::<Result<Vec<_>, _>>()
            })
            .map_err(failed_at("read", path))?;
        entries.sort();
        for entry in entries {
            let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if !(search.skip_hidden && hidden) {
                self.walk(&entry, search, depth + 1, found)?;
            }
        }
        Ok(())
    }

    /// The last word counts: a later `!` takes away, a later pattern gives back.
    fn matches(&self, path: &Path, search: Search) -> bool {
        self.rules.iter().fold(false, |matched, rule| {
            let hit = rule.itself.is_match(path)
                || ((search.descend || rule.takes_away) && rule.below.is_match(path));
            if hit { !rule.takes_away } else { matched }
        })
    }
}

/// The folder that a set of files is told relative to: the common ancestor of the roots.
pub(super) fn common_ancestor(roots: &[PathBuf]) -> PathBuf {
    let Some((first, rest)) = roots.split_first() else { return PathBuf::from("/") };
    first
        .ancestors()
        .find(|ancestor| rest.iter().all(|root| root.starts_with(ancestor)))
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// A pattern from the root of the disk, without `.` and `..`.
pub(super) fn absolute(text: &str, base: &Path, home: &Path) -> String {
    let path = if text == "~" {
        home.to_owned()
    } else if let Some(rest) = text.strip_prefix("~/") {
        home.join(rest)
    } else {
        base.join(text)
    };
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean.to_string_lossy().into_owned()
}

fn root(pattern: &str) -> PathBuf {
    let wild = |part: &str| part.contains(['*', '?', '[', '{']);
    PathBuf::from(format!(
        "/{}",
        pattern
            .split('/')
            .filter(|part| !part.is_empty())
            .take_while(|part| !wild(part))
            .collect::<Vec<_>>()
            .join("/")
    ))
}
