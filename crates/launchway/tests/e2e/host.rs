//! The hidden halves of the target `host`, as the product has them: a service in Python behind the
//! proxy, brought and replaced through the door of deployments, and a supervisor that is killed.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event::{DeploymentId, Fence, Release, ServiceRequest, Timestamp, Way};
use expect_test::expect;
use mask::Masker;
use ports::{Order, Performer as _, Progress, Target as _};
use serde_json::json;
use target_host::{Folder, HostTarget, PackOptions, pack};

const PATIENCE: Duration = Duration::from_secs(60);

const SERVICE: &str = r#"
import os, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = os.environ["LAUNCHWAY_RELEASE"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

struct House {
    scratch: tempfile::TempDir,
    listen: SocketAddr,
}

impl House {
    fn folder(&self) -> Folder {
        Folder::new(self.scratch.path().join("target"))
    }

    fn target(&self) -> HostTarget {
        let program = vec![env!("CARGO_BIN_EXE_launchway").into()];
        let nothing = |_: &ServiceRequest| Ok(BTreeMap::new());
        HostTarget::new(self.folder(), program, Masker::new(), Box::new(nothing))
    }

    /// Every step to its end, each call by a value that knows nothing of the one before.
    fn deploy(&self, deployment: u64) -> String {
        let source = self.scratch.path().join("source");
        std::fs::create_dir_all(&source).expect("a folder");
        std::fs::write(source.join("app.py"), SERVICE).expect("a file");
        std::fs::write(source.join("version"), deployment.to_string()).expect("a file");
        let options = PackOptions {
            folder: source,
            include: vec!["**".to_owned()],
            exclude: Vec::new(),
            limit_bytes: 1 << 20,
        };
        let packed = pack(&options, &self.folder().bundles()).expect("a bundle");
        let version = format!("1.{deployment}");
        let service = ServiceRequest {
            service: "web".into(),
            release: Release {
                version: version.as_str().into(),
                digest: packed.digest.into(),
                location: None,
                commit: None,
            },
            restores: None,
            last_good: None,
            target: "host".into(),
            config: json!({
                "listen": self.listen,
                "run": ["python3", "-B", "app.py"],
                "health": { "paths": ["/"], "every_ms": 20 },
            }),
            around: Vec::new(),
        };
        let seen = self.target().observe(&service).expect("it can be looked at");
        let proposal = self.target().propose(&service, &seen).expect("it can be done");
        for step in &proposal.steps {
            let (since, effects) = (now(), BTreeMap::new());
            let deadline = Instant::now() + PATIENCE;
            loop {
                let order = Order {
                    deployment: DeploymentId(deployment),
                    fence: Fence(1),
                    step,
                    service: &service,
                    way: Way::Forward,
                    now: Timestamp(now()),
                    since: Timestamp(since),
                    until: Timestamp(since + step.within_ms),
                    before: None,
                    effects: &effects,
                };
                match self.target().advance(&order) {
                    Progress::Done { .. } => break,
                    Progress::Underway { again_in, .. }
                    | Progress::Unreachable { again_in, .. } => std::thread::sleep(again_in),
                    end => panic!("{}: {end:?}", step.key),
                }
                assert!(Instant::now() < deadline, "{}", step.key);
            }
        }
        version
    }

    fn get(&self) -> String {
        let mut stream = TcpStream::connect(self.listen).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a response");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
    }

    /// Processes below this folder whose command line has a word.
    fn kill(&self, word: &str) -> usize {
        let folder = self.folder().path().display().to_string();
        let mut killed = 0;
        for entry in std::fs::read_dir("/proc").expect("a list").flatten() {
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let is_ours = line.contains(&folder)
                || String::from_utf8_lossy(&read("environ")).contains(&folder);
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw)
                && is_ours
                && line.contains(word)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                killed += 1;
            }
        }
        killed
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for word in ["supervise", "proxy", ""] {
            self.kill(word);
        }
        // Releases are closed, and only root may remove what is.
        let folder: &Path = self.scratch.path();
        let _ = std::process::Command::new("chmod").args(["-R", "u+w"]).arg(folder).status();
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    u64::try_from(now.as_millis()).expect("this age")
}

#[test]
fn a_service_is_brought_replaced_and_outlives_its_supervisor() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = port.local_addr().expect("a port");
    drop(port);
    let house = House { scratch: tempfile::tempdir().expect("a folder"), listen };
    assert_eq!(house.deploy(1), house.get());
    assert_eq!(house.kill("supervise"), 1);
    assert_eq!(house.get(), "1.1");
    assert_eq!(house.deploy(2), house.get());
    let view = target_host::view(&house.folder(), "web").expect("readable").expect("it is there");
    let live = view.instances.iter().filter(|it| it.is_live && it.is_healthy).count();
    assert_eq!((live, view.instances.len(), view.is_supervised), (1, 1, true));
}

/// A service that is an image, where no Docker answers: said by name, before anything is written.
#[test]
fn without_docker_an_image_is_not_even_planned() {
    let settings = "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    health: { paths: [/], settle: 0s, every: 100ms }
    targets: { host: 127.0.0.1:PORT }
environments:
  staging: { registry: 'localhost:5000' }
";
    let project = crate::deploy::Project::of(SERVICE, settings);
    let place = &project.place;
    let image = format!("api=localhost:5000/planner-api@sha256:{}", "0".repeat(64));
    let said = |args: &[&str], docker: &str| {
        let mut command = place.launchway(args);
        command.env("DOCKER_HOST", docker);
        let said = crate::harness::Said::from(command.output().expect("the binary starts"));
        format!("{}exit {}\n", said.stderr, said.exit)
    };
    let ship = ["deploy", "staging", "--yes", "--version", "1.1", "--image", &image];
    expect![[r#"
        error: api runs as containers, and docker does not answer at /nowhere/docker.sock: there is no such socket
        hint: start it, or say where it is: DOCKER_HOST=unix:///PATH
        hint: without Docker: `as: process`, and `run`, ship the files of the repository
        exit 5
    "#]].assert_eq(&said(&ship, "unix:///nowhere/docker.sock"));
    let look = [&ship[..], &["--plan"]].concat();
    expect![[r#"
        error: api: docker does not answer at /nowhere/docker.sock: there is no such socket; start it, or say with DOCKER_HOST=unix:///PATH where it is
        exit 5
    "#]].assert_eq(&said(&look, "unix:///nowhere/docker.sock"));
    expect![[r#"
        error: api: DOCKER_HOST is tcp://10.0.0.1:2375: containers run on this machine, by a socket: unset it, or unix:///PATH
        exit 5
    "#]].assert_eq(&said(&look, "tcp://10.0.0.1:2375"));
    let nowhere = format!("api=sha256:{}", "0".repeat(64));
    let ship = ["deploy", "staging", "--yes", "--version", "1.1", "--image", &nowhere];
    expect![[r#"
        error: nothing says where the image of api comes from
        hint: --image api=REPOSITORY@sha256:0000000000000000000000000000000000000000000000000000000000000000
        exit 2
    "#]].assert_eq(&said(&ship, "unix:///nowhere/docker.sock"));
    // Nothing was begun, and files go on as before.
    let listed = place.run(&["deployments", "list"]);
    assert!(listed.stdout.is_empty(), "{}", listed.stdout);
}
