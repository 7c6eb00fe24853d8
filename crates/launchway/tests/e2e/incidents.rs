//! Incidents: opened by a deployment that goes wrong, by a command, by a server's API and pages.

use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use crate::deploy::Project;
use crate::github::Connected;
use crate::harness::wait_until;
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

#[test]
fn an_issue_with_the_label_is_one_however_often_github_says_so() {
    const WORKFLOW: &str = "on: workflow_dispatch\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n";
    let add = ["--incidents", "Incident=production"];
    let mut it = Connected::of(&[("ci.yml", WORKFLOW)], false, &add);
    const SETTINGS: &str = "version: 1\nproject: planner\nservices: { web: {} }\nenvironments: { production: { targets: { ecs: { region: eu-central-1, cluster: c, service: s } } } }\n";
    it.place.write("launchway.yml", SETTINGS);
    it.place.commit();
    it.push("main");
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
