//! A public key of OpenSSH: read, named by its fingerprint, and asked whether it signed something.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::wire::{Reader, WireError};

/// Bits of the smallest RSA key that counts: shorter ones have been broken, or soon will be.
const RSA_BITS_MIN: usize = 2_048;
/// The bit of a security key's flags that says: somebody touched it.
const TOUCHED: u8 = 0x01;

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No base64.
    #[error("the key is no base64")]
    NoBase64,
    /// Its bytes do not read.
    #[error("the key's bytes are not those of a public key")]
    Bytes(#[source] WireError),
    /// The kind in front of it is another than the one inside.
    #[error("it says {said}, and is {is}")]
    OtherKind {
        /// What stands in front.
        said: String,
        /// What it is.
        is: String,
    },
    /// A kind that is not verified here.
    #[error("keys of the kind {0} do not count: use ed25519, ecdsa, rsa, or a security key")]
    Kind(String),
    /// Too short.
    #[error("an RSA key of {0} bits is too short: at least {RSA_BITS_MIN}")]
    Short(usize),
}

impl From<WireError> for KeyError {
    fn from(error: WireError) -> KeyError {
        KeyError::Bytes(error)
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    kind: &'static str,
    blob: Vec<u8>,
}

/// Its parts, read again where they are needed: a key is its bytes.
enum Parts<'a> {
    Ed25519(&'a [u8]),
    Ecdsa(Curve, &'a [u8]),
    Rsa { exponent: &'a [u8], modulus: &'a [u8] },
    SkEd25519 { point: &'a [u8], application: &'a [u8] },
    SkEcdsa { point: &'a [u8], application: &'a [u8] },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    fn of(name: &str) -> Option<Curve> {
        Some(match name {
            "nistp256" => Curve::P256,
            "nistp384" => Curve::P384,
            "nistp521" => Curve::P521,
            _ => return None,
        })
    }

    fn algorithm(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &ECDSA_P384_SHA384_FIXED,
            Curve::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }

    fn width(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }
}

const KINDS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

impl Key {
    /// Of its bytes.
    ///
    /// # Errors
    /// When they are no key, or one that does not count.
    pub fn of(blob: &[u8]) -> Result<Key, KeyError> {
        let said = Reader::new(blob).text()?;
        let kind = KINDS.iter().find(|kind| **kind == said);
        let kind = *kind.ok_or_else(|| KeyError::Kind(said.to_owned()))?;
        let key = Key { kind, blob: blob.to_vec() };
        if let Parts::Rsa { modulus, .. } = key.parts()? {
            let first = modulus.first().map_or(8, |first| first.leading_zeros() as usize);
            let bits = modulus.len() * 8 - first.min(modulus.len() * 8);
            if bits < RSA_BITS_MIN {
                return Err(KeyError::Short(bits));
            }
        }
        Ok(key)
    }

    /// Of the words that `authorized_keys` has: a kind, and base64.
    ///
    /// # Errors
    /// When they are no key, or one that does not count.
    pub fn read(kind: &str, base64: &str) -> Result<Key, KeyError> {
        let blob = STANDARD.decode(base64).map_err(|_| KeyError::NoBase64)?;
        let key = Key::of(&blob)?;
        if key.kind != kind {
            return Err(KeyError::OtherKind { said: kind.to_owned(), is: key.kind.to_owned() });
        }
        Ok(key)
    }

    /// Its fingerprint, as `ssh-keygen -l` writes it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// As `authorized_keys` has it.
    pub fn openssh(&self) -> String {
        format!("{} {}", self.kind, STANDARD.encode(&self.blob))
    }

    fn parts(&self) -> Result<Parts<'_>, WireError> {
        let mut reader = Reader::new(&self.blob);
        let kind = reader.text()?;
        let parts = match kind {
            "ssh-ed25519" => Parts::Ed25519(reader.string()?),
            "ssh-rsa" => Parts::Rsa { exponent: reader.magnitude()?, modulus: reader.magnitude()? },
            "sk-ssh-ed25519@openssh.com" => {
                Parts::SkEd25519 { point: reader.string()?, application: reader.string()? }
            }
            "sk-ecdsa-sha2-nistp256@openssh.com" => {
                if reader.text()? != "nistp256" {
                    return Err(WireError);
                }
                Parts::SkEcdsa { point: reader.string()?, application: reader.string()? }
            }
            _ => {
                let name = reader.text()?;
                let curve = Curve::of(name).filter(|_| kind.ends_with(name)).ok_or(WireError)?;
                Parts::Ecdsa(curve, reader.string()?)
            }
        };
        reader.end()?;
        Ok(parts)
    }

    /// Whether it signed `data`; `signature` is the wire's own form, its kind in front.
    pub(crate) fn signed(&self, data: &[u8], signature: &[u8]) -> Result<bool, WireError> {
        let mut reader = Reader::new(signature);
        let kind = reader.text()?;
        let body = reader.string()?;
        let answer = match self.parts()? {
            Parts::Rsa { exponent, modulus } => {
                let parameters: &RsaParameters = match kind {
                    "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                    "rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
                    _ => return Ok(false),
                };
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, data, body).is_ok()
            }
            _ if kind != self.kind => return Ok(false),
            Parts::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(data, body).is_ok()
            }
            Parts::Ecdsa(curve, point) => ecdsa(curve, point, data, body)?,
            Parts::SkEd25519 { point, application } => {
                let data = touched(&mut reader, application, data)?;
                data.is_some_and(|data| {
                    UnparsedPublicKey::new(&ED25519, point).verify(&data, body).is_ok()
                })
            }
            Parts::SkEcdsa { point, application } => {
                match touched(&mut reader, application, data)? {
                    Some(data) => ecdsa(Curve::P256, point, &data, body)?,
                    None => false,
                }
            }
        };
        reader.end()?;
        Ok(answer)
    }
}

/// Two numbers on the wire; the verifier wants them side by side, each as wide as the curve.
fn ecdsa(curve: Curve, point: &[u8], data: &[u8], body: &[u8]) -> Result<bool, WireError> {
    let mut reader = Reader::new(body);
    let mut fixed = Vec::with_capacity(2 * curve.width());
    for _ in 0..2 {
        let number = reader.magnitude()?;
        let zeros = curve.width().checked_sub(number.len()).ok_or(WireError)?;
        fixed.extend(std::iter::repeat_n(0, zeros));
        fixed.extend(number);
    }
    reader.end()?;
    Ok(UnparsedPublicKey::new(curve.algorithm(), point).verify(data, &fixed).is_ok())
}

/// What a security key signs (PROTOCOL.u2f); none where nobody touched it.
fn touched(
    reader: &mut Reader<'_>,
    application: &[u8],
    data: &[u8],
) -> Result<Option<Vec<u8>>, WireError> {
    let flags = reader.byte()?;
    let counter = reader.number()?;
    let mut all = Sha256::digest(application).to_vec();
    all.push(flags);
    all.extend(counter.to_be_bytes());
    all.extend(Sha256::digest(data));
    Ok((flags & TOUCHED != 0).then_some(all))
}
