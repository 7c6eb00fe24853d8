//! Problem matchers, whatever their file and the lines are.

use commands::matcher::{MatchOutcome, MatcherFile, Matchers};

/// An expression that looks ahead or back has no guard against endless backtracking: with short
/// lines it ends.
const LINE_LENGTH: usize = 24;

/// An input is a matcher file, a zero byte, and lines.
pub fn check(input: &[u8]) {
    let mut parts = input.splitn(2, |&byte| byte == 0);
    let file = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let lines = parts.next().unwrap_or_default();
    let Ok(file) = MatcherFile::parse(&file) else { return };
    let mut matchers = Matchers::new();
    for matcher in file.matchers {
        let owner = matcher.owner().to_owned();
        assert!(!owner.is_empty());
        matchers.add(matcher);
        assert_eq!(matchers.owners().next(), Some(owner.as_str()));
    }
    for line in lines.split(|&byte| byte == b'\n') {
        match matchers.look(&line[..line.len().min(LINE_LENGTH)]) {
            MatchOutcome::Text => {}
            MatchOutcome::Problem { annotation, .. } => {
                assert!(!matchers.is_empty() && !annotation.message.trim().is_empty());
            }
        }
    }
}
