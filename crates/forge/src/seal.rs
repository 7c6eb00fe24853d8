//! A value as GitHub takes it: in a box of libsodium's that GitHub alone opens (`crypto_box_seal`).
//!
//! X25519 and XSalsa20-Poly1305, by a key pair that is made for this one box and forgotten; the nonce is BLAKE2b
//! of both public keys. The same value is another box each time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore};
use mask::Secret;
use serde_json::Value as Json;

/// Bytes of a private key.
const KEY_BYTES: usize = 32;

/// The public key of a repository, or of one of its environments.
#[derive(Clone, Debug)]
pub struct SealingKey {
    /// What GitHub calls it: boxes say which key they are for.
    pub id: String,
    key: PublicKey,
}

/// Why nothing is sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Without them the box would be open to everybody.
    #[error("the system gives no random numbers: {0}")]
    NoRandom(String),
    /// The library of cryptography refuses.
    #[error("the value cannot be sealed")]
    Refused,
}

impl SealingKey {
    /// A key as GitHub says it; none where this is none.
    pub fn read(json: &Json) -> Option<SealingKey> {
        let key = STANDARD.decode(json["key"].as_str()?).ok()?;
        let key = PublicKey::from_slice(&key).ok()?;
        Some(SealingKey { id: json["key_id"].as_str()?.to_owned(), key })
    }

    /// A value in a box, as base64.
    ///
    /// # Errors
    /// When there is no randomness for it.
    pub fn seal(&self, value: &Secret) -> Result<String, SealError> {
        let mut drawn = [0; KEY_BYTES];
        getrandom::fill(&mut drawn).map_err(|error| SealError::NoRandom(error.to_string()))?;
        self.seal_with(Drawn(Some(drawn)), value)
    }

    fn seal_with(&self, mut drawn: Drawn, value: &Secret) -> Result<String, SealError> {
        let sealed = self.key.seal(&mut drawn, value.expose().as_bytes());
        Ok(STANDARD.encode(sealed.map_err(|_| SealError::Refused)?))
    }
}

/// What was drawn for one box: it is given once, and nobody gets the same again.
struct Drawn(Option<[u8; KEY_BYTES]>);

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        unreachable!("a box takes one key")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("a box takes one key")
    }

    fn fill_bytes(&mut self, into: &mut [u8]) {
        into.copy_from_slice(&self.0.take().expect("a box takes one key"));
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(into);
        Ok(())
    }
}

impl CryptoRng for Drawn {}

#[cfg(test)]
mod tests {
    use crypto_box::SecretKey;
    use serde_json::json;

    use super::*;

    /// Whoever has this opens the boxes below, which libsodium made (PyNaCl 1.6.2).
    const OPENS: [u8; 32] = [7; 32];
    const FOR_ONE_BOX: [u8; 32] = [9; 32];

    fn key() -> SealingKey {
        let key = SecretKey::from_bytes(OPENS).public_key();
        SealingKey::read(&json!({ "key_id": "1", "key": STANDARD.encode(key.as_bytes()) }))
            .expect("it is a key")
    }

    /// `crypto_box(value, blake2b(ours + theirs), theirs, ours)` behind our public key.
    #[test]
    fn a_box_is_libsodiums_byte_for_byte() {
        let sealed = key().seal_with(Drawn(Some(FOR_ONE_BOX)), &Secret::new("hunter2 é"));
        expect_test::expect![
            "V9tLNZ8jrl4Ubk4lEgVnBHIlBjSMFQwUdT0Mkz0E1CHHY+TbFOJll+IdGenEn1kfS+SdT5DtDLDbAw=="
        ]
        .assert_eq(&sealed.expect("it seals"));
    }

    #[test]
    fn what_libsodium_sealed_is_opened_and_each_box_is_another() {
        let open = |text: &str| {
            let sealed = STANDARD.decode(text).expect("base64");
            let value = SecretKey::from_bytes(OPENS).unseal(&sealed).expect("it opens");
            String::from_utf8(value).expect("text")
        };
        assert_eq!(
            open(
                "ObI6jAR81SYZvTnGjvNLHq3UzkbAwPuRw1l6WaEEiAgaTCGkVIG+O6ydoe6bWbfknr55rlwrWzMVGw=="
            ),
            "hunter2 é"
        );
        let long = Secret::new("x".repeat(48 << 10));
        let (one, other) = (key().seal(&long).expect("a box"), key().seal(&long).expect("a box"));
        assert_ne!(one, other);
        assert_eq!((open(&one).as_str(), open(&other).as_str()), (long.expose(), long.expose()));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for key in ["", "AAAA", "no base64", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            assert!(SealingKey::read(&json!({ "key_id": "1", "key": key })).is_none(), "{key}");
        }
        assert!(SealingKey::read(&json!({ "key": STANDARD.encode([1; 32]) })).is_none());
        assert!(SealingKey::read(&Json::Null).is_none());
    }
}
