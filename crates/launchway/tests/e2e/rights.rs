//! Who may what, for as long as they look: streams end with the right to follow them.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;

use crate::harness::wait_until;
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
