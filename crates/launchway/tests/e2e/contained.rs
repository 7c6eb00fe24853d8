//! Jobs in containers of their own: what their steps see, what stays outside, and that nothing is left of
//! them, however they end.

mod of_user;
mod stubborn;

use std::net::TcpListener;
use std::path::Path;
use std::sync::PoisonError;

use expect_test::{Expect, expect};

use crate::containers::ALONE;
use crate::daemon::{Daemon, until};
use crate::harness::{Place, Said};

/// A shell, and what a Node of this machine is linked to.
const DOCKERFILE: &str = "FROM scratch\nCOPY root /\nWORKDIR /opt\nENV PATH=/bin COLOUR=green\n\
     ";
/// Programs that scripts below use.
const PROGRAMS: [&str; 14] = [
    "sh", "cat", "chmod", "chown", "find", "grep", "httpd", "ln", "mkdir", "ps", "sleep", "tail",
    "touch", "wget",
];

struct Story {
    place: Place,
    daemon: Daemon,
    /// A registry that takes calls and never answers.
    slow: TcpListener,
}

impl Story {
    fn of(bridge: (&'static str, &str), workflow: &str) -> Story {
        let files = [(".github/workflows/ci.yml", workflow), ("file", "of the repository\n")];
        Story::within(Place::with(&files), "docker-contained", bridge)
    }

    /// With a daemon that has this folder for itself: the one of another test ends with all tests.
    fn within(place: Place, folder: &str, bridge: (&'static str, &str)) -> Story {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        let daemon = Daemon::start(&folder, bridge);
        // What the tests before left that killed a job.
        daemon.docker(&["network", "prune", "--force"]);
        let slow = TcpListener::bind("127.0.0.1:0").expect("a port");
        let story = Story { place, daemon, slow };
        story.build();
        story
    }

    fn build(&self) {
        let root = self.place.path("image/root");
        let bin = root.join("bin");
        std::fs::create_dir_all(&bin).expect("a folder");
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
        for name in PROGRAMS {
            std::fs::copy(busybox, bin.join(name)).expect("a copy");
        }
        let node = std::process::Command::new("sh").args(["-c", "ldd $(command -v node)"]).output();
        let linked = String::from_utf8(node.expect("it starts").stdout).expect("text");
        for library in linked.split_whitespace().filter(|word| word.starts_with('/')) {
            let to = root.join(&library[1..]);
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            std::fs::copy(library, to).expect("a copy");
        }
        std::fs::create_dir_all(root.join("opt")).expect("a folder");
        std::fs::write(root.join("opt/index.html"), "ready").expect("written");
        std::fs::write(self.place.path("image/Dockerfile"), DOCKERFILE).expect("written");
        let image = self.place.path("image");
        let built = self.daemon.docker(&["build", "-t", "box:1", &image.display().to_string()]);
        built.expect("it builds");
    }

    /// The words that run a job.
    fn words(&self, job: &str) -> Vec<String> {
        let slow = format!("SLOW={}/a:1", self.slow.local_addr().expect("it has one"));
        let words = ["run", "push", "--var", "NOTHING=", "--var", &slow, "--job", job];
        words.map(str::to_owned).to_vec()
    }

    fn run(&self, args: &[&str]) -> Said {
        self.run_by(&self.daemon.socket(), args)
    }

    fn run_by(&self, engine: &Path, args: &[&str]) -> Said {
        let mut command = self.place.launchway(args);
        command.env("DOCKER_HOST", format!("unix://{}", engine.display()));
        Said::from(command.output().expect("the binary starts"))
    }

    /// What the steps of a job printed, its annotations, and how it ended.
    fn check(&self, job: &str, expected: &Expect) {
        self.check_with(job, &[], expected);
    }

    fn check_with(&self, job: &str, flags: &[&str], expected: &Expect) {
        let words = self.words(job);
        let words: Vec<&str> =
            words.iter().map(String::as_str).chain(flags.iter().copied()).collect();
        let said = self.run(&words);
        let begin = format!("{job} | = ");
        let log = said.stdout.lines().filter_map(|line| line.strip_prefix(&begin));
        let notes = said
            .stdout
            .lines()
            .filter(|line| ["  warning ", "  error "].iter().any(|level| line.starts_with(level)));
        let text: String = log.chain(notes).map(|line| format!("{line}\n")).collect();
        expected.assert_eq(&format!("{text}exit {}\n{}", said.exit, said.stderr));
    }

    /// Starts the long job, and waits until its step runs.
    fn begin(&self) -> std::process::Child {
        let mut command = self.place.launchway(&["run", "push", "--job", "long"]);
        command.env("DOCKER_HOST", format!("unix://{}", self.daemon.socket().display()));
        let said = self.place.path("said");
        let file =
            || std::fs::File::options().append(true).create(true).open(&said).expect("a file");
        let child = command.stdout(file()).stderr(file()).spawn();
        let find = "find /__w -name started | grep -q .";
        until(&format!("the step runs: {}", said.display()), || {
            let all = self.daemon.docker(&["ps", "--quiet", "--filter", "label=launchway.job"]);
            let all = all.unwrap_or_default();
            all.lines().any(|id| self.daemon.docker(&["exec", id, "sh", "-c", find]).is_some())
        });
        child.expect("the binary starts")
    }

    /// Ctrl-C reaches what runs in the container.
    fn cancelled(&self) {
        let mut child = self.begin();
        crate::daemon::run("kill", &["-INT", &child.id().to_string()]);
        child.wait().expect("it ends");
        let log = self.run(&["runs", "logs"]);
        assert!(log.stdout.contains("= told to end"), "{}{}", log.stdout, log.stderr);
        self.nothing_is_left();
    }

    /// While images are pulled and services begin, too, Ctrl-C and time limits are heard.
    /// What the machine gives a job holds, whatever its options say.
    fn greedy(&self) {
        let words = self.words("greedy");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let limits =
            ["--label", "greedy=box:1", "--job-memory", "64MiB", "--job-cpus", "greedy=0.5"];
        let said = self.run(&[words, limits.to_vec()].concat());
        assert_eq!(said.exit, 1, "{}{}", said.stdout, said.stderr);
        let expect =
            "a process was killed, as they are where a job's have more than 64 MiB of memory";
        assert!(said.stdout.contains(expect), "{}{}", said.stdout, said.stderr);
    }

    fn heard_early(&self) {
        self.check(
            "slow",
            &expect![[r#"
                  error slow: The job running on runner launchway has exceeded the maximum execution time of 0.05 minutes.
                  error slow: The operation was canceled.
                exit 1
            "#]],
        );
        self.nothing_is_left();
        for (job, sign) in [("pulls", "Pulling "), ("unready", "service web")] {
            let said = self.place.path(job);
            let file = || std::fs::File::options().append(true).create(true).open(&said);
            let words = self.words(job);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut command = self.place.launchway(&words);
            command.env("DOCKER_HOST", format!("unix://{}", self.daemon.socket().display()));
            command.stdout(file().expect("a file")).stderr(file().expect("a file"));
            let mut child = command.spawn().expect("the binary starts");
            let text = || std::fs::read_to_string(&said).unwrap_or_default();
            until(&format!("{job} says {sign:?}"), || text().contains(sign));
            crate::daemon::run("kill", &["-INT", &child.id().to_string()]);
            until(&format!("{job} ends"), || child.try_wait().expect("ours").is_some());
            assert!(text().contains("The operation was canceled."), "{}", text());
            assert!(!text().contains("exit 0"), "no step begins: {}", text());
            self.nothing_is_left();
        }
    }

    /// The worker ended well, and the engine did not let go when it asked.
    fn refused_once(&self) {
        let engine = stubborn::before(&self.daemon.socket(), &self.place.path(""));
        let words = self.words("served");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = self.run_by(&engine, &words);
        assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
        self.nothing_is_left();
    }

    /// Whoever is killed leaves no container behind; the next look takes its network.
    fn killed(&self) {
        let mut child = self.begin();
        let workers = ["-9", "-P", &child.id().to_string()];
        assert!(crate::daemon::run("pkill", &workers), "it has a worker");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        let left = || self.daemon.docker(&["ps", "--all", "--quiet"]).expect("docker answers");
        until("its container is gone", || left().is_empty());
    }

    /// Neither containers nor networks of a job.
    fn nothing_is_left(&self) {
        let left = |words: &[&str]| self.daemon.docker(words).expect("docker answers");
        let containers = || left(&["ps", "--all", "--quiet", "--filter", "label=launchway.job"]);
        until("its containers are gone", || containers().is_empty());
        assert_eq!(left(&["network", "ls", "--quiet", "--filter", "label=launchway.job"]), "");
    }
}

const WORKFLOW: &str = r#"
on: push
jobs:
  steps:
    runs-on: ubuntu-latest
    container: { image: 'box:1', env: { GREETING: hi }, options: --hostname box --cpus 1 }
    steps:
      - uses: actions/checkout@v5
      - id: first
        run: |
          echo "= $(cat file) in $PWD as $GITHUB_WORKSPACE and ${{ github.workspace }}"
          echo "= $HOME $RUNNER_TEMP ${{ runner.tool_cache }} $COLOUR $GREETING $HOSTNAME"
          echo "= $([ -f "$GITHUB_EVENT_PATH" ] && echo event)"
          echo "A=b" >> "$GITHUB_ENV"; echo "said=hello" >> "$GITHUB_OUTPUT"; echo /opt/own >> "$GITHUB_PATH"
          echo "::warning file=$GITHUB_WORKSPACE/file,line=1::look"
      - run: 'echo "= $A ${{ steps.first.outputs.said }} $PATH ${{ job.container.id && true }}"'
      - uses: ./.github/actions/js
        with: { who: me }
      - run: echo made > out.txt; echo "$GITHUB_WORKSPACE/out.txt" >> "$GITHUB_ARTIFACTS"
      - { run: echo /bin/cat >> "$GITHUB_ARTIFACTS", continue-on-error: true, id: alone }
      - uses: actions/upload-artifact@v4
        with: { name: out, path: '${{ github.workspace }}/out.txt' }
      - uses: actions/download-artifact@v4
        with: { name: out, path: '${{ runner.temp }}/in' }
      - run: echo "= $(cat $RUNNER_TEMP/in/out.txt)"
      - { run: 'echo "= $PWD"', working-directory: /opt }
      - { run: ln -s /opt link }
      - { run: 'echo "= $(cat index.html)"', working-directory: link }
      - { run: exit 3, continue-on-error: true, id: three }
      - { run: 'sleep 600', timeout-minutes: 0.01, continue-on-error: true, id: slow }
      - run: echo "= ${{ steps.alone.outcome }} ${{ steps.three.outcome }} ${{ steps.slow.outcome }}, $(ps | grep -c 'sleep [6]00') left"
      - { run: kill -9 -1, continue-on-error: true, id: all }
      - run: echo "= ${{ steps.all.outcome }}, and what began the steps is gone, too"
      - run: 'sleep 601 & echo "= left behind"'
  none:
    runs-on: ubuntu-latest
    container: ${{ '' }}
    steps: [{ run: 'echo "= on ${HOME##*/} ${{ toJSON(job.container) }}"' }]
  missing:
    runs-on: ubuntu-latest
    container: 127.0.0.1:1/nobody/has:this
    steps: [{ run: exit 0 }]
  odd:
    runs-on: ubuntu-latest
    container: { image: 'box:1', options: --gpus all }
    steps: [{ run: exit 0 }]
  served:
    runs-on: ubuntu-latest
    container: box:1
    services:
      web:
        image: box:1
        ports: [8080]
        command: httpd -f -p 8080 -h /opt
        options: --health-cmd "grep -q ready /opt/index.html" --health-interval 1s
      none: { image: "${{ vars.NOTHING }}" }
    steps:
      - run: echo "= $(wget -q -O - http://web:8080/), ${{ job.services.web.network == job.container.network }}, port ${{ job.services.web.ports['8080'] > 1024 }}"
  unserved:
    runs-on: ubuntu-latest
    container: box:1
    services: { web: { image: 'box:1', command: 'sh -c "echo = cannot go on; exit 4"', options: --health-cmd true } }
    steps: [{ run: exit 0 }]
  slow:
    runs-on: ubuntu-latest
    timeout-minutes: 0.05
    container: "${{ vars.SLOW }}"
    steps: [{ run: exit 0 }]
  pulls:
    runs-on: ubuntu-latest
    container: "${{ vars.SLOW }}"
    steps: [{ run: exit 0, if: always() }]
  unready:
    runs-on: ubuntu-latest
    container: box:1
    services: { web: { image: 'box:1', command: sleep 600, options: --health-cmd 'sleep 600' } }
    steps: [{ run: exit 0 }]
  another:
    runs-on: ubuntu-latest
    container: { image: 'box:1', options: --user 1000 }
    steps:
      - run: 'trap "echo = told to end; exit 7" INT; echo "= $HOME, nobody complains"; while :; do :; done'
        timeout-minutes: 0.02
  plain:
    runs-on: [self-hosted, linux]
    steps: [{ run: 'echo "= $PWD with $COLOUR"' }]
  greedy:
    runs-on: ubuntu-latest
    container: { image: 'box:1', options: --memory 8g }
    steps: [{ run: tail /dev/zero }]
  bold:
    runs-on: ubuntu-latest
    container: { image: 'box:1', volumes: ['/etc:/machine'] }
    steps: [{ run: 'echo "= $([ -e /machine/passwd ] && echo reaches the machine)"' }]
  long:
    runs-on: ubuntu-latest
    container: box:1
    steps: [{ run: 'trap "echo = told to end; exit 7" INT TERM; touch started; while :; do sleep 0.1; done' }]
"#;

const ACTION: &str = "name: js\ninputs: { who: { default: you } }\nruns: { using: node20, main: main.js, post: post.js }\n";
const MAIN: &str =
    "console.log('= node:', process.env.INPUT_WHO, process.cwd(), __dirname, process.env.COLOUR);";
const POST: &str = "console.log('= after all:', require('fs').existsSync('/bin/cat'));";

// proves: conformance 53, 70, 133, 155, 156, 157, 158, 162
#[test]
fn steps_run_in_the_container_of_their_job() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let story = Story::of(("lwtest4", "172.31.249.1/24"), WORKFLOW);
    for (file, text) in [("action.yml", ACTION), ("main.js", MAIN), ("post.js", POST)] {
        story.place.write(&format!(".github/actions/js/{file}"), text);
    }
    story.place.commit();
    story.check("steps", &expect![[r#"
        of the repository in /__w/repository/repository as /__w/repository/repository and /__w/repository/repository
        /github/home /__w/_temp /__t green hi box
        event
        b hello /opt/own:/bin true
        node: me /__w/repository/repository /__w/repository/repository/.github/actions/js green
        made
        /opt
        ready
        failure failure failure, 0 left
        failure, and what began the steps is gone, too
        left behind
        after all: true
          warning steps file:1: look
          error steps: Unable to process file command 'artifacts' successfully. Invalid $GITHUB_ARTIFACTS entry on line 1: file '/bin/cat' is in the job's container alone
          error steps: Process completed with exit code 3.
          error steps: The action 'Run sleep 600' has timed out after 0.01 minutes.
          error steps: Process completed with exit code 137.
        exit 0
    "#]]);
    story.nothing_is_left();
    // Not root, so Docker begins its steps.
    story.check("another", &expect![[r#"
        /github/home, nobody complains
        told to end
          error another: The action 'Run trap "echo = told to end; exit 7" INT; echo "= $HOME, nobody complains"; while :; do :; done' has timed out after 0.02 minutes.
        exit 1
    "#]]);
    story.check(
        "none",
        &expect![[r#"
        on home {}
        exit 0
    "#]],
    );
    story.check("missing", &expect![[r#"
          error missing: the image 127.0.0.1:1/nobody/has:this: docker says: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused
        exit 1
    "#]]);
    story.check(
        "odd",
        &expect![[r#"
          error odd: container: options: the flag --gpus is not supported
        exit 1
    "#]],
    );
    story.check(
        "served",
        &expect![[r#"
        ready, true, port true
        exit 0
    "#]],
    );
    story.check(
        "unserved",
        &expect![[r#"
        cannot go on
          error unserved: service web ended with exit code 4; it said:
        exit 1
    "#]],
    );
    // Whose label has an image runs in a container of it.
    story.check_with(
        "plain",
        &["--label", "linux=box:1"],
        &expect![[r#"
        /__w/repository/repository with green
        exit 0
    "#]],
    );
    // What reaches beyond the container is for whoever is trusted.
    story.check(
        "bold",
        &expect![[r#"
        reaches the machine
        exit 0
    "#]],
    );
    story.check_with("bold", &["--executor", "sandbox"], &expect![[r#"
          error bold: container: the volume /etc:/machine reaches beyond the container, which only jobs with a trusted label may (docs/containers.md)
        exit 1
    "#]]);
    story.greedy();
    story.nothing_is_left();
    story.refused_once();
    story.heard_early();
    story.cancelled();
    story.killed();
}
