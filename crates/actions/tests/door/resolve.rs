//! `uses` resolved from real repositories behind a mirror that is a folder.

use std::collections::BTreeMap;
use std::time::Duration;

use actions::{
    ActionSource, ManifestFile, Mirrors, Note, ResolveError, ResolveOptions, Resolved, WriteLock,
};
use workflow::Uses;

use crate::bench::Bench;

/// An action `octo/tool`, tagged v1, with an action in a sub-folder and a file it does not export.
fn tool() -> (Bench, ResolveOptions) {
    let bench = Bench::new();
    bench.write("mirror/octo/tool/action.yml", "name: tool\n");
    bench.write("mirror/octo/tool/sub/action.yaml", "name: sub\n");
    bench.write("mirror/octo/tool/docker/Dockerfile", "FROM scratch\n");
    bench.write("mirror/octo/tool/tests/x", "x");
    bench.write("mirror/octo/tool/.gitattributes", "tests export-ignore\n");
    let repository = "mirror/octo/tool";
    bench.git(repository, &["init", "-q", "-b", "main"]);
    bench.git(repository, &["add", "-A"]);
    bench.git(repository, &["commit", "-q", "-m", "one"]);
    bench.git(repository, &["tag", "-a", "v1", "-m", "one"]);
    let mut options = ResolveOptions::new(bench.path("actions"));
    let folder = bench.path("mirror").display().to_string();
    options.mirrors = Mirrors::new(BTreeMap::from([(String::new(), folder)]));
    options.retry_pause = Duration::ZERO;
    (bench, options)
}

fn resolve(uses: &str, options: &ResolveOptions) -> Result<Resolved, ResolveError> {
    let uses = Uses::parse_action(uses).expect("a uses");
    actions::resolve(&uses, options, &mut |_| {})
}

fn text(resolved: &Resolved) -> &str {
    match &resolved.manifest {
        ManifestFile::Yaml { text, .. } => text,
        ManifestFile::Dockerfile { name } => name,
    }
}

// proves: conformance 142, 143
#[test]
fn tag_branch_commit_and_folder_are_found() {
    let (bench, options) = tool();
    let commit = bench.git("mirror/octo/tool", &["rev-parse", "HEAD"]);
    for (uses, says) in [
        ("octo/tool@v1", "name: tool\n"),
        ("octo/tool@main", "name: tool\n"),
        ("Octo/Tool@refs/heads/main", "name: tool\n"),
        (&format!("octo/tool@{commit}"), "name: tool\n"),
        ("octo/tool/sub@v1", "name: sub\n"),
        ("octo/tool/docker@v1", "Dockerfile"),
    ] {
        let resolved = resolve(uses, &options).expect(uses);
        assert_eq!(text(&resolved), says, "{uses}");
        assert_eq!(resolved.commit.as_deref(), Some(commit.as_str()), "{uses}");
        let ActionSource::Folder { repository, .. } = resolved.source else { panic!("{uses}") };
        assert!(!repository.join("tests").exists(), "as in GitHub's archive");
    }
}

// proves: conformance 142
#[test]
fn what_is_not_there_is_said_with_a_remedy() {
    let (bench, options) = tool();
    let short = &bench.git("mirror/octo/tool", &["rev-parse", "HEAD"])[..8];
    resolve("octo/tool@v1", &options).expect("stored");
    for (uses, code, says) in [
        ("octo/tool@v9", 3, "has no tag, branch or commit v9"),
        (&format!("octo/tool@{short}"), 3, "is a shortened commit"),
        (&format!("octo/tool@{}", "1".repeat(40)), 3, "has no tag, branch or commit 1111"),
        ("octo/nothing@v1", 5, "no repository at"),
        (
            "octo/tool/nothing@v1",
            3,
            "no action.yml, action.yaml or Dockerfile in octo/tool/nothing",
        ),
        ("octo/tool/../..@v1", 3, "is not the name of an action"),
        ("./here", 3, "is not an action of a repository"),
    ] {
        let error = resolve(uses, &options).expect_err(uses);
        assert!(error.to_string().contains(says), "{uses}: {error}");
        assert_eq!(error.exit_code(), code, "{uses}");
        assert!(!error.hint().is_empty());
    }
    let error = resolve(&format!("octo/tool@{short}"), &options).expect_err("short");
    assert!(error.hint().starts_with(&format!("write @{short}")), "{}", error.hint());
}

// proves: conformance 153
#[test]
fn what_is_stored_needs_no_host_again() {
    let (bench, mut options) = tool();
    let stored = resolve("octo/tool@v1", &options).expect("fetched");
    std::fs::remove_dir_all(bench.path("mirror")).expect("gone");
    options.mirrors = Mirrors::default().with_host("http://127.0.0.1:1");
    options.offline = true;
    let offline = resolve("octo/tool@v1", &options).expect("stored");
    assert_eq!(offline.commit, stored.commit);
    let error = resolve("octo/tool@v2", &options).expect_err("not stored");
    assert!(matches!(error, ResolveError::Offline { .. }));
    assert_eq!(error.exit_code(), 5);
}

#[test]
fn an_unreachable_host_is_asked_three_times() {
    let (_bench, mut options) = tool();
    options.mirrors = Mirrors::default().with_host("http://127.0.0.1:1");
    let uses = Uses::parse_action("octo/tool@v1").expect("a uses");
    let mut told = Vec::new();
    let error = actions::resolve(&uses, &options, &mut |line| told.push(line.to_owned()));
    let error = error.expect_err("nobody listens there");
    assert!(matches!(error, ResolveError::Unreachable { .. }), "{error}");
    assert_eq!((told.len(), error.exit_code()), (2, 5), "{told:?}");
    assert!(error.hint().contains("mirror"));
}

// proves: conformance 154
#[test]
fn a_committed_lock_wins_over_a_moved_tag() {
    let (bench, mut options) = tool();
    bench.git(".", &["init", "-q", "app"]);
    let lock = bench.path("app/.launchway/actions.lock");
    options.lock_file = Some(lock.clone());
    let first = resolve("octo/tool@v1", &options).expect("fetched").commit.expect("a commit");
    assert!(!lock.exists(), "nobody asked for a lock file");
    options.write_lock = WriteLock::Always;
    resolve("octo/tool@v1", &options).expect("fetched");
    resolve("actions/checkout@v4", &options).expect("native");
    let tree = bench.git("mirror/octo/tool", &["rev-parse", "HEAD^{tree}"]);
    let lines = bench.read("app/.launchway/actions.lock");
    let lines = lines.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    assert_eq!(
        lines,
        [
            "version 1",
            "actions/checkout@v4 native",
            &format!("octo/tool@v1 fetched commit={first} tree={tree}"),
        ]
    );
    // The tag moves. As long as nobody committed the file, the run follows.
    bench.write("mirror/octo/tool/action.yml", "name: moved\n");
    bench.git("mirror/octo/tool", &["commit", "-q", "-a", "-m", "two"]);
    bench.git("app", &["add", "-A"]);
    bench.git("app", &["commit", "-q", "-m", "lock"]);
    bench.git("mirror/octo/tool", &["tag", "-f", "v1"]);
    let locked = resolve("octo/tool@v1", &options).expect("locked");
    assert_eq!(locked.commit.as_deref(), Some(first.as_str()));
    assert_eq!(text(&locked), "name: tool\n");
    let [Note::Warning(note)] = locked.notes.as_slice() else { panic!("{:?}", locked.notes) };
    assert!(note.contains("moved to"), "{note}");
    // Another machine, which never had the commit, gets it from the host.
    options.actions = bench.path("elsewhere");
    let locked = resolve("octo/tool@v1", &options).expect("locked");
    assert_eq!(locked.commit.as_deref(), Some(first.as_str()));
    // A tree that is not the commit's stops the run.
    bench.write(
        "app/.launchway/actions.lock",
        bench.read("app/.launchway/actions.lock").replace(&tree, &first),
    );
    let error = resolve("octo/tool@v1", &options).expect_err("another tree");
    assert!(matches!(error, ResolveError::LockedTree { .. }), "{error}");
    assert_eq!(error.exit_code(), 4);
}

#[test]
fn a_lock_line_that_is_not_understood_is_named() {
    let (bench, mut options) = tool();
    bench.write("app/actions.lock", "version 1\nocto/tool@v1 fetched commit=12\n");
    options.lock_file = Some(bench.path("app/actions.lock"));
    let error = resolve("octo/tool@v1", &options).expect_err("line 2");
    assert!(error.to_string().starts_with("line 2 of the lock file"), "{error}");
}

#[test]
fn native_gives_way_to_the_original_on_demand() {
    let (_bench, mut options) = tool();
    let native = resolve("actions/checkout@v4", &options).expect("native");
    assert_eq!(native.source, ActionSource::Native("checkout"));
    assert_eq!(native.commit, None);
    options.no_native = true;
    let error = resolve("actions/checkout@v4", &options).expect_err("no mirror has it");
    assert!(matches!(error, ResolveError::NoRepository { .. }), "{error}");
}

// proves: conformance 117
#[test]
fn a_workflow_of_another_repository_is_found_and_locked() {
    let (bench, mut options) = tool();
    bench.write("mirror/octo/tool/.github/workflows/build.yml", "on: workflow_call\n");
    bench.git("mirror/octo/tool", &["add", "-A"]);
    bench.git("mirror/octo/tool", &["commit", "-q", "-m", "workflow"]);
    options.lock_file = Some(bench.path("app/actions.lock"));
    options.write_lock = WriteLock::Always;
    let workflow = |uses: &str| {
        let uses = Uses::parse_workflow(uses).expect("a uses");
        actions::resolve_workflow(&uses, &options, &mut |_| {})
    };
    let found = workflow("octo/tool/.github/workflows/build.yml@main").expect("there");
    assert_eq!(found.text, "on: workflow_call\n");
    assert_eq!(found.commit, bench.git("mirror/octo/tool", &["rev-parse", "HEAD"]));
    assert!(
        bench
            .read("app/actions.lock")
            .contains("octo/tool/.github/workflows/build.yml@main fetched")
    );
    let error = workflow("octo/tool/.github/workflows/none.yml@main").expect_err("not there");
    assert!(
        error.to_string().contains("there is no .github/workflows/none.yml in commit"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn many_at_once_share_one_shelf_and_one_lock_file() {
    let (bench, mut options) = tool();
    options.lock_file = Some(bench.path("app/actions.lock"));
    options.write_lock = WriteLock::Always;
    let uses = ["octo/tool@v1", "octo/tool@main", "octo/tool/sub@v1", "octo/tool/sub@main"];
    std::thread::scope(|scope| {
        for uses in uses.iter().cycle().take(8) {
            let options = &options;
            scope.spawn(move || {
                if let Err(error) = resolve(uses, options) {
                    panic!("{uses}: {error:?}");
                }
            });
        }
    });
    let lock = bench.read("app/actions.lock");
    for uses in uses {
        assert!(lock.contains(&format!("\n{uses} fetched commit=")), "{lock}");
    }
    let trees = std::fs::read_dir(bench.path("actions/trees/octo/tool")).expect("a folder");
    assert_eq!(trees.count(), 1, "one commit, and nothing half written");
}
