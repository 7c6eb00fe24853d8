//! JUnit's XML, as Surefire, pytest, Gradle, jest-junit, gotestsum and nextest write it.
//!
//! A test that failed and then passed when it was run again is told in two ways: by `flakyFailure` or
//! `flakyError` in a test without a failure (Surefire, nextest), or by standing there more than once
//! with different ends (pytest-rerunfailures and others).

use std::collections::BTreeMap;

use crate::name;
use crate::xml::{Element, Node, Pull};

/// Tests of one report; what stands behind them is left out.
const CASES_MAX: usize = 100_000;
/// Longer is no time that a test takes: a week.
const SECONDS_MAX: f64 = 7.0 * 24.0 * 60.0 * 60.0;

/// The tests of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tests {
    /// Each once, in the order in which they stand there first.
    pub cases: Vec<TestCase>,
    /// The file ended in the middle, or has more tests than are read.
    pub is_cut: bool,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    /// The suite that it stands in; empty where that has no name.
    pub suite: String,
    /// Its class; empty where it has none.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file that it stands in, where the report says so.
    pub file: Option<String>,
    /// The line there.
    pub line: Option<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// It failed before it passed, in this very report.
    pub is_retried: bool,
    /// How long it took.
    pub time_ms: Option<u64>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was not run.
    Skipped,
    /// It passed.
    Passed,
    /// What it expects is not so.
    Failed,
    /// It broke.
    Errored,
}

impl Outcome {
    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Skipped => "skipped",
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Errored => "errored",
        }
    }

    /// Whether it did not pass.
    pub fn is_bad(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::Errored)
    }
}

struct Suite {
    name: String,
    file: Option<String>,
}

pub(crate) fn read(text: &str) -> Tests {
    let mut pull = Pull::new(text);
    let mut all = All::default();
    let mut suites: Vec<Suite> = Vec::new();
    let mut open: Option<TestCase> = None;
    while let Some(node) = pull.next() {
        match node {
            Node::Open(element) => match (element.name.as_str(), &mut open) {
                ("testsuite", _) => suites.push(suite(&element, suites.last())),
                ("testcase", _) => {
                    all.extend(open.take());
                    open = Some(case(&element, suites.last()));
                }
                (told, Some(case)) => tell(case, told),
                _ => {}
            },
            Node::Close(name) => match name.as_str() {
                "testsuite" => {
                    suites.pop();
                }
                "testcase" => all.extend(open.take()),
                _ => {}
            },
        }
        if all.cases.len() >= CASES_MAX {
            pull.is_cut = true;
            break;
        }
    }
    // A test that was under way when the file ended says nothing certain.
    Tests { cases: all.cases, is_cut: pull.is_cut }
}

fn suite(element: &Element, outer: Option<&Suite>) -> Suite {
    let inherited = |of: fn(&Suite) -> Option<String>| outer.and_then(of);
    let told = element.get("name").map(name);
    Suite {
        name: told.or_else(|| inherited(|it| Some(it.name.clone()))).unwrap_or_default(),
        file: element.get("file").map(name).or_else(|| inherited(|it| it.file.clone())),
    }
}

fn case(element: &Element, suite: Option<&Suite>) -> TestCase {
    let is_off = matches!(element.get("status"), Some("notrun" | "disabled" | "skipped"));
    TestCase {
        suite: suite.map(|it| it.name.clone()).unwrap_or_default(),
        class: element.get("classname").map(name).unwrap_or_default(),
        name: element.get("name").map(name).unwrap_or_default(),
        file: element.get("file").map(name).or_else(|| suite.and_then(|it| it.file.clone())),
        line: element
            .get("line")
            .and_then(|it| it.parse().ok())
            .map(|line| first_line(line, suite)),
        outcome: if is_off { Outcome::Skipped } else { Outcome::Passed },
        is_retried: false,
        time_ms: element.get("time").and_then(time_ms),
    }
}

/// pytest calls the first line of a file 0.
fn first_line(line: u32, suite: Option<&Suite>) -> u32 {
    if suite.is_some_and(|it| it.name == "pytest") { line.saturating_add(1) } else { line }
}

/// Seconds, some with commas between thousands.
fn time_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.replace(',', "").trim().parse().ok()?;
    let is_time = (0.0..=SECONDS_MAX).contains(&seconds);
    is_time.then(|| (seconds * 1000.0).round() as u64)
}

/// What stands inside of a test.
fn tell(case: &mut TestCase, element: &str) {
    match element {
        "failure" => case.outcome = case.outcome.max(Outcome::Failed),
        "error" => case.outcome = Outcome::Errored,
        "skipped" if !case.outcome.is_bad() => case.outcome = Outcome::Skipped,
        "flakyFailure" | "flakyError" | "rerunFailure" | "rerunError" => case.is_retried = true,
        _ => {}
    }
}

/// Every test once.
#[derive(Default)]
struct All {
    cases: Vec<TestCase>,
    places: BTreeMap<(String, String, String, Option<String>), usize>,
}

impl All {
    fn extend(&mut self, case: Option<TestCase>) {
        let Some(mut case) = case else { return };
        if case.name.is_empty() && case.class.is_empty() {
            return;
        }
        // It was run again, and failed again.
        case.is_retried &= !case.outcome.is_bad();
        let key = (case.suite.clone(), case.class.clone(), case.name.clone(), case.file.clone());
        let Some(place) = self.places.get(&key) else {
            self.places.insert(key, self.cases.len());
            self.cases.push(case);
            return;
        };
        let before = &mut self.cases[*place];
        before.time_ms = case.time_ms.or(before.time_ms);
        let differ = before.outcome.is_bad() != case.outcome.is_bad();
        let is_skip = [before.outcome, case.outcome].contains(&Outcome::Skipped);
        if is_skip {
            // One of them did not run: the other one counts.
            before.outcome = before.outcome.max(case.outcome);
        } else if differ {
            (before.outcome, before.is_retried) = (Outcome::Passed, true);
        } else {
            before.outcome = before.outcome.max(case.outcome);
        }
        before.is_retried |= case.is_retried;
        before.is_retried &= !before.outcome.is_bad();
    }
}
