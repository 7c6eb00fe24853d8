//! The journal in memory keeps the contract, and its faults are what they say.
#![cfg(feature = "testing")]

use event::{Attempt, Fact, JobKey, RunEvent, RunId, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use ports::{Fault, JOURNAL_CONTRACT, Journal, MemoryJournal};

#[test]
fn the_contract_is_kept() {
    for (_, case) in JOURNAL_CONTRACT {
        case(&MemoryJournal::new());
    }
}

/// Three appends, the second with a fault; then a restart. Shows each answer and what is left.
fn check(fault: Fault, expected: &Expect) {
    let journal = MemoryJournal::new();
    journal.fault_at(2, fault);
    let stream = StreamId::Run(RunId(1), Attempt(1));
    let mut shown = String::new();
    let mut seq = Seq(0);
    for job in ["a", "b", "c"] {
        let event = RunEvent::JobReady { job: JobKey::new(job), at: Timestamp(1) };
        match journal.append(stream, seq, Timestamp(1), &[event]) {
            Ok(at) => {
                seq = at;
                shown.push_str(&format!("{job}: {at}\n"));
            }
            Err(error) => shown.push_str(&format!("{job}: {error}\n")),
        }
    }
    shown.push_str(&format!("crashed: {}\n", journal.crashed()));
    shown.push_str(&format!("readable: {}\n", journal.read(stream, Seq(0)).is_ok()));
    journal.restart();
    for envelope in journal.read(stream, Seq(0)).expect("restarted") {
        shown.push_str(&format!("{} {}\n", envelope.seq, envelope.event.encode()));
    }
    expected.assert_eq(&shown);
}

#[test]
fn faults_are_what_they_say() {
    check(
        Fault::CrashBefore,
        &expect![[r#"
        a: 1
        b: the process died before it appended
        c: the process is dead
        crashed: true
        readable: false
        1 {"type":"JobReady","job":"a","at":1}
    "#]],
    );
    check(
        Fault::CrashAfter,
        &expect![[r#"
        a: 1
        b: the process died after it appended
        c: the process is dead
        crashed: true
        readable: false
        1 {"type":"JobReady","job":"a","at":1}
        2 {"type":"JobReady","job":"b","at":1}
    "#]],
    );
    check(
        Fault::DiskFull,
        &expect![[r#"
        a: 1
        b: the disk is full
        c: 2
        crashed: false
        readable: true
        1 {"type":"JobReady","job":"a","at":1}
        2 {"type":"JobReady","job":"c","at":1}
    "#]],
    );
}
