//! Bundles: a folder's files as one file whose digest names it.
//!
//! A bundle is an uncompressed tar that any tar reads, written in one way only: files and links
//! sorted by path, no times, no owners, of the mode only whether it may be run. The same files give
//! the same bytes on every machine, so the digest says what is in it. Nobody's word is taken for
//! that: whoever unpacks one checks the digest and every entry (`unpack.rs`).

mod pack;
mod unpack;

use std::io;
use std::path::PathBuf;

pub use pack::{PackOptions, Packed, pack};
pub(crate) use unpack::{check_digest, remove};
pub use unpack::{unpack, verify};

/// Files and links in one bundle: a service with its dependencies has some ten thousand.
pub const ENTRIES_MAX: u64 = 200_000;
/// Bytes of a path: what Linux takes.
pub(crate) const PATH_BYTES_MAX: u64 = 4096;

/// Why a bundle cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The disk.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A pattern is none.
    #[error("the pattern `{pattern}` cannot be read")]
    Pattern {
        /// Which.
        pattern: String,
        /// Why not.
        #[source]
        source: globset::Error,
    },
    /// The folder cannot be looked through.
    #[error("cannot look through the folder")]
    Walk(#[source] ignore::Error),
    /// It holds what cannot be in a bundle.
    #[error("{} cannot be in a bundle: {why}", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Nothing is left of the folder.
    #[error("no file is left for the bundle")]
    Empty,
    /// It would be larger than it may be.
    #[error("the bundle is larger than {limit} {unit}")]
    TooLarge {
        /// How large it may be.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// Its bytes are not those that it was named by.
    #[error("the bundle is {found}, not {expected}")]
    Digest {
        /// What it was named by.
        expected: String,
        /// What its bytes are.
        found: String,
    },
    /// It is none of ours, or somebody means harm.
    #[error("the bundle cannot be unpacked: {0}")]
    Hostile(String),
    /// What was unpacked is not what the bundle says any more.
    #[error("{} is not as it was unpacked", .0.display())]
    Altered(PathBuf),
}

impl BundleError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            BundleError::Empty => Some(
                "look at `include` and `exclude` of `bundle`; what git ignores is never part of it",
            ),
            BundleError::TooLarge { .. } => {
                Some("narrow `include`, name more in `exclude`, or raise `limit`")
            }
            BundleError::Unfit { .. } => Some("name it in `exclude`, or make it a plain file"),
            _ => None,
        }
    }
}

/// The hexadecimal part of `sha256:...`; none where it is no such digest.
pub(crate) fn hex(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (hex.len() == 64 && hex.bytes().all(is_hex)).then_some(hex)
}
