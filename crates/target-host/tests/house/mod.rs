//! A machine of its own for each test: a folder, a target, and everything that runs below them.

#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses its own part of it")]

pub(crate) mod daemon;
pub(crate) mod docker;
pub(crate) mod real;
#[path = "../../../registry/tests/house/server.rs"]
pub(crate) mod registry;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use docker::{Docker, ImageModel};
use event::{
    Cause, DeployStepKey, DeployStepKind, DeploymentId, Fence, KnownRelease, PlannedStep, Release,
    ServiceRequest, Timestamp, Undo, Way,
};
use mask::{MaskedText, Masker, Secret};
use ports::{Order, Performer as _, Progress, Proposal, Target as _};
use real::real;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use target_host::{Folder, HostTarget, PackOptions, Registries, pack};
use tempfile::TempDir;

/// Nothing here takes this long, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where images come from.
pub(crate) const LOCATION: &str = "registry.test/api";

/// What releases are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bundles.
    Processes,
    /// Images, of an engine that is a model.
    Containers,
    /// Images, of Docker itself.
    Real,
}

pub(crate) struct House {
    pub(crate) scratch: TempDir,
    pub(crate) listen: SocketAddr,
    config: Json,
    pub(crate) kind: Kind,
    pub(crate) docker: Option<Arc<Docker>>,
}

/// A registry that everybody may look into with the right word.
struct Shelf(Kind, Option<Arc<Docker>>);

impl Registries for Shelf {
    fn sign_in(&mut self, _: &ServiceRequest, _: &str) -> Result<Option<Secret>, Cause> {
        // What the model never looks into says nothing to Docker.
        Ok((self.0 == Kind::Containers).then(|| Secret::new("c2lnbmVkLWlu")))
    }

    fn has(&mut self, _: &ServiceRequest, _: &str, digest: &str) -> Result<bool, Cause> {
        Ok(match &self.1 {
            Some(model) => model.in_registry(digest),
            None => self.0 == Kind::Real && real().in_registry(digest),
        })
    }
}

/// A deployment on its way.
pub(crate) struct Plan {
    pub(crate) deployment: u64,
    pub(crate) fence: u64,
    pub(crate) request: ServiceRequest,
    pub(crate) proposal: Proposal,
}

/// An address that is free, and that the kernel gives to no connection meanwhile: below those that
/// it chooses from by itself, and below those of instances. No test of one process gets one twice.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 9_000).expect("it fits");
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let listen = SocketAddr::from(([127, 0, 0, 1], 11_000 + first.wrapping_add(step) % 9_000));
        if TcpListener::bind(listen).is_ok() {
            return listen;
        }
    }
}

impl House {
    pub(crate) fn new(config: Json) -> House {
        House::of(crate::KIND, config)
    }

    pub(crate) fn of(kind: Kind, config: Json) -> House {
        let scratch = tempfile::tempdir().expect("a folder");
        let listen = free_address();
        let socket = scratch.path().join("docker.sock");
        let docker = (kind == Kind::Containers).then(|| Arc::new(Docker::start(&socket)));
        House { scratch, listen, config, kind, docker }
    }

    /// Where its images come from.
    pub(crate) fn location(&self) -> String {
        if self.kind == Kind::Real { real().location() } else { LOCATION.to_owned() }
    }

    /// An image is not to be had any more.
    pub(crate) fn lose_image(&self, digest: &str) {
        match &self.docker {
            Some(model) => model.change(digest, |it| {
                (it.is_here, it.is_in_registry) = (false, false);
            }),
            None => real().lose_image(digest),
        }
    }

    pub(crate) fn docker(&self) -> &Docker {
        self.docker.as_ref().expect("its releases are images")
    }

    pub(crate) fn folder(&self) -> Folder {
        Folder::new(self.scratch.path().join("target"))
    }

    /// A value that knows nothing of those before it.
    pub(crate) fn target(&self) -> HostTarget {
        let program = env!("CARGO_BIN_EXE_target-host-hands");
        let private = |_: &ServiceRequest| {
            Ok(BTreeMap::from([("PASSWORD".to_owned(), Secret::new("hunter22"))]))
        };
        HostTarget::new(self.folder(), vec![program.into()], Masker::new(), Box::new(private))
            .with_registries(Box::new(Shelf(self.kind, self.docker.clone())))
    }

    /// A release that differs from the others.
    pub(crate) fn release(&self, version: &str) -> Release {
        self.release_of(version, &[])
    }

    fn release_of(&self, version: &str, how: &[&str]) -> Release {
        match self.kind {
            Kind::Processes => self.bundle(version),
            Kind::Containers | Kind::Real => self.image(version, how),
        }
    }

    /// A bundle here.
    pub(crate) fn bundle(&self, version: &str) -> Release {
        let source = self.scratch.path().join("source");
        std::fs::create_dir_all(&source).expect("a folder");
        std::fs::write(source.join("version"), version).expect("a file");
        let options = PackOptions {
            folder: source,
            include: vec!["**".to_owned()],
            exclude: Vec::new(),
            limit_bytes: 1 << 20,
        };
        let packed = pack(&options, &self.folder().bundles()).expect("a bundle");
        Release {
            version: version.into(),
            digest: packed.digest.into(),
            location: None,
            commit: None,
        }
    }

    /// An image in the registry.
    pub(crate) fn image(&self, version: &str, how: &[&str]) -> Release {
        if self.kind == Kind::Real {
            return Release {
                version: version.into(),
                digest: real().image(version, how).into(),
                location: Some(real().location().into()),
                commit: None,
            };
        }
        let hash = Sha256::digest(format!("{version} {how:?}").as_bytes());
        let digest = hash.iter().fold("sha256:".to_owned(), |text, it| format!("{text}{it:02x}"));
        let how = how.iter().map(|it| (*it).to_owned()).collect();
        self.docker().image(&digest, ImageModel { how, is_here: false, is_in_registry: true });
        Release {
            version: version.into(),
            digest: digest.into(),
            location: Some(LOCATION.into()),
            commit: None,
        }
    }

    /// What the settings would ask for. `how` is said to the service.
    pub(crate) fn request(&self, version: &str, how: &[&str]) -> ServiceRequest {
        let mut run = vec![env!("CARGO_BIN_EXE_target-host-hands"), "service"];
        run.extend(how);
        let mut config = json!({
            "listen": self.listen,
            "run": run,
            "env": { "GREETING": "hello " },
            "private": ["PASSWORD"],
            "health": { "paths": ["/health"], "every_ms": 20, "within_ms": 20_000 },
            "drain_ms": 5_000,
        });
        let socket = match self.kind {
            Kind::Processes => None,
            Kind::Containers => Some(self.docker().socket.clone()),
            Kind::Real => Some(real().daemon.socket()),
        };
        if let Some(socket) = socket {
            config["container"] = json!({ "socket": socket });
        }
        for (key, value) in self.config.as_object().expect("an object") {
            config[key] = value.clone();
        }
        ServiceRequest {
            service: "api".into(),
            release: self.release_of(version, how),
            last_good: None,
            restores: None,
            target: "host".into(),
            config,
            around: Vec::new(),
        }
    }

    pub(crate) fn plan(&self, deployment: u64, request: ServiceRequest) -> Plan {
        let mut target = self.target();
        let seen = target.observe(&request).expect("it can be looked at");
        let again = target.observe(&request).expect("it can be looked at");
        assert_eq!(seen, again, "looking changes nothing");
        let proposal = target.propose(&request, &seen).expect("it can be done");
        assert_eq!(proposal, self.target().propose(&request, &seen).expect("it can be done"));
        Plan { deployment, fence: 1, request, proposal }
    }

    pub(crate) fn running(&self, request: &ServiceRequest) -> Option<KnownRelease> {
        self.target().observe(request).expect("it can be looked at").running
    }

    /// Plans and does everything, and says what it saw of each step.
    pub(crate) fn deploy(&self, deployment: u64, version: &str) -> Plan {
        let plan = self.plan(deployment, self.request(version, &[]));
        for step in &plan.proposal.steps {
            let end = self.step(&plan, step, Way::Forward);
            assert!(matches!(end, Progress::Done { .. }), "{}: {end:?}", step.key);
        }
        plan
    }

    /// The steps up to one of them.
    pub(crate) fn deploy_until(&self, deployment: u64, version: &str, last: &str) -> Plan {
        let plan = self.plan(deployment, self.request(version, &[]));
        for step in &plan.proposal.steps {
            let end = self.step(&plan, step, Way::Forward);
            assert!(matches!(end, Progress::Done { .. }), "{}: {end:?}", step.key);
            if step.kind.as_str() == last {
                break;
            }
        }
        plan
    }

    /// Does everything until something fails; then takes it all back, as the machine does.
    pub(crate) fn fail(&self, plan: &Plan) -> Progress {
        let mut done = Vec::new();
        for step in &plan.proposal.steps {
            done.push(step);
            match self.step(plan, step, Way::Forward) {
                Progress::Done { .. } => {}
                failure => {
                    for step in done.into_iter().rev() {
                        if matches!(step.undo, Undo::Step { .. }) {
                            let end = self.step(plan, step, Way::Back);
                            assert!(matches!(end, Progress::Done { .. }), "{end:?}");
                        }
                    }
                    return failure;
                }
            }
        }
        panic!("nothing failed");
    }

    /// A step to its end, each call by a value that knows nothing of the one before: a crash between
    /// every two. What is done stays done when it is asked for again.
    pub(crate) fn step(&self, plan: &Plan, step: &PlannedStep, way: Way) -> Progress {
        self.step_watched(plan, step, way, &mut |_| {})
    }

    pub(crate) fn step_watched(
        &self,
        plan: &Plan,
        step: &PlannedStep,
        way: Way,
        watch: &mut dyn FnMut(&str),
    ) -> Progress {
        let since = now();
        let effects = BTreeMap::new();
        let deadline = Instant::now() + PATIENCE;
        let mut seen_last;
        loop {
            let order = Order {
                deployment: DeploymentId(plan.deployment),
                fence: Fence(plan.fence),
                step,
                service: &plan.request,
                way,
                now: Timestamp(now()),
                since: Timestamp(since),
                until: Timestamp(since + step.within_ms),
                before: None,
                effects: &effects,
            };
            let progress = self.target().advance(&order);
            match progress {
                Progress::Underway { seen, again_in } => {
                    watch(seen.as_str());
                    seen_last = seen.as_str().to_owned();
                    std::thread::sleep(again_in.min(Duration::from_millis(20)));
                }
                Progress::Unreachable { cause, .. } => {
                    seen_last = cause.message.as_str().to_owned();
                    std::thread::sleep(Duration::from_millis(20));
                }
                Progress::Done { .. } => {
                    // Where a supervisor was killed meanwhile, the next one is waited for once more.
                    let again = self.target().advance(&order);
                    let is_late = Instant::now() > deadline;
                    let waits = matches!(again, Progress::Underway { .. });
                    if is_late || !waits {
                        assert_eq!(again, progress, "{}: done is done", step.key);
                        return progress;
                    }
                    seen_last = format!("{again:?}");
                }
                end => return end,
            }
            let late = Instant::now() > deadline;
            assert!(!late, "{} {way:?}: {seen_last}\n{}", step.key, self.told());
        }
    }

    /// A command around the change.
    pub(crate) fn task(&self, run: &[&str], within_ms: u64) -> PlannedStep {
        PlannedStep {
            key: DeployStepKey::new("api", "migrate"),
            kind: DeployStepKind::Migrate,
            what: MaskedText::without_secrets("migrate"),
            calls: Vec::new(),
            undo: Undo::Never { why: MaskedText::without_secrets("data stays") },
            within_ms,
            body: json!({ "run": run }),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.listen)
    }

    pub(crate) fn view(&self) -> target_host::ServiceView {
        target_host::view(&self.folder(), "api").expect("readable").expect("it is there")
    }

    /// Processes of ours below this folder, by what they are.
    pub(crate) fn processes(&self, what: &str) -> Vec<i32> {
        if self.kind == Kind::Real && what == " service" {
            return real().pids(self.folder().path());
        }
        let folder = self.folder().path().display().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").expect("a list").flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = pid else { continue };
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let marked = String::from_utf8_lossy(&read("environ")).contains(&folder);
            if line.contains(what) && (line.contains(&folder) || marked) {
                found.push(pid);
            }
        }
        found
    }

    pub(crate) fn kill(&self, what: &str) {
        let found = self.processes(what);
        assert!(!found.is_empty(), "{what} runs");
        for pid in found {
            // Dead only when its last thread is: until then it holds its locks and takes
            // connections.
            let pid = rustix::process::Pid::from_raw(pid).expect("a number");
            let flags = rustix::process::PidfdFlags::empty();
            let Ok(handle) = rustix::process::pidfd_open(pid, flags) else { continue };
            let signal = rustix::process::Signal::KILL;
            rustix::process::pidfd_send_signal(&handle, signal).expect("it is ours");
            let mut fds = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, None).expect("it ends");
        }
    }

    /// What there is to say about a test that hangs.
    pub(crate) fn told(&self) -> String {
        let read = |name: &str| {
            let path = self.folder().path().join(name);
            std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string())
        };
        [
            "state.json",
            "wanted/api.json",
            "routes/api.json",
            "logs/supervisor.log",
            "logs/proxy.log",
        ]
        .map(|name| format!("{name}: {}", read(name)))
        .join("\n")
    }

    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}\n{}", self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // The supervisor first: nobody starts anything again.
        for what in ["supervise", "proxy", ""] {
            self.processes(what).into_iter().for_each(kill);
        }
        if self.kind == Kind::Real {
            real().clear(self.folder().path());
        }
        // Releases are closed, and only root may remove what is.
        let _ = std::process::Command::new("chmod")
            .args(["-R", "u+w"])
            .arg(self.scratch.path())
            .status();
    }
}

fn kill(pid: i32) {
    if pid != i32::try_from(std::process::id()).expect("a number")
        && let Some(pid) = rustix::process::Pid::from_raw(pid)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

pub(crate) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.expect("a clock").as_millis()).expect("this age")
}

/// One connection, kept.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client::try_new(address).expect("a connection")
    }

    pub(crate) fn try_new(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        self.try_get(path).expect("a response")
    }

    pub(crate) fn try_get(&mut self, path: &str) -> std::io::Result<(u16, String)> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
        self.answer()
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> std::io::Result<(u16, String)> {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        self.send(head.as_bytes())?;
        self.send(body)?;
        self.answer()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub(crate) fn head(&mut self) -> std::io::Result<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(head.to_ascii_lowercase())
    }

    pub(crate) fn answer(&mut self) -> std::io::Result<(u16, String)> {
        let head = self.head()?;
        let status = head[9..12].parse().map_err(std::io::Error::other)?;
        let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
        let length =
            length.and_then(|it| it.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body).map_err(std::io::Error::other)?))
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
        self.stream.read_exact(buffer)
    }
}

pub(crate) fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

/// Where a file of a release lies.
pub(crate) fn unpacked(house: &House, release: &Release) -> PathBuf {
    let hex = release.digest.trim_start_matches("sha256:");
    house.folder().path().join("releases").join(hex)
}
