//! SHA-256 digests, and the chain that proves that nobody altered a stream.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::{Seq, Timestamp};
use crate::stream::StreamId;

/// A SHA-256 digest; its text is lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// What stands before the first event of a stream.
    pub const ZERO: Digest = Digest([0; 32]);

    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }
}

/// The digest of an event at its place: over the digest before it, the stream, the sequence number,
/// the time and the digest of its payload. It does not need the payload, so a payload can be
/// deleted later and the chain still proves what was there.
///
/// The bytes that are hashed never change: every journal in the world rests on them. They are the
/// line `launchway event 1`, the digest before, the stream's text and a line feed, sequence number
/// and milliseconds as eight bytes each with the highest first, the payload's digest.
pub fn chain(
    previous: &Digest,
    stream: StreamId,
    seq: Seq,
    at: Timestamp,
    payload: &Digest,
) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"launchway event 1\n");
    hash.update(previous.0);
    hash.update(stream.to_string());
    hash.update(b"\n");
    hash.update(seq.0.to_be_bytes());
    hash.update(at.0.to_be_bytes());
    hash.update(payload.0);
    Digest(hash.finalize().into())
}

/// The digest of a journal up to a position: over the digest up to the one before, the position, the stream's
/// name, the sequence number and the digest that the event has in its stream.
///
/// The bytes that are hashed never change: people keep such digests to compare with. They are the line
/// `launchway head 1`, the digest before, the position as eight bytes with the highest first, the stream's
/// text and a line feed, the sequence number as eight bytes, the event's digest.
pub fn link(previous: &Digest, position: u64, stream: &str, seq: Seq, digest: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"launchway head 1\n");
    hash.update(previous.0);
    hash.update(position.to_be_bytes());
    hash.update(stream);
    hash.update(b"\n");
    hash.update(seq.0.to_be_bytes());
    hash.update(digest.0);
    Digest(hash.finalize().into())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no SHA-256 digest in lower-case hex")]
pub struct ParseDigestError {
    text: String,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Digest, ParseDigestError> {
        let refused = || ParseDigestError { text: text.to_owned() };
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(refused()),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut digest = [0; 32];
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(refused());
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Digest(digest))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Digest, ParseDigestError> {
        text.parse()
    }
}
