//! `launchway demo`, on a machine that has nothing but `sh` with its few tools, and git.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::harness::{Place, Said};

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

#[test]
fn what_is_missing_is_named() {
    let place = Place::with(&[]);
    let said = demo(&place, &["sh"], &[]);
    assert_eq!(said.exit, 5);
    assert!(said.stderr.contains("the demo needs git"), "{}", said.stderr);
}
