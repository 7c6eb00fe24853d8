//! Who may agree to a deployment, what they sign, and whether they did: approvals by SSH keys
//! (`design` 8.6), without a server.
//!
//! ```text
//!   .launchway/allowed_signers ──▶ Signers (people with their names and keys)
//!   project, environment, deployment, plan, rules, gate, expiry ──▶ Statement ──▶ its one text
//!   a file that somebody hands in ──▶ Handed (text, signature) ──▶ verify ──▶ the key that signed
//! ```
//!
//! A person is not a name: lines of `allowed_signers` that share a name or a key are one person, so
//! that nobody counts twice by a second key or a second name. What was signed is compared byte for
//! byte with what it has to be; nothing of it is believed before the signature was verified.
//!
//! Keys and signatures are those of OpenSSH (PROTOCOL.sshsig, PROTOCOL.u2f). They are read here and
//! verified by aws-lc-rs. Kinds that are not verified are refused by name: DSA, RSA with SHA-1,
//! certificates.
//!
//! Whether what somebody says counts at a gate is one rule (`quorum.rs`) for deployments and for jobs.
//!
//! Absent on purpose: private keys, and who the members of a group are (the binary knows).

mod handed;
mod key;
mod quorum;
mod signature;
mod signers;
mod statement;
mod wire;

pub use handed::{Handed, HandedError};
pub use key::{Key, KeyError};
pub use quorum::{Counts, Uncounted, Voice, counts, group_of, is_one, may_reject};
pub use signature::{SignatureError, verify};
pub use signers::{LineError, Person, SignerKey, Signers};
pub use statement::{
    Claims, DEPLOYMENT, Decision, Difference, REQUEST, RequestStatement, Statement,
};
