//! Probes: is an instance healthy? A thread for each instance that asks, and says what it saw.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::container::Ears;
use super::{Heard, Key};
use crate::now_ms;
use crate::wanted::{ProcessId, Set};

/// Bytes of an answer that are looked at: its first line.
const HEAD_BYTES_MAX: usize = 1024;
/// Until it first answered it is asked often: a start takes a fraction of a second as a rule.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
/// An engine that nobody in the container takes a connection from closes it within this.
const TAKEN_WITHIN: Duration = Duration::from_millis(100);

/// What a probe saw.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: Key,
    /// Of which process.
    pub(super) process: ProcessId,
    pub(super) asked_ms: u64,
    /// Good, or what was seen instead.
    pub(super) outcome: Result<(), String>,
}

/// Asks until this is dropped.
pub(super) struct Prober {
    _stop: Sender<()>,
}

struct Question {
    address: SocketAddr,
    paths: Vec<String>,
    timeout: Duration,
    every: Duration,
    /// The port within a container. Before it stands its engine, which takes every connection and
    /// closes those that nobody inside takes.
    inside: Option<u16>,
}

impl Prober {
    pub(super) fn start(key: Key, process: ProcessId, port: u16, set: &Set, ears: Ears) -> Prober {
        let config = &set.config;
        let (stop, stopped) = channel();
        let question = Question {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            paths: config.health.as_ref().map(|it| it.paths.clone()).unwrap_or_default(),
            timeout: config.timeout(),
            every: config.every(),
            inside: set.location().map(|_| config.container().port),
        };
        std::thread::spawn(move || ask(&question, &key, process, &ears, &stopped));
        Prober { _stop: stop }
    }
}

impl Question {
    /// Why, where a container's engine stands between.
    fn told(&self, error: &io::Error) -> String {
        use io::ErrorKind as Kind;
        match (self.inside, error.kind()) {
            (Some(port), Kind::ConnectionReset | Kind::ConnectionRefused | Kind::BrokenPipe) => {
                format!("nobody in the container listens on port {port}, for all of its addresses")
            }
            _ => plain(error),
        }
    }
}

fn ask(question: &Question, key: &Key, process: ProcessId, ears: &Ears, stopped: &Receiver<()>) {
    let mut was_good = false;
    loop {
        let asked_ms = now_ms();
        let outcome = look(question);
        was_good |= outcome.is_ok();
        ears.tell(Heard::Answer(Answer { key: key.clone(), process, asked_ms, outcome }));
        let pause = if was_good { question.every } else { question.every.min(FIRST_INTERVAL) };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// One look: every path, or only whether it takes connections.
fn look(question: &Question) -> Result<(), String> {
    if question.paths.is_empty() {
        return TcpStream::connect_timeout(&question.address, question.timeout)
            .and_then(|stream| match question.inside {
                Some(_) => stays_open(stream),
                None => Ok(()),
            })
            .map_err(|error| format!("takes no connections: {}", question.told(&error)));
    }
    for path in &question.paths {
        match get(question, path) {
            Ok(200..=299) => {}
            Ok(status) => return Err(format!("{path} answered {status}")),
            Err(error) => return Err(format!("{path}: {}", question.told(&error))),
        }
    }
    Ok(())
}

/// Whether somebody took a connection that an engine took for him.
fn stays_open(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(TAKEN_WITHIN))?;
    match stream.read(&mut [0]) {
        Ok(0) => Err(io::ErrorKind::ConnectionRefused.into()),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// The status of a response.
fn get(question: &Question, path: &str) -> io::Result<u16> {
    let deadline = Instant::now() + question.timeout;
    let mut stream = TcpStream::connect_timeout(&question.address, question.timeout)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: launchway-probe\r\nConnection: close\r\n\r\n",
        question.address
    );
    stream.set_write_timeout(Some(question.timeout))?;
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut buffer = [0; 256];
    while head.len() < HEAD_BYTES_MAX && !head.contains(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => break,
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    if head.is_empty() {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let line = String::from_utf8_lossy(&head);
    let mut words = line.split_ascii_whitespace();
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let status = words.next().and_then(|word| word.parse().ok()).filter(|_| is_http);
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer of HTTP"))
}

/// The reason without the system's number; a time that ran out has two names.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        _ => error.to_string(),
    }
}
