//! The docker that is installed: how native versions call it.
//!
//! Its settings are the job's own: `HOME` is, and `DOCKER_CONFIG` is not passed on, so neither the
//! user's sign-ins nor the user's builders are seen, and what a job signs in to ends with it.

pub(super) mod build;
mod builders;
mod context;
pub(super) mod list;
pub(super) mod login;
mod plain;
mod record;
pub(super) mod setup_buildx;
mod with_buildx;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::step::{Failure, Step};

const INSTALL_DOCKER: &str = "install it, and let your user reach it (Debian: apt-get install docker.io; adduser $USER docker)";
const INSTALL_BUILDX: &str = "install buildx (Debian 13: apt-get install docker-buildx; Docker's own packages: docker-buildx-plugin), or run the original with --no-native";

/// What a command of docker's said.
struct Said {
    ok: bool,
    out: String,
    err: String,
}

impl Said {
    /// Its last words, which say what went wrong.
    fn why(&self) -> String {
        last_line(&self.err).or_else(|| last_line(&self.out)).unwrap_or("unknown error").to_owned()
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// Something that only buildx can do.
fn needs_buildx(what: &str) -> Failure {
    Failure::missing(
        format!("{what} needs buildx, which docker does not have here"),
        INSTALL_BUILDX,
    )
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments);
    command
}

fn start_failed(error: &std::io::Error) -> Failure {
    Failure::missing(format!("docker cannot be started: {error}"), INSTALL_DOCKER)
}

/// Runs it quietly.
fn ask(arguments: &[&str]) -> Result<Said, Failure> {
    ask_command(&mut program(arguments))
}

fn ask_command(command: &mut Command) -> Result<Said, Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| start_failed(&error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) })
}

/// Runs it with its output in the log, and keeps what it said as an error.
fn show(step: &Step, command: &mut Command) -> Result<Said, Failure> {
    let words: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
    step.info(&format!("[command]docker {}", words.join(" ")));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| start_failed(&error))?;
    let mut err = String::new();
    let mut reader = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        // A log that nobody reads any more must not end the build.
        drop(std::io::stdout().lock().write_all(&line));
        err.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait().map_err(|error| start_failed(&error))?;
    Ok(Said { ok: status.success(), out: String::new(), err })
}

/// Fails where the daemon does not answer; gives its version and its platform.
fn daemon() -> Result<Daemon, Failure> {
    let said = ask(&["version", "--format", "{{json .}}"])?;
    let versions: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_default();
    let text = |part: &str, member: &str| versions[part][member].as_str().map(str::to_owned);
    let (Some(version), Some(os), Some(architecture)) =
        (text("Server", "Version"), text("Server", "Os"), text("Server", "Arch"))
    else {
        return Err(Failure::missing(
            format!("docker's daemon does not answer: {}", said.why()),
            "start it (systemctl start docker); jobs reach it at its usual socket, your DOCKER_HOST is not passed on",
        ));
    };
    let client = text("Client", "Version").unwrap_or_default();
    Ok(Daemon { version, client, platform: format!("{os}/{architecture}") })
}

/// What answers.
struct Daemon {
    version: String,
    /// The version of the program.
    client: String,
    /// `linux/amd64`
    platform: String,
}

impl Daemon {
    /// Up to 20.10 the program brings its own way to BuildKit; later ones leave that to buildx.
    fn has_own_buildkit(&self) -> bool {
        let major = self.client.split('.').next().and_then(|it| it.parse::<u32>().ok());
        major.is_some_and(|major| (19..23).contains(&major))
    }
}

/// `v0.12.1`, where buildx is installed.
fn buildx_version() -> Result<Option<String>, Failure> {
    let said = ask(&["buildx", "version"])?;
    let version = said.out.split_whitespace().nth(1).map(str::to_owned);
    Ok(version.filter(|_| said.ok))
}

/// Where docker keeps the settings of this job.
fn config_folder(step: &Step) -> Result<PathBuf, Failure> {
    match step.variable("DOCKER_CONFIG") {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(step.folder("HOME")?.join(".docker")),
    }
}
