//! Who may what, for as long as they look: streams end with the right to follow them, and who is bound to a
//! repository sees nothing of another, whichever way they ask.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use expect_test::{Expect, expect};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;

use crate::harness::wait_until;
use crate::pinned::SETTINGS;
use crate::runner::{Away, takes};
use crate::serve::LONG;
use crate::serving::Serving;

/// Every stream that there is.
const STREAMS: [&str; 5] = [
    "/live/runs",
    "/live/runs/1",
    "/live/runs/1/jobs/long",
    "/api/v1/runs/1/events/stream",
    "/api/v1/events",
];

/// A stream, open.
type Open = BufReader<ureq::BodyReader<'static>>;

fn open(serving: &Serving, path: &str, proof: (&str, &str)) -> Open {
    let request = Serving::agent().get(format!("{}{path}", serving.url));
    let response = request.header(proof.0, proof.1).call().expect("an answer");
    assert_eq!(response.status(), 200);
    BufReader::new(response.into_body().into_reader())
}

/// Reads a stream to its end; the name of its last event, and what that says.
fn last(stream: Open) -> (String, String) {
    let (mut name, mut data) = (String::new(), String::new());
    for line in stream.lines() {
        let line = line.expect("it ends as it should");
        if let Some(it) = line.strip_prefix("event: ") {
            it.clone_into(&mut name);
        }
        if let Some(it) = line.strip_prefix("data: ") {
            it.clone_into(&mut data);
        }
    }
    (name, data)
}

/// The id of a token by its name.
fn id_of(serving: &Serving, name: &str) -> String {
    let all = serving.command(&["tokens", "list", "--format", "json"]).lines();
    let found = all.iter().find(|it| it["name"] == name).expect("it was made");
    found["id"].as_str().expect("text").to_owned()
}

fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

#[test]
fn streams_end_with_the_right_to_follow_them() {
    let serving = Serving::of(LONG);
    assert_eq!(serving.push().exit, 0);
    wait_until("the job", || !serving.mark("long").is_empty());
    let made = serving.command(&["tokens", "create", "looks on"]).stdout;
    let bearer = format!("Bearer {}", made.trim());
    let proof = ("authorization", bearer.as_str());
    let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", &*serving.url)];
    let signed_in = serving.ask("POST", "/sign-in", &form, &format!("token={}", made.trim()));
    let cookie = signed_in.headers["set-cookie"].to_str().expect("text").to_owned();
    let session = ("cookie", cookie.split(';').next().expect("a value"));
    let mine = ("authorization", &*format!("Bearer {}", serving.token));
    let own = open(&serving, STREAMS[2], mine);

    // Who signs out, in this browser alone.
    let browser = open(&serving, STREAMS[2], session);
    let elsewhere: Vec<Open> = STREAMS.map(|path| open(&serving, path, proof)).into();
    let left = serving.ask("POST", "/sign-out", &[session, ("origin", &serving.url)], "");
    assert_eq!(left.status, 303);
    let (name, said) = last(browser);
    expect!["signed-out: This session or token is good no longer: sign in again."]
        .assert_eq(&format!("{name}: {said}"));

    // Whose token is revoked, wherever they look, and whatever does so: nothing was shown since.
    let mut watch = serving.place.launchway(&["runs", "watch", "1", "--server", &serving.url]);
    watch.env("LAUNCHWAY_TOKEN", made.trim()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let watch = watch.spawn().expect("it starts");
    let follow = format!("launchway_followers {}\n", STREAMS.len() + 2);
    wait_until("all who follow", || serving.get("/metrics").text.contains(&follow));
    assert_eq!(serving.command(&["tokens", "revoke", &id_of(&serving, "looks on")]).exit, 0);
    for stream in elsewhere {
        assert_eq!(last(stream).0, "signed-out");
    }
    let watched = watch.wait_with_output().expect("it ends");
    expect![[r#"
        error: the server shows nothing more to this token
        hint: LAUNCHWAY_TOKEN was revoked, or has expired
        exit 4
    "#]]
    .assert_eq(&format!(
        "{}exit {}\n",
        String::from_utf8_lossy(&watched.stderr),
        watched.status.code().expect("a code")
    ));
    assert_eq!(serving.ask("GET", STREAMS[0], &[proof], "").status, 401);

    // Whose token ends by itself, at that moment.
    let made = serving.command(&["tokens", "create", "for a moment"]).stdout;
    let file = serving.place.path("data/tokens").join(id_of(&serving, "for a moment"));
    let mut token: Json =
        serde_json::from_slice(&std::fs::read(&file).expect("it is kept")).expect("it is JSON");
    let until = now_ms() + 1_500;
    token["expires_at"] = until.into();
    std::fs::write(&file, token.to_string()).expect("a file of ours");
    let bearer = format!("Bearer {}", made.trim());
    let stream = open(&serving, STREAMS[2], ("authorization", &bearer));
    assert_eq!(last(stream).0, "signed-out");
    let late = Duration::from_millis(now_ms().saturating_sub(until));
    assert!(now_ms() >= until && late < Duration::from_secs(10), "{late:?}");

    // Nobody else notices.
    serving.leave("go");
    assert_eq!(last(own).0, "end");
    serving.end();
}

#[test]
fn a_runner_is_sent_away_with_its_token() {
    let serving = Serving::of(LONG);
    let away = Away::of(&serving, "1");
    assert_eq!(serving.command(&["tokens", "revoke", &id_of(&serving, "far-1")]).exit, 0);
    wait_until("nobody's connection", || takes(&serving) != "jobs");
    drop(away);
    serving.end();
}

/// A job that waits for people, and one that waits for a runner.
const WAITS: &str = "
on: [push, workflow_dispatch]
permissions: {}
jobs:
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: echo shipped }]
  far:
    runs-on: gpu
    steps: [{ run: echo far }]
";
/// What nobody may see who is bound to `octo/app`.
const HIDDEN: &str = "octo/hidden";

/// A server with two repositories; run 2 is of the second.
fn two_repositories() -> Serving {
    let serving = Serving::of(WAITS);
    serving.place.write("launchway.yml", SETTINGS);
    serving.place.commit();
    let hidden = serving.place.path("hidden.git").display().to_string();
    serving.place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &hidden]);
    assert_eq!(serving.command(&["repositories", "add", &hidden, "--name", HIDDEN]).exit, 0);
    assert_eq!(serving.push().exit, 0);
    let gate = |run: &str| format!("/api/v1/runs/{run}/jobs/ship/approval");
    wait_until("the first gate", || serving.get(&gate("1")).status == 200);
    serving.place.git(&["push", "--quiet", &hidden, "HEAD:refs/heads/main"]);
    wait_until("the second gate", || serving.get(&gate("2")).status == 200);
    serving
}

/// A path with the parts of what is hidden.
fn path_of(pattern: &str) -> String {
    let parts = [
        ("{run}", "2"),
        ("{job}", "ship"),
        ("{owner}/{name}", HIDDEN),
        ("{kind}", "secrets"),
        ("{key}", "TOKEN"),
        ("{blob}", "x"),
        ("{id}", "1"),
        ("{name}", "launchway"),
    ];
    parts.iter().fold(pattern.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// Every route: those of the API's document, every page, and what stands beside the two.
fn routes(serving: &Serving) -> Vec<(String, String)> {
    let document = serving.get("/api/v1/openapi.json").json();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let methods = operations.as_object().expect("methods").keys();
        let methods = methods.filter(|it| ["get", "post", "put", "delete"].contains(&it.as_str()));
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    routes.extend(server::page_paths().map(|path| ("GET".to_owned(), path.to_owned())));
    let beside = [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/runs/{run}/older"),
        ("GET", "/runs/{run}/newer"),
        ("GET", "/runs/{run}/jobs/{job}/lines"),
        ("GET", "/runs/{run}/jobs/{job}/log.txt"),
        ("GET", "/live/runs/{run}"),
        ("GET", "/live/runs/{run}/jobs/{job}"),
        ("POST", "/runs/{run}/cancel"),
        ("POST", "/runs/{run}/rerun"),
        ("POST", "/runs/{run}/resume"),
        ("POST", "/approvals/{run}/{job}"),
        ("POST", "/deployments/{id}/incidents"),
        ("POST", "/incidents/{id}"),
        ("POST", "/held/{id}/let-in"),
        ("POST", "/runners/{name}/drain"),
        ("POST", "/runners/{name}/resume"),
        ("POST", "/settings"),
    ];
    routes.extend(beside.map(|(method, path)| (method.to_owned(), path.to_owned())));
    routes
}

#[test]
fn who_is_bound_to_a_repository_sees_nothing_of_another() {
    let serving = two_repositories();
    let made = |args: &[&str]| {
        let said = serving.command(&[&["tokens", "create"][..], args].concat());
        assert_eq!(said.exit, 0, "{}", said.stderr);
        format!("Bearer {}", said.stdout.trim())
    };
    // One that may everything else, so that nothing but its bounds holds it back.
    let bound = made(&["x", "--scope", "admin", "--person", "kim", "--repository", "octo/app"]);
    let proof = ("authorization", bound.as_str());
    let ask = |method: &str, path: &str, body: &str| serving.ask(method, path, &[proof], body);
    let mut table = String::new();
    for (method, pattern) in routes(&serving) {
        let path = path_of(&pattern);
        if ["/api/v1/events", "/api/v1/runners/connect"].contains(&path.as_str()) {
            continue; // A stream is looked at below; the other is for runners alone.
        }
        let got = ask(&method, &path, "");
        let is_of_another = path.contains("/2") || path.contains(HIDDEN);
        assert!(
            !is_of_another || got.status == 404,
            "{method} {path}: {} {}",
            got.status,
            got.text
        );
        let shows = |it: &str| got.text.contains(it);
        // The name that was asked for may be said again.
        let is_shown =
            (shows(HIDDEN) && !path.contains(HIDDEN)) || shows("/runs/2") || shows("run 2<");
        assert!(!is_shown, "{method} {path}: {}", got.text);
        table.push_str(&format!("{} {method} {pattern}\n", got.status));
    }
    let refused: String =
        table.lines().filter(|it| it.starts_with("403")).map(|it| format!("{it}\n")).collect();
    expect![[r#"
        403 GET /api/v1/deployments
        403 GET /api/v1/deployments/{id}/events
        403 GET /api/v1/deployments/{id}/events/stream
        403 GET /api/v1/status
        403 GET /api/v1/releases
        403 GET /api/v1/deployments/waiting
        403 GET /api/v1/deployments/{id}/approval
        403 POST /api/v1/deployments/{id}/approval
        403 POST /api/v1/deployments/{id}/cancel
        403 GET /api/v1/audit
        403 GET /api/v1/people
        403 POST /api/v1/people/{name}/revoke
        403 DELETE /api/v1/people/{name}
        403 GET /api/v1/messages
        403 POST /api/v1/messages/{number}/retry
        403 GET /api/v1/runners/connection
        403 POST /api/v1/runners/{name}/drain
        403 POST /api/v1/runners/{name}/resume
        403 GET /api/v1/incidents
        403 POST /api/v1/incidents
        403 GET /api/v1/incidents/{incident}
        403 POST /api/v1/incidents/{incident}
        403 GET /deployments
        403 GET /deployments/{id}
        403 GET /incidents
        403 GET /incidents/{id}
        403 GET /messages
        403 GET /audit
        403 GET /settings
        403 GET /metrics
        403 POST /deployments/{id}/incidents
        403 POST /incidents/{id}
        403 POST /runners/{name}/drain
        403 POST /runners/{name}/resume
        403 POST /settings
    "#]]
    .assert_eq(&refused);
    // Settings are an administrator's, and have nothing that lets anybody in.
    let deploys = made(&["y", "--scope", "deploy", "--person", "kim"]);
    let got = serving.ask("GET", "/settings", &[("authorization", &deploys)], "");
    assert!(got.status == 403 && got.text.contains("needs one that may admin"), "{}", got.text);
    assert!(
        !serving.ask("GET", "/runs", &[("authorization", &deploys)], "").text.contains("/settings")
    );
    let page = serving.get("/settings").text;
    assert!(page.contains("admin for octo/app") && page.contains("octo/hidden"), "{page}");
    for token in [&bound, &deploys] {
        let secret = token.rsplit('_').next().expect("a secret");
        assert!(!page.contains(secret), "{page}");
    }
    // A token ends there by one button, and only an administrator's; the trail has it.
    let ends = |bearer: &str, body: &str| {
        let form = ("content-type", "application/x-www-form-urlencoded");
        serving.ask("POST", "/settings", &[("authorization", bearer), form], body).status
    };
    let admin = format!("Bearer {}", serving.token);
    let id = id_of(&serving, "y");
    assert!(page.contains(&format!("name=\"token\" value=\"{id}\"")), "{page}");
    assert_eq!(ends(&deploys, &format!("token={id}")), 403);
    assert_eq!(ends(&admin, "token=nobody"), 404);
    assert_eq!(ends(&admin, &format!("token={id}&sessions=mona")), 400);
    assert_eq!(ends(&admin, &format!("token={id}")), 303);
    let got = serving.ask("GET", "/api/v1/runs", &[("authorization", &deploys)], "");
    assert_eq!(got.status, 401);
    let trail = serving.get("/api/v1/audit?action=token.revoke").text;
    assert!(trail.contains(&id), "{trail}");
    // What they ask for elsewhere than in a path.
    let form = ("content-type", "application/x-www-form-urlencoded");
    let forms = [
        ("/dispatch", "repository=octo%2Fhidden&workflow=.github%2Fworkflows%2Fci.yml"),
        ("/secrets", "repository=octo%2Fhidden&kind=secrets&name=A&value=b&deed=keep"),
    ];
    for (path, body) in forms {
        assert_eq!(serving.ask("POST", path, &[proof, form], body).status, 404, "{path}");
        assert_eq!(ask("GET", &format!("{path}?repository={HIDDEN}"), "").status, 404, "{path}");
    }
    assert_eq!(ask("GET", &format!("/api/v1/metrics?repository={HIDDEN}"), "").status, 404);
    let runs = ask("GET", &format!("/api/v1/runs?repository={HIDDEN}"), "").json();
    assert_eq!(runs["runs"], serde_json::json!([]));

    // All of it is there for their own, and what they do is done.
    let check = |path: &str, of: &str, expect: Expect| {
        let got = ask("GET", path, "").json();
        let all = got[of].as_array().expect("a list").iter();
        let name = |it: &Json| {
            ["repository", "name", "run"]
                .iter()
                .filter_map(|key| it.get(*key))
                .map(Json::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        expect.assert_eq(&all.map(name).collect::<Vec<_>>().join(", "));
    };
    check("/api/v1/runs", "runs", expect![[r#""octo/app" 1"#]]);
    check("/api/v1/repositories", "repositories", expect![[r#""octo/app""#]]);
    check("/api/v1/approvals", "approvals", expect![[r#""octo/app" 1"#]]);
    check("/api/v1/runners", "queue", expect![[r#""1.1""#]]);
    check("/api/v1/pushes", "pushes", expect![[r#""octo/app""#]]);
    let kept = "/api/v1/repositories/octo/app/kept/variables/WHERE";
    assert_eq!(ask("PUT", kept, r#"{"value":"here"}"#).status, 200);

    // The journal's stream tells of their runs alone, to its end with the token.
    let stream = open(&serving, "/api/v1/events", proof);
    let watched = std::thread::spawn(move || {
        let lines = stream.lines().map_while(Result::ok);
        lines.filter_map(|it| Some(it.strip_prefix("data: ")?.to_owned())).collect::<Vec<_>>()
    });
    assert_eq!(ask("POST", "/api/v1/runs/1/cancel", "").status, 202);
    assert_eq!(serving.post("/api/v1/runs/2/cancel", &[], "").status, 202);
    serving.ended("2");
    serving.ended("1");
    assert_eq!(serving.command(&["tokens", "revoke", &id_of(&serving, "x")]).exit, 0);
    let said = watched.join().expect("it was read").concat();
    assert!(said.contains("run/1/1") && !said.contains("run/2/"), "{said}");
    serving.end();
}

/// Positions that a stream says, each with what happened there; none for a sign of life.
fn positions(stream: Open) -> impl Iterator<Item = (u64, Option<Json>)> {
    let mut id = None;
    stream.lines().map_while(Result::ok).filter_map(move |line| {
        if let Some(it) = line.strip_prefix("id: ") {
            id = it.parse().ok();
            return None;
        }
        match line.strip_prefix("data: ") {
            Some(data) => Some((id.take()?, Some(serde_json::from_str(data).expect("JSON")))),
            // An id alone, and a blank line behind it.
            None if line.is_empty() => Some((id.take()?, None)),
            None => None,
        }
    })
}

#[test]
fn who_is_bound_hears_how_far_the_journal_is_and_nothing_of_others() {
    let serving = two_repositories();
    let made = serving.command(&["tokens", "create", "x", "--repository", "octo/app"]);
    let bearer = format!("Bearer {}", made.stdout.trim());
    let own = format!("Bearer {}", serving.token);
    let followed = |after: u64, bearer: &str| {
        let path = format!("/api/v1/events?after={after}");
        positions(open(&serving, &path, ("authorization", bearer)))
    };
    assert_eq!(serving.post("/api/v1/runs/2/cancel", &[], "").status, 202);
    let is_end = |fact: &Json| fact["stream"] == "run/2/1" && fact["type"] == "RunCompleted";
    let mut all = followed(0, &own);
    let end = all.find(|(_, fact)| fact.as_ref().is_some_and(is_end)).expect("it ends").0;

    // What is theirs comes at once; where nothing more is, a sign of life says how far others are.
    let (mut theirs, mut passed) = (0, 0);
    for (position, fact) in followed(0, &bearer) {
        let Some(fact) = fact else {
            passed = position;
            break;
        };
        assert_eq!(fact["stream"], "run/1/1");
        theirs = position;
    }
    assert!(theirs < end && end <= passed, "{theirs} {end} {passed}");

    // Whoever comes back from there is told what happened since, and nothing twice.
    let mut again = followed(passed, &bearer);
    assert_eq!(serving.post("/api/v1/runs/1/cancel", &[], "").status, 202);
    let (position, fact) = again.next().expect("it goes on");
    assert!(position > passed, "{position}");
    assert_eq!(fact.expect("a fact")["stream"], "run/1/1");
    drop((all, again));
    serving.ended("1");
    serving.end();
}

#[test]
fn a_key_is_whose_and_where_it_was_used() {
    let serving = two_repositories();
    let nightly = |repository: &str| {
        let said = serving.command(&[
            "tokens",
            "create",
            "nightly",
            "--scope",
            "deploy",
            "--machine",
            "--repository",
            repository,
        ]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        format!("Bearer {}", said.stdout.trim())
    };
    let [app, hidden] = ["octo/app", HIDDEN].map(nightly);
    let ask = |bearer: &str, path: &str, body: &str| {
        let proof = [("authorization", bearer), ("idempotency-key", "2026-11-22")];
        let made = serving.ask("POST", path, &proof, body);
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        let made = made.json();
        format!("{}.{}", made["run"], made["attempt"])
    };
    let dispatch = |bearer: &str, repository: &str| {
        let path = format!("/api/v1/repositories/{repository}/dispatches");
        ask(bearer, &path, r#"{"workflow":".github/workflows/ci.yml"}"#)
    };
    let mine = format!("Bearer {}", serving.token);
    let made = [
        dispatch(&app, "octo/app"),
        dispatch(&hidden, HIDDEN),
        dispatch(&app, "octo/app"),
        dispatch(&mine, "octo/app"),
        dispatch(&mine, HIDDEN),
        dispatch(&mine, "octo/app"),
    ];
    assert_eq!(made, ["3.1", "4.1", "3.1", "5.1", "6.1", "5.1"]);
    // Who asked is no login, whatever the token is called.
    let gate = || serving.get("/api/v1/runs/4/jobs/ship/approval");
    wait_until("its gate", || gate().status == 200);
    assert_eq!(gate().json()["asked_by"][0], "machine:nightly");

    for run in ["1", "2"] {
        assert_eq!(serving.post(&format!("/api/v1/runs/{run}/cancel"), &[], "").status, 202);
        serving.ended(run);
    }
    let again = |run: &str| ask(&mine, &format!("/api/v1/runs/{run}/rerun"), "");
    assert_eq!(["1", "2", "1"].map(again), ["1.2", "2.2", "1.2"]);

    // Who is bound to two sees the figures of both.
    let said = serving.command(&[
        "tokens",
        "create",
        "both",
        "--repository",
        "octo/app",
        "--repository",
        HIDDEN,
    ]);
    let bearer = format!("Bearer {}", said.stdout.trim());
    let figures = |path: &str| serving.ask("GET", path, &[("authorization", &bearer)], "");
    let pages = [
        "/insights",
        "/insights/pipelines",
        "/insights/tests",
        "/insights/images",
        "/insights/scans",
        "/api/v1/metrics",
    ];
    assert_eq!(pages.map(|path| figures(path).status), [200; 6]);
    serving.end();
}

#[test]
fn a_token_that_starts_things_is_somebodys() {
    let serving = Serving::of(WAITS);
    let check = |args: &[&str], expect: Expect| {
        let said = serving.command(&[&["tokens", "create", "x"][..], args].concat());
        let data = serving.place.path("data").display().to_string();
        let stderr = said.stderr.replace(&data, "DATA");
        expect.assert_eq(&format!("{stderr}exit {}\n", said.exit));
    };
    check(
        &["--scope", "operate"],
        expect![[r#"
        error: what this token starts would be nobody's: who holds it could agree to it with another token
        hint: say whose it is: --person LOGIN
        hint: a program's that only machines hold: --machine
        exit 2
    "#]],
    );
    check(
        &["--scope", "operate", "--person", "machine:nightly"],
        expect![[r#"
        error: names that begin with machine: are those of programs, and nobody's login
        exit 2
    "#]],
    );
    check(
        &["--scope", "read", "--repository", "octo/none"],
        expect![[r#"
        error: no repository octo/none is connected
        hint: launchway repositories list --data DATA shows which are
        exit 2
    "#]],
    );
    check(
        &["--scope", "runner", "--person", "kim"],
        expect![[r#"
        error: a runner's token is a machine's, and nobody agrees or starts anything with it
        hint: leave out --person
        exit 2
    "#]],
    );
    let made = serving.command(&[
        "tokens",
        "create",
        "nightly",
        "--scope",
        "operate",
        "--machine",
        "--repository",
        "octo/app",
    ]);
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let list = serving.command(&["tokens", "list", "--format", "json"]).lines();
    let nightly = list.iter().find(|it| it["name"] == "nightly").expect("it was made");
    assert_eq!(
        (&nightly["machine"], &nightly["repositories"]),
        (&true.into(), &serde_json::json!(["octo/app"]))
    );
    serving.end();
}
