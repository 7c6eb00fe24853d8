//! A server to test with: started, with a bare repository, a work tree that pushes to it, and a token.

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::harness::{Place, Said, end_all, living, wait_for_line, wait_until};
use crate::kill::signal;

/// A server with a bare repository, and a work tree that pushes to it.
pub(crate) struct Serving {
    pub(crate) place: Place,
    pub(crate) server: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    more: Vec<String>,
    variables: Variables,
}

/// What the server finds in its environment.
pub(crate) type Variables = Vec<(&'static str, PathBuf)>;

/// What came back.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

fn start(place: &Place, more: &[String], variables: &Variables) -> (Child, String) {
    let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
    let data = place.path("data");
    let mut command = place.launchway(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--jobs",
        "2",
        "--grace",
        "0",
        "--private-receiver",
        "127.0.0.1",
    ]);
    // Jobs are kept in: what they tell the tests lies in a place that is opened to them.
    command.arg("--sandbox-write").arg(place.path("marks"));
    command.arg("--data").arg(data).args(more).envs(variables.iter().cloned());
    let server = command.stdout(file("served")).stderr(file("said")).spawn().expect("it starts");
    let line = wait_for_line(&place.path("served"));
    (server, line.strip_prefix("serving ").expect("where it serves").to_owned())
}

impl Serving {
    pub(crate) fn of(workflow: &str) -> Serving {
        Serving::with(workflow, &[])
    }

    /// With more arguments of `serve`.
    pub(crate) fn with(workflow: &str, more: &[&str]) -> Serving {
        Serving::within(Place::with(&[]), workflow, more, Variables::new())
    }

    /// In a place that was made before, with more in the server's environment.
    pub(crate) fn within(
        place: Place,
        workflow: &str,
        more: &[&str],
        variables: Variables,
    ) -> Serving {
        let more: Vec<String> = more.iter().map(|it| (*it).to_owned()).collect();
        let marks = place.path("marks");
        std::fs::create_dir_all(&marks).expect("a folder of ours");
        let workflow = workflow.replace("$MARKS", &marks.display().to_string());
        place.write(".github/workflows/ci.yml", &workflow);
        place.commit();
        let bare = place.path("app.git").display().to_string();
        place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &bare]);
        let (server, url) = start(&place, &more, &variables);
        let mut serving = Serving { place, server, url, token: String::new(), more, variables };
        wait_until("the first token", || {
            let said = std::fs::read_to_string(serving.place.path("said")).unwrap_or_default();
            let token = said.lines().find_map(|line| line.trim().strip_prefix("launchway_"));
            serving.token = token.map(|it| format!("launchway_{it}")).unwrap_or_default();
            !serving.token.is_empty()
        });
        let added = serving.command(&["repositories", "add", &bare, "--name", "octo/app"]);
        assert_eq!(added.exit, 0, "{}", added.stderr);
        serving
    }

    /// A command that looks after the server.
    pub(crate) fn command(&self, args: &[&str]) -> Said {
        let data = self.place.path("data").display().to_string();
        self.place.run(&[args, &["--data", &data]].concat())
    }

    /// Pushes what is committed; what the server said to whoever pushed.
    pub(crate) fn push(&self) -> Said {
        let bare = self.place.path("app.git");
        let mut git = self.place.program("git");
        let output = git.args(["push", "--quiet"]).arg(bare).arg("HEAD:refs/heads/main").output();
        Said::from(output.expect("git starts"))
    }

    pub(crate) fn agent() -> ureq::Agent {
        let patience = Some(Duration::from_secs(60));
        let config = https::config().proxy(None).timeout_global(patience);
        // Who asks before sending a body waits for the answer, on a busy machine too.
        config.timeout_await_100(patience).build().new_agent()
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Got {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).expect("a request");
        let mut response = Serving::agent().run(request).expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.body_mut().read_to_string().expect("its body");
        Got { status, headers, text }
    }

    pub(crate) fn get(&self, path: &str) -> Got {
        self.ask("GET", path, &[("authorization", &format!("Bearer {}", self.token))], "")
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.ask("POST", path, &headers, body)
    }

    /// Waits for a run's end, and gives it.
    pub(crate) fn ended(&self, run: &str) -> Json {
        let mut shown = Json::Null;
        wait_until("the run's end", || {
            shown = self.get(&format!("/api/v1/runs/{run}")).json();
            !shown["conclusion"].is_null()
        });
        shown
    }

    pub(crate) fn mark(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path("marks").join(name)).unwrap_or_default()
    }

    pub(crate) fn leave(&self, name: &str) {
        std::fs::write(self.place.path("marks").join(name), "").expect("a file of ours");
    }

    pub(crate) fn kill(&mut self) {
        signal(self.server.id(), Signal::KILL);
        self.server.wait().expect("it was started");
    }

    /// Ends the server as a service manager does; its jobs go on.
    pub(crate) fn stop(&mut self) {
        signal(self.server.id(), Signal::TERM);
        assert!(self.server.wait().expect("it was started").success());
    }

    /// The same with more arguments, from now on.
    pub(crate) fn restart_with(&mut self, more: &[&str]) {
        self.more.extend(more.iter().map(|it| (*it).to_owned()));
        self.restart();
    }

    /// With these arguments instead of those so far.
    pub(crate) fn restart_as(&mut self, more: &[&str]) {
        self.more = more.iter().map(|it| (*it).to_owned()).collect();
        self.restart();
    }

    pub(crate) fn restart(&mut self) {
        (self.server, self.url) = start(&self.place, &self.more, &self.variables);
    }

    /// Ends the server as a person does; nothing of it lives on.
    pub(crate) fn end(mut self) {
        signal(self.server.id(), Signal::TERM);
        let status = self.server.wait().expect("it was started");
        assert!(status.success(), "{status}");
        wait_until("everything's end", || living(&self.place).is_empty());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.server.kill();
        let _ = self.server.wait();
        end_all(&self.place);
    }
}
