//! The provider's keys: those that can prove a token of ours, and no others.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use crate::Wrong;

/// Providers publish two or three; one that publishes many more has something else in mind.
const KEYS_MAX: usize = 100;
/// From 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// Everybody's is three bytes long.
const EXPONENT_BYTES_MAX: usize = 8;
/// Half of a point of P-256.
const COORDINATE_BYTES: usize = 32;

/// How a token is signed. Nothing else is taken: neither nothing at all, nor what both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    pub(crate) fn of(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            _ => None,
        }
    }
}

/// A key that proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// As it is written down uncompressed.
    P256(Vec<u8>),
}

/// Keys of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a key set. Keys for something else, of another kind, or too small are not among them.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &[u8]) -> Result<KeySet, Wrong> {
        let document: Json =
            serde_json::from_slice(text).map_err(|_| Wrong::new("its key set is no JSON"))?;
        let keys =
            document["keys"].as_array().ok_or_else(|| Wrong::new("its key set has no keys"))?;
        if keys.len() > KEYS_MAX {
            return Err(Wrong(format!("its key set has more than {KEYS_MAX} keys")));
        }
        Ok(KeySet(keys.iter().filter_map(key).collect()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those that may have signed: of that name and kind; of that kind where the token names none.
    pub(crate) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            let fits =
                match (&key.public, algorithm) {
                    (Public::Rsa { .. }, Algorithm::Rs256)
                    | (Public::P256(_), Algorithm::Es256) => true,
                    (Public::Rsa { .. }, Algorithm::Es256)
                    | (Public::P256(_), Algorithm::Rs256) => false,
                };
            fits && id.is_none_or(|id| key.id.as_deref() == Some(id))
        })
    }
}

impl Key {
    /// Whether it signed this.
    pub(crate) fn proves(&self, message: &[u8], signature: &[u8]) -> bool {
        let proven = match &self.public {
            Public::Rsa { modulus, exponent } => {
                RsaPublicKeyComponents { n: modulus.as_slice(), e: exponent.as_slice() }.verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    message,
                    signature,
                )
            }
            Public::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        proven.is_ok()
    }
}

/// A key, where it is one that signs and of a kind that is taken.
fn key(it: &Json) -> Option<Key> {
    let is_or_absent = |name: &str, expected: &str| {
        let value = &it[name];
        value.is_null() || value == expected
    };
    let verifies = it["key_ops"].as_array().is_none_or(|all| all.iter().any(|it| it == "verify"));
    if !is_or_absent("use", "sig") || !verifies {
        return None;
    }
    let part = |name: &str| URL_SAFE_NO_PAD.decode(it[name].as_str()?).ok();
    let public = match it["kty"].as_str()? {
        "RSA" if is_or_absent("alg", "RS256") => {
            let (modulus, exponent) = (part("n")?, part("e")?);
            let is_sound = MODULUS_BYTES.contains(&modulus.len())
                && (1..=EXPONENT_BYTES_MAX).contains(&exponent.len());
            is_sound.then_some(Public::Rsa { modulus, exponent })?
        }
        "EC" if it["crv"] == "P-256" && is_or_absent("alg", "ES256") => {
            let (x, y) = (part("x")?, part("y")?);
            let is_point = x.len() == COORDINATE_BYTES && y.len() == COORDINATE_BYTES;
            is_point.then(|| Public::P256([&[4], x.as_slice(), &y].concat()))?
        }
        _ => return None,
    };
    Some(Key { id: it["kid"].as_str().map(str::to_owned), public })
}
