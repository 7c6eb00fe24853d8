//! Tests that failed, as checks tell them: an annotation where a test stands, the rest in the check's summary.
//!
//! What a report calls a file is its tool's own idea: from the folder that it ran in, or from the root of
//! the machine. An annotation at a wrong place is worse than none, so a place counts only where it is a
//! file of the commit, and one alone.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::words;

/// Annotations of one check for tests; who breaks more at once looks at the list.
const TEST_ANNOTATIONS_MAX: usize = 50;
/// Tests that a summary names.
const TESTS_NAMED_MAX: usize = 20;

/// The tests of a run that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedTests {
    /// Those that are known one by one.
    pub listed: Vec<FailedTest>,
    /// How many there are besides.
    pub unlisted: u64,
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTest {
    /// The job whose report has it.
    pub job: String,
    /// What it is called, with its class or suite.
    pub name: String,
    /// The file and the line, where they are known to be in the commit.
    pub place: Option<(String, u32)>,
}

impl FailedTest {
    /// As an annotation; none where nobody knows the place.
    pub fn annotation(&self) -> Option<Json> {
        let (path, line) = self.place.as_ref()?;
        Some(json!({
            "path": path,
            "start_line": line,
            "end_line": line,
            "annotation_level": "failure",
            "title": "Test failed",
            "message": words::cut(&self.name, words::MESSAGE_MAX),
        }))
    }
}

/// Where a test stands in the repository: the file that a report names, among the files of the commit.
/// `repository` is `owner/name`.
pub fn place(files: &[String], repository: &str, named: &str) -> Option<String> {
    let named = named.replace('\\', "/");
    let name = repository.rsplit('/').next().unwrap_or(repository);
    // The workspace of a job ends with its repository's name, twice.
    let workspace = format!("/work/{name}/{name}/");
    let inside = named.split_once(&workspace).map(|(_, inside)| inside);
    let path = match inside {
        Some(inside) => inside,
        None => named.trim_start_matches("./"),
    };
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    if !path.split('/').all(is_plain) {
        return None;
    }
    if let Some(found) = files.iter().find(|it| *it == path) {
        return Some(found.clone());
    }
    // From the root of the machine it is a file of something else.
    if inside.is_some() {
        return None;
    }
    // The job's step ran in a folder of the repository.
    let end = format!("/{path}");
    let mut ending = files.iter().filter(|it| it.ends_with(&end));
    ending.next().filter(|_| ending.next().is_none()).cloned()
}

/// The annotations of a job's failed tests.
pub(crate) fn annotations(tests: &[&FailedTest]) -> Vec<Json> {
    tests.iter().filter_map(|it| it.annotation()).take(TEST_ANNOTATIONS_MAX).collect()
}

/// What a check's summary says of them; nothing where none failed.
pub(crate) fn summary(tests: &[&FailedTest], unlisted: u64, page: &str) -> String {
    let mut text = String::new();
    let count = tests.len();
    if count == 0 {
        return text;
    }
    let tests_failed =
        if count == 1 { "1 test failed".to_owned() } else { format!("{count} tests failed") };
    let _ = writeln!(text, "\n[{tests_failed}]({page})\n");
    for it in tests.iter().take(TESTS_NAMED_MAX) {
        let place = it.place.as_ref().map(|(path, line)| format!(", {path}:{line}"));
        let named = format!("{}{}", it.name, place.unwrap_or_default());
        let _ = writeln!(text, "- {}", words::plain(&named));
    }
    if let Some(more @ 1..) = count.checked_sub(TESTS_NAMED_MAX) {
        let _ = writeln!(text, "- and {more} more");
    }
    if unlisted > 0 {
        let _ = writeln!(text, "- and {unlisted} more in the whole run, of this job or others");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_of_the_commit_or_none() {
        let files =
            ["a/util_test.py", "api/tests/test_x.py", "b/util_test.py", "src/a.rs", "work/x"];
        let files = files.map(str::to_owned);
        let check = |named: &str, expect: Option<&str>| {
            assert_eq!(place(&files, "octo/app", named).as_deref(), expect, "{named}");
        };
        check("src/a.rs", Some("src/a.rs"));
        check("./src/a.rs", Some("src/a.rs"));
        check("/srv/jobs/1/work/app/app/src/a.rs", Some("src/a.rs"));
        check("C:\\jobs\\work\\app\\app\\src\\a.rs", Some("src/a.rs"));
        // Where the step ran in a folder.
        check("tests/test_x.py", Some("api/tests/test_x.py"));
        check("test_x.py", Some("api/tests/test_x.py"));
        // Two could be meant; or none.
        check("util_test.py", None);
        check("x.py", None);
        // What is not of this repository's workspace, or leads out of it.
        check("/srv/jobs/1/work/app/app/a.rs", None);
        check("/usr/lib/python3/src/a.rs", None);
        check("../src/a.rs", None);
        check("src/../src/a.rs", None);
        check("", None);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let test = |number: u32| FailedTest {
            job: "test".to_owned(),
            name: format!("test_{number} <b>"),
            place: (number > 5).then(|| ("src/a.rs".to_owned(), number)),
        };
        let all: Vec<FailedTest> = (1..=80).map(test).collect();
        let all: Vec<&FailedTest> = all.iter().collect();
        assert_eq!(annotations(&all).len(), TEST_ANNOTATIONS_MAX);
        assert_eq!(annotations(&all)[0]["start_line"], 6, "what has no place has no annotation");
        let text = summary(&all, 0, "https://ci.example.com/runs/1.1/tests");
        assert!(
            text.contains("[80 tests failed](https://ci.example.com/runs/1.1/tests)"),
            "{text}"
        );
        assert!(
            text.contains("- test\\_6 &lt;b\\>, src/a.rs:6")
                || text.contains("- test_6 &lt;b\\>, src/a.rs:6"),
            "{text}"
        );
        assert!(text.ends_with("- and 60 more\n"), "{text}");
        assert!(
            summary(&all, 7, "x")
                .ends_with("- and 7 more in the whole run, of this job or others\n")
        );
        assert_eq!(summary(&[], 7, "x"), "");
    }
}
