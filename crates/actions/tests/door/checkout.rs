//! `actions/checkout` on real repositories.

use std::collections::BTreeMap;

use crate::bench::Bench;

/// Subjects of the history, newest first.
fn history(bench: &Bench) -> String {
    bench.git("work", &["log", "--format=%s"]).replace('\n', ", ")
}

#[test]
fn a_clean_work_tree_gives_head_one_commit_deep() {
    let mut bench = Bench::new();
    bench.user_repository();
    let ran = bench.run("checkout", &[]).ok();
    let head = bench.git("user", &["rev-parse", "HEAD"]);
    assert_eq!(ran.outputs["commit"], head);
    assert_eq!(ran.outputs["ref"], "refs/heads/main");
    assert_eq!(history(&bench), "three");
    assert_eq!(bench.git("work", &["symbolic-ref", "--short", "HEAD"]), "main");
    assert_eq!(bench.git("work", &["rev-parse", "origin/main"]), head);
    assert_eq!(bench.git("work", &["status", "--porcelain"]), "");
    assert!(!bench.try_git("work", &["diff", "HEAD~1"]).0, "depth 1 has no parent");
    assert_eq!(bench.git("work", &["tag"]), "");
    assert_eq!(bench.git("work", &["rev-parse", "--is-shallow-repository"]), "true");
    bench.git("work", &["fsck"]);
}

#[test]
fn the_snapshot_of_the_run_stands_in_for_head() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.write("user/new.txt", "new\n");
    bench.write("user/one.txt", "changed\n");
    std::fs::remove_file(bench.path("user/two.txt")).expect("a file");
    bench.snapshot("user");
    // What changes behind it is not seen by any job.
    bench.write("user/one.txt", "changed again\n");
    bench.write("user/late.txt", "late\n");
    let before = listing(&bench);
    let first = bench.run("checkout", &[]).ok();
    assert!(first.log.contains("3 uncommitted changes on top of"), "{}", first.log);
    assert_eq!(listing(&bench), before, "the user's .git is as it was");
    assert_eq!(bench.read("work/new.txt"), "new\n");
    assert_eq!(bench.read("work/one.txt"), "changed\n");
    assert!(!bench.path("work/two.txt").exists());
    assert!(!bench.path("work/late.txt").exists());
    assert_eq!(bench.git("work", &["status", "--porcelain"]), "");
    let again = bench.run("checkout", &[("path", "again")]).ok();
    assert_eq!(again.outputs["commit"], first.outputs["commit"], "the same in every job");
    let deep = bench.run("checkout", &[("fetch-depth", "2")]).ok();
    assert_eq!(deep.outputs["commit"], first.outputs["commit"]);
    assert_eq!(history(&bench), "snapshot, three");
    let named = bench.run("checkout", &[("ref", &first.outputs["commit"])]).ok();
    assert_eq!(named.outputs["commit"], first.outputs["commit"], "it can be asked for by name");
    let older = bench.run("checkout", &[("ref", "v1.0")]).ok();
    assert_ne!(older.outputs["commit"], first.outputs["commit"]);
}

/// Every file of the user's `.git` with its length.
fn listing(bench: &Bench) -> Vec<String> {
    let mut folders = vec![bench.path("user/.git")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let meta = entry.metadata().expect("metadata");
            if meta.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(format!("{} {}", entry.path().display(), meta.len()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn all_history_has_tags_and_describes_itself() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.git("user", &["branch", "side", "HEAD~1"]);
    bench.run("checkout", &[("fetch-depth", "0")]).ok();
    assert_eq!(history(&bench), "three, two, one");
    let described = bench.git("work", &["describe"]);
    assert!(described.starts_with("v1.0-1-g"), "{described}");
    assert_eq!(bench.git("work", &["diff", "--name-only", "HEAD~1"]), "three.txt");
    let branches = bench.git("work", &["branch", "--remotes", "--format=%(refname:short)"]);
    assert_eq!(branches, "origin/main\norigin/side");
    assert_eq!(bench.git("work", &["rev-parse", "--is-shallow-repository"]), "false");
}

#[test]
fn depth_cuts_every_line_of_a_merge() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.git("user", &["checkout", "-q", "-b", "side", "HEAD~2"]);
    bench.write("user/side.txt", "side\n");
    bench.git("user", &["add", "-A"]);
    bench.git("user", &["commit", "-q", "-m", "side"]);
    bench.git("user", &["checkout", "-q", "main"]);
    bench.git("user", &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let head = bench.git("user", &["rev-parse", "HEAD"]);
    bench.set("GITHUB_SHA", head);
    bench.run("checkout", &[("fetch-depth", "2")]).ok();
    let mut found = history(&bench).split(", ").map(str::to_owned).collect::<Vec<_>>();
    found.sort();
    assert_eq!(found, ["merge", "side", "three"]);
    // The same as git's own shallow fetch.
    let user = format!("file://{}", bench.path("user").display());
    bench.git(".", &["clone", "-q", "--depth=2", &user, "real"]);
    let boundary = |folder: &str| {
        let mut lines = bench
            .read(&format!("{folder}/.git/shallow"))
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        lines.sort();
        lines
    };
    assert_eq!(boundary("work"), boundary("real"));
}

#[test]
fn refs_are_found_as_branch_tag_and_commit() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.git("user", &["branch", "side", "HEAD~2"]);
    let second = bench.git("user", &["rev-parse", "HEAD~1"]);
    for (reference, subject, branch) in [
        ("side", "one", "side"),
        ("refs/heads/side", "one", "side"),
        ("v1.0", "two", "HEAD"),
        ("refs/tags/v1.0", "two", "HEAD"),
        (second.as_str(), "two", "HEAD"),
    ] {
        let ran = bench.run("checkout", &[("ref", reference)]).ok();
        assert_eq!(history(&bench), subject, "{reference}");
        let at = bench.git("work", &["rev-parse", "--abbrev-ref", "HEAD"]);
        assert_eq!(at, branch, "{reference}: {}", ran.log);
    }
    let ran = bench.run("checkout", &[("ref", "nowhere")]);
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("A branch or tag with the name 'nowhere' could not be found"));
}

#[test]
fn the_token_persists_until_post_and_is_masked() {
    let mut bench = Bench::new();
    bench.user_repository();
    let ran = bench.run("checkout", &[("token", "s3cret-token")]).ok();
    assert!(ran.log.contains("::add-mask::"));
    let header = ["config", "--get", "http.https://github.com/.extraheader"];
    assert!(bench.git("work", &header).starts_with("AUTHORIZATION: basic "));
    bench.stage("checkout", "post", &[], &ran.state).ok();
    assert!(!bench.try_git("work", &header).0);
    bench.run("checkout", &[("token", "s3cret-token"), ("persist-credentials", "false")]).ok();
    assert!(!bench.try_git("work", &header).0);
}

#[test]
fn a_path_stays_in_the_workspace() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.run("checkout", &[("path", "a/../b")]).ok();
    assert!(bench.path("work/b/one.txt").exists());
    let ran = bench.run("checkout", &[("path", "../outside")]);
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("is not under"), "{}", ran.log);
}

#[test]
fn sparse_checkout_takes_folders_or_patterns() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.write("user/docs/a.md", "a");
    bench.write("user/src/b.rs", "b");
    bench.snapshot("user");
    bench.run("checkout", &[("sparse-checkout", "docs")]).ok();
    assert!(bench.path("work/docs/a.md").exists());
    assert!(bench.path("work/one.txt").exists(), "files of the root come along");
    assert!(!bench.path("work/src").exists());
    let by_pattern =
        [("sparse-checkout", "*.rs"), ("sparse-checkout-cone-mode", "false"), ("path", "p")];
    bench.run("checkout", &by_pattern).ok();
    assert!(bench.path("work/p/src/b.rs").exists());
    assert!(!bench.path("work/p/one.txt").exists());
}

#[test]
fn submodules_come_from_the_users_clones() {
    let mut bench = Bench::new();
    bench.user_repository();
    std::fs::create_dir(bench.path("library")).expect("a folder");
    bench.git("library", &["init", "-q", "-b", "main"]);
    bench.write("library/lib.txt", "lib\n");
    bench.git("library", &["add", "-A"]);
    bench.git("library", &["commit", "-q", "-m", "lib"]);
    let address = bench.path("library").display().to_string();
    bench.git(
        "user",
        &["-c", "protocol.file.allow=always", "submodule", "add", "-q", &address, "lib"],
    );
    bench.git("user", &["commit", "-q", "-m", "with lib"]);
    let head = bench.git("user", &["rev-parse", "HEAD"]);
    bench.set("GITHUB_SHA", head);
    std::fs::remove_dir_all(bench.path("library")).expect("gone");
    bench.run("checkout", &[]).ok();
    assert!(!bench.path("work/lib/lib.txt").exists());
    bench.run("checkout", &[("submodules", "true")]).ok();
    assert_eq!(bench.read("work/lib/lib.txt"), "lib\n");
    assert_eq!(bench.git("work", &["config", "submodule.lib.url"]), address);
}

#[test]
fn another_repository_comes_through_a_mirror_or_not_at_all() {
    let mut bench = Bench::new();
    bench.user_repository();
    let ran = bench.run("checkout", &[("repository", "octo/tool"), ("path", "tool")]);
    assert_eq!(ran.code, 5);
    assert!(ran.log.contains("hint: run without --offline"), "{}", ran.log);
    let folder = bench.path("user").display().to_string();
    bench.set("LAUNCHWAY_MIRRORS", format!(r#"{{"octo/tool":"{folder}"}}"#));
    for (reference, subject) in [("", "three"), ("v1.0", "two"), ("main", "three")] {
        let inputs = [("repository", "octo/tool"), ("path", "tool"), ("ref", reference)];
        bench.run("checkout", &inputs).ok();
        assert_eq!(bench.git("work/tool", &["log", "--format=%s"]), subject, "{reference}");
        let url = bench.git("work/tool", &["config", "remote.origin.url"]);
        assert_eq!(url, "https://github.com/octo/tool");
    }
}

#[test]
fn a_second_checkout_keeps_or_cleans() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.write("work/leftover.txt", "x");
    bench.run("checkout", &[]).ok();
    assert!(!bench.path("work/leftover.txt").exists(), "the original empties the folder too");
    bench.write("work/built.txt", "x");
    bench.run("checkout", &[("clean", "false")]).ok();
    assert!(bench.path("work/built.txt").exists());
    bench.run("checkout", &[]).ok();
    assert!(!bench.path("work/built.txt").exists());
}

#[test]
fn a_linked_work_tree_and_a_detached_head_work_too() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.git("user", &["worktree", "add", "-q", "--detach", "../linked", "HEAD"]);
    bench.write("linked/new.txt", "new\n");
    bench.snapshot("linked");
    let linked = bench.path("linked").display().to_string();
    bench.set("LAUNCHWAY_REPOSITORY", linked);
    let ran = bench.run("checkout", &[]).ok();
    assert!(ran.log.contains("1 uncommitted change on top of"), "{}", ran.log);
    assert_eq!(bench.read("work/new.txt"), "new\n");
    let empty = BTreeMap::new();
    assert_eq!(bench.stage("checkout", "post", &[], &empty).ok().log, "");
}

#[test]
fn later_steps_fetch_from_this_machine_and_push_where_they_would_have() {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.git("user", &["branch", "side", "HEAD~2"]);
    for dirty in [false, true] {
        if dirty {
            bench.write("user/new.txt", "new\n");
            bench.snapshot("user");
        }
        bench.run("checkout", &[("path", "clone")]).ok();
        bench.git("work/clone", &["fetch", "-q", "origin", "side"]);
        assert_eq!(bench.git("work/clone", &["log", "-1", "--format=%s", "FETCH_HEAD"]), "one");
        bench.git("work/clone", &["fetch", "-q", "--unshallow", "--tags"]);
        let subjects = bench.git("work/clone", &["log", "--format=%s"]).replace('\n', ", ");
        let top = if dirty { "snapshot, " } else { "" };
        assert_eq!(subjects, format!("{top}three, two, one"));
        assert!(bench.git("work/clone", &["describe"]).starts_with("v1.0-"));
        let push = bench.git("work/clone", &["remote", "get-url", "--push", "origin"]);
        assert_eq!(push, "https://github.com/octo/app.git");
    }
    assert_eq!(bench.git("user", &["status", "--porcelain"]), "?? new.txt");
}
