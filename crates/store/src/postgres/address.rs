//! Where a database is: what stands in a setting, in a file of the folder, in errors. What lets us in
//! is apart from it.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use mask::Secret;
use postgres::Config;
use postgres::config::{Host, SslMode};

/// How long a database may take to let us in, where the address says nothing else.
const CONNECT_SECONDS: u64 = 5;
/// An idle connection is asked after so long whether the other side is still there; a firewall in
/// between forgets it later.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Where Debian's packages listen, and libpq looks.
const SOCKETS: &str = "/var/run/postgresql";
/// What this machine trusts, for programs that do not look themselves: Debian's file, or the one that
/// the variable names.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
const ROOTS_VARIABLE: &str = "SSL_CERT_FILE";
/// What an address may say behind its `?`, beside what is handled here.
const KNOWN: &[&str] = &["application_name", "connect_timeout", "host", "options", "port"];

/// The address of a database, and what lets us in where it was said with it. Shown without that.
#[derive(Clone)]
pub struct Database {
    /// Without a password.
    text: String,
    pub(super) config: Config,
    pub(super) password: Option<Secret>,
    pub(super) encryption: Encryption,
}

/// How what goes over the connection is kept from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// It does not leave this machine.
    Here,
    /// TLS, with a certificate that this machine trusts, or that this file vouches for.
    Tls { roots: Option<PathBuf> },
}

/// Why a text is no address of a database. It is not repeated: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins otherwise.
    #[error("it is no address of PostgreSQL")]
    Scheme,
    /// Nothing says which database.
    #[error("it names no database")]
    NoDatabase,
    /// Something in it is not understood.
    #[error("`{name}` in it is not understood")]
    Unknown {
        /// What.
        name: String,
    },
    /// It does not read as an address.
    #[error("it does not read as an address of PostgreSQL: {what}")]
    Malformed {
        /// Why not.
        what: String,
    },
    /// It forbids what it needs.
    #[error("{host} is another machine, and nothing would encrypt what goes there")]
    Unencrypted {
        /// Which.
        host: String,
    },
}

impl AddressError {
    /// What the user can do.
    pub fn hint(&self) -> &'static str {
        match self {
            AddressError::Unencrypted { .. } => {
                "take sslmode=disable out of the address; `sslrootcert=FILE` in it names the \
                 certificate of its own authority"
            }
            _ => "such as postgres://launchway@db.example.com/launchway",
        }
    }
}

impl Database {
    /// Reads `postgres://USER@HOST:PORT/DATABASE`.
    ///
    /// # Errors
    /// When it is none, or would send a password unencrypted to another machine.
    pub fn parse(text: &str) -> Result<Database, AddressError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(AddressError::Scheme)?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(AddressError::Scheme);
        }
        let (whole, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = whole.split_once('/').unwrap_or((whole, ""));
        if name.is_empty() {
            return Err(AddressError::NoDatabase);
        }
        let (person, hosts) = match authority.rsplit_once('@') {
            Some((person, hosts)) => (Some(person), hosts),
            None => (None, authority),
        };
        let user = person.map(|it| it.split_once(':').map_or(it, |(user, _)| user));
        let said = Said::of(query)?;
        let mut shown = String::from("postgres://");
        if let Some(user) = user {
            shown.push_str(&format!("{user}@"));
        }
        shown.push_str(&format!("{hosts}/{name}"));
        let mut mark = '?';
        for (key, value) in said.kept.iter().chain(&said.encryption) {
            shown.push_str(&format!("{mark}{key}={value}"));
            mark = '&';
        }
        let kept: Vec<String> = said.kept.iter().map(|(key, it)| format!("{key}={it}")).collect();
        let plain = format!("postgres://{whole}?{}", kept.join("&"));
        let mut config = Config::from_str(plain.trim_end_matches('?')).map_err(malformed)?;
        let within = config.get_password().map(|it| String::from_utf8_lossy(it).into_owned());
        let password = within.or(said.password).map(Secret::new);
        config.password("");
        if config.get_hosts().is_empty() {
            config.host_path(SOCKETS);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(CONNECT_SECONDS));
        }
        if config.get_application_name().is_none() {
            config.application_name("launchway");
        }
        config.keepalives_idle(KEEPALIVE).tcp_user_timeout(KEEPALIVE);
        let encryption = encryption(&config, &said.encryption)?;
        config.ssl_mode(match encryption {
            Encryption::Here => SslMode::Disable,
            Encryption::Tls { .. } => SslMode::Require,
        });
        Ok(Database { text: shown, config, password, encryption })
    }

    /// Whether what lets us in was said with it.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The whole address as PostgreSQL's own programs take it, with what lets us in.
    pub fn for_programs(&self) -> Secret {
        let mark = if self.text.contains('?') { '&' } else { '?' };
        let mut text = format!("{}{mark}", self.text);
        if let Some(password) = super::password::of(self) {
            text.push_str(&format!("password={}&", encoded(password.expose())));
        }
        // The later wins.
        text.push_str(&match &self.encryption {
            Encryption::Here => "sslmode=disable".to_owned(),
            Encryption::Tls { roots } => {
                let roots =
                    roots.clone().or_else(|| std::env::var_os(ROOTS_VARIABLE).map(Into::into));
                let roots = roots.unwrap_or_else(|| PathBuf::from(ROOTS));
                format!("sslmode=verify-full&sslrootcert={}", encoded(&roots.to_string_lossy()))
            }
        });
        Secret::new(text)
    }

    /// Hosts and ports, for what is kept by them.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (String, u16)> + '_ {
        let ports = self.config.get_ports();
        self.config.get_hosts().iter().enumerate().map(move |(index, host)| {
            let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
            let name = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(_) => "localhost".to_owned(),
            };
            (name, port)
        })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.text)
    }
}

/// What stands behind the `?`.
#[derive(Default)]
struct Said {
    kept: Vec<(String, String)>,
    encryption: Vec<(String, String)>,
    password: Option<String>,
}

impl Said {
    fn of(query: &str) -> Result<Said, AddressError> {
        let mut said = Said::default();
        for part in query.split('&').filter(|it| !it.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let pair = (key.to_owned(), value.to_owned());
            match key {
                "sslmode" | "sslrootcert" => said.encryption.push(pair),
                "password" => said.password = Some(decoded(value)?),
                key if KNOWN.contains(&key) => said.kept.push(pair),
                key => return Err(AddressError::Unknown { name: key.to_owned() }),
            }
        }
        Ok(said)
    }
}

/// What stays on this machine needs nothing; what leaves it is encrypted, and the other side proves
/// who it is. There is no mode in between: who does not look at the certificate talks to anybody.
fn encryption(config: &Config, said: &[(String, String)]) -> Result<Encryption, AddressError> {
    let of = |key: &str| said.iter().rev().find(|it| it.0 == key).map(|it| it.1.as_str());
    let away = config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) if !is_here(name) => Some(name.clone()),
        Host::Tcp(_) | Host::Unix(_) => None,
    });
    let is_local = config.get_hosts().iter().any(|it| matches!(it, Host::Unix(_)));
    let mode = of("sslmode").unwrap_or(if away.is_some() { "verify-full" } else { "disable" });
    match mode {
        "disable" | "allow" | "prefer" => match away {
            Some(host) => Err(AddressError::Unencrypted { host }),
            None => Ok(Encryption::Here),
        },
        // A socket of this machine speaks no TLS.
        "require" | "verify-ca" | "verify-full" if is_local && away.is_none() => {
            Ok(Encryption::Here)
        }
        "require" | "verify-ca" | "verify-full" => {
            let roots = of("sslrootcert").filter(|it| *it != "system").map(decoded).transpose()?;
            Ok(Encryption::Tls { roots: roots.map(|it| Path::new(&it).to_owned()) })
        }
        _ => Err(AddressError::Unknown { name: format!("sslmode={mode}") }),
    }
}

fn is_here(host: &str) -> bool {
    host.parse().map_or_else(|_| https::is_here(host), |it: IpAddr| it.is_loopback())
}

/// What the crate says of an address names the part that is wrong, and no value.
fn malformed(error: postgres::Error) -> AddressError {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    AddressError::Malformed { what: source.unwrap_or_else(|| error.to_string()) }
}

/// Every byte that may mean something in an address.
fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// `%2F` is `/`.
fn decoded(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError::Malformed { what: "a `%` without two digits of hex".to_owned() };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|it| char::from(it).to_digit(16));
        let (high, low) = digit().zip(digit()).ok_or_else(wrong)?;
        bytes.push(u8::try_from(high * 16 + low).expect("two digits of hex"));
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let told = match Database::parse(text) {
            Ok(it) => {
                let password = it.password.as_ref().map(Secret::expose);
                let hosts: Vec<_> = it.hosts().collect();
                format!("{it}\n{hosts:?} {:?} {password:?}\n{it:?}", it.encryption)
            }
            Err(error) => format!("error: {error}\nhint: {}", error.hint()),
        };
        expected.assert_eq(&told);
    }

    #[test]
    fn an_address_is_shown_without_what_lets_us_in() {
        check(
            "postgres://ci:p%40ss@db.example.com/launchway",
            expect![[r#"
            postgres://ci@db.example.com/launchway
            [("db.example.com", 5432)] Tls { roots: None } Some("p@ss")
            Database(postgres://ci@db.example.com/launchway)"#]],
        );
        check(
            "postgresql://db:5433/ci?password=p%26q&connect_timeout=3",
            expect![[r#"
            postgres://db:5433/ci?connect_timeout=3
            [("db", 5433)] Tls { roots: None } Some("p&q")
            Database(postgres://db:5433/ci?connect_timeout=3)"#]],
        );
        check(
            "postgres:///ci",
            expect![[r#"
            postgres:///ci
            [("localhost", 5432)] Here None
            Database(postgres:///ci)"#]],
        );
        check(
            "postgres://ci:x@127.0.0.1:6000/ci?sslmode=prefer",
            expect![[r#"
            postgres://ci@127.0.0.1:6000/ci?sslmode=prefer
            [("127.0.0.1", 6000)] Here Some("x")
            Database(postgres://ci@127.0.0.1:6000/ci?sslmode=prefer)"#]],
        );
        check(
            "postgres://[::1]/ci?sslmode=require",
            expect![[r#"
            postgres://[::1]/ci?sslmode=require
            [("::1", 5432)] Tls { roots: None } None
            Database(postgres://[::1]/ci?sslmode=require)"#]],
        );
        check(
            "postgres:///ci?host=%2Frun%2Fpg&options=-csearch_path%3Da",
            expect![[r#"
            postgres:///ci?host=%2Frun%2Fpg&options=-csearch_path%3Da
            [("localhost", 5432)] Here None
            Database(postgres:///ci?host=%2Frun%2Fpg&options=-csearch_path%3Da)"#]],
        );
        check(
            "postgres://one,two:6432/ci?sslrootcert=%2Fetc%2Frds.pem",
            expect![[r#"
            postgres://one,two:6432/ci?sslrootcert=%2Fetc%2Frds.pem
            [("one", 5432), ("two", 6432)] Tls { roots: Some("/etc/rds.pem") } None
            Database(postgres://one,two:6432/ci?sslrootcert=%2Fetc%2Frds.pem)"#]],
        );
    }

    #[test]
    fn programs_of_postgresql_get_the_whole_of_it() {
        let whole = |text: &str| {
            let database = Database::parse(text).expect("it is one");
            database.for_programs().expose().to_owned()
        };
        expect!["postgres://ci@db/ci?sslrootcert=%2Fa.pem&password=p%40%26%2F&sslmode=verify-full&sslrootcert=%2Fa.pem"]
            .assert_eq(&whole("postgres://ci:p%40%26%2F@db/ci?sslrootcert=%2Fa.pem"));
        expect!["postgres://ci@127.0.0.1/ci?password=x&sslmode=disable"]
            .assert_eq(&whole("postgres://ci:x@127.0.0.1/ci"));
    }

    #[test]
    fn what_is_none_is_not_repeated() {
        check(
            "mysql://u:secret@h/d",
            expect![[r#"
            error: it is no address of PostgreSQL
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
        check(
            "host=db password=secret",
            expect![[r#"
            error: it is no address of PostgreSQL
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
        check(
            "postgres://u:secret@h",
            expect![[r#"
            error: it names no database
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
        check(
            "postgres://u:secret@h/d?sslcert=x",
            expect![[r#"
            error: `sslcert` in it is not understood
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
        check(
            "postgres://u:secret@h/d?sslmode=secret",
            expect![[r#"
            error: `sslmode=secret` in it is not understood
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
        check(
            "postgres://u:secret@h:port/d",
            expect![[r#"
            error: it does not read as an address of PostgreSQL: invalid value for option `port`
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
        check(
            "postgres://u:secret@db.example.com/d?sslmode=disable",
            expect![[r#"
            error: db.example.com is another machine, and nothing would encrypt what goes there
            hint: take sslmode=disable out of the address; `sslrootcert=FILE` in it names the certificate of its own authority"#]],
        );
        check(
            "postgres://u:secret@db.example.com/d?sslmode=prefer",
            expect![[r#"
            error: db.example.com is another machine, and nothing would encrypt what goes there
            hint: take sslmode=disable out of the address; `sslrootcert=FILE` in it names the certificate of its own authority"#]],
        );
        check(
            "postgres://u@h/d?password=%zz",
            expect![[r#"
            error: it does not read as an address of PostgreSQL: a `%` without two digits of hex
            hint: such as postgres://launchway@db.example.com/launchway"#]],
        );
    }
}
