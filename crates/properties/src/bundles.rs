//! Bundles of releases, whatever they hold.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use sha2::{Digest as _, Sha256};
use target_host::{PackOptions, pack, unpack, verify};

/// An input is a bundle, named by its own digest: what is refused is refused for what it holds.
pub fn check(input: &[u8]) {
    let around = tempfile::tempdir().expect("a folder for scratch");
    let bundle = around.path().join("bundle");
    fs::File::create(&bundle).and_then(|mut it| it.write_all(input)).expect("room on the disk");
    let hex: String = Sha256::digest(input).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{hex}");
    let inside = around.path().join("inside");
    let unpacked = unpack(&bundle, &digest, &inside);
    let beside = fs::read_dir(around.path()).expect("a readable folder").count();
    match unpacked {
        Ok(entries) => {
            assert_eq!(beside, 2, "nothing leaves the folder");
            let found = look(&inside, &inside);
            assert_eq!(found, entries, "an entry is a file or a link");
            verify(&bundle, &digest, &inside).expect("what was just unpacked is whole");
            same_when_packed(&inside, entries, around.path());
            let other = format!("sha256:{}", "0".repeat(64));
            assert!(unpack(&bundle, &other, &around.path().join("other")).is_err());
            open(&inside);
        }
        Err(error) => {
            assert_eq!(beside, 1, "nothing is left behind");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Packing what was unpacked gives a bundle of the same files; packing that once more, the same
/// bytes.
fn same_when_packed(inside: &Path, entries: u64, around: &Path) {
    let options = PackOptions {
        folder: inside.to_owned(),
        include: vec!["**".to_owned()],
        exclude: Vec::new(),
        limit_bytes: u64::MAX,
    };
    // A name that git ignores, or that is its own, is left out: then there is nothing to compare.
    let Ok(packed) = pack(&options, &around.join("packed")) else { return };
    if packed.entries != entries {
        return;
    }
    let again = around.join("again");
    unpack(&packed.path, &packed.digest, &again).expect("ours can be unpacked");
    let second = pack(&PackOptions { folder: again.clone(), ..options }, &around.join("packed"));
    assert_eq!(second.expect("it could be packed before").digest, packed.digest);
    open(&again);
}

/// Counts files and links; no link leads out, and nothing can be written.
fn look(root: &Path, folder: &Path) -> u64 {
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let kind = entry.file_type().expect("a readable folder");
        assert!(!entry.file_name().as_bytes().contains(&b'/'));
        if kind.is_dir() {
            count += look(root, &entry.path());
            continue;
        }
        assert!(kind.is_file() || kind.is_symlink(), "there is nothing else");
        if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("a link");
            assert!(target.components().all(|it| it != Component::RootDir), "{target:?}");
            // Where it leads somewhere at all, that is inside.
            if let Ok(real) = fs::canonicalize(entry.path()) {
                let root = fs::canonicalize(root).expect("a folder");
                assert!(real.starts_with(root), "{target:?} leads to {real:?}");
            }
        } else {
            use std::os::unix::fs::MetadataExt as _;
            let mode = entry.metadata().expect("a file").mode();
            assert_eq!(mode & 0o222, 0, "nobody writes there");
        }
        count += 1;
    }
    count
}

/// So that it can be removed by who is not root.
fn open(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("our folder");
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open(&entry.path());
        }
    }
}
