//! What the reader says about `.env` files.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use settings::dotenv::{BYTES_MAX, VALUE_BYTES_MAX, VARIABLES_MAX, compare, read};
use syntax::Diagnostic;

fn findings(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for it in found {
        let label = &it.labels[0];
        let place = label.source.place(label.span.start);
        let under = label.source.slice(label.span).lines().next().unwrap_or_default();
        let (rule, message) = (it.rule, &it.message);
        let _ = writeln!(
            text,
            "{}:{} {under} | {}[{rule}]: {message}",
            place.line, place.column, it.severity
        );
    }
    text
}

/// Variables as they are handed to a service, then what is wrong.
fn check(text: &str, expected: Expect) {
    let (file, found) = read(".env", text);
    let mut said = String::new();
    for it in &file.variables {
        let _ = writeln!(said, "{} = {:?}", &*it.name.value, it.value.expose());
    }
    expected.assert_eq(&(said + &findings(&found)));
}

#[test]
fn lines_that_everybody_reads_alike() {
    check(
        "A=b\n\n# comment\n  C = d e  # behind\nexport E=f\nG=\nexport=h\n",
        expect![[r#"
        A = "b"
        C = "d e"
        E = "f"
        G = ""
        export = "h"
    "#]],
    );
    check(
        "URL=https://a.example/?b=c#d\nJSON={\"a\": \"it's\"}\nPATH=C:\\new",
        expect![[r#"
        URL = "https://a.example/?b=c#d"
        JSON = "{\"a\": \"it's\"}"
        PATH = "C:\\new"
    "#]],
    );
    check(
        "\u{feff}A=1\r\nB=2\r\n",
        expect![[r#"
        A = "1"
        B = "2"
    "#]],
    );
    check(
        "A=1 # one\nA=2",
        expect![[r#"
        A = "2"
        2:1 A | warning[env-duplicate]: `A` stands here a second time
    "#]],
    );
}

#[test]
fn quotes() {
    check(
        r#"A='it is $HOME \d "so"' # comment"#,
        expect![[r#"
        A = "it is $HOME \\d \"so\""
    "#]],
    );
    check(
        r#"A="tab\tnew\nline \"quoted\" \\ 'x'""#,
        expect![[r#"
        A = "tab\tnew\nline \"quoted\" \\ 'x'"
    "#]],
    );
    check(
        "A=\"first\nsecond # no comment\n\"\nB='x\ny'",
        expect![[r#"
        A = "first\nsecond # no comment\n"
        B = "x\ny"
    "#]],
    );
    check(
        "A=\"\"\nB=''",
        expect![[r#"
        A = ""
        B = ""
    "#]],
    );
}

/// Compose and python-dotenv disagree: nobody shall depend on who reads the file.
#[test]
fn what_is_read_in_two_ways_is_refused() {
    check(
        "A=$HOME\nB=${C:-d}\nC=\"x$D\"\nD=a$$b",
        expect![[r#"
        1:3 * | error[env-interpolation]: a `$` outside of single quotes, which some readers fill in and others do not
        2:3 * | error[env-interpolation]: a `$` outside of single quotes, which some readers fill in and others do not
        3:5 * | error[env-interpolation]: a `$` outside of single quotes, which some readers fill in and others do not
        4:4 * | error[env-interpolation]: a `$` outside of single quotes, which some readers fill in and others do not
    "#]],
    );
    check(
        "A=#fff\nB= # c\nC=a\t# c\nD='a\\\\b'\nE='it\\'s'\nF='${G}'\nH=\"\\$I\"",
        expect![[r#"
        1:3 **** | error[env-syntax]: a value and a comment in one, which readers of such files part differently
        2:4 * * | error[env-syntax]: a value and a comment in one, which readers of such files part differently
        3:3 *	* * | error[env-syntax]: a value and a comment in one, which readers of such files part differently
        4:5 * | error[env-syntax]: a backslash that is an escape to some readers and not to others
        5:6 * | error[env-syntax]: a backslash that is an escape to some readers and not to others
        6:4 * | error[env-interpolation]: a `${` in single quotes, which some readers fill in and others do not
        7:4 ** | error[env-syntax]: this is an escape to some readers and not to others
    "#]],
    );
    check(
        "A=5$\nB=\"5$\"",
        expect![[r#"
        1:4 * | error[env-interpolation]: a `$` outside of single quotes, which some readers fill in and others do not
        2:5 * | error[env-interpolation]: a `$` outside of single quotes, which some readers fill in and others do not
    "#]],
    );
    check(
        "A='b'c\nB=\"b\"#c\nC=\"a\\qb\"",
        expect![[r#"
        1:3 **** | error[env-syntax]: something stands behind the closing quote
        2:3 ***** | error[env-syntax]: something stands behind the closing quote
        3:5 ** | error[env-syntax]: this is an escape to some readers and not to others
    "#]],
    );
    check(
        "NAME\n1A=b\nA-B=c\n=d\nA: b",
        expect![[r#"
        1:1 **** | error[env-syntax]: this line is neither a comment nor `NAME=value`
        2:1 **** | error[env-syntax]: this line is neither a comment nor `NAME=value`
        3:1 ***** | error[env-syntax]: this line is neither a comment nor `NAME=value`
        4:1 ** | error[env-syntax]: this line is neither a comment nor `NAME=value`
        5:1 ** * | error[env-syntax]: this line is neither a comment nor `NAME=value`
    "#]],
    );
}

#[test]
fn what_is_broken_hides_what_follows() {
    check(
        "A=\"open\nSECRET=1\n",
        expect![[r#"
        1:3 ***** | error[env-syntax]: this quote is never closed
    "#]],
    );
    check(
        "A=1\nB='open",
        expect![[r#"
        A = "1"
        2:3 ***** | error[env-syntax]: this quote is never closed
    "#]],
    );
    check(
        "KEY=-----BEGIN KEY-----\nc2VjcmV0=\n-----END KEY-----\nB=2",
        expect![[r#"
        B = "2"
        1:5 ********** ******** | error[env-syntax]: a value of several lines without quotes
    "#]],
    );
}

#[test]
fn hostile_files_are_ended() {
    let (file, found) = read(".env", &"A".repeat(BYTES_MAX + 1));
    assert_eq!((file.variables.len(), found[0].rule), (0, "env-limit"));
    let many: String = (0..=VARIABLES_MAX).map(|it| format!("A{it}=1\n")).collect();
    let (file, found) = read(".env", &many);
    assert_eq!((file.variables.len(), found[0].rule), (VARIABLES_MAX, "env-limit"));
    let (file, found) = read(".env", &format!("A={}", "x".repeat(VALUE_BYTES_MAX + 1)));
    assert_eq!((file.variables.len(), found[0].rule), (0, "env-limit"));
    let (_, found) = read(".env", &"\"\n".repeat(100_000));
    assert_eq!(found.len(), 1_000);
    check(
        "A=b\0c",
        expect![[r#"
        1:3 *** | error[env-syntax]: a value that holds a NUL character
    "#]],
    );
}

/// A finding is shown with its line: what is no name in it is covered.
#[test]
fn no_value_can_be_seen() {
    let text = "A=hunter2 # hunter2\nB=\"hunter2\nhunter2\nC='hunter2'x\nhunter2";
    let (file, found) = read(".env", text);
    assert!(!file.source.text().contains("hunter2"));
    assert!(!format!("{file:?}{found:?}").contains("hunter2"));
    expect![[r#"
        A=******* * *******
        B=********
        *******
        ************
        *******"#]]
    .assert_eq(file.source.text());
}

#[test]
fn a_file_is_compared_with_its_example() {
    let (example, _) =
        read(".env.example", "PORT=8000\nTOKEN=changeme\nDATABASE_URL=\nLEVEL=info\n");
    let (file, _) = read(".env", "PORT=8000\nTOKEN=changeme\nNEW=1\n");
    expect![[r#"
        2:1 TOKEN | error[env-placeholder]: `TOKEN` still has the value of the example
        3:1 NEW | error[env-missing]: `DATABASE_URL` is missing
        3:1 NEW | warning[env-extra]: the example does not know `NEW`
    "#]]
    .assert_eq(&findings(&compare(&file, &example, &["LEVEL"])));
}
