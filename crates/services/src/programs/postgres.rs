//! PostgreSQL as its image runs it: user, password and database from the environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{NoRecipe, Place, Recipe, find, variable};
use crate::plan::ServicePlan;

pub(super) fn recipe(plan: &ServicePlan, place: &Place<'_>) -> Result<Recipe, NoRecipe> {
    let folders = installed(plan.version.as_deref());
    let program =
        |name: &str| find(name, &folders).ok_or_else(|| NoRecipe::Missing(name.to_owned()));
    let (server, initdb, psql) = (program("postgres")?, program("initdb")?, program("psql")?);
    let user = variable(plan, &["POSTGRES_USER"]).unwrap_or("postgres");
    let database = variable(plan, &["POSTGRES_DB"]).unwrap_or(user);
    let password = variable(plan, &["POSTGRES_PASSWORD"]).unwrap_or_default();
    let trust = variable(plan, &["POSTGRES_HOST_AUTH_METHOD"]) == Some("trust");
    if password.is_empty() && !trust {
        let words = "Database is uninitialized and superuser password is not specified: \
            the image stops with this message unless POSTGRES_PASSWORD is set";
        return Err(NoRecipe::Environment(words.to_owned()));
    }
    let data = place.folder.join("data");
    let password_file = place.folder.join("password");
    let port = place.port.unwrap_or(5432).to_string();

    // The image makes connections inside the container trusted, and asks for a password outside.
    let mut init = Command::new(&initdb);
    init.arg("--pgdata").arg(&data).args(["--username", user, "--encoding", "UTF8", "--no-sync"]);
    init.args([
        "--auth-local",
        "trust",
        "--auth-host",
        if trust { "trust" } else { "scram-sha-256" },
    ]);
    init.arg("--no-locale");
    if !password.is_empty() {
        init.arg("--pwfile").arg(&password_file);
    }
    let mut prepare: Vec<Command> = keep_password(&password_file, password).into_iter().collect();
    prepare.push(init);

    let mut serve = Command::new(&server);
    let listen = if place.port.is_some() { "localhost" } else { "" };
    serve.arg("-D").arg(&data).arg("-k").arg(place.folder).args(["-p", &port, "-h", listen]);
    // The data lives as long as the job: what keeps it over a power cut only costs time.
    serve.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
    serve.args(plan.arguments.iter().skip_while(|argument| *argument == "postgres"));

    let folder = place.folder.display().to_string();
    let client = |database: &str| {
        let mut command = Command::new(&psql);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", &folder, "-p", &port, "-U", user]);
        command.args(["-d", database]);
        command
    };
    let mut ready = client("postgres");
    ready.args(["-c", "SELECT 1"]);
    let mut finish = Vec::new();
    if database != "postgres" {
        let mut create = client("postgres");
        create.args(["-c", &format!("CREATE DATABASE \"{}\"", database.replace('"', "\"\""))]);
        finish.push(create);
    }
    let client_env = vec![
        ("PGHOST", folder),
        ("PGPORT", port),
        ("PGUSER", user.to_owned()),
        ("PGDATABASE", database.to_owned()),
    ];
    let tools =
        server.parent().map(|folder| folder.join("pg_isready")).filter(|path| path.is_file());
    let shims = tools
        .map(|path| ("pg_isready", format!("exec '{}' \"$@\"", path.display())))
        .into_iter()
        .collect();
    Ok(Recipe { server, prepare, serve, ready, finish, client_env, shims })
}

/// Writes the password to a file that only its owner reads: an argument would show in the process
/// list. By `sh`, because it runs as the server's user.
fn keep_password(file: &Path, password: &str) -> Option<Command> {
    if password.is_empty() {
        return None;
    }
    let mut keep = Command::new("sh");
    keep.args(["-c", "umask 077; printf '%s\\n' \"$SERVICE_PASSWORD\" > \"$0\""]).arg(file);
    keep.env("SERVICE_PASSWORD", password);
    Some(keep)
}

/// Debian keeps each major version in a folder of its own. The wanted one first, then the newest.
fn installed(version: Option<&str>) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    let wanted = version.and_then(|version| version.split('.').next()?.parse().ok());
    found.sort_by_key(|(major, _)| (Some(*major) != wanted, std::cmp::Reverse(*major)));
    found.into_iter().map(|(_, folder)| folder).collect()
}
