//! A signature as `ssh-keygen -Y sign` writes it: read, and verified.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use crate::key::{Key, KeyError};
use crate::wire::{Reader, WireError, string};

const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Why a signature proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It is no signature of ssh-keygen.
    #[error("it is no signature of ssh-keygen -Y sign")]
    Armour,
    /// Its bytes do not read.
    #[error("the signature's bytes do not read")]
    Bytes(#[source] WireError),
    /// A version that nobody knows.
    #[error("the signature has the version {0}, and 1 is known")]
    Version(u32),
    /// It was made for something else.
    #[error("it was made for `{found}`, not for `{wanted}`")]
    Namespace {
        /// What it was made for.
        found: String,
        /// What it has to be made for.
        wanted: &'static str,
    },
    /// A digest that does not count.
    #[error("it is over a digest of the kind {0}; sha256 and sha512 count")]
    Hash(String),
    /// The key in it does not count.
    #[error("its key does not count")]
    Key(#[source] KeyError),
    /// It does not fit.
    #[error("the signature does not fit what it should be over")]
    Wrong,
}

impl From<WireError> for SignatureError {
    fn from(error: WireError) -> SignatureError {
        SignatureError::Bytes(error)
    }
}

/// Verifies that `text` was signed for `namespace`, and gives the key that did. Whose it is, the
/// caller has to know: anybody can sign with a key of their own.
///
/// # Errors
/// When nothing is proven.
pub fn verify(namespace: &'static str, text: &str, armoured: &str) -> Result<Key, SignatureError> {
    let blob = unarmour(armoured).ok_or(SignatureError::Armour)?;
    let mut reader = Reader::new(&blob);
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(SignatureError::Armour);
    }
    let version = reader.number()?;
    if version != 1 {
        return Err(SignatureError::Version(version));
    }
    let key = reader.string()?;
    let found = reader.text()?;
    let reserved = reader.string()?;
    let hash = reader.text()?;
    let signature = reader.string()?;
    reader.end()?;
    if found != namespace {
        return Err(SignatureError::Namespace { found: found.to_owned(), wanted: namespace });
    }
    let digest = match hash {
        "sha256" => Sha256::digest(text).to_vec(),
        "sha512" => Sha512::digest(text).to_vec(),
        _ => return Err(SignatureError::Hash(hash.to_owned())),
    };
    let key = Key::of(key).map_err(SignatureError::Key)?;
    let mut data = MAGIC.to_vec();
    for part in [found.as_bytes(), reserved, hash.as_bytes(), &digest] {
        string(part, &mut data);
    }
    if key.signed(&data, signature)? { Ok(key) } else { Err(SignatureError::Wrong) }
}

/// The bytes between the two lines; nothing may stand around them.
fn unarmour(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let inner = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let lines: String = inner.lines().collect();
    STANDARD.decode(lines).ok()
}
