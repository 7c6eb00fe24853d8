//! `launchway page`: the service that the demo ships, a page with a greeting on it.
//!
//! It answers what the files of its folder say, so that a release of it is a folder: `greeting.txt`
//! is the page, and without it the service is not healthy; `version.txt` is what it says it is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::exit::{Exit, Failure, Outcome};

/// The head of a request. The demo's own are a few hundred bytes.
const HEAD_BYTES_MAX: u64 = 8 << 10;

/// How long a caller may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Serves the current folder on the port that `PORT` says, until it is ended.
pub(crate) fn run() -> Outcome {
    let missing = |error| Failure::caused(Exit::Missing, error);
    let port = std::env::var("PORT").ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| Failure::new(Exit::Usage, "the port is not in PORT"))?;
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(missing)?;
    for stream in listener.incoming() {
        let stream = stream.map_err(missing)?;
        // A caller who goes away in the middle is no fault of the page.
        std::thread::spawn(move || drop(answer(stream)));
    }
    Ok(Exit::Done)
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    let mut head = BufReader::new((&stream).take(HEAD_BYTES_MAX));
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    let (status, kind, body) = page(path, &|name| std::fs::read_to_string(name).ok());
    write!(
        &stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Status, content type and body for a path.
fn page(path: &str, read: &dyn Fn(&str) -> Option<String>) -> (&'static str, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    let greeting = read("greeting.txt");
    match (path, greeting) {
        ("/version", _) => {
            let version = read("version.txt").unwrap_or_default();
            ("200 OK", "application/json", json!({ "version": version.trim() }).to_string())
        }
        ("/" | "/health", None) => {
            ("503 Service Unavailable", TEXT, "there is no greeting.txt\n".to_owned())
        }
        ("/health", Some(_)) => ("200 OK", TEXT, "ok\n".to_owned()),
        ("/", Some(greeting)) => ("200 OK", TEXT, greeting),
        _ => ("404 Not Found", TEXT, format!("there is no {path}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, files: &[(&str, &str)], expected: (&str, &str)) {
        let read = |name: &str| {
            files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned())
        };
        let (status, _, body) = page(path, &read);
        assert_eq!((status, &*body), expected);
    }

    #[test]
    fn a_page_is_what_its_folder_holds() {
        let files = [("greeting.txt", "Hello\n"), ("version.txt", "1.0\n")];
        check("/", &files, ("200 OK", "Hello\n"));
        check("/health", &files, ("200 OK", "ok\n"));
        check("/version", &files, ("200 OK", r#"{"version":"1.0"}"#));
        check("/else", &files, ("404 Not Found", "there is no /else\n"));
        check("/health", &[], ("503 Service Unavailable", "there is no greeting.txt\n"));
        check("/version", &[], ("200 OK", r#"{"version":""}"#));
    }
}
