//! Reports of tests, of coverage and of scans, whatever they hold.

use reports::{Report, read};

/// A name is cut there, in letters.
const NAME_CHARS_MAX: usize = 500;
/// Findings of one file that are read.
const FINDINGS_MAX: usize = 25_000;

/// An input is a file of an artifact.
pub fn check(input: &[u8]) {
    let told = read(input);
    assert_eq!(told, read(input), "the same bytes say the same");
    match told {
        None => {}
        Some(Report::Tests(tests)) => {
            let mut keys = std::collections::BTreeSet::new();
            for case in &tests.cases {
                for name in [&case.suite, &case.class, &case.name] {
                    is_plain(name);
                }
                assert!(!(case.is_retried && case.outcome.is_bad()), "what failed did not pass");
                let key = (&case.suite, &case.class, &case.name, &case.file);
                assert!(keys.insert(key), "a test is there once");
            }
        }
        Some(Report::Coverage(coverage)) => {
            for (name, file) in &coverage.files {
                is_plain(name);
                assert!(file.covered() <= file.lines(), "no more lines ran than there are");
            }
        }
        Some(Report::Scan(scan)) => {
            assert!(scan.findings.len() <= FINDINGS_MAX);
            scan.tools.iter().for_each(|it| is_plain(it));
            for it in &scan.findings {
                assert!(scan.tools.contains(&it.tool), "who found it looked");
                [&it.rule, &it.file, &it.fingerprint].into_iter().for_each(|it| is_plain(it));
            }
        }
    }
}

fn is_plain(name: &str) {
    assert!(!name.chars().any(char::is_control), "nothing steers a terminal");
    assert!(name.chars().count() <= NAME_CHARS_MAX);
}
