//! What has shipped can be read for ever: a line of every kind, from every version, decodes and
//! encodes into the same JSON. Lines are added to these files, never changed.

use std::collections::BTreeSet;

use event::{AuditEvent, DeploymentEvent, Fact, IncidentEvent, ReleaseEvent, RunEvent};

/// Every file of runs under `golden/`. A new version of the vocabulary adds one.
const GOLDEN: &[(&str, &str)] = &[("v1", include_str!("../golden/v1.jsonl"))];
/// Every file of deployments.
const DEPLOYMENTS: &[(&str, &str)] =
    &[("deployment-v1", include_str!("../golden/deployment-v1.jsonl"))];
/// Every file of releases.
const RELEASES: &[(&str, &str)] = &[("release-v1", include_str!("../golden/release-v1.jsonl"))];
/// Every file of incidents.
const INCIDENTS: &[(&str, &str)] = &[
    ("incident-v1", include_str!("../golden/incident-v1.jsonl")),
    ("incident-v2", include_str!("../golden/incident-v2.jsonl")),
];

/// Every file of what is none of these.
const AUDIT: &[(&str, &str)] = &[("audit-v1", include_str!("../golden/audit-v1.jsonl"))];

fn decode_and_encode<E: Fact>(files: &[(&str, &str)]) {
    for (version, text) in files {
        for (index, line) in text.lines().enumerate() {
            let place = format!("golden/{version}.jsonl:{}", index + 1);
            let event =
                E::decode(line.as_bytes()).unwrap_or_else(|error| panic!("{place}: {error:?}"));
            assert_eq!(event.encode(), line, "{place}");
        }
    }
    let lines = files.iter().flat_map(|(_, text)| text.lines());
    let found: BTreeSet<&str> =
        lines.map(|line| E::decode(line.as_bytes()).expect("it decodes").kind()).collect();
    let known: BTreeSet<&str> = E::KINDS.iter().copied().collect();
    assert_eq!(found, known, "every kind has a line");
}

#[test]
fn every_golden_line_decodes_and_encodes_into_itself_and_every_kind_has_one() {
    decode_and_encode::<RunEvent>(GOLDEN);
    decode_and_encode::<DeploymentEvent>(DEPLOYMENTS);
    decode_and_encode::<ReleaseEvent>(RELEASES);
    decode_and_encode::<IncidentEvent>(INCIDENTS);
    decode_and_encode::<AuditEvent>(AUDIT);
}
