//! Requests without end while releases come and go and the supervisor is killed: none may fail.
//!
//! Plain: seconds, a part of the load. With the feature `soak`: 300 requests a second on 20
//! connections, uploads, responses of ten seconds and a WebSocket, during 20 replacements and 5
//! rollbacks.

mod house;

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event::{Undo, Way};
use house::{Client, House, Kind};
use ports::Progress;
use serde_json::json;

const KIND: Kind = Kind::Processes;

struct Load {
    clients: u64,
    requests_per_second: u64,
    slow_ms: u64,
    drain_ms: u64,
    replacements: u64,
    rollbacks: u64,
}

const LOAD: Load = if cfg!(feature = "soak") {
    Load {
        clients: 20,
        requests_per_second: 300,
        slow_ms: 10_000,
        drain_ms: 12_000,
        replacements: 20,
        rollbacks: 5,
    }
} else {
    Load {
        clients: 4,
        requests_per_second: 60,
        slow_ms: 500,
        drain_ms: 1_500,
        replacements: 3,
        rollbacks: 1,
    }
};

#[derive(Default)]
struct Counts {
    over: AtomicBool,
    requests: AtomicU64,
    uploads: AtomicU64,
    slow: AtomicU64,
    frames: AtomicU64,
    closed_with_1012: AtomicU64,
    slowest_ms: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Counts {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn failed(&self, what: String) {
        self.failures.lock().expect("a test").push(what);
    }

    fn check(&self, what: &str, got: std::io::Result<(u16, String)>, count: &AtomicU64) -> bool {
        count.fetch_add(1, Ordering::Relaxed);
        match got {
            Ok((200, _)) => true,
            other => {
                self.failed(format!("{what}: {other:?}"));
                false
            }
        }
    }
}

/// One connection, kept as long as nothing fails.
fn keep_alive(listen: SocketAddr, counts: &Counts) {
    let pause = Duration::from_micros(1_000_000 * LOAD.clients / LOAD.requests_per_second);
    let mut client = Client::new(listen);
    let mut next = Instant::now();
    while counts.goes_on() {
        let began = Instant::now();
        if !counts.check("keep-alive", client.try_get("/"), &counts.requests) {
            client = Client::new(listen);
        }
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        counts.slowest_ms.fetch_max(took, Ordering::Relaxed);
        next += pause;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn fresh(listen: SocketAddr, counts: &Counts) {
    while counts.goes_on() {
        let got = Client::try_new(listen).and_then(|mut client| client.try_get("/"));
        counts.check("a new connection", got, &counts.requests);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn upload(listen: SocketAddr, counts: &Counts) {
    let body = vec![b'x'; 1 << 20];
    let mut client = Client::new(listen);
    while counts.goes_on() {
        if !counts.check("an upload", client.post("/body", &body), &counts.uploads) {
            client = Client::new(listen);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn slow(listen: SocketAddr, counts: &Counts) {
    let mut client = Client::new(listen);
    while counts.goes_on() {
        let path = format!("/slow?{}", LOAD.slow_ms);
        if !counts.check("a slow response", client.try_get(&path), &counts.slow) {
            client = Client::new(listen);
        }
    }
}

/// Frames back and forth; closed with 1012 it connects again at once.
fn websocket(listen: SocketAddr, counts: &Counts) {
    while counts.goes_on() {
        if let Err(error) = one_websocket(listen, counts) {
            counts.failed(format!("the WebSocket: {error}"));
        }
    }
}

fn one_websocket(listen: SocketAddr, counts: &Counts) -> std::io::Result<()> {
    let mut client = Client::try_new(listen)?;
    client.send(
        b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )?;
    let head = client.head()?;
    if !head.starts_with("http/1.1 101 ") {
        return Err(std::io::Error::other(head));
    }
    while counts.goes_on() {
        // Refused where the close is on its way: then it is read.
        let _ = client.send(&[0x81, 2, b'H', b'i']);
        let mut frame = [0; 4];
        client.read(&mut frame)?;
        match frame {
            [0x81, 2, b'H', b'i'] => counts.frames.fetch_add(1, Ordering::Relaxed),
            [0x88, 2, 0x03, 0xf4] => {
                counts.closed_with_1012.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            other => return Err(std::io::Error::other(format!("{other:?}"))),
        };
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Releases come and go; in every third of them the supervisor is killed on the way.
fn ship(house: &House) {
    let total = LOAD.replacements + LOAD.rollbacks;
    for deployment in 2..2 + total {
        let mut request = house.request(&format!("1.{deployment}"), &[]);
        if deployment % 2 == 0 {
            request.config["strategy"] = json!({ "kind": "blue_green" });
        }
        let plan = house.plan(deployment, request);
        let goes_back = deployment % (total / LOAD.rollbacks) == 0;
        let mut kills = u32::from(deployment % 3 == 0);
        for step in &plan.proposal.steps {
            if goes_back && step.kind.as_str() == "retire" {
                break;
            }
            let end = house.step_watched(&plan, step, Way::Forward, &mut |_| {
                if step.kind.as_str() == "apply" && kills > 0 {
                    kills -= 1;
                    house.kill("supervise --folder");
                }
            });
            assert!(matches!(end, Progress::Done { .. }), "{}: {end:?}", step.key);
        }
        for step in plan.proposal.steps.iter().rev().filter(|_| goes_back) {
            if matches!(step.undo, Undo::Step { .. }) {
                let end = house.step(&plan, step, Way::Back);
                assert!(matches!(end, Progress::Done { .. }), "{}: {end:?}", step.key);
            }
        }
    }
}

#[test]
fn no_request_fails_while_releases_come_and_go() {
    println!("{}", check(&House::new(json!({ "instances": 2, "drain_ms": LOAD.drain_ms }))));
}

#[cfg(feature = "docker")]
#[test]
fn no_request_fails_while_containers_come_and_go() {
    println!(
        "{}",
        check(&House::of(Kind::Real, json!({ "instances": 2, "drain_ms": LOAD.drain_ms })))
    );
}

/// What was counted; nothing failed.
fn check(house: &House) -> String {
    house.deploy(1, "1.0");
    let counts = Counts::default();
    let (listen, began) = (house.listen, Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..LOAD.clients {
            scope.spawn(|| keep_alive(listen, &counts));
        }
        scope.spawn(|| fresh(listen, &counts));
        scope.spawn(|| upload(listen, &counts));
        scope.spawn(|| slow(listen, &counts));
        scope.spawn(|| websocket(listen, &counts));
        // Whatever happens here, the others are told to stop.
        let shipped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ship(house)));
        counts.over.store(true, Ordering::Relaxed);
        if let Err(panic) = shipped {
            std::panic::resume_unwind(panic);
        }
    });
    let told = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let failures = counts.failures.lock().expect("a test");
    let told_of_all = format!(
        "{:?}, {} s: {} replacements, {} rollbacks; {} requests (slowest {} ms), {} uploads, {} slow \
         responses, {} frames, {} WebSockets closed with 1012; {} failed",
        house.kind,
        began.elapsed().as_secs(),
        LOAD.replacements,
        LOAD.rollbacks,
        told(&counts.requests),
        told(&counts.slowest_ms),
        told(&counts.uploads),
        told(&counts.slow),
        told(&counts.frames),
        told(&counts.closed_with_1012),
        failures.len()
    );
    assert!(failures.is_empty(), "{told_of_all}: {failures:#?}");
    assert!(told(&counts.requests) > 50 && told(&counts.uploads) > 0 && told(&counts.slow) > 0);
    assert!(told(&counts.closed_with_1012) > 0, "a WebSocket met a drain deadline");
    told_of_all
}
