//! Tests, coverage and time of the default branch's newest runs, for people.

use std::fmt::Write as _;

use event::Conclusion;
use figures::{Series, SeriesRun};
use views::length_in_days as length;

use crate::terminal::style::Style;
use crate::terminal::time::moment;

/// All of them, the newest run first.
pub(super) fn page(all: &[Series], style: Style) -> String {
    let mut text = String::new();
    for it in all {
        let _ = writeln!(text, "{} ({})", style.bold(&it.workflow), it.repository);
        for (index, run) in it.runs.iter().enumerate().rev() {
            let _ = writeln!(text, "  {}", row(run, &it.runs[..index], style));
        }
    }
    if all.is_empty() {
        text.push_str("no run of a default branch kept a report of tests or of coverage\n");
    }
    text
}

fn row(it: &SeriesRun, before: &[SeriesRun], style: Style) -> String {
    let sign = match it.conclusion {
        Conclusion::Success => style.green("✓"),
        Conclusion::Failure | Conclusion::TimedOut => style.red("✗"),
        Conclusion::Cancelled | Conclusion::Skipped => "-".to_owned(),
    };
    let run = format!("{}.{}", it.run, it.attempt);
    let mut parts = Vec::new();
    if let Some(counts) = it.tests {
        let all = [
            (counts.passed, "passed"),
            (counts.failed + counts.errored, "failed"),
            (counts.skipped, "skipped"),
            (it.removed, "not run any more"),
            (it.newly_skipped, "skipped now"),
        ];
        let all = all.iter().filter(|(count, _)| *count > 0);
        let all: Vec<String> = all.map(|(count, word)| format!("{count} {word}")).collect();
        parts.push(all.join(", "));
    }
    if let Some(now) = it.coverage {
        let earlier = before.iter().rev().find_map(|it| it.coverage);
        parts.push(format!("coverage {}", covered(now, earlier)));
    }
    // One flag alone is the whole.
    for flag in it.flags.iter().filter(|_| it.flags.len() > 1) {
        let of = |run: &SeriesRun| {
            let found = run.flags.iter().find(|it| it.flag == flag.flag)?;
            Some((found.covered, found.lines))
        };
        let told = covered((flag.covered, flag.lines), before.iter().rev().find_map(of));
        parts.push(format!("{} {told}", flag.flag));
    }
    parts.extend(it.time_ms.map(length));
    let parts: Vec<String> = parts.into_iter().filter(|it| !it.is_empty()).collect();
    format!("{sign} {run:>6}  {}  {}", moment(it.completed_at_ms), parts.join(" · "))
}

/// `84.1 % (+0.3)`
fn covered(now: (u64, u64), before: Option<(u64, u64)>) -> String {
    let percent = |(covered, lines): (u64, u64)| covered as f64 * 100.0 / lines.max(1) as f64;
    let change = before.map(|it| percent(now) - percent(it)).filter(|it| it.abs() >= 0.05);
    let change = change.map(|it| format!(" ({it:+.1})")).unwrap_or_default();
    format!("{:.1} %{change}", percent(now))
}
