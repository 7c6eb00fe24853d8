//! The target with Docker as it is installed: what holds of the model holds of the real one, and a
//! story with what a model does not have: limits, ports, a daemon that is killed.
#![cfg(feature = "docker")]

mod house;
mod suite {
    mod contract;
}

use event::{CauseCode, Way};
use house::real::real;
use house::{House, ok};
use ports::Progress;
use serde_json::json;

const KIND: house::Kind = house::Kind::Real;

#[test]
fn releases_come_go_back_and_outlive_what_looks_after_them() {
    let house = House::new(json!({ "memory_bytes": 64 << 20, "user": "1000:1000" }));
    house.deploy(1, "1.0");
    let before = house.client().get("/pid");
    let memory = real().docker(&[
        "inspect",
        "--format",
        "{{.HostConfig.Memory}} {{.Config.User}} {{.Config.Labels}}",
        &real().containers(house.folder().path())[0],
    ]);
    let memory = memory.expect("it is there");
    assert!(memory.starts_with("67108864 1000:1000 map["), "{memory}");

    // A broken one goes back, and nothing is left of it.
    let plan = house.plan(2, house.request("1.1", &["exits"]));
    let Progress::Failed(cause) = house.fail(&plan) else { panic!("it fails") };
    assert_eq!(cause.code, CauseCode::Exited);
    assert_eq!(house.client().get("/pid"), before, "what ran was never touched");
    assert_eq!(real().containers(house.folder().path()).len(), 1);

    // One that wants more than it may have.
    let plan = house.plan(3, house.request("1.1", &["greedy"]));
    let Progress::Failed(cause) = house.fail(&plan) else { panic!("it fails") };
    assert_eq!(
        cause.message.as_str(),
        "instance 3.0 of 1.1 ended with exit code 137: out of memory, ended by the kernel before \
         it was healthy"
    );

    // The next one comes, and goes back by hand.
    let plan = house.deploy(4, "1.2");
    assert_eq!(house.client().get("/"), ok("1.2"));
    let end = house.step(&plan, &plan.proposal.steps[1], Way::Back);
    assert!(matches!(end, Progress::Done { .. }), "{end:?}");
    assert_eq!(house.client().get("/"), ok("1.0"));

    // Nobody notices that the supervisor is killed; its daemon takes the containers with it.
    let before = house.client().get("/pid");
    house.kill("supervise");
    house.until("a supervisor comes", || {
        house.target().ensure_supervisor().expect("it can be started")
    });
    house.until("it is adopted", || house.view().instances.iter().any(|it| it.is_healthy));
    assert_eq!(house.client().get("/pid"), before);
    let log = house.folder().log("api", "1.0");
    let text = std::fs::read_to_string(log).expect("a log");
    assert_eq!(text, "release 1.0 starts\n".repeat(2), "once for each start, nothing lost");
}

#[test]
fn a_command_runs_once_in_a_container_and_leaves_nothing() {
    let house = House::new(json!({}));
    let plan = house.plan(1, house.request("1.0", &[]));
    let run = ["/bin/sh", "-c", "echo $LAUNCHWAY_RELEASE $PASSWORD; exit 4"];
    let Progress::Failed(cause) = house.step(&plan, &house.task(&run, 60_000), Way::Forward) else {
        panic!("it fails")
    };
    assert_eq!(cause.message.as_str(), "the command ended with exit code 4");
    assert!(cause.evidence.iter().any(|it| it.text.as_str() == "1.0 ***"), "{cause:?}");
    house.until("nothing is left of it", || real().containers(house.folder().path()).is_empty());
}
