//! `launchway demo`, on a machine that has nothing but `sh` with its few tools, and git.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value as Json;

use crate::harness::{Place, Said, living, wait_until};
use crate::serving::Serving;

/// What the demo's scripts call, besides git and the shell's own words.
const PROGRAMS: [&str; 4] = ["sh", "git", "mkdir", "cat"];

/// Runs the demo with these programs on the PATH and no others.
fn demo(place: &Place, programs: &[&str], args: &[&str]) -> Said {
    let folder = place.path("programs");
    std::fs::create_dir_all(&folder).expect("a folder");
    for program in programs {
        let path = std::env::var_os("PATH").expect("PATH is set");
        let found = std::env::split_paths(&path).map(|folder| folder.join(program));
        let found: PathBuf = found.into_iter().find(|path| path.exists()).expect("it is installed");
        symlink(found, folder.join(program)).expect("a link");
    }
    let mut command = place.launchway(&[&["demo"], args].concat());
    Said::from(command.env("PATH", &folder).output().expect("the binary starts"))
}

#[test]
fn programs_are_told_what_happened_and_that_it_ended() {
    let place = Place::with(&[]);
    let said = demo(&place, &PROGRAMS, &["--format", "json", "--no-open"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let lines = said.lines();
    let of = |kind: &str| {
        let of_kind = lines.iter().filter(|line| line["type"] == kind);
        of_kind.cloned().collect::<Vec<_>>()
    };
    let ends: Vec<_> = of("run_completed").iter().map(|line| line["conclusion"].clone()).collect();
    assert_eq!(ends, ["failure", "success"]);
    // What ended well is not done again.
    let begun: Vec<_> = of("job_started").iter().map(|line| line["job"].clone()).collect();
    assert_eq!(begun.iter().filter(|job| **job == "sign").count(), 2, "{begun:?}");
    assert_eq!(begun.len(), 8, "{begun:?}");
    let errors = of("annotation");
    assert_eq!(errors[0]["message"], "the secret SIGNING_KEY is not set");
    let last = lines.last().expect("there are lines");
    assert_eq!(last["type"], "demo_completed");
    assert_eq!((&last["requests_failed"], &last["rolled_back"]), (&0.into(), &true.into()));
    assert!(last["requests"].as_u64().is_some_and(|requests| requests > 100), "{last}");
    let verdicts: Vec<_> =
        of("deployment_completed").iter().map(|line| line["verdict"].clone()).collect();
    assert_eq!(verdicts, ["succeeded", "rolled_back", "succeeded"]);
    assert!(last["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{last}");
}

#[test]
fn people_see_a_mistake_a_failure_its_remedy_and_a_masked_key() {
    let place = Place::with(&[]);
    let said = demo(&place, &PROGRAMS, &[]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    for shown in [
        "did you mean `timeout-minutes`?",
        "error sign: Nothing to sign with: the secret SIGNING_KEY is not set",
        "run 1, attempt 2",
        "signing with ***",
        "✗ rolled back: greeter 1.1 to local",
        "✓ succeeded: greeter 1.2 to local",
    ] {
        assert!(said.stdout.contains(shown), "{shown} is not in\n{}", said.stdout);
    }
    assert!(said.stderr.contains("launchway runs rerun --failed --secret SIGNING_KEY"));
    // The next one takes its place.
    assert_eq!(demo_again(&place).exit, 0);
}

fn demo_again(place: &Place) -> Said {
    Said::from(place.launchway(&["demo"]).output().expect("the binary starts"))
}

/// Whoever plays on it ends with the test.
struct Terminal(Child);

impl Drop for Terminal {
    fn drop(&mut self) {
        // What was asked is an answer by now; else the terminal hangs up on who plays.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the server that the demo became says to whoever has its token.
fn asked(url: &str, token: &str, path: &str) -> String {
    let request = ureq::http::Request::get(format!("{url}{path}"))
        .header("authorization", format!("Bearer {token}"));
    let mut answer =
        Serving::agent().run(request.body(()).expect("a request")).expect("the server answers");
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    answer.body_mut().read_to_string().expect("its body")
}

#[test]
fn on_a_terminal_it_ends_as_the_server_of_what_it_made_until_ctrl_c() {
    let place = Place::with(&[]);
    let shown = place.path("shown");
    let mut script = place.program("script");
    script.args(["--quiet", "--return", "--flush", "--log-out"]).arg(&shown);
    script.args(["--command", concat!("exec ", env!("CARGO_BIN_EXE_launchway"), " demo")]);
    script.env("LAUNCHWAY_STATE", place.state()).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut terminal = Terminal(script.stderr(Stdio::null()).spawn().expect("it starts"));
    let child = &mut terminal.0;
    let mut keyboard = child.stdin.take().expect("it is piped");
    let (mut url, mut token) = (String::new(), String::new());
    let read = || {
        let text = std::fs::read(&shown).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    };
    wait_until("what the demo plays", || read().contains("$ launchway serve"));
    wait_until("the server that it becomes", || {
        let text = read();
        let word = text.split_whitespace().find(|it| it.starts_with("launchway_"));
        token = word.unwrap_or_default().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("serving "));
        url = line.unwrap_or_default().trim().to_owned();
        let is_over = child.try_wait().expect("it was started").is_some();
        assert!(!is_over, "{text}");
        !url.is_empty() && !token.is_empty()
    });
    let listed = |path: &str, list: &str| {
        let all: Json = serde_json::from_str(&asked(&url, &token, path)).expect("JSON");
        all[list].as_array().expect("a list").clone()
    };
    let ends = |all: &[Json], key: &str| {
        let ends: Vec<String> = all.iter().rev().map(|it| it[key].to_string()).collect();
        ends.join(" ").replace('"', "")
    };
    assert_eq!(ends(&listed("/api/v1/runs", "runs"), "conclusion"), "failure success");
    let deployments = listed("/api/v1/deployments", "deployments");
    assert_eq!(ends(&deployments, "standing"), "succeeded rolled_back succeeded");
    let page = asked(&url, &token, "/deployments/2");
    assert!(page.contains("rolled back") && page.contains("1.1"), "{page}");
    assert!(asked(&url, &token, "/runs/1.1").contains("SIGNING_KEY"), "the run's page says why");
    keyboard.write_all(b"\x03").expect("the terminal reads");
    let status = child.wait().expect("it was started");
    assert_eq!(status.code(), Some(0), "{}", read());
    wait_until("everything's end", || living(&place).is_empty());
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::with(&[]);
    let said = demo(&place, &["sh"], &[]);
    assert_eq!(said.exit, 5);
    assert!(said.stderr.contains("the demo needs git"), "{}", said.stderr);
}
