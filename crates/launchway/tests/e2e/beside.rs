//! What is asked of services that run, and run beside them: `task run`, `migrate`, `verify`, `diff`.

use expect_test::{Expect, expect};

use crate::deploy::Project;
use crate::harness::Place;

const APP: &str = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        status = 500 if self.path == '/tasks' and os.path.exists(os.environ['BROKEN']) else 200
        self.send_response(status)
        self.send_header('content-length', '0')
        self.end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

const SETTINGS: &str = "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/health], settle: 0s, within: 20s, every: 100ms }
    migrate: { run: [sh, -c, 'cat version'], timeout: 20s }
    env: { BROKEN: FILE, LEVEL: info }
    verify: { smoke: [{ get: /tasks }] }
environments:
  staging:
    targets: { host: '127.0.0.1:PORT' }
  production:
    below: staging
    targets: { host: '127.0.0.1:1' }
";

/// One service; the file `broken` beside the work tree breaks it.
fn project() -> Project {
    let place = Place::with(&[("app/app.py", APP)]);
    let broken = place.path("broken").display().to_string();
    Project::in_place(place, &SETTINGS.replace("FILE", &broken))
}

/// What it says on both ways, without times, and how it ends.
fn check(project: &Project, args: &[&str], expect: &Expect) {
    let said = project.run(args);
    let is_told = |line: &&str| line.starts_with("error") || line.starts_with("hint");
    let told = said.stderr.lines().filter(is_told);
    let lines: Vec<&str> = said.stdout.lines().chain(told).collect();
    let times = regex::Regex::new(
        r"\d+(\.\d+)? m?s\b|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|/tmp/\S+|:\d{4,5}/",
    )
    .expect("one");
    let text = times.replace_all(&lines.join("\n"), "TIME").into_owned();
    expect.assert_eq(&format!("{text}\nexit {}\n", said.exit));
}

#[test]
fn a_command_runs_beside_what_runs_and_leaves_it() {
    let project = project();
    let task =
        |words: &[&'static str]| [&["task", "run", "staging", "--yes", "--"][..], words].concat();
    check(
        &project,
        &task(&["true"]),
        &expect![[r#"
        error: nothing of api runs in staging
        hint: launchway deploy staging brings a release first
        exit 2
    "#]],
    );
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    check(
        &project,
        &task(&["sh", "-c", "echo $LEVEL; cat version"]),
        &expect![[r#"
        info
        1.0
        ✓ succeeded: api 1.0 to staging (deployment 2, TIME)
        exit 0
    "#]],
    );
    check(
        &project,
        &task(&["sh", "-c", "echo not now >&2; exit 3"]),
        &expect![[r#"
        not now
        ✗ failed: api 1.0 to staging (deployment 3, TIME)
          the command ended with exit code 3
            | not now
            | exit code 3
          note: api/task stays: what a command did stays
          Every step: launchway deployments show 3
        exit 1
    "#]],
    );
    // What runs, and since when, is as it was.
    let of = |said: crate::harness::Said| said.lines()[0]["deployment"].clone();
    assert_eq!(of(project.place.json(&["status", "staging"])), "1");
    check(
        &project,
        &["task", "run", "staging", "--", "true"],
        &expect![[r#"
        error: staging has the level 4: a person starts every deployment, and there is no terminal
        hint: agree with --yes
        exit 4
    "#]],
    );
    check(
        &project,
        &["task", "run", "staging", "--within", "2w", "--", "true"],
        &expect![[r#"
        error: invalid value '2w' for '--within <DURATION>': a length of time like 90s or 1h30m, up to a day
        exit 2
    "#]],
    );
}

#[test]
fn migrations_run_by_themselves_and_alone_and_are_listed() {
    let project = project();
    check(
        &project,
        &["migrate", "staging", "--status"],
        &expect![[r#"

        exit 0
    "#]],
    );
    let skipped = ["deploy", "staging", "--yes", "--skip-migrations"];
    assert_eq!(project.run(&skipped).exit, 0);
    // What never ran below goes no higher.
    check(
        &project,
        &["deploy", "production", "--yes"],
        &expect![[r#"
        error: the migration of api 1.0 never ran in staging, and production takes only what did
        hint: launchway migrate staging runs it; --skip-migrations leaves it out
        exit 4
    "#]],
    );
    check(
        &project,
        &["migrate", "staging", "--yes"],
        &expect![[r#"
        1.0
        ✓ succeeded: api 1.0 to staging (deployment 2, TIME)
        exit 0
    "#]],
    );
    check(
        &project,
        &["migrate", "staging", "--status"],
        &expect![[r#"
        api  1.0  ✓ done in TIME  TIME, deployment 2
        exit 0
    "#]],
    );
    check(
        &project,
        &["diff", "production"],
        &expect![[r#"
        api: nothing runs
          drain: (nothing) -> TIME
          env.BROKEN: (nothing) -> TIME
          env.LEVEL: (nothing) -> info
          health: (nothing) -> /health
          instances: (nothing) -> 1
          listen: (nothing) -> 127.0.0.1:1
          release: (nothing) -> 1.0 (2824559c3d32)
          run: (nothing) -> python3 app.py
        exit 0
    "#]],
    );
}

#[test]
fn what_runs_is_asked_what_a_deployment_would_ask() {
    let project = project();
    check(
        &project,
        &["verify", "staging"],
        &expect![[r#"
        error: nothing of api runs in staging
        hint: launchway deploy staging brings a release first
        exit 2
    "#]],
    );
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    check(
        &project,
        &["verify", "staging"],
        &expect![[r#"
        ✓ api/health  asks /health until it is well for 0s  TIME
        ✓ api/smoke  runs 1 smoke test  TIME
        exit 0
    "#]],
    );
    std::fs::write(project.place.path("broken"), "").expect("a file of ours");
    check(
        &project,
        &["verify", "staging"],
        &expect![[r#"
        ✓ api/health  asks /health until it is well for 0s  TIME
        ✗ api/smoke  runs 1 smoke test  TIME
          smoke test 1 of 1 failed
            | GET http://127.0.0.1TIMEtasks: 500 after TIME
        exit 1
    "#]],
    );
    let said = project.place.json(&["verify", "staging"]);
    let line = &said.of("verify_completed")[0];
    assert_eq!((said.exit, line["asked"].as_u64(), line["failed"].as_u64()), (1, Some(2), Some(1)));
}

#[test]
fn a_difference_is_shown_field_by_field() {
    let project = project();
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    check(
        &project,
        &["diff", "staging", "--exit-code"],
        &expect![[r#"
        api: 1.0 runs, and nothing differs
        exit 0
    "#]],
    );
    project.version("1.1");
    check(
        &project,
        &["diff", "staging", "--exit-code"],
        &expect![[r#"
        api: 1.0 runs
          release: 1.0 (2824559c3d32) -> 1.1 (49bde587d128)
        exit 1
    "#]],
    );
    check(
        &project,
        &["diff", "staging", "--running", "--exit-code"],
        &expect![[r#"
        api: 1.0 runs, and nothing differs
        exit 0
    "#]],
    );
    let settings = std::fs::read_to_string(project.place.repository().join("launchway.yml"));
    let settings = settings.expect("it is there").replace("LEVEL: info", "LEVEL: debug");
    project.place.write("launchway.yml", &settings);
    check(
        &project,
        &["diff", "staging", "--running", "--exit-code"],
        &expect![[r#"
        api: 1.0 runs
          env.LEVEL: info -> debug
        exit 1
    "#]],
    );
}

/// A private value that is another is a change like any other, and is never shown.
#[test]
fn a_private_value_that_changed_is_brought() {
    let project = project();
    let secret = project.place.path("token");
    let settings = std::fs::read_to_string(project.place.repository().join("launchway.yml"));
    let reference = format!("    secrets: {{ TOKEN: 'file:{}' }}\n    verify:", secret.display());
    let settings = settings.expect("it is there").replace("    verify:", &reference);
    project.place.write("launchway.yml", &settings);
    project.version("1.0.1");
    check(
        &project,
        &["deploy", "staging", "--yes"],
        &expect![[r#"
        ✗ refused: api 1.0.1 to staging (deployment 1, TIME)
          api cannot be deployed there
            api cannot be given its private variables
              the secret in TIME cannot be read: No such file or directory (os error 2)
          Every step: launchway deployments show 1
        exit 4
    "#]],
    );
    std::fs::write(&secret, "first-value").expect("a file of ours");
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    check(
        &project,
        &["diff", "staging"],
        &expect![[r#"
        api: 1.0.1 runs, and nothing differs
        exit 0
    "#]],
    );
    std::fs::write(&secret, "second-value").expect("a file of ours");
    check(
        &project,
        &["diff", "staging"],
        &expect![[r#"
        api: 1.0.1 runs
          env.TOKEN: (private) -> (another private value)
        exit 0
    "#]],
    );
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    let of = ["task", "run", "staging", "--yes", "--", "sh", "-c", "echo ${#TOKEN} $TOKEN"];
    check(
        &project,
        &of,
        &expect![[r#"
        12 ***
        ✓ succeeded: api 1.0.1 to staging (deployment 4, TIME)
        exit 0
    "#]],
    );
    project.version("1.1");
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 0);
    // What the task was given is gone with the next deployment.
    let private = walk(&project.place.state(), "private");
    expect!["api.2.json, api.3.json, api.5.json"].assert_eq(&private.join(", "));
    let shown = project.run(&["deployments", "show"]).stdout;
    let line = shown.lines().find(|line| line.starts_with("ships")).unwrap_or_default();
    assert_eq!(line.len(), "ships 1 commit: 0123456789ab".len(), "{shown}");
}

/// The files in folders of this name, below a folder.
fn walk(folder: &std::path::Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path, name));
        } else if path.parent().and_then(|it| it.file_name()).is_some_and(|it| it == name) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

/// What systemd is given.
#[test]
fn a_unit_brings_the_services_back_with_the_machine() {
    let project = project();
    let said = project.run(&["environments", "unit", "staging", "--user", "planner"]);
    let state = project.place.state().display().to_string();
    let binary = env!("CARGO_BIN_EXE_launchway");
    let unit = said.stdout.replace(&state, "STATE").replace(binary, "LAUNCHWAY");
    expect![[r#"
        [Unit]
        Description=Launchway: services of STATE/host/planner/staging
        After=network.target docker.service

        [Service]
        Type=simple
        User=planner
        ExecStart=LAUNCHWAY supervise --folder STATE/host/planner/staging --wait
        # The services outlive their supervisor, and the next one adopts them.
        KillMode=process
        Restart=on-failure
        RestartSec=1
        LimitNOFILE=65536

        [Install]
        WantedBy=multi-user.target
        to be put into /etc/systemd/system/launchway-planner-staging.service; then: systemctl enable --now launchway-planner-staging.service
    "#]].assert_eq(&format!("{unit}{}", said.stderr));
    check(
        &project,
        &["environments", "unit", "nowhere"],
        &expect![[r#"
        error: there is no environment nowhere
        hint: there are: staging, production
        exit 2
    "#]],
    );
}
