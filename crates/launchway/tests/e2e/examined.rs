//! The API against its own document: requests that a program made up, good ones and broken ones, on a server
//! with a run in it. No answer is a fault of the server's, and none is of a shape that the document does not have.
//!
//! `LAUNCHWAY_EXAMPLES=200` makes so many for each operation.

use std::path::Path;
use std::process::Command;

use crate::serving::Serving;

const WORKFLOW: &str = "
on:
  push:
  workflow_dispatch:
    inputs: { who: { type: string, default: mona } }
jobs:
  test:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo fine >> \"$GITHUB_STEP_SUMMARY\"' }]
";
/// What stands in an address is there, as often as not.
const KNOWN: &str = "[parameters]\nrun = \"1\"\njob = \"test\"\nowner = \"octo\"\nname = \"app\"\n";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";

#[test]
fn no_request_gets_what_the_document_does_not_have() {
    let serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let target = Path::new(env!("CARGO_BIN_EXE_launchway")).ancestors().nth(2).expect("a target");
    let program = target.join("schemathesis/bin/schemathesis");
    let file = |name: &str, text: &str| {
        let path = serving.place.path(name);
        std::fs::write(&path, text).expect("a file of ours");
        path
    };
    let document = file("openapi.json", &serving.get("/api/v1/openapi.json").text);
    let known = file("schemathesis.toml", KNOWN);
    let examples = std::env::var("LAUNCHWAY_EXAMPLES").unwrap_or_else(|_| "10".to_owned());
    let mut command = Command::new(program);
    command.arg("--config-file").arg(known).arg("run").arg(document);
    command.args(["--url", &serving.url, "--checks", CHECKS, "--continue-on-failure"]);
    command.args(["--header", &format!("Authorization: Bearer {}", serving.token)]);
    // What follows a run does not end by itself.
    command.args(["--exclude-path-regex", "stream$|/api/v1/events$"]);
    command.args(["--max-examples", &examples, "--seed", "1"]);
    let said = command.current_dir(serving.place.path("")).output().expect("it is installed");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
}
