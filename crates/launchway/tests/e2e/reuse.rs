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

#[test]
fn what_runs_again_uploads_again_and_the_newest_is_what_is_downloaded() {
    let workflow = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo built > app
      - { uses: actions/upload-artifact@v4, with: { name: app, path: app } }
  test:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - { uses: actions/download-artifact@v4, with: { name: app, path: got } }
      - name: tests
        run: 'echo = $(cat got/app); echo attempt $GITHUB_RUN_ATTEMPT > report; test $GITHUB_RUN_ATTEMPT -gt 1'
      - { if: always(), uses: actions/upload-artifact@v4, with: { name: report, path: report } }
  last:
    needs: test
    if: always()
    runs-on: ubuntu-latest
    steps:
      - { uses: actions/download-artifact@v4, with: { name: report, path: got } }
      - run: 'echo = $(cat got/report)'
";
    let (place, _) = check(
        workflow,
        &[],
        expect![[r#"
        last = attempt 1
        test = built
        build: success
        last: success
        test: failure
          tests: failure, failure
        .github/workflows/ci.yml failure
        exit 1
    "#]],
    );
    // What was built is of attempt 1, what is reported of this one.
    expect![[r#"
        last = attempt 2
        test = built
        last: success
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&place.json(&["runs", "rerun", "--failed"]).story());
    expect![[r#"
        last = attempt 3
        test = built
        build: success
        last: success
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&place.json(&["runs", "rerun"]).story());
    let seen = place.run(&["runs", "download", "1", "-n", "report", "-D", "into"]);
    assert_eq!(seen.exit, 0, "{}", seen.stderr);
    let read = std::fs::read_to_string(place.repository().join("into/report"));
    assert_eq!(read.expect("report"), "attempt 3\n");
}

#[test]
fn artifacts_of_a_run_are_downloaded_as_gh_does_it() {
    // The second half of the job lies about its artifacts: one is called like the folder above, one
    // is over, one has no bytes.
    let workflow = r#"
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p dist/inner && echo built > dist/inner/app && echo read > readme
      - { uses: actions/upload-artifact@v4, with: { name: app, path: dist } }
      - { uses: actions/upload-artifact@v4, with: { name: docs, path: readme } }
      - if: vars.LIES
        run: |
          list=$RUNNER_TEMP/_runner_file_commands/artifacts.jsonl
          grep '"docs"' $list >line
          sed 's/"docs"/".."/' line >>$list
          sed 's/"docs"/"old"/; s/"expires_at":[0-9]*/"expires_at":1/' line >>$list
          sed 's/"docs"/"lost"/; s/"blob":"[0-9a-f]*"/"blob":"'$(printf '0%.0s' $(seq 64))'"/' line >>$list
      - { if: vars.LIES, uses: actions/upload-artifact@v4, with: { name: more, path: readme } }
"#;
    let place = Place::workflow(workflow);
    assert_eq!(place.run(&["run"]).exit, 0);
    let download = |args: &[&str]| {
        let said = place.run(&[&["runs", "download"], args].concat());
        let text = format!("exit {}\n{}{}", said.exit, said.stdout, said.stderr);
        text.replace(&place.state().display().to_string(), "STATE")
    };
    let mut seen = download(&["--dir", "all"]);
    seen += &download(&["--name", "app", "--dir", "one"]);
    seen += &download(&["--name", "app", "--dir", "one"]);
    seen += &download(&["--name", "app", "--name", "docs", "--dir", "two"]);
    seen += &download(&["--name", "tests"]);
    assert_eq!(place.run(&["run", "--var", "LIES=yes"]).exit, 0);
    for name in ["..", "old", "lost"] {
        seen += &download(&["--name", name, "--dir", "lies"]);
    }
    seen += &download(&["--dir", "lies/deep"]);
    expect![[r#"
        exit 0
        app: 1 file in all/app
        docs: 1 file in all/docs
        exit 0
        app: 1 file in one
        exit 4
        error: artifact app was not unpacked
          because: 'one/inner/app' is there already
        hint: --dir names another folder
        exit 0
        app: 1 file in two/app
        docs: 1 file in two/docs
        exit 2
        error: run 1 has no artifact tests
        hint: it has: app, docs
        exit 0
        ..: 1 file in lies
        exit 5
        error: artifact old of run 2 has expired
        hint: launchway runs rerun makes it again
        exit 5
        error: the bytes of artifact lost are gone
          because: there is no blob 0000000000000000000000000000000000000000000000000000000000000000 in STATE/blobs
        hint: launchway runs rerun makes it again
        exit 3
        error: artifact ".." is called like no folder: nothing was unpacked for it
        hint: --name with its name unpacks it straight into --dir
    "#]].assert_eq(&seen);
    let read = |path: &str| std::fs::read_to_string(place.repository().join(path));
    for path in ["all/app/inner/app", "one/inner/app", "two/app/inner/app"] {
        assert_eq!(read(path).expect(path), "built\n");
    }
    assert_eq!(read("all/docs/readme").expect("docs"), "read\n");
    assert!(read("lies/readme").is_ok() && read("readme").is_err(), "a name led out");
}
