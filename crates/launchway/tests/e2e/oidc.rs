//! Jobs get tokens that say who they are: with `id-token: write`, while they go on, and from the server
//! alone.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use serde_json::{Value as Json, json};

use crate::github::Connected;
use crate::harness::wait_until;
use crate::serving::Serving;

const TOKENS: &str = r#"
on: push
permissions: { contents: read }
jobs:
  with:
    runs-on: ubuntu-latest
    permissions: { id-token: write }
    steps:
      - run: |
          printf %s "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" > $MARKS/bearer
          echo "the word is $ACTIONS_ID_TOKEN_REQUEST_TOKEN"
          curl --silent --fail -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=sts.amazonaws.com" > $MARKS/answer
          touch $MARKS/asked
          while ! test -e $MARKS/go; do sleep 0.02; done
  without:
    runs-on: ubuntu-latest
    steps:
      - run: printf %s "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-none}" > $MARKS/without
  environment:
    runs-on: ubuntu-latest
    environment: staging
    permissions: { id-token: write }
    steps:
      - run: |
          curl --silent --fail -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
            "$ACTIONS_ID_TOKEN_REQUEST_URL" > $MARKS/staging
"#;

/// The claims of a token that a published key has signed.
fn proven(serving: &Serving, answer: &str) -> Json {
    let answer: Json = serde_json::from_str(answer).expect("JSON");
    let token = answer["value"].as_str().expect("a token");
    let document = serving.ask("GET", "/.well-known/openid-configuration", &[], "").json();
    assert_eq!(document["issuer"], serving.url.as_str());
    let place = document["jwks_uri"].as_str().and_then(|it| it.strip_prefix(&serving.url));
    let keys = serving.ask("GET", place.expect("it lies at the server"), &[], "").json();
    let (said, signature) = token.rsplit_once('.').expect("three parts");
    let (head, payload) = said.split_once('.').expect("three parts");
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("it is base64");
    let head: Json = serde_json::from_slice(&decoded(head)).expect("JSON");
    let keys = keys["keys"].as_array().expect("a list").clone();
    let key = keys.iter().find(|it| it["kid"] == head["kid"]).expect("it is published");
    let number = |name: &str| decoded(key[name].as_str().expect("a number"));
    let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, said.as_bytes(), &decoded(signature)).expect("proven");
    serde_json::from_slice(&decoded(payload)).expect("JSON")
}

/// A key that somebody has seen is none any more, at the server that goes on; the next token is of another.
fn withdrawn(serving: &Serving, answer: &str) {
    let keys = |serving: &Serving| {
        let keys = serving.ask("GET", "/.well-known/jwks", &[], "").json()["keys"].clone();
        let keys = keys.as_array().cloned().unwrap_or_default();
        keys.iter().map(|it| it["kid"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let before = keys(serving);
    let data = serving.place.path("data").display().to_string();
    let said = serving.place.run(&["issuer", "rotate", "--at-once", "--state", &data]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(
        said.stdout.starts_with(&format!("withdrawn: {};", before.join(", "))),
        "{}",
        said.stdout
    );
    assert!(said.stdout.contains("withdrawn: what running jobs ask with"), "{}", said.stdout);
    let after = keys(serving);
    assert!(after.len() == 1 && !before.contains(&after[0]), "{before:?} {after:?}");
    let file = |id: &String| serving.place.path(&format!("data/issuer/{id}.key")).exists();
    assert!(!before.iter().any(file) && file(&after[0]), "what is withdrawn is gone");
    let old: Json = serde_json::from_str(answer).expect("JSON");
    let head = old["value"].as_str().and_then(|it| it.split('.').next()).expect("a token");
    let head = URL_SAFE_NO_PAD.decode(head).expect("it is base64");
    let head: Json = serde_json::from_slice(&head).expect("JSON");
    assert_eq!(head["kid"], before[before.len() - 1].as_str());
}

// proves: conformance 111, 124, 211, 212, 213
#[test]
fn a_job_gets_tokens_while_it_goes_on_and_no_other_does() {
    let serving = Serving::of(TOKENS);
    let bare = serving.place.path("app.git").display().to_string();
    let agreed = serving.command(&[
        "repositories",
        "add",
        &bare,
        "--name",
        "octo/app",
        "--environment",
        "staging",
    ]);
    assert_eq!(agreed.exit, 0, "{}", agreed.stderr);
    assert_eq!(serving.push().exit, 0);
    wait_until("the job's token", || serving.place.path("marks/asked").exists());
    let mut claims = proven(&serving, &serving.mark("answer"));
    let commit = claims["sha"].clone();
    let given =
        format!("run/1/1 with for sts.amazonaws.com, jti {}", claims["jti"].as_str().unwrap());
    let trail = serving.get("/api/v1/audit?limit=200").text;
    assert!(trail.contains(&given), "{given}: {trail}");
    for (name, fixed) in
        [("jti", "…"), ("iss", "…"), ("sha", "…"), ("workflow_sha", "…"), ("job_workflow_sha", "…")]
    {
        claims[name] = fixed.into();
    }
    let seconds = claims["exp"].as_u64().expect("a time") - claims["iat"].as_u64().expect("a time");
    assert_eq!(seconds, 300);
    for name in ["exp", "iat", "nbf"] {
        claims[name] = 0.into();
    }
    expect![[r#"
        {
          "iss": "…",
          "aud": "sts.amazonaws.com",
          "sub": "repo:octo/app:ref:refs/heads/main",
          "jti": "…",
          "iat": 0,
          "nbf": 0,
          "exp": 0,
          "repository": "octo/app",
          "repository_owner": "octo",
          "actor": "mona",
          "event_name": "push",
          "run_id": "1",
          "runner_environment": "self-hosted",
          "sha": "…",
          "ref": "refs/heads/main",
          "head_ref": "",
          "base_ref": "",
          "workflow": ".github/workflows/ci.yml",
          "ref_type": "branch",
          "job_workflow_ref": "octo/app/.github/workflows/ci.yml@refs/heads/main",
          "workflow_ref": "octo/app/.github/workflows/ci.yml@refs/heads/main",
          "workflow_sha": "…",
          "run_number": "1",
          "run_attempt": "1",
          "job_workflow_sha": "…"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&claims).expect("JSON"));
    assert!(commit.as_str().is_some_and(|it| it.len() == 40));
    let ask = |bearer: &str, query: &str| {
        let header = format!("Bearer {bearer}");
        serving
            .ask("GET", &format!("/oidc/token?{query}"), &[("authorization", &header)], "")
            .status
    };
    let word = serving.mark("bearer");
    assert_eq!(ask(&word, "audience=a"), 200);
    assert_eq!(ask(&word, "audience=a%0Aforged"), 422);
    assert_eq!(ask(&word, &format!("audience={}", "a".repeat(300))), 422);
    assert_eq!(ask(&format!("{word}x"), ""), 403);
    assert_eq!(ask(&serving.token, ""), 403, "a person is no job");
    assert_eq!(serving.ask("GET", "/oidc/token", &[], "").status, 401);
    // The word opens nothing else.
    let header = format!("Bearer {word}");
    assert_eq!(serving.ask("GET", "/api/v1/runs", &[("authorization", &header)], "").status, 401);
    // It asks as often as it likes, and neither the server nor the audit trail has to bear it.
    let answers: Vec<u16> = (0..70).map(|_| ask(&word, "audience=a")).collect();
    let too_often = answers.iter().filter(|it| **it == 429).count();
    assert!(too_often >= 10 && answers[0] == 200, "{answers:?}");
    let trail = serving.get("/api/v1/audit?limit=200").text;
    assert_eq!(trail.matches("run/1/1 with for a, jti").count(), 1, "{trail}");
    serving.leave("go");
    let run = serving.ended("1");
    assert_eq!(run["conclusion"], "success", "{run}");
    let over = ask(&word, "audience=a");
    assert!([403, 429].contains(&over), "the job is over, or its minute is not: {over}");
    assert_eq!(serving.mark("without"), "none");
    let staging = proven(&serving, &serving.mark("staging"));
    assert_eq!(staging["sub"], "repo:octo/app:environment:staging");
    assert_eq!(staging["aud"], serving.url.as_str());
    let log = serving.get("/runs/1/jobs/with/log.txt").text;
    assert!(log.contains("the word is ***"), "{log}");
    assert!(!log.contains(&word));
    withdrawn(&serving, &serving.mark("answer"));
    serving.end();
}

/// One repository has one `sub`, whether GitHub told of it or the run was made here: a trust compares with one form.
#[test]
fn a_repository_of_githubs_has_one_form_whatever_set_off_its_run() {
    let workflow = r#"
on: [push, workflow_dispatch]
permissions: { id-token: write }
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: |
          curl --silent --fail -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=aws" > $MARKS/$GITHUB_RUN_ID
"#;
    let connected = Connected::of(&[("ci.yml", workflow)], true, &[]);
    let subject = |run: &str| {
        let answer = std::fs::read_to_string(connected.place.path("marks").join(run));
        let answer: Json = serde_json::from_str(&answer.expect("it asked")).expect("JSON");
        let payload = answer["value"].as_str().and_then(|it| it.split('.').nth(1));
        let payload = URL_SAFE_NO_PAD.decode(payload.expect("a token")).expect("it is base64");
        let claims: Json = serde_json::from_slice(&payload).expect("JSON");
        assert!(claims["repository_id"].is_string(), "{claims}");
        claims["sub"].as_str().expect("a subject").to_owned()
    };
    let both = |first: usize| {
        connected.place.write("note", &first.to_string());
        connected.place.commit();
        connected.push("main");
        connected.runs(first);
        let body = json!({ "workflow": "ci.yml" });
        let path = "/api/v1/repositories/octo/app/dispatches";
        assert_eq!(connected.ask(path, &body).0, 201);
        connected.runs(first + 1);
        [subject(&first.to_string()), subject(&(first + 1).to_string())]
    };
    let names = "repo:octo/app:ref:refs/heads/main";
    assert_eq!(both(1), [names, names]);
    let change = ["repositories", "add", "github:octo/app", "--subject", "numbers"];
    let said = connected.command(&change);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let [pushed, dispatched] = both(3);
    assert_eq!(pushed, dispatched);
    let form = regex::Regex::new(r"^repo:octo@\d+/app@\d+:ref:refs/heads/main$").expect("one");
    assert!(form.is_match(&pushed), "{pushed}");
    // What is not said anew stays.
    assert_eq!(connected.command(&change[..3]).exit, 0);
    assert_eq!(both(5), [pushed.as_str(), pushed.as_str()]);
    connected.end();
}
