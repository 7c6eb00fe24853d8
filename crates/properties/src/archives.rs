//! Archives of artifacts, whatever they hold.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use actions::{Existing, unpack_artifact};

/// An input is a zip archive.
pub fn check(input: &[u8]) {
    let around = tempfile::tempdir().expect("a folder for scratch");
    let folder = around.path().join("inside");
    let mut archive = tempfile::tempfile().expect("a file for scratch");
    archive.write_all(input).expect("room on the disk");
    archive.rewind().expect("a file of ours");
    let extracted = unpack_artifact(archive, &folder, Existing::Replace);
    let beside = fs::read_dir(around.path()).expect("a readable folder").count();
    assert!(beside <= 1, "nothing leaves the folder");
    match extracted {
        Ok(entries) => assert!(files(&folder) <= entries, "a file is an entry"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Counts regular files; there is nothing else but folders.
fn files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let kind = entry.file_type().expect("a readable folder");
        assert!(kind.is_dir() || kind.is_file(), "a link may lead anywhere");
        count += if kind.is_dir() { files(&entry.path()) } else { 1 };
    }
    count
}
