//! What scans find on the default branch, for people.

use std::fmt::Write as _;

use figures::{FoundCount, LastScan, OpenFinding};

use crate::terminal::style::Style;
use crate::terminal::time::moment;

/// All of them, the one that looked last first.
pub(super) fn page(all: &[LastScan], style: Style) -> String {
    let mut text = String::new();
    for it in all {
        let run = format!("run {}.{}, {}", it.run, it.attempt, moment(it.completed_at_ms));
        let cut = if it.is_cut { ", which found more than is read" } else { "" };
        let _ = writeln!(text, "{} ({})", style.bold(&it.tool), it.place());
        let _ = writeln!(text, "  {} in {run}{cut}", counted(it));
        it.findings.iter().for_each(|finding| {
            let _ = writeln!(text, "  {}", row(finding));
        });
        if it.more > 0 {
            let _ = writeln!(text, "  and {} more, none of them worse", it.more);
        }
    }
    if all.is_empty() {
        text.push_str("no scan of a default branch is known of\n");
    }
    text
}

fn counted(it: &LastScan) -> String {
    let one = |it: &FoundCount| format!("{} {}", it.count, it.level);
    match it.counts.as_slice() {
        _ if !it.is_kept => "what it found is not kept any more,".to_owned(),
        [] => "nothing".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

/// `critical  CVE-2026-1234 in requirements.txt, since run 41.1, 3 Mar 2026`
fn row(it: &OpenFinding) -> String {
    let rule = if it.rule.is_empty() { "without a rule" } else { &it.rule };
    let file = if it.file.is_empty() { String::new() } else { format!(" in {}", it.file) };
    let times = if it.count > 1 { format!(" {} times", it.count) } else { String::new() };
    let earlier = if it.or_earlier { " or earlier" } else { "" };
    let (run, attempt, since) = (it.since_run, it.since_attempt, moment(it.since_ms));
    format!("{:<8}  {rule}{file}{times}, since run {run}.{attempt}, {since}{earlier}", it.level)
}
