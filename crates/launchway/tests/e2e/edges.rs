//! Values that mean nothing are refused before anything begins, with what helps; looking makes no folder.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::harness::{Place, Said, wait_until};
use crate::serving::Serving;

#[test]
fn flags_that_mean_nothing_are_refused() {
    let place = Place::with(&[]);
    let data = place.path("data").display().to_string();
    let check = |args: &[&str], expect: Expect| {
        let said = place.run(&[args, &["--data", &data]].concat());
        let text = said.stderr.replace(&data, "DATA");
        // What clap says of other flags is not ours.
        let lines = text.lines().take_while(|it| !it.is_empty() && !it.starts_with("Usage"));
        let text: Vec<&str> = lines.collect();
        expect.assert_eq(&format!("{}\nexit {}", text.join("\n"), said.exit));
        assert!(!place.path("data").exists(), "{args:?} made a folder");
    };
    check(
        &["serve", "--runner-away", "0"],
        expect![[r#"
        error: invalid value '0' for '--runner-away <SECONDS>': a whole number from 1
        exit 2"#]],
    );
    check(
        &["serve", "--label", ""],
        expect![[r#"
        error: invalid value '' for '--label <LABEL[=IMAGE]>': a label of runs-on, such as gpu, or with an image: ubuntu-latest=node:24
        exit 2"#]],
    );
    check(
        &["serve", "--label", "=node:24"],
        expect![[r#"
        error: invalid value '=node:24' for '--label <LABEL[=IMAGE]>': a label of runs-on, such as gpu, or with an image: ubuntu-latest=node:24
        exit 2"#]],
    );
    check(
        &["serve", "--trusted-label", ""],
        expect![[r#"
        error: invalid value '' for '--trusted-label <LABEL[=OWNER/NAME[:WHICH]]>': it names no label; deploy=octo/app, deploy=octo/app:environment:production, deploy=octo/app:branch:main, deploy=octo/app:tag:v*, or deploy=everything
        exit 2"#]],
    );
    check(
        &["serve", "--trusted-label", "deploy=main"],
        expect![[r#"
        error: invalid value 'deploy=main' for '--trusted-label <LABEL[=OWNER/NAME[:WHICH]]>': `main` is no repository; deploy=octo/app, deploy=octo/app:environment:production, deploy=octo/app:branch:main, deploy=octo/app:tag:v*, or deploy=everything
        exit 2"#]],
    );
    check(
        &["serve", "--private-receiver", "http://x"],
        expect![[r#"
        error: invalid value 'http://x' for '--private-receiver <HOST>': a host alone, such as hooks.internal or 10.0.0.5: no http://, no port, no path
        exit 2"#]],
    );
    check(
        &["serve", "--unit", "nosuchuser"],
        expect![[r#"
        error: --unit nosuchuser: this machine has no such user
        hint: make one first: useradd --system --create-home nosuchuser
        hint: or name another: --unit root
        exit 2"#]],
    );
    check(
        &["repositories", "list"],
        expect![[r#"
        error: there is no server's folder DATA
        hint: launchway serve makes one; --data names another
        exit 2"#]],
    );
    check(
        &["repositories", "held"],
        expect![[r#"
        error: there is no server's folder DATA
        hint: launchway serve makes one; --data names another
        exit 2"#]],
    );
}

#[test]
fn a_stream_goes_on_by_numbers_alone() {
    let serving = Serving::of(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    for path in ["/api/v1/events", "/api/v1/runs/1/events/stream", "/live/runs/1"] {
        let bearer = format!("Bearer {}", serving.token);
        let headers = [("authorization", bearer.as_str()), ("last-event-id", "abc")];
        let got = serving.ask("GET", path, &headers, "");
        assert_eq!(got.status, 400, "{path}: {}", got.text);
        assert!(got.text.contains("Last-Event-ID is the id of the last event"), "{}", got.text);
    }
    // Who has heard all of what is over is told so, and who names more than there is, too.
    let events = serving.get("/api/v1/runs/1/events").json();
    let last =
        events["events"].as_array().and_then(|it| it.last()).expect("events")["seq"].to_string();
    for path in ["/api/v1/runs/1/events/stream", "/live/runs/1", "/live/runs/1/jobs/a"] {
        for seen in [last.as_str(), "99999"] {
            let bearer = format!("Bearer {}", serving.token);
            let headers = [("authorization", bearer.as_str()), ("last-event-id", seen)];
            let got = serving.ask("GET", path, &headers, "");
            assert!(got.text.ends_with("event: end\ndata: \n\n"), "{path} {seen}: {}", got.text);
        }
    }
    serving.end();
}

/// Who only looks makes no folder of a slip.
#[test]
fn looking_makes_no_folder() {
    let place = Place::workflow(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    let slip = place.path("slip").display().to_string();
    for args in [
        &["runs", "list"][..],
        &["runs", "show", "1"],
        &["notify", "list"],
        &["notify", "retry", "1"],
        &["metrics"],
        &["prune"],
    ] {
        let said = place.run(&[args, &["--state", &slip]].concat());
        assert!(said.exit == 5 && said.stderr.contains("there is no journal"), "{}", said.stderr);
        assert!(!place.path("slip").exists(), "{args:?}");
    }
    // Before the first run nothing is in the usual place, and nobody wrote a name wrong.
    let mut usual = place.program(env!("CARGO_BIN_EXE_launchway"));
    usual.args(["runs", "list"]).env("XDG_STATE_HOME", &slip);
    let said = Said::from(usual.output().expect("it starts"));
    assert_eq!((said.exit, &*said.stderr), (0, "no run yet; launchway run makes one\n"));
}

/// What an earlier version ordered and this one refuses is said once, and what was ordered behind it is made.
#[test]
fn an_order_that_is_refused_keeps_no_other_waiting() {
    let serving = Serving::of(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let mut request = serving.get("/api/v1/runs/1/events").json()["events"][0]["event"].clone();
    let order = |id: &str, request: &serde_json::Value| {
        let text = json!({ "runs": [{ "request": request, "carried": [] }] }).to_string();
        let beside = serving.place.path("data").join(id);
        std::fs::write(&beside, text).expect("a file");
        let order = serving.place.path("data/inbox").join(format!("{id}.order"));
        std::fs::rename(&beside, &order).expect("it is moved");
        order
    };
    request["run"] = 77.into();
    let text = request["workflow"]["text"].take();
    request["workflow"]["text"] = "on: push\njobs: { a: 5 }\n".into();
    let refused = order("000000000000001-run-77-1", &request);
    request["run"] = 78.into();
    request["workflow"]["text"] = text;
    let made = order("000000000000002-run-78-1", &request);
    wait_until("the second run", || serving.get("/api/v1/runs/78.1").status == 200);
    wait_until("both are taken", || !refused.exists() && !made.exists());
    assert_eq!(serving.get("/api/v1/runs/77.1").status, 404);
    serving.end();
}
