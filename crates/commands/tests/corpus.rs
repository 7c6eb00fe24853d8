//! Replays the fuzzers' corpus: what they must never break holds on every toolchain.

#![expect(clippy::disallowed_methods, reason = "the corpus is on disk")]

use std::path::Path;

#[path = "../../../fuzz/properties/file_commands.rs"]
mod file_commands;
#[path = "../../../fuzz/properties/matchers.rs"]
mod matchers;
#[path = "../../../fuzz/properties/workflow_commands.rs"]
mod workflow_commands;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seen = 0;
    for entry in folder.read_dir().expect("the target has a corpus") {
        let path = entry.expect("a readable folder").path();
        check(&std::fs::read(&path).expect("a readable seed"));
        seen += 1;
    }
    assert!(seen > 0, "{target} has no seed");
}

#[test]
fn file_commands_hold() {
    replay("file_commands", file_commands::check);
}

#[test]
fn matchers_hold() {
    replay("matchers", matchers::check);
}

#[test]
fn workflow_commands_hold() {
    replay("workflow_commands", workflow_commands::check);
}
