//! Docker itself and a registry, as Debian has them, on sockets and a bridge of their own: another
//! daemon of this machine is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Long enough for a daemon that finds much to clean up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Its network: what no other daemon has.
const BRIDGE: &str = "lwtest0";
const ADDRESS: &str = "172.31.251.1/24";

/// One for all tests of a program; it ends with it.
pub(crate) struct Real {
    root: PathBuf,
    pub(crate) socket: PathBuf,
    registry: String,
    /// Digests of images, by version and what is said to the service.
    images: Mutex<BTreeMap<String, String>>,
    /// Those that the registry is said to have no more.
    gone: Mutex<BTreeSet<String>>,
    sockets: tempfile::TempDir,
}

static REAL: OnceLock<Real> = OnceLock::new();

pub(crate) fn real() -> &'static Real {
    REAL.get_or_init(Real::start)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
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

fn run(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

impl Real {
    fn start() -> Real {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
        std::fs::create_dir_all(&root).expect("a folder");
        let sockets = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let registry = format!("127.0.0.1:{}", listener.expect("a port").port());
        let socket = sockets.path().join("docker.sock");
        let (images, gone) = (Mutex::default(), Mutex::default());
        let real = Real { root, socket, registry, images, gone, sockets };
        // There already, where the tests were run before.
        run("ip", &["link", "add", BRIDGE, "type", "bridge"]);
        run("ip", &["address", "add", ADDRESS, "dev", BRIDGE]);
        assert!(run("ip", &["link", "set", BRIDGE, "up"]), "a bridge can be made");
        real.start_registry();
        real.start_daemon();
        real.base();
        real
    }

    fn start_registry(&self) {
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{}'}}\n\
             log: {{level: error}}\n",
            self.sockets.path().join("registry").display(),
            self.registry
        );
        let path = self.sockets.path().join("registry.yml");
        std::fs::write(&path, config).expect("written");
        let path = path.display().to_string();
        beside("docker-registry", &["serve", &path], &self.sockets.path().join("registry.log"));
        until("the registry answers", || TcpStream::connect(&self.registry).is_ok());
    }

    fn start_daemon(&self) {
        let path = |name: &str| self.root.join(name).display().to_string();
        let host = format!("unix://{}", self.socket.display());
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
            BRIDGE,
        ];
        beside("dockerd", &words, &self.root.join("log"));
        until("docker answers", || self.docker(&["version"]).is_some());
    }

    /// Killed, and started again.
    pub(crate) fn kill_daemon(&self) {
        let pid = std::fs::read_to_string(self.root.join("pid")).expect("it runs");
        assert!(run("kill", &["-9", pid.trim()]), "it is ours");
        until("it is gone", || self.docker(&["version"]).is_none());
        let _ = std::fs::remove_file(self.root.join("pid"));
        self.start_daemon();
    }

    /// What docker's command line says; none where it fails.
    pub(crate) fn docker(&self, words: &[&str]) -> Option<String> {
        let output = Command::new("docker")
            .args(words)
            .env("DOCKER_HOST", format!("unix://{}", self.socket.display()))
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .expect("docker is installed");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    fn build(&self, tag: &str, folder: &Path, dockerfile: &str) {
        std::fs::write(folder.join("Dockerfile"), dockerfile).expect("room");
        let folder = folder.display().to_string();
        self.docker(&["build", "--quiet", "--tag", tag, &folder]).expect("it is built");
    }

    /// The program of these tests with the libraries that it needs, and nothing else.
    fn base(&self) {
        let folder = self.sockets.path().join("base");
        let program = env!("CARGO_BIN_EXE_target-host-hands");
        std::fs::create_dir_all(folder.join("files")).expect("room");
        let stripped = folder.join("files/hands").display().to_string();
        assert!(run("strip", &["-o", &stripped, program]) || run("cp", &[program, &stripped]));
        let needs = Command::new("ldd").arg(program).output().expect("ldd is there").stdout;
        for word in String::from_utf8_lossy(&needs).split_ascii_whitespace() {
            let path = Path::new(word);
            if path.is_absolute() && path.exists() {
                let to = folder.join("files").join(word.trim_start_matches('/'));
                std::fs::create_dir_all(to.parent().expect("a folder")).expect("room");
                std::fs::copy(path, to).expect("room");
            }
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|it| it.exists()).expect("it is installed");
        std::fs::create_dir_all(folder.join("files/bin")).expect("room");
        std::fs::copy(busybox, folder.join("files/bin/sh")).expect("room");
        self.build("hands", &folder, "FROM scratch\nCOPY files /\n");
    }

    pub(crate) fn location(&self) -> String {
        format!("{}/api", self.registry)
    }

    /// An image in the registry, and not here; its digest.
    pub(crate) fn image(&self, version: &str, how: &[&str]) -> String {
        let mut images = self.images.lock().expect("no panic");
        let key = format!("{version} {how:?}");
        if let Some(digest) = images.get(&key) {
            return digest.clone();
        }
        let folder = self.sockets.path().join("image");
        std::fs::create_dir_all(&folder).expect("room");
        let words = [&["/hands", "service"], how].concat();
        let words = serde_json::to_string(&words).expect("words");
        let dockerfile = format!("FROM hands\nLABEL version='{version}'\nCMD {words}\n");
        let name = format!("{}:{}", self.location(), images.len());
        self.build(&name, &folder, &dockerfile);
        self.docker(&["push", "--quiet", &name]).expect("it is pushed");
        let format = "{{index .RepoDigests 0}}";
        let reference = self.docker(&["inspect", "--format", format, &name]).expect("it is here");
        let digest = reference.split('@').nth(1).expect("a digest").to_owned();
        // From here on it is in the registry alone.
        self.docker(&["rmi", "--no-prune", "--force", &name, &reference]).expect("it was here");
        images.insert(key, digest.clone());
        digest
    }

    pub(crate) fn in_registry(&self, digest: &str) -> bool {
        let images = self.images.lock().expect("no panic");
        let is_gone = self.gone.lock().expect("no panic").contains(digest);
        !is_gone && images.values().any(|it| it == digest)
    }

    /// Neither here nor in the registry.
    pub(crate) fn lose_image(&self, digest: &str) {
        self.gone.lock().expect("no panic").insert(digest.to_owned());
        self.docker(&["rmi", "--force", &format!("{}@{digest}", self.location())]);
    }

    /// Containers of a folder, whether they run or not.
    pub(crate) fn containers(&self, folder: &Path) -> Vec<String> {
        let label = format!("label=launchway.folder={}", folder.display());
        let words = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &label];
        let ids = self.docker(&words).unwrap_or_default();
        ids.lines().map(str::to_owned).collect()
    }

    pub(crate) fn pids(&self, folder: &Path) -> Vec<i32> {
        let all = self.containers(folder);
        let pid = |id: &String| self.docker(&["inspect", "--format", "{{.State.Pid}}", id]);
        all.iter().filter_map(|it| pid(it)?.parse().ok()).filter(|it| *it != 0).collect()
    }

    pub(crate) fn clear(&self, folder: &Path) {
        for id in self.containers(folder) {
            self.docker(&["rm", "--force", &id]);
        }
    }
}
