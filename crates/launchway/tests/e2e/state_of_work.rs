//! The state that a run is made of: the work tree as it was when the run began, or a pull request
//! merged into its base.

use expect_test::expect;

use crate::harness::{Place, Said, check_in};

/// The second job checks out after the first has changed the user's work tree.
const TWO_JOBS: &str = "
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo = $(cat code.txt) $(ls | wc -l)
          echo changed meanwhile > MARKER
          touch FOLDER/late.txt
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: 'echo = $(cat code.txt) $(ls | wc -l) $(git log --format=%s | head -1)'
";

fn changed_meanwhile() -> Place {
    let place = Place::with(&[("code.txt", "committed\n")]);
    let folder = place.repository().display().to_string();
    let workflow =
        TWO_JOBS.replace("MARKER", &format!("{folder}/code.txt")).replace("FOLDER", &folder);
    place.write(".github/workflows/ci.yml", &workflow);
    place.commit();
    place.write("code.txt", "as it was\n");
    place
}

#[test]
fn every_job_sees_the_work_tree_as_it_was_when_the_run_began() {
    let (place, _) = check_in(
        changed_meanwhile(),
        &[],
        expect![[r#"
        first = as it was 1
        second = as it was 1 Work tree with uncommitted changes
        first: success
        second: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    let now = std::fs::read_to_string(place.repository().join("code.txt")).expect("it is there");
    assert_eq!(now, "changed meanwhile\n");
}

#[test]
fn a_rerun_is_of_the_same_state_while_it_is_kept() {
    let place = changed_meanwhile();
    let first = place.json(&["run"]);
    let rerun = place.json(&["runs", "rerun"]);
    assert_eq!(rerun.printed(), first.printed());
    expect![[r#"
        note: this runs the work tree as it was when the run began
    "#]]
    .assert_eq(&rerun.stderr);
    std::fs::remove_dir_all(place.state().join("snapshots")).expect("it was kept there");
    let gone = place.json(&["runs", "rerun"]);
    expect![[r#"
        error: the files that run 1 was made from are not kept any more
        hint: launchway run makes a new run of what is there
        exit 5"#]]
    .assert_eq(&format!("{}exit {}", gone.stderr, gone.exit));
}

#[test]
fn states_go_with_the_runs_that_began_from_them() {
    let place = changed_meanwhile();
    assert_eq!(place.json(&["run"]).exit, 0);
    let pruned = |days: &str| {
        let said = place.json(&["prune", "--days", days]);
        let lines = said.of("pruned").into_iter().filter(|line| line["what"] == "snapshots");
        lines.map(|line| line["count"].to_string()).collect::<String>()
    };
    assert_eq!(pruned("1"), "0");
    assert_eq!(pruned("0"), "1");
    let left = std::fs::read_dir(place.state().join("snapshots")).expect("the folder stays");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_run_of_what_is_committed_keeps_nothing() {
    let place = changed_meanwhile();
    let said = place.json(&["run", "--committed"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(!place.state().join("snapshots").exists());
}

const MERGED: &str = "
on: pull_request
jobs:
  merged:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 2 }
      - run: |
          echo = $(cat base.txt head.txt)
          echo = $GITHUB_REF $(git rev-parse --abbrev-ref HEAD)
          echo = $([ $GITHUB_SHA = $(git rev-parse HEAD) ] && echo at the merge)
          echo = $(git log -1 --format=%s | cut -d' ' -f1,3) of $(git rev-list --parents -1 HEAD | wc -w)
          echo = $([ '${{ github.event.pull_request.head.sha }}' = $(git rev-parse HEAD^2) ] && echo head fits)
          echo = $([ '${{ github.event.pull_request.merge_commit_sha }}' = $GITHUB_SHA ] && echo merge fits)
      - uses: actions/checkout@v4
        with: { ref: '${{ github.event.pull_request.head.sha }}', path: head }
      - run: echo = $(ls head)
";

/// `main` went on after the branch that is checked out had left it.
fn two_branches() -> Place {
    let place = Place::workflow(MERGED);
    place.git(&["checkout", "--quiet", "-b", "feature"]);
    place.write("head.txt", "head\n");
    place.commit();
    place.git(&["checkout", "--quiet", "main"]);
    place.write("base.txt", "base\n");
    place.commit();
    place.git(&["checkout", "--quiet", "feature"]);
    place
}

// proves: conformance 21
#[test]
fn c21_a_pull_request_is_checked_out_merged() {
    let (place, _) = check_in(
        two_branches(),
        &["pull_request"],
        expect![[r#"
        merged = base head
        merged = refs/pull/1/merge HEAD
        merged = at the merge
        merged = Merge into of 3
        merged = head fits
        merged = merge fits
        merged = head.txt
        merged: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    place.write("head.txt", "not committed\n");
    let said = place.json(&["run", "pull_request"]);
    expect![[r#"
        merged = base not committed
        merged = refs/pull/1/merge HEAD
        merged = at the merge
        merged = Merge into of 3
        merged = head fits
        merged = merge fits
        merged = head.txt
        merged: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
    let rerun = place.json(&["runs", "rerun"]);
    assert_eq!(rerun.printed(), said.printed());
}

// proves: conformance 21
#[test]
fn c21_conflicts_are_named_and_nothing_runs() {
    let place = two_branches();
    place.write("base.txt", "head\n");
    let words = |said: &Said| format!("{}exit {}", said.stderr, said.exit);
    let said = place.json(&["run", "pull_request"]);
    expect![[r#"
        error: GitHub would run nothing: the pull request conflicts with main in base.txt
        hint: merge or rebase first: git merge BASE, or name another one: --base BRANCH
        exit 3"#]]
    .assert_eq(&words(&said));
    assert_eq!(words(&place.json(&["plan", "pull_request"])), words(&said));
    let kept = std::fs::read_dir(place.state().join("snapshots")).expect("it was tried there");
    assert_eq!(kept.count(), 0, "what was tried is not kept");
    let committed = place.json(&["run", "pull_request", "--committed"]);
    assert_eq!(committed.exit, 0, "{}", committed.stderr);
}
