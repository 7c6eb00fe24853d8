//! Steps that do what they should not.

use std::fs;
use std::path::{Path, PathBuf};

use super::Section;
use crate::harness::Place;

/// A job of one step with this script, then one that does nothing.
fn job(script: &str) -> Place {
    let lines: String = script.lines().map(|line| format!("          {line}\n")).collect();
    Place::workflow(&format!(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    outputs: {{ x: '${{{{ steps.s.outputs.x }}}}' }}\n    steps:\n      - id: s\n        run: |\n{lines}      - run: 'true'\n"
    ))
}

pub(super) fn section() -> Section {
    let mut section = Section::new("Steps");
    for (tried, script) in [
        ("a here-document in `GITHUB_ENV` that does not end", "echo 'X<<EOF' >> $GITHUB_ENV"),
        ("a line without `=` in `GITHUB_ENV`", "echo 'just words' >> $GITHUB_ENV"),
        ("a NUL byte in `GITHUB_ENV`", "printf 'X=a\\0b\\n' >> $GITHUB_ENV"),
        ("`NODE_OPTIONS` in `GITHUB_ENV`", "echo NODE_OPTIONS=x >> $GITHUB_ENV"),
        ("a summary of 2 MB", "head -c 2000000 /dev/zero | tr '\\0' x >> $GITHUB_STEP_SUMMARY"),
        ("`GITHUB_OUTPUT` made a folder", "rm $GITHUB_OUTPUT; mkdir $GITHUB_OUTPUT"),
        ("`GITHUB_OUTPUT` made a pipe", "rm $GITHUB_OUTPUT; mkfifo $GITHUB_OUTPUT"),
        (
            "`GITHUB_OUTPUT` made a link to another file",
            "echo 'not for you' > $RUNNER_TEMP/f; ln -sf $RUNNER_TEMP/f $GITHUB_OUTPUT",
        ),
        (
            "outputs of more than 1 MB",
            "echo \"x=$(head -c 1200000 /dev/zero | tr '\\0' x)\" >> $GITHUB_OUTPUT",
        ),
        ("the workspace deleted", "rm -rf \"$GITHUB_WORKSPACE\""),
        ("the runner's own folder deleted", "cd /; rm -rf \"$RUNNER_TEMP\""),
        ("`::stop-commands::` without a token", "echo ::stop-commands::"),
        ("the worker killed, every time", "kill -9 $PPID; while :; do sleep 60; done"),
    ] {
        let place = job(script);
        section.row(tried, &place, &place.run(&["run"]));
    }
    kept(&mut section);
    for script in [
        "rm $GITHUB_OUTPUT $GITHUB_ENV $GITHUB_PATH $GITHUB_STEP_SUMMARY $GITHUB_STATE",
        "setsid sleep 1000 & disown",
    ] {
        // Nothing to say, and nothing left.
        let place = job(script);
        assert_eq!(place.run(&["run"]).exit, 0, "{script}");
        assert_eq!(crate::harness::living(&place), [""; 0], "{script}");
    }
    section
}

/// Artifacts and caches.
fn kept(section: &mut Section) {
    let uses = |script: &str, action: &str, with: &str| {
        Place::workflow(&format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: {script}\n      - {{ uses: {action}@v4, with: {{ {with} }} }}\n"
        ))
    };
    let upload = "actions/upload-artifact";
    let place = uses("echo > f; mkfifo p", upload, "name: both, path: .");
    section.row("a named pipe among the files of an artifact", &place, &place.run(&["run"]));
    let place = uses("echo > f", upload, "name: ../up, path: f");
    section.row("an artifact called `../up`", &place, &place.run(&["run"]));
    let place = uses("echo > f", "actions/cache", "path: f, key: key");
    assert_eq!(place.run(&["run"]).exit, 0);
    for entry in entries(&place.state().join("caches/local")) {
        fs::write(entry, "no archive").expect("a file of ours");
    }
    section.row(
        "an entry of a cache overwritten: as if it was not there",
        &place,
        &place.run(&["run"]),
    );
    let place = uses("echo > f", upload, "name: f, path: f");
    assert_eq!(place.run(&["run"]).exit, 0);
    fs::remove_dir_all(place.state().join("blobs")).expect("ours");
    for line in ["runs logs", "runs download"] {
        let words: Vec<&str> = line.split(' ').collect();
        let tried = format!("`launchway {line}`, after somebody deleted `blobs/`");
        section.row(&tried, &place, &place.run(&words));
    }
}

/// The archives of caches below a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).expect("a folder").flatten().map(|it| it.path());
    let below = |path: PathBuf| if path.is_dir() { entries(&path) } else { vec![path] };
    found.flat_map(below).filter(|path| path.ends_with("entry.tar.zst")).collect()
}
