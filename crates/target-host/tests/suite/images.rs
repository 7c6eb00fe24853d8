//! What only containers have: an engine that may be away, registries, limits, and names.

use std::time::{Duration, SystemTime};

use event::{Cause, CauseCode, EvidenceKind, GoingBack, Way};
use ports::{Progress, Target as _};
use serde_json::{Value as Json, json};

use crate::house::{House, Plan, ok};

fn evidence(cause: &Cause, kind: EvidenceKind) -> Vec<&str> {
    cause.evidence.iter().filter(|it| it.kind == kind).map(|it| it.text.as_str()).collect()
}

/// Why a plan's first step that fails did, and that what ran before was never touched.
fn failure(house: &House, plan: &Plan) -> Cause {
    let end = house.fail(plan);
    let Progress::Failed(cause) = end else { panic!("{end:?}") };
    assert_eq!(house.client().get("/"), ok("1.0"));
    let left = house.docker().containers();
    assert!(left.len() == 1 && left[0].0.ends_with("-api-1.0"), "{left:?}");
    cause
}

fn supervised(house: &House) {
    house.until("a supervisor comes", || {
        house.target().ensure_supervisor().expect("it can be started")
    });
}

#[test]
fn a_container_gets_what_the_settings_say_and_is_marked() {
    let house = House::new(json!({ "user": "1000:1000", "memory_bytes": 64 << 20 }));
    let mut request = house.request("1.0", &[]);
    request.config["container"]["port"] = json!(80);
    request.config["container"]["labels"] = json!({ "launchway.environment": "staging" });
    let plan = house.plan(1, request);
    for step in &plan.proposal.steps {
        house.step(&plan, step, Way::Forward);
    }
    let view = house.view();
    let port = view.instances[0].port.to_string();
    assert!(view.instances[0].container.is_some() && view.instances[0].pid.is_some());
    let made = house.docker().made("-api-1.0");
    let image = format!("registry.test/api@{}", plan.request.release.digest);
    assert_eq!(made["Image"], image.as_str());
    let env: Vec<&str> =
        made["Env"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    let digest = format!("LAUNCHWAY_DIGEST={}", plan.request.release.digest);
    assert_eq!(
        env,
        [
            "GREETING=hello ",
            "HOST=0.0.0.0",
            digest.as_str(),
            "LAUNCHWAY_INSTANCE=1.0",
            "LAUNCHWAY_RELEASE=1.0",
            "LAUNCHWAY_SERVICE=api",
            "PASSWORD=hunter22",
            "PORT=80",
        ]
    );
    assert_eq!(made["User"], "1000:1000");
    assert_eq!(made["HostConfig"]["Memory"], 64 << 20);
    assert_eq!(made["HostConfig"]["MemorySwap"], 64 << 20);
    assert_eq!(
        made["HostConfig"]["PortBindings"],
        json!({ "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": port }] })
    );
    let labels = json!({
        "launchway.environment": "staging", "launchway.service": "api",
        "launchway.deployment": "1", "launchway.instance": "1.0", "launchway.port": port,
        "launchway.version": "1.0", "launchway.folder": house.folder().path(),
    });
    assert_eq!(made["Labels"], labels);
    assert_eq!(house.docker().pulls_signed(), ["c2lnbmVkLWlu"], "it was pulled once, signed in");
    assert!(
        house.processes("hunter22").is_empty(),
        "nothing private stands in a list of processes"
    );
}

#[test]
fn an_engine_that_is_away_is_told_before_anything_is_done() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    house.docker().stop(true);
    let cause = house.target().observe(&house.request("1.1", &[])).expect_err("it is away");
    assert_eq!(cause.code, CauseCode::Unavailable);
    let socket = house.docker().socket.display();
    assert_eq!(
        cause.message.as_str(),
        format!(
            "docker does not answer at {socket}: there is no such socket; start it, or say with \
             DOCKER_HOST=unix:///PATH where it is"
        )
    );
    assert_eq!(house.client().get("/"), ok("1.0"));
    house.docker().again();
}

#[test]
fn a_pull_that_is_refused_names_who_refuses() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let said = [
        (
            "pull access denied for registry.test/api, repository does not exist",
            "registry.test lets nobody pull IMAGE by what docker is signed in with here: docker \
             login registry.test",
        ),
        ("manifest unknown: not found", "there is no image IMAGE any more"),
        ("write /var: no space left on device", "there is no room for the image IMAGE"),
        ("something else", "docker could not pull IMAGE"),
    ];
    for (deployment, (word, expected)) in (2..).zip(said) {
        let plan = house.plan(deployment, house.request("1.1", &[]));
        house.docker().fail(|it| it.pull = Some(word.to_owned()));
        let cause = failure(&house, &plan);
        let image = format!("registry.test/api@{}", plan.request.release.digest);
        assert_eq!(cause.message.as_str(), expected.replace("IMAGE", &image));
        assert_eq!(cause.code, CauseCode::TargetRefused);
        assert_eq!(evidence(&cause, EvidenceKind::Platform), [word]);
    }
    // A registry that is away for a moment is asked again.
    let plan = house.plan(9, house.request("1.1", &[]));
    house.docker().fail(|it| it.pull = Some("dial tcp: connection refused".to_owned()));
    let docker = house.docker.clone().expect("an engine");
    let mut seen = 0;
    let end = house.step_watched(&plan, &plan.proposal.steps[0], Way::Forward, &mut |_| {
        seen += 1;
        if seen == 5 {
            docker.fail(|it| it.pull = None);
        }
    });
    assert!(matches!(end, Progress::Done { .. }), "{end:?}");
}

#[test]
fn a_container_that_is_out_of_memory_or_cannot_start_is_told() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let plan = house.plan(2, house.request("1.1", &["killed"]));
    let cause = failure(&house, &plan);
    assert_eq!(
        cause.message.as_str(),
        "instance 2.0 of 1.1 ended with exit code 137: SIGKILL before it was healthy"
    );
    house.docker().fail(|it| it.out_of_memory = true);
    let plan = house.plan(3, house.request("1.1", &["killed"]));
    let cause = failure(&house, &plan);
    assert_eq!(cause.code, CauseCode::Exited);
    let ended = "exit code 137: out of memory, ended by the kernel";
    assert_eq!(
        cause.message.as_str(),
        format!("instance 3.0 of 1.1 ended with {ended} before it was healthy")
    );
    assert_eq!(evidence(&cause, EvidenceKind::Exit), [ended]);
    let port = "driver failed programming external connectivity: Bind for 127.0.0.1:20001 failed: \
                port is already allocated";
    house.docker().fail(|it| it.start = Some(port.to_owned()));
    let plan = house.plan(4, house.request("1.1", &[]));
    let cause = failure(&house, &plan);
    assert_eq!(cause.code, CauseCode::NotStarted);
    assert_eq!(
        cause.message.as_str(),
        format!("instance 4.0 of 1.1 could not be started: docker says: {port}")
    );
}

#[test]
fn an_image_that_somebody_removed_before_it_was_started_is_told() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let plan = house.plan(2, house.request("1.1", &[]));
    house.step(&plan, &plan.proposal.steps[0], Way::Forward);
    house.docker().change(&plan.request.release.digest, |it| it.is_here = false);
    let end = house.step(&plan, &plan.proposal.steps[1], Way::Forward);
    let Progress::Failed(cause) = end else { panic!("{end:?}") };
    let message = cause.message.as_str();
    assert!(message.ends_with("is not here any more: somebody removed it"), "{message}");
}

#[test]
fn how_a_container_ended_is_known_to_a_supervisor_that_came_later() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    house.kill("supervise");
    assert_eq!(house.client().try_get("/crash").map_or(502, |it| it.0), 502);
    house.until("it ended", || !house.docker().containers()[0].1);
    supervised(&house);
    house.until("it is started again", || house.view().instances[0].restarts == 1);
    house.until("it is healthy", || house.view().instances[0].is_healthy);
    assert_eq!(house.client().get("/"), ok("1.0"));
    assert_eq!(house.docker().containers().len(), 1);
}

#[test]
fn an_engine_that_is_started_again_finds_its_containers_looked_after() {
    let house = House::new(json!({ "instances": 2 }));
    house.deploy(1, "1.0");
    let mut client = house.client();
    let (one, other) = (client.get("/pid"), client.get("/pid"));
    // With live restore: nothing is noticed.
    house.docker().stop(true);
    assert_eq!(client.get("/").0, 200);
    house.docker().again();
    house.until("it is asked again", || {
        house.view().instances.iter().all(|it| it.is_healthy && it.probe.is_none())
    });
    assert!([&one, &other].contains(&&client.get("/pid")));
    // Without: they end with it, and are started again.
    house.docker().stop(false);
    house.until("they are waited for", || {
        house.view().instances.iter().any(|it| {
            it.probe.as_deref().is_some_and(|it| it.starts_with("docker does not answer"))
        })
    });
    house.docker().again();
    house.until("they serve again", || {
        let view = house.view();
        view.instances.len() == 2 && view.instances.iter().all(|it| it.is_healthy)
    });
    assert_eq!(house.docker().containers().len(), 2);
    assert_eq!(house.client().get("/"), ok("1.0"));
}

#[test]
fn a_container_that_somebody_took_away_is_made_again() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    house.docker().lose("-api-1.0");
    house.until("it is there again", || {
        let view = house.view();
        view.instances[0].restarts == 1 && view.instances[0].is_healthy
    });
    assert_eq!(house.client().get("/"), ok("1.0"));
}

#[test]
fn a_container_that_nobody_wants_and_nobody_wrote_down_is_ended() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    house.kill("supervise");
    for name in ["state.json", "wanted/api.json"] {
        std::fs::remove_file(house.folder().path().join(name)).expect("it is there");
    }
    // The usual place is asked, and the one that the process is told.
    let program = env!("CARGO_BIN_EXE_target-host-hands");
    let mut supervisor = std::process::Command::new(program)
        .args(["supervise", "--folder"])
        .arg(house.folder().path())
        .env("DOCKER_HOST", format!("unix://{}", house.docker().socket.display()))
        .spawn()
        .expect("it starts");
    house.until("it is gone", || house.docker().containers().is_empty());
    supervisor.kill().and_then(|()| supervisor.wait()).expect("it is ours");
}

#[test]
fn no_container_is_made_twice_and_none_is_left() {
    let house = House::new(json!({ "instances": 2 }));
    house.deploy(1, "1.0");
    for deployment in 2..4 {
        let plan = house.plan(deployment, house.request(&format!("1.{deployment}"), &[]));
        for step in &plan.proposal.steps {
            let mut last = String::new();
            house.step_watched(&plan, step, Way::Forward, &mut |seen| {
                if last != seen {
                    seen.clone_into(&mut last);
                    for pid in house.processes("supervise") {
                        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
                        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                    }
                }
            });
        }
    }
    let mut made = house.docker().deeds("/containers/create");
    let all = made.len();
    made.sort();
    made.dedup();
    assert_eq!((all, made.len()), (6, 6), "each of six instances was made once: {made:?}");
    let starts = house.docker().deeds("/start");
    assert_eq!(starts.len(), 6, "and started once: {starts:?}");
    assert_eq!(house.docker().containers().len(), 2);
}

#[test]
fn from_a_bundle_to_an_image_and_back_is_a_deployment_each() {
    let house = House::new(json!({}));
    let bundle = |version: &str| {
        let mut request = house.request(version, &[]);
        request.release = house.bundle(version);
        request
    };
    let deploy = |deployment: u64, request: event::ServiceRequest| {
        let plan = house.plan(deployment, request);
        for step in &plan.proposal.steps {
            let end = house.step(&plan, step, Way::Forward);
            assert!(matches!(end, Progress::Done { .. }), "{}: {end:?}", step.key);
        }
        plan
    };
    deploy(1, bundle("1.0"));
    let plan = deploy(2, house.request("1.1", &[]));
    assert!(matches!(plan.proposal.going_back, GoingBack::Possible { .. }));
    let changed: Vec<&str> = plan.proposal.changes.iter().map(|it| &*it.field).collect();
    assert_eq!(changed, ["as", "image", "port", "release", "run"]);
    assert_eq!(house.client().get("/"), ok("1.1"));
    assert_eq!(house.docker().containers().len(), 1);
    // Back from the image to the bundle.
    let end = house.step(&plan, &plan.proposal.steps[1], Way::Back);
    assert!(matches!(end, Progress::Done { .. }), "{end:?}");
    assert_eq!(house.client().get("/"), ok("1.0"));
    assert!(house.docker().containers().is_empty());
    // And from a bundle back to an image, which somebody removed meanwhile: it is brought again.
    let image = deploy(3, house.request("1.2", &[])).request.release;
    let plan = house.plan(4, bundle("1.3"));
    for step in &plan.proposal.steps[..3] {
        house.step(&plan, step, Way::Forward);
    }
    assert_eq!(house.client().get("/"), ok("1.3"));
    assert!(house.docker().containers().is_empty());
    house.docker().change(&image.digest, |it| it.is_here = false);
    let end = house.step(&plan, &plan.proposal.steps[1], Way::Back);
    assert!(matches!(end, Progress::Done { .. }), "{end:?}");
    assert_eq!(house.client().get("/"), ok("1.2"));
}

#[test]
fn images_that_we_brought_and_nobody_needs_go() {
    let house = House::new(json!({}));
    // This one was here before.
    let first = house.image("1.0", &[]);
    house.docker().change(&first.digest, |it| it.is_here = true);
    let mut digests = Vec::new();
    for deployment in 1..=8 {
        // Long ago, each of them.
        for entry in std::fs::read_dir(house.folder().path().join("images")).into_iter().flatten() {
            let file = std::fs::File::options().write(true).open(entry.expect("one").path());
            let old = SystemTime::now() - Duration::from_secs(48 * 3600);
            file.expect("ours").set_modified(old).expect("ours");
        }
        digests.push(
            house.deploy(deployment, &format!("1.{}", deployment - 1)).request.release.digest,
        );
    }
    let is_here = |digest: &str| {
        let mut is_here = false;
        house.docker().change(digest, |it| is_here = it.is_here);
        is_here
    };
    let here: Vec<bool> = digests.iter().map(|it| is_here(it)).collect();
    // Four to go back to, the running one, and what is not ours.
    assert_eq!(here, [true, false, false, true, true, true, true, true]);
}

#[test]
fn no_line_of_a_log_is_lost_or_doubled_while_supervisors_come_and_go() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let mut client = house.client();
    let mut expected = "release 1.0 starts\n".to_owned();
    let log = house.folder().log("api", "1.0");
    for line in 0..20 {
        client.get(&format!("/print?line-{line}"));
        expected += &format!("line-{line}\n");
        if line % 5 == 2 {
            house.until("it is written", || {
                std::fs::read_to_string(&log).is_ok_and(|it| it == expected)
            });
            house.kill("supervise");
        }
        if line % 5 == 4 {
            supervised(&house);
        }
    }
    house.until("every line is there", || {
        std::fs::read_to_string(&log).is_ok_and(|it| it == expected)
    });
}

#[test]
fn a_command_is_run_once_in_a_container_of_its_own() {
    let house = House::new(json!({}));
    let plan = house.plan(1, house.request("1.0", &[]));
    let ran = house.scratch.path().join("ran");
    let ran_text = ran.display().to_string();
    let script = "echo $LAUNCHWAY_RELEASE $GREETING $PASSWORD >> $1; echo done $PASSWORD; exit $2";
    let task = |code: &str| house.task(&["sh", "-c", script, "task", &ran_text, code], 60_000);
    assert_eq!(
        house.step(&plan, &task("0"), Way::Forward),
        Progress::Done { effect: json!({ "exit_code": 0 }) }
    );
    assert_eq!(std::fs::read_to_string(&ran).expect("it ran"), "1.0 hello hunter22\n");
    house.until("nothing is left of it", || house.docker().containers().is_empty());
    let plan = house.plan(2, house.request("1.0", &[]));
    let Progress::Failed(cause) = house.step(&plan, &task("4"), Way::Forward) else {
        panic!("it fails")
    };
    assert_eq!(cause.message.as_str(), "the command ended with exit code 4");
    assert_eq!(evidence(&cause, EvidenceKind::Log), ["done ***"]);
}

#[test]
fn a_command_whose_runner_was_killed_is_heard_of_by_the_next() {
    let house = House::new(json!({}));
    let plan = house.plan(1, house.request("1.0", &[]));
    let ran = house.scratch.path().join("ran");
    let ran_text = ran.display().to_string();
    let script = "echo ran >> $1; while [ ! -e $1.go ]; do sleep 0.05; done; echo over";
    let task = house.task(&["sh", "-c", script, "task", &ran_text], 60_000);
    let mut killed = false;
    let end = house.step_watched(&plan, &task, Way::Forward, &mut |_| {
        if !killed && ran.exists() {
            house.kill("supervise --task");
            killed = true;
            std::fs::write(format!("{ran_text}.go"), "").expect("room");
        }
    });
    assert!(killed);
    house.until("nothing is left of it", || house.docker().containers().is_empty());
    assert_eq!(end, Progress::Done { effect: json!({ "exit_code": 0 }) });
    assert_eq!(std::fs::read_to_string(&ran).expect("it ran"), "ran\n", "once");
}

#[test]
fn a_command_that_is_over_is_cleared_away_by_whoever_comes_next() {
    let house = House::new(json!({}));
    house.deploy(1, "1.0");
    let plan = house.plan(2, house.request("1.1", &[]));
    let task = house.task(&["sh", "-c", "exit 0"], 60_000);
    house.step(&plan, &task, Way::Forward);
    house.until("it was taken away", || house.docker().containers().len() == 1);
    // As if its runner had been killed between writing its end down and taking it away.
    let mut made = house.docker().made("-api-1.0");
    made["Labels"] = json!({
        "launchway.folder": house.folder().path(), "launchway.task": "2-api-migrate",
    });
    house.docker().leave("launchway-task-2-api-migrate", made);
    house.kill("supervise --folder");
    supervised(&house);
    house.until("it is gone", || house.docker().containers().len() == 1);
    assert_eq!(house.client().get("/"), ok("1.0"));
}
