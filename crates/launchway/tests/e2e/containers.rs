//! Containers of this machine, from the repository on: built, pushed to a registry, pulled by their
//! digest, behind the real proxy; what breaks goes back, and a daemon that ends takes nothing with it for
//! good.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use expect_test::{Expect, expect};

use crate::daemon::Daemon;
use crate::deploy::Project;
use crate::harness::{Place, Said, wait_until};

const DOCKERFILE: &str = "FROM scratch\nCOPY busybox /bin/sh\nCOPY app /app\nWORKDIR /app\n\
                          CMD [\"/bin/sh\", \"start.sh\"]\n";
/// Process 1 hears no signal that it does not handle.
const START: &str = "trap 'exit 0' TERM\necho it is $LAUNCHWAY_RELEASE with $TOKEN\n\
                     httpd -f -p $PORT -h /app &\nwait $!\n";
const SETTINGS: &str = "
version: 1
project: planner
services:
  api:
    build: .
    health: { paths: [/version], settle: 0s, within: 20s, every: 100ms }
    version: { path: /version, field: version }
    migrate: { run: [/bin/sh, -c, 'echo migrated with $TOKEN'], timeout: 20s }
    settings: settings.env
    targets: { host: { listen: '127.0.0.1:PORT', port: 80, memory: 64MiB, drain: 1s } }
environments:
  staging: { registry: 'REGISTRY' }
";

/// One daemon of a test at a time: each that starts makes the machine's packet filter its own, and another's
/// networks fail meanwhile.
pub(crate) static ALONE: Mutex<()> = Mutex::new(());

struct Story {
    project: Project,
    daemon: Daemon,
}

impl Story {
    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.project.place.launchway(args);
        command.env("DOCKER_HOST", format!("unix://{}", self.daemon.socket().display()));
        Said::from(command.output().expect("the binary starts"))
    }

    /// Another version, built and pushed.
    fn version(&self, version: &str, start: &str) {
        let place = &self.project.place;
        place.write("app/start.sh", start);
        // What is asked for says which version it is.
        place.write("app/version", &format!("{{\"version\": \"{version}\"}}"));
        place.commit();
        place.git(&["tag", "--force", version]);
        let said = self.run(&["build", "--push", "staging"]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
    }

    /// How a deployment ends, and what answers then.
    fn check(&self, args: &[&str], expect: &Expect) {
        let said = self.run(&[args, &["staging", "--format", "json"]].concat());
        let end = said.of("deployment_completed");
        let end = end.iter().map(|it| format!("{} {}\n", it["verdict"], it["cause"]));
        let evidence = said.of("deployment_completed").iter().fold(String::new(), |text, it| {
            let found = it["causes"]["evidence"].as_array().cloned().unwrap_or_default();
            let lines = found.iter().map(|it| format!("  {}: {}\n", it["kind"], it["text"]));
            text + &lines.collect::<String>()
        });
        let end: String = end.collect();
        let answer = self.project.get("/version");
        expect
            .assert_eq(&format!("{end}{evidence}exit {}, {answer}\n", said.exit).replace('"', ""));
    }

    fn containers(&self) -> Vec<String> {
        let all = self.daemon.docker(&["ps", "--all", "--format", "{{.Names}}"]);
        all.expect("docker answers").lines().map(str::to_owned).collect()
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.daemon.clear();
    }
}

#[test]
fn a_project_is_shipped_to_containers_of_this_machine() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
    let daemon = Daemon::start(&folder, ("lwtest1", "172.31.252.1/24"));
    let place = Place::with(&[("Dockerfile", DOCKERFILE), ("settings.env", "TOKEN=hunter22\n")]);
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
    std::fs::copy(busybox, place.repository().join("busybox")).expect("a copy");
    let settings = SETTINGS.replace("REGISTRY", &daemon.registry.host);
    let story = Story { project: Project::in_place(place, &settings), daemon };

    story.version("v1.0.0", START);
    story.check(
        &["deploy", "--yes"],
        &expect![[r#"
        succeeded null
        exit 0, {version: v1.0.0}
    "#]],
    );
    // It ends before it is healthy.
    story.version("v1.1.0", "echo no table, says $TOKEN\nexit 3\n");
    story.check(
        &["deploy", "--yes"],
        &expect![[r#"
        rolled_back instance 2.0 of v1.1.0 ended with exit code 3 before it was healthy
          exit: exit code 3
          log: no table, says ***
        exit 6, {version: v1.0.0}
    "#]],
    );
    story.version("v1.2.0", START);
    story.check(
        &["deploy", "--yes"],
        &expect![[r#"
        succeeded null
        exit 0, {version: v1.2.0}
    "#]],
    );
    assert_eq!(story.containers().len(), 1, "{:?}", story.containers());

    // Its daemon ends, and what it ran with it: once it is there, that is started again.
    story.daemon.start_again();
    wait_until("it serves again", || story.project.get("/version").contains("v1.2.0"));
    let logs = story.run(&["logs", "staging"]);
    assert!(logs.stdout.contains("it is v1.2.0 with ***"), "{}{}", logs.stdout, logs.stderr);

    story.check(
        &["rollback", "--yes", "--to", "v1.0.0", "--reason", "slow"],
        &expect![[r#"
        succeeded null
        exit 0, {version: v1.0.0}
    "#]],
    );
    let status = story.run(&["status", "staging"]);
    assert!(status.stdout.contains("v1.0.0"), "{}", status.stdout);

    // Without Docker nothing is begun.
    let mut command = story.project.place.launchway(&["deploy", "staging", "--yes"]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let said = Said::from(command.output().expect("the binary starts"));
    expect![[r#"
        error: api runs as containers, and docker does not answer at /nowhere/docker.sock: there is no such socket
        hint: start it, or say where it is: DOCKER_HOST=unix:///PATH
        hint: without Docker: `as: process`, and `run`, ship the files of the repository
        exit 5
    "#]].assert_eq(&format!("{}exit {}\n", said.stderr, said.exit));
    story.check(
        &["scale", "--yes", "--to", "0"],
        &expect![[r#"
        succeeded null
        exit 0, 503 Service Unavailable: no instance takes connections

    "#]],
    );
    assert!(story.containers().is_empty(), "{:?}", story.containers());
}
