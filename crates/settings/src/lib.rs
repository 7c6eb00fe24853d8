//! `launchway.yml` and `.env` files: what they say, typed, every leaf with its place.
//!
//! ```text
//!   text --syntax--> YAML tree --tree.rs + table--> tree without mistakes --judge.rs--> Settings
//!                                  │                                            │
//!                                  ├──> schema(): JSON Schema for editors       └─> resolve(environment, service)
//!                                  └──> page(): the tables of docs/settings.md        = ServiceInEnvironment
//! ```
//!
//! One table (`table.rs`) says which keys there are, what each takes, means and defaults to;
//! reading, schema, page and defaults come from it. What one service in one environment gets is laid
//! over one another: the service, then the environment, then the service in the environment.
//!
//! [`dotenv`] reads `.env` files. What they hold may be secret: values cannot be printed, and the
//! text that findings point into has them covered.
//!
//! Pure: what happens lies with the callers. Nothing here signs in, listens or deploys.

pub mod dotenv;
mod form;
mod judge;
mod kind;
mod merge;
mod model;
mod moment;
mod page;
mod quantity;
mod quorum;
mod read;
mod resolve;
mod schema;
mod secret;
mod table;
mod template;
mod tree;
mod view;

pub use model::{
    Assume, Backup, Budget, Build, Bundle, Channel, Credentials, Deploy, Ecs, Environment, Freeze,
    GitHubReleases, Goals, Group, Health, Host, Journal, Kubernetes, Mail, MailEncryption,
    MaximumImages, Migrate, MinimumCoverage, Notify, OnCancel, Owned, Platform, Protect, Quorum,
    RunsAs, Scan, Service, Settings, Severity, Smoke, SmokeKind, Strategy, Target, Variable,
    Verify, VersionAt, Weekday, Window,
};
pub use page::page;
pub use quantity::{duration, duration_text, size, size_text};
pub use quorum::can_be_filled;
pub use read::{FILE, read};
pub use resolve::{InForce, NotYet, ResolveError, ServiceInEnvironment};
pub use schema::schema;
pub use secret::SecretReference;
pub use view::{Origin, Spanned, Text};
