//! The token of a job that a runner on another machine has: it reaches the step there and no file of that machine,
//! and it ends with the job, or with the lease of a runner that is lost.

use std::path::Path;
use std::process::Child;

use rustix::process::Signal;

use crate::github::Connected;
use crate::harness::wait_until;
use crate::kill::signal;
use crate::relay::Relay;

const RELEASES: &str = r#"
on: push
jobs:
  release:
    permissions: { contents: write }
    runs-on: [self-hosted, far]
    steps:
      - uses: actions/checkout@v4
      - name: release
        env: { GITHUB_TOKEN: '${{ secrets.GITHUB_TOKEN }}' }
        run: |
          echo "it is $GITHUB_TOKEN"
          printf 'Authorization: Bearer %s' "$GITHUB_TOKEN" > "$RUNNER_TEMP/header"
          release() {
            curl -s -o /dev/null -w '%{http_code}\n' "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/releases" \
              -H @"$RUNNER_TEMP/header" -d "{\"tag_name\": \"$1\", \"target_commitish\": \"$GITHUB_SHA\"}" >> $MARKS/said
          }
          release v1
          while ! test -e $MARKS/go; do sleep 0.02; done
          release v2
  other:
    permissions: { contents: read }
    runs-on: [self-hosted, far]
    steps:
      - run: |
          curl -s -o /dev/null -w '%{http_code}\n' "$GITHUB_API_URL/repos/octo/app/releases" \
            -H 'Authorization: Bearer ${{ github.token }}' -d '{"tag_name": "v3"}' >> $MARKS/other
          test -z "$GITHUB_TOKEN"
"#;

const WAITS: &str = r"
on: push
permissions: { contents: read }
jobs:
  waits:
    runs-on: far
    steps:
      - run: |
          test -n '${{ github.token }}'
          echo x >> $MARKS/begun
          while ! test -e $MARKS/go; do sleep 0.02; done
      - run: echo x >> $MARKS/ended
";

/// A runner beside a server that is connected to GitHub, and the way between the two.
struct Far {
    relay: Relay,
    runner: Child,
    token: String,
}

fn begin(it: &Connected, url: &str, token: &str) -> Child {
    let said = it.place.path("runner-said");
    let said = std::fs::File::options().create(true).append(true).open(said);
    let data = it.place.path("runner").display().to_string();
    let args = ["runner", "--server", url, "--label", "far", "--jobs", "2", "--data", &data];
    let mut command = it.place.launchway(&args);
    command.arg("--sandbox-write").arg(it.place.path("marks"));
    let said = said.expect("a file of ours");
    let out = said.try_clone().expect("a handle");
    let command = command.env("LAUNCHWAY_TOKEN", token).stdout(out).stderr(said);
    command.spawn().expect("it starts")
}

impl Far {
    fn of(it: &Connected) -> Far {
        let made = it.command(&["tokens", "create", "far-1", "--scope", "runner"]);
        assert_eq!(made.exit, 0, "{}", made.stderr);
        let token = made.stdout.trim().to_owned();
        let relay = Relay::to(&it.url);
        let runner = begin(it, &relay.url, &token);
        Far { relay, runner, token }
    }

    fn kill(&mut self) {
        signal(self.runner.id(), Signal::KILL);
        self.runner.wait().expect("it was started");
    }

    fn restart(&mut self, it: &Connected) {
        self.runner = begin(it, &self.relay.url, &self.token);
    }

    fn end(mut self) {
        signal(self.runner.id(), Signal::TERM);
        assert!(self.runner.wait().expect("it was started").success());
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}

/// Neither in a file below the folder nor in what a process was started with.
fn stands_nowhere(it: &Connected, tokens: &[String], folder: &Path) {
    let processes = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    let started = processes.filter_map(|it| std::fs::read(it.path().join("cmdline")).ok());
    let started: Vec<String> =
        started.map(|it| String::from_utf8_lossy(&it).into_owned()).collect();
    for token in tokens {
        assert!(!started.iter().any(|it| it.contains(token)), "{started:?}");
        let mut grep = it.place.program("grep");
        let found = grep.args(["-rl", token]).arg(folder).output().expect("grep starts");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    }
}

/// Which of two jobs asks first nobody knows.
fn sorted(it: &Connected) -> Vec<String> {
    let mut all = it.job_tokens();
    all.sort();
    all
}

#[test]
fn a_job_elsewhere_has_its_own_token_through_cuts_and_kills() {
    let mut it = Connected::of(&[("release.yml", RELEASES)], true, &[]);
    let far = Far::of(&it);
    it.place.write("file", "one");
    it.place.commit();
    it.push("main");
    wait_until("the release", || it.mark("said") == "201\n");
    wait_until("the other's end", || {
        sorted(&it) == ["octo/app contents: read ended", "octo/app contents: write good"]
    });
    assert_eq!(it.mark("other"), "403\n");
    let tokens: Vec<String> = it.github.with(|github| github.job_tokens.keys().cloned().collect());
    // The way is cut, then the server killed: the job goes on, and its token with it.
    assert!(far.relay.cut() > 0);
    it.kill();
    it.restart();
    far.relay.lead_to(&it.url);
    std::fs::write(it.place.path("marks/go"), "").expect("a file of ours");
    let runs = it.runs(1);
    assert_eq!(runs, "1 push main success\n");
    assert_eq!(it.mark("said"), "201\n201\n");
    wait_until("the token's end", || {
        sorted(&it) == ["octo/app contents: read ended", "octo/app contents: write ended"]
    });
    let log = it.log("1", "release");
    assert!(log.contains("it is ***"), "{log}");
    let releases = it.github.with(|github| github.repositories["octo/app"].releases.clone());
    let by: Vec<&str> = releases.iter().filter_map(|it| it["author"]["login"].as_str()).collect();
    assert_eq!(by, ["launchway[bot]", "launchway[bot]"]);
    let audit = it.get("/api/v1/audit?action=github_token.give");
    assert_eq!(audit["decisions"].as_array().map(Vec::len), Some(2), "{audit}");
    far.end();
    for folder in ["runner", "data", "runner-said"] {
        stands_nowhere(&it, &tokens, &it.place.path(folder));
    }
    it.end();
}

#[test]
fn the_token_of_a_runner_that_is_lost_is_ended_and_the_next_lease_has_another() {
    let it = Connected::served(&[("waits.yml", WAITS)], true, &[], &["--runner-away", "1"]);
    let mut far = Far::of(&it);
    it.place.write("file", "one");
    it.place.commit();
    it.push("main");
    wait_until("the first line", || it.mark("begun") == "x\n");
    assert_eq!(it.job_tokens(), ["octo/app contents: read good"]);
    // Its worker lives on, and has a token that opens nothing any more.
    far.kill();
    wait_until("the token's end", || it.job_tokens() == ["octo/app contents: read ended"]);
    far.restart(&it);
    wait_until("the second lease", || it.mark("begun") == "x\nx\n");
    assert_eq!(sorted(&it), ["octo/app contents: read ended", "octo/app contents: read good"]);
    std::fs::write(it.place.path("marks/go"), "").expect("a file of ours");
    assert_eq!(it.runs(1), "1 push main success\n");
    assert_eq!(it.mark("ended"), "x\n");
    wait_until("both ends", || it.job_tokens().iter().all(|it| it.ends_with("ended")));
    far.end();
    it.end();
}
