//! Who does not get in, and what cannot be served.

use expect_test::{Expect, expect};

use super::HELLO;
use crate::serving::{Got, Serving};

fn refused(got: &Got, status: u16, expect: Expect) {
    assert_eq!(got.status, status, "{}", got.text);
    let detail = got.json()["detail"].as_str().unwrap_or_default().to_owned();
    expect.assert_eq(&detail);
}

#[test]
fn nobody_gets_in_who_may_not() {
    let serving = Serving::of(HELLO);
    let nobody = |path: &str| serving.ask("GET", path, &[], "");
    refused(
        &nobody("/api/v1/runs"),
        401,
        expect!["This needs a token: Authorization: Bearer TOKEN."],
    );
    refused(&nobody("/metrics"), 401, expect!["This needs a token: Authorization: Bearer TOKEN."]);
    let page = nobody("/runs?before=1.1");
    assert_eq!(
        (page.status, &page.headers["location"]),
        (303, &"/sign-in?next=%2Fruns%3Fbefore%3D1.1".parse().unwrap())
    );
    assert_eq!(nobody("/healthz").status, 200);
    let evil = serving.ask("GET", "/healthz", &[("host", "evil.example")], "");
    assert_eq!(evil.status, 200, "whoever only looks whether it lives may call it what they like");
    let evil = serving.ask("GET", "/sign-in", &[("host", "evil.example")], "");
    assert_eq!(evil.status, 421);
    // A page of somebody else sends the browser's cookie along, and is refused all the same.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("token={}&next=//evil.example", serving.token);
    let from = |origin: &str| {
        serving.ask("POST", "/sign-in", &[&form[..], &[("origin", origin)]].concat(), &body)
    };
    assert_eq!(from("https://evil.example").status, 403);
    assert_eq!(serving.ask("POST", "/sign-in", &form, &body).status, 403);
    let signed_in = from(&serving.url);
    assert_eq!(
        (signed_in.status, &signed_in.headers["location"]),
        (303, &"/runs".parse().unwrap())
    );
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    let runs = serving.ask("GET", "/runs", &[("cookie", session)], "");
    assert_eq!(runs.status, 200);
    for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
        assert_eq!(runs.headers[name], value);
    }
    assert!(
        runs.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none';")
    );
    let cancel = |origin: &str| {
        serving.ask("POST", "/runs/1/cancel", &[("cookie", session), ("origin", origin)], "")
    };
    assert_eq!(cancel("https://evil.example").status, 403);
    assert_eq!(cancel(&serving.url).status, 404);
    let large = "x".repeat(100_000);
    assert_eq!(serving.post("/api/v1/runs/1/rerun", &[], &large).status, 413);
    // Who may look may not do, and who is revoked may nothing, session or not.
    let made = serving.command(&["tokens", "create", "looks on"]);
    let looks_on = format!("Bearer {}", made.stdout.trim());
    let tried = serving.ask("POST", "/api/v1/runs/1/cancel", &[("authorization", &looks_on)], "");
    refused(&tried, 403, expect!["This token may read; this needs one that may operate."]);
    let tokens = serving.command(&["tokens", "list", "--format", "json"]).lines();
    assert_eq!(tokens.len(), 2);
    let id = tokens[0]["id"].as_str().unwrap();
    assert_eq!(serving.command(&["tokens", "revoke", id]).exit, 0);
    assert_eq!(serving.get("/api/v1/runs").status, 401);
    assert_eq!(serving.ask("GET", "/runs", &[("cookie", session)], "").status, 303);
    let all = std::fs::read_to_string(serving.place.path("said")).unwrap();
    assert_eq!(
        all.matches("launchway_").count(),
        1,
        "tokens stand in no log but when they are made"
    );
    serving.end();
}

#[test]
fn what_cannot_be_served_is_said() {
    let serving = Serving::of(HELLO);
    let check = |args: &[&str], exit: i32, expect: Expect| {
        let said = serving.command(args);
        assert_eq!(said.exit, exit, "{}", said.stderr);
        let place = serving.place.path("").display().to_string();
        let told = said.stderr.replace(env!("CARGO_BIN_EXE_launchway"), "LAUNCHWAY");
        expect.assert_eq(&told.replace(&place, "PLACE/"));
    };
    check(
        &["serve", "--listen", "127.0.0.1:0"],
        4,
        expect![[r#"
        error: a server runs on PLACE/data already
        hint: end that one, or give this one a folder of its own: --data DIR
    "#]],
    );
    check(
        &["serve", "--listen", "0.0.0.0:7878"],
        4,
        expect![[r#"
        error: 0.0.0.0:7878 can be reached from outside, and nothing encrypts what goes over it
        hint: put something in front that speaks TLS, and say how it is reached: --url https://ci.example.com
        hint: in a network that you trust wholly: --unencrypted
    "#]],
    );
    check(
        &["serve", "--url", "ci.example.com"],
        2,
        expect![[r#"
        error: --url takes an address without a path, not `ci.example.com`
        hint: such as https://ci.example.com
    "#]],
    );
    let work = serving.place.repository().display().to_string();
    check(
        &["repositories", "add", &work],
        2,
        expect![[r#"
        error: PLACE/repository is no bare repository
        hint: make one: git clone --bare WORKTREE /srv/git/NAME.git, and push to that from then on
    "#]],
    );
    check(
        &["repositories", "add", "/nowhere"],
        2,
        expect![[r#"
        error: there is no folder /nowhere
    "#]],
    );
    check(
        &["repositories", "remove", "octo/other"],
        2,
        expect![[r#"
        error: octo/other is not connected
        hint: launchway repositories list --data PLACE/data shows what is
    "#]],
    );
    check(
        &["tokens", "revoke", "x"],
        2,
        expect![[r#"
        error: there is no token x
        hint: launchway tokens list --data PLACE/data shows them
    "#]],
    );
    let bare = serving.place.path("other.git").display().to_string();
    serving.place.git(&["init", "--quiet", "--bare", &bare]);
    check(
        &["repositories", "add", &bare, "--name", "octo/app"],
        2,
        expect![[r#"
        error: octo/app is PLACE/app.git already
        hint: give this one a name of its own: --name OWNER/NAME
    "#]],
    );
    serving.place.write("../other.git/hooks/post-receive", "#!/bin/sh\n");
    check(
        &["repositories", "add", &bare, "--name", "octo/other"],
        2,
        expect![[r#"
            error: there is a hook of somebody else: PLACE/other.git/hooks/post-receive
            hint: move it away, or let it end with: exec 'LAUNCHWAY' hook post-receive --data 'PLACE/data' --repository 'PLACE/other.git'; nothing was changed
        "#]],
    );
    check(
        &["repositories", "remove", "octo/app"],
        0,
        expect![[r#"
        octo/app is run no more; its runs stay
    "#]],
    );
    assert!(!serving.place.path("app.git/hooks/post-receive").exists());
    serving.end();
}
