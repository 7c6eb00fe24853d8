//! What is made of answers, also of servers of other versions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use super::*;

/// What is said of a server that answers one call so.
fn waiting(answer: &'static str) -> Result<Option<Vec<Json>>, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|it| it.is_empty()));
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let agent = https::config().proxy(None).build().new_agent();
    let said = Client { agent, url, authorization: String::new() }.waiting_deployments();
    server.join().unwrap();
    said
}

#[test]
fn a_server_of_before_does_not_tell_of_deployments_that_wait() {
    let unknown = "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone";
    assert_eq!(waiting(unknown).unwrap(), None);
    let none = "HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"deployments\":[]}";
    assert_eq!(waiting(none).unwrap(), Some(Vec::new()));
    let broken = "HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\nnone";
    assert_eq!(waiting(broken).unwrap_err().exit, Exit::Missing);
}
