//! Blobs and growing logs.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use event::{Attempt, BlobId, Fence, JobKey, RunId};
use expect_test::{Expect, expect};
use store::{Blobs, Durability, Store};

use crate::story;

fn open(folder: &Path) -> Blobs {
    Blobs::open(folder, Durability::ProcessDeath).expect("a new folder opens")
}

/// Every file below the folder, from it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below").display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_blob_lies_under_its_digest_once() {
    let folder = tempfile::tempdir().unwrap();
    for durability in [Durability::ProcessDeath, Durability::PowerLoss] {
        let blobs = Blobs::open(folder.path(), durability).unwrap();
        let (blob, size) = blobs.put(&mut &b"abc"[..]).unwrap();
        assert_eq!(blobs.put_bytes(b"abc").unwrap(), blob);
        assert_eq!((size, blobs.size(&blob).unwrap()), (3, 3));
        assert_eq!(io::read_to_string(blobs.get(&blob).unwrap()).unwrap(), "abc");
    }
    assert_eq!(
        files(folder.path()),
        ["ba/78/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
    );
}

/// Gives some bytes, then fails.
struct Breaking(bool);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            return Err(io::Error::other("the source broke"));
        }
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

#[test]
fn half_a_blob_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let refused = blobs.put(&mut Breaking(false)).unwrap_err();
    expect![[r#"
        cannot write a blob in FOLDER/temporary
          because: the source broke"#]]
    .assert_eq(&story(&refused, folder.path()));
    assert_eq!(files(folder.path()), [""; 0]);
    // What a killed process left goes away with the next opening.
    fs::write(folder.path().join("temporary/left"), "half").unwrap();
    open(folder.path());
    assert_eq!(files(folder.path()), [""; 0]);
}

fn check_missing(name: &str, expected: &Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = open(&folder.path().join("blobs"));
    fs::write(folder.path().join("secret"), "s").expect("written");
    let blob = BlobId::new(name);
    let refused = blobs.get(&blob).expect_err("no such blob");
    assert_eq!(refused.to_string(), blobs.size(&blob).expect_err("no such blob").to_string());
    expected.assert_eq(&story(&refused, folder.path()));
}

#[test]
fn a_name_leads_nowhere_else() {
    check_missing(
        &"0".repeat(64),
        &expect![
            "there is no blob 0000000000000000000000000000000000000000000000000000000000000000 in FOLDER/blobs"
        ],
    );
    check_missing("../secret", &expect!["there is no blob ../secret in FOLDER/blobs"]);
    check_missing("", &expect!["there is no blob  in FOLDER/blobs"]);
}

#[test]
fn a_log_is_adopted_and_the_times_of_its_lines_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let job = JobKey::new("caller/test (3.12, ../x)");
    let path = store.logs().create(RunId(12), Attempt(1), &job, Fence(2)).unwrap();
    fs::write(&path, "one\ntwo\n").unwrap();
    fs::write(path.with_extension("log.times"), "times").unwrap();
    let (blob, size) = store.blobs().adopt(&path).unwrap();
    assert_eq!(store.blobs().adopt(&path).unwrap(), (blob.clone(), size));
    assert_eq!(
        files(&folder.path().join("logs")),
        ["", ".times"]
            .map(|end| format!("12/1/caller%2Ftest%20%283%2E12%2C%20%2E%2E%2Fx%29.2.log{end}"))
    );
    store.logs().remove(&path).unwrap();
    store.logs().remove(&path).unwrap();
    // The times of its lines stay with the run.
    let left = files(&folder.path().join("logs"));
    assert_eq!(left.len(), 1);
    assert!(left[0].ends_with(".2.log.times"));
    store.logs().close(RunId(12), Attempt(1));
    let times = store::Logs::times(&path);
    assert_eq!(fs::read_to_string(&times).unwrap(), "times");
    fs::remove_file(&times).unwrap();
    store.logs().close(RunId(12), Attempt(1));
    assert!(!folder.path().join("logs/12").exists());
    assert_eq!(io::read_to_string(store.blobs().get(&blob).unwrap()).unwrap(), "one\ntwo\n");
}

/// Makes a blob look as if it was written long ago.
fn age(blobs: &Blobs, blob: &BlobId) {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = blobs.get(blob).expect("it is there");
    file.set_modified(long_ago).expect("a file of ours");
}

#[test]
fn what_nobody_names_goes_unless_it_was_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path());
    let [named, gone, again, linked, fresh] =
        ["named", "gone", "again", "linked", "fresh"].map(|it| {
            let blob = blobs.put_bytes(it.as_bytes()).unwrap();
            if it != "fresh" {
                age(&blobs, &blob);
            }
            blob
        });
    fs::write(folder.path().join("note.txt"), "not ours").unwrap();
    let before = SystemTime::now() - Duration::from_secs(3600);
    let used = BTreeSet::from([named.clone()]);
    let unused = blobs.unused(&used, before).unwrap();
    let mut expected = vec![(gone.clone(), 4), (again.clone(), 5), (linked.clone(), 6)];
    expected.sort();
    assert_eq!(unused, expected);

    // Two jobs need the bytes between the look and the removing.
    blobs.put_bytes(b"again").unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "linked").unwrap();
    blobs.adopt(&file).unwrap();
    let removed = unused.iter().filter(|(blob, _)| blobs.remove_unused(blob, before).unwrap());
    assert_eq!(removed.map(|(blob, _)| blob).collect::<Vec<_>>(), [&gone]);
    assert!(!blobs.remove_unused(&gone, before).unwrap());
    for blob in [named, again, linked, fresh] {
        assert!(blobs.get(&blob).is_ok(), "{blob}");
    }
}

#[test]
fn two_jobs_never_share_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let long = "x".repeat(300);
    let keys = ["a b", "a%20b", "a/b", "a.b", "é", &long, &format!("{long}y"), &long[..150]];
    let paths: std::collections::BTreeSet<_> = keys
        .iter()
        .map(|key| store.logs().create(RunId(1), Attempt(1), &JobKey::new(*key), Fence(1)))
        .map(|path| path.unwrap())
        .collect();
    assert_eq!(paths.len(), keys.len());
    for path in paths {
        fs::write(path, "").unwrap();
    }
}
