//! `launchway logs`: the last lines of real instances, and what they print while somebody looks.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use expect_test::expect;

use crate::deploy::Project;
use crate::json;

/// A service that prints what it is asked for, its secret, and what steers a terminal.
const APP: &str = r#"
import http.server, os, sys
version = open('version').read().strip()
print('one of', version, flush=True)
print('the key is', os.environ['KEY'] + '\x1b[2J\x1b]0;title\x07', flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        if self.path != '/':
            print(version, 'was asked for', self.path, file=sys.stderr, flush=True)
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

const SETTINGS: &str = "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/], settle: 0s, within: 20s, every: 100ms }
    settings: staging.env
environments:
  staging:
    targets: { host: { listen: 127.0.0.1:PORT, instances: 2 } }
  cloud:
    region: eu-central-1
    url: https://planner.example.com
    targets: { ecs: { cluster: main, service: api } }
";

/// Lines as they come.
fn follow(project: &Project, args: &[&str]) -> (Child, Receiver<String>) {
    let mut command = project.place.launchway(&[&["logs", "staging", "--follow"], args].concat());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (sender, lines_told) = channel();
    std::thread::spawn(move || {
        lines.map_while(Result::ok).all(|line| sender.send(line).is_ok());
    });
    (child, lines_told)
}

#[test]
fn the_last_lines_and_those_that_come_are_masked_and_harmless() {
    let project = Project::of(APP, SETTINGS);
    project.place.write(".gitignore", "*.env\n");
    project.place.write("staging.env", "KEY=correct-horse-battery\n");
    project.version("1.1");
    let said = |args: &[&str]| {
        let said = project.run(&[&["logs"], args].concat());
        let errors = said.stderr.replace(&project.place.state().display().to_string(), "STATE");
        format!("{}{errors}exit {}\n", said.stdout, said.exit)
    };
    expect![[r#"
        error: no instance of api has printed anything here
        hint: launchway status says what runs where; what a deployment's instances said before they failed: launchway deployments show
        exit 2
    "#]].assert_eq(&said(&["staging"]));
    expect![[r#"
        error: AWS does not take the credentials of sts:GetCallerIdentity: there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE
          | sts:GetCallerIdentity: there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE
        hint: launchway status says what runs where; what stopped tasks said: launchway deployments show
        exit 5
    "#]].assert_eq(&said(&["cloud"]));
    expect![[r#"
        error: there is no service web
        hint: there are: api
        exit 2
    "#]]
    .assert_eq(&said(&["staging", "--service", "web"]));

    let deploy = || {
        let said = project.run(&["deploy", "staging", "--yes"]);
        assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    };
    deploy();
    expect![[r#"
        1.0 | one of 1.1
        1.0 | the key is ***
        1.1 | one of 1.1
        1.1 | the key is ***
        exit 0
    "#]]
    .assert_eq(&said(&["staging"]));
    expect![[r#"
        the key is ***
        exit 0
    "#]]
    .assert_eq(&said(&["staging", "--instance", "0", "-n", "1"]));
    expect![[r#"
        error: no instance of api has printed anything here
        hint: launchway status says what runs where; what a deployment's instances said before they failed: launchway deployments show
        exit 2
    "#]].assert_eq(&said(&["staging", "--instance", "9.0"]));
    expect![[r#"
        error: `first` names no instance: it is a number, or a name like 7.0
        exit 2
    "#]]
    .assert_eq(&said(&["staging", "--instance", "first"]));

    let documented = json::documented();
    let machine = project.place.json(&["logs", "staging"]);
    let seen = json::check_lines(&documented, "logs", &machine.lines());
    assert_eq!(seen, documented["logs"].keys().cloned().collect::<BTreeSet<_>>());

    // What comes, of the next release's instances too.
    let (mut child, lines) = follow(&project, &["-n", "1"]);
    let next = || lines.recv_timeout(std::time::Duration::from_secs(60)).expect("a line");
    assert_eq!([next(), next()].map(|it| it.contains("the key is ***")), [true, true]);
    project.get("/something");
    let line = next();
    assert!(line.ends_with("| 1.1 was asked for /something"), "{line}");
    project.version("1.2");
    deploy();
    let mut told: Vec<String> = (0..4).map(|_| next()).collect();
    told.sort();
    expect![[r#"
        2.0 | one of 1.2
        2.0 | the key is ***
        2.1 | one of 1.2
        2.1 | the key is ***"#]]
    .assert_eq(&told.join("\n"));
    let pid = child.id().to_string();
    let signalled = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(signalled.expect("kill starts").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));

    // Whoever went away is not written for.
    let mut gone = project.place.launchway(&["logs", "staging", "--follow"]);
    let mut child = gone.stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
