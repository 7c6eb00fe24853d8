//! A thousand webhooks a second for ten seconds, 20 KB each, half of them delivered twice: none is
//! lost, none is taken twice, kill -9 behind the last included. The figures are printed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use serde_json::json;

use crate::github::Connected;

const A_SECOND: usize = 1_000;
const SECONDS: usize = 10;
const BODY_BYTES: usize = 20 << 10;
/// Connections that they come over.
const CONNECTIONS: usize = 64;

const IDLE: &str = "
on: { push: { branches: [never] } }
jobs: { idle: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }
";

/// A connection that stays.
struct Line(BufReader<TcpStream>, String);

impl Line {
    fn to(host: &str) -> Line {
        let stream = TcpStream::connect(host).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Line(BufReader::new(stream), host.to_owned())
    }

    fn post(&mut self, id: usize, body: &[u8], signature: &str) -> u16 {
        let head = format!(
            "POST /webhooks/github HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: 72d3162e-{id}\r\nX-Hub-Signature-256: {signature}\r\nContent-Length: {}\r\n\r\n",
            self.1,
            body.len()
        );
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat()).expect("it reads");
        let mut first = String::new();
        self.0.read_line(&mut first).expect("it answers");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("it answers");
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("it answers");
        first.split(' ').nth(1).expect("a status").parse().expect("a number")
    }
}

#[test]
fn a_thousand_a_second_are_taken_once() {
    let mut it = Connected::of(&[("idle.yml", IDLE)], false, &[]);
    let secret = it.github.with(|github| github.hook.clone()).expect("it was set").secret;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let count = A_SECOND * SECONDS / 2;
    let bodies: Vec<(Vec<u8>, String)> = (0..count)
        .map(|number| {
            // All zeros would say that the branch is gone.
            let commit = format!("{:040x}", number + 1);
            let mut body = json!({
                "ref": "refs/heads/main", "before": "0".repeat(40), "after": commit,
                "repository": { "full_name": "octo/app", "pushed_at": now },
            });
            body["filling"] = "x".repeat(BODY_BYTES - body.to_string().len() - 14).into();
            let body = body.to_string().into_bytes();
            let tag = hmac::sign(&key, &body);
            let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            (body, format!("sha256={hex}"))
        })
        .collect();
    let host = it.url.strip_prefix("http://").expect("an address").to_owned();
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut line = Line::to(&host);
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= A_SECOND * SECONDS {
                        return;
                    }
                    let due =
                        began + Duration::from_micros(at as u64 * 1_000_000 / A_SECOND as u64);
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    // The first and its copy stand beside one another.
                    let number = at / 2;
                    let status = line.post(number, &bodies[number].0, &bodies[number].1);
                    let late = Instant::now().saturating_duration_since(due);
                    answers.lock().expect("nobody panics").push((number, status, late));
                }
            });
        }
    });
    let took = began.elapsed();
    let mut answers = answers.into_inner().expect("nobody panics");
    for number in 0..count {
        let of: Vec<u16> = answers.iter().filter(|it| it.0 == number).map(|it| it.1).collect();
        assert!(of == [202, 200] || of == [200, 202], "{number}: {of:?}");
    }
    it.kill();
    it.restart();
    let host = it.url.strip_prefix("http://").expect("an address").to_owned();
    let mut line = Line::to(&host);
    for (number, (body, signature)) in bodies.iter().enumerate() {
        assert_eq!(line.post(number, body, signature), 200, "{number} was lost");
    }
    answers.sort_by_key(|it| it.2);
    let of = |share: usize| answers[(answers.len() - 1) * share / 100].2.as_secs_f64() * 1e3;
    let (sent, seconds) = (answers.len(), took.as_secs_f64());
    let _ = writeln!(
        std::io::stderr(),
        "webhooks: {sent} of {BODY_BYTES} bytes in {seconds:.1} s, {count} taken once, 0 lost; answered after p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
        of(50),
        of(99),
        of(100)
    );
}
