//! Whether a run's tests ran enough of the lines, as `coverage` of the settings asks.

use std::collections::BTreeSet;

use event::StreamId;
use figures::{CoverageBefore, CoverageKept, Figures, FiguresError};
use serde_json::json;
use settings::MinimumCoverage;
use store::Store;
use views::RunView;

use crate::held::Finding;

/// What was found of one minimum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The flag; none of all together.
    flag: Option<String>,
    /// What is asked, in percent.
    minimum: u32,
    /// Lines that ran, of how many; none where no report says so.
    lines: Option<(u64, u64)>,
    /// It is less than is asked, or what was told before is not told any more.
    is_under: bool,
}

/// What is found of a run that is over. Jobs that it did not run again count as they were: their reports are of the
/// attempts in which they ran.
pub(crate) fn found(
    asked: &MinimumCoverage,
    (figures, store): (&Figures, &Store),
    (view, stream): (&RunView, StreamId),
) -> Result<Vec<Held>, FiguresError> {
    let carried_from: BTreeSet<_> = view.jobs.iter().filter_map(|it| it.carried_from).collect();
    let kept = figures.coverage_kept(store, stream, &carried_from)?;
    Ok(held(asked, &kept, &figures.coverage_before(stream)?))
}

/// Every minimum of which something can be said; none where the run has to do with none: other workflows keep the
/// reports. What a run kept no report of, or one without a line, is under its minimum where the run that it is compared
/// with kept one.
fn held(asked: &MinimumCoverage, kept: &CoverageKept, before: &CoverageBefore) -> Vec<Held> {
    let mut all = Vec::new();
    if let Some(minimum) = &asked.whole {
        all.push((Held::of(None, minimum.value, kept.whole), before.whole));
    }
    for (flag, minimum) in &asked.flags {
        let name = flag.value.to_string();
        let (lines, had) = (kept.flags.get(&name).copied(), before.flags.contains(&name));
        all.push((Held::of(Some(name), *minimum, lines), had));
    }
    if all.iter().all(|(it, had)| it.lines.is_none() && !had) {
        return Vec::new();
    }
    let all = all.into_iter().map(|(it, had)| {
        let says_nothing = it.lines.is_none_or(|(_, lines)| lines == 0);
        Held { is_under: it.is_under || (says_nothing && had), ..it }
    });
    all.collect()
}

impl Held {
    fn of(flag: Option<String>, minimum: u32, lines: Option<(u64, u64)>) -> Held {
        // In whole numbers: 80 of 100 lines are 80 %, not a little less.
        let is_under = lines.is_some_and(|(covered, lines)| {
            u128::from(covered) * 100 < u128::from(lines) * u128::from(minimum)
        });
        Held { flag, minimum, lines, is_under }
    }

    /// As it is said.
    pub(crate) fn finding(&self, view: &RunView) -> Finding {
        Finding {
            line: self.line(),
            is_broken: self.is_under,
            is_known: self.lines.is_some(),
            json: json!({
                "type": "minimum_coverage", "run": view.header.run, "attempt": view.header.attempt,
                "flag": self.flag, "minimum_percent": self.minimum, "lines": self.lines,
                "under": self.is_under,
            }),
        }
    }

    /// `coverage 74.4 % is under the minimum of 80 %`
    fn line(&self) -> String {
        let what = match &self.flag {
            Some(flag) => format!("coverage of {flag}"),
            None => "coverage".to_owned(),
        };
        let minimum = self.minimum;
        match self.lines {
            Some((_, 0)) if self.is_under => format!(
                "{what}: no line could run, and in the run before some did; the minimum is {minimum} %"
            ),
            Some((_, 0)) => format!("{what}: no line could run; the minimum is {minimum} %"),
            // Rounded down: 79.96 % is not 80 %.
            Some((covered, lines)) => {
                let tenths = u128::from(covered) * 1000 / u128::from(lines.max(1));
                let rate = format!("{}.{} %", tenths / 10, tenths % 10);
                let is = if self.is_under { "is under" } else { "is at least" };
                format!("{what}: {rate} {is} the minimum of {minimum} %")
            }
            None if self.is_under => {
                format!(
                    "{what}: no report, and the run before kept one; the minimum is {minimum} %"
                )
            }
            None => {
                format!("{what}: no run has kept a report of it yet; the minimum is {minimum} %")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use syntax::Source;

    use super::*;

    #[test]
    fn what_is_under_its_minimum_is_said() {
        let check = |asked: &str, told: Option<(u64, u64)>, before: bool, expect: &[&str]| {
            let text = format!("version: 1\nproject: a\ncoverage: {asked}\n");
            let (settings, found) = settings::read(&Source::new(settings::FILE, text));
            let asked = settings.unwrap_or_else(|| panic!("{found:?}")).coverage;
            let flags = told.map(|lines| ("api".to_owned(), lines)).into_iter().collect();
            let kept = CoverageKept { whole: told, flags };
            let flags = if before { vec!["web".to_owned()] } else { Vec::new() };
            let before = CoverageBefore { whole: before, flags };
            let line = |it: &Held| format!("{} {}", if it.is_under { "✗" } else { "✓" }, it.line());
            let lines: Vec<String> = held(&asked, &kept, &before).iter().map(line).collect();
            assert_eq!(lines, expect);
        };
        check(
            "{ minimum: 80 }",
            Some((80, 100)),
            false,
            &["✓ coverage: 80.0 % is at least the minimum of 80 %"],
        );
        check(
            "{ minimum: 80 }",
            Some((7999, 10000)),
            false,
            &["✗ coverage: 79.9 % is under the minimum of 80 %"],
        );
        check(
            "{ minimum: 80 }",
            Some((0, 0)),
            false,
            &["✓ coverage: no line could run; the minimum is 80 %"],
        );
        // An empty report says no more than none.
        check(
            "{ minimum: 80 }",
            Some((0, 0)),
            true,
            &["✗ coverage: no line could run, and in the run before some did; the minimum is 80 %"],
        );
        check(
            "{ flags: { api: 85, web: 50 } }",
            Some((84, 100)),
            false,
            &[
                "✗ coverage of api: 84.0 % is under the minimum of 85 %",
                "✓ coverage of web: no run has kept a report of it yet; the minimum is 50 %",
            ],
        );
        check(
            "{ flags: { web: 50 } }",
            Some((84, 100)),
            true,
            &["✗ coverage of web: no report, and the run before kept one; the minimum is 50 %"],
        );
        // Whoever keeps no reports, and never did, has nothing to do with it.
        check("{ minimum: 80 }", None, false, &[]);
        check(
            "{ minimum: 80 }",
            None,
            true,
            &["✗ coverage: no report, and the run before kept one; the minimum is 80 %"],
        );
        check("{}", Some((1, 2)), true, &[]);
    }
}
