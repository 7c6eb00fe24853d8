//! The server's own image: a container without rights serves, keeps its jobs in, and loses nothing when it is
//! killed. The tier has the image's parts made (`cargo xtask image --parts`).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Said, wait_until};
use crate::seeds::need_docker;

/// Played inside: a repository is connected, and pushed to.
const PUSH: &str = r"set -e
mkdir /tmp/work && cd /tmp/work && git init -q -b main
git config user.name mona && git config user.email mona@example.com
mkdir -p .github/workflows && cat > .github/workflows/ci.yml
git add -A && git commit -qm one
git clone -q --bare . /srv/git/app.git
launchway repositories add /srv/git/app.git --name octo/app --data /srv/launchway
git commit -q --allow-empty -m two && git push -q /srv/git/app.git main
";
const WORKFLOW: &str = "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          ls /srv/launchway && echo THROUGH || true
          id -un
          while ! test -e /tmp/go; do sleep 0.05; done
          echo went on
        shell: bash
";

/// A container that is gone with its data when the test is over.
struct Container {
    name: String,
}

impl Container {
    fn docker(args: &[&str]) -> Said {
        Said::from(Command::new("docker").args(args).output().expect("docker is there"))
    }

    fn start() -> Container {
        need_docker();
        let name = format!("launchway-image-{}", std::process::id());
        let parts = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("image");
        let parts = parts.to_str().expect("a path of ours");
        let built = Container::docker(&["build", "--quiet", "--tag", &name, parts]);
        assert_eq!(built.exit, 0, "{}", built.stderr);
        let rights =
            ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"];
        let args = [&["run", "--detach", "--init", "--name", &name][..], &rights, &[&name]];
        let started = Container::docker(&args.concat());
        assert_eq!(started.exit, 0, "{}", started.stderr);
        Container { name }
    }

    fn exec(&self, args: &[&str]) -> Said {
        Container::docker(&[&["exec", &self.name][..], args].concat())
    }

    fn is_ready(&self) {
        let ask = ["curl", "--fail", "--silent", "http://127.0.0.1:7878/readyz"];
        wait_until("the server in the container", || self.exec(&ask).stdout == "ready\n");
    }

    fn log(&self) -> String {
        self.exec(&["launchway", "runs", "logs", "1", "--state", "/srv/launchway"]).stdout
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        Container::docker(&["rm", "--force", "--volumes", &self.name]);
        Container::docker(&["rmi", "--force", &self.name]);
    }
}

#[test]
fn a_server_in_a_container_keeps_its_jobs_in_and_loses_nothing() {
    let container = Container::start();
    container.is_ready();
    let mut push = Command::new("docker");
    push.args(["exec", "--interactive", &container.name, "bash", "-c", PUSH]).stdin(Stdio::piped());
    let mut push = push.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("docker");
    let mut input = push.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut input, WORKFLOW.as_bytes()).expect("it reads");
    drop(input);
    let pushed = Said::from(push.wait_with_output().expect("it ends"));
    assert!(pushed.stderr.contains("launchway: run 1"), "{}{}", pushed.stdout, pushed.stderr);
    wait_until("the job's step", || container.log().contains("\nlaunchway\n"));
    let log = container.log();
    assert!(log.contains("cannot open directory '/srv/launchway'") && !log.contains("THROUGH\n"));
    // Everything in it dies with it: the job had no effect outside, and starts again.
    assert_eq!(Container::docker(&["kill", &container.name]).exit, 0);
    assert_eq!(Container::docker(&["start", &container.name]).exit, 0);
    container.is_ready();
    assert_eq!(container.exec(&["touch", "/tmp/go"]).exit, 0);
    let list = ["launchway", "runs", "list", "--all", "--state", "/srv/launchway"];
    wait_until("the run's end", || container.exec(&list).stdout.contains("success"));
    assert!(container.log().contains("went on"), "{}", container.log());
}
