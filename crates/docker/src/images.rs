//! What the engine knows of images: which were given a name, and how large one is.

use std::io::{self, BufRead as _, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use serde_json::{Value as Json, json};

use crate::engine::{Engine, EngineError, SOCKET};
use crate::wire::{Answer, Call, ask_by, escaped};

/// Nobody is kept waiting for what only a record wants: a whole answer comes within it. What answers may be a step's.
const RECORD_WITHIN: Duration = Duration::from_secs(5);
/// The engine remembers 256 of all its events; others may remember more.
const EVENTS_MAX: usize = 1_000;
/// Bytes of all of them: each has the labels of its image.
const EVENTS_BYTES_MAX: u64 = 8 << 20;

/// An image that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `sha256:..`
    pub id: String,
    /// Its names, with their tags.
    pub names: Vec<String>,
    /// `linux/amd64`
    pub platform: Option<String>,
    /// Its files; none where the engine says only what it has of them packed.
    pub unpacked_bytes: Option<u64>,
}

/// That an image was given a name, or came as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub id: String,
    /// The name; none of one that was loaded with the names that it brought.
    pub name: Option<String>,
    /// Since the beginning of 1970.
    pub at: Duration,
}

impl Engine {
    /// The one that a process reaches whose `DOCKER_HOST` is this, as the program `docker` does; none where that is
    /// another machine.
    pub fn of_process(docker_host: Option<&str>) -> Option<Engine> {
        match docker_host.unwrap_or_default() {
            "" => Some(Engine::at(PathBuf::from(SOCKET))),
            host => Some(Engine::at(PathBuf::from(host.strip_prefix("unix://")?))),
        }
    }

    /// An image by its id or name; none where there is none.
    ///
    /// # Errors
    /// When the engine is away, or does not answer soon.
    pub fn image(&self, name: &str) -> Result<Option<Image>, EngineError> {
        let path = format!("/images/{name}/json?manifests=1");
        let answer = match self.ask_soon(&path) {
            Err(error) if error.is_absent() => return Ok(None),
            answer => answer?,
        };
        let text = answer.text().map_err(|error| self.unanswered(&error))?;
        Ok(image(&serde_json::from_slice(&text).unwrap_or_default()))
    }

    /// Which images were given a name between two moments, in that order. Both are past.
    ///
    /// # Errors
    /// When the engine is away, or does not answer soon.
    pub fn named_between(
        &self,
        since: SystemTime,
        until: SystemTime,
    ) -> Result<Vec<Named>, EngineError> {
        let at = |time: SystemTime| {
            let at = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{}.{:09}", at.as_secs(), at.subsec_nanos())
        };
        let filters = json!({ "type": ["image"], "event": ["tag", "load"] }).to_string();
        let (since, until) = (at(since), at(until));
        let path = format!("/events?since={since}&until={until}&filters={}", escaped(&filters));
        let mut found = Vec::new();
        let events = self.ask_soon(&path)?.body.take(EVENTS_BYTES_MAX);
        for line in events.lines().take(EVENTS_MAX) {
            let line = line.map_err(|error| self.unanswered(&error))?;
            found.extend(named(&serde_json::from_str(&line).unwrap_or_default()));
        }
        Ok(found)
    }

    fn ask_soon(&self, path: &str) -> Result<Answer<Soon>, EngineError> {
        let call = Call { method: "GET", path, headers: &[], body: None, silence: None };
        let until = Instant::now() + RECORD_WITHIN;
        let stream = connected(self.socket()).map(|stream| Soon { stream, until });
        self.heard(stream.and_then(|stream| ask_by(stream, &call)))
    }
}

/// A connection that is good until a moment, however often something comes.
struct Soon {
    stream: UnixStream,
    until: Instant,
}

impl Soon {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Soon {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Soon {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Whoever listens and takes nobody in is waited for without end by a plain connection.
fn connected(socket: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&stream, &SocketAddrUnix::new(socket)?)?;
    let stream = UnixStream::from(stream);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn named(event: &Json) -> Option<Named> {
    let id = event["Actor"]["ID"].as_str()?.to_owned();
    let name = event["Actor"]["Attributes"]["name"].as_str();
    let is_tag = event["Action"].as_str() == Some("tag");
    Some(Named {
        id,
        name: name.filter(|_| is_tag).map(str::to_owned),
        at: Duration::from_nanos(event["timeNano"].as_u64()?),
    })
}

fn image(found: &Json) -> Option<Image> {
    let names = found["RepoTags"].as_array().into_iter().flatten().filter_map(Json::as_str);
    Some(Image {
        id: found["Id"].as_str()?.to_owned(),
        names: names.map(str::to_owned).collect(),
        platform: platform(found),
        unpacked_bytes: unpacked_bytes(found),
    })
}

fn platform(found: &Json) -> Option<String> {
    let part = |name: &str| found[name].as_str().filter(|it| !it.is_empty());
    let variant = part("Variant").map(|it| format!("/{it}")).unwrap_or_default();
    Some(format!("{}/{}{variant}", part("Os")?, part("Architecture")?))
}

/// An engine that keeps images unpacked says how large that is. One that keeps them as containerd does has them
/// packed, too, and its `Size` was that alone until 2026, and both together since: there each manifest says what is
/// unpacked of it, from Docker 28 on (<https://github.com/moby/moby/pull/53426>).
fn unpacked_bytes(found: &Json) -> Option<u64> {
    let is_containerd =
        !found["Descriptor"].is_null() || found["GraphDriver"]["Name"] == "overlayfs";
    if !is_containerd {
        return found["Size"].as_u64();
    }
    let manifests = found["Manifests"].as_array()?.iter();
    let is_this = |it: &&Json| platform_of(&it["ImageData"]["Platform"]) == platform(found);
    let unpacked = |it: &Json| it["ImageData"]["Size"]["Unpacked"].as_u64();
    manifests.filter(is_this).filter_map(unpacked).find(|it| *it > 0)
}

fn platform_of(said: &Json) -> Option<String> {
    let part = |name: &str| said[name].as_str().filter(|it| !it.is_empty());
    let variant = part("variant").map(|it| format!("/{it}")).unwrap_or_default();
    Some(format!("{}/{}{variant}", part("os")?, part("architecture")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_that_of_the_files() {
        let check = |found: Json, expect: Option<u64>| {
            let mut found = found;
            found["Id"] = json!("sha256:0a");
            found["Os"] = json!("linux");
            found["Architecture"] = json!("amd64");
            let found = image(&found).expect("an image");
            assert_eq!(found.unpacked_bytes, expect);
            assert_eq!(found.platform.as_deref(), Some("linux/amd64"));
        };
        // Docker 20.10, and podman.
        check(json!({ "Size": 70, "GraphDriver": { "Name": "overlay2" } }), Some(70));
        check(json!({ "Size": 70, "GraphDriver": { "Name": "overlay" } }), Some(70));
        check(json!({ "Size": 70 }), Some(70));
        // Images as containerd keeps them: before Docker 28, and since.
        check(json!({ "Size": 30, "GraphDriver": { "Name": "overlayfs" } }), None);
        let manifest = |architecture: &str, unpacked: u64| {
            let platform = json!({ "os": "linux", "architecture": architecture });
            json!({ "ImageData": { "Platform": platform, "Size": { "Unpacked": unpacked } } })
        };
        let manifests =
            [manifest("arm64", 90), json!({ "Kind": "attestation" }), manifest("amd64", 70)];
        let descriptor = json!({ "size": 5 });
        check(json!({ "Size": 30, "Descriptor": descriptor, "Manifests": manifests }), Some(70));
        // It was not unpacked yet.
        let manifests = [manifest("amd64", 0)];
        check(json!({ "Size": 30, "Descriptor": descriptor, "Manifests": manifests }), None);
    }

    #[test]
    fn a_process_reaches_the_engine_of_its_variable() {
        let socket = |said| Engine::of_process(said).map(|it| it.socket().to_owned());
        assert_eq!(socket(None), Some(PathBuf::from("/var/run/docker.sock")));
        assert_eq!(socket(Some("")), socket(None));
        assert_eq!(socket(Some("unix:///a/b")), Some(PathBuf::from("/a/b")));
        assert_eq!(socket(Some("tcp://10.0.0.1:2375")), None);
    }

    /// An engine of whoever runs a step, and the thread that is it.
    fn engine(answers: impl FnOnce(UnixStream) + Send + 'static) -> (tempfile::TempDir, Engine) {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("engine.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        std::thread::spawn(move || answers(listener.accept().expect("somebody asks").0));
        (folder, Engine::at(socket))
    }

    #[test]
    fn an_answer_without_end_has_one() {
        let (_folder, engine) = engine(|mut stream| {
            let head = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
            // Until whoever asked goes.
            while head.is_ok() && stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
        });
        let named = engine.named_between(UNIX_EPOCH, UNIX_EPOCH).expect("it is no engine's");
        assert_eq!(named, []);
    }

    #[test]
    fn whoever_says_something_now_and_then_is_not_waited_for() {
        let (_folder, engine) = engine(|mut stream| drop(stream.write_all(b"HTTP")));
        let stream = connected(engine.socket()).expect("it listens");
        let mut soon = Soon { stream, until: Instant::now() };
        let read = soon.read(&mut [0; 4]).expect_err("it is late, whatever came");
        assert_eq!(read.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn whoever_takes_nobody_in_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("engine.sock");
        let flags = SocketFlags::CLOEXEC;
        let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let listener = listener.expect("a socket");
        let address = SocketAddrUnix::new(&socket).expect("a path");
        rustix::net::bind(&listener, &address).expect("it is free");
        rustix::net::listen(&listener, 0).expect("it listens");
        let _first = connected(&socket).expect("it has a place");
        let second = connected(&socket).expect_err("it has one place");
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
    }
}
