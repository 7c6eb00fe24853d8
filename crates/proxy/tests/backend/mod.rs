//! An instance as the tests want it: HTTP/1.1 by hand, so that every byte is known.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Answers under a name.
pub(crate) struct Instance {
    pub(crate) address: SocketAddr,
    /// One message for each `/slow` that came.
    pub(crate) came: Receiver<()>,
    /// One message lets one `/slow` go.
    pub(crate) go: Sender<()>,
}

impl Instance {
    pub(crate) fn start(name: &'static str) -> Instance {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("a port");
        let (came, is_here) = channel();
        let (go, may_go) = channel();
        let may_go = Arc::new(Mutex::new(may_go));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (came, may_go) = (came.clone(), may_go.clone());
                std::thread::spawn(move || {
                    let _ = serve(name, stream.expect("a connection"), &came, &may_go);
                });
            }
        });
        Instance { address, came: is_here, go }
    }
}

fn serve(
    name: &str,
    mut stream: TcpStream,
    came: &Sender<()>,
    may_go: &Mutex<Receiver<()>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    match path.as_str() {
        "/slow" => {
            let text = format!("{name} at last");
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len())?;
            came.send(()).expect("a test listens");
            may_go.lock().expect("a test").recv().expect("a test");
            stream.write_all(text.as_bytes())
        }
        "/head" => answer(&mut stream, &head),
        "/body" => {
            let body = body(&head, &mut reader)?;
            answer(&mut stream, &format!("{} bytes", body.len()))
        }
        "/die" => Ok(()),
        "/old" => stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nas old as the hills"),
        "/half" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        "/socket" => {
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
        _ => answer(&mut stream, name),
    }
}

fn answer(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn body(head: &str, reader: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let head = head.to_ascii_lowercase();
    let mut body = Vec::new();
    if let Some((_, rest)) = head.split_once("content-length: ") {
        let length = rest.split("\r\n").next().and_then(|text| text.parse().ok());
        body.resize(length.expect("a length"), 0);
        reader.read_exact(&mut body)?;
        return Ok(body);
    }
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).expect("a length");
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk)?;
        if length == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
