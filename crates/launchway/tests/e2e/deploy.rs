//! Deployments to this machine: real processes behind the real proxy.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use expect_test::{Expect, expect};

use crate::harness::{Place, Said, wait_until};
use crate::json;

/// A service that says its version, and breaks where its version says so.
pub(crate) const APP: &str = r#"
import http.server, os
version = open('version').read().strip()
print('it is', version, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        broken = 'broken' in version and self.path == '/tasks'
        body = b'database down' if broken else ('{"version": "%s"}' % version).encode()
        self.send_response(500 if broken else 200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

/// A project with one service, and what its deployments leave running.
pub(crate) struct Project {
    pub(crate) place: Place,
    pub(crate) port: u16,
}

impl Project {
    pub(crate) fn new(production: &str) -> Project {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("an address").port()
        };
        let (port, other) = (free(), free());
        let settings = format!(
            "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: {{ path: app }}
    health: {{ paths: [/health], settle: 0s, within: 20s, every: 100ms }}
    migrate: {{ run: [sh, -c, 'echo run >> \"$MIGRATIONS\"'], timeout: 20s }}
    env: {{ MIGRATIONS: MIGRATED }}
    version: {{ path: /version, field: version }}
    verify: {{ smoke: [{{ get: /tasks }}] }}
environments:
  staging:
    targets: {{ host: 127.0.0.1:{port} }}
  production:
    targets: {{ host: 127.0.0.1:{other} }}
{production}
"
        );
        let place = Place::with(&[("app/app.py", APP)]);
        let migrated = place.path("migrated").display().to_string();
        let project = Project { place, port };
        project.settings(&settings.replace("MIGRATED", &migrated));
        project
    }

    /// Another service in Python. `PORT` of the settings is a free one.
    pub(crate) fn of(app: &str, settings: &str) -> Project {
        Project::in_place(Place::with(&[("app/app.py", app)]), settings)
    }

    /// The same where a place is made already.
    pub(crate) fn in_place(place: Place, settings: &str) -> Project {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let project = Project { place, port };
        project.settings(&settings.replace("PORT", &port.to_string()));
        project
    }

    fn settings(&self, settings: &str) {
        self.place.write("launchway.yml", settings);
        self.version("1.0");
    }

    /// Another version, committed and tagged.
    pub(crate) fn version(&self, version: &str) {
        self.place.write("app/version", version);
        self.place.commit();
        self.place.git(&["tag", version]);
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.place.run(args)
    }

    /// What answers, or nothing.
    fn answers(&self) -> String {
        self.get("/version")
    }

    /// What a path answers, or nothing.
    pub(crate) fn get(&self, path: &str) -> String {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
        };
        ask().unwrap_or_default()
    }

    fn migrations(&self) -> usize {
        let text = std::fs::read_to_string(self.place.path("migrated")).unwrap_or_default();
        text.lines().count()
    }

    /// The end of a deployment, in its machine-readable words.
    fn check(&self, args: &[&str], expect: &Expect) {
        let said = self.place.json(args);
        let ends = said.of("deployment_completed");
        let words = ends.iter().map(|end| {
            format!("{} {} {}\n", end["service"], end["verdict"], end["cause"]).replace('"', "")
        });
        let errors: Vec<&str> =
            said.stderr.lines().filter(|line| line.starts_with("error")).collect();
        expect.assert_eq(&format!(
            "{}{}exit {}, {}\n",
            words.collect::<String>(),
            errors.iter().map(|it| format!("{it}\n")).collect::<String>(),
            said.exit,
            self.answers()
        ));
    }
}

impl Drop for Project {
    /// Services outlive whoever deployed them: everything of this state folder is ended.
    fn drop(&mut self) {
        let folder = self.place.path("").display().to_string();
        let mut patience = 100;
        loop {
            let entries = std::fs::read_dir("/proc").expect("this is Linux").flatten();
            let ours: Vec<String> = entries
                .filter(|entry| {
                    let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
                    let all = [read("cmdline"), read("environ")].concat();
                    String::from_utf8_lossy(&all).contains(&folder)
                })
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|pid| *pid != std::process::id().to_string())
                .collect();
            if ours.is_empty() || patience == 0 {
                return;
            }
            patience -= 1;
            for pid in ours {
                let _ = std::process::Command::new("kill").args(["-9", &pid]).output();
            }
        }
    }
}

#[test]
fn a_release_is_shipped_broken_ones_go_back_and_old_ones_are_restored() {
    let project = Project::new("    deploy: { promote: staging }");
    project.check(
        &["deploy", "production", "--yes"],
        &expect![[r#"
        error: api 1.0 never ran well in staging, and production takes only what did
        exit 4, 
    "#]],
    );
    project.check(
        &["deploy", "staging"],
        &expect![[r#"
        error: staging has the level 4: a person starts every deployment, and there is no terminal
        exit 4, 
    "#]],
    );
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    project.version("1.1-broken");
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api rolled_back smoke test 1 of 1 failed
        exit 6, {"version": "1.0"}
    "#]],
    );
    project.version("1.2");
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.2"}
    "#]],
    );
    let back = |to| ["rollback", "staging", "--reason", "errors", "--yes", "--to", to];
    project.check(
        &back("1.1-broken"),
        &expect![[r#"
        error: api 1.1-broken never ran well there
        exit 4, {"version": "1.2"}
    "#]],
    );
    project.check(
        &back("previous"),
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    project.check(
        &["deploy", "production", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    // Three releases came to staging, one of them to production too; a rollback runs none.
    assert_eq!(project.migrations(), 4);
    let history = project.run(&["history", "--format", "json"]);
    let told: Vec<String> = history
        .lines()
        .iter()
        .map(|it| format!("{} {} {}", it["deployment"], it["kind"], it["standing"]))
        .collect();
    expect![[r#"
        6 release succeeded
        5 rollback succeeded
        4 release succeeded
        3 release rolled_back
        2 redeploy succeeded
        1 release succeeded"#]]
    .assert_eq(&told.join("\n").replace('"', ""));
}

#[test]
fn a_word_is_typed_by_a_person() {
    let project = Project::new("    protect: { confirm: DEPLOY }");
    project.check(
        &["deploy", "production", "--yes"],
        &expect![[r#"
        error: production wants a person who types DEPLOY, and there is no terminal to type it at
        exit 4, 
    "#]],
    );
    let planned = project.run(&["deploy", "production", "--plan"]);
    assert_eq!((planned.exit, project.answers()), (0, String::new()), "{}", planned.stderr);
    assert!(
        planned.stdout.contains("not undone: a migration is never undone"),
        "{}",
        planned.stdout
    );
}

/// Ctrl-C goes back, and every line has the fields of docs/json.md.
#[test]
fn lines_are_as_documented_and_ctrl_c_goes_back() {
    let project = Project::new("    protect: { wait: 1s }");
    let documented = json::documented();
    let first = project.place.json(&["deploy", "production", "--yes"]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    let mut seen = json::check_lines(&documented, "deploy", &first.lines());
    assert_eq!(project.place.json(&["deploy", "staging", "--yes"]).exit, 0);

    project.version("1.1");
    let args = ["deploy", "staging", "--yes", "--format", "json"];
    let mut child = project.place.launchway(&args).stdout(Stdio::piped()).spawn().expect("it");
    let mut lines =
        BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut told: Vec<String> = Vec::new();
    told.extend(lines.by_ref().take_while(|line| !line.contains("\"step\":\"api/apply\"")));
    let pid = child.id().to_string();
    let signalled = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(signalled.expect("kill starts").success());
    told.extend(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(6));
    assert!(project.answers().contains("1.0"), "{}", project.answers());
    let said = Said { exit: 6, stdout: told.join("\n"), stderr: String::new() };
    seen.extend(json::check_lines(&documented, "deploy", &said.lines()));
    let end = &said.of("deployment_completed")[0];
    assert_eq!(
        (end["verdict"].as_str(), end["by"].as_str()),
        (Some("rolled_back"), Some("person"))
    );
    // What people say to one another is proved in approvals.rs, what nobody asked for in by_itself.rs.
    let elsewhere =
        ["approval_refused", "gate_rejected", "gate_signed", "nothing_deployed", "rule_passed"];
    seen.extend(elsewhere.map(str::to_owned));
    assert_eq!(seen, documented["deploy"].keys().cloned().collect());

    let check = |args: &[&str], kind: &str| {
        let said = project.place.json(args);
        assert!(!said.lines().is_empty(), "{args:?}: {}", said.stderr);
        for line in said.lines() {
            json::check(&documented, &args.join(" "), kind, &line);
        }
    };
    check(&["history"], "deployment");
    check(&["deployments", "show"], "deployment");
    check(&["status"], "service");
    check(&["releases"], "release");
    check(&["environments"], "environment");
}

/// Killed while it goes, it is finished by the next: nothing is done twice.
#[test]
fn a_killed_deployment_is_gone_on_with() {
    let project = Project::new("");
    for (number, begun) in ["api/migrate", "api/apply", "api/health"].into_iter().enumerate() {
        project.version(&format!("2.{number}"));
        let args = ["deploy", "staging", "--yes", "--format", "json"];
        let mut child = project.place.launchway(&args).stdout(Stdio::piped()).spawn().expect("it");
        let mut stdout = child.stdout.take().expect("piped");
        let mut seen = String::new();
        let wanted = format!("\"deployment_step_started\",\"deployment\":\"{}\"", number + 1);
        wait_until("the step to begin", || {
            let mut bytes = [0; 4096];
            let count = stdout.read(&mut bytes).expect("readable");
            seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            seen.lines().any(|line| line.contains(&wanted) && line.contains(begun))
        });
        child.kill().expect("it lives");
        child.wait().expect("it is gone");
        let holder = project.run(&["deployments", "watch"]);
        assert!(holder.stderr.contains("nobody drives it"), "{}", holder.stderr);
        let resumed = project.run(&["deployments", "resume"]);
        assert_eq!(resumed.exit, 0, "{}{}", resumed.stdout, resumed.stderr);
        assert!(project.answers().contains(&format!("2.{number}")), "{}", project.answers());
        assert_eq!(project.migrations(), number + 1);
    }
    let again = project.run(&["deployments", "resume"]);
    assert_eq!((again.exit, again.stderr.contains("every deployment is over")), (2, true));
}

/// The release that runs, with more instances, with none, and back again.
#[test]
fn a_service_is_scaled_taken_off_and_brought_back() {
    let project = Project::new("");
    let scale = |to: &'static str| ["scale", "staging", "--yes", "--to", to];
    project.check(
        &scale("2"),
        &expect![[r#"
        error: nothing of api was deployed there
        exit 2, 
    "#]],
    );
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    project.check(
        &["scale", "staging", "--to", "2"],
        &expect![[r#"
        error: staging has the level 4: a person starts every deployment, and there is no terminal
        exit 4, {"version": "1.0"}
    "#]],
    );
    let instances = || {
        let said = project.place.json(&["logs", "staging"]);
        let said = said.lines();
        said.iter().map(|it| it["instance"].to_string()).collect::<std::collections::BTreeSet<_>>()
    };
    let shown = || {
        let status = project.run(&["status", "staging"]);
        let line = status.stdout.lines().nth(1).unwrap_or_default().trim();
        // Times differ.
        let (before, behind) = line.split_once(" since ").unwrap_or((line, ""));
        let behind = behind.split_once('(').map_or(String::new(), |(_, it)| format!(" ({it}"));
        format!("{before}{behind}")
    };
    project.check(
        &scale("2"),
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    expect![[r#"api  1.0 (deployment 2) {"\"2.0\"", "\"2.1\""}"#]].assert_eq(&format!(
        "{} {:?}",
        shown(),
        instances()
    ));
    project.check(
        &scale("2"),
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    let emptied = project.place.json(&scale("0"));
    let end = &emptied.of("deployment_completed")[0];
    assert_eq!((emptied.exit, end["vacuous"].as_bool()), (0, Some(true)), "{}", emptied.stderr);
    expect!["api  nothing runs: scaled to 0 (deployment 4)"].assert_eq(&shown());
    project.check(
        &scale("1"),
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    expect!["api  1.0 (deployment 5)"].assert_eq(&shown());
    assert_eq!(project.place.json(&scale("0")).exit, 0);
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, {"version": "1.0"}
    "#]],
    );
    let history = project.run(&["history", "--format", "json"]);
    let kinds: Vec<String> = history.lines().iter().map(|it| it["kind"].to_string()).collect();
    expect![[r#""redeploy" "config" "config" "config" "config" "config" "release""#]]
        .assert_eq(&kinds.join(" "));
}

/// What the branch's rules call checks ran whole, from that very commit, and well.
#[test]
fn checks_are_green_at_that_very_commit() {
    let project = Project::new("    protect: { checks: [ci] }");
    let place = &project.place;
    let ci = |run: &str| {
        let job = format!("{{ runs-on: ubuntu-latest, steps: [{{ run: '{run}' }}] }}");
        place.write(".github/workflows/ci.yml", &format!("on: push\njobs: {{ test: {job} }}\n"));
    };
    let deploy = |expect: &Expect| {
        let said = project.run(&["deploy", "production", "--yes", "--plan"]);
        let refusal = said.stderr.lines().find(|it| it.starts_with("error")).unwrap_or("planned");
        let head = place.program("git").args(["rev-parse", "--short=12", "HEAD"]).output();
        let head = crate::harness::text(&head.expect("git starts").stdout);
        expect.assert_eq(&refusal.replace(head.trim(), "COMMIT"));
    };
    ci("exit 3");
    place.commit();
    deploy(&expect!["error: production wants ci green at COMMIT, and it was not run at it"]);
    place.run(&["run", "--committed"]);
    deploy(&expect![
        "error: production wants ci green at COMMIT, and it ended with failure (.github/workflows/ci.yml)"
    ]);
    ci("true");
    // From files that nobody committed, it says nothing of the commit.
    place.run(&["run"]);
    place.commit();
    deploy(&expect!["error: production wants ci green at COMMIT, and it was not run at it"]);
    place.run(&["run", "--committed"]);
    deploy(&expect!["planned"]);
}

/// A service that sleeps before it answers, as its version says.
const SLOW: &str = r#"
import http.server, os, time
version = open('version').read().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        if 'slow' in version and self.path == '/tasks':
            time.sleep(0.6)
        self.send_response(200)
        self.send_header('content-length', str(len(version)))
        self.end_headers()
        self.wfile.write(version.encode())
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

#[test]
fn a_release_that_is_too_slow_goes_back() {
    let project = Project::of(
        SLOW,
        "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/health], settle: 0s, within: 20s, every: 100ms }
    verify: { smoke: [{ get: /tasks }], budget: { p95: 500ms, errors: 0 } }
environments:
  staging:
    targets: { host: 127.0.0.1:PORT }
",
    );
    let said = project.run(&["deploy", "staging", "--plan"]);
    let planned = said.stdout.lines().find(|it| it.contains("api/budget"));
    expect!["6. api/budget  asks 100 times: 19 of 20 within 500ms, at most 0 % faults"]
        .assert_eq(planned.unwrap_or_default().trim());
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api succeeded null
        exit 0, 1.0
    "#]],
    );
    project.version("1.1-slow");
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api rolled_back api is slower or more faulty than its budget allows
        exit 6, 1.0
    "#]],
    );
    let said = project.run(&["verify", "staging", "--format", "json"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
}

/// A migration that the release before does not work with bars the way back, wherever it runs.
#[test]
fn a_migration_that_bars_the_way_back_is_refused() {
    let project = Project::new("");
    let said = project.run(&["deploy", "staging", "--yes"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    let path = project.place.repository().join("launchway.yml");
    let settings = std::fs::read_to_string(path).expect("written above");
    let settings = settings.replace("timeout: 20s }", "timeout: 20s, compatible: false }");
    project.place.write("launchway.yml", &settings);
    project.version("1.1");
    project.check(
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        api refused if api failed, what runs there now could not be brought back
        exit 4, {"version": "1.0"}
    "#]],
    );
    let said = project.run(&["deploy", "staging", "--yes", "--force"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
}
