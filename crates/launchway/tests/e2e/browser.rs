//! A real browser looks at every page of a server that has something of everything
//! (`tests/browser/tour.mjs`): both themes, three widths, axe, by keyboard, without a script.
//!
//! `LAUNCHWAY_PICTURES` names a folder that pictures go to; `LAUNCHWAY_PICTURES_ONLY` the pages, by
//! name, for the README.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::deploy::Project;
use crate::harness::wait_until;
use crate::runner::Away;
use crate::serving::Serving;

const SETTINGS: &str = "
version: 1
project: shop
groups: { devops: [kim, hubot], leads: [lena, octocat] }
services: { web: {} }
environments:
  staging:
    level: 5
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
  production:
    level: 4
    deploy: { promote: staging }
    protect: { reviewers: { devops: 1, leads: 1 }, branches: [main] }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
";

const PIPELINE: &str = r#"
name: Pipeline
on: { push: { branches: [main] } }
jobs:
  test:
    runs-on: ubuntu-latest
    strategy: { matrix: { python: ['3.11', '3.12', '3.13'] } }
    steps:
      - run: |
          echo '::group::Install'
          for package in attrs click flask; do echo "Collecting $package"; done
          echo '::endgroup::'
          printf '\033[32m42 passed\033[0m in 3.1 s\n'
          echo '::warning file=app/views.py,line=12::this is slow on Sundays'
  build:
    needs: test
    runs-on: ubuntu-latest
    outputs: { digest: "${{ steps.image.outputs.digest }}" }
    steps:
      - { id: image, run: 'echo digest=sha256:4f0c >> "$GITHUB_OUTPUT"' }
      - run: |
          mkdir reports
          echo '<testsuite name="s"><testcase classname="Shelf" name="adds" time="0.5"/><testcase classname="Shelf" name="loses what is far behind" file="shelf.py" line="7" time="2"><failure message="3 is not 4"/></testcase></testsuite>' > reports/junit.xml
          printf 'SF:shelf.py\nDA:1,1\nDA:2,0\nend_of_record\n' > reports/lcov.info
          echo '{"names":["ghcr.io/octo/shop:v2","ghcr.io/octo/shop:latest"],"platform":"linux/amd64","size_bytes":312400000,"size_of":"unpacked","build_ms":80123}' > "$(dirname "$GITHUB_OUTPUT")/images.jsonl"
      - { uses: actions/upload-artifact@v4, with: { name: reports, path: reports } }
      - name: Say what was built
        run: |
          cat >> "$GITHUB_STEP_SUMMARY" <<'END'
          ### Image `planner`

          Built from **main** in 42 s; [how it is built](https://example.com/build), ![size over time](https://example.com/size.svg)

          | Layer | Size | Since the last one |
          |---|--:|---|
          | `python:3.13-slim` | 48.1 MB | as before |
          | wheels of requirements.txt, each with its own long name | 61.7 MB | **+2.4 MB** |

          - [x] starts
          - [ ] answers within 50 ms

          > [!WARNING]
          > `libexpat` is two versions behind.

          <details><summary>Labels</summary>

          ```
          org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567 org.opencontainers.image.source=https://example.com/octo/app
          ```

          </details>
          <h3>Scan</h3><table><tr><th>Severity</th><th>Found</th></tr><tr><td>high</td><td>0</td></tr></table>
          END
  ship:
    needs: build
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: echo shipped }]
"#;

const BY_HAND: &str = r#"
name: Nightly
run-name: Nightly checks of ${{ inputs.where }}
on:
  workflow_dispatch:
    inputs:
      version: { required: true, description: Which version }
      dry: { type: boolean, description: Only look, default: true }
      count: { type: number, default: 3 }
      where: { type: choice, options: [staging, production] }
      place: { type: environment, description: Where it goes }
jobs:
  scan:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo '{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"Trivy","rules":[{"id":"CVE-2026-1234","properties":{"security-severity":"9.8"}}]}},"results":[{"ruleId":"CVE-2026-1234","locations":[{"physicalLocation":{"artifactLocation":{"uri":"requirements.txt"}}}]},{"ruleId":"DS002","locations":[{"physicalLocation":{"artifactLocation":{"uri":"services/planner/images/production/Dockerfile"}}}]},{"ruleId":"style","level":"note"}]}]}' > trivy.sarif
      - { uses: actions/upload-artifact@v4, with: { name: scan, path: trivy.sarif } }
  look:
    runs-on: ubuntu-latest
    steps:
      - run: for i in $(seq 1 900); do echo "line $i of the log, as long as such lines are"; done
      - name: Smoke test
        run: |
          echo "::error file=smoke.py,line=7::GET /api/tasks answered 503"
          exit 1
"#;

/// One job on another machine, and two for which there is none.
const FLEET: &str = r#"
name: Fleet
on: workflow_dispatch
jobs:
  far: { runs-on: far, steps: [{ run: 'until [ -e $MARKS/end ]; do sleep 0.05; done' }] }
  train: { runs-on: gpu, strategy: { matrix: { seed: [1, 2] } }, steps: [{ run: echo trained }] }
"#;

/// A service that breaks where its version says so, deployed to this machine.
const SHOP: &str = r#"
import http.server, os
version = open('version').read().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(500 if 'broken' in version else 200)
        self.end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;
const SHOP_SETTINGS: &str = "
version: 1
project: shop
services:
  web:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/health], settle: 0s, within: 2s, every: 100ms }
environments:
  staging:
    targets: { host: 127.0.0.1:PORT }
";

/// A version that goes well, and one that comes back.
fn shipped(serving: &Serving) -> Project {
    let data = serving.place.path("data").display().to_string();
    let project = Project::of(SHOP, SHOP_SETTINGS);
    let deploy = |exit| {
        let said = project.run(&["deploy", "staging", "--yes", "--state", &data]);
        assert_eq!(said.exit, exit, "{}", said.stderr);
    };
    deploy(0);
    project.version("1.1-broken");
    deploy(6);
    project
}

/// Where npm put what the browser is driven with.
fn modules() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_launchway")).ancestors().nth(2).expect("target");
    target.join("browser")
}

fn scene() -> Serving {
    // Nobody is asked there: its button is on the page for signing in.
    let provider = ["--sign-in-issuer", "https://login.example.com", "--sign-in-client", "ci"];
    let serving = Serving::with(PIPELINE, &provider);
    serving.place.write("launchway.yml", SETTINGS);
    serving.place.write(".github/workflows/nightly.yml", BY_HAND);
    let fleet = FLEET.replace("$MARKS", &serving.place.path("marks").display().to_string());
    serving.place.write(".github/workflows/fleet.yml", &fleet);
    serving.place.commit();
    let pushed = serving.push();
    assert!(pushed.stderr.contains("launchway: run 1"), "{}", pushed.stderr);
    wait_until("the gate", || serving.get("/api/v1/runs/1/jobs/ship/approval").status == 200);
    let wanted = r#"{"workflow":"nightly.yml","inputs":{"version":"1.4.0"}}"#;
    let path = "/api/v1/repositories/octo/app/dispatches";
    assert_eq!(serving.post(path, &[], wanted).status, 201);
    serving.ended("2");
    let kim =
        serving.command(&["tokens", "create", "kim", "--scope", "approve", "--person", "kim"]);
    let bearer = format!("Bearer {}", kim.stdout.trim());
    let gate = serving.get("/api/v1/runs/1/jobs/ship/approval").json();
    let yes = json!({ "decision": "approve", "gate": "approval/devops", "what": gate["what"], "reason": "tests are green" });
    let said = |body: &Json| {
        let path = "/api/v1/runs/1/jobs/ship/approval";
        serving.ask("POST", path, &[("authorization", &bearer)], &body.to_string()).status
    };
    assert_eq!(said(&yes), 200);
    assert_eq!(said(&yes), 403);
    for (name, body) in [
        (
            "secrets/DB_URL",
            r#"{"value":"postgres://x","environment":"production","rotate_by":"2026-01-31"}"#,
        ),
        ("secrets/NPM_TOKEN", r#"{"value":"hunter2hunter2"}"#),
        ("variables/REGION", r#"{"value":"eu-central-1"}"#),
    ] {
        let bearer = format!("Bearer {}", serving.token);
        let path = format!("/api/v1/repositories/octo/app/kept/{name}");
        let got = serving.ask("PUT", &path, &[("authorization", &bearer)], body);
        assert_eq!(got.status, 200, "{}", got.text);
    }
    serving
}

/// Whether an address is of a page, whose path may have parts with names.
fn is_page(path: &str, address: &str) -> bool {
    let address = address.split('?').next().unwrap_or_default();
    let (parts, said): (Vec<_>, Vec<_>) = (path.split('/').collect(), address.split('/').collect());
    let same = |(part, said): (&&str, &&str)| part.starts_with('{') || part == said;
    parts.len() == said.len() && parts.iter().zip(&said).all(same)
}

#[test]
fn every_page_is_looked_at_by_a_browser() {
    let serving = scene();
    let away = Away::of(&serving, "2");
    let wanted = r#"{"workflow":"fleet.yml"}"#;
    let path = "/api/v1/repositories/octo/app/dispatches";
    assert_eq!(serving.post(path, &[], wanted).status, 201);
    wait_until("a job elsewhere", || {
        let runners = serving.get("/api/v1/runners").json();
        let is_busy =
            runners["runners"].as_array().is_some_and(|all| all.iter().any(|it| it["busy"] == 1));
        is_busy && runners["queue"].as_array().is_some_and(|all| all.len() == 2)
    });
    let admin = serving
        .command(&["tokens", "create", "octocat", "--scope", "admin", "--person", "octocat"]);
    let shop = shipped(&serving);
    // No hook tells of it: it begins no run.
    let bare = serving.place.path("app.git").display().to_string();
    serving.place.git(&["--git-dir", &bare, "tag", "v1.0.0", "main"]);
    let deployments = serving.get("/deployments").text;
    let deployment = deployments.split("href=\"/deployments/").nth(1).expect("one came back");
    let deployment = deployment.split('"').next().expect("it ends").to_owned();
    let deployment = format!("/deployments/{deployment}");
    let wish =
        json!({ "environment": "staging", "project": "shop", "title": "checkout answers 500" });
    let opened = serving.post("/api/v1/incidents", &[], &wish.to_string());
    assert_eq!(opened.status, 201, "{}", opened.text);
    let pages = [
        ("sign-in", "/sign-in"),
        ("runs", "/runs"),
        ("filtered", "/runs?branch=main&status=failure&actor=machine%3Afirst-start"),
        ("run", "/runs/1.1"),
        ("failed", "/runs/2.1"),
        ("job", "/runs/2.1/jobs/look"),
        ("unfolded", "/runs/2.1/jobs/look?folds=off&times=utc&line=20&to=24"),
        ("search", "/runs/2.1/jobs/look?q=line+89"),
        ("run-tests", "/runs/1.1/tests"),
        ("run-search", "/runs/2.1/search?q=line+8"),
        ("dispatch", "/dispatch?repository=octo%2Fapp&workflow=.github%2Fworkflows%2Fnightly.yml"),
        ("approvals", "/approvals"),
        ("approval", "/approvals/1.1/ship"),
        ("repositories", "/repositories"),
        ("versions", "/repositories/octo/app/versions"),
        ("version", "/repositories/octo/app/versions/v1.0.0"),
        ("secrets", "/secrets?repository=octo%2Fapp"),
        ("environments", "/environments"),
        ("deployments", "/deployments"),
        ("deployment", &deployment),
        ("incidents", "/incidents"),
        ("incident", "/incidents/1"),
        ("runners", "/runners"),
        ("messages", "/messages"),
        ("insights", "/insights"),
        ("pipelines", "/insights/pipelines"),
        ("tests", "/insights/tests"),
        ("images", "/insights/images"),
        ("scans", "/insights/scans"),
        ("then", "/insights/pipelines?since=3d&until=1d"),
        ("audit", "/audit"),
        ("settings", "/settings"),
        ("docs", "/docs"),
        ("design", "/design"),
    ];
    for path in server::page_paths() {
        let is_looked_at = pages.iter().any(|(_, at)| is_page(path, at));
        assert!(is_looked_at, "{path} is a page, and no browser looks at it");
    }
    let pages = pages.iter().map(|(name, path)| json!({ "name": name, "path": path }));
    let pages: Vec<Json> = pages.collect();
    let pictures = std::env::var("LAUNCHWAY_PICTURES").ok();
    let only = std::env::var("LAUNCHWAY_PICTURES_ONLY").ok();
    let only = only.map(|it| it.split(',').map(str::to_owned).collect::<Vec<_>>());
    let plan = json!({ "pages": pages, "pictures": pictures, "wanted": only });
    let path = serving.place.path("plan.json");
    std::fs::write(&path, plan.to_string()).expect("a file of ours");
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/tour.mjs");
    let mut node = Command::new("node");
    let node = node.arg(tour).arg(modules()).args([&serving.url, admin.stdout.trim()]).arg(path);
    let output = node.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    drop(shop);
    serving.leave("end");
    assert_eq!(serving.post("/api/v1/runs/3/cancel", &[], "").status, 202);
    serving.ended("3");
    away.end();
    // What was shipped ends where nobody wants it any more.
    let host = serving.place.path("data/host/shop/staging");
    for file in ["routes/web.json", "wanted/web.json"] {
        std::fs::remove_file(host.join(file)).expect("it was shipped");
    }
    serving.end();
}

/// A job that fails behind what is long, and one that prints on when it is told to.
const LOGS: &str = r#"
on: push
jobs:
  failed:
    runs-on: ubuntu-latest
    steps:
      - name: Install
        run: |
          echo '::group::Collect'
          for i in $(seq 1 400); do echo "Collecting package $i"; done
          echo '::endgroup::'
          echo ready
      - name: Test
        run: |
          echo '::group::Quiet'
          echo '::endgroup::'
          for i in 1 2 3; do echo "case $i"; done
          echo '::group::Failures'
          echo '::error file=app.py,line=7::assert 503 == 200'
          echo why
          echo '::endgroup::'
          exit 1
      - { name: Upload, if: always(), run: echo done }
  running:
    runs-on: ubuntu-latest
    steps:
      - run: |
          for i in $(seq 1 200); do echo "line $i"; done
          until [ -e $MARKS/go-on ]; do sleep 0.05; done
          for i in $(seq 1 50); do echo "more $i"; done
          until [ -e $MARKS/end ]; do sleep 0.05; done
"#;

#[test]
fn the_log_viewer_does_what_it_says() {
    let serving = Serving::of(LOGS);
    serving.push();
    wait_until("the failure", || {
        let run = serving.get("/api/v1/runs/1").json();
        let jobs = run["jobs"].as_array().cloned().unwrap_or_default();
        jobs.iter().any(|job| job["conclusion"] == "failure")
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/viewer.mjs");
    let mut node = Command::new("node");
    let node = node.arg(script).arg(modules()).args([&serving.url, &serving.token]);
    let node = node.args(["/runs/1.1/jobs/failed", "/runs/1.1/jobs/running"]);
    let output = node.env("GO_ON", serving.place.path("marks").join("go-on")).output();
    let output = output.expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    serving.leave("end");
    serving.ended("1");
    serving.end();
}

/// A job that says something, one above it that does so later, and one that goes on.
const SUMMARIES: &str = r#"
on: push
jobs:
  late:
    runs-on: ubuntu-latest
    steps:
      - run: until [ -e $MARKS/go-on ]; do sleep 0.05; done
      - run: echo '<details><summary>Labels of late</summary>one</details>' >> "$GITHUB_STEP_SUMMARY"
  early:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo "<details><summary>Labels of early</summary>two</details>" >> "$GITHUB_STEP_SUMMARY"' }]
  running:
    runs-on: ubuntu-latest
    steps: [{ run: 'until [ -e $MARKS/end ]; do sleep 0.05; done' }]
"#;

#[test]
fn what_somebody_does_on_a_live_page_stays_theirs() {
    let serving = Serving::of(SUMMARIES);
    serving.push();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/live.mjs");
    let mut node = Command::new("node");
    let node = node.arg(script).arg(modules()).args([&serving.url, &serving.token, "/runs/1.1"]);
    let node = node.env("GO_ON", serving.place.path("marks").join("go-on"));
    let output = node.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    let because = |action: &str| {
        let trail = serving.get(&format!("/api/v1/audit?action={action}")).json();
        trail["decisions"][0]["reason"].clone()
    };
    assert_eq!(because("run.cancel"), "it was only to be looked at");
    assert_eq!(because("run.again"), "nobody looked");
    serving.leave("end");
    serving.ended("1");
    serving.end();
}

#[cfg(feature = "soak")]
const MILLION: &str = "
on: push
jobs:
  long:
    runs-on: ubuntu-latest
    steps: [{ run: 'seq -f \"%.0f of a million lines, each as long as lines of a build mostly are, with a path /usr/lib/x/y and a number; and some words more, so that the log has two hundred megabytes in all\" 1000000' }]
";

/// Figures, not asserted: machines differ. The notes have them.
#[cfg(feature = "soak")]
#[test]
fn a_million_lines_in_figures() {
    let serving = Serving::of(MILLION);
    serving.push();
    serving.ended("1");
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/log.mjs");
    let mut node = Command::new("node");
    let node = node.arg(tour).arg(modules()).args([&serving.url, &serving.token]);
    let output = node.arg("/runs/1.1/jobs/long").output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    serving.end();
}
