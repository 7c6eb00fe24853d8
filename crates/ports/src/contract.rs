//! What every journal promises, as cases that run against the one in memory and the real one.

use event::{
    Attempt, Conclusion, Digest, Fact, JobKey, RunEvent, RunId, Seq, StreamId, Timestamp, chain,
};

use crate::{Journal, JournalError};

/// A promise and what holds a fresh journal to it.
pub type JournalCase = (&'static str, fn(&dyn Journal));

/// Every promise. A case wants a journal of its own.
pub const JOURNAL_CONTRACT: &[JournalCase] = &[
    ("what was appended is read in order", what_was_appended_is_read_in_order),
    ("a stale caller is refused and changes nothing", a_stale_caller_is_refused),
    ("nothing appended, nothing changed", nothing_appended_nothing_changed),
    ("streams do not touch each other", streams_do_not_touch_each_other),
    ("a run that completed is not open", a_run_that_completed_is_not_open),
    ("the digests are those of the chain", the_digests_are_those_of_the_chain),
    ("of rivals at one place exactly one wins", of_rivals_exactly_one_wins),
];

const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn run(number: u64) -> StreamId {
    StreamId::Run(RunId(number), Attempt(1))
}

fn ready(job: &str) -> RunEvent {
    RunEvent::JobReady { job: JobKey::new(job), at: NOW }
}

fn completed() -> RunEvent {
    RunEvent::RunCompleted { conclusion: Conclusion::Success, at: NOW }
}

fn append(journal: &dyn Journal, stream: StreamId, expected: u64, events: &[RunEvent]) -> Seq {
    journal.append(stream, Seq(expected), NOW, events).expect("the append is taken")
}

fn events(journal: &dyn Journal, stream: StreamId, after: u64) -> Vec<(u64, RunEvent)> {
    let envelopes = journal.read(stream, Seq(after)).expect("the stream is read");
    assert!(envelopes.iter().all(|it| it.stream == stream && it.at == NOW));
    envelopes.into_iter().map(|it| (it.seq.0, it.event)).collect()
}

fn what_was_appended_is_read_in_order(journal: &dyn Journal) {
    assert_eq!(append(journal, run(1), 0, &[ready("a"), ready("b")]), Seq(2));
    assert_eq!(append(journal, run(1), 2, &[ready("ä \u{0} \u{2028}\n")]), Seq(3));
    let all = [(1, ready("a")), (2, ready("b")), (3, ready("ä \u{0} \u{2028}\n"))];
    assert_eq!(events(journal, run(1), 0), all);
    assert_eq!(events(journal, run(1), 1), all[1..]);
    assert_eq!(events(journal, run(1), 3), []);
    assert_eq!(events(journal, run(1), 9), []);
    assert_eq!(events(journal, run(2), 0), []);
}

fn a_stale_caller_is_refused(journal: &dyn Journal) {
    append(journal, run(1), 0, &[ready("a"), ready("b")]);
    for wrong in [0, 1, 3] {
        let refused = journal.append(run(1), Seq(wrong), NOW, &[ready("c")]);
        let Err(JournalError::Conflict { stream, expected, found }) = refused else {
            panic!("an append at {wrong} gave {refused:?}");
        };
        assert_eq!((stream, expected, found), (run(1), Seq(wrong), Seq(2)));
    }
    assert_eq!(events(journal, run(1), 0).len(), 2);
}

fn nothing_appended_nothing_changed(journal: &dyn Journal) {
    assert_eq!(append(journal, run(1), 0, &[]), Seq(0));
    assert_eq!(journal.open_streams().expect("open streams"), []);
    append(journal, run(1), 0, &[ready("a")]);
    assert_eq!(append(journal, run(1), 1, &[]), Seq(1));
    let refused = journal.append(run(1), Seq(0), NOW, &[]);
    assert!(matches!(refused, Err(JournalError::Conflict { .. })), "{refused:?}");
}

fn streams_do_not_touch_each_other(journal: &dyn Journal) {
    let second = StreamId::Run(RunId(1), Attempt(2));
    append(journal, run(1), 0, &[ready("a")]);
    append(journal, second, 0, &[ready("b")]);
    append(journal, run(1), 1, &[ready("c")]);
    assert_eq!(events(journal, run(1), 0), [(1, ready("a")), (2, ready("c"))]);
    assert_eq!(events(journal, second, 0), [(1, ready("b"))]);
}

fn a_run_that_completed_is_not_open(journal: &dyn Journal) {
    for number in [3, 1, 2] {
        append(journal, run(number), 0, &[ready("a")]);
    }
    assert_eq!(journal.open_streams().expect("open streams"), [run(3), run(1), run(2)]);
    append(journal, run(1), 1, &[ready("b"), completed()]);
    assert_eq!(journal.open_streams().expect("open streams"), [run(3), run(2)]);
    // What comes after the end does not open it again.
    append(journal, run(1), 3, &[ready("c")]);
    assert_eq!(journal.open_streams().expect("open streams"), [run(3), run(2)]);
}

fn the_digests_are_those_of_the_chain(journal: &dyn Journal) {
    append(journal, run(1), 0, &[ready("a"), ready("b")]);
    append(journal, run(1), 2, &[completed()]);
    let mut previous = Digest::ZERO;
    for envelope in journal.read(run(1), Seq(0)).expect("the stream is read") {
        let payload = Digest::of(envelope.event.encode().as_bytes());
        previous = chain(&previous, run(1), envelope.seq, envelope.at, &payload);
        assert_eq!(envelope.digest, previous);
    }
}

fn of_rivals_exactly_one_wins(journal: &dyn Journal) {
    const RIVALS: usize = 8;
    const ROUNDS: u64 = 10;
    for round in 0..ROUNDS {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let rivals: Vec<_> = (0..RIVALS)
                .map(|rival| {
                    let event = ready(&format!("{round}-{rival}"));
                    scope.spawn(move || journal.append(run(1), Seq(round), NOW, &[event]))
                })
                .collect();
            rivals.into_iter().map(|rival| rival.join().expect("a rival ends")).collect()
        });
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    }
    assert_eq!(events(journal, run(1), 0).len() as u64, ROUNDS);
}
