//! What tools say of tests, of coverage and of what a scan found: JUnit's XML, Cobertura's XML, LCOV, SARIF.
//!
//! ```text
//! bytes ─▶ which kind is it (by what it holds, never by its name) ─▶ Tests, Coverage or a Scan, or nothing
//! ```
//!
//! Nothing of these has a standard that tools keep to, so reading never fails: what fits is taken,
//! what does not is passed over, and a file that ends in the middle (its process was killed) gives
//! what stood before that, and says so. Totals that a report claims are not believed: what counts is
//! what stands in it. Entities of a document's own are never expanded, nothing outside is read, and
//! everything has a limit.
//!
//! What a failed test printed is not kept: reports are not masked, logs are.

mod cobertura;
mod coverage;
mod junit;
mod lcov;
mod sarif;
mod whole;
mod xml;

pub use coverage::{Coverage, FileCoverage};
pub use junit::{Outcome, TestCase, Tests};
pub use sarif::{Finding, Level, Scan};
pub use whole::whole;

/// A larger file is none that a person reads, and would hold everybody up.
pub const BYTES_MAX: usize = 64 << 20;
/// Letters of a name that are kept.
pub(crate) const NAME_CHARS_MAX: usize = 500;

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// Tests, and how they ended.
    Tests(Tests),
    /// Lines, and whether they ran.
    Coverage(Coverage),
    /// What a scan found.
    Scan(Scan),
}

/// Reads a file; none where it is no report of a kind that is known, or too large.
pub fn read(bytes: &[u8]) -> Option<Report> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    // What is no UTF-8 becomes a sign that says so.
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('{') {
        return sarif::read(text).map(Report::Scan);
    }
    if !text.starts_with('<') {
        return lcov::is_one(text).then(|| Report::Coverage(lcov::read(text)));
    }
    match xml::root(text)?.as_str() {
        "testsuites" | "testsuite" => Some(Report::Tests(junit::read(text))),
        "coverage" => cobertura::read(text).map(Report::Coverage),
        _ => None,
    }
}

/// A name as it is kept: without what steers terminals, and not without end.
pub(crate) fn name(text: &str) -> String {
    let plain = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    plain.take(NAME_CHARS_MAX).collect()
}
