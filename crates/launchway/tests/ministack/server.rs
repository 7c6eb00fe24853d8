//! A ministack that listens on a port of its own, the docker that its tasks run in, and images that
//! need nobody's. The servers end with the tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value as Json, json};

use crate::harness::{text, wait_until};

/// Where everything stands.
pub(crate) const REGION: &str = "eu-central-1";
/// Whose it is: ministack takes the key's twelve digits for the account.
pub(crate) const ACCOUNT: &str = "111122223333";
/// Whose registry docker meets that did not sign in.
const NOBODY: [&str; 2] = ["000000000000", "test"];
/// How our folders are called, before the number of the process.
const FOLDERS: &str = "launchway-aws-";
/// The repository of all images.
const REPOSITORY: &str = "planner";

/// What an image does when nothing else is said, by its name. Each ends at once when it is told to, and
/// by itself when nobody is left to tell it.
const PROGRAMS: &[(&str, &str)] = &[
    ("1.0", "trap 'exit 0' TERM; echo planner 1.0; sleep 600 & wait"),
    ("1.1", "trap 'exit 0' TERM; echo planner 1.1; sleep 600 & wait"),
    ("1.2", "trap 'exit 0' TERM; echo planner 1.2; sleep 600 & wait"),
    ("crash", "echo cannot reach the database; exit 3"),
];

/// A server, and who asks it beside Launchway.
pub(crate) struct Server {
    pub(crate) url: String,
    port: u16,
    asker: Mutex<Asker>,
}

struct Asker {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    // It ends when its input does.
    _child: Child,
}

/// The one that takes every key.
pub(crate) fn open() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(false))
}

/// The one that checks signatures, trusts and permissions.
pub(crate) fn strict() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(true))
}

/// A program that ends with the tests: with the thread that asked for it, and that one with them.
fn while_we_live(program: &Path, change: impl FnOnce(&mut Command)) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]).arg(program).stdin(Stdio::null());
    change(&mut command);
    std::thread::spawn(move || command.status().expect("it is installed"));
}

/// What earlier tests left: docker's data, above all.
fn forget_the_dead() {
    let folders = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(FOLDERS);
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another test may be at it.
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}

fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        forget_the_dead();
        let folder = std::env::temp_dir().join(format!("{FOLDERS}{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder of ours");
        folder
    });
    made.clone()
}

fn docker_host() -> Option<&'static str> {
    static HOST: OnceLock<Option<String>> = OnceLock::new();
    HOST.get_or_init(|| {
        let answers = |host: Option<&str>| {
            let mut command = Command::new("docker");
            command.args(["version"]).stdout(Stdio::null()).stderr(Stdio::null());
            command.envs(host.map(|host| ("DOCKER_HOST", host)));
            command.status().expect("docker is installed").success()
        };
        // Who may start one has his own: another may end with whoever started it.
        let may_start = std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
        if std::env::var_os("DOCKER_HOST").is_some() || (!may_start && answers(None)) {
            return None;
        }
        let at = |name: &str| folder().join(name).display().to_string();
        let host = format!("unix://{}", at("socket"));
        while_we_live(Path::new("dockerd"), |daemon| {
            daemon
                .args(["--host", &host, "--data-root", &at("data"), "--exec-root", &at("exec")])
                .args(["--pidfile", &at("pid"), "--bridge", "none", "--iptables=false"])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
        });
        wait_until("docker", || answers(Some(&host)));
        Some(host)
    })
    .as_deref()
}

fn docker(args: &[&str]) -> String {
    let mut command = Command::new("docker");
    command.args(args).env("DOCKER_BUILDKIT", "0");
    command.envs(docker_host().map(|host| ("DOCKER_HOST", host)));
    let output = command.output().expect("docker is installed");
    assert!(output.status.success(), "docker {args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The Python that the tier has made ready.
fn python() -> PathBuf {
    let python = std::env::var_os("LAUNCHWAY_MINISTACK").map(PathBuf::from);
    python.unwrap_or_else(|| {
        let binary = Path::new(env!("CARGO_BIN_EXE_launchway"));
        let target = binary.ancestors().nth(2).expect("it lies in target/debug");
        target.join("ministack/bin/python")
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ministack").join(name)
}

/// A port that nobody has now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Server {
    fn start(strict: bool) -> Server {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let log = std::fs::File::create(folder().join(format!("{port}.log"))).expect("a file");
        let host = docker_host();
        while_we_live(&python(), |server| {
            server
                .arg(script("serve.py"))
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("MINISTACK_REGION", REGION)
                .env("CLOUDTRAIL_RECORDING", "1")
                .env("CLOUDTRAIL_MAX_EVENTS", "200000")
                .envs([("IOT_MTLS_ENABLED", "0"), ("SFTP_ENABLED", "0")])
                .env("AUTH", if strict { "true" } else { "false" })
                .envs(host.map(|host| ("DOCKER_HOST", host)))
                .stdout(log.try_clone().expect("a file"))
                .stderr(log);
        });
        wait_until("ministack", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let mut child = Command::new(python())
            .arg(script("ask.py"))
            .arg(&url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tier has made Python ready");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let asker = Mutex::new(Asker { input, output, _child: child });
        let server = Server { url, port, asker };
        let made = json!({"repositoryName": REPOSITORY});
        let made = server.ask("ecr", "create_repository", made, Some(NOBODY));
        assert!(made["error"].is_null(), "{made}");
        server.ok("logs", "create_log_group", json!({"logGroupName": "/planner"}));
        server
    }

    /// A call, as the root of the account or with a key; a refusal has an `error`.
    pub(crate) fn ask(
        &self,
        service: &str,
        operation: &str,
        with: Json,
        key: Option<[&str; 2]>,
    ) -> Json {
        let line = json!({"service": service, "operation": operation, "with": with, "key": key});
        let mut asker = self.asker.lock().expect("nobody panics with it");
        writeln!(asker.input, "{line}").expect("it listens");
        let mut said = String::new();
        asker.output.read_line(&mut said).expect("it answers");
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{line}: {said}"))
    }

    /// A call that goes well.
    pub(crate) fn ok(&self, service: &str, operation: &str, with: Json) -> Json {
        let answer = self.ask(service, operation, with, None);
        assert!(answer["error"].is_null(), "{operation}: {answer}");
        answer
    }

    /// An image in the registry, by its digest.
    pub(crate) fn image(&self, name: &str) -> String {
        static PUSHED: Mutex<Vec<(u16, String, String)>> = Mutex::new(Vec::new());
        let mut pushed = PUSHED.lock().expect("nobody panics with it");
        if let Some((_, _, image)) = pushed.iter().find(|it| it.0 == self.port && it.1 == name) {
            return image.clone();
        }
        let program = PROGRAMS.iter().find(|(it, _)| *it == name).expect("a program of ours").1;
        let place = folder().join(name);
        std::fs::create_dir_all(&place).expect("a folder");
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|path| path.exists()).expect("busybox is there");
        std::fs::copy(busybox, place.join("busybox")).expect("a copy");
        let command = json!(["/bin/sh", "-c", program]);
        let dockerfile = format!(
            "FROM scratch\nCOPY busybox /bin/busybox\nENV PATH=/bin\n\
             RUN [\"/bin/busybox\", \"--install\", \"/bin\"]\nCMD {command}\n"
        );
        std::fs::write(place.join("Dockerfile"), dockerfile).expect("a file");
        let repository = format!("localhost:{}/{REPOSITORY}", self.port);
        let tag = format!("{repository}:{name}");
        docker(&[
            "build",
            "--quiet",
            "--network",
            "none",
            "--tag",
            &tag,
            &place.display().to_string(),
        ]);
        let said = docker(&["push", &tag]);
        let digest =
            said.split_whitespace().find(|it| it.starts_with("sha256:")).expect("a digest");
        let image = format!("{repository}@{digest}");
        pushed.push((self.port, name.to_owned(), image.clone()));
        image
    }

    /// How often Launchway asked for this, about this cluster: `(times, as whom)`.
    pub(crate) fn heard(&self, operation: &str, cluster: &str) -> usize {
        let mut token = Json::Null;
        let mut heard = 0;
        loop {
            let mut with = json!({"LookupAttributes":
                [{"AttributeKey": "EventName", "AttributeValue": operation}]});
            if !token.is_null() {
                with["NextToken"] = token;
            }
            let answer = self.ok("cloudtrail", "lookup_events", with);
            for event in answer["Events"].as_array().into_iter().flatten() {
                let event = event["CloudTrailEvent"].as_str().unwrap_or_default();
                let event: Json = serde_json::from_str(event).expect("a record is JSON");
                let ours =
                    event["userAgent"].as_str().is_some_and(|it| it.starts_with("launchway"));
                let about = &event["requestParameters"];
                let family = about["family"].as_str().unwrap_or_default();
                if ours && (about["cluster"] == *cluster || family == cluster) {
                    heard += 1;
                }
            }
            token = answer["NextToken"].clone();
            if token.is_null() {
                return heard;
            }
        }
    }
}
