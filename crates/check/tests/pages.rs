//! Every rule has a page, and the page's own examples prove it: the bad one is found, the good one is
//! not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use check::{CheckContext, check_node, rule_ids};
use syntax::{Diagnostic, Source, yaml};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rules")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pages lie on the disk; the crate itself stays pure"
)]
fn page(name: &str) -> String {
    std::fs::read_to_string(docs().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The first block of code under a heading.
fn example<'t>(page: &'t str, heading: &str, language: &str) -> Option<&'t str> {
    let section = page.split_once(&format!("## {heading}\n"))?.1;
    let section = section.split("\n## ").next()?;
    let block = section.split_once(&format!("```{language}\n"))?.1;
    block.split_once("```").map(|(code, _)| code)
}

fn look(name: &str, text: &str, called: Option<&str>) -> Vec<Diagnostic> {
    let source = Source::new(name, text);
    let (root, mistakes) = yaml::read(&source);
    assert!(mistakes.is_empty(), "{name} is not YAML: {mistakes:?}");
    let root = root.expect("an example is not empty");
    let other = called.map(|text| {
        let (node, mistakes) = yaml::read(&Source::new("called", text));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        node.expect("the called file is not empty")
    });
    let path = ".github/workflows/build.yml".into();
    let workflows: BTreeMap<_, _> =
        other.iter().map(|node| (std::sync::Arc::clone(&path), node)).collect();
    check_node(&source, &root, &CheckContext { workflows })
}

#[test]
fn every_page_proves_its_rule() {
    for rule in rule_ids() {
        let page = page(&format!("{rule}.md"));
        assert!(page.starts_with(&format!("# {rule}\n")), "the title of {rule}.md");
        assert!(page.contains(&format!("ignore[{rule}]")), "{rule}.md says how to switch it off");
        let called = example(&page, "Why", "text");
        let bad =
            example(&page, "Bad", "yaml").unwrap_or_else(|| panic!("{rule}.md has no bad example"));
        let good = example(&page, "Good", "yaml")
            .unwrap_or_else(|| panic!("{rule}.md has no good example"));
        let of_rule =
            |text| look(rule, text, called).into_iter().filter(|found| found.rule == rule).count();
        assert!(of_rule(bad) > 0, "{rule}: the bad example is not found");
        assert_eq!(of_rule(good), 0, "{rule}: the good example is found");
    }
}

#[test]
fn a_comment_with_a_reason_switches_each_rule_off() {
    for rule in rule_ids().filter(|rule| *rule != "ignore-without-reason") {
        let page = page(&format!("{rule}.md"));
        let called = example(&page, "Why", "text");
        let bad = example(&page, "Bad", "yaml").expect("proved above");
        let found = look(rule, bad, called)
            .into_iter()
            .find(|found| found.rule == rule)
            .expect("proved above");
        let label = &found.labels[0];
        let line = label.source.place(label.span.start).line as usize - 1;
        let mut lines: Vec<String> = bad.lines().map(String::from).collect();
        let indent = lines[line].len() - lines[line].trim_start().len();
        let place =
            |found: &Diagnostic| found.labels[0].source.slice(found.labels[0].span).to_owned();
        let before = place(&found);
        lines.insert(
            line,
            format!("{}# launchway: ignore[{rule}] known and meant", " ".repeat(indent)),
        );
        let after = look(rule, &lines.join("\n"), called);
        let left =
            after.iter().filter(|found| found.rule == rule && place(found) == before).count();
        assert_eq!(left, 0, "{rule} is still found");
    }
}

#[test]
fn the_index_names_every_rule_and_every_page_is_a_rule() {
    let index = page("README.md");
    let listed: Vec<&str> = index
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.split_once(']').map(|(id, _)| id))
        .collect();
    assert_eq!(
        listed,
        rule_ids().collect::<Vec<_>>(),
        "docs/rules/README.md lists the rules in order"
    );
    let pages = std::fs::read_dir(docs()).expect("docs/rules is a folder");
    for entry in pages {
        let name = entry.expect("a readable folder").file_name();
        let name = name.to_string_lossy();
        let known = name == "README.md" || rule_ids().any(|rule| name == format!("{rule}.md"));
        assert!(known, "docs/rules/{name} belongs to no rule");
    }
}

#[test]
fn the_reader_takes_every_example() {
    for rule in rule_ids() {
        let page = page(&format!("{rule}.md"));
        for heading in ["Bad", "Good"] {
            let text = example(&page, heading, "yaml").expect("proved above");
            let (workflow, mistakes) = workflow::read(&Source::new(rule, text));
            assert!(workflow.is_some(), "{rule}, {heading}");
            let messages: Vec<String> =
                mistakes.iter().map(|found| format!("{} {}", found.rule, found.message)).collect();
            assert!(messages.is_empty(), "{rule}, {heading}: {messages:?}");
        }
    }
}
