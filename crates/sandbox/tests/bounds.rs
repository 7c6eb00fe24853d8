//! Bounds as the kernel keeps them. It takes a cgroup that this process may divide, as
//! `systemd-run --scope -p Delegate=yes` makes one: the tier `machine`.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use sandbox::{Bounded, Bounds, BoundsError, Delegated, end_bounded};

fn sh(script: &str) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// One test: the cgroup is this process's, not a thread's.
#[test]
fn the_kernel_keeps_them() {
    let bounds =
        Bounds { memory_bytes: Some(32 << 20), cpu_thousandths: Some(500), processes: Some(8) };
    let delegated = match Delegated::claim(&bounds) {
        Ok(delegated) => delegated,
        Err(error @ (BoundsError::Old(_) | BoundsError::Lacks(..))) => panic!("not here: {error}"),
        Err(error) => panic!("start it in one of its own: {error}"),
    };
    let at = delegated.folder();
    assert_eq!(Delegated::claim(&bounds).expect("once more"), delegated);

    // Memory: all of the job go, and whoever started them stays.
    let job = Bounded::make(at, "memory", &bounds).expect("it is ours");
    let mut beside = job.within(|| sh("sleep 1000")).expect("in and out").expect("a shell");
    let mut greedy =
        job.within(|| sh("tail /dev/zero; exit 0")).expect("in and out").expect("a shell");
    assert_eq!(greedy.wait().expect("it ends").signal(), Some(9));
    assert_eq!(beside.wait().expect("it ends").signal(), Some(9));
    assert!(job.exceeded().memory > 0, "{:?}", job.exceeded());
    job.end();
    assert!(!at.join("job-memory").exists());

    // Their number.
    let job = Bounded::make(at, "many", &bounds).expect("it is ours");
    let script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; wait";
    let mut many = job.within(|| sh(script)).expect("in and out").expect("a shell");
    while job.exceeded().processes == 0 && many.try_wait().expect("asked").is_none() {
        std::thread::yield_now();
    }
    assert!(job.exceeded().processes > 0, "{:?}", job.exceeded());
    // As after a worker that was killed: whoever finds it by the job's name.
    end_bounded("many");
    assert!(!at.join("job-many").exists());
    assert!(!many.wait().expect("it ends").success());

    // A job that goes on has its cgroup after another start, also with nobody in it.
    let job = Bounded::make(at, "goes-on", &bounds).expect("it is ours");
    assert_eq!(Delegated::claim(&bounds).expect("once more"), delegated);
    let mut step = job.within(|| sh("exit 0")).expect("in and out").expect("a shell");
    assert!(step.wait().expect("it ends").success());
    job.end();

    // What a job makes in its own goes with it.
    let job = Bounded::make(at, "nested", &Bounds::default()).expect("it is ours");
    std::fs::create_dir_all(at.join("job-nested/pod/one")).expect("made");
    job.end();
    assert!(!at.join("job-nested").exists());

    // Whoever is left on purpose stays in it.
    let job = Bounded::make(at, "left", &Bounds::default()).expect("it is ours");
    let mut left = job.within(|| sh("sleep 1000")).expect("in and out").expect("a shell");
    job.leave();
    let processes = at.join("job-left/cgroup.procs");
    let text = std::fs::read_to_string(processes).expect("it is there");
    assert_eq!(text.trim(), left.id().to_string());
    end_bounded("left");
    left.wait().expect("it ends");
}
