//! Every line of JSON has the fields that `docs/json.md` names: no more, no fewer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::harness::Place;

/// Section, then type, to its fields.
pub(crate) type Documented = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

pub(crate) fn documented() -> Documented {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let mut sections = Documented::new();
    let (mut section, mut kind) = (String::new(), String::new());
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## launchway ") {
            section = title.to_owned();
        }
        let Some(cells) = line.strip_prefix('|') else { continue };
        let cells: Vec<&str> = cells.split(" |").map(str::trim).collect();
        if cells[0] == "type" || cells[0].starts_with("---") {
            continue;
        }
        if !cells[0].is_empty() {
            kind = cells[0].trim_matches('`').to_owned();
        }
        let types = sections.entry(section.clone()).or_default();
        let words: Vec<String> =
            cells[1].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let fields = match cells[1].strip_prefix("as `") {
            Some(_) => types[&words[0]].clone(),
            None => words.into_iter().collect(),
        };
        types.entry(kind.clone()).or_default().extend(fields);
    }
    sections
}

/// Compares a line with what its type documents.
pub(crate) fn check(documented: &Documented, section: &str, kind: &str, line: &Json) {
    let mut found: BTreeSet<String> =
        line.as_object().expect("an object").keys().cloned().collect();
    found.remove("type");
    let Some(fields) = documented[section].get(kind) else {
        panic!("`{kind}` of {section} is not documented: {line}");
    };
    assert_eq!(&found, fields, "`{kind}` of launchway {section}: {line}");
}

/// Lines with a type. Gives the types that were seen.
pub(crate) fn check_lines(
    documented: &Documented,
    section: &str,
    lines: &[Json],
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for line in lines {
        let kind = line["type"].as_str().unwrap_or_else(|| panic!("it has no type: {line}"));
        check(documented, section, kind, line);
        seen.insert(kind.to_owned());
    }
    seen
}

const SETTINGS: &str = "
version: 1
project: planner
services: { api: { run: [app], health: / } }
environments: { dev: { targets: { host: 127.0.0.1:8080 } } }
coverage: { minimum: 80 }
images: { maximum: 1GB }
";

const WORKFLOW: &str = "
on: push
permissions: { contents: write }
jobs:
  skip: { if: false, runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  test:
    strategy: { fail-fast: false, matrix: { x: [1, 2] } }
    runs-on: ubuntu-latest
    env: { GITHUB_TOKEN: '${{ secrets.GITHUB_TOKEN }}' }
    steps:
      - { id: it, run: 'echo ::warning file=a,line=2::careful; printf \"SF:a\\nDA:1,1\\nend_of_record\\n\" > lcov.info' }
      - run: |
          echo '{\"names\":[\"app:v1\"],\"size_bytes\":600000000,\"size_of\":\"unpacked\",\"build_ms\":1}' > $(dirname $GITHUB_OUTPUT)/images.jsonl
      - { uses: actions/upload-artifact@v4, with: { name: 'file-${{ matrix.x }}', path: lcov.info } }
      - run: '[ $GITHUB_RUN_NUMBER = 1 ]'
  lost:
    permissions: {}
    runs-on: ubuntu-latest
    steps: [{ run: '[ -e $MARK ] || { touch $MARK; kill -9 $PPID; sleep 60; }', env: { MARK: 'PLACE/mark' } }]
  gpu:
    if: github.event_name != 'push'
    runs-on: gpu
    environment: production
    steps: [{ run: 'true' }]
";

#[test]
fn lines_have_the_documented_fields_and_every_type_is_seen() {
    let documented = documented();
    let place = Place::with(&[("README.md", "")]);
    let mark = place.path("").display().to_string();
    let text = WORKFLOW.replace("PLACE/", &mark);
    place.write(".github/workflows/ci.yml", &text);
    place.write(".github/workflows/broken.yml", "on: push\njobs: { a: { stepps: [] } }\n");
    place.commit();
    let all = |section: &str| documented[section].keys().cloned().collect::<BTreeSet<_>>();

    // Of a commit that is not here, so that something is noted.
    std::fs::write(place.path("event.json"), format!(r#"{{ "after": "{}" }}"#, "1".repeat(40)))
        .expect("a file of ours");
    let plan = place.json(&["plan", "push", "--event-path", "../event.json"]);
    let seen = check_lines(&documented, "plan", &plan.lines());
    // What would be refused or asked for belongs to a job that would run.
    let mut possible = all("plan");
    possible.remove("refusal");
    possible.remove("agreement");
    assert!(seen.is_superset(&possible), "{seen:?}");

    let found = place.json(&["check"]);
    assert!(!found.lines().is_empty());
    found.lines().iter().for_each(|line| check(&documented, "check", "finding", line));

    place.write("launchway.yml", SETTINGS);
    let settings = place.json(&["settings", "show"]);
    assert_eq!(check_lines(&documented, "settings show", &settings.lines()), all("settings show"));

    std::fs::remove_file(place.repository().join(".github/workflows/broken.yml")).expect("ours");
    place.commit();
    let token = "GITHUB_TOKEN=not-a-real-token";
    let token = ["run", "push", "--event-path", "../event.json", "--secret", token];
    let run = place.json(&token);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(check_lines(&documented, "run", &run.lines()), all("run"));
    assert_eq!(place.json(&token).exit, 1);

    for line in place.json(&["runs", "list"]).lines() {
        check(&documented, "runs list", "run", &line);
    }
    let shown = place.shown();
    check(&documented, "runs show", "run", &shown);
    let list = |of: &Json, key: &str| of[key].as_array().expect("a list").clone();
    for job in list(&shown, "jobs") {
        check(&documented, "runs show", "jobs", &job);
        list(&job, "steps").iter().for_each(|it| check(&documented, "runs show", "steps", it));
    }
    assert_eq!(list(&shown, "artifacts").len(), 2);
    list(&shown, "artifacts")
        .iter()
        .for_each(|it| check(&documented, "runs show", "artifacts", it));

    let images = &shown["images"];
    check(&documented, "runs show", "images", images);
    assert_eq!(list(images, "images").len(), 2, "of each leg one");
    list(images, "images")
        .iter()
        .for_each(|it| check(&documented, "runs show", "images.images", it));

    let differences = place.json(&["runs", "diff"]);
    assert_eq!(check_lines(&documented, "runs diff", &differences.lines()), all("runs diff"));

    let mut pruned =
        check_lines(&documented, "prune", &place.json(&["prune", "--days", "0"]).lines());
    // A run that is not finished is what `kill.rs` and the tests of `prune` make.
    pruned.insert("kept".to_owned());
    assert_eq!(pruned, all("prune"));

    for (expression, value) in [("'a'", "\"a\"\n"), ("1 == 1", "true\n"), ("null", "null\n")] {
        assert_eq!(place.run(&["eval", expression]).stdout, value);
    }
}
