//! Replays the fuzzers' corpus: what they must never break holds on every toolchain.

use std::collections::BTreeSet;
use std::path::PathBuf;

use properties::TARGETS;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Seeds are read by people, and a clone should stay small.
const SEED_BYTES_MAX: usize = 8 << 10;

#[test]
fn every_input_of_the_corpus_keeps_every_promise() {
    for (target, check) in TARGETS {
        let folder = fuzz().join("corpus").join(target);
        let mut seen = 0;
        for entry in folder.read_dir().unwrap_or_else(|_| panic!("{target} has a corpus")) {
            let path = entry.expect("a readable folder").path();
            let input = std::fs::read(&path).expect("a readable seed");
            assert!(input.len() <= SEED_BYTES_MAX, "{} is large", path.display());
            let broken = std::panic::catch_unwind(|| check(&input)).is_err();
            assert!(!broken, "{} breaks a promise", path.display());
            seen += 1;
        }
        assert!(seen > 0, "{target} has no seed");
    }
}

#[test]
fn every_target_is_fuzzed() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    let bins = manifest.lines().filter_map(|line| line.strip_prefix("path = \"targets/"));
    let bins = bins.map(|rest| rest.trim_end_matches(".rs\"").to_owned()).collect();
    assert_eq!(names, bins, "fuzz/Cargo.toml");
    for folder in ["corpus", "targets"] {
        let entries = fuzz().join(folder).read_dir().expect("a folder");
        let found: BTreeSet<String> = entries
            .map(|entry| entry.expect("a readable folder").file_name())
            .map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned())
            .collect();
        assert_eq!(names, found, "fuzz/{folder}");
    }
}
