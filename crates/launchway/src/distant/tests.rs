//! What is made of answers, also of servers of other versions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Instant;

use super::follow::{Patience, Silence};
use super::*;

/// What is made of a server that answers one call so.
fn answered<T>(answer: &str, ask: impl FnOnce(&Client) -> T) -> T {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|it| it.is_empty()));
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let agent = https::config().proxy(None).build().new_agent();
    let said = ask(&Client { agent, url, authorization: String::new() });
    server.join().unwrap();
    said
}

fn waiting(answer: &str) -> Result<Option<Vec<Json>>, Failure> {
    answered(answer, Client::waiting_deployments)
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

#[test]
fn figures_up_to_now_are_not_taken_for_those_of_a_time_that_is_past() {
    let window = views::Window { since: event::Timestamp(1), until: event::Timestamp(2) };
    let told = |is_past: bool, report: &str| {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{report}", report.len());
        let asked = Asked { is_past, ..Asked::everything(window) };
        answered(&answer, |client| {
            client.metrics((&None, &Some("1d".to_owned())), &asked, figures::ReportPart::ALL)
        })
    };
    let of_before = r#"{
        "since_ms": 1, "until_ms": 9, "samples_min": 5, "behind_events": 0, "delivery": [],
        "pipelines": [], "queues": [], "slow_jobs": [], "slow_steps": [], "flaky": []
    }"#;
    let failure = told(true, of_before).unwrap_err();
    assert_eq!(failure.exit, Exit::Missing);
    assert!(format!("{:#}", failure.error).contains("knows no `--until`"), "{:#}", failure.error);
    assert_eq!(told(false, of_before).unwrap().until_ms, event::Timestamp(9));
    let of_now = of_before.replace("\"until_ms\": 9", "\"until_ms\": 2, \"is_past\": true");
    assert!(told(true, &of_now).unwrap().is_past);
    let of_a_clock_behind = of_before.replace("\"until_ms\": 9", "\"until_ms\": 2");
    assert!(!told(true, &of_a_clock_behind).unwrap().is_past);
}

#[test]
fn what_a_server_of_before_keeps_and_reads_is_looked_through_here() {
    let there = r#"{
        "kept": [{
            "name": "TOKEN", "kind": "secret", "environment": null, "value": null, "set_at_ms": 0,
            "rotate_by_ms": null
        }],
        "named": [
            { "kind": "secret", "name": "TOKEN", "used_at": "ci.yml:3" },
            { "kind": "variable", "name": "TOKEN", "used_at": "ci.yml:4" },
            { "kind": "secret", "name": "KEY", "used_at": "ci.yml:5", "is_missing": false }
        ]
    }"#;
    let there: kept::KeptThere = serde_json::from_str(there).unwrap();
    let named = there.named.into_iter().filter_map(|it| it.read(&there.kept));
    assert_eq!(named.map(|it| it.is_missing).collect::<Vec<_>>(), [false, true, false]);
}

const PATIENCE: Patience = Patience {
    silent_max: Duration::from_millis(300),
    pause_min: Duration::from_millis(20),
    pause_max: Duration::from_millis(100),
};

#[test]
fn a_server_that_is_silent_is_asked_less_and_less_often_and_then_no_more() {
    let heard = Instant::now();
    let mut silence = Silence::since(heard, PATIENCE);
    let mut after = |ms| silence.pause(heard + Duration::from_millis(ms)).map(|it| it.as_millis());
    let pauses = [0, 20, 60, 140, 240, 290, 300, 5_000].map(&mut after);
    assert_eq!(pauses, [Some(20), Some(40), Some(80), Some(100), Some(60), Some(10), None, None]);
}

/// Follows at a server that sends a sign of life, and from then on answers these; what comes of it, and how often it
/// was asked.
fn followed(stream: &'static str, readyz: &'static str) -> (Failure, usize) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, all_asked) = mpsc::channel();
    std::thread::spawn(move || {
        let mut first = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n:\n\n";
        for accepted in listener.incoming() {
            let mut accepted = accepted.unwrap();
            let mut lines = BufReader::new(accepted.try_clone().unwrap()).lines();
            let is_readyz = lines.next().unwrap().unwrap().contains("/readyz");
            assert!(lines.map(Result::unwrap).any(|it| it.is_empty()));
            let answer = if is_readyz { readyz } else { std::mem::replace(&mut first, stream) };
            // Counted before it is answered, so whoever has the answer finds it counted.
            let _ = asked.send(());
            accepted.write_all(answer.as_bytes()).unwrap();
        }
    });
    let agent = https::config().proxy(None).build().new_agent();
    let client = Client { agent, url, authorization: String::new() };
    let failure = client.streamed_with(PATIENCE, "/x", &mut |_: &Json| {}).unwrap_err();
    (failure, all_asked.try_iter().count())
}

#[test]
fn whoever_follows_a_server_that_does_not_come_back_gives_up() {
    const READY: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nready\n";
    const AWAY: &str = "HTTP/1.1 503 Away\r\nconnection: close\r\ncontent-length: 5\r\n\r\naway\n";
    const CUT: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\n";
    for (stream, readyz, says) in [
        (AWAY, READY, "answers with 503"),
        (AWAY, AWAY, "is not ready: away"),
        (CUT, READY, "ends what it sends, again and again"),
    ] {
        let (failure, asked) = followed(stream, readyz);
        assert_eq!(failure.exit, Exit::Missing);
        assert!(format!("{:#}", failure.error).contains(says), "{:#}", failure.error);
        // Once, and twice after each of at most eight pauses.
        assert!((2..=17).contains(&asked), "{asked}");
    }
}
