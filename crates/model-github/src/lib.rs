//! GitHub, as far as a server of workflows needs it: a model with memory, for tests.
//!
//! ```text
//!   github.rs     what there is: repositories, checks, comments, statuses, deployments, pulls
//!   values.rs     secrets and variables: boxes are opened                             (pure)
//!   scopes.rs     what a job's token may do                                           (pure)
//!   answer.rs     one call of the REST API, answered from that                        (pure)
//!   payload.rs    what webhooks say                                                   (pure)
//!   fault.rs      what goes wrong on purpose                                          (pure)
//!   front.rs      a port: the API, git over HTTP, webhooks signed and sent
//!   http.rs       as much of HTTP as that needs
//! ```
//!
//! Pushes are real: git speaks to its own `http-backend` behind the front, which lets in who shows a
//! token, sees what changed, merges open pull requests, and tells the webhooks.

#![recursion_limit = "256"]

mod answer;
mod fault;
mod front;
mod github;
mod http;
mod payload;
mod scopes;
mod values;

pub use answer::{Answer, Request};
pub use fault::{Fault, FaultKind};
pub use front::{Front, Sent};
pub use github::{Call, GitHub, Hook, JobToken, Pull, Repository};
pub use values::{KeptValue, Values};

/// A new key of an app, as PEM.
pub fn new_key() -> String {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use base64::Engine as _;
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("it makes keys");
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("it can be written");
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}
