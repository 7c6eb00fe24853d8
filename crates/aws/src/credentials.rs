//! What a call is signed with.

use mask::Secret;

/// An access key with its secret, and for a role its session.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Which key.
    pub key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The session of a role.
    pub session: Option<Secret>,
    /// When they end, in milliseconds since 1970; none for a key that stays.
    pub until: Option<u64>,
}

/// Credentials are asked for anew so long before they end.
const EARLY_MS: u64 = 300_000;

impl Credentials {
    /// A key that stays.
    pub fn key(key_id: &str, secret: &str) -> Credentials {
        let (key_id, secret) = (key_id.to_owned(), Secret::new(secret));
        Credentials { key_id, secret, session: None, until: None }
    }

    /// Whether a call at this time can be signed with them.
    pub(crate) fn hold_at(&self, now: u64) -> bool {
        self.until.is_none_or(|until| now + EARLY_MS < until)
    }
}
