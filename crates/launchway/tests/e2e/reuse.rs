//! What a job takes from elsewhere: local actions, called workflows, the checkout, artifacts, caches.

use expect_test::expect;

use crate::harness::{Place, check, check_in};

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
console.log(`= main ${name}`);
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
        job = main inner
        job = main outer
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
