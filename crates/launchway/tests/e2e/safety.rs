//! What a run may do here: on which machine, in which environment, from which work tree. What is not
//! seen before anything runs is seen when the job is to start, in called workflows too.

use expect_test::{Expect, expect};

use crate::harness::Place;

/// Refused as a whole, or not: what was said, the exit code, and how many runs there are then.
fn check_in(place: &Place, args: &[&str], expect: Expect) {
    let said = place.json(&[&["run"], args].concat());
    let notes: Vec<String> = said
        .of("annotation")
        .iter()
        .map(|it| format!("! {}\n", it["message"].as_str().unwrap_or_default()))
        .collect();
    expect.assert_eq(&format!("{}{}{}", notes.concat(), said.story(), said.stderr));
}

fn check(workflow: &str, args: &[&str], expect: Expect) {
    check_in(&Place::workflow(workflow), args, expect);
}

/// A caller and the workflow it calls.
fn calling(caller: &str, called: &str) -> Place {
    Place::with(&[(".github/workflows/ci.yml", caller), (".github/workflows/called.yml", called)])
}

const LEGS: &str = "
on: push
jobs:
  test:
    strategy:
      matrix:
        os: [ubuntu-latest, windows-latest]
        include: [{ os: macos-15, fast: true }]
    runs-on: ${{ matrix.os }}
    steps: [{ run: 'echo = here' }]
";

// proves: conformance 101
#[test]
fn a_leg_for_another_machine_is_refused_before_anything_runs() {
    check(
        LEGS,
        &[],
        expect![[r#"
            exit 5
            {"file":".github/workflows/ci.yml","line":9,"column":14,"end_line":9,"end_column":30,"severity":"error","rule":"unknown-label","message":"the job 'test' asks for a machine with Windows ('windows-latest'), and this one runs Linux on x86-64","hint":"if this machine will do: --label windows-latest=host; else leave it out: -j or --matrix"}
            {"file":".github/workflows/ci.yml","line":9,"column":14,"end_line":9,"end_column":30,"severity":"error","rule":"unknown-label","message":"the job 'test' asks for a machine with macOS ('macos-15'), and this one runs Linux on x86-64","hint":"if this machine will do: --label macos-15=host; else leave it out: -j or --matrix"}
            error: nothing was run
        "#]],
    );
    check(
        LEGS,
        &["--matrix", "os:ubuntu-latest"],
        expect![[r#"
        test (1) = here
        test (ubuntu-latest): success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    check(
        LEGS,
        &["--label", "Windows-Latest=host", "--label", "macos-15=host"],
        expect![[r#"
        test (1) = here
        test (2) = here
        test (3) = here
        test (macos-15, true): success
        test (ubuntu-latest): success
        test (windows-latest): success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
}

#[test]
fn groups_and_processors_are_compared_too() {
    check(
        "
on: push
jobs:
  grouped:
    runs-on: { group: big, labels: [self-hosted, '${{ github.event_name }}'] }
    steps: [{ run: 'true' }]
  arm:
    runs-on: [self-hosted, '${{ vars.PROCESSOR }}']
    steps: [{ run: 'true' }]
",
        &["--var", "PROCESSOR=sparc"],
        expect![[r#"
            exit 5
            {"file":".github/workflows/ci.yml","line":5,"column":50,"end_line":5,"end_column":76,"severity":"error","rule":"unknown-label","message":"no runner here has the label 'push' that the job 'grouped' asks for","hint":"if this machine will do: --label push=host; else leave it out: -j or --matrix"}
            {"file":".github/workflows/ci.yml","line":5,"column":23,"end_line":5,"end_column":26,"severity":"error","rule":"unknown-label","message":"no runner here has the group 'big' that the job 'grouped' asks for","hint":"if this machine will do: --label big=host; else leave it out: -j or --matrix"}
            {"file":".github/workflows/ci.yml","line":8,"column":28,"end_line":8,"end_column":51,"severity":"error","rule":"unknown-label","message":"no runner here has the label 'sparc' that the job 'arm' asks for","hint":"if this machine will do: --label sparc=host; else leave it out: -j or --matrix"}
            error: nothing was run
        "#]],
    );
}

const LATER: &str = "
on: push
jobs:
  plan:
    runs-on: ubuntu-latest
    outputs: { where: '${{ steps.it.outputs.where }}', on: '${{ steps.it.outputs.on }}' }
    steps: [{ id: it, run: 'printf \"where=production\\non=windows-latest\\n\" >> $GITHUB_OUTPUT' }]
  elsewhere:
    needs: plan
    runs-on: ${{ needs.plan.outputs.on }}
    steps: [{ run: 'echo = here' }]
  deploy:
    needs: plan
    runs-on: ubuntu-latest
    environment: ${{ needs.plan.outputs.where }}
    steps: [{ run: 'echo = deployed' }]
";

// proves: conformance 101, 112
#[test]
fn what_only_the_run_tells_is_compared_when_the_job_is_to_start() {
    let place = Place::workflow(LATER);
    check_in(
        &place,
        &[],
        expect![[r#"
            ! the job 'deploy' runs in the environment production, and nobody agreed to that; agree: --environment 'production'
            ! the job 'elsewhere' asks for a machine with Windows ('windows-latest'), and this one runs Linux on x86-64; if this machine will do: --label windows-latest=host; else leave it out: -j or --matrix
            deploy: failure
            elsewhere: failure
            plan: success {"on":"windows-latest","where":"production"}
            .github/workflows/ci.yml failure
            exit 1
            note: .github/workflows/ci.yml: the environment of the job deploy is known when it starts (${{ needs.plan.outputs.where }}); it runs only in those you agreed to with --environment
        "#]],
    );
    let again = place.json(&[
        "runs",
        "rerun",
        "--failed",
        "--environment",
        "Production",
        "--label",
        "windows-latest=host",
    ]);
    expect![[r#"
        deploy = deployed
        elsewhere = here
        deploy: success
        elsewhere: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&again.story());
    // What was agreed to belongs to the run: the next attempt has it too.
    expect![[r#"
        deploy = deployed
        elsewhere = here
        deploy: success
        elsewhere: success
        plan: success {"on":"windows-latest","where":"production"}
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&place.json(&["runs", "rerun"]).story());
}

const CALLER: &str = "
on: push
jobs:
  here:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo = here' }]
  call:
    uses: ./.github/workflows/called.yml
    with: { os: '${{ github.event_name }}-os', where: production }
";

const CALLED: &str = "
on:
  workflow_call:
    inputs: { os: { type: string }, where: { type: string } }
jobs:
  test:
    runs-on: ${{ inputs.os }}
    container: node:20
    services: { queue: { image: 'rabbitmq:3' } }
    steps: [{ uses: 'docker://alpine:3.20' }]
  image:
    runs-on: ubuntu-latest
    snapshot: mine
    steps: [{ run: 'true' }]
  never:
    if: inputs.where == 'staging'
    runs-on: windows-latest
    environment: staging
    steps: [{ run: 'true' }]
";

// proves: conformance 101, 113
#[test]
fn called_workflows_are_looked_at_with_what_they_are_given() {
    let place = calling(CALLER, CALLED);
    check_in(
        &place,
        &[],
        expect![[r#"
            exit 5
            {"file":".github/workflows/called.yml","line":8,"column":16,"end_line":8,"end_column":23,"severity":"error","rule":"needs-docker","message":"the job 'test' runs in a container, and there is no Docker here","hint":"run its steps on this machine instead: remove `container`; or leave the job out: -j OTHER"}
            {"file":".github/workflows/called.yml","line":9,"column":33,"end_line":9,"end_column":45,"severity":"error","rule":"needs-docker","message":"the job 'test' wants the service rabbitmq:3, which needs Docker","hint":"without Docker postgres, redis, valkey, mysql and mariadb can be had, as local programs"}
            {"file":".github/workflows/called.yml","line":7,"column":14,"end_line":7,"end_column":30,"severity":"error","rule":"unknown-label","message":"no runner here has the label 'push-os' that the job 'test' asks for","hint":"if this machine will do: --label push-os=host; else leave it out: -j or --matrix"}
            {"file":".github/workflows/called.yml","line":10,"column":13,"end_line":10,"end_column":45,"severity":"error","rule":"needs-docker","message":"a step of the job 'test' runs the image alpine:3.20, and there is no Docker here","hint":"run where Docker is, or replace the step"}
            {"file":".github/workflows/called.yml","line":13,"column":5,"end_line":13,"end_column":13,"severity":"error","rule":"snapshot","message":"the job 'image' makes a snapshot of GitHub's own machine","hint":"only GitHub's hosted runners can do that"}
            error: nothing was run
        "#]],
    );
    check_in(
        &place,
        &["-j", "here"],
        expect![[r#"
        here = here
        here: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
}

const DEPLOYS: &str = "
on:
  workflow_call:
    inputs: { where: { type: string } }
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: { name: '${{ inputs.where }}' }
    steps: [{ run: 'echo = deployed' }]
";

// proves: conformance 112
#[test]
fn environments_of_called_workflows_want_to_be_agreed_to() {
    let place =
        calling(CALLER, DEPLOYS.replace("{ where:", "{ os: { type: string }, where:").as_str());
    check_in(
        &place,
        &[],
        expect![[r#"
        exit 4
        error: .github/workflows/called.yml: the job deploy runs in the environment production, and nobody agreed to that
        hint: agree: --environment 'production', or leave the job out: -j OTHER
    "#]],
    );
    check_in(
        &place,
        &["-j", "here"],
        expect![[r#"
        here = here
        here: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    check_in(
        &place,
        &["--environment", "PRODUCTION"],
        expect![[r#"
        call/deploy = deployed
        here = here
        call / deploy: success
        here: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
}

#[test]
fn what_deploys_or_pushes_wants_a_clean_work_tree_or_what_is_committed() {
    let place = Place::workflow(
        "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo = tested' }]
  deploy:
    if: github.ref == 'refs/heads/main'
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: 'echo = deployed' }]
  tag:
    runs-on: ubuntu-latest
    steps:
      - run: |
          # git push would come next
          test -e new || git push origin HEAD
          echo = tagged
",
    );
    let agree = ["--environment", "production"];
    place.write("new", "not committed\n");
    place.write("newer", "not committed\n");
    check_in(
        &place,
        &agree,
        expect![[r#"
        exit 4
        error: .github/workflows/ci.yml: the job deploy runs in the environment production, and 2 files are not committed
        hint: commit, or run what is committed: --committed; or leave the job out: -j OTHER
    "#]],
    );
    check_in(
        &place,
        &["-j", "tag"],
        expect![[r#"
        exit 4
        error: .github/workflows/ci.yml: the job tag pushes (`git push`), and 2 files are not committed
        hint: commit, or run what is committed: --committed; or leave the job out: -j OTHER
    "#]],
    );
    check_in(
        &place,
        &["-j", "test"],
        expect![[r#"
        test = tested
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    check_in(
        &place,
        &["-j", "deploy", "--environment", "production", "--committed"],
        expect![[r#"
            deploy = deployed
            deploy: success
            .github/workflows/ci.yml success
            exit 0
        "#]],
    );
    // The same commit again, from the commit: what is in the work tree by now does not count.
    expect![[r#"
        deploy = deployed
        deploy: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&place.json(&["runs", "rerun"]).story());
    place.commit();
    check_in(
        &place,
        &["-j", "deploy", "--environment", "production"],
        expect![[r#"
        deploy = deployed
        deploy: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    // A run keeps the state it began with: what is written since is not shipped by doing it again.
    place.write("newest", "not committed\n");
    let again = place.json(&["runs", "rerun"]);
    expect![[r#"
        deploy = deployed
        deploy: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&format!("{}{}", again.story(), again.stderr));
}

/// What will surely be skipped is neither refused nor asked about; what only may be is.
#[test]
fn jobs_that_will_be_skipped_are_passed_over() {
    let workflow = "
on: push
jobs:
  release:
    if: startsWith(github.ref, 'refs/tags/')
    runs-on: windows-latest
    steps: [{ run: 'true' }]
  ship:
    needs: release
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: 'true' }]
  tell:
    needs: ship
    if: failure()
    runs-on: ubuntu-latest
    environment: WHERE
    steps: [{ run: 'true' }]
";
    check(
        &workflow.replace("WHERE", ""),
        &[],
        expect![[r#"
        release: skipped
        ship: skipped
        tell: skipped
        .github/workflows/ci.yml skipped
        exit 0
    "#]],
    );
    check(
        &workflow.replace("WHERE", "pager"),
        &[],
        expect![[r#"
        exit 4
        error: .github/workflows/ci.yml: the job tell runs in the environment pager, and nobody agreed to that
        hint: agree: --environment 'pager', or leave the job out: -j OTHER
    "#]],
    );
}

/// What another job needs is no reason to refuse the one that is asked for.
#[test]
fn only_what_is_asked_for_is_looked_at() {
    let workflow = "
on: push
jobs:
  lint: { runs-on: ubuntu-latest, steps: [{ run: 'echo = linted' }] }
  test: { needs: lint, runs-on: ubuntu-latest, steps: [{ run: 'echo = tested' }] }
  pack: { runs-on: ubuntu-latest, container: 'node:20', steps: [{ run: 'true' }] }
  ship: { needs: [test, pack], runs-on: gpu, environment: production, steps: [{ run: 'true' }] }
";
    check(
        workflow,
        &["-j", "test"],
        expect![[r#"
        lint = linted
        test = tested
        lint: success
        test: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    check(
        workflow,
        &["-j", "ship"],
        expect![[r#"
            exit 5
            {"file":".github/workflows/ci.yml","line":6,"column":46,"end_line":6,"end_column":55,"severity":"error","rule":"needs-docker","message":"the job 'pack' runs in a container, and there is no Docker here","hint":"run its steps on this machine instead: remove `container`; or leave the job out: -j OTHER"}
            {"file":".github/workflows/ci.yml","line":7,"column":41,"end_line":7,"end_column":44,"severity":"error","rule":"unknown-label","message":"no runner here has the label 'gpu' that the job 'ship' asks for","hint":"if this machine will do: --label gpu=host; else leave it out: -j or --matrix"}
            error: nothing was run
        "#]],
    );
}

// proves: conformance 163
#[test]
fn a_port_that_somebody_has_is_refused_with_who_it_is() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let workflow = "
on: push
jobs:
  other: { runs-on: ubuntu-latest, steps: [{ run: 'echo = here' }] }
  test:
    strategy: { matrix: { port: [PORT] } }
    runs-on: ubuntu-latest
    services: { cache: { image: redis, ports: ['${{ matrix.port }}:6379'] } }
    steps: [{ run: 'true' }]
";
    let place = Place::workflow(&workflow.replace("PORT", &port.to_string()));
    let said = place.run(&["run"]);
    let own = std::process::id().to_string();
    let name = std::fs::read_to_string(format!("/proc/{own}/comm")).expect("this is Linux");
    let shown = said.stderr.replace(&port.to_string(), "PORT").replace(&own, "PID");
    let shown = shown.replace(name.trim_end(), "NAME");
    expect![[r#"
        error[port-taken]: a service of the job 'test' wants port PORT of this machine, which NAME (process PID) has
         --> .github/workflows/ci.yml:8:47
          |
        8 |     services: { cache: { image: redis, ports: ['${{ matrix.port }}:6379'] } }
          |                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: stop it, or let the runner choose: `ports: [CONTAINER]` and `job.services.ID.ports` instead of PORT

        error: nothing was run
        exit 5
    "#]].assert_eq(&format!("{shown}exit {}\n", said.exit));
    assert_eq!(place.run(&["run", "-j", "other"]).exit, 0);
}

/// Levels 0 to 2 touch no cloud: a job of such an environment runs nowhere, whoever agrees to it.
#[test]
fn a_job_of_an_environment_below_level_3_does_not_run() {
    let workflow = "
on: push
jobs:
  test: { runs-on: ubuntu-latest, steps: [{ run: 'echo = tests' }] }
  ship: { runs-on: ubuntu-latest, environment: Production, steps: [{ run: 'echo = ships' }] }
";
    let place = Place::workflow(workflow);
    let settings = |level: &str| {
        let text = format!(
            "version: 1\nproject: planner\nservices: {{ api: {{ run: [app] }} }}\nenvironments: {{ production: {{ level: {level}, targets: {{ host: 127.0.0.1:8080 }} }} }}\n"
        );
        place.write("launchway.yml", &text);
        place.commit();
    };
    let check = |args: &[&str], expect: &Expect| {
        let said = place.json(&[&["run", "--environment", "production"], args].concat());
        let is_told = |line: &&str| line.starts_with("error") || line.starts_with("hint");
        let told: Vec<&str> = said.stderr.lines().filter(is_told).collect();
        expect.assert_eq(&format!("{}{}\nexit {}\n", said.printed(), told.join("\n"), said.exit));
    };
    settings("2");
    check(
        &[],
        &expect![[r#"
            error: .github/workflows/ci.yml: the job ship cannot run: Production has the level 2: no job signs in for it, or gets its secrets; `level` in launchway.yml says so
            hint: leave the job out: -j OTHER
            exit 4
        "#]],
    );
    check(
        &["-j", "test"],
        &expect![[r#"
        test = tests

        exit 0
    "#]],
    );
    settings("3");
    check(
        &[],
        &expect![[r#"
        ship = ships
        test = tests

        exit 0
    "#]],
    );
    settings("many");
    check(
        &[],
        &expect![[r#"
            error: .github/workflows/ci.yml: the job ship cannot run: launchway.yml has mistakes, so nobody knows what may happen in Production; `launchway check` shows them
            hint: leave the job out: -j OTHER
            exit 4
        "#]],
    );
}
