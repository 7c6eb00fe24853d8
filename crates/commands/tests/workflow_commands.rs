//! Commands in what a step prints.

use commands::workflow_command::{
    Annotation, AnnotationLimits, CommandState, Echo, Effect, Level, MESSAGE_LIMIT,
    PER_LEVEL_LIMIT, Trust, may_be_command, may_hold_command, parse,
};
use expect_test::{Expect, expect};

fn check_parse(line: &str, expected: Expect) {
    let read = parse(line).map_or_else(
        || "text".to_owned(),
        |it| format!("{} {:?} {:?}", it.name, it.properties, it.data),
    );
    expected.assert_eq(&read);
    if read != "text" {
        assert!(may_be_command(line.as_bytes()), "{line}");
        assert!(may_hold_command(line.as_bytes()), "{line}");
    }
}

/// What a step's lines do: each line, then what comes of it.
fn check_with(echo: Echo, trust: Trust, lines: &[&str], expected: Expect) {
    let mut state = CommandState::new();
    state.begin_step(echo, trust);
    let mut report = String::new();
    for line in lines {
        let handled = state.handle(line.as_bytes());
        let effect = match &handled.effect {
            Effect::Text(text) => format!("Text {:?}", String::from_utf8_lossy(text)),
            Effect::Annotation(annotation) => brief(annotation),
            other => format!("{other:?}"),
        };
        report.push_str(&effect);
        if let Some(echo) = &handled.echo {
            report.push_str(&format!(", echo {:?}", String::from_utf8_lossy(echo)));
        }
        for note in &handled.notes {
            report.push_str(&format!("\n  {note:?}"));
        }
        report.push('\n');
    }
    expected.assert_eq(&report);
}

fn check(lines: &[&str], expected: Expect) {
    check_with(Echo::Off, Trust::default(), lines, expected);
}

fn brief(it: &Annotation) -> String {
    let mut brief = format!("{:?} {:?}", it.level, it.message);
    for (name, text) in [("title", &it.title), ("file", &it.file)] {
        if let Some(text) = text {
            brief.push_str(&format!(" {name}={text}"));
        }
    }
    let places = [
        ("line", it.line),
        ("to line", it.end_line),
        ("column", it.column),
        ("to column", it.end_column),
    ];
    for (name, number) in places {
        if let Some(number) = number {
            brief.push_str(&format!(" {name} {number}"));
        }
    }
    brief
}

// proves: conformance 165
#[test]
fn c165_name_properties_data() {
    check_parse("::debug::hello", expect![[r#"debug {} "hello""#]]);
    check_parse("::debug::", expect![[r#"debug {} """#]]);
    check_parse("::DEBUG::a::b", expect![[r#"debug {} "a::b""#]]);
    check_parse(" \t\u{a0}::debug::a", expect![[r#"debug {} "a""#]]);
    check_parse(
        "::error file=a.c,line=3::x",
        expect![[r#"error {"file": "a.c", "line": "3"} "x""#]],
    );
    check_parse("::error   file=a.c  ::x", expect![[r#"error {"file": "a.c"} "x""#]]);
    check_parse("::error FILE=a,File=b::x", expect![[r#"error {"file": "b"} "x""#]]);
    check_parse("::error file=a=b==::x", expect![[r#"error {"file": "a=b=="} "x""#]]);
    // Empty pieces vanish, and a value without a name or a name without a value with them.
    check_parse("::error ,,file=,=a,title,==b==c::x", expect![[r#"error {"b": "c"} "x""#]]);
    // Only the ends of the whole are trimmed: this ` line` is no `line`.
    check_parse("::error file=a, line=3::x", expect![[r#"error {" line": "3", "file": "a"} "x""#]]);
    check_parse("a ::debug::x", expect!["text"]);
    check_parse("::debug:x", expect!["text"]);
    check_parse("::debug", expect!["text"]);
    check_parse(":debug::x", expect!["text"]);
    check_parse(":: debug::x", expect!["text"]);
    check_parse("::::x", expect!["text"]);
    check_parse("", expect!["text"]);
}

// proves: conformance 166
#[test]
fn c166_escapes_and_the_percent_sign_last() {
    check_parse("::debug::a%0Db%0Ac%25d", expect![[r#"debug {} "a\rb\nc%d""#]]);
    check_parse("::debug::%250A %3A %2C %0a", expect![[r#"debug {} "%0A %3A %2C %0a""#]]);
    check_parse(
        "::error title=a%3Ab%2Cc%0Ad%25e%253A::",
        expect![[r#"error {"title": "a:b,c\nd%e%3A"} """#]],
    );
    check_parse("::error title=%5D%3B::", expect![[r#"error {"title": "%5D%3B"} """#]]);
}

// proves: conformance 167
#[test]
fn c167_the_old_form_anywhere_in_a_line() {
    check_parse("##[debug]hello", expect![[r#"debug {} "hello""#]]);
    check_parse(
        "10:00 ##[error file=a.c;line=3]x]y",
        expect![[r#"error {"file": "a.c", "line": "3"} "x]y""#]],
    );
    check_parse(
        "##[error title=a%3Bb%5Dc%25d%3A]%3B%5D%0A",
        expect![[r#"error {"title": "a;b]c%d%3A"} ";]\n""#]],
    );
    check_parse("::nothing::##[debug]x", expect![[r#"debug {} "x""#]]);
    check_parse("##[nothing]##[debug]x", expect!["text"]);
    check_parse("##[debug", expect!["text"]);
    check_parse("## [debug]x", expect!["text"]);
}

// proves: conformance 168, 223
#[test]
fn c168_outputs_and_state_are_deprecated_and_said_once() {
    check(
        &[
            "::set-output name=a::1%0A2",
            "::set-output name=b::",
            "::save-state name=c::3",
            "::set-output::1",
            "::set-output name=::1",
        ],
        expect![[r#"
            SetOutput { name: "a", value: "1\n2" }
              Deprecated("The `set-output` command is deprecated: write to the file that GITHUB_OUTPUT names instead.")
            SetOutput { name: "b", value: "" }
            SaveState { name: "c", value: "3" }
              Deprecated("The `save-state` command is deprecated: write to the file that GITHUB_STATE names instead.")
            Failure { message: "Unable to process command '::set-output::1' successfully.", reason: "Required field 'name' is missing in ##[set-output] command." }
            Failure { message: "Unable to process command '::set-output name=::1' successfully.", reason: "Required field 'name' is missing in ##[set-output] command." }
        "#]],
    );
}

// proves: conformance 168
#[test]
fn c168_environment_and_path_need_leave() {
    let lines = ["::set-env name=A::1", "::add-path::/a/b"];
    check(
        &lines,
        expect![[r#"
            Failure { message: "Unable to process command '::set-env name=A::1' successfully.", reason: "The `set-env` command is disabled. Write to the file that GITHUB_ENV names, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to `true`." }
            Failure { message: "Unable to process command '::add-path::/a/b' successfully.", reason: "The `add-path` command is disabled. Write to the file that GITHUB_PATH names, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to `true`." }
        "#]],
    );
    let trust = Trust::from_values(Some("True"), None);
    check_with(
        Echo::Off,
        trust,
        &[lines[0], lines[1], "::set-env::1", "::add-path::", "::set-env name=node_options::-r x"],
        expect![[r#"
            SetEnv { name: "A", value: "1" }
            AddPath("/a/b")
            Failure { message: "Unable to process command '::set-env::1' successfully.", reason: "Required field 'name' is missing in ##[set-env] command." }
            Failure { message: "Unable to process command '::add-path::' successfully.", reason: "the path must not be empty" }
            Error("Can't update node_options environment variable using ::set-env:: command.")
        "#]],
    );
    assert_eq!(
        Trust::from_values(Some("1"), Some("1")),
        Trust { unsecure_commands: false, unsecure_stop_tokens: true }
    );
    assert_eq!(Trust::from_values(Some("false"), Some("no")), Trust::default());
}

// proves: conformance 169
#[test]
fn c169_what_is_to_be_masked_is_never_shown() {
    let lines = ["::add-mask::hunter2", "::add-mask::", "::add-mask:: %0A ", "##[add-mask]a%0Ab"];
    check(
        &lines,
        expect![[r#"
            AddMask(***)
            Warning("Can't add secret mask for empty string in ##[add-mask] command.")
            Warning("Can't add secret mask for empty string in ##[add-mask] command.")
            AddMask(***)
        "#]],
    );
    check_with(
        Echo::On,
        Trust::default(),
        &lines[..2],
        expect![[r#"
        AddMask(***), echo "::add-mask::***"
        Warning("Can't add secret mask for empty string in ##[add-mask] command.")
    "#]],
    );
    let mut state = CommandState::new();
    let Effect::AddMask(value) = state.handle(b"::add-mask::a%0Ab").effect else {
        panic!("a mask");
    };
    assert_eq!(value.expose(), "a\nb");
}

// proves: conformance 170
#[test]
fn c170_annotations_and_places_that_make_no_sense() {
    check(
        &[
            "::debug::d",
            "::notice::n",
            "::warning title=T,file=src/a.c::w",
            "::error file=a,line=3,endLine=3,col=5,endColumn=9::e",
            "::error line=3,endLine=5,col=5::columns need one line",
            "::error col=5::columns need a line",
            "::error endLine=5::an end is a beginning",
            "::error line=2,endColumn=5::an end column likewise",
            "::error line=5,endLine=3::before",
            "::error line=5,col=9,endColumn=3::before",
            "::error line=x,endLine= 7 ,col=-1::no numbers",
        ],
        expect![[r#"
            Debug("d")
            Notice "n"
            Warning "w" title=T file=src/a.c
            Error "e" file=a line 3 to line 3 column 5 to column 9
            Error "columns need one line" line 3 to line 5
              Debug("::error::: 'col' and 'endColumn' need 'line' and 'endLine' to be the same; dropped")
            Error "columns need a line"
              Debug("::error::: 'col' and 'endColumn' need 'line'; dropped")
            Error "an end is a beginning" line 5 to line 5
              Debug("::error::: 'endLine' without 'line' counts as both")
            Error "an end column likewise" line 2 column 5 to column 5
              Debug("::error::: 'endColumn' without 'col' counts as both")
            Error "before"
              Debug("::error::: 'endLine' is before 'line'; both dropped")
            Error "before" line 5
              Debug("::error::: 'endColumn' is before 'col'; both dropped")
            Error "no numbers" line 7 to line 7
              Debug("::error::: 'endLine' without 'line' counts as both")
        "#]],
    );
}

// proves: conformance 170, 234
#[test]
fn c234_ten_of_a_level_and_4096_characters() {
    let mut limits = AnnotationLimits::new();
    for _ in 0..PER_LEVEL_LIMIT {
        assert!(limits.admit(Level::Error));
    }
    assert!(!limits.admit(Level::Error));
    assert!(limits.admit(Level::Warning));
    assert!(limits.admit(Level::Notice));
    assert_eq!(AnnotationLimits::clip("short"), "short");
    let long = "é".repeat(MESSAGE_LIMIT + 1);
    assert_eq!(AnnotationLimits::clip(&long).chars().count(), MESSAGE_LIMIT);
}

// proves: conformance 171, 175
#[test]
fn c171_groups_and_echo() {
    check(
        &[
            "::group::a b",
            "::endgroup::x",
            "::echo::ON ",
            "::group::c",
            "::debug::d",
            "::error::e",
            "::echo::off",
            "::endgroup::",
            "::echo::maybe",
        ],
        expect![[r#"
            Group("a b")
            EndGroup
            Echo(On)
            Group("c"), echo "::group::c"
            Debug("d")
            Error "e"
            Echo(Off), echo "::echo::off"
            EndGroup
            Failure { message: "Unable to process command '::echo::maybe' successfully.", reason: "Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: 'maybe'." }
        "#]],
    );
}

// proves: conformance 172
#[test]
fn c172_commands_stop_until_the_token_comes() {
    check(
        &[
            "::stop-commands::long-enough-token",
            "::error::x",
            "##[group]y",
            "::stop-commands::other",
            "::other::",
            "::LONG-enough-token::",
            "::error::z",
            "##[stop-commands]short",
            "##[short]",
            "::short::",
        ],
        expect![[r###"
            Stopped(Some(***)), echo "::stop-commands::long-enough-token"
            Text "::error::x"
            Text "##[group]y"
            Text "::stop-commands::other"
            Text "::other::"
            Resumed, echo "::LONG-enough-token::"
            Error "z"
            Stopped(None), echo "##[stop-commands]short"
            Resumed, echo "##[short]"
            Text "::short::"
        "###]],
    );
    let mut state = CommandState::new();
    for token in ["", "pause-Logging", "Set-Env", "stop-commands"] {
        let handled = state.handle(format!("::stop-commands::{token}").leak().as_bytes());
        assert!(matches!(handled.effect, Effect::Failure { .. }), "{token:?}");
        assert!(!state.is_stopped(), "{token:?}");
    }
    check_with(
        Echo::Off,
        Trust::from_values(None, Some("TRUE")),
        &[
            "::stop-commands::pause-logging",
            "::error::x",
            "::pause-logging::",
            "::stop-commands::",
            "::::",
            "::error::y",
        ],
        expect![[r#"
            Stopped(Some(***)), echo "::stop-commands::pause-logging"
            Text "::error::x"
            Resumed, echo "::pause-logging::"
            Stopped(None), echo "::stop-commands::"
            Text "::::"
            Text "::error::y"
        "#]],
    );
}

#[test]
fn a_step_begins_with_commands_on_and_deprecations_stay_told() {
    let mut state = CommandState::new();
    assert_eq!(state.handle(b"::set-output name=a::1").notes.len(), 1);
    state.handle(b"::stop-commands::x");
    assert!(state.is_stopped());
    state.begin_step(Echo::On, Trust::default());
    assert!(!state.is_stopped());
    let handled = state.handle(b"::set-output name=a::1");
    assert_eq!((handled.notes.len(), handled.echo.is_some()), (0, true));
}

// proves: conformance 173
#[test]
fn c173_matchers_come_and_go() {
    check(
        &[
            "::add-matcher::.github/m.json",
            "::add-matcher::",
            "::remove-matcher owner=gcc::",
            "::remove-matcher::m.json",
            "::remove-matcher::",
            "::remove-matcher owner=gcc::m.json",
        ],
        expect![[r#"
            AddMatcher(".github/m.json")
            Warning("File path must be specified.")
            RemoveMatcher(Owner("gcc"))
            RemoveMatcher(File("m.json"))
            Warning("remove-matcher needs an owner or a file")
            Warning("remove-matcher takes an owner or a file, not both")
        "#]],
    );
}

// proves: conformance 174, 176
#[test]
fn c174_everything_else_is_text() {
    check(
        &[
            "::unknown::x",
            "::internal-set-repo-path::x",
            "std::vec::Vec",
            "a ##[start-action id=1]b",
            "##[end-action]##[start-action",
            "##[section]x",
            "",
        ],
        expect![[r###"
            Text "::unknown::x"
            Text "::internal-set-repo-path::x"
            Text "std::vec::Vec"
            Text "a ##[\\start-action id=1]b"
            Text "##[\\end-action]##[\\start-action"
            Text "##[section]x"
            Text ""
        "###]],
    );
    let mut state = CommandState::new();
    for bytes in [b"\xff\xfe::".as_slice(), b"\xff##[nothing]\xfe"] {
        assert!(matches!(state.handle(bytes).effect, Effect::Text(text) if *text == *bytes));
    }
}

#[test]
fn plain_lines_are_told_without_reading_them() {
    for (line, may) in [
        ("", false),
        ("   ", false),
        ("plain # text ## with [brackets]", false),
        ("  a::b::c", false),
        (": : ::", false),
        ("  ::", true),
        ("x ##[", true),
        (": ##[", true),
        ("\u{2003}::debug::x", true),
    ] {
        assert_eq!(may_be_command(line.as_bytes()), may, "{line:?}");
    }
    assert!(!may_hold_command(b"one : two\n# ## [\n"));
    assert!(may_hold_command(b"one\ntwo\n  ::debug::x\n"));
    assert!(may_hold_command(b"one\ntwo ##[\n"));
    assert!(may_hold_command(b"std::vec\n\r\t\xe2\x80\x83 ::debug::x"));
    assert!(may_hold_command(b"::x"));
    assert!(!may_hold_command(b"std::vec\n a::b::c\n\n:\n:"));
    let long = "#".repeat(100);
    assert!(!may_be_command(long.as_bytes()));
    assert!(may_be_command(format!("{long}[debug]x").as_bytes()));
}
