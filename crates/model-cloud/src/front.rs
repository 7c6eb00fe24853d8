//! A thin shell around the cloud: HTTP on a local port, so that real clients can talk to it.
//!
//! Time moves with the wall clock, or by `POST /_model/advance` with `{"ms": 60000}`. What is
//! scripted and injected comes the same way: `/_model/script`, `/_model/fault`, `/_model/calls`.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell around the pure cloud: it has the sockets, the threads and the clock"
)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::answer::{Answer, Request};
use crate::cloud::Cloud;
use crate::fault::{Fault, FaultKind};
use crate::image::{Health, Image};
use crate::s3::{ObjectAnswer, ObjectAsked};

/// What a client may send: far more than any call of ECS, and objects as tests write them.
const BODY_MAX: usize = 64 << 20;
/// One line of a head.
const LINE_MAX: u64 = 64 << 10;

/// How time passes for a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// So many milliseconds of the cloud in each of the wall clock's.
    Wall {
        /// 1 is real time.
        times: u64,
    },
    /// Only by `/_model/advance`.
    Held,
}

/// The cloud on a local port. It serves until the process ends.
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    cloud: Mutex<Cloud>,
    clock: Clock,
    began: (Instant, u64),
    /// By how much it was moved on beside the wall clock.
    ahead_ms: AtomicU64,
}

impl Front {
    /// Serves a cloud on `127.0.0.1`; port 0 is any that is free.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn serve(cloud: Cloud, clock: Clock, port: u16) -> io::Result<Front> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let began = (Instant::now(), cloud.now());
        let ahead_ms = AtomicU64::new(0);
        let shared = Arc::new(Shared { cloud: Mutex::new(cloud), clock, began, ahead_ms });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                // A client that goes away in the middle is no news.
                std::thread::spawn(move || served.converse(&stream));
            }
        });
        Ok(Front { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Time moves on by so much, and goes on from there.
    pub fn advance(&self, ms: u64) {
        self.shared.advance(ms);
    }

    /// The cloud behind it.
    pub fn with<R>(&self, look: impl FnOnce(&mut Cloud) -> R) -> R {
        look(&mut self.shared.now())
    }
}

struct Asked {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or(String::new(), |(_, value)| value.clone())
    }
}

impl Asked {
    /// Signed for S3, which has its own protocol.
    fn is_of_objects(&self) -> bool {
        self.header("authorization").contains("/s3/aws4_request")
    }
}

impl Shared {
    /// The cloud, at the time that it is.
    fn now(&self) -> std::sync::MutexGuard<'_, Cloud> {
        // A test that died while it looked left the cloud whole: no operation stops half way.
        let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        if let Clock::Wall { times } = self.clock {
            let elapsed = u64::try_from(self.began.0.elapsed().as_millis()).unwrap_or(u64::MAX);
            let passed = elapsed.saturating_mul(times);
            let ahead_ms = self.ahead_ms.load(Ordering::Relaxed);
            cloud.advance(self.began.1.saturating_add(passed).saturating_add(ahead_ms));
        }
        cloud
    }

    fn advance(&self, ms: u64) {
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
        let mut cloud = self.now();
        if self.clock == Clock::Held {
            let to = cloud.now() + ms;
            cloud.advance(to);
        }
    }

    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(asked) = read(&mut reader, stream)? {
            let answer = match asked.path.strip_prefix("/_model/") {
                Some(what) => self.control(what, &asked),
                None if asked.is_of_objects() => {
                    self.object(asked, stream)?;
                    continue;
                }
                None => self.now().answer(&Request {
                    target: asked.header("x-amz-target"),
                    authorization: asked.header("authorization"),
                    user_agent: asked.header("user-agent"),
                    body: String::from_utf8(asked.body).map_err(|_| io::ErrorKind::InvalidData)?,
                }),
            };
            let Answer::Said { status, request_id, content_type, body } = answer else {
                return stream.shutdown(std::net::Shutdown::Both);
            };
            let head = format!(
                "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
                 x-amzn-RequestId: {request_id}\r\n\r\n",
                if status < 400 { "OK" } else { "Refused" },
                body.len()
            );
            let mut writer = stream;
            writer.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        }
        Ok(())
    }

    /// An object or a bucket.
    fn object(&self, asked: Asked, mut stream: &TcpStream) -> io::Result<()> {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let is_head = asked.method == "HEAD";
        let answer = self.now().object(&ObjectAsked {
            method: asked.method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: asked.headers,
            body: asked.body,
        });
        let ObjectAnswer::Said { status, headers, body } = answer else {
            stream.shutdown(std::net::Shutdown::Both)?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        let mut head = format!("HTTP/1.1 {status} Said\r\n");
        for (key, value) in headers {
            head += &format!("{key}: {value}\r\n");
        }
        // What 204 is answered with has no length, and that of a HEAD is not of its body.
        if status != 204 && !is_head {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        stream.write_all(&[head.as_bytes(), b"\r\n", &body].concat())
    }

    /// What stands behind `/_model/`.
    fn control(&self, what: &str, asked: &Asked) -> Answer {
        let body: Json = serde_json::from_slice(&asked.body).unwrap_or(Json::Null);
        if (asked.method.as_str(), what) == ("POST", "advance") {
            self.advance(body["ms"].as_u64().unwrap_or(0));
        }
        let mut cloud = self.now();
        let given = match (asked.method.as_str(), what) {
            ("POST", "advance") => Some(json!({"now": cloud.now()})),
            ("POST", "script") => image(&body).map(|it| {
                cloud.script(body["image"].as_str().unwrap_or_default(), it);
                json!({})
            }),
            ("POST", "fault") => fault(&body).map(|it| {
                cloud.inject(it);
                json!({})
            }),
            ("POST", "lag") => {
                cloud.lag(body["ms"].as_u64().unwrap_or(0));
                Some(json!({}))
            }
            ("POST", "alarm") => {
                let text = |key: &str| body[key].as_str().unwrap_or_default();
                cloud.set_alarm(text("name"), text("state"));
                Some(json!({}))
            }
            ("POST", "bucket") => {
                let name = body["name"].as_str().unwrap_or_default();
                cloud.add_bucket(name);
                if body["ignores_conditions"] == true {
                    cloud.ignore_conditions(name);
                }
                Some(json!({}))
            }
            ("POST", "away") => {
                cloud.take_away(body["name"].as_str().unwrap_or_default());
                Some(json!({}))
            }
            ("POST", "database") => {
                database(&mut cloud, &body);
                Some(json!({}))
            }
            ("GET", "calls") => {
                let calls = cloud.calls().iter().map(|call| {
                    json!({"at": call.at, "action": call.action, "outcome": call.outcome,
                           "done": call.done, "user_agent": call.user_agent,
                           "request_id": call.request_id})
                });
                Some(calls.collect())
            }
            _ => None,
        };
        let status = if given.is_some() { 200 } else { 400 };
        let body = given.unwrap_or_else(|| json!({"message": "the model does not know that"}));
        Answer::Said {
            status,
            request_id: String::new(),
            content_type: "application/json",
            body: body.to_string(),
        }
    }
}

/// `{"image": "...", "exits": [1000, 3]}`, `{"image": "...", "missing": true}`,
/// `{"image": "...", "health": "never"}`, `{"image": "...", "healthy_after": 5000}`.
fn image(body: &Json) -> Option<Image> {
    let mut image = match (&body["exits"], body["missing"].as_bool()) {
        (_, Some(true)) => Image::missing(),
        (Json::Array(pair), _) => Image::exits(pair.first()?.as_u64()?, pair.get(1)?.as_i64()?),
        _ => Image::good(),
    };
    if body["health"] == "never" {
        image.health = Health::Never;
    }
    if let Some(after) = body["healthy_after"].as_u64() {
        image.health = Health::After(after);
    }
    image.prints = crate::answer::texts(body, "prints");
    Some(image)
}

/// `{"id": "planner-db", "cluster": true}`, `{"id": "planner-db", "status": "backing-up"}`,
/// `{"id": "planner-db", "snapshots": {"ms": 60000, "fail": true}}`.
fn database(cloud: &mut Cloud, body: &Json) {
    let id = body["id"].as_str().unwrap_or_default();
    if !cloud.databases().contains(&id) {
        cloud.add_database(id, body["cluster"].as_bool() == Some(true));
    }
    if let Some(status) = body["status"].as_str() {
        cloud.set_database_status(id, status);
    }
    if let Some(ms) = body["snapshots"]["ms"].as_u64() {
        cloud.snapshots_take(ms, body["snapshots"]["fail"].as_bool() == Some(true));
    }
}

/// `{"action": "ecs:UpdateService", "times": 1, "kind": "throttled"}`.
fn fault(body: &Json) -> Option<Fault> {
    let kind = match body["kind"].as_str()? {
        "throttled" => FaultKind::Throttled,
        "server_error" => FaultKind::ServerError,
        "lost_after" => FaultKind::LostAfter,
        "error_after" => FaultKind::ErrorAfter,
        "lost_before" => FaultKind::LostBefore,
        "denied" => FaultKind::Denied,
        _ => return None,
    };
    let number = |key: &str, default| {
        body[key].as_u64().map_or(default, |it| u32::try_from(it).unwrap_or(u32::MAX))
    };
    let action = body["action"].as_str()?.to_owned();
    Some(Fault { action, after: number("after", 0), times: number("times", 1), kind })
}

fn read(reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream) -> io::Result<Option<Asked>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    while let Some(line) = line(reader)?.filter(|it| !it.is_empty()) {
        if let Some((key, value)) = line.split_once(':') {
            headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let mut asked = Asked { method, path, headers, body: Vec::new() };
    if asked.header("expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length: usize = asked.header("content-length").parse().unwrap_or(0);
    if length > BODY_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.body = body;
    Ok(Some(asked))
}

fn line(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.take(LINE_MAX).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
