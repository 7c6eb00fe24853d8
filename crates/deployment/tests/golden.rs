//! Journals that shipped versions wrote are folded for ever: every event is a legal move.

use deployment::{State, evolve};
use event::{DeploymentEvent, Fact as _};
use serde_json::Value as Json;

/// A line for each event, over all streams. A new version of the vocabulary adds one.
const GOLDEN: &[&str] = &[
    include_str!("../../event/golden/journal-v1.jsonl"),
    include_str!("../../event/golden/journal-v2.jsonl"),
];

#[test]
fn every_golden_journal_folds() {
    for journal in GOLDEN {
        let mut states = std::collections::BTreeMap::new();
        for line in journal.lines() {
            let line: Json = serde_json::from_str(line).expect("it is JSON");
            let stream = line["stream"].as_str().expect("it names its stream");
            if !stream.starts_with("deployment/") {
                continue;
            }
            let payload = line["event"].to_string();
            let event = DeploymentEvent::decode(payload.as_bytes()).expect("it is known for ever");
            let state = states.entry(stream.to_owned()).or_insert_with(State::new);
            if let Err(illegal) = evolve(state, &event) {
                panic!("{stream}: {}: {illegal}", event.kind());
            }
        }
        assert_eq!(states.len(), 3);
    }
}
