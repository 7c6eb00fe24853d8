//! Jobs of a server of root's whose processes are another user's: all that a job does works, whoever serves next;
//! what is root's, and other jobs', is out of reach; who cannot be that user is refused.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::harness::{Place, Said, text, wait_for_line, wait_until};
use crate::runner::takes;
use crate::serving::{Serving, Variables};

/// A number pair needs nobody to be made.
const AS_HIM: [&str; 2] = ["--job-user", "20001:20002"];
const TRUSTED: [&str; 4] = ["--label", "deploy", "--trusted-label", "deploy"];

const WHOLE: &str = r#"
on: push
jobs:
  whole:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - uses: actions/cache@v4
        with: { path: ~/kept, key: one }
      - run: |
          git status --short && git fetch -q origin main && git log --format=%s -1
          test ! -e ~/kept/one || echo restored >> $MARKS/who
          mkdir -p ~/kept && echo kept > ~/kept/one && chmod 600 ~/kept/one
          mkdir -p "$PIP_CACHE_DIR" && echo x >> "$PIP_CACHE_DIR/x" && echo x >> "$RUNNER_TOOL_CACHE/x"
          echo "began as $(id -u):$(id -G)" >> $MARKS/who
          while ! test -e $MARKS/go; do sleep 0.02; done
          echo "ended as $(id -u)" >> $MARKS/who
      - uses: actions/upload-artifact@v4
        with: { name: kept, path: ~/kept, overwrite: true }
      - uses: actions/download-artifact@v4
        with: { name: kept, path: back }
      - run: echo "hash ${{ hashFiles('back/one') != '' }}, $(cat back/one)" >> $MARKS/who
  trusted:
    needs: whole
    runs-on: deploy
    steps: [{ run: 'id -u > $MARKS/trusted' }]
"#;

/// A place that another user may pass, with a folder in which his jobs tell the tests something.
pub(crate) fn passable() -> Place {
    let place = Place::with(&[]);
    let open = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode));
    let marks = place.path("marks");
    std::fs::create_dir_all(&marks).expect("a folder of ours");
    open(&marks, 0o777).expect("ours");
    open(marks.parent().expect("it lies in the place"), 0o711).expect("ours");
    place
}

fn serving(workflow: &str) -> Serving {
    let all = [&AS_HIM[..], &TRUSTED].concat();
    Serving::within(passable(), workflow, &all, Variables::new())
}

#[test]
fn a_job_stays_the_users_whoever_serves_and_a_switch_there_and_back_works() {
    let mut serving = serving(WHOLE);
    let who = |serving: &Serving| {
        let who = serving.mark("who");
        std::fs::remove_file(serving.place.path("marks/who")).expect("it was written");
        who
    };
    assert_eq!(serving.push().exit, 0);
    wait_until("the job", || serving.mark("who").contains("began"));
    serving.kill();
    serving.restart();
    serving.leave("go");
    let log = |serving: &Serving, run: &str| {
        serving.get(&format!("/api/v1/runs/{run}/jobs/whole/log")).text
    };
    assert_eq!(serving.ended("1")["conclusion"], "success", "{}", log(&serving, "1"));
    let first = "began as 20001:20002\nended as 20001\nhash true, kept\n";
    assert_eq!(who(&serving), first);
    assert_eq!(serving.mark("trusted"), "0\n");
    // Run again, it is his again, and finds what was kept.
    assert!(serving.post("/api/v1/runs/1/rerun", &[], "").status < 300);
    wait_until("the re-run", || serving.mark("who").contains("hash"));
    assert_eq!(who(&serving), format!("restored\n{first}"));
    serving.stop();
    serving.restart_as(&TRUSTED);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("2")["conclusion"], "success", "{}", log(&serving, "2"));
    assert_eq!(
        who(&serving),
        format!("restored\n{first}").replace("20001:20002", "0:0").replace("20001", "0")
    );
    serving.stop();
    serving.restart_as(&[&AS_HIM[..], &TRUSTED].concat());
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("3")["conclusion"], "success", "{}", log(&serving, "3"));
    assert_eq!(who(&serving), format!("restored\n{first}"));
    // What one of them shares is not the other's: each found its own.
    let data = serving.place.path("data");
    for (name, owner) in [("tools/x", 0), ("users/20001/tools/x", 20_001)] {
        assert_eq!(data.join(name).metadata().expect(name).uid(), owner, "{name}");
    }
    serving.end();
}

/// The folder of a server is open to the group of one user of its jobs: another's jobs would lose the way to theirs.
#[test]
fn another_user_comes_when_the_jobs_of_the_one_before_have_ended() {
    let another = ["--job-user", "20003:20004"];
    let mut serving = serving(WHOLE);
    assert_eq!(serving.push().exit, 0);
    wait_until("the job", || serving.mark("who").contains("began"));
    serving.stop();
    let data = serving.place.path("data").display().to_string();
    let refused = serving
        .place
        .run(&[&["serve", "--listen", "127.0.0.1:0", "--data", &data][..], &another].concat());
    let told = refused.stderr.replace(&data, "DATA");
    let lines = told.lines().filter(|it| it.starts_with("error") || it.starts_with("hint"));
    expect![[r#"
        4
        error: --job-user 20003: the job in DATA/jobs/1.1/whole.1 goes on as 20001:20002, and could not reach its own folder any more
        hint: let it end first: start with --job-user 20001:20002, drain this machine (launchway runners drain), and come back
        hint: or come back later: a server that systemd starts again and again comes when it has ended"#]]
    .assert_eq(&format!("{}\n{}", refused.exit, lines.collect::<Vec<_>>().join("\n")));
    serving.leave("go");
    let reports = serving.place.path("data/jobs/1.1/whole.1/reports.jsonl");
    wait_until("its end", || {
        std::fs::read_to_string(&reports).is_ok_and(|it| it.contains("\"Completed\""))
    });
    // Its worker waits to be heard, and needs nothing else.
    serving.restart_as(&[&another[..], &TRUSTED].concat());
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let first = "began as 20001:20002\nended as 20001\nhash true, kept\n";
    assert_eq!(serving.mark("who"), first);
    std::fs::remove_file(serving.place.path("marks/who")).expect("it was written");
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("2");
    let log = serving.get("/api/v1/runs/2/jobs/whole/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    let second = first.replace("20001:20002", "20003:20004").replace("20001", "20003");
    assert_eq!(serving.mark("who"), format!("restored\n{second}"));
    serving.end();
}

/// Jobs of one user, behind walls of their own: one has something, the other knows where.
const TWO: &str = r#"
on: push
jobs:
  has:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo hunter2 > secret && echo $PWD > $MARKS/where.new && mv $MARKS/where.new $MARKS/where
          sleep 300 & echo $! > $MARKS/pid
          while ! test -e $MARKS/tried; do sleep 0.02; done
          kill -0 $! && kill $! && test "$(cat secret)" = hunter2
  tries:
    runs-on: ubuntu-latest
    steps:
      - run: |
          set +e
          while ! test -e $MARKS/pid; do sleep 0.02; done
          through() { "$@" > /dev/null 2>&1 && echo "THROUGH $*" | tee -a $MARKS/through; }
          through cat $(cat $MARKS/where)/secret
          through ls $(cat $MARKS/where)
          through sh -c 'echo x > $(cat $MARKS/where)/secret'
          through sh -c 'echo x > $(cat $MARKS/where)/../../../home/.bashrc'
          through ln $(cat $MARKS/where)/secret linked
          through kill -0 $(cat $MARKS/pid)
          through cat /proc/$(cat $MARKS/pid)/environ
          through cat "$ROOTS/key"
          through python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('$ROOTS/socket')"
          for pid in $(pgrep -f 'launchway (serve|worker)'); do
            through kill -0 "$pid"
            through cat "/proc/$pid/environ"
          done
          through sudo -n true
          cp /bin/bash "$RUNNER_TOOL_CACHE/left" && chmod 6755 "$RUNNER_TOOL_CACHE/left"
          ln -s "$ROOTS/key" "$RUNNER_TOOL_CACHE/key"; ln -s "$ROOTS/key" key
          touch $MARKS/tried
      - { uses: actions/upload-artifact@v4, continue-on-error: true, with: { name: key, path: key } }
      - { uses: actions/cache/save@v4, continue-on-error: true, with: { key: key, path: "${{ env.ROOTS }}/key" } }
    env: { ROOTS: $ROOTS }
"#;

#[test]
fn jobs_of_one_user_reach_neither_each_other_nor_what_is_roots() {
    let place = passable();
    let roots = place.path("roots");
    std::fs::create_dir(&roots).expect("a folder of ours");
    std::fs::write(roots.join("key"), "of-root-alone").expect("a file of ours");
    std::fs::set_permissions(roots.join("key"), Permissions::from_mode(0o600)).expect("ours");
    let _listening = UnixListener::bind(roots.join("socket")).expect("a place for it");
    let shown = roots.display().to_string();
    let more = [&AS_HIM[..], &["--sandbox-write", &shown]].concat();
    let workflow = TWO.replace("ROOTS: $ROOTS", &format!("ROOTS: {shown}"));
    let serving = Serving::within(place, &workflow, &more, Variables::new());
    // Given in vain, which is said: nobody asked for a folder that he may change.
    let said = std::fs::read_to_string(serving.place.path("said")).expect("it was written");
    let note =
        format!("warning: --sandbox-write {shown}: jobs run as 20001, who may not change it");
    assert!(said.contains(&note) && said.contains("jobs run as 20001 (20001:20002)"), "{said}");
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("1");
    let log = serving.get("/api/v1/runs/1/jobs/tries/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    assert!(serving.place.path("marks/tried").exists());
    assert_eq!(serving.mark("through"), "", "{log}");
    assert_eq!(log.matches("Permission denied (os error 13)").count(), 2, "{log}");
    // Whoever runs what was left becomes the jobs' user, and comes no farther than he.
    let left = serving.place.path("data/users/20001/tools/left").metadata().expect("it was left");
    assert_eq!((left.uid(), left.gid()), (20_001, 20_002));
    let mut found = Command::new("grep");
    found
        .args(["-rl", "of-root-alone"])
        .args(["blobs", "caches"].map(|it| serving.place.path("data").join(it)));
    assert_eq!(text(&found.output().expect("grep").stdout), "");
    serving.end();
}

#[test]
fn a_runners_jobs_are_its_users() {
    let workflow =
        WHOLE.replace("ubuntu-latest", "[self-hosted, far]").replace("deploy", "ubuntu-latest");
    let serving = Serving::within(passable(), &workflow, &[], Variables::new());
    let made = serving.command(&["tokens", "create", "far-1", "--scope", "runner"]);
    let (data, marks) = (serving.place.path("runner"), serving.place.path("marks"));
    let said = std::fs::File::create(serving.place.path("runner-said")).expect("a file of ours");
    let mut runner =
        serving.place.launchway(&["runner", "--server", &serving.url, "--label", "far"]);
    runner.args(AS_HIM).arg("--data").arg(&data).arg("--sandbox-write").arg(marks);
    runner
        .env("LAUNCHWAY_TOKEN", made.stdout.trim())
        .stderr(said)
        .stdout(std::process::Stdio::null());
    let mut runner = runner.spawn().expect("it starts");
    wait_until("the runner", || takes(&serving) == "jobs");
    serving.leave("go");
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("1");
    let log = serving.get("/api/v1/runs/1/jobs/whole/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    // A server without the flag has its own jobs as before.
    let expect = "began as 20001:20002\nended as 20001\nhash true, kept\n";
    assert_eq!(serving.mark("who"), expect);
    runner.kill().expect("it runs");
    runner.wait().expect("it was started");
    serving.end();
}

#[test]
fn who_cannot_be_the_jobs_user_is_refused_at_the_start() {
    let place = passable();
    let data = place.path("data").display().to_string();
    let told = |said: Said| {
        let name = place.path("").display().to_string();
        let lines =
            said.stderr.lines().filter(|it| it.starts_with("error") || it.starts_with("hint"));
        let lines: String = lines.map(|it| format!("{it}\n")).collect();
        format!("{}\n{}", said.exit, lines.replace(&name, "PLACE/"))
    };
    let check = |user: &str, data: &str, expect: expect_test::Expect| {
        expect.assert_eq(&told(place.run(&["serve", "--data", data, "--job-user", user])));
    };
    check(
        "0:0",
        &data,
        expect![[r#"
        2
        error: --job-user 0:0: that is whose this process is itself
        hint: take a user of the jobs' own: useradd --system --no-create-home --shell /usr/sbin/nologin launchway-jobs
    "#]],
    );
    check(
        "root",
        &data,
        expect![[r#"
        2
        error: --job-user root: that is whose this process is itself
        hint: take a user of the jobs' own: useradd --system --no-create-home --shell /usr/sbin/nologin launchway-jobs
    "#]],
    );
    check(
        "nobody-here",
        &data,
        expect![[r#"
        2
        error: --job-user nobody-here: /etc/passwd names no such user
        hint: make one: useradd --system --no-create-home --shell /usr/sbin/nologin nobody-here
        hint: or say his numbers: --job-user UID:GID
    "#]],
    );
    let closed = place.path("closed");
    std::fs::create_dir_all(closed.join("data")).expect("a folder of ours");
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("ours");
    check(
        "20001:20002",
        &closed.join("data").display().to_string(),
        expect![[r#"
        4
        error: --job-user 20001: he may not pass PLACE/closed, and the jobs' folders lie below it, in PLACE/closed/data
        hint: let him pass (chmod o+x PLACE/closed), or put the folder elsewhere: --data /srv/launchway
    "#]],
    );
    // One who may speak to Docker.
    let _listening = UnixListener::bind(place.path("docker.sock")).expect("a place for it");
    chown(place.path("docker.sock"), None, Some(20_002)).expect("we are root");
    std::fs::set_permissions(place.path("docker.sock"), Permissions::from_mode(0o660))
        .expect("ours");
    let mut serve = place.launchway(&["serve", "--data", &data, "--job-user", "20001:20002"]);
    serve.env("DOCKER_HOST", format!("unix://{}", place.path("docker.sock").display()));
    expect![[r#"
        4
        error: --job-user 20001: he may speak to Docker by PLACE/docker.sock, and whoever may is root
        hint: take a user whose group is not docker's
    "#]].assert_eq(&told(Said::from(serve.output().expect("it starts"))));
    // A group that the server is in.
    let mut serve = place.program("setpriv");
    serve.args(["--groups=20002,20005", env!("CARGO_BIN_EXE_launchway")]);
    serve.args(["serve", "--data", &data, "--job-user", "20001:20005"]);
    expect![[r#"
        2
        error: --job-user 20001:20005: this process is in the group 20005, too, and what is that group's would be the jobs'
        hint: give him a group of his own: groupadd --system launchway-jobs; usermod --gid launchway-jobs NAME
        hint: take a user of the jobs' own: useradd --system --no-create-home --shell /usr/sbin/nologin launchway-jobs
    "#]].assert_eq(&told(Said::from(serve.output().expect("it starts"))));
    // Whoever was refused has not used up the token that is shown only once.
    let tokens = place.run(&["tokens", "list", "--data", &data]);
    assert!(!tokens.stdout.contains("first start"), "{}", tokens.stdout);
    // A server that is nobody special, on a folder of its own.
    let own = place.path("own");
    std::fs::create_dir_all(&own).expect("a folder of ours");
    chown(&own, Some(30_001), Some(30_001)).expect("we are root");
    let own = own.display().to_string();
    let mut serve = place.program("setpriv");
    serve.args([
        "--reuid=30001",
        "--regid=30001",
        "--clear-groups",
        env!("CARGO_BIN_EXE_launchway"),
    ]);
    serve.args(["serve", "--data", &own, "--job-user", "20001:20002"]).current_dir("/");
    expect![[r#"
        4
        error: --job-user 20001: this process lacks CAP_SETUID CAP_SETGID CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SYS_PTRACE, and may not have processes of another user
        hint: start it as root (in the unit: no User=)
        hint: or with these rights: AmbientCapabilities=CAP_SETUID CAP_SETGID CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SYS_PTRACE
        hint: or leave --job-user out: jobs run as this user then, behind walls
    "#]].assert_eq(&told(Said::from(serve.output().expect("it starts"))));
}

/// Root's commands in the folder of a server that is somebody else's leave nothing there that he cannot read.
#[test]
fn what_root_does_in_a_servers_folder_is_its_owners() {
    let place = passable();
    let marks = place.path("marks").display().to_string();
    let workflow = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{ run: echo x >> MARKS/ran }]\n";
    place.write(".github/workflows/ci.yml", &workflow.replace("MARKS", &marks));
    place.commit();
    let bare = place.path("app.git").display().to_string();
    place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &bare]);
    for path in ["data", "home", "state"] {
        std::fs::create_dir_all(place.path(path)).expect("a folder of ours");
    }
    // git lets nobody but its owner use a repository, root neither: here it may.
    place.write("../home/.gitconfig", "[safe]\n\tdirectory = *\n");
    let mut all = place.program("chown");
    all.args(["-R", "30001:30001", "data", "home", "state", "repository", "app.git"]);
    assert!(all.current_dir(place.path("")).status().expect("it starts").success());
    let data = place.path("data");
    let (shown, launchway) = (data.display().to_string(), env!("CARGO_BIN_EXE_launchway"));
    let as_git = || {
        let mut command = place.program("setpriv");
        command.args(["--reuid=30001", "--regid=30001", "--clear-groups"]);
        command
    };
    let start = || {
        let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
        let mut serve = as_git();
        serve.args([launchway, "serve", "--data", &shown, "--listen", "127.0.0.1:0"]);
        serve.args(["--sandbox-write", &marks]).stdout(file("served")).stderr(file("said"));
        let server = serve.spawn().expect("it starts");
        wait_for_line(&place.path("served"));
        server
    };
    let end = |mut server: std::process::Child| {
        server.kill().expect("it runs");
        server.wait().expect("it was started");
    };
    let done = |mut command: std::process::Command, words: &[&str], input: &str| {
        command.args(words).stdin(std::process::Stdio::piped());
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        let mut to = child.stdin.take().expect("it is piped");
        let _ = std::io::Write::write_all(&mut to, input.as_bytes());
        drop(to);
        assert!(child.wait().expect("it ends").success(), "{words:?}");
    };
    let by_root = |words: &[&str], input: &str| done(place.program(words[0]), &words[1..], input);
    // Root begins: before there is anything, and before the server ever ran.
    by_root(&[launchway, "repositories", "add", &bare, "--name", "octo/app", "--data", &shown], "");
    let server = start();
    for words in [
        &["repositories", "add", &bare, "--environment", "staging"][..],
        &["tokens", "create", "nightly", "--scope", "operate", "--machine"],
        &["secrets", "set", "NPM_TOKEN", "--repository", "octo/app"],
    ] {
        by_root(&[&[launchway], words, &["--data", &shown]].concat(), "value");
    }
    // Where he lays a link, root makes him no file elsewhere.
    let (lock, roots) = (place.path("data/repositories.lock"), place.path("roots"));
    std::fs::create_dir(&roots).expect("a folder of root's");
    std::fs::remove_file(&lock).expect("it was made");
    std::os::unix::fs::symlink(roots.join("made"), &lock).expect("a link");
    let mut adds = place.program(launchway);
    adds.args(["repositories", "add", &bare, "--environment", "more", "--data", &shown]);
    let said = Said::from(adds.output().expect("it starts"));
    assert!(said.exit != 0 && said.stderr.contains("Permission denied"), "{}", said.stderr);
    assert!(!roots.join("made").exists());
    std::fs::remove_file(&lock).expect("the link");
    let copy = place.path("copy");
    by_root(&[launchway, "serve", "backup", &copy.display().to_string(), "--data", &shown], "");
    assert_eq!(copy.metadata().expect("a copy").uid(), 0, "whoever makes it has it");
    by_root(&["git", "push", "--quiet", &bare, "HEAD:refs/heads/main"], "");
    let ran = || std::fs::read_to_string(place.path("marks/ran")).unwrap_or_default();
    wait_until("the run of root's push", || ran() == "x\n");
    end(server);
    // It is written down as his who did it, not as the owner's.
    let export = place.program(launchway).args(["audit", "export", "--data", &shown]).output();
    let trail = String::from_utf8_lossy(&export.expect("it starts").stdout).into_owned();
    let made = trail.lines().find(|it| it.contains("token.create") && it.contains("nightly"));
    let made: serde_json::Value = serde_json::from_str(made.expect("it is there")).expect("JSON");
    assert_eq!(made["actor"], "root", "{made}");
    // Nothing of the data folder is root's.
    let mut find = place.program("find");
    let of_root = find.arg(&data).args(["-uid", "0"]).output().expect("find starts");
    assert_eq!(String::from_utf8_lossy(&of_root.stdout), "");
    let server = start();
    place.commit();
    done(as_git(), &["git", "push", "--quiet", &bare, "HEAD:refs/heads/main"], "");
    wait_until("the run of his own push", || ran() == "x\nx\n");
    end(server);
}

/// What a server's rights would be good for, tried by a job without walls.
const RIGHTS_TRIED: &str = r#"steps:
      - run: |
          set +e
          tell() { echo "$*" >> $MARKS/trusted; }
          tell "$(id -u) $(grep -hE '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u)"
          cat /etc/shadow && tell read
          setpriv --reuid=0 --clear-groups true && tell became root
          kill -0 1 && tell signalled
          unshare -m true && tell mounted
          tell tried
"#;

/// A server that is not root's, with the rights that `--unit` gives it: native actions begin with some of them, and no
/// job has any, whatever its label.
#[test]
fn a_server_that_is_not_roots_may_have_the_rights() {
    let place = passable();
    let workflow = WHOLE.replace("steps: [{ run: 'id -u > $MARKS/trusted' }]\n", RIGHTS_TRIED);
    place.write(
        ".github/workflows/ci.yml",
        &workflow.replace("$MARKS", &place.path("marks").display().to_string()),
    );
    place.commit();
    let bare = place.path("app.git").display().to_string();
    place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &bare]);
    let data = place.path("data").display().to_string();
    let unit =
        place.run(&["serve", "--data", &data, "--job-user", "20001:20002", "--unit", "daemon"]);
    let rights = unit.stdout.lines().find_map(|it| it.strip_prefix("AmbientCapabilities=CAP_"));
    let rights =
        format!("+{}", rights.expect("what it takes").to_lowercase().replace(" cap_", ",+"));
    for path in ["data", "home", "state"] {
        std::fs::create_dir_all(place.path(path)).expect("a folder of ours");
    }
    let mut all = place.program("chown");
    all.args(["-R", "30001:30001"]).current_dir(place.path(""));
    all.args(["data", "home", "state", "repository", "app.git"]);
    assert!(all.status().expect("it starts").success());
    let as_git = |rights: &str| {
        let mut command = place.program("setpriv");
        command.args(["--reuid=30001", "--regid=30001", "--clear-groups"]);
        command.args(["--inh-caps", rights, "--ambient-caps", rights]);
        command
    };
    let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
    let launchway = env!("CARGO_BIN_EXE_launchway");
    let mut serve = as_git(&rights);
    serve.args([launchway, "serve", "--data", &data]).args(AS_HIM).args(TRUSTED);
    serve.args(["--listen", "127.0.0.1:0", "--sandbox-write"]).arg(place.path("marks"));
    let serve = serve.stdout(file("served")).stderr(file("said"));
    let mut server = serve.spawn().expect("it starts");
    wait_for_line(&place.path("served"));
    std::fs::write(place.path("marks/go"), "").expect("a file of ours");
    for words in [
        &[launchway, "repositories", "add", &bare, "--name", "octo/app", "--data", &data][..],
        &["git", "push", "--quiet", &bare, "HEAD:refs/heads/main"],
    ] {
        let said = Said::from(as_git("-all").args(words).output().expect("it starts"));
        assert_eq!(said.exit, 0, "{words:?}: {}", said.stderr);
    }
    wait_until("the run", || {
        std::fs::read_to_string(place.path("marks/who")).is_ok_and(|it| it.contains("hash"))
    });
    let who = std::fs::read_to_string(place.path("marks/who")).expect("it was written");
    assert_eq!(who, "began as 20001:20002\nended as 20001\nhash true, kept\n");
    let tried = || std::fs::read_to_string(place.path("marks/trusted")).unwrap_or_default();
    wait_until("the job of a trusted label", || tried().ends_with("tried\n"));
    assert_eq!(tried(), "30001 0000000000000000\ntried\n");
    let blobs = place.path("data/blobs");
    assert_eq!(blobs.metadata().expect("an artifact lies there").uid(), 30_001);
    server.kill().expect("it runs");
    server.wait().expect("it was started");
}
