//! Everything that is asked about a run, of runs and attempts that there are not: a page for people, a problem for
//! programs, and never an empty answer.

use crate::serving::{Got, Serving};

const WORKFLOW: &str = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps: [{ run: echo built }]
";

/// Addresses below the pages that are no pages themselves.
const BELOW: &[&str] = &[
    "/runs/{run}/older",
    "/runs/{run}/newer",
    "/runs/{run}/jobs/{job}/lines?from=1",
    "/runs/{run}/jobs/{job}/log.txt",
    "/live/runs/{run}",
    "/live/runs/{run}/jobs/{job}",
];

fn address(path: &str, run: &str) -> String {
    let digest = "0".repeat(64);
    path.replace("{run}", run)
        .replace("{job}", "build")
        .replace("{artifact}", "out")
        .replace("{blob}", &digest)
}

/// What is wrong with an answer.
fn wrong(got: &Got, content_type: &str) -> Option<String> {
    let is = got.headers.get("content-type").and_then(|it| it.to_str().ok()).unwrap_or_default();
    let is_good = got.status == 404 && is.starts_with(content_type);
    (!is_good).then(|| format!("{} {is}: {:.200}", got.status, got.text))
}

#[test]
fn whatever_is_asked_of_a_run_that_is_not_there_is_not_found() {
    let serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let document = serving.get("/api/v1/openapi.json").json();
    let operations: Vec<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter(|(path, _)| path.contains("{run}"))
        .flat_map(|(path, it)| {
            let methods = it.as_object().expect("methods").keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let pages: Vec<&str> = server::page_paths().filter(|it| it.contains("{run}")).collect();
    assert!(operations.len() > 10 && pages.len() > 4, "{operations:?} {pages:?}");
    let approves = ["tokens", "create", "mona", "--scope", "approve", "--person", "mona"];
    let approves = serving.command(&approves).stdout;
    let bearer = |token: &str| format!("Bearer {}", token.trim());
    let (mut asked, mut found) = (0, Vec::new());
    for run in ["9", "9.1", "1.2", "1.99", "0", "1.0", "x"] {
        let mut check = |method: &str, path: &str, content_type: &str, body: &str| {
            // Only people by name agree, and are told so first.
            let is_answer = method == "POST" && path.ends_with("/approval");
            let bearer = bearer(if is_answer { &approves } else { &serving.token });
            let headers = [("authorization", &*bearer), ("content-type", "application/json")];
            let path = address(path, run);
            let question = if path.ends_with("/search") { "?q=x" } else { "" };
            let got = serving.ask(method, &format!("{path}{question}"), &headers, body);
            asked += 1;
            found.extend(wrong(&got, content_type).map(|it| format!("{method} {path}: {it}")));
        };
        for (method, path) in &operations {
            let what = "0".repeat(64);
            let answer =
                format!(r#"{{"decision":"approve","gate":"approval/devops","what":"{what}"}}"#);
            let body = if path.ends_with("/approval") { &answer } else { "" };
            check(method, path, "application/problem+json", body);
        }
        pages.iter().for_each(|path| check("GET", path, "text/html", ""));
        BELOW.iter().for_each(|path| check("GET", path, "", ""));
    }
    assert!(found.is_empty(), "{} of {asked}:\n{}", found.len(), found.join("\n"));
    // Of the one that is there they are found, so that it is not the addresses that are wrong.
    for path in ["/runs/1.1/tests", "/api/v1/runs/1.1/tests", "/runs/1/search", "/runs/1.1"] {
        assert_eq!(serving.get(path).status, 200, "{path}");
    }
    serving.end();
}
