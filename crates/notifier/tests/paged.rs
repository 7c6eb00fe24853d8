//! What PagerDuty tells back, as its webhooks of the third version have it.

use aws_lc_rs::hmac;
use event::Timestamp;
use expect_test::{Expect, expect};
use mask::Secret;
use notifier::{Paged, paged};
use serde_json::{Value as Json, json};

/// 2026-05-28T12:00:00Z
const NOW: Timestamp = Timestamp(1_779_969_600_000);

fn event(kind: &str, change: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut event = json!({
        "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": "2026-05-28T10:00:00.250Z",
        "agent": { "id": "PXPGF42", "summary": "mona", "type": "user_reference" },
        "data": {
            "id": "PGR0VU2",
            "type": "incident",
            "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
            "incident_key": "d3640fbd41094207a1c11e58e46b1662",
            "created_at": "2026-05-28T10:00:00Z",
            "title": "checkout answers 500",
            "service": { "id": "PF9KMXH", "summary": "Planner", "type": "service_reference" },
            "urgency": "high",
            "priority": null,
        },
    });
    change(&mut event);
    json!({ "event": event }).to_string().into_bytes()
}

fn signed(body: &[u8], secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    let hex: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("v1={hex}")
}

fn shown(told: &Paged) -> String {
    let Paged { id, service, turn, title, severity, link, by, began_at, at } = told;
    let (link, before) = (link.as_deref().unwrap_or("no link"), NOW.0 - at.0);
    format!(
        "{id} of {service} {turn:?} by {by}, {severity}: {title} ({link}) {} ms after it began, {before} ms ago",
        at.0 - began_at.0
    )
}

fn check_signed(body: &[u8], signature: &str, expected: &Expect) {
    let found = match paged(&Secret::new("sesame"), signature, body, NOW) {
        Ok(Some(told)) => shown(&told),
        Ok(None) => "nothing".to_owned(),
        Err(error) => format!("refused: {error}"),
    };
    expected.assert_eq(&found);
}

fn check(body: &[u8], expected: &Expect) {
    check_signed(body, &signed(body, "sesame"), expected);
}

#[test]
fn an_incident_begins_ends_and_begins_again() {
    check(
        &event("incident.triggered", |_| ()),
        &expect![
            "PGR0VU2 of PF9KMXH Began by mona, major: checkout answers 500 (https://acme.pagerduty.com/incidents/PGR0VU2) 250 ms after it began, 7199750 ms ago"
        ],
    );
    let ended = event("incident.resolved", |it| {
        it["occurred_at"] = "2026-05-28T11:00:00Z".into();
        it["agent"] = Json::Null;
        it["data"]["urgency"] = "low".into();
    });
    check(
        &ended,
        &expect![
            "PGR0VU2 of PF9KMXH Ended by pagerduty, minor: checkout answers 500 (https://acme.pagerduty.com/incidents/PGR0VU2) 3600000 ms after it began, 3600000 ms ago"
        ],
    );
    let again =
        event("incident.reopened", |it| it["data"]["priority"] = json!({ "summary": "P1" }));
    check(
        &again,
        &expect![
            "PGR0VU2 of PF9KMXH BeganAgain by mona, critical: checkout answers 500 (https://acme.pagerduty.com/incidents/PGR0VU2) 250 ms after it began, 7199750 ms ago"
        ],
    );
    // An address that is none, and a beginning behind what is told.
    let odd = event("incident.triggered", |it| {
        it["data"]["html_url"] = "javascript:alert(1)".into();
        it["data"]["created_at"] = "2026-05-28T10:30:00Z".into();
    });
    check(
        &odd,
        &expect![
            "PGR0VU2 of PF9KMXH Began by mona, major: checkout answers 500 (no link) 0 ms after it began, 7199750 ms ago"
        ],
    );
}

#[test]
fn what_begins_and_ends_nothing_is_passed_over() {
    check(&event("incident.acknowledged", |_| ()), &expect!["nothing"]);
    check(
        &event("pagey.ping", |it| it["data"] = json!({ "message": "Hello" })),
        &expect!["nothing"],
    );
    // What our own message opened there is a run's or a deployment's, which is known here.
    let ours = event("incident.triggered", |it| {
        it["data"]["incident_key"] = "launchway-sha2569f86d081".into();
    });
    check(&ours, &expect!["nothing"]);
}

#[test]
fn what_is_forged_old_or_something_else_is_refused() {
    let body = event("incident.triggered", |_| ());
    let right = signed(&body, "sesame");
    check_signed(
        &body,
        "",
        &expect!["refused: the signature is not that of this body with the secret of this server"],
    );
    check_signed(
        &body,
        &signed(&body, "another"),
        &expect!["refused: the signature is not that of this body with the secret of this server"],
    );
    check_signed(
        &body,
        &right.replace("v1=", "v0="),
        &expect!["refused: the signature is not that of this body with the secret of this server"],
    );
    check_signed(
        &body,
        &right[..40],
        &expect!["refused: the signature is not that of this body with the secret of this server"],
    );
    // While a secret is replaced, PagerDuty shows one of each.
    check_signed(
        &body,
        &format!("{},{right}", signed(&body, "another")),
        &expect![
            "PGR0VU2 of PF9KMXH Began by mona, major: checkout answers 500 (https://acme.pagerduty.com/incidents/PGR0VU2) 250 ms after it began, 7199750 ms ago"
        ],
    );
    let many = format!("{}{right}", "v1=00,".repeat(8));
    check_signed(
        &body,
        &many,
        &expect!["refused: the signature is not that of this body with the secret of this server"],
    );
    let empty = paged(&Secret::new(""), &signed(&body, ""), &body, NOW);
    assert!(empty.is_err(), "an empty secret proves nothing");

    check(b"[]", &expect!["refused: this is nothing that PagerDuty sends to a V3 webhook"]);
    check(b"not json", &expect!["refused: this is nothing that PagerDuty sends to a V3 webhook"]);
    check(
        &event("incident.triggered", |it| it["data"]["id"] = "a b".into()),
        &expect!["refused: this is nothing that PagerDuty sends to a V3 webhook"],
    );
    check(
        &event("incident.triggered", |it| it["data"]["service"] = Json::Null),
        &expect!["refused: this is nothing that PagerDuty sends to a V3 webhook"],
    );
    check(
        &event("incident.triggered", |it| it["occurred_at"] = "yesterday".into()),
        &expect!["refused: this is nothing that PagerDuty sends to a V3 webhook"],
    );
    let old = event("incident.resolved", |it| it["occurred_at"] = "2026-05-24T11:00:00Z".into());
    check(&old, &expect!["refused: it is about something long ago, by the clock of this server"]);
    let ahead = event("incident.resolved", |it| it["occurred_at"] = "2026-05-28T13:00:00Z".into());
    check(
        &ahead,
        &expect!["refused: it is about something in the future, by the clock of this server"],
    );
}
