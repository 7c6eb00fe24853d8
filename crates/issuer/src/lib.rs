//! An issuer of OIDC tokens with GitHub's claims: how a deployment proves to a cloud which
//! repository and which environment it is for, without a stored secret of that cloud.
//!
//! ```text
//!   keys.rs   a folder of RSA keys ──▶ which signs now, which are published
//!      │                                        │
//!   token.rs  claims + key ──▶ a token (RS256)  └──▶ public.rs: discovery document and key set, as files
//! ```
//!
//! Whoever is to trust the tokens fetches two files from the issuer's URL; serving them is not done
//! here. A new key is published a day before it signs, and stays published a day after it has
//! signed last: nobody meets a token whose key he cannot find.
//!
//! Not here: time and who asks. Both come with the call.

mod bearer;
mod claims;
mod keys;
mod public;
mod token;

pub use bearer::Bearers;
pub use claims::{Claims, Place, Subject};
pub use keys::{IssuerError, Keys};
pub use public::{DISCOVERY, KEY_SET, discovery};
