//! What the tests of a run said, for people.

use event::RunId;
use figures::{RunTests, TestCounts, TestResult};
use views::length;

use super::style::Style;

/// Tests that are named; of more it is said how many.
const NAMED_MAX: usize = 20;

/// Counts, what did not pass, what is gone, and what of the lines ran.
pub(crate) fn test_lines(told: &RunTests, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let counts = told.counts;
    if told.reports.iter().any(|it| it.kind == "tests") {
        lines.extend([String::new(), format!("tests: {}", counted(counts))]);
        let flags: Vec<_> =
            told.flags.iter().filter_map(|it| Some((&it.flag, it.tests?))).collect();
        // One flag alone is the whole.
        let flags = flags.iter().filter(|_| flags.len() > 1);
        lines.extend(flags.map(|(flag, counts)| format!("  {flag}: {}", counted(*counts))));
        let since =
            told.compared_with.map(|(run, _)| format!(" since run {run}")).unwrap_or_default();
        list(&mut lines, &told.failed, &style.red("✗"), "");
        list(&mut lines, &told.retried, &style.yellow("↻"), "passed at the second try");
        list(&mut lines, &told.removed, &style.yellow("-"), &format!("not run any more{since}"));
        list(&mut lines, &told.newly_skipped, &style.yellow("-"), &format!("skipped{since}"));
    }
    if let Some(coverage) = &told.coverage {
        let since = told.compared_with.map(|(run, _)| run);
        let now = (coverage.covered, coverage.lines);
        lines.push(covered("coverage: ", now, (coverage.before, since)));
        // One flag alone is the whole.
        let flags = told.flags.iter().filter(|_| told.flags.len() > 1);
        let flags = flags.filter_map(|it| {
            let name = format!("  {}: ", it.flag);
            Some(covered(&name, it.coverage?, (it.coverage_before, since)))
        });
        lines.extend(flags);
    }
    let cut = told.reports.iter().filter(|it| it.is_cut);
    lines.extend(cut.map(|it| {
        format!("note: {} in {} ends in the middle, or has more than is read", it.file, it.artifact)
    }));
    lines
}

/// `312 passed, 2 failed (1.2 s)`
fn counted(counts: TestCounts) -> String {
    let mut parts = vec![format!("{} passed", counts.passed)];
    let all = [
        (counts.failed + counts.errored, "failed"),
        (counts.skipped, "skipped"),
        (counts.retried, "passed at the second try"),
    ];
    let all = all.iter().filter(|(count, _)| *count > 0);
    parts.extend(all.map(|(count, word)| format!("{count} {word}")));
    format!("{} ({})", parts.join(", "), length(counts.time_ms))
}

/// `coverage: 84.1 % (841 of 1000 lines), +0.3 since run 12`
fn covered(
    name: &str,
    now: (u64, u64),
    (before, since): (Option<(u64, u64)>, Option<RunId>),
) -> String {
    let percent = |(covered, lines): (u64, u64)| covered as f64 * 100.0 / lines.max(1) as f64;
    let mut line = format!("{name}{:.1} % ({} of {} lines)", percent(now), now.0, now.1);
    if let (Some(before), Some(run)) = (before, since) {
        line.push_str(&format!(", {:+.1} since run {run}", percent(now) - percent(before)));
    }
    line
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
