//! Deployments that a server is asked to stop, or to go on with: whoever drives one is told, and says who wanted it.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Asker;
use crate::approvals::served::Server;
use crate::deploy::Project;
use crate::harness::{Place, Said, wait_until};
use crate::serving::Serving;

/// A deployment that waits for an hour to pass; what else is open is finished first.
fn waiting(place: &Place, number: usize) -> Child {
    let child = deploying(place, number);
    waits(place, number);
    child
}

fn waits(place: &Place, number: usize) {
    let said = place.path(&format!("said-{number}"));
    wait_until("it waits", || {
        std::fs::read_to_string(&said).unwrap_or_default().contains("\"gate_waiting\"")
    });
}

fn deploying(place: &Place, number: usize) -> Child {
    deploying_with(place, number, None)
}

/// With what lies in this folder instead of programs of that name.
fn deploying_with(place: &Place, number: usize, tools: Option<&Path>) -> Child {
    let said = place.path(&format!("said-{number}"));
    let errors = std::fs::File::create(errors(place, number)).expect("a file of ours");
    let file = std::fs::File::create(&said).expect("a file of ours");
    let mut deploy = place.launchway(&["deploy", "production", "--yes", "--format", "json"]);
    let path = std::env::var_os("PATH").expect("PATH is set");
    let paths = tools.map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    deploy.env("PATH", std::env::join_paths(paths).expect("folders"));
    // As a shell starts it: a terminal signals all of its group.
    deploy.process_group(0);
    deploy.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().expect("it starts")
}

fn errors(place: &Place, number: usize) -> PathBuf {
    place.path(&format!("errors-{number}"))
}

/// One whose driver was killed while it waited.
fn left(place: &Place, number: usize) {
    let mut driven = waiting(place, number);
    driven.kill().expect("it runs");
    driven.wait().expect("it is dead");
}

/// Waits until whoever drives a deployment hears a signal.
fn heard(child: &Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    wait_until("signals are heard", || {
        let status = std::fs::read_to_string(&status).expect("it lives");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.expect("a line").trim(), 16).expect("a number");
        caught & (1 << (signal.as_raw() - 1)) != 0
    });
}

/// Sends a signal, once whoever drives a deployment hears it.
fn signal(child: &Child, signal: Signal) {
    heard(child, signal);
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process")).expect("one");
    kill_process(pid, signal).expect("it lives");
}

/// A git that waits behind `held` being there until something comes through `go`.
fn git_that_waits(place: &Place) -> PathBuf {
    let (folder, tools) = (place.path("").display().to_string(), place.path("tools"));
    let path = std::env::var_os("PATH").expect("PATH is set");
    let real = std::env::split_paths(&path).map(|it| it.join("git")).find(|it| it.exists());
    let script = format!(
        "#!/bin/sh\n[ -e {folder}/held ] && {{ touch {folder}/reached; read -r _ < {folder}/go; }}\nexec {} \"$@\"\n",
        real.expect("git is there").display()
    );
    place.write("../tools/git", &script);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(tools.join("git"), executable).expect("ours");
    let made = place.program("mkfifo").arg(place.path("go")).status().expect("it starts");
    assert!(made.success());
    tools
}

#[test]
fn a_deployment_is_stopped_by_a_server() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    let place = &project.place;
    let server = Server::over(place, &[]);
    let data = place.state().display().to_string();
    let made = |args: &[&str]| {
        let said = place.run(&[&["tokens", "create"], args, &["--data", &data]].concat());
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said.stdout.trim().to_owned()
    };
    let (looks_on, lenas) =
        (made(&["looks on"]), made(&["lena", "--scope", "operate", "--person", "lena"]));
    let reader = Asker { place, url: &server.url, token: &looks_on };
    let lena = Asker { token: &lenas, ..reader };
    lena.check(
        &["deployments", "cancel"],
        "",
        &expect![[r#"
            error: nothing was deployed yet
            exit 2
        "#]],
    );

    let mut driven = waiting(place, 1);
    reader.check(
        &["deployments", "cancel", "1"],
        "",
        &expect![[r#"
            error: this token may read; this needs one that may operate in production
            exit 4
        "#]],
    );
    let told = expect![[r#"
        deployment 1 is told to stop; launchway deployments watch 1 --server URL shows how
        exit 0
    "#]];
    lena.check(&["deployments", "cancel", "1", "--reason", "not today"], "", &told);
    assert_eq!(driven.wait().expect("it ends").code(), Some(130));
    lena.check(
        &["deployments", "cancel", "1"],
        "",
        &expect![[r#"
            error: deployment 1 is over: cancelled
            exit 2
        "#]],
    );
    // What it wanted of whom is in the trail, said by who drove it.
    let trail = place.run(&["audit", "export", "--data", &data]);
    let cancelled: Vec<_> =
        trail.lines().into_iter().filter(|it| it["action"] == "deployment.cancel").collect();
    let said: Vec<_> = cancelled
        .iter()
        .map(|it| ["actor", "proof", "source", "reason"].map(|key| it[key].as_str().unwrap_or("")))
        .collect();
    assert_eq!(said, [["lena", "token", "api", "not today"]]);

    // Nobody drives it any more, and it changed nothing.
    left(place, 2);
    lena.check(
        &["deployments", "resume", "2"],
        "",
        &expect![[r#"
            error: a server goes on with no deployment: it has neither the settings of planner nor what signs in to its targets
            hint: in a clone of the project, on the server's machine: launchway deployments resume 2 --state DIR, with the server's folder
            hint: the next deployment to production finishes it first, too
            hint: it changed nothing yet: launchway deployments cancel 2 --server URL ends it
            exit 2
        "#]],
    );
    let ended = lena.run(&["deployments", "cancel", "2"]);
    let first = ended.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("⊘ cancelled: api 1.0 to production (deployment 2"), "{first}");
    assert_eq!(ended.exit, 130, "{}", ended.stderr);
    lena.check(
        &["deployments", "resume", "2"],
        "",
        &expect![[r#"
            error: deployment 2 is over: cancelled
            exit 2
        "#]],
    );

    // At the machine whoever drives it says who and why, too.
    let mut driven = waiting(place, 3);
    let said = project.run(&["deployments", "cancel", "3", "--reason", "by hand"]);
    assert_eq!(
        said.stderr,
        "deployment 3 is told to stop; launchway deployments watch 3 shows how\n"
    );
    assert_eq!(driven.wait().expect("it ends").code(), Some(130));
    let shown = project.run(&["deployments", "show", "3"]).stdout;
    assert!(shown.contains("wanted it to end: by hand"), "{shown}");
}

/// Whoever is asked for the same by several at once does it once. A server holds the environment for that moment
/// itself; it was told to stop then.
#[test]
fn a_server_that_is_asked_by_several_at_once_goes_on() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    let place = &project.place;
    let server = Server::over(place, &[]);
    let data = place.state().display().to_string();
    let made = ["tokens", "create", "lena", "--scope", "operate", "--person", "lena"];
    let made = place.run(&[&made[..], &["--data", &data]].concat());
    let token = made.stdout.trim().to_owned();
    for number in 1..=3 {
        left(place, number);
        let id = number.to_string();
        let asking: Vec<_> = (0..6)
            .map(|asked| {
                let mut cancel = place.launchway(&["deployments", "cancel", &id]);
                // Two of them at the machine.
                if asked < 4 {
                    cancel.args(["--server", &server.url]);
                }
                cancel.env("LAUNCHWAY_TOKEN", &token).stdout(Stdio::null());
                cancel.stderr(Stdio::piped()).spawn().expect("it starts")
            })
            .collect();
        for child in asking {
            let said = Said::from(child.wait_with_output().expect("it ends"));
            // Ended by it, told to whoever ends it, over by then, or held by somebody else at the machine.
            assert!(matches!(said.exit, 0 | 2 | 4 | 130), "{} {}", said.exit, said.stderr);
        }
        let lena = Asker { place, url: &server.url, token: &token };
        let said = lena.run(&["deployments", "cancel", &id]);
        assert_eq!(said.stderr, format!("error: deployment {id} is over: cancelled\n"));
    }
}

#[test]
fn what_stops_one_deployment_stops_no_other_and_begins_none() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    let place = &project.place;
    let server = Server::over(place, &[]);
    let data = place.state().display().to_string();
    let made = ["tokens", "create", "lena", "--scope", "operate", "--person", "lena"];
    let made = place.run(&[&made[..], &["--data", &data]].concat());
    let lena = Asker { place, url: &server.url, token: made.stdout.trim() };

    // The command finishes 1 first. Who stops 1 stops that one; the command goes on to begin its own.
    left(place, 1);
    let mut second = deploying(place, 2);
    wait_until("it goes on with 1", || {
        let said = std::fs::read_to_string(errors(place, 2)).unwrap_or_default();
        said.contains("deployment 1 was left open; it is finished first")
    });
    lena.check(
        &["deployments", "cancel", "1", "--reason", "not this one"],
        "",
        &expect![[r#"
            deployment 1 is told to stop; launchway deployments watch 1 --server URL shows how
            exit 0
        "#]],
    );
    waits(place, 2);
    let shown = project.run(&["deployments", "show", "1"]).stdout;
    assert!(shown.contains("wanted it to end: not this one"), "{shown}");
    // Left and not over: nothing begins after it.
    signal(&second, Signal::TERM);
    assert_eq!(second.wait().expect("it ends").code(), Some(130));
    for (number, sent, why) in [
        (3, Signal::TERM, "is to be finished first"),
        (4, Signal::HUP, "is to be finished first"),
        (5, Signal::INT, "is over, and this command was told to stop"),
    ] {
        let mut next = deploying(place, number);
        signal(&next, sent);
        assert_eq!(next.wait().expect("it ends").code(), Some(130));
        let said = std::fs::read_to_string(errors(place, number)).expect("it said so");
        assert!(
            said.ends_with(&format!("error: nothing new was begun: deployment 2 {why}\n")),
            "{said}"
        );
    }
    let begun = place.run(&["deployments", "list", "--format", "json"]).lines();
    assert_eq!(begun.len(), 2, "{begun:?}");
}

/// What was left open is over, and its own deployment is being prepared.
#[test]
fn who_is_told_to_stop_between_two_deployments_begins_none() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    let place = &project.place;
    let tools = git_that_waits(place);
    for (number, is_told_twice) in [(1, false), (2, true)] {
        left(place, number);
        let mut next = deploying_with(place, 2 + number, Some(&tools));
        heard(&next, Signal::TERM);
        std::fs::write(place.path("held"), "").expect("ours");
        let id = number.to_string();
        assert_eq!(project.run(&["deployments", "cancel", &id]).exit, 0);
        wait_until("it prepares its own", || place.path("reached").exists());
        signal(&next, Signal::TERM);
        let errors = || std::fs::read_to_string(errors(place, 2 + number)).unwrap_or_default();
        wait_until("it says so", || {
            errors().ends_with("told to stop: nothing new is begun; once more to end at once\n")
        });
        let go_on = || {
            std::fs::remove_file(place.path("held")).expect("ours");
            std::fs::write(place.path("go"), "\n").expect("somebody reads");
            std::fs::remove_file(place.path("reached")).expect("git's");
        };
        let ended = if is_told_twice {
            signal(&next, Signal::TERM);
            let ended = next.wait().expect("it ends");
            go_on();
            ended
        } else {
            go_on();
            next.wait().expect("it ends")
        };
        if is_told_twice {
            assert_eq!(ended.signal(), Some(Signal::TERM.as_raw()));
        } else {
            assert_eq!(ended.code(), Some(130));
            let why = "error: nothing new was begun: this command was told to stop\n";
            assert!(errors().ends_with(why), "{}", errors());
        }
        let begun = place.run(&["deployments", "list", "--format", "json"]).lines();
        assert_eq!(begun.len(), number, "{begun:?}");
    }
}

/// What ran before is not well while `held` is there, so going back to it waits.
const APP: &str = r#"
import http.server, os
version = open('version').read().strip()
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        ill = version == '1.0' and self.path == '/health' and os.path.exists(os.environ['HELD'])
        broken = version != '1.0' and self.path == '/tasks'
        self.send_response(500 if ill or broken else 200)
        self.end_headers()
        self.wfile.write(version.encode())
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

#[test]
fn what_goes_back_is_not_stopped_any_more() {
    let place = Place::with(&[("app/app.py", APP)]);
    let held = place.path("held");
    let settings = "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/health], settle: 0s, within: 60s, every: 100ms }
    env: { HELD: WHERE }
    verify: { smoke: [{ get: /tasks }] }
environments: { production: { targets: { host: '127.0.0.1:PORT' } } }
";
    let settings = settings.replace("WHERE", &held.display().to_string());
    let project = Project::in_place(place, &settings);
    let place = &project.place;
    let server = Server::over(place, &[]);
    let data = place.state().display().to_string();
    let made = ["tokens", "create", "lena", "--scope", "operate", "--person", "lena"];
    let made = place.run(&[&made[..], &["--data", &data]].concat());
    let lena = Asker { place, url: &server.url, token: made.stdout.trim() };
    let first = project.run(&["deploy", "production", "--yes"]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    project.version("1.1");
    std::fs::write(&held, "").expect("ours");
    let mut driven = deploying(place, 2);
    let said = place.path("said-2");
    wait_until("it goes back", || {
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        said.contains("\"deployment_turned_back\"")
    });
    lena.check(
        &["deployments", "cancel", "2"],
        "",
        &expect![[r#"
            error: deployment 2 is going back already
            exit 2
        "#]],
    );
    let path = "/api/v1/deployments/2/cancel";
    let request = ureq::http::Request::post(format!("{}{path}", lena.url))
        .header("authorization", format!("Bearer {}", lena.token));
    let mut answer = Serving::agent().run(request.body("{}").expect("one")).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("its body");
    let problem: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (answer.status().as_u16(), &problem["detail"]),
        (409, &"deployment 2 is going back already".into())
    );
    std::fs::remove_file(&held).expect("ours");
    assert_eq!(driven.wait().expect("it ends").code(), Some(6));
}

/// Ctrl-C on a terminal ends what prepares the next deployment, too.
#[test]
fn who_is_told_to_stop_with_its_programs_begins_none() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    let place = &project.place;
    let tools = git_that_waits(place);
    left(place, 1);
    let mut next = deploying_with(place, 2, Some(&tools));
    heard(&next, Signal::INT);
    std::fs::write(place.path("held"), "").expect("ours");
    assert_eq!(project.run(&["deployments", "cancel", "1"]).exit, 0);
    wait_until("it prepares its own", || place.path("reached").exists());
    std::fs::remove_file(place.path("held")).expect("ours");
    let group = Pid::from_raw(i32::try_from(next.id()).expect("a process")).expect("one");
    kill_process_group(group, Signal::INT).expect("it lives");
    assert_eq!(next.wait().expect("it ends").code(), Some(130));
    let said = std::fs::read_to_string(errors(place, 2)).expect("a file of ours");
    let why = "error: nothing new was begun: this command was told to stop\n";
    assert!(said.ends_with(why), "{said}");
    assert_eq!(place.run(&["deployments", "list", "--format", "json"]).lines().len(), 1);
}
