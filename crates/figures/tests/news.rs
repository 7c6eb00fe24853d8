//! What is news with a run of the default branch, by those before it: tests that go on failing, and what scans find.

use std::io::Write as _;
use std::sync::Arc;

use event::{Attempt, Fact as _, RunEvent, RunId, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use figures::{Asked, Figures, ReportPart};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::{News, Window};
use zip::write::SimpleFileOptions;

struct Journal {
    folder: tempfile::TempDir,
    store: Arc<Store>,
    figures: Figures,
}

/// A run, and what it uploads.
#[derive(Clone, Copy)]
struct Run<'r> {
    job: &'r str,
    commit: &'r str,
    branch: &'r str,
    conclusion: &'r str,
    exit: &'r str,
    file: Option<(&'r str, &'r str)>,
}

const GREEN: Run<'_> = Run {
    job: "test",
    commit: "c0",
    branch: "main",
    conclusion: "success",
    exit: "none",
    file: None,
};
const RED: Run<'_> = Run { conclusion: "failure", exit: "user_failure", ..GREEN };

fn passed(name: &str) -> String {
    format!("<testsuite name='unit'><testcase name='{name}'/></testsuite>")
}

fn failed(names: &[&str]) -> String {
    let cases: String =
        names.iter().map(|it| format!("<testcase name='{it}'><failure/></testcase>")).collect();
    format!("<testsuite name='unit'>{cases}</testsuite>")
}

fn told(news: &News, expect: Expect) {
    let told = match &news.failing {
        None => "nothing new".to_owned(),
        Some(it) => format!(
            "{} times on {} commits since {}, by reports: {}, each time {}: {}",
            it.times,
            it.commits,
            it.since.0,
            it.has_reports,
            it.tests_count,
            it.tests.join(", ")
        ),
    };
    expect.assert_eq(&told);
}

impl Journal {
    fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let figures = Figures::open(folder.path()).expect("a journal of ours");
        Journal { folder, store, figures }
    }

    /// Gives what is news with it.
    fn run(&self, run: &Run<'_>) -> News {
        let (id, number) =
            self.store.allocate_run("octo/app", "ci.yml").expect("a journal of ours");
        self.attempt(id, Attempt(1), number, run)
    }

    /// The same of a further attempt of the newest run, in which one job alone runs.
    fn again(&self, run: &Run<'_>) -> News {
        let newest = self.store.newest_streams(1).expect("a journal of ours");
        let (id, _) = newest[0].as_run().expect("a run");
        let attempt = self.store.allocate_attempt(id).expect("a journal of ours");
        self.attempt(id, attempt, id.0, run)
    }

    fn attempt(&self, id: RunId, attempt: Attempt, number: u64, run: &Run<'_>) -> News {
        let at = id.0 * 1000 + attempt.0 * 10;
        let mut events = vec![
            json!({ "type": "RunCreated", "run": id, "attempt": attempt, "run_number": number,
                "carried": [], "repository": "octo/app", "repository_path": "/app",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "a change",
                "event": { "name": "push", "git_ref": format!("refs/heads/{}", run.branch), "payload": {} },
                "change": { "commit": run.commit, "authored_at": 1, "committed_at": 1, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona", "at": at }),
        ];
        let is_refused = run.exit == "refused";
        if !is_refused {
            events.push(json!({ "type": "JobReady", "job": run.job, "at": at }));
            events.push(json!({ "type": "JobLeased", "job": run.job, "fence": 1, "tracking_id": "x", "at": at }));
        }
        if let Some((name, text)) = run.file {
            let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            archive.start_file(name, SimpleFileOptions::default()).expect("a journal of ours");
            archive.write_all(text.as_bytes()).expect("a journal of ours");
            let bytes = archive.finish().expect("a journal of ours").into_inner();
            let blob = self.store.blobs().put_bytes(&bytes).expect("a journal of ours");
            events.push(
                json!({ "type": "ArtifactUploaded", "job": run.job, "name": "reports", "blob": blob,
                "size_bytes": bytes.len(), "expires_at": 9_000_000_000_000_u64 }),
            );
        }
        // What a gate lets nobody run never had a worker.
        let (fence, exit) = if is_refused { (None, "cancelled") } else { (Some(1), run.exit) };
        events.push(json!({ "type": "JobCompleted", "job": run.job, "fence": fence, "conclusion": run.conclusion,
            "exit": exit, "outputs": {}, "log": null, "environment_url": null, "at": at + 1 }));
        events.push(json!({ "type": "RunCompleted", "conclusion": run.conclusion, "at": at + 1 }));
        let decode =
            |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("a journal of ours");
        let events: Vec<RunEvent> = events.iter().map(decode).collect();
        let stream = StreamId::Run(id, attempt);
        self.store.append(stream, Seq(0), Timestamp(at), &events).expect("a journal of ours");
        let position = self.store.newest_position().expect("a journal of ours");
        self.figures.news(&self.store, stream, position).expect("a journal of ours")
    }

    fn failing(&self, run: &Run<'_>, expect: Expect) {
        told(&self.run(run), expect);
    }

    fn failing_again(&self, run: &Run<'_>, expect: Expect) {
        told(&self.again(run), expect);
    }

    fn found(&self, sarif: &str, expect: Expect) {
        let news = self.run(&Run { file: Some(("out/trivy.sarif", sarif)), ..GREEN });
        let told = match news.found {
            None => "nothing new".to_owned(),
            Some(it) => format!(
                "{:?} found {:?}, new {:?} since {:?}: {}{}",
                it.tools,
                it.all,
                it.new,
                it.before.iter().map(|(run, _)| run.0).collect::<Vec<_>>(),
                it.named.join("; "),
                if it.is_cut { ", cut" } else { "" }
            ),
        };
        expect.assert_eq(&told);
    }
}

#[test]
fn what_reports_of_tests_say_counts_and_where_there_are_none_how_the_run_ended() {
    let journal = Journal::new();
    let (both, one, none) = (failed(&["adds", "divides"]), failed(&["divides"]), passed("adds"));
    fn red<'r>(commit: &'r str, text: &'r str) -> Run<'r> {
        Run { commit, file: Some(("junit.xml", text)), ..RED }
    }
    journal.failing(&red("c1", &both), expect!["nothing new"]);
    // The tests passed, something else of the run did not: the series is over.
    journal.failing(&red("c2", &none), expect!["nothing new"]);
    journal.failing(&red("c3", &both), expect!["nothing new"]);
    // The run succeeded all the same (`continue-on-error`); its tests failed.
    journal.failing(
        &Run { conclusion: "success", exit: "none", ..red("c4", &one) },
        expect!["nothing new"],
    );
    // Other branches, lost workers, what a gate let nobody run, and what was cancelled say nothing.
    journal.failing(&Run { branch: "topic", ..red("c5", &one) }, expect!["nothing new"]);
    journal.failing(&Run { exit: "lost_runner", ..red("c5", &one) }, expect!["nothing new"]);
    journal.failing(&Run { exit: "refused", commit: "c5", ..RED }, expect!["nothing new"]);
    journal.failing(
        &Run { conclusion: "cancelled", exit: "cancelled", ..red("c5", &one) },
        expect!["nothing new"],
    );
    journal.failing(
        &red("c5", &both),
        expect!["3 times on 3 commits since 3, by reports: true, each time 1: unit › divides"],
    );
    journal.failing(&red("c6", &both), expect!["nothing new"]);
    // It did not even come to its tests.
    journal.failing(&Run { commit: "c7", ..RED }, expect!["nothing new"]);
    journal.failing(&Run { file: Some(("junit.xml", &none)), ..GREEN }, expect!["nothing new"]);
    journal.failing(&Run { commit: "c8", ..RED }, expect!["nothing new"]);
    journal.failing(&red("c9", &one), expect!["nothing new"]);
    journal.failing(
        &Run { commit: "c9", ..RED },
        expect!["3 times on 2 commits since 13, by reports: false, each time 1: unit › divides"],
    );
}

#[test]
fn one_commit_that_is_run_again_and_again_is_no_series() {
    let journal = Journal::new();
    for _ in 0..4 {
        journal.failing(&RED, expect!["nothing new"]);
    }
    journal.failing(
        &Run { commit: "c1", ..RED },
        expect!["5 times on 2 commits since 1, by reports: false, each time 0: "],
    );
}

#[test]
fn a_job_that_ran_again_and_passed_without_a_report_ends_its_series() {
    // Reports are kept only where tests fail.
    let bad = failed(&["adds"]);
    fn red<'r>(commit: &'r str, text: &'r str) -> Run<'r> {
        Run { commit, file: Some(("junit.xml", text)), ..RED }
    }
    let journal = Journal::new();
    for commit in ["c1", "c2", "c3", "c4"] {
        journal.failing(&red(commit, &bad), expect!["nothing new"]);
        journal.failing_again(&Run { commit, ..GREEN }, expect!["nothing new"]);
    }
    // Another job that ran again says nothing of them, whatever became of it.
    let journal = Journal::new();
    for commit in ["c1", "c2"] {
        journal.failing(&red(commit, &bad), expect!["nothing new"]);
        journal.failing_again(&Run { job: "lint", commit, ..GREEN }, expect!["nothing new"]);
        journal.failing_again(&Run { job: "lint", commit, ..RED }, expect!["nothing new"]);
    }
    journal.failing(
        &red("c3", &bad),
        expect!["3 times on 3 commits since 1, by reports: true, each time 1: unit › adds"],
    );
    // One that did not come to its tests is no better.
    let journal = Journal::new();
    journal.failing(&red("c1", &bad), expect!["nothing new"]);
    journal.failing_again(&Run { commit: "c1", ..RED }, expect!["nothing new"]);
    journal.failing(
        &red("c2", &bad),
        expect!["3 times on 2 commits since 1, by reports: false, each time 1: unit › adds"],
    );
    // It passed, and another job that ran again behind it did not: the tests are over all the same.
    let journal = Journal::new();
    journal.failing(&red("c1", &bad), expect!["nothing new"]);
    journal.failing(&red("c2", &bad), expect!["nothing new"]);
    journal.failing_again(&Run { commit: "c2", ..GREEN }, expect!["nothing new"]);
    journal.failing_again(&Run { job: "lint", commit: "c2", ..RED }, expect!["nothing new"]);
    journal.failing(&red("c3", &bad), expect!["nothing new"]);
}

#[test]
fn what_a_gate_let_nobody_run_breaks_no_build() {
    let journal = Journal::new();
    let refused = Run { exit: "refused", ..RED };
    let told = |expect: Expect| {
        let window = Window { since: Timestamp(0), until: Timestamp(1_000_000) };
        let report = journal.figures.report(
            &journal.store,
            &Asked::everything(window),
            &[ReportPart::Pipelines],
        );
        let it = &report.expect("a journal of ours").pipelines[0];
        expect.assert_eq(&format!(
            "{} of {}, red since {:?}, without {:?}",
            it.success.part,
            it.success.whole,
            it.red.as_ref().map(|it| it.run.0),
            it.left_out
        ));
    };
    journal.run(&GREEN);
    journal.run(&refused);
    told(expect![[r#"1 of 1, red since None, without [("refused", 1)]"#]]);
    // It does not mend one either.
    journal.run(&RED);
    journal.run(&refused);
    told(expect![[r#"1 of 2, red since Some(3), without [("refused", 2)]"#]]);
}

fn sarif(tool: &str, results: &[&str]) -> String {
    let rules: String = [("CVE-1", "9.8"), ("CVE-2", "7.5")]
        .map(|(id, score)| {
            format!(r#"{{"id":"{id}","properties":{{"security-severity":"{score}"}}}}"#)
        })
        .join(",");
    let results: Vec<String> = results
        .iter()
        .map(|it| {
            let mut parts = it.split(' ');
            let (rule, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let line = parts.next().unwrap_or("1");
            let note = if rule == "NOTE" { r#""level":"note","# } else { "" };
            let known =
                if file == "known" { r#""suppressions":[{"kind":"inSource"}],"# } else { "" };
            format!(
                r#"{{"ruleId":"{rule}",{note}{known}"locations":[{{"physicalLocation":
                   {{"artifactLocation":{{"uri":"{file}"}},"region":{{"startLine":{line}}}}}}}]}}"#
            )
        })
        .collect();
    let results = results.join(",");
    format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"{tool}","rules":[{rules}]}}}},"results":[{results}]}}]}}"#
    )
}

#[test]
fn what_a_scan_found_that_the_one_before_did_not() {
    let journal = Journal::new();
    journal.found(&sarif("Trivy", &[]), expect!["nothing new"]);
    journal.found(
        &sarif("Trivy", &["CVE-2 go.mod 7", "lint a.py", "NOTE a.py", "CVE-1 known"]),
        expect![[r#"["Trivy"] found [("high", 1), ("warning", 1), ("note", 1)], new [("high", 1), ("warning", 1), ("note", 1)] since [1]: CVE-2 in go.mod (high); lint in a.py (warning); NOTE in a.py (note)"#]],
    );
    // Lines move.
    journal.found(
        &sarif("Trivy", &["CVE-2 go.mod 9", "lint a.py 3", "NOTE a.py"]),
        expect!["nothing new"],
    );
    // Another tool looked: it says nothing of what Trivy finds.
    journal.found(
        &sarif("Bandit", &["B105 a.py"]),
        expect![[r#"["Bandit"] found [("warning", 1)], new [("warning", 1)] since []: B105 in a.py (warning)"#]],
    );
    // A second one of the same in the same file is one more, and a note alone is not told at once.
    journal.found(
        &sarif("Trivy", &["CVE-2 go.mod", "lint a.py 3", "lint a.py 4", "CVE-1 go.mod"]),
        expect![[r#"["Trivy"] found [("critical", 1), ("high", 1), ("warning", 2)], new [("critical", 1), ("warning", 1)] since [3]: CVE-1 in go.mod (critical); lint in a.py (warning)"#]],
    );
    journal.found(&sarif("Trivy", &["NOTE b.py"]), expect!["nothing new"]);
    // It went and came back: new, as it was not there the time before.
    let text = sarif("Trivy", &["CVE-2 go.mod", "CVE-2 go.mod"]);
    journal.found(
        &text[..text.len() - 20],
        expect![[r#"["Trivy"] found [("high", 1)], new [("high", 1)] since [6]: CVE-2 in go.mod (high), cut"#]],
    );
    // The one before was not read to its end: nobody knows what is new.
    journal.found(&sarif("Trivy", &["CVE-2 go.mod", "CVE-2 go.mod"]), expect!["nothing new"]);
    journal.found(
        &sarif("Trivy", &["CVE-2 go.mod", "CVE-2 go.mod", "CVE-1 go.mod"]),
        expect![[r#"["Trivy"] found [("critical", 1), ("high", 2)], new [("critical", 1)] since [8]: CVE-1 in go.mod (critical)"#]],
    );
}

#[test]
fn what_is_not_of_the_default_branch_is_told_to_nobody() {
    let journal = Journal::new();
    let text = sarif("Trivy", &["CVE-1 go.mod"]);
    let run = Run { branch: "topic", file: Some(("a.sarif", &text)), ..GREEN };
    assert_eq!(journal.run(&run), News::default());
}

#[test]
fn what_scans_found_is_kept_as_long_as_it_is_compared() {
    let journal = Journal::new();
    let rows = |table: &str| {
        let file = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
        let file = file.expect("a file of ours");
        let count = format!("SELECT count(*), count(DISTINCT run) FROM {table}");
        let count = file.query_row(&count, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let count: (i64, i64) = count.expect("a table of ours");
        count
    };
    let files: Vec<String> = (0..60).map(|it| format!("CVE-2 m{it}/go.mod")).collect();
    let text = |of: usize| {
        let known: Vec<&str> = files[of..of + 2].iter().map(String::as_str).collect();
        sarif("Trivy", &known)
    };
    let scan = |of: usize, branch: &str| {
        let text = text(of);
        let run = Run { branch, file: Some(("a.sarif", &text)), ..GREEN };
        journal.run(&run).found.map(|it| (it.new, it.before))
    };
    let one_more =
        |before: u64| Some((vec![("high".to_owned(), 1)], vec![(RunId(before), Attempt(1))]));
    assert_eq!(scan(0, "main").map(|it| it.1), Some(Vec::new()));
    for of in 1..50 {
        assert_eq!(scan(of, "main"), one_more(of as u64), "{of}");
    }
    assert_eq!((rows("finding"), rows("scan")), ((40, 20), (50, 50)));
    // Nobody is told of other branches; what is kept of them takes no place of those.
    assert_eq!(scan(55, "topic"), None);
    assert_eq!((rows("finding"), rows("scan")), ((42, 21), (51, 51)));
    // Another tool has its own, and takes none away.
    let other = sarif("Bandit", &["B105 a.py"]);
    journal.run(&Run { file: Some(("b.sarif", &other)), ..GREEN });
    assert_eq!(rows("finding"), (43, 22));
    assert_eq!(scan(50, "main"), one_more(50));
    // Of one that is told late, as of the one behind it, nothing is new that nobody can compare.
    let end = journal.store.newest_position().expect("a journal of ours");
    for run in [2, 31, 32, 33] {
        let news = journal.figures.news(&journal.store, StreamId::Run(RunId(run), Attempt(1)), end);
        let found = news.expect("a journal of ours").found;
        assert_eq!(found.is_some(), run == 33, "{run}");
    }
}

#[test]
fn nobody_waits_for_a_long_journal_to_be_counted() {
    let journal = Journal::new();
    let other = tempfile::tempdir().expect("a folder");
    for _ in 0..300 {
        journal.run(&GREEN);
    }
    // The numbers begin again, as when their file was taken away.
    let anew = Figures::open(other.path()).expect("a file of ours");
    let news = |run: u64| {
        let end = journal.store.newest_position().expect("a journal of ours");
        anew.news(&journal.store, StreamId::Run(RunId(run), Attempt(1)), end)
    };
    let waits = news(300).expect_err("most is not counted");
    assert_eq!(waits.to_string(), "0 % of the journal is counted");
    assert!(waits.is_passing(), "it is asked again");
    assert_eq!(anew.caught(&journal.store).expect("a file of ours").position, 0);
    anew.catch_up(&journal.store, &mut |_| true).expect("a file of ours");
    assert_eq!(news(300).expect("all is counted"), News::default());
    // A few are taken in by who asks.
    journal.run(&GREEN);
    assert_eq!(news(301).expect("a moment"), News::default());
    assert!(anew.caught(&journal.store).expect("a file of ours").is_up());
}
