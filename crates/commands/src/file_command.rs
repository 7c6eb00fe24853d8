//! The files through which a step talks to its runner (conformance N).
//!
//! Whoever runs the step reads the bytes; here they become values.

mod artifacts;
mod pairs;

use std::borrow::Cow;

pub use artifacts::{
    ARTIFACTS_FILE_LIMIT, ARTIFACTS_PER_JOB, ArtifactEntry, ArtifactError, ArtifactKind,
    ArtifactSubject, ArtifactSubjects, parse_artifacts,
};
pub use pairs::{
    EnvFile, FileCommandError, FileCommandReason, parse_env, parse_output, parse_state,
};

/// A step's summary may have this many bytes (conformance 184).
pub const SUMMARY_LIMIT: u64 = 1024 * 1024;

/// A variable that would change how every later JavaScript action runs (conformance 181).
pub(crate) fn is_refused_variable(name: &str) -> bool {
    name.eq_ignore_ascii_case("NODE_OPTIONS")
}

/// A file's text. Shells write UTF-8; PowerShell 5 writes UTF-16 with a mark in front.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).into(),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).into(),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// The entries of a `GITHUB_PATH` file, as written; blank lines are skipped (conformance 182).
pub fn parse_path(text: &str) -> Vec<String> {
    let lines =
        text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Puts an entry in front of the additions to PATH; one that is there already moves
/// (conformance 182).
pub fn prepend_path(additions: &mut Vec<String>, entry: String) {
    additions.retain(|it| *it != entry);
    additions.insert(0, entry);
}

/// Refuses a summary of too many bytes.
pub fn check_summary(size: u64) -> Result<(), SummaryTooLarge> {
    if size > SUMMARY_LIMIT { Err(SummaryTooLarge { size }) } else { Ok(()) }
}

/// A summary that is not kept; the step's conclusion stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {limit}k, got {got}k",
    limit = SUMMARY_LIMIT / 1024,
    got = size / 1024
)]
pub struct SummaryTooLarge {
    size: u64,
}
