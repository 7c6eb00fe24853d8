//! Texts of streams, digests and what cannot be decoded.

use event::{Attempt, Digest, Fact, RunEvent, RunId, Seq, StreamId, Timestamp, chain};
use expect_test::{Expect, expect};

fn check_stream(text: &str, expected: &Expect) {
    let found = match text.parse::<StreamId>() {
        Ok(stream) => {
            assert_eq!(stream.to_string(), text);
            format!("{stream:?}")
        }
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&found);
}

#[test]
fn a_stream_has_one_text() {
    check_stream("run/12/1", &expect!["Run(RunId(12), Attempt(1))"]);
    check_stream("run/012/1", &expect!["`run/012/1` names no stream that this version knows"]);
    check_stream("run/+12/1", &expect!["`run/+12/1` names no stream that this version knows"]);
    check_stream("run/12", &expect!["`run/12` names no stream that this version knows"]);
    check_stream("run/12/1/1", &expect!["`run/12/1/1` names no stream that this version knows"]);
    check_stream(
        "run/18446744073709551616/1",
        &expect!["`run/18446744073709551616/1` names no stream that this version knows"],
    );
    check_stream("deployment/4", &expect!["Deployment(DeploymentId(4))"]);
    check_stream(
        "deployment/04",
        &expect!["`deployment/04` names no stream that this version knows"],
    );
    check_stream("incident/7", &expect!["Incident(IncidentId(7))"]);
    check_stream(
        "environment/4",
        &expect!["`environment/4` names no stream that this version knows"],
    );
    check_stream("", &expect!["`` names no stream that this version knows"]);
}

fn check_decode(payload: &str, expected: &Expect) {
    let error = RunEvent::decode(payload.as_bytes()).expect_err("no event");
    let source = std::error::Error::source(&error).map(|it| format!(": {it}")).unwrap_or_default();
    expected.assert_eq(&format!("{error}{source}"));
}

#[test]
fn newer_is_told_from_damaged() {
    check_decode(
        r#"{"type":"DeploymentRequested","to":"production"}"#,
        &expect!["the event kind `DeploymentRequested` is not known to this version"],
    );
    check_decode(
        r#"{"type":"JobWaiting","job":"a","reason":{"kind":"moonlight"},"at":1}"#,
        &expect![
            "the event `JobWaiting` does not read as this version knows it: unknown variant `moonlight`, expected one of `concurrency`, `max_parallel`, `person`"
        ],
    );
    check_decode(
        r#"{"type":"JobReady","job":"a"}"#,
        &expect!["the event `JobReady` does not read as this version knows it: missing field `at`"],
    );
    check_decode(
        r#"{"job":"a"}"#,
        &expect!["the payload is no event: missing field `type` at line 1 column 11"],
    );
    check_decode("\u{0}", &expect!["the payload is no event: expected value at line 1 column 1"]);
}

#[test]
fn a_field_of_a_newer_version_is_passed_over() {
    let newer = br#"{"type":"JobReady","job":"a","at":1,"mood":"good"}"#;
    assert_eq!(
        RunEvent::decode(newer).unwrap().encode(),
        r#"{"type":"JobReady","job":"a","at":1}"#
    );
}

#[test]
fn digests_parse_what_they_print() {
    let digest = Digest::of(b"abc");
    assert_eq!(digest.to_string().parse(), Ok(digest));
    for wrong in ["", "ba78", &"g".repeat(64), &"A".repeat(64), &"0".repeat(65), &"0".repeat(66)] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

/// These values never change: every journal in the world rests on them. They were worked out with
/// coreutils' sha256sum over the bytes that `chain` names, not with this function.
#[test]
fn the_chain_is_fixed() {
    let stream = StreamId::Run(RunId(12), Attempt(1));
    let payload = Digest::of(br#"{"type":"JobReady","job":"a","at":1}"#);
    let first = chain(&Digest::ZERO, stream, Seq(1), Timestamp(1_767_225_600_000), &payload);
    assert_eq!(
        first.to_string(),
        "cab5c41d5c40d5299e3650ddb0f5326afc9b473d073008c5ec4aa4049499eaac"
    );
    let second = chain(&first, stream, Seq(2), Timestamp(1_767_225_600_001), &payload);
    assert_eq!(
        second.to_string(),
        "af4bd76484daf96b9be133030ff890b6757c6977d3d9f974f6b82f269ca35153"
    );
}

#[test]
fn everything_that_is_hashed_changes_the_digest() {
    let stream = StreamId::Run(RunId(1), Attempt(1));
    let digest = Digest::of(b"a");
    let digests = std::collections::BTreeSet::from([
        chain(&Digest::ZERO, stream, Seq(1), Timestamp(1), &digest),
        chain(&digest, stream, Seq(1), Timestamp(1), &digest),
        chain(&Digest::ZERO, StreamId::Run(RunId(1), Attempt(2)), Seq(1), Timestamp(1), &digest),
        chain(&Digest::ZERO, stream, Seq(2), Timestamp(1), &digest),
        chain(&Digest::ZERO, stream, Seq(1), Timestamp(2), &digest),
        chain(&Digest::ZERO, stream, Seq(1), Timestamp(1), &Digest::of(b"b")),
    ]);
    assert_eq!(digests.len(), 6);
}
