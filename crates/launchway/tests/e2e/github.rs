//! A server that is connected to GitHub: what is pushed there runs here, once, whoever is killed;
//! what is forged, copied, stale or too large does not come in; code of forks gets nothing.

use std::process::{Child, Stdio};
use std::time::Duration;

use expect_test::{Expect, expect};
use model_github::{Front, GitHub, Hook, Pull};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::harness::{Place, Said, end_all, living, wait_for_line, wait_until};
use crate::kill::signal;

/// What lets us in; it stands nowhere but in the vault.
const TOKEN: &str = "ghp_thisIsTheTokenThatNobodyMaySee";

/// GitHub, a server connected to it, and a work tree that pushes there.
pub(crate) struct Connected {
    pub(crate) place: Place,
    pub(crate) github: Front,
    server: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    /// What it is started with besides.
    more: Vec<String>,
}

fn start(place: &Place, more: &[String]) -> (Child, String) {
    let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
    let data = place.path("data").display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--jobs", "2", "--grace", "0", "--data", &data];
    let mut command = place.launchway(&args);
    // Code of forks is kept in all the same.
    command.args(["--trusted-label", "ubuntu-latest=everything"]).args(more);
    let server = command.stdout(file("served")).stderr(file("said")).spawn().expect("it starts");
    let line = wait_for_line(&place.path("served"));
    (server, line.strip_prefix("serving ").expect("where it serves").to_owned())
}

impl Connected {
    pub(crate) fn of(workflows: &[(&str, &str)], as_app: bool, add: &[&str]) -> Connected {
        Connected::served(workflows, as_app, add, &[])
    }

    /// The same, of a server that is started with more.
    pub(crate) fn served(
        workflows: &[(&str, &str)],
        as_app: bool,
        add: &[&str],
        more: &[&str],
    ) -> Connected {
        let more: Vec<String> = more.iter().map(|it| (*it).to_owned()).collect();
        let place = Place::with(&[]);
        let marks = place.path("marks");
        std::fs::create_dir_all(&marks).expect("a folder of ours");
        for (name, text) in workflows {
            let text = text.replace("$MARKS", &marks.display().to_string());
            place.write(&format!(".github/workflows/{name}"), &text);
        }
        place.commit();
        let mut github = GitHub::default();
        github.tokens.insert(TOKEN.to_owned(), "launchway-ci".to_owned());
        github.tokens.insert("ghp_mona".to_owned(), "mona".to_owned());
        github.add("octo/app");
        github.add("hubot/app");
        let key = as_app.then(model_github::new_key);
        github.app = key.clone().map(|key| ("12".to_owned(), key));
        let github = Front::serve(github, &place.path("github")).expect("a port");
        let (server, url) = start(&place, &more);
        let mut it = Connected { place, github, server, url, token: String::new(), more };
        wait_until("the first token", || {
            let said = std::fs::read_to_string(it.place.path("said")).unwrap_or_default();
            let token = said.lines().find_map(|line| line.trim().strip_prefix("launchway_"));
            it.token = token.map(|it| format!("launchway_{it}")).unwrap_or_default();
            !it.token.is_empty()
        });
        let connected = match &key {
            Some(key) => {
                std::fs::write(it.place.path("key.pem"), key).expect("a file of ours");
                let path = it.place.path("key.pem").display().to_string();
                let url = it.github.url();
                it.command(&["github", "connect", "--url", &url, "--app", "12", "--key", &path])
            }
            None => it.connect_with(TOKEN),
        };
        assert_eq!(connected.exit, 0, "{}", connected.stderr);
        let secret = connected.stderr.lines().map(str::trim).find(|it| it.len() == 64);
        let secret = secret.expect("the secret is shown").to_owned();
        let hook = Hook { url: format!("{}/webhooks/github", it.url), secret };
        it.github.with(|github| github.hook = Some(hook));
        it.push("main");
        let added = it.command(&[&["repositories", "add", "github:octo/app"], add].concat());
        assert_eq!(added.exit, 0, "{}", added.stderr);
        it
    }

    fn connect_with(&self, token: &str) -> Said {
        let data = self.place.path("data").display().to_string();
        let url = self.github.url();
        let mut command =
            self.place.launchway(&["github", "connect", "--url", &url, "--data", &data]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        use std::io::Write as _;
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(token.as_bytes()).expect("it reads");
        drop(input);
        Said::from(child.wait_with_output().expect("it ends"))
    }

    /// A command that looks after the server.
    pub(crate) fn command(&self, args: &[&str]) -> Said {
        let data = self.place.path("data").display().to_string();
        self.place.run(&[args, &["--data", &data]].concat())
    }

    /// Pushes what is checked out to a branch there, as a person.
    pub(crate) fn push(&self, branch: &str) {
        self.push_to("octo/app", branch);
    }

    pub(crate) fn push_to(&self, name: &str, branch: &str) {
        let url = self.github.url().replace("http://", "http://mona:ghp_mona@");
        let refspec = format!("+HEAD:refs/heads/{branch}");
        self.place.git(&["push", "--quiet", &format!("{url}/{name}.git"), &refspec]);
    }

    pub(crate) fn get(&self, path: &str) -> Json {
        let config = https::config().proxy(None).timeout_global(Some(Duration::from_secs(60)));
        let request = config.build().new_agent().get(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let text = request.call().expect("an answer").body_mut().read_to_string();
        serde_json::from_str(&text.expect("its body")).expect("JSON")
    }

    /// Asks for something with a body; the status and what is answered.
    pub(crate) fn ask(&self, path: &str, body: &Json) -> (u16, Json) {
        let request = ureq::http::Request::post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        let request = request.body(body.to_string()).expect("a request");
        let mut answer = crate::serving::Serving::agent().run(request).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("its body");
        (answer.status().as_u16(), serde_json::from_str(&text).expect("JSON"))
    }

    /// What the server says of its runs, oldest first, once there are so many and all are over.
    /// Asks for something to be done; how that ends.
    fn post(&self, path: &str, token: &str) -> u16 {
        let request = ureq::http::Request::post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"));
        let answer = crate::serving::Serving::agent().run(request.body(()).expect("a request"));
        answer.expect("an answer").status().as_u16()
    }

    pub(crate) fn runs(&self, count: usize) -> String {
        let mut shown = Json::Null;
        wait_until("the runs' end", || {
            shown = self.get("/api/v1/runs?limit=100");
            let runs = shown["runs"].as_array().expect("a list");
            runs.len() >= count && runs.iter().all(|it| !it["conclusion"].is_null())
        });
        let runs = shown["runs"].as_array().expect("a list");
        let line = |it: &Json| {
            format!("{} {} {} {}\n", it["run"], it["event"], it["branch"], it["conclusion"])
        };
        runs.iter().rev().map(line).collect::<String>().replace('"', "")
    }

    /// What was said of the events that came, oldest first, once there are so many.
    pub(crate) fn told(&self, count: usize) -> Vec<String> {
        let mut shown = Json::Null;
        wait_until("what was said", || {
            shown = self.get("/api/v1/pushes");
            shown["pushes"].as_array().is_some_and(|it| it.len() >= count)
        });
        let all = shown["pushes"].as_array().expect("a list").iter().rev();
        all.map(|it| {
            it["said"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|it| it.as_str().expect("text"))
                .collect::<Vec<_>>()
                .join("; ")
        })
        .collect()
    }

    pub(crate) fn mark(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path("marks").join(name)).unwrap_or_default()
    }

    pub(crate) fn kill(&mut self) {
        signal(self.server.id(), Signal::KILL);
        self.server.wait().expect("it was started");
    }

    /// Starts it again, where GitHub finds it.
    pub(crate) fn restart(&mut self) {
        (self.server, self.url) = start(&self.place, &self.more);
        let url = format!("{}/webhooks/github", self.url);
        self.github.with(|github| {
            github.hook.as_mut().expect("it was set").url = url;
        });
    }

    pub(crate) fn pull(&self, number: u64, of: &str, branch: &str) -> Pull {
        Pull {
            number,
            head_repository: of.to_owned(),
            head_ref: branch.to_owned(),
            base_ref: "main".to_owned(),
            author: "hubot".to_owned(),
            association: "NONE".to_owned(),
        }
    }

    /// Ends the server as a person does; nothing of it lives on, and the token stands nowhere.
    pub(crate) fn end(mut self) {
        signal(self.server.id(), Signal::TERM);
        let status = self.server.wait().expect("it was started");
        assert!(status.success(), "{status}");
        wait_until("everything's end", || living(&self.place).is_empty());
        let data = self.place.path("data").display().to_string();
        let mut grep = self.place.program("grep");
        let found = grep.args(["-rlE", "ghp_thisIs|ghs_[0-9]|PRIVATE KEY|eC1hY2Nlc3M", &data]);
        let found = found.output().expect("grep starts");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
        let said = std::fs::read_to_string(self.place.path("said")).expect("a file of ours");
        assert!(!said.contains("ghp_") && !said.contains("ghs_"), "{said}");
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.server.kill();
        let _ = self.server.wait();
        end_all(&self.place);
    }
}

const CI: &str = r#"
on: [push, pull_request]
jobs:
  hello:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: 'echo "$GITHUB_EVENT_NAME $GITHUB_REF $(cat file)" >> $MARKS/hello'
"#;

#[test]
fn what_is_pushed_to_github_runs_once() {
    let mut it = Connected::of(&[("ci.yml", CI)], true, &[]);
    it.place.write("file", "one");
    it.place.commit();
    it.push("main");
    expect![[r#"
        1 push main success
    "#]]
    .assert_eq(&it.runs(1));
    // Delivered again, and while nobody is there.
    let first = it.github.sent().last().expect("one was sent").clone();
    assert_eq!(first.status, Some(202));
    assert_eq!(it.github.redeliver(&first.id), Some(200));
    it.kill();
    it.place.write("file", "two");
    it.place.commit();
    it.push("main");
    it.restart();
    let missed = it.github.sent().last().expect("one was sent").clone();
    assert_eq!(missed.status, None);
    assert_eq!(it.github.redeliver(&missed.id), Some(202));
    it.place.git(&["checkout", "--quiet", "-b", "change"]);
    it.place.write("file", "three");
    it.place.commit();
    it.push("change");
    it.github.open("octo/app", it.pull(1, "octo/app", "change")).expect("git does");
    expect![[r#"
        1 push main success
        2 push main success
        3 push change success
        4 pull_request 1/merge success
    "#]]
    .assert_eq(&it.runs(4));
    let mut marks: Vec<String> = it.mark("hello").lines().map(str::to_owned).collect();
    marks.sort();
    expect![[r#"
        [
            "pull_request refs/pull/1/merge three",
            "push refs/heads/change three",
            "push refs/heads/main one",
            "push refs/heads/main two",
        ]
    "#]]
    .assert_debug_eq(&marks);
    it.end();
}

const BY_HAND: &str = "
on: { workflow_dispatch: { inputs: { place: { required: true }, dry: { type: boolean, default: true } } } }
jobs:
  job:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo WHICH ${{ inputs.place }} ${{ inputs.dry }} $GITHUB_REF_NAME $GITHUB_ACTOR >> $MARKS/by-hand' }]
";

#[test]
fn what_somebody_dispatches_at_github_runs_the_workflow_that_they_named() {
    let named = |name: &str| BY_HAND.replace("WHICH", name);
    let (ship, other) = (named("ship"), named("other"));
    let it =
        Connected::of(&[("ship.yml", &ship), ("other.yml", &other), ("ci.yml", CI)], true, &[]);
    let dispatched = |file: &str, git_ref: &str, inputs: Json| {
        let workflow = format!(".github/workflows/{file}");
        let more = json!({ "workflow": workflow, "ref": git_ref, "inputs": inputs });
        it.github.tell("workflow_dispatch", &it.github.payload("octo/app", more))
    };
    assert_eq!(dispatched("ship.yml", "refs/heads/main", json!({ "place": "moon" })), Some(202));
    assert_eq!(it.runs(1), "1 workflow_dispatch main success\n");
    // Told again, it is the same one.
    let first = it.github.sent().last().expect("one was sent").clone();
    assert_eq!(it.github.redeliver(&first.id), Some(200));
    it.place.git(&["checkout", "--quiet", "-b", "side"]);
    it.push("side");
    let said = json!({ "place": "mars", "dry": "false" });
    assert_eq!(dispatched("other.yml", "refs/heads/side", said), Some(202));
    let runs = it.runs(3);
    assert!(runs.ends_with("3 workflow_dispatch side success\n"), "{runs}");
    assert_eq!(it.mark("by-hand"), "ship moon true main mona\nother mars false side mona\n");
    // A file that does not run by hand, and a branch that is not there: nothing runs, and that is said.
    dispatched("ci.yml", "refs/heads/main", json!({}));
    dispatched("ship.yml", "refs/heads/gone", json!({ "place": "moon" }));
    expect![[r#"

        .github/workflows/other.yml does not run: It runs on workflow_dispatch, not on push.; .github/workflows/ship.yml does not run: It runs on workflow_dispatch, not on push.

        .github/workflows/ci.yml does not run: It runs on push, pull_request, not on workflow_dispatch.
        nothing runs: it is not there any more: another push took its place"#]].assert_eq(&it.told(5).join("\n"));
    assert_eq!(it.runs(3), runs);
    it.end();
}

const TOLD: &str = r#"
on: pull_request
jobs:
  warns:
    runs-on: ubuntu-latest
    steps:
      - run: 'for i in $(seq 8); do echo "::warning file=src/a.rs,line=$i::number $i"; done'
      - run: 'while ! test -e $MARKS/go; do sleep 0.02; done'
      - run: |
          echo '<testsuite><testcase name="adds"/><testcase name="waits"><skipped/></testcase></testsuite>' > junit.xml
      - uses: actions/upload-artifact@v4
        with: { name: reports, path: junit.xml }
  ships:
    needs: warns
    environment: { name: staging, url: 'https://staging.example.com' }
    runs-on: ubuntu-latest
    steps: [{ run: 'while ! test -e $MARKS/ship; do sleep 0.02; done; exit 3' }]
"#;

impl Connected {
    /// What stands there, once it is as it will be.
    fn stands(
        &self,
        is_it: impl Fn(&model_github::Repository) -> bool,
    ) -> model_github::Repository {
        let look = || self.github.with(|github| github.repositories["octo/app"].clone());
        wait_until("what GitHub is told", || is_it(&look()));
        look()
    }
}

/// What counts of each, without what is new in every run.
fn shown(repository: &model_github::Repository) -> String {
    let mut text = String::new();
    for it in &repository.checks {
        let output = &it["output"];
        text += &format!(
            "{} {} {} {}\n",
            it["name"], it["status"], it["conclusion"], output["annotations_count"]
        );
    }
    for it in &repository.deployments {
        text += &format!("deployment to {}\n", it["environment"]);
    }
    for it in &repository.deployment_statuses {
        let line = format!("  {} {}", it["state"], it["environment_url"]).replace('"', "");
        text += &format!("{}\n", line.trim_end());
    }
    text += &format!("{} comment\n", repository.comments.len());
    text.replace('"', "")
}

// proves: conformance 224
#[test]
fn checks_deployments_and_the_comment_stand_there_once() {
    let mut it = Connected::of(&[("told.yml", TOLD)], true, &["--environment", "staging"]);
    it.place.git(&["checkout", "--quiet", "-b", "change"]);
    it.place.write("file", "x");
    it.place.commit();
    it.push("change");
    let fault = |method: &str, path: &str, kind: model_github::FaultKind| model_github::Fault {
        method: method.to_owned(),
        path: path.to_owned(),
        kind,
        times: 1,
    };
    use model_github::FaultKind::{AnswerLost, Broken, CallLost, Limited};
    it.github.with(|github| {
        github.faults = vec![
            fault("POST", "/check-runs", AnswerLost),
            fault("PATCH", "/check-runs", Limited(1)),
            fault("POST", "/comments", AnswerLost),
            fault("POST", "/deployments", AnswerLost),
            fault("GET", "/commits/", CallLost),
        ];
    });
    it.github.open("octo/app", it.pull(1, "octo/app", "change")).expect("git does");
    let before = it.stands(|it| {
        !it.comments.is_empty() && it.checks.iter().any(|it| it["status"] == "in_progress")
    });
    assert!(before.comments[0]["body"].as_str().expect("text").contains("| runs |"));
    // Killed; what it had running is lost, and begins again by itself.
    it.kill();
    it.github.with(|github| github.faults.push(fault("PATCH", "/check-runs", Broken)));
    it.restart();
    std::fs::write(it.place.path("marks/go"), "").expect("a file of ours");
    it.stands(|it| it.deployment_statuses.len() == 1);
    std::fs::write(it.place.path("marks/ship"), "").expect("a file of ours");
    let after = it.stands(|it| {
        let is_over = |it: &Json| it["status"] == "completed";
        it.checks.iter().all(is_over)
            && it.deployment_statuses.len() == 2
            && it.comments[0]["body"].as_str().is_some_and(|text| text.contains("| failure |"))
    });
    expect![[r#"
        told / warns (pull_request) completed success 8
        told / ships (pull_request) completed failure 1
        deployment to staging
          in_progress
          failure https://staging.example.com
        1 comment
    "#]]
    .assert_eq(&shown(&after));
    assert_eq!(after.comments[0]["id"], before.comments[0]["id"]);
    let comment = after.comments[0]["body"].as_str().expect("text");
    assert!(comment.contains("\ntold.yml: [1 passed, 1 skipped]("), "{comment}");
    let head = after.checks[0]["head_sha"].as_str().expect("text");
    let sent = it.github.sent();
    let opened = sent.iter().find(|it| it.event == "pull_request").expect("one was opened");
    assert!(opened.body.contains(head), "a check stands at the branch's own commit");
    assert_eq!(it.github.with(|github| github.faults.len()), 0);
    it.end();
}

const TESTED: &str = r#"
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    defaults: { run: { working-directory: api } }
    steps:
      - uses: actions/checkout@v4
      - run: |
          echo "::error file=api/shelf.py,line=1::first"
          echo '<testsuite name="pytest"><testcase classname="tests.Shelf" name="loses" file="tests/test_shelf.py" line="6"><failure/></testcase><testcase classname="Shelf" name="is gone" file="gone.py" line="3"><error/></testcase><testcase classname="Shelf" name="has no line" file="shelf.py"><failure/></testcase><testcase classname="Shelf" name="adds" file="shelf.py" line="1"/></testsuite>' > junit.xml
      - uses: actions/upload-artifact@v4
        with: { name: reports, path: api/junit.xml }
      - run: exit 1
"#;

/// Tests that failed stand at their place, where a report says one that the commit has; the others are named.
#[test]
fn failed_tests_are_annotations_where_they_stand() {
    let it = Connected::of(&[("tested.yml", TESTED)], true, &[]);
    for file in ["api/shelf.py", "api/tests/test_shelf.py"] {
        it.place.write(file, "x");
    }
    it.place.commit();
    it.push("main");
    let is_told = |check: &Json| {
        let summary = check["output"]["summary"].as_str().unwrap_or_default();
        check["status"] == "completed" && summary.contains("failed](")
    };
    let after = it.stands(|it| {
        let all = it.checks.iter().all(|it| is_told(it) && it["output"]["annotations_count"] == 3);
        all && !it.checks.is_empty()
    });
    let told = after.annotations.values().flatten().map(|it| {
        format!("{}:{} {} {}\n", it["path"], it["start_line"], it["title"], it["message"])
    });
    expect![[r#"
        "api/shelf.py":1 null "first"
        ".github":1 null "Process completed with exit code 1."
        "api/tests/test_shelf.py":7 "Test failed" "tests.Shelf › loses"
    "#]]
    .assert_eq(&told.collect::<String>());
    let summary = after.checks[0]["output"]["summary"].as_str().expect("text");
    let tests: Vec<&str> = summary.lines().filter(|it| it.starts_with("- ")).collect();
    expect![[r#"
        - Shelf › has no line
        - Shelf › is gone
        - tests.Shelf › loses, api/tests/test_shelf.py:7"#]]
    .assert_eq(&tests.join("\n"));
    it.end();
}

const COVERED: &str = r#"
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: '{ echo SF:a.py; cat lines; echo end_of_record; } > lcov.info'
      - uses: actions/upload-artifact@v4
        with: { name: coverage-api, path: lcov.info }
"#;
const OTHER: &str =
    "on: push\njobs: { lint: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n";

/// A minimum is a check of its own, whose name a branch can require; workflows that keep no reports have none.
#[test]
fn too_little_coverage_is_a_check_that_failed() {
    let it = Connected::of(&[("covered.yml", COVERED), ("other.yml", OTHER)], true, &[]);
    let minimum = "version: 1\nproject: a\ncoverage: { minimum: 40, flags: { api: 80, web: 5 } }\n";
    it.place.write("launchway.yml", minimum);
    let pushed = |lines: &str, checks: usize| {
        it.place.write("lines", lines);
        it.place.commit();
        it.push("main");
        let after = it.stands(|it| {
            it.checks.len() == checks && it.checks.iter().all(|it| it["status"] == "completed")
        });
        let told = |it: &&Json| it["name"] == "covered / minimum coverage (push)";
        let told: Vec<&Json> = after.checks.iter().filter(told).collect();
        let last = told.last().expect("it is told");
        let summary = last["output"]["summary"].as_str().expect("text");
        let lines: Vec<&str> = summary.lines().filter(|it| it.starts_with("- ")).collect();
        format!("{}: {}\n{}", last["conclusion"], last["output"]["title"], lines.join("\n"))
    };
    expect![[r#"
        "failure": "coverage of api: 50.0 % is under the minimum of 80 %, and 2 more"
        - coverage of api: 50.0 \% is under the minimum of 80 \%
        - coverage: 50.0 \% is at least the minimum of 40 \%
        - coverage of web: no run has kept a report of it yet; the minimum is 5 \%"#]]
    .assert_eq(&pushed("DA:1,1\nDA:2,0\n", 3));
    expect![[r#"
        "success": "coverage: 100.0 % is at least the minimum of 40 %, and 2 more"
        - coverage: 100.0 \% is at least the minimum of 40 \%
        - coverage of api: 100.0 \% is at least the minimum of 80 \%
        - coverage of web: no run has kept a report of it yet; the minimum is 5 \%"#]]
    .assert_eq(&pushed("DA:1,1\nDA:2,1\n", 6));
    it.end();
}

const BUILDS: &str = r#"
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cp built "$(dirname "$GITHUB_OUTPUT")/images.jsonl"
      - uses: actions/upload-artifact@v4
        with: { name: built, path: built }
"#;

#[test]
fn too_large_an_image_is_a_check_that_failed() {
    let it = Connected::of(&[("builds.yml", BUILDS), ("other.yml", OTHER)], true, &[]);
    let maximum = "version: 1\nproject: a\nimages: { maximum: 500MB, names: { worker: 2GB } }\n";
    it.place.write("launchway.yml", maximum);
    let pushed = |bytes: u64, checks: usize| {
        let image = |name: &str, bytes: u64| {
            let image = json!({ "names": [name], "size_bytes": bytes, "size_of": "unpacked" });
            format!("{image}\n")
        };
        let text = image("ghcr.io/octo/api:v2", bytes) + &image("octo/worker", 1_200_000_000);
        it.place.write("built", &text);
        it.place.commit();
        it.push("main");
        let after = it.stands(|it| {
            it.checks.len() == checks && it.checks.iter().all(|it| it["status"] == "completed")
        });
        let told = |it: &&Json| it["name"] == "builds / maximum image size (push)";
        let told: Vec<&Json> = after.checks.iter().filter(told).collect();
        let last = told.last().expect("it is told");
        let summary = last["output"]["summary"].as_str().expect("text");
        let lines: Vec<&str> = summary.lines().filter(|it| it.starts_with("- ")).collect();
        format!("{}: {}\n{}", last["conclusion"], last["output"]["title"], lines.join("\n"))
    };
    expect![[r#"
        "failure": "image ghcr.io/octo/api: 612.0 MB is over the maximum of 500MB, and 1 more"
        - image ghcr.io/octo/api: 612.0 MB is over the maximum of 500MB
        - image octo/worker: 1.20 GB is within the maximum of 2GB"#]]
    .assert_eq(&pushed(612_000_000, 3));
    expect![[r#"
        "success": "image ghcr.io/octo/api: 499.9 MB is within the maximum of 500MB, and 1 more"
        - image ghcr.io/octo/api: 499.9 MB is within the maximum of 500MB
        - image octo/worker: 1.20 GB is within the maximum of 2GB"#]]
    .assert_eq(&pushed(499_999_999, 6));
    it.end();
}

const SECRETIVE: &str = r#"
on: pull_request
permissions: write-all
jobs:
  asks:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo "secret=[${{ secrets.DEPLOY_KEY }}] var=[${{ vars.PLACE }}] token=[${{ secrets.GITHUB_TOKEN }}]" > asked
          cat asked
          cat asked >> $MARKS/asks || echo "kept in"
"#;

#[test]
fn code_of_forks_waits_and_gets_nothing() {
    let ships = "on: pull_request\njobs: { ships: { environment: staging, runs-on: ubuntu-latest, steps: [{ run: 'echo x >> $MARKS/ships' }] } }\n";
    let workflows = [("asks.yml", SECRETIVE), ("ships.yml", ships)];
    let it = Connected::of(&workflows, false, &["--environment", "staging"]);
    let data = it.place.path("data").display().to_string();
    let of = ["--repository", "octo/app", "--data", &data];
    let secret = [&["secrets", "set", "DEPLOY_KEY"], &of[..]].concat();
    let variable = [&["vars", "set", "PLACE", "hunter2hunter2"], &of[..]].concat();
    for args in [secret, variable] {
        let said = crate::kept::given(&it.place, &args, "hunter2hunter2");
        assert_eq!(said.exit, 0, "{}", said.stderr);
    }
    it.place.git(&["checkout", "--quiet", "-b", "evil"]);
    it.place.write("file", "x");
    it.place.commit();
    it.push_to("hubot/app", "evil");
    it.github.open("octo/app", it.pull(1, "hubot/app", "evil")).expect("git does");
    assert_eq!(
        it.told(1),
        [
            ".github/workflows/ships.yml does not run: the job ships runs in the environment staging, and code of a fork runs in none"
        ]
    );
    assert_eq!(it.mark("asks"), "");
    let held = it.command(&["repositories", "held", "--format", "json"]);
    let at_server = |args: &[&str]| {
        let mut command = it.place.launchway(&[args, &["--server", &it.url]].concat());
        Said::from(command.env("LAUNCHWAY_TOKEN", &it.token).output().expect("it starts"))
    };
    let there = at_server(&["repositories", "held", "--format", "json"]);
    assert_eq!((&there.stdout, there.exit), (&held.stdout, 0), "{}", there.stderr);
    let held: Json = serde_json::from_str(&held.stdout).expect("one waits");
    assert_eq!(held["ref"], "refs/pull/1/merge");
    let id = held["id"].as_str().expect("it has one");
    let let_in = it.command(&["repositories", "let-in", id, "--reason", "it was read"]);
    assert_eq!((let_in.exit, &*let_in.stderr), (0, "1 run let in\n"));
    it.runs(1);
    let log = it.place.run(&["runs", "logs", "1", "--state", &data]).stdout;
    assert!(log.contains("secret=[] var=[] token=[]"), "{log}");
    assert!(log.lines().any(|line| line.ends_with("kept in")), "{log}");
    assert_eq!(it.mark("asks"), "");
    // Who is no app makes statuses.
    let told = it.stands(|it| it.statuses.iter().any(|it| it["state"] == "success"));
    assert_eq!(told.statuses[0]["context"], "asks / asks (pull_request)");
    assert_eq!(told.checks.len(), 0);
    assert_eq!(it.command(&["repositories", "let-in", id]).exit, 2);
    // A branch of the repository itself is trusted.
    it.push("own");
    it.github.open("octo/app", it.pull(2, "octo/app", "own")).expect("git does");
    it.runs(3);
    assert_eq!(it.mark("ships"), "x\n");
    assert!(it.mark("asks").contains("secret=[hunter2hunter2] var=[hunter2hunter2]"));
    // What it brings later waits again: on a page with a button, for those who may let it in.
    it.place.write("file", "z");
    it.place.commit();
    it.push_to("hubot/app", "evil");
    it.told(4);
    let held = it.get("/api/v1/held");
    let path = format!("/api/v1/held/{}/let-in", held["held"][0]["id"].as_str().expect("one"));
    let reader = it.command(&["tokens", "create", "lena", "--scope", "read"]);
    assert_eq!(it.post(&path, reader.stdout.trim()), 403);
    assert_eq!(it.post("/api/v1/held/..%2Finbox/let-in", &it.token), 404);
    assert_eq!(it.post(&path, &it.token), 200);
    assert_eq!(it.post(&path, &it.token), 404);
    it.runs(4);
    assert_eq!(it.get("/api/v1/held")["held"], Json::Array(Vec::new()));
    // What was switched off since it was pushed does not run.
    it.place.write("file", "w");
    it.place.commit();
    it.push_to("hubot/app", "evil");
    it.told(5);
    let held = it.get("/api/v1/held");
    let id = held["held"][0]["id"].as_str().expect("one");
    let file = "/api/v1/repositories/octo/app/workflow-files/asks.yml";
    assert_eq!(it.post(&format!("{file}/disable"), &it.token), 200);
    let let_in = at_server(&["repositories", "let-in", id, "--reason", "it was read again"]);
    expect_test::expect![[r#"
        0 runs let in
        .github/workflows/asks.yml is switched off: it does not run
    "#]]
    .assert_eq(&let_in.stderr);
    assert_eq!(it.get("/api/v1/held")["held"], Json::Array(Vec::new()));
    let audit = it.get("/api/v1/audit?action=fork.let_in");
    let decisions = audit["decisions"].as_array().expect("they are listed");
    // One was let in by a command: who runs the tests is not known.
    assert_eq!(decisions.iter().filter(|it| it["source"] == "command").count(), 1);
    let why: Vec<_> = decisions.iter().map(|it| &it["reason"]).collect();
    assert_eq!(why, ["it was read again", "", "it was read"]);
    let by_page = decisions.iter().filter(|it| it["source"] != "command");
    let said = by_page.map(|it| (it["actor"].clone(), it["refused"] == false));
    let said: Vec<_> = said.map(|(actor, done)| format!("{actor} {done}")).collect();
    assert_eq!(said, ["\"machine:first start\" true"; 2]);
    let never = it.command(&["repositories", "add", "github:octo/app", "--forks", "never"]);
    assert_eq!(never.exit, 0, "{}", never.stderr);
    it.place.write("file", "y");
    it.place.commit();
    it.push_to("hubot/app", "evil");
    let told = it.told(6);
    assert!(told[5].contains("code of forks does not run here"), "{told:?}");
    it.end();
}

#[test]
fn what_github_did_not_say_does_not_come_in() {
    let it = Connected::of(&[("ci.yml", CI)], false, &[]);
    it.place.write("file", "one");
    it.place.commit();
    it.push("main");
    it.runs(1);
    let sent = it.github.sent().last().expect("one was sent").clone();
    let hook = it.github.with(|github| github.hook.clone()).expect("it was set");
    let with = |secret: &str, change: &dyn Fn(&mut Json)| {
        let mut payload: Json = serde_json::from_str(&sent.body).expect("JSON");
        change(&mut payload);
        it.github.with(|github| github.hook.as_mut().expect("it is set").secret = secret.into());
        let status = it.github.tell("push", &payload);
        it.github.with(|github| github.hook = Some(hook.clone()));
        status
    };
    let same = |_: &mut Json| {};
    // Forged; the same words under another id; of last week; of nothing that is known; no push at all.
    assert_eq!(with("guessed", &same), Some(401));
    assert_eq!(with(&hook.secret, &same), Some(200));
    let old = |payload: &mut Json| payload["repository"]["pushed_at"] = json!(1_700_000_000);
    assert_eq!(with(&hook.secret, &old), Some(422));
    let other = |payload: &mut Json| payload["repository"]["full_name"] = json!("octo/other");
    assert_eq!(with(&hook.secret, &other), Some(200));
    let none = |payload: &mut Json| payload["ref"] = json!("--upload-pack=/bin/sh");
    assert_eq!(with(&hook.secret, &none), Some(422));
    // A commit that is not there: taken, and said.
    let gone =
        |payload: &mut Json| payload["after"] = json!("1111111111111111111111111111111111111111");
    assert_eq!(with(&hook.secret, &gone), Some(202));
    let told = it.told(2);
    assert!(told[1].contains("nothing runs: it is not there any more"), "{told:?}");
    // What is there and is none: said at once, too, and nothing waits for it.
    let blob = it.place.program("git").args(["rev-parse", "HEAD:file"]).output();
    let blob = String::from_utf8(blob.expect("git starts").stdout).expect("hex");
    let blob = blob.trim_end();
    let none = |payload: &mut Json| payload["after"] = json!(blob);
    assert_eq!(with(&hook.secret, &none), Some(202));
    let told = it.told(3);
    assert!(told[2].contains(&format!("nothing runs: {blob} leads to a blob")), "{told:?}");
    // Too large: refused by what it says of itself, before it is read.
    refused(&it.url, "Content-Length: 99999999\r\n", "413");
    refused(&it.url, "Transfer-Encoding: chunked\r\n", "411");
    assert_eq!(it.runs(1).lines().count(), 1);
    it.end();
}

/// What is answered to a head without a body.
fn refused(url: &str, header: &str, status: &str) {
    use std::io::{Read as _, Write as _};
    let host = url.strip_prefix("http://").expect("an address");
    let mut stream = std::net::TcpStream::connect(host).expect("it listens");
    let head = format!("POST /webhooks/github HTTP/1.1\r\nHost: {host}\r\n{header}\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"));
}

fn check(said: &Said, exit: i32, expect: Expect) {
    assert_eq!(said.exit, exit, "{}", said.stderr);
    expect.assert_eq(&said.stderr);
}

#[test]
fn what_cannot_be_connected_says_why() {
    let it = Connected::of(&[("ci.yml", CI)], false, &[]);
    let said = it.connect_with("ghp_wrong");
    let host = it.github.url().replace("http://", "");
    assert_eq!(said.exit, 5);
    assert!(
        said.stderr.contains(&format!("{host} does not let us in: Bad credentials")),
        "{}",
        said.stderr
    );
    check(
        &it.command(&["repositories", "add", "github:octo"]),
        2,
        expect![[r#"
            error: `octo` is no name of a repository
            hint: OWNER/NAME, of letters, digits, dashes, dots and underscores
        "#]],
    );
    let absent = it.command(&["repositories", "add", "github:octo/absent"]);
    assert_eq!(absent.exit, 5);
    assert!(absent.stderr.contains("does not let us see it"), "{}", absent.stderr);
    check(
        &it.command(&["github", "connect", "--url", "http://github.example.com"]),
        2,
        expect![[r#"
            error: --url and --api take an address, without a name to sign in with
            hint: such as https://github.example.com
        "#]],
    );
    let status = it.command(&["github", "status"]);
    let expect = format!("{}  as launchway-ci (by token)\n  octo/app\n", it.github.url());
    assert_eq!((status.exit, &*status.stdout), (0, &*expect));
    it.end();
}
