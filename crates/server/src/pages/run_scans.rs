//! What scans of a run found, as tables on its page.

use figures::{FoundCount, RunFinding, RunScan, RunScans};

use super::test_results::{Link, link};

/// What a tool found.
pub(super) struct ScanTable {
    pub(super) tool: String,
    pub(super) compared_with: Option<Link>,
    /// `1 critical (1 new), 3 medium`
    pub(super) counts: String,
    pub(super) is_cut: bool,
    pub(super) is_kept: bool,
    pub(super) rows: Vec<FindingRow>,
    pub(super) more: u64,
}

/// A finding.
pub(super) struct FindingRow {
    pub(super) level: Severity,
    pub(super) rule: String,
    pub(super) file: String,
    pub(super) count: u64,
    /// How many of them are new, in words.
    pub(super) new: String,
}

/// How bad it is, for eyes: a sign and a colour.
pub(super) struct Severity {
    pub(super) word: String,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
}

impl Severity {
    pub(super) fn of(level: &str) -> Severity {
        let (class, sign) = match level {
            "critical" | "high" | "error" => ("bad", "▲"),
            "medium" | "warning" => ("runs", "△"),
            _ => ("off", "▽"),
        };
        Severity { word: level.to_owned(), class, sign }
    }
}

impl ScanTable {
    pub(super) fn all(told: &RunScans) -> Vec<ScanTable> {
        told.scans.iter().map(ScanTable::of).collect()
    }

    fn of(it: &RunScan) -> ScanTable {
        ScanTable {
            tool: it.tool.clone(),
            compared_with: it.compared_with.map(link),
            counts: counted(&it.counts),
            is_cut: it.is_cut,
            is_kept: it.is_kept,
            rows: it.findings.iter().map(FindingRow::of).collect(),
            more: it.more,
        }
    }
}

impl FindingRow {
    fn of(it: &RunFinding) -> FindingRow {
        let new = match it.new {
            None | Some(0) => String::new(),
            Some(new) if new == it.count => "new".to_owned(),
            Some(new) => format!("{new} new"),
        };
        FindingRow {
            level: Severity::of(&it.level),
            rule: it.rule.clone(),
            file: it.file.clone(),
            count: it.count,
            new,
        }
    }
}

/// `1 critical (1 new), 3 medium`; `nothing`.
pub(super) fn counted(counts: &[FoundCount]) -> String {
    let one = |it: &FoundCount| {
        let new = it.new.filter(|new| *new > 0).map(|new| format!(" ({new} new)"));
        format!("{} {}{}", it.count, it.level, new.unwrap_or_default())
    };
    match counts {
        [] => "nothing".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}
