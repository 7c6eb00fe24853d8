//! Calls and queues at their edges.

use std::fmt::Write as _;

use event::{Attempt, RunEvent, RunId, StreamId};
use expect_test::{Expect, expect};
use scheduler::{Rerun, carry};

use crate::harness::{World, play, request};

const CALLED: &str = "
on:
  workflow_call:
    inputs:
      text: { type: string }
      flag: { type: boolean }
      count: { type: number }
    secrets:
      NEEDED: { required: true }
      WANTED:
jobs:
  a:
    name: \"[${{ inputs.text }}] ${{ toJSON(inputs.flag) }} ${{ toJSON(inputs.count) }}\"
    runs-on: ubuntu-latest
    steps: [{ run: make }]
";

/// What is planned for a job that calls with these lines: names of jobs, or what is wrong.
fn check(lines: &str, expected: Expect) {
    let workflow =
        format!("on: push\njobs:\n  call:\n    uses: ./.github/workflows/x.yml\n{lines}");
    let told = play(&workflow, &[(".github/workflows/x.yml", CALLED)], "");
    let news = |line: &&str| line.contains(" as `") || line.starts_with("AnnotationAdded");
    let news: Vec<&str> = told.lines().filter(news).collect();
    expected.assert_eq(&news.join("\n"));
}

// proves: conformance 119
#[test]
fn c119_defaults_by_type_and_texts_in_their_type() {
    check("    secrets: inherit\n", expect!["JobPlanned call/a as `call / [] false 0`"]);
    check(
        "    secrets: inherit\n    with: { text: 5, flag: 'true', count: '0x10' }\n",
        expect!["JobPlanned call/a as `call / [5] true 16`"],
    );
    check(
        "    secrets: inherit\n    with: { flag: yes }\n",
        expect!["AnnotationAdded call: with: `flag` has the wrong type (line 6)"],
    );
    check(
        "    secrets: inherit\n    with: { text: \"${{ fromJSON('[]') }}\" }\n",
        expect!["AnnotationAdded call: with: `text` has the wrong type (line 6)"],
    );
}

// proves: conformance 120
#[test]
fn c120_secrets_are_declared_and_the_required_ones_passed() {
    check("    secrets: { needed: x }\n", expect!["JobPlanned call/a as `call / [] false 0`"]);
    check(
        "    secrets: { NEEDED: x, OTHER: y }\n",
        expect!["AnnotationAdded call: secrets: the workflow has no secret `OTHER` (line 5)"],
    );
    check(
        "    secrets: { WANTED: y }\n",
        expect!["AnnotationAdded call: secrets: the secret `NEEDED` is required (line 5)"],
    );
    check("", expect!["AnnotationAdded call: secrets: the secret `NEEDED` is required (line 3)"]);
}

/// Workflows that call each other down to this depth, the run's own file counted.
fn chain(depth: usize) -> String {
    let call = |level: usize| format!("{{ uses: ./.github/workflows/f{level}.yml }}");
    let last = "{ runs-on: ubuntu-latest, steps: [{ run: make }] }".to_owned();
    let files: Vec<(String, String)> = (2..=depth)
        .map(|level| {
            let job = if level == depth { last.clone() } else { call(level + 1) };
            (
                format!(".github/workflows/f{level}.yml"),
                format!("on: workflow_call\njobs:\n  j: {job}\n"),
            )
        })
        .collect();
    let called: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    play(&format!("on: push\njobs:\n  j: {}\n", call(2)), &called, "")
}

// proves: conformance 118, 226
#[test]
fn c226_ten_workflows_deep() {
    let told = chain(10);
    assert!(told.contains("JobLeased j/j/j/j/j/j/j/j/j/j\n"), "{told}");
    let told = chain(11);
    assert!(!told.contains("JobLeased"), "{told}");
    assert!(told.contains("workflows are nested deeper than 10"), "{told}");
}

// proves: conformance 42, 239
#[test]
fn c239_a_hundred_wait_in_a_group() {
    let workflow = "
on: push
concurrency: { group: deploy, queue: max }
jobs:
  a: { runs-on: ubuntu-latest, steps: [{ run: make }] }
";
    let mut world = World::new();
    let mut ended = String::new();
    for run in 1..=103 {
        world.create(request(run, workflow, &[]), Vec::new());
        world.now.0 += 1;
    }
    for (stream, event) in &world.journal {
        if let RunEvent::RunCompleted { conclusion, .. } = event {
            let _ = write!(ended, "{stream} {conclusion} ");
        }
    }
    expect!["run/102/1 cancelled run/103/1 cancelled "].assert_eq(&ended);
    let holds = StreamId::Run(RunId(1), Attempt(1));
    assert!(world.state.run(holds).is_some_and(|run| run.waiting().is_none()));
}

// proves: conformance 38, 232
#[test]
fn c232_fifty_re_runs() {
    let workflow = "on: push\njobs:\n  a: { runs-on: ubuntu-latest, steps: [{ run: make }] }\n";
    for (attempt, may_run_again) in [(1, true), (50, true), (51, false)] {
        let mut world = World::new();
        let mut request = request(1, workflow, &[]);
        request.attempt = Attempt(attempt);
        world.create(request, Vec::new());
        world.act("a success");
        let run = world.state.run(StreamId::Run(RunId(1), Attempt(attempt))).expect("a run");
        let carried = carry(run, &Rerun::All, world.now);
        assert_eq!(carried.is_ok(), may_run_again, "{attempt}: {carried:?}");
    }
}

// proves: conformance 102, 103, 228
#[test]
fn c228_limits_of_a_jobs_time() {
    let limits = |lines: &str| {
        let workflow = format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{{ run: make }}]\n{lines}"
        );
        let mut world = World::new();
        world.create(request(1, &workflow, &[]), Vec::new());
        let planned = world.journal.iter().find_map(|(_, event)| match event {
            RunEvent::JobPlanned(definition) => definition.runner.clone(),
            _ => None,
        });
        planned.map(|runner| (runner.timeout_minutes, runner.cancel_timeout_minutes))
    };
    assert_eq!(limits(""), Some((360.0, 5.0)));
    assert_eq!(
        limits("    timeout-minutes: 7\n    cancel-timeout-minutes: ${{ 1.5 }}\n"),
        Some((7.0, 1.5))
    );
    assert_eq!(limits("    timeout-minutes: 0\n"), None);
    assert_eq!(limits("    timeout-minutes: ${{ vars.REGION }}\n"), None);
}

/// What is said about the jobs of a run whose `call` calls these jobs.
fn call(caller: &str, called: &str) -> String {
    let workflow =
        format!("on: push\njobs:\n  call:\n    uses: ./.github/workflows/x.yml\n{caller}");
    let called = format!("on: workflow_call\n{called}");
    let told = play(&workflow, &[(".github/workflows/x.yml", &called)], "");
    let said: Vec<&str> = told.lines().filter(|it| it.starts_with("AnnotationAdded")).collect();
    said.join("\n")
}

// proves: conformance 43, 125
#[test]
fn c125_a_job_that_waits_for_its_own_caller() {
    let called = "jobs:\n  a: { concurrency: Deploy, runs-on: x, steps: [{ run: make }] }\n";
    expect!["AnnotationAdded call/a: a deadlock: the concurrency group `Deploy` is held by the job that calls its workflow until this job ends (line 3)"].assert_eq(&call("    concurrency: deploy\n", called));
    expect![[""]].assert_eq(&call("    concurrency: other\n", called));
}

// proves: conformance 110, 122
#[test]
fn c122_permissions_only_shrink() {
    let asks = |permissions: &str| {
        format!(
            "permissions: {permissions}\njobs:\n  a: {{ runs-on: x, steps: [{{ run: make }}] }}\n"
        )
    };
    let grants = |permissions: &str| format!("    permissions: {permissions}\n");
    for (granted, asked) in [
        ("{ contents: read }", "{ contents: read }"),
        ("{ contents: write }", "{ contents: read }"),
        ("write-all", "read-all"),
        ("{ contents: read }", "{}"),
        ("{ contents: read }", "{ contents: none, issues: none }"),
    ] {
        assert_eq!(call(&grants(granted), &asks(asked)), "", "{granted} and {asked}");
    }
    for (granted, asked) in [
        ("{ contents: read }", "{ contents: write }"),
        ("{ contents: write }", "{ contents: write, issues: read }"),
        ("read-all", "write-all"),
        ("{}", "{ contents: read }"),
    ] {
        let said = call(&grants(granted), &asks(asked));
        assert!(said.contains("the called workflow asks for"), "{granted} and {asked}: {said}");
    }
}

// proves: conformance 45, 40
#[test]
fn c45_inputs_in_the_group_of_a_run() {
    let workflow = "
on: workflow_dispatch
concurrency: ${{ inputs.where }}-${{ vars.REGION }}-${{ github.ref_name }}
jobs:
  a: { runs-on: ubuntu-latest, steps: [{ run: make }] }
";
    let mut world = World::new();
    for (run, place) in [(1, "staging"), (2, "production"), (3, "STAGING")] {
        let mut request = request(run, workflow, &[]);
        request.inputs = serde_json::json!({ "where": place });
        world.create(request, Vec::new());
        world.now.0 += 1;
    }
    let told = world.told();
    let waits: Vec<&str> = told.lines().filter(|it| it.contains("RunWaiting")).collect();
    expect![[r#"[3] RunWaiting: Concurrency { group: "STAGING-eu-main", holder: "run/1/1" }"#]]
        .assert_eq(&waits.join("\n"));
}

// proves: conformance 98
#[test]
fn c98_an_empty_output_takes_nothing_away() {
    let workflow = "
on: push
jobs:
  m: { strategy: { matrix: { v: [1, 2, 3] } }, runs-on: ubuntu-latest, steps: [{ run: make }] }
";
    let script = "m (1) success k=one a=1\nm (2) success k= b=2\nm (3) success";
    let told = play(workflow, &[], script);
    let ended = told.lines().find(|it| it.starts_with("MatrixCompleted"));
    expect!["MatrixCompleted m success a=1 b=2 k=one"].assert_eq(ended.unwrap_or_default());
}

// proves: conformance 95
#[test]
fn c95_a_name_that_looks_at_the_matrix_is_the_whole_name() {
    for (name, leg) in [
        ("", "test (x)"),
        ("name: Tests,", "Tests (x)"),
        ("name: \"Tests of ${{ matrix.v }}\",", "Tests of x"),
        ("name: \"On ${{ github.ref_name }}\",", "On main (x)"),
        ("name: \"${{ strategy.job-total }}\",", "1 (x)"),
        ("name: '',", "test (x)"),
    ] {
        let workflow = format!(
            "on: push\njobs:\n  test: {{ {name} strategy: {{ matrix: {{ v: [x] }} }}, runs-on: x, steps: [{{ run: make }}] }}\n"
        );
        let told = play(&workflow, &[], "");
        assert!(told.contains(&format!("JobPlanned test (1) as `{leg}`\n")), "{name}: {told}");
    }
}

/// How many jobs a run of so many matrices of so many legs leases, and what is said.
fn matrices(matrices: usize, legs: usize) -> (usize, String) {
    let values: Vec<String> = (0..legs).map(|it| it.to_string()).collect();
    let mut workflow = "on: push\njobs:\n".to_owned();
    for number in 0..matrices {
        let values = values.join(", ");
        let _ = writeln!(
            workflow,
            "  j{number}: {{ strategy: {{ matrix: {{ v: [{values}] }} }}, runs-on: x, steps: [{{ run: make }}] }}"
        );
    }
    let mut world = World::new();
    (world.checks, world.width) = (false, usize::MAX);
    world.create(request(1, &workflow, &[]), Vec::new());
    let told = world.told();
    let leased = told.lines().filter(|line| line.starts_with("JobLeased")).count();
    let said = told.lines().filter(|line| line.starts_with("AnnotationAdded"));
    (leased, said.collect::<Vec<_>>().join("; "))
}

/// GitHub counts legs, not what they are legs of.
// proves: conformance 94, 225
#[test]
fn a_run_has_ten_thousand_jobs_matrices_not_counted() {
    let (leased, said) = matrices(40, 250);
    assert_eq!((leased, said.as_str()), (10_000, ""));
    let (leased, said) = matrices(40, 251);
    assert!(leased < 10_000, "{leased}");
    assert!(said.contains("the run has more than 10000 jobs"), "{said}");
}

/// Outputs of a job that would be the run's fifty-first megabyte.
// proves: conformance 235
#[test]
fn c235_a_run_has_fifty_megabytes_of_outputs() {
    let mut workflow = "on: push\njobs:\n".to_owned();
    for number in 0..51 {
        let _ = writeln!(workflow, "  j{number}: {{ runs-on: x, steps: [{{ run: make }}] }}");
    }
    let mut world = World::new();
    world.checks = false;
    world.create(request(1, &workflow, &[]), Vec::new());
    let value = "x".repeat((1 << 19) - 1);
    for number in 0..51 {
        world.act(&format!("j{number} success k={value}"));
    }
    let told = world.told();
    let news = |line: &&str| line.starts_with("AnnotationAdded") || line.starts_with("RunCompl");
    expect![[r#"
        AnnotationAdded j50: the outputs of the run's jobs are larger than 50 MB together
        RunCompleted failure"#]]
    .assert_eq(&told.lines().filter(news).collect::<Vec<_>>().join("\n"));
    assert!(
        told.contains("JobCompleted j50 failure\n") && told.contains("JobCompleted j49 success")
    );
}

/// Jobs of one machine share its ports: those that ask for the same one by number run in turn, others
/// beside them.
// proves: conformance 163
#[test]
fn jobs_that_want_one_port_of_the_machine_run_in_turn() {
    let workflow = "
on: push
jobs:
  a:
    runs-on: x
    services: { db: { image: postgres, ports: ['127.0.0.1:5432:5432/tcp', 6379] } }
    steps: [{ run: make }]
  b:
    strategy: { matrix: { port: [5432, 5433] } }
    runs-on: x
    services: { db: { image: postgres, ports: ['${{ matrix.port }}:5432'] } }
    steps: [{ run: make }]
  c:
    runs-on: x
    services: { db: { image: redis, ports: [6379] } }
    steps: [{ run: make }]
";
    let told = play(workflow, &[], "a success\nlost b (1)\nb (1) failure\n");
    let news = |line: &&str| line.starts_with("JobLeased") || line.starts_with('>');
    expect![[r#"
        JobLeased a
        JobLeased c
        JobLeased b (2)
        > a success
        JobLeased b (1)
        > lost b (1)
        JobLeased b (1)
        > b (1) failure"#]]
    .assert_eq(&told.lines().filter(news).collect::<Vec<_>>().join("\n"));
}
