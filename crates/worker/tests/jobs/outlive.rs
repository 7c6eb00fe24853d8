//! A worker whose driver is gone: it goes on, keeps what it says, and answers the next one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;

use event::Fence;
use protocol::{ATTACH_SOCKET, FromWorker, REPORTS_FILE, Report, ToWorker};

use crate::harness::{Running, start};

const WAITS: &str = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo begun
          while ! test -e $HOME/go; do sleep 0.02; done
          echo went on
      - run: echo second
";

fn begun() -> Running {
    let mut running = start(WAITS, |spec| spec.options.outlives = true);
    running.wait_for("begun\n");
    running
}

/// Another driver at the door.
fn knock(running: &Running, message: &ToWorker) -> BufReader<UnixStream> {
    let job = running.folder.path().join("job");
    let names = std::fs::read_dir(&job).expect("its folder").flatten();
    let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let name = names.find(|name| name.starts_with(ATTACH_SOCKET)).expect("its socket");
    let folder = std::fs::File::open(job).expect("its folder");
    let at = format!("/proc/self/fd/{}/{name}", folder.as_fd().as_raw_fd());
    let mut socket = UnixStream::connect(at).expect("it answers");
    let line = serde_json::to_string(message).expect("a message is JSON");
    writeln!(socket, "{line}").expect("it listens");
    BufReader::new(socket)
}

fn go(running: &Running) {
    std::fs::write(running.folder.path().join("job/home/go"), "").expect("a scratch folder");
}

fn leave(running: &Running) {
    running.socket.get_ref().shutdown(std::net::Shutdown::Both).expect("an open socket");
}

fn numbers(text: &str) -> Vec<(u64, String)> {
    let message = |line: &str| {
        let message: FromWorker = serde_json::from_str(line).expect("a report");
        assert_eq!(message.fence, Fence(7));
        let kind = format!("{:?}", message.report);
        let kind = kind.split([' ', '{']).next().unwrap_or_default().to_owned();
        message.number.map(|number| (number, kind))
    };
    text.lines().filter_map(message).collect()
}

const ALL: [(u64, &str); 6] = [
    (0, "Started"),
    (1, "StepStarted"),
    (2, "StepCompleted"),
    (3, "StepStarted"),
    (4, "StepCompleted"),
    (5, "Completed"),
];

fn all(from: usize) -> Vec<(u64, String)> {
    ALL[from..].iter().map(|(number, kind)| (*number, (*kind).to_owned())).collect()
}

#[test]
fn it_goes_on_alone_and_keeps_every_report() {
    let mut running = begun();
    leave(&running);
    go(&running);
    assert!(running.child.wait().expect("it ends by itself").success());
    let kept = std::fs::read_to_string(running.folder.path().join("job").join(REPORTS_FILE));
    assert_eq!(numbers(&kept.expect("what it kept")), all(0));
    assert!(running.log().ends_with("second\n"), "{}", running.log());
}

#[test]
fn the_next_driver_hears_what_it_does_not_know_and_what_comes() {
    let mut running = begun();
    leave(&running);
    let mut next = knock(&running, &ToWorker::Attach { fence: Fence(7), heard: 1 });
    go(&running);
    let mut text = String::new();
    while !text.contains("\"Completed\"") {
        assert!(next.read_line(&mut text).expect("its socket") > 0, "{text}");
    }
    assert_eq!(numbers(&text), all(1));
    // How far the log is is said by no report that is kept: it is said anew.
    let grew = |line: &str| {
        let message: FromWorker = serde_json::from_str(line).expect("a report");
        matches!(message.report, Report::LogGrew { .. })
    };
    assert!(text.lines().any(grew), "{text}");
    assert!(running.child.try_wait().expect("our child").is_none(), "it is not remembered yet");
    let heard = serde_json::to_string(&ToWorker::Heard { reports: 6 }).expect("a message is JSON");
    writeln!(next.get_mut(), "{heard}").expect("it listens");
    assert!(running.child.wait().expect("it ends").success());
}

#[test]
fn whoever_has_another_lease_is_not_answered() {
    let mut running = begun();
    let mut other = knock(&running, &ToWorker::Attach { fence: Fence(6), heard: 0 });
    let mut line = String::new();
    assert_eq!(other.read_line(&mut line).expect("its socket"), 0, "{line}");
    go(&running);
    while !matches!(running.next(), Some(Report::Completed { .. })) {}
    running.send(&ToWorker::Heard { reports: 6 });
    assert!(running.child.wait().expect("it ends").success());
}

/// Its lease was given up while nobody could tell it.
#[test]
fn a_worker_without_a_lease_ends_its_tree() {
    let mut running = begun();
    leave(&running);
    let _told = knock(&running, &ToWorker::Over);
    assert!(running.child.wait().expect("it ends").success());
    assert!(!running.log().contains("\nwent on\n"), "{}", running.log());
}
