//! The lines that commits add, one by one, as git tells them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::git::{Git, GitError};
use crate::native::step::Failure;

/// The longest line that is looked at whole: beyond it is generated code.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A line that a commit added.
pub(super) struct Added<'l> {
    pub(super) commit: &'l str,
    pub(super) file: &'l str,
    pub(super) line: u64,
    pub(super) text: &'l str,
}

/// Calls `hear` for every added line of the commits that `range` names by ids, `^ids`, `HEAD` or
/// `--all`. Gives how many there were.
pub(super) fn added_lines(
    folder: &Path,
    range: &[String],
    hear: &mut dyn FnMut(&Added<'_>),
) -> Result<u64, Failure> {
    let mut child = Git::new(folder, "log")
        .args(["--patch", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv"])
        .args(["--full-history", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/"])
        .arg("--format=commit %H")
        .args(range.iter().map(String::as_str))
        .arg("--")
        .into_command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(GitError::Start)?;
    let mut reader = BufReader::new(child.stdout.take().expect("stdout was asked for as a pipe"));
    let mut hunks = Hunks::default();
    let mut bytes = Vec::new();
    let mut count = 0;
    loop {
        bytes.clear();
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(Failure::new(format!("git log broke off: {error}"))),
        }
        bytes.truncate(LINE_BYTES_MAX);
        let text = String::from_utf8_lossy(&bytes);
        if let Some(added) = hunks.take(text.trim_end_matches(['\n', '\r'])) {
            count += 1;
            hear(&added);
        }
    }
    drop(reader);
    let output = child.wait_with_output().map_err(GitError::Start)?;
    if output.status.success() {
        return Ok(count);
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::new(format!("git log {} failed: {words}", range.join(" "))))
}

/// Where in the output we are. Lengths of hunks are counted: an added line may look like a header.
#[derive(Default)]
struct Hunks {
    commit: String,
    file: String,
    line: u64,
    removed_left: u64,
    added_left: u64,
}

impl Hunks {
    fn take<'l>(&'l mut self, text: &'l str) -> Option<Added<'l>> {
        if self.removed_left > 0 && text.starts_with('-') {
            self.removed_left -= 1;
            return None;
        }
        if self.added_left > 0
            && let Some(rest) = text.strip_prefix('+')
        {
            self.added_left -= 1;
            self.line += 1;
            let line = self.line - 1;
            return Some(Added { commit: &self.commit, file: &self.file, line, text: rest });
        }
        if let Some(commit) = text.strip_prefix("commit ") {
            commit.clone_into(&mut self.commit);
        } else if let Some(file) = text.strip_prefix("+++ ") {
            let file = file.trim_matches('"').trim_end_matches('\t');
            file.strip_prefix("b/").unwrap_or(file).clone_into(&mut self.file);
        } else if let Some(header) = text.strip_prefix("@@ -") {
            self.enter(header);
        }
        None
    }

    /// `12,3 +14,2 @@ ..`; a count that is missing is 1.
    fn enter(&mut self, header: &str) {
        let mut parts = header.split(' ');
        let pair = |part: Option<&str>| {
            let part = part.unwrap_or_default().trim_start_matches('+');
            let (start, count) = part.split_once(',').unwrap_or((part, "1"));
            (start.parse().unwrap_or(0), count.parse().unwrap_or(0))
        };
        (_, self.removed_left) = pair(parts.next());
        (self.line, self.added_left) = pair(parts.next());
    }
}
