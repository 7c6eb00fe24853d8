//! Ten thousand jobs cost ten times what a thousand cost.

#![expect(clippy::disallowed_types, reason = "a test may look at the clock")]

use std::fmt::Write as _;
use std::time::Instant;

use scheduler::Input;

use crate::harness::{World, request};

/// A wide graph and a deep one in one: every third job needs the one before it.
fn workflow(jobs: usize) -> String {
    let mut text = "on: push\njobs:\n".to_owned();
    for number in 0..jobs {
        let needs = if number % 3 == 0 { "" } else { &format!("needs: j{}, ", number - 1) };
        let _ = writeln!(text, "  j{number}: {{ {needs}runs-on: x, steps: [{{ run: make }}] }}");
    }
    text
}

/// Matrices of 256 legs, two legs of each at a time.
fn matrices(jobs: usize) -> String {
    let mut text = "on: push\njobs:\n".to_owned();
    let values: Vec<String> = (0..256).map(|it| it.to_string()).collect();
    for number in 0..jobs {
        let matrix = format!("matrix: {{ v: [{}] }}, max-parallel: 2", values.join(", "));
        let _ = writeln!(
            text,
            "  j{number}: {{ strategy: {{ {matrix} }}, runs-on: x, steps: [{{ run: make }}] }}"
        );
    }
    text
}

/// Microseconds a job, without the invariants, which walk over everything.
fn microseconds(workflow: &str, jobs: usize) -> u128 {
    let mut world = World::new();
    world.checks = false;
    world.width = 2;
    world.create(request(1, workflow, &[]), Vec::new());
    let start = Instant::now();
    for _ in 0..jobs {
        let key = world.leased().expect("a job has a worker until all have ended");
        world.act(&format!("{key} success"));
    }
    assert!(world.told().ends_with("RunCompleted success\n"));
    world.input(Input::Clock { at: world.now });
    start.elapsed().as_micros() / jobs as u128
}

fn check(few: u128, many: u128) {
    // A quadratic cost would be ten times and more; a busy machine is allowed a lot.
    assert!(many < few * 4 + 200, "{few} us a job in a small run, {many} us in a large one");
}

#[test]
fn a_job_costs_the_same_in_a_run_of_thousands() {
    check(microseconds(&workflow(400), 400), microseconds(&workflow(4_000), 4_000));
}

#[test]
fn a_leg_costs_the_same_in_a_run_of_ten_thousand() {
    check(microseconds(&matrices(3), 3 * 256), microseconds(&matrices(38), 38 * 256));
}
