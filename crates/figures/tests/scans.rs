//! What scans found: what is told of one run, and what is there on the default branch.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use event::{Attempt, Fact as _, RunEvent, RunId, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use figures::{Asked, Figures, FoundCount};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::{RunView, Window};
use zip::write::SimpleFileOptions;

struct Journal {
    _folder: tempfile::TempDir,
    store: Arc<Store>,
    figures: Figures,
}

impl Journal {
    fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let figures = Figures::open(folder.path()).expect("a journal of ours");
        Journal { _folder: folder, store, figures }
    }

    /// A run of a branch, and what a scan wrote in it.
    fn run(&self, branch: &str, sarif: &str) -> StreamId {
        self.run_of("octo/app", branch, sarif)
    }

    fn run_of(&self, repository: &str, branch: &str, sarif: &str) -> StreamId {
        let stream = self.append(repository, branch, sarif);
        self.catch_up();
        stream
    }

    fn catch_up(&self) {
        self.figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
    }

    /// One that is not taken in yet.
    fn append(&self, repository: &str, branch: &str, sarif: &str) -> StreamId {
        let (id, number) =
            self.store.allocate_run(repository, "ci.yml").expect("a journal of ours");
        let at = id.0 * 1000;
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file("a.sarif", SimpleFileOptions::default()).expect("a journal of ours");
        archive.write_all(sarif.as_bytes()).expect("a journal of ours");
        let bytes = archive.finish().expect("a journal of ours").into_inner();
        let blob = self.store.blobs().put_bytes(&bytes).expect("a journal of ours");
        let events = [
            json!({ "type": "RunCreated", "run": id, "attempt": 1, "run_number": number,
                "carried": [], "repository": repository, "repository_path": "/app",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "a change",
                "event": { "name": "push", "git_ref": format!("refs/heads/{branch}"),
                    "payload": { "repository": { "default_branch": "main" } } },
                "change": { "commit": "c0", "authored_at": 1, "committed_at": 1, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
                "triggering_actor": "mona", "at": at }),
            json!({ "type": "JobReady", "job": "scan", "at": at }),
            json!({ "type": "JobLeased", "job": "scan", "fence": 1, "tracking_id": "x", "at": at }),
            json!({ "type": "ArtifactUploaded", "job": "scan", "name": "scan", "blob": blob,
                "size_bytes": bytes.len(), "expires_at": 9_000_000_000_000_u64 }),
            json!({ "type": "JobCompleted", "job": "scan", "fence": 1, "conclusion": "success",
                "exit": "none", "outputs": {}, "log": null, "environment_url": null, "at": at + 1 }),
            json!({ "type": "RunCompleted", "conclusion": "success", "at": at + 1 }),
        ];
        let decode =
            |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("a journal of ours");
        let events: Vec<RunEvent> = events.iter().map(decode).collect();
        let stream = StreamId::Run(id, Attempt(1));
        self.store.append(stream, Seq(0), Timestamp(at), &events).expect("a journal of ours");
        stream
    }

    fn told(&self, stream: StreamId, expect: Expect) {
        let events = self.store.events::<RunEvent>(stream, Seq(0)).expect("a journal of ours");
        let view = RunView::of(events.iter().map(|it| &it.event)).expect("a run");
        let told = self.figures.run_scans(&self.store, &view).expect("a journal of ours");
        let mut text = String::new();
        for it in told.scans {
            let base = it.compared_with.map(|(run, _)| run.0);
            let kept = if it.is_kept { "" } else { ", not kept" };
            let cut = if it.is_cut { ", cut" } else { "" };
            let counts = counted(&it.counts);
            let _ = writeln!(text, "{}: {counts} with {base:?}{kept}{cut}", it.tool);
            for it in it.findings {
                let _ = writeln!(
                    text,
                    "  {} {} {} {} {:?}",
                    it.level, it.rule, it.file, it.count, it.new
                );
            }
            let _ = write!(
                text,
                "{}",
                if it.more > 0 { format!("  {} more\n", it.more) } else { String::new() }
            );
        }
        expect.assert_eq(&text);
    }

    fn last(&self, asked: &Asked, expect: Expect) {
        let mut text = String::new();
        for it in self.figures.last_scans(asked).expect("a journal of ours") {
            let counts = counted(&it.counts);
            let kept = if it.is_kept { "" } else { ", not kept" };
            let _ =
                writeln!(text, "{} of {} in {}: {counts}{kept}", it.tool, it.repository, it.run);
            for it in it.findings {
                let earlier = if it.or_earlier { " or earlier" } else { "" };
                let _ = writeln!(
                    text,
                    "  {} {} {} {} since {} at {}{earlier}",
                    it.level, it.rule, it.file, it.count, it.since_run, it.since_ms.0
                );
            }
        }
        expect.assert_eq(&text);
    }
}

fn counted(counts: &[FoundCount]) -> String {
    let one = |it: &FoundCount| format!("{} {} ({:?})", it.count, it.level, it.new);
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn until(until: u64) -> Asked {
    Asked::everything(Window { since: Timestamp(0), until: Timestamp(until) })
}

/// Results are `RULE FILE`, or `RULE FILE#MARK` where the tool marks them.
fn sarif(tool: &str, results: &[&str]) -> String {
    let rules = json!([
        { "id": "CVE-1", "properties": { "security-severity": "9.8" } },
        { "id": "CVE-2", "properties": { "security-severity": "7.5" } },
    ]);
    let result = |it: &&str| {
        let (rule, file) = it.split_once(' ').unwrap_or((it, ""));
        let (file, mark) = file.split_once('#').unwrap_or((file, ""));
        let marks = if mark.is_empty() { json!({}) } else { json!({ "of/v1": mark }) };
        json!({ "ruleId": rule, "partialFingerprints": marks, "locations": [{ "physicalLocation":
            { "artifactLocation": { "uri": file } } }] })
    };
    let results: Vec<Json> = results.iter().map(result).collect();
    let driver = json!({ "name": tool, "rules": rules });
    let run = json!({ "tool": { "driver": driver }, "results": results });
    json!({ "version": "2.1.0", "runs": [run] }).to_string()
}

#[test]
fn a_run_says_what_is_new_in_it() {
    let journal = Journal::new();
    let first = journal.run("main", &sarif("Trivy", &["CVE-2 go.mod", "lint a.py"]));
    journal.told(
        first,
        expect![[r#"
            Trivy: 1 high (None), 1 warning (None) with None
              high CVE-2 go.mod 1 None
              warning lint a.py 1 None
        "#]],
    );
    let branch = ["lint a.py", "lint a.py", "CVE-2 go.mod", "CVE-1 go.mod"];
    let branch = journal.run("topic", &sarif("Trivy", &branch));
    journal.told(
        branch,
        expect![[r#"
        Trivy: 1 critical (Some(1)), 1 high (Some(0)), 2 warning (Some(1)) with Some(1)
          critical CVE-1 go.mod 1 Some(1)
          warning lint a.py 2 Some(1)
          high CVE-2 go.mod 1 Some(0)
    "#]],
    );
    // Nobody is compared with a branch.
    let last = journal.run("main", &sarif("Trivy", &["CVE-1 go.mod"]));
    journal.told(
        last,
        expect![[r#"
        Trivy: 1 critical (Some(1)) with Some(1)
          critical CVE-1 go.mod 1 Some(1)
    "#]],
    );
    // Another tool knows nothing of it; it found nothing, and looked.
    let other = journal.run("topic", &sarif("Bandit", &[]));
    journal.told(
        other,
        expect![[r#"
        Bandit:  with None
    "#]],
    );
    // Of one that was not read to its end, nobody knows what it did not have.
    let text = sarif("Trivy", &["CVE-1 go.mod"]);
    let cut = journal.run("main", &text[..text.len() - 2]);
    journal.told(
        cut,
        expect![[r#"
        Trivy: 1 critical (Some(0)) with Some(3), cut
          critical CVE-1 go.mod 1 Some(0)
    "#]],
    );
    let behind = journal.run("topic", &sarif("Trivy", &["CVE-1 go.mod"]));
    journal.told(
        behind,
        expect![[r#"
        Trivy: 1 critical (None) with None
          critical CVE-1 go.mod 1 None
    "#]],
    );
}

#[test]
fn what_is_there_says_since_when() {
    let journal = Journal::new();
    journal.run("main", &sarif("Trivy", &["lint a.py", "CVE-2 go.mod"]));
    journal.run("main", &sarif("Trivy", &["lint a.py"]));
    journal.run_of("octo/web", "main", &sarif("Trivy", &["lint b.py"]));
    journal.run("main", &sarif("Trivy", &["lint a.py", "CVE-2 go.mod", "CVE-2 go.mod"]));
    journal.run("topic", &sarif("Trivy", &[]));
    journal.run("main", &sarif("Bandit", &[]));
    journal.last(
        &until(100_000),
        expect![[r#"
        Bandit of octo/app in 6: 
        Trivy of octo/app in 4: 2 high (None), 1 warning (None)
          high CVE-2 go.mod 2 since 4 at 4001
          warning lint a.py 1 since 1 at 1001
        Trivy of octo/web in 3: 1 warning (None)
          warning lint b.py 1 since 3 at 3001
    "#]],
    );
    // Another day.
    journal.last(
        &until(3000),
        expect![[r#"
        Trivy of octo/app in 2: 1 warning (None)
          warning lint a.py 1 since 1 at 1001
    "#]],
    );
    let own = Asked { repositories: Some(vec!["octo/web".to_owned()]), ..until(100_000) };
    journal.last(
        &own,
        expect![[r#"
        Trivy of octo/web in 3: 1 warning (None)
          warning lint b.py 1 since 3 at 3001
    "#]],
    );
}

#[test]
fn since_when_it_is_there_outlives_what_is_kept() {
    let journal = Journal::new();
    let text = sarif("Trivy", &["lint a.py"]);
    let first = journal.run("main", &text);
    for _ in 0..19 {
        journal.run("main", &text);
    }
    journal.last(
        &until(100_000),
        expect![[r#"
        Trivy of octo/app in 20: 1 warning (None)
          warning lint a.py 1 since 1 at 1001
    "#]],
    );
    journal.run("main", &text);
    journal.last(
        &until(100_000),
        expect![[r#"
        Trivy of octo/app in 21: 1 warning (None)
          warning lint a.py 1 since 1 at 1001
    "#]],
    );
    journal.told(
        first,
        expect![[r#"
        Trivy:  with None, not kept
    "#]],
    );
    journal.last(
        &until(1500),
        expect![[r#"
        Trivy of octo/app in 1: , not kept
    "#]],
    );
    // Of other branches more is kept, and not all.
    let topics: Vec<StreamId> = (0..51).map(|_| journal.run("topic", &text)).collect();
    journal.told(
        topics[0],
        expect![[r#"
        Trivy:  with None, not kept
    "#]],
    );
    journal.told(
        topics[1],
        expect![[r#"
        Trivy: 1 warning (Some(0)) with Some(21)
          warning lint a.py 1 Some(0)
    "#]],
    );
    // None of them is what the default branch has.
    assert_eq!(journal.figures.last_scans(&until(100_000)).expect("rows")[0].run, RunId(21));
}

#[test]
fn the_worst_are_named_and_all_are_counted() {
    let journal = Journal::new();
    let files: Vec<String> = (0..120).map(|it| format!("lint a{it:03}.py")).collect();
    let mut all: Vec<&str> = files.iter().map(String::as_str).collect();
    journal.run("main", &sarif("Trivy", &all));
    all.extend(["lint z.py", "CVE-1 z.mod"]);
    let run = journal.run("main", &sarif("Trivy", &all));
    let events = journal.store.events::<RunEvent>(run, Seq(0)).expect("a journal of ours");
    let view = RunView::of(events.iter().map(|it| &it.event)).expect("a run");
    let told = journal.figures.run_scans(&journal.store, &view).expect("a journal of ours");
    let scan = &told.scans[0];
    let first: Vec<&str> = scan.findings.iter().take(3).map(|it| &*it.file).collect();
    assert_eq!(first, ["z.mod", "z.py", "a000.py"]);
    assert_eq!((scan.findings.len(), scan.more), (100, 22));
    let last = journal.figures.last_scans(&until(100_000)).expect("a journal of ours");
    let first: Vec<&str> = last[0].findings.iter().take(2).map(|it| &*it.file).collect();
    assert_eq!(first, ["z.mod", "a000.py"]);
    assert_eq!((last[0].findings.len(), last[0].more), (100, 22));
}

#[test]
fn the_mark_of_a_tool_tells_findings_of_a_file_apart() {
    let cases: &[(&str, &[&[&str]], &str)] = &[
        ("it moved", &[&["lint a#1"], &["lint a#1"]], "1 since 1"),
        ("another one", &[&["lint a#1"], &["lint a#2"]], "1 since 2"),
        ("beside an older one", &[&["lint a#1"], &["lint a#1", "lint a#2"]], "2 since 1"),
        (
            "the older one went",
            &[&["lint a#1"], &["lint a#1", "lint a#2"], &["lint a#2"]],
            "1 since 2",
        ),
        ("it came back", &[&["lint a#1"], &[], &["lint a#1"]], "1 since 3"),
        ("of another file", &[&["lint a#1"], &["lint b#1"]], "1 since 2"),
        ("the tool begins to mark", &[&["lint a"], &["lint a#1"], &["lint a#1"]], "1 since 1"),
        ("the tool marks no more", &[&["lint a#1"], &["lint a"]], "1 since 1"),
    ];
    for (what, scans, told) in cases {
        let journal = Journal::new();
        for scan in *scans {
            journal.run("main", &sarif("Trivy", scan));
        }
        let last = journal.figures.last_scans(&until(100_000)).expect("a journal of ours");
        let it = &last[0].findings[0];
        assert_eq!(format!("{} since {}", it.count, it.since_run), *told, "{what}");
        assert!(!it.or_earlier, "{what}");
    }
}

#[test]
fn where_the_scan_before_is_cut_it_may_be_older() {
    let journal = Journal::new();
    let text = sarif("Trivy", &["lint a"]);
    journal.run("main", &text[..text.len() - 2]);
    for _ in 0..2 {
        journal.run("main", &sarif("Trivy", &["lint a", "lint b"]));
    }
    journal.last(
        &until(100_000),
        expect![[r#"
        Trivy of octo/app in 3: 2 warning (None)
          warning lint a 1 since 1 at 1001
          warning lint b 1 since 2 at 2001 or earlier
    "#]],
    );
}

#[test]
fn one_that_is_looked_at_before_its_turn_is_compared_again_behind_those_that_come_late() {
    let journal = Journal::new();
    journal.run("main", &sarif("Trivy", &["lint a"]));
    let late = sarif("Trivy", &["lint a", "lint b"]);
    journal.append("octo/app", "main", &late);
    let topic = journal.append("octo/app", "topic", &late);
    let main = journal.append("octo/app", "main", &sarif("Trivy", &["lint b"]));
    for stream in [topic, main] {
        let events = journal.store.events::<RunEvent>(stream, Seq(0)).expect("a journal of ours");
        let view = RunView::of(events.iter().map(|it| &it.event)).expect("a run");
        journal.figures.run_scans(&journal.store, &view).expect("a journal of ours");
    }
    journal.last(
        &until(100_000),
        expect![[r#"
        Trivy of octo/app in 4: 1 warning (None)
          warning lint b 1 since 4 at 4001
    "#]],
    );
    journal.told(
        topic,
        expect![[r#"
        Trivy: 2 warning (Some(1)) with Some(1)
          warning lint b 1 Some(1)
          warning lint a 1 Some(0)
    "#]],
    );
    journal.catch_up();
    journal.last(
        &until(100_000),
        expect![[r#"
        Trivy of octo/app in 4: 1 warning (None)
          warning lint b 1 since 2 at 2001
    "#]],
    );
    journal.told(
        topic,
        expect![[r#"
        Trivy: 2 warning (Some(0)) with Some(2)
          warning lint a 1 Some(0)
          warning lint b 1 Some(0)
    "#]],
    );
}
