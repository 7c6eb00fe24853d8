//! Calls over a unix socket, one connection each, in HTTP/1.0: an answer ends where the connection
//! does, so nothing has to be put together again.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

/// Bytes of a head, and of an answer that is read as a whole.
const HEAD_BYTES_MAX: u64 = 64 << 10;
const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// What is asked.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// With what stands behind `?`.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a Json>,
    /// How long nothing may come; none for ever.
    pub(crate) silence: Option<Duration>,
}

/// An answer whose head was read.
pub(crate) struct Answer<S = UnixStream> {
    pub(crate) status: u16,
    pub(crate) body: BufReader<S>,
}

impl<S: Read> Answer<S> {
    /// The body as a whole.
    pub(crate) fn text(self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.body.take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    }
}

/// Asks.
pub(crate) fn ask(socket: &Path, call: &Call<'_>) -> io::Result<Answer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(call.silence)?;
    stream.set_write_timeout(call.silence)?;
    ask_by(stream, call)
}

/// Asks over a connection, whose reader knows how long to wait.
pub(crate) fn ask_by<S: Read + Write>(mut stream: S, call: &Call<'_>) -> io::Result<Answer<S>> {
    // One request is one request, whatever it was put together from.
    let is_odd = |text: &str| text.contains(|c: char| c.is_control() || c == ' ');
    if is_odd(call.path) || call.headers.iter().any(|(_, value)| is_odd(value)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a blank in what is asked for"));
    }
    let body = call.body.map(Json::to_string).unwrap_or_default();
    let mut head = format!("{} {} HTTP/1.0\r\nHost: docker\r\n", call.method, call.path);
    for (name, value) in call.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if call.body.is_some() {
        head += "Content-Type: application/json\r\n";
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut body = BufReader::new(stream);
    let status = head_of(&mut body)?;
    Ok(Answer { status, body })
}

/// Reads a head and gives its status.
fn head_of(stream: &mut impl BufRead) -> io::Result<u16> {
    let mut head = stream.take(HEAD_BYTES_MAX);
    let mut first = String::new();
    head.read_line(&mut first)?;
    let status = first.strip_prefix("HTTP/1.").and_then(|it| it.split(' ').nth(1));
    let status = status.and_then(|it| it.trim().parse().ok());
    let status = status.ok_or_else(|| {
        let what = match first.trim() {
            "" => "the connection ended without an answer".to_owned(),
            _ => "what answers does not speak HTTP".to_owned(),
        };
        io::Error::new(io::ErrorKind::InvalidData, what)
    })?;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim().is_empty() {
            return Ok(status);
        }
    }
}

/// As it stands in a path or behind `?`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}
