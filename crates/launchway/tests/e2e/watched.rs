//! What is watched of services on this machine behind verification: alarms of CloudWatch, played by the
//! model cloud, and what they print.

use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Front};

use crate::deploy::Project;
use crate::harness::{Place, Said, text, wait_until};

/// It prints what its version is.
const APP: &str = r#"
import http.server, os
print('this is', open('version').read().strip(), flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(200)
        self.send_header('content-length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

fn project(verify: &str) -> Project {
    let settings = format!(
        "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: {{ path: app }}
    health: {{ paths: [/], settle: 0s, within: 20s, every: 100ms }}
    verify: {{ {verify} }}
environments:
  staging:
    region: eu-central-1
    targets: {{ host: 127.0.0.1:PORT }}
"
    );
    Project::in_place(Place::with(&[("app/app.py", APP)]), &settings)
}

fn told(said: &Said) -> String {
    let ends = said.of("deployment_completed");
    let words = ends.iter().map(|end| format!("{} {}\n", end["verdict"], end["cause"]));
    let is_told = |line: &&str| line.starts_with("error") || line.starts_with("hint");
    let errors = said.stderr.lines().filter(is_told).map(|it| format!("{it}\n"));
    format!("{}{}exit {}\n", words.collect::<String>(), errors.collect::<String>(), said.exit)
        .replace('"', "")
}

#[test]
fn a_text_that_nobody_wants_is_gone_back_on() {
    let project = project("logs: [panicked-at, OutOfMemory]");
    let check = |args: &[&str], expect: &Expect| {
        let said = project.run(&[args, &["--format", "json"]].concat());
        expect.assert_eq(&told(&said));
    };
    let deploy = ["deploy", "staging", "--yes"];
    check(
        &deploy,
        &expect![[r#"
        succeeded null
        exit 0
    "#]],
    );
    project.version("panicked-at-1.1");
    check(
        &deploy,
        &expect![[r#"
        rolled_back instance 2.0 printed `panicked-at`
        exit 6
    "#]],
    );
    let said = project.run(&["deployments", "show", "2"]);
    let cause = said.stdout.lines().rev().take(3).filter(|it| it.contains("this is"));
    expect!["    | this is panicked-at-1.1"].assert_eq(&cause.collect::<String>());
}

#[test]
fn an_alarm_that_goes_off_is_gone_back_on() {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", 1_790_000_000_000);
    cloud.set_alarm("api-5xx", "ALARM");
    let front = Front::serve(cloud, Clock::Wall { times: 1 }, 0).expect("a port");
    let project = project("alarms: [api-5xx]");
    let launchway = |args: &[&str]| -> Command {
        let mut command = project.place.launchway(args);
        command
            .env("AWS_ENDPOINT_URL", front.url())
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-key");
        command
    };
    let deploy = ["deploy", "staging", "--yes", "--format", "json"];
    let refused = Said::from(launchway(&deploy).output().expect("it starts"));
    expect![[r#"
        error: the alarm api-5xx is on already: Threshold Crossed: 1 datapoint was greater than the threshold (5.0).
        hint: see to that first; --hotfix and `rollback` do not look at alarms
        exit 4
    "#]].assert_eq(&told(&refused));
    // Whoever mends does it because of the alarm.
    let hotfix = [&deploy[..], &["--hotfix", "--reason", "it is on fire"]].concat();
    let mended = Said::from(launchway(&hotfix).output().expect("it starts"));
    expect![[r#"
        succeeded null
        exit 0
    "#]]
    .assert_eq(&told(&mended));
    front.with(|cloud| cloud.set_alarm("api-5xx", "OK"));
    project.version("1.1");
    let asked = || front.with(|cloud| cloud.done("cloudwatch:DescribeAlarms"));
    let before = asked();
    let child = launchway(&deploy).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("it starts");
    // Once for the plan, once behind verification.
    wait_until("it watches", || asked() >= before + 2);
    front.with(|cloud| cloud.set_alarm("api-5xx", "ALARM"));
    let output = child.wait_with_output().expect("it ends");
    let exit = output.status.code().unwrap_or(-1);
    let said = Said { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) };
    expect![[r#"
        rolled_back the alarm api-5xx went off
        exit 6
    "#]]
    .assert_eq(&told(&said));
}
