//! The proxy at its door: route files in, bytes through.

mod backend;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use backend::Instance;
use proxy::{Backend, Draining, Front, Route, Status};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

struct House {
    folder: TempDir,
    listen: SocketAddr,
    generation: u64,
}

impl House {
    /// A proxy whose listener was made here and given to it: nobody else can take its port.
    fn new() -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let listen = listener.local_addr().expect("a port");
        let mut house = House { folder, listen, generation: 0 };
        house.write(&[], &[]);
        let path = house.path().to_owned();
        std::thread::spawn(move || proxy::main(&path, vec![(listen, listener.into())]));
        house.until(|_| true);
        house
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&mut self, backends: &[(&str, SocketAddr)], draining: &[(&str, SocketAddr, u64)]) {
        self.generation += 1;
        let backend = |(name, address): (&str, SocketAddr)| Backend {
            address,
            instance: name.to_owned(),
            release: format!("release of {name}"),
        };
        let route = Route {
            service: "api".to_owned(),
            generation: self.generation,
            fronts: vec![Front {
                listen: self.listen,
                backends: backends.iter().copied().map(backend).collect(),
            }],
            draining: draining
                .iter()
                .map(|(name, address, until_ms)| Draining {
                    backend: backend((name, *address)),
                    until_ms: *until_ms,
                })
                .collect(),
        };
        proxy::write(self.path(), &route).expect("a route");
    }

    fn route(&mut self, backends: &[(&str, SocketAddr)]) {
        self.write(backends, &[]);
        self.taken();
    }

    fn taken(&self) {
        let generation = self.generation;
        self.until(|status| status.services["api"].generation == generation);
    }

    fn until(&self, is_so: impl Fn(&Status) -> bool) -> Status {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(status) = proxy::ask(self.path())
                && is_so(&status)
            {
                return status;
            }
            assert!(Instant::now() < deadline, "{:?}", proxy::ask(self.path()));
            std::thread::yield_now();
        }
    }

    fn client(&self) -> Client {
        Client::new(self.listen)
    }
}

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Client { stream: BufReader::new(stream) }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("a connection");
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).expect("a response") > 0, "{head:?}");
        }
        head.to_ascii_lowercase()
    }

    /// Status and body.
    fn answer(&mut self) -> (u16, String) {
        let head = self.head();
        let status = head[9..12].parse().expect("a status");
        let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
        let mut body = vec![0; length.and_then(|it| it.parse().ok()).expect("a length")];
        self.stream.read_exact(&mut body).expect("a body");
        (status, String::from_utf8(body).expect("text"))
    }

    fn get(&mut self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        self.answer()
    }
}

fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[test]
fn a_connection_outlives_the_instance_behind_it() {
    let mut house = House::new();
    let (old, new) = (Instance::start("old"), Instance::start("new"));
    house.route(&[("old", old.address)]);
    let mut client = house.client();
    assert_eq!(client.get("/"), ok("old"));
    house.route(&[("new", new.address)]);
    assert_eq!(client.get("/"), ok("new"));
    let status = house.until(|_| true);
    assert_eq!(status.connections, 1);
    let releases = &status.releases["api"];
    assert_eq!((releases["release of old"].requests, releases["release of new"].requests), (1, 1));
    assert_eq!(releases["release of old"].failed, 0);
}

#[test]
fn what_is_in_flight_ends_where_it_began() {
    let mut house = House::new();
    let (old, new) = (Instance::start("old"), Instance::start("new"));
    house.route(&[("old", old.address)]);
    let mut slow = house.client();
    slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    old.came.recv_timeout(PATIENCE).expect("it came");
    house.route(&[("new", new.address)]);
    assert_eq!(house.client().get("/"), ok("new"));
    let status = house.until(|_| true);
    let busy: Vec<_> =
        status.backends.iter().filter(|it| it.in_flight > 0).map(|it| &it.instance).collect();
    assert_eq!(busy, ["old"]);
    old.go.send(()).expect("it waits");
    assert_eq!(slow.answer(), ok("old at last"));
    house.until(|status| status.backends.iter().all(|it| it.in_flight == 0));
}

#[test]
fn a_request_is_held_until_somebody_is_there() {
    let mut house = House::new();
    let mut client = house.client();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Nobody listens on the port of a listener that is gone.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port");
    house.route(&[("gone", gone)]);
    let here = Instance::start("here");
    house.route(&[("gone", gone), ("here", here.address)]);
    assert_eq!(client.answer(), ok("here"));
    for _ in 0..4 {
        assert_eq!(client.get("/"), ok("here"));
    }
}

#[test]
fn an_instance_that_ends_under_a_request_is_told_and_counted() {
    let mut house = House::new();
    let instance = Instance::start("one");
    house.route(&[("one", instance.address)]);
    let mut client = house.client();
    let ended = "502 Bad Gateway: the instance ended without an answer\n";
    assert_eq!(client.get("/die"), (502, ended.to_owned()));
    assert_eq!(client.get("/"), ok("one"), "the connection lives on");
    client.send(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    let mut rest = Vec::new();
    // Half a body must not look like a whole one.
    let _ = client.stream.read_to_end(&mut rest);
    assert_eq!(rest, b"half");
    let status = house.until(|status| status.releases["api"]["release of one"].failed == 2);
    assert_eq!(status.releases["api"]["release of one"].requests, 3);
}

#[test]
fn bodies_go_through_as_they_come() {
    let mut house = House::new();
    let instance = Instance::start("one");
    house.route(&[("one", instance.address)]);
    let mut client = house.client();
    let body = vec![b'x'; 300_000];
    client.send(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
    client.send(&body);
    assert_eq!(client.answer(), ok("300000 bytes"));
    client.send(b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(b"5\r\nhello\r\n");
    client.send(b"1;x=y\r\n!\r\n0\r\n\r\n");
    assert_eq!(client.answer(), ok("6 bytes"));
    client.send(
        b"POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert!(client.head().starts_with("http/1.1 100 "));
    client.send(b"ab");
    assert_eq!(client.answer(), ok("2 bytes"));
}

#[test]
fn an_instance_of_the_old_protocol_does_not_end_the_connection() {
    let mut house = House::new();
    let instance = Instance::start("one");
    house.route(&[("one", instance.address)]);
    let mut client = house.client();
    client.send(b"GET /old HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("http/1.1 200 ") && head.contains("chunked"), "{head}");
    let mut body = [0; 30];
    client.stream.read_exact(&mut body).expect("a body");
    assert_eq!(&body, b"13\r\nas old as the hills\r\n0\r\n\r\n");
    assert_eq!(client.get("/"), ok("one"));
    let mut old = house.client();
    old.send(b"GET / HTTP/1.0\r\n\r\n");
    let mut answer = String::new();
    old.stream.read_to_string(&mut answer).expect("a response, and its end");
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("one"), "{answer}");
}

#[test]
fn a_smuggled_request_stays_a_body() {
    let mut house = House::new();
    let instance = Instance::start("one");
    house.route(&[("one", instance.address)]);
    let smuggled = b"GET /die HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut client = house.client();
    client.send(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("{:x}\r\n", smuggled.len()).as_bytes());
    client.send(smuggled);
    client.send(b"\r\n0\r\n\r\n");
    assert_eq!(client.answer(), ok(&format!("{} bytes", smuggled.len())));
    for head in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    ] {
        let mut client = house.client();
        client.send(head.as_bytes());
        let answer = client.head();
        assert!(answer.starts_with("http/1.1 400 "), "{head:?}: {answer:?}");
    }
    let mut client = house.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n", "x".repeat(70_000)).as_bytes());
    assert!(client.head().starts_with("http/1.1 431 "));
}

#[test]
fn the_head_says_who_asked() {
    let mut house = House::new();
    let instance = Instance::start("one");
    house.route(&[("one", instance.address)]);
    let mut client = house.client();
    client.send(b"GET http://shop.example/head HTTP/1.1\r\nHost: a\r\nConnection: x-own\r\nX-Own: 1\r\n\r\n");
    let (status, head) = client.answer();
    assert_eq!(status, 200);
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    lines.sort_unstable();
    let port = format!("x-forwarded-port: {}", house.listen.port());
    assert_eq!(
        lines,
        [
            "GET /head HTTP/1.1",
            "connection: close",
            "host: shop.example",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.example",
            port.as_str(),
            "x-forwarded-proto: http",
        ]
    );
}

fn websocket(house: &House) -> Client {
    let mut client = house.client();
    client.send(
        b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let head = client.head();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: websocket"), "{head}");
    client
}

#[test]
fn a_websocket_is_closed_with_1012_when_its_instance_must_go() {
    let mut house = House::new();
    let (old, new) = (Instance::start("old"), Instance::start("new"));
    house.route(&[("old", old.address)]);
    let mut client = websocket(&house);
    client.send(&[0x81, 2, b'H', b'i']);
    let mut frame = [0; 4];
    client.stream.read_exact(&mut frame).expect("an echo");
    assert_eq!(frame, [0x81, 2, b'H', b'i']);
    // Half a frame: it is finished before the close is said.
    client.send(&[0x81, 3, b'a']);
    let mut half = [0; 3];
    client.stream.read_exact(&mut half).expect("an echo");

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let now = u64::try_from(now.as_millis()).expect("this age");
    house.write(&[("new", new.address)], &[("old", old.address, now + 600_000)]);
    house.taken();
    client.send(b"b");
    let mut byte = [0; 1];
    client.stream.read_exact(&mut byte).expect("it goes on until its time is over");
    assert_eq!(house.until(|_| true).backends.iter().map(|it| it.upgraded).sum::<u64>(), 1);

    house.write(&[("new", new.address)], &[("old", old.address, now)]);
    house.taken();
    client.send(b"c");
    let mut rest = [0; 5];
    client.stream.read_exact(&mut rest).expect("the frame's end, and a close");
    assert_eq!(rest, [b'c', 0x88, 2, 0x03, 0xf4]);
    // The client closes in answer, and the instance has nothing more.
    drop(client);
    house.until(|status| status.backends.iter().all(|it| it.upgraded == 0));
    websocket(&house);
    let status = house.until(|_| true);
    assert_eq!(status.releases["api"]["release of new"].requests, 1, "it came to the new one");
}

#[test]
fn what_cannot_be_had_is_told() {
    let mut house = House::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("a port");
    let route = Route {
        service: "web".to_owned(),
        generation: 1,
        fronts: vec![Front { listen: address, backends: Vec::new() }],
        draining: Vec::new(),
    };
    proxy::write(house.path(), &route).expect("a route");
    let status =
        house.until(|status| status.services.get("web").is_some_and(|it| it.generation == 1));
    let problem = format!("cannot listen on {address}: Address already in use (os error 98)");
    assert_eq!(status.services["web"].problems, [problem]);
    // It is tried again, and had as soon as it can be.
    drop(taken);
    house.until(|status| status.services["web"].problems.is_empty());

    let same = Route { service: "zeta".to_owned(), ..route };
    proxy::write(house.path(), &same).expect("a route");
    let status =
        house.until(|status| status.services.get("zeta").is_some_and(|it| it.generation == 1));
    assert_eq!(status.services["zeta"].problems, [format!("{address} belongs to web")]);

    let one = Instance::start("one");
    house.route(&[("one", one.address)]);
    std::fs::write(house.path().join("routes/api.json"), "{").expect("a file");
    house.until(|status| !status.services["api"].problems.is_empty());
    assert_eq!(house.client().get("/"), ok("one"), "the route before stays");
    assert!(proxy::main(house.path(), Vec::new()).is_err(), "one proxy serves a folder");
    assert!(proxy::is_alive(house.path()));
}

#[test]
fn listeners_can_be_asked_for() {
    let house = House::new();
    let listeners = proxy::listeners(house.path()).expect("it answers");
    let addresses: Vec<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
    assert_eq!(addresses, [house.listen]);
    let copy = TcpListener::from(listeners.into_iter().next().expect("one").1);
    assert_eq!(copy.local_addr().expect("a port"), house.listen);
}
