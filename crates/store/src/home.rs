//! Which journal a folder has: a file of its own, or a database that it belongs to.
//!
//! A folder that belongs to a database says so in `database.json`: where it is, without what lets us
//! in, and the journal's name. Whoever opens the folder opens that journal or none.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blobs::create_folder;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::postgres::{Database, Postgres, journal_of, passwords_file};
use crate::read;
use crate::sqlite::{Durability, Sqlite};
use crate::webhooks;

/// The file in which a folder says which database it belongs to.
const FILE: &str = "database.json";
/// The variable that names a database, with what lets us in.
pub const DATABASE_VARIABLE: &str = "LAUNCHWAY_DATABASE_URL";
/// A file that names a database holds one line.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// What the file says.
#[derive(Serialize, Deserialize)]
struct Belongs {
    database: String,
    /// A file that names it, with what lets us in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    journal: String,
}

/// The journal of a folder.
pub(crate) fn journal(
    folder: &Path,
    durability: Durability,
) -> Result<Arc<dyn Engine>, StoreError> {
    Ok(match database(folder)? {
        Some(database) => database,
        None => Arc::new(Sqlite::journal(folder, durability)),
    })
}

/// What others handed in at a folder.
pub(crate) fn webhooks(folder: &Path) -> Result<Arc<dyn Engine>, StoreError> {
    Ok(match database(folder)? {
        Some(database) => database,
        None => Arc::new(Sqlite::webhooks(folder, webhooks::SCHEMA)),
    })
}

/// The database that a folder belongs to, without what lets us in; none where it has a file.
///
/// # Errors
/// When the folder does not say.
pub fn belongs_to(folder: &Path) -> Result<Option<String>, StoreError> {
    Ok(said(folder)?.map(|it| it.database))
}

/// The database that a folder belongs to, with what lets us in as far as it was said with its address.
///
/// # Errors
/// When the folder does not say, or what it names cannot be read.
pub fn database_of(folder: &Path) -> Result<Option<Database>, StoreError> {
    said(folder)?.map(|belongs| named(&belongs)).transpose()
}

/// Files with what lets us in to databases: the one that names the folder's, as far as the folder says, and that
/// of PostgreSQL's programs, there or not.
pub fn secret_files(folder: &Path) -> Vec<PathBuf> {
    let named = said(folder).ok().flatten().and_then(|belongs| belongs.file);
    named.into_iter().chain(passwords_file()).collect()
}

/// The database that a variable names; none where it is not set.
///
/// # Errors
/// When it is no address.
pub fn database_of_variable() -> Result<Option<Database>, StoreError> {
    let Some(text) = std::env::var_os(DATABASE_VARIABLE).filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    parsed(&text.to_string_lossy(), DATABASE_VARIABLE).map(Some)
}

/// The database that a file names.
///
/// # Errors
/// When it cannot be read, or is no address.
pub fn database_of_file(path: &Path) -> Result<Database, StoreError> {
    use std::io::Read as _;
    let mut text = String::new();
    let read =
        fs::File::open(path).and_then(|it| it.take(LINE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|source| StoreError::from_io("read", path, source))?;
    parsed(&text, &path.display().to_string())
}

/// From now on the folder belongs to a database: its journal is there. One that belongs to it already
/// may find it at another address; `file` is where its address is read.
///
/// # Errors
/// When the database cannot be asked, holds another journal, or the folder has one of its own.
pub fn attach(folder: &Path, database: &Database, file: Option<&Path>) -> Result<(), StoreError> {
    create_folder(folder)?;
    let before = said(folder)?;
    if before.is_none() {
        refuse_own_journal(folder)?;
    }
    let journal = journal_of(database)?;
    if before.is_some_and(|it| it.journal != journal) {
        return Err(StoreError::OtherJournal { database: database.to_string() });
    }
    let file = file.map(Path::to_path_buf);
    let belongs = Belongs { database: database.to_string(), file, journal };
    let path = folder.join(FILE);
    let written = || -> std::io::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut beside, &belongs)?;
        beside.write_all(b"\n")?;
        beside.as_file().sync_all()?;
        beside.persist(&path)?;
        fs::File::open(folder)?.sync_all()
    };
    written().map_err(|source| StoreError::from_io("write", &path, source))
}

fn database(folder: &Path) -> Result<Option<Arc<dyn Engine>>, StoreError> {
    let Some(belongs) = said(folder)? else { return Ok(None) };
    let database = named(&belongs)?;
    Ok(Some(Arc::new(Postgres::new(database, belongs.journal))))
}

/// What names the database now, before what was remembered: it has what lets us in.
fn named(belongs: &Belongs) -> Result<Database, StoreError> {
    if let Some(database) = database_of_variable()? {
        return Ok(database);
    }
    match &belongs.file {
        Some(file) => database_of_file(file),
        None => parsed(&belongs.database, FILE),
    }
}

fn parsed(text: &str, place: &str) -> Result<Database, StoreError> {
    Database::parse(text)
        .map_err(|source| StoreError::NoAddress { place: place.to_owned(), source })
}

fn said(folder: &Path) -> Result<Option<Belongs>, StoreError> {
    let path = folder.join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(StoreError::from_io("read", &path, error)),
    };
    let said = serde_json::from_slice(&text);
    said.map(Some).map_err(|error| StoreError::from_io("read", &path, error.into()))
}

/// What is in the folder's own file would be forgotten.
fn refuse_own_journal(folder: &Path) -> Result<(), StoreError> {
    let own = Sqlite::journal(folder, Durability::ProcessDeath);
    if !own.place().exists() {
        return Ok(());
    }
    let mut session = own.reader()?;
    let events = read::newest_position(&mut *session).map_err(|fault| own.error(fault))?;
    if events == 0 {
        return Ok(());
    }
    Err(StoreError::OwnJournal { path: own.place().to_owned(), events })
}
