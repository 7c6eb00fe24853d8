//! Steps in the background, as people and programs see them.

use expect_test::expect;

use crate::harness::Place;

/// A server that is there as long as a step needs it, two steps side by side, and one that fails.
const SIDE_BY_SIDE: &str = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - id: server
        name: Serve
        background: true
        run: |
          trap 'echo = closes; exit 0' INT
          echo = serves
          touch served
          while true; do sleep 0.02; done
      - name: Ask
        run: |
          until test -e served; do sleep 0.01; done
          echo = asks
      - cancel: server
      - parallel:
          - { id: one, run: 'echo = one; echo it=1 >> $GITHUB_OUTPUT' }
          - { id: two, run: 'echo = two; exit 2', continue-on-error: true }
      - run: 'echo = ${{ steps.server.outcome }} ${{ steps.one.outputs.it }} ${{ steps.two.outcome }}'
";

// proves: conformance 141
#[test]
fn c141_steps_in_the_background() {
    let place = Place::workflow(SIDE_BY_SIDE);
    let said = place.json(&["run"]);
    // Whose lines come first is open where they are printed at a time.
    let printed = said.printed();
    let mut printed: Vec<&str> = printed.lines().collect();
    printed.sort_unstable();
    expect![[r#"
        job = asks
        job = cancelled 1 failure
        job = closes
        job = one
        job = serves
        job = two
    "#]]
    .assert_eq(&format!("{}\n", printed.join("\n")));
    // Nor is it settled which of two ends first.
    let verdict = said.verdict();
    let mut verdict: Vec<&str> = verdict.lines().collect();
    verdict.sort_unstable();
    expect![[r#"
          Run echo = two; exit 2: failure, success
          Serve: cancelled, cancelled
        .github/workflows/ci.yml success
        exit 0
        job: success
    "#]]
    .assert_eq(&format!("{}\n", verdict.join("\n")));
    let aside = said.of("step_completed");
    let aside = aside.iter().filter(|step| step["background"] == true);
    let mut aside: Vec<&str> = aside.filter_map(|step| step["step"].as_str()).collect();
    aside.sort_unstable();
    assert_eq!(aside, ["one", "server", "two"]);
    // Each has its log by itself.
    let logs = place.run(&["runs", "logs"]);
    let shown = |line: &&str| line.starts_with("= ") || line.starts_with("── ");
    let lines: Vec<&str> = logs.stdout.lines().filter(shown).collect();
    expect![[r#"
        = asks
        = cancelled 1 failure
        ── job › Serve (background) ──
        = serves
        = closes
        ── job › Run echo = one; echo it=1 >> $GITHUB_OUTPUT (background) ──
        = one
        ── job › Run echo = two; exit 2 (background) ──
        = two"#]]
    .assert_eq(&lines.join("\n"));
    let failed = place.run(&["runs", "logs", "--failed"]);
    let lines: Vec<&str> = failed.stdout.lines().filter(shown).collect();
    expect![[r#"
        ── job › Run echo = two; exit 2 (background) ──
        = two"#]]
    .assert_eq(&lines.join("\n"));
    let page = place.run(&["runs", "show"]);
    let lines: Vec<&str> = page.stdout.lines().filter(|line| line.contains("background")).collect();
    expect!["      ✗ Run echo = two; exit 2 (background) (continue-on-error)"]
        .assert_eq(&lines.join("\n"));
    // Nothing of it is left but the blobs.
    let left = std::fs::read_dir(place.state().join("logs/1/1")).into_iter().flatten().flatten();
    let left: Vec<_> = left.map(|it| it.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".times")), "{left:?}");
}

// proves: conformance 141
#[test]
fn c141_lines_of_the_background_bear_its_name() {
    let place = Place::workflow(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - { id: bg, name: Beside, background: true, run: 'echo = beside; touch beside' }
      - { name: Own, run: 'until test -e beside; do sleep 0.01; done; echo = own' }
",
    );
    let said = place.run(&["run"]);
    let mut lines: Vec<&str> = said.stdout.lines().filter(|line| line.contains("| = ")).collect();
    lines.sort_unstable();
    expect![[r#"
        job | = own
        job › Beside | = beside"#]]
    .assert_eq(&lines.join("\n"));
}
