//! The statements of the outbox.

use event::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{
    BODY_BYTES_MAX, Change, Delivery, DeliveryState, Follow, OutboxCounts, Owed, ReceiverHealth,
    Settled, TroubledReceiver, WantedDeliveries,
};
use crate::write::Refusal;
use crate::writer::Answer;

/// What [`delivery`] reads.
const COLUMNS: &str = "outbox.id, key, outbox.consumer, outbox.receiver, lane, about, body, \
     owed_at, attempts, begun_at, unsure, next_at, outcome, settled_at, outbox.note, remote";

/// Does a change, inside a transaction.
pub(crate) fn change(transaction: &Transaction<'_>, change: &Change) -> Result<Answer, Refusal> {
    let is_done = match change {
        Change::Owe { consumer, from, to, at, owed } => {
            owe(transaction, consumer, (*from, *to), *at, owed)?
        }
        Change::Begin { id, at, stale_before } => begin(transaction, *id, *at, *stale_before)?,
        Change::Settle { id, at, settled, health } => {
            settle(transaction, *id, *at, settled, health.as_ref())?
        }
        Change::Free { consumer } => {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET begun_at = NULL, unsure = 1
                 WHERE consumer = ?1 AND outcome IS NULL AND begun_at IS NOT NULL",
            )?;
            statement.execute([consumer])? > 0
        }
        Change::Retry { id, at } => retry(transaction, *id, *at)?,
        Change::Forget { before } => {
            let mut statement = transaction.prepare_cached(
                "DELETE FROM outbox WHERE outcome IS NOT NULL AND settled_at < ?1",
            )?;
            statement.execute([before.0.cast_signed()])? > 0
        }
    };
    Ok(Answer::Outbox(is_done))
}

fn owe(
    transaction: &Transaction<'_>,
    consumer: &str,
    (from, to): (Option<u64>, u64),
    now: Timestamp,
    owed: &[Owed],
) -> rusqlite::Result<bool> {
    if cursor(transaction, consumer)? != from {
        return Ok(false);
    }
    let mut moved = transaction.prepare_cached(
        "INSERT INTO outbox_cursor (consumer, position) VALUES (?1, ?2)
         ON CONFLICT (consumer) DO UPDATE SET position = ?2",
    )?;
    moved.execute(params![consumer, to.cast_signed()])?;
    for it in owed {
        let at = now.0.cast_signed();
        let mut insert = transaction.prepare_cached(
            "INSERT OR IGNORE INTO outbox
                 (key, consumer, receiver, lane, about, body, owed_at, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        )?;
        let Owed { key, receiver, lane, about, body, follow } = it;
        let is_large = body.len() > BODY_BYTES_MAX;
        let body = if is_large { "" } else { body };
        let is_new = insert.execute(params![key, consumer, receiver, lane, about, body, at])? == 1;
        if is_new && is_large {
            let note = format!("it has more than {BODY_BYTES_MAX} bytes");
            let id = transaction.last_insert_rowid().cast_unsigned();
            settle(transaction, id, now, &Settled::GivenUp { note }, None)?;
        }
        if is_new && *follow == Follow::Newest {
            // One that is under way goes on: it may have arrived.
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET outcome = 'superseded', settled_at = ?4
                 WHERE consumer = ?1 AND lane = ?2 AND key <> ?3 AND outcome IS NULL
                     AND begun_at IS NULL AND unsure = 0",
            )?;
            statement.execute(params![consumer, lane, key, at])?;
        }
    }
    Ok(true)
}

fn begin(
    transaction: &Transaction<'_>,
    id: u64,
    at: Timestamp,
    stale_before: Timestamp,
) -> rusqlite::Result<bool> {
    let mut statement = transaction.prepare_cached(
        "UPDATE outbox SET attempts = attempts + 1, unsure = max(unsure, begun_at IS NOT NULL),
             begun_at = ?2
         WHERE id = ?1 AND outcome IS NULL AND (begun_at IS NULL OR begun_at < ?3)
             AND NOT EXISTS (SELECT 1 FROM outbox_receiver AS health
                 WHERE health.consumer = outbox.consumer AND health.receiver = outbox.receiver
                     AND shut_until > ?2)",
    )?;
    let row = params![id.cast_signed(), at.0.cast_signed(), stale_before.0.cast_signed()];
    Ok(statement.execute(row)? == 1)
}

fn settle(
    transaction: &Transaction<'_>,
    id: u64,
    at: Timestamp,
    settled: &Settled,
    health: Option<&ReceiverHealth>,
) -> rusqlite::Result<bool> {
    let (id, at) = (id.cast_signed(), at.0.cast_signed());
    if let Some(health) = health {
        write_health(transaction, id, health)?;
    }
    let changed = match settled {
        Settled::Delivered { remote } => {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET outcome = 'delivered', settled_at = ?2, remote = ?3,
                     begun_at = NULL, unsure = 0, note = NULL
                 WHERE id = ?1",
            )?;
            statement.execute(params![id, at, remote])?
        }
        Settled::Again { next_at, note, is_unsure } => {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET begun_at = NULL, next_at = ?2, note = ?3, unsure = ?4
                 WHERE id = ?1 AND outcome IS NULL",
            )?;
            statement.execute(params![id, next_at.0.cast_signed(), note, is_unsure])?
        }
        Settled::GivenUp { note } => {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET outcome = 'given_up', settled_at = ?2, note = ?3,
                     begun_at = NULL
                 WHERE id = ?1 AND outcome IS NULL",
            )?;
            statement.execute(params![id, at, note])?
        }
    };
    Ok(changed == 1)
}

fn write_health(
    transaction: &Transaction<'_>,
    id: i64,
    health: &ReceiverHealth,
) -> rusqlite::Result<()> {
    if health.failures == 0 {
        let mut statement = transaction.prepare_cached(
            "DELETE FROM outbox_receiver WHERE (consumer, receiver) =
                 (SELECT consumer, receiver FROM outbox WHERE id = ?1)",
        )?;
        return statement.execute([id]).map(drop);
    }
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO outbox_receiver (consumer, receiver, failures, shut_until, note)
         SELECT consumer, receiver, ?2, ?3, ?4 FROM outbox WHERE id = ?1",
    )?;
    let ReceiverHealth { failures, shut_until, note } = health;
    statement.execute(params![id, failures, shut_until.0.cast_signed(), note]).map(drop)
}

fn retry(transaction: &Transaction<'_>, id: u64, at: Timestamp) -> rusqlite::Result<bool> {
    let (id, at) = (id.cast_signed(), at.0.cast_signed());
    let mut statement = transaction.prepare_cached(
        "UPDATE outbox SET outcome = NULL, settled_at = NULL, next_at = ?2, owed_at = ?2,
             attempts = 0
         WHERE id = ?1 AND begun_at IS NULL AND (outcome IS NULL OR outcome = 'given_up')",
    )?;
    let is_done = statement.execute([id, at])? == 1;
    if is_done {
        // Whoever asks for it knows that the receiver answers again.
        let mut statement = transaction.prepare_cached(
            "UPDATE outbox_receiver SET shut_until = 0 WHERE (consumer, receiver) =
                 (SELECT consumer, receiver FROM outbox WHERE id = ?1)",
        )?;
        statement.execute([id])?;
    }
    Ok(is_done)
}

pub(super) fn cursor(connection: &Connection, consumer: &str) -> rusqlite::Result<Option<u64>> {
    let mut statement =
        connection.prepare_cached("SELECT position FROM outbox_cursor WHERE consumer = ?1")?;
    let row = statement.query_row([consumer], |row| row.get::<_, i64>(0)).optional()?;
    Ok(row.map(i64::cast_unsigned))
}

pub(super) fn end_of_feed(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(position), 0) FROM event")?;
    statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

pub(super) fn due(
    connection: &Connection,
    consumer: &str,
    (now, stale_before): (Timestamp, Timestamp),
    limit: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox
         LEFT JOIN outbox_receiver AS health
             ON health.consumer = outbox.consumer AND health.receiver = outbox.receiver
         WHERE outbox.consumer = ?1 AND outcome IS NULL AND next_at <= ?2
             AND (begun_at IS NULL OR begun_at < ?3)
             AND coalesce(health.shut_until, 0) <= ?2
             AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
                 WHERE earlier.consumer = outbox.consumer AND earlier.lane = outbox.lane
                     AND earlier.id < outbox.id AND earlier.outcome IS NULL)
         ORDER BY outbox.id LIMIT ?4"
    ))?;
    let (now, stale_before) = (now.0.cast_signed(), stale_before.0.cast_signed());
    statement.query_map(params![consumer, now, stale_before, as_limit(limit)], delivery)?.collect()
}

pub(super) fn next_due(
    connection: &Connection,
    consumer: &str,
) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached(
        "SELECT min(max(next_at, coalesce(health.shut_until, 0))) FROM outbox
         LEFT JOIN outbox_receiver AS health
             ON health.consumer = outbox.consumer AND health.receiver = outbox.receiver
         WHERE outbox.consumer = ?1 AND outcome IS NULL AND begun_at IS NULL",
    )?;
    let at: Option<i64> = statement.query_row([consumer], |row| row.get(0))?;
    Ok(at.map(timestamp))
}

pub(super) fn list(
    connection: &Connection,
    wanted: &WantedDeliveries,
) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox
         WHERE id < ?1 AND (?2 IS NULL OR consumer = ?2)
             AND (?3 = 0 OR outcome IS NULL OR outcome = 'given_up')
         ORDER BY id DESC LIMIT ?4"
    ))?;
    let WantedDeliveries { before, consumer, is_undelivered, limit } = wanted;
    let before = before.map_or(i64::MAX, u64::cast_signed);
    let row = params![before, consumer, is_undelivered, as_limit(*limit)];
    statement.query_map(row, delivery)?.collect()
}

pub(super) fn lane_remote(
    connection: &Connection,
    consumer: &str,
    lane: &str,
) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT remote FROM outbox WHERE consumer = ?1 AND lane = ?2 AND remote IS NOT NULL
         ORDER BY id DESC LIMIT 1",
    )?;
    statement.query_row([consumer, lane], |row| row.get(0)).optional()
}

pub(super) fn newest_of_lane(
    connection: &Connection,
    consumer: &str,
    lane: &str,
) -> rusqlite::Result<Option<Delivery>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE consumer = ?1 AND lane = ?2 ORDER BY id DESC LIMIT 1"
    ))?;
    statement.query_row([consumer, lane], delivery).optional()
}

pub(super) fn health(
    connection: &Connection,
    consumer: &str,
    receiver: &str,
) -> rusqlite::Result<ReceiverHealth> {
    let mut statement = connection.prepare_cached(
        "SELECT failures, shut_until, note FROM outbox_receiver
         WHERE consumer = ?1 AND receiver = ?2",
    )?;
    let row = statement.query_row([consumer, receiver], |row| health_at(row, 0)).optional()?;
    Ok(row.unwrap_or_default())
}

pub(super) fn troubled(connection: &Connection) -> rusqlite::Result<Vec<TroubledReceiver>> {
    let mut statement = connection.prepare_cached(
        "SELECT consumer, receiver, failures, shut_until, note FROM outbox_receiver
         ORDER BY consumer, receiver",
    )?;
    let troubled = |row: &Row<'_>| {
        Ok(TroubledReceiver {
            consumer: row.get(0)?,
            receiver: row.get(1)?,
            health: health_at(row, 2)?,
        })
    };
    statement.query_map([], troubled)?.collect()
}

pub(super) fn counts(connection: &Connection) -> rusqlite::Result<OutboxCounts> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FILTER (WHERE outcome IS NULL),
                count(*) FILTER (WHERE outcome = 'delivered'),
                count(*) FILTER (WHERE outcome = 'given_up') FROM outbox",
    )?;
    statement.query_row([], |row| {
        Ok(OutboxCounts {
            owed: row.get::<_, i64>(0)?.cast_unsigned(),
            delivered: row.get::<_, i64>(1)?.cast_unsigned(),
            given_up: row.get::<_, i64>(2)?.cast_unsigned(),
        })
    })
}

fn health_at(row: &Row<'_>, first: usize) -> rusqlite::Result<ReceiverHealth> {
    Ok(ReceiverHealth {
        failures: row.get(first)?,
        shut_until: timestamp(row.get(first + 1)?),
        note: row.get(first + 2)?,
    })
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let begun_at: Option<i64> = row.get(9)?;
    let outcome: Option<String> = row.get(12)?;
    let state = match outcome.as_deref() {
        None if begun_at.is_some() => DeliveryState::UnderWay,
        None => DeliveryState::Waiting,
        Some("delivered") => DeliveryState::Delivered,
        Some("superseded") => DeliveryState::Superseded,
        // What a newer version calls otherwise is not tried by this one.
        Some(_) => DeliveryState::GivenUp,
    };
    Ok(Delivery {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        key: row.get(1)?,
        consumer: row.get(2)?,
        receiver: row.get(3)?,
        lane: row.get(4)?,
        about: row.get(5)?,
        body: row.get(6)?,
        owed_at: timestamp(row.get(7)?),
        attempts: row.get(8)?,
        // An attempt that began and did not end may have arrived.
        is_unsure: row.get::<_, bool>(10)? || begun_at.is_some(),
        state,
        next_at: timestamp(row.get(11)?),
        settled_at: row.get::<_, Option<i64>>(13)?.map(timestamp),
        note: row.get(14)?,
        remote: row.get(15)?,
    })
}

fn timestamp(at: i64) -> Timestamp {
    Timestamp(at.cast_unsigned())
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
