//! What lies under the journal, as its rules see it: a connection that takes statements.
//!
//! ```text
//!   store, writer, write, read, outbox, shared, deliveries      the rules, once, in one SQL
//!        └── Session: begin, change, each, commit               this file
//!              ├── sqlite/      a file of this folder
//!              └── postgres/    a database that the folder belongs to
//! ```
//!
//! The statements are what both understand: `?1` for values, `ON CONFLICT`, `RETURNING`, numbers for
//! truth. What differs in the schema stands in the engine's folder; what differs in a statement is
//! [`Session::kind`] alone.

use std::path::Path;

use event::{Digest, Seq, Timestamp};

use crate::absence::Tell;
use crate::error::StoreError;

/// What opens connections.
pub(crate) trait Engine: Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> &Path;
    /// Whether there is a journal, of a version that this one can read. Nothing is made.
    fn must_be_there(&self) -> Result<(), StoreError>;
    /// A connection that writes; the schema is there.
    fn writer(&self) -> Result<Box<dyn Session>, StoreError>;
    /// A connection that reads.
    fn reader(&self) -> Result<Box<dyn Session>, StoreError>;
    /// Another one for a writer that lost its own, and whether the commit that was under way is done.
    /// Waits for as long as `patience` says.
    fn again(&self, commit: Option<Mark>, patience: Patience) -> Again;
    /// What a fault means.
    fn error(&self, fault: Fault) -> StoreError;
    /// Has somebody told when it goes away, and when it is there again.
    fn tell_of_absence(&self, tell: Tell);
    /// Takes the right to serve this journal, which others have on other machines.
    fn claim(&self, holder: &str) -> Result<(), StoreError>;
    /// Says that whoever has it lives.
    fn renew(&self) -> Result<(), StoreError>;
    /// Gives it back.
    fn release(&self) -> Result<(), StoreError>;
}

/// A connection, and whether the commit is done.
pub(crate) type Again = Result<(Box<dyn Session>, bool), StoreError>;

/// How long somebody waits for a database that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as a database takes that is started again, or moved to another machine.
    Long,
    /// No longer than whoever asks from outside would.
    Short,
}

/// What is done with a row.
pub(crate) type Take<'a> = &'a mut dyn FnMut(Row<'_>) -> Result<(), Fault>;

/// Why somebody begins a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To write to the journal, alone: what is read is true until the commit.
    Journal,
    /// To write rows that stand for themselves.
    Rows,
    /// To read what was there at one moment.
    Snapshot,
}

/// A transaction of a writer, to be known again by another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) writer: i64,
    pub(crate) turn: i64,
}

/// A connection.
pub(crate) trait Session: Send {
    fn begin(&mut self, purpose: Purpose) -> Result<(), Fault>;
    fn commit(&mut self) -> Result<(), Fault>;
    /// Whatever was begun is undone; where nothing was, nothing is.
    fn roll_back(&mut self);
    /// Does a statement, and says how many rows it changed.
    fn change(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, Fault>;
    /// Gives every row that a statement finds or returns.
    fn each(&mut self, statement: &str, values: &[Value<'_>], row: Take<'_>) -> Result<(), Fault>;
    /// How a statement names the kind of an `event`; none where its payload is gone.
    fn kind(&self) -> &'static str;
    /// How a statement names the environment of a `deployment` in small letters, of ASCII alone: as the index has it.
    fn environment_in_any_case(&self) -> &'static str;
    /// A statement that gives the highest position that an event ever got, where none is ever left out;
    /// none where a transaction that was undone leaves a gap.
    fn positions_given(&self) -> Option<&'static str>;
    /// Whether it is of no use any more.
    fn is_lost(&self) -> bool;
    /// The transaction under way, or the one before.
    fn mark(&self) -> Option<Mark>;
}

impl dyn Session + '_ {
    /// Every row.
    pub(crate) fn all<T>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut found = Vec::new();
        self.each(statement, values, &mut |row| {
            found.push(read(&row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row.
    pub(crate) fn one<T>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        Ok(self.all(statement, values, read)?.into_iter().next())
    }

    /// The first column of the only row.
    pub(crate) fn only<T: Column>(
        &mut self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<T, Fault> {
        let found = self.one(statement, values, |row| row.get(0))?;
        found.ok_or(Fault::Shape("a statement that always gives a row gave none"))
    }
}

/// Why a connection did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
    /// What stands in a row is nothing that was ever written there.
    #[error("{0}")]
    Shape(&'static str),
    /// Somebody else has the right to write.
    #[error("another server has the journal")]
    Fenced,
}

/// What a statement is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Number(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// `values![a, b]`: what a statement is given.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::engine::Value::from($value)),*]
    };
}
pub(crate) use values;

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}
impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Number(number.into())
    }
}
impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Value::Number(truth.into())
    }
}
impl From<Seq> for Value<'_> {
    fn from(seq: Seq) -> Self {
        seq.0.into()
    }
}
impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        at.0.into()
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}
impl<'a> From<&'a Digest> for Value<'a> {
    fn from(digest: &'a Digest) -> Self {
        Value::Bytes(&digest.0)
    }
}
impl<'a, T> From<Option<T>> for Value<'a>
where
    Value<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Value::from)
    }
}

/// The columns of a row, as an engine has them.
pub(crate) trait Columns {
    fn number(&self, index: usize) -> Result<Option<i64>, Fault>;
    fn text(&self, index: usize) -> Result<Option<&str>, Fault>;
    fn bytes(&self, index: usize) -> Result<Option<&[u8]>, Fault>;
}

/// A row.
pub(crate) struct Row<'a>(pub(crate) &'a dyn Columns);

impl<'a> Row<'a> {
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T, Fault> {
        T::read(self.0, index)
    }

    /// A text that is looked at, and not kept.
    pub(crate) fn text(&self, index: usize) -> Result<Option<&'a str>, Fault> {
        self.0.text(index)
    }
}

/// What a column holds.
pub(crate) trait Column: Sized {
    fn read(columns: &dyn Columns, index: usize) -> Result<Self, Fault>;
}

const MISSING: Fault = Fault::Shape("a column that is never empty is");

impl Column for i64 {
    fn read(columns: &dyn Columns, index: usize) -> Result<i64, Fault> {
        columns.number(index)?.ok_or(MISSING)
    }
}
impl Column for u64 {
    fn read(columns: &dyn Columns, index: usize) -> Result<u64, Fault> {
        i64::read(columns, index).map(i64::cast_unsigned)
    }
}
impl Column for u32 {
    fn read(columns: &dyn Columns, index: usize) -> Result<u32, Fault> {
        let number = i64::read(columns, index)?;
        u32::try_from(number).map_err(|_| Fault::Shape("a count is too large"))
    }
}
impl Column for bool {
    fn read(columns: &dyn Columns, index: usize) -> Result<bool, Fault> {
        i64::read(columns, index).map(|number| number != 0)
    }
}
impl Column for Seq {
    fn read(columns: &dyn Columns, index: usize) -> Result<Seq, Fault> {
        u64::read(columns, index).map(Seq)
    }
}
impl Column for Timestamp {
    fn read(columns: &dyn Columns, index: usize) -> Result<Timestamp, Fault> {
        u64::read(columns, index).map(Timestamp)
    }
}
impl Column for String {
    fn read(columns: &dyn Columns, index: usize) -> Result<String, Fault> {
        columns.text(index)?.map(str::to_owned).ok_or(MISSING)
    }
}
impl Column for Vec<u8> {
    fn read(columns: &dyn Columns, index: usize) -> Result<Vec<u8>, Fault> {
        columns.bytes(index)?.map(<[u8]>::to_vec).ok_or(MISSING)
    }
}
impl Column for Digest {
    fn read(columns: &dyn Columns, index: usize) -> Result<Digest, Fault> {
        let bytes = columns.bytes(index)?.ok_or(MISSING)?;
        bytes.try_into().map(Digest).map_err(|_| Fault::Shape("a digest has another length"))
    }
}
macro_rules! optional {
    ($($of:ty => $read:ident $with:expr;)*) => {$(
        impl Column for Option<$of> {
            fn read(columns: &dyn Columns, index: usize) -> Result<Self, Fault> {
                Ok(columns.$read(index)?.map($with))
            }
        }
    )*};
}
optional! {
    i64 => number std::convert::identity;
    u64 => number i64::cast_unsigned;
    Timestamp => number |it| Timestamp(it.cast_unsigned());
    String => text str::to_owned;
}
