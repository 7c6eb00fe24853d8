//! More than one process, and processes that are killed. The children are this test binary again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use event::{Attempt, RunId, Seq, StreamId};
use ports::{Journal as _, JournalError};
use store::Store;

use crate::engines::{Home, on_each_engine};
use crate::{NOW, ready, run};

on_each_engine! {
    what_was_acknowledged_survives_kill_9,
    processes_share_a_folder,
}

/// The state folder of a child.
const FOLDER: &str = "STORE_TEST_FOLDER";
/// A number of its own.
const CHILD: &str = "STORE_TEST_CHILD";

/// Starts this binary with only `test`, which sees that it is the child.
fn start(test: &str, folder: &Path, child: u64) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(CHILD, child.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary starts")
}

/// The folder and number, in a child.
fn as_child() -> Option<(std::path::PathBuf, u64)> {
    let folder = std::env::var_os(FOLDER)?;
    let child = std::env::var(CHILD).expect("set with the folder");
    Some((folder.into(), child.parse().expect("a number")))
}

/// Says a line that the parent reads; libtest's own lines stand between them.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nsaid {line}\n").as_bytes()).expect("the parent reads");
}

fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let out = BufReader::new(child.stdout.take().expect("piped"));
    // A line that was cut by the kill was not said.
    out.split(b'\n').map_while(Result::ok).filter_map(|line| {
        Some(String::from_utf8(line).expect("ASCII").strip_prefix("said ")?.to_owned())
    })
}

/// Appends from four threads to four streams until it is killed, and says what was acknowledged.
fn append_until_killed(folder: &Path, child: u64) {
    let store = Store::open(folder).expect("the store opens");
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let store = &store;
            scope.spawn(move || {
                let stream = StreamId::Run(RunId(child), Attempt(thread));
                let mut seq = Seq(0);
                loop {
                    let event = ready(&format!("{stream} {seq}"));
                    seq = store.append(stream, seq, NOW, &[event]).expect("appended");
                    say(&format!("{stream} {seq} ."));
                }
            });
        }
    });
}

/// What a child does, which this binary is again.
#[test]
fn appends_until_killed() {
    if let Some((folder, child)) = as_child() {
        append_until_killed(&folder, child);
    }
}

fn what_was_acknowledged_survives_kill_9(home: &Home) {
    let mut acknowledged: BTreeMap<StreamId, Seq> = BTreeMap::new();
    // After how many acknowledgements the child is killed; it appends on while that happens.
    for (round, after) in [1, 2, 30, 7, 150, 400].into_iter().enumerate() {
        let mut child = start("processes::appends_until_killed", home.path(), round as u64 + 1);
        let mut lines = said(&mut child);
        let mut before: Vec<String> = lines.by_ref().take(after).collect();
        assert_eq!(before.len(), after);
        child.kill().unwrap();
        before.extend(lines);
        child.wait().unwrap();
        for line in before {
            // The dot at the end: the line is whole.
            let [stream, seq, "."] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
            acknowledged.insert(stream.parse().unwrap(), Seq(seq.parse().unwrap()));
        }
        let store = home.open();
        store.verify().unwrap();
        for (stream, seq) in &acknowledged {
            let envelopes = store.read(*stream, Seq(0)).unwrap();
            assert!(envelopes.len() as u64 >= seq.0, "{stream} lost something before {seq}");
            for (index, envelope) in envelopes.iter().enumerate() {
                assert_eq!(envelope.event, ready(&format!("{stream} {index}")));
            }
        }
    }
}

/// Appends 40 events to the stream that others append to as well, and takes 10 runs.
fn append_beside_others(folder: &Path, child: u64) {
    let store = Store::open(folder).expect("the store opens");
    let mut seq = Seq(0);
    for number in 0..40 {
        loop {
            match store.append(run(1), seq, NOW, &[ready(&format!("{child} {number}"))]) {
                Ok(at) => {
                    seq = at;
                    break;
                }
                Err(JournalError::Conflict { found, .. }) => seq = found,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    for _ in 0..10 {
        let (run, number) = store.allocate_run("octo/a", "ci.yml").expect("a run");
        say(&format!("{run} {number}"));
    }
}

/// What a child does, which this binary is again.
#[test]
fn appends_beside_others() {
    if let Some((folder, child)) = as_child() {
        append_beside_others(&folder, child);
    }
}

fn processes_share_a_folder(home: &Home) {
    let test = "processes::appends_beside_others";
    // They also make the journal together: none is there yet.
    let mut children: Vec<Child> = (1..=3).map(|child| start(test, home.path(), child)).collect();
    let mut runs: Vec<String> = children.iter_mut().flat_map(said).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    runs.sort_by_key(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap());
    let expected: Vec<String> = (1..=30).map(|number| format!("{number} {number}")).collect();
    assert_eq!(runs, expected);

    let store = home.open();
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for envelope in store.read(run(1), Seq(0)).unwrap() {
        let event::RunEvent::JobReady { job, .. } = envelope.event else { panic!("{envelope:?}") };
        let (child, number) = job.as_str().split_once(' ').unwrap();
        let next = next.entry(child.to_owned()).or_default();
        assert_eq!(number, next.to_string());
        *next += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), [40, 40, 40]);
    store.verify().unwrap();
}
