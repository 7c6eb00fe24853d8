//! `hashFiles` (conformance 86): the digest of the digests of the workspace's files that match.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobMatcher};
use sandbox::Hands;
use sha2::{Digest as _, Sha256};

/// GitHub's own limit.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Switches following of links on, as the first argument.
const FOLLOW: &str = "--follow-symbolic-links";

struct Pattern {
    is_exclusion: bool,
    /// The folder, or the one file, that is searched for it: what stands before the first segment
    /// with a wildcard.
    head: PathBuf,
    itself: GlobMatcher,
    below: GlobMatcher,
}

/// The workspace, for expressions.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Who looks.
    pub(crate) hands: Hands,
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
        let root = self.root.clone();
        let hashed = self.hands.have(move || hashed(&root, &patterns, follow));
        hashed.map_err(|error| format!("hashFiles failed: {error}"))
    }
}

fn hashed(root: &Path, patterns: &[Pattern], follow: bool) -> io::Result<String> {
    let until = Instant::now() + TIME_MAX;
    let mut walk = Walk { root, follow, until, patterns, chain: Vec::new(), files: Vec::new() };
    for head in heads(patterns) {
        walk.look(&root.join(head))?;
    }
    digest(&walk.files, until)
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
        let is_relative = |(at, part): (usize, &str)| part == ".." || at > 0 && part == ".";
        if text.split('/').enumerate().any(is_relative) {
            return Err(format!("hashFiles: the pattern '{line}' may not hold '.' or '..'"));
        }
        let head = text.split('/').map_while(literal).collect();
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
            head,
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

/// A segment of a pattern without wildcards, as the name it stands for.
fn literal(segment: &str) -> Option<String> {
    let mut name = String::with_capacity(segment.len());
    let mut letters = segment.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next()),
            '*' | '?' => return None,
            // A set of one letter is that letter.
            '[' => match letters.as_str().char_indices().nth(1) {
                Some((end, ']')) => {
                    name.push_str(&letters.as_str()[..end]);
                    letters = letters.as_str()[end + 1..].chars();
                }
                _ if letters.as_str().contains(']') => return None,
                _ => name.push('['),
            },
            other => name.push(other),
        }
    }
    Some(name)
}

/// Where the patterns begin, in the order written: each once, and none that lies below another.
/// The digest depends on this order, so it is GitHub's.
fn heads(patterns: &[Pattern]) -> Vec<&Path> {
    let all: Vec<&Path> =
        patterns.iter().filter(|it| !it.is_exclusion).map(|it| it.head.as_path()).collect();
    let mut heads: Vec<&Path> = Vec::new();
    for head in &all {
        let lies_below = all.iter().any(|other| other != head && head.starts_with(other));
        if !lies_below && !heads.contains(head) {
            heads.push(head);
        }
    }
    heads
}

/// A search for files.
struct Walk<'a> {
    root: &'a Path,
    follow: bool,
    until: Instant,
    patterns: &'a [Pattern],
    /// The real folders on the way down, so that a link to one of them ends the way.
    chain: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Walk<'_> {
    /// Depth first, the entries of a folder in the order of their bytes. The last pattern that
    /// matches decides.
    fn look(&mut self, path: &Path) -> io::Result<()> {
        let kind = if self.follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
        // Nothing of that name, a broken link, or a file that went away meanwhile.
        let Ok(kind) = kind else { return Ok(()) };
        if kind.is_dir() {
            return self.folder(path);
        }
        let inside = path.strip_prefix(self.root).expect("the walk stays below its root");
        let decides = self.patterns.iter().rev().find(|pattern| pattern.matches(inside));
        let is_file = || fs::metadata(path).is_ok_and(|it| it.is_file());
        if decides.is_some_and(|pattern| !pattern.is_exclusion) && is_file() {
            self.files.push(path.to_owned());
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> io::Result<()> {
        if Instant::now() > self.until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it took longer than 120 seconds"));
        }
        if self.follow {
            let real = fs::canonicalize(path)?;
            if self.chain.contains(&real) {
                return Ok(());
            }
            self.chain.push(real);
        }
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut entries: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
        entries.sort();
        for entry in entries {
            self.look(&entry)?;
        }
        if self.follow {
            self.chain.pop();
        }
        Ok(())
    }
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

    use super::{Hands, Workspace};

    fn check(patterns: &[&str], expected: Expect) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        for (name, text) in [("a.lock", "1"), ("b/a.lock", "2"), ("b/c/x.txt", "3"), (".h", "4")] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let workspace = Workspace { root: folder.path().to_owned(), hands: Hands::default() };
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
        check(&["../a.lock"], expect!["hashFiles: t"]);
    }

    /// The digest that GitHub's way of hashing gives for files with these texts, in this order.
    fn digest_of(texts: &[&str]) -> String {
        use sha2::{Digest as _, Sha256};
        let each = texts.iter().flat_map(|text| Sha256::digest(text).to_vec());
        super::hex(&Sha256::digest(each.collect::<Vec<u8>>()))
    }

    // proves: conformance 86
    #[test]
    fn c86_patterns_are_searched_in_the_order_written() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        for name in ["a", "b/1", "b/2", "b/c/3", "z"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, name).expect("a file");
        }
        std::os::unix::fs::symlink("..", folder.path().join("b/up")).expect("a link");
        let workspace = Workspace { root: folder.path().to_owned(), hands: Hands::default() };
        for (patterns, files) in [
            (&["z", "a"][..], &["z", "a"][..]),
            (&["a", "z"], &["a", "z"]),
            (&["z", "b/*", "a"], &["z", "b/1", "b/2", "b/c/3", "a"]),
            (&["b/c/3", "b/**", "a"], &["b/1", "b/2", "b/c/3", "a"]),
            (&["z", "**/2", "a"], &["a", "b/2", "z"]),
            (&["[z]", "a", "z"], &["z", "a"]),
            (&["z", "b/?", "!b/1"], &["z", "b/2", "b/c/3"]),
            (&["missing", "z"], &["z"]),
            (&["--follow-symbolic-links", "b", "a"], &["b/1", "b/2", "b/c/3", "a", "z", "a"]),
        ] {
            let texts: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
            let digest = workspace.hash_files(&texts).expect("it can be hashed");
            assert_eq!(digest, digest_of(files), "{patterns:?}");
        }
    }
}
