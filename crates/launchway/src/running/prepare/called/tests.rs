//! Depth, circles and numbers of called files, whatever the order in which they are met.

use expect_test::{Expect, expect};

use super::*;

/// What is wrong with these calls; `a: b c` is a file that calls two.
fn check(files: &[(&str, &str)], expect: Expect) {
    let mut graph = Graph::new();
    for (name, calls) in files {
        let text = format!("# {name}\n{calls}\n");
        let source = Source::new(format!("{name}.yml"), text);
        let call = |to: &str| {
            let start = source.text().rfind(to).expect("it is in the text");
            let span = Span::new(start, start + to.len());
            Call { key: format!("./{to}.yml"), source: Arc::clone(&source), span }
        };
        let calls = calls.split_whitespace().map(call).collect();
        graph.insert(format!("./{name}.yml"), calls);
    }
    let found = too_deep(&graph, "./top.yml");
    let text = found.map_or_else(
        || "fine".to_owned(),
        |it| {
            format!(
                "{}: {}: {}",
                it.labels[0].source.name(),
                it.message,
                it.hint.unwrap_or_default()
            )
        },
    );
    expect.assert_eq(&text);
}

// proves: conformance 118
#[test]
fn c118_circles_are_found_from_wherever_they_are_met() {
    check(&[("top", "a b"), ("a", "c"), ("b", "c"), ("c", "")], expect!["fine"]);
    check(
        &[("top", "a"), ("a", "a")],
        expect!["a.yml: workflows call each other in a circle: a.yml calls a.yml"],
    );
    check(
        &[("top", "a"), ("a", "top")],
        expect!["a.yml: workflows call each other in a circle: top.yml calls a.yml calls top.yml"],
    );
    check(
        &[("top", "a b"), ("a", ""), ("b", "c"), ("c", "a b")],
        expect!["c.yml: workflows call each other in a circle: b.yml calls c.yml calls b.yml"],
    );
}

// The file `i` is met at the second level first, and nine levels down later: both orders count the
// long way.
// proves: conformance 118
#[test]
fn c118_depth_is_that_of_the_longest_way() {
    let chain = [
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
        ("d", "e"),
        ("e", "f"),
        ("f", "g"),
        ("g", "h"),
        ("h", "i"),
    ];
    let with = |top: &'static str, last: &'static str| {
        let mut files = vec![("top", top), ("i", last), ("j", "")];
        files.extend(chain);
        files
    };
    check(&with("a", ""), expect!["fine"]);
    check(
        &with("i a", "j"),
        expect![
            "i.yml: workflows call each other more than 10 deep: top.yml calls a.yml calls b.yml calls c.yml calls d.yml calls e.yml calls f.yml calls g.yml calls h.yml calls i.yml calls j.yml"
        ],
    );
    check(
        &with("a i", "j"),
        expect![
            "i.yml: workflows call each other more than 10 deep: top.yml calls a.yml calls b.yml calls c.yml calls d.yml calls e.yml calls f.yml calls g.yml calls h.yml calls i.yml calls j.yml"
        ],
    );
}

// A lattice has more ways through it than could ever be walked one by one.
#[test]
fn many_ways_to_a_file_cost_nothing() {
    let names: Vec<String> =
        (0..8).flat_map(|level| (0..6).map(move |it| format!("l{level}n{it}"))).collect();
    let level = |level: usize| names[level * 6..(level + 1) * 6].join(" ");
    let mut files = vec![("top".to_owned(), level(0))];
    for (at, name) in names.iter().enumerate() {
        let next = at / 6 + 1;
        files.push((name.clone(), if next < 8 { level(next) } else { String::new() }));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    check(&files, expect!["fine"]);
}
