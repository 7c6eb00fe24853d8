//! Frames, names of logs, and what is too much.

use super::*;

fn greeting() -> Greeting {
    Greeting {
        protocol: RUNNER_PROTOCOL,
        version: "1.2.3".into(),
        machine: "a".repeat(32),
        processor: "x86_64".into(),
        labels: vec!["gpu".into()],
        jobs: 2,
        kept_in: "behind walls".to_owned(),
        holds: Vec::new(),
    }
}

fn lease() -> HeldLease {
    HeldLease { run: RunId(1), attempt: Attempt(1), job: JobKey::new("a"), fence: Fence(3) }
}

#[test]
fn bytes_of_any_kind_stand_behind_a_message() {
    let bytes = b"one\n\0two\r\n".as_slice();
    let log = LogName { own: None, times: false };
    let frame = write_frame(&FromRunner::Log { lease: lease(), log, offset: 7 }, bytes);
    let (message, behind) = read_frame::<FromRunner>(&frame).expect("it was written");
    assert_eq!(behind, bytes);
    assert!(matches!(message, FromRunner::Log { offset: 7, .. }));
    let frame = write_frame(&FromRunner::Renew, b"");
    let (message, behind) = read_frame::<FromRunner>(&frame).expect("it was written");
    assert!(matches!(message, FromRunner::Renew) && behind.is_empty());
}

#[test]
fn a_file_of_a_log_has_one_name() {
    for text in ["", ".times", ".1", ".12.times"] {
        assert_eq!(LogName::of_suffix(text).map(LogName::suffix).as_deref(), Some(text));
    }
    for text in [".01", ".", "x", ".-1", ".1.2", ".times.times", ".1/../x", ".99999999999"] {
        assert_eq!(LogName::of_suffix(text), None, "{text}");
    }
}

#[test]
fn too_much_is_refused() {
    let refused = |message: FromRunner| {
        let frame = write_frame(&message, b"");
        read_frame::<FromRunner>(&frame).map(drop).expect_err("it is too much").to_string()
    };
    let with = |change: fn(&mut Greeting)| {
        let mut greeting = greeting();
        change(&mut greeting);
        refused(FromRunner::Hello(greeting))
    };
    assert_eq!(
        with(|it| it.labels = vec!["x".into(); 33]),
        "it has too many labels, or one that is none"
    );
    assert_eq!(with(|it| it.labels[0].clear()), "it has too many labels, or one that is none");
    assert_eq!(with(|it| it.jobs = 0), "it wants too many jobs at a time, or none");
    assert_eq!(with(|it| it.machine.clear()), "its version, machine or processor is none");
    let tips = vec!["--upload-pack=x".to_owned()];
    let sources = FromRunner::Sources { lease: lease(), tips };
    assert_eq!(refused(sources), "it says a commit that is none");
    let long = write_frame(&FromRunner::Renew, &vec![0; PIECE_BYTES_MAX + 1]);
    assert_eq!(
        read_frame::<FromRunner>(&long).map(drop),
        Err(FrameError::Limit("a piece is too long"))
    );
    assert!(read_frame::<FromRunner>(b"{}").is_err());
}
