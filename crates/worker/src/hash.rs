//! `hashFiles` (conformance 86): the digest of the digests of the workspace's files that match.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest as _, Sha256};

/// GitHub's own limit.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Switches following of links on, as the first argument.
const FOLLOW: &str = "--follow-symbolic-links";

struct Pattern {
    is_exclusion: bool,
    itself: GlobMatcher,
    below: GlobMatcher,
}

/// The workspace, for expressions.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

impl sequencer::World for Workspace {
    fn hash_files(&self, patterns: &[String]) -> Result<String, String> {
        let (follow, patterns) = match patterns.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(FOLLOW) => (true, rest),
            _ => (false, patterns),
        };
        let lines = patterns.iter().flat_map(|it| it.lines()).map(str::trim);
        let patterns: Vec<Pattern> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| Pattern::read(line, &self.root))
            .collect::<Result<_, _>>()?;
        let until = Instant::now() + TIME_MAX;
        let mut files = Vec::new();
        if patterns.iter().any(|pattern| !pattern.is_exclusion) {
            walk(&self.root, &self.root, follow, until, &patterns, &mut files)
                .map_err(|error| format!("hashFiles failed: {error}"))?;
        }
        digest(&files, until).map_err(|error| format!("hashFiles failed: {error}"))
    }
}

impl Pattern {
    fn read(line: &str, root: &Path) -> Result<Pattern, String> {
        let exclusions = line.chars().take_while(|it| *it == '!').count();
        let text = line[exclusions..].trim_start();
        let text = text.strip_prefix("./").unwrap_or(text);
        // An absolute pattern must lie in the workspace to match anything.
        let text = match Path::new(text).strip_prefix(root) {
            Ok(inside) => inside.to_string_lossy().into_owned(),
            Err(_) => text.to_owned(),
        };
        // GitHub's globs know no alternatives: a brace is a brace.
        let text = text.trim_end_matches('/').replace('{', "[{]").replace('}', "[}]");
        let text = text.as_str();
        let glob = |text: &str| {
            GlobBuilder::new(text)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map(|glob| glob.compile_matcher())
                .map_err(|error| format!("hashFiles: the pattern '{line}' is wrong: {error}"))
        };
        Ok(Pattern {
            is_exclusion: exclusions % 2 == 1,
            itself: glob(if text == "." { "" } else { text })?,
            // A pattern that matches a folder matches all that is in it.
            below: glob(&if matches!(text, "" | ".") {
                "**".to_owned()
            } else {
                format!("{text}/**")
            })?,
        })
    }

    fn matches(&self, path: &Path) -> bool {
        self.itself.is_match(path) || self.below.is_match(path)
    }
}

/// Depth first, the entries of a folder in the order of their bytes. The last pattern that matches
/// decides.
fn walk(
    root: &Path,
    folder: &Path,
    follow: bool,
    until: Instant,
    patterns: &[Pattern],
    files: &mut Vec<PathBuf>,
) -> io::Result<()> {
    if Instant::now() > until {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "it took longer than 120 seconds"));
    }
    let mut entries: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    entries.sort();
    for path in entries {
        let kind = if follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        // A broken link, or a file that went away meanwhile.
        let Ok(kind) = kind else { continue };
        if kind.is_dir() {
            walk(root, &path, follow, until, patterns, files)?;
            continue;
        }
        let inside = path.strip_prefix(root).expect("the walk stays below its root");
        let is_in = patterns.iter().rev().find(|pattern| pattern.matches(inside));
        let is_file = || fs::metadata(&path).is_ok_and(|it| it.is_file());
        if is_in.is_some_and(|pattern| !pattern.is_exclusion) && is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn digest(files: &[PathBuf], until: Instant) -> io::Result<String> {
    if files.is_empty() {
        return Ok(String::new());
    }
    let mut all = Sha256::new();
    for file in files {
        if Instant::now() > until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it took longer than 120 seconds"));
        }
        let mut one = Sha256::new();
        io::copy(&mut fs::File::open(file)?, &mut Writer(&mut one))?;
        all.update(one.finalize());
    }
    Ok(hex(&all.finalize()))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text does not fail");
        text
    })
}

struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use sequencer::World as _;

    use super::Workspace;

    fn check(patterns: &[&str], expected: Expect) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        for (name, text) in [("a.lock", "1"), ("b/a.lock", "2"), ("b/c/x.txt", "3"), (".h", "4")] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let workspace = Workspace { root: folder.path().to_owned() };
        let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
        let digest = workspace.hash_files(&patterns).unwrap_or_else(|error| error);
        expected.assert_eq(digest.get(..12).unwrap_or(&digest));
    }

    // proves: conformance 86, 259
    #[test]
    fn c86_hash_files() {
        check(&["nothing"], expect![""]);
        check(&["a.lock"], expect!["9c2e4d8fe97d"]);
        check(&["**/a.lock"], expect!["4295f72eeb1e"]);
        check(&["**/a.lock", "!b/**"], expect!["9c2e4d8fe97d"]);
        check(&["b"], expect!["a9f5b3ab61e2"]);
        check(&["*"], expect!["bfdd855b88b0"]);
        check(&["!a.lock"], expect![""]);
    }
}
