//! Jobs that name an environment are deployments: a workflow as it is, and what the figures say of it.

use event::{DeploymentEvent, Fact as _, Seq, StreamId, Timestamp};
use expect_test::expect;
use ports::Journal as _;
use serde_json::{Value as Json, json};

use crate::harness::{Place, Said, wait_until};
use crate::serving::Serving;

const SHIP: &str = "
name: Ship
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps: [{ run: 'true' }]
  ship:
    needs: test
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: \"[ ${{ github.run_number }} != 2 ]\" }]
";

fn commit(place: &Place, text: &str) {
    place.write("text", text);
    place.commit();
}

#[test]
fn what_jobs_ship_is_told_by_a_server_and_by_the_command() {
    let serving = Serving::of(SHIP);
    let bare = serving.place.path("app.git").display().to_string();
    let add = ["repositories", "add", &bare, "--name", "octo/app", "--environment", "production"];
    assert_eq!(serving.command(&add).exit, 0);
    for run in ["1", "2"] {
        commit(&serving.place, run);
        serving.push();
        serving.ended(run);
    }
    assert_eq!(serving.post("/api/v1/runs/1/rerun", &[], "").status, 201);
    serving.ended("1.2");
    commit(&serving.place, "3");
    serving.push();
    serving.ended("3");
    let mut told = Json::Null;
    wait_until("the runs are counted", || {
        told = serving.get("/api/v1/metrics?since=1d").json()["delivery"][0].clone();
        told["deployments"].as_array().is_some_and(|it| it.len() == 4)
    });
    assert_eq!((&told["project"], &told["by_jobs"]), (&"octo/app".into(), &true.into()));
    let lines = told["deployments"].as_array().unwrap().iter().map(|it| {
        let part = |name: &str| it[name].to_string().replace('"', "");
        format!(
            "{} {} {} {} mended by {}\n",
            part("deployment"),
            part("stream"),
            part("kind"),
            part("verdict"),
            part("mended_by")
        )
    });
    expect![[r#"
        1.1 run/1/1 release succeeded mended by null
        2.1 run/2/1 release failed mended by 1.2
        1.2 run/1/2 rollback succeeded mended by null
        3.1 run/3/1 release succeeded mended by null
    "#]]
    .assert_eq(&lines.collect::<String>());
    // The second's commit came with the third's.
    let led = told["lead_time"]["commits"].as_array().unwrap();
    assert_eq!(led.iter().map(|it| &it["deployment"]).collect::<Vec<_>>(), ["3.1", "3.1"]);
    for it in led {
        let parts = it["parts"].as_object().expect("parts");
        assert!(parts.values().all(Json::is_u64), "{it}");
        let sum: u64 = parts.values().filter_map(Json::as_u64).sum();
        assert_eq!(Some(sum), it["total_ms"].as_u64());
    }

    let page = serving.get("/insights").text;
    assert!(page.contains("in <bdi>production</bdi>"), "{page}");
    assert!(page.contains("<a href=\"/runs/1.2\">run 1.2</a>"), "{page}");
    let page = serving.get("/environments").text;
    assert!(page.contains("<a href=\"/runs/3.1\">run 3.1</a>"), "{page}");

    let page = serving.get("/deployments").text;
    let parts = page.split("class=\"title\" href=\"").skip(1);
    let listed: Vec<&str> = parts.map(|it| it.split('"').next().expect("a link")).collect();
    assert_eq!(listed, ["/runs/3.1", "/runs/1.2", "/runs/2.1", "/runs/1.1"]);
    assert!(page.contains("rollback<p>by <bdi>a job</bdi>"), "{page}");
    assert!(page.contains(">production of octo/app</text>"), "{page}");
    assert!(page.contains("succeeded, ") && page.contains(", by a job"), "{page}");

    let data = serving.place.path("data");
    let local = |args: &[&str]| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        let command = command.arg("metrics").args(args).arg("--state").arg(&data);
        Said::from(command.current_dir("/").output().expect("it starts")).stdout
    };
    let served = |args: &[&str]| {
        let mut command = serving.place.launchway(&[args, &["--server", &serving.url]].concat());
        let token = serving.token.as_str();
        let output = command.env("LAUNCHWAY_TOKEN", token).output().expect("it starts");
        Said::from(output)
    };
    for of in ["failures", "recovery", "lead-time", "frequency"] {
        assert_eq!(local(&["--of", of]), served(&["metrics", "--of", of]).stdout);
    }
    let told = served(&["environments"]).stdout;
    assert!(told.contains("by .github/workflows/ci.yml, run 3.1: succeeded  "), "{told}");
    let told = served(&["history", "production"]).stderr;
    expect![[r#"
        nothing was deployed yet; jobs of workflows shipped to production of octo/app, which launchway environments --server URL shows
    "#]]
    .assert_eq(&told.replace(&serving.url, "URL"));
    assert!(local(&["--of", "failures"]).contains("  2.1  "), "{}", local(&["--of", "failures"]));
    assert!(local(&[]).contains(".github/workflows/ci.yml in production (octo/app), by jobs\n"));

    // What the settings at the tip want of it stands beside that.
    let goals =
        "goals: { success: 90, workflows: { ci.yml: { duration: 1h }, other.yml: { queue: 1m } } }";
    serving.place.write("launchway.yml", &format!("version: 1\nproject: app\n{goals}\n"));
    for run in ["4", "5"] {
        commit(&serving.place, run);
        serving.push();
        serving.ended(run);
    }
    wait_until("they are counted", || {
        let told = serving.get("/api/v1/metrics").json();
        told["pipelines"][0]["success"]["whole"] == 5
    });
    let told = served(&["metrics"]).stdout;
    let told: Vec<&str> = told.lines().filter(|it| it.contains("goal")).map(str::trim).collect();
    expect![[r#"
        ✗ goal, 90 %, is missed by 10.0 points
        ✓ goal, 1 h 00 min, is met
        note: octo/app has goals for other.yml, of which no run was over in this time"#]]
    .assert_eq(&told.join("\n"));
    let page = serving.get("/insights/pipelines").text;
    assert!(page.contains("goal, 90 %, is missed by 10.0 points"), "{page}");
    assert!(page.contains("goals for other.yml"), "{page}");
    serving.end();
}

const SHOP: &str = "
version: 1
project: shop
services: { web: {} }
environments:
  staging: { level: 5, targets: { ecs: { region: eu-central-1, cluster: c, service: s } } }
";

#[test]
fn the_newest_of_an_environment_is_told_in_any_case_however_many_went_elsewhere() {
    let job = "{ runs-on: ubuntu-latest, steps: [{ run: 'true' }] }";
    let serving = Serving::of(&format!("on: push\njobs: {{ test: {job} }}"));
    serving.place.write("launchway.yml", SHOP);
    serving.place.commit();
    serving.push();
    let store = store::Store::open(&serving.place.path("data")).expect("a journal of ours");
    let store = std::sync::Arc::new(store);
    // As the settings called it then: it is the same environment.
    let id = store.allocate_deployment("shop", "Staging").expect("a journal of ours");
    let asked = json!({ "type": "DeploymentRequested", "project": "shop", "environment": "Staging",
        "kind": "release", "by": { "name": "mona", "proof": "local" }, "reason": null,
        "services": [{ "service": "web", "release": { "version": "1.4", "digest": "sha256:1" },
            "last_good": null, "target": "ecs", "config": null, "around": [] }],
        "gates": [], "force": false, "planned": true, "on_cancel": "back", "at": 1000 });
    let asked = DeploymentEvent::decode(asked.to_string().as_bytes()).expect("an event");
    let stream = StreamId::Deployment(id);
    store.ledger().append(stream, Seq(0), Timestamp(1000), &[asked]).expect("a journal of ours");
    for _ in 0..250 {
        store.allocate_deployment("other", "production").expect("a journal of ours");
    }
    // One that was never asked for hides none.
    store.allocate_deployment("shop", "staging").expect("a journal of ours");
    let page = serving.get("/environments").text;
    let told = format!("<a href=\"/deployments/{id}\">deployment {id}</a>");
    assert!(page.contains(&told) && page.contains("web 1.4"), "{page}");
    serving.ended("1");
    serving.end();
}

#[test]
fn a_run_of_ones_own_counts_and_what_failed_is_in_doubt() {
    let place = Place::with(&[(".github/workflows/ship.yml", SHIP)]);
    for run in ["1", "2"] {
        commit(&place, run);
        place.run(&["run", "push", "--environment", "production"]);
    }
    let told = place.run(&["metrics", "--of", "failures"]).stdout;
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains(" 2.1  ") && told[1].ends_with("  in doubt"), "{told:?}");
    let page = place.run(&["metrics"]).stdout;
    assert!(page.contains("in doubt              1 failed or stopped"), "{page}");
}
