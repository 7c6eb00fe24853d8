//! Results of scanners, sent to code scanning by the token of the job.

use std::io::Read as _;

use base64::Engine as _;
use serde_json::{Value as Json, json};

use crate::bench::{Bench, Ran};
use crate::deliver::serve;

const SARIF: &str =
    r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"zap"}},"results":[{},{}]}]}"#;

fn bench(url: &str) -> Bench {
    let mut bench = Bench::new();
    for (name, value) in [
        ("GITHUB_API_URL", url),
        ("GITHUB_REPOSITORY", "octo/app"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", "1111111111111111111111111111111111111111"),
        ("GITHUB_JOB", "scan"),
        ("GITHUB_WORKFLOW_REF", "octo/app/.github/workflows/scan.yml@refs/heads/main"),
    ] {
        bench.set(name, value);
    }
    let workspace = bench.path("work").display().to_string();
    bench.set("GITHUB_WORKSPACE", workspace);
    bench.write("work/a.sarif", SARIF);
    bench
}

fn send(bench: &Bench, more: &[(&str, &str)]) -> Ran {
    let inputs = [
        ("sarif_file", "a.sarif"),
        ("checkout_path", "/work"),
        ("matrix", r#"{"python":"3.12"}"#),
        ("token", "ghs_x"),
        ("wait-for-processing", "true"),
    ];
    bench.run("upload-sarif", &[&inputs, more].concat())
}

/// What was packed.
fn unpacked(body: &Json) -> Json {
    let text = body["sarif"].as_str().expect("text");
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn results_are_sent_packed_and_waited_for() {
    let read = r#"{"processing_status":"complete","analyses_url":"x"}"#;
    let server = serve(&[(502, ""), (202, r#"{"id":"47177e22","url":"x"}"#), (200, read)]);
    let bench = bench(&server.url);
    let ran = send(&bench, &[]).ok();
    assert_eq!(ran.outputs["sarif-id"], "47177e22");
    assert!(ran.log.contains("2 results of zap sent to code scanning as 47177e22"), "{}", ran.log);
    assert!(!ran.log.contains("ghs_x"), "{}", ran.log);
    let asked = server.asked();
    let head = "POST /repos/octo/app/code-scanning/sarifs HTTP/1.1\n";
    assert!(asked[1].starts_with(head) && asked[1].contains("Bearer ghs_x"), "{}", asked[1]);
    assert!(asked[2].starts_with("GET /repos/octo/app/code-scanning/sarifs/47177e22 "));
    let body = asked[1].lines().last().expect("a body");
    let mut body: Json = serde_json::from_str(body).expect("JSON");
    let sarif = unpacked(&body);
    assert_eq!(sarif["runs"][0]["results"], json!([{}, {}]));
    let category = ".github/workflows/scan.yml:scan/python:3.12/";
    assert_eq!(sarif["runs"][0]["automationDetails"]["id"], category);
    body["sarif"].take();
    let expect = json!({
        "commit_sha": "1111111111111111111111111111111111111111", "ref": "refs/heads/main",
        "sarif": null, "checkout_uri": "file:///work", "tool_name": "zap",
    });
    assert_eq!(body, expect);
}

#[test]
fn files_of_a_folder_are_one_and_a_category_is_theirs() {
    let server = serve(&[(202, r#"{"id":"1"}"#)]);
    let bench = bench(&server.url);
    bench.write("work/results/a.sarif", SARIF);
    bench.write("work/results/b.sarif", SARIF.replace("zap", "zip"));
    bench.write("work/results/c.txt", "x");
    let more = [("sarif_file", "results"), ("category", "dast"), ("wait-for-processing", "false")];
    send(&bench, &more).ok();
    let asked = server.asked();
    let body: Json = serde_json::from_str(asked[0].lines().last().expect("a body")).expect("JSON");
    let sarif = unpacked(&body);
    let ids: Vec<&str> = sarif["runs"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["automationDetails"]["id"].as_str())
        .collect();
    assert_eq!(ids, ["dast/", "dast/"]);
}

#[test]
fn what_is_no_result_or_not_taken_fails_and_says_why() {
    let refused = r#"{"message":"Resource not accessible by integration"}"#;
    let server = serve(&[(403, refused)]);
    let bench = bench(&server.url);
    let ran = send(&bench, &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("refused the results (403): Resource not accessible"), "{}", ran.log);
    assert!(ran.log.contains("security-events: write"), "{}", ran.log);
    for (text, why) in [
        ("{", "Invalid SARIF. JSON syntax error in"),
        ("[]", "is no SARIF of version 2.1.0"),
        (r#"{"version":"2.0.0","runs":[]}"#, "is no SARIF of version 2.1.0"),
    ] {
        bench.write("work/a.sarif", text);
        let ran = send(&bench, &[]);
        assert!(ran.code == 1 && ran.log.contains(why), "{}", ran.log);
    }
    let ran = send(&bench, &[("sarif_file", "nowhere.sarif")]);
    assert!(ran.code == 1 && ran.log.contains("nowhere.sarif could not be read"), "{}", ran.log);
    // No app gives tokens, or nobody said which: said, and nothing sent.
    bench.write("work/a.sarif", SARIF);
    let ran = send(&bench, &[("token", "")]).ok();
    assert!(ran.log.contains("::warning::the results were read and not sent"), "{}", ran.log);
}
