//! Secrets that a server takes and never gives, and the trail of who did what.

use std::process::Command;

use expect_test::expect;
use serde_json::json;

use crate::serving::Serving;

const READS: &str = r#"
on: { workflow_dispatch: {} }
jobs:
  reads:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo "it is $VALUE, in ${{ vars.REGION }}"', env: { VALUE: '${{ secrets.DB_URL }}' } }]
"#;

const VALUE: &str = "postgres-of-the-planner";

/// Every byte of the data folder.
fn everything(serving: &Serving) -> Vec<u8> {
    let mut all = Vec::new();
    let mut folders = vec![serving.place.path("data")];
    while let Some(folder) = folders.pop() {
        // What a job leaves goes meanwhile.
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => all.extend(std::fs::read(path).unwrap_or_default()),
            }
        }
    }
    all
}

#[test]
fn secrets_are_taken_and_never_given_and_all_of_it_is_written_down() {
    let serving = Serving::of(READS);
    serving.push();
    let kept = "/api/v1/repositories/octo/app/kept";
    let token = |scope: &str, name: &str| {
        let made = serving.command(&["tokens", "create", name, "--scope", scope, "--person", name]);
        format!("Bearer {}", made.stdout.trim())
    };
    let (admin, operator) = (token("admin", "lena"), token("operate", "hubot"));
    let put = |bearer: &str, name: &str, body: &serde_json::Value| {
        let path = format!("{kept}/{name}");
        let got = serving.ask("PUT", &path, &[("authorization", bearer)], &body.to_string());
        (got.status, got.text)
    };
    let value = json!({ "value": VALUE });
    assert_eq!(put(&operator, "secrets/DB_URL", &value).0, 403);
    assert_eq!(put(&admin, "secrets/DB_URL", &value).0, 200);
    assert_eq!(put(&admin, "variables/REGION", &json!({ "value": "eu-central-1" })).0, 200);
    for (name, body, status) in [
        ("secrets/GITHUB_X", value.clone(), 422),
        ("secrets/a-b", value.clone(), 422),
        ("secrets/EMPTY", json!({ "value": "" }), 422),
        ("secrets/LONG", json!({ "value": "x".repeat(50_000) }), 422),
        ("secrets/DAY", json!({ "value": VALUE, "rotate_by": "soon" }), 422),
        ("variables/REGION", json!({ "value": "x", "environment": "staging" }), 422),
        ("other/X", value.clone(), 404),
        ("secrets/X", json!({ "valeu": VALUE }), 400),
    ] {
        let (found, text) = put(&admin, name, &body);
        assert_eq!(found, status, "{name}: {text}");
        assert!(!text.contains(VALUE), "{name}: {text}");
    }
    let list = serving.get(kept).text;
    assert!(list.contains(r#""name":"DB_URL""#) && list.contains(r#""set_by":"lena""#), "{list}");
    let page = serving.get("/secrets").text;
    assert!(page.contains("DB_URL") && page.contains("sealed"), "{page}");

    // A job reads it, and nothing else does.
    let path = "/api/v1/repositories/octo/app/dispatches";
    serving.post(path, &[], r#"{"workflow":"ci.yml"}"#);
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let log = serving.get("/api/v1/runs/1/jobs/reads/log").text;
    assert!(log.contains("it is ***, in eu-central-1"), "{log}");
    for text in [&list, &page, &serving.get("/audit").text] {
        assert!(!text.contains(VALUE), "{text}");
    }
    let all = everything(&serving);
    assert!(memchr::memmem::find(&all, VALUE.as_bytes()).is_none(), "it stands in the data folder");

    // By the page, with a line end as forms send it; then it is forgotten.
    let session = |body: &str| {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        serving.ask("POST", "/secrets", &[("authorization", &admin), kind], body).status
    };
    let form =
        "repository=octo%2Fapp&kind=secret&name=KEY&environment=staging&value=a%0D%0Ab&deed=keep";
    assert_eq!(session(form), 303);
    assert_eq!(session("repository=octo%2Fapp&kind=secret&name=DB_URL&deed=forget"), 303);
    assert_eq!(session("repository=octo%2Fapp&kind=secret&name=DB_URL&deed=forget"), 409);

    let trail = serving.get("/api/v1/audit?limit=200").json();
    let lines = trail["decisions"].as_array().unwrap().iter().rev().map(|it| {
        let refused = if it["refused"] == true { " REFUSED" } else { "" };
        format!("{} {} {}{refused} ({})\n", it["actor"], it["action"], it["object"], it["source"])
    });
    // Who runs the tests is not known.
    let is_known = |it: &String| !it.contains("(\"command\")");
    let lines: String = lines.filter(is_known).collect();
    let commit = serving.get("/api/v1/runs/1").json()["commit"].to_string();
    expect![[r#"
        hubot request PUT /api/v1/repositories/octo/app/kept/secrets/DB_URL REFUSED (api)
        lena secret.set octo/app DB_URL (api)
        lena variable.set octo/app REGION (api)
        lena secret.set octo/app GITHUB_X REFUSED (api)
        lena secret.set octo/app a-b REFUSED (api)
        lena secret.set octo/app EMPTY REFUSED (api)
        lena secret.set octo/app LONG REFUSED (api)
        lena secret.set octo/app DAY REFUSED (api)
        lena variable.set octo/app staging REGION REFUSED (api)
        machine:first-start run.create run/1/1 octo/app .github/workflows/ci.yml workflow_dispatch at COMMIT (api)
        lena secret.set octo/app staging KEY (api)
        lena secret.remove octo/app DB_URL (api)
        lena secret.remove octo/app DB_URL REFUSED (api)
    "#]]
    .assert_eq(&lines.replace('"', "").replace(commit.trim_matches('"'), "COMMIT"));

    // The chain holds, and shows where somebody altered it.
    let verified = serving.command(&["audit", "verify"]);
    assert_eq!(verified.exit, 0, "{}", verified.stderr);
    assert!(verified.stdout.contains("stand in their chains, unaltered"), "{}", verified.stdout);
    let csv = serving.command(&["audit", "export", "--format", "csv"]);
    assert!(
        csv.stdout.starts_with("time,actor,proof,action,object,outcome,reason,source,address\n")
    );
    assert!(
        csv.stdout.contains(",lena,token,secret.set,octo/app DB_URL,done,,api,127.0.0.1\n"),
        "{}",
        csv.stdout
    );
    let json = serving.command(&["audit", "export"]).lines();
    assert_eq!(json.len(), trail["decisions"].as_array().unwrap().len() + 1);
    let last = json.last().expect("the head");
    let head = format!("{}:{}", last["position"], last["digest"].as_str().expect("a digest"));
    assert!(verified.stdout.ends_with(&format!("\nhead {head}\n")), "{}", verified.stdout);
    assert!(csv.stderr.contains(&format!("head {head}")), "{}", csv.stderr);
    let goes_on = serving.command(&["audit", "verify", "--expect", &head]);
    assert_eq!(goes_on.exit, 0, "{}", goes_on.stderr);
    let later = format!("9999:{}", last["digest"].as_str().expect("a digest"));
    let cut = serving.command(&["audit", "verify", "--expect", &later]);
    assert_eq!(cut.exit, 1, "{}", cut.stdout);
    assert!(cut.stderr.contains("and had a head at position 9999"), "{}", cut.stderr);
    // Where there is no journal, nothing is proven and nothing is made.
    let elsewhere = serving.place.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    for verb in ["verify", "export"] {
        let none = serving.place.run(&["audit", verb, "--data", &elsewhere.display().to_string()]);
        assert_eq!(none.exit, 5, "{}", none.stdout);
        assert!(none.stderr.contains("there is no journal"), "{}", none.stderr);
    }
    assert_eq!(std::fs::read_dir(&elsewhere).expect("a folder").count(), 0);
    let alter = "import sqlite3, sys, glob\nfor path in glob.glob(sys.argv[1] + '/*'):\n    try:\n        db = sqlite3.connect(path)\n        db.execute(\"update event set payload = replace(payload, 'DB_URL', 'DB_URI')\")\n        db.commit()\n    except sqlite3.DatabaseError:\n        pass\n";
    let python =
        Command::new("python3").args(["-c", alter]).arg(serving.place.path("data")).status();
    assert!(python.expect("python starts").success());
    let broken = serving.command(&["audit", "verify"]);
    assert_eq!(broken.exit, 1, "{}", broken.stdout);
    assert!(broken.stderr.contains("the chain of audit is broken at event"), "{}", broken.stderr);
    serving.end();
}
