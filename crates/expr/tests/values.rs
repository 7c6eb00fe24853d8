//! What expressions are worth: one table a group of rules.

use expect_test::{Expect, expect};
use expr::{Contexts, Expr, Object, Scope, StatusFunction, Value};
use serde_json::json;

struct World(Object);

impl World {
    fn new() -> Self {
        let json = json!({
            "github": {
                "ref": "refs/heads/main",
                "event": {"labels": [{"name": "bug", "id": 1}, {"name": "Docs"}, "plain", [7, 8]]},
            },
            "matrix": {"os": ["linux", "macos", "windows"], "n": {"a": 1, "b": [2]}},
            "steps": {"x": {"outputs": {"flag": "false"}}},
            "needs": {"skipped": {"result": "skipped", "outputs": {}}},
        });
        let mut env = Object::case_sensitive();
        env.insert("Path", "a");
        env.insert("PATH", "b");
        let entries = json.as_object().expect("it is an object").iter();
        let mut contexts: Object =
            entries.map(|(name, it)| (name.as_str(), Value::from_json(it))).collect();
        contexts.insert("env", env);
        Self(contexts)
    }
}

impl Contexts for World {
    fn context(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn status(&self, function: StatusFunction, names: &[String]) -> Result<bool, String> {
        Ok(function == StatusFunction::Always || names == ["build"])
    }

    fn hash_files(&self, patterns: &[String]) -> Result<String, String> {
        Ok(format!("digest of {}", patterns.join(" ")))
    }
}

/// The expression's value as compact JSON with its numbers as text, or the error.
fn worth(text: &str) -> String {
    match Expr::parse(text, &Scope::everything()) {
        Err(error) => format!("REFUSED {error}"),
        Ok(parsed) => match parsed.evaluate(&World::new()) {
            Err(error) => format!("FAILED {error}"),
            Ok(Value::Number(number)) => Value::Number(number).to_text().as_ref().to_owned(),
            Ok(value) => value.to_json().to_string(),
        },
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as expect-test hands its tables over")]
fn check(texts: &[&str], expected: Expect) {
    let lines: String = texts.iter().map(|it| format!("{it} -> {}\n", worth(it))).collect();
    expected.assert_eq(&lines);
}

// proves: conformance 71
#[test]
fn c71_literals() {
    check(
        &[
            "null",
            "true",
            "False",
            "NaN",
            "nan",
            "Infinity",
            "-Infinity",
            "1",
            "+2",
            "-.5",
            "5.",
            ".5",
            "1e3",
            "1E-2",
            "0x1F",
            "0xffffffff",
            "0X1F",
            "0o17",
            "1x",
            "'it''s'",
            "''",
            "'ü'",
            "\"text\"",
            "'open",
        ],
        expect![[r#"
            null -> null
            true -> true
            False -> REFUSED Unrecognized named-value: 'False'. Located at position 1 within expression: False
            NaN -> NaN
            nan -> REFUSED Unrecognized named-value: 'nan'. Located at position 1 within expression: nan
            Infinity -> Infinity
            -Infinity -> -Infinity
            1 -> 1
            +2 -> 2
            -.5 -> -0.5
            5. -> 5
            .5 -> 0.5
            1e3 -> 1000
            1E-2 -> 0.01
            0x1F -> 31
            0xffffffff -> -1
            0X1F -> REFUSED Unexpected symbol: '0X1F'. Located at position 1 within expression: 0X1F
            0o17 -> 15
            1x -> REFUSED Unexpected symbol: '1x'. Located at position 1 within expression: 1x
            'it''s' -> "it's"
            '' -> ""
            'ü' -> "ü"
            "text" -> REFUSED Unexpected symbol: '"text"'. Located at position 1 within expression: "text"
            'open -> REFUSED Unexpected symbol: ''open'. Located at position 1 within expression: 'open
        "#]],
    );
}

// proves: conformance 72
#[test]
fn c72_precedence() {
    check(
        &[
            "true || false && false",
            "(true || false) && false",
            "1 == 2 == false",
            "1 < 2 == true",
            "3 > 2 > 1",
            "!true == false",
            "!(true == false)",
            "!!'a'",
            "!matrix.os[0]",
            "1 == 1 && 2 > 1 || false",
        ],
        expect![[r#"
            true || false && false -> true
            (true || false) && false -> false
            1 == 2 == false -> true
            1 < 2 == true -> true
            3 > 2 > 1 -> false
            !true == false -> true
            !(true == false) -> true
            !!'a' -> true
            !matrix.os[0] -> false
            1 == 1 && 2 > 1 || false -> true
        "#]],
    );
}

// proves: conformance 73
#[test]
fn c73_operators_choose_operands_and_stop_early() {
    check(
        &[
            "'a' && 'b'",
            "'' && 'b'",
            "0 || 'b'",
            "NaN || -0 || null",
            "'a' || fromJSON('bad')",
            "false && fromJSON('bad')",
            "matrix.os && 1",
            "null || false || ''",
        ],
        expect![[r#"
            'a' && 'b' -> "b"
            '' && 'b' -> ""
            0 || 'b' -> "b"
            NaN || -0 || null -> null
            'a' || fromJSON('bad') -> "a"
            false && fromJSON('bad') -> false
            matrix.os && 1 -> 1
            null || false || '' -> ""
        "#]],
    );
}

// proves: conformance 74, 251
#[test]
fn c74_equality() {
    check(
        &[
            "'ABC' == 'abc'",
            "'É' == 'é'",
            "1 == '1'",
            "null == 0",
            "null == ''",
            "true == '1'",
            "true == 'true'",
            "false == ''",
            "NaN == NaN",
            "matrix.os == matrix.os",
            "fromJSON('[]') == fromJSON('[]')",
            "matrix.os == 'Array'",
            "null == null",
            "null != fromJSON('{}')",
            "steps.x.outputs.flag && 'a string is true'",
            "steps.x.outputs.flag == false",
        ],
        expect![[r#"
            'ABC' == 'abc' -> true
            'É' == 'é' -> true
            1 == '1' -> true
            null == 0 -> true
            null == '' -> true
            true == '1' -> true
            true == 'true' -> false
            false == '' -> true
            NaN == NaN -> false
            matrix.os == matrix.os -> true
            fromJSON('[]') == fromJSON('[]') -> false
            matrix.os == 'Array' -> false
            null == null -> true
            null != fromJSON('{}') -> true
            steps.x.outputs.flag && 'a string is true' -> "a string is true"
            steps.x.outputs.flag == false -> false
        "#]],
    );
}

// proves: conformance 75
#[test]
fn c75_order() {
    check(
        &[
            "1 < 2",
            "'a' < 'B'",
            "'_' < 'a'",
            "'10' < 9",
            "'x' < 1",
            "true > false",
            "true >= 1",
            "null <= null",
            "null < null",
            "matrix.os < matrix.os",
            "NaN >= NaN",
            "fromJSON('[]') <= 1",
        ],
        expect![[r#"
            1 < 2 -> true
            'a' < 'B' -> true
            '_' < 'a' -> false
            '10' < 9 -> false
            'x' < 1 -> false
            true > false -> true
            true >= 1 -> true
            null <= null -> true
            null < null -> false
            matrix.os < matrix.os -> false
            NaN >= NaN -> false
            fromJSON('[]') <= 1 -> false
        "#]],
    );
}

// proves: conformance 76
#[test]
fn c76_text_as_number() {
    check(
        &[
            "' 12 ' == 12",
            "'' == 0",
            "'0x10' == 16",
            "'0xFFFFFFFF' == -1",
            "'0x100000000' == NaN",
            "'0o17' == 15",
            "'1e2' == 100",
            "'Infinity' > 1e300",
            "'-Infinity' < -1e300",
            "'0b1' == 1",
            "'1_000' == 1000",
            "'1e999' == Infinity",
            "'+5' == 5",
            "'- 5' == -5",
        ],
        expect![[r#"
            ' 12 ' == 12 -> true
            '' == 0 -> true
            '0x10' == 16 -> true
            '0xFFFFFFFF' == -1 -> true
            '0x100000000' == NaN -> false
            '0o17' == 15 -> true
            '1e2' == 100 -> true
            'Infinity' > 1e300 -> true
            '-Infinity' < -1e300 -> true
            '0b1' == 1 -> false
            '1_000' == 1000 -> false
            '1e999' == Infinity -> true
            '+5' == 5 -> true
            '- 5' == -5 -> false
        "#]],
    );
}

// proves: conformance 77
#[test]
fn c77_number_as_text() {
    check(
        &[
            "format('{0}', 12345678901234567890.0)",
            "format('{0}', -0)",
            "format('{0}', 0.1)",
            "format('{0}', 1e15)",
            "format('{0}', 999999999999999)",
            "format('{0}', 1e14)",
            "format('{0}', 0.0001)",
            "format('{0}', 0.00001)",
            "format('{0}', 0.00001234)",
            "format('{0}', 0.30000000000000004)",
            "format('{0}', -1.5e-9)",
            "format('{0}', 3.14159265358979)",
            "format('{0}', 1e300)",
            "format('{0}', NaN)",
            "format('{0}', -Infinity)",
            "format('{0}', 1e-320)",
            "format('{0}', 100)",
        ],
        expect![[r#"
            format('{0}', 12345678901234567890.0) -> "1.23456789012346E+19"
            format('{0}', -0) -> "0"
            format('{0}', 0.1) -> "0.1"
            format('{0}', 1e15) -> "1E+15"
            format('{0}', 999999999999999) -> "999999999999999"
            format('{0}', 1e14) -> "100000000000000"
            format('{0}', 0.0001) -> "0.0001"
            format('{0}', 0.00001) -> "1E-05"
            format('{0}', 0.00001234) -> "1.234E-05"
            format('{0}', 0.30000000000000004) -> "0.3"
            format('{0}', -1.5e-9) -> "-1.5E-09"
            format('{0}', 3.14159265358979) -> "3.14159265358979"
            format('{0}', 1e300) -> "1E+300"
            format('{0}', NaN) -> "NaN"
            format('{0}', -Infinity) -> "-Infinity"
            format('{0}', 1e-320) -> "9.99988867182683E-321"
            format('{0}', 100) -> "100"
        "#]],
    );
}

// proves: conformance 78
#[test]
fn c78_other_kinds_as_text() {
    check(
        &[
            "format('{0}', matrix.os)",
            "format('{0}', matrix)",
            "format('{0}', true)",
            "format('[{0}]', null)",
        ],
        expect![[r#"
            format('{0}', matrix.os) -> "Array"
            format('{0}', matrix) -> "Object"
            format('{0}', true) -> "true"
            format('[{0}]', null) -> "[]"
        "#]],
    );
}

// proves: conformance 79, 80, 81, 252
#[test]
fn c81_looking_into_values() {
    check(
        &[
            "GITHUB.Ref",
            "github['REF']",
            "env.Path",
            "env.path",
            "github.missing.deeper[0]",
            "matrix.os[0]",
            "matrix.os[1.9]",
            "matrix.os['2']",
            "matrix.os[-1]",
            "matrix.os[99]",
            "matrix.os.name",
            "matrix.os[NaN]",
            "matrix.n[matrix.os]",
            "fromJSON('{\"1\":2}')[1]",
            "'text'.length",
            "needs.skipped.outputs.any",
            "needs.none.outputs.any == ''",
            "vars.any",
        ],
        expect![[r#"
            GITHUB.Ref -> "refs/heads/main"
            github['REF'] -> "refs/heads/main"
            env.Path -> "a"
            env.path -> null
            github.missing.deeper[0] -> null
            matrix.os[0] -> "linux"
            matrix.os[1.9] -> "macos"
            matrix.os['2'] -> "windows"
            matrix.os[-1] -> null
            matrix.os[99] -> null
            matrix.os.name -> null
            matrix.os[NaN] -> null
            matrix.n[matrix.os] -> null
            fromJSON('{"1":2}')[1] -> 2
            'text'.length -> REFUSED Unexpected symbol: '.'. Located at position 7 within expression: 'text'.length
            needs.skipped.outputs.any -> null
            needs.none.outputs.any == '' -> true
            vars.any -> null
        "#]],
    );
}

// proves: conformance 82
#[test]
fn c82_filtered_arrays() {
    check(
        &[
            "github.event.labels.*.name",
            "github.event.labels[*].id",
            "matrix.n.*",
            "matrix.os.*",
            "github.ref.*",
            "github.event.labels.*[0]",
            "(github.event.labels.*)[0]",
            "fromJSON(toJSON(matrix.os.*))[0]",
            "github.event.labels.*.*",
            "contains(github.event.labels.*.name, 'BUG')",
            "(github.event.labels.* || 1).name",
        ],
        expect![[r#"
            github.event.labels.*.name -> ["bug","Docs"]
            github.event.labels[*].id -> [1]
            matrix.n.* -> [1,[2]]
            matrix.os.* -> ["linux","macos","windows"]
            github.ref.* -> []
            github.event.labels.*[0] -> [7]
            (github.event.labels.*)[0] -> [7]
            fromJSON(toJSON(matrix.os.*))[0] -> "linux"
            github.event.labels.*.* -> ["bug",1,"Docs",7,8]
            contains(github.event.labels.*.name, 'BUG') -> true
            (github.event.labels.* || 1).name -> ["bug","Docs"]
        "#]],
    );
}

// proves: conformance 83
#[test]
fn c83_functions() {
    check(
        &[
            "contains('Hello', 'LL')",
            "contains(matrix.os, 'LINUX')",
            "contains(matrix, 'os')",
            "contains(123, 2)",
            "startsWith('Refs', 'rEF')",
            "endsWith(matrix.os, 's')",
            "ENDSWITH('abc', '')",
            "format('{0} {{{1}}} {0}', 'a', 2)",
            "format('{')",
            "format('}')",
            "format('{1}', 1)",
            "format('{0:x}', 1)",
            "format('{0', 1)",
            "format('{256}', 1)",
            "format('plain', fromJSON('bad'))",
            "join(matrix.os)",
            "join(matrix.os, ' - ')",
            "join('one')",
            "join(matrix)",
            "join(matrix.os, matrix)",
            "join(fromJSON('[null, true, [1]]'), '|')",
            "contains('a')",
            "contains('a', 'b', 'c')",
            "format()",
            "toJSON(1, 2)",
            "join(matrix.os,)",
        ],
        expect![[r#"
            contains('Hello', 'LL') -> true
            contains(matrix.os, 'LINUX') -> true
            contains(matrix, 'os') -> false
            contains(123, 2) -> true
            startsWith('Refs', 'rEF') -> true
            endsWith(matrix.os, 's') -> false
            ENDSWITH('abc', '') -> true
            format('{0} {{{1}}} {0}', 'a', 2) -> "a {2} a"
            format('{') -> FAILED format: the following format string is invalid: {
            format('}') -> FAILED format: the following format string is invalid: }
            format('{1}', 1) -> FAILED format: the following format string references more arguments than were supplied: {1}
            format('{0:x}', 1) -> FAILED format: the format specifiers 'x' are not valid for objects of type 'Number'
            format('{0', 1) -> FAILED format: the following format string is invalid: {0
            format('{256}', 1) -> FAILED format: the following format string is invalid: {256}
            format('plain', fromJSON('bad')) -> "plain"
            join(matrix.os) -> "linux,macos,windows"
            join(matrix.os, ' - ') -> "linux - macos - windows"
            join('one') -> "one"
            join(matrix) -> ""
            join(matrix.os, matrix) -> "linux,macos,windows"
            join(fromJSON('[null, true, [1]]'), '|') -> "|true|Array"
            contains('a') -> REFUSED Too few parameters supplied: '('. Located at position 9 within expression: contains('a')
            contains('a', 'b', 'c') -> REFUSED Too many parameters supplied: '('. Located at position 9 within expression: contains('a', 'b', 'c')
            format() -> REFUSED Too few parameters supplied: '('. Located at position 7 within expression: format()
            toJSON(1, 2) -> REFUSED Too many parameters supplied: '('. Located at position 7 within expression: toJSON(1, 2)
            join(matrix.os,) -> REFUSED Unexpected symbol: ')'. Located at position 16 within expression: join(matrix.os,)
        "#]],
    );
}

// proves: conformance 84
#[test]
fn c84_case() {
    check(
        &[
            "case(true, 1, 2)",
            "case(false, 1, true, 2, 3)",
            "case(false, 1, 3)",
            "case('true', 1, 2)",
            "case(1, 1, 2)",
            "case(true, 1, fromJSON('bad'))",
            "case(true, 1)",
            "case(true, 1, false, 2)",
        ],
        expect![[r#"
            case(true, 1, 2) -> 1
            case(false, 1, true, 2, 3) -> 2
            case(false, 1, 3) -> 3
            case('true', 1, 2) -> FAILED case: case predicate must evaluate to a boolean value, not String
            case(1, 1, 2) -> FAILED case: case predicate must evaluate to a boolean value, not Number
            case(true, 1, fromJSON('bad')) -> 1
            case(true, 1) -> REFUSED Too few parameters supplied: '('. Located at position 5 within expression: case(true, 1)
            case(true, 1, false, 2) -> REFUSED Even number of parameters supplied, requires an odd number of parameters: '('. Located at position 5 within expression: case(true, 1, false, 2)
        "#]],
    );
}

// proves: conformance 85
#[test]
fn c85_from_json_is_lenient() {
    check(
        &[
            "fromJSON('{\"a\": [1, 2.5, null, \"x\"]}')",
            "fromJSON('{\"Key\": 1}').kEY",
            "fromJSON('{a: ''single''}')",
            "fromJSON('[1, /* c */ 2, // d\n]')",
            "fromJSON('1 2')",
            "fromJSON('NaN')",
            "fromJSON('-Infinity')",
            "fromJSON('0x1F')",
            "fromJSON('[1,,2]')",
            "fromJSON('\"\\ud83d\\ude00 \\n\"')",
            "fromJSON('12345678901234567890')",
            "fromJSON('')",
            "fromJSON('{\"a\":')",
            "fromJSON('[1 2]')",
            "fromJSON('nul')",
            "fromJSON('\"open')",
            "fromJSON('{\"a\": 1, \"A\": 2}')",
        ],
        expect![[r#"
            fromJSON('{"a": [1, 2.5, null, "x"]}') -> {"a":[1,2.5,null,"x"]}
            fromJSON('{"Key": 1}').kEY -> 1
            fromJSON('{a: ''single''}') -> {"a":"single"}
            fromJSON('[1, /* c */ 2, // d
            ]') -> [1,2]
            fromJSON('1 2') -> 1
            fromJSON('NaN') -> NaN
            fromJSON('-Infinity') -> -Infinity
            fromJSON('0x1F') -> 31
            fromJSON('[1,,2]') -> [1,"",2]
            fromJSON('"\ud83d\ude00 \n"') -> "😀 \n"
            fromJSON('12345678901234567890') -> 1.23456789012346E+19
            fromJSON('') -> FAILED fromJSON: there is no JSON in an empty text at character 1
            fromJSON('{"a":') -> FAILED fromJSON: the text ends where a value should stand at character 6
            fromJSON('[1 2]') -> FAILED fromJSON: ',' or ']' should stand here at character 4
            fromJSON('nul') -> FAILED fromJSON: a value should stand here at character 1
            fromJSON('"open') -> FAILED fromJSON: a string is never closed at character 6
            fromJSON('{"a": 1, "A": 2}') -> {"a":2}
        "#]],
    );
}

// proves: conformance 83
#[test]
fn c83_to_json_has_two_spaces_and_the_runners_escapes() {
    let json = |text: &str| {
        let parsed = Expr::parse(text, &Scope::everything()).expect("it is an expression");
        parsed.evaluate(&World::new()).expect("it has a value").to_text()
    };
    expect![[r#"
        {
          "os": [
            "linux",
            "macos",
            "windows"
          ],
          "n": {
            "a": 1,
            "b": [
              2
            ]
          }
        }"#]]
    .assert_eq(&json("toJSON(matrix)"));
    check(
        &[
            "toJSON('a\"b\\c\n\u{1}\u{2028}ü')",
            "toJSON(fromJSON('[]'))",
            "toJSON(fromJSON('{}'))",
            "toJSON(1e20)",
            "toJSON(NaN)",
            "toJSON(null)",
            "toJSON(env)",
        ],
        expect![[r#"
            toJSON('a"b\c
             ü') -> "\"a\\\"b\\\\c\\n\\u0001\\u2028ü\""
            toJSON(fromJSON('[]')) -> "[]"
            toJSON(fromJSON('{}')) -> "{}"
            toJSON(1e20) -> "1E+20"
            toJSON(NaN) -> "NaN"
            toJSON(null) -> "null"
            toJSON(env) -> "{\n  \"Path\": \"a\",\n  \"PATH\": \"b\"\n}"
        "#]],
    );
}

// proves: conformance 86, 88
#[test]
fn c86_c88_questions_are_asked_at_the_door() {
    check(
        &[
            "hashFiles('**/Cargo.lock', '!target')",
            "hashFiles('--follow-symbolic-links', 'a')",
            "hashFiles('--fast', 'a')",
            "always()",
            "success()",
            "failure('build')",
            "cancelled()",
            "always(1)",
            "hashFiles()",
        ],
        expect![[r#"
            hashFiles('**/Cargo.lock', '!target') -> "digest of **/Cargo.lock !target"
            hashFiles('--follow-symbolic-links', 'a') -> "digest of --follow-symbolic-links a"
            hashFiles('--fast', 'a') -> FAILED hashFiles: invalid glob option --fast, available option: '--follow-symbolic-links'
            always() -> true
            success() -> false
            failure('build') -> true
            cancelled() -> false
            always(1) -> REFUSED Too many parameters supplied: '('. Located at position 7 within expression: always(1)
            hashFiles() -> REFUSED Too few parameters supplied: '('. Located at position 10 within expression: hashFiles()
        "#]],
    );
}

// proves: conformance 87
#[test]
fn c87_limits() {
    let long = |length: usize| format!("'{}'", "x".repeat(length - 2));
    assert!(worth(&long(21_000)).starts_with('"'));
    assert_eq!(worth(&long(21_001)), "REFUSED Exceeded max expression length 21000");
    assert_eq!(worth(&format!("{}1", "!".repeat(49))), "false");
    assert_eq!(worth(&format!("{}1", "!".repeat(50))), "REFUSED Exceeded max expression depth 50");
    // Parentheses and chains are no depth.
    assert_eq!(worth(&format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000))), "1");
    assert_eq!(worth(&vec!["0"; 5_000].join("||")), "0");
    assert_eq!(worth(""), "null");
    assert_eq!(worth("  "), "null");
    // 21 texts of 26,000 units are more than a megabyte of .NET strings.
    let many = (0..30).map(|_| "{0}").collect::<String>();
    let big = format!("format('{many}', '{}')", "x".repeat(20_000));
    assert!(worth(&big).starts_with("FAILED the maximum allowed memory size was exceeded"));
}
