//! What everybody may see: the discovery document, and the public halves of the keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

/// Where the discovery document lies below the issuer's URL.
pub const DISCOVERY: &str = ".well-known/openid-configuration";
/// Where the key set lies below the issuer's URL.
pub const KEY_SET: &str = ".well-known/jwks";

/// The discovery document of an issuer.
pub fn discovery(issuer: &str) -> Json {
    let issuer = issuer.trim_end_matches('/');
    json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/{KEY_SET}"),
        "subject_types_supported": ["public"],
        "response_types_supported": ["id_token"],
        "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "sha",
            "repository", "repository_id", "repository_owner", "repository_owner_id", "run_id",
            "run_number", "run_attempt", "actor", "event_name", "environment", "ref_type", "workflow_ref",
            "workflow_sha", "job_workflow_ref", "runner_environment"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
    })
}

/// A key of a key set, from `RSAPublicKey` (RFC 8017, A.1.1): a sequence of modulus and exponent.
pub(crate) fn key(id: &str, written: &[u8]) -> Option<Json> {
    let (content, _) = element(written, 0x30)?;
    let (modulus, rest) = element(content, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    // A positive number of DER may begin with a zero; one of a key set may not.
    let number = |it: &[u8]| URL_SAFE_NO_PAD.encode(it.strip_prefix(&[0]).unwrap_or(it));
    Some(json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
        "n": number(modulus), "e": number(exponent),
    }))
}

/// The content of a DER element of this kind, and what is behind it.
fn element(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first & 0x7f);
    if first & 0x80 != 0 {
        let (digits, behind) = rest.split_at_checked(length)?;
        length = digits.iter().try_fold(0_usize, |sum, digit| {
            sum.checked_mul(256).map(|it| it + usize::from(*digit))
        })?;
        rest = behind;
    }
    (found == kind).then_some(())?;
    rest.split_at_checked(length)
}
