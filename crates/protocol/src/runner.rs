//! What a server and a runner on another machine say to each other, over one connection that the
//! runner opens.
//!
//! A frame is a JSON object in one line, and behind it bytes, where a message has any: a piece of a
//! log, of a blob, of a pack. The order of frames is the order of deeds: what a report speaks of was
//! sent before it. Whatever a runner says of a job carries the lease, fence included; what is said
//! under a lease that is over is answered with [`Order::Over`] and changes nothing.
//!
//! ```text
//!   runner                                            server
//!   Hello: protocol, labels, leases it holds  ──▶
//!                                             ◀──  Welcome: of each lease what is known of it
//!   Log, Blob, Report                         ──▶
//!                                             ◀──  Start, Cancel, Kill, Heard, Over
//!   Sources, Want                             ──▶
//!                                             ◀──  Pack, Blob
//!   Renew, every ten seconds                  ──▶
//!                                             ◀──  Renewed
//! ```

use std::sync::Arc;

use event::{Attempt, BlobId, Fence, JobKey, RunId};
use mask::MaskedText;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{JobSpec, MESSAGE_BYTES_MAX, Report};

/// The version of this protocol. The two sides have to have the same: a job's definition goes over it,
/// whose meaning follows the program.
pub const RUNNER_PROTOCOL: u32 = 1;

/// How often a runner says that it is there.
pub const RENEW_SECONDS: u64 = 10;

/// A side that said nothing for so long is gone: its connection is given up. Three renewals.
pub const SILENT_SECONDS_MAX: u64 = 30;

/// How long a runner that is gone is waited for before its jobs are lost: a machine that starts anew, a
/// network that is mended. GitHub waits as long.
pub const AWAY_SECONDS_MAX: u64 = 300;

/// Bytes of one piece of something longer: small enough that an order between two is not late.
pub const PIECE_BYTES_MAX: usize = 256 << 10;

/// The longest frame: the longest message, for a job may be as long.
pub const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX + PIECE_BYTES_MAX;

/// Labels that a runner may have ...
const LABELS_MAX: usize = 32;
/// Of how jobs are kept in a runner says this much.
const KEPT_IN_CHARS_MAX: usize = 400;
/// ... and characters of one, of its machine's name and of its version.
const WORD_CHARS_MAX: usize = 100;
/// Jobs at a time of one runner, and so leases that it can hold.
const JOBS_MAX: usize = 256;
/// Commits that a runner says it has of a repository.
const TIPS_MAX: usize = 20_000;

/// Background steps of one job.
const OWN_LOGS_MAX: u32 = 10_000;

/// A lease, as both sides name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldLease {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// The job.
    pub job: JobKey,
    /// Which lease of it.
    pub fence: Fence,
}

/// Which file of a job's log: the log itself, that of a background step ([`crate::own_log`]), or the
/// times of the lines of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogName {
    /// The number of a background step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u32>,
    /// Whether it is the file with the times.
    #[serde(default)]
    pub times: bool,
}

impl LogName {
    /// What is behind the name of the job's log in the file's name.
    pub fn suffix(self) -> String {
        let own = self.own.map(|number| format!(".{number}")).unwrap_or_default();
        format!("{own}{}", if self.times { ".times" } else { "" })
    }

    /// The file with this behind the log's name; none where no log has it.
    pub fn of_suffix(text: &str) -> Option<LogName> {
        let (own, times) = match text.strip_suffix(".times") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let own = match own.strip_prefix('.') {
            Some(number) => Some(number.parse().ok()?),
            None if own.is_empty() => None,
            None => return None,
        };
        let name = LogName { own, times };
        // Two names of one file there are not.
        (name.suffix() == text).then_some(name)
    }
}

/// Where a piece of something longer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its first byte.
    pub offset: u64,
    /// The length of the whole.
    pub size: u64,
}

/// The first message of a runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`RUNNER_PROTOCOL`]
    pub protocol: u32,
    /// Of its program.
    pub version: String,
    /// What tells its machine and folder from every other: who holds a lease is never two.
    pub machine: String,
    /// Its processor, as `std::env::consts::ARCH` has it; it runs Linux.
    pub processor: String,
    /// Labels that it has besides those that mean any Linux machine.
    pub labels: Vec<String>,
    /// Jobs at a time.
    pub jobs: usize,
    /// How jobs are kept in there, for people; one of before does not say.
    #[serde(default)]
    pub kept_in: String,
    /// Leases whose jobs it has: that run, are being prepared, or ended unheard.
    pub holds: Vec<HeldLease>,
}

/// From a runner to its server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum FromRunner {
    /// The first.
    Hello(Greeting),
    /// It is there.
    Renew,
    /// A piece of a log; the bytes are behind it.
    Log {
        /// Whose.
        lease: HeldLease,
        /// Which file.
        log: LogName,
        /// Where they belong.
        offset: u64,
    },
    /// A piece of a blob that a report will name; the bytes are behind it.
    Blob {
        /// Whose.
        lease: HeldLease,
        /// Its name, which is its digest.
        blob: BlobId,
        /// Which piece.
        piece: Piece,
    },
    /// What a worker reports, as it came.
    Report {
        /// Whose.
        lease: HeldLease,
        /// Which report of the lease it is; none for how far a log has grown.
        number: Option<u64>,
        /// What.
        report: Report,
    },
    /// The worker is gone, and its process tree was ended. All that it kept was sent.
    Gone {
        /// Whose.
        lease: HeldLease,
        /// What is known.
        reason: MaskedText,
    },
    /// The commits of a job's repository are wanted: its branches, its tags and the run's own, without
    /// what is reached from these.
    Sources {
        /// Whose.
        lease: HeldLease,
        /// Tips that are there.
        tips: Vec<String>,
    },
    /// A blob is wanted: an artifact of the run.
    Want {
        /// Whose.
        lease: HeldLease,
        /// Which.
        blob: BlobId,
    },
}

/// A job for a runner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunnerJob {
    /// The job. Its paths are the server's; the runner puts its own in their place.
    pub spec: JobSpec,
    /// The repository's name, `owner/name`.
    pub repository: Arc<str>,
    /// The commit that has to be there before it starts.
    pub commit: Arc<str>,
    /// Digest of the repository's branches and tags: where the runner has the same, it asks for nothing.
    pub refs: Arc<str>,
    /// What the repository pins its actions by (`.launchway/actions.lock`).
    pub lock: Option<String>,
    /// The run's artifacts, as [`crate::RUN_ARTIFACTS_FILE`] has them.
    pub artifacts: String,
    /// Below the folder of caches: the part that the job sees.
    pub caches: String,
}

/// What is known of a lease that a runner holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub lease: HeldLease,
    /// So many numbered reports are remembered.
    pub heard: u64,
    /// Lengths of the logs' files.
    pub logs: Vec<(LogName, u64)>,
}

/// What is to be done about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// It is to end in the order of conformance 138. Once, however often it is said.
    Cancel,
    /// It is to end at once.
    Kill,
    /// So many numbered reports are remembered.
    Heard(u64),
    /// The lease is over: whoever still works under it ends, and what is left of it goes.
    Over,
}

/// From a server to a runner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ToRunner {
    /// It is let in. Leases of its greeting that are not among these are over.
    Welcome {
        /// What the server calls it.
        name: String,
        /// How long it is waited for when it is away.
        away_seconds: u64,
        /// The leases.
        leases: Vec<Standing>,
    },
    /// It is not let in.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// It is heard.
    Renewed,
    /// A job to begin. One that it has already is not begun again.
    Start(Box<RunnerJob>),
    /// An order about a job.
    Order {
        /// Whose.
        lease: HeldLease,
        /// What.
        order: Order,
    },
    /// A piece of a pack of commits; the bytes are behind it.
    Pack {
        /// Whose.
        lease: HeldLease,
        /// Whether it is the last.
        last: bool,
    },
    /// The branches and tags that the pack goes with, before its first piece: name and object.
    Refs {
        /// Whose.
        lease: HeldLease,
        /// What `HEAD` is.
        head: Option<String>,
        /// The rest.
        refs: Vec<(String, String)>,
    },
    /// A piece of a blob; the bytes are behind it.
    Blob {
        /// Whose.
        lease: HeldLease,
        /// Which blob.
        blob: BlobId,
        /// Which piece.
        piece: Piece,
    },
    /// What was asked for cannot be had.
    Missing {
        /// Whose.
        lease: HeldLease,
        /// Why.
        reason: String,
    },
}

/// Why a frame says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is too long.
    #[error("a frame of {0} bytes is too long")]
    Long(usize),
    /// It is none of ours.
    #[error("a frame is not understood: {0}")]
    Unknown(String),
    /// It goes beyond a limit.
    #[error("{0}")]
    Limit(&'static str),
}

/// A frame: a message, and the bytes that it is about.
pub fn write_frame(message: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = serde_json::to_vec(message).expect("a message has text keys only");
    if !bytes.is_empty() {
        frame.push(b'\n');
        frame.extend_from_slice(bytes);
    }
    frame
}

/// The message of a frame, and the bytes behind it.
///
/// # Errors
/// When it is none, or beyond a limit.
pub fn read_frame<M: DeserializeOwned + Limited>(frame: &[u8]) -> Result<(M, &[u8]), FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::Long(frame.len()));
    }
    let end = frame.iter().position(|byte| *byte == b'\n');
    let (line, bytes) = match end {
        Some(end) => (&frame[..end], &frame[end + 1..]),
        None => (frame, &[][..]),
    };
    if bytes.len() > PIECE_BYTES_MAX {
        return Err(FrameError::Limit("a piece is too long"));
    }
    // What the reader says of a message may hold some of it; its kind of mistake does not.
    let message: M = serde_json::from_slice(line)
        .map_err(|error| FrameError::Unknown(format!("{:?}", error.classify()).to_lowercase()))?;
    message.within_limits().map_err(FrameError::Limit)?;
    Ok((message, bytes))
}

/// A message that may ask for too much.
pub trait Limited {
    /// What it asks too much of.
    ///
    /// # Errors
    /// When it does.
    fn within_limits(&self) -> Result<(), &'static str> {
        Ok(())
    }
}

impl Limited for ToRunner {}

impl Limited for FromRunner {
    fn within_limits(&self) -> Result<(), &'static str> {
        match self {
            FromRunner::Hello(greeting) => greeting.within_limits(),
            FromRunner::Log { log, .. } if log.own.is_some_and(|it| it > OWN_LOGS_MAX) => {
                Err("a job has no log with that number")
            }
            FromRunner::Sources { tips, .. } if tips.len() > TIPS_MAX => {
                Err("it says too many commits")
            }
            FromRunner::Sources { tips, .. } if !tips.iter().all(|it| is_object(it)) => {
                Err("it says a commit that is none")
            }
            FromRunner::Blob { piece, .. } if piece.offset > piece.size => {
                Err("a piece lies behind its end")
            }
            _ => Ok(()),
        }
    }
}

impl Limited for Greeting {
    fn within_limits(&self) -> Result<(), &'static str> {
        let is_word = |it: &String| {
            !it.is_empty() && it.chars().count() <= WORD_CHARS_MAX && !it.contains(char::is_control)
        };
        if self.labels.len() > LABELS_MAX || !self.labels.iter().all(is_word) {
            return Err("it has too many labels, or one that is none");
        }
        if ![&self.version, &self.machine, &self.processor].into_iter().all(is_word) {
            return Err("its version, machine or processor is none");
        }
        if self.kept_in.chars().count() > KEPT_IN_CHARS_MAX
            || self.kept_in.contains(char::is_control)
        {
            return Err("it says too much of how jobs are kept in");
        }
        if self.jobs == 0 || self.jobs > JOBS_MAX || self.holds.len() > 2 * JOBS_MAX {
            return Err("it wants too many jobs at a time, or none");
        }
        Ok(())
    }
}

/// The name of a git object.
fn is_object(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
