//! From what the workflow says of a service to what is started.

use std::time::Duration;

use serde_json::Value as Json;

use crate::ServiceError;
use crate::options::{self, Options};
use crate::programs::Program;

/// A service that a local program can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlan {
    /// The key under `services`.
    pub id: String,
    /// As written.
    pub image: String,
    /// Which program stands for it.
    pub program: Program,
    /// The image's tag, where it names a version.
    pub version: Option<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Mapped ports. Without any the job cannot reach it (conformance 163).
    pub ports: Vec<PortMapping>,
    /// How health is asked for.
    pub health: Option<Health>,
    /// `command`, after the program's own arguments.
    pub arguments: Vec<String>,
    /// What is accepted and not enforced.
    pub notes: Vec<String>,
}

/// `ports:` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// The port on this machine; none: any free one.
    pub host: Option<u16>,
    /// The port the image would listen on.
    pub container: u16,
}

/// A health check with Docker's defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Run by `sh -c`.
    pub command: String,
    /// Between two looks.
    pub interval: Duration,
    /// For one look.
    pub timeout: Duration,
    /// Looks that may fail in a row.
    pub retries: u32,
    /// Failures in this time do not count.
    pub start_period: Duration,
}

const KEYS: &[&str] =
    &["image", "env", "ports", "options", "command", "entrypoint", "volumes", "credentials"];

/// Reads one evaluated entry of `services`. `Ok(None)`: an empty image, which means no service
/// (conformance 159).
pub fn plan(id: &str, service: &Json) -> Result<Option<ServicePlan>, ServiceError> {
    let refused = |reason: String, hint: &str| ServiceError::Refused {
        id: id.to_owned(),
        reason,
        hint: hint.to_owned(),
    };
    let image = match service {
        Json::String(image) => image.as_str(),
        _ => service["image"].as_str().unwrap_or_default(),
    };
    let image = image.strip_prefix("docker://").unwrap_or(image);
    if image.is_empty() {
        return Ok(None);
    }
    for key in service.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !KEYS.contains(&key.as_str()) {
            return Err(refused(
                format!("unexpected key `{key}`"),
                "see the keys of a service in GitHub's documentation",
            ));
        }
    }
    let Some((program, version)) = Program::for_image(image) else {
        return Err(refused(
            format!("the image {image} needs Docker"),
            "without Docker only postgres, redis, valkey, mysql and mariadb can be had, as local programs",
        ));
    };
    for key in ["volumes", "entrypoint"] {
        if !is_empty(&service[key]) {
            return Err(refused(
                format!("`{key}` needs Docker; {} runs as a local program here", program.name()),
                &format!("remove `{key}`, or run where Docker is"),
            ));
        }
    }
    let bad =
        |reason: String| refused(reason, "see jobs.<job_id>.services in GitHub's documentation");
    let options = options::parse(service["options"].as_str().unwrap_or_default())
        .map_err(|error| bad(format!("options: {error}")))?;
    let mut env = pairs(&service["env"]);
    env.extend(options.env.iter().cloned());
    let mut notes: Vec<String> = options
        .not_enforced
        .iter()
        .map(|flag| format!("service {id}: option {flag} is not enforced for a local program"))
        .collect();
    if !is_empty(&service["credentials"]) {
        notes.push(format!("service {id}: credentials are not needed for a local program"));
    }
    let ports = ports(&service["ports"]).map_err(bad)?;
    let arguments = docker::split(service["command"].as_str().unwrap_or_default()).map_err(bad)?;
    let health = health(options);
    let image = image.to_owned();
    Ok(Some(ServicePlan {
        id: id.to_owned(),
        image,
        program,
        version,
        env,
        ports,
        health,
        arguments,
        notes,
    }))
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn pairs(env: &Json) -> Vec<(String, String)> {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    let fields = env.as_object().into_iter().flatten();
    fields.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// `5432`, `5432:5432`, `5432/tcp`, `127.0.0.1:5432:5432`
fn ports(written: &Json) -> Result<Vec<PortMapping>, String> {
    let entries = written.as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().map(port).collect()
}

fn port(written: &Json) -> Result<PortMapping, String> {
    let text = match written {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let bad =
        || format!("`{text}` is no port mapping; write HOST:CONTAINER, for example 5432:5432");
    let without_protocol = match text.split_once('/') {
        Some((ports, "tcp")) => ports,
        Some(_) => return Err(format!("`{text}`: only tcp can be mapped")),
        None => &text,
    };
    let mut parts = without_protocol.rsplit(':');
    let container = parts.next().and_then(|port| port.parse().ok()).ok_or_else(bad)?;
    let host = match parts.next() {
        None | Some("") => None,
        Some(port) => Some(port.parse().map_err(|_| bad())?),
    };
    Ok(PortMapping { host, container })
}

/// Docker's defaults where the options say nothing.
fn health(options: Options) -> Option<Health> {
    let command = options.health_command.filter(|command| command != "NONE")?;
    Some(Health {
        command,
        interval: options.interval.unwrap_or(Duration::from_secs(30)),
        timeout: options.timeout.unwrap_or(Duration::from_secs(30)),
        retries: options.retries.filter(|retries| *retries > 0).unwrap_or(3),
        start_period: options.start_period.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn check(service: &Json, expect: Expect) {
        let shown = match plan("db", service) {
            Ok(None) => "none".to_owned(),
            Ok(Some(plan)) => format!(
                "{} {:?} env={:?} ports={:?} health={:?} args={:?} notes={:?}",
                plan.program.name(),
                plan.version,
                plan.env,
                plan.ports.iter().map(|port| (port.host, port.container)).collect::<Vec<_>>(),
                plan.health.map(|health| (health.command, health.interval, health.retries)),
                plan.arguments,
                plan.notes,
            ),
            Err(error) => format!("error: {error}\nhint: {}", error.hint().unwrap_or_default()),
        };
        expect.assert_eq(&shown);
    }

    // proves: conformance 159, 162
    #[test]
    fn what_the_seeds_write() {
        check(
            &json!({"image": "postgres:15", "env": {"POSTGRES_PASSWORD": "postgres"}, "ports": ["5432:5432", 5433],
                    "options": "--health-cmd pg_isready --health-interval 10s"}),
            expect![[
                r#"PostgreSQL Some("15") env=[("POSTGRES_PASSWORD", "postgres")] ports=[(Some(5432), 5432), (None, 5433)] health=Some(("pg_isready", 10s, 3)) args=[] notes=[]"#
            ]],
        );
        check(
            &json!("redis:7"),
            expect![[r#"Redis Some("7") env=[] ports=[] health=None args=[] notes=[]"#]],
        );
        check(&json!({"image": ""}), expect!["none"]);
    }

    #[test]
    fn what_needs_docker_is_refused_by_name() {
        check(
            &json!({"image": "elasticsearch:8"}),
            expect![[r#"
                error: service db: the image elasticsearch:8 needs Docker
                hint: without Docker only postgres, redis, valkey, mysql and mariadb can be had, as local programs"#]],
        );
        check(
            &json!({"image": "postgres", "volumes": ["data:/data"]}),
            expect![[r#"
                error: service db: `volumes` needs Docker; PostgreSQL runs as a local program here
                hint: remove `volumes`, or run where Docker is"#]],
        );
        check(
            &json!({"image": "redis", "ports": ["6379:6379/udp"]}),
            expect![[r#"
                error: service db: `6379:6379/udp`: only tcp can be mapped
                hint: see jobs.<job_id>.services in GitHub's documentation"#]],
        );
    }

    #[test]
    fn what_is_not_enforced_is_said() {
        check(
            &json!({"image": "mysql:8", "options": "--memory 1g", "credentials": {"username": "a"}}),
            expect![[
                r#"MariaDB (for MySQL) Some("8") env=[] ports=[] health=None args=[] notes=["service db: option --memory 1g is not enforced for a local program", "service db: credentials are not needed for a local program"]"#
            ]],
        );
    }
}
