//! Machines that take jobs: labels, draining, numbered reports of workers, and what is said of who waits.

use event::{Attempt, Fence, JobKey, RunId, StreamId, Terms};
use expect_test::{Expect, expect};
use protocol::Report;
use scheduler::{Input, Place, Site, Takes, unserved};

use crate::harness::{World, request};

const WORKFLOW: &str = "
on: push
jobs:
  plain: { runs-on: ubuntu-latest, steps: [{ run: make }] }
  arm: { runs-on: ubuntu-24.04-arm, steps: [{ run: make }] }
  gpu: { runs-on: [self-hosted, GPU], steps: [{ run: make }] }
  grouped: { runs-on: { group: office, labels: linux }, steps: [{ run: make }] }
";

fn place(labels: &[&str]) -> Place {
    Place {
        name: "here".into(),
        processor: "x86_64".into(),
        labels: labels.iter().map(|it| (*it).to_owned()).collect(),
        repositories: Vec::new(),
        site: Site::Here,
        capacity: 9,
        takes: Takes::Jobs,
    }
}

/// A runner on another machine.
fn runner(name: &str, labels: &[&str], capacity: usize) -> Place {
    Place { name: name.into(), site: Site::Elsewhere, capacity, ..place(labels) }
}

fn check(places: Vec<Place>, terms: &[&str], expect: Expect) {
    let mut world = World::new();
    world.definitions.set_places(places);
    let labels = terms.iter().map(|it| (*it).to_owned()).collect();
    let mut request = request(1, WORKFLOW, &[]);
    request.terms = Terms { labels, ..Terms::default() };
    world.create(request, Vec::new());
    let told = world.told();
    let mut said: Vec<String> =
        told.lines().filter(|it| it.starts_with("JobLeased")).map(str::to_owned).collect();
    for (_, run) in world.state.runs() {
        let elsewhere = run.jobs().filter_map(|job| Some((job.key, job.runner?)));
        said.extend(elsewhere.map(|(job, runner)| format!("{job} is on {runner}")));
    }
    let waiting = unserved(&world.state, &world.definitions);
    said.extend(waiting.iter().map(|(_, job, why)| format!("{job}: {why:?}")));
    expect.assert_eq(&said.join("\n"));
}

#[test]
fn a_job_waits_until_a_machine_has_its_labels() {
    check(
        vec![place(&[])],
        &[],
        expect![[r#"
            JobLeased plain
            arm: Label("ubuntu-24.04-arm")
            gpu: Label("GPU")
            grouped: Label("office")"#]],
    );
    check(
        vec![place(&["gpu", "Office"])],
        &["ubuntu-24.04-arm"],
        expect![[r#"
            JobLeased plain
            JobLeased arm
            JobLeased gpu
            JobLeased grouped"#]],
    );
}

#[test]
fn who_waits_for_room_has_a_place_in_the_queue() {
    check(
        vec![Place { capacity: 1, ..place(&["gpu"]) }],
        &["ubuntu-24.04-arm"],
        expect![[r#"
            JobLeased plain
            arm: Busy { ahead: 0 }
            gpu: Busy { ahead: 1 }
            grouped: Label("office")"#]],
    );
}

#[test]
fn a_drained_machine_takes_nothing() {
    check(
        vec![Place { takes: Takes::Nothing, ..place(&["gpu"]) }],
        &[],
        expect![[r#"
            plain: Drained(["here"])
            arm: Label("ubuntu-24.04-arm")
            gpu: Drained(["here"])
            grouped: Label("office")"#]],
    );
}

/// The machine with most room takes a job that several could; a label of a repository means the
/// server's own machine alone.
#[test]
fn each_machine_takes_what_it_has_room_for() {
    check(
        vec![
            Place { capacity: 1, ..place(&[]) },
            runner("big", &["gpu"], 2),
            runner("office", &["office"], 1),
        ],
        &[],
        expect![[r#"
            JobLeased plain
            JobLeased gpu
            JobLeased grouped
            plain is on big
            gpu is on big
            grouped is on office
            arm: Label("ubuntu-24.04-arm")"#]],
    );
    check(
        vec![Place { capacity: 1, ..place(&[]) }, runner("big", &[], 9)],
        &["ubuntu-24.04-arm"],
        expect![[r#"
            JobLeased plain
            JobLeased arm
            plain is on big
            gpu: Label("GPU")
            grouped: Label("office")"#]],
    );
}

#[test]
fn a_runner_that_is_away_is_waited_for() {
    let away = Place { takes: Takes::Away, ..runner("big", &["gpu"], 2) };
    check(
        vec![Place { takes: Takes::Nothing, ..place(&[]) }, away],
        &[],
        expect![[r#"
        plain: Away(["big"])
        arm: Label("ubuntu-24.04-arm")
        gpu: Away(["big"])
        grouped: Label("office")"#]],
    );
}

/// Jobs of others are not given to a runner that is bound, and it is said that one is there.
#[test]
fn a_runner_may_be_bound_to_repositories() {
    let bound = |name: &str, labels: &[&str], repository: &str| Place {
        repositories: vec![repository.to_owned()],
        ..runner(name, labels, 9)
    };
    check(
        vec![
            Place { takes: Takes::Nothing, ..place(&["ubuntu-24.04-arm"]) },
            bound("ours", &["gpu"], "octo/planner"),
            bound("theirs", &["gpu", "office"], "octo/other"),
        ],
        &[],
        expect![[r#"
            JobLeased plain
            JobLeased gpu
            plain is on ours
            gpu is on ours
            arm: Drained(["here"])
            grouped: Repository(["theirs"])"#]],
    );
    check(
        vec![Place {
            repositories: vec!["octo/planner-2".to_owned()],
            ..place(&["gpu", "office"])
        }],
        &[],
        expect![[r#"
            plain: Repository(["here"])
            arm: Label("ubuntu-24.04-arm")
            gpu: Repository(["here"])
            grouped: Repository(["here"])"#]],
    );
}

const PORTS: &str = "
on: push
jobs:
  one: { runs-on: ubuntu-latest, services: { db: { image: postgres, ports: [5432:5432] } }, steps: [{ run: make }] }
  two: { runs-on: ubuntu-latest, services: { db: { image: postgres, ports: [5432:5432] } }, steps: [{ run: make }] }
  three: { runs-on: ubuntu-latest, services: { db: { image: postgres, ports: [5432:5432] } }, steps: [{ run: make }] }
";

/// Each machine has a port of that number.
#[test]
fn jobs_that_want_one_port_run_beside_each_other_on_two_machines() {
    let mut world = World::new();
    world.definitions.set_places(vec![place(&[]), runner("big", &[], 9)]);
    world.create(request(1, PORTS, &[]), Vec::new());
    let told = world.told();
    assert_eq!(told.lines().filter(|it| it.starts_with("JobLeased")).count(), 2, "{told}");
    let waiting = unserved(&world.state, &world.definitions);
    let said: Vec<String> = waiting.iter().map(|(_, job, why)| format!("{job}: {why:?}")).collect();
    expect!["three: Port(5432)"].assert_eq(&said.join("\n"));
    world.check_fold();
}

/// A worker that is attached to anew says again what may be known already.
#[test]
fn a_report_counts_once_and_none_may_be_missing() {
    let mut world = World::new();
    let workflow = "
on: push
jobs:
  a: { runs-on: ubuntu-latest, steps: [{ run: make }] }
";
    world.create(request(1, workflow, &[]), Vec::new());
    world.told();
    let stream = StreamId::Run(RunId(1), Attempt(1));
    let says = |world: &mut World, number: u64, report: Report| {
        world.input(Input::Report {
            stream,
            job: JobKey::new("a"),
            fence: Fence(1),
            number: Some(number),
            report,
            runner: "here".into(),
            log: None,
        });
    };
    let note = |text: &str| Report::NotEnforced { note: crate::harness::text(text) };
    let started = Report::Started { pid: 1, at: world.now };
    says(&mut world, 0, started.clone());
    says(&mut world, 0, started);
    says(&mut world, 1, note("one"));
    says(&mut world, 3, note("three"));
    says(&mut world, 1, note("one"));
    says(&mut world, 2, note("two"));
    expect![[r#"
        JobStarted a
        NotEnforced a
        refused: report 3 of `a` came, and 2 was next
        NotEnforced a
    "#]]
    .assert_eq(&world.told());
    let run = world.state.run(stream).expect("it is open");
    assert_eq!(run.job(&JobKey::new("a")).expect("it is there").heard, 3);
    world.check_fold();
}
