//! Signing a token: RS256, the one that every cloud takes.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mask::Secret;
use serde_json::{Value as Json, json};

use crate::keys::IssuerError;

pub(crate) fn signed(claims: &Json, id: &str, key: &KeyPair) -> Result<Secret, IssuerError> {
    let head = json!({"alg": "RS256", "typ": "JWT", "kid": id}).to_string();
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let said = format!("{}.{}", encoded(&head), encoded(&claims.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), said.as_bytes(), &mut signature)
        .map_err(|_| IssuerError::Cryptography)?;
    Ok(Secret::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))))
}
