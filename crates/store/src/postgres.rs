//! PostgreSQL: a database that a folder belongs to.
//!
//! ```text
//!   address.rs   postgres://USER@HOST/DATABASE, what keeps it secret, what must be encrypted
//!   password.rs  what lets us in, from where programs of PostgreSQL take it, too
//!   session.rs   a connection: statements, the lock that writes, what is lost
//!   schema.rs    versions, made by whoever comes first
//!   lease.rs     one server at a time
//! ```
//!
//! Whoever writes holds the one row of the table `launchway` locked from before it reads until its
//! commit. So the expected sequence number is checked under the lock that writes, positions come in
//! the order of commits, and a reader behind a cursor misses nothing.
//!
//! A commit waits for the database's own log, whatever [`crate::Durability`] says: a database that
//! fails is not the death of this process, and what it loses is missed by everybody.
//!
//! A connection that is lost during a commit leaves a question. Every transaction writes its number
//! into the row of its writer; the next connection takes the lock, which the one before has until it
//! ended, and reads there whether it was committed.

mod address;
mod lease;
mod password;
mod schema;
mod session;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use address::{AddressError, Database};
use lease::Lease;
pub(crate) use password::file as passwords_file;
pub(crate) use schema::journal_of;
use session::Connection;
pub(crate) use session::is_away;

use crate::absence::{Tell, Watch};
use crate::engine::{Again, Engine, Fault, Mark, Patience, Session};
use crate::error::StoreError;

/// How long a writer waits for its database to come back: longer than one is started again, updated,
/// or replaced by its standby. Whoever appends waits as long; afterwards it is an error.
const AWAY_MAX: Duration = Duration::from_secs(300);
/// How long somebody outside is kept waiting: GitHub gives up after ten seconds.
const AWAY_SHORT_MAX: Duration = Duration::from_secs(3);
/// Between the first two attempts to connect; it doubles, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A database.
pub(crate) struct Postgres {
    database: Database,
    place: PathBuf,
    /// The journal that must be in it.
    journal: String,
    /// The right to write, where this process is a server: what [`Engine::claim`] got.
    fence: Arc<AtomicI64>,
    lease: Mutex<Option<Lease>>,
    watch: Watch,
}

impl Postgres {
    /// Nothing is asked yet.
    pub(crate) fn new(database: Database, journal: String) -> Postgres {
        let place = PathBuf::from(database.to_string());
        let (fence, lease, watch) = (Arc::default(), Mutex::default(), Watch::default());
        Postgres { database, place, journal, fence, lease, watch }
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let connected = self.try_to_connect();
        self.watch.note(&connected);
        connected
    }

    fn try_to_connect(&self) -> Result<Connection, StoreError> {
        let mut connection = Connection::open(&self.database, Arc::clone(&self.fence))?;
        let found = schema::made(&mut connection, &self.database)?;
        if found == self.journal {
            return Ok(connection);
        }
        Err(StoreError::OtherJournal { database: self.database.to_string() })
    }

    /// Over another connection, where its own was lost since it was used last.
    fn with(
        &self,
        lease: &mut Lease,
        act: fn(&mut Lease, &Database) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match act(lease, &self.database) {
            Err(_) if lease.is_lost() => {
                lease.go_on_with(self.connect()?);
                act(lease, &self.database)
            }
            done => done,
        }
    }

    fn known(&self, commit: Option<Mark>) -> Result<(Connection, bool), StoreError> {
        let mut connection = self.connect()?;
        let is_done = match commit {
            Some(mark) => connection.knows(mark).map_err(|fault| self.error(fault))?,
            None => false,
        };
        Ok((connection, is_done))
    }
}

impl Engine for Postgres {
    fn place(&self) -> &Path {
        &self.place
    }

    /// Every connection looks for it.
    fn must_be_there(&self) -> Result<(), StoreError> {
        self.connect().map(drop)
    }

    fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(self.connect()?))
    }

    fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(self.connect()?))
    }

    fn again(&self, commit: Option<Mark>, patience: Patience) -> Again {
        let until = Instant::now()
            + match patience {
                Patience::Long => AWAY_MAX,
                Patience::Short => AWAY_SHORT_MAX,
            };
        let mut pause = PAUSE;
        loop {
            match self.known(commit) {
                Ok((connection, is_done)) => return Ok((Box::new(connection), is_done)),
                Err(error) if !error.may_pass() || Instant::now() + pause > until => {
                    return Err(error);
                }
                Err(_) => thread::sleep(pause),
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn error(&self, fault: Fault) -> StoreError {
        StoreError::from_postgres(&self.database, fault)
    }

    fn tell_of_absence(&self, tell: Tell) {
        self.watch.set(tell);
    }

    fn claim(&self, holder: &str) -> Result<(), StoreError> {
        let lease = Lease::take(self.connect()?, &self.database, holder)?;
        self.fence.store(lease.fence(), Ordering::SeqCst);
        *self.lease.lock().expect("nobody panics while holding it") = Some(lease);
        Ok(())
    }

    fn renew(&self) -> Result<(), StoreError> {
        let mut lease = self.lease.lock().expect("nobody panics while holding it");
        let renewed = lease.as_mut().map_or(Ok(()), |lease| self.with(lease, Lease::renew));
        // A standby lets everybody connect, and nobody write.
        self.watch.note(&renewed);
        renewed
    }

    fn release(&self) -> Result<(), StoreError> {
        let mut lease = self.lease.lock().expect("nobody panics while holding it");
        lease.take().map_or(Ok(()), |mut lease| self.with(&mut lease, Lease::give_back))
    }
}
