//! What the reports of a run say, in a line: tests, and how much of the code they ran.

/// What reports of tests and of coverage say of a run that is over. A coverage is lines that ran, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, or broke.
    pub failed: u64,
    /// Tests that were skipped.
    pub skipped: u64,
    /// Lines that ran, of how many.
    pub coverage: Option<(u64, u64)>,
    /// The same of the newest run of the default branch before it.
    pub coverage_before: Option<(u64, u64)>,
}

impl Reported {
    /// `312 passed, 2 failed · coverage 84.1 % (+0.3)`; none where they say nothing.
    pub(crate) fn line(&self) -> Option<String> {
        let tests = [(self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped")];
        let tests = tests.iter().filter(|(count, _)| *count > 0);
        let tests: Vec<String> = tests.map(|(count, word)| format!("{count} {word}")).collect();
        let coverage = self.coverage.and_then(percent).map(|now| {
            let before = self.coverage_before.and_then(percent);
            // Less than is shown is no change.
            let change = before.map(|before| now - before).filter(|it| it.abs() >= 0.05);
            let change = change.map(|it| format!(" ({it:+.1})")).unwrap_or_default();
            format!("coverage {now:.1} %{change}")
        });
        let tests = Some(tests.join(", ")).filter(|it| !it.is_empty());
        let parts: Vec<String> = tests.into_iter().chain(coverage).collect();
        Some(parts.join(" · ")).filter(|it| !it.is_empty())
    }
}

fn percent((covered, lines): (u64, u64)) -> Option<f64> {
    (lines > 0).then(|| covered as f64 * 100.0 / lines as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_there_is() {
        type Of = Option<(u64, u64)>;
        let check =
            |[passed, failed, skipped]: [u64; 3], coverage: Of, before: Of, expect: &str| {
                let reported =
                    Reported { passed, failed, skipped, coverage, coverage_before: before };
                assert_eq!(reported.line().unwrap_or_default(), expect);
            };
        let (now, before) = (Some((841, 1000)), Some((838, 1000)));
        check([312, 2, 0], now, before, "312 passed, 2 failed · coverage 84.1 % (+0.3)");
        check([312, 0, 3], before, now, "312 passed, 3 skipped · coverage 83.8 % (-0.3)");
        check([312, 0, 0], now, now, "312 passed · coverage 84.1 %");
        check([0, 0, 0], now, None, "coverage 84.1 %");
        check([0, 1, 0], Some((0, 0)), now, "1 failed");
        check([0, 0, 0], None, None, "");
    }
}
