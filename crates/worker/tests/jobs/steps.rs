//! Jobs of plain steps, run by a real worker with real shells: what it reports and what it logs.

use crate::harness::start;
use expect_test::{Expect, expect};

/// Runs the steps of one job; `reports` and `log` are all that came of it.
fn check(steps: &str, reports: Expect, log: Expect) {
    let told = crate::harness::run(&format!(
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n{steps}"
    ));
    reports.assert_eq(&told.told());
    log.assert_eq(&told.text());
}

// proves: conformance 126, 133, 137, 140
#[test]
fn c137_a_failing_step_fails_the_job_and_skips_the_rest() {
    check(
        "
    env:
      A: job
    steps:
      - run: echo \"hello $A\"
      - run: exit 3
        name: breaks
      - run: echo never
      - run: echo always
        if: always()
",
        expect![[r#"
            __run: success -> success
            Error  Process completed with exit code 3.
            __run_2: failure -> failure
            __run_3: skipped -> skipped
            __run_4: success -> success
            job: failure UserFailure
        "#]],
        expect![[r###"
            ##[group]Run echo "hello $A"
            ^[36;1mecho "hello $A"^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            hello job
            ##[group]Run exit 3
            ^[36;1mexit 3^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            ##[error]Process completed with exit code 3.
            ##[group]Run echo always
            ^[36;1mecho always^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            always
        "###]],
    );
}

// proves: conformance 69, 128, 130
#[test]
fn c128_a_forgiven_failure_counts_for_nobody() {
    check(
        r##"
    steps:
      - id: try
        run: exit 1
        continue-on-error: true
      - run: echo "${{ steps.try.outcome }} ${{ steps.try.conclusion }} ${{ job.status }}"
"##,
        expect![[r#"
            Error  Process completed with exit code 1.
            try: failure -> success
            __run: success -> success
            job: success None
        "#]],
        expect![[r###"
            ##[group]Run exit 1
            ^[36;1mexit 1^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            ##[error]Process completed with exit code 1.
            ##[group]Run echo "failure success success"
            ^[36;1mecho "failure success success"^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            failure success success
        "###]],
    );
}

// proves: conformance 108, 177, 178, 181, 182, 186, 257
#[test]
fn c177_file_commands_reach_the_steps_behind() {
    check(
        r##"
    env:
      A: job
    steps:
      - id: one
        run: |
          echo "A=file" >> $GITHUB_ENV
          printf 'TEXT<<END\nfirst\nsecond\nEND\n' >> $GITHUB_ENV
          echo "GITHUB_SHA=mine" >> $GITHUB_ENV
          echo "NODE_OPTIONS=x" >> $GITHUB_ENV
          echo "out=value" >> $GITHUB_OUTPUT
          mkdir -p bin; printf '#!/bin/sh\necho tool\n' > bin/tool; chmod +x bin/tool
          echo "$PWD/bin" >> $GITHUB_PATH
      - run: echo "$A/$OWN/$TEXT/$GITHUB_SHA/${{ steps.one.outputs.out }}/$(tool)"
        env:
          OWN: ${{ env.A }}
      - run: echo "[$OWN]"
"##,
        expect![[r#"
            Error  Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.
            one: success -> success
            __run: success -> success
            __run_2: success -> success
            job: success None
        "#]],
        expect![[r###"
            ##[group]Run echo "A=file" >> $GITHUB_ENV
            ^[36;1mecho "A=file" >> $GITHUB_ENV^[0m
            ^[36;1mprintf 'TEXT<<END\nfirst\nsecond\nEND\n' >> $GITHUB_ENV^[0m
            ^[36;1mecho "GITHUB_SHA=mine" >> $GITHUB_ENV^[0m
            ^[36;1mecho "NODE_OPTIONS=x" >> $GITHUB_ENV^[0m
            ^[36;1mecho "out=value" >> $GITHUB_OUTPUT^[0m
            ^[36;1mmkdir -p bin; printf '#!/bin/sh\necho tool\n' > bin/tool; chmod +x bin/tool^[0m
            ^[36;1mecho "$PWD/bin" >> $GITHUB_PATH^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: job
            ##[endgroup]
            ##[error]Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.
            ##[group]Run echo "$A/$OWN/$TEXT/$GITHUB_SHA/value/$(tool)"
            ^[36;1mecho "$A/$OWN/$TEXT/$GITHUB_SHA/value/$(tool)"^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: file
              TEXT: first
            second
              GITHUB_SHA: mine
              OWN: file
            ##[endgroup]
            file/file/first
            second/abc/value/tool
            ##[group]Run echo "[$OWN]"
            ^[36;1mecho "[$OWN]"^[0m
            shell: /usr/bin/bash -e {0}
            env:
              A: file
              TEXT: first
            second
              GITHUB_SHA: mine
            ##[endgroup]
            []
        "###]],
    );
}

// proves: conformance 178
#[test]
fn c178_a_broken_file_command_fails_the_step() {
    check(
        r##"
    steps:
      - id: one
        run: |
          echo "good=1" >> $GITHUB_OUTPUT
          echo "no equals sign" >> $GITHUB_OUTPUT
      - run: echo "${{ steps.one.outputs.good }}"
        if: failure()
"##,
        expect![[r#"
            Error  Unable to process file command 'output' successfully. Invalid format 'no equals sign'
            one: failure -> failure
            __run: success -> success
            job: failure UserFailure
        "#]],
        expect![[r###"
            ##[group]Run echo "good=1" >> $GITHUB_OUTPUT
            ^[36;1mecho "good=1" >> $GITHUB_OUTPUT^[0m
            ^[36;1mecho "no equals sign" >> $GITHUB_OUTPUT^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            ##[error]Unable to process file command 'output' successfully. Invalid format 'no equals sign'
            ##[group]Run echo "1"
            ^[36;1mecho "1"^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            1
        "###]],
    );
}

// proves: conformance 165, 166, 168, 170, 171, 174, 175, 223, 250
#[test]
fn c165_workflow_commands() {
    check(
        r##"
    steps:
      - id: one
        run: |
          echo "plain ::error::is no command"
          echo "::warning file=src/a.rs,line=3,title=T::careful%0Athere"
          echo "::group::folded"
          echo inside
          echo "::endgroup::"
          echo "::set-output name=old::works"
          echo "::debug::unseen"
          echo "::notice::seen" >&2
      - run: echo ${{ steps.one.outputs.old }}
"##,
        expect![[r#"
            Warning src/a.rs:3 careful
            there
            Warning  The `set-output` command is deprecated: write to the file that GITHUB_OUTPUT names instead.
            Notice  seen
            one: success -> success
            __run: success -> success
            job: success None
        "#]],
        expect![[r###"
            ##[group]Run echo "plain ::error::is no command"
            ^[36;1mecho "plain ::error::is no command"^[0m
            ^[36;1mecho "::warning file=src/a.rs,line=3,title=T::careful%0Athere"^[0m
            ^[36;1mecho "::group::folded"^[0m
            ^[36;1mecho inside^[0m
            ^[36;1mecho "::endgroup::"^[0m
            ^[36;1mecho "::set-output name=old::works"^[0m
            ^[36;1mecho "::debug::unseen"^[0m
            ^[36;1mecho "::notice::seen" >&2^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            plain ::error::is no command
            ##[warning]careful
            there
            ##[group]folded
            inside
            ##[endgroup]
            ##[warning]The `set-output` command is deprecated: write to the file that GITHUB_OUTPUT names instead.
            ##[notice]seen
            ##[group]Run echo works
            ^[36;1mecho works^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            works
        "###]],
    );
}

// proves: conformance 169, 187, 191, 193
#[test]
fn c187_secrets_are_masked() {
    check(
        r##"
    steps:
      - run: |
          echo "the token is ${{ secrets.TOKEN }}!"
          echo "made up"
          echo "::add-mask::made up"
          echo "made up"
          echo "::error::with s3cr3t-value inside"
          printf 's3cr3t'; sleep 0.1; printf -- '-value'; echo
        name: uses s3cr3t-value
"##,
        expect![[r#"
            Error  with *** inside
            __run: success -> success
            job: success None
        "#]],
        expect![[r###"
            ##[group]Run echo "the token is ***!"
            ^[36;1mecho "the token is ***!"^[0m
            ^[36;1mecho "made up"^[0m
            ^[36;1mecho "::add-mask::made up"^[0m
            ^[36;1mecho "made up"^[0m
            ^[36;1mecho "::error::with *** inside"^[0m
            ^[36;1mprintf 's3cr3t'; sleep 0.1; printf -- '-value'; echo^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            the token is ***!
            made up
            ***
            ##[error]with *** inside
            ***
        "###]],
    );
}

// proves: conformance 131, 133, 134, 249
#[test]
fn c133_shells_and_folders() {
    check(
        r##"
    defaults:
      run:
        working-directory: sub
    steps:
      - run: mkdir sub
        working-directory: .
      - run: basename $PWD; false | true; echo no pipefail
      - run: false | true
        shell: bash
        continue-on-error: true
      - run: print("python says hello")
        shell: python3 {0}
      - run: echo lost
        working-directory: nowhere
"##,
        expect![[r#"
            __run: success -> success
            __run_2: success -> success
            Error  Process completed with exit code 1.
            __run_3: failure -> success
            __run_4: success -> success
            Error  An error occurred trying to start process '/usr/bin/bash' with working directory '/FOLDER/job/work/demo/demo/nowhere'. No such file or directory
            __run_5: failure -> failure
            job: failure UserFailure
        "#]],
        expect![[r###"
            ##[group]Run mkdir sub
            ^[36;1mmkdir sub^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            ##[group]Run basename $PWD; false | true; echo no pipefail
            ^[36;1mbasename $PWD; false | true; echo no pipefail^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            sub
            no pipefail
            ##[group]Run false | true
            ^[36;1mfalse | true^[0m
            shell: /usr/bin/bash --noprofile --norc -e -o pipefail {0}
            ##[endgroup]
            ##[error]Process completed with exit code 1.
            ##[group]Run print("python says hello")
            ^[36;1mprint("python says hello")^[0m
            shell: /FOLDER/job/packages/shims/python3 {0}
            ##[endgroup]
            python says hello
            ##[group]Run echo lost
            ^[36;1mecho lost^[0m
            ##[endgroup]
            ##[error]An error occurred trying to start process '/usr/bin/bash' with working directory '/FOLDER/job/work/demo/demo/nowhere'. No such file or directory
        "###]],
    );
}

// proves: conformance 90
#[test]
fn c90_a_wrong_expression_fails_its_step() {
    check(
        r##"
    steps:
      - run: echo ${{ fromJSON('nonsense') }}
      - run: echo after
        if: always() && fromJSON('nonsense')
      - run: echo "${{ job.status }}"
        if: always()
"##,
        expect![[r#"
            Error  the expression could not be evaluated: fromJSON: a value should stand here at character 1
            __run: failure -> failure
            Error  fromJSON: a value should stand here at character 1
            __run_2: failure -> failure
            __run_3: success -> success
            job: failure UserFailure
        "#]],
        expect![[r###"
            ##[error]the expression could not be evaluated: fromJSON: a value should stand here at character 1
            ##[error]fromJSON: a value should stand here at character 1
            ##[group]Run echo "failure"
            ^[36;1mecho "failure"^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            failure
        "###]],
    );
}

// proves: conformance 129
#[test]
fn c129_a_step_that_takes_too_long_fails() {
    check(
        r##"
    steps:
      - run: |
          trap 'echo interrupted; exit 1' INT
          sleep 60 & wait
        timeout-minutes: 0.005
      - run: echo "${{ job.status }}"
        if: failure()
"##,
        expect![[r#"
            Error  The action 'Run trap 'echo interrupted; exit 1' INT' has timed out after 0.005 minutes.
            __run: failure -> failure
            __run_2: success -> success
            job: failure UserFailure
        "#]],
        expect![[r###"
            ##[group]Run trap 'echo interrupted; exit 1' INT
            ^[36;1mtrap 'echo interrupted; exit 1' INT^[0m
            ^[36;1msleep 60 & wait^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            ##[error]The action 'Run trap 'echo interrupted; exit 1' INT' has timed out after 0.005 minutes.
            interrupted
            ##[group]Run echo "failure"
            ^[36;1mecho "failure"^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            failure
        "###]],
    );
}

// proves: conformance 104, 184
#[test]
fn c104_outputs_and_summaries() {
    check(
        r##"
    outputs:
      kept: ${{ steps.one.outputs.kept }}
      empty: ${{ steps.one.outputs.none }}
      secret: ${{ steps.one.outputs.secret }}
    environment:
      name: test
      url: https://${{ steps.one.outputs.kept }}.example.com
    steps:
      - id: one
        run: |
          echo "kept=plain" >> $GITHUB_OUTPUT
          echo "secret=s3cr3t-value" >> $GITHUB_OUTPUT
          echo "# Done with s3cr3t-value" >> $GITHUB_STEP_SUMMARY
"##,
        expect![[r#"
            not enforced: environment: its reviewers, wait timer and branch rules on GitHub are not asked
            __setup: success -> success
            summary of one
            one: success -> success
            Warning  Skip output 'secret' since it may contain secret.
            job: success None kept=plain at https://plain.example.com
        "#]],
        expect![[r##"
            not enforced: environment: its reviewers, wait timer and branch rules on GitHub are not asked
            ##[group]Run echo "kept=plain" >> $GITHUB_OUTPUT
            ^[36;1mecho "kept=plain" >> $GITHUB_OUTPUT^[0m
            ^[36;1mecho "secret=***" >> $GITHUB_OUTPUT^[0m
            ^[36;1mecho "# Done with ***" >> $GITHUB_STEP_SUMMARY^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            ##[warning]Skip output 'secret' since it may contain secret.
        "##]],
    );
}

// proves: conformance 62, 89, 148, 149, 152, 153, 255, 257, 258
#[test]
fn c148_composite_actions() {
    check(
        r##"
    steps:
      - run: |
          mkdir act
          tr @ '$' > act/action.yml <<'YAML'
          name: outer
          inputs:
            who:
              default: nobody
            other:
              default: fallback
          outputs:
            said:
              value: @{{ steps.say.outputs.said }}
          runs:
            using: composite
            steps:
              - id: say
                shell: bash
                run: |
                  echo "hello @{{ inputs.who }} @{{ inputs.other }} $CALLER"
                  echo "said=hello" >> $GITHUB_OUTPUT
                  echo "GLOBAL=set" >> $GITHUB_ENV
                env:
                  INNER: 1
              - shell: bash
                run: echo "[$INNER] $GLOBAL @{{ github.action_path }}"
              - shell: bash
                run: exit 4
              - shell: bash
                run: echo skipped
              - shell: bash
                if: failure()
                run: echo "cleaning up @{{ job.status }}"
          YAML
      - id: call
        uses: ./act
        continue-on-error: true
        with:
          who: world
          wrong: 1
        env:
          CALLER: mona
      - run: echo "$GLOBAL [$CALLER] ${{ steps.call.outputs.said }} ${{ steps.call.outcome }} ${{ steps.say.outputs.said }}"
"##,
        expect![[r#"
            __run: success -> success
            Warning  Unexpected input(s) 'wrong', valid inputs are ['who', 'other']
            call/say: success -> success
            call/__run: success -> success
            Error  Process completed with exit code 4.
            call/__run_2: failure -> failure
            call/__run_3: skipped -> skipped
            call/__run_4: success -> success
            call: failure -> success
            __run_2: success -> success
            job: success None
        "#]],
        expect![[r###"
            ##[group]Run mkdir act
            ^[36;1mmkdir act^[0m
            ^[36;1mtr @ '$' > act/action.yml <<'YAML'^[0m
            ^[36;1mname: outer^[0m
            ^[36;1minputs:^[0m
            ^[36;1m  who:^[0m
            ^[36;1m    default: nobody^[0m
            ^[36;1m  other:^[0m
            ^[36;1m    default: fallback^[0m
            ^[36;1moutputs:^[0m
            ^[36;1m  said:^[0m
            ^[36;1m    value: @{{ steps.say.outputs.said }}^[0m
            ^[36;1mruns:^[0m
            ^[36;1m  using: composite^[0m
            ^[36;1m  steps:^[0m
            ^[36;1m    - id: say^[0m
            ^[36;1m      shell: bash^[0m
            ^[36;1m      run: |^[0m
            ^[36;1m        echo "hello @{{ inputs.who }} @{{ inputs.other }} $CALLER"^[0m
            ^[36;1m        echo "said=hello" >> $GITHUB_OUTPUT^[0m
            ^[36;1m        echo "GLOBAL=set" >> $GITHUB_ENV^[0m
            ^[36;1m      env:^[0m
            ^[36;1m        INNER: 1^[0m
            ^[36;1m    - shell: bash^[0m
            ^[36;1m      run: echo "[$INNER] $GLOBAL @{{ github.action_path }}"^[0m
            ^[36;1m    - shell: bash^[0m
            ^[36;1m      run: exit 4^[0m
            ^[36;1m    - shell: bash^[0m
            ^[36;1m      run: echo skipped^[0m
            ^[36;1m    - shell: bash^[0m
            ^[36;1m      if: failure()^[0m
            ^[36;1m      run: echo "cleaning up @{{ job.status }}"^[0m
            ^[36;1mYAML^[0m
            shell: /usr/bin/bash -e {0}
            ##[endgroup]
            ##[warning]Unexpected input(s) 'wrong', valid inputs are ['who', 'other']
            ##[group]Run ./act
            with:
              other: fallback
              who: world
              wrong: 1
            env:
              CALLER: mona
            ##[endgroup]
            ##[group]Run echo "hello world fallback $CALLER"
            ^[36;1mecho "hello world fallback $CALLER"^[0m
            ^[36;1mecho "said=hello" >> $GITHUB_OUTPUT^[0m
            ^[36;1mecho "GLOBAL=set" >> $GITHUB_ENV^[0m
            shell: /usr/bin/bash --noprofile --norc -e -o pipefail {0}
            env:
              CALLER: mona
              INNER: 1
            ##[endgroup]
            hello world fallback mona
            ##[group]Run echo "[$INNER] $GLOBAL /FOLDER/job/work/demo/demo/act"
            ^[36;1mecho "[$INNER] $GLOBAL /FOLDER/job/work/demo/demo/act"^[0m
            shell: /usr/bin/bash --noprofile --norc -e -o pipefail {0}
            env:
              GLOBAL: set
              CALLER: mona
            ##[endgroup]
            [] set /FOLDER/job/work/demo/demo/act
            ##[group]Run exit 4
            ^[36;1mexit 4^[0m
            shell: /usr/bin/bash --noprofile --norc -e -o pipefail {0}
            env:
              GLOBAL: set
              CALLER: mona
            ##[endgroup]
            ##[error]Process completed with exit code 4.
            ##[group]Run echo "cleaning up success"
            ^[36;1mecho "cleaning up success"^[0m
            shell: /usr/bin/bash --noprofile --norc -e -o pipefail {0}
            env:
              GLOBAL: set
              CALLER: mona
            ##[endgroup]
            cleaning up success
            ##[group]Run echo "$GLOBAL [$CALLER] hello failure "
            ^[36;1mecho "$GLOBAL [$CALLER] hello failure "^[0m
            shell: /usr/bin/bash -e {0}
            env:
              GLOBAL: set
            ##[endgroup]
            set [] hello failure 
        "###]],
    );
}

// proves: conformance 187, 191
#[test]
fn c187_a_secret_in_a_line_longer_than_any_buffer() {
    let told = crate::harness::run(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          long() { head -c $1 /dev/zero | tr '\\0' x; }
          for length in 65530 65536 200000 3000000; do
            long $length; printf 's3cr3t'; long 0; printf -- '-value'; long 100000; echo
          done
          long 40000; echo ::error::no command in the middle
          echo ::error::a command
",
    );
    assert!(!told.log.contains("s3cr3t-value"));
    assert_eq!(told.log.matches("x***x").count(), 4);
    assert!(told.log.lines().any(|line| line.len() == 3_000_000 + 3 + 100_000));
    expect![[r#"
        Error  a command
        __run: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
}

// proves: conformance 114, 175
#[test]
fn c114_debug_lines_are_kept_when_asked_for() {
    let told = crate::harness::start(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo ::debug::seen $RUNNER_DEBUG ${{ runner.debug }}
          echo ::set-output name=a::b
",
        |spec| {
            spec.secrets.insert("ACTIONS_STEP_DEBUG".to_owned(), "true".to_owned());
        },
    )
    .finish();
    let shown: Vec<&str> = told
        .log
        .lines()
        .filter(|line| line.starts_with("##[debug]") || line.starts_with("::"))
        .collect();
    expect![[r#"
        ##[debug]seen 1 1
        ::set-output name=a::b"#]]
    .assert_eq(&shown.join("\n"));
}

// proves: conformance 110, 112, 147
#[test]
fn what_is_not_enforced_is_said_once() {
    let told = start(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: |
          mkdir early; echo 'name: e
          runs: { using: node20, pre: pre.js, main: main.js }' >early/action.yml; touch early/main.js
      - uses: ./early
",
        |spec| {
            spec.secrets.insert("GITHUB_TOKEN".to_owned(), "ghs_0123456789".to_owned());
            let grants = [("contents", "read"), ("id-token", "write")];
            spec.permissions = grants.map(|(scope, it)| (scope.to_owned(), it.to_owned())).into();
        },
    )
    .finish();
    let said: Vec<String> = told
        .reports
        .iter()
        .filter_map(|report| match report {
            protocol::Report::NotEnforced { note } => Some(note.to_string()),
            _ => None,
        })
        .collect();
    expect![[r#"
        permissions: the GITHUB_TOKEN that was given can do what its owner can, not only contents: read, id-token: write
        permissions: id-token: write gives no token here: signing in to a cloud with one fails
        environment: its reviewers, wait timer and branch rules on GitHub are not asked"#]].assert_eq(&said.join("\n"));
    let text = told.text();
    for note in said {
        assert_eq!(text.matches(&format!("not enforced: {note}\n")).count(), 1, "{text}");
    }
    let warning = "##[warning]`pre` execution is not supported for local action from './early'\n";
    assert_eq!(text.matches(warning).count(), 1, "{text}");
}
