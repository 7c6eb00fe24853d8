//! Signing in by a provider, as far as a server has to know: a browser is sent away, and comes back.

use event::{Digest, Timestamp};

use crate::access::Grant;

/// Who proves to us who people are.
pub trait SignIn: Send + Sync {
    /// What people know the provider by.
    fn host(&self) -> &str;

    /// Of the rules that say who may what. Sessions by others are over.
    fn rules(&self) -> Digest;

    /// Where a browser is sent, of which the person wants to go to `next`.
    ///
    /// # Errors
    /// When the provider does not answer, or cannot be used.
    fn begin(&self, next: &str, now: Timestamp) -> Result<Sent, NotSignedIn>;

    /// Who came back, with the cookie and the address that their browser brought.
    ///
    /// # Errors
    /// When they proved nothing, or may not come in.
    fn finish(&self, cookie: &str, query: &str, now: Timestamp) -> Result<ComeBack, NotSignedIn>;
}

/// A browser is sent somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where.
    pub address: String,
    /// What it is to bring back: plain letters.
    pub cookie: String,
}

/// Somebody came back, and proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComeBack {
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// What they are called.
    pub name: String,
    /// The login by which groups name them; none where nobody said how the provider says it.
    pub person: Option<String>,
    /// What they may.
    pub grants: Vec<Grant>,
    /// Where they wanted to go.
    pub next: String,
}

/// Somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSignedIn {
    /// Why, as a fragment.
    pub why: String,
    /// What they are called, where they proved that.
    pub name: Option<String>,
    /// Whether it is the provider's doing, and no matter of who they are.
    pub is_away: bool,
    /// Whether it was the answer to an attempt of this browser: only those are written down.
    pub is_bound: bool,
}
