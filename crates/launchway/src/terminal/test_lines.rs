//! What the tests of a run said, for people.

use event::Timestamp;
use figures::{RunTests, TestResult};

use super::style::Style;
use super::time::duration;

/// Tests that are named; of more it is said how many.
const NAMED_MAX: usize = 20;

/// Counts, what did not pass, what is gone, and what of the lines ran.
pub(crate) fn test_lines(told: &RunTests, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let counts = told.counts;
    if told.reports.iter().any(|it| it.kind == "tests") {
        let mut parts = vec![format!("{} passed", counts.passed)];
        let bad = counts.failed + counts.errored;
        let all = [
            (bad, "failed"),
            (counts.skipped, "skipped"),
            (counts.retried, "passed at the second try"),
        ];
        parts.extend(
            all.iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{count} {word}")),
        );
        let time = duration(Timestamp(0), Timestamp(counts.time_ms));
        lines.extend([String::new(), format!("tests: {} ({time})", parts.join(", "))]);
        let since =
            told.compared_with.map(|(run, _)| format!(" since run {run}")).unwrap_or_default();
        list(&mut lines, &told.failed, &style.red("✗"), "");
        list(&mut lines, &told.retried, &style.yellow("↻"), "passed at the second try");
        list(&mut lines, &told.removed, &style.yellow("-"), &format!("not run any more{since}"));
        list(&mut lines, &told.newly_skipped, &style.yellow("-"), &format!("skipped{since}"));
    }
    if let Some(coverage) = &told.coverage {
        let percent = |(covered, lines): (u64, u64)| covered as f64 * 100.0 / lines.max(1) as f64;
        let now = percent((coverage.covered, coverage.lines));
        let mut line =
            format!("coverage: {now:.1} % ({} of {} lines)", coverage.covered, coverage.lines);
        if let (Some(before), Some((run, _))) = (coverage.before, told.compared_with) {
            line.push_str(&format!(", {:+.1} since run {run}", now - percent(before)));
        }
        lines.push(line);
    }
    let cut = told.reports.iter().filter(|it| it.is_cut);
    lines.extend(cut.map(|it| {
        format!("note: {} in {} ends in the middle, or has more than is read", it.file, it.artifact)
    }));
    lines
}

fn list(lines: &mut Vec<String>, tests: &[TestResult], sign: &str, what: &str) {
    for it in tests.iter().take(NAMED_MAX) {
        let name: Vec<&str> =
            [it.class.as_str(), it.name.as_str()].into_iter().filter(|it| !it.is_empty()).collect();
        let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
        let place = if it.file.is_empty() { String::new() } else { format!("  {}{line}", it.file) };
        let what = if what.is_empty() { String::new() } else { format!("  {what}") };
        lines.push(format!("  {sign} {}{place}{what}  ({})", name.join(" "), it.job));
    }
    if tests.len() > NAMED_MAX {
        lines.push(format!("    and {} more", tests.len() - NAMED_MAX));
    }
}
