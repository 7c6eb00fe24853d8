//! The role of a machine, or of a task: credentials that AWS puts beside a program and renews.
//!
//! A task of ECS, or a pod, has an address in its environment. A machine of EC2 has a well-known one,
//! and gives nothing without a session's token (IMDSv2): whoever can only make a service fetch an
//! address for him gets nothing.

use std::time::Duration;

use mask::Secret;
use serde_json::Value as Json;

use crate::credentials::Credentials;
use crate::local::{Method, Question};
use crate::sign_in::Surroundings;
use crate::transport::{Reply, host_of};

/// Where a task asks, when only the path is said.
const TASK_HOST: &str = "http://169.254.170.2";
/// Where a machine asks.
const MACHINE: &str = "http://169.254.169.254";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// Addresses to which a task's authorization may be sent without TLS: they never leave the machine.
const NEAR: &[&str] =
    &["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "127.0.0.1", "localhost", "[::1]"];
/// The session lives as long as it takes to ask three times.
const SESSION_SECONDS: u64 = 60;

/// Whether the environment says that a task's role is there.
pub(crate) fn is_task(around: &dyn Surroundings) -> bool {
    let set = |name: &str| around.variable(name).is_some_and(|it| !it.is_empty());
    set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || set("AWS_CONTAINER_CREDENTIALS_FULL_URI")
}

/// The credentials of the task's role, else of the machine's; why there are none.
pub(crate) fn credentials(around: &dyn Surroundings) -> Result<Credentials, String> {
    if is_task(around) { of_task(around) } else { of_machine(around) }
}

fn of_task(around: &dyn Surroundings) -> Result<Credentials, String> {
    let variable = |name: &str| around.variable(name).filter(|it| !it.is_empty());
    let url = match variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        Some(path) => format!("{TASK_HOST}{path}"),
        None => variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap_or_default(),
    };
    let host = host_of(&url);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    };
    if !url.starts_with("https://") && !NEAR.contains(&name) {
        return Err(format!(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to {host} without TLS: it may be this machine only"
        ));
    }
    let mut question = Question::get(url);
    let file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let token = match file {
        Some(path) => {
            let text = around.file(std::path::Path::new(&path));
            Some(text.ok_or_else(|| format!("the token file {path} cannot be read"))?)
        }
        None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    if let Some(token) = token {
        question = question.with("authorization", token.trim());
    }
    read(&asked(around, &question, "the task's agent")?)
        .ok_or_else(|| "the task's agent gave something else than credentials".to_owned())
}

fn of_machine(around: &dyn Surroundings) -> Result<Credentials, String> {
    let variable = |name: &str| around.variable(name).filter(|it| !it.is_empty());
    if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
        return Err("AWS_EC2_METADATA_DISABLED says that it is not asked for one".to_owned());
    }
    let at = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| MACHINE.to_owned());
    let at = at.trim_end_matches('/');
    let session = Question {
        method: Method::Put,
        within: Duration::from_secs(1),
        ..Question::get(format!("{at}/latest/api/token"))
    };
    let seconds = SESSION_SECONDS.to_string();
    let session = session.with("x-aws-ec2-metadata-token-ttl-seconds", &seconds);
    let session = asked(around, &session, "this machine's metadata")?;
    let look = |path: &str| {
        let question = Question::get(format!("{at}{path}"));
        let question = question.with("x-aws-ec2-metadata-token", session.body.trim());
        asked(around, &question, "this machine's metadata")
    };
    let roles = look(ROLES)?;
    let role = roles.body.lines().next().map(str::trim).filter(|it| !it.is_empty());
    let role = role.ok_or("this machine has no role")?;
    read(&look(&format!("{ROLES}{role}"))?)
        .ok_or_else(|| format!("this machine's metadata has no credentials of its role {role}"))
}

fn asked(around: &dyn Surroundings, question: &Question, whom: &str) -> Result<Reply, String> {
    let reply = around.ask(question).map_err(|unanswered| format!("{whom}: {unanswered}"))?;
    match reply.status {
        200 => Ok(reply),
        404 if whom.starts_with("this machine") => Err("this machine has no role".to_owned()),
        status => Err(format!("{whom} answered with {status}")),
    }
}

/// Both say the same: a key, its secret, its session, its end.
fn read(reply: &Reply) -> Option<Credentials> {
    let said: Json = serde_json::from_str(&reply.body).ok()?;
    let text = |key: &str| said[key].as_str();
    let until = text("Expiration")?.parse::<jiff::Timestamp>().ok()?;
    Some(Credentials {
        session: text("Token").map(Secret::new),
        until: u64::try_from(until.as_millisecond()).ok(),
        ..Credentials::key(text("AccessKeyId")?, text("SecretAccessKey")?)
    })
}
