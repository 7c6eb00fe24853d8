//! Starts a real worker for one job of a workflow text, and collects what it reports.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use event::{Attempt, Fence, JobKey, RunId};
use mask::MaskedText;
use protocol::{FromWorker, JobOptions, JobPaths, JobSpec, Report, ToWorker};
use serde_json::{Value as Json, json};

/// A worker at work.
pub(crate) struct Running {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) socket: BufReader<UnixStream>,
    pub(crate) child: Child,
}

/// All that a worker said.
pub(crate) struct Told {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) reports: Vec<Report>,
    pub(crate) log: String,
}

/// The job `job` of this workflow, with one secret and a push event.
pub(crate) fn spec(folder: &Path, workflow: &str) -> JobSpec {
    let source = syntax::Source::new("ci.yml", workflow);
    let (read, diagnostics) = workflow::read(&source);
    let wrong: Vec<&str> = diagnostics.iter().map(|it| it.message.as_str()).collect();
    let read = read.unwrap_or_else(|| panic!("{wrong:?}"));
    let root = |key: &str| {
        let (node, _) = syntax::yaml::read(&source);
        let node = node.expect("it was read before");
        let mapping = node.as_mapping().expect("it was read before");
        mapping.get(key).map_or(Json::Null, syntax::Node::to_json)
    };
    let path = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).expect("a scratch folder");
        path.to_str().expect("a path of ours").into()
    };
    JobSpec {
        run: RunId(1),
        attempt: Attempt(1),
        job: JobKey::new("job"),
        fence: Fence(7),
        runner: None,
        tracking_id: format!("github_{}", folder.file_name().expect("a name").to_string_lossy())
            .into(),
        name: MaskedText::without_secrets("job"),
        labels: Vec::new(),
        workflow_path: ".github/workflows/ci.yml".into(),
        definition: workflow::job_to_json(&read.jobs[0]),
        step_lines: Vec::new(),
        workflow_env: root("env"),
        workflow_defaults: root("defaults")["run"].take(),
        contexts: BTreeMap::from([
            (
                "github".to_owned(),
                json!({"repository": "octo/demo", "sha": "abc", "ref": "refs/heads/main", "event_name": "push", "actor": "mona", "run_id": "1", "run_attempt": "1"}),
            ),
            ("inputs".to_owned(), json!({})),
            ("vars".to_owned(), json!({"COLOUR": "blue"})),
            ("needs".to_owned(), json!({})),
            ("strategy".to_owned(), json!({})),
            ("matrix".to_owned(), json!({"os": "linux"})),
        ]),
        secrets: BTreeMap::from([("TOKEN".to_owned(), "s3cr3t-value".to_owned())]),
        payload: json!({"after": "abc"}),
        permissions: BTreeMap::new(),
        paths: JobPaths {
            repository: path("repository"),
            job: path("job"),
            log: folder.join("log").to_str().expect("a path of ours").into(),
            blobs: path("blobs"),
            actions: path("actions"),
            caches: path("caches"),
            tools: path("tools"),
            downloads: path("caches/downloads"),
            lock_file: "".into(),
        },
        timeout_minutes: 360.0,
        cancel_timeout_minutes: 5.0,
        options: JobOptions::default(),
    }
}

/// Starts a worker with this job.
pub(crate) fn start(workflow: &str, change: impl FnOnce(&mut JobSpec)) -> Running {
    start_with(workflow, &[], change)
}

/// The same on a machine that has these variables too.
pub(crate) fn start_with(
    workflow: &str,
    variables: &[(&str, &str)],
    change: impl FnOnce(&mut JobSpec),
) -> Running {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_worker-alone"));
    worker.envs(variables.iter().copied());
    start_as(worker, workflow, change)
}

/// The same with a shell around the worker that does this before it becomes the worker.
pub(crate) fn start_after(script: &str, workflow: &str) -> Running {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script}; exec \"$0\""), env!("CARGO_BIN_EXE_worker-alone")]);
    start_as(shell, workflow, |_| {})
}

fn start_as(worker: Command, workflow: &str, change: impl FnOnce(&mut JobSpec)) -> Running {
    start_in(std::env::temp_dir(), worker, workflow, change)
}

/// The same with the job's folders elsewhere than where everybody writes, as on a server, by a worker that has
/// the right to lay something there, or not.
pub(crate) fn start_at_home(
    may_lay: bool,
    workflow: &str,
    change: impl FnOnce(&mut JobSpec),
) -> Running {
    let home = std::env::home_dir().expect("everybody has one");
    start_in(home, worker_that(may_lay), workflow, change)
}

/// The same where services keep what is theirs.
pub(crate) fn start_as_service(
    may_lay: bool,
    workflow: &str,
    change: impl FnOnce(&mut JobSpec),
) -> Running {
    start_in(PathBuf::from("/var/lib"), worker_that(may_lay), workflow, change)
}

/// Whose a service is that is not root's ([`start_with_rights`]).
pub(crate) const SERVICE: u32 = 30_001;

/// The same by a service that is not root's and was given these rights.
pub(crate) fn start_with_rights(
    rights: &str,
    workflow: &str,
    change: impl FnOnce(&mut JobSpec),
) -> Running {
    let mut worker = Command::new("setpriv");
    let user = [format!("--reuid={SERVICE}"), format!("--regid={SERVICE}")];
    worker.args(user).args(["--clear-groups", "--inh-caps", rights, "--ambient-caps", rights]);
    worker.arg(env!("CARGO_BIN_EXE_worker-alone")).env("HOME", "/");
    start_in(PathBuf::from("/var/lib"), worker, workflow, |spec| {
        change(spec);
        let folder = Path::new(&*spec.paths.job).parent().expect("it lies in one");
        let given = Command::new("chown")
            .arg("-R")
            .arg(format!("{SERVICE}:{SERVICE}"))
            .arg(folder)
            .status();
        assert!(given.expect("it starts").success(), "these tests run as root");
    })
}

fn worker_that(may_lay: bool) -> Command {
    let program = env!("CARGO_BIN_EXE_worker-alone");
    let mut worker = Command::new(program);
    if !may_lay {
        worker = Command::new("setpriv");
        worker.args(["--bounding-set=-sys_admin", program]);
    }
    worker
}

fn start_in(
    parent: PathBuf,
    mut worker: Command,
    workflow: &str,
    change: impl FnOnce(&mut JobSpec),
) -> Running {
    let folder = tempfile::tempdir_in(parent).expect("a scratch folder");
    let mut spec = spec(folder.path(), workflow);
    change(&mut spec);
    // Docker is for the tests that start one.
    worker.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let child = worker.stdin(OwnedFd::from(theirs)).spawn().expect("it was built before the tests");
    let mut running = Running { folder, socket: BufReader::new(ours), child };
    running.send(&ToWorker::Start(Box::new(spec)));
    running
}

/// Runs a job to its end.
pub(crate) fn run(workflow: &str) -> Told {
    start(workflow, |_| {}).finish()
}

impl Running {
    pub(crate) fn send(&mut self, message: &ToWorker) {
        let mut line = serde_json::to_vec(message).expect("a message is JSON");
        line.push(b'\n');
        self.socket.get_mut().write_all(&line).expect("the worker listens");
    }

    /// The next report; none at the end.
    pub(crate) fn next(&mut self) -> Option<Report> {
        let mut line = String::new();
        self.socket.read_line(&mut line).expect("the worker's socket");
        if line.is_empty() {
            return None;
        }
        let message: FromWorker = serde_json::from_str(&line).expect("a report");
        assert_eq!(message.fence, Fence(7));
        Some(message.report)
    }

    /// Reads on until the log holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> Vec<Report> {
        let mut reports = Vec::new();
        while let Some(report) = self.next() {
            let grew = matches!(report, Report::LogGrew { .. });
            reports.push(report);
            if grew && self.log().contains(text) {
                return reports;
            }
        }
        panic!("the log never said {text:?}: {}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Goes away without a word, as a killed driver does.
    pub(crate) fn abandon(mut self) -> Told {
        self.socket.get_ref().shutdown(std::net::Shutdown::Both).expect("an open socket");
        self.child.wait().expect("the worker ends");
        let log = self.log();
        Told { folder: self.folder, reports: Vec::new(), log }
    }

    pub(crate) fn finish(mut self) -> Told {
        let mut reports = Vec::new();
        while let Some(report) = self.next() {
            reports.push(report);
        }
        assert!(self.child.wait().expect("the worker ends").success());
        let log = self.log();
        Told { folder: self.folder, reports, log }
    }
}

impl Told {
    /// The log, with the scratch folder's name taken out and colours made visible.
    pub(crate) fn text(&self) -> String {
        let folder = self.folder.path().to_str().expect("a path of ours");
        self.log.replace(folder, "/FOLDER").replace('\u{1b}', "^")
    }

    /// One line a report, without what differs from run to run.
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        for report in &self.reports {
            match report {
                Report::StepCompleted { step, outcome, conclusion, .. } => {
                    let _ = writeln!(text, "{step}: {outcome} -> {conclusion}");
                }
                Report::AnnotationAdded { annotation, .. } => {
                    let file = annotation.file.as_ref().map_or("", |file| file.as_str());
                    let line = annotation.line.map_or(String::new(), |line| format!(":{line}"));
                    let _ = writeln!(
                        text,
                        "{:?} {file}{line} {}",
                        annotation.level, annotation.message
                    );
                }
                Report::SummaryWritten { step, .. } => {
                    let _ = writeln!(text, "summary of {step}");
                }
                Report::Completed { conclusion, exit, outputs, environment_url, .. } => {
                    let _ = write!(text, "job: {conclusion} {exit:?}");
                    for (name, value) in outputs {
                        let _ = write!(text, " {name}={value}");
                    }
                    if let Some(url) = environment_url {
                        let _ = write!(text, " at {url}");
                    }
                    text.push('\n');
                }
                Report::NotEnforced { note } => {
                    let _ = writeln!(text, "not enforced: {note}");
                }
                Report::Started { .. }
                | Report::StepStarted { .. }
                | Report::LogGrew { .. }
                | Report::ArtifactUploaded { .. }
                | Report::ImageBuilt { .. } => {}
            }
        }
        let folder = self.folder.path().to_str().expect("a path of ours");
        text.replace(folder, "/FOLDER")
    }
}
