//! Matrices at the door: which legs, in which order, under which names.

use expect_test::{Expect, expect};
use expr::Value;
use workflow::matrix::{expand, leg_name};

#[track_caller]
fn legs(matrix: &str, expected: Expect) {
    let matrix = Value::from_json(&serde_json::from_str(matrix).expect("the table holds JSON"));
    let out = match expand(&matrix) {
        Ok(legs) => legs
            .iter()
            .map(|leg| {
                let name = leg_name("job", leg);
                format!("{}/{} {name} {}\n", leg.index, leg.total, leg.matrix.to_json())
            })
            .collect(),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&out);
}

// proves: conformance 91, 95
#[test]
fn c91_vectors_multiply_with_the_first_outermost() {
    legs(
        r#"{"os": ["a", "b"], "v": [1, 2.50]}"#,
        expect![[r#"
        0/4 job (a, 1) {"os":"a","v":1}
        1/4 job (a, 2.5) {"os":"a","v":2.5}
        2/4 job (b, 1) {"os":"b","v":1}
        3/4 job (b, 2.5) {"os":"b","v":2.5}
    "#]],
    );
    legs(
        r#"{"a": [{"x": 1, "y": {"z": "deep"}}, [1, [2]], null, true, ""]}"#,
        expect![[r#"
        0/5 job (1, deep) {"a":{"x":1,"y":{"z":"deep"}}}
        1/5 job (1, 2) {"a":[1,[2]]}
        2/5 job {"a":null}
        3/5 job (true) {"a":true}
        4/5 job {"a":""}
    "#]],
    );
}

// proves: conformance 92
#[test]
fn c92_exclude() {
    legs(
        r#"{"os": ["a", "B"], "v": [1, 2], "exclude": [{"os": "b", "v": "1"}]}"#,
        expect![[r#"
        0/3 job (a, 1) {"os":"a","v":1}
        1/3 job (a, 2) {"os":"a","v":2}
        2/3 job (B, 2) {"os":"B","v":2}
    "#]],
    );
    legs(
        r#"{"os": ["a"], "v": [1, 2], "exclude": [{"v": 1}]}"#,
        expect![[r#"
        0/1 job (a, 2) {"os":"a","v":2}
    "#]],
    );
    legs(
        r#"{"o": [{"n": "x", "w": 1}, {"n": "y"}], "exclude": [{"o": {"n": "x"}}]}"#,
        expect![[r#"
            0/1 job (y) {"o":{"n":"y"}}
        "#]],
    );
    legs(
        r#"{"os": ["a"], "exclude": [{"arch": "x"}]}"#,
        expect![[r#"
        Matrix exclude key 'arch' does not match any key within the matrix
    "#]],
    );
    legs(
        r#"{"os": ["a"], "exclude": [{"os": "a"}]}"#,
        expect![[r#"
            the matrix makes no job
        "#]],
    );
}

// proves: conformance 93
#[test]
fn c93_include() {
    legs(
        r#"{"fruit": ["apple", "pear"], "animal": ["cat", "dog"], "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"}]}"#,
        expect![[r#"
            0/6 job (apple, cat) {"fruit":"apple","animal":"cat","color":"pink","shape":"circle"}
            1/6 job (apple, dog) {"fruit":"apple","animal":"dog","color":"green","shape":"circle"}
            2/6 job (pear, cat) {"fruit":"pear","animal":"cat","color":"pink"}
            3/6 job (pear, dog) {"fruit":"pear","animal":"dog","color":"green"}
            4/6 job (banana) {"fruit":"banana"}
            5/6 job (banana, cat) {"fruit":"banana","animal":"cat"}
        "#]],
    );
    legs(
        r#"{"include": [{"a": 1}, {"a": 2, "b": "x"}]}"#,
        expect![[r#"
        0/2 job (1) {"a":1}
        1/2 job (2, x) {"a":2,"b":"x"}
    "#]],
    );
    legs(
        r#"{"v": [1], "exclude": [{"v": 1}], "include": [{"v": 1, "x": 2}, {"y": 3}]}"#,
        expect![[r#"
            0/2 job (1, 2) {"v":1,"x":2}
            1/2 job (3) {"y":3}
        "#]],
    );
}

// proves: conformance 94
#[test]
fn c94_limits() {
    for matrix in [
        r#"{}"#,
        r#"{"a": []}"#,
        r#"{"a": 1}"#,
        r#"{"include": [{}]}"#,
        r#"{"include": [1]}"#,
        r#"{"include": 1}"#,
        r#"{"a": [1], "exclude": [{}]}"#,
        r#"[1]"#,
        r#""text""#,
    ] {
        let matrix = Value::from_json(&serde_json::from_str(matrix).unwrap());
        assert!(expand(&matrix).is_err());
    }
    let vector = |length: usize| (0..length).collect::<Vec<_>>();
    let make = |matrix: serde_json::Value| expand(&Value::from_json(&matrix));
    assert_eq!(make(serde_json::json!({"a": vector(256)})).unwrap().len(), 256);
    assert_eq!(
        make(serde_json::json!({"a": vector(257)})).unwrap_err(),
        workflow::MatrixError::TooMany
    );
    // Far too many combinations end soon, even when all of them are excluded.
    let huge = serde_json::json!({
        "a": vector(200), "b": vector(200), "c": vector(200), "d": vector(200),
        "exclude": (0..1).map(|_| serde_json::json!({"a": 0})).collect::<Vec<_>>(),
    });
    assert_eq!(make(huge).unwrap_err(), workflow::MatrixError::TooMany);
}

// proves: conformance 95
#[test]
fn c95_long_names_are_cut() {
    let matrix = Value::from_json(&serde_json::json!({"a": ["é".repeat(200)]}));
    let name = leg_name("job", &expand(&matrix).unwrap()[0]);
    assert_eq!(name.chars().count(), 100);
    assert!(name.ends_with("é..."), "{name}");
}

// proves: conformance 99
#[test]
fn c99_no_matrix() {
    legs(
        "null",
        expect![[r#"
        0/1 job null
    "#]],
    );
}
