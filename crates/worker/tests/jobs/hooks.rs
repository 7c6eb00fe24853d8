//! What the machine's owner has run around every job, and what the worker says of itself.

use expect_test::{Expect, expect};

use crate::harness::{Told, start_with};

const STARTED: &str = "ACTIONS_RUNNER_HOOK_JOB_STARTED";
const COMPLETED: &str = "ACTIONS_RUNNER_HOOK_JOB_COMPLETED";

/// A job between hooks of these texts: how its steps ended, and what they and the hooks printed.
fn run(started: &str, completed: &str) -> (Told, String) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a script");
        path.display().to_string()
    };
    // No mode says that they may be run, and no folder of theirs is on PATH.
    let (started, completed) = (path("it's on.sh", started), path("completed.sh", completed));
    let workflow = "
on: push
defaults: { run: { working-directory: nowhere, shell: bash } }
jobs:
  job:
    runs-on: ubuntu-latest
    env: { WHO: job }
    steps:
      - run: echo \"step $HOOKED by $WHO\"
        working-directory: .
      - run: echo \"always ${{ job.status }}\"
        working-directory: .
        if: always()
";
    let variables = [(STARTED, started.as_str()), (COMPLETED, completed.as_str())];
    let told = start_with(workflow, &variables, |_| {}).finish();
    let mut is_header = false;
    let mut said = told.told();
    for line in told.text().lines() {
        is_header |= line.starts_with("##[group]Run ");
        if !is_header {
            said += &format!("| {}\n", line.replace(&folder.path().display().to_string(), "HOOKS"));
        }
        is_header &= line != "##[endgroup]";
    }
    (told, said)
}

fn check(started: &str, completed: &str, expected: Expect) {
    expected.assert_eq(&run(started, completed).1);
}

// proves: conformance 115
#[test]
fn c115_hooks_run_around_all_steps() {
    check(
        "echo \"started for $GITHUB_JOB, $WHO\"; echo HOOKED=hooked >>\"$GITHUB_ENV\"; pwd\n",
        "echo \"completed $HOOKED\"; false | true\n",
        expect![[r#"
            pre:__hooks/job_started: success -> success
            __run: success -> success
            __run_2: success -> success
            Error  Process completed with exit code 1.
            post:__hooks/job_completed: failure -> failure
            job: failure UserFailure
            | A job started hook has been configured by the owner of this machine
            | started for job, job
            | /FOLDER/job/work/demo/demo
            | step hooked by job
            | always success
            | A job completed hook has been configured by the owner of this machine
            | completed hooked
            | ##[error]Process completed with exit code 1.
        "#]],
    );
}

// proves: conformance 115
#[test]
fn c115_a_hook_that_fails_fails_the_job() {
    check(
        "exit 3\n",
        "echo completed\n",
        expect![[r#"
        Error  Process completed with exit code 3.
        pre:__hooks/job_started: failure -> failure
        __run: skipped -> skipped
        __run_2: success -> success
        post:__hooks/job_completed: success -> success
        job: failure UserFailure
        | A job started hook has been configured by the owner of this machine
        | ##[error]Process completed with exit code 3.
        | always failure
        | A job completed hook has been configured by the owner of this machine
        | completed
    "#]],
    );
}

// proves: conformance 115
#[test]
fn c115_a_hook_is_a_script_that_is_there() {
    let job =
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps: [{ run: echo ran }]\n";
    let told = start_with(job, &[(STARTED, "/no/where.sh")], |_| {}).finish();
    expect![[r#"
        Error  the hook /no/where.sh does not exist
        Error  Process completed with exit code 1.
        pre:__hooks/job_started: failure -> failure
        __run: skipped -> skipped
        job: failure UserFailure
    "#]]
    .assert_eq(&told.told());
    let told = start_with(job, &[(COMPLETED, "/bin/true")], |_| {}).finish();
    expect![[r#"
        Error  the hook '/bin/true' is not a path to a script: it must end in .sh, .ps1 or .js
        __setup: failure -> failure
        job: failure InfraFailure
    "#]]
    .assert_eq(&told.told());
}

// proves: conformance 114
#[test]
fn c114_the_worker_says_what_it_does() {
    let job = "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps: [{ run: exit 4 }]\n";
    let diagnosed = |secret: Option<&str>, variable: &str| {
        let told = start_with(job, &[], |spec| {
            let name = "ACTIONS_RUNNER_DEBUG".to_owned();
            spec.secrets.extend(secret.map(|it| (name.clone(), it.to_owned())));
            let vars = spec.contexts.get_mut("vars").and_then(|it| it.as_object_mut());
            vars.expect("it is there").insert(name, variable.into());
        })
        .finish();
        let text = told.text();
        let lines = text.lines().filter_map(|line| line.strip_prefix("##[debug]runner: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = diagnosed(None, "true");
    for line in ["workspace: /FOLDER/job/work/demo/demo", "deed 1 ended: Code(4)"] {
        assert!(lines.iter().any(|it| it == line), "no {line:?} in {lines:#?}");
    }
    assert!(lines.iter().any(|it| it.starts_with("deed 1 is /")), "{lines:#?}");
    // A secret wins.
    assert!(!diagnosed(Some("true"), "false").is_empty());
    assert_eq!(diagnosed(Some("false"), "true"), Vec::<String>::new());
}
