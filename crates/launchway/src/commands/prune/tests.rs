//! What goes and what stays, with a journal and folders made by hand: ages are not waited for.

use std::fs;
use std::path::Path;

use event::{
    Attempt, BlobId, Conclusion, DeploymentEvent, DeploymentId, JobKey, RunEvent, RunId, StepKey,
};
use store::Verified;

use super::*;

/// A state folder, with times in days before now.
struct Place {
    folder: tempfile::TempDir,
    state: StateFolder,
    store: Arc<Store>,
}

fn stream(run: u64, attempt: u64) -> StreamId {
    StreamId::Run(RunId(run), Attempt(attempt))
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::locate(Some(folder.path())).expect("it is named");
        let store = Arc::new(Store::open(folder.path()).expect("a new store opens"));
        Place { folder, state, store }
    }

    /// A blob that was written so long ago, a second at least: disks note times by a slow clock.
    fn blob(&self, text: &str, days: u32) -> BlobId {
        let blob = self.store.blobs().put_bytes(text.as_bytes()).expect("kept");
        let file = self.store.blobs().get(&blob).expect("it is there");
        let ago = DAY * days + Duration::from_secs(1);
        file.set_modified(SystemTime::now() - ago).expect("ours");
        blob
    }

    /// A run's attempt that names the blob of this text, written as long ago.
    fn begin(&self, stream: StreamId, days: u32, text: &str) {
        let at = Timestamp(now().0 - (DAY * days).as_millis() as u64);
        let event = RunEvent::SummaryWritten {
            job: JobKey::new("job"),
            step: StepKey::new("step"),
            blob: self.blob(text, days),
        };
        self.store.append(stream, Seq(0), at, &[event]).expect("appended");
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        for folder in [format!("jobs/{run}.{attempt}/job.1"), format!("logs/{run}/{attempt}")] {
            let folder = self.folder.path().join(folder);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("file"), "x").expect("a file");
        }
    }

    fn end(&self, stream: StreamId, days: u32) {
        let at = Timestamp(now().0 - (DAY * days).as_millis() as u64);
        let event = RunEvent::RunCompleted { conclusion: Conclusion::Success, at };
        self.store.append(stream, Seq(1), at, &[event]).expect("appended");
    }

    fn prune(&self, days: u64, dry_run: bool) {
        self.prune_with(&PruneArgs { days, dry_run, tools: false, format: Format::Json });
    }

    fn prune_with(&self, args: &PruneArgs) {
        assert_eq!(super::run(args, &self.state).expect("it works"), Exit::Done);
    }

    /// What is left: the streams that can be read, the blobs' texts, the folders of jobs and logs.
    fn left(&self) -> String {
        let mut streams = self.store.newest_streams(100).expect("readable");
        streams.sort();
        let streams: Vec<String> = streams.iter().map(ToString::to_string).collect();
        let blobs = |text: &&str| {
            let digest = event::Digest::of(text.as_bytes()).to_string();
            self.store.blobs().get(&BlobId::new(digest)).is_ok()
        };
        let blobs: Vec<&str> = TEXTS.iter().filter(|text| blobs(text)).copied().collect();
        let folders = [names(&self.state.jobs()), names(&self.state.logs())].concat();
        format!("{} | {} | {}", streams.join(" "), blobs.join(" "), folders.join(" "))
    }
}

const TEXTS: [&str; 5] = ["one", "two", "again", "open", "nobody's"];

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().display().to_string()).collect();
    names.sort();
    names
}

/// Run 1 is past; run 2 was run again yesterday; run 3 began long ago and is not finished.
fn filled() -> Place {
    let place = Place::new();
    place.begin(stream(1, 1), 100, "one");
    place.end(stream(1, 1), 100);
    place.begin(stream(2, 1), 100, "two");
    place.end(stream(2, 1), 100);
    place.begin(stream(2, 2), 1, "again");
    place.end(stream(2, 2), 1);
    place.begin(stream(3, 1), 100, "open");
    place.blob("nobody's", 100);
    fs::create_dir_all(place.state.logs().join("77/1")).expect("of another journal");
    place
}

const ALL: &str =
    "run/1/1 run/2/1 run/2/2 run/3/1 | one two again open nobody's | 1.1 2.1 2.2 3.1 1 2 3 77";
const PRUNED: &str = "run/2/1 run/2/2 run/3/1 | two again open | 3.1 2 3";

#[test]
fn what_is_past_goes_and_the_chain_holds() {
    let place = filled();
    place.prune(90, true);
    assert_eq!(place.left(), ALL);
    place.prune(90, false);
    assert_eq!(place.left(), PRUNED);
    let Verified { streams, events, forgotten, .. } = place.store.verify().expect("unbroken");
    // That it was pruned is written down.
    assert_eq!((streams, events, forgotten), (5, 8, 2));
    place.prune(0, false);
    assert_eq!(place.left(), "run/3/1 | open | 3.1 3");
    place.end(stream(3, 1), 0);
    place.prune(90, false);
    assert_eq!(place.left(), "run/3/1 | open | 3");
}

#[test]
fn what_a_killed_prune_left_is_found_by_the_next() {
    let place = filled();
    place.store.forget(stream(1, 1)).expect("it ended");
    place.prune(90, false);
    assert_eq!(place.left(), PRUNED);

    let place = filled();
    place.store.forget(stream(2, 1)).expect("it ended");
    place.prune(0, false);
    assert_eq!(place.left(), "run/3/1 | open | 3.1 3");
}

#[test]
fn a_run_that_somebody_takes_over_from_stays() {
    let place = filled();
    let owner = Owner::claim(&place.state.owners(), stream(1, 1)).expect("free");
    place.prune(90, false);
    assert_eq!(
        place.left(),
        "run/1/1 run/2/1 run/2/2 run/3/1 | one two again open | 1.1 3.1 1 2 3"
    );
    drop(owner);
    place.prune(90, false);
    assert_eq!(place.left(), PRUNED);
}

/// What a run under way wrote and has not named yet is younger than the run, give or take a clock
/// that was set.
#[test]
fn what_a_run_under_way_may_have_written_stays() {
    let place = Place::new();
    place.begin(stream(1, 1), 5, "open");
    place.blob("one", 7);
    place.blob("two", 5);
    place.blob("again", 0);
    let owner = Owner::claim(&place.state.owners(), stream(1, 1)).expect("free");
    place.prune(0, false);
    assert_eq!(place.left(), "run/1/1 | two again open | 1.1 1");
    // Killed: nobody will name it any more.
    drop(owner);
    place.prune(0, false);
    assert_eq!(place.left(), "run/1/1 | open | 1.1 1");
}

/// A file below the state folder, read and written so many days ago, its folders changed as long ago.
fn put(place: &Place, path: &str, read: u32, written: u32) {
    let path = place.folder.path().join(path);
    fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
    fs::write(&path, "x").expect("a file");
    let ago = |days: u32| SystemTime::now() - DAY * days;
    let times = fs::FileTimes::new().set_accessed(ago(read)).set_modified(ago(written));
    fs::File::open(&path).and_then(|it| it.set_times(times)).expect("ours");
    for folder in path.ancestors().skip(1).take_while(|it| *it != place.folder.path()) {
        fs::File::open(folder).and_then(|it| it.set_modified(ago(written))).expect("ours");
    }
}

#[test]
fn downloads_go_with_the_days_and_tools_where_asked_for() {
    let place = Place::new();
    let left = || {
        let own = place.state.users().join("20001");
        let ours = [place.state.caches().join("downloads"), place.state.tools()];
        assert_eq!(names(&own.join("downloads")), names(&ours[0]), "likewise");
        assert_eq!(names(&own.join("tools")), names(&ours[1]), "likewise");
        ours.map(|folder| names(&folder).join(" ")).join(" | ")
    };
    // What is shared by jobs of another user's goes by the same rules.
    for (downloads, tools) in
        [("caches/downloads", "tools"), ("users/20001/downloads", "users/20001/tools")]
    {
        put(&place, &format!("{downloads}/pip/http/a"), 100, 100);
        put(&place, &format!("{downloads}/go/mod/old"), 100, 100);
        put(&place, &format!("{downloads}/go/mod/read"), 5, 100);
        put(&place, &format!("{downloads}/.going-7-npm/half"), 0, 0);
        put(&place, &format!("{tools}/go/1.22/bin/go"), 100, 100);
    }
    let prune = |days, tools, dry_run| {
        place.prune_with(&PruneArgs { days, dry_run, tools, format: Format::Json });
    };
    // While a run is under way nothing of it goes.
    place.begin(stream(1, 1), 0, "open");
    let owner = Owner::claim(&place.state.owners(), stream(1, 1)).expect("free");
    prune(0, true, false);
    assert_eq!(left(), ".going-7-npm go pip | go");
    drop(owner);
    prune(90, true, true);
    assert_eq!(left(), ".going-7-npm go pip | go");
    prune(90, false, false);
    assert_eq!(left(), "go | go");
    prune(4, false, false);
    assert_eq!(left(), " | go");
    prune(90, true, false);
    assert_eq!(left(), " | ");
}

/// A command that is about to begin a run holds what the run is made from.
#[test]
fn a_snapshot_that_somebody_holds_stays() {
    let place = Place::new();
    put(&place, "snapshots/abc/objects/o", 100, 100);
    let folder = fs::File::open(place.state.snapshots().join("abc")).expect("it is there");
    folder.lock_shared().expect("free");
    place.prune(0, false);
    assert_eq!(names(&place.state.snapshots()), ["abc"]);
    drop(folder);
    place.prune(0, false);
    assert_eq!(names(&place.state.snapshots()), [""; 0]);
}

#[test]
fn what_commands_of_deployments_left_goes_once_they_are_over() {
    let place = filled();
    let open = DeploymentId(8);
    let noted = DeploymentEvent::DeploymentNoted {
        step: None,
        text: mask::MaskedText::without_secrets("it waits"),
        at: now(),
    };
    let ledger = place.store.ledger();
    ledger.append(StreamId::Deployment(open), Seq(0), now(), &[noted]).expect("appended");
    for (name, days) in [
        ("7-api-smoke-forward-1-0", 100),
        ("8-api-smoke-forward-1-0", 100),
        ("9-api-smoke-forward-1-0", 1),
    ] {
        let folder = place.state.deployments().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("output"), "x").expect("a file");
        let ago = SystemTime::now() - DAY * days;
        fs::File::open(&folder).expect("it is there").set_modified(ago).expect("ours");
    }
    place.prune(90, false);
    let left = names(&place.state.deployments());
    assert_eq!(left, ["8-api-smoke-forward-1-0", "9-api-smoke-forward-1-0"]);
}
