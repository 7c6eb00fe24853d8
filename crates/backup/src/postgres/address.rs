//! The address of a database: what a secret says, as programs of PostgreSQL take it.
//!
//! It never stands in an argument, a variable or a file on a disk. Programs read it from a *service
//! file* (libpq's `PGSERVICEFILE`) that lives in memory and is handed to them as an open descriptor:
//! nobody else can read it, and nothing is left behind by whoever is killed.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use mask::{Masker, Secret};
use rustix::fs::{MemfdFlags, SealFlags};

/// What libpq knows by these names. An address is made for an application, too: what its driver alone
/// understands (`schema`, `pgbouncer`) does not say where the database is, and is left out.
const KNOWN: &[&str] = &[
    "channel_binding",
    "connect_timeout",
    "dbname",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "krbsrvname",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "require_auth",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];
/// How long a connection may take, where the address says nothing else: seconds.
const CONNECT_SECONDS: &str = "10";
/// The section of the service file.
pub(crate) const SERVICE: &str = "launchway";

/// Where a database is, and who we are there. It cannot be printed.
#[derive(Clone)]
pub struct Address {
    parameters: Vec<(String, String)>,
    whole: Secret,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(***)")
    }
}

/// Why a secret is no address of a database. The secret is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins otherwise.
    #[error("it is no address of PostgreSQL: postgresql://USER:PASSWORD@HOST/DATABASE")]
    Scheme,
    /// `%` without two digits of hex behind it.
    #[error("a `%` in it is followed by no two digits of hex")]
    Escape,
    /// A line break, or a blank at an end, in a part of it.
    #[error("a part of it holds a line break, or ends with a blank")]
    Blank,
    /// Nothing says which database.
    #[error("it names no database: postgresql://USER:PASSWORD@HOST/DATABASE")]
    Database,
}

impl Address {
    /// As an application has it: `postgresql://...`, whatever driver is named behind a `+`.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(secret: &Secret) -> Result<Address, AddressError> {
        let whole = secret.expose().trim();
        let (scheme, rest) = whole.split_once("://").ok_or(AddressError::Scheme)?;
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err(AddressError::Scheme);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (person, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = person.split_once(':').unwrap_or((person, ""));
        let (hosts, ports): (Vec<&str>, Vec<&str>) = hosts.split(',').map(host_and_port).unzip();
        let mut address = Address { parameters: Vec::new(), whole: Secret::new(whole) };
        address.set("host", &decoded(&hosts.join(","))?);
        if ports.iter().any(|it| !it.is_empty()) {
            address.set("port", &ports.join(","));
        }
        address.set("user", &decoded(user)?);
        address.set("password", &decoded(password)?);
        address.set("dbname", &decoded(database)?);
        for (key, value) in query.split('&').filter_map(|it| it.split_once('=')) {
            let (key, value) = (decoded(key)?, decoded(value)?);
            match (key.as_str(), value.as_str()) {
                // As drivers other than libpq write it.
                ("ssl", "true") => address.set("sslmode", "require"),
                ("ssl", mode) if mode != "false" => address.set("sslmode", mode),
                (known, value) if KNOWN.contains(&known) => address.set(known, value),
                _ => {}
            }
        }
        if address.get("connect_timeout").is_none() {
            address.set("connect_timeout", CONNECT_SECONDS);
        }
        if address.get("dbname").is_none() {
            return Err(AddressError::Database);
        }
        let is_bad =
            |it: &(String, String)| it.1.contains(['\n', '\r', '\0']) || it.1 != it.1.trim();
        if address.parameters.iter().any(is_bad) {
            return Err(AddressError::Blank);
        }
        Ok(address)
    }

    /// The database.
    pub fn database(&self) -> &str {
        self.get("dbname").expect("what names none is no address")
    }

    /// The same server, another database.
    pub fn in_database(&self, name: &str) -> Address {
        let mut other = self.clone();
        other.set("dbname", name);
        other
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }

    /// The later wins; nothing said is nothing set.
    fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.parameters.retain(|it| it.0 != name);
        self.parameters.push((name.to_owned(), value.to_owned()));
    }

    /// The service file, in memory, for nobody to change.
    pub(crate) fn service(&self) -> std::io::Result<File> {
        let mut text = format!("[{SERVICE}]\n");
        for (key, value) in &self.parameters {
            let _ = writeln!(text, "{key}={value}");
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(rustix::fs::memfd_create("launchway", flags)?);
        file.write_all(text.as_bytes())?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        Ok(file)
    }

    /// What a program of PostgreSQL said, without anything of the address.
    pub(crate) fn cover(&self, said: &str) -> String {
        let mut masker = Masker::new();
        masker.add(self.whole.expose());
        for key in ["password", "host", "hostaddr"] {
            for part in self.get(key).into_iter().flat_map(|it| it.split(',')) {
                masker.add(part);
            }
        }
        masker.add(self.get("password").unwrap_or_default());
        let mut said = without_place(said);
        // They may be ordinary words: only where they are named as such.
        for name in ["user", "dbname"].iter().filter_map(|it| self.get(it)) {
            said = said.replace(&format!("\"{name}\""), "\"***\"");
        }
        masker.mask(&said).as_str().to_owned()
    }
}

/// libpq names the numbers behind a host, too: `connection to server at "db" (10.0.0.7), port 5432
/// failed: ...`.
fn without_place(said: &str) -> String {
    let (begin, end) = ("connection to server ", " failed: ");
    let mut out = String::new();
    for line in said.lines() {
        let line = match line.split_once(begin) {
            Some((before, rest)) if rest.contains(end) => {
                let (_, why) = rest.split_once(end).expect("it is in it");
                format!("{before}the connection failed: {why}")
            }
            _ => line.to_owned(),
        };
        out += &line;
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// `[::1]:5432`, `db:5432`, `db`.
fn host_and_port(text: &str) -> (&str, &str) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        return (host, rest.strip_prefix(':').unwrap_or_default());
    }
    text.split_once(':').unwrap_or((text, ""))
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let hex = rest.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let byte = hex.and_then(|it| u8::from_str_radix(it, 16).ok());
        bytes.push(byte.ok_or(AddressError::Escape)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| AddressError::Escape)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let told = match Address::read(&Secret::new(text)) {
            Ok(address) => {
                let mut file = address.service().expect("memory");
                let mut text = String::new();
                file.rewind().expect("it is a file");
                file.read_to_string(&mut text).expect("it is text");
                assert_eq!(format!("{address:?}"), "Address(***)");
                text
            }
            Err(error) => format!("error: {error}\n"),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn an_address_is_read_as_applications_have_it() {
        check(
            "postgresql://planner:p%40ss:w%2Frd@db.example.com:5433/planner?sslmode=require&schema=app",
            expect![[r#"
                [launchway]
                host=db.example.com
                port=5433
                user=planner
                password=p@ss:w/rd
                dbname=planner
                sslmode=require
                connect_timeout=10
            "#]],
        );
        check(
            "postgres+asyncpg://planner@[::1]:5432/planner?ssl=true&connect_timeout=3",
            expect![[r#"
                [launchway]
                host=::1
                port=5432
                user=planner
                dbname=planner
                sslmode=require
                connect_timeout=3
            "#]],
        );
        check(
            "postgresql:///planner?host=%2Frun%2Fpostgresql",
            expect![[r#"
                [launchway]
                dbname=planner
                host=/run/postgresql
                connect_timeout=10
            "#]],
        );
        check(
            "postgresql://u:p@one,two:6432/planner",
            expect![[r#"
                [launchway]
                host=one,two
                port=,6432
                user=u
                password=p
                dbname=planner
                connect_timeout=10
            "#]],
        );
    }

    #[test]
    fn what_is_no_address_is_not_repeated() {
        check(
            "mysql://u:p@h/d",
            expect![[r#"
            error: it is no address of PostgreSQL: postgresql://USER:PASSWORD@HOST/DATABASE
        "#]],
        );
        check(
            "postgresql://u:p@h",
            expect![[r#"
            error: it names no database: postgresql://USER:PASSWORD@HOST/DATABASE
        "#]],
        );
        check(
            "postgresql://u:p%@h/d",
            expect![[r#"
            error: a `%` in it is followed by no two digits of hex
        "#]],
        );
        // A line of its own would be another parameter of the service file.
        check(
            "postgresql://u:p%0Ahost=evil@h/d",
            expect![[r#"
            error: a part of it holds a line break, or ends with a blank
        "#]],
        );
    }

    #[test]
    fn nothing_of_it_is_in_what_programs_say() {
        let secret = Secret::new("postgresql://planner:hunter22@db.example.com/tasks");
        let address = Address::read(&secret).expect("it is one");
        let said = "psql: error: connection to server at \"db.example.com\" (10.0.0.7), port 5432 \
                    failed: FATAL:  password authentication failed for user \"planner\"\n\
                    hunter22 db.example.com \"tasks\"";
        expect![[r#"
            psql: error: the connection failed: FATAL:  password authentication failed for user "***"
            *** *** "***""#]]
        .assert_eq(&address.cover(said));
    }
}
