//! The project's own `action.yml`, run by the binary that it installs: built once, found again, and what its
//! command says is the step's end.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::harness::{Place, Said};

/// Installs the binary of these tests instead of building one, and says what it was asked for.
const CARGO: &str = r#"#!/bin/sh
echo "$*" >> ASKED
while [ $# -gt 1 ]; do [ "$1" = --root ] && root=$2; shift; done
mkdir -p "$root/bin" && ln -s BINARY "$root/bin/launchway"
"#;

const WORKFLOW: &str = "
on: push
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: git -C looked-at init -q && git -C looked-at add -A
      - uses: ./launchway
        with: { args: check --format json, working-directory: looked-at }
";

/// A repository with the action in it, and something to look at.
struct Team {
    place: Place,
}

impl Team {
    fn new() -> Team {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the project");
        let action = std::fs::read_to_string(root.join("action.yml")).expect("it stands there");
        let place = Place::with(&[(".github/workflows/ci.yml", WORKFLOW)]);
        for (path, text) in [
            ("launchway/action.yml", &*action),
            ("launchway/Cargo.toml", "[workspace]"),
            ("launchway/Cargo.lock", "version = 4"),
            ("launchway/crates/launchway/Cargo.toml", "[package]"),
        ] {
            place.write(path, text);
        }
        let cargo = place.path("tools/cargo");
        std::fs::create_dir_all(place.path("tools")).expect("a folder of ours");
        let text = CARGO.replace("ASKED", &place.path("asked").display().to_string());
        let text = text.replace("BINARY", env!("CARGO_BIN_EXE_launchway"));
        std::fs::write(&cargo, text).expect("a file of ours");
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("ours");
        Team { place }
    }

    fn run(&self, looked_at: &str) -> Said {
        self.place.write("looked-at/.github/workflows/a.yml", looked_at);
        self.place.commit();
        let mut command = self.place.launchway(&["run"]);
        let path = std::env::var("PATH").expect("there is one");
        command.env("PATH", format!("{}:{path}", self.place.path("tools").display()));
        Said::from(command.output().expect("the binary starts"))
    }
}

#[test]
fn the_action_is_built_once_and_says_what_its_command_says() {
    let team = Team::new();
    let good = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo\n";
    let said = team.run(good);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    let said = team.run(&good.replace("runs-on", "run-on"));
    assert_eq!(said.exit, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("run-on"), "{}", said.stdout);
    let asked = std::fs::read_to_string(team.place.path("asked")).expect("it was asked");
    assert_eq!(asked.lines().count(), 1, "{asked}");
    assert!(
        asked.starts_with("install --locked --path ")
            && asked.contains("/crates/launchway --root ")
    );
}
