//! What scanners found: on the page of a run, on the default branch, for whoever may see it.

use serde_json::{Value as Json, json};

use crate::serving::Serving;

/// A scan that finds what is in the file `found`.
const WORKFLOW: &str = "
on: push
jobs:
  scan:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: mkdir out && cp found out/trivy.sarif
      - { uses: actions/upload-artifact@v4, with: { name: scan, path: out } }
";

fn sarif(found: &[(&str, &str)]) -> String {
    let rules = json!([{ "id": "CVE-1", "properties": { "security-severity": "9.8" } }]);
    let result = |(rule, file): &(&str, &str)| {
        let place = json!({ "physicalLocation": { "artifactLocation": { "uri": file } } });
        json!({ "ruleId": rule, "message": { "text": "hunter2" }, "locations": [place] })
    };
    let results: Vec<Json> = found.iter().map(result).collect();
    let tool = json!({ "driver": { "name": "Trivy", "rules": rules } });
    json!({ "version": "2.1.0", "runs": [{ "tool": tool, "results": results }] }).to_string()
}

#[test]
fn what_a_scan_found_is_seen_by_whoever_sees_the_repository() {
    let serving = Serving::of(WORKFLOW);
    let push = |run: &str, found: &[(&str, &str)]| {
        serving.place.write("found", &sarif(found));
        serving.place.write("run", run);
        serving.place.commit();
        assert_eq!(serving.push().exit, 0);
        assert_eq!(serving.ended(run)["conclusion"], "success");
    };
    push("1", &[("<b>lint", "a.py")]);
    push("2", &[("<b>lint", "a.py"), ("CVE-1", "go.mod")]);

    let of_run = serving.get("/api/v1/runs/2/scans").json();
    let finding = |level: &str, rule: &str, file: &str, new: u64| json!({ "level": level, "rule": rule, "file": file, "count": 1, "new": new });
    let expect = json!([{
        "tool": "Trivy", "is_cut": false, "is_kept": true, "compared_with": [1, 1], "more": 0,
        "counts": [
            { "level": "critical", "count": 1, "new": 1 },
            { "level": "warning", "count": 1, "new": 0 },
        ],
        "findings": [
            finding("critical", "CVE-1", "go.mod", 1),
            finding("warning", "<b>lint", "a.py", 0),
        ],
    }]);
    assert_eq!(of_run["scans"], expect);
    let shown = |run: &str, more: &[&str]| {
        let mut command = serving.place.launchway(&[&["runs", "show", run], more].concat());
        let said = command.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("text")
    };
    let folder = serving.place.path("data").display().to_string();
    for at in [["--server", &serving.url], ["--state", &folder]] {
        assert!(shown("2", &at).contains("\nScans: 2 findings, 1 new\n"), "{at:?}");
        assert!(shown("1", &at).contains("\nScans: 1 finding\n"), "{at:?}");
        let told = shown("2", &[&at[..], &["--format", "json"]].concat());
        let told: Json = serde_json::from_str(&told).expect("an object");
        assert_eq!(told["scans"], expect, "{at:?}");
    }
    let page = serving.get("/runs/2.1").text;
    assert!(page.contains("1 critical (1 new), 1 warning") && page.contains(">new<"), "{page}");
    assert!(page.contains("&lt;b&gt;lint") && !page.contains("<b>lint"), "{page}");
    assert!(!page.contains("hunter2"), "what a tool says may be a secret");

    let data = serving.place.path("data").display().to_string();
    let scans = ["metrics", "--of", "scans", "--state", &data, "--all"];
    let said = serving.place.run(&scans).stdout;
    assert!(said.contains("ci.yml, octo/app)\n"), "{said}");
    assert!(said.contains("  1 critical, 1 warning in run 2.1, "), "{said}");
    assert!(said.contains("critical  CVE-1 in go.mod, since run 2.1, "), "{said}");
    assert!(said.contains("warning   <b>lint in a.py, since run 1.1, "), "{said}");
    let lines = serving.place.run(&[&scans[..], &["--format", "json"]].concat()).lines();
    let line = lines.iter().find(|it| it["type"] == "scan").expect("a scan");
    let metrics = serving.get("/api/v1/metrics").json();
    for scan in [line, &metrics["scans"][0]] {
        assert_eq!([&scan["run"], &scan["more"]], [&json!(2), &json!(0)], "{scan}");
        let since = [0, 1].map(|at| scan["findings"][at]["since_run"].clone());
        assert_eq!(since, [json!(2), json!(1)], "{scan}");
    }
    let page = serving.get("/insights/scans").text;
    assert!(page.contains("&lt;b&gt;lint") && page.contains("href=\"/runs/1.1\""), "{page}");

    // Who is bound to another repository hears of nothing.
    let bare = serving.place.path("other.git").display().to_string();
    serving.place.git(&["init", "--quiet", "--bare", &bare]);
    let added = serving.command(&["repositories", "add", &bare, "--name", "octo/other"]);
    assert_eq!(added.exit, 0, "{}", added.stderr);
    let bound = ["tokens", "create", "octo", "--scope", "read", "--repository", "octo/other"];
    let bound = format!("Bearer {}", serving.command(&bound).stdout.trim());
    let as_bound = |path: &str| serving.ask("GET", path, &[("authorization", &bound)], "");
    assert_eq!(as_bound("/api/v1/runs/2/scans").status, 404);
    assert_eq!(as_bound("/api/v1/metrics").json()["scans"], json!([]));
    let page = as_bound("/insights/scans");
    assert!(page.status == 200 && !page.text.contains("Trivy"), "{}", page.text);
    serving.end();
}
