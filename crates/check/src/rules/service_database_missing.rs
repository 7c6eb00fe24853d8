//! A database address that names a database which no service creates.

use syntax::{Mapping, Node};

use crate::findings::Findings;
use crate::subject::{Job, SERVICES_MAX, Subject, entries, get_ignoring_case};

/// What the environment of a database image makes.
struct Made {
    service: String,
    variable: &'static str,
    schemes: &'static [&'static str],
    database: Option<String>,
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        if creates_database(job) {
            continue;
        }
        for service in entries(job.body.get("services")).iter().take(SERVICES_MAX) {
            let Some(body) = service.value.as_mapping() else { continue };
            let Some(made) = made_by(&service.key.text, body) else { continue };
            let env = subject.env.iter().chain(job.env);
            let env = env.chain(job.steps.iter().flat_map(|step| step.env));
            for entry in env {
                let Some(text) = entry.value.as_str() else { continue };
                let Some(name) = database_of(text, made.schemes, &made.service) else { continue };
                if made.database.as_deref() == Some(name) || is_always_there(name) {
                    continue;
                }
                let message = format!("the service '{}' makes no database '{name}'", made.service);
                let hint = format!("add `{}: {name}` to the service's env", made.variable);
                findings.warning(entry.value.span, message, hint);
            }
        }
    }
}

fn made_by(id: &str, body: &Mapping) -> Option<Made> {
    let image = body.get("image")?.as_str()?;
    let name = image.rsplit('/').next()?.split([':', '@']).next()?;
    let env = entries(body.get("env"));
    let value = |names: &[&str]| {
        let found = names.iter().find_map(|name| get_ignoring_case(env, name));
        found.map(|node| node.as_str().unwrap_or("${{").to_owned())
    };
    let service = id.to_owned();
    let made = match name {
        "postgres" | "postgis" => {
            let user = value(&["POSTGRES_USER"]).unwrap_or_else(|| "postgres".into());
            let database = Some(value(&["POSTGRES_DB"]).unwrap_or(user));
            let schemes = &["postgres", "postgresql", "postgis"];
            Made { service, variable: "POSTGRES_DB", schemes, database }
        }
        "mysql" | "mariadb" => {
            let database = value(&["MYSQL_DATABASE", "MARIADB_DATABASE"]);
            Made { service, variable: "MYSQL_DATABASE", schemes: &["mysql", "mariadb"], database }
        }
        _ => return None,
    };
    is_literal(&made).then_some(made)
}

fn is_literal(made: &Made) -> bool {
    made.database.as_ref().is_none_or(|name| !name.contains("${{"))
}

/// The database that an address on this machine, or on the service, names.
fn database_of<'t>(text: &'t str, schemes: &[&str], service: &str) -> Option<&'t str> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.split('+').next()?;
    if !schemes.contains(&scheme) || text.contains("${{") {
        return None;
    }
    let (authority, path) = rest.split_once('/')?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    let name = path.split(['?', '#']).next()?;
    let ours = host == "localhost" || host == "127.0.0.1" || host == service;
    (ours && !name.is_empty()).then_some(name)
}

fn is_always_there(name: &str) -> bool {
    matches!(name, "postgres" | "template1" | "mysql" | "information_schema")
}

fn creates_database(job: &Job<'_>) -> bool {
    let creates = |node: &str| {
        let text = node.to_ascii_lowercase();
        [
            "createdb",
            "create database",
            "create_database",
            "db:create",
            "db:setup",
            "db:prepare",
            "create-db",
            "createdatabase",
        ]
        .iter()
        .any(|words| text.contains(words))
    };
    job.steps.iter().filter_map(|step| step.body.get("run").and_then(Node::as_str)).any(creates)
}
