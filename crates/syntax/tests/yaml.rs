//! YAML at the door: what is read, what is refused, and where.

use std::sync::Arc;

use expect_test::{Expect, expect};
use syntax::{Diagnostic, Node, ScalarPlace, ScalarStyle, Source, Span, yaml};

fn read(text: &str) -> (Arc<Source>, Option<Node>, Vec<Diagnostic>) {
    let source = Source::new("file.yml", text);
    let (node, diagnostics) = yaml::read(&source);
    (source, node, diagnostics)
}

fn say(source: &Source, diagnostic: &Diagnostic) -> String {
    let mut text = String::new();
    for label in &diagnostic.labels {
        let place = source.place(label.span.start);
        text.push_str(&format!("{}:{} ", place.line, place.column));
        if !label.text.is_empty() {
            text.push_str(&format!("({}) ", label.text));
        }
    }
    text.push_str(&diagnostic.message);
    if let Some(hint) = &diagnostic.hint {
        text.push_str(&format!(" | {hint}"));
    }
    text
}

#[track_caller]
fn values(text: &str, expected: Expect) {
    let (source, node, diagnostics) = read(text);
    let mut out = String::new();
    if let Some(node) = node {
        out.push_str(&format!("{}\n", node.to_json()));
    }
    for diagnostic in &diagnostics {
        out.push_str(&format!("{}\n", say(&source, diagnostic)));
    }
    expected.assert_eq(&out);
}

// proves: conformance 2
#[test]
fn c2_core_schema() {
    values(
        "[on, yes, No, off, y, tRue, 2024-01-01, 1:30, 0b11, 1_000]",
        expect![[r#"
        ["on","yes","No","off","y","tRue","2024-01-01","1:30","0b11","1_000"]
    "#]],
    );
    values(
        "[~, null, Null, NULL, '', nUll, true, True, TRUE, false, False, FALSE]",
        expect![[r#"
        [null,null,null,null,"","nUll",true,true,true,false,false,false]
    "#]],
    );
    values(
        "[0, 017, -5, +5, 0x1F, 0o17, 0xFFFFFFFF, 1.5, .5, 1., 1e3, 1E-2, -1.5e+3]",
        expect![[r#"
            [0,17,-5,5,31,15,-1,1.5,0.5,1,1000,0.01,-1500]
        "#]],
    );
    values(
        "[.inf, -.Inf, .INF, .nan, 0x, e5, ., 1e, --1, 0X1F]",
        expect![[r#"
        ["Infinity","-Infinity","Infinity","NaN","0x","e5",".","1e","--1","0X1F"]
    "#]],
    );
    values(
        "a: 0x1FFFFFFFF",
        expect![[r#"
        {"a":"0x1FFFFFFFF"}
        1:4 the number 0x1FFFFFFFF does not fit 32 bits | put quotes around it if it is text
    "#]],
    );
    values(
        "['5', \"true\", '~']",
        expect![[r#"
        ["5","true","~"]
    "#]],
    );
    values(
        "a:\nb: ''\nc: |\n  x",
        expect![[r#"
        {"a":null,"b":"","c":"x"}
    "#]],
    );
}

// proves: conformance 3
#[test]
fn c3_tags() {
    values(
        "[!!str 5, !!int 5, !!float 5, !!bool true, !!null ~, !!str 'a']",
        expect![[r#"
        ["5",5,5,true,null,"a"]
    "#]],
    );
    values(
        "a: !!int x\nb: !!bool 1\nc: !!int '5'\nd: !mine x\ne: !!set {}",
        expect![[r#"
        {"a":null,"b":null,"c":"5","d":"x","e":{}}
        1:4 'x' does not fit the tag '!!int'
        2:4 '1' does not fit the tag '!!bool'
        3:4 unexpected tag '!!int' | a value that begins with `!` is a YAML tag; put quotes around it, or write `${{ .. }}`
        4:4 unexpected tag '!mine' | a value that begins with `!` is a YAML tag; put quotes around it, or write `${{ .. }}`
        5:4 unexpected tag '!!set' | a value that begins with `!` is a YAML tag; put quotes around it, or write `${{ .. }}`
    "#]],
    );
    values(
        "if: !cancelled()",
        expect![[r#"
        {"if":""}
        1:5 unexpected tag '!cancelled()' | a value that begins with `!` is a YAML tag; put quotes around it, or write `${{ .. }}`
    "#]],
    );
    values(
        "if: !contains(a, b) && c",
        expect![[r#"
            1:5 a value may not begin with ! | a value that begins with `!` is a YAML tag; put quotes around it, or write `${{ .. }}`
        "#]],
    );
}

// proves: conformance 4
#[test]
fn c4_aliases_are_replayed_and_merge_keys_do_not_exist() {
    values(
        "a: &x {b: 1}\nc: *x\nd: &y [*x]\ne: *y",
        expect![[r#"
        {"a":{"b":1},"c":{"b":1},"d":[{"b":1}],"e":[{"b":1}]}
    "#]],
    );
    values(
        "a: &x {b: 1}\nc:\n  <<: *x\n  d: 2",
        expect![[r#"
        {"a":{"b":1},"c":{"<<":{"b":1},"d":2}}
    "#]],
    );
    values(
        "a: *nope\nb: *.js",
        expect![[r#"
        {"a":null,"b":null}
        1:4 unknown alias '*nope' | a value that begins with `*` is a YAML alias; put quotes around text
        2:4 unknown alias '*.js' | a value that begins with `*` is a YAML alias; put quotes around text
    "#]],
    );
    values(
        "a: &x [*x]",
        expect![[r#"
        1:8 this alias stands inside the value that it names
    "#]],
    );
}

// proves: conformance 5
#[test]
fn c5_duplicate_keys_ignore_case() {
    values(
        "a: 1\nb: 2\nA: 3\nenv:\n  X: 1\n  x: 2",
        expect![[r#"
        {"a":1,"b":2,"env":{"X":1}}
        3:1 1:1 (first defined here) 'A' is already defined | keys are compared without regard to case; keep one of them
        6:3 5:3 (first defined here) 'x' is already defined | keys are compared without regard to case; keep one of them
    "#]],
    );
    let many: String = (0..40).map(|it| format!("k{it}: 1\n")).collect();
    values(
        &format!("{many}K7: 2\nk39: 1\n"),
        expect![[r#"
        {"k0":1,"k1":1,"k2":1,"k3":1,"k4":1,"k5":1,"k6":1,"k7":1,"k8":1,"k9":1,"k10":1,"k11":1,"k12":1,"k13":1,"k14":1,"k15":1,"k16":1,"k17":1,"k18":1,"k19":1,"k20":1,"k21":1,"k22":1,"k23":1,"k24":1,"k25":1,"k26":1,"k27":1,"k28":1,"k29":1,"k30":1,"k31":1,"k32":1,"k33":1,"k34":1,"k35":1,"k36":1,"k37":1,"k38":1,"k39":1}
        41:1 8:1 (first defined here) 'K7' is already defined | keys are compared without regard to case; keep one of them
        42:1 40:1 (first defined here) 'k39' is already defined | keys are compared without regard to case; keep one of them
    "#]],
    );
    values(
        "${{ insert }}: 1\n${{ insert }}: 2",
        expect![[r#"
        {"${{ insert }}":2}
    "#]],
    );
}

#[test]
fn keys_become_text() {
    values(
        "1: a\n2.50: b\ntrue: c\n~: d\n0x10: e",
        expect![[r#"
        {"1":"a","2.5":"b","true":"c","":"d","16":"e"}
    "#]],
    );
    values(
        "a: {{ b }}\nc: d",
        expect![[r#"
        {"a":{},"c":"d"}
        1:5 a mapping may not be a key | `{{ .. }}` outside of quotes is YAML's mapping; an expression is `${{ .. }}`, other text with braces needs quotes
    "#]],
    );
    values(
        "? [a]\n: 1\nb: 2",
        expect![[r#"
        {"b":2}
        1:3 a list may not be a key | put quotes around text that begins with `[`
    "#]],
    );
}

// proves: conformance 8
#[test]
fn c8_limits_end_the_reading_at_once() {
    let brackets = "[".repeat(100_000);
    values(
        &brackets,
        expect![[r#"
        1:101 too deeply nested | at most 50 levels are read
    "#]],
    );
    values(
        &"- ".repeat(20_000),
        expect![[r#"
        1:101 too deeply nested | at most 50 levels are read
    "#]],
    );
    values(
        &format!("{}x{}", "[".repeat(50), "]".repeat(50)),
        expect![[r#"
        [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["x"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
    "#]],
    );
    values(
        &format!("{}x{}", "[".repeat(51), "]".repeat(51)),
        expect![[r#"
        1:51 too deeply nested | at most 50 levels are read
    "#]],
    );
    let laughs: String =
        (1..10).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, it| {
            let before = it - 1;
            let items = vec![format!("*a{before}"); 9].join(", ");
            format!("{text}a{it}: &a{it} [{items}]\n")
        });
    values(
        &laughs,
        expect![[r#"
            5:35 more than 50000 YAML nodes, aliases counted in full | say it in less: a matrix, a reusable workflow, several files
        "#]],
    );
    let deep = "a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]\n\
                b: [[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]\n";
    let (source, node, diagnostics) = read(deep);
    assert!(node.is_none());
    expect!["2:30 too deeply nested | at most 50 levels are read"]
        .assert_eq(&say(&source, &diagnostics[0]));
    let nodes = format!("[{}]", "x,".repeat(50_000));
    let (source, _, diagnostics) = read(&nodes);
    expect!["1:100000 more than 50000 YAML nodes, aliases counted in full | say it in less: a matrix, a reusable workflow, several files"]
        .assert_eq(&say(&source, &diagnostics[0]));
    let (_, _, diagnostics) = read(&"#".repeat(yaml::BYTES_MAX + 1));
    expect!["the file is larger than 1048576 bytes"].assert_eq(&diagnostics[0].message);
}

#[test]
fn mistakes_people_make() {
    values(
        "jobs:\n\tbuild:\n",
        expect![[r#"
        2:2 a tab may not indent YAML | replace the tab by spaces
    "#]],
    );
    values(
        "jobs:\n  a: 1\n\t b: 2\n",
        expect![[r#"
            2:6 a tab may not indent YAML | replace the tab by spaces
        "#]],
    );
    values(
        "branches: [main\njobs:\n  a: 1\n",
        expect![[r#"
        2:5 1:11 (opened here) `[` is not closed | add `]`, or put quotes around text that begins with `[`
    "#]],
    );
    values(
        "a: {b: 1\nc: [d]\n",
        expect![[r#"
        2:2 1:4 (opened here) `{` is not closed | add `}`, or put quotes around text that begins with `{`
    "#]],
    );
    values(
        "name: a: b",
        expect![[r#"
        1:8 mapping values are not allowed in this context | a value that holds `: ` needs quotes; a key and its value stand on one line
    "#]],
    );
    values(
        "name: 'it's'\n",
        expect![[r#"
            1:11 the quoted text ended before this | inside '..' a quote is written twice, inside ".." as `\"`
        "#]],
    );
    values(
        "name: \"open\nb: 1\n",
        expect![[r#"
            2:1 a quoted text does not end | add the closing quote; inside '..' a quote is written twice
        "#]],
    );
    values(
        "path: \"C:\\dir\"",
        expect![[r#"
        1:7 unknown escape in ".." | write `\\` for a backslash, or use '..', where a backslash is plain text
    "#]],
    );
    values(
        "a: @here",
        expect![[r#"
            1:4 a value may not begin with @ | put quotes around the value
        "#]],
    );
    values(
        "a: `x`",
        expect![[r#"
            1:4 a value may not begin with ` | put quotes around the value
        "#]],
    );
    values(
        "a:\n  b: 1\n c: 2\n",
        expect![[r#"
        3:2 this does not fit the indentation of the lines before it | keys of one mapping, and `-` of one list, begin in the same column
    "#]],
    );
    values(
        "a: 1\n---\nb: 2\n",
        expect![[r#"
        2:1 a second YAML document begins here | keep one document in a file: remove the `---`
    "#]],
    );
    values(
        "a: \u{0}",
        expect![[r#"
        1:4 unexpected character: `\u{0}'
    "#]],
    );
}

#[test]
fn texts_of_all_kinds() {
    values(
        "\u{feff}name: bom",
        expect![[r#"
        {"name":"bom"}
    "#]],
    );
    values(
        "a: |\r\n  x\r\n  y\r\nb: 1\r\n",
        expect![[r#"
        {"a":"x\ny\n","b":1}
    "#]],
    );
    values("", expect![[""]]);
    values("# only a comment\n", expect![[""]]);
    // GitHub's reader gives the text no line end that the file does not have.
    values(
        "a: |\n  x\n  y",
        expect![[r#"
        {"a":"x\ny"}
    "#]],
    );
    values(
        "a: |\n  x\n  y\n",
        expect![[r#"
        {"a":"x\ny\n"}
    "#]],
    );
    values(
        "a: |+\n  x\n\n",
        expect![[r#"
        {"a":"x\n\n"}
    "#]],
    );
    values(
        "a: >-\n  x\n  y\n\n  z\n",
        expect![[r#"
        {"a":"x y\nz"}
    "#]],
    );
    values(
        "a:\tb\n",
        expect![[r#"
        {"a":"b"}
    "#]],
    );
}

#[test]
fn numbers_are_written_as_github_writes_them() {
    let written: Vec<String> =
        [3.10, 0.0, -0.0, 1e3, 0.1, 0.00001, 1e15, 1.5e20, 123_456_789_012_345_680.0]
            .iter()
            .map(|number| yaml::number_text(*number))
            .collect();
    expect!["3.1 0 0 1000 0.1 1E-05 1E+15 1.5E+20 1.23456789012346E+17"]
        .assert_eq(&written.join(" "));
}

/// Every node's span must hold the node's own text.
#[test]
fn spans_hold_their_text() {
    let text = "a: word\nb: 'q'\nlist:\n  - x\n  - [y, z]\nmap: {k: v}\ntext: |\n  one\nlast: 5\n";
    let (source, node, _) = read(text);
    let root = node.unwrap();
    let mut out = String::new();
    for entry in &root.as_mapping().unwrap().entries {
        let key = source.slice(entry.key.span);
        out.push_str(&format!("{key} = {:?}\n", source.slice(entry.value.span)));
    }
    expect![[r#"
        a = "word"
        b = "'q'"
        list = "- x\n  - [y, z]"
        map = "{k: v}"
        text = "one\n"
        last = "5"
    "#]]
    .assert_eq(&out);
}

/// The place of a word of a value in the text, for each way to write it.
#[test]
fn offsets_in_values_lead_back_to_the_text() {
    for (text, word) in [
        ("a: one TWO three", "TWO"),
        ("a: 'it''s TWO'", "TWO"),
        ("a: \"tab\\t \\u00e9 TWO\"", "TWO"),
        ("a: |\n    one\n      TWO\n", "TWO"),
        ("a: >-\n    one\n    TWO\n\n    three\n", "three"),
        ("a: |2 # note\n    one\n  TWO\n", "TWO"),
        ("a: |\n  \"one\" 'it''s' TWO\n", "TWO"),
        ("a: >\n  'it' \\x41 TWO\n", "TWO"),
        ("a: one\n   two\n   TWO", "TWO"),
        ("a: \"one\n   TWO\"", "TWO"),
        ("a: |\r\n  one\r\n  TWO\r\n", "TWO"),
        ("a: \u{e9}\u{1f600} TWO", "TWO"),
    ] {
        let (source, node, _) = read(text);
        let node = node.unwrap();
        let value = node.as_mapping().unwrap().get("a").unwrap();
        let value_text = value.as_str().unwrap();
        let at = value_text.find(word).unwrap();
        let span = yaml::locate(&source, value.place(), value_text, at..at + word.len());
        assert_eq!(source.slice(span), word, "{text:?}");
        let end = value_text.len();
        let span = yaml::locate(&source, value.place(), value_text, end..end);
        assert!(span.end as usize <= text.len(), "{text:?}");
    }
    // What does not fit its text is answered by the whole scalar.
    let source = Source::new("x", "*alias");
    let whole = Span::new(0, 6);
    for style in [ScalarStyle::Plain, ScalarStyle::DoubleQuoted, ScalarStyle::Literal] {
        let place = ScalarPlace { span: whole, style };
        assert_eq!(yaml::locate(&source, place, "lias", 1..3), whole, "{style:?}");
        let nowhere = ScalarPlace { span: Span::default(), style };
        let empty = Source::new("x", "");
        assert_eq!(yaml::locate(&empty, nowhere, "other", 1..3), Span::default());
    }
}

#[test]
fn json_there_and_back() {
    let text = "{a: 3.10, b: [1, x, ~, true], c: {d: .inf, e: 1e300, f: -7}, g: '5'}";
    let (_, node, _) = read(text);
    let json = node.unwrap().to_json();
    expect![[r#"{"a":3.1,"b":[1,"x",null,true],"c":{"d":"Infinity","e":1e+300,"f":-7},"g":"5"}"#]]
        .assert_eq(&json.to_string());
    assert_eq!(Node::from_json(&json, Span::default()).to_json(), json);
}
