//! The engines under the store, for tests that hold on each of them.
//!
//! A test of the door is a function that takes a [`Home`]; `on_each_engine!` makes a test of it for
//! SQLite, and with the feature `postgres` one for a real PostgreSQL: one server for all tests, a
//! schema for each.

use std::path::Path;

use event::{Digest, Seq, StreamId};
use store::{Durability, Store};

/// Makes tests of functions that take a [`Home`].
macro_rules! on_each_engine {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name(&$crate::engines::Home::sqlite());
            })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[test]
            fn $name() {
                super::$name(&$crate::engines::Home::postgres());
            })*
        }
    };
}
pub(crate) use on_each_engine;

/// A state folder, and whose journal it has.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    #[cfg(feature = "postgres")]
    database: Option<String>,
}

impl Home {
    pub(crate) fn sqlite() -> Home {
        Home {
            folder: tempfile::tempdir().expect("a folder"),
            #[cfg(feature = "postgres")]
            database: None,
        }
    }

    /// In a schema of its own.
    #[cfg(feature = "postgres")]
    pub(crate) fn postgres() -> Home {
        Home::in_database(crate::cluster::Cluster::of_all().schema())
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn in_database(url: String) -> Home {
        let folder = tempfile::tempdir().expect("a folder");
        let database = store::Database::parse(&url).expect("an address");
        store::attach(folder.path(), &database, None).expect("the database takes it");
        Home { folder, database: Some(url) }
    }

    /// Another one of the same kind.
    pub(crate) fn another(&self) -> Home {
        #[cfg(feature = "postgres")]
        if self.database.is_some() {
            return Home::postgres();
        }
        Home::sqlite()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.path()).expect("the store opens")
    }

    pub(crate) fn open_durably(&self) -> Store {
        Store::open_with(self.path(), Durability::PowerLoss).expect("the store opens")
    }

    /// Changes one row behind the store's back.
    pub(crate) fn alter(&self, sql: &str) {
        #[cfg(feature = "postgres")]
        if let Some(url) = &self.database {
            let rows = crate::cluster::client(url).execute(sql, &[]).expect("it runs");
            assert_eq!(rows, 1, "{sql}");
            return;
        }
        let database = rusqlite::Connection::open(self.path().join("journal.db")).expect("it is");
        assert_eq!(database.execute(sql, []).expect("it runs"), 1, "{sql}");
    }

    /// How the engine would look for deployments, where `FOLDED` is the environment in small letters.
    pub(crate) fn plan(&self, sql: &str) -> String {
        #[cfg(feature = "postgres")]
        if let Some(url) = &self.database {
            let mut client = crate::cluster::client(url);
            // Few rows are read from one end to the other, index or not.
            client
                .batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
                .expect("it runs");
            let sql = sql.replace("FOLDED", "lower(environment COLLATE \"C\")");
            let rows = client.query(&format!("EXPLAIN {sql}"), &[]).expect("it runs");
            return rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect();
        }
        let database = rusqlite::Connection::open(self.path().join("journal.db")).expect("it is");
        let sql = sql.replace("FOLDED", "lower(environment)");
        let mut plan = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it runs");
        let rows = plan.query_map([], |row| row.get::<_, String>("detail")).expect("it runs");
        rows.collect::<Result<_, _>>().expect("it runs")
    }

    /// Has the engine forget that it gave later ones, where it knows.
    pub(crate) fn forget_positions_behind(&self, position: u64) {
        #[cfg(feature = "postgres")]
        if self.database.is_some() {
            return;
        }
        self.alter(&format!("UPDATE sqlite_sequence SET seq = {position} WHERE name = 'event'"));
    }

    /// Puts `payload` behind a stream's last event, with a right chain, as a newer version would.
    pub(crate) fn append_raw(&self, store: &Store, stream: StreamId, payload: &str) {
        let (seq, digest) = store.head(stream).expect("it is there");
        let seq = Seq(seq.0 + 1);
        let payload_digest = Digest::of(payload.as_bytes());
        let digest = event::chain(&digest, stream, seq, crate::NOW, &payload_digest);
        let bytes = |it: &Digest| {
            #[cfg(feature = "postgres")]
            if self.database.is_some() {
                return format!("decode('{it}', 'hex')");
            }
            format!("x'{it}'")
        };
        let (own, behind, at) = (bytes(&payload_digest), bytes(&digest), crate::NOW.0);
        self.alter(&format!(
            "INSERT INTO event (stream, seq, at, payload_digest, digest, payload)
             SELECT id, {seq}, {at}, {own}, {behind}, '{payload}' FROM stream
             WHERE name = '{stream}'"
        ));
        self.alter(&format!(
            "UPDATE stream SET seq = {seq}, digest = {behind} WHERE name = '{stream}'"
        ));
    }
}
