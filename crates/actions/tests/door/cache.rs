//! `actions/cache` over two jobs: saved after one, restored in the next.

use crate::bench::{Bench, Ran};

/// A job: restores, lets `work` change files, and saves.
fn job(bench: &Bench, inputs: &[(&str, &str)], work: impl FnOnce()) -> Ran {
    let restored = bench.run("cache", inputs).ok();
    work();
    let post = bench.stage("cache", "post", inputs, &restored.state).ok();
    Ran { log: restored.log.clone() + &post.log, ..restored }
}

fn forget(bench: &Bench) {
    for folder in ["work", "home"] {
        std::fs::remove_dir_all(bench.path(folder)).expect("a folder");
        std::fs::create_dir(bench.path(folder)).expect("a folder");
    }
}

// proves: conformance 203
#[test]
fn saved_once_and_restored_by_key_or_prefix() {
    let bench = Bench::new();
    let inputs = |key| [("path", "deps\n~/.tool"), ("key", key), ("restore-keys", "deps-")];
    let first = job(&bench, &inputs("deps-1"), || {
        bench.write("work/deps/a", "1");
        bench.write("home/.tool/b", "1");
    });
    assert_eq!(first.outputs.get("cache-hit"), None);
    assert!(first.log.contains("Cache saved with key: deps-1"), "{}", first.log);
    forget(&bench);
    let exact = job(&bench, &inputs("deps-1"), || {});
    assert_eq!(exact.outputs["cache-hit"], "true");
    assert!(exact.log.contains("not saving cache"), "{}", exact.log);
    assert_eq!(bench.read("work/deps/a") + &bench.read("home/.tool/b"), "11");
    forget(&bench);
    let near = job(&bench, &inputs("deps-2"), || bench.write("work/deps/a", "2"));
    assert_eq!(near.outputs["cache-hit"], "false");
    assert_eq!(near.outputs["cache-matched-key"], "deps-1");
    forget(&bench);
    job(&bench, &inputs("deps-2"), || {});
    assert_eq!(bench.read("work/deps/a"), "2");
    // Other paths are another version: no entry of theirs.
    let other = bench.run("cache", &[("path", "deps"), ("key", "deps-2")]).ok();
    assert_eq!(other.outputs.get("cache-hit"), None);
}

#[test]
fn the_newest_lease_of_a_job_has_the_key() {
    let mut bench = Bench::new();
    let mut save = |job: &str, lease: u32, value: &str| {
        let writer = format!(r#"{{"job":"run 7.1, job {job}","lease":{lease}}}"#);
        bench.set("LAUNCHWAY_LEASE", writer);
        bench.write("work/deps/a", value);
        let inputs = [("path", "deps"), ("key", "deps")];
        let said = bench.run("cache-save", &inputs).ok().log.contains("Cache saved");
        let restored = bench.run("cache-restore", &inputs).ok().log;
        assert!(restored.contains(", saved by run 7.1, job build)"), "{restored}");
        (said, bench.read("work/deps/a"))
    };
    // One that was given up and goes on saves first: the one in its place does not build on it.
    assert_eq!(save("build", 3, "given up"), (true, "given up".to_owned()));
    assert_eq!(save("build", 4, "counts"), (true, "counts".to_owned()));
    assert_eq!(save("build", 3, "given up"), (false, "counts".to_owned()));
    // For anybody else an entry never changes.
    assert_eq!(save("other", 9, "late"), (false, "counts".to_owned()));
}

// proves: conformance 203
#[test]
fn a_branch_sees_its_own_and_the_default_branch_only() {
    let mut bench = Bench::new();
    bench.write("event.json", r#"{"repository":{"default_branch":"main"}}"#);
    let event = bench.path("event.json").display().to_string();
    bench.set("GITHUB_EVENT_PATH", event);
    bench.write("work/deps/a", "1");
    let save = |bench: &Bench, key| {
        bench.run("cache-save", &[("path", "deps"), ("key", key)]).ok();
    };
    let hit = |bench: &Bench, key| {
        let inputs = [("path", "deps"), ("key", key), ("lookup-only", "true")];
        bench.run("cache-restore", &inputs).ok().outputs.contains_key("cache-hit")
    };
    save(&bench, "on-main");
    bench.set("GITHUB_REF", "refs/heads/feature");
    save(&bench, "on-feature");
    assert!(hit(&bench, "on-main") && hit(&bench, "on-feature"));
    bench.set("GITHUB_REF", "refs/heads/other");
    assert!(hit(&bench, "on-main") && !hit(&bench, "on-feature"));
    bench.set("GITHUB_REF", "refs/pull/1/merge");
    bench.set("GITHUB_BASE_REF", "feature");
    assert!(hit(&bench, "on-feature"));
}

// proves: conformance 203
#[test]
fn keys_have_limits_and_a_miss_may_fail() {
    let bench = Bench::new();
    let long = "k".repeat(513);
    let many = ["a"; 10].join("\n");
    for (key, restore, says) in [
        ("a,b", "", "cannot contain commas"),
        (long.as_str(), "", "cannot be larger than 512 characters"),
        ("a", many.as_str(), "limited to a maximum of 10"),
        ("", "", "Input required and not supplied: key"),
    ] {
        let ran = bench.run("cache", &[("path", "x"), ("key", key), ("restore-keys", restore)]);
        assert_eq!(ran.code, 1);
        assert!(ran.log.contains(says), "{}", ran.log);
    }
    let strict = [("path", "x"), ("key", "k"), ("fail-on-cache-miss", "true")];
    assert_eq!(bench.run("cache-restore", &strict).code, 1);
    let ran = bench.run("cache-save", &[("path", "x"), ("key", "k")]).ok();
    assert!(ran.log.contains("::warning::Path Validation Error"), "{}", ran.log);
}

#[test]
fn exclusions_links_and_modes_survive() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bench = Bench::new();
    bench.write("work/deps/run", "x");
    bench.write("work/deps/skip.log", "x");
    symlink("run", bench.path("work/deps/link")).expect("a link");
    let mode = std::fs::Permissions::from_mode(0o750);
    std::fs::set_permissions(bench.path("work/deps/run"), mode).expect("chmod");
    let inputs = [("path", "deps\n!deps/*.log"), ("key", "k")];
    bench.run("cache-save", &inputs).ok();
    forget(&bench);
    bench.run("cache-restore", &inputs).ok();
    assert!(!bench.path("work/deps/skip.log").exists());
    assert_eq!(
        std::fs::read_link(bench.path("work/deps/link")).expect("a link").to_str(),
        Some("run")
    );
    let mode = std::fs::metadata(bench.path("work/deps/run")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[test]
fn an_entry_that_cannot_be_read_is_a_miss_and_is_made_anew() {
    let bench = Bench::new();
    let inputs = [("path", "deps"), ("key", "deps-1")];
    job(&bench, &inputs, || bench.write("work/deps/a", "1"));
    let damaged = entries(&bench.path("caches"));
    assert_eq!(damaged.len(), 1);
    std::fs::write(&damaged[0], "no archive").expect("a file of ours");
    forget(&bench);
    let missed = job(&bench, &inputs, || bench.write("work/deps/a", "2"));
    assert_eq!(missed.outputs.get("cache-hit"), None);
    for said in ["Failed to restore", "Cache not found", "Cache saved with key: deps-1"] {
        assert!(missed.log.contains(said), "{}", missed.log);
    }
    forget(&bench);
    job(&bench, &inputs, || {});
    assert_eq!(bench.read("work/deps/a"), "2");
}

/// A branch reads what the default branch saved, and must not make it go by having no place for it.
#[test]
fn an_entry_that_has_no_place_stays() {
    let bench = Bench::new();
    let inputs = [("path", "deps"), ("key", "deps-1")];
    job(&bench, &inputs, || bench.write("work/deps/a", "1"));
    // As it was saved, or as one that was saved before digests were.
    for step in ["the digest is there", "it is not"] {
        forget(&bench);
        bench.write("work/deps", "in the way");
        let missed = bench.run("cache-restore", &inputs).ok();
        assert!(missed.log.contains("Failed to restore"), "{step}: {}", missed.log);
        forget(&bench);
        let found = bench.run("cache-restore", &inputs).ok();
        assert_eq!(found.outputs["cache-hit"], "true", "{step}: {}", found.log);
        let archive = &entries(&bench.path("caches"))[0];
        let _ = std::fs::remove_file(archive.with_file_name("digest"));
    }
}

/// The archives below a folder.
fn entries(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let found = std::fs::read_dir(folder).expect("a folder").flatten().map(|it| it.path());
    let below = |path: std::path::PathBuf| match path.is_dir() {
        true => entries(&path),
        false => vec![path],
    };
    found.flat_map(below).filter(|path| path.ends_with("entry.tar.zst")).collect()
}
