//! What somebody hands in: the text that was signed, and behind it the signature.

/// The most that is read: a statement has some hundred bytes, a signature of the longest RSA key
/// some thousand.
const BYTES_MAX: usize = 64 << 10;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";

/// Why a file is not that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandedError {
    /// No signature in it.
    #[error("there is no SSH signature in it")]
    NoSignature,
    /// Several.
    #[error("there is more than one SSH signature in it")]
    Several,
    /// Too much.
    #[error("it has more than {BYTES_MAX} bytes")]
    Long,
}

/// A text and the signature over it, neither believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Every byte in front of the signature.
    pub text: String,
    /// The signature with its two lines.
    pub signature: String,
}

impl Handed {
    /// Reads a file: the text, byte for byte, then the signature.
    ///
    /// # Errors
    /// When it is not that.
    pub fn read(all: &str) -> Result<Handed, HandedError> {
        if all.len() > BYTES_MAX {
            return Err(HandedError::Long);
        }
        let at = all.find(BEGIN).ok_or(HandedError::NoSignature)?;
        let (text, signature) = all.split_at(at);
        if signature[BEGIN.len()..].contains(BEGIN) {
            return Err(HandedError::Several);
        }
        Ok(Handed { text: text.to_owned(), signature: signature.to_owned() })
    }

    /// As it is handed on.
    pub fn write(&self) -> String {
        format!("{}{}", self.text, self.signature)
    }
}
