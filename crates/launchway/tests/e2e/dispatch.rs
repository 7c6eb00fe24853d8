//! Running a workflow by hand on a server: the page, the API and the command say the same, who did it
//! stands on the run, and what is wrong with what was given is said before anything is made.

use expect_test::expect;

use crate::harness::Said;
use crate::serving::Serving;

const DEPLOY: &str = r#"
name: Ship it
on:
  push: { branches: [never] }
  workflow_dispatch:
    inputs:
      version: { required: true, description: Which version }
      dry: { type: boolean, default: true }
      count: { type: number, default: 3 }
      where: { type: choice, options: [staging, production] }
      place: { type: environment }
jobs:
  ship:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ inputs.version }} ${{ inputs.dry }} ${{ inputs.count }} ${{ inputs.where }} by ${{ github.actor }} at ${{ github.ref }}"
"#;

fn form(fields: &[(&str, &str)]) -> String {
    let coded = |text: &str| text.replace('/', "%2F").replace(' ', "%20").replace('.', "%2E");
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", coded(name), coded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[test]
fn a_workflow_is_run_by_hand() {
    let serving = Serving::of(DEPLOY);
    let before = serving.get("/api/v1/repositories/octo/app/workflows").json();
    assert_eq!(before["workflows"], serde_json::json!([]), "nothing was pushed yet");
    serving.push();
    let offer = serving.get("/api/v1/repositories/octo/app/workflows").json();
    assert_eq!(offer["refs"], serde_json::json!(["refs/heads/main"]));
    let inputs = offer["workflows"][0]["inputs"].as_array().unwrap();
    let inputs = inputs
        .iter()
        .map(|it| format!("{} {} {} {}\n", it["name"], it["type"], it["default"], it["options"]));
    expect![[r#"
        "version" "string" null []
        "dry" "boolean" "true" []
        "count" "number" "3" []
        "where" "choice" "staging" ["staging","production"]
        "place" "environment" null []
    "#]]
    .assert_eq(&inputs.collect::<String>());

    // By the API, once for a key.
    let key = [("idempotency-key", "one")];
    let wanted = r#"{"workflow":"ci.yml","inputs":{"version":"1.2","count":5}}"#;
    let path = "/api/v1/repositories/octo/app/dispatches";
    let made = serving.post(path, &key, wanted);
    assert_eq!((made.status, made.json()["run"].clone()), (201, 1.into()), "{}", made.text);
    assert_eq!(serving.post(path, &key, wanted).json()["run"], 1);
    let other = serving.post(path, &key, r#"{"workflow":"ci.yml","inputs":{"version":"1.3"}}"#);
    let detail = "that Idempotency-Key made another run: each one has its own";
    assert_eq!((other.status, &other.json()["detail"]), (409, &detail.into()));
    let run = serving.ended("1");
    assert_eq!(
        (&run["conclusion"], &run["actor"]),
        (&"success".into(), &"machine:first-start".into())
    );
    let log = serving.get("/api/v1/runs/1/jobs/ship/log").text;
    assert!(log.contains("1.2 true 5 staging by machine:first-start at refs/heads/main"), "{log}");

    // What does not fit makes no run, and has no number.
    let check = |body: &str, status: u16, said: &str| {
        let got = serving.post(path, &[], body);
        assert_eq!((got.status, got.json()["detail"].as_str().unwrap()), (status, said));
    };
    check(r#"{"workflow":"ci.yml"}"#, 422, ".github/workflows/ci.yml needs the input version");
    check(
        r#"{"workflow":"ci.yml","inputs":{"version":"1","where":"moon"}}"#,
        422,
        "input where is one of staging, production, not `moon`",
    );
    check(r#"{"workflow":"other.yml"}"#, 409, "main has no workflow other.yml");
    check(r#"{"workflow":"ci.yml","ref":"nowhere"}"#, 409, "there is no branch or tag nowhere");
    let other = serving.post("/api/v1/repositories/octo/other/dispatches", &[], wanted);
    assert_eq!(other.status, 409, "{}", other.text);
    assert_eq!(serving.post(path, &[], "[]").status, 400);

    // Who may only look makes none.
    let made = serving.command(&["tokens", "create", "looks on"]);
    let looks_on = format!("Bearer {}", made.stdout.trim());
    let tried = serving.ask("POST", path, &[("authorization", &looks_on)], wanted);
    assert_eq!(tried.status, 403);

    // By the page, which keeps what was typed where something of it is wrong.
    let page = serving.get("/dispatch").text;
    for part in [
        "<bdi>Ship it</bdi></h2>",
        "Which version",
        "<option value=\"staging\" selected>",
        "checked> <bdi>dry</bdi>",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let fields = [
        ("repository", "octo/app"),
        ("ref", "refs/heads/main"),
        ("workflow", ".github/workflows/ci.yml"),
        ("input.version", "2 0"),
        ("input.dry", "false"),
        ("input.count", "many"),
    ];
    let refused = serving.post("/dispatch", &kind, &form(&fields));
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("input count is a number, not `many`"), "{}", refused.text);
    assert!(refused.text.contains("value=\"2 0\""), "{}", refused.text);
    let made = serving.post("/dispatch", &kind, &form(&fields[..5]));
    assert_eq!((made.status, &made.headers["location"]), (303, &"/runs/2.1".parse().unwrap()));
    serving.ended("2");
    let log = serving.get("/api/v1/runs/2/jobs/ship/log").text;
    assert!(log.contains("2 0 false 3 staging"), "{log}");

    // By the command, which follows it to its end.
    let by_command = |more: &[&str]| {
        let args = ["run", "workflow_dispatch", "-W", "ci.yml", "--server", &serving.url];
        let mut command = serving.place.launchway(&[&args, more].concat());
        Said::from(command.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it starts"))
    };
    let said = by_command(&["--input", "version=3"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(said.stdout.contains("logs: launchway runs logs 3 --server"), "{}", said.stdout);
    let said = by_command(&["--input", "version=3", "--format", "json"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(said.stdout.contains(r#""type":"run_completed""#), "{}", said.stdout);
    let said = by_command(&[]);
    assert_eq!(said.exit, 3, "{}", said.stderr);
    let said = by_command(&["-C", "octo/other"]);
    assert_eq!(said.exit, 2, "{}", said.stderr);
    serving.end();
}
