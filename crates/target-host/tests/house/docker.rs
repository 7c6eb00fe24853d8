//! An engine of containers, with memory: what Docker's API does as far as the target uses it, over a
//! socket of its own. Its containers are real processes, so that everything around them is real too:
//! what it does not have is images, networks and limits, which is what the tier `docker` is for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

/// What is said to the service in an image, and where the image is.
#[derive(Clone, Default)]
pub(crate) struct ImageModel {
    pub(crate) how: Vec<String>,
    pub(crate) is_here: bool,
    pub(crate) is_in_registry: bool,
}

/// What is to go wrong.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    /// What a pull ends with, instead of an image.
    pub(crate) pull: Option<String>,
    /// What a start ends with.
    pub(crate) start: Option<String>,
    /// Containers that end were out of memory.
    pub(crate) out_of_memory: bool,
}

#[derive(Default)]
struct Contained {
    id: String,
    name: String,
    body: Json,
    child: Option<Child>,
    pid: u32,
    started: bool,
    code: Option<i32>,
    out_of_memory: bool,
    /// Time and text.
    lines: Vec<(String, Vec<u8>)>,
    open_pipes: u8,
}

#[derive(Default)]
struct State {
    images: BTreeMap<String, ImageModel>,
    containers: Vec<Contained>,
    faults: Faults,
    count: u64,
    /// Every call that changes something: `POST /containers/create launchway-..`.
    deeds: Vec<String>,
    pulls_signed: Vec<String>,
    is_down: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A running engine.
pub(crate) struct Docker {
    shared: Arc<Shared>,
    pub(crate) socket: PathBuf,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics within")
    }
}

impl Docker {
    pub(crate) fn start(socket: &Path) -> Docker {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let docker = Docker { shared, socket: socket.to_owned() };
        docker.listen();
        docker
    }

    fn listen(&self) {
        let _ = std::fs::remove_file(&self.socket);
        let listener = UnixListener::bind(&self.socket).expect("a socket");
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().is_down {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(&shared, stream.expect("a connection")));
            }
        });
    }

    /// The engine ends. What it ran ends too, or goes on (`live`).
    pub(crate) fn stop(&self, live: bool) {
        let mut state = self.shared.lock();
        state.is_down = true;
        if !live {
            for it in &mut state.containers {
                if let Some(child) = &mut it.child {
                    let _ = child.kill();
                }
            }
        }
        drop(state);
        self.shared.changed.notify_all();
        // Whoever accepts looks once more.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }

    /// It comes again, and knows what it knew.
    pub(crate) fn again(&self) {
        self.shared.lock().is_down = false;
        self.listen();
    }

    pub(crate) fn image(&self, digest: &str, image: ImageModel) {
        let mut state = self.shared.lock();
        state.images.entry(digest.to_owned()).or_insert(image);
    }

    pub(crate) fn change(&self, digest: &str, change: impl FnOnce(&mut ImageModel)) {
        change(self.shared.lock().images.get_mut(digest).expect("there is one"));
    }

    pub(crate) fn in_registry(&self, digest: &str) -> bool {
        self.shared.lock().images.get(digest).is_some_and(|it| it.is_in_registry)
    }

    pub(crate) fn fail(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.lock().faults);
    }

    /// Containers that there are, by name, and whether they run.
    pub(crate) fn containers(&self) -> Vec<(String, bool)> {
        let mut state = self.shared.lock();
        state.containers.iter_mut().for_each(collect);
        let all = state.containers.iter();
        all.map(|it| (it.name.clone(), it.started && it.code.is_none())).collect()
    }

    /// What the container of an instance was made with.
    pub(crate) fn made(&self, name_ends: &str) -> Json {
        let state = self.shared.lock();
        let found = state.containers.iter().find(|it| it.name.ends_with(name_ends));
        found.expect("it is there").body.clone()
    }

    pub(crate) fn deeds(&self, word: &str) -> Vec<String> {
        let state = self.shared.lock();
        state.deeds.iter().filter(|it| it.contains(word)).cloned().collect()
    }

    pub(crate) fn pulls_signed(&self) -> Vec<String> {
        self.shared.lock().pulls_signed.clone()
    }

    /// A container that somebody left.
    pub(crate) fn leave(&self, name: &str, body: Json) {
        let (id, name) = (format!("left-{name}"), name.to_owned());
        let left = Contained { id, name, body, ..Contained::default() };
        self.shared.lock().containers.push(left);
    }

    /// Somebody else takes a container away.
    pub(crate) fn lose(&self, name_ends: &str) {
        let mut state = self.shared.lock();
        for it in state.containers.iter_mut().filter(|it| it.name.ends_with(name_ends)) {
            if let Some(child) = &mut it.child {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        state.containers.retain(|it| !it.name.ends_with(name_ends));
        self.shared.changed.notify_all();
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        self.stop(false);
    }
}

fn collect(it: &mut Contained) {
    if let Some(child) = &mut it.child
        && let Ok(Some(status)) = child.try_wait()
    {
        it.code = Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
        it.child = None;
    }
}

struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    signed: Option<String>,
    body: Json,
}

fn read(stream: &UnixStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut signed) = (0, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name {
            "Content-Length" => length = value.parse().ok()?,
            "X-Registry-Auth" => signed = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|it| it.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), unescaped(value))).collect();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Asked { method, path: path.to_owned(), query, signed, body })
}

fn unescaped(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().expect("two"), bytes.next().expect("two")];
            let digits = std::str::from_utf8(&digits).expect("digits").to_owned();
            out.push(u8::from_str_radix(&digits, 16).expect("digits"));
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).expect("text")
}

fn answer(shared: &Arc<Shared>, mut stream: UnixStream) {
    let Some(asked) = read(&stream) else { return };
    let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
    if asked.method != "GET" && parts.last() != Some(&"wait") {
        let name = asked.query.get("name").cloned().unwrap_or_default();
        shared.lock().deeds.push(format!("{} {} {name}", asked.method, asked.path));
    }
    let (status, body) = match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["_ping"]) => (200, json!("OK")),
        ("GET", ["images", name @ .., "json"]) => image(shared, &name.join("/")),
        ("DELETE", ["images", name @ ..]) => remove_image(shared, &name.join("/")),
        ("POST", ["images", "create"]) => {
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
            return pull(shared, &asked, &mut stream);
        }
        ("POST", ["containers", "create"]) => make(shared, &asked),
        ("GET", ["containers", "json"]) => list(shared, &asked),
        ("GET", ["containers", name, "json"]) => inspect(shared, name),
        ("POST", ["containers", name, "start"]) => start(shared, name),
        ("POST", ["containers", name, "stop"]) => stop(shared, name),
        ("POST", ["containers", name, "wait"]) => return wait(shared, name, &mut stream),
        ("GET", ["containers", name, "logs"]) => {
            return logs(shared, name, &asked.query["since"], &mut stream);
        }
        ("DELETE", ["containers", name]) => remove(shared, name),
        _ => (404, json!({ "message": format!("page not found: {}", asked.path) })),
    };
    let body = if status == 204 { String::new() } else { body.to_string() };
    let _ = write!(stream, "HTTP/1.0 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

fn no_container(name: &str) -> (u16, Json) {
    (404, json!({ "message": format!("No such container: {name}") }))
}

fn image(shared: &Shared, name: &str) -> (u16, Json) {
    let digest = name.split('@').nth(1).unwrap_or_default();
    match shared.lock().images.get(digest) {
        Some(image) if image.is_here => (200, json!({ "Id": digest })),
        _ => (404, json!({ "message": format!("No such image: {name}") })),
    }
}

fn remove_image(shared: &Shared, name: &str) -> (u16, Json) {
    let digest = name.split('@').nth(1).unwrap_or_default().to_owned();
    let mut state = shared.lock();
    if state.containers.iter().any(|it| it.body["Image"] == name) {
        return (409, json!({ "message": "conflict: a container uses it" }));
    }
    match state.images.get_mut(&digest).filter(|it| it.is_here) {
        Some(image) => {
            image.is_here = false;
            (200, json!([{ "Untagged": name }]))
        }
        None => (404, json!({ "message": format!("No such image: {name}") })),
    }
}

fn pull(shared: &Shared, asked: &Asked, stream: &mut UnixStream) {
    let mut state = shared.lock();
    state.pulls_signed.extend(asked.signed.clone());
    let digest = &asked.query["tag"];
    let fault = state.faults.pull.clone();
    let line = match (fault, state.images.get_mut(digest).filter(|it| it.is_in_registry)) {
        (Some(fault), _) => json!({ "error": fault }),
        (None, Some(image)) => {
            image.is_here = true;
            json!({ "status": "Pull complete", "id": "abc" })
        }
        (None, None) => {
            let name = &asked.query["fromImage"];
            json!({ "error": format!("manifest for {name}@{digest} not found: manifest unknown") })
        }
    };
    let _ = writeln!(stream, "{line}\r");
}

fn make(shared: &Shared, asked: &Asked) -> (u16, Json) {
    let mut state = shared.lock();
    let name = asked.query["name"].clone();
    if state.containers.iter().any(|it| it.name == name) {
        return (409, json!({ "message": format!("Conflict. The name {name} is in use") }));
    }
    let image = asked.body["Image"].as_str().unwrap_or_default();
    let digest = image.split('@').nth(1).unwrap_or_default();
    if !state.images.get(digest).is_some_and(|it| it.is_here) {
        return (404, json!({ "message": format!("No such image: {image}") }));
    }
    state.count += 1;
    let id = format!("{:064x}", state.count);
    let body = asked.body.clone();
    state.containers.push(Contained { id: id.clone(), name, body, ..Contained::default() });
    (201, json!({ "Id": id, "Warnings": [] }))
}

fn find<'a>(state: &'a mut State, name: &str) -> Option<&'a mut Contained> {
    let found = state.containers.iter_mut().find(|it| it.name == name || it.id == name)?;
    collect(found);
    Some(found)
}

fn list(shared: &Shared, asked: &Asked) -> (u16, Json) {
    let filters: Json = serde_json::from_str(&asked.query["filters"]).expect("filters");
    let wanted = filters["label"][0].as_str().expect("a label");
    let (name, value) = wanted.split_once('=').expect("a value");
    let state = shared.lock();
    let fits = state.containers.iter().filter(|it| it.body["Labels"][name] == value);
    (200, fits.map(|it| json!({ "Id": it.id, "Labels": it.body["Labels"] })).collect())
}

fn inspect(shared: &Shared, name: &str) -> (u16, Json) {
    let mut state = shared.lock();
    let Some(it) = find(&mut state, name) else { return no_container(name) };
    let status = match it.code {
        _ if !it.started => "created",
        Some(_) => "exited",
        None => "running",
    };
    let pid = if status == "running" { it.pid } else { 0 };
    let body = json!({
        "Id": it.id, "Name": format!("/{}", it.name), "Config": { "Labels": it.body["Labels"] },
        "State": {
            "Status": status, "Pid": pid, "ExitCode": it.code.unwrap_or(0),
            "OOMKilled": it.out_of_memory, "Error": "",
        },
    });
    (200, body)
}

/// A container's process: the program of these tests, with what stands in the image.
fn start(shared: &Arc<Shared>, name: &str) -> (u16, Json) {
    let mut state = shared.lock();
    let fault = state.faults.start.clone();
    let out_of_memory = state.faults.out_of_memory;
    let images = state.images.clone();
    let Some(it) = find(&mut state, name) else { return no_container(name) };
    if it.started && it.code.is_none() {
        return (304, Json::Null);
    }
    if let Some(message) = fault {
        return (500, json!({ "message": message }));
    }
    let image = it.body["Image"].as_str().expect("an image");
    let how = images[image.split('@').nth(1).expect("a digest")].how.clone();
    let mut command = match it.body["Cmd"].as_array() {
        Some(words) => {
            let mut words = words.iter().filter_map(Json::as_str);
            let mut command = Command::new(words.next().expect("a program"));
            command.args(words);
            command
        }
        None => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_target-host-hands"));
            command.arg("service").args(how);
            command
        }
    };
    command.env_clear().env("PATH", "/usr/bin:/bin");
    // Whoever looks for what runs of a house finds it by this.
    command.env("HOUSE", it.body["Labels"]["launchway.folder"].as_str().unwrap_or_default());
    for pair in it.body["Env"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        let (name, value) = pair.split_once('=').expect("a variable");
        command.env(name, value);
    }
    // There is no network of its own: it listens where it is reached.
    let ports = it.body["HostConfig"]["PortBindings"].as_object().into_iter().flatten();
    for (_, outside) in ports {
        command.env("PORT", outside[0]["HostPort"].as_str().expect("a port"));
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let message = format!("OCI runtime create failed: exec: {error}");
            return (400, json!({ "message": message }));
        }
    };
    let (out, errors) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    (it.started, it.code, it.pid, it.open_pipes) = (true, None, child.id(), 2);
    it.child = Some(child);
    it.out_of_memory = out_of_memory;
    let id = it.id.clone();
    drop(state);
    for pipe in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(errors)] {
        let (shared, id) = (Arc::clone(shared), id.clone());
        std::thread::spawn(move || collect_lines(&shared, &id, pipe));
    }
    (204, Json::Null)
}

fn collect_lines(shared: &Shared, id: &str, pipe: Box<dyn std::io::Read + Send>) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        let read = pipe.read_until(b'\n', &mut line).unwrap_or(0);
        let mut state = shared.lock();
        let Some(it) = state.containers.iter_mut().find(|it| it.id == id) else { return };
        if read == 0 {
            it.open_pipes -= 1;
        } else {
            it.lines.push((time(), line));
        }
        drop(state);
        shared.changed.notify_all();
        if read == 0 {
            return;
        }
    }
}

/// As Docker writes it.
fn time() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let day = now.as_secs() % 86_400;
    let (hour, minute, second) = (day / 3600, day / 60 % 60, day % 60);
    // Every day is the same here; only the order counts.
    format!("2026-11-21T{hour:02}:{minute:02}:{second:02}.{:09}Z", now.subsec_nanos())
}

fn stop(shared: &Shared, name: &str) -> (u16, Json) {
    let mut state = shared.lock();
    let Some(it) = find(&mut state, name) else { return no_container(name) };
    let Some(child) = &it.child else { return (304, Json::Null) };
    let pid = rustix::process::Pid::from_child(child);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    drop(state);
    settle(shared, name);
    (204, Json::Null)
}

/// Until a container does not run, or is gone; false where the engine ended before.
fn settle(shared: &Shared, name: &str) -> bool {
    let mut state = shared.lock();
    loop {
        if state.is_down {
            return false;
        }
        match find(&mut state, name) {
            Some(it) if it.started && it.code.is_none() => {}
            _ => break,
        }
        let pause = Duration::from_millis(5);
        state = shared.changed.wait_timeout(state, pause).expect("no panic").0;
    }
    drop(state);
    shared.changed.notify_all();
    true
}

fn wait(shared: &Shared, name: &str, stream: &mut UnixStream) {
    if find(&mut shared.lock(), name).is_none() {
        let (status, body) = no_container(name);
        let _ = write!(stream, "HTTP/1.0 {status} X\r\n\r\n{body}");
        return;
    }
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
    if settle(shared, name) {
        let code = find(&mut shared.lock(), name).and_then(|it| it.code).unwrap_or(0);
        let _ = writeln!(stream, "{}", json!({ "StatusCode": code }));
    }
}

fn logs(shared: &Shared, name: &str, since: &str, stream: &mut UnixStream) {
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
    let nanos = since.split_once('.').expect("a fraction").1;
    let seconds: u64 = since.split_once('.').expect("seconds").0.parse().expect("seconds");
    let day = seconds % 86_400;
    let from =
        format!("2026-11-21T{:02}:{:02}:{:02}.{nanos}Z", day / 3600, day / 60 % 60, day % 60);
    let mut at = 0;
    let mut state = shared.lock();
    loop {
        if state.is_down {
            return;
        }
        let Some(it) = find(&mut state, name) else { return };
        let is_over = (!it.started || it.code.is_some()) && it.open_pipes == 0;
        let lines: Vec<_> = it.lines[at..].to_vec();
        at = it.lines.len();
        drop(state);
        for (time, text) in lines.iter().filter(|(time, _)| seconds == 0 || *time >= from) {
            let line = [time.as_bytes(), b" ", text].concat();
            let length = u32::try_from(line.len()).expect("short").to_be_bytes();
            if stream.write_all(&[&[1, 0, 0, 0], &length[..], &line].concat()).is_err() {
                return;
            }
        }
        if is_over {
            return;
        }
        let pause = Duration::from_millis(5);
        state = shared.changed.wait_timeout(shared.lock(), pause).expect("no panic").0;
    }
}

fn remove(shared: &Shared, name: &str) -> (u16, Json) {
    let mut state = shared.lock();
    let Some(it) = find(&mut state, name) else { return no_container(name) };
    if let Some(child) = &mut it.child {
        let _ = child.kill();
        let _ = child.wait();
    }
    let id = it.id.clone();
    state.containers.retain(|it| it.id != id);
    drop(state);
    shared.changed.notify_all();
    (204, Json::Null)
}
