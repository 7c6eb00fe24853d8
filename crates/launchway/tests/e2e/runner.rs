//! Runners on other machines: a job there is a job here, whatever is cut or killed in between.

use std::process::Child;

use expect_test::{Expect, expect};
use rustix::process::Signal;

use crate::harness::{Said, wait_until};
use crate::kill::signal;
use crate::relay::Relay;
use crate::serve::jobs;
use crate::serving::Serving;

/// A runner beside a server, and the way between the two.
pub(crate) struct Away {
    pub(crate) relay: Relay,
    pub(crate) runner: Child,
    token: String,
}

impl Away {
    /// One that is called `far-1`, with the label `far`.
    pub(crate) fn of(serving: &Serving, jobs: &str) -> Away {
        Away::with(serving, jobs, token(serving, &[]))
    }

    fn with(serving: &Serving, jobs: &str, token: String) -> Away {
        let relay = Relay::to(&serving.url);
        let runner = begin(serving, &relay.url, &token, jobs);
        let away = Away { relay, runner, token };
        wait_until("the runner", || takes(serving) == "jobs");
        away
    }

    pub(crate) fn kill(&mut self) {
        signal(self.runner.id(), Signal::KILL);
        self.runner.wait().expect("it was started");
    }

    pub(crate) fn restart(&mut self, serving: &Serving, jobs: &str) {
        self.runner = begin(serving, &self.relay.url, &self.token, jobs);
    }

    /// Ends it as a person does.
    pub(crate) fn end(mut self) {
        signal(self.runner.id(), Signal::TERM);
        assert!(self.runner.wait().expect("it was started").success());
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}

/// A token of the runner, and what it is bound to.
fn token(serving: &Serving, more: &[&str]) -> String {
    let create = ["tokens", "create", "far-1", "--scope", "runner"];
    let made = serving.command(&[&create, more].concat());
    assert_eq!(made.exit, 0, "{}", made.stderr);
    made.stdout.trim().to_owned()
}

fn begin(serving: &Serving, url: &str, token: &str, jobs: &str) -> Child {
    begin_with(serving, url, (token, jobs), &[])
}

fn begin_with(
    serving: &Serving,
    url: &str,
    (token, jobs): (&str, &str),
    variables: &[(&str, &str)],
) -> Child {
    let place = &serving.place;
    let said = std::fs::File::options().create(true).append(true).open(place.path("runner-said"));
    let data = place.path("runner").display().to_string();
    let args =
        ["runner", "--server", url, "--label", "far", "--jobs", jobs, "--data", data.as_str()];
    let mut command = place.launchway(&args);
    // As for the server: what jobs tell the tests lies in a place that is opened to them.
    command.arg("--sandbox-write").arg(place.path("marks"));
    let said = said.expect("a file of ours");
    let out = said.try_clone().expect("a handle");
    command
        .env("LAUNCHWAY_TOKEN", token)
        .envs(variables.iter().copied())
        .stdout(out)
        .stderr(said)
        .spawn()
        .expect("it starts")
}

/// What the runner takes, as the server says.
pub(crate) fn takes(serving: &Serving) -> String {
    let all = serving.get("/api/v1/runners").json();
    let runners = all["runners"].as_array().cloned().unwrap_or_default();
    let far = runners.iter().find(|it| it["name"] == "far-1");
    far.and_then(|it| it["takes"].as_str()).unwrap_or_default().to_owned()
}

const WHOLE: &str = "
on: push
permissions: {}
jobs:
  first:
    runs-on: [self-hosted, far]
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - run: |
          cat README.md
          git log --format=%s
          echo '# it was far' >> $GITHUB_STEP_SUMMARY
          for line in 1 2 3; do echo \"line $line\" | tee -a $MARKS/copy; done
          while ! test -e $MARKS/go; do sleep 0.02; done
          echo kept > kept.txt
      - uses: actions/upload-artifact@v4
        with: { name: kept, path: kept.txt }
  second:
    needs: first
    runs-on: [self-hosted, far]
    steps:
      - uses: actions/download-artifact@v4
        with: { name: kept }
      - run: cat kept.txt >> $MARKS/second
";

#[test]
fn a_job_runs_on_another_machine() {
    let serving = Serving::of(WHOLE);
    serving.place.write("README.md", "what is read\n");
    serving.place.commit();
    let away = Away::of(&serving, "2");
    assert_eq!(serving.push().exit, 0);
    wait_until("the last line", || serving.mark("copy").lines().count() == 3);
    // While it runs, the server's log is the runner's, byte for byte.
    let logs = |of: &str| {
        let mut command = serving.place.program("sh");
        let folder = serving.place.path(of).display().to_string();
        let find = format!("cd {folder} && find . -name '*.log' -exec cat {{}} +");
        let output = command.args(["-c", &find]).output().expect("it starts");
        String::from_utf8(output.stdout).expect("text")
    };
    wait_until("the log", || {
        let own = logs("runner/leases");
        own.contains("line 3") && own == logs("data/logs")
    });
    serving.leave("go");
    let ended = serving.ended("1");
    let said = std::fs::read_to_string(serving.place.path("runner-said")).unwrap_or_default();
    assert_eq!(ended["conclusion"], "success", "{ended}\n{said}");
    assert_eq!(serving.mark("second"), "kept\n");
    assert_eq!(ended["artifacts"][0]["name"], "kept");
    let events = serving.get("/api/v1/runs/1/events").text;
    assert!(events.contains(r#""type":"JobStarted","job":"first","fence":1"#), "{events}");
    assert!(events.contains(r#""runner":"far-1""#), "{events}");
    let log = serving.get("/api/v1/runs/1/jobs/first/log").text;
    for part in ["what is read", "a change", "line 1\nline 2\nline 3\n"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let events = serving.get("/api/v1/runs/1/events").json();
    let mut all = events["events"].as_array().into_iter().flatten();
    let summary = all.find(|it| it["event"]["type"] == "SummaryWritten").expect("a summary");
    let blob = summary["event"]["blob"].as_str().expect("its digest");
    let path = format!("data/blobs/{}/{}/{blob}", &blob[..2], &blob[2..4]);
    let summary = std::fs::read_to_string(serving.place.path(&path)).expect("the blob is kept");
    assert_eq!(summary, "# it was far\n");
    // Nothing of them is left there.
    wait_until("empty folders", || {
        let left = |folder: &str| {
            std::fs::read_dir(serving.place.path("runner").join(folder))
                .into_iter()
                .flatten()
                .count()
        };
        left("jobs") == 0 && left("leases") == 0
    });
    away.end();
    wait_until("that it is away", || takes(&serving) == "away");
    let mut command = serving.place.launchway(&["runners", "list", "--server", &serving.url]);
    let listed = command.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it starts");
    expect![[r#"
        launchway  0 of 2 busy
        far-1  0 of 2 busy  far  away: nobody hears of it
    "#]]
    .assert_eq(&Said::from(listed).stdout);
    serving.end();
}

const COUNTED: &str = "
on: push
permissions: {}
jobs:
  counts:
    runs-on: far
    steps:
      - run: |
          echo x >> $MARKS/begun
          for line in 1 2 3; do
            echo \"line $line\"
            echo x >> $MARKS/at.$line
            while ! test -e $MARKS/go.$line; do sleep 0.02; done
          done
      - run: echo x >> $MARKS/ended
";

/// The connection, the server and the runner are ended in turn: the job is done once, and no line is
/// missing.
#[test]
fn whoever_is_killed_a_job_elsewhere_goes_on() {
    let mut serving = Serving::of(COUNTED);
    let mut away = Away::of(&serving, "2");
    assert_eq!(serving.push().exit, 0);
    wait_until("the first line", || serving.mark("at.1") == "x\n");
    assert!(away.relay.cut() > 0);
    serving.leave("go.1");
    wait_until("the second line", || serving.mark("at.2") == "x\n");
    serving.kill();
    serving.leave("go.2");
    wait_until("the third line", || serving.mark("at.3") == "x\n");
    serving.restart();
    away.relay.lead_to(&serving.url);
    wait_until("the runner", || takes(&serving) == "jobs");
    away.kill();
    serving.leave("go.3");
    wait_until("the end of the job", || serving.mark("ended") == "x\n");
    away.restart(&serving, "2");
    let ended = serving.ended("1");
    let said = std::fs::read_to_string(serving.place.path("runner-said")).unwrap_or_default();
    assert_eq!(ended["conclusion"], "success", "{ended}\n{said}");
    let events = serving.get("/api/v1/runs/1/events").text;
    assert_eq!(serving.mark("begun"), "x\n", "{said}\n{events}");
    let log = serving.get("/api/v1/runs/1/jobs/counts/log").text;
    assert!(log.contains("line 1\nline 2\nline 3\n"), "{log}");
    away.end();
    serving.end();
}

/// A runner that does not come back in time is lost with its jobs; what it says later under the old
/// lease is refused, and its job ends.
/// One whose token is bound to other repositories is offered nothing of this one, and the job says so.
#[test]
fn a_runner_is_given_jobs_of_its_repositories_alone() {
    let serving = Serving::of(FAR);
    let other = serving.place.path("other.git").display().to_string();
    serving.place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &other]);
    let added = serving.command(&["repositories", "add", &other, "--name", "octo/other"]);
    assert_eq!(added.exit, 0, "{}", added.stderr);
    serving.place.write("README.md", "what is read\n");
    serving.place.commit();
    let bound = token(&serving, &["--repository", "octo/other"]);
    let mut away = Away::with(&serving, "2", bound);
    assert_eq!(serving.push().exit, 0);
    let mut why = String::new();
    wait_until("the job's words", || {
        let all = serving.get("/api/v1/runners").json();
        why = all["queue"][0]["why_waiting"].as_str().unwrap_or_default().to_owned();
        !why.is_empty()
    });
    expect!["waits for a runner that takes jobs of this repository: far-1 may not"].assert_eq(&why);
    let page = serving.get("/runners").text;
    assert!(page.contains("takes jobs of octo/other alone"), "{page}");
    // Another token says whose jobs the same machine takes.
    signal(away.runner.id(), Signal::TERM);
    away.runner.wait().expect("it was started");
    away.token = token(&serving, &["--repository", "octo/app", "--repository", "octo/other"]);
    away.restart(&serving, "2");
    assert_eq!(serving.ended("1")["conclusion"], "success");
    away.end();
    serving.end();
}

#[test]
fn a_runner_that_stays_away_is_lost() {
    let serving = Serving::with(COUNTED, &["--runner-away", "1"]);
    let mut away = Away::of(&serving, "1");
    assert_eq!(serving.push().exit, 0);
    wait_until("the first line", || serving.mark("at.1") == "x\n");
    away.kill();
    wait_until("the loss", || {
        serving.get("/api/v1/runs/1/events").text.contains("\"type\":\"JobLost\"")
    });
    wait_until("the queue", || {
        let queue = serving.get("/api/v1/runners").json()["queue"].clone();
        queue[0]["why_waiting"] == "waits for the runner far-1, which is away"
    });
    let events = serving.get("/api/v1/runs/1/events").text;
    assert!(events.contains("nothing was heard of the runner far-1 for 1 seconds"), "{events}");
    away.restart(&serving, "1");
    // The first worker ends with its lease; the second begins under the next.
    wait_until("the second lease", || serving.mark("begun") == "x\nx\n");
    for line in 1..=3 {
        serving.leave(&format!("go.{line}"));
    }
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!(serving.mark("ended"), "x\n");
    away.end();
    serving.end();
}

#[test]
fn a_runners_token_opens_its_door_alone() {
    let serving = Serving::of(COUNTED);
    let of = |scope: &[&str]| {
        let made = serving.command(&[&["tokens", "create", "far-1", "--scope"], scope].concat());
        made.stdout.trim().to_owned()
    };
    let (runner, admin) = (of(&["runner"]), of(&["admin", "--machine"]));
    for path in ["/api/v1/runs", "/runs", "/api/v1/runners", "/metrics", "/live/runs"] {
        let bearer = format!("Bearer {runner}");
        let got = serving.ask("GET", path, &[("authorization", &bearer)], "");
        assert_eq!(got.status, 403, "{path}");
    }
    let door = |token: &str| {
        let bearer = format!("Bearer {token}");
        serving.ask("GET", "/api/v1/runners/connection", &[("authorization", &bearer)], "").status
    };
    assert_eq!((door(&runner), door(&admin), door("x")), (426, 403, 401));
    let run = |server: &str, token: Option<&str>| {
        let data = serving.place.path("other").display().to_string();
        let mut command =
            serving.place.launchway(&["runner", "--server", server, "--data", data.as_str()]);
        command.env_remove("LAUNCHWAY_TOKEN");
        token.map(|token| command.env("LAUNCHWAY_TOKEN", token));
        Said::from(command.output().expect("it starts"))
    };
    let refused = [
        run(&serving.url, None),
        run(&serving.url, Some(&admin)),
        run("http://ci.example.com", Some(&runner)),
        run("ci.example.com", Some(&runner)),
        serving.command(&["tokens", "create", "a b", "--scope", "runner"]),
    ];
    let refused = refused.iter().map(|it| {
        // What it says of this machine is not about the token.
        let said = it.stderr.lines().filter(|line| !line.starts_with("note: "));
        let said: String = said.map(|line| format!("{line}\n")).collect();
        format!("{} {}{}", it.exit, it.stdout, said.replace(&serving.url, "SERVER"))
    });
    let refused: Vec<String> = refused.collect();
    expect![[r#"
        2 error: a runner needs a token in LAUNCHWAY_TOKEN
        hint: on the server's machine: launchway tokens create NAME --scope runner --data DIR
        4 connecting to SERVER
        error: the server does not take the token: This token may admin; this needs one that may take jobs.
        hint: a runner's own token is in LAUNCHWAY_TOKEN; on the server's machine: launchway tokens create NAME --scope runner --data DIR
        2 error: http://ci.example.com is another machine, and nothing encrypts what goes there: jobs' secrets would
        2 error: --server takes an address such as https://ci.example.com, not `ci.example.com`
        2 error: "a b" is no name of a runner
        hint: letters, digits and -_. such as gpu-1; launchway is the server's own machine
    "#]].assert_eq(&refused.concat());
    serving.end();
}

const FAR: &str = "
on: push
permissions: {}
jobs:
  far:
    runs-on: [self-hosted, far]
    steps:
      - uses: actions/checkout@v4
      - run: cat README.md >> $MARKS/read
";

/// A runner behind TLS: it comes in where it trusts whoever vouches for the server, says so then and not
/// before, and so does the command line.
#[test]
fn a_runner_comes_in_by_tls_where_it_trusts_who_answers() {
    let serving = Serving::of(FAR);
    serving.place.write("README.md", "what is read\n");
    serving.place.commit();
    let front = crate::tls::Front::of(&serving.place, &serving.url);
    let made = serving.command(&["tokens", "create", "far-1", "--scope", "runner"]);
    let token = made.stdout.trim().to_owned();
    let said = || std::fs::read_to_string(serving.place.path("runner-said")).unwrap_or_default();
    let mut wary = begin(&serving, &front.url, &token, "1");
    wait_until("its refusal", || said().contains("cannot reach the server"));
    signal(wary.id(), Signal::TERM);
    assert!(wary.wait().expect("it was started").success());
    let shown = said().replace(&front.url, "FRONT");
    let line = shown.lines().find(|it| it.contains("cannot reach")).expect("it was waited for");
    expect!["cannot reach the server: invalid peer certificate: UnknownIssuer; SSL_CERT_FILE=FILE names an authority of your own"]
        .assert_eq(line);
    assert!(!shown.contains("taking jobs"), "{shown}");

    let authority = front.authority.display().to_string();
    let trusts = [("SSL_CERT_FILE", authority.as_str())];
    let mut runner = begin_with(&serving, &front.url, (&token, "1"), &trusts);
    let taking = format!("taking jobs of {} in ", front.url);
    wait_until("its word", || said().contains(&taking));
    assert_eq!(takes(&serving), "jobs");
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!(serving.mark("read"), "what is read\n");
    let events = serving.get("/api/v1/runs/1/events").text;
    assert!(events.contains(r#""runner":"far-1""#), "{events}");
    let list = |variables: &[(&str, &str)]| {
        let mut command = serving.place.launchway(&["runs", "list", "--server", &front.url]);
        let command = command.env("LAUNCHWAY_TOKEN", &serving.token);
        let said = Said::from(command.envs(variables.iter().copied()).output().expect("it starts"));
        format!(
            "{} {}{}",
            said.exit,
            said.stdout.lines().count(),
            said.stderr.replace(&front.url, "FRONT")
        )
    };
    expect![[r#"
        0 1
        5 0error: the server FRONT does not answer
          because: invalid peer certificate: UnknownIssuer
        hint: SSL_CERT_FILE=FILE names an authority of your own
    "#]]
    .assert_eq(&format!("{}\n{}", list(&trusts), list(&[])));
    signal(runner.id(), Signal::TERM);
    assert!(runner.wait().expect("it was started").success());
    serving.end();
}

const LABELLED: &str = "
on: push
permissions: {}
jobs:
  special:
    runs-on: [self-hosted, gpu]
    steps: [{ run: 'echo x >> $MARKS/special' }]
  plain:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo x >> $MARKS/plain' }]
";

/// A label that nobody has, a runner that takes nothing: the job waits, and says for what.
#[test]
fn a_job_that_waits_says_why() {
    let mut serving = Serving::of(LABELLED);
    assert_eq!(serving.post("/api/v1/runners/launchway/drain", &[], "").status, 200);
    assert_eq!(serving.push().exit, 0);
    let waits = |serving: &Serving, expect: Expect| {
        expect.assert_eq(&jobs(&serving.get("/api/v1/runs/1").json()));
    };
    wait_until("the queue", || {
        let queue = serving.get("/api/v1/runners").json()["queue"].clone();
        queue.as_array().is_some_and(|queue| queue.len() == 2)
    });
    waits(
        &serving,
        expect![[r#"
            queued null
            special: null waits for a runner with the label `gpu`: none has it
            plain: null waits for the runner launchway, which is drained
        "#]],
    );
    let page = serving.get("/runners").text;
    assert!(page.contains("waits for the runner launchway, which is drained"), "{page}");
    let of_server = |serving: &Serving, args: &[&str]| {
        let mut command = serving.place.launchway(&[args, &["--server", &serving.url]].concat());
        Said::from(command.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it starts"))
    };
    let shown = of_server(&serving, &["runs", "show", "1"]).stdout;
    assert!(shown.contains("waits for a runner with the label `gpu`: none has it"), "{shown}");
    expect![[r#"
        launchway  0 of 2 busy  drained: it takes no job
          run 1.1  special  waits for a runner with the label `gpu`: none has it
          run 1.1  plain  waits for the runner launchway, which is drained
    "#]]
    .assert_eq(&of_server(&serving, &["runners", "list"]).stdout);
    let audit = serving.get("/api/v1/audit?action=runner.").text;
    assert!(audit.contains("runner.drain") && !audit.contains("runner.resume"), "{audit}");
    // It is drained for the next server, too.
    serving.kill();
    serving.restart();
    assert_eq!(serving.get("/api/v1/runners").json()["runners"][0]["takes"], "nothing");
    assert_eq!(serving.mark("plain"), "");
    let resumed = of_server(&serving, &["runners", "resume", "launchway"]);
    assert_eq!((resumed.exit, resumed.stderr.as_str()), (0, "launchway takes jobs again\n"));
    wait_until("the plain job", || serving.mark("plain") == "x\n");
    assert_eq!(serving.mark("special"), "");
    assert_eq!(of_server(&serving, &["runners", "drain", "other"]).exit, 2);
    let reader = serving.command(&["tokens", "create", "reader"]).stdout;
    let mut command = serving.place.launchway(&["runners", "drain", "launchway", "--server"]);
    let command = command.arg(&serving.url).env("LAUNCHWAY_TOKEN", reader.trim());
    assert_eq!(Said::from(command.output().expect("it starts")).exit, 4, "it may only read");
    // A server that has the label takes the job.
    serving.kill();
    serving.restart_with(&["--label", "GPU"]);
    assert_eq!(serving.ended("1")["conclusion"], "success");
    assert_eq!((serving.mark("special"), serving.mark("plain")), ("x\n".into(), "x\n".into()));
    serving.end();
}
