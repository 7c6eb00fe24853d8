//! Tests, coverage and time of the default branch's newest runs, as a table and as pictures of it.

use figures::{Series, SeriesRun};
use views::length;

use super::test_results::{Link, change, link, percent, rate};
use crate::chart::{Bar, Point, bars, line};
use crate::words::Moment;

/// Flags that are drawn; the table has all.
const FLAGS_DRAWN: usize = 3;

/// The newest runs of one workflow.
pub(super) struct SeriesTable {
    pub(super) repository: String,
    pub(super) workflow: String,
    pub(super) charts: Vec<(String, String)>,
    pub(super) rows: Vec<SeriesRow>,
}

/// One of them, newest first.
pub(super) struct SeriesRow {
    pub(super) run: Link,
    pub(super) sign: &'static str,
    pub(super) class: &'static str,
    pub(super) end: &'static str,
    pub(super) when: Moment,
    pub(super) failed: u64,
    pub(super) tests: String,
    pub(super) gone: String,
    pub(super) coverage: String,
    pub(super) flags: Vec<String>,
    pub(super) took: String,
}

impl SeriesTable {
    pub(super) fn of(it: &Series) -> SeriesTable {
        let mut rows: Vec<SeriesRow> = Vec::with_capacity(it.runs.len());
        for (index, run) in it.runs.iter().enumerate() {
            rows.push(SeriesRow::of(run, &it.runs[..index]));
        }
        rows.reverse();
        SeriesTable {
            repository: it.repository.clone(),
            workflow: it.workflow.clone(),
            charts: charts(&it.runs),
            rows,
        }
    }
}

impl SeriesRow {
    fn of(it: &SeriesRun, before: &[SeriesRun]) -> SeriesRow {
        let (sign, class) = match it.conclusion.as_str() {
            "success" => ("✓", "good"),
            "failure" | "timed_out" => ("✗", "bad"),
            _ => ("–", "off"),
        };
        let counts = it.tests.unwrap_or_default();
        let parts = [(counts.passed, "passed"), (counts.skipped, "skipped")];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        let gone = [(it.removed, "not run any more"), (it.newly_skipped, "skipped now")];
        let gone = gone.into_iter().filter(|(count, _)| *count > 0);
        let gone: Vec<String> = gone.map(|(count, word)| format!("{count} {word}")).collect();
        let earlier = before.iter().rev().find_map(|it| it.coverage);
        let flag = |flag: &figures::FlagLines| {
            let of = |run: &SeriesRun| {
                let found = run.flags.iter().find(|it| it.flag == flag.flag)?;
                Some((found.covered, found.lines))
            };
            let told = covered((flag.covered, flag.lines), before.iter().rev().find_map(of));
            format!("{} {told}", flag.flag)
        };
        SeriesRow {
            run: link((it.run, it.attempt)),
            sign,
            class,
            end: it.conclusion.as_str(),
            when: Moment::of(it.completed_at_ms),
            failed: counts.failed + counts.errored,
            tests: parts.join(", "),
            gone: gone.join(", "),
            coverage: it.coverage.map(|now| covered(now, earlier)).unwrap_or_default(),
            // One flag alone is the whole.
            flags: it.flags.iter().filter(|_| it.flags.len() > 1).map(flag).collect(),
            took: it.time_ms.map(length).unwrap_or_default(),
        }
    }
}

/// `84.1 % (+0.3)`
fn covered(now: (u64, u64), before: Option<(u64, u64)>) -> String {
    let change = change(now, before);
    let change = if change.is_empty() { change } else { format!(" ({change})") };
    rate(now) + &change
}

/// Each with what it shows; none of what was measured once only.
fn charts(runs: &[SeriesRun]) -> Vec<(String, String)> {
    let mut charts = Vec::new();
    let mut draw = |what: String, svg: Option<String>| charts.extend(svg.map(|svg| (what, svg)));
    if runs.len() > 1 {
        let bar: Vec<Bar> = runs.iter().map(tests).collect();
        let most = bar.iter().map(|it| it.value).max().unwrap_or(0);
        let what = format!("Tests that passed or failed, at most {most} (✗: with a failure)");
        draw(what.clone(), bars(&what, &bar));
    }
    let whole: Vec<Point> = runs.iter().map(|it| point(it, it.coverage)).collect();
    let what = format!("Lines that ran{}", between(&whole));
    draw(what.clone(), line(&what, &whole));
    let flags = runs.last().map(|it| it.flags.as_slice()).unwrap_or_default();
    // One flag alone is the whole.
    for flag in flags.iter().filter(|_| flags.len() > 1).take(FLAGS_DRAWN) {
        let of = |run: &SeriesRun| {
            let found = run.flags.iter().find(|it| it.flag == flag.flag)?;
            Some((found.covered, found.lines))
        };
        let points: Vec<Point> = runs.iter().map(|it| point(it, of(it))).collect();
        let what = format!("Lines of {} that ran{}", flag.flag, between(&points));
        draw(what.clone(), line(&what, &points));
    }
    if runs.len() > 1 {
        let bar: Vec<Bar> = runs.iter().map(time).collect();
        let longest = length(bar.iter().map(|it| it.value).max().unwrap_or(0));
        let what = format!("How long it took, at most {longest}");
        draw(what.clone(), bars(&what, &bar));
    }
    charts
}

/// `, 74.4 % to 77.5 %`: the lower and the upper edge of the picture.
fn between(points: &[Point]) -> String {
    let values = || points.iter().filter_map(|it| it.value);
    let lowest = values().fold(f64::INFINITY, f64::min);
    let highest = values().fold(f64::NEG_INFINITY, f64::max);
    if highest - lowest < 0.05 {
        String::new()
    } else {
        format!(", {lowest:.1} % to {highest:.1} %")
    }
}

fn day(it: &SeriesRun) -> String {
    let when = Moment::of(it.completed_at_ms).text;
    when.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn tests(it: &SeriesRun) -> Bar {
    let counts = it.tests.unwrap_or_default();
    let failed = counts.failed + counts.errored;
    let told = format!(
        "{}: {} passed, {failed} failed, {} skipped",
        link((it.run, it.attempt)).name,
        counts.passed,
        counts.skipped
    );
    Bar { value: counts.passed + failed, failed, label: day(it), told }
}

fn time(it: &SeriesRun) -> Bar {
    let told = it.time_ms.map_or_else(|| "it never began".to_owned(), length);
    let told = format!("{}: {told}", link((it.run, it.attempt)).name);
    Bar { value: it.time_ms.unwrap_or(0), failed: 0, label: day(it), told }
}

fn point(it: &SeriesRun, covered: Option<(u64, u64)>) -> Point {
    let run = link((it.run, it.attempt));
    let told = covered.map_or_else(|| "no report".to_owned(), rate);
    Point {
        value: covered.and_then(percent),
        href: format!("{}/tests", run.href),
        label: day(it),
        told: format!("{}: {told}", run.name),
    }
}
