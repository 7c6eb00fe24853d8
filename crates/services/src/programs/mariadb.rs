//! MariaDB, also in the place of MySQL: root's password, a user and a database from the environment.

use std::process::Command;

use super::{NoRecipe, Place, Recipe, find, variable};
use crate::plan::ServicePlan;

pub(super) fn recipe(plan: &ServicePlan, place: &Place<'_>) -> Result<Recipe, NoRecipe> {
    let program = |name: &str| find(name, &[]).ok_or_else(|| NoRecipe::Missing(name.to_owned()));
    let server = program("mariadbd")?;
    let install = program("mariadb-install-db")?;
    let client = program("mariadb")?;
    let data = place.folder.join("data");
    let socket = place.folder.join("mysqld.sock");

    let mut init = Command::new(&install);
    init.arg(format!("--datadir={}", data.display()));
    init.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);

    let mut serve = Command::new(&server);
    serve.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
    serve.arg(format!("--socket={}", socket.display()));
    serve.arg(format!("--pid-file={}", place.folder.join("pid").display()));
    match place.port {
        Some(port) => serve.args([&format!("--port={port}"), "--bind-address=127.0.0.1"]),
        None => serve.arg("--skip-networking"),
    };
    // The data lives as long as the job.
    serve.args(["--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"]);
    serve.args(plan.arguments.iter().filter(|argument| argument.starts_with("--")));

    let connect = || {
        let mut command = Command::new(&client);
        command
            .arg("--no-defaults")
            .arg(format!("--socket={}", socket.display()))
            .arg("--user=root");
        command
    };
    let mut ready = connect();
    ready.args(["-e", "SELECT 1"]);
    let mut finish = connect();
    finish.args(["-e", &statements(plan)?]);
    let client_env = vec![
        ("MYSQL_UNIX_PORT", socket.display().to_string()),
        ("MYSQL_HOST", "localhost".to_owned()),
        ("MYSQL_TCP_PORT", place.port.unwrap_or(3306).to_string()),
    ];
    // The images have both names; health commands use either.
    let shims =
        [("mysqladmin", "mariadb-admin"), ("mysql", "mariadb"), ("mariadb-admin", "mariadb-admin")]
            .into_iter()
            .filter_map(|(name, real)| Some((name, find(real, &[])?)))
            .map(|(name, real)| {
                let script = format!(
                    "h=; for a in \"$@\"; do case \"$a\" in -h*|--host*) h=1;; esac; done\n\
                 if [ -z \"$h\" ]; then set -- --socket='{}' \"$@\"; fi\nexec '{}' \"$@\"",
                    socket.display(),
                    real.display()
                );
                (name, script)
            })
            .collect();
    Ok(Recipe {
        server,
        prepare: vec![init],
        serve,
        ready,
        finish: vec![finish],
        client_env,
        shims,
    })
}

/// What the image's entry point does with its environment, as SQL.
fn statements(plan: &ServicePlan) -> Result<String, NoRecipe> {
    let named =
        |name: &str| variable(plan, &[&format!("MYSQL_{name}"), &format!("MARIADB_{name}")]);
    let password = named("ROOT_PASSWORD").unwrap_or_default();
    let empty = ["ALLOW_EMPTY_PASSWORD", "ALLOW_EMPTY_ROOT_PASSWORD", "RANDOM_ROOT_PASSWORD"]
        .iter()
        .any(|name| named(name).is_some_and(|value| !value.is_empty()));
    if password.is_empty() && !empty {
        let words = "Database is uninitialized and password option is not specified: the image stops \
            with this message unless MYSQL_ROOT_PASSWORD or MYSQL_ALLOW_EMPTY_PASSWORD is set";
        return Err(NoRecipe::Environment(words.to_owned()));
    }
    let mut sql = String::new();
    if let Some(database) = named("DATABASE") {
        sql += &format!("CREATE DATABASE IF NOT EXISTS {};", identifier(database));
    }
    if let (Some(user), Some(password)) = (named("USER"), named("PASSWORD")) {
        let account = format!("{}@'%'", literal(user));
        sql += &format!("CREATE USER {account} IDENTIFIED BY {};", literal(password));
        if let Some(database) = named("DATABASE") {
            sql += &format!("GRANT ALL ON {}.* TO {account};", identifier(database));
        }
    }
    let password = literal(password);
    sql += &format!("CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY {password};");
    sql += "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;";
    // Last: it closes the door that these statements come in by.
    sql += &format!("ALTER USER root@localhost IDENTIFIED BY {password};");
    Ok(sql)
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
