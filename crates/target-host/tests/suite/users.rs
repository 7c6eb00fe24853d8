//! Whose processes they are, and what nothing holds processes to.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use event::ServiceRequest;
use ports::Target as _;
use serde_json::json;

use crate::house::House;

/// Of every Unix.
const NOBODY: &str = "nobody";

fn refusal(house: &House, request: &ServiceRequest) -> String {
    let mut target = house.target();
    let refused = match target.observe(request) {
        Err(cause) => cause,
        Ok(seen) => target.propose(request, &seen).expect_err("it is refused"),
    };
    refused.message.as_str().to_owned()
}

#[test]
fn processes_are_those_of_the_user_that_the_settings_name() {
    let house = House::new(json!({ "user": NOBODY }));
    let may = |mode: u32| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(house.scratch.path(), mode).expect("ours");
    };
    may(0o700);
    let request = house.request("1.0", &[]);
    let said = refusal(&house, &request);
    let begins = |what: &str| {
        let expected = format!("release 1.0 cannot be started here: {what}");
        assert!(said.starts_with(&expected), "{said}");
    };
    if !rustix::process::geteuid().is_root() {
        return begins("only root can start processes of `nobody`: deploy as root");
    }
    begins("nobody may not pass through /");
    assert!(said.ends_with("deploy with --state DIR, a folder that everybody may pass through"));
    may(0o755);
    // And the program of the tests may lie where nobody comes either.
    let program = house.scratch.path().join("service");
    std::fs::copy(env!("CARGO_BIN_EXE_target-host-hands"), &program).expect("room");
    let mut request = house.request("1.0", &[]);
    request.config["run"] = json!([program, "service"]);
    let plan = house.plan(1, request);
    for step in &plan.proposal.steps {
        house.step(&plan, step, event::Way::Forward);
    }
    let pid = house.view().instances[0].pid.expect("it runs");
    let process = std::fs::metadata(format!("/proc/{pid}")).expect("it runs");
    assert_ne!(process.uid(), 0);
    assert_eq!(house.client().get("/").0, 200);
}

#[test]
fn a_user_that_is_not_there_and_memory_are_refused_by_name() {
    let house = House::new(json!({}));
    let mut request = house.request("1.0", &[]);
    request.config["user"] = json!("no-such-user");
    let why = "release 1.0 cannot be started here: this machine has no user `no-such-user`";
    assert_eq!(refusal(&house, &request), why);
    let mut request = house.request("1.0", &[]);
    request.config["memory_bytes"] = json!(64 << 20);
    assert_eq!(
        refusal(&house, &request),
        "api has `memory`, and nothing holds a process of this machine to it: ship an image of it \
         (`as: container`), or take `memory` out"
    );
}
