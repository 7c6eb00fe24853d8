//! Journals that shipped versions wrote are folded for ever: every event is a legal move, and nothing
//! is owed at their end.

use event::{Fact as _, RunEvent, StreamId};
use scheduler::{State, evolve};
use serde_json::Value as Json;

/// A line for each event, over all streams. A new version of the vocabulary adds one.
const GOLDEN: &[&str] = &[
    include_str!("../../event/golden/journal-v1.jsonl"),
    include_str!("../../event/golden/journal-v2.jsonl"),
];

#[test]
fn every_golden_journal_folds() {
    for journal in GOLDEN {
        let mut state = State::new();
        let mut count = 0;
        for line in journal.lines() {
            let line: Json = serde_json::from_str(line).expect("it is JSON");
            let stream = line["stream"].as_str().expect("it names its stream");
            let stream: StreamId = stream.parse().expect("a stream");
            if stream.as_run().is_none() {
                continue;
            }
            let payload = line["event"].to_string();
            let event = RunEvent::decode(payload.as_bytes()).expect("it is known for ever");
            if let Err(illegal) = evolve(&mut state, stream, &event) {
                panic!("{stream}: {}: {illegal}", event.kind());
            }
            count += 1;
        }
        assert_eq!((count, state.leases_open()), (135, 0));
    }
}
