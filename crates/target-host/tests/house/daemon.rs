//! A daemon of Docker and a registry, as Debian has them, on a socket and a bridge of their own: another
//! daemon of this machine is left alone. They end with the program that started them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::registry::Server;

/// Long enough for a daemon that finds much to clean up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Daemon {
    root: PathBuf,
    bridge: &'static str,
    pub(crate) registry: Server,
    pub(crate) scratch: tempfile::TempDir,
}

pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_or_say(|| what.to_owned(), is_so);
}

fn until_or_say(what: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{}", what());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a daemon with these words that ends with these tests.
pub(crate) fn start_dockerd(words: &[&str], pid: &Path, log: &Path, answers: impl FnMut() -> bool) {
    the_one_before_ends(pid);
    beside("dockerd", words, log);
    let told = || std::fs::read_to_string(log).unwrap_or_default();
    until_or_say(|| format!("docker answers; its daemon said:\n{}", told()), answers);
}

/// A program that ends with these tests.
fn beside(program: &str, words: &[&str], log: &Path) {
    let log = std::fs::File::create(log).expect("a log");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", program]).args(words);
    command.stdin(Stdio::null()).stderr(log.try_clone().expect("a log")).stdout(log);
    // It ends with the thread that asked for it, and that one with the tests.
    std::thread::spawn(move || command.status().expect("it is installed"));
}

/// The daemon of the tests before, whose process this file names, may still be ending.
pub(crate) fn the_one_before_ends(pid: &Path) {
    let before = std::fs::read_to_string(pid).unwrap_or_default();
    let proc = Path::new("/proc").join(before.trim()).join("comm");
    let is_daemon = || std::fs::read_to_string(&proc).is_ok_and(|it| it.trim() == "dockerd");
    until("the daemon before ends", || before.is_empty() || !is_daemon());
}

pub(crate) fn run(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

impl Daemon {
    /// `folder` keeps what it has from one run of the tests to the next; `bridge` and its address are no
    /// other daemon's.
    pub(crate) fn start(folder: &Path, (bridge, address): (&'static str, &str)) -> Daemon {
        std::fs::create_dir_all(folder).expect("a folder");
        let scratch = tempfile::tempdir().expect("a folder");
        let registry = Server::start(&scratch.path().join("registry"), "");
        let root = folder.to_owned();
        let daemon = Daemon { root, bridge, registry, scratch };
        // There already, where the tests were run before.
        run("ip", &["link", "add", bridge, "type", "bridge"]);
        run("ip", &["address", "add", address, "dev", bridge]);
        assert!(run("ip", &["link", "set", bridge, "up"]), "a bridge can be made");
        daemon.start_daemon();
        // What tests left that were ended.
        daemon.clear();
        daemon
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.scratch.path().join("docker.sock")
    }

    /// Takes every container away.
    pub(crate) fn clear(&self) {
        let all = self.docker(&["ps", "--all", "--quiet"]).unwrap_or_default();
        for id in all.lines() {
            self.docker(&["rm", "--force", id]);
        }
    }

    fn start_daemon(&self) {
        let path = |name: &str| self.root.join(name).display().to_string();
        let host = format!("unix://{}", self.socket().display());
        let (data, exec, pid) = (path("data"), path("exec"), path("pid"));
        let words = [
            "--host",
            &host,
            "--data-root",
            &data,
            "--exec-root",
            &exec,
            "--pidfile",
            &pid,
            "--bridge",
            self.bridge,
        ];
        let answers = || self.docker(&["version"]).is_some();
        start_dockerd(&words, Path::new(&pid), &self.root.join("log"), answers);
    }

    /// Ended with all that it runs, and started again, as its package does when it is replaced.
    pub(crate) fn start_again(&self) {
        let pid = std::fs::read_to_string(self.root.join("pid")).expect("it runs");
        assert!(run("kill", &["-TERM", pid.trim()]), "it is ours");
        until("it is gone", || self.docker(&["version"]).is_none());
        self.start_daemon();
    }

    /// What docker's command line says; none where it fails.
    pub(crate) fn docker(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("docker")
            .args(words)
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .expect("docker is installed");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }
}
