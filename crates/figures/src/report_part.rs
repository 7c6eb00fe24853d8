//! What of a report is asked for: the rest is not counted.

use std::fmt;

/// A part of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportPart {
    /// What was deployed: DORA's five figures.
    Delivery,
    /// How well workflows do, how long jobs wait, what takes long, how busy workers are.
    Pipelines,
    /// Tests that take the most time.
    SlowTests,
    /// Tests that do not always say the same.
    Flaky,
    /// Tests, coverage and time of the default branch, run by run.
    Tests,
    /// Sizes of images of the default branch, run by run.
    Images,
    /// What scans found on the default branch when they looked last.
    Scans,
}

impl ReportPart {
    /// Every one.
    pub const ALL: &[ReportPart] = &[
        ReportPart::Delivery,
        ReportPart::Pipelines,
        ReportPart::SlowTests,
        ReportPart::Flaky,
        ReportPart::Tests,
        ReportPart::Images,
        ReportPart::Scans,
    ];

    /// The name, as it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportPart::Delivery => "delivery",
            ReportPart::Pipelines => "pipelines",
            ReportPart::SlowTests => "slow_tests",
            ReportPart::Flaky => "flaky",
            ReportPart::Tests => "tests",
            ReportPart::Images => "images",
            ReportPart::Scans => "scans",
        }
    }

    /// Those of `delivery,flaky`; none where one of the names is nobody's.
    pub fn of_list(names: &str) -> Option<Vec<ReportPart>> {
        let part = |name: &str| ReportPart::ALL.iter().copied().find(|it| it.as_str() == name);
        names.split(',').map(|name| part(name.trim())).collect()
    }
}

impl fmt::Display for ReportPart {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}
