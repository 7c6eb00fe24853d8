//! Concurrency groups over jobs and runs.

use expect_test::{Expect, expect};

use crate::harness::{World, play, request};

fn two_runs(concurrency: &str, script: &str, expect: Expect) {
    let workflow = format!(
        "on: push
concurrency: {concurrency}
jobs:
  a: {{ runs-on: ubuntu-latest, steps: [{{ run: make }}] }}
"
    );
    let mut world = World::new();
    let mut told = String::new();
    for run in 1..=3 {
        world.create(request(run, &workflow, &[]), Vec::new());
        world.now.0 += 1;
    }
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        told.push_str(&world.told());
        told.push_str(&format!("> {line}\n"));
        world.act(line);
    }
    told.push_str(&world.told());
    world.check_fold();
    expect.assert_eq(&told);
}

// proves: conformance 40, 41, 45
#[test]
fn c41_one_runs_one_waits_and_a_newcomer_takes_the_place_of_who_waits() {
    two_runs(
        "\"Deploy-${{ github.ref_name }}\"",
        "a success",
        expect![[r#"
            RunCreated
            JobsDeclared: a
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            [2] RunCreated
            [2] JobsDeclared: a
            [2] RunWaiting: Concurrency { group: "Deploy-main", holder: "run/1/1" }
            [3] RunCreated
            [3] JobsDeclared: a
            [3] RunWaiting: Concurrency { group: "Deploy-main", holder: "run/1/1" }
            [2] CancelRequested: Concurrency { group: "Deploy-main" }
            [2] RunCompleted cancelled
            > a success
            JobStarted a
            JobCompleted a success
            RunCompleted success
            [3] RunStarted
            [3] JobPlanned a
            [3] JobReady a
            [3] JobLeased a
        "#]],
    );
}

// proves: conformance 41
#[test]
fn c41_cancel_in_progress_ends_the_holder_too() {
    two_runs(
        "{ group: deploy, cancel-in-progress: true }",
        "a cancelled",
        expect![[r#"
            RunCreated
            JobsDeclared: a
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            [2] RunCreated
            [2] JobsDeclared: a
            [2] RunWaiting: Concurrency { group: "deploy", holder: "run/1/1" }
            CancelRequested: Concurrency { group: "deploy" }
            CancelRequested a: Concurrency { group: "deploy" }
            [3] RunCreated
            [3] JobsDeclared: a
            [3] RunWaiting: Concurrency { group: "deploy", holder: "run/1/1" }
            [2] CancelRequested: Concurrency { group: "deploy" }
            [2] RunCompleted cancelled
            > a cancelled
            JobStarted a
            JobCompleted a cancelled
            RunCompleted cancelled
            [3] RunStarted
            [3] JobPlanned a
            [3] JobReady a
            [3] JobLeased a
        "#]],
    );
}

// proves: conformance 42, 44
#[test]
fn c42_queue_max_keeps_all_who_wait_in_order() {
    two_runs(
        "{ group: deploy, queue: max }",
        "a success",
        expect![[r#"
            RunCreated
            JobsDeclared: a
            RunStarted
            JobPlanned a
            JobReady a
            JobLeased a
            [2] RunCreated
            [2] JobsDeclared: a
            [2] RunWaiting: Concurrency { group: "deploy", holder: "run/1/1" }
            [3] RunCreated
            [3] JobsDeclared: a
            [3] RunWaiting: Concurrency { group: "deploy", holder: "run/1/1" }
            > a success
            JobStarted a
            JobCompleted a success
            RunCompleted success
            [2] RunStarted
            [2] JobPlanned a
            [2] JobReady a
            [2] JobLeased a
        "#]],
    );
}

// proves: conformance 43, 125
#[test]
fn c43_a_job_in_its_own_runs_group_is_a_deadlock_and_fails() {
    let workflow = "
on: push
concurrency: Deploy
jobs:
  a:
    concurrency: deploy
    runs-on: ubuntu-latest
    steps: [{ run: make }]
";
    expect![[r#"
        RunCreated
        JobsDeclared: a
        RunStarted
        AnnotationAdded a: a deadlock: the concurrency group `deploy` is held by its own run until this job ends (line 6)
        JobCompleted a failure
        RunCompleted failure
    "#]].assert_eq(&play(workflow, &[], ""));
}

/// Jobs behind a job of the same process say so, too.
// proves: conformance 41
#[test]
fn c41_whoever_waits_in_a_group_says_behind_whom() {
    let jobs = "
on: push
jobs:
  a: { concurrency: { group: deploy, queue: max }, runs-on: x, steps: [{ run: make }] }
  b: { concurrency: { group: deploy, queue: max }, runs-on: x, steps: [{ run: make }] }
  c: { concurrency: { group: deploy, queue: max }, runs-on: x, steps: [{ run: make }] }
";
    let mut world = World::new();
    world.create(request(1, jobs, &[]), Vec::new());
    expect![[r#"
        RunCreated
        JobsDeclared: a, b, c
        RunStarted
        JobPlanned a
        JobPlanned b
        JobPlanned c
        JobReady a
        JobWaiting b: Concurrency { group: "deploy", holder: "`a` of run/1/1" }
        JobWaiting c: Concurrency { group: "deploy", holder: "`a` of run/1/1" }
        JobLeased a
    "#]]
    .assert_eq(&world.told());
    world.act("a success");
    expect![[r#"
        JobStarted a
        JobCompleted a success
        JobReady b
        JobLeased b
    "#]]
    .assert_eq(&world.told());
    world.check_fold();
}

/// What another process has nobody here goes ahead in; the newest of those who wait stays.
// proves: conformance 41
#[test]
fn c41_a_group_of_another_process() {
    let run = "
on: push
concurrency: Deploy
jobs:
  a: { runs-on: x, steps: [{ run: make }] }
";
    let job = "
on: push
jobs:
  a: { concurrency: deploy, runs-on: x, steps: [{ run: make }] }
";
    let mut world = World::new();
    let elsewhere =
        |holder: &str| [("octo/planner\ndeploy".to_owned(), holder.into())].into_iter().collect();
    world.definitions.set_elsewhere(elsewhere("run/9/1"));
    for (number, workflow) in [(1, run), (2, job), (3, run)] {
        world.create(request(number, workflow, &[]), Vec::new());
        world.now.0 += 1;
    }
    expect![[r#"
        RunCreated
        JobsDeclared: a
        RunWaiting: Concurrency { group: "Deploy", holder: "run/9/1" }
        [2] RunCreated
        [2] JobsDeclared: a
        [2] RunStarted
        [2] JobPlanned a
        CancelRequested: Concurrency { group: "Deploy" }
        [2] JobWaiting a: Concurrency { group: "deploy", holder: "run/9/1" }
        RunCompleted cancelled
        [3] RunCreated
        [3] JobsDeclared: a
        [2] CancelRequested a: Concurrency { group: "deploy" }
        [2] JobCompleted a cancelled
        [3] RunWaiting: Concurrency { group: "Deploy", holder: "run/9/1" }
        [2] RunCompleted cancelled
    "#]]
    .assert_eq(&world.told());
    let turns = world.state.group_turns();
    expect![[
        r#"[GroupTurn { group: "octo/planner\ndeploy", stream: Run(RunId(3), Attempt(1)), ends_holder: false }]"#
    ]]
    .assert_eq(&format!("{turns:?}"));
    assert_eq!(world.state.groups_held(), []);
    world.definitions.set_elsewhere(Default::default());
    world.input(scheduler::Input::Clock { at: world.now });
    expect![[r#"
        [3] RunStarted
        [3] JobPlanned a
        [3] JobReady a
        [3] JobLeased a
    "#]]
    .assert_eq(&world.told());
    assert_eq!(world.state.group_turns(), []);
    expect![[r#"[HeldGroup { group: "octo/planner\ndeploy", written: "Deploy", stream: Run(RunId(3), Attempt(1)), job: None }]"#]].assert_eq(&format!("{:?}", world.state.groups_held()));
    world.check_fold();
}

/// A process that drives runs of several repositories keeps their groups apart.
// proves: conformance 41
#[test]
fn c41_groups_of_two_repositories_have_nothing_to_do_with_each_other() {
    let run = "
on: push
concurrency: deploy
jobs:
  a: { runs-on: x, steps: [{ run: make }] }
";
    let mut world = World::new();
    for (number, repository) in [(1, "octo/planner"), (2, "octo/other")] {
        let mut request = request(number, run, &[]);
        request.repository = repository.into();
        world.create(request, Vec::new());
        world.now.0 += 1;
    }
    let held: Vec<_> =
        world.state.groups_held().into_iter().map(|it| (it.group, it.stream)).collect();
    expect![[r#"[("octo/other\ndeploy", Run(RunId(2), Attempt(1))), ("octo/planner\ndeploy", Run(RunId(1), Attempt(1)))]"#]]
        .assert_eq(&format!("{held:?}"));
    world.check_fold();
}
