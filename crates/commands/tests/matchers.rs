//! Problem matchers.

use commands::matcher::{LINE_LIMIT, MatchOutcome, MatcherFile, Matchers};
use expect_test::{Expect, expect};

fn matchers(files: &[&str]) -> Matchers {
    let mut matchers = Matchers::new();
    for file in files {
        for matcher in MatcherFile::parse(file).expect("a good file").matchers {
            matchers.add(matcher);
        }
    }
    matchers
}

/// What becomes of each line.
fn check(files: &[&str], lines: &[&str], expected: Expect) {
    let mut matchers = matchers(files);
    let mut report = String::new();
    for line in lines {
        report.push_str(&match matchers.look(line.as_bytes()) {
            MatchOutcome::Text => "-".to_owned(),
            MatchOutcome::Problem { annotation: it, line } => {
                let number =
                    |number: Option<u32>| number.map_or("?".to_owned(), |it| it.to_string());
                format!(
                    "{:?} {:?} {}:{}:{}{}{} in {line:?}",
                    it.level,
                    it.message,
                    it.file.unwrap_or_default(),
                    number(it.line),
                    number(it.column),
                    it.code.map(|it| format!(" code {it}")).unwrap_or_default(),
                    it.from_path.map(|it| format!(" from {it}")).unwrap_or_default(),
                )
            }
        });
        report.push('\n');
    }
    expected.assert_eq(&report);
}

fn check_refused(file: &str, expected: Expect) {
    let error = MatcherFile::parse(file).expect_err("a bad file");
    expected.assert_eq(&error.to_string());
}

const COMPILER: &str = r#"{"problemMatcher": [{
    "owner": "compiler", "pattern": [{
        "regexp": "^(.+):(\\d+):(\\d+): (\\w+): (.+?)(?: \\[(.+)\\])?$",
        "file": 1, "line": 2, "column": 3, "severity": 4, "message": 5, "code": 6
    }]}]}"#;

const LINTER: &str = r#"{"problemMatcher": [{
    "owner": "linter", "severity": "warning", "fromPath": "app/project.json", "pattern": [
        { "regexp": "^(\\S+\\.js)$", "file": 1 },
        { "regexp": "^  (\\d+)\\s+(.+)$", "line": 1, "message": 2, "loop": true }
    ]}]}"#;

// proves: conformance 195
#[test]
fn c195_one_pattern() {
    check(
        &[COMPILER],
        &[
            "src/a.c:3:14: error: no such thing [E12]",
            "src/a.c:3:14: Warning: odd",
            "src/a.c:3:14: notice: \u{1b}[1;31mred\u{1b}[0m é [N]",
            "src/a.c:3:14: fatal: no such severity",
            "src/a.c:99999999999:1: error: no such line",
            "all is well",
        ],
        expect![[r#"
            Error "no such thing" src/a.c:3:14 code E12 in "src/a.c:3:14: error: no such thing [E12]"
            Warning "odd" src/a.c:3:14 in "src/a.c:3:14: Warning: odd"
            Notice "red é" src/a.c:3:14 code N in "src/a.c:3:14: notice: red é [N]"
            -
            Error "no such line" src/a.c:?:1 in "src/a.c:99999999999:1: error: no such line"
            -
        "#]],
    );
}

// proves: conformance 195
#[test]
fn c195_several_lines_and_a_loop() {
    check(
        &[LINTER],
        &[
            "lib/a.js",
            "  3  first",
            "  5  second",
            "",
            "  7  nothing before it",
            "b.js",
            "c.js",
            "  1  of c",
            "  x",
        ],
        expect![[r#"
            -
            Warning "first" lib/a.js:3:? from app/project.json in "  3  first"
            Warning "second" lib/a.js:5:? from app/project.json in "  5  second"
            -
            -
            -
            -
            Warning "of c" c.js:1:? from app/project.json in "  1  of c"
            -
        "#]],
    );
    let three = r#"{"problemMatcher": [{"owner": "three", "pattern": [
        { "regexp": "^file (.*)$", "file": 1 }, { "regexp": "^line (.*)$", "line": 1 },
        { "regexp": "^says (.*)$", "message": 1 }]}]}"#;
    check(
        &[three],
        &[
            "file a", "line 1", "says x", "says y", "file b", "says z", "file c", "file d",
            "line 2", "line 3", "says w",
        ],
        expect![[r#"
            -
            -
            Error "x" a:1:? in "says x"
            -
            -
            -
            -
            -
            -
            -
            -
        "#]],
    );
}

// proves: conformance 195
#[test]
fn c195_the_newest_first_and_a_match_resets_the_others() {
    let all = r#"{"problemMatcher": [{"owner": "all", "pattern": [{ "regexp": "(bad.*)", "message": 1 }]}]}"#;
    let silent = r#"{"problemMatcher": [{"owner": "silent", "pattern": [{ "regexp": "bad(x?)", "message": 1 }]}]}"#;
    check(
        &[LINTER, all],
        &["a.js", "bad thing", "  3  lost"],
        expect![[r#"
            -
            Error "bad thing" :?:? in "bad thing"
            -
        "#]],
    );
    // A match without a message is none, so the next one looks.
    check(
        &[all, silent],
        &["bad"],
        expect![[r#"
        Error "bad" :?:? in "bad"
    "#]],
    );
    check(
        &[COMPILER, all],
        &["a:1:2: error: bad"],
        expect![[r#"
        Error "bad" :?:? in "a:1:2: error: bad"
    "#]],
    );
    check(
        &[all, COMPILER],
        &["a:1:2: error: bad"],
        expect![[r#"
        Error "bad" a:1:2 in "a:1:2: error: bad"
    "#]],
    );
}

// proves: conformance 194, 197
#[test]
fn c194_a_newer_matcher_of_the_same_owner_takes_its_place() {
    let mut matchers = matchers(&[COMPILER, LINTER, &COMPILER.replace("compiler", "Compiler")]);
    assert_eq!(matchers.owners().collect::<Vec<_>>(), ["Compiler", "linter"]);
    matchers.remove("LINTER");
    matchers.remove("nobody");
    assert_eq!(matchers.owners().collect::<Vec<_>>(), ["Compiler"]);
    matchers.remove("compiler");
    assert!(matchers.is_empty());
    assert_eq!(matchers.look(b"a:1:2: error: bad"), MatchOutcome::Text);
}

// proves: conformance 195
#[test]
fn c195_lines_that_could_take_too_long_are_not_matched() {
    let mut matchers = matchers(&[COMPILER]);
    let line = |length: usize| format!("a:1:2: error: {}", "x".repeat(length - 14));
    assert!(matches!(matchers.look(line(LINE_LIMIT).as_bytes()), MatchOutcome::Problem { .. }));
    assert_eq!(matchers.look(line(LINE_LIMIT + 1).as_bytes()), MatchOutcome::Text);
}

// proves: conformance 195
#[test]
fn c195_an_expression_that_could_backtrack_for_ever_ends_at_once() {
    let file = r#"{"problemMatcher": [{"owner": "o", "pattern": [
        { "regexp": "^((?:a+|é)+)+b$", "message": 1 }]}]}"#;
    let mut matchers = matchers(&[file]);
    let line = format!("{}!", "a".repeat(LINE_LIMIT - 1));
    assert_eq!(matchers.look(line.as_bytes()), MatchOutcome::Text);
    assert_eq!(matchers.look(format!("é{}", &line[..2000]).as_bytes()), MatchOutcome::Text);
}

// proves: conformance 194
#[test]
fn c194_a_file_is_checked() {
    assert!(MatcherFile::parse("{}").expect("nothing").matchers.is_empty());
    assert!(
        MatcherFile::parse("\u{feff}{\"problemMatcher\":[]}").expect("nothing").matchers.is_empty()
    );
    let one = |matcher: &str| format!(r#"{{"problemMatcher": [{matcher}]}}"#);
    let patterns = |patterns: &str| one(&format!(r#"{{"owner": "o", "pattern": [{patterns}]}}"#));
    check_refused("[", expect!["the file cannot be read as problem matchers"]);
    check_refused(&one(r#"{"pattern": []}"#), expect!["Owner must not be empty"]);
    check_refused(&one(r#"{"owner": "", "pattern": []}"#), expect!["Owner must not be empty"]);
    check_refused(
        &one(r#"{"owner": "o", "severity": "bad"}"#),
        expect!["Matcher 'o' contains unexpected default severity 'bad'"],
    );
    check_refused(
        &one(r#"{"owner": "o", "severity": "Notice"}"#),
        expect!["Matcher 'o' does not contain any patterns"],
    );
    check_refused(&patterns(""), expect!["Matcher 'o' does not contain any patterns"]);
    check_refused(
        &patterns(r#"{"regexp": "(x)", "file": 1}"#),
        expect!["At least one pattern must set 'message'"],
    );
    check_refused(
        &patterns(r#"{"regexp": "(x)", "message": 1, "loop": true}"#),
        expect!["Only the last pattern in a multiline matcher may set 'loop'"],
    );
    check_refused(
        &patterns(r#"{"regexp": "a"}, {"regexp": "(x)", "message": 1, "loop": true}, {}"#),
        expect!["Only the last pattern in a multiline matcher may set 'loop'"],
    );
    check_refused(
        &patterns(r#"{"regexp": "(a)", "message": 1}, {"regexp": "(x)", "loop": true}"#),
        expect!["The loop pattern must set 'message'"],
    );
    check_refused(
        &patterns(r#"{"regexp": "(a)", "message": 1}, {"regexp": "(x)", "message": 1}"#),
        expect!["The property 'message' is set twice"],
    );
    check_refused(
        &patterns(r#"{"regexp": "(a)(?:b)(?<name>c)\\(", "message": 3}"#),
        expect!["The property 'message' is set to 3 which is out of range"],
    );
    check_refused(
        &patterns(r#"{"regexp": "(a)", "message": -1}"#),
        expect!["The property 'message' is set to -1 which is out of range"],
    );
    check_refused(
        &patterns(r#"{"regexp": "(a", "message": 1}"#),
        expect!["the expression '(a' cannot be read"],
    );
    let twice = r#"{"owner": "o", "pattern": [{"regexp": "x", "message": 0}]}"#;
    check_refused(
        &one(&format!("{twice}, {}", twice.replace("\"o\"", "\"O\""))),
        expect!["Duplicate owner name 'O'"],
    );
    // The whole match is group 0; an alternative in the expression does not confuse the count.
    let file = patterns(r#"{"regexp": "(a)|(b)|c", "message": 2, "code": 0}"#);
    assert_eq!(MatcherFile::parse(&file).expect("good").matchers[0].owner(), "o");
}
