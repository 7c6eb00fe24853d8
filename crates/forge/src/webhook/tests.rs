//! What is proven, what is forged, what is stale.

use expect_test::{Expect, expect};

use super::*;

/// 2026-11-21T12:00:00Z
const NOW: Timestamp = Timestamp(1_795_262_400_000);

fn signed(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn check(event: &str, delivery: &str, body: &str, expect: Expect) {
    let signature = signed("s3cret", body);
    let heads = Heads { event, delivery, signature: &signature, content_type: "application/json" };
    let shown = match prove(&Secret::new("s3cret"), heads, body.as_bytes(), NOW) {
        Ok(it) => format!("{} {} known by its body: {}", it.event, it.id, it.digest.is_some()),
        Err(not) => not.to_string(),
    };
    expect.assert_eq(&shown);
}

#[test]
fn githubs_own_example_of_a_signature_is_proven() {
    // The known answer of GitHub's documentation of webhooks.
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let secret = Secret::new("It's a Secret to Everybody");
    assert!(is_signed(&secret, signature, b"Hello, World!"));
}

#[test]
fn what_is_forged_is_refused_before_it_is_read() {
    let body = "{}";
    let right = signed("s3cret", body);
    let upper = right.to_uppercase().replace("SHA256", "sha256");
    for (signature, is_taken) in [
        (right.as_str(), true),
        // Hexadecimal is hexadecimal.
        (&upper, true),
        ("", false),
        ("sha256=", false),
        ("sha1=0000000000000000000000000000000000000000", false),
        (&right[..right.len() - 2], false),
        (&format!("{right}00"), false),
        (&signed("other", body), false),
        (&signed("s3cret", "{} "), false),
        (&signed("", body), false),
        ("sha256=+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f+f", false),
        ("sha256=éééééééééééééééééééééééééééééééé", false),
    ] {
        let heads = Heads { event: "push", delivery: "1", signature, content_type: "" };
        let taken = prove(&Secret::new("s3cret"), heads, body.as_bytes(), NOW);
        assert_eq!(taken.is_ok(), is_taken, "{signature}");
        if !is_taken {
            assert_eq!(taken, Err(NotTaken::Unproven));
        }
    }
    let heads = Heads { event: "push", delivery: "1", signature: &right, content_type: "" };
    assert_eq!(prove(&Secret::new(""), heads, b"{}", NOW), Err(NotTaken::Unproven));
}

#[test]
fn what_is_old_or_to_come_is_refused() {
    let push = |at: u64| format!(r#"{{"repository":{{"pushed_at":{at}}}}}"#);
    let seconds = NOW.0 / 1000;
    check("push", "a", &push(seconds), expect!["push a known by its body: true"]);
    check("push", "a", &push(seconds - 3 * 86_400), expect!["push a known by its body: true"]);
    let old =
        "it is about something long ago: GitHub delivers nothing that is older than three days";
    let ahead = "it is about something in the future: GitHub delivers nothing that is older than three days";
    let is_old = |event: &str, body: &str, expect: &str| {
        let signature = signed("s3cret", body);
        let heads = Heads { event, delivery: "a", signature: &signature, content_type: "" };
        let not = prove(&Secret::new("s3cret"), heads, body.as_bytes(), NOW).unwrap_err();
        assert_eq!(not.to_string(), expect);
    };
    is_old("push", &push(seconds - 5 * 86_400), old);
    is_old("push", &push(seconds + 3_600), ahead);
    is_old("pull_request", r#"{"pull_request":{"updated_at":"2026-01-01T00:00:00Z"}}"#, old);
    is_old(
        "release",
        r#"{"release":{"updated_at":null,"published_at":"2026-01-01T00:00:00Z"}}"#,
        old,
    );
    // What a number of seconds can be made of overflows nothing.
    check(
        "push",
        "a",
        r#"{"repository":{"pushed_at":18446744073709551615}}"#,
        expect!["push a known by its body: true"],
    );
}

#[test]
fn headers_are_words_and_bodies_objects() {
    check(
        "push",
        "",
        "{}",
        expect!["the header X-GitHub-Delivery is missing, or nothing that GitHub sends"],
    );
    check(
        "push",
        "../x",
        "{}",
        expect!["the header X-GitHub-Delivery is missing, or nothing that GitHub sends"],
    );
    check(
        "pu sh",
        "1",
        "{}",
        expect!["the header X-GitHub-Event is missing, or nothing that GitHub sends"],
    );
    check(
        "push",
        "1",
        "[]",
        expect![
            "the body is not a JSON object: set the webhook's content type to application/json"
        ],
    );
    check(
        "push",
        "1",
        "payload=%7B%7D",
        expect![
            "the body is not a JSON object: set the webhook's content type to application/json"
        ],
    );
    // The same button twice is twice.
    check("workflow_dispatch", "1", "{}", expect!["workflow_dispatch 1 known by its body: false"]);
}
