//! What the tests of a run said, and which tests do not always say the same.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use event::{Attempt, RunId};
use figures::{CoveredFile, FlagFigures, Flaky, RunCoverage, RunTests, SlowTest, TestResult};
use views::length;

use super::insights::Insights;
use super::test_series::SeriesTable;
use super::{Frame, Page, shown};
use crate::api::metrics::Part;
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::numbers;
use crate::words::run_href;

/// Files of coverage that are shown: those with the most lines that did not run.
const FILES_SHOWN: usize = 200;
/// Runs that are named for a test.
const RUNS_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "run_tests.html")]
struct RunTestsPage {
    frame: Frame,
    /// Events that are not counted yet: what it is compared with may be among them.
    behind: u64,
    number: String,
    href: String,
    has_tests: bool,
    counts: Vec<(&'static str, u64, &'static str)>,
    time: String,
    lists: Vec<List>,
    /// None where one flag is the whole.
    flags: Vec<FlagRow>,
    coverage: Option<Covered>,
    compared_with: Option<Link>,
    reports: Vec<(String, bool)>,
}

struct FlagRow {
    flag: String,
    tests: String,
    failed: u64,
    rate: String,
    change: String,
    lines: String,
}

struct List {
    title: &'static str,
    sign: &'static str,
    class: &'static str,
    tests: Vec<TestLine>,
}

struct TestLine {
    name: String,
    of: String,
    place: String,
    time: String,
}

struct Covered {
    rate: String,
    of: String,
    change: String,
    files: Vec<[String; 4]>,
}

pub(super) struct Link {
    pub(super) name: String,
    pub(super) href: String,
}

/// The tests of one run.
pub(crate) async fn run_tests(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
) -> Page {
    let page = blocking(move || {
        let stream = app.stream(&run)?;
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        let behind = numbers::behind(&app)?;
        let told = app.figures.run_tests(&app.store, stream)?.unwrap_or_default();
        let frame = Frame::new(Some(&who), "runs");
        Ok(RunTestsPage::of(frame, (run, attempt), &told, behind))
    });
    shown(&page.await?)
}

pub(super) fn link((run, attempt): (RunId, Attempt)) -> Link {
    let name = if attempt.0 > 1 { format!("run {run}.{attempt}") } else { format!("run {run}") };
    Link { name, href: run_href(run, attempt) }
}

impl RunTestsPage {
    fn of(
        frame: Frame,
        (run, attempt): (RunId, Attempt),
        told: &RunTests,
        behind: u64,
    ) -> RunTestsPage {
        let counts = told.counts;
        let lists = [
            List::of("Failed", "✗", "bad", &told.failed),
            List::of("Passed at the second try", "↻", "runs", &told.retried),
            List::of("Not run any more", "−", "waits", &told.removed),
            List::of("Skipped now", "–", "waits", &told.newly_skipped),
        ];
        RunTestsPage {
            frame,
            behind,
            number: link((run, attempt)).name,
            href: run_href(run, attempt),
            has_tests: told.reports.iter().any(|it| it.kind == "tests"),
            counts: vec![
                ("passed", counts.passed, "good"),
                ("failed", counts.failed + counts.errored, "bad"),
                ("skipped", counts.skipped, "off"),
            ],
            time: length(counts.time_ms),
            lists: lists.into_iter().filter(|it| !it.tests.is_empty()).collect(),
            flags: match told.flags.len() {
                0 | 1 => Vec::new(),
                _ => told.flags.iter().map(FlagRow::of).collect(),
            },
            coverage: told.coverage.as_ref().map(Covered::of),
            compared_with: told.compared_with.map(link),
            reports: told
                .reports
                .iter()
                .map(|it| (format!("{} in {}", it.file, it.artifact), it.is_cut))
                .collect(),
        }
    }
}

impl List {
    fn of(
        title: &'static str,
        sign: &'static str,
        class: &'static str,
        tests: &[TestResult],
    ) -> List {
        List { title, sign, class, tests: tests.iter().map(TestLine::of).collect() }
    }
}

impl TestLine {
    fn of(it: &TestResult) -> TestLine {
        let of = [it.class.as_str(), it.suite.as_str(), it.job.as_str()];
        let mut of: Vec<&str> = of.into_iter().filter(|it| !it.is_empty()).collect();
        of.dedup();
        let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
        TestLine {
            name: if it.name.is_empty() { it.class.clone() } else { it.name.clone() },
            of: of.join(" · "),
            place: if it.file.is_empty() { String::new() } else { format!("{}{line}", it.file) },
            time: it.time_ms.map(length).unwrap_or_default(),
        }
    }
}

pub(super) fn percent((covered, lines): (u64, u64)) -> Option<f64> {
    (lines > 0).then(|| covered as f64 * 100.0 / lines as f64)
}

pub(super) fn rate(of: (u64, u64)) -> String {
    percent(of).map_or_else(|| "no lines".to_owned(), |it| format!("{it:.1} %"))
}

/// `+1.3`, `-0.2`, nothing where it is the same.
pub(super) fn change(now: (u64, u64), before: Option<(u64, u64)>) -> String {
    match (percent(now), before.and_then(percent)) {
        (Some(now), Some(before)) if (now - before).abs() >= 0.05 => {
            format!("{:+.1}", now - before)
        }
        _ => String::new(),
    }
}

impl FlagRow {
    fn of(it: &FlagFigures) -> FlagRow {
        let counts = it.tests.unwrap_or_default();
        let parts = [(counts.passed, "passed"), (counts.skipped, "skipped")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        FlagRow {
            flag: it.flag.clone(),
            tests: parts.join(", "),
            failed: counts.failed + counts.errored,
            rate: it.coverage.map(rate).unwrap_or_default(),
            change: it.coverage.map(|now| change(now, it.coverage_before)).unwrap_or_default(),
            lines: it.coverage.map(|(ran, of)| format!("{ran} of {of}")).unwrap_or_default(),
        }
    }
}

impl Covered {
    fn of(it: &RunCoverage) -> Covered {
        let now = (it.covered, it.lines);
        let file = |file: &CoveredFile| {
            let now = (file.covered, file.lines);
            let change =
                if file.before.is_none() { "new".to_owned() } else { change(now, file.before) };
            let change = if it.before.is_none() { String::new() } else { change };
            let left = format!("{} of {}", file.covered, file.lines);
            [file.file.clone(), rate(now), change, left]
        };
        Covered {
            rate: rate(now),
            of: format!("{} of {} lines ran", it.covered, it.lines),
            change: change(now, it.before),
            files: it.files.iter().take(FILES_SHOWN).map(file).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "tests.html")]
struct TestsPage {
    frame: Frame,
    insights: Insights,
    behind: u64,
    series: Vec<SeriesTable>,
    slow: Vec<SlowRow>,
    flaky: Vec<FlakyLine>,
}

struct SlowRow {
    name: String,
    of: String,
    times: [String; 4],
}

struct FlakyLine {
    state: &'static str,
    class: &'static str,
    sign: &'static str,
    name: String,
    of: String,
    rate: String,
    signals: Vec<(String, Vec<Link>)>,
}

/// The tests that do not always say the same.
pub(crate) async fn tests(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
) -> Page {
    let page = blocking(move || {
        let asked = part.asked(&app, &who)?;
        let flaky = app.figures.flaky(&asked)?;
        let slow = app.figures.slow_tests(&asked)?;
        let series = app.figures.series(&asked)?;
        let caught = app.figures.caught(&app.store)?;
        Ok(TestsPage {
            frame: Frame::new(Some(&who), "insights"),
            insights: Insights::of("/insights/tests", &app, &part, &asked),
            behind: caught.newest - caught.position,
            series: series.iter().map(SeriesTable::of).collect(),
            slow: slow.iter().map(SlowRow::of).collect(),
            flaky: flaky.iter().map(FlakyLine::of).collect(),
        })
    });
    shown(&page.await?)
}

/// Where a test stands, in one line.
fn of(parts: &[&String]) -> String {
    let mut of: Vec<&str> = parts.iter().map(|it| it.as_str()).collect();
    of.retain(|it| !it.is_empty());
    of.dedup();
    of.join(" · ")
}

impl SlowRow {
    fn of(it: &SlowTest) -> SlowRow {
        let time = &it.time;
        SlowRow {
            name: it.name.clone(),
            of: of(&[&it.class, &it.suite, &it.job, &it.workflow, &it.repository]),
            times: [
                length(it.total_ms),
                time.median_ms.map_or_else(|| "too few".to_owned(), length),
                length(it.longest_ms),
                time.count.to_string(),
            ],
        }
    }
}

impl FlakyLine {
    fn of(it: &Flaky) -> FlakyLine {
        let links = |runs: &[(RunId, Attempt)]| -> Vec<Link> {
            runs.iter().take(RUNS_SHOWN).map(|it| link(*it)).collect()
        };
        let mut signals = Vec::new();
        if !it.retried_in.is_empty() {
            signals.push(("passed at the second try in".to_owned(), links(&it.retried_in)));
        }
        for differs in it.differs_on.iter().take(RUNS_SHOWN) {
            let commit: String = differs.commit.chars().take(7).collect();
            signals.push((format!("on {commit} passed in"), links(&differs.passed_in)));
            signals.push(("and failed in".to_owned(), links(&differs.failed_in)));
        }
        if it.flips > 1 {
            let told =
                format!("{} changes between passing and failing on the default branch", it.flips);
            signals.push((told, Vec::new()));
        }
        let is_flaky = it.state == "flaky";
        FlakyLine {
            state: if is_flaky { "flaky" } else { "suspect" },
            class: if is_flaky { "bad" } else { "waits" },
            sign: if is_flaky { "↻" } else { "?" },
            name: it.name.clone(),
            of: of(&[&it.class, &it.suite, &it.job, &it.workflow, &it.repository]),
            rate: format!("failed in {} of {} runs", it.failures, it.runs),
            signals,
        }
    }
}
