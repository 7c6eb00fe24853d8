//! What every step finds around itself: variables, contexts, folders, files; item by item.

use event::LogRange;
use expect_test::{Expect, expect};
use protocol::{JobSpec, Report};
use serde_json::json;

use crate::harness::{Told, run, start, start_with};

fn job(steps: &str) -> String {
    format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n{steps}")
}

/// The lines that the steps themselves printed.
fn said(told: &Told) -> String {
    let mut is_header = false;
    let mut said = String::new();
    for line in told.text().lines() {
        is_header |= line.starts_with("##[group]Run ");
        if !is_header {
            said.push_str(line);
            said.push('\n');
        }
        is_header &= line != "##[endgroup]";
    }
    said
}

fn check(steps: &str, expected: Expect) {
    expected.assert_eq(&said(&run(&job(steps))));
}

/// All of `github` that a scheduler knows.
fn whole_github(spec: &mut JobSpec) {
    let names = [
        "actor",
        "actor_id",
        "api_url",
        "base_ref",
        "event_name",
        "graphql_url",
        "head_ref",
        "ref",
        "ref_name",
        "ref_protected",
        "ref_type",
        "repository",
        "repositoryUrl",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "retention_days",
        "run_attempt",
        "run_id",
        "run_number",
        "secret_source",
        "server_url",
        "sha",
        "triggering_actor",
        "workflow",
        "workflow_ref",
        "workflow_sha",
    ];
    let mut github = serde_json::Map::new();
    for name in names {
        github.insert(name.to_owned(), json!(format!("the {name}")));
    }
    github.insert("repository".to_owned(), json!("octo/demo"));
    spec.contexts.insert("github".to_owned(), github.into());
    spec.secrets.insert("GITHUB_TOKEN".to_owned(), "token-of-this-job".to_owned());
}

// proves: conformance 216, 108
#[test]
fn c216_the_variables_of_every_step() {
    let names = "env | grep -E '^(CI|GITHUB_[A-Z_]+|RUNNER_[A-Z_]+|ACTIONS_[A-Z_]+)=' | cut -d= -f1 | sort | xargs";
    let steps = format!(
        "    - run: {names}\n    - run: echo \"[${{{{ env.CI }}}}${{{{ env.GITHUB_SHA }}}}] $CI $GITHUB_ACTIONS $GITHUB_ACTION\"\n      id: mine\n"
    );
    let told = start(&job(&steps), whole_github).finish();
    expect![[r#"
        not enforced: permissions: the GITHUB_TOKEN that was given can do what its owner can, although the job is granted nothing
        CI GITHUB_ACTION GITHUB_ACTIONS GITHUB_ACTOR GITHUB_ACTOR_ID GITHUB_API_URL GITHUB_ARTIFACTS GITHUB_ARTIFACTS_LIST GITHUB_BASE_REF GITHUB_ENV GITHUB_EVENT_NAME GITHUB_EVENT_PATH GITHUB_GRAPHQL_URL GITHUB_HEAD_REF GITHUB_JOB GITHUB_OUTPUT GITHUB_PATH GITHUB_REF GITHUB_REF_NAME GITHUB_REF_PROTECTED GITHUB_REF_TYPE GITHUB_REPOSITORY GITHUB_REPOSITORY_ID GITHUB_REPOSITORY_OWNER GITHUB_REPOSITORY_OWNER_ID GITHUB_RETENTION_DAYS GITHUB_RUN_ATTEMPT GITHUB_RUN_ID GITHUB_RUN_NUMBER GITHUB_SERVER_URL GITHUB_SHA GITHUB_STATE GITHUB_STEP_SUMMARY GITHUB_TRIGGERING_ACTOR GITHUB_WORKFLOW GITHUB_WORKFLOW_REF GITHUB_WORKFLOW_SHA GITHUB_WORKSPACE RUNNER_ARCH RUNNER_ENVIRONMENT RUNNER_NAME RUNNER_OS RUNNER_TEMP RUNNER_TOOL_CACHE RUNNER_TRACKING_ID RUNNER_WORKSPACE
        [] true true mine
    "#]].assert_eq(&said(&told));
}

// proves: conformance 217
#[test]
fn c217_the_event_is_a_file() {
    check(
        "    - run: echo \"$GITHUB_EVENT_PATH\"; cat \"$GITHUB_EVENT_PATH\"; echo; test ${{ github.event_path }} = \"$GITHUB_EVENT_PATH\" && echo ${{ github.event.after }}\n",
        expect![[r#"
            /FOLDER/job/temp/_github_workflow/event.json
            {"after":"abc"}
            abc
        "#]],
    );
}

// proves: conformance 219
#[test]
fn c219_workspace_and_temporary_folder() {
    check(
        "    - run: pwd; echo \"$GITHUB_WORKSPACE\"; echo \"$RUNNER_WORKSPACE\"; echo \"$RUNNER_TEMP\"; ls -A; ls -A \"$RUNNER_TEMP\"\n",
        expect![[r#"
            /FOLDER/job/work/demo/demo
            /FOLDER/job/work/demo/demo
            /FOLDER/job/work/demo
            /FOLDER/job/temp
            _github_workflow
            _runner_file_commands
            step_00000001.sh
        "#]],
    );
}

// proves: conformance 132
#[test]
fn c132_scripts_are_files() {
    check(
        "    - run: echo \"$0\"; tail -n 1 \"$0\"\n    - run: print(__file__)\n      shell: python3 {0}\n    - run: echo \"$0\"\n      shell: bash -e {0} given\n    - run: |\n        one\n          two ü\n      shell: cat -A {0}\n",
        expect![[r#"
            /FOLDER/job/temp/step_00000001.sh
            echo "$0"; tail -n 1 "$0"
            /FOLDER/job/temp/step_00000002
            /FOLDER/job/temp/step_00000003.sh
            one$
              two M-CM-<$
        "#]],
    );
}

// proves: conformance 139
#[test]
fn c139_steps_go_first_when_memory_runs_out() {
    check(
        "    - run: until [ \"$(cat /proc/self/oom_score_adj)\" = 500 ]; do :; done; echo 500\n      timeout-minutes: 1\n",
        expect![[r#"
            500
        "#]],
    );
}

// proves: conformance 135
#[test]
fn c135_there_is_nothing_to_read_and_no_terminal() {
    check(
        "    - run: cat; read line || echo none; test -t 1 || echo no terminal\n    - run: echo to stderr >&2\n    - run: printf 'no end of line'\n    - run: printf '\\377 no UTF-8\\n'\n",
        expect![[r#"
            none
            no terminal
            to stderr
            no end of line
            � no UTF-8
        "#]],
    );
}

// proves: conformance 260, 68
#[test]
fn c260_the_runner_in_githubs_spelling() {
    check(
        "    - run: echo ${{ runner.os }} $RUNNER_OS ${{ runner.os == matrix.os }} ${{ runner.environment }} [${{ runner.debug }}]\n    - run: echo ${{ contains('X64 ARM64', runner.arch) }}\n",
        expect![[r#"
            Linux Linux true self-hosted []
            true
        "#]],
    );
}

// proves: conformance 261
#[test]
fn c261_a_secret_that_is_not_there() {
    check(
        "    - run: echo \"[${{ secrets.NONE }}] ${{ secrets.NONE == '' }} ${{ secrets.TOKEN }}\"\n",
        expect![[r#"
            [] true ***
        "#]],
    );
}

// proves: conformance 262
#[test]
fn c262_docker_is_whatever_path_has() {
    check(
        "    - run: |\n        mkdir tools\n        printf '#!/bin/sh\\necho \"docker $*\"\\n' > tools/docker\n        chmod +x tools/docker\n        echo \"$PWD/tools\" >> \"$GITHUB_PATH\"\n    - run: docker run --rm alpine true\n",
        expect![[r#"
            docker run --rm alpine true
        "#]],
    );
}

fn ranges(told: &Told) -> Vec<(String, LogRange)> {
    let range = |report: &Report| match report {
        Report::StepCompleted { step, log, .. } => Some((step.to_string(), *log)),
        _ => None,
    };
    told.reports.iter().filter_map(range).collect()
}

// proves: conformance 220
#[test]
fn c220_the_log_by_step_with_its_times() {
    let told = run(&job(
        "    - run: printf '::group::one\\n\\033[31mred\\033[0m\\n\\n::endgroup::\\n'\n    - run: printf 'a\\nb'\n",
    ));
    let mut shown = String::new();
    for (step, range) in ranges(&told) {
        let part = &told.log[range.start_bytes as usize..range.end_bytes as usize];
        let part = part.split("##[endgroup]\n").skip(1).collect::<Vec<_>>().join("..");
        let part = part.replace('\u{1b}', "^");
        shown.push_str(&format!("{step} {} lines: {part:?}\n", range.lines));
    }
    expect![[r###"
        __run 8 lines: "##[group]one\n^[31mred^[0m\n\n.."
        __run_2 6 lines: "a\nb\n"
    "###]]
    .assert_eq(&shown);
    let times = std::fs::read(told.folder.path().join("log.times")).expect("the times");
    let numbers: Vec<u64> = times
        .chunks_exact(8)
        .map(|it| u64::from_le_bytes(it.try_into().expect("eight bytes")))
        .collect();
    let (lengths, moments): (Vec<u64>, Vec<u64>) =
        numbers.chunks_exact(2).map(|it| (it[0], it[1])).unzip();
    assert!(lengths.is_sorted() && moments.is_sorted() && !lengths.is_empty());
    assert!(lengths.last().is_some_and(|last| *last <= told.log.len() as u64));
}

// proves: conformance 220
#[test]
fn c220_the_log_is_live() {
    let mut running = start(&job("    - run: mkfifo go; echo begun; cat go; echo ended\n"), |_| {});
    running.wait_for("\nbegun\n");
    let fifo = running.folder.path().join("job/work/demo/demo/go");
    std::fs::write(fifo, "told\n").expect("somebody reads");
    let told = running.finish();
    assert!(told.log.ends_with("begun\ntold\nended\n"), "{}", told.log);
}

// proves: conformance 67
#[test]
fn c67_the_properties_of_github() {
    let told = start(
        &job("    - run: |\n        cat <<'JSON'\n        ${{ toJSON(github) }}\n        JSON\n"),
        whole_github,
    )
    .finish();
    let text = said(&told);
    let text = &text[text.find('{').expect("an object")..];
    let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let mut names: Vec<&String> = json.as_object().expect("an object").keys().collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(|it| it.as_str()).collect();
    expect!["action actor actor_id api_url artifacts artifacts_list base_ref env event event_name event_path graphql_url head_ref job output path ref ref_name ref_protected ref_type repository repositoryUrl repository_id repository_owner repository_owner_id retention_days run_attempt run_id run_number secret_source server_url sha state step_summary token triggering_actor workflow workflow_ref workflow_sha workspace"].assert_eq(&names.join(" "));
    assert_eq!(json["token"], "***");
}

// proves: conformance 177, 185
#[test]
fn c185_what_a_job_says_it_made() {
    let digest = "b".repeat(64);
    check(
        &format!(
            r#"    - run: |
        cat "$GITHUB_ARTIFACTS_LIST"; echo
        printf app >app.tar
        printf '# ours\napp.tar\nghcr.io/octo/app@sha256:{digest}\n' >>"$GITHUB_ARTIFACTS"
        echo 'what stands here is not read' >"$GITHUB_ARTIFACTS_LIST"
    - run: |
        cat "$GITHUB_ARTIFACTS_LIST"; echo
        printf 'file://%s/app.tar\n' "$PWD" >>"$GITHUB_ARTIFACTS"
        cmp "$GITHUB_ARTIFACTS" '${{{{ github.artifacts }}}}'
    - continue-on-error: true
      run: printf other >app.tar && echo ./app.tar >>"$GITHUB_ARTIFACTS"
    - continue-on-error: true
      run: echo nowhere >>"$GITHUB_ARTIFACTS"
    - continue-on-error: true
      run: mkfifo pipe && echo pipe >>"$GITHUB_ARTIFACTS"
    - continue-on-error: true
      run: head -c 1048577 /dev/zero >>"$GITHUB_ARTIFACTS"
    - run: cat "$GITHUB_ARTIFACTS_LIST"; echo
"#
        ),
        expect![[r#"
            {"version":1,"subjects":[]}
            Captured 2 artifact subject(s) from this step (job total: 2).
            {"version":1,"subjects":[{"name":"app.tar","digest":"sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333","kind":"file"},{"name":"ghcr.io/octo/app","digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","kind":"oci"}]}
            ##[error]Unable to process file command 'artifacts' successfully. Invalid $GITHUB_ARTIFACTS entry on line 1: Conflicting digest for artifact 'app.tar': previously declared as 'sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333', now declared as 'sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa'.
            ##[error]Unable to process file command 'artifacts' successfully. Invalid $GITHUB_ARTIFACTS entry on line 1: file 'nowhere' does not exist (relative paths are resolved against the workspace root '/FOLDER/job/work/demo/demo')
            ##[error]Unable to process file command 'artifacts' successfully. Invalid $GITHUB_ARTIFACTS entry on line 1: 'pipe' is not a regular file
            ##[error]Unable to process file command 'artifacts' successfully. $GITHUB_ARTIFACTS file exceeds the maximum size of 1024 KiB (got 1024 KiB).
            {"version":1,"subjects":[{"name":"app.tar","digest":"sha256:a172cedcae47474b615c54d510a5d84a8dea3032e958587430b413538be3f333","kind":"file"},{"name":"ghcr.io/octo/app","digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","kind":"oci"}]}
        "#]],
    );
}

// proves: conformance 233, 184
#[test]
fn c233_the_size_of_a_summary() {
    check(
        "    - run: head -c 1048576 /dev/zero | tr '\\0' x > \"$GITHUB_STEP_SUMMARY\"\n    - run: head -c 1048577 /dev/zero | tr '\\0' x > \"$GITHUB_STEP_SUMMARY\"\n",
        expect![[r#"
            ##[error]$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got 1024k
        "#]],
    );
}

// proves: conformance 177
#[test]
fn c177_files_are_fresh_and_read_after_a_failure() {
    check(
        "    - run: |\n        echo a=1 >> \"$GITHUB_OUTPUT\"\n        echo B=2 >> \"$GITHUB_ENV\"\n        exit 1\n      id: s\n      continue-on-error: true\n    - run: echo \"${{ steps.s.outputs.a }} $B\"; wc -c < \"$GITHUB_OUTPUT\"; find \"$(dirname \"$GITHUB_OUTPUT\")\" -type f -size +0 | wc -l\n",
        expect![[r#"
            ##[error]Process completed with exit code 1.
            1 2
            0
            1
        "#]],
    );
}

// proves: conformance 134
#[test]
fn c134_the_shell_is_looked_up_on_the_steps_own_path() {
    check(
        "    - run: |
        mkdir tools
        printf '#!/bin/sh\\nread line < $1; echo \"mine runs $line\"\\n' > tools/myshell
        chmod +x tools/myshell
        echo \"$PWD/tools\" >> \"$GITHUB_PATH\"
    - run: a script
      shell: myshell {0}
    - run: another
      shell: myshell {0}
      env: { PATH: /nowhere }
    - run: never
      shell: no-such-shell {0}
",
        expect![[r#"
            mine runs a script
            mine runs another
            ##[error]the shell 'no-such-shell' was not found on PATH
        "#]],
    );
}

// proves: conformance 136
#[test]
fn c136_streams_that_stay_open_are_given_up() {
    let begun = std::time::Instant::now();
    let told = run(&job("    - run: setsid sleep 60 & echo begun\n    - run: echo goes on\n"));
    assert_eq!(said(&told).lines().take(2).collect::<Vec<_>>(), ["begun", "goes on"]);
    // Five seconds and what a busy machine adds, not the minute of the process that holds them.
    assert!((5..30).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

// proves: conformance 168, 174
#[test]
fn c174_a_command_that_fails_fails_its_step() {
    let told = run(&job(
        "    - run: echo '::set-env name=A::1'\n    - run: echo '::unknown::x'\n      if: failure()\n",
    ));
    expect![[r#"
        Error  Unable to process command '::set-env name=A::1' successfully.
        Error  The `set-env` command is disabled. Write to the file that GITHUB_ENV names, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to `true`.
        __run: failure -> failure
        __run_2: success -> success
        job: failure UserFailure
    "#]].assert_eq(&told.told());
    expect![[r#"
        ##[error]Unable to process command '::set-env name=A::1' successfully.
        ##[error]The `set-env` command is disabled. Write to the file that GITHUB_ENV names, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to `true`.
        ::unknown::x
    "#]].assert_eq(&said(&told));
}

// proves: conformance 186
#[test]
fn c186_an_environment_that_is_too_large() {
    check(
        "    - run: echo \"BIG=$(head -c 150000 /dev/zero | tr '\\0' x)\" >> \"$GITHUB_ENV\"\n    - run: echo never\n",
        expect![[r#"
            ##[error]'/usr/bin/bash' cannot be started: its environment is larger than this system allows; set less with `env` and GITHUB_ENV
        "#]],
    );
}

// proves: conformance 190
#[test]
fn c190_passwords_of_proxies_and_indexes_are_masked() {
    let steps = "    - run: echo $https_proxy $PIP_EXTRA_INDEX_URL; echo 'p@ss-word and p%40ss-word, ada and example.com'\n";
    let variables = [
        ("https_proxy", "http://ada:p%40ss-word@proxy.example.com:3128"),
        (
            "PIP_EXTRA_INDEX_URL",
            "https://a.example.com/x https://u:t0ken-of-index@b.example.com/y@z",
        ),
    ];
    let told = start_with(&job(steps), &variables, |_| {}).finish();
    expect![[r#"
        http://ada:***@proxy.example.com:3128 https://a.example.com/x https://u:***@b.example.com/y@z
        *** and ***, ada and example.com
    "#]].assert_eq(&said(&told));
}

// proves: conformance 196
#[test]
fn c196_the_file_of_a_match_is_one_of_the_repository() {
    let matcher = r#"{"problemMatcher":[{"owner":"cc","pattern":[{"regexp":"^(.+):(\\d+): (.+)$","file":1,"line":2,"message":3}]}]}"#;
    let steps = format!(
        "    - run: |
        echo '{matcher}' > m.json
        mkdir -p src other/.git other/src
        touch src/a.c other/src/b.c
        echo ::add-matcher::m.json
    - run: |
        echo 'src/a.c:1: relative'
        echo './src/../src/a.c:2: with detours'
        echo \"$PWD/src/a.c:3: from the root\"
        echo 'src/none.c:4: not there'
        echo 'src:5: a folder'
        echo '/etc/passwd:6: elsewhere'
        echo '../demo/src/a.c:7: out and in'
        echo 'other/src/b.c:8: of another repository'
        echo '::error file=src/none.c,line=9::commands are believed'
"
    );
    expect![[r#"
        __run: success -> success
        Error src/a.c:1 relative
        Error src/a.c:2 with detours
        Error src/a.c:3 from the root
        Error :4 not there
        Error :5 a folder
        Error :6 elsewhere
        Error src/a.c:7 out and in
        Error :8 of another repository
        Error src/none.c:9 commands are believed
        __run_2: success -> success
        job: success None
    "#]]
    .assert_eq(&run(&job(&steps)).told());
}
