//! What proves that nobody altered the journal, what deletion leaves, and what a newer version wrote.

use event::{BlobId, JobKey, RunEvent, Seq, StepKey, Timestamp};
use expect_test::{Expect, expect};
use mask::MaskedText;
use ports::Journal as _;
use store::{Head, Store, Trail};

use crate::engines::{Home, on_each_engine};
use crate::{NOW, completed, ready, run, story};

on_each_engine! {
    what_was_altered_is_found,
    what_a_kept_head_proves,
    payloads_are_deleted_and_the_chain_holds,
    the_blobs_that_events_name_are_told,
    an_event_of_a_newer_version_stops_its_stream_and_no_other,
    a_value_of_a_newer_version_stops_reading,
    a_kind_of_stream_of_a_newer_version_is_named,
}

/// Three runs, two of them ended.
fn filled(home: &Home) -> Store {
    let store = home.open();
    for number in 1..=3 {
        let events = [ready("a"), ready("b"), ready("c")];
        store.append(run(number), Seq(0), NOW, &events).expect("appended");
    }
    for number in 1..=2 {
        store.append(run(number), Seq(3), NOW, &[completed()]).expect("appended");
    }
    store
}

/// What `verify` says after somebody ran `sql`, then what reading and appending say.
fn check(home: &Home, sql: &str, expected: &Expect) {
    let home = home.another();
    let store = filled(&home);
    home.alter(sql);
    let verify = store.verify().map_err(|error| story(&error, home.path()));
    let read = store.read(run(3), Seq(0)).map_err(|error| story(&error, home.path()));
    expected.assert_eq(&format!("verify: {verify:?}\nread: {:?}\n", read.map(|it| it.len())));
}

fn what_was_altered_is_found(home: &Home) {
    check(
        home,
        "UPDATE event SET payload = replace(payload, 'b', 'x') WHERE position = 8",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 2: its payload is not what was appended")
        read: Err("the chain of run/3/1 is broken at event 2: its payload is not what was appended")
    "#]],
    );
    check(
        home,
        "UPDATE event SET at = at + 1 WHERE position = 8",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 2: its digest does not follow from the one before")
        read: Err("the chain of run/3/1 is broken at event 2: its digest does not follow from the one before")
    "#]],
    );
    check(
        home,
        "UPDATE event SET digest = payload_digest WHERE position = 8",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 2: its digest does not follow from the one before")
        read: Err("the chain of run/3/1 is broken at event 2: its digest does not follow from the one before")
    "#]],
    );
    check(
        home,
        "UPDATE event SET payload = NULL WHERE position = 8",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 2: its payload is missing")
        read: Err("the events of run/3/1 were deleted; only their digests are kept")
    "#]],
    );
    check(
        home,
        "UPDATE event SET seq = 9 WHERE position = 8",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 2: the event is missing")
        read: Err("the chain of run/3/1 is broken at event 2: the event is missing")
    "#]],
    );
    check(
        home,
        "DELETE FROM event WHERE position = 8",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 2: the event is missing")
        read: Err("the chain of run/3/1 is broken at event 2: the event is missing")
    "#]],
    );
    check(
        home,
        "DELETE FROM event WHERE position = 9",
        &expect![[r#"
        verify: Err("the chain of run/3/1 is broken at event 3: events at the end are missing")
        read: Ok(2)
    "#]],
    );
    check(
        home,
        "UPDATE stream SET name = 'run/3/2' WHERE name = 'run/3/1'",
        &expect![[r#"
        verify: Err("the chain of run/3/2 is broken at event 1: its digest does not follow from the one before")
        read: Ok(0)
    "#]],
    );
}

fn what_a_kept_head_proves(home: &Home) {
    let said = |trail: &Trail, kept: &Head| match trail.verify(Some(kept)) {
        Ok(verified) => format!("{} events", verified.events),
        Err(error) => story(&error, home.path()),
    };
    let store = filled(home);
    let trail = Trail::open(home.path()).unwrap();
    let nothing = Head::default();
    let early = trail.head().unwrap();
    assert_eq!(early, store.verify().unwrap().head);
    assert_eq!(early.to_string().parse(), Ok(early));
    store.append(run(3), Seq(3), NOW, &[ready("d")]).unwrap();
    let kept = trail.head().unwrap();
    for head in [&nothing, &early, &kept] {
        assert_eq!(said(&trail, head), "12 events");
    }
    let other = Head { digest: early.digest, ..kept };
    expect!["the journal was rewritten: up to position 12 it is not the one whose head that is"]
        .assert_eq(&said(&trail, &other));

    // Cut off with care: the stream's row and the engine's own count say nothing any more.
    home.alter("DELETE FROM event WHERE position = 12");
    home.alter(
        "UPDATE stream SET seq = 3, digest = (SELECT digest FROM event WHERE position = 9)
         WHERE name = 'run/3/1'",
    );
    home.forget_positions_behind(11);
    assert_eq!(said(&trail, &early), "11 events");
    expect!["the journal was cut off: it ends at position 11, and had a head at position 12"]
        .assert_eq(&said(&trail, &kept));
    store.append(run(3), Seq(3), NOW, &[ready("e")]).unwrap();
    assert_eq!(said(&trail, &early), "12 events");
    // PostgreSQL gives another position to the new one.
    assert!(trail.verify(Some(&kept)).is_err());
}

fn payloads_are_deleted_and_the_chain_holds(home: &Home) {
    let store = filled(home);
    let before = store.verify().unwrap().head;
    store.forget(run(1)).unwrap();
    store.forget(run(1)).unwrap();
    store.forget(run(77)).unwrap();
    let verified = store.verify().unwrap();
    assert_eq!((verified.streams, verified.events, verified.forgotten), (3, 11, 4));
    // What was kept outside before is true behind it, too.
    let trail = Trail::open(home.path()).unwrap();
    assert_eq!(trail.verify(Some(&before)).unwrap().head, before);

    let refused = store.read(run(1), Seq(0)).unwrap_err();
    expect!["the events of run/1/1 were deleted; only their digests are kept"]
        .assert_eq(&refused.to_string());
    let refused = store.append(run(1), Seq(4), NOW, &[ready("d")]).unwrap_err();
    expect!["the events of run/1/1 were deleted; only their digests are kept"]
        .assert_eq(&refused.to_string());
    let refused = store.forget(run(3)).unwrap_err();
    expect!["run/3/1 has not ended; its events cannot be deleted"].assert_eq(&refused.to_string());
    assert_eq!(store.read(run(2), Seq(0)).unwrap().len(), 4);
}

fn the_blobs_that_events_name_are_told(home: &Home) {
    let store = filled(home);
    let blob = |digit: &str| BlobId::new(digit.repeat(64));
    let summary = |digit| RunEvent::SummaryWritten {
        job: JobKey::new("a"),
        step: StepKey::new("s"),
        blob: blob(digit),
    };
    let artifact = |digit, expires_at| RunEvent::ArtifactUploaded {
        job: JobKey::new("a"),
        name: MaskedText::without_secrets("dist"),
        blob: blob(digit),
        size_bytes: 1,
        expires_at: Timestamp(expires_at),
    };
    let events = [summary("1"), artifact("2", NOW.0 - 1), artifact("3", NOW.0), completed()];
    store.append(run(3), Seq(3), NOW, &events).unwrap();
    store.append(run(4), Seq(0), NOW, &[summary("4")]).unwrap();
    // What a newer version wrote keeps its blobs.
    let digest = blob("5");
    home.append_raw(&store, run(3), &format!(r#"{{"type":"job_sealed","proof":["{digest}"]}}"#));

    let named = |without: &[u64]| {
        let without = without.iter().map(|number| run(*number)).collect();
        let named = store.blobs_named(&without, NOW).unwrap();
        named.iter().map(|blob| blob.as_str()[..1].to_owned()).collect::<String>()
    };
    assert_eq!(named(&[]), "1345");
    assert_eq!(named(&[3, 99]), "4");
    let ended = store.ended_streams().unwrap();
    assert_eq!(ended, [(run(1), NOW), (run(2), NOW), (run(3), NOW)]);
    store.forget(run(3)).unwrap();
    assert_eq!(named(&[]), "4");
    assert_eq!(store.ended_streams().unwrap().len(), 2);
}

#[test]
fn deleted_payloads_are_not_left_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = Store::open(folder.path()).unwrap();
        let name = "findme".repeat(2_000);
        store.append(run(1), Seq(0), NOW, &[ready(&name), completed()]).unwrap();
        store.forget(run(1)).unwrap();
    }
    let bytes = std::fs::read(folder.path().join("journal.db")).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"findmefindme"));
}

fn an_event_of_a_newer_version_stops_its_stream_and_no_other(home: &Home) {
    let store = filled(home);
    home.append_raw(&store, run(3), r#"{"type":"JobTeleported","job":"a"}"#);

    let refused = store.read(run(3), Seq(0)).unwrap_err();
    expect!["run/3/1 was written by a newer version: event 4 cannot be read: the event kind `JobTeleported` is not known to this version"].assert_eq(&story(&refused, home.path()));
    // Whether the caller knows of the event or not.
    let refused = store.append(run(3), Seq(3), NOW, &[ready("d")]).unwrap_err();
    expect!["run/3/1 holds the event `JobTeleported` of a newer version; this version can only leave it alone"].assert_eq(&story(&refused, home.path()));
    let refused = store.append(run(3), Seq(4), NOW, &[ready("d")]).unwrap_err();
    expect!["run/3/1 holds the event `JobTeleported` of a newer version; this version can only leave it alone"].assert_eq(&story(&refused, home.path()));
    // The chain needs no understanding, and the other streams go on.
    assert_eq!(store.verify().unwrap().events, 12);
    assert_eq!(store.append(run(2), Seq(4), NOW, &[ready("d")]).unwrap(), Seq(5));
}

fn a_value_of_a_newer_version_stops_reading(home: &Home) {
    let store = filled(home);
    home.append_raw(&store, run(3), r#"{"type":"RunCompleted","conclusion":"neutral","at":1}"#);
    let refused = store.read(run(3), Seq(0)).unwrap_err();
    expect!["run/3/1 was written by a newer version: event 4 cannot be read: the event `RunCompleted` does not read as this version knows it: unknown variant `neutral`, expected one of `success`, `failure`, `cancelled`, `skipped`, `timed_out`"].assert_eq(&story(&refused, home.path()));
}

fn a_kind_of_stream_of_a_newer_version_is_named(home: &Home) {
    let store = filled(home);
    home.alter("UPDATE stream SET name = 'environment/3' WHERE name = 'run/3/1'");
    expect!["the stream `environment/3` was written by a newer version"]
        .assert_eq(&story(&store.open_streams().unwrap_err(), home.path()));
    expect!["the stream `environment/3` was written by a newer version"]
        .assert_eq(&story(&store.verify().unwrap_err(), home.path()));
    assert_eq!(store.read(run(2), Seq(0)).unwrap().len(), 4);
}
