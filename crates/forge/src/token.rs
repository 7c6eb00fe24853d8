//! Who we are to GitHub: an app with a key, or a person's token.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mask::Secret;
use serde_json::json;

/// GitHub takes no token of an app that lives longer than ten minutes.
const LIVES_SECONDS: u64 = 9 * 60;
/// Clocks differ.
const BEFORE_SECONDS: u64 = 60;

/// What lets us in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A token of a person or of a machine's account.
    Token(Secret),
    /// An app that is installed where the repositories are.
    App {
        /// Its id, or its client's id.
        id: String,
        /// Its private key, as PEM.
        key: Secret,
    },
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is none.
    #[error("this is no private RSA key as PEM, as GitHub gives it to apps")]
    NoKey,
    /// The library of cryptography refuses.
    #[error("the key does not sign")]
    Refused,
}

impl Credentials {
    /// An app's, whose key can be used.
    ///
    /// # Errors
    /// When it cannot.
    pub fn app(id: &str, key: Secret) -> Result<Credentials, KeyError> {
        key_pair(&key)?;
        Ok(Credentials::App { id: id.to_owned(), key })
    }

    /// Whether it is an app: only those may make checks.
    pub fn is_app(&self) -> bool {
        matches!(self, Credentials::App { .. })
    }
}

/// GitHub gives PKCS#1; what people convert is PKCS#8.
fn key_pair(pem: &Secret) -> Result<KeyPair, KeyError> {
    let lines = pem.expose().lines().map(str::trim);
    let text: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(text).map_err(|_| KeyError::NoKey)?;
    let pair = KeyPair::from_der(&der).or_else(|_| KeyPair::from_pkcs8(&der));
    pair.map_err(|_| KeyError::NoKey)
}

/// What an app shows of itself: a token of its own making, good for minutes.
pub(crate) fn app_token(id: &str, key: &Secret, now_seconds: u64) -> Result<Secret, KeyError> {
    let encoded = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let head = encoded(json!({ "alg": "RS256", "typ": "JWT" }));
    let (since, until) = (now_seconds.saturating_sub(BEFORE_SECONDS), now_seconds + LIVES_SECONDS);
    let said = format!("{head}.{}", encoded(json!({ "iat": since, "exp": until, "iss": id })));
    let pair = key_pair(key)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature)
        .map_err(|_| KeyError::Refused)?;
    Ok(Secret::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};

    use super::*;

    /// A key as people have it.
    fn new_key() -> Secret {
        let pair = KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("it makes keys");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("it can be written");
        let text = STANDARD.encode(der.as_ref());
        Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
    }

    #[test]
    fn an_app_signs_a_token_of_ten_minutes_at_most() {
        let key = new_key();
        let token = app_token("12", &key, 1_000_000).expect("it signs");
        let parts: Vec<&str> = token.expose().split('.').collect();
        let claims = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64");
        assert_eq!(
            String::from_utf8(claims).expect("text"),
            r#"{"iat":999940,"exp":1000540,"iss":"12"}"#
        );
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in ["", "-----BEGIN RSA PRIVATE KEY-----\nZm9v\n-----END", "hunter2"] {
            let error = Credentials::app("1", Secret::new(text)).unwrap_err();
            assert_eq!(error, KeyError::NoKey);
        }
        let credentials = Credentials::app("1", new_key()).expect("a key");
        assert!(!format!("{credentials:?}").contains("PRIVATE"));
    }
}
