//! `launchway prune`, with a state folder that the real binary filled.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use expect_test::expect;

use crate::harness::Place;

const WORKFLOW: &str = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: 'echo kept > file; echo \"# Fine\" >> $GITHUB_STEP_SUMMARY'
      - uses: actions/upload-artifact@v4
        with: { name: file, path: file }
";

/// Sizes differ with the machine's paths; that there are some is what counts.
fn without_sizes(lines: &str) -> String {
    let line = |line: &str| {
        let words = line.split_inclusive(['{', ',', '}']);
        let word = |word: &str| match word.strip_prefix("\"size_bytes\":") {
            Some("0,") | None => word.to_owned(),
            Some(_) => "\"size_bytes\":N,".to_owned(),
        };
        words.map(word).collect::<String>() + "\n"
    };
    lines.lines().map(line).collect()
}

#[test]
fn past_runs_go_with_what_only_they_need() {
    let place = Place::workflow(WORKFLOW);
    assert_eq!(place.run(&["run"]).exit, 0);
    let nothing = place.run(&["prune"]);
    assert_eq!((nothing.exit, &*nothing.stderr), (0, "there is nothing to remove\n"));

    let dry = place.json(&["prune", "--days", "0", "--dry-run"]);
    let done = place.json(&["prune", "--days", "0"]);
    expect![[r#"
        {"type":"pruned","what":"runs","count":1,"size_bytes":0,"dry_run":false}
        {"type":"pruned","what":"blobs","count":3,"size_bytes":N,"dry_run":false}
        {"type":"pruned","what":"logs","count":1,"size_bytes":N,"dry_run":false}
        {"type":"pruned","what":"workspaces","count":0,"size_bytes":0,"dry_run":false}
        {"type":"pruned","what":"commands","count":0,"size_bytes":0,"dry_run":false}
        {"type":"pruned","what":"caches","count":0,"size_bytes":0,"dry_run":false}
        {"type":"pruned","what":"actions","count":0,"size_bytes":0,"dry_run":false}
        {"type":"pruned","what":"snapshots","count":0,"size_bytes":0,"dry_run":false}
        {"type":"pruned","what":"downloads","count":0,"size_bytes":0,"dry_run":false}
        {"type":"prune_completed","count":5,"size_bytes":N,"failures":0,"dry_run":false}
    "#]]
    .assert_eq(&without_sizes(&done.stdout));
    // What would be done is what is done.
    assert_eq!(dry.stdout.replace("\"dry_run\":true", "\"dry_run\":false"), done.stdout);

    assert_eq!(place.run(&["runs", "list", "--format", "json"]).stdout, "");
    let shown = place.run(&["runs", "show", "1"]);
    expect![[r#"
        error: attempt 1 of run 1 was deleted by launchway prune; the journal keeps only that it was there
    "#]]
    .assert_eq(&shown.stderr);
    // Numbers are never given twice.
    let next = place.json(&["run"]);
    assert_eq!(next.of("run_created")[0]["run"], 2);
}

const TWO_JOBS: &str = "
on: push
jobs:
  makes:
    runs-on: ubuntu-latest
    steps:
      - run: echo $GITHUB_RUN_ID > own; echo the same > same
      - { uses: actions/upload-artifact@v4, with: { name: own, path: own } }
      - { uses: actions/upload-artifact@v4, with: { name: same, path: same } }
      - { uses: actions/cache@v4, with: { path: same, key: key } }
  takes:
    needs: makes
    runs-on: ubuntu-latest
    steps:
      - { uses: actions/download-artifact@v4, with: { name: own } }
      - { uses: actions/download-artifact@v4, with: { name: same } }
      - run: test $(cat own) = $GITHUB_RUN_ID
";

/// The bytes of `same` are those of a blob that nobody names any more, again and again.
#[test]
fn beside_runs_and_killed_after_any_line_it_takes_nothing_that_is_needed() {
    let place = Place::workflow(TWO_JOBS);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for lines in (0..9).cycle() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let args = ["prune", "--days", "0", "--format", "json"];
                let mut command = place.launchway(&args);
                let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
                let mut prune = command.spawn().expect("it starts");
                let said = BufReader::new(prune.stdout.take().expect("it was asked for"));
                said.lines().take(lines).for_each(drop);
                prune.kill().expect("ours");
                prune.wait().expect("it ends");
            }
        });
        let ends: Vec<i32> = (0..4).map(|_| place.json(&["run"]).exit).collect();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(ends, [0; 4]);
    });
    assert_eq!(place.run(&["prune", "--days", "0"]).exit, 0);
    for folder in ["blobs", "logs", "jobs", "owners"] {
        assert_eq!(files(&place.state().join(folder)), 0, "{folder}");
    }
}

/// Files below a folder; a kill may leave a folder that is empty.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |path: PathBuf| if path.is_dir() { files(&path) } else { 1 };
    entries.map(|entry| count(entry.path())).sum()
}
