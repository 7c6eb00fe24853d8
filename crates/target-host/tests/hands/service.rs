//! A service: HTTP by hand, a thread for each connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Serves on `PORT` until it is ended. `how`: `broken` never answers well, `exits` ends at once,
/// `killed` by a signal, `greedy` wants all memory, `mute` never listens.
pub(crate) fn serve(how: &[&str]) {
    println!("release {} starts", variable("LAUNCHWAY_RELEASE"));
    if how.contains(&"exits") {
        println!("cannot go on: the password is {}", variable("PASSWORD"));
        std::process::exit(3);
    }
    if how.contains(&"killed") {
        let own = rustix::process::getpid();
        let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    }
    if how.contains(&"greedy") {
        let mut held = Vec::new();
        loop {
            // Written to: what nobody touches costs nothing.
            held.push(vec![1_u8; 1 << 20]);
        }
    }
    if how.contains(&"mute") {
        loop {
            std::thread::park();
        }
    }
    let is_broken = how.contains(&"broken");
    let port: u16 = variable("PORT").parse().expect("a port");
    let host = variable("HOST");
    let listener = TcpListener::bind((host.as_str(), port)).expect("the port is free");
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        std::thread::spawn(move || answer(stream, is_broken));
    }
}

static STARTED: std::sync::LazyLock<u128> = std::sync::LazyLock::new(|| {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |it| it.as_nanos())
});

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn answer(mut stream: TcpStream, is_broken: bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head.to_ascii_lowercase();
    let length =
        length.split("content-length: ").nth(1).and_then(|it| it.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut status = "200 OK";
    let text = match path.split_once('?') {
        Some(("/slow", milliseconds)) => {
            // The response begins at once and ends late.
            let pause = Duration::from_millis(milliseconds.parse().unwrap_or(0));
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")?;
            std::thread::sleep(pause);
            return stream.write_all(b"ow");
        }
        Some(("/print", text)) => {
            println!("{text}");
            text.to_owned()
        }
        _ => match path.as_str() {
            "/health" if is_broken => {
                status = "500 Internal Server Error";
                "broken".to_owned()
            }
            "/socket" => return socket(stream, &mut reader),
            "/body" => format!("{} bytes", body.len()),
            "/variable" => variable("GREETING") + &variable("PASSWORD"),
            "/crash" => std::process::exit(7),
            // In a container every first process has the same number.
            "/pid" => format!("{}-{}", std::process::id(), *STARTED),
            _ => variable("LAUNCHWAY_RELEASE"),
        },
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn socket(mut stream: TcpStream, reader: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )?;
    let mut buffer = [0; 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            // A close is answered by one, and is the end.
            _ if buffer[0] == 0x88 => return stream.write_all(&[0x88, 2, 0x03, 0xf4]),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}
