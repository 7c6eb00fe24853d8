//! Folders that are not what they should be.

use std::fs;
use std::process::Stdio;

use super::Section;
use crate::harness::{Place, Said};

const WORKFLOW: &str =
    "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }";

pub(super) fn section() -> Section {
    let mut section = Section::new("Repositories and state folders");
    repositories(&mut section);
    two_at_once(&mut section);
    states(&mut section);
    journals(&mut section);
    section
}

fn repositories(section: &mut Section) {
    let place = Place::workflow(WORKFLOW);
    let outside = place.path("outside");
    fs::create_dir_all(&outside).expect("a folder of ours");
    let said = place.launchway(&["run"]).current_dir(&outside).output().expect("it starts");
    section.row("outside of a repository", &place, &Said::from(said));
    section.row("a folder that is not there", &place, &place.run(&["run", "-C", "../nowhere"]));
    let inside = place.repository().join(".git");
    let said = place.launchway(&["run"]).current_dir(&inside).output().expect("it starts");
    section.row("a bare repository, or the inside of `.git`", &place, &Said::from(said));
    let said = place.launchway(&["run"]).env("PATH", "/nonexistent").output().expect("it starts");
    section.row("git is not installed", &place, &Said::from(said));
    fs::remove_dir_all(place.repository().join(".git")).expect("ours");
    place.git(&["init", "--quiet"]);
    section.row("a repository without a commit", &place, &place.run(&["run"]));
    let place = Place::workflow(WORKFLOW);
    let nested = place.repository().join("nested");
    fs::create_dir_all(&nested).expect("a folder of ours");
    let init = place.program("git").args(["init", "--quiet"]).current_dir(&nested).status();
    assert!(init.expect("git starts").success());
    section.row(
        "a repository without a commit inside of the work tree",
        &place,
        &place.run(&["run"]),
    );
    let place = Place::with(&[("README.md", "")]);
    section.row("a repository without workflows", &place, &place.run(&["run"]));
}

/// A second command on a run that another one drives.
fn two_at_once(section: &mut Section) {
    let place = Place::workflow(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'echo > $MARKS/at-work; until [ -e $MARKS/go ]; do sleep 0.01; done', env: { MARKS: '${{ vars.MARKS }}' } }] } }",
    );
    let marks = format!("MARKS={}", place.path("").display());
    let mut run = place.launchway(&["run", "--var", &marks]);
    let mut first = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    crate::harness::wait_for_line(&place.path("at-work"));
    for line in ["runs resume", "runs rerun"] {
        let words: Vec<&str> = line.split(' ').collect();
        let tried = format!("`launchway {line}` while the run goes on");
        section.row(&tried, &place, &place.run(&words));
    }
    fs::write(place.path("go"), "").expect("a file of ours");
    assert!(first.wait().expect("it ends").success());
}

fn states(section: &mut Section) {
    let place = Place::workflow(WORKFLOW);
    fs::write(place.state(), "").expect("a file of ours");
    section.row("a file as the state folder", &place, &place.run(&["run"]));
    let mut homeless = place.program(env!("CARGO_BIN_EXE_launchway"));
    let said = homeless.arg("run").env_remove("HOME").output().expect("it starts");
    section.row("no HOME, and no state folder named", &place, &Said::from(said));
}

/// A journal of one run, changed by somebody.
fn changed(change: impl Fn(&mut Vec<u8>)) -> (Place, Said) {
    let place = Place::workflow(WORKFLOW);
    assert_eq!(place.run(&["run"]).exit, 0);
    let path = place.state().join("journal.db");
    let mut bytes = fs::read(&path).expect("the journal");
    change(&mut bytes);
    fs::write(&path, bytes).expect("the journal");
    let said = place.run(&["runs", "show"]);
    (place, said)
}

fn journals(section: &mut Section) {
    let (place, said) = changed(|bytes| *bytes = b"not a database at all".to_vec());
    section.row("a journal that is none", &place, &said);
    let (place, said) = changed(|bytes| bytes.truncate(5_000));
    section.row("a journal that is cut off", &place, &said);
    let (place, said) = changed(|bytes| bytes[2 * 4096..].fill(0x55));
    section.row("a journal of which pages were overwritten", &place, &said);
    // SQLite's `user_version` stands at byte 60.
    let (place, said) = changed(|bytes| bytes[60..64].copy_from_slice(&8_u32.to_be_bytes()));
    section.row("a journal of a future version", &place, &said);
    let (place, said) = changed(|bytes| {
        let title = b"\"title\":\"a change\"";
        let at = bytes.windows(title.len()).position(|it| it == title).expect("it is in there");
        bytes[at + 9..at + 17].copy_from_slice(b"A CHANGE");
    });
    section.row("a journal of which one letter was changed", &place, &said);
}
