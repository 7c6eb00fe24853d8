//! Incidents: opened by a deployment that goes wrong, by a command, by a server's API and pages.

use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use crate::deploy::Project;
use crate::github::Connected;
use crate::harness::{Place, Said, wait_until};
use crate::serving::Serving;

fn told(all: &[Json]) -> String {
    let line = |it: &Json| {
        format!(
            "{} {} {} by {}, fixed by {}, {} times: {}\n",
            it["incident"],
            it["source"],
            it["state"],
            it["caused_by"],
            it["fixed_by"],
            it["spans"].as_array().map_or(0, Vec::len),
            it["title"]
        )
    };
    all.iter().map(line).collect::<String>().replace('"', "")
}

fn check(project: &Project, args: &[&str], expected: &Expect) {
    let said = project.place.json(args);
    let words = if said.exit == 0 { told(&said.lines()) } else { said.stderr };
    expected.assert_eq(&words);
}

#[test]
fn a_deployment_opens_its_own_and_people_open_theirs() {
    let project = Project::new("");
    let deploy = |version: &str| {
        project.version(version);
        project.run(&["deploy", "staging", "--yes"]).exit
    };
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    check(&project, &["incidents", "list"], &expect![""]);
    assert_eq!((deploy("1.1-broken"), deploy("1.2")), (6, 0));
    let open = ["incidents", "open", "mails are late", "--caused-by", "3", "--severity", "minor"];
    check(
        &project,
        &open,
        &expect![[r#"
        2 person open by 3, fixed by [], 1 times: mails are late
    "#]],
    );
    check(
        &project,
        &["incidents", "open", "it is slow", "-e", "staging"],
        &expect![[r#"
        3 person open by null, fixed by [], 1 times: it is slow
    "#]],
    );
    assert_eq!(deploy("1.3"), 0);
    check(
        &project,
        &["incidents", "resolve", "2", "--fixed-by", "4"],
        &expect![[r#"
        2 person resolved by 3, fixed by [4], 1 times: mails are late
    "#]],
    );
    check(
        &project,
        &["incidents", "reopen", "2"],
        &expect![[r#"
        2 person open by 3, fixed by [4], 2 times: mails are late
    "#]],
    );
    check(
        &project,
        &["incidents", "link", "3", "--caused-by", "4"],
        &expect![[r#"
        error: deployment 4 was asked for when the incident was there already; it cannot have brought it
    "#]],
    );
    check(
        &project,
        &["incidents", "link", "3", "--caused-by", "9"],
        &expect![[r#"
        error: there is no deployment 9
    "#]],
    );
    check(
        &project,
        &["incidents", "resolve", "9"],
        &expect![[r#"
        error: there is no incident 9
        hint: launchway incidents list shows what there is
    "#]],
    );
    check(
        &project,
        &["incidents", "list"],
        &expect![[r#"
        3 person open by null, fixed by [], 1 times: it is slow
        2 person open by 3, fixed by [4], 2 times: mails are late
        1 deployment resolved by 2, fixed by [], 1 times: deployment 2 was rolled back: smoke test 1 of 1 failed
    "#]],
    );
    let metrics = project.run(&["metrics", "-e", "staging", "--format", "json"]);
    let delivery = metrics.of("delivery").into_iter().next().expect("one service");
    expect!["[2,3] [2,null,2] []"].assert_eq(&format!(
        "{} [{},{},{}] {}",
        delivery["change_failures"]["deployments"],
        delivery["recovery"]["recovered"][0]["by"],
        delivery["recovery"]["recovered"][0]["incident"],
        delivery["recovery"]["recovered"][0]["deployment"],
        delivery["recovery"]["open"],
    ));
    let audit = project.run(&["audit", "verify"]);
    assert_eq!(audit.exit, 0, "{}", audit.stderr);
}

#[test]
fn a_server_opens_one_once_and_its_pages_show_it() {
    let serving = Serving::of(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    let body = r#"{"title":"checkout <b>answers</b> 500","project":"planner","environment":"production","severity":"critical"}"#;
    let key = [("idempotency-key", "one"), ("content-type", "application/json")];
    let opened = serving.post("/api/v1/incidents", &key, body);
    assert_eq!((opened.status, opened.json()["incident"].as_u64()), (201, Some(1)));
    assert_eq!(serving.post("/api/v1/incidents", &key, body).json()["incident"], 1);
    let change = |body: &str| {
        let said =
            serving.post("/api/v1/incidents/1", &[("content-type", "application/json")], body);
        (said.status, said.json())
    };
    let (status, problem) = change(r#"{"do":"link","deployment":7,"role":"cause"}"#);
    assert_eq!((status, &problem["detail"]), (422, &"there is no deployment 7".into()));
    assert_eq!(change(r#"{"do":"explode"}"#).0, 400);
    let (_, over) = change(r#"{"do":"resolve","reason":"rolled back"}"#);
    assert_eq!(over["state"], "resolved");
    // Asked again it is the same, and stays over; the key stands for no other one.
    let again = serving.post("/api/v1/incidents", &key, body).json();
    assert_eq!((&again["incident"], &again["state"]), (&1.into(), &"resolved".into()));
    let other = serving.post("/api/v1/incidents", &key, &body.replace("500", "502"));
    let detail = "that key opened another incident: each one has its own";
    assert_eq!((other.status, &other.json()["detail"]), (409, &detail.into()));
    let page = serving.get("/incidents/1").text;
    assert!(page.contains("checkout &lt;b&gt;answers"), "{page}");
    assert!(page.contains("rolled back"), "{page}");
    assert!(serving.get("/incidents").text.contains("href=\"/incidents/1\""));
    let mut list = serving.place.launchway(&["incidents", "list", "--server", &serving.url]);
    let list = list.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it starts");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("critical") && list.contains("checkout"), "{list}");
    let lines = serving.get("/api/v1/audit?action=incident").text;
    assert!(lines.contains("incident.open") && lines.contains("incident.resolve"), "{lines}");
    serving.end();
}

const WORKFLOW: &str =
    "on: workflow_dispatch\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n";
const SETTINGS: &str = "version: 1\nproject: planner\nservices: { web: {} }\nenvironments: { production: { targets: { ecs: { region: eu-central-1, cluster: c, service: s } } } }\n";

/// A server for whom issues of `octo/app` with a label are incidents of production.
fn with_issues(settings: &str) -> Connected {
    let add = ["--incidents", "Incident=production"];
    let it = Connected::of(&[("ci.yml", WORKFLOW)], false, &add);
    settle(&it, settings);
    it
}

/// What the server says to whoever started it.
fn said(it: &Connected) -> String {
    std::fs::read_to_string(it.place.path("said")).expect("a file of ours")
}

/// Pushes settings, and waits until the server has them.
fn settle(it: &Connected, settings: &str) {
    it.place.write("launchway.yml", settings);
    it.place.commit();
    it.push("main");
}

/// What GitHub says of an issue, in a minute of an hour before.
fn issue(it: &Connected, number: u32, (action, state): (&str, &str), minute: i64) -> Json {
    let hour = jiff::Timestamp::now().as_second() / 3600 - 2;
    let at = jiff::Timestamp::from_second(hour * 3600 + minute * 60).expect("a moment").to_string();
    let labels = if action == "unlabeled" { json!([]) } else { json!([{ "name": "incident" }]) };
    it.github.payload(
        "octo/app",
        json!({
            "action": action, "label": { "name": "incident" },
            "issue": { "number": number, "title": format!("issue {number}"), "state": state,
                "labels": labels, "author_association": "MEMBER", "body": null,
                "html_url": format!("https://github.com/octo/app/issues/{number}"),
                "created_at": at, "updated_at": at, "closed_at": at },
        }),
    )
}

#[test]
fn an_end_that_comes_before_its_beginning_ends_it_all_the_same() {
    let mut it = with_issues("version: 1\nproject: [\n");
    let tell = |payload: &Json| it.github.tell("issues", payload);
    // What makes an incident of the first cannot be done yet; of the second, comes behind its end.
    assert_eq!(tell(&issue(&it, 12, ("labeled", "open"), 1)), Some(202));
    assert_eq!(tell(&issue(&it, 12, ("closed", "closed"), 2)), Some(202));
    assert_eq!(tell(&issue(&it, 13, ("transferred", "open"), 2)), Some(202));
    wait_until("the mistakes of its settings", || said(&it).contains("launchway.yml"));
    assert_eq!(it.get("/api/v1/incidents")["incidents"], json!([]));
    it.kill();
    it.restart();
    settle(&it, SETTINGS);
    let tell = |payload: &Json| it.github.tell("issues", payload);
    assert_eq!(tell(&issue(&it, 13, ("labeled", "open"), 1)), Some(202));
    let mut all = Vec::new();
    wait_until("both ends", || {
        all = it.get("/api/v1/incidents")["incidents"].as_array().expect("a list").clone();
        all.len() == 2 && all.iter().all(|it| it["state"] == "resolved")
    });
    all.sort_by_key(|it| it["title"].to_string());
    for it in &mut all {
        it["incident"] = Json::Null;
    }
    expect![[r#"
        null github resolved by null, fixed by [], 1 times: issue 12
        null github resolved by null, fixed by [], 1 times: issue 13
    "#]]
    .assert_eq(&told(&all));
    it.end();
}

#[test]
fn an_issue_with_the_label_is_one_however_often_github_says_so() {
    let mut it = with_issues(SETTINGS);
    let issue = |action: &str, labels: Json, state: &str, minute: u32| {
        let now = jiff::Timestamp::now().to_string();
        // Minutes of the hour before: GitHub's own times, in order.
        let hour = now.get(..14).expect("a moment").to_owned();
        let at = format!("{hour}{minute:02}:00Z").parse::<jiff::Timestamp>().expect("a moment");
        let at = (at - jiff::SignedDuration::from_hours(1)).to_string();
        it.github.payload("octo/app", json!({
            "action": action, "label": { "name": "incident" },
            "issue": { "number": 12, "title": "checkout is down", "state": state, "labels": labels,
                "html_url": "https://github.com/octo/app/issues/12", "body": null,
                "created_at": at, "updated_at": at, "closed_at": at },
        }))
    };
    let label = json!([{ "name": "incident" }, { "name": "critical" }]);
    let tell = |payload: &Json| it.github.tell("issues", payload);
    assert_eq!(tell(&issue("opened", json!([]), "open", 1)), Some(200));
    let labeled = issue("labeled", label.clone(), "open", 2);
    assert_eq!((tell(&labeled), tell(&labeled)), (Some(202), Some(200)));
    let shown = |spans: usize, state: &str| {
        let mut all = Json::Null;
        wait_until("what the issue says", || {
            all = it.get("/api/v1/incidents");
            let first = &all["incidents"][0];
            first["state"] == state && first["spans"].as_array().is_some_and(|it| it.len() == spans)
        });
        told(all["incidents"].as_array().expect("a list"))
    };
    expect![[r#"
        1 github open by null, fixed by [], 1 times: checkout is down
    "#]]
    .assert_eq(&shown(1, "open"));
    tell(&issue("closed", label.clone(), "closed", 3));
    shown(1, "resolved");
    tell(&issue("reopened", label.clone(), "open", 4));
    // An end that comes late, from before.
    tell(&issue("closed", label, "closed", 2));
    shown(2, "open");
    tell(&issue("unlabeled", json!([]), "open", 5));
    expect![[r#"
        1 github resolved by null, fixed by [], 2 times: checkout is down
    "#]]
    .assert_eq(&shown(2, "resolved"));
    let first = &it.get("/api/v1/incidents/1");
    assert_eq!(first["severity"], "critical");
    assert_eq!(first["spans"][1]["resolved_by"], json!({ "name": "mona", "proof": "github" }));
    it.kill();
    it.restart();
    assert_eq!(it.get("/api/v1/incidents/1")["last_seq"], 4);
    it.end();
}

#[test]
fn issues_are_incidents_here_where_they_are_counted_here_and_as_long_as_somebody_says_so() {
    let it = with_issues(&format!("{SETTINGS}journal: s3://acme/journal\n"));
    // It has them now; it and the command do not fetch at once.
    let mirror = it.place.path("data/mirrors/octo/app.git");
    wait_until("its mirror", || {
        let mut git = std::process::Command::new("git");
        let shown = git.arg("-C").arg(&mirror).args(["show", "main:launchway.yml"]).output();
        shown.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("s3://acme"))
    });
    let add =
        |more: &[&str]| it.command(&[&["repositories", "add", "github:octo/app"], more].concat());
    let again = add(&["--incidents", "incident=production"]);
    expect![[r#"
        3: error: the incidents of planner stand with its deployments, in s3://acme/journal
        hint: open them in a clone of it: launchway incidents open
        hint: or connect it with --no-incidents
    "#]]
    .assert_eq(&format!("{}: {}", again.exit, again.stderr));
    let wanted =
        json!({ "title": "it is slow", "project": "planner", "environment": "production" });
    let (status, problem) = it.ask("/api/v1/incidents", &wanted);
    let why = "the incidents of planner stand with its deployments, in s3://acme/journal";
    assert_eq!((status, &problem["detail"]), (422, &json!(why)));
    let labeled = |number| it.github.tell("issues", &issue(&it, number, ("labeled", "open"), 1));
    assert_eq!(labeled(12), Some(202));
    wait_until("why that is none here", || said(&it).contains(why));
    assert_eq!(add(&["--no-incidents"]).exit, 0);
    assert_eq!(labeled(13), Some(200));
    assert_eq!(it.get("/api/v1/incidents")["incidents"], json!([]));
    let listed = it.command(&["repositories", "list", "--format", "json"]);
    assert_eq!(listed.lines()[0]["incidents"], Json::Null);
    it.end();
}

const SHIP: &str = "
on: push
jobs:
  stage: { runs-on: ubuntu-latest, environment: staging, steps: [{ run: 'true' }] }
  ship: { needs: stage, runs-on: ubuntu-latest, environment: Production, steps: [{ run: 'true' }] }
";

#[test]
fn what_jobs_shipped_brings_incidents_and_ends_them() {
    let serving = Serving::of(SHIP);
    let bare = serving.place.path("app.git").display().to_string();
    for name in ["staging", "Production"] {
        let add = ["repositories", "add", &bare, "--name", "octo/app", "--environment", name];
        assert_eq!(serving.command(&add).exit, 0);
    }
    let push = |run: &str| {
        serving.place.write("text", run);
        serving.place.commit();
        serving.push();
        serving.ended(run);
    };
    push("1");
    let command = |args: &[&str]| {
        let mut command = serving.place.launchway(&[args, &["--server", &serving.url]].concat());
        let command = command.args(["--format", "json"]).env("LAUNCHWAY_TOKEN", &serving.token);
        let said = Said::from(command.output().expect("it starts"));
        if said.exit == 0 { told(&said.lines()) } else { said.stderr }
    };
    let open = ["incidents", "open", "checkout answers 500", "--caused-by"];
    let opened = |more: &[&str]| command(&[&open[..], more].concat());
    expect![[r#"
        error: run 1.1 shipped to staging and Production: which?
        hint: name the environment where users meet it: Production
    "#]]
    .assert_eq(&opened(&["1.1"]));
    expect![[r#"
        error: there is no run 9.1
        hint: 12.1 is the first attempt of run 12; launchway runs list --server URL shows what there is
    "#]]
    .assert_eq(&opened(&["9.1", "-e", "production"]).replace(&serving.url, "URL"));
    expect![[r#"
        error: run 1.1 shipped to staging and Production, and not to qa
    "#]]
    .assert_eq(&opened(&["1.1", "-e", "qa"]));
    expect![[r#"
        error: run 1.1 did not ship web
        hint: what jobs ship is known by their workflow file; an incident without a service is of all
    "#]].assert_eq(&opened(&["1.1", "-e", "production", "-s", "web"]));
    expect![[r#"
        1 person open by 1.1, fixed by [], 1 times: checkout answers 500
    "#]]
    .assert_eq(&opened(&["1.1", "-e", "production"]));
    // From the run's page; the environment is chosen there, and none is before somebody does.
    let page = serving.get("/runs/1.1").text;
    let choices = "required><option value=\"\">Choose an environment</option><option>staging</option><option>Production</option></select>";
    assert!(page.contains(choices), "{page}");
    assert!(page.contains("href=\"/incidents/1\""), "{page}");
    push("2");
    let over = ["incidents", "resolve", "1", "--fixed-by", "2.1"];
    expect![[r#"
        1 person resolved by 1.1, fixed by [2.1], 1 times: checkout answers 500
    "#]]
    .assert_eq(&command(&over));
    let page = serving.get("/incidents/1").text;
    for run in ["1.1", "2.1"] {
        assert!(page.contains(&format!("<a href=\"/runs/{run}\">run {run}</a>")), "{page}");
    }
    let mut delivery = Json::Null;
    wait_until("the incident is counted", || {
        let all = serving.get("/api/v1/metrics?since=1d&environment=production").json();
        delivery = all["delivery"][0].clone();
        // Its end is what was told last.
        delivery["incidents"][0]["resolved_at_ms"].is_u64()
    });
    expect![[r#"["1.1"] of 2, mended by "2.1", rework ["2.1"]"#]].assert_eq(&format!(
        "{} of {}, mended by {}, rework {}",
        delivery["change_failures"]["deployments"],
        delivery["change_failures"]["whole"],
        delivery["recovery"]["recovered"][0]["by"],
        delivery["rework"]["deployments"],
    ));
    let insights = serving.get("/insights?environment=production").text;
    assert!(insights.contains("failed: it caused an incident"), "{insights}");
    expect![[r#"
        1 person resolved by 1.1, fixed by [], 1 times: checkout answers 500
    "#]]
    .assert_eq(&command(&["incidents", "link", "1", "--fixed-by", "2.1", "--remove"]));
    let lines = serving.get("/api/v1/audit?action=incident").text;
    assert!(lines.contains("run/2/1 fix"), "{lines}");
    // Names of environments are the same in any case; it is written as what brought it has it.
    let listed = serving.get("/api/v1/incidents?environment=PRODUCTION").json();
    assert_eq!(listed["incidents"][0]["environment"], "Production");
    // The other run brings an incident of the project: who is bound to the repository reads nothing of it.
    serving.place.write("launchway.yml", SETTINGS);
    push("3");
    expect![[r#"
        2 person open by 3.1, fixed by [], 1 times: the project's own
    "#]]
    .assert_eq(&command(&[
        "incidents",
        "open",
        "the project's own",
        "--caused-by",
        "3.1",
        "--environment",
        "production",
        "--project",
        "planner",
    ]));
    let made = serving.command(&["tokens", "create", "bound", "--repository", "octo/app"]);
    let bearer = format!("Bearer {}", made.stdout.trim());
    let ask = |path: &str| serving.ask("GET", path, &[("authorization", &bearer)], "");
    let metrics = "/api/v1/metrics?since=1d&environment=production";
    wait_until("the incident is counted", || {
        let deployments = ask(metrics).json()["delivery"][0]["deployments"].clone();
        deployments[2]["incidents"] == json!([2])
    });
    for path in [metrics, "/insights?environment=production"] {
        let text = ask(path).text;
        assert!(text.contains("checkout answers 500"), "{path}: {text}");
        assert!(!text.contains("s own"), "{path}: {text}");
    }
    let text = serving.get(metrics).text;
    assert!(text.contains("the project's own"), "{text}");
    serving.end();
}

const GOES_ON: &str = "
on: push
jobs:
  stage:
    runs-on: ubuntu-latest
    environment: staging
    steps: [{ run: 'echo x >> $MARKS/stage; until [ -e $MARKS/go ]; do sleep 0.05; done' }]
  ship: { needs: stage, runs-on: ubuntu-latest, environment: Production, steps: [{ run: 'true' }] }
";

#[test]
fn who_asks_again_with_a_key_gets_the_same_wherever_the_run_went_since() {
    let serving = Serving::of(GOES_ON);
    let bare = serving.place.path("app.git").display().to_string();
    for name in ["staging", "Production"] {
        let add = ["repositories", "add", &bare, "--name", "octo/app", "--environment", name];
        assert_eq!(serving.command(&add).exit, 0);
    }
    serving.push();
    wait_until("the first job", || serving.mark("stage") == "x\n");
    let ask = |key: &str, body: &str| {
        let headers = [("idempotency-key", key), ("content-type", "application/json")];
        let got = serving.post("/api/v1/incidents", &headers, body);
        let told = [&got.json()["incident"], &got.json()["environment"], &got.json()["detail"]];
        format!("{} {}", got.status, told.map(Json::to_string).join(" "))
    };
    let body = r#"{"title":"it is slow","caused_by":"1.1"}"#;
    let mut said = ask("one", body);
    serving.leave("go");
    serving.ended("1");
    for (key, body) in
        [("one", body.to_owned()), ("one", body.replace("slow", "down")), ("two", body.to_owned())]
    {
        said.push_str(&format!("\n{}", ask(key, &body)));
    }
    expect![[r#"
        201 1 "staging" null
        201 1 "staging" null
        409 null null "that key opened another incident: each one has its own"
        422 null null "run 1.1 shipped to staging and Production: which?""#]]
    .assert_eq(&said);
    serving.end();
}

#[test]
fn incidents_of_the_repository_are_reached_once_it_has_settings() {
    let place = Place::workflow(SHIP);
    place.git(&["remote", "add", "origin", "https://github.com/octo/app.git"]);
    let agreed = ["--environment", "staging", "--environment", "Production"];
    assert_eq!(place.run(&[&["run", "push"][..], &agreed].concat()).exit, 0);
    let check = |args: &[&str], expected: &Expect| {
        let said = place.json(args);
        expected.assert_eq(&if said.exit == 0 { told(&said.lines()) } else { said.stderr });
    };
    let open = ["incidents", "open", "it is slow", "--caused-by", "1.1", "-e", "production"];
    let opened = expect![[r#"
        1 person open by 1.1, fixed by [], 1 times: it is slow
    "#]];
    check(&open, &opened);
    place.write("launchway.yml", SETTINGS);
    check(&["incidents", "list"], &opened);
    check(&["incidents", "show", "1"], &opened);
    let over = expect![[r#"
        1 person resolved by 1.1, fixed by [], 1 times: it is slow
    "#]];
    check(&["incidents", "resolve", "1"], &over);
}
