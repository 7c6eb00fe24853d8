//! The door's promises, against real processes: each call by a value that knows nothing of those
//! before it.

use crate::KIND;
use crate::house::{self, House, Kind, ok};
use event::{CauseCode, EvidenceKind, GoingBack, Undo, Way};
use ports::{Progress, Target as _};
use serde_json::json;

fn lines(plan: &house::Plan) -> Vec<String> {
    let steps = plan.proposal.steps.iter();
    steps.map(|step| format!("{}: {}", step.key, step.what)).collect()
}

fn changes(plan: &house::Plan) -> Vec<String> {
    let text =
        |it: &Option<mask::MaskedText>| it.as_ref().map_or("-".to_owned(), ToString::to_string);
    let changes = plan.proposal.changes.iter();
    changes.map(|it| format!("{}: {} -> {}", it.field, text(&it.before), text(&it.after))).collect()
}

#[test]
fn the_first_release_is_started_and_taken_away_again() {
    let house = House::new(json!({ "instances": 2 }));
    let plan = house.plan(1, house.request("1.0", &[]));
    assert_eq!(plan.proposal.going_back, GoingBack::FirstDeployment);
    let begin = match house.kind {
        Kind::Processes => "api/prepare: unpack 1.0",
        _ => &format!("api/prepare: bring the image of 1.0 from {}", house.location()),
    };
    assert_eq!(
        lines(&plan),
        [
            begin,
            "api/apply: replace 2 instances by 1.0, one after the other",
            "api/stabilise: see that 1.0 stays healthy",
            "api/retire: remove releases that are not needed any more",
        ]
    );
    for step in &plan.proposal.steps {
        let end = house.step(&plan, step, Way::Forward);
        assert!(matches!(end, Progress::Done { .. }), "{end:?}");
    }
    let mut client = house.client();
    assert_eq!(client.get("/"), ok("1.0"));
    assert_eq!(client.get("/variable"), ok("hello hunter22"));
    assert_eq!(house.view().instances.iter().filter(|it| it.is_live && it.is_healthy).count(), 2);

    let again = house.plan(2, house.request("1.0", &[]));
    assert!(again.proposal.changes.is_empty(), "{:?}", changes(&again));

    let apply = &plan.proposal.steps[1];
    assert!(matches!(apply.undo, Undo::Step { .. }));
    house.step(&plan, apply, Way::Back);
    assert_eq!(house.running(&plan.request), None);
    assert!(target_host::view(&house.folder(), "api").expect("readable").is_none());
    house.until("nothing runs", || house.processes(" service").is_empty());
}

#[test]
fn a_release_takes_the_place_of_another_and_gives_it_back() {
    let house = House::new(json!({ "instances": 2 }));
    house.deploy(1, "1.0");
    let mut client = house.client();
    assert_eq!(client.get("/"), ok("1.0"));
    let before = house.processes(" service");

    let plan = house.deploy(2, "1.1");
    let GoingBack::Possible { to } = &plan.proposal.going_back else {
        panic!("there is a way back")
    };
    assert_eq!(&*to.release.version, "1.0");
    assert_eq!(client.get("/"), ok("1.1"), "on the connection that was there before");
    assert_eq!(house.running(&plan.request).expect("it runs").release, plan.request.release);
    assert_eq!(house.view().instances.len(), 2);
    assert!(house.processes(" service").iter().all(|pid| !before.contains(pid)));

    // Back, from wherever it is: everything was done, and the old processes are gone.
    let apply = &plan.proposal.steps[1];
    let end = house.step(&plan, apply, Way::Back);
    assert!(matches!(end, Progress::Done { .. }), "{end:?}");
    assert_eq!(client.get("/"), ok("1.0"));
    assert_eq!(&*house.running(&plan.request).expect("it runs").release.version, "1.0");
    assert_eq!(house.view().instances.len(), 2);
}

#[test]
fn what_differs_is_told_field_by_field() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let mut request = house.request("1.1", &[]);
    request.config["env"] = json!({ "GREETING": "hi", "MORE": "1" });
    request.config["private"] = json!([]);
    request.config["instances"] = json!(3);
    let plan = house.plan(2, request);
    let digits = |version: &str| {
        house.release(version).digest.trim_start_matches("sha256:")[..12].to_owned()
    };
    let mut told = changes(&plan);
    if house.kind != Kind::Processes {
        let image = format!("{}@sha256:", house.location());
        let (before, after) = (digits("1.0"), digits("1.1"));
        let line = format!("image: {image}{before} -> {image}{after}");
        assert_eq!(told.remove(3), line);
    }
    assert_eq!(
        told,
        [
            "env.GREETING: hello  -> hi".to_owned(),
            "env.MORE: - -> 1".to_owned(),
            "env.PASSWORD: (private) -> -".to_owned(),
            "instances: 1 -> 3".to_owned(),
            format!("release: 1.0 ({}) -> 1.1 ({})", digits("1.0"), digits("1.1")),
        ]
    );
}

/// The failure of a release, and that nobody noticed.
fn check_failure(config: serde_json::Value, how: &[&str]) -> event::Cause {
    let house = House::new(config);
    house.deploy(1, "1.0");
    let before = house.processes(" service");
    let plan = house.plan(2, house.request("1.1", how));
    let end = house.fail(&plan);
    let Progress::Failed(cause) = end else { panic!("{end:?}") };
    assert_eq!(house.client().get("/"), ok("1.0"));
    assert_eq!(house.processes(" service"), before, "what ran was never touched");
    assert_eq!(&*house.running(&plan.request).expect("it runs").release.version, "1.0");
    cause
}

#[test]
fn a_release_that_ends_is_told_with_its_last_words() {
    for config in [json!({}), json!({ "strategy": { "kind": "blue_green" } })] {
        let cause = check_failure(config, &["exits"]);
        assert_eq!(cause.code, CauseCode::Exited);
        assert_eq!(
            cause.message.as_str(),
            "instance 2.0 of 1.1 ended with exit code 3 before it was healthy"
        );
        let evidence: Vec<(EvidenceKind, &str)> =
            cause.evidence.iter().map(|it| (it.kind, it.text.as_str())).collect();
        assert!(evidence.contains(&(EvidenceKind::Exit, "exit code 3")), "{evidence:?}");
        let log = "release 1.1 starts\ncannot go on: the password is ***";
        assert!(evidence.contains(&(EvidenceKind::Log, log)), "{evidence:?}");
    }
}

#[test]
fn a_release_that_is_never_healthy_is_told_with_what_it_answers() {
    let health = json!({ "paths": ["/health"], "every_ms": 20, "within_ms": 1000 });
    let cause = check_failure(json!({ "health": health }), &["broken"]);
    assert_eq!(cause.code, CauseCode::NeverHealthy);
    assert_eq!(
        cause.message.as_str(),
        "instance 2.0 of 1.1 was not healthy after 1 s: /health answered 500"
    );
    let health = json!({ "paths": ["/health"], "every_ms": 20, "within_ms": 300 });
    let cause = check_failure(json!({ "health": health }), &["mute"]);
    let why = match KIND {
        Kind::Processes => "/health: connection refused",
        _ => "/health: nobody in the container listens on port 8080, for all of its addresses",
    };
    assert!(cause.message.as_str().ends_with(why), "{cause:?}");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is() {
    let house = House::new(json!({}));
    house.deploy(1, "0.9");
    let refusal = |request: event::ServiceRequest| {
        let mut target = house.target();
        let refused = match target.observe(&request) {
            Err(cause) => cause,
            Ok(seen) => target.propose(&request, &seen).expect_err("it is refused"),
        };
        assert_eq!(refused.code, CauseCode::TargetRefused);
        refused.message.as_str().to_owned()
    };
    let mut unknown = house.request("1.1", &[]);
    unknown.release.digest = format!("sha256:{}", "0".repeat(64)).into();
    let missing = match house.kind {
        Kind::Processes => "the bundle sha256:0".to_owned(),
        _ => format!("{}@sha256:0", house.location()),
    };
    let said = refusal(unknown);
    assert!(said.starts_with(&format!("release 1.1 cannot be started here: {missing}")), "{said}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("a port");
    let mut elsewhere = house.request("1.1", &[]);
    elsewhere.config["listen"] = json!(address);
    let why = "Address already in use (os error 98)";
    assert_eq!(refusal(elsewhere), format!("api cannot listen on {address}: {why}"));

    let mut wrong = house.request("1.1", &[]);
    wrong.config["run"] = json!([]);
    wrong.release.location = None;
    assert_eq!(refusal(wrong), "api has no `run`: the program that is the service");

    // What runs could not be started again: there would be no way back.
    let digest = house.release("0.9").digest;
    let hex = digest.trim_start_matches("sha256:");
    let request = house.request("1.1", &[]);
    match house.kind {
        Kind::Processes => {
            let bundle = house.folder().bundles().join(format!("{hex}.tar"));
            std::fs::remove_file(bundle).expect("it is there");
        }
        _ => house.lose_image(&digest),
    }
    let plan = house.plan(2, request);
    assert!(
        matches!(plan.proposal.going_back, GoingBack::Impossible { .. }),
        "{plan:?}",
        plan = plan.proposal.going_back
    );
}

#[test]
fn a_stale_owner_is_refused() {
    let house = House::new(json!({}));
    let old = house.deploy(1, "1.0");
    let mut new = house.plan(2, house.request("1.1", &[]));
    new.fence = 3;
    house.step(&new, &new.proposal.steps[0], Way::Forward);
    for (deployment, fence) in [(1, 9), (2, 2)] {
        let stale = house::Plan {
            deployment,
            fence,
            request: old.request.clone(),
            proposal: old.proposal.clone(),
        };
        let end = house.step(&stale, &stale.proposal.steps[1], Way::Forward);
        let Progress::Superseded(cause) = end else { panic!("{end:?}") };
        let message = cause.message.as_str();
        assert!(message.starts_with("api belongs to deployment 2 (owner 3) now"), "{message}");
    }
    assert_eq!(house.client().get("/"), ok("1.0"));
}

#[test]
fn blue_and_green_stand_side_by_side_until_one_is_retired() {
    let test = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let test_listen = test.local_addr().expect("a port");
    drop(test);
    let house = House::new(json!({
        "instances": 2,
        "strategy": { "kind": "blue_green", "bake_ms": 200 },
        "test_listen": test_listen,
    }));
    house.deploy(1, "1.0");
    let plan = house.plan(2, house.request("1.1", &[]));
    let kinds: Vec<&str> = plan.proposal.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["prepare", "apply", "stabilise", "switch", "bake", "retire"]);
    let [prepare, apply, stabilise, switch, bake, retire] = plan.proposal.steps.as_slice() else {
        panic!("six steps")
    };
    for step in [prepare, apply, stabilise] {
        house.step(&plan, step, Way::Forward);
    }
    assert_eq!(house.client().get("/"), ok("1.0"));
    assert_eq!(house::Client::new(test_listen).get("/"), ok("1.1"), "it can be asked already");
    assert_eq!(house.view().instances.len(), 4);
    house.step(&plan, switch, Way::Forward);
    assert_eq!(house.client().get("/"), ok("1.1"));
    assert_eq!(house.view().instances.len(), 4);
    let blue = house.processes(" service");

    // Back at once: what ran before still does.
    house.step(&plan, switch, Way::Back);
    assert_eq!(house.client().get("/"), ok("1.0"));
    assert_eq!(house.processes(" service"), blue);
    house.step(&plan, apply, Way::Back);
    assert_eq!(house.view().instances.len(), 2);
    assert_eq!(house.client().get("/"), ok("1.0"));

    let plan = house.plan(3, house.request("1.2", &[]));
    for step in &plan.proposal.steps {
        house.step(&plan, step, Way::Forward);
    }
    assert_eq!(house.client().get("/"), ok("1.2"));
    assert_eq!(house.view().instances.len(), 2);
    // Even then there is a way back: it is started again.
    assert_eq!(bake.within_ms, 60_200);
    assert!(matches!(retire.undo, Undo::Never { .. }));
    let switch = &plan.proposal.steps[3];
    house.step(&plan, switch, Way::Back);
    assert_eq!(house.client().get("/"), ok("1.0"));
}

#[test]
fn what_crashes_while_it_is_watched_fails_the_deployment() {
    let house = House::new(json!({ "strategy": { "kind": "blue_green", "bake_ms": 600_000 } }));
    house.deploy_until(1, "1.0", "switch");
    let plan = house.plan(2, house.request("1.1", &[]));
    for step in &plan.proposal.steps[..4] {
        house.step(&plan, step, Way::Forward);
    }
    let bake = &plan.proposal.steps[4];
    let mut crashed = false;
    let end = house.step_watched(&plan, bake, Way::Forward, &mut |_| {
        if !std::mem::replace(&mut crashed, true) {
            let _ = house.client().try_get("/crash");
        }
    });
    let Progress::Failed(cause) = end else { panic!("{end:?}") };
    assert_eq!(cause.code, CauseCode::Exited);
    let message = cause.message.as_str();
    assert!(message.starts_with("instance 2.0 of 1.1 ended after it was healthy"), "{message}");
}
