//! One server at a time: a row that says who has the journal, and that they live.
//!
//! A lease and no lock of the session: that would be gone with the connection, while its server lives.
//! Every transaction of a server reads the fence under the lock that writes, so one that was thought
//! dead and comes back writes nothing.

use super::address::Database;
use super::session::Connection;
use crate::engine::{Fault, Session, values};
use crate::error::StoreError;

/// A server that was not heard for so long is dead, and another may take its place: seconds. It says
/// that it lives three times as often.
const LEASE_SECONDS: i64 = 30;

pub(super) struct Lease {
    connection: Connection,
    holder: String,
    fence: i64,
}

/// What the row says.
struct Held {
    fence: i64,
    holder: Option<String>,
    silent_seconds: Option<i64>,
}

impl Lease {
    /// Takes it where nobody has it, where whoever has it is silent, or where it is this very server,
    /// started again: a folder has one.
    pub(super) fn take(
        mut connection: Connection,
        database: &Database,
        holder: &str,
    ) -> Result<Lease, StoreError> {
        let failed = |fault| StoreError::from_postgres(database, fault);
        connection.begin(crate::engine::Purpose::Rows).map_err(failed)?;
        let held = held(&mut connection).map_err(failed)?;
        let silent = held.silent_seconds.unwrap_or(i64::MAX);
        if let Some(by) = held.holder.filter(|it| it != holder)
            && silent < LEASE_SECONDS
        {
            connection.roll_back();
            let database = database.to_string();
            return Err(StoreError::Served { database, by, heard_seconds: silent });
        }
        let fence = held.fence + 1;
        let session: &mut dyn Session = &mut connection;
        let taken = session
            .change(
                "UPDATE launchway SET fence = ?1, holder = ?2, heard_at = clock_timestamp()",
                values![fence, holder],
            )
            // Processes of long ago ask nothing any more.
            .and_then(|_| {
                session.change("DELETE FROM writer WHERE at < now() - interval '7 days'", &[])
            })
            .and_then(|_| session.commit());
        taken.map_err(failed)?;
        Ok(Lease { connection, holder: holder.to_owned(), fence })
    }

    pub(super) fn fence(&self) -> i64 {
        self.fence
    }

    pub(super) fn is_lost(&self) -> bool {
        self.connection.is_lost()
    }

    pub(super) fn go_on_with(&mut self, connection: Connection) {
        self.connection = connection;
    }

    pub(super) fn renew(&mut self, database: &Database) -> Result<(), StoreError> {
        let renewed = self.connection.change(
            "UPDATE launchway SET heard_at = clock_timestamp() WHERE fence = ?1",
            values![self.fence],
        );
        match renewed {
            Ok(0) => Err(StoreError::from_postgres(database, Fault::Fenced)),
            Ok(_) => Ok(()),
            Err(fault) => Err(StoreError::from_postgres(database, fault)),
        }
    }

    pub(super) fn give_back(&mut self, database: &Database) -> Result<(), StoreError> {
        let given = self.connection.change(
            "UPDATE launchway SET holder = NULL, heard_at = NULL WHERE fence = ?1 AND holder = ?2",
            values![self.fence, &self.holder],
        );
        given.map(drop).map_err(|fault| StoreError::from_postgres(database, fault))
    }
}

fn held(session: &mut dyn Session) -> Result<Held, Fault> {
    let held = session.one(
        "SELECT fence, holder,
             CAST(floor(extract(epoch FROM clock_timestamp() - heard_at)) AS BIGINT)
         FROM launchway FOR UPDATE",
        &[],
        |row| Ok(Held { fence: row.get(0)?, holder: row.get(1)?, silent_seconds: row.get(2)? }),
    )?;
    held.ok_or(Fault::Shape("the database has no journal any more"))
}
