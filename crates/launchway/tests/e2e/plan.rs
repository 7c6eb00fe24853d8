//! `launchway plan`: what would run and why the rest would not, with nothing started or written.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::Value as Json;

use crate::harness::{Place, Said};

/// What is said to people about this workflow; the commit has another name each time.
fn check_human(place: &Place, args: &[&str], expect: Expect) {
    let said = place.run(&[&["plan"], args].concat());
    expect.assert_eq(&format!(
        "{}{}exit {}\n",
        without_commit(&said.stdout),
        said.stderr,
        said.exit
    ));
    assert!(!place.state().exists(), "a plan writes nothing");
}

fn without_commit(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" at ") else { return text.to_owned() };
    format!("{before} at COMMIT{}", &rest[7..])
}

/// A line for each job: what becomes of it, why, and what of it is known later.
fn check_jobs(place: &Place, args: &[&str], expect: Expect) -> Said {
    let said = place.json(&[&["plan"], args].concat());
    let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Json| {
        let items = value.as_array().into_iter().flatten().map(word);
        items.collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    for line in said.of("job") {
        let _ = write!(text, "{}: {}", word(&line["job"]), word(&line["decision"]));
        if line["decision"] == "later" {
            let _ = write!(text, " after {}", list(&line["after"]));
        }
        if let Some(reason) = line["reason"].as_str() {
            let _ = write!(text, ": {reason}");
        }
        text.push('\n');
        for later in line["later"].as_array().into_iter().flatten() {
            let (field, after) = (word(&later["field"]), list(&later["after"]));
            let _ = writeln!(text, "  {field}: {} after {after}", word(&later["written"]));
        }
    }
    expect.assert_eq(&format!("{text}{}exit {}\n", said.stderr, said.exit));
    said
}

const PIPELINE: &str = "
name: Pipeline
run-name: ${{ github.event_name }} of ${{ github.ref_name }}
on: [push, pull_request]
permissions: { contents: read }
concurrency: { group: 'ci-${{ github.ref }}', cancel-in-progress: true }
jobs:
  lint: { runs-on: ubuntu-latest, steps: [{ run: a }, { parallel: [{ run: b }, { run: c }] }] }
  test:
    name: Unit tests
    strategy:
      max-parallel: 2
      fail-fast: false
      matrix: { python: ['3.11', '3.12'], include: [{ python: '3.12', os: self-hosted }] }
    runs-on: ${{ matrix.os || 'ubuntu-latest' }}
    timeout-minutes: 20
    services: { db: { image: 'postgres:16' }, 'redis': 'redis:7' }
    steps: [{ run: 'pytest ${{ secrets.TOKEN }} ${{ vars.REGION }}' }]
  build: { needs: [lint, test], runs-on: ubuntu-latest, steps: [{ run: a }] }
  ship:
    needs: build
    strategy: { matrix: { region: [north, south] } }
    uses: ./.github/workflows/ship.yml
    with: { region: '${{ matrix.region }}', tag: '${{ needs.build.outputs.tag }}' }
  deploy:
    needs: build
    if: needs.build.outputs.ship == 'true'
    environment: production
    concurrency: deploy
    permissions: { id-token: write }
    runs-on: ubuntu-latest
    steps: [{ run: a }]
  release:
    needs: deploy
    if: startsWith(github.ref, 'refs/tags/')
    runs-on: ubuntu-latest
    steps: [{ run: a }]
  announce: { needs: release, runs-on: ubuntu-latest, steps: [{ run: a }] }
";

const SHIP: &str = "
name: Ship
on: { workflow_call: { inputs: { region: { type: string, required: true }, tag: { type: string } } } }
jobs:
  push: { runs-on: ubuntu-latest, steps: [{ run: a }] }
  smoke: { needs: push, if: inputs.region == 'north', runs-on: ubuntu-latest, steps: [{ run: a }] }
  tag: { needs: push, if: inputs.tag != '', runs-on: ubuntu-latest, steps: [{ run: a }] }
";

const DOCS: &str = "
on: { push: { branches: [release/**] } }
jobs: { docs: { runs-on: ubuntu-latest, steps: [{ run: a }] } }
";

const CONTAINER: &str = "
name: Container
on: push
jobs:
  box: { runs-on: windows-latest, container: node, steps: [{ uses: docker://alpine }] }
";

fn pipeline() -> Place {
    Place::with(&[
        (".github/workflows/ci.yml", PIPELINE),
        (".github/workflows/ship.yml", SHIP),
        (".github/workflows/docs.yml", DOCS),
        (".github/workflows/container.yml", CONTAINER),
    ])
}

// proves: conformance 88, 95
#[test]
fn people_see_jobs_in_order_what_is_known_later_and_what_is_refused() {
    check_human(
        &pipeline(),
        &[],
        expect![[r#"
            push of main at COMMIT, in local/repository

            ▶ Pipeline  .github/workflows/ci.yml
              push of main
              one at a time in the group ci-refs/heads/main, ends the one before

              ● lint      ubuntu-latest · 3 steps · token: contents read
              ● test      2 legs, 2 at a time, a failed one ends no other · 1 step · with db (postgres:16), redis:7 · token: contents read · 20 min at most
                          ├ Unit tests (3.11)  ubuntu-latest
                          └ Unit tests (3.12)  self-hosted
              │
              ● build     after lint, test · ubuntu-latest · 1 step · token: contents read
              │
              ● ship      after build · 2 legs · calls ./.github/workflows/ship.yml
                          with.tag: ${{ needs.build.outputs.tag }} · decided when build has ended
                          ├ ship (north)
                          │ ● push   ubuntu-latest · 1 step
                          │ │
                          │ ● smoke  after push · ubuntu-latest · 1 step
                          │ ○ tag    after push · ubuntu-latest · 1 step
                          │          if: inputs.tag != '' · decided when build has ended
                          └ ship (south)
                            ● push   ubuntu-latest · 1 step
                            │
                            – smoke  skipped: its condition is false: inputs.region == 'north'
                            ○ tag    after push · ubuntu-latest · 1 step
                                     if: inputs.tag != '' · decided when build has ended
              ○ deploy    after build · ubuntu-latest · 1 step · environment production · one at a time in the group deploy · token: id-token write
                          if: needs.build.outputs.ship == 'true' · decided when build has ended
                          runs only where agreed to: --environment production
              │
              – release   skipped: its condition is false: startsWith(github.ref, 'refs/tags/')
              │
              – announce  skipped: it needs release, which does not run

              secret not set, so empty: TOKEN (.github/workflows/ci.yml:18); set with --secret NAME
              variable not set, so empty: REGION (.github/workflows/ci.yml:18); set with --var NAME=VALUE

            ▶ Container  .github/workflows/container.yml
              a change

              ✗ box  windows-latest · 1 step · in node
                     refused: the job 'box' runs in a container, and there is no Docker here (.github/workflows/container.yml:5)
                     hint: run its steps on this machine instead: remove `container`; or leave the job out: -j OTHER
                     refused: the job 'box' asks for a machine with Windows ('windows-latest'), and this one runs Linux on x86-64 (.github/workflows/container.yml:5)
                     hint: if this machine will do: --label windows-latest=host; else leave it out: -j or --matrix
                     refused: a step of the job 'box' runs the image alpine, and there is no Docker here (.github/workflows/container.yml:5)
                     hint: run where Docker is, or replace the step

            – .github/workflows/docs.yml
              does not run: No pattern of `branches` lets the branch main through.

            – Ship  .github/workflows/ship.yml
              does not run: It runs on workflow_call, not on push.

            2 workflows with 8 jobs, 3 more decided later; 2 not started; 1 that cannot run on this machine
            exit 0
        "#]],
    );
}

#[test]
fn a_selection_is_planned_alone() {
    check_human(
        &pipeline(),
        &[
            "push",
            "-j",
            "build",
            "--matrix",
            "python:3.11",
            "--secret",
            "TOKEN",
            "--var",
            "REGION=eu",
        ],
        expect![[r#"
            push of main at COMMIT, in local/repository

            ▶ Pipeline  .github/workflows/ci.yml
              push of main
              one at a time in the group ci-refs/heads/main, ends the one before

              ● lint   ubuntu-latest · 3 steps · token: contents read
              ● test   1 leg, 2 at a time, a failed one ends no other · ubuntu-latest · 1 step · with db (postgres:16), redis:7 · token: contents read · 20 min at most
                       └ Unit tests (3.11)
              │
              ● build  after lint, test · ubuntu-latest · 1 step · token: contents read

            – Container  .github/workflows/container.yml
              does not run: It has no job that -j asks for.

            – .github/workflows/docs.yml
              does not run: No pattern of `branches` lets the branch main through.

            – Ship  .github/workflows/ship.yml
              does not run: It runs on workflow_call, not on push.

            1 workflow with 3 jobs; 3 not started
            exit 0
        "#]],
    );
}

// proves: conformance 88
#[test]
fn conditions_are_judged_now_where_they_can_be() {
    let job = |id: &str, needs: &str, condition: &str| {
        let condition = condition.replace('"', "\\\"");
        format!(
            "  {id}: {{ needs: [{needs}], if: \"{condition}\", runs-on: ubuntu-latest, steps: [{{ run: a }}] }}\n"
        )
    };
    let mut workflow =
        "on: push\njobs:\n  first: { runs-on: ubuntu-latest, steps: [{ run: a }] }\n".to_owned();
    for (id, needs, condition) in [
        ("not", "", "false"),
        ("behind-not", "not", "success()"),
        ("always", "not", "always()"),
        ("knows-result", "not", "always() && needs.not.result == 'skipped'"),
        ("output", "first", "needs.first.outputs.a == 'b'"),
        ("decided-by-ref", "first", "github.ref == 'refs/heads/x' && needs.first.outputs.a"),
        ("decided-by-or", "first", "needs.first.outputs.a || github.ref == 'refs/heads/main'"),
        ("failure", "first", "failure()"),
        ("nothing-fails", "", "failure()"),
        ("only-skips-before", "not", "failure()"),
        ("unless-cancelled", "first", "!cancelled()"),
        ("if-cancelled", "first", "cancelled()"),
        ("unless-failed", "first", "!failure() && !cancelled()"),
        ("behind-later", "output", "success()"),
        ("number", "", "github.run_number == 1"),
        ("all-of-needs", "first, not", "contains(toJSON(needs), 'x')"),
    ] {
        workflow += &job(id, needs, condition);
    }
    check_jobs(
        &Place::workflow(&workflow),
        &[],
        expect![[r#"
            first: runs
            not: skipped: its condition is false: false
            behind-not: skipped: its condition is false: success()
            always: runs
            knows-result: runs
            output: later after first
            decided-by-ref: skipped: its condition is false: github.ref == 'refs/heads/x' && needs.first.outputs.a
            decided-by-or: runs
            failure: later after first
            nothing-fails: skipped: its condition is false: failure()
            only-skips-before: skipped: its condition is false: failure()
            unless-cancelled: runs
            if-cancelled: later after first
            unless-failed: runs
            behind-later: runs
            number: later after 
            all-of-needs: skipped: it needs not, which does not run
            exit 0
        "#]],
    );
}

#[test]
fn fields_that_hang_on_outputs_are_known_later() {
    let workflow = "
on: push
concurrency: ${{ github.workflow }}-${{ github.run_id }}
jobs:
  setup: { runs-on: ubuntu-latest, steps: [{ run: a }] }
  matrix:
    needs: setup
    strategy: { matrix: { it: '${{ fromJSON(needs.setup.outputs.list) }}' } }
    name: leg ${{ matrix.it }}
    runs-on: ubuntu-latest
    steps: [{ run: a }]
  machine:
    needs: setup
    runs-on: ${{ needs.setup.outputs.label }}
    environment: ${{ needs.setup.outputs.environment }}
    concurrency: group-${{ needs.setup.outputs.group }}
    timeout-minutes: ${{ fromJSON(needs.setup.outputs.limit) }}
    steps: [{ run: a }]
  known: { needs: setup, runs-on: \"${{ 'ubuntu-latest' || needs.setup.outputs.label }}\", steps: [{ run: a }] }
  after: { needs: [matrix, machine], runs-on: ubuntu-latest, steps: [{ run: a }] }
  wrong: { runs-on: ubuntu-latest, timeout-minutes: '${{ fromJSON(github.ref) }}', steps: [{ run: a }] }
  behind-wrong: { needs: wrong, runs-on: ubuntu-latest, steps: [{ run: a }] }
  called: { needs: setup, uses: ./.github/workflows/ship.yml, with: { region: '${{ needs.setup.outputs.region }}' } }
";
    let place = Place::with(&[
        (".github/workflows/ci.yml", workflow),
        (".github/workflows/ship.yml", SHIP),
    ]);
    let said = check_jobs(
        &place,
        &[],
        expect![[r#"
            setup: runs
            matrix: runs
              strategy: { it: '${{ fromJSON(needs.setup.outputs.list) }}' } after setup
              name: leg ${{ matrix.it }} after setup
            machine: runs
              concurrency: group-${{ needs.setup.outputs.group }} after setup
              runs-on: ${{ needs.setup.outputs.label }} after setup
              environment: ${{ needs.setup.outputs.environment }} after setup
              timeout-minutes: ${{ fromJSON(needs.setup.outputs.limit) }} after setup
            known: runs
            after: runs
            wrong: fails: the expression could not be evaluated: fromJSON: a value should stand here at character 1
            behind-wrong: skipped: it needs wrong, which does not run
            called: runs
              with.region: ${{ needs.setup.outputs.region }} after setup
            called/push: runs
            called/smoke: later after setup
            called/tag: skipped: its condition is false: inputs.tag != ''
            exit 0
        "#]],
    );
    expect![[r#"[{"field":"concurrency","written":"${{ github.workflow }}-${{ github.run_id }}","after":[]}]"#]].assert_eq(&said.of("workflow")[0]["later"].to_string());
}

// Legs that would end each other in one group, and jobs of a group that another one holds.
#[test]
fn jobs_of_one_group_are_all_planned() {
    let workflow = "
on: push
jobs:
  legs:
    strategy: { matrix: { it: [1, 2, 3, 4] } }
    concurrency: { group: all, cancel-in-progress: true }
    runs-on: ubuntu-latest
    steps: [{ run: a }]
  after: { needs: legs, runs-on: ubuntu-latest, steps: [{ run: a }] }
";
    check_jobs(
        &Place::workflow(workflow),
        &[],
        expect![[r#"
        legs: runs
        legs (1): runs
        legs (2): runs
        legs (3): runs
        legs (4): runs
        after: runs
        exit 0
    "#]],
    );
}

#[test]
fn programs_get_every_field_of_a_job() {
    let said = pipeline().json(&["plan", "-j", "test"]);
    let legs: Vec<Json> = said.of("job").into_iter().filter(|it| it["leg_of"] == "test").collect();
    expect![[r#"
        {
          "type": "job",
          "workflow": ".github/workflows/ci.yml",
          "job": "test (2)",
          "id": "test",
          "name": "Unit tests (3.12)",
          "leg_of": "test",
          "legs": null,
          "called_by": null,
          "file": null,
          "needs": [],
          "decision": "runs",
          "reason": null,
          "if": null,
          "after": [],
          "matrix": {
            "python": "3.12",
            "os": "self-hosted"
          },
          "max_parallel": 2,
          "fail_fast": false,
          "runs_on": [
            "self-hosted"
          ],
          "runner_group": null,
          "environment": null,
          "container": null,
          "services": {
            "db": "postgres:16",
            "redis": "redis:7"
          },
          "concurrency": null,
          "permissions": {
            "contents": "read"
          },
          "timeout_minutes": 20.0,
          "continue_on_error": false,
          "steps": 1,
          "calls": null,
          "later": []
        }"#]]
    .assert_eq(&format!("{:#}", legs[1]));
    let said = pipeline().json(&["plan", "-W", ".github/workflows/container.yml"]);
    let refused: Vec<String> = said.of("refusal").iter().map(Json::to_string).collect();
    expect![[r#"
        {"type":"refusal","workflow":".github/workflows/container.yml","job":"box","rule":"needs-docker","severity":"error","message":"the job 'box' runs in a container, and there is no Docker here","hint":"run its steps on this machine instead: remove `container`; or leave the job out: -j OTHER","file":".github/workflows/container.yml","line":5,"column":46}
        {"type":"refusal","workflow":".github/workflows/container.yml","job":"box","rule":"unknown-label","severity":"error","message":"the job 'box' asks for a machine with Windows ('windows-latest'), and this one runs Linux on x86-64","hint":"if this machine will do: --label windows-latest=host; else leave it out: -j or --matrix","file":".github/workflows/container.yml","line":5,"column":19}
        {"type":"refusal","workflow":".github/workflows/container.yml","job":"box","rule":"needs-docker","severity":"error","message":"a step of the job 'box' runs the image alpine, and there is no Docker here","hint":"run where Docker is, or replace the step","file":".github/workflows/container.yml","line":5,"column":60}"#]].assert_eq(&refused.join("\n"));
}

#[test]
fn graphviz_gets_boxes_arrows_and_frames() {
    let said = pipeline().run(&["plan", "--format", "dot", "-j", "ship", "-j", "box"]);
    expect![[r#"
        digraph plan {
          rankdir=LR;
          fontname="sans-serif";
          node [shape=box, style=rounded, fontname="sans-serif"];
          subgraph cluster_0 {
            label="Pipeline";
            ".github/workflows/ci.yml#lint" [label="lint"];
            ".github/workflows/ci.yml#test" [label="test\n2 legs\nUnit tests (3.11)\nUnit tests (3.12)"];
            ".github/workflows/ci.yml#build" [label="build"];
            ".github/workflows/ci.yml#ship" [label="ship\n2 legs\nship (north)\nship (south)"];
            subgraph cluster_1 {
              label="ship (north)";
              ".github/workflows/ci.yml#ship (1)/push" [label="push"];
              ".github/workflows/ci.yml#ship (1)/smoke" [label="smoke"];
              ".github/workflows/ci.yml#ship (1)/tag" [label="tag", style="rounded,dashed"];
              ".github/workflows/ci.yml#ship (1)/push" -> ".github/workflows/ci.yml#ship (1)/smoke";
              ".github/workflows/ci.yml#ship (1)/push" -> ".github/workflows/ci.yml#ship (1)/tag";
            }
            ".github/workflows/ci.yml#ship" -> ".github/workflows/ci.yml#ship (1)/push" [style=dotted];
            subgraph cluster_2 {
              label="ship (south)";
              ".github/workflows/ci.yml#ship (2)/push" [label="push"];
              ".github/workflows/ci.yml#ship (2)/smoke" [label="smoke", color=gray, fontcolor=gray];
              ".github/workflows/ci.yml#ship (2)/tag" [label="tag", style="rounded,dashed"];
              ".github/workflows/ci.yml#ship (2)/push" -> ".github/workflows/ci.yml#ship (2)/smoke";
              ".github/workflows/ci.yml#ship (2)/push" -> ".github/workflows/ci.yml#ship (2)/tag";
            }
            ".github/workflows/ci.yml#ship" -> ".github/workflows/ci.yml#ship (2)/push" [style=dotted];
            ".github/workflows/ci.yml#lint" -> ".github/workflows/ci.yml#build";
            ".github/workflows/ci.yml#test" -> ".github/workflows/ci.yml#build";
            ".github/workflows/ci.yml#build" -> ".github/workflows/ci.yml#ship";
          }
          subgraph cluster_3 {
            label="Container";
            ".github/workflows/container.yml#box" [label="box", color=red, fontcolor=red];
          }
        }
    "#]].assert_eq(&said.stdout);
}

#[test]
fn mistakes_are_shown_and_end_with_3() {
    let place = Place::with(&[
        (".github/workflows/a.yml", "on: push\njobs: { a: { runs-on: x, steps: [{ run: x }] } }\n"),
        (
            ".github/workflows/b.yml",
            "on: push\njobs: { b: { uses: ./.github/workflows/ship.yml } }\n",
        ),
        (".github/workflows/ship.yml", SHIP),
    ]);
    check_human(
        &place,
        &[],
        expect![[r#"
            push of main at COMMIT, in local/repository

            ▶ .github/workflows/a.yml
              a change

              ✗ a  x · 1 step
                   refused: no runner here has the label 'x' that the job 'a' asks for (.github/workflows/a.yml:2)
                   hint: if this machine will do: --label x=host; else leave it out: -j or --matrix

            ✗ .github/workflows/b.yml
              cannot run: it has mistakes
              error[called-workflow]: with: the input `region` is required
               --> .github/workflows/b.yml:2:9
                |
              2 | jobs: { b: { uses: ./.github/workflows/ship.yml } }
                |         ^
                |
                = help: it takes the inputs region, tag and no secrets

            – Ship  .github/workflows/ship.yml
              does not run: It runs on workflow_call, not on push.

            1 workflow with 1 job; 1 not started; 1 with mistakes; 1 that cannot run on this machine
            exit 3
        "#]],
    );
    check_human(
        &place,
        &["pull_request"],
        expect![[r#"
        pull_request of refs/pull/1/merge at COMMIT, in local/repository

        – .github/workflows/a.yml
          does not run: It runs on push, not on pull_request.

        – .github/workflows/b.yml
          does not run: It runs on push, not on pull_request.

        – Ship  .github/workflows/ship.yml
          does not run: It runs on workflow_call, not on pull_request.

        nothing runs; 3 not started
        exit 0
    "#]],
    );
}

#[test]
fn what_cannot_be_asked_is_said_as_by_run() {
    let place = pipeline();
    for args in [&["tag"][..], &["push", "-j", "nobody"], &["push", "--matrix", "python"]] {
        let planned = place.run(&[&["plan"], args].concat());
        let run = place.run(&[&["run"], args].concat());
        let told = |said: &Said| {
            let lines = said.stderr.lines().filter(|line| !line.starts_with("note: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((planned.exit, told(&planned)), (run.exit, told(&run)), "{args:?}");
        assert_ne!(planned.exit, 0);
    }
}
