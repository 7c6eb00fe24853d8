//! Which job saved an entry, under which lease: the newest lease of a job is the one that counts.
//!
//! A job that was given up may go on where nobody reaches it, and save its key before the one that runs in its
//! place. That one's save takes the place of it; the other way round the key is taken.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value as Json, json};

/// In an entry's folder: a [`Writer`] as JSON. Entries of older versions have none.
pub(super) const WRITER: &str = "writer";
/// Of a writer no more is read.
const WRITER_BYTES_MAX: u64 = 4 << 10;

/// Who saves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Writer {
    /// `run 12.1, job build`.
    pub(in super::super) job: String,
    /// The number of the job's lease: a later one is greater.
    pub(in super::super) lease: u64,
}

impl Writer {
    /// Of the variable that says it, `{"job": "run 12.1, job build", "lease": 3}`.
    pub(super) fn read(text: &str) -> Option<Writer> {
        let said: Json = serde_json::from_str(text).ok()?;
        Some(Writer { job: said["job"].as_str()?.to_owned(), lease: said["lease"].as_u64()? })
    }

    /// As [`Writer::read`] reads it.
    pub(super) fn text(&self) -> String {
        json!({ "job": self.job, "lease": self.lease }).to_string()
    }

    /// Of the entry in this folder, where it says so.
    pub(super) fn of(folder: &Path) -> Option<Writer> {
        let mut text = String::new();
        let file = File::open(folder.join(WRITER)).ok()?;
        file.take(WRITER_BYTES_MAX).read_to_string(&mut text).ok()?;
        Writer::read(&text)
    }

    /// Whether this is the same job under a later lease.
    pub(super) fn is_after(&self, other: &Writer) -> bool {
        self.job == other.job && self.lease > other.lease
    }
}
