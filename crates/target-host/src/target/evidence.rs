//! What shows why an instance or a command is not what it should be: how it ended, what it said
//! last, what a probe got.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use event::{Cause, EvidenceKind};
use mask::Masker;

/// Lines of a log that are shown.
const LINES_SHOWN: usize = 20;
/// Bytes of its end that are looked at.
const TAIL_BYTES: u64 = 16 << 10;

/// With the last lines of a log, masked.
pub(super) fn with_log(cause: Cause, path: &Path, masker: &Masker) -> Cause {
    match tail(path) {
        Some(text) => cause.with_evidence(EvidenceKind::Log, masker.mask(&text)),
        None => cause,
    }
}

fn tail(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // Half a line at the beginning could be half a secret, which no mask knows.
    let whole = if length > TAIL_BYTES { text.split_once('\n')?.1 } else { &text };
    let lines: Vec<&str> = whole.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// A masker that also knows what the service's private variables hold.
pub(super) fn masker(known: &Masker, private: &Path) -> Masker {
    let mut masker = known.clone();
    for value in crate::processes::private_values(private).unwrap_or_default().into_values() {
        masker.add(&value);
    }
    masker
}
