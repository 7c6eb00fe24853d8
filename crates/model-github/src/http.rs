//! As much of HTTP as the front needs: one request in, one answer out, and a POST of its own.

#![expect(clippy::disallowed_types, reason = "what the front speaks through")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a client may send.
const BODY_MAX: usize = 64 << 20;
/// One line of a head.
const LINE_MAX: u64 = 64 << 10;
/// GitHub waits so long for whoever takes a webhook.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

/// The next request of a connection; none where it is over.
pub(crate) fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Asked>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    while let Some(text) = line(reader)?.filter(|text| !text.is_empty()) {
        let Some((key, value)) = text.split_once(':') else { continue };
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked { method, path, headers, body: Vec::new() };
    if asked.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        loop {
            let size = line(reader)?.unwrap_or_default();
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            if size + asked.body.len() > BODY_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk)?;
            asked.body.extend(chunk);
            line(reader)?;
            if size == 0 {
                break;
            }
        }
        return Ok(Some(asked));
    }
    let length: usize = asked.header("content-length").parse().unwrap_or(0);
    if length > BODY_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body)?;
    Ok(Some(asked))
}

fn line(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut text = String::new();
    if reader.take(LINE_MAX).read_line(&mut text)? == 0 {
        return Ok(None);
    }
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Answers.
pub(crate) fn write(
    mut stream: &TcpStream,
    status: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (key, value) in headers {
        head += &format!("{key}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// Sends a body somewhere, and gives the status that came back.
pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<u16> {
    let rest = url.strip_prefix("http://").ok_or(io::ErrorKind::Unsupported)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (key, value) in headers {
        head += &format!("{key}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    // Who refuses may do so before all of it is there.
    let sent = stream.write_all(body);
    let mut first = String::new();
    BufReader::new(&stream).take(LINE_MAX).read_line(&mut first)?;
    let status = first.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.ok_or_else(|| sent.err().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))
}
