//! What shows why an instance or a command is not what it should be: how it ended, what it said
//! last, what a probe got.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use event::{Cause, EvidenceKind};
use mask::{MaskedText, Masker};

/// How much of a log's end is taken.
struct Tail {
    lines: usize,
    /// That are looked at.
    bytes: u64,
}

/// For causes, which the journal keeps.
const EVIDENCE: Tail = Tail { lines: 20, bytes: 16 << 10 };
/// For people who ran a command and want to see what it said.
const SHOWN: Tail = Tail { lines: 2_000, bytes: 256 << 10 };

/// With the last lines of a log, masked.
pub(super) fn with_log(cause: Cause, path: &Path, masker: &Masker) -> Cause {
    match tail(path, &EVIDENCE) {
        Some(text) => cause.with_evidence(EvidenceKind::Log, masker.mask(&text)),
        None => cause,
    }
}

/// What a command printed, its last lines, masked.
pub(super) fn printed(path: &Path, masker: &Masker) -> Vec<MaskedText> {
    let text = tail(path, &SHOWN).map(|text| masker.mask(&text));
    let lines = text.as_ref().map_or("", MaskedText::as_str).lines();
    // Each is a part of what was masked as a whole.
    lines.map(MaskedText::without_secrets).collect()
}

fn tail(path: &Path, tail: &Tail) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(tail.bytes))).ok()?;
    let mut bytes = Vec::new();
    file.take(tail.bytes).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // Half a line at the beginning could be half a secret, which no mask knows.
    let whole = if length > tail.bytes { text.split_once('\n')?.1 } else { &text };
    let lines: Vec<&str> = whole.lines().collect();
    let shown = &lines[lines.len().saturating_sub(tail.lines)..];
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
