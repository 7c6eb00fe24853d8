//! Jobs that are kept in: what a job does everywhere goes on, what lies outside is out of reach.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use protocol::{JobSpec, Walls};

use crate::harness::{Told, start, start_at_home};

/// The whole scratch folder is hidden, as a server's folder is.
fn keep_in(spec: &mut JobSpec) {
    let folder = std::path::Path::new(&*spec.paths.job).parent().expect("it lies in one");
    let hidden = vec![folder.to_str().expect("a path of ours").into()];
    spec.options.walls = Some(Walls { hidden, ..Walls::default() });
    std::fs::write(folder.join("key"), "hunter2").expect("written");
}

/// Runs each as a step that goes on, kept in or not: how each step ended.
fn run(steps: &[&str], change: impl FnOnce(&mut JobSpec)) -> Told {
    let mut workflow =
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n".to_owned();
    for step in steps {
        let _ =
            writeln!(workflow, "      - continue-on-error: true\n        run: |\n          {step}");
    }
    start(&workflow, change).finish()
}

fn check(steps: &[&str], expected: Expect) {
    let told = run(steps, keep_in);
    assert!(!told.text().contains("hunter2"), "{}", told.text());
    expected.assert_eq(&told.told());
}

#[test]
fn a_job_that_is_kept_in_works_as_everywhere() {
    check(
        &[
            "echo A=b >> \"$GITHUB_ENV\"; echo \"# fine\" >> \"$GITHUB_STEP_SUMMARY\"",
            "test \"$A\" = b && test \"$TMPDIR\" = \"$RUNNER_TEMP\" && touch \"$(mktemp -d)/x\"",
            "cd ~ && mkdir -p a/b && echo 1 > a/b/c && mv a/b/c a/ && rm -r a",
            "git init -q r && cd r && echo 1 > f && git add f && git -c user.name=m -c user.email=m@e commit -qm m",
            "python3 -c 'import json, tempfile; tempfile.mkdtemp()'",
            "bash -c 'sleep 60 & kill $!'",
        ],
        expect![[r#"
            summary of __run
            __run: success -> success
            __run_2: success -> success
            __run_3: success -> success
            __run_4: success -> success
            __run_5: success -> success
            __run_6: success -> success
            job: success None
        "#]],
    );
}

/// The worker may do what a step may not: links that a step leaves where the worker reads and writes lead
/// it nowhere.
#[test]
fn the_worker_is_not_led_outside() {
    let told = run(
        &[
            "ln -sf ../../../../key \"$GITHUB_STEP_SUMMARY\"",
            "ln -sf ../../../../key \"$GITHUB_ENV\"",
            // Where the scripts and files of later steps will be.
            "for n in 4 5 6 7 8; do ln -s ../../key $RUNNER_TEMP/step_0000000$n.sh; done",
            "cd $RUNNER_TEMP/_runner_file_commands && for n in 5 6 7 8; do for f in set_env set_output artifacts_list; do ln -sf ../../../key ${f}_0000000$n; done; done",
            "echo B=c >> \"$GITHUB_ENV\"; echo went on",
            "mv $RUNNER_TEMP/_runner_file_commands $RUNNER_TEMP/moved; ln -s ../.. $RUNNER_TEMP/_runner_file_commands",
            "echo with $B",
            "mkfifo pipe; echo \"::add-matcher::pipe\"",
        ],
        keep_in,
    );
    let key = std::fs::read_to_string(told.folder.path().join("key")).expect("it is there");
    assert_eq!(key, "hunter2");
    assert!(!told.text().contains("hunter2"), "{}", told.text());
    expect![[r#"
        Error  the step summary cannot be read: it is a link
        __run: success -> success
        Error  Unable to read the file behind $GITHUB_ENV: it is a link
        __run_2: failure -> success
        __run_3: success -> success
        __run_4: success -> success
        __run_5: success -> success
        __run_6: success -> success
        __run_7: success -> success
        Error  the problem matcher file 'pipe' cannot be used: it is no file
        __run_8: failure -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
}

/// `$J` is the job's folder; what the worker keeps there is not the job's.
#[test]
fn what_is_not_the_jobs_is_out_of_reach() {
    check(
        &[
            "cat ../../../../key",
            "ls ../../../..",
            "echo forged >> ../../../reports.jsonl",
            "echo forged > ../../../artifacts.jsonl",
            "ls ../../../../blobs",
            "ls ../../../attach.*",
            "echo x > ../../../../caches/entry",
            "kill -9 $PPID",
            "tr '\\0' '\\n' < /proc/$PPID/environ | grep LAUNCHWAY",
            "cat ~root/.bashrc ~root/.profile",
        ],
        expect![[r#"
            Error  Process completed with exit code 1.
            __run: failure -> success
            Error  Process completed with exit code 2.
            __run_2: failure -> success
            Error  Process completed with exit code 1.
            __run_3: failure -> success
            Error  Process completed with exit code 1.
            __run_4: failure -> success
            Error  Process completed with exit code 2.
            __run_5: failure -> success
            Error  Process completed with exit code 2.
            __run_6: failure -> success
            Error  Process completed with exit code 1.
            __run_7: failure -> success
            Error  Process completed with exit code 1.
            __run_8: failure -> success
            Error  Process completed with exit code 1.
            __run_9: failure -> success
            Error  Process completed with exit code 1.
            __run_10: failure -> success
            job: success None
        "#]],
    );
}

#[test]
fn code_from_outside_does_not_change_the_tool_cache() {
    let write = ["echo x > \"$RUNNER_TOOL_CACHE/tool\""];
    let is_written = |outside: bool| {
        let told = run(&write, |spec| {
            keep_in(spec);
            spec.options.walls.as_mut().expect("just set").outside = outside;
        });
        told.folder.path().join("tools/tool").exists()
    };
    assert!(is_written(false) && !is_written(true));
}

/// Where everybody writes, each job has its own, the same for all its steps; the worker that may not give one shares.
#[test]
fn what_everybody_writes_to_is_the_jobs_own() {
    const JOB: &str = r#"
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: for it in $PLACES; do test ! -e $it/of-others && echo mine > $it/NAME; done; ln -s /tmp/NAME link
      - { id: reads, run: 'for it in $PLACES; do cat $it/NAME; done; mktemp -p /tmp > /dev/null' }
      - run: test -n "${{ hashFiles('link') }}" && test $(stat -c %a /tmp) = 1777 && mkdir /tmp/NAME.d
      - { run: test $PWD = /tmp/NAME.d && cd / && rmdir /tmp/NAME.d, working-directory: /tmp/NAME.d }
    env: { PLACES: /tmp /var/tmp /dev/shm }
"#;
    let name = format!("launchway-{}", std::process::id());
    let paths = ["/tmp", "/var/tmp", "/dev/shm"].map(|it| std::path::Path::new(it).join(&name));
    let run = |may_lay: bool| {
        let workflow = JOB.replace("NAME", &name).replace("of-others", &name);
        let told = start_at_home(may_lay, &workflow, keep_in).finish();
        let is_there = paths.each_ref().map(|it| it.exists());
        for path in &paths {
            let _ = std::fs::remove_file(path);
        }
        (told, is_there)
    };
    let success = expect![[r#"
        __run: success -> success
        reads: success -> success
        __run_2: success -> success
        __run_3: success -> success
        job: success None
    "#]];
    let (told, is_there) = run(true);
    success.assert_eq(&told.told());
    assert_eq!(is_there, [false; 3]);
    // It lies where it goes away with the job, however that ends.
    let own = told.folder.path().join("job/private");
    for place in ["tmp", "var-tmp"] {
        assert_eq!(std::fs::read_to_string(own.join(place).join(&name)).expect(place), "mine\n");
    }
    let (told, is_there) = run(false);
    success.assert_eq(&told.told());
    assert_eq!(is_there, [true; 3], "nothing is hidden that cannot be");
}

/// A socket in `/run`, as those are by which its user does what only root may: of systemd, of Docker.
#[test]
fn sockets_of_the_machine_are_not_there() {
    let path = format!("/run/launchway-{}.sock", std::process::id());
    let _listening =
        std::os::unix::net::UnixListener::bind(&path).expect("these tests run as root");
    let script = format!(
        "getent hosts localhost > /dev/null && python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{path}\")' && echo reached"
    );
    let workflow = format!(
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          {script}\n"
    );
    let reaches = |may_lay: bool| {
        start_at_home(may_lay, &workflow, keep_in).finish().text().contains("\nreached\n")
    };
    assert_eq!([reaches(true), reaches(false)], [false, true]);
    std::fs::remove_file(path).expect("ours");
}

/// A folder in `/run` that jobs are given, in which something is secret: there when the job begins, or later.
#[test]
fn what_is_secret_in_a_given_folder_where_sockets_lie_is_not_there() {
    let given = tempfile::tempdir_in("/run").expect("these tests run as root");
    let path = |name: &str| given.path().join(name);
    std::fs::create_dir(path("sub")).expect("made");
    for name in ["neighbour", "secret", "sub/neighbour"] {
        std::fs::write(path(name), name).expect("written");
    }
    let text = |path: &std::path::Path| path.to_str().expect("a path of ours").into();
    let script = format!(
        "cd {} && echo began; until test -e sub/go; do sleep 0.05; done; for it in secret later neighbour sub/neighbour; do cat $it && echo; done",
        given.path().display()
    );
    let workflow = format!(
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          {script}\n"
    );
    for may_lay in [true, false] {
        let _ = std::fs::remove_file(path("later"));
        let _ = std::fs::remove_file(path("sub/go"));
        let mut running = start_at_home(may_lay, &workflow, |spec| {
            keep_in(spec);
            let walls = spec.options.walls.as_mut().expect("just set");
            walls.readable = vec![text(given.path())];
            walls.secret = vec![text(&path("secret")), text(&path("later"))];
        });
        running.wait_for("\nbegan\n");
        std::fs::write(path("later"), "later").expect("written");
        std::fs::write(path("sub/go"), "").expect("written");
        let log = running.finish().text();
        let read = |name: &str| log.lines().any(|it| it == name);
        let read = ["neighbour", "sub/neighbour", "secret", "later"].map(read);
        assert_eq!(read, [true, true, false, false], "{may_lay}: {log}");
    }
}

/// A machine with much to be read in `/tmp`.
#[test]
fn a_place_that_a_job_cannot_have_of_its_own_is_named_in_its_log() {
    let given = tempfile::tempdir_in("/tmp").expect("everybody may");
    let readable = (0..=64).map(|it| given.path().join(it.to_string()));
    let readable: Vec<_> = readable.collect();
    for path in &readable {
        std::fs::write(path, "").expect("written");
    }
    let workflow =
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo\n";
    let note = "a /tmp of the job's own: it shares /tmp with other jobs and this machine, because more than 64 files and folders in it are to be read (docs/sandbox.md)";
    for may_lay in [true, false] {
        let told = start_at_home(may_lay, workflow, |spec| {
            keep_in(spec);
            let walls = spec.options.walls.as_mut().expect("just set");
            walls.readable = readable.iter().map(|it| it.to_str().expect("text").into()).collect();
        });
        let told = told.finish();
        // Where no job has its own, the server says so once.
        let line = format!("not enforced: {note}\n");
        assert_eq!([told.text(), told.told()].map(|it| it.contains(&line)), [may_lay; 2]);
    }
}

/// Without walls they stay, as on GitHub (conformance 116).
#[test]
fn what_is_detached_on_purpose_ends_with_the_job() {
    let script = "RUNNER_TRACKING_ID= setsid sleep 300 > /dev/null 2>&1 & echo $! > pid; until grep -q sleep /proc/$!/comm; do :; done";
    let told = run(&[script], keep_in);
    expect![[r#"
        __run: success -> success
        __cleanup: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    let pid = std::fs::read_to_string(told.folder.path().join("job/work/demo/demo/pid"));
    let process = std::path::Path::new("/proc").join(pid.expect("it was written").trim());
    assert!(!process.exists());
}

#[test]
fn the_secret_of_whoever_has_no_walls_is_within_reach() {
    // What the tests above refuse would be there otherwise: they can fail.
    let told = run(&["cat ../../../../key"], |spec| {
        keep_in(spec);
        spec.options.walls = None;
    });
    assert!(told.text().contains("hunter2"), "{}", told.text());
}
