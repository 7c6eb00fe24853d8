//! What jobs and steps do: needs, conditions, matrices, environments, shells, masks, time limits. Each
//! test is a workflow, the arguments, and what is seen: the lines that steps print behind `= `, how
//! jobs and steps ended, the exit code.

use expect_test::expect;

use crate::harness::{Place, check, check_in, text};

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

/// Nobody cancelled it: it has failed for whoever asks how it went.
// proves: conformance 102, 222
#[test]
fn a_run_that_timed_out_has_not_been_cancelled() {
    let (place, _) = check(
        "
on: push
jobs:
  slow:
    runs-on: ubuntu-latest
    timeout-minutes: 0.005
    steps: [{ run: sleep 600 }]
  after:
    needs: slow
    if: cancelled() || needs.slow.result == 'cancelled'
    runs-on: ubuntu-latest
    steps: [{ run: 'echo = for others it is ${{ needs.slow.result }}' }]
",
        &[],
        expect![[r#"
            after = for others it is cancelled
            after: success
            slow: timed_out
              Run sleep 600: cancelled, cancelled
            .github/workflows/ci.yml timed_out
            exit 1
        "#]],
    );
    let page = place.run(&["runs", "show"]).stdout;
    for said in ["✗ timed out in", "  timed out after 0.005 minutes\n", "maximum execution time"]
    {
        assert!(page.contains(said), "{page}");
    }
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
fn language_and_time_zone_are_the_same_on_every_machine() {
    let place = Place::workflow(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: 'echo = $(date +%Z) $LANG ${LC_ALL:-none}'
      - run: 'echo = $(date +%Z)'
        env: { TZ: 'JST-9' }
",
    );
    let mut command = place.launchway(&["run"]);
    command.env("TZ", "CET-1").env("LANG", "de_DE.UTF-8").env("LC_ALL", "de_DE.UTF-8");
    let output = command.output().expect("the binary starts");
    let printed = text(&output.stdout);
    let shown: Vec<&str> = printed.lines().filter(|line| line.starts_with("job | = ")).collect();
    assert_eq!(shown, ["job | = UTC C.UTF-8 none", "job | = JST"]);
}

#[test]
fn a_run_whose_tests_ran_too_little_fails() {
    let covered = "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: 'printf \"SF:a\\nDA:1,1\\nDA:2,0\\nend_of_record\\n\" > lcov.info'
      - { uses: actions/upload-artifact@v4, with: { name: coverage-api, path: lcov.info } }
";
    let place = Place::workflow(covered);
    let asked = |coverage: &str| {
        place.write("launchway.yml", &format!("version: 1\nproject: a\ncoverage: {coverage}\n"));
        let said = place.run(&["run", "push"]);
        let told = said.stdout.lines().filter(|it| it.contains("minimum"));
        format!("{}: {}", said.exit, told.collect::<Vec<_>>().join("; "))
    };
    expect!["0: ✓ coverage: 50.0 % is at least the minimum of 50 %"]
        .assert_eq(&asked("{ minimum: 50 }"));
    expect!["1: ✓ coverage: 50.0 % is at least the minimum of 50 %; ✗ coverage of api: 50.0 % is under the minimum of 51 %; ? coverage of web: no run has kept a report of it yet; the minimum is 1 %"].assert_eq(&asked("{ minimum: 50, flags: { api: 51, web: 1 } }"));
}
