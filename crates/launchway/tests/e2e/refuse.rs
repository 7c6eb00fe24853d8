//! What is refused before anything runs: in which words, with which exit code. A refused run leaves
//! nothing in the journal.

use expect_test::{Expect, expect};

use crate::harness::Place;

/// Refused as a whole: no run is made.
fn check(workflow: &str, args: &[&str], expect: Expect) {
    let place = Place::workflow(workflow);
    let said = place.run(&[&["run"], args].concat());
    expect.assert_eq(&format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit));
    assert_eq!(place.run(&["runs", "list", "--all", "--format", "json"]).stdout, "");
}

/// GitHub's grammar allows it, its service refuses the whole file.
#[test]
fn a_job_without_steps() {
    check(
        "
on: push
jobs:
  fine: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  none: { runs-on: ubuntu-latest }
",
        &[],
        expect![[r#"
            error[job-without-steps]: No steps defined in `steps` and no workflow called in `uses` for the following jobs: none
             --> .github/workflows/ci.yml:5:3
              |
            5 |   none: { runs-on: ubuntu-latest }
              |   ^^^^
              |
              = help: give it a step (`steps: [{ run: "true" }]`), or take it away

            exit 3
        "#]],
    );
}

// proves: conformance 155
#[test]
fn a_job_in_a_container_where_there_is_no_docker() {
    check(
        "
on: push
jobs:
  fine: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  job:
    runs-on: ubuntu-latest
    container: node:20
    steps: [{ run: 'true' }]
",
        &[],
        expect![[r#"
            error[needs-docker]: the job 'job' runs in a container, and there is no Docker here
             --> .github/workflows/ci.yml:7:16
              |
            7 |     container: node:20
              |                ^^^^^^^
              |
              = help: run its steps on this machine instead: remove `container`; or leave the job out: -j OTHER

            error: nothing was run
            exit 5
        "#]],
    );
}

#[test]
fn a_service_that_is_no_program_here() {
    check(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    services:
      db: { image: 'postgres:15', env: { POSTGRES_PASSWORD: x }, ports: [5432] }
      queue: { image: 'rabbitmq:3', ports: [5672] }
    steps: [{ run: 'true' }]
",
        &[],
        expect![[r#"
            error[needs-docker]: the job 'job' wants the service rabbitmq:3, which needs Docker
             --> .github/workflows/ci.yml:8:23
              |
            8 |       queue: { image: 'rabbitmq:3', ports: [5672] }
              |                       ^^^^^^^^^^^^
              |
              = help: without Docker postgres, redis, valkey, mysql and mariadb can be had, as local programs

            error: nothing was run
            exit 5
        "#]],
    );
}

// proves: conformance 151
#[test]
fn a_step_that_is_an_image() {
    check(
        "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps: [{ uses: 'docker://alpine:3.20' }]
",
        &[],
        expect![[r#"
            error[needs-docker]: a step of the job 'job' runs the image alpine:3.20, and there is no Docker here
             --> .github/workflows/ci.yml:6:13
              |
            6 |     steps: [{ uses: 'docker://alpine:3.20' }]
              |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: run where Docker is, or replace the step

            error: nothing was run
            exit 5
        "#]],
    );
}

// proves: conformance 101
#[test]
fn a_label_that_no_runner_has() {
    let workflow = "
on: push
jobs:
  job:
    runs-on: [self-hosted, gpu]
    steps: [{ run: 'true' }]
";
    check(
        workflow,
        &[],
        expect![[r#"
            error[unknown-label]: no runner here has the label 'gpu' that the job 'job' asks for
             --> .github/workflows/ci.yml:5:28
              |
            5 |     runs-on: [self-hosted, gpu]
              |                            ^^^
              |
              = help: if this machine will do: --label gpu=host; else leave it out: -j or --matrix

            error: nothing was run
            exit 5
        "#]],
    );
    assert_eq!(Place::workflow(workflow).run(&["run", "--label", "gpu=host"]).exit, 0);
}

#[test]
fn an_executor_that_is_not_here() {
    let workflow = "
on: push
jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }
";
    check(
        workflow,
        &["--executor", "docker"],
        expect![[r#"
        error: jobs cannot run in Docker yet
        hint: --executor host runs them on this machine
        exit 5
    "#]],
    );
}

#[test]
fn an_environment_that_nobody_agreed_to() {
    let workflow = "
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: { name: production, url: 'https://example.com' }
    steps: [{ run: 'true' }]
";
    check(
        workflow,
        &[],
        expect![[r#"
        error: .github/workflows/ci.yml: the job deploy runs in the environment production, and nobody agreed to that
        hint: agree: --environment 'production', or leave the job out: -j OTHER
        exit 4
    "#]],
    );
    let place = Place::workflow(workflow);
    assert_eq!(place.run(&["run", "--environment", "production"]).exit, 0);
}

/// The other workflows run all the same; the exit code says that not all was well.
// proves: conformance 2, 5, 7
#[test]
fn a_broken_file_keeps_the_others_from_nothing() {
    let job = "jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'echo = here' }] } }\n";
    let place = Place::with(&[
        (".github/workflows/fine.yml", &format!("on: push\n{job}")),
        (".github/workflows/typo.yml", &format!("on: push\n{job}").replace("steps", "stepps")),
        (".github/workflows/tabs.yml", "on: push\njobs:\n\tjob: {}\n"),
        (".github/workflows/twice.yml", &format!("on: push\n{job}{job}")),
    ]);
    let said = place.run(&["run"]);
    expect![[r#"
        error[yaml]: a tab may not indent YAML
         --> .github/workflows/tabs.yml:3:2
          |
        3 |     job: {}
          |     ^
          |
          = help: replace the tab by spaces

        error[yaml]: 'jobs' is already defined
         --> .github/workflows/twice.yml:3:1
          |
        3 | jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'echo = here' }] } }
          | ^^^^
          |
         ::: .github/workflows/twice.yml:2:1
          |
        2 | jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'echo = here' }] } }
          | ---- first defined here
          |
          = help: keys are compared without regard to case; keep one of them

        error[unexpected-key]: Unexpected value 'stepps'
         --> .github/workflows/typo.yml:2:40
          |
        2 | jobs: { job: { runs-on: ubuntu-latest, stepps: [{ run: 'echo = here' }] } }
          |                                        ^^^^^^
          |
          = help: did you mean `steps`?

    "#]]
    .assert_eq(&said.stderr);
    assert_eq!(said.exit, 3);
    expect![[r#"
        job = here
        job: success
        .github/workflows/fine.yml success
        exit 3
    "#]]
    .assert_eq(&place.json(&["run"]).story());
}

#[test]
fn a_job_that_no_workflow_has() {
    check(
        "
on: push
jobs:
  build: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
  test: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] }
",
        &["-j", "deploy"],
        expect![[r#"
            error: no workflow that runs has a job deploy
            hint: there are: build, test
            exit 2
        "#]],
    );
}

// proves: conformance 26
#[test]
fn inputs_of_a_dispatch_that_are_missing_unknown_or_do_not_fit() {
    let workflow = "
on:
  workflow_dispatch:
    inputs:
      confirm: { required: true, description: Type DEPLOY }
      where: { type: choice, options: [staging, production] }
jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }
";
    check(
        workflow,
        &["workflow_dispatch"],
        expect![[r#"
        error: .github/workflows/ci.yml needs the input confirm
        hint: give it: --input confirm=VALUE
        hint: Type DEPLOY
        exit 3
    "#]],
    );
    check(
        workflow,
        &["workflow_dispatch", "--input", "confirm=x", "--input", "where=moon"],
        expect![[r#"
            error: input where is one of staging, production, not `moon`
            exit 3
        "#]],
    );
    check(
        workflow,
        &["workflow_dispatch", "--input", "confirm=x", "--input", "force=true"],
        expect![[r#"
            error: .github/workflows/ci.yml has no input force
            hint: it has: confirm, where
            exit 3
        "#]],
    );
}

// proves: conformance 117, 119, 120
#[test]
fn a_call_that_the_called_workflow_does_not_take() {
    let caller = "
on: push
jobs:
  call:
    uses: ./.github/workflows/called.yml
    with: { regoin: north, count: many }
";
    let called = "
on:
  workflow_call:
    inputs: { region: { type: string, required: true }, count: { type: number } }
    secrets: { key: { required: true } }
jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }
";
    let place = Place::with(&[
        (".github/workflows/ci.yml", caller),
        (".github/workflows/called.yml", called),
    ]);
    let said = place.run(&["run"]);
    expect![[r#"
        error[called-workflow]: with: the workflow has no input `regoin`
         --> .github/workflows/ci.yml:6:13
          |
        6 |     with: { regoin: north, count: many }
          |             ^^^^^^
          |
          = help: it takes the inputs region, count and the secrets key

        error[called-workflow]: with: the input `region` is required
         --> .github/workflows/ci.yml:6:11
          |
        6 |     with: { regoin: north, count: many }
          |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: it takes the inputs region, count and the secrets key

        error[called-workflow]: with: `count` has the wrong type
         --> .github/workflows/ci.yml:6:28
          |
        6 |     with: { regoin: north, count: many }
          |                            ^^^^^
          |
          = help: it takes the inputs region, count and the secrets key

        error[called-workflow]: secrets: the secret `key` is required
         --> .github/workflows/ci.yml:4:3
          |
        4 |   call:
          |   ^^^^
          |
          = help: it takes the inputs region, count and the secrets key

        error: nothing was run
        exit 3
    "#]]
    .assert_eq(&format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit));
    assert_eq!(place.run(&["runs", "list", "--all", "--format", "json"]).stdout, "");
}

#[test]
fn words_that_nobody_understands() {
    let workflow = "
on: push
jobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }
";
    check(
        workflow,
        &["--var", "no-value"],
        expect![[r#"
        error: --var takes KEY=VALUE, not `no-value`
        exit 2
    "#]],
    );
    check(
        workflow,
        &["--secret", "TOKEN"],
        expect![[r#"
        error: secret TOKEN has no value, and the environment has no TOKEN
        hint: --secret TOKEN=VALUE, or TOKEN=VALUE launchway run --secret TOKEN
        exit 2
    "#]],
    );
    check(
        workflow,
        &["--matrix", "os"],
        expect![[r#"
        error: --matrix takes KEY:VALUE, not `os`
        exit 2
    "#]],
    );
    check(
        workflow,
        &["-W", "nowhere"],
        expect![[r#"
        error: there is no file or folder nowhere
        exit 2
    "#]],
    );
    let outside = Place::workflow(workflow);
    let folder = outside.path("elsewhere");
    std::fs::create_dir_all(&folder).expect("a folder of ours");
    let said = outside.run(&["run", "-C", "../elsewhere"]);
    let shown = said.stderr.replace(&*outside.path("").to_string_lossy(), "PLACE/");
    expect![[r#"
        error: ../elsewhere is not inside a git repository
        hint: go into a clone, or make one here: git init && git add -A && git commit -m start
        exit 5
    "#]]
    .assert_eq(&format!("{shown}exit {}\n", said.exit));
}

#[test]
fn a_repository_without_workflows() {
    let place = Place::with(&[("README.md", "nothing to run\n")]);
    let said = place.run(&["run"]);
    expect![[r#"
        error: there is no workflow file in .github/workflows
        hint: workflows are *.yml files in .github/workflows; or name one: -W FILE
        hint: to see how it all works without one: launchway demo
        exit 2
    "#]]
    .assert_eq(&format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit));
}
