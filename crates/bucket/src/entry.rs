//! An entry of the log as it lies in the bucket: JSON, one append.

use std::sync::Arc;

use event::{Digest, Seq, StreamId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{SharedPlace, TakenIn, TakenStream};

/// The form of the objects. A newer one is left alone, and said.
pub const FORMAT: u32 = 1;
/// The most that one entry holds: far more than any append of a deployment.
pub(crate) const ENTRY_BYTES_MAX: usize = 8 << 20;

/// One append.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) format: u32,
    pub(crate) number: u64,
    /// The digest of the bytes of the entry before it.
    pub(crate) previous: String,
    /// Another for each: by it a writer whose answer was lost knows its own.
    pub(crate) id: String,
    /// Who wrote it.
    pub(crate) by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<PlaceForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) append: Option<AppendForm>,
}

/// The right under which it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceForm {
    pub(crate) project: Arc<str>,
    pub(crate) environment: Arc<str>,
    pub(crate) fence: u64,
    pub(crate) owner: Arc<str>,
}

/// What is appended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AppendForm {
    pub(crate) stream: String,
    /// Project, and environment or service; for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filed: Option<(Arc<str>, Arc<str>)>,
    pub(crate) after: u64,
    pub(crate) at: u64,
    /// The chain's digest behind the last event.
    pub(crate) chain: String,
    #[serde(default)]
    pub(crate) ends: bool,
    /// Each event as the text that its digest is of.
    pub(crate) events: Vec<String>,
}

/// What does not read.
#[derive(Debug)]
pub(crate) enum Unread {
    Newer(String),
    Damaged(String),
}

impl Entry {
    pub(crate) fn write(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("an entry has text keys only and no other fault")
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Entry, Unread> {
        #[derive(Deserialize)]
        struct Tag {
            format: u32,
        }
        match serde_json::from_slice::<Tag>(bytes) {
            Err(_) => Err(Unread::Damaged("it is no entry of a journal".to_owned())),
            Ok(Tag { format }) if format > FORMAT => {
                Err(Unread::Newer(format!("it has the form {format}, and this one knows {FORMAT}")))
            }
            Ok(_) => serde_json::from_slice(bytes)
                .map_err(|error| Unread::Damaged(format!("it does not read: {error}"))),
        }
    }

    /// As the copy takes it.
    pub(crate) fn taken_in(
        self,
        (digest, version): (Digest, String),
        looked_at: Timestamp,
    ) -> Result<TakenIn, Unread> {
        let damaged = |what: &str| Unread::Damaged(format!("its {what} is none"));
        let stream = match self.append {
            None => None,
            Some(append) => Some(TakenStream {
                stream: append.stream.parse::<StreamId>().map_err(|_| {
                    Unread::Newer(format!("`{}` is no stream that this one knows", append.stream))
                })?,
                filed: append.filed,
                after: Seq(append.after),
                at: Timestamp(append.at),
                chain: append.chain.parse().map_err(|_| damaged("chain"))?,
                ends: append.ends,
                events: append.events,
            }),
        };
        Ok(TakenIn {
            number: self.number,
            previous: self.previous.parse().map_err(|_| damaged("previous"))?,
            digest,
            version,
            looked_at,
            place: self.place.map(|it| SharedPlace {
                project: it.project,
                environment: it.environment,
                fence: it.fence,
                owner: it.owner,
            }),
            stream,
        })
    }
}

/// A name that sorts as its number does.
pub(crate) fn name(folder: &str, number: u64) -> String {
    format!("{folder}/{number:020}.json")
}

/// The number of a name; none where it is none of ours.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.rsplit('/').next()?.strip_suffix(".json")?;
    let plain = digits.len() == 20 && digits.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().filter(|it| *it > 0)
}

/// A part of a name: what is no plain letter stands as its number.
pub(crate) fn plain(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte => format!("={byte:02x}"),
    };
    text.bytes().map(letter).collect()
}

/// Nobody else has it.
pub(crate) fn unique() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
