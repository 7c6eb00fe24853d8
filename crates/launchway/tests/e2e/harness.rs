//! A temporary repository with a state folder beside it, and the real binary run in it with an
//! environment in which nothing of the person who runs the tests is left.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use expect_test::Expect;
use rustix::process::{Pid, Signal};
use serde_json::Value as Json;

/// How long anything is waited for. What is waited for comes at once; this ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked where no event tells.
const LOOK: Duration = Duration::from_millis(5);

/// What an output line of a step begins with when a test looks at it: headers and commands of the
/// log never begin so.
const SHOWN: &str = "= ";

/// A repository in a folder that goes away.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// A repository with one commit of these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Place {
        let place = Place { folder: tempfile::tempdir().expect("a temporary folder") };
        std::fs::create_dir_all(place.repository()).expect("a folder of ours");
        for (path, text) in files {
            place.write(path, text);
        }
        place.git(&["init", "--quiet", "--initial-branch", "main"]);
        place.commit();
        place
    }

    /// A repository with this one workflow.
    pub(crate) fn workflow(text: &str) -> Place {
        Place::with(&[(".github/workflows/ci.yml", text)])
    }

    /// The work tree.
    pub(crate) fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    /// A path outside the work tree: for markers that steps leave.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file of ours");
    }

    /// Commits what is there.
    pub(crate) fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
    }

    /// Runs git in the work tree.
    pub(crate) fn git(&self, args: &[&str]) {
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let mut git = self.program("git");
        let output = git.args(who).args(args).output().expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", text(&output.stderr));
    }

    /// A program in the work tree that inherits nothing but where programs are.
    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("PATH is set"))
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        // Docker is for the tier that has one, whatever this machine has.
        if !cfg!(feature = "docker") {
            command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        }
        command
    }

    /// The binary with this place's state folder.
    pub(crate) fn launchway(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_launchway"));
        command.arg("--state").arg(self.state()).args(args);
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::from(self.launchway(args).output().expect("the binary starts"))
    }

    /// `run` with machine-readable lines.
    pub(crate) fn json(&self, args: &[&str]) -> Said {
        self.run(&[args, &["--format", "json"]].concat())
    }

    /// The newest run as `runs show` tells it.
    pub(crate) fn shown(&self) -> Json {
        let said = self.run(&["runs", "show", "--format", "json"]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        serde_json::from_str(&said.stdout).expect("one JSON object")
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            exit: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Said {
    /// The lines of `--format json`.
    pub(crate) fn lines(&self) -> Vec<Json> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The lines of one type.
    pub(crate) fn of(&self, kind: &str) -> Vec<Json> {
        self.lines().into_iter().filter(|line| line["type"] == kind).collect()
    }

    /// What steps printed behind `= `, each with its job, in the order of the jobs' names.
    pub(crate) fn printed(&self) -> String {
        let mut jobs: std::collections::BTreeMap<String, String> = Default::default();
        for line in self.of("log") {
            if let Some(said) = line["text"].as_str().and_then(|text| text.strip_prefix(SHOWN)) {
                let job = line["job"].as_str().unwrap_or_default().to_owned();
                let _ = writeln!(jobs.entry(job.clone()).or_default(), "{job} = {said}");
            }
        }
        jobs.into_values().collect()
    }

    /// How jobs and runs ended, jobs in the order of their names, then the exit code. Steps are
    /// shown where they did not simply succeed.
    pub(crate) fn verdict(&self) -> String {
        let word = |line: &Json, key: &str| line[key].as_str().unwrap_or("-").to_owned();
        let mut jobs: Vec<String> = Vec::new();
        for line in self.of("job_completed") {
            let outputs = &line["outputs"];
            let outputs = if outputs.as_object().is_none_or(serde_json::Map::is_empty) {
                String::new()
            } else {
                format!(" {outputs}")
            };
            let mut text =
                format!("{}: {}{outputs}\n", word(&line, "name"), word(&line, "conclusion"));
            for step in self.of("step_completed").iter().filter(|step| step["job"] == line["job"]) {
                let (outcome, conclusion) = (word(step, "outcome"), word(step, "conclusion"));
                if outcome != "success" || conclusion != "success" {
                    let _ = writeln!(text, "  {}: {outcome}, {conclusion}", word(step, "name"));
                }
            }
            jobs.push(text);
        }
        jobs.sort();
        let mut text: String = jobs.concat();
        for line in self.of("run_completed") {
            let _ = writeln!(text, "{} {}", word(&line, "workflow"), word(&line, "conclusion"));
        }
        let _ = writeln!(text, "exit {}", self.exit);
        text
    }

    /// Both of the above.
    pub(crate) fn story(&self) -> String {
        format!("{}{}", self.printed(), self.verdict())
    }
}

/// Runs this workflow and looks at its story and at what was said on standard error.
pub(crate) fn check(workflow: &str, args: &[&str], expect: Expect) -> (Place, Said) {
    check_in(Place::workflow(workflow), args, expect)
}

/// The same in a repository that is there.
pub(crate) fn check_in(place: Place, args: &[&str], expect: Expect) -> (Place, Said) {
    let said = place.json(&[&["run"], args].concat());
    expect.assert_eq(&format!("{}{}", said.story(), said.stderr));
    (place, said)
}

/// Waits until something is true that no event tells.
pub(crate) fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

/// Waits for a file that a step makes, and gives its text once a whole line is in it.
pub(crate) fn wait_for_line(path: &Path) -> String {
    let mut read = String::new();
    wait_until(&path.display().to_string(), || {
        read = std::fs::read_to_string(path).unwrap_or_default();
        read.ends_with('\n')
    });
    read.trim_end().to_owned()
}

/// Living processes that were started from this place: each has its folder in its environment.
pub(crate) fn living(place: &Place) -> Vec<String> {
    processes(place).into_iter().map(|(_, command)| command).collect()
}

/// Ends what a test that failed left behind: jobs outlive their server, as they should, and a place is gone with its
/// test.
pub(crate) fn end_all(place: &Place) {
    for (id, _) in processes(place) {
        // One that ended by itself meanwhile is as good.
        let _ = rustix::process::kill_process(id, Signal::KILL);
    }
}

/// Their numbers, with their command lines.
fn processes(place: &Place) -> Vec<(Pid, String)> {
    let folder = place.path("").display().to_string();
    let entries = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    entries
        .filter_map(|entry| {
            let id = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            // A process that ends while it is looked at, or is dead already, has none.
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            text(&environment).contains(&folder).then_some(())?;
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            Some((id, text(&command).replace('\0', " ")))
        })
        .collect()
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
