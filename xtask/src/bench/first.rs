//! From a job that is ready to the first process of its first step, on a server: as its user, behind walls, and in a
//! container; beside a shell, or `docker run`, that starts the same script.
//!
//! The one end is the journal's (`JobReady`), the other the script's own clock, to the millisecond, as it stands in
//! the job's log.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;

use crate::bench::Bench;
use crate::bench::measure::{Row, alone, in_turns, milliseconds, quiet, time};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// What stands before the time that a script of a job says.
const MARK: &str = "it is ";
/// How often one looks whether a run is over; what is measured is past then.
const LOOK: Duration = Duration::from_millis(20);

/// The chapter.
pub(crate) fn first(bench: &Bench) -> Result<Vec<Row>> {
    let rounds = 2 * bench.effort.rounds;
    let script = bench.scratch.path("first.sh");
    let bare_mark = bench.scratch.path("bare-first");
    fs::write(&script, said(&bare_mark))?;
    let bare = alone(rounds, &mut || {
        let began = SystemTime::now();
        time(quiet("bash").arg("-e").arg(&script))?;
        since(began, &fs::read_to_string(&bare_mark)?)
    })?;
    let mut rows = Vec::new();
    for (what, more, most) in
        [("host", &["--trusted-label", "ubuntu-latest"][..], 30.0), ("behind walls", &[], 50.0)]
    {
        let mut server = Server::begin(bench, more)?;
        let ours = alone(rounds, &mut || server.run())?;
        server.end()?;
        let took = milliseconds(ours.median());
        rows.push(Row::of(format!("ready to first process, {what}"), Some(&bare), &ours).judged(
            format!("{took:.1} ms"),
            format!("at most {most} ms"),
            took <= most,
        ));
    }
    rows.extend(contained(bench, rounds)?);
    Ok(rows)
}

/// In a container, beside `docker run` of the same image with the same script: of a label that is trusted, on
/// Docker's own network; kept in, beside one that has a network made for it, too.
fn contained(bench: &Bench, rounds: usize) -> Result<Vec<Row>> {
    let what = "ready to first process, in a container";
    let Some(image) = image(bench)? else {
        return Ok(vec![Row::missing(what, "Docker does not answer, or no busybox is installed")]);
    };
    let place = bench.scratch.next("docker-run");
    fs::create_dir_all(&place)?;
    let (script, mark) = (place.join("first.sh"), place.join("mark"));
    fs::write(&script, said(&mark))?;
    let volume = format!("{0}:{0}", place.display());
    let bare = |network: &str| {
        let began = SystemTime::now();
        if network != "bridge" {
            time(quiet("docker").args(["network", "create", network]))?;
        }
        let mut run = quiet("docker");
        run.args(["run", "--rm", "--network", network, "--volume", &volume, &image, "sh", "-e"]);
        time(run.arg(&script))?;
        if network != "bridge" {
            time(quiet("docker").args(["network", "rm", network]))?;
        }
        since(began, &fs::read_to_string(&mark)?)
    };
    let mut rows = Vec::new();
    for (what, network, more) in [
        (what.to_owned(), "bridge", &["--trusted-label", "ubuntu-latest"][..]),
        (format!("{what}, kept in"), "launchway-bench", &[]),
    ] {
        let mut server = Server::begin_in(bench, more, Some(&image))?;
        let (bare, ours) = in_turns(rounds, &mut || bare(network), &mut || server.run())?;
        server.end()?;
        let ratio = ours.median().as_secs_f64() / bare.median().as_secs_f64();
        let took = milliseconds(ours.median());
        rows.push(Row::of(what, Some(&bare), &ours).judged(
            format!("{took:.1} ms, {ratio:.2} times docker run"),
            "at most 1.3 times docker run".to_owned(),
            ratio <= 1.3,
        ));
    }
    Ok(rows)
}

/// An image with nothing but a shell; none where Docker is not.
fn image(bench: &Bench) -> Result<Option<String>> {
    let place = bench.scratch.next("image");
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let Some(busybox) = busybox.into_iter().find(|path| path.exists()) else { return Ok(None) };
    fs::create_dir_all(&place)?;
    fs::copy(busybox, place.join("sh"))?;
    fs::write(place.join("Dockerfile"), "FROM scratch\nCOPY sh /bin/sh\nENV PATH=/bin\n")?;
    let mut build = quiet("docker");
    build.env("DOCKER_BUILDKIT", "0").args(["build", "--tag", "launchway-bench:1"]).arg(&place);
    Ok(time(&mut build).is_ok().then(|| "launchway-bench:1".to_owned()))
}

/// A script that says when it began.
fn said(mark: &Path) -> String {
    format!("echo \"$EPOCHREALTIME\" > '{}'\n", mark.display())
}

/// What a script said, in seconds since 1970, less when it began.
fn since(began: SystemTime, said: &str) -> Result<Duration> {
    let seconds: f64 =
        said.trim().replace(',', ".").parse().context("bash says what time it is")?;
    Ok((UNIX_EPOCH + Duration::from_secs_f64(seconds)).duration_since(began).unwrap_or_default())
}

/// A server with a repository that is pushed to.
struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    host: String,
    token: String,
    work: PathBuf,
    bare: PathBuf,
    runs: u64,
}

impl Server {
    fn begin(bench: &Bench, more: &[&str]) -> Result<Server> {
        Server::begin_in(bench, more, None)
    }

    /// With a workflow whose job runs in a container of this image.
    fn begin_in(bench: &Bench, more: &[&str], image: Option<&str>) -> Result<Server> {
        let place = bench.scratch.next("first");
        fs::create_dir_all(&place)?;
        let (bare, data) = (place.join("app.git"), place.join("data"));
        let name = format!("work-{}-{}", more.len(), image.is_some());
        let work = bench.scratch.repository(&name, &[workflow(image)])?;
        time(quiet("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&bare))?;
        let talk = place.join("said");
        let mut command = quiet(&bench.launchway);
        command.args(["serve", "--listen", "127.0.0.1:0", "--jobs", "1", "--grace", "0"]);
        command.arg("--data").arg(&data).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(fs::File::create(&talk)?).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it is piped")?).read_line(&mut line)?;
        let host = line.trim().strip_prefix("serving http://").context("it serves")?.to_owned();
        let token = waited("the first token", || {
            let talk = fs::read_to_string(&talk).ok()?;
            let line = talk.lines().find(|it| it.trim().starts_with("launchway_"))?;
            Some(line.trim().to_owned())
        })?;
        let mut add = quiet(&bench.launchway);
        add.args(["repositories", "add", "--name", "octo/app"]).arg(&bare);
        time(add.arg("--data").arg(&data))?;
        Ok(Server { child, host, token, work, bare, runs: 0 })
    }

    /// A push, and how long its job was ready before its first process ran.
    fn run(&mut self) -> Result<Duration> {
        let person = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        let commit = ["commit", "--quiet", "--allow-empty", "--message=again"];
        time(quiet("git").args(person).args(commit).current_dir(&self.work))?;
        let push = ["push", "--quiet"];
        time(quiet("git").args(push).arg(&self.bare).arg("HEAD:main").current_dir(&self.work))?;
        self.runs += 1;
        let run = self.runs;
        let events = waited("the run's end", || {
            let events = self.get(&format!("/api/v1/runs/{run}/events")).ok()?;
            let events: Json = serde_json::from_str(&events).ok()?;
            let all = events["events"].as_array()?.clone();
            all.iter().any(|it| it["event"]["type"] == "RunCompleted").then_some(all)
        })?;
        let ready = events.iter().find(|it| it["event"]["type"] == "JobReady");
        let ready = ready.and_then(|it| it["event"]["at"].as_u64()).context("it was ready")?;
        let log = self.get(&format!("/runs/{run}/jobs/first/log.txt"))?;
        let said = log.lines().filter_map(|line| line.split_once(MARK)).next_back();
        let (_, said) = said.with_context(|| format!("the script said when it began: {log}"))?;
        since(UNIX_EPOCH + Duration::from_millis(ready), said)
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.host)?;
        let (host, token) = (&self.host, &self.token);
        // The older version: its answers come in one piece.
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("a head and a body")?;
        Ok(body.to_owned())
    }

    fn end(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        time(quiet("kill").args(["-TERM", &pid]))?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn workflow(image: Option<&str>) -> String {
    let container = image.map(|it| format!("    container: '{it}'\n")).unwrap_or_default();
    format!(
        "on: push\npermissions: {{}}\njobs:\n  first:\n    runs-on: ubuntu-latest\n{container}    steps:\n      - run: echo \"{MARK}$EPOCHREALTIME\"\n"
    )
}

fn waited<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > until {
            bail!("waited in vain for {what}");
        }
        sleep(LOOK);
    }
}
