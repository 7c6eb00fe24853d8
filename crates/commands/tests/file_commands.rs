//! The files through which a step talks to its runner.

use commands::file_command::{
    ARTIFACTS_PER_JOB, ArtifactEntry, ArtifactKind, ArtifactSubject, ArtifactSubjects, EnvFile,
    SUMMARY_LIMIT, check_summary, decode, parse_artifacts, parse_env, parse_output, parse_path,
    parse_state, prepend_path,
};
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    let read = match parse_output(text) {
        Ok(pairs) => format!("{pairs:?}"),
        Err(error) if error.before().is_empty() => error.to_string(),
        Err(error) => format!("{:?}, then {error}", error.before()),
    };
    expected.assert_eq(&read);
    assert_eq!(parse_state(text).is_ok(), parse_output(text).is_ok());
}

// proves: conformance 178
#[test]
fn c178_names_and_values() {
    check("", expect!["[]"]);
    check("\n\n", expect!["[]"]);
    check("a=1", expect![[r#"[("a", "1")]"#]]);
    check("a=1\n\nb=2\na=3\n", expect![[r#"[("a", "1"), ("b", "2"), ("a", "3")]"#]]);
    check("a=", expect![[r#"[("a", "")]"#]]);
    check("a=b=c", expect![[r#"[("a", "b=c")]"#]]);
    check("a=b<<c", expect![[r#"[("a", "b<<c")]"#]]);
    check(" a = b ", expect![[r#"[(" a ", " b ")]"#]]);
    check("a<<E=F\n1\nE=F\n", expect![[r#"[("a", "1")]"#]]);
    check("a<<E\nE\n", expect![[r#"[("a", "")]"#]]);
    check("a<<E\n1\nE", expect![[r#"[("a", "1")]"#]]);
    check("a<<E\n1\nE\nb=2", expect![[r#"[("a", "1"), ("b", "2")]"#]]);
    check("a<<<<E\n1\n<<E\n", expect![[r#"[("a", "1")]"#]]);
}

// proves: conformance 178
#[test]
fn c178_mistakes_keep_what_came_before() {
    check("just words", expect!["Invalid format 'just words'"]);
    check("a=1\n \nb=2", expect![[r#"[("a", "1")], then Invalid format ' '"#]]);
    check("=1", expect!["Invalid format '=1'. Name must not be empty"]);
    check(
        "<<E\n1\nE",
        expect!["Invalid format '<<E'. Name must not be empty and delimiter must not be empty"],
    );
    check(
        "a<<\n1\n",
        expect!["Invalid format 'a<<'. Name must not be empty and delimiter must not be empty"],
    );
    check("a<<E", expect!["Invalid value. Matching delimiter not found 'E'"]);
    check("a<<E\n1\n", expect!["Invalid value. Matching delimiter not found 'E'"]);
    check("a<<E\n1\n E\n", expect!["Invalid value. Matching delimiter not found 'E'"]);
    check("a<<E\n1", expect!["Invalid value. EOF marker missing new line."]);
    check(
        "x=1\na<<E\n1E",
        expect![[r#"[("x", "1")], then Invalid value. EOF marker missing new line."#]],
    );
}

// proves: conformance 179
#[test]
fn c179_inner_line_breaks_stay_as_they_are() {
    check("a<<E\n1\n2\nE\n", expect![[r#"[("a", "1\n2")]"#]]);
    check("a<<E\n\n1\n\nE\n", expect![[r#"[("a", "\n1\n")]"#]]);
    check("a<<E\n\nE\n", expect![[r#"[("a", "")]"#]]);
    check("a<<E\n1\r\n2\r\nE\n", expect![[r#"[("a", "1\r\n2\r")]"#]]);
    check("a=1\r\n", expect![[r#"[("a", "1\r")]"#]]);
    check("ключ=значение", expect![[r#"[("ключ", "значение")]"#]]);
    for bytes in [
        b"a=\xc3\xa9".as_slice(),
        b"\xef\xbb\xbfa=\xc3\xa9",
        b"\xff\xfea\0=\0\xe9\0",
        b"\xfe\xff\0a\0=\0\xe9",
    ] {
        assert_eq!(decode(bytes), "a=é");
    }
}

// proves: conformance 180
#[test]
fn c180_what_a_value_holds_is_data() {
    check("a<<E\nb=2\nc<<F\n  E\nE\nd=4", expect![[r#"[("a", "b=2\nc<<F\n  E"), ("d", "4")]"#]]);
}

// proves: conformance 181
#[test]
fn c181_node_options_are_refused() {
    let file = parse_env("A=1\nNODE_OPTIONS=--require x\nnode_Options<<E\n1\nE\nB=2\nwords");
    assert_eq!(file.refused, ["NODE_OPTIONS", "node_Options"]);
    let pairs: Vec<_> =
        file.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["A=1", "B=2"]);
    expect!["Invalid format 'words'"].assert_eq(&file.error.expect("a mistake").to_string());
    expect!["Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command."]
        .assert_eq(&EnvFile::refusal("NODE_OPTIONS"));
}

// proves: conformance 182
#[test]
fn c182_later_paths_come_first() {
    let mut additions = Vec::new();
    for entry in parse_path("/a\n\n/b with blank\r\n/c\n/a\n") {
        prepend_path(&mut additions, entry);
    }
    assert_eq!(additions, ["/a", "/c", "/b with blank"]);
}

// proves: conformance 184
#[test]
fn c184_a_summary_of_a_mebibyte() {
    assert!(check_summary(SUMMARY_LIMIT).is_ok());
    let error = check_summary(2 * SUMMARY_LIMIT).expect_err("too large");
    expect![
        "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got 2048k"
    ]
    .assert_eq(&error.to_string());
}

#[test]
fn an_error_does_not_show_values() {
    let error = parse_output("token=hunter2\nwords").expect_err("a mistake");
    assert!(!format!("{error:?} {error}").contains("hunter2"));
}

fn check_artifacts(text: &str, expected: Expect) {
    let read = match parse_artifacts(text) {
        Err(error) => error.to_string(),
        Ok(entries) => {
            let lines: Vec<_> = entries
                .iter()
                .map(|(line, entry)| match entry {
                    ArtifactEntry::File(path) => format!("{line} file {path}"),
                    ArtifactEntry::Oci(it) => {
                        format!("{line} oci {} {}", it.name, short(&it.digest))
                    }
                })
                .collect();
            lines.join("\n")
        }
    };
    expected.assert_eq(&read);
}

/// Tells the digits of a long digest by their count.
fn short(digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').expect("a digest");
    format!("{algorithm} {}x{}", hex.len(), &hex[..1])
}

// proves: conformance 185
#[test]
fn c185_artifacts_by_path_or_reference() {
    let image = |algorithm: &str, count: usize| format!("@{algorithm}:{}", "A".repeat(count));
    check_artifacts(
        "\n# a comment\n dist/a.tgz \r\nfile:///tmp/b\nFILE://c d\n",
        expect![[r#"
            3 file dist/a.tgz
            4 file /tmp/b
            5 file c d"#]],
    );
    check_artifacts(
        &format!("OCI://r.example/a:1{}", image("sha384", 96)),
        expect!["1 oci r.example/a:1 sha384 96xa"],
    );
    check_artifacts(
        &format!("r.example/a{}", image("sha256", 64)),
        expect!["1 oci r.example/a sha256 64xa"],
    );
    check_artifacts(&format!("a@b{}", image("sha512", 128)), expect!["1 oci a@b sha512 128xa"]);
    // Without the scheme, what is no whole digest is a path.
    check_artifacts("a@sha256:AAAA", expect!["1 file a@sha256:AAAA"]);
    check_artifacts("a@md5:AAAA", expect!["1 file a@md5:AAAA"]);
    check_artifacts(
        "x\noci://a@sha256:AAAA",
        expect![
            "Invalid $GITHUB_ARTIFACTS entry on line 2: digest 'sha256' must be 64 hex characters, got 4"
        ],
    );
    check_artifacts(
        "oci://a:1",
        expect![
            "Invalid $GITHUB_ARTIFACTS entry on line 1: oci:// entries must include an @sha{256,384,512}:<hex> digest"
        ],
    );
    check_artifacts(
        "oci://@sha256:AA",
        expect![
            "Invalid $GITHUB_ARTIFACTS entry on line 1: oci:// entries must include an @sha{256,384,512}:<hex> digest"
        ],
    );
    check_artifacts(
        "file:// ",
        expect!["Invalid $GITHUB_ARTIFACTS entry on line 1: file:// entries must include a path"],
    );
    check_artifacts(
        "https://example.com/a",
        expect!["Invalid $GITHUB_ARTIFACTS entry on line 1: unsupported URI scheme"],
    );
    check_artifacts(
        "a=b",
        expect![
            "Invalid $GITHUB_ARTIFACTS entry on line 1: entries containing '=' are reserved and not permitted"
        ],
    );
}

// proves: conformance 185
#[test]
fn c185_a_job_names_each_thing_once_and_500_at_most() {
    let subject = |name: &str, digest: &str| ArtifactSubject {
        name: name.to_owned(),
        digest: digest.to_owned(),
        kind: ArtifactKind::File,
    };
    let mut subjects = ArtifactSubjects::default();
    assert!(subjects.is_empty());
    expect![[r#"{"version":1,"subjects":[]}"#]].assert_eq(&subjects.list_json());
    assert_eq!(subjects.declare(1, subject("b", "sha256:1")), Ok(true));
    assert_eq!(subjects.declare(2, subject("b", "sha256:1")), Ok(false));
    let oci = ArtifactSubject { kind: ArtifactKind::Oci, ..subject("a", "sha256:2") };
    assert_eq!(subjects.declare(3, oci), Ok(true));
    expect!["Invalid $GITHUB_ARTIFACTS entry on line 4: Conflicting digest for artifact 'b': previously declared as 'sha256:1', now declared as 'sha256:3'."]
        .assert_eq(&subjects.declare(4, subject("b", "sha256:3")).expect_err("a conflict").to_string());
    expect![[r#"{"version":1,"subjects":[{"name":"a","digest":"sha256:2","kind":"oci"},{"name":"b","digest":"sha256:1","kind":"file"}]}"#]]
        .assert_eq(&subjects.list_json());
    for more in subjects.len()..ARTIFACTS_PER_JOB {
        assert_eq!(subjects.declare(5, subject(&format!("f{more}"), "sha256:1")), Ok(true));
    }
    assert_eq!(subjects.declare(6, subject("b", "sha256:1")), Ok(false));
    expect!["Invalid $GITHUB_ARTIFACTS entry on line 7: The job has exceeded the maximum of 500 declared artifacts."]
        .assert_eq(&subjects.declare(7, subject("c", "sha256:1")).expect_err("too many").to_string());
}
