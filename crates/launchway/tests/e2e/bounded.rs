//! Limits of jobs as systemd and the kernel keep them, on a machine that is theirs (`cargo xtask machine`): what
//! ends, what is said, and what goes on where the server is started again.

use std::path::Path;

use expect_test::expect;
use serde_json::Value as Json;

use crate::harness::{Place, Said, wait_for_line, wait_until};

const GREEDY: &str = "
on: push
jobs:
  memory:
    runs-on: ubuntu-latest
    steps:
      - run: tail /dev/zero
      - run: echo '= goes on'
        if: always()
  processes:
    runs-on: ubuntu-latest
    steps:
      - run: for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1000 & done
        shell: sh
  processors:
    runs-on: ubuntu-latest
    steps:
      - run: echo \"= $(cat /sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/cpu.max)\"
";

/// What steps printed, what is noted at their jobs, and how those ended.
fn told(said: &Said) -> String {
    let mut notes: Vec<String> = said.of("annotation").iter().map(noted).collect();
    notes.sort();
    format!("{}{}{}{}", said.printed(), notes.concat(), said.verdict(), said.stderr)
}

fn noted(note: &Json) -> String {
    let word = |key: &str| note[key].as_str().unwrap_or("-");
    format!("{}: {}\n", word("job"), word("message"))
}

/// In a scope that may be divided, as `docs/runners.md` has it from a shell.
fn run(place: &Place, args: &[&str]) -> Said {
    let mut command = place.program("systemd-run");
    command.args(["--quiet", "--scope", "-p", "Delegate=yes", env!("CARGO_BIN_EXE_launchway")]);
    command.arg("--state").arg(place.state()).args(args);
    Said::from(command.output().expect("it starts"))
}

#[test]
fn what_is_too_much_is_ended_and_said() {
    let limits = ["--job-memory", "64MiB", "--job-cpus", "0.5", "--job-processes", "16"];
    let place = Place::workflow(GREEDY);
    let said = run(&place, &[&["run", "--format", "json"], &limits[..]].concat());
    expect![[r#"
        memory = goes on
        processors = 50000 100000
        memory: Process completed with exit code 137.
        memory: the job's processes had more than 64 MiB of memory together, and were ended: that is what a job may have on this machine
        processes: Process completed with exit code 2.
        processes: the job had 16 processes and threads, and could not begin more: that is what a job may have on this machine
        memory: failure
          Run tail /dev/zero: failure, failure
        processes: failure
          Run for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1000 & done: failure, failure
        processors: success
        .github/workflows/ci.yml failure
        exit 1
    "#]]
    .assert_eq(&told(&said));
}

/// Held by a file that the test makes; then it takes more than it may.
const HELD: &str = "
on: push
jobs:
  held:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo \"$$\" > $MARKS/begun
          until test -e $MARKS/go; do sleep 0.05; done
          echo '= lives'
      - run: tail /dev/zero
";

/// A server in a unit that it wrote itself.
struct Unit {
    place: Place,
}

impl Unit {
    const NAME: &str = "launchway.service";
    const CGROUP: &str = "/sys/fs/cgroup/system.slice/launchway.service";

    fn started() -> Unit {
        let place = Place::with(&[]);
        let marks = place.path("marks");
        std::fs::create_dir_all(&marks).expect("a folder of ours");
        place.write(
            ".github/workflows/ci.yml",
            &HELD.replace("$MARKS", &marks.display().to_string()),
        );
        place.commit();
        let unit = Unit { place };
        let marks = marks.display().to_string();
        let words = ["--sandbox-write", &marks, "--job-memory", "64MiB", "--unit", "root"];
        let text = unit.launchway(&[&["serve"], &words[..]].concat()).stdout;
        std::fs::write(Path::new("/etc/systemd/system").join(Unit::NAME), text)
            .expect("it is root's");
        unit.systemctl(&["daemon-reload"]);
        unit.systemctl(&["start", Unit::NAME]);
        unit
    }

    fn systemctl(&self, args: &[&str]) -> String {
        let said =
            Said::from(self.place.program("systemctl").args(args).output().expect("it starts"));
        assert_eq!(said.exit, 0, "systemctl {args:?}: {}", said.stderr);
        said.stdout.trim().to_owned()
    }

    fn launchway(&self, args: &[&str]) -> Said {
        let data = self.place.path("data").display().to_string();
        let said = self.place.run(&[args, &["--data", &data]].concat());
        assert_eq!(said.exit, 0, "{args:?}: {}", said.stderr);
        said
    }

    /// The run, as the server's folder has it.
    fn shown(&self) -> Json {
        let mut command = self.place.program(env!("CARGO_BIN_EXE_launchway"));
        command.arg("--state").arg(self.place.path("data"));
        let said = command.args(["runs", "show", "1", "--format", "json"]).output();
        serde_json::from_str(&Said::from(said.expect("it starts")).stdout).expect("one object")
    }

    fn log(&self) -> String {
        let mut command = self.place.program(env!("CARGO_BIN_EXE_launchway"));
        command.arg("--state").arg(self.place.path("data")).args(["runs", "logs", "1"]);
        Said::from(command.output().expect("it starts")).stdout
    }

    fn push(&self) {
        let bare = self.place.path("app.git").display().to_string();
        self.place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &bare]);
        self.launchway(&["repositories", "add", &bare, "--name", "octo/app"]);
        self.place.git(&["push", "--quiet", &bare, "HEAD:refs/heads/main"]);
    }

    fn process(&self) -> String {
        self.systemctl(&["show", "--property", "MainPID", "--value", Unit::NAME])
    }

    /// Killed as a machine kills that has no memory left; systemd starts the next.
    fn kill(&self) {
        let before = self.process();
        self.systemctl(&["kill", "--kill-whom", "main", "--signal", "KILL", Unit::NAME]);
        wait_until("another server", || !["0", &before].contains(&self.process().as_str()));
    }

    /// Jobs that have a cgroup.
    fn jobs() -> Vec<String> {
        let all = std::fs::read_dir(Unit::CGROUP).expect("the unit is up").flatten();
        let names = all.map(|it| it.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("job-")).collect()
    }
}

#[test]
fn a_job_keeps_its_limits_where_its_server_is_started_again() {
    let unit = Unit::started();
    unit.push();
    let process = wait_for_line(&unit.place.path("marks/begun"));
    let jobs = Unit::jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    unit.systemctl(&["restart", Unit::NAME]);
    unit.kill();
    assert_eq!(Unit::jobs(), jobs);
    assert!(Path::new("/proc").join(process).exists());
    std::fs::write(unit.place.path("marks/go"), "").expect("a file of ours");
    let mut run = Json::Null;
    wait_until("the run's end", || {
        run = unit.shown();
        !run["conclusion"].is_null()
    });
    let why = "the job's processes had more than 64 MiB of memory together, and were ended";
    assert_eq!(run["conclusion"], "failure");
    let log = unit.log();
    assert!(log.contains("= lives") && log.contains(why), "{log}");
    wait_until("the end of its cgroup", || Unit::jobs().is_empty());
}
