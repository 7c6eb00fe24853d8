//! Versions of the schema, made by whoever comes first.

use super::address::Database;
use super::session::Connection;
use crate::engine::{Fault, Session as _};
use crate::error::StoreError;

/// One file for each version; the first makes version 1 of an empty schema. A file that has shipped is
/// never changed.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

/// Whoever makes the schema holds this lock until it is made: two that come at once take turns. Any
/// number that others in the same database are not likely to take.
const LOCK: i64 = 0x6c61_756e_6368;

/// The journal in a database, with the schema that this version knows.
pub(super) fn made(connection: &mut Connection, database: &Database) -> Result<String, StoreError> {
    let failed = |fault| StoreError::from_postgres(database, fault);
    let known = MIGRATIONS.len() as i64;
    if let Some((version, journal)) = found(connection).map_err(failed)?
        && version == known
    {
        return Ok(journal);
    }
    connection.batch(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).map_err(failed)?;
    let before = found(connection).map_err(failed)?;
    let version = before.as_ref().map_or(0, |it| it.0);
    if version > known || version < 0 {
        connection.roll_back();
        let path = database.to_string().into();
        return Err(StoreError::NewerSchema { path, found: version, known });
    }
    let done = usize::try_from(version).expect("between 0 and the number of migrations");
    for migration in &MIGRATIONS[done..] {
        connection.batch(migration).map_err(failed)?;
    }
    let journal = before.map_or_else(new_name, |it| it.1);
    let row = format!(
        "INSERT INTO launchway (id, version, journal) VALUES (1, {known}, '{journal}')
             ON CONFLICT (id) DO UPDATE SET version = excluded.version;
         COMMIT"
    );
    connection.batch(&row).map_err(failed)?;
    Ok(journal)
}

/// The journal in a database that a folder may belong to.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) fn journal_of(database: &Database) -> Result<String, StoreError> {
    let mut connection = Connection::open(database, std::sync::Arc::default())?;
    made(&mut connection, database)
}

fn found(connection: &mut Connection) -> Result<Option<(i64, String)>, Fault> {
    let session: &mut dyn crate::engine::Session = connection;
    // The catalogue itself, not `to_regclass`: that remembers for a transaction what was not there.
    let is_there: bool = session.only(
        "SELECT count(*) FROM pg_catalog.pg_tables
         WHERE schemaname = current_schema() AND tablename = 'launchway'",
        &[],
    )?;
    if !is_there {
        return Ok(None);
    }
    let row = |row: &crate::engine::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    session.one("SELECT version, journal FROM launchway", &[], row)
}

fn new_name() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
