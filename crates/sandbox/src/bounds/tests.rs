//! A folder stands in for the kernel's: what is written where, and what is said of what is missing. What the kernel
//! makes of it the tier `cgroups` shows (`tests/bounds.rs`).

use super::*;

#[test]
fn where_a_process_is() {
    let new = "25 1 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
    let both = "28 27 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                29 27 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let part = "31 30 0:26 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    for (mounts, groups, expect) in [
        (
            new,
            "0::/system.slice/launchway.service\n",
            Some("/sys/fs/cgroup/system.slice/launchway.service"),
        ),
        (new, "0::/\n", Some("/sys/fs/cgroup")),
        (both, "4:memory:/\n0::/user\n", Some("/sys/fs/cgroup/unified/user")),
        (part, "0::/docker/ab/x\n", Some("/sys/fs/cgroup/x")),
        // Of another part nothing can be said.
        (part, "0::/docker/cd\n", None),
        (both, "4:memory:/\n", None),
        ("", "0::/\n", None),
    ] {
        let found = place(mounts, groups);
        assert_eq!(found.as_deref(), expect.map(Path::new), "{groups}");
    }
    assert_eq!(are_of_v1("4:memory:/\n1:cpu,cpuacct:/\n0::/\n"), ["memory", "cpu", "cpuacct", ""]);
}

/// A folder as the kernel makes one: the files are there.
fn folder(controllers: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    fs::write(folder.path().join("cgroup.controllers"), controllers).expect("written");
    folder
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_process_moves_down_and_hands_on_what_is_needed() {
    let given = folder("cpuset cpu io memory pids\n");
    let at = given.path();
    fs::create_dir(at.join("job-old")).expect("made");
    let delegated = Delegated::claim_in(at.to_owned(), &["memory", "pids"]).expect("it is ours");
    assert_eq!(delegated.folder(), at);
    assert_eq!(text(&at.join("launchway/cgroup.procs")), "0");
    assert_eq!(text(&at.join("cgroup.subtree_control")), "+memory +pids");
    assert!(!at.join("job-old").exists(), "nobody is in it");
    // Started there by its service manager, or once more.
    let again = Delegated::claim_in(at.join("launchway"), &["cpu"]).expect("it is ours");
    assert_eq!(again, delegated);
}

#[test]
fn a_server_that_starts_again_leaves_the_jobs_that_go_on() {
    let given = folder("pids\n");
    let at = given.path();
    let left = || {
        let found = fs::read_dir(at).expect("a folder").flatten();
        let names = found.map(|it| it.file_name().to_string_lossy().into_owned());
        let mut jobs: Vec<String> = names.filter(|it| it.starts_with(JOB)).collect();
        jobs.sort();
        jobs
    };
    let start = || Delegated::claim_in(at.to_owned(), &["pids"]).expect("it is ours");
    // Nobody is in either: between two steps, or in a container.
    let goes_on = Bounded::make(at, "goes-on", &Bounds::default()).expect("it is ours");
    let once_more = Bounded::make(at, "goes-on", &Bounds::default()).expect("it is ours");
    let killed = Bounded::make(at, "killed", &Bounds::default()).expect("it is ours");
    drop(killed);
    start();
    assert_eq!(left(), ["job-goes-on"]);
    drop(once_more);
    start();
    assert_eq!(left(), ["job-goes-on"]);
    goes_on.leave();
    start();
    assert!(left().is_empty());
}

#[test]
fn what_a_job_made_in_its_cgroup_goes_with_it() {
    let given = folder("pids\n");
    let at = given.path();
    let make = || {
        let bounded = Bounded::make(at, "podman", &Bounds::default()).expect("it is ours");
        fs::create_dir_all(at.join("job-podman/user.slice/pod/one")).expect("made");
        fs::create_dir_all(at.join("job-podman/user.slice/other")).expect("made");
        bounded
    };
    let is_there = || at.join("job-podman").exists();
    make().leave();
    assert!(!is_there());
    drop(make());
    Delegated::claim_in(at.to_owned(), &["pids"]).expect("it is ours");
    assert!(!is_there());
    // Somebody was left below on purpose: nothing of theirs goes.
    let events = at.join("job-podman/cgroup.events");
    let left = make();
    fs::write(&events, "populated 1\nfrozen 0\n").expect("written");
    left.leave();
    Delegated::claim_in(at.to_owned(), &["pids"]).expect("it is ours");
    assert!(at.join("job-podman/user.slice/pod/one").exists());
}

#[test]
fn what_cannot_be_divided_is_left_as_it_is() {
    let given = folder("pids\n");
    let said = |folder: &Path| Delegated::claim_in(folder.to_owned(), &["pids", "io"]).unwrap_err();
    assert!(matches!(said(given.path()), BoundsError::Lacks(_, lacking) if lacking == ["io"]));
    assert!(!given.path().join("launchway").exists());
}

#[test]
fn a_job_has_its_bounds() {
    let given = folder("");
    let at = given.path();
    fs::create_dir_all(at.join("job-1")).expect("made");
    // The kernel of a machine with swap has it.
    fs::write(at.join("job-1/memory.swap.max"), "max").expect("written");
    let bounds =
        Bounds { memory_bytes: Some(4 << 30), cpu_thousandths: Some(1500), processes: Some(512) };
    let bounded = Bounded::make(at, "1", &bounds).expect("it is ours");
    for (file, expect) in [
        ("memory.max", "4294967296"),
        ("memory.swap.max", "0"),
        ("memory.oom.group", "1"),
        ("cpu.max", "150000 100000"),
        ("pids.max", "512"),
    ] {
        assert_eq!(text(&at.join("job-1").join(file)), expect, "{file}");
    }
    assert_eq!(bounded.exceeded(), Exceeded::default());
    let events = "low 0\nhigh 0\nmax 31\noom 1\noom_kill 3\noom_group_kill 1\n";
    fs::write(at.join("job-1/memory.events"), events).expect("written");
    fs::write(at.join("job-1/pids.events"), "max 2\n").expect("written");
    assert_eq!(bounded.exceeded(), Exceeded { memory: 3, processes: 2 });
    fs::create_dir(at.join(OWN)).expect("made");
    assert_eq!(bounded.within(|| text(&at.join("job-1/cgroup.procs"))).expect("in and out"), "0");
    assert_eq!(text(&at.join("launchway/cgroup.procs")), "0");
    let none = Bounded::make(at, "2", &Bounds::default()).expect("it is ours");
    assert_eq!(fs::read_dir(at.join("job-2")).expect("a folder").count(), 0);
    none.leave();
    assert!(!at.join("job-2").exists());
}
