//! Incidents of PagerDuty: connected by a command, told by webhooks that prove themselves, written down once.

use std::io::Write as _;
use std::process::Stdio;

use aws_lc_rs::hmac;
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use crate::harness::Said;
use crate::serving::Serving;

/// It stands nowhere but in the vault.
const SECRET: &str = "pdSecretThatNobodyMaySee";
const WORKFLOW: &str =
    "on: workflow_dispatch\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n";
const SETTINGS: &str = "version: 1\nproject: planner\nservices: { web: {} }\nenvironments: { production: { targets: { ecs: { region: eu-central-1, cluster: c, service: s } } } }\n";

fn serving() -> Serving {
    let serving = Serving::of(WORKFLOW);
    serving.place.write("launchway.yml", SETTINGS);
    serving.place.commit();
    let pushed = serving.push();
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    serving
}

/// `launchway pagerduty`, with this on its standard input.
fn command(serving: &Serving, args: &[&str], input: &str) -> Said {
    let data = serving.place.path("data").display().to_string();
    let args = [&["pagerduty"], args, &["--data", &data]].concat();
    let mut command = serving.place.launchway(&args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    // Where it reads nothing, it may be gone already.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let said = Said::from(child.wait_with_output().expect("it ends"));
    Said { stderr: said.stderr.replace(&data, "DATA"), ..said }
}

fn check(said: &Said, expected: &Expect) {
    expected.assert_eq(&format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit));
}

/// What PagerDuty says of its incident, so many minutes ago.
fn told(id: &str, service: &str, kind: &str, minutes: i64) -> String {
    let at = |minutes: i64| {
        (jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes)).to_string()
    };
    json!({ "event": {
        "id": "5ac64822", "event_type": kind, "resource_type": "incident",
        "occurred_at": at(minutes), "agent": { "id": "PXPGF42", "summary": "mona" },
        "data": {
            "id": id, "type": "incident", "created_at": at(30), "incident_key": "d3640fbd",
            "html_url": format!("https://acme.pagerduty.com/incidents/{id}"),
            "title": "checkout <b>answers</b> 500", "urgency": "high",
            "service": { "id": service, "type": "service_reference" },
            "priority": { "summary": "P1" },
        },
    } })
    .to_string()
}

/// How the server answers to it.
fn tell(serving: &Serving, body: &str, secret: &str) -> (u16, String) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    let signature = format!("v1={hex}");
    let headers =
        [("x-pagerduty-signature", signature.as_str()), ("content-type", "application/json")];
    let got = serving.ask("POST", "/webhooks/pagerduty", &headers, body);
    (got.status, got.text)
}

fn incidents(serving: &Serving) -> String {
    let all = serving.get("/api/v1/incidents").json();
    let line = |it: &Json| {
        let spans = it["spans"].as_array().map_or(0, Vec::len);
        let words = ["source", "state", "severity", "environment", "service", "link"];
        let words = words.map(|word| it[word].as_str().unwrap_or("-"));
        format!("{} {}, {spans} times\n", it["incident"], words.join(" "))
    };
    all["incidents"].as_array().expect("a list").iter().map(line).collect()
}

#[test]
fn what_proves_itself_is_written_down_once_whoever_is_killed() {
    let mut serving = serving();
    assert_eq!(tell(&serving, &told("PGR1", "PF9KMXH", "incident.triggered", 20), SECRET).0, 404);
    let connect = ["connect", "--service", "PF9KMXH=planner/production/web"];
    assert_eq!(command(&serving, &connect, SECRET).exit, 0);

    let began = told("PGR1", "PF9KMXH", "incident.triggered", 20);
    assert_eq!(tell(&serving, &began, "another").0, 401);
    assert_eq!(tell(&serving, "{}", SECRET).0, 422);
    assert_eq!(
        tell(&serving, &told("PGR1", "PF9KMXH", "incident.triggered", 9_999), SECRET).0,
        422
    );
    assert_eq!(incidents(&serving), "");
    let stranger = told("PGR9", "PSTRANGER", "incident.triggered", 20);
    assert_eq!(tell(&serving, &stranger, SECRET).0, 200);
    let acknowledged = told("PGR1", "PF9KMXH", "incident.acknowledged", 20);
    assert_eq!(tell(&serving, &acknowledged, SECRET).0, 200);
    assert_eq!((tell(&serving, &began, SECRET).0, tell(&serving, &began, SECRET).0), (202, 200));
    // An end that comes before its beginning.
    let ended = told("PGR2", "PF9KMXH", "incident.resolved", 10);
    assert_eq!(tell(&serving, &ended, SECRET).0, 202);
    assert_eq!(tell(&serving, &told("PGR2", "PF9KMXH", "incident.triggered", 20), SECRET).0, 200);
    serving.kill();
    serving.restart();
    assert_eq!(tell(&serving, &told("PGR1", "PF9KMXH", "incident.resolved", 10), SECRET).0, 202);
    assert_eq!(tell(&serving, &told("PGR1", "PF9KMXH", "incident.reopened", 5), SECRET).0, 202);
    // What was caught, and is played again: it is from before.
    assert_eq!(tell(&serving, &told("PGR1", "PF9KMXH", "incident.resolved", 10), SECRET).0, 200);
    expect![[r#"
        2 pagerduty resolved critical production web https://acme.pagerduty.com/incidents/PGR2, 1 times
        1 pagerduty open critical production web https://acme.pagerduty.com/incidents/PGR1, 2 times
    "#]].assert_eq(&incidents(&serving));
    // Begun again, which comes before its end.
    assert_eq!(tell(&serving, &told("PGR3", "PF9KMXH", "incident.triggered", 20), SECRET).0, 202);
    assert_eq!(tell(&serving, &told("PGR3", "PF9KMXH", "incident.reopened", 5), SECRET).0, 202);
    assert_eq!(tell(&serving, &told("PGR3", "PF9KMXH", "incident.resolved", 10), SECRET).0, 200);
    assert_eq!(serving.get("/api/v1/incidents/3").json()["state"], "open");
    let page = serving.get("/incidents/1").text;
    assert!(page.contains("checkout &lt;b&gt;answers"), "{page}");
    let said = std::fs::read_to_string(serving.place.path("said")).expect("a file of ours");
    assert!(!said.contains(SECRET), "{said}");
    serving.end();
}

#[test]
fn a_connection_is_made_shown_changed_and_taken_away() {
    let serving = serving();
    let run = |args: &[&str], input: &str| command(&serving, args, input);
    check(
        &run(&["status"], ""),
        &expect![[r#"
        error: this server is not connected to PagerDuty
        hint: launchway pagerduty connect --data DATA does that
        exit 2
    "#]],
    );
    check(
        &run(&["disconnect"], ""),
        &expect![[r#"
        error: this server is not connected to PagerDuty
        exit 2
    "#]],
    );
    check(
        &run(&["connect", "--service", "PF9KMXH"], SECRET),
        &expect![[r#"
        error: `PF9KMXH` is not ID=PROJECT/ENVIRONMENT[/SERVICE]
        hint: such as PF9KMXH=planner/production/web; of a repository whose jobs ship PF9KMXH=octo/app:production
        exit 2
    "#]],
    );
    check(
        &run(&["connect", "--service", "PF9KMXH=planner"], SECRET),
        &expect![[r#"
        error: `PF9KMXH=planner` is not ID=PROJECT/ENVIRONMENT[/SERVICE]
        hint: such as PF9KMXH=planner/production/web; of a repository whose jobs ship PF9KMXH=octo/app:production
        exit 2
    "#]],
    );
    let elsewhere = ["connect", "--service", "PF9KMXH=planner/staging"];
    check(
        &run(&elsewhere, SECRET),
        &expect![[r#"
        error: planner/staging is no place of the project planner
        hint: its launchway.yml names the environments and services
        exit 3
    "#]],
    );
    let twice =
        ["connect", "--service", "P1=planner/production", "--service", "P1=planner/production/web"];
    check(
        &run(&twice, SECRET),
        &expect![[r#"
        error: P1 is named twice: its incidents are of one place
        exit 2
    "#]],
    );
    let here = ["connect", "--service", "P1=planner/production/web"];
    check(
        &run(&here, ""),
        &expect![[r#"
        error: this is no secret of a webhook of PagerDuty's
        hint: PagerDuty shows it once, when the webhook is made; give it on standard input
        exit 2
    "#]],
    );
    check(
        &run(&here, "two words"),
        &expect![[r#"
        error: this is no secret of a webhook of PagerDuty's
        hint: PagerDuty shows it once, when the webhook is made; give it on standard input
        exit 2
    "#]],
    );
    check(
        &run(&[&here[..], &["--keep-secret"]].concat(), ""),
        &expect![[r#"
        error: there is no secret that could be kept
        hint: give it on standard input, without --keep-secret
        exit 2
    "#]],
    );
    check(
        &run(&["connect", "--service", "P1=planner/prod:eu", "--keep-secret"], ""),
        &expect![[r#"
        error: no repository planner/prod is connected to this server
        hint: planner/prod:eu is jobs of the repository planner/prod, environment eu; of a project write PROJECT/ENVIRONMENT, which has no `:`; else connect the repository first: launchway repositories add --data DATA
        exit 3
    "#]],
    );
    let connected = run(&here, SECRET);
    check(
        &Said { stderr: connected.stderr.replace(&serving.url, "URL"), ..connected },
        &expect![[r#"
        incidents of 1 of PagerDuty's services are incidents here
        its webhook (generic, V3) goes to URL/webhooks/pagerduty
        exit 0
    "#]],
    );
    let more = ["--service", "P2=another/live", "--keep-secret"];
    let connected = run(&[&here[..], &more].concat(), "");
    check(
        &Said { stderr: connected.stderr.replace(&serving.url, "URL"), ..connected },
        &expect![[r#"
        note: no repository of this server has the project another
        incidents of 2 of PagerDuty's services are incidents here
        its webhook (generic, V3) goes to URL/webhooks/pagerduty
        exit 0
    "#]],
    );
    check(
        &run(&["status"], ""),
        &expect![[r#"
        P1  planner/production/web  the project planner, environment production, service web
        P2  another/live  the project another, environment live
        exit 0
    "#]],
    );
    check(
        &run(&["status", "--format", "json"], ""),
        &expect![[r#"
        {"pagerduty":"P1","project":"planner","environment":"production","service":"web"}
        {"pagerduty":"P2","project":"another","environment":"live","service":null}
        exit 0
    "#]],
    );
    check(
        &run(&["disconnect"], ""),
        &expect![[r#"
        PagerDuty's webhooks are not taken any more; incidents that are here stay
        exit 0
    "#]],
    );
    assert_eq!(tell(&serving, &told("PGR1", "P1", "incident.triggered", 20), SECRET).0, 404);
    let audit = serving.get("/api/v1/audit?action=pagerduty").text;
    assert!(
        audit.contains("pagerduty.connect") && audit.contains("pagerduty.disconnect"),
        "{audit}"
    );
    assert!(!audit.contains(SECRET), "{audit}");
    serving.end();
}
