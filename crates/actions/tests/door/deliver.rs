//! What delivers and tells of it: messages to Slack, task definitions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use expect_test::{Expect, expect};

use crate::bench::Bench;

/// Answers requests in turn, and tells what they were.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: JoinHandle<Vec<String>>,
}

pub(crate) fn serve(answers: &[(u16, &str)]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answers: Vec<(u16, String)> =
        answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let seen = std::thread::spawn(move || {
        let answer = |(status, body): (u16, String)| {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut told, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                let (key, value) = line.split_once(':').unwrap_or((&line, ""));
                match key.to_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().expect("a length"),
                    "content-type" | "authorization" => told += &format!("{}\n", line.trim()),
                    _ if told.is_empty() => told = format!("{}\n", line.trim()),
                    _ => {}
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).expect("a body");
            told += &String::from_utf8_lossy(&sent);
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nretry-after: 0\r\nconnection: close\r\n\r\n{body}"
            )
            .expect("a reader");
            told
        };
        answers.into_iter().map(answer).collect()
    });
    Server { url, seen }
}

impl Server {
    /// What was asked, in turn.
    pub(crate) fn asked(self) -> Vec<String> {
        self.seen.join().expect("the server")
    }

    pub(crate) fn check(self, expected: &Expect) {
        expected.assert_eq(&self.seen.join().expect("the server").join("\n---\n"));
    }
}

#[test]
fn slack_is_told_by_a_webhook() {
    let bench = Bench::new();
    let server = serve(&[(429, ""), (200, "ok")]);
    let hook = format!("{}/services/T0/B0/x", server.url);
    let inputs = [
        ("webhook", &*hook),
        ("webhook-type", "incoming-webhook"),
        ("payload", "text: \"shipped: ${{ env.RUNNER_OS }}\"\nblocks: [{type: divider}]"),
        ("payload-templated", "true"),
    ];
    let ran = bench.run("slack", &inputs).ok();
    assert!(ran.log.contains(&format!("::add-mask::{hook}")), "{}", ran.log);
    assert_eq!((&*ran.outputs["ok"], &*ran.outputs["response"]), ("true", "\"ok\""));
    assert!(ran.outputs["time"].parse::<u64>().is_ok_and(|time| time > 1_700_000_000));
    server.check(&expect![[r#"
        POST /services/T0/B0/x HTTP/1.1
        content-type: application/json
        {"text":"shipped: Linux","blocks":[{"type":"divider"}]}
        ---
        POST /services/T0/B0/x HTTP/1.1
        content-type: application/json
        {"text":"shipped: Linux","blocks":[{"type":"divider"}]}"#]]);
}

#[test]
fn slack_starts_a_workflow_with_flat_texts_from_a_file() {
    let bench = Bench::new();
    bench.write("work/said.json", r#"{"a": {"b": [1, true]}}"#);
    let server = serve(&[(200, r#"{"ok":true}"#)]);
    let inputs = [
        ("webhook", &*server.url),
        ("webhook-type", "webhook-trigger"),
        ("payload-file-path", "said.json"),
        ("payload-delimiter", "_"),
    ];
    let ran = bench.run("slack", &inputs).ok();
    assert_eq!(ran.outputs["response"], r#"{"ok":true}"#);
    server.check(&expect![[r#"
        POST / HTTP/1.1
        content-type: application/json
        {"a_b_0":"1","a_b_1":"true"}"#]]);
}

#[test]
fn slack_methods_are_called_with_a_token() {
    let mut bench = Bench::new();
    bench.set("SLACK_TOKEN", "xoxb-not-real");
    let said = r#"{"ok":true,"channel":"C1","ts":"1.2","message":{"thread_ts":"1.1"}}"#;
    let server = serve(&[(500, ""), (200, said), (200, r#"{"ok":false,"error":"no_text"}"#)]);
    let api = format!("{}/api/", server.url);
    let inputs = [
        ("method", "chat.postMessage"),
        ("api", &*api),
        ("payload", "\"channel\": \"C1\", \"text\": \"a&b\", \"blocks\": []"),
    ];
    let ran = bench.run("slack", &inputs).ok();
    let outputs = ["ok", "channel_id", "thread_ts", "ts"].map(|name| &*ran.outputs[name]);
    assert_eq!(outputs, ["true", "C1", "1.1", "1.2"]);
    let strict = [inputs[0], inputs[1], ("payload", "channel: C1"), ("errors", "true")];
    let ran = bench.run("slack", &strict);
    assert_eq!((ran.code, &*ran.outputs["ok"]), (1, "false"));
    assert!(ran.log.contains("::error::An API error occurred: no_text"), "{}", ran.log);
    server.check(&expect![[r#"
        POST /api/chat.postMessage HTTP/1.1
        content-type: application/x-www-form-urlencoded
        authorization: Bearer xoxb-not-real
        channel=C1&text=a%26b&blocks=%5B%5D
        ---
        POST /api/chat.postMessage HTTP/1.1
        content-type: application/x-www-form-urlencoded
        authorization: Bearer xoxb-not-real
        channel=C1&text=a%26b&blocks=%5B%5D
        ---
        POST /api/chat.postMessage HTTP/1.1
        content-type: application/x-www-form-urlencoded
        authorization: Bearer xoxb-not-real
        channel=C1"#]]);
}

#[test]
fn slack_refuses_in_the_originals_words() {
    let bench = Bench::new();
    let hook = ("webhook", "http://127.0.0.1:9/x");
    let kind = ("webhook-type", "incoming-webhook");
    for (inputs, words) in [
        (vec![], "Missing input! Either a method or webhook is required to take action."),
        (
            vec![hook],
            "Missing input! The webhook type must be 'incoming-webhook' or 'webhook-trigger'.",
        ),
        (
            vec![hook, ("token", "x")],
            "Invalid input! Either the token or webhook is required - not both.",
        ),
        (
            vec![("method", "chat.postMessage")],
            "Missing input! A token must be provided to use the method decided.",
        ),
        (
            vec![hook, kind, ("payload", "a: 1"), ("payload-file-path", "b")],
            "Invalid input! Just the payload or payload file path is required.",
        ),
        (
            vec![hook, kind, ("retries", "3")],
            "Invalid input! An unknown \"retries\" value was used: 3",
        ),
    ] {
        let ran = bench.run("slack", &inputs);
        assert_eq!(ran.code, 1, "{words}");
        let line = format!("::error::{words}");
        assert!(ran.log.lines().any(|it| it == line), "{words}: {}", ran.log);
    }
    let unreached = [hook, kind, ("payload", "text: hi"), ("retries", "0")];
    let ran = bench.run("slack", &unreached).ok();
    assert!(ran.log.contains("::warning::Failed to send the request: Slack did not answer: "));
    assert!(!ran.log.replace("::add-mask::http://127.0.0.1:9/x", "").contains(":9/x"));
    let ran = bench
        .run("slack", &[hook, kind, ("payload", "text: hi"), ("retries", "0"), ("errors", "true")]);
    assert_eq!(ran.code, 1);
}

/// The second seed: v1 has no input `webhook-url`.
#[test]
fn slack_v1_reads_the_environment() {
    let mut bench = Bench::new();
    let ran = bench.run("slack-v1", &[("webhook-url", "https://hooks.example.com/x")]);
    assert_eq!(ran.code, 1);
    let words = "::error::Need to provide at least one botToken or webhookUrl";
    assert!(ran.log.contains(words), "{}", ran.log);
    let server = serve(&[(200, ""), (200, "ok"), (400, "invalid_payload")]);
    bench.set("SLACK_WEBHOOK_URL", server.url.clone());
    bench.write("event.json", r#"{"sender": {"login": "mona"}}"#);
    bench.set("GITHUB_EVENT_PATH", bench.path("event.json").display().to_string());
    let ran = bench.run("slack-v1", &[("payload-file-path-parsed", "true")]).ok();
    assert!(ran.outputs["time"].ends_with(" GMT+0000 (Coordinated Universal Time)"));
    bench.set("SLACK_WEBHOOK_TYPE", "incoming_webhook");
    bench.write("work/said.json", r#"{"text": "by {{ github.payload.sender.login }}"}"#);
    let file = ("payload-file-path", "said.json");
    bench.run("slack-v1", &[file, ("payload-file-path-parsed", "true")]).ok();
    let ran = bench.run("slack-v1", &[file]);
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("::error::Slack answered with 400: invalid_payload"), "{}", ran.log);
    let ran = bench.run("slack-v1", &[("payload", "text: hi")]);
    assert!(ran.log.contains("::error::Need to provide valid JSON payload"), "{}", ran.log);
    server.check(&expect![[r#"
        POST / HTTP/1.1
        content-type: application/json
        {"sender.login":"mona"}
        ---
        POST / HTTP/1.1
        content-type: application/json
        {"text":"by mona"}
        ---
        POST / HTTP/1.1
        content-type: application/json
        {"text":"by {{ github.payload.sender.login }}"}"#]]);
}

#[test]
fn a_task_definition_is_rendered_into_a_file() {
    let bench = Bench::new();
    let definition =
        r#"{"family":"api","status":"ACTIVE","containerDefinitions":[{"name":"app"}]}"#;
    bench.write("work/task.json", definition);
    let inputs = [("task-definition", "task.json"), ("container-name", "app"), ("image", "app:2")];
    let ran = bench.run("ecs-render-task-definition", &inputs).ok();
    let path = &ran.outputs["task-definition"];
    assert!(path.starts_with(&bench.path("temp").display().to_string()), "{path}");
    expect![[r#"
        {
          "family": "api",
          "containerDefinitions": [
            {
              "name": "app",
              "image": "app:2"
            }
          ]
        }"#]]
    .assert_eq(&std::fs::read_to_string(path).expect("the file"));
    for (inputs, words) in [
        (vec![inputs[0], inputs[1]], "Input required and not supplied: image"),
        (
            vec![("task-definition", "no.json"), inputs[1], inputs[2]],
            "Task definition file does not exist: no.json",
        ),
        (
            vec![inputs[1], inputs[2]],
            "Either task definition, task definition arn or task definition family must be provided",
        ),
        (
            vec![inputs[1], inputs[2], ("task-definition-revision", "3")],
            "You can't fetch task definition with just revision",
        ),
        (vec![inputs[1], inputs[2], ("task-definition-family", "api")], "Region is missing"),
    ] {
        let ran = bench.run("ecs-render-task-definition", &inputs);
        assert_eq!(ran.code, 1);
        assert!(ran.log.contains(&format!("::error::{words}")), "{words}: {}", ran.log);
    }
}
