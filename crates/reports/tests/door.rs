//! What is read of what tools write, and of what they left when they were killed.

use expect_test::{Expect, expect};
use reports::{Report, read};

fn check(text: &str, expect: Expect) {
    let told = match read(text.as_bytes()) {
        None => "no report\n".to_owned(),
        Some(Report::Tests(tests)) => {
            let cut = if tests.is_cut { "cut\n" } else { "" };
            let cases = tests.cases.iter().map(|it| {
                let again = if it.is_retried { " at the second try" } else { "" };
                let place = it.file.as_ref().map(|file| {
                    format!(" {file}{}", it.line.map(|line| format!(":{line}")).unwrap_or_default())
                });
                let time = it.time_ms.map(|ms| format!(" {ms} ms")).unwrap_or_default();
                format!(
                    "{} | {} | {}: {}{again}{time}{}\n",
                    it.suite,
                    it.class,
                    it.name,
                    it.outcome.as_str(),
                    place.unwrap_or_default()
                )
            });
            cases.collect::<String>() + cut
        }
        Some(Report::Coverage(coverage)) => {
            let cut = if coverage.is_cut { "cut\n" } else { "" };
            let files = coverage.files.iter();
            let files =
                files.map(|(name, it)| format!("{name}: {} of {}\n", it.covered(), it.lines()));
            files.collect::<String>() + cut
        }
        Some(Report::Scan(_)) => "a scan\n".to_owned(),
    };
    expect.assert_eq(&told);
}

#[test]
fn tests_of_nested_suites_with_their_places() {
    check(
        r#"<?xml version="1.0" encoding="utf-8"?>
        <testsuites name="all" tests="999"><testsuite name="unit" file="tests/unit.py">
          <properties><property name="a" value="b"/></properties>
          <testcase classname="unit.Sum" name="adds" time="0.0124"/>
          <testcase classname="unit.Sum" name="divides" time="1,002.5" line="7"><failure message="by &lt;0&gt; &amp; more">text <b>bold</b></failure></testcase>
          <testcase name="breaks" file="other.py"><error/></testcase>
          <testcase name="waits"><skipped message="not today"/></testcase>
          <testsuite><testcase name="inner &quot;one&quot;"/></testsuite>
        </testsuite></testsuites>"#,
        expect![[r#"
            unit | unit.Sum | adds: passed 12 ms tests/unit.py
            unit | unit.Sum | divides: failed 1002500 ms tests/unit.py:7
            unit |  | breaks: errored other.py
            unit |  | waits: skipped tests/unit.py
            unit |  | inner "one": passed tests/unit.py
        "#]],
    );
}

#[test]
fn pytest_counts_lines_from_zero() {
    check(
        r#"<testsuites><testsuite name="pytest"><testcase classname="a" name="b" file="a.py" line="0"/></testsuite></testsuites>"#,
        expect![[r#"
            pytest | a | b: passed a.py:1
        "#]],
    );
}

#[test]
fn what_passed_when_it_was_run_again() {
    check(
        r#"<testsuite name="s">
          <testcase name="flaky"><flakyFailure type="a"/></testcase>
          <testcase name="flaky error"><flakyError/></testcase>
          <testcase name="real"><failure/><rerunFailure/></testcase>
          <testcase name="twice" time="1"><failure/></testcase>
          <testcase name="twice" time="2"/>
          <testcase name="always"><failure/></testcase><testcase name="always"><error/></testcase>
          <testcase name="skipped once"><skipped/></testcase><testcase name="skipped once"/>
        </testsuite>"#,
        expect![[r#"
            s |  | flaky: passed at the second try
            s |  | flaky error: passed at the second try
            s |  | real: failed
            s |  | twice: passed at the second try 2000 ms
            s |  | always: errored
            s |  | skipped once: passed
        "#]],
    );
}

#[test]
fn a_killed_process_leaves_what_came_before() {
    check(
        r#"<testsuite name="s"><testcase name="done"/><testcase name="under way"><fail"#,
        expect![[r#"
            s |  | done: passed
            cut
        "#]],
    );
    check(
        "SF:a.c\nDA:1,1\nDA:2,0\n",
        expect![[r#"
        a.c: 1 of 2
        cut
    "#]],
    );
}

#[test]
fn nothing_is_expanded_and_nothing_is_believed() {
    check(
        r#"<!DOCTYPE t [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">
             <!ENTITY file SYSTEM "file:///etc/passwd">]>
           <testsuite name="&b;"><testcase name="&file;" time="-3" line="x"/>
           <testcase name="odd" time="NaN" status="notrun"/><testcase/></testsuites>"#,
        expect![[r#"
            &b; |  | &file;: passed
            &b; |  | odd: skipped
        "#]],
    );
}

#[test]
fn cobertura_counts_lines_once() {
    check(
        r#"<coverage line-rate="1"><sources><source>/src</source></sources><packages><package><classes>
          <class filename="./a.py"><methods><method><lines><line number="1" hits="3"/></lines></method></methods>
            <lines><line number="1" hits="0"/><line number="2" hits="0"/></lines></class>
          <class filename="a.py"><lines><line number="2" hits="1"/><line number="3" hits="0"/></lines></class>
          <class filename="empty.py"><lines/></class>
        </classes></package></packages></coverage>"#,
        expect![[r#"
            a.py: 2 of 3
            empty.py: 0 of 0
        "#]],
    );
}

#[test]
fn lcov_of_workspaces_that_lie_elsewhere_each_time() {
    check(
        "TN:\nSF:/w/1/app/src/a.js\nDA:1,5\nDA:2,0\nDA:3,-1\nLH:9\nend_of_record\r\n\
         SF:/w/1/app/lib/b.js\nDA:1,1,abc\nend_of_record\n",
        expect![[r#"
            lib/b.js: 1 of 1
            src/a.js: 1 of 3
        "#]],
    );
}

#[test]
fn what_is_no_report() {
    for text in [
        "",
        "  ",
        "hello",
        "<html/>",
        "<coverage><project/></coverage>",
        "<",
        "</testsuite>",
        "{\"a\": 1}",
    ] {
        check(text, expect![["no report\n"]]);
    }
}

/// What comes is put in; what is known already is not touched: this would take an hour.
#[test]
fn many_small_reports_join_a_large_one() {
    let coverage = |text: String| {
        let Some(Report::Coverage(it)) = read(text.as_bytes()) else { panic!("{text}") };
        it
    };
    let file = |at: u32| format!("SF:{at}\nDA:1,{}\nend_of_record\n", at % 2);
    let mut all = coverage((0..100_000).map(file).collect());
    for at in 90_000..110_000 {
        all.join(coverage(file(at)));
    }
    assert_eq!((all.files.len(), all.lines(), all.covered()), (110_000, 110_000, 55_000));
}

#[test]
fn the_whole_of_several_flags_has_each_file_once() {
    let check = |flags: &[(&str, &[&str])], expect: Expect| {
        let mut all = std::collections::BTreeMap::<String, reports::Coverage>::new();
        for (flag, texts) in flags {
            for text in *texts {
                let Some(Report::Coverage(it)) = read(text.as_bytes()) else { panic!("{text}") };
                all.entry((*flag).to_owned()).or_default().join(it);
            }
        }
        let line = |(name, it): (&String, &reports::FileCoverage)| {
            format!("{name}: {} of {}\n", it.covered(), it.lines())
        };
        expect.assert_eq(&reports::whole(&all).files.iter().map(line).collect::<String>());
    };
    let (upper, lower) = ("SF:a\nDA:1,1\nDA:2,0\nDA:3,0\n", "SF:a\nDA:1,0\nDA:2,1\nDA:3,0\n");
    check(
        &[("api", &[upper, lower])],
        expect![[r#"
        a: 2 of 3
    "#]],
    );
    // One text that two kinds of tests ran.
    check(
        &[("e2e", &[upper]), ("unit", &[lower, "SF:b\n"])],
        expect![[r#"
        a: 2 of 3
        b: 0 of 0
    "#]],
    );
    // Two texts of one name; and legs that do not see the same lines.
    check(
        &[("api", &[upper]), ("web", &["SF:a\nDA:1,1\n"])],
        expect![[r#"
        a (api): 1 of 3
        a (web): 1 of 1
    "#]],
    );
    check(
        &[("api", &[upper, "SF:a\nDA:4,1\n"])],
        expect![[r#"
        a: 2 of 4
    "#]],
    );
    check(&[], expect![""]);
}
