//! People sign in by one outside provider of OpenID Connect: what it says is read, proven and judged.
//!
//! ```text
//!   a browser ──▶ attempt.rs: state, nonce, verifier ──▶ the provider ──▶ a code, with the state
//!                                                                            │
//!                  rules.rs ◀── token.rs, keys.rs, discovery.rs ◀── provider.rs: asks for a token
//!                  what claims give      read and proven, without a clock or a network
//! ```
//!
//! One flow: a code, with PKCE, bound to the browser that began it. Nothing of an attempt is kept here: what
//! the browser brings back is compared with what its cookie says, so that nobody who asks in vain fills
//! anything. What is kept of a person is whoever uses this crate's business.
//!
//! Deliberately absent: tokens of the provider beyond the sign-in itself, its logout, encrypted tokens,
//! keys that both sides know (HMAC), and every flow that brings tokens through the browser.

mod attempt;
mod discovery;
mod keys;
mod provider;
mod rules;
mod token;

pub use attempt::{Answer, Attempt};
pub use discovery::Discovery;
pub use keys::KeySet;
pub use provider::{Begun, Provider, Settings, SettingsError, SignInError, SignedIn};
pub use rules::{Claims, Rule, given};
pub use token::{Expected, Unproven, prove};

/// A document of the provider that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub(crate) String);

impl Wrong {
    pub(crate) fn new(why: impl Into<String>) -> Wrong {
        Wrong(why.into())
    }
}
