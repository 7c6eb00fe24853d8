//! What the reports of a run say, in a line: tests, how much of the code they ran; how large its images are; and what
//! scans found.

use views::{decimal_size, size_change};

use crate::words::plain;

/// Flags that are named in a line; the run's page has all.
const FLAGS_MAX: usize = 6;
/// Images likewise.
const IMAGES_MAX: usize = 4;

/// What reports of tests and of coverage, and images, say of a run that is over. A coverage is lines that ran, of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Both for each flag that has coverage.
    pub flags: Vec<FlagCoverage>,
    /// Images that it built, of which it is known how large they are.
    pub images: Vec<ImageSize>,
    /// What scans found, in words that name nothing of theirs: `4 findings, 1 new`.
    pub scans: Option<String>,
}

/// How large an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// Its name without a tag, or other words for it.
    pub name: String,
    /// Bytes ...
    pub bytes: u64,
    /// ... and of the same in the newest run of the default branch before it.
    pub before: Option<u64>,
}

/// The coverage of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagCoverage {
    /// Its name.
    pub flag: String,
    /// Lines that ran, of how many.
    pub coverage: (u64, u64),
    /// The same of the newest run of the default branch before it.
    pub before: Option<(u64, u64)>,
}

impl Reported {
    /// `312 passed, 2 failed · coverage 84.1 % (+0.3)`; none where they say nothing.
    pub(crate) fn line(&self) -> Option<String> {
        let tests = [(self.passed, "passed"), (self.failed, "failed"), (self.skipped, "skipped")];
        let tests = tests.iter().filter(|(count, _)| *count > 0);
        let tests: Vec<String> = tests.map(|(count, word)| format!("{count} {word}")).collect();
        let coverage = self.coverage.and_then(|it| told(it, self.coverage_before));
        let coverage = coverage.map(|it| format!("coverage {it}{}", self.flags()));
        let tests = Some(tests.join(", ")).filter(|it| !it.is_empty());
        let scans = self.scans.as_ref().map(|it| format!("scans: {it}"));
        let parts: Vec<String> =
            [tests, coverage, self.images(), scans].into_iter().flatten().collect();
        Some(parts.join(" · ")).filter(|it| !it.is_empty())
    }

    /// `image octo/app 312.4 MB (+12.0 MB)`
    fn images(&self) -> Option<String> {
        let image = |it: &ImageSize| {
            let change = it.before.and_then(|before| size_change(it.bytes, before));
            let change = change.map(|it| format!(" ({it})")).unwrap_or_default();
            format!("{} {}{change}", plain(&it.name), decimal_size(it.bytes))
        };
        let mut images: Vec<String> = self.images.iter().take(IMAGES_MAX).map(image).collect();
        if self.images.len() > IMAGES_MAX {
            images.push(format!("and {} more", self.images.len() - IMAGES_MAX));
        }
        let word = if self.images.len() == 1 { "image" } else { "images" };
        (!images.is_empty()).then(|| format!("{word} {}", images.join(", ")))
    }

    /// `: api 90.1 % (+0.3), web 78.0 %`; nothing where one flag is the whole.
    fn flags(&self) -> String {
        if self.flags.len() < 2 {
            return String::new();
        }
        let flag = |it: &FlagCoverage| {
            Some(format!("{} {}", plain(&it.flag), told(it.coverage, it.before)?))
        };
        let mut flags: Vec<String> = self.flags.iter().take(FLAGS_MAX).filter_map(flag).collect();
        if self.flags.len() > FLAGS_MAX {
            flags.push(format!("and {} more", self.flags.len() - FLAGS_MAX));
        }
        format!(": {}", flags.join(", "))
    }
}

/// `84.1 % (+0.3)`; none where nothing could run.
fn told(now: (u64, u64), before: Option<(u64, u64)>) -> Option<String> {
    let now = percent(now)?;
    // Less than is shown is no change.
    let change = before.and_then(percent).map(|it| now - it).filter(|it| it.abs() >= 0.05);
    let change = change.map(|it| format!(" ({it:+.1})")).unwrap_or_default();
    Some(format!("{now:.1} %{change}"))
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
                let reported = Reported {
                    passed,
                    failed,
                    skipped,
                    coverage,
                    coverage_before: before,
                    ..Reported::default()
                };
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

    #[test]
    fn images_stand_behind_the_tests() {
        let image = |name: &str, before: Option<u64>| ImageSize {
            name: name.to_owned(),
            bytes: 312_400_000,
            before,
        };
        let check = |images: &[ImageSize], expect: &str| {
            let reported = Reported { passed: 3, images: images.to_vec(), ..Reported::default() };
            assert_eq!(reported.line().unwrap_or_default(), expect);
        };
        check(&[], "3 passed");
        let one = image("octo/app", Some(300_400_000));
        check(std::slice::from_ref(&one), "3 passed · image octo/app 312.4 MB (+12.0 MB)");
        check(
            &[image("a", None), one],
            "3 passed · images a 312.4 MB, octo/app 312.4 MB (+12.0 MB)",
        );
        let many: Vec<ImageSize> = (0..6).map(|at| image(&format!("i{at}"), None)).collect();
        let expect =
            "3 passed · images i0 312.4 MB, i1 312.4 MB, i2 312.4 MB, i3 312.4 MB, and 2 more";
        check(&many, expect);
    }

    #[test]
    fn scans_stand_last() {
        let scans = Some("4 findings, 1 new".to_owned());
        let told = Reported { scans, ..Reported::default() };
        assert_eq!(told.line().as_deref(), Some("scans: 4 findings, 1 new"));
        let told = Reported { passed: 3, ..told };
        assert_eq!(told.line().as_deref(), Some("3 passed · scans: 4 findings, 1 new"));
    }

    #[test]
    fn flags_are_named_behind_the_whole() {
        let check = |count: u64, expect: &str| {
            let flag = |at: u64| FlagCoverage {
                flag: format!("f{at}"),
                coverage: (at, 10),
                before: (at == 2).then_some((1, 10)),
            };
            let flags = (1..=count).map(flag).collect();
            let reported = Reported { coverage: Some((5, 10)), flags, ..Reported::default() };
            assert_eq!(reported.line().unwrap_or_default(), expect);
        };
        check(1, "coverage 50.0 %");
        check(2, "coverage 50.0 %: f1 10.0 %, f2 20.0 % (+10.0)");
        check(
            8,
            "coverage 50.0 %: f1 10.0 %, f2 20.0 % (+10.0), f3 30.0 %, f4 40.0 %, f5 50.0 %, \
             f6 60.0 %, and 2 more",
        );
    }
}
