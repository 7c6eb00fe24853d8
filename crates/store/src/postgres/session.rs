//! A connection: statements that are prepared once, the lock that writes, and what is lost.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use postgres::config::TargetSessionAttrs;
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Database, Encryption};
use super::password;
use crate::engine::{Columns, Fault, Mark, Purpose, Row, Session, Take, Value};
use crate::error::StoreError;

/// What every connection begins with.
///
/// A commit waits for the log. Whoever waits for the lock is told as with SQLite
/// ([`crate::LOCK_WAIT_MAX_MS`]). One that hangs in a transaction, because its machine is gone, has
/// the lock no longer than 30 s, and the database looks after machines that are gone.
const BEGINNING: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') = 'off';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '30s';
    SET tcp_keepalives_idle = 30;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SET standard_conforming_strings = on;
    SET default_transaction_isolation = 'read committed'";

/// Statements that are kept prepared. Ours are some fifty.
const STATEMENTS_MAX: usize = 200;

pub(super) struct Connection {
    client: Client,
    statements: BTreeMap<String, Statement>,
    fence: Arc<AtomicI64>,
    mark: Mark,
    is_lost: bool,
}

impl Connection {
    pub(super) fn open(
        database: &Database,
        fence: Arc<AtomicI64>,
    ) -> Result<Connection, StoreError> {
        let mut config = database.config.clone();
        match password::of(database) {
            Some(password) => config.password(password.expose()),
            None => &mut config,
        };
        // A standby lets everybody in, and takes nothing: it is as good as away, and of several hosts the
        // one that writes is meant.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let failed = |source| StoreError::from_postgres(database, Fault::Postgres(source));
        let mut client = match &database.encryption {
            Encryption::Here => config.connect(NoTls),
            Encryption::Tls { roots } => {
                let trusted = https::trusted(roots.as_deref());
                let trusted = trusted.map_err(|source| StoreError::Unproven {
                    database: database.to_string(),
                    source: Arc::new(source),
                })?;
                config.connect(MakeRustlsConnect::new(trusted))
            }
        }
        .map_err(failed)?;
        client.batch_execute(BEGINNING).map_err(failed)?;
        let mut id = [0; 8];
        getrandom::fill(&mut id).expect("the system has randomness");
        let mark = Mark { writer: i64::from_le_bytes(id), turn: 0 };
        let statements = BTreeMap::new();
        Ok(Connection { client, statements, fence, mark, is_lost: false })
    }

    /// Statements without values, one after the other.
    pub(super) fn batch(&mut self, statements: &str) -> Result<(), Fault> {
        let done = self.client.batch_execute(statements);
        done.map_err(|error| self.fault(error))
    }

    /// Whether a transaction was committed that another connection had under way. Holds the lock for
    /// it: whoever has it still has not ended.
    pub(super) fn knows(&mut self, mark: Mark) -> Result<bool, Fault> {
        self.batch("BEGIN; SELECT 1 FROM launchway FOR UPDATE")?;
        let turn: Option<i64> = (self as &mut dyn Session).one(
            "SELECT turn FROM writer WHERE id = ?1",
            &[Value::Number(mark.writer)],
            |row| row.get(0),
        )?;
        self.batch("COMMIT")?;
        Ok(turn == Some(mark.turn))
    }

    fn fault(&mut self, error: postgres::Error) -> Fault {
        self.is_lost = self.is_lost || self.client.is_closed() || is_away(&error);
        Fault::Postgres(error)
    }

    fn statement(&mut self, text: &str) -> Result<Statement, Fault> {
        if let Some(known) = self.statements.get(text) {
            return Ok(known.clone());
        }
        let prepared = self.client.prepare(&translated(text));
        let prepared = prepared.map_err(|error| self.fault(error))?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(text.to_owned(), prepared.clone());
        Ok(prepared)
    }
}

/// Whether the database, or the way to it, is gone for a while.
pub(crate) fn is_away(error: &postgres::Error) -> bool {
    let is_io = error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    let of_state = |state: &SqlState| {
        [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(state)
            || state.code().starts_with("08")
            // A standby that is about to be the one that writes.
            || *state == SqlState::READ_ONLY_SQL_TRANSACTION
    };
    is_io || error.is_closed() || error.code().is_some_and(of_state)
}

/// `?1` is `$1` here.
fn translated(text: &str) -> String {
    text.replace('?', "$")
}

impl Session for Connection {
    fn begin(&mut self, purpose: Purpose) -> Result<(), Fault> {
        match purpose {
            Purpose::Journal => {}
            Purpose::Rows => return self.batch("BEGIN"),
            Purpose::Snapshot => {
                return self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            }
        }
        self.mark.turn += 1;
        let Mark { writer, turn } = self.mark;
        // One way there and back: the lock, then what this transaction is known by.
        let said = self.client.simple_query(&format!(
            "BEGIN; SELECT fence FROM launchway FOR UPDATE;
             INSERT INTO writer (id, turn) VALUES ({writer}, {turn})
                 ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, at = now()"
        ));
        let said = said.map_err(|error| self.fault(error))?;
        let fence = said.iter().find_map(|it| match it {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        let fence: i64 = fence.ok_or(Fault::Shape("the database has no journal any more"))?;
        let own = self.fence.load(Ordering::SeqCst);
        if own != 0 && own != fence {
            return Err(Fault::Fenced);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Fault> {
        self.batch("COMMIT")
    }

    fn roll_back(&mut self) {
        if !self.is_lost() {
            // A connection that does not even do that is lost, and is told so to whoever comes next.
            let _told_later = self.batch("ROLLBACK");
        }
    }

    fn change(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let statement = self.statement(statement)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|it| it as _).collect();
        let done = self.client.execute(&statement, &values);
        done.map_err(|error| self.fault(error))
    }

    fn each(&mut self, statement: &str, values: &[Value<'_>], row: Take<'_>) -> Result<(), Fault> {
        let statement = self.statement(statement)?;
        let mut wrong = None;
        let mut read = || {
            let mut rows = self.client.query_raw(&statement, values.iter().copied())?;
            while let Some(found) = rows.next()? {
                if wrong.is_none() {
                    wrong = row(Row(&found)).err();
                }
            }
            Ok(())
        };
        let read: Result<(), postgres::Error> = read();
        read.map_err(|error| self.fault(error))?;
        wrong.map_or(Ok(()), Err)
    }

    fn kind(&self) -> &'static str {
        "event.kind"
    }

    fn environment_in_any_case(&self) -> &'static str {
        "lower(environment COLLATE \"C\")"
    }

    /// A sequence goes on where a transaction was undone, and leaps where the database fell.
    fn positions_given(&self) -> Option<&'static str> {
        None
    }

    fn is_lost(&self) -> bool {
        self.is_lost || self.client.is_closed()
    }

    fn mark(&self) -> Option<Mark> {
        Some(self.mark)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            // A number beside one that is written in the statement has its kind.
            Value::Number(number) if *kind == Type::INT4 => {
                i32::try_from(*number)?.to_sql(kind, out)
            }
            Value::Number(number) => number.to_sql(&Type::INT8, out),
            // A text of PostgreSQL cannot hold it. Events have none: JSON writes it otherwise.
            Value::Text(text) if text.contains('\0') => {
                text.replace('\0', "\u{FFFD}").to_sql(&Type::TEXT, out)
            }
            Value::Text(text) => text.to_sql(&Type::TEXT, out),
            Value::Bytes(bytes) => bytes.to_sql(&Type::BYTEA, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Columns for postgres::Row {
    fn number(&self, index: usize) -> Result<Option<i64>, Fault> {
        Ok(self.try_get(index)?)
    }

    fn text(&self, index: usize) -> Result<Option<&str>, Fault> {
        Ok(self.try_get(index)?)
    }

    fn bytes(&self, index: usize) -> Result<Option<&[u8]>, Fault> {
        Ok(self.try_get(index)?)
    }
}
