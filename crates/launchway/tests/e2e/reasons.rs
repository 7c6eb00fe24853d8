//! Why somebody did something: said by a flag, a body or a form, it stands in the audit trail in one column.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use expect_test::expect;

use crate::harness::{Place, Said, wait_until};
use crate::serving::Serving;

const WAITS: &str = "
on: push
jobs:
  waits:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo >> $MARKS/began; while ! test -e $MARKS/go; do sleep 0.02; done' }]
";

const VALUE: &str = "postgres-of-the-planner";

const PASSED_OVER: &str = "note: the reason is not recorded: the server is of an earlier version";

impl Serving {
    /// A command that is told the server, by its token.
    fn at(&self, args: &[&str], input: &str) -> Said {
        let mut command = self.place.launchway(&[args, &["--server", &self.url]].concat());
        command.env("LAUNCHWAY_TOKEN", &self.token).stdin(Stdio::piped());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        Said::from(child.wait_with_output().expect("it ends"))
    }

    fn done_at(&self, args: &[&str], reason: &str, input: &str) -> Said {
        let said = self.at(&[args, &["--reason", reason]].concat(), input);
        assert_eq!(said.exit, 0, "{args:?}: {}", said.stderr);
        assert!(!said.stderr.contains(PASSED_OVER), "{args:?}: {}", said.stderr);
        said
    }

    fn done_here(&self, args: &[&str], reason: &str) -> Said {
        let said = self.command(&[args, &["--reason", reason]].concat());
        assert_eq!(said.exit, 0, "{args:?}: {}", said.stderr);
        said
    }

    fn form(&self, path: &str, fields: &str) {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        assert_eq!(self.post(path, &[kind], fields).status, 303, "{path} {fields}");
    }

    /// A token that is there to be ended.
    fn token(&self, name: &str) -> String {
        let made = self.command(&["tokens", "create", name]);
        assert_eq!(made.exit, 0, "{}", made.stderr);
        id(&made)
    }

    /// What the trail says of who gave a reason: what, to what, why, and by which way.
    fn reasons(&self) -> String {
        let told = self.command(&["audit", "export"]);
        assert_eq!(told.exit, 0, "{}", told.stderr);
        let line = |it: serde_json::Value| {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            let (object, reason) = (text("object"), text("reason"));
            let object = object.split(" may ").next().unwrap_or_default().to_owned();
            let line = format!("{} {object}: {reason} ({})\n", text("action"), text("source"));
            (!reason.is_empty()).then_some(line)
        };
        told.lines().into_iter().filter_map(line).collect()
    }
}

/// Of a token that was made.
fn id(made: &Said) -> String {
    made.stdout.trim().split('_').nth(1).expect("a token has an id").to_owned()
}

#[test]
fn why_somebody_did_something_stands_in_the_trail() {
    let serving = Serving::of(WAITS);
    serving.push();
    wait_until("the job's beginning", || !serving.mark("began").is_empty());
    serving.done_at(&["runs", "cancel", "1"], "the wrong\nbranch", "");
    serving.ended("1");
    serving.leave("go");
    serving.done_at(&["runs", "rerun", "1"], "now the right one", "");
    assert_eq!(serving.ended("1.2")["conclusion"], "success");
    serving.form("/runs/1.2/rerun", "only=all&reason=once+more");
    assert_eq!(serving.ended("1.3")["conclusion"], "success");
    let body = r#"{"reason":"the disk is full"}"#;
    assert_eq!(serving.post("/api/v1/runners/launchway/drain", &[], body).status, 200);
    serving.form("/runners/launchway/resume", "reason=it+is+empty");
    serving.done_at(&["runners", "drain", "launchway"], "a new kernel", "");
    serving.done_at(&["runners", "resume", "launchway"], "it is new", "");
    let app = ["--repository", "octo/app"];
    serving.done_at(&[&["workflows", "disable", "ci.yml"], &app[..]].concat(), "too loud", "");
    serving.done_here(&[&["workflows", "enable", "ci.yml"], &app[..]].concat(), "quiet again");
    let tokens = ["one", "two", "three"].map(|name| serving.token(name));
    let four = id(&serving.done_at(&["tokens", "create", "four"], "for the board", ""));
    let five = id(&serving.done_here(&["tokens", "create", "five"], "for the wall"));
    serving.done_at(&["tokens", "revoke", &tokens[0]], "it leaked", "");
    serving.done_here(&["tokens", "revoke", &tokens[1]], "nobody needs it");
    serving.form("/settings", &format!("token={}&reason=its+owner+left", tokens[2]));
    let why = format!("it was {VALUE} everywhere");
    serving.done_at(&[&["secrets", "set", "DB"], &app[..]].concat(), &why, VALUE);
    serving.done_at(&[&["secrets", "remove", "DB"], &app[..]].concat(), "moved", "");
    serving.done_here(&[&["vars", "set", "REGION", "eu"], &app[..]].concat(), "closer");
    serving.done_here(&[&["vars", "remove", "REGION"], &app[..]].concat(), "nobody reads it");
    serving.done_here(&["repositories", "protect", "octo/app", "--no-rules"], "none are left");
    serving.done_here(&["repositories", "remove", "octo/app"], "it moved");
    let commit = serving.get("/api/v1/runs/1").json()["commit"].to_string();
    let mut told = serving.reasons().replace(commit.trim_matches('"'), "COMMIT");
    let ids = tokens.iter().chain([&four, &five]);
    for (id, name) in ids.zip(["ONE", "TWO", "THREE", "FOUR", "FIVE"]) {
        told = told.replace(id, name);
    }
    expect![[r#"
        run.cancel run/1/1: the wrong branch (api)
        run.cancel run/1/1 waits: the wrong branch (api)
        run.again run/1/2 octo/app .github/workflows/ci.yml push at COMMIT: now the right one (api)
        run.again run/1/3 octo/app .github/workflows/ci.yml push at COMMIT: once more (api)
        runner.drain launchway: the disk is full (api)
        runner.resume launchway: it is empty (api)
        runner.drain launchway: a new kernel (api)
        runner.resume launchway: it is new (api)
        workflow.disable octo/app .github/workflows/ci.yml: too loud (api)
        workflow.enable octo/app .github/workflows/ci.yml: quiet again (command)
        token.create FOUR "four": for the board (api)
        token.create FIVE "five": for the wall (command)
        token.revoke ONE: it leaked (api)
        token.revoke TWO: nobody needs it (command)
        token.revoke THREE: its owner left (api)
        secret.set octo/app DB: it was *** everywhere (api)
        secret.remove octo/app DB: moved (api)
        variable.set octo/app REGION: closer (command)
        variable.remove octo/app REGION: nobody reads it (command)
        repository.protect octo/app, no rules are kept any more: none are left (command)
        repository.remove octo/app: it moved (command)
    "#]]
    .assert_eq(&told);
    let page = serving.get("/audit").text;
    assert!(page.contains("the wrong branch") && !page.contains(VALUE), "{page}");
    let csv = serving.command(&["audit", "export", "--format", "csv"]).stdout;
    assert!(csv.contains(",runner.drain,launchway,done,a new kernel,api,127.0.0.1\n"), "{csv}");
    assert_eq!(serving.command(&["audit", "verify"]).exit, 0);
    serving.end();
}

#[test]
fn a_reason_that_cannot_be_kept_does_nothing() {
    let serving = Serving::of(WAITS);
    let long = "x".repeat(1_001);
    let said = serving.at(&["runners", "drain", "launchway", "--reason", &long], "");
    assert_eq!(said.exit, 2);
    assert!(said.stderr.contains("the reason is longer than 1000 letters"), "{}", said.stderr);
    for body in [&*format!(r#"{{"reason":"{long}"}}"#), r#"{"because":"x"}"#, "because"] {
        let got = serving.post("/api/v1/runners/launchway/drain", &[], body);
        assert_eq!(got.status, 400, "{}", got.text);
    }
    assert_eq!(serving.get("/api/v1/runners").json()["runners"][0]["takes"], "jobs");
    // What says nothing says it as before.
    assert_eq!(serving.post("/api/v1/runners/launchway/drain", &[], "null").status, 200);
    assert_eq!(serving.post("/api/v1/runners/launchway/resume", &[], "").status, 200);
    // As `curl -d` sends it.
    let form = ("content-type", "application/x-www-form-urlencoded");
    let got = serving.post("/api/v1/runners/launchway/drain", &[form], "{}");
    assert_eq!(got.status, 200, "{}", got.text);
    assert_eq!(serving.reasons(), "");
    serving.end();
}

/// Without a server, too.
#[test]
fn a_run_of_ones_own_has_reasons() {
    let place = Place::workflow(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    place.commit();
    assert_eq!(place.run(&["run"]).exit, 0);
    assert_eq!(place.run(&["runs", "rerun", "--reason", "the clock was wrong"]).exit, 0);
    let off = ["workflows", "disable", "ci.yml", "--reason", "too loud"];
    let said = place.run(&off);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let lines = place.run(&["audit", "export"]).lines();
    let why = |action: &str| {
        let line = lines.iter().find(|it| it["action"] == action).expect("it is there");
        line["reason"].as_str().expect("text").to_owned()
    };
    assert_eq!(why("run.again"), "the clock was wrong");
    assert_eq!(why("workflow.disable"), "too loud");
    assert_eq!(why("run.create"), "");
}

/// A server of a version that passes over reasons: it does what is asked, and says no more than it did then.
fn server_of_before() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("somebody comes");
            let mut read = BufReader::new(stream.try_clone().expect("it is open"));
            let (mut line, mut length) = (String::new(), 0);
            while read.read_line(&mut line).expect("they speak") > 2 {
                let (name, value) = line.split_once(':').unwrap_or_default();
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().expect("a number");
                }
                line.clear();
            }
            read.read_exact(&mut vec![0; length]).expect("they say it to the end");
            let said =
                r#"{"run":1,"attempt":1,"path":"ci.yml","name":"mona","sessions":0,"runs":0}"#;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{said}", said.len());
            stream.write_all(answer.as_bytes()).expect("they listen");
        }
    });
    url
}

#[test]
fn a_server_that_passes_over_reasons_is_told_of() {
    let place = Place::workflow(WAITS);
    let url = server_of_before();
    let app = ["--repository", "octo/app"];
    let deeds: [(&[&str], &[&str]); 13] = [
        (&["runs", "cancel", "1"], &[]),
        (&["runs", "resume", "1", "--yes"], &[]),
        (&["runners", "drain", "launchway"], &[]),
        (&["runners", "resume", "launchway"], &[]),
        (&["workflows", "disable", "ci.yml"], &app),
        (&["workflows", "enable", "ci.yml"], &app),
        (&["tokens", "revoke", "12ab"], &[]),
        (&["people", "revoke", "mona"], &[]),
        (&["people", "forget", "mona"], &[]),
        (&["repositories", "let-in", "12ab"], &[]),
        (&["secrets", "remove", "DB"], &app),
        (&["vars", "remove", "REGION"], &app),
        (&["notify", "retry", "1"], &[]),
    ];
    for (deed, more) in deeds {
        for (reason, is_told) in [(&["--reason", "late"][..], true), (&[], false)] {
            let args = [deed, more, &["--server", &url], reason].concat();
            let mut command = place.launchway(&args);
            let output = command.env("LAUNCHWAY_TOKEN", "x").output().expect("it runs");
            let said = Said::from(output);
            assert_eq!(said.exit, 0, "{args:?}: {}", said.stderr);
            assert_eq!(said.stderr.contains(PASSED_OVER), is_told, "{args:?}: {}", said.stderr);
        }
    }
}
