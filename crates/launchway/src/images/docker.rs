//! The docker that is installed, asked to build and to push.
//!
//! Building is the native version of `docker/build-push-action` (crate `actions`): a process of this
//! binary with its contract, so that there is one way in which images are built. What it says to its
//! runner is said to the person here.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use mask::Secret;
use registry::Login;
use serde_json::{Value as Json, json};

use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;

/// What is to be built.
pub(crate) struct Order {
    pub(crate) context: PathBuf,
    pub(crate) dockerfile: Option<PathBuf>,
    pub(crate) target: Option<String>,
    pub(crate) platform: &'static str,
    pub(crate) args: Vec<(String, String)>,
    pub(crate) labels: Vec<(String, String)>,
    /// The names that it gets on this machine.
    pub(crate) names: Vec<String>,
}

/// What was built.
pub(crate) struct Built {
    /// The image's id: the digest of its description.
    pub(crate) id: String,
    pub(crate) took_ms: u64,
}

/// The file that an answer of the action comes in.
const OUTPUT: &str = "output";
/// What the action may write besides, and what nobody here reads.
const IGNORED: &[(&str, &str)] = &[
    ("GITHUB_STATE", "state"),
    ("GITHUB_ENV", "env"),
    ("GITHUB_PATH", "path"),
    ("GITHUB_STEP_SUMMARY", "summary"),
];

/// Builds it; the image is docker's then.
pub(crate) fn build(order: &Order) -> Result<Built, Failure> {
    let scratch = tempfile::tempdir().map_err(|error| Failure::caused(Exit::Missing, error))?;
    let own = std::env::current_exe().map_err(|error| Failure::caused(Exit::Fault, error))?;
    let mut command = Command::new(own);
    command.args(["native", "docker-build-push", "main"]);
    command.env("RUNNER_TEMP", scratch.path());
    command.env("GITHUB_OUTPUT", scratch.path().join(OUTPUT));
    for (variable, file) in IGNORED {
        command.env(variable, scratch.path().join(file));
    }
    let pairs = |pairs: &[(String, String)]| {
        let lines = pairs.iter().map(|(key, value)| quoted(&format!("{key}={value}")));
        lines.collect::<Vec<_>>().join("\n")
    };
    command
        .env("INPUT_CONTEXT", &order.context)
        .env("INPUT_FILE", order.dockerfile.as_deref().unwrap_or(Path::new("")))
        .env("INPUT_TARGET", order.target.as_deref().unwrap_or_default())
        .env("INPUT_PLATFORMS", order.platform)
        .env("INPUT_BUILD-ARGS", pairs(&order.args))
        .env("INPUT_LABELS", pairs(&order.labels))
        .env("INPUT_TAGS", order.names.join("\n"))
        .env("INPUT_LOAD", "true")
        .env("INPUT_PROVENANCE", "");
    let began = Instant::now();
    run(&mut command)?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let text = std::fs::read_to_string(scratch.path().join(OUTPUT)).unwrap_or_default();
    let id = output(&text, "imageid")
        .ok_or_else(|| Failure::new(Exit::Failed, "docker named no image that it built"))?;
    Ok(Built { id, took_ms })
}

/// A field as lists of inputs have it: in quotes, those inside twice.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// `NAME<<END`, lines, `END`.
fn output(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{name}<<"))?;
    let (end, rest) = rest.split_once('\n')?;
    rest.split_once(&format!("\n{end}")).map(|(value, _)| value.to_owned())
}

/// Runs the action, and tells what it says: its errors are why it failed.
fn run(command: &mut Command) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::caused(Exit::Fault, error);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut reader = BufReader::new(child.stdout.take().expect("it is piped"));
    let (mut errors, mut hints) = (Vec::new(), Vec::new());
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if let Some(error) = text.strip_prefix("::error::") {
            errors.push(unescaped(error));
        } else if let Some(hint) = text.strip_prefix("hint: ") {
            hints.push(hint.to_owned());
        } else if let Some(warning) = text.strip_prefix("::warning::") {
            talk(&format!("note: {}", unescaped(warning)));
        } else if !text.starts_with("::") {
            talk(&format!("  {text}"));
        }
        line.clear();
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let missing = i32::from(Exit::Missing as u8);
    let exit = if status.code() == Some(missing) { Exit::Missing } else { Exit::Failed };
    let why = if errors.is_empty() { "docker build failed".to_owned() } else { errors.join("; ") };
    Err(hints.into_iter().fold(Failure::new(exit, why), Failure::hint))
}

fn unescaped(text: &str) -> String {
    text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
}

/// Pushes an image by one name. What docker has under that name stays as it was.
pub(crate) fn push(image: &str, name: &str, login: Option<&Login>) -> Result<(), Failure> {
    let scratch = tempfile::tempdir().map_err(|error| Failure::caused(Exit::Missing, error))?;
    if let Some(login) = login {
        let host = name.split('/').next().unwrap_or_default();
        sign_in(scratch.path(), host, login)?;
    }
    let config = login.map(|_| scratch.path());
    let before = ask(&["image", "inspect", "--format", "{{.Id}}", name], None).ok();
    ask(&["tag", image, name], None)?;
    let pushed = ask(&["push", name], config);
    match before {
        Some(before) => ask(&["tag", before.trim(), name], None)?,
        // Its parents stay: they are the cache.
        None => ask(&["rmi", "--no-prune", name], None)?,
    };
    pushed.map(|_| ())
}

/// Docker's settings for one command: a sign-in, and nothing of the user's. Only we can read them, and
/// they go with the folder.
fn sign_in(folder: &Path, host: &str, login: &Login) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::caused(Exit::Missing, error);
    let config = json!({ "auths": { host: { "auth": auth(login).expose() } } });
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).map_err(failed)
}

fn auth(login: &Login) -> Secret {
    use base64::Engine as _;
    let pair = format!("{}:{}", login.username, login.password.expose());
    Secret::new(base64::engine::general_purpose::STANDARD.encode(pair))
}

/// Runs docker quietly, with other settings than the user's where some are given.
fn ask(arguments: &[&str], config: Option<&Path>) -> Result<String, Failure> {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null());
    if let Some(folder) = config {
        // The sign-in is there; which daemon it is stays the user's choice.
        let host = context_host();
        command.env("DOCKER_CONFIG", folder);
        command.envs(host.map(|host| ("DOCKER_HOST", host)));
    }
    let output = command.output().map_err(|error| {
        Failure::new(Exit::Missing, format!("docker cannot be started: {error}"))
            .hint("install it, and let your user reach it")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason");
    let what = arguments.first().copied().unwrap_or_default();
    Err(Failure::new(Exit::Failed, format!("docker {what} failed: {why}")))
}

/// Where the daemon of the user's current context is, unless `DOCKER_HOST` says so already.
fn context_host() -> Option<String> {
    if std::env::var_os("DOCKER_HOST").is_some_and(|it| !it.is_empty()) {
        return None;
    }
    let said = ask(&["context", "inspect"], None).ok()?;
    let contexts: Json = serde_json::from_str(&said).ok()?;
    contexts[0]["Endpoints"]["docker"]["Host"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_action_are_read() {
        let text = "imageid<<end_1\nsha256:aa\nend_1\nmetadata<<end_2\n{\n}\nend_2\n";
        assert_eq!(output(text, "imageid").as_deref(), Some("sha256:aa"));
        assert_eq!(output(text, "metadata").as_deref(), Some("{\n}"));
        assert_eq!(output(text, "digest"), None);
        assert_eq!(quoted("A=a \"b\", c"), "\"A=a \"\"b\"\", c\"");
    }
}
