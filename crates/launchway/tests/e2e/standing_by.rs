//! A copy of a server beside its original: it shows what is past, and does nothing until somebody says
//! that the original is gone.

use std::process::Child;

use rustix::process::Signal;

use crate::harness::{Place, Said, wait_for_line, wait_until};
use crate::kill::signal;
use crate::serving::Serving;

const WAITS: &str = "
on: push
jobs:
  waits:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo x >> $MARKS/began
          until [ -e $MARKS/go ]; do sleep 0.05; done
";

/// Another server, of another folder of the same place.
pub(crate) struct Other {
    server: Child,
    url: String,
}

impl Other {
    pub(crate) fn start(place: &Place, folder: &str, more: &[&str]) -> Other {
        let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
        let data = place.path(folder).display().to_string();
        let words = ["serve", "--listen", "127.0.0.1:0", "--grace", "0", "--data", &data];
        let mut command = place.launchway(&[&words[..], more].concat());
        let server = command.stdout(file("other-served")).stderr(file("other-said")).spawn();
        let line = wait_for_line(&place.path("other-served"));
        let url = line.strip_prefix("serving ").expect("where it serves").to_owned();
        Other { server: server.expect("it starts"), url }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, token: &str) -> (u16, String) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .body(String::new())
            .expect("a request");
        let mut response = Serving::agent().run(request).expect("an answer");
        let text = response.body_mut().read_to_string().expect("its body");
        (response.status().as_u16(), text)
    }

    pub(crate) fn end(mut self) {
        signal(self.server.id(), Signal::TERM);
        assert!(self.server.wait().expect("it was started").success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_copy_does_nothing_until_it_takes_over() {
    let mut serving = Serving::of(WAITS);
    serving.push();
    wait_until("the job", || serving.mark("began") == "x\n");
    let copy = serving.place.path("copy").display().to_string();
    assert_eq!(serving.command(&["serve", "backup", &copy]).exit, 0);
    let restore = |folder: &str, more: &[&str]| -> Said {
        let folder = serving.place.path(folder).display().to_string();
        serving.place.run(&[&["serve", "restore", &copy, "--data", &folder], more].concat())
    };
    let restored = restore("new", &[]);
    assert!(restored.stderr.contains("it stands by"), "{}", restored.stderr);
    let at_once = restore("at-once", &["--take-over"]);
    assert!(!at_once.stderr.contains("it stands by"), "{}", at_once.stderr);
    assert!(!serving.place.path("at-once/restored.json").exists());

    let token = &serving.token.clone();
    let other = Other::start(&serving.place, "new", &[]);
    let said = std::fs::read_to_string(serving.place.path("other-said")).expect("it said so");
    assert!(said.contains("and stands by: it shows what is past"), "{said}");
    let line = "This server stands by: its folder was made of a copy";
    for page in ["/runs", "/runs/1", "/audit", "/sign-in", "/nothing"] {
        let (_, text) = other.ask("GET", page, token);
        assert!(text.contains(line), "{page}: {text}");
    }
    assert_eq!(other.ask("GET", "/api/v1/runs/1", token).0, 200);
    assert_eq!(other.ask("GET", "/healthz", token).0, 200);
    for (method, path) in [
        ("POST", "/api/v1/runs/1/cancel"),
        ("POST", "/api/v1/repositories/octo/app/dispatches"),
        ("PUT", "/api/v1/repositories/octo/app/kept/secrets/X"),
        ("POST", "/webhooks/github"),
        ("POST", "/runs/1/rerun"),
        ("GET", "/api/v1/runners/connection"),
        ("GET", "/oidc/token"),
        ("GET", "/oidc/github-token"),
        ("GET", "/readyz"),
    ] {
        let (status, text) = other.ask(method, path, token);
        assert!(status == 503 && text.contains("stands by"), "{method} {path}: {status} {text}");
    }
    // The original goes on; its run ends there alone.
    serving.leave("go");
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!(serving.mark("began"), "x\n");
    assert!(other.ask("GET", "/api/v1/runs/1", token).1.contains(r#""conclusion":null"#));
    other.end();

    // The original is gone: the copy drives what was under way, and says what became of it.
    serving.stop();
    let other = Other::start(&serving.place, "new", &["--take-over"]);
    assert_eq!(other.ask("GET", "/readyz", token), (200, "ready\n".to_owned()));
    assert!(!other.ask("GET", "/runs", token).1.contains(line));
    wait_until("the job is known to be lost", || {
        let said = std::fs::read_to_string(serving.place.path("other-said")).unwrap_or_default();
        said.contains("nothing is left of the job waits; it was lost")
    });
    let trail = other.ask("GET", "/api/v1/audit", token).1;
    assert!(trail.contains("server.restore") && trail.contains("server.take_over"), "{trail}");
    other.end();
    let other = Other::start(&serving.place, "new", &[]);
    assert_eq!(other.ask("GET", "/readyz", token).0, 200);
    other.end();
}
