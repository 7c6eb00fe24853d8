//! Jobs whose processes are another user's than the worker's: theirs is what is the job's, and nothing else is.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use expect_test::expect;
use protocol::{JobSpec, JobUser, Walls};

use crate::harness::{Told, start_as_service, start_with_rights};

const USER: u32 = 20_001;
const GROUP: u32 = 20_002;

fn folder(spec: &JobSpec) -> &Path {
    Path::new(&*spec.paths.job).parent().expect("it lies in one")
}

fn of_user(spec: &mut JobSpec) {
    let hidden = vec![folder(spec).to_str().expect("a path of ours").into()];
    let user = Some(JobUser { id: USER, group: GROUP, name: "jobs".into() });
    spec.options.walls = Some(Walls { hidden, user, ..Walls::default() });
}

/// Runs this as steps that go on, by a worker that may give the job a `/tmp` of its own, or not.
fn run(may_lay: bool, steps: &str, change: impl FnOnce(&mut JobSpec)) -> Told {
    let workflow =
        format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n{steps}");
    start_as_service(may_lay, &workflow, |spec| {
        of_user(spec);
        change(spec);
    })
    .finish()
}

#[test]
fn a_job_works_as_everywhere() {
    let steps = r##"
      - run: test "$(id -u) $(id -g) $(id -G) $USER" = "20001 20002 20002 jobs"
      - run: echo A=b >> "$GITHUB_ENV"; echo fine >> "$GITHUB_STEP_SUMMARY"; test -r "$GITHUB_EVENT_PATH"
      - run: test "$A" = b && touch "$(mktemp -d)/x" && echo to-this-pipe > /dev/stdout && test -w "$RUNNER_TOOL_CACHE"
      - run: cd ~ && mkdir -p a/b && echo 1 > a/b/c && mv a/b/c a/ && rm -r a && mkdir -p "$PIP_CACHE_DIR"
      - run: git init -q r && cd r && echo 1 > f && git add f && git -c user.name=m -c user.email=m@e commit -qm m
      - run: (umask 077; mkdir own; echo 1 > own/secret; chmod 0 own/secret; chmod 600 own/secret)
      - run: test -n "${{ hashFiles('own/*') }}"
      - run: printf "#!/bin/bash\nexec bash \"\$@\"\n" > shell; chmod 700 shell
      - { run: echo in a shell of its own, shell: "./shell {0}" }
      - { run: test $(umask) = 0022, working-directory: own }
"##;
    for may_lay in [true, false] {
        let told = run(may_lay, steps, |_| {});
        expect![[r#"
            __run: success -> success
            summary of __run_2
            __run_2: success -> success
            __run_3: success -> success
            __run_4: success -> success
            __run_5: success -> success
            __run_6: success -> success
            __run_7: success -> success
            __run_8: success -> success
            __run_9: success -> success
            __run_10: success -> success
            job: success None
        "#]]
        .assert_eq(&told.told());
        let made =
            told.folder.path().join("job/work/demo/demo/own/secret").metadata().expect("made");
        assert_eq!((made.uid(), made.gid()), (USER, GROUP));
    }
}

/// What walls allow and the kernel's oldest means do not: each attack that gets through says so.
const ATTACKS: &str = r#"
      - run: |
          set +e
          through() { "$@" > /dev/null 2>&1 && echo "THROUGH $*"; }
          through cat $GIVEN/key
          through sh -c "echo x > $GIVEN/new"
          through sh -c "echo x >> $GIVEN/key"
          through python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('$GIVEN/socket')"
          through chmod 777 $GIVEN/key
          through chown $(id -u) $GIVEN
          through python3 -c 'import os; os.setuid(0)'
          through kill -0 $PPID
          through cat /proc/$PPID/environ
          through cat ../../../reports.jsonl
          through ls ../../..
          through sudo -n true
          touch own && through chown 0 own
          cp /bin/bash sh && chmod 6755 sh && through ./sh -p -c 'test $(id -u) = 0'
          ln -s $GIVEN/key link; echo ::add-matcher::link
          echo tried
      - { run: 'echo "${{ hashFiles(''link'') }}."', if: always() }
    env: { GIVEN: $GIVEN }
"#;

#[test]
fn what_is_the_machines_owners_is_not_the_jobs() {
    let given = tempfile::tempdir_in("/var/lib").expect("these tests run as root");
    let path = |name: &str| given.path().join(name);
    std::fs::set_permissions(given.path(), Permissions::from_mode(0o755)).expect("ours");
    std::fs::write(path("key"), "hunter2").expect("written");
    std::fs::set_permissions(path("key"), Permissions::from_mode(0o600)).expect("ours");
    let _listening = std::os::unix::net::UnixListener::bind(path("socket")).expect("a place");
    let shown = given.path().to_str().expect("a path of ours");
    let steps = ATTACKS.replace("$GIVEN }", &format!("{shown} }}"));
    let through = |told: &Told| {
        let log = told.text();
        assert!(log.lines().any(|it| it == "tried") && !log.contains("hunter2"), "{log}");
        let lines = log.lines().filter_map(|it| it.strip_prefix("THROUGH "));
        lines.map(|it| it.replace(shown, "GIVEN")).collect::<Vec<_>>()
    };
    for may_lay in [true, false] {
        let told = run(may_lay, &steps, |spec| {
            let walls = spec.options.walls.as_mut().expect("just set");
            walls.changeable = vec![shown.into()];
        });
        assert_eq!(through(&told), [""; 0]);
        assert!(told.text().contains("hashFiles failed: Permission denied"), "{}", told.text());
    }
    // What root's jobs reach in the same walls: the attacks above can get through.
    let told = run(true, &steps, |spec| {
        let walls = spec.options.walls.as_mut().expect("just set");
        (walls.changeable, walls.user) = (vec![shown.into()], None);
    });
    let through = through(&told).join("\n");
    for attack in ["cat GIVEN/key", "GIVEN/new", "connect('GIVEN/socket')", "chmod 777 GIVEN/key"] {
        assert!(through.contains(attack), "{attack}: {through}");
    }
}

/// Its tools are its user's own to change, but not for code from outside; what others made stays theirs.
#[test]
fn what_jobs_share_is_their_users() {
    let steps = r#"
      - { run: echo 1 > $RUNNER_TOOL_CACHE/tool, continue-on-error: true }
      - { run: echo 1 > $PIP_CACHE_DIR/../download }
"#;
    for (outside, expect) in [(false, true), (true, false)] {
        let told = run(true, steps, |spec| {
            spec.options.walls.as_mut().expect("just set").outside = outside;
            // An earlier worker's, of whose jobs were ours.
            std::fs::create_dir_all(Path::new(&*spec.paths.downloads).join("pip")).expect("made");
        });
        let tool = told.folder.path().join("tools/tool");
        assert_eq!(tool.exists(), expect, "{}", told.text());
        assert!(told.folder.path().join("caches/downloads/download").exists());
    }
}

/// By the permissions of its folder alone, without walls: nothing of a server is his but what is his.
#[test]
fn a_servers_folder_is_closed_to_him() {
    let told =
        run(true, "      - run: echo 1 > $RUNNER_TOOL_CACHE/tool; echo 1 > ~/own\n", |spec| {
            let root = folder(spec);
            for name in ["journal.db", "tokens/one", "repository/HEAD", "host/release/file"] {
                let path = root.join(name);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                std::fs::write(path, "hunter2").expect("written");
            }
        });
    let root = told.folder.path();
    let find = |more: &str| {
        let script =
            format!("cd {}; for it in {more}; do test -r $it && echo $it; done", root.display());
        let mut shell = std::process::Command::new("setpriv");
        shell.args(["--reuid=20001", "--regid=20002", "--clear-groups", "sh", "-c", &script]);
        String::from_utf8_lossy(&shell.output().expect("it starts").stdout).into_owned()
    };
    // What is deployed from here has users of its own, who may come there.
    let all = ". journal.db tokens tokens/one log blobs caches job job/reports.jsonl job/natives.json job/worker.err \
               job/private host/release/file tools/tool job/home/own actions repository/HEAD";
    assert_eq!(
        find(all),
        "host/release/file\ntools/tool\njob/home/own\nactions\nrepository/HEAD\n"
    );
    let mode = root.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o711, "it may be passed, as before, and nobody lists it");
}

#[test]
fn a_repository_that_he_cannot_read_is_named() {
    let told = run(true, "      - run: echo\n", |spec| {
        let head = Path::new(&*spec.paths.repository).join("HEAD");
        std::fs::create_dir_all(Path::new(&*spec.paths.repository).join("objects")).expect("made");
        std::fs::write(&head, "ref: refs/heads/main").expect("written");
        std::fs::set_permissions(head, Permissions::from_mode(0o600)).expect("ours");
    });
    expect![[r#"
        Error  jobs run as the user jobs here, who cannot read the repository /FOLDER/repository: have him (chmod -R o+rX /FOLDER/repository), and let him pass the folders around it (docs/sandbox.md)
        __setup: failure -> failure
        job: failure InfraFailure
    "#]]
    .assert_eq(&told.told().replace(told.folder.path().to_str().expect("text"), "/FOLDER"));
}

/// What he detached is another user's process than the worker's, which ends it all the same.
#[test]
fn no_process_of_his_outlives_the_job() {
    let steps = "      - run: |\n          RUNNER_TRACKING_ID= setsid sleep 300 > /dev/null 2>&1 & echo $! > pid; until grep -q sleep /proc/$!/comm; do :; done\n";
    let told = run(true, steps, |_| {});
    let pid = std::fs::read_to_string(told.folder.path().join("job/work/demo/demo/pid"));
    assert!(!Path::new("/proc").join(pid.expect("it was written").trim()).exists());
    assert!(told.text().contains("Terminate orphan process"), "{}", told.text());
}

/// What it takes to have jobs be another user's, and to give them a `/tmp` of their own.
const RIGHTS: &str =
    "+setuid,+setgid,+chown,+dac_override,+fowner,+kill,+sys_ptrace,+sys_admin,+sys_chroot";

/// Tries what a server's rights would be good for.
const RIGHTS_TRIED: &str = r#"on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - run: |
          set +e
          echo "as $(id -u), may $(grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u)"
          through() { "$@" > /dev/null 2>&1 && echo "THROUGH $*"; }
          through cat /etc/shadow
          through setpriv --reuid=0 --clear-groups true
          through chown 0 /proc/self/cwd
          through kill -0 1
          through unshare -m true
          ls /tmp > /dev/null
"#;

/// A worker that is not root's has them; a job has none, with walls or without.
#[test]
fn the_rights_that_it_takes_are_no_jobs() {
    for (has_user, user) in [(true, "20001"), (false, "30001")] {
        let told = start_with_rights(RIGHTS, RIGHTS_TRIED, |spec| {
            if has_user {
                of_user(spec);
            }
        });
        let told = told.finish();
        let log = told.text();
        let said = log.lines().filter(|it| it.starts_with("as ") || it.starts_with("THROUGH"));
        assert_eq!(said.collect::<Vec<_>>(), [format!("as {user}, may 0000000000000000")], "{log}");
        assert!(told.told().ends_with("job: success None\n"), "{}", told.told());
    }
}
