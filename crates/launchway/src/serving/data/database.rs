//! A journal in PostgreSQL: which database the server's folder belongs to, and who has it.
//!
//! The folder remembers the database (crate `store`), so every command that is given the folder finds
//! the journal. What is said here is said once, at a start; what lets us in is never in an argument.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use backup::{Address, Programs, WholeError};
use driver::Input;
use store::{DATABASE_VARIABLE, Database, Presence, RENEW_SECONDS, Store, StoreError};

use crate::cli::DatabaseArgs;
use crate::exit::{Exit, Failure};
use crate::serving::Handle;
use crate::serving::data::DataFolder;
use crate::terminal::style::talk;

/// Refuses an address that is none, or that shows what lets us in.
pub(crate) fn check(args: &DatabaseArgs) -> Result<(), Failure> {
    args.url.as_deref().map(named).transpose().map(drop)
}

/// The folder belongs to the database that is named, if one is.
pub(crate) fn attach(args: &DatabaseArgs, folder: &Path) -> Result<(), Failure> {
    let Some((database, file)) = wanted(args)? else { return Ok(()) };
    store::attach(folder, &database, file.as_deref()).map_err(|error| refused(error.into()))
}

/// The database that is named, and the file that says so.
pub(crate) fn wanted(args: &DatabaseArgs) -> Result<Option<(Database, Option<PathBuf>)>, Failure> {
    let (said, file) = match (&args.url, &args.file) {
        (Some(url), _) => (Some(named(url)?), None),
        (None, Some(file)) => {
            let file = std::path::absolute(file).map_err(|error| refused(error.into()))?;
            (Some(store::database_of_file(&file).map_err(|it| refused(it.into()))?), Some(file))
        }
        (None, None) => (None, None),
    };
    let variable = store::database_of_variable().map_err(|error| refused(error.into()))?;
    match (said, variable) {
        (Some(said), Some(other)) if said.to_string() != other.to_string() => {
            let message =
                format!("two databases are named: {said}, and {other} by {DATABASE_VARIABLE}");
            Err(Failure::new(Exit::Usage, message).hint("name one of them"))
        }
        // What lets us in may stand in the variable alone.
        (said, variable) => Ok(variable.or(said).map(|database| (database, file))),
    }
}

/// An argument stands in the process list, for everybody on this machine.
fn named(url: &str) -> Result<Database, Failure> {
    let database = Database::parse(url).map_err(|error| {
        let hint = error.hint();
        Failure::new(Exit::Usage, format!("--database is no address of a database: {error}"))
            .hint(hint)
    })?;
    if !database.has_password() {
        return Ok(database);
    }
    let message = "--database has a password in it, which everybody on this machine can read";
    Err(Failure::new(Exit::Forbidden, message)
        .hint(format!("say it without: --database '{database}'"))
        .hint(format!(
            "the password is read from {DATABASE_VARIABLE}, a file named with --database-file, \
             PGPASSWORD or ~/.pgpass; the one that was just shown is to be changed"
        )))
}

fn refused(error: anyhow::Error) -> Failure {
    let exit = match error.downcast_ref::<StoreError>() {
        Some(StoreError::OtherJournal { .. } | StoreError::OwnJournal { .. }) => Exit::Forbidden,
        Some(StoreError::NoAddress { .. }) => Exit::Usage,
        _ => Exit::Missing,
    };
    Failure::caused(exit, error)
}

/// This server has the journal until it gives it back, as others on other machines see.
pub(crate) fn claim(store: &Store, data: &DataFolder) -> Result<(), Failure> {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let folder = std::path::absolute(data.state.root());
    let folder = folder.as_deref().unwrap_or_else(|_| Path::new("")).display();
    store.claim(&format!("{host}:{folder}")).map_err(|error| {
        let exit = match error {
            StoreError::Served { .. } => Exit::Forbidden,
            _ => Exit::Missing,
        };
        Failure::caused(exit, error)
    })
}

/// Says when the database goes away, and when it is there again. Nobody else in the server says so.
pub(crate) fn watch(store: &Store) {
    store.tell_of_absence(|presence| match presence {
        Presence::Away(error) => {
            let text = anyhow::Error::from(error.clone());
            talk(&format!("warning: {text:#}; it is waited for"));
        }
        Presence::Back { after } => {
            let seconds = after.as_secs();
            talk(&format!(
                "the database answers again, after {seconds} s; what waited for it goes on"
            ));
        }
    });
}

/// Says that this server lives, until the other end of `told` is dropped. Ends the server when another
/// has the journal.
pub(crate) fn keep(store: &Arc<Store>, handle: &Handle, told: &Receiver<()>) {
    let mut is_told = false;
    while told.recv_timeout(Duration::from_secs(RENEW_SECONDS)) == Err(RecvTimeoutError::Timeout) {
        match store.renew() {
            Ok(()) => is_told = false,
            Err(error @ StoreError::TakenOver { .. }) => {
                talk(&format!("error: {error}; this server ends, and its jobs go on"));
                handle.send(Input::Leave);
                return;
            }
            Err(error) if store::is_away(&error) => {}
            Err(error) if !is_told => {
                talk(&format!("warning: {:#}; it is tried again", anyhow::Error::from(error)));
                is_told = true;
            }
            Err(_) => {}
        }
    }
}

/// Writes what the journal's database holds into a file.
pub(crate) fn copy_out(database: &Database, to: &Path) -> Result<(), Failure> {
    let (programs, address) = programs(database)?;
    programs.copy_out(&address, to).map_err(|error| uncopied(database, error))
}

/// Fills an empty database from such a file.
pub(crate) fn copy_in(database: &Database, from: &Path) -> Result<(), Failure> {
    let (programs, address) = programs(database)?;
    programs.copy_in(&address, from).map_err(|error| uncopied(database, error))
}

fn programs(database: &Database) -> Result<(Programs, Address), Failure> {
    let programs = Programs::find().map_err(|error| {
        Failure::caused(Exit::Missing, error).hint("install it: Debian's postgresql-client")
    })?;
    let address = Address::read(&database.for_programs());
    let address = address.map_err(|error| Failure::caused(Exit::Usage, error))?;
    Ok((programs, address))
}

fn uncopied(database: &Database, error: WholeError) -> Failure {
    let is_full = matches!(error, WholeError::NotEmpty { .. });
    let context = format!("the database {database} cannot be copied");
    let exit = if is_full { Exit::Forbidden } else { Exit::Missing };
    let failure = Failure::caused(exit, anyhow::Error::from(error).context(context));
    if is_full { failure.hint("make a new one: createdb NAME") } else { failure }
}

/// Lets the next server in at once.
pub(crate) fn release(store: &Store) {
    if let Err(error) = store.release() {
        talk(&format!("warning: {:#}", anyhow::Error::from(error)));
    }
}
