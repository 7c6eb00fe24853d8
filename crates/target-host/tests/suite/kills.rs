//! Killed: the supervisor, the proxy, both, and an instance. What serves goes on serving.

use crate::house::{self, House, ok};
use event::Way;
use ports::Progress;
use serde_json::json;

/// Until somebody looks after the services again.
fn supervised(house: &House) {
    house.until("a supervisor comes", || {
        house.target().ensure_supervisor().expect("it can be started")
    });
}

/// A process that ends still takes a connection now and then, and never answers it. Once it is gone,
/// requests are held until it is there again.
fn again(house: &House) {
    let mut client = house.client();
    house.until("it is there again", || match client.get("/") {
        (502, _) => false,
        answer => {
            assert_eq!(answer, ok("1.0"));
            true
        }
    });
}

fn pid(house: &House) -> String {
    house.client().get("/pid").1
}

#[test]
fn instances_outlive_their_supervisor_and_the_next_one_adopts_them() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let mut client = house.client();
    let before = client.get("/pid");
    house.kill("supervise");
    assert_eq!(client.get("/pid"), before, "nobody noticed");
    supervised(&house);
    house.until("it is adopted", || house.view().instances.iter().any(|it| it.is_healthy));
    assert_eq!(client.get("/pid"), before, "the same process");

    // It is looked after as if it had been started by this supervisor.
    assert_eq!(client.get("/crash").0, 502);
    again(&house);
    assert_ne!(client.get("/pid"), before);
    house.until("it is told", || house.view().instances.iter().any(|it| it.restarts == 1));
    let view = house.view();
    let ended = "an exit code that nobody was left to hear";
    assert!(view.instances[0].ended.is_none() || view.instances[0].ended.as_deref() == Some(ended));
}

#[test]
fn an_instance_that_nobody_wrote_down_is_found_by_its_mark() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let before = pid(&house);
    house.kill("supervise");
    std::fs::remove_file(house.folder().path().join("state.json")).expect("a state");
    supervised(&house);
    house.until("it is adopted", || house.view().instances.iter().any(|it| it.is_healthy));
    assert_eq!(pid(&house), before);
    assert_eq!(house.processes(" service").len(), 1, "and no second one was started");
}

#[test]
fn callers_wait_while_no_proxy_lives() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let instance = pid(&house);
    for _ in 0..3 {
        let before = house.processes(" proxy ");
        house.kill(" proxy ");
        for _ in 0..20 {
            // The supervisor holds a copy of the listener: connections wait, none is refused.
            assert_eq!(house.client().get("/"), ok("1.0"));
        }
        let after = house.processes(" proxy ");
        assert!(after.len() == 1 && after != before);
        // It has the listeners again before the next proxy is killed.
        house.until("the proxy gives its listeners", || {
            proxy::listeners(house.folder().path()).is_ok_and(|it| it.len() == 1)
        });
    }
    assert_eq!(pid(&house), instance);
}

#[test]
fn everything_of_ours_killed_at_once_leaves_the_service() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let instance = pid(&house);
    house.kill("supervise");
    house.kill(" proxy ");
    supervised(&house);
    house.until("it can be reached", || house::Client::try_new(house.listen).is_ok());
    assert_eq!(pid(&house), instance);
}

#[test]
fn a_supervisor_killed_at_any_moment_of_a_deployment_changes_nothing() {
    let house = House::new(json!({ "instances": 2 }));
    house.deploy(1, "1.0");
    let mut client = house.client();
    for deployment in 2..5 {
        let version = format!("1.{deployment}");
        let plan = house.plan(deployment, house.request(&version, &[]));
        for step in &plan.proposal.steps {
            let mut last = String::new();
            let end = house.step_watched(&plan, step, Way::Forward, &mut |seen| {
                // Whenever something changed, and so in another moment each time.
                if last != seen {
                    seen.clone_into(&mut last);
                    for pid in house.processes("supervise") {
                        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
                        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                    }
                }
                assert_eq!(client.get("/").0, 200);
            });
            assert!(matches!(end, Progress::Done { .. }), "{end:?}");
        }
        assert_eq!(client.get("/"), ok(&version));
        assert_eq!(house.processes(" service").len(), 2);
    }
}

#[test]
fn an_instance_that_ends_again_and_again_is_started_with_growing_pauses() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let mut client = house.client();
    for crash in 1..=3 {
        assert_eq!(client.get("/crash").0, 502);
        again(&house);
        house.until("it is told", || house.view().instances[0].restarts == crash);
        house.until("it is healthy", || house.view().instances[0].is_healthy);
    }
    // A deployment takes its place all the same.
    house.deploy(2, "1.1");
    assert_eq!(client.get("/"), ok("1.1"));
}

#[test]
fn with_nothing_wanted_nothing_is_left() {
    let house = House::new(json!({}));
    let plan = house.deploy(1, "1.0");
    house.step(&plan, &plan.proposal.steps[1], Way::Back);
    house.until("the proxy ends", || house.processes(" proxy ").is_empty());
    house.until("the service ends", || house.processes(" service").is_empty());
    assert!(house::Client::try_new(house.listen).is_err());
}
