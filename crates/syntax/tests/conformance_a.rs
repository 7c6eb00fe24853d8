//! What tags and limits refuse, at their edges.

use expect_test::{Expect, expect};
use syntax::{Source, yaml};

fn check(text: &str, expected: Expect) {
    let (node, diagnostics) = yaml::read(&Source::new("file.yml", text));
    let mut out = node.map(|node| node.to_json().to_string()).unwrap_or_default();
    for diagnostic in diagnostics {
        out.push_str(&format!("\n{}", diagnostic.message));
    }
    expected.assert_eq(&out);
}

// proves: conformance 3
#[test]
fn c3_tags_of_quoted_and_block_scalars() {
    check("[!!str 'a', !!str \"b\"]", expect![[r#"["a","b"]"#]]);
    for tag in ["bool", "int", "float", "null"] {
        for value in ["'true'", "\"5\"", "|\n  5"] {
            let (_, diagnostics) = yaml::read(&Source::new("f", format!("a: !!{tag} {value}\n")));
            let messages: Vec<&str> = diagnostics.iter().map(|it| it.message.as_str()).collect();
            assert_eq!(messages, [format!("unexpected tag '!!{tag}'")], "{value}");
        }
    }
    check(
        "[!!bool yes, !!int 1.5, !!float x, !!null n]",
        expect![[r#"
        [null,null,null,null]
        'yes' does not fit the tag '!!bool'
        '1.5' does not fit the tag '!!int'
        'x' does not fit the tag '!!float'
        'n' does not fit the tag '!!null'"#]],
    );
    check(
        "[!!bool FALSE, !!int 0x10, !!int -7, !!float .5, !!float 1e2, !!null null]",
        expect!["[false,16,-7,0.5,100,null]"],
    );
}

// proves: conformance 2
#[test]
fn c2_words_that_are_text_here() {
    check(
        "[on, off, yes, No, y, n, tRUE, nULL, 0b1, 1_000, 2026-07-01, 1:30]",
        expect![[
            r#"["on","off","yes","No","y","n","tRUE","nULL","0b1","1_000","2026-07-01","1:30"]"#
        ]],
    );
    check(
        "[True, FALSE, Null, ~, 0o17, 0x1F, +5, 1.50, -.inf]",
        expect![[r#"[true,false,null,null,15,31,5,1.5,"-Infinity"]"#]],
    );
    check("on: push\nyes: 1", expect![[r#"{"on":"push","yes":1}"#]]);
}
