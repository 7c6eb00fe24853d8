//! People are told: of a server's runs, of deployments, over outages of the receiver and kills of ours.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use expect_test::expect;
use serde_json::Value as Json;

use crate::deploy::Project;
use crate::harness::{Place, wait_until};
use crate::serving::Serving;

/// A receiver on this machine: takes JSON, answers 503 while it is said to be down.
pub(crate) struct Hook {
    url: String,
    came: Arc<Mutex<Vec<Json>>>,
    is_down: Arc<Mutex<bool>>,
}

impl Hook {
    pub(crate) fn begin() -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hook = Hook { url, came: Arc::default(), is_down: Arc::default() };
        let (came, is_down) = (Arc::clone(&hook.came), Arc::clone(&hook.is_down));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a caller");
                let mut reader = BufReader::new(&stream);
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("a line");
                    let lower = line.to_ascii_lowercase();
                    if let Some(text) = lower.strip_prefix("content-length:") {
                        length = text.trim().parse().expect("a number");
                    }
                    if lower.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                let is_down = *is_down.lock().expect("nobody panics");
                let mut came = came.lock().expect("nobody panics");
                if !is_down {
                    came.push(serde_json::from_slice(&body).expect("JSON"));
                }
                let answer = if is_down { "503 Down" } else { "204 Taken" };
                let _ = (&stream).write_all(
                    format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                        .as_bytes(),
                );
            }
        });
        hook
    }

    fn down(&self, is_down: bool) {
        *self.is_down.lock().expect("nobody panics") = is_down;
    }

    pub(crate) fn titles(&self) -> Vec<String> {
        let came = self.came.lock().expect("nobody panics");
        came.iter().map(|it| it["title"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// `notify:` with this receiver.
    pub(crate) fn rule(&self, rest: &str) -> String {
        format!(
            "private_receivers: 127.0.0.1\nnotify: [{{ name: hook, webhook: '{}', {rest} }}]\n",
            self.url
        )
    }
}

const SETTINGS: &str = "
version: 1
project: planner
services: { api: { run: [sh], bundle: { path: app } } }
environments: { dev: { targets: { host: 127.0.0.1:8080 } } }
";

const FAILS: &str = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: exit 3
";

/// What the server owes or owed, as `notify list` says.
fn listed(serving: &Serving) -> Vec<Json> {
    let data = serving.place.path("data").display().to_string();
    let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
    let output = command.args(["notify", "list", "--format", "json", "--state", &data]).output();
    let output = output.expect("it starts").stdout;
    let text = String::from_utf8(output).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_failed_run_is_told_once_over_an_outage_and_a_kill() {
    let hook = Hook::begin();
    let mut serving = Serving::of(FAILS);
    let rule = hook.rule("on: [run_failed, run_succeeded], branches: main");
    serving.place.write("launchway.yml", &format!("{SETTINGS}{rule}"));
    serving.place.commit();
    hook.down(true);
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    wait_until("a try", || {
        let note = |it: &Json| it["note"].as_str().unwrap_or_default().contains("answered 503");
        listed(&serving).iter().any(note)
    });
    let page = serving.get("/messages?only=undelivered").text;
    assert!(page.contains("octo/app: ci.yml failed on main"), "{page}");
    assert!(serving.get("/metrics").text.contains("\nlaunchway_messages_owed 1\n"));
    serving.kill();
    hook.down(false);
    serving.restart();
    wait_until("its delivery", || listed(&serving)[0]["state"] == "delivered");
    assert_eq!(hook.titles(), ["octo/app: ci.yml failed on main"]);
    let link = hook.came.lock().expect("nobody panics")[0]["link"].clone();
    assert!(link.as_str().expect("a link").ends_with("/runs/1.1"), "{link}");
    serving.end();
}

/// Its tests fail, and say so; a scan finds what is in `found`.
const TESTS_FAIL: &str = "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          mkdir out
          echo '<testsuite name=\"unit\"><testcase name=\"adds\"><failure/></testcase></testsuite>' > out/junit.xml
          echo '{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"Trivy\"}},\"results\":['$(cat found)']}]}' > out/trivy.sarif
      - { uses: actions/upload-artifact@v4, with: { name: out, path: out } }
      - run: exit 3
";

#[test]
fn tests_that_fail_repeatedly_and_what_a_scan_finds_are_told_once_over_a_kill() {
    let hook = Hook::begin();
    let mut serving = Serving::of(TESTS_FAIL);
    let rule = hook.rule("on: [run_failed, tests_failing, vulnerability_found]");
    serving.place.write("launchway.yml", &format!("{SETTINGS}{rule}"));
    let push = |serving: &Serving, number: u32, found: &str| {
        serving.place.write("found", found);
        serving.place.write("number", &number.to_string());
        serving.place.commit();
        assert_eq!(serving.push().exit, 0);
        serving.ended(&number.to_string());
    };
    let told = |serving: &Serving, count: usize| {
        wait_until("it is owed", || listed(serving).len() == count);
    };
    push(&serving, 1, r#"{"ruleId":"CVE-1"}"#);
    told(&serving, 2);
    push(&serving, 2, r#"{"ruleId":"CVE-1"}"#);
    hook.down(true);
    push(&serving, 3, r#"{"ruleId":"CVE-1"},{"ruleId":"CVE-2"}"#);
    told(&serving, 6);
    serving.kill();
    hook.down(false);
    serving.restart();
    // One more of the same series.
    push(&serving, 4, r#"{"ruleId":"CVE-2"}"#);
    told(&serving, 7);
    let all = |it: &Json| it["state"] == "delivered";
    wait_until("all deliveries", || listed(&serving).iter().all(all));
    let mut titles = hook.titles();
    assert_eq!(titles.extract_if(.., |it| it.contains("ci.yml failed on")).count(), 4);
    expect![[r#"
        octo/app: the first scan of ci.yml found 1 on main
        octo/app: tests of ci.yml failed 3 times in a row on main
        octo/app: a scan of ci.yml found 1 more on main"#]]
    .assert_eq(&titles.join("\n"));
    let came = hook.came.lock().expect("nobody panics");
    let failing = came.iter().find(|it| it["occasion"] == "tests_failing").expect("it came");
    expect![[r#"
        [
          "since: run 1.1",
          "each time: unit › adds"
        ]"#]]
    .assert_eq(
        &serde_json::to_string_pretty(&failing["facts"].as_array().expect("facts")[1..])
            .expect("JSON"),
    );
    drop(came);
    serving.end();
}

#[test]
fn a_deployment_is_told_by_whoever_drives_it() {
    let hook = Hook::begin();
    let rule = hook.rule("on: [requested, started, succeeded, rolled_back], environments: staging");
    let project = Project::new(&rule);
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    project.version("1.1-broken");
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 6);
    expect![[r#"
        planner staging: release 1 is coming
        planner staging: release 1 began
        planner staging: release 1 succeeded
        planner staging: release 2 is coming
        planner staging: release 2 began
        planner staging: release 2 was rolled back"#]]
    .assert_eq(&hook.titles().join("\n"));
    hook.down(true);
    project.version("1.2");
    assert_eq!(
        project.run(&["deploy", "staging", "--yes"]).exit,
        0,
        "a receiver that is down stops nobody"
    );
    hook.down(false);
    let said = project.run(&["notify", "list", "--undelivered"]);
    assert!(said.stdout.contains("is coming"), "{}", said.stdout);
    let number = said.stdout.lines().filter_map(|it| it.split_whitespace().next()?.parse().ok());
    let first: u64 = number.min().expect("a number");
    assert_eq!(project.run(&["notify", "retry", &first.to_string()]).exit, 0);
    project.run(&["notify", "send"]);
    assert!(hook.titles().contains(&"planner staging: release 3 is coming".to_owned()));
}

#[test]
fn a_rule_is_tested_and_what_is_wrong_is_said() {
    let hook = Hook::begin();
    let rules = format!(
        "private_receivers: 127.0.0.1\nnotify: [{{ name: hook, webhook: '{}' }}, {{ slack: 'local:NONE' }}]\n",
        hook.url
    );
    let place = Place::with(&[("launchway.yml", &format!("{SETTINGS}{rules}"))]);
    let check = |args: &[&str], expected: expect_test::Expect| {
        let said = place.run(&[&["notify", "test"], args].concat());
        expected.assert_eq(&format!("{}{}exit {}", said.stdout, said.stderr, said.exit));
    };
    check(
        &["hook"],
        expect![[r#"
        hook: it arrived
        exit 0"#]],
    );
    assert_eq!(hook.titles(), ["planner: a test of the rule hook"]);
    check(
        &["hok"],
        expect![[r#"
        error: there is no rule hok
        hint: the rules are: hook, slack-2
        exit 2"#]],
    );
    check(
        &["slack-2"],
        expect![[r#"
        error: the secret NONE is not kept here: launchway secrets set NONE
        exit 5"#]],
    );
    let inside = rules.replace("private_receivers: 127.0.0.1\n", "").replace("http:", "https:");
    place.write("launchway.yml", &format!("{SETTINGS}{inside}"));
    check(
        &["hook"],
        expect![[r#"
        error: 127.0.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`
        exit 5"#]],
    );
}
