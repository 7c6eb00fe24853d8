//! Commits made beside the user's repository: of the work tree, and of a pull request's test merge.

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use repository::{EventRequest, PrivateStore, Repository, RepositoryError, TriggeringEvent};

/// Runs git in `folder` with these objects too, and gives what it printed.
fn git_with(folder: &Path, objects: Option<&Path>, line: &str) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"])
        .args(line.split(' '))
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-03-01T12:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-03-01T12:00:00Z");
    if let Some(objects) = objects {
        git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects);
    }
    let output = git.output().expect("git starts");
    assert!(output.status.success(), "git {line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn git(folder: &Path, line: &str) -> String {
    git_with(folder, None, line)
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

fn commit(folder: &Path, name: &str, text: &str) {
    write(folder, name, text);
    git(folder, "add .");
    git(folder, &format!("commit -q -m {name}"));
}

/// `main` went on after `feature`, which is checked out, had left it.
fn sample() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let at = folder.path();
    git(at, "init -q -b main");
    commit(at, "shared.txt", "one\ntwo\nthree\n");
    git(at, "checkout -q -b feature");
    commit(at, "feature.txt", "feature\n");
    git(at, "checkout -q main");
    commit(at, "main.txt", "main\n");
    git(at, "checkout -q feature");
    folder
}

/// Every file under a folder with its text.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
            }
        }
    }
    found.sort();
    found
}

/// An event and where its commits are kept.
struct Made {
    event: TriggeringEvent,
    kept: tempfile::TempDir,
    name: Option<String>,
}

impl Made {
    /// What git says of the commits.
    fn git(&self, at: &Path, line: &str) -> String {
        let name = self.name.as_ref().expect("something was made");
        git_with(at, Some(&PrivateStore::objects(self.kept.path(), name)), line)
    }
}

fn make(at: &Path, request: &EventRequest) -> Result<Made, RepositoryError> {
    let kept = tempfile::tempdir().expect("a scratch folder");
    let repository = Repository::discover(at)?;
    let mut store = PrivateStore::in_folder(kept.path());
    let event = repository.event(request, true, &mut store)?;
    let name = store.name().map(str::to_owned);
    store.keep()?;
    Ok(Made { event, kept, name })
}

#[test]
fn a_work_tree_with_changes_becomes_a_commit_and_the_repository_stays_as_it_is() {
    let folder = sample();
    let at = folder.path();
    write(at, ".gitignore", "*.log\n");
    write(at, "noise.log", "noise");
    write(at, "shared.txt", "changed\n");
    std::fs::remove_file(at.join("feature.txt")).expect("a file");
    let before = contents(&at.join(".git"));
    let made = make(at, &EventRequest::Push).expect("an event");
    assert_eq!(contents(&at.join(".git")), before);
    let snapshot = made.event.snapshot.as_deref().expect("there are changes");
    assert_eq!(made.event.commit, git(at, "rev-parse HEAD"), "the event is about the commit");
    expect![[r#"
        Launchway Work tree with uncommitted changes
        A	.gitignore
        D	feature.txt
        M	shared.txt"#]]
    .assert_eq(
        &made
            .git(at, &format!("log -1 --format=%an%x20%s --name-status {snapshot}"))
            .replace("\n\n", "\n"),
    );
    assert_eq!(made.git(at, &format!("rev-parse {snapshot}^")), made.event.commit);
    let again = make(at, &EventRequest::Push).expect("an event");
    assert_eq!(again.event.snapshot, made.event.snapshot, "the same state is the same commit");
}

#[test]
fn nothing_is_made_where_nothing_differs() {
    let folder = sample();
    let made = make(folder.path(), &EventRequest::Push).expect("an event");
    assert_eq!((made.name, made.event.snapshot), (None, None));
    assert_eq!(std::fs::read_dir(made.kept.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_inside_the_work_tree_is_no_part_of_it() {
    check_folder_inside(None, "feature.txt\nnew.txt\nshared.txt");
    // git takes it for a mistake to name what it leaves out anyway.
    check_folder_inside(Some("/state/\n"), ".gitignore\nfeature.txt\nnew.txt\nshared.txt");
}

fn check_folder_inside(ignored: Option<&str>, expected: &str) {
    let folder = sample();
    let at = folder.path();
    write(at, "new.txt", "new\n");
    ignored.into_iter().for_each(|ignored| write(at, ".gitignore", ignored));
    let repository = Repository::discover(at).expect("a repository");
    let mut store = PrivateStore::in_folder(&at.join("state/snapshots"));
    let event = repository.event(&EventRequest::Push, true, &mut store).expect("an event");
    let name = store.name().expect("a commit").to_owned();
    store.keep().expect("kept");
    let objects = PrivateStore::objects(&at.join("state/snapshots"), &name);
    let snapshot = event.snapshot.expect("there are changes");
    let files = git_with(at, Some(&objects), &format!("ls-tree --name-only {snapshot}"));
    assert_eq!(files, expected);
}

// proves: conformance 21
#[test]
fn c21_a_pull_request_runs_at_its_test_merge() {
    let folder = sample();
    let at = folder.path();
    let made = make(at, &EventRequest::PullRequest { base: None }).expect("an event");
    let event = &made.event;
    assert_eq!(event.git_ref, "refs/pull/1/merge");
    let parents = made.git(at, &format!("log -1 --format=%P {}", event.commit));
    assert_eq!(parents, format!("{} {}", git(at, "rev-parse main"), git(at, "rev-parse feature")));
    let files = made.git(at, &format!("ls-tree --name-only {}", event.commit));
    assert_eq!(files, "feature.txt\nmain.txt\nshared.txt");
    let pull_request = &event.payload["pull_request"];
    assert_eq!(pull_request["merge_commit_sha"], *event.commit);
    assert_eq!(pull_request["head"]["sha"], *git(at, "rev-parse feature"));
    assert_eq!(pull_request["base"]["sha"], *git(at, "rev-parse main"));
    assert_eq!(event.payload["number"], 1);
}

// proves: conformance 21
#[test]
fn c21_what_is_not_committed_is_merged_too() {
    let folder = sample();
    let at = folder.path();
    write(at, "new.txt", "new\n");
    let made = make(at, &EventRequest::PullRequest { base: None }).expect("an event");
    let files = made.git(at, &format!("ls-tree --name-only {}", made.event.commit));
    assert_eq!(files, "feature.txt\nmain.txt\nnew.txt\nshared.txt");
    let head = made.event.payload["pull_request"]["head"]["sha"].as_str().map(str::to_owned);
    assert_eq!(head, made.event.snapshot);
}

// proves: conformance 21
#[test]
fn c21_a_pull_request_with_conflicts_starts_nothing() {
    let folder = sample();
    let at = folder.path();
    write(at, "shared.txt", "one\nfeature\nthree\n");
    write(at, "main.txt", "feature\n");
    git(at, "add .");
    git(at, "commit -q -m change");
    git(at, "checkout -q main");
    commit(at, "shared.txt", "one\nmain\nthree\n");
    git(at, "checkout -q feature");
    let error = make(at, &EventRequest::PullRequest { base: None }).err().expect("conflicts");
    expect![[r#"
        GitHub would run nothing: the pull request conflicts with main in main.txt, shared.txt
        merge or rebase first: git merge BASE, or name another one: --base BRANCH"#]]
    .assert_eq(&format!("{error}\n{}", error.hint().unwrap_or_default()));
}

// proves: conformance 21
#[test]
fn c21_a_pull_request_that_adds_nothing_runs_at_its_base() {
    let folder = sample();
    let at = folder.path();
    git(at, "checkout -q main");
    let made = make(at, &EventRequest::PullRequest { base: None }).expect("an event");
    assert_eq!((made.event.commit, made.name), (git(at, "rev-parse main"), None));
}

/// The files at which a pull request of this payload runs.
fn of_payload(at: &Path, payload: &serde_json::Value) -> (Made, String) {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let path = scratch.path().join("event.json");
    std::fs::write(&path, payload.to_string()).expect("a file");
    let request = EventRequest::Payload { name: "pull_request".to_owned(), path };
    let made = make(at, &request).expect("an event");
    let list = format!("ls-tree --name-only {}", made.event.commit);
    let files = match made.name {
        Some(_) => made.git(at, &list),
        None => git(at, &list),
    };
    (made, files.replace('\n', " "))
}

// proves: conformance 21
#[test]
fn c21_a_payload_is_merged_as_far_as_its_commits_are_here() {
    let folder = sample();
    let at = folder.path();
    git(at, "checkout -q -b other main~1");
    commit(at, "other.txt", "other\n");
    git(at, "checkout -q feature");
    let payload = |state: &str, base: &str, head: &str| {
        serde_json::json!({ "action": "synchronize", "number": 7, "pull_request": {
            "number": 7, "state": state, "base": { "ref": "main", "sha": base },
            "head": { "ref": "x", "sha": head },
        } })
    };
    let (base, head) = (git(at, "rev-parse main"), git(at, "rev-parse other"));
    let nobody = "1".repeat(40);
    let files = |payload| of_payload(at, &payload).1;
    assert_eq!(files(payload("open", &base, &head)), "main.txt other.txt shared.txt");
    assert_eq!(files(payload("open", &base, &nobody)), "feature.txt main.txt shared.txt");
    assert_eq!(files(payload("open", &nobody, &head)), "main.txt other.txt shared.txt");
    // Of one that was closed without being merged the last test merge counts.
    assert_eq!(files(payload("closed", &base, &head)), "main.txt other.txt shared.txt");
    let (made, _) = of_payload(at, &payload("open", &base, &head));
    assert_eq!(made.event.git_ref, "refs/pull/7/merge");
}
