//! What scans of a run found, in a line: its page and the API have each finding.

use figures::{RunScan, RunScans};

use super::style::Style;
use crate::terminal::plural::plural;

/// For the page of a run on the terminal.
pub(crate) fn scan_lines(told: &RunScans, style: Style) -> Vec<String> {
    let line = found(told).map(|it| format!("{}: {it}", style.bold("Scans")));
    line.into_iter().flat_map(|line| [String::new(), line]).collect()
}

/// `4 findings, 1 new`; none where nothing was scanned. What is new is said as far as scans are compared with others.
pub(crate) fn found(told: &RunScans) -> Option<String> {
    let kept: Vec<&RunScan> = told.scans.iter().filter(|it| it.is_kept).collect();
    if kept.is_empty() {
        let lost = "what they found is not kept any more";
        return (!told.scans.is_empty()).then(|| lost.to_owned());
    }
    let counts = || kept.iter().flat_map(|it| &it.counts);
    let count: u64 = counts().map(|it| it.count).sum();
    let new: u64 = counts().filter_map(|it| it.new).sum();
    let is_all = kept.len() == told.scans.len() && !kept.iter().any(|it| it.is_cut);
    let compared = kept.iter().filter(|it| it.compared_with.is_some()).count();
    let new = match (is_all && compared == kept.len(), new) {
        (true, 0) if count == 0 => String::new(),
        (true, 0) => ", none new".to_owned(),
        (true, new) => format!(", {new} new"),
        (false, 0) => String::new(),
        (false, new) => format!(", at least {new} new"),
    };
    let found = match count {
        0 if is_all => "no findings".to_owned(),
        count => plural(count, "finding"),
    };
    Some(format!("{}{found}{new}", if is_all { "" } else { "at least " }))
}

#[cfg(test)]
mod tests {
    use event::{Attempt, RunId};
    use figures::FoundCount;

    use super::*;

    /// What a tool found, and how much of it is new, where it is compared with anything.
    fn scan(counts: &[(u64, u64)], is_compared: bool) -> RunScan {
        let count = |(count, new): &(u64, u64)| FoundCount {
            level: "high".to_owned(),
            count: *count,
            new: is_compared.then_some(*new),
        };
        RunScan {
            tool: "Trivy".to_owned(),
            is_cut: false,
            is_kept: true,
            compared_with: is_compared.then_some((RunId(1), Attempt(1))),
            counts: counts.iter().map(count).collect(),
            findings: Vec::new(),
            more: 0,
        }
    }

    #[test]
    fn scans_are_a_line() {
        let some = || scan(&[(3, 1), (2, 1)], true);
        let cut = RunScan { is_cut: true, ..scan(&[(9, 0)], true) };
        let gone = || RunScan { is_kept: false, ..scan(&[], false) };
        for (scans, expect) in [
            (vec![], None),
            (vec![some()], Some("5 findings, 2 new")),
            (vec![some(), scan(&[], true)], Some("5 findings, 2 new")),
            (vec![scan(&[(1, 0)], true)], Some("1 finding, none new")),
            (vec![scan(&[], true)], Some("no findings")),
            (vec![scan(&[(1, 0)], false)], Some("1 finding")),
            (vec![some(), scan(&[(1, 0)], false)], Some("6 findings, at least 2 new")),
            (vec![some(), cut], Some("at least 14 findings, at least 2 new")),
            (vec![some(), gone()], Some("at least 5 findings, at least 2 new")),
            (vec![gone()], Some("what they found is not kept any more")),
        ] {
            assert_eq!(found(&RunScans { scans: scans.clone() }).as_deref(), expect, "{scans:?}");
        }
        let told = RunScans { scans: vec![some()] };
        assert_eq!(scan_lines(&told, Style::plain()), ["", "Scans: 5 findings, 2 new"]);
        assert!(scan_lines(&RunScans::default(), Style::plain()).is_empty());
    }
}
