//! The prober at its door: a server that answers as told, real processes, time as it goes.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event::{
    DeployStepKey, DeployStepKind, DeploymentId, Fence, KnownRelease, PlannedStep, Release,
    ServiceRequest, Timestamp, Undo, Way,
};
use expect_test::{Expect, expect};
use mask::{MaskedText, Masker};
use ports::{Order, Performer as _, Progress};
use probe::{Answer, Body, Commands, Prober, Smoke, VersionField};
use serde_json::Value as Json;

/// What the server answers: status, headers, body.
type Page = (u16, &'static str, String);

/// A server that answers every path with what stands for it.
fn serve(pages: &[(&'static str, Page)]) -> (String, Arc<Mutex<BTreeMap<&'static str, Page>>>) {
    let pages = Arc::new(Mutex::new(pages.iter().cloned().collect::<BTreeMap<_, _>>()));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let known = Arc::clone(&pages);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a caller");
            let mut bytes = [0; 2048];
            let count = stream.read(&mut bytes).unwrap_or(0);
            let line = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let none = (404, "", String::new());
            let (status, headers, body) =
                known.lock().expect("nobody panics").get(path.as_str()).cloned().unwrap_or(none);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, pages)
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64)
}

fn release(version: &str) -> Release {
    let commit = Some("0123456789abcdef".into());
    Release { version: version.into(), digest: "sha256:1".into(), location: None, commit }
}

struct Case {
    folder: tempfile::TempDir,
    step: PlannedStep,
    service: ServiceRequest,
    since: Timestamp,
    within: u64,
}

impl Case {
    fn new(kind: DeployStepKind, body: &Body) -> Case {
        let step = PlannedStep {
            key: DeployStepKey::new("api", "step"),
            kind,
            what: MaskedText::without_secrets("it"),
            calls: Vec::new(),
            undo: Undo::Nothing,
            within_ms: 1,
            body: body.write(),
        };
        let service = ServiceRequest {
            service: "api".into(),
            release: release("2.0"),
            restores: None,
            last_good: None,
            target: "host".into(),
            config: Json::Null,
            around: Vec::new(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        Case { folder, step, service, since: now(), within: 5_000 }
    }

    fn prober(&self) -> Prober {
        let mut masker = Masker::new();
        masker.add("hunter2hunter2");
        Prober::new(Commands::new(self.folder.path(), masker))
    }

    fn advance(&self, prober: &mut Prober, way: Way) -> Progress {
        let before = KnownRelease { release: release("1.0"), handle: Json::Null, adopted: false };
        prober.advance(&Order {
            deployment: DeploymentId(7),
            fence: Fence(1),
            step: &self.step,
            service: &self.service,
            way,
            now: now(),
            since: self.since,
            until: Timestamp(self.since.0 + self.within),
            before: Some(&before),
            effects: &BTreeMap::new(),
        })
    }

    /// Asks as the loop does, until it is over.
    fn run(&self, prober: &mut Prober, way: Way) -> Progress {
        let began = Instant::now();
        loop {
            match self.advance(prober, way) {
                Progress::Underway { again_in, .. } => {
                    assert!(began.elapsed() < Duration::from_secs(30), "it never ends");
                    std::thread::park_timeout(again_in);
                }
                over => return over,
            }
        }
    }

    fn check(&self, way: Way, url: &str, expect: &Expect) {
        let progress = self.run(&mut self.prober(), way);
        let said = match progress {
            Progress::Done { .. } => "done".to_owned(),
            Progress::Failed(cause) => {
                let evidence: Vec<&str> =
                    cause.evidence.iter().map(|it| it.text.as_str()).collect();
                format!("{:?}: {} [{}]", cause.code, cause.message, evidence.join("; "))
            }
            other => format!("{other:?}"),
        };
        // Durations differ.
        let said = said.replace(url, "URL");
        let words: Vec<&str> = said.split(' ').collect();
        let steady = words
            .iter()
            .enumerate()
            .map(|(at, word)| if at > 0 && words[at - 1] == "after" { "N" } else { word });
        expect.assert_eq(&steady.collect::<Vec<_>>().join(" "));
    }
}

fn health(url: &str, version: Option<&str>, headers: &[&str]) -> Body {
    Body::Health {
        url: url.to_owned(),
        paths: vec!["/health".to_owned()],
        headers: headers.iter().map(|it| (*it).to_owned()).collect(),
        version: version.map(|field| VersionField { path: "/version".into(), field: field.into() }),
        settle_ms: 100,
        timeout_ms: 2_000,
        every_ms: 20,
    }
}

fn page(status: u16, body: &str) -> Page {
    (status, "", body.to_owned())
}

#[test]
fn what_is_healthy_for_long_enough_passes() {
    let (url, _) = serve(&[("/health", page(200, "ok"))]);
    let case = Case::new(DeployStepKind::Verify, &health(&url, None, &[]));
    case.check(Way::Forward, &url, &expect![["done"]]);
    assert!(now().0 - case.since.0 >= 100, "it settled");
}

#[test]
fn what_is_never_healthy_says_what_it_answered() {
    let (url, _) = serve(&[("/health", page(503, "database down, password hunter2hunter2"))]);
    let mut case = Case::new(DeployStepKind::Verify, &health(&url, None, &[]));
    case.within = 300;
    case.check(Way::Forward, &url, &expect!["NeverHealthy: api was not healthy in time [GET URL/health: 503 after N ms: database down, password ***]"]);
}

#[test]
fn headers_and_versions_are_looked_at() {
    let (url, pages) = serve(&[
        ("/health", page(200, "")),
        ("/version", page(200, r#"{"build":{"sha":"0123456"}}"#)),
    ]);
    let check = |way, version, headers: &[&str], expect| {
        let mut case = Case::new(DeployStepKind::Verify, &health(&url, version, headers));
        case.within = 400;
        case.check(way, &url, expect);
    };
    check(Way::Forward, Some("build.sha"), &[], &expect![["done"]]);
    check(
        Way::Forward,
        Some("build"),
        &[],
        &expect![
            "NeverHealthy: api was not healthy in time [GET URL/version: build is ``, not 2.0]"
        ],
    );
    check(
        Way::Forward,
        None,
        &["strict-transport-security"],
        &expect![
            "NeverHealthy: api was not healthy in time [GET URL/health: the answer has no header strict-transport-security]"
        ],
    );
    pages.lock().unwrap().insert("/version", page(200, r#"{"build":{"sha":"1.0"}}"#));
    check(
        Way::Forward,
        Some("build.sha"),
        &[],
        &expect![
            "NeverHealthy: api was not healthy in time [GET URL/version: build.sha is `1.0`, not 2.0]"
        ],
    );
    // Back, it has to be what ran before.
    check(Way::Back, Some("build.sha"), &[], &expect![["done"]]);
}

#[test]
fn baking_fails_when_it_falls_over() {
    let (url, pages) = serve(&[("/health", page(200, "ok"))]);
    let body = Body::Bake {
        url: url.clone(),
        paths: vec!["/health".to_owned()],
        bake_ms: 60_000,
        timeout_ms: 2_000,
        every_ms: 20,
    };
    let case = Case::new(DeployStepKind::Bake, &body);
    let mut prober = case.prober();
    for _ in 0..3 {
        assert!(matches!(case.advance(&mut prober, Way::Forward), Progress::Underway { .. }));
        std::thread::park_timeout(Duration::from_millis(60));
    }
    pages.lock().unwrap().insert("/health", page(500, "fell over"));
    let Progress::Failed(cause) = case.run(&mut prober, Way::Forward) else { panic!("it fails") };
    expect!["api was healthy and is not any more"].assert_eq(cause.message.as_str());
}

fn smoke(url: &str, tests: Vec<Smoke>) -> Case {
    let body = Body::Smoke { url: url.to_owned(), folder: "/".to_owned(), tests };
    Case::new(DeployStepKind::Verify, &body)
}

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

#[test]
fn smoke_tests_run_in_order_and_the_first_that_fails_is_told() {
    let (url, _) = serve(&[("/api/tasks", page(200, "[1]"))]);
    let ask = |contains: &str| Smoke::Get {
        path: "/api/tasks".to_owned(),
        answer: Answer { status: Some(200), contains: Some(contains.to_owned()) },
        within_ms: 2_000,
    };
    let run = |script| Smoke::Run { run: shell(script), within_ms: 2_000 };
    let check = |tests, expect| smoke(&url, tests).check(Way::Forward, &url, expect);
    check(vec![ask("[1]"), run("test -n \"$URL\"")], &expect![["done"]]);
    check(
        vec![ask("[2]"), run("exit 1")],
        &expect![
            "VerificationFailed: smoke test 1 of 2 failed [GET URL/api/tasks: 200 after N ms: [1], without `[2]`]"
        ],
    );
    check(
        vec![ask("[1]"), run("echo not with hunter2hunter2; exit 3")],
        &expect![[r#"
        VerificationFailed: smoke test 2 of 2 failed [sh -c echo not with ***; exit 3 exited with 3
        not with ***]"#]],
    );
}

/// A migration is begun once: by another process too, and when its own was killed.
#[test]
fn a_command_is_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let body = Body::Command {
        run: shell("echo run >> count; while [ ! -e go ]; do sleep 0.02; done; echo done"),
        folder: folder.path().display().to_string(),
    };
    let case = Case::new(DeployStepKind::Migrate, &body);
    let count = || std::fs::read_to_string(folder.path().join("count")).unwrap_or_default();
    for _ in 0..5 {
        // Each as after a crash: it knows nothing of the one before.
        let progress = case.advance(&mut case.prober(), Way::Forward);
        assert!(matches!(progress, Progress::Underway { .. }), "{progress:?}");
    }
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert!(matches!(case.run(&mut case.prober(), Way::Forward), Progress::Done { .. }));
    assert!(matches!(case.run(&mut case.prober(), Way::Forward), Progress::Done { .. }));
    assert_eq!(count(), "run\n");
}

#[test]
fn a_command_that_takes_too_long_is_ended_and_not_run_again() {
    let body = Body::Command { run: shell("sleep 60"), folder: "/".to_owned() };
    let mut case = Case::new(DeployStepKind::Migrate, &body);
    case.within = 200;
    case.check(
        Way::Forward,
        "http://",
        &expect!["MigrationFailed: sh -c sleep 60 was not over in time and was ended []"],
    );
    case.within = 60_000;
    case.check(
        Way::Forward,
        "http://",
        &expect!["MigrationFailed: sh -c sleep 60 was ended from outside; it is not run again []"],
    );
    let missing = Body::Command { run: shell("exit 1"), folder: "/not/there".to_owned() };
    Case::new(DeployStepKind::Migrate, &missing).check(
        Way::Forward,
        "http://",
        &expect![
            "NotStarted: sh -c exit 1 cannot be started: No such file or directory (os error 2) []"
        ],
    );
}

/// A hundred answers, and no more than it takes to be certain.
#[test]
fn a_budget_is_kept_or_not() {
    let page = |status| (status, "", "it".to_owned());
    let (url, _) = serve(&[("/health", page(200)), ("/tasks", page(503)), ("/gone", page(404))]);
    let budget = |paths: &[&str], p95_ms, errors_percent| Body::Budget {
        url: url.clone(),
        paths: paths.iter().map(|it| (*it).to_owned()).collect(),
        p95_ms,
        errors_percent,
    };
    let check = |body: &Body, expect: &Expect| {
        let case = Case { within: 20_000, ..Case::new(DeployStepKind::Verify, body) };
        case.check(Way::Forward, &url, expect);
    };
    check(&budget(&["/health", "/gone"], Some(20_000), Some(0)), &expect!["done"]);
    check(&budget(&["/health", "/tasks"], Some(20_000), None), &expect!["done"]);
    check(
        &budget(&["/health", "/tasks"], None, Some(10)),
        &expect![
            "VerificationFailed: api is slower or more faulty than its budget allows [11 of 22 answers failed, the last: GET URL/tasks: 503 after N ms: it]"
        ],
    );
    let slow = Case::new(DeployStepKind::Verify, &budget(&["/health"], Some(0), None));
    let Progress::Failed(cause) = slow.run(&mut slow.prober(), Way::Forward) else {
        panic!("no answer takes no time")
    };
    let said = cause.evidence[0].text.as_str();
    assert!(said.starts_with("6 of 6 answers took more than 0 ms, the slowest"), "{said}");
    let measured = Case::new(DeployStepKind::Verify, &budget(&["/health"], None, Some(1)));
    let Progress::Done { effect } = measured.run(&mut measured.prober(), Way::Forward) else {
        panic!("it is kept")
    };
    assert_eq!((&effect["requests"], &effect["errors"]), (&100.into(), &0.into()));
    assert!(effect["p95_ms"].is_u64(), "{effect}");
}
