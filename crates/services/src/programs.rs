//! The programs that stand for images, one file each.

mod mariadb;
mod postgres;
mod redis;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::plan::ServicePlan;

/// A local program that can be a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// For `postgres`.
    Postgres,
    /// For `redis` and `valkey`.
    Redis,
    /// For `mariadb`.
    Mariadb,
    /// MariaDB in the place of `mysql`, said aloud.
    MariadbForMysql,
}

/// How a program is set up, started and asked whether it is there. The steps run in this order.
pub(crate) struct Recipe {
    /// The program itself.
    pub(crate) server: PathBuf,
    /// Run once, before the server, to make its data folder.
    pub(crate) prepare: Vec<Command>,
    /// The server, in the foreground.
    pub(crate) serve: Command,
    /// Ends well when the server takes connections.
    pub(crate) ready: Command,
    /// Run once when it takes connections: users, databases.
    pub(crate) finish: Vec<Command>,
    /// For health commands and `docker exec`-like use: where the client finds the server.
    pub(crate) client_env: Vec<(&'static str, String)>,
    /// Small programs put first on the health command's PATH: name and script.
    pub(crate) shims: Vec<(&'static str, String)>,
}

/// Where a service lives.
pub(crate) struct Place<'a> {
    /// An empty folder of its own.
    pub(crate) folder: &'a Path,
    /// The port it listens on; none: on no port at all.
    pub(crate) port: Option<u16>,
}

/// Why there is no recipe.
pub(crate) enum NoRecipe {
    /// This program is not there.
    Missing(String),
    /// The image would refuse to start with this environment, and says this.
    Environment(String),
}

impl Program {
    /// The program for an image's name, and the version its tag asks for.
    pub(crate) fn for_image(image: &str) -> Option<(Program, Option<String>)> {
        let without_digest = image.split('@').next().unwrap_or(image);
        let (path, tag) = match without_digest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (without_digest, None),
        };
        let path = path.strip_prefix("docker.io/").unwrap_or(path);
        let path = path.strip_prefix("public.ecr.aws/docker/").unwrap_or(path);
        let program = match path.strip_prefix("library/").unwrap_or(path) {
            "postgres" => Program::Postgres,
            "redis" | "valkey/valkey" => Program::Redis,
            "mariadb" => Program::Mariadb,
            "mysql" => Program::MariadbForMysql,
            _ => return None,
        };
        let version = tag.map(|tag| tag.split('-').next().unwrap_or(tag));
        let version = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
        Some((program, version.map(str::to_owned)))
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Program::Postgres => "PostgreSQL",
            Program::Redis => "Redis",
            Program::Mariadb => "MariaDB",
            Program::MariadbForMysql => "MariaDB (for MySQL)",
        }
    }

    /// The Debian package that brings it.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Program::Postgres => "postgresql",
            Program::Redis => "redis-server",
            Program::Mariadb | Program::MariadbForMysql => "mariadb-server",
        }
    }

    /// The port its image listens on.
    pub(crate) fn port(self) -> u16 {
        match self {
            Program::Postgres => 5432,
            Program::Redis => 6379,
            Program::Mariadb | Program::MariadbForMysql => 3306,
        }
    }

    pub(crate) fn recipe(self, plan: &ServicePlan, place: &Place<'_>) -> Result<Recipe, NoRecipe> {
        match self {
            Program::Postgres => postgres::recipe(plan, place),
            Program::Redis => redis::recipe(plan, place),
            Program::Mariadb | Program::MariadbForMysql => mariadb::recipe(plan, place),
        }
    }
}

/// A program on PATH, or in one of the folders where Debian keeps what is not on it.
pub(crate) fn find(name: &str, more: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    more.iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The value of a variable of the service, the last one given.
pub(crate) fn variable<'a>(plan: &'a ServicePlan, names: &[&str]) -> Option<&'a str> {
    let wanted = |key: &String| names.contains(&key.as_str());
    plan.env.iter().rev().find(|(key, _)| wanted(key)).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_under_all_their_names() {
        let check = |image: &str, expect: Option<(Program, Option<&str>)>| {
            let found = Program::for_image(image);
            let found = found.as_ref().map(|(program, version)| (*program, version.as_deref()));
            assert_eq!(found, expect, "{image}");
        };
        check("postgres:15-alpine", Some((Program::Postgres, Some("15"))));
        check("docker.io/library/postgres", Some((Program::Postgres, None)));
        check("redis:7.2@sha256:abc", Some((Program::Redis, Some("7.2"))));
        check("redis:latest", Some((Program::Redis, None)));
        check("mysql:8", Some((Program::MariadbForMysql, Some("8"))));
        check("localhost:5000/postgres", None);
        check("bitnami/postgresql:15", None);
    }
}
