//! The statements of the outbox.

use event::Timestamp;

use super::{
    BODY_BYTES_MAX, Change, Delivery, DeliveryState, Follow, OutboxCounts, Owed, ReceiverHealth,
    Settled, TroubledReceiver, WantedDeliveries,
};
use crate::engine::{Fault, Row, Session, values};
use crate::write::Refusal;
use crate::writer::Answer;

/// What [`delivery`] reads.
const COLUMNS: &str = "outbox.id, key, outbox.consumer, outbox.receiver, lane, about, body, \
     owed_at, attempts, begun_at, unsure, next_at, outcome, settled_at, outbox.note, remote";

/// Does a change, inside a transaction.
pub(crate) fn change(session: &mut dyn Session, change: &Change) -> Result<Answer, Refusal> {
    let is_done = match change {
        Change::Owe { consumer, from, to, at, owed } => {
            owe(session, consumer, (*from, *to), *at, owed)?
        }
        Change::Begin { id, at, stale_before } => begin(session, *id, *at, *stale_before)?,
        Change::Settle { id, at, settled, health } => {
            settle(session, *id, *at, settled, health.as_ref())?
        }
        Change::Free { consumer } => {
            session.change(
                "UPDATE outbox SET begun_at = NULL, unsure = 1
                 WHERE consumer = ?1 AND outcome IS NULL AND begun_at IS NOT NULL",
                values![consumer],
            )? > 0
        }
        Change::Retry { id, at } => retry(session, *id, *at)?,
        Change::Forget { before } => {
            session.change(
                "DELETE FROM outbox WHERE outcome IS NOT NULL AND settled_at < ?1",
                values![*before],
            )? > 0
        }
    };
    Ok(Answer::Outbox(is_done))
}

fn owe(
    session: &mut dyn Session,
    consumer: &str,
    (from, to): (Option<u64>, u64),
    now: Timestamp,
    owed: &[Owed],
) -> Result<bool, Fault> {
    if cursor(session, consumer)? != from {
        return Ok(false);
    }
    session.change(
        "INSERT INTO outbox_cursor (consumer, position) VALUES (?1, ?2)
         ON CONFLICT (consumer) DO UPDATE SET position = ?2",
        values![consumer, to],
    )?;
    for it in owed {
        let Owed { key, receiver, lane, about, body, follow } = it;
        let is_large = body.len() > BODY_BYTES_MAX;
        let body = if is_large { "" } else { body };
        let id: Option<u64> = session.one(
            "INSERT INTO outbox (key, consumer, receiver, lane, about, body, owed_at, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (key) DO NOTHING RETURNING id",
            values![key, consumer, receiver, lane, about, body, now],
            |row| row.get(0),
        )?;
        // It is owed already.
        let Some(id) = id else { continue };
        if is_large {
            let note = format!("it has more than {BODY_BYTES_MAX} bytes");
            settle(session, id, now, &Settled::GivenUp { note }, None)?;
        }
        if *follow == Follow::Newest {
            // One that is under way goes on: it may have arrived.
            session.change(
                "UPDATE outbox SET outcome = 'superseded', settled_at = ?4
                 WHERE consumer = ?1 AND lane = ?2 AND key <> ?3 AND outcome IS NULL
                     AND begun_at IS NULL AND unsure = 0",
                values![consumer, lane, key, now],
            )?;
        }
    }
    Ok(true)
}

fn begin(
    session: &mut dyn Session,
    id: u64,
    at: Timestamp,
    stale_before: Timestamp,
) -> Result<bool, Fault> {
    let changed = session.change(
        "UPDATE outbox SET attempts = attempts + 1, begun_at = ?2,
             unsure = CASE WHEN begun_at IS NULL THEN unsure ELSE 1 END
         WHERE id = ?1 AND outcome IS NULL AND (begun_at IS NULL OR begun_at < ?3)
             AND NOT EXISTS (SELECT 1 FROM outbox_receiver AS health
                 WHERE health.consumer = outbox.consumer AND health.receiver = outbox.receiver
                     AND shut_until > ?2)",
        values![id, at, stale_before],
    )?;
    Ok(changed == 1)
}

fn settle(
    session: &mut dyn Session,
    id: u64,
    at: Timestamp,
    settled: &Settled,
    health: Option<&ReceiverHealth>,
) -> Result<bool, Fault> {
    if let Some(health) = health {
        write_health(session, id, health)?;
    }
    let changed = match settled {
        Settled::Delivered { remote } => session.change(
            "UPDATE outbox SET outcome = 'delivered', settled_at = ?2, remote = ?3,
                     begun_at = NULL, unsure = 0, note = NULL
                 WHERE id = ?1",
            values![id, at, remote.as_deref()],
        )?,
        Settled::Again { next_at, note, is_unsure } => session.change(
            "UPDATE outbox SET begun_at = NULL, next_at = ?2, note = ?3, unsure = ?4
                 WHERE id = ?1 AND outcome IS NULL",
            values![id, *next_at, note, *is_unsure],
        )?,
        Settled::GivenUp { note } => session.change(
            "UPDATE outbox SET outcome = 'given_up', settled_at = ?2, note = ?3,
                     begun_at = NULL
                 WHERE id = ?1 AND outcome IS NULL",
            values![id, at, note],
        )?,
    };
    Ok(changed == 1)
}

fn write_health(session: &mut dyn Session, id: u64, health: &ReceiverHealth) -> Result<(), Fault> {
    if health.failures == 0 {
        return session
            .change(
                "DELETE FROM outbox_receiver WHERE (consumer, receiver) =
                 (SELECT consumer, receiver FROM outbox WHERE id = ?1)",
                values![id],
            )
            .map(drop);
    }
    let ReceiverHealth { failures, shut_until, note } = health;
    session
        .change(
            "INSERT INTO outbox_receiver (consumer, receiver, failures, shut_until, note)
         SELECT consumer, receiver, ?2, ?3, ?4 FROM outbox WHERE id = ?1
         ON CONFLICT (consumer, receiver) DO UPDATE SET failures = excluded.failures,
             shut_until = excluded.shut_until, note = excluded.note",
            values![id, *failures, *shut_until, note],
        )
        .map(drop)
}

/// Whether [`retry`] would find it.
pub(super) fn may_retry(session: &mut dyn Session, id: u64) -> Result<bool, Fault> {
    let statement = "SELECT id FROM outbox
         WHERE id = ?1 AND begun_at IS NULL AND (outcome IS NULL OR outcome = 'given_up')";
    let found: Option<u64> = session.one(statement, values![id], |row| row.get(0))?;
    Ok(found.is_some())
}

fn retry(session: &mut dyn Session, id: u64, at: Timestamp) -> Result<bool, Fault> {
    let is_done = session.change(
        "UPDATE outbox SET outcome = NULL, settled_at = NULL, next_at = ?2, owed_at = ?2,
             attempts = 0
         WHERE id = ?1 AND begun_at IS NULL AND (outcome IS NULL OR outcome = 'given_up')",
        values![id, at],
    )? == 1;
    if is_done {
        // Whoever asks for it knows that the receiver answers again.
        session.change(
            "UPDATE outbox_receiver SET shut_until = 0 WHERE (consumer, receiver) =
                 (SELECT consumer, receiver FROM outbox WHERE id = ?1)",
            values![id],
        )?;
    }
    Ok(is_done)
}

pub(super) fn cursor(session: &mut dyn Session, consumer: &str) -> Result<Option<u64>, Fault> {
    let statement = "SELECT position FROM outbox_cursor WHERE consumer = ?1";
    session.one(statement, values![consumer], |row| row.get(0))
}

pub(super) fn end_of_feed(session: &mut dyn Session) -> Result<u64, Fault> {
    session.only("SELECT coalesce(max(position), 0) FROM event", &[])
}

pub(super) fn due(
    session: &mut dyn Session,
    consumer: &str,
    (now, stale_before): (Timestamp, Timestamp),
    limit: usize,
) -> Result<Vec<Delivery>, Fault> {
    session.all(
        &format!(
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
        ),
        values![consumer, now, stale_before, limit],
        delivery,
    )
}

pub(super) fn next_due(
    session: &mut dyn Session,
    consumer: &str,
) -> Result<Option<Timestamp>, Fault> {
    session.only(
        "SELECT min(CASE WHEN health.shut_until > next_at THEN health.shut_until ELSE next_at END)
         FROM outbox
         LEFT JOIN outbox_receiver AS health
             ON health.consumer = outbox.consumer AND health.receiver = outbox.receiver
         WHERE outbox.consumer = ?1 AND outcome IS NULL AND begun_at IS NULL",
        values![consumer],
    )
}

pub(super) fn list(
    session: &mut dyn Session,
    wanted: &WantedDeliveries,
) -> Result<Vec<Delivery>, Fault> {
    let WantedDeliveries { before, consumer, is_undelivered, limit } = wanted;
    let before = before.unwrap_or(u64::MAX);
    session.all(
        &format!(
            "SELECT {COLUMNS} FROM outbox
             WHERE id < ?1 AND (CAST(?2 AS TEXT) IS NULL OR consumer = ?2)
                 AND (?3 = 0 OR outcome IS NULL OR outcome = 'given_up')
             ORDER BY id DESC LIMIT ?4"
        ),
        values![before, consumer.as_deref(), *is_undelivered, *limit],
        delivery,
    )
}

pub(super) fn lane_remote(
    session: &mut dyn Session,
    consumer: &str,
    lane: &str,
) -> Result<Option<String>, Fault> {
    session.one(
        "SELECT remote FROM outbox WHERE consumer = ?1 AND lane = ?2 AND remote IS NOT NULL
         ORDER BY id DESC LIMIT 1",
        values![consumer, lane],
        |row| row.get(0),
    )
}

pub(super) fn newest_of_lane(
    session: &mut dyn Session,
    consumer: &str,
    lane: &str,
) -> Result<Option<Delivery>, Fault> {
    session.one(
        &format!(
            "SELECT {COLUMNS} FROM outbox WHERE consumer = ?1 AND lane = ?2
             ORDER BY id DESC LIMIT 1"
        ),
        values![consumer, lane],
        delivery,
    )
}

pub(super) fn health(
    session: &mut dyn Session,
    consumer: &str,
    receiver: &str,
) -> Result<ReceiverHealth, Fault> {
    let found = session.one(
        "SELECT failures, shut_until, note FROM outbox_receiver
         WHERE consumer = ?1 AND receiver = ?2",
        values![consumer, receiver],
        |row| health_at(row, 0),
    )?;
    Ok(found.unwrap_or_default())
}

pub(super) fn troubled(session: &mut dyn Session) -> Result<Vec<TroubledReceiver>, Fault> {
    session.all(
        "SELECT consumer, receiver, failures, shut_until, note FROM outbox_receiver
         ORDER BY consumer, receiver",
        &[],
        |row| {
            Ok(TroubledReceiver {
                consumer: row.get(0)?,
                receiver: row.get(1)?,
                health: health_at(row, 2)?,
            })
        },
    )
}

pub(super) fn counts(session: &mut dyn Session) -> Result<OutboxCounts, Fault> {
    let found = session.one(
        "SELECT count(*) FILTER (WHERE outcome IS NULL),
                count(*) FILTER (WHERE outcome = 'delivered'),
                count(*) FILTER (WHERE outcome = 'given_up') FROM outbox",
        &[],
        |row| Ok(OutboxCounts { owed: row.get(0)?, delivered: row.get(1)?, given_up: row.get(2)? }),
    )?;
    Ok(found.unwrap_or_default())
}

fn health_at(row: &Row<'_>, first: usize) -> Result<ReceiverHealth, Fault> {
    Ok(ReceiverHealth {
        failures: row.get(first)?,
        shut_until: row.get(first + 1)?,
        note: row.get(first + 2)?,
    })
}

fn delivery(row: &Row<'_>) -> Result<Delivery, Fault> {
    let begun_at: Option<i64> = row.get(9)?;
    let state = match row.text(12)? {
        None if begun_at.is_some() => DeliveryState::UnderWay,
        None => DeliveryState::Waiting,
        Some("delivered") => DeliveryState::Delivered,
        Some("superseded") => DeliveryState::Superseded,
        // What a newer version calls otherwise is not tried by this one.
        Some(_) => DeliveryState::GivenUp,
    };
    Ok(Delivery {
        id: row.get(0)?,
        key: row.get(1)?,
        consumer: row.get(2)?,
        receiver: row.get(3)?,
        lane: row.get(4)?,
        about: row.get(5)?,
        body: row.get(6)?,
        owed_at: row.get(7)?,
        attempts: row.get(8)?,
        // An attempt that began and did not end may have arrived.
        is_unsure: row.get::<bool>(10)? || begun_at.is_some(),
        state,
        next_at: row.get(11)?,
        settled_at: row.get(13)?,
        note: row.get(14)?,
        remote: row.get(15)?,
    })
}
