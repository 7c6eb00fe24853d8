//! What is hidden, in a text at once.

use expect_test::{Expect, expect};
use mask::{Added, Masker, Secret};

fn masker(secrets: &[&str]) -> Masker {
    let mut masker = Masker::new();
    for secret in secrets {
        masker.add(secret);
    }
    masker
}

fn check(secrets: &[&str], text: &str, expected: Expect) {
    let masker = masker(secrets);
    let masked = masker.mask(text);
    expected.assert_eq(masked.as_str());
    let mut bytes = b"before: ".to_vec();
    masker.mask_bytes(text.as_bytes(), &mut bytes);
    assert_eq!(bytes, [b"before: ", masked.as_str().as_bytes()].concat());
}

/// `printf %s TEXT | base64`, spelled out so that the expected values are facts of the shell's.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for piece in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(*piece.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            encoded.push(if at > piece.len() { '=' } else { char::from(digit) });
        }
    }
    encoded
}

// proves: conformance 187
#[test]
fn c187_a_value_is_trimmed_and_hidden_whole_and_line_by_line() {
    check(&["  correct horse \n"], "a correct horse b", expect!["a *** b"]);
    check(&["first line\n\n  second line\r\nthird line"], "x first line y", expect!["x *** y"]);
    check(
        &["first line\n\n  second line\r\nthird line"],
        "second line,third line",
        expect!["***,***"],
    );
    check(&["first line\nsecond line"], "a first line\nsecond line b", expect!["a *** b"]);
    check(&["correct horse"], "correct hors", expect!["correct hors"]);
    check(&[], "nothing to hide", expect!["nothing to hide"]);
}

// proves: conformance 188
#[test]
fn c188_encoded_forms_are_hidden() {
    let secret = "Gr33n&<tea>\"pot\"'s";
    check(&[secret], r#"["Gr33n&<tea>\"pot\"'s"]"#, expect![[r#"["***"]"#]]);
    check(&[secret], "f('Gr33n&<tea>\"pot\"''s')", expect!["f('***')"]);
    check(&[secret], "?q=Gr33n%26%3Ctea%3E%22pot%22%27s&r", expect!["?q=***&r"]);
    check(&[secret], "<a>Gr33n&amp;&lt;tea&gt;&quot;pot&quot;&apos;s</a>", expect!["<a>***</a>"]);
    check(
        &["back\\slash\tand tab"],
        r#"{"k":"back\\slash\tand tab"}"#,
        expect![[r#"{"k":"***"}"#]],
    );
    check(&["bell\u{7}\u{2028}end"], r#""bell\u0007\u2028end""#, expect![[r#""***""#]]);
    check(&["naïve café"], "na%C3%AFve%20caf%C3%A9", expect!["***"]);
    // Quotes around a value are stripped, unless the value is so short that a word would go.
    check(&["\"teapot lid\""], "a teapot lid b", expect!["a *** b"]);
    check(&["\"teapot\""], "a teapot b", expect!["a teapot b"]);
    check(&["\"teapot\""], "a \"teapot\" b", expect!["a *** b"]);
}

// proves: conformance 188, 189
#[test]
fn c188_base64_is_found_wherever_it_stands_in_a_longer_one() {
    for (before, expected) in [
        ("", expect!["***"]),
        (":", expect!["OlRl***"]),
        ("u:", expect!["dTpU***"]),
        ("me:", expect!["bWU6***"]),
        ("you:", expect!["eW91OlRl***"]),
        ("them:", expect!["dGhlbTpU***"]),
        ("where:", expect!["d2hlcmU6***"]),
    ] {
        check(&["Teapot#2024"], &base64(&format!("{before}Teapot#2024")), expected);
    }
}

// proves: conformance 189
#[test]
fn c189_powershell_colours_part_of_a_value_with_ampersands() {
    let blue = "\u{1b}[96m";
    let plain = "\u{1b}[0m";
    for (secret, printed, expected) in [
        (
            "kettle&teapot&saucer",
            format!("kettle&teapot&{blue}saucer{plain}"),
            expect!["***\u{1b}[96m***\u{1b}[0m"],
        ),
        (
            "kettle&teapot+saucer",
            format!("kettle&{blue}teapot+saucer{plain}"),
            expect!["***\u{1b}[96m***\u{1b}[0m"],
        ),
        (
            "kettle+teapot&saucer",
            format!("kettle+teapot&{blue}saucer{plain}"),
            expect!["***\u{1b}[96m***\u{1b}[0m"],
        ),
        (
            "kettle&teapot&+saucercup",
            format!("kettle&teapot&+{blue}s{plain}aucercup"),
            expect!["***\u{1b}[96ms\u{1b}[0m***"],
        ),
        (
            "kettle&+teapot&saucer",
            format!("kettle&+{blue}t{plain}eapot&saucer"),
            expect!["***\u{1b}[96mt\u{1b}[0m***"],
        ),
        (
            "kettle&+teapot&+saucer",
            format!("kettle&+{blue}t{plain}eapot&+saucer"),
            expect!["***\u{1b}[96mt\u{1b}[0m***"],
        ),
        (
            "kettle&+teapot&cup&+saucer",
            format!("kettle&+{blue}t{plain}eapot&cup&+saucer"),
            expect!["***\u{1b}[96mt\u{1b}[0m***"],
        ),
        (
            "kettle&teapot&+",
            format!("kettle&teapot&+{blue}{plain}"),
            expect!["***\u{1b}[96m\u{1b}[0m"],
        ),
        // Pieces of fewer than six characters stay.
        ("tea&saucer", format!("tea&{blue}saucer{plain}"), expect!["tea&\u{1b}[96m***\u{1b}[0m"]),
        ("kettle&cup", format!("kettle&{blue}cup{plain}"), expect!["***\u{1b}[96mcup\u{1b}[0m"]),
    ] {
        check(&[secret], &printed, expected);
    }
}

// proves: conformance 189
#[test]
fn c189_matches_that_overlap_or_touch_become_one() {
    let nested = ["hunter", "hunter2"];
    check(&nested, "hunter2 hunter", expect!["*** ***"]);
    check(&["teapot-kettle", "kettle-saucer"], "teapot-kettle-saucer!", expect!["***!"]);
    check(&["teapot", "kettle"], "teapotkettleteapot kettle", expect!["*** ***"]);
    check(&["aaaaaa"], "aaaaaaaaaaaaaaaaaaaaa b", expect!["*** b"]);
    check(&["long-teapot-handle", "teapot"], "long-teapot-handle, teapot", expect!["***, ***"]);
    // Short needles are searched for apart.
    check(
        &["abc", "teapot-abc-kettle"],
        "teapot-abc-kettleabc abcab cabc",
        expect!["*** ***ab c***"],
    );
    check(&["ab", "bc"], "abc-abab-cb", expect!["***-***-cb"]);
}

// proves: conformance 190
#[test]
fn c190_a_token_is_hidden_in_a_basic_header() {
    let header = base64("x-access-token:ghs_Teapot2024Kettle");
    check(
        &["ghs_Teapot2024Kettle"],
        &format!("AUTHORIZATION: basic {header}"),
        expect!["AUTHORIZATION: basic ***"],
    );
}

// proves: conformance 191
#[test]
fn c191_case_counts_and_short_values_are_warned_about() {
    check(&["Teapot#2024"], "teapot#2024 TEAPOT#2024", expect!["teapot#2024 TEAPOT#2024"]);
    check(&["e"], "here we are", expect!["h***r*** w*** ar***"]);
    for (value, added) in [
        ("", Added::Blank),
        (" \r\n\t", Added::Blank),
        ("a", Added::Short),
        ("five5", Added::Short),
        ("sixsix", Added::Hidden),
        ("{\n  \"key\": \"long enough\"\n}", Added::Short),
    ] {
        assert_eq!(Masker::new().add(value), added, "{value:?}");
    }
    assert!(masker(&["", " "]).is_empty());
    assert!(!masker(&["a"]).is_empty());
}

// proves: conformance 104, 188
#[test]
fn c104_only_forms_that_github_knows_drop_an_output() {
    let masker = masker(&["Teapot#2024!x"]);
    let own = [
        base64("Teapot#2024!x\n"),
        base64("you:Teapot#2024!x\n"),
        "546561706f7423323032342178".to_owned(),
        "546561706F7423323032342178".to_owned(),
    ];
    for text in own {
        assert!(masker.mask(&text).as_str().contains("***"), "{text} is masked");
        assert!(!masker.hides(&text), "{text} is kept");
    }
    for text in
        ["Teapot#2024!x", "a Teapot#2024!x b", "Teapot%232024%21x", &base64("Teapot#2024!x")]
    {
        assert!(masker.hides(text), "{text} is dropped");
    }
    assert!(!masker.hides("teapot"));
    assert!(!Masker::new().hides("anything"));
}

#[test]
fn forms_of_ours_hide_what_githubs_let_through() {
    check(
        &["Teapot&2024/<x>"],
        r#"{"k":"Teapot\u00262024/\u003cx\u003e"}"#,
        expect![[r#"{"k":"***"}"#]],
    );
    check(&["Teapot 2024/lid"], "q=Teapot+2024%2Flid", expect!["q=***"]);
    check(&["Teapot 2024/lid"], "q=Teapot%202024%2flid", expect!["q=***"]);
    check(&["Teapot/2024"], r#""Teapot\/2024""#, expect![[r#""***""#]]);
    check(&["it's a teapot"], r"'it'\''s a teapot'", expect!["'***'"]);
    check(&["it's a teapot"], r#"'it'"'"'s a teapot'"#, expect!["'***'"]);
    for escaped in
        ["it&#x27;s a &quot;pot&quot;", "it&#39;s a &quot;pot&quot;", "it&#39;s a &#34;pot&#34;"]
    {
        check(&["it's a \"pot\""], escaped, expect!["***"]);
    }
    // What follows the secret changes its last base64 digit at most, and its first likewise.
    check(&["Teapot#2024!x"], &base64("u:Teapot#2024!x\n"), expect!["dTpU***Cg=="]);
    check(&["t?~p>t?~p>"], "dD9-cD50P35wPg", expect!["***"]);
}

#[test]
fn the_texts_of_a_secret_that_is_json_are_secrets() {
    let tree = r#"{"user":"app","password":"leaf of a \"tree\"","nested":[{"key":"  leaf-of-a-tree-2\n"},7]}"#;
    check(&[tree], r#"app leaf of a "tree", leaf-of-a-tree-2 7"#, expect!["app ***, *** 7"]);
    check(&[tree], &base64("leaf-of-a-tree-2"), expect!["***"]);
    check(&["[\"leaf-of-a-tree\"]"], "a leaf-of-a-tree b", expect!["a *** b"]);
    check(&["{leaf-of-a-tree"], "a leaf-of-a-tree b", expect!["a leaf-of-a-tree b"]);
    // An output that holds a part of one is kept: GitHub keeps it, too.
    assert!(!masker(&[tree]).hides("leaf-of-a-tree-2"));
}

#[test]
fn any_bytes_may_stand_around_a_secret() {
    let masker = masker(&["Teapot#2024"]);
    let mut out = Vec::new();
    masker.mask_bytes(b"\xff\xfeTeapot#2024\x80", &mut out);
    assert_eq!(out, b"\xff\xfe***\x80");
}

#[test]
fn neither_a_secret_nor_a_masker_can_be_printed() {
    let secret = Secret::new("Teapot#2024");
    assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    assert_eq!(secret.expose(), "Teapot#2024");
    let printed = format!("{:?}", masker(&["Teapot#2024"]));
    assert!(!printed.contains("Teapot") && printed.starts_with("Masker"), "{printed}");
}

#[test]
fn a_clone_learns_nothing_from_the_original() {
    let mut first = masker(&["teapot-1"]);
    let second = first.clone();
    first.add("kettle-2");
    assert_eq!(first.mask("teapot-1 kettle-2").as_str(), "*** ***");
    assert_eq!(second.mask("teapot-1 kettle-2").as_str(), "*** kettle-2");
}
