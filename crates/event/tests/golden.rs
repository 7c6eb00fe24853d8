//! What has shipped can be read for ever: a line of every kind, from every version, decodes and
//! encodes into the same JSON. Lines are added to these files, never changed.

use std::collections::BTreeSet;

use event::{Fact, RunEvent};

/// Every file under `golden/`. A new version of the vocabulary adds one.
const GOLDEN: &[(&str, &str)] = &[("v1", include_str!("../golden/v1.jsonl"))];

#[test]
fn every_golden_line_decodes_and_encodes_into_itself() {
    for (version, text) in GOLDEN {
        for (index, line) in text.lines().enumerate() {
            let place = format!("golden/{version}.jsonl:{}", index + 1);
            let event = RunEvent::decode(line.as_bytes())
                .unwrap_or_else(|error| panic!("{place}: {error:?}"));
            assert_eq!(event.encode(), line, "{place}");
        }
    }
}

#[test]
fn every_kind_has_a_golden_line() {
    let found: BTreeSet<&str> = GOLDEN
        .iter()
        .flat_map(|(_, text)| text.lines())
        .map(|line| RunEvent::decode(line.as_bytes()).unwrap().kind())
        .collect();
    let known: BTreeSet<&str> = RunEvent::KINDS.iter().copied().collect();
    assert_eq!(found, known);
}
