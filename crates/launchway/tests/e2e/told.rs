//! What people and programs are told of runs: events and files, annotations, lines of JSON, pages, logs.

use expect_test::expect;
use serde_json::Value as Json;

use crate::harness::Place;

// proves: conformance 166, 170, 173, 194
#[test]
fn annotations_come_from_commands_and_problem_matchers() {
    let matcher = r#"{"problemMatcher": [{"owner": "cc", "severity": "warning", "pattern": [
        {"regexp": "^(.+):(\\d+): (error|warning): (.*)$", "file": 1, "line": 2, "severity": 3, "message": 4}]}]}"#;
    let workflow = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo '::notice file=a.py,line=3,title=Look::said%0Atwice'
          echo ::error::no place
          echo ::add-matcher::matcher.json
          echo 'src/main.c:12: error: no such thing'
          echo 'src/main.c:13: warning: odd'
          echo '::remove-matcher owner=cc::'
          echo 'src/main.c:14: error: nobody looks'
          echo ::debug::only $((6*7))
";
    let place = Place::with(&[
        (".github/workflows/ci.yml", workflow),
        ("matcher.json", matcher),
        ("src/main.c", "int main;\n"),
    ]);
    let said = place.json(&["run"]);
    let shown: Vec<String> = said
        .of("annotation")
        .iter()
        .map(|it| {
            format!(
                "{} {} {}:{} {}",
                it["level"], it["title"], it["file"], it["line"], it["message"]
            )
        })
        .collect();
    expect![[r#"
        "notice" "Look" "a.py":3 "said\ntwice"
        "error" null null:null "no place"
        "error" null "src/main.c":12 "no such thing"
        "warning" null "src/main.c":13 "odd""#]]
    .assert_eq(&shown.join("\n"));
    assert!(!said.stdout.contains("only 42"), "{}", said.stdout);
    assert!(place.json(&["run", "--debug"]).stdout.contains("##[debug]only 42"));
}

// proves: conformance 21, 31, 32
#[test]
fn an_event_starts_only_workflows_that_want_it() {
    let job =
        "jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'echo = ${{ github.ref }}' }] } }";
    let on = |on: &str| format!("on: {on}\n{job}\n");
    let place = Place::with(&[
        (".github/workflows/main.yml", &*on("{ push: { branches: [main] } }")),
        (".github/workflows/other.yml", &*on("{ push: { branches: [other] } }")),
        (".github/workflows/tags.yml", &*on("{ push: { tags: ['v*'] } }")),
        (".github/workflows/pull.yml", &*on("pull_request")),
    ]);
    place.git(&["tag", "v1"]);
    let mut seen = String::new();
    for args in [
        &["run"][..],
        &["run", "tag", "--tag", "v1"],
        &["run", "pull_request"],
        &["run", "release"],
    ] {
        let said = place.json(args);
        seen.push_str(&format!("-- {}\n{}{}", args.join(" "), said.story(), said.stderr));
    }
    expect![[r#"
        -- run
        job = refs/heads/main
        job: success
        .github/workflows/main.yml success
        exit 0
        -- run tag --tag v1
        job = refs/tags/v1
        job: success
        .github/workflows/tags.yml success
        exit 0
        -- run pull_request
        job = refs/pull/1/merge
        job: success
        .github/workflows/pull.yml success
        exit 0
        -- run release
        exit 3
        error: a release event cannot be made from a repository alone
        hint: give its payload: launchway run release --event-path FILE
    "#]]
    .assert_eq(&seen);
}

// What others may rely on: the fields of each line.
#[test]
fn lines_of_json_have_the_documented_fields() {
    let workflow = "
on: push
jobs:
  skip: { if: false, runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  job:
    runs-on: ubuntu-latest
    outputs: { x: '${{ steps.it.outputs.x }}' }
    steps: [{ id: it, run: 'echo x=1 >> $GITHUB_OUTPUT; echo ::warning file=a,line=2::careful' }]
";
    let said = Place::workflow(workflow).json(&["run"]);
    let mut seen: Vec<String> = Vec::new();
    for mut line in said.lines() {
        if let Some(fields) = line.as_object_mut() {
            for key in ["commit", "text"] {
                if fields.contains_key(key) {
                    fields.insert(key.to_owned(), Json::from("..."));
                }
            }
        }
        let line = line.to_string();
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    // How much of a log is there when an event comes is not fixed; the fields are.
    seen.sort();
    expect![[r#"
        {"type":"annotation","run":1,"job":"job","step":"it","level":"warning","message":"careful","title":null,"file":"a","line":2}
        {"type":"job_completed","run":1,"job":"job","name":"job","conclusion":"success","outputs":{"x":"1"}}
        {"type":"job_completed","run":1,"job":"skip","name":"skip","conclusion":"skipped","outputs":{}}
        {"type":"job_started","run":1,"job":"job","name":"job"}
        {"type":"log","run":1,"job":"job","step":"it","text":"..."}
        {"type":"run_completed","run":1,"workflow":".github/workflows/ci.yml","conclusion":"success"}
        {"type":"run_created","run":1,"attempt":1,"workflow":".github/workflows/ci.yml","title":"a change","event":"push","ref":"refs/heads/main","commit":"...","uncommitted":0}
        {"type":"step_completed","run":1,"job":"job","step":"it","name":"Run echo x=1 >> $GITHUB_OUTPUT; echo ::warning file=a,line=2::careful","background":false,"outcome":"success","conclusion":"success"}"#]].assert_eq(&seen.join("\n"));
}

#[test]
fn a_run_is_found_again_with_its_page_and_its_logs() {
    let workflow = "
on: push
run-name: Ship ${{ github.ref_name }}
jobs:
  good: { runs-on: ubuntu-latest, steps: [{ run: 'echo = good' }, { run: 'echo \"# Fine\" >> $GITHUB_STEP_SUMMARY' }] }
  bad: { runs-on: ubuntu-latest, steps: [{ run: 'echo = first' }, { name: breaks, run: 'echo = second; exit 9' }] }
";
    let place = Place::workflow(workflow);
    let human = place.run(&["run"]);
    assert_eq!(human.exit, 1, "{}", human.stdout);
    let page = place.run(&["runs", "show", "1"]).stdout;
    let (page, time) = page.split_once("\nWhere the time went\n").expect("both took time");
    assert!(time.contains("◆ ") && time.contains("█") && !time.contains('\x1b'), "{time}");
    expect![[r#"
        run 1 Ship main
        ✗ failure in T
        .github/workflows/ci.yml · push of main at COMMIT · T T · by mona

        ✓ good T success
        ✗ bad T failure
        ✗ breaks

        Annotations
        error bad: Process completed with exit code 9.

        Summaries
        good
        # Fine"#]]
    .assert_eq(&without_times(page));
    expect!["✗ 1 failure ci.yml main COMMIT T T T Ship main"]
        .assert_eq(&without_times(&place.run(&["runs", "list"]).stdout));
    expect![[r#"
        ##[group]Run echo = first
        echo = first
        shell: /usr/bin/bash -e {0}
        ##[endgroup]
        = first
        ##[group]Run echo = second; exit 9
        echo = second; exit 9
        shell: /usr/bin/bash -e {0}
        ##[endgroup]
        = second
        ##[error]Process completed with exit code 9.
    "#]]
    .assert_eq(&place.run(&["runs", "logs", "1", "--job", "bad"]).stdout);
    expect![[r#"
        ── bad ──
        ##[group]Run echo = second; exit 9
        echo = second; exit 9
        shell: /usr/bin/bash -e {0}
        ##[endgroup]
        = second
        ##[error]Process completed with exit code 9.
    "#]]
    .assert_eq(&place.run(&["runs", "logs", "--failed"]).stdout);
    assert_eq!(place.run(&["runs", "show", "2"]).exit, 2);
}

/// Times, days and commits are others each time.
fn without_times(page: &str) -> String {
    let word = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_commit = word.len() == 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        match word {
            _ if is_commit => "COMMIT".to_owned(),
            _ if digits > 0 && (word.contains(':') || word.matches('-').count() == 2) => {
                "T".to_owned()
            }
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| {
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        let mut kept: Vec<String> = Vec::new();
        for word in words {
            let is_unit = matches!(word.as_str(), "ms" | "s");
            if is_unit && kept.last().is_some_and(|last| last.parse::<f64>().is_ok()) {
                kept.pop();
                kept.push("T".to_owned());
            } else {
                kept.push(word);
            }
        }
        kept.join(" ")
    };
    page.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_runs_are_compared() {
    let place = Place::workflow(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - { id: greet, run: 'echo = begin; echo = $WHO; [ \"$WHO\" = Ada ]', env: { WHO: '${{ vars.WHO }}' } }
",
    );
    assert_eq!(place.run(&["run", "--var", "WHO=Ada"]).exit, 0);
    assert_eq!(place.run(&["runs", "diff"]).exit, 2, "there is nothing to compare it with");
    assert_eq!(place.run(&["run", "--var", "WHO=Bob"]).exit, 1);
    let said = place.run(&["runs", "diff"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    expect![[r#"
        - run 1.1, success, a change
        + run 2.1, failure, a change

        the run
          variable WHO  - Ada
                        + Bob
          conclusion  - success
                      + failure

        job job
          conclusion  - success
                      + failure

        job job › step greet
          outcome  - success
                   + failure
          log line 5  -   WHO: Ada
                      +   WHO: Bob

        job job
          annotation  - (none)
                      + Process completed with exit code 1.
    "#]]
    .assert_eq(&said.stdout);
    let lines = place.json(&["runs", "diff", "1", "2.1"]).lines();
    assert_eq!(lines[0]["what"], "variable WHO");
    assert_eq!(place.run(&["runs", "diff", "1", "9"]).exit, 2);
    assert_eq!(place.run(&["runs", "diff", "1", "two"]).exit, 2);
}
