//! What people from outside may name stands by itself on every page: a template that shows it elsewhere fails here.

use std::path::Path;

/// Our own words, numbers and times, by how their expressions end: they need no place of their own. What a new
/// template shows is one of these, or stands in `<bdi>`.
const OURS: &[&str] = &[
    // Times, lengths, counts.
    "at.text",
    "set_at.text",
    "by.text",
    "end.text",
    "since.text",
    "until.text",
    "heard.text",
    "created.text",
    "took",
    "_took",
    "_more",
    "length",
    "time",
    "number",
    "count",
    "id",
    "attempt",
    "behind",
    "left_out",
    "legs",
    "more",
    "size",
    "failures",
    "tries",
    "rate",
    "value",
    "of",
    "samples_min",
    "extent",
    "load",
    "change",
    "busy",
    // Digests and events of the journal.
    "commit",
    "digest",
    "hash",
    "events",
    // States, kinds, what buttons and figures are called.
    "sign",
    "word",
    "state",
    "kind",
    "severity",
    "level",
    "action",
    "proof",
    "said",
    "may",
    "nothing",
    "workers",
    "attempt.name",
    "when.text",
    "broken.name",
    "mended.name",
    "red.name",
    "run.name",
    "span.name",
    "figure.name",
    "list.title",
    "table.title",
    // HTML that is made elsewhere, of parts that were looked at there.
    "|safe",
];
/// Digests, and words of ours, in these templates alone.
const OURS_THERE: &[(&str, &str)] = &[
    ("approval.html", "what"),
    ("insights.html", "insights.name"),
    ("insights.html", "page.name"),
    ("insights.html", "past"),
    ("page.html", "notice"),
    ("run.html", "waited"),
    ("tests.html", "what"),
    ("design.html", "what"),
    ("design.html", "name"),
];
/// Where no tag may stand, or a block keeps to itself.
const APART: &[&str] = &["option", "pre", "title"];

/// Every expression that a template shows between tags, outside of `<bdi>`.
fn bare(text: &str) -> Vec<String> {
    // Conditions have signs in them that are no tags.
    let mut plain = String::new();
    let mut rest =
        text.replace("{% block title %}", "<title>").replace("{% endblock %}", "</title>");
    while let Some((before, behind)) = rest.split_once("{%") {
        plain.push_str(before);
        rest = behind.split_once("%}").expect("it ends").1.to_owned();
    }
    plain.push_str(&rest);
    let mut found = Vec::new();
    for (at, _) in plain.match_indices("{{ ") {
        let (before, behind) = plain.split_at(at);
        let expression = behind[3..].split_once(" }}").expect("it ends").0;
        let is_attribute = before.rfind('<') > before.rfind('>');
        let is_within = |tag: &&str| {
            before
                .rfind(&format!("<{tag}"))
                .is_some_and(|from| !before[from..].contains(&format!("</{tag}")))
        };
        if !is_attribute && !before.ends_with("<bdi>") && !APART.iter().any(is_within) {
            found.push(expression.to_owned());
        }
    }
    found
}

#[test]
fn what_others_name_turns_nothing_around_on_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for expression in bare(&std::fs::read_to_string(&path).unwrap()) {
            let is_ours = OURS.iter().any(|end| {
                let before = expression.strip_suffix(end);
                before.is_some_and(|it| {
                    it.is_empty() || it.ends_with('.') || end.starts_with(['_', '|'])
                })
            });
            let is_there = OURS_THERE.contains(&(file.as_str(), expression.as_str()));
            assert!(is_ours || is_there, "{file}: {{{{ {expression} }}}} is to stand in <bdi>");
            looked += 1;
        }
    }
    assert!(looked > 100, "{looked}");
    assert_eq!(
        bare(
            "{% block title %}{{ a }}{% endblock %}<p title=\"{{ b }}\">{{ c }} <bdi>{{ d }}</bdi>"
        ),
        ["c"]
    );
}
