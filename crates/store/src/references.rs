//! Which blobs the journal names.
//!
//! Every text of 64 hexadecimal digits in a payload counts, whatever field it stands in: an event
//! that is added later, here or in a newer version, keeps its blobs without anybody remembering this
//! file. Commits and tracking ids are shorter; a text that only looks like a digest costs the space
//! of a blob that happens to be called so.

use std::collections::BTreeSet;

use event::{BlobId, Fact, RunEvent, StreamId, Timestamp};

use crate::engine::{Fault, Session, values};

/// Hexadecimal digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// Events that are looked through at a time: what a database sends for one statement lies in memory.
const EVENTS_AT_ONCE: usize = 500;

/// Every blob that is named in streams other than `without`.
pub(crate) fn named(
    session: &mut dyn Session,
    without: &BTreeSet<StreamId>,
    now: Timestamp,
) -> Result<BTreeSet<BlobId>, Fault> {
    let mut named = BTreeSet::new();
    let mut after = Some(0);
    // What is appended meanwhile stands behind, and is seen.
    while let Some(place) = after.take() {
        session.each(
            "SELECT event.position, stream.name, event.payload
             FROM event JOIN stream ON stream.id = event.stream
             WHERE event.position > ?1 AND event.payload IS NOT NULL
             ORDER BY event.position LIMIT ?2",
            values![place, EVENTS_AT_ONCE],
            &mut |row| {
                after = Some(row.get::<i64>(0)?);
                let stream = row.text(1)?.map(str::parse);
                if stream.is_some_and(|it| it.is_ok_and(|it: StreamId| without.contains(&it))) {
                    return Ok(());
                }
                let payload = row.text(2)?.unwrap_or_default().as_bytes();
                let mut digests = digests(payload).peekable();
                if digests.peek().is_some() && !is_expired(payload, now) {
                    named.extend(digests.map(BlobId::new));
                }
                Ok(())
            },
        )?;
    }
    Ok(named)
}

/// Nobody can ask for an artifact after its time.
fn is_expired(payload: &[u8], now: Timestamp) -> bool {
    match RunEvent::decode(payload) {
        Ok(RunEvent::ArtifactUploaded { expires_at, .. }) => expires_at < now,
        _ => false,
    }
}

fn digests(payload: &[u8]) -> impl Iterator<Item = &str> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let words = payload.split(move |byte| !is_digit(byte));
    words
        .filter(|word| word.len() == DIGEST_DIGITS)
        .map(|word| std::str::from_utf8(word).expect("hexadecimal digits are ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_words_of_their_length() {
        let digest = "0123456789abcdef".repeat(4);
        let payload = format!(
            "{{\"a\":\"{digest}\",\"commit\":\"{}\",\"long\":\"{digest}0\"}} {digest}",
            &digest[..40]
        );
        assert_eq!(digests(payload.as_bytes()).collect::<Vec<_>>(), [&digest; 2]);
    }
}
