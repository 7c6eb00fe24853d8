//! PostgreSQL's own programs on this machine: which there are, and what a server says of itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::address::Address;
use super::process::{Limits, Running, Spoiled};

/// Folders in which systems keep several major versions side by side.
const SIDE_BY_SIDE: &[(&str, &str)] = &[("/usr/lib/postgresql", "bin"), ("/usr", "bin")];
/// `pg_restore` writes to its output by `--file=-` from then on.
const MAJOR_MIN: u32 = 12;
/// What the server is asked: version, size, tables with data of their own.
const SURVEY: &str = "\
select current_setting('server_version_num'), current_setting('server_version'), \
pg_database_size(current_database()), \
(select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
where c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%')";

/// What counts the rows of one table, for each.
const COUNTS: &str = "\
select format('(select count(*) from %I.%I)', n.nspname, c.relname) \
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
where c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%' \
and not exists (select from pg_catalog.pg_depend d where d.objid = c.oid and d.deptype = 'e')";
/// Extensions that say which of their own rows are to be dumped.
const DUMPED_OF_EXTENSIONS: &str =
    "select count(*) from pg_catalog.pg_extension where extconfig is not null";
/// Tables of one statement: it is an argument, and those have a longest length.
const COUNTED_AT_ONCE: usize = 200;

/// `pg_dump`, `pg_restore` and `psql`, of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    folder: PathBuf,
    /// `15.18`
    pub version: String,
    major: u32,
}

/// What a server says of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The server's version: `15.18`.
    pub version: String,
    major: u32,
    /// What the database takes on its disk.
    pub size_bytes: u64,
    /// Tables with data of their own.
    pub tables: u64,
}

/// Why a database cannot be dumped from here.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The programs are not there.
    #[error("{program} of PostgreSQL is not on this machine")]
    Missing {
        /// Which.
        program: &'static str,
    },
    /// They are older than the server, and would refuse it.
    #[error("pg_dump {own} is older than the server, which is PostgreSQL {server}")]
    Older {
        /// Ours.
        own: String,
        /// The server's.
        server: String,
    },
    /// The database is not reached, or does not let us in.
    #[error("the database does not answer: {said}")]
    Unreachable {
        /// What was said, without anything of the address.
        said: String,
    },
}

impl SurveyError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            SurveyError::Missing { .. } => {
                "install PostgreSQL's client programs: apt-get install postgresql-client".to_owned()
            }
            SurveyError::Older { server, .. } => {
                let major = server.split('.').next().unwrap_or(server);
                format!(
                    "install those of version {major}: apt-get install postgresql-client-{major}"
                )
            }
            SurveyError::Unreachable { .. } => {
                "correct what the secret says, or let this machine reach the database; where only \
                 AWS reaches it, take a snapshot: `backup: { rds: NAME }`"
                    .to_owned()
            }
        }
    }
}

impl Programs {
    /// The newest on this machine.
    ///
    /// # Errors
    /// When there are none, or none that is new enough to be used.
    pub fn find() -> Result<Programs, SurveyError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        for (folder, inner) in SIDE_BY_SIDE {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let is_own = |name: &str| {
                let name = name.strip_prefix("pgsql-").unwrap_or(name);
                name.bytes().all(|it| it.is_ascii_digit())
            };
            let entries = entries.filter(|it| it.file_name().to_str().is_some_and(is_own));
            folders.extend(entries.map(|it| it.path().join(inner)));
        }
        Programs::among(&folders)
    }

    /// The newest in these folders.
    ///
    /// # Errors
    /// As [`Programs::find`].
    pub fn among(folders: &[PathBuf]) -> Result<Programs, SurveyError> {
        let mut missing = "pg_dump";
        let mut found: Option<Programs> = None;
        for folder in folders.iter().filter(|it| it.join("pg_dump").is_file()) {
            if let Some(other) =
                ["pg_restore", "psql"].into_iter().find(|it| !folder.join(it).is_file())
            {
                missing = other;
                continue;
            }
            let Some((major, version)) = version_of(&folder.join("pg_dump")) else { continue };
            let is_newer = found.as_ref().is_none_or(|it| major >= it.major);
            if major >= MAJOR_MIN && is_newer {
                found = Some(Programs { folder: folder.clone(), version, major });
            }
        }
        found.ok_or(SurveyError::Missing { program: missing })
    }

    /// What the server says of the database, and whether these programs are new enough for it.
    ///
    /// # Errors
    /// When it does not answer, or is too new.
    pub fn survey(&self, address: &Address) -> Result<Survey, SurveyError> {
        let unreachable = |said: String| SurveyError::Unreachable { said };
        let said = self.ask(address, SURVEY, &Limits::short());
        let said = said.map_err(|it| unreachable(it.to_string()))?;
        let survey = (|| {
            let mut fields = said.lines().next()?.split('|');
            let number: u32 = fields.next()?.parse().ok()?;
            let version = fields.next()?.split(' ').next()?.to_owned();
            let (size_bytes, tables) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(Survey { version, major: number / 10_000, size_bytes, tables })
        })();
        let survey =
            survey.ok_or_else(|| unreachable("its answer is not understood".to_owned()))?;
        if survey.major > self.major {
            let (own, server) = (self.version.clone(), survey.version);
            return Err(SurveyError::Older { own, server });
        }
        Ok(survey)
    }

    /// What the server answers to one statement, in lines of fields with `|` between them.
    pub(crate) fn ask(
        &self,
        address: &Address,
        statement: &str,
        limits: &Limits,
    ) -> Result<String, Spoiled> {
        let mut psql = self.command("psql");
        psql.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--field-separator", "|"]);
        psql.args(["--command", statement]);
        let mut running = Running::start(psql, Some(address), limits)?;
        let said = running.all_output()?;
        running.end(Some(address))?;
        Ok(said)
    }

    /// Rows of all tables with data of their own. What belongs to extensions is not counted, nor
    /// dumped; none where an extension has some of its rows dumped all the same.
    pub(crate) fn rows(&self, address: &Address, limits: &Limits) -> Result<Option<u64>, Spoiled> {
        if self.ask(address, DUMPED_OF_EXTENSIONS, limits)?.trim() != "0" {
            return Ok(None);
        }
        let counts = self.ask(address, COUNTS, limits)?;
        let counts: Vec<&str> = counts.lines().collect();
        let mut rows = 0;
        for some in counts.chunks(COUNTED_AT_ONCE) {
            let said = self.ask(address, &format!("select {}", some.join(" + ")), limits)?;
            rows += said.trim().parse::<u64>().unwrap_or(0);
        }
        Ok(Some(rows))
    }

    /// One of them, with nothing of what surrounds us but what it needs.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.env_clear().env("LC_ALL", "C");
        let needed = [
            "PATH",
            // Certificates and passwords of the person, where the address names none.
            "HOME",
            "TMPDIR",
            "LD_LIBRARY_PATH",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "KRB5CCNAME",
            "KRB5_CONFIG",
        ];
        for name in needed {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

/// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
fn version_of(program: &Path) -> Option<(u32, String)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let version = said.split(") ").nth(1)?.split_whitespace().next()?.to_owned();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, version))
}
