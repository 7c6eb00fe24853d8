//! Reports of tests and coverage, from the artifacts of runs: what is said of one run, and which tests
//! do not always say the same.

use std::io::Write as _;
use std::sync::Arc;

use event::{Attempt, Fact as _, RunEvent, RunId, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use figures::{Asked, Figures, ReportPart};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::Window;
use zip::write::SimpleFileOptions;

struct Journal {
    _folder: tempfile::TempDir,
    store: Arc<Store>,
    figures: Figures,
}

/// A run of `main`, and what it uploads.
struct Run<'r> {
    commit: &'r str,
    exit: &'r str,
    uncommitted: u64,
    /// `ARTIFACT:FILE`, or a file of the artifact `reports`.
    files: &'r [(&'r str, &'r str)],
}

const GOOD: Run<'_> = Run { commit: "c0", exit: "none", uncommitted: 0, files: &[] };

impl Journal {
    fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let figures = Figures::open(folder.path()).expect("a journal of ours");
        Journal { _folder: folder, store, figures }
    }

    fn run(&self, run: &Run<'_>) -> StreamId {
        let (id, number) =
            self.store.allocate_run("octo/app", "ci.yml").expect("a journal of ours");
        self.attempt(id, Attempt(1), number, run)
    }

    fn attempt(&self, id: RunId, attempt: Attempt, number: u64, run: &Run<'_>) -> StreamId {
        let at = id.0 * 1000 + attempt.0 * 10;
        let mut artifacts = std::collections::BTreeMap::from([("reports", Vec::new())]);
        for (name, text) in run.files {
            let (artifact, file) = name.split_once(':').unwrap_or(("reports", name));
            artifacts.entry(artifact).or_insert_with(Vec::new).push((file, *text));
        }
        let uploaded: Vec<Json> =
            artifacts.iter().map(|(name, files)| self.upload(name, files)).collect();
        let conclusion = if run.exit == "none" { "success" } else { "failure" };
        let begin = [
            json!({ "type": "RunCreated", "run": id, "attempt": attempt, "run_number": number,
                "carried": [], "repository": "octo/app", "repository_path": "/app",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "a change",
                "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
                "change": { "commit": run.commit, "authored_at": 1, "committed_at": 1, "uncommitted": run.uncommitted },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona", "at": at }),
            json!({ "type": "JobReady", "job": "test", "at": at }),
            json!({ "type": "JobLeased", "job": "test", "fence": 1, "tracking_id": "x", "at": at }),
        ];
        let end = [
            json!({ "type": "JobCompleted", "job": "test", "fence": 1, "conclusion": conclusion,
                "exit": run.exit, "outputs": {}, "log": null, "environment_url": null, "at": at + 1 }),
            json!({ "type": "RunCompleted", "conclusion": conclusion, "at": at + 1 }),
        ];
        let decode =
            |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("a journal of ours");
        let events = begin.iter().chain(&uploaded).chain(&end);
        let events: Vec<RunEvent> = events.map(decode).collect();
        let stream = StreamId::Run(id, attempt);
        self.store.append(stream, Seq(0), Timestamp(at), &events).expect("a journal of ours");
        stream
    }

    fn upload(&self, name: &str, files: &[(&str, &str)]) -> Json {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (file, text) in files {
            archive.start_file(*file, SimpleFileOptions::default()).expect("a journal of ours");
            archive.write_all(text.as_bytes()).expect("a journal of ours");
        }
        let bytes = archive.finish().expect("a journal of ours").into_inner();
        let blob = self.store.blobs().put_bytes(&bytes).expect("a journal of ours");
        json!({ "type": "ArtifactUploaded", "job": "test", "name": name, "blob": blob,
            "size_bytes": bytes.len(), "expires_at": 9_000_000_000_000_u64 })
    }

    fn told(&self, stream: StreamId, expect: Expect) {
        let told = self.figures.run_tests(&self.store, stream).expect("a journal of ours");
        let Some(told) = told else { return expect.assert_eq("no report\n") };
        let counts = told.counts;
        let mut text = format!(
            "{} passed, {} failed, {} errored, {} skipped, {} at the second try, {} ms, with {:?}\n",
            counts.passed,
            counts.failed,
            counts.errored,
            counts.skipped,
            counts.retried,
            counts.time_ms,
            told.compared_with.map(|(run, _)| run.0)
        );
        let lists = [
            ("failed", &told.failed),
            ("retried", &told.retried),
            ("removed", &told.removed),
            ("newly skipped", &told.newly_skipped),
        ];
        for (what, tests) in lists {
            for it in tests {
                text += &format!("{what}: {} {} {}:{:?}\n", it.class, it.name, it.file, it.line);
            }
        }
        if let Some(it) = &told.coverage {
            text += &format!("coverage: {} of {}, before {:?}\n", it.covered, it.lines, it.before);
            for it in &it.files {
                text += &format!(
                    "  {}: {} of {}, before {:?}\n",
                    it.file, it.covered, it.lines, it.before
                );
            }
        }
        for it in &told.flags {
            let tests = it.tests.map(|it| (it.passed, it.failed + it.errored, it.skipped));
            text += &format!(
                "flag {}: tests {tests:?}, coverage {:?}, before {:?}\n",
                it.flag, it.coverage, it.coverage_before
            );
        }
        for it in &told.reports {
            text += &format!("from {}{}\n", it.file, if it.is_cut { ", cut" } else { "" });
        }
        expect.assert_eq(&text);
    }

    fn flaky(&self, expect: Expect) {
        self.figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        let window = Window { since: Timestamp(0), until: Timestamp(10_000_000) };
        let asked = Asked::everything(window);
        let mut text = String::new();
        for it in self.figures.flaky(&asked).expect("a journal of ours") {
            let runs = |all: &[(RunId, Attempt)]| -> String {
                all.iter().map(|(run, attempt)| format!(" {run}.{attempt}")).collect()
            };
            text += &format!("{} {}: {} of {}", it.state, it.name, it.failures, it.runs);
            text += &format!(", again in{}, {} flips", runs(&it.retried_in), it.flips);
            for it in &it.differs_on {
                text += &format!(
                    ", on {}: +{} -{}",
                    it.commit,
                    runs(&it.passed_in),
                    runs(&it.failed_in)
                );
            }
            text.push('\n');
        }
        expect.assert_eq(&text);
    }
}

impl Journal {
    fn series(&self, expect: Expect) {
        self.figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        let window = Window { since: Timestamp(0), until: Timestamp(10_000_000) };
        let mut text = String::new();
        for of in self.figures.series(&Asked::everything(window)).expect("a journal of ours") {
            text += &format!("{} {}\n", of.repository, of.workflow);
            for it in &of.runs {
                let tests = it.tests.map(|it| (it.passed, it.failed + it.errored, it.skipped));
                let (run, attempt, end) = (it.run, it.attempt, it.conclusion.as_str());
                text += &format!(
                    "  {run}.{attempt} {end}: tests {tests:?}, coverage {:?}",
                    it.coverage
                );
                text += &format!(", gone {}, skipped {}", it.removed, it.newly_skipped);
                for it in &it.flags {
                    text += &format!(", {} {}/{}", it.flag, it.covered, it.lines);
                }
                text.push('\n');
            }
        }
        expect.assert_eq(&text);
    }
}

impl Journal {
    fn slow(&self, (since, until): (u64, u64), expect: Expect) {
        self.figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        let window = Window { since: Timestamp(since), until: Timestamp(until) };
        let mut text = String::new();
        for it in self.figures.slow_tests(&Asked::everything(window)).expect("a journal of ours") {
            let (time, of) = (&it.time, [&*it.workflow, &it.job, &it.suite, &it.class].join(" "));
            text += &format!("{}: {} ms in {} runs", it.name, it.total_ms, time.count);
            text += &format!(", median {:?}, longest {} ({of})\n", time.median_ms, it.longest_ms);
        }
        expect.assert_eq(&text);
    }
}

fn junit(cases: &str) -> String {
    format!("<testsuite name=\"s\">{cases}</testsuite>")
}

#[test]
fn a_run_is_compared_with_the_default_branch() {
    let journal = Journal::new();
    let before = junit(
        r#"<testcase classname="A" name="one" time="1"/><testcase classname="A" name="two"/>
           <testcase classname="A" name="gone"/>"#,
    );
    let lcov = "SF:src/a.rs\nDA:1,1\nDA:2,0\nend_of_record\n";
    let files = [("out/junit.xml", before.as_str()), ("lcov.info", lcov), ("notes.txt", "SF:x\n")];
    let first = journal.run(&Run { files: &files, ..GOOD });
    journal.told(
        first,
        expect![[r#"
            3 passed, 0 failed, 0 errored, 0 skipped, 0 at the second try, 1000 ms, with None
            coverage: 1 of 2, before None
              src/a.rs: 1 of 2, before None
            flag reports: tests Some((3, 0, 0)), coverage Some((1, 2)), before None
            from lcov.info
            from out/junit.xml
        "#]],
    );
    let now = junit(
        r#"<testcase classname="A" name="one" file="a.py" line="7"><failure message="hunter2"/></testcase>
           <testcase classname="A" name="two"><skipped/></testcase>
           <testcase classname="A" name="new"><flakyError/></testcase><testcase"#,
    );
    let lcov = "SF:src/a.rs\nDA:1,1\nDA:2,1\nend_of_record\nSF:src/b.rs\nDA:1,0\nend_of_record\n";
    let files = [("out/junit.xml", now.as_str()), ("lcov.info", lcov)];
    let second = journal.run(&Run { commit: "c1", exit: "user_failure", files: &files, ..GOOD });
    journal.told(
        second,
        expect![[r#"
            1 passed, 1 failed, 0 errored, 1 skipped, 1 at the second try, 0 ms, with Some(1)
            failed: A one a.py:Some(7)
            retried: A new :None
            removed: A gone :None
            removed: A one :None
            newly skipped: A two :None
            coverage: 2 of 3, before Some((1, 2))
              src/b.rs: 0 of 1, before None
              src/a.rs: 2 of 2, before Some((1, 2))
            flag reports: tests Some((1, 1, 1)), coverage Some((2, 3)), before Some((1, 2))
            from lcov.info
            from out/junit.xml, cut
        "#]],
    );
    let nothing = journal.run(&Run { commit: "c2", ..GOOD });
    journal.told(nothing, expect!["no report\n"]);
    let kept = std::fs::read(journal._folder.path().join("figures.db")).expect("a journal of ours");
    let wal = std::fs::read(journal._folder.path().join("figures.db-wal")).unwrap_or_default();
    for bytes in [kept, wal] {
        let is_there = bytes.windows(7).any(|it| it == b"hunter2");
        assert!(!is_there, "what a test printed is not kept");
    }
}

#[test]
fn each_flag_is_told_apart() {
    let journal = Journal::new();
    let lcov = |file: &str, lines: &str| {
        let lines: String = lines.split(' ').map(|it| format!("DA:{it}\n")).collect();
        format!("SF:{file}\n{lines}end_of_record\n")
    };
    let (one, two) = (lcov("main.py", "1,1 2,0 3,0"), lcov("main.py", "1,0 2,1 3,0"));
    let other = lcov("main.py", "1,1 9,0");
    let shared = [lcov("lib.py", "1,0 2,1"), lcov("lib.py", "1,1 2,0")];
    let bad = junit(r#"<testcase name="health"><failure/></testcase><testcase name="login"/>"#);
    let good = junit(r#"<testcase name="health"/>"#);
    let files = [
        ("coverage-api-3.11:lcov.info", one.as_str()),
        ("coverage-api-3.12:lcov.info", two.as_str()),
        ("coverage-web:lcov.info", other.as_str()),
        ("coverage-web:more.info", shared[0].as_str()),
        ("coverage-unit@api:lcov.info", shared[1].as_str()),
        ("api-tests:junit.xml", bad.as_str()),
        ("web-tests:junit.xml", good.as_str()),
        ("web-tests-again:junit.xml", good.as_str()),
    ];
    let first = journal.run(&Run { exit: "user_failure", files: &files, ..GOOD });
    journal.told(
        first,
        expect![[r#"
        2 passed, 1 failed, 0 errored, 0 skipped, 0 at the second try, 0 ms, with None
        failed:  health :None
        coverage: 5 of 7, before None
          main.py (api): 2 of 3, before None
          main.py (web): 1 of 2, before None
          lib.py: 2 of 2, before None
        flag api: tests Some((1, 1, 0)), coverage Some((2, 3)), before None
        flag unit: tests None, coverage Some((1, 2)), before None
        flag web: tests Some((1, 0, 0)), coverage Some((2, 4)), before None
        from junit.xml
        from lcov.info
        from lcov.info
        from lcov.info
        from lcov.info
        from more.info
        from junit.xml
    "#]],
    );
    let second = journal.run(&Run { commit: "c1", files: &files[1..4], ..GOOD });
    journal.told(
        second,
        expect![[r#"
        0 passed, 0 failed, 0 errored, 0 skipped, 0 at the second try, 0 ms, with Some(1)
        coverage: 3 of 7, before Some((5, 7))
          main.py (api): 1 of 3, before Some((2, 3))
          lib.py: 1 of 2, before Some((2, 2))
          main.py (web): 1 of 2, before Some((1, 2))
        flag api: tests None, coverage Some((1, 3)), before Some((2, 3))
        flag web: tests None, coverage Some((2, 4)), before Some((2, 4))
        from lcov.info
        from lcov.info
        from more.info
    "#]],
    );
}

#[test]
fn a_test_that_passes_and_fails_on_one_commit_is_flaky() {
    let journal = Journal::new();
    let good = junit(r#"<testcase name="t"/><testcase name="always"/>"#);
    let bad = junit(r#"<testcase name="t"><failure/></testcase><testcase name="always"/>"#);
    let with = |text: &'static str| [("junit.xml", text)];
    let (good, bad) = (with(good.leak()), with(bad.leak()));
    let id = journal.run(&Run { commit: "c1", exit: "user_failure", files: &bad, ..GOOD });
    journal.flaky(expect![""]);
    let (run, _) = id.as_run().expect("a journal of ours");
    assert_eq!(journal.store.allocate_attempt(run).expect("a journal of ours"), Attempt(2));
    journal.attempt(run, Attempt(2), 1, &Run { commit: "c1", files: &good, ..GOOD });
    journal.flaky(expect![[r#"
        flaky t: 1 of 2, again in, 1 flips, on c1: + 1.2 - 1.1
    "#]]);
    // Work trees are no commits.
    journal.run(&Run { commit: "c2", files: &good, uncommitted: 1, ..GOOD });
    for commit in ["c3", "c4", "c5"] {
        journal.run(&Run { commit, files: &good, ..GOOD });
    }
    journal.flaky(expect![[r#"
        flaky t: 1 of 5, again in, 1 flips, on c1: + 1.2 - 1.1
    "#]]);
    journal.run(&Run { commit: "c6", files: &good, ..GOOD });
    journal.flaky(expect![""]);
}

#[test]
fn what_something_around_it_may_have_done_makes_a_suspect() {
    let journal = Journal::new();
    let good = junit(r#"<testcase name="t"/>"#);
    let bad = junit(r#"<testcase name="t"><error/></testcase>"#);
    let (good, bad) = ([("j.xml", good.as_str())], [("j.xml", bad.as_str())]);
    journal.run(&Run { commit: "c1", exit: "infra_failure", files: &bad, ..GOOD });
    journal.run(&Run { commit: "c1", files: &good, ..GOOD });
    journal.flaky(expect![[r#"
        suspect t: 1 of 2, again in, 0 flips, on c1: + 2.1 - 1.1
    "#]]);
    let journal = Journal::new();
    for (commit, files) in [("1", &good), ("2", &bad), ("3", &good), ("4", &bad), ("5", &good)] {
        journal.run(&Run { commit, files, ..GOOD });
    }
    journal.flaky(expect![[r#"
        suspect t: 2 of 5, again in, 4 flips
    "#]]);
}

#[test]
fn a_second_try_in_one_report_is_proof() {
    let journal = Journal::new();
    let twice = junit(r#"<testcase name="t"><failure/></testcase><testcase name="t"/>"#);
    journal.run(&Run { files: &[("j.xml", twice.as_str())], ..GOOD });
    journal.flaky(expect![[r#"
        flaky t: 1 of 1, again in 1.1, 0 flips
    "#]]);
}

#[test]
fn runs_of_the_default_branch_stand_one_after_the_other() {
    let journal = Journal::new();
    journal.series(expect![""]);
    let three = junit(r#"<testcase name="a"/><testcase name="b"/><testcase name="c"/>"#);
    let two = junit(
        r#"<testcase name="a"><failure/></testcase><testcase name="b"><skipped/></testcase>"#,
    );
    let lcov = "SF:a\nDA:1,1\nDA:2,0\nend_of_record\n";
    let first = [("j.xml", three.as_str()), ("coverage-api:lcov.info", lcov)];
    let id = journal.run(&Run { commit: "c1", files: &first, ..GOOD });
    // What never came to its tests took none away.
    journal.run(&Run { commit: "c2", exit: "user_failure", ..GOOD });
    let last = [("j.xml", two.as_str())];
    journal.run(&Run { commit: "c3", exit: "user_failure", files: &last, ..GOOD });
    journal.run(&Run { commit: "c4", files: &first, uncommitted: 1, ..GOOD });
    journal.series(expect![[r#"
        octo/app ci.yml
          1.1 success: tests Some((3, 0, 0)), coverage Some((1, 2)), gone 0, skipped 0, api 1/2
          2.1 failure: tests None, coverage None, gone 0, skipped 0
          3.1 failure: tests Some((0, 1, 1)), coverage None, gone 1, skipped 1
    "#]]);
    let (run, _) = id.as_run().expect("a journal of ours");
    assert_eq!(journal.store.allocate_attempt(run).expect("a journal of ours"), Attempt(2));
    journal.attempt(run, Attempt(2), 1, &Run { commit: "c1", files: &last, ..GOOD });
    for _ in 0..40 {
        journal.run(&Run { files: &first, ..GOOD });
    }
    let window = Window { since: Timestamp(0), until: Timestamp(10_000_000) };
    journal.figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let series = journal.figures.series(&Asked::everything(window)).expect("a journal of ours");
    assert_eq!(series[0].runs.len(), 30, "the newest");
    assert!(series[0].runs.iter().all(|it| it.removed == 0), "the one before is not in the list");
    let elsewhere =
        Asked { repositories: Some(vec!["a/b".to_owned()]), ..Asked::everything(window) };
    assert_eq!(journal.figures.series(&elsewhere).expect("a journal of ours"), []);
}

#[test]
fn jobs_that_were_not_run_again_keep_their_coverage() {
    let journal = Journal::new();
    let kept = |stream: StreamId, carried_from: &[u64], expect: Expect| {
        let carried_from = carried_from.iter().map(|it| Attempt(*it)).collect();
        let kept = journal.figures.coverage_kept(&journal.store, stream, &carried_from);
        let kept = kept.expect("a journal of ours");
        expect.assert_eq(&format!("{:?} {:?}", kept.whole, kept.flags));
    };
    let upper = "SF:a\nDA:1,1\nDA:2,1\nDA:3,0\nend_of_record\n";
    let files = [("coverage-api:lcov.info", upper), ("coverage-web:lcov.info", "SF:b\nDA:1,0\n")];
    let first = journal.run(&Run { files: &files, ..GOOD });
    kept(first, &[], expect![[r#"Some((2, 4)) {"api": (2, 3), "web": (0, 1)}"#]]);
    let (id, _) = first.as_run().expect("a run");
    // Only a job that keeps none ran again, then one that keeps another flag, then all.
    let second = journal.attempt(id, Attempt(2), 1, &GOOD);
    kept(second, &[], expect!["None {}"]);
    kept(second, &[1], expect![[r#"Some((2, 4)) {"api": (2, 3), "web": (0, 1)}"#]]);
    let files = [("coverage-web:lcov.info", "SF:b\nDA:1,1\n")];
    let third = journal.attempt(id, Attempt(3), 1, &Run { files: &files, ..GOOD });
    kept(third, &[1, 2], expect![[r#"Some((3, 4)) {"api": (2, 3), "web": (1, 1)}"#]]);
    kept(third, &[], expect![[r#"Some((1, 1)) {"web": (1, 1)}"#]]);
    // A report without a line is none that could be lost.
    let before = |of: &[(&str, &str)]| {
        let journal = Journal::new();
        journal.run(&Run { files: of, ..GOOD });
        let next = journal.run(&GOOD);
        journal.figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
        journal.figures.coverage_before(next).expect("a journal of ours").whole
    };
    assert!(before(&files));
    assert!(!before(&[("lcov.info", "SF:b\nend_of_record\n")]));
}

#[test]
fn what_several_flags_name_counts_for_each() {
    let check = |files: &[(&str, &str)], expect: Expect| {
        let journal = Journal::new();
        let stream = journal.run(&Run { files, ..GOOD });
        let told = journal.figures.run_tests(&journal.store, stream).expect("a journal of ours");
        let told = told.expect("there are reports");
        let cut = told.reports.iter().filter(|it| it.is_cut).count();
        let lines = told.coverage.map(|it| it.lines);
        expect.assert_eq(&format!("{} flags, {lines:?} lines, {cut} cut", told.flags.len()));
    };
    // Ten flags hold ten times the files, and all files have a limit.
    let file = |at: u32| format!("SF:{at}\nDA:1,1\nend_of_record\n");
    let lcov: String = (0..10_001).map(file).collect();
    check(
        &[("coverage-a+b+c+d+e+f+g+h+i+j:lcov.info", &lcov)],
        expect!["10 flags, Some(10000) lines, 1 cut"],
    );
    // And so have flags.
    let name = |at: u32| {
        let flags: Vec<String> = (0..10).map(|flag| format!("{at}x{flag}")).collect();
        format!("{}:lcov.info", flags.join("+"))
    };
    let names: Vec<String> = (0..21).map(name).collect();
    let lcov = file(0);
    let files: Vec<(&str, &str)> = names.iter().map(|it| (it.as_str(), lcov.as_str())).collect();
    check(&files, expect!["200 flags, Some(1) lines, 1 cut"]);
}

#[test]
fn tests_that_take_the_most_time_are_told_with_their_longest() {
    let journal = Journal::new();
    let case = |name: &str, time: &str, end: &str| {
        format!(r#"<testcase classname="A" name="{name}" time="{time}">{end}</testcase>"#)
    };
    let all = |seconds: &str, end: &str| {
        let cases = [
            case("seldom", "2.5", ""),
            case("often", seconds, end),
            case("fast", "0.099", ""),
            case("just", "0.1", ""),
        ];
        junit(&cases.concat())
    };
    // It hung and was ended, it is not run, and of a work tree that no commit has: none says how long it takes.
    let bad = all("60", "<failure/>");
    journal.run(&Run { exit: "user_failure", files: &[("junit.xml", &bad)], ..GOOD });
    journal.run(&Run { files: &[("junit.xml", &all("60", "<skipped/>"))], ..GOOD });
    journal.run(&Run { uncommitted: 1, files: &[("junit.xml", &all("60", ""))], ..GOOD });
    for seconds in ["1", "1", "9", "2", "3"] {
        journal.run(&Run { files: &[("junit.xml", &all(seconds, ""))], ..GOOD });
    }
    journal.slow(
        (0, 10_000_000),
        expect![[r#"
            seldom: 17500 ms in 7 runs, median Some(2500), longest 2500 (ci.yml test s A)
            often: 16000 ms in 5 runs, median Some(2000), longest 9000 (ci.yml test s A)
            just: 700 ms in 7 runs, median Some(100), longest 100 (ci.yml test s A)
        "#]],
    );
    // Up to the seventh run, whose end is not in it.
    journal.slow(
        (4_000, 7_011),
        expect![[r#"
            often: 11000 ms in 3 runs, median None, longest 9000 (ci.yml test s A)
            seldom: 7500 ms in 3 runs, median None, longest 2500 (ci.yml test s A)
            just: 300 ms in 3 runs, median None, longest 100 (ci.yml test s A)
        "#]],
    );
}

#[test]
fn of_many_tests_the_ten_that_take_the_most_are_told() {
    let journal = Journal::new();
    let cases: String =
        (1..=12).map(|number| format!(r#"<testcase name="t{number}" time="{number}"/>"#)).collect();
    journal.run(&Run { files: &[("junit.xml", &junit(&cases))], ..GOOD });
    journal.figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let window = Window { since: Timestamp(0), until: Timestamp(10_000_000) };
    let told = journal.figures.slow_tests(&Asked::everything(window)).expect("a journal of ours");
    let names: Vec<&str> = told.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["t12", "t11", "t10", "t9", "t8", "t7", "t6", "t5", "t4", "t3"]);
    let elsewhere =
        Asked { repositories: Some(vec!["octo/other".to_owned()]), ..Asked::everything(window) };
    assert_eq!(journal.figures.slow_tests(&elsewhere).expect("a journal of ours"), []);
}

/// What of a report each part fills.
const PARTS: &[(ReportPart, &[&str])] = &[
    (ReportPart::Delivery, &["delivery", "delivery_left_out"]),
    (ReportPart::Pipelines, &["pipelines", "queues", "load", "slow_jobs", "slow_steps"]),
    (ReportPart::SlowTests, &["slow_tests"]),
    (ReportPart::Flaky, &["flaky"]),
    (ReportPart::Tests, &["tests"]),
    (ReportPart::Images, &["images"]),
    (ReportPart::Scans, &["scans"]),
];

#[test]
fn a_report_has_what_is_asked_for_and_nothing_else() {
    let journal = Journal::new();
    let sarif = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"Trivy"}},
        "results":[{"ruleId":"CVE-1"}]}]}"#;
    let twice = r#"<testcase name="t"><failure/></testcase><testcase name="t" time="2"/>"#;
    let files = [("j.xml", junit(twice)), ("a.sarif", sarif.to_owned())];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    journal.run(&Run { files: &files, ..GOOD });
    journal.figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let window = Window { since: Timestamp(0), until: Timestamp(10_000_000) };
    let told = |parts: &[ReportPart]| -> Json {
        let report = journal.figures.report(&journal.store, &Asked::everything(window), parts);
        json!(report.expect("a journal of ours"))
    };
    let (all, nothing) = (told(ReportPart::ALL), told(&[]));
    for (part, fields) in PARTS {
        let alone = told(&[*part]);
        for (field, value) in alone.as_object().expect("an object") {
            let of = if fields.contains(&field.as_str()) { &all } else { &nothing };
            assert_eq!(value, &of[field], "{field} of {part}");
        }
    }
    let fields = PARTS.iter().flat_map(|it| it.1.iter().copied());
    let filled: Vec<&str> = fields.filter(|it| all[*it] != nothing[*it]).collect();
    assert_eq!(filled, ["pipelines", "queues", "load", "slow_tests", "flaky", "tests", "scans"]);
    assert_eq!(
        ReportPart::of_list("flaky, scans"),
        Some(vec![ReportPart::Flaky, ReportPart::Scans])
    );
    assert_eq!(ReportPart::of_list("flaky,"), None);
    assert_eq!(PARTS.iter().map(|it| it.0).collect::<Vec<_>>(), ReportPart::ALL);
}
