//! What people are told, at the door: events in a journal on disk, receivers that listen.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use event::{
    Attempt, DeploymentEvent, DeploymentId, Fact as _, RunEvent, RunId, Seq, StreamId, Timestamp,
};
use expect_test::{Expect, expect};
use mask::Secret;
use notifier::{About, Channel, Guard, Message, Notifier, Occasion, Rule, Rulebook};
use outbox::{Clock, Courier, Fault, Trouble};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::{Store, WantedDeliveries};
use views::{Failing, Found, News};

/// Sixty-four digits of nothing.
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A request that came.
#[derive(Clone, Debug)]
struct Came {
    headers: String,
    body: Json,
}

/// Listens, and answers with what it was told to, else with 200.
struct Listening {
    url: String,
    came: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Mutex<Vec<String>>>,
}

impl Listening {
    fn begin() -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (came, answers) =
            (Arc::<Mutex<Vec<Came>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (into, said) = (Arc::clone(&came), Arc::clone(&answers));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a caller");
                let mut reader = BufReader::new(&stream);
                let (mut headers, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("a line");
                    if line.trim().is_empty() {
                        break;
                    }
                    let lower = line.to_ascii_lowercase();
                    if let Some(text) = lower.strip_prefix("content-length:") {
                        length = text.trim().parse().expect("a number");
                    }
                    headers.push_str(&lower);
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("a body");
                let body = serde_json::from_slice(&body).expect("JSON");
                let mut all = into.lock().expect("nobody panics");
                all.push(Came { headers, body });
                drop(all);
                let answer = said.lock().expect("nobody panics").pop();
                let answer = answer.unwrap_or_else(|| "200 OK\r\n".to_owned());
                let _ = (&stream).write_all(
                    format!("HTTP/1.1 {answer}content-length: 0\r\nconnection: close\r\n\r\n")
                        .as_bytes(),
                );
            }
        });
        Listening { url, came, answers }
    }

    fn came(&self) -> Vec<Came> {
        std::mem::take(&mut self.came.lock().expect("nobody panics"))
    }
}

/// Rules that a test chose, where secrets lead, and how often the rules were asked for.
struct Book(Vec<Rule>, String, Arc<AtomicU64>);

impl Rulebook for Book {
    fn consumer(&self) -> &str {
        "messages"
    }

    fn minds(&self, _: StreamId, _: Option<&str>) -> bool {
        true
    }

    fn rules(&self, _: &About) -> Result<Vec<Rule>, Trouble> {
        self.2.fetch_add(1, Ordering::Relaxed);
        Ok(self.0.clone())
    }

    fn secret(&self, _: &About, reference: &str) -> Result<Secret, String> {
        match reference {
            "local:URL" => Ok(Secret::new(format!("{}/services/T0/sesame", self.1))),
            "local:KEY" => Ok(Secret::new("sesame")),
            other => Err(format!("{other} is not kept here")),
        }
    }

    fn fits(&self, pattern: &str, branch: &str) -> bool {
        pattern == branch
    }

    /// With run 3 the tests fail repeatedly, and with run 4; both are of one series.
    fn news(&self, stream: StreamId, _: u64) -> Result<News, Trouble> {
        let failing = Failing {
            times: 3,
            commits: 2,
            since: (RunId(1), Attempt(1)),
            has_reports: true,
            tests: vec!["unit \u{203a} adds\nup".to_owned(), "unit \u{203a} divides".to_owned()],
            tests_count: 7,
        };
        let found = Found {
            tools: vec!["Trivy".to_owned()],
            all: vec![("critical".to_owned(), 2), ("note".to_owned(), 1)],
            new: vec![("critical".to_owned(), 1)],
            named: vec!["CVE-1 in go.mod (critical)".to_owned()],
            before: vec![(RunId(2), Attempt(1))],
            is_cut: true,
        };
        match stream.as_run() {
            Some((RunId(3), _)) => Ok(News { failing: Some(failing), found: Some(found) }),
            Some((RunId(4), _)) => Ok(News { failing: Some(failing), found: None }),
            _ => Ok(News::default()),
        }
    }

    fn link(&self, path: &str) -> Option<String> {
        Some(format!("https://ci.example.com{path}"))
    }
}

fn rule(name: &str, channel: Channel, on: &[Occasion]) -> Rule {
    Rule {
        name: name.to_owned(),
        channel,
        on: on.to_vec(),
        environments: Vec::new(),
        branches: Vec::new(),
    }
}

fn slack() -> Channel {
    Channel::Slack { address: "local:URL".to_owned() }
}

/// A journal, rules, and whoever tells by them.
struct World {
    store: Arc<Store>,
    courier: Courier,
    now: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(rules: Vec<Rule>, url: &str, allowed: &[&str]) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(folder.path()).expect("a store"));
        let guard = Guard::allowing(allowed.iter().map(|it| (*it).to_owned()));
        let asked = Arc::new(AtomicU64::new(0));
        let book = Book(rules, url.to_owned(), Arc::clone(&asked));
        let notifier = Notifier::new(Arc::clone(&store), book, guard);
        let now = Arc::new(AtomicU64::new(1_000));
        let told = Arc::clone(&now);
        let clock: Clock = Arc::new(move || Timestamp(told.load(Ordering::Relaxed)));
        let courier = Courier::new(Arc::clone(&store), Arc::new(notifier), clock, |_| {});
        courier.begin().expect("it begins");
        World { store, courier, now, asked, _folder: folder }
    }

    fn run(&self, number: u64, conclusion: &str, branch: &str) {
        self.append_run(number, &run_events(number, conclusion, branch));
    }

    fn append_run(&self, number: u64, events: &[Json]) {
        let decode =
            |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("an event of ours");
        let events: Vec<RunEvent> = events.iter().map(decode).collect();
        let stream = StreamId::Run(RunId(number), Attempt(1));
        self.store.append(stream, Seq(0), Timestamp(1), &events).expect("it is appended");
    }

    /// A run of the default branch, with a job for each environment, which each wait at a gate.
    fn deploys(&self, number: u64, jobs: &[(&str, &str)]) {
        let mut events = run_events(number, "success", "main");
        let mut completed = events.pop().expect("its end");
        let mut conclusion = "success";
        for (environment, _) in jobs {
            events.push(json!({
                "type": "JobPlanned", "key": environment, "id": environment, "name": environment,
                "parent": null, "file": null, "needs": [], "matrix": null, "index": 0, "total": 1,
                "fail_fast": true, "max_parallel": null, "queued_at": 10, "environment": environment,
            }));
        }
        for (environment, end) in jobs {
            let gate = json!({
                "environment": environment,
                "rules": { "source": "origin", "branch": "main", "commit": "01", "digest": DIGEST },
                "demands": [{ "kind": "approval", "group": "leads", "count": 1, "members": ["lena", "ada"] }],
                "asked_by": [], "what": DIGEST,
            });
            events.push(json!({ "type": "JobGated", "job": environment, "gate": gate, "at": 100 }));
            events.push(json!({
                "type": "JobCompleted", "job": environment, "fence": null, "conclusion": end,
                "exit": "user_failure", "outputs": {}, "log": null, "environment_url": null, "at": 61_000,
            }));
            conclusion = if *end == "failure" { "failure" } else { conclusion };
        }
        completed["conclusion"] = conclusion.into();
        events.push(completed);
        self.append_run(number, &events);
    }

    fn deployment(&self, id: u64, verdict: &str) {
        let release = json!({ "version": "1.4.0", "digest": "sha256:ab" });
        let events = [
            json!({
                "type": "DeploymentRequested", "project": "planner", "environment": "production",
                "kind": "release", "by": { "name": "mona", "proof": "local" }, "reason": "release day",
                "services": [{ "service": "api", "release": release, "last_good": null,
                    "target": "host", "config": null, "around": [] }],
                "gates": [], "force": false, "on_cancel": "back", "at": 1_000,
            }),
            json!({ "type": "DeploymentOwned", "fence": 1, "owner": "laptop, process 7", "at": 1_000 }),
            json!({ "type": "GateWaiting", "gate": "approval/devops", "what": "1 of devops agrees", "at": 2_000 }),
            json!({
                "type": "DeploymentCompleted", "verdict": verdict, "by": "launchway", "at": 92_000,
                "cause": { "code": "exited", "message": "api answered 500" },
            }),
        ];
        let decode = |it: &Json| {
            DeploymentEvent::decode(it.to_string().as_bytes()).expect("an event of ours")
        };
        let events: Vec<DeploymentEvent> = events.iter().map(decode).collect();
        let stream = StreamId::Deployment(DeploymentId(id));
        let ledger = self.store.ledger();
        ledger.append(stream, Seq(0), Timestamp(1), &events).expect("it is appended");
    }

    fn told(&self) -> String {
        self.courier.round().expect("the rows answer");
        let wanted =
            WantedDeliveries { before: None, consumer: None, is_undelivered: false, limit: 100 };
        let rows = self.store.deliveries(&wanted).expect("the rows answer");
        let line = |it: &store::Delivery| {
            let note = it.note.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            format!("{} to {}, {}{note}\n", it.about, it.receiver, it.state.as_str())
        };
        rows.iter().rev().map(line).collect()
    }
}

/// What a run says that has one job.
fn run_events(number: u64, conclusion: &str, branch: &str) -> Vec<Json> {
    let created = json!({
        "type": "RunCreated", "run": number, "attempt": 1, "run_number": 7, "carried": [],
        "repository": "octo/planner", "repository_path": "/src/planner",
        "workflow": { "path": ".github/workflows/ci.yml", "text": "on: push" }, "called": {},
        "title": "<!channel> *free* <https://evil.example|click>\nBcc: all@example.com",
        "event": { "name": "push", "git_ref": format!("refs/heads/{branch}"), "payload": {} },
        "change": { "commit": "0123456789abcdef", "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
        "inputs": {}, "vars": {}, "secret_names": [], "actor": "octocat",
        "triggering_actor": "octocat", "at": 0,
    });
    let planned = json!({
        "type": "JobPlanned", "key": "test", "id": "test", "name": "test (3.12)", "parent": null,
        "file": null, "needs": [], "matrix": null, "index": 0, "total": 1, "fail_fast": true,
        "max_parallel": null, "queued_at": 10,
    });
    let job = json!({
        "type": "JobCompleted", "job": "test", "fence": null, "conclusion": conclusion,
        "exit": "user_failure", "outputs": {}, "log": null, "environment_url": null, "at": 61_000,
    });
    vec![
        created,
        json!({ "type": "RunStarted", "at": 1_000 }),
        planned,
        job,
        json!({ "type": "RunCompleted", "conclusion": conclusion, "at": 62_000 }),
    ]
}

fn pretty(body: &Json) -> String {
    serde_json::to_string_pretty(body).expect("JSON")
}

fn check(found: &str, expected: Expect) {
    expected.assert_eq(found);
}

#[test]
fn rules_are_asked_for_once_for_all_that_was_read_at_one_moment() {
    let world = World::new(Vec::new(), "", &[]);
    (1..=3).for_each(|number| world.run(number, "failure", "main"));
    check(&world.told(), expect![""]);
    assert_eq!(world.asked.load(Ordering::Relaxed), 1);
    // They may have changed since.
    world.run(4, "failure", "main");
    check(&world.told(), expect![""]);
    assert_eq!(world.asked.load(Ordering::Relaxed), 2);
}

#[test]
fn slack_gets_what_outsiders_wrote_as_text_and_nothing_else() {
    let slack_ = Listening::begin();
    let mut failed = rule("team", slack(), &[Occasion::RunFailed]);
    failed.branches = vec!["main".to_owned()];
    let world = World::new(vec![failed], &slack_.url, &["127.0.0.1"]);
    world.run(1, "failure", "main");
    world.run(2, "failure", "topic");
    world.run(3, "success", "main");
    check(
        &world.told(),
        expect![[r#"
        octo/planner: ci.yml failed on main to team of octo/planner, delivered
    "#]],
    );
    let came = slack_.came();
    assert_eq!(came.len(), 1);
    check(
        &pretty(&came[0].body),
        expect![[r#"
            {
              "text": "octo/planner: ci.yml failed on main",
              "blocks": [
                {
                  "type": "section",
                  "text": {
                    "type": "plain_text",
                    "text": "octo/planner: ci.yml failed on main\ntitle: <!channel> *free* <https://evil.example|click> Bcc: all@example.com\ncommit: 0123456\nby: octocat\ntook: 1 min 01 s\nfailed: test (3.12)",
                    "emoji": false
                  }
                },
                {
                  "type": "section",
                  "text": {
                    "type": "mrkdwn",
                    "text": "<https://ci.example.com/runs/1.1|Open>"
                  }
                }
              ],
              "unfurl_links": false,
              "unfurl_media": false
            }"#]],
    );
}

#[test]
fn a_run_is_of_the_environments_of_the_jobs_that_it_is_about() {
    let hook = Listening::begin();
    let channel = || Channel::Webhook { url: hook.url.clone(), key: None };
    let on = [Occasion::RunWaiting, Occasion::RunFailed, Occasion::RunSucceeded, Occasion::Failed];
    let of =
        |name: &str| Rule { environments: vec![name.to_owned()], ..rule(name, channel(), &on) };
    let world = World::new(vec![of("production"), of("staging")], "", &["127.0.0.1"]);
    // Staging succeeds, and production waits and fails; tests fail, and neither is told; both succeed.
    world.deploys(1, &[("staging", "success"), ("Production", "failure")]);
    world.run(2, "failure", "main");
    world.deploys(3, &[("staging", "success"), ("Production", "success")]);
    check(
        &world.told(),
        expect![[r#"
        octo/planner: ci.yml waits for a person on main to staging of octo/planner, delivered
        octo/planner: ci.yml waits for a person on main to production of octo/planner, delivered
        octo/planner: ci.yml failed on main to production of octo/planner, delivered
        octo/planner: ci.yml waits for a person on main to staging of octo/planner, delivered
        octo/planner: ci.yml waits for a person on main to production of octo/planner, delivered
        octo/planner: ci.yml succeeded on main to production of octo/planner, delivered
        octo/planner: ci.yml succeeded on main to staging of octo/planner, delivered
    "#]],
    );
    let came = hook.came();
    let facts = |it: &Came| {
        let facts = it.body["facts"].as_array().expect("facts").iter();
        facts.map(|it| it.as_str().expect("text")).skip(3).collect::<Vec<_>>().join("; ")
    };
    let mut told: Vec<String> =
        came.iter().map(|it| format!("{}: {}", it.body["title"], facts(it))).collect();
    // What goes to one receiver by several rules comes in any order.
    told.sort();
    check(
        &told.join("\n"),
        expect![[r#"
            "octo/planner: ci.yml failed on main": took: 1 min 01 s; environment: Production; failed: Production
            "octo/planner: ci.yml succeeded on main": took: 1 min 01 s; environment: staging, Production
            "octo/planner: ci.yml succeeded on main": took: 1 min 01 s; environment: staging, Production
            "octo/planner: ci.yml waits for a person on main": environment: Production; waits: Production; asks: 1 of leads (lena, ada)
            "octo/planner: ci.yml waits for a person on main": environment: Production; waits: Production; asks: 1 of leads (lena, ada)
            "octo/planner: ci.yml waits for a person on main": environment: staging; waits: staging; asks: 1 of leads (lena, ada)
            "octo/planner: ci.yml waits for a person on main": environment: staging; waits: staging; asks: 1 of leads (lena, ada)"#]],
    );
}

#[test]
fn what_only_the_runs_before_it_say_is_told_beside_its_end_and_once_for_a_series() {
    let hook = Listening::begin();
    let channel = || Channel::Webhook { url: hook.url.clone(), key: None };
    let on = [Occasion::RunFailed, Occasion::TestsFailing, Occasion::VulnerabilityFound];
    let all = Rule { branches: vec!["main".to_owned()], ..rule("all", channel(), &on) };
    let world = World::new(vec![all], "", &["127.0.0.1"]);
    world.run(2, "failure", "main");
    world.run(3, "failure", "main");
    world.run(4, "failure", "main");
    check(
        &world.told(),
        expect![[r#"
            octo/planner: ci.yml failed on main to all of octo/planner, delivered
            octo/planner: ci.yml failed on main to all of octo/planner, delivered
            octo/planner: tests of ci.yml failed 3 times in a row on main to all of octo/planner, delivered
            octo/planner: a scan of ci.yml found 1 more on main to all of octo/planner, delivered
            octo/planner: ci.yml failed on main to all of octo/planner, delivered
        "#]],
    );
    let mut came: Vec<Json> = hook.came().into_iter().map(|it| it.body).collect();
    came.retain(|it| it["occasion"] != "run_failed");
    came.sort_by_key(|it| it["occasion"].to_string());
    let told: Vec<String> = came.iter().map(pretty).collect();
    check(
        &told.join("\n"),
        expect![[r#"
        {
          "version": 1,
          "key": "messages/run/1/1/tests_failing/all of octo/planner",
          "occasion": "tests_failing",
          "severity": "error",
          "subject": "octo/planner ci.yml main",
          "title": "octo/planner: tests of ci.yml failed 3 times in a row on main",
          "facts": [
            "commits: 2, now 0123456",
            "since: run 1.1",
            "each time: unit › adds up, unit › divides and 5 more"
          ],
          "link": "https://ci.example.com/runs/3.1",
          "at": "1970-01-01T00:01:02Z"
        }
        {
          "version": 1,
          "key": "messages/run/3/1#5/vulnerability_found/all of octo/planner",
          "occasion": "vulnerability_found",
          "severity": "warning",
          "subject": "octo/planner ci.yml scans main",
          "title": "octo/planner: a scan of ci.yml found 1 more on main",
          "facts": [
            "by: Trivy",
            "commit: 0123456",
            "new since run 2.1: 1 critical",
            "in all: 2 critical, 1 note",
            "the worst: CVE-1 in go.mod (critical)",
            "not all that was found is counted: there is more than is read"
          ],
          "link": "https://ci.example.com/runs/3.1",
          "at": "1970-01-01T00:01:02Z"
        }"#]],
    );
}

#[test]
fn tests_that_pass_again_end_the_incident_of_those_that_failed_and_no_scan_s() {
    let pager = Listening::begin();
    let channel =
        || Channel::PagerDuty { key: "local:KEY".to_owned(), url: Some(pager.url.clone()) };
    let rules = vec![
        rule("tests", channel(), &[Occasion::TestsFailing]),
        rule("scans", channel(), &[Occasion::VulnerabilityFound]),
    ];
    let world = World::new(rules, "", &["127.0.0.1"]);
    world.run(3, "failure", "main");
    world.run(5, "success", "main");
    world.told();
    let mut came: Vec<String> = pager
        .came()
        .iter()
        .map(|it| format!("{} {}", it.body["event_action"], it.body["payload"]["class"]))
        .collect();
    came.sort();
    check(
        &came.join("\n"),
        expect![[r#"
        "resolve" null
        "trigger" "tests_failing"
        "trigger" "vulnerability_found""#]],
    );
}

#[test]
fn a_webhook_is_signed_over_its_time_and_its_body() {
    let hook = Listening::begin();
    let channel = Channel::Webhook { url: hook.url.clone(), key: Some("local:KEY".to_owned()) };
    let all = [Occasion::Requested, Occasion::Waiting, Occasion::RolledBack];
    let world = World::new(vec![rule("hook", channel, &all)], "", &["127.0.0.1"]);
    world.deployment(4, "rolled_back");
    check(
        &world.told(),
        expect![[r#"
        planner production: release 4 is coming to hook of planner, delivered
        planner production: release 4 waits to hook of planner, delivered
        planner production: release 4 was rolled back to hook of planner, delivered
    "#]],
    );
    let came = hook.came();
    check(
        &pretty(&came[2].body),
        expect![[r#"
        {
          "version": 1,
          "key": "messages/deployment/4#4/hook of planner",
          "occasion": "rolled_back",
          "severity": "error",
          "subject": "planner production",
          "title": "planner production: release 4 was rolled back",
          "facts": [
            "services: api 1.4.0",
            "by: mona",
            "reason: release day",
            "cause: api answered 500",
            "took: 1 min 31 s"
          ],
          "link": null,
          "at": "1970-01-01T00:01:32Z"
        }"#]],
    );
    let header = |name: &str| {
        let line = came[2].headers.lines().find(|it| it.starts_with(name));
        line.and_then(|it| it.split_once(": "))
            .map(|(_, value)| value.to_owned())
            .expect("it is there")
    };
    assert_eq!(header("launchway-delivery"), came[2].body["key"].as_str().expect("a key"));
    let signature = header("launchway-signature");
    let (time, tag) = signature.split_once(",v1=").expect("two parts");
    let seconds = time.strip_prefix("t=").expect("a time");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"sesame");
    let signed = aws_lc_rs::hmac::sign(&key, format!("{seconds}.{}", came[2].body).as_bytes());
    let expected: String = signed.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    assert_eq!(tag, expected);
}

#[test]
fn an_incident_of_pagerduty_begins_and_ends_and_success_alone_begins_none() {
    let pager = Listening::begin();
    let channel = Channel::PagerDuty { key: "local:KEY".to_owned(), url: Some(pager.url.clone()) };
    let on = [Occasion::RolledBack, Occasion::RunFailed];
    let world = World::new(vec![rule("pager", channel, &on)], "", &["127.0.0.1"]);
    world.deployment(1, "succeeded");
    world.deployment(2, "rolled_back");
    world.deployment(3, "succeeded");
    world.deployment(4, "succeeded");
    world.run(1, "success", "main");
    world.run(2, "failure", "main");
    world.run(3, "success", "topic");
    world.run(4, "success", "main");
    check(
        &world.told(),
        expect![[r#"
        planner production: release 2 was rolled back to pager of planner, delivered
        planner production: release 3 succeeded to pager of planner, delivered
        octo/planner: ci.yml failed on main to pager of octo/planner, delivered
        octo/planner: ci.yml succeeded on main to pager of octo/planner, delivered
    "#]],
    );
    let line = |it: &Came| format!("{} {}", it.body["event_action"], it.body["dedup_key"]);
    let came = pager.came();
    let lines: Vec<String> = came.iter().map(line).collect();
    assert_eq!(lines[0].replace("trigger", "resolve"), lines[2]);
    assert_eq!(lines[1].replace("trigger", "resolve"), lines[3]);
    assert_ne!(lines[0], lines[1]);
    check(
        &pretty(&came[0].body["payload"]),
        expect![[r#"
        {
          "summary": "planner production: release 2 was rolled back",
          "source": "planner production",
          "severity": "error",
          "timestamp": "1970-01-01T00:01:32Z",
          "class": "rolled_back",
          "custom_details": {
            "facts": [
              "services: api 1.4.0",
              "by: mona",
              "reason: release day",
              "cause: api answered 500",
              "took: 1 min 31 s"
            ]
          }
        }"#]],
    );
}

#[test]
fn what_a_receiver_answers_decides_and_its_address_stays_a_secret() {
    let slack_ = Listening::begin();
    let world = World::new(
        vec![rule("team", slack(), &[Occasion::RunFailed])],
        &slack_.url,
        &["127.0.0.1"],
    );
    for (answer, expected) in [
        (
            "302 Found\r\nlocation: http://169.254.169.254/\r\n",
            expect![
                "octo/planner: ci.yml failed on main to team of octo/planner, given_up: 127.0.0.1 answered 302; a redirect is not followed"
            ],
        ),
        (
            "404 Not Found\r\n",
            expect![
                "octo/planner: ci.yml failed on main to team of octo/planner, given_up: 127.0.0.1 answered 404"
            ],
        ),
        (
            "503 Service Unavailable\r\nretry-after: 30\r\n",
            expect![
                "octo/planner: ci.yml failed on main to team of octo/planner, waiting: 127.0.0.1 answered 503"
            ],
        ),
    ] {
        *slack_.answers.lock().unwrap() = vec![answer.to_owned()];
        world.run(world.now.fetch_add(100_000, Ordering::Relaxed), "failure", "main");
        let told = world.told();
        assert!(!told.contains("sesame"), "{told}");
        check(told.lines().last().unwrap(), expected);
    }
}

#[test]
fn what_is_inside_is_sent_nothing_unless_its_name_is_allowed() {
    let message = Message {
        occasion: Occasion::RunFailed,
        subject: "a".to_owned(),
        title: "a".to_owned(),
        facts: Vec::new(),
        link: None,
        at: Timestamp(0),
    };
    let about = About::Deployment { project: "planner".to_owned() };
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let inside = Listening::begin();
    for (url, allowed, expected) in [
        (
            inside.url.as_str(),
            "",
            expect![
                "refused: nothing encrypts what goes to 127.0.0.1; write https, or allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
            ],
        ),
        (
            "https://127.0.0.1:1/a",
            "",
            expect![
                "refused: 127.0.0.1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
            ],
        ),
        (
            "https://localhost:1/a",
            "",
            expect![
                "refused: localhost has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
            ],
        ),
        (
            "https://[::1]:1/a",
            "",
            expect![
                "refused: ::1 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
            ],
        ),
        (
            "https://169.254.169.254/latest/meta-data",
            "169.254.169.254",
            expect![
                "refused: 169.254.169.254 has an address that nothing is sent to: link-local, or of no one host"
            ],
        ),
        (
            "https://0x7f000001:1/",
            "",
            expect![
                "refused: 0x7f000001 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
            ],
        ),
        (
            "https://2130706433:1/",
            "",
            expect![
                "refused: 2130706433 has an address that is not public; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
            ],
        ),
        ("ftp://example.com/", "", expect!["refused: its address is none of https"]),
        (
            "http://user:pass@127.0.0.1:1/",
            "127.0.0.1",
            expect!["down: 127.0.0.1 refuses connections"],
        ),
    ] {
        let rule = rule("a", Channel::Webhook { url: url.to_owned(), key: None }, &[]);
        let guard = Guard::allowing([allowed.to_owned()]);
        let book = Book(Vec::new(), String::new(), Arc::default());
        let notifier = Notifier::new(Arc::clone(&store), book, guard);
        let failed = notifier.tell(&about, &rule, &message, "key").unwrap_err();
        let kind = match failed.fault {
            Fault::Refused => "refused",
            Fault::Down => "down",
            Fault::Unknown => "unknown",
        };
        expected.assert_eq(&format!("{kind}: {}", failed.why));
    }
    assert!(inside.came().is_empty(), "nothing came");
}
