//! What a workflow does. Each test is a workflow, the arguments, and what is seen: the lines that
//! steps print behind `= `, how jobs and steps ended, the exit code.

use expect_test::{Expect, expect};
use serde_json::Value as Json;

use crate::harness::{Place, Said, text};

fn check(workflow: &str, args: &[&str], expect: Expect) -> (Place, Said) {
    check_in(Place::workflow(workflow), args, expect)
}

fn check_in(place: Place, args: &[&str], expect: Expect) -> (Place, Said) {
    let said = place.json(&[&["run"], args].concat());
    expect.assert_eq(&format!("{}{}", said.story(), said.stderr));
    (place, said)
}

// proves: conformance 47, 55, 69, 88, 97, 222
#[test]
fn jobs_follow_their_needs_conditions_and_outputs() {
    check(
        "
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    outputs: { version: '${{ steps.it.outputs.version }}', empty: '${{ steps.none.outputs.x }}' }
    steps:
      - { id: it, run: 'echo version=1.2 >> $GITHUB_OUTPUT' }
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - run: 'echo = got ${{ needs.first.outputs.version }} from ${{ needs.first.result }}'
      - run: exit 7
  skipped-after-a-failure: { needs: second, runs-on: ubuntu-latest, steps: [{ run: 'echo = never' }] }
  skipped-by-its-condition: { if: github.ref == 'refs/heads/other', runs-on: ubuntu-latest, steps: [{ run: 'echo = never' }] }
  after-a-skip: { needs: skipped-by-its-condition, runs-on: ubuntu-latest, steps: [{ run: 'echo = never' }] }
  on-failure: { needs: second, if: failure(), runs-on: ubuntu-latest, steps: [{ run: 'echo = ${{ needs.second.result }}' }] }
  always: { needs: [first, skipped-after-a-failure], if: always(), runs-on: ubuntu-latest, steps: [{ run: 'echo = ${{ join(needs.*.result) }}' }] }
  tolerated: { continue-on-error: true, runs-on: ubuntu-latest, steps: [{ run: 'false' }] }
  after-a-tolerated-one: { needs: tolerated, runs-on: ubuntu-latest, steps: [{ run: 'echo = ${{ needs.tolerated.result }}' }] }
",
        &[],
        expect![[r#"
            after-a-tolerated-one = success
            always = success,skipped
            on-failure = failure
            second = got 1.2 from success
            after-a-skip: skipped
            after-a-tolerated-one: success
            always: success
            first: success {"version":"1.2"}
            on-failure: success
            second: failure
              Run exit 7: failure, failure
            skipped-after-a-failure: skipped
            skipped-by-its-condition: skipped
            tolerated: failure
              Run false: failure, failure
            .github/workflows/ci.yml failure
            exit 1
        "#]],
    );
}

// proves: conformance 89, 126, 128, 130, 137
#[test]
fn steps_follow_their_conditions_and_what_is_tolerated() {
    check(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - { id: soft, run: exit 3, continue-on-error: true }
      - run: 'echo = ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }} ${{ job.status }}'
      - { name: not now, if: github.event_name == 'release', run: 'echo = never' }
      - { name: hard, run: exit 4 }
      - { name: after hard, run: 'echo = never' }
      - { if: failure(), run: 'echo = ${{ job.status }}' }
      - { if: always(), run: 'echo = always' }
      - { if: cancelled(), name: if cancelled, run: 'echo = never' }
      - { if: '!cancelled()', run: 'echo = not cancelled' }
",
        &[],
        expect![[r#"
            job = failure success success
            job = failure
            job = always
            job = not cancelled
            job: failure
              Run exit 3: failure, success
              not now: skipped, skipped
              hard: failure, failure
              after hard: skipped, skipped
              if cancelled: skipped, skipped
            .github/workflows/ci.yml failure
            exit 1
        "#]],
    );
}

// proves: conformance 91, 92, 93, 95
#[test]
fn a_matrix_is_multiplied_excluded_from_and_added_to() {
    let workflow = "
on: push
jobs:
  legs:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      matrix:
        os: [linux, bsd]
        version: [1, 2]
        exclude: [{ os: bsd, version: 1 }]
        include: [{ os: linux, version: 1, extra: more }, { os: plan9 }]
    steps:
      - run: 'echo = ${{ matrix.os }} ${{ matrix.version }} ${{ matrix.extra }} ${{ strategy.job-index }}/${{ strategy.job-total }}'
      - { if: matrix.os == 'bsd', run: exit 1 }
";
    let (place, _) = check(
        workflow,
        &[],
        expect![[r#"
        legs (1) = linux 1 more 0/4
        legs (2) = linux 2 1/4
        legs (3) = bsd 2 2/4
        legs (4) = plan9 3/4
        legs (bsd, 2): failure
          Run exit 1: failure, failure
        legs (linux, 1): success
          Run exit 1: skipped, skipped
        legs (linux, 2): success
          Run exit 1: skipped, skipped
        legs (plan9): success
          Run exit 1: skipped, skipped
        .github/workflows/ci.yml failure
        exit 1
    "#]],
    );
    let said = place.json(&["run", "--matrix", "os:linux", "--matrix", "version:2"]);
    expect![[r#"
        legs (2) = linux 2 1/4
        legs (linux, 2): success
          Run exit 1: skipped, skipped
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
}

// proves: conformance 96
#[test]
fn with_fail_fast_a_failing_leg_ends_the_others() {
    let place = Place::workflow(
        "
on: push
jobs:
  legs:
    runs-on: ubuntu-latest
    strategy: { matrix: { leg: [fails, waits] } }
    steps:
      - if: matrix.leg == 'waits'
        name: waits
        run: |
          echo > ${{ vars.MARK }}
          sleep 600
      - { if: matrix.leg == 'fails', name: fails, run: 'until test -e ${{ vars.MARK }}; do sleep 0.01; done; exit 1' }
",
    );
    let mark = format!("MARK={}", place.path("mark").display());
    check_in(
        place,
        &["--width", "2", "--var", &mark],
        expect![[r#"
        legs (fails): failure
          waits: skipped, skipped
          fails: failure, failure
        legs (waits): cancelled
          waits: cancelled, cancelled
          fails: skipped, skipped
        .github/workflows/ci.yml failure
        exit 1
    "#]],
    );
}

// proves: conformance 40, 41, 43
#[test]
fn of_a_concurrency_group_one_runs_and_the_newest_waits() {
    let job = "
    runs-on: ubuntu-latest
    concurrency: only-one
    steps:
      - { run: 'mkdir ${{ vars.LOCK }}' }
      - { if: always(), run: 'rmdir ${{ vars.LOCK }}' }
";
    let place = Place::workflow(&format!("on: push\njobs:\n  one:{job}  two:{job}  three:{job}"));
    let lock = format!("LOCK={}", place.path("lock").display());
    check_in(
        place,
        &["--width", "3", "--var", &lock],
        expect![[r#"
        one: success
        three: success
        two: cancelled
        .github/workflows/ci.yml cancelled
        exit 130
    "#]],
    );
}

// proves: conformance 108, 178, 182, 216, 219
#[test]
fn the_environment_is_laid_in_layers_and_steps_add_to_it() {
    check(
        r#"
on: push
env: { A: workflow, B: workflow, C: workflow, D: workflow }
jobs:
  job:
    runs-on: ubuntu-latest
    env: { B: job, C: job, D: job }
    steps:
      - name: adds
        env: { C: step, D: step }
        run: |
          echo = $A $B $C $D
          echo D=file >> $GITHUB_ENV
          { echo 'MANY<<end'; echo one; echo two; echo end; } >> $GITHUB_ENV
          mkdir tools; printf '#!/bin/sh\necho = the tool\n' > tools/tool; chmod +x tools/tool
          echo $PWD/tools >> $GITHUB_PATH
      - run: |
          echo = $A $B $C $D
          echo "= $(echo "$MANY" | wc -l) lines"
          tool
      - env: { D: step }
        run: 'echo = $D ${{ env.D }}'
      - run: 'echo = $CI $GITHUB_ACTIONS $GITHUB_EVENT_NAME $GITHUB_REF $GITHUB_JOB $RUNNER_OS; test -s $GITHUB_EVENT_PATH; test -d $RUNNER_TEMP; test $PWD = $GITHUB_WORKSPACE; test $HOME != /root'
"#,
        &[],
        expect![[r#"
            job = workflow job step step
            job = workflow job job file
            job = 2 lines
            job = the tool
            job = step step
            job = true true push refs/heads/main job Linux
            job: success
            .github/workflows/ci.yml success
            exit 0
        "#]],
    );
}

// proves: conformance 109, 131, 133
#[test]
fn shells_and_folders_come_from_defaults_and_steps() {
    check(
        "
on: push
defaults: { run: { shell: sh } }
jobs:
  job:
    runs-on: ubuntu-latest
    defaults: { run: { working-directory: inner } }
    steps:
      - { working-directory: ., run: mkdir inner }
      - { name: sh of the workflow, run: 'echo = $(basename $PWD) ${BASH_VERSION:-no bash}' }
      - { name: bash fails in a pipe, shell: bash, continue-on-error: true, run: 'false | true; echo = never' }
      - { name: sh does not, run: 'false | true; echo = went on' }
      - shell: python
        run: |
          import sys
          print('= python', sys.version_info[0])
      - { shell: 'perl {0}', run: 'print \"= perl\\n\"' }
      - { shell: 'bash -c \"echo = its file; cat {0}\"', run: '= as text' }
",
        &[],
        expect![[r#"
            job = inner no bash
            job = went on
            job = python 3
            job = perl
            job = its file
            job = as text
            job: success
              bash fails in a pipe: failure, success
            .github/workflows/ci.yml success
            exit 0
        "#]],
    );
}

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

/// A secret of letters that no encoding leaves alone.
const SECRET: &str = "correct-horse~battery?staple";

// proves: conformance 104, 169, 187, 188, 191
#[test]
fn a_secret_is_nowhere_in_what_is_printed_or_kept() {
    let place = Place::workflow(
        r##"
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    outputs: { leak: '${{ steps.leak.outputs.it }}', fine: '${{ steps.leak.outputs.fine }}' }
    env: { TOKEN: '${{ secrets.TOKEN }}' }
    steps:
      - name: plain ${{ secrets.TOKEN }}
        run: |
          echo "= plain $TOKEN"
          echo = base64 $(printf %s "$TOKEN" | base64)
          echo = in a word $(printf 'user:%s' "$TOKEN" | base64)
          echo "= reversed is another text"
          echo "::warning file=$TOKEN::about $TOKEN"
          echo "# $TOKEN" >> $GITHUB_STEP_SUMMARY
      - name: across the borders of what is read at once
        run: |
          for length in 4090 8180 16370 32750 65510 65530; do
            head -c $length /dev/zero | tr '\0' x; printf %s "$TOKEN"; echo
          done
          printf '= in two '; printf %s "${TOKEN:0:9}"; sleep 0.1; printf '%s\n' "${TOKEN:9}"
      - run: |
          made=$(date +%s%N)-made
          echo ::add-mask::$made
          echo = made $made
      - id: leak
        run: |
          echo "it=$TOKEN" >> $GITHUB_OUTPUT
          echo fine=1 >> $GITHUB_OUTPUT
"##,
    );
    let secret = format!("TOKEN={SECRET}");
    let (place, said) = check_in(
        place,
        &["--secret", &secret],
        expect![[r#"
            job = plain ***
            job = base64 ***
            job = in a word dXNlcjpj***
            job = reversed is another text
            job = in two ***
            job = made ***
            job: success {"fine":"1"}
            .github/workflows/ci.yml success
            exit 0
        "#]],
    );
    let human = place.run(&["run", "--secret", &secret]);
    let logs = place.run(&["runs", "logs"]);
    let page = place.run(&["runs", "show"]);
    for said in [&said, &human, &logs, &page] {
        assert!(!said.stdout.contains(SECRET) && !said.stderr.contains(SECRET));
    }
    assert!(logs.stdout.contains("***"), "{}", logs.stdout);
    for file in files_below(&place.state()) {
        let bytes = std::fs::read(&file).expect("a file of the state folder");
        assert!(!text(&bytes).contains(SECRET), "{}", file.display());
    }
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

// proves: conformance 102, 129
#[test]
fn steps_and_jobs_end_in_time() {
    check(
        "
on: push
jobs:
  slow-step:
    runs-on: ubuntu-latest
    steps:
      - { name: slow, timeout-minutes: 0.005, run: sleep 600 }
      - { if: failure(), run: 'echo = a step that timed out has failed' }
  slow-job:
    runs-on: ubuntu-latest
    timeout-minutes: 0.005
    steps:
      - { name: slow, run: sleep 600 }
      - { if: cancelled(), run: 'echo = a job that timed out is cancelled' }
",
        &[],
        expect![[r#"
            slow-job = a job that timed out is cancelled
            slow-step = a step that timed out has failed
            slow-job: timed_out
              slow: cancelled, cancelled
            slow-step: failure
              slow: failure, failure
            .github/workflows/ci.yml failure
            exit 1
        "#]],
    );
}

const COMPOSITE: &str = "
name: Greets
inputs: { who: { required: true }, how: { default: Hello } }
outputs: { said: { value: '${{ steps.it.outputs.said }}' } }
runs:
  using: composite
  steps:
    - id: it
      shell: bash
      env: { WHO: '${{ inputs.who }}' }
      run: |
        echo said=${{ inputs.how }} $WHO >> $GITHUB_OUTPUT
        echo = in $(basename $GITHUB_ACTION_PATH)
    - { uses: ./actions/counts, with: { name: inner } }
";

const JAVASCRIPT: &str = "
name: Counts
inputs: { name: { required: true } }
outputs: { length: { description: how long it is } }
runs: { using: node20, pre: pre.js, main: main.js, post: post.js }
";

const PRE: &str = "console.log(`= pre ${process.env.INPUT_NAME}`);";

const MAIN: &str = "
const fs = require('fs');
const name = process.env.INPUT_NAME;
fs.appendFileSync(process.env.GITHUB_OUTPUT, `length=${name.length}\\n`);
fs.appendFileSync(process.env.GITHUB_STATE, `kept=${name}\\n`);
console.log(`= main ${name} on node ${process.version.split('.')[0]}`);
";

const POST: &str = "console.log(`= post ${process.env.STATE_kept}`);";

// proves: conformance 143, 145, 147, 148, 152, 153, 183
#[test]
fn local_actions_composite_and_javascript_run_with_pre_and_post() {
    let workflow = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - { id: greet, uses: ./actions/greets, with: { who: World } }
      - { id: count, uses: ./actions/counts, with: { name: outer } }
      - run: 'echo = ${{ steps.greet.outputs.said }} ${{ steps.count.outputs.length }}'
";
    let place = Place::with(&[
        (".github/workflows/ci.yml", workflow),
        ("actions/greets/action.yml", COMPOSITE),
        ("actions/counts/action.yml", JAVASCRIPT),
        ("actions/counts/pre.js", PRE),
        ("actions/counts/main.js", MAIN),
        ("actions/counts/post.js", POST),
    ]);
    check_in(
        place,
        &[],
        expect![[r#"
        job = in greets
        job = main inner on node v20
        job = main outer on node v20
        job = Hello World 5
        job = post outer
        job = post inner
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
}

const CALLED: &str = "
on:
  workflow_call:
    inputs: { region: { type: string, required: true }, count: { type: number, default: 2 } }
    secrets: { key: { required: true } }
    outputs: { url: { value: '${{ jobs.deploy.outputs.url }}' } }
jobs:
  build: { runs-on: ubuntu-latest, steps: [{ run: 'echo = ${{ inputs.region }} ${{ inputs.count }} ${{ env.OUTER }}' }] }
  deploy:
    needs: build
    runs-on: ubuntu-latest
    outputs: { url: '${{ steps.it.outputs.url }}' }
    steps:
      - id: it
        env: { KEY: '${{ secrets.key }}', OTHER: '${{ secrets.OTHER }}' }
        run: |
          echo = key of ${#KEY}, other of ${#OTHER}
          echo url=https://${{ inputs.region }}.example.com >> $GITHUB_OUTPUT
";

// proves: conformance 117, 119, 120, 121, 123
#[test]
fn called_workflows_get_inputs_and_secrets_and_give_outputs() {
    let workflow = "
on: push
env: { OUTER: not seen inside }
jobs:
  ship:
    strategy: { matrix: { region: [north, south] } }
    uses: ./.github/workflows/called.yml
    with: { region: '${{ matrix.region }}' }
    secrets: { key: '${{ secrets.KEY }}' }
  after:
    needs: ship
    runs-on: ubuntu-latest
    steps: [{ run: 'echo = ${{ needs.ship.result }} ${{ startsWith(needs.ship.outputs.url, ''https://'') }}' }]
";
    let place = Place::with(&[
        (".github/workflows/ci.yml", workflow),
        (".github/workflows/called.yml", CALLED),
    ]);
    check_in(
        place,
        &["--secret", "KEY=0123456789", "--secret", "OTHER=abcdefgh"],
        expect![[r#"
        after = success true
        ship (1)/build = north 2
        ship (1)/deploy = key of 10, other of 0
        ship (2)/build = south 2
        ship (2)/deploy = key of 10, other of 0
        after: success
        ship (north) / build: success
        ship (north) / deploy: success {"url":"https://north.example.com"}
        ship (south) / build: success
        ship (south) / deploy: success {"url":"https://south.example.com"}
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
}

// proves: conformance 26
#[test]
fn a_dispatch_has_typed_inputs_and_variables() {
    check(
        "
on:
  workflow_dispatch:
    inputs:
      confirm: { required: true }
      dry: { type: boolean, default: true }
      count: { type: number, default: 3 }
jobs:
  deploy:
    if: inputs.confirm == 'DEPLOY'
    runs-on: ubuntu-latest
    steps:
      - run: 'echo = ${{ inputs.confirm }} ${{ inputs.dry && ''dry'' || ''wet'' }} ${{ inputs.count }} ${{ github.event.inputs.dry }} ${{ vars.REGION }}'
",
        &["workflow_dispatch", "--input", "confirm=DEPLOY", "--input", "dry=false", "--var", "region=eu"],
        expect![[r#"
            deploy = DEPLOY wet 3 false eu
            deploy: success
            .github/workflows/ci.yml success
            exit 0
        "#]],
    );
}

#[test]
fn one_job_runs_with_what_it_needs_and_nothing_else() {
    let job = |needs: &str| {
        format!("{{ {needs}runs-on: ubuntu-latest, steps: [{{ run: 'echo = here' }}] }}")
    };
    let workflow = format!(
        "on: push\njobs:\n  lint: {}\n  build: {}\n  test: {}\n  deploy: {}\n",
        job(""),
        job(""),
        job("needs: build, "),
        job("needs: test, ")
    );
    check(
        &workflow,
        &["-j", "test"],
        expect![[r#"
        build = here
        test = here
        build: success
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
}

#[test]
fn checkout_sees_the_work_tree_or_with_committed_the_commit() {
    let workflow = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: 'echo = $(ls | wc -l) files before'
      - uses: actions/checkout@v4
      - run: 'echo = $(cat code.txt) $(ls) $(git status --porcelain | wc -l)'
      - run: 'echo changed by the job > code.txt'
";
    let files =
        [(".github/workflows/ci.yml", workflow), ("code.txt", "old\n"), (".gitignore", "*.o\n")];
    let place = Place::with(&files);
    place.write("code.txt", "new\n");
    place.write("untracked.txt", "");
    place.write("ignored.o", "");
    let (place, said) = check_in(
        place,
        &[],
        expect![[r#"
        job = 0 files before
        job = new code.txt untracked.txt 0
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    assert_eq!(said.of("run_created")[0]["uncommitted"], 2);
    let said = place.json(&["run", "--committed"]);
    expect![[r#"
        job = 0 files before
        job = old code.txt 0
        job: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
    let here = std::fs::read_to_string(place.repository().join("code.txt")).expect("it is there");
    assert_eq!(here, "new\n");
}

// proves: conformance 203
#[test]
fn artifacts_go_from_job_to_job_and_caches_from_run_to_run() {
    let workflow = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - { id: cache, uses: actions/cache@v4, with: { path: deps, key: 'deps-${{ runner.os }}' } }
      - run: 'echo = hit ${{ steps.cache.outputs.cache-hit }}; mkdir -p deps dist/inner; echo 1 > deps/a; echo built > dist/inner/app'
      - { uses: actions/upload-artifact@v4, with: { name: app, path: dist } }
  test:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - { uses: actions/download-artifact@v4, with: { name: app, path: got } }
      - run: 'echo = $(cat got/inner/app)'
";
    let (place, _) = check(
        workflow,
        &[],
        expect![[r#"
        build = hit
        test = built
        build: success
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    expect![[r#"
        build = hit true
        test = built
        build: success
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&place.json(&["run"]).story());
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
    expect![[r#"
        {"type":"run_created","run":1,"attempt":1,"workflow":".github/workflows/ci.yml","title":"a change","event":"push","ref":"refs/heads/main","commit":"...","uncommitted":0}
        {"type":"job_completed","run":1,"job":"skip","name":"skip","conclusion":"skipped","outputs":{}}
        {"type":"job_started","run":1,"job":"job","name":"job"}
        {"type":"annotation","run":1,"job":"job","step":"it","level":"warning","message":"careful","title":null,"file":"a","line":2}
        {"type":"log","run":1,"job":"job","step":"it","text":"..."}
        {"type":"step_completed","run":1,"job":"job","step":"it","name":"Run echo x=1 >> $GITHUB_OUTPUT; echo ::warning file=a,line=2::careful","outcome":"success","conclusion":"success"}
        {"type":"job_completed","run":1,"job":"job","name":"job","conclusion":"success","outputs":{"x":"1"}}
        {"type":"run_completed","run":1,"workflow":".github/workflows/ci.yml","conclusion":"success"}"#]].assert_eq(&seen.join("\n"));
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
    .assert_eq(&without_times(&page));
    expect!["✗ 1 failure ci.yml main COMMIT T T T Ship main"]
        .assert_eq(&without_times(&place.run(&["runs", "list"]).stdout));
    expect![[r#"
        ##[group]Run echo = first
        [36;1mecho = first[0m
        shell: /usr/bin/bash -e {0}
        ##[endgroup]
        = first
        ##[group]Run echo = second; exit 9
        [36;1mecho = second; exit 9[0m
        shell: /usr/bin/bash -e {0}
        ##[endgroup]
        = second
        ##[error]Process completed with exit code 9.
    "#]]
    .assert_eq(&place.run(&["runs", "logs", "1", "--job", "bad"]).stdout);
    expect![[r#"
        ── bad ──
        ##[group]Run echo = second; exit 9
        [36;1mecho = second; exit 9[0m
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
